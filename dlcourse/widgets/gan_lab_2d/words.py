"""The present state in words: for the eyes that read, and for the ears that listen."""

import math
from itertools import pairwise

from dlcourse.widgets.gan_lab_2d.history import Measured
from dlcourse.widgets.gan_lab_2d.question import Question
from dlcourse.widgets.gan_lab_2d.run import DEPTH, Run

NAMES = {
    "eight_gaussians": "eight Gaussians",
    "grid": "a grid of 25 Gaussians",
    "point": "one Gaussian",
    "line": "a line",
    "ring": "a ring",
    "moons": "two moons",
    "spiral": "a spiral",
    "drawn": "drawn points",
    "non_saturating": "non-saturating loss",
    "minimax": "minimax loss",
    "least_squares": "least squares loss",
    "hinge": "hinge loss",
    "wasserstein": "Wasserstein loss",
    "gradient_penalty": "gradient penalty",
}
EARLY = 100  # updates of G before which nothing is called a failure
TOLD_APART = 0.9  # share of points on D's right side, from which on it wins
FAINT = 0.05  # a median push below this hardly moves anything
RECENT = 40  # measured states that are looked at
OFF = 0.4  # a mean that strays farther than this from its own average goes round ...
ROUND_TRIP = 4  # ... when it has travelled this many times farther than it got


def number(value: float | None) -> str:
    """Two significant places or so: 0.31, 1.2e+05; "not a number" for None.

    >>> number(0.314), number(0.00123), number(None)
    ('0.31', '0.0012', 'not a number')
    """
    if value is None:
        return "not a number"
    return f"{value:.2f}" if 0.1 <= abs(value) < 1000 or value == 0 else f"{value:.2g}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def cover(run: Run, measured: Measured) -> str:
    """ "7 of 8 modes, 62 % on the data"; "" while nothing is known."""
    if measured.reached is None or measured.quality is None:
        return ""
    if run.target.modes:
        total = len(run.target.places)
        first = f"{round(measured.reached * total)} of {total} mode{'s' if total > 1 else ''} covered"
    else:
        first = f"{percent(measured.reached)} of the target reached"
    return f"{first}, {percent(measured.quality)} of generated points on it"


def say(run: Run, measured: Measured) -> str:
    told = cover(run, measured)
    return f"Step {run.at}: {run.counts[0]} updates of D, {run.counts[1]} of G" + (f". {told}" if told else "")


def notice(run: Run) -> str | None:
    """Why the run does not go on."""
    if run.diverged is not None:
        return (
            f"At step {run.diverged} a loss or a weight stopped being a finite number. Go back and lower a learning "
            "rate or add a penalty, or reset."
        )
    if not len(run.target.places):
        return "There is no real point yet: draw some in the picture, or choose a target."
    return None


def health(run: Run, measured: Measured) -> list[str]:
    """What is wrong with the game, if it is, with the numbers that say so."""
    if run.diverged is not None or run.counts[1] < EARLY or measured.right is None or measured.push is None:
        return []
    found = []
    if measured.right >= TOLD_APART:
        found.append(f"D wins: it tells {percent(measured.right)} of the points apart.")
    if measured.push < FAINT:
        found.append(
            f"The pushes have faded: the median generated point feels {number(measured.push)}, so G hardly moves."
        )
    return [*found, *_dropped(run, measured), *_wandering(run)]


def _dropped(run: Run, measured: Measured) -> list[str]:
    total = len(run.target.places)
    if not run.target.modes or total < 2:
        return []
    now = round(measured.reached * total)
    best = max(
        (
            (round(record.measured.reached * total), record.step)
            for record in _past(run)
            if record.measured.reached is not None
        ),
        default=(now, run.at),
    )
    if 2 * now > total:
        return []
    had = f"; at step {best[1]} it had {best[0]}" if best[0] > now else ""
    return [f"Modes are missing: G covers {now} of {total}{had}."]


def _wandering(run: Run) -> list[str]:
    """The mean of the generated points moves far, and round: it gets nowhere."""
    past = [record for record in _past(run) if record.measured.mean_x is not None][-RECENT:]
    if len(past) < RECENT // 2:
        return []
    places = [(record.measured.mean_x, record.measured.mean_y) for record in past]
    middle = [sum(axis) / len(places) for axis in zip(*places, strict=True)]
    off = math.sqrt(sum(math.dist(place, middle) ** 2 for place in places) / len(places))
    way = sum(math.dist(a, b) for a, b in pairwise(places))
    if off < OFF * run.target.scale or way < ROUND_TRIP * math.dist(places[0], places[-1]):
        return []
    return [
        f"The game goes round: since step {past[0].step} the mean of the generated points has travelled {number(way)}, "
        f"and it is {number(math.dist(places[0], places[-1]))} from where it was."
    ]


def _past(run: Run) -> list:
    return [record for step, record in run.history.records.items() if step <= run.at]


def settings(run: Run) -> str:
    """How a game is played, in a few words."""
    values = run.values
    parts = [NAMES[values["loss"]]]
    if values["penalty"] != "none":
        parts.append(f"{NAMES.get(values['penalty'], values['penalty'])} {values['strength']:g}")
    k = values["d_steps"]
    parts.append(f"{k} update{'s' if k > 1 else ''} of D for one of G")
    parts.append(f"rates {values['d_lr']:g} (D) and {values['g_lr']:g} (G), momentum {values['beta1']:g}")
    return ", ".join(parts)


def describe(run: Run, measured: Measured, kept: Run | None, question: Question | None) -> str:
    values = run.values
    own = run.own_target is not None
    what = "your own points" if own else NAMES[values["data"]]
    nets = [name if mine is None else f"your own {name}" for name, mine in zip(("G", "D"), run.own, strict=True)]
    sentences = [
        f"Step {run.at} of a game about {what}, noise {values['noise']:g}: {run.counts[0]} updates of D and "
        f"{run.counts[1]} of G, next is {run.due}.",
        f"Networks {nets[0]} and {nets[1]}, {DEPTH} hidden layers of {values['width']} where they are not yours; "
        f"{values['latent']} latent number{'s' if values['latent'] > 1 else ''}; {settings(run)}; "
        f"batches of {values['batch_size']}.",
    ]
    if question is not None and question.state != "revealed":
        then = "Guess first." if question.guess is None else f"The answer comes at step {question.target}."
        return " ".join([*sentences, f"A question is open: {question.text} {then}"])
    if measured.d_loss is not None or measured.g_loss is not None:
        sentences.append(
            f"Loss of D {number(measured.d_loss)}, of G {number(measured.g_loss)}; D's mean output is "
            f"{number(measured.real_logit)} on real points and {number(measured.fake_logit)} on generated ones."
        )
        if told := cover(run, measured):
            sentences.append(f"{told}; the median push on a generated point is {number(measured.push)}.")
    sentences += health(run, measured)
    if kept is not None:
        sentences.append(f"Kept as A: step {kept.at}, {settings(kept)}; {cover(kept, kept.measured())}.")
    if question is not None and question.found is not None:
        verdict = {True: "you were right", False: "you were wrong", None: "the run ended before it"}[question.right]
        sentences.append(f"Answer to the question: {question.found}; {verdict}.")
    if (why := notice(run)) is not None:
        sentences.append(why)
    return " ".join(sentences)
