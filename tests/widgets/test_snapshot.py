"""From arrays to bytes and back: nothing bent, nothing too big, nothing of another type."""

import json

import numpy as np
import pytest
import torch

from dlcourse.widgets.snapshot import LIMIT, Snapshot, pack, quantise

ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)
ARRAYS = {
    "numpy bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "numpy floats": ROWS,
    "a slice with gaps": ROWS[:, ::2],
    "a transpose": ROWS.T,
    "Fortran's order": np.asfortranarray(ROWS),
    "a tensor": torch.arange(6.0).reshape(3, 2),
    "a transposed tensor": torch.arange(6.0).reshape(3, 2).T,
    "a tensor that learns": torch.ones(2, 2, requires_grad=True),
    "bytes in a tensor": torch.tensor([0, 255], dtype=torch.uint8),
    "one number": np.float32(2.5),
    "one number in a tensor": torch.tensor(2.5),
    "nothing": np.zeros((0, 3), np.float32),
    "not a number": np.array([np.nan, np.inf, -0.0], np.float32),
}


def unpacked(content, buffers):
    return {
        item["name"]: np.frombuffer(buffer, item["dtype"]).reshape(item["shape"])
        for item, buffer in zip(content["arrays"], buffers, strict=True)
    }


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_arrives_as_it_left(name):
    values = ARRAYS[name]
    content, buffers = pack(Snapshot({}, {"a": values}))
    found = unpacked(content, [bytes(buffer) for buffer in buffers])["a"]
    wanted = values.detach().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)
    assert all(buffer.format == "B" and buffer.ndim == 1 for buffer in buffers), "plain bytes, as the line wants them"


def test_all_arrays_arrive_in_order_under_their_names():
    content, buffers = pack(Snapshot({"say": "hi"}, ARRAYS))
    assert [item["name"] for item in content["arrays"]] == list(ARRAYS)
    assert len(buffers) == len(ARRAYS)
    assert json.loads(json.dumps(content)) == content
    assert content["header"] == {"say": "hi"}


def test_no_arrays_at_all():
    assert pack(Snapshot({"step": 1})) == ({"header": {"step": 1}, "arrays": []}, [])


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(3),
        np.zeros(3, np.int64),
        np.zeros(3, bool),
        np.zeros(3, ">f4"),
        np.zeros(3, np.float16),
        np.zeros(3, object),
        np.array(["a"]),
        torch.zeros(3, dtype=torch.float64),
        torch.zeros(3, dtype=torch.int8),
    ],
    ids=lambda values: str(values.dtype),
)
def test_another_type_is_refused_by_name(values):
    with pytest.raises(ValueError, match=r"the array 'field' of a snapshot is of .*wanted uint8 or float32"):
        pack(Snapshot({}, {"field": values}))


def test_as_much_as_the_limit_and_no_byte_more():
    half = np.zeros(LIMIT // 2, np.uint8)
    _, buffers = pack(Snapshot({}, {"a": half, "b": half}))
    assert sum(map(len, buffers)) == LIMIT == 65536
    with pytest.raises(ValueError, match=rf"{LIMIT + 1} bytes is more than the {LIMIT} allowed \(a \d+, b \d+, c 1\)"):
        pack(Snapshot({}, {"a": half, "b": half, "c": np.zeros(1, np.uint8)}))
    with pytest.raises(ValueError, match="coarser"):
        pack(Snapshot({}, {"a": np.zeros(LIMIT // 4 + 1, np.float32)}))


@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_quantise_by_hand(kind):
    values = [-9.0, -1.0, -0.5, 0.0, 0.5, 1.0, 9.0, float("inf"), float("-inf"), float("nan")]
    found = quantise(kind(values), -1, 1)
    assert found.dtype == np.uint8
    assert found.tolist() == [0, 0, 64, 127, 190, 254, 254, 254, 0, 255]


def test_quantise_keeps_shape_and_order():
    values = np.linspace(-3, 5, 600).reshape(20, 30)
    found = quantise(torch.tensor(values, requires_grad=True), -3, 5)
    assert found.shape == (20, 30)
    assert (np.diff(found.ravel().astype(int)) >= 0).all()
    assert np.abs(found / 254 * 8 - 3 - values).max() <= 8 / 254 / 2 + 1e-6, "no further off than half a byte's worth"
    assert set(np.unique(found)) == set(range(255)), "all of 0 to 254, and 255 means no value"


def test_quantise_leaves_its_argument_alone():
    values = np.array([np.nan, 5.0], np.float32)
    quantise(values, 0, 1)
    np.testing.assert_array_equal(values, [np.nan, 5.0])
