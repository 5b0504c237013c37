"""Attacks: small changes that make a network wrong, each within a stated threat.

Read `threat` first (what may be changed), then `objective` (what is raised), then `fgsm` and `pgd`.
"""

from dlcourse.attacks.objective import Goal, cross_entropy, dlr, fooled, input_gradient, margin
from dlcourse.attacks.threat import L1, L2, Linf, Threat

__all__ = ["L1", "L2", "Goal", "Linf", "Threat", "cross_entropy", "dlr", "fooled", "input_gradient", "margin"]
