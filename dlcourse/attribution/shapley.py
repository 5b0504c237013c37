"""Shapley values: share out what a coalition wins, each player by what it brings on the average.

    phi_i = sum over S without i of   |S|! (n - |S| - 1)! / n!   ( v(S + i) - v(S) )        by subsets
          = mean over all n! orders of  v(those before i, and i) - v(those before i)        by orders

(Shapley, 1953, "A value for n-person games", equations 11 and 12; for models: Lundberg and Lee, 2017,
arXiv:1705.07874; Castro et al., 2009, drew orders at random.) It is the only rule that is complete, symmetric, linear
and gives nothing to a player that brings nothing. The game is ours to choose: here v(S) is the score of x with the
baseline in place of all that is not in S. So the proof is about the game, not about the picture. Where it fails:
2^n coalitions; and v asks about pictures that are half baseline, which the model was never trained on.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations

import torch

from dlcourse.attribution.covered import covered_scores, start
from dlcourse.attribution.score import Target, examples, scores
from dlcourse.nn.sizes import whole
from dlcourse.steps import last
from dlcourse.training.asking import Model
from dlcourse.types import Bool, Float, Int, Tensor

Game = Callable[
    [Tensor], Tensor
]  # coalitions (coalitions, players), True who takes part -> what each wins, (coalitions,)
MOST = 16  # players: 65,536 coalitions


def shapley_exact(game: Game, players: int) -> Float[Tensor, " players"]:
    """By subsets: every coalition is asked once, 2^players in all. At most 16 players (ValueError).

    >>> shapley_exact(lambda s: s.all(1).double(), 4)  # all are needed, so all get the same
    tensor([0.2500, 0.2500, 0.2500, 0.2500], dtype=torch.float64)
    """
    (players,) = whole("shapley_exact", 1, players=players)
    if players > MOST:
        raise ValueError(
            f"shapley_exact: {players} players have 2^{players} coalitions; at most {MOST}. Sample orders."
        )
    number = torch.arange(2**players, device="cpu")
    bit = 2 ** torch.arange(players, device="cpu")
    coalitions = (number[:, None] & bit) > 0  # coalition k holds the players whose bits k has
    wins = game(coalitions).to("cpu", torch.float64)
    others = coalitions.sum(1)
    weight = torch.tensor(
        [math.factorial(k) * math.factorial(players - 1 - k) / math.factorial(players) for k in range(players)],
        dtype=torch.float64,
        device="cpu",
    )
    found = []
    for i in range(players):
        without = number[~coalitions[:, i]]
        found.append((weight[others[without]] * (wins[without + bit[i]] - wins[without])).sum())
    return torch.stack(found)


def shapley_by_orders(game: Game, players: int) -> Float[Tensor, " players"]:
    """The slow definition, for a few players: all orders in which they may come, and what each brings when it comes.

    >>> shapley_by_orders(lambda s: s.any(1).double(), 2)  # the first brings all
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    total = torch.zeros(players, dtype=torch.float64, device="cpu")
    for order in permutations(range(players)):
        total += brought(game, torch.tensor(order, device="cpu"))
    return total / math.factorial(players)


def brought(game: Game, order: Int[Tensor, " players"]) -> Float[Tensor, " players"]:
    """What each player brings when they come in this order: it sums to v(all) - v(nobody).

    >>> brought(lambda s: s.all(1).double(), torch.tensor([1, 0]))  # the last brings all
    tensor([1., 0.], dtype=torch.float64)
    """
    place = order.argsort()  # of each player
    here = torch.arange(len(order) + 1, device=order.device)[:, None] > place  # after 0, 1, 2, ... have come
    return game(here).double().diff()[place.to(here.device)]


@dataclass(frozen=True, eq=False)
class ShapleyStep:
    """One order, and the estimate so far."""

    index: int
    order: Int[Tensor, " players"]
    brought: Float[Tensor, " players"]  # by each player in this order
    values: Float[Tensor, " players"]  # the mean so far
    error: Float[Tensor, " players"]  # standard error of the mean; nan after the first order


def shapley_sampled_steps(
    game: Game, players: int, *, orders: int, generator: torch.Generator
) -> Iterator[ShapleyStep]:
    """`orders` random orders, one after the other. The estimate has no bias, and every step is complete by itself."""
    players, orders = whole("shapley_sampled", 1, players=players, orders=orders)
    seen: list[Tensor] = []
    for index in range(orders):
        order = torch.randperm(players, generator=generator, device=generator.device)
        seen.append(brought(game, order))
        together = torch.stack(seen)
        error = together.std(0) / math.sqrt(len(seen)) if index else torch.full_like(seen[0], torch.nan)
        yield ShapleyStep(index, order, seen[-1], together.mean(0), error)


def shapley_sampled(game: Game, players: int, *, orders: int, generator: torch.Generator) -> ShapleyStep:
    """Where `shapley_sampled_steps` ends: `values` and their standard `error`, which falls like 1 / sqrt(orders).

    >>> game = lambda s: s.double() @ torch.tensor([1.0, 2.0], dtype=torch.float64)  # no order matters
    >>> shapley_sampled(game, 2, orders=5, generator=torch.Generator()).values
    tensor([1., 2.], dtype=torch.float64)
    """
    return last(shapley_sampled_steps(game, players, orders=orders, generator=generator))


def game_of(
    model: Model,
    x: Float[Tensor, "1 ..."],
    target: Target,
    *,
    groups: Int[Tensor, "..."] | None = None,
    baseline: Float[Tensor, "..."] | float | None = None,
) -> Game:
    """One example as a game: v(S) is its score with the baseline in place of every group of pixels that is not in S.

    groups: the number of its group for each pixel, shaped like x[0] or so that it broadcasts to it, from 0 on; default
    each pixel for itself.

    >>> game = game_of(lambda x: x.prod(1, keepdim=True), torch.tensor([[2.0, 3.0]]), 0, baseline=1.0)
    >>> game(torch.tensor([[False, False], [True, False], [True, True]]))
    tensor([1., 2., 6.])
    """
    owner = owners(x, groups)

    def game(coalitions: Bool[Tensor, "coalitions players"]) -> Float[Tensor, " coalitions"]:
        hidden = ~coalitions.to(x.device)[:, owner]
        return covered_scores(model, x, target, hidden[:, None], baseline=baseline)[:, 0]

    return game


def shapley(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    *,
    groups: Int[Tensor, "..."] | None = None,
    baseline: Float[Tensor, "..."] | float | None = None,
    orders: int | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """The Shapley value of each group, shared equally among its pixels, so that the map sums to
    score(x) - score(baseline). Exact, or from `orders` random orders by the generator.

    groups, baseline: see `game_of`. Raises ValueError for more than 16 groups without orders, orders without a
    generator, and groups that do not fit x or leave a number out; errors as `score`.

    >>> shapley(lambda x: x.prod(1, keepdim=True), torch.tensor([[2.0, 3.0]]), 0, baseline=1.0)
    tensor([[2., 3.]])
    """
    x, behind, owner = examples("shapley", x), start("shapley", x, baseline), owners(x, groups)
    if orders is not None and generator is None:
        raise ValueError(f"shapley(orders={orders}) wants a generator to draw them from.")
    scores(model, x, target)  # all at once, so that a target that does not fit is refused in words
    members = owner.flatten().bincount()
    maps = []
    for i in range(len(x)):
        own = target[i : i + 1] if isinstance(target, Tensor) and target.ndim else target
        game = game_of(model, x[i : i + 1], own, groups=owner, baseline=behind[i])
        if orders is None:
            values = shapley_exact(game, len(members))
        else:
            values = shapley_sampled(game, len(members), orders=orders, generator=generator).values
        maps.append((values.to(x) / members)[owner])
    return torch.stack(maps)


def owners(x: Float[Tensor, "batch ..."], groups: Int[Tensor, "..."] | None) -> Int[Tensor, "..."]:
    """The number of its group for each pixel of an example. Errors as `shapley`."""
    one = x[0]
    if groups is None:
        return torch.arange(one.numel(), device=x.device).view(one.shape)
    if groups.is_floating_point() or groups.ndim > one.ndim:
        raise ValueError(f"groups {groups.dtype} {tuple(groups.shape)}: wanted whole numbers, shaped like x[0].")
    try:
        owner = groups.to(x.device).expand(one.shape)
    except RuntimeError as error:
        raise ValueError(f"groups {tuple(groups.shape)} do not fit examples {tuple(one.shape)}.") from error
    if owner.min() != 0 or not owner.flatten().bincount().all():
        raise ValueError(f"groups are numbered {owner.unique().tolist()}; wanted 0, 1, 2, ... with none left out.")
    return owner
