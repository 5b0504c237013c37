"""The learner's own network and data: checked, and copied, so that theirs stay as they are."""

import copy
from collections.abc import Iterator
from typing import Any

import torch

from dlcourse import nn
from dlcourse.widgets.init_depth_lab.network import Batch, digits
from dlcourse.widgets.init_depth_lab.probe import Watched

MOST_EXAMPLES = 512
MOST_LAYERS = 50
MOST_PARAMETERS = 1_000_000  # a pass shall take a fraction of a second
LINEARS = (torch.nn.Linear, nn.Linear)
DROPOUTS = (torch.nn.Dropout, torch.nn.AlphaDropout, torch.nn.FeatureAlphaDropout, nn.Dropout)
KINDS: tuple[tuple[type, str], ...] = (
    (torch.nn.ReLU, "relu"),
    (torch.nn.Tanh, "tanh"),
    (torch.nn.Sigmoid, "sigmoid"),
    (torch.nn.Identity, "linear"),
    *((linear, "linear") for linear in LINEARS),
)


def own_batch(x: Any, y: Any) -> Batch:
    """X as it is, without any scaling. Raises ValueError when the two do not fit."""
    x, y = _tensor("X", x, torch.float32), _tensor("y", y, torch.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not 2 <= len(x) <= MOST_EXAMPLES or not x.shape[1]:
        raise ValueError(
            f"X is of shape {tuple(x.shape)} and y of shape {tuple(y.shape)}; wanted (n, features) and (n,), with n "
            f"from 2 to {MOST_EXAMPLES}. X[:{MOST_EXAMPLES}] takes the first ones, X.flatten(1) makes rows of images."
        )
    if not x.isfinite().all() or not x.any():
        raise ValueError("X holds numbers that are not finite (nan or inf), or nothing but zeros. Look at it first.")
    if not (y == y.round()).all() or y.min() < 0 or not 1 <= y.max() <= 999:
        raise ValueError("y must hold class numbers, whole and from 0, with two classes at least and 1000 at most.")
    return Batch(x, y.long())


def own_model(model: Any, batch: Batch) -> tuple[nn.Sequential, list[str]]:
    """A copy of the model as a plain chain of modules, and the names that its hidden layers have in the model itself.
    Raises ValueError with what to change."""
    if not isinstance(model, torch.nn.Sequential):
        raise ValueError(
            f"model is a {type(model).__name__}; wanted an nn.Sequential of Linear layers with activations between."
        )
    modules = dict(_chain(model))
    _check(list(modules.values()))
    made = nn.Sequential(*(copy.deepcopy(module) for module in modules.values())).train()
    try:
        with torch.no_grad():
            out = copy.deepcopy(made)(batch.x)
    except Exception as error:
        raise ValueError(f"the model failed on a batch of shape {tuple(batch.x.shape)}: {error}") from error
    if out.ndim != 2 or len(out) != len(batch.x) or out.shape[1] < batch.classes:
        raise ValueError(
            f"the model turned a batch of shape {tuple(batch.x.shape)} into {tuple(out.shape)}; wanted one logit for "
            f"each of {batch.classes} classes, ({len(batch.x)}, {batch.classes})."
        )
    names = list(modules)
    return made, [names[int(layer.name)] for layer in watched(made)]


def watched(chain: nn.Sequential) -> list[Watched]:
    """Of every Linear but the first: the module whose output it receives."""
    places = [index for index, module in enumerate(chain) if isinstance(module, LINEARS)]
    return [Watched(str(place - 1), _kind(chain[place - 1])) for place in places[1:]]


def _kind(module: torch.nn.Module) -> str:
    return next((kind for known, kind in KINDS if isinstance(module, known)), "other")


def _chain(model: torch.nn.Sequential, above: str = "") -> Iterator[tuple[str, torch.nn.Module]]:
    """The modules by name, in the order in which they are called, Sequentials inside opened."""
    for name, module in model._modules.items():  # named_children would leave out one that comes twice
        if isinstance(module, torch.nn.Sequential):
            yield from _chain(module, f"{above}{name}.")
        else:
            yield f"{above}{name}", module


def _check(modules: list[torch.nn.Module]) -> None:
    linears = [module for module in modules if isinstance(module, LINEARS)]
    if not 2 <= len(linears) <= MOST_LAYERS + 1:
        raise ValueError(f"the model has {len(linears)} Linear layers; wanted from 2 to {MOST_LAYERS + 1}.")
    parameters = [parameter for module in modules for parameter in module.parameters()]
    if len(set(map(id, modules))) < len(modules):
        raise ValueError("the model uses one module in two places; give each place a module of its own.")
    if sum(parameter.numel() for parameter in parameters) > MOST_PARAMETERS:
        raise ValueError(f"the model has more than {MOST_PARAMETERS:,} parameters; try narrower layers.")
    for parameter in parameters:
        if parameter.device.type != "cpu" or parameter.dtype != torch.float32 or not parameter.requires_grad:
            raise ValueError(
                "every parameter must be a float32 on the CPU that can be trained (requires_grad): model.cpu().float()."
            )
    for module in modules:
        if isinstance(module, DROPOUTS) and module.p > 0:
            raise ValueError("the model has a Dropout layer, whose noise is no part of the start. Leave it out here.")


def _tensor(name: str, values: Any, dtype: torch.dtype) -> torch.Tensor:
    try:
        made = values.detach() if isinstance(values, torch.Tensor) else torch.as_tensor(values, device="cpu")
        return made.to("cpu", dtype, copy=True)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is no table of numbers ({error}). Give a tensor, a numpy array or a list.") from None


class Own:
    """What the learner brought: any of model, X and y, or nothing."""

    def __init__(self, model: Any = None, x: Any = None, y: Any = None) -> None:
        if (x is None) != (y is None):
            raise ValueError("data of your own needs both: X of shape (n, features), and y of shape (n,).")
        self.has_data = x is not None
        self.batch = own_batch(x, y) if self.has_data else digits()
        self.model, self.names = (None, []) if model is None else own_model(model, self.batch)

    def __bool__(self) -> bool:
        return self.has_data or self.model is not None

    def fresh(self) -> nn.Sequential:
        """Their network as it came."""
        return copy.deepcopy(self.model)

    @property
    def fixed(self) -> tuple[str, ...]:
        """Parameters that mean nothing beside what the learner brought."""
        return () if self.model is None else ("depth", "activation", "init", "gain", "norm", "seed")

    def refuse(self, names: frozenset[str]) -> None:
        """Raises ValueError when one of these parameters is fixed."""
        for name in sorted(names & set(self.fixed)):
            raise ValueError(f"{name} cannot be set here: the model is your own.")
