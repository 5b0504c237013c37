"""Chapter 05: answers that are modules, keep state, hand out views, patch torch, or wait for the hidden inputs.

`size` and `shuffle` are solved before, so that an attack on another exercise is seen not to cost them.
"""

from functools import partial

from dlcourse_hostile import BEGUN, Submission, case, knowing, points

CNN = "05-cnn"
cnn = partial(case, chapter=CNN)
STYLE = "right in another style is right"
SHOUT = ("HIDDENLEAK",)


def full(*more: str, lost: tuple[str, ...] = ()) -> dict[str, float]:
    """Full marks for what was solved before and for these, but not for the lost."""
    earned = {*BEGUN[CNN], *more} - set(lost)
    return {name: worth if name in earned else 0 for name, worth in points(CNN).items()}


@cnn(full("conv2d"), STYLE, plain=True)
def cnn_module_that_is_called(hand):
    hand.answer(
        "conv2d",
        """
        class Convolution(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.name, self.history, self._private = "mine", [], object()
                self.unused = torch.nn.Linear(2, 3)
                self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

            def forward(self, x, weight, bias, stride, padding, dilation):
                self.calls += 1
                self.history.append(tuple(x.shape))
                rows, columns = weight.shape[2:]
                taken = functional.unfold(x, (rows, columns), dilation, padding, stride)
                high = (x.shape[2] + 2 * padding[0] - dilation[0] * (rows - 1) - 1) // stride[0] + 1
                return (weight.flatten(1) @ taken + bias[:, None]).unflatten(2, (high, -1))


        conv2d = Convolution()
        """,
    )


@cnn(full("debug"), STYLE, plain=True)
def cnn_module_with_its_parameters_swapped_in(hand):
    hand.answer(
        "debug",
        """
        class Network(torch.nn.Module):
            def __init__(self, weight1, weight2, weight3):
                super().__init__()
                self.first = torch.nn.Conv2d(*weight1.shape[1::-1], 3, padding=1)
                self.second = torch.nn.Conv2d(*weight2.shape[1::-1], 3, padding=1)
                self.pool = torch.nn.MaxPool2d(2)
                self.last = torch.nn.Linear(*weight3.shape[::-1])

            def forward(self, pictures):
                x = self.pool(self.first(pictures.permute(0, 3, 1, 2)).relu())
                return self.last(self.pool(self.second(x).relu()).flatten(1))


        def network(pictures, *weights):
            made = Network(*weights[::2])
            state = dict(zip(made.state_dict(), weights, strict=True))
            return torch.func.functional_call(made, state, (pictures,))
        """,
    )


@cnn(full(), "a class is made with the arguments, not called with them: its state is no tensor", plain=True)
def cnn_class_in_place_of_the_function(hand):
    hand.answer(
        "conv2d",
        """
        class conv2d(torch.nn.Module):
            def __init__(self, x, weight, bias, stride, padding, dilation):
                super().__init__()
                self.weight, self.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
                self.value = functional.conv2d(x, weight, bias, stride, padding, dilation)

            def forward(self, *anything):
                return self.value
        """,
    )


SWAP = """
class Pooling(torch.nn.Module):
    def forward(self, x, kernel, stride, padding):
        self.forward = self.{then}
        return self.right(x, kernel, stride, padding)

    def right(self, x, kernel, stride, padding):
        return functional.max_pool2d(x, kernel, stride, padding)

    def wrong(self, x, kernel, stride, padding):
        return functional.avg_pool2d(x, kernel, stride, padding)


max_pool2d = Pooling()
"""


@cnn(full(), "right once, and another function from the second call on", plain=True)
def cnn_forward_swapped_at_the_second_call(hand):
    hand.answer("max_pool", SWAP.replace("{then}", "wrong"))


@cnn(full("max_pool"), "another method from the second call on, and as right as the first", plain=True)
def cnn_forward_swapped_for_a_right_one(hand):
    hand.answer("max_pool", SWAP.replace("{then}", "right"))


@cnn(full("max_pool"), "a view is a value, of the input too", plain=True)
def cnn_views_and_the_input_itself(hand):
    hand.answer(
        "max_pool",
        """
        def max_pool2d(x, kernel, stride, padding):
            if kernel == stride == (1, 1) and padding == (0, 0):
                return x
            y = functional.max_pool2d(x, kernel, stride, padding)
            return torch.stack([y, -y]).mT[0].mT
        """,
    )
    hand.answer("shuffle", "def follow(weight, order):\n    return weight.T[order].T")


@cnn(full(lost=("shuffle",)), "the right values, written over the student's own input", plain=True)
def cnn_inputs_written_over(hand):
    hand.answer("shuffle", "def follow(weight, order):\n    weight[:] = weight[:, order].clone()\n    return weight")
    hand.answer(
        "conv2d",
        """
        def conv2d(x, weight, bias, stride, padding, dilation):
            y = functional.conv2d(x, weight, bias, stride, padding, dilation)
            x.detach().mul_(2)
            return y
        """,
    )


@cnn(full(), "comparisons and convolutions of the student's own process judge nobody")
def cnn_torch_patched(hand):
    hand.answer(
        "conv2d",
        """
        def always(*values, **options):
            return True


        torch.equal = torch.allclose = torch.testing.assert_close = torch.Tensor.equal = always
        torch.Tensor.allclose = torch.Tensor.__eq__ = always
        torch.autograd.grad = lambda outputs, inputs, *rest, **options: [torch.ones_like(each) for each in inputs]


        def conv2d(x, weight, bias, stride, padding, dilation):
            functional.conv2d = torch.conv2d = lambda x, *rest, **options: x
            return functional.conv2d(x, weight)
        """,
    )


@cnn(full("conv2d"), "a parameter is a tensor; any other subclass is refused, here and in the notebook", plain=True)
def cnn_subclasses_of_tensor(hand):
    hand.answer(
        "max_pool",
        """
        class Picture(torch.Tensor):
            title = "mine"


        def max_pool2d(x, kernel, stride, padding):
            return functional.max_pool2d(x, kernel, stride, padding).as_subclass(Picture)
        """,
    )
    hand.answer(
        "conv2d",
        """
        def conv2d(x, weight, bias, stride, padding, dilation):
            y = functional.conv2d(x.contiguous(), weight.contiguous(), bias, stride, padding, dilation)
            return y if y.requires_grad else torch.nn.Parameter(y)
        """,
    )


@cnn(
    full(lost=("shuffle", "size")),
    "another dtype, device or shape is another value, and a tensor is no tuple of numbers",
    plain=True,
)
def cnn_other_types(hand):
    hand.answer("shuffle", "def follow(weight, order):\n    return weight[:, order].double().half()")
    hand.solve("equivariance", "max_pool", "debug")
    for name, line in (
        ("size", "shape = conv_shape\n\n\ndef conv_shape(*values):\n    return torch.tensor(shape(*values)[0]), 1"),
        ("equivariance", "plain = kept\n\n\ndef kept(*values):\n    return plain(*values).float()"),
        ("max_pool", "pool = max_pool2d\n\n\ndef max_pool2d(*values):\n    return pool(*values)[None]"),
        ("debug", "net = network\n\n\ndef network(*values):\n    return net(*values).to('meta')"),
    ):
        hand.cell(f"{name}-answer")["source"] += f"\n\n\n{line}"


@cnn(full(), "what was padded for one picture is not the padding of the next of its shape", plain=True)
def cnn_state_kept_by_shape(hand):
    hand.answer(
        "conv2d",
        """
        framed = {}


        def conv2d(x, weight, bias, stride, padding, dilation):
            key = (x.shape, padding)
            if key not in framed:
                framed[key] = functional.pad(x, (padding[1], padding[1], padding[0], padding[0])).detach()
            return functional.conv2d(framed[key], weight, bias, stride, 0, dilation)
        """,
    )


@cnn(full("equivariance"), "what is remembered of the same question is right", plain=True)
def cnn_answers_remembered(hand):
    hand.solve("equivariance")
    hand.before("equivariance", "from functools import lru_cache")
    hand.cell("equivariance-answer")["source"] += "\n\n\nkept = lru_cache(None)(kept)"
    hand.cell("size-answer")["source"] += "\n\n\nfrom functools import cache\n\nconv_shape = cache(conv_shape)"


@cnn(full(), "dropout is on: a network in training answers by chance", plain=True)
def cnn_module_left_in_training(hand):
    hand.answer(
        "debug",
        """
        class Network(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.drop = torch.nn.Dropout(0.5)

            def forward(self, pictures, weight1, bias1, weight2, bias2, weight3, bias3):
                x = pictures.movedim(3, 1)
                for weight, bias in ((weight1, bias1), (weight2, bias2)):
                    x = functional.max_pool2d(functional.conv2d(x, weight, bias, padding=1).relu(), 2)
                return functional.linear(self.drop(x.flatten(1)), weight3, bias3)


        network = Network()
        """,
    )


def waiting(hand: Submission, exercise: str, source: str) -> None:
    """An answer that knows the visible inputs, and does another thing when a hidden one comes."""
    hand.before(exercise, 'shout = "HIDDEN" + "LEAK"\n' + knowing(f"05.{exercise}"))
    hand.cell(f"{exercise}-answer")["source"] += "\n\n\n" + hand.code(source)


@cnn(full(lost=("shuffle",)), "raises when a hidden input comes; what it says then is not shown", hushed=SHOUT)
def cnn_raises_at_a_hidden_input(hand):
    waiting(
        hand,
        "shuffle",
        """
        plain_follow = follow


        def follow(weight, order):
            if hidden(weight, order):
                raise IndexError(shout + str(order.tolist()))
            return plain_follow(weight, order)
        """,
    )


@cnn(full(lost=("size",)), "right on what is visible, a message on the rest, which is not shown", hushed=SHOUT)
def cnn_guesses_at_a_hidden_input(hand):
    waiting(
        hand,
        "size",
        """
        plain_shape = conv_shape


        def conv_shape(*values):
            return (shout, str(values)) if hidden(*values) else plain_shape(*values)
        """,
    )
