"""Sick training runs whose cause is known. SICK: name -> (cause, function of a seed)."""

from collections.abc import Callable
from contextlib import suppress

import torch
from dlcourse_loops import (
    CROSS_ENTROPY,
    Lenet,
    bare,
    batches,
    blobs,
    by_label,
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
from dlcourse.nn import BatchNorm, xavier_normal
from dlcourse.nn import binary_cross_entropy_with_logits as our_binary
from dlcourse.nn import cross_entropy as our_cross_entropy
from dlcourse.nn import sigmoid as our_sigmoid
from dlcourse.nn import softmax as our_softmax
from dlcourse.training.diagnosis import Diagnosis, diagnose, watch

SICK: dict[str, tuple[str, Callable[[int], Diagnosis]]] = {}


def sick(cause):
    def keep(function):
        SICK[f"{cause}: {function.__name__.replace('_', ' ')}"] = (cause, seeded(function))
        return function

    return keep


@sick("softmax twice")
def softmax_module(seed):
    x, y = digits()
    model = nn.Sequential(net(seed), nn.Softmax(dim=1))
    return run(model, x, y, sgd(model), seed)


@sick("softmax twice")
def by_hand_lenet(seed):
    x, y = digits()
    model = Lenet(seed)
    ends = _Ends(model, lambda z: z.exp() / z.exp().sum(1, keepdim=True))
    return run(ends, x, y, optim.Adam(model.parameters()), seed)


@sick("softmax twice")
def inside_the_loss(seed):
    x, y = digits()
    model = net(seed, (64, 48, 10), activation=nn.Tanh, init=xavier_normal)
    return run(model, x, y, sgd(model), seed, loss=lambda logits, y: our_cross_entropy(our_softmax(logits), y))


@sick("softmax twice")
def bare_tensor_softmax(seed):
    x, y = digits()
    return bare(torch.zeros(64, 10), x.flatten(1), y, seed, lambda x, weight: torch.softmax(x @ weight, dim=1))


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
    return run(model, x, y.float(), optim.Adam(model.parameters(), lr=0.01), seed, size=16, loss=nn.BCEWithLogitsLoss())


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
    model = _scaled(net(seed, (2, 32, 1), norm=BatchNorm), 40)
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
    return run(
        model,
        x,
        y[:, None].float(),
        optim.Adam(model.parameters(), lr=0.01),
        seed,
        size=16,
        shuffled=False,
        loss=F.binary_cross_entropy_with_logits,
    )


@sick("not shuffled")
def sorted_blobs_one_at_a_time(seed):
    x, y = by_label(*blobs(seed, 150))
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
    return run(
        model,
        x,
        y,
        optimizer,
        seed,
        loss=F.mse_loss,
        size=32,
        epochs=4,
        clear="",
        measure=lambda _: optimizer.zero_grad(),
    )


@sick("gradients not cleared")
def bare_tensor(seed):
    x, y = diabetes()
    return bare(torch.zeros(10), x, y[:, 0], seed, torch.matmul, loss=F.mse_loss, size=442, epochs=40, clear=False)


@sick("no update")
def no_step(seed):
    x, y = digits()
    model = net(seed)
    return run(model, x, y, sgd(model), seed, every=10_000)


@sick("no update")
def no_step_lenet(seed):
    x, y = digits()
    model = Lenet(seed)
    return run(model, x, y, optim.Adam(model.parameters()), seed, every=10_000)


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
    return run(net(seed), x, y, sgd(net(seed + 1)), seed)


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


def _failing(model, x, y, seed, loss=CROSS_ENTROPY):
    optimizer = sgd(model)
    with suppress(Exception), watch(model, optimizer) as watched:
        textbook(model, batches(x, y, seed), watched.loss(loss), optimizer, 1)
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
    return run(
        model,
        x,
        (2 * y - 1)[:, None].float(),
        sgd(model),
        seed,
        size=16,
        epochs=4,
        loss=F.binary_cross_entropy_with_logits,
    )


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
    return run(
        model, x, y[:, None].float(), sgd(model), seed, size=32, epochs=4, loss=F.binary_cross_entropy_with_logits
    )


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
    return run(
        model,
        x,
        torch.randint(0, 2, y.shape, generator=generator(seed)),
        optim.Adam(model.parameters(), lr=0.01),
        seed,
        size=16,
        epochs=8,
    )


@sick("not shuffled")
def sorted_one_hot(seed):
    x, y = by_label(*digits())
    model = net(seed, norm=nn.LayerNorm)
    return run(model, x, F.one_hot(y, 10).float(), sgd(model), seed, shuffled=False)


@sick("not shuffled")
def sorted_forty_classes(seed):
    x, y = by_label(*data.blobs(2000, classes=40, noise=0.05, radius=3.0, generator=generator(seed)))
    model = net(seed, (2, 64, 64, 40))
    return run(model, x, y, optim.Adam(model.parameters(), lr=3e-3), seed, shuffled=False)


@sick("not shuffled")
def sorted_bare_tensor(seed):
    x, y = by_label(*digits())
    return bare(torch.zeros(64, 10), x.flatten(1), y, seed, torch.matmul, size=32, shuffled=False)


@sick("not shuffled")
def shuffled_within_classes_only(seed):
    x, y = digits()
    order = (y + torch.rand(len(y), generator=generator(seed))).argsort()
    model = Lenet(seed)
    return run(model, x[order], y[order], optim.Adam(model.parameters()), seed, size=256, epochs=3, shuffled=False)


@sick("label dtype")
def bare_column(seed):
    x, y = diabetes()
    return bare(torch.zeros(10), x, y, seed, torch.matmul, loss=lambda p, y: ((p - y) ** 2).mean())


@sick("label dtype")
def labels_with_holes(seed):
    x, y = diabetes()
    model = net(seed, (10, 16, 1))
    y = torch.where(torch.rand(y.shape, generator=generator(seed)) < 0.05, torch.nan, y)
    return run(model, x, y, sgd(model, 0.01), seed, loss=F.mse_loss)


@sick("inputs not normalised")
def inputs_with_holes(seed):
    x, y = blobs(seed)
    x = torch.where(torch.rand(x.shape, generator=generator(seed)) < 0.1, torch.nan, x)
    model = net(seed, (2, 16, 3))
    return run(model, x, y, sgd(model), seed)


@sick("inputs not normalised")
def divided_twice(seed):
    x, y = data.load("digits")
    model = torch_made(
        seed,
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 32, bias=False), nn.ReLU(), nn.Linear(32, 10, bias=False)),
    )
    return run(model, x / 255 / 255, y, sgd(model, 0.01), seed)


@sick("learning rate too low")
def rate_of_zero(seed):
    x, y = digits()
    model = net(seed, activation=nn.GELU)
    return run(model, x, y, sgd(model, 0.0), seed)


@sick("wrong mode")
def batch_norm_and_a_bare_weight(seed):
    x, y = diabetes()
    norm, weight = nn.BatchNorm1d(10), torch.zeros(10, 1, requires_grad=True)
    optimizer = torch.optim.SGD([*norm.parameters(), weight], lr=0.05)
    with watch(norm, optimizer) as watched:
        seen = watched.loss(F.mse_loss)
        for _ in range(3):
            for x_batch, y_batch in batches(x, y, seed, 32):
                optimizer.zero_grad()
                seen(norm(x_batch) @ weight, y_batch).backward()
                optimizer.step()
            with torch.no_grad():
                F.mse_loss(norm(x) @ weight, y)
    return watched.report()


@sick("learning rate too high")
def kills_units_and_yet_learns(seed):
    x, y = digits()
    model = Lenet(seed)
    return run(model, x, y, optim.Adam(model.parameters(), lr=0.12), seed)


@sick("learning rate too high")
def saturates_sigmoids(seed):
    x, y = digits()
    model = net(seed, (64, 32, 10), activation=nn.Sigmoid, init=xavier_normal)
    return run(model, x, y, sgd(model, 10.0), seed)


@sick("learning rate too high")
def hardly_falls(seed):
    x, y = digits()
    model = Lenet(seed)
    return run(model, x, y, sgd(model, 1.2), seed)


@sick("softmax twice")
def sigmoid_of_our_own(seed):
    x, y = moons(seed)
    model = _Ends(net(seed, (2, 16, 1)), our_sigmoid)
    return run(
        model,
        x,
        y[:, None].float(),
        optim.Adam(model.parameters(), lr=0.01),
        seed,
        size=16,
        epochs=4,
        loss=F.binary_cross_entropy_with_logits,
    )


@sick("label dtype")
def whole_targets(seed):
    x, y = moons(seed)
    return _failing(net(seed, (2, 16, 1)), x, y[:, None], seed, our_binary)


@sick("label dtype")
def float_classes_in_a_loss_without_a_name(seed):
    x, y = blobs(seed)
    return _failing(net(seed, (2, 16, 3)), x, y.float(), seed, lambda logits, y: our_cross_entropy(logits, y))


@sick("label dtype")
def classes_into_a_squared_error(seed):
    x, y = digits()
    return _failing(net(seed), x, y, seed, F.mse_loss)


@sick("learning rate too high")
def one_logit(seed):
    x, y = moons(seed)
    model = net(seed, (2, 16, 1), activation=nn.Tanh)
    loss = F.binary_cross_entropy_with_logits
    return run(model, x, y[:, None].float(), sgd(model, 300.0), seed, size=32, epochs=4, loss=loss)
