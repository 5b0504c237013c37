"""How far an engine goes: by the clock, by the count, and never on beyond its end or its pause."""

from typing import ClassVar

import pytest

from dlcourse.widgets.engine import Engine
from dlcourse.widgets.runner import Manual, Tick


class Counter(Engine):
    name = "counter"
    params: ClassVar = {}

    def __init__(self, last=10**9, pause=None, clock=None, takes=0.0):
        super().__init__()
        self.count, self.last, self.pause, self.clock, self.takes = 0, last, pause, clock, takes

    @property
    def running(self):
        return self.count < self.last

    @property
    def pauses(self):
        return self.count == self.pause

    def step(self, n=1):
        assert n == 1
        self.count += 1
        if self.clock:
            self.clock.time += self.takes


class Clock:
    time = 100.0

    def __call__(self):
        return self.time


@pytest.mark.parametrize("runner", [Manual(), Tick(seconds=3600)], ids=["manual", "tick"])
@pytest.mark.parametrize(
    ("settings", "at_most", "steps"),
    [({}, 1, 1), ({}, 250, 250), ({}, 0, 0), ({"last": 3}, 10, 3), ({"last": 0}, 10, 0), ({"pause": 4}, 10, 4)],
)
def test_as_often_as_asked_but_not_beyond_the_end_or_a_pause(runner, settings, at_most, steps):
    engine = Counter(**settings)
    assert runner.advance(engine, at_most) == steps == engine.count


@pytest.mark.parametrize("runner", [Manual(), Tick(seconds=3600)], ids=["manual", "tick"])
def test_a_pause_is_not_for_ever(runner):
    engine = Counter(pause=4)
    runner.advance(engine, 10)
    assert runner.advance(engine, 10) == 10


def test_a_tick_lasts_as_long_as_it_should():
    for takes, steps in ((0.001, 20), (0.0033, 7), (0.02, 1), (5.0, 1)):
        clock = Clock()
        engine = Counter(clock=clock, takes=takes)
        assert Tick(seconds=0.02, clock=clock).advance(engine, 1000) == steps, takes
        assert clock.time - 100 < 0.02 + takes + 1e-9


def test_a_tick_is_20_ms_by_the_real_clock():
    assert Tick().seconds == 0.02
    engine = Counter()
    done = Tick().advance(engine, 10**9)
    assert done == engine.count > 10


def test_an_error_of_the_engine_is_not_swallowed():
    class Broken(Counter):
        def step(self, n=1):
            raise RuntimeError("broken")

    for runner in (Manual(), Tick()):
        with pytest.raises(RuntimeError, match="broken"):
            runner.advance(Broken(), 5)
