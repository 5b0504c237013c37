"""05.shuffle: what the first layer of an MLP must become when the pixels of every picture are shuffled alike."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, gives
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def follow(weight, order):
    return weight[:, order]


def _maybe(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., bool]:
    """The test of a suspect that not every shape allows."""

    def fits(got: Any, wanted: Tensor, weight: Tensor, order: Tensor) -> bool:
        try:
            return gives(function)(got, wanted, weight, order)
        except (IndexError, RuntimeError):
            return False

    return fits


def _alike(got: Any, wanted: Tensor) -> bool:
    return isinstance(got, Tensor) and got.shape == wanted.shape and got.dtype == wanted.dtype


def _overwriting(weight: Tensor, order: Tensor) -> Tensor:
    weight = weight.clone()
    for place, pixel in enumerate(order.tolist()):
        weight[:, place] = weight[:, pixel]
    return weight


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "The weights went the other way: this is where each pixel went *to*. Place j of a shuffled picture holds the "
        "old pixel order[j], so it needs the weight that this pixel had.",
        gives(lambda weight, order: weight[:, order.argsort()]),
    ),
    Suspect(
        "The weight came back as it was: it would now meet the wrong pixels. (An order that was sorted does that.)",
        gives(lambda weight, order: weight),
    ),
    Suspect(
        "The rows were shuffled, which are the units. The pixels are the columns: weight is (out, pixels).",
        _maybe(lambda weight, order: weight[order]),
    ),
    Suspect(
        "The rows were shuffled, which are the units. The pixels are the columns: weight is (out, pixels).",
        _maybe(lambda weight, order: weight[order % len(weight)][:, : weight.shape[1]]),
    ),
    Suspect(
        "Rows and columns were both shuffled: the units stay in their order, only the pixels moved.",
        _maybe(lambda weight, order: weight[order][:, order]),
    ),
    Suspect(
        "The weights of each unit were sorted: what counts is which pixel each of them belongs to.",
        gives(lambda weight, order: weight.sort(dim=1).values),
    ),
    Suspect(
        "The weights of each unit were sorted: what counts is which pixel each of them belongs to.",
        gives(lambda weight, order: weight.sort(dim=1, descending=True).values),
    ),
    Suspect(
        "The order was turned round, last pixel first: take it as it is.",
        gives(lambda weight, order: weight[:, order.flip(0)]),
    ),
    Suspect(
        "The weights were turned round, last pixel first: `order` says where each pixel comes from.",
        gives(lambda weight, order: weight.flip(1)),
    ),
    Suspect(
        "The order is off by one: it counts from 0, as Python does. Take it as it is.",
        _maybe(lambda weight, order: weight[:, order - 1]),
    ),
    Suspect(
        "The order is off by one: it counts from 0, as Python does. Take it as it is.",
        _maybe(lambda weight, order: weight[:, (order + 1) % len(order)]),
    ),
    Suspect("The order was applied twice.", gives(lambda weight, order: weight[:, order][:, order])),
    Suspect(
        "The weights were multiplied by the order: its numbers say *which* weight, they are no factors.",
        _maybe(lambda weight, order: weight * order.to(weight.dtype)),
    ),
    Suspect(
        "One unit's weights were moved and the others' were not: every unit sees the shuffled pictures.",
        lambda got, wanted, weight, order: (
            len(weight) > 1
            and isinstance(got, Tensor)
            and got.shape == wanted.shape
            and any(torch.equal(got, torch.cat([wanted[:n], weight[n:]])) for n in range(1, len(weight)))
        ),
    ),
    Suspect(
        "All units have the same weights now: move the columns, and leave each row its own.",
        lambda got, wanted, weight, order: (
            len(weight) > 1
            and isinstance(got, Tensor)
            and got.shape == wanted.shape
            and torch.equal(got, got[:1].expand_as(got))
        ),
    ),
    Suspect(
        "The weight lies the wrong way round: (out, pixels) went in, and (out, pixels) comes back.",
        gives(lambda weight, order: weight[:, order].T),
    ),
    Suspect(
        "The weight lies the wrong way round, and went the other way: (out, pixels) comes back, and place j needs the "
        "weight of pixel order[j].",
        gives(lambda weight, order: weight[:, order.argsort()].T),
    ),
    Suspect(
        "The columns are right, and the units have changed places: unit u stays in row u.",
        lambda got, wanted, weight, order: _alike(got, wanted) and torch.equal(got.unique(dim=0), wanted.unique(dim=0)),
    ),
    Suspect(
        "The loop reads from what it has already written over: read from `weight`, write into another tensor.",
        gives(_overwriting),
    ),
    Suspect(
        "Nearly right: every weight is in its place, and not exactly the old one. Nothing need be computed, and the "
        "dtype stays: an index takes the weights as they are.",
        lambda got, wanted, weight, order: _alike(got, wanted) and torch.allclose(got, wanted, rtol=1e-4, atol=1e-4),
    ),
    Suspect(
        "There are weights here that were not among the old ones: nothing is learned anew, each weight moves to where "
        "its pixel is.",
        lambda got, wanted, weight, order: _alike(got, wanted) and not torch.isin(got, weight).all(),
    ),
)
CRASHES = (
    (
        "an argument was changed in place",
        "weight was changed: an assignment to weight[...], or an operation that ends in _. The network that sees the "
        "old pictures still needs it: make a new tensor.",
    ),
    (
        "is out of bounds",
        "`order` has a number for each pixel, and it indexed the units: the pixels are the columns, the second axis.",
    ),
    (
        "cannot be multiplied",
        "A matrix product of shapes that do not fit: weight is (out, pixels). No product is needed; an index does it.",
    ),
    (
        "must match the size",
        "Two shapes do not fit: weight is (out, pixels), order is (pixels,). An index does it, without arithmetic.",
    ),
    ("to have the same dtype", "A new tensor has float32 and weight has float64: dtype=weight.dtype."),
    ("expected scalar type", "A new tensor has float32 and weight has float64: dtype=weight.dtype."),
)
WRONG = (
    "Take one pixel: place j of the shuffled picture holds the old pixel order[j]. Which old weight must stand in "
    "column j, so that the two meet again?"
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("05.shuffle", "follow", subject, SUSPECTS, CRASHES)

    def right_for(weight: Tensor, order: Tensor) -> None:
        ask.value((weight, order), follow(weight, order), generic=WRONG)

    # A round of four and a standstill: neither its own inverse nor, done twice, the inverse.
    weight = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 9.0, 7.0, -8.0, 0.5]])
    right_for(weight, torch.tensor([2, 0, 3, 1, 4]))
    # As many units as pixels: a wrong axis raises no error.
    right_for(torch.tensor([[1.0, 2.0, 3.0], [-4.0, 5.0, 6.0], [7.0, 8.0, -9.0]]), torch.tensor([1, 2, 0]))
    # Two pixels, that change places.
    right_for(torch.tensor([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]]), torch.tensor([1, 0]))
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(10):
        out = int(torch.randint(1, 10, (), generator=generator))
        pixels = int(torch.randint(2, 41, (), generator=generator))
        dtype = (torch.float32, torch.float64)[round_ % 2]
        weight = torch.randn(pixels, out, generator=generator, dtype=torch.float64).to(dtype).T  # a view
        order = torch.randperm(2 * pixels, generator=generator)
        order = order[order < pixels]
        right_for(weight, order if round_ % 3 else order.repeat_interleave(2)[::2])  # a view too
    return f"right for {ask.asked} shuffles: for a fully connected layer the order of the pixels is only a name."


EXERCISE = Exercise(
    id="05.shuffle",
    name="follow",
    title="Follow the shuffle",
    objectives=("05-O4",),
    difficulty=2,
    minutes=6,
    points=2,
    task="Write follow(weight, order): weight (out, pixels) is that of a fully connected layer, order (pixels,) a "
    "permutation. Every picture is shuffled to x[:, order]. Return the weight, (out, pixels), with which the layer "
    "answers to the shuffled pictures exactly what it answered to the old ones with the old weight.",
    ranges="1 to 9 units, 2 to 40 pixels, float32 and float64, tensors that are views of others",
    hints=(
        "A unit adds up products of a weight and a pixel, and a sum does not mind the order. So which weight must "
        "every pixel meet, wherever it stands now?",
        "Place j of the shuffled picture is pixel order[j] of the old one. So column j of the new weight is a column "
        "of the old weight: which one? Try it on three pixels with order = [1, 2, 0].",
        "The new column j is the old column order[j]: index the second axis of weight as x[:, order] indexes that of "
        "x.",
    ),
    reference=follow,
    walkthrough="Pixels and weights are shuffled alike, so that the same pairs meet, in another order, and the sum is "
    "the same. A convolution has no weights that could follow: its kernel joins neighbours, and they are no longer "
    "neighbours.",
    where="exercises/05-cnn/05-cnn-exercises.ipynb",
    check=check,
)
