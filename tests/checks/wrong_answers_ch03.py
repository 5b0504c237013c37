"""Named wrong answers of chapter 03, each with the words that its diagnosis must hold; and right ones.

Every answer is written as a learner would write it, in another style than the references.
"""

import math

import numpy as np
import torch
from dlcourse_answers import right, wrong
from torch import nn
from torch.nn import functional

# --- 03.schedule ----------------------------------------------------------------------------------------------------


def schedule(rise=None, fall=None, beyond=0.0):
    """A right schedule, but for the parts that are given as functions of (index, total, warmup)."""

    def answer(index, total, warmup):
        if index < warmup:
            return rise(index, total, warmup) if rise else (index + 1) / warmup
        if index >= total and beyond is not None:
            return beyond
        if fall:
            return fall(index, total, warmup)
        return (1 + math.cos(math.pi * (index - warmup) / (total - warmup))) / 2

    return answer


def half_wave(progress):
    return (1 + math.cos(math.pi * progress)) / 2


def schedules(name, phrase, **parts):
    answer = schedule(**parts)
    answer.__name__ = name
    wrong("03.schedule", phrase)(answer)


@right("03.schedule")
def in_one_line(index, total, warmup):
    fall = 0.5 + 0.5 * math.cos(math.pi * (min(index, total) - warmup) / (total - warmup))
    return (index + 1) / warmup if index < warmup else fall


@right("03.schedule")
def by_the_square_of_a_cosine_in_torch(index, total, warmup):
    if index + 1 <= warmup:
        return (1 + index) / warmup
    if index >= total:
        return 0  # a whole number is a number
    quarter = torch.tensor(math.pi / 2 * (index - warmup) / (total - warmup), dtype=torch.float64)
    return (torch.cos(quarter) ** 2).item()


@right("03.schedule")
def by_recursion(index, total, warmup):
    """Degrees and a table."""
    table = [(k + 1) / warmup for k in range(warmup)]
    left = total - warmup
    table += [(1 + math.cos(math.radians(180 * k / left))) / 2 for k in range(left)]
    return table[index] if index < len(table) else 0.0


@right("03.schedule")
def with_numpy(index, total, warmup):
    """np.float64 is a float."""
    if index < warmup:
        return np.float64(index + 1) / warmup
    return (1 + np.cos(np.pi * min(1, (index - warmup) / (total - warmup)))) / 2


schedules("warm_up_from_0", "The warm-up begins at 0", rise=lambda i, t, w: i / w)
schedules("warm_up_never_reaches_1", "one update too long", rise=lambda i, t, w: (i + 1) / (w + 1))
schedules("warm_up_over_all_updates", "as if it took all `total`", rise=lambda i, t, w: (i + 1) / t)
schedules("no_warm_up", "the first updates have the factor 1", rise=lambda i, t, w: 1.0)
schedules("warm_up_times_cosine", "multiplied with the cosine", rise=lambda i, t, w: (i + 1) / w * half_wave(i / t))
schedules("fraction_thrown_away", "`//` throws the fraction away", rise=lambda i, t, w: float((i + 1) // w))
schedules("counts_updates", "This counts updates", rise=lambda i, t, w: i + 1.0)
schedules("warm_up_falls", "The warm-up falls", rise=lambda i, t, w: 1 - i / w)
schedules("warm_up_along_a_cosine", "rises along a cosine", rise=lambda i, t, w: 1 - half_wave((i + 1) / w))
schedules("cosine_not_shifted", "The cosine was not moved", fall=lambda i, t, w: half_wave(i / t))
schedules("only_the_divisor_shifted", "Progress begins too late", fall=lambda i, t, w: half_wave(i / (t - w)))
schedules("total_without_warm_up", "progress is divided by total", fall=lambda i, t, w: half_wave((i - w) / t))
schedules("one_update_ahead", "The cosine is one update ahead", fall=lambda i, t, w: half_wave((i - w + 1) / (t - w)))
schedules("one_update_late", "begins one update late", fall=lambda i, t, w: half_wave((i - w - 1) / (t - w)))
schedules("does_not_reach_its_end", "Divide by total - warmup", fall=lambda i, t, w: half_wave((i - w) / (t - w + 1)))
schedules("reaches_zero_early", "one update early", fall=lambda i, t, w: half_wave((i - w) / max(1, t - w - 1)))
schedules("degrees", "math.cos takes radians", fall=lambda i, t, w: (1 + math.cos(180 * (i - w) / (t - w))) / 2)
schedules("pi_forgotten", "pi is missing", fall=lambda i, t, w: (1 + math.cos((i - w) / (t - w))) / 2)
schedules("not_halved", "from 2 down to 0", fall=lambda i, t, w: 2 * half_wave((i - w) / (t - w)))
schedules("cosine_alone", "a negative learning rate", fall=lambda i, t, w: math.cos(math.pi * (i - w) / (t - w)))
schedules(
    "brackets_forgotten", "Brackets are missing", fall=lambda i, t, w: 1 + math.cos(math.pi * (i - w) / (t - w)) / 2
)
schedules("quarter_of_a_wave", "a quarter of a wave", fall=lambda i, t, w: math.cos(math.pi / 2 * (i - w) / (t - w)))
schedules("whole_wave", "a whole wave", fall=lambda i, t, w: half_wave(2 * (i - w) / (t - w)))
schedules("sign_turned", "1 - cos rises", fall=lambda i, t, w: 1 - half_wave((i - w) / (t - w)))
schedules("straight_line_down", "along a straight line", fall=lambda i, t, w: 1 - (i - w) / (t - w))
schedules("nothing_falls", "nothing falls", fall=lambda i, t, w: 1.0)
schedules("rises_again", "the cosine turns and rises", beyond=None)
schedules("stays_at_1_beyond", "Beyond the end the factor is 1", beyond=1.0)


@wrong("03.schedule", "not <=")
def peak_above_1(index, total, warmup):
    if index <= warmup:
        return (index + 1) / warmup if warmup else 1.0
    return half_wave(min(1, (index - warmup) / (total - warmup)))


@wrong("03.schedule", "stays at that of the last update")
def last_factor_kept(index, total, warmup):
    return schedule()(min(index, total - 1), total, warmup)


@wrong("03.schedule", ".item() makes one")
def still_a_tensor(index, total, warmup):
    return torch.tensor(schedule()(index, total, warmup))


@wrong("03.schedule", "warmup may be 0")
def divides_before_it_asks(index, total, warmup):
    rise = (index + 1) / warmup
    return rise if rise < 1 else schedule()(index, total, warmup)


@wrong("03.schedule", "torch.cos does not")
def torch_cos_of_a_number(index, total, warmup):
    if index < warmup:
        return (index + 1) / warmup
    return (1 + torch.cos(math.pi * (index - warmup) / (total - warmup))) / 2


@wrong("03.schedule", "for this input no line with `return` was reached")
def nothing_beyond_the_end(index, total, warmup):
    if index < total:
        return schedule()(index, total, warmup)


schedules(
    "brackets_of_the_progress", "Brackets are missing in the progress", fall=lambda i, t, w: half_wave((i - w) / t - w)
)
schedules(
    "first_bracket_missing", "Brackets are missing in the progress", fall=lambda i, t, w: half_wave(i - w / (t - w))
)
schedules("no_bracket_at_all", "Brackets are missing in the progress", fall=lambda i, t, w: half_wave(i - w / t - w))
schedules("rounded", "The factor was rounded", rise=lambda i, t, w: round((i + 1) / w, 2))
schedules("fall_rounded", "The factor was rounded", fall=lambda i, t, w: round(half_wave((i - w) / (t - w)), 4))


@wrong("03.schedule", "its module named (math.cos")
def cosine_without_its_module(index, total, warmup):
    return (index + 1) / warmup if index < warmup else cos(math.pi * index)  # noqa: F821 - the mistake


# --- 03.init --------------------------------------------------------------------------------------------------------


def he(noise):
    return noise * math.sqrt(2 / noise.shape[1])


def xavier(noise):
    return noise * math.sqrt(2 / sum(noise.shape))


def scaled(relu=None, tanh=None):
    """A right answer, but for the rules that are given as factors of (fan_in, fan_out)."""

    def answer(noise, activation):
        fan_out, fan_in = noise.shape
        rule = {"relu": relu, "tanh": tanh}[activation]
        if rule:
            return noise * rule(fan_in, fan_out)
        return he(noise) if activation == "relu" else xavier(noise)

    return answer


def scales(name, phrase, **rules):
    answer = scaled(**rules)
    answer.__name__ = name
    wrong("03.init", phrase)(answer)


@right("03.init")
def by_a_table(noise, activation):
    fan_out, fan_in = noise.shape
    divisor = {"relu": fan_in, "tanh": (fan_in + fan_out) / 2}[activation]
    return (2 if activation == "relu" else 1) ** 0.5 * noise / divisor**0.5


@right("03.init")
def row_by_row_with_tensors(noise, activation):
    fans = torch.tensor(noise.shape, dtype=torch.float64)
    variance = 2 / fans[1] if activation == "relu" else 1 / fans.mean()
    return torch.stack([row.double() * variance.sqrt() for row in noise]).to(noise.dtype)


scales("fan_out", "He's scale by fan_out", relu=lambda i, o: math.sqrt(2 / o))
scales("variance_for_standard_deviation", "This scales by the variance", relu=lambda i, o: 2 / i)
scales("variance_for_tanh", "This scales by the variance", tanh=lambda i, o: 2 / (i + o))
scales("variance_by_fan_out", "fan_in is noise.shape[1]", relu=lambda i, o: 2 / o)
scales(
    "rules_swapped",
    "A ReLU lets half of the variance through",
    relu=lambda i, o: math.sqrt(2 / (i + o)),
    tanh=lambda i, o: math.sqrt(2 / i),
)
scales("he_for_both", "This is He's scale. Its factor 2", tanh=lambda i, o: math.sqrt(2 / i))
scales("xavier_for_both", "This is Xavier's scale", relu=lambda i, o: math.sqrt(2 / (i + o)))
scales("no_2_for_relu", "A ReLU halves it", relu=lambda i, o: math.sqrt(1 / i))
scales("no_2_for_tanh", "the 2 stands above", tanh=lambda i, o: math.sqrt(1 / (i + o)))
scales("fan_in_alone_for_tanh", "one side only", tanh=lambda i, o: math.sqrt(1 / i))
scales("fan_out_alone_for_tanh", "one side only", tanh=lambda i, o: math.sqrt(1 / o))
scales("bound_of_a_uniform", "is the *bound*", relu=lambda i, o: math.sqrt(6 / i))
scales("bound_for_tanh", "is the *bound*", tanh=lambda i, o: math.sqrt(6 / (i + o)))
scales("torch_linear", "when nobody asks", relu=lambda i, o: 1 / math.sqrt(3 * i))
scales("gain_of_torch_for_tanh", "torch's gain for tanh", tanh=lambda i, o: 5 / 3 * math.sqrt(2 / (i + o)))
scales("gain_of_relu_for_tanh", "a ReLU's factor", tanh=lambda i, o: math.sqrt(4 / (i + o)))
scales("xavier_with_gain_of_relu", "He divides by fan_in alone", relu=lambda i, o: math.sqrt(4 / (i + o)))
scales("root_of_2_alone", "The root was taken of the 2 alone", relu=lambda i, o: math.sqrt(2) / i)
scales("upside_down", "upside down", relu=lambda i, o: math.sqrt(i / 2))
scales("all_weights_counted", "the number of all weights", relu=lambda i, o: math.sqrt(2 / (i * o)))
scales("no_root_at_all", "Nothing was scaled", relu=lambda i, o: 1.0)
scales("scaled_twice", "or by the scale, twice", tanh=lambda i, o: math.sqrt(2 / (i + o)) ** 2)
scales("some_factor", "The noise was multiplied by 0.05, and 0.632456 was wanted", relu=lambda i, o: 0.05)


@wrong("03.init", "the factor passed through float32")
def factor_in_float32(noise, activation):
    fan_out, fan_in = noise.shape
    return noise * torch.sqrt(torch.tensor(2 / fan_in if activation == "relu" else 2 / (fan_in + fan_out)))


@wrong("03.init", "for this input no line with `return` was reached")
def one_branch_alone(noise, activation):
    if activation == "relu":
        return he(noise)


@wrong("03.init", "Nothing is drawn anew")
def draws_its_own(noise, activation):
    return nn.init.kaiming_normal_(torch.empty_like(noise))


@wrong("03.init", "brought to its *own* standard deviation")
def standardises_first(noise, activation):
    answer = he if activation == "relu" else xavier
    return answer(noise / noise.std())


@wrong("03.init", "This is the scale itself")
def scale_alone(noise, activation):
    return math.sqrt(2 / noise.shape[1])


@wrong("03.init", "The noise itself was changed")
def in_place(noise, activation):
    noise *= math.sqrt(2 / noise.shape[1])
    return noise


@wrong("03.init", "lie the wrong way round")
def transposed(noise, activation):
    return (he(noise) if activation == "relu" else xavier(noise)).T


@wrong("03.init", "The dtype should be torch.float64")
def always_float32(noise, activation):
    return (he(noise) if activation == "relu" else xavier(noise)).float()


# --- 03.adam --------------------------------------------------------------------------------------------------------


def adam(
    parameter,
    gradient,
    mean,
    square,
    step,
    lr,
    beta1,
    beta2,
    eps,
    *,
    new_mean=None,
    new_square=None,
    move=None,
    out=lambda parameter, mean, square: (parameter, mean, square),
):
    """Right, but for what is given: new_mean(m, g, b1), new_square(v, g, b2), move(m, v, t, b1, b2, eps)."""
    mean = new_mean(mean, gradient, beta1) if new_mean else torch.lerp(mean, gradient, 1 - beta1)
    square = new_square(square, gradient, beta2) if new_square else torch.lerp(square, gradient**2, 1 - beta2)
    if move:
        taken = move(mean, square, step, beta1, beta2, eps)
    else:
        taken = mean / (1 - beta1**step) / ((square / (1 - beta2**step)) ** 0.5 + eps)
    return out(parameter - lr * taken, mean, square)


def adams(name, phrase, **parts):
    def answer(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
        return adam(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, **parts)

    answer.__name__ = name
    wrong("03.adam", phrase)(answer)


@right("03.adam")
def corrections_in_the_rate(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    """As torch does it: eps is divided out of the root again."""
    mean = mean.lerp(gradient, 1 - beta1)
    square = torch.addcmul(square * beta2, gradient, gradient, value=1 - beta2)
    below = square.sqrt() / math.sqrt(1 - beta2**step) + eps
    return torch.addcdiv(parameter, mean, below, value=-lr / (1 - beta1**step)), mean, square


@right("03.adam")
def with_torch_optim(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    leaf = nn.Parameter(parameter.clone())
    optimizer = torch.optim.Adam([leaf], lr=lr, betas=(beta1, beta2), eps=eps)
    optimizer.state[leaf] = {
        "step": torch.tensor(float(step - 1)),
        "exp_avg": mean.clone(),
        "exp_avg_sq": square.clone(),
    }
    leaf.grad = gradient.clone()
    optimizer.step()
    state = optimizer.state[leaf]
    return [leaf.detach(), state["exp_avg"], state["exp_avg_sq"]]


@right("03.adam")
def entry_by_entry(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    entries = zip(*(part.flatten().tolist() for part in (parameter, gradient, mean, square)), strict=True)
    done = []
    for w, g, m, v in entries:
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        w -= lr * (m / (1 - math.pow(beta1, step))) / (math.sqrt(v / (1 - math.pow(beta2, step))) + eps)
        done.append((w, m, v))
    return tuple(torch.tensor(part, dtype=parameter.dtype).view(parameter.shape) for part in zip(*done, strict=True))


adams("no_bias_correction", "There is no bias correction", move=lambda m, v, t, b1, b2, e: m / (v.sqrt() + e))
adams(
    "mean_not_corrected",
    "The mean was not corrected",
    move=lambda m, v, t, b1, b2, e: m / ((v / (1 - b2**t)).sqrt() + e),
)
adams(
    "square_not_corrected",
    "The square was not corrected",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1**t) / (v.sqrt() + e),
)
adams(
    "counts_from_0",
    "The corrections have step - 1",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1 ** (t - 1)) / ((v / (1 - b2 ** (t - 1))).sqrt() + e),
)
adams(
    "counts_one_too_many",
    "The corrections have step + 1",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1 ** (t + 1)) / ((v / (1 - b2 ** (t + 1))).sqrt() + e),
)
adams(
    "powers_forgotten",
    "The powers are missing",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1) / ((v / (1 - b2)).sqrt() + e),
)
adams(
    "corrections_swapped",
    "The two corrections are swapped",
    move=lambda m, v, t, b1, b2, e: m / (1 - b2**t) / ((v / (1 - b1**t)).sqrt() + e),
)
adams(
    "multiplies_by_the_corrections",
    "Both corrections multiply",
    move=lambda m, v, t, b1, b2, e: m * (1 - b1**t) / ((v * (1 - b2**t)).sqrt() + e),
)
adams(
    "eps_inside_the_root",
    "eps stands inside the root: it is",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1**t) / (v / (1 - b2**t) + e).sqrt(),
)
adams(
    "eps_inside_and_no_correction",
    "eps stands inside the root, and the square was not corrected",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1**t) / (v + e).sqrt(),
)
adams(
    "eps_before_the_correction",
    "so the correction divides eps as well",
    move=lambda m, v, t, b1, b2, e: math.sqrt(1 - b2**t) / (1 - b1**t) * m / (v.sqrt() + e),
)
adams(
    "eps_forgotten",
    "eps has no effect here: it is added",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1**t) / (v / (1 - b2**t)).sqrt(),
)
adams(
    "root_forgotten",
    "The root is missing",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1**t) / (v / (1 - b2**t) + e),
)
adams(
    "corrected_outside_the_root",
    "corrected outside the root",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1**t) / (v.sqrt() / (1 - b2**t) + e),
)
adams(
    "multiplies_by_the_root",
    "This multiplies by the root",
    move=lambda m, v, t, b1, b2, e: m / (1 - b1**t) * ((v / (1 - b2**t)).sqrt() + e),
)
adams(
    "corrects_the_first_step_alone",
    "At every update, not the first alone",
    move=lambda m, v, t, b1, b2, e: (m / (1 - b1) / ((v / (1 - b2)).sqrt() + e)) if t == 1 else m / (v.sqrt() + e),
)
adams(
    "brackets_of_the_mean",
    "Brackets are missing in the correction of the mean",
    move=lambda m, v, t, b1, b2, e: (m / 1 - b1**t) / ((v / (1 - b2**t)).sqrt() + e),
)
adams(
    "brackets_of_both",
    "with these brackets",
    move=lambda m, v, t, b1, b2, e: (m / 1 - b1**t) / ((v / 1 - b2**t).sqrt() + e),
)
adams("entry_by_hand", "Do an entry that differs by hand", new_mean=lambda m, g, b: b * m + (1 - b) * g + 0.01)
adams("momentum_only", "Nothing stands below", move=lambda m, v, t, b1, b2, e: m / (1 - b1**t))
adams(
    "no_correction_and_eps_inside",
    "The mean was not corrected: divide it by 1 - beta1 ** step. eps stands inside the root, and the square",
    move=lambda m, v, t, b1, b2, e: m / (v + e).sqrt(),
)
adams(
    "uphill",
    "The sign is the wrong way round",
    move=lambda m, v, t, b1, b2, e: -m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + e),
)
adams("weights_of_the_mean_swapped", "The two weights are swapped: beta1", new_mean=lambda m, g, b: (1 - b) * m + b * g)
adams("velocity_for_mean", "this is the velocity of momentum", new_mean=lambda m, g, b: b * m + g)
adams("gradient_subtracted", "The gradient was subtracted", new_mean=lambda m, g, b: b * m - (1 - b) * g)
adams("beta1_written_out", "beta1 is written as 0.9", new_mean=lambda m, g, b: 0.9 * m + 0.1 * g)
adams("not_squared", "The gradient was not squared", new_square=lambda v, g, b: b * v + (1 - b) * g)
adams("size_for_square", "The size of the gradient", new_square=lambda v, g, b: b * v + (1 - b) * g.abs())
adams("adds_up_squares", "as Adagrad does", new_square=lambda v, g, b: v + g**2)
adams("square_without_its_share", "1 - beta2 is missing", new_square=lambda v, g, b: b * v + g**2)
adams("share_squared_too", "1 - beta2 was squared", new_square=lambda v, g, b: b * v + ((1 - b) * g) ** 2)
adams("state_in_the_wrong_order", "in another order", out=lambda p, m, v: (m, v, p))
adams("parameter_alone", "Return three tensors", out=lambda p, m, v: p)


@wrong("03.adam", "The mean forgets with beta2 here")
def betas_swapped(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    return adam(parameter, gradient, mean, square, step, lr, beta2, beta1, eps)


@wrong("03.adam", "The *mean* was squared here")
def square_of_the_mean(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * mean**2
    return parameter - lr * mean / (1 - beta1**step) / ((square / (1 - beta2**step)).sqrt() + eps), mean, square


@wrong("03.adam", "The corrected mean came back")
def state_comes_back_corrected(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    mean = (beta1 * mean + (1 - beta1) * gradient) / (1 - beta1**step)
    square = (beta2 * square + (1 - beta2) * gradient**2) / (1 - beta2**step)
    return parameter - lr * mean / (square.sqrt() + eps), mean, square


@wrong("03.adam", "The mean came back as it went in")
def state_forgotten(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    return adam(parameter, gradient, mean, square, step, lr, beta1, beta2, eps)[0], mean, square


@wrong("03.adam", "The step uses the old mean and the old square")
def updates_too_late(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    new = parameter - lr * mean / (1 - beta1**step) / ((square / (1 - beta2**step)).sqrt() + eps)
    return new, *adam(parameter, gradient, mean, square, step, lr, beta1, beta2, eps)[1:]


@wrong("03.adam", "as RMSProp does")
def rmsprop(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    _, mean, square = adam(parameter, gradient, mean, square, step, lr, beta1, beta2, eps)
    return parameter - lr * gradient / ((square / (1 - beta2**step)).sqrt() + eps), mean, square


@wrong("03.adam", "This is the step alone")
def step_alone(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    new, mean, square = adam(parameter, gradient, mean, square, step, lr, beta1, beta2, eps)
    return new - parameter, mean, square


@wrong("03.adam", "The learning rate was not used")
def rate_forgotten(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    return adam(parameter, gradient, mean, square, step, 1.0, beta1, beta2, eps)


@wrong("03.adam", "which makes a new tensor")
def state_changed_in_place(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    mean.mul_(beta1).add_(gradient, alpha=1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    return parameter - lr * mean / (1 - beta1**step) / ((square / (1 - beta2**step)).sqrt() + eps), mean, square


@wrong("03.adam", "`^` is no power")
def hat_for_a_power(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * gradient
    return parameter - lr * mean / (1 - beta1 ^ step), mean, square


@wrong("03.adam", "write gradient ** 2")
def hat_for_a_square(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    return parameter, mean, beta2 * square + (1 - beta2) * (gradient ^ 2)


@wrong("03.adam", "This name is not known here")
def letter_of_the_formula(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    return parameter, mean / (1 - beta1**t), square  # noqa: F821 - the mistake


@wrong("03.adam", "The learning rate is written as a number")
def rate_written_out(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    return adam(parameter, gradient, mean, square, step, 0.001, beta1, beta2, eps)


@wrong("03.adam", "math.sqrt takes one number")
def math_sqrt_of_a_tensor(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient**2
    return parameter - lr * mean / (math.sqrt(square) + eps), mean, square


# --- 03.adamw -------------------------------------------------------------------------------------------------------


def decays(name, phrase, way):
    """way(parameter, moved, root, lr, weight_decay), where moved is Adam's step, lr and all."""

    def answer(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
        new, mean, square = adam(parameter, gradient, mean, square, step, lr, beta1, beta2, eps)
        root = (square / (1 - beta2**step)).sqrt() + eps
        return way(parameter, parameter - new, root, lr, weight_decay), mean, square

    answer.__name__ = name
    wrong("03.adamw", phrase)(answer)


@right("03.adamw")
def decay_beside_the_fraction(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    mean = mean + (1 - beta1) * (gradient - mean)
    square = square + (1 - beta2) * (gradient.square() - square)
    fraction = mean / (1 - beta1**step) / (torch.sqrt(square / (1 - beta2**step)) + eps)
    return parameter - lr * (fraction + weight_decay * parameter), mean, square


@right("03.adamw")
def adamw_with_torch_optim(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    leaf = nn.Parameter(parameter.clone())
    optimizer = torch.optim.AdamW([leaf], lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay)
    optimizer.state[leaf] = {
        "step": torch.tensor(float(step - 1)),
        "exp_avg": mean.clone(),
        "exp_avg_sq": square.clone(),
    }
    leaf.grad = gradient.clone()
    optimizer.step()
    state = optimizer.state[leaf]
    return leaf.detach(), state["exp_avg"], state["exp_avg_sq"]


decays("no_decay", "There is no decay", lambda p, s, root, lr, wd: p - s)
decays("decay_without_lr", "not multiplied by the learning rate", lambda p, s, root, lr, wd: p * (1 - wd) - s)
decays("decay_after_the_step", "*after* its step", lambda p, s, root, lr, wd: (p - s) * (1 - lr * wd))
decays("decay_grows", "The parameter grows", lambda p, s, root, lr, wd: p * (1 + lr * wd) - s)
decays("decay_over_the_root", "divided by Adam's root", lambda p, s, root, lr, wd: p - s - lr * wd * p / root)
decays("decay_times_lr_twice", "multiplied by lr twice", lambda p, s, root, lr, wd: p - s - lr * lr * wd * p)
decays("decay_alone", "The decay alone is there", lambda p, s, root, lr, wd: p * (1 - lr * wd))
decays("same_for_all", "The same number was taken", lambda p, s, root, lr, wd: p - s - lr * wd)
decays("sign_decay", "that is L1", lambda p, s, root, lr, wd: p - s - lr * wd * p.sign())
decays("step_shrunk", "Adam's step was shrunk", lambda p, s, root, lr, wd: p - s * (1 - lr * wd))
decays("decay_brackets", "The brackets are misplaced", lambda p, s, root, lr, wd: p * (1 - lr) * wd - s)
decays("decay_forgotten_in_the_bracket", "weight_decay is missing", lambda p, s, root, lr, wd: p * (1 - lr) - s)
decays("both_shares", "It is their product", lambda p, s, root, lr, wd: p * (1 - lr - wd) - s)
decays("decay_as_a_number", "weight_decay is written as a number", lambda p, s, root, lr, wd: p * (1 - lr * 0.01) - s)
decays("only_the_decayed_part", "Only the decayed part", lambda p, s, root, lr, wd: p * lr * wd - s)
decays("decay_uphill", "The sign is the wrong way round", lambda p, s, root, lr, wd: p * (1 - lr * wd) + s)
decays("half_a_decay", "There is a 1/2 in the decay", lambda p, s, root, lr, wd: p * (1 - lr * wd / 2) - s)


@wrong("03.adamw", "Decay needs no gradient")
def decays_where_there_is_a_gradient(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    smaller = torch.where(gradient == 0, parameter, parameter * (1 - lr * weight_decay))
    return adam(smaller, gradient, mean, square, step, lr, beta1, beta2, eps)


@wrong("03.adamw", "The decay has a power of step")
def decays_once_for_each_step(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    smaller = parameter * (1 - lr * weight_decay) ** step
    return adam(smaller, gradient, mean, square, step, lr, beta1, beta2, eps)


@wrong("03.adamw", "must leave gradient, mean and square alone")
def gradient_shrunk(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    return adam(parameter, gradient * (1 - lr * weight_decay), mean, square, step, lr, beta1, beta2, eps)


@wrong("03.adamw", "must leave gradient, mean and square alone")
def square_shrunk(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    new, mean, square = adam(parameter, gradient, mean, square, step, lr, beta1, beta2, eps)
    return new, mean, square * (1 - lr * weight_decay)


@wrong("03.adamw", "L2 regularisation")
def l2_in_the_gradient(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    return adam(parameter, gradient + weight_decay * parameter, mean, square, step, lr, beta1, beta2, eps)


@wrong("03.adamw", "L2 regularisation")
def l2_in_the_square_alone(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    return adam(
        parameter * (1 - lr * weight_decay),
        gradient,
        mean,
        square,
        step,
        lr,
        beta1,
        beta2,
        eps,
        new_square=lambda v, g, b: b * v + (1 - b) * (g + weight_decay * parameter) ** 2,
    )


@wrong("03.adamw", "The decay is right. There is no bias correction")
def decay_right_and_no_correction(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    smaller = parameter - lr * weight_decay * parameter
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient**2
    return smaller - lr * mean / (square.sqrt() + eps), mean, square


@wrong("03.adamw", "There is no decay. eps stands inside the root")
def no_decay_and_eps_inside(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient**2
    return parameter - lr * mean / (1 - beta1**step) / (square / (1 - beta2**step) + eps).sqrt(), mean, square


@wrong("03.adamw", "which makes a new tensor")
def decays_in_place(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    parameter *= 1 - lr * weight_decay
    return adam(parameter, gradient, mean, square, step, lr, beta1, beta2, eps)


# --- 03.loops -------------------------------------------------------------------------------------------------------


def mended_a(weight, x, y, lr, steps):
    weight, losses = weight.clone().requires_grad_(), []
    for _ in range(steps):
        loss = functional.mse_loss(x @ weight, y)
        (slope,) = torch.autograd.grad(loss, weight)
        with torch.no_grad():
            weight -= lr * slope
        losses.append(loss.item())
    return weight, losses


def mended_b(weight, x, y, x_new, y_new, lr, epochs):
    model = nn.Sequential(nn.BatchNorm1d(x.shape[1]), nn.Linear(x.shape[1], 1, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(weight)
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=lr), []
    for _ in range(epochs):
        functional.mse_loss(model(x).squeeze(1), y).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        model.eval()
        with torch.inference_mode():
            losses.append(functional.mse_loss(model(x_new).squeeze(1), y_new).item())
        model.train()
    return model[1].weight[0], losses


def mended_c(weight, x, labels, lr, steps):
    weight, losses = nn.Parameter(weight.clone()), []
    optimizer = torch.optim.SGD([weight], lr=lr)
    for _ in range(steps):
        loss = functional.nll_loss(functional.log_softmax(functional.linear(x, weight), dim=1), labels)
        loss.backward()
        optimizer.step()
        weight.grad = None
        losses.append(float(loss))
    return weight, losses


def mended_d(weight, x, y, lr, steps):
    return mended_a(weight, x, y.flatten(), lr, steps)


def mended_e(weight, x, labels, orders, size, lr):
    weight, losses = weight.clone().requires_grad_(), []
    optimizer = torch.optim.SGD([weight], lr=lr)
    for order in orders.tolist():
        pairs = torch.utils.data.TensorDataset(x[order], labels[order])
        for some, theirs in torch.utils.data.DataLoader(pairs, batch_size=size):
            optimizer.zero_grad()
            loss = functional.cross_entropy(some @ weight.T, theirs)
            losses.append(loss.item())
            loss.backward()
            optimizer.step()
    return weight.detach(), losses


MENDED = {"a": mended_a, "b": mended_b, "c": mended_c, "d": mended_d, "e": mended_e}


def hand_on(**others):
    """The answer with some loops replaced by others."""

    def loops(name, *args):
        return (MENDED | others)[name](*args)

    return loops


def sick(phrase, letter):
    """Adds a wrong answer whose loop of this letter is the decorated one, and whose others are right."""

    def add(loop):
        answer = hand_on(**{letter: loop})
        answer.__name__ = loop.__name__
        wrong("03.loops", phrase)(answer)
        return loop

    return add


right("03.loops")(hand_on())


def clears_before(weight, x, y, lr, steps):
    weight, losses = weight.clone().requires_grad_(), []
    for _ in range(steps):
        if weight.grad is not None:
            weight.grad.zero_()
        loss = (x @ weight - y).square().sum() / len(y)
        loss.backward()
        weight.data -= lr * weight.grad
        losses.append(loss.item())
    return weight, losses


def by_hand(weight, x, y, x_new, y_new, lr, epochs):
    """Batch norm in its two modes, written out."""
    scale, shift = torch.ones(x.shape[1]), torch.zeros(x.shape[1])
    mean, var, losses = torch.zeros(x.shape[1]), torch.ones(x.shape[1]), []
    for _ in range(epochs):
        leaves = [part.detach().requires_grad_() for part in (weight.clone(), scale, shift)]
        normal = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()
        ((normal * leaves[1] + leaves[2]) @ leaves[0] - y).square().mean().backward()
        weight, scale, shift = (leaf.detach() - lr * leaf.grad for leaf in leaves)
        mean, var = 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0)
        seen = (x_new - mean) / (var + 1e-5).sqrt() * scale + shift
        losses.append((seen @ weight - y_new).square().mean().item())
    return weight, losses


def formula(weight, x, labels, lr, steps):
    losses = []
    for _ in range(steps):
        logits = x @ weight.T
        losses.append((logits.logsumexp(1) - logits.gather(1, labels[:, None])[:, 0]).mean().item())
        weight = weight - lr * (logits.softmax(1) - functional.one_hot(labels, len(weight))).T @ x / len(x)
    return weight, losses


def diagonal(weight, x, y, lr, steps):
    weight, losses = weight.clone().requires_grad_(), []
    optimizer = torch.optim.SGD([weight], lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = functional.mse_loss(x @ weight[:, None], y)
        loss.backward()
        optimizer.step()
        losses += [loss.item()]
    return weight, losses


def one_by_one(weight, x, labels, orders, size, lr):
    losses = []
    for order in orders:
        shuffled, theirs = x[order], labels[order]
        for begin in range(0, len(order), size):
            weight, loss = formula(weight, shuffled[begin : begin + size], theirs[begin : begin + size], lr, 1)
            losses.extend(loss)
    return weight, losses


written_out = hand_on(a=clears_before, b=by_hand, c=formula, d=diagonal, e=one_by_one)
written_out.__name__ = "written_out"
right("03.loops")(written_out)


def descent(loss_of, *, clear="before", at=None):
    """A loop over full batches, by torch's optimizer. loss_of(weight) -> the loss; at: what is written down."""

    def run(weight, lr, steps):
        weight = weight.clone().requires_grad_()
        optimizer = torch.optim.SGD([weight], lr=lr)
        losses = []
        optimizer.zero_grad()
        for step in range(steps):
            if clear == "before" or (clear == "seldom" and step % 2 == 0):
                optimizer.zero_grad()
            loss = loss_of(weight)
            loss.backward()
            if clear == "between":
                optimizer.zero_grad()
            optimizer.step()
            losses.append((at or loss_of)(weight).item() if at else loss.item())
        return weight.detach(), losses

    return run


@sick("The gradients still pile up", "a")
def never_cleared(weight, x, y, lr, steps):
    return descent(lambda w: ((x @ w - y) ** 2).mean(), clear="once")(weight, lr, steps)


@sick("Are the gradients cleared in between", "a")
def cleared_too_early(weight, x, y, lr, steps):
    return descent(lambda w: ((x @ w - y) ** 2).mean(), clear="between")(weight, lr, steps)


@sick("cleared too rarely", "a")
def cleared_every_other_step(weight, x, y, lr, steps):
    return descent(lambda w: ((x @ w - y) ** 2).mean(), clear="seldom")(weight, lr, steps)


@sick("after the update", "a")
def loss_after_the_update(weight, x, y, lr, steps):
    def loss(w):
        return ((x @ w - y) ** 2).mean()

    return descent(loss, at=loss)(weight, lr, steps)


@sick("still a sum of old gradients", "a")
def rate_divided_by_steps(weight, x, y, lr, steps):
    return never_cleared(weight, x, y, lr / steps, steps)


@sick("hides the waves", "a")
def smaller_rate(weight, x, y, lr, steps):
    return never_cleared(weight, x, y, lr / 10, steps)


@sick("A tensor that came in was changed", "a")
def weight_changed_in_place(weight, x, y, lr, steps):
    losses = []
    for _ in range(steps):
        losses.append((x @ weight - y).square().mean().item())
        weight -= lr * 2 * x.T @ (x @ weight - y) / len(x)
    return weight, losses


@sick(".item() makes one", "a")
def losses_are_tensors(weight, x, y, lr, steps):
    weight, losses = mended_a(weight, x, y, lr, steps)
    return weight, [torch.tensor(loss) for loss in losses]


@sick("The list of losses has another length", "a")
def last_loss_alone(weight, x, y, lr, steps):
    weight, losses = mended_a(weight, x, y, lr, steps)
    return weight, losses[-1:]


@sick("Is backward() called, and step() after it?", "a")
def backward_forgotten(weight, x, y, lr, steps):
    weight, losses = weight.clone().requires_grad_(), []
    optimizer = torch.optim.SGD([weight], lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        losses.append(((x @ weight - y) ** 2).mean().item())
        optimizer.step()
    return weight, losses


@sick("Is backward() called, and step() after it?", "a")
def step_forgotten(weight, x, y, lr, steps):
    weight, losses = weight.clone().requires_grad_(), []
    for _ in range(steps):
        weight.grad = None
        loss = ((x @ weight - y) ** 2).mean()
        loss.backward()
        losses.append(loss.item())
    return weight, losses


@sick("The losses came back alone", "a")
def losses_alone(weight, x, y, lr, steps):
    return mended_a(weight, x, y, lr, steps)[1]


@sick("only a leaf", "a")
def weight_is_computed(weight, x, y, lr, steps):
    weight, losses = weight.clone().requires_grad_(), []
    for _ in range(steps):
        loss = ((x @ weight - y) ** 2).mean()
        loss.backward()
        weight = weight - lr * weight.grad
        losses.append(loss.item())
    return weight.detach(), losses


@sick("The losses are right up to number 2 of 4", "a")
def another_way_of_going_down(weight, x, y, lr, steps):
    weight, losses = weight.clone().requires_grad_(), []
    optimizer = torch.optim.SGD([weight], lr=lr, momentum=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((x @ weight - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return weight, losses


def normed(before=None, update=None, measure=None, once=None):
    """loop_b with calls of norm.train and norm.eval at these places."""

    def loop(weight, x, y, x_new, y_new, lr, epochs):
        norm = nn.BatchNorm1d(x.shape[1])
        weight = weight.clone().requires_grad_()
        optimizer = torch.optim.SGD([weight, *norm.parameters()], lr=lr)
        losses = []
        if before:
            before(norm)
        for epoch in range(epochs):
            if update:
                update(norm)
            optimizer.zero_grad()
            ((norm(x) @ weight - y) ** 2).mean().backward()
            optimizer.step()
            if once:
                once(norm, x_new)
            if measure:
                measure(norm, epoch, epochs)
            with torch.no_grad():
                losses.append(((norm(x_new) @ weight - y_new) ** 2).mean().item())
        return weight.detach(), losses

    return loop


def normed_wrongly(name, phrase, **calls):
    loop = normed(**calls)
    loop.__name__ = name
    sick(phrase, "b")(loop)


normed_wrongly("only_no_grad", "still normed with their *own* mean")
normed_wrongly("never_back_to_train", "From the second epoch on", measure=lambda norm, *_: norm.eval())
normed_wrongly("eval_before_the_loop", "from the start", before=lambda norm: norm.eval())
normed_wrongly("eval_in_every_epoch", "eval() stays until train() is called", update=lambda norm: norm.eval())
normed_wrongly(
    "modes_swapped",
    "wrong way round",
    update=lambda norm: norm.eval(),
    measure=lambda norm, *_: norm.train(),
)
normed_wrongly(
    "new_rows_seen_in_training_mode",
    "the model has seen them",
    update=lambda norm: norm.train(),
    once=lambda norm, x_new: norm(x_new),
    measure=lambda norm, *_: norm.eval(),
)
normed_wrongly(
    "eval_in_the_last_epoch",
    "in the last epoch",
    measure=lambda norm, epoch, epochs: norm.train(epoch < epochs - 1),
)
normed_wrongly(
    "eval_after_the_first_epoch",
    "The first epoch is measured in training mode",
    update=lambda norm: norm.train(),
    measure=lambda norm, epoch, epochs: norm.train(epoch == 0),
)


@sick("move at another pace", "b")
def other_momentum(weight, x, y, x_new, y_new, lr, epochs):
    def all_at_once(norm):
        norm.momentum = 1.0
        norm.train()

    return normed(update=all_at_once, measure=lambda norm, *_: norm.eval())(weight, x, y, x_new, y_new, lr, epochs)


def with_norm(name, phrase, make=nn.BatchNorm1d, given=lambda norm: [*norm.parameters()], lost=None, seen=None):
    """loop_b, mended, with another layer, other parameters for the optimizer, another measurement or training loss."""

    def loop(weight, x, y, x_new, y_new, lr, epochs):
        norm = make(x.shape[1])
        weight = weight.clone().requires_grad_()
        optimizer = torch.optim.SGD([weight, *given(norm)], lr=lr)
        losses = []
        for _ in range(epochs):
            norm.train()
            optimizer.zero_grad()
            loss = ((norm(x) @ weight - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            norm.eval()
            with torch.no_grad():
                measured = (((seen or norm)(x_new) @ weight - y_new) ** 2).mean()
            losses.append((lost or (lambda loss, measured: measured))(loss, measured).item())
        return weight.detach(), losses

    loop.__name__ = name
    sick(phrase, "b")(loop)


with_norm(
    "no_running_statistics",
    "that has kept running statistics",
    make=lambda features: nn.BatchNorm1d(features, track_running_stats=False),
)
with_norm("norm_does_not_learn", "its scale and shift, do not learn", given=lambda norm: [])
with_norm("training_losses", "These are the losses of the training rows", lost=lambda loss, measured: loss)
with_norm("measured_without_norm", "measured without norm", seen=lambda x: x)


@sick("is called norm", "b")
def mode_of_a_model_that_is_not_there(weight, x, y, x_new, y_new, lr, epochs):
    model.eval()  # noqa: F821 - the mistake


@sick("The mode is the layer's", "b")
def mode_of_a_tensor(weight, x, y, x_new, y_new, lr, epochs):
    weight.eval()


@sick("logits first, and then the labels", "c")
def arguments_swapped(weight, x, labels, lr, steps):
    return weight, [functional.cross_entropy(labels, x @ weight.T).item()]


@sick("The step was taken on another loss", "c")
def writes_down_another_loss(weight, x, labels, lr, steps):
    weight, losses = weight.clone().requires_grad_(), []
    optimizer = torch.optim.SGD([weight], lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy((x @ weight.T).softmax(1), labels).backward()
        losses.append(functional.cross_entropy(x @ weight.T, labels).item())
        optimizer.step()
    return weight, losses


@sick("has to clear them still", "c")
def clearing_lost(weight, x, labels, lr, steps):
    return descent(lambda w: functional.cross_entropy(x @ w.T, labels), clear="once")(weight, lr, steps)


@sick("Is backward() called", "c")
def cleared_between(weight, x, labels, lr, steps):
    return descent(lambda w: functional.cross_entropy(x @ w.T, labels), clear="between")(weight, lr, steps)


def classified(name, phrase, loss):
    def loop(weight, x, labels, lr, steps):
        return descent(lambda w: loss(x @ w.T, labels))(weight, lr, steps)

    loop.__name__ = name
    sick(phrase, "c")(loop)


classified("softmax_twice", "A softmax is still applied twice", lambda z, t: functional.cross_entropy(z.softmax(1), t))
classified("nll_of_probabilities", "got probabilities", lambda z, t: functional.nll_loss(z.softmax(1), t))
classified("nll_of_logits", "got logits", functional.nll_loss)
classified("softmax_over_the_batch", "over the examples", lambda z, t: functional.nll_loss(z.log_softmax(0), t))
classified("sum_of_losses", "This is the sum", lambda z, t: functional.cross_entropy(z, t, reduction="sum"))
classified("three_times", "three times now", lambda z, t: functional.cross_entropy(z.softmax(1).softmax(1), t))
classified("sigmoid_first", "one squashing too many", lambda z, t: functional.cross_entropy(z.sigmoid(), t))
classified("sharper", "A temperature", lambda z, t: functional.cross_entropy((10 * z).softmax(1), t))


@sick("the step was taken on another loss", "c")
def right_loss_written_down_only(weight, x, labels, lr, steps):
    wrong_weight, _ = descent(lambda w: functional.cross_entropy((x @ w.T).softmax(1), labels))(weight, lr, steps)
    return wrong_weight, mended_c(weight, x, labels, lr, steps)[1]


def shaped(name, phrase, loss):
    def loop(weight, x, y, lr, steps):
        return descent(lambda w: loss(x @ w, y))(weight, lr, steps)

    loop.__name__ = name
    sick(phrase, "d")(loop)


shaped("every_pair", "Every prediction still meets every target", lambda p, y: ((p - y) ** 2).mean())
shaped("first_target_for_all", "One target is used", lambda p, y: ((p - y[0]) ** 2).mean())
shaped("targets_averaged", "The targets were averaged", lambda p, y: ((p - y.mean()) ** 2).mean())
shaped("targets_added_up", "The targets were added up", lambda p, y: ((p - y.sum()) ** 2).mean())
shaped("pairs_averaged_first", "averaged before it was squared", lambda p, y: ((p - y).mean(1) ** 2).mean())
shaped("pairs_added_and_divided", "divided by the number of examples", lambda p, y: ((p - y) ** 2).sum() / len(y))
shaped("sum_of_squares", "the sum of the squares", lambda p, y: ((p - y[:, 0]) ** 2).sum())


def passed(name, phrase, rows_of, label_rows_of=None, keep_last=True):
    """loop_e with the rows of a pass by rows_of(orders, number of the pass)."""

    def loop(weight, x, labels, orders, size, lr):
        losses = []
        for number in range(len(orders)):
            rows, theirs = rows_of(orders, number), (label_rows_of or rows_of)(orders, number)
            for start in range(0, len(rows) if keep_last else len(rows) - size + 1, size):
                picked, labelled = rows[start : start + size], theirs[start : start + size]
                weight, loss = formula(weight, x[picked], labels[labelled], lr, 1)
                losses += loss
        return weight, losses

    loop.__name__ = name
    sick(phrase, "e")(loop)


def in_file(orders, number):
    return torch.arange(orders.shape[1])


def in_order(orders, number):
    return orders[number]


passed("not_shuffled", "`orders` is not used", in_file)
passed("only_x_shuffled", "the labels were not", in_order, in_file)
passed("only_labels_shuffled", "x was not", in_file, in_order)
passed("first_order_for_all", "the order of the first one", lambda orders, number: orders[0])
passed("order_inverted", "The order was turned round", lambda orders, number: orders[number].argsort())
passed("last_batch_dropped", "The last batch of a pass is missing", in_order, keep_last=False)
passed("passes_in_reverse", "The passes come in the wrong order", lambda orders, number: orders[-1 - number])


def batched(name, phrase, *, clear="batch", step="batch", after=False, loss=functional.cross_entropy, end=None):
    """loop_e with the right rows, and something else wrong. end(start, size): where the rows of a batch end."""

    def loop(weight, x, labels, orders, size, lr):
        weight, losses = weight.clone().requires_grad_(), []
        optimizer = torch.optim.SGD([weight], lr=lr)
        for order in orders:
            if clear == "pass":
                optimizer.zero_grad()
            for start in range(0, len(order), size):
                rows = order[start : end(start, size) if end else start + size]
                if clear == "batch":
                    optimizer.zero_grad()
                value = loss(x[rows] @ weight.T, labels[rows])
                value.backward()
                if step == "batch":
                    optimizer.step()
                losses.append((loss(x[rows] @ weight.T, labels[rows]) if after else value).item())
            if step == "pass":
                optimizer.step()
        return weight.detach(), losses

    loop.__name__ = name
    sick(phrase, "e")(loop)


def over_size(logits, labels):
    return functional.cross_entropy(logits, labels, reduction="sum") / 2  # the size of the first case


batched("batch_loss_after_the_update", "The rows are right. The loss was written down after", after=True)
batched("cleared_once_a_pass", "The rows are right. The gradients pile up", clear="pass")
batched("never_cleared_in_batches", "The rows are right. The gradients pile up", clear="never")
batched("step_once_a_pass", "The rows are right. The step is taken once a pass", step="pass")
batched("no_step_at_all", "The rows are right. The weight never moves", step="never")
batched("softmax_in_batches", "a softmax too many", loss=lambda z, t: functional.cross_entropy(z.softmax(1), t))
batched("sum_over_size", "may be less than `size`", loss=over_size)
batched("empty_batches", "A mean over no rows at all", end=lambda start, size: size)


@sick("need the same rows", "e")
def labels_of_the_whole_pass(weight, x, labels, orders, size, lr):
    return weight, [functional.cross_entropy(x[orders[0][:size]] @ weight.T, labels[orders[0]]).item()]


@sick("overwrites the caller's", "e")
def shuffled_in_place(weight, x, labels, orders, size, lr):
    for order in orders:
        x[:], labels[:] = x[order], labels[order]
    return weight, []


@sick("shuffles what the pass before has shuffled", "e")
def shuffled_again_and_again(weight, x, labels, orders, size, lr):
    losses = []
    for order in orders:
        x, labels = x[order], labels[order]
        for some, theirs in zip(x.split(size), labels.split(size), strict=True):
            weight, loss = formula(weight, some, theirs, lr, 1)
            losses += loss
    return weight, losses


@sick("begins with the first weight again", "e")
def begins_anew(weight, x, labels, orders, size, lr):
    losses = []
    for order in orders:
        last, some = mended_e(weight, x, labels, order[None], size, lr)
        losses += some
    return last, losses


@wrong("03.loops", "a tuple of 2 was wanted")
def weights_alone(name, *args):
    return MENDED[name](*args)[0]


@wrong("03.loops", "keep the first line of each stub")
def a_loop_without_its_parameters(name, *args):
    return (lambda weight, x, y: (weight, []))(*args)
