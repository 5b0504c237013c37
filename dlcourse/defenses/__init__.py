"""Defences: training on the worst examples, certificates, and defences that only seem to be some.

Read `adversarial` first (batches that are attacked when they are asked for), then `trades`; `smoothing` certifies, and
`broken` holds defences that hide the slope, and what sees through them.
"""

from dlcourse.defenses.adversarial import AdversarialBatches, adversarial_batches
from dlcourse.defenses.broken import (
    Quantise,
    RandomDrop,
    Scale,
    bpda,
    distillation_loss,
    eot,
    soft_labels,
)
from dlcourse.defenses.smoothing import (
    ABSTAINS,
    Certificate,
    certified_radius,
    certify,
    lower_bound,
    lower_bound_definition,
    noisy_counts,
    predict,
)
from dlcourse.defenses.trades import divergence, trades_attack, trades_batches, trades_loss

__all__ = [
    "ABSTAINS",
    "AdversarialBatches",
    "Certificate",
    "Quantise",
    "RandomDrop",
    "Scale",
    "adversarial_batches",
    "bpda",
    "certified_radius",
    "certify",
    "distillation_loss",
    "divergence",
    "eot",
    "lower_bound",
    "lower_bound_definition",
    "noisy_counts",
    "predict",
    "soft_labels",
    "trades_attack",
    "trades_batches",
    "trades_loss",
]
