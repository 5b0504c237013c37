"""Broken versions of the reference implementations, by hand and by machine.

`NAMED`: faults that people make, each with its name. `broken_versions`: one small change somewhere in a file, all of
them in turn (another operator, comparison, sign, constant or condition).
"""

import ast
import copy
import math
import types
from collections.abc import Iterator
from pathlib import Path

import torch

from dlcourse import models, nn


def perceptron_like(*, mistake=lambda margin: margin <= 0, move=1.0, bias_move=1.0, stop=True):
    """The perceptron's steps with one part changed."""

    def steps(x, labels, *, epochs):
        weight, bias = x.new_zeros(x.shape[1]), x.new_zeros(())
        for epoch in range(epochs):
            clean = True
            for i, (example, label) in enumerate(zip(x, labels.to(x.dtype), strict=True)):
                wrong = bool(mistake(label * (example @ weight + bias)))
                if wrong:
                    weight, bias, clean = weight + move * label * example, bias + bias_move * label, False
                yield models.PerceptronStep(epoch * len(x) + i, epoch, i, wrong, weight, bias)
            if clean and stop:
                return

    return steps


def logistic_like(*, slope=None, bias_slope=None):
    """The logistic neuron's steps with one slope changed."""

    def steps(x, labels, *, lr, steps):
        y = labels.to(x.dtype)
        weight, bias = x.new_zeros(x.shape[1]), x.new_zeros(())
        for index in range(steps + 1):
            z = x @ weight + bias
            yield models.LogisticStep(index, nn.binary_cross_entropy_with_logits(z, y).item(), weight, bias)
            error = nn.sigmoid(z) - y
            step = slope(x, error, z) if slope else x.T @ error / len(x)
            bias_step = bias_slope(error) if bias_slope else error.mean()
            weight, bias = weight - lr * step, bias - lr * bias_step

    return steps


def mean_of_picked(score):
    """A cross-entropy from a function that gives log probabilities."""
    return lambda logits, labels: -score(logits).gather(1, labels.long()[:, None]).mean()


# (what must reject it, the fault, the broken function)
NAMED = [
    ("nn.sigmoid", "overflows far below 0", nn.sigmoid_definition),
    (
        "nn.sigmoid",
        "slope 0 at 0, from abs",
        lambda x: torch.where(x >= 0, 1.0, torch.exp(-x.abs())) / (1 + torch.exp(-x.abs())),
    ),
    (
        "nn.sigmoid",
        "where leaks a slope that is no number",
        lambda x: torch.where(x >= 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x))),
    ),
    ("nn.sigmoid", "clipped, so the slope dies too early", lambda x: 1 / (1 + torch.exp(-x.clamp(-15, 15)))),
    ("nn.sigmoid", "always float32", lambda x: torch.sigmoid(x.float())),
    ("nn.sigmoid", "changes its argument", lambda x: torch.sigmoid(x.detach().mul_(2)) if x.requires_grad else x),
    ("nn.sigmoid", "flattens", lambda x: torch.sigmoid(x).flatten()),
    ("nn.log_sigmoid", "log of the sigmoid", lambda x: torch.log(nn.sigmoid(x))),
    (
        "nn.log_sigmoid",
        "slope 1 or 0 at 0, from clamp and abs",
        lambda x: x.clamp(max=0) - torch.log1p(torch.exp(-x.abs())),
    ),
    ("nn.softplus", "overflows far above 0", nn.softplus_definition),
    (
        "nn.softplus",
        "log(1 + small) rounds to 0",
        lambda x: torch.where(x > 0, x, 0.0) + torch.log(1 + torch.exp(-x.abs())),
    ),
    ("nn.tanh", "overflows", nn.tanh_definition),
    ("nn.tanh", "the sigmoid's scale forgotten", lambda x: 2 * nn.sigmoid(x) - 1),
    ("nn.relu", "slope 1 at 0, from clamp", lambda x: x.clamp(min=0)),
    ("nn.relu", "slope 1/2 at 0, from maximum", lambda x: torch.maximum(x, torch.zeros_like(x))),
    ("nn.relu", "the absolute value: right for what is not negative", torch.abs),
    ("nn.relu", "the step as a constant: no slope", lambda x: torch.where(x <= 0, 0.0, x.detach()) + 0 * x),
    ("nn.leaky_relu", "slope ignored", lambda x, *, negative_slope=0.01: torch.where(x > 0, x, 0.01 * x)),
    (
        "nn.leaky_relu",
        "maximum: wrong for slopes above 1",
        lambda x, *, negative_slope=0.01: torch.maximum(x, negative_slope * x),
    ),
    ("nn.elu", "alpha ignored", lambda x, *, alpha=1.0: nn.elu(x)),
    ("nn.elu", "alpha on both sides", lambda x, *, alpha=1.0: alpha * nn.elu(x)),
    ("nn.elu", "where leaks", lambda x, *, alpha=1.0: torch.where(x > 0, x, alpha * torch.expm1(x))),
    ("nn.elu", "slope 0 at 0", lambda x, *, alpha=1.0: nn.relu(x) + alpha * torch.expm1(-nn.relu(-x))),
    ("nn.gelu", "the tanh form", nn.gelu_tanh),
    ("nn.gelu", "erf without the root of 2", lambda x: x * (1 + torch.erf(x)) / 2),
    ("nn.gelu_tanh", "the exact form", nn.gelu),
    ("nn.gelu_tanh", "the 1.702 form", lambda x: x * nn.sigmoid(1.702 * x)),
    ("nn.silu", "the sigmoid alone", nn.sigmoid),
    ("nn.silu", "detached gate", lambda x: x * nn.sigmoid(x).detach()),
    ("nn.softmax", "overflows", nn.softmax_definition),
    (
        "nn.softmax",
        "one maximum for the whole tensor",
        lambda x, *, dim=-1: nn.softmax_definition(x - x.max(), dim=dim) if x.numel() else x,
    ),
    ("nn.softmax", "wrong dimension", lambda x, *, dim=-1: nn.softmax(x, dim=0)),
    ("nn.log_softmax", "log of softmax", lambda x, *, dim=-1: torch.log(nn.softmax(x, dim=dim))),
    ("nn.logsumexp", "overflows", nn.logsumexp_definition),
    ("nn.logsumexp", "just the maximum", lambda x, *, dim=-1: x.amax(dim)),
    (
        "nn.logsumexp",
        "forgets to add the maximum back",
        lambda x, *, dim=-1: nn.logsumexp_definition(x - x.amax(dim, keepdim=True), dim=dim),
    ),
    ("nn.logsumexp", "keeps the dimension", lambda x, *, dim=-1: nn.logsumexp(x, dim=dim).unsqueeze(dim)),
    ("nn.cross_entropy", "log of softmax", mean_of_picked(lambda z: torch.log(nn.softmax(z)))),
    ("nn.cross_entropy", "over the wrong axis", mean_of_picked(lambda z: nn.log_softmax(z, dim=0))),
    ("nn.cross_entropy", "softmax twice", mean_of_picked(lambda z: nn.log_softmax(nn.softmax(z)))),
    ("nn.cross_entropy", "sum, not mean", lambda z, y: nn.cross_entropy(z, y) * len(y)),
    ("nn.cross_entropy", "mean over all entries", lambda z, y: nn.cross_entropy(z, y) / z.shape[1]),
    ("nn.cross_entropy", "base 2", lambda z, y: nn.cross_entropy(z, y) / math.log(2)),
    ("nn.cross_entropy", "small constant inside the log", mean_of_picked(lambda z: torch.log(nn.softmax(z) + 1e-8))),
    ("nn.cross_entropy", "every pair of example and label", lambda z, y: -nn.log_softmax(z)[:, y.long()].mean()),
    ("nn.cross_entropy", "right sums, silent on wrong labels", mean_of_picked(nn.log_softmax)),
    (
        "nn.binary_cross_entropy_with_logits",
        "logs of probabilities",
        lambda z, t: -(t * torch.log(nn.sigmoid(z)) + (1 - t) * torch.log(1 - nn.sigmoid(z))).mean(),
    ),
    (
        "nn.binary_cross_entropy_with_logits",
        "a difference that loses small costs",
        lambda z, t: (nn.softplus(z) - t * z).mean(),
    ),
    (
        "nn.binary_cross_entropy_with_logits",
        "the sum",
        lambda z, t: nn.binary_cross_entropy_with_logits(z, t) * z.numel(),
    ),
    (
        "nn.binary_cross_entropy_with_logits",
        "sigmoid twice",
        lambda z, t: nn.binary_cross_entropy_with_logits(nn.sigmoid(z), t),
    ),
    ("models.perceptron_steps", "a score of 0 is no mistake", perceptron_like(mistake=lambda margin: margin < 0)),
    ("models.perceptron_steps", "wrong sign", perceptron_like(move=-1.0)),
    ("models.perceptron_steps", "no bias", perceptron_like(bias_move=0.0)),
    ("models.perceptron_steps", "half a step", perceptron_like(move=0.5, bias_move=0.5)),
    ("models.perceptron_steps", "updates when right", perceptron_like(mistake=lambda margin: margin > -math.inf)),
    ("models.perceptron_steps", "never stops", perceptron_like(stop=False)),
    ("models.perceptron_steps", "right, but silent on wrong labels", perceptron_like()),
    ("models.perceptron", "the first step", lambda x, y, *, epochs: next(models.perceptron_steps(x, y, epochs=epochs))),
    ("models.logistic_steps", "sum, not mean", logistic_like(slope=lambda x, error, z: x.T @ error)),
    ("models.logistic_steps", "bias forgotten", logistic_like(bias_slope=lambda error: 0 * error.mean())),
    ("models.logistic_steps", "wrong sign", logistic_like(slope=lambda x, error, z: -x.T @ error / len(x))),
    (
        "models.logistic_steps",
        "squared error: the slope of the sigmoid not cancelled",
        logistic_like(slope=lambda x, error, z: x.T @ (error * nn.sigmoid(z) * nn.sigmoid(-z)) / len(x)),
    ),
    ("models.logistic_steps", "right, but silent on wrong labels", logistic_like()),
    (
        "models.logistic",
        "one step too few",
        lambda x, y, *, lr, steps: [*models.logistic_steps(x, y, lr=lr, steps=steps)][max(steps - 1, 0)],
    ),
    ("models.two_layer", "no bend", lambda x, w1, b1, w2, b2, *, activation=None: (x @ w1.T + b1) @ w2.T + b2),
    (
        "models.two_layer",
        "bend on the last layer too",
        lambda x, w1, b1, w2, b2, *, activation=nn.relu: activation(
            models.two_layer(x, w1, b1, w2, b2, activation=activation)
        ),
    ),
    (
        "models.two_layer",
        "activation ignored",
        lambda x, w1, b1, w2, b2, *, activation=nn.relu: models.two_layer(x, w1, b1, w2, b2),
    ),
    (
        "models.two_layer",
        "bias after the bend",
        lambda x, w1, b1, w2, b2, *, activation=nn.relu: (activation(x @ w1.T) + b1) @ w2.T + b2,
    ),
]

OTHER = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Or: ast.And,
    ast.And: ast.Or,
    ast.BitOr: ast.BitAnd,
}


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """The node with one small change: each in turn."""
    new = copy.deepcopy(node)
    if isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in OTHER:
        new.op = OTHER[type(node.op)]()
        yield new
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        new.ops[0] = OTHER[type(node.ops[0])]()
        yield new
    elif isinstance(node, ast.UnaryOp):
        yield new.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
        new.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
        yield new


def code_of(source: ast.Module) -> Iterator[ast.AST]:
    """Nodes inside functions: bodies and defaults, but no annotations (and docstrings have nothing to change)."""
    for function in (node for node in ast.walk(source) if isinstance(node, ast.FunctionDef)):
        for part in (*function.body, *filter(None, function.args.kw_defaults)):
            yield from ast.walk(part)


def broken_versions(file: Path) -> Iterator[tuple[str, types.ModuleType]]:
    """(what was changed, the module so changed): unchanged first, then for every place that can be changed."""
    text = file.read_text(encoding="utf-8")
    source = ast.parse(text)
    yield "unchanged", compiled(source)
    for node in list(code_of(source)):
        for new in changes(node):
            kept = dict(node.__dict__), node.__class__
            line = text.splitlines()[node.lineno - 1].partition("  #")[0].strip()
            label = f"{line} [{ast.unparse(node)} -> {ast.unparse(new)}]"
            node.__class__, node.__dict__ = new.__class__, {**new.__dict__}
            module = compiled(source)
            node.__class__, node.__dict__ = kept[1], kept[0]
            yield label, module


def compiled(source: ast.Module) -> types.ModuleType:
    """The module that this source makes."""
    module = types.ModuleType("broken")
    exec(compile(source, "<broken>", "exec"), module.__dict__)
    return module
