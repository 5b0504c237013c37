"""The neuron lab in a real JupyterLab: whatever the mouse does to line, arrow and points, the keyboard does too."""

import ast
import re

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

CELLS = [
    "from dlcourse.widgets import NeuronLab\nlab = NeuronLab(data='and', weight1=1, weight2=1, bias=-1, seed=0)\nlab"
]
WIDE = 400  # the canvas in its own pixels; its box begins at (46, 10) and is a square of 344
MAP = (-0.5, 1.5)


@pytest.fixture
def lab(book):
    """The widget, as its cell made it."""
    book.eval_in_kernel("lab.playing = False; lab.set(data='xor', rule='perceptron', output='step', pace='slow')")
    book.eval_in_kernel("lab.set(data='and'); lab.reset()")
    root = book.widget(0)
    book.page.mouse.move(5, 5)
    book.settle(3)
    return root


def neuron(book) -> list[float]:
    return ast.literal_eval(book.eval_in_kernel("[*lab.engine.weight.tolist(), lab.engine.bias.item()]"))


def on_screen(lab, x: float, y: float) -> tuple[float, float]:
    box = lab.locator(".nl-map canvas").bounding_box()
    zoom, low, high = box["width"] / WIDE, *MAP
    across, up = (x - low) / (high - low), (high - y) / (high - low)
    return box["x"] + zoom * (46 + 344 * across), box["y"] + zoom * (10 + 344 * up)


def test_dragging_the_tip_turns_and_stretches_and_keeps_the_foot(book, lab):
    """From (0.5, 0.5) the arrow is pulled to the right, four tenths of the map's half width: a weight of 2."""
    before = pixels(lab.locator("canvas"))
    book.drag(on_screen(lab, 0.7, 0.7), on_screen(lab, 0.9, 0.5))
    book.until("lab.engine.weight[0].item() > 1.9")
    book.until("abs(lab.engine.weight[1].item()) < 0.1")
    w1, w2, b = neuron(book)
    assert w1 == pytest.approx(2, abs=0.05)
    assert 0.5 * w1 + 0.5 * w2 + b == pytest.approx(0, abs=0.02)
    assert pixels(lab.locator("canvas")) != before


def test_dragging_the_line_slides_the_bias_alone(book, lab):
    book.drag(on_screen(lab, 1.2, -0.2), on_screen(lab, 1.45, 0.05))  # away from arrow and points, by (1/4, 1/4)
    book.until("lab.engine.bias.item() < -1.45")
    w1, w2, b = neuron(book)
    assert (w1, w2) == (1, 1)
    assert b == pytest.approx(-1.5, abs=0.03)
    expect(lab.locator(".nl-errors")).to_have_text("0")


def test_a_click_on_a_point_writes_its_score_out(book, lab):
    book.page.mouse.click(*on_screen(lab, 1, 0))
    book.until("lab.engine.selected == 2")
    book.settle()
    expect(lab.locator(".nl-who")).to_contain_text("Point 3 of 4 should be a no")
    assert neuron(book) == [1, 1, -1]


def test_the_keyboard_does_the_same(book, lab):
    keyboard = book.page.keyboard
    lab.locator(".nl-line").focus()
    for _ in range(5):
        keyboard.press("ArrowLeft")
    book.until("abs(lab.bias + 1.5) < 1e-6")
    lab.locator(".nl-tip").focus()
    for _ in range(9):
        keyboard.press("ArrowLeft")  # counterclockwise, from 45 degrees to 90
    book.until("abs(lab.weight1) < 0.01 and abs(lab.weight2 - 2 ** 0.5) < 0.01")
    keyboard.press("ArrowUp")
    book.until("abs(lab.weight2 - 1.1 * 2 ** 0.5) < 0.01")
    expect(lab.locator(".nl-tip")).to_have_attribute("aria-valuetext", re.compile("direction 90 degrees"))
    lab.locator(".nl-point").focus()
    for _ in range(3):
        keyboard.press("ArrowRight")
    book.until("lab.engine.selected == 3")
    assert len(book.cells()) == 1


def test_buttons_and_play(book, lab):
    lab.get_by_role("button", name="All zeros").click()
    book.until("lab.engine.errors == 4")
    lab.get_by_role("button", name="Perceptron: one mistake").click()
    book.until("lab.engine.at == 1")
    expect(lab.locator(".nl-note")).to_contain_text("taken from the weights")
    lab.get_by_role("button", name="Descend: one step").click()
    book.until("lab.engine.at == 2")
    lab.get_by_role("button", name="Louder").click()
    book.until("lab.engine.at == 0")  # by hand: a new run
    lab.get_by_role("combobox", name="pace").select_option("fast")
    lab.get_by_role("button", name="Play").click()
    book.until("lab.engine.errors == 0 and not lab.playing")
    book.settle()
    expect(lab.locator(".nl-errors")).to_have_text("0")
    expect(lab.get_by_role("button", name="Play")).to_be_disabled()


def test_taking_the_arrow_stops_play(book, lab):
    book.eval_in_kernel("lab.set(data='xor')")
    lab.get_by_role("button", name="Play").click()
    book.until("lab.engine.at > 0")
    for _ in range(5):  # the rule moves the tip three times a second, and may do so between hover and press
        lab.locator(".nl-tip").hover()
        book.page.mouse.down()
        book.settle(5)
        if book.eval_in_kernel("lab.playing") == "False":
            break
        book.page.mouse.up()
    book.until("not lab.playing")
    book.page.mouse.up()


def test_nothing_to_choose_that_is_not_there(book, lab):
    choices = lab.get_by_role("combobox", name="points").locator("option").all_inner_texts()
    assert choices == ["and", "or", "xor", "clouds", "overlap", "moons"]
    assert not lab.get_by_role("slider", name="draw").is_visible()
    book.eval_in_kernel("lab.data = 'moons'")
    lab.get_by_role("slider", name="draw").wait_for()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_accessible_in_both_themes(book, lab, theme):
    book.theme(theme)
    book.settle(3)
    assert axe(book) == []
    book.screenshot(f"neuron-lab-{theme.rpartition(' ')[2].lower()}")


def test_a_narrow_page_is_one_column(book, lab):
    page = book.page
    page.set_viewport_size({"width": 640, "height": 900})
    try:
        book.settle(5)
        root, map_, right = (
            lab.bounding_box(),
            *(lab.locator(f".{name}").bounding_box() for name in ("nl-map", "nl-right")),
        )
        assert right["y"] > map_["y"] + map_["height"]
        assert map_["x"] + map_["width"] <= root["x"] + root["width"]
        book.screenshot("neuron-lab-narrow")
        assert lab.evaluate("root => root.scrollWidth <= root.clientWidth")
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})
