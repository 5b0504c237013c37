"""Named wrong answers of 08.masked, 08.windows, 08.forecast and 08.debug, and right ones in other styles."""

import numpy as np
import torch
from dlcourse_answers import right, wrong
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from dlcourse import data

# --- 08.masked ------------------------------------------------------------------------------------------------------


def is_real(x, lengths):
    return torch.arange(x.shape[1]) < lengths.unsqueeze(1)


def step_of(x, hidden, weight_ih, weight_hh, bias):
    return (x @ weight_ih.T + hidden @ weight_hh.T + bias).tanh()


def masked(
    mask=is_real,
    step=step_of,
    first=lambda x, hidden: x.new_zeros(len(x), hidden),
    moved=lambda real, new, old: torch.where(real, new, old),
    shown=lambda real, hidden: torch.where(real, hidden, 0.0),
    last=lambda outputs, hidden, lengths: hidden,
    read=lambda x, lengths: x,
    back=lambda outputs, final: (outputs, final),
):
    """A right answer, but for the parts that are given."""

    def answer(x, lengths, weight_ih, weight_hh, bias):
        x = read(x, lengths)
        real = mask(x, lengths)
        hidden = first(x, len(bias))
        outputs = []
        for t in range(x.shape[1]):
            hidden = moved(real[:, t, None], step(x[:, t], hidden, weight_ih, weight_hh, bias), hidden)
            outputs.append(shown(real[:, t, None], hidden))
        outputs = torch.stack(outputs, 1)
        return back(outputs, last(outputs, hidden, lengths))

    return answer


@right("08.masked")
def example_by_example(x, lengths, weight_ih, weight_hh, bias):
    outputs = torch.zeros(*x.shape[:2], len(bias), dtype=x.dtype)
    final = torch.zeros(len(x), len(bias), dtype=x.dtype)
    for n, length in enumerate(lengths.tolist()):
        hidden = torch.zeros_like(bias)
        for t in range(length):
            hidden = torch.tanh(weight_ih @ x[n, t] + weight_hh @ hidden + bias)
            outputs[n, t] = hidden
        final[n] = hidden
    return outputs, final


@right("08.masked")
def packed_by_torch(x, lengths, weight_ih, weight_hh, bias):
    layer = nn.RNN(x.shape[2], len(bias), batch_first=True, dtype=x.dtype)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    parameters = dict(zip(names, (weight_ih, weight_hh, bias, torch.zeros_like(bias)), strict=True))
    outputs, final = torch.func.functional_call(layer, parameters, (packed,))  # not copied, so that slopes pass
    return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0], final[0]


@right("08.masked")
def all_steps_then_gathered(x, lengths, weight_ih, weight_hh, bias):
    """Runs on through padding of zeros, blanks the outputs, and takes each final state from its place."""
    real = is_real(x, lengths)
    x = x.masked_fill(~real[..., None], 0.0)
    hidden, states = torch.zeros(len(x), len(bias), dtype=x.dtype), []
    for inputs in x.unbind(1):
        hidden = step_of(inputs, hidden, weight_ih, weight_hh, bias)
        states.append(hidden)
    states = torch.stack(states, dim=1)
    final = states[torch.arange(len(x)), lengths - 1]
    return states * real[..., None], final


def multiplied(real, new, old):
    real = real.to(new.dtype)
    return real * new + (1 - real) * old


def everywhere(x, lengths):
    return torch.ones(x.shape[:2], dtype=torch.bool)


def always(real, new, old):
    return new


def as_it_is(real, hidden):
    return hidden


def zeros_in(x, lengths):
    return x.where(is_real(x, lengths)[..., None], 0.0)


right("08.masked")(masked(moved=lambda real, new, old: old.where(~real, new), read=zeros_in))


def at(by):
    return lambda outputs, hidden, lengths: outputs[torch.arange(len(outputs)), lengths - 1 + by]


for name, phrase, settings in (
    ("lengths_ignored", "The lengths are ignored", {"mask": everywhere}),
    ("state_goes_on", "moved on through the padding", {"moved": always}),
    ("outputs_not_blanked", "have to be 0", {"shown": as_it_is}),
    (
        "nothing_blanked_final_gathered",
        "have to be 0",
        {"moved": always, "shown": as_it_is, "last": at(0), "read": zeros_in},
    ),
    ("last_output_as_final", "came out as 0", {"last": lambda outputs, hidden, lengths: outputs[:, -1]}),
    ("state_set_to_zero", "came out as 0", {"moved": lambda real, new, old: torch.where(real, new, 0.0)}),
    ("one_too_few", "the last of them was left out", {"mask": lambda x, lengths: is_real(x, lengths - 1)}),
    ("one_too_many", "one position of padding was read", {"mask": lambda x, lengths: is_real(x, lengths + 1)}),
    ("one_too_early", "one position too early", {"last": at(-1)}),
    ("state_multiplied", "0 * nan is nan", {"moved": multiplied}),
    ("outputs_multiplied", "0 * nan is nan", {"moved": always, "shown": lambda real, h: h * real, "last": at(0)}),
    (
        "padding_multiplied",
        "0 * nan is nan",
        {"read": lambda x, some: x * is_real(x, some)[..., None], "moved": multiplied},
    ),
    ("zeros_read", "An input of 0 is an input", {"read": zeros_in, "mask": everywhere}),
    ("zeros_read_and_blanked", "An input of 0 is an input", {"read": zeros_in, "moved": always}),
    ("mask_turned_round", "the wrong way round", {"mask": lambda x, lengths: ~is_real(x, lengths)}),
    ("padding_in_front", "stands *after* them", {"mask": lambda x, lengths: is_real(x, lengths).flip(1)}),
    ("length_of_the_first", "same length", {"mask": lambda x, some: is_real(x, some[:1].expand_as(some))}),
    ("shortest_length", "same length", {"mask": lambda x, some: is_real(x, some.min().expand_as(some))}),
    ("longest_length", "same length", {"mask": lambda x, some: is_real(x, some.max().expand_as(some))}),
    ("no_memory", "nothing is remembered", {"step": lambda x, h, w, u, b: (x @ w.T + b).tanh()}),
    ("no_bias", "The bias is left out", {"step": lambda x, h, w, u, b: (x @ w.T + h @ u.T).tanh()}),
    ("bias_twice", "added twice", {"step": lambda x, h, w, u, b: (x @ w.T + b + h @ u.T + b).tanh()}),
    (
        "weight_hh_transposed",
        "weight_hh is the wrong way round",
        {"step": lambda x, h, w, u, b: step_of(x, h, w, u.T, b)},
    ),
    ("no_tanh", "The tanh is missing", {"step": lambda x, h, w, u, b: x @ w.T + h @ u.T + b}),
    ("sigmoid", "Another bend", {"step": lambda x, h, w, u, b: (x @ w.T + h @ u.T + b).sigmoid()}),
    ("first_state_of_ones", "not zeros", {"first": lambda x, hidden: x.new_ones(len(x), hidden)}),
    ("mean_of_the_outputs", "a summary", {"last": lambda outputs, hidden, lengths: outputs.mean(1)}),
    ("first_output", "is the first one", {"last": lambda outputs, hidden, lengths: outputs[:, 0]}),
    ("swapped", "The two are swapped", {"back": lambda outputs, final: (final, outputs)}),
    ("time_first", "time first", {"back": lambda outputs, final: (outputs.transpose(0, 1), final)}),
    ("layers_first", "the shapes are not", {"back": lambda outputs, final: (outputs, final[None])}),
    ("outputs_alone", "Only the outputs", {"back": lambda outputs, final: outputs}),
    ("final_alone", "Only the final", {"back": lambda outputs, final: final}),
    ("a_list_of_two", "this is a list", {"back": lambda outputs, final: [outputs, final]}),
    ("a_list_of_states", "a list of the states", {"back": lambda outputs, final: (list(outputs.unbind(1)), final)}),
    ("float32", "The dtype should be", {"back": lambda outputs, final: (outputs.float(), final.float())}),
    ("final_odd", "after each example's last real position", {"last": lambda o, hidden, lengths: hidden * 1.01}),
    ("outputs_odd", "the state after each real position", {"back": lambda outputs, final: (outputs * 1.01, final)}),
    ("both_odd", "Do one example by hand", {"back": lambda outputs, final: (outputs * 1.01, final * 1.01)}),
):
    answer = masked(**settings)
    answer.__name__ = name
    wrong("08.masked", phrase)(answer)


@wrong("08.masked", "another order: sorted by length")
def sorted_and_left(x, lengths, *weights):
    order = lengths.argsort(descending=True, stable=True)
    return masked()(x[order], lengths[order], *weights)


@wrong("08.masked", "sorted, unless enforce_sorted=False")
def packed_as_if_sorted(x, lengths, weight_ih, weight_hh, bias):
    pack_padded_sequence(x, lengths, batch_first=True)
    return masked()(x, lengths, weight_ih, weight_hh, bias)


@wrong("08.masked", "total_length")
def packed_and_cut_short(x, lengths, *weights):
    outputs, final = packed_by_torch(x, lengths, *weights)
    return outputs[:, : lengths.max()], final


@wrong("08.masked", "in which the one before it ended")
def no_new_beginning(x, lengths, weight_ih, weight_hh, bias):
    outputs = torch.zeros(*x.shape[:2], len(bias), dtype=x.dtype)
    final = []
    hidden = torch.zeros_like(bias)
    for n, length in enumerate(lengths):
        for t in range(length):
            hidden = torch.tanh(weight_ih @ x[n, t] + weight_hh @ hidden + bias)
            outputs[n, t] = hidden
        final.append(hidden)
    return outputs, torch.stack(final)


@wrong("08.masked", "a step late")
def outputs_before_the_input(x, lengths, *weights):
    _, final = masked()(x, lengths, *weights)
    states, _ = masked(shown=as_it_is)(x, lengths, *weights)
    late = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
    return late.where(is_real(x, lengths)[..., None], 0.0), final


@wrong("08.masked", "read backwards")
def read_backwards(x, lengths, *weights):
    turned = x.flip(1)
    return masked(mask=lambda x, some: is_real(x, some).flip(1))(turned, lengths, *weights)


@wrong("08.masked", "was changed")
def padding_written_over(x, lengths, *weights):
    x[~is_real(x, lengths)] = 0.0
    return masked()(x, lengths, *weights)


@wrong("08.masked", "about seven digits")
def in_float32(x, lengths, *weights):
    outputs, final = masked()(x.float(), lengths, *(weight.float() for weight in weights))
    return outputs.to(x.dtype), final.to(x.dtype)


@wrong("08.masked", "shapes that do not fit")
def not_transposed(x, lengths, weight_ih, weight_hh, bias):
    return masked(step=lambda x, h, w, u, b: (x @ w + h @ u + b).tanh())(x, lengths, weight_ih, weight_hh, bias)


@wrong("08.masked", "may make (batch, batch) of it")
def mask_without_its_axis(x, lengths, weight_ih, weight_hh, bias):
    real = is_real(x, lengths)
    hidden, outputs = x.new_zeros(len(x), len(bias)), []
    for t in range(x.shape[1]):
        hidden = torch.where(real[:, t], step_of(x[:, t], hidden, weight_ih, weight_hh, bias), hidden)
        outputs.append(hidden * real[:, t])
    return torch.stack(outputs, 1), hidden


# --- 08.windows -----------------------------------------------------------------------------------------------------


def pairs(part, length, ahead=1):
    """Windows of a part and the values after them, one by one."""
    begins = range(len(part) - length - ahead + 1)
    x = torch.stack([part[i : i + length] for i in begins])
    return x, torch.stack([part[i + length + ahead - 1] for i in begins])


def parted(
    measure=lambda series, length, test: (series[:-test].mean(), series[:-test].std()),
    train=lambda series, length, test: series[:-test],
    later=lambda series, length, test: series[len(series) - test - length :],
    ahead=1,
    back=lambda *four: four,
):
    """A right answer, but for the parts that are given."""

    def answer(series, length, test):
        mean, std = measure(series, length, test)
        scaled = (series - mean) / std
        x, y = pairs(train(scaled, length, test), length, ahead)
        return back(x, y, *pairs(later(scaled, length, test), length, ahead))

    return answer


right("08.windows")(parted())


@right("08.windows")
def by_the_package(series, length, test):
    train, later = series[: len(series) - test], series[len(series) - test - length :]
    mean, std = train.mean(), train.std()
    (x, y), (x_test, y_test) = (data.windows((part - mean) / std, length=length) for part in (train, later))
    return x, y[:, 0], x_test, y_test[:, 0]


@right("08.windows")
def in_numpy(series, length, test):
    values = series.numpy().astype(np.float64)
    cut = len(values) - test
    values = (values - values[:cut].mean()) / values[:cut].std(ddof=1)
    x = np.lib.stride_tricks.sliding_window_view(values, length)[:-1]
    y = values[length:]
    parts = (x[: cut - length], y[: cut - length], x[cut - length :], y[cut - length :])
    return tuple(torch.tensor(part, dtype=series.dtype) for part in parts)


@right("08.windows")
def by_indices(series, length, test):
    targets = torch.arange(length, len(series))
    inputs = targets[:, None] - torch.arange(length, 0, -1)
    first = len(series) - test
    past = series[:first]
    scaled = (series - past.mean()) / past.std()
    train = targets < first
    return scaled[inputs[train]], scaled[targets[train]], scaled[inputs[~train]], scaled[targets[~train]]


def measured(part, correction=1):
    def measure(series, length, test):
        values = part(series, length, test)
        return values.mean(), values.std(correction=correction)

    return measure


def past_of(series, length, test):
    return series[:-test]


for name, phrase, settings in (
    ("statistics_of_all", "of the whole series", {"measure": measured(lambda series, *_: series)}),
    ("statistics_of_all_as_numpy", "of the whole series", {"measure": measured(lambda series, *_: series, 0)}),
    ("std_as_numpy", "divided by the number of values", {"measure": measured(past_of, 0)}),
    (
        "by_the_variance",
        "the standard deviation is its root",
        {"measure": lambda s, n, t: (s[:-t].mean(), s[:-t].var())},
    ),
    (
        "statistics_of_the_targets",
        "those of the training *targets*",
        {"measure": measured(lambda s, n, t: pairs(s[:-t], n)[1])},
    ),
    ("no_brackets", "Brackets are missing", {"measure": lambda s, n, t: (s[:-t].mean() / s[:-t].std(), 1.0)}),
    ("centred_only", "nothing is divided", {"measure": lambda s, n, t: (s[:-t].mean(), 1.0)}),
    ("divided_only", "is not taken off", {"measure": lambda s, n, t: (0.0, s[:-t].std())}),
    ("to_a_range", "Scaled to a range", {"measure": lambda s, n, t: (s[:-t].min(), s[:-t].max() - s[:-t].min())}),
    ("as_it_was", "None of the four is standardised", {"measure": lambda s, n, t: (0.0, 1.0)}),
    ("statistics_of_the_test_part", "those of the test part", {"measure": measured(lambda s, n, t: s[-t:])}),
    (
        "statistics_of_the_windows",
        "those of the training *windows*",
        {"measure": measured(lambda s, n, t: pairs(s[:-t], n)[0])},
    ),
    ("train_reaches_past", "reaches past the cut", {"train": lambda series, length, test: series}),
    (
        "train_ends_with_the_last_window_before",
        "reaches past the cut",
        {"train": lambda series, length, test: series[: len(series) - test + length]},
    ),
    (
        "one_value_after_the_cut",  # z[: cut + 1]
        "its last target is the first target of the test part",
        {"train": lambda s, n, t: s[: len(s) - t + 1]},
    ),
    (
        "one_value_after_the_cut_in_all",
        "its last target is the first target of the test part. The last target to learn from is the value just before "
        "the cut. And all is standardised by something else",
        {
            "train": lambda s, n, t: s[: len(s) - t + 1],
            "measure": measured(lambda s, n, t: s[: len(s) - t + 1]),
        },
    ),
    (
        "scaled_by_all_and_after_the_cut",
        "reaches past the cut: some of its targets are values that the test part asks for. The last target to learn "
        "from is the value just before the cut. And all is standardised by something else",
        {"train": lambda series, *_: series, "measure": measured(lambda series, *_: series)},
    ),
    (
        "one_test_target_missing_and_scaled_by_all",
        "is missing, the first. The last `test` values are its targets. And all is standardised by something else",
        {"later": lambda s, n, t: s[len(s) - t - n + 1 :], "measure": measured(lambda series, *_: series)},
    ),
    (
        "a_small_number_added",
        "a small number added",
        {"measure": lambda s, n, t: (s[:-t].mean(), s[:-t].std() + 1e-8)},
    ),
    (
        "a_small_number_in_the_root",
        "a small number added",
        {"measure": lambda s, n, t: (s[:-t].mean(), (s[:-t].var() + 1e-6).sqrt())},
    ),
    ("one_test_target_too_many", "one target too many", {"later": lambda s, n, t: s[len(s) - t - n - 1 :]}),
    ("one_test_target_missing", "is missing, the first", {"later": lambda s, n, t: s[len(s) - t - n + 1 :]}),
    ("one_train_window_missing", "The last window of the training part", {"train": lambda s, n, t: s[: -t - 1]}),
    (
        "last_pair_of_each_part_missing",
        "are missing in each part",
        {"train": lambda s, n, t: s[: -t - 1], "later": lambda s, n, t: s[len(s) - t - n : -1]},
    ),
    ("last_test_window_missing", "last window of the test part", {"later": lambda s, n, t: s[len(s) - t - n : -1]}),
    (
        "first_pair_of_the_training_part_missing",
        "another number of windows than it should",
        {"train": lambda s, n, t: s[1:-t]},
    ),
    (
        "own_last_values_as_targets",
        "the windows' own last values",
        {"back": lambda x, y, x_test, y_test: (x, x[:, -1], x_test, x_test[:, -1])},
    ),
    ("targets_inside", "the windows' own last values", {"ahead": 0}),
    ("two_ahead", "two steps after", {"ahead": 2}),
    ("order_of_sklearn", "in another order", {"back": lambda x, y, x_test, y_test: (x, x_test, y, y_test)}),
    ("test_first", "in another order", {"back": lambda x, y, x_test, y_test: (x_test, y_test, x, y)}),
    ("windows_backwards", "time runs backwards", {"back": lambda x, y, xt, yt: (x.flip(1), y, xt.flip(1), yt)}),
    ("last_first", "from the last to the first", {"back": lambda *four: tuple(part.flip(0) for part in four)}),
    ("in_columns", "lie in columns", {"back": lambda x, y, x_test, y_test: (x.T, y, x_test.T, y_test)}),
    ("side_by_side", "side by side", {"back": lambda x, y, xt, yt: (x[:: x.shape[1]], y[:: x.shape[1]], xt, yt)}),
    ("targets_with_an_axis", "y[:, 0]", {"back": lambda x, y, xt, yt: (x, y[:, None], xt, yt[:, None])}),
    ("two_pairs", "Four tensors come back", {"back": lambda x, y, x_test, y_test: ((x, y), (x_test, y_test))}),
    ("a_list", "Four tensors come back", {"back": lambda *four: list(four)}),
    ("float32", "The dtype should be", {"back": lambda *four: tuple(part.float() for part in four)}),
    ("spread_odd", "another mean or standard deviation", {"measure": lambda s, n, t: (s[:-t].median(), s[:-t].std())}),
    ("numbers_odd", "Write it down", {"back": lambda x, y, x_test, y_test: (x * 1.01, y, x_test, y_test)}),
):
    answer = parted(**settings)
    answer.__name__ = name
    wrong("08.windows", phrase)(answer)


def mixed(series, length, test, order):
    x, y = pairs((series - series[:-test].mean()) / series[:-test].std(), length)
    order = order(len(y))
    x, y = x[order], y[order]
    return x[:-test], y[:-test], x[-test:], y[-test:]


def split_by_a_share(share):
    def answer(series, length, test):
        past, later = data.split_in_time(series, test=share(series, test), history=length)
        mean, std = past.mean(), past.std()
        return *pairs((past - mean) / std, length), *pairs((later - mean) / std, length)

    return answer


for name, phrase, share in (
    ("a_share_of_its_own", "and not a share", lambda series, test: 0.2),
    ("a_count_for_a_share", "takes `test` as a share", lambda series, test: test),
):
    answer = split_by_a_share(share)
    answer.__name__ = name
    wrong("08.windows", phrase)(answer)
right("08.windows")(split_by_a_share(lambda series, test: test / len(series)))


@wrong("08.windows", "shuffled before they were parted")
def shuffled(series, length, test):
    return mixed(series, length, test, lambda count: torch.randperm(count, generator=torch.Generator().manual_seed(0)))


@wrong("08.windows", "shuffled before they were parted")
def shuffled_and_scaled_by_all(series, length, test):
    scaled = (series - series.mean()) / series.std()
    x, y = pairs(scaled, length)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    x, y = x[order], y[order]
    return x[test:], y[test:], x[:test], y[:test]


@wrong("08.windows", "not in the order of time")
def shuffled_for_learning(series, length, test):
    x, y, *rest = parted()(series, length, test)
    order = torch.arange(len(y)).roll(1)
    return x[order], y[order], *rest


@wrong("08.windows", "The first targets of the test part are lost")
def windows_after_the_cut_alone(series, length, test):
    past = series[:-test]
    scaled = (series - past.mean()) / past.std()
    if test <= length:
        return *pairs(scaled[:-test], length), scaled.new_zeros(0, length), scaled.new_zeros(0)
    return *pairs(scaled[:-test], length), *pairs(scaled[-test:], length)


@wrong("08.windows", "after the last window comes no value")
def unfolded_with_the_last(series, length, test):
    past, later = series[:-test], series[-test - length :]
    x, x_test = (((part - past.mean()) / past.std()).unfold(0, length, 1) for part in (past, later))
    _, y, _, y_test = parted()(series, length, test)
    return x, y, x_test, y_test


@wrong("08.windows", "after the last window comes no value")
def unfolded_with_the_last_and_then_cut(series, length, test):
    scaled = (series - series[:-test].mean()) / series[:-test].std()
    x, y = scaled.unfold(0, length, 1), scaled[length:]
    return x[:-test], y[:-test], x[-test:], y[-test:]


@wrong("08.windows", "not as many windows as targets")
def targets_of_the_whole_series(series, length, test):
    x, _, x_test, y_test = parted()(series, length, test)
    scaled = (series - series[:-test].mean()) / series[:-test].std()
    return x, scaled[length:], x_test, y_test


@wrong(
    "08.windows", "The first targets of the test part are lost: its first target is the first value after the cut, and"
)
def windows_after_the_cut_alone_and_scaled_by_all(series, length, test):
    scaled = (series - series.mean()) / series.std()
    if test <= length:
        return *pairs(scaled[:-test], length), scaled.new_zeros(0, length), scaled.new_zeros(0)
    return *pairs(scaled[:-test], length), *pairs(scaled[-test:], length)


@wrong("08.windows", "by its own mean and standard deviation")
def each_part_by_itself(series, length, test):
    past, later = series[:-test], series[-test - length :]
    return (
        *pairs((past - past.mean()) / past.std(), length),
        *pairs((later - later.mean()) / later.std(), length),
    )


@wrong("08.windows", "Each window is standardised by itself")
def each_window_by_itself(series, length, test):
    out = []
    for part in (series[:-test], series[-test - length :]):
        x, y = pairs(part, length)
        mean, std = x.mean(1, keepdim=True), x.std(1, keepdim=True)
        out += [(x - mean) / std, (y - mean[:, 0]) / std[:, 0]]
    return tuple(out)


@wrong("08.windows", "The targets are not standardised")
def targets_as_they_were(series, length, test):
    x, _, x_test, _ = parted()(series, length, test)
    return x, series[length:-test], x_test, series[-test:]


@wrong("08.windows", "The test part is not standardised")
def test_part_as_it_was(series, length, test):
    return *parted()(series, length, test)[:2], *pairs(series[-test - length :], length)


@wrong("08.windows", "The *first* values went into the test part")
def tested_on_the_past(series, length, test):
    past = series[test:]
    x, y = pairs((series - past.mean()) / past.std(), length)
    return x[test:], y[test:], x[:test], y[:test]


@wrong("08.windows", "length and test are swapped")
def numbers_swapped(series, length, test):
    return parted()(series, test, length)


@wrong("08.windows", "was changed")
def series_changed(series, length, test):
    series -= series[:-test].mean()
    return parted()(series, length, test)


@wrong("08.windows", "about seven digits")
def in_float32(series, length, test):  # noqa: F811, another exercise's
    return tuple(part.to(series.dtype) for part in parted()(series.float(), length, test))


# --- 08.forecast ----------------------------------------------------------------------------------------------------


def lagged(series, length, ahead=1):
    """x, a column of ones beside it, and y."""
    x, y = pairs(series, length, ahead)
    return torch.cat([x, torch.ones(len(x), 1)], dim=1), y


@right("08.forecast")
def three_lags(train, windows):
    a, y = lagged(train, 3)
    weight = torch.linalg.lstsq(a, y[:, None]).solution
    return (torch.cat([windows[:, -3:], torch.ones(len(windows), 1)], 1) @ weight)[:, 0]


@right("08.forecast")
def ridge_on_changes(train, windows):
    """In numpy, by the normal equations, in float64, the change from the last value."""
    last, length = windows[:, -1].numpy().astype(float), windows.shape[1]
    values = train.numpy().astype(float)
    x = np.diff(np.lib.stride_tricks.sliding_window_view(values, length)[:-1])
    y = values[length:] - values[length - 1 : -1]
    level = values[length - 1 : -1] - values.mean()
    x = np.column_stack([x, level])
    weight = np.linalg.solve(x.T @ x + 1e-3 * np.eye(x.shape[1]), x.T @ y)
    now = np.column_stack([np.diff(windows.numpy().astype(float)), last - values.mean()])
    return torch.tensor(last + now @ weight)


@right("08.forecast")
def standardised_line_by_gradient(train, windows):
    mean, std = train.mean(), train.std()
    x, y = pairs((train - mean) / std, windows.shape[1])
    weight = torch.zeros(windows.shape[1])
    for _ in range(60):
        weight -= 0.2 * x.T @ (x @ weight - y) / len(y)
    return (windows - mean) / std @ weight * std + mean


@right("08.forecast")
def what_came_after_the_likest_pieces(train, windows):
    """Ten nearest neighbours by the last three values; what changed after them, on average."""
    x, y = pairs(train, 3)
    near = torch.cdist(windows[:, -3:], x).topk(10, largest=False).indices
    change = (y - x[:, -1])[near].mean(1)
    return windows[:, -1] + change


def by_line(length=None, ahead=1, read=lambda windows, train: windows, back=lambda y, train, windows: y):
    """Least squares with an own constant, but for the parts that are given."""

    def answer(train, windows):
        size = length or windows.shape[1]
        a, y = lagged(train, size, ahead)
        weight = torch.linalg.lstsq(a, y[:, None], driver="gelsd").solution
        x = read(windows, train)[:, -size:]
        return back((torch.cat([x, torch.ones(len(x), 1)], 1) @ weight)[:, 0], train, windows)

    return answer


def undone(windows, train):
    """What a line learned from values sees in standardised ones, where these are not standardised."""
    return windows * train.std() + train.mean()


for name, phrase, answer in (
    ("persistence", "This is persistence itself", lambda train, windows: windows[:, -1]),
    ("learned_the_last_value", "This is persistence itself", by_line(ahead=0)),
    (
        "last_of_the_next_window",
        "the last value of *another* window",
        lambda train, windows: torch.cat([windows[1:, -1], windows[-1:, -1]]),
    ),
    ("first_of_the_window", "first value of each window", lambda train, windows: windows[:, 0]),
    ("window_mean", "mean of each window", lambda train, windows: windows.mean(1)),
    ("moving_average", "mean of the last few values", lambda train, windows: windows[:, -3:].mean(1)),
    ("train_mean", "mean of the training series", lambda train, windows: train.mean().repeat(len(windows))),
    ("last_of_train", "last value of the training series", lambda train, windows: train[-1:].repeat(len(windows))),
    ("drawn_on", "line through the last two values", lambda train, w: w[:, -1] + w[:, -1] - w[:, -2]),
    ("drift", "first and the last value", lambda train, w: w[:, -1] + (w[:, -1] - w[:, 0]) / (w.shape[1] - 1)),
    ("season", "one cycle ago", lambda train, windows: windows[:, -8]),
    ("backwards", "read backwards", by_line(read=lambda windows, train: windows.flip(1))),
    ("two_ahead", "two steps after each window", by_line(ahead=2)),
    ("standardised", "they are standardised", by_line(back=lambda y, train, w: (y - train.mean()) / train.std())),
    ("to_a_range", "scaled to a range", by_line(back=lambda y, t, w: (y - t.min()) / (t.max() - t.min()))),
    ("no_mean", "the mean of the training series is missing", by_line(back=lambda y, train, w: y - train.mean())),
    ("mean_twice", "once too often", by_line(back=lambda y, train, w: y + train.mean())),
    ("change_alone", "This is the change", by_line(back=lambda y, train, w: y - w[:, -1])),
    ("scaled_back_twice", "scaled back twice", by_line(back=lambda y, train, w: y * train.std() + train.mean())),
    ("another_order", "in another order", by_line(back=lambda y, train, w: y.flip(0))),
    ("a_step_late", "in another order", by_line(back=lambda y, train, w: y.roll(1))),
    ("same_for_all", "the same for all windows", by_line(back=lambda y, train, w: y[:1].repeat(len(y)))),
    ("one_lag", "not by enough", by_line(length=1)),
    ("a_fifth_of_the_way", "not by enough", by_line(back=lambda y, train, w: w[:, -1] + 0.2 * (y - w[:, -1]))),
    ("wrong_way", "worse than saying", by_line(back=lambda y, train, w: w[:, -1] - (y - w[:, -1]))),
    ("learned_on_standardised_values", "is applied to windows as they came", by_line(read=undone)),
    (
        "learned_on_standardised_values_and_left_so",
        "is applied to windows as they came",
        by_line(read=undone, back=lambda y, train, w: (y - train.mean()) / train.std()),
    ),
    (
        "each_window_by_itself",
        "standardised by itself",
        by_line(
            read=lambda w, train: (w - w.mean(1, keepdim=True)) / w.std(1, keepdim=True) * train.std() + train.mean()
        ),
    ),
    (
        "scaled_by_the_windows_of_the_call",
        "depends on the other windows of its call",
        by_line(read=lambda windows, train: (windows - windows.mean()) / windows.std() * train.std() + train.mean()),
    ),
    (
        "drawn_anew",
        "The same question gets two answers",
        by_line(back=lambda y, train, w: y + 0.1 * train.std() * torch.randn(len(y))),
    ),
    ("diverged", "nan or infinity", by_line(back=lambda y, train, w: y * float("nan"))),
    ("a_column", "(batch, 1)", by_line(back=lambda y, train, w: y[:, None])),
    ("a_table", "spread over each other", by_line(back=lambda y, train, w: y[:, None] + 0 * w[:, -1])),
    ("one_number", "One number for each window", by_line(back=lambda y, train, w: y[0])),
    ("whole_numbers", "The dtype should be", by_line(back=lambda y, train, w: y.round().long())),
    ("a_list", "a tensor (batch,)", by_line(back=lambda y, train, w: y[:3].tolist())),
    ("nothing", "Nothing was returned", lambda train, windows: None),
):
    answer.__name__ = name
    wrong("08.forecast", phrase)(answer)


@wrong("08.forecast", "is applied to windows as they came")
def mean_off_in_training_alone(train, windows):
    x, y = pairs(train - train.mean(), windows.shape[1])
    return windows @ torch.linalg.lstsq(x, y[:, None]).solution[:, 0]


def network(standardised=True, seeded=True, column=False, windows_too=True, updates=100):
    """Eight tanh units and Adam."""

    def answer(train, windows):
        if seeded:
            torch.manual_seed(1)
        mean, std = (train.mean(), train.std()) if standardised else (0.0, 1.0)
        x, y = pairs((train - mean) / std, windows.shape[1])
        model = nn.Sequential(nn.Linear(windows.shape[1], 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(updates):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x)[:, 0], y[:, None] if column else y).backward()
            optimizer.step()
        with torch.no_grad():
            return model((windows - mean) / std if windows_too else windows)[:, 0] * std + mean

    return answer


for name, phrase, answer in (
    ("network_of_large_numbers", "both by the mean and standard deviation of `train`", network(standardised=False)),
    ("outputs_and_targets_of_other_shapes", "Outputs (n,) and targets (n, 1)", network(column=True)),
    ("windows_as_they_came", "Was done to the windows what was done to the series", network(windows_too=False)),
    ("network_of_one_update", "may have had too few updates", network(updates=1)),
    ("network_without_a_seed", "Give the network a seed", network(seeded=False)),
):
    answer.__name__ = name
    wrong("08.forecast", phrase)(answer)


@wrong("08.forecast", "depends on the other windows of its call")
def learned_from_the_windows_alone(train, windows):
    x = torch.cat([windows, torch.ones(len(windows), 1)], dim=1)
    past, target = x[:, [*range(windows.shape[1] - 1), -1]], windows[:, -1:]
    return (x[:, 1:] @ torch.linalg.lstsq(past, target, driver="gelsd").solution)[:, 0]


@wrong("08.forecast", "depends on the other windows of its call")
def learned_from_the_windows_too(train, windows):
    a, y = lagged(train, windows.shape[1] - 1)
    x = torch.cat([windows, torch.ones(len(windows), 1)], dim=1)
    past = torch.cat([a, x[:, [*range(windows.shape[1] - 1), -1]]])
    target = torch.cat([y, windows[:, -1]])
    return (x[:, 1:] @ torch.linalg.lstsq(past, target[:, None], driver="gelsd").solution)[:, 0]


def neighbours(k):
    def answer(train, windows):
        x, y = pairs(train, windows.shape[1])
        near = (windows[:, None] - x).square().sum(2).topk(k, largest=False).indices
        return y[near].mean(1)

    return answer


for k in (1, 2):
    answer = neighbours(k)
    answer.__name__ = f"the_{k}_nearest"
    wrong("08.forecast", "after the most similar windows")(answer)


@wrong("08.forecast", "below 0")
def line_of_the_roots(train, windows):
    squared = by_line(back=lambda y, *_: y.square())
    return squared(train.sqrt(), windows.sqrt())


@wrong("08.forecast", "below 0")
def line_of_the_roots_in_numpy(train, windows):
    x, y = lagged(train.sqrt(), windows.shape[1])
    weight = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
    return torch.tensor(windows.sqrt().numpy() @ weight[:-1] + weight[-1]).square()


@wrong("08.forecast", "windows.shape[1]")
def eight_lags_for_all(train, windows):
    x, y = pairs(train, 5)
    return windows @ torch.linalg.lstsq(x, y[:, None]).solution[:, 0]


@wrong("08.forecast", ".detach() before .numpy()")
def numpy_too_early(train, windows):
    weight = torch.zeros(windows.shape[1], requires_grad=True)
    return torch.tensor((windows @ weight).numpy())


@wrong("08.forecast", "windows[..., None]")
def lstm_without_the_axis_of_features(train, windows):
    torch.manual_seed(0)
    outputs, _ = nn.LSTM(1, 8, batch_first=True)(windows)
    return outputs[:, -1]


@wrong("08.forecast", "was changed")
def train_changed(train, windows):
    train -= train.mean()
    return by_line()(train, windows)


# --- 08.debug -------------------------------------------------------------------------------------------------------


def read_symbols(x, hidden, weights):
    weight_ih, weight_hh, bias, weight_out, bias_out = weights
    logits = []
    for step in range(x.shape[1]):
        hidden = torch.tanh(weight_ih[:, x[:, step]].T + hidden @ weight_hh.T + bias)
        logits.append(hidden @ weight_out.T + bias_out)
    return torch.stack(logits, dim=1), hidden


def learner(
    targets=lambda ids, size, steps: ids[1 : size * steps + 1].reshape(size, steps),
    inputs=lambda ids, size, steps: ids[: size * steps].reshape(size, steps),
    begins=lambda steps, time: range(0, steps, time),
    cut=lambda x, y, start, time: (x[:, start : start + time], y[:, start : start + time]),
    learns=lambda x, time: True,
    measures=lambda x, time: True,
    carried=lambda hidden: hidden.detach(),
    carried_in_measuring=lambda hidden: hidden,
    into_measuring=lambda hidden: torch.zeros_like(hidden[:1]),
    streams_in_measuring=lambda size: 1,
    average=lambda losses, counts: sum(loss * n for loss, n in zip(losses, counts, strict=True)) / sum(counts),
    bits=lambda nats: (nats / np.log(2)).item(),
    text=lambda train, held_out: held_out,
    reduction="mean",
    lr=lambda rate: rate,
    back=lambda weights, bits: (weights, bits),
):
    """A right answer, but for the parts that are given."""

    def answer(train, held_out, weights, size, time, rate):
        weights = [weight.clone().requires_grad_() for weight in weights]

        def windows(ids, size):
            steps = (len(ids) - 1) // size
            x, y = inputs(ids, size, steps), targets(ids, size, steps)
            for start in begins(steps, time):
                yield cut(x, y, start, time)

        hidden = torch.zeros(size, len(weights[1]), dtype=weights[0].dtype)
        for x, y in windows(train, size):
            if not learns(x, time):
                break
            logits, hidden = read_symbols(x, carried(hidden), weights)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction=reduction)
            slopes = torch.autograd.grad(loss, weights)
            with torch.no_grad():
                for weight, slope in zip(weights, slopes, strict=True):
                    weight -= lr(rate) * slope
        losses, counts = [], []
        rows = streams_in_measuring(size)
        hidden = into_measuring(hidden.detach()).expand(rows, -1) if rows > 1 else into_measuring(hidden.detach())
        with torch.no_grad():
            for x, y in windows(text(train, held_out), rows):
                if not measures(x, time):
                    break
                logits, hidden = read_symbols(x, carried_in_measuring(hidden), weights)
                losses.append(nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()))
                counts.append(y.numel())
        return back([weight.detach() for weight in weights], bits(average(losses, counts)))

    return answer


right("08.debug")(learner())


@right("08.debug")
def with_torch_layers(train, held_out, weights, size, time, lr):
    """torch.nn.RNN on one-hot rows, and torch's optimiser; measured in one go, which is the same."""
    weight_ih, weight_hh, bias, weight_out, bias_out = weights
    classes = len(bias_out)
    layer = nn.RNN(classes, len(bias), batch_first=True, dtype=bias.dtype)
    head = nn.Linear(len(bias), classes, dtype=bias.dtype)
    layer.load_state_dict(
        {
            "weight_ih_l0": weight_ih,
            "weight_hh_l0": weight_hh,
            "bias_ih_l0": bias,
            "bias_hh_l0": torch.zeros_like(bias),
        }
    )
    head.load_state_dict({"weight": weight_out, "bias": bias_out})
    parameters = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, head.weight, head.bias]
    optimizer = torch.optim.SGD(parameters, lr=lr)

    def logits(x, hidden=None):
        outputs, hidden = layer(nn.functional.one_hot(x, classes).to(bias.dtype), hidden)
        return head(outputs), hidden

    hidden = None
    for x, y, _ in data.text_batches(train, size=size, time=time):
        guesses, hidden = logits(x, hidden)
        hidden = hidden.detach()
        optimizer.zero_grad()
        nn.functional.cross_entropy(guesses.transpose(1, 2), y).backward()
        optimizer.step()
    with torch.no_grad():
        guesses, _ = logits(held_out[None, :-1])
        probabilities = guesses[0].softmax(-1).gather(1, held_out[1:, None])
    return [parameter.detach() for parameter in parameters], -probabilities.log2().mean().item()


right("08.debug")(
    learner(  # the weighting by hand, in bits from the start
        average=lambda losses, counts: (torch.stack(losses) * torch.tensor(counts)).sum() / sum(counts),
        bits=lambda nats: float(np.log2(np.exp(nats.item()))),
    )
)


def same_symbols(ids, size, steps):
    return ids[: size * steps].reshape(size, steps)


def inside_a_window(x, y, start, time):
    window = x[:, start : start + time]
    return window[:, :-1], window[:, 1:]


def zeros(hidden):
    return torch.zeros_like(hidden)


def mean_of_means(losses, counts):
    return sum(losses) / len(losses)


ALL_FOUR = {
    "targets": same_symbols,
    "carried": zeros,
    "carried_in_measuring": zeros,
    "average": mean_of_means,
}
LOST = "the state begins from zeros at each window"
for name, phrase, settings in (
    ("nothing_mended", "The targets are the symbols that were just read", ALL_FOUR),
    *(
        (f"{part}_mended", phrase, {other: value for other, value in ALL_FOUR.items() if other != part})
        for part, phrase in (
            ("targets", "In learning, " + LOST),
            ("carried", "not the only fault"),
            ("carried_in_measuring", "not the only fault"),
            ("average", "not the only fault"),
        )
    ),
    ("targets_left", "The targets are the symbols that were just read", {"targets": same_symbols}),
    ("learning_left", "In learning, " + LOST, {"carried": zeros}),
    ("measuring_left", "In measuring, " + LOST, {"carried_in_measuring": zeros}),
    ("both_states_left", "In learning, " + LOST, {"carried": zeros, "carried_in_measuring": zeros}),
    ("mean_left", "the mean of the windows' means", {"average": mean_of_means}),
    ("state_of_the_training_text", "begins from zeros", {"into_measuring": lambda hidden: hidden[:1]}),
    ("not_detached", "which is used up", {"carried": lambda hidden: hidden}),
    ("nats", "nats divided by log(2)", {"bits": lambda nats: nats.item()}),
    ("times_log_2", "nats *divided* by it", {"bits": lambda nats: nats.item() * np.log(2)}),
    ("summed", "summed over the text", {"average": lambda losses, counts: sum(map(torch.mul, losses, counts))}),
    ("last_window", "the last window alone", {"average": lambda losses, counts: losses[-1]}),
    ("on_the_training_text", "proves nothing", {"text": lambda train, held_out: train}),
    ("step_of_the_sum", "slope of the *sum*", {"reduction": "sum"}),
    ("uphill", "against the slope", {"lr": lambda rate: -rate}),
    ("no_step", "did not move", {"lr": lambda rate: 0.0}),
    (
        "every_so_many_symbols",
        "cut the wrong way",
        {
            "inputs": lambda ids, size, steps: ids[: size * steps].reshape(steps, size).T,
            "targets": lambda ids, size, steps: ids[1 : size * steps + 1].reshape(steps, size).T,
        },
    ),
    (
        "short_window_left_out",
        "last window of a text, which is shorter",
        {"begins": lambda steps, time: range(0, steps - time + 1, time)},
    ),
    ("short_window_not_learned", "In learning, the last window", {"learns": lambda x, time: x.shape[1] == time}),
    ("short_window_not_measured", "In measuring, the last window", {"measures": lambda x, time: x.shape[1] == time}),
    (
        "divided_by_the_length",
        "A text of 7 symbols has 6 targets",
        {
            "average": lambda losses, counts: (
                sum(loss * n for loss, n in zip(losses, counts, strict=True)) / (sum(counts) + 1)
            )
        },
    ),
    (
        "divided_by_the_number_of_windows",
        "divided by the number of windows",
        {"average": lambda losses, counts: sum(map(torch.mul, losses, counts)) / len(counts)},
    ),
    (
        "short_window_counted_in_full",
        "as if it had `time` symbols",
        {"average": lambda losses, counts: sum(map(torch.mul, losses, counts)) / (len(counts) * counts[0])},
    ),
    (
        "each_window_times_the_full_length",
        "was multiplied by `time`",
        {"average": lambda losses, counts: sum(losses) * max(counts) / sum(counts)},
    ),
    ("held_out_in_streams", "was read as `size` streams", {"streams_in_measuring": lambda size: size}),
    (
        "shifted_inside_the_windows",
        "of a stream or of a window, it is a symbol shorter",
        {"cut": inside_a_window},
    ),
    (
        "shifted_inside_the_windows_that_are_not_empty",
        "A target is missing at the end of each window",
        {
            "cut": inside_a_window,
            "learns": lambda x, time: x.numel() > 0,
            "measures": lambda x, time: x.numel() > 0,
        },
    ),
    ("rolled", "roll wraps round", {"targets": lambda ids, size, n: ids[: size * n].roll(-1).reshape(size, n)}),
    ("streams_rolled", "roll wraps round", {"targets": lambda *args: same_symbols(*args).roll(-1, 1)}),
    (
        "windows_rolled",
        "wraps round to the window's own first symbol",
        {"cut": lambda x, y, start, time: (x[:, start : start + time], x[:, start : start + time].roll(-1, 1))},
    ),
    (
        "shifted_the_other_way",
        "the text is shifted the other way",
        {"targets": lambda ids, size, n: ids.roll(1)[: size * n].reshape(size, n)},
    ),
    (
        "shifted_inside_the_streams",
        "A target is missing at the end of each stream",
        {
            "inputs": lambda ids, size, steps: same_symbols(ids, size, steps)[:, :-1],
            "targets": lambda ids, size, steps: same_symbols(ids, size, steps)[:, 1:],
            "begins": lambda steps, time: range(0, steps - 1, time),
        },
    ),
    (
        "targets_inside_the_streams",  # y = x[:, 1:], and x as it was
        "There are not as many targets as guesses",
        {"targets": lambda ids, size, steps: same_symbols(ids, size, steps)[:, 1:]},
    ),
    (
        "shifted_inside_the_streams_and_an_empty_window",
        "A window without symbols was read",
        {
            "inputs": lambda ids, size, steps: same_symbols(ids, size, steps)[:, :-1],
            "targets": lambda ids, size, steps: same_symbols(ids, size, steps)[:, 1:],
        },
    ),
    ("bits_as_a_tensor", ".item() makes one", {"bits": lambda nats: nats / np.log(2)}),
    ("bits_alone", "Two things come back", {"back": lambda weights, bits: bits}),
    ("a_tuple_of_weights", "The weights come back in a list", {"back": lambda weights, bits: (tuple(weights), bits)}),
    ("a_step_twice_as_long", "with which state does it begin", {"lr": lambda rate: 2 * rate}),
    ("bits_odd", "The weights are right, and the bits are not", {"bits": lambda nats: nats.item() / 0.7}),
    (
        "one_target_missing",
        "as many as x",
        {"targets": lambda ids, size, steps: ids[1 : size * steps].reshape(size, steps)},
    ),
):
    answer = learner(**settings)
    answer.__name__ = name
    wrong("08.debug", phrase)(answer)


@wrong("08.debug", "A target is missing at the end of each stream")
def shifted_inside_longer_streams(train, held_out, weights, size, time, lr):
    """len(ids) // size, and so the first wrong text has two streams."""
    steps = {len(ids): len(ids) // n for ids, n in ((train, size), (held_out, 1))}

    def rows(ids, size):
        return ids[: size * steps[len(ids)]].reshape(size, -1)

    answer = learner(
        inputs=lambda ids, size, _: rows(ids, size)[:, :-1],
        targets=lambda ids, size, _: rows(ids, size)[:, 1:],
    )
    return answer(train, held_out, weights, size, time, lr)


@wrong("08.debug", "measured before learning")
def measured_first(train, held_out, weights, size, time, lr):
    _, bits = learner()(train, held_out, weights, size, time, 0.0)
    return learner()(train, held_out, weights, size, time, lr)[0], bits


@wrong("08.debug", "not the ones that they were measured with")
def old_weights_returned(train, held_out, weights, size, time, lr):
    return [weight.clone() for weight in weights], learner()(train, held_out, weights, size, time, lr)[1]


@wrong("08.debug", "was changed")
def weights_changed(train, held_out, weights, size, time, lr):
    weights[4] += 0.1
    return learner()(train, held_out, weights, size, time, lr)


@wrong("08.debug", "torch.no_grad(): around the update")
def recorded_update(train, held_out, weights, size, time, lr):
    weights = [weight.clone().requires_grad_() for weight in weights]
    loss = sum(weight.sum() for weight in weights)
    for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight -= lr * slope
    return weights, 1.0


@wrong("08.debug", "puts them there")
def nothing_recorded(train, held_out, weights, size, time, lr):
    logits, _ = read_symbols(train[None, :-1], torch.zeros(1, len(weights[1])), weights)
    loss = nn.functional.cross_entropy(logits[0], train[1:])
    torch.autograd.grad(loss, weights)
    return weights, loss.item()


@wrong("08.debug", "(1, hidden)")
def state_of_all_streams(train, held_out, weights, size, time, lr):
    answer = learner(into_measuring=lambda hidden: torch.zeros(2 * len(hidden) + 1, hidden.shape[1]))
    return answer(train, held_out, weights, size, time, lr)


@wrong("08.debug", "with which state does it begin")
def everything_odd(train, held_out, weights, size, time, lr):
    new, bits = learner(lr=lambda rate: 2 * rate)(train, held_out, weights, size, time, lr)
    return new, bits * 1.01
