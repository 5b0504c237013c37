"""Defences that only hide the slope, and how each is seen through. None of them makes a network robust.

    defence                          what the attacker sees          what sees through it
    Scale, distilled                 a cross-entropy that is 0       another objective: margin, dlr
    Quantise                         a slope that is 0               bpda: another slope on the way back
    RandomDrop                       a slope that is mostly noise    eot: the average over many draws

(Athalye, Carlini and Wagner, 2018, arXiv:1802.00420: seven of nine published defences of one conference fell so.) An
attack without slopes, such as Square, or one made on another network, sees through those that do not draw. Each is a
layer to be put before or behind a model, with torch.nn.Sequential. Where this fails: that none of these three finds
anything does not prove that a defence holds.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from dlcourse.attacks.objective import answers, asking
from dlcourse.nn.sizes import whole
from dlcourse.nn.softmax import log_softmax, softmax
from dlcourse.types import Float, Tensor


class Scale(torch.nn.Module):
    """Behind a model: all logits times `factor`. No answer changes; with a large factor the cross-entropy is flat.

    In float32 the right class has a probability of exactly 1 once its logit leads by 17, and no slope is left. Raises
    ValueError for a factor that is not above 0.

    >>> Scale(100.0)(torch.tensor([[0.0, 0.5]])).softmax(1)
    tensor([[1.9287e-22, 1.0000e+00]])
    """

    def __init__(self, factor: float):
        super().__init__()
        if not 0 < factor < math.inf:
            raise ValueError(f"Scale(factor={factor}): wanted a finite number above 0.")
        self.factor = factor

    def forward(self, logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
        return self.factor * logits

    def extra_repr(self) -> str:
        return f"{self.factor}"


class Quantise(torch.nn.Module):
    """Before a model: pixels in [0, 1] rounded to the nearest of `levels` even ones. The slope is 0 everywhere.

    (Buckman et al., 2018, "Thermometer encoding", without the encoding.) Raises ValueError for fewer than two levels.

    >>> Quantise(5)(torch.tensor([[0.1, 0.2, 0.9]]))
    tensor([[0.0000, 0.2500, 1.0000]])
    """

    def __init__(self, levels: int):
        super().__init__()
        (self.levels,) = whole("Quantise", 2, levels=levels)

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        return (x * (self.levels - 1)).round() / (self.levels - 1)

    def extra_repr(self) -> str:
        return f"{self.levels}"


class RandomDrop(torch.nn.Module):
    """Before a model: each pixel is set to 0 with probability p, anew at each call, in eval mode too.

    (Akin to Dhillon et al., 2018, arXiv:1803.01442, which drops within the network.) p: in [0, 1). Raises ValueError
    for another.

    >>> RandomDrop(0.5, generator=torch.Generator().manual_seed(0))(torch.ones(1, 6))
    tensor([[0., 1., 0., 0., 0., 1.]])
    """

    def __init__(self, p: float, *, generator: torch.Generator):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"RandomDrop(p={p}): wanted a probability of 0 or more, below 1.")
        self.p, self.generator = p, generator

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        numbers = torch.rand(x.shape, generator=self.generator, device=self.generator.device).to(x.device)
        return x * (numbers >= self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


# --- defensive distillation -------------------------------------------------------------------------------------------


def soft_labels(
    teacher: Callable[[Tensor], Tensor], x: Float[Tensor, "batch ..."], *, temperature: float
) -> Float[Tensor, "batch classes"]:
    """The teacher's probabilities at this temperature: softmax(logits / temperature), asked in eval mode.

    >>> soft_labels(lambda x: x, torch.tensor([[0.0, 3.0]]).exp().log(), temperature=3.0)
    tensor([[0.2689, 0.7311]])
    """
    _check_temperature("soft_labels", temperature)
    with asking(teacher):
        return softmax(answers(teacher, x) / temperature)


def distillation_loss(
    logits: Float[Tensor, "batch classes"], soft: Float[Tensor, "batch classes"], *, temperature: float
) -> Float[Tensor, ""]:
    """The mean cross-entropy, in nats, between soft labels and softmax(logits / temperature).

    Defensive distillation (Papernot et al., 2016, arXiv:1511.04508) trains a student so, at a temperature of 100 or so,
    and then uses it at 1: its logits have become that much larger, and the cross-entropy is as flat as behind `Scale`
    (Carlini and Wagner, 2016, arXiv:1607.04311).

    >>> distillation_loss(torch.tensor([[0.0, 100.0]]), torch.tensor([[0.25, 0.75]]), temperature=100.0)
    tensor(0.5633)
    """
    _check_temperature("distillation_loss", temperature)
    return -(soft * log_softmax(logits / temperature)).sum(1).mean()


def _check_temperature(caller: str, temperature: float) -> None:
    if not 0 < temperature < math.inf:
        raise ValueError(f"{caller} got temperature={temperature}; wanted a finite number above 0.")


# --- how they are seen through ----------------------------------------------------------------------------------------


class BPDA(torch.nn.Module):
    """What `bpda` makes: forward as `layer`, backward as `slope`."""

    def __init__(self, layer: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]):
        super().__init__()
        self.layer, self.slope = layer, slope

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        with torch.no_grad():
            value = self.layer(x)
        return _Borrowed.apply(self.slope(x), value)


class _Borrowed(torch.autograd.Function):
    """The second tensor, with the slope of the first."""

    @staticmethod
    def forward(ctx: Any, like: Tensor, value: Tensor) -> Tensor:
        if like.shape != value.shape:
            raise ValueError(f"bpda: the layer made {tuple(value.shape)}, the slope {tuple(like.shape)}; wanted one.")
        return value.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def bpda(layer: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor] = lambda x: x) -> BPDA:
    """Backward pass differentiable approximation: the layer's values, to the bit, with the slope of another function.

    slope: something that is much like the layer and can be differentiated; by default x itself, which suits whatever
    leaves x almost as it is (Athalye, Carlini and Wagner, 2018, section 4.1). The model to be attacked is then
    Sequential(bpda(layer), model), and x_adv is tried on the defended one.

    >>> x = torch.tensor([[0.1, 0.6]], requires_grad=True)
    >>> y = bpda(torch.round)(x)
    >>> y.sum().backward()
    >>> y.detach(), x.grad
    (tensor([[0., 1.]]), tensor([[1., 1.]]))
    """
    return BPDA(layer, slope)


class EOT(torch.nn.Module):
    """What `eot` makes: the logarithm of the mean probabilities over `draws` calls."""

    def __init__(self, model: Callable[[Tensor], Tensor], draws: int):
        super().__init__()
        self.model, self.draws = model, draws

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
        each = torch.stack([log_softmax(self.model(x)) for _ in range(self.draws)])
        return each.logsumexp(0) - math.log(self.draws)


def eot(model: Callable[[Tensor], Tensor], draws: int) -> EOT:
    """Expectation over transformation: a model that answers the mean of `draws` answers of one that is random.

    Its logits are the logarithms of the mean probabilities, so that the cross-entropy for them is -log of the mean
    chance to be right, and its slope that of the mean. (Athalye, Engstrom, Ilyas and Kwok, 2018, arXiv:1707.07397, take
    the mean of the losses, in which the draws that are fooled already count most.) Each
    step of an attack costs `draws` times as much. Raises ValueError for a number of draws that is not whole or below 1.

    >>> coin = iter([torch.tensor([[1.0, 0.0]]).log(), torch.tensor([[0.5, 0.5]]).log()])
    >>> eot(lambda x: next(coin), draws=2)(torch.zeros(1, 1)).exp()
    tensor([[0.7500, 0.2500]])
    """
    (draws,) = whole("eot", 1, draws=draws)
    return EOT(model, draws)
