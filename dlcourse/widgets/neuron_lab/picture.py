"""The neuron lab as a still picture: what a page without a kernel shows, and the figure beside the live one."""

from dlcourse import plot
from dlcourse.nn import sigmoid
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import INK
from dlcourse.widgets.neuron_lab.engine import NeuronLabEngine, added, number

LONGEST_ARROW = 0.42  # of the map's width; a weight of 1 takes a tenth


def picture(engine: NeuronLabEngine) -> Picture:
    """The map, the line, the weights as an arrow, the points with the wrong ones ringed; below, the same in words."""
    fig, ax = plot.figure(width=5.6, height=5.0)
    places = plot.grid(engine.extent)
    score = places @ engine.weight + engine.bias
    if engine.values["output"] == "sigmoid":
        plot.field(ax, sigmoid(score), engine.extent, level=0.5, vmin=0, vmax=1, label="probability of yes")
    else:
        plot.field(ax, score.sign(), engine.extent, level=None, vmin=-1.6, vmax=1.6)
    ax.set(xlim=engine.extent[:2], ylim=engine.extent[2:], aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    if engine.weight.any():
        plot.line(ax, engine.weight, engine.bias)
        foot, tip = arrow(engine)
        ax.annotate("", xy=tip, xytext=foot, arrowprops={"arrowstyle": "-|>", "lw": 2.4, "color": INK}, zorder=4)
    plot.points(ax, engine.x, engine.y, names=("no", "yes"))
    rings = engine.x[engine.wrong].numpy()
    ax.scatter(rings[:, 0], rings[:, 1], s=190, facecolors="none", edgecolors=INK, linewidths=1.6, zorder=5)
    ax.set_title(f"{engine.errors} of {len(engine.x)} wrong, mean loss {number(engine.loss)}")
    w1, w2, b = (*engine.weight.tolist(), engine.bias.item())
    alt = (
        f"A map of one neuron over two inputs, blue where it says no and orange where it says yes, with "
        f"{len(engine.x)} points. Its boundary is the line {_equation(w1, w2, b)} = 0, with an arrow of the weights "
        f"({number(w1)}, {number(w2)}) towards the yes side. {engine.errors} of the points are wrong, and ringed."
    )
    if not engine.weight.any():
        alt = (
            f"A map of one neuron over two inputs with {len(engine.x)} points. Both weights are zero, so the map has "
            f"one colour and there is no line. {engine.errors} of the points are wrong, and ringed."
        )
    return render(fig, alt=alt, caption=engine.describe())


def arrow(engine: NeuronLabEngine) -> tuple[list[float], list[float]]:
    """Where the arrow of the weights begins and ends: on the line, where it is nearest to the middle of the map."""
    left, right, bottom, top = engine.extent
    middle, width = engine.weight.new_tensor([(left + right) / 2, (bottom + top) / 2]), right - left
    size = engine.weight.norm()
    foot = middle - (middle @ engine.weight + engine.bias) * engine.weight / size**2
    length = min(size.item() / 10, LONGEST_ARROW) * width
    return foot.tolist(), (foot + length * engine.weight / size).tolist()


def _equation(w1: float, w2: float, b: float) -> str:
    first, *rest = added([w1, w2, b]).split(" ")
    return f"{first} x1 {rest[0]} {rest[1]} x2 {rest[2]} {rest[3]}"
