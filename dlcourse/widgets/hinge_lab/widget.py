"""The hinge lab in the notebook."""

from pathlib import Path

from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.hinge_lab.engine import HingeLabEngine
from dlcourse.widgets.hinge_lab.picture import picture

HERE = Path(__file__).parent


class HingeLab(BaseWidget):
    """Put a curve together from hinges: by hand, by the best heights for their knots, or by descent.

    `HingeLab(target="sine")`: "bump", "steps", "sine", "absolute", "quadratic", or "drawn" with the pen.
    `HingeLab(weight=w, bias=b, out=a, offset=c)` begins with your own hinges a relu(w x + b), up to six, and the
    constant c; `HingeLab(drawn=values)` with your own target, 61 numbers from -2 to 4 for x from -3 to 3.
    `optimizer` ("sgd", "adam") and `lr` are for the descent. `target`, `optimizer` and `lr` can be set from a cell too.
    `hide=("fit", "lr")` leaves out controls, or `parts` of the view.

    >>> lab = HingeLab(weight=[1, -1], bias=[0, 0], out=[1, 1], target="absolute")
    >>> lab.engine.error, lab.engine.pieces
    (0.0, 2)
    """

    engine_class = HingeLabEngine
    picture = staticmethod(picture)
    title = "Hinge lab"
    parts = ("bends", "errors", "rows", "fit", "pen", "add", "formula")
    _esm, _css = bundle(HERE / "hinge_lab.js"), styles(HERE / "hinge_lab.css")
