"""16.shapley: who gets how much of what all players win together, from a table of what every coalition wins."""

import math
from collections.abc import Callable
from functools import cache
from itertools import chain, product
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch15.shared import Mistakes, size
from dlcourse.checks.ch16.shared import CRASHES, WHERE, Smaller, explain, first_wrong, rounding, row, suspects
from dlcourse.checks.examiner import Examiner, Suspect
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def shapley(wins):
    from itertools import permutations

    players, values = wins.dim(), torch.zeros(wins.dim()).to(wins)
    orders = list(permutations(range(players)))
    for order in orders:
        there = [0] * players  # nobody has come yet
        for player in order:
            before = wins[tuple(there)]
            there[player] = 1
            values[player] += wins[tuple(there)] - before
    return values / len(orders)


def _shapley(
    wins: Tensor,
    *,
    weigh: str = "fair",
    brings: str = "difference",
    empty: str = "as it is",
    among: str = "all",
    index: str = "tuple",
    end: str = "as it is",
) -> Tensor:
    """By subsets, with some of the faults, in float64."""
    players = wins.dim()
    coalitions = list(product((0, 1), repeat=players))
    won = dict(zip(coalitions, wins.double().flatten().tolist(), strict=True))
    nobody, everybody = coalitions[0], coalitions[-1]
    if index == "list":
        won = {coalition: wins[list(coalition)].double().mean().item() for coalition in coalitions}
    if empty == "0":
        won[nobody] = 0.0
    elif empty == "taken off all":
        won = {coalition: worth - won[nobody] for coalition, worth in won.items()}
    counted: Callable[[tuple[int, ...], int, int], bool] = {
        "all": lambda coalition, player, others: True,
        "nobody": lambda coalition, player, others: others == 0,
        "somebody": lambda coalition, player, others: others > 0,
        "everybody else": lambda coalition, player, others: others == players - 1,
        "at either end": lambda coalition, player, others: others in (0, players - 1),
        "in their order": lambda coalition, player, others: coalition[:player] == (1,) * player and others == player,
        "in reverse order": lambda coalition, player, others: (
            coalition[player + 1 :] == (1,) * (players - 1 - player) and others == players - 1 - player
        ),
        "in a circle": lambda coalition, player, others: all(
            coalition[(player - back) % players] == (back <= others) for back in range(1, players)
        ),
    }[among]
    gain: Callable[[float, float], float] = {
        "difference": lambda joined, without: joined - without,
        "all of it": lambda joined, without: joined,
        "loss": lambda joined, without: without - joined,
        "nothing": lambda joined, without: 0.0,
        "size": lambda joined, without: abs(joined - without),
        "positive": lambda joined, without: max(joined - without, 0.0),
    }[brings]
    weight = [_weight(weigh, players, others) for others in range(players)]
    shares = [0.0] * players
    for player in range(players):
        for coalition in coalitions:
            others = sum(coalition)
            if not coalition[player] and counted(coalition, player, others):
                joined = (*coalition[:player], 1, *coalition[player + 1 :])
                shares[player] += weight[others] * gain(won[joined], won[coalition])
    values = torch.tensor(shares, dtype=torch.float64)
    sizes = [[worth for coalition, worth in won.items() if sum(coalition) == size] for size in range(players + 1)]
    by_size = [sum(each) / len(each) for each in sizes]
    return {
        "as it is": lambda: values,
        "over their sum": lambda: values / values.sum(),
        "over all": lambda: values / won[everybody],
        "scaled to all": lambda: values * won[everybody] / values.sum(),
        "equal": lambda: torch.full_like(values, (won[everybody] - won[nobody]) / players),
        "reversed": lambda: values.flip(0),
        "by place": lambda: torch.tensor(by_size, dtype=torch.float64).diff(),
    }[end]().to(wins.dtype)


def _weight(weigh: str, players: int, others: int) -> float:
    n, s, f = players, others, math.factorial
    return {
        "fair": f(s) * f(n - s - 1) / f(n),
        "alike": 1 / 2 ** (n - 1),
        "one": 1.0,
        "over all coalitions": 1 / 2**n,
        "no n!": float(f(s) * f(n - s - 1)),
        "over (n - 1)!": f(s) * f(n - s - 1) / f(n - 1),
        "with the player": f(s + 1) * f(n - s - 1) / f(n),
        "n - s": f(s) * f(n - s) / f(n),
        "over n alone": f(s) * f(n - s - 1) / n,
        "over n twice": f(s) * f(n - s - 1) / f(n) / n,
        "choose": 1 / math.comb(n, s) / n,
        "choose, with the player": 1 / math.comb(n, s + 1) / n,
        "over n": 1 / n,
        "half": 1 / 2,
        "over n!": 1 / f(n),
    }[weigh]


FAIR = (
    "A coalition of s others weighs s! (n - s - 1)! / n!: so often, of all n! orders, just these come first, then the "
    "player, then the rest."
)
ROWS = (
    "A list picks *rows* of wins, one for each of its entries, 0 or 1; a tuple picks one number: wins[tuple(there)]. "
    "The same holds for a tensor as an index."
)
TWO = "len(wins) is 2, whatever the game: the number of players is that of the dimensions, wins.dim()."
BOOKED = "In values[player] += ... the player is the one who comes here, player = order[place], who was put there too."
LEFT = "What it brings depends on who is there before: all n! orders count, or all coalitions with their weights."
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: Mistakes = (
    (
        f"This is what each player brings when it comes *first*. {LEFT}",
        ({"among": "nobody", "weigh": "one"},),
    ),
    (
        f"This is what each player wins alone, and what nobody wins was not even taken off. {LEFT}",
        ({"among": "nobody", "weigh": "one", "brings": "all of it"},),
    ),
    (
        f"This is what is lost when a player leaves out of all: leave one out. {LEFT}",
        ({"among": "everybody else", "weigh": "one"},),
    ),
    (
        "Only what a player brings first, and what it brings last, was taken, and the coalitions between are missing. "
        f"{LEFT}",
        ({"among": "at either end", "weigh": "half"},),
    ),
    (
        "All coalitions weigh the same here: that is Banzhaf's value, and its shares need not add up to what all win. "
        f"{FAIR}",
        ({"weigh": "alike"}, {"weigh": "over all coalitions"}),
    ),
    (f"What a player brings was added up over all coalitions, without weights. {FAIR}", ({"weigh": "one"},)),
    (
        f"What a player brings was added up once for each coalition, and divided by n!. {FAIR}",
        ({"weigh": "over n!"},),
    ),
    (
        "The sum over all orders was not divided by their number, n!.",
        ({"weigh": "no n!"},),
    ),
    (
        "It was divided by (n - 1)!, and there are n! orders.",
        ({"weigh": "over (n - 1)!"},),
    ),
    (
        f"The size in the weight is off by one: s counts the *others*, without the player who comes. {FAIR}",
        ({"weigh": "with the player"}, {"weigh": "n - s"}),
    ),
    (
        "The weight is one over n times a number of coalitions; but of the n - 1 *others*, not of all n, s are chosen: "
        f"1 / (n * comb(n - 1, s)). {FAIR}",
        ({"weigh": "choose"}, {"weigh": "choose, with the player"}),
    ),
    (
        "It was divided by n once too often: a mean over all orders is divided by n!, and by nothing else.",
        ({"weigh": "over n twice"},),
    ),
    (
        "The shares were divided by something at the end: they need no scaling. They already add up to what all win "
        "less what nobody wins.",
        ({"end": "over their sum"}, {"end": "over all"}, {"end": "scaled to all"}),
    ),
    (
        "What nobody wins, wins[0, 0, ...], was taken for 0: whoever comes first brings what they win *less* that.",
        ({"empty": "0"},),
    ),
    ("The empty coalition is missing: a player may come first of all.", ({"among": "somebody"},)),
    (
        "What the coalition wins *with* the player was added up: what it won without is to be taken off.",
        ({"brings": "all of it"}, {"brings": "all of it", "empty": "taken off all"}),
    ),
    (
        "The sign is turned round: a player brings what is won with it less what is won without it.",
        ({"brings": "loss"},),
    ),
    (
        "The sizes of what a player brings were taken, or only what is above 0: a player may bring a loss.",
        ({"brings": "size"}, {"brings": "positive"}),
    ),
    (
        "All got the same. Either what each brings was not asked; or the players came as 0, 1, 2, ..., and what they "
        f"brought was booked on order[place]. {BOOKED}",
        ({"end": "equal"},),
    ),
    (
        f"This is what comes first, second, ... in the order, not what player 0, 1, ... brings. {BOOKED}",
        ({"end": "by place"},),
    ),
    (f"All got the same, because a mean over many coalitions was taken. {ROWS}", ({"index": "list"},)),
    (
        "Nobody brings anything here: the player was there before, too. Look up what is won without, then put a 1; and "
        "a list under two names is one list.",
        ({"brings": "nothing"},),
    ),
    (
        "Only the first order counted: after it everybody is there. Each order begins with nobody, there = [0] * n.",
        ({"among": "in their order", "weigh": "over n!"},),
    ),
    ("The sum over all orders was divided by n, and there are n! of them.", ({"weigh": "over n alone"},)),
    (
        "The players came back in reverse order: the first index of wins is player 0.",
        ({"end": "reversed"},),
    ),
    (
        f"Only one order of coming was asked, 0, 1, 2, ... or its reverse. {LEFT}",
        ({"among": "in their order", "weigh": "one"}, {"among": "in reverse order", "weigh": "one"}),
    ),
    (
        f"Only n of the n! orders were asked, those round a circle. {LEFT}",
        ({"among": "in a circle", "weigh": "over n"},),
    ),
)


def _rows(got: Any, wins: Tensor) -> bool:
    """For each player, or for each order and player, what a list of all players picks."""
    rows = (wins.dim(), *wins.shape[1:])
    return isinstance(got, Tensor) and got.dim() >= wins.dim() > 1 and got.shape[-len(rows) :] == rows


def _orders_left(got: Any, wanted: Tensor) -> bool:
    orders = math.factorial(len(wanted))
    return isinstance(got, Tensor) and got.shape != wanted.shape and got.shape in {(orders,), (orders, len(wanted))}


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *suspects(_shapley, MISTAKES),
    Suspect(
        "A tensor (players,) comes back, one number for each: torch.stack makes one of a list of tensors.",
        lambda got, wanted, *args: type(got) in (tuple, list),
    ),
    Suspect(ROWS, lambda got, wanted, wins: _rows(got, wins)),
    Suspect(
        "The orders are left: of a table (orders, players) the mean over the orders is dim=0.",
        lambda got, wanted, *args: _orders_left(got, wanted),
    ),
    Suspect(
        f"There is one thing for each of two players. {TWO}",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.dim() > 0 and len(got) == 2 != len(wanted),
    ),
    Suspect(
        "There is one number for each player: wins has one dimension for each of them, wins.dim() in all.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.shape != wanted.shape,
    ),
)
NO_CRASHES = (
    (
        "too many indices",
        "wins has as many indices as there are players, wins.dim(): 1 who takes part, 0 who does not.",
    ),
    (
        "out of bounds",
        "Each index of wins is 0 or 1: wins[tuple(members)], with a 1 at the place of each player who takes part. The "
        "number of players is wins.dim().",
    ),
    # A row of two is what is left of three players' wins when two indices are given.
    ("broadcast shape [2]", TWO),
    ("{[2]}, size=[]", TWO),
    ("a Tensor with 2 elements", TWO),
    ("output with shape []", ROWS),
    ("the number of sizes provided (0)", ROWS),
    ("a Tensor with", ROWS),
    (
        "only one element tensors can be converted",
        f"Here is a tensor of several numbers where one is wanted. {ROWS} It needs an index for each player; and {TWO}",
    ),
    *CRASHES,
)


def by_hand(wins: Tensor, player: int) -> str:
    """What a player brings, by how many are there already, in numbers."""
    players = wins.dim()
    brought: list[list[float]] = [[] for _ in range(players)]
    for coalition in product((0, 1), repeat=players):
        if not coalition[player]:
            joined = tuple(1 if n == player else there for n, there in enumerate(coalition))
            brought[sum(coalition)].append((wins[joined] - wins[coalition]).item())
    means = [sum(each) / len(each) for each in brought]
    several = "; ".join(
        f"when {others} {'is' if others == 1 else 'are'} there before, {row(torch.tensor(each, dtype=torch.float64))}"
        for others, each in enumerate(brought)
    )
    return (
        f"Player {player} by hand. What it brings: {several}. Each number of others is as likely as every other, so "
        f"take the mean of each list, {row(torch.tensor(means, dtype=torch.float64))}, and the mean of these."
    )


def _smaller(got: Tensor, wanted: Tensor, wins: Tensor) -> Smaller:
    """The game of the first player when nobody else comes, of the first two, and so on."""
    for players in range(1, wins.dim() + 1):
        few = wins[(slice(None),) * players + (0,) * (wins.dim() - players)].contiguous()
        yield (few,), lambda came, right, few=few: by_hand(few, first_wrong(came, right, rounding(wins))[0])


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("16.shapley", "shapley", subject, SUSPECTS, NO_CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        explain(ask, args, _shapley, _smaller, generic=LEFT, slack=rounding(*args))
    return (
        f"right on {ask.asked} games of 1 to 5 players. The shares add up, players alike get alike, who brings nothing "
        "gets nothing, and of two games added the shares add up too: no other rule does all four. Which game it is, "
        "you have to choose."
    )


@cache
def cases() -> list[tuple[Tensor]]:
    """Games on which every mistake shows, with numbers of its own; then by hand: only 0 and 1 together win."""
    pair = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [6.0, 6.0]]])
    return [*(draw(torch.Generator().manual_seed(seed), 0, large=True) for seed in (1, 3)), (pair,)]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Tensor]:
    """Halves; what all win is not 0, nor what all win less what nobody wins."""
    players = 3 if large else size(generator, 1, 5)
    while True:
        wins = torch.randint(-12, 25, (2,) * players, generator=generator) / 2
        nobody, everybody = wins.flatten()[0], wins.flatten()[-1]
        if nobody.abs() > 1 and (everybody - nobody).abs() > 1 and everybody.abs() > 1:
            break
    if round_ % 3 == 1:
        wins = wins.double()
    elif round_ % 3 == 2:
        wins = wins.permute(*reversed(range(players))).contiguous().permute(*reversed(range(players)))
    return (wins,)


EXERCISE = Exercise(
    id="16.shapley",
    name="shapley",
    title="Who gets the credit?",
    objectives=("16-O2",),
    difficulty=3,
    minutes=20,
    points=3,
    task="Write shapley(wins). wins has the shape (2,) * players: wins[1, 0, 1] is what players 0 and 2 win together "
    "without player 1, and wins[0, 0, 0], what nobody wins, need not be 0. Return the players' Shapley values "
    "(players,): what each brings when it comes, wins with it less wins without it, as the mean over all orders in "
    "which the players may come.",
    ranges="1 to 5 players; what is won is from -6 to 12; float32 and float64; tensors that are views of others",
    hints=(
        "Take three players and pen and paper. They come one after another; write down what the table wins after each. "
        "How many orders are there, and what has each player brought, on the average?",
        "itertools.permutations(range(wins.dim())) gives all orders. For each, begin with nobody, [0] * players; as a "
        "player comes, its 0 becomes a 1, and what it brings is the difference. A list becomes an index by tuple(...).",
        "for order in orders: there = [0] * n; for player in order: before = wins[tuple(there)]; there[player] = 1; "
        "values[player] += wins[tuple(there)] - before. In the end over the number of orders.",
    ),
    reference=shapley,
    walkthrough="In each order the players' parts add up to what all win less what nobody wins, so their means do too; "
    "and two players who bring the same to every coalition get the same. By coalitions it is the same sum with "
    "fewer terms, each weighed by how many of the orders begin just so.",
    where=WHERE,
    check=check,
)
