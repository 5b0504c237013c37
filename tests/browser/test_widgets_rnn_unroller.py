"""RNNUnroller in a real JupyterLab: a text typed, a step and a cut moved by mouse and keys, the map, a model."""

import re

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

TEXT = "abba cab"
START = (
    f"text={TEXT!r}, cell='rnn', units=6, radius=0.9, activation='tanh', start='usual', seed=0, cut=0, unit=0, "
    "pace='fast'"
)
MODEL = """from dlcourse import data, generator, models
vocabulary = data.Vocabulary.of("abc ")
model = models.CharRNN(4, hidden=6, embedding=3, generator=generator(0))
m = RNNUnroller(model=model, vocabulary=vocabulary, text="abc cab")
m"""
CELLS = [f"from dlcourse.widgets import RNNUnroller\nw = RNNUnroller({START})\nw", MODEL]


@pytest.fixture
def unroller(book):
    """The widget, as its cell made it."""
    book.eval_in_kernel(f"w.playing = False; w.hide = ['speed']; w.set({START}); w.reset()")
    root = book.widget(0)
    expect(handle(root)).to_have_attribute("aria-valuetext", re.compile("^step 1 of 8 reads a, unit 0: h = "))
    expect(field(root)).to_have_value(TEXT)
    book.page.mouse.move(5, 5)
    book.settle(3)
    return root


def handle(root):
    return root.get_by_role("slider", name="Step, and by up and down unit")


def cut(root):
    return root.get_by_role("slider", name="Cut after step")


def place(root):
    return root.get_by_role("slider", name="A place of the map")


def field(root):
    return root.get_by_label("Text, a step for each character")


def canvas(root, name):
    return root.get_by_role("img", name=re.compile(name))


def test_what_is_typed_is_read(book, unroller):
    before = pixels(canvas(unroller, "^Hidden states"))
    field(unroller).focus()
    book.page.keyboard.press("End")
    book.page.keyboard.type("s\nü")
    book.until(f"w.text == {TEXT + 's' + chr(10) + 'ü'!r}")
    expect(handle(unroller)).to_have_attribute("aria-valuemax", "11")
    book.settle(3)
    assert pixels(canvas(unroller, "^Hidden states")) != before
    expect(field(unroller)).to_be_focused()
    field(unroller).fill("")
    expect(unroller.get_by_text("An empty text has no steps")).to_be_visible()
    book.until("len(w.text) == 11")
    field(unroller).fill("b" * 121)
    expect(unroller.locator(".dlc-error")).to_contain_text("text has 121 characters")
    expect(field(unroller)).to_have_value("b" * 121)  # nothing that was typed is lost
    field(unroller).fill("bb")
    book.until("w.text == 'bb'")
    expect(unroller.locator(".dlc-error")).to_be_hidden()
    book.eval_in_kernel("w.text = 'from a cell'")
    expect(field(unroller)).to_have_value("from a cell")


def test_the_step_and_the_unit_follow_the_keys(book, unroller):
    handle(unroller).focus()
    for key, step, unit in [
        *[("ArrowRight", 2, 0), ("ArrowUp", 2, 1), ("PageUp", 7, 1), ("End", 8, 1), ("ArrowRight", 8, 1)],
        *[("ArrowLeft", 7, 1), ("ArrowDown", 7, 0), ("ArrowDown", 7, 0), ("PageDown", 2, 0), ("Home", 1, 0)],
    ]:
        book.page.keyboard.press(key)
        said = re.compile(f"^step {step} of 8 reads {TEXT[step - 1]}, unit {unit}: h = ")
        expect(handle(unroller)).to_have_attribute("aria-valuetext", said)
        book.until(f"(w.engine.at, w.unit) == ({step}, {unit})")
    assert len(book.cells()) == 2


def test_keys_build_on_each_other_while_the_kernel_is_slow(book, unroller):
    handle(unroller).focus()
    book.eval_in_kernel(
        "import time; w.engine.pause = w.engine.scrub; "
        "w.engine.scrub = lambda step: (time.sleep(0.5), w.engine.pause(step))[1]"
    )
    try:
        for key in ("ArrowRight", "ArrowUp", "ArrowRight", "ArrowUp", "ArrowRight", "ArrowLeft", "ArrowRight"):
            book.page.keyboard.press(key)
        book.until("(w.engine.at, w.unit) == (4, 2)")
    finally:
        book.eval_in_kernel("del w.engine.scrub, w.engine.pause")


def test_the_step_follows_the_mouse(book, unroller):
    box = canvas(unroller, "^Hidden states").bounding_box()
    wide = (box["width"] - 46 - 12) / 8
    at = lambda step, row: (box["x"] + 46 + (step - 0.5) * wide, box["y"] + 4 + (row + 0.5) * (box["height"] - 26) / 6)  # noqa: E731
    before = pixels(canvas(unroller, "^Step 1 in numbers"))
    book.drag(at(2, 5), at(4, 3), at(6, 1))
    book.until("(w.engine.at, w.unit) == (6, 4)")
    book.page.mouse.move(*at(1, 0))
    book.settle(3)
    assert book.eval_in_kernel("w.engine.at") == "6"  # let go is let go
    expect(canvas(unroller, "^Step 6 in numbers")).to_have_attribute("aria-label", re.compile("Unit 4: from x = "))
    assert pixels(canvas(unroller, "^Step 6 in numbers")) != before
    expect(unroller.locator(".ru-sums")).to_contain_text("h = tanh(")


def test_the_cut_follows_keys_and_mouse(book, unroller):
    strip = canvas(unroller, "^Bars on a logarithmic axis")
    states = pixels(canvas(unroller, "^Hidden states"))
    before = pixels(strip)
    expect(cut(unroller)).to_have_attribute("aria-valuetext", "no cut")
    cut(unroller).focus()
    for key, after in [("ArrowRight", 1), ("PageUp", 6), ("End", 7), ("ArrowLeft", 6), ("Home", 0), ("ArrowUp", 1)]:
        book.page.keyboard.press(key)
        book.until(f"w.cut == {after}")
    expect(cut(unroller)).to_have_attribute("aria-valuetext", "cut after step 1")
    expect(unroller.get_by_text("hatched: what they would get without it")).to_be_visible()
    expect(unroller.locator(".ru-why")).to_contain_text("step 1 gets no gradient")
    book.settle(3)
    assert pixels(strip) != before
    assert pixels(canvas(unroller, "^Hidden states")) == states
    box, grip = strip.bounding_box(), cut(unroller).bounding_box()
    wide = (box["width"] - 46 - 12) / 8
    middle = grip["y"] + grip["height"] / 2
    book.drag((grip["x"] + grip["width"] / 2, middle), (box["x"] + 46 + 5 * wide, middle))
    book.until("w.cut == 5")
    book.until("w.flow[:5].tolist() == [0.0] * 5")
    expect(cut(unroller)).to_have_attribute("aria-valuenow", "5")


def test_a_click_on_a_bar_is_its_step(book, unroller):
    box = canvas(unroller, "^Bars on a logarithmic axis").bounding_box()
    wide = (box["width"] - 46 - 12) / 8
    book.page.mouse.click(box["x"] + 46 + 6.5 * wide, box["y"] + 100)
    book.until("(w.engine.at, w.cut) == (7, 0)")


def test_play_goes_to_the_end(book, unroller):
    unroller.get_by_role("button", name="Play").click()
    book.until("w.engine.at == 8", seconds=8)
    book.until("not w.playing")
    unroller.get_by_role("button", name="Back", exact=True).click()
    book.until("w.engine.at == 7")
    expect(handle(unroller)).to_have_attribute("aria-valuenow", "7")


def test_the_cells_and_their_settings(book, unroller):
    radius = unroller.get_by_role("slider", name="Spectral radius")
    chosen = unroller.get_by_role("combobox", name="Cell")
    expect(radius).to_be_visible()
    expect(unroller.get_by_role("combobox", name="Gates start")).to_be_hidden()
    expect(canvas(unroller, "^Cell states")).to_have_count(0)
    chosen.select_option("lstm")
    expect(radius).to_be_hidden()
    expect(canvas(unroller, "^Cell states")).to_be_visible()
    expect(unroller.locator(".ru-sums")).to_contain_text("c = f·c + i·g = ")
    start = unroller.get_by_role("combobox", name="Gates start")
    expect(unroller.get_by_role("slider", name="Forget bias")).to_be_hidden()
    start.select_option("forget_bias")
    expect(unroller.get_by_role("slider", name="Forget bias")).to_be_visible()
    expect(unroller.locator(".ru-why")).to_contain_text("The forget gate's bias is 1: alone it keeps 0.731")
    start.select_option("chrono")
    expect(unroller.get_by_role("slider", name="Longest memory")).to_be_visible()
    expect(unroller.locator(".ru-why")).to_contain_text("memories of")
    chosen.select_option("gru")
    expect(unroller.locator(".ru-sums")).to_contain_text("h = (1 \N{MINUS SIGN} z)·n + z·h = ")
    expect(unroller.get_by_text("Blue: less than 1").first).to_contain_text("The lines: this cell's units, from ")
    chosen.select_option("rnn")
    radius.focus()
    book.page.keyboard.press("ArrowRight")
    book.until("w.radius > 0.9")
    assert axe(book) == []


def test_the_map_is_read_and_sets_the_radius(book, unroller):
    expect(place(unroller)).to_have_attribute("aria-valuetext", re.compile("^spectral radius 0.9, 7 steps back: "))
    use = unroller.get_by_role("button", name="Set it")
    expect(use).to_be_disabled()
    place(unroller).focus()
    book.page.keyboard.press("ArrowUp")
    book.page.keyboard.press("ArrowUp")
    book.page.keyboard.press("ArrowLeft")
    expect(place(unroller)).to_have_attribute("aria-valuetext", re.compile("^spectral radius 1.1, 6 steps back: "))
    use.click()
    book.until("w.radius == 1.1")
    expect(use).to_be_disabled()
    expect(unroller.get_by_text("The line: this cell, 1.1.")).to_be_visible()
    shown = place(unroller).get_attribute("aria-valuetext").rpartition(": ")[2]
    assert float(shown) == pytest.approx(float(book.eval_in_kernel("w.flow[1].item()")), rel=0.01)
    box = canvas(unroller, "^Map of the gradient").bounding_box()
    book.page.mouse.click(box["x"] + 50, box["y"] + 10)
    expect(place(unroller)).to_have_attribute("aria-valuetext", re.compile("^spectral radius 2, 0 steps back: 1$"))
    book.eval_in_kernel("w.cell = 'lstm'")
    expect(place(unroller)).to_have_attribute("aria-valuetext", re.compile("^bias of the forget gate "))
    place(unroller).focus()
    book.page.keyboard.press("PageUp")
    book.page.keyboard.press("Enter")
    book.until("w.start == 'forget_bias'")
    said = place(unroller).get_attribute("aria-valuenow")
    book.until(f"w.bias == {said}")


def test_a_trained_model_says_what_it_expects(book, unroller):
    book.run(1)
    root = book.widget(1)
    expect(root.get_by_text("Expected after step 1")).to_be_visible()
    expect(root.locator(".ru-next li")).to_have_count(4)
    expect(root.get_by_text("What comes is b, at ")).to_be_visible()
    expect(root.get_by_role("combobox", name="Cell")).to_be_hidden()
    expect(root.get_by_role("button", name="Set it")).to_be_hidden()
    field(root).fill("abcX")
    expect(root.locator(".dlc-error")).to_contain_text("Not among the 4 characters of this vocabulary: 'X'")
    expect(field(root)).to_have_value("abcX")
    assert book.eval_in_kernel("m.text") == "'abc cab'"
    field(root).fill("abca")
    book.until("m.text == 'abca'")
    handle(root).focus()
    book.page.keyboard.press("End")
    expect(root.get_by_text("The text ends here.")).to_be_visible()
    assert axe(book) == []


def test_what_a_teacher_hides_is_hidden(book, unroller):
    book.eval_in_kernel("w.hide = ['speed', 'map', 'strip', 'explanation', 'text_line', 'seed']")
    expect(canvas(unroller, "^Map of the gradient")).to_be_hidden()
    expect(cut(unroller)).to_be_hidden()
    expect(field(unroller)).to_be_hidden()
    expect(unroller.get_by_text("What happens, and why")).to_be_hidden()
    expect(unroller.get_by_role("spinbutton", name="Seed")).to_be_hidden()
    expect(canvas(unroller, "^Hidden states")).to_be_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_accessible_in_both_themes(book, unroller, theme):
    book.eval_in_kernel("w.set(cell='lstm', start='chrono', cut=3)")
    before = pixels(canvas(unroller, "^Hidden states"))
    book.theme(theme)
    book.settle(3)
    if theme.endswith("Dark"):
        assert pixels(canvas(unroller, "^Hidden states")) != before
    assert axe(book) == []
    book.screenshot(f"rnn-unroller-{theme.rpartition(' ')[2].lower()}")


def test_a_narrow_page_keeps_its_letters(book, unroller):
    page = book.page
    page.set_viewport_size({"width": 640, "height": 900})
    try:
        book.eval_in_kernel("w.set(cell='lstm', text='to be or not to be ' * 5)")
        expect(handle(unroller)).to_have_attribute("aria-valuemax", "95")
        book.settle(5)
        assert unroller.evaluate("root => root.scrollWidth <= root.clientWidth")
        shrunk = unroller.evaluate(
            """root => [...root.querySelectorAll("canvas")].filter((each) =>
                each.clientWidth && Math.abs(each.clientWidth - each.width / devicePixelRatio) > 2).length"""
        )
        assert shrunk == 0  # a canvas is drawn as wide as it is shown, so its letters are 12 pixels high
        sizes = unroller.evaluate(
            "root => [...root.querySelectorAll('*')].map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 12
        book.screenshot("rnn-unroller-narrow")
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_forced_colours_leave_the_cut(book, unroller):
    book.eval_in_kernel("w.cut = 4")
    book.page.emulate_media(forced_colors="active")
    try:
        book.settle(3)
        line = cut(unroller).evaluate("each => getComputedStyle(each, '::before').backgroundColor")
        assert line not in ("rgba(0, 0, 0, 0)", unroller.evaluate("root => getComputedStyle(root).backgroundColor"))
        book.screenshot("rnn-unroller-forced")
    finally:
        book.page.emulate_media(forced_colors="none")
