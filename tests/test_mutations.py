"""Breaking a reference implementation turns a test red: the oracles are run on broken versions and must reject each."""

from collections.abc import Collection, Iterator
from pathlib import Path

import dlcourse_attacks
import dlcourse_attacks_more
import dlcourse_attribution
import dlcourse_attribution_more
import dlcourse_defenses
import dlcourse_game
import dlcourse_measures
import dlcourse_mechanistic
import dlcourse_mutants
import dlcourse_text
import pytest
import torch
from dlcourse_oracles import CLASSES
from dlcourse_oracles import ORACLES as FUNCTIONS

import dlcourse

CPU = torch.device("cpu")
ROOMS = (
    *(dlcourse_text, dlcourse_game, dlcourse_measures, dlcourse_mechanistic),
    *(dlcourse_attacks, dlcourse_attacks_more, dlcourse_defenses),
    *(dlcourse_attribution, dlcourse_attribution_more),
)
ORACLES = {**FUNCTIONS, **CLASSES}
for room in ROOMS:
    ORACLES |= room.ORACLES
NAMED = [*dlcourse_mutants.NAMED, *(fault for room in ROOMS for fault in room.NAMED)]
FILES = [
    *(f"nn/{name}.py" for name in ("activation", "softmax", "loss", "linear", "init", "dropout", "norm", "normalize")),
    *(f"nn/{name}.py" for name in ("conv", "conv_transpose", "pool", "sizes", "receptive")),
    *(f"nn/{name}.py" for name in ("rnn", "lstm", "gru", "unroll", "recurrent", "chrono", "gradient_flow")),
    *(f"nn/{name}.py" for name in ("subpixel", "spectral")),
    *(f"models/{name}.py" for name in ("perceptron", "logistic", "mlp", "lenet", "resnet")),
    *(f"models/{name}.py" for name in ("ngram", "naive", "charrnn", "gan")),
    *("generation/shaping.py", "generation/sampling.py"),
    *(f"generation/{name}.py" for name in ("adversarial", "penalty", "game", "gan_training", "optimum")),
    *(f"generation/{name}.py" for name in ("modes", "neighbours", "precision", "frechet")),
    *(
        f"mechanistic/{name}.py"
        for name in ("activations", "patching", "circuits", "probe", "pixels", "visualise", "style")
    ),
    *(f"generation/{name}.py" for name in ("features", "baseline", "measured")),
    *(f"attacks/{name}.py" for name in ("threat", "objective", "fgsm", "pgd", "mifgsm", "transfer", "robust")),
    *(f"defenses/{name}.py" for name in ("smoothing", "adversarial", "trades", "broken")),
    *(
        f"attribution/{name}.py"
        for name in ("score", "covered", "gradient", "integrated", "guided", "cam", "occlusion")
    ),
    *(f"attribution/{name}.py" for name in ("shapley", "lrp", "axioms", "faithfulness", "known")),
    "training/asking.py",
    "landscape.py",
    *(
        f"attacks/{name}.py"
        for name in ("boundary", "deepfool", "carlini_wagner", "apgd", "square", "patch", "diagnose")
    ),
    *("data/text.py", "data/series.py", "training/sequences.py", "training/average.py", "hooks.py"),
]
# Changes that leave every result as it is, with the reason.
HARMLESS = {
    "below = torch.where(x > 0, 0.0, x) [0.0 -> 1.0]": "any finite number does where the branch is not taken",
    "below = torch.where(x > 0, 0.0, x) [0 -> 1]": "exp is finite up to 1 as well",
    "for row, label in zip(logits.tolist(), labels.tolist(), strict=True): [True -> False]": "equal lengths",
    "for z, t in zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True): [True -> False]": "as above",
    "for i, (example, label) in enumerate(zip(x, labels.to(x.dtype), strict=True)): [True -> False]": "checked before",
    "q = q * r.diagonal().sign() [q * r.diagonal().sign() -> q / r.diagonal().sign()]": "a sign is its own inverse",
    "image: tuple[int, int, int] = (1, 28, 28), [28 -> 29]": "pools leave an odd last row or column out",
    "context, symbol, contexts = torch.zeros_like(ids, dtype=torch.long), ids.long(), 1 [1 -> 2]": "unused",
    "if temperature < torch.finfo(logits.dtype).tiny: "
    "[temperature < torch.finfo(logits.dtype).tiny -> temperature <= torch.finfo(logits.dtype).tiny]": "a border",
    "longer = torch.where(known, place, -1) [1 -> 2]": "any number below 0 stands for an unknown context",
    "found.append(torch.cat([longer.new_full((1,), -1), longer])) [1 -> 2]": "as above",
    "for table, context in zip(self.tables, before, strict=True): [True -> False]": "equal lengths",
    "norms = torch.linalg.matrix_norm(matrices.where(finite[:, :, None, None], 0.0), ord=2) [0.0 -> 1.0]": "replaced",
    "x = x.where(mask.unsqueeze(2), 0.0) [0.0 -> 1.0]": "any finite number does where the state stands still",
    "def __init__(self, input_size: int, hidden_size: int, *, bias: bool = True, generator: torch.Generator): "
    "[True -> False]": "RNNCell hands its own on; the oracles of LSTMCell and GRUCell see it",
    "if not abs(area - 1) <= 0.01: [abs(area - 1) <= 0.01 -> abs(area - 1) < 0.01]": "a border",
    "for optimizer, own in zip(optimizers, rates, strict=True): [True -> False]": "equal lengths",
    "set_rates(optimizer, own, lambda _: 1.0, 0) [0 -> 1]": "the factor is 1 at any index",
    "return x * keep * (1 / (1 - p) if p < 1 else 0.0) [0.0 -> 1.0]": "at p = 1 nothing is kept, to be scaled",
    "return (means[which[draw]] + spreads[which[draw]] * noise).clamp(0, 1) "
    "[means[which[draw]] + spreads[which[draw]] * noise -> means[which[draw]] - spreads[which[draw]] * noise]": "noise "
    "is as often below 0 as above",
    **dlcourse_mechanistic.HARMLESS,
    **dlcourse_attacks.HARMLESS,
    **dlcourse_defenses.HARMLESS,
    **dlcourse_attacks_more.HARMLESS,
    **dlcourse_attribution.HARMLESS,
    **dlcourse_attribution_more.HARMLESS,
}


def rejected(name: str, function) -> bool:
    """Does the oracle raise?"""
    try:
        ORACLES[name](function, CPU)
    except (Exception, pytest.fail.Exception):
        return True
    return False


@pytest.mark.parametrize(
    ("name", "function"),
    [pytest.param(name, function, id=f"{name}: {fault}") for name, fault, function in NAMED],
)
def test_a_known_fault_is_rejected(name, function):
    assert rejected(name, function)


UNCHANGED = [
    *dlcourse_mutants.UNCHANGED,
    *dlcourse_text.UNCHANGED,
    *dlcourse_measures.UNCHANGED,
    *dlcourse_defenses.UNCHANGED,
    *dlcourse_mechanistic.UNCHANGED,
]


@pytest.mark.parametrize(("name", "function"), UNCHANGED)
def test_what_faults_are_made_with_is_right_when_nothing_is_changed(name, function):
    assert not rejected(name, function)


def test_everything_but_the_definitions_has_a_known_fault():
    named = {name for name, _, _ in NAMED}
    assert named == {name for name in ORACLES if not name.endswith("_definition")}


def survivors(path: Path, room: str, turns: Collection[int]) -> Iterator[str]:
    """The versions of a file that no oracle of the file's own functions and classes rejects.

    The harmless ones are left out: every oracle would run to its end, and the answer is not asked for.
    turns: of 0 to 5; of six changes that follow each other each belongs to another one, "unchanged" to 1, since every
    oracle runs to its end on it, as in each room's test_equals_its_oracle.
    """
    for label, module in dlcourse_mutants.broken_versions(path, wanted=lambda n: (n % 6 if n else 1) in turns):
        if module is None or label in HARMLESS:
            continue
        functions = {f"{room}.{name}": value for name, value in vars(module).items()}
        own = [name for name, f in functions.items() if name in ORACLES and f.__module__ == "broken"]
        own.sort(key=lambda name: name != f"{room}.{module.changed}")  # who is most likely to see it goes first
        if not any(rejected(name, functions[name]) for name in own):
            yield label


@pytest.mark.parametrize(
    "turns", [pytest.param((0,), id="a-sixth"), pytest.param(range(1, 6), id="the-others", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("file", FILES)
def test_every_small_change_of_the_source_is_rejected(file, turns):
    room = file.partition("/")[0].removesuffix(".py")
    survived = [*survivors(Path(dlcourse.__file__).parent / file, room, turns)]
    assert survived == ["unchanged"] * (1 in turns)


def test_every_file_of_the_rooms_is_broken():
    """A new file joins the table."""
    home = Path(dlcourse.__file__).parent
    found = {
        f"{room}/{path.name}"
        for room in ("nn", "models", "generation", "attacks", "defenses", "attribution", "mechanistic")
        for path in (home / room).glob("[!_]*.py")
    }
    beside = (
        "landscape.py",
        "hooks.py",
        "data/text.py",
        "data/series.py",
        "training/sequences.py",
        "training/average.py",
        "training/asking.py",
    )
    assert {*FILES} == {*found, *beside}


def test_every_harmless_change_is_still_one():
    home = Path(dlcourse.__file__).parent
    labels = {
        label
        for file in FILES
        for label, _ in dlcourse_mutants.broken_versions(home / file, wanted=lambda number: False)
    }
    assert set(HARMLESS) <= labels
