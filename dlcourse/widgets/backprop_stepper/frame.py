"""What is seen and said of a step: the header of a snapshot, and the same in sentences."""

from typing import Any

from dlcourse.autograd import Tensor
from dlcourse.plot.graph import SYMBOLS, number
from dlcourse.widgets.backprop_stepper import words
from dlcourse.widgets.backprop_stepper.walk import Share

S = Any  # a BackpropStepperEngine: engine.py imports this file, so this one does not import it


def header(stepper: S) -> dict[str, Any]:
    """All that a view draws; `BackpropStepperEngine.snapshot` says what is in it."""
    right, answered = stepper.score
    asked = stepper.question
    return {
        "run": {"step": stepper.at, "first": 0, "last": stepper.last, "running": stepper.running},
        "turn": stepper.turn,
        "phase": stepper.phase,
        "say": f"{stepper.told['text']} {say(stepper)}" if stepper.told else say(stepper),
        "notice": notice(stepper),
        "tensors": stepper.tensors,
        "result": stepper.names[-1],
        "variables": [{"name": name, "value": value} for name, value in stepper.values["numbers"].items()],
        "nodes": [_node(stepper, index) for index in range(len(stepper.walk.nodes))],
        "wires": _wires(stepper),
        "now": _now(stepper),
        "question": None if asked is None else {"context": asked.context, "text": asked.text, "step": asked.step},
        "verdict": stepper.told,
        "score": {"right": right, "answered": answered},
    }


def describe(stepper: S) -> str:
    """The same in sentences."""
    nodes = stepper.walk.nodes
    operations = ", ".join(
        f"{stepper.names[i]} = {words.made(stepper.walk, i, stepper.names)}" for i in stepper.walk.forward
    )
    text = " ".join(stepper.expression.text.replace("\n", "; ").split())
    sentences = [f"Backpropagation through {text}. {say(stepper)}"]
    if operations:
        sentences.append(f"The operations: {operations}.")
    known = [
        f"{stepper.names[i]} = {words.shown(stepper.walk.values[i])}"
        for i, node in enumerate(nodes)
        if stepper.known(i) and node.number is None
    ]
    sentences.append(f"Values: {', '.join(known)}.")
    grads = [
        f"{stepper.names[i]} {words.shown(stepper.gradient(i))}{'' if stepper.complete(i) else ' so far'}"
        for i in reversed(range(len(nodes)))
        if stepper.gradient(i) is not None
    ]
    if grads:
        sentences.append(f"Gradients: {', '.join(grads)}.")
    if stepper.question is not None:
        sentences.append(f"{stepper.question.context} {stepper.question.text}")
    if stepper.told is not None:
        sentences.append(stepper.told["text"])
    if end := notice(stepper):
        sentences.append(end)
    return " ".join(sentences)


def say(stepper: S) -> str:
    """The step in one line."""
    where = f"Step {stepper.at} of {stepper.last}"
    if stepper.at == 0:
        return f"{where}: the variables have their numbers."
    if stepper.at <= stepper.turn:
        index = stepper.walk.forward[stepper.at - 1]
        return f"{where}, forward: {stepper.names[index]} = {words.shown(stepper.walk.values[index])}."
    if (back := stepper.turn_back) is None:
        return f"{where}, the turn: d {stepper.names[-1]} / d {stepper.names[-1]} = 1."
    handed = " and ".join(_handed(stepper, share) for share in back.shares)
    return f"{where}, backward: {stepper.names[back.node]} hands {handed or 'nothing on'}."


def _handed(stepper: S, share: Share) -> str:
    """`(2,) to b, summed over 4 rows`"""
    summed = words.over_copies(stepper.walk, share)
    return f"{words.shown(share.amount)} to {stepper.names[share.to]}{summed and f', {summed}'}"


def notice(stepper: S) -> str | None:
    """Why the run ends here, before its end."""
    if stepper.phase != "halted":
        return None
    return f"The run ends at {ending(stepper).replace('-', words.MINUS)} Change a number, and it goes on."


def ending(stepper: S) -> str | None:
    """Where the run will end early, and why: "sqrt1: sqrt of 0 has no finite slope."; None if it does not."""
    if stepper.walk.failure is None:
        return None
    index, reason = stepper.walk.failure
    return f"{stepper.names[index]}: {reason}"


def _node(stepper: S, index: int) -> dict[str, Any]:
    node, value, gradient = stepper.walk.nodes[index], stepper.walk.values[index], stepper.gradient(index)
    known = stepper.known(index)
    failed = stepper.phase == "halted" and stepper.walk.failure[0] == index
    return {
        "id": index,
        "name": stepper.names[index],
        "symbol": SYMBOLS.get(node.op, node.op if node.label else "") if node.op else "",
        "kind": _kind(stepper, index),
        "labelled": bool(node.label),
        "column": stepper.layout.columns[index],
        "row": stepper.layout.rows[index],
        "value": words.shown(value) if known else "",
        "grad": words.shown(gradient) if gradient is not None else "",
        "short": words.shown(gradient, 3) if gradient is not None else "",
        "complete": stepper.complete(index),
        "state": "failed" if failed else "known" if known else "later",
        "now": _is_now(stepper, index),
        "made": words.made(stepper.walk, index, stepper.names) if node.op else "",
        "matrix": words.rows(value) if known else None,
        "gradMatrix": words.rows(gradient),
        "shares": [_share(stepper, share) for share in stepper.shares if share.to == index],
    }


def _kind(stepper: S, index: int) -> str:
    node = stepper.walk.nodes[index]
    if node.op:
        return "operation"
    return "constant" if node.number is not None else "leaf" if index in stepper.walk.differentiable else "data"


def _is_now(stepper: S, index: int) -> bool:
    if 0 < stepper.at <= stepper.turn:
        return stepper.walk.forward[stepper.at - 1] == index
    back = stepper.turn_back
    return (
        back.node == index if back is not None else stepper.at == stepper.turn + 1 and index == len(stepper.names) - 1
    )


def _share(stepper: S, share: Share) -> dict[str, str]:
    grad = next(back.grad for back in stepper.walk.backward if back.node == share.user)
    return {
        "from": stepper.names[share.user],
        "rule": words.rule(stepper.walk, share, stepper.names),
        "numbers": words.with_numbers(stepper.walk, share, grad),
        "amount": words.shown(share.amount),
    }


def _wires(stepper: S) -> list[dict[str, Any]]:
    handed = {(share.user, share.slot): words.shown(share.amount, 3) for share in stepper.shares}
    back = stepper.turn_back
    wires = []
    for wire in stepper.layout.wires:
        now = ""
        if 0 < stepper.at <= stepper.turn and stepper.walk.forward[stepper.at - 1] == wire.target:
            now = "forward"
        elif back is not None and any((each.user, each.slot) == (wire.target, wire.slot) for each in back.shares):
            now = "backward"
        wires.append(
            {
                "source": wire.source,
                "target": wire.target,
                "slot": wire.slot,
                "count": len(stepper.walk.nodes[wire.target].inputs),
                "bends": [list(bend) for bend in wire.bends],
                "share": handed.get((wire.target, wire.slot), ""),
                "now": now,
            }
        )
    return wires


def _now(stepper: S) -> dict[str, Any]:
    """The present step, explained."""
    if stepper.at == 0:
        text = "The variables hold their numbers. Each step forward computes one operation from its inputs."
        return {"title": "Before the first step", "formula": text, "lines": [], "matrix": None}
    if stepper.at <= stepper.turn:
        index = stepper.walk.forward[stepper.at - 1]
        formula = words.forward_formula(stepper.walk, index, stepper.names)
        matrix = words.rows(stepper.walk.values[index])
        return {"title": f"Forward: {stepper.names[index]}", "formula": formula, "lines": [], "matrix": matrix}
    back, result = stepper.turn_back, stepper.names[-1]
    if back is None:
        text = f"d {result} / d {result} = 1. From here each operation multiplies what it gets by its local slopes."
        return {"title": "The turn", "formula": text, "lines": [], "matrix": None}
    totals: dict[int, list[Any]] = {}
    turns = stepper.walk.backward[: stepper.at - stepper.turn - 2]
    for share in [share for turn in turns for share in turn.shares]:
        totals.setdefault(share.to, []).append(share.amount)
    lines = []
    for share in back.shares:
        totals.setdefault(share.to, []).append(share.amount)
        lines.append(
            {
                "to": stepper.names[share.to],
                **_share(stepper, share),
                "sum": _sum(stepper, share.to, totals[share.to]),
                "note": words.broadcast(stepper.walk, share, stepper.names),
                "matrix": words.rows(share.amount),
            }
        )
    value = words.shown(stepper.walk.values[back.node])
    formula = f"{words.made(stepper.walk, back.node, stepper.names)} = {value}, with grad = {words.shown(back.grad)}"
    title = f"Backward: {stepper.names[back.node]} hands its gradient on"
    return {"title": title, "formula": formula, "lines": lines, "matrix": None}


def _sum(stepper: S, node: int, amounts: list[Any]) -> str:
    """What the shares of a node that is used several times come to so far."""
    paths = len(stepper.walk.users[node])
    if paths == 1:
        return ""
    rest = paths - len(amounts)
    more = "" if rest == 0 else f", and {rest} more path{'s' * (rest > 1)} to come"
    if isinstance(amounts[0], Tensor):
        return f"{len(amounts)} of {paths} shares added{more}"
    total = number(sum(amounts))
    if len(amounts) == 1:
        return f"{total} so far{more}"
    return f"{' + '.join(words.bracketed(number(amount)) for amount in amounts)} = {total}{more}"
