"""What happens in the network and why, in sentences: for the eyes that read, and for the ears that listen.

`engine` is an `InitDepthLabEngine`. Every number is measured or computed from the settings; "predicted" is `theory`'s.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from dlcourse.types import Tensor
from dlcourse.widgets.init_depth_lab.network import WIDTH, variance
from dlcourse.widgets.init_depth_lab.probe import Watched
from dlcourse.widgets.init_depth_lab.question import OPTIONS
from dlcourse.widgets.init_depth_lab.run import MOST

ACTIVATIONS = {"relu": "ReLU", "tanh": "tanh", "sigmoid": "sigmoid", "linear": "no activation"}
INITS = {
    "zeros": "weights of 0",
    "constant": "equal weights",
    "small_normal": "normal weights of 0.01",
    "large_normal": "normal weights of 1",
    "xavier": "Xavier's weights",
    "he": "He's weights",
    "orthogonal": "orthogonal weights",
}
NORMS = {"none": "no normalisation", "batch": "batch norm", "layer": "layer norm"}
SILENT = {"relu": "dead units", "tanh": "saturated outputs", "sigmoid": "saturated outputs"}


def number(value: float | None) -> str:
    """Three digits that count.

    >>> number(0.5), number(7076.3), number(2.2e-9), number(1e37)
    ('0.5', '7076', '2.2e-9', '1e37')
    """
    if 1000 <= abs(value) < 1e5:
        return f"{value:.0f}"
    return re.sub(r"e([-+])0*", lambda found: "e" + found[1].strip("+"), f"{value:.3g}")


def found(value: float | None) -> str:
    """What was measured, if anything could be."""
    return "nothing, for all is 0 or too large" if value is None else number(value)


def silent(layers: Sequence[Watched]) -> str | None:
    """What `Measured.silent` counts in these layers."""
    kinds = {SILENT[layer.kind] for layer in layers if layer.kind in SILENT}
    return "dead or saturated" if len(kinds) > 1 else next(iter(kinds), None)


def say(engine: Any) -> str:
    """One line: for a screen reader, and over a picture."""
    if engine.hidden:
        return f"A question is open. {engine.question.text(engine.depth)}"
    activations, gradient = _courses(engine)
    return (
        f"Step {engine.run.at}, loss {_finite(engine.measured.loss)}. Activations {activations}; gradient {gradient}."
    )


def notice(engine: Any) -> str | None:
    """Why no step can be taken."""
    run = engine.run
    if run.finite:
        return f"A run ends after {MOST} steps." if run.at == MOST else None
    if run.at == 0:
        return (
            "The loss or its gradient is not a finite number in float32, so no step can be taken from here. Try "
            "smaller weights, fewer layers or a normalisation."
        )
    return f"At step {run.at} the loss or its gradient stopped being finite. Go back, and lower the learning rate."


def describe(engine: Any) -> str:
    start = [_network(engine), _when(engine)]
    if engine.hidden:
        options = ", ".join(OPTIONS[:-1]) + f" or {OPTIONS[-1]}"
        return " ".join([*start, f"A question is open: {engine.question.text(engine.depth)} {options}? Guess first."])
    return " ".join(part for part in [*start, *explanation(engine), notice(engine), _verdict(engine)] if part)


def explanation(engine: Any) -> list[str]:
    """What is measured, and why it is so."""
    parts = [_sizes(engine), _forward(engine), _backward(engine), _alike(engine), _silent(engine), _loss(engine)]
    return [part for part in parts if part]


def _network(engine: Any) -> str:
    values, depth = engine.values, engine.depth
    batch = f"{len(engine.own.batch.y)} {'examples of yours' if engine.own.has_data else 'digits'}"
    if engine.own.model is not None:
        return f"Your own network, {_layers(depth)}, on {batch}."
    gain = "" if values["gain"] == 1 else f" times {number(values['gain'])}"
    return (
        f"{_layers(depth)} of {WIDTH} units, {ACTIVATIONS[values['activation']]}, {INITS[values['init']]}{gain}, "
        f"{NORMS[values['norm']]}, on {batch}."
    )


def _layers(count: int) -> str:
    return "1 hidden layer" if count == 1 else f"{count} hidden layers"


def _when(engine: Any) -> str:
    at = engine.run.at
    return "Before training." if at == 0 else f"After {at} step{'s' * (at > 1)} of gradient descent."


def _courses(engine: Any) -> tuple[str, str]:
    """The standard deviations of the activations on their way up, and of the gradient on its way down."""
    measured, depth = engine.measured, engine.depth
    return (
        _course(measured.std, measured.mean_square, range(1, depth + 1), "up"),
        _course(measured.grad_std.flip(0), measured.grad_mean_square.flip(0), range(depth, 0, -1), "down"),
    )


def _sizes(engine: Any) -> str:
    activations, gradient = _courses(engine)
    return f"Standard deviation of the activations: {activations}; of the gradient that arrives at them: {gradient}."


def _course(std: Tensor, square: Tensor, layers: range, way: str) -> str:
    """From the first to the last of `layers`, and where float32 ends on the way."""
    sizes = std.tolist()
    if math.isnan(sizes[0]):
        return "not a finite number"
    first = f"{number(sizes[0])} in layer {layers[0]}"
    if len(sizes) == 1:
        return first
    for size, power, layer in zip(sizes, square.tolist(), layers, strict=True):
        if math.isnan(size):
            return f"{first}, too large for float32 from layer {layer} {way}"
        if power == 0:
            return "0 in every layer" if layer == layers[0] else f"{first}, exactly 0 from layer {layer} {way}"
    return f"{first}, {number(sizes[-1])} in layer {layers[-1]}"


def _forward(engine: Any) -> str:
    """Why the activations are as large as they are at the start, where theory holds; and what is measured."""
    values = engine.values
    if engine.own.model is not None:
        return _own_factors(engine)
    if values["init"] in ("zeros", "constant"):
        return {"zeros": _zeros, "constant": _constant}[values["init"]](values)
    return _through_bends(engine) if values["norm"] == "none" else _through_norms(engine)


def _own_factors(engine: Any) -> str:
    return (
        f"A layer multiplies the mean square of the activations by {found(engine.factor)} on average, and that of the "
        f"gradient on its way back by {found(engine.grad_factor)}."
        if engine.grad_factor is not None and engine.factor is not None
        else ""
    )


def _zeros(values: Any) -> str:
    if values["activation"] == "sigmoid":
        return (
            "All weights are 0, so every unit is a sigmoid of 0, which is a half, for every example, and no gradient "
            "passes a weight of 0. All units of a layer begin equal, and every step changes them equally."
        )
    return (
        "All weights are 0, so every hidden unit is 0 for every example, and no gradient passes a weight of 0: only "
        "the biases of the last layer can ever learn."
    )


def _constant(values: Any) -> str:
    if values["norm"] == "layer":
        same = "Layer norm takes away what all units share, and leaves nothing but rounding."
    else:
        same = "A layer does no more than one unit could."
    return (
        "All weights of a layer are equal, so all its units compute the same number, get the same gradient, and change "
        f"equally at every step. {same} At the start all logits are equal too; then the gradients of the logits "
        "cancel, and what arrives below is 0 but for rounding."
    )


def _through_bends(engine: Any) -> str:
    weight, depth, activation = variance(engine.values, WIDTH, WIDTH), engine.depth, engine.values["activation"]
    now = "" if engine.run.at == 0 else " now"
    predicted, measured = engine.predicted_factor, f"easured{now}: {found(engine.factor)}"
    product = f"fan_in * variance = {WIDTH} * {weight:.6g} = {number(WIDTH * weight)}"
    left = f"{number(predicted**depth)} after {_layers(depth)}"
    if activation == "relu":
        product = f"fan_in * variance / 2 = {WIDTH} * {weight:.6g} / 2 = {number(WIDTH * weight / 2)}"
        return f"A ReLU passes on half of the mean square: {product} a layer, {left}. M{measured} a layer."
    if activation == "linear":
        return f"The mean square is multiplied by {product} a layer, {left}. M{measured} a layer."
    theory = f"Predicted for very wide layers at the start: {number(predicted)} a layer; m{measured}."
    if activation == "tanh":
        return f"The mean square is multiplied by {product}, and tanh makes large numbers smaller. {theory}"
    return (
        "A sigmoid turns small inputs into about a half, whatever they are: the mean square stays, but it is mostly "
        f"that half. {theory}"
    )


def _through_norms(engine: Any) -> str:
    over = {
        "batch": "Batch norm gives every unit mean 0 and variance 1 over the batch",
        "layer": "Layer norm gives the units of every example mean 0 and variance 1",
    }
    return (
        f"{over[engine.values['norm']]} just before its activation, so the size of the initial weights hardly matters. "
        f"Mean square of the last layer at the start: predicted {number(engine.theory.mean_square[-1].item())}."
    )


def _backward(engine: Any) -> str:
    """The same of the gradients."""
    values = engine.values
    if engine.depth < 2 or engine.theory is None or values["init"] == "zeros":
        return ""
    slope = {
        "relu": "a slope that is 0 or 1, half of the time each",
        "linear": "a slope of 1",
        "tanh": "the slope of tanh, at most 1",
        "sigmoid": "the slope of the sigmoid, at most 1/4",
    }[values["activation"]]
    norm = "" if values["norm"] == "none" else f", and is divided by what {NORMS[values['norm']]} divided the signal by"
    predicted = f"predicted {number(engine.predicted_grad_factor)} a layer"
    limit = ""
    if values["activation"] == "relu" and values["norm"] == "batch":
        limit = " (deep down π / (π - 1) = 1.47)"
    return (
        f"On the way back the gradient passes the same weights and {slope}{norm}. Its mean square: {predicted}{limit}, "
        f"measured{'' if engine.run.at == 0 else ' now'} {found(engine.grad_factor)}."
    )


def _alike(engine: Any) -> str:
    """Whether the last layer can still tell the examples apart."""
    between, std = engine.measured.between[-1].item(), engine.measured.std[-1].item()
    if not std > 0 or not between < 0.1 * std:
        return ""
    return (
        f"In layer {engine.depth} a unit's standard deviation between examples is {number(between)} only: whatever "
        "comes in, the layer says nearly the same."
    )


def _silent(engine: Any) -> str:
    word, shares = silent(engine.run.layers), engine.measured.silent.tolist()
    shares = [(share, layer) for layer, share in enumerate(shares, start=1) if share == share]
    if word is None or not shares:
        return ""
    most, layer = max(shares, key=lambda each: each[0])
    means = {
        "dead units": "Dead units (0 for every example)",
        "saturated outputs": "Saturated outputs (at 0.99 of the range or beyond)",
    }.get(word, "Dead units or saturated outputs")
    if most == 0:
        return f"{means}: none."
    average = sum(share for share, _ in shares) / len(shares)
    return f"{means}: {_percent(average)} on average, most in layer {layer}, {_percent(most)}."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.005 else "less than 1 %"


def _loss(engine: Any) -> str:
    classes = engine.own.batch.classes
    equal, start = math.log(classes), engine.run.losses[0]
    text = f"Loss at the start: {_finite(start)}; equal probabilities cost log {classes} = {equal:.4g}."
    if math.isfinite(start) and start > 1.5 * equal:
        text += " The network begins sure of itself, and wrong."
    if engine.run.at > 0:
        share = _percent(engine.measured.accuracy)
        text += f" Now it is {_finite(engine.measured.loss)}, and {share} of the batch are right."
    return text


def _finite(loss: float) -> str:
    return f"{loss:.4g}" if math.isfinite(loss) else "not a finite number"


def _verdict(engine: Any) -> str:
    question = engine.question
    if question is None:
        return ""
    if question.answer is None:
        return "The question has no answer here: there is nothing to compare with."
    verdict = "and so was guessed" if question.right else f"guessed was {OPTIONS[question.guess]}"
    return f"The answer to the question: {OPTIONS[question.answer]}, {verdict}."
