"""The hinge lab in a real JupyterLab: knots and bends by mouse and by sliders, the pen, descent and back."""

import ast

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

CELLS = ["from dlcourse.widgets import HingeLab\nlab = HingeLab()\nlab"]


@pytest.fixture
def lab(book):
    """The widget, as its cell made it."""
    book.eval_in_kernel("lab.playing = False; lab.set(target='bump', optimizer='adam', lr=0.03); lab.reset()")
    root = book.widget(0)
    root.locator(".hl-digits").get_by_text("1.360").wait_for()
    book.page.mouse.move(5, 5)
    book.settle(3)
    return root


def hinge(book, index: int) -> tuple[float, float]:
    """Knot and bend, as the kernel has them."""
    h = f"lab.engine.hinges.knot({index}), lab.engine.hinges.bend({index})"
    return ast.literal_eval(book.eval_in_kernel(h))


def on_curve(lab, x: float, y: float) -> tuple[float, float]:
    box = lab.locator(".hl-curve canvas").bounding_box()
    zoom = box["width"] / 400
    return box["x"] + zoom * (34 + 356 * (x + 3) / 6), box["y"] + zoom * (8 + 288 * (4 - y) / 6)


def test_dragging_a_knot_sideways_moves_it_and_keeps_its_bend(book, lab):
    before = pixels(lab.locator("canvas").first)
    book.drag(on_curve(lab, 2, 2.5), on_curve(lab, 1, 2.5))
    book.until("abs(lab.engine.hinges.knot(1) - 1) < 0.051")
    assert hinge(book, 1)[1] == -3
    assert hinge(book, 0) == (-0.5, 1)
    book.settle(3)
    assert pixels(lab.locator("canvas").first) != before


def test_dragging_a_knot_up_turns_the_curve_up(book, lab):
    book.drag(on_curve(lab, 2, 2.5), on_curve(lab, 2, 3.5))
    book.until("lab.engine.hinges.bend(1) > -2.3")
    assert hinge(book, 1)[0] == 2


def test_a_stem_is_dragged_to_the_bend_it_then_has(book, lab):
    box = lab.locator(".hl-bends canvas").bounding_box()
    zoom, reach = box["width"] / 400, 1.35 * 3
    x, middle, scale = box["x"] + zoom * (34 + 356 * 5 / 6), box["y"] + zoom * (8 + 63), zoom * 63 / reach
    book.drag((x, middle + 3 * scale), (x, middle - 2 * scale))
    book.until("abs(lab.engine.hinges.bend(1) - 2) < 0.15")


def test_each_hinge_has_two_sliders_for_the_keyboard(book, lab):
    row = lab.get_by_role("group", name="Hinge 1")
    row.get_by_role("slider", name="knot").focus()
    book.page.keyboard.press("ArrowRight")
    book.until("abs(lab.engine.hinges.knot(0) + 0.45) < 1e-6")
    row.get_by_role("slider", name="bend").focus()
    for _ in range(3):
        book.page.keyboard.press("ArrowDown")
    book.until("abs(lab.engine.hinges.bend(0) - 0.7) < 1e-6")
    assert len(book.cells()) == 1


def test_add_flip_fit_remove(book, lab):
    lab.get_by_role("button", name="Add a hinge").click()
    book.until("len(lab.engine.hinges.out) == 4")
    lab.get_by_role("group", name="Hinge 4").wait_for()
    lab.get_by_role("button", name="Flip hinge 1").click()
    book.until("lab.engine.hinges.weight[0].item() == -1")
    error = float(book.eval_in_kernel("lab.engine.error"))
    lab.get_by_role("button", name="Best heights").click()
    book.until(f"lab.engine.error < {error}")
    for left in (3, 2, 1, 0):
        lab.get_by_role("button", name="Remove hinge 1").click()
        book.until(f"len(lab.engine.hinges.out) == {left}")
        name = "Remove hinge 1" if left else "+ Add a hinge"  # where the focus goes, and stays
        focused = "name => [document.activeElement.textContent, document.activeElement.ariaLabel].includes(name)"
        book.page.wait_for_function(focused, arg=name, timeout=3000)
    lab.locator(".hl-pieces").get_by_text("1", exact=True).wait_for()


def test_the_pen_draws_what_the_mouse_goes_through(book, lab):
    lab.get_by_role("button", name="Draw the target").click()
    book.drag(on_curve(lab, -2, 0), on_curve(lab, 0, 3), on_curve(lab, 2, -1))
    book.until("lab.target == 'drawn' and lab.engine.drawn[50] < -90")
    drawn = ast.literal_eval(book.eval_in_kernel("lab.engine.drawn"))
    for place, value in [(10, 0), (20, 150), (30, 300), (40, 100), (50, -100)]:
        assert drawn[place] == pytest.approx(value, abs=12)
    assert drawn[5] == drawn[55] == 0  # as the bump was
    assert hinge(book, 1) == (2, -3)  # no knot was moved
    lab.get_by_role("button", name="Draw the target").click()


def test_the_pen_follows_the_arrow_keys(book, lab):
    lab.get_by_role("button", name="Draw the target").click()
    pen = lab.get_by_role("slider", name="Pen: target")
    pen.focus()
    book.page.keyboard.press("ArrowRight")
    for _ in range(4):
        book.page.keyboard.press("ArrowUp")
    book.until("lab.target == 'drawn' and lab.engine.drawn[31] == 220")
    lab.get_by_role("button", name="Draw the target").click()
    expect(pen).to_be_hidden()


def test_descent_goes_down_and_back(book, lab):
    lab.get_by_role("button", name="Play").click()
    book.until("lab.engine.now.step > 30")
    lab.get_by_role("button", name="Pause").click()
    book.until("not lab.playing")
    assert float(book.eval_in_kernel("lab.engine.error")) < 1
    step = int(book.eval_in_kernel("lab.engine.now.step"))
    lab.get_by_role("button", name="Back").click()
    book.until(f"lab.engine.now.step == {step - 1}")
    lab.get_by_role("slider", name="Go to step").focus()
    book.page.keyboard.press("Home")
    book.until("lab.engine.now.step == 0 and lab.engine.history[-1].step > 0")
    lab.locator(".hl-digits").get_by_text("1.360").wait_for()


def test_too_large_a_rate_is_said(book, lab):
    book.eval_in_kernel("lab.set(optimizer='sgd', lr=1)")
    lab.get_by_role("button", name="Play").click()
    lab.get_by_text("the learning rate is too large", exact=False).first.wait_for()
    book.until("not lab.playing")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_both_themes_are_accessible(book, lab, theme):
    book.theme(theme)
    book.page.wait_for_selector("#jupyterlab-splash", state="detached")  # JupyterLab's own, over the whole page
    book.settle(4)
    book.screenshot(f"hinge-lab-{theme.split()[-1].lower()}")
    assert axe(book) == []
    book.theme("JupyterLab Light")
