"""The program that the playground prints computes the very losses that the playground shows, and needs no widget."""

import ast
import contextlib
import io
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcourse.widgets.playground import code, network, problem
from dlcourse.widgets.playground.engine import PARAMS, PlaygroundEngine


def losses(source, **given):
    """What the program computes."""
    namespace = dict(given)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(source, "<program>", "exec"), namespace)
    found = [namespace.get("train_loss"), namespace.get("test_loss")]
    pairs = zip(("train loss", "test loss"), found, strict=True)
    assert printed.getvalue() == "".join(f"{name} {loss}\n" for name, loss in pairs if loss is not None)
    return found


def shown(engine):
    measured = engine.run.measured()
    return [measured.train, measured.test]


def imported(source):
    """Modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_table_has_what_the_engine_has():
    assert code.CALLS.keys() == problem.CALLS.keys()
    assert code.FEATURES.keys() == problem.FEATURES.keys()
    assert code.MODULES.keys() == network.ACTIVATIONS.keys()
    assert code.OPTIMIZERS.keys() == network.OPTIMIZERS.keys()
    assert code.PENALTIES.keys() == {"none", *network.PENALTIES}
    for name, module in network.ACTIVATIONS.items():
        assert code.MODULES[name] == module.__name__


@pytest.mark.parametrize(
    "values",
    [
        *({"data": name} for name in problem.CALLS),
        *({"optimizer": name} for name in network.OPTIMIZERS),
        *({"activation": name} for name in network.ACTIVATIONS),
        *({"regularisation": name, "strength": 0.01} for name in network.PENALTIES),
        {"features": list(problem.FEATURES)},
        {"layers": (), "batch_size": 200},
        {"layers": (8, 8, 8, 8), "seed": 9999},
    ],
    ids=str,
)
def test_the_same_losses(values):
    engine = PlaygroundEngine(**values)
    start = shown(engine)
    engine.step(40)
    assert losses(engine.to_code()) == shown(engine)
    assert shown(engine) != start


def test_a_process_of_its_own_prints_the_same():
    engine = PlaygroundEngine(optimizer="adam")
    engine.step(50)
    engine.set(lr=0.1)
    engine.step(50)
    check = "\nimport sys\nassert not [name for name in sys.modules if 'widgets' in name or name == 'matplotlib']"
    program = "import torch\ntorch.set_num_threads(1)\n" + engine.to_code() + check
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    train, test = shown(engine)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"train loss {train}\ntest loss {test}\n", "")


def test_the_program_imports_torch_and_the_data_only():
    assert imported(PlaygroundEngine().to_code()) == {"torch", "dlcourse.data", "dlcourse.generator"}


def test_the_program_is_one_to_be_read():
    engine = PlaygroundEngine()
    engine.step(20)
    engine.set(lr=0.1)
    engine.step(30)
    text = engine.to_code()
    assert 'train(20)\nfor group in optimizer.param_groups:\n    group["lr"] = 0.1\ntrain(30)\n' in text
    assert "penalty" not in text
    engine.add_points([[0.5, 1.25, 1]] * 100)
    engine.set(regularisation="l2")
    longer = engine.to_code()
    assert "return 0.001 * sum(layer.weight.square().sum() for layer in model[::2])" in longer
    assert max(map(len, longer.splitlines())) <= 120


def test_the_program_ends_where_the_learner_stands():
    engine = PlaygroundEngine(data="circles", optimizer="adam")
    engine.step(30)
    engine.set(activation="relu")
    engine.step(30)
    for step in (60, 30, 29, 0):
        engine.scrub(step)
        assert losses(engine.to_code()) == shown(engine), step
    assert "ReLU" not in engine.to_code()


CHANGES = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "lr": st.sampled_from([0.001, 0.05, 0.3]),
            "optimizer": st.sampled_from(PARAMS["optimizer"].options),
            "batch_size": st.integers(1, 60),
            "activation": st.sampled_from(PARAMS["activation"].options),
            "regularisation": st.sampled_from(PARAMS["regularisation"].options),
            "strength": st.sampled_from([0.0, 0.01, 0.1]),
        },
    ).map(lambda values: ("set", values)),
    st.tuples(
        st.just("add_points"),
        st.lists(
            st.tuples(st.floats(-3.5, 3.5), st.floats(-3.5, 3.5), st.integers(0, 1)).map(list), min_size=1, max_size=4
        ).map(lambda points: {"points": points}),
    ),
    st.sampled_from([("undo_points", {}), ("clear_points", {}), ("back", {"n": 2})]),
    st.tuples(st.just("set_weight"), st.just({"layer": 0, "unit": 0, "input": 0}), st.floats(-3, 3)),
    st.tuples(st.just("set_bias"), st.just({"layer": 0, "unit": 0}), st.floats(-3, 3)),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    values=st.fixed_dictionaries(
        {
            "data": st.sampled_from(PARAMS["data"].options),
            "train": st.integers(10, 40),
            "features": st.sets(st.sampled_from(PARAMS["features"].options), min_size=1),
            "layers": st.lists(st.integers(1, 4), max_size=3),
            "optimizer": st.sampled_from(PARAMS["optimizer"].options),
            "regularisation": st.sampled_from(PARAMS["regularisation"].options),
            "noise": st.floats(0, 0.5),
            "seed": st.integers(0, 9999),
        }
    ),
    story=st.lists(st.tuples(st.integers(0, 6), CHANGES), max_size=8),
)
def test_any_story_is_told_as_it_was(values, story):
    engine = PlaygroundEngine(**values)
    for steps, (name, arguments, *value) in story:
        engine.step(steps)
        getattr(engine, name)(**arguments, **({"value": value[0]} if value else {}))
    engine.step(3)
    source = engine.to_code()
    assert losses(source) == shown(engine)
    shared = PlaygroundEngine.from_share(engine.share())
    assert shown(shared) == shown(engine)
    assert shared.to_code() == source


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("theirs", [True, False])
def test_own_models_and_points_stand_in_the_program_by_name(outputs, theirs):
    x = torch.rand(30, 2, generator=torch.Generator().manual_seed(1))
    y = (x[:, 0] > x[:, 1]).tolist()

    def made():
        source = torch.Generator().manual_seed(3)
        model = torch.nn.Sequential(
            torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, outputs)
        )
        for parameter in model.parameters():
            parameter.data.uniform_(-1, 1, generator=source)
        return model, torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.5)

    model, optimizer = made()
    engine = PlaygroundEngine(model=model, **({"optimizer": optimizer} if theirs else {}), X=x, y=y, batch_size=7)
    engine.step(10)
    engine.set(lr=0.05, regularisation="l2", strength=0.01)
    engine.set_weight(1, 0, 2, 1.0)
    engine.step(10)
    source = engine.to_code()
    model, optimizer = made()
    assert losses(source, model=model, optimizer=optimizer, X=x, y=y) == shown(engine)
    assert "# model" in source


@pytest.mark.parametrize("training", [True, False])
def test_an_own_optimiser_whose_rate_was_changed_before_the_first_step(training):
    def made():
        torch.manual_seed(5)
        model = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 1))
        return model.train(training), torch.optim.SGD(model.parameters(), lr=0.1)

    model, optimizer = made()
    engine = PlaygroundEngine(model=model, optimizer=optimizer)
    engine.set(lr=1.0)
    engine.step(20)
    model, optimizer = made()
    assert losses(engine.to_code(), model=model, optimizer=optimizer) == shown(engine)


def test_own_points_with_the_playgrounds_network():
    x = torch.rand(30, 2, generator=torch.Generator().manual_seed(1))
    y = (x[:, 0] > x[:, 1]).long()
    engine = PlaygroundEngine(X=x, y=y, seed=4)
    engine.add_points([[0.5, 0.5, 1]])
    engine.step(20)
    assert losses(engine.to_code(), X=x, y=y) == shown(engine)


def test_without_a_point_the_program_prints_nothing():
    assert losses(PlaygroundEngine(data="drawn").to_code()) == [None, None]


def test_steps_in_the_program_are_the_steps_taken():
    """The numbers of the `train` calls add up to the step, one call between each two changes."""
    engine = PlaygroundEngine()
    marks = [0, 3, 10, 11, 20]
    for before, after in pairwise(marks):
        engine.step(after - before)
        engine.set_bias(0, 0, after / 10)
    calls = [line for line in engine.to_code().splitlines() if line.startswith("train(")]
    assert calls == ["train(3)", "train(7)", "train(1)", "train(9)"]
