"""Attacks: small changes that make a network wrong, each within a stated threat.

Read `threat` first (what may be changed), then `objective` (what is raised), then `fgsm` and `pgd`; `robust` asks what
a model is worth under all of them. attack(model, x, labels, threat, *, ...) -> x_adv, everywhere. `deepfool` and
`carlini_wagner` look for the smallest change, `square` needs no slope; `diagnose` tells hidden slopes from robustness.
"""

from dlcourse.attacks.apgd import ApgdStep, apgd, apgd_steps, checkpoints
from dlcourse.attacks.boundary import pulled_back
from dlcourse.attacks.carlini_wagner import CarliniWagnerStep, carlini_wagner, carlini_wagner_steps
from dlcourse.attacks.deepfool import DeepFoolStep, deepfool, deepfool_steps, nearest_delta
from dlcourse.attacks.diagnose import Diagnosis, Evidence, diagnose
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
from dlcourse.attacks.patch import Patch, PatchStep, paste, patch, patch_steps
from dlcourse.attacks.pgd import PgdStep, pgd, pgd_steps
from dlcourse.attacks.robust import EpsilonCurve, RobustAccuracy, epsilon_curve, robust_accuracy
from dlcourse.attacks.square import SquareStep, square, square_steps
from dlcourse.attacks.threat import L1, L2, Linf, Threat
from dlcourse.attacks.transfer import Transfer, transfer, transfer_rate

__all__ = [
    "L1",
    "L2",
    "ApgdStep",
    "CarliniWagnerStep",
    "DeepFoolStep",
    "Diagnosis",
    "EpsilonCurve",
    "Evidence",
    "Goal",
    "Linf",
    "Look",
    "MifgsmStep",
    "Patch",
    "PatchStep",
    "PgdStep",
    "RobustAccuracy",
    "SquareStep",
    "Threat",
    "Transfer",
    "answers",
    "apgd",
    "apgd_steps",
    "asking",
    "begin",
    "carlini_wagner",
    "carlini_wagner_steps",
    "checkpoints",
    "cross_entropy",
    "deepfool",
    "deepfool_steps",
    "diagnose",
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
    "nearest_delta",
    "paste",
    "patch",
    "patch_steps",
    "pgd",
    "pgd_steps",
    "pulled_back",
    "robust_accuracy",
    "square",
    "square_steps",
    "transfer",
    "transfer_rate",
]
