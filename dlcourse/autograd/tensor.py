"""Reverse-mode differentiation of whole arrays: a tensor that remembers how it was made.

A `Tensor` holds a plain `torch.Tensor` and, when some input needs a gradient, a record: the operation's name, its
inputs, its options. torch computes the numbers, on any device and in any floating dtype; torch's own autograd takes no
part. What an operation does, and how it passes a gradient back, is one line of the table in `rules.py`.

Names and conventions are torch's: gradients add up in the leaves' `grad`, `backward` frees the graph, ties at a maximum
share the slope as in `torch.amax`, relu has slope 0 at 0. Three things are stricter, because their errors are hard to
find: dtypes are not mixed, a tensor cannot be changed in place while a graph needs it, integers hold no gradient.
Two things differ: logsumexp of nothing but -inf has the gradient 0 (torch: nan), and an empty `dim` reduces nothing
(torch: everything). In float16, `mean` overflows where the sum does.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from math import prod
from types import MappingProxyType
from typing import Any

import torch

from dlcourse.autograd.graph import backward_steps
from dlcourse.autograd.rules import RULES

_recording: ContextVar[bool] = ContextVar("dlcourse_autograd_recording", default=True)


class _Recording:
    """Inside `with`, operations record or they do not; afterwards as before. May be entered again and again."""

    __slots__ = ("before", "on")

    def __init__(self, on: bool):
        self.on, self.before = on, []

    def __enter__(self) -> None:
        self.before.append(_recording.set(self.on))

    def __exit__(self, *error: object) -> None:
        _recording.reset(self.before.pop())


def no_grad() -> _Recording:
    """Inside `with no_grad():`, results record nothing and need no gradient: for evaluation, for changing parameters.

    >>> x = Tensor(torch.ones(2), requires_grad=True)
    >>> with no_grad():
    ...     (x * 2).requires_grad
    False
    """
    return _Recording(False)


class Tensor:
    """An array of floating-point numbers, and how it was made.

    data: a `torch.Tensor` that does not require torch's own gradient (or numbers, which become one in torch's default
    dtype). It is used, not copied. requires_grad: a gradient is wanted here. label: a name for pictures.

    grad: d root / d this as a Tensor after `root.backward()`, in leaves only; None before. op, inputs, options: the
    record; None, () and {} for a leaf. Raises TypeError for integers, booleans, and data that torch differentiates.

    >>> x = Tensor(torch.tensor([[1.0, 2.0]]), requires_grad=True)
    >>> ((3 - x) ** 2).sum().backward()
    >>> x.grad.data
    tensor([[-4., -2.]])
    """

    # A leaf's, until something else is set.
    requires_grad = False
    label = ""
    grad: "Tensor | None" = None
    op: str | None = None
    inputs: "tuple[Tensor, ...]" = ()
    options: Mapping[str, Any] = MappingProxyType({})
    _used: tuple[tuple[torch.Tensor, int], ...] = ()  # data of the inputs, of itself, of options, and their versions
    freed = False  # backward has dropped the record
    __array_ufunc__ = None  # numpy leaves `array * tensor` to us, which says what is wrong

    def __init__(self, data: "torch.Tensor | float | Sequence", requires_grad: bool = False, label: str = ""):
        if isinstance(data, Tensor):
            raise TypeError("Tensor(...) got a Tensor: use it as it is, or .detach() for one without a record.")
        if not isinstance(data, torch.Tensor):
            data = torch.tensor(data, dtype=torch.get_default_dtype(), device="cpu")
        if not data.dtype.is_floating_point:
            raise TypeError(
                f"Tensor(...) got {data.dtype}: only floating-point numbers have gradients. Convert with .float(), or "
                "leave labels, masks and indices plain torch tensors."
            )
        if data.is_inference():
            raise TypeError("Tensor(...) got data made under torch.inference_mode(): use data.clone() outside of it.")
        self.data = _undifferentiated(data)
        self.requires_grad = bool(requires_grad)
        self.label = label

    # ---- what it is

    @property
    def shape(self) -> torch.Size:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def dtype(self) -> torch.dtype:
        return self.data.dtype

    @property
    def device(self) -> torch.device:
        return self.data.device

    def item(self) -> float:
        """The one number it holds. Raises RuntimeError (torch's own) for more than one."""
        return self.data.item()

    def detach(self) -> "Tensor":
        """The same numbers (not a copy) without the record: a constant."""
        return Tensor(self.data, label=self.label)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> "Iterator[Tensor]":
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.data)

    def __repr__(self) -> str:
        made = f", op={self.op!r}" if self.op else ", requires_grad=True" if self.requires_grad else ""
        label = f", label={self.label!r}" if self.label else ""
        return f"{repr(self.data)[:-1].replace('tensor(', 'Tensor(', 1)}{made}{label})"

    # ---- operators. Numbers and plain torch tensors become constants.

    def __add__(self, other: Any) -> "Tensor":
        return apply("add", self, other)

    def __radd__(self, other: Any) -> "Tensor":
        return apply("add", other, self)

    def __sub__(self, other: Any) -> "Tensor":
        return apply("sub", self, other)

    def __rsub__(self, other: Any) -> "Tensor":
        return apply("sub", other, self)  # other - self: the order counts

    def __mul__(self, other: Any) -> "Tensor":
        return apply("mul", self, other)

    def __rmul__(self, other: Any) -> "Tensor":
        return apply("mul", other, self)

    def __truediv__(self, other: Any) -> "Tensor":
        return apply("div", self, other)

    def __rtruediv__(self, other: Any) -> "Tensor":
        return apply("div", other, self)

    def __pow__(self, other: Any) -> "Tensor":
        return apply("pow", self, other)

    def __rpow__(self, other: Any) -> "Tensor":
        return apply("pow", other, self)

    def __matmul__(self, other: Any) -> "Tensor":
        return _matmul(self, other)

    def __rmatmul__(self, other: Any) -> "Tensor":
        return _matmul(other, self)

    def __neg__(self) -> "Tensor":
        return apply("neg", self)

    def __getitem__(self, index: Any) -> "Tensor":
        return apply("getitem", self, index=_frozen(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"a Tensor of shape {tuple(self.shape)} is not changed in place: the record of what was computed from it "
            "would be wrong. Make a new one with where(...) or concat(...)."
        )

    # Comparisons are plain booleans, with no gradient: for `where`.

    def __eq__(self, other: Any) -> torch.Tensor:
        return self.data == _plain(other)

    def __ne__(self, other: Any) -> torch.Tensor:
        return self.data != _plain(other)

    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> torch.Tensor:
        return self.data < _plain(other)

    def __le__(self, other: Any) -> torch.Tensor:
        return self.data <= _plain(other)

    def __gt__(self, other: Any) -> torch.Tensor:
        return self.data > _plain(other)

    def __ge__(self, other: Any) -> torch.Tensor:
        return self.data >= _plain(other)

    # ---- one number at a time

    def exp(self) -> "Tensor":
        return apply("exp", self)

    def log(self) -> "Tensor":
        return apply("log", self)

    def sqrt(self) -> "Tensor":
        return apply("sqrt", self)

    def tanh(self) -> "Tensor":
        return apply("tanh", self)

    def sigmoid(self) -> "Tensor":
        return apply("sigmoid", self)

    def relu(self) -> "Tensor":
        return apply("relu", self)

    # ---- along dimensions: `dim` is a number, several, or None for all

    def sum(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "Tensor":
        return apply("sum", self, dim=_dims(dim, self.ndim), keepdim=keepdim)

    def mean(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "Tensor":
        count = prod(self.shape[axis] for axis in _dims(dim, self.ndim))
        return self.sum(dim, keepdim) / count if count else self.sum(dim, keepdim) * float("nan")

    def amax(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "Tensor":
        """The largest number. Where several are largest, they share the slope equally, as in `torch.amax`."""
        return apply("amax", self, dim=_dims(dim, self.ndim), keepdim=keepdim)

    def logsumexp(self, dim: int | Sequence[int], keepdim: bool = False) -> "Tensor":
        """log(sum(exp(x))), without overflow."""
        return apply("logsumexp", self, dim=_dims(dim, self.ndim), keepdim=keepdim)

    def log_softmax(self, dim: int) -> "Tensor":
        """x - logsumexp(x), both moved by the largest number first: the result is the same, and keeps its digits."""
        largest = self.data.amax(dim, keepdim=True) if self.data.numel() else 0.0  # a constant: it cancels
        moved = self - largest
        return moved - moved.logsumexp(dim, keepdim=True)

    def softmax(self, dim: int) -> "Tensor":
        """exp(x) / sum(exp(x)) along `dim`, as exp(log_softmax(x)): no exponential overflows."""
        return self.log_softmax(dim).exp()

    # ---- shape

    def reshape(self, *shape: int) -> "Tensor":
        return apply("reshape", self, shape=_sizes(shape))

    def expand(self, *shape: int) -> "Tensor":
        """Broadcast to `shape`. As in torch, no numbers are copied."""
        return apply("expand", self, shape=_sizes(shape))

    def permute(self, *dims: int) -> "Tensor":
        order = tuple(from_zero(dim, self.ndim) for dim in _sizes(dims))
        if sorted(order) != list(range(self.ndim)):
            raise ValueError(f"permute{_sizes(dims)} of shape {tuple(self.shape)}: each dimension is named once.")
        return apply("permute", self, dims=order)

    def transpose(self, dim0: int, dim1: int) -> "Tensor":
        dims = list(range(self.ndim))
        dim0, dim1 = from_zero(dim0, self.ndim), from_zero(dim1, self.ndim)
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
        return self.permute(*dims)

    def where(self, condition: torch.Tensor, other: Any) -> "Tensor":
        """These numbers where the condition holds, else those of `other`. The condition is a plain boolean tensor."""
        check_mask(condition)
        return apply("where", self, other, condition=condition)

    def put(self, shape: Sequence[int], index: Any) -> "Tensor":
        """Zeros of `shape` with these numbers added at `index`: the reverse of `x[index]`."""
        return apply("put", self, index=index, shape=tuple(shape))

    @property
    def mT(self) -> "Tensor":  # noqa: N802 - torch's name
        """Rows and columns exchanged, in the last two dimensions."""
        return apply("permute", self, dims=(*range(self.ndim - 2), self.ndim - 1, self.ndim - 2))

    @property
    def T(self) -> "Tensor":  # noqa: N802 - torch's name
        """Rows and columns of a matrix exchanged. Raises ValueError for other than two dimensions."""
        if self.ndim != 2:
            raise ValueError(f".T is for matrices, and this has shape {tuple(self.shape)}: use .mT or .permute(...).")
        return apply("permute", self, dims=(1, 0))

    # ---- backward

    def backward(self, grad: "Tensor | torch.Tensor | None" = None, *, retain_graph: bool = False) -> None:
        """Add d this / d leaf to the `grad` of every leaf that requires it. Arguments and errors: `backward_steps`."""
        for _ in backward_steps(self, grad, retain_graph=retain_graph):
            pass

    # What `backward_steps` asks of a node.

    recording = staticmethod(_Recording)

    def start(self, grad: "Tensor | torch.Tensor | None") -> "Tensor":
        """The gradient to begin with."""
        if not self.requires_grad:
            raise ValueError(
                f"backward on {_described(self)}, which needs no gradient: make a leaf with requires_grad=True, "
                "and compute outside of no_grad()."
            )
        if grad is None:
            if self.data.numel() != 1:
                raise ValueError(
                    f"backward on {_described(self)}: only a single number has one gradient. Reduce it first, with "
                    ".sum() or .mean(), or pass grad=, a tensor of the same shape to weigh its numbers with."
                )
            return Tensor(torch.ones_like(self.data))
        grad = grad if isinstance(grad, Tensor) else _constant(grad, self, "backward")
        if grad.shape != self.shape or grad.dtype != self.dtype:
            raise ValueError(
                f"backward on {_described(self)}: grad has shape {tuple(grad.shape)} and {grad.dtype}, and must be "
                f"like the result, {tuple(self.shape)} and {self.dtype}."
            )
        return grad

    def check(self) -> None:
        """Raises ValueError if the record cannot be used any more."""
        if self.freed:
            raise ValueError(
                f"backward through {_described(self)} a second time: the first time freed the graph. Compute the "
                "result again, or pass retain_graph=True the first time."
            )
        for i, (data, version) in enumerate(self._used):
            node = self.inputs[i] if i < len(self.inputs) else self
            if data._version != version or (i <= len(self.inputs) and node.data is not data):
                what = "input" if i < len(self.inputs) else "result" if i == len(self.inputs) else "mask or index"
                raise ValueError(
                    f"backward through {_described(self)}: its {what} of shape {tuple(data.shape)} was changed in "
                    f"place after {self.op!r} used it, so the gradient would be wrong. Change .data only after "
                    "backward, or compute with a copy."
                )

    def pull_back(self, grad: "Tensor", create_graph: bool) -> "tuple[tuple[Tensor, Tensor], ...]":
        """Each input that needs a gradient, with its share: the vector-Jacobian products of this operation."""
        if self.op is None:
            return ()
        rule = RULES[self.op]
        return tuple(
            [
                (node, rule.vjp(i)(grad, self, *self.inputs, **self.options))
                for i, node in enumerate(self.inputs)
                if node.requires_grad
            ]
        )

    def deposit(self, grad: "Tensor", create_graph: bool) -> None:
        """A leaf keeps its gradient; a second one is added to it."""
        if self.op is None:
            if self.grad is not None:
                self.grad = self.grad + grad
            else:  # a copy of its own: several leaves may have been handed the same tensor
                self.grad = grad if create_graph else _holding(grad.data.clone(memory_format=torch.contiguous_format))

    def zeros(self) -> "Tensor":
        return Tensor(torch.zeros_like(self.data))

    def number(self) -> float | None:
        return self.item() if self.data.numel() == 1 else None

    def free(self) -> None:
        if self.op is not None:
            self.inputs, self.options, self._used, self.freed = (), {}, (), True


# ---- making results


def apply(op: str, *operands: Any, **options: Any) -> Tensor:
    """The result of one operation of the table, with its record if a gradient may be wanted.

    At least one operand is a Tensor; numbers and plain torch tensors become constants of its dtype. Raises ValueError
    for shapes that do not fit, IndexError for an index out of range, TypeError for dtypes that differ.
    """
    inputs = _tensors(op, operands)
    try:
        data = RULES[op].forward(*[node.data for node in inputs], **options)
    except (RuntimeError, IndexError) as cause:
        shapes = " and ".join(str(tuple(node.shape)) for node in inputs)
        kind = IndexError if isinstance(cause, IndexError) else ValueError
        raise kind(f"{op} of shape{'s' * (len(inputs) > 1)} {shapes}: {cause}") from cause
    out = _holding(data)
    if _recording.get() and any(node.requires_grad for node in inputs):
        out.requires_grad, out.op, out.inputs, out.options = True, op, inputs, options
        used = [node.data for node in inputs]
        used.append(data)
        if "condition" in options or "index" in options:
            used += _parts(options)
        out._used = tuple([(each, each._version) for each in used])
    return out


def _parts(options: Mapping[str, Any]) -> list[torch.Tensor]:
    """The torch tensors among an operation's options: a mask, the parts of an index."""
    index = options.get("index", options.get("condition"))
    return [part for part in (index if isinstance(index, tuple) else (index,)) if isinstance(part, torch.Tensor)]


def _holding(data: torch.Tensor) -> Tensor:
    """A Tensor of a result. Its dtype and origin need no check: the inputs passed `__init__`."""
    made = Tensor.__new__(Tensor)
    made.data = _undifferentiated(data)
    return made


def _tensors(op: str, operands: tuple) -> tuple[Tensor, ...]:
    """The operands as tensors of one dtype, numbers and plain torch tensors as constants."""
    like = operands[0] if isinstance(operands[0], Tensor) else operands[1]
    inputs = tuple([operand if isinstance(operand, Tensor) else _constant(operand, like, op) for operand in operands])
    for node in inputs:
        if node.data.dtype != like.data.dtype:
            raise TypeError(
                f"{op} of {' and '.join(str(node.dtype) for node in inputs)}: tensors of one dtype are wanted. Make "
                "them alike before, as in Tensor(data.to(torch.float64))."
            )
    return inputs


def _constant(value: Any, like: Tensor, op: str) -> Tensor:
    """A number or a plain torch tensor as a tensor without gradient, in the dtype of `like`."""
    if isinstance(value, torch.Tensor):
        return Tensor(value if value.dtype.is_floating_point else value.to(like.dtype))
    if isinstance(value, (int, float)):
        return _holding(torch.full((), value, dtype=like.data.dtype, device=like.data.device))
    raise TypeError(
        f"{op} of a Tensor and {type(value).__name__}: a Tensor, a torch tensor or a number is wanted. "
        "An array of numpy goes in as Tensor(torch.from_numpy(array))."
    )


def _undifferentiated(data: torch.Tensor) -> torch.Tensor:
    """The same, if torch's own autograd keeps no record of it."""
    if data.requires_grad:
        raise TypeError(
            "Tensor(...) got data that torch differentiates (requires_grad=True). Only one engine can keep the record: "
            "pass data.detach()."
        )
    return data


def _frozen(index: Any) -> Any:
    """The index with a tensor in place of each list, which could change later."""
    if isinstance(index, tuple):
        return tuple(_frozen(part) for part in index)
    if not isinstance(index, list):
        return index
    return torch.tensor(index, dtype=None if index else torch.long, device="cpu")  # torch takes [] for floats


def _plain(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value


def check_mask(condition: Any) -> None:
    """Raises TypeError for what is no plain boolean tensor."""
    if not isinstance(condition, torch.Tensor) or condition.dtype != torch.bool:
        came = condition.dtype if isinstance(condition, torch.Tensor) else type(condition).__name__
        raise TypeError(f"where wants a plain boolean tensor, such as x > 0, and got {came}.")


def _described(node: Tensor) -> str:
    """For error messages: `the result of 'mul', shape (2, 3)`."""
    made = f"the result of {node.op!r}" if node.op else f"the leaf {node.label!r}" if node.label else "a leaf"
    return f"{made}, shape {tuple(node.shape)}"


def _dims(dim: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """The dimensions counted from 0, in order. Raises IndexError for one that is not there."""
    if dim is None:
        return tuple(range(ndim))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if not ndim:  # torch takes 0 and -1 for a single number, too
        return tuple(from_zero(each, 1) for each in dims)[:0]
    return tuple(sorted({from_zero(each, ndim) for each in dims}))


def from_zero(dim: int, ndim: int) -> int:
    """The dimension counted from 0. Raises IndexError for one that is not there."""
    if not -ndim <= dim < ndim:
        raise IndexError(
            f"dim={dim}: the tensor has {ndim} dimension{'s' * (ndim != 1)}, counted from 0, or -1 from the end."
        )
    return dim % ndim


def _sizes(sizes: tuple) -> tuple[int, ...]:
    """`x.reshape(2, 3)` and `x.reshape((2, 3))` mean the same."""
    return tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else tuple(sizes)


def _matmul(a: Any, b: Any) -> Tensor:
    """`a @ b`, as in torch: a vector is a row on the left and a column on the right, and its dimension goes again."""
    a, b = _tensors("matmul", (a, b))
    row, column = a.ndim == 1, b.ndim == 1
    out = apply("matmul", a.reshape(1, -1) if row else a, b.reshape(-1, 1) if column else b)
    if row and column:
        return out.reshape()
    return out[..., 0, :] if row else out[..., 0] if column else out
