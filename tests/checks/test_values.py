"""The closed list of values: what is on it arrives as it left, what is not is refused, and hostile bytes do no harm."""

import json
import math
import socket
import struct
import threading
import time
import tracemalloc
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.checks.frames import MAX_BYTES, WireError, receive, send
from dlcourse.checks.values import DTYPES, MAX_DEPTH, MAX_ITEMS, Model, decode, encode

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | texts


@st.composite
def tensors(draw):
    """Any dtype, zero to four dimensions with size 0 and 1 among them, permuted, sliced, offset and expanded."""
    dtype = draw(st.sampled_from(list(DTYPES.values())))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    whole = torch.randint(-3, 4, [2 * size + 1 for size in shape], generator=generator)
    whole = whole.to(dtype)
    if dtype.is_floating_point and whole.numel() > 1:
        whole.view(-1)[:: draw(st.integers(2, 5))] = draw(st.sampled_from([math.nan, math.inf, -0.0]))
    start, step = draw(st.integers(0, 1)), draw(st.integers(1, 2))
    part = whole[tuple(slice(start, start + size * step, step) for size in shape)]
    part = part.permute(draw(st.permutations(range(len(shape)))))
    return part.expand(draw(st.integers(0, 3)), *part.shape) if draw(st.booleans()) else part


def inside(children):
    return st.lists(children, max_size=3) | st.lists(children, max_size=3).map(tuple) | st.dictionaries(texts, children)


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        kept = a.dtype == b.dtype and a.shape == b.shape and a.stride() == b.stride()
        if not kept or not a.numel():
            return kept
        bits = [torch.cat([tensor.reshape(-1)]).view(torch.uint8) for tensor in (a, b)]
        return a.storage_offset() == b.storage_offset() and torch.equal(*bits)
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b))
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    return a == b


@settings(max_examples=150, deadline=None)
@given(tensors())
def test_tensor_arrives_as_it_left(tensor):
    assert same(decode(encode(tensor)), tensor)


@settings(max_examples=100, deadline=None)
@given(st.recursive(scalars | tensors(), inside, max_leaves=6))
def test_a_value_that_was_read_is_written_as_it_came(value):
    """`Answerer` sees by this that an argument was changed: no honest answer may be accused."""
    message = encode(value)
    assert encode(decode(message)) == message


@settings(max_examples=100, deadline=None)
@given(st.recursive(scalars | tensors(), inside, max_leaves=6))
def test_value_arrives_as_it_left(value):
    assert same(decode(encode(value)), value)


def test_parameter_arrives_as_a_plain_tensor_and_shares_nothing():
    parameter = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    got = decode(encode(parameter))
    assert type(got) is torch.Tensor
    assert not got.requires_grad
    got.zero_()
    assert parameter[1, 2] == 5


def test_conjugate_views_are_resolved():
    tensor = torch.tensor([1 + 2j, 3 - 1j]).conj()
    assert decode(encode(tensor)).tolist() == [1 - 2j, 3 + 1j]
    assert decode(encode(tensor.imag)).tolist() == [-2, 1]


def test_model_is_a_builder_and_a_state():
    model = decode(encode(Model("two_layer", {"weight": torch.ones(2, 1)})))
    assert model.builder == "two_layer"
    assert torch.equal(model.state["weight"], torch.ones(2, 1))


class Sly(torch.Tensor):
    pass


class SlyInt(int):
    pass


def endless():
    loop = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(2).as_subclass(Sly), "not a plain tensor"),
        (SlyInt(3), "SlyInt is none of"),
        (np.float32(0.5), "numpy.float32 is none of"),
        (np.zeros(2), "numpy.ndarray is none of"),
        (torch.nn.Linear(1, 1), "Linear is none of"),
        ({1: 2}, "as a key"),
        (print, "none of"),
        (torch.eye(2).to_sparse(), "sparse"),
        (torch.empty(2, device="meta"), "on the device meta"),
        (torch.zeros(1).expand(2**26), "elements"),
        (2**64, "64 bits"),
        ("\ud800", "Unicode"),
        ({"\ud800": 1}, "Unicode"),
        (endless(), "deep"),
        ([0] * MAX_ITEMS, "values in one message"),
        ("x" * 2**21, "too large"),
        (torch.zeros(2**24 + 2)[-1:], "clone"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isascii() and len(value) < 30 else "",
)
def test_what_is_not_on_the_list_is_refused(value, message):
    with pytest.raises(WireError, match=message):
        encode(value)


def test_a_numpy_float_is_a_float():
    got = decode(encode((np.float64(0.5), np.float64("nan"))))
    assert [type(number) for number in got] == [float, float]
    assert got[0] == 0.5
    assert math.isnan(got[1])


def message(header, body=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(raw)) + raw + body


def tensor(body=b"\0" * 16, **changed):
    node = {"dtype": "float32", "shape": [2, 2], "strides": [2, 1], "offset": 0, **changed}
    return message({"tensor": node}, body)


HOSTILE = {
    "empty": b"",
    "short": b"\0\0",
    "header longer than the message": struct.pack(">I", 2**32 - 1) + b"{}",
    "bad utf-8": message(b'"\xff\xfe"'),
    "not JSON": message(b"{"),
    "JSON and more": message(b"1 2"),
    "JSON and a blank": message(b"1 "),
    "NaN": message(b"NaN"),
    "Infinity": message(b'{"list":[-Infinity]}'),
    "float beyond range": message(b"1e999"),
    "endless digits": message(b"9" * 10_000),
    "long integer": message(b"9" * 100),
    "same key twice": message(b'{"dict":{"a":1,"a":2}}'),
    "lone surrogate": message(b'"\\ud800"'),
    "surrogate key": message(b'{"dict":{"\\ud800":1}}'),
    "nested without end": message(b"[" * 100_000),
    "nested too deep": message(b'{"list":[' * (MAX_DEPTH + 1) + b"1" + b"]}" * (MAX_DEPTH + 1)),
    "too many values": message({"list": [0] * MAX_ITEMS}),
    "unknown kind": message({"pickle": "gASVCg=="}),
    "two kinds": message({"list": [], "tuple": []}),
    "no kind": message({}),
    "bare list": message([1]),
    "list of no list": message({"list": 3}),
    "float of another text": message({"float": "1.0"}),
    "float of a list": message({"float": []}),
    "model of numbers": message({"model": {"two_layer": {"dict": {"weight": 1}}}}),
    "model of a list": message({"model": {"two_layer": {"list": []}}}),
    "bytes too many": message(1, b"\0"),
    "tensor too short": tensor(b"\0" * 15),
    "tensor too long": tensor(b"\0" * 17),
    "negative size": tensor(shape=[-2, 2]),
    "negative stride": tensor(strides=[-2, 1]),
    "negative offset": tensor(offset=-1),
    "offset beyond the end": tensor(offset=1),
    "stride beyond the end": tensor(strides=[3, 1]),
    "huge size": tensor(shape=[2**62, 2**62]),
    "huge product": tensor(shape=[2**20, 2**20], strides=[0, 0], body=b"\0" * 4),
    "empty, and huge all the same": tensor(shape=[0, 2**20, 2**20, 2**24], strides=[1, 1, 1, 1], body=b""),
    "huge stride": tensor(strides=[2**63, 1]),
    "huge offset": tensor(offset=2**63),
    "stride that overflows": tensor(strides=[2**62 - 1, 2]),
    "bool as size": tensor(shape=[True, 2]),
    "float as size": tensor(shape=[2.0, 2]),
    "text as shape": tensor(shape="22"),
    "more strides than sizes": tensor(strides=[2, 1, 1]),
    "nine dimensions": tensor(shape=[1] * 9, strides=[1] * 9, body=b"\0" * 4),
    "unknown dtype": tensor(dtype="object"),
    "attribute as dtype": tensor(dtype="save"),
    "list as dtype": tensor(dtype=["float32"]),
    "field missing": message({"tensor": {"dtype": "float32"}}, b"\0" * 4),
    "field too many": tensor(device="cuda"),
    "tensor of a list": message({"tensor": []}),
    "bool of 2": tensor(dtype="bool", body=b"\0\1\2\1"),
    "many big tensors": message(
        {"list": [{"tensor": {"dtype": "int8", "shape": [2**23], "strides": [0], "offset": 0}}] * 3}, b"\0" * 3
    ),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_refused_cheaply(hostile):
    tracemalloc.start()
    with pytest.raises(WireError):
        decode(hostile)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 40))
def test_damaged_messages_are_read_or_refused(noise, position):
    good = encode({"a": (1, torch.arange(4.0).reshape(2, 2).T), "b": [None, "text", math.inf]})
    for damaged in (noise, good[:position], good[:position] + noise + good[position + len(noise) :]):
        with suppress(WireError):
            decode(damaged)


# --- frames ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


TIMEOUTS = pytest.mark.parametrize("timeout", [None, 30.0])


def framed(message):
    return struct.pack(">Q", len(message)) + message


@TIMEOUTS
def test_frames_follow_each_other(pair, timeout):
    ours, theirs = pair
    for value in (1, "two", torch.ones(3, 3)):
        send(theirs, encode(value), timeout=timeout)
        assert same(decode(receive(ours, timeout=timeout)), value)
    send(theirs, b"", timeout=timeout)
    assert receive(ours, timeout=timeout) == b""
    theirs.close()
    assert receive(ours, timeout=timeout) is None


@TIMEOUTS
@pytest.mark.parametrize("cuts", [(1,), (8,), (3, 8, 9), range(1, 60), (50,)], ids=str)
def test_a_frame_cut_in_pieces_arrives_whole(pair, timeout, cuts):
    """Each piece comes when the one before has been taken: what arrived so far is kept, and waited on."""
    ours, theirs = pair
    value = {"a": (1, torch.arange(4.0)), "b": "text"}
    whole = framed(encode(value))
    places = [0, *cuts, len(whole)]

    def drip():
        for start, end in pairwise(places):
            theirs.sendall(whole[start:end])
            time.sleep(0.002)

    dripping = threading.Thread(target=drip)
    dripping.start()
    got = receive(ours, timeout=timeout)
    dripping.join()
    assert same(decode(got), value)


@TIMEOUTS
def test_a_large_frame_arrives_whole(pair, timeout):
    """Far more than the kernel keeps between the two: sender and receiver take turns."""
    ours, theirs = pair
    large = torch.arange(2**20, dtype=torch.int64)
    sending = threading.Thread(target=send, args=(theirs, encode(large)), kwargs={"timeout": timeout})
    sending.start()
    got = receive(ours, timeout=timeout)
    sending.join()
    assert torch.equal(decode(got), large)
    assert theirs.gettimeout() is None  # as it was


@TIMEOUTS
@pytest.mark.parametrize("more", [b"x", framed(encode(2)), framed(encode(2)) * 10_000], ids=["byte", "frame", "flood"])
def test_what_comes_behind_a_frame_makes_it_worthless(pair, timeout, more):
    """Who answers once is asked once: neither the first nor the second of two is taken for the answer."""
    ours, theirs = pair

    def flood():
        with suppress(BrokenPipeError, ConnectionResetError):  # nobody reads to its end
            theirs.sendall(framed(encode(1)) + more)

    flooding = threading.Thread(target=flood)
    flooding.start()
    with pytest.raises(WireError, match="behind"):
        receive(ours, timeout=timeout)
    ours.close()
    flooding.join()


@TIMEOUTS
def test_a_head_without_a_body_is_a_broken_frame(pair, timeout):
    ours, theirs = pair
    theirs.sendall(struct.pack(">Q", 5))
    theirs.close()
    with pytest.raises(WireError, match="cut short"):
        receive(ours, timeout=timeout)


def test_who_does_not_read_holds_nobody_up(pair):
    ours, theirs = pair
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        send(ours, bytes(2**23), timeout=0.1)
    assert time.monotonic() - begin < 5
    assert ours.gettimeout() is None
    theirs.close()
    with pytest.raises(OSError, match=r"pipe|reset"):
        send(ours, b"", timeout=0.1)


def test_huge_length_is_refused_before_anything_is_read(pair):
    ours, theirs = pair
    theirs.sendall(struct.pack(">Q", MAX_BYTES + 1))
    with pytest.raises(WireError, match="claims"):
        receive(ours, timeout=5)


def test_announced_length_costs_no_memory(pair):
    ours, theirs = pair
    theirs.sendall(struct.pack(">Q", MAX_BYTES) + b"x")
    theirs.close()
    tracemalloc.start()
    with pytest.raises(WireError, match="cut short"):
        receive(ours, timeout=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_half_a_length_is_a_broken_frame(pair):
    ours, theirs = pair
    theirs.sendall(b"\0\0\0")
    theirs.close()
    with pytest.raises(WireError):
        receive(ours, timeout=5)


def test_silence_and_dripping_time_out(pair):
    ours, theirs = pair
    with pytest.raises(TimeoutError):
        receive(ours, timeout=0.05)
    theirs.sendall(struct.pack(">Q", 100) + b"drip")
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        receive(ours, timeout=0.1)
    assert time.monotonic() - begin < 5
