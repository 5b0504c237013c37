"""The learner's networks and pictures, checked, and the networks as copies: an attack must not disturb a training."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from dlcourse import attacks
from dlcourse.types import Float, Tensor
from dlcourse.widgets.attack_explorer import own
from dlcourse.widgets.feature_map_explorer.network import stamp
from dlcourse.widgets.labelled import LONGEST, class_names, class_numbers, pictures
from dlcourse.widgets.params import shown

MOST_MODELS = 2  # side by side
DRAWN = ((8, 8), (28, 28))  # pictures of these sizes can be drawn
WANTED = 'AttackExplorer(models={"clean": network, "robust": another}, x=pictures, labels=labels)'


class Net:
    """One network: what was given, and what is attacked."""

    def __init__(self, name: str, source: Callable[[Tensor], Tensor]) -> None:
        self.name, self.source = name, source
        self._stamp: Any = None
        self.model = source
        self.refresh()

    def refresh(self) -> bool:
        """See the network as it is now; whether it had changed. A callable that is no module is asked as it is."""
        if not isinstance(self.source, torch.nn.Module):
            return False
        now = stamp(self.source)
        if now == self._stamp:
            return False
        try:
            self.model = copy.deepcopy(self.source).eval()
        except Exception as error:
            raise ValueError(f"AttackExplorer attacks a copy, and {self.name!r} cannot be copied: {error}") from error
        self._stamp = now
        return True

    def __call__(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
        """Logits, with no slope."""
        with attacks.asking(self.model):
            return attacks.answers(self.model, x).detach()


class Given:
    """Networks, pictures, labels and names of classes. Raises ValueError that says what is wanted."""

    def __init__(self, models: Any, x: Any, labels: Any, classes: Sequence[str] | None) -> None:
        self.own = models is None and x is None and labels is None
        if self.own:
            models, (x, labels) = own.networks(), own.pictures()
        if models is None or x is None or labels is None:
            missing = [name for name, what in (("models", models), ("x", x), ("labels", labels)) if what is None]
            raise ValueError(f"AttackExplorer got no {' and no '.join(missing)}. Wanted all or none of it: {WANTED}.")
        self.images = pictures("AttackExplorer", x, needs_two="a slice needs two or more")
        self.shape: tuple[int, int] = tuple(self.images.shape[2:])
        self.labels = class_numbers("AttackExplorer", labels, len(self.images))
        self.nets = tuple(Net(name, model) for name, model in _named(models).items())
        counts = {net.name: self._asked(net) for net in self.nets}
        if len(set(counts.values())) > 1:
            raise ValueError(f"AttackExplorer got networks with different numbers of classes: {counts}.")
        self.classes = class_names("AttackExplorer", classes, next(iter(counts.values())), self.labels)

    @property
    def drawable(self) -> bool:
        return self.shape in DRAWN

    def refresh(self) -> bool:
        """See all networks as they are now; whether any had changed."""
        return sum([net.refresh() for net in self.nets]) > 0

    def _asked(self, net: Net) -> int:
        try:
            return net(self.images[:1]).shape[1]
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ValueError(
                f"the network {net.name!r} failed on a picture of the shape {tuple(self.images[:1].shape)}: "
                f"{str(error).rstrip('.')}. Give pictures as it was trained on, in [0, 1]; normalisation is a layer of "
                "the network."
            ) from error


def _named(models: Any) -> dict[str, Callable[[Tensor], Tensor]]:
    named = dict(models) if isinstance(models, Mapping) else {"the network": models}
    if not 1 <= len(named) <= MOST_MODELS:
        raise ValueError(f"AttackExplorer got {len(named)} networks; wanted one, or two side by side: {WANTED}.")
    for name, model in named.items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST:
            raise ValueError(f"AttackExplorer got a network named {shown(name)}; wanted 1 to {LONGEST} characters.")
        if not callable(model):
            raise ValueError(
                f"AttackExplorer got {type(model).__name__} for {name!r}; wanted a network: a callable from pictures "
                f"(n, 1, height, width) to logits (n, classes). {WANTED}."
            )
    return named
