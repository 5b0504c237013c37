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


def wait(until, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.5)
