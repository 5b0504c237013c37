"""08.masked, 08.windows, 08.forecast and 08.debug: what the table of answers cannot show."""

import pytest
import torch
from torch import nn

from dlcourse.checks.ch08 import debug, masked, windows
from dlcourse.checks.examiner import matches


def told_apart(mistakes, cases, truth):
    """On the first case that shows a mistake, where it is named, no other reason fits its numbers."""
    hidden = [(reason, answer) for reason, answers in mistakes for answer in answers]
    for case in cases:
        shown, right = [], truth(*case)
        for reason, answer in hidden:
            try:
                got = answer(*case)
            except (RuntimeError, IndexError):  # the mistake does not run on this case, nor does the learner's
                continue
            if not matches(got, right):
                shown.append((reason, answer, got))
        for n, (reason, _, got) in enumerate(shown):
            assert not [other for other, _, twin in shown[:n] if other != reason and matches(got, twin)], reason
        hidden = [(reason, answer) for reason, answer in hidden if not any(answer is was for _, was, _ in shown)]
    assert not hidden, [reason for reason, _ in hidden]


def test_no_two_diagnoses_of_masked_explain_the_same_numbers():
    told_apart(masked.MISTAKES, masked.cases(), masked.truth)


@pytest.mark.parametrize("round_", range(12))
def test_what_masked_takes_for_right_is_what_torch_says_of_packed_sequences(round_):
    x, lengths, *weights = masked.draw(torch.Generator().manual_seed(7), round_)
    layer = nn.RNN(x.shape[2], len(weights[2]), batch_first=True, dtype=x.dtype)
    state = dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), weights, strict=True))
    layer.load_state_dict(state | {"bias_hh_l0": torch.zeros_like(weights[2])})
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, final = layer(packed)
    outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    assert matches((outputs.detach(), final[0].detach()), masked.truth(x, lengths, *weights))


def test_no_two_diagnoses_of_windows_explain_the_same_numbers():
    told_apart(windows.MISTAKES, windows.cases(), windows.truth)


def test_no_two_diagnoses_of_the_learner_explain_the_same_numbers():
    mistakes = [
        (reason, [lambda *args, chosen=chosen: debug._learn(*args, **chosen) for chosen in several])
        for reason, several in debug.MISTAKES
    ]
    told_apart(mistakes, debug.cases(), debug._learn)
