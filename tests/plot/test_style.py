"""The palette holds for colour-blind readers, and nothing global changes."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest

from dlcourse import plot
from dlcourse.plot.style import FILLS, INK, LINES, PANEL, STYLES

# Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency",
# severity 1.0, for linear RGB.
MACHADO = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray:
    rgb = np.array(mpl.colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours: tuple[str, ...], sight: str) -> float:
    """The smallest distance in CIELAB (1976; about 2 is just noticeable side by side) between two of the colours."""
    seen = [lab(np.array(MACHADO[sight]) @ linear(colour)) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


def contrast(a: str, b: str) -> float:
    """WCAG 2 contrast ratio."""
    low, high = sorted(float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour)) for colour in (a, b))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("sight", MACHADO)
def test_line_colours_stay_apart(sight):
    assert nearest(LINES, sight) > 15
    assert nearest(LINES[:3], sight) > 40, "the first three are used most"


@pytest.mark.parametrize("sight", MACHADO)
def test_fill_colours_stay_apart(sight):
    assert nearest(FILLS[:2], sight) > 75
    assert nearest(FILLS[:4], sight) > 15


def test_the_simulation_can_fail():
    """Red and green of one lightness: plain to most, near to the same under deuteranopia."""
    pair = ("#C04040", "#707000")
    assert nearest(pair, "none") > 45
    assert nearest(pair, "deuteranopia") < 16


@pytest.mark.parametrize("colour", [*LINES, INK, plot.COLOURS["grey"]])
def test_lines_have_contrast_on_the_panel(colour):
    assert contrast(colour, PANEL) >= 3


def test_text_has_contrast_on_the_panel():
    assert contrast(INK, PANEL) >= 7


def test_lines_differ_by_more_than_colour():
    assert len(set(LINES)) == len(set(STYLES)) == len(LINES)


def test_nothing_global_changes():
    before = dict(mpl.rcParams)
    fig, ax = plot.figure(1, 2, sharey=True)
    plot.curves(ax[0], [0, 1], {"a": [0, 1]})
    assert dict(mpl.rcParams) == before
    assert fig.get_facecolor() == mpl.colors.to_rgba(PANEL)
    assert ax[0].get_facecolor() == mpl.colors.to_rgba(PANEL)
    assert ax.shape == (2,)


def test_figures_are_not_registered_with_pyplot():
    import matplotlib.pyplot as plt

    plot.figure()
    assert plt.get_fignums() == []


def test_figure_sizes():
    assert plot.figure(width=6, height=2)[0].get_size_inches().tolist() == [6, 2]
    assert plot.figure()[0].get_figwidth() < plot.figure(1, 2)[0].get_figwidth() < plot.figure(1, 3)[0].get_figwidth()
