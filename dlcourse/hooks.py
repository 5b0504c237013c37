"""Look into a model while it runs, and change what it passes on, without changing the model.

    with capture(model, ["1", "3"]) as seen:      # seen["1"] is what module "1" put out
        model(x)
    with replace(model, {"1": lambda h: 0 * h}):  # what would the model say without it?
        model(x)

Names are those of `model.named_modules()`; "" is the model itself. Both work by torch's forward hooks, and both take
them away when the block ends, however it ends. Blocks may be nested: hooks run in the order in which their blocks were
entered, so a capture sees what a replacement around it put in, and not one inside it.

What to know: only modules that are called are seen (`model.layer(x)`, not `layer.forward(x)` or a plain function); a
later layer that works in place (`ReLU(inplace=True)`) overwrites what was seen; and a copy of the model made inside
the block takes the hooks with it, so copy outside.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from dlcourse.types import Tensor


@contextmanager
def capture(model: nn.Module, names: Iterable[str], *, retain_grad: bool = False) -> Iterator[dict[str, Any]]:
    """A dict that fills as the model runs: seen[name] is the *last* output of that module, in the graph, not a copy.

    A module that runs twice, in one forward pass or in two, leaves its second output; one that has not run has no
    entry. An output that is a tuple is kept as it is. The dict outlives the block.

    With `retain_grad`, seen[name].grad holds the gradient after `backward` (for each tensor of a tuple): except where
    none can flow, as under torch.no_grad or before the first weight, unless x itself requires one.

    Raises ValueError for a name that the model does not have, TypeError when `names` is one text and not a list.

    >>> import torch
    >>> model = nn.Sequential(nn.Flatten(), nn.ReLU())
    >>> with capture(model, ["1"]) as seen:
    ...     _ = model(torch.tensor([[[-1.0], [2.0]]]))
    >>> seen["1"]
    tensor([[0., 2.]])
    """
    if isinstance(names, str):
        raise TypeError(f"capture got names={names!r}, one text; wanted a list of names, such as [{names!r}].")
    seen: dict[str, Any] = {}

    def keep(name: str, output: Any) -> None:
        seen[name] = output
        if retain_grad:
            for tensor in _tensors(output):
                if tensor.requires_grad:
                    tensor.retain_grad()

    with _hooked(model, "capture", dict.fromkeys(names, keep)):
        yield seen


@contextmanager
def replace(model: nn.Module, functions: Mapping[str, Callable[[Any], Any]]) -> Iterator[None]:
    """Inside the block the output of each named module is functions[name](output), in all that follows it.

    The function gets the output as the module gave it, a tuple for some, and returns one of the same kind; it may
    return a constant from an earlier `capture` (activation patching). Gradients flow through it. A module that the
    model uses at several places is replaced at all of them.

    Raises ValueError for a name that the model does not have and for two names of one module, TypeError when a
    function returns None.
    """
    named = [module for name, module in model.named_modules(remove_duplicate=False) if name in functions]
    if len(set(named)) < len(named):
        raise ValueError(
            f"replace: of {list(functions)}, several are names of one module, which would be replaced twice at each "
            "call. Name it once; to tell its places apart, give each a module of its own."
        )

    def change(name: str, output: Any) -> Any:
        new = functions[name](output)
        if new is None:
            raise TypeError(f"replace: the function for {name!r} returned None; return the new output, or the old one.")
        return new

    with _hooked(model, "replace", dict.fromkeys(functions, change)):
        yield


@contextmanager
def _hooked(model: nn.Module, caller: str, hooks: Mapping[str, Callable[[str, Any], Any]]) -> Iterator[None]:
    """Forward hooks hook(name, output) on the named modules, taken away at the end."""
    modules = dict(model.named_modules(remove_duplicate=False))  # a module shared under two names has both
    unknown = [name for name in hooks if name not in modules]
    if unknown:
        raise ValueError(f"{caller}: the model has no {unknown}; its modules are {list(modules)}.")
    with ExitStack() as stack:
        for name, hook in hooks.items():

            def forward_hook(module: nn.Module, args: Any, output: Any, name: str = name, hook: Any = hook) -> Any:
                return hook(name, output)

            stack.callback(modules[name].register_forward_hook(forward_hook).remove)
        yield


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors in an output: itself, or those of a tuple, list or dict, however deep."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors(part)
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))
