"""The state on the screen as a program of its own: the same weights, steps and standard deviations."""

from itertools import groupby
from typing import Any

from dlcourse.widgets.init_depth_lab.network import EXAMPLES, WIDTH

WEIGHTS = {
    "zeros": "torch.zeros(shape)",
    "constant": "torch.full(shape, {gain} / shape[1])",
    "small_normal": "{gain} * 0.01 * torch.randn(shape, generator=generator)",
    "large_normal": "{gain} * torch.randn(shape, generator=generator)",
    "xavier": "nn.xavier_normal(shape, gain={gain}, generator=generator)",
    "he": 'nn.he_normal(shape, gain={gain} * nn.gain("relu"), generator=generator)',
    "orthogonal": "nn.orthogonal(shape, gain={gain}, generator=generator)",
}
MODULES = {"relu": "nn.ReLU", "tanh": "nn.Tanh", "sigmoid": "torch.nn.Sigmoid", "linear": "nn.Identity"}
NORMS = {"none": "None", "batch": "nn.BatchNorm", "layer": "nn.LayerNorm"}

DIGITS = f"""
# The batch: {EXAMPLES} digits, each pixel with mean 0 and standard deviation 1 over them
x, y = data.load("digits")
x, y = x[:{EXAMPLES}].flatten(1), y[:{EXAMPLES}]
x = nn.Normalize.of(x)(x)
"""
OWN_DATA = """
# X and y are your own batch.
x, y = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y).long()
"""
NETWORK = """

def weights(shape, *, generator):
    return {weights}


model = models.mlp(
    ({features}, *[{width}] * {depth}, {classes}), activation={activation}, norm={norm}, init=weights,
    generator=generator({seed}),
)
hidden = [str(place) for place, module in enumerate(model) if isinstance(module, {activation})]
"""
OWN_MODEL = """
# model is your own, as it came.
hidden = {names}  # names of the modules whose outputs the next Linear receives
"""
PASS = """

def forward_and_back():
    model.zero_grad()
    with hooks.capture(model, hidden, retain_grad=True) as seen:
        loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    return loss.item(), [seen[name] for name in hidden]


loss, layers = forward_and_back()
"""
DESCENT = """

def descend(steps, lr):
    for _ in range(steps):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= lr * parameter.grad
        loss, layers = forward_and_back()
    return loss, layers


"""
RESULT = """
print("loss", loss)
for number, layer in enumerate(layers, start=1):
    std, grad_std = (numbers.double().std(correction=0).item() for numbers in (layer.detach(), layer.grad))
    print(f"layer {number}: activations {std:.4g}, gradient {grad_std:.4g}")
"""


def program(engine: Any) -> str:
    """The source of a program that computes what `engine`, an `InitDepthLabEngine`, has measured."""
    values, own, run = engine.values, engine.own, engine.run
    text = '"""A deep network, layer by layer: the standard deviations of activations and of gradients."""\n\n'
    text += "import torch\n\n"
    if own.model is None:
        text += "from dlcourse import data, generator, hooks, models, nn\n"
    else:
        text += "from dlcourse import data, hooks, nn\n"
    text += OWN_DATA if own.has_data else DIGITS
    if own.model is None:
        text += NETWORK.format(
            weights=WEIGHTS[values["init"]].format(gain=values["gain"]),
            features=own.batch.x.shape[1],
            width=WIDTH,
            depth=values["depth"],
            classes=own.batch.classes,
            activation=MODULES[values["activation"]],
            norm=NORMS[values["norm"]],
            seed=values["seed"],
        )
    else:
        text += OWN_MODEL.format(names=own.names)
    text += PASS
    if run.at:
        text += DESCENT
        for lr, same in groupby(run.rates[: run.at]):
            text += f"loss, layers = descend({len(list(same))}, lr={lr})\n"
    return text + RESULT
