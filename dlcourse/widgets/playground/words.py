"""The present state in words: for the eyes that read, and for the ears that listen."""

from collections.abc import Sequence
from itertools import pairwise

from dlcourse.widgets.playground.history import Measured
from dlcourse.widgets.playground.network import linears
from dlcourse.widgets.playground.question import OPTIONS, Question
from dlcourse.widgets.playground.run import Run

NAMES = {
    **{"sgd": "SGD", "momentum": "SGD with momentum", "rmsprop": "RMSprop", "adam": "Adam"},
    **{"relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU", "gelu": "GELU", "silu": "SiLU"},
    **{"linear": "no activation", "l1": "L1", "l2": "L2", "xor": "exclusive or"},
}


def named(option: str) -> str:
    """An option as people write it."""
    return NAMES.get(option, option)


def number(value: float | None) -> str:
    """Two significant places or so: 0.31, 1.2e+05; "not a number" for None."""
    if value is None:
        return "not a number"
    return f"{value:.2f}" if 0.1 <= abs(value) < 1000 or value == 0 else f"{value:.2g}"


def losses(measured: Measured, points: int, test_points: int) -> str:
    """ "train loss 0.31, test loss 0.35", as far as there are points."""
    parts = [f"train loss {number(measured.train)}"] if points else []
    return ", ".join([*parts, f"test loss {number(measured.test)}"] if test_points else parts) or "no points"


def say(run: Run, measured: Measured) -> str:
    return f"Step {run.at}, {losses(measured, len(run.y), len(run.problem.test_y))}"


def notice(run: Run, *, told: bool = True) -> str | None:
    """Why the run does not go on, or goes on in vain. told: what the units do may be said (`run.measured()` before)."""
    if run.diverged is not None:
        records = [record for record in run.history.records.values() if record.measured.train is not None]
        still = max((it.step for it in records if it.measured.train <= records[0].measured.train), default=0)
        return (
            f"At step {run.diverged} the loss or a weight stopped being a finite number. Go back to step {still}, from "
            "where on the loss only grew, and lower the learning rate; or reset."
        )
    for number, (count, word) in enumerate(idle(run) if told and run.at > 0 else [], start=1):
        if word == "dead" and count == run.hidden[number - 1][0].shape[1]:
            return (
                f"All {count} units of hidden layer {number} are dead: their slope is 0 at every training point, so no "
                "gradient gets past them. Go back and lower the learning rate, or reset."
            )
    return None if len(run.y) else "There is no training point yet: draw some in the field, or choose a data set."


def settings(run: Run) -> str:
    """How a run trains, in a few words: "tanh, SGD 0.03, batch 16, L2 0.001"."""
    values = run.values
    parts = [] if run.own else [named(values["activation"])]
    parts.append(f"{'own optimiser' if run.own_optimizer else named(values['optimizer'])} {values['lr']:g}")
    parts.append(f"batch {values['batch_size']}")
    if values["regularisation"] != "none":
        parts.append(f"{named(values['regularisation'])} {values['strength']:g}")
    return ", ".join(parts)


def describe(run: Run, measured: Measured, kept: Run | None, question: Question | None, own_points: bool) -> str:
    sentences = [_points(run, own_points), _network(run)]
    if question is not None and question.state != "revealed":
        then = "Guess first." if question.guess is None else f"The answer comes at step {question.target}."
        return " ".join([*sentences, f"A question is open: {question.text} {then}"])
    sentences += [_results(run, measured), _norms(run.norms), _idle(run), notice(run) or ""]
    if kept is not None:
        theirs = losses(kept.measured(), len(kept.y), len(kept.problem.test_y))
        sentences.append(f"Beside it, run A ({settings(kept)}) is at step {kept.at}: {theirs}.")
    if question is not None:
        verdict = "and so was guessed" if question.right else f"guessed was {OPTIONS[question.guess]}"
        known = question.answered_at == question.target and question.answer is not None
        ended = f"The run ended at step {question.answered_at}, before the question's step {question.target}."
        sentences.append(f"The answer to the question: {OPTIONS[question.answer]}, {verdict}." if known else ended)
    return " ".join(sentence for sentence in sentences if sentence)


def _points(run: Run, own: bool) -> str:
    drawn = sum(map(len, run.drawn))
    what = "your own points" if own else "drawn points" if run.values["data"] == "drawn" else named(run.values["data"])
    facts = [f"{len(run.y)} training points"]
    if not own and run.values["data"] != "drawn":
        facts.append(f"noise {run.values['noise']:g}")
        facts += [f"{drawn} of them drawn"] if drawn else []
    return f"Step {run.at} of a run on {what} ({', '.join(facts)})."


def _network(run: Run) -> str:
    what = "Your own network" if run.own else f"Network {'-'.join(map(str, architecture(run)))}"
    seen = run.values["features"]
    inputs = "" if run.own or seen == ("x1", "x2") else f" on {', '.join(seen)}"
    bend = "" if run.own else f" with {named(run.values['activation'])}"
    optimizer = "your own optimiser" if run.own_optimizer else named(run.values["optimizer"])
    regular = run.values["regularisation"]
    extra = f", {named(regular)} penalty {run.values['strength']:g}" if regular != "none" else ""
    return f"{what}{inputs}{bend}, {optimizer} at {run.values['lr']:g}, batches of {run.values['batch_size']}{extra}."


def _results(run: Run, measured: Measured) -> str:
    parts = []
    for name, points, loss in (("train", run.y, measured.train), ("test", run.problem.test_y, measured.test)):
        parts += [f"{name} loss {number(loss)}"] if len(points) else []
    if not parts:
        return ""
    shares = (("training", measured.train_accuracy), ("test", measured.test_accuracy))
    right = [f"{share:.0%} of the {name} points".replace("%", " %") for name, share in shares if share is not None]
    return f"{' and '.join(parts).capitalize()}; {' and '.join(right)} are right."


def _norms(norms: Sequence[float] | None) -> str:
    return f"Gradient norms by layer: {', '.join(map(number, norms))}." if norms else ""


def _idle(run: Run) -> str:
    counts = idle(run)
    if not counts:
        return ""
    parts = [f"{n} {word} in hidden layer {i}" for i, (n, word) in enumerate(counts, start=1) if n]
    return f"Units: {', '.join(parts)}." if parts else f"No {counts[0][1]} unit."


def idle(run: Run) -> list[tuple[int, str]]:
    """For each hidden layer how many units no longer react, and the word for it. Needs `run.measured()` before."""
    return [run.idle(layer) for layer in range(len(run.hidden))]


def architecture(run: Run) -> list[int]:
    """[2, 4, 2, 1]: inputs, units of each layer. Empty where the layers are not known to follow one another."""
    layers = linears(run.model)
    if len(layers) != len(run.hidden) + 1 or any(a.out_features != b.in_features for a, b in pairwise(layers)):
        return []
    return [layers[0].in_features, *(layer.out_features for layer in layers)]
