"""03.loops: five training loops with one fault each, mended.

The answer is one function, `loops(name, *args)`, that hands on to the loop of that name, so that one callable crosses
the border. Every loop takes plain tensors and returns (weight, losses).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.examiner import Examiner, Suspect
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.outcome import NotStarted
from dlcourse.checks.show import Later, paste, show
from dlcourse.checks.subject import Subject


def loops(name, *args):
    def loop_a(weight, x, y, lr, steps):
        losses = []
        for _ in range(steps):
            weight = weight.detach().requires_grad_()  # a new leaf, without a gradient
            loss = ((x @ weight - y) ** 2).mean()
            loss.backward()
            weight = weight - lr * weight.grad
            losses.append(loss.item())
        return weight.detach(), losses

    def loop_b(weight, x, y, x_new, y_new, lr, epochs):
        norm = torch.nn.BatchNorm1d(x.shape[1])
        weight = weight.clone().requires_grad_()
        optimizer = torch.optim.SGD([weight, *norm.parameters()], lr=lr)
        losses = []
        for _ in range(epochs):
            norm.train()
            optimizer.zero_grad()
            ((norm(x) @ weight - y) ** 2).mean().backward()
            optimizer.step()
            norm.eval()
            with torch.no_grad():
                losses.append(((norm(x_new) @ weight - y_new) ** 2).mean().item())
        return weight.detach(), losses

    def loop_c(weight, x, labels, lr, steps):
        weight = weight.clone().requires_grad_()
        optimizer = torch.optim.SGD([weight], lr=lr)
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(x @ weight.T, labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return weight.detach(), losses

    def loop_d(weight, x, y, lr, steps):
        return loop_a(weight, x, y[:, 0], lr, steps)

    def loop_e(weight, x, labels, orders, size, lr):
        losses = []
        for order in orders:
            for rows in order.split(size):
                weight, batch_losses = loop_c(weight, x[rows], labels[rows], lr, 1)
                losses += batch_losses
        return weight, losses

    return {"a": loop_a, "b": loop_b, "c": loop_c, "d": loop_d, "e": loop_e}[name](*args)


Outcome = tuple[Tensor, list[float]]  # weight, losses
NAMES = "(weight, losses)"


def _descend(weight: Tensor, lr: float, steps: int, loss: Callable[[Tensor], Tensor]) -> Outcome:
    losses = []
    for _ in range(steps):
        weight, value = _update(weight, lr, loss)
        losses.append(value)
    return weight, losses


def _update(weight: Tensor, lr: float, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, float]:
    leaf = weight.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = loss(leaf)
    (slope,) = torch.autograd.grad(value, leaf)
    return weight - lr * slope, value.item()


def _squares(x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda weight: ((x @ weight - y) ** 2).mean()


# --- what each loop would have returned with a fault ----------------------------------------------------------------


def _pile_up(weight: Tensor, lr: float, losses_of: Sequence[Callable[[Tensor], Tensor]], clear_every: int) -> Outcome:
    """Gradients that pile up: for good (0), or for `clear_every` updates. A loss for each update."""
    total, losses = torch.zeros_like(weight), []
    for step, loss_of in enumerate(losses_of):
        if clear_every and step % clear_every == 0:
            total = torch.zeros_like(weight)
        moved, loss = _update(weight, 1.0, loss_of)
        total = total + (weight - moved)
        weight = weight - lr * total
        losses.append(loss)
    return weight, losses


def _summed_gradients(weight: Tensor, x: Tensor, y: Tensor, lr: float, steps: int, *, clear_every: int = 0) -> Outcome:
    return _pile_up(weight, lr, [_squares(x, y)] * steps, clear_every)


def _still(weight: Tensor, x: Tensor, y: Tensor, lr: float, steps: int) -> Outcome:
    return weight, [_squares(x, y)(weight).item()] * steps


def _after(weight: Tensor, x: Tensor, y: Tensor, lr: float, steps: int) -> Outcome:
    """The loss of each step measured after its update."""
    new, losses = _descend(weight, lr, steps, _squares(x, y))
    return new, [*losses[1:], _squares(x, y)(new).item()]


def _normed(
    weight: Tensor,
    x: Tensor,
    y: Tensor,
    x_new: Tensor,
    y_new: Tensor,
    lr: float,
    epochs: int,
    *,
    train: Callable[[int], bool] = lambda epoch: True,
    evaluate: Callable[[int], str] = lambda epoch: "running",
    fresh: bool = False,
    momentum: float | None = 0.1,
    first: bool = False,
    learn: bool = True,
) -> Outcome:
    """loop_b by hand. train(epoch): in training mode? evaluate(epoch): with which statistics the new rows are normed.

    "batch": of the new rows, which the running ones take in as well. "training": of x. "running", or "seen": running
    ones after the new rows were taken in. "none": not at all. fresh: running statistics begin anew in each epoch.
    first: the new rows come before the update. learn: scale and shift of the layer learn as well.
    """
    scale, shift = torch.ones_like(x[0]), torch.zeros_like(x[0])
    mean, var = torch.zeros_like(x[0]), torch.ones_like(x[0])
    seen, losses = 0, []

    def take_in(batch: Tensor) -> None:
        nonlocal mean, var, seen
        seen += 1
        share = 1 / seen if momentum is None else momentum
        mean = (1 - share) * mean + share * batch.mean(0)
        if len(batch) > 1:
            var = (1 - share) * var + share * batch.var(0)

    def measure(epoch: int) -> None:
        how = evaluate(epoch)
        if how in ("batch", "seen"):
            take_in(x_new)
        centre, spread = {
            "running": (mean, var),
            "none": (mean, var),
            "seen": (mean, var),
            "batch": (x_new.mean(0), x_new.var(0, correction=0)),
            "training": (x.mean(0), x.var(0, correction=0)),
        }[how]
        normal = x_new if how == "none" else (x_new - centre) / (spread + 1e-5).sqrt() * scale + shift
        losses.append(((normal @ weight - y_new) ** 2).mean().item())

    for epoch in range(epochs):
        if fresh:
            mean, var = torch.zeros_like(x[0]), torch.ones_like(x[0])
        if first:
            measure(epoch)
        if train(epoch):
            centre, spread = x.mean(0), x.var(0, correction=0)
            take_in(x)
        else:
            centre, spread = mean, var
        leaves = [part.detach().clone().requires_grad_() for part in (weight, scale, shift)]
        with torch.enable_grad():
            normal = (x - centre) / (spread + 1e-5).sqrt() * leaves[1] + leaves[2]
            loss = ((normal @ leaves[0] - y) ** 2).mean()
        slopes = torch.autograd.grad(loss, leaves)
        weight = weight - lr * slopes[0]
        if learn:
            scale, shift = scale - lr * slopes[1], shift - lr * slopes[2]
        if not first:
            measure(epoch)
    return weight, losses


def _classes(x: Tensor, labels: Tensor, loss: Callable[..., Tensor] = functional.cross_entropy) -> Any:
    return lambda weight: loss(x @ weight.T, labels)


def _classified(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Outcome]:
    """loop_c with another loss of (logits, labels)."""
    return lambda weight, x, labels, lr, steps: _descend(weight, lr, steps, _classes(x, labels, loss))


def _sum(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="sum")


def _double(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(torch.softmax(logits, 1), labels)


def _passes(
    weight: Tensor,
    x: Tensor,
    labels: Tensor,
    orders: Tensor,
    size: int,
    lr: float,
    *,
    x_rows: Callable[[Tensor, int], Tensor],
    label_rows: Callable[[Tensor, int], Tensor] | None = None,
    keep_last: bool = True,
    reset: bool = False,
    after: bool = False,
    rate: float = 1.0,
    loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy,
) -> Outcome:
    """loop_e with other rows: x_rows(orders, epoch) are those of a whole pass, for x and (unless given) the labels.

    after: the losses are those after the update. rate: times lr. loss: of (logits, labels).
    """
    begin, losses = weight, []
    for epoch in range(len(orders)):
        rows, others = x_rows(orders, epoch), (label_rows or x_rows)(orders, epoch)
        weight = begin if reset else weight
        for start in range(0, len(rows), size):
            batch, theirs = rows[start : start + size], others[start : start + size]
            if len(batch) < size and not keep_last:
                continue
            loss_of = _classes(x[batch], labels[theirs], loss)
            weight, value = _update(weight, rate * lr, loss_of)
            losses.append(loss_of(weight).item() if after else value)
    return weight, losses


def _seldom(
    weight: Tensor, x: Tensor, labels: Tensor, orders: Tensor, size: int, lr: float, *, clear: str, step: str
) -> Outcome:
    """loop_e whose gradients are cleared, and whose steps are taken, once a "batch", once a "pass" or "never"."""
    losses = []
    total = torch.zeros_like(weight)
    for order in orders:
        total = torch.zeros_like(weight) if clear == "pass" else total
        for rows in order.split(size):
            total = torch.zeros_like(weight) if clear == "batch" else total
            moved, loss = _update(weight, 1.0, _classes(x[rows], labels[rows]))
            total = total + (weight - moved)
            losses.append(loss)
            weight = weight - lr * total if step == "batch" else weight
        weight = weight - lr * total if step == "pass" else weight
    return weight, losses


def _shuffled(orders: Tensor, epoch: int) -> Tensor:
    return orders[epoch]


def _in_file(orders: Tensor, epoch: int) -> Tensor:
    return torch.arange(orders.shape[1], device=orders.device)


def _composed(orders: Tensor, epoch: int) -> Tensor:
    """The rows of a pass when every pass shuffles what the one before has shuffled."""
    rows = orders[0]
    for order in orders[1 : epoch + 1]:
        rows = rows[order]
    return rows


# --- the suspects of each loop --------------------------------------------------------------------------------------

Fit = Callable[..., bool]  # (outcome that came back, the right one, *args)


def _same(got: Any, guess: Outcome) -> bool:
    """Whether both parts are those of `guess`, but for rounding that grew over the updates."""
    if type(got) is not tuple or len(got) != 2 or type(got[1]) is not list or len(got[1]) != len(guess[1]):
        return False
    if not isinstance(got[0], Tensor) or got[0].shape != guess[0].shape or got[0].dtype != guess[0].dtype:
        return False
    if not all(type(loss) is float for loss in got[1]):
        return False
    return torch.allclose(got[0], guess[0], rtol=1e-4, atol=1e-5, equal_nan=True) and torch.allclose(
        torch.tensor(got[1], dtype=torch.float64, device="cpu"),
        torch.tensor(guess[1], dtype=torch.float64, device="cpu"),
        rtol=1e-4,
        atol=1e-5,
        equal_nan=True,
    )


def _like(*ways: Callable[..., Outcome]) -> Fit:
    return lambda got, wanted, *args: any(_same(got, way(*args)) for way in ways)


def _losses_only(*ways: Callable[..., Outcome]) -> Fit:
    """Losses that are right, and the weight of one of these."""
    return lambda got, wanted, *args: any(_same(got, (way(*args)[0], wanted[1])) for way in ways)


ORDER = Suspect(
    "The two came back in another order: it is (weight, losses).",
    lambda got, wanted, *args: (
        type(got) is tuple and len(got) == 2 and type(got[0]) is list and isinstance(got[1], Tensor)
    ),
)


def _length(each: str) -> Suspect:
    return Suspect(
        f"The list of losses has another length: one for each {each}, in the order in which they came.",
        lambda got, wanted, *args: (
            type(got) is tuple and len(got) == 2 and type(got[1]) is list and len(got[1]) != len(wanted[1])
        ),
    )


STILL = (
    "The weight never moves. Is backward() called, and step() after it? Are the gradients cleared in between (they go "
    "after step() or before the next backward())? Or is `weight` another tensor by now than the one that the "
    "optimizer was given?"
)
ALONE = Suspect(
    "The losses came back alone: return weight.detach(), losses.",
    lambda got, wanted, *args: (
        type(got) is list and len(got) == len(wanted[1]) and all(type(loss) is float for loss in got)
    ),
)
REGRESSION = (
    Suspect(
        STILL,
        _like(_still),
    ),
    Suspect(
        "The loss was written down after the update. Asked is the loss of each step before it.",
        _like(_after),
    ),
    Suspect(
        "The step goes uphill: subtract lr times the gradient.",
        _like(lambda w, x, y, lr, steps: _descend(w, -lr, steps, _squares(x, y))),
    ),
    Suspect(
        "The gradient is that of the sum of the squares. The loss is their mean, as it was in the broken loop.",
        lambda got, wanted, w, x, y, lr, steps: (
            len(x) > 1
            and any(
                _same(got, (moved[0], losses))
                for moved in [_descend(w, lr * len(x), steps, _squares(x, y))]
                for losses in (moved[1], [loss * len(x) for loss in moved[1]])
            )
        ),
    ),
)
A = (
    Suspect(
        "The gradients still pile up: backward() adds to .grad, and from the second step on the update is made of "
        "the sum of all gradients so far. Clear them in every turn of the loop, not once before it.",
        _like(_summed_gradients),
    ),
    *REGRESSION,
    Suspect(
        "The gradients are cleared too rarely: in every turn of the loop.",
        _like(*(lambda *args, n=n: _summed_gradients(*args, clear_every=n) for n in (2, 3))),
    ),
    Suspect(
        "The sum of the gradients was divided by the number of steps. It is still a sum of old gradients: clear them.",
        _like(
            lambda w, x, y, lr, steps: _summed_gradients(w, x, y, lr / steps, steps),
        ),
    ),
    Suspect(
        "A smaller learning rate hides the waves for a while. The gradients still pile up: clear them.",
        _like(*(lambda w, x, y, lr, steps, by=by: _summed_gradients(w, x, y, lr / by, steps) for by in (2, 10, 100))),
    ),
    ALONE,
    _length("step"),
    ORDER,
)
B = (
    Suspect(
        "The new rows are still normed with their *own* mean and variance: the loss of an example depends on who comes "
        "with it. They want a norm in evaluation mode, norm.eval(), that has kept running statistics, as it does "
        "unless it is told not to. (no_grad switches off the record, not the mode.)",
        _like(lambda *args: _normed(*args, evaluate=lambda epoch: "batch")),
    ),
    Suspect(
        "From the second epoch on the loop trains in evaluation mode: eval() stays until train() is called, so the "
        "running statistics stand still. norm.train() at the beginning of every epoch.",
        _like(lambda *args: _normed(*args, train=lambda epoch: epoch == 0)),
    ),
    Suspect(
        "The loop trains in evaluation mode from the start: eval() stays until train() is called, and without the "
        "batch's statistics the running ones never move. train() before the update, eval() before the measurement, in "
        "every epoch.",
        _like(lambda *args: _normed(*args, train=lambda epoch: False)),
    ),
    Suspect(
        "The two modes are the wrong way round: train() before the update, eval() before the measurement.",
        _like(lambda *args: _normed(*args, train=lambda epoch: False, evaluate=lambda epoch: "batch")),
    ),
    Suspect(
        "The new rows went through norm in training mode once before they were measured: that moves its running "
        "statistics, and so the model has seen them. One pass, in evaluation mode.",
        _like(lambda *args: _normed(*args, evaluate=lambda epoch: "seen")),
    ),
    Suspect(
        "The new rows are measured in evaluation mode in the last epoch (or after the loop) only: in every epoch.",
        _like(lambda *args: _normed(*args, evaluate=lambda epoch: "batch" if epoch < args[6] - 1 else "running")),
    ),
    Suspect(
        "The first epoch is measured in training mode: norm.eval() comes before its measurement, too.",
        _like(
            lambda *args: _normed(*args, evaluate=lambda epoch: "running" if epoch else "batch"),
            lambda *args: _normed(
                *args, train=lambda epoch: epoch == 0, evaluate=lambda epoch: "running" if epoch else "batch"
            ),
        ),
    ),
    Suspect(
        "The running statistics begin anew in every epoch: make the layer once, before the loop.",
        _like(lambda *args: _normed(*args, fresh=True)),
    ),
    Suspect(
        "The new rows are normed with the mean and variance of the last training batch. In evaluation mode it is the "
        "running mean and variance that are used: norm.eval().",
        _like(lambda *args: _normed(*args, evaluate=lambda epoch: "training")),
    ),
    Suspect(
        "The running mean and variance move at another pace here (with a momentum of 1 they are those of the last "
        "batch). Leave them to the layer as it was: the fault is the mode.",
        _like(*(lambda *args, share=share: _normed(*args, momentum=share) for share in (None, 1.0, 0.9, 0.01))),
    ),
    Suspect(
        "The new rows are measured before the update: after it, as in the broken loop.",
        _like(lambda *args: _normed(*args, first=True)),
    ),
    Suspect(
        "These are the losses of the training rows: measure x_new and y_new.",
        _like(lambda w, x, y, x_new, y_new, *rest: _normed(w, x, y, x, y, *rest)),
    ),
    Suspect(
        "These are the losses of the training rows, each before its update: measure x_new and y_new after it.",
        _like(
            lambda w, x, y, x_new, y_new, *rest: _normed(
                *(w, x, y, x, y, *rest), evaluate=lambda epoch: "training", first=True
            )
        ),
    ),
    Suspect(
        "The new rows are measured without norm: norm(x_new) @ weight.",
        _like(lambda *args: _normed(*args, evaluate=lambda epoch: "none")),
    ),
    Suspect(
        "norm's own parameters, its scale and shift, do not learn: the optimizer is given weight and "
        "norm.parameters(), of a layer that is made once, before the loop.",
        _like(
            lambda *args: _normed(*args, learn=False),
            lambda *args: _normed(*args, learn=False, fresh=True),
        ),
    ),
    Suspect(
        STILL,
        _like(
            lambda w, x, y, x_new, y_new, lr, epochs: _normed(w, x, y, x_new, y_new, 0.0, epochs),
        ),
    ),
    ALONE,
    _length("epoch"),
    ORDER,
)


def _tracked_double(weight: Tensor, x: Tensor, labels: Tensor, lr: float, steps: int) -> Outcome:
    """The right loss along the doubled one's path."""
    losses = []
    for _ in range(steps):
        losses.append(_classes(x, labels)(weight).item())
        weight, _ = _update(weight, lr, _classes(x, labels, _double))
    return weight, losses


PILED = "The gradients pile up: this loop cleared them when it was broken, and has to clear them still."
CLASSES = (
    Suspect(STILL, _like(lambda w, x, t, lr, steps: (w, _descend(w, 0.0, steps, _classes(x, t))[1]))),
    Suspect(PILED, _like(lambda w, x, t, lr, steps: _pile_up(w, lr, [_classes(x, t)] * steps, 0))),
    Suspect(
        "nll_loss wants log-probabilities, and got probabilities: this loss can never rise above 0, and its gradient "
        "lacks the factor 1 / p. log_softmax, or cross_entropy of the logits.",
        _like(_classified(lambda z, t: functional.nll_loss(torch.softmax(z, 1), t))),
    ),
    Suspect(
        "nll_loss wants log-probabilities, and got logits: without a logsumexp there is no floor, and the loss falls "
        "for ever. log_softmax, or cross_entropy of the logits.",
        _like(_classified(functional.nll_loss)),
    ),
    Suspect(
        "The softmax runs over the examples, dim=0: each row is one example, so dim=1.",
        _like(
            _classified(lambda z, t: functional.nll_loss(torch.log_softmax(z, 0), t)),
            _classified(lambda z, t: functional.cross_entropy(torch.softmax(z, 0), t)),
        ),
    ),
    Suspect(
        "This is the sum over the examples. The loss is their mean, as it was in the broken loop.",
        _like(_classified(lambda z, t: functional.cross_entropy(z, t, reduction="sum"))),
    ),
    Suspect(
        "The sign is the wrong way round: the loss is *minus* the logarithm of the true class's probability.",
        _like(_classified(lambda z, t: -functional.cross_entropy(z, t))),
    ),
    Suspect(
        "This is a squared error of probabilities, whose gradient fades where an answer is surely wrong. cross_entropy "
        "of the logits.",
        _like(
            *(
                _classified(
                    lambda z, t, by=by: (
                        ((torch.softmax(z, 1) - functional.one_hot(t, z.shape[1])) ** 2).sum() / len(z) / by(z)
                    )
                )
                for by in (lambda z: 1, lambda z: z.shape[1])
            )
        ),
    ),
    Suspect(
        "The sigmoid is one squashing too many, like the softmax: cross_entropy wants the logits.",
        _like(_classified(lambda z, t: functional.cross_entropy(torch.sigmoid(z), t))),
    ),
    Suspect(
        "The mean was taken over examples and classes, which divides by the number of classes once more.",
        _like(_classified(lambda z, t: functional.cross_entropy(z, t) / z.shape[1])),
    ),
)
C = (
    Suspect(
        "A softmax is still applied twice: cross_entropy has one inside, and wants the logits. Probabilities lie "
        "between 0 and 1, so that even a perfect answer cannot bring this loss near 0.",
        _like(_classified(_double)),
    ),
    Suspect(
        "The losses are right, and the step was taken on another loss, with the softmax twice: call backward() on the "
        "one that you write down.",
        _losses_only(_classified(_double)),
    ),
    Suspect(
        "The step was taken on another loss, with the softmax twice, than the one that was written down: call "
        "backward() on that one.",
        _like(_tracked_double),
    ),
    Suspect(
        "The step is right, and the losses that were written down have the softmax twice.",
        lambda got, wanted, w, x, labels, lr, steps: _same(got, (wanted[0], _tracked(w, x, labels, lr, steps))),
    ),
    Suspect(
        "The softmax is applied three times now: cross_entropy has one inside, and wants the logits.",
        _like(_classified(lambda z, t: _double(torch.softmax(z, 1), t))),
    ),
    *CLASSES,
    Suspect(
        "A temperature makes the probabilities sharper; the softmax is still there twice. cross_entropy wants the "
        "logits.",
        _like(*(_classified(lambda z, t, by=by: _double(z * by, t)) for by in (10.0, 100.0))),
    ),
    _length("step"),
    ORDER,
)


def _tracked(weight: Tensor, x: Tensor, labels: Tensor, lr: float, steps: int) -> list[float]:
    """The doubled loss along the right path."""
    losses = []
    for _ in range(steps):
        losses.append(_double(x @ weight.T, labels).item())
        weight, _ = _update(weight, lr, _classes(x, labels))
    return losses


def _pairs(weight: Tensor, x: Tensor, y: Tensor, lr: float, steps: int) -> Outcome:
    """Every prediction against every target."""
    return _descend(weight, lr, steps, lambda w: ((x @ w - y) ** 2).mean())


def _columned(suspect: Suspect) -> Suspect:
    """A suspect of loop_a's, for targets that come as a column."""
    return Suspect(
        suspect.reason,
        lambda got, wanted, w, x, y, lr, steps: suspect.fits(got, wanted, w, x, y[:, 0], lr, steps),
    )


D = (
    Suspect(
        "Every prediction still meets every target: (batch,) minus (batch, 1) is (batch, batch). Only the mean of the "
        "targets can be learned so. Give both the same shape before you subtract.",
        _like(_pairs),
    ),
    Suspect(
        "One target is used for all predictions: y[:, 0] takes the column, y[0] the first row.",
        _like(
            lambda w, x, y, lr, steps: _descend(w, lr, steps, _squares(x, y[0])),
            lambda w, x, y, lr, steps: _descend(w, lr, steps, _squares(x, y[-1])),
        ),
    ),
    Suspect(
        "The targets were averaged into one: each prediction has its own. Bring y to (batch,) and leave its numbers as "
        "they are.",
        _like(lambda w, x, y, lr, steps: _descend(w, lr, steps, _squares(x, y.mean()))),
    ),
    Suspect(
        "The targets were added up into one: each prediction has its own. Bring y to (batch,).",
        _like(lambda w, x, y, lr, steps: _descend(w, lr, steps, _squares(x, y.sum()))),
    ),
    Suspect(
        "The table of all pairs was averaged before it was squared: it should never come to be.",
        _like(lambda w, x, y, lr, steps: _descend(w, lr, steps, lambda v: ((x @ v - y).mean(1) ** 2).mean())),
    ),
    Suspect(
        "The table of all pairs was added up along one axis before it was squared: it should never come to be.",
        _like(
            *(
                lambda w, x, y, lr, steps, d=d: _descend(w, lr, steps, lambda v: ((x @ v - y).sum(d) ** 2).mean())
                for d in (0, 1)
            )
        ),
    ),
    Suspect(
        "The squares of all pairs were added up and divided by the number of examples: every prediction still meets "
        "every target. Give both the same shape before you subtract.",
        _like(lambda w, x, y, lr, steps: _descend(w, lr, steps, lambda v: ((x @ v - y) ** 2).sum() / len(x))),
    ),
    *map(_columned, REGRESSION),
    Suspect(
        PILED,
        lambda got, wanted, w, x, y, lr, steps: _same(got, _summed_gradients(w, x, y[:, 0], lr, steps)),
    ),
    _length("step"),
    ORDER,
)
E = (
    Suspect(
        "The rows still come in the order of the file: `orders` is not used. order[start:start + size] are the numbers "
        "of the rows of a batch.",
        _like(lambda *args: _passes(*args, x_rows=_in_file)),
    ),
    Suspect(
        "x was shuffled, and the labels were not: every image has somebody else's label. The same row numbers pick "
        "both.",
        _like(lambda *args: _passes(*args, x_rows=_shuffled, label_rows=_in_file)),
    ),
    Suspect(
        "The labels were shuffled, and x was not: every image has somebody else's label. The same row numbers pick "
        "both.",
        _like(lambda *args: _passes(*args, x_rows=_in_file, label_rows=_shuffled)),
    ),
    Suspect(
        "Every pass has the order of the first one: each row of `orders` is the order of one pass.",
        _like(lambda *args: _passes(*args, x_rows=lambda orders, epoch: orders[0])),
    ),
    Suspect(
        "Every pass has the order of the last one: each row of `orders` is the order of one pass.",
        _like(lambda *args: _passes(*args, x_rows=lambda orders, epoch: orders[-1])),
    ),
    Suspect(
        "The passes come in the wrong order: orders[0] is the first one's.",
        _like(lambda *args: _passes(*args, x_rows=lambda orders, epoch: orders[-1 - epoch])),
    ),
    Suspect(
        "The order was turned round: order[k] is the row that comes in place k, and not the place of row k (that is "
        "what argsort makes of it).",
        _like(lambda *args: _passes(*args, x_rows=lambda orders, epoch: orders[epoch].argsort())),
    ),
    Suspect(
        "Each pass shuffles what the pass before has shuffled: x and labels were overwritten. order holds numbers of "
        "rows of the file. (As a shuffle that is as good; the check wants the rows that order names.)",
        _like(lambda *args: _passes(*args, x_rows=_composed)),
    ),
    Suspect(
        "The rows were shuffled before the first pass, and then the order was applied to them: keep x and labels as "
        "they are.",
        _like(lambda *args: _passes(*args, x_rows=lambda orders, epoch: orders[0][orders[epoch]])),
    ),
    Suspect(
        "x or the labels were overwritten from pass to pass, and the other of the two was not: the same row numbers "
        "pick both, from x and labels as they came.",
        _like(
            lambda *args: _passes(*args, x_rows=_composed, label_rows=_shuffled),
            lambda *args: _passes(*args, x_rows=_shuffled, label_rows=_composed),
            lambda *args: _passes(*args, x_rows=_composed, label_rows=_in_file),
            lambda *args: _passes(*args, x_rows=_in_file, label_rows=_composed),
        ),
    ),
    Suspect(
        "The last batch of a pass is missing: it may be smaller than `size`, and counts.",
        _like(lambda *args: _passes(*args, x_rows=_shuffled, keep_last=False)),
    ),
    Suspect(
        "Each pass begins with the first weight again: make the weight once, before the loops.",
        _like(lambda *args: _passes(*args, x_rows=_shuffled, reset=True)),
    ),
    Suspect(
        "Each pass is one big batch: `size` rows at a time.",
        _like(lambda w, x, t, orders, size, lr: _passes(w, x, t, orders, len(x), lr, x_rows=_shuffled)),
    ),
    Suspect(
        "Only one pass was made: one for each row of `orders`.",
        lambda got, wanted, *args: (
            len(args[3]) > 1 and _same(got, _passes(*args[:3], args[3][:1], *args[4:], x_rows=_shuffled))
        ),
    ),
    Suspect(
        "The rows are right. The loss was written down after the update: asked is that of each batch before it.",
        _like(lambda *args: _passes(*args, x_rows=_shuffled, after=True)),
    ),
    Suspect(
        "The rows are right. The gradients pile up from batch to batch: clear them for each batch, not once a pass.",
        _like(*(lambda *args, clear=clear: _seldom(*args, clear=clear, step="batch") for clear in ("pass", "never"))),
    ),
    Suspect(
        "The rows are right. The step is taken once a pass: every batch has a step of its own.",
        _like(*(lambda *args, c=c: _seldom(*args, clear=c, step="pass") for c in ("batch", "pass", "never"))),
    ),
    Suspect("The rows are right. " + STILL, _like(lambda *args: _passes(*args, x_rows=_shuffled, rate=0.0))),
    Suspect(
        "The rows are right. There is a softmax too many: cross_entropy wants the logits.",
        _like(lambda *args: _passes(*args, x_rows=_shuffled, loss=_double)),
    ),
    Suspect(
        "The rows are right. The losses of a batch were added up; the mean divides by the number of its rows, which "
        "in the last batch may be less than `size`.",
        _like(
            lambda *args: _passes(*args, x_rows=_shuffled, loss=_sum),
            lambda *args: _passes(*args, x_rows=_shuffled, loss=lambda z, t: _sum(z, t) / args[4]),
        ),
    ),
    ALONE,
    _length("batch of each pass"),
    ORDER,
)
CRASHES = (
    (
        "an argument was changed in place",
        "A tensor that came in was changed, and the caller still needs it. If it is weight: optimizer.step() writes "
        "into the tensor that it was given, so begin with weight.clone().requires_grad_(), as the broken loop does. If "
        "it is x or the labels: x[rows] makes new rows, x[:] = ... overwrites the caller's.",
    ),
    (
        "Expected more than 1 value per channel",
        "A single row has no variance, and norm asked for it: it is still in training mode. norm.eval() before the new "
        "rows are measured.",
    ),
    (
        "backward through the graph a second time",
        "backward() ran twice over one record. Compute the loss anew in every turn of the loop.",
    ),
    (
        "does not require grad",
        "backward() found no record: weight needs requires_grad_(), and the loss of training stands outside no_grad.",
    ),
    (
        "a leaf Variable that requires grad",
        "A weight that requires a gradient is changed under `with torch.no_grad():` (or by the optimizer).",
    ),
    (
        "'float' and 'NoneType'",
        "weight.grad is None: only a leaf, a tensor that was not computed, gets a .grad, and weight = weight - lr * "
        "weight.grad has made a computed one. Change the weight in place under torch.no_grad(), or let the optimizer.",
    ),
    (
        "name 'model' is not defined",
        "There is no model in this loop: the layer with the two modes is called norm.",
    ),
    ("has no attribute 'eval'", "The mode is the layer's: norm.eval(), norm.train()."),
    ("has no attribute 'train'", "The mode is the layer's: norm.eval(), norm.train()."),
    ("not implemented for 'Long'", "cross_entropy takes the logits first, and then the labels."),
    ("to match target batch_size", "x and the labels of a batch need the same rows: x[rows] and labels[rows]."),
    ("to be Long", "cross_entropy wants labels of dtype int64, as they came."),
    ("probabilities, got Long", "cross_entropy wants a logit for every class, (batch, classes), and then the labels."),
    (
        "cannot be multiplied",
        "Shapes do not fit. x is (batch, features); a weight of (classes, features) is turned round for it, "
        "x @ weight.T.",
    ),
    (
        "'NoneType' object has no attribute 'zero_'",
        "Before the first backward() .grad is None: there is nothing to clear.",
    ),
    (
        "optimizing a parameter that doesn't require gradients",
        "The optimizer was given a tensor without requires_grad_().",
    ),
    (
        "can't optimize a non-leaf",
        "The optimizer was given the result of a computation: weight.clone().requires_grad_(), in this order.",
    ),
    ("KeyError", "`loops` hands on to loop_a ... loop_e by their letters: run its cell as it was."),
    ("is not defined", "A name is not there. If it is one of the five loops, run its cell, and then this one."),
    (
        "positional argument",
        "A loop was given more or fewer arguments than it takes: keep the first line of each stub as it was.",
    ),
)
GENERIC = {
    "a": "Nothing but the gradients' clearing is to be changed: the loss of each step before its update, and the last "
    "weight.",
    "b": "Nothing but the mode is to be changed: in each epoch one update in training mode, then the loss of the new "
    "rows in evaluation mode.",
    "c": "Nothing but the loss is to be changed: cross_entropy of the logits, x @ weight.T.",
    "d": "Nothing but the shapes is to be changed: predictions and targets both (batch,), their squares averaged.",
    "e": "Nothing but the rows is to be changed: in each pass, batch by batch, `size` numbers from that pass's row of "
    "`orders` pick x and labels. (A shuffle of your own is as good, but the check cannot compare it.)",
}
SUSPECTS: dict[str, Sequence[Suspect]] = {"a": A, "b": B, "c": C, "d": D, "e": E}


def _first_cases() -> dict[str, tuple[Any, ...]]:
    """A small literal case for each loop, in which no two of the usual mistakes give the same numbers."""
    x = torch.tensor([[1.0, 0.5], [-1.0, 2.0], [0.5, -1.5], [2.0, 1.0]])
    y = torch.tensor([2.0, -1.0, 0.5, 3.0])
    labels = torch.tensor([0, 1, 1, 2])
    weights = torch.tensor([[0.5, -0.25], [0.0, 0.75], [-0.5, 0.25]])
    orders = torch.tensor([[2, 0, 3, 1, 4], [4, 3, 0, 2, 1], [1, 4, 2, 3, 0]])
    five = torch.cat([x, torch.tensor([[-0.5, -2.0]])])
    return {
        "a": (torch.tensor([0.5, -0.25]), x, y, 0.125, 4),
        "b": (
            *(torch.tensor([0.5, -0.25]), x, y),
            *(torch.tensor([[3.0, 1.0], [1.0, -0.5], [2.0, 2.5]]), torch.tensor([4.0, 1.0, 3.0]), 0.125, 3),
        ),
        "c": (weights, x, labels, 0.5, 4),
        "d": (torch.tensor([0.5, -0.25]), x, y[:, None], 0.125, 4),
        "e": (weights, five, torch.tensor([0, 0, 1, 2, 2]), orders, 2, 0.5),
    }


def _drawn(generator: torch.Generator, name: str) -> tuple[Any, ...]:
    """Arguments for the loop of this name, from the ranges that the exercise states."""

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def numbers(*shape: int) -> Tensor:
        """Odd numbers of quarters between -2 and 2: no 0, and a column is seldom nearly constant."""
        return (2 * torch.randint(-4, 4, shape, generator=generator) + 1).float() / 4

    features, batch, steps = draw(1, 4), draw(4, 9), draw(2, 5)
    x = numbers(features, batch).T  # a view whose entries do not lie in order
    lr = (0.02, 0.05, 0.1)[draw(0, 2)]
    if name == "a":
        return numbers(features), x, numbers(batch), lr, steps
    if name == "b":
        # The first two rows keep each column from being constant: a constant one would blow rounding errors up.
        x = torch.cat([torch.full((1, features), -1.75), torch.full((1, features), 1.25), x])
        new = draw(1, 5)
        return numbers(features), x, numbers(batch + 2), numbers(new, features), numbers(new), lr, steps
    if name == "d":
        return numbers(features), x, numbers(batch, 1), lr, steps
    classes = draw(2, 4)
    weight = numbers(classes, features)
    labels = torch.randint(0, classes, (batch,), generator=generator)
    if name == "c":
        return weight, x, labels, lr, steps
    orders = torch.stack([torch.randperm(batch, generator=generator) for _ in range(draw(1, 3))])
    return weight, x, labels.sort().values, orders, draw(2, 4), lr


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("03.loops", "loops", subject, (), CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for name, first in _first_cases().items():
        for args in (first, *(_drawn(generator, name) for _ in range(3))):
            try:
                _right_for(ask, name, args)
            except NotStarted:
                if name == "a":
                    raise
                mended = ", ".join(f"loop_{letter}" for letter in "abcde"[: "abcde".index(name)])
                raise NotStarted(
                    f"03.loops: mended so far: {mended}. loop_{name} has not been started. "
                    'checks.hint("03.loops") gives a first idea.'
                ) from None
    return f"right on {ask.asked} runs. Five faults found: gradients, mode, loss, shapes, order."


def _advice(name: str, got: Any, wanted: Outcome) -> str:
    """What no suspect knows: how far the losses are right, and what was to be changed."""
    alike = type(got) is tuple and len(got) == 2 and type(got[1]) is list and len(got[1]) == len(wanted[1])
    if not alike or not all(type(loss) is float for loss in got[1]):
        return GENERIC[name]
    if name == "e" and any(map(math.isnan, got[1])):
        return (
            "A loss is nan. A mean over no rows at all is: order[start:size] is empty from the second batch on, and "
            "order[start:start + size] is not. Print the shapes of each batch. " + GENERIC[name]
        )
    pairs = zip(got[1], wanted[1], strict=True)
    wrong = next((n for n, pair in enumerate(pairs) if not math.isclose(*pair, rel_tol=1e-4, abs_tol=1e-5)), None)
    if wrong is None:
        return f"All losses are right, and the weight that came back is not. {GENERIC[name]}"
    if wrong:
        return (
            f"The losses are right up to number {wrong} of {len(wanted[1])}: look at what comes between it and the "
            f"next one. {GENERIC[name]}"
        )
    return f"The very first loss is another one. {GENERIC[name]}"


def _right_for(ask: Examiner, name: str, args: tuple[Any, ...]) -> None:
    wanted = loops(name, *args)
    called = Later(lambda: f"loop_{name}({', '.join(map(paste, args))})")  # as a learner would call it
    got = ask.ask(lambda: ask.subject.call(name, *args), called=called, wanted=f"{NAMES} = " + Later(show, wanted))
    got = tuple(got) if type(got) is list and len(got) == 2 and isinstance(got[0], Tensor) else got
    if not _same(got, wanted):
        suspects = [
            Suspect(suspect.reason, lambda part, right, *rest, suspect=suspect: suspect.fits(got, wanted, *args))
            for suspect in SUSPECTS[name]
        ]
        ask.compare(got, wanted, (), called=called, generic=_advice(name, got, wanted), suspects=suspects, names=NAMES)


EXERCISE = Exercise(
    id="03.loops",
    name="loops",
    title="Five sick loops",
    objectives=("03-O4", "03-O5"),
    difficulty=3,
    minutes=25,
    points=5,
    task="Mend the five loops loop_a to loop_e, each of which has one fault; loops(name, *args) hands on to them. Each "
    "takes tensors and numbers and returns (weight, losses): the last weight, and a list of floats.",
    ranges="1 to 4 features, 4 to 11 rows, 1 to 5 new rows, 2 to 4 classes, 2 to 5 steps or epochs, 1 to 3 passes with "
    "batches of 2 to 4 rows, learning rates 0.02 to 0.5, numbers between -3 and 3, tensors that are views of others",
    hints=(
        "Each table has one thing that a healthy run would not show. Name it in words first: waves that do not die out "
        "(a), the same rows with other losses (b), a floor far from 0 (c), one prediction for everything (d), a jump "
        "in every pass at the same place (e). Which line could do that? (Hints for one loop alone: "
        'checks.hint("03.loops", "d"), say.)',
        "Make a copy of the broken loop that prints: the gradient before and after backward() (a), norm.training (b), "
        "the smallest and largest loss that could ever come out (c), shapes (d), the labels of each batch (e).",
        "Let the check look at the broken loop as it is: it names the fault. Then change the one line that does it, or "
        "add the one or two that are missing. "
        'checks.hint("03.loops", "d") goes on, for one loop alone.',
    ),
    parts={
        "a": (
            "The loss goes down and up in waves, and the smaller rate has them too, only slower. As if the step "
            "remembered where it came from.",
            "What does backward() do with a .grad that holds something already?",
            "optimizer.zero_grad() in every turn of the loop, anywhere but between backward() and step().",
        ),
        "b": (
            "The same wines and the same weights, and another loss for each size of the group. What in this model "
            "looks at the other rows?",
            "Which mean and variance does norm use in training mode, and which in evaluation mode? Who switches, and "
            "who switches back?",
            "norm.train() before the update, norm.eval() before the new rows are measured, in every epoch.",
        ),
        "c": (
            "Nearly all images are right, and the loss stands still far from 0. What is the smallest value that this "
            "loss can have?",
            "What does cross_entropy do with its first argument before it takes the logarithm?",
            "cross_entropy(x @ weight.T, labels): the logits, without a softmax.",
        ),
        "d": (
            "Every wine gets nearly the same prediction, and the loss ends at the variance of the targets. Who was "
            "compared with whom?",
            "Print the shapes of prediction, y and their difference.",
            "y[:, 0] takes the column out of the table: (batch, 1) becomes (batch,), like the prediction.",
        ),
        "e": (
            "The loss jumps at the same places in every pass, and the digit that comes last in the file is known best. "
            "What is alike in the rows of one batch?",
            "Print labels[rows] for a few batches. And where in the loop is `order` used?",
            "rows = order[start : start + size], then x[rows] and labels[rows].",
        ),
    },
    reference=loops,
    walkthrough="The faults are gradients that pile up, a batch norm that stays in training mode while new rows are "
    "measured, a softmax in front of a loss that has one, a column that broadcasts against a row, and an order that "
    "shows one class at a time. None of them raises an error, so each has to be read from the numbers: waves, a loss "
    "that depends on its neighbours, a floor, one prediction for all, a jump in every pass.",
    where="exercises/03-training/03-training-exercises.ipynb",
    check=check,
)
