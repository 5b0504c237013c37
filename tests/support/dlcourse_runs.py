"""Training runs for the diagnosis: healthy ones in many styles, and sick ones whose cause is known.

Each is a function of a seed that returns a report. HEALTHY: name -> run. SICK: name -> (cause, run).
"""

from collections.abc import Callable
from contextlib import suppress

import torch
from torch import nn
from torch.nn import functional as F

from dlcourse import data, models, optim
from dlcourse.nn import BatchNorm, Dropout, he_normal, xavier_normal
from dlcourse.nn import relu as our_relu
from dlcourse.training.diagnosis import Diagnosis, diagnose, watch

CROSS_ENTROPY = F.cross_entropy


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


_digits: list = []


def digits():
    """x (1437, 1, 8, 8) with mean 0 and standard deviation 1, and the labels."""
    if not _digits:
        x, y = data.load("digits")
        _digits.extend([(x - x.mean()) / x.std(), y])
    return _digits


def blobs(seed: int, n: int = 600, classes: int = 3):
    return data.blobs(n, classes=classes, generator=generator(seed))


def moons(seed: int, n: int = 400):
    return data.moons(n, generator=generator(seed))


def diabetes():
    """A regression: ten features and one target, all standardised."""
    from sklearn.datasets import load_diabetes

    x, y = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True))
    return (x - x.mean(0)) / x.std(0), ((y - y.mean()) / y.std())[:, None]


class Lenet(nn.Module):
    """Convolutions with functions for activations: no module to hook."""

    def __init__(self, seed: int, activation=F.relu, classes: int = 10):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 16, 3, padding=1)
            self.linear1, self.linear2 = nn.Linear(64, 48), nn.Linear(48, classes)
        self.activation = activation

    def forward(self, x):
        x = F.max_pool2d(self.activation(self.conv1(x)), 2)
        x = F.max_pool2d(self.activation(self.conv2(x)), 2)
        return self.linear2(self.activation(self.linear1(x.flatten(1))))


def torch_made(seed: int, make: Callable[[], nn.Module]) -> nn.Module:
    """A model with torch's own initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def net(seed: int, sizes=(64, 64, 10), **options) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), models.mlp(sizes, generator=generator(seed), **options))


def conv_norm(seed: int) -> nn.Module:
    return torch_made(
        seed,
        lambda: nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 10)),
        ),
    )


def sgd(model, lr=0.1, **options):
    return optim.SGD(model.parameters(), lr=lr, **options)


def batches(x, y, seed, size=64, shuffled=True):
    return data.batches(x, y, size=size, generator=generator(seed) if shuffled else None)


def by_label(x, y):
    order = y.flatten().argsort(stable=True)
    return x[order], y[order]


def run(model, x, y, optimizer, seed, *, loss=CROSS_ENTROPY, size=64, epochs=2, shuffled=True, each=None, **loop):
    """The textbook loop, watched. `each(index)` is called before an update."""
    with watch(model, optimizer) as watched:
        textbook(model, batches(x, y, seed, size, shuffled), watched.loss(loss), optimizer, epochs, each=each, **loop)
    return watched.report()


def textbook(model, passes, seen, optimizer, epochs, *, each=None, clear="before", measure=None, clip=None, every=1):
    index = 0
    for _ in range(epochs):
        for x_batch, y_batch in passes:
            if each is not None:
                each(index)
            if clear == "before" and index % every == 0:
                optimizer.zero_grad()
            logits = model(x_batch)
            if clear == "after forward":
                optimizer.zero_grad(set_to_none=False)
            value = seen(logits, y_batch)
            (value / every).backward()
            if clear == "too soon":
                optimizer.zero_grad()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            index += 1
            if index % every == 0:
                optimizer.step()
            if clear == "after":
                optimizer.zero_grad()
        if measure is not None:
            measure(model)


HEALTHY: dict[str, Callable[[int], Diagnosis]] = {}
SICK: dict[str, tuple[str, Callable[[int], Diagnosis]]] = {}


def healthy(function):
    HEALTHY[function.__name__.replace("_", " ")] = function
    return function


def sick(cause):
    def keep(function):
        SICK[f"{cause}: {function.__name__.replace('_', ' ')}"] = (cause, function)
        return function

    return keep


# Healthy runs


def _add_healthy_styles():
    """Optimizers, rates, sizes of batches and nets, each with each of a few."""
    made = {
        "sgd 0.1": lambda p: optim.SGD(p, lr=0.1),
        "sgd 0.01": lambda p: optim.SGD(p, lr=0.01),
        "momentum 0.03": lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.9, nesterov=True),
        "adamw 0.001": lambda p: optim.AdamW(p, lr=1e-3),
        "adam 0.01": lambda p: torch.optim.Adam(p, lr=1e-2),
    }
    nets = {
        "relu": lambda seed: net(seed),
        "tanh": lambda seed: net(seed, (64, 48, 48, 10), activation=nn.Tanh, init=xavier_normal),
        "norm and dropout": lambda seed: net(seed, (64, 64, 64, 10), norm=BatchNorm, dropout=0.2),
        "lenet": Lenet,
        "conv norm": conv_norm,
        "deep": lambda seed: net(seed, (64, *[40] * 8, 10)),
        "torch's start": lambda seed: torch_made(
            seed, lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))
        ),
    }
    for style, make_optimizer in made.items():
        for kind, make_net in nets.items():
            for size in (8, 64):

                def one(seed, make_optimizer=make_optimizer, make_net=make_net, size=size, kind=kind):
                    x, y = digits()
                    chosen = torch.randperm(len(x), generator=generator(seed))[: 600 if size == 8 else 1400]
                    model = make_net(seed)
                    return run(model, x[chosen], y[chosen], make_optimizer(model.parameters()), seed, size=size)

                HEALTHY[f"digits, {kind}, {style}, batches of {size}"] = one


_add_healthy_styles()


@healthy
def full_batch(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model, 0.3), seed, size=len(x), epochs=30)


@healthy
def full_batch_once(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, size=len(x), epochs=1)


@healthy
def in_the_order_of_the_file_but_mixed(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, shuffled=False)


@healthy
def batches_of_one(seed):
    x, y = blobs(seed)
    model = net(seed, (2, 16, 3))
    return run(model, x, y, sgd(model, 0.01), seed, size=1, epochs=1)


@healthy
def logistic_regression_from_zero(seed):
    x, y = digits()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.zeros_(model[1].weight)
    nn.init.zeros_(model[1].bias)
    return run(model, x, y, sgd(model), seed)


@healthy
def last_layer_from_zero(seed):
    x, y = digits()
    model = net(seed)
    nn.init.zeros_(model[1][-1].weight)
    return run(model, x, y, sgd(model), seed)


@healthy
def moons_one_logit(seed):
    x, y = moons(seed)
    model = net(seed, (2, 16, 16, 1))
    return run(model, x, y[:, None].float(), optim.Adam(model.parameters(), lr=0.01), seed, size=32, epochs=5,
               loss=F.binary_cross_entropy_with_logits)


@healthy
def moons_probabilities_and_their_loss(seed):
    x, y = moons(seed)
    model = nn.Sequential(net(seed, (2, 16, 1)), nn.Sigmoid())
    return run(model, x, y[:, None].float(), optim.Adam(model.parameters(), lr=0.01), seed, size=32, epochs=5,
               loss=F.binary_cross_entropy)


@healthy
def softmax_and_its_own_likelihood(seed):
    x, y = digits()
    model = nn.Sequential(net(seed), nn.Softmax(1))
    return run(model, x, y, sgd(model), seed, loss=lambda p, y: -p[range(len(y)), y].log().mean())


@healthy
def log_softmax_and_cross_entropy(seed):
    x, y = digits()
    model = nn.Sequential(net(seed), nn.LogSoftmax(1))
    return run(model, x, y, sgd(model), seed)


@healthy
def smoothed_labels(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, loss=nn.CrossEntropyLoss(label_smoothing=0.1))


@healthy
def summed_loss(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model, 0.002), seed, loss=nn.CrossEntropyLoss(reduction="sum"))


@healthy
def one_hot_labels(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, F.one_hot(y, 10).float(), sgd(model), seed)


@healthy
def regression(seed):
    x, y = diabetes()
    model = net(seed, (10, 32, 1))
    return run(model, x, y, sgd(model, 0.03), seed, loss=F.mse_loss, size=32, epochs=4)


@healthy
def regression_arguments_swapped(seed):
    x, y = diabetes()
    model = net(seed, (10, 32, 32, 1), activation=nn.Tanh, init=xavier_normal)
    return run(model, x, y, optim.Adam(model.parameters(), lr=3e-3), seed, loss=lambda p, y: F.mse_loss(y, p), size=32,
               epochs=4)


@healthy
def regression_linear(seed):
    x, y = diabetes()
    model = torch_made(seed, lambda: nn.Linear(10, 1))
    return run(model, x, y, sgd(model, 0.05), seed, loss=F.mse_loss, size=16, epochs=3)


@healthy
def accumulated(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x[:1408], y[:1408], sgd(model), seed, size=16, every=4)


@healthy
def clipped(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, clip=1.0)


@healthy
def cleared_after_the_update(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, clear="after")


@healthy
def cleared_after_the_forward_pass_to_zeros(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, clear="after forward")


@healthy
def cleared_by_the_model(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, clear="", each=lambda _: model.zero_grad(set_to_none=False))


@healthy
def gradients_by_hand(seed):
    x, y = digits()
    model = net(seed)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for x_batch, y_batch in batches(x, y, seed):
            gradients = torch.autograd.grad(seen(model(x_batch), y_batch), list(model.parameters()))
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()
    return watched.report()


@healthy
def two_passes_for_each_update(seed):
    x, y = digits()
    model = net(seed, dropout=0.1)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for x_batch, y_batch in batches(x, y, seed):
            optimizer.zero_grad()
            noisy = x_batch + 0.1 * torch.randn(x_batch.shape, generator=generator(seed))
            (seen(model(x_batch), y_batch) + 0.5 * seen(model(noisy), y_batch)).backward()
            optimizer.step()
    return watched.report()


@healthy
def adversarial_examples_made_in_eval_mode(seed):
    x, y = digits()
    model = net(seed, norm=BatchNorm)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for x_batch, y_batch in batches(x, y, seed):
            model.eval()
            near = x_batch.clone().requires_grad_()
            CROSS_ENTROPY(model(near), y_batch).backward()
            model.train()
            optimizer.zero_grad()
            seen(model((near + 0.05 * near.grad.sign()).detach()), y_batch).backward()
            optimizer.step()
    return watched.report()


@healthy
def weight_decay(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1), seed)


@healthy
def warm_up(seed):
    x, y = digits()
    model = net(seed, dropout=0.1)
    optimizer = sgd(model)

    def warm(index):
        optimizer.param_groups[0]["lr"] = 0.1 * min(1.0, index / 20 + 1e-6)

    return run(model, x, y, optimizer, seed, each=warm)


@healthy
def rate_falls_to_zero(seed):
    x, y = digits()
    model = net(seed)
    optimizer = sgd(model, 0.3)

    def fall(index):
        optimizer.param_groups[0]["lr"] = 0.3 * max(0.0, 1 - index / 40)

    return run(model, x, y, optimizer, seed, each=fall)


@healthy
def fine_tuned(seed):
    x, y = digits()
    model = net(seed, dropout=0.1)
    first = sgd(model)
    textbook(model, batches(x, y, seed), CROSS_ENTROPY, first, 20)
    return run(model, x, y, sgd(model, 0.01), seed + 1)


@healthy
def only_the_last_layer(seed):
    x, y = digits()
    model = net(seed, (64, 64, 10), norm=BatchNorm)
    textbook(model, batches(x, y, seed), CROSS_ENTROPY, sgd(model), 2)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model[1][-1] = torch_made(seed, lambda: nn.Linear(64, 10))
    model.eval()  # the norm keeps its statistics
    return run(model, x, y, sgd(model[1][-1]), seed)


@healthy
def frozen_norm_inside_a_model_in_train_mode(seed):
    x, y = digits()
    model = net(seed, norm=BatchNorm)
    textbook(model, batches(x, y, seed), CROSS_ENTROPY, sgd(model), 1)
    return run(model, x, y, sgd(model, 0.03), seed, each=lambda _: model[1][1].eval())


@healthy
def measured_after_each_pass(seed):
    x, y = digits()
    model = net(seed, norm=BatchNorm, dropout=0.2)

    def measure(model):
        model.eval()
        with torch.no_grad():
            CROSS_ENTROPY(model(x), y)
        model.train()

    return run(model, x, y, sgd(model), seed, measure=measure)


@healthy
def eval_mode_where_it_does_not_matter(seed):
    x, y = digits()
    return run((model := net(seed)).eval(), x, y, sgd(model), seed)


@healthy
def raw_pixels_into_a_norm(seed):
    x, y = data.load("digits")
    model = conv_norm(seed)
    return run(model, 255 * x, y, sgd(model), seed)


@healthy
def pixels_in_0_1(seed):
    x, y = data.load("digits")
    model = net(seed)
    return run(model, x, y, sgd(model), seed)


@healthy
def two_optimizers(seed):
    x, y = digits()
    model = net(seed)
    first, second = sgd(model[1][0]), sgd(model[1][-1])

    class Both(torch.optim.Optimizer):
        pass

    with watch(model, first) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for x_batch, y_batch in batches(x, y, seed):
            first.zero_grad()
            second.zero_grad()
            seen(model(x_batch), y_batch).backward()
            first.step()
            second.step()
    return watched.report()


@healthy
def critic_of_a_gan(seed):
    """The generator's backward leaves gradients in the critic, which are cleared before the critic's own."""
    real, _ = moons(seed)
    maker, critic = net(seed, (2, 16, 2)), net(seed + 1, (2, 16, 1))
    of_maker, of_critic = optim.Adam(maker.parameters(), lr=1e-3), optim.Adam(critic.parameters(), lr=1e-3)
    draw = generator(seed)
    entropy = F.binary_cross_entropy_with_logits
    with watch(critic, of_critic) as watched:
        seen = watched.loss(entropy)
        for x_batch, _ in batches(real, real, seed, 32):
            fake = maker(torch.randn(32, 2, generator=draw))
            of_critic.zero_grad()
            one, zero = torch.ones(len(x_batch), 1), torch.zeros(32, 1)
            (seen(critic(x_batch), one) + seen(critic(fake.detach()), zero)).backward()
            of_critic.step()
            of_maker.zero_grad()
            entropy(critic(fake), torch.ones(32, 1)).backward()
            of_maker.step()
    return watched.report()


@healthy
def residual_blocks_from_zero(seed):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = nn.Linear(32, 32), nn.Linear(32, 32)
            nn.init.zeros_(self.outer.weight)

        def forward(self, x):
            return x + self.outer(our_relu(self.inner(x)))

    x, y = digits()
    model = torch_made(
        seed, lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 32), *[Block() for _ in range(4)], nn.Linear(32, 10))
    )
    return run(model, x, y, sgd(model, 0.1), seed)


@healthy
def by_diagnose(seed):
    x, y = digits()
    model = net(seed, norm=BatchNorm, dropout=0.1)
    return diagnose(model, batches(x, y, seed), CROSS_ENTROPY, optim.AdamW(model.parameters(), lr=1e-3), epochs=2)


@healthy
def spirals(seed):
    x, y = data.spirals(600, generator=generator(seed))
    model = net(seed, (2, 32, 32, 2))
    return run(model, x, y, optim.Adam(model.parameters(), lr=0.01), seed, size=32, epochs=6)


@healthy
def bare_tensors(seed):
    x, y = digits()
    weight = (0.01 * torch.randn(64, 10, generator=generator(seed))).requires_grad_()
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with watch(None, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for x_batch, y_batch in batches(x.flatten(1), y, seed):
            optimizer.zero_grad()
            seen(x_batch @ weight, y_batch).backward()
            optimizer.step()
    return watched.report()


@healthy
def lbfgs(seed):
    x, y = blobs(seed)
    model = net(seed, (2, 8, 3))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)

        def closure():
            optimizer.zero_grad()
            value = seen(model(x), y)
            value.backward()
            return value

        for _ in range(12):
            optimizer.step(closure)
    return watched.report()


# Sick runs


@sick("softmax twice")
def softmax_module(seed):
    x, y = digits()
    model = nn.Sequential(net(seed), nn.Softmax(dim=1))
    return run(model, x, y, sgd(model), seed)


@sick("softmax twice")
def by_hand_lenet(seed):
    x, y = digits()
    model = Lenet(seed)
    return run(model, x, y, optim.Adam(model.parameters()), seed, loss=lambda z, y: CROSS_ENTROPY(z, y)) if False else run(
        _Ends(model, lambda z: z.exp() / z.exp().sum(1, keepdim=True)), x, y, optim.Adam(model.parameters()), seed)


@sick("softmax twice")
def smoothed_with_dropout(seed):
    x, y = digits()
    model = nn.Sequential(net(seed, dropout=0.3, norm=BatchNorm), nn.Softmax(dim=1))
    return run(model, x, y, sgd(model), seed, loss=nn.CrossEntropyLoss(label_smoothing=0.1))


@sick("softmax twice")
def sigmoid_before_its_loss(seed):
    x, y = moons(seed)
    model = nn.Sequential(net(seed, (2, 16, 1)), nn.Sigmoid())
    return run(model, x, y[:, None].float(), sgd(model), seed, loss=F.binary_cross_entropy_with_logits, size=16)


@sick("softmax twice")
def sigmoid_squeezed_tanh(seed):
    x, y = moons(seed)
    model = _Ends(net(seed, (2, 16, 1), activation=nn.Tanh), lambda z: torch.sigmoid(z).squeeze(1))
    return run(model, x, y.float(), optim.Adam(model.parameters(), lr=0.01), seed, size=16,
               loss=nn.BCEWithLogitsLoss())


class _Ends(nn.Module):
    def __init__(self, body, end):
        super().__init__()
        self.body, self.end = body, end

    def forward(self, x):
        return self.end(self.body(x))


def _scaled(model, factor):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter *= factor
    return model


@sick("loss at start")
def weights_of_size_one(seed):
    x, y = digits()
    model = net(seed, init=lambda shape, *, generator: torch.randn(shape, generator=generator))
    return run(model, x, y, sgd(model, 0.01), seed)


@sick("loss at start")
def last_layer_too_large(seed):
    x, y = digits()
    model = net(seed, (64, 48, 48, 10), activation=nn.Tanh, init=xavier_normal)
    _scaled(model[1][-1], 15)
    return run(model, x, y, optim.Adam(model.parameters()), seed)


@sick("loss at start")
def last_layer_too_large_lenet(seed):
    x, y = digits()
    model = Lenet(seed)
    _scaled(model.linear2, 150)
    return run(model, x, y, sgd(model, 0.001), seed)


@sick("loss at start")
def one_logit_too_large(seed):
    x, y = moons(seed)
    model = _scaled(net(seed, (2, 32, 1), norm=BatchNorm), 12)
    return run(model, x, y[:, None].float(), sgd(model, 0.01), seed, size=16, loss=F.binary_cross_entropy_with_logits)


def _bias(model, value):
    with torch.no_grad():
        for layer in model[1]:
            if isinstance(layer, nn.Module) and getattr(layer, "bias", None) is not None:
                layer.bias += value
                return model
    return model


@sick("dead units")
def bias_far_below(seed):
    x, y = digits()
    model = _bias(net(seed), -30.0)
    return run(model, x, y, sgd(model), seed)


@sick("dead units")
def most_of_a_layer(seed):
    x, y = digits()
    model = net(seed, (64, 64, 32, 10))
    with torch.no_grad():
        model[1][2].bias[:28] = -50.0
    return run(model, x, y, optim.Adam(model.parameters()), seed)


@sick("dead units")
def channels_of_a_convolution(seed):
    x, y = digits()
    model = Lenet(seed)
    with torch.no_grad():
        model.conv2.bias[:14] = -20.0
    return run(model, x, y, sgd(model), seed)


@sick("saturated units")
def tanh_weights_ten_times(seed):
    x, y = digits()
    model = net(seed, (64, 48, 48, 10), activation=nn.Tanh, init=xavier_normal)
    _scaled(model[1][0], 10)
    _scaled(model[1][2], 10)
    return run(model, x, y, sgd(model, 0.03), seed)


@sick("saturated units")
def sigmoid_functions(seed):
    x, y = digits()
    model = Lenet(seed, activation=torch.sigmoid)
    with torch.no_grad():
        model.conv2.bias += 12.0
        model.linear1.bias += 12.0
    return run(model, x, y, sgd(model), seed)


@sick("vanishing gradients")
def eight_sigmoid_layers(seed):
    x, y = digits()
    model = net(seed, (64, *[32] * 8, 10), activation=nn.Sigmoid, init=xavier_normal)
    return run(model, x, y, sgd(model), seed)


@sick("vanishing gradients")
def small_weights_ten_relu_layers(seed):
    x, y = digits()
    model = _scaled(net(seed, (64, *[40] * 10, 10)), 0.3)
    return run(model, x, y, optim.SGD(model.parameters(), lr=0.1, momentum=0.9), seed)


@sick("vanishing gradients")
def small_weights_eight_tanh_layers(seed):
    x, y = digits()
    model = _scaled(net(seed, (64, *[40] * 8, 10), activation=nn.Tanh, init=xavier_normal), 0.3)
    return run(model, x, y, sgd(model), seed)


@sick("exploding gradients")
def large_weights_twelve_relu_layers(seed):
    x, y = digits()
    model = _scaled(net(seed, (64, *[40] * 12, 10)), 2.5)
    return run(model, x, y, sgd(model, 1e-3), seed)


@sick("exploding gradients")
def large_weights_no_activation(seed):
    x, y = digits()
    model = _scaled(net(seed, (64, *[32] * 10, 10), activation=nn.Identity, init=xavier_normal), 3)
    return run(model, x, y, optim.Adam(model.parameters()), seed)


@sick("wrong mode")
def never_train_with_norm(seed):
    x, y = digits()
    model = net(seed, norm=BatchNorm)
    model.eval()
    return run(model, x, y, sgd(model), seed)


@sick("wrong mode")
def eval_after_the_first_pass_and_never_back(seed):
    x, y = digits()
    model = net(seed, dropout=0.3)

    def measure(model):
        model.eval()
        with torch.no_grad():
            model(x)

    return run(model, x, y, sgd(model), seed, measure=measure, epochs=3)


@sick("wrong mode")
def measured_in_train_mode(seed):
    x, y = digits()
    model = conv_norm(seed)

    def measure(model):
        with torch.no_grad():
            model(x)

    return run(model, x, y, sgd(model), seed, measure=measure, epochs=3)


@sick("wrong mode")
def measured_in_train_mode_with_gradients(seed):
    x, y = digits()
    model = net(seed, norm=nn.BatchNorm1d)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for _ in range(3):
            textbook(model, batches(x, y, seed), seen, optimizer, 1)
            seen(model(x), y)
    return watched.report()


@sick("not shuffled")
def sorted_digits(seed):
    x, y = by_label(*digits())
    model = net(seed)
    return run(model, x, y, sgd(model), seed, shuffled=False)


@sick("not shuffled")
def sorted_moons_one_logit(seed):
    x, y = by_label(*moons(seed))
    model = net(seed, (2, 16, 1), activation=nn.Tanh)
    return run(model, x, y[:, None].float(), optim.Adam(model.parameters(), lr=0.01), seed, size=16, shuffled=False,
               loss=F.binary_cross_entropy_with_logits)


@sick("not shuffled")
def sorted_blobs_one_at_a_time(seed):
    x, y = by_label(*blobs(seed, 300))
    model = net(seed, (2, 16, 3))
    return run(model, x, y, sgd(model, 0.02), seed, size=1, epochs=1, shuffled=False)


@sick("not shuffled")
def sorted_targets(seed):
    x, y = by_label(*diabetes())
    model = net(seed, (10, 32, 1))
    return run(model, x, y, sgd(model, 0.03), seed, loss=F.mse_loss, size=32, epochs=4, shuffled=False)


@sick("not shuffled")
def sorted_by_diagnose(seed):
    x, y = by_label(*digits())
    model = conv_norm(seed)
    return diagnose(model, batches(x, y, seed, shuffled=False), CROSS_ENTROPY, sgd(model))


@sick("not shuffled")
def the_first_class_only(seed):
    x, y = by_label(*digits())
    model = net(seed)
    return run(model, x[:140], y[:140], sgd(model), seed, size=16, shuffled=False)


@sick("gradients not cleared")
def never(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model, 0.05), seed, clear="")


@sick("gradients not cleared")
def never_lenet_adam(seed):
    x, y = digits()
    model = Lenet(seed)
    return run(model, x, y, optim.Adam(model.parameters()), seed, clear="")


@sick("gradients not cleared")
def once_in_a_pass_regression(seed):
    x, y = diabetes()
    model = net(seed, (10, 32, 1), activation=nn.Tanh, norm=BatchNorm)
    optimizer = sgd(model, 0.01)
    return run(model, x, y, optimizer, seed, loss=F.mse_loss, size=32, epochs=4, clear="",
               measure=lambda _: optimizer.zero_grad())


@sick("gradients not cleared")
def bare_tensor(seed):
    x, y = diabetes()
    weight = torch.zeros(10, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with watch(None, optimizer) as watched:
        seen = watched.loss(F.mse_loss)
        for _ in range(40):
            seen(x @ weight, y[:, 0]).backward()
            optimizer.step()
    return watched.report()


@sick("gradients cleared too soon")
def between_backward_and_step(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, clear="too soon")


@sick("gradients cleared too soon")
def between_with_norm(seed):
    x, y = blobs(seed)
    model = net(seed, (2, 16, 3), norm=BatchNorm)
    return run(model, x, y, optim.Adam(model.parameters()), seed, clear="too soon")


@sick("learning rate too high")
def sgd_of_ten(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model, 10.0), seed)


@sick("learning rate too high")
def adam_of_one(seed):
    x, y = digits()
    model = net(seed, (64, 64, 64, 10))
    return run(model, x, y, optim.Adam(model.parameters(), lr=1.0), seed)


@sick("learning rate too high")
def momentum_tanh(seed):
    x, y = digits()
    model = net(seed, (64, 48, 48, 10), activation=nn.Tanh, init=xavier_normal)
    return run(model, x, y, optim.SGD(model.parameters(), lr=5.0, momentum=0.9), seed)


@sick("learning rate too high")
def regression_to_infinity(seed):
    x, y = diabetes()
    model = net(seed, (10, 32, 1))
    return run(model, x, y, sgd(model, 2.0), seed, loss=F.mse_loss, size=32, epochs=4)


@sick("learning rate too high")
def regression_to_infinity_by_diagnose(seed):
    x, y = diabetes()
    model = net(seed, (10, 32, 1))
    return diagnose(model, batches(x, y, seed, 32), F.mse_loss, sgd(model, 2.0), epochs=4)


@sick("learning rate too high")
def lenet(seed):
    x, y = digits()
    model = Lenet(seed)
    return run(model, x, y, sgd(model, 5.0), seed)


@sick("learning rate too high")
def fine_tuning_that_forgets(seed):
    x, y = digits()
    model = net(seed)
    textbook(model, batches(x, y, seed), CROSS_ENTROPY, sgd(model), 10)
    return run(model, x, y, sgd(model, 20.0), seed)


@sick("learning rate too low")
def sgd_of_a_millionth(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model, 1e-6), seed)


@sick("learning rate too low")
def adam_lenet(seed):
    x, y = digits()
    model = Lenet(seed)
    return run(model, x, y, optim.Adam(model.parameters(), lr=1e-7), seed)


@sick("learning rate too low")
def dropout_and_norm(seed):
    x, y = digits()
    model = net(seed, norm=BatchNorm, dropout=0.2)
    return run(model, x, y, sgd(model, 1e-5), seed)


@sick("learning rate too low")
def regression_crawls(seed):
    x, y = diabetes()
    model = net(seed, (10, 32, 1))
    return run(model, x, y, sgd(model, 1e-6), seed, loss=F.mse_loss, size=16)


@sick("parameters left out")
def only_the_last_layer_held(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model[1][-1]), seed)


@sick("parameters left out")
def last_layer_replaced(seed):
    x, y = digits()
    model = Lenet(seed, classes=7)
    optimizer = optim.Adam(model.parameters())
    model.linear2 = torch_made(seed, lambda: nn.Linear(48, 10))
    return run(model, x, y, optimizer, seed)


@sick("parameters left out")
def optimizer_of_another_model(seed):
    x, y = digits()
    return run(net(seed), x, y, sgd(net(seed), norm=BatchNorm) if False else sgd(net(seed + 1)), seed)


@sick("parameters left out")
def detached_in_the_middle(seed):
    x, y = digits()
    body, head = net(seed, (64, 32)), torch_made(seed, lambda: nn.Linear(32, 10))
    model = _Parts(body, head)
    return run(model, x, y, sgd(model), seed)


class _Parts(nn.Module):
    def __init__(self, body, head):
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x):
        with torch.no_grad():
            hidden = self.body(x)
        return self.head(hidden.relu())


@sick("parameters left out")
def all_but_biases_frozen(seed):
    x, y = digits()
    model = net(seed, (64, 32, 10))
    for parameter in model.parameters():
        parameter.requires_grad_(parameter is model[1][0].bias)
    return run(model, torch.zeros_like(x), y, sgd(model, 0.01), seed)


@sick("label dtype")
def column_of_targets(seed):
    x, y = diabetes()
    model = nn.Sequential(net(seed, (10, 32, 1)), nn.Flatten(0))
    return run(model, x, y, sgd(model, 0.03), seed, loss=lambda p, y: ((p - y) ** 2).mean(), size=32)


@sick("label dtype")
def column_of_outputs(seed):
    x, y = diabetes()
    model = torch_made(seed, lambda: nn.Linear(10, 1))
    return run(model, x, y[:, 0], sgd(model, 0.03), seed, loss=lambda p, y: ((p - y) ** 2).mean(), size=16)


@sick("label dtype")
def float_classes(seed):
    x, y = digits()
    model = net(seed)
    return _failing(model, x, y.float(), seed)


@sick("label dtype")
def column_of_classes(seed):
    x, y = digits()
    return _failing(Lenet(seed), x, y[:, None], seed)


def _failing(model, x, y, seed):
    optimizer = sgd(model)
    with suppress(Exception), watch(model, optimizer) as watched:
        textbook(model, batches(x, y, seed), watched.loss(CROSS_ENTROPY), optimizer, 1)
    return watched.report()


@sick("label dtype")
def float_classes_by_diagnose(seed):
    x, y = digits()
    model = net(seed)
    return diagnose(model, batches(x, y.float(), seed), CROSS_ENTROPY, sgd(model))


@sick("label dtype")
def one_logit_into_cross_entropy(seed):
    x, y = moons(seed)
    model = net(seed, (2, 16, 1))
    return run(model, x, y[:, None].float(), sgd(model), seed, size=16)


@sick("label dtype")
def batch_taken_for_classes(seed):
    x, y = moons(seed)
    model = nn.Sequential(net(seed, (2, 16, 1)), nn.Flatten(0))
    return run(model, x, y.float(), sgd(model), seed, size=16)


@sick("label dtype")
def minus_one_and_one(seed):
    x, y = moons(seed)
    model = net(seed, (2, 16, 1))
    return run(model, x, (2 * y - 1)[:, None].float(), sgd(model), seed, size=16, epochs=4,
               loss=F.binary_cross_entropy_with_logits)


@sick("inputs not normalised")
def pixels_to_255(seed):
    x, y = data.load("digits")
    model = net(seed)
    return run(model, 255 * x, y, sgd(model, 0.01), seed)


@sick("inputs not normalised")
def raw_table_tanh(seed):
    x, y = data.load("wine")
    model = net(seed, (13, 32, 3), activation=nn.Tanh, init=xavier_normal)
    return run(model, x, y, optim.Adam(model.parameters()), seed, size=16, epochs=6)


@sick("inputs not normalised")
def raw_table_relu(seed):
    x, y = data.load("breast_cancer")
    model = net(seed, (30, 32, 1))
    return run(model, x, y[:, None].float(), sgd(model), seed, size=32, epochs=4, loss=F.binary_cross_entropy_with_logits)


@sick("inputs not normalised")
def far_from_zero_lenet(seed):
    x, y = digits()
    model = Lenet(seed)
    return run(model, x + 300, y, sgd(model, 0.1), seed)


@sick("equal weights")
def all_zero(seed):
    x, y = digits()
    return run(_scaled(model := net(seed), 0.0), x, y, sgd(model), seed)


@sick("equal weights")
def all_the_same_tanh(seed):
    x, y = digits()
    model = net(seed, (64, 32, 32, 10), activation=nn.Tanh, init=lambda shape, *, generator: torch.full(shape, 0.05))
    return run(model, x, y, optim.Adam(model.parameters()), seed)


@sick("equal weights")
def convolutions_the_same(seed):
    x, y = digits()
    model = Lenet(seed)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.05)
    return run(model, x, y, sgd(model), seed)


@sick("nothing learned")
def labels_shuffled_alone(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y[torch.randperm(len(y), generator=generator(seed))], sgd(model), seed, epochs=4)


@sick("nothing learned")
def labels_of_noise_moons(seed):
    x, y = moons(seed)
    model = net(seed, (2, 16, 2), norm=BatchNorm)
    return run(model, x, torch.randint(0, 2, y.shape, generator=generator(seed)),
               optim.Adam(model.parameters(), lr=0.01), seed, size=16, epochs=8)
