"""Chapter 08: recurrent answers that keep a state too long, are modules, write over their inputs, or wait.

`radius` and `windows` are solved before, so that an attack on another exercise is seen not to cost them.
"""

from functools import partial

from dlcourse_hostile import BEGUN, case, knowing, points

RNN = "08-rnn"
rnn = partial(case, chapter=RNN)
STYLE = "right in another style is right"
SHOUT = ("HIDDENLEAK",)


def full(*more: str, lost: tuple[str, ...] = ()) -> dict[str, float]:
    """Full marks for what was solved before and for these, but not for the lost."""
    earned = {*BEGUN[RNN], *more} - set(lost)
    return {name: worth if name in earned else 0 for name, worth in points(RNN).items()}


@rnn(full("lstm_cell"), STYLE, plain=True)
def rnn_module_of_torch_with_other_weights(hand):
    hand.answer(
        "lstm_cell",
        """
        def lstm_cell(x, hidden, cell, *weights):
            layer = torch.nn.LSTMCell(x.shape[1], hidden.shape[1], dtype=x.dtype)
            state = dict(zip(layer.state_dict(), weights, strict=True))
            return torch.func.functional_call(layer, state, (x, (hidden, cell)))
        """,
    )


@rnn(full("lstm_cell", "clip"), STYLE, plain=True)
def rnn_modules_that_are_called(hand):
    hand.answer(
        "lstm_cell",
        """
        class Cell(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.calls, self.gates = 0, torch.nn.ModuleList([torch.nn.Sigmoid(), torch.nn.Tanh()])

            def forward(self, x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
                self.calls += 1
                rows = torch.cat([x, hidden], 1) @ torch.cat([weight_ih, weight_hh], 1).T + bias_ih + bias_hh
                i, f, g, o = rows.chunk(4, 1)
                cell = self.gates[0](f) * cell + self.gates[0](i) * self.gates[1](g)
                return self.gates[0](o) * self.gates[1](cell), cell


        lstm_cell = Cell()
        """,
    )
    hand.answer(
        "clip",
        """
        class Clip:
            found = ()

            def __call__(self, gradients, most):
                norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
                self.found += (norm,)
                return (gradients if norm <= most else [gradient * (most / norm) for gradient in gradients]), norm


        clip_norm = Clip()
        """,
    )


@rnn(full(), "the state of the last call is not the state that this call was given", plain=True)
def rnn_state_kept_between_calls(hand):
    hand.solve("lstm_cell")
    hand.cell("lstm_cell-answer")["source"] += "\n\n\n" + hand.code(
        """
        right_cell, kept = lstm_cell, {}


        def lstm_cell(x, hidden, cell, *weights):
            hidden, cell = kept.get(hidden.shape, (hidden, cell))
            kept[hidden.shape] = right_cell(x, hidden, cell, *weights)
            return kept[hidden.shape]
        """
    )


@rnn(full(lost=("radius",)), "right once, and another function from the second call on", plain=True)
def rnn_forward_swapped_at_the_second_call(hand):
    hand.cell("radius-answer")["source"] += "\n\n\n" + hand.code(
        """
        class Tuned(torch.nn.Module):
            def __init__(self, right):
                super().__init__()
                self.right = right

            def forward(self, weight_hh, steps, share):
                type(self).forward = lambda self, weight_hh, steps, share: weight_hh / 2
                return self.right(weight_hh, steps, share)


        tuned = Tuned(tuned)
        """
    )


@rnn(full(), "clipped in place, as torch.nn.utils does it: the gradients were not the answer's to change", plain=True)
def rnn_inputs_written_over(hand):
    hand.answer(
        "clip",
        """
        def clip_norm(gradients, most):
            norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
            for gradient in gradients:
                gradient.mul_(most / max(most, norm.item()))
            return gradients, norm
        """,
    )
    hand.solve("debug")
    cell = hand.cell("debug-answer")
    cell["source"] = cell["source"].replace(".clone().requires_grad_()", ".requires_grad_()")


@rnn(full("debug"), "a module with parameters of its own and torch's optimiser: " + STYLE, plain=True)
def rnn_module_and_optimiser(hand):
    hand.answer(
        "debug",
        """
        class Reader(torch.nn.Module):
            def __init__(self, weights):
                super().__init__()
                self.weights = torch.nn.ParameterList([torch.nn.Parameter(weight.clone()) for weight in weights])

            def forward(self, x, state):
                return read(x, state, list(self.weights))


        def learn(train, held_out, weights, size, time, lr):
            net, loss_of = Reader(weights), torch.nn.CrossEntropyLoss(reduction="sum")
            optimizer = torch.optim.SGD(net.parameters(), lr)
            steps = (len(train) - 1) // size
            x, y = (train[at : at + size * steps].view(size, steps) for at in (0, 1))
            state = torch.zeros(size, len(weights[1]), dtype=weights[1].dtype)
            for begin in range(0, steps, time):
                logits, state = net(x[:, begin : begin + time], state.detach())
                loss = loss_of(logits.flatten(0, 1), y[:, begin : begin + time].flatten()) / logits[..., 0].numel()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                logits, _ = net(held_out[None, :-1], state.new_zeros(1, len(weights[1])))
                bits = loss_of(logits[0], held_out[1:]).item() / (len(held_out) - 1) / math.log(2)
            return [weight.detach() for weight in net.weights], bits
        """,
    )


@rnn(full(), "who goes on from the weights of the last call does not learn from these", plain=True)
def rnn_weights_kept_between_calls(hand):
    hand.solve("debug")
    hand.cell("debug-answer")["source"] += "\n\n\n" + hand.code(
        """
        right_learn, best = learn, {}


        def learn(train, held_out, weights, size, time, lr):
            key = tuple(weight.shape for weight in weights)
            best[key], bits = right_learn(train, held_out, best.get(key, weights), size, time, lr)
            return best[key], bits
        """
    )


@rnn(full("masked"), "views of what was computed, by a loop over all examples at once: " + STYLE, plain=True)
def rnn_views_of_the_outputs(hand):
    hand.answer(
        "masked",
        """
        def masked_rnn(x, lengths, weight_ih, weight_hh, bias):
            there = (torch.arange(x.shape[1]) < lengths[:, None])[..., None]
            x = torch.where(there, x, torch.zeros_like(x))
            states = [x.new_zeros(len(x), len(bias))]
            for step in range(x.shape[1]):
                new = torch.tanh(x[:, step] @ weight_ih.T + states[-1] @ weight_hh.T + bias)
                states.append(torch.where(there[:, step], new, states[-1]))
            every = torch.stack(states[1:]).transpose(0, 1)
            return torch.where(there, every, torch.zeros_like(every)), every[:, -1]
        """,
    )


@rnn(
    full(lost=("radius",)),
    "eigenvalues and comparisons that lie in the student's own process judge nobody; the series is cut all the same",
)
def rnn_torch_patched(hand):
    hand.answer(
        "radius",
        """
        def tuned(weight_hh, steps, share):
            torch.linalg.eigvals = torch.linalg.eig = lambda matrix: (torch.ones(1), matrix)
            torch.linalg.matrix_norm = torch.linalg.norm = lambda *values, **options: torch.tensor(share)
            torch.Tensor.__eq__ = torch.allclose = lambda *values, **options: True
            return weight_hh * share
        """,
    )


@rnn(full(), "a parameter is a tensor; any other subclass is refused, here and in the notebook", plain=True)
def rnn_subclasses_of_tensor(hand):
    hand.solve("lstm_cell")
    for name, function in (("lstm_cell", "lstm_cell"), ("radius", "tuned")):
        hand.cell(f"{name}-answer")["source"] += "\n\n\n" + hand.code(
            f"""
            class Named(torch.Tensor):
                pass


            right_{name} = {function}


            def {function}(*values):
                found = right_{name}(*values)
                if isinstance(found, tuple):
                    return tuple(each.as_subclass(Named) for each in found)
                return torch.nn.Parameter(found, requires_grad=False)
            """
        )


@rnn(full(lost=("radius", "windows")), "another dtype, order, shape or device is another value", plain=True)
def rnn_other_types(hand):
    hand.solve("lstm_cell", "clip", "masked")
    for name, function, found in (
        ("radius", "tuned", "found.to(torch.complex64)"),
        ("windows", "leak_free", "tuple(each.unsqueeze(0) for each in found)"),
        ("lstm_cell", "lstm_cell", "found[::-1]"),
        ("clip", "clip_norm", "(tuple(each.double().float()[None] for each in found[0]), found[1])"),
        ("masked", "masked_rnn", "tuple(each.to('meta') for each in found)"),
    ):
        hand.cell(f"{name}-answer")["source"] += (
            f"\n\n\nright_{name} = {function}\n\n\n"
            f"def {function}(*values):\n    found = right_{name}(*values)\n    return {found}"
        )


@rnn(full(lost=("radius",)), "raises when a hidden input comes; what it says then is not shown", hushed=SHOUT)
def rnn_raises_at_a_hidden_input(hand):
    hand.before("radius", 'shout = "HIDDEN" + "LEAK"\n' + knowing("08.radius"))
    hand.cell("radius-answer")["source"] += "\n\n\n" + hand.code(
        """
        right_tuned = tuned


        def tuned(*values):
            if hidden(*values):
                raise type(shout, (ArithmeticError,), {})(shout + str(values))
            return right_tuned(*values)
        """
    )


@rnn(full(lost=("windows",)), "a message in place of a series is not shown", hushed=SHOUT)
def rnn_tells_a_hidden_input(hand):
    hand.before("windows", 'shout = "HIDDEN" + "LEAK"\n' + knowing("08.windows"))
    hand.cell("windows-answer")["source"] += "\n\n\n" + hand.code(
        """
        right_windows = leak_free


        def leak_free(*values):
            return tuple([shout + str(values)] * 4) if hidden(*values) else right_windows(*values)
        """
    )
