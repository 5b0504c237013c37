"""The draw pad in a real JupyterLab: a mouse, a finger and the keyboard draw; the network's answer follows."""

import json

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

# A reader without training: how much ink there is in each row of the image, the first eight digits.
CELLS = [
    """import torch
from dlcourse.widgets import DrawPad

def read(images):
    return torch.cat([images.sum((1, 3)), torch.zeros(1, 2)], dim=1)

pad = DrawPad(read)
pad""",
    "pad",
]


@pytest.fixture
def pad(book):
    book.eval_in_kernel("pad.set(pen=0.09, prepare=True); pad.engine.read = read; pad.reset()")
    root = book.widget(0)
    root.scroll_into_view_if_needed()
    book.settle(3)
    return root


def ask(book, expression: str):
    return json.loads(book.eval_in_kernel(f"import json; print(json.dumps({expression}))"))


def place(pad, x: float, y: float) -> tuple[float, float]:
    box = pad.locator(".dp-pad canvas").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def stroke(book, pad, *points: tuple[float, float]) -> None:
    mouse = book.page.mouse
    mouse.move(*place(pad, *points[0]))
    mouse.down()
    for point in points[1:]:
        mouse.move(*place(pad, *point), steps=6)
    mouse.up()


def test_the_mouse_draws_where_it_is_and_the_network_answers(book, pad):
    assert "Nothing drawn yet" in pad.locator(".dp-answer").inner_text()
    before = pixels(pad.locator(".dp-pad canvas"))
    stroke(book, pad, (0.2, 0.2), (0.8, 0.2), (0.4, 0.9))
    book.until("len(pad.engine.drawing.strokes) == 1 and pad.engine.drawing.strokes[0].points[-1][1] > 0.89")
    points = ask(book, "pad.engine.drawing.strokes[0].points")
    assert points[0] == pytest.approx([0.2, 0.2], abs=0.01)
    assert points[-1] == pytest.approx([0.4, 0.9], abs=0.01)
    assert max(x for x, _ in points) == pytest.approx(0.8, abs=0.01)
    assert pixels(pad.locator(".dp-pad canvas")) != before
    book.settle(3)
    digit = ask(book, "pad.digit")
    expect(pad.locator(".dp-digit")).to_have_text(str(digit))
    winner = pad.locator(".dp-winner")
    expect(winner).to_have_count(1)
    expect(winner.locator(".dp-name")).to_have_text(str(digit))


def test_ink_is_there_before_the_kernel_answers(book, pad):
    """While a cell keeps the kernel busy, one draws as ever; afterwards all of it has arrived, in order."""
    canvas = pad.locator(".dp-pad canvas")
    book.page.evaluate(
        """() => { const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            kernel.requestExecute({ code: "with pad.guard:\\n    import time; time.sleep(1.5)" }); }"""
    )
    book.page.wait_for_timeout(100)
    empty = pixels(canvas)
    stroke(book, pad, (0.3, 0.3), (0.3, 0.8))
    book.settle(2)
    one = pixels(canvas)
    stroke(book, pad, (0.7, 0.3), (0.7, 0.8))
    book.settle(2)
    assert len({empty, one, pixels(canvas)}) == 3
    book.until(
        "len(pad.engine.drawing.strokes) == 2 and all(s.points[-1][1] > 0.79 for s in pad.engine.drawing.strokes)"
    )
    assert ask(book, "[s.points[0][0] < 0.5 for s in pad.engine.drawing.strokes]") == [True, False]


def test_a_click_is_a_dot_and_the_buttons_do_what_they_say(book, pad):
    book.page.mouse.click(*place(pad, 0.5, 0.5))
    book.until("len(pad.engine.drawing.strokes) == 1")
    pad.get_by_role("button", name="Example").click()
    book.until("pad.engine.last_example == 0")
    pad.get_by_role("button", name="Example").click()
    book.until("pad.engine.last_example == 1")
    pad.get_by_role("button", name="Clear").click()
    book.until("pad.engine.drawing.empty")
    expect(pad.get_by_role("button", name="Clear")).to_be_disabled()
    for _ in range(3):
        pad.get_by_role("button", name="Undo").click()
    book.until("[len(s.points) for s in pad.engine.drawing.strokes] == [1]")


def test_a_drag_that_leaves_the_pad_ends_at_its_edge(book, pad):
    stroke(book, pad, (0.5, 0.5), (1.4, 0.5))
    book.until("pad.engine.drawing.strokes[0].points[-1][0] == 1")
    book.until("len(pad.engine.drawing.strokes) == 1")


def test_the_keyboard_draws_and_no_key_reaches_the_notebook(book, pad):
    cells = len(book.cells())
    area = pad.get_by_role("application")
    area.focus()
    keys = book.page.keyboard
    keys.press("ArrowRight")  # focus by script shows no square; a key does
    for key in ("ArrowUp", "Space", "ArrowDown", "Space", "ArrowDown", "Space", "b", "a", "d", "d"):
        keys.press(key)
    book.until("sorted(pad.engine.drawing.cells) == [(2, 4), (3, 4), (4, 4)]")
    keys.press("Space")
    book.until("sorted(pad.engine.drawing.cells) == [(2, 4), (3, 4)]")
    assert len(book.cells()) == cells
    square, canvas = pad.locator(".dp-cursor").bounding_box(), pad.locator(".dp-pad canvas").bounding_box()
    assert (square["x"] - canvas["x"]) / canvas["width"] == pytest.approx(4 / 8, abs=0.01)
    assert (square["y"] - canvas["y"]) / canvas["height"] == pytest.approx(4 / 8, abs=0.01)
    assert pad.locator(".dp-cursor").evaluate("el => getComputedStyle(el).visibility") == "visible"
    keys.press("Tab")
    assert book.page.evaluate("() => document.activeElement.textContent") == "Undo"


def test_what_a_cell_draws_and_sets_is_seen(book, pad):
    canvas = pad.locator(".dp-pad canvas")
    seen = {pixels(canvas)}
    for code in ("pad.draw([(0.2, 0.5), (0.8, 0.5)])", "pad.pen = 0.2", "pad.example(8)", "pad.toggle(7, 0)"):
        book.eval_in_kernel(code)
        book.settle(4)
        seen.add(pixels(canvas))
    assert len(seen) == 5
    small = pad.locator(".dp-sees canvas").first
    before = pixels(small)
    pad.get_by_label("Stretch and straighten").uncheck()
    book.until("pad.prepare is False")
    book.settle(4)
    assert pixels(small) != before


def test_two_displays_show_the_same_drawing(book, pad):
    book.run(1)
    stroke(book, pad, (0.2, 0.2), (0.8, 0.8))
    book.until("len(pad.engine.drawing.strokes) == 1 and pad.engine.drawing.strokes[0].points[-1][1] > 0.79")
    second = book.widget(1)
    book.settle(4)
    expect(second.locator(".dp-pad canvas")).to_have_attribute("aria-label", "The drawing: 1 stroke")
    expect(second.locator(".dp-digit")).to_have_text(str(ask(book, "pad.digit")))


def test_a_reader_that_fails_says_so_in_the_widget_and_drawing_goes_on(book, pad):
    book.eval_in_kernel("pad.engine.read = lambda images: torch.zeros(1, 3)")
    stroke(book, pad, (0.2, 0.2), (0.8, 0.8))
    trouble = pad.locator(".dp-trouble")
    trouble.wait_for()
    assert "wanted (1, 10), one score for each digit" in trouble.inner_text()
    stroke(book, pad, (0.2, 0.8), (0.8, 0.2))
    book.until("len(pad.engine.drawing.strokes) == 2 and pad.engine.drawing.strokes[1].points[-1][0] > 0.79")


def test_a_full_pad_says_so_and_keeps_what_it_has(book, pad):
    book.eval_in_kernel("[pad.engine.draw([(0.5, 0.5)]) for _ in range(200)]; pad.toggle(0, 0)")
    stroke(book, pad, (0.2, 0.2), (0.8, 0.8))
    error = pad.locator(".dlc-error")
    error.wait_for()
    assert "the pad is full" in error.inner_text()
    pad.get_by_role("button", name="Clear").click()
    book.until("pad.engine.drawing.empty")


def test_a_finger_draws_too(book, pad):
    """Touch comes as pointer events; the page must not scroll meanwhile."""
    assert pad.locator(".dp-pad").evaluate("el => getComputedStyle(el).touchAction") == "none"
    wire = book.page.context.new_cdp_session(book.page)
    for kind, point in (("touchStart", (0.3, 0.3)), ("touchMove", (0.3, 0.5)), ("touchMove", (0.3, 0.7))):
        x, y = place(pad, *point)
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    book.until("len(pad.engine.drawing.strokes) == 1 and pad.engine.drawing.strokes[0].points[-1][1] > 0.69")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_is_accessible_and_looked_at_in_both_themes(book, pad, theme):
    book.theme(theme)
    try:
        book.eval_in_kernel("pad.example(7)")
        book.settle(4)
        assert axe(book) == []
        for canvas in pad.locator("canvas").all():
            assert canvas.get_attribute("role") == "img"
            assert len(canvas.get_attribute("aria-label")) > 15
        book.screenshot(f"draw-pad-{theme.split()[-1].lower()}")
    finally:
        book.theme("JupyterLab Light")
