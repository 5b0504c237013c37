"""What an engine hands to a view: a few words and numbers, and arrays of bytes and floats that travel as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

LIMIT = 64 * 1024  # bytes of arrays in one snapshot; a picture of 100 x 100 places needs 10,000
DTYPES = ("uint8", "float32")


@dataclass(frozen=True)
class Snapshot:
    """header: JSON. arrays: name -> numpy array or CPU tensor, of uint8 (pictures) or float32 (numbers)."""

    header: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray | torch.Tensor] = field(default_factory=dict)


def pack(snapshot: Snapshot) -> tuple[dict[str, Any], list[memoryview]]:
    """The message and its binary buffers. Raises ValueError for another dtype, or for more than `LIMIT` bytes.

    >>> content, buffers = pack(Snapshot({"step": 3}, {"field": np.zeros((2, 2), np.uint8)}))
    >>> content
    {'header': {'step': 3}, 'arrays': [{'name': 'field', 'dtype': 'uint8', 'shape': [2, 2]}]}
    >>> len(buffers[0])
    4
    """
    listed, buffers = [], []
    for name, values in snapshot.arrays.items():
        array = np.ascontiguousarray(values.detach().numpy() if isinstance(values, torch.Tensor) else values)
        if str(array.dtype) not in DTYPES:
            raise ValueError(f"the array {name!r} of a snapshot is of {array.dtype}; wanted uint8 or float32.")
        listed.append({"name": name, "dtype": str(array.dtype), "shape": list(np.shape(values))})
        buffers.append(memoryview(array).cast("B") if array.size else memoryview(b""))
    total = sum(map(len, buffers))
    if total > LIMIT:
        sizes = ", ".join(f"{item['name']} {len(data)}" for item, data in zip(listed, buffers, strict=True))
        raise ValueError(f"a snapshot of {total} bytes is more than the {LIMIT} allowed ({sizes}): send coarser ones.")
    return {"header": dict(snapshot.header), "arrays": listed}, buffers


def quantise(values: torch.Tensor | np.ndarray, low: float, high: float) -> np.ndarray:
    """Numbers as bytes: `low` and below becomes 0, `high` and above 254, and what is not a number becomes 255.

    A picture needs no more; 255 is drawn as "no value".

    >>> quantise(np.array([-2.0, 0.0, 1.0, float("nan")]), -1, 1)
    array([  0, 127, 254, 255], dtype=uint8)
    """
    array = np.asarray(values.detach().numpy() if isinstance(values, torch.Tensor) else values, dtype=np.float32)
    missing = np.isnan(array)
    scaled = (np.clip(array, low, high) - low) * (254 / (high - low))
    bytes_ = np.rint(np.where(missing, 0, scaled)).astype(np.uint8)
    bytes_[missing] = 255
    return bytes_
