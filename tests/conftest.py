"""Fixtures and settings of all tests.

`device`: each test that takes it runs on the CPU, and on the GPU where there is one (marker gpu).
`close`: compares tensors by the one tolerance table.
`unchecked`: the package's own error messages, without the shape checks that the tests add.
"""

import gc
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A run in the background hands down "ignore Ctrl-C", and the programs that tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    sys.dont_write_bytecode = False  # hundreds of processes that tests start would each compile the package anew
os.environ["DLCOURSE_PROGRESS"] = "0"  # tests leave no trace in the learner's record; child processes inherit it
sys.path.insert(0, str(Path(__file__).parent / "support"))

from jaxtyping import install_import_hook

# Before the first import of these rooms: every call in the tests is checked against its annotated shapes.
CHECKED = [
    "dlcourse.nn",
    "dlcourse.optim",
    "dlcourse.hooks",
    "dlcourse.models",
    "dlcourse.training",
    "dlcourse.units",
    "dlcourse.generation",
    "dlcourse.attacks",
    "dlcourse.attribution",
    "dlcourse.defenses",
    "dlcourse.landscape",
    "dlcourse.mechanistic",
    "dlcourse.autograd.mlp",
    "dlcourse.data",
    "dlcourse.seeding",
    "dlcourse.steps",
    "dlcourse.device",
]
if already := [name for name in CHECKED if name in sys.modules]:
    raise RuntimeError(f"{', '.join(already)} imported before tests/conftest.py: their shapes would go unchecked.")
install_import_hook(CHECKED, "beartype.beartype")

import jaxtyping  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from dlcourse_factories import FactoryGuard  # noqa: E402
from dlcourse_tolerance import assert_close  # noqa: E402
from hypothesis import settings  # noqa: E402

torch.set_num_threads(1)  # small tensors: more threads cost more than they bring, and the workers share the cores

settings.register_profile("local", max_examples=50, deadline=timedelta(seconds=5))
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect without garbage collection, and leave what was collected out of the later ones.

    More than a million objects stay until the end: to look through them takes 0.7 s, 13 times while they come.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request) -> torch.device:
    """Where the test's tensors live."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    return torch.device(request.param)


@pytest.fixture(scope="session")
def close():
    """`close(actual, expected)` fails unless the two agree by the tolerance table."""
    return assert_close


@pytest.fixture
def unchecked():
    """Switch the tests' shape checks off, so that the function's own message is seen."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def _gradients_stay_on():
    """Fail the test that leaves torch without gradients, and not the hundreds after it in the same process."""
    yield
    left = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    assert left, "this test left gradients switched off"


@pytest.fixture(autouse=True)
def _follow_the_inputs_device():
    """Fail any torch factory call in floors 0 to 4 that does not say on which device."""
    with FactoryGuard():
        yield
