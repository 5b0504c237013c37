"""The palette holds for colour-blind readers, and nothing global changes."""

import matplotlib as mpl
import pytest
from dlcourse_colour import MACHADO, contrast, nearest

from dlcourse import plot
from dlcourse.plot.style import FILLS, INK, LINES, PANEL, STYLES


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
