"""What nobody uses is ended, by the settings that hosts have, with other times."""

import time

import pytest
from dlcourse_hub import START_CHAPTER, Client, Hub

SHORT = """
def seconds(options, number):
    parts = [option.partition("=") for option in options]
    return [f"{name}={number}" if value.isdigit() else name + equals + value for name, equals, value in parts]

c.Spawner.args = seconds(c.Spawner.args, 2)
c.JupyterHub.services[0]["command"] = [*seconds(c.JupyterHub.services[0]["command"], 20), "--cull-every=2"]
c.Spawner.environment.update({"JUPYTERHUB_ACTIVITY_INTERVAL": "2"})  # each server tells the hub when it was last used
c.JupyterHub.activity_resolution = 1
"""


@pytest.fixture(scope="module")
def hub():
    made = Hub(SHORT)
    yield made
    made.remove()


def test_an_idle_kernel_then_an_idle_server_are_ended(running):
    ann = Client(running, "ann")
    ann.log_in()
    ann.start()
    kernel = ann.start_kernel(START_CHAPTER)
    assert ann.run(kernel, ["1 + 1"]) == ["2"]
    wait(lambda: ann.ask("GET", "/api/kernels").json() == [])
    wait(lambda: "Culling server ann" in running.said())
    wait(lambda: ann.session.get(ann.at("/api/kernels")).status_code != 200)
    assert (running.world.home("ann") / "dlcourse-work" / START_CHAPTER).is_file()


def test_a_cell_nobody_watches_goes_on_for_as_long_as_it_says_something(running):
    """Both cells outlast every limit. No kernel that computes is ended; but of a silent one the hub knows nothing."""
    kernels = {}
    for name, between in (("bob", 1), ("ann", 600)):
        person = Client(running, name)
        person.log_in()
        person.start()
        kernels[name] = person.start_kernel(START_CHAPTER)
        code = f"import time\nfor i in range(600):\n    print(i, flush=True)\n    time.sleep({between})"
        person.run_and_leave(kernels[name], code)
    ended = running.said().count("Culling server ann")
    wait(lambda: running.said().count("Culling server ann") > ended)
    time.sleep(10)
    said = running.said()
    assert "Culling server bob" not in said
    culled = [line for line in said.splitlines() if "Culling '" in line]
    assert [line for line in culled if any(kernel in line for kernel in kernels.values())] == []


def wait(until, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.5)
