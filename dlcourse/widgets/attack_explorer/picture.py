"""The explorer as a still picture: for each network the picture, what was added, what is said, and the slice."""

from matplotlib.axes import Axes

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK
from dlcourse.widgets.attack_explorer import words
from dlcourse.widgets.attack_explorer.engine import AttackExplorerEngine, capital
from dlcourse.widgets.draw_pad.engine import percent
from dlcourse.widgets.feature_map_explorer.words import number

PATH = "#8A1C8A"  # none of the colours of the slice


def picture(engine: AttackExplorerEngine) -> Picture:
    """The present state, described below."""
    snapshot = engine.snapshot()
    header, many = snapshot.header, len(snapshot.header["models"])
    fig, axes = plot.figure(many, 4, width=9.4, height=2.5 * many + 0.1, width_ratios=(1, 1.25, 1, 1.25))
    for row, model in enumerate(header["models"]):
        shown, added, says, plane = axes[row] if many > 1 else axes
        _bare(shown, f"{capital(model['name'])} sees")
        shown.imshow(snapshot.arrays["pictures"][row], cmap="gray_r", vmin=0, vmax=254, interpolation="nearest")
        _added(fig, added, engine, row, header["reach"]["delta"])
        _says(says, snapshot, row)
        _slice(plane, engine, row, snapshot)
    return render(fig, alt=_alt(header), caption=engine.describe())


def _bare(ax: Axes, title: str) -> None:
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(False)
    ax.spines[:].set(visible=True, color="#999999")


def _added(fig, ax: Axes, engine: AttackExplorerEngine, row: int, reach: float) -> None:
    """The perturbation: orange where ink was added, blue where it was taken away."""
    what, step = engine.move
    found = engine.runs()[row]
    delta = (found.at(what, step) - found.example)[0].numpy()
    image = ax.imshow(delta, cmap=plot.SIGNED, vmin=-reach, vmax=reach, interpolation="nearest")
    _bare(ax, "Perturbation")
    bar = fig.colorbar(image, ax=ax, shrink=0.85, aspect=18)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8.5)
    ax.set_xlabel(_share(engine, found, what, step), fontsize=9)


def _share(engine: AttackExplorerEngine, found, what: str, step: int) -> str:
    used = words.used(engine.plan, found.at(what, step), found.example)
    return f"{number(used['distance'])} of {number(engine.plan.threat.eps)} in {words.name(engine.plan)}"


def _says(ax: Axes, snapshot, row: int) -> None:
    """A bar for each class, and a mark where it was for the picture itself."""
    classes, model = snapshot.header["classes"], snapshot.header["models"][row]
    now, before = (snapshot.arrays[name][row].tolist() for name in ("probabilities", "before"))
    places, best = range(len(classes)), model["says"]["class"]
    if best is None:
        _bare(ax, "No answer: not a number")
        return
    ax.barh(places, now, color=[INK if place == best else COLOURS["grey"] for place in places], height=0.7)
    ax.plot(before, places, "|", color=PATH, markersize=8, markeredgewidth=2)
    ax.text(now[best] + 0.05, best, percent(now[best]), va="center", weight="bold", fontsize=9)
    ax.set(xlim=(0, 1.75), xticks=[], ylim=(len(classes) - 0.4, -0.6), yticks=places, yticklabels=classes)
    ax.set_title(f"Says {model['says']['name']}: {model['verdict']}")
    ax.set_xlabel("Marks: before", fontsize=9)
    ax.tick_params(axis="y", labelsize=8.5)
    ax.grid(False)
    ax.spines["bottom"].set_visible(False)


def _slice(ax: Axes, engine: AttackExplorerEngine, row: int, snapshot) -> None:
    """The slice with the attack's path."""
    made, eps = engine.cuts()[row], engine.plan.threat.eps
    plot.landscape(made.plane, ax=ax, label=None)
    path = snapshot.arrays["paths"][row].numpy() * eps
    ax.plot(path[:, 0], path[:, 1], "-o", color=PATH, markersize=2.5, linewidth=1.3)
    ax.plot(*path[engine._done()], "o", color=PATH, markersize=6)
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    reach = float(made.plane.u[-1])
    for region in made.regions[:4]:
        at = [0.92 * max(-reach, min(reach, eps * place)) for place in region["at"]]
        box = {"facecolor": "#FBFBF9", "edgecolor": "none", "pad": 1.0, "alpha": 0.8}
        ax.text(*at, region["name"], ha="center", va="center", fontsize=8.5, weight="bold", bbox=box)
    ax.set(title="Slice: loss and answers", xlabel="Steepest direction", ylabel="A random one")
    ax.tick_params(labelsize=8)
    ax.xaxis.label.set_size(9)
    ax.yaxis.label.set_size(9)


def _alt(header: dict) -> str:
    parts = [
        f"A row for each of {len(header['models'])} networks: the picture as it is now, the perturbation on a scale of "
        f"{number(header['reach']['delta'])} up, orange, and down, blue, a bar for each class, and a slice through the "
        "space of pictures with the ball (dashed), the box (dotted), the border of the answer (black) and the path."
    ]
    for model in header["models"]:
        says = model["says"]
        answer = "no number" if says["name"] is None else f"{says['name']} with {percent(says['probability'])}"
        parts.append(f"{model['name']}: {answer}, {model['verdict']}.")
    return " ".join(parts)
