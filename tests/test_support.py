"""The tests' own tools can fail: the factory guard, the tolerance table, the settings of the run."""

import os
import types

import pytest
import torch
from dlcourse_factories import PACKAGE, FactoryGuard
from hypothesis import settings


def module_at(path: str, source: str) -> types.ModuleType:
    """A module whose code says that it stands at `path` of the package."""
    module = types.ModuleType("at")
    exec(compile(source, str(PACKAGE / path), "exec"), module.__dict__)
    return module


MAKERS = {
    "zeros": "torch.zeros(3)",
    "tensor": "torch.tensor([1.0])",
    "rand": "torch.rand((2, 2), generator=torch.Generator())",
    "arange": "torch.arange(4)",
    "device=None": "torch.ones(2, device=None)",
    "eye": "torch.eye(2)",
    "by keyword": "torch.full(size=(2,), fill_value=1.0)",
}


@pytest.mark.parametrize("call", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("path", ["nn/activation.py", "models/later.py", "data/synthetic.py", "attacks/pgd.py"])
def test_a_tensor_made_nowhere_in_particular_is_refused(path, call):
    module = module_at(path, f"import torch\ndef make(x):\n    return {call}\n")
    with pytest.raises(AssertionError, match="without device="):  # the autouse fixture is what sees it
        module.make(torch.zeros(2))


@pytest.mark.parametrize(
    "call",
    [
        "torch.zeros_like(x)",
        "x.new_zeros(3)",
        "torch.zeros(3, device=x.device)",
        "torch.as_tensor(x)",
        "torch.where(x > 0, 0.0, x)",
        "torch.stack([x, x])",
    ],
)
def test_what_follows_the_input_is_let_through(call):
    module_at("nn/activation.py", f"import torch\ndef make(x):\n    return {call}\n").make(torch.zeros(2))


def test_only_the_lower_floors_are_watched():
    make = "import torch\ndef make():\n    return torch.zeros(3)\n"
    for path in ("plot/draw.py", "checks/ch01/sigmoid.py", "../tests/nn/test_x.py"):
        module_at(path, make).make()
    with FactoryGuard(watched=()):
        pass


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_tolerance_table_rejects(close, device, dtype):
    x = torch.tensor([1.0, 1000.0], dtype=dtype, device=device)
    close(x, x.clone())
    for wrong in (x * 1.001, x[:1], x.to(torch.float16), -x, torch.full_like(x, float("nan"))):
        with pytest.raises(AssertionError):
            close(wrong, x)


def test_settings_of_the_run():
    assert os.environ["DLCOURSE_PROGRESS"] == "0"
    assert torch.get_num_threads() == 1
    if os.environ.get("CI"):
        assert settings().derandomize


def test_shape_checks_can_be_switched_off_and_come_back(unchecked):
    from dlcourse import nn

    with pytest.raises(TypeError, match=r"Use labels\.long"):
        nn.cross_entropy(torch.zeros(2, 2), torch.zeros(2))
