"""Chapter 15: what its checks take for right agrees with other ways, and what else the table of answers cannot show."""

import math
import re
from itertools import product
from pathlib import Path

import pytest
import torch
from scipy.stats import binomtest, norm
from torch.nn import functional

from dlcourse.attacks import L2, Linf, margin
from dlcourse.attacks import fgsm as package_fgsm
from dlcourse.attacks import pgd as package_pgd
from dlcourse.checks import CheckFailed
from dlcourse.checks.ch15 import fgsm, masked, pgd, radius, shared
from dlcourse.checks.ch15 import margin as margin_check
from dlcourse.checks.registry import find
from dlcourse.checks.subject import LocalSubject
from dlcourse.defenses import bpda


def told_apart(mistakes, cases, truth, same):
    """On the first case that shows a mistake, where it is named, no other reason fits its numbers.

    mistakes: (reason, [answers]). same(got, value): what the check takes for equal.
    """
    hidden = [(reason, answer) for reason, answers in mistakes for answer in answers]
    for case in cases:
        shown, right = [], truth(*case)
        for reason, answer in hidden:
            try:
                got = answer(*case)
            except RuntimeError:  # the mistake does not run on this case, nor does the learner's
                continue
            if not same(got, right):
                shown.append((reason, answer, got))
        for n, (reason, _, got) in enumerate(shown):
            twins = [other for other, _, twin in shown[:n] if other != reason and same(got, twin)]
            assert not twins, (reason, twins)
        hidden = [(reason, answer) for reason, answer in hidden if not any(answer is was for _, was, _ in shown)]
    assert not hidden, [reason for reason, _ in hidden]


def of_faults(function, mistakes):
    return [
        (reason, [lambda *args, faults=faults: function(*args, **faults) for faults in several])
        for reason, several in mistakes
    ]
