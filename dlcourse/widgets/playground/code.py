"""The run on the screen as a torch program of its own: the same points, network, steps and changes, the same losses.

The program needs torch and `dlcourse.data`, no widget. It is written to be read: set-up, one `train` function, then the
story of the run as calls of `train` with the changes between them.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from dlcourse.widgets.playground.problem import CENTRES, EDGE, SCALES, TEST, relative
from dlcourse.widgets.playground.run import Run
from dlcourse.widgets.runs.strokes import Strokes

CALLS = {
    "moons": "data.moons(n, noise={noise}, generator=source)",
    "circles": "data.circles(n, noise={noise}, generator=source)",
    "spirals": "data.spirals(n, noise={noise}, turns=1.25, generator=source)",
    "blobs": "data.blobs(n, noise={noise}, classes=2, generator=source)",
    "xor": "data.parity(n, bits=2, generator=source)",
}
FEATURES = {
    **{"x1": "x1", "x2": "x2", "x1^2": "x1.square()", "x2^2": "x2.square()"},
    **{"x1*x2": "x1 * x2", "sin(x1)": "x1.sin()", "sin(x2)": "x2.sin()"},
}
MODULES = {
    **{"tanh": "Tanh", "relu": "ReLU", "sigmoid": "Sigmoid", "leaky_relu": "LeakyReLU"},
    **{"elu": "ELU", "gelu": "GELU", "silu": "SiLU", "linear": "Identity"},
}
OPTIMIZERS = {
    "sgd": "torch.optim.SGD(model.parameters(), lr={lr})",
    "momentum": "torch.optim.SGD(model.parameters(), lr={lr}, momentum=0.9)",
    "rmsprop": "torch.optim.RMSprop(model.parameters(), lr={lr})",
    "adam": "torch.optim.Adam(model.parameters(), lr={lr})",
}
PENALTIES = {
    "none": "0.0",
    "l1": "{strength} * sum(layer.weight.abs().sum() for layer in {layers})",
    "l2": "{strength} * sum(layer.weight.square().sum() for layer in {layers})",
}
POINTS = """
source = generator({seed})


def points(n):
    x, y = {call}{blur}
    return ({scale} * {moved}).clamp(-{edge}, {edge}), y.float()


x, y = points({train})
x_test, y_test = points({test})
"""
OWN_POINTS = """
# X and y are your own points and labels. 30 % of them are held out for the test.
points, labels = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y, dtype=torch.float32)
shuffled = torch.randperm(len(labels), generator=generator({seed}))
chosen, held_out = shuffled[round(0.3 * len(labels)) :], shuffled[: round(0.3 * len(labels))]
x, y, x_test, y_test = points[chosen], labels[chosen], points[held_out], labels[held_out]
"""
LINEAR = '''
start = generator({seed})


def linear(inputs, units):
    """A linear layer that begins as torch's own do, from a generator that nothing else draws from."""
    layer, bound = torch.nn.Linear(inputs, units), inputs**-0.5
    for parameter in layer.parameters():
        parameter.data.uniform_(-bound, bound, generator=start)
    return layer


model = torch.nn.Sequential(
{modules}
)
'''
OWN_MODEL = '''
# model{and_optimizer} your own, as before the first step.
# Random numbers that it draws while it trains, as dropout does, are others here than in the playground.
layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]


def logits_of(inputs):
    """The logit of class 1 for each row; of two logits, their difference."""
    out = model(inputs)
    return out[:, 1] - out[:, 0] if out.ndim == 2 and out.shape[1] == 2 else out.reshape(-1)

'''
TRAIN = '''
epoch, order = -1, torch.tensor([])  # the pass over the points, and which of them are still to come in it


def train(steps):
    """Take `steps` steps down the gradient, each on the next batch of the epoch's shuffled points."""
    global epoch, order
    for _ in range(steps):
        if len(order) == 0:
            epoch += 1
            order = torch.randperm(len(y), generator=generator({seed} * 1_000_003 + epoch))
        batch, order = order[:batch_size], order[batch_size:]
        loss = loss_of({logits}, y[batch]){penalty}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

'''


def program(run: Run, own_points: bool = False, own_lr: float | None = None) -> str:
    """The source of a program that computes `run` up to its present step. own_lr: what an own optimiser came with."""
    return _Writer(run, own_points, own_lr).text()


class _Writer:
    def __init__(self, run: Run, own_points: bool, own_lr: float | None) -> None:
        self.own_lr = own_lr
        self.run, self.own_points, self.values = run, own_points, dict(run.history.values)
        self.changes = [
            (step, change) for step, made in sorted(run.history.changes.items()) for change in made if step <= run.at
        ]
        sets = [change[1] for _, change in self.changes if change[0] == "set"]
        self.penalised = any(values.get("regularisation", "none") != "none" for values in (self.values, *sets))
        self.layers = "layers" if run.own else "model[::2]"
        self.strokes = run.history.drawn

    def text(self) -> str:
        values, run = self.values, self.run
        logits = "logits_of(inputs[batch])" if run.own else "model(inputs[batch]).squeeze(1)"
        train = TRAIN.format(seed=values["seed"], logits=logits, penalty=" + penalty()" if self.penalised else "")
        lines = [
            '"""A run of the playground: the same points, network and steps, and so the same losses."""\n',
            "import torch\n",
            "from dlcourse import data, generator\n",
            "# The points",
            self.points().strip("\n"),
            *([self.drawn(self.strokes)] if self.strokes else []),
            *(["\n", self.features(), "\n"] if not run.own else []),
            f"inputs = {self.inputs('x')}\n",
            "# The network and how it is trained",
            (self.own_model() + "\n" if run.own else self.network()).lstrip("\n"),
            *([] if run.own_optimizer else [f"optimizer = {self.optimizer()}"]),
            "loss_of = torch.nn.functional.binary_cross_entropy_with_logits",
            f"batch_size = {values['batch_size']}",
            *([self.penalty() + "\n"] if self.penalised else []),
            train.strip("\n"),
            "\n\n# The run",
            *self.story(),
            self.result(),
        ]
        return "\n".join(lines)

    def points(self) -> str:
        values, name = self.values, self.values["data"]
        if self.own_points:
            return OWN_POINTS.format(seed=10_000 + values["seed"])
        if name == "drawn":
            return "x, y = torch.zeros(0, 2), torch.zeros(0)"
        noise = relative(name, values["noise"])
        facts = {"seed": 10_000 + values["seed"], "train": values["train"], "test": TEST, "edge": EDGE}
        blur = f"\n    x = x + {noise} * torch.randn(n, 2, generator=source)" if name == "xor" else ""
        moved = f"(x - torch.tensor({list(CENTRES[name])}))" if name in CENTRES else "x"
        told = f"# noise {values['noise']:g} in the playground is {noise} before the points are scaled\n"
        return told + POINTS.format(
            call=CALLS[name].format(noise=noise), blur=blur, scale=SCALES[name], moved=moved, **facts
        )

    def drawn(self, strokes: Strokes) -> str:
        points = [point for stroke in strokes for point in stroke]
        places = _wrapped([list(point[:2]) for point in points])
        labels = _wrapped([float(point[2]) for point in points])
        return f"x = torch.cat([x, torch.tensor({places})])\ny = torch.cat([y, torch.tensor({labels})])"

    def features(self) -> str:
        chosen = ", ".join(FEATURES[name] for name in self.values["features"])
        return f"def features(x):\n    x1, x2 = x.T\n    return torch.stack([{chosen}], dim=1)"

    def inputs(self, points: str) -> str:
        return points if self.run.own else f"features({points})"

    def network(self) -> str:
        widths = (len(self.values["features"]), *self.values["layers"], 1)
        bend = f"    torch.nn.{MODULES[self.values['activation']]}(),\n"
        modules = [f"    linear({inputs}, {units}),\n" for inputs, units in pairwise(widths)]
        return LINEAR.format(seed=self.values["seed"], modules=bend.join(modules).rstrip("\n"))

    def own_model(self) -> str:
        return OWN_MODEL.format(and_optimizer=" and optimizer are" if self.run.own_optimizer else " is")

    def optimizer(self) -> str:
        return OPTIMIZERS[self.values["optimizer"]].format(lr=self.values["lr"])

    def penalty(self) -> str:
        values = self.values
        cost = PENALTIES[values["regularisation"]].format(strength=values["strength"], layers=self.layers)
        return f"\n\ndef penalty():\n    return {cost}\n"

    def story(self) -> Iterator[str]:
        """`train(50)`, a change, `train(70)`, ..."""
        at = 0
        if self.run.own:
            yield "model.train()"
        if self.own_lr not in (None, self.values["lr"]):
            yield self.other_lr()
        for step, change in self.changes:
            if step > at:
                yield f"train({step - at})"
            yield from getattr(self, f"on_{change[0]}")(*change[1:])
            at = step
        if self.run.at > at:
            yield f"train({self.run.at - at})"

    def on_set(self, changed: Mapping[str, Any]) -> Iterator[str]:
        self.values |= changed
        if "activation" in changed and len(self.run.model) > 1:
            places = " = ".join(f"model[{index}]" for index in range(1, len(self.run.model), 2))
            yield f"{places} = torch.nn.{MODULES[changed['activation']]}()"
        if "optimizer" in changed:
            yield f"optimizer = {self.optimizer()}"
        elif "lr" in changed:
            yield self.other_lr()
        if "batch_size" in changed:
            yield f"batch_size = {changed['batch_size']}"
        if self.penalised and not changed.keys().isdisjoint(("regularisation", "strength")):
            yield self.penalty() + "\n"

    def other_lr(self) -> str:
        return f'for group in optimizer.param_groups:\n    group["lr"] = {self.values["lr"]}'

    def on_weight(self, layer: int, unit: int, source: int, value: float) -> Iterator[str]:
        yield f"{self.layer(layer)}.weight.data[{unit}, {source}] = {value}"

    def on_bias(self, layer: int, unit: int, value: float) -> Iterator[str]:
        yield f"{self.layer(layer)}.bias.data[{unit}] = {value}"

    def layer(self, index: int) -> str:
        return f"layers[{index}]" if self.run.own else f"model[{2 * index}]"

    def on_points(self, points: Sequence) -> Iterator[str]:
        self.strokes = (*self.strokes, tuple(points))
        yield f"{self.drawn((points,))}\n{self.other_points()}"

    def on_undo(self) -> Iterator[str]:
        count = len(self.strokes[-1])
        self.strokes = self.strokes[:-1]
        yield f"x, y = x[:-{count}], y[:-{count}]\n{self.other_points()}"

    def on_clear(self) -> Iterator[str]:
        count = sum(map(len, self.strokes))
        self.strokes = ()
        yield f"x, y = x[:-{count}], y[:-{count}]\n{self.other_points()}"

    def other_points(self) -> str:
        return f"inputs, order = {self.inputs('x')}, order[:0]  # other points: a new epoch begins"

    def result(self) -> str:
        lines = ["\nwith torch.no_grad():"] if len(self.run.y) or len(self.run.problem.test_y) else []
        out = "logits_of({})" if self.run.own else "model({}).squeeze(1)"
        if self.run.own:
            lines = ["\nmodel.eval()", *(line.strip() for line in lines)]
        if len(self.run.y):
            lines.append(f"    train_loss = loss_of({out.format('inputs')}, y).item()")
            lines.append('    print("train loss", train_loss)')
        if len(self.run.problem.test_y):
            lines.append(f"    test_loss = loss_of({out.format(self.inputs('x_test'))}, y_test).item()")
            lines.append('    print("test loss", test_loss)')
        return "\n".join([*lines, ""])


def _wrapped(values: list) -> str:
    """A list as source, on lines of its own when it is long."""
    text, indent = str(values), "    "
    if len(text) <= 80:
        return text
    return "\n" + textwrap.fill(text, 110, initial_indent=indent, subsequent_indent=indent) + "\n"
