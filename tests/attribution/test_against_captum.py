"""The explanations equal captum's, live, to 1e-5, on one network and the same pictures, once conventions are matched.

What has to be matched: captum's saliency drops the sign by default; its Grad-CAM keeps the sign and a channel of 1; its
Shapley values give each pixel all that its group has; its trapezoids weigh (n - 1) / n in all; its LRP leaves the bias
as it is under gamma and alpha-beta, knows no Flatten and takes 1e-9 for eps where a layer has no rule.
"""

import copy
import warnings
from functools import partial

import captum.attr as library
import pytest
import torch
from captum.attr._utils import lrp_rules
from captum.metrics import infidelity as library_infidelity
from captum.metrics import sensitivity_max
from dlcourse_attribution import in_place
from dlcourse_oracles import random, source

from dlcourse import attribution, models

nn = torch.nn
BASELINE = 0.3


def close(ours, theirs):
    """To 1e-5, on a map that is not all zeros."""
    assert theirs.abs().max() > 1e-3
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum warns of each gradient it asks for and each hook that it sets
        yield


@pytest.fixture(scope="module")
def chapter():
    """The chapter's kind of network, in float32, with norms that have seen something, and pictures."""
    g = source(0, "cpu")
    model = models.lenet(image=(1, 8, 8), widths=(8, 16), kernel=3, generator=g)
    for name in ("norm1", "norm2"):
        norm = model.get_submodule(name)
        norm.running_mean.normal_(generator=g)
        norm.running_var.uniform_(0.5, 2.0, generator=g)
        norm.weight.data.normal_(generator=g)
    x = torch.rand(16, 1, 8, 8, generator=g, device="cpu")
    return model.eval(), x, torch.randint(10, (16,), generator=g, device="cpu")


def test_saliency_and_input_x_gradient(chapter):
    model, x, target = chapter
    close(attribution.saliency(model, x, target), library.Saliency(model).attribute(x.clone(), target, abs=False))
    close(attribution.input_x_gradient(model, x, target), library.InputXGradient(model).attribute(x.clone(), target))


@pytest.mark.parametrize(
    ("rule", "name", "factor"),
    [
        ("gauss_legendre", "gausslegendre", 1),
        ("right_ends", "riemann_right", 1),
        ("trapezoid", "riemann_trapezoid", 50 / 49),
    ],
)
def test_integrated_gradients(chapter, rule, name, factor):
    model, x, target = chapter
    for steps, baseline in ((50, 0.0), (50, BASELINE)):
        options = {"baseline": baseline, "steps": steps, "rule": getattr(attribution, rule)}
        theirs = library.IntegratedGradients(model).attribute(x, baseline, target, n_steps=steps, method=name)
        close(attribution.integrated_gradients(model, x, target, **options), factor * theirs)


@pytest.mark.parametrize("make", [None, in_place], ids=["module", "in place"])
def test_guided_backprop_and_deconvnet(chapter, make):
    model, x, target = chapter
    if make is not None:  # captum cannot hook a ReLU that works in place: it gets the same network out of place
        model, other = make("cpu").float().eval(), make("cpu").float().eval()
        other.relu1.inplace = other.relu2.inplace = False
        x, target = random(5, 2, 6, 5, dtype=torch.float32), torch.tensor([0, 1, 2, 0, 1])
    else:
        other = copy.deepcopy(model)
    close(attribution.guided_backprop(model, x, target), library.GuidedBackprop(other).attribute(x.clone(), target))
    close(attribution.deconvnet(model, x, target), library.Deconvolution(other).attribute(x.clone(), target))


@pytest.mark.parametrize("layer", ["conv1", "norm1", "conv2", "relu2"])
def test_layers(chapter, layer):
    model, x, target = chapter
    module = model.get_submodule(layer)
    theirs = library.LayerGradCam(model, module)
    signed = attribution.grad_cam(model, x, target, layer=layer, relu=False)
    close(signed, theirs.attribute(x, target)[:, 0])
    cut = attribution.grad_cam(model, x, target, layer=layer)
    close(cut, theirs.attribute(x, target, relu_attributions=True)[:, 0])
    wide = library.LayerAttribution.interpolate(cut[:, None], (8, 8), "bilinear")[:, 0]
    close(attribution.upsampled(cut, (8, 8)), wide)
    product = library.LayerGradientXActivation(model, module).attribute(x, target)
    close(attribution.layer_gradient_x_activation(model, x, target, layer=layer), product)
    path = library.LayerIntegratedGradients(model, module).attribute(x, BASELINE, target)
    close(attribution.layer_integrated_gradients(model, x, target, layer=layer, baseline=BASELINE), path)


@pytest.mark.parametrize(("window", "stride"), [((3, 3), (1, 1)), ((3, 2), (2, 2)), ((5, 4), (3, 4)), ((8, 8), (8, 8))])
def test_occlusion(chapter, window, stride):
    model, x, target = chapter
    theirs = library.Occlusion(model).attribute(x, (1, *window), (1, *stride), BASELINE, target)
    close(attribution.occlusion(model, x, target, window=window, stride=stride, baseline=BASELINE), theirs)


def test_shapley_values(chapter):
    model, x, target = chapter
    groups = ((torch.arange(8) // 4)[:, None] * 2 + torch.arange(8) // 4)[None]  # quarters
    theirs = library.ShapleyValues(model).attribute(x, BASELINE, target, feature_mask=groups[None])
    close(attribution.shapley(model, x, target, groups=groups, baseline=BASELINE), theirs / 16)


class Functional(nn.Module):
    """A Sequential whose Flatten is a function, for captum's LRP, which does not know the module."""

    def __init__(self, model):
        super().__init__()
        at = [type(layer) for layer in model].index(nn.Flatten)
        self.below, self.above = model[:at], model[at + 1 :]

    def forward(self, x):
        return self.above(self.below(x).flatten(1))


def network(bias):
    g = source(3, "cpu")
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1, bias=bias), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 2, bias=bias)),
        *(nn.ReLU(), nn.AvgPool2d(2, stride=1), nn.Flatten(), nn.Linear(32, 12, bias=bias), nn.ReLU()),
        nn.Linear(12, 5, bias=bias),
    )
    for p in model.parameters():
        p.data.normal_(0, 0.4, generator=g)
    return (
        model.eval(),
        torch.rand(9, 1, 8, 8, generator=g, device="cpu"),
        torch.randint(5, (9,), generator=g, device="cpu"),
    )


# Ours, captum's, and whether a bias counts the same.
LRP_RULES = {
    "Zero": (attribution.Zero(), lambda: lrp_rules.EpsilonRule(1e-12), False),
    "Epsilon": (attribution.Epsilon(0.05), lambda: lrp_rules.EpsilonRule(0.05), True),
    "Gamma": (attribution.Gamma(0.4), lambda: lrp_rules.GammaRule(0.4), False),
    "ZPlus": (attribution.ZPlus(), lrp_rules.Alpha1_Beta0_Rule, False),
}


@pytest.mark.parametrize("name", LRP_RULES)
def test_lrp(name):
    ours, theirs, with_bias = LRP_RULES[name]
    for bias in (False, with_bias):
        model, x, target = network(bias)
        other = Functional(copy.deepcopy(model))
        for module in other.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.rule = theirs()
        close(attribution.lrp(model, x, target, rules=ours), library.LRP(other).attribute(x.clone(), target))


def test_a_rule_for_each_layer():
    """Captum's rules hang on the modules, ours come in a mapping of names."""
    model, x, target = network(False)
    other = Functional(copy.deepcopy(model))
    for module, rule in zip(
        (other.below[0], other.below[3], other.above[0], other.above[2]),
        (lrp_rules.Alpha1_Beta0_Rule(), lrp_rules.GammaRule(0.25), *[lrp_rules.EpsilonRule(0.01)] * 2),
        strict=True,
    ):
        module.rule = rule
    rules = {"0": attribution.ZPlus(), "3": attribution.Gamma(), "": attribution.Epsilon(0.01)}
    close(attribution.lrp(model, x, target, rules=rules), library.LRP(other).attribute(x.clone(), target))


def test_infidelity_and_sensitivity(chapter):
    model, x, target = chapter
    map = attribution.saliency(model, x, target)
    g = source(4, "cpu")

    def noise(inputs):
        return 0.1 * torch.randn(inputs.shape, generator=g, device="cpu")

    def perturbed(inputs):
        delta = noise(inputs)
        return delta, inputs - delta

    theirs = library_infidelity(model, perturbed, x, map, target=target, n_perturb_samples=6, max_examples_per_batch=16)
    ours = attribution.infidelity(model, x, target, map, sd=0.1, samples=6, generator=source(4, "cpu"))
    close(ours, theirs)
    g = source(5, "cpu")

    def near(inputs):
        return inputs + 0.2 * (2 * torch.rand(inputs.shape, generator=g, device="cpu") - 1)

    explain = partial(library.Saliency(model).attribute, abs=False)
    theirs = sensitivity_max(
        explain, x, near, target=target, n_perturb_samples=4, norm_ord=2, max_examples_per_batch=16
    )
    ours = attribution.sensitivity(
        model, x, target, attribution.saliency, radius=0.2, samples=4, generator=source(5, "cpu")
    )
    close(ours, theirs)
