"""Layer-wise relevance propagation: hand the score back, layer by layer, to those who made it.

    R_j = sum over k of   c_jk / z_k  R_k         c_jk what unit j put into unit k,    z_k = sum over j of c_jk (+ bias)

(Bach et al., 2015, doi 10.1371/journal.pone.0130140, equation 56.) A rule says what counts as put in:

    Zero       c_jk = a_j w_jk                                                   LRP-0: together, input x gradient
    Epsilon    as Zero, with  eps sign(z_k)  added to z_k                        small and doubtful shares are dropped
    Gamma      c_jk = a_j (w_jk + gamma max(w_jk, 0)),  a >= 0                   what speaks for it counts more
    ZPlus      c_jk = max(a_j w_jk, 0)                                           only what speaks for it (alpha1 beta0)
    ZBox       c_jk = x_j w_jk - low max(w_jk, 0) - high min(w_jk, 0)            for pixels in [low, high]; no bias

(Montavon et al., 2019, "Layer-wise relevance propagation: an overview", table 1, who name one rule for each depth: the
composite ZBox, Gamma, Epsilon, Zero from the pixels up.) ReLU and dropout hand relevance through, a mean is a linear
layer, the largest of a window takes all, and batch norm is folded into the layer before it. What a bias put in
belongs to no pixel, and is lost with eps: `lrp_steps` says how much. Where it fails: one net, written in two ways, has
two maps; and ZPlus alone comes to depend on little but the image (Sixt et al., 2020, arXiv:1912.09818).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from einops import einsum
from torch import nn
from torch.nn import functional

from dlcourse.attribution.score import Target, answers, classes_of, examples
from dlcourse.nn import BatchNorm, Dropout, Linear, Normalize
from dlcourse.steps import last
from dlcourse.training.asking import asking
from dlcourse.types import Float, Tensor

Part = tuple[Tensor, Tensor, Tensor | None]  # activations, weight, bias


@dataclass(frozen=True)
class Zero:
    """LRP-0: everybody's share as it is. Noisy, and it blows up where z is almost 0."""

    def parts(self, a: Tensor, weight: Tensor, bias: Tensor | None) -> list[Part]:
        """z as a sum of linear layers: the fast form. The shares are a_part * weight_part, summed over the parts."""
        return [(a, weight, bias)]

    def shares(self, a: Tensor, weight: Tensor) -> Tensor:
        """c_jk as printed, for a (batch, in, 1) and weight (in, out): the slow form, (batch, in, out)."""
        return a * weight

    def bias(self, bias: Tensor) -> Tensor:
        """What the bias puts in."""
        return bias

    def steady(self, z: Tensor) -> Tensor:
        """The divisor. Where it is 0 nothing was put in, and nothing is handed back: see `_over`."""
        return z


@dataclass(frozen=True)
class Epsilon(Zero):
    """LRP-eps: eps in the units of z, which are those of the layer's output."""

    eps: float | int = 1e-6

    def steady(self, z: Tensor) -> Tensor:
        return z + self.eps * torch.where(z < 0, -1.0, 1.0).to(z)


@dataclass(frozen=True)
class Gamma(Zero):
    """LRP-gamma: the larger gamma, the nearer to ZPlus. For layers that see numbers of 0 or more."""

    gamma: float | int = 0.25

    def parts(self, a: Tensor, weight: Tensor, bias: Tensor | None) -> list[Part]:
        return [(a, self._more(weight), None if bias is None else self._more(bias))]

    def shares(self, a: Tensor, weight: Tensor) -> Tensor:
        return a * self._more(weight)

    def bias(self, bias: Tensor) -> Tensor:
        return self._more(bias)

    def _more(self, weight: Tensor) -> Tensor:
        return weight + self.gamma * weight.clamp(min=0)


@dataclass(frozen=True)
class ZPlus(Zero):
    """Only shares above 0, also those of a number below 0 by a weight below 0."""

    def parts(self, a: Tensor, weight: Tensor, bias: Tensor | None) -> list[Part]:
        positive = None if bias is None else self.bias(bias)
        return [(a.clamp(min=0), weight.clamp(min=0), positive), (a.clamp(max=0), weight.clamp(max=0), None)]

    def shares(self, a: Tensor, weight: Tensor) -> Tensor:
        return (a * weight).clamp(min=0)

    def bias(self, bias: Tensor) -> Tensor:
        return bias.clamp(min=0)


@dataclass(frozen=True)
class ZBox(Zero):
    """For the layer that sees pixels in [low, high]: black and white both can speak (Montavon et al., 2017)."""

    low: float | int = 0.0
    high: float | int = 1.0

    def parts(self, a: Tensor, weight: Tensor, bias: Tensor | None) -> list[Part]:
        low, high = torch.full_like(a, -self.low), torch.full_like(a, -self.high)
        return [(a, weight, None), (low, weight.clamp(min=0), None), (high, weight.clamp(max=0), None)]

    def shares(self, a: Tensor, weight: Tensor) -> Tensor:
        return a * weight - self.low * weight.clamp(min=0) - self.high * weight.clamp(max=0)

    def bias(self, bias: Tensor) -> Tensor:
        return torch.zeros_like(bias)


Rules = Zero | Mapping[str, Zero]


@dataclass(frozen=True, eq=False)
class LrpStep:
    """Relevance after one layer was gone back through, the last layer first."""

    name: str
    rule: Zero | None  # None where the layer only hands through
    relevance: Float[Tensor, "batch ..."]  # of what goes into the layer, in its shape
    lost: Float[Tensor, " batch"]  # what came from above and did not come out below: biases' share, and eps


def lrp_steps(model: nn.Module, x: Float[Tensor, "batch ..."], target: Target, *, rules: Rules) -> Iterator[LrpStep]:
    """Layer by layer from the logit to x.

    model: an nn.Sequential, however nested, of Linear, Conv2d, ReLU, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, Flatten,
    Dropout, Identity, Normalize, and batch norm behind a linear layer or a convolution, or behind the MaxPool2d that
    follows it. rules: one rule for all, or a mapping from the beginnings of layers' names to rules, of which the first
    that fits counts: {"conv1": ZBox(), "conv": Gamma(), "": Epsilon()}. A mean shares by Zero in any case.

    Raises TypeError for a layer of another kind, in another order, or without a rule, and for a norm that keeps no
    running statistics; ValueError for a target that is a function, because relevance begins as a logit; errors as
    `score`.
    """
    if callable(target):
        raise ValueError("lrp explains a logit: target is a class, or one for each example, and not a function.")
    layers = _layers(model, rules)
    inputs = [examples("lrp", x)]
    with asking(model):
        for layer in layers:
            inputs.append(layer.module(inputs[-1].clone()))  # a copy: a ReLU may work in place
    logits = answers(lambda _: inputs[-1], x)
    place = classes_of(target, logits)[:, None]
    relevance = torch.zeros_like(logits).scatter(1, place, logits.gather(1, place))
    for layer, a in zip(reversed(layers), reversed(inputs[:-1]), strict=True):
        below = _handed_back(layer, a, relevance)
        yield LrpStep(layer.name, layer.rule, below, relevance.flatten(1).sum(1) - below.flatten(1).sum(1))
        relevance = below


def lrp(model: nn.Module, x: Float[Tensor, "batch ..."], target: Target, *, rules: Rules) -> Float[Tensor, "batch ..."]:
    """The relevance of x, where `lrp_steps` ends. It sums to the logit, less what biases and eps took.

    >>> model = nn.Sequential(nn.Linear(2, 1, bias=False))
    >>> model[0].weight.data = torch.tensor([[3.0, -1.0]])
    >>> x = torch.ones(1, 2)
    >>> lrp(model, x, 0, rules=Zero()), lrp(model, x, 0, rules=ZPlus())
    (tensor([[ 3., -1.]]), tensor([[2., 0.]]))
    """
    return last(lrp_steps(model, x, target, rules=rules)).relevance


def as_matrix(layer: nn.Module, shape: tuple[int, ...]) -> Float[Tensor, "features out"]:
    """A linear layer, a convolution or a mean pool as one matrix, for one example of this shape; without its bias.

    Row j is what the layer makes of an example that is 1 at place j and 0 elsewhere, less what it makes of nothing.

    >>> as_matrix(nn.AvgPool2d((1, 2)), (1, 1, 4))
    tensor([[0.5000, 0.0000],
            [0.5000, 0.0000],
            [0.0000, 0.5000],
            [0.0000, 0.5000]])
    """
    like = next(layer.parameters(), torch.empty(0, device="cpu"))
    units = torch.eye(math.prod(shape), dtype=like.dtype, device=like.device).view(-1, *shape)
    with torch.no_grad():
        return (layer(units) - layer(torch.zeros_like(units))).flatten(1)


def lrp_by_matrix(
    a: Float[Tensor, "batch features"],
    matrix: Float[Tensor, "features out"],
    bias: Float[Tensor, " out"],
    relevance: Float[Tensor, "batch out"],
    rule: Zero,
) -> Float[Tensor, "batch features"]:
    """The slow definition of one layer's step: every share written out, (batch, features, out) of them.

    >>> one = torch.ones(1, 2)
    >>> lrp_by_matrix(one, torch.tensor([[3.0], [1.0]]), torch.zeros(1), torch.tensor([[8.0]]), Zero())
    tensor([[6., 2.]])
    """
    shares = rule.shares(a[:, :, None], matrix)
    z = rule.steady(shares.sum(1) + rule.bias(bias))
    return einsum(shares, _over(relevance, z), "batch features out, batch out -> batch features")


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer of the flattened model, with its rule; weight and bias have the batch norm behind it folded in."""

    name: str
    module: nn.Module
    rule: Zero | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None


WEIGHED, MEANS = (Linear, nn.Linear, nn.Conv2d), (nn.AvgPool2d, nn.AdaptiveAvgPool2d)
NORMS = (BatchNorm, nn.BatchNorm1d, nn.BatchNorm2d)
ROUTES = (nn.MaxPool2d, nn.Flatten)  # relevance goes back where the numbers came from
THROUGH = (nn.ReLU, nn.Identity, nn.Dropout, Dropout, Normalize)


def _layers(model: nn.Module, rules: Rules) -> list[_Layer]:
    """The layers in order, each with its rule, norms folded. Errors as `lrp_steps`."""
    found: list[_Layer] = []
    open_to_norm = None  # the layer that a batch norm would be folded into
    for name, module in _leaves(model):
        if isinstance(module, WEIGHED) and getattr(module, "padding_mode", "zeros") == "zeros":
            rule = _rule_for(name, rules)
            open_to_norm = len(found)
            found.append(_Layer(name, module, rule, module.weight.detach(), _bias_of(module)))
            continue
        if isinstance(module, NORMS) and open_to_norm is not None:
            found[open_to_norm] = _with_norm(found[open_to_norm], module)
        elif not isinstance(module, MEANS + ROUTES + THROUGH):
            raise TypeError(
                f"lrp has no rule for layer {name!r}, {type(module).__name__}, at this place. It knows linear layers, "
                "convolutions padded with zeros, ReLU, max and mean pools, Flatten, Dropout, Normalize, and batch norm "
                "behind a linear layer, a convolution or its max pool."
            )
        open_to_norm = open_to_norm if isinstance(module, nn.MaxPool2d) else None
        found.append(_Layer(name, module, Zero() if isinstance(module, MEANS) else None))
    return found


def _leaves(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers of nested Sequentials in the order in which they run, by their full names."""
    if not isinstance(model, nn.Sequential) or type(model).forward is not nn.Sequential.forward:
        yield prefix, model
        return
    for name, child in model._modules.items():
        yield from _leaves(child, f"{prefix}.{name}" if prefix else name)


def _rule_for(name: str, rules: Rules) -> Zero:
    if isinstance(rules, Zero):
        return rules
    for beginning, rule in rules.items():
        if name.startswith(beginning):
            return rule
    raise TypeError(f'lrp: no rule for layer {name!r} among {list(rules)}; end the mapping with "": Epsilon().')


def _bias_of(module: nn.Module) -> Tensor:
    return module.weight.new_zeros(len(module.weight)) if module.bias is None else module.bias.detach()


def _with_norm(layer: _Layer, norm: nn.Module) -> _Layer:
    """norm(layer(a)) as one linear layer. Errors as `lrp_steps`."""
    if norm.running_var is None:
        raise TypeError(
            f"lrp: the {type(norm).__name__} behind layer {layer.name!r} keeps no running statistics, so it mixes the "
            "examples of a batch and is no linear layer; train it with track_running_stats=True."
        )
    scale = 1 / torch.sqrt(norm.running_var + norm.eps)
    shift = -norm.running_mean * scale
    if norm.weight is not None:  # affine
        scale, shift = scale * norm.weight.detach(), shift * norm.weight.detach() + norm.bias.detach()
    weight = layer.weight * scale.view(-1, *[1] * (layer.weight.ndim - 1))
    return replace(layer, weight=weight, bias=layer.bias * scale + shift)


def _handed_back(layer: _Layer, a: Tensor, relevance: Tensor) -> Tensor:
    """The relevance of a, which went into the layer, from that of what came out."""
    if layer.weight is not None:
        parts = layer.rule.parts(a, layer.weight, layer.bias)
        z = layer.rule.steady(sum(_linear(layer.module, *part) for part in parts))
        share = _over(relevance, z)
        return sum(part[0] * _back(lambda t, w=part[1]: _linear(layer.module, t, w, None), a, share) for part in parts)
    if isinstance(layer.module, MEANS):
        return a * _back(layer.module, a, _over(relevance, layer.module(a)))
    return _back(layer.module, a, relevance) if isinstance(layer.module, ROUTES) else relevance


def _linear(module: nn.Module, a: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if isinstance(module, nn.Conv2d):
        return functional.conv2d(a, weight, bias, module.stride, module.padding, module.dilation, module.groups)
    return functional.linear(a, weight, bias)


def _back(function: Callable[[Tensor], Tensor], a: Tensor, cotangent: Tensor) -> Tensor:
    """The transposed of a function that is linear, or a choice, at a."""
    with torch.enable_grad():
        leaf = a.detach().requires_grad_()
        return torch.autograd.grad(function(leaf), leaf, cotangent)[0]


def _over(relevance: Tensor, z: Tensor) -> Tensor:
    """relevance / z, and 0 where z is 0: nobody put anything in."""
    return torch.where(z == 0, 0.0, relevance / z)
