"""Backpropagation, one node at a time: forward until the result is known, then backward until every gradient is.

A run has one step for each operation on the way forward, one in which the result gets its gradient, 1, and one for
each operation on the way back, in which it multiplies its own gradient by its local slopes and hands a share to each
of its inputs. The shares of one input are added: where all have arrived, its gradient is complete.

All numbers come from `dlcourse.autograd`. A run is computed at once and shown step by step, so going back is exact.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from dlcourse.autograd import Graph, GraphNode, Tensor
from dlcourse.plot.layered import layered
from dlcourse.widgets.backprop_stepper import frame, words
from dlcourse.widgets.backprop_stepper import guess as guessing
from dlcourse.widgets.backprop_stepper.code import program
from dlcourse.widgets.backprop_stepper.examples import EXAMPLES, ODD, OWN
from dlcourse.widgets.backprop_stepper.expression import Expression, parse
from dlcourse.widgets.backprop_stepper.guess import Question
from dlcourse.widgets.backprop_stepper.params import Formula, Numbers
from dlcourse.widgets.backprop_stepper.walk import Back, Share, Walk, walk_numbers, walk_tensors
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Choice, Flag, Number, Param, shown, whole
from dlcourse.widgets.snapshot import Snapshot

GUESS = Number(label="guess", default=0.0, low=-guessing.LARGEST, high=guessing.LARGEST)
MOST_TRIES = 1000


class BackpropStepperEngine(Engine):
    """A run forward and backward through an expression.

    expression: text, such as "(a * b + c).tanh()" or several steps, "h = tanh(w * x); h * h + h", with + - * / **,
    parentheses and exp, log, sqrt, tanh, sigmoid, relu, up to 40 nodes; or example: the name of one in the list.
    The numbers of its variables by their names, `BackpropStepperEngine("a * b", a=2, b=3)`, or as `numbers={"a": 2}`,
    the way for a variable that is called like a setting; a variable without one gets some odd number. guessing: ask for
    the next gradient before each step back.

    Raises ValueError for an expression that cannot be read, an unknown name, or a number out of range.

    >>> stepper = BackpropStepperEngine("a * b + a", a=2, b=-3)
    >>> stepper.step(5)
    >>> stepper.gradients
    {'a': -2.0, 'b': 2.0}
    """

    name = "backprop-stepper"
    params: ClassVar[Mapping[str, Param]] = {
        "example": Choice(
            label="example", help="An expression from the list.", default="neuron", options=(*EXAMPLES, OWN)
        ),
        "expression": Formula(
            label="expression",
            help="Names, numbers, + - * / **, parentheses and functions such as tanh(a); steps: h = a * b; h + 1.",
            default=EXAMPLES["neuron"].text,
        ),
        "numbers": Numbers(label="numbers", help="What the variables are."),
        "guessing": Flag(
            label="guess the gradients", help="Asks for the next gradient before each step back.", default=False
        ),
        "pace": Choice(label="pace", help="How fast play goes.", default="slow", options=("slow", "fast")),
    }
    actions = frozenset({"write", "assign", "guess", "back", "scrub", "to_code"})

    def __init__(self, expression: str | None = None, /, **values: Any) -> None:
        given = dict(values) if expression is None else {"expression": expression, **values}
        if expression is not None and "expression" in values:
            raise ValueError("the expression was given twice.")
        super().__init__()
        self.expression: Expression | None = None
        self._numbers: dict[str, Any] = {}
        self.at, self.guesses, self.told = 0, {}, None
        self.changed(frozenset({"example"}))
        self._numbers = {}  # an expression that is given now does not take over those of the first example
        self.set(**given)

    # ---- what a learner sets

    def set(self, /, **values: Any) -> None:
        """Set parameters and numbers, all or none: `set(a=2, guessing=True)`. ValueError changes nothing."""
        numbers = {name: value for name, value in values.items() if name not in self.params}
        values = {name: value for name, value in values.items() if name in self.params}
        named = values.get("numbers", {})
        if numbers and isinstance(named, dict):  # anything else is refused by name
            values["numbers"] = {**named, **numbers}
        super().set(**values)

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A variable may be called like a setting, such as pace: then its number comes in numbers=, which is said."""
        checked = {}
        for name, value in values.items():
            try:
                checked |= super()._checked({name: value})
            except ValueError as error:
                if name not in self._variables(values):
                    raise
                way = f"numbers={{{name!r}: {shown(value)}}}"
                raise ValueError(f"{error} There is a variable {name} too: its number is set with {way}.") from None
        return checked

    def _variables(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Of the expression that is set now, or else of the present one."""
        try:
            return parse(values["expression"], tensors=True).variables
        except (KeyError, TypeError, AttributeError, ValueError):
            return self.expression.variables if self.expression else ()

    def changed(self, names: frozenset[str]) -> None:
        expression, example = self.values["expression"], self.values["example"]
        if "expression" not in names and "example" in names and example != OWN:
            expression = EXAMPLES[example].text
        example = next((name for name, each in EXAMPLES.items() if each.text == expression), OWN)
        read = self.params["expression"].read(expression)
        fresh = self.expression is None or read.text != self.expression.text
        numbers = self._settled(read.variables, example, names, fresh)
        tensors = example != OWN and EXAMPLES[example].tensors
        walk = walk_tensors(read, EXAMPLES[example].numbers, EXAMPLES[example].data) if tensors else None
        self.walk: Walk = walk or walk_numbers(read, numbers)
        self.expression, self.tensors, self._numbers = read, tensors, numbers
        self.values = self.values | {"expression": expression, "example": example, "numbers": numbers}
        if "guessing" in names:
            self.told = None
        if names & {"expression", "example", "numbers"}:
            self.guesses, self.told = {}, None
            self.at = 0 if fresh else min(self.at, self.last)
        self.names = words.names(self.walk)
        self.layout = layered([node.inputs for node in self.walk.nodes])

    def _settled(self, variables: tuple[str, ...], example: str, names: frozenset[str], fresh: bool) -> dict[str, Any]:
        """A number for each variable: the one given, else the one it had, else the example's, else some odd one."""
        given = self.values["numbers"] if "numbers" in names else {}
        tensors = example != OWN and EXAMPLES[example].tensors
        if tensors and given:
            raise ValueError("the numbers of this example are tensors and stay as they are; take another, or type one.")
        for name in given:
            if name not in variables:
                raise ValueError(
                    f"there is no variable {shown(name)}: this expression has {', '.join(variables)}, and the settings "
                    f"are {', '.join(self.params)}."
                )
        if tensors:
            return {}
        usual = EXAMPLES[example].numbers if example != OWN else {}
        odd = (ODD[place % len(ODD)] for place in range(len(variables)))
        defaults = dict(zip(variables, odd, strict=True)) | usual
        kept = {} if fresh and example != OWN else self._numbers
        return {name: float(given.get(name, kept.get(name, defaults[name]))) for name in variables}

    def write(self, expression: str) -> None:
        """Another expression. ValueError, with the place marked, leaves everything as it was."""
        self.set(expression=expression)

    def assign(self, variable: str, value: float) -> None:
        """Another number for one variable; the step stays. Raises ValueError for an unknown name or no number."""
        self.set(numbers={variable: value})

    # ---- steps

    @property
    def turn(self) -> int:
        """The step at which the result is known, before the gradients."""
        return len(self.walk.forward)

    @property
    def last(self) -> int:
        return self.turn + 1 + len(self.walk.backward) if self.walk.complete else self.turn

    @property
    def running(self) -> bool:
        return self.at < self.last

    @property
    def pauses(self) -> bool:
        """Where a gradient is asked for that nobody has guessed yet."""
        return self.question is not None and self.at + 1 not in self.guesses

    def step(self, n: int = 1) -> None:
        """n steps, fewer at the end; questions on the way are skipped. Raises ValueError when n is no number from 0."""
        ahead = min(whole("n", n, 0, 10_000), self.last - self.at)
        if ahead:
            self.at, self.told = self.at + ahead, None

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the start."""
        self.scrub(max(0, self.at - whole("n", n, 1, 10_000)))

    def scrub(self, step: int) -> None:
        """To any step of this run. Raises ValueError when there is no such step."""
        self.at, self.told = whole("step", step, 0, self.last), None

    def reset(self) -> None:
        """Back to the start, with the expression and the numbers as they are; the guesses are forgotten."""
        self.at, self.guesses, self.told = 0, {}, None

    @property
    def turn_back(self) -> Back | None:
        """The turn of the way back that the present step shows, or None."""
        turn = self.at - self.turn - 2
        return self.walk.backward[turn] if turn >= 0 else None

    # ---- guesses

    @property
    def question(self) -> Question | None:
        """What is asked before the next step back, with `guessing` on; only about single numbers."""
        if not self.values["guessing"] or self.tensors or not self.turn <= self.at < self.last:
            return None
        turn = self.at - self.turn - 1
        return guessing.question(self.walk, self.at + 1, turn, self.shares, self.names)

    def guess(self, number: float) -> dict[str, Any]:
        """Answer the question. A right guess takes the step; after a wrong one it can be tried again.

        Returns {"right": bool, "text": what was said}. Raises ValueError where nothing is asked, or for no number.
        """
        asked = self.question
        if asked is None:
            if self.tensors:
                why = "Only gradients of single numbers are asked for; this example has arrays."
            elif not self.values["guessing"]:
                why = "Switch on 'guess the gradients' first."
            elif self.at < self.turn:
                why = "The questions begin when the result is known: step on."
            else:
                why = "The sweep is finished: step back, or reset."
            raise ValueError(f"nothing is asked here. {why}")
        number = GUESS.check("guess", number)
        right, text = guessing.judge(asked, number)
        tries = self.guesses.get(asked.step, ())
        if len(tries) < MOST_TRIES and not any(guessing.close(old, asked.expected) for old in tries):
            self.guesses[asked.step] = (*tries, number)
        if right:
            self.at = asked.step
        self.told = {"right": right, "text": text, "step": asked.step, "guess": number}
        return {"right": right, "text": text}

    @property
    def score(self) -> tuple[int, int]:
        """(right at the first try, answered)."""
        answers = [(tries[0], self._expected(step)) for step, tries in self.guesses.items()]
        return sum(guessing.close(first, expected) for first, expected in answers), len(answers)

    def _expected(self, step: int) -> float:
        turn = step - self.turn - 2
        earlier = [share for back in self.walk.backward[: max(turn, 0)] for share in back.shares]
        return guessing.question(self.walk, step, turn, earlier, self.names).expected

    # ---- what is known at the present step

    @property
    def shares(self) -> list[Share]:
        """What has been handed back so far, in the order in which it was."""
        turns = self.walk.backward[: max(0, self.at - self.turn - 1)]
        return [share for back in turns for share in back.shares]

    def known(self, node: int) -> bool:
        """Whether the node's value has been computed."""
        return self.walk.nodes[node].op is None or node in self.walk.forward[: self.at]

    def gradient(self, node: int) -> Any:
        """The sum of the shares that have arrived, a float or a Tensor; None before the first."""
        if node == len(self.walk.nodes) - 1:
            return (self.walk.backward[0].grad if self.walk.backward else 1.0) if self.at > self.turn else None
        total = None
        for share in self.shares:
            if share.to == node:
                total = share.amount if total is None else total + share.amount
        return total

    def complete(self, node: int) -> bool:
        """Whether all shares of the gradient have arrived."""
        if node == len(self.walk.nodes) - 1:
            return self.at > self.turn
        arrived = sum(share.to == node for share in self.shares)
        return node in self.walk.differentiable and arrived == len(self.walk.users[node])

    @property
    def gradients(self) -> dict[str, Any]:
        """Of the variables whose gradient is complete: floats, or plain torch tensors."""
        found = {}
        for index, node in enumerate(self.walk.nodes):
            if node.op is None and node.number is None and self.complete(index):
                gradient = self.gradient(index)
                found[node.label] = gradient.data if isinstance(gradient, Tensor) else gradient
        return found

    @property
    def phase(self) -> str:
        if self.walk.failure and self.at == self.last:
            return "halted"
        if self.at == 0 and self.turn:
            return "start"
        return "forward" if self.at <= self.turn else "turn" if self.at == self.turn + 1 else "backward"

    @property
    def graph(self) -> Graph:
        """The graph with what is known at this step, for `plot.graph`."""
        nodes = []
        for index, (node, value) in enumerate(zip(self.walk.nodes, self.walk.values, strict=True)):
            known, gradient = self.known(index), self.gradient(index)
            if isinstance(gradient, Tensor):
                gradient = gradient.shape if gradient.number() is None else gradient.number()
            shape, single = (value.shape, value.number()) if known else (None, None)
            asks = index in self.walk.differentiable
            nodes.append(GraphNode(index, node.op, node.inputs, node.label, shape, single, gradient, asks, {}))
        return Graph(tuple(nodes))

    # ---- what is seen and said

    def snapshot(self) -> Snapshot:
        """What a view draws; there are no arrays, and all numbers that are shown are texts.

        header:
            run         {"step", "first", "last", "running"}; step `turn` is the one at which the result is known
            turn, phase "start", "forward", "turn", "backward" or "halted"
            say, notice a line for a screen reader; why the run ends early, or None
            tensors     whether the nodes are tensors, whose shapes are shown
            result      the name of the result
            variables   [{"name", "value"}] in the order they appear; empty for tensors
            nodes       [{"id", "name", "symbol", "labelled", "kind": "leaf" / "data" / "constant" / "operation",
                        "column", "row", "value": text or "", "grad": text or "", "short": the same in fewer digits,
                        "complete": bool, "state": "known" / "later" / "failed", "now": bool, "made": formula or "",
                        "matrix", "gradMatrix": rows of texts or None,
                        "shares": [{"from", "rule", "numbers", "amount"}]}]
            wires       [{"source", "target", "slot", "count", "bends": [[column, row]], "share": text or "",
                        "now": "" / "forward" / "backward"}]
            now         {"title", "formula", "matrix", "lines": [{"to", "rule", "numbers", "amount", "sum", "note",
                        "matrix"}]}
            question    None, or {"context", "text", "step"}
            verdict     None, or {"right", "text", "step", "guess"}: of the last guess, until the next step
            score       {"right", "answered"}
        """
        return Snapshot(frame.header(self))

    def describe(self) -> str:
        return frame.describe(self)

    def to_code(self) -> str:
        """A program on `dlcourse.autograd` that computes the same numbers. Of a run that ends early, it says where."""
        example = EXAMPLES.get(self.values["example"])
        return program(self.expression, self.values["numbers"], example, frame.ending(self))

    # ---- to share a run

    def state(self) -> dict[str, Any]:
        told = None if self.told is None else [self.told["step"], self.told["guess"]]
        guesses = [[step, *tries] for step, tries in self.guesses.items()]
        return {**super().state(), "at": self.at, "guesses": guesses, "told": told}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        at = whole("at", state["at"], 0, self.last)
        try:
            for step, *tries in state["guesses"]:
                if not tries or len(tries) > MOST_TRIES or self.tensors:
                    raise ValueError(f"step {step} has {len(tries)} guesses")
                step = whole("the step of a guess", step, self.turn + 1, self.last)
                self.guesses[step] = tuple(GUESS.check("guess", each) for each in tries)
            if state["told"] is not None:
                step, last = state["told"]
                step, last = whole("the step of a verdict", step, self.turn + 1, self.last), GUESS.check("guess", last)
                self.at = step - 1
                right, text = guessing.judge(self.question, last) if self.question else (False, "")
                if self.question is None or at != (step if right else step - 1):
                    raise ValueError(f"a verdict on step {step} at step {at}")
                self.told = {"right": right, "text": text, "step": step, "guess": last}
        except (TypeError, ValueError) as error:
            raise ValueError(f"this share string is damaged (its guesses: {error}). Copy all of it again.") from error
        self.at = at
