"""Named wrong answers of chapter 15, with the words that each diagnosis must hold; and right ones in other styles.

Every answer is written as a learner would write it, in another style than the references.
"""

import math
from statistics import NormalDist

import numpy as np
import torch
from dlcourse_answers import right, wrong
from scipy.stats import beta, norm
from torch.nn import functional

from dlcourse.attacks import margin as package_margin


def named(register, name, answer):
    answer.__name__ = name
    register(answer)


# --- 15.margin ------------------------------------------------------------------------------------------------------


def by_norms(*norms, end=lambda d: max(d, 0.0), pick=min, bias_too=True, row=lambda ours, other: ours - other):
    """An example, a class and a norm at a time: right, but for the parts that are given."""

    def answer(x, labels, weight, bias):
        found = []
        for norm_of in norms:
            per_example = []
            for example, label in zip(x, labels.tolist(), strict=True):
                distances = []
                for other in range(len(weight)):
                    if other == label:
                        continue
                    lead = (weight[label] - weight[other]) @ example
                    if bias_too:
                        lead = lead + bias[label] - bias[other]
                    distances.append((lead / norm_of(row(weight[label], weight[other]))).item())
                per_example.append(end(pick(distances)))
            found.append(torch.tensor(per_example, dtype=x.dtype))
        return tuple(found)

    return answer


def largest(w):
    return w.abs().max()


def length(w):
    return (w**2).sum().sqrt()


def total(w):
    return w.abs().sum()


RIGHT_NORMS = largest, length, total
named(right("15.margin"), "an_example_and_a_class_at_a_time", by_norms(*RIGHT_NORMS))


@right("15.margin")
def by_linalg_norms(x, labels, weight, bias):
    gaps = functional.linear(x, weight, bias)
    gaps = gaps.gather(1, labels[:, None]) - gaps
    rows = weight[labels].unsqueeze(1) - weight.unsqueeze(0)
    own = functional.one_hot(labels, len(weight)).bool()
    out = []
    for order in (math.inf, 2, 1):
        distance = gaps / torch.linalg.vector_norm(rows, ord=order, dim=2).masked_fill(own, 1.0)
        out.append(distance.masked_fill(own, math.inf).min(dim=1).values.relu())
    return tuple(out)


@right("15.margin")
def others_stacked(x, labels, weight, bias):
    l1, l2, linf = [], [], []
    for example, label in zip(x, labels, strict=True):
        keep = torch.arange(len(weight)) != label
        w, b = weight[label] - weight[keep], bias[label] - bias[keep]
        lead = torch.clamp(w @ example + b, min=0)
        l1.append((lead / w.abs().max(dim=1)[0]).min())
        l2.append((lead / w.pow(2).sum(dim=1).sqrt()).min())
        linf.append((lead / w.abs().sum(dim=1)).min())
    return torch.stack(l1), torch.stack(l2), torch.stack(linf)


for name, phrase, answer in (
    ("own_norms", "the norm of the change itself", by_norms(total, length, largest)),
    (
        "linf_by_the_largest",
        "linf was divided by the difference of rows in the norm",
        by_norms(largest, length, largest),
    ),
    ("l1_by_the_sum", "in the norm of the change itself", by_norms(total, length, total)),
    ("all_by_l2", "l1 was divided by the L2 norm", by_norms(length, length, length)),
    ("linf_by_l2", "linf was divided by the L2 norm", by_norms(largest, length, length)),
    ("no_root", "its root is missing", by_norms(largest, lambda w: (w**2).sum(), total)),
    ("root_of_the_mean", "a root *mean* square", by_norms(largest, lambda w: (w**2).mean().sqrt(), total)),
    ("mean_size", "linf was divided by the mean size", by_norms(largest, length, lambda w: w.abs().mean())),
    ("signed_sum", "both signs cancelled", by_norms(largest, length, lambda w: w.sum().abs())),
    ("largest_with_its_sign", "with its sign", by_norms(lambda w: w.max(), length, total)),
    ("row_of_the_label", "the label's own row", by_norms(*RIGHT_NORMS, row=lambda ours, other: ours)),
    ("row_of_the_other", "the other class's row", by_norms(*RIGHT_NORMS, row=lambda ours, other: other)),
    ("rows_added", "The two rows were added", by_norms(*RIGHT_NORMS, row=lambda ours, other: ours + other)),
    ("no_bias", "The bias was forgotten", by_norms(*RIGHT_NORMS, bias_too=False)),
    ("farthest", "The *farthest* class", by_norms(*RIGHT_NORMS, pick=max)),
    ("mean_over_classes", "A mean over the other classes", by_norms(*RIGHT_NORMS, pick=lambda d: sum(d) / len(d))),
    ("first_other_class", "Only the first of the other classes", by_norms(*RIGHT_NORMS, pick=lambda d: d[0])),
    ("negative", "Distances are negative", by_norms(*RIGHT_NORMS, end=lambda d: d)),
    ("size_where_wrong", "The sign of a lead was thrown away", by_norms(*RIGHT_NORMS, end=abs)),
    (
        "infinite_where_wrong",
        "neither infinite nor nan",
        by_norms(*RIGHT_NORMS, end=lambda d: d if d > 0 else math.inf),
    ),
    ("nan_where_wrong", "neither infinite nor nan", by_norms(*RIGHT_NORMS, end=lambda d: d if d > 0 else math.nan)),
    ("half_of_the_way", "half of the way", by_norms(*RIGHT_NORMS, end=lambda d: max(d, 0.0) / 2)),
    ("leads", "These are leads", by_norms(*[lambda w: torch.ones(())] * 3)),
    ("in_half_precision", "The dtype should be", lambda *a: tuple(d.half() for d in by_linalg_norms(*a))),
    ("rounded", "right to about seven digits", lambda x, n, w, b: _rounded(x, n, w, b)),
    ("a_list", "Three tensors come back in a tuple", lambda *a: list(by_linalg_norms(*a))),
    ("l2_alone", "Three tensors come back in a tuple", lambda *a: by_linalg_norms(*a)[1]),
    ("columns", "a shape is not", lambda *a: tuple(d[:, None] for d in by_linalg_norms(*a))),
    ("nothing", "Nothing was returned", lambda *a: None),
    ("a_tenth_less", "By hand, for one example", lambda *a: tuple(0.9 * d for d in by_linalg_norms(*a))),
    ("order_reversed", "the three came back in the reverse order", lambda *a: by_linalg_norms(*a)[::-1]),
    ("probabilities", "Probabilities were taken for logits", lambda *a: _of_scores(*a, lambda s: s.softmax(1))),
):
    named(wrong("15.margin", phrase), name, answer)


def _rounded(x, labels, weight, bias):
    return tuple(d.to(x.dtype) for d in by_linalg_norms(x.float(), labels, weight.float(), bias.float()))


def _of_scores(x, labels, weight, bias, change):
    scores = change(x @ weight.T + bias)
    leads = scores[torch.arange(len(x)), labels][:, None] - scores
    rows = weight[labels][:, None] - weight
    own = functional.one_hot(labels, len(weight)).bool()
    norms = rows.abs().amax(2), rows.norm(dim=2), rows.abs().sum(2)
    return tuple((leads / n).masked_fill(own, math.inf).amin(1).clamp(min=0) for n in norms)


@wrong("15.margin", "The label's own row is among the others")
def itself_among_the_others(x, labels, weight, bias):
    scores = x @ weight.T + bias
    leads = scores[torch.arange(len(x)), labels][:, None] - scores
    rows = weight[labels][:, None] - weight
    norms = rows.abs().amax(2), rows.norm(dim=2), rows.abs().sum(2)
    return tuple((leads / (n + 1e-12)).amin(1).clamp(min=0) for n in norms)


@wrong("15.margin", "nan is 0 / 0: the label's own class is among the others")
def own_class_not_left_out(x, labels, weight, bias):
    scores = x @ weight.T + bias
    leads = scores[torch.arange(len(x)), labels][:, None] - scores
    rows = weight[labels][:, None] - weight
    norms = rows.abs().amax(2), rows.norm(dim=2), rows.abs().sum(2)
    return tuple((leads / n).min(dim=1).values.clamp(min=0) for n in norms)


def two_classes_formula(end):
    """The logit of the label over a norm of its row, as if the row were a difference already."""

    def answer(x, labels, weight, bias):
        rows, scores = weight[labels], x @ weight.T + bias
        z = scores[torch.arange(len(x)), labels]
        distances = z / rows.abs().amax(1), z / rows.norm(dim=1), z / rows.abs().sum(1)
        return tuple(end(distance, scores.argmax(1) == labels) for distance in distances)

    return answer


for name, end in (
    ("two_classes_formula", lambda d, stands: d.clamp(min=0)),
    ("two_classes_formula_with_the_size", lambda d, stands: d.abs()),
    ("two_classes_formula_and_0_where_wrong", lambda d, stands: d.abs() * stands),
):
    named(wrong("15.margin", "the formula of two classes"), name, two_classes_formula(end))


@wrong("15.margin", "Only the class with the second largest logit")
def runner_up(x, labels, weight, bias):
    scores = x @ weight.T + bias
    n = torch.arange(len(x))
    others = scores.clone()
    others[n, labels] = -math.inf
    second = others.argmax(1)
    lead, row = (scores[n, labels] - scores[n, second]).clamp(min=0), weight[labels] - weight[second]
    return lead / row.abs().amax(1), lead / row.norm(dim=1), lead / row.abs().sum(1)


@wrong("15.margin", "nearest in L2 was taken in all three norms")
def nearest_in_l2_for_all(x, labels, weight, bias):
    scores = x @ weight.T + bias
    n = torch.arange(len(x))
    leads, rows = scores[n, labels][:, None] - scores, weight[labels][:, None] - weight
    to_each = leads / rows.norm(dim=2)
    to_each[n, labels] = math.inf
    near = to_each.argmin(1)
    lead, row = leads[n, near].clamp(min=0), rows[n, near]
    return lead / row.abs().amax(1), lead / row.norm(dim=1), lead / row.abs().sum(1)


@wrong("15.margin", "perhaps of two different classes")
def smallest_lead_by_smallest_size(x, labels, weight, bias):
    scores = x @ weight.T + bias
    own = functional.one_hot(labels, len(weight)).bool()
    leads = (scores.gather(1, labels[:, None]) - scores).masked_fill(own, math.inf).amin(1).clamp(min=0)
    rows = weight[labels][:, None] - weight
    norms = rows.abs().amax(2), rows.norm(dim=2), rows.abs().sum(2)
    return tuple(leads / n.masked_fill(own, math.inf).amin(1) for n in norms)


@wrong("15.margin", "own answer was taken for the label")
def the_answer_for_the_label(x, labels, weight, bias):
    return by_linalg_norms(x, (x @ weight.T + bias).argmax(1), weight, bias)


@wrong("15.margin", "The label's logit itself was divided")
def logit_without_a_lead(x, labels, weight, bias):
    own = (x @ weight.T + bias).gather(1, labels[:, None])
    rows = weight[labels][:, None] - weight
    mask = functional.one_hot(labels, len(weight)).bool()
    norms = rows.abs().amax(2), rows.norm(dim=2), rows.abs().sum(2)
    return tuple((own / n).masked_fill(mask, math.inf).amin(1).clamp(min=0) for n in norms)


def filled_with(number):
    def answer(x, labels, weight, bias):
        scores = x @ weight.T + bias
        leads = scores.gather(1, labels[:, None]) - scores
        rows = weight[labels][:, None] - weight
        own = functional.one_hot(labels, len(weight)).bool()
        sizes = rows.abs().amax(2), rows.square().sum(2).sqrt(), rows.abs().sum(2)
        return tuple((leads / size).masked_fill(own, number).amin(1).clamp(min=0) for size in sizes)

    return answer


for number in (10.0, 300.0):
    named(wrong("15.margin", "No number is large enough"), f"own_class_at_{number:.0f}", filled_with(number))


@wrong("15.margin", "decides for each example")
def an_if_for_all(x, labels, weight, bias):
    l1, l2, linf = by_linalg_norms(x, labels, weight, bias)
    return (l1, l2, linf) if l1 > 0 else (0 * l1, 0 * l2, 0 * linf)


@wrong("15.margin", "weight is (classes, features)")
def not_transposed(x, labels, weight, bias):
    return (x @ weight + bias,) * 3


# --- 15.fgsm --------------------------------------------------------------------------------------------------------


def logits(x, w1, b1, w2, b2):
    return torch.tanh(x @ w1.T + b1) @ w2.T + b2


def entropy(scores, labels):
    return functional.cross_entropy(scores, labels, reduction="sum")


def normalise(x, mean, std):
    return (x - mean) / std


def signed(slope, x):
    return slope.sign()


def stepped(x, eps, direction, mean, std):
    return (x + eps * direction).clamp(0, 1)


def one_step(see=normalise, loss=entropy, way=signed, end=stepped):
    """A right answer, but for the parts that are given."""

    def answer(x, labels, eps, mean, std, w1, b1, w2, b2):
        leaf = x.clone().requires_grad_(True)
        loss(logits(see(leaf, mean, std), w1, b1, w2, b2), labels).backward()
        return end(x, eps, way(leaf.grad, x), mean, std)

    return answer


named(right("15.fgsm"), "with_backward", one_step())
named(right("15.fgsm"), "with_the_mean", one_step(loss=functional.cross_entropy))


@right("15.fgsm")
def slope_by_hand(x, labels, eps, mean, std, w1, b1, w2, b2):
    hidden = torch.tanh((x - mean) / std @ w1.T + b1)
    p = torch.softmax(hidden @ w2.T + b2, dim=1)
    p[torch.arange(len(x)), labels] -= 1
    slope = ((p @ w2) * (1 - hidden**2)) @ w1 / std
    return torch.minimum(torch.maximum(x + eps * slope.sign(), torch.zeros_like(x)), torch.ones_like(x))


@right("15.fgsm")
def in_the_networks_units_and_back(x, labels, eps, mean, std, w1, b1, w2, b2):
    z = ((x - mean) / std).requires_grad_()
    (slope,) = torch.autograd.grad(entropy(logits(z, w1, b1, w2, b2), labels), z)
    moved = z.detach() + eps / std * torch.sign(slope)
    moved = torch.max(torch.min(moved, (1 - mean) / std), -mean / std)
    return (moved * std + mean).clamp(0, 1)


@right("15.fgsm")
def by_torch_func(x, labels, eps, mean, std, *weights):
    def loss(pixels, label):
        return functional.cross_entropy(logits((pixels - mean) / std, *weights), label)

    slope = torch.func.vmap(torch.func.grad(loss))(x, labels)
    return torch.clamp(x + eps * slope.sign(), min=0.0, max=1.0)


@right("15.fgsm")
def leaves_marks_on_the_record(x, labels, eps, mean, std, *weights):
    """Numbers are all that a check sees: x marked for the caller too, and x_adv with its record, pass."""
    x.requires_grad_()
    (slope,) = torch.autograd.grad(entropy(logits((x - mean) / std, *weights), labels), x)
    return (x + eps * slope.sign()).clamp(0, 1)


for name, phrase, parts in (
    ("no_clamp", "There is no clamp", {"end": lambda x, e, d, m, s: x + e * d}),
    ("clamp_at_0_alone", "Pixels above 1 were left", {"end": lambda x, e, d, m, s: (x + e * d).clamp(min=0)}),
    ("clamp_at_1_alone", "Pixels below 0 were left", {"end": lambda x, e, d, m, s: (x + e * d).clamp(max=1)}),
    ("change_clamped", "The *change* was clamped", {"end": lambda x, e, d, m, s: x + (e * d).clamp(0, 1)}),
    (
        "eps_in_the_networks_units",
        "in the *network's* units",
        {"end": lambda x, e, d, m, s: ((((x - m) / s + e * d) * s) + m).clamp(0, 1)},
    ),
    (
        "returns_what_the_network_sees",
        "These are the network's units",
        {"end": lambda x, e, d, m, s: (x - m) / s + e * d},
    ),
    (
        "clamped_in_the_networks_units",
        "The clamp to [0, 1] came in the network's units",
        {"end": lambda x, e, d, m, s: ((x - m) / s + e * d).clamp(0, 1) * s + m},
    ),
    (
        "all_in_the_networks_units",
        "the step, the clamp and what comes back",
        {"end": lambda x, e, d, m, s: ((x - m) / s + e * d).clamp(0, 1)},
    ),
    ("eps_over_std", "eps was divided by std", {"end": lambda x, e, d, m, s: (x + e / s * d).clamp(0, 1)}),
    ("eps_over_255", "eps was divided by 255", {"end": lambda x, e, d, m, s: (x + e / 255 * d).clamp(0, 1)}),
    ("half_a_step", "The step is not eps long", {"end": lambda x, e, d, m, s: (x + e / 2 * d).clamp(0, 1)}),
    ("change_alone", "The change alone came back", {"end": lambda x, e, d, m, s: e * d}),
    ("change_within_the_box", "The change alone came back", {"end": lambda x, e, d, m, s: stepped(x, e, d, m, s) - x}),
    ("x_itself", "Nothing has moved", {"end": lambda x, e, d, m, s: x}),
    ("both_came_back", "nothing else comes back", {"end": lambda x, e, d, m, s: (stepped(x, e, d, m, s), d)}),
    ("descends", "The step goes *down*", {"way": lambda g, x: -g.sign()}),
    ("the_slope_itself", "The slope itself was added", {"way": lambda g, x: g}),
    ("length_one", "brought to length 1 in L2", {"way": lambda g, x: g / g.norm(dim=1, keepdim=True)}),
    ("times_the_pixel", "A pixel at 0 never moves", {"way": lambda g, x: (g * x).sign()}),
    ("never_still", "A pixel with the slope 0 was moved", {"way": lambda g, x: torch.where(g >= 0, 1.0, -1.0).to(g)}),
    ("one_step_for_all", "All examples got the same step", {"way": lambda g, x: g.sum(0, keepdim=True).sign()}),
    ("always_upwards", "All pixels moved up", {"way": lambda g, x: g.sign().abs()}),
    ("not_normalised", "asked without its normalisation", {"see": lambda x, m, s: x}),
    ("normalised_twice", "The pixels were normalised twice", {"see": lambda x, m, s: ((x - m) / s - m) / s}),
    ("std_first", "first minus mean, then by std", {"see": lambda x, m, s: x - m / s}),
    ("mean_forgotten", "first minus mean, then by std", {"see": lambda x, m, s: x / s}),
    ("loss_of_the_answer", "the network's own answer", {"loss": lambda z, n: entropy(z, z.argmax(1))}),
    (
        "labels_logit_lowered",
        "This lowers the label's logit alone",
        {"loss": lambda z, n: -z.gather(1, n[:, None]).sum()},
    ),
    ("labels_logit_raised", "makes the network surer", {"loss": lambda z, n: z.gather(1, n[:, None]).sum()}),
    ("largest_logit_raised", "This raises a logit", {"loss": lambda z, n: z.max(1).values.sum()}),
    ("all_logits_raised", "The labels do not matter", {"loss": lambda z, n: z.sum()}),
    ("softmax_twice", "A softmax was taken twice", {"loss": lambda z, n: entropy(z.softmax(1), n)}),
    ("log_likelihood", "The step goes *down*", {"loss": lambda z, n: -entropy(z, n)}),
    (
        "best_wrong_class",
        "This raises the margin",
        {"loss": lambda z, n: (z.scatter(1, n[:, None], -math.inf).amax(1) - z.gather(1, n[:, None])[:, 0]).sum()},
    ),
    ("not_summed", "torch wants one number", {"loss": lambda z, n: functional.cross_entropy(z, n, reduction="none")}),
    ("not_on_the_record", "Nothing here is on torch's record", {"see": lambda x, m, s: (x.detach() - m) / s}),
    ("float32_back", "The dtype should be", {"end": lambda x, e, d, m, s: stepped(x, e, d, m, s).half()}),
    ("a_third_of_a_step", "Print on the way", {"end": lambda x, e, d, m, s: (x + e / 3 * d).clamp(0, 1)}),
    ("nothing", "Nothing was returned", {"end": lambda *a: None}),
):
    named(wrong("15.fgsm", phrase), name, one_step(**parts))


@wrong("15.fgsm", "An argument was changed")
def in_place(x, labels, eps, mean, std, *weights):
    x += eps * (one_step()(x, labels, eps, mean, std, *weights) - x).sign()
    return x.clamp_(0, 1)


@wrong("15.fgsm", "x.grad is None")
def grad_of_no_leaf(x, labels, eps, mean, std, *weights):
    import warnings

    z = (x.clone().requires_grad_() - mean) / std
    entropy(logits(z, *weights), labels).backward()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (x + eps * z.grad.sign()).clamp(0, 1)


# --- 15.pgd ---------------------------------------------------------------------------------------------------------


def lengths(change):
    return change.norm(dim=1, keepdim=True)


def halved(change, x, eps):
    """The change shrunk and clamped, by halving the interval of scales."""
    low, high = torch.zeros(len(x), 1, dtype=x.dtype), torch.ones(len(x), 1, dtype=x.dtype)
    middle = high
    for _ in range(45):
        fits = lengths(torch.clamp(middle * change, -x, 1 - x)) <= eps
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
        middle = (low + high) / 2
    return torch.clamp(low * change, -x, 1 - x)


def unit(slope):
    return slope / lengths(slope)


def ball(change, x, eps):
    return change * (eps / lengths(change).clamp(min=1e-12)).clamp(max=1)


def ball_then_box(change, x, eps):
    return ball(change, x, eps).clamp(-x, 1 - x)


def steps_of(
    project=halved, way=unit, loss=entropy, begin=lambda x, start: start, count=lambda n: n, pace=lambda step, *_: step
):
    """A right answer, but for the parts that are given."""

    def answer(x, labels, start, eps, step, steps, *weights):
        x_adv = begin(x, start).clone()
        for n in range(count(steps)):
            point = x_adv.detach().requires_grad_()
            (slope,) = torch.autograd.grad(loss(logits(point, *weights), labels), point)
            x_adv = x + project(x_adv + pace(step, eps, n, steps) * way(slope) - x, x, eps)
        return x_adv.detach()

    return answer


named(right("15.pgd"), "halved_from_one", steps_of())


def a_scale_for_each(change, x, eps, halvings=30):
    """As the chapter writes it for a batch: scale 1 if it fits as it is, else by halving, a row each."""
    low, high = torch.zeros_like(change[:, :1]), torch.ones_like(change[:, :1])
    as_it_is = lengths(change.clamp(-x, 1 - x)) <= eps
    for _ in range(halvings):
        scale = (low + high) / 2
        fits = lengths((scale * change).clamp(-x, 1 - x)) <= eps
        low, high = torch.where(fits, scale, low), torch.where(fits, high, scale)
    return (torch.where(as_it_is, 1, low) * change).clamp(-x, 1 - x)


named(right("15.pgd"), "a_scale_for_each", steps_of(project=a_scale_for_each))
named(right("15.pgd"), "with_the_mean_of_the_loss", steps_of(loss=functional.cross_entropy))


@right("15.pgd")
def an_example_at_a_time(x, labels, start, eps, step, steps, *weights):
    found = []
    for one, label, x_adv in zip(x, labels, start, strict=True):
        for _ in range(steps):
            x_adv = x_adv.detach().requires_grad_()
            functional.cross_entropy(logits(x_adv, *weights), label).backward()
            change = x_adv.detach() + step * x_adv.grad / x_adv.grad.norm() - one
            low, high = 0.0, 1.0
            if torch.clamp(change, -one, 1 - one).norm() <= eps:
                low = 1.0
            else:
                for _ in range(30):
                    middle = (low + high) / 2
                    if torch.clamp(middle * change, -one, 1 - one).norm() <= eps:
                        low = middle
                    else:
                        high = middle
            x_adv = one + torch.clamp(low * change, -one, 1 - one)
        found.append(x_adv)
    return torch.stack(found)


@right("15.pgd")
def never_detached(x, labels, start, eps, step, steps, *weights):
    """The record grows from step to step, and the slope at the last point is the same."""
    x_adv = start.clone().requires_grad_()
    for _ in range(steps):
        (slope,) = torch.autograd.grad(entropy(logits(x_adv, *weights), labels), x_adv, retain_graph=True)
        x_adv = x + halved(x_adv + step * unit(slope) - x, x, eps)
    return x_adv


@right("15.pgd")
def exact_without_halving(x, labels, start, eps, step, steps, *weights):
    """As the package's threat does: pixels at the edge leave something over for the others."""
    from dlcourse.attacks import L2

    x_adv = start
    for _ in range(steps):
        x_adv = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(x_adv, *weights), labels), x_adv)
        x_adv = L2(eps).project(x_adv.detach() + step * functional.normalize(slope, dim=1), x)
    return x_adv


@right("15.pgd")
def with_a_small_number_below(x, labels, start, eps, step, steps, *weights):
    return steps_of(way=lambda slope: slope / (slope.flatten(1).norm(dim=1)[:, None] + 1e-12))(
        x, labels, start, eps, step, steps, *weights
    )


def whole(change):
    return change.norm()


def one_scale(change, eps, cut, length=whole):
    """The halving of one example, as it stands, on a batch."""
    low, high = 0.0, 1.0
    for _ in range(40):
        scale = (low + high) / 2
        low, high = (scale, high) if length(cut(scale * change)) <= eps else (low, scale)
    return cut(low * change)


def one_by_one(change, x, eps, low=0.0, high=1.0):
    """The halving of one example for each, with the ends of the box that are given."""
    return torch.cat(
        [
            one_scale(
                row,
                eps,
                lambda rows, at=at: rows.clamp(None if low is None else -at, None if high is None else 1 - at),
            )
            for row, at in zip(change[:, None], x[:, None], strict=True)
        ]
    )


for name, phrase, parts in (
    ("ball_then_box", "First into the ball, then a clamp", {"project": ball_then_box}),
    (
        "box_then_ball",
        "First a clamp into the box",
        {"project": lambda c, x, e: ball(c.clamp(-x, 1 - x), x, e)},
    ),
    ("no_box", "Both ends of it are", {"project": ball}),
    ("upper_end_alone", "Only one of its ends", {"project": lambda c, x, e: one_by_one(c, x, e, low=None)}),
    ("lower_end_alone", "Only one of its ends", {"project": lambda c, x, e: one_by_one(c, x, e, high=None)}),
    (
        "upper_end_alone_and_one_scale",
        "for a change may go from -x up to 1 - x",
        {"project": lambda c, x, e: one_scale(c, e, lambda rows: torch.minimum(rows, 1 - x))},
    ),
    (
        "one_scale_for_the_batch",
        "one scale for the whole batch",
        {"project": lambda c, x, e: one_scale(c, e, lambda rows: rows.clamp(-x, 1 - x))},
    ),
    (
        "one_scale_for_all_that_fits_the_longest",
        "one scale for the whole batch",
        {"project": lambda c, x, e: one_scale(c, e, lambda rows: rows.clamp(-x, 1 - x), lambda c: lengths(c).max())},
    ),
    ("always_to_the_length_eps", "pushed out to its rim", {"project": lambda c, x, e: halved(1e4 * c, x, e)}),
    (
        "ball_of_linf_and_sign",
        "the ball of Linf",
        {"project": lambda c, x, e: c.clamp(-e, e).clamp(-x, 1 - x), "way": torch.sign},
    ),
    ("eight_halvings", "the halving ends too early", {"project": lambda c, x, e: a_scale_for_each(c, x, e, 8)}),
    ("fifteen_halvings", "the halving ends too early", {"project": lambda c, x, e: a_scale_for_each(c, x, e, 15)}),
    (
        "a_ball_twice_as_large",
        "a change from x is longer than eps",
        {"project": lambda c, x, e: halved(c, x, 2 * e)},
    ),
    ("no_ball", "The ball is missing", {"project": lambda c, x, e: c.clamp(-x, 1 - x)}),
    ("no_projection", "The ball is missing", {"project": lambda c, x, e: c}),
    (
        "always_on_the_rim",
        "pushed out to its rim",
        {"project": lambda c, x, e: (e * c / lengths(c)).clamp(-x, 1 - x)},
    ),
    (
        "one_ball_for_the_batch",
        "one length for the whole batch: each example has a ball",
        {"project": lambda c, x, e: (c * (e / whole(c)).clamp(max=1)).clamp(-x, 1 - x)},
    ),
    ("clamped_pixel_by_pixel", "the ball of Linf", {"project": lambda c, x, e: c.clamp(-e, e).clamp(-x, 1 - x)}),
    (
        "sum_of_sizes",
        "that is L1",
        {"project": lambda c, x, e: (c * (e / c.abs().sum(1, keepdim=True)).clamp(max=1)).clamp(-x, 1 - x)},
    ),
    (
        "squared_length",
        "by its *squared* length: the root",
        {"project": lambda c, x, e: (c * (e / (c**2).sum(1, keepdim=True)).clamp(max=1)).clamp(-x, 1 - x)},
    ),
    (
        "change_in_the_box",
        "The *change* was clamped",
        {"project": lambda c, x, e: ball(c, x, e).clamp(0, 1)},
    ),
    ("slope_as_it_is", "The slope was added as it is", {"way": lambda g: g}),
    (
        "slope_of_the_mean_as_it_is",
        "The slope was added as it is",
        {"way": lambda g: g, "loss": functional.cross_entropy},
    ),
    ("sign", "the steepest step in Linf", {"way": torch.sign}),
    ("one_length_for_the_batch", "One length was taken over the whole batch", {"way": lambda g: g / whole(g)}),
    ("length_over_the_batch", "over the batch, dim=0", {"way": lambda g: g / g.norm(dim=0, keepdim=True)}),
    ("by_the_squared_length", "divided by its *squared* length", {"way": lambda g: g / (g**2).sum(1, keepdim=True)}),
    ("by_the_largest", "by its largest size", {"way": lambda g: g / g.abs().amax(1, keepdim=True)}),
    ("by_the_sum_of_sizes", "by the sum of its sizes", {"way": lambda g: g / g.abs().sum(1, keepdim=True)}),
    ("descends", "The steps go down", {"way": lambda g: -unit(g)}),
    ("start_ignored", "`start` was ignored", {"begin": lambda x, start: x}),
    ("start_added_to_x", "`start` is a point, not a change", {"begin": lambda x, start: x + start}),
    ("one_step_more", "One step too many", {"count": lambda n: n + 1}),
    ("one_step_less", "One step too few", {"count": lambda n: n - 1}),
    ("a_single_step", "Only one step was taken", {"count": lambda n: 1}),
    ("no_step", "this is `start`", {"count": lambda n: 0}),
    ("steps_of_eps", "eps is the size of the ball", {"pace": lambda step, eps, *_: eps}),
    ("shrinking_steps", "and every step is", {"pace": lambda step, eps, n, steps: step / (n + 1)}),
    ("loss_of_the_answer", "the network's own answer", {"loss": lambda z, n: entropy(z, z.argmax(1))}),
    ("labels_logit", "the label's logit alone", {"loss": lambda z, n: -z.gather(1, n[:, None]).sum()}),
    ("softmax_twice", "A softmax was taken twice", {"loss": lambda z, n: entropy(z.softmax(1), n)}),
    ("shrunk_too_far", "One example, one step, in numbers", {"project": lambda c, x, e: 0.9 * halved(c, x, e)}),
    (
        "mixed_up_examples",
        "Each example alone is right, and together they are not",
        {"project": lambda c, x, e: halved(c, x, e) * (1 + lengths(c) / lengths(c).max()) / 2},
    ),
):
    named(wrong("15.pgd", phrase), name, steps_of(**parts))


@wrong("15.pgd", "The last point was taken for the middle")
def around_the_last_point(x, labels, start, eps, step, steps, *weights):
    x_adv = start
    for _ in range(steps):
        point = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        x_adv = x_adv + halved(step * unit(slope), x_adv, eps)
    return x_adv


@wrong("15.pgd", "The last point was taken for the middle")
def around_the_last_point_and_clamped(x, labels, start, eps, step, steps, *weights):
    x_adv = start
    for _ in range(steps):
        point = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        x_adv = (x_adv + ball(step * unit(slope), x, eps)).clamp(0, 1)
    return x_adv


@wrong("15.pgd", "The ball is around `start`")
def around_the_start(x, labels, start, eps, step, steps, *weights):
    x_adv = start
    for _ in range(steps):
        point = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        x_adv = start + halved(x_adv + step * unit(slope) - start, start, eps)
    return x_adv


@wrong("15.pgd", "as if the ball were around 0")
def around_zero(x, labels, start, eps, step, steps, *weights):
    x_adv = start
    for _ in range(steps):
        point = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        x_adv = ball(x_adv + step * unit(slope), x, eps).clamp(0, 1)
    return x_adv


@wrong("15.pgd", "The projection comes *before* the step")
def projected_before_the_step(x, labels, start, eps, step, steps, *weights):
    x_adv = start
    for _ in range(steps):
        point = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        x_adv = x + halved(x_adv - x, x, eps) + step * unit(slope)
    return x_adv


@wrong("15.pgd", "It is projected once, at the end")
def projected_at_the_end(x, labels, start, eps, step, steps, *weights):
    x_adv = start
    for _ in range(steps):
        point = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        x_adv = x_adv + step * unit(slope)
    return x + halved(x_adv - x, x, eps)


@wrong("15.pgd", "The slope was asked for once")
def slope_asked_once(x, labels, start, eps, step, steps, *weights):
    point = start.clone().requires_grad_()
    (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
    x_adv = start
    for _ in range(steps):
        x_adv = x + halved(x_adv + step * unit(slope) - x, x, eps)
    return x_adv


@wrong("15.pgd", "The slopes of earlier points were still there")
def grad_never_cleared(x, labels, start, eps, step, steps, *weights):
    x_adv = start.clone().requires_grad_()
    for _ in range(steps):
        entropy(logits(x_adv, *weights), labels).backward()
        with torch.no_grad():
            x_adv.copy_(x + halved(x_adv + step * unit(x_adv.grad) - x, x, eps))
    return x_adv.detach()


@wrong("15.pgd", "Only one step was taken")
def return_inside_the_loop(x, labels, start, eps, step, steps, *weights):
    x_adv = start
    for _ in range(steps):
        point = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        x_adv = x + halved(x_adv + step * unit(slope) - x, x, eps)
        return x_adv


def best_of(first, better):
    def answer(x, labels, start, eps, step, steps, *weights):
        points = [start, *every_point(x, labels, start, eps, step, steps, *weights)][first:]
        losses = torch.stack(
            [functional.cross_entropy(logits(point, *weights), labels, reduction="none") for point in points]
        )
        return better(losses, torch.stack(points))

    return answer


for name, first, better in (
    ("best_with_the_start", 0, lambda losses, points: points[losses.argmax(0), torch.arange(len(losses[0]))]),
    ("best_after_a_step", 1, lambda losses, points: points[losses.argmax(0), torch.arange(len(losses[0]))]),
    ("best_of_the_batch", 1, lambda losses, points: points[losses.sum(1).argmax()]),
):
    named(wrong("15.pgd", "The point with the highest loss came back"), name, best_of(first, better))


@wrong("15.pgd", "several in a row are not")
def next_step_from_the_proposal(x, labels, start, eps, step, steps, *weights):
    """The slope is asked for where the step led, before the way back."""
    x_adv = at = start
    for _ in range(steps):
        point = at.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        at = x_adv + step * unit(slope)
        x_adv = x + halved(at - x, x, eps)
    return x_adv


def shrunk_by_an_if(change, x, eps):
    low, high = 0.0, 1.0
    for _ in range(30):
        scale = (low + high) / 2
        low, high = (scale, high) if lengths((scale * change).clamp(-x, 1 - x)) <= eps else (low, scale)
    return (low * change).clamp(-x, 1 - x)


def for_three_examples(change, x, eps):
    low, high = torch.zeros(3, 1), torch.ones(3, 1)
    for _ in range(30):
        scale = (low + high) / 2
        fits = lengths((scale * change).clamp(-x, 1 - x)) <= eps
        low, high = torch.where(fits, scale, low), torch.where(fits, high, scale)
    return (low * change).clamp(-x, 1 - x)


def length_without_a_column(slope):
    return slope / slope.norm(dim=1)


named(wrong("15.pgd", "a truth for each example at once"), "shrunk_by_an_if", steps_of(project=shrunk_by_an_if))
named(wrong("15.pgd", "the number of examples is len(x)"), "for_three_examples", steps_of(project=for_three_examples))
named(wrong("15.pgd", "with keepdim=True"), "length_without_a_column", steps_of(way=length_without_a_column))


@wrong("15.pgd", "was not added to x again")
def change_is_the_next_point(x, labels, start, eps, step, steps, *weights):
    x_adv = start.clone()
    for _ in range(steps):
        point = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(entropy(logits(point, *weights), labels), point)
        x_adv = halved(x_adv + step * unit(slope) - x, x, eps)
    return x_adv.detach()


@wrong("15.pgd", "The change alone came back")
def the_change_alone(x, labels, start, eps, step, steps, *weights):
    return steps_of()(x, labels, start, eps, step, steps, *weights) - x


@wrong("15.pgd", "nothing else comes back")
def every_point(x, labels, start, eps, step, steps, *weights):
    return [steps_of()(x, labels, start, eps, step, n, *weights) for n in range(1, steps + 1)]


# --- 15.masked ------------------------------------------------------------------------------------------------------


def quantise(x, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def defended(x, levels, scale, weights):
    return scale * logits(quantise(x, levels), *weights)


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, levels):
        return quantise(x, levels)

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def margin_of(z, labels):
    rows = torch.arange(len(z))
    own = functional.one_hot(labels, z.shape[1]).bool()
    return (z.masked_fill(own, -math.inf).max(dim=1).values - z[rows, labels]).sum()


def robust_mean(before, after, labels):
    return torch.stack([answer == labels for answer in (before, *after)]).all(0).double().mean().item()


def through(x, levels):
    return x + (quantise(x, levels) - x).detach()


def evaluated(
    see=through,
    loss=margin_of,
    count=robust_mean,
    around=lambda x, start, last: x,
    begin=lambda x, start: start,
    way=torch.sign,
    rounds=lambda n: n,
    box=True,
    ball=True,
    counted_on=lambda before, labels: labels,
    keep=lambda x_adv, levels: x_adv,
    back=lambda clean, robust, attacked: (clean, robust, attacked),
):
    """A right answer, but for the parts that are given."""

    def answer(x, labels, starts, eps, step, steps, levels, scale, weights):
        attacked = []
        against = counted_on(defended(x, levels, scale, weights).argmax(1), labels)
        for start in starts:
            x_adv = begin(x, start)
            for _ in range(rounds(steps)):
                point = x_adv.detach().requires_grad_()
                (slope,) = torch.autograd.grad(loss(scale * logits(see(point, levels), *weights), against), point)
                centre = around(x, start, x_adv)
                x_adv = x_adv + step * way(slope)
                if ball:
                    x_adv = torch.max(torch.min(x_adv, centre + eps), centre - eps)
                if box:
                    x_adv = x_adv.clamp(0, 1)
                x_adv = keep(x_adv, levels)
            attacked.append(x_adv.detach())
        before = defended(x, levels, scale, weights).argmax(1)
        after = [defended(point, levels, scale, weights).argmax(1) for point in attacked]
        clean = (before == labels).double().mean().item()
        return back(clean, count(before, after, labels), torch.stack(attacked))

    return answer


named(right("15.masked"), "repaired", evaluated())
named(right("15.masked"), "margin_of_the_package", evaluated(loss=lambda z, n: package_margin(z, n).sum()))


@right("15.masked")
def with_a_function_of_its_own(x, labels, starts, eps, step, steps, levels, scale, weights):
    return evaluated(see=StraightThrough.apply)(x, labels, starts, eps, step, steps, levels, scale, weights)


@right("15.masked")
def slope_at_the_rounded_picture(x, labels, starts, eps, step, steps, levels, scale, weights):
    stands = [label == int(z.argmax()) for z, label in zip(defended(x, levels, scale, weights), labels, strict=True)]
    clean, attacked = sum(map(int, stands)) / len(x), []
    for start in starts:
        x_adv = start.clone()
        for _ in range(steps):
            seen = quantise(x_adv, levels).requires_grad_()
            z = logits(seen, *weights)
            lead = z.gather(1, labels[:, None])[:, 0]
            best = z.scatter(1, labels[:, None], -1e9).amax(1)
            x_adv = x_adv + step * torch.autograd.grad((best - lead).sum(), seen)[0].sign()
            x_adv = torch.clamp(x_adv, (x - eps).clamp(0, 1), (x + eps).clamp(0, 1))
        answers = defended(x_adv, levels, scale, weights).argmax(1)
        stands = [
            before and bool(answer == label) for before, answer, label in zip(stands, answers, labels, strict=True)
        ]
        attacked.append(x_adv)
    return clean, sum(map(int, stands)) / len(x), torch.stack(attacked)


@wrong("15.masked", "The ball is around the start")
def around_the_first_start(x, labels, starts, *rest):
    return evaluated(around=lambda x, start, last: starts[0])(x, labels, starts, *rest)


@wrong("15.masked", "x_adv itself was rounded")
def step_from_the_rounded_point(x, labels, starts, eps, step, steps, levels, scale, weights):
    return of_points(x, labels, starts, eps, step, steps, levels, scale, weights, before=quantise)


@wrong("15.masked", "x_adv itself was rounded")
def last_points_rounded(x, labels, starts, eps, step, steps, levels, scale, weights):
    return of_points(x, labels, starts, eps, step, steps, levels, scale, weights, end=quantise)


@wrong("15.masked", "x_adv itself was rounded")
def rounded_and_then_clamped(x, labels, starts, eps, step, steps, levels, scale, weights):
    return of_points(x, labels, starts, eps, step, steps, levels, scale, weights, pushed=quantise)


def of_points(x, labels, starts, eps, step, steps, levels, scale, weights, **rounded):
    def at(place, x_adv):
        return rounded[place](x_adv, levels) if place in rounded else x_adv

    attacked = []
    for x_adv in starts:
        for _ in range(steps):
            x_adv = at("before", x_adv).detach().requires_grad_()
            margins = margin_of(scale * logits(through(x_adv, levels), *weights), labels)
            (slope,) = torch.autograd.grad(margins, x_adv)
            x_adv = at("pushed", x_adv.detach() + step * slope.sign()).clamp(x - eps, x + eps).clamp(0, 1)
        attacked.append(at("end", x_adv))
    right = [defended(point, levels, scale, weights).argmax(1) == labels for point in (x, *attacked)]
    clean, robust = right[0].double().mean().item(), torch.stack(right).all(0).double().mean().item()
    return clean, robust, torch.stack(attacked)


def same_mean(before, after, labels):
    return min((answer == before).double().mean().item() for answer in after)


def right_mean(before, after, labels):
    return min((answer == labels).double().mean().item() for answer in after)


def unchanged(before, after, labels):
    return torch.stack([answer == before for answer in after]).all(0).double().mean().item()


def swapped_through(x, levels):
    return quantise(x, levels) + (x - quantise(x, levels)).detach()


def second_minus_first(z, labels):
    best = z.topk(2, dim=1).values
    return (best[:, 1] - best[:, 0]).sum()


def label_at_0(z, labels):
    own = functional.one_hot(labels, z.shape[1])
    return ((z * (1 - own)).amax(1) - (z * own).sum(1)).sum()


def without_scale(z, labels):
    return entropy(z / 1e4, labels)


for name, phrase, parts in (
    ("as_it_was", "that of rounding is 0", {"see": quantise, "loss": entropy, "count": same_mean}),
    ("rounding_left_flat", "that of rounding is 0", {"see": quantise}),
    (
        "rounded_twice",
        "something after your rounding rounds again: `defended` does",
        {"see": lambda x, levels: quantise(through(x, levels), levels)},
    ),
    ("value_and_slope_swapped", "Or the two are swapped", {"see": swapped_through}),
    (
        "rounded_twice_and_probabilities",
        "something after your rounding rounds again",
        {
            "see": lambda x, levels: quantise(through(x, levels), levels),
            "loss": lambda z, n: margin_of(z.softmax(1), n),
        },
    ),
    ("second_minus_first", "the second minus the first", {"loss": second_minus_first}),
    ("label_at_0", "The label's logit was set to 0", {"loss": label_at_0}),
    ("margin_against_the_answer", "against the answer without attack", {"counted_on": lambda before, labels: before}),
    ("rounded_after_each_step", "x_adv itself was rounded", {"keep": quantise}),
    ("rounding_left_flat_and_counted_wrong", "not the only fault", {"see": quantise, "count": same_mean}),
    ("flat_cross_entropy", "that is exactly 0 there", {"loss": entropy}),
    ("flat_and_worst_mean", "not the only fault", {"loss": entropy, "count": right_mean}),
    ("flat_and_unchanged", "not the only fault", {"loss": entropy, "count": unchanged}),
    ("worst_mean", "robust is the smallest of the accuracies", {"count": right_mean}),
    ("unchanged_counts", "with those before the attack", {"count": unchanged}),
    ("worst_mean_of_unchanged", "smallest of several means", {"count": same_mean}),
    (
        "worst_mean_with_clean",
        "robust is the smallest of the accuracies",
        {"count": lambda b, a, n: min(((b == n) & (each == n)).double().mean().item() for each in a)},
    ),
    (
        "mean_over_attacks",
        "were averaged",
        {"count": lambda b, a, n: sum((each == n).double().mean().item() for each in a) / len(a)},
    ),
    (
        "stands_against_any",
        "Not all attacks were counted",
        {"count": lambda b, a, n: (torch.stack([each == n for each in a]).any(0) & (b == n)).double().mean().item()},
    ),
    (
        "last_attack_alone",
        "Not all attacks were counted",
        {"count": lambda b, a, n: ((a[-1] == n) & (b == n)).double().mean().item()},
    ),
    (
        "clean_forgotten",
        "pushed it to the right class",
        {"count": lambda b, a, n: torch.stack([each == n for each in a]).all(0).double().mean().item()},
    ),
    (
        "share_of_the_right",
        "robust accuracy is a share of *all* examples",
        {"count": lambda b, a, n: robust_mean(b, a, n) * len(b) / max(int((b == n).sum()), 1)},
    ),
    ("share_that_fell", "the share of those that *fell*", {"count": lambda b, a, n: 1 - robust_mean(b, a, n)}),
    ("per_cent", "not in per cent", {"count": lambda b, a, n: 100 * robust_mean(b, a, n)}),
    ("half_of_it", "what is counted is not", {"count": lambda b, a, n: robust_mean(b, a, n) / 2}),
    ("rounding_left_out", "Its *values* belong to the defence", {"see": lambda x, levels: x}),
    ("cross_entropy_without_the_scale", "The logits were made small again", {"loss": without_scale}),
    ("margin_of_probabilities", "the margin of *probabilities*", {"loss": lambda z, n: margin_of(z.softmax(1), n)}),
    (
        "loss_of_the_answer",
        "raises the loss of the network's own answer",
        {"loss": lambda z, n: entropy(z, z.argmax(1))},
    ),
    ("labels_logit_alone", "The label's logit alone", {"loss": lambda z, n: -z.gather(1, n[:, None]).sum()}),
    (
        "label_not_left_out",
        "the label's own logit is among those",
        {"loss": lambda z, n: (z.amax(1) - z.gather(1, n[:, None])[:, 0]).sum()},
    ),
    ("descends", "The attack goes down", {"way": lambda g: -g.sign()}),
    ("no_sign", "without its sign", {"way": lambda g: g}),
    ("around_the_last_point", "The ball is around the last point", {"around": lambda x, start, last: last}),
    ("around_the_start", "The ball is around the start", {"around": lambda x, start, last: start}),
    ("no_ball", "The ball is missing: pixels", {"ball": False}),
    ("half_a_ball_and_more", "or it is not around x", {"around": lambda x, start, last: (x + last) / 2}),
    ("no_box", "The box is missing", {"box": False}),
    ("no_box_and_half_a_step", "The box is missing", {"box": False, "way": lambda g: g.sign() / 2}),
    ("starts_ignored", "All attacks began at x", {"begin": lambda x, start: x}),
    ("one_step_more", "One step too many, or one too few", {"rounds": lambda n: n + 1}),
    ("one_step_less", "One step too many, or one too few", {"rounds": lambda n: n - 1}),
    ("half_a_step", "The points of the attack are not those", {"way": lambda g: g.sign() / 2}),
    (
        "tensors_for_floats",
        "clean and robust are floats",
        {"back": lambda c, r, a: (torch.tensor(c), torch.tensor(r), a)},
    ),
    ("swapped", "The first two are swapped", {"back": lambda c, r, a: (r, c, a)}),
    ("robust_alone", "Three come back", {"back": lambda c, r, a: r}),
    ("last_points_alone", "the last points of the attack from each start", {"back": lambda c, r, a: (c, r, a[-1])}),
    ("a_list_of_points", "Three come back", {"back": lambda c, r, a: (c, r, list(a))}),
    ("nothing", "Nothing was returned", {"back": lambda c, r, a: None}),
    ("clean_in_per_cent", "clean is the share of examples", {"back": lambda c, r, a: (100 * c, r, a)}),
    ("not_summed", "torch wants one number", {"loss": lambda z, n: functional.cross_entropy(z, n, reduction="none")}),
):
    named(wrong("15.masked", phrase), name, evaluated(**parts))


# --- 15.radius ------------------------------------------------------------------------------------------------------


def exact(k, n, alpha):
    return beta.ppf(alpha, k, n - k + 1) if k > 0 else 0.0


def certified(
    bound=exact,
    radius=lambda p, sd: sd * norm.ppf(p),
    choose=lambda first, second: first.argmax().item(),
    count=lambda first, second: second,
    most=lambda counts, label: counts[label].item(),
    draws=lambda first, second: second.sum().item(),
    stands=lambda p, k, n: p > 0.5,
    nothing=(-1, 0.0),
):
    """A right answer, but for the parts that are given."""

    def answer(selection, estimation, sd, alpha):
        label = choose(selection, estimation)
        k, n = most(count(selection, estimation), label), draws(selection, estimation)
        lower = bound(k, n, alpha)
        return (label, float(radius(lower, sd))) if stands(lower, k, n) else nothing

    return answer


named(right("15.radius"), "with_scipy", certified())


@right("15.radius")
def by_bisection(selection, estimation, sd, alpha):
    label = selection.tolist().index(max(selection.tolist()))
    n, k = sum(estimation.tolist()), estimation[label].item()

    ways = [math.comb(n, j) for j in range(k, n + 1)]

    def at_least(p):
        return sum(way * p**j * (1 - p) ** (n - j) for j, way in enumerate(ways, start=k))

    low, high = 0.0, 1.0
    for _ in range(40):
        p = (low + high) / 2
        low, high = (low, p) if at_least(p) > alpha else (p, high)
    return (label, sd * NormalDist().inv_cdf(low)) if low > 1 / 2 else (-1, 0.0)


@right("15.radius")
def through_the_binomial_test(selection, estimation, sd, alpha):
    from scipy.stats import binomtest

    label = int(torch.argmax(selection))
    test = binomtest(int(estimation[label]), int(estimation.sum()), alternative="greater")
    lower = test.proportion_ci(1 - alpha, "exact").low
    if lower <= 0.5:
        return -1, 0.0
    return label, float(sd / 2 * (norm.ppf(lower) - norm.ppf(1 - lower)))


def shifted(a, b, q):
    return beta.ppf(q, a, b) if a > 0 and b > 0 else float(b <= 0)


def gauss(k, n, alpha):
    return k / n - norm.ppf(1 - alpha) * math.sqrt(k / n * (1 - k / n) / n)


for name, phrase, parts in (
    ("share_for_the_bound", "The share k / n itself", {"bound": lambda k, n, a: k / n}),
    ("two_sided", "alpha was halved", {"bound": lambda k, n, a: exact(k, n, a / 2)}),
    ("doubled", "alpha was doubled", {"bound": lambda k, n, a: exact(k, n, 2 * a)}),
    ("normal_approximation", "the normal approximation", {"bound": gauss}),
    ("two_sided_normal", "the normal approximation", {"bound": lambda k, n, a: gauss(k, n, a / 2)}),
    (
        "hoeffding",
        "Hoeffding's bound",
        {"bound": lambda k, n, a: k / n - math.sqrt(-math.log(a) / (2 * n))},
    ),
    ("upper_bound", "a bound from *above*", {"bound": lambda k, n, a: shifted(k + 1, n - k, 1 - a)}),
    ("one_minus_alpha", "1 - alpha stands where alpha", {"bound": lambda k, n, a: exact(k, n, 1 - a)}),
    (
        "no_plus_one",
        "parameters of the beta distribution are a little off",
        {"bound": lambda k, n, a: shifted(k, n - k, a)},
    ),
    (
        "uniform_prior",
        "parameters of the beta distribution are a little off",
        {"bound": lambda k, n, a: shifted(k + 1, n - k + 1, a)},
    ),
    (
        "parameters_swapped",
        "parameters of the beta distribution are swapped",
        {"bound": lambda k, n, a: shifted(n - k + 1, k, a)},
    ),
    (
        "selection_counts_too",
        "The `selection` counts were used for the bound",
        {"count": lambda s, e: s, "draws": lambda s, e: s.sum().item()},
    ),
    ("chosen_by_estimation", "The class was chosen by the `estimation`", {"choose": lambda s, e: e.argmax().item()}),
    ("largest_count", "The class was chosen by the `estimation`", {"most": lambda counts, label: counts.max().item()}),
    (
        "both_added",
        "Both samples were added, and judge",
        {"count": lambda s, e: s + e, "draws": lambda s, e: (s + e).sum().item()},
    ),
    (
        "both_added_and_chosen",
        "Both samples were added, and judge",
        {
            "choose": lambda s, e: (s + e).argmax().item(),
            "count": lambda s, e: s + e,
            "draws": lambda s, e: (s + e).sum().item(),
        },
    ),
    (
        "draws_of_selection",
        "n was counted over `selection`",
        {"draws": lambda s, e: s.sum().item()},
    ),
    ("a_thousand_draws", "n was 1,000", {"draws": lambda s, e: 1_000}),
    ("both_added_to_choose", "Both samples were added to choose", {"choose": lambda s, e: (s + e).argmax().item()}),
    (
        "nan_for_none",
        "beta.ppf(alpha, k, n - k + 1) is nan for k = 0",
        {"bound": lambda k, n, a: beta.ppf(a, k, n - k + 1), "stands": lambda p, k, n: not p <= 0.5},
    ),
    ("draws_of_both", "n was counted over `selection`", {"draws": lambda s, e: (s + e).sum().item()}),
    ("draws_of_two_classes", "the two most frequent classes", {"draws": lambda s, e: e.topk(2).values.sum().item()}),
    ("no_sd", "sd is missing", {"radius": lambda p, sd: norm.ppf(p)}),
    ("over_sd", "sd *times* the quantile", {"radius": lambda p, sd: norm.ppf(p) / sd}),
    ("variance", "sd was squared", {"radius": lambda p, sd: sd**2 * norm.ppf(p)}),
    ("half", "The radius has a factor too many", {"radius": lambda p, sd: sd / 2 * norm.ppf(p)}),
    ("probability", "first the quantile of the normal", {"radius": lambda p, sd: sd * p}),
    ("above_a_half", "first the quantile of the normal", {"radius": lambda p, sd: sd * (p - 0.5)}),
    ("cdf", "norm.cdf makes a probability", {"radius": lambda p, sd: sd * norm.cdf(p)}),
    ("logit", "A logit was taken", {"radius": lambda p, sd: sd * math.log(p / (1 - p))}),
    ("never_abstains", "There is no abstention", {"stands": lambda p, k, n: True}),
    (
        "never_abstains_with_a_radius_of_0",
        "There is no abstention",
        {"stands": lambda p, k, n: True, "radius": lambda p, sd: max(sd * norm.ppf(p), 0.0)},
    ),
    ("abstains_by_the_share", "It abstains by the share", {"stands": lambda p, k, n: k / n > 0.5}),
    ("abstains_with_none", "Where it abstains, two numbers come back", {"nothing": None}),
    ("abstains_with_two_nones", "Where it abstains, two numbers come back", {"nothing": (None, 0.0)}),
    ("abstains_with_minus_one", "Two numbers come back", {"nothing": -1}),
    ("radius_as_a_whole_number", "label is an int and radius a float", {"nothing": (-1, 0)}),
):
    named(wrong("15.radius", phrase), name, certified(**parts))


@wrong("15.radius", "Where it abstains, the radius is 0.0")
def radius_of_nothing(selection, estimation, sd, alpha):
    label = int(selection.argmax())
    lower = exact(int(estimation[label]), int(estimation.sum()), alpha)
    return label if lower > 0.5 else -1, float(sd * norm.ppf(lower))


@wrong("15.radius", "alpha was shared out among the classes")
def bonferroni(selection, estimation, sd, alpha):
    return certified()(selection, estimation, sd, alpha / len(selection))


@wrong("15.radius", "The second most frequent class")
def two_classes(selection, estimation, sd, alpha):
    label = int(selection.argmax())
    rest = estimation.clone()
    rest[label] = -1
    second, n = int(rest.max()), int(estimation.sum())
    lower, upper = exact(int(estimation[label]), n, alpha), shifted(second + 1, n - second, 1 - alpha)
    radius = sd / 2 * (norm.ppf(lower) - norm.ppf(upper))
    return (label, float(radius)) if radius > 0 else (-1, 0.0)


@wrong("15.radius", "where the two samples disagree")
def abstains_when_they_disagree(selection, estimation, sd, alpha):
    label = int(selection.argmax())
    if label != int(estimation.argmax()):
        return -1, 0.0
    return label, max(float(sd * norm.ppf(exact(int(estimation[label]), int(estimation.sum()), alpha))), 0.0)


@wrong("15.radius", "The two are swapped")
def swapped(selection, estimation, sd, alpha):
    return certified()(selection, estimation, sd, alpha)[::-1]


@wrong("15.radius", "label is an int and radius a float")
def tensors(selection, estimation, sd, alpha):
    return tuple(torch.tensor(part) for part in certified()(selection, estimation, sd, alpha))


@wrong("15.radius", "The radius is right, and the label is not")
def labels_from_one(selection, estimation, sd, alpha):
    label, radius = certified()(selection, estimation, sd, alpha)
    return label + 1, radius


@wrong("15.radius", "By hand: the class with the most selection counts")
def a_tenth_less(selection, estimation, sd, alpha):
    label, radius = certified()(selection, estimation, sd, alpha)
    return label, 0.9 * radius


@wrong("15.radius", "An argument was changed")
def in_place(selection, estimation, sd, alpha):  # noqa: F811
    estimation += selection
    return certified()(selection, estimation, sd, alpha)


@wrong("15.radius", "Nothing was returned")
def nothing_at_all(selection, estimation, sd, alpha):
    certified()(selection, estimation, sd, alpha)


@wrong("15.radius", "int(...) makes one")
def numpys_numbers(selection, estimation, sd, alpha):
    label, radius = certified()(selection, estimation, sd, alpha)
    return np.int64(label), np.float64(radius)
