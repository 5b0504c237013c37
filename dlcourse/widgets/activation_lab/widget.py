"""The activation lab in the notebook."""

from pathlib import Path

from dlcourse.widgets.activation_lab.engine import ActivationLabEngine
from dlcourse.widgets.activation_lab.picture import picture
from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles

HERE = Path(__file__).parent


class ActivationLab(BaseWidget):
    """Seven bends to look at: value, slope, where the slope is next to nothing, and what several in a row leave of it.

    `ActivationLab(activation="gelu", compare="relu")`: "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu".
    `x` is the movable input, from -6 to 6; where the slope is smaller in size than `threshold` the picture is shaded;
    `layers` is how often the bend is applied, one after another. All of them can be set from a cell too.
    `hide=("chain", "compare")` leaves out controls, or `parts` of the view.

    >>> lab = ActivationLab(activation="tanh", x=0.5)
    >>> round(lab.engine.slope, 4)
    0.7864
    """

    engine_class = ActivationLabEngine
    picture = staticmethod(picture)
    title = "Activation lab"
    parts = ("chain", "numbers")
    _esm, _css = bundle(HERE / "activation_lab.js"), styles(HERE / "activation_lab.css")
