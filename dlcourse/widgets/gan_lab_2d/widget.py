"""The lab in a notebook."""

from collections.abc import Iterable
from pathlib import Path

import traitlets

from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.gan_lab_2d.engine import GANLab2DEngine
from dlcourse.widgets.gan_lab_2d.picture import picture
from dlcourse.widgets.runs.base import RunWidget

HERE = Path(__file__).parent


class GANLab2D(RunWidget):
    """A generator and a discriminator play on points of the plane: move either, choose the rules, go back in time.

    Parameters, each also an attribute that a cell may set while they play: data, noise, loss, penalty, strength,
    d_steps, d_lr, g_lr, beta1, batch_size, latent, width, seed (`GANLab2DEngine.params` has the ranges).
    points: a target drawn in advance, [[x, y], ...] between -3 and 3. Or your own: X, real points (n, 2), and g_model,
    d_model, networks from (n, latent) to (n, 2) and from (n, 2) to logits (n,), trained in place.
    hide: controls, buttons and parts that are not shown: any parameter, "play", "step", "back", "reset", "scrub",
    "speed", "code", "share", "moves", "draw", "layers", "losses", "logits", "cover", "presets", "fork", "predict".

        lab = GANLab2D(data="ring", penalty="none")
        lab                  # shows it
        lab.penalty = "R1"   # the control moves
        lab.step(100)        # updates, of whichever network is due
        lab.step_d()         # one of the discriminator
        print(lab.to_code())
    """

    engine_class = GANLab2DEngine
    picture = staticmethod(picture)
    title = "GAN lab"
    would_lose = "this lab holds networks or points"
    parts = ("moves", "draw", "layers", "losses", "logits", "cover", "presets", "fork", "predict")
    speed = traitlets.Int(25, min=1, max=1000).tag(sync=True)  # updates per frame, at most; a game has thousands
    _esm, _css = bundle(HERE / "gan_lab_2d.js"), styles(HERE / "gan_lab_2d.css")

    def step_d(self) -> None:
        """One update of the discriminator, whoever's turn it is."""
        self._change(self.engine.step_d)

    def step_g(self) -> None:
        """One update of the generator, whoever's turn it is."""
        self._change(self.engine.step_g)

    def add_points(self, points: Iterable) -> None:
        """[[x, y], ...] more places of a drawn target; beside another target, a new game about them."""
        self._change(lambda: self.engine.add_points([list(point) for point in points]))

    def preset(self, game: str) -> None:
        """A game to watch: "healthy", or one that goes wrong: "collapse", "oscillation", "d_wins"."""
        self._change(lambda: self.engine.preset(game))

    def recover(self) -> None:
        """Set what mends the preset's game, as it runs."""
        self._change(self.engine.recover)
