"""The learner's network and pictures, checked; the network as a copy, because it may be trained on meanwhile."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch

from dlcourse.attribution.score import answers
from dlcourse.training.asking import asking
from dlcourse.types import Bool, Float, Tensor
from dlcourse.widgets.feature_map_explorer.network import stamp
from dlcourse.widgets.labelled import class_names, class_numbers, pictures
from dlcourse.widgets.params import shown
from dlcourse.widgets.saliency_explorer import own
from dlcourse.widgets.saliency_explorer.params import MOST_LAYERS, WORDS

DRAWN = ((8, 8), (28, 28))  # pictures of these sizes can be drawn
WANTED = "SaliencyExplorer(model=network, x=pictures, labels=labels)"


class Given:
    """A network, pictures, labels, names of classes, and the pixels that matter, where they are known.

    Raises ValueError that says what is wanted.
    """

    def __init__(self, model: Any, x: Any, labels: Any, truth: Any, classes: Sequence[str] | None) -> None:
        self.own = model is None and x is None and labels is None
        if self.own:
            model, (x, labels) = own.network(), own.pictures()
        if model is None or x is None or labels is None:
            missing = [name for name, what in (("model", model), ("x", x), ("labels", labels)) if what is None]
            raise ValueError(f"SaliencyExplorer got no {' and no '.join(missing)}. Wanted all or none of it: {WANTED}.")
        if not callable(model):
            raise ValueError(
                f"SaliencyExplorer got {type(model).__name__} as the model; wanted a network: a callable from pictures "
                f"(n, 1, height, width) to logits (n, classes). {WANTED}."
            )
        self.images = pictures("SaliencyExplorer", x, needs_two="a map needs two or more to compare")
        self.shape: tuple[int, int] = tuple(self.images.shape[2:])
        self.labels = class_numbers("SaliencyExplorer", labels, len(self.images))
        self.truth = _truth(truth, self.shape)
        self.source = model
        self.version = 0  # counts the states of the network that were seen
        self._stamp: Any = None
        self.refresh()
        self.classes = class_names("SaliencyExplorer", classes, self._asked(), self.labels, taken=WORDS)

    @property
    def drawable(self) -> bool:
        return self.shape in DRAWN

    def refresh(self) -> bool:
        """See the network as it is now; whether it had changed. A callable that is no module is asked as it is."""
        if not isinstance(self.source, torch.nn.Module):
            self.model = self.source
            return False
        now = stamp(self.source)
        if now == self._stamp:
            return False
        try:
            self.model = copy.deepcopy(self.source).eval()
        except Exception as error:
            raise ValueError(f"SaliencyExplorer explains a copy, and this network cannot be copied: {error}") from error
        self._stamp = now
        self.version += 1
        return True

    @property
    def layers(self) -> list[str]:
        """The layers that own parameters, the last one first: the order in which they are randomised."""
        if not isinstance(self.model, torch.nn.Module):
            return []
        owners = [name for name, module in self.model.named_modules() if [*module.parameters(recurse=False)]]
        return owners[::-1][:MOST_LAYERS]

    @property
    def convolution(self) -> str | None:
        """The last one, whose maps Grad-CAM reads."""
        if not isinstance(self.model, torch.nn.Module):
            return None
        found = [name for name, module in self.model.named_modules() if isinstance(module, torch.nn.Conv2d)]
        return found[-1] if found else None

    def class_of(self, what: str, value: Any) -> int:
        """A class by its name, or else its number."""
        if str(value) in self.classes and not isinstance(value, bool):
            return self.classes.index(str(value))
        if not isinstance(value, bool) and str(value).isdecimal() and int(value) < len(self.classes):
            return int(value)
        raise ValueError(
            f"{what}={shown(value)}: there is no such class; there are {', '.join(self.classes)}, also by number from "
            "0, and 'label' and 'answer'."
        )

    def _asked(self) -> int:
        try:
            return logits(self.model, self.images[:1]).shape[1]
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ValueError(
                f"the network failed on a picture of the shape {tuple(self.images[:1].shape)}: "
                f"{str(error).rstrip('.')}. Give pictures as it was trained on, in [0, 1]; normalisation is a layer of "
                "the network."
            ) from error


def logits(model: Callable[[Tensor], Tensor], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
    """With no slope."""
    with asking(model):
        return answers(model, x).detach()


def _truth(truth: Any, shape: tuple[int, int]) -> Bool[Tensor, "1 1 height width"] | None:
    if truth is None:
        return None
    came = f"{truth.dtype} {tuple(truth.shape)}" if isinstance(truth, Tensor) else type(truth).__name__
    fits = isinstance(truth, Tensor) and truth.dtype == torch.bool
    if not fits or truth.shape not in (shape, (1, *shape), (1, 1, *shape)) or truth.all() or not truth.any():
        raise ValueError(
            f"SaliencyExplorer got truth {came}; wanted a boolean mask of the pixels that matter, {shape} for all "
            "pictures, with some of them True and some False."
        )
    return truth.detach().reshape(1, 1, *shape).cpu()
