"""The activation lab in a real JupyterLab: the point moves by mouse and keys, the chain is a ranking to pick from."""

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

CELLS = ["from dlcourse.widgets import ActivationLab\nlab = ActivationLab()\nlab"]


@pytest.fixture
def lab(book):
    book.eval_in_kernel("lab.set(activation='sigmoid', compare='none', x=1, threshold=0.05, layers=5)")
    root = book.widget(0)
    root.locator(".al-digits").first.get_by_text("0.731").wait_for()
    book.settle(3)
    return root


@pytest.mark.parametrize("panel", [0, 1])
def test_the_point_follows_the_mouse_in_both_panels(book, lab, panel):
    box = lab.locator("canvas").nth(panel).bounding_box()
    before = pixels(lab.locator("canvas").nth(panel))
    left, width = box["x"] + box["width"] * 40 / 400, box["width"] * 350 / 400  # the plotting box, from -6 to 6
    mouse = book.page.mouse
    mouse.move(left + width / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(left + width / 4, box["y"] + box["height"] / 3, steps=6)
    mouse.up()
    book.until("abs(lab.x + 3) < 0.05")
    mouse.move(left + width * 0.9, box["y"] + 50)
    book.settle(4)
    book.until("abs(lab.x + 3) < 0.05")  # let go is let go
    assert pixels(lab.locator("canvas").nth(panel)) != before


def test_the_point_follows_the_arrow_keys(book, lab):
    handle = lab.locator(".al-handle")
    handle.focus()
    keys = {"ArrowRight": 1.1, "ArrowLeft": 1.0, "Shift+ArrowLeft": 0.99, "PageUp": 1.99, "Home": -6, "End": 6}
    for key, expected in keys.items():
        book.page.keyboard.press(key)
        book.until(f"abs(lab.x - ({expected})) < 1e-9")
    lab.locator(".al-handle[aria-valuetext='6: value 0.998, slope 0.00247']").wait_for()
    assert len(book.cells()) == 1


def test_a_row_of_the_ranking_picks_its_bend(book, lab):
    rows = lab.locator(".al-bars > li")
    assert rows.count() == 7
    assert rows.last.locator("button").inner_text() == "sigmoid"
    assert rows.last.locator(".al-left-over").inner_text() == "4.9 · 10⁻⁴"
    rows.filter(has_text="GELU").locator("button").click()
    book.until("lab.activation == 'gelu'")
    lab.locator(".al-digits").first.get_by_text("0.841").wait_for()
    expect(rows.filter(has_text="GELU").locator("button")).to_have_attribute("aria-pressed", "true")
    expect(lab.locator("select[name=activation]")).to_have_value("gelu")


def test_a_row_that_changes_its_place_keeps_the_focus(book, lab):
    button = lab.locator(".al-bars button", has_text="tanh")
    button.focus()
    book.eval_in_kernel("lab.set(x=-2, layers=3)")
    lab.locator(".al-bars > li:first-child", has_text="ELU").wait_for()
    assert button.evaluate("button => button === document.activeElement")


def test_words_for_those_who_do_not_see_it(book, lab):
    book.eval_in_kernel("lab.set(activation='relu', x=0)")
    lab.get_by_text("torch takes 0 there.", exact=False).first.wait_for()
    label = lab.locator("canvas").first.get_attribute("aria-label")
    assert "At 0 the graph has a corner" in label
    assert "on the left, from -6 to 0: 50% of the range" in label
    assert lab.locator(".al-legend").inner_text().replace("\n", " ").endswith("on the left, 50 % of the range")


def test_what_a_teacher_hides_is_not_there(book, lab):
    book.eval_in_kernel("lab.hide = ['chain', 'compare']")
    lab.locator(".al-chain").wait_for(state="hidden")
    expect(lab.locator("[data-param=compare]")).to_be_hidden()
    book.eval_in_kernel("lab.hide = []")
    lab.locator(".al-chain").wait_for(state="visible")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_both_themes_are_accessible(book, lab, theme):
    before = pixels(lab.locator("canvas").first)
    book.theme(theme)
    book.page.wait_for_selector("#jupyterlab-splash", state="detached")  # JupyterLab's own, over the whole page
    book.eval_in_kernel("lab.set(compare='gelu', x=-1.5)")
    lab.get_by_text("GELU").first.wait_for()
    book.settle(4)
    book.screenshot(f"activation-lab-{theme.split()[-1].lower()}")
    assert axe(book) == []
    assert pixels(lab.locator("canvas").first) != before
    book.theme("JupyterLab Light")
