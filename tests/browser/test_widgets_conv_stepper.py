"""The convolution stepper in a real JupyterLab: painting and typing, the window by mouse and keys, play, questions."""

import re

import pytest
from dlcourse_browser import axe
from playwright.sync_api import expect

START = (
    "mode='kernel', example='edge', size=7, preset='left_right', kernel_size=3, stride=1, padding=0, dilation=1, "
    "bias=0.0, flip=False, count_padding=True, layers=1, show='values', brush=1.0, pace='slow', seed=0"
)
CELLS = [f"from dlcourse.widgets import ConvStepper\nw = ConvStepper({START})\nw"]


@pytest.fixture
def stepper(book):
    """The widget, as its cell made it."""
    book.eval_in_kernel(f"w.playing = False; w.hide = ['speed']; w.set({START}); w.set({START}); w.reset()")
    root = book.widget(0)
    expect(output(root, 0, 0)).to_have_attribute("tabindex", "0")
    expect(picture(root, 0, 3)).to_have_text("1")
    book.settle(3)
    return root


def picture(root, row, column):
    return root.get_by_role("grid", name=re.compile("^Picture")).get_by_label(f"row {row}, column {column}:")


def output(root, row, column):
    return root.get_by_role("grid", name=re.compile("^(Output|Layer)")).last.get_by_label(
        f"row {row}, column {column}:"
    )


def centre(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_window_follows_the_keys(book, stepper):
    output(stepper, 0, 0).focus()
    for key, at in [
        ("ArrowRight", (0, 1)),
        ("ArrowDown", (1, 1)),
        ("End", (1, 4)),
        ("PageDown", (4, 4)),
        ("Home", (4, 0)),
        ("ArrowUp", (3, 0)),
        ("ArrowLeft", (3, 0)),
    ]:
        book.page.keyboard.press(key)
        book.until(f"w.engine.at == {at}")
        expect(output(stepper, *at)).to_be_focused()
    expect(stepper.locator(".cs-section h4").filter(has_text="Behind output row 3, column 0")).to_be_visible()
    assert len(book.cells()) == 1


def test_the_window_follows_the_mouse(book, stepper):
    book.drag(centre(output(stepper, 0, 1)), centre(output(stepper, 1, 2)), centre(output(stepper, 2, 3)))
    book.until("w.engine.at == (2, 3)")
    taps = stepper.locator(".cs-map").first.locator(".cs-tap")
    expect(taps).to_have_count(9)
    expect(taps.first).to_have_attribute("aria-label", re.compile("^row 2, column 3"))
    expect(stepper.locator(".cs-result")).to_have_text("0 + 0 + 0 = 0")


def test_play_step_and_scrub(book, stepper):
    stepper.get_by_role("combobox", name="Pace").select_option("fast")
    stepper.get_by_role("button", name="Step", exact=True).click()
    book.until("w.engine.index == 1")
    stepper.get_by_role("button", name="Play").click()
    book.until("w.engine.index > 3", seconds=10)
    stepper.get_by_role("button", name="Pause").click()
    book.until("not w.playing")
    stepper.get_by_role("slider", name="Go to step").fill("20")
    book.until("w.engine.at == (4, 0)")
    stepper.get_by_role("button", name="Back").click()
    expect(output(stepper, 3, 4)).to_have_attribute("tabindex", "0")


def test_a_hand_paints(book, stepper):
    book.drag(centre(picture(stepper, 1, 0)), centre(picture(stepper, 1, 1)), centre(picture(stepper, 1, 2)))
    book.until("w.image[1].tolist() == [1.0] * 7")
    expect(stepper.get_by_role("combobox", name="Picture")).to_have_value("own")
    expect(output(stepper, 0, 1)).to_have_text("2")
    book.page.mouse.click(*centre(picture(stepper, 1, 1)))
    book.until("w.image[1, 1].item() == 0")
    stepper.get_by_role("button", name="Undo").click()
    stepper.get_by_role("button", name="Undo").click()
    book.until("w.example == 'edge' and w.image[1, 0].item() == 0")
    stepper.get_by_role("button", name="Clear").click()
    book.until("not w.image.any()")


def test_keys_paint_too(book, stepper):
    book.eval_in_kernel("w.brush = 2.5")
    expect(stepper.get_by_role("slider", name="Brush")).to_have_attribute("aria-valuetext", "2.5")
    picture(stepper, 0, 0).focus()
    for key in ("7", "ArrowRight", "Space", "ArrowRight", "4", "-", "ArrowRight", "Delete"):
        book.page.keyboard.press(key)
    book.until("w.image[0, :4].tolist() == [7.0, 2.5, -4.0, 0.0]")
    expect(picture(stepper, 0, 2)).to_have_text("\N{MINUS SIGN}4")
    expect(picture(stepper, 0, 3)).to_be_focused()


def test_a_kernel_of_ones_own(book, stepper):
    field = stepper.get_by_label("kernel, row 0, column 0")
    field.fill("-0,5")
    book.page.keyboard.press("Enter")
    book.until("w.kernel[0, 0].item() == -0.5 and w.preset == 'own'")
    expect(stepper.locator(".cs-product").first).to_contain_text("0 \N{MULTIPLICATION SIGN} (\N{MINUS SIGN}0.5)")
    field.press("ArrowDown")
    expect(stepper.get_by_label("kernel, row 1, column 0")).to_be_focused()
    field.fill("much")
    field.press("Tab")
    expect(stepper.locator(".dlc-error")).to_contain_text("much is no number")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("3")
    field.press("Enter")
    book.until("w.kernel[0, 0].item() == 3")
    expect(stepper.locator(".dlc-error")).to_be_hidden()
    expect(field).not_to_have_attribute("aria-invalid", "true")
    field.press("Tab")


def test_settings_one_for_both_or_two(book, stepper):
    stride = stepper.get_by_role("spinbutton", name="Stride")
    expect(stride).to_have_count(1)
    stride.focus()
    book.page.keyboard.press("ArrowUp")
    book.until("w.stride == (2, 2)")
    expect(stepper.locator(".cs-section").filter(has_text="Size of the output")).to_contain_text("/ 2⌋ + 1 = 3")
    stepper.get_by_role("checkbox", name="Rows and columns alike").uncheck()
    stepper.get_by_role("spinbutton", name="Stride, columns").fill("3")
    book.until("w.stride == (2, 3)")
    stepper.get_by_role("checkbox", name="Rows and columns alike").check()
    book.until("w.stride == (2, 2)")
    book.eval_in_kernel("w.padding = (2, 1)")
    expect(stepper.get_by_role("spinbutton", name="Padding, columns")).to_have_value("1")
    book.eval_in_kernel("w.padding = 0")
    expect(stepper.get_by_role("spinbutton", name="Padding")).to_have_count(1)


def test_what_does_not_fit_is_said(book, stepper):
    window = stepper.get_by_role("spinbutton", name="Window")
    window.fill("5")
    book.until("w.kernel_size == (5, 5)")
    stepper.get_by_role("spinbutton", name="Dilation").fill("2")
    expect(stepper.locator(".dlc-error")).to_contain_text(
        "it spans 2 * (5 - 1) + 1 = 9 rows, and there are 7 + 2 * 0 = 7"
    )
    stepper.get_by_role("spinbutton", name="Dilation").press("Tab")
    expect(stepper.get_by_role("spinbutton", name="Dilation")).to_have_value("1")
    window.fill("3")
    book.until("w.kernel_size == (3, 3)")
    expect(stepper.locator(".dlc-error")).to_be_hidden()


def test_pooling(book, stepper):
    book.eval_in_kernel("w.set(example='noise', padding=1)")
    stepper.get_by_role("combobox", name="Kind").select_option("max")
    expect(stepper.get_by_role("combobox", name="Kernel")).to_be_hidden()
    expect(stepper.get_by_label("kernel, row 0, column 0")).to_be_hidden()
    expect(stepper.locator(".cs-pad").first).to_have_text("\N{MINUS SIGN}∞")
    expect(stepper.locator(".cs-best")).to_have_count(1)
    stepper.get_by_role("combobox", name="Kind").select_option("average")
    expect(stepper.get_by_role("spinbutton", name="Dilation")).to_be_hidden()
    expect(stepper.locator(".cs-sums")).to_contain_text("/ 9 =")
    box = stepper.get_by_role("checkbox", name="Count the padding")
    box.uncheck()
    expect(stepper.locator(".cs-sums")).to_contain_text("/ 4 =")


def test_layers_and_what_a_cell_sees(book, stepper):
    book.eval_in_kernel("w.set(padding=1, layers=3); w.go(3, 3)")
    expect(stepper.get_by_role("grid")).to_have_count(4)
    expect(stepper.get_by_text("rows: 1 + (3 \N{MINUS SIGN} 1)·1·(1 + 1 + 1) = 7")).to_be_visible()
    expect(picture(stepper, 3, 3)).to_have_attribute("aria-label", "row 3, column 3: 1")
    book.page.wait_for_function(  # the frame glides to its place
        """([frame, sheet]) => {
            const [f, s] = [frame, sheet].map((it) => it.getBoundingClientRect());
            return [f.left - s.left, f.top - s.top, f.width - 7 * s.width].every((off) => Math.abs(off) <= 1);
        }""",
        arg=[stepper.locator(".cs-frame").first.element_handle(), picture(stepper, 0, 0).element_handle()],
    )
    stepper.get_by_role("combobox", name="Cells show").select_option("paths")
    expect(picture(stepper, 3, 3)).to_have_text("49")
    expect(picture(stepper, 0, 0)).to_have_text("1")
    assert axe(book) == []


def test_predict_a_number(book, stepper):
    stepper.get_by_role("button", name="Predict a number").click()
    field = stepper.get_by_label("Your number")
    expect(field).to_be_focused()
    expect(output(stepper, 0, 0)).to_have_text("?")
    expect(stepper.locator(".cs-products")).to_be_hidden()
    verdict = stepper.locator(".cs-verdict")
    field.fill("-3")
    field.press("Enter")
    expect(verdict).to_contain_text("the kernel turned by 180 degrees")
    expect(output(stepper, 0, 0)).to_have_text("?")
    field.fill("three")
    field.press("Enter")
    expect(verdict).to_contain_text("Type a number")
    field.fill("3")
    field.press("Enter")
    expect(verdict).to_have_text("Right. It is 3.")
    expect(stepper.get_by_role("button", name="Predict a number")).to_be_focused()
    expect(stepper.locator(".cs-products")).to_be_visible()
    expect(stepper.locator(".cs-predict")).to_contain_text("right at the first try")


def test_predict_the_size(book, stepper):
    book.eval_in_kernel("w.set(stride=(2, 1), padding=1)")
    stepper.get_by_role("button", name="Predict the size").click()
    rows, columns = stepper.get_by_label("Rows", exact=True), stepper.get_by_label("Columns", exact=True)
    expect(rows).to_be_focused()
    expect(stepper.get_by_role("grid")).to_have_count(1)
    expect(stepper.get_by_role("button", name="Play")).to_be_disabled()
    rows.fill("7")
    columns.fill("5")
    columns.press("Enter")
    expect(stepper.locator(".cs-verdict")).to_have_text(
        "Rows: the stride is forgotten: the window moves by 2. Columns: the padding is forgotten: 1 on each side."
    )
    stepper.get_by_role("button", name="Show me").click()
    expect(stepper.locator(".cs-verdict")).to_have_text("It has 4 rows and 7 columns.")
    expect(stepper.get_by_role("grid")).to_have_count(2)
    assert axe(book) == []


def test_what_a_teacher_hides_is_hidden(book, stepper):
    names = ["formula", "field", "predict", "kernel_panel", "linked", "padding", "flip"]
    book.eval_in_kernel(f"w.hide = {names}")
    expect(stepper.get_by_text("Size of the output")).to_be_hidden()
    expect(stepper.get_by_text("Receptive field")).to_be_hidden()
    expect(stepper.get_by_role("button", name="Predict a number")).to_be_hidden()
    expect(stepper.get_by_label("kernel, row 0, column 0")).to_be_hidden()
    expect(stepper.get_by_role("checkbox", name="Rows and columns alike")).to_be_hidden()
    expect(stepper.get_by_role("spinbutton", name="Padding")).to_be_hidden()
    expect(stepper.get_by_role("checkbox", name="Flip the kernel")).to_be_hidden()
    expect(stepper.get_by_role("spinbutton", name="Stride")).to_be_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_accessible_in_both_themes(book, stepper, theme):
    book.eval_in_kernel("w.set(padding=1, example='noise'); w.go(0, 3)")
    book.theme(theme)
    book.settle(3)
    assert axe(book) == []
    book.screenshot(f"conv-stepper-{theme.rpartition(' ')[2].lower()}")


def test_a_narrow_page_keeps_its_numbers(book, stepper):
    page = book.page
    page.set_viewport_size({"width": 640, "height": 900})
    try:
        book.settle(5)
        assert stepper.evaluate("root => root.scrollWidth <= root.clientWidth")
        for each in stepper.get_by_role("grid").all():
            assert each.bounding_box()["width"] >= 5 * 28
        sizes = stepper.evaluate(
            "root => [...root.querySelectorAll('*')].map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 12
        book.screenshot("conv-stepper-narrow")
        book.eval_in_kernel("w.set(example='noise', size=16, padding=4, kernel_size=5, preset='gaussian')")
        expect(output(stepper, 19, 19)).to_have_count(1)
        book.settle(3)
        wide = """root => [...root.querySelectorAll("*")].filter((each) =>
            each.getBoundingClientRect().right > root.getBoundingClientRect().right
            && !each.closest(".cs-scroll, .cs-kernel")
        ).map((each) => each.className)"""
        assert stepper.evaluate(wide) == []
        assert stepper.evaluate("root => root.scrollWidth <= root.clientWidth")
        output(stepper, 0, 0).focus()
        page.keyboard.press("End")  # the last column can be reached, and is then in sight
        last = output(stepper, 0, 19)
        expect(last).to_be_focused()
        expect(last).to_be_in_viewport(ratio=0.9)
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_numbers_have_room(book, stepper):
    """Three characters in a cell, nine in a kernel's field: none is cut off, none touches its neighbour."""
    book.eval_in_kernel("w.set(padding=1, layers=3); w.kernel = [[-12.345, 1, 2], [0.001953125, -1 / 9, 0], [3, 4, 5]]")
    expect(stepper.get_by_label("kernel, row 0, column 0")).to_have_value("\N{MINUS SIGN}12.35")
    expect(stepper.get_by_label("kernel, row 1, column 0")).to_have_value("0.001953")
    book.settle(3)
    narrow = """root => [...root.querySelectorAll(".cs-cell, .cs-weight")].filter((each) => {
        if (each.scrollWidth > each.clientWidth) return true;
        const range = document.createRange();
        range.selectNodeContents(each);
        return range.getBoundingClientRect().width > each.clientWidth - 2;
    }).map((each) => each.value ?? each.textContent)"""
    assert stepper.evaluate(narrow) == []
    book.eval_in_kernel("w.set(preset='left_right')")
    expect(stepper.get_by_role("combobox", name="Kernel")).to_have_value("left_right")
    book.settle(3)
    assert stepper.evaluate(narrow) == []


def test_the_screen_writes_a_number_in_one_way(book, stepper):
    book.eval_in_kernel("w.set(preset='gaussian', kernel_size=5); w.go(1, 1)")
    field = stepper.get_by_label("kernel, row 0, column 1")
    expect(field).to_have_value("0.01563")
    expect(stepper.locator(".cs-product").nth(1)).to_contain_text("\N{MULTIPLICATION SIGN} 0.01563")
    expect(stepper.locator(".cs-sums")).to_contain_text("·0.01563")
    result = stepper.locator(".cs-result").text_content().rpartition("= ")[2]
    expect(output(stepper, 1, 1)).to_have_text(result)


def test_a_picture_from_a_file_is_announced(book, stepper):
    wait = stepper.locator(".cs-wait")
    expect(wait).to_have_text("")
    stepper.get_by_role("combobox", name="Picture").evaluate(
        """(box) => {
            const note = box.closest(".dlc").querySelector(".cs-wait");
            window.heard = [];
            new MutationObserver(() => window.heard.push(note.textContent)).observe(note, { childList: true });
        }"""
    )
    stepper.get_by_role("combobox", name="Picture").select_option("photograph")
    book.until("w.example == 'photograph'", seconds=20)
    expect(wait).to_have_text("", timeout=10_000)
    assert book.page.evaluate("window.heard") == ["Fetching a photograph …", ""]


def test_forced_colours_leave_the_window_and_the_numbers(book, stepper):
    book.page.emulate_media(forced_colors="active")
    try:
        book.settle(3)
        border = "cell => getComputedStyle(cell).borderTopColor"
        tap, other = stepper.locator(".cs-tap").first, picture(stepper, 6, 6)
        assert tap.evaluate(border) != other.evaluate(border)
        expect(picture(stepper, 0, 3)).to_have_text("1")
        book.screenshot("conv-stepper-forced")
    finally:
        book.page.emulate_media(forced_colors="none")
