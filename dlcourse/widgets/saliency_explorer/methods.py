"""The methods whose maps stand side by side, as a table: how each is called here, and how the same call is written.

    signed     has the map two directions, for and against the target, or one?
    promise    the sum that the method keeps by its construction, of those that `attribution.axioms` measures

Options are one choice for all pictures: enough noise, points and groups to see what a method does, in a few
milliseconds each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from dlcourse import attribution, generator
from dlcourse.types import Float, Int, Tensor

SD, SAMPLES, STEPS, GAMMA = 0.15, 16, 64, 0.25
BLOCKS = 3  # groups of pixels along a side, for Shapley values: 2^9 coalitions


@dataclass(frozen=True, eq=False)
class Setting:
    """What methods need beside model, picture and target."""

    baseline: Float[Tensor, "1 1 height width"]
    layer: str | None  # Grad-CAM's: the last convolution, if there is one
    window: int  # of occlusion: a quarter of the picture's smaller side

    @property
    def groups(self) -> Int[Tensor, "height width"]:
        """The number of its block for each pixel, at most `BLOCKS` in each direction."""
        sizes, like = self.baseline.shape[2:], self.baseline.device
        rows, columns = (torch.arange(size, device=like) * min(BLOCKS, size) // size for size in sizes)
        return rows[:, None] * min(BLOCKS, sizes[1]) + columns


@dataclass(frozen=True)
class Method:
    title: str
    about: str  # one sentence
    call: Callable[[Callable, Tensor, int, Setting], Tensor]  # (model, x, target, setting) -> a map shaped like x
    code: str  # the same as text, of model, x, target, baseline and groups
    signed: bool = True
    promise: str = ""
    layers: bool = False  # it needs a torch network, and not any function


def _grad_cam(model: Callable, x: Tensor, target: int, setting: Setting) -> Tensor:
    if setting.layer is None:
        raise ValueError("The network has no convolution, so there are no maps that know where.")
    return attribution.upsampled(attribution.grad_cam(model, x, target, layer=setting.layer), x.shape[2:])[:, None]


METHODS = {
    "saliency": Method(
        "Saliency",
        "The slope: by how much the score rises with a little more ink.",
        lambda model, x, target, _: attribution.saliency(model, x, target),
        "attribution.saliency(model, x, target)",
    ),
    "input_x_gradient": Method(
        "Input \N{MULTIPLICATION SIGN} gradient",
        "The slope times the pixel, so 0 wherever there is no ink, whatever the network.",
        lambda model, x, target, _: attribution.input_x_gradient(model, x, target),
        "attribution.input_x_gradient(model, x, target)",
    ),
    "smoothgrad": Method(
        "SmoothGrad",
        f"The mean slope over {SAMPLES} noisy copies of the picture.",
        lambda model, x, target, _: attribution.smoothgrad(
            model, x, target, sd=SD, samples=SAMPLES, generator=generator(0, like=x)
        ),
        f"attribution.smoothgrad(model, x, target, sd={SD}, samples={SAMPLES}, generator=generator(0, like=x))",
    ),
    "integrated_gradients": Method(
        "Integrated gradients",
        "The slopes on the way from the baseline, added up, so 0 wherever the picture is the baseline.",
        lambda model, x, target, setting: attribution.integrated_gradients(
            model, x, target, baseline=setting.baseline, steps=STEPS
        ),
        f"attribution.integrated_gradients(model, x, target, baseline=baseline, steps={STEPS})",
        promise="completeness",
    ),
    "guided_backprop": Method(
        "Guided backprop",
        "The slope without what is below 0 on its way back: crisp, and hardly about the network.",
        lambda model, x, target, _: attribution.guided_backprop(model, x, target),
        "attribution.guided_backprop(model, x, target)",
    ),
    "grad_cam": Method(
        "Grad-CAM",
        "Where the last convolution's maps speak for the target; what speaks against it is cut.",
        _grad_cam,
        "attribution.upsampled(attribution.grad_cam(model, x, target, layer={layer!r}), x.shape[2:])[:, None]",
        signed=False,
        layers=True,
    ),
    "occlusion": Method(
        "Occlusion",
        "By how much the score falls when a window shows the baseline.",
        lambda model, x, target, setting: attribution.occlusion(
            model, x, target, window=setting.window, stride=(setting.window + 1) // 2, baseline=setting.baseline
        ),
        "attribution.occlusion(model, x, target, window={window}, stride={stride}, baseline=baseline)",
    ),
    "lrp": Method(
        "LRP-gamma",
        f"The score handed back layer by layer to those who made it; shares for it count {GAMMA} more.",
        lambda model, x, target, _: attribution.lrp(model, x, target, rules=attribution.Gamma(GAMMA)),
        f"attribution.lrp(model, x, target, rules=attribution.Gamma({GAMMA}))",
        promise="conservation",
        layers=True,
    ),
    "shapley": Method(
        "Shapley values",
        "What each block of pixels brings on the average over all orders in which blocks may come.",
        lambda model, x, target, setting: attribution.shapley(
            model, x, target, groups=setting.groups, baseline=setting.baseline
        ),
        "attribution.shapley(model, x, target, groups=groups, baseline=baseline)",
        promise="completeness",
    ),
}


@dataclass(frozen=True, eq=False)
class Map:
    """A method's map, shaped like x; or why there is none."""

    values: Float[Tensor, "1 1 height width"] | None
    why: str = ""

    @cached_property
    def reach(self) -> float:
        """The value of the strongest colour: the largest size, or 1 where all is 0 or nothing is a number."""
        if self.values is None:
            return 1.0
        return float(self.values.abs().nan_to_num(0.0, 0.0, 0.0).max()) or 1.0


def explain(
    method: Method, model: Callable, x: Float[Tensor, "1 1 height width"], target: int, setting: Setting
) -> Map:
    """The map. What a method refuses is told as it tells it: its first sentence."""
    if method.layers and not isinstance(model, torch.nn.Module):
        return Map(None, "It looks into the layers of a torch network, and this is another function.")
    try:
        return Map(method.call(model, x, target, setting))
    except (ValueError, TypeError, RuntimeError) as error:
        return Map(None, _first_sentence(str(error)) or f"It failed on this network: {type(error).__name__}.")


def _first_sentence(text: str) -> str:
    """Without the name of the function that says it.

    >>> _first_sentence("guided: there is none. Use another.\\nOr this.")
    'There is none.'
    """
    first = text.partition("\n")[0].partition(". ")[0].rstrip(".")
    caller, colon, rest = first.partition(": ")
    if colon and caller.isidentifier():
        first = rest[:1].upper() + rest[1:]
    return first and first + "."


def code(method: Method, setting: Setting) -> str:
    """The call as a line of Python."""
    return method.code.format(layer=setting.layer, window=setting.window, stride=(setting.window + 1) // 2)
