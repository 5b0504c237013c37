"""What an attack raises: one number for each example, from its logits z and its label y, the larger the more wrong.

    cross_entropy   -log softmax(z)_y
    margin          max of z_i over i != y,  minus z_y                   above 0: fooled
    dlr             margin / (the largest z - the third largest)         Croce and Hein, 2020, arXiv:2003.01690, eq. 6

A `Goal` makes one of them a question about these examples, also with targets: then the attack lowers the same number
for the target (dlr has a form of its own). A constant added to all logits changes none; for dlr nor does a factor.
Where it fails: in float32 the cross-entropy rounds to 0 where the model is sure by a gap of 17, and its slope by one of
104: an attack that sees no slope finds nothing, though there is much to find. The margin and dlr keep theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from dlcourse.attacks.threat import Threat
from dlcourse.nn.softmax import log_softmax
from dlcourse.training.asking import Model, asking
from dlcourse.types import Bool, Float, Int, Tensor

Objective = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """-log softmax(logits)[label] of each example, in nats, from 0 up.

    >>> cross_entropy(torch.log(torch.tensor([[1.0, 2.0, 5.0]])), torch.tensor([2]))  # -log 5/8
    tensor([0.4700])
    """
    return -log_softmax(logits).gather(1, _column(logits, labels))[:, 0]


def margin(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The best wrong logit minus the right one: above 0 where the model is wrong, below 0 where it is right.

    At exactly 0 two classes are level, and the first of them is the answer, as in `training.accuracy`.

    >>> margin(torch.tensor([[1.0, 4.0, 2.0], [1.0, 4.0, 2.0]]), torch.tensor([1, 2]))
    tensor([-2.,  2.])
    """
    right = _column(logits, labels)
    return logits.scatter(1, right, -torch.inf).amax(1) - logits.gather(1, right)[:, 0]


def dlr(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The difference of logits ratio: the margin over the gap from the largest logit to the third largest.

    Multiplied logits give the same, so a model cannot hide its slope by being sure. From -1 to 0 where it is right.
    With three classes the third largest is the smallest. With two there is none, and no number that ignores both a
    constant and a factor says more than right or wrong: there dlr is the margin itself, and so it is where the three
    largest logits are level.

    >>> logits = torch.tensor([[1.0, 4.0, 2.0, 0.0]])
    >>> dlr(logits, torch.tensor([1])), dlr(10 * logits, torch.tensor([1])), dlr(logits, torch.tensor([2]))
    (tensor([-0.6667]), tensor([-0.6667]), tensor([0.6667]))
    """
    gap = margin(logits, labels)
    if logits.shape[1] < 3:
        return gap
    first, _, third = logits.topk(3, dim=1).values.unbind(1)
    return gap / torch.where(first > third, first - third, 1.0)


def dlr_targeted(
    logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"], targets: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """(z_target - z_label) / (the largest z - the mean of the third and fourth largest): equation 7 of the same paper.

    Not minus the dlr of the target: that is -1 whenever the target is the third largest, and has no slope there. With
    fewer than four classes, and where the four largest logits are level, it is the difference undivided.

    >>> dlr_targeted(torch.tensor([[1.0, 4.0, 2.0, 0.0]]), torch.tensor([1]), torch.tensor([0]))  # -3 / (4 - 0.5)
    tensor([-0.8571])
    """
    gap = logits.gather(1, _column(logits, targets))[:, 0] - logits.gather(1, _column(logits, labels))[:, 0]
    if logits.shape[1] < 4:
        return gap
    first, _, third, fourth = logits.topk(4, dim=1).values.unbind(1)
    return gap / torch.where(first > fourth, first - (third + fourth) / 2, 1.0)


TARGETED = {dlr: dlr_targeted}  # objectives for which minus the objective of the target is not the way


def fooled(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
    """Is the answer another than the label? The answer is the first of the largest logits; one with nan is never right.

    >>> fooled(torch.tensor([[1.0, 2.0], [1.0, 1.0]]), torch.tensor([0, 0]))
    tensor([ True, False])
    """
    return ~_says(logits, labels)


@dataclass(frozen=True, eq=False)
class Goal:
    """What an attack is after: wrong answers, or with `targets` these very answers. goal(logits) is to be raised.

    With targets it is minus the objective for the targets, but for dlr `dlr_targeted`: attacks go up in any case.

    >>> logits = torch.tensor([[1.0, 4.0, 2.0]])
    >>> goal, targeted = Goal(torch.tensor([1]), objective=margin), Goal(torch.tensor([1]), torch.tensor([2]), margin)
    >>> goal(logits), targeted(logits), targeted.reached(logits)
    (tensor([-2.]), tensor([-2.]), tensor([False]))
    """

    labels: Int[Tensor, " batch"]
    targets: Int[Tensor, " batch"] | None = None
    objective: Objective = cross_entropy

    def __call__(self, logits: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
        if self.targets is None:
            return self.objective(logits, self.labels)
        if self.objective in TARGETED:
            return TARGETED[self.objective](logits, self.labels, self.targets)
        return -self.objective(logits, self.targets)

    def reached(self, logits: Float[Tensor, "batch classes"]) -> Bool[Tensor, " batch"]:
        """Which examples are fooled; with targets, which are taken for them."""
        return fooled(logits, self.labels) if self.targets is None else _says(logits, self.targets)

    def of(self, rows: Tensor | slice) -> "Goal":
        """The goal for some of the examples; rows is a mask, indices or a slice."""
        return replace(self, labels=self.labels[rows], targets=None if self.targets is None else self.targets[rows])


@dataclass(frozen=True, eq=False)
class Look:
    """One look at the model from a point: all detached."""

    logits: Float[Tensor, "batch classes"]
    values: Float[Tensor, " batch"]  # of the goal
    gradient: Float[Tensor, "batch ..."]  # of each value, for its own example


def look(model: Model, x: Float[Tensor, "batch ..."], goal: Goal) -> Look:
    """The model's logits at x, the goal's values, and their slopes for x: one pass forward, one back.

    The model answers as in `asking`, and no gradient reaches its parameters. Raises ValueError for logits that are not
    (batch, classes), and for a model through which no slope comes back (it detaches, or rounds).
    """
    with asking(model), torch.enable_grad():
        leaf = x.detach().requires_grad_()
        logits = answers(model, leaf)
        values = goal(logits)
        # Each value depends on its own example only, so the slope of their sum holds the slope of each. Not the mean:
        # divided by the batch, small slopes would be lost.
        (gradient,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True) if values.requires_grad else (None,)
    if gradient is None:
        raise ValueError(
            "The model's logits do not depend on x by anything that can be differentiated: there is no slope to follow."
            " Does it detach, or run under no_grad? Try an attack that only asks, such as square."
        )
    return Look(logits.detach(), values.detach(), gradient)


def input_gradient(
    model: Model, x: Float[Tensor, "batch ..."], labels: Int[Tensor, " batch"], objective: Objective = cross_entropy
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch ..."]]:
    """The objective of each example and its slope for that example's pixels.

    >>> weight = torch.tensor([[0.0, 3.0], [0.0, 4.0]])
    >>> values, gradient = input_gradient(lambda x: x @ weight, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), margin)
    >>> values, gradient
    (tensor([3.5000]), tensor([[3., 4.]]))
    """
    seen = look(model, _checked("input_gradient", x, {"labels": labels}), Goal(labels, objective=objective))
    return seen.values, seen.gradient


def answers(model: Model, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
    """The model's logits, with their shape checked; no mode is changed here."""
    logits = model(x)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x) or logits.shape[1] < 2:
        came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"The model made {came} of x {tuple(x.shape)}; wanted logits ({len(x)}, classes), two classes or more. One "
            "logit z for two classes is mended by torch.cat([torch.zeros_like(z), z], dim=1)."
        )
    return logits


def begin(
    caller: str,
    x: Float[Tensor, "batch ..."],
    labels: Tensor,
    threat: Threat,
    targets: Tensor | None = None,
    objective: Objective = cross_entropy,
) -> tuple[Float[Tensor, "batch ..."], Goal]:
    """How every attack begins: x detached, and the goal, once all that was given has been looked at.

    Raises ValueError for x outside [0, 1] and labels or targets of another number, TypeError for x that are no floats,
    labels that are no integers, and a threat that is none.
    """
    if not isinstance(threat, Threat):
        raise TypeError(f"{caller} got the threat {threat!r}; wanted what the attacker may do, such as Linf(8 / 255).")
    return _checked(caller, x, {"labels": labels, "targets": targets}), Goal(labels, targets, objective)


def _checked(caller: str, x: Tensor, classes: dict[str, Tensor | None]) -> Tensor:
    if not x.is_floating_point():
        raise TypeError(f"{caller} got x of {x.dtype}; wanted floats in [0, 1]: images are x.float() / 255.")
    if not bool(((x >= 0) & (x <= 1)).all()):
        raise ValueError(
            f"{caller} got x from {x.min():g} to {x.max():g}; wanted pixels in [0, 1]. Normalisation belongs into the "
            "model, as a layer: else eps counts in other units, and the box is another."
        )
    for name, given in classes.items():
        if given is None:
            continue
        if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
            raise TypeError(f"{caller} got {name} of {given.dtype}; wanted class numbers, so integers: {name}.long().")
        if given.shape != x.shape[:1]:
            raise ValueError(f"{caller} got x {tuple(x.shape)} and {name} {tuple(given.shape)}; wanted ({len(x)},).")
    return x.detach()


def _column(logits: Tensor, labels: Tensor) -> Tensor:
    """The labels as indices (batch, 1). Raises ValueError for another number of them, and for one without a logit."""
    classes = logits.shape[1]
    if labels.shape != logits.shape[:1] or (len(labels) and not 0 <= labels.min() <= labels.max() < classes):
        span = f" from {labels.min()} to {labels.max()}" if len(labels) else ""
        raise ValueError(
            f"labels {tuple(labels.shape)}{span} do not fit logits {tuple(logits.shape)}; wanted a class number for "
            f"each example, from 0 to {classes - 1}."
        )
    return labels.long()[:, None]


def _says(logits: Tensor, classes: Tensor) -> Tensor:
    return (logits.argmax(1) == classes) & ~logits.isnan().any(1)
