"""02.debug: the backward sweep over a tape, freed of its three faults."""

from typing import Any

import torch

from dlcourse.checks.examiner import Examiner, Suspect, gives, matches, number
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject

Step = tuple[str, list[str], list[float]]  # name, names of its inputs, local derivatives
Tape = list[Step]
Grads = dict[str, float]


def gradients(tape):
    result = tape[-1][0]
    collected = {result: 1.0}
    for k in range(len(tape) - 1, -1, -1):
        name, sources, slopes = tape[k]
        for j in range(len(sources)):
            share = collected[name] * slopes[j]
            collected[sources[j]] = collected.get(sources[j], 0.0) + share
    return collected


def _sweep(
    tape: Tape,
    *,
    forward: bool = False,
    overwrite: bool = False,
    keep_first: bool = False,
    slope: bool = True,
    arrived: bool = True,
    result: int = -1,
    begin: float = 0.0,
) -> Grads:
    """A sweep with some of the faults. begin: what a sum starts with."""
    collected = {tape[result][0]: 1.0}
    for name, sources, slopes in tape if forward else reversed(tape):
        for source, local in zip(sources, slopes, strict=True):
            if keep_first and source in collected:
                continue
            share = (local if slope else 1.0) * (collected.get(name, 0.0) if arrived else 1.0)
            collected[source] = share if overwrite else collected.get(source, begin) + share
    return collected


def _sweeps(**faults: Any) -> Any:
    return gives(lambda tape: _sweep(tape, **faults))


FORWARD = (
    "The tape was walked from its beginning: there a step hands on a gradient before any has reached it, which is 0. "
    "The sweep starts at the last step and goes back, so that each name has all its shares before it hands them on."
)
KEPT = (
    "Something is kept from one call to the next. A dictionary that is the default of an argument, or stands outside "
    "the function, is made once, and every call shares it. Make a new one inside the function."
)
# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        # Names of an earlier tape; every tape of the check has names of its own.
        KEPT,
        lambda got, wanted, tape: type(got) is dict and wanted.keys() < got.keys(),
    ),
    *(Suspect(FORWARD, _sweeps(forward=True, overwrite=overwrite)) for overwrite in (True, False)),
    Suspect(
        "The sums begin at 1: a name that nothing has reached has the gradient 0 to add to, grads.get(source, 0.0). "
        "Only the last name begins with 1.",
        _sweeps(begin=1.0),
    ),
    Suspect(
        "Shares were overwritten: a name that several steps use (or one step twice) gets a share from each, and the "
        "last one to come replaced the others. Add to what is there.",
        _sweeps(overwrite=True),
    ),
    Suspect(
        "The first share to come was kept, and the later ones were dropped: a name that several steps use gets a share "
        "from each. Add to what is there.",
        _sweeps(keep_first=True),
    ),
    *(
        Suspect(
            # The two cannot be told apart: on the way forward nothing has ever arrived.
            "Each share is the slope alone, as if 1 had arrived at every name: a share is slope times what has "
            "arrived. Either the gradient of the step's name is not multiplied in, or the tape is walked from its "
            "beginning, where nothing has arrived yet and get(name, 1.0) makes a 1 of that.",
            _sweeps(arrived=False, forward=forward, overwrite=overwrite),
        )
        for forward, overwrite in ((False, False), (False, True), (True, True))
    ),
    Suspect(
        "Only one step was gone through: look where `return` stands. Inside a loop it ends the function at once.",
        lambda got, wanted, tape: (
            len(tape) > 1
            and (
                matches(got, _sweep(tape[-1:]))
                or matches(got, {tape[-1][0]: 1.0, tape[-1][1][0]: tape[-1][2][0]})
                or matches(got, {tape[-1][1][0]: tape[-1][2][0]})
            )
        ),
    ),
    Suspect(
        "The names of the other steps are gone: the dictionary is made anew inside the loop, for each step. Make it "
        "once in each call, before the loop.",
        lambda got, wanted, tape: (
            len(tape) > 1
            and type(got) is dict
            and {*tape[0][1]} <= got.keys() <= {*tape[0][1], tape[0][0], tape[-1][0]}
        ),
    ),
    Suspect(
        "Every gradient is 0: nothing starts the sweep. The gradient of the last name with respect to itself is 1.",
        lambda got, wanted, tape: type(got) is dict and bool(got) and not any(map(number, got.values())),
    ),
    Suspect(
        "The sweep began at the first step's name: the result, whose gradient is 1, is the name of the *last* step.",
        lambda got, wanted, tape: len(tape) > 1 and _sweeps(result=0)(got, wanted, tape),
    ),
    Suspect(
        "The local derivatives are missing: a share is slope times the gradient of the step's name.",
        _sweeps(slope=False),
    ),
    Suspect(
        "Names are missing: the inputs at the beginning of the tape have no step of their own, and have a gradient.",
        lambda got, wanted, tape: type(got) is dict and got.keys() == {step[0] for step in tape} != wanted.keys(),
    ),
    Suspect(
        "The result itself is missing: the gradient of the last name with respect to itself is 1.",
        lambda got, wanted, tape: type(got) is dict and wanted.keys() - got.keys() == {tape[-1][0]},
    ),
)
CRASHES = (
    (
        "KeyError",
        "A name was looked up that has no gradient yet. Either the tape is walked from its beginning and not from its "
        "end, or a name that nothing has reached needs a 0 to add to: grads.get(name, 0.0).",
    ),
    (
        "an argument was changed in place",
        "The tape itself was changed, by .reverse() or .pop(). The caller still needs it: reversed(tape) goes through "
        "it backwards and changes nothing.",
    ),
    ("a set is none", "The stub says what comes out: a dictionary from names to gradients."),
)
WRONG = (
    "Do it by hand on this tape: begin with 1 at the last name, go back step by step, and note every share on the way."
)

# In this order, because a case is only met by answers that got those above it right.
CASES: tuple[Tape, ...] = (
    [("u", ["x", "y"], [5.0, 3.0]), ("v", ["u", "x"], [2.0, 7.0]), ("loss", ["v", "u"], [-3.0, 0.5])],
    [("s", ["a"], [3.0])],  # one step, and other names
    [("p", ["b"], [3.0]), ("q", ["p"], [-5.0]), ("r", ["q"], [7.0])],  # a chain
    [("d", ["c", "c"], [3.0, 5.0]), ("e", ["d"], [-7.0])],  # one step uses a name twice
)

TWIN: Tape = [("u", ["x", "y"], [-1.0, 9.0]), ("v", ["u", "x"], [-5.0, 3.0]), ("loss", ["v", "u"], [7.0, -3.0])]


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("02.debug", "gradients", subject, SUSPECTS, CRASHES, lines=10_000)

    def right_for(tape: Tape) -> None:
        ask.value((tape,), gradients(tape), generic=WRONG)

    def call(tape: Tape) -> Any:
        called, wanted = ask.written((tape,)), Later(lambda: show(gradients(tape)))
        return ask.ask(lambda: subject.call(tape, lines=ask.lines), called=called, wanted=wanted)

    # Before the values: the same tape twice, and in between another one with the same names.
    tape = CASES[0]
    first, _, again = call(tape), call(TWIN), call(tape)
    if type(first) is dict and not matches(again, first):
        came_back = f"{show(first)}\nand when it was called again, later,\n{show(again)}"
        wanted = f"{show(gradients(tape))}, both times"
        ask.fail(called=ask.written((tape,)), came_back=came_back, wanted=wanted, reason=KEPT)
    for tape in (*CASES, CASES[0]):
        right_for(tape)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(10):
        right_for(_drawn(generator, round_))
    return f"right on {ask.asked} tapes. Three faults found: the direction, the overwriting, the shared dictionary."


def _drawn(generator: torch.Generator, round_: int) -> Tape:
    """One to seven steps over one to three inputs; every name leads to the last one."""

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    names = [f"x{round_}", f"y{round_}", f"z{round_}"][: draw(1, 3)]
    waiting, tape, steps = list(names), [], draw(1, 7)
    for step in range(steps):
        if step == steps - 1:
            sources = [*waiting, names[draw(0, len(names) - 1)]]
        else:
            sources = [names[draw(0, len(names) - 1)] for _ in range(draw(1, 2))]
        name = f"{'abcdefg'[step]}{round_}"
        tape.append((name, sources, [float(2 * draw(-3, 2) + 1) for _ in sources]))
        names.append(name)
        waiting = [other for other in [*waiting, name] if other not in sources]
    return tape


EXERCISE = Exercise(
    id="02.debug",
    name="debug_backward",
    title="Find the faults of a sweep",
    objectives=("02-O1", "02-O3"),
    difficulty=3,
    minutes=10,
    points=3,
    task="Write gradients(tape): tape is a list of (name, inputs, slopes) in the order of the forward pass, inputs a "
    "list of names, slopes the local derivatives of name for each of them. Return a dictionary with the gradient "
    "of the last step's name for every name on the tape, the inputs too, right at every call.",
    ranges="tapes of one to seven steps, slopes that are numbers between -7 and 9, names used several times; every "
    "name leads to the last one",
    hints=(
        "Follow the broken code by hand on three steps and write down the dictionary after each. Which entries are 0, "
        "and why? Then call it twice with the same tape.",
        "Which step knows its gradient at the beginning? What happens when two steps use the same name? And when is "
        "the dictionary made: at each call, or once?",
        "grads = {tape[-1][0]: 1.0} inside the function; for name, inputs, slopes in reversed(tape): for each source "
        "and slope: grads[source] = grads.get(source, 0.0) + slope * grads[name]. Return grads.",
    ),
    reference=gradients,
    walkthrough="The sweep goes back from the last step, whose gradient is 1, so that a name has all its shares before "
    "it hands them on. Shares are added, and the dictionary is made anew in each call.",
    where="exercises/02-backpropagation/02-backpropagation-exercises.ipynb",
    check=check,
)
