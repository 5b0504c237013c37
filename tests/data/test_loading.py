"""Sets that are installed: what comes, what each part holds, and that loading disturbs nothing."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn import datasets

from dlcourse import data
from dlcourse.data import parts

TABLES = {"breast_cancer": (569, 30), "iris": (150, 4), "wine": (178, 13)}
CLASSIFIED = ["digits", *TABLES]


def test_importing_and_listing_loads_neither_torch_nor_scikit_learn():
    script = (
        "import sys; from dlcourse import data; data.names(); data.info();"
        "print([m for m in ('torch', 'numpy', 'sklearn', 'pooch', 'requests') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_every_public_name_is_there():
    for name in data.__all__:
        assert callable(getattr(data, name))
    assert dir(data) == sorted(data.__all__)
    with pytest.raises(AttributeError, match=r"dlcourse\.data has no 'moon'; it has load"):
        data.moon  # noqa: B018


@pytest.mark.parametrize("name", TABLES)
def test_a_table_holds_the_raw_measurements(name):
    raw = getattr(datasets, f"load_{name}")()
    table = data.load(name, split="all")
    assert table.x.shape == TABLES[name]
    assert (table.x.dtype, table.y.dtype) == (torch.float32, torch.int64)
    np.testing.assert_array_equal(table.x.numpy(), raw.data.astype(np.float32))
    np.testing.assert_array_equal(table.y.numpy(), raw.target)
    assert table.classes == tuple(raw.target_names)
    assert table.features == tuple(raw.feature_names)
    assert table.units


def test_digits_are_images_between_0_and_1():
    raw = datasets.load_digits()
    digits = data.load("digits", split="all")
    assert digits.x.shape == (1797, 1, 8, 8)
    assert digits.x.is_contiguous()
    assert (digits.x.min(), digits.x.max()) == (0, 1)
    np.testing.assert_array_equal(digits.x[:, 0].numpy() * 16, raw.images)
    np.testing.assert_array_equal(digits.y.numpy(), raw.target)
    assert digits.classes == tuple("0123456789")


@pytest.mark.parametrize("name", ["china", "flower"])
def test_a_photograph_is_one_upright_colour_image(name):
    photograph = data.load(name)
    assert photograph.x.shape == (1, 3, 427, 640)
    assert photograph.x.is_contiguous()
    assert photograph.classes == (name,)
    raw = datasets.load_sample_image(f"{name}.jpg")
    for channel, row, column in [(0, 0, 0), (1, 17, 300), (2, 426, 639)]:
        assert photograph.x[0, channel, row, column].item() * 255 == pytest.approx(raw[row, column, channel], abs=1e-4)
    with pytest.raises(ValueError, match="cannot be split"):
        data.load(name, split="test")


def test_a_dataset_unpacks_and_shows_itself_in_one_line():
    iris = data.load("iris")
    x, y = iris
    assert x is iris.x
    assert y is iris.y
    assert repr(iris) == "Dataset(iris: x (120, 4), y (120,), 3 classes)"


@pytest.mark.parametrize("name", [*CLASSIFIED, "china", "flower", "sunspots", "co2", "topics"])
def test_each_set_says_where_it_is_from(name):
    loaded = data.load(name)
    assert loaded.name == name
    assert loaded.source
    assert loaded.licence
    assert "\n" not in loaded.source + loaded.licence


def test_topics_are_a_long_text_cut_in_two():
    whole, train, test = (data.load("topics", split=split).text for split in ("all", "train", "test"))
    assert train + test == whole
    assert len(train) == len(whole) * 4 // 5
    assert len(whole) > 100_000
    assert "import" in whole
    assert "the" in whole


def test_topics_fall_back_on_the_standard_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    text = data.load("topics", split="all")
    assert len(text.text) > 100_000
    assert "import" in text.text
    assert text.source == "modules of Python's standard library, as source text"


# Parts


@pytest.mark.parametrize("name", CLASSIFIED)
def test_parts_are_a_stratified_fifth_and_the_rest(name):
    whole, train, test = (data.load(name, split=split) for split in ("all", "train", "test"))
    held = [False] * len(whole.y)
    seen = {}
    for row, label in enumerate(whole.y.tolist()):  # the definition, one example at a time
        seen[label] = seen.get(label, 0) + 1
        held[row] = seen[label] % 5 == 0
    mask = torch.tensor(held, device="cpu")
    for part, rows in ((test, mask), (train, ~mask)):
        assert torch.equal(part.x, whole.x[rows])
        assert torch.equal(part.y, whole.y[rows])
    assert (test.y.bincount() == whole.y.bincount() // 5).all()


@pytest.mark.usefixtures("unchecked")  # the tests' shape checks draw from `random` themselves
def test_no_seed_moves_an_example_and_no_state_is_disturbed():
    first = data.load("digits")
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = (random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state())
        again = data.load("digits")
        assert torch.equal(again.x, first.x)
        assert torch.equal(again.y, first.y)
        assert random.getstate() == before[0]
        assert (np.random.get_state()[1] == before[1]).all()
        assert torch.equal(torch.get_rng_state(), before[2])


def test_what_is_learnt_from_one_part_holds_on_the_other():
    train, test = data.load("digits"), data.load("digits", split="test")
    centres = torch.stack([train.x[train.y == label].mean(dim=0).flatten() for label in range(10)])
    nearest = torch.cdist(test.x.flatten(1), centres).argmin(dim=1)
    assert (nearest == test.y).float().mean() > 0.85  # chance is 0.1: labels belong to their images


def test_a_name_stays_in_one_part():
    names = ("ann", "bo", "cy", "di", "ed", "flo", "ed", "ann", "gus", "hal", "ivy", "jo", "jo")
    train, test = parts.of_names(names, "train"), parts.of_names(names, "test")
    assert test == ("ed", "ed", "jo", "jo")
    assert not set(train) & set(test)
    assert sorted(train + test) == sorted(names)
    assert parts.of_names(names, "all") == names


def test_first_of_each_takes_as_many_of_each_class_in_order():
    labels = torch.tensor([2, 0, 0, 2, 0, 2, 1], device="cpu")
    assert parts.first_of_each(labels, 2).tolist() == [True, True, True, True, False, False, True]


# Wrong requests


def test_an_unknown_name_is_answered_with_the_known_ones():
    for ask in (data.load, data.fetch):
        with pytest.raises(ValueError, match=r"no data set is called 'minst'; there are digits, .*mnist, "):
            ask("minst")


def test_an_unknown_part_or_scale_is_answered_with_the_known_ones(monkeypatch):
    with pytest.raises(ValueError, match=r"split='valid'.*train, test, all"):
        data.load("iris", split="valid")
    with pytest.raises(ValueError, match=r"scale='huge'.*small, full"):
        data.load("iris", scale="huge")
    monkeypatch.setenv("DLCOURSE_SCALE", "big")
    with pytest.raises(ValueError, match=r"DLCOURSE_SCALE='big'.*small, full"):
        data.load("iris")
    assert data.load("iris", scale="full").x.shape == (120, 4)


# The catalogue


def test_the_catalogue_lists_sets_and_generators():
    rows = {row.name: row for row in data.info()}
    assert set(data.names()) <= set(rows)
    assert {row.kind for row in rows.values()} == {"bundled", "download", "generator"}
    for name, row in rows.items():
        assert row.what
        assert row.licence
        assert (row.size > 0) == (row.kind == "download")
        assert row.present == (row.kind != "download")  # the cache is empty
        assert row.verified == (name != "fashion_mnist")
        assert callable(getattr(data, name)) if row.kind == "generator" else name in data.names()


def test_a_bundled_set_has_nothing_to_fetch():
    assert data.fetch("iris") is False
