"""Healthy training runs in many styles: the diagnosis finds nothing. HEALTHY: name -> function of a seed."""

from collections.abc import Callable

import torch
from dlcourse_loops import (
    CROSS_ENTROPY,
    Lenet,
    bare,
    batches,
    blobs,
    conv_norm,
    diabetes,
    digits,
    generator,
    moons,
    net,
    run,
    seeded,
    sgd,
    textbook,
    torch_made,
)
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse import data, optim
from dlcourse.nn import BatchNorm, Dropout, xavier_normal
from dlcourse.nn import relu as our_relu
from dlcourse.training.diagnosis import Diagnosis, diagnose, watch

HEALTHY: dict[str, Callable[[int], Diagnosis]] = {}


def healthy(function):
    HEALTHY[function.__name__.replace("_", " ")] = seeded(function)
    return function


def torchs_start(seed):
    linear = torch_made(seed, lambda: [nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)])
    return nn.Sequential(nn.Flatten(), linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2])


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
            seed,
            lambda: nn.Sequential(
                nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
            ),
        ),
    }
    for style, make_optimizer in made.items():
        for kind, make_net in nets.items():
            for size in (8, 64):

                def one(seed, make_optimizer=make_optimizer, make_net=make_net, size=size, kind=kind):
                    x, y = digits()
                    chosen = torch.randperm(len(x), generator=generator(seed))[: 400 if size == 8 else 1000]
                    model = make_net(seed)
                    return run(model, x[chosen], y[chosen], make_optimizer(model.parameters()), seed, size=size)

                HEALTHY[f"digits, {kind}, {style}, batches of {size}"] = seeded(one)


_add_healthy_styles()


@healthy
def full_batch(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model, 0.3), seed, size=len(x), epochs=12)


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
    x, y = blobs(seed, 200)
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
    return run(
        model,
        x,
        y[:, None].float(),
        optim.Adam(model.parameters(), lr=0.01),
        seed,
        size=32,
        epochs=5,
        loss=F.binary_cross_entropy_with_logits,
    )


@healthy
def moons_probabilities_and_their_loss(seed):
    x, y = moons(seed)
    model = nn.Sequential(net(seed, (2, 16, 1)), nn.Sigmoid())
    return run(
        model,
        x,
        y[:, None].float(),
        optim.Adam(model.parameters(), lr=0.01),
        seed,
        size=32,
        epochs=5,
        loss=F.binary_cross_entropy,
    )


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
    return run(
        model,
        x,
        y,
        optim.Adam(model.parameters(), lr=3e-3),
        seed,
        loss=lambda p, y: F.mse_loss(y, p),
        size=32,
        epochs=4,
    )


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
    textbook(model, batches(x, y, seed), CROSS_ENTROPY, first, 8)
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
    weight = 0.01 * torch.randn(64, 10, generator=generator(seed))
    return bare(weight, x.flatten(1), y, seed, torch.matmul)


@healthy
def bare_regression_from_zero(seed):
    x, y = diabetes()
    return bare(torch.zeros(10), x, y[:, 0], seed, torch.matmul, loss=F.mse_loss, lr=0.05)


@healthy
def characters_with_an_lstm(seed):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm = nn.Embedding(30, 16), nn.LSTM(16, 32, batch_first=True)
            self.linear = nn.Linear(32, 30)

        def forward(self, x):
            return self.linear(self.lstm(self.embedding(x))[0]).transpose(1, 2)

    steps = torch.randint(1, 4, (400, 1), generator=generator(seed))  # each row counts in steps of its own
    rows = (steps * torch.arange(21)) % 30
    model = torch_made(seed, Reader)
    return run(model, rows[:, :-1], rows[:, 1:], optim.Adam(model.parameters(), lr=0.01), seed, size=32, epochs=3)


@healthy
def a_transformer_with_layer_norm(seed):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.position = nn.Embedding(12, 32), nn.Parameter(torch.zeros(16, 32))
            self.block = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True, norm_first=True)
            self.linear = nn.Linear(32, 12)

        def forward(self, x):
            return self.linear(self.block(self.embedding(x) + self.position)).flatten(0, 1)

    x = torch.randint(0, 12, (300, 16), generator=generator(seed))
    model = torch_made(seed, Reader)
    with watch(model, optimizer := optim.AdamW(model.parameters(), lr=3e-3)) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for _ in range(5):
            for batch, _ in batches(x, x, seed, 32):
                optimizer.zero_grad()
                seen(model(batch), batch.flip(1).flatten()).backward()
                optimizer.step()
    return watched.report()


@healthy
def an_autoencoder(seed):
    x, _ = digits()
    x = x.flatten(1)
    model = net(seed, (64, 32, 8, 32, 64), activation=nn.GELU)
    return run(model, x, x, optim.Adam(model.parameters(), lr=3e-3), seed, loss=nn.MSELoss())


@healthy
def a_class_for_each_pixel(seed):
    x, _ = digits()
    y = (x[:, 0] > 0).long()
    model = torch_made(
        seed, lambda: nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 2, 1))
    )
    return run(model, x, y, optim.Adam(model.parameters(), lr=0.01), seed)


@healthy
def several_labels_at_once(seed):
    x, y = digits()
    y = torch.stack([y % 2 == 0, y > 4, y == 7], dim=1).float()
    model = net(seed, (64, 32, 3))
    return run(model, x, y, sgd(model, 0.3), seed, loss=nn.BCEWithLogitsLoss())


@healthy
def forty_classes(seed):
    x, y = data.blobs(2000, classes=40, noise=0.05, radius=3.0, generator=generator(seed))
    model = net(seed, (2, 64, 64, 40))
    return run(model, x, y, optim.Adam(model.parameters(), lr=3e-3), seed, epochs=3)


@healthy
def rare_class(seed):
    x, y = digits()
    y = (y == 3).long()
    model = net(seed, (64, 32, 2))
    return run(model, x, y, sgd(model), seed, loss=nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9.0])))


@healthy
def sparse_embedding(seed):
    y = torch.randint(0, 5, (500,), generator=generator(seed))
    model = torch_made(seed, lambda: nn.Sequential(nn.Embedding(5, 8, sparse=True), nn.Linear(8, 5)))
    return run(model, y, y, torch.optim.SGD(model.parameters(), lr=0.3), seed, size=16)


@healthy
def half_precision(seed):
    x, y = digits()
    model = net(seed, norm=nn.BatchNorm1d)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for _ in range(2):
            for x_batch, y_batch in batches(x, y, seed):
                optimizer.zero_grad()
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    value = seen(model(x_batch), y_batch)
                value.backward()
                optimizer.step()
    return watched.report()


@healthy
def pairs_that_belong_together(seed):
    x, _ = digits()
    model = net(seed, (64, 32, 16))
    optimizer, draw = optim.Adam(model.parameters(), lr=3e-3), generator(seed)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for _ in range(2):
            for x_batch, _ in batches(x, x, seed, 32):
                optimizer.zero_grad()
                one, other = (
                    F.normalize(model(x_batch + 0.3 * torch.randn(x_batch.shape, generator=draw))) for _ in range(2)
                )
                seen(one @ other.T / 0.2, torch.arange(len(one))).backward()
                optimizer.step()
    return watched.report()


@healthy
def mixed_up_examples(seed):
    x, y = digits()
    model, draw = net(seed), generator(seed)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for _ in range(3):
            for x_batch, y_batch in batches(x, y, seed):
                optimizer.zero_grad()
                order, part = torch.randperm(len(x_batch), generator=draw), torch.rand((), generator=draw)
                hot = F.one_hot(y_batch, 10).float()
                logits = model(part * x_batch + (1 - part) * x_batch[order])
                seen(logits, part * hot + (1 - part) * hot[order]).backward()
                optimizer.step()
    return watched.report()


@healthy
def taught_by_another_net(seed):
    x, y = digits()
    teacher, model = net(seed), net(seed + 1)
    textbook(teacher, batches(x, y, seed), CROSS_ENTROPY, sgd(teacher), 5)
    with torch.no_grad():
        soft = teacher(x).softmax(1)
    return run(model, x, soft, sgd(model), seed, loss=lambda z, p: F.kl_div(z.log_softmax(1), p, reduction="batchmean"))


@healthy
def maker_of_a_gan(seed):
    real, _ = moons(seed)
    maker, critic = net(seed, (2, 16, 2)), net(seed + 1, (2, 16, 1))
    of_maker, of_critic = optim.Adam(maker.parameters(), lr=1e-3), optim.Adam(critic.parameters(), lr=1e-2)
    draw, entropy = generator(seed), F.binary_cross_entropy_with_logits
    with watch(maker, of_maker) as watched:
        seen = watched.loss(entropy)
        for _ in range(5):
            for x_batch, _ in batches(real, real, seed, 32):
                fake = maker(torch.randn(32, 2, generator=draw))
                of_critic.zero_grad()
                real_loss = entropy(critic(x_batch), torch.ones(len(x_batch), 1))
                (real_loss + entropy(critic(fake.detach()), torch.zeros(32, 1))).backward()
                of_critic.step()
                of_maker.zero_grad()
                seen(critic(fake), torch.ones(32, 1)).backward()
                of_maker.step()
    return watched.report()


@healthy
def reward_in_place_of_a_loss(seed):
    """Policy gradient: the loss is negative, and says little."""
    x, y = digits()
    model, draw = net(seed), generator(seed)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        seen = watched.loss(lambda logs, reward: -(logs * reward).mean())
        for _ in range(3):
            for x_batch, y_batch in batches(x, y, seed):
                optimizer.zero_grad()
                logs = model(x_batch).log_softmax(1)
                action = torch.multinomial(logs.exp(), 1, generator=draw)[:, 0]
                seen(logs[range(len(action)), action], (action == y_batch).float() - 0.1).backward()
                optimizer.step()
    return watched.report()


@healthy
def weights_as_direction_and_length(seed):
    x, y = digits()
    model = torch_made(
        seed,
        lambda: nn.Sequential(
            nn.Flatten(),
            nn.utils.parametrizations.weight_norm(nn.Linear(64, 48)),
            nn.ReLU(),
            nn.utils.parametrizations.weight_norm(nn.Linear(48, 10)),
        ),
    )
    return run(model, x, y, sgd(model), seed)


@healthy
def two_heads_with_a_loss_each(seed):
    x, y = digits()
    body, kind, size = net(seed, (64, 32)), net(seed, (32, 10)), net(seed, (32, 1))
    model = nn.ModuleDict({"body": body, "kind": kind, "size": size})
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watched:
        of_kind, of_size = watched.loss(CROSS_ENTROPY), watched.loss(F.mse_loss)
        for _ in range(2):
            for x_batch, y_batch in batches(x, y, seed):
                optimizer.zero_grad()
                hidden = body(x_batch).relu()
                ink = x_batch.mean((1, 2, 3))[:, None]
                (of_kind(kind(hidden), y_batch) + of_size(size(hidden), ink)).backward()
                optimizer.step()
    return watched.report()


@healthy
def a_loss_for_each_example(seed):
    x, y = digits()
    model = net(seed)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        seen = watched.loss(CROSS_ENTROPY)
        for x_batch, y_batch in batches(x, y, seed):
            optimizer.zero_grad()
            seen(input=model(x_batch), target=y_batch, reduction="none").mean().backward()
            optimizer.step()
            with torch.no_grad():
                seen(model(x_batch), y_batch)
    return watched.report()


@healthy
def huber(seed):
    x, y = diabetes()
    model = net(seed, (10, 32, 1), norm=nn.LayerNorm)
    return run(model, x, y, optim.RMSprop(model.parameters(), lr=1e-3), seed, loss=nn.HuberLoss(), size=32, epochs=4)


@healthy
def dropped_pixels(seed):
    x, y = digits()
    model = nn.Sequential(Dropout(0.2, generator=generator(seed)), net(seed, activation=nn.LeakyReLU))
    return run(model, x, y, sgd(model, 0.05), seed)


@healthy
def cyclic_rate(seed):
    x, y = digits()
    model = net(seed, norm=BatchNorm)
    optimizer = sgd(model)

    def turn(index):
        optimizer.param_groups[0]["lr"] = 0.5 * optim.one_cycle(index, total=92)

    return run(model, x, y, optimizer, seed, each=turn, epochs=4)


@healthy
def raw_targets(seed):
    from sklearn.datasets import load_diabetes

    x, y = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True))
    model = torch_made(seed, lambda: nn.Linear(10, 1))
    return run(model, x / x.std(), y[:, None], sgd(model, 0.05), seed, loss=F.mse_loss, size=32, epochs=10)


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


@healthy
def asked_for_shapes_first(seed):
    x, y = digits()
    model = conv_norm(seed)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        with torch.no_grad():
            model(x[:2])
        textbook(model, batches(x, y, seed), watched.loss(CROSS_ENTROPY), optimizer, 1)
    return watched.report()


def trained(seed):
    """A model that knows the digits."""
    x, y = digits()
    model = net(seed)
    textbook(model, batches(x, y, seed), CROSS_ENTROPY, sgd(model), 6)
    return model, x, y


@healthy
def fine_tuned_very_gently(seed):
    model, x, y = trained(seed)
    return run(model, x, y, sgd(model, 1e-5), seed + 1)


@healthy
def fine_tuned_from_the_easiest_on(seed):
    model, x, y = trained(seed)
    with torch.no_grad():
        order = CROSS_ENTROPY(model(x), y, reduction="none").argsort()
    return run(model, x[order], y[order], sgd(model, 0.001), seed, shuffled=False, epochs=1)
