"""Carlini and Wagner's attack: the smallest change in L2, by going down on length and on being right at once.

    minimise over v    |x_adv - x|^2  +  c * max(kappa - margin(logits), 0)         x_adv = (tanh(v) + 1) / 2

tanh keeps x_adv inside the box, whatever v; the margin (the paper's f6) is above 0 once the model is fooled, and then
only the length still counts. c is searched for each example: ten times more where nothing was found, less where it was
(Carlini and Wagner, 2017, arXiv:1608.04644, sections V and VI). At 0 and 1 tanh is flat and would hold a pixel there
for good, so v begins a little inside. Where it fails: it is slow, Adam stops near the smallest change, not at it, and
of several classes it may go for one that leads at first and is not the nearest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.attacks.boundary import pick, pulled_back, wide
from dlcourse.attacks.objective import Goal, Model, begin, look, margin
from dlcourse.attacks.threat import Threat
from dlcourse.nn.sizes import whole
from dlcourse.optim.adam import adam
from dlcourse.types import Bool, Float, Int, Tensor

INSIDE = 0.01  # in pixels: where those at 0 or 1 begin; the tanh has 4 % of its slope there
SMALL = 1e-5  # Adam's eps: else a pixel that rests would be moved by the rounding of its slope, as far as any other


@dataclass(frozen=True, eq=False)
class CarliniWagnerStep:
    """One step down, of one search. All from before the step."""

    search: int  # which value of c
    index: int  # steps of this search before it
    c: Float[Tensor, " batch"]
    point: Float[Tensor, "batch ..."]  # where the model was asked
    length: Float[Tensor, " batch"]  # of the change, in L2
    margin: Float[Tensor, " batch"]  # above 0: fooled
    x_adv: Float[Tensor, "batch ..."]  # the nearest point so far that has the margin; x where there is none
    found: Bool[Tensor, " batch"]


def carlini_wagner_steps(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    searches: int = 6,
    steps: int = 100,
    step_size: float = 0.2,
    c: float = 1.0,
    kappa: float = 0.0,
    targets: Int[Tensor, " batch"] | None = None,
) -> Iterator[CarliniWagnerStep]:
    """`searches` values of c, for each `steps` steps of Adam; a pass forward and one back for each step.

    x (batch, ...) in [0, 1]. step_size: Adam's rate for v; it falls to 0 along a straight line in each search. c: the
    first value; what counts as a small one depends on the size of the logits. kappa: the margin in logits that is
    wanted, 0 or more. The threat is not looked at here. Raises ValueError for numbers out of range, and what `begin`
    refuses.
    """
    x, goal = begin("carlini_wagner", x, labels, threat, targets, margin)
    searches, steps = whole("carlini_wagner", 1, searches=searches, steps=steps)
    if not (kappa >= 0 and c > 0 and step_size > 0):
        raise ValueError(
            f"carlini_wagner got step_size={step_size}, c={c}, kappa={kappa}; wanted the first two above 0 and a "
            "kappa of 0 or more."
        )
    start = torch.atanh(2 * x.clamp(INSIDE, 1 - INSIDE) - 1)
    low, high = x.new_zeros(len(x)), x.new_full((len(x),), torch.inf)
    weight = torch.full_like(low, c)
    x_adv, shortest = x, high
    for search in range(searches):
        v, mean, square = start, torch.zeros_like(x), torch.zeros_like(x)
        enough = torch.zeros_like(low, dtype=torch.bool)  # found with this c
        for index in range(steps):
            point = (torch.tanh(v) + 1) / 2
            seen = look(model, point, goal)
            reached = goal.reached(seen.logits) & (seen.values >= kappa)
            length = torch.linalg.vector_norm((point - x).flatten(1), dim=1)
            nearer = reached & (length < shortest)
            x_adv, shortest = pick(nearer, point, x_adv), torch.where(nearer, length, shortest)
            enough = enough | reached
            yield CarliniWagnerStep(search, index, weight, point, length, seen.values, x_adv, shortest.isfinite())
            pull = torch.where(seen.values < kappa, weight, 0.0)
            slope = (2 * (point - x) - wide(pull, x) * seen.gradient.nan_to_num(0.0)) * 2 * point * (1 - point)
            rate = step_size * (1 - index / steps)
            v, mean, square = adam(v, slope, mean, square, index + 1, lr=rate, eps=SMALL)
        low, high = torch.where(enough, low, weight), torch.where(enough, weight, high)
        weight = torch.where(high.isfinite(), torch.where(low > 0, (low * high).sqrt(), high / 10), 10 * low)


def carlini_wagner(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    searches: int = 6,
    steps: int = 100,
    step_size: float = 0.2,
    c: float = 1.0,
    kappa: float = 0.0,
    targets: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch ..."]:
    """The nearest point in L2 that was found to fool the model with a margin of kappa, pulled back onto the boundary.

    x_adv (batch, ...) in [0, 1]; x itself where none was found or only outside the threat (give L2(sqrt(pixels)) to see
    all), and where x already does. Errors as `carlini_wagner_steps`.

    >>> from dlcourse.attacks.threat import L2
    >>> model = lambda x: torch.stack([0 * x[:, 0], 3 * x[:, 0] + 4 * x[:, 1] - 4.0], dim=1)
    >>> x = torch.tensor([[0.2, 0.1]])  # the boundary is 0.6 away, at (0.56, 0.58)
    >>> x_adv = carlini_wagner(model, x, torch.tensor([0]), L2(1.0))
    >>> x_adv.sub(x).norm().round(decimals=3)
    tensor(0.6000)
    """
    goal = Goal(labels, targets, margin)
    options = {"searches": searches, "steps": steps, "step_size": step_size, "c": c, "kappa": kappa}
    for step in carlini_wagner_steps(model, x, labels, threat, targets=targets, **options):
        found = step.x_adv

    def reached(logits: Tensor) -> Tensor:
        return goal.reached(logits) & (goal(logits) >= kappa)

    return pulled_back(model, x, found, threat, reached)
