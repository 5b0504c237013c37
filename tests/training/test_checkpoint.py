"""An interrupted run goes on as if it had not been; a file that does not fit is refused, and nothing is lost."""

import os
import random
import signal
import subprocess
import sys
import time

import dlcourse_resumable as resumable
import numpy as np
import pytest
import torch

from dlcourse.training import Interrupted, checkpoint, train
from dlcourse.training.streams import Streams


@pytest.fixture(scope="module")
def whole():
    """A run that nobody interrupted."""
    return resumable.run()


def at(*indices, number=signal.SIGINT):
    """Press Ctrl-C in the middle of these updates, once each."""
    left = list(indices)

    def during(index):
        if index in left:
            left.remove(index)
            signal.raise_signal(number)

    return during


def same(one, other):
    return resumable.equal(one[0], other[0]) and one[1] == other[1]


def test_the_run_is_worth_interrupting(whole):
    history = whole[1]
    assert (len(history.steps), history.stopped, history.best.epoch) == (resumable.UPDATES, "patience", 1)
    assert not same(whole, resumable.run(clip=None))  # the comparison can fail


@pytest.mark.parametrize("index", [0, 6, 7, 19])  # the first, the last of a pass, the first of one, any
def test_interrupted_and_resumed_it_is_the_same_to_the_bit(tmp_path, whole, index):
    path = tmp_path / "run.pt"
    with pytest.raises(Interrupted, match=r"All is saved in .*run\.pt: run the same lines again") as caught:
        resumable.run(path, during=at(index))
    assert caught.value.history.steps == whole[1].steps[: index + 1]
    torch.rand(3, device="cpu")  # the global stream has moved on since
    assert same(resumable.run(path), whole)
    assert list(tmp_path.iterdir()) == [path]


def test_interrupted_again_and_again(tmp_path, whole):
    path = tmp_path / "run.pt"
    during = at(3, 4, 13, 20)
    for _ in range(4):
        with pytest.raises(Interrupted):
            resumable.run(path, during=during)
    assert same(resumable.run(path, during=during), whole)


def test_an_error_in_the_middle_goes_on_from_the_last_pass(tmp_path, whole):
    def fail(index):
        if index == 17:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        resumable.run(tmp_path / "run.pt", during=fail)
    assert len(checkpoint.load(tmp_path / "run.pt")["steps"]) == 14
    assert same(resumable.run(tmp_path / "run.pt"), whole)


def test_the_live_objects_go_on_too(tmp_path, whole):
    """As in a notebook: the cell with `train` is run again, the model is the same object."""
    model, batches, optimizer, validation = resumable.parts()
    during = at(9)
    options = {"epochs": resumable.EPOCHS, "validation": validation, "clip": 1.0, "patience": 3}
    options |= {"schedule": lambda index: during(index) or resumable.schedule(index)}
    loss = torch.nn.functional.cross_entropy
    with pytest.raises(Interrupted):
        train(model, batches, loss, optimizer, checkpoint=tmp_path / "run.pt", **options)
    history = train(model, batches, loss, optimizer, checkpoint=tmp_path / "run.pt", **options)
    assert resumable.equal(model.state_dict(), whole[0]["model"])
    assert history == whole[1]


def test_a_finished_run_is_read_and_not_run_again(tmp_path, whole, capsys):
    path = tmp_path / "made" / "for it" / "run.pt"
    assert same(resumable.run(path), whole)

    def never(index):
        raise AssertionError("an update of a finished run")

    assert same(resumable.run(path, during=never), whole)
    assert capsys.readouterr().out == ""
    model, batches, optimizer, validation = resumable.parts()
    options = {
        "epochs": resumable.EPOCHS,
        "validation": validation,
        "clip": 1.0,
        "patience": 3,
        "checkpoint": str(path),
    }
    train(model, batches, torch.nn.functional.cross_entropy, optimizer, **options)
    assert "holds this run, finished after 35 updates. Delete it" in capsys.readouterr().out


def test_a_run_may_grow(tmp_path):
    longer = resumable.run(epochs=4, patience=None)
    resumable.run(tmp_path / "run.pt", epochs=2, patience=None)
    assert same(resumable.run(tmp_path / "run.pt", epochs=4, patience=None), longer)
    with pytest.raises(ValueError, match="4 epochs already, more than epochs=3"):
        resumable.run(tmp_path / "run.pt", epochs=3, patience=None)


@pytest.mark.parametrize(("epochs", "index"), [(1, 7), (1, 13), (2, 16)])
def test_fewer_passes_than_were_begun_are_refused(tmp_path, epochs, index):
    with pytest.raises(Interrupted):
        resumable.run(tmp_path / "run.pt", during=at(index))
    with pytest.raises(ValueError, match=f"{epochs} epochs and . batches already, more than epochs={epochs}"):
        resumable.run(tmp_path / "run.pt", epochs=epochs)


def test_frozen_layers_stay_so_when_a_run_goes_on(tmp_path):
    def run(model, batches, optimizer, during=lambda index: None, path=None):
        schedule = {"schedule": lambda index: during(index) or 1.0}
        loss = torch.nn.functional.cross_entropy
        history = train(model, batches, loss, optimizer, epochs=2, checkpoint=path, progress=False, **schedule)
        return model.state_dict(), history

    def frozen():
        model, batches, optimizer, _ = resumable.parts()
        model[1].eval()
        return model, batches, optimizer

    whole, live = run(*frozen()), frozen()
    with pytest.raises(Interrupted):
        run(*live, at(4), tmp_path / "run.pt")
    assert same(run(*live, path=tmp_path / "run.pt"), whole)  # the same cell again: the model is in eval mode
    assert same(run(*frozen(), path=tmp_path / "run.pt"), whole)  # another process
    with pytest.raises(ValueError, match="layers in eval mode was 1, here it is none"):
        run(*resumable.parts()[:3], path=tmp_path / "run.pt")


def test_numbers_of_numpy_are_kept_and_compared_as_numbers(tmp_path):
    def run(epochs, lr, **options):
        model, batches, _, _ = resumable.parts()
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr, **options)
        loss = torch.nn.functional.cross_entropy
        return train(model, batches, loss, optimizer, epochs=epochs, checkpoint=tmp_path / "run.pt", progress=False)

    run(1, np.float64(1), betas=(np.float64(0.9), 0.99), weight_decay=np.int64(0))
    assert torch.load(tmp_path / "run.pt", weights_only=True)["optimizer"]["param_groups"][0]["lr"] == 1
    assert len(run(2, 1, betas=(0.9, 0.99), weight_decay=0.0).steps) == 14
    with pytest.raises(ValueError, match=r"betas was \(0.9, 0.99\), here it is \(0.9, 0.9\)"):
        run(2, 1, betas=(0.9, 0.9), weight_decay=0.0)


class Own:
    """No tensor and no plain value."""


class Stateful(torch.nn.Identity):
    def get_extra_state(self):
        return Own()

    def set_extra_state(self, state):
        pass


def test_a_run_that_could_not_be_read_again_is_refused_before_the_work(tmp_path):
    model, batches, _, _ = resumable.parts()
    model.append(Stateful())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def never(logits, labels):
        raise AssertionError("an update")

    with pytest.raises(ValueError, match="This run cannot be kept in a checkpoint"):
        train(model, batches, never, optimizer, epochs=1, checkpoint=tmp_path / "run.pt")
    assert not list(tmp_path.iterdir())


def test_parameters_that_are_not_the_models_are_refused(tmp_path):
    model, batches, _, _ = resumable.parts()
    temperature = torch.nn.Parameter(torch.ones(1, device="cpu"))
    optimizer = torch.optim.SGD([*model.parameters(), temperature], lr=0.1)

    def loss(logits, labels):
        return torch.nn.functional.cross_entropy(logits / temperature, labels)

    with pytest.raises(ValueError, match="parameters that are not the model's"):
        train(model, batches, loss, optimizer, epochs=1, checkpoint=tmp_path / "run.pt")
    train(model, batches, loss, optimizer, epochs=1)
    assert temperature != 1


def test_it_says_that_it_goes_on(tmp_path, capsys):
    path = tmp_path / "run.pt"
    model, batches, optimizer, _ = resumable.parts()
    loss = torch.nn.functional.cross_entropy
    train(model, batches, loss, optimizer, epochs=1, checkpoint=path)
    assert capsys.readouterr().out == ""
    train(model, batches, loss, optimizer, epochs=2, checkpoint=path)
    assert capsys.readouterr().out == f"Going on from {path}, after 7 updates, in epoch 2 of 2.\n"


class Moved:
    """Batches made of batches, without a length, that draw as they go."""

    def __init__(self, batches):
        self.batches, self.noise = batches, torch.Generator().manual_seed(3)

    def __iter__(self):
        for x, y in self.batches:
            yield x + 0.1 * torch.randn(x.shape, generator=self.noise, device=x.device), y


def loader(batches, **options):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(batches.x, batches.y), batch_size=32, **options)


@pytest.mark.parametrize(
    "make",
    [
        list,
        Moved,
        lambda batches: loader(batches, shuffle=True),  # torch's own, which shuffles from the global stream
        lambda batches: loader(batches, sampler=torch.utils.data.RandomSampler(batches.x, generator=batches.generator)),
    ],
    ids=["a list", "batches of batches", "a DataLoader", "a sampler"],
)
def test_batches_of_other_kinds_are_resumed(tmp_path, make):
    def run(path=None, during=lambda index: None):
        model, batches, optimizer, _ = resumable.parts()
        loss = torch.nn.functional.cross_entropy
        options = {"schedule": lambda index: during(index) or 1.0, "checkpoint": path, "progress": False}
        history = train(model, make(batches), loss, optimizer, epochs=3, **options)
        return model.state_dict(), history

    with pytest.raises(Interrupted):
        run(tmp_path / "run.pt", at(10))
    torch.rand(3, device="cpu")
    assert same(run(tmp_path / "run.pt"), run())


def test_on_the_accelerator(tmp_path, device):
    whole = resumable.run(device=device)
    with pytest.raises(Interrupted):
        resumable.run(tmp_path / "run.pt", device=device, during=at(9))
    assert same(resumable.run(tmp_path / "run.pt", device=device), whole)


# ---- the file


def test_the_file_is_plain_and_whole_after_every_pass(tmp_path):
    path = tmp_path / "run.pt"
    seen = []
    resumable.run(path, during=lambda index: seen.append(checkpoint.load(path)["epoch"]), epochs=3)
    assert seen == [0] * 7 + [1] * 7 + [2] * 7
    content = torch.load(path, weights_only=True)
    model, _, optimizer, _ = resumable.parts()
    model.load_state_dict(content["best"])
    optimizer.load_state_dict(content["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.3  # the rate given, not what the schedule had made of it


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    checkpoint.save(path, {"model": {"w": torch.ones(2, device="cpu")}})
    before = path.read_bytes()

    def full(*args):
        raise OSError("No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.os, name, full)
            with pytest.raises(OSError, match="No space left"):
                checkpoint.save(path, {"model": {}})
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_found_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")

    def never(index):
        raise AssertionError("an update")

    with pytest.raises(OSError, match="file"):
        resumable.run(tmp_path / "file" / "run.pt", during=never)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        resumable.run(tmp_path / "folder", during=never)


def full(*args):
    raise OSError("No space left on device")


def test_a_run_that_goes_on_finds_a_full_disk_before_the_work(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    with pytest.raises(Interrupted):
        resumable.run(path, during=at(9))

    def never(index):
        raise AssertionError("an update")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        resumable.run(path, during=never)
    assert len(caught.value.history.steps) == 10


def test_a_finished_run_is_read_where_nothing_can_be_written(tmp_path, monkeypatch, whole):
    resumable.run(tmp_path / "run.pt")
    monkeypatch.setattr(checkpoint.os, "fsync", full)
    assert same(resumable.run(tmp_path / "run.pt"), whole)


@pytest.mark.parametrize("pressed", [False, True])
def test_a_disk_that_is_full_loses_no_history(tmp_path, monkeypatch, whole, pressed):
    def during(index):
        if index == 9:
            monkeypatch.setattr(checkpoint.os, "fsync", full)
            if pressed:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted if pressed else OSError, match="No space left on device") as caught:
        resumable.run(tmp_path / "run.pt", during=during)
    assert isinstance(caught.value.__cause__, OSError) == pressed
    assert caught.value.history.steps == whole[1].steps[: 10 if pressed else 14]
    assert caught.value.history.stopped == ("interrupt" if pressed else "not saved")
    monkeypatch.undo()
    assert same(resumable.run(tmp_path / "run.pt"), whole)


class Evil:
    """Runs code when an unguarded pickle is read."""

    ran = False

    def __reduce__(self):
        return setattr, (Evil, "ran", True)


def test_a_checkpoint_runs_no_code(tmp_path):
    torch.save({"format": checkpoint.FORMAT, "model": Evil()}, tmp_path / "run.pt")
    with pytest.raises(ValueError, match="more than tensors") as caught:
        resumable.run(tmp_path / "run.pt")
    assert not Evil.ran
    assert "weights_only" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("damage", ["no run", "empty", "cut", "flipped", "text", "other tensors", "old torch"])
def test_a_damaged_or_foreign_file_is_refused_and_kept(tmp_path, damage):
    path = tmp_path / "run.pt"
    checkpoint.save(path, {"model": {"w": torch.arange(1000.0, device="cpu")}})
    content = bytearray(path.read_bytes())
    if damage == "no run":
        pass  # sound, but it holds too little
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 0x10  # one bit of one weight: torch.load itself would not notice
        path.write_bytes(content)
        assert not torch.equal(torch.load(path)["model"]["w"], torch.arange(1000.0, device="cpu"))
    elif damage == "text":
        path.write_text("epoch,loss\n0,2.3\n")
    elif damage == "other tensors":
        torch.save({"w": torch.ones(2, device="cpu")}, path)
    else:
        torch.save({"w": torch.ones(2, device="cpu")}, path, _use_new_zipfile_serialization=False)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"run\.pt is no checkpoint of `train`, or it is damaged.*another path"):
        resumable.run(path)
    assert path.read_bytes() == before


def test_every_flipped_bit_is_found_or_harmless(tmp_path):
    path = tmp_path / "run.pt"
    tensor = torch.arange(50.0, device="cpu")
    checkpoint.save(path, {"model": {"w": tensor}})
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x40]) + content[place + 1 :])
        try:
            assert torch.equal(checkpoint.load(path)["model"]["w"], tensor)
        except ValueError:
            refused += 1
    assert refused > len(content) / 6  # the rest is padding, names and dates


def change(name):
    """A run that is otherwise than the saved one in one respect."""
    model, batches, optimizer, validation = resumable.parts()
    sgd = torch.optim.SGD
    if name == "model":
        model[5] = torch.nn.Linear(16, 5)
        optimizer = sgd(model.parameters(), lr=0.3, momentum=0.9)
    elif name == "layer names":
        model = torch.nn.Sequential(model, torch.nn.Identity())
    elif name == "lr":
        optimizer = sgd(model.parameters(), lr=0.2, momentum=0.9)
    elif name == "optimizer":
        optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
    elif name in ("groups", "lr of group 1"):
        groups = [{"params": model[:2].parameters()}, {"params": model[5].parameters(), "lr": 0.1}]
        optimizer = sgd(groups, lr=0.3, momentum=0.9)
        optimizer.param_groups[1]["lr"] = 0.1 if name == "groups" else 0.2
    elif name == "order of parameters":
        optimizer = sgd([*model.parameters()][::-1], lr=0.3, momentum=0.9)
    elif name == "frozen weights":
        model[0].requires_grad_(requires_grad=False)
    elif name == "double precision":
        model.double()
        batches = type(batches)(batches.x.double(), batches.y, 32, batches.generator)
    elif name == "fewer parameters":
        optimizer = sgd(list(model.parameters())[:2], lr=0.3, momentum=0.9)
    elif name == "batches":
        batches = type(batches)(batches.x, batches.y, 20, batches.generator)
    elif name == "order":
        batches = type(batches)(batches.x, batches.y, 32)
    options = {"validation": validation, "clip": 1.0, "patience": 3} | {
        "clip": {"clip": 2.0},
        "patience": {"patience": 2},
        "validation": {"validation": None, "patience": None},
    }.get(name, {})
    return model, batches, optimizer, options


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model", r"5.weight was \(4, 16\) of torch.float32, here it is \(5, 16\)"),
        ("layer names", "0.weight"),
        ("lr", "lr was 0.3, here it is 0.2"),
        ("optimizer", r"optimizer was torch\.optim\.sgd\.SGD, here it is torch\.optim\.adam\.Adam"),
        ("fewer parameters", "parameter 2 of the optimizer was 1.weight, here it is none"),
        ("groups", "of group 1 was none, here it is 0.1"),
        ("order of parameters", "parameter 0 of the optimizer was 0.weight, here it is 5.bias"),
        ("frozen weights", "parameter 0 of the optimizer was 0.weight, here it is 0.weight, frozen"),
        ("double precision", r"0.weight was \(16, 2\) of torch.float32, here it is \(16, 2\) of torch.float64"),
        ("batches", "batches a pass was 7 of 32, here it is 10 of 20"),
        ("order", "random streams"),
        ("clip", "clip was 1, here it is 2"),
        ("patience", "patience was 3, here it is 2"),
        ("validation", "validation was 60 examples, here it is none"),
    ],
)
def test_another_run_is_refused_and_nothing_changes(tmp_path, name, words):
    path = tmp_path / "run.pt"
    with pytest.raises(Interrupted):
        resumable.run(path, during=at(9))
    content = path.read_bytes()
    model, batches, optimizer, options = change(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    stream = torch.get_rng_state()
    with pytest.raises(ValueError, match=words) as caught:
        train(model, batches, torch.nn.functional.cross_entropy, optimizer, epochs=9, checkpoint=path, **options)
    assert "holds another run" in str(caught.value)
    assert "delete the file to train from the start, or give another path" in str(caught.value)
    assert resumable.equal(dict(model.state_dict()), before)
    assert torch.equal(torch.get_rng_state(), stream)
    assert not optimizer.state
    assert path.read_bytes() == content
    assert resumable.run(path)[1].stopped == "patience"  # and as it was, it goes on


def test_the_settings_of_every_group_are_compared(tmp_path):
    def run(name):
        model, batches, optimizer, _ = change(name)
        loss = torch.nn.functional.cross_entropy
        train(model, batches, loss, optimizer, epochs=1, checkpoint=tmp_path / "run.pt", progress=False)

    run("groups")
    with pytest.raises(ValueError, match=r"lr of group 1 was 0.1, here it is 0.2"):
        run("lr of group 1")


@pytest.mark.usefixtures("unchecked")
def test_batches_that_can_be_gone_through_once_are_refused(tmp_path):
    model, batches, optimizer, _ = resumable.parts()
    with pytest.raises(ValueError, match="repeats a pass"):
        train(
            model, iter(batches), torch.nn.functional.cross_entropy, optimizer, epochs=1, checkpoint=tmp_path / "a.pt"
        )
    assert not list(tmp_path.iterdir())


def test_streams_are_found_once_each(device):
    model, batches, _, _ = resumable.parts(device=device)
    shared = batches.generator
    model[4].generator = shared
    assert Streams(model, batches).generators == (shared,)
    assert Streams(model, []).generators == (shared,)
    assert [found.type for found in Streams(model, []).devices] == ["cpu"] + [device.type] * (device.type != "cpu")
    streams = Streams(model, batches)

    def draw():
        return [
            torch.rand(2, device="cpu"),
            torch.rand(2, device=device),
            torch.rand(2, generator=shared, device=device),
        ]

    states, drawn = streams.states(), draw()
    assert not resumable.equal(draw(), drawn)
    streams.restore(states)
    assert resumable.equal(draw(), drawn)


# ---- real signals, real processes


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("index", random.Random(5).sample(range(resumable.UPDATES), 5))
def test_a_process_that_ends_at_any_step_goes_on_in_another(tmp_path, whole, number, index):
    command = [sys.executable, "-W", "error", resumable.__file__, tmp_path / "run.pt", str(int(number)), str(index)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    if number == signal.SIGINT:
        assert killed.returncode == 1
        assert killed.stderr.endswith("run the same lines again to go on, with the same results.\n")
    else:
        assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, "")
    saved = len(checkpoint.load(tmp_path / "run.pt")["steps"])
    assert saved == (index + 1 if number == signal.SIGINT else index // 7 * 7)
    assert same(resumable.run(tmp_path / "run.pt"), whole)


@pytest.mark.slow
def test_killed_at_any_moment_the_file_is_whole(tmp_path):
    """kill -9 at random moments, mostly in the midst of a write: there is always a file, and it is always sound."""
    writer = (
        "import sys, torch; from dlcourse.training import checkpoint\n"
        "for n in range(10**6):\n"
        "    checkpoint.save(sys.argv[1], {'model': {'w': torch.full((200_000,), float(n))}, 'n': n})\n"
        "    print(n, flush=True)\n"
    )
    path, pause = tmp_path / "run.pt", random.Random(0)
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", writer, path], stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            time.sleep(pause.uniform(0, 0.05))
            os.kill(process.pid, signal.SIGKILL)
        content = checkpoint.load(path)
        assert (content["model"]["w"] == content["n"]).all()
