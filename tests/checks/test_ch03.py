"""Chapter 03: what its checks take for right agrees with torch, and what else the table of answers cannot show."""

import re
from pathlib import Path

import pytest
import torch

from dlcourse.checks import CheckFailed, NotStarted
from dlcourse.checks.ch03 import adam, loops
from dlcourse.checks.registry import find
from dlcourse.checks.subject import LocalSubject


@pytest.mark.parametrize("weight_decay", [None, 0.3])
@pytest.mark.parametrize("seed", range(20))
def test_oracle_of_adam_agrees_with_torch(seed, weight_decay):
    generator = torch.Generator().manual_seed(seed)
    p, g, m, v, step, lr, beta1, beta2, eps = adam.draw(generator, 1)  # an odd round draws float64
    leaf = torch.nn.Parameter(p.clone())
    kind = torch.optim.Adam if weight_decay is None else torch.optim.AdamW
    optimizer = kind([leaf], lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay or 0.0)
    state = {"step": torch.tensor(float(step - 1)), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    optimizer.state[leaf] = state
    leaf.grad = g.clone()
    optimizer.step()
    wanted = (leaf.detach(), state["exp_avg"], state["exp_avg_sq"])
    got = adam.oracle(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay or 0.0)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-11)


def test_every_pair_of_faults_is_made_of_known_ones():
    for up, down in adam.TOGETHER:
        assert up in adam.ABOVE
        assert down in adam.BELOW


@pytest.mark.parametrize("begun", ["a", "ab", "abcd"])
def test_a_loop_that_is_not_started_is_named(begun):
    def answer(name, *args):
        if name not in begun:
            raise NotStarted
        return loops.loops(name, *args)

    with pytest.raises(NotStarted) as raised:
        find("03.loops").check(LocalSubject(answer), None)
    assert f"mended so far: loop_{', loop_'.join(begun)}. loop_{'abcde'[len(begun)]} has not been" in str(raised.value)
    assert 'checks.hint("03.loops")' in str(raised.value)


def test_a_stub_of_another_exercise_is_named():
    def adam_step(*args):
        raise NotStarted

    with pytest.raises(NotStarted, match="`raise NotStarted` in adam_step, run that cell"):
        find("03.adamw").check(LocalSubject(lambda *args: adam_step(*args[:-1])), None)


def test_nothing_cancels_in_the_first_case():
    old, new = adam.CASE, adam.oracle(*adam.CASE)
    for before, after in zip((old[0], old[2], old[3]), new, strict=True):
        assert after.abs().min() > 0.01
        assert (after - before).abs().min() > 0.01


@pytest.mark.parametrize("name", "abcde")
def test_each_broken_loop_of_the_notebook_is_diagnosed(name):
    source = (Path(__file__).parents[2] / "solutions" / "03-training.md").read_text(encoding="utf-8")
    code = re.search(rf"^def broken_{name}\(.*?return weight\.detach\(\), losses$", source, re.DOTALL | re.MULTILINE)
    names = {"torch": torch}
    exec(code.group(), names)

    def answer(asked, *args):
        return names[f"broken_{name}"](*args) if asked == name else loops.loops(asked, *args)

    with pytest.raises(CheckFailed) as failure:
        find("03.loops").check(LocalSubject(answer), None)
    assert failure.value.reason == loops.SUSPECTS[name][0].reason
    assert failure.value.called.startswith(f"loop_{name}(")


@pytest.mark.parametrize("name", "abcde")
def test_an_unknown_fault_gets_the_loops_own_advice(name):
    def answer(asked, *args):
        weight, losses = loops.loops(asked, *args)
        return (weight * 1.01, losses) if asked == name else (weight, losses)

    with pytest.raises(CheckFailed) as failure:
        find("03.loops").check(LocalSubject(answer), None)
    assert failure.value.reason == f"All losses are right, and the weight that came back is not. {loops.GENERIC[name]}"
