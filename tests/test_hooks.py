"""Hooks against their oracles; nested blocks, and what the docstrings say beside that."""

import copy

import pytest
import torch
from dlcourse_oracles import ORACLES, hooks_left, random, small_net

from dlcourse import hooks


@pytest.mark.parametrize("name", ["capture", "replace"])
def test_equals_its_oracle(name, device):
    ORACLES[f"hooks.{name}"](getattr(hooks, name), device)


def test_every_public_function_has_an_oracle():
    public = {
        f"hooks.{name}"
        for name, value in vars(hooks).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == "dlcourse.hooks"
    }
    assert public == {name for name in ORACLES if name.startswith("hooks.")} == {"hooks.capture", "hooks.replace"}


def test_nested_blocks_run_in_the_order_they_were_entered(device):
    model, x = small_net(device), random(5, 3, dtype=torch.float32, device=device)
    plain = model[0](x).detach()
    with (
        hooks.capture(model, ["0"]) as before,
        hooks.replace(model, {"0": lambda h: h + 1}),
        hooks.replace(model, {"0": lambda h: 2 * h}),
        hooks.capture(model, ["0"]) as after,
    ):
        model(x)
        with hooks.capture(model, ["0", "1"]) as inner:
            model(2 * x)
        again = model(x)
    torch.testing.assert_close(before["0"].detach(), plain)
    torch.testing.assert_close(after["0"].detach(), 2 * (plain + 1))
    torch.testing.assert_close(inner["0"].detach(), 2 * (model[0](2 * x).detach() + 1))
    assert inner["1"] is not again
    assert [*after] == ["0"]
    assert not hooks_left(model)


def test_an_outer_block_outlives_an_inner_one_that_fails():
    model, x = small_net("cpu"), random(5, 3, dtype=torch.float32)
    with hooks.capture(model, ["1"]) as seen:
        with pytest.raises(KeyboardInterrupt), hooks.replace(model, {"1": torch.tanh}):
            raise KeyboardInterrupt
        out = model(x)
    assert seen["1"] is out
    assert not hooks_left(model)


def test_hooks_of_others_and_the_model_are_left_alone():
    model, x = small_net("cpu"), random(5, 3, dtype=torch.float32)
    calls = []
    model[1].register_forward_hook(lambda module, args, out: calls.append(1))
    model.eval()
    model[1].requires_grad_(False)
    before, everything = copy.deepcopy(model.state_dict()), {name: {**vars(m)} for name, m in model.named_modules()}
    with hooks.capture(model, ["1", ""], retain_grad=True), hooks.replace(model, {"0.1": torch.tanh}):
        model(x).sum().backward()
    assert len(hooks_left(model)) == 1
    assert calls == [1]
    assert not model.training
    assert [p.requires_grad for p in model.parameters()] == [True, True, False, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert {name: {**vars(m)} for name, m in model.named_modules()} == everything


def test_a_block_that_is_never_entered_or_left_early_leaves_nothing():
    model, x = small_net("cpu"), random(5, 3, dtype=torch.float32)
    hooks.capture(model, ["0"])
    hooks.replace(model, {"0": torch.tanh})
    assert not hooks_left(model)

    def first_seen():
        for name in ("0", "1"):
            with hooks.capture(model, [name]) as seen:
                model(x)
                return seen[name]

    assert first_seen().shape == (5, 4)
    assert not hooks_left(model)


def test_tuples_of_a_recurrent_layer():
    """The output is kept as the module gave it, and each tensor in it keeps its gradient."""
    model = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(2, 3)})
    x = random(4, 1, 2, dtype=torch.float32)
    with hooks.capture(model, ["lstm"], retain_grad=True) as seen:
        out, (hidden, _) = model["lstm"](x)
        (out.sum() + hidden.sum()).backward()
    kept, (kept_hidden, kept_cell) = seen["lstm"]
    assert kept is out
    assert kept.grad.unique().tolist() == [1]
    assert kept_hidden.grad.unique().tolist() == [1]
    assert kept_cell.grad is None
    with hooks.replace(model, {"lstm": lambda pair: (pair[0] * 0, pair[1])}):
        out, (again, _) = model["lstm"](x)
    assert not out.any()
    assert torch.equal(again, hidden)


def test_activation_patching():
    """What one input left behind, put into the run of another: the answer is the first one's from there on."""
    model = small_net("cpu")
    x, y = (random(5, 3, seed=seed, dtype=torch.float32) for seed in (1, 2))
    with hooks.capture(model, ["0"]) as seen:
        clean = model(x)
    with hooks.replace(model, {"0": lambda _: seen["0"]}):
        assert torch.equal(model(y), clean)
    assert not torch.equal(model(y), clean)


def test_gradients_where_none_can_flow():
    """A frozen model, and what comes before the first weight: there is no gradient, unless x itself asks for one."""
    model = torch.nn.Sequential(torch.nn.Flatten(), *small_net("cpu"))
    x = random(5, 3, dtype=torch.float32)
    with hooks.capture(model, ["0", "2"], retain_grad=True) as seen:
        model(x).sum().backward()
    assert seen["0"].grad is None
    assert seen["2"].grad is not None
    model.requires_grad_(False)
    with hooks.capture(model, ["0", "2"], retain_grad=True) as seen:
        model(x.requires_grad_()).sum().backward()
    assert seen["0"].grad is not None
    torch.testing.assert_close(seen["2"].grad, torch.ones(5, 2))


def test_what_the_docstring_warns_of():
    """A later layer in place overwrites what was seen; a copy made inside the block takes the hooks with it."""
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU(inplace=True))
    with hooks.capture(model, ["0"]) as seen:
        model(torch.tensor([-1.0, 2.0]))
        twin = copy.deepcopy(model)
    assert seen["0"].tolist() == [0, 2]
    assert hooks_left(twin)
    assert not hooks_left(model)
