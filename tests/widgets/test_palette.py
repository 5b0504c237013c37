"""The scripts' colours: those of dlcourse.plot, told apart by colour-blind readers, legible in light and dark."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from dlcourse_colour import MACHADO, contrast, nearest
from dlcourse_node import NODE, evaluate

from dlcourse.plot.style import COLOURS, DIVERGING, HOUSE, INK, LINES, PANEL

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

THEMES = ("light", "dark")
PALETTE_JS = 'import { DARK, LIGHT, STEPS, blend, isDark, rgb, table } from "./dlcourse/widgets/js/palette.js";'


@pytest.fixture(scope="module")
def palettes() -> dict:
    return evaluate(PALETTE_JS, "{ light: LIGHT, dark: DARK }")


@pytest.fixture(scope="module")
def tables() -> dict:
    """Theme -> the colours of the bytes 0 to 255, red, green, blue and opacity."""
    made = evaluate(PALETTE_JS, "{ light: [...table(LIGHT)], dark: [...table(DARK)] }")
    return {theme: np.array(made[theme]).reshape(256, 4) for theme in THEMES}


def test_light_is_the_house_style(palettes):
    light = palettes["light"]
    assert (light["ink"], light["panel"], light["grid"]) == (INK, PANEL, HOUSE["grid.color"])
    assert (light["zero"], light["one"]) == (COLOURS["blue"], COLOURS["orange"])
    assert light["lines"] == list(LINES)
    assert [light["field"][0].lower(), light["field"][2].lower()] == [mpl.colors.to_hex(DIVERGING(i)) for i in (0, 23)]
    assert light["field"][1] == "#F7F7F5", "the middle, which no band of the map has"


def test_both_themes_have_the_same_names(palettes):
    assert palettes["light"].keys() == palettes["dark"].keys()
    assert [palettes[theme]["dark"] for theme in THEMES] == [False, True]
    for theme in THEMES:
        assert len(set(palettes[theme]["lines"])) == len(LINES)
        assert len(palettes[theme]["field"]) == 3


def test_the_shared_style_sheet_has_the_colours_of_the_classes(palettes):
    from dlcourse.widgets.bundle import SHARED

    light, _, dark = (SHARED / "core.css").read_text(encoding="utf-8").partition(".dlc.dlc-dark {")
    for text, theme in ((light, "light"), (dark, "dark")):
        for name in ("zero", "one"):
            assert f"--dlc-{name}: {palettes[theme][name].lower()};" in text.partition(".dlc *")[0].lower()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sight", MACHADO)
def test_colours_stay_apart(palettes, theme, sight):
    palette = palettes[theme]
    assert nearest([palette["zero"], palette["one"]], sight) > 75, "the two classes"
    assert nearest([palette["field"][0], palette["field"][2]], sight) > 55, "the two sides of a field"
    assert nearest(palette["field"], sight) > 20, "a side and the middle"
    assert nearest([palette["missing"], *palette["field"]], sight) > 20, "no value is none of them"
    assert nearest(palette["lines"], sight) > 15
    assert min(nearest(pair, sight) for pair in itertools.pairwise(palette["lines"])) > 15, "neighbours"
    assert nearest(palette["lines"][:3], sight) > 38, "the first three are used most"


@pytest.mark.parametrize("theme", THEMES)
def test_contrast_on_the_panel(palettes, theme):
    palette = palettes[theme]
    assert min(contrast(palette[text], palette["panel"]) for text in ("ink", "quiet")) >= 4.5
    assert min(contrast(line, palette["panel"]) for line in palette["lines"]) >= 3
    assert contrast(palette["wrong"], palette["panel"]) >= 3
    assert contrast(palette["zero"], palette["panel"]) >= 3
    assert contrast(palette["ink"], palette["field"][1]) >= 4.5, "the line between two classes runs there"
    assert all(contrast(palette["ink"], side) >= 4.5 for side in palette["field"]), "and words may stand on either side"


@pytest.mark.parametrize("theme", THEMES)
def test_bytes_to_colours(palettes, tables, theme):
    table, field = tables[theme], [np.array(mpl.colors.to_rgb(stop)) * 255 for stop in palettes[theme]["field"]]
    assert (table[:, 3] == 255).all()
    for byte, wanted in ((0, field[0]), (127, field[1]), (254, field[2])):
        assert np.abs(table[byte, :3] - wanted).max() < 0.5, byte
    missing = np.array(mpl.colors.to_rgb(palettes[theme]["missing"])) * 255
    assert np.abs(table[255, :3] - missing).max() < 0.5
    assert np.abs(np.diff(table[:255, :3], axis=0)).max() <= 2, "no visible step"
    between = (field[0] + field[1]) / 2
    assert np.abs(table[63:65, :3].mean(0) - between).max() < 2


def test_a_share_out_of_range_is_an_end():
    stops = ["#000000", "#808080", "#FFFFFF"]
    shares = [-1, 0, 0.25, 0.5, 1, 7]
    found = evaluate(
        PALETTE_JS, "given.shares.map((share) => blend(given.stops, share))", {"stops": stops, "shares": shares}
    )
    assert [grey for grey, _, _ in found] == [0, 0, 64, 128, 255, 255]
    assert evaluate(PALETTE_JS, "[rgb('#12AbfF'), STEPS]") == [[0x12, 0xAB, 0xFF], 254]


DARKNESS = """
function page({ said, backgrounds }) {
    // From the element outwards, each with its computed background.
    let node = null;
    for (const background of [...backgrounds].reverse()) node = { parentElement: node, background };
    node.ownerDocument = { body: { dataset: said === null ? {} : { jpThemeLight: said } } };
    return node;
}
globalThis.getComputedStyle = (node) => ({ backgroundColor: node.background });
"""


@pytest.mark.parametrize(
    ("said", "backgrounds", "dark"),
    [
        ("true", ["rgb(0, 0, 0)"], False),
        ("false", ["rgb(255, 255, 255)"], True),
        (None, ["rgb(20, 20, 30)"], True),
        (None, ["rgb(250, 250, 250)"], False),
        (None, ["rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"], False),  # transparent: what lies behind counts
        (None, ["rgba(255, 255, 255, 0.1)", "rgba(0, 0, 0, 0)", "rgb(17, 17, 17)"], True),
        (None, ["rgb(0, 0, 255)"], True),
        (None, ["rgb(255, 255, 0)"], False),
        (None, ["rgba(0, 0, 0, 0)"], False),
    ],
)
def test_a_dark_page_is_seen(said, backgrounds, dark):
    given = {"said": said, "backgrounds": backgrounds}
    assert evaluate(PALETTE_JS + DARKNESS, "isDark(page(given))", given) is dark
