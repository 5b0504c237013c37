"""Attacks: small changes that make a network wrong, each within a stated threat.

Read `threat` first (what may be changed), then `objective` (what is raised), then `fgsm` and `pgd`; `robust` asks what
a model is worth under all of them. attack(model, x, labels, threat, *, ...) -> x_adv, everywhere.
"""

from dlcourse.attacks.fgsm import fgsm
from dlcourse.attacks.mifgsm import MifgsmStep, mifgsm, mifgsm_steps
from dlcourse.attacks.objective import (
    Goal,
    Look,
    answers,
    asking,
    begin,
    cross_entropy,
    dlr,
    dlr_targeted,
    fooled,
    input_gradient,
    look,
    margin,
)
from dlcourse.attacks.pgd import PgdStep, pgd, pgd_steps
from dlcourse.attacks.robust import EpsilonCurve, RobustAccuracy, epsilon_curve, robust_accuracy
from dlcourse.attacks.threat import L1, L2, Linf, Threat
from dlcourse.attacks.transfer import Transfer, transfer, transfer_rate

__all__ = [
    "L1",
    "L2",
    "EpsilonCurve",
    "Goal",
    "Linf",
    "Look",
    "MifgsmStep",
    "PgdStep",
    "RobustAccuracy",
    "Threat",
    "Transfer",
    "answers",
    "asking",
    "begin",
    "cross_entropy",
    "dlr",
    "dlr_targeted",
    "epsilon_curve",
    "fgsm",
    "fooled",
    "input_gradient",
    "look",
    "margin",
    "mifgsm",
    "mifgsm_steps",
    "pgd",
    "pgd_steps",
    "robust_accuracy",
    "transfer",
    "transfer_rate",
]
