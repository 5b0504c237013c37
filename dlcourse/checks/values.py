"""The closed list of values that pass between a check and an answer, and their form on the wire.

A value is None, a bool, int, float or str, a plain tensor, a `Model`, or a tuple, list or dict (text keys) of values.
Nothing else passes: no pickle, no class of the sender's choosing, no object that could lie about itself.

    message = 4 bytes: length of the header | header: JSON, the tree of values | the tensors' bytes, in the tree's order

A tensor travels as its storage from the beginning to its last element, so dtype, shape, strides and offset arrive as
they left. The receiver trusts nothing: every length, depth, dtype, stride and offset is validated before memory is
reserved, and whatever is wrong raises WireError. Limits far above any exercise keep a hostile message small.
"""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.frames import MAX_BYTES, WireError

MAX_HEADER = 2**20  # bytes of JSON
MAX_DEPTH = 16  # of nested containers
MAX_ITEMS = 50_000  # values in one message
MAX_DIMENSIONS = 8
MAX_ELEMENTS = 2**24  # of all tensors in one message: a stride of 0 makes many elements from few bytes

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    )
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_FIELDS = {"dtype", "shape", "strides", "offset"}
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

type_names = "None, a bool, an int, a float, a text, a tensor, or a tuple, list or dict of these"


@dataclass(frozen=True)
class Model:
    """A model by the name of its builder and its parameters: the receiver builds it, no code travels."""

    builder: str
    state: dict[str, Tensor]


# --- a value to bytes -----------------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    """The message for `value`. WireError when it is not on the closed list or exceeds a limit.

    >>> decode(encode({"loss": 0.5, "shape": (2, 3)}))
    {'loss': 0.5, 'shape': (2, 3)}
    >>> encode({1, 2})
    Traceback (most recent call last):
    dlcourse.checks.frames.WireError: a set is none of: None, a bool, an int, a float, a text, a tensor, or ...
    """
    body: list[bytes] = []
    budget = _Budget()
    budget.spend(1)
    header = _TO_JSON(_write(value, 0, body, budget)).encode()
    size = 4 + len(header) + sum(map(len, body))
    if len(header) > MAX_HEADER or size > MAX_BYTES:
        raise WireError(f"a value of {size:,} bytes is too large to send; {MAX_BYTES:,} is the limit")
    return b"".join([struct.pack(">I", len(header)), header, *body])


class _Budget:
    """What is left of the limits that hold for a whole message."""

    def __init__(self) -> None:
        self.items, self.elements = MAX_ITEMS, MAX_ELEMENTS

    def spend(self, items: int, *, depth: int = 0, elements: int = 0) -> None:
        """Takes away so many items, which stand `depth` containers deep, or elements of a tensor."""
        self.items -= items
        self.elements -= elements
        if items and depth > MAX_DEPTH:
            raise WireError(f"values are nested more than {MAX_DEPTH} deep")
        if self.items < 0:
            raise WireError(f"more than {MAX_ITEMS:,} values in one message")
        if self.elements < 0:
            raise WireError(f"tensors of more than {MAX_ELEMENTS:,} elements in one message")


def _write(value: Any, depth: int, body: list[bytes], budget: _Budget) -> Any:
    """The JSON node of `value`; its tensors' bytes are appended to `body`. Types are exact: a subclass may lie."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is Tensor or kind is torch.nn.Parameter:
        return {"tensor": _write_tensor(value, body, budget)}
    if kind is int:
        return _small(value)
    if isinstance(value, float):  # numpy.float64 is one; its number is read by float's own method, which cannot lie
        value = float.__float__(value)
        return value if math.isfinite(value) else {"float": str(value)}
    if kind is str:
        return _text(value)
    depth += 1
    if kind is tuple or kind is list:
        budget.spend(len(value), depth=depth)
        return {kind.__name__: [_write(item, depth, body, budget) for item in value]}
    if kind is dict:
        budget.spend(len(value), depth=depth)
        return {"dict": {_key(key): _write(item, depth, body, budget) for key, item in value.items()}}
    if kind is Model:
        budget.spend(1, depth=depth)
        return {"model": {_text(value.builder): _write(value.state, depth, body, budget)}}
    what = "a subclass of torch.Tensor is not a plain tensor" if isinstance(value, Tensor) else ""
    raise WireError(what or f"a {_name(kind)} is none of: {type_names}")


def _name(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _small(number: int) -> int:
    if abs(number) >= 2**64:
        raise WireError("a whole number of more than 64 bits")
    return number


def _text(text: Any) -> str:
    if type(text) is not str:
        raise WireError(f"a {_name(type(text))} where a text was wanted")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise WireError("a text that is not valid Unicode") from error
    return text


def _key(key: Any) -> str:
    if type(key) is not str:
        raise WireError(f"a dict with a {_name(type(key))} as a key; only texts are keys")
    return _text(key)


def _write_tensor(tensor: Tensor, body: list[bytes], budget: _Budget) -> dict[str, Any]:
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        raise WireError("a sparse, nested or quantized tensor is not a plain tensor")
    if not tensor.is_cpu:
        raise WireError(f"a tensor on the device {tensor.device}; the inputs are on the CPU, answer there")
    name = _NAMES.get(tensor.dtype)
    if name is None:
        name = str(tensor.dtype).removeprefix("torch.")
        raise WireError(f"a tensor of dtype {name}; wanted one of {', '.join(DTYPES)}")
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    shape, strides, count = tensor.shape, tensor.stride(), tensor.numel()
    offset = tensor.storage_offset() if count else 0
    budget.spend(0, elements=count)
    storage, plain = tensor, tensor.dtype is not torch.bfloat16  # numpy has none
    if offset or not plain or not tensor.is_contiguous():
        extent = _extent(shape, strides, offset)
        if extent * tensor.itemsize > MAX_BYTES:
            raise WireError("a tensor that is a view into too large a memory; return a .clone() of it")
        storage = tensor.as_strided((extent,), (1,), 0)
    body.append((storage if plain else storage.view(torch.uint8)).numpy().tobytes())
    return {"dtype": name, "shape": shape, "strides": strides, "offset": offset}


def _extent(shape: Sequence[int], strides: Sequence[int], offset: int) -> int:
    """Elements of storage from its beginning to the last one that the tensor reaches."""
    if 0 in shape:
        return 0
    for size, stride in zip(shape, strides, strict=True):
        offset += (size - 1) * stride
    return offset + 1


# --- bytes to a value -----------------------------------------------------------------------------------------------


def decode(message: bytes | bytearray) -> Any:
    """The value of a message; tensors own their memory. WireError on anything that `encode` would not have written."""
    if not 4 <= len(message) <= MAX_BYTES:
        raise WireError(f"a message of {len(message):,} bytes; wanted 4 to {MAX_BYTES:,}")
    (length,) = struct.unpack_from(">I", message)
    if length > min(MAX_HEADER, len(message) - 4):
        raise WireError(f"a header that claims {length:,} bytes")
    try:
        text = message[4 : 4 + length].decode()
        header, end = _FROM_JSON(text)
    except (ValueError, RecursionError) as error:  # bad UTF-8, bad JSON, endless digits, nested without end
        raise WireError(f"a header that is not JSON: {type(error).__name__}") from error
    if end != len(text):
        raise WireError("letters behind the JSON of a header")
    body = _Body(message, 4 + length)
    budget = _Budget()
    budget.spend(1)
    value = _read(header, 0, body, budget)
    if body.position != len(message):
        raise WireError(f"{len(message) - body.position:,} bytes too many")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("the same key twice")
    return found


def _no_constant(name: str) -> None:
    raise WireError(f"{name} is not JSON")


# What is written was made just now, so it holds no circle.
_TO_JSON = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode
_FROM_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).raw_decode


@dataclass
class _Body:
    message: bytes | bytearray
    position: int

    def take(self, count: int) -> bytearray:
        if count > len(self.message) - self.position:
            raise WireError("a tensor that is larger than its bytes")
        self.position += count
        return bytearray(self.message[self.position - count : self.position])


def _read(node: Any, depth: int, body: _Body, budget: _Budget) -> Any:
    if node is None or type(node) is bool:
        return node
    if type(node) is int:
        return _small(node)
    if type(node) is float:
        if not math.isfinite(node):
            raise WireError("a float too large")
        return node
    if type(node) is str:
        return _text(node)
    if type(node) is not dict or len(node) != 1:
        raise WireError("a node that is none of the closed list")
    ((kind, content),) = node.items()
    if kind == "tensor" and type(content) is dict:
        return _read_tensor(content, body, budget)
    if kind == "float" and type(content) is str and content in _NOT_FINITE:
        return _NOT_FINITE[content]
    depth += 1
    if kind in ("tuple", "list") and type(content) is list:
        budget.spend(len(content), depth=depth)
        items = [_read(item, depth, body, budget) for item in content]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict" and type(content) is dict:
        budget.spend(len(content), depth=depth)
        return {_text(key): _read(item, depth, body, budget) for key, item in content.items()}
    if kind == "model" and type(content) is dict and len(content) == 1:
        budget.spend(1, depth=depth)
        ((builder, state),) = content.items()
        return Model(_text(builder), _state(_read(state, depth, body, budget)))
    raise WireError("a node that is none of the closed list")


def _state(state: Any) -> dict[str, Tensor]:
    if type(state) is not dict or not all(type(tensor) is Tensor for tensor in state.values()):
        raise WireError("a model's state is a dict of tensors")
    return state


def _read_tensor(node: dict[str, Any], body: _Body, budget: _Budget) -> Tensor:
    if node.keys() != _FIELDS or type(node["dtype"]) is not str:
        raise WireError("a tensor has dtype, shape, strides and offset")
    if node["dtype"] not in DTYPES:
        raise WireError("a tensor of a dtype that is not on the list")
    dtype = DTYPES[node["dtype"]]
    shape, strides = _sizes(node["shape"]), _sizes(node["strides"])
    (offset,) = _sizes([node["offset"]])
    if len(shape) != len(strides):
        raise WireError("a tensor with as many sizes as strides was wanted")
    count = math.prod(shape)
    # Of an empty one too: torch multiplies up the other sizes.
    if (count or math.prod(max(size, 1) for size in shape)) > MAX_BYTES:
        raise WireError("a tensor of endless sizes")
    budget.spend(0, elements=count)
    raw = body.take(_extent(shape, strides, offset) * dtype.itemsize)
    if not count:
        return torch.empty_strided(shape, strides, dtype=dtype, device="cpu")
    if dtype is torch.bool and max(raw) > 1:
        raise WireError("a bool that is neither 0 nor 1")
    return torch.frombuffer(raw, dtype=dtype).clone().as_strided(shape, strides, offset)


def _sizes(numbers: Any) -> list[int]:
    if type(numbers) is not list or len(numbers) > MAX_DIMENSIONS:
        raise WireError(f"at most {MAX_DIMENSIONS} sizes were wanted")
    for number in numbers:
        if type(number) is not int or not 0 <= number <= MAX_BYTES:
            raise WireError("a size, stride or offset that is negative, too large or no whole number")
    return numbers
