"""Named wrong answers of chapter 08, exercises 1 to 3, with the words that each diagnosis must hold; and right ones.

At the end those of 08.masked that concern its slopes, and one bound for a whole batch.

Every answer is written as a learner would write it, in another style than the references.
"""

import math

import numpy as np
import torch
from dlcourse_answers import right, wrong
from torch import nn

# --- 08.lstm_cell ---------------------------------------------------------------------------------------------------


def four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    return x @ weight_ih.T + bias_ih + hidden @ weight_hh.T + bias_hh


def updated(i, f, g, o, cell, hidden):
    return f * cell + i * g


def shown(i, f, g, o, new, old, hidden):
    return o * torch.tanh(new)


def stepped(
    sums=four_sums,
    order="ifgo",
    cut=lambda total: total.chunk(4, dim=1),
    bends=(torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid),
    update=updated,
    show=shown,
    back=lambda hidden, cell: (hidden, cell),
):
    """A right answer, but for the parts that are given. bends: of i, f, g, o; order: what the blocks are taken for."""

    def answer(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
        blocks = dict(zip(order, cut(sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)), strict=True))
        gates = [bend(blocks[name]) for bend, name in zip(bends, "ifgo", strict=True)]
        new = update(*gates, cell, hidden)
        return back(show(*gates, new, cell, hidden), new)

    return answer


def steps_wrong(name, phrase, **parts):
    answer = stepped(**parts)
    answer.__name__ = name
    wrong("08.lstm_cell", phrase)(answer)


@right("08.lstm_cell")
def by_torchs_own_cell(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    layer = nn.LSTMCell(x.shape[1], hidden.shape[1], dtype=x.dtype)
    parameters = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    layer.load_state_dict(parameters)
    with torch.no_grad():
        return layer(x, (hidden, cell))


@right("08.lstm_cell")
def gate_by_gate_with_its_own_sigmoid(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    def gate(n):
        rows = slice(n * cell.shape[1], (n + 1) * cell.shape[1])
        return x @ weight_ih[rows].T + hidden @ weight_hh[rows].T + bias_ih[rows] + bias_hh[rows]

    def sigmoid(z):
        return 1 / (1 + torch.exp(-z))

    cell = sigmoid(gate(1)) * cell + sigmoid(gate(0)) * torch.tanh(gate(2))
    return sigmoid(gate(3)) * torch.tanh(cell), cell


@right("08.lstm_cell")
def example_by_example_and_unit_by_unit(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    size = cell.shape[1]
    new_hidden, new_cell = torch.empty_like(hidden), torch.empty_like(cell)
    for n in range(len(x)):
        total = weight_ih @ x[n] + weight_hh @ hidden[n] + bias_ih + bias_hh
        for unit in range(size):
            i, f, g, o = (total[unit + block * size] for block in range(4))
            new_cell[n, unit] = f.sigmoid() * cell[n, unit] + i.sigmoid() * g.tanh()
            new_hidden[n, unit] = o.sigmoid() * new_cell[n, unit].tanh()
    return new_hidden, new_cell


@right("08.lstm_cell")
def x_and_hidden_side_by_side_in_a_list(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    both, weight = torch.cat([x, hidden], 1), torch.cat([weight_ih, weight_hh], 1)
    i, f, g, o = torch.addmm(bias_ih + bias_hh, both, weight.T).split(cell.shape[1], 1)
    cell = torch.addcmul(f.sigmoid() * cell, i.sigmoid(), g.tanh())
    return [o.sigmoid() * cell.tanh(), cell]


@right("08.lstm_cell")
def through_numpy(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    x, hidden, cell, w, v, b, a = (part.numpy() for part in (x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh))
    i, f, g, o = np.split(x @ w.T + hidden @ v.T + b + a, 4, axis=1)
    cell = (1 + np.tanh(f / 2)) / 2 * cell + (1 + np.tanh(i / 2)) / 2 * np.tanh(g)
    return torch.from_numpy((1 + np.tanh(o / 2)) / 2 * np.tanh(cell)), torch.from_numpy(cell)


steps_wrong("input_and_forget_swapped", "Input gate and forget gate are swapped", order="figo")
steps_wrong(
    "forget_times_candidate",
    "Input gate and forget gate are swapped",
    update=lambda i, f, g, o, cell, hidden: i * cell + f * g,
)
steps_wrong("candidate_and_output_swapped", "Candidate and output gate are swapped", order="ifog")
steps_wrong("forget_and_candidate_swapped", "Forget gate and candidate are swapped", order="igfo")
steps_wrong("output_first", "in the order o, i, f, g", order="oifg")
steps_wrong("order_of_onnx", "in the order i, o, f, g", order="iofg")
steps_wrong("reversed_order", "in the order o, g, f, i", order="ogfi")
steps_wrong(
    "tanh_and_sigmoid_swapped",
    "tanh and sigmoid are swapped",
    bends=(torch.tanh, torch.tanh, torch.sigmoid, torch.tanh),
)
steps_wrong("input_and_candidate_swapped", "in their blocks or in their bends", order="gfio")
steps_wrong(
    "bends_of_input_and_candidate_swapped",
    "in their blocks or in their bends",
    bends=(torch.tanh, torch.sigmoid, torch.sigmoid, torch.sigmoid),
)
steps_wrong(
    "sigmoid_before_the_cut",
    "The candidate g took a sigmoid and then a tanh",
    cut=lambda total: total.sigmoid().chunk(4, dim=1),
    bends=(lambda z: z, lambda z: z, torch.tanh, lambda z: z),
)
steps_wrong("sigmoid_everywhere", "The candidate g took a sigmoid", bends=(torch.sigmoid,) * 4)
steps_wrong("tanh_everywhere", "The input gate i took a tanh, the forget gate f took a tanh", bends=(torch.tanh,) * 4)
steps_wrong(
    "straight_candidate",
    "The candidate g took nothing",
    bends=(torch.sigmoid, torch.sigmoid, lambda z: z, torch.sigmoid),
)
steps_wrong(
    "relu_candidate", "The candidate g took a relu", bends=(torch.sigmoid, torch.sigmoid, torch.relu, torch.sigmoid)
)
steps_wrong("straight_gates", "forget gate f took nothing", bends=(lambda z: z, lambda z: z, torch.tanh, torch.sigmoid))
steps_wrong(
    "tanh_for_the_output_gate",
    "The output gate o took a tanh",
    bends=(torch.sigmoid, torch.sigmoid, torch.tanh, torch.tanh),
)
steps_wrong(
    "straight_output_gate",
    "The output gate o took nothing",
    bends=(torch.sigmoid, torch.sigmoid, torch.tanh, lambda z: z),
)
steps_wrong(
    "all_sums_through_tanh_and_the_candidate_left_so",
    "The candidate g is right by that, it takes a tanh. The gates i, f and o are not",
    sums=lambda *args: torch.tanh(four_sums(*args)),
    bends=(torch.sigmoid, torch.sigmoid, lambda z: z, torch.sigmoid),
)
for name, phrase, sums in (
    ("bias_hh_left_out", "bias_hh is missing", lambda x, h, c, w, v, b, a: x @ w.T + b + h @ v.T),
    ("bias_ih_left_out", "bias_ih is missing", lambda x, h, c, w, v, b, a: x @ w.T + h @ v.T + a),
    ("no_biases", "they are both missing", lambda x, h, c, w, v, b, a: x @ w.T + h @ v.T),
    ("first_bias_twice", "bias_ih came twice", lambda x, h, c, w, v, b, a: x @ w.T + b + h @ v.T + b),
    ("second_bias_twice", "bias_hh came twice", lambda x, h, c, w, v, b, a: x @ w.T + a + h @ v.T + a),
    ("gates_without_the_state", "do not see the old hidden state", lambda x, h, c, w, v, b, a: x @ w.T + b + a),
    ("gates_without_the_state_and_its_bias", "and its bias", lambda x, h, c, w, v, b, a: x @ w.T + b),
    ("gates_without_x", "The gates do not see x", lambda x, h, c, w, v, b, a: h @ v.T + b + a),
    ("gates_without_x_and_its_bias", "from the sum, and its bias", lambda x, h, c, w, v, b, a: h @ v.T + a),
    ("gates_of_the_cell", "read the old *cell* state", lambda x, h, c, w, v, b, a: x @ w.T + b + c @ v.T + a),
    ("sums_multiplied", "were multiplied: they are added", lambda x, h, c, w, v, b, a: (x @ w.T + b) * (h @ v.T + a)),
    ("state_subtracted", "was subtracted", lambda x, h, c, w, v, b, a: x @ w.T + b - h @ v.T + a),
    ("tanh_before_the_gates", "as in a plain recurrent cell", lambda *args: torch.tanh(four_sums(*args))),
    ("sigmoid_before_the_gates", "went through a sigmoid before", lambda *args: torch.sigmoid(four_sums(*args))),
    (
        "weights_reshaped",
        "reshaped where it should be transposed",
        lambda x, h, c, w, v, b, a: x @ w.reshape(w.shape[::-1]) + b + h @ v.reshape(v.shape[::-1]) + a,
    ),
    (
        "blocks_of_the_state_transposed",
        "the wrong way round",
        lambda x, h, c, w, v, b, a: x @ w.T + b + torch.cat([h @ block for block in v.chunk(4)], 1) + a,
    ),
    ("weights_not_transposed", "x @ weight_ih.T", lambda x, h, c, w, v, b, a: x @ w + b + h @ v + a),
    (
        "swapped_weights",
        "The two weights are swapped",
        lambda x, h, c, w, v, b, a: x @ v.T + b + h @ w.T + a,
    ),
):
    steps_wrong(name, phrase, sums=sums)
steps_wrong("every_fourth_column", "Every fourth column", cut=lambda total: [total[:, n::4] for n in range(4)])
steps_wrong(
    "reshaped_into_gates",
    "reshaped where it should be cut",
    cut=lambda total: total.reshape(4, len(total), -1),
)


@wrong("08.lstm_cell", "say dim=1")
def chunks_of_the_batch(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    i, f, g, o = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh).chunk(4)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


@wrong("08.lstm_cell", "split takes the size of a part")
def split_by_four(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    i, f, g, o = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh).split(4, dim=1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


for name, phrase, update in (
    ("one_minus_forget", "1 - f. In spite of its name", lambda i, f, g, o, cell, hidden: (1 - f) * cell + i * g),
    ("coupled_to_forget", "multiplied by 1 - f", lambda i, f, g, o, cell, hidden: f * cell + (1 - f) * g),
    ("coupled_to_input", "multiplied by 1 - i", lambda i, f, g, o, cell, hidden: (1 - i) * cell + i * g),
    ("no_input_gate", "came in whole", lambda i, f, g, o, cell, hidden: f * cell + g),
    ("no_forget_gate", "was kept whole", lambda i, f, g, o, cell, hidden: cell + i * g),
    ("neither_gate", "Both gates are missing", lambda i, f, g, o, cell, hidden: cell + g),
    ("only_the_new", "Only the new", lambda i, f, g, o, cell, hidden: i * g),
    ("only_the_old", "Only the old", lambda i, f, g, o, cell, hidden: f * cell),
    ("cell_as_it_was", "came back as it went in", lambda i, f, g, o, cell, hidden: cell.clone()),
    ("candidate_as_cell", "the candidate alone", lambda i, f, g, o, cell, hidden: g),
    ("forgets_the_hidden", "the old *hidden* state", lambda i, f, g, o, cell, hidden: f * hidden + i * g),
    ("bracket_round_the_sum", "forget gate multiplies the old cell alone", lambda i, f, g, o, c, h: f * (c + i * g)),
    ("input_gate_round_the_sum", "input gate multiplies the candidate", lambda i, f, g, o, c, h: i * (f * c + g)),
    ("multiplied", "Old and new were multiplied", lambda i, f, g, o, cell, hidden: f * cell * i * g),
    ("subtracted", "The new was subtracted", lambda i, f, g, o, cell, hidden: f * cell - i * g),
    ("cell_through_tanh", "only what is *shown*", lambda i, f, g, o, c, h: torch.tanh(f * c + i * g)),
    ("old_cell_through_tanh", "The old cell went through", lambda i, f, g, o, c, h: f * torch.tanh(c) + i * g),
    ("candidate_through_two_tanh", "through two tanh", lambda i, f, g, o, c, h: f * c + i * torch.tanh(g)),
    ("product_through_tanh", "one more tanh", lambda i, f, g, o, c, h: f * c + torch.tanh(i * g)),
    ("cell_times_output_gate", "multiplied by the output gate", lambda i, f, g, o, c, h: o * (f * c + i * g)),
    ("hidden_for_cell", "what hidden should be", lambda i, f, g, o, c, h: o * torch.tanh(f * c + i * g)),
):
    steps_wrong(name, phrase, update=update)
for name, phrase, show in (
    ("hidden_without_tanh", "hidden lacks the tanh", lambda i, f, g, o, new, old, hidden: o * new),
    ("hidden_without_output_gate", "the output gate is missing", lambda i, f, g, o, new, old, hidden: torch.tanh(new)),
    ("hidden_of_the_old_cell", "of the *old* cell: update", lambda i, f, g, o, new, old, h: o * torch.tanh(old)),
    ("hidden_of_the_bare_old_cell", "and without a tanh", lambda i, f, g, o, new, old, hidden: o * old),
    ("old_hidden_returned", "hidden came back as it went in", lambda i, f, g, o, new, old, hidden: hidden.clone()),
    ("hidden_is_the_cell", "hidden is the cell state itself", lambda i, f, g, o, new, old, hidden: new),
    ("sigmoid_of_the_cell", "a sigmoid on its way to hidden", lambda i, f, g, o, n, old, h: o * torch.sigmoid(n)),
    ("tanh_of_the_product", "The bracket is misplaced", lambda i, f, g, o, new, old, hidden: torch.tanh(o * new)),
    ("hidden_of_the_candidate", "made of the candidate", lambda i, f, g, o, new, old, hidden: o * g),
    ("output_gate_as_hidden", "output gate alone", lambda i, f, g, o, new, old, hidden: o),
    ("output_gate_added", "output gate was added", lambda i, f, g, o, new, old, hidden: o + torch.tanh(new)),
    ("shown_where_shut", "not 1 - o", lambda i, f, g, o, new, old, hidden: (1 - o) * torch.tanh(new)),
    ("old_hidden_added", "old hidden state was added", lambda i, f, g, o, n, old, hidden: o * torch.tanh(n) + hidden),
    ("input_gate_shows", "the block of rows of i", lambda i, f, g, o, new, old, hidden: i * torch.tanh(new)),
    ("forget_gate_shows", "the block of rows of f", lambda i, f, g, o, new, old, hidden: f * torch.tanh(new)),
    ("twice_the_output_gate", "o * tanh(cell)", lambda i, f, g, o, new, old, hidden: o * o * torch.tanh(new)),
):
    steps_wrong(name, phrase, show=show)
# Two mistakes at once: both are named.
steps_wrong(
    "no_hidden_bias_and_one_minus_forget",
    "bias_hh is missing. And: The old cell is multiplied by 1 - f",
    sums=lambda x, h, c, w, v, b, a: x @ w.T + b + h @ v.T,
    update=lambda i, f, g, o, cell, hidden: (1 - f) * cell + i * g,
)
steps_wrong(
    "swapped_gates_and_straight_candidate",
    "swapped. The first block",
    order="figo",
    bends=(torch.sigmoid, torch.sigmoid, lambda z: z, torch.sigmoid),
)
steps_wrong(
    "old_cell_shown_by_the_wrong_gate",
    "the block of rows of f",
    show=lambda i, f, g, o, new, old, hidden: f * torch.tanh(old),
)
steps_wrong("half_of_the_cell", "do an entry by hand", update=lambda i, f, g, o, c, h: (f * c + i * g) / 2)
steps_wrong("cell_first", "wrong order", back=lambda hidden, cell: (cell, hidden))
steps_wrong("hidden_alone", "Return two tensors", back=lambda hidden, cell: hidden)
steps_wrong("as_torchs_layer", "Return two tensors", back=lambda hidden, cell: (hidden, (hidden, cell), cell))
steps_wrong("nothing_back", "Nothing was returned", back=lambda hidden, cell: None)
steps_wrong("with_a_time_axis", "The shape should be", back=lambda hidden, cell: (hidden[None], cell[None]))
steps_wrong("in_float32", "The dtype should be", back=lambda hidden, cell: (hidden.float(), cell.float()))
steps_wrong("as_arrays", "torch.tensor(...) makes one", back=lambda hidden, cell: (hidden.numpy(), cell.numpy()))


def overflowing(z):
    return torch.exp(z) / (1 + torch.exp(z))


steps_wrong("own_sigmoid", "exp overflowed", bends=(overflowing, overflowing, torch.tanh, overflowing))
steps_wrong(
    "own_tanh",
    "exp overflowed",
    bends=(
        torch.sigmoid,
        torch.sigmoid,
        lambda z: (torch.exp(z) - torch.exp(-z)) / (torch.exp(z) + torch.exp(-z)),
        torch.sigmoid,
    ),
)


@wrong("08.lstm_cell", "That is * and not @")
def gate_at_cell(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    i, f, g, o = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh).chunk(4, dim=1)
    cell = f.sigmoid() @ cell + i.sigmoid() @ g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def output_gate_last(read):
    """The first three gates are right, and the output gate reads read(new cell, right hidden)."""

    def answer(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
        right_hidden, cell = stepped()(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)
        of_now = read(cell, right_hidden)
        o = four_sums(x, of_now, cell, weight_ih, weight_hh, bias_ih, bias_hh)[:, 3 * cell.shape[1] :]
        return o.sigmoid() * cell.tanh(), cell

    return answer


for name, read in (
    ("output_gate_reads_the_new_cell", lambda cell, hidden: cell),
    ("output_gate_reads_the_new_cell_through_tanh", lambda cell, hidden: cell.tanh()),
    ("output_gate_reads_the_new_hidden", lambda cell, hidden: hidden),
):
    answer = output_gate_last(read)
    answer.__name__ = name
    wrong("08.lstm_cell", "The output gate read the *new* state. All four gates read the old")(answer)


@wrong("08.lstm_cell", "An argument was changed")
def cell_in_place(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    i, f, g, o = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh).chunk(4, dim=1)
    cell *= f.sigmoid()
    cell += i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


@wrong("08.lstm_cell", "passes through float32")
def rounded_on_the_way(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    args = (x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)
    hidden, cell = stepped()(*(part.float() for part in args))
    return hidden.to(x.dtype), cell.to(x.dtype)


@wrong("08.lstm_cell", "dtype=x.dtype")
def zeros_of_float32(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    total = torch.zeros(len(bias_ih), len(x))
    total = torch.addmm(total, weight_ih, x.T)
    return stepped()(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)


@wrong("08.lstm_cell", "take one number")
def with_the_math_module(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    i, f, g, o = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh).chunk(4, dim=1)
    cell = f.sigmoid() * cell + i.sigmoid() * math.tanh(g)
    return o.sigmoid() * math.tanh(cell), cell


@wrong("08.lstm_cell", "There is no such axis")
def third_axis(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    i, f, g, o = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh).chunk(4, dim=2)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


@wrong("08.lstm_cell", "This module has no sigmoid")
def sigmoid_of_numpy(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    return np.sigmoid(four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh))


@wrong("08.lstm_cell", "it is hidden.shape[1] wide")
def rows_cut_with_a_wrong_size(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    size = x.shape[1]  # the features, not the units
    total = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)
    i, f, g, o = (total[:, n * size : (n + 1) * size] for n in range(4))
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


@wrong("08.lstm_cell", "it is hidden.shape[1] wide")
def rows_cut_with_a_wrong_size_and_the_rest(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    size = x.shape[1]
    total = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)
    i, f, g, o = total[:, :size], total[:, size : 2 * size], total[:, 2 * size : 3 * size], total[:, 3 * size :]
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


@wrong("08.lstm_cell", "Two shapes do not fit")
def rows_cut_one_too_wide(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    size = cell.shape[1] if cell.shape[1] == 1 else cell.shape[1] - 1 + 2 * cell.shape[1]
    total = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)
    i, f, g, o = (total[:, n : n + size] for n in range(4))
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


@wrong("08.lstm_cell", "all four gates side by side")
def never_cut(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    total = four_sums(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)
    if cell.shape[1] == 1:
        return stepped()(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh)
    return torch.tanh(total), torch.sigmoid(total)


# --- 08.clip --------------------------------------------------------------------------------------------------------


def one_norm(gradients):
    return torch.sqrt(sum((gradient**2).sum() for gradient in gradients))


def clips(name, phrase, factor=None, norm=lambda gradients, most: one_norm(gradients), clip=None):
    """A wrong answer: factor(most, norm) of the right norm, or clip(gradients, most, norm), or a wrong norm."""

    def answer(gradients, most):
        right_norm = one_norm(gradients)
        if clip:
            clipped = clip(gradients, most, right_norm)
        else:
            by = factor(most, right_norm) if factor else most / right_norm if right_norm > most else 1.0
            clipped = [by * gradient for gradient in gradients]
        return clipped, norm(gradients, most)

    answer.__name__ = name
    wrong("08.clip", phrase)(answer)


@right("08.clip")
def as_torch_does_it(gradients, most):
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    norm = nn.utils.clip_grad_norm_(parameters, most)
    return [parameter.grad for parameter in parameters], norm


@right("08.clip")
def one_long_vector(gradients, most):
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
    return ([gradient * (most / norm) for gradient in gradients], norm) if norm > most else (gradients, norm)


@right("08.clip")
def norm_of_the_norms_in_a_tuple(gradients, most):
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    factor = (most / (norm + 1e-6)).clamp(max=1.0)
    return tuple(factor * gradient for gradient in gradients), norm


@right("08.clip")
def number_by_number(gradients, most):
    total = 0.0
    for gradient in gradients:
        for value in gradient.flatten().tolist():
            total += value * value
    clipped = [gradient.clone() for gradient in gradients]
    if total > most * most:
        for gradient in clipped:
            gradient *= most / total**0.5
    return [clipped, total**0.5]


for name, phrase, norm in (
    ("squared_norm", "the root is missing", lambda gs, most: one_norm(gs) ** 2),
    ("sum_of_the_norms", "The norms of the tensors were added", lambda gs, most: sum(g.norm() for g in gs)),
    ("norm_after", "the one *before*", lambda gs, most: one_norm(gs).clamp(max=most)),
    ("largest_of_the_norms", "largest norm of a single tensor", lambda gs, most: max(g.norm() for g in gs)),
    ("norm_of_the_first", "the first tensor alone", lambda gs, most: gs[0].norm()),
    ("norm_of_the_last", "the last tensor alone", lambda gs, most: gs[-1].norm()),
    ("sum_of_the_sizes", "The sizes of all numbers were added", lambda gs, most: sum(g.abs().sum() for g in gs)),
    ("sum_with_signs", "they cancel", lambda gs, most: abs(sum(g.sum() for g in gs))),
    ("largest_number", "the largest single number", lambda gs, most: max(g.abs().max() for g in gs)),
    ("mean_of_the_norms", "A mean was taken", lambda gs, most: sum(g.norm() for g in gs) / len(gs)),
    (
        "root_mean_square",
        "A mean was taken",
        lambda gs, most: torch.cat([g.flatten() for g in gs]).square().mean().sqrt(),
    ),
    ("root_of_the_norms", "roots were taken before", lambda gs, most: sum(g.norm() for g in gs).sqrt()),
    ("factor_in_its_place", "This is the factor", lambda gs, most: min(1.0, most / one_norm(gs))),
    ("bound_in_its_place", "This is `most`, or the norm after", lambda gs, most: most),
    ("truth_in_its_place", "says whether", lambda gs, most: one_norm(gs) > most),
    ("norms_of_all", "is one number", lambda gs, most: torch.stack([g.norm() for g in gs])),
    ("norms_in_a_list", "is one number, and this is a list", lambda gs, most: [g.norm() for g in gs]),
):
    clips(name, phrase, norm=norm)
for name, phrase, factor in (
    ("always_to_the_bound", "a bound, not a target", lambda most, norm: most / norm),
    ("comparison_turned_round", "the right way round", lambda most, norm: most / norm if norm < most else 1.0),
    ("minimum_for_maximum", "the right way round", lambda most, norm: max(1.0, most / norm)),
    ("factor_upside_down", "upside down", lambda most, norm: norm / most if norm > most else 1.0),
    ("unit_norm", "`most` was left out", lambda most, norm: 1 / norm if norm > most else 1.0),
    ("times_the_bound", "were multiplied by `most`", lambda most, norm: most if norm > most else 1.0),
    ("divided_by_the_bound", "were divided by `most`", lambda most, norm: 1 / most if norm > most else 1.0),
    ("by_the_squared_norm", "The *square* of the norm", lambda most, norm: most / norm**2 if norm > most else 1.0),
    ("compares_the_square", "The *square* of the norm", lambda most, norm: most / norm if norm**2 > most else 1.0),
    (
        "root_of_the_factor",
        "root was taken of the factor",
        lambda most, norm: (most / norm) ** 0.5 if norm > most else 1,
    ),
    ("compares_with_one", "compared with 1", lambda most, norm: most / norm if norm > 1 else 1.0),
    ("clipped_twice", "applied twice", lambda most, norm: (most / norm) ** 2 if norm > most else 1.0),
    ("thrown_away", "The gradients are all 0 now", lambda most, norm: 0.0 if norm > most else 1.0),
    ("sign_turned", "The sign is the wrong way round", lambda most, norm: -most / norm if norm > most else 1.0),
    ("never_clipped", "came back as they were", lambda most, norm: 1.0),
    (
        "nan_for_zeros",
        "0 / 0 is nan",
        lambda most, norm: 1.0 if norm > 0 and norm < most else (most / norm) * min(1, norm / most),
    ),
    ("a_tenth", "is it one and the same number", lambda most, norm: 0.1 if norm > most else 1.0),
):
    clips(name, phrase, factor=factor)
for name, phrase, clip in (
    (
        "each_by_its_own_norm",
        "by its *own* norm",
        lambda gs, most, norm: [g * most / g.norm() if g.norm() > most else g for g in gs],
    ),
    (
        "each_by_its_own_norm_and_a_little",
        "another one for each tensor",
        lambda gs, most, norm: [g * min(1.0, most / (g.norm().item() + 1e-3)) for g in gs],
    ),
    ("each_to_the_bound", "scaled to `most` by its own norm", lambda gs, most, norm: [g * most / g.norm() for g in gs]),
    ("clamped", "clipped by its value", lambda gs, most, norm: [g.clamp(-most, most) for g in gs]),
    (
        "clamped_when_above",
        "clipped by its value",
        lambda gs, most, norm: [g.clamp(-most, most) for g in gs] if norm > most else gs,
    ),
    ("cut_off_above", "from above only", lambda gs, most, norm: [g.clamp(max=most) for g in gs]),
    (
        "rows_by_their_norm",
        "Each row or column",
        lambda gs, most, norm: [g * (most / g.norm(dim=-1, keepdim=True)).clamp(max=1) if g.dim() else g for g in gs],
    ),
    (
        "first_tensor_alone",
        "Only some of the tensors",
        lambda gs, most, norm: [gs[0] * (most / norm).clamp(max=1), *gs[1:]],
    ),
    (
        "matrices_alone",
        "Only some of the tensors",
        lambda gs, most, norm: [g * (most / norm).clamp(max=1) if g.dim() > 1 else g for g in gs],
    ),
    (
        "shifted",
        "A number was taken away",
        lambda gs, most, norm: [g - (norm - most).clamp(min=0) for g in gs],
    ),
    (
        "all_in_one_tensor",
        "The clipped gradients come in a list",
        lambda gs, most, norm: torch.cat([g.flatten() for g in gs]) * (most / norm).clamp(max=1),
    ),
    (
        "flattened",
        "The shape should be",
        lambda gs, most, norm: [g.flatten() * (most / norm).clamp(max=1) for g in gs],
    ),
    (
        "lists_of_numbers",
        "is a list of",
        lambda gs, most, norm: [(g * (most / norm).clamp(max=1)).flatten().tolist() for g in gs],
    ),
    (
        "in_another_order",
        "is it one and the same number",
        lambda gs, most, norm: [(g * (most / norm).clamp(max=1)).flip(0) if g.dim() else g for g in gs],
    ),
):
    clips(name, phrase, clip=clip)


@wrong("08.clip", "changed in place")
def gradients_in_place(gradients, most):
    norm = one_norm(gradients)
    for gradient in gradients:
        gradient.mul_((most / norm).clamp(max=1.0))
    return gradients, norm


@wrong("08.clip", "changed in place")
def list_written_over(gradients, most):
    norm = one_norm(gradients)
    for n, gradient in enumerate(gradients):
        gradients[n] = gradient * (most / (norm + 1e-6)).clamp(max=1.0)
    return gradients, norm


@wrong("08.clip", "have the norm 0")
def divided_by_zero(gradients, most):
    norm = one_norm(gradients).item()
    return [min(1.0, most / norm) * gradient for gradient in gradients], norm


@wrong("08.clip", "What comes in here are the gradients themselves")
def as_if_they_were_parameters(gradients, most):
    for gradient in gradients:
        gradient.grad = gradient
    return gradients, nn.utils.clip_grad_norm_(gradients, most)


@wrong("08.clip", "two things")
def gradients_alone(gradients, most):
    return [(most / one_norm(gradients)).clamp(max=1.0) * gradient for gradient in gradients]


@wrong("08.clip", "wrong order")
def norm_first(gradients, most):
    norm = one_norm(gradients)
    return norm, [(most / norm).clamp(max=1.0) * gradient for gradient in gradients]


@wrong("08.clip", "Nothing was returned")
def nothing_back(gradients, most):
    one_norm(gradients)


@wrong("08.clip", "go through it with a loop")
def list_as_a_tensor(gradients, most):
    return gradients * (most / gradients.norm()), gradients.norm()


@wrong("08.clip", "joins tensors")
def joined_unflattened(gradients, most):
    norm = torch.cat(gradients).norm()
    return [gradient * (most / norm).clamp(max=1.0) for gradient in gradients], norm


@wrong("08.clip", "joins tensors of one shape")
def stacked(gradients, most):
    norm = torch.stack(gradients).norm()
    return [gradient * (most / norm).clamp(max=1.0) for gradient in gradients], norm


@wrong("08.clip", "so add up *numbers*")
def gradients_added(gradients, most):
    norm = sum(gradient**2 for gradient in gradients).sum().sqrt()
    return [gradient * (most / norm).clamp(max=1.0) for gradient in gradients], norm


@wrong("08.clip", "torch.sqrt takes a tensor")
def root_of_a_float(gradients, most):
    norm = torch.sqrt(sum(gradient.square().sum().item() for gradient in gradients))
    return [gradient * (most / norm).clamp(max=1.0) for gradient in gradients], norm


@wrong("08.clip", ".reshape(-1) always work")
def viewed(gradients, most):
    norm = torch.cat([gradient.view(-1) for gradient in gradients]).norm()
    return [gradient * (most / norm).clamp(max=1.0) for gradient in gradients], norm


@wrong("08.clip", "A list cannot be multiplied")
def list_times_a_number(gradients, most):
    norm = one_norm(gradients).item()
    return gradients * (most / norm), norm


@wrong("08.clip", "compare the one norm")
def compared_entry_by_entry(gradients, most):
    norm = one_norm(gradients)
    return [gradient * most / norm if gradient > most else gradient for gradient in gradients], norm


# --- 08.radius ------------------------------------------------------------------------------------------------------


def sizes_of(weight):
    return torch.linalg.eigvals(weight).abs()


def tunes(name, phrase, size=lambda w: sizes_of(w).max(), target=lambda n, share: share ** (1 / n), back=None):
    """A wrong answer: what it measures the matrix by, what it brings that to, and what it does with the factor."""

    def answer(weight_hh, steps, share):
        factor = target(steps, share) / size(weight_hh)
        return back(weight_hh, factor) if back else weight_hh * factor

    answer.__name__ = name
    wrong("08.radius", phrase)(answer)


@right("08.radius")
def by_numpy(weight_hh, steps, share):
    radius = np.max(np.abs(np.linalg.eigvals(weight_hh.numpy())))
    return torch.from_numpy(weight_hh.numpy() * (share ** (1 / steps) / radius).astype(weight_hh.numpy().dtype))


@right("08.radius")
def by_the_package(weight_hh, steps, share):
    from dlcourse.nn import scale_spectral_radius_

    return scale_spectral_radius_(weight_hh.clone(), share ** (1 / steps))


@right("08.radius")
def by_hand_and_logarithms(weight_hh, steps, share):
    sizes = [math.hypot(value.real, value.imag) for value in torch.linalg.eigvals(weight_hh).tolist()]
    return weight_hh * math.exp((math.log(share) - steps * math.log(max(sizes))) / steps)


@right("08.radius")
def by_squaring_the_matrix_again_and_again(weight_hh, steps, share):
    """The norm of a very high power, by its root: slow to settle, but two to the power of 40 steps are many."""
    power, logarithm = weight_hh.double(), 0.0
    for n in range(40):
        length = power.norm()
        logarithm += math.log(length) / 2**n
        power = (power / length) @ (power / length)
    return (weight_hh.double() * (share ** (1 / steps) / math.exp(logarithm))).to(weight_hh.dtype)


for name, phrase, size in (
    ("largest_singular_value", "largest *singular* value", lambda w: torch.linalg.matrix_norm(w, ord=2)),
    ("eigenvalues_of_the_square", "singular value squared", lambda w: sizes_of(w.T @ w).max()),
    ("largest_entry", "its largest entry", lambda w: w.abs().max()),
    ("largest_entry_with_sign", "with its sign", lambda w: w.max()),
    ("largest_real_part", "largest *real part*", lambda w: torch.linalg.eigvals(w).real.max()),
    ("size_of_the_real_part", "taken before their size", lambda w: torch.linalg.eigvals(w).real.abs().max()),
    ("imaginary_part", "nan or infinite", lambda w: torch.linalg.eigvals(w).imag.abs().max()),
    (
        "both_parts_added",
        "were added: the size is the root",
        lambda w: (torch.linalg.eigvals(w).real.abs() + torch.linalg.eigvals(w).imag.abs()).max(),
    ),
    ("squared_size", "The square of the size", lambda w: (sizes_of(w) ** 2).max()),
    ("first_eigenvalue", "The first of the eigenvalues", lambda w: sizes_of(w)[0]),
    ("smallest_eigenvalue", "*smallest* eigenvalue", lambda w: sizes_of(w).min()),
    ("mean_eigenvalue", "mean of the eigenvalues", lambda w: sizes_of(w).mean()),
    ("sum_of_eigenvalues", "sizes of all eigenvalues were added", lambda w: sizes_of(w).sum()),
    ("as_if_symmetric", "for symmetric matrices", lambda w: torch.linalg.eigvalsh(w).abs().max()),
    ("trace", "its trace", lambda w: w.trace().abs()),
    ("diagonal", "its diagonal", lambda w: w.diagonal().abs().max()),
    ("determinant", "its determinant", lambda w: torch.linalg.det(w).abs() ** (1 / len(w))),
    ("frobenius", "Frobenius", lambda w: w.norm()),
    ("row_sums", "row or column sum", lambda w: w.abs().sum(dim=1).max()),
    ("column_sums", "row or column sum", lambda w: w.abs().sum(dim=0).max()),
    ("own_radius_forgotten", "is not in the factor", lambda w: 1.0),
    ("multiplied_by_the_radius", "The factor is upside down", lambda w: 1 / sizes_of(w).max()),
    ("root_of_the_radius", "by the root of its spectral radius", lambda w: sizes_of(w).max().sqrt()),
    ("determinant_by_logarithms", "a negative number", lambda w: math.exp(math.log(torch.linalg.det(w)) / len(w))),
    (
        "imaginary_number",
        "A division by 0",
        lambda w: max(value.imag for value in torch.linalg.eigvals(w).tolist()),
    ),
    ("largest_complex_number", "have no order", lambda w: max(torch.linalg.eigvals(w).tolist())),
    ("sorted_complex_numbers", "have no order", lambda w: torch.linalg.eigvals(w).sort().values[-1]),
    ("complex_maximum", "have no order", lambda w: torch.linalg.eigvals(w).max()),
    ("measured_by_ten_steps", "gets there slowly", lambda w: torch.linalg.matrix_power(w, 12).norm() ** (1 / 12)),
):
    tunes(name, phrase, size=size)
for name, phrase, target in (
    ("share_as_radius", "set to the share itself", lambda steps, share: share),
    ("share_by_steps", "divided by the steps", lambda steps, share: share / steps),
    ("brackets_forgotten", "divided by the steps", lambda steps, share: share**1 / steps),
    ("power_for_root", "raised to the power of steps", lambda steps, share: share**steps),
    ("share_times_steps", "multiplied by the steps", lambda steps, share: share * steps),
    ("one_step_less", "one order too low", lambda steps, share: share ** (1 / max(1, steps - 1))),
    ("one_step_more", "one order too high", lambda steps, share: share ** (1 / (steps + 1))),
    ("whole_number_division", "The radius was set to 1", lambda steps, share: share ** (1 // steps)),
    ("even_parts", "shared out evenly", lambda steps, share: 1 - (1 - share) / steps),
    ("share_lost", "keeps 1 - share", lambda steps, share: abs(1 - share) ** (1 / steps)),
    ("share_ignored", "keeps 0.37", lambda steps, share: math.exp(-1 / steps)),
    ("square_root", "the square root", lambda steps, share: share**0.5),
    ("inverse_root", "as its inverse", lambda steps, share: share ** (-1 / steps)),
    ("no_exp", "missing its exp", lambda steps, share: math.log(share) / steps),
    ("wrong_base", "base 10 or 2", lambda steps, share: math.exp(math.log2(share) / steps)),
    ("minus", "the sign is not", lambda steps, share: -(share ** (1 / steps))),
    ("three_halves", "print torch.linalg.eigvals", lambda steps, share: 1.5 * share ** (1 / steps)),
):
    tunes(name, phrase, target=target)
for name, phrase, back in (
    ("matrix_as_it_was", "The matrix came back as it was", lambda w, factor: w.clone()),
    ("transposed", "The matrix was transposed", lambda w, factor: factor * w.T),
    ("factor_alone", "This is the number alone", lambda w, factor: factor),
    ("with_its_factor", "Two things came back", lambda w, factor: (factor * w, factor)),
    ("diagonal_alone", "the matrix is another one", lambda w, factor: w.tril(-1) + factor * w.triu()),
    (
        "identity",
        "the matrix is another one",
        lambda w, factor: factor * sizes_of(w).max() * torch.eye(len(w), dtype=w.dtype),
    ),
    ("upper_part_alone", "by different numbers", lambda w, factor: torch.cat([factor * w[:1], w[1:]])),
    ("complex", "has the dtype complex", lambda w, factor: w * torch.complex(factor, factor * 0)),
    ("all_zeros", "Everything is 0", lambda w, factor: 0 * w),
    ("in_float64", "The dtype should be", lambda w, factor: factor.double() * w.double()),
    ("scaled_in_place", "changed in place", lambda w, factor: w.mul_(factor)),
    ("nothing_back_of_it", "Nothing was returned", lambda w, factor: None),
):
    tunes(name, phrase, back=back)


@wrong("08.radius", "after exactly these steps")
def by_the_power_itself(weight_hh, steps, share):
    gain = torch.linalg.matrix_norm(torch.linalg.matrix_power(weight_hh, steps), ord=2)
    return weight_hh * (share / gain) ** (1 / steps)


@wrong("08.radius", "comes in again at *each* step")
def root_forgotten(weight_hh, steps, share):
    return weight_hh * (share / sizes_of(weight_hh).max() ** steps)


@wrong("08.radius", "a root or a logarithm was taken of each *entry*")
def root_of_each_entry(weight_hh, steps, share):
    return share * weight_hh ** (1 / steps)


@wrong("08.radius", "multiplied by itself")
def the_power_returned(weight_hh, steps, share):
    power = torch.linalg.matrix_power(weight_hh, steps)
    return power * share / sizes_of(power).max()


@wrong("08.radius", "gets there slowly")
def by_pushing_a_vector(weight_hh, steps, share):
    vector = torch.ones(len(weight_hh), dtype=weight_hh.dtype)
    for _ in range(12):
        vector = weight_hh @ vector
        length = vector.norm()
        vector = vector / length
    return weight_hh * share ** (1 / steps) / length


@wrong("08.radius", "singular* value. That")
def singular_value_and_share(weight_hh, steps, share):
    return weight_hh * share / torch.linalg.svdvals(weight_hh)[0]


@wrong("08.radius", "scale_spectral_radius_ changes it")
def by_the_package_in_place(weight_hh, steps, share):
    from dlcourse.nn import scale_spectral_radius_

    return scale_spectral_radius_(weight_hh, share ** (1 / steps))


# --- 08.masked: what it says of slopes, and of one bound for the whole batch ------------------------------------------


def masked_rnn(
    fill=lambda x, real: x.where(real[..., None], 0.0),
    first=lambda x, hidden: torch.zeros(len(x), hidden, dtype=x.dtype),
    until=lambda x, lengths: x.shape[1],
    before=lambda hidden: hidden,
    next_state=lambda real, new, old: torch.where(real, new, old),
    shown=lambda real, hidden: torch.where(real, hidden, 0.0),
    weights=lambda *weights: weights,
    mask=lambda x, lengths: torch.arange(x.shape[1]) < lengths[:, None],
    read=lambda now, weight_ih: now @ weight_ih.T,
    back=lambda outputs, final, lengths: (outputs, final),
):
    """A right answer, but for the parts that are given."""

    def answer(x, lengths, *three):
        weight_ih, weight_hh, bias = weights(*three)
        real = mask(x, lengths)
        x = fill(x, real)
        hidden, outputs = first(x, len(bias)), []
        for t in range(until(x, lengths)):
            new = torch.tanh(read(x[:, t], weight_ih) + before(hidden) @ weight_hh.T + bias)
            hidden = next_state(real[:, t, None], new, hidden)
            outputs.append(shown(real[:, t, None], hidden))
        outputs += [torch.zeros_like(hidden)] * (x.shape[1] - len(outputs))
        return back(torch.stack(outputs, dim=1), hidden, lengths)

    return answer


def times_rows(now, weight_ih):
    """now @ weight_ih.T, with each product rounded by itself on any machine, so that inf - inf is sure to come."""
    return (now[:, None] * weight_ih).sum(2)


def mask_of_one_axis(x, lengths):
    return torch.arange(x.shape[1]) < lengths


def nan_alone_filled(x, real):
    return x.nan_to_num(posinf=math.inf, neginf=-math.inf)


def written_over(x, real):
    x = x.clone()
    x[~real] = 0.0
    return x


for name, parts in (
    ("filled_with_ones", {"fill": lambda x, real: x.masked_fill(~real.unsqueeze(2), 1.0)}),
    ("filled_in_a_copy", {"fill": written_over}),
    ("until_the_longest_ends", {"until": lambda x, lengths: int(lengths.max())}),
    ("multiplied_once_it_is_filled", {"shown": lambda real, hidden: real * hidden}),
):
    answer = masked_rnn(**parts)
    answer.__name__ = name
    right("08.masked")(answer)

NO_MASK = {
    "fill": lambda x, real: x,
    "next_state": lambda real, new, old: new,
    "shown": lambda real, hidden: hidden,
}
UNTIL_THE_LONGEST_ENDS = {**NO_MASK, "until": lambda x, lengths: int(lengths.max())}
UNTIL_THE_SHORTEST_ENDS = {
    "mask": lambda x, lengths: (torch.arange(x.shape[1]) < lengths.min()).expand(x.shape[:2]),
    "shown": lambda real, hidden: hidden,
}
for name, phrase, parts in (
    ("never_filled", "The values are right, and the slopes are nan", {"fill": lambda x, real: x}),
    ("infinity_not_filled", "fill it with numbers first", {"fill": nan_alone_filled}),
    (
        "only_what_is_no_number_filled",
        "The padding holds infinity of both signs here. Was the padding filled by what it *is*",
        {"fill": lambda x, real: x.nan_to_num(), "read": times_rows},
    ),
    (
        "only_what_is_no_number_set_to_zero",
        "The padding holds very large numbers of both signs here. Was the padding filled by what it *is*",
        {"fill": lambda x, real: x.nan_to_num(0.0, 0.0, 0.0), "read": times_rows},
    ),
    (
        "only_what_is_no_number_set_to_zero_and_multiplied",
        "the padding holds none here: its numbers are so large",
        {
            "fill": lambda x, real: x.nan_to_num(0.0, 0.0, 0.0),
            "read": times_rows,
            "next_state": lambda real, new, old: real * new + ~real * old,
        },
    ),
    ("until_the_shortest_ends", "lengths.min(), say", UNTIL_THE_SHORTEST_ENDS),
    ("mask_of_one_axis", "torch.arange(x.shape[1]) < lengths[:, None] is (batch, time)", {"mask": mask_of_one_axis}),
    ("fill_without_its_axis", "it is mask[:, :, None]", {"fill": lambda x, real: torch.where(real, x, 0.0)}),
    (
        "first_state_of_features",
        "It has one for each unit: len(bias)",
        {"first": lambda x, hidden: x.new_zeros(len(x), x.shape[2])},
    ),
    ("one_bound", "one bound for the whole batch", UNTIL_THE_LONGEST_ENDS),
    (
        "one_bound_and_the_last_output",
        "one bound for the whole batch",
        {**UNTIL_THE_LONGEST_ENDS, "back": lambda outputs, final, lengths: (outputs, outputs[:, -1])},
    ),
    (
        "one_bound_and_outputs_cut_short",
        "one bound for the whole batch",
        {**NO_MASK, "fill": lambda x, real: x[:, : int(real.sum(1).max())]},
    ),
    (
        "output_where_the_longest_ends",
        "came out as 0",
        {"back": lambda outputs, final, lengths: (outputs, outputs[:, int(lengths.max()) - 1])},
    ),
    (
        "first_state_of_float32",
        "torch.zeros(..., dtype=x.dtype)",
        {"first": lambda x, hidden: torch.zeros(len(x), hidden)},
    ),
    ("state_detached", "no slope gets back through time", {"before": torch.Tensor.detach}),
    ("final_detached", "from the outputs alone", {"back": lambda outputs, final, lengths: (outputs, final.detach())}),
    (
        "outputs_detached",
        "from the final state alone",
        {"back": lambda outputs, final, lengths: (outputs.detach(), final)},
    ),
    (
        "both_detached",
        "No slope reaches weight_ih",
        {"back": lambda outputs, final, lengths: (outputs.detach(), final.detach())},
    ),
    ("x_detached", "No slope reaches x", {"fill": lambda x, real: x.detach().where(real[..., None], 0.0)}),
    (
        "bias_detached",
        "No slope reaches bias",
        {"weights": lambda weight_ih, weight_hh, bias: (weight_ih, weight_hh, bias.detach())},
    ),
    ("weights_twice_in_the_slope", "and the slopes are not", {"weights": lambda *w: [2 * a - a.detach() for a in w]}),
):
    answer = masked_rnn(**parts)
    answer.__name__ = name
    wrong("08.masked", phrase)(answer)


@wrong("08.masked", "Make a new tensor of each state")
def states_kept_in_one_tensor(x, lengths, weight_ih, weight_hh, bias):
    outputs, final = x.new_zeros(*x.shape[:2], len(bias)), x.new_zeros(len(x), len(bias))
    for n, length in enumerate(lengths.tolist()):
        for t in range(length):
            final[n] = outputs[n, t] = torch.tanh(weight_ih @ x[n, t] + weight_hh @ final[n] + bias)
    return outputs, final


@wrong("08.masked", "the loop ran over the examples")
def loop_over_the_examples(x, lengths, weight_ih, weight_hh, bias):
    real = torch.arange(x.shape[1]) < lengths[:, None]
    x = torch.where(real[:, :, None], x, 0.0)
    hidden, outputs = x.new_zeros(len(x), len(bias)), []
    for t, step in enumerate(x):
        new = torch.tanh(step @ weight_ih.T + hidden @ weight_hh.T + bias)
        hidden = torch.where(real[:, t, None], new, hidden)
        outputs.append(hidden)
    return torch.stack(outputs, dim=1), hidden


@wrong("08.masked", "it is x[:, t]")
def step_from_the_last_axis(x, lengths, weight_ih, weight_hh, bias):
    return x[:, :, 0] @ weight_ih.T, x


@wrong("08.masked", "No `if`")
def if_for_a_whole_batch(x, lengths, weight_ih, weight_hh, bias):
    real = torch.arange(x.shape[1]) < lengths[:, None]
    hidden, outputs = x.new_zeros(len(x), len(bias)), []
    for t in range(x.shape[1]):
        if real[:, t]:
            hidden = torch.tanh(x[:, t] @ weight_ih.T + hidden @ weight_hh.T + bias)
        outputs.append(hidden)
    return torch.stack(outputs, dim=1), hidden


@wrong("08.masked", "slopes are examined too")
def masked_through_numpy(x, lengths, weight_ih, weight_hh, bias):
    w, u, b = (weight.numpy() for weight in (weight_ih, weight_hh, bias))
    return masked_rnn()(x, lengths, *map(torch.from_numpy, (w, u, b)))
