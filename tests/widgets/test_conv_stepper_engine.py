"""ConvStepper's engine: every number against torch, what is refused, paths, guesses, the program, the share string."""

import time
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import nn
from dlcourse.widgets.conv_stepper import kernels, numbers, pictures, words
from dlcourse.widgets.conv_stepper.engine import LARGEST_MAP, ConvStepperEngine
from dlcourse.widgets.conv_stepper.question import Question, close, telling, traps
from dlcourse.widgets.snapshot import LIMIT, pack

functional = torch.nn.functional


def stepper(**values):
    return ConvStepperEngine(**{"example": "noise"} | values)


def by_torch(engine):
    """What torch makes of the same picture."""
    x, values = engine.image[None, None], engine.values
    how = {name: values[name] for name in ("stride", "padding")}
    for _ in range(values["layers"]):
        if values["mode"] == "max":
            x = functional.max_pool2d(x, values["kernel_size"], dilation=values["dilation"], **how)
        elif values["mode"] == "average":
            x = functional.avg_pool2d(x, values["kernel_size"], count_include_pad=values["count_padding"], **how)
        else:
            kernel = engine.kernel.rot90(2) if values["flip"] else engine.kernel
            x = functional.conv2d(
                x, kernel[None, None], torch.tensor([values["bias"]]), dilation=values["dilation"], **how
            )
    return x[0, 0]


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def states(draw, modes=("kernel", "max", "average"), most=3):
    """(parameters of all kinds, a share of the way through the output)."""
    mode = draw(st.sampled_from(modes))
    window = draw(pairs(1, 5))
    pads = [st.integers(0, 4 if mode == "kernel" else size // 2) for size in window]
    values = {
        "mode": mode,
        "kernel_size": window,
        "size": draw(pairs(5, 12)),
        "stride": draw(pairs(1, 4)),
        "padding": draw(st.tuples(*pads)),
        "dilation": (1, 1) if mode == "average" else draw(pairs(1, 3)),
        "bias": draw(st.sampled_from([0.0, 0.5, -3.0])),
        "flip": draw(st.booleans()),
        "count_padding": draw(st.booleans()),
        "layers": draw(st.integers(1, most)),
        "preset": draw(st.sampled_from([*kernels.PRESETS])),
        "example": draw(st.sampled_from(["noise", "edge", "cross"])),
        "seed": draw(st.integers(0, 99)),
    }
    return values, draw(st.floats(0, 1))


def made(state):
    """An engine in this state; where the window does not fit, in a larger picture and once."""
    values, share = state
    try:
        engine = ConvStepperEngine(**values)
    except ValueError:
        engine = ConvStepperEngine(**values | {"size": (16, 16), "layers": 1})
    engine.scrub(round(share * (engine.output.numel() - 1)))
    return engine


# The numbers.


@settings(max_examples=15, deadline=None)
@given(states())
def test_every_output_is_torchs(state):
    engine = made(state)
    torch.testing.assert_close(engine.output, by_torch(engine), rtol=1e-4, atol=1e-3)
    assert engine.sizes[-1] == tuple(engine.output.shape)


@settings(max_examples=15, deadline=None)
@given(states(most=2))
def test_the_places_add_up_to_the_output(state):
    engine = made(state)
    places, values = engine.places, engine.values
    assert len(places) == values["kernel_size"][0] * values["kernel_size"][1]
    if values["mode"] == "max":
        assert max(place.value for place in places if place.inside) == engine.value
        assert all(place.value is None and place.weight is None for place in places if not place.inside)
        return
    total = sum(place.product for place in places if place.product is not None)
    bias = values["bias"] if values["mode"] == "kernel" else 0.0
    assert total + bias == pytest.approx(engine.value, rel=1e-4, abs=1e-3)
    below = engine.maps[-2]
    for place in places:
        assert place.inside is (0 <= place.row < below.shape[0] and 0 <= place.column < below.shape[1])
        if place.inside:
            assert place.value == below[place.row, place.column].item()


@settings(max_examples=10, deadline=None)
@given(states(modes=("kernel",)))
def test_paths_are_the_gradient_of_a_stack_of_ones(state):
    """With all weights 1 the gradient of a cell with respect to a pixel counts the paths between them."""
    engine = made(state)
    x = torch.zeros(engine.sizes[0], dtype=torch.float64, requires_grad=True)
    values, y = engine.values, x[None, None]
    ones = torch.ones(1, 1, *values["kernel_size"], dtype=torch.float64)
    for _ in range(values["layers"]):
        y = functional.conv2d(y, ones, **{name: values[name] for name in ("stride", "padding", "dilation")})
    y[0, 0][engine.at].backward()
    seen = engine.seen[0]
    assert torch.equal(seen.paths.double(), x.grad)
    top, left, bottom, right = seen.window
    rows, columns = (x.grad != 0).nonzero(as_tuple=True)
    if len(rows):
        assert top <= rows.min() <= rows.max() < bottom
        assert left <= columns.min() <= columns.max() < right


@settings(max_examples=10, deadline=None)
@given(states())
def test_the_window_is_the_receptive_field_of_nn(state):
    engine = made(state)
    values = engine.values
    layers = [
        torch.nn.Conv2d(1, 1, values["kernel_size"], values["stride"], values["padding"], values["dilation"])
        for _ in range(values["layers"])
    ]
    field = [*nn.receptive_fields(torch.nn.Sequential(*layers)).values()][-1]
    assert engine.seen[0].window == field.window(*engine.at)


def test_by_hand():
    engine = ConvStepperEngine(image=[[1, 2, 3], [4, 5, 6], [7, 8, 9]], kernel=[[1, 0], [0, -1]], bias=0.5)
    assert engine.output.tolist() == [[-3.5, -3.5], [-3.5, -3.5]]
    engine.go(1, 0)
    assert [(place.row, place.column, place.product) for place in engine.places] == [
        (1, 0, 4),
        (1, 1, 0),
        (2, 0, 0),
        (2, 1, -8),
    ]
    engine.set(flip=True)
    assert engine.output.tolist() == [[4.5, 4.5], [4.5, 4.5]]
    assert words.sums(engine)[-1] == "(-4) + 8 + bias 0.5 = 4.5"


def test_max_pooling_never_takes_its_padding():
    engine = ConvStepperEngine(image=-torch.ones(4, 4), mode="max", kernel_size=2, stride=2, padding=1)
    assert engine.output.eq(-1).all()
    assert "zeros there would have made it 0" in engine.describe()
    engine.paint([(0, 0)], 3)
    assert "zeros there" not in engine.describe()


def test_average_pooling_counts_its_padding_or_not():
    engine = ConvStepperEngine(image=4 * torch.ones(4, 4), mode="average", kernel_size=2, stride=2, padding=1)
    assert engine.value == 1
    assert words.sums(engine) == ["0 + 0 + 0 + 4 = 4", "4 / 4 = 1"]
    engine.set(count_padding=False)
    assert engine.value == 4
    assert words.sums(engine) == ["4", "4 / 1 = 4"]


# Pictures and kernels.


@pytest.mark.parametrize("name", pictures.EXAMPLES)
@pytest.mark.parametrize("size", [(3, 3), (7, 7), (16, 5)])
def test_pictures_are_round_numbers_of_the_size_asked_for(name, size):
    image = pictures.example(name, *size, seed=3)
    assert tuple(image.shape) == size
    assert torch.equal(image, image.round())
    assert image.abs().max() <= 16
    assert torch.equal(image, pictures.example(name, *size, seed=3))
    if name in ("digit", "photograph", "noise"):
        assert not torch.equal(image, pictures.example(name, *size, seed=4))


def test_a_digit_is_the_data_sets():
    from dlcourse import data

    engine = ConvStepperEngine(example="digit", seed=5)
    assert torch.equal(engine.image / 16, data.load("digits").x[5, 0])
    other = ConvStepperEngine()
    other.set(example="digit")
    assert other.sizes[0] == (8, 8)
    other.set(size=(10, 6))
    first = data.load("digits").x[0, 0] * 16
    assert torch.equal(other.image[1:9], first[:, 1:7])
    assert not other.image[[0, 9]].any()


@pytest.mark.parametrize("size", [*product((1, 2, 3, 4, 5), repeat=2)])
def test_kernels_of_every_size(size):
    made = {name: kernels.preset(name, *size) for name in kernels.PRESETS}
    assert all(tuple(kernel.shape) == size and kernel.isfinite().all() for kernel in made.values())
    for name in ("mean", "gaussian", "identity"):
        assert made[name].sum().item() == pytest.approx(1, abs=1e-6)
    for name in ("left_right", "top_bottom", "laplacian"):
        assert made[name].sum() == 0
    assert torch.equal(made["left_right"], kernels.preset("top_bottom", *size[::-1]).T)
    assert torch.equal(made["sharpen"] + made["laplacian"], made["identity"])


def test_kernels_at_three_by_three():
    threes = {name: kernels.preset(name, 3, 3) for name in kernels.PRESETS}
    assert threes["laplacian"].tolist() == [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    assert (16 * threes["gaussian"]).tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert threes["top_bottom"].tolist() == [[-1] * 3, [0] * 3, [1] * 3]


def test_painting_and_the_way_back():
    engine = ConvStepperEngine(example="blank", size=4, brush=2)
    engine.paint([(0, 0), (1, 1)], stroke="a")
    engine.paint([(2, 2)], stroke="a")
    assert engine.values["example"] == "own"
    assert engine.image.diagonal().tolist() == [2, 2, 2, 0]
    engine.paint([(3, 3)], -5)
    engine.weigh(0, 0, 0.25)
    assert (engine.values["preset"], engine.kernel[0, 0].item()) == ("own", 0.25)
    engine.undo()
    assert engine.values["preset"] == "left_right"
    engine.undo()
    assert engine.image.diagonal().tolist() == [2, 2, 2, 0]
    engine.undo()  # the whole stroke
    assert (engine.values["example"], engine.image.any().item()) == ("blank", False)
    engine.undo()
    assert not engine.snapshot().header["undoable"]
    engine.set(example="cross")
    engine.clear()
    assert not engine.image.any()
    engine.undo()
    assert (engine.values["example"], int(engine.image.sum())) == ("cross", 3)


def test_own_numbers_keep_their_place_when_the_size_changes():
    engine = ConvStepperEngine(image=torch.arange(9.0).view(3, 3), kernel=[[1.0, 2.0], [3.0, 4.0]])
    engine.set(size=(3, 5), kernel_size=(3, 1))
    assert engine.image[:, 1:4].tolist() == torch.arange(9.0).view(3, 3).tolist()
    assert engine.kernel.tolist() == [[1], [3], [0]]
    engine.undo()
    assert (engine.sizes[0], tuple(engine.kernel.shape)) == ((3, 3), (2, 2))


def test_undo_that_no_longer_fits_is_refused():
    engine = stepper(size=3)
    engine.set(size=16)
    engine.set(padding=(0, 1), dilation=4)
    before = engine.describe()
    with pytest.raises(ValueError, match="does not fit"):
        engine.undo()
    assert engine.describe() == before


# What is refused.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 2}, "size=2 is out of range: wanted a whole number from 3 to 16"),
        ({"size": (3, 4, 5)}, r"wanted one whole number from 3 to 16, or two, \(rows, columns\)"),
        ({"stride": (1, 0)}, "stride=0 is out of range"),
        ({"kernel_size": 5, "dilation": 2}, r"spans 2 \* \(5 - 1\) \+ 1 = 9 rows, and there are 7 \+ 2 \* 0 = 7"),
        ({"layers": 4}, r"in layer 4 the window does not fit: it spans 1 \* \(3 - 1\) \+ 1 = 3 rows"),
        (
            {"kernel_size": 1, "padding": 4, "size": 16, "layers": 2},
            f"layer 2 would make a map of 32 x 32; up to {LARGEST_MAP}",
        ),
        ({"mode": "max", "padding": 2}, r"padding=\(2, 2\) is too much for a pooling window of 3 x 3: .* \(1, 1\)"),
        (
            {"mode": "max", "size": 3, "kernel_size": (1, 2), "stride": (1, 3), "padding": (0, 1), "dilation": (1, 4)},
            "nothing but padding",
        ),
        ({"mode": "average", "dilation": 2}, "average pooling has no dilation"),
        ({"preset": "sobel"}, "preset='sobel' is not known"),
        ({"image": [[1, 2], [3, 4]]}, r"image of shape \(2, 2\): wanted \(rows, columns\), each from 3 to 16"),
        ({"image": torch.full((3, 3), float("nan"))}, "must be from -999 to 999"),
        ({"image": [["a"] * 3] * 3}, "wanted rows of numbers"),
        ({"image": "abc"}, r"wanted rows of numbers, such as .*; got 'abc'"),
        ({"image": torch.ones(3, 3, dtype=torch.complex64)}, "wanted rows of numbers"),
        (
            {"image": torch.ones(2, 3, 20, 3)},
            r"Take one channel, such as \[0, 0\]\. Cut a part out, such as \[:16, :16\]",
        ),
        (
            {"kernel": torch.ones(6, 1)},
            r"kernel of shape \(6, 1\): .* from 1 to 5\. Cut a part out, such as \[:5, :5\]",
        ),
        ({"kernel": torch.ones(2, 2), "kernel_size": 2}, "kernel_size comes with your own numbers"),
    ],
)
def test_what_does_not_fit_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ConvStepperEngine(**values)
    if not {"image", "kernel"} & set(values):
        engine = ConvStepperEngine()
        before = engine.describe(), dict(engine.values)
        with pytest.raises(ValueError, match=message):
            engine.set(**values)
        assert (engine.describe(), engine.values) == before


@pytest.mark.parametrize(
    ("action", "args"),
    [
        ("go", {"row": 5, "column": 0}),
        ("scrub", {"step": 25}),
        ("scrub", {"step": -1}),
        ("step", {"n": "2"}),
        ("paint", {"cells": [[7, 0]]}),
        ("paint", {"cells": 3}),
        ("paint", {"cells": [[0]]}),
        ("paint", {"cells": [[0, 0]], "value": 1e4}),
        ("paint", {"cells": [[0, 0]], "value": None, "stroke": None, "cells_": 0}),
        ("paint", {"cells": [[0, 0]] * 50}),
        ("weigh", {"row": 0, "column": 3, "value": 1}),
        ("weigh", {"row": 0, "column": 0, "value": 100}),
        ("ask", {"of": "colour"}),
        ("ask", {"of": ["value"]}),
        ("guess", {"answer": 3}),
        ("reveal", {}),
    ],
)
def test_actions_check_what_came(action, args):
    engine = ConvStepperEngine()
    before = engine.describe()
    with pytest.raises((ValueError, TypeError)):
        getattr(engine, action)(**args)
    assert engine.describe() == before


def test_pooling_has_no_numbers_to_type():
    engine = ConvStepperEngine(mode="max")
    with pytest.raises(ValueError, match="max pooling has no numbers of its own"):
        engine.weigh(0, 0, 1)


# The window.


def test_the_window_goes_row_by_row_and_back():
    engine = ConvStepperEngine(size=(4, 5))
    assert (engine.sizes[-1], engine.at, engine.running) == ((2, 3), (0, 0), True)
    visited = []
    while engine.running:
        engine.step()
        visited.append(engine.at)
    assert visited == [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    engine.step(4)
    assert engine.at == (1, 2)
    engine.back(2)
    assert engine.at == (1, 0)
    engine.scrub(1)
    engine.back(9)
    assert engine.at == (0, 0)
    engine.go(1, 2)
    engine.set(size=(3, 4))
    assert engine.at == (0, 1)
    engine.reset()
    assert engine.at == (0, 0)


# Questions.


def test_a_question_about_a_number_hides_all_numbers():
    engine = stepper(padding=1)
    engine.ask()
    shown = engine.snapshot()
    assert shown.header["hidden"] == "value"
    assert shown.arrays["map1"].isnan().all()
    assert shown.arrays["products"].numel() == 0
    assert (shown.header["sums"], shown.header["explanation"]) == ([], [])
    assert not engine.running
    for text in (engine.describe(), shown.header["say"]):
        assert "Which number stands in" in text
        assert "Behind it" not in text
    at = engine.at
    engine.step()
    assert engine.at == at
    said = engine.guess(engine.value)
    assert said == {"right": True, "text": f"Right. It is {numbers.number(engine.value)}."}
    assert engine.snapshot().header["hidden"] is None
    assert engine.snapshot().header["score"] == {"right": 1, "answered": 1}
    with pytest.raises(ValueError, match="no open question"):
        engine.guess(1)


def test_a_question_about_the_size_hides_the_size():
    engine = stepper(size=(9, 8), stride=2, padding=1, layers=2)
    engine.ask("size")
    shown = engine.snapshot()
    assert set(shown.arrays) == {"map0", "paths0", "kernel", "laid", "values", "weights", "products"}
    assert shown.header["formula"] is None
    assert shown.header["run"]["last"] == 0
    assert "3 x 2" not in engine.describe()
    assert "Rows: that is after one layer of 2; or the window's own width" in engine.guess([5, 4])["text"]
    assert engine.guess((2, 3))["text"] == "Those are the columns and the rows. Rows come first."
    assert engine.guess((3, 2)) == {"right": True, "text": "Right. It has 3 rows and 2 columns."}
    assert engine.snapshot().header["score"] == {"right": 0, "answered": 1}


def test_to_give_up_counts_once():
    engine = stepper()
    engine.ask()
    engine.reveal()
    assert engine.question.verdict == f"It is {numbers.number(engine.value)}."
    assert (engine.right_count, engine.asked_count, engine.hidden) == (0, 1, None)
    engine.ask()
    engine.guess(1e6)
    engine.reveal()
    assert engine.asked_count == 2
    engine.forget()
    assert engine.snapshot().header["question"] is None


MISTAKES = [
    ({}, lambda e: e.layer.but(flip=True)(e.image), "turned by 180 degrees. Here the kernel is laid on as it is"),
    ({"flip": True}, lambda e: e.layer.but(flip=False)(e.image), "laid on as it is. Here the kernel is turned first"),
    ({"bias": 2.0}, lambda e: e.output - 2, "the sum without the bias, 2"),
    ({"stride": 2}, lambda e: e.layer.but(stride=(1, 1))(e.image), "a window moved by 1. The stride is 2"),
    ({"padding": 1}, lambda e: e.layer.but(padding=(0, 0))(e.image), "the answer without padding"),
    ({"dilation": 2}, lambda e: e.layer.but(dilation=(1, 1))(e.image), "a window without gaps. The dilation is 2"),
    (
        {"mode": "max", "padding": 1},
        lambda e: e.output.clamp(min=0),
        "zeros for padding. In max pooling",
    ),
    ({"mode": "max"}, lambda e: -e.layer(-e.image), "the smallest number"),
    ({"mode": "average"}, lambda e: 9 * e.output, "That is the sum"),
    ({"mode": "average", "padding": 1}, lambda e: e.layer.but(count_padding=False)(e.image), "left out of the count"),
    (
        {},
        lambda e: e.output.roll((1, 1), (0, 1)),
        "one row up and one column to the left. Rows and",
    ),
]


@pytest.mark.parametrize(("values", "wrong", "named"), MISTAKES)
def test_the_likely_mistake_is_named(values, wrong, named):
    kernel = {} if "mode" in values else {"kernel": [[1, 2, -3], [4, 0, 5], [-6, 8, 7]]}
    image = -torch.arange(1.0, 82.0).view(9, 9) % 23 - 24  # negative, and no two neighbours alike
    engine = ConvStepperEngine(image=image, **kernel, **values)
    named_at, mistaken = 0, wrong(engine)
    for row, column in product(*(range(0, size, 2) for size in engine.sizes[-1])):
        if row >= mistaken.shape[0] or column >= mistaken.shape[1]:
            continue
        engine.go(row, column)
        engine.question = Question("value")
        said = engine.guess(mistaken[row, column].item())
        assert said["right"] is close(mistaken[row, column].item(), engine.value)
        named_at += named in said["text"]
    assert named_at >= 2


@settings(max_examples=10, deadline=None)
@given(states(most=2))
def test_no_sentence_is_said_to_a_right_answer(state):
    engine = made(state)
    engine.ask()
    at = engine.at
    assert telling(engine.layer, engine.maps[-2])[at] >= 0
    for trap in traps(engine.layer, engine.maps[-2]):
        assert trap.made.shape == engine.output.shape
        assert not trap.cause.endswith(".")
        assert trap.rule.endswith(".") or not trap.rule
    assert engine.guess(engine.value)["right"]
    engine.ask("size")
    assert engine.guess(engine.sizes[-1])["right"]


PLUS_ONE = "one too few: the first place of the window counts too (the + 1 at the end)"
SIZES = [
    ({"padding": 1, "kernel_size": 5}, (3, 3), "Rows and columns: the padding is forgotten: 1 on each side."),
    ({"padding": 1}, (6, 7), f"Rows: the padding is on both sides: 2 * 1 more; or {PLUS_ONE}."),
    ({"stride": 2}, (5, 5), "Rows and columns: the stride is forgotten: the window moves by 2."),
    (
        {"stride": 2, "size": 12},
        (6, 6),
        "Rows and columns: a step that does not fit whole is not taken: round down; or that is n / s: the window's own "
        "width counts, and so does padding; or the window may not reach beyond the last cell: that takes d(k - 1) = 2 "
        "away.",
    ),
    ({"dilation": 2}, (5, 5), "Rows and columns: the dilation is forgotten: the window spans 2 * (3 - 1) + 1 = 5."),
    (
        {"dilation": 2},
        (2, 2),
        f"Rows and columns: 3 places have 2 gaps between them: the window spans 5; or {PLUS_ONE}.",
    ),
    ({}, (4, 4), f"Rows and columns: {PLUS_ONE}."),
    (
        {},
        (7, 7),
        "Rows and columns: that is the picture's own size; the window takes d(k - 1) away, and padding gives 2p back.",
    ),
    (
        {"kernel_size": 5, "padding": 1},
        (7, 5),
        "Rows: that is the picture's own size; the window takes d(k - 1) away, and padding gives 2p back.",
    ),
    ({}, (8, 5), "Rows: the window's own width is forgotten: it spans 3."),
    ({}, (6, 5), "Rows: one too many."),
    ({}, (5, 4), f"Columns: {PLUS_ONE}."),
    ({}, (20, 5), "Rows: count how often the window fits: floor((n + 2p - d(k - 1) - 1) / s) + 1."),
]


@pytest.mark.parametrize(("values", "guess", "said"), SIZES)
def test_a_wrong_size_is_named_too(values, guess, said):
    engine = stepper(**values)
    engine.ask("size")
    assert engine.guess(guess) == {"right": False, "text": said}


def test_the_question_is_put_where_mistakes_show():
    engine = ConvStepperEngine(example="edge", bias=1)
    engine.ask()
    assert engine.value not in (1, 0)  # at the edge, where the flipped kernel answers otherwise
    first = engine.at
    engine.reveal()
    engine.ask()
    assert engine.at != first


# What is said, and carried away.


def test_the_size_is_worked_out_with_the_present_numbers():
    engine = stepper(size=(7, 9), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 3))
    lines = words.formula(engine)
    assert lines["rows"] == "⌊(7 + 2·1 - 1·(3 - 1) - 1) / 2⌋ + 1 = 4"
    assert lines["columns"] == "⌊(9 + 2·0 - 3·(2 - 1) - 1) / 1⌋ + 1 = 6"
    for line in (lines["rows"], lines["columns"]):
        sum_, result = line.rsplit(" = ", 1)
        assert eval(sum_.replace("⌊", "").replace(" / ", " // ").replace("⌋", "").replace("·", "*")) == int(result)
    assert words.formula(stepper(layers=3))["chain"] == "7 x 7 → 5 x 5 → 3 x 3 → 1 x 1"


def test_the_field_is_worked_out_too():
    engine = stepper(size=12, padding=1, layers=3, stride=(2, 1))
    engine.go(1, 5)
    said = words.field(engine)
    assert said[:3] == [
        "What one cell of layer 3 sees:",
        "rows: 1 + (3 - 1)·1·(1 + 2 + 4) = 15",
        "columns: 1 + (3 - 1)·1·(1 + 1 + 1) = 7",
    ]
    paths = engine.seen[0].paths
    assert said[3].startswith(f"This one: {int((paths > 0).sum())} of 144 pixels")
    assert f"on {int(paths.sum())} paths" in said[3]


def test_the_sentences_say_what_is_there():
    engine = ConvStepperEngine(padding=1)
    engine.go(2, 3)
    said = engine.describe()
    assert said.startswith(
        "An edge, 7 x 7, under the left-to-right edge kernel, 3 x 3; stride 1, padding 1, dilation 1, bias 0."
    )
    assert "The output has 7 x 7 cells, counted from 0. Output row 2, column 3: 3." in said
    assert "0·(-1) + 1·0 + 1·1 = 1" in said
    assert "Correlation: the kernel is laid on as it is." in said
    engine.set(preset="gaussian", flip=True)
    assert "the same when turned" in engine.describe()
    engine.set(flip=True, preset="left_right")
    assert "Convolution: the kernel is turned" in engine.describe()
    engine.go(0, 0)
    assert "5 of 9 places lie in the padding. They count as 0." in engine.describe()


@pytest.mark.parametrize(
    ("values", "at", "said"),
    [
        ({}, (0, 0), "rows 0 to 2, columns 0 to 2 of the picture"),
        (
            {"padding": 1},
            (0, 6),
            "rows 0 to 1 (and 1 row of padding above), columns 5 to 6 (and 1 column of padding on",
        ),
        ({"dilation": 2}, (1, 0), "rows 1, 3 and 5, columns 0, 2 and 4 of"),
        (
            {"dilation": 3, "padding": 2},
            (2, 0),
            "rows 0, 3 and 6, columns 1 and 4 (and 1 column of padding on the left",
        ),
        ({"padding": 4}, (0, 4), "3 rows of padding above, columns 0 to 2 of"),
        (
            {"size": 3, "padding": 1, "kernel_size": 5},
            (0, 0),
            "rows 0 to 2 (and 1 row of padding above and 1 row of padding below)",
        ),
        ({"kernel_size": 1}, (6, 0), "row 6, column 0 of the picture"),
    ],
)
def test_rows_are_counted_from_0_and_padding_has_no_number(values, at, said):
    engine = stepper(**values)
    engine.go(*at)
    (where, *_) = words.explanation(engine)
    assert said in where


def test_a_question_counts_from_0_too():
    engine = stepper()
    engine.ask()
    row, column = engine.at
    assert (
        engine.snapshot().header["question"]["text"]
        == f"Which number stands in row {row}, column {column} of the output?"
    )


def test_what_two_mistakes_come_to_is_put_to_neither():
    engine = ConvStepperEngine(example="edge")  # this kernel turned is this kernel with its signs turned
    engine.ask()
    said = engine.guess(-engine.value)["text"]
    assert said == (
        "Two mistakes come to this number: it is the answer with the kernel turned by 180 degrees; or the right amount "
        "with the wrong sign."
    )


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"example": "noise", "preset": "mean", "kernel_size": 5, "size": 16}, (10, 6)),
        ({"image": torch.ones(3, 3), "kernel": [[0.1, 0.2, -0.3]]}, (0, 0)),
        ({"example": "noise", "mode": "average", "kernel_size": 5, "size": 16}, (10, 6)),
    ],
)
def test_what_rounding_leaves_is_0(values, at):
    engine = ConvStepperEngine(**values)
    engine.go(*at)
    assert engine.value == 0
    assert words.sums(engine)[-1].endswith("= 0")
    engine.ask()
    engine.go(*at)
    assert engine.guess(0)["text"] == "Right. It is 0."


def test_large_whole_numbers_are_not_taken_for_rounding():
    engine = ConvStepperEngine(
        image=torch.full((5, 5), 999.0), kernel=[[99.0] * 5] * 2 + [[-99.0] * 5] * 2 + [[0.0] * 5]
    )
    engine.weigh(4, 4, 0.002)
    assert engine.value == pytest.approx(1.998, rel=1e-6)


# The same cases as in js/conv_stepper.test.mjs.
WRITTEN = [
    *(
        (3.0, "3"),
        (-0.0, "0"),
        (0.015625, "0.01563"),
        (-0.09375, "-0.09375"),
        (1 / 256, "0.003906"),
        (-1 / 9, "-0.1111"),
    ),
    *((1234.5, "1235"), (999.96, "1000"), (12.345678, "12.35"), (2.5e-5, "2.5e-5"), (123456.0, "123456")),
]


def test_numbers_are_written_as_in_the_view():
    assert [numbers.number(value) for value, _ in WRITTEN] == [text for _, text in WRITTEN]


@settings(max_examples=10, deadline=None)
@given(states())
def test_the_program_prints_the_same_output(state):
    engine = made(state)
    run: dict = {}
    exec(engine.to_code().replace("print(output)", ""), run)
    torch.testing.assert_close(run["output"], engine.output, rtol=1e-4, atol=1e-3)
    assert "\n\n\n" not in engine.to_code()
    assert max(map(len, engine.to_code().splitlines())) <= 120


def test_the_program_holds_own_numbers_exactly():
    image, kernel = torch.rand(4, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([[1 / 3, -1e-3]])
    engine = ConvStepperEngine(image=image, kernel=kernel)
    run: dict = {}
    exec(engine.to_code(), run)
    assert torch.equal(run["image"], image)
    assert torch.equal(run["kernel"], kernel)


@settings(max_examples=8, deadline=None)
@given(states())
def test_a_string_brings_everything_back(state):
    engine = made(state)
    again = ConvStepperEngine.from_share(engine.share())
    assert (again.values, again.at) == (engine.values, engine.at)
    assert torch.equal(again.output, engine.output)
    assert again.describe() == engine.describe()


def test_a_string_holds_own_numbers():
    engine = ConvStepperEngine(image=torch.full((3, 4), 1 / 3), kernel=[[0.1, -2.0]], stride=(1, 2))
    engine.go(2, 1)
    again = ConvStepperEngine.from_share(engine.share())
    assert torch.equal(again.image, engine.image)
    assert torch.equal(again.kernel, engine.kernel)
    assert again.at == (2, 1)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"params": {}, "at": [0]},
        {"params": {}, "at": [9, 9]},
        {"params": {"size": 99}, "at": [0, 0]},
        {"params": {"example": "own"}, "at": [0, 0], "image": "abc"},
        {"params": {"image": 1}, "at": [0, 0], "image": [[0] * 3] * 3},
        {"params": 3, "at": [0, 0]},
    ],
)
def test_a_damaged_string_is_refused(state, monkeypatch):
    monkeypatch.setattr(ConvStepperEngine, "state", lambda self: state)
    text = ConvStepperEngine().share()
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"."):
        ConvStepperEngine.from_share(text)


# Budgets.


@pytest.mark.parametrize(
    "values",
    [
        {"size": 16, "padding": 4, "kernel_size": 5, "dilation": 2, "layers": 4},
        {"size": 16, "padding": 4, "kernel_size": 1},
        {},
    ],
)
def test_a_snapshot_is_small_and_fast(values):
    engine = stepper(**values)
    content, buffers = pack(engine.snapshot())
    assert sum(map(len, buffers)) < LIMIT / 2
    assert len(str(content)) < 16_000
    started = time.process_time()
    for _ in range(20):
        engine.snapshot()
    assert (time.process_time() - started) / 20 < 0.02  # it takes about a millisecond; 20 for a busy machine


def test_nothing_draws_from_the_global_stream():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    engine = stepper(layers=2)
    engine.ask()
    engine.set(example="photograph")
    engine.snapshot()
    assert torch.equal(torch.get_rng_state(), before)
