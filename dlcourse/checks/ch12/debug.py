"""12.debug: the training game of a generator and a discriminator, freed of its three faults."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.examiner import Examiner, Suspect, matches, unlike
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import apart
from dlcourse.checks.subject import Subject

Weights = list[Tensor]
Played = tuple[Weights, Weights]
PARTS = "(g_weights, d_weights)"


def play(g_weights, d_weights, z, real, lr):
    softplus = torch.nn.functional.softplus

    def generate(z, w1, b1, w2, b2):
        return torch.tanh(z @ w1.T + b1) @ w2.T + b2

    def critic(x, w1, b1, w2, b2):
        return torch.tanh(x @ w1.T + b1) @ w2 + b2

    def descend(loss, weights):
        slopes = torch.autograd.grad(loss, weights)
        return [(w - lr * slope).detach().requires_grad_() for w, slope in zip(weights, slopes, strict=True)]

    g, d = ([weight.clone().requires_grad_() for weight in weights] for weights in (g_weights, d_weights))
    for noise, points in zip(z, real, strict=True):
        fakes = generate(noise, *g).detach()
        d = descend(softplus(-critic(points, *d)).mean() + softplus(critic(fakes, *d)).mean(), d)
        g = descend(softplus(-critic(generate(noise, *g), *d)).mean(), g)
    return [weight.detach() for weight in g], [weight.detach() for weight in d]


def _layers(x: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Either network: w2 is (out, hidden) in the generator, and (hidden,) in the discriminator."""
    w1, b1, w2, b2 = weights
    return torch.tanh(x @ w1.T + b1) @ (w2.T if w2.dim() == 2 else w2) + b2


LABELLED: dict[str, Callable[[Tensor], Tensor]] = {  # a loss for each logit
    "real": lambda logits: functional.softplus(-logits),
    "fake": lambda logits: functional.softplus(logits),
    "minimax": lambda logits: -functional.softplus(logits),
    "maximised": lambda logits: -functional.softplus(-logits),
    "twice": lambda logits: functional.softplus(-logits.sigmoid()),
    "twice fake": lambda logits: functional.softplus(logits.sigmoid()),
    "straight": lambda logits: -logits,
    "nothing": lambda logits: 0 * logits,
}


PACES: dict[str, Callable[..., torch.optim.Optimizer]] = {  # beside plain gradient descent
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
}


def _play(
    g_weights: Sequence[Tensor],
    d_weights: Sequence[Tensor],
    z: Tensor,
    real: Tensor,
    lr: float,
    *,
    leak: bool = False,
    clear_d: str = "before D",
    clear_g: str = "before G",
    g_label: str = "real",
    d_labels: tuple[str, str] = ("real", "fake"),
    d_loss: str = "sum",
    g_loss: str = "mean",
    order: str = "D, then G",
    moves: str = "both",
    rounds: str = "all",
    steps: tuple[float, float] = (1.0, 1.0),
    paces: tuple[str, str] = ("", ""),
) -> Played:
    """The game with some of the faults, in float64. What `.grad` holds is kept by hand.

    leak: D's loss sends slopes into G. clear_d, clear_g: when their .grad is set to 0. order: whose step sees what.
    paces: the optimisers of G and D, of `PACES`.
    """
    dtype = g_weights[0].dtype
    g, d = ([weight.double() for weight in weights] for weights in (g_weights, d_weights))
    to_g, to_d = ([torch.zeros_like(weight) for weight in weights] for weights in (g, d))

    def add(loss: Callable[[Weights, Weights], Tensor], into_g: bool, into_d: bool) -> None:
        at_g = [weight.clone().requires_grad_(into_g) for weight in g]
        at_d = [weight.clone().requires_grad_(into_d) for weight in d]
        leaves, gradients = at_g * into_g + at_d * into_d, to_g * into_g + to_d * into_d  # those that are kept
        slopes = torch.autograd.grad(loss(at_g, at_d), leaves, materialize_grads=True)
        for gradient, slope in zip(gradients, slopes, strict=True):
            gradient += slope

    def clear(gradients: Weights) -> None:
        for gradient in gradients:
            gradient.zero_()

    walkers: dict[int, tuple[Weights, torch.optim.Optimizer]] = {}

    def step(weights: Weights, gradients: Weights, which: int) -> Weights:
        if not paces[which]:
            rate = steps[which] * lr
            return [weight - rate * gradient for weight, gradient in zip(weights, gradients, strict=True)]
        if which not in walkers:
            leaves = [weight.clone() for weight in weights]
            walkers[which] = leaves, PACES[paces[which]](leaves, lr=lr)
        leaves, optimizer = walkers[which]
        for leaf, gradient in zip(leaves, gradients, strict=True):
            leaf.grad = gradient.clone()
        optimizer.step()
        return [leaf.clone() for leaf in leaves]

    chosen = list(zip(z.double(), real.double(), strict=True))
    chosen = {"all": chosen, "first": chosen[:1], "last": chosen[-1:], "backwards": chosen[::-1]}[rounds]
    for noise, points in chosen:

        def loss_of_d(g: Weights, d: Weights) -> Tensor:
            losses = [
                LABELLED[label](_layers(x, d))
                for label, x in zip(d_labels, (points, _layers(noise, g)), strict=True)  # noqa: B023
            ]
            if d_loss == "examples":
                return sum(loss.sum() for loss in losses)
            return sum(loss.mean() for loss in losses) / (2 if d_loss == "mean" else 1)

        def loss_of_g(g: Weights, d: Weights) -> Tensor:
            loss = LABELLED[g_label](_layers(_layers(noise, g), d))  # noqa: B023
            return loss.mean() if g_loss == "mean" else loss.sum()

        def turn_of_d(moved: bool = True) -> None:
            if clear_d in ("before D", "before each"):
                clear(to_d)
            add(loss_of_d, leak, True)

        def turn_of_g() -> None:
            if clear_g == "before G":
                clear(to_g)
            if clear_d == "before each":
                clear(to_d)
            add(loss_of_g, True, order != "at once")

        def move(which: str) -> None:
            nonlocal g, d
            if which == "D" and moves in ("both", "D", "D twice"):
                d = step(d, to_d, 1)
                if clear_d == "after D":
                    clear(to_d)
            if which == "G" and moves in ("both", "G", "D twice"):
                g = step(g, to_g, 0)
            if which == "G" and moves == "D twice":  # one optimiser holds the weights of both
                d = step(d, to_d, 1)

        if clear_g == "round":
            clear(to_g)
        if order == "D, then G":
            turn_of_d()
            move("D")
            turn_of_g()
            move("G")
        elif order == "at once":
            turn_of_d()
            turn_of_g()
            move("D")
            move("G")
        else:
            turn_of_g()
            move("G")
            turn_of_d()
            move("D")
    return [weight.to(dtype) for weight in g], [weight.to(dtype) for weight in d]


LEAK = (
    "D's loss has reached G: its slopes went on through the fakes into G's weights, and were added to G's own. In D's "
    "turn the fakes are plain points: .detach() cuts them off."
)
KEPT = (
    "What G's loss left in D's gradients was still there in D's next turn: backward adds to .grad, of every weight on "
    "the way, and G's loss passes through D. Clear D's gradients right before D's own backward."
)
LABEL = (
    "G's turn has the wrong label: G goes down on the loss that *D* has on fakes, so it learns to be found out. G "
    "wants D to call its fakes real: the label 1."
)
MORE = " It is not the only fault that is left."
Faults = dict[str, Any]
# Each original fault: its keywords and values with the fault, what to say.
FAULTS: tuple[tuple[Faults, str], ...] = (
    ({"g_label": "fake"}, LABEL),
    ({"leak": True, "clear_g": "round"}, LEAK),
    ({"clear_d": "after D"}, KEPT),
)


def _left(broken: tuple[bool, ...]) -> tuple[str, list[Faults]]:
    """The original faults that are still there."""
    left = [fault for fault, there in zip(FAULTS, broken, strict=True) if there]
    together = {name: value for faults, _ in left for name, value in faults.items()}
    return left[0][1] + MORE * (len(left) > 1), [together]


NEVER = (
    "{0}'s gradients are never cleared: backward adds to .grad, and so {0} goes on walking where all rounds before "
    "pointed. Clear them right before {0}'s own backward."
)
# What to say, and the programs that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: tuple[tuple[str, list[Faults]], ...] = (
    *(_left(broken) for broken in product((True, False), repeat=3) if any(broken)),
    (NEVER.format("D"), [{"clear_d": "never"}]),
    (NEVER.format("G"), [{"clear_g": "never"}]),
    (f"{LEAK} And G's gradients are never cleared.", [{"leak": True, "clear_g": "never"}]),
    (
        "No gradient is ever cleared: backward adds to .grad. Clear D's right before D's backward, and G's before G's.",
        [
            {"clear_d": "never", "clear_g": "never"},
            {"clear_d": "never", "clear_g": "never", "leak": True},
        ],
    ),
    (
        "G's loss asked the detective of *before* D's step. The two take turns: D first, and G then plays against the "
        "new D.",
        [
            {"order": "at once"},
            {"order": "at once", "leak": True, "clear_g": "round"},
            {"order": "at once", "leak": True, "g_label": "fake", "clear_g": "round"},
        ],
    ),
    ("G's turn came first: in each round D takes its step, and then G.", [{"order": "G, then D"}]),
    (
        "G's loss is the minimax one, log(1 - D). The non-saturating one was meant: -log D, the loss of the label 1.",
        [{"g_label": "minimax"}],
    ),
    ("G's label is right, and G climbs: a loss is minimised.", [{"g_label": "maximised"}, {"steps": (-1.0, 1.0)}]),
    (
        "D's labels are swapped: the real points get 1, the fakes 0.",
        [{"d_labels": ("fake", "real")}],
    ),
    (
        "D was told that everything is real, or that everything is a fake: real points get the label 1, fakes 0.",
        [{"d_labels": ("real", "real")}, {"d_labels": ("fake", "fake")}],
    ),
    ("D climbs: a loss is minimised.", [{"steps": (1.0, -1.0)}]),
    (
        "D saw only one of the two kinds: its loss is the sum of both, the mean over the real points and the mean over "
        "the fakes.",
        [{"d_labels": ("real", "nothing")}, {"d_labels": ("nothing", "fake")}],
    ),
    (
        "D's loss is half of what was meant: the mean over the real points *plus* the mean over the fakes.",
        [{"d_loss": "mean"}],
    ),
    ("A loss was summed over the batch: the means were meant.", [{"d_loss": "examples"}, {"g_loss": "sum"}]),
    ("Both losses were summed over the batch: the means were meant.", [{"d_loss": "examples", "g_loss": "sum"}]),
    (
        "A sigmoid came twice: binary_cross_entropy_with_logits takes the logits as they are.",
        [
            {"g_label": "twice"},
            {"d_labels": ("twice", "twice fake")},
            {"g_label": "twice", "d_labels": ("twice", "twice fake")},
        ],
    ),
    (
        "D also took a step on G's loss, which makes it call fakes real: in G's turn only G moves.",
        [{"moves": "D twice", "clear_d": "before each"}],
    ),
    ("Only D has moved. G takes a step in every round, too.", [{"moves": "D"}]),
    ("Only G has moved. D takes a step in every round, too.", [{"moves": "G"}]),
    ("Only one round was played: there is one for each z[n] and real[n].", [{"rounds": "first"}, {"rounds": "last"}]),
    ("The rounds were played in the reverse order.", [{"rounds": "backwards"}]),
    (
        "These are the steps of Adam, which are nearly of one length, however small the slope. Plain gradient descent "
        "was meant, lr times the slope: torch.optim.SGD(weights, lr=lr).",
        [{"paces": paces} for paces in (("Adam", "Adam"), ("Adam", ""), ("", "Adam"), ("AdamW", "AdamW"))],
    ),
    (
        "The steps have momentum, 0.9 of the step before. Plain gradient descent was meant, lr times the slope: "
        "torch.optim.SGD(weights, lr=lr).",
        [{"paces": ("momentum", "momentum")}],
    ),
)


def _program(faults: Faults) -> Callable[..., bool]:
    # The program need not run where another kind of thing came back.
    return lambda got, wanted, *args: not unlike(got, wanted) and matches(got, _play(*args, **faults))


def _two(got: Any) -> bool:
    return type(got) is tuple and len(got) == 2


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(Suspect(reason, _program(faults)) for reason, several in MISTAKES for faults in several),
    Suspect("Neither network has moved.", lambda got, wanted, g, d, *args: matches(got, (g, d))),
    Suspect(f"The two are swapped: {PARTS}.", lambda got, wanted, *args: _two(got) and matches(got[::-1], wanted)),
    Suspect(
        "Two lists come back: return g_weights, d_weights.",
        lambda got, wanted, *args: not _two(got) and got is not None,
    ),
    Suspect(
        "The weights come back in lists, as they came in.",
        lambda got, wanted, *args: _two(got) and tuple in map(type, got),
    ),
    Suspect(
        "D's weights are right, and G's are not: what does G's loss say, against which D, and what else is in G's "
        "gradients?",
        lambda got, wanted, *args: _two(got) and matches(got[1], wanted[1]),
    ),
    Suspect(
        "G's weights are right, and D's are not: what does D's loss say of real points and of fakes, and what else is "
        "in D's gradients?",
        lambda got, wanted, *args: _two(got) and matches(got[0], wanted[0]),
    ),
)
CRASHES = (
    (
        "backward through the graph a second time",
        "The fakes of D's turn are still on torch's record, which D's backward has used up. Cut them off in D's turn "
        "(.detach()), and make them again from the noise for G's.",
    ),
    (
        "modified by an inplace operation",
        "A record is read whose weights have changed since, by an optimiser's step: make the fakes, or their logits, "
        "again for G's turn.",
    ),
    (
        "does not require grad",
        "The weights are not on torch's record: .clone().requires_grad_() puts them there. Or the fakes of *G's* turn "
        "were detached: only D's turn cuts them off.",
    ),
    (
        "leaf Variable that requires grad",
        "The weights are changed while torch records: with torch.no_grad(): around the update.",
    ),
    (
        IN_PLACE[0],
        "An argument was changed, and the lists that came in stay as they are. An optimiser steps on the very tensors "
        "that it is given, and .detach() and .requires_grad_() share their memory: weight.clone().requires_grad_() is "
        "a copy to step on. (An operation that ends in _, +=, or an assignment to x[...] changes an argument, too.)",
    ),
    (
        "appears to not have been used in the graph",
        "A loss does not depend on the weights whose slope is asked for. In G's turn the fakes may not be detached.",
    ),
    (
        "Target size",
        "Logits and labels are of unlike shapes: torch.ones_like(logits) and torch.zeros_like(logits) fit.",
    ),
    ("name 'generate' is not defined", "generate is in a cell above this one: run it."),
    ("name 'critic' is not defined", "critic is in a cell above this one: run it."),
    ("can't optimize a non-leaf Tensor", "An optimiser takes leaves: weight.clone().detach().requires_grad_()."),
    ("optimizer got an empty parameter list", "The optimiser was given no weights: was a generator used up before?"),
)
DRAWN = (
    "Called twice with the same arguments, play came back with other weights: something is drawn at random on the way, "
    "and all that the game needs came in. G's fakes are made from the same noise as D's, that of z for this round: no "
    "torch.randn."
)
WRONG = (
    "Go through one round with pencil and paper: from which noise come the fakes of each turn, which loss does it "
    "have, which weights does its backward reach, what is in .grad when the step is taken, and is the step lr times "
    "that?"
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("12.debug", "play", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(8))):
        _compare(ask, args, _play(*args))
    return f"right on {ask.asked} games. Three faults found: the label, the leak into G, what was left in D."


def _compare(ask: Examiner, args: tuple[Any, ...], wanted: Played) -> None:
    """Shows of the weights the first that is wrong. The suspects judge all of them together."""
    called = ask.written(args)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=f"{PARTS}, two lists of four tensors")
    if unlike(got, wanted):
        ask.compare(got, wanted, args, called=called, generic=WRONG, names=PARTS)
    for name, ones, others in zip(PARTS[1:-1].split(", "), got, wanted, strict=True):
        for n, (one, other) in enumerate(zip(ones, others, strict=True)):
            if not _close(one, other):
                came_back, right = (f"{name}[{n}] = {text}" for text in apart(one, other))
                again = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=right)
                reason = next((suspect.reason for suspect in ask.suspects if suspect.fits(got, wanted, *args)), WRONG)
                reason = reason if matches(again, got) else DRAWN
                ask.fail(called=called, came_back=came_back, wanted=right, reason=reason)


def _close(got: Tensor, wanted: Tensor) -> bool:
    """Room for the rounding of several rounds."""
    eps = torch.finfo(wanted.dtype).eps
    return torch.allclose(got, wanted, rtol=500 * eps, atol=500 * eps)


def cases() -> list[tuple[Any, ...]]:
    """The first is small enough to be pasted; a mistake shows on one of them, and there its numbers are its own."""
    small = torch.Generator().manual_seed(1)
    larger = torch.Generator().manual_seed(2)
    return [
        game(small, rounds=2, batch=2, latent=1, features=1, hidden=1, lr=0.5),
        game(larger, rounds=3, batch=3, latent=2, features=2, hidden=2, lr=0.25),
    ]


def draw(generator: torch.Generator, round_: int) -> tuple[Any, ...]:
    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    args = game(
        generator,
        rounds=number(1, 4),
        batch=number(1, 5),
        latent=number(1, 3),
        features=number(1, 3),
        hidden=number(1, 4),
        lr=number(1, 4) / 8,
    )
    if round_ % 2:
        g, d, z, real, lr = args  # float32 cannot hold a third
        args = [w.double() / 3 for w in g], [w.double() / 3 for w in d], z.double() / 3, real.double() / 3, lr
    return args


def game(
    generator: torch.Generator, *, rounds: int, batch: int, latent: int, features: int, hidden: int, lr: float
) -> tuple[Any, ...]:
    def eighths(*shape: int) -> Tensor:
        return torch.randint(-8, 9, shape, generator=generator) / 8

    return (
        [eighths(hidden, latent), eighths(hidden), eighths(features, hidden), eighths(features)],
        [eighths(hidden, features), eighths(hidden), eighths(hidden), eighths()],
        2 * eighths(rounds, batch, latent),
        2 * eighths(rounds, batch, features),
        lr,
    )


EXERCISE = Exercise(
    id="12.debug",
    name="debug_game",
    title="Find the faults of a game",
    objectives=("12-O2",),
    difficulty=3,
    minutes=20,
    points=3,
    task="Write play(g_weights, d_weights, z, real, lr): as many rounds of the game as z (rounds, batch, latent) and "
    "real (rounds, batch, features) have. Each network is a list [w1, b1, w2, b2]: G(z) = tanh(z @ w1.T + b1) @ "
    "w2.T + b2 is (batch, features), D(x) = tanh(x @ w1.T + b1) @ w2 + b2 is a logit for each row, (batch,). In each "
    "round first D takes a step of plain gradient descent, on the mean loss of the real points with the label 1 plus "
    "the mean loss of G's fakes with the label 0; then G takes one on its non-saturating loss, from the same noise "
    "and against the new D. Return "
    "(g_weights, d_weights), the new weights in two lists. The lists that came in stay as they were.",
    ranges="1 to 4 rounds, batches of 1 to 5, 1 to 3 latent numbers and features, 1 to 4 hidden units, lr of 1/8 to "
    "1/2, float32 and float64",
    hints=(
        "backward adds slopes to the .grad of *every* weight on the way, whoever's turn it is. Which weights does D's "
        "loss pass through, and which does G's?",
        "Three questions, for each of the two turns: which label do the fakes get? Which weights may slopes reach? Was "
        ".grad empty before this backward? The game of one round with fakes at 0 tells you about the first two; two "
        "rounds tell you about the third.",
        "fakes = generate(...).detach() in D's turn; d_optimizer.zero_grad() right before d_loss.backward(), and "
        "g_optimizer.zero_grad() right before g_loss.backward(); ones as labels in G's loss.",
    ),
    reference=play,
    walkthrough="Each turn asks for the slopes of its own loss in its own weights, so nothing of the other's is left "
    "behind and nothing need be cleared. In D's turn the fakes are plain points; in G's the slope goes through the "
    "new D, which stays as it is.",
    where="exercises/12-gan/12-gan-exercises.ipynb",
    check=check,
)
