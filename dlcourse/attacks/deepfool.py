"""DeepFool: how far is it to the nearest decision boundary? Were the model linear, this would be a division.

    the gap to class k      z_y - z_k = m        the slope of  z_k - z_y  is  w
    the nearest point       the smallest delta with  w . delta = m:   along w in L2, along sign(w) in Linf

Take the boundary that is nearest by this sum, go there, and if the model is still right, do it again from there
(Moosavi-Dezfooli, Fawzi and Frossard, 2016, arXiv:1511.04599, algorithm 2). Two things differ from the paper: a pixel
at the edge of the box [0, 1] stops and the others go on, so that the step is exact in the box as well; and at the end
the point is pulled back onto the boundary. So the perturbation of a linear model is the smallest there is. Where it
fails: for other models it is only an upper bound of the distance (some percent above Carlini and Wagner's, in a tenth
of the time), and a model with a false slope sends it astray.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.attacks.boundary import pick, pulled_back
from dlcourse.attacks.objective import Goal, Model, answers, asking, begin
from dlcourse.attacks.threat import L1, Threat
from dlcourse.nn.sizes import whole
from dlcourse.types import Bool, Float, Int, Tensor

ROUNDING = 4  # logits in float32 are wrong by some of their last digits; a step that is smaller would change nothing


@dataclass(frozen=True, eq=False)
class DeepFoolStep:
    """One step towards the nearest boundary. Examples that are fooled stay where they are."""

    index: int
    x_adv: Float[Tensor, "batch ..."]  # after the step
    gap: Float[Tensor, "batch classes"]  # by how much each class trails the label's before it; 0 for the label itself
    distance: Float[Tensor, "batch classes"]  # to each class's boundary, were the model linear; inf for the label
    nearest: Int[Tensor, " batch"]  # the class that was aimed at
    fooled: Bool[Tensor, " batch"]  # before the step


def deepfool_steps(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 50,
    overshoot: float = 0.0,
) -> Iterator[DeepFoolStep]:
    """Go to the nearest boundary of the linearised model until all are fooled, at most `steps` times.

    x (batch, ...) in [0, 1]. Only the threat's norm counts here, Linf or L2; its eps does not. overshoot: how much
    further than the boundary a step aims, as a share of the gap in logits; some units of rounding are always added. The
    paper's is 0.02, which costs a little where the box has cut the step. One pass forward and one back for each class.
    Raises ValueError for L1, whose nearest point is another, for an overshoot below 0, and what `begin` refuses.
    """
    x, goal = begin("deepfool", x, labels, threat)
    (steps,) = whole("deepfool", 1, steps=steps)
    if isinstance(threat, L1) or not overshoot >= 0:
        raise ValueError(
            f"deepfool got {threat} and overshoot={overshoot}; wanted Linf or L2, in which the nearest point of "
            "a linear boundary is known here, and an overshoot of 0 or more."
        )
    x_adv = x
    for index in range(steps):
        logits, slopes = _slopes(model, x_adv, labels)
        fooled = goal.reached(logits)
        gap = logits.gather(1, labels.long()[:, None]) - logits
        pad = ROUNDING * torch.finfo(logits.dtype).eps * logits.abs().amax(1)
        deltas = [
            nearest_delta(threat, slope, (1 + overshoot) * gap[:, k] + pad, x_adv) for k, slope in enumerate(slopes)
        ]
        distance = torch.stack([threat.norm(delta) for delta in deltas], dim=1)
        distance = distance.nan_to_num(torch.inf).scatter(1, labels.long()[:, None], torch.inf)
        nearest = distance.argmin(1)
        chosen = torch.stack(deltas, dim=1)[torch.arange(len(x), device=x.device), nearest]
        goes = ~fooled & distance.amin(1).isfinite()
        x_adv = pick(goes, x_adv + chosen, x_adv)
        yield DeepFoolStep(index, x_adv, gap, distance, nearest, fooled)
        if not goes.any():
            return


def deepfool(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 50,
    overshoot: float = 0.0,
) -> Float[Tensor, "batch ..."]:
    """The nearest point x_adv (batch, ...) in [0, 1] that fools the model, as far as the steps find it.

    Where none was found, or only outside the threat (give Linf(1.0) to see all), it is x itself; and x where the model
    is wrong already. For a linear model it is the exact minimum in the box, up to rounding. Errors as `deepfool_steps`.

    >>> from dlcourse.attacks.threat import L2
    >>> model = lambda x: torch.stack([0 * x[:, 0], 3 * x[:, 0] + 4 * x[:, 1] - 4.0], dim=1)
    >>> x = torch.tensor([[0.2, 0.1]])  # it trails by 3, and the slope is 5 long: the boundary is 0.6 away
    >>> deepfool(model, x, torch.tensor([0]), L2(1.0)), deepfool(model, x, torch.tensor([0]), L2(0.5))
    (tensor([[0.5600, 0.5800]]), tensor([[0.2000, 0.1000]]))
    """
    for step in deepfool_steps(model, x, labels, threat, steps=steps, overshoot=overshoot):
        found = step.x_adv
    return pulled_back(model, x, found, threat, Goal(labels).reached)


def nearest_delta(
    threat: Threat, slope: Float[Tensor, "batch ..."], gap: Float[Tensor, " batch"], x: Float[Tensor, "batch ..."]
) -> Float[Tensor, "batch ..."]:
    """The smallest delta with slope . delta = gap and x + delta in [0, 1]; nan where there is none. gap above 0.

    It is  clip(t * d, -x, 1 - x)  with d the steepest direction in L2 or Linf (the conditions of Kuhn and Tucker). As t
    grows the gain grows along straight lines, each less steep than the last, because pixel after pixel arrives at its
    edge. So the gain is the lowest of these lines, and t the largest of their solutions.

    >>> from dlcourse.attacks.threat import Linf
    >>> x = torch.tensor([[0.5, 0.5, 0.9]])
    >>> nearest_delta(Linf(1.0), torch.tensor([[1.0, -1.0, 2.0]]), torch.tensor([0.6]), x)  # the last stops at 1
    tensor([[ 0.2000, -0.2000,  0.1000]])
    """
    way = threat.steepest(slope).flatten(1)
    room = torch.where(slope > 0, 1 - x, x).flatten(1)
    rate = (slope.nan_to_num(0.0).flatten(1) * way).abs()  # what one unit of t brings
    stop, order = torch.where(rate > 0, room / way.abs(), 0.0).sort(dim=1)
    rate = rate.gather(1, order)
    left = rate.flip(1).cumsum(1).flip(1)  # the rate of all that have not stopped before
    full = rate * stop
    done = full.cumsum(1) - full  # what those that have stopped before brought
    t = torch.where(left > 0, (gap[:, None] - done) / left, 0.0).amax(1)
    t = torch.where(full.sum(1) >= gap, t, torch.nan)[:, None]
    return (t * way).reshape(x.shape).maximum(-x).minimum(1 - x)


def _slopes(
    model: Model, x: Float[Tensor, "batch ..."], labels: Int[Tensor, " batch"]
) -> tuple[Float[Tensor, "batch classes"], list[Float[Tensor, "batch ..."]]]:
    """The logits, and for each class the slope of its logit minus the label's."""
    with asking(model), torch.enable_grad():
        leaf = x.detach().requires_grad_()
        logits = answers(model, leaf)
        ahead = (logits - logits.gather(1, labels.long()[:, None])).sum(0)
        slopes = [
            torch.autograd.grad(gap, leaf, retain_graph=True, allow_unused=True)[0] if gap.requires_grad else None
            for gap in ahead
        ]
    if any(slope is None for slope in slopes):
        raise ValueError(
            "deepfool: the model's logits do not depend on x by anything that can be differentiated, so there is no"
            " slope to measure a distance with. Does it detach, or run under no_grad?"
        )
    return logits.detach(), slopes
