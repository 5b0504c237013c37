"""Errors of a model or a loss that say what they were given."""

from dlcourse.types import Tensor


class Telling:
    """Adds to an error of the model or the loss what they were given: most such errors are wrong shapes or types."""

    def __init__(self, what: str, x: Tensor, y: Tensor):
        self.what, self.given = what, (x, y)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, fault: BaseException | None, traceback: object) -> None:
        if isinstance(fault, Exception):
            x, y = (
                f"{tuple(t.shape)} of {t.dtype} on {t.device}" if isinstance(t, Tensor) else type(t).__name__
                for t in self.given
            )
            fault.add_note(
                f"The {self.what}: x {x}, y {y}. A loss gives one number. For cross-entropy y holds class numbers, "
                "integers of shape (batch,): y.long(). For a regression y has the shape of the model's output."
            )
