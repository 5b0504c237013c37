"""Named wrong answers of chapter 12, with the words that each diagnosis must hold; and right ones in other styles.

Every answer is written as a learner would write it, in another style than the references.
"""

import math

import numpy as np
import torch
from dlcourse_answers import right, wrong
from torch.nn import functional


def named(register, name, answer):
    answer.__name__ = name
    register(answer)


# --- 12.optimal -----------------------------------------------------------------------------------------------------


@right("12.optimal")
def one_over_one_plus_the_ratio(log_p, log_q):
    return 1 / (1 + torch.exp(log_q - log_p))


@right("12.optimal")
def softmax_of_both(log_p, log_q):
    return torch.softmax(torch.stack([log_p, log_q]), dim=0)[0]


@right("12.optimal")
def divided_by_the_sum_in_logarithms(log_p, log_q):
    return torch.exp(log_p - torch.logaddexp(log_p, log_q))


@right("12.optimal")
def point_by_point(log_p, log_q):
    d = torch.empty_like(log_p)
    for place in np.ndindex(*log_p.shape):
        gap = (log_q[place] - log_p[place]).item()
        d[place] = 0.0 if gap > 700 else 1 / (1 + math.exp(gap))
    return d


for name, phrase, answer in (
    ("fake_for_real", "the probability that a point is a *fake*", lambda p, q: torch.sigmoid(q - p)),
    ("naive_exp", "exp(-1000) is 0", lambda p, q: torch.exp(p) / (torch.exp(p) + torch.exp(q))),
    ("naive_exp_over_itself", "exp(-1000) is 0", lambda p, q: 1 / (1 + torch.exp(q) / torch.exp(p))),
    ("small_number_below", "A small number was added", lambda p, q: p.exp() / (p.exp() + q.exp() + 1e-8)),
    ("another_small_number", "A small number was added", lambda p, q: p.exp() / (p.exp() + q.exp() + 1e-10)),
    ("nan_to_num", "or a nan was replaced", lambda p, q: torch.nan_to_num(p.exp() / (p.exp() + q.exp()))),
    (
        "nan_to_a_half",
        "a nan was replaced by 1/2",
        lambda p, q: torch.nan_to_num(p.exp() / (p.exp() + q.exp()), nan=0.5),
    ),
    ("not_squashed", "the *logit* of D", lambda p, q: p - q),
    ("not_squashed_and_turned", "its sign turned", lambda p, q: q - p),
    ("ratio", "how many times as dense", lambda p, q: torch.exp(p - q)),
    ("ratio_turned_round", "This is q / p", lambda p, q: torch.exp(q - p)),
    ("difference", "This is p - q", lambda p, q: p.exp() - q.exp()),
    ("tanh_for_sigmoid", "a sigmoid, not a tanh", lambda p, q: torch.tanh((p - q) / 2)),
    ("tanh_of_the_whole", "a sigmoid, not a tanh", lambda p, q: torch.tanh(p - q)),
    ("its_logarithm", "the *logarithm* of D", lambda p, q: functional.logsigmoid(p - q)),
    ("share_of_the_logarithms", "where the densities belong", lambda p, q: p / (p + q)),
    ("without_the_fakes", "without the density of the fakes", lambda p, q: torch.sigmoid(p)),
    ("logarithms_added", "p times q", lambda p, q: torch.sigmoid(p + q)),
    ("sigmoid_of_densities", "its argument is a logit", lambda p, q: torch.sigmoid(p.exp() - q.exp())),
    ("sigmoid_of_the_ratio", "its argument is a logit", lambda p, q: torch.sigmoid(torch.exp(p - q))),
    ("the_larger_one_wins", "not by how much", lambda p, q: (p > q).to(p.dtype)),
    ("truth_values", "The dtype should be", lambda p, q: p > q),
    ("base_ten", "to the base 10", lambda p, q: 1 / (1 + 10 ** (q - p))),
    ("base_two", "to the base 10 or 2", lambda p, q: 1 / (1 + 2 ** (q - p))),
    ("softmax_over_the_points", "ran over the points", lambda p, q: torch.softmax(torch.stack([p, q]), dim=-1)[0]),
    (
        "small_number_on_both",
        "Either a small number was added to both",
        lambda p, q: (p.exp() + 1e-30) / ((p.exp() + 1e-30) + (q.exp() + 1e-30)),
    ),
    ("larger_number_on_both", "a small number was added", lambda p, q: (p.exp() + 1e-6) / (p.exp() + q.exp() + 2e-6)),
    ("small_number_on_p", "A small number was added", lambda p, q: (p.exp() + 1e-8) / (p.exp() + 1e-8 + q.exp())),
    ("density_of_the_real", "This is p itself", lambda p, q: p.exp()),
    ("cut_off_below", "cut off below", lambda p, q: torch.sigmoid(p.clamp(min=-100) - q.clamp(min=-100))),
    ("both_chances", "together with something else", lambda p, q: (torch.sigmoid(p - q), torch.sigmoid(q - p))),
    ("one_for_all", "D has a value at each", lambda p, q: torch.sigmoid(p - q).mean()),
    ("rounded", "on the way something has float32", lambda p, q: torch.sigmoid(p.float() - q.float()).to(p.dtype)),
    ("float32_back", "The dtype should be", lambda p, q: torch.sigmoid(p - q).float()),
    ("with_the_math_module", "take one number", lambda p, q: 1 / (1 + math.exp(q - p))),
    ("an_array", "torch.tensor(...) makes one", lambda p, q: 1 / (1 + np.exp(q.numpy() - p.numpy()))),
    ("nothing", "Nothing was returned", lambda p, q: None),
    ("in_place", "An argument was changed", lambda p, q: p.sub_(q).sigmoid()),
    ("a_tenth_of_the_share", "the share of p in p + q", lambda p, q: torch.sigmoid(p - q) / 10),
):
    named(wrong("12.optimal", phrase), name, answer)


@wrong("12.optimal", "decides once for all points")
def an_if_for_all(log_p, log_q):
    if log_p > log_q:
        return 1 / (1 + torch.exp(log_q - log_p))
    return torch.exp(log_p - log_q) / (1 + torch.exp(log_p - log_q))


# --- 12.two_losses --------------------------------------------------------------------------------------------------


def minimax(z):
    return -functional.softplus(z).mean()


def non_saturating(z):
    return functional.softplus(-z).mean()


@right("12.two_losses")
def by_softplus(fake_logits):
    return minimax(fake_logits), non_saturating(fake_logits)


@right("12.two_losses")
def by_cross_entropies(fake_logits):
    bce = functional.binary_cross_entropy_with_logits
    return -bce(fake_logits, torch.zeros_like(fake_logits)), bce(fake_logits, torch.ones_like(fake_logits))


@right("12.two_losses")
def from_the_size_of_the_logit(fake_logits):
    rest = torch.log1p(torch.exp(-fake_logits.abs()))
    return -(fake_logits.relu() + rest).mean(), ((-fake_logits).relu() + rest).sum() / len(fake_logits)


@right("12.two_losses")
def by_logaddexp(fake_logits):
    zero = torch.zeros_like(fake_logits)
    return -torch.logaddexp(zero, fake_logits).mean(), torch.logaddexp(zero, -fake_logits).mean()


@right("12.two_losses")
def one_from_the_other(fake_logits):
    non_saturating = -functional.logsigmoid(fake_logits)
    return (-non_saturating - fake_logits).mean(), non_saturating.mean()


for name, phrase, answer in (
    ("what_d_wants", "minimax: This is -log(1 - D)", lambda z: functional.softplus(z).mean()),
    ("summed", "minimax: The losses were summed", lambda z: -functional.softplus(z).sum()),
    ("naive", "minimax: A sigmoid that rounds", lambda z: torch.log(1 - torch.sigmoid(z)).mean()),
    ("naive_log1p", "minimax: A sigmoid that rounds", lambda z: torch.log1p(-torch.sigmoid(z)).mean()),
    ("eps", "minimax: A small number inside", lambda z: torch.log(1 - torch.sigmoid(z) + 1e-8).mean()),
    ("clamped_d", "minimax: A small number inside", lambda z: (1 - z.sigmoid()).clamp(min=1e-6).log().mean()),
    ("exp_by_hand", "exp(1000) by itself is infinite", lambda z: -torch.log(1 + torch.exp(z)).mean()),
    ("clamped_logit", "minimax: The loss is right for smaller logits", lambda z: minimax(z.clamp(-50, 50))),
    ("clamped_at_100", "or the logit was cut off there by a clamp", lambda z: minimax(z.clamp(-100, 100))),
    ("clamped_loss", "too small for the large ones", lambda z: -functional.softplus(z).clamp(max=73).mean()),
    (
        "nan_to_num",
        "an infinity was replaced",
        lambda z: torch.log(1 - torch.sigmoid(z)).mean().nan_to_num(posinf=1000),
    ),
    (
        "bce_of_probabilities",
        "minimax: binary_cross_entropy takes a probability",
        lambda z: -functional.binary_cross_entropy(z.sigmoid(), torch.zeros_like(z)),
    ),
    ("no_log", "minimax: The logarithm is missing", lambda z: (1 - torch.sigmoid(z)).mean()),
    ("log_of_the_mean", "minimax: The logarithm of the mean", lambda z: (1 - torch.sigmoid(z)).mean().log()),
    ("logit_for_d", "minimax: The logit stands where", lambda z: torch.log(1 - z).mean()),
    ("log_d", "minimax: This is log D", lambda z: functional.logsigmoid(z).mean()),
    ("the_other_loss", "minimax: This is the non-saturating", lambda z: functional.softplus(-z).mean()),
    ("sigmoid_twice", "minimax: The sigmoid was taken twice", lambda z: -functional.softplus(z.sigmoid()).mean()),
):
    named(wrong("12.two_losses", phrase), f"minimax_{name}", lambda z, answer=answer: (answer(z), non_saturating(z)))
for name, phrase, answer in (
    ("maximised", "non_saturating: This is log D", lambda z: functional.logsigmoid(z).mean()),
    ("summed", "non_saturating: The losses were summed", lambda z: functional.softplus(-z).sum()),
    ("naive", "non_saturating: A sigmoid that rounds", lambda z: -torch.log(torch.sigmoid(z)).mean()),
    ("eps", "non_saturating: A small number inside", lambda z: -torch.log(torch.sigmoid(z) + 1e-8).mean()),
    ("clamped_d", "non_saturating: A small number", lambda z: -z.sigmoid().clamp(min=1e-7).log().mean()),
    ("exp_by_hand", "exp(1000) by itself is infinite", lambda z: torch.log(1 + torch.exp(-z)).mean()),
    (
        "clamped_logit",
        "non_saturating: The loss is right for smaller logits, and too small",
        lambda z: non_saturating(z.clamp(-50, 50)),
    ),
    ("eps_of_1e_9", "by a small number inside the logarithm", lambda z: -torch.log(torch.sigmoid(z) + 1e-9).mean()),
    ("clamped_at_37", "too small for the large ones", lambda z: non_saturating(z.clamp(-37, 37))),
    ("clamped_at_100", "or the logit was cut off there by a clamp", lambda z: non_saturating(z.clamp(-100, 100))),
    ("nan_to_num", "an infinity was replaced", lambda z: -torch.log(torch.sigmoid(z)).nan_to_num(posinf=1000).mean()),
    ("nan_to_a_number", "nan_to_num", lambda z: (-torch.log(torch.sigmoid(z))).nan_to_num(posinf=100.5).mean()),
    (
        "bce_of_probabilities",
        "non_saturating: binary_cross_entropy takes a probability",
        lambda z: functional.binary_cross_entropy(z.sigmoid(), torch.ones_like(z)),
    ),
    ("no_log", "non_saturating: The logarithm is missing", lambda z: -torch.sigmoid(z).mean()),
    ("log_of_the_mean", "non_saturating: The logarithm of the mean", lambda z: -torch.sigmoid(z).mean().log()),
    ("logit_for_d", "non_saturating: The logit stands", lambda z: -torch.log(z).mean()),
    ("label_of_a_fake", "non_saturating: This is -log(1 - D)", lambda z: functional.softplus(z).mean()),
    ("the_game_s_loss", "non_saturating: This is the minimax", minimax),
    ("sigmoid_twice", "non_saturating: The sigmoid", lambda z: functional.softplus(-z.sigmoid()).mean()),
):
    named(wrong("12.two_losses", phrase), f"non_saturating_{name}", lambda z, answer=answer: (minimax(z), answer(z)))
for name, phrase, answer in (
    ("swapped", "The two are swapped", lambda z: (non_saturating(z), minimax(z))),
    ("both_signs", "Both signs are turned", lambda z: (-minimax(z), -non_saturating(z))),
    ("each_its_own", "A loss for each example", lambda z: (-functional.softplus(z), functional.softplus(-z))),
    ("a_list", "Two losses come back in a tuple", lambda z: [minimax(z), non_saturating(z)]),
    ("one_alone", "Two losses come back in a tuple", minimax),
    ("plain_numbers", "without .item()", lambda z: (minimax(z).item(), non_saturating(z).item())),
    ("cut_off", "No slope reaches the input", lambda z: (minimax(z.detach()), non_saturating(z))),
    ("the_other_cut_off", "No slope reaches the input", lambda z: (minimax(z), non_saturating(z).detach())),
    ("float32", "The dtype should be", lambda z: (minimax(z).float(), non_saturating(z).float())),
    ("rounded", "right to about seven digits", lambda z: tuple(each.to(z.dtype) for each in by_softplus(z.float()))),
    ("stacked", "Two losses come back", lambda z: torch.stack([minimax(z), non_saturating(z)])),
    ("halved", "By hand, for one logit of 0", lambda z: (minimax(z) / 2, non_saturating(z) / 2)),
):
    named(wrong("12.two_losses", phrase), name, answer)


@wrong("12.two_losses", "have an axis")
def with_an_axis(fake_logits):
    return minimax(fake_logits)[None], non_saturating(fake_logits)[None]


@wrong("12.two_losses", "A slope passes through *both* branches")
def where_that_hides_infinity(fake_logits):
    def softplus(z):
        return torch.where(z > 30, z, torch.log1p(torch.exp(z)))

    return -softplus(fake_logits).mean(), softplus(-fake_logits).mean()


@wrong("12.two_losses", "a slope of 0 came where there should be one")
def clamped_and_given_back(fake_logits):
    inside = fake_logits.clamp(-30, 30)
    lost = (fake_logits - inside).detach()
    return minimax(inside) - lost.relu().mean(), non_saturating(inside) + (-lost).relu().mean()


@wrong("12.two_losses", "take one number")
def by_the_math_module(fake_logits):
    d = 1 / (1 + math.exp(-fake_logits))
    return math.log(1 - d), -math.log(d)


@wrong("12.two_losses", "binary_cross_entropy_with_logits takes those")
def logits_for_probabilities(fake_logits):
    bce = functional.binary_cross_entropy
    return -bce(fake_logits, torch.zeros_like(fake_logits)), bce(fake_logits, torch.ones_like(fake_logits))


# --- 12.penalty -----------------------------------------------------------------------------------------------------


def critic(x, w1, b1, w2, b2):
    return torch.tanh(x @ w1.T + b1) @ w2 + b2


def between(real, fake, mix):
    return mix * real + (1 - mix) * fake


def of_sum(x, weights):
    return torch.autograd.grad(critic(x, *weights).sum(), x, create_graph=True)[0]


def rows(slope):
    return slope.norm(dim=1)


def squared(norm):
    return ((norm - 1) ** 2).mean()


def penalised(point=between, slope=of_sum, norm=rows, end=squared):
    """A right answer, but for the parts that are given."""

    def answer(real, fake, mix, w1, b1, w2, b2):
        x = point(real, fake, mix).detach().requires_grad_()
        return end(norm(slope(x, (w1, b1, w2, b2))))

    return answer


@right("12.penalty")
def by_hand_without_autograd(real, fake, mix, w1, b1, w2, b2):
    hidden = torch.tanh(torch.lerp(fake, real, mix) @ w1.T + b1)
    slope = ((1 - hidden**2) * w2) @ w1
    return (slope.norm(dim=1) - 1).square().mean()


@right("12.penalty")
def an_example_at_a_time(real, fake, mix, w1, b1, w2, b2):
    total = 0.0
    for one, other, share in zip(real, fake, mix, strict=True):
        x = (share * one + (1 - share) * other).requires_grad_()
        (slope,) = torch.autograd.grad(critic(x, w1, b1, w2, b2), x, create_graph=True)
        total = total + ((slope**2).sum().sqrt() - 1) ** 2
    return total / len(real)


@right("12.penalty")
def by_torch_func(real, fake, mix, w1, b1, w2, b2):
    slope_at = torch.func.vmap(torch.func.grad(lambda x: critic(x, w1, b1, w2, b2)))
    norms = slope_at(fake + mix * (real - fake)).norm(2, dim=1)
    return functional.mse_loss(norms, torch.ones_like(norms))


@right("12.penalty")
def with_grad_outputs_and_a_small_number(real, fake, mix, w1, b1, w2, b2):
    x = between(real, fake, mix).requires_grad_()
    scores = critic(x, w1, b1, w2, b2)
    ones = torch.ones_like(scores)
    slope = torch.autograd.grad(scores, x, grad_outputs=ones, create_graph=True, retain_graph=True)[0]
    return ((torch.sqrt((slope**2).sum(1) + 1e-12) - 1) ** 2).mean()


for name, phrase, parts in (
    ("norm_of_the_batch", "One number for the whole batch", {"norm": lambda s: s.norm()}),
    ("slopes_added_first", "there the examples cancel", {"norm": lambda s: s.sum(0).norm()}),
    ("slopes_averaged_first", "there the examples cancel", {"norm": lambda s: s.mean(0).norm()}),
    ("norm_over_the_batch_axis", "The norm runs over the batch", {"norm": lambda s: s.norm(dim=0)}),
    (
        "mean_of_the_scores",
        "too small by the size of the batch",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w).mean(), x, create_graph=True)[0]},
    ),
    (
        "first_score_alone",
        "Only the first example's score",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w)[0], x, create_graph=True)[0]},
    ),
    ("no_root", "The norm was squared", {"norm": lambda s: (s**2).sum(dim=1)}),
    ("mean_over_features", "The features were averaged", {"norm": lambda s: (s**2).mean(dim=1).sqrt()}),
    ("no_norm", "The features were averaged", {"norm": lambda s: s.abs()}),
    ("sum_of_sizes", "not the length of the slope", {"norm": lambda s: s.abs().sum(dim=1)}),
    ("largest_entry", "not the length of the slope", {"norm": lambda s: s.abs().amax(dim=1)}),
    ("sum_with_signs", "not the length of the slope", {"norm": lambda s: s.sum(dim=1)}),
    ("mix_swapped", "The weights of the mix are swapped", {"point": lambda r, f, m: m * f + (1 - m) * r}),
    ("one_mix_for_all", "One mix for all pairs", {"point": lambda r, f, m: between(r, f, m.mean())}),
    ("first_mix_for_all", "One mix for all pairs", {"point": lambda r, f, m: between(r, f, m[0])}),
    ("mix_without_its_axis", "Each *feature* got a mix of its own", {"point": lambda r, f, m: between(r, f, m[:, 0])}),
    ("slope_at_real", "at the real examples.", {"point": lambda r, f, m: r}),
    ("slope_at_fake", "at the fakes.", {"point": lambda r, f, m: f}),
    ("slope_at_both", "at the real examples and at the fakes", {"point": lambda r, f, m: torch.cat([r, f])}),
    ("half_way", "mix was left out", {"point": lambda r, f, m: (r + f) / 2}),
    ("not_between", "not between the two", {"point": lambda r, f, m: m * r + f}),
    ("away_from_the_fake", "not between the two", {"point": lambda r, f, m: m * r - (1 - m) * f}),
    ("other_pairs", "paired in another order", {"point": lambda r, f, m: between(r, f.flip(0), m)}),
    ("score_for_slope", "The score itself", {"slope": lambda x, w: critic(x, *w)[:, None]}),
    ("norm_of_the_scores", "The score itself", {"slope": lambda x, w: critic(x, *w), "norm": lambda s: s.norm()}),
    (
        "sigmoid_of_the_score",
        "A sigmoid was put on the score",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w).sigmoid().sum(), x, create_graph=True)[0]},
    ),
    ("each_feature_beside_one", "The features were averaged", {"norm": lambda s: s}),
    (
        "slope_in_w1",
        "not a weight, and not a copy of x",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w).sum(), w[0], create_graph=True)[0]},
    ),
    (
        "slope_in_a_copy_of_x",
        "not a weight, and not a copy of x",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w).sum(), x.detach(), create_graph=True)[0]},
    ),
    (
        "slope_of_hidden",
        "stops at the hidden units",
        {"slope": lambda x, w: (1 - torch.tanh(x @ w[0].T + w[1]) ** 2) * w[2]},
    ),
    ("no_one", "The 1 is missing", {"end": lambda n: (n**2).mean()}),
    ("plain_mean", "The 1 is missing", {"end": lambda n: n.mean()}),
    ("summed", "summed over the batch", {"end": lambda n: ((n - 1) ** 2).sum()}),
    ("not_squared", "was not squared", {"end": lambda n: (n - 1).mean()}),
    ("size_of_the_distance", "was not squared", {"end": lambda n: (n - 1).abs().mean()}),
    ("one_sided", "Only slopes above 1 pay", {"end": lambda n: (n - 1).clamp(min=0).square().mean()}),
    ("mean_first", "The mean of the norms", {"end": lambda n: (n.mean() - 1) ** 2}),
    ("root_at_the_end", "A root was taken at the end", {"end": lambda n: ((n - 1) ** 2).mean().sqrt()}),
    ("plus_one", "The 1 was added", {"end": lambda n: ((n + 1) ** 2).mean()}),
    ("times_ten", "its weight comes later", {"end": lambda n: 10 * ((n - 1) ** 2).mean()}),
    ("negative", "The sign is turned", {"end": lambda n: -((n - 1) ** 2).mean()}),
    ("for_each_example", "A penalty for each example", {"end": lambda n: (n - 1) ** 2}),
    ("with_an_axis", "has an axis", {"end": lambda n: ((n - 1) ** 2).mean(dim=0, keepdim=True)}),
    ("a_plain_number", "without .item()", {"end": lambda n: ((n - 1) ** 2).mean().item()}),
    ("float32_back", "The dtype should be", {"end": lambda n: ((n - 1) ** 2).mean().float()}),
    ("a_third_of_it", "Print on the way", {"end": lambda n: ((n - 1) ** 2).mean() / 3}),
    (
        "no_create_graph",
        "create_graph=True",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w).sum(), x)[0]},
    ),
    (
        "retain_graph_for_create_graph",
        "only keeps the old record",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w).sum(), x, retain_graph=True)[0]},
    ),
    ("detached_norm", "says nothing to the weights", {"norm": lambda s: s.norm(dim=1).detach()}),
    (
        "detached_weights",
        "says nothing to the weights",
        {"slope": lambda x, w: of_sum(x, [weight.detach() for weight in w])},
    ),
    (
        "first_layer_detached",
        "no slope gets from it to w1",
        {"slope": lambda x, w: of_sum(x, (w[0].detach(), *w[1:]))},
    ),
    ("half_of_the_norm_detached", "was cut off", {"end": lambda n: ((n - 1).detach() * (n - 1)).mean()}),
    (
        "tuple_of_grad",
        "returns a tuple",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w).sum(), x, create_graph=True)},
    ),
    (
        "grad_of_many",
        "grad wants one number",
        {"slope": lambda x, w: torch.autograd.grad(critic(x, *w), x, create_graph=True)[0]},
    ),
    (
        "scores_of_another_x",
        "The scores do not depend on",
        {
            "slope": lambda x, w: torch.autograd.grad(
                critic(x.detach().requires_grad_(), *w).sum(), x, create_graph=True
            )[0]
        },
    ),
    ("third_axis", "There is no such axis", {"norm": lambda s: s.norm(dim=2)}),
):
    named(wrong("12.penalty", phrase), name, penalised(**parts))


@wrong("12.penalty", "This is the slope in `real`")
def slope_in_real(real, fake, mix, w1, b1, w2, b2):
    real = real.detach().requires_grad_()
    scores = critic(between(real, fake, mix), w1, b1, w2, b2)
    (slope,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
    return squared(rows(slope))


@wrong("12.penalty", "This is the slope in `fake`")
def slope_in_fake(real, fake, mix, w1, b1, w2, b2):
    fake = fake.detach().requires_grad_()
    scores = critic(between(real, fake, mix), w1, b1, w2, b2)
    (slope,) = torch.autograd.grad(scores.sum(), fake, create_graph=True)
    return squared(rows(slope))


@wrong("12.penalty", "a difference of two scores")
def difference_of_two_scores(real, fake, mix, w1, b1, w2, b2):
    rise = critic(real, w1, b1, w2, b2) - critic(fake, w1, b1, w2, b2)
    return squared(rise.abs() / (real - fake).norm(dim=1))


@wrong("12.penalty", "the slope in the critic's weights")
def slope_in_the_weights(real, fake, mix, w1, b1, w2, b2):
    w1 = w1.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between(real, fake, mix), w1, b1, w2, b2).sum(), w1, create_graph=True)
    return (slope.norm() - 1) ** 2


@wrong("12.penalty", "not on torch's record")
def x_off_the_record(real, fake, mix, w1, b1, w2, b2):
    x = between(real, fake, mix).detach()
    return squared(rows(of_sum(x, (w1, b1, w2, b2))))


@wrong("12.penalty", "the slope is asked for in x, not in a weight")
def slope_in_w1_and_nothing_on_the_record(real, fake, mix, w1, b1, w2, b2):
    scores = critic(between(real, fake, mix), w1, b1, w2, b2)
    (slope,) = torch.autograd.grad(scores.sum(), w1, create_graph=True)
    return squared(rows(slope))


@wrong("12.penalty", "only the slopes of leaves are kept there")
def by_backward(real, fake, mix, w1, b1, w2, b2):
    x = between(real.requires_grad_(), fake, mix)
    critic(x, w1, b1, w2, b2).sum().backward(create_graph=True)
    return ((x.grad.norm(dim=1) - 1) ** 2).mean()


@wrong("12.penalty", "Two shapes do not fit")
def mix_flattened(real, fake, mix, w1, b1, w2, b2):
    flat = torch.cat([mix[:, 0], mix[:, 0]])
    return squared(rows(of_sum(between(real, fake, flat[:3]).requires_grad_(), (w1, b1, w2, b2))))


@wrong("12.penalty", "An argument was changed")
def mixed_in_place(real, fake, mix, w1, b1, w2, b2):
    with torch.no_grad():
        real.mul_(mix).add_((1 - mix) * fake)
    return squared(rows(of_sum(real.detach().requires_grad_(), (w1, b1, w2, b2))))


# --- 12.coverage ----------------------------------------------------------------------------------------------------


def counted(samples, centres, radius, measure=None):
    """For each sample its nearest centre, and whether it is good."""
    apart = samples[:, None] - centres
    distances = measure(apart) if measure else apart.pow(2).sum(-1).sqrt()
    nearest = distances.argmin(dim=1)
    return nearest, distances[torch.arange(len(samples)), nearest] <= radius, distances


def found(numbers):
    """A wrong answer: numbers(counts of good ones for each mode, good, samples, least) -> what comes back."""

    def answer(samples, centres, radius, least):
        nearest, good, _ = counted(samples, centres, radius)
        counts = torch.tensor([int((nearest[good] == mode).sum()) for mode in range(len(centres))])
        return numbers(counts, good, samples, least)

    return answer


def covered_of(counts, samples, least):
    return int((counts >= least * len(samples)).sum())


def share_of(good):
    return good.double().mean().item()


@right("12.coverage")
def sample_by_sample(samples, centres, radius, least):
    counts = [0] * len(centres)
    for sample in samples.tolist():
        distances = [math.dist(sample, centre) for centre in centres.tolist()]
        if min(distances) <= radius:
            counts[distances.index(min(distances))] += 1
    return sum(count / len(samples) >= least for count in counts), sum(counts) / len(samples)


@right("12.coverage")
def by_cdist_and_one_hot(samples, centres, radius, least):
    distances = torch.cdist(samples, centres, compute_mode="donot_use_mm_for_euclid_dist")
    mine = functional.one_hot(distances.argmin(1), len(centres)) * (distances <= radius)
    shares = mine.double().mean(0)
    return (shares >= least).sum().item(), shares.sum().item()


@right("12.coverage")
def with_numpy(samples, centres, radius, least):
    apart = np.linalg.norm(samples.numpy()[:, None] - centres.numpy(), axis=2)
    _, counts = np.unique(apart.argmin(1)[apart.min(1) < radius], return_counts=True)
    return int((counts / len(samples) >= least).sum()), float((apart.min(1) < radius).mean())


def with_measure(measure):
    def answer(samples, centres, radius, least):
        nearest, good, _ = counted(samples, centres, radius, measure)
        counts = torch.bincount(nearest[good], minlength=len(centres))
        return covered_of(counts, samples, least), share_of(good)

    return answer


for name, phrase, measure in (
    ("squared_distance", "The *squared* distance", lambda apart: apart.pow(2).sum(-1)),
    ("sum_of_sizes", "neither the sum of their sizes", lambda apart: apart.abs().sum(-1)),
    ("box", "nor the larger one", lambda apart: apart.abs().amax(-1)),
    ("mean_square", "nor a mean", lambda apart: apart.pow(2).mean(-1).sqrt()),
):
    named(wrong("12.coverage", phrase), name, with_measure(measure))
for name, phrase, numbers in (
    ("a_stray_covers", "One good sample was enough", lambda c, g, s, least: (int((c > 0).sum()), share_of(g))),
    ("number_beside_least", "a *number* of samples", lambda c, g, s, least: (int((c >= least).sum()), share_of(g))),
    (
        "least_divided_by_the_modes",
        "`least` was divided by the number of modes",
        lambda c, g, s, least: (int((c / len(s) >= least / len(c)).sum()), share_of(g)),
    ),
    ("more_than_least", "More than `least`", lambda c, g, s, least: (int((c > least * len(s)).sum()), share_of(g))),
    (
        "of_the_good_ones",
        "of the good samples alone",
        lambda c, g, s, least: (int(((c >= least * c.sum()) & (c > 0)).sum()), share_of(g)),
    ),
    (
        "even_share",
        "An even share",
        lambda c, g, s, least: (int((c >= len(s) / len(c)).sum()), share_of(g)),
    ),
    ("all_modes", "All modes were counted", lambda c, g, s, least: (len(c), share_of(g))),
    (
        "missing_modes",
        "The missing modes were counted",
        lambda c, g, s, least: (len(c) - covered_of(c, s, least), share_of(g)),
    ),
    (
        "share_of_modes",
        "this is the share of modes",
        lambda c, g, s, least: (covered_of(c, s, least), covered_of(c, s, least) / len(c)),
    ),
    (
        "number_of_samples",
        "this is a number of samples",
        lambda c, g, s, least: (covered_of(c, s, least), float(g.sum())),
    ),
    ("per_cent", "this is in per cent", lambda c, g, s, least: (covered_of(c, s, least), 100 * share_of(g))),
    ("share_of_bad", "the share of *bad*", lambda c, g, s, least: (covered_of(c, s, least), 1 - share_of(g))),
    (
        "good_of_covered_modes",
        "modes that are not covered were left out",
        lambda c, g, s, least: (covered_of(c, s, least), float(c[c >= least * len(s)].sum()) / len(s)),
    ),
    (
        "fullest_mode",
        "the fullest mode alone",
        lambda c, g, s, least: (covered_of(c, s, least), float(c.max()) / len(s)),
    ),
    (
        "per_mode",
        "divided by the number of modes",
        lambda c, g, s, least: (covered_of(c, s, least), float(c.sum()) / len(c)),
    ),
    ("turned_round", "in the wrong order", lambda c, g, s, least: (share_of(g), covered_of(c, s, least))),
    (
        "tensors",
        "an int and high_quality a float",
        lambda c, g, s, least: ((c >= least * len(s)).sum(), g.double().mean()),
    ),
    ("a_list", "an int and high_quality a float", lambda c, g, s, least: [covered_of(c, s, least), share_of(g)]),
    ("covered_alone", "Two numbers come back", lambda c, g, s, least: covered_of(c, s, least)),
    ("one_too_many", "high_quality is right", lambda c, g, s, least: (covered_of(c, s, least) + 7, share_of(g))),
    ("half_the_share", "covered is right", lambda c, g, s, least: (covered_of(c, s, least), share_of(g) / 2 + 0.01)),
    ("nothing", "Nothing was returned", lambda c, g, s, least: None),
):
    named(wrong("12.coverage", phrase), name, found(numbers))


@wrong("12.coverage", "far from every centre")
def nearest_however_far(samples, centres, radius, least):
    nearest, _, _ = counted(samples, centres, radius)
    counts = torch.bincount(nearest, minlength=len(centres))
    return covered_of(counts, samples, least), 1.0


@wrong("12.coverage", "far from every centre")
def covered_by_far_ones(samples, centres, radius, least):
    nearest, good, _ = counted(samples, centres, radius)
    counts = torch.bincount(nearest, minlength=len(centres))
    return covered_of(counts, samples, least), share_of(good)


@wrong("12.coverage", "those beyond it counted")
def the_wrong_way_round(samples, centres, radius, least):
    nearest, good, _ = counted(samples, centres, radius)
    counts = torch.bincount(nearest[~good], minlength=len(centres))
    return covered_of(counts, samples, least), share_of(~good)


@wrong("12.coverage", "within the radius of two centres")
def every_circle_by_itself(samples, centres, radius, least):
    _, good, distances = counted(samples, centres, radius)
    counts = (distances <= radius).sum(0)
    return covered_of(counts, samples, least), share_of(good)


@wrong("12.coverage", "within the radius of two centres")
def counted_twice(samples, centres, radius, least):
    _, _, distances = counted(samples, centres, radius)
    counts = (distances <= radius).sum(0)
    return covered_of(counts, samples, least), counts.sum().item() / len(samples)


@wrong("12.coverage", "given to the first of them in the list")
def first_circle_that_contains_it(samples, centres, radius, least):
    counts = [0] * len(centres)
    for sample in samples:
        for mode, centre in enumerate(centres):
            if (sample - centre).norm() <= radius:
                counts[mode] += 1
                break
    return sum(count / len(samples) >= least for count in counts), sum(counts) / len(samples)


@wrong("12.coverage", "given to the last of them in the list")
def last_circle_that_contains_it(samples, centres, radius, least):
    counts = [0] * len(centres)
    for sample in samples:
        home = None
        for mode, centre in enumerate(centres):
            if (sample - centre).norm() <= radius:
                home = mode
        if home is not None:
            counts[home] += 1
    return sum(count / len(samples) >= least for count in counts), sum(counts) / len(samples)


@wrong("12.coverage", "min(dim=1), not min(dim=0)")
def nearest_sample_of_each_centre(samples, centres, radius, least):
    distance, own_centre = (samples[:, None] - centres).norm(dim=2).min(0)
    good = distance <= radius
    counts = own_centre[good].bincount(minlength=len(centres))
    return (counts / len(samples) >= least).sum().item(), good.double().mean().item()


@wrong("12.coverage", "as distances.min(dim=0) does")
def any_sample_near_the_centre(samples, centres, radius, least):
    distances = (samples[:, None] - centres).norm(dim=2)
    covered = (distances.min(0).values <= radius).sum().item()
    return covered, (distances.min(1).values <= radius).double().mean().item()


@wrong("12.coverage", "divided by the samples that belong to this mode")
def share_of_its_own_samples(samples, centres, radius, least):
    distance, own_centre = (samples[:, None] - centres).norm(dim=2).min(1)
    good = distance <= radius
    own = own_centre.bincount(minlength=len(centres))
    shares = own_centre[good].bincount(minlength=len(centres)) / own  # 0 / 0 is nan, which covers nothing
    return (shares >= least).sum().item(), good.double().mean().item()


@wrong("12.coverage", "The length was taken over the centres")
def length_over_the_centres(samples, centres, radius, least):
    distance, own_centre = (samples[:, None] - centres).norm(dim=1).min(1)
    good = distance <= radius
    counts = own_centre[good].bincount(minlength=len(centres))
    return (counts / len(samples) >= least).sum().item(), good.double().mean().item()


@wrong("12.coverage", "each sample beside each centre")
def no_axis_for_the_centres(samples, centres, radius, least):
    good = (samples - centres).norm(dim=1) <= radius
    return int(good.any()), share_of(good)


@wrong("12.coverage", "was given many truths at once")
def an_if_for_all_samples(samples, centres, radius, least):
    _, _, distances = counted(samples, centres, radius)
    if distances.min(1).values <= radius:
        return len(centres), 1.0
    return 0, 0.0


# --- 12.debug -------------------------------------------------------------------------------------------------------


def generate(z, w1, b1, w2, b2):
    return torch.tanh(z @ w1.T + b1) @ w2.T + b2


def bce(logits, label):
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def played(
    detach=True,
    clear=("d before d", "g before g"),
    g_loss=lambda logits: bce(logits, 1.0),
    d_loss=lambda real, fake: bce(real, 1.0) + bce(fake, 0.0),
    optimizers=lambda g, d, lr: (torch.optim.SGD(g, lr=lr), torch.optim.SGD(d, lr=lr)),
    order="d g",
    pairs=lambda z, real: zip(z, real, strict=True),
    back=lambda g, d: ([weight.detach() for weight in g], [weight.detach() for weight in d]),
    copy=lambda weight: weight.clone().requires_grad_(),
    noise_of_g=lambda noise: noise,
):
    """A right answer with the optimisers of torch, but for the parts that are given."""

    def answer(g_weights, d_weights, z, real, lr):
        g, d = ([copy(weight) for weight in weights] for weights in (g_weights, d_weights))
        g_optimizer, d_optimizer = optimizers(g, d, lr)

        def clear_now(when):
            for optimizer, name in ((g_optimizer, "g"), (d_optimizer, "d")):
                if f"{name} {when}" in clear:
                    optimizer.zero_grad()

        def loss_of_d(noise, points):
            fakes = generate(noise, *g)
            return d_loss(critic(points, *d), critic(fakes.detach() if detach else fakes, *d))

        for noise, points in pairs(z, real):
            clear_now("round")
            if order == "d g":
                clear_now("before d")
                loss_of_d(noise, points).backward()
                d_optimizer.step()
                clear_now("after d")
                clear_now("before g")
                g_loss(critic(generate(noise_of_g(noise), *g), *d)).backward()
                g_optimizer.step()
            elif order == "g d":
                clear_now("before g")
                g_loss(critic(generate(noise, *g), *d)).backward()
                g_optimizer.step()
                clear_now("before d")
                loss_of_d(noise, points).backward()
                d_optimizer.step()
            else:
                loss, other = loss_of_d(noise, points), g_loss(critic(generate(noise, *g), *d))
                slopes = torch.autograd.grad(loss, d, retain_graph=True), torch.autograd.grad(other, g)
                with torch.no_grad():
                    for weights, found in zip((d, g), slopes, strict=True):
                        for weight, slope in zip(weights, found, strict=True):
                            weight -= lr * slope
        return back(g, d)

    return answer


def plays_wrong(name, phrase, **parts):
    named(wrong("12.debug", phrase), name, played(**parts))


named(right("12.debug"), "with_optimisers", played())
named(right("12.debug"), "weights_still_on_the_record", played(back=lambda g, d: (g, d)))
named(right("12.debug"), "never_detached_and_cleared_in_time", played(detach=False))
named(
    right("12.debug"),
    "both_cleared_before_each",
    played(clear=("d before d", "g before d", "d before g", "g before g")),
)


@right("12.debug")
def by_hand_with_slopes(g_weights, d_weights, z, real, lr):
    g, d = list(g_weights), list(d_weights)
    for noise, points in zip(z, real, strict=True):
        d = [weight.detach().requires_grad_() for weight in d]
        fooled_before = critic(generate(noise, *g).detach(), *d)
        loss = -functional.logsigmoid(critic(points, *d)).mean() - functional.logsigmoid(-fooled_before).mean()
        d = [w - lr * slope for w, slope in zip(d, torch.autograd.grad(loss, d), strict=True)]
        d = [weight.detach() for weight in d]
        g = [weight.detach().requires_grad_() for weight in g]
        loss = -functional.logsigmoid(critic(generate(noise, *g), *d)).mean()
        g = [(w - lr * slope).detach() for w, slope in zip(g, torch.autograd.grad(loss, g), strict=True)]
    return g, d


LABEL, LEAK, KEPT = "wrong label", "D's loss has reached G", "was still there in D's next turn"
TWO = "It is not the only fault"


def broken(label=False, leak=False, kept=False):
    return {
        "detach": not leak,
        "clear": ("g round", "d after d" if kept else "d before d"),
        "g_loss": lambda logits: bce(logits, 0.0 if label else 1.0),
    }


plays_wrong("as_it_was", TWO, **broken(label=True, leak=True, kept=True))
plays_wrong("label_left", LABEL, **broken(label=True))
plays_wrong("leak_left", LEAK, **broken(leak=True))
plays_wrong("kept_left", KEPT, **broken(kept=True))
plays_wrong("label_and_leak_left", TWO, **broken(label=True, leak=True))
plays_wrong("label_and_kept_left", TWO, **broken(label=True, kept=True))
plays_wrong("leak_and_kept_left", LEAK, **broken(leak=True, kept=True))
plays_wrong("d_never_cleared", "D's gradients are never cleared", clear=("g before g",))
plays_wrong("g_never_cleared", "G's gradients are never cleared", clear=("d before d",))
plays_wrong("g_never_cleared_and_leak", "And G's gradients are never cleared", clear=("d before d",), detach=False)
plays_wrong("nothing_cleared", "No gradient is ever cleared", clear=())
plays_wrong("at_once", "the detective of *before* D's step", order="at once")
plays_wrong("g_first", "G's turn came first", order="g d")
plays_wrong("minimax_loss", "G's loss is the minimax one", g_loss=lambda logits: -bce(logits, 0.0))
plays_wrong("g_climbs", "G climbs", g_loss=lambda logits: -bce(logits, 1.0))
plays_wrong("d_labels_swapped", "D's labels are swapped", d_loss=lambda r, f: bce(r, 0.0) + bce(f, 1.0))
plays_wrong("all_is_real", "D was told that everything", d_loss=lambda r, f: bce(r, 1.0) + bce(f, 1.0))
plays_wrong("all_is_fake", "D was told that everything", d_loss=lambda r, f: bce(r, 0.0) + bce(f, 0.0))
plays_wrong("d_climbs", "D climbs", d_loss=lambda r, f: -bce(r, 1.0) - bce(f, 0.0))
plays_wrong("only_the_real", "D saw only one", d_loss=lambda r, f: bce(r, 1.0))
plays_wrong("only_the_fakes", "D saw only one", d_loss=lambda r, f: bce(f, 0.0))
plays_wrong("one_batch_of_both", "half of what was meant", d_loss=lambda r, f: (bce(r, 1.0) + bce(f, 0.0)) / 2)
plays_wrong(
    "d_summed",
    "summed over the batch",
    d_loss=lambda r, f: functional.softplus(-r).sum() + functional.softplus(f).sum(),
)
plays_wrong("g_summed", "summed over the batch", g_loss=lambda logits: functional.softplus(-logits).sum())
plays_wrong("sigmoid_twice_in_g", "A sigmoid came twice", g_loss=lambda logits: bce(logits.sigmoid(), 1.0))
plays_wrong(
    "sigmoid_twice_in_d", "A sigmoid came twice", d_loss=lambda r, f: bce(r.sigmoid(), 1.0) + bce(f.sigmoid(), 0.0)
)
plays_wrong(
    "one_optimiser_for_both",
    "D also took a step on G's loss",
    optimizers=lambda g, d, lr: (torch.optim.SGD(g + d, lr=lr), torch.optim.SGD(d, lr=lr)),
)
plays_wrong(
    "g_stands_still",
    "Only D has moved",
    optimizers=lambda g, d, lr: (torch.optim.SGD(g, lr=0.0), torch.optim.SGD(d, lr=lr)),
)
plays_wrong(
    "d_stands_still",
    "Only G has moved",
    optimizers=lambda g, d, lr: (torch.optim.SGD(g, lr=lr), torch.optim.SGD(d, lr=0.0)),
)
plays_wrong("first_round_alone", "Only one round was played", pairs=lambda z, real: [(z[0], real[0])])
plays_wrong("from_the_end", "in the reverse order", pairs=lambda z, real: zip(z.flip(0), real.flip(0), strict=True))
plays_wrong("no_round", "Neither network has moved", pairs=lambda z, real: [])
plays_wrong("new_noise_for_g", "from the same noise as D's", noise_of_g=torch.randn_like)
plays_wrong("one_shuffled_noise_for_g", "Called twice", noise_of_g=lambda noise: noise + 1e-2 * torch.rand(1))
plays_wrong(
    "new_noise_from_a_seed",
    "from which noise come the fakes",
    noise_of_g=lambda noise: torch.randn(noise.shape, generator=torch.Generator().manual_seed(5)).to(noise.dtype),
)
for name, g_pace, d_pace in (
    ("adam", torch.optim.Adam, torch.optim.Adam),
    ("adamw", torch.optim.AdamW, torch.optim.AdamW),
    ("adam_for_g", torch.optim.Adam, torch.optim.SGD),
    ("adam_for_d", torch.optim.SGD, torch.optim.Adam),
):
    plays_wrong(
        name,
        "the steps of Adam",
        optimizers=lambda g, d, lr, g_pace=g_pace, d_pace=d_pace: (g_pace(g, lr=lr), d_pace(d, lr=lr)),
    )
plays_wrong(
    "with_momentum",
    "The steps have momentum",
    optimizers=lambda g, d, lr: (torch.optim.SGD(g, lr=lr, momentum=0.9), torch.optim.SGD(d, lr=lr, momentum=0.9)),
)
plays_wrong("no_clone", "An optimiser steps on the very tensors", copy=lambda weight: weight.requires_grad_())
plays_wrong("detach_for_clone", "share their memory", copy=lambda weight: weight.detach().requires_grad_())
plays_wrong("turned_round", "The two are swapped", back=lambda g, d: ([w.detach() for w in d], [w.detach() for w in g]))
plays_wrong("tuples", "come back in lists", back=lambda g, d: (tuple(w.detach() for w in g), [w.detach() for w in d]))
plays_wrong("g_alone", "Two lists come back", back=lambda g, d: [w.detach() for w in g])
plays_wrong("nothing_back", "Nothing was returned", back=lambda g, d: None)


@wrong("12.debug", "which D's backward has used up")
def fakes_used_twice(g_weights, d_weights, z, real, lr):
    g, d = ([weight.clone().requires_grad_() for weight in weights] for weights in (g_weights, d_weights))
    g_optimizer, d_optimizer = torch.optim.SGD(g, lr=lr), torch.optim.SGD(d, lr=lr)
    for noise, points in zip(z, real, strict=True):
        fakes = generate(noise, *g)
        d_optimizer.zero_grad()
        (bce(critic(points, *d), 1.0) + bce(critic(fakes, *d), 0.0)).backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        bce(critic(fakes, *d), 1.0).backward()
        g_optimizer.step()
    return [weight.detach() for weight in g], [weight.detach() for weight in d]


@wrong("12.debug", "whose weights have changed since")
def logits_used_twice(g_weights, d_weights, z, real, lr):
    g, d = ([weight.clone().requires_grad_() for weight in weights] for weights in (g_weights, d_weights))
    g_optimizer, d_optimizer = torch.optim.SGD(g, lr=lr), torch.optim.SGD(d, lr=lr)
    for noise, points in zip(z, real, strict=True):
        fooled = critic(generate(noise, *g), *d)
        d_optimizer.zero_grad()
        (bce(critic(points, *d), 1.0) + bce(fooled, 0.0)).backward(retain_graph=True)
        d_optimizer.step()
        g_optimizer.zero_grad()
        bce(fooled, 1.0).backward()
        g_optimizer.step()
    return [weight.detach() for weight in g], [weight.detach() for weight in d]


@wrong("12.debug", "Only D has moved")
def detached_in_gs_turn_too(g_weights, d_weights, z, real, lr):
    g, d = ([weight.clone().requires_grad_() for weight in weights] for weights in (g_weights, d_weights))
    d_optimizer = torch.optim.SGD(d, lr=lr)
    g_optimizer = torch.optim.SGD(g, lr=lr)
    for noise, points in zip(z, real, strict=True):
        fakes = generate(noise, *g).detach()
        d_optimizer.zero_grad()
        (bce(critic(points, *d), 1.0) + bce(critic(fakes, *d), 0.0)).backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        bce(critic(fakes, *d), 1.0).backward()
        g_optimizer.step()
    return [weight.detach() for weight in g], [weight.detach() for weight in d]


@wrong("12.debug", "were detached: only D's turn")
def detached_and_asked_for_slopes(g_weights, d_weights, z, real, lr):
    g, d = ([weight.clone().requires_grad_() for weight in weights] for weights in (g_weights, d_weights))
    logits = critic(generate(z[0], *g).detach(), *[weight.detach() for weight in d])
    torch.autograd.grad(bce(logits, 1.0), g)
    return g, d


@wrong("12.debug", "An argument was changed")
def weights_in_place(g_weights, d_weights, z, real, lr):
    g, d = played()(g_weights, d_weights, z, real, lr)
    for old, new in zip(g_weights, g, strict=True):
        old.copy_(new)
    return g_weights, d
