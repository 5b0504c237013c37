"""Named wrong answers of chapter 16, with the words that each diagnosis must hold; and right ones in other styles.

Every answer is written as a learner would write it, in another style than the references.
"""

import itertools
import math

import torch
from dlcourse_answers import right, wrong
from torch.nn import functional


def named(register, name, answer):
    answer.__name__ = name
    register(answer)


def logits(x, w1, b1, w2, b2):
    return torch.tanh(x @ w1.T + b1) @ w2.T + b2


# --- 16.ig ----------------------------------------------------------------------------------------------------------


def middles(steps):
    return [(k + 0.5) / steps for k in range(steps)]


def straight(x, baseline, alpha):
    return baseline + alpha * (x - baseline)


def label_logit(z, labels):
    return z.gather(1, labels[:, None]).sum()


def change(x, baseline):
    return x - baseline


def the_way(alphas=middles, point=straight, score=label_logit, factor=change, add=torch.add, end=lambda map, n, x: map):
    """A right answer, but for the parts that are given."""

    def answer(x, baseline, labels, steps, *weights):
        summed, places = 0, alphas(steps)
        for alpha in places:
            leaf = point(x, baseline, alpha).detach().clone().requires_grad_(True)
            score(logits(leaf, *weights), labels).backward()
            summed = add(summed, leaf.grad) if torch.is_tensor(summed) else leaf.grad
        return end(factor(x, baseline) * (summed / len(places)), steps, x)

    return answer


named(right("16.ig"), "with_backward", the_way())


@right("16.ig")
def all_points_in_one_pass(x, baseline, labels, steps, *weights):
    alphas = (torch.arange(steps, dtype=x.dtype) + 0.5) / steps
    points = (baseline + alphas[:, None, None] * (x - baseline)).reshape(-1, x.shape[1]).requires_grad_()
    scores = logits(points, *weights)[torch.arange(len(points)), labels.repeat(steps)]
    (slope,) = torch.autograd.grad(scores.sum(), points)
    return slope.reshape(steps, *x.shape).mean(0) * (x - baseline)


@right("16.ig")
def slopes_by_hand(x, baseline, labels, steps, w1, b1, w2, b2):
    total = torch.zeros_like(x)
    for k in range(1, steps + 1):
        point = x + (k - 0.5) / steps * (baseline - x)  # from the other end: the middles are the same
        total = total + ((1 - torch.tanh(point @ w1.T + b1) ** 2) * w2[labels]) @ w1
    return total * (x - baseline) / steps


@right("16.ig")
def leaves_marks_on_the_record(x, baseline, labels, steps, *weights):
    """Numbers are all that a check sees: x marked for the caller too, and a map with its record, pass."""
    x.requires_grad_()
    slopes = []
    for alpha in middles(steps):
        point = straight(x, baseline, alpha)
        slopes += torch.autograd.grad(label_logit(logits(point, *weights), labels), point, create_graph=True)
    return (x - baseline) * torch.stack(slopes).mean(0)


def chosen(z, labels):
    return z[torch.arange(len(z)), labels]


for name, phrase, parts in (
    ("no_factor", "without the factor (x - baseline)", {"factor": lambda x, b: 1}),
    ("factor_x", "The factor is x", {"factor": lambda x, b: x}),
    ("path_from_zero", "The way began at 0 (points alpha * x)", {"point": lambda x, b, a: a * x}),
    (
        "no_baseline_at_all",
        "The baseline was left out twice",
        {"point": lambda x, b, a: a * x, "factor": lambda x, b: x},
    ),
    ("beyond_x", "not on the way", {"point": lambda x, b, a: x + a * (x - b)}),
    ("baseline_added", "not on the way", {"point": lambda x, b, a: b + a * x}),
    ("factor_turned", "The factor has the wrong sign", {"factor": lambda x, b: b - x}),
    ("factor_by_size", "The size of x - baseline", {"factor": lambda x, b: (x - b).abs()}),
    ("left_ends", "The *left* end", {"alphas": lambda n: [k / n for k in range(n)]}),
    ("right_ends", "The *right* end", {"alphas": lambda n: [(k + 1) / n for k in range(n)]}),
    ("linspace", "Both ends of the way", {"alphas": lambda n: torch.linspace(0, 1, n).tolist()}),
    ("linspace_one_more", "Both ends of the way", {"alphas": lambda n: torch.linspace(0, 1, n + 1).tolist()}),
    ("inner_points", "(k + 1) / (steps + 1)", {"alphas": lambda n: [(k + 1) / (n + 1) for k in range(n)]}),
    ("at_x_alone", "The slope was asked for at x alone", {"alphas": lambda n: [1.0]}),
    ("input_x_gradient", "at x alone", {"alphas": lambda n: [1.0], "factor": lambda x, b: x}),
    ("saliency", "at x alone", {"alphas": lambda n: [1.0], "factor": lambda x, b: 1}),
    ("at_the_baseline", "at the baseline alone", {"alphas": lambda n: [0.0]}),
    ("half_way_alone", "once, half-way", {"alphas": lambda n: [0.5]}),
    ("last_slope", "Only the slope of the last point", {"add": lambda old, new: new, "end": lambda m, n, x: m * n}),
    ("sum", "not divided by steps", {"end": lambda m, n, x: m * n}),
    ("divided_twice", "divided by steps twice", {"end": lambda m, n, x: m / n}),
    ("mean_over_the_batch", "the *mean* of the scores", {"score": lambda z, y: chosen(z, y).mean()}),
    ("probability", "this is its probability", {"score": lambda z, y: chosen(z.softmax(1), y).sum()}),
    ("log_probability", "log-probability", {"score": lambda z, y: chosen(z.log_softmax(1), y).sum()}),
    (
        "cross_entropy",
        "The cross-entropy was explained",
        {"score": lambda z, y: functional.cross_entropy(z, y, reduction="sum")},
    ),
    ("largest_logit", "the network's own answer", {"score": lambda z, y: z.amax(1).sum()}),
    ("all_logits", "All logits were added up", {"score": lambda z, y: z.sum()}),
    ("first_label_for_all", "One class was taken for all rows", {"score": lambda z, y: z[:, y[0]].sum()}),
    ("class_0_for_all", "One class was taken for all rows", {"score": lambda z, y: z[:, 0].sum()}),
    ("every_label_for_each", "takes *every* label", {"score": lambda z, y: z[:, y].sum()}),
    ("sizes", "The sizes came back", {"end": lambda m, n, x: m.abs()}),
    ("positive_part", "What speaks against the class", {"end": lambda m, n, x: m.relu()}),
    ("shares", "divided by its sum", {"end": lambda m, n, x: m / m.sum(1, keepdim=True)}),
    ("row_sums", "The features were added up", {"end": lambda m, n, x: m.sum(1)}),
    ("a_pair", "One map, a tensor of the shape of x", {"end": lambda m, n, x: (m, m.sum(1))}),
    ("in_half_precision", "The dtype should be", {"end": lambda m, n, x: m.half()}),
    (
        "a_tenth_less",
        "One example and one step, in numbers. The only point is half-way",
        {"end": lambda m, n, x: 0.9 * m},
    ),
    (
        "steps_plus_one",
        "With one step this example is right",
        {"end": lambda m, n, x: m if n == 1 else m * n / (n + 1)},
    ),
    (
        "brought_to_the_largest_of_the_batch",
        "Each example alone is right",
        {"end": lambda m, n, x: m if len(m) == 1 else m / m.abs().max()},
    ),
    ("nothing", "Nothing was returned", {"end": lambda m, n, x: None}),
):
    named(wrong("16.ig", phrase), name, the_way(**parts))


@wrong("16.ig", "alpha times what it was")
def slope_for_x(x, baseline, labels, steps, *weights):
    leaf, total = x.clone().requires_grad_(), 0
    for alpha in middles(steps):
        scores = logits(baseline + alpha * (leaf - baseline), *weights)
        total = total + torch.autograd.grad(label_logit(scores, labels), leaf)[0]
    return (x - baseline) * total / steps


@wrong("16.ig", "The sizes of the slopes were added")
def sizes_of_slopes(x, baseline, labels, steps, *weights):
    total = torch.zeros_like(x)
    for alpha in middles(steps):
        leaf = straight(x, baseline, alpha).requires_grad_()
        total += torch.autograd.grad(label_logit(logits(leaf, *weights), labels), leaf)[0].abs()
    return (x - baseline) * total / steps


@wrong("16.ig", "All examples got the same mean slope")
def one_slope_for_all(x, baseline, labels, steps, *weights):
    total = torch.zeros(x.shape[1], dtype=x.dtype)
    for alpha in middles(steps):
        leaf = straight(x, baseline, alpha).requires_grad_()
        total += torch.autograd.grad(label_logit(logits(leaf, *weights), labels), leaf)[0].mean(0)
    return (x - baseline) * total / steps


@wrong("16.ig", "Nothing here is on torch's record")
def never_marked(x, baseline, labels, steps, *weights):
    label_logit(logits(x, *weights), labels).backward()
    return x


@wrong("16.ig", ".detach() cuts it off")
def marked_on_the_way(x, baseline, labels, steps, *weights):
    x.requires_grad_()
    return straight(x, baseline, 0.5).requires_grad_(False)


@wrong("16.ig", "There is a score for each example, and torch wants one number: their sum")
def a_score_for_each(x, baseline, labels, steps, *weights):
    leaf = straight(x, baseline, 0.5).requires_grad_()
    return torch.autograd.grad(chosen(logits(leaf, *weights), labels), leaf)[0] * (x - baseline)


@wrong("16.ig", "alpha times what it was")
def added_up_in_x_grad(x, baseline, labels, steps, *weights):
    x.requires_grad_()
    for alpha in middles(steps):
        label_logit(logits(straight(x, baseline, alpha), *weights), labels).backward()
    return (x.detach() - baseline) * x.grad


def one_leaf(point):
    """Its .grad is never emptied."""

    def answer(x, baseline, labels, steps, *weights):
        leaf, total = x.clone().requires_grad_(), torch.zeros_like(x)
        for alpha in middles(steps):
            label_logit(logits(point(leaf, x, baseline, alpha), *weights), labels).backward()
            total += leaf.grad
        return (x - baseline) * total / steps

    return answer


def moved(leaf, x, baseline, alpha):
    leaf.data = straight(x, baseline, alpha)
    return leaf


for name, phrase, point in (
    ("one_leaf_for_all_steps", "Besides, it was asked for in x", lambda leaf, x, b, alpha: straight(leaf, b, alpha)),
    ("one_leaf_that_moves", "counted again in every step. Each point is a leaf of its own", moved),
):
    named(wrong("16.ig", phrase), name, one_leaf(point))


def forgets_the_first_of_a_tuple(use):
    def answer(x, baseline, labels, steps, *weights):
        leaf = straight(x, baseline, 0.5).requires_grad_()
        return use(torch.autograd.grad(label_logit(logits(leaf, *weights), labels), leaf), x - baseline)

    return answer


def written_into(slope, way):
    total = torch.zeros_like(way)
    total += slope
    return total


for name, use in (
    ("a_tensor_plus_a_tuple", lambda slope, way: torch.zeros_like(way) + slope),
    ("a_tuple_is_added", written_into),
    ("sum_of_tuples", lambda slope, way: sum([slope, slope])),
    ("stack_of_tuples", lambda slope, way: torch.stack([slope, slope]).mean(0)),
    ("a_tensor_times_a_tuple", lambda slope, way: way * slope),
    ("a_tuple_over_steps", lambda slope, way: slope / 4),
    ("a_tuple_times_a_number", lambda slope, way: slope * 0.25),
    ("mean_of_a_tuple", lambda slope, way: torch.mean(slope)),
    ("a_tuple_s_own_mean", lambda slope, way: slope.mean(0)),
):
    named(wrong("16.ig", "autograd.grad returns a tuple"), name, forgets_the_first_of_a_tuple(use))


@wrong("16.ig", "The score does not depend on the tensor")
def a_leaf_nobody_used(x, baseline, labels, steps, *weights):
    leaf, marked = x.clone().requires_grad_(), x.clone().requires_grad_()
    return torch.autograd.grad(label_logit(logits(marked, *weights), labels), leaf)[0]


@wrong("16.ig", "gather wants an index with as many dimensions")
def gathered_by_a_row(x, baseline, labels, steps, *weights):
    return logits(x, *weights).gather(1, labels)


@wrong("16.ig", "alpha is one number at a time")
def all_alphas_in_a_row(x, baseline, labels, steps, *weights):
    return baseline + torch.tensor(middles(steps * 7)) * (x - baseline)


# --- 16.shapley -----------------------------------------------------------------------------------------------------


def fair(n, s):
    return math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n)


def brought(with_it, without):
    return with_it - without


def by_coalitions(weight=fair, gain=brought, skip=lambda n, s: False, start=lambda wins: wins, end=lambda v, wins: v):
    """A right answer, but for the parts that are given."""

    def answer(wins):
        n, wins_of = wins.dim(), start(wins)
        values = []
        for i in range(n):
            total = torch.zeros((), dtype=wins.dtype)
            rest = [j for j in range(n) if j != i]
            for s in range(n):
                for others in itertools.combinations(rest, s):
                    if skip(n, s):
                        continue
                    without = [int(j in others) for j in range(n)]
                    with_it = [int(j in others or j == i) for j in range(n)]
                    total = total + weight(n, s) * gain(wins_of[tuple(with_it)], wins_of[tuple(without)])
            values.append(total)
        return end(torch.stack(values), wins)

    return answer


named(right("16.shapley"), "by_the_weights_of_coalitions", by_coalitions())


@right("16.shapley")
def all_coalitions_at_once(wins):
    n = wins.dim()
    values = []
    for i in range(n):
        without, with_it = wins.select(i, 0).reshape(-1), wins.select(i, 1).reshape(-1)
        size = torch.tensor([bin(k).count("1") for k in range(2 ** (n - 1))])
        weight = torch.tensor([fair(n, int(s)) for s in size], dtype=wins.dtype)
        values.append((weight * (with_it - without)).sum())
    return torch.stack(values)


@right("16.shapley")
def orders_with_memory(wins):
    n, total = wins.dim(), {}
    for order in itertools.permutations(range(n)):
        for place, i in enumerate(order):
            first = sum(1 << j for j in order[:place])
            total[i] = total.get(i, 0.0) + of_set(wins, first | 1 << i) - of_set(wins, first)
    return torch.tensor([total[i] / math.factorial(n) for i in range(n)], dtype=wins.dtype)


def of_set(wins, members):
    return wins[tuple(members >> j & 1 for j in range(wins.dim()))].item()


@right("16.shapley")
def by_dividends(wins):
    """Harsanyi: each coalition's own surplus is shared equally among its members."""
    n, surplus, values = wins.dim(), {}, torch.zeros_like(wins.flatten()[: wins.dim()])
    for members in sorted(range(2**n), key=lambda k: bin(k).count("1")):
        parts = sum(surplus[k] for k in surplus if k & members == k)
        surplus[members] = of_set(wins, members) - parts
        for i in range(n):
            if members >> i & 1:
                values[i] += surplus[members] / bin(members).count("1")
    return values


def zero_for_nobody(wins):
    wins = wins.clone()
    wins[(0,) * wins.dim()] = 0
    return wins


def everybody(wins):
    return wins[(1,) * wins.dim()]


def nobody(wins):
    return wins[(0,) * wins.dim()]


def one(n, s):
    return 1.0


def one_too_few_times(n, s):
    return fair(n, s) * math.factorial(n) / n


for name, phrase, parts in (
    ("first_of_all", "when it comes *first*", {"weight": one, "skip": lambda n, s: s > 0}),
    (
        "alone_without_taking_off",
        "what nobody wins was not even taken off",
        {"weight": one, "skip": lambda n, s: s > 0, "gain": lambda a, b: a},
    ),
    ("leave_one_out", "leave one out", {"weight": one, "skip": lambda n, s: s < n - 1}),
    (
        "first_and_last",
        "the coalitions between are missing",
        {"weight": lambda n, s: 1.0 if n == 1 else 0.5, "skip": lambda n, s: 0 < s < n - 1},
    ),
    ("banzhaf", "Banzhaf's value", {"weight": lambda n, s: 0.5 ** (n - 1)}),
    ("over_all_coalitions", "Banzhaf's value", {"weight": lambda n, s: 0.5**n}),
    ("no_weights", "without weights", {"weight": one}),
    ("each_once_over_n_factorial", "divided by n!", {"weight": lambda n, s: 1 / math.factorial(n)}),
    ("not_divided", "was not divided by their number, n!", {"weight": lambda n, s: fair(n, s) * math.factorial(n)}),
    ("over_n_less_one_factorial", "and there are n! orders", {"weight": lambda n, s: fair(n, s) * n}),
    (
        "size_with_the_player",
        "off by one",
        {"weight": lambda n, s: math.factorial(s + 1) * math.factorial(n - s - 1) / math.factorial(n)},
    ),
    (
        "size_of_the_rest",
        "off by one",
        {"weight": lambda n, s: math.factorial(s) * math.factorial(n - s) / math.factorial(n)},
    ),
    ("comb_of_all", "not of all n", {"weight": lambda n, s: 1 / (n * math.comb(n, s))}),
    ("divided_by_n_too", "once too often", {"weight": lambda n, s: fair(n, s) / n}),
    ("shares_of_the_sum", "they need no scaling", {"end": lambda v, w: v / v.sum()}),
    ("shares_of_all", "they need no scaling", {"end": lambda v, w: v / everybody(w)}),
    ("scaled_to_all", "they need no scaling", {"end": lambda v, w: v * everybody(w) / v.sum()}),
    ("nobody_wins_nothing", "was taken for 0", {"start": zero_for_nobody}),
    ("without_the_empty_one", "The empty coalition is missing", {"skip": lambda n, s: s == 0}),
    ("with_it_only", "what it won without is to be taken off", {"gain": lambda a, b: a}),
    (
        "with_it_less_nobody",
        "what it won without is to be taken off",
        {"start": lambda w: w - nobody(w), "gain": lambda a, b: a},
    ),
    ("turned_round", "The sign is turned round", {"gain": lambda a, b: b - a}),
    ("sizes", "a player may bring a loss", {"gain": lambda a, b: (a - b).abs()}),
    ("gains_only", "a player may bring a loss", {"gain": lambda a, b: (a - b).clamp(min=0)}),
    ("over_n_for_n_factorial", "was divided by n, and there are n! of them", {"weight": one_too_few_times}),
    (
        "equal_shares",
        "All got the same. Either what each brings was not asked",
        {"end": lambda v, w: torch.full_like(v, float(v.mean()))},
    ),
    ("reversed_players", "in reverse order", {"end": lambda v, w: v.flip(0)}),
    ("a_tenth_less", "Player 0 by hand. What it brings: when 0 are there before", {"end": lambda v, w: 0.9 * v}),
    (
        "right_for_two_only",
        "when 2 are there before",
        {"end": lambda v, w: v if len(v) < 3 else v + torch.tensor([0.5] + [0.0] * (len(v) - 1)).to(v)},
    ),
    ("a_list", "torch.stack makes one", {"end": lambda v, w: v.tolist()}),
    ("one_number", "There is one number for each player", {"end": lambda v, w: v.sum()}),
    ("nothing", "Nothing was returned", {"end": lambda v, w: None}),
):
    named(wrong("16.shapley", phrase), name, by_coalitions(**parts))


def some_orders(orders):
    def answer(wins):
        n, values = wins.dim(), torch.zeros_like(wins.flatten()[: wins.dim()])
        for order in orders(n):
            for place, i in enumerate(order):
                before = sum(1 << j for j in order[:place])
                values[i] += of_set(wins, before | 1 << i) - of_set(wins, before)
        return values / len(orders(n))

    return answer


for name, phrase, orders in (
    ("one_order", "Only one order of coming", lambda n: [list(range(n))]),
    ("the_reverse_order", "Only one order of coming", lambda n: [list(range(n))[::-1]]),
    ("round_a_circle", "those round a circle", lambda n: [[(f + k) % n for k in range(n)] for f in range(n)]),
):
    named(wrong("16.shapley", phrase), name, some_orders(orders))


def in_every_order(come, index=tuple, reset=True):
    """come(place, player) -> who is put there, and whom it is booked on."""

    def answer(wins):
        n = wins.dim()
        values, there = torch.zeros(n, dtype=wins.dtype), [0] * n
        for order in itertools.permutations(range(n)):
            if reset:
                there = [0] * n
            for place, player in enumerate(order):
                who, booked = come(place, player)
                before = wins[index(there)]
                there[who] = 1
                values[booked] += wins[index(there)] - before
        return values / math.factorial(n)

    return answer


def the_player(place, player):
    return player, player


named(right("16.shapley"), "in_every_order", in_every_order(the_player))
for name, phrase, how in (
    (
        "booked_on_another",
        "what they brought was booked on order[place]",
        {"come": lambda place, player: (place, player)},
    ),
    (
        "booked_by_place",
        "This is what comes first, second, ... in the order",
        {"come": lambda place, player: (player, place)},
    ),
    (
        "nobody_leaves_again",
        "Each order begins with nobody",
        {"come": the_player, "reset": False},
    ),
    ("a_list_into_a_vector", "A list picks *rows* of wins", {"come": the_player, "index": list}),
    ("an_index_tensor_into_a_vector", "A list picks *rows* of wins", {"come": the_player, "index": torch.tensor}),
):
    named(wrong("16.shapley", phrase), name, in_every_order(**how))


def from_a_table(brings, join):
    """What each brings in each order, from wins of the sets without and with the player."""

    def answer(wins):
        n, table = wins.dim(), []
        for order in itertools.permutations(range(n)):
            without = [[int(q in order[: order.index(p)]) for q in range(n)] for p in range(n)]
            with_it = [[int(q in order[: order.index(p) + 1]) for q in range(n)] for p in range(n)]
            table.append(torch.stack([brings(wins, *pair) for pair in zip(with_it, without, strict=True)]))
        return join(torch.stack(table))

    return answer


def by_tuples(wins, with_it, without):
    return wins[tuple(with_it)] - wins[tuple(without)]


def by_lists(wins, with_it, without):
    return wins[with_it] - wins[without]


named(right("16.shapley"), "from_a_table", from_a_table(by_tuples, lambda table: table.mean(0)))
for name, phrase, brings, join in (
    (
        "a_player_who_is_there_already",
        "the player was there before, too",
        lambda wins, with_it, without: by_tuples(wins, with_it, with_it),
        lambda table: table.mean(0),
    ),
    ("a_list_and_mean_0", "A list picks *rows* of wins", by_lists, lambda table: table.mean(0)),
    ("lists_stacked", "A list picks *rows* of wins", by_lists, lambda table: table),
    (
        "a_list_and_its_mean",
        "All got the same, because a mean over many coalitions",
        lambda wins, *pair: by_lists(wins, *pair).mean(),
        lambda table: table.mean(0),
    ),
    ("a_list_into_a_place", "A list picks *rows* of wins", by_lists, lambda table: set_in(table.mean(0))),
    ("mean_of_each_order", "The orders are left", by_tuples, lambda table: table.mean(1)),
    ("all_orders", "The orders are left", by_tuples, lambda table: table),
):
    named(wrong("16.shapley", phrase), name, from_a_table(brings, join))


def set_in(rows):
    values = torch.zeros(len(rows))
    for player, row in enumerate(rows):
        values[player] = row
    return values


def of_len(collect):
    """len(wins) for the number of players."""

    def answer(wins):
        n = len(wins)
        brought = [0] * n
        for order in itertools.permutations(range(n)):
            there = [0] * n
            for player in order:
                before = wins[tuple(there)]
                there[player] = 1
                brought[player] = brought[player] + wins[tuple(there)] - before
        return collect(brought) / math.factorial(n)

    return answer


def added_into_a_vector(rows):
    values = torch.zeros(len(rows))
    for player, row in enumerate(rows):
        values[player] += row
    return values


for name, phrase, collect in (
    ("len_and_a_vector", "len(wins) is 2, whatever the game", added_into_a_vector),
    ("len_and_set_in", "len(wins) is 2, whatever the game", set_in),
    ("len_and_stack", "There is one thing for each of two players", torch.stack),
    ("len_and_item", "len(wins) is 2, whatever the game", lambda rows: torch.tensor([row.item() for row in rows])),
    ("len_and_float", "len(wins) is 2, whatever the game", lambda rows: torch.tensor([float(row) for row in rows])),
):
    named(wrong("16.shapley", phrase), name, of_len(collect))


@wrong("16.shapley", "The dtype should be torch.float64")
def float32_always(wins):
    return torch.tensor(orders_with_memory(wins).tolist())


@wrong("16.shapley", "as many indices as there are players")
def for_four_players(wins):
    return torch.stack([wins[1, 1, 1, 1] - wins[0, 1, 1, 1]])


@wrong("16.shapley", "Each index of wins is 0 or 1")
def indexed_by_numbers_of_players(wins):
    return torch.stack([wins[i] for i in range(5)])


@wrong("16.shapley", "a tuple picks one number: wins[tuple(there)]")
def indexed_by_a_list(wins):
    members = [0] * wins.dim()
    members[0] = 1
    return torch.tensor([float(wins[members])])


@wrong("16.shapley", "An argument was changed")
def writes_into_wins(wins):
    wins[(0,) * wins.dim()] = 0
    return wins.flatten()[: wins.dim()]


# --- 16.cam ---------------------------------------------------------------------------------------------------------


def convolved(x, kernels, bias):
    return functional.conv2d(x, kernels, bias, padding=1)


def read(maps, weight, out_bias):
    return functional.linear(functional.max_pool2d(maps, 2).flatten(1), weight, out_bias)


def over_places(slope):
    return slope.mean(dim=(-2, -1), keepdim=True)


def positive_at_the_end(parts):
    return parts.sum(dim=1).clamp(min=0)


def cam_of(score=label_logit, pool=over_places, join=positive_at_the_end, end=lambda cam: cam, shown=lambda m, b: m):
    """A right answer, but for the parts that are given."""

    def answer(x, labels, kernels, bias, weight, out_bias):
        before = convolved(x, kernels, bias)
        maps = before.relu().detach().requires_grad_()
        score(read(maps, weight, out_bias), labels).backward()
        return end(join(pool(maps.grad) * shown(maps.detach(), before)))

    return answer


named(right("16.cam"), "with_backward", cam_of())


@right("16.cam")
def without_a_slope(x, labels, kernels, bias, weight, out_bias):
    """Max pooling hands the slope of a window to one of its places, so the mean does not depend on which."""
    maps = torch.relu(convolved(x, kernels, bias))
    height, width = maps.shape[2:]
    counts = weight[labels].reshape(len(x), maps.shape[1], -1).sum(2) / (height * width)
    return torch.einsum("nk,nkhw->nhw", counts, maps).relu()


@right("16.cam")
def an_example_at_a_time(x, labels, kernels, bias, weight, out_bias):
    cams = []
    for picture, label in zip(x, labels, strict=True):
        maps = functional.relu(convolved(picture[None], kernels, bias)).requires_grad_()
        (slope,) = torch.autograd.grad(read(maps, weight, out_bias)[0, label], maps)
        cam = sum(s.mean() * m for s, m in zip(slope[0], maps[0].detach(), strict=True))
        cams.append(torch.maximum(cam, torch.zeros_like(cam)))
    return torch.stack(cams)


@right("16.cam")
def kept_on_the_way(x, labels, kernels, bias, weight, out_bias):
    maps = torch.relu(convolved(x.clone().requires_grad_(), kernels, bias))
    maps.retain_grad()
    label_logit(read(maps, weight, out_bias), labels).backward()
    return (over_places(maps.grad) * maps).sum(1).relu()


for name, phrase, parts in (
    ("no_relu", "The ReLU at the end is missing", {"join": lambda p: p.sum(1)}),
    ("relu_before_the_sum", "The ReLU came before the sum", {"join": lambda p: p.relu().sum(1)}),
    ("relu_of_the_weights", "The ReLU came before the sum", {"pool": lambda s: over_places(s).relu()}),
    ("size_of_the_sum", "does not turn it round", {"join": lambda p: p.sum(1).abs()}),
    ("against", "what speaks *against* the class", {"join": lambda p: (-p.sum(1)).relu()}),
    ("sum_over_places", "added up over its places", {"pool": lambda s: s.sum((2, 3), keepdim=True)}),
    ("largest_slope", "The largest slope", {"pool": lambda s: s.amax((2, 3), keepdim=True)}),
    ("place_by_place", "place by place", {"pool": lambda s: s}),
    ("mean_over_the_height", "over the height alone", {"pool": lambda s: s.mean(2, keepdim=True)}),
    (
        "mean_over_the_channels",
        "over the channels, and not over the places",
        {"pool": lambda s: s.mean(1, keepdim=True)},
    ),
    (
        "mean_over_channels_too",
        "over the channels as well",
        {"pool": lambda s: s.mean((1, 2, 3), keepdim=True)},
    ),
    ("one_weight_for_the_batch", "one weight for the whole batch", {"pool": lambda s: s.mean((0, 2, 3), keepdim=True)}),
    ("activations_before_relu", "The activations are those before the ReLU", {"shown": lambda m, b: b}),
    ("weights_alone", "without the activations", {"shown": lambda m, b: torch.ones_like(m)}),
    ("sizes_of_slopes", "The sizes of the slopes", {"pool": lambda s: over_places(s.abs())}),
    ("sizes_of_weights", "The sizes of the slopes", {"pool": lambda s: over_places(s).abs()}),
    ("slopes_above_zero", "Slopes below 0 were dropped", {"pool": lambda s: over_places(s.relu())}),
    ("probability", "this is its probability", {"score": lambda z, y: chosen(z.softmax(1), y).sum()}),
    ("log_probability", "log-probability", {"score": lambda z, y: chosen(z.log_softmax(1), y).sum()}),
    (
        "cross_entropy",
        "The cross-entropy was explained",
        {"score": lambda z, y: functional.cross_entropy(z, y, reduction="sum")},
    ),
    ("own_answer", "the network's own answer", {"score": lambda z, y: z.amax(1).sum()}),
    ("all_logits", "All logits were added up", {"score": lambda z, y: z.sum()}),
    (
        "first_label_for_all",
        "All examples got the weights of one class, or",
        {"score": lambda z, y: z[:, y[0]].sum()},
    ),
    (
        "weights_of_the_first_example",
        "or those of one example, slope[0]",
        {"pool": lambda s: s[0].mean((1, 2))[:, None, None]},
    ),
    (
        "over_channels_and_rows",
        "over the dimensions 1 and 2",
        {"pool": lambda s: s.mean((1, 2), keepdim=True)},
    ),
    (
        "without_a_batch",
        "dimension 0 is the examples, dimension 1 the channels",
        {"pool": lambda s: s.mean((1, 2))[:, None, None], "join": lambda p: p.sum(0).clamp(min=0)},
    ),
    (
        "examples_added_up",
        "dimension 0 is the examples, dimension 1 the channels",
        {"join": lambda p: p.sum(0).relu()},
    ),
    ("every_label_for_each", "takes *every* label", {"score": lambda z, y: z[:, y].sum()}),
    ("mean_over_the_batch", "the *mean* of the scores", {"score": lambda z, y: chosen(z, y).mean()}),
    ("mean_of_channels", "The channels were averaged", {"join": lambda p: p.mean(1).relu()}),
    ("over_its_largest", "from 0 to 1", {"end": lambda c: c / c.amax((1, 2), keepdim=True)}),
    ("over_the_largest_of_all", "from 0 to 1", {"end": lambda c: c / c.max()}),
    ("channels_kept", "sum over the channels, dim=1", {"join": lambda p: p.relu()}),
    ("a_list", "One tensor comes back", {"end": list}),
    ("a_tenth_less", "One example, one place, in numbers", {"end": lambda c: 0.9 * c}),
    (
        "brought_together",
        "Each example alone is right",
        {"end": lambda c: c if len(c) == 1 else c * torch.arange(1, len(c) + 1)[:, None, None].to(c)},
    ),
    ("no_keepdim", "one number for each map", {"pool": lambda s: s.mean((2, 3))}),
    ("nothing", "Nothing was returned", {"end": lambda c: None}),
):
    named(wrong("16.cam", phrase), name, cam_of(**parts))


@wrong("16.cam", "This is made of x and the slope for x")
def slope_for_the_pixels(x, labels, kernels, bias, weight, out_bias):
    x.requires_grad_()
    label_logit(read(convolved(x, kernels, bias).relu(), weight, out_bias), labels).backward()
    return positive_at_the_end(over_places(x.grad) * x.detach())


@wrong("16.cam", "The slope was asked for x, and then multiplied with the maps")
def slope_for_the_pixels_times_maps(x, labels, kernels, bias, weight, out_bias):
    leaf = x.clone().requires_grad_()
    maps = convolved(leaf, kernels, bias).relu()
    (slope,) = torch.autograd.grad(label_logit(read(maps, weight, out_bias), labels), leaf)
    return positive_at_the_end(over_places(slope) * maps.detach())


@wrong("16.cam", "The slope was asked for x, and then multiplied with the maps")
def pixel_by_pixel_times_maps(x, labels, kernels, bias, weight, out_bias):
    leaf = x.clone().requires_grad_()
    maps = convolved(leaf, kernels, bias).relu()
    (slope,) = torch.autograd.grad(label_logit(read(maps, weight, out_bias), labels), leaf)
    return positive_at_the_end(slope * maps.detach())


@wrong("16.cam", "There is a score for each example, and torch wants one number: their sum")
def weights_for_each_score(x, labels, kernels, bias, weight, out_bias):
    maps = convolved(x, kernels, bias).relu().requires_grad_()
    return torch.autograd.grad(chosen(read(maps, weight, out_bias), labels), maps)[0]


@wrong("16.cam", "autograd.grad returns a tuple")
def a_tuple_times_maps(x, labels, kernels, bias, weight, out_bias):
    maps = convolved(x, kernels, bias).relu().requires_grad_()
    return torch.autograd.grad(label_logit(read(maps, weight, out_bias), labels), maps) * maps


@wrong("16.cam", "that is 0 wherever the ReLU was off")
def slope_before_relu(x, labels, kernels, bias, weight, out_bias):
    before = convolved(x, kernels, bias).requires_grad_()
    label_logit(read(before.relu(), weight, out_bias), labels).backward()
    return positive_at_the_end(over_places(before.grad) * before.relu().detach())


@wrong("16.cam", "The activations are those before the ReLU")
def all_before_relu(x, labels, kernels, bias, weight, out_bias):
    before = convolved(x, kernels, bias).requires_grad_()
    label_logit(read(before.relu(), weight, out_bias), labels).backward()
    return positive_at_the_end(over_places(before.grad) * before.detach())


@wrong("16.cam", "Nothing here is on torch's record")
def no_record(x, labels, kernels, bias, weight, out_bias):
    maps = convolved(x, kernels, bias).relu()
    return torch.autograd.grad(label_logit(read(maps, weight, out_bias), labels), maps)[0]


@wrong("16.cam", "features is in a cell above this one")
def no_features(x, labels, kernels, bias, weight, out_bias):
    return features(x, kernels, bias)  # noqa: F821


# --- 16.patching ----------------------------------------------------------------------------------------------------


def lead(z, one, other):
    return z[one] - z[other]


def share(patched, clean, corrupted):
    return (patched - corrupted) / (clean - corrupted)


def exchange(base, source, raw, k):
    return torch.cat([base[:k], source[k : k + 1], base[k + 1 :]])


def onwards(layer, base, source):
    return layer.relu()


def unit_by_unit(
    metric=lead, report=share, put=exchange, deeper=onwards, turned=False, end=lambda first, second: (first, second)
):
    """A right answer, but for the parts that are given."""

    def answer(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3):
        def run(x):
            a = w1 @ x + b1
            b = w2 @ a.relu() + b2
            return a, a.relu(), b, b.relu()

        def measure(second):
            return metric(w3 @ second + b3, one, other)

        source, base = run(clean), run(corrupted)
        high, low = measure(source[3]), measure(base[3])
        if turned:
            source, base = base, source
        first, second = [], []
        for k in range(len(b1)):
            patched = put(base[1], source[1], source[0], k)
            first.append(report(measure(deeper(w2 @ patched + b2, base[3], source[3])), high, low))
        for k in range(len(b2)):
            second.append(report(measure(put(base[3], source[3], source[2], k)), high, low))
        return end(torch.stack(first), torch.stack(second))

    return answer


named(right("16.patching"), "a_unit_at_a_time", unit_by_unit())


@right("16.patching")
def as_a_batch_of_patches(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3):
    def layer(x, weight, bias):
        return functional.linear(x, weight, bias).relu()

    both = torch.stack([clean, corrupted])
    first = layer(both, w1, b1)
    second = layer(first, w2, b2)

    def metric(hidden):
        scores = functional.linear(hidden, w3, b3)
        return scores[..., one] - scores[..., other]

    def patched(hidden):
        rows = hidden[1].expand(hidden.shape[1], -1).clone()
        rows.diagonal().copy_(hidden[0])
        return rows

    high, low = metric(second)
    found = metric(layer(patched(first), w2, b2)), metric(patched(second))
    return tuple((each - low) / (high - low) for each in found)


@right("16.patching")
def by_log_probabilities(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3):
    """A difference of two log-probabilities is that of the two logits."""

    def run(x, patch_first=None, patch_second=None):
        first = torch.relu(w1 @ x + b1)
        if patch_first:
            first[patch_first[0]] = patch_first[1]
        second = torch.relu(w2 @ first + b2)
        if patch_second:
            second[patch_second[0]] = patch_second[1]
        surprise = torch.log_softmax(w3 @ second + b3, dim=0)
        return first, second, surprise[one] - surprise[other]

    first, second, high = run(clean)
    low = run(corrupted)[2]
    parts = (
        [run(corrupted, patch_first=(k, first[k]))[2] for k in range(len(first))],
        [run(corrupted, patch_second=(k, second[k]))[2] for k in range(len(second))],
    )
    return tuple(torch.stack([(m - low) / (high - low) for m in part]) for part in parts)


def stays(base, source, raw, k):
    return torch.cat([source[: k + 1], base[k + 1 :]])


def alone(base, source, raw, k):
    """Zero in the place of unit k."""
    return torch.cat([base[:k], torch.zeros_like(base[:1]), base[k + 1 :]])


for name, phrase, parts in (
    ("other_way_round", "the other way round", {"turned": True}),
    (
        "needed",
        "the other way round",
        {"turned": True, "report": lambda m, high, low: (high - m) / (high - low)},
    ),
    (
        "all_but_one",
        "all units but the one",
        {"put": lambda base, source, raw, k: torch.cat([source[:k], base[k : k + 1], source[k + 1 :]])},
    ),
    ("second_kept_corrupted", "it stayed as in the corrupted run", {"deeper": lambda z, base, source: base}),
    ("second_kept_clean", "taken from the clean run", {"deeper": lambda z, base, source: source}),
    ("no_second_relu", "anew without its ReLU", {"deeper": lambda z, base, source: z}),
    ("patches_stay", "The patches stay", {"put": stays}),
    ("whole_layer", "The whole layer was patched at once", {"put": lambda base, source, raw, k: source}),
    ("ablated", "that is an ablation", {"put": alone}),
    ("ablated_in_the_clean_run", "that is an ablation", {"put": alone, "turned": True}),
    ("before_relu", "from *before* the ReLU", {"put": lambda base, source, raw, k: exchange(base, raw, raw, k)}),
    ("the_change", "a difference, a sum", {"put": lambda base, source, raw, k: exchange(base, source - base, raw, k)}),
    ("added", "a difference, a sum", {"put": lambda base, source, raw, k: exchange(base, source + base, raw, k)}),
    ("rise", "was not divided", {"report": lambda m, high, low: m - low}),
    ("metric_itself", "The metric itself came back", {"report": lambda m, high, low: m}),
    ("over_clean", "the metric of the clean run", {"report": lambda m, high, low: (m - low) / high}),
    ("patched_over_clean", "the metric of the clean run", {"report": lambda m, high, low: m / high}),
    ("over_corrupted", "the metric of the corrupted run", {"report": lambda m, high, low: (m - low) / low}),
    ("by_size", "The *size* of the difference", {"report": lambda m, high, low: (m - low) / (high - low).abs()}),
    ("sizes", "The sizes came back", {"report": lambda m, high, low: share(m, high, low).abs()}),
    ("missing", "how much is still missing", {"report": lambda m, high, low: (high - m) / (high - low)}),
    ("from_clean", "taken from the clean run. Wanted", {"report": lambda m, high, low: (m - high) / (high - low)}),
    ("turned_round", "The sign is turned round", {"report": lambda m, high, low: (m - low) / (low - high)}),
    ("clamped", "cut to [0, 1]", {"report": lambda m, high, low: share(m, high, low).clamp(0, 1)}),
    ("per_cent", "in per cent", {"report": lambda m, high, low: 100 * share(m, high, low)}),
    ("sum_of_one", "brought to a sum of 1", {"end": lambda a, b: (a / a.sum(), b / b.sum())}),
    ("one_logit", "this is one logit alone", {"metric": lambda z, one, other: z[one]}),
    ("the_other_logit", "this is one logit alone", {"metric": lambda z, one, other: z[other]}),
    ("probability", "these are probabilities", {"metric": lambda z, one, other: z.softmax(0)[one]}),
    ("probabilities", "these are probabilities", {"metric": lambda z, one, other: lead(z.softmax(0), one, other)}),
    ("log_probability", "this is a log-probability", {"metric": lambda z, one, other: z.log_softmax(0)[one]}),
    ("largest_logit", "the largest logit was taken", {"metric": lambda z, one, other: z.max() - z[other]}),
    ("all_logits", "All logits were added up", {"metric": lambda z, one, other: z.sum()}),
    ("reversed", "in reverse order", {"end": lambda a, b: (b, a)}),
    ("second_alone", "Two tensors come back", {"end": lambda a, b: b}),
    ("a_list", "Two tensors come back", {"end": lambda a, b: [a, b]}),
    ("lists", "Both parts are tensors", {"end": lambda a, b: (a.tolist(), b.tolist())}),
    ("a_tenth_less", "Unit 0 of first, in numbers", {"end": lambda a, b: (0.9 * a, b)}),
    ("second_a_tenth_less", "of second, in numbers", {"end": lambda a, b: (a, 0.9 * b)}),
    ("nothing", "Nothing was returned", {"end": lambda a, b: None}),
):
    named(wrong("16.patching", phrase), name, unit_by_unit(**parts))


@wrong("16.patching", "The patches stay")
def first_layer_written_over(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3):
    def metric(hidden):
        return lead(w3 @ hidden + b3, one, other)

    source, base = torch.relu(w1 @ clean + b1), torch.relu(w1 @ corrupted + b1)
    high, low = metric(torch.relu(w2 @ source + b2)), metric(torch.relu(w2 @ base + b2))
    first, second = [], []
    for k in range(len(b1)):
        base[k] = source[k]
        first.append(share(metric(torch.relu(w2 @ base + b2)), high, low))
    source, base = torch.relu(w2 @ source + b2), torch.relu(w2 @ base + b2)
    for k in range(len(b2)):
        base[k] = source[k]
        second.append(share(metric(base), high, low))
    return torch.stack(first), torch.stack(second)


@wrong("16.patching", "The patches stay")
def first_patched_under_the_second(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3):
    """The first layer's patches pile up, and the second's are put on top of them."""

    def metric(hidden):
        return lead(w3 @ hidden + b3, one, other)

    source, base = torch.relu(w1 @ clean + b1), torch.relu(w1 @ corrupted + b1)
    second_source, second_base = torch.relu(w2 @ source + b2), torch.relu(w2 @ base + b2)
    high, low = metric(second_source), metric(second_base)
    first, second = [], []
    for k in range(len(b1)):
        base[k] = source[k]
        first.append(share(metric(torch.relu(w2 @ base + b2)), high, low))
    for k in range(len(b2)):
        patched = torch.relu(w2 @ base + b2)
        patched[k] = second_source[k]
        second.append(share(metric(patched), high, low))
    return torch.stack(first), torch.stack(second)


def layer_by_layer(second_from=lambda base, patched: base, pile_up=False, inputs=False):
    """A right answer, but for the parts that are given."""

    def answer(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3):
        def metric(hidden):
            return lead(w3 @ hidden + b3, one, other)

        def deeper(hidden):
            return torch.relu(w2 @ hidden + b2)

        source, base = torch.relu(w1 @ clean + b1), torch.relu(w1 @ corrupted + b1)
        high, low = metric(deeper(source)), metric(deeper(base))
        first, second = [], []
        for k in range(len(clean) if inputs else len(b1)):
            patched = (corrupted if inputs else base).clone()
            patched[k] = (clean if inputs else source)[k]
            hidden = torch.relu(w1 @ patched + b1) if inputs else patched
            first.append(share(metric(deeper(hidden)), high, low))
        source, base = deeper(source), deeper(second_from(base, hidden))
        for k in range(len(b2)):
            patched = base if pile_up else base.clone()
            patched[k] = source[k]
            second.append(share(metric(patched), high, low))
        return torch.stack(first), torch.stack(second)

    return answer


named(right("16.patching"), "layer_by_layer", layer_by_layer())
for name, phrase, parts in (
    ("second_piles_up", "The patches stay", {"pile_up": True}),
    ("second_on_top_of_the_first", "put on top of one in the first", {"second_from": lambda base, patched: patched}),
    ("inputs_patched", "An *input* was patched", {"inputs": True}),
    ("inputs_patched_and_piled_up", "An *input* was patched", {"inputs": True, "pile_up": True}),
):
    named(wrong("16.patching", phrase), name, layer_by_layer(**parts))


@wrong("16.patching", "not with w1")
def begins_again_with_w1(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3):
    wide = torch.cat([torch.relu(w1 @ clean + b1)] * 5)
    return w1 @ wide + b1, w2 @ wide + b2


@wrong("16.patching", "deep_logits is in a cell above this one")
def no_network(clean, corrupted, one, other, *weights):
    return deep_logits(clean, *weights)  # noqa: F821


# --- 16.faithful ----------------------------------------------------------------------------------------------------


def signed(ranking):
    return ranking


def of_label(z, labels, before):
    return z[torch.arange(len(z)), labels]


def the_baseline(x, baseline):
    return baseline.expand_as(x)


def trapezoids(curves):
    return torch.trapezoid(curves, dx=1 / (curves.shape[1] - 1), dim=1)


def below_the_mean(ours, floor):
    return ours < floor.mean(dim=0)


def plainly(curves, area, better):
    return curves, area, better


def deleted(
    rank=signed, score=of_label, fill=the_baseline, area=trapezoids, beats=below_the_mean, end=plainly, stays=True
):
    """A right answer, but for the parts that are given."""

    def answer(x, labels, maps, floor_maps, baseline, *weights):
        new, before = fill(x, baseline), logits(x, *weights).argmax(1)

        def curves_of(many):
            rows = []
            for ranking in rank(many):
                picture, points = x, [score(logits(x, *weights), labels, before)]
                for which in ranking.argsort(dim=1, descending=True).T:
                    goes = functional.one_hot(which, x.shape[1]).bool()
                    picture = torch.where(goes, new, picture if stays else x)
                    points.append(score(logits(picture, *weights), labels, before))
                rows.append(torch.stack(points))
            return torch.stack(rows)

        curves = curves_of(maps)
        ours = area(curves)
        return end(curves, ours, beats(ours, area(curves_of(floor_maps))))

    return answer


named(right("16.faithful"), "one_hot_by_one_hot", deleted())


@right("16.faithful")
def a_feature_at_a_time(x, labels, maps, floor_maps, baseline, *weights):
    features = x.shape[1]

    def curve(ranking, example, label):
        order = sorted(range(features), key=lambda f: ranking[f].item(), reverse=True)
        points = []
        for count in range(features + 1):
            left = example.clone()
            for f in order[:count]:
                left[f] = baseline[f]
            points.append(logits(left[None], *weights)[0, label].item())
        return points

    def curves_of(many):
        rows = [[curve(r, e, y) for r, e, y in zip(m, x, labels, strict=True)] for m in many]
        return torch.tensor(rows, dtype=x.dtype).transpose(1, 2)

    def area(curves):
        inner = curves[:, 1:-1].sum(dim=1)
        return (inner + (curves[:, 0] + curves[:, -1]) / 2) / features

    curves, floor = curves_of(maps), curves_of(floor_maps)
    return curves, area(curves), area(floor).mean(0) > area(curves)


@right("16.faithful")
def all_pictures_at_once(x, labels, maps, floor_maps, baseline, *weights):
    place = torch.cat([maps, floor_maps]).argsort(2, descending=True).argsort(2)
    gone = place[:, None] < torch.arange(x.shape[1] + 1)[:, None, None]
    z = logits(torch.where(gone, baseline, x), *weights)
    curves = (z * functional.one_hot(labels, z.shape[-1]).to(z)).sum(-1)
    area = torch.trapezoid(curves, torch.linspace(0, 1, x.shape[1] + 1, dtype=x.dtype), dim=1)
    return curves[: len(maps)], area[: len(maps)], area[: len(maps)] < area[len(maps) :].mean(0)


def over_the_start(curves, area, better):
    return curves / curves[:, :1], area, better


def largest(z, labels, before):
    return z.amax(1)


def zeros(x, baseline):
    return torch.zeros_like(x)


def first_draw(ours, floor):
    return ours < floor[0]


PLANTED = {
    "sizes": ("among the first, and the score rises", {"rank": torch.abs}),
    "winner": ("The curve follows the winner", {"score": largest}),
    "zero": ("0 was put in the place", {"fill": zeros}),
    "one_draw": ("Only the first random order was the floor", {"beats": first_draw}),
}
for name, (phrase, parts) in PLANTED.items():
    named(wrong("16.faithful", phrase), name, deleted(**parts))
for names in (*itertools.combinations(PLANTED, 2), *itertools.combinations(PLANTED, 3), tuple(PLANTED)):
    parts = {key: value for name in names for key, value in PLANTED[name][1].items()}
    phrase = PLANTED[names[0]][0]
    named(wrong("16.faithful", phrase), "_and_".join(names), deleted(**parts))

for name, phrase, parts in (
    ("smallest_first", "The smallest value of the map goes first", {"rank": lambda m: -m}),
    (
        "order_of_the_mean_map",
        "One order was taken for the whole batch",
        {"rank": lambda m: m.mean(1, keepdim=True).expand_as(m)},
    ),
    (
        "order_of_the_first_example",
        "One order was taken for the whole batch",
        {"rank": lambda m: m[:, :1].expand_as(m)},
    ),
    ("first_answer", "the network's own first answer", {"score": lambda z, y, b: of_label(z, b, b)}),
    ("probability", "Probabilities were taken", {"score": lambda z, y, b: of_label(z.softmax(1), y, b)}),
    ("log_probability", "Probabilities were taken", {"score": lambda z, y, b: of_label(z.log_softmax(1), y, b)}),
    ("largest_probability", "Probabilities were taken", {"score": lambda z, y, b: z.softmax(1).amax(1)}),
    ("class_0", "The logit of one class was taken for all rows", {"score": lambda z, y, b: z[:, 0]}),
    ("label_0", "The logit of one class was taken for all rows", {"score": lambda z, y, b: z[:, y[0]]}),
    (
        "lead",
        "The lead over the other classes",
        {"score": lambda z, y, b: of_label(z, y, b) - z.scatter(1, y[:, None], -math.inf).amax(1)},
    ),
    ("falls", "How far it has fallen", {"end": lambda c, a, b: (c[:, :1] - c, a, b)}),
    ("mean_of_the_examples", "A mean of x was put", {"fill": lambda x, b: x.mean(0).expand_as(x)}),
    ("mean_of_the_picture", "A mean of x was put", {"fill": lambda x, b: x.mean(1, keepdim=True).expand_as(x)}),
    ("less_the_baseline", "The baseline was taken off", {"fill": lambda x, b: x - b}),
    ("one_at_a_time", "what is gone stays gone", {"stays": False}),
    ("mean_of_the_points", "This is the mean of the points", {"area": lambda c: c.mean(1)}),
    ("left_ends", "These are steps, not trapezoids", {"area": lambda c: c[:, :-1].mean(1)}),
    ("right_ends", "These are steps, not trapezoids", {"area": lambda c: c[:, 1:].mean(1)}),
    ("steps_of_one", "one part of it is 1 / features wide", {"area": lambda c: torch.trapezoid(c, dim=1)}),
    (
        "parts_as_many_as_points",
        "one part of it is 1 / features wide",
        {"area": lambda c: torch.trapezoid(c, dx=1 / c.shape[1], dim=1)},
    ),
    (
        "linspace_over_the_points",
        "under the curve as it is",
        {"area": lambda c: trapezoids(c - c[:, -1:])},
    ),
    ("shares_of_the_start", "under the curve as it is", {"area": lambda c: trapezoids(c / c[:, :1])}),
    ("curves_over_their_start", "The curve was divided by its first value", {"end": over_the_start}),
    ("mean_of_the_baseline", "The mean of the baseline", {"fill": lambda x, b: b.mean().expand_as(x)}),
    ("median", "The *median* of the random areas", {"beats": lambda a, f: a < f.median(0).values}),
    ("last_draw", "Only the last random order", {"beats": lambda a, f: a < f[-1]}),
    ("below_all", "not below every one of them", {"beats": lambda a, f: (a < f[:, None]).all(0)}),
    ("below_any", "nor below any", {"beats": lambda a, f: (a < f[:, None]).any(0)}),
    ("larger_is_better", "The sign is turned round", {"beats": lambda a, f: a > f.mean(0)}),
    ("floor_of_the_batch", "The examples were averaged", {"beats": lambda a, f: a < f.mean()}),
    ("best_method", "compared with each other", {"beats": lambda a, f: a == a.amin(0)}),
    ("numbers_for_truths", "torch.bool, as `<` gives it", {"end": lambda c, a, b: (c, a, b.float())}),
    ("without_the_picture", "features + 1 points", {"end": lambda c, a, b: (c[:, 1:], a, b)}),
    ("turned", "the dimensions in another order", {"end": lambda c, a, b: (c.mT, a, b)}),
    ("a_list", "Three tensors come back", {"end": lambda c, a, b: [c, a, b]}),
    ("curves_alone", "Three tensors come back", {"end": lambda c, a, b: c}),
    ("nothing", "Nothing was returned", {"end": lambda c, a, b: None}),
    ("a_tenth_less", "from nothing gone to all gone, is", {"end": lambda c, a, b: (0.9 * c, a, b)}),
    ("area_a_tenth_less", "Its trapezoids, each 1 /", {"end": lambda c, a, b: (c, 0.9 * a, b)}),
    ("never_better", "The areas of the random orders are", {"end": lambda c, a, b: (c, a, b & ~b)}),
    (
        "largest_of_the_batch",
        "Each example and method alone is right",
        {"end": lambda c, a, b: (c if c.shape[2] == 1 else c / c.abs().max(), a, b)},
    ),
):
    named(wrong("16.faithful", phrase), name, deleted(**parts))


@wrong("16.faithful", "it begins with nothing and puts features in")
def insertion(x, labels, maps, floor_maps, baseline, *weights):
    """The same, from the baseline to x."""
    place = torch.cat([maps, floor_maps]).argsort(2, descending=True).argsort(2)
    there = place[:, None] < torch.arange(x.shape[1] + 1)[:, None, None]
    z = logits(torch.where(there, x, baseline), *weights)
    curves = (z * functional.one_hot(labels, z.shape[-1]).to(z)).sum(-1)
    area = trapezoids(curves)
    return curves[: len(maps)], area[: len(maps)], area[: len(maps)] > area[len(maps) :].mean(0)


def placed(place_of):
    def answer(x, labels, maps, floor_maps, baseline, *weights):
        place = place_of(torch.cat([maps, floor_maps]))
        gone = place[:, None] < torch.arange(x.shape[1] + 1)[:, None, None]
        z = logits(torch.where(gone, baseline, x), *weights)
        curves = (z * functional.one_hot(labels, z.shape[-1]).to(z)).sum(-1)
        area = trapezoids(curves)
        return curves[: len(maps)], area[: len(maps)], area[: len(maps)] < area[len(maps) :].mean(0)

    return answer


named(
    wrong("16.faithful", "argsort was read the wrong way"),
    "argsort_once",
    placed(lambda maps: maps.argsort(2, descending=True)),
)
named(
    wrong("16.faithful", "from left to right"),
    "left_to_right",
    placed(lambda maps: torch.arange(maps.shape[2]).expand_as(maps)),
)


@wrong("16.faithful", "the number of the turn was taken for that of the feature")
def value_of_the_turn(x, labels, maps, floor_maps, baseline, *weights):
    """The program of the notebook with three faults mended, and one put in."""
    rows = torch.arange(len(x))

    def curve(ranking):
        order = ranking.argsort(dim=1, descending=True)
        picture = x.clone()
        scores = [logits(picture, *weights)[rows, labels]]
        for turn in range(x.shape[1]):
            picture[rows, order[:, turn]] = baseline[turn]
            scores.append(logits(picture, *weights)[rows, labels])
        return torch.stack(scores)

    curves, floor = (trapezoids_of([curve(ranking) for ranking in many]) for many in (maps, floor_maps))
    return *curves, curves[1] < floor[1].mean(0)


def trapezoids_of(curves):
    return torch.stack(curves), trapezoids(torch.stack(curves))


# --- what float32 on the way leaves of float64 ----------------------------------------------------------------------


def rounded(answer):
    def through_float32(*values):
        narrow = [v.float() if torch.is_tensor(v) and v.is_floating_point() else v for v in values]
        dtype = next(v.dtype for v in values if torch.is_tensor(v) and v.is_floating_point())
        found = answer(*narrow)
        if torch.is_tensor(found):
            return found.to(dtype)
        return tuple(each.to(dtype) if each.is_floating_point() else each for each in found)

    return through_float32


for exercise, answer in (
    ("16.ig", the_way()),
    ("16.shapley", by_coalitions(weight=lambda n, s: torch.tensor(fair(n, s)))),
    ("16.cam", cam_of()),
    ("16.faithful", deleted()),
    ("16.patching", unit_by_unit()),
):
    named(wrong(exercise, "right to about seven digits"), "float32_on_the_way", rounded(answer))
