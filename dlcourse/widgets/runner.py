"""How far an engine goes when the view asks for the next picture."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dlcourse.widgets.engine import Engine


class Runner(Protocol):
    def advance(self, engine: Engine, at_most: int) -> int:
        """Step the engine, at most `at_most` times; how often it did."""


@dataclass(frozen=True)
class Tick:
    """Steps for about `seconds`, so that a slow network gives slow steps and not a frozen view; at least one."""

    seconds: float = 0.02
    clock: Callable[[], float] = time.perf_counter

    def advance(self, engine: Engine, at_most: int) -> int:
        end, done = self.clock() + self.seconds, 0
        while done < at_most and engine.running:
            engine.step()
            done += 1
            if engine.pauses or self.clock() >= end:
                break
        return done


@dataclass(frozen=True)
class Manual:
    """Steps as often as asked, whatever the clock says: for tests."""

    def advance(self, engine: Engine, at_most: int) -> int:
        done = 0
        while done < at_most and engine.running:
            engine.step()
            done += 1
            if engine.pauses:
                break
        return done


class Paced:
    """Play that can be read along: one step every `slow` or `fast` seconds, as the engine's parameter `pace` says."""

    def __init__(self, slow: float = 1.6, fast: float = 0.5, clock: Callable[[], float] = time.perf_counter):
        self.every, self.clock, self.due = {"slow": slow, "fast": fast}, clock, -float("inf")

    def advance(self, engine: Engine, at_most: int) -> int:
        if self.clock() < self.due or not engine.running:
            return 0
        engine.step()
        self.due = self.clock() + self.every[engine.values["pace"]]
        return 1
