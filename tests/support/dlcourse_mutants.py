"""Broken versions of the reference implementations, by hand and by machine.

`NAMED`: faults that people make, each with its name. `broken_versions`: one small change somewhere in a file, all of
them in turn (another operator, comparison, sign, constant or condition).
"""

import ast
import copy
import math
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from einops import rearrange

from dlcourse import hooks, models, nn, training


def perceptron_like(*, mistake=lambda margin: margin <= 0, move=1.0, bias_move=1.0, stop=True):
    """The perceptron's steps with one part changed."""

    def steps(x, labels, *, epochs):
        weight, bias = x.new_zeros(x.shape[1]), x.new_zeros(())
        for epoch in range(epochs):
            clean = True
            for i, (example, label) in enumerate(zip(x, labels.to(x.dtype), strict=True)):
                wrong = bool(mistake(label * (example @ weight + bias)))
                if wrong:
                    weight, bias, clean = weight + move * label * example, bias + bias_move * label, False
                yield models.PerceptronStep(epoch * len(x) + i, epoch, i, wrong, weight, bias)
            if clean and stop:
                return

    return steps


def logistic_like(*, slope=None, bias_slope=None):
    """The logistic neuron's steps with one slope changed."""

    def steps(x, labels, *, lr, steps):
        y = labels.to(x.dtype)
        weight, bias = x.new_zeros(x.shape[1]), x.new_zeros(())
        for index in range(steps + 1):
            z = x @ weight + bias
            yield models.LogisticStep(index, nn.binary_cross_entropy_with_logits(z, y).item(), weight, bias)
            error = nn.sigmoid(z) - y
            step = slope(x, error, z) if slope else x.T @ error / len(x)
            bias_step = bias_slope(error) if bias_slope else error.mean()
            weight, bias = weight - lr * step, bias - lr * bias_step

    return steps


def mean_of_picked(score):
    """A cross-entropy from a function that gives log probabilities."""
    return lambda logits, labels: -score(logits).gather(1, labels.long()[:, None]).mean()


def std_from(default, rule):
    """A normal draw whose standard deviation is rule(fan_in, fan_out, gain)."""

    def draw(shape, *, gain=default, generator, dtype=torch.float32):
        return rule(*nn.fans(shape), gain) * torch.randn(shape, generator=generator, dtype=dtype)

    return draw


def bound_from(default, rule):
    """A uniform draw within the bound rule(fan_in, fan_out, gain)."""

    def draw(shape, *, gain=default, generator, dtype=torch.float32):
        return rule(*nn.fans(shape), gain) * (2 * torch.rand(shape, generator=generator, dtype=dtype) - 1)

    return draw


def unsigned_orthogonal(shape, *, gain=1.0, generator, dtype=torch.float32):
    """The QR decomposition's own signs."""
    noise = torch.randn(shape, generator=generator, dtype=dtype).flatten(1)
    tall = noise if len(noise) >= noise.shape[1] else noise.T
    q = torch.linalg.qr(tall)[0]
    return gain * (q if tall is noise else q.T).reshape(shape) + 0 * sum(nn.fans(shape))


def dropout_like(change=lambda x, keep, p: x * keep / (1 - p) if p < 1 else 0 * x, drop=None):
    """Dropout, of which one part is changed."""

    def function(x, p, *, generator=None):
        nn.Dropout(p)  # refuses
        device = x.device if generator is None else generator.device
        numbers = torch.rand(x.shape, generator=generator, device=device).to(x.device)
        return change(x, drop(numbers, p) if drop else numbers >= p, p)

    return function


def norm_like(std=lambda var, eps: torch.sqrt(var + eps), finish=lambda z, weight, bias: z * weight + bias):
    """Batch norm from given moments, with one part changed."""

    def function(x, mean, var, weight, bias, *, eps=1e-5):
        nn.batch_norm(x, mean, var, weight, bias)  # refuses
        mean, var, weight, bias = (t.reshape(-1, *[1] * (x.ndim - 2)) for t in (mean, var, weight, bias))
        return finish((x - mean) / std(var, eps), weight, bias)

    return function


def layer_norm_like(dim=-1, correction=0, std=lambda var, eps: torch.sqrt(var + eps), scale=True):
    """Layer norm with one part changed."""

    def function(x, weight, bias, *, eps=1e-5):
        nn.layer_norm(x, weight, bias)  # refuses
        z = x - x.mean(dim, keepdim=True)
        z = z / std(z.square().sum(dim, keepdim=True) / max(x.shape[dim] - correction, 1), eps)
        return z * weight + bias if scale else z

    return function


def broken(base, **methods):
    """The class with some methods changed, under its own name."""
    return type(base.__name__, (base,), methods)


def learning(mean_of=lambda x: nn.moments(x)[0], var_of=None, share=lambda m: m, count=1):
    """BatchNorm with one part of its running averages changed."""

    def unbiased(x, var):
        n = x.numel() / len(var)
        return var * n / (n - 1)

    def learn(self, x):
        kept = copy.deepcopy(self)
        mean, var = nn.BatchNorm._learn_from(kept, x)  # refuses
        with torch.no_grad():
            share_now = share(self.momentum)
            self.running_mean += share_now * (mean_of(x) - self.running_mean)
            self.running_var += share_now * ((var_of or unbiased)(x, var) - self.running_var)
            self.num_batches_tracked += count
        return mean, var

    return broken(nn.BatchNorm, _learn_from=learn)


def running_in_training(self, x):
    if self.training:
        self._learn_from(x)
    return nn.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def batch_at_evaluation(self, x):
    mean, var = self._learn_from(x) if self.training else nn.moments(x)
    return nn.batch_norm(x, mean, var, self.weight, self.bias, eps=self.eps)


def constants_in_training(self, x):
    return tuple(t.detach() for t in nn.BatchNorm._learn_from(self, x))


def learns_always(self, x):
    if not self.training and len(x) > 1:
        self._learn_from(x.detach())
    return nn.BatchNorm.forward(self, x)


def unbiased_in_training(self, x):
    mean, var = nn.BatchNorm._learn_from(self, x)
    n = x.numel() / len(var)
    return mean, var * n / (n - 1)


def torch_like_bias(self, *args, generator, **options):
    super(type(self), self).__init__(*args, generator=generator, **options)
    if self.bias is not None:
        self.bias.data = nn.xavier_uniform((1, len(self.bias)), generator=generator)[0]


def one_mask(self, x):
    if not hasattr(self, "mask"):
        self.mask = nn.dropout(torch.ones_like(x), self.p, generator=self.generator)
    return x * self.mask if self.training else x


def without_bias(self, *args, bias=True, **options):
    super(type(self), self).__init__(*args, bias=False, **options)


def without_init(self, *args, init=None, **options):
    super(type(self), self).__init__(*args, **options)


def drawn_transposed(self, in_features, out_features, *, init=nn.he_normal, **options):
    draw = lambda shape, *, generator: init(shape[::-1], generator=generator).reshape(shape)  # noqa: E731
    super(type(self), self).__init__(in_features, out_features, init=draw, **options)


def layer_norm_over_the_batch(self, x):
    z = x.flatten(0, -2)
    weight, bias = self.weight[:1].expand(len(z)), self.bias[:1].expand(len(z))
    return nn.layer_norm(z.T, weight, bias, eps=self.eps).T.reshape(x.shape)


def divided_by_the_variance(self, x):
    return nn.Normalize([0.0] * x.shape[1], self.std)(nn.Normalize.forward(self, x))


def measured_on_what_comes(self, x):
    return 0 * nn.Normalize.forward(self, x) + nn.Normalize.forward(nn.Normalize.of(x.detach()), x)


def measuring(*, correction=0, together=False, exact=True):
    """Normalize with one part of its measuring changed."""

    def of(cls, x):
        right = nn.Normalize.of(x)  # refuses
        rows = x.transpose(0, 1).flatten(1)
        std = rows.std(1, correction=correction)
        if together:
            return cls(rows.mean().expand(len(rows)), rows.std(correction=0).expand(len(rows)))
        constant = rows.amin(1) == rows.amax(1) if exact else std == 0
        return cls(right.mean, torch.where(constant, 1.0, std))

    return broken(nn.Normalize, of=classmethod(of))


def mlp_like(order=("linear", "norm", "activation", "dropout"), last=("linear",)):
    """The builder with the layers in another order, or a bend at the end."""

    def build(sizes, *, activation=nn.ReLU, init=nn.he_normal, norm=None, dropout=0.0, generator):
        models.mlp(sizes, dropout=dropout, generator=torch.Generator())  # refuses
        layers = []
        for i, (a, b) in enumerate(pairwise(sizes), 2):
            parts = {
                "linear": lambda a=a, b=b: nn.Linear(a, b, init=init, generator=generator),
                "norm": (lambda b=b: norm(b)) if norm else None,
                "activation": activation,
                "dropout": (lambda: nn.Dropout(dropout, generator=generator)) if dropout else None,
            }
            layers += [parts[part]() for part in (order if i < len(sizes) else last) if parts[part]]
        return nn.Sequential(*layers)

    return build


def changed_model(build, change):
    """The builder of a model, with a change made to what it built."""

    def made(**options):
        model = build(**options)
        return change(model) or model

    return made


def each(kind, change):
    """A change of a model: every layer of this kind becomes change(layer)."""

    def made(model):
        for name, layer in list(model.named_modules()):
            if type(layer) is kind:
                parent, _, key = name.rpartition(".")
                setattr(model.get_submodule(parent), key, change(layer))

    return made


def in_order(*names):
    """A change of a model: the layers of these names, in this order, each as often as it has a number."""

    def made(model):
        layers = dict(model.named_children())
        numbers = [name.removeprefix("conv") for name in layers if name.startswith("conv")]
        kept = [*(f"{name}{number}" for number in numbers for name in names), "flatten", "linear"]
        return nn.Sequential(OrderedDict((name, layers[name]) for name in kept))

    return made


def unpadded(layer):
    layer.padding = (0, 0)
    return layer


def of_ones(layer):
    torch.nn.init.ones_(layer.weight)
    return layer


def block_with(forward=None, gain=0.0, paths=None):
    """The residual block with one part changed."""

    def start(self, *args, **options):
        models.ResidualBlock.__init__(self, *args, **options)
        torch.nn.init.constant_(self.body.norm2.weight, gain)

    methods = {"__init__": start, "forward": forward, "paths": paths}
    return broken(models.ResidualBlock, **{name: method for name, method in methods.items() if method})


def hooking(*, stays=False, first=False, detach=False, always=False):
    """`capture` with one part changed."""

    @contextmanager
    def function(model, names, *, retain_grad=False):
        names = names if isinstance(names, str) else list(names)
        with hooks.capture(model, names):  # refuses
            pass
        seen, modules = {}, dict(model.named_modules(remove_duplicate=False))

        def keep(name, output):
            if first and name in seen:
                return
            seen[name] = output.detach() if detach and isinstance(output, torch.Tensor) else output
            if (retain_grad or always) and isinstance(output, torch.Tensor) and output.requires_grad:
                output.retain_grad()

        handles = [modules[n].register_forward_hook(lambda m, a, out, n=n: keep(n, out)) for n in names]
        yield seen
        if not stays:
            for handle in handles:
                handle.remove()

    return function


def replacing(hook, *, take_away=True):
    """`replace` with another hook."""

    @contextmanager
    def function(model, functions):
        with hooks.replace(model, functions):  # refuses
            pass
        modules = dict(model.named_modules())
        handles = [modules[n].register_forward_hook(partial(hook, f)) for n, f in functions.items()]
        try:
            yield
        finally:
            for handle in handles if take_away else []:
                handle.remove()

    return function


ROOT2 = math.sqrt(2)

# (what must reject it, the fault, the broken function)


def convolved(before=lambda x, weight, o: (x, weight, o), after=None, transposed=False):
    """A convolution with its inputs or its options changed, and the bias added by `after`; it refuses as ours does."""
    base = nn.conv_transpose2d if transposed else nn.conv2d

    def function(x, weight, bias=None, **options):
        base(x, weight, bias, **options)  # refuses
        x, weight, changed = before(x, weight, options)
        out = base(x, weight, **changed)
        return out if bias is None else (after or plus_bias)(out, bias)

    return function


def other_pair(name):
    """The pair under this name, columns before rows."""

    def before(x, weight, options):
        value = options.get(name, 0)
        return x, weight, {**options, name: tuple(value)[::-1]} if isinstance(value, (tuple, list)) else options

    return before


def without(name):
    """The option under this name ignored."""
    return lambda x, weight, options: (x, weight, {key: value for key, value in options.items() if key != name})


def ungrouped_channels(x, weight, options):
    """Channels dealt out to the groups in turn."""
    groups = options.get("groups", 1)
    return x.unflatten(1, (-1, groups)).transpose(1, 2).flatten(1, 2), weight, options


def rounded_up(size, kernel, *, stride=1, padding=0, dilation=1):
    nn.output_size(size, kernel, stride=stride, padding=padding, dilation=dilation)  # refuses
    return math.ceil((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1


def pooled(base, change=lambda x: x, **fixed):
    """A pool of ours with the picture or an option changed."""

    def function(x, kernel_size, stride=None, **options):
        base(x, kernel_size, stride, **options)  # refuses
        return base(change(x), kernel_size, stride, **{**options, **fixed})

    return function


def zero_padded_max(x, kernel_size, stride=None, *, padding=0, dilation=1):
    nn.max_pool2d(x, kernel_size, stride, padding=padding, dilation=dilation)  # refuses
    rows, columns = (padding, padding) if isinstance(padding, int) else padding
    x = torch.nn.functional.pad(x, (columns, columns, rows, rows))
    return nn.max_pool2d(x, kernel_size, kernel_size if stride is None else stride, dilation=dilation)


def shared_max(x, kernel_size, stride=None, *, padding=0, dilation=1):
    """The largest, whose slope is shared among all that are as large."""
    out = nn.max_pool2d(x, kernel_size, stride, padding=padding, dilation=dilation)
    if padding or dilation != 1 or stride is not None or not len(x):
        return out
    k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return x.unfold(2, k[0], k[0]).unfold(3, k[1], k[1]).amax((-2, -1))


def equal_parts(x, output_size):
    """Adaptive pooling as if the sizes divided: whole windows side by side, the rest left out."""
    if (wanted := nn.adaptive_avg_pool2d(x, output_size)) is None or min(wanted.shape) == 0:
        return wanted
    kernel = tuple(max(n // m, 1) for n, m in zip(x.shape[2:], wanted.shape[2:], strict=True))
    return nn.avg_pool2d(x, kernel)[:, :, : wanted.shape[2], : wanted.shape[3]]


def fields_like(change):
    """The receptive fields, each changed."""
    return lambda model: {name: change(field) for name, field in nn.receptive_fields(model).items()}


def laid_over(base):
    """A layer that keeps torch's own start."""

    def make(self, *args, generator, **options):
        super(type(self), self).__init__(*args, generator=generator, **options)
        base.reset_parameters(self)

    return make


def plus_bias(out, bias):
    return out + bias[:, None, None]


def last_of_equals(x, kernel_size, stride=None, **options):
    """Right, but the slope goes to the last of the largest: everything turned round."""
    out = nn.max_pool2d(x, kernel_size, stride, **options)
    turned = nn.max_pool2d(x.flip(2, 3), kernel_size, stride, **options).flip(2, 3)
    return turned if torch.equal(turned, out) else out


def inclusive(field, row, column):
    top, left, bottom, right = nn.ReceptiveField.window(field, row, column)
    return top, left, bottom - 1, right - 1


def columns_first(field, row, column):
    top, left, bottom, right = nn.ReceptiveField.window(field, row, column)
    return left, top, right, bottom


def sums(x, hidden, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """What a cell adds up: from x, and from the hidden state."""
    return torch.nn.functional.linear(x, weight_ih, bias_ih), torch.nn.functional.linear(hidden, weight_hh, bias_hh)


def rnn_like(total=lambda from_x, from_h, activation: activation(from_x + from_h)):
    """The plain cell with one part changed."""

    def function(x, hidden, *weights, activation=torch.tanh):
        nn.rnn_cell(x, hidden, *weights)  # refuses
        return total(*sums(x, hidden, *weights), activation)

    return function


def lstm_like(
    order="ifgo",
    bends=(torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid),
    memory=lambda c, i, f, g: f * c + i * g,
    shown=lambda o, new, old: o * torch.tanh(new),
    answer=lambda hidden, cell: (hidden, cell),
):
    """The LSTM's cell with one part changed."""

    def function(x, state, *weights):
        nn.lstm_cell(x, state, *weights)  # refuses
        blocks = dict(zip(order, sum(sums(x, state[0], *weights)).chunk(4, 1), strict=True))
        i, f, g, o = (bend(blocks[gate]) for gate, bend in zip("ifgo", bends, strict=True))
        cell = memory(state[1], i, f, g)
        return answer(shown(o, cell, state[1]), cell)

    return function


def lstm_gates_like(order=(0, 1, 2, 3), bend=lambda gates: gates):
    """The LSTM's gates in another order, or with another bend."""

    def function(*inputs):
        gates = nn.lstm_gates(*inputs)
        return bend([gates[place] for place in order])

    return function


def gru_like(
    candidate=lambda r, from_x, from_h, weight, h, bias: torch.tanh(from_x + r * from_h),
    answer=lambda z, n, h: (1 - z) * n + z * h,
    order="rzn",
    gates=False,
):
    """The GRU's cell, or its gates, with one part changed."""

    def function(x, hidden, *weights):
        nn.gru_gates(x, hidden, *weights)  # refuses
        from_x, from_h = (dict(zip(order, part.chunk(3, 1), strict=True)) for part in sums(x, hidden, *weights))
        r, z = (torch.sigmoid(from_x[gate] + from_h[gate]) for gate in "rz")
        bias = weights[3].chunk(3)[2] if len(weights) > 2 and weights[3] is not None else 0.0
        n = candidate(r, from_x["n"], from_h["n"], weights[1].chunk(3)[2], hidden, bias)
        return (r, z, n) if gates else answer(z, n, hidden)

    return function


def reset_before_the_product(r, from_x, from_h, weight, h, bias):
    return torch.tanh(from_x + (r * h) @ weight.T + bias)


def bias_outside_the_reset(r, from_x, from_h, weight, h, bias):
    return torch.tanh(from_x + r * (from_h - bias) + bias)


def steps_like(keep=lambda mask, new, old: torch.where(mask, new, old), clean=True):
    """The unrolling with one part changed."""

    def function(cell, x, state, mask=None):
        if mask is not None and clean:
            x = x.where(mask[:, :, None], 0.0)
        for t, inputs in enumerate(x.unbind(1)):
            new = cell(inputs, state)
            pairs = zip(*(s if isinstance(s, tuple) else (s,) for s in (new, state)), strict=True)
            kept = new if mask is None else [keep(mask[:, t : t + 1], *pair) for pair in pairs]
            state = tuple(kept) if isinstance(new, tuple) else kept if mask is None else kept[0]
            yield state

    return function


def unrolled(change=lambda outputs, final, mask: (outputs, final), backwards=None):
    """The run to the end, with its answer changed, or with another way backwards."""

    def function(cell, x, state, mask=None, **options):
        if options.get("backwards") and backwards:
            return backwards(cell, x, state, mask)
        return change(*nn.unroll(cell, x, state, mask, **options), mask)

    return function


def from_the_padding(cell, x, state, mask):
    """Backwards over the padding, as over zeros."""
    x = x if mask is None else x.where(mask[:, :, None], 0.0)
    outputs, final = nn.unroll(cell, x.flip(1), state)
    return outputs.flip(1) if mask is None else outputs.flip(1).where(mask[:, :, None], 0.0), final


def left_reversed(cell, x, state, mask):
    outputs, final = nn.unroll(cell, x, state, mask, backwards=True)
    return outputs.flip(1), final


def biases_of(layer, gates):
    """Pairs of biases, a row for each gate, that can be written to."""
    for name, bias in layer.named_parameters():
        if name.startswith("bias_ih"):
            other = getattr(layer, name.replace("_ih", "_hh"))
            yield tuple(b.detach().view(gates, -1) for b in (bias, other))


def forgetting(change, *, first=False):
    """`forget_bias_` followed by a fault; the first layer's alone if wanted."""

    def function(lstm, value):
        before = copy.deepcopy(lstm.state_dict())
        nn.forget_bias_(lstm, value)
        for place, (ih, hh) in enumerate(biases_of(lstm, 4)):
            if not first or place:
                change(ih, hh, value, [t.view(4, -1) for n, t in before.items() if n.startswith("bias_ih")][place])
        return lstm

    return function


def input_for_forget(ih, hh, value, before):
    ih[0], ih[1] = value, before[1]


def chrono_like(change=None, times=None):
    """`chrono_` followed by a fault, or with times of another kind."""

    def function(layer, longest, *, generator):
        state = generator.get_state()
        nn.chrono_(layer, longest, generator=generator)
        again = torch.Generator(generator.device)
        again.set_state(state)
        gates = 4 if isinstance(layer, (torch.nn.LSTM, torch.nn.LSTMCell)) else 3
        for ih, hh in biases_of(layer, gates):
            u = torch.empty(layer.hidden_size, device=generator.device).uniform_(1, longest - 1, generator=again)
            if times:
                ih[1] = times(u, longest)
                if gates == 4:
                    ih[0] = -ih[1]
            if change:
                change(ih, hh, gates)
        return layer

    return function


def chrono_sign(ih, hh, gates):
    if gates == 3:
        ih[1] = -ih[1]


def chrono_input(ih, hh, gates):
    if gates == 4:
        ih[0] = 0


def chrono_twice(ih, hh, gates):
    hh[1] = ih[1]


def one_draw(layer, longest, *, generator):
    nn.chrono_(layer, longest, generator=generator)
    gates = 4 if isinstance(layer, (torch.nn.LSTM, torch.nn.LSTMCell)) else 3
    first, *others = biases_of(layer, gates)
    for ih, _ in others:
        ih[1] = first[0][1]
        if gates == 4:
            ih[0] = first[0][0]
    return layer


def flow_like(norm, parts=2):
    """The gradient flow from torch's Jacobian, with another norm, or of a part of the state."""

    def function(cell, x, state):
        nn.gradient_flow(cell, x, state)  # refuses
        as_tuple = lambda s: s if isinstance(s, tuple) else (s,)  # noqa: E731
        as_state = lambda parts: parts if len(parts) > 1 else parts[0]  # noqa: E731
        now, norms = as_tuple(state), []
        for t in range(x.shape[1]):
            now = tuple(part.detach() for part in as_tuple(cell(x[:, t], as_state(now))))

            def last(*now, rest=x[:, t + 1 :]):
                for inputs in rest.unbind(1):
                    now = as_tuple(cell(inputs, as_state(now)))
                return now[0].sum(0)  # an example's state changes its own answer alone

            slopes = torch.autograd.functional.jacobian(last, now)
            norms.append(norm(torch.cat(slopes[:parts], 2).transpose(0, 1)))
        return torch.stack(norms, 1)

    return function


def spectral(matrix):
    return torch.linalg.matrix_norm(matrix, ord=2)


def leaving_gradients(cell, x, state):
    found = nn.gradient_flow(cell, x, state)
    if isinstance(cell, torch.nn.Module):
        with torch.enable_grad():
            new = cell(x[:, 0], state)
            (new if isinstance(new, torch.Tensor) else new[0]).sum().backward()
    return found


def radius_like(size):
    """The spectral radius, measured otherwise; it refuses as ours does."""
    return lambda weight: nn.spectral_radius(weight) * 0 + size(weight)


def to_the_largest_singular_value(weight, radius):
    nn.scale_spectral_radius_(weight, radius)  # refuses
    with torch.no_grad():
        return weight.mul_(radius / spectral(weight)) if radius else weight


def starting(base, change):
    """A recurrent layer whose parameters start otherwise."""

    def start(self, *sizes, **options):
        base.__init__(self, *sizes, **options)
        with torch.no_grad():
            for name, p in self.named_parameters():
                change(name, p, options["generator"])

    return broken(base, __init__=start)


def zero_biases(name, p, generator):
    if "bias" in name:
        p.zero_()


def by_fan_in(name, p, generator):
    if p.ndim > 1:
        p.uniform_(-(p.shape[1] ** -0.5), p.shape[1] ** -0.5, generator=generator)


def from_the_global_stream(name, p, generator):
    p.copy_(torch.rand_like(p))


def layer_with(base, *, given=lambda x, state, lengths: (x, state, lengths), answer=None):
    """A recurrent layer with what it is given or what it answers changed; it refuses as ours does."""

    def forward(self, x, state=None, *, lengths=None):
        if self.training and not self.dropout:
            base.forward(self, x, state, lengths=lengths)  # refuses
        new_x, new_state, new_lengths = given(x, state, lengths)
        found = base.forward(self, new_x, new_state, lengths=new_lengths)
        return answer(self, x, lengths, *found) if answer else found

    return broken(base, forward=forward)


def last_output_as_state(self, x, lengths, outputs, final):
    """The hidden state of the last position, padding or not; of the forward direction."""
    hidden = final[0] if isinstance(final, tuple) else final
    hidden = hidden.clone()
    hidden[-1 - self.bidirectional] = outputs[:, -1, : self.hidden_size]
    return outputs, (hidden, final[1]) if isinstance(final, tuple) else hidden


def dropped_at_the_end(self, x, lengths, outputs, final):
    return nn.dropout(outputs, self.dropout) if self.dropout and self.training else outputs, final


def halves_swapped(self, x, lengths, outputs, final):
    return torch.cat(outputs.chunk(2, 2)[::-1], 2) if self.bidirectional else outputs, final


def directions_apart(self, x, lengths, outputs, final):
    """Final states: all forward ones, then all backward ones."""
    change = lambda s: torch.cat([s[::2], s[1::2]]) if self.bidirectional else s  # noqa: E731
    return outputs, tuple(map(change, final)) if isinstance(final, tuple) else change(final)


def padding_shown(self, x, lengths, outputs, final):
    if lengths is not None:
        rows = torch.arange(len(x), device=x.device)
        last = outputs[rows, lengths - 1][:, None]
        outputs = torch.where(nn.length_mask(lengths, x.shape[1])[:, :, None], outputs, last)
    return outputs, final


def evaluating(self, x, state=None, *, lengths=None):
    """Dropout at evaluation too."""
    mode = self.training
    found = type(self).__mro__[1].forward(self.train(), x, state, lengths=lengths)
    self.train(mode)
    return found


def never_dropping(self, x, state=None, *, lengths=None):
    mode = self.training
    found = type(self).__mro__[1].forward(self.eval(), x, state, lengths=lengths)
    self.train(mode)
    return found


def backward_from_the_padding(base):
    """The backward direction reads the padding first, as zeros."""

    def forward(self, x, state=None, *, lengths=None):
        found = base.forward(self, x, state, lengths=lengths)
        if lengths is None or not self.bidirectional:
            return found
        x = x.where(nn.length_mask(lengths, x.shape[1])[:, :, None], 0.0)
        outputs = base.forward(self, x, state)[0]
        half = self.hidden_size
        return torch.cat([found[0][:, :, :half], outputs[:, :, half:]], 2), found[1]

    return broken(base, forward=forward)


def of_recurrent_layers():
    """The faults of the three layers, which are the same for each."""
    for name in ("RNN", "LSTM", "GRU"):
        base = getattr(nn, name)
        for fault, version in {
            "lengths ignored": layer_with(base, given=lambda x, s, lengths: (x, s, None)),
            "one position too many": layer_with(
                base, given=lambda x, s, n: (x, s, None if n is None else (n + 1).clamp(max=x.shape[1]))
            ),
            "the state that is given ignored": layer_with(base, given=lambda x, s, n: (x, None, n)),
            "the batch second": layer_with(base, given=lambda x, s, n: (x.transpose(0, 1).reshape(x.shape), s, n)),
            "the state of the last position, padding or not": layer_with(base, answer=last_output_as_state),
            "the last hidden state shown behind the length": layer_with(base, answer=padding_shown),
            "backwards from the padding": backward_from_the_padding(base),
            "directions swapped in the outputs": layer_with(base, answer=halves_swapped),
            "final states direction by direction": layer_with(base, answer=directions_apart),
            "dropout behind the last layer": layer_with(base, answer=dropped_at_the_end),
            "drops at evaluation": broken(base, forward=evaluating),
            "never drops": broken(base, forward=never_dropping),
            "biases of 0 at first": starting(base, zero_biases),
            "bounds from the fan-in": starting(base, by_fan_in),
            "a start from the global stream": starting(base, from_the_global_stream),
        }.items():
            yield f"nn.{name}", fault, version
        cell = getattr(nn, f"{name}Cell")
        for fault, version in {
            "biases of 0 at first": starting(cell, zero_biases),
            "bounds from the fan-in": starting(cell, by_fan_in),
            "a start from the global stream": starting(cell, from_the_global_stream),
            "the state ignored": broken(cell, forward=lambda self, x, state=None, f=cell.forward: f(self, x)),
            "without biases": broken(cell, __init__=without_bias),
        }.items():
            yield f"nn.{name}Cell", fault, version


NAMED = [
    ("nn.sigmoid", "overflows far below 0", nn.sigmoid_definition),
    (
        "nn.sigmoid",
        "slope 0 at 0, from abs",
        lambda x: torch.where(x >= 0, 1.0, torch.exp(-x.abs())) / (1 + torch.exp(-x.abs())),
    ),
    (
        "nn.sigmoid",
        "where leaks a slope that is no number",
        lambda x: torch.where(x >= 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x))),
    ),
    ("nn.sigmoid", "clipped, so the slope dies too early", lambda x: 1 / (1 + torch.exp(-x.clamp(-15, 15)))),
    ("nn.sigmoid", "always float32", lambda x: torch.sigmoid(x.float())),
    ("nn.sigmoid", "changes its argument", lambda x: torch.sigmoid(x.detach().mul_(2)) if x.requires_grad else x),
    ("nn.sigmoid", "flattens", lambda x: torch.sigmoid(x).flatten()),
    ("nn.log_sigmoid", "log of the sigmoid", lambda x: torch.log(nn.sigmoid(x))),
    (
        "nn.log_sigmoid",
        "slope 1 or 0 at 0, from clamp and abs",
        lambda x: x.clamp(max=0) - torch.log1p(torch.exp(-x.abs())),
    ),
    ("nn.softplus", "overflows far above 0", nn.softplus_definition),
    (
        "nn.softplus",
        "log(1 + small) rounds to 0",
        lambda x: torch.where(x > 0, x, 0.0) + torch.log(1 + torch.exp(-x.abs())),
    ),
    ("nn.tanh", "overflows", nn.tanh_definition),
    ("nn.tanh", "the sigmoid's scale forgotten", lambda x: 2 * nn.sigmoid(x) - 1),
    ("nn.relu", "slope 1 at 0, from clamp", lambda x: x.clamp(min=0)),
    ("nn.relu", "slope 1/2 at 0, from maximum", lambda x: torch.maximum(x, torch.zeros_like(x))),
    ("nn.relu", "the absolute value: right for what is not negative", torch.abs),
    ("nn.relu", "the step as a constant: no slope", lambda x: torch.where(x <= 0, 0.0, x.detach()) + 0 * x),
    ("nn.leaky_relu", "slope ignored", lambda x, *, negative_slope=0.01: torch.where(x > 0, x, 0.01 * x)),
    (
        "nn.leaky_relu",
        "maximum: wrong for slopes above 1",
        lambda x, *, negative_slope=0.01: torch.maximum(x, negative_slope * x),
    ),
    ("nn.elu", "alpha ignored", lambda x, *, alpha=1.0: nn.elu(x)),
    ("nn.elu", "alpha on both sides", lambda x, *, alpha=1.0: alpha * nn.elu(x)),
    ("nn.elu", "where leaks", lambda x, *, alpha=1.0: torch.where(x > 0, x, alpha * torch.expm1(x))),
    ("nn.elu", "slope 0 at 0", lambda x, *, alpha=1.0: nn.relu(x) + alpha * torch.expm1(-nn.relu(-x))),
    ("nn.gelu", "the tanh form", nn.gelu_tanh),
    ("nn.gelu", "erf without the root of 2", lambda x: x * (1 + torch.erf(x)) / 2),
    ("nn.gelu_tanh", "the exact form", nn.gelu),
    ("nn.gelu_tanh", "the 1.702 form", lambda x: x * nn.sigmoid(1.702 * x)),
    ("nn.silu", "the sigmoid alone", nn.sigmoid),
    ("nn.silu", "detached gate", lambda x: x * nn.sigmoid(x).detach()),
    ("nn.softmax", "overflows", nn.softmax_definition),
    (
        "nn.softmax",
        "one maximum for the whole tensor",
        lambda x, *, dim=-1: nn.softmax_definition(x - x.max(), dim=dim) if x.numel() else x,
    ),
    ("nn.softmax", "wrong dimension", lambda x, *, dim=-1: nn.softmax(x, dim=0)),
    ("nn.log_softmax", "log of softmax", lambda x, *, dim=-1: torch.log(nn.softmax(x, dim=dim))),
    ("nn.logsumexp", "overflows", nn.logsumexp_definition),
    ("nn.logsumexp", "just the maximum", lambda x, *, dim=-1: x.amax(dim)),
    (
        "nn.logsumexp",
        "forgets to add the maximum back",
        lambda x, *, dim=-1: nn.logsumexp_definition(x - x.amax(dim, keepdim=True), dim=dim),
    ),
    ("nn.logsumexp", "keeps the dimension", lambda x, *, dim=-1: nn.logsumexp(x, dim=dim).unsqueeze(dim)),
    ("nn.cross_entropy", "log of softmax", mean_of_picked(lambda z: torch.log(nn.softmax(z)))),
    ("nn.cross_entropy", "over the wrong axis", mean_of_picked(lambda z: nn.log_softmax(z, dim=0))),
    ("nn.cross_entropy", "softmax twice", mean_of_picked(lambda z: nn.log_softmax(nn.softmax(z)))),
    ("nn.cross_entropy", "sum, not mean", lambda z, y: nn.cross_entropy(z, y) * len(y)),
    ("nn.cross_entropy", "mean over all entries", lambda z, y: nn.cross_entropy(z, y) / z.shape[1]),
    ("nn.cross_entropy", "base 2", lambda z, y: nn.cross_entropy(z, y) / math.log(2)),
    ("nn.cross_entropy", "small constant inside the log", mean_of_picked(lambda z: torch.log(nn.softmax(z) + 1e-8))),
    ("nn.cross_entropy", "every pair of example and label", lambda z, y: -nn.log_softmax(z)[:, y.long()].mean()),
    ("nn.cross_entropy", "right sums, silent on wrong labels", mean_of_picked(nn.log_softmax)),
    (
        "nn.binary_cross_entropy_with_logits",
        "logs of probabilities",
        lambda z, t: -(t * torch.log(nn.sigmoid(z)) + (1 - t) * torch.log(1 - nn.sigmoid(z))).mean(),
    ),
    (
        "nn.binary_cross_entropy_with_logits",
        "a difference that loses small costs",
        lambda z, t: (nn.softplus(z) - t * z).mean(),
    ),
    (
        "nn.binary_cross_entropy_with_logits",
        "the sum",
        lambda z, t: nn.binary_cross_entropy_with_logits(z, t) * z.numel(),
    ),
    (
        "nn.binary_cross_entropy_with_logits",
        "sigmoid twice",
        lambda z, t: nn.binary_cross_entropy_with_logits(nn.sigmoid(z), t),
    ),
    ("nn.linear", "not transposed", lambda x, w, b=None: nn.linear(x, w.reshape(w.shape[::-1]).T, b)),
    ("nn.linear", "bias ignored", lambda x, w, b=None: nn.linear(x, w)),
    ("nn.linear", "bias taken away", lambda x, w, b=None: nn.linear(x, w) - (0 if b is None else b)),
    ("nn.linear", "bias detached", lambda x, w, b=None: nn.linear(x, w, b if b is None else b.detach())),
    ("nn.linear", "right, but silent on wrong sizes", lambda x, w, b=None: x @ w.T + (0 if b is None else b)),
    ("nn.fans", "swapped", lambda shape: nn.fans(shape)[::-1]),
    ("nn.fans", "without the field", lambda shape: (shape[1], shape[0])),
    ("nn.fans", "the field squared", lambda shape: tuple(n * math.prod(shape[2:]) for n in nn.fans(shape))),
    ("nn.gain", "the square", lambda name: nn.gain(name) ** 2),
    ("nn.gain", "1 for what it does not know", lambda name: nn.gain(name) if name != "gelu" else 1.0),
    ("nn.xavier_normal", "fan_in alone", std_from(1.0, lambda i, o, g: g / math.sqrt(i))),
    ("nn.xavier_normal", "variance for standard deviation", std_from(1.0, lambda i, o, g: g * 2 / (i + o))),
    ("nn.xavier_normal", "no mean of the fans", std_from(1.0, lambda i, o, g: g / math.sqrt(i + o))),
    ("nn.xavier_normal", "gain ignored", std_from(1.0, lambda i, o, g: math.sqrt(2 / (i + o)))),
    ("nn.xavier_uniform", "the standard deviation as bound", bound_from(1.0, lambda i, o, g: g * (2 / (i + o)) ** 0.5)),
    ("nn.xavier_uniform", "within 0 and the bound", lambda shape, **o: nn.xavier_uniform(shape, **o).abs()),
    ("nn.he_normal", "fan_out for fan_in", std_from(ROOT2, lambda i, o, g: g / math.sqrt(o))),
    ("nn.he_normal", "variance for standard deviation", std_from(ROOT2, lambda i, o, g: g**2 / i)),
    ("nn.he_normal", "1 for 2", std_from(ROOT2, lambda i, o, g: g / ROOT2 / math.sqrt(i))),
    ("nn.he_normal", "the mean of the fans", std_from(ROOT2, lambda i, o, g: g * math.sqrt(2 / (i + o)))),
    ("nn.he_normal", "gain squared", std_from(ROOT2, lambda i, o, g: g * g / math.sqrt(i))),
    (
        "nn.he_normal",
        "from the global stream",
        lambda shape, *, generator, **o: nn.he_normal(shape, generator=torch.default_generator, **o),
    ),
    ("nn.he_normal", "always float32", lambda shape, *, dtype=None, **o: nn.he_normal(shape, **o)),
    ("nn.he_normal", "a parameter at once", lambda shape, **o: nn.he_normal(shape, **o).requires_grad_()),
    ("nn.he_uniform", "fan_out for fan_in", bound_from(ROOT2, lambda i, o, g: g * math.sqrt(3 / o))),
    ("nn.he_uniform", "the standard deviation as bound", bound_from(ROOT2, lambda i, o, g: g / math.sqrt(i))),
    ("nn.orthogonal", "the routine's own signs", unsigned_orthogonal),
    ("nn.orthogonal", "gain ignored", lambda shape, *, gain=1.0, **o: nn.orthogonal(shape, **o)),
    ("nn.orthogonal", "just normal", lambda shape, **o: nn.xavier_normal(shape, **o)),
    ("nn.dropout", "not scaled", dropout_like(lambda x, keep, p: x * keep)),
    ("nn.dropout", "scaled by 1 - p, as at test time", dropout_like(lambda x, keep, p: x * keep * (1 - p))),
    ("nn.dropout", "divided by p", dropout_like(lambda x, keep, p: x * keep / p if p else x)),
    ("nn.dropout", "p is the probability to keep", dropout_like(drop=lambda numbers, p: numbers < p)),
    ("nn.dropout", "not a number at p = 1", dropout_like(lambda x, keep, p: x * keep / torch.tensor(1.0 - p).to(x))),
    ("nn.dropout", "whole rows", dropout_like(drop=lambda numbers, p: (numbers >= p)[:1].expand_as(numbers))),
    ("nn.dropout", "no slope", lambda x, p, **o: nn.dropout(x.detach(), p, **o) + 0 * x),
    ("nn.dropout", "generator ignored", lambda x, p, *, generator=None: nn.dropout(x, p)),
    ("nn.dropout", "silent on what is no probability", lambda x, p, **o: nn.dropout(x, min(max(p, 0.0), 1.0), **o)),
    ("nn.moments", "unbiased variance", lambda x: torch.var_mean(x, [d for d in range(x.ndim) if d != 1])[::-1]),
    (
        "nn.moments",
        "the mean of the variances at each position",
        lambda x: (nn.moments(x)[0], x.var(0, correction=0).reshape(x.shape[1], -1).mean(1)),
    ),
    ("nn.moments", "standard deviation for variance", lambda x: (nn.moments(x)[0], nn.moments(x)[1].sqrt())),
    ("nn.moments", "detached", lambda x: tuple(t.detach() for t in nn.moments(x))),
    (
        "nn.moments",
        "E[x^2] - E[x]^2, which loses the digits far from 0",
        lambda x: (nn.moments(x)[0], nn.moments(x.square())[0] - nn.moments(x)[0].square()),
    ),
    ("nn.batch_norm", "eps outside of the root", norm_like(std=lambda var, eps: torch.sqrt(var) + eps)),
    ("nn.batch_norm", "eps ignored", norm_like(std=lambda var, eps: torch.sqrt(var + 1e-5))),
    ("nn.batch_norm", "variance for standard deviation", norm_like(std=lambda var, eps: var + eps)),
    ("nn.batch_norm", "shifted, then scaled", norm_like(finish=lambda z, weight, bias: (z + bias) * weight)),
    ("nn.batch_norm", "not scaled", norm_like(finish=lambda z, weight, bias: z + bias)),
    (
        "nn.batch_norm",
        "moments as constants",
        lambda x, mean, var, *a, **o: nn.batch_norm(x, mean.detach(), var.detach(), *a, **o),
    ),
    (
        "nn.batch_norm",
        "the batch's own moments, whatever is handed in",
        lambda x, mean, var, *a, **o: nn.batch_norm(x, mean, var, *a) * 0 + nn.batch_norm(x, *nn.moments(x), *a, **o),
    ),
    ("nn.layer_norm", "over the batch", layer_norm_like(dim=0)),
    ("nn.layer_norm", "unbiased variance", layer_norm_like(correction=1)),
    ("nn.layer_norm", "eps outside of the root", layer_norm_like(std=lambda var, eps: torch.sqrt(var) + eps)),
    ("nn.layer_norm", "neither scaled nor shifted", layer_norm_like(scale=False)),
    ("nn.Linear", "a bias drawn, as in torch", broken(nn.Linear, __init__=torch_like_bias)),
    ("nn.Linear", "no bias", broken(nn.Linear, __init__=without_bias)),
    ("nn.Linear", "init ignored", broken(nn.Linear, __init__=without_init)),
    ("nn.Linear", "drawn with the fans swapped", broken(nn.Linear, __init__=drawn_transposed)),
    ("nn.Linear", "bias not used", broken(nn.Linear, forward=lambda self, x: nn.linear(x, self.weight))),
    *(
        (f"nn.{name}{loops}", fault, convolved(before, after, transposed))
        for name, transposed in (("conv2d", False), ("conv_transpose2d", True))
        for loops in ("", "_loops")
        for fault, before, after in (
            ("the kernel flipped", lambda x, weight, o: (x, weight.flip(2, 3), o), plus_bias),
            ("rows and columns of the stride swapped", other_pair("stride"), plus_bias),
            ("rows and columns of the padding swapped", other_pair("padding"), plus_bias),
            ("stride 1, always", without("stride"), plus_bias),
            ("dilation ignored", without("dilation"), plus_bias),
            ("padding ignored", without("padding"), plus_bias),
            ("channels dealt out to the groups in turn", ungrouped_channels, plus_bias),
            ("bias ignored", lambda x, weight, o: (x, weight, o), lambda out, bias: out),
            ("bias of the last channel for all", lambda x, weight, o: (x, weight, o), lambda out, bias: out + bias[-1]),
            ("the picture cut off from the gradient", lambda x, weight, o: (x.detach(), weight, o), plus_bias),
            ("the slope of the weight halved", lambda x, weight, o: (x, (weight + weight.detach()) / 2, o), plus_bias),
        )
    ),
    ("nn.conv2d", "right, but silent on wrong shapes", torch.nn.functional.conv2d),
    ("nn.conv2d_loops", "right, but silent on wrong shapes", torch.nn.functional.conv2d),
    ("nn.conv_transpose2d", "output_padding ignored", convolved(without("output_padding"), transposed=True)),
    ("nn.conv_transpose2d", "right, but silent on wrong shapes", torch.nn.functional.conv_transpose2d),
    ("nn.Conv2d", "torch's own start", broken(nn.Conv2d, __init__=laid_over(torch.nn.Conv2d))),
    ("nn.Conv2d", "init ignored", broken(nn.Conv2d, __init__=without_init)),
    ("nn.Conv2d", "a bias drawn", broken(nn.Conv2d, __init__=torch_like_bias)),
    (
        "nn.Conv2d",
        "bias not used",
        broken(nn.Conv2d, forward=lambda self, x: self._conv_forward(x, self.weight, None)),
    ),
    (
        "nn.ConvTranspose2d",
        "torch's own start",
        broken(nn.ConvTranspose2d, __init__=laid_over(torch.nn.ConvTranspose2d)),
    ),
    ("nn.ConvTranspose2d", "init ignored", broken(nn.ConvTranspose2d, __init__=without_init)),
    ("nn.ConvTranspose2d", "a bias drawn", broken(nn.ConvTranspose2d, __init__=torch_like_bias)),
    ("nn.max_pool2d", "zero padding", zero_padded_max),
    ("nn.max_pool2d", "the slope shared among equals", shared_max),
    ("nn.max_pool2d", "the last of equals", last_of_equals),
    (
        "nn.max_pool2d",
        "stride 1 unless told otherwise",
        lambda x, kernel_size, stride=1, **o: nn.max_pool2d(x, kernel_size, stride, **o),
    ),
    ("nn.max_pool2d", "the least", lambda x, *a, **o: -nn.max_pool2d(-x, *a, **o)),
    ("nn.max_pool2d", "dilation ignored", pooled(nn.max_pool2d, dilation=1)),
    (
        "nn.max_pool2d",
        "nan passed over",
        pooled(nn.max_pool2d, lambda x: x.nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)),
    ),
    (
        "nn.avg_pool2d",
        "the sum",
        lambda x, k, **o: nn.avg_pool2d(x, k, **o) * (k if isinstance(k, int) else math.prod(k)),
    ),
    ("nn.avg_pool2d", "padding always counted", pooled(nn.avg_pool2d, count_include_pad=True)),
    ("nn.avg_pool2d", "padding never counted", pooled(nn.avg_pool2d, count_include_pad=False)),
    (
        "nn.avg_pool2d",
        "stride 1 unless told otherwise",
        lambda x, kernel_size, stride=1, **o: nn.avg_pool2d(x, kernel_size, stride, **o),
    ),
    ("nn.adaptive_avg_pool2d", "windows of equal size", equal_parts),
    ("nn.adaptive_avg_pool2d", "rows and columns swapped", lambda x, size: nn.adaptive_avg_pool2d(x.mT, size).mT),
    ("nn.adaptive_avg_pool2d", "the largest", torch.nn.functional.adaptive_max_pool2d),
    ("nn.output_size", "rounded up", rounded_up),
    ("nn.output_size", "dilation ignored", lambda *a, dilation=1, **o: nn.output_size(*a, **o)),
    ("nn.output_size", "padding on one side", lambda n, k, *, padding=0, **o: nn.output_size(n + padding, k, **o)),
    ("nn.output_size", "one too few", lambda *a, **o: nn.output_size(*a, **o) - 1),
    (
        "nn.transposed_output_size",
        "output_padding on both sides",
        lambda *a, output_padding=0, **o: (
            nn.transposed_output_size(*a, output_padding=output_padding, **o) + output_padding
        ),
    ),
    (
        "nn.transposed_output_size",
        "times the stride",
        lambda n, k, *, stride=1, **o: nn.transposed_output_size(n, k, **o) * stride,
    ),
    ("nn.ReceptiveField", "ends inclusive", broken(nn.ReceptiveField, window=inclusive)),
    (
        "nn.ReceptiveField",
        "columns before rows",
        broken(nn.ReceptiveField, window=lambda f, r, c: columns_first(f, r, c)),
    ),
    ("nn.receptive_fields", "kernels added up", fields_like(lambda f: nn.ReceptiveField(f.size, (1, 1), f.start))),
    ("nn.receptive_fields", "padding ignored", fields_like(lambda f: nn.ReceptiveField(f.size, f.step, (0, 0)))),
    (
        "nn.receptive_fields",
        "one too large",
        fields_like(lambda f: nn.ReceptiveField((f.size[0] + 1, f.size[1]), f.step, f.start)),
    ),
    (
        "nn.receptive_fields",
        "rows and columns swapped",
        fields_like(lambda f: nn.ReceptiveField(f.size[::-1], f.step[::-1], f.start[::-1])),
    ),
    (
        "nn.Dropout",
        "drops at evaluation",
        broken(nn.Dropout, forward=lambda self, x: nn.Dropout.forward(self.train(), x)),
    ),
    (
        "nn.Dropout",
        "scaled at evaluation",
        broken(nn.Dropout, forward=lambda self, x: nn.Dropout.forward(self, x) * (1 if self.training else 1 - self.p)),
    ),
    ("nn.Dropout", "never drops", broken(nn.Dropout, forward=lambda self, x: x)),
    ("nn.Dropout", "one mask for ever", broken(nn.Dropout, forward=one_mask)),
    (
        "nn.Dropout",
        "generator ignored",
        broken(nn.Dropout, forward=lambda self, x: nn.dropout(x, self.p) if self.training else x),
    ),
    ("nn.BatchNorm", "batch statistics at evaluation", broken(nn.BatchNorm, forward=batch_at_evaluation)),
    ("nn.BatchNorm", "running statistics in training", broken(nn.BatchNorm, forward=running_in_training)),
    ("nn.BatchNorm", "learns at evaluation too", broken(nn.BatchNorm, forward=learns_always)),
    ("nn.BatchNorm", "moments as constants", broken(nn.BatchNorm, _learn_from=constants_in_training)),
    ("nn.BatchNorm", "normalised with the unbiased variance", broken(nn.BatchNorm, _learn_from=unbiased_in_training)),
    ("nn.BatchNorm", "biased running variance", learning(var_of=lambda x, var: var)),
    ("nn.BatchNorm", "running standard deviation", learning(var_of=lambda x, var: var.sqrt())),
    ("nn.BatchNorm", "momentum the other way round", learning(share=lambda m: 1 - m)),
    ("nn.BatchNorm", "batches not counted", learning(count=0)),
    ("nn.BatchNorm", "running mean of the first example", learning(mean_of=lambda x: nn.moments(x[:1])[0])),
    ("nn.LayerNorm", "over the batch", broken(nn.LayerNorm, forward=layer_norm_over_the_batch)),
    (
        "nn.LayerNorm",
        "eps ignored",
        broken(nn.LayerNorm, forward=lambda self, x: nn.layer_norm(x, self.weight, self.bias)),
    ),
    (
        "nn.LayerNorm",
        "bias taken away again",
        broken(nn.LayerNorm, forward=lambda self, x: nn.LayerNorm.forward(self, x) - self.bias),
    ),
    ("nn.Normalize", "divided by the variance", broken(nn.Normalize, forward=divided_by_the_variance)),
    ("nn.Normalize", "measured on what comes in", broken(nn.Normalize, forward=measured_on_what_comes)),
    (
        "nn.Normalize",
        "no slope",
        broken(nn.Normalize, forward=lambda self, x: nn.Normalize.forward(self, x.detach()) + 0 * x),
    ),
    ("nn.Normalize", "unbiased std", measuring(correction=1)),
    ("nn.Normalize", "one pair for all channels", measuring(together=True)),
    ("nn.Normalize", "a constant divided by its rounding", measuring(exact=False)),
    ("nn.rnn_cell", "no bend", rnn_like(lambda a, b, bend: a + b)),
    ("nn.rnn_cell", "each part bent by itself", rnn_like(lambda a, b, bend: bend(a) + bend(b))),
    ("nn.rnn_cell", "activation ignored", rnn_like(lambda a, b, bend: torch.tanh(a + b))),
    ("nn.rnn_cell", "the state forgotten", rnn_like(lambda a, b, bend: bend(a + 0 * b))),
    (
        "nn.rnn_cell",
        "the weight transposed",
        lambda x, h, w, u, a=None, b=None, **o: nn.rnn_cell(x, h, w, u.T if len(u) == len(u.T) else u, a, b, **o),
    ),
    (
        "nn.rnn_cell",
        "shapes not checked",
        lambda x, h, *w, activation=torch.tanh: activation(sum(sums(x, h, *w))),
    ),
    ("nn.lstm_cell", "input and forget gate swapped", lstm_like("figo")),
    ("nn.lstm_cell", "candidate last", lstm_like("ifog")),
    (
        "nn.lstm_cell",
        "tanh and sigmoid swapped",
        lstm_like(bends=(torch.tanh, torch.tanh, torch.sigmoid, torch.tanh)),
    ),
    ("nn.lstm_cell", "sigmoid for the candidate", lstm_like(bends=(torch.sigmoid,) * 4)),
    ("nn.lstm_cell", "forgets where it should keep", lstm_like(memory=lambda c, i, f, g: (1 - f) * c + i * g)),
    ("nn.lstm_cell", "no forget gate", lstm_like(memory=lambda c, i, f, g: c + i * g + 0 * f)),
    ("nn.lstm_cell", "the memory shown without tanh", lstm_like(shown=lambda o, new, old: o * new)),
    ("nn.lstm_cell", "the old memory shown", lstm_like(shown=lambda o, new, old: o * torch.tanh(old))),
    ("nn.lstm_cell", "cell before hidden", lstm_like(answer=lambda hidden, cell: (cell, hidden))),
    ("nn.lstm_gates", "input and forget gate swapped", lstm_gates_like((1, 0, 2, 3))),
    ("nn.lstm_gates", "candidate last", lstm_gates_like((0, 1, 3, 2))),
    ("nn.lstm_gates", "bent twice", lstm_gates_like(bend=lambda gates: [torch.sigmoid(gate) for gate in gates])),
    ("nn.gru_cell", "reset before the product", gru_like(reset_before_the_product)),
    ("nn.gru_cell", "a bias outside the reset", gru_like(bias_outside_the_reset)),
    ("nn.gru_cell", "no reset", gru_like(lambda r, a, b, *rest: torch.tanh(a + b + 0 * r))),
    ("nn.gru_cell", "the update gate the other way round", gru_like(answer=lambda z, n, h: z * n + (1 - z) * h)),
    ("nn.gru_cell", "reset and update gate swapped", gru_like(order="zrn")),
    ("nn.gru_gates", "reset before the product", gru_like(reset_before_the_product, gates=True)),
    ("nn.gru_gates", "reset and update gate swapped", gru_like(order="zrn", gates=True)),
    ("nn.unroll_steps", "mask ignored", lambda cell, x, state, mask=None: nn.unroll_steps(cell, x, state)),
    ("nn.unroll_steps", "slopes through a nan that is left out", steps_like(clean=False)),
    ("nn.unroll_steps", "the state set to 0 behind the length", steps_like(lambda m, new, old: new.where(m, 0.0))),
    (
        "nn.unroll_steps",
        "all at once",
        lambda cell, x, state, mask=None: iter(list(nn.unroll_steps(cell, x, state, mask))),
    ),
    (
        "nn.unroll_steps",
        "the state before each step",
        lambda cell, x, state, mask=None: iter([state, *nn.unroll_steps(cell, x, state, mask)][:-1]),
    ),
    ("nn.unroll", "backwards ignored", unrolled(backwards=nn.unroll)),
    ("nn.unroll", "backwards from the padding", unrolled(backwards=from_the_padding)),
    ("nn.unroll", "backward outputs left reversed", unrolled(backwards=left_reversed)),
    (
        "nn.unroll",
        "the last hidden state shown behind the length",
        unrolled(lambda out, final, m: (out if m is None else torch.where(m[:, :, None], out, out[:, :1]), final)),
    ),
    ("nn.length_mask", "one too many", lambda n, time: nn.length_mask(n, time) | nn.length_mask(n, time).roll(1, 1)),
    ("nn.length_mask", "True at the padding", lambda n, time: ~nn.length_mask(n, time)),
    ("nn.length_mask", "numbers", lambda n, time: nn.length_mask(n, time).long()),
    ("nn.detach", "copies", lambda state: None if state is None else copy.deepcopy(nn.detach(state))),
    ("nn.detach", "only the hidden state", lambda s: (nn.detach(s[0]), s[1]) if isinstance(s, tuple) else nn.detach(s)),
    ("nn.detach", "does nothing", lambda state: state),
    ("nn.forget_bias_", "the input gate's rows", forgetting(input_for_forget)),
    ("nn.forget_bias_", "both biases", forgetting(lambda ih, hh, value, before: hh[1].fill_(value))),
    ("nn.forget_bias_", "added to the old", forgetting(lambda ih, hh, value, before: ih[1].add_(before[1]))),
    ("nn.forget_bias_", "the first layer only", forgetting(lambda ih, hh, v, old: ih[1].copy_(old[1]), first=True)),
    ("nn.forget_bias_", "all gates", forgetting(lambda ih, hh, value, before: ih.fill_(value))),
    ("nn.chrono_", "the input gate left at 0", chrono_like(chrono_input)),
    ("nn.chrono_", "both biases", chrono_like(chrono_twice)),
    ("nn.chrono_", "the sign of another convention", chrono_like(chrono_sign)),
    ("nn.chrono_", "no logarithm", chrono_like(times=lambda u, longest: u)),
    (
        "nn.chrono_",
        "uniform in the logarithm",
        chrono_like(times=lambda u, n: (u - 1) / max(n - 2, 1) * math.log(n - 1)),
    ),
    ("nn.chrono_", "the longest for every unit", chrono_like(times=lambda u, n: 0 * u + math.log(n - 1))),
    ("nn.chrono_", "one draw for all layers", one_draw),
    (
        "nn.chrono_",
        "from a copy of the generator",
        lambda layer, longest, *, generator: nn.chrono_(layer, longest, generator=copy.deepcopy(generator)),
    ),
    ("nn.gradient_flow", "Frobenius", flow_like(torch.linalg.matrix_norm)),
    ("nn.gradient_flow", "h alone of an LSTM", flow_like(spectral, parts=1)),
    ("nn.gradient_flow", "first to last", lambda *a: nn.gradient_flow(*a).flip(1)),
    ("nn.gradient_flow", "squared", lambda *a: nn.gradient_flow(*a).square()),
    ("nn.gradient_flow", "the mean of the batch", lambda *a: nn.gradient_flow(*a).mean(0)),
    ("nn.gradient_flow", "gradients left behind", leaving_gradients),
    ("nn.spectral_radius", "the largest singular value", radius_like(spectral)),
    ("nn.spectral_radius", "the largest real part", radius_like(lambda w: torch.linalg.eigvals(w).real.max())),
    ("nn.spectral_radius", "the largest number", radius_like(lambda w: w.abs().max())),
    ("nn.scale_spectral_radius_", "a copy", lambda w, r: nn.scale_spectral_radius_(w.clone(), r)),
    (
        "nn.scale_spectral_radius_",
        "by the largest singular value",
        to_the_largest_singular_value,
    ),
    (
        "nn.scale_spectral_radius_",
        "times, not to",
        lambda w, r: nn.scale_spectral_radius_(w, r * nn.spectral_radius(w).item()),
    ),
    *of_recurrent_layers(),
    ("hooks.capture", "hooks stay", hooking(stays=True)),
    ("hooks.capture", "hooks stay after an exception", hooking()),
    ("hooks.capture", "the first output", hooking(first=True)),
    ("hooks.capture", "detached", hooking(detach=True)),
    ("hooks.capture", "gradients always", hooking(always=True)),
    ("hooks.replace", "does nothing", replacing(lambda f, m, a, out: out)),
    ("hooks.replace", "silent on None", replacing(lambda f, m, a, out: f(out))),
    ("hooks.replace", "adds what it should put in place", replacing(lambda f, m, a, out: out + f(out))),
    ("hooks.replace", "hooks stay", replacing(lambda f, m, a, out: f(out), take_away=False)),
    ("models.lenet", "the norm before the pool", changed_model(models.lenet, in_order("conv", "norm", "pool", "relu"))),
    ("models.lenet", "no norm", changed_model(models.lenet, in_order("conv", "pool", "relu"))),
    ("models.lenet", "no bend", changed_model(models.lenet, in_order("conv", "pool", "norm"))),
    (
        "models.lenet",
        "the mean for the largest",
        changed_model(models.lenet, each(nn.MaxPool2d, lambda _: nn.AvgPool2d(2))),
    ),
    ("models.lenet", "sigmoids", changed_model(models.lenet, each(nn.ReLU, lambda _: torch.nn.Sigmoid()))),
    ("models.lenet", "without its linear layer", changed_model(models.lenet, lambda model: model[:-1])),
    (
        "models.lenet",
        "a softmax at the end",
        changed_model(models.lenet, lambda model: model.append(torch.nn.Softmax(1))),
    ),
    ("models.lenet", "not padded", changed_model(models.lenet, each(nn.Conv2d, unpadded))),
    ("models.lenet_classic", "ReLU", changed_model(models.lenet_classic, each(torch.nn.Sigmoid, lambda _: nn.ReLU()))),
    (
        "models.lenet_classic",
        "the largest for the mean",
        changed_model(models.lenet_classic, each(nn.AvgPool2d, lambda _: nn.MaxPool2d(2))),
    ),
    ("models.lenet_classic", "not padded", changed_model(models.lenet_classic, each(nn.Conv2d, unpadded))),
    ("models.ResidualBlock", "no short cut", block_with(lambda self, x: nn.relu(self.body(x)))),
    ("models.ResidualBlock", "the sum is not bent", block_with(lambda self, x: self.shortcut(x) + self.body(x))),
    (
        "models.ResidualBlock",
        "bent before the sum",
        block_with(lambda self, x: self.shortcut(x) + nn.relu(self.body(x))),
    ),
    ("models.ResidualBlock", "the body gives something at first", block_with(gain=1.0)),
    ("models.ResidualBlock", "only one path told", block_with(paths=lambda self: [self.body])),
    (
        "models.resnet",
        "the largest for the mean",
        changed_model(models.resnet, each(nn.AdaptiveAvgPool2d, lambda _: torch.nn.AdaptiveMaxPool2d(1))),
    ),
    ("models.resnet", "gains of 1 at first", changed_model(models.resnet, each(nn.BatchNorm, of_ones))),
    ("models.resnet", "no bend behind the stem", changed_model(models.resnet, each(nn.ReLU, lambda _: nn.Identity()))),
    ("models.mlp", "norm after the activation", mlp_like(("linear", "activation", "norm", "dropout"))),
    ("models.mlp", "dropout before the activation", mlp_like(("linear", "norm", "dropout", "activation"))),
    ("models.mlp", "no norm", mlp_like(("linear", "activation", "dropout"))),
    ("models.mlp", "no dropout", mlp_like(("linear", "norm", "activation"))),
    ("models.mlp", "a bend at the end", mlp_like(last=("linear", "activation"))),
    ("models.mlp", "Xavier for He", lambda sizes, *, init=nn.xavier_normal, **o: models.mlp(sizes, init=init, **o)),
    ("models.mlp", "init ignored", lambda sizes, *, init=None, **o: models.mlp(sizes, **o)),
    ("models.mlp", "activation ignored", lambda sizes, *, activation=None, **o: models.mlp(sizes, **o)),
    (
        "models.mlp",
        "from a copy of the generator",
        lambda sizes, *, generator, **o: models.mlp(sizes, generator=copy.deepcopy(generator), **o),
    ),
    ("models.perceptron_steps", "a score of 0 is no mistake", perceptron_like(mistake=lambda margin: margin < 0)),
    ("models.perceptron_steps", "wrong sign", perceptron_like(move=-1.0)),
    ("models.perceptron_steps", "no bias", perceptron_like(bias_move=0.0)),
    ("models.perceptron_steps", "half a step", perceptron_like(move=0.5, bias_move=0.5)),
    ("models.perceptron_steps", "updates when right", perceptron_like(mistake=lambda margin: margin > -math.inf)),
    ("models.perceptron_steps", "never stops", perceptron_like(stop=False)),
    ("models.perceptron_steps", "right, but silent on wrong labels", perceptron_like()),
    ("models.perceptron", "the first step", lambda x, y, *, epochs: next(models.perceptron_steps(x, y, epochs=epochs))),
    ("models.logistic_steps", "sum, not mean", logistic_like(slope=lambda x, error, z: x.T @ error)),
    ("models.logistic_steps", "bias forgotten", logistic_like(bias_slope=lambda error: 0 * error.mean())),
    ("models.logistic_steps", "wrong sign", logistic_like(slope=lambda x, error, z: -x.T @ error / len(x))),
    (
        "models.logistic_steps",
        "squared error: the slope of the sigmoid not cancelled",
        logistic_like(slope=lambda x, error, z: x.T @ (error * nn.sigmoid(z) * nn.sigmoid(-z)) / len(x)),
    ),
    ("models.logistic_steps", "right, but silent on wrong labels", logistic_like()),
    (
        "models.logistic",
        "one step too few",
        lambda x, y, *, lr, steps: [*models.logistic_steps(x, y, lr=lr, steps=steps)][max(steps - 1, 0)],
    ),
    ("models.two_layer", "no bend", lambda x, w1, b1, w2, b2, *, activation=None: (x @ w1.T + b1) @ w2.T + b2),
    (
        "models.two_layer",
        "bend on the last layer too",
        lambda x, w1, b1, w2, b2, *, activation=nn.relu: activation(
            models.two_layer(x, w1, b1, w2, b2, activation=activation)
        ),
    ),
    (
        "models.two_layer",
        "activation ignored",
        lambda x, w1, b1, w2, b2, *, activation=nn.relu: models.two_layer(x, w1, b1, w2, b2),
    ),
    (
        "models.two_layer",
        "bias after the bend",
        lambda x, w1, b1, w2, b2, *, activation=nn.relu: (activation(x @ w1.T) + b1) @ w2.T + b2,
    ),
]


# --- chapter 12 -------------------------------------------------------------------------------------------------------


def shuffled(pattern):
    """pixel_shuffle that lays the channels out by another pattern."""

    def function(x, factor):
        nn.pixel_shuffle(x, factor)  # refuses
        return rearrange(x, pattern, i=int(factor), j=int(factor))

    return function


def powering(*, order="vu", scale=lambda w: torch.nn.functional.normalize(w, dim=0), hold=True, answer=None):
    """power_iteration with one part changed."""

    def function(matrix, u, steps):
        nn.power_iteration(matrix, u, steps)  # refuses
        v = None
        with torch.set_grad_enabled(not hold):
            for _ in range(steps):
                if order == "uv":
                    v = scale(matrix.T @ u) if v is None else v
                    u = scale(matrix @ v)
                    v = scale(matrix.T @ u)
                else:
                    v = scale(matrix.T @ u)
                    u = scale(matrix @ v)
        return (answer or (lambda m, u, v: u @ m @ v))(matrix, u, v), u, v

    return function


def spectral_like(**methods):
    """spectral_norm whose parametrisation has some methods changed."""

    def function(layer, *, power_steps=1, generator):
        nn.spectral_norm(layer, power_steps=power_steps, generator=generator)
        scaling = layer.parametrizations.weight[0]
        scaling.__class__ = type("SpectralNorm", (type(scaling),), methods)
        return layer

    return function


def always_stepping(self, weight):
    sigma, self.u, self.v = nn.power_iteration(self.matrix(weight), self.u, self.power_steps)
    return weight / sigma


def never_going_on(self, weight):
    return weight / nn.power_iteration(self.matrix(weight), self.u, self.power_steps)[0]


def sigma_held(self, weight):
    scaled = type(self).__base__.forward(self, weight)
    return weight * (scaled.detach().abs().max() / weight.detach().abs().max())


def exactly(self, weight):
    return weight / torch.linalg.matrix_norm(self.matrix(weight), ord=2)


def averaging(change):
    """moving_average_ that does change(average's tensor, model's tensor, decay) to parameters, or to all."""

    @torch.no_grad()
    def function(average, model, decay):
        training.moving_average_(copy.deepcopy(average), model, decay)  # refuses
        own = {t.data_ptr() for t in (*model.parameters(), *model.buffers())}
        if any(t.data_ptr() in own for t in (*average.parameters(), *average.buffers())):
            training.moving_average_(average, model, decay)
        change(average, model, decay)

    return function


def each_parameter(move):
    def change(average, model, decay):
        for mine, theirs in zip(average.parameters(), model.parameters(), strict=True):
            move(mine, theirs, decay)
        for mine, theirs in zip(average.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)

    return change


def parameters_alone(average, model, decay):
    for mine, theirs in zip(average.parameters(), model.parameters(), strict=True):
        mine.lerp_(theirs.to(mine), 1 - decay)


def buffers_too(average, model, decay):
    parameters_alone(average, model, decay)
    for mine, theirs in zip(average.buffers(), model.buffers(), strict=True):
        mine.copy_(decay * mine + (1 - decay) * theirs)


def gan_like(build, change):
    """The builder of a network of a GAN, with a change made to what it built."""
    return lambda *args, **options: change(build(*args, **options))


# What faults are made with, nothing changed: right.
UNCHANGED = [
    ("nn.pixel_shuffle", shuffled("b (c i j) h w -> b c (h i) (w j)")),
    ("nn.power_iteration", powering()),
    ("nn.spectral_norm", spectral_like()),
    ("training.moving_average_", averaging(each_parameter(lambda mine, theirs, d: mine.lerp_(theirs.to(mine), 1 - d)))),
    ("models.gan_generator", gan_like(models.gan_generator, lambda model: model)),
]


def with_layers(kind, new):
    """Each layer of a kind replaced by new(), or left out where that is None."""

    def change(model):
        named = [(name, new() if isinstance(layer, kind) else layer) for name, layer in model.named_children()]
        return nn.Sequential(OrderedDict((name, layer) for name, layer in named if layer is not None))

    return change


def copied_generator(build, *args, generator, **options):
    return build(*args, generator=copy.deepcopy(generator), **options)


GANS = ("gan_generator", "gan_discriminator", "subpixel_generator", "conv_discriminator")
LEAKY = torch.nn.LeakyReLU
NAMED += [
    ("nn.pixel_shuffle", "columns before rows", shuffled("b (c i j) h w -> b c (h j) (w i)")),
    ("nn.pixel_shuffle", "the places before the channel", shuffled("b (i j c) h w -> b c (h i) (w j)")),
    ("nn.pixel_shuffle", "the blocks apart", shuffled("b (c i j) h w -> b c (i h) (j w)")),
    ("nn.pixel_shuffle", "repeated", lambda x, r: nn.pixel_shuffle(x[:, :: r * r].repeat_interleave(r * r, 1), r)),
    ("nn.PixelShuffle", "twice", broken(nn.PixelShuffle, forward=lambda self, x: nn.pixel_shuffle(x, 2))),
    ("nn.power_iteration", "half a step on", powering(order="uv")),
    ("nn.power_iteration", "slopes through u and v", powering(hold=False)),
    ("nn.power_iteration", "not scaled", powering(scale=lambda w: w)),
    ("nn.power_iteration", "by the largest number", powering(scale=lambda w: w / w.abs().max().clamp(min=1e-12))),
    ("nn.power_iteration", "Frobenius", powering(answer=lambda m, u, v: m.norm())),
    ("nn.power_iteration", "sigma squared", powering(answer=lambda m, u, v: (m.T @ u) @ (m.T @ u))),
    ("nn.power_iteration", "sigma without a slope", powering(answer=lambda m, u, v: (u @ m @ v).detach())),
    ("nn.power_iteration", "one step only", lambda m, u, n: nn.power_iteration(m, u, min(n, 1))),
    ("nn.spectral_norm", "steps in eval mode", spectral_like(forward=always_stepping)),
    ("nn.spectral_norm", "begins anew each time", spectral_like(forward=never_going_on)),
    ("nn.spectral_norm", "sigma held constant", spectral_like(forward=sigma_held)),
    ("nn.spectral_norm", "exact, from singular values", spectral_like(forward=exactly)),
    ("nn.spectral_norm", "channels in first", spectral_like(matrix=lambda self, w: w.flatten(1))),
    (
        "nn.spectral_norm",
        "one step, whatever was said",
        lambda layer, *, power_steps=1, generator: nn.spectral_norm(
            layer, power_steps=1 if power_steps == 3 else power_steps, generator=generator
        ),
    ),
    (
        "nn.spectral_norm",
        "from a copy of the generator",
        lambda layer, *, generator, **o: nn.spectral_norm(layer, generator=copy.deepcopy(generator), **o),
    ),
    *(
        (f"models.{name}", "from a copy of the generator", partial(copied_generator, getattr(models, name)))
        for name in GANS
    ),
    *(
        (f"models.{name}", "no bend", gan_like(getattr(models, name), with_layers((LEAKY, nn.ReLU), nn.Identity)))
        for name in GANS
    ),
    ("models.gan_generator", "never bounded", lambda shape, *, bounded=False, **o: models.gan_generator(shape, **o)),
    (
        "models.gan_generator",
        "tanh for the sigmoid",
        gan_like(models.gan_generator, with_layers(torch.nn.Sigmoid, nn.Tanh)),
    ),
    (
        "models.gan_generator",
        "rows, not pictures",
        gan_like(models.gan_generator, with_layers(torch.nn.Unflatten, nn.Identity)),
    ),
    *(
        (
            f"models.{name}",
            "a column of logits",
            gan_like(getattr(models, name), lambda model: model[:-1].append(nn.Identity())),
        )
        for name in ("gan_discriminator", "conv_discriminator")
    ),
    *(
        (f"models.{name}", "the usual slope", gan_like(getattr(models, name), with_layers(LEAKY, LEAKY)))
        for name in ("gan_discriminator", "conv_discriminator")
    ),
    *(
        (
            f"models.{name}",
            "a sigmoid at the end",
            gan_like(getattr(models, name), lambda model: model.append(torch.nn.Sigmoid())),
        )
        for name in ("gan_discriminator", "conv_discriminator")
    ),
    (
        "models.subpixel_generator",
        "no norm",
        gan_like(models.subpixel_generator, with_layers(torch.nn.BatchNorm2d, nn.Identity)),
    ),
    (
        "models.subpixel_generator",
        "pixels repeated",
        gan_like(
            models.subpixel_generator,
            with_layers(nn.PixelShuffle, lambda: nn.Sequential(nn.PixelShuffle(2), nn.AvgPool2d(3, 1, 1))),
        ),
    ),
    (
        "training.moving_average_",
        "the other way round",
        averaging(each_parameter(lambda mine, theirs, decay: mine.lerp_(theirs.to(mine), decay))),
    ),
    (
        "training.moving_average_",
        "the model moves",
        averaging(each_parameter(lambda mine, theirs, decay: theirs.lerp_(mine.to(theirs), decay))),
    ),
    (
        "training.moving_average_",
        "shares memory with the model",
        averaging(each_parameter(lambda mine, theirs, decay: setattr(mine, "data", theirs.data))),
    ),
    ("training.moving_average_", "buffers forgotten", averaging(parameters_alone)),
    ("training.moving_average_", "buffers averaged", averaging(buffers_too)),
    (
        "training.moving_average_",
        "the model's mode taken over",
        lambda average, model, decay: (training.moving_average_(average, model, decay), average.train(model.training)),
    ),
]

OTHER = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Or: ast.And,
    ast.And: ast.Or,
    ast.BitOr: ast.BitAnd,
}


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """The node with one small change: each in turn."""
    new = copy.deepcopy(node)
    if isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in OTHER:
        new.op = OTHER[type(node.op)]()
        yield new
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        new.ops[0] = OTHER[type(node.ops[0])]()
        yield new
    elif isinstance(node, ast.UnaryOp):
        yield new.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
        new.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
        yield new


def code_of(source: ast.Module) -> Iterator[ast.AST]:
    """Nodes inside functions: bodies and defaults, but no annotations (and docstrings have nothing to change)."""
    for function in (node for node in ast.walk(source) if isinstance(node, ast.FunctionDef)):
        for part in (*function.body, *function.args.defaults, *filter(None, function.args.kw_defaults)):
            yield from ast.walk(part)


def broken_versions(
    file: Path, *, wanted: Callable[[int], bool] = lambda number: True
) -> Iterator[tuple[str, types.ModuleType | None]]:
    """(what was changed, the module so changed): unchanged first, then for every place that can be changed.

    `module.changed` names the function or class in which the change is, "" for the unchanged one.
    wanted: which are made, by their number from 0, the unchanged one; of the others only the label comes.
    """
    text = file.read_text(encoding="utf-8")
    source = ast.parse(text)
    number = 0
    yield "unchanged", compiled(source) if wanted(number) else None
    named = [top for top in source.body if isinstance(top, (ast.FunctionDef, ast.ClassDef))]
    for node in list(code_of(source)):
        for new in changes(node):
            kept = dict(node.__dict__), node.__class__
            line = text.splitlines()[node.lineno - 1].partition("  #")[0].strip()
            label = f"{line} [{ast.unparse(node)} -> {ast.unparse(new)}]"
            number += 1
            if not wanted(number):
                yield label, None
                continue
            node.__class__, node.__dict__ = new.__class__, {**new.__dict__}
            module = compiled(source)
            module.changed = next(top.name for top in named if top.lineno <= node.lineno <= top.end_lineno)
            node.__class__, node.__dict__ = kept[1], kept[0]
            yield label, module


def compiled(source: ast.Module) -> types.ModuleType:
    """The module that this source makes."""
    module = types.ModuleType("broken")
    module.changed = ""
    exec(compile(source, "<broken>", "exec"), module.__dict__)
    return module
