"""The lab's engine: what may be set, what a learner may do, and what a view gets to see.

Some settings act at once, on the game as it goes: loss, penalty, rates, batch size, and how often D moves. The others
(target, noise, latent numbers, width, seed) begin a new game. Nothing here draws from torch's global random stream.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from dlcourse.widgets.gan_lab_2d import frame, words
from dlcourse.widgets.gan_lab_2d.code import program
from dlcourse.widgets.gan_lab_2d.own import Own
from dlcourse.widgets.gan_lab_2d.presets import PRESETS
from dlcourse.widgets.gan_lab_2d.question import Question
from dlcourse.widgets.gan_lab_2d.run import LIVE, LOSSES, PENALTIES, Run
from dlcourse.widgets.gan_lab_2d.share import replayed
from dlcourse.widgets.gan_lab_2d.target import DRAWN, PLACES, checked_points, own_target
from dlcourse.widgets.params import Choice, Number, Whole, whole
from dlcourse.widgets.runs.engine import RunEngine
from dlcourse.widgets.runs.strokes import Strokes, after
from dlcourse.widgets.snapshot import Snapshot

PARAMS = {
    "data": Choice(
        label="Target", default="eight_gaussians", options=(*PLACES, DRAWN), help="Where real points come from."
    ),
    "noise": Number(label="Noise", default=0.1, low=0.0, high=0.5, help="How far real points stray from their place."),
    "loss": Choice(label="Loss", default="non_saturating", options=tuple(LOSSES), help="What D and G want."),
    "penalty": Choice(
        label="Penalty",
        default="R1",
        options=tuple(PENALTIES),
        help="What D pays for steep slopes: at real points "
        "(R1), or where they differ from 1 between real and generated ones (gradient penalty).",
    ),
    "strength": Number(
        label="Strength", default=0.1, low=0.001, high=100.0, log=True, help="R1's gamma, or the penalty's weight."
    ),
    "d_steps": Whole(label="Updates of D per G", default=1, low=1, high=10, help="How often D moves, then G once."),
    "d_lr": Number(label="Rate of D", default=0.001, low=1e-5, high=0.1, log=True, help="Adam's learning rate for D."),
    "g_lr": Number(label="Rate of G", default=0.001, low=1e-5, high=0.1, log=True, help="Adam's learning rate for G."),
    "beta1": Number(label="Momentum", default=0.5, low=0.0, high=0.95, help="Adam's beta 1, for both."),
    "batch_size": Whole(label="Batch size", default=128, low=8, high=256, help="Points of either kind per update."),
    "latent": Whole(label="Latent numbers", default=2, low=1, high=8, help="How many random numbers G gets."),
    "width": Whole(label="Width", default=64, low=4, high=96, help="Units in each of three hidden layers of both."),
    "seed": Whole(label="Seed", default=0, low=0, high=9999, help="Other weights and draws for each seed."),
}


class GANLab2DEngine(RunEngine):
    """Play the adversarial game on points of the plane, move by move, and go back in time.

    values: parameters by name (see `params`), with the meanings of their `help`.
    points: [[x, y], ...], a target drawn in advance (then data is "drawn").
    g_model, d_model: your own networks, from latent vectors (n, latent) to points (n, 2), and from these to logits
    (n,). They are trained in place. X: your own real points, (n, 2). Raises ValueError for what does not fit.

    >>> lab = GANLab2DEngine(width=16, d_steps=2)
    >>> lab.step(3)  # a round: D, D, G
    >>> lab.back()
    >>> lab.run.counts, lab.run.due
    ((2, 0), 'G')
    """

    name = "gan-lab"
    params: ClassVar = PARAMS
    actions = RunEngine.actions | {"step_d", "step_g", "round", "preset", "recover"}
    replayed = staticmethod(replayed)
    cannot_share = "networks or data"
    catch_up: ClassVar = 2

    def __init__(
        self,
        *,
        points: Any = None,
        g_model: torch.nn.Module | None = None,
        d_model: torch.nn.Module | None = None,
        X: Any = None,  # noqa: N803 (the name that everybody uses)
        **values: Any,
    ) -> None:
        if points is not None and X is not None:
            raise ValueError("give either points, a drawn target, or X, your own data, not both.")
        if points is not None and values.setdefault("data", DRAWN) != DRAWN:
            raise ValueError(f"points are for data='drawn', and data={values['data']!r} came.")
        drawn = () if points is None else after((), ("points", checked_points(points)))
        super().__init__(**values)
        self.own = Own.checked(g_model, d_model, X, self.values["latent"])
        if X is not None and "data" in values:
            self.own.refuse(frozenset({"data"}))
        self.chosen: str | None = None  # the preset
        self._begin(drawn)

    # The game, move by move. A step is an update of the network whose turn it is.

    def step_d(self) -> None:
        """One update of D, whoever's turn it is."""
        self._move("D")

    def step_g(self) -> None:
        """One update of G, whoever's turn it is."""
        self._move("G")

    def round(self) -> None:
        """On to the end of the round: the updates of D that are left, and then one of G."""
        for _ in range(self.values["d_steps"] + 1):
            turn = self.run.due
            self.step()
            if turn == "G" or not self.running or self.pauses:
                return

    # What the learner changes.

    def changed(self, names: frozenset[str]) -> None:
        self.own.refuse(names - {"data"} if self.own.points is None else names)
        if names <= LIVE:
            self._change("set", {name: self.values[name] for name in self.params if name in names})
            return
        self.chosen = None
        self._begin(self.run.drawn if self.values["data"] == DRAWN else ())

    def add_points(self, points: list) -> None:
        """[[x, y], ...] more places of a drawn target, inside the picture. Beside another target they begin a new game
        about themselves. Raises ValueError beyond 500 in all, and beside your own points."""
        self.own.refuse(frozenset({"data"}) & self.own.fixed.keys())
        fresh = checked_points(points, self.run.target.extent)
        if self.values["data"] == DRAWN:
            after(self.run.drawn, ("points", fresh))
            self._change("points", [list(point) for point in fresh])
            return
        self.values, self.chosen = self.values | {"data": DRAWN}, None
        self._begin(after((), ("points", fresh)))

    def preset(self, game: str) -> None:
        """A game that goes wrong (or well), from its beginning; all settings are the preset's."""
        if game not in PRESETS:
            raise ValueError(f"there is no preset {game!r}; there are {', '.join(PRESETS)}.")
        fresh = {key: param.default for key, param in self.params.items() if key not in self.own.fixed}
        self.values = (
            self.values
            | fresh
            | self._checked({key: value for key, value in PRESETS[game].settings.items() if key not in self.own.fixed})
        )
        self._begin(())
        self.chosen = game

    def recover(self) -> None:
        """Set what mends the preset's game, as it runs."""
        if self.chosen is None:
            raise ValueError("there is nothing to recover from: choose a preset first.")
        if PRESETS[self.chosen].remedy:
            self.set(**PRESETS[self.chosen].remedy)

    # Predict before you see.

    def ask(self, steps: int = 500) -> None:
        """Begin a question: how much of the target will be reached `steps` updates from here? Until it is answered, the
        snapshot shows the present step only. A change of any kind, or going back, drops the question."""
        steps = whole("steps", steps, 1, 5000)
        self.forget()
        if not self.run.running:
            raise ValueError("the game does not go on from here, so there is nothing to predict.")
        modes = len(self.run.target.places) if self.run.target.modes else 0
        self.question = Question(asked_at=self.run.at, steps=steps, modes=modes, frozen=self._frozen())

    # What is seen and said.

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header (a number that is absent or not finite is None):
            run          {"step", "first", "last", "running"}: first is 0, last the furthest step reached
            say          one line; notice: None, or why the game does not go on
            health       sentences about what goes wrong, with their numbers; empty while nothing does
            extent       [left, right, bottom, top] of the picture; radius: how near counts as on the data
            due          "D" or "G", whose turn it is; last_move: whose the last one was, or None
            placed       updates of D in this round so far; counts {"D", "G"}: in all
            measured     {"d_loss", "g_loss", "real_logit", "fake_logit", "push", "right", "reached", "quality",
                         "mean_x", "mean_y"}: see `history.Measured`
            modes        how many the target has, 0 for a curve; covers: points near, from which on one is covered
            drawn, latent, own, own_points (both: whether something is the learner's)
            presets      [{"id", "name"}, ...]; preset: None or {"id", "name", "look", "steps", "why", "recovered"}
            kept         None, or {"step", "settings", "measured", "cover"} of the run kept by `fork` (run A)
            prediction   None, or {"state": "asked" / "running" / "revealed", "asked_at", "steps", "target", "text",
                         "options", "guess", "answer", "answered_at", "right", "found", "asked_count", "right_count"}

        arrays, float32 but for the field:
            field        uint8 (40, 40): what D says of each place, 0 generated to 254 real, 127 its border
            real (300, 2), fake (400, 2); drawn (n, 2): places that were drawn
            manifold     (21, 21, 2): the image of a latent grid; with one latent number (1, 61, 2)
            arrows       (48, 4): from a generated point to where D pushes it
            modes        (n, 3): x, y and the number of generated points near
            curve        (k, 11): step, then the columns of `measured`; NaN where absent
            kept_fake, kept_real, kept_curve: the same of the kept run; only there after `fork`

        From `ask` to the revealing step everything but run, say, notice and prediction is as it was at the asking step.
        """
        if self._secret:
            return self._veiled(words.notice(self.run))
        measured = self.run.measured()
        self.run.note_tip(measured)
        header = frame.header(self.run, measured) | {
            "run": self._where(),
            "own": bool(self.own),
            "own_points": self.own.points is not None,
            "presets": [{"id": name, "name": preset.name} for name, preset in PRESETS.items()],
            "preset": self._preset(),
            "kept": None,
            "prediction": self._prediction(),
        }
        arrays = frame.arrays(self.run)
        if self.kept is not None:
            header["kept"], theirs = frame.kept(self.kept)
            arrays |= theirs
        return Snapshot(header, arrays)

    def describe(self) -> str:
        return words.describe(self.run, self.run.measured(), self.kept, self.question)

    def to_code(self) -> str:
        """A torch program that plays this game, changes by hand included, and prints the same losses."""
        return program(self.run)

    # To share a game.

    def state(self) -> dict[str, Any]:
        return super().state() | {"preset": self.chosen}

    def restore(self, state: Mapping[str, Any]) -> None:
        chosen = state.get("preset")
        if chosen is not None and chosen not in PRESETS:
            raise ValueError("this share string is damaged (its preset is not known).")
        super().restore(state)
        self.chosen = chosen

    # Inside.

    def _begin(self, drawn: Strokes) -> None:
        own = self.own
        points = None if own.points is None else own_target(own.points, self.values["noise"])
        self.run = Run(self.values, drawn, own_target=points, own=own.models, initial=own.initial)
        self.forget()

    def _move(self, kind: str) -> None:
        if self.running:
            self.run.move(kind)
            self._arrived()

    def _preset(self) -> dict[str, Any] | None:
        if self.chosen is None:
            return None
        preset = PRESETS[self.chosen]
        mended = bool(preset.remedy) and all(self.values[name] == value for name, value in preset.remedy.items())
        return {
            "id": self.chosen,
            "name": preset.name,
            "look": preset.look,
            "steps": preset.steps,
            "why": preset.why,
            "remedy": bool(preset.remedy),
            "recovered": mended,
        }
