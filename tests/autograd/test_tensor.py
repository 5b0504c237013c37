"""What a `Tensor` accepts, refuses and says; that torch's own autograd takes no part; that it follows its device."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dlcourse.autograd import Tensor, backward_steps, concat, cross_entropy, grad, no_grad, pad, stack, where
from dlcourse.autograd.mlp import MLP


def doubles(*data):
    return torch.tensor(data, dtype=torch.float64)


def leaf(*data):
    return Tensor(doubles(*data), requires_grad=True)


# ---- torch's autograd never records


class Watch(TorchDispatchMode):
    """Notes any result of torch that torch itself could differentiate."""

    def __init__(self):
        super().__init__()
        self.calls, self.recorded = 0, []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        out = function(*arguments, **(options or {}))
        self.calls += 1
        if isinstance(out, torch.Tensor) and (out.requires_grad or out.grad_fn is not None):
            self.recorded.append(function)
        return out


def test_torchs_autograd_never_records(monkeypatch, device):
    import torch._dynamo  # it lists torch's functions when it is first loaded, and would stumble over the ones below

    for name in ("backward", "grad"):

        def never(*arguments, **options):
            raise AssertionError("torch's own backward was called")

        monkeypatch.setattr(torch.autograd, name, never)
    generator = torch.Generator(device=device).manual_seed(0)
    mlp = MLP((5, 4, 3), generator=generator)
    x = torch.randn(6, 5, generator=generator, device=device)
    seen = []
    with Watch() as watch:
        loss = cross_entropy(mlp(x), torch.zeros(6, dtype=torch.long, device=device))
        for step in backward_steps(loss, retain_graph=True):
            seen += [step.node.data, step.grad.data, *(share.data for _, share in step.contributions)]
        (first,) = grad(loss, mlp.parameters[:1], create_graph=True)
        grad((first * first).sum(), mlp.parameters)
    assert watch.calls > 100
    assert watch.recorded == []
    assert all(not data.requires_grad and data.grad_fn is None for data in seen)


def test_data_that_torch_differentiates_are_refused():
    t = torch.ones(2, requires_grad=True)
    for make in (
        lambda: Tensor(t),
        lambda: Tensor(t * 2),
        lambda: Tensor([1.0, 2.0]) * t,
        lambda: t - Tensor([1.0, 2.0]),
        lambda: where(t > 0, Tensor([1.0, 2.0]), t),
    ):
        with pytest.raises(TypeError, match="Only one engine can keep the record"):
            make()
    x = Tensor([1.0, 2.0])
    x.data = t  # behind its back
    with pytest.raises(TypeError, match="Only one engine"):
        x * 2


def test_inference_tensors_are_refused():
    with torch.inference_mode():
        data = torch.ones(2, device="cpu")
    with pytest.raises(TypeError, match="inference_mode"):
        Tensor(data)


# ---- making one


def test_numbers_become_a_tensor_of_the_default_dtype():
    assert Tensor(2.5).dtype == torch.float32
    assert Tensor([[1, 2], [3, 4]]).data.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_data_are_used_not_copied():
    data = doubles(1.0)
    assert Tensor(data).data is data
    assert leaf(1.0).detach().requires_grad is False


@pytest.mark.parametrize("data", [torch.tensor([1, 2]), torch.tensor([True]), torch.tensor([1 + 2j])])
def test_only_floating_point_numbers_have_gradients(data):
    with pytest.raises(TypeError, match="only floating-point numbers have gradients"):
        Tensor(data)


def test_a_tensor_in_a_tensor_is_refused():
    with pytest.raises(TypeError, match="use it as it is"):
        Tensor(leaf(1.0))


# ---- operators


def test_reflected_operators_with_numbers_and_torch_tensors():
    """torch hands `torch.Tensor - Tensor` to us; the order stays."""
    x, t = leaf(2.0, 4.0), doubles(6.0, 3.0)
    for number in (3, 3.0, t):
        assert (number - x).data.tolist() == (number - x.data).tolist()
        assert (number / x).data.tolist() == (number / x.data).tolist()
        assert (number**x).data.tolist() == (number**x.data).tolist()
        assert (number + x).data.tolist() == (number + x.data).tolist()
        assert (number * x).data.tolist() == (number * x.data).tolist()
    assert (t @ x).item() == 24.0
    assert (torch.stack([t, t]) @ x).data.tolist() == [24.0, 24.0]
    assert all(isinstance(out, Tensor) for out in (t - x, t / x, t**x, t + x, t * x, t @ x))


def test_masks_and_whole_numbers_count_as_constants():
    x = leaf(-1.0, 2.0)
    ((x > 0) * x + torch.tensor([1, 2])).sum().backward()
    assert x.grad.data.tolist() == [0.0, 1.0]


def test_comparisons_are_plain_booleans():
    x = leaf(1.0, 2.0)
    assert [(x > 1).tolist(), (x >= 1).tolist(), (x < 2).tolist(), (x <= leaf(1.0, 1.0)).tolist()] == [
        [False, True],
        [True, True],
        [True, False],
        [True, False],
    ]


@pytest.mark.parametrize("operation", [lambda a, x: a * x, lambda a, x: x + a, lambda a, x: x @ a, lambda a, x: a - x])
def test_arrays_of_numpy_are_refused_with_the_way_in(operation):
    with pytest.raises(TypeError, match="from_numpy"):
        operation(np.ones(2), leaf(1.0, 2.0))


def test_what_is_no_number_is_refused_by_name():
    with pytest.raises(TypeError, match="mul of a Tensor and str"):
        leaf(1.0) * "2"


def test_two_dtypes_are_not_mixed():
    with pytest.raises(TypeError, match=r"matmul of torch.float32 and torch.float64: tensors of one dtype"):
        Tensor(torch.ones(2, 2)) @ Tensor(torch.ones(2, 2, dtype=torch.float64))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: leaf([1.0, 2.0]) + leaf(1.0, 2.0, 3.0), r"add of shapes \(1, 2\) and \(3,\)"),
        (lambda: leaf([1.0, 2.0]) @ leaf([1.0, 2.0]), r"matmul of shapes \(1, 2\) and \(1, 2\)"),
        (lambda: leaf(1.0, 2.0).reshape(3), r"reshape of shape \(2,\)"),
        (lambda: leaf(1.0, 2.0).expand(3), r"expand of shape \(2,\)"),
        (lambda: leaf([1.0, 2.0]).permute(0, 0), r"permute\(0, 0\) of shape \(1, 2\)"),
        (lambda: leaf([1.0, 2.0]).permute(0), "each dimension is named once"),
        (lambda: concat([leaf(1.0), leaf([1.0])]), r"concat of shapes \[\(1,\), \(1, 1\)\]"),
        (lambda: concat([]), "at least one tensor"),
        (lambda: stack([leaf(1.0), leaf(1.0, 2.0)]), "one shape for all"),
        (lambda: stack([]), "one shape for all"),
        (lambda: pad(leaf(1.0), (1, 1), (1, 1)), "a pair of widths"),
        (lambda: pad(leaf(1.0), (-1, 1)), "a pair of widths"),
        (lambda: leaf(1.0).T, r"\.T is for matrices"),
        (lambda: cross_entropy(leaf(1.0), torch.tensor([0])), r"cross_entropy of logits \(1,\)"),
        (lambda: cross_entropy(leaf([1.0, 2.0]), torch.tensor([0, 1])), "wanted are"),
        (lambda: cross_entropy(leaf([1.0, 2.0]), doubles(0.0)), "whole numbers"),
        (
            lambda: cross_entropy(leaf([1.0, 2.0]), torch.tensor([2])),
            "labels from 2 to 2, but logits for the classes 0 to 1",
        ),
        (lambda: cross_entropy(leaf([1.0, 2.0]), torch.tensor([-1])), "labels from -1"),
    ],
)
def test_what_does_not_fit_is_named_with_its_shapes(function, words):
    with pytest.raises(ValueError, match=words):
        function()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: leaf(1.0, 2.0)[2], r"getitem of shape \(2,\)"),
        (lambda: leaf(1.0)[torch.tensor([3])], "getitem of shape"),
        (lambda: Tensor(torch.ones(0, 3)).amax(0), r"amax of shape \(0, 3\)"),
        (lambda: leaf(1.0).sum(1), "dim=1: the tensor has 1 dimension, counted from 0"),
        (lambda: leaf([1.0]).amax((0, -3)), "has 2 dimensions"),
        (lambda: leaf(1.0).sum(0).logsumexp(1), "dim=1"),
        (lambda: leaf([1.0, 2.0]).permute(3, 2), "dim=3: the tensor has 2 dimensions"),
        (lambda: leaf([1.0, 2.0]).transpose(0, 3), "dim=3"),
        (lambda: stack([leaf(1.0)], 2), "dim=2"),
        (lambda: concat([leaf(1.0)], 1), "dim=1"),
    ],
)
def test_an_index_or_dimension_that_is_not_there(function, words):
    with pytest.raises(IndexError, match=words):
        function()


def test_equality_is_of_elements_and_a_tensor_is_a_key():
    x, y = leaf(1.0, 2.0), leaf(1.0, 3.0)
    assert (x == 1.0).tolist() == [True, False]
    assert (x != y).tolist() == [False, True]
    assert (x == y.data).tolist() == [True, False]
    assert {x: "x", y: "y"}[x] == "x"


@pytest.mark.parametrize(
    "condition", [True, torch.tensor([1, 0], dtype=torch.uint8), leaf(1.0, 0.0), [True, False], doubles(1.0, 0.0)]
)
def test_a_mask_is_boolean(condition):
    for call in (lambda: where(condition, leaf(1.0, 2.0), 0.0), lambda: leaf(1.0, 2.0).where(condition, 0.0)):
        with pytest.raises(TypeError, match="where wants a plain boolean tensor"):
            call()


def test_what_is_no_tensor_at_all():
    with pytest.raises(TypeError, match="at least one of a and b is a Tensor"):
        where(torch.tensor([True]), 1.0, 2.0)
    with pytest.raises(TypeError, match="labels as a torch tensor"):
        cross_entropy(leaf([1.0, 2.0]), [0])
    with pytest.raises(ValueError, match=r"put of shape \(1,\).*does not fit the place \(3,\)"):
        leaf(1.0).put((3,), slice(0, 3))


def test_a_slope_of_nan_is_passed_on_as_in_torch():
    x = leaf(float("nan"), -1.0, 1.0)
    x.relu().sum().backward()
    assert x.grad.data.tolist() == [1.0, 0.0, 1.0]


def test_an_index_may_change_afterwards():
    """A list is copied; a tensor is watched, as a mask is."""
    x, places = leaf(1.0, 2.0, 3.0), [0, 1]
    y = x[places]
    places[1] = 2
    y.sum().backward()
    assert x.grad.data.tolist() == [1.0, 1.0, 0.0]


def test_it_is_not_changed_in_place():
    x = leaf(1.0, 2.0)
    with pytest.raises(TypeError, match=r"shape \(2,\) is not changed in place.*where"):
        x[0] = 5.0
    before = x
    x += 1  # a new tensor under the old name
    assert before.data.tolist() == [1.0, 2.0]
    assert x.op == "add"


def test_a_recurrent_loop_reads_as_one():
    xs, w = leaf([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]), leaf([0.5, -0.3], [0.2, 0.1])
    t, u = xs.data.clone().requires_grad_(), w.data.clone().requires_grad_()
    h, k = Tensor(torch.zeros(2, dtype=torch.float64)), torch.zeros(2, dtype=torch.float64)
    for row, other in zip(xs, t, strict=True):
        h, k = (row + h @ w).tanh(), (other + k @ u).tanh()
    h.sum().backward()
    k.sum().backward()
    torch.testing.assert_close(w.grad.data, u.grad)
    torch.testing.assert_close(xs.grad.data, t.grad)
    assert len(xs) == 3


def test_labels_for_the_loss_may_be_any_whole_numbers(device):
    logits = torch.tensor([[0.5, -1.0, 2.0], [3.0, 0.1, 0.2]], dtype=torch.float64, device=device)
    for dtype in (torch.int64, torch.int32, torch.uint8):
        mine = Tensor(logits, requires_grad=True)
        labels = torch.tensor([2, 1], dtype=dtype, device=device)
        loss = cross_entropy(mine, labels)
        loss.backward()
        theirs = logits.clone().requires_grad_()
        wanted = torch.nn.functional.cross_entropy(theirs, labels.long())
        wanted.backward()
        torch.testing.assert_close(loss.data, wanted.detach())
        torch.testing.assert_close(mine.grad.data, theirs.grad)


# ---- recording


def test_no_grad_is_put_back_after_an_error():
    x = leaf(1.0)
    with pytest.raises(ZeroDivisionError), no_grad(), no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad
    with no_grad():
        with no_grad():
            pass
        assert not (x * 2).requires_grad


def test_no_grad_may_be_entered_twice():
    x, off = leaf(1.0), no_grad()
    with off, off:
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_copies_of_what_backward_has_freed():
    import copy
    import pickle

    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    loss.backward()
    assert copy.deepcopy(loss).item() == pickle.loads(pickle.dumps(loss)).item() == 5.0


def test_no_grad_is_of_its_own_thread():
    import threading

    x, seen = leaf(1.0), []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_no_grad_does_not_leak_out_of_steps():
    """A backward pass is not recorded, but what its reader computes meanwhile is."""
    x = leaf(1.0)
    for step in backward_steps((x * x).sum()):
        assert (x * 2).requires_grad
        assert not step.grad.requires_grad


def test_a_result_without_a_leaf_that_asks_records_nothing():
    out = Tensor([1.0]) * 2
    assert (out.op, out.inputs, out.requires_grad) == (None, (), False)


# ---- how it prints and converts


def test_it_prints_as_torch_does():
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(Tensor([1.0], requires_grad=True, label="w")) == "Tensor([1.], requires_grad=True, label='w')"
    assert repr(Tensor([1.0], requires_grad=True) * 2) == "Tensor([2.], op='mul')"
    assert repr(leaf(1.0)) == "Tensor([1.], dtype=torch.float64, requires_grad=True)"


def test_one_number_converts():
    x = leaf(2.5)
    assert (float(x), x.item(), bool(x), bool(x - 2.5)) == (2.5, 2.5, True, False)
    with pytest.raises(RuntimeError):
        leaf(1.0, 2.0).item()


def test_everything_stays_on_the_device_of_its_inputs(device):
    x = Tensor(torch.ones(2, 3, device=device), requires_grad=True)
    out = (pad(where(x > 0, x, 2.0), (0, 1), (1, 0))[:, [0, 0]] * 2 - 1).softmax(1).mean() + x.amax() + 3
    out.backward()
    assert {out.device.type, x.grad.device.type} == {device.type}
