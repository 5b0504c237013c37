"""Attribution: which numbers of x made the score, by which method, and whether that is true.

Read `score` first (what is explained), then `gradient` and `integrated`; `axioms` and `faithfulness` judge every map,
`known` holds models whose truth is known. method(model, x, target, *, ...) -> map, everywhere; methods of a layer give
a map of its shape. `guided` is here as a warning.
"""

from dlcourse.attribution.axioms import AxiomReport, axioms, completeness, conservation, dummies, dummy, symmetry
from dlcourse.attribution.cam import grad_cam, layer_gradient_x_activation, layer_integrated_gradients, upsampled
from dlcourse.attribution.covered import covered_scores
from dlcourse.attribution.faithfulness import (
    CascadeStep,
    Curve,
    Retrained,
    cascading_randomisation,
    cascading_randomisation_steps,
    deletion,
    infidelity,
    insertion,
    random_map,
    rank_correlation,
    ranks,
    remove_and_retrain,
    sensitivity,
)
from dlcourse.attribution.gradient import SmoothgradStep, input_x_gradient, saliency, smoothgrad, smoothgrad_steps
from dlcourse.attribution.guided import deconvnet, guided_backprop
from dlcourse.attribution.integrated import (
    IntegratedStep,
    gauss_legendre,
    integrated_gradients,
    integrated_gradients_steps,
    right_ends,
    trapezoid,
)
from dlcourse.attribution.known import Additive, Agreement, Either, Planted, Product, agreement, planted_shortcut
from dlcourse.attribution.lrp import (
    Epsilon,
    Gamma,
    LrpStep,
    ZBox,
    Zero,
    ZPlus,
    as_matrix,
    lrp,
    lrp_by_matrix,
    lrp_steps,
)
from dlcourse.attribution.occlusion import occlusion
from dlcourse.attribution.score import probability, score, scores, slope
from dlcourse.attribution.shapley import (
    ShapleyStep,
    game_of,
    shapley,
    shapley_by_orders,
    shapley_exact,
    shapley_sampled,
    shapley_sampled_steps,
)

__all__ = [
    "Additive",
    "Agreement",
    "AxiomReport",
    "CascadeStep",
    "Curve",
    "Either",
    "Epsilon",
    "Gamma",
    "IntegratedStep",
    "LrpStep",
    "Planted",
    "Product",
    "Retrained",
    "ShapleyStep",
    "SmoothgradStep",
    "ZBox",
    "ZPlus",
    "Zero",
    "agreement",
    "as_matrix",
    "axioms",
    "cascading_randomisation",
    "cascading_randomisation_steps",
    "completeness",
    "conservation",
    "covered_scores",
    "deconvnet",
    "deletion",
    "dummies",
    "dummy",
    "game_of",
    "gauss_legendre",
    "grad_cam",
    "guided_backprop",
    "infidelity",
    "input_x_gradient",
    "insertion",
    "integrated_gradients",
    "integrated_gradients_steps",
    "layer_gradient_x_activation",
    "layer_integrated_gradients",
    "lrp",
    "lrp_by_matrix",
    "lrp_steps",
    "occlusion",
    "planted_shortcut",
    "probability",
    "random_map",
    "rank_correlation",
    "ranks",
    "remove_and_retrain",
    "right_ends",
    "saliency",
    "score",
    "scores",
    "sensitivity",
    "shapley",
    "shapley_by_orders",
    "shapley_exact",
    "shapley_sampled",
    "shapley_sampled_steps",
    "slope",
    "smoothgrad",
    "smoothgrad_steps",
    "symmetry",
    "trapezoid",
    "upsampled",
]
