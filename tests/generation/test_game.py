"""The game: what it is about in one dimension, what each loss does when D wins, and the recipe on eight Gaussians."""

import math
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from dlcourse_oracles import source
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import data, generation, models
from dlcourse.optim import cosine
from dlcourse.steps import record


def normal(x, mean, std):
    return -((x - mean) / std).square() / 2 - math.log(std * math.sqrt(2 * math.pi))


places = st.floats(-3, 3), st.floats(0.3, 2), st.floats(-3, 3), st.floats(0.3, 2)


@given(*places, st.integers(0, 10))
def test_no_discriminator_is_better_than_the_optimum(a, s, b, t, seed):
    x = torch.linspace(-20, 20, 4001, dtype=torch.float64, device="cpu")
    log_p, log_q = normal(x, a, s), normal(x, b, t)
    best = generation.game_value(log_p, log_q, generation.optimal_logits(log_p, log_q), x)
    other = torch.randn(len(x), generator=source(seed, "cpu"), dtype=torch.float64, device="cpu")
    assert generation.game_value(log_p, log_q, other, x) <= best
    divergence = generation.jensen_shannon(log_p, log_q, x)
    assert -1e-9 <= divergence <= math.log(2) + 1e-6
    assert best.item() == pytest.approx(2 * divergence.item() - math.log(4), abs=1e-9)
    torch.testing.assert_close(divergence, generation.jensen_shannon(log_q, log_p, x))


@pytest.mark.parametrize("seed", range(3))
def test_a_trained_discriminator_comes_near_the_optimum(seed):
    """Real N(-1, 0.6^2) against fake N(1, 1): 300 steps; the mean is over an even mixture of both densities."""
    generator = source(seed, "cpu")
    d_model = models.gan_discriminator((1,), hidden=(32, 32), generator=generator)
    optimizer = torch.optim.Adam(d_model.parameters(), 3e-3)
    for _ in range(300):
        real, fake = (torch.randn(256, 1, generator=generator, device="cpu") for _ in range(2))
        optimizer.zero_grad()
        generation.MINIMAX.discriminator(d_model(0.6 * real - 1), d_model(fake + 1)).backward()
        optimizer.step()
    x = torch.linspace(-7, 8, 3001, device="cpu")
    log_p, log_q = normal(x, -1, 0.6), normal(x, 1, 1)
    gap = (torch.sigmoid(d_model(x[:, None])) - generation.optimal_discriminator(log_p, log_q)).abs()
    error = torch.trapezoid(gap * (log_p.exp() + log_q.exp()) / 2, x).item()
    assert error < 0.03


@pytest.mark.parametrize("logit", [-2.0, -5.0, -10.0])
def test_when_d_wins_only_minimax_goes_flat(logit):
    def slope(loss):
        x = torch.tensor([logit], device="cpu", requires_grad=True)
        return torch.autograd.grad(loss.generator(x), x)[0].item()

    sure = 1 / (1 + math.exp(-logit))
    assert slope(generation.MINIMAX) == pytest.approx(-sure, rel=1e-5)
    assert slope(generation.NON_SATURATING) == pytest.approx(sure - 1, rel=1e-5)
    assert slope(generation.HINGE) == slope(generation.WASSERSTEIN) == -1
    assert slope(generation.LEAST_SQUARES) == logit - 1


def dirac(steps, *, lr, gamma=0.0):
    """The distance from rest (0, 0) in the Dirac-GAN: data at 0, fakes at theta, D(x) = psi x, Wasserstein's loss."""
    theta, psi = (torch.tensor([value], dtype=torch.float64, device="cpu", requires_grad=True) for value in (1.0, 0.0))
    real = torch.zeros(1, 1, dtype=torch.float64, device="cpu")
    loss = generation.WASSERSTEIN
    for _ in range(steps):
        down = loss.discriminator(psi * real[0], psi * theta.detach())
        down = down + gamma / 2 * generation.r1_penalty(lambda x: x @ psi, real)
        (d_slope,) = torch.autograd.grad(down, psi)
        (g_slope,) = torch.autograd.grad(loss.generator(psi.detach() * theta), theta)
        psi.data -= lr * d_slope  # both from where both stood
        theta.data -= lr * g_slope
    return math.hypot(theta.item(), psi.item())


def test_simultaneous_steps_spiral_out_and_r1_brings_them_home():
    """Mescheder et al. 2018: each step makes the radius sqrt(1 + lr^2) times as large; R1 shrinks it."""
    assert dirac(200, lr=0.1) == pytest.approx(1.01**100, rel=1e-9)
    assert dirac(200, lr=0.1, gamma=1.0) < 1e-3


def test_steps_can_be_kept(device):
    generator = source(0, device)
    g_model = models.gan_generator((2,), latent=2, hidden=(4,), generator=generator)
    d_model = models.gan_discriminator((2,), hidden=(4,), generator=generator)
    optimizers = (torch.optim.Adam(model.parameters(), 1e-3) for model in (g_model, d_model))
    draw = generation.drawing_from(torch.ones(5, 2, device=device), generator=generator)
    game = generation.gan_steps(
        g_model, d_model, draw, generation.HINGE, *optimizers, latent=2, steps=2, batch=3, generator=generator
    )
    steps = record(game)
    assert [type(step).__name__ for step in steps] == ["DiscriminatorStep", "GeneratorStep"] * 2
    assert all(step.fake.device.type == "cpu" for step in steps)


RING = 2 * torch.stack([torch.tensor([math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)]) for k in range(8)])


def ring(seed, turns=1200):
    """Eight Gaussians, the chapter's recipe: R1 at every fourth step, and rates that fall to 0 in the second half."""
    generator = source(seed, "cpu")
    g_model = models.gan_generator((2,), latent=2, generator=generator)
    d_model = models.gan_discriminator((2,), generator=generator)
    g_optimizer, d_optimizer = (
        torch.optim.Adam(model.parameters(), 1e-3, betas=(0.5, 0.9)) for model in (g_model, d_model)
    )
    begun = time.process_time()
    generation.train_gan(
        g_model,
        d_model,
        lambda n: data.eight_gaussians(n, noise=0.05, generator=generator)[0],
        generation.NON_SATURATING,
        g_optimizer,
        d_optimizer,
        latent=2,
        steps=turns,
        penalty=generation.R1(0.1, every=4),
        schedule=lambda turn: cosine(max(turn - turns // 2, 0), total=turns // 2),
        progress=False,
        generator=generator,
    )
    spent = time.process_time() - begun
    samples = generation.draw_samples(g_model, 4000, latent=2, generator=generator)
    distance, nearest = torch.cdist(samples, RING).min(1)
    good = distance <= 0.15
    counts = nearest[good].bincount(minlength=8)
    return (counts >= 40).sum().item(), good.float().mean().item(), counts.tolist(), spent


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_eight_gaussians_all_modes(seed):
    covered, share, counts, spent = ring(seed)
    print(f"seed {seed}: {covered} of 8 modes, {share:.3f} high quality, {counts}, {spent:.1f} CPU s")
    assert covered == 8
    assert share >= 0.7


@pytest.mark.slow
def test_the_benchmark_runs_and_draws(tmp_path):
    """A few turns with each penalty, on the digits; its clock and its targets are judged by hand."""
    benchmark, picture = Path(__file__).parents[2] / "benchmarks" / "gan.py", tmp_path / "gan.png"
    command = [sys.executable, "-W", "error", str(benchmark), "--data", "digits", "--quick", "--compare"]
    done = subprocess.run(
        [*command, "--threads", "1", "--picture", str(picture)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("  judge 10") == 3 * 2
    assert done.stdout.count("of the recipe's time") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
