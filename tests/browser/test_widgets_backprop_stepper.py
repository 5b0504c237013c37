"""The stepper in a real JupyterLab: typing an expression, stepping, guessing, the table, by mouse and by keyboard."""

import re

import pytest
from dlcourse_browser import axe
from playwright.sync_api import expect

CELLS = ["from dlcourse.widgets import BackpropStepper\nw = BackpropStepper('a * b + a', a=2, b=-3)\nw"]
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"


@pytest.fixture
def stepper(book):
    """The widget, as its cell made it."""
    book.eval_in_kernel("w.playing = False; w.set(expression='a * b + a', guessing=False, pace='fast')")
    book.eval_in_kernel("w.set(a=2, b=-3); w.reset()")
    root = book.widget(0)
    book.page.mouse.move(5, 5)
    expect(root.locator(".bs-field")).to_have_value("a * b + a")
    expect(root.locator(".dlc-counter")).to_have_text("step 0")
    return root


def boxes(stepper) -> list[str]:
    """The texts in the boxes, one string for each node."""
    nodes = [" ".join(box.locator("text").all_text_contents()) for box in stepper.locator(".bs-node").all()]
    return [text.replace(MINUS, "-").replace(TIMES, "*") for text in nodes]


def test_stepping_through(book, stepper):
    step = stepper.get_by_role("button", name="Step", exact=True)
    expect(stepper.locator(".bs-later")).to_have_count(2)
    for number in range(1, 6):
        expect(step).to_be_enabled()
        step.click()
        expect(stepper.locator(".dlc-counter")).to_have_text(f"step {number}")
    expect(step).to_be_disabled()
    expect(stepper.locator(".bs-complete")).to_have_count(4)
    assert boxes(stepper) == ["a 2 ∇ -2", "b -3 ∇ 2", "* mul1 -6 ∇ 1", "+ → result -4 ∇ 1"]
    expect(stepper.locator(".bs-share")).to_have_text([f"{MINUS}3", "2", "1", "1"])
    expect(stepper.locator(".bs-lines > li")).to_have_text(
        [
            re.compile(rf"to a grad \* b = 1 \* \({MINUS}3\) = {MINUS}3.*1 \+ \({MINUS}3\) = {MINUS}2"),
            re.compile("to b .* = 2"),
        ]
    )
    stepper.get_by_role("button", name="Back").click()
    expect(stepper.locator(".dlc-counter")).to_have_text("step 4")
    expect(stepper.locator(".bs-node").first).to_contain_text("∇ 1 …")
    stepper.get_by_role("button", name="Reset").click()
    expect(stepper.locator(".bs-grad")).to_have_count(0)


def test_typing_an_expression_and_its_numbers(book, stepper):
    field = stepper.get_by_role("textbox", name="expression")
    field.fill("h = tanh(w * x); h * h + w")
    field.press("Enter")
    expect(stepper.locator(".bs-title")).to_have_text(
        ["w", "x", re.compile("mul1"), re.compile("→ h"), re.compile("mul3"), re.compile("result")]
    )
    expect(stepper.get_by_role("combobox", name="example")).to_have_value("own")
    number = stepper.get_by_role("spinbutton", name="w =")
    number.fill("0.25")
    book.until("w.numbers['w'] == 0.25")
    number.press("ArrowUp")
    book.until("abs(w.numbers['w'] - 0.3) < 0.06")
    expect(stepper.locator(".bs-node").first).to_contain_text("0.")
    book.eval_in_kernel("w.set(w=-1.5)")
    number.blur()
    expect(number).to_have_value("-1.5")


def test_what_cannot_be_read_is_kept_to_be_mended(book, stepper):
    field = stepper.get_by_role("textbox", name="expression")
    field.fill("a * (b")
    field.press("Enter")
    expect(stepper.get_by_role("alert")).to_contain_text("a parenthesis is never closed. At character 5: a * «(»b")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("a * (b")
    expect(stepper.locator(".bs-node")).to_have_count(4)
    stepper.get_by_role("button", name="Step", exact=True).click()
    expect(stepper.locator(".dlc-counter")).to_have_text("step 1")
    expect(field).to_have_value("a * (b")
    field.fill("a * (b - 1)")
    field.press("Enter")
    expect(stepper.locator(".bs-node")).to_have_count(5)
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(stepper.locator(".dlc-error")).to_be_hidden()
    field.fill("a *")
    field.press("Escape")
    expect(field).to_have_value("a * (b - 1)")


def test_own_is_typed(book, stepper):
    stepper.get_by_role("combobox", name="example").select_option("diamond")
    expect(stepper.locator(".bs-field")).to_have_value("a * b + a * c")
    stepper.get_by_role("combobox", name="example").select_option("own")
    expect(stepper.locator(".bs-field")).to_be_focused()
    book.page.keyboard.type("a / b")
    book.page.keyboard.press("Enter")
    expect(stepper.locator(".bs-node")).to_have_count(3)
    assert book.eval_in_kernel("w.example, w.expression") == "('own', 'a / b')"


def test_no_finite_value_is_a_sentence(book, stepper):
    book.eval_in_kernel("w.set(expression='log(a) * b', a=-1)")
    expect(stepper.get_by_role("status")).to_contain_text(f"log of {MINUS}1 is no finite number")
    expect(stepper.locator(".bs-failed")).to_contain_text("no value")
    stepper.get_by_role("spinbutton", name="a =").fill("2")
    expect(stepper.locator(".bs-failed")).to_have_count(0)
    expect(stepper.get_by_role("button", name="Step", exact=True)).to_be_enabled()


def test_guessing_by_keyboard(book, stepper):
    keyboard = book.page.keyboard
    stepper.get_by_role("checkbox", name="guess the gradients").focus()
    keyboard.press("Space")
    book.until("w.guessing")
    book.eval_in_kernel("w.step(2)")
    field = stepper.locator(".bs-form input")
    expect(stepper.locator(".bs-asked")).to_have_text("d result / d result = ?")
    field.focus()
    keyboard.type("nothing")
    keyboard.press("Enter")
    expect(stepper.locator(".bs-verdict")).to_contain_text("Type a number")
    field.fill(f"{MINUS}4")
    keyboard.press("Enter")
    expect(stepper.locator(".bs-verdict")).to_contain_text("That is the value of result")
    keyboard.type("1")  # the wrong number is selected: typing replaces it
    keyboard.press("Enter")
    expect(stepper.locator(".bs-verdict")).to_have_text("Right: 1.")
    expect(stepper.locator(".bs-score")).to_have_text("0 of 1 right at the first try")
    expect(stepper.locator(".bs-asked")).to_have_text("d result / d mul1 = ?")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    keyboard.type("1")
    keyboard.press("Enter")
    expect(stepper.locator(".bs-asked")).to_have_text("d result / d a = ?")
    keyboard.type("-3")
    keyboard.press("Enter")
    expect(stepper.locator(".bs-verdict")).to_contain_text("one share only")
    stepper.get_by_role("button", name="Show me").focus()
    keyboard.press("Enter")
    expect(stepper.locator(".dlc-counter")).to_have_text("step 5")
    expect(stepper.locator(".bs-form")).to_be_hidden()
    expect(stepper.locator(".bs-step")).to_be_focused()
    assert len(book.cells()) == 1, "no key has reached the notebook"


def test_play_waits_at_a_question(book, stepper):
    book.eval_in_kernel("w.guessing = True")
    stepper.get_by_role("button", name="Play").click()
    book.until("w.engine.at == 2 and not w.playing", seconds=10)
    expect(stepper.locator(".bs-form")).to_be_visible()
    book.eval_in_kernel("w.guessing = False")
    stepper.get_by_role("button", name="Play").click()
    book.until("w.engine.at == 5 and not w.playing", seconds=10)
    expect(stepper.get_by_role("button", name="Play")).to_be_disabled()


def test_the_table_says_what_the_picture_shows(book, stepper):
    book.eval_in_kernel("w.scrub(4)")
    stepper.locator("summary").focus()
    book.page.keyboard.press("Enter")
    rows = stepper.locator(".bs-table tbody tr")
    expect(rows).to_have_text(
        [
            re.compile("aa variable21 so farfrom result: grad"),
            re.compile(f"ba variable{MINUS}3not yet"),
            re.compile(f"mul1a \\* b{MINUS}61from result"),
            re.compile(rf"resultmul1 \+ a{MINUS}41"),
        ]
    )
    expect(stepper.locator("svg")).to_have_attribute(
        "aria-label", re.compile("Step 4 of 5, backward: result hands 1 to mul1")
    )
    expect(stepper.locator("[aria-live]")).to_contain_text("Step 4 of 5")
    stepper.locator("summary").click()


def test_tensors_show_shapes_and_the_sum_over_copies(book, stepper):
    stepper.get_by_role("combobox", name="example").select_option("tensors")
    expect(stepper.locator(".bs-node")).to_have_count(15)
    expect(stepper.locator(".bs-number")).to_have_count(0)
    book.eval_in_kernel("w.scrub(w.engine.last - 1)")
    expect(stepper.locator(".bs-lines")).to_contain_text("b was broadcast from (2,) to (4, 2)")
    expect(stepper.locator(".bs-lines .bs-matrix").last.locator("td")).to_have_text(["0.25", "2"])


def test_hidden_parts(book, stepper):
    book.eval_in_kernel("w.hide = ['speed', 'example', 'expression', 'table']")
    expect(stepper.locator(".bs-field")).to_be_hidden()
    expect(stepper.locator(".bs-details")).to_be_hidden()
    expect(stepper.get_by_role("combobox", name="example")).to_be_hidden()
    book.eval_in_kernel("w.hide = ['speed']")
    expect(stepper.locator(".bs-field")).to_be_visible()


def test_less_motion(book, stepper):
    book.page.emulate_media(reduced_motion="reduce")
    stepper.get_by_role("button", name="Step", exact=True).click()
    expect(stepper.locator(".bs-forward")).to_have_count(2)
    expect(stepper.locator(".bs-flow")).to_have_count(0)
    book.page.emulate_media(reduced_motion="no-preference")
    stepper.get_by_role("button", name="Step", exact=True).click()
    expect(stepper.locator(".bs-flow")).to_have_count(2)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_accessible_in_both_themes(book, stepper, theme):
    book.theme(theme)
    book.eval_in_kernel("w.guessing = True; w.scrub(3); w.guess(7)")
    expect(stepper.locator(".bs-verdict")).not_to_be_empty()
    stepper.locator("summary").click()
    expect(stepper.locator(".bs-table")).to_be_visible()
    assert axe(book) == []
    book.screenshot(f"backprop-stepper-{theme.rpartition(' ')[2].lower()}")
    stepper.locator("summary").click()


def test_a_narrow_page(book, stepper):
    """Text of the graph stays 12 pixels high: the graph scrolls, the widget does not, the present node is in sight."""
    book.eval_in_kernel("w.set(example='two_units')")
    book.page.set_viewport_size({"width": 640, "height": 900})
    try:
        book.eval_in_kernel("w.scrub(w.engine.turn)")
        expect(stepper.locator(".bs-now-forward")).to_have_count(1)
        book.settle(5)
        assert stepper.evaluate("root => root.scrollWidth <= root.clientWidth")
        place = stepper.locator(".bs-graph .bs-scroll")
        assert place.evaluate("el => el.scrollWidth > el.clientWidth + 100")
        book.page.wait_for_function(
            """() => {
                const node = document.querySelector(".bs-now-forward").getBoundingClientRect();
                const frame = document.querySelector(".bs-graph .bs-scroll").getBoundingClientRect();
                return node.left >= frame.left && node.right <= frame.right;
            }"""
        )
        smallest = stepper.locator("svg").evaluate(
            """svg => Math.min(
                ...Array.from(svg.querySelectorAll("text"), (each) => parseFloat(getComputedStyle(each).fontSize)))
                * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"""
        )
        assert smallest >= 11.95
        book.screenshot("backprop-stepper-narrow")
    finally:
        book.page.set_viewport_size({"width": 1280, "height": 900})


def test_forced_colours(book, stepper):
    book.page.emulate_media(forced_colors="active")
    try:
        book.eval_in_kernel("w.scrub(4)")
        expect(stepper.locator(".bs-share")).to_have_count(2)
        box = stepper.locator(".bs-leaf .bs-box").first
        text = stepper.locator(".bs-leaf .bs-value").first
        fills = [each.evaluate("el => getComputedStyle(el).fill") for each in (box, text)]
        assert fills[0] != fills[1]
        book.screenshot("backprop-stepper-forced")
    finally:
        book.page.emulate_media(forced_colors="none")
