"""Inside a network: what a layer knows, which part carries an answer, and what its units look like.

Read `probe` (can it be read off?) and `patching` (is it used?) first, with the hand-set `circuits` on which both can be
wrong; then `visualise` and `style`, which train a picture instead of weights (`pixels`).
"""

from dlcourse.mechanistic.activations import activations, outputs
from dlcourse.mechanistic.circuits import Circuit, both, comparator, either, parity, recall
from dlcourse.mechanistic.patching import Patching, Site, activation_patching, patched
from dlcourse.mechanistic.pixels import PixelStep, pixel_steps
from dlcourse.mechanistic.probe import Examples, Probe, Selectivity, control_task, linear_probe, selectivity
from dlcourse.mechanistic.style import (
    content_loss,
    gram,
    gram_definition,
    style_loss,
    style_transfer,
    style_transfer_steps,
)
from dlcourse.mechanistic.visualise import (
    L2,
    TotalVariation,
    feature_visualisation,
    feature_visualisation_steps,
    reached,
)

__all__ = [
    "L2",
    "Circuit",
    "Examples",
    "Patching",
    "PixelStep",
    "Probe",
    "Selectivity",
    "Site",
    "TotalVariation",
    "activation_patching",
    "activations",
    "both",
    "comparator",
    "content_loss",
    "control_task",
    "either",
    "feature_visualisation",
    "feature_visualisation_steps",
    "gram",
    "gram_definition",
    "linear_probe",
    "outputs",
    "parity",
    "patched",
    "pixel_steps",
    "reached",
    "recall",
    "selectivity",
    "style_loss",
    "style_transfer",
    "style_transfer_steps",
]
