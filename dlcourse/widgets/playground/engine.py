"""The playground's engine: what may be set, what a learner may do, and what a view gets to see."""

from dlcourse.widgets.engine import Engine
from dlcourse.widgets.snapshot import Snapshot


class PlaygroundEngine(Engine):
    """Train a small network on points of the plane."""

    name = "playground"
    params = {}
    actions = frozenset(
        {
            *("back", "scrub", "add_points", "undo_points", "clear_points", "set_weight", "set_bias"),
            *("fork", "unfork", "ask", "guess", "forget", "to_code"),
        }
    )

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header (a number that is absent or not finite is None):
            run          {"step", "first", "last", "running"}: first is 0, last the furthest step reached
            say          "Step 120, train loss 0.31, test loss 0.35"
            notice       None, or one sentence: why the run does not go on
            extent       [left, right, bottom, top] of the field
            features     ids of the inputs in use, such as ["x1", "x2", "sin(x1)"]
            architecture [2, 4, 2, 1]: inputs, units of each hidden layer, output (own models: of each Linear)
            layers       one for each Linear, the output layer too: {"inputs": 2, "units": 4, "grad_norm": 0.12 or None,
                         "dead": 0 (None where it cannot be known), "dead_word": "dead" or "saturated"}
            maps         [2, 4, 2]: how many of `maps` belong to the inputs, then to each hidden layer, in order
            losses       {"train", "test", "train_accuracy", "test_accuracy"}; accuracies in [0, 1]
            points       {"train": 100, "test": 200, "drawn": 0}; the drawn ones are among the training points
            own          whether the model or the points are the learner's
            kept         None, or {"step", "train", "test", "settings"} of the run kept by `fork` (run A)
            prediction   None, or {"state": "asked" / "running" / "revealed", "asked_at", "steps", "target", "of": "test" /
                         "training", "options": [three texts], "guess": 0..2 or None, "answer": 0..2 or None,
                         "accuracy": float or None, "right": bool or None, "asked_count", "right_count"}

        arrays:
            field        uint8 (100, 100): probability of class 1, 0..254 for 0..1, row 0 at the bottom
            maps         uint8 (units, 25, 25): the inputs, then the hidden units layer by layer; 127 is zero, each
                         scaled by its own largest size
            weights      float32 (n,): for each layer the weight (out, in) row by row, then the bias (out); empty for an
                         own model of more than 512 numbers
            train_points float32 (n, 3): x1, x2, label; the drawn ones last (at most 700, the last ones)
            test_points  float32 (n, 3): the same (at most 200)
            curve        float32 (k, 3): step, train loss, test loss; up to the last step reached; NaN where absent
            kept_field, kept_curve: the same of the kept run; only there after `fork`

        From `ask` to the revealing step everything but run, say, notice and prediction is as it was at the asking step.
        While a question is "asked", the run waits for `guess` (or `forget`): running is False.
        """
        raise NotImplementedError
