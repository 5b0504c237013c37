"""What each operation does, and how it passes a gradient back: one table, `RULES`.

A rule has two halves. `forward` computes with plain `torch.Tensor`s. Each `vjp` is a vector-Jacobian product: it takes
the gradient of the result and returns the share of one input, grad^T J, without ever building the Jacobian J (Baydin
et al., 2018, arXiv:1502.05767, section 3.2). `texts` say the same as a formula in `grad`, `out` and the inputs a, b.

A vjp computes with the engine's own tensors and operations, so a backward pass can be recorded and differentiated
again. What it needs from the values alone (a mask, a count, positions) is a constant and has slope 0, as in torch.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import torch

Tensor = Any  # the engine's: a vjp only calls its methods. tensor.py imports this file, so this one does not import it.
Vjp = Callable[..., Tensor]  # (grad, out, *inputs, **options) -> the share of one input, shaped like it


class Rule(NamedTuple):
    """One operation. `vjps` is a function for each input, or one `(i, grad, out, *inputs)` for any number of them."""

    forward: Callable[..., torch.Tensor]  # (*inputs, **options) -> out, on plain tensors
    vjps: tuple[Vjp, ...] | Callable[..., Tensor]
    texts: tuple[str, ...]

    def vjp(self, i: int) -> Vjp:
        """How input `i` gets its share."""
        return self.vjps[i] if isinstance(self.vjps, tuple) else partial(self.vjps, i)


def unbroadcast(grad: Tensor, shape: Sequence[int]) -> Tensor:
    """The gradient of what was broadcast, from the gradient of the broadcast result: sum over every copy.

    Broadcasting copied a number along new leading dimensions, and along dimensions where it had size 1. Each copy
    hands back a gradient, and the gradients of copies add. Raises ValueError if `shape` does not broadcast to `grad`.

    >>> from dlcourse.autograd import Tensor
    >>> unbroadcast(Tensor(torch.ones(4, 2, 3)), (2, 1)).data
    tensor([[12.],
            [12.]])
    """
    shape = tuple(shape)
    if tuple(grad.shape) == shape:
        return grad
    new = grad.ndim - len(shape)
    if new < 0 or any(size not in (1, came) for size, came in zip(shape, grad.shape[new:], strict=True)):
        raise ValueError(
            f"unbroadcast(grad, shape): a tensor of shape {shape} does not broadcast to {tuple(grad.shape)}."
        )
    stretched = [new + i for i, size in enumerate(shape) if size == 1]
    summed = grad.sum((*range(new), *stretched))
    return summed.reshape(*shape) if stretched else summed


# ---- one number at a time, broadcast


def _pow_base(grad, out, a, b):
    """b a^(b-1); 0 where b is 0, also at a = 0, where a^(b-1) is infinite: 1 stands for a there, so that nothing is."""
    changes = b.data != 0
    return unbroadcast((grad * b * a.where(changes, 1.0) ** (b - 1)).where(changes, 0.0), a.shape)


def _pow_exponent(grad, out, a, b):
    """out log(a); 0 where a is 0 and b is not negative, because 0^b is constant there."""
    return unbroadcast((grad * out * a.log()).where((a.data != 0) | (b.data < 0), 0.0), b.shape)


# ---- along dimensions


def _kept(x: Tensor, a: Tensor, dim: tuple[int, ...], keepdim: bool) -> Tensor:
    """`x`, a result of reducing `a`, with its lost dimensions back as size 1, so that it broadcasts against `a`."""
    if keepdim or not x.ndim:  # a single number broadcasts as it is
        return x
    return x.reshape(*(1 if i in dim else size for i, size in enumerate(a.shape)))


def _sum(a, dim, keepdim):
    return torch.sum(a, dim, keepdim) if dim else a.clone()  # for torch an empty `dim` means all


def _amax(a, dim, keepdim):
    return torch.amax(a, dim, keepdim) if dim else a.clone()


def _logsumexp(a, dim, keepdim):
    return torch.logsumexp(a, dim, keepdim) if dim else a.clone()


def _sum_vjp(grad, out, a, *, dim, keepdim):
    return _kept(grad, a, dim, keepdim).expand(*a.shape)


def _amax_vjp(grad, out, a, *, dim, keepdim):
    largest = (a.data == _kept(out, a, dim, keepdim).data).to(a.dtype)
    return _kept(grad, a, dim, keepdim) * (largest / _sum(largest, dim, True))


def _logsumexp_vjp(grad, out, a, *, dim, keepdim):
    out = _kept(out, a, dim, keepdim)
    out = out.where(out.data != -torch.inf, 0.0)  # all inputs -inf: exp(-inf - 0) is 0, -inf - (-inf) is not a number
    return _kept(grad, a, dim, keepdim) * (a - out).exp()


# ---- shape and choice


def _permute_vjp(grad, out, a, *, dims):
    return grad.permute(*(dims.index(i) for i in range(len(dims))))


def _pad(a, *, widths):
    return torch.nn.functional.pad(a, [width for pair in reversed(widths) for width in pair])  # torch: last one first


def _pad_vjp(grad, out, a, *, widths):
    return grad[tuple(slice(before, before + size) for (before, _), size in zip(widths, a.shape, strict=True))]


def _concat(*parts, dim):
    return torch.cat(parts, dim)


def _concat_vjp(i, grad, out, *parts, dim):
    start = sum(part.shape[dim] for part in parts[:i])
    return grad[(slice(None),) * dim + (slice(start, start + parts[i].shape[dim]),)]


def _is_basic(index: Any) -> bool:
    """Slices, whole numbers, None and ... take every number at most once; lists and tensors may repeat one."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is ... or type(part) in (int, slice) for part in parts)


def _put(a, *, index, shape):
    """Zeros of `shape`, with `a` added at `index`: what indexing does, turned round."""
    out = a.new_zeros(shape)
    if _is_basic(index):
        if out[index].shape != a.shape:
            raise RuntimeError(f"shape {tuple(a.shape)} does not fit the place {tuple(out[index].shape)}")
        out[index] = a
        return out
    positions = torch.arange(prod(shape), device=a.device).reshape(shape)[index]  # where each number came from
    return out.flatten().index_add(0, positions.flatten(), a.flatten()).reshape(shape)


RULES: dict[str, Rule] = {
    "add": Rule(
        torch.add,
        (lambda grad, out, a, b: unbroadcast(grad, a.shape), lambda grad, out, a, b: unbroadcast(grad, b.shape)),
        ("grad", "grad"),
    ),
    "sub": Rule(
        torch.sub,
        (lambda grad, out, a, b: unbroadcast(grad, a.shape), lambda grad, out, a, b: unbroadcast(-grad, b.shape)),
        ("grad", "-grad"),
    ),
    "mul": Rule(
        torch.mul,
        (
            lambda grad, out, a, b: unbroadcast(grad * b, a.shape),
            lambda grad, out, a, b: unbroadcast(grad * a, b.shape),
        ),
        ("grad * b", "grad * a"),
    ),
    "div": Rule(
        torch.div,
        (
            lambda grad, out, a, b: unbroadcast(grad / b, a.shape),
            lambda grad, out, a, b: unbroadcast(-grad * out / b, b.shape),
        ),
        ("grad / b", "-grad * out / b"),
    ),
    "pow": Rule(torch.pow, (_pow_base, _pow_exponent), ("grad * b * a ** (b - 1)", "grad * out * log(a)")),
    "neg": Rule(torch.neg, (lambda grad, out, a: -grad,), ("-grad",)),
    "exp": Rule(torch.exp, (lambda grad, out, a: grad * out,), ("grad * out",)),
    "log": Rule(torch.log, (lambda grad, out, a: grad / a,), ("grad / a",)),
    "sqrt": Rule(torch.sqrt, (lambda grad, out, a: grad / (2 * out),), ("grad / (2 * out)",)),
    "tanh": Rule(torch.tanh, (lambda grad, out, a: grad * (1 - out * out),), ("grad * (1 - out ** 2)",)),
    "sigmoid": Rule(torch.sigmoid, (lambda grad, out, a: grad * (out * (1 - out)),), ("grad * out * (1 - out)",)),
    "relu": Rule(torch.relu, (lambda grad, out, a: grad.where(~(a.data <= 0), 0.0),), ("grad where a > 0, else 0",)),
    "matmul": Rule(  # (..., n, k) @ (..., k, m): two dimensions at least; leading ones broadcast
        torch.matmul,
        (
            lambda grad, out, a, b: unbroadcast(grad @ b.mT, a.shape),
            lambda grad, out, a, b: unbroadcast(
                (grad.mT @ a).mT, b.shape
            ),  # a.mT @ grad, laid out as x @ W.mT needs it
        ),
        ("grad @ b.mT", "a.mT @ grad"),
    ),
    "sum": Rule(_sum, (_sum_vjp,), ("grad, expanded to the shape of a",)),
    "amax": Rule(_amax, (_amax_vjp,), ("grad where a is largest (ties share), else 0",)),
    "logsumexp": Rule(_logsumexp, (_logsumexp_vjp,), ("grad * exp(a - out)",)),
    "reshape": Rule(
        lambda a, shape: a.reshape(shape),
        (lambda grad, out, a, shape: grad.reshape(*a.shape),),
        ("grad, in the shape of a",),
    ),
    "expand": Rule(
        lambda a, shape: a.expand(shape),
        (lambda grad, out, a, shape: unbroadcast(grad, a.shape),),
        ("grad, summed over the copies of a",),
    ),
    "permute": Rule(lambda a, dims: a.permute(dims), (_permute_vjp,), ("grad, with the dimensions put back",)),
    "getitem": Rule(
        lambda a, index: a[index],
        (lambda grad, out, a, index: grad.put(a.shape, index),),
        ("grad, put where it came from; 0 elsewhere",),
    ),
    "put": Rule(_put, (lambda grad, out, a, index, shape: grad[index],), ("grad, taken at the same places",)),
    "pad": Rule(_pad, (_pad_vjp,), ("grad without the border",)),
    "where": Rule(
        lambda a, b, condition: torch.where(condition, a, b),
        (
            lambda grad, out, a, b, condition: unbroadcast(grad.where(condition, 0.0), a.shape),
            lambda grad, out, a, b, condition: unbroadcast(grad.where(~condition, 0.0), b.shape),
        ),
        ("grad where the condition holds, else 0", "grad where it does not, else 0"),
    ),
    "concat": Rule(_concat, _concat_vjp, ("the part of grad that belongs to this input",)),
}
