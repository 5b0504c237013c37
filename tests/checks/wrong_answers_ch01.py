"""Named wrong answers of chapters 00 and 01, each with the words that its diagnosis must hold; and right ones.

Every answer is written as a learner would write it, in another style than the references.
"""

import math
from itertools import pairwise

import torch
from dlcourse_answers import right, wrong
from torch.nn import functional

# --- 00.accuracy ----------------------------------------------------------------------------------------------------


@right("00.accuracy")
def mean_of_floats(predicted, labels):
    return (predicted == labels).float().mean().item()


@right("00.accuracy")
def loop_over_lists(predicted, labels):
    return sum(a == b for a, b in zip(predicted.tolist(), labels.tolist(), strict=True)) / len(labels)


@wrong("00.accuracy", "throws the fraction away")
def integer_division(predicted, labels):
    return (predicted == labels).sum().item() // len(labels)


@wrong("00.accuracy", "counts the right answers")
def number_of_right_answers(predicted, labels):
    return (predicted == labels).sum().item()


@wrong("00.accuracy", "counts mistakes")
def number_of_mistakes(predicted, labels):
    return int((predicted != labels).sum())


@wrong("00.accuracy", "share of mistakes")
def share_of_mistakes(predicted, labels):
    return (predicted != labels).float().mean().item()


@wrong("00.accuracy", ".item()")
def still_a_tensor(predicted, labels):
    return (predicted == labels).float().mean()


@wrong("00.accuracy", "truth value")
def all_or_nothing(predicted, labels):
    return torch.equal(predicted, labels)


@wrong("00.accuracy", "percentage")
def percentage(predicted, labels):
    return 100 * (predicted == labels).float().mean().item()


@wrong("00.accuracy", "put .float() between")
def mean_of_bools(predicted, labels):
    return (predicted == labels).mean().item()


# --- 01.sigmoid -----------------------------------------------------------------------------------------------------


@right("01.sigmoid")
def torch_sigmoid(x):
    return torch.sigmoid(x)


@right("01.sigmoid")
def by_tanh(x):
    return (1 + torch.tanh(x / 2)) / 2


@right("01.sigmoid")
def two_branches(x):
    low, high = x.clamp(max=0), x.clamp(min=0)
    return torch.where(x >= 0, 1 / (1 + torch.exp(-high)), torch.exp(low) / (1 + torch.exp(low)))


@right("01.sigmoid")
def by_softplus(x):
    return torch.exp(-functional.softplus(-x))


@wrong("01.sigmoid", "inf / inf is nan")
def other_naive_form(x):
    return torch.exp(x) / (1 + torch.exp(x))


@wrong("01.sigmoid", "its slope is multiplied by 0")
def naive_form(x):
    return 1 / (1 + torch.exp(-x))


@wrong("01.sigmoid", "the branch not taken too")
def where_over_naive_branches(x):
    return torch.where(x >= 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x)))


@wrong("01.sigmoid", "its slope is multiplied by 0")
def infinity_by_nan_to_num(x):
    return torch.nan_to_num(torch.exp(x) / (1 + torch.exp(x)), nan=1.0)


def halves(x):
    low, high = x.clamp(max=0), x.clamp(min=0)
    return 1 / (1 + torch.exp(-high)), torch.exp(low) / (1 + torch.exp(low))


@wrong("01.sigmoid", "either the branches of torch.where or the clamps are swapped")
def clamps_swapped(x):
    low, high = x.clamp(min=0), x.clamp(max=0)
    return torch.where(x >= 0, 1 / (1 + torch.exp(-high)), torch.exp(low) / (1 + torch.exp(low)))


@wrong("01.sigmoid", "either the branches of torch.where or the clamps are swapped")
def branches_swapped(x):
    positive, negative = halves(x)
    return torch.where(x >= 0, negative, positive)


@wrong("01.sigmoid", "look at the clamp of that half")
def negative_half_clamped_away(x):
    grows = torch.exp(x.clamp(min=0))
    return torch.where(x >= 0, torch.sigmoid(x), 1 / (1 + grows.clamp(max=1)))


@wrong("01.sigmoid", "look at the clamp of that half")
def positive_half_clamped_away(x):
    return torch.where(x >= 0, 1 / (1 + torch.exp(-x.clamp(max=0))), halves(x)[1])


@wrong("01.sigmoid", "Twice too steep at x = 0")
def branches_added(x):
    positive, negative = halves(x)
    return positive + negative - 0.5


@wrong("01.sigmoid", "slope 0 there")
def by_abs(x):
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))


@wrong("01.sigmoid", "narrow range")
def clamped_at_10(x):
    return torch.sigmoid(x.clamp(-10, 10))


@wrong("01.sigmoid", "narrow range")
def clamped_output(x):
    return torch.sigmoid(x).clamp(1e-4, 1 - 1e-4)


@wrong("01.sigmoid", "This is tanh")
def tanh_instead(x):
    return torch.tanh(x)


@wrong("01.sigmoid", "minus sign is missing")
def forgot_the_minus(x):
    return 1 / (1 + torch.exp(x))


@wrong("01.sigmoid", "dtype should be torch.float32")
def always_double(x):
    return torch.sigmoid(x.double())


@wrong("01.sigmoid", "dtype should be torch.float64")
def always_float(x):
    return torch.sigmoid(x.float())


@wrong("01.sigmoid", "one number only")
def scalars_only(x):
    return 1 / (1 + math.exp(-x))


@wrong("01.sigmoid", "cannot look at a whole tensor")
def if_on_a_tensor(x):
    if x >= 0:
        return 1 / (1 + torch.exp(-x))
    return torch.exp(x) / (1 + torch.exp(x))


@wrong("01.sigmoid", "No slope reaches")
def detached_sigmoid(x):
    return torch.sigmoid(x.detach())


@wrong("01.sigmoid", "relative of it")
def its_slope(x):
    return torch.sigmoid(x) * torch.sigmoid(-x)


@wrong("01.sigmoid", "no line with `return`")
def no_return(x):
    torch.sigmoid(x)


@wrong("01.sigmoid", "changed in place")
def in_place_sigmoid(x):
    return x.sigmoid_()


@wrong("01.sigmoid", "Keep the first line of the stub")
def second_parameter(x, scale):
    return torch.sigmoid(x)


@wrong("01.sigmoid", "plain torch tensors")
def numpy_out(x):
    return torch.sigmoid(x).numpy()


# --- 01.perceptron --------------------------------------------------------------------------------------------------


class Neuron:
    """The start that most of these share."""

    def __init__(self, features):
        self.weight = torch.zeros(features)
        self.bias = torch.tensor(0.0)

    def score(self, x):
        return x @ self.weight + self.bias

    def move(self, x, label):
        self.weight = self.weight + label * x
        self.bias = self.bias + label


@right("01.perceptron")
class InPlace(Neuron):
    def step(self, x, label):
        mistake = (torch.dot(self.weight, x) + self.bias).item() * label <= 0
        if mistake:
            self.weight += label * x
            self.bias += label
        return mistake


@right("01.perceptron")
class AsModule(torch.nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(features))
        self.bias = torch.nn.Parameter(torch.zeros(()))

    @torch.no_grad()
    def step(self, x, label):
        agree = label * (x * self.weight).sum() + label * self.bias
        wrong_side = float(agree) <= 0
        self.weight.add_(x, alpha=label * wrong_side)
        self.bias.add_(label * wrong_side)
        return wrong_side


@wrong("01.perceptron", "bias was not updated")
class ForgetsBias(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x) <= 0)
        if mistake:
            self.weight = self.weight + label * x
        return mistake


@wrong("01.perceptron", "no attribute `weight` and no attribute `bias`. In __init__ write self.weight")
class ForgetsSelf(Neuron):
    def __init__(self, features):
        weight, bias = torch.zeros(features), torch.tensor(0.0)  # noqa: F841


@wrong("01.perceptron", "no attribute `weight` and no attribute `bias`. In __init__ write self.weight")
class ShortNames(Neuron):
    def __init__(self, features):
        self.w, self.b = torch.zeros(features), torch.tensor(0.0)


@wrong("01.perceptron", "no attribute `bias`. In __init__ write")
class NoBias(Neuron):
    def __init__(self, features):
        self.weight = torch.zeros(features)


@wrong("01.perceptron", "torch.zeros(1) has (1,)")
class BiasInBrackets(InPlace):
    def __init__(self, features):
        self.weight, self.bias = torch.zeros(features), torch.zeros(1)


@wrong("01.perceptron", "without the point torch makes whole numbers")
class WholeBias(Neuron):
    def __init__(self, features):
        self.weight, self.bias = torch.zeros(features), torch.tensor(0)


@wrong("01.perceptron", "The label is missing from the update")
class ForgetsLabel(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x) <= 0)
        if mistake:
            self.weight = self.weight + x
            self.bias = self.bias + label
        return mistake


@wrong("01.perceptron", "assign to self.weight and self.bias")
class UpdatesLocals(Neuron):
    def step(self, x, label):
        weight, bias = self.weight, self.bias
        mistake = bool(label * self.score(x) <= 0)
        if mistake:
            weight = weight + label * x
            bias = bias + label
        return mistake


@wrong("01.perceptron", "twice as long")
class LabelMinusPrediction(Neuron):
    def step(self, x, label):
        error = label - self.score(x).sign().item()
        self.move(x, error)
        return error != 0


@wrong("01.perceptron", "weight was not updated")
class ForgetsWeight(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x) <= 0)
        if mistake:
            self.bias = self.bias + label
        return mistake


@wrong("01.perceptron", "away from the example")
class StepsAway(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x) <= 0)
        if mistake:
            self.move(x, -label)
        return mistake


@wrong("01.perceptron", "after every example")
class AlwaysUpdates(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x) <= 0)
        self.move(x, label)
        return mistake


@wrong("01.perceptron", "did not start")
class NeverStarts(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x) < 0)
        if mistake:
            self.move(x, label)
        return mistake


@wrong("01.perceptron", "moved by label * x")
class BiasTimesInput(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x).sum() <= 0)
        if mistake:
            self.weight = self.weight + label * x
            self.bias = self.bias + label * x
        return mistake


@wrong("01.perceptron", "nothing was returned")
class ReturnsNothing(Neuron):
    def step(self, x, label):
        if label * self.score(x) <= 0:
            self.move(x, label)


@wrong("01.perceptron", "wrong way round")
class ReturnsRight(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x) <= 0)
        if mistake:
            self.move(x, label)
        return not mistake


@wrong("01.perceptron", "or the test came after the update")
class TestsAfterUpdate(Neuron):
    def step(self, x, label):
        if label * self.score(x) <= 0:
            self.move(x, label)
        return bool(label * self.score(x) <= 0)


@wrong("01.perceptron", "adds x whatever the label")
class IgnoresLabel(Neuron):
    def step(self, x, label):
        mistake = bool(label * self.score(x) <= 0)
        if mistake:
            self.move(x, 1)
        return mistake


@wrong("01.perceptron", "without the bias")
class ScoresWithoutBias(Neuron):
    def step(self, x, label):
        mistake = bool(label * (x @ self.weight) <= 0)
        if mistake:
            self.move(x, label)
        return mistake


@wrong("01.perceptron", "bool(...) makes one")
class ReturnsTensor(Neuron):
    def step(self, x, label):
        mistake = label * self.score(x) <= 0
        if mistake:
            self.move(x, label)
        return mistake


@wrong("01.perceptron", "bool(...) makes one")
class ReturnsOne(Neuron):
    def step(self, x, label):
        mistake = int(label * self.score(x) <= 0)
        if mistake:
            self.move(x, label)
        return mistake


@wrong("01.perceptron", "starts with self.weight")
class StartsRandom(Neuron):
    def __init__(self, features):
        self.weight = torch.ones(features)
        self.bias = torch.tensor(0.0)


@wrong("01.perceptron", "bias: This is a float, and a float32 tensor of shape () was wanted")
class BiasTurnsPlain(InPlace):
    def step(self, x, label):
        mistake = super().step(x, label)
        self.bias = float(self.bias)
        return mistake


@wrong("01.perceptron", "bias: This is a float, and a float32 tensor of shape () was wanted")
class PlainBias(InPlace):
    def __init__(self, features):
        self.weight = torch.zeros(features)
        self.bias = 0.0


@wrong("01.perceptron", "needs a method `step(self, x, label)`")
class NoStep(Neuron):
    pass


@wrong("01.perceptron", "has to be a class")
def function_in_place_of_a_class(features):
    return torch.zeros(features)


# --- 01.cross_entropy -----------------------------------------------------------------------------------------------


@right("01.cross_entropy")
def by_torch(logits, labels):
    return functional.cross_entropy(logits, labels)


@right("01.cross_entropy")
def by_logsumexp(logits, labels):
    return (logits.logsumexp(1) - logits[range(len(labels)), labels]).mean()


@right("01.cross_entropy")
def row_by_row(logits, labels):
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        shifted = row - row.max()
        total = total - shifted[label] + shifted.exp().sum().log()
    return total / len(labels)


def pick(table, labels):
    return table[torch.arange(len(labels)), labels]


@wrong("01.cross_entropy", "exp overflowed")
def no_subtraction(logits, labels):
    return (torch.log(torch.exp(logits).sum(1)) - pick(logits, labels)).mean()


@wrong("01.cross_entropy", "log of a probability that rounds to 0")
def log_of_softmax(logits, labels):
    return -torch.log(pick(torch.softmax(logits, 1), labels)).mean()


@wrong("01.cross_entropy", "log of a probability that rounds to 0")
def log_of_one_probability(logits, labels):
    exp = torch.exp(logits - logits.amax(dim=1, keepdim=True))
    return -torch.log(pick(exp / exp.sum(dim=1, keepdim=True), labels)).mean()


@wrong("01.cross_entropy", "exp overflowed")
def log_of_one_naive_probability(logits, labels):
    exp = torch.exp(logits)
    return -torch.log(pick(exp / exp.sum(dim=1, keepdim=True), labels)).mean()


@wrong("01.cross_entropy", "not put back")
def largest_not_put_back(logits, labels):
    largest = logits.amax(dim=1, keepdim=True)
    return (torch.log(torch.exp(logits - largest).sum(dim=1)) - pick(logits, labels)).mean()


@wrong("01.cross_entropy", "put back twice")
def largest_put_back_twice(logits, labels):
    largest = logits.amax(dim=1, keepdim=True)
    shifted = logits - largest
    return (largest[:, 0] + torch.log(torch.exp(shifted).sum(dim=1)) - pick(shifted, labels)).mean()


@wrong("01.cross_entropy", "arange must be as long as the batch: torch.arange(len(labels)).")
def arange_of_the_chapter(logits, labels):
    return (logits.logsumexp(1) - logits[torch.arange(2), labels]).mean()


@wrong("01.cross_entropy", "arange must be as long as the batch: torch.arange(len(labels)).")
def arange_of_the_classes(logits, labels):
    return (logits.logsumexp(1) - logits[torch.arange(logits.shape[1]), labels]).mean()


@wrong("01.cross_entropy", "put back twice")
def largest_taken_from_the_true_class(logits, labels):
    return (logits.logsumexp(1) - pick(logits - logits.amax(dim=1, keepdim=True), labels)).mean()


@wrong("01.cross_entropy", "takes whole rows")
def rows_in_place_of_entries(logits, labels):
    return (logits.logsumexp(1) - logits[labels]).mean()


@wrong("01.cross_entropy", "along dim=0 run over the examples")
def reductions_along_the_batch(logits, labels):
    largest = logits.amax(dim=0)
    return (largest + torch.log(torch.exp(logits - largest).sum(dim=0)) - pick(logits, labels)).mean()


@wrong("01.cross_entropy", "along the wrong axis")
def softmax_along_the_batch(logits, labels):
    p = torch.exp(logits) / torch.exp(logits).sum(dim=0)
    return -torch.log(pick(p, labels)).mean()


@wrong("01.cross_entropy", "keepdim=True keeps")
def forgot_keepdim(logits, labels):
    shifted = logits - logits.amax(dim=1)
    return (torch.log(torch.exp(shifted).sum(dim=1)) - pick(shifted, labels)).mean()


@wrong("01.cross_entropy", "take .values, or use amax")
def max_without_values(logits, labels):
    shifted = logits - logits.max(dim=1, keepdim=True)
    return (torch.log(torch.exp(shifted).sum(dim=1)) - pick(shifted, labels)).mean()


@wrong("01.cross_entropy", "over the whole batch")
def one_sum_for_all_rows(logits, labels):
    shifted = logits - logits.amax(dim=1, keepdim=True)
    return (torch.log(torch.exp(shifted).sum()) - pick(shifted, labels)).mean()


@wrong("01.cross_entropy", "over the whole batch")
def one_sum_without_subtraction(logits, labels):
    return (torch.log(torch.exp(logits).sum()) - pick(logits, labels)).mean()


@wrong("01.cross_entropy", "small constant")
def log_of_softmax_and_eps(logits, labels):
    return -torch.log(pick(torch.softmax(logits, 1), labels) + 1e-8).mean()


@wrong("01.cross_entropy", "small constant")
def log_of_clamped_softmax(logits, labels):
    return -torch.log(pick(torch.softmax(logits, 1), labels).clamp(min=1e-12)).mean()


@wrong("01.cross_entropy", "along the wrong axis")
def wrong_axis(logits, labels):
    return -pick(torch.log_softmax(logits, 0), labels).mean()


@wrong("01.cross_entropy", "sum over the batch")
def sum_not_mean(logits, labels):
    return -pick(torch.log_softmax(logits, 1), labels).sum()


@wrong("01.cross_entropy", "over the classes too")
def mean_over_everything(logits, labels):
    one_hot = functional.one_hot(labels, logits.shape[1])
    return -(one_hot * torch.log_softmax(logits, 1)).mean()


@wrong("01.cross_entropy", "in bits")
def in_bits(logits, labels):
    return -pick(torch.log_softmax(logits, 1), labels).mean() / math.log(2)


@wrong("01.cross_entropy", "minus sign is missing")
def forgot_the_minus_sign(logits, labels):
    return pick(torch.log_softmax(logits, 1), labels).mean()


@wrong("01.cross_entropy", "No slope reaches")
def detached_logits(logits, labels):
    return functional.cross_entropy(logits.detach(), labels)


@wrong("01.cross_entropy", "No slope reaches")
def out_of_lists(logits, labels):
    return torch.tensor(functional.cross_entropy(logits, labels).item(), dtype=logits.dtype)


@wrong("01.cross_entropy", "Part of the slope is missing")
def half_detached(logits, labels):
    return (logits.detach().logsumexp(1) - pick(logits, labels)).mean()


@wrong("01.cross_entropy", "applied twice")
def softmax_twice(logits, labels):
    return functional.cross_entropy(torch.softmax(logits, 1), labels)


@wrong("01.cross_entropy", "labels were not used")
def largest_logit(logits, labels):
    return functional.cross_entropy(logits, logits.argmax(1))


@wrong("01.cross_entropy", "in every row")
def columns_of_every_row(logits, labels):
    return -torch.log_softmax(logits, 1)[:, labels].mean()


@wrong("01.cross_entropy", "the log is missing")
def mean_probability(logits, labels):
    return -pick(torch.softmax(logits, 1), labels).mean()


@wrong("01.cross_entropy", "logsumexp of the row is missing")
def logit_alone(logits, labels):
    return -pick(logits, labels).mean()


@wrong("01.cross_entropy", "take their mean")
def single_losses(logits, labels):
    return -pick(torch.log_softmax(logits, 1), labels)


@wrong("01.cross_entropy", "a slope is nan")
def nan_hidden_by_where(logits, labels):
    naive = torch.log(torch.exp(logits).sum(1))
    return (torch.where(naive.isfinite(), naive, logits.logsumexp(1)) - pick(logits, labels)).mean()


# --- 01.xor ---------------------------------------------------------------------------------------------------------


def floats(*numbers):
    return torch.tensor(numbers, dtype=torch.float32)


@right("01.xor")
def sum_of_inputs():
    return torch.ones(2, 2), floats(0, -1), floats([1, -2]), floats(-0.5)


@right("01.xor")
def or_minus_and():
    return floats([2, 2], [4, 4]), floats(-0.5, -5), floats([1, -3]), floats(-0.7)


@right("01.xor")
def upside_down():
    # A start at 1 minus a valley: both hidden units pull down, one below a sum of 1 and one above it.
    return floats([-1, -1], [1, 1]), floats(1, -1), floats([-3, -3]), floats(1.5)


@wrong("01.xor", "This is OR")
def just_or():
    return torch.ones(2, 2), floats(0, 0), floats([1, 1]), floats(-0.5)


@wrong("01.xor", "raise the size of the negative output weight until")
def second_hinge_too_weak():
    return torch.ones(2, 2), floats(0, -1), floats([1, -1]), floats(-0.5)


@wrong("01.xor", "raise the size of the negative output weight, or let its unit start earlier, until")
def second_hinge_too_late():
    return torch.ones(2, 2), floats(0, -1.5), floats([1, -2]), floats(-0.5)


@wrong("01.xor", "is never below zero at any of the four, or never above")
def one_input_each():
    return torch.eye(2), floats(0, -1), floats([1, -2]), floats(-0.5)


@wrong("01.xor", "weight1 must be (2, 2): one row per hidden unit")
def one_row_of_weights():
    return torch.ones(1, 2), floats(0, -1), floats([1, -2]), floats(-0.5)


@wrong("01.xor", "This is AND")
def just_and():
    return torch.ones(2, 2), floats(-1, -1), floats([1, 1]), floats(-0.5)


@wrong("01.xor", "This is XNOR: the answers are exactly reversed, yes where it should be no.")
def turned_round():
    return torch.ones(2, 2), floats(0, -1), floats([-1, 2]), floats(0.5)


@wrong("01.xor", "This is NAND")
def just_nand():
    return torch.ones(2, 2), floats(0, -1), floats([0, -2]), floats(1)


@wrong("01.xor", "x2 is never read: each row of weight1 holds one unit's weights for both inputs.")
def columns_for_rows():
    return floats([1, 0], [1, 0]), floats(0, -1), floats([1, -2]), floats(-0.5)


@wrong("01.xor", "Your bump peaks at a sum of two; move it one to the left.")
def bump_of_the_chapter():
    return torch.ones(2, 2), floats(-1, -2), floats([1, -2]), floats(-0.5)


@wrong("01.xor", "bias2 alone decides")
def bias2_too_low():
    return torch.ones(2, 2), floats(0, -1), floats([1, -2]), floats(-1.5)


@wrong("01.xor", "bias2 alone decides")
def bias2_too_high():
    return torch.ones(2, 2), floats(0, -1), floats([1, -2]), floats(0.5)


@wrong("01.xor", "x2 is never read")
def first_input_only():
    return floats([1, 0], [0, 0]), floats(0, 0), floats([1, 0]), floats(-0.5)


@wrong("01.xor", "bias2 alone decides")
def always_no():
    return torch.zeros(2, 2), floats(0, 0), floats([0, 0]), floats(0)


@wrong("01.xor", "no room")
def zero_margin():
    return torch.ones(2, 2), floats(0, -1), floats([1, -2]), floats(0)


@wrong("01.xor", "no room")
def tight_at_the_top():
    return torch.ones(2, 2), floats(0, -1), floats([1, -2]), floats(-0.95)


@wrong("01.xor", "weight2 must be (1, 2): one row")
def flat_output_weight():
    return torch.ones(2, 2), floats(0, -1), floats(1, -2), floats(-0.5)


@wrong("01.xor", "torch.tensor(0.0) has the shape (), torch.zeros(1) has (1,)")
def scalar_output_bias():
    return torch.ones(2, 2), floats(0, -1), floats([1, -2]), torch.tensor(-0.5)


@wrong("01.xor", "write 1.0 for 1, without the point")
def whole_numbers():
    return torch.tensor([[1, 1], [1, 1]]), floats(0, -1), floats([1, -2]), floats(-0.5)


@wrong("01.xor", "weight2: write 1.0 for 1, without the point")
def one_whole_weight():
    return torch.ones(2, 2), floats(0, -1), torch.tensor([[1, -2]]), floats(-0.5)


@wrong("01.xor", "The dtype should be torch.float32 and is torch.float64.")
def double_weights():
    return torch.ones(2, 2).double(), floats(0, -1), floats([1, -2]), floats(-0.5)


@wrong("01.xor", "4 values were wanted, and 2 came")
def weights_only():
    return torch.ones(2, 2), floats([1, -2])


@wrong("01.xor", "not finite")
def infinite():
    return torch.ones(2, 2), floats(0, -1), floats([math.nan, -2]), floats(-0.5)


# --- 01.hinges ------------------------------------------------------------------------------------------------------


@right("01.hinges")
def with_a_dict(weight, bias, out):
    bends = {}
    for w, b, a in zip(weight.tolist(), bias.tolist(), out.tolist(), strict=True):
        if w:
            bends[b / w] = bends.get(b / w, 0) + a * abs(w)
    return 1 + len([bend for bend in bends.values() if bend])


@right("01.hinges")
def with_cross_products(weight, bias, out):
    active = weight != 0
    w, b, a = weight[active], bias[active], out[active]
    same = w[:, None] * b == w * b[:, None]
    change = (same * (a * w.abs())).sum(1)
    first = ~(same & torch.ones_like(same).tril(-1)).any(1)
    return int((first & (change != 0)).sum()) + 1


@right("01.hinges")
def by_slopes(weight, bias, out):
    knots = sorted({-b / w for w, b in zip(weight.tolist(), bias.tolist(), strict=True) if w})
    middles = [-100.0, *((a + b) / 2 for a, b in pairwise(knots)), 100.0]
    slopes = [float((out * weight)[weight * x + bias > 0].sum()) for x in middles] if knots else [0.0]
    return 1 + sum(a != b for a, b in pairwise(slopes))


def hinges_of(weight, bias, out):
    return list(zip(weight.tolist(), bias.tolist(), out.tolist(), strict=True))


@wrong("01.hinges", "always the number of hinges plus one")
def one_more_than_hinges(weight, bias, out):
    return len(weight) + 1


@wrong("01.hinges", "n knots cut the line into n + 1 pieces")
def counts_knots(weight, bias, out):
    return with_a_dict(weight, bias, out) - 1


@wrong("01.hinges", "more than once")
def counts_duplicates(weight, bias, out):
    return 1 + sum(w != 0 and a != 0 for w, _, a in hinges_of(weight, bias, out))


@wrong("01.hinges", "A knot was lost")
def skips_bias_zero(weight, bias, out):
    used = bias != 0
    return with_a_dict(weight[used], bias[used], out[used])


@wrong("01.hinges", "A knot was lost")
def returns_early(weight, bias, out):
    change = {}
    for w, b, a in hinges_of(weight, bias, out):
        if w == 0:
            return 1 + len(change)
        change[-b / w] = change.get(-b / w, 0) + a * abs(w)
    return 1 + sum(part != 0 for part in change.values())


@wrong("01.hinges", "-b // w rounds, and so")
def rounds_the_place(weight, bias, out):
    change = {}
    for w, b, a in hinges_of(weight, bias, out):
        if w:
            change[-b // w] = change.get(-b // w, 0) + a * abs(w)
    return 1 + sum(part != 0 for part in change.values())


@wrong("01.hinges", "different dictionary keys")
def tensors_as_keys(weight, bias, out):
    change = {}
    for w, b, a in zip(weight, bias, out, strict=True):
        if w != 0:
            change[-b / w] = change.get(-b / w, 0) + a * w.abs()
    return 1 + sum(bool(part != 0) for part in change.values())


@wrong("01.hinges", "more pieces than hinges + 1")
def bends_on_a_grid(weight, bias, out):
    x = torch.arange(-5, 5, 0.015, dtype=torch.float64)[:, None]
    y = (torch.relu(weight * x + bias) * out).sum(1)
    return 1 + int((y.diff().diff().abs() > 1e-9).sum())


@wrong("01.hinges", "with a negative weight the hinge is on at the left")
def slopes_without_absolute(weight, bias, out):
    knots = -bias / weight
    places = knots[weight != 0].unique()
    slopes = torch.stack([(out * weight)[(weight != 0) & (knots <= place)].sum() for place in places] or [bias[0] * 0])
    return 1 + int((slopes.diff(prepend=torch.zeros(1)) != 0).sum())


@wrong("01.hinges", "add up to zero")
def ignores_cancelling(weight, bias, out):
    return 1 + len({-b / w for w, b, a in hinges_of(weight, bias, out) if w != 0 and a != 0})


@wrong("01.hinges", "out = 0 were counted")
def counts_silent_hinges(weight, bias, out):
    change = {}
    for w, b, a in hinges_of(weight, bias, out):
        if w != 0:
            change.setdefault(-b / w, []).append(a * abs(w))
    return 1 + sum(sum(parts) != 0 or not any(parts) for parts in change.values())


@wrong("01.hinges", "weight = 0 were counted")
def counts_constant_hinges(weight, bias, out):
    change = {}
    for w, b, a in hinges_of(weight, bias, out):
        knot = -b / w if w else math.inf
        change[knot] = change.get(knot, 0) + (a * abs(w) if w else abs(a))
    return 1 + sum(part != 0 for part in change.values())


@wrong("01.hinges", "absolute value")
def sign_of_the_weight(weight, bias, out):
    change = {}
    for w, b, a in hinges_of(weight, bias, out):
        if w:
            change[-b / w] = change.get(-b / w, 0) + a * w
    return 1 + sum(part != 0 for part in change.values())


@wrong("01.hinges", "The slope changes by out * |weight|, not by out.")
def weight_forgotten(weight, bias, out):
    change = {}
    for w, b, a in hinges_of(weight, bias, out):
        if w:
            change[-b / w] = change.get(-b / w, 0) + a
    return 1 + sum(part != 0 for part in change.values())


@wrong("01.hinges", "A negative change is a bend too.")
def only_upward_bends(weight, bias, out):
    change = {}
    for w, b, a in hinges_of(weight, bias, out):
        if w:
            change[-b / w] = change.get(-b / w, 0) + a * abs(w)
    return 1 + sum(part > 0 for part in change.values())


@wrong("01.hinges", "int(...) makes one")
def tensor_count(weight, bias, out):
    return torch.tensor(with_a_dict(weight, bias, out))


@wrong("01.hinges", "has no knot")
def divides_by_zero(weight, bias, out):
    change = {}
    for w, b, a in hinges_of(weight, bias, out):
        change[-b / w] = change.get(-b / w, 0) + a * abs(w)
    return 1 + sum(part != 0 for part in change.values())


# --- 01.debug -------------------------------------------------------------------------------------------------------


@right("01.debug")
def by_autograd(weight, bias, x, labels, lr):
    w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    loss = functional.binary_cross_entropy_with_logits((x @ w + b)[:, None], labels)
    slope_w, slope_b = torch.autograd.grad(loss, (w, b))
    return weight - lr * slope_w, bias - lr * slope_b


@right("01.debug")
def everything_a_column(weight, bias, x, labels, lr):
    error = torch.sigmoid(x @ weight[:, None] + bias) - labels
    return weight - lr * (x * error).mean(0), bias - lr * error.mean()


def errors(weight, bias, x, labels):
    return torch.sigmoid(x @ weight + bias) - labels.flatten()


@wrong("01.debug", "every pair")
def the_broken_one(weight, bias, x, labels, lr):
    error = torch.sigmoid(x @ weight + bias) - labels
    return weight - lr * (x.T @ error).sum(1), bias


@wrong("01.debug", "every pair")
def square_left(weight, bias, x, labels, lr):
    error = torch.sigmoid(x @ weight + bias) - labels
    return weight - lr * (x.T @ error).mean(1) / len(x), bias - lr * error.mean()


@wrong("01.debug", "bias came back as it went in")
def bias_forgotten(weight, bias, x, labels, lr):
    return weight - lr * x.T @ errors(weight, bias, x, labels) / len(x), bias


@wrong("01.debug", "These are sums")
def sum_left(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    return weight - lr * x.T @ error, bias - lr * error.sum()


@wrong("01.debug", "The weight moved by a sum")
def sum_left_in_the_weight(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    return weight - lr * x.T @ error, bias - lr * error.mean()


@wrong("01.debug", "the bias moved by the sum")
def sum_left_in_the_bias(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    return weight - lr * x.T @ error / len(x), bias - lr * error.sum()


@wrong("01.debug", "len(weight)")
def divided_by_the_features(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    return weight - lr * x.T @ error / len(weight), bias - lr * error.mean()


@wrong("01.debug", "len(weight)")
def both_divided_by_the_features(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    return weight - lr * x.T @ error / len(weight), bias - lr * error.sum() / len(weight)


@wrong("01.debug", "uses the weight after its step")
def bias_after_the_weight(weight, bias, x, labels, lr):
    weight = weight - lr * x.T @ errors(weight, bias, x, labels) / len(x)
    return weight, bias - lr * errors(weight, bias, x, labels).mean()


@wrong("01.debug", "must pass through the sigmoid first")
def no_sigmoid(weight, bias, x, labels, lr):
    error = x @ weight + bias - labels.squeeze(1)
    return weight - lr * x.T @ error / len(x), bias - lr * error.mean()


@wrong("01.debug", "The bias came back as it went in. It is learned too: its slope is the mean of p - y.")
def only_the_first_fault_mended(weight, bias, x, labels, lr):
    return weight - lr * x.T @ errors(weight, bias, x, labels), bias


@wrong("01.debug", "a tuple of 2 was wanted")
def weight_alone(weight, bias, x, labels, lr):
    return weight - lr * x.T @ errors(weight, bias, x, labels) / len(x)


@wrong("01.debug", "uphill")
def uphill(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    return weight + lr * x.T @ error / len(x), bias + lr * error.mean()


@wrong("01.debug", "used twice")
def lr_twice(weight, bias, x, labels, lr):
    error = lr * errors(weight, bias, x, labels)
    return weight - lr * x.T @ error / len(x), bias - lr * error.mean()


@wrong("01.debug", "not used for the bias")
def lr_forgotten_in_the_bias(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    return weight - lr * x.T @ error / len(x), bias - error.mean()


@wrong("01.debug", "hard answers")
def hard_answers(weight, bias, x, labels, lr):
    error = (x @ weight + bias > 0).float() - labels.squeeze(1)
    return weight - lr * x.T @ error / len(x), bias - lr * error.mean()


@wrong("01.debug", "sigmoid was applied twice")
def sigmoid_twice(weight, bias, x, labels, lr):
    error = torch.sigmoid(torch.sigmoid(x @ weight + bias)) - labels.squeeze(1)
    return weight - lr * x.T @ error / len(x), bias - lr * error.mean()


@wrong("01.debug", "squared error")
def squared_error(weight, bias, x, labels, lr):
    p = torch.sigmoid(x @ weight + bias)
    error = (p - labels.flatten()) * p * (1 - p)
    return weight - lr * x.T @ error / len(x), bias - lr * error.mean()


@wrong("01.debug", "the .sum(1) of the broken code has nothing left to add up.")
def sum_over_what_is_gone(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    return weight - lr * (x.T @ error).sum(1) / len(x), bias - lr * error.mean()


@wrong("01.debug", "changed in place")
def in_place_step(weight, bias, x, labels, lr):
    error = errors(weight, bias, x, labels)
    weight -= lr * x.T @ error / len(x)
    bias -= lr * error.mean()
    return weight, bias
