"""The playground as a learner meets it: a real JupyterLab, a real browser, every outside request blocked."""

import re

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

MADE = "from dlcourse.widgets import Playground\nw = Playground(optimizer='adam')\nw"
STOP = "playground-stop"
BUSY = f"""import pathlib, time
give_up = time.monotonic() + 30
while not pathlib.Path({STOP!r}).exists() and time.monotonic() < give_up:
    sum(range(1000))
end = time.monotonic()
"""
LOOK = """import hashlib
hashlib.sha256(b"".join(w.engine.snapshot().arrays[k].tobytes() for k in ("field", "weights"))).hexdigest()"""


@pytest.fixture(scope="module")
def shared(library):
    """One notebook for the whole file: cell 0 shows the playground, cell 1 is busy until a file is there."""
    book = library.open([MADE, BUSY])
    book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    return book


@pytest.fixture
def book(shared):
    """The notebook with a fresh playground."""
    shared.page.emulate_media(reduced_motion="no-preference")
    outputs = shared.run(0)
    assert [output["output_type"] for output in outputs] == ["execute_result"]
    return shared


@pytest.fixture
def root(book):
    root = book.widget(0)
    root.locator(".pg-field").wait_for()
    book.page.wait_for_function("root => Number(root.dataset.frames) >= 1", arg=root.element_handle())
    return root


def frames(root) -> int:
    return int(root.get_attribute("data-frames"))


def wait_for_frames(book, root, more: int) -> None:
    wanted = frames(root) + more
    book.page.wait_for_function(
        "([root, wanted]) => Number(root.dataset.frames) >= wanted", arg=[root.element_handle(), wanted]
    )


def wait_for_another_picture(book, canvas, before: str) -> None:
    for _ in range(200):
        if pixels(canvas) != before:
            return
        book.page.wait_for_timeout(50)
    raise AssertionError("ten seconds later it still shows the same picture")


def play(root):
    root.get_by_role("button", name="Play").click()


def pause(root):
    root.get_by_role("button", name="Pause").click()


def test_play_paints_and_pause_stops_within_three_frames(book, root):
    field, curves = root.locator(".pg-field"), root.get_by_role("img", name="Loss curves")
    before = pixels(field), pixels(curves)
    play(root)
    wait_for_frames(book, root, 10)
    # In the page itself, so that no time passes between the click and the reading.
    at_pause = root.evaluate("root => { root.querySelector('.dlc-play').click(); return Number(root.dataset.frames); }")
    book.page.wait_for_timeout(600)
    stopped = frames(root)
    assert stopped - at_pause <= 3
    assert book.eval_in_kernel("w.playing") == "False"
    step = int(book.eval_in_kernel("w.engine.snapshot().header['run']['step']"))
    assert step > 0
    book.page.wait_for_timeout(400)
    assert frames(root) == stopped
    assert book.eval_in_kernel("w.engine.snapshot().header['run']['step']") == str(step)
    assert pixels(field) != before[0]
    assert pixels(curves) != before[1]
    book.screenshot("playground-light")


def test_arrow_keys_move_a_slider_and_b_inserts_no_cell(book, root):
    cells = len(book.cells())
    slider = root.get_by_label("Learning rate")
    slider.focus()
    for _ in range(3):
        book.page.keyboard.press("ArrowRight")
    assert book.page.evaluate("() => document.activeElement.name") == "lr"
    book.page.keyboard.press("b")
    root.get_by_role("button", name="Step", exact=True).focus()
    for key in ("b", "a", "x", "z", "d", "d", "m"):  # notebook commands: insert, cut, delete, markdown
        book.page.keyboard.press(key)
    book.settle()
    assert len(book.cells()) == cells
    assert book.cells()[0]["source"] == MADE
    shown = float(slider.get_attribute("aria-valuetext"))
    assert shown > 0.03
    book.until(f"w.lr == {shown}")


def test_setting_a_parameter_in_a_cell_moves_its_control(book, root):
    book.eval_in_kernel("w.lr = 0.5; w.activation = 'relu'; w.layers = (3,)")
    book.page.wait_for_function(
        "root => root.querySelector('[name=lr]').getAttribute('aria-valuetext') === '0.5'", arg=root.element_handle()
    )
    expect(root.get_by_label("Activation")).to_have_value("relu")
    expect(root.get_by_role("group", name="Hidden layers").get_by_text("1 hidden layer", exact=True)).to_be_visible()


def test_a_point_is_drawn_by_the_first_click_and_by_the_keyboard(book, root):
    field = root.locator(".pg-field")
    before = pixels(field)
    field.click(position={"x": 30, "y": 40})
    book.until("w.engine.snapshot().header['points']['drawn'] == 1")
    left, right, bottom, top = eval(book.eval_in_kernel("w.engine.snapshot().header['extent']"))
    drawn = eval(book.eval_in_kernel("w.engine.snapshot().arrays['train_points'][-1].tolist()"))
    side = field.bounding_box()["width"]
    assert drawn == pytest.approx([left + 30 / side * (right - left), top - 40 / side * (top - bottom), 0], abs=0.05)
    wait_for_another_picture(book, field, before)

    root.get_by_role("button", name="triangle").click()
    field.focus()
    for key in ("ArrowRight", "ArrowUp", "Space"):
        book.page.keyboard.press(key)
    book.until("w.engine.snapshot().header['points']['drawn'] == 2")
    x, y, label = eval(book.eval_in_kernel("w.engine.snapshot().arrays['train_points'][-1].tolist()"))
    assert (x > 0, y > 0, label) == (True, True, 1)

    root.get_by_role("button", name="Clear").click()
    book.until("w.engine.snapshot().header['points']['drawn'] == 0")


def test_scrub_returns_to_a_recorded_state_exactly(book, root):
    book.eval_in_kernel("w.step(40)")
    then = book.eval_in_kernel(LOOK)
    book.settle(4)
    field = root.locator(".pg-field")
    seen = pixels(field)
    book.eval_in_kernel("w.step(50); w.lr = 0.3; w.step(10)")
    book.settle(4)
    assert book.eval_in_kernel(LOOK) != then
    assert pixels(field) != seen
    scrub = root.get_by_role("slider", name="Go to step")
    expect(scrub).to_have_attribute("max", "100")
    scrub.evaluate("input => { input.value = 40; input.dispatchEvent(new Event('input')); }")
    book.page.wait_for_function(
        "root => root.querySelector('.dlc-counter').textContent === 'step 40'", arg=root.element_handle()
    )
    assert book.eval_in_kernel(LOOK) == then
    assert book.eval_in_kernel("w.lr") == "0.03"
    book.settle(3)
    assert pixels(field) == seen
    scrub.focus()
    book.page.keyboard.press("ArrowRight")
    book.page.wait_for_function(
        "root => root.querySelector('.dlc-counter').textContent === 'step 41'", arg=root.element_handle()
    )


def test_the_slider_reaches_the_kernel_while_it_trains_and_the_last_value_wins(book, root):
    book.eval_in_kernel("heard = []; w.observe(lambda change: heard.append(change.new), 'lr')")
    play(root)
    wait_for_frames(book, root, 5)
    slider = root.get_by_label("Learning rate")
    slider.focus()
    for _ in range(12):
        book.page.keyboard.press("ArrowRight")
    last = float(slider.get_attribute("aria-valuetext"))
    wait_for_frames(book, root, 5)
    assert book.eval_in_kernel("w.playing") == "True"
    pause(root)
    book.until(f"heard[-1] == {last} == w.engine.values['lr']")
    heard = eval(book.eval_in_kernel("heard"))
    assert heard == sorted(set(heard))  # in order, none twice


def test_the_slider_reaches_the_kernel_while_another_cell_runs(book, root):
    book.eval_in_kernel(
        "heard = []; w.observe(lambda change: heard.append((time.monotonic(), change.new)), 'lr'); import time"
    )
    stop = book.lab.home / "dlcourse-work" / STOP
    stop.unlink(missing_ok=True)
    book.run_async(1)
    book.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    try:
        root.scroll_into_view_if_needed()
        slider = root.get_by_label("Learning rate")
        slider.focus()
        for _ in range(6):
            book.page.keyboard.press("ArrowRight")
        value = float(slider.get_attribute("aria-valuetext"))
        play(root)
        wait_for_frames(book, root, 5)  # it even trains meanwhile
        pause(root)
        busy = "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.executionState"
        assert book.page.evaluate(busy) == "running"
    finally:
        stop.touch()
    came, cell_ended = eval(book.eval_in_kernel("(heard, end)"))  # waits for the cell to end
    assert came[-1][1] == value
    assert all(at < cell_ended for at, _ in came)
    assert float(book.eval_in_kernel("w.lr")) == value


def test_two_runs_on_one_axis_and_back_to_one(book, root):
    book.eval_in_kernel("w.step(30)")
    root.get_by_role("button", name="Keep this run as A").click()
    book.until("w.engine.kept is not None")
    root.get_by_label("Optimiser").select_option("sgd")
    root.get_by_role("button", name="Step", exact=True).click()
    book.until("w.engine.snapshot().header['run']['step'] == 31")
    kept = eval(book.eval_in_kernel("{k: v for k, v in w.engine.snapshot().header['kept'].items()}"))
    assert kept["step"] == 31
    assert "Adam" in kept["settings"]
    expect(root.get_by_role("img", name="Map of the answer of run A")).to_be_visible()
    root.get_by_role("button", name="Drop A").click()
    root.get_by_role("button", name="Keep this run as A").wait_for()


def test_predict_hides_what_comes_until_the_step_and_then_says_it(book, root):
    root.get_by_label("the next").select_option("50")
    root.get_by_role("button", name="Predict").click()
    root.get_by_role("button", name="above 95 %").wait_for()
    expect(root.get_by_role("button", name="Play")).to_be_disabled()
    curves = root.get_by_role("img", name="Loss curves")
    before = pixels(curves)
    root.get_by_role("button", name="above 95 %").click()
    root.get_by_text("predictions were right").wait_for()
    assert book.eval_in_kernel("(w.playing, w.engine.snapshot().header['run']['step'])") == "(False, 50)"
    book.settle(3)
    assert pixels(curves) != before


def test_code_and_share_give_what_the_widget_gives(book, root):
    book.eval_in_kernel("w.step(7)")
    root.get_by_role("button", name="Code").click()
    code = root.get_by_role("textbox", name="The program")
    code.wait_for()
    assert code.input_value() == eval(book.eval_in_kernel("w.to_code()"))
    root.get_by_role("button", name="Share").click()
    box = root.get_by_role("textbox", name="Copy this string")
    box.wait_for()
    text = box.input_value()
    state = book.eval_in_kernel(LOOK)
    book.eval_in_kernel("w.set(data='circles', layers=(2,))")
    box.fill(text)
    root.get_by_role("button", name="Load").click()
    book.until(f"{LOOK} == {state}")
    expect(root.get_by_label("Data")).to_have_value("moons")
    box.fill("playground.1.rubbish")
    root.get_by_role("button", name="Load").click()
    root.get_by_role("alert").get_by_text("damaged").wait_for()
    assert book.eval_in_kernel(LOOK) == state


def test_a_weight_set_by_hand(book, root):
    slider = root.get_by_role("slider", name="Value of the chosen weight")
    slider.focus()
    book.page.keyboard.press("End")
    book.until("w.engine.snapshot().arrays['weights'][0].item() == 10.0")


def test_people_who_cannot_see_or_point(book, root):
    """axe-core, and what it does not look at: every canvas speaks, every control has a name and is reached by Tab."""
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        book.theme(theme)
        book.settle(3)
        assert axe(book) == []
    book.screenshot("playground-dark")
    dark = root.evaluate("root => getComputedStyle(root).backgroundColor")
    book.theme("JupyterLab Light")
    assert root.evaluate("root => getComputedStyle(root).backgroundColor") != dark

    labels = root.locator("canvas:visible").evaluate_all("all => all.map(c => [c.getAttribute('role'), c.ariaLabel])")
    assert len(labels) == 3
    for role, label in labels:
        assert role == "img"
        assert len(label) > 20

    controls = root.locator("button:visible, input:visible, select:visible, canvas[tabindex]")
    count = controls.count()
    controls.first.focus()
    reached = set()
    for _ in range(count + 5):
        reached.add(
            book.page.evaluate("() => [...document.querySelectorAll('.dlc *')].indexOf(document.activeElement)")
        )
        book.page.keyboard.press("Tab")
    wanted = controls.evaluate_all(
        "all => all.filter(c => !c.disabled).map(c => [...document.querySelectorAll('.dlc *')].indexOf(c))"
    )
    assert set(wanted) <= reached

    book.eval_in_kernel("w.step(3)")
    book.page.wait_for_timeout(2300)
    expect(root.locator(".dlc-unseen[aria-live]")).to_have_text(re.compile("^Step 3, train loss"))


def test_less_motion_means_few_steps_and_no_film(book, root):
    book.page.emulate_media(reduced_motion="reduce")
    play(root)
    wait_for_frames(book, root, 1)
    before = frames(root)
    book.page.wait_for_timeout(2000)
    assert 1 <= frames(root) - before <= 4
    pause(root)


def test_a_teacher_hides_controls(book):
    book.eval_in_kernel("w.hide = ['noise', 'predict', 'code', 'draw']")
    root = book.widget(0)
    book.settle(3)
    for name in ("Noise", "the next"):
        expect(root.get_by_label(name)).to_be_hidden()
    expect(root.get_by_role("button", name="Code")).to_be_hidden()
    field = root.locator(".pg-field")
    field.click(position={"x": 30, "y": 40})
    book.page.wait_for_timeout(200)
    assert book.eval_in_kernel("w.engine.snapshot().header['points']['drawn']") == "0"
