"""The diagnosis: sick runs are named rightly, healthy ones are not accused, and watching changes and leaves nothing."""

import math
from functools import cache

import pytest
import torch
from dlcourse_healthy import HEALTHY
from dlcourse_loops import bare, batches, conv_norm, diabetes, digits, generator, moons, net, run, sgd, textbook
from dlcourse_sick import SICK
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse import data, optim, training
from dlcourse.nn import BatchNorm, Linear
from dlcourse.training import CAUSES, Diagnosis, causes, diagnose, diagnosis, records, watch
from dlcourse.training.evidence import Evidence
from dlcourse.training.watching import Recorder, watching

sick_run = cache(lambda name, seed: SICK[name][1](seed))
FAST = pytest.mark.usefixtures("unchecked")  # the other tests check shapes; in hundreds of runs that is half the time
STYLES = [name for name in HEALTHY if name.startswith("digits, ")]  # every net with every optimizer and size of batch
SEEDS = (1, 2, 3)


def first_of_each(count):
    """The first few sick runs of each cause, and those that alone try a path."""
    causes_ = [cause for cause, _ in SICK.values()]
    few = [name for place, name in enumerate(SICK) if causes_[:place].count(SICK[name][0]) < count]
    return [*few, *(name for name in SICK if name.endswith(("by diagnose", "one hot")) and name not in few)]


def told(report):
    return f"\n{report}"


@FAST
@pytest.mark.parametrize("name", [*(name for name in HEALTHY if name not in STYLES), *STYLES[::9]])
def test_a_healthy_run_is_not_accused(name):
    report = HEALTHY[name](0)
    assert not report.findings, told(report)
    assert all(measured.ok for measured in report.measured)
    assert report.measured, "it says what was looked at"


@FAST
@pytest.mark.parametrize("name", first_of_each(2))
def test_a_sick_run_is_named(name):
    cause, _ = SICK[name]
    report = sick_run(name, 0)
    assert [finding.cause for finding in report.findings[:1]] == [cause], told(report)
    assert report.findings[0].follows is None
    assert report.findings[0].advice == CAUSES[cause]
    assert not all(measured.ok for measured in report.measured)


@FAST
@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *SEEDS])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_of_many_seeds(name, seed):
    report = HEALTHY[name](seed)
    assert not report.findings, told(report)


@FAST
@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *SEEDS])
@pytest.mark.parametrize("name", SICK)
def test_sick_runs_of_many_seeds(name, seed):
    cause, planted = SICK[name]
    report = planted(seed)
    assert [finding.cause for finding in report.findings[:1]] == [cause], told(report)


# Thresholds within a factor of two of which a healthy or a sick run lies.
NARROW = {"START", "DEAD", "FLAT", "RISES", "PEAK", "JUMP", "STEPS_LONG", "TRAVEL"}


@pytest.mark.slow
@FAST
def test_most_thresholds_have_room_on_both_sides(monkeypatch):
    runs, kept = [], []
    judge = diagnosis.judge
    monkeypatch.setattr(diagnosis, "judge", lambda seen: kept.append(seen) or judge(seen))
    for name in (*HEALTHY, *SICK):
        HEALTHY[name](0) if name in HEALTHY else SICK[name][1](0)
        runs.append((kept[-1], [finding.cause for finding in judge(kept[-1])[0][:1]]))
    thresholds = {
        name: value for name, value in vars(causes).items() if name.isupper() and isinstance(value, (int, float))
    }
    assert len(thresholds) > 20
    assert set(thresholds) >= NARROW
    for name in set(thresholds) - NARROW:
        for factor in (0.5, 2):
            monkeypatch.setattr(causes, name, factor * thresholds[name])
            changed = [first for seen, first in runs if [finding.cause for finding in judge(seen)[0][:1]] != first]
            assert not changed, (name, factor, changed)
        monkeypatch.setattr(causes, name, thresholds[name])


def test_each_cause_is_planted_twice_or_more():
    planted = [cause for cause, _ in SICK.values()]
    assert {cause: planted.count(cause) > 1 for cause in CAUSES} == dict.fromkeys(CAUSES, True)
    assert set(planted) == set(CAUSES)


def test_a_cause_comes_before_what_it_brings_about():
    order = list(CAUSES)
    assert set(causes.FOLLOWS) == set(CAUSES)
    for cause, follow in causes.FOLLOWS.items():
        assert all(order.index(cause) < order.index(later) for later in follow), cause


@FAST
@pytest.mark.parametrize("name", first_of_each(2))
def test_findings_come_in_the_order_of_causes(name):
    found = [finding.cause for finding in sick_run(name, 0).findings]
    assert found == sorted(found, key=list(CAUSES).index)


def test_consequences_are_marked():
    report = sick_run("learning rate too high: sgd of ten", 0)
    assert [(finding.cause, finding.follows) for finding in report.findings] == [
        ("learning rate too high", None),
        ("dead units", "learning rate too high"),
    ]
    assert "at a learning rate of 10" in report.findings[0].evidence
    assert "100% of the 64 units behind 1.0 are 0 for every example" in report.findings[1].evidence


def evidence(name):
    return sick_run(name, 0).findings[0].evidence


def test_the_evidence_has_the_numbers():
    assert "with 10 classes such a loss cannot fall below 1.46" in evidence("softmax twice: softmax module")
    assert "the model ends in a softmax" in evidence("softmax twice: softmax module")
    assert "each row of outputs sums to 1" in evidence("softmax twice: by hand lenet")
    assert "the loss is that of a softmax followed by" in evidence("softmax twice: inside the loss")
    assert "fall below" not in evidence("softmax twice: sigmoid of our own")
    assert "at the first layer as at the last" in evidence("vanishing gradients: eight sigmoid layers")
    assert "in 38 of 38 updates looked at" in evidence("gradients not cleared: never")
    assert evidence("wrong mode: never train with norm").startswith("46 of 46 updates were made in eval mode")
    assert evidence("wrong mode: measured in train mode").startswith("3 forward passes")
    assert "it matters for 1 (BatchNorm2d), 5 (BatchNorm2d), 9 (Dropout)" in evidence(
        "wrong mode: measured in train mode"
    )
    assert "hold 1.1 different quarters of the targets" in evidence("not shuffled: sorted targets")
    assert "and a binary cross-entropy follows" in evidence("softmax twice: sigmoid of our own")
    assert "it holds 4 that this model does not have" in evidence("parameters left out: optimizer of another model")
    assert "an even guess costs 2.3" in evidence("loss at start: weights of size one")
    assert "all 280 labels seen are of one class, of 10" in evidence("not shuffled: the first class only")
    assert ", same order in each pass" in evidence("not shuffled: sorted digits")
    assert "(32, 32) pairs" in evidence("label dtype: column of targets")
    assert "0 of 4 trained" in str(sick_run("parameters left out: optimizer of another model", 0))
    assert "softmax in the loss" in str(sick_run("softmax twice: inside the loss", 0))
    assert "softmax in the loss" not in str(sick_run("softmax twice: softmax module", 0))
    assert "dead, which were not so at first" in evidence("learning rate too high: kills units and yet learns")
    assert "from the start" in evidence("dead units: bias far below")
    assert "from the start" not in str(sick_run("learning rate too high: sgd of ten", 0))


# What is printed


def test_the_report_of_a_healthy_run():
    text = str(HEALTHY["by diagnose"](0))
    assert text.endswith("Nothing found in 46 updates.")
    head, *rows = text.splitlines()
    assert head.split()[:2] == ["looked", "at"]
    for wanted in ("log 10 = 2.3", "46", "about 10.0", "in 0 of 38 updates", "6 of 6 trained"):
        assert any(wanted in row for row in rows), wanted
    assert not any(row.startswith("!") for row in rows)


def test_the_report_of_a_sick_run():
    report = sick_run("learning rate too high: sgd of ten", 0)
    lines = str(report).splitlines()
    assert sum(line.startswith("! ") for line in lines) == len(report.findings)
    assert "1. learning rate too high" in lines
    assert "2. dead units (probably follows from: learning rate too high)" in lines
    assert max(map(len, lines)) <= 110


def test_a_report_of_nothing():
    model = net(0)
    with watch(model, sgd(model)) as watched:
        pass
    report = watched.report()
    assert report.findings == ()
    assert str(report).endswith("Nothing found in 0 updates.")


def test_a_loss_that_is_not_wrapped():
    x, y = digits()
    model = net(0)
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        textbook(model, batches(x, y, 0), F.cross_entropy, optimizer, 1)
    report = watched.report()
    assert report.findings == ()
    assert "not seen: wrap it, watched.loss(loss)" in str(report)


def test_the_loop_is_judged_without_its_loss():
    x, y = digits()
    model = net(0, norm=BatchNorm).eval()
    optimizer = sgd(model)
    with watch(model, optimizer) as watched:
        textbook(model, batches(x, y, 0), F.cross_entropy, optimizer, 1, clear="")
    assert [finding.cause for finding in watched.report().findings[:2]] == ["gradients not cleared", "wrong mode"]


def test_a_report_in_the_middle_of_a_run_and_at_its_end():
    x, y = digits()
    model = net(0)
    optimizer = sgd(model, 10.0)
    reports = []
    with watch(model, optimizer) as watched:
        each = lambda index: reports.append(watched.report()) if index == 20 else None  # noqa: E731
        textbook(model, batches(x, y, 0), watched.loss(F.cross_entropy), optimizer, 2, each=each)
    assert [report.updates for report in (*reports, watched.report(), watched.report())] == [20, 46, 46]
    assert {report.findings[0].cause for report in (*reports, watched.report())} == {"learning rate too high"}


# Nothing is left behind, nothing is changed


def hooks(model, optimizer):
    """How many hooks there are on anything."""
    found = []
    for module in model.modules():
        found += [len(value) for name, value in vars(module).items() if name.endswith("_hooks")]
    for parameter in model.parameters():
        found += [len(parameter._backward_hooks or ()), len(parameter._post_accumulate_grad_hooks or ())]
    found += [len(value) for name, value in vars(optimizer).items() if name.endswith("_hooks")]
    return sum(found)


@pytest.mark.parametrize("ends", ["well", "in the loop", "in the loss", "in a pass"])
def test_no_hook_survives(ends):
    x, y = digits()
    model = conv_norm(0)
    optimizer = sgd(model)
    own = model.register_forward_hook(lambda *_: None)
    before = hooks(model, optimizer)
    kept = []

    def loss(logits, labels):
        if ends == "in the loss":
            raise ZeroDivisionError
        return F.cross_entropy(logits, labels)

    def broken():
        with watch(model, optimizer) as watched:
            assert hooks(model, optimizer) > before
            seen = watched.loss(loss)
            textbook(model, batches(x, y, 0), seen, optimizer, 1)
            logits = model(x)
            kept.append(logits)
            if ends == "in the loop":
                raise ZeroDivisionError
            if ends == "in a pass":
                model(x[:, :, :5, :3].expand(-1, 2, -1, -1))

    if ends == "well":
        broken()
    else:
        with pytest.raises((ZeroDivisionError, RuntimeError)):
            broken()
    assert hooks(model, optimizer) == before
    own.remove()
    if kept:
        kept[0].sum().backward()  # a graph that outlives the block calls nothing of it


def state(model, optimizer):
    tensors = [*model.state_dict().values(), *(parameter.grad for parameter in model.parameters())]
    for kept in optimizer.state.values():
        tensors += [value for value in kept.values() if isinstance(value, torch.Tensor)]
    return [None if tensor is None else tensor.clone() for tensor in tensors]


def equal(a, b):
    return len(a) == len(b) and all(
        (one is None and other is None) or torch.equal(one, other) for one, other in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("kind", ["norm and dropout", "torch's dropout", "accumulated", "not cleared", "adam"])
def test_watching_changes_no_number(kind):
    x, y = digits()

    def trained(watching):
        torch.manual_seed(5)
        model = net(3, norm=BatchNorm, dropout=0.3)
        if kind == "torch's dropout":
            model = nn.Sequential(*model, nn.Dropout(0.2))
        optimizer = optim.Adam(model.parameters()) if kind == "adam" else sgd(model, momentum=0.9)
        options = {"accumulated": {"every": 2}, "not cleared": {"clear": ""}}.get(kind, {})
        losses = []

        def loss(logits, labels):
            losses.append(F.cross_entropy(logits, labels))
            return losses[-1]

        if watching:
            with watch(model, optimizer) as watched:
                textbook(model, batches(x, y, 4), watched.loss(loss), optimizer, 2, clip=1.0, **options)
                watched.report()
        else:
            textbook(model, batches(x, y, 4), loss, optimizer, 2, clip=1.0, **options)
        return [*state(model, optimizer), *(loss.detach() for loss in losses), torch.get_rng_state()]

    assert equal(trained(True), trained(False))


def test_diagnose_leaves_everything_as_it_was():
    x, y = digits()
    model = net(0, norm=BatchNorm, dropout=0.2)
    model.eval()
    optimizer = optim.Adam(model.parameters())
    training_set = batches(x, y, 1)
    model[1][1].train()
    F.cross_entropy(model(x), y).backward()
    streams = [training_set.generator, model[1][3].generator]
    before = state(model, optimizer)
    drawn = [torch.get_rng_state(), *(stream.get_state() for stream in streams)]
    modes = [module.training for module in model.modules()]
    diagnose(model, training_set, F.cross_entropy, optimizer, epochs=2)
    assert equal(state(model, optimizer), before)
    assert equal([torch.get_rng_state(), *(stream.get_state() for stream in streams)], drawn)
    assert [module.training for module in model.modules()] == modes
    assert hooks(model, optimizer) == 0


def test_diagnose_repeats():
    x, y = digits()
    model = net(0, dropout=0.2)
    once, again = (diagnose(model, batches(x, y, 1), F.cross_entropy, sgd(model)) for _ in range(2))
    assert str(once) == str(again)


def test_diagnose_raises_what_is_not_a_matter_of_labels():
    x, y = digits()
    model = nn.Sequential(nn.Linear(3, 10))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        diagnose(model, batches(x, y, 0), F.cross_entropy, sgd(model))

    def loss(logits, labels):
        raise ValueError("not today")

    model = net(0)
    with pytest.raises(ValueError, match="not today"):
        diagnose(model, batches(x, y, 0), loss, sgd(model))
    assert hooks(model, sgd(model)) == 0


def test_two_watches_at_once():
    x, y = digits()
    model = net(0)
    optimizer = sgd(model)
    with watch(model, optimizer) as one, watch(model, optimizer) as other:
        textbook(model, batches(x, y, 0), one.loss(other.loss(F.cross_entropy)), optimizer, 1)
    assert str(one.report()) == str(other.report())
    assert hooks(model, optimizer) == 0


def test_watch_refuses(unchecked):
    model = net(0)
    with pytest.raises(TypeError, match=r"wanted a torch\.optim\.Optimizer"), watch(model, "sgd"):
        pass
    lazy = nn.LazyLinear(3)
    with pytest.raises(ValueError, match="lazy layers"), watch(lazy, torch.optim.SGD(lazy.parameters(), lr=0.1)):
        pass


def test_a_loop_on_any_device(device):
    x, y = (part.to(device) for part in moons(0))
    model = net(0, (2, 16, 2), norm=BatchNorm).to(device)
    report = diagnose(model, data.batches(x, y, size=32, generator=generator(0)), F.cross_entropy, sgd(model), epochs=2)
    assert not report.findings, told(report)
    model = nn.Sequential(net(0, (2, 16, 2)), nn.Softmax(1)).to(device)
    with watch(model, sgd(model)) as watched:
        optimizer = sgd(model)
        textbook(model, data.batches(x, y, size=32), watched.loss(F.cross_entropy), optimizer, 1)
    assert watched.report().updates == 0, "another optimizer's steps are not this one's"


# What is measured


def seen_in(model, optimizer, x, y, *, loss=F.cross_entropy, size=64, epochs=1):
    recorder = Recorder(model, optimizer)
    with watching(recorder):
        textbook(model, batches(x, y, 0, size), recorder.loss(loss), optimizer, epochs)
    return recorder


def test_looks_become_rarer():
    looks = [index for index in range(100_000) if records.looked_at_closely(index)]
    assert looks[:33] == list(range(33))
    assert [index for index in looks if 32 <= index < 64] == list(range(32, 64, 2))
    assert [index for index in looks if 64 <= index < 128] == list(range(64, 128, 4))
    assert 200 < len(looks) < 240


def test_gradients_ratios_and_deltas_by_hand():
    """One linear layer, one update: everything can be worked out."""
    x, y = diabetes()
    model = Linear(10, 1, generator=generator(0))
    weight, bias = (parameter.detach().clone() for parameter in model.parameters())
    recorder = seen_in(model, sgd(model, 0.5), x, y, loss=F.mse_loss, size=442)
    (look,) = recorder.looks
    order = torch.randperm(442, generator=generator(0))
    error = 2 / 442 * (x[order] @ weight.T + bias - y[order])
    gradient = error.T @ x[order]
    assert look.deltas == pytest.approx({"Linear": error.norm().item()})
    assert look.gradients["weight"] == pytest.approx(gradient.norm().item())
    assert look.ratios["weight"] == pytest.approx((0.5 * gradient.norm() / weight.norm()).item(), rel=1e-4)
    assert look.inputs["size"] == pytest.approx(x.square().mean().sqrt().item())
    assert look.examples == 442


def test_dead_and_saturated_by_hand():
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 2), nn.Sigmoid())
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([[1.0], [-1.0], [0.0], [0.0]])
        model[0].bias[:] = torch.tensor([0.0, -5.0, -1.0, 1.0])  # on, on for x < -5 only, dead, on
        model[2].weight.zero_()
        model[2].bias[:] = torch.tensor([4.0, 0.1])  # saturated, not
    x = torch.tensor([[-1.0], [2.0]])
    recorder = Recorder(model, sgd(model, 0.0))
    with watching(recorder):
        model(x)
        assert recorder.look.alive["0"].tolist() == [True, False, False, True]
        assert recorder.look.saturated == {"0": 0.0, "2": 0.5}
        model(torch.tensor([[-6.0]]))
        assert recorder.look.alive["0"].tolist() == [True, True, False, True]
        assert recorder._behind == [], "no graph is kept"
    assert "4" not in recorder.look.alive, "what comes behind the last layer is the answer"


@pytest.mark.parametrize("kind", ["tanh", "sigmoid", ""])
def test_saturated_means_a_sixteenth_of_the_slope(kind):
    """tanh(z) has slope 1 - tanh(z)^2, which is 1/16 where tanh(z) = 0.968; the sigmoid is the same curve, squeezed."""
    z = torch.tensor([-3.0, -2.1, -2.0, 0.0, 2.0, 2.1, 3.0])  # tanh(2) = 0.964, tanh(2.1) = 0.970
    output = torch.sigmoid(2 * z) if kind == "sigmoid" else torch.tanh(z)
    assert records.saturated(output, kind) == pytest.approx(4 / 7)
    assert records.saturated(output, "relu") == 0
    assert records.saturated(3 * output, "") == 0


def test_labels_are_found_wherever_they_stand():
    model, labels = net(0, (10, 1)), torch.ones(4, 1)
    recorder = Recorder(model, sgd(model))
    outputs = model(torch.randn(4, 10, generator=generator(0)))
    for call in (lambda f: f(outputs, labels), lambda f: f(labels, outputs), lambda f: f(target=labels, input=outputs)):
        call(recorder.loss(F.mse_loss))
    assert all(torch.equal(call.labels, labels) for call in recorder.calls)
    assert len({call.low for call in recorder.calls}) == 1


def test_channels_are_the_units_of_a_convolution():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 2))
    with torch.no_grad():
        model[0].bias[1] = -1e3
    recorder = Recorder(model, sgd(model))
    with watching(recorder):
        model(digits()[0][:8])
    assert recorder.look.alive["0"].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (nn.Softmax(1), "softmax"),
        (lambda z: torch.sigmoid(z).squeeze(1), "sigmoid"),
        (lambda z: z.sigmoid().view(-1)[:2], "sigmoid"),
        (nn.LogSoftmax(1), ""),
        (lambda z: z.softmax(1) + 1, ""),
        (lambda z: z, ""),
        (lambda z: z.detach(), ""),
    ],
)
def test_the_last_operation(end, name):
    assert records.squashed(end(torch.zeros(2, 1, requires_grad=True) * 2)) == name


def test_the_mode_matters_for():
    class Own(nn.Module):
        def forward(self, x):
            return F.dropout(x, 0.5, self.training)

    model = nn.Sequential(Own(), nn.BatchNorm1d(3), nn.Dropout(0.0), nn.Linear(3, 3), nn.LayerNorm(3), nn.Dropout(0.1))
    assert [name for name, _ in records.mode_matters(model)] == ["0", "1", "5"]
    for parameter in model[1].parameters():
        parameter.requires_grad_(False)
    assert [name for name, _ in records.mode_matters(model)] == ["0", "5"], "behind the first trained layer"


def test_how_units_differ():
    random = torch.randn(32, 64, generator=generator(0))
    assert 0.9 < records.spread(random) < 1
    assert records.spread(torch.full((4, 3), 0.7)) < 1e-6
    assert records.spread(random[:1].expand(5, -1)) < 1e-6
    assert records.spread(random[:, :1].expand(-1, 5)) < 1e-6, "a matrix may be (in, out)"
    assert records.spread(torch.zeros(3, 3)) == 0


def test_losses_by_the_book():
    logits = torch.randn(6, 4, generator=generator(0))
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    hot = F.one_hot(labels, 4).float()
    book = records.by_the_book(logits, labels)
    assert book == pytest.approx(
        {
            "cross-entropy": F.cross_entropy(logits, labels).item(),
            "softmax first": F.cross_entropy(logits.softmax(1), labels).item(),
        }
    )
    assert records.by_the_book(logits, hot)["cross-entropy"] == pytest.approx(book["cross-entropy"])
    assert records.by_the_book(logits, hot)["squared"] == pytest.approx(F.mse_loss(logits, hot).item())
    probabilities = logits.softmax(1)
    assert records.by_the_book(probabilities, labels)["likelihood"] == pytest.approx(book["cross-entropy"])
    assert records.by_the_book(probabilities, hot)["likelihood"] == pytest.approx(
        F.binary_cross_entropy(probabilities, hot).item()
    ) or records.by_the_book(probabilities, hot)["likelihood"] == pytest.approx(book["cross-entropy"])
    assert records.by_the_book(logits, labels + 1) == {}, "a class that is none"
    assert records.by_the_book(logits[:, :1], labels) == {}


@pytest.mark.parametrize(
    ("loss", "kind", "even"),
    [
        (F.cross_entropy, "cross-entropy", math.log(10)),
        (nn.CrossEntropyLoss(reduction="sum"), "cross-entropy", math.log(10)),
        (nn.CrossEntropyLoss(label_smoothing=0.2), "cross-entropy", math.log(10)),
        (lambda z, y: F.cross_entropy(z, y, label_smoothing=0.05), "cross-entropy", math.log(10)),
        (lambda z, y: F.cross_entropy(z.softmax(1), y), "cross-entropy", math.log(10)),
        (lambda z, y: F.multi_margin_loss(z, y), "", None),
    ],
)
def test_which_loss_it_is(loss, kind, even):
    x, y = digits()
    model = net(0)
    evidence = Evidence(seen_in(model, sgd(model, 0.001), x, y, loss=loss))
    assert (evidence.kind, evidence.even) == (kind, even)
    assert 0.2 < evidence.start < 6, "of one example, also for a sum"


def test_labels_are_judged_against_chance():
    x, y = digits()
    model = net(0)
    evidence = Evidence(seen_in(model, sgd(model), x, y, size=32))
    measured, finding = causes.shuffled(evidence)
    expected = 10 * (1 - 0.9**32)  # digits are balanced, but for a little
    assert finding is None
    assert measured.healthy == f"about {expected:.1f}"
    counts = torch.stack([torch.bincount(block, minlength=10) for block in evidence.blocks])
    assert measured.value == f"{(counts > 0).sum(1).double().mean():.1f} different"


def test_the_same_order_in_each_pass_is_said_and_not_accused():
    x, y = digits()
    model = net(0)
    report = run(model, x, y, sgd(model), 0, shuffled=False)
    assert not report.findings
    assert "same order in each pass" in str(report)
    assert "same order" not in str(run(model, x, y, sgd(model), 0))
    assert "same order" not in str(run(model, x, y, sgd(model), 0, size=len(x), epochs=5))


def test_left_out_is_not_what_another_optimizer_moves():
    x, y = digits()
    model = net(0)
    report = run(model, x, y, sgd(model[1][-1]), 0)
    assert "the optimizer does not hold 1.0.weight, 1.0.bias" in report.findings[0].evidence.lower()
    model[1][0].requires_grad_(False)
    report = run(model, x, y, sgd(model[1][-1]), 0)
    assert not report.findings
    assert "2 of 4 trained, 2 frozen" in str(report)


def test_bare_tensors_have_no_layers():
    x, y = digits()
    report = bare(torch.zeros(64, 10), x.flatten(1), y, 0, torch.matmul)
    assert report.layers == ()
    assert "1 of 1 trained" in str(report)


def test_layers_of_a_report():
    x, y = digits()
    model = conv_norm(0)
    report = run(model, x, y, sgd(model), 0)
    assert [layer.name for layer in report.layers] == ["0", "4", "10"]
    assert all(layer.gradient > 0 for layer in report.layers)
    assert [layer.dead for layer in report.layers] == [0, 0, None]
    assert [layer.saturated for layer in report.layers] == [0, 0, None]


def test_a_loss_keeps_its_name_and_its_arguments():
    model = net(0)
    with watch(model, sgd(model)) as watched:
        assert watched.loss(F.cross_entropy).__name__ == "cross_entropy"
        logits, labels = torch.randn(4, 3, generator=generator(0)), torch.tensor([0, 1, 2, 0])
        seen = watched.loss(F.cross_entropy)
        assert torch.equal(seen(input=logits, target=labels), F.cross_entropy(logits, labels))
        assert seen(logits, labels, reduction="none").shape == (4,)
        assert watched.loss(lambda: 3.0)() == 3.0


def test_exports():
    assert issubclass(training.Diagnosis, Diagnosis)
    assert training.watch is watch
