"""The depth lab in a real JupyterLab: a layer picked by mouse and keys, settings, steps, a guess, the table."""

import re

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

START = "depth=8, activation='relu', init='xavier', gain=1, norm='none', seed=0, lr=0.1, layer=3, show='size'"
CELLS = [f"from dlcourse.widgets import InitDepthLab\nlab = InitDepthLab({START})\nlab"]


@pytest.fixture
def lab(book):
    """The widget, as its cell made it."""
    book.eval_in_kernel(f"lab.playing = False; lab.engine.forget(); lab.set({START}); lab.reset()")
    root = book.widget(0)
    expect(handle(root)).to_have_attribute("aria-valuetext", re.compile("^layer 3 of 8: activations 0"))
    book.page.mouse.move(5, 5)
    book.settle(3)
    return root


def handle(lab):
    return lab.get_by_role("slider", name="Layer shown large")


def test_the_layer_follows_the_keys(book, lab):
    handle(lab).focus()
    keys = {
        "ArrowUp": 4,
        "ArrowRight": 5,
        "ArrowDown": 4,
        "ArrowLeft": 3,
        "PageUp": 8,
        "PageDown": 3,
        "End": 8,
        "Home": 1,
    }
    for key, layer in keys.items():
        book.page.keyboard.press(key)
        expect(handle(lab)).to_have_attribute("aria-valuenow", str(layer))
        book.until(f"lab.layer == {layer}")
    book.page.keyboard.press("ArrowDown")
    expect(lab.locator(".id-part h4").first).to_have_text("Layer 1: activations")
    assert len(book.cells()) == 1


@pytest.mark.parametrize("panel", [0, 1, 2])
def test_the_layer_follows_the_mouse(book, lab, panel):
    canvas = lab.locator(".id-panel canvas").nth(panel)
    box = canvas.bounding_box()
    x, row = box["x"] + box["width"] * 0.6, 288 / 8
    top = box["y"] + 26  # of the drawing, which is not shrunk here
    before = pixels(lab.locator(".id-part canvas").first)
    book.drag((x, top + 0.5 * row), (x, top + 3.5 * row), (x, top + 6.5 * row))
    book.until("lab.layer == 2")
    book.page.mouse.move(x, top)
    book.settle(4)
    assert book.eval_in_kernel("lab.layer") == "2"  # let go is let go
    expect(lab.locator(".id-part h4").nth(1)).to_have_text("Layer 2: gradient")
    assert pixels(lab.locator(".id-part canvas").first) != before


def test_settings_change_maps_and_words(book, lab):
    reasons = lab.locator(".id-why")
    expect(reasons).to_contain_text("= 0.5 a layer")
    maps = [pixels(lab.locator(".id-panel canvas").nth(index)) for index in range(3)]
    lab.get_by_role("combobox", name="Weights").select_option("he")
    expect(reasons).to_contain_text("0.03125 / 2 = 1 a layer")
    book.settle(3)
    assert all(pixels(lab.locator(".id-panel canvas").nth(index)) != maps[index] for index in range(2))
    lab.get_by_role("combobox", name="Activation").select_option("tanh")
    expect(reasons).to_contain_text("Saturated outputs")
    lab.get_by_role("combobox", name="Activation").select_option("linear")
    expect(lab.locator(".id-panel").nth(2)).to_be_hidden()
    depth = lab.get_by_role("slider", name="Hidden layers")
    depth.focus()
    book.page.keyboard.press("End")
    expect(handle(lab)).to_have_attribute("aria-valuemax", "50")
    book.until("lab.depth == 50")


def test_steps_and_the_way_back(book, lab):
    lab.get_by_role("combobox", name="Activation").select_option("tanh")
    loss = lab.locator(".id-loss .id-numbers")
    expect(loss).to_contain_text("7 % of the batch right")
    lab.get_by_role("button", name="Step", exact=True).click()
    book.until("lab.engine.run.at == 1")
    lab.get_by_role("button", name="Play").click()
    book.until("lab.engine.run.at > 30", seconds=20)
    lab.get_by_role("button", name="Pause").click()
    book.until("not lab.playing")
    last = int(book.eval_in_kernel("lab.engine.run.at"))
    expect(lab.locator(".id-why")).to_contain_text("Now it is")
    lab.get_by_role("button", name="Back").click()
    book.until(f"lab.engine.run.at == {last - 1}")
    lab.get_by_role("button", name="Reset").click()
    expect(loss).to_contain_text("7 % of the batch right")
    expect(lab.locator(".dlc-counter")).to_have_text("step 0")


def test_predict_before_you_see(book, lab):
    lab.get_by_role("combobox", name="the").select_option("gradient")
    lab.get_by_role("button", name="Predict").click()
    question = lab.locator(".id-question")
    expect(question).to_contain_text("the gradient that arrives at layer 1 is ...")
    expect(lab.locator(".id-why")).to_have_text("Hidden until the question is answered.")
    expect(lab.locator("details")).to_be_hidden()
    expect(lab.locator(".id-part").first).to_be_hidden()
    expect(handle(lab)).to_have_attribute("aria-valuetext", "layer 3 of 8")
    veiled = pixels(lab.locator(".id-panel canvas").first)
    book.eval_in_kernel("lab.set(init='large_normal')")
    expect(lab.get_by_role("combobox", name="Weights")).to_have_value("large_normal")
    book.settle(3)
    assert pixels(lab.locator(".id-panel canvas").first) == veiled
    expect(lab.get_by_role("button", name="Step", exact=True)).to_be_disabled()
    choice = lab.get_by_role("button", name="more than 10 times larger")
    choice.focus()
    book.page.keyboard.press("Enter")
    expect(question).to_contain_text("You were right: it is")
    expect(lab.get_by_role("button", name="Predict")).to_be_focused()
    expect(lab.locator(".id-part").first).to_be_visible()
    assert pixels(lab.locator(".id-panel canvas").first) != veiled


def test_the_table_is_the_picture_in_numbers(book, lab):
    lab.get_by_text("The numbers of every layer").click()
    rows = lab.locator(".id-table tbody tr")
    expect(rows).to_have_count(8)
    expect(rows.nth(5)).to_have_class("id-chosen")  # layer 3 of 8, the last one first
    std = float(book.eval_in_kernel("round(lab.engine.measured.std[2].item(), 3)"))
    assert float(rows.nth(5).locator("td").first.inner_text()) == pytest.approx(std, abs=0.001)
    book.eval_in_kernel("lab.set(depth=50)")
    expect(rows).to_have_count(50)
    assert axe(book) == []
    lab.get_by_text("The numbers of every layer").click()
    expect(rows.first).to_be_hidden()


def test_what_a_teacher_hides_is_hidden(book, lab):
    book.eval_in_kernel("lab.hide = ['gain', 'predict', 'table', 'loss']")
    for hidden in (lab.get_by_role("slider", name="Gain"), lab.locator(".id-loss"), lab.locator("details")):
        expect(hidden).to_be_hidden()
    expect(lab.get_by_role("button", name="Predict")).to_be_hidden()
    book.eval_in_kernel("lab.hide = []")
    expect(lab.get_by_role("slider", name="Gain")).to_be_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_accessible_in_both_themes(book, lab, theme):
    book.theme(theme)
    book.settle(3)
    assert axe(book) == []
    book.screenshot(f"init-depth-lab-{theme.rpartition(' ')[2].lower()}")


def test_a_narrow_page_shrinks_no_letter(book, lab):
    page = book.page
    page.set_viewport_size({"width": 640, "height": 900})
    try:
        book.settle(5)
        root = lab.bounding_box()
        for canvas in lab.locator("canvas").all():
            box = canvas.bounding_box()
            assert box["x"] + box["width"] <= root["x"] + root["width"]
            assert box["width"] > 0.95 * canvas.evaluate("canvas => parseFloat(canvas.style.maxWidth)")
        assert lab.evaluate("root => root.scrollWidth <= root.clientWidth")
        book.screenshot("init-depth-lab-narrow")
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_forced_colours_leave_a_mark_on_the_layer(book, lab):
    book.page.emulate_media(forced_colors="active")
    try:
        book.settle(3)
        mark = "handle => getComputedStyle(handle, '::after').backgroundColor"
        plain = "handle => getComputedStyle(document.body).backgroundColor"
        assert handle(lab).evaluate(mark) != handle(lab).evaluate(plain)
        styles = [
            lab.locator(f".id-{kind}").evaluate("mark => getComputedStyle(mark).borderTopStyle")
            for kind in ("std", "theory", "between")
        ]
        assert styles == ["solid", "dashed", "dotted"]
        book.screenshot("init-depth-lab-forced")
    finally:
        book.page.emulate_media(forced_colors="none")
