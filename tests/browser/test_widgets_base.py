"""What every widget does in a real JupyterLab, shown on the smallest one (tests/support/dlcourse_demo.py).

Counts of frames and steps are asserted, times are not: they belong to benchmarks/widgets.py.
"""

import json
import time
from pathlib import Path

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

SUPPORT = Path(__file__).parents[1] / "support"
SETUP = f"""
import logging, sys, time
from pathlib import Path
sys.path.insert(0, {str(SUPPORT)!r})
from dlcourse_demo import Demo
"""
STOP = "stop-the-cell"
# Busy in Python until the test says so; it never touches the widget.
BUSY = f"""
end = time.monotonic() + 20
while not Path({STOP!r}).exists() and time.monotonic() < end:
    sum(range(1000))
print("told" if Path({STOP!r}).exists() else "forgotten")
"""
# A line every 50 ms, from within the kernel: how far the engine is, and whether it would go on.
DIARY = """
import threading
def write():
    for _ in range(200):
        with open(PATH, "a") as file:
            file.write(f"{w.engine.count} {w.playing}\\n")
        time.sleep(0.05)
threading.Thread(target=write, daemon=True).start()
"""
MADE, AGAIN, TOUCH, WAIT, TALL, OTHER = range(1, 7)


@pytest.fixture(scope="module")
def book(library):
    """One notebook for the whole file: `w` is made and shown, shown again, touched; a cell that is busy; a tall one."""
    cells = [SETUP, "w = Demo(level=0.25)\nw", "w", "w.level = 0.9", BUSY, "print('\\n' * 200)", "Demo(hide=hide)"]
    book = library.open(cells)
    book.run(0)
    return book


@pytest.fixture
def shown(book):
    """The root of a new widget `w`, its first picture painted; nothing else is shown, light theme, no wishes."""
    page = book.page
    page.emulate_media(reduced_motion="no-preference", forced_colors="none")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    book.run(MADE)
    root = book.widget(MADE)
    until(root, "root => root.dataset.frames >= 1")
    yield root
    if book.eval_in_kernel("'w' in globals()") == "True":
        book.eval_in_kernel("w.playing = False")


def until(root, condition: str, argument=None) -> None:
    """Wait until a function of the root (and an argument) is true."""
    root.page.wait_for_function(f"([root, it]) => ({condition})(root, it)", arg=[root.element_handle(), argument])


def frames(root) -> int:
    return int(root.get_attribute("data-frames") or 0)


def button(root, name: str):
    return root.get_by_role("button", name=name, exact=True)


def play(root):
    button(root, "▶ Play").click()


def paint_on(root, frames_: int = 10) -> None:
    """Wait for that many more pictures."""
    until(root, "(root, wanted) => root.dataset.frames >= wanted", frames(root) + frames_)


def move(root, name: str, value: int) -> None:
    """What dragging a slider does: an input event for the value."""
    root.locator(f"input[name={name}]").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )


def kernel(book, expression: str) -> str:
    return book.eval_in_kernel(expression)


# ---- pictures


def test_the_first_picture_needs_no_click(shown):
    canvas = shown.locator("canvas")
    blank = canvas.evaluate(
        "c => { const b = document.createElement('canvas'); b.width = c.width; b.height = c.height;"
        " return b.toDataURL() === c.toDataURL(); }"
    )
    assert not blank
    assert canvas.get_attribute("role") == "img"
    assert canvas.get_attribute("aria-label") == "A square. Step 0 at level 0.25."
    assert shown.locator(".dlc-note").inner_text() == ""


def test_play_paints_and_pause_stops_within_three_frames(book, shown):
    canvas = shown.locator("canvas")
    before = pixels(canvas)
    play(shown)
    paint_on(shown)
    assert pixels(canvas) != before
    at_pause = shown.evaluate(
        "root => { root.querySelector('.dlc-play').click(); return Number(root.dataset.frames); }"
    )
    book.page.wait_for_timeout(700)
    assert frames(shown) - at_pause <= 3
    assert kernel(book, "w.playing") == "False"
    count, last = kernel(book, "w.engine.count"), pixels(canvas)
    book.page.wait_for_timeout(300)
    assert (kernel(book, "w.engine.count"), pixels(canvas)) == (count, last)
    assert int(count) > 10


def test_buttons_of_the_toolbar(book, shown):
    counter = shown.locator(".dlc-counter")
    for _ in range(3):
        button(shown, "Step").click()
    until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 3'")
    at_three = pixels(shown.locator("canvas"))
    button(shown, "Back").click()
    until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 2'")
    shown.get_by_label("Go to step").evaluate(
        "input => { input.value = 3; input.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 3'")
    book.settle()
    assert pixels(shown.locator("canvas")) == at_three
    button(shown, "Reset").click()
    until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 0'")
    assert counter.inner_text() == "step 0"
    assert kernel(book, "w.engine.count") == "0"


def test_two_displays_stay_in_step(book, shown):
    book.run(AGAIN)
    second = book.widget(AGAIN)
    until(second, "root => root.dataset.frames >= 1")
    button(second, "Step").click()
    for root in (shown, second):
        until(root, "root => root.querySelector('.dlc-counter').textContent === 'step 1'")
    move(second, "level", 80)
    until(shown, "root => root.querySelector('[name=level]').value === '80'")
    until(shown, "root => root.querySelector('canvas').ariaLabel.includes('level 0.8')")
    book.settle()
    assert pixels(shown.locator("canvas")) == pixels(second.locator("canvas"))
    # Playing with two displays is still one run: each tick is one frame in both.
    play(shown)
    paint_on(second)
    expect(second.locator(".dlc-play")).to_have_attribute("aria-pressed", "true")
    second.locator(".dlc-play").click()
    until(shown, "root => root.querySelector('.dlc-play').ariaPressed === 'false'")


def test_a_cell_moves_the_controls(book, shown):
    before = pixels(shown.locator("canvas"))
    book.run(TOUCH)
    until(shown, "root => root.querySelector('[name=level]').value === '90'")
    until(shown, "root => root.querySelector('canvas').ariaLabel.includes('level 0.9')")
    assert pixels(shown.locator("canvas")) != before
    kernel(book, "w.set(shape='checked', grid=True, layers=(3, 3, 1))")
    until(shown, "root => root.querySelector('select[name=shape]').value === 'checked'")
    expect(shown.get_by_label("Grid", exact=True)).to_be_checked()


def test_a_reload_paints_the_same_step(book, shown):
    for _ in range(2):
        button(shown, "Step").click()
    until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 2'")
    book.reload()
    root = book.widget(MADE)
    until(root, "root => root.querySelector('.dlc-counter')?.textContent === 'step 2'")
    button(root, "Step").click()
    until(root, "root => root.querySelector('.dlc-counter').textContent === 'step 3'")


# ---- keys and access


def test_keys_stay_in_the_widget(book, shown):
    page, level = book.page, shown.locator("input[name=level]")
    cells = len(book.cells())
    level.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    until(shown, "root => root.querySelector('canvas').ariaLabel.includes('level 0.27')")
    assert kernel(book, "w.level") == "0.27"
    step = button(shown, "Step")
    step.focus()
    for key in ("b", "a", "x", "d", "d", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("Space")
    until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 1'")
    page.keyboard.press("Enter")
    until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 2'")
    assert len(book.cells()) == cells
    assert page.evaluate("() => document.activeElement.textContent") == "Step"


def test_tab_reaches_every_control_and_leaves(book, shown):
    page = book.page
    wanted = shown.evaluate(
        """root => [...root.querySelectorAll("button, input, select, textarea, summary, [tabindex='0']")]
            .filter(el => el.checkVisibility() && !el.disabled).length"""
    )
    assert wanted >= 15
    shown.locator("button").first.focus()
    reached = 0
    for _ in range(wanted + 5):
        inside, outlined = shown.evaluate(
            """root => [root.contains(document.activeElement),
                parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2
                && getComputedStyle(document.activeElement).outlineStyle !== "none"]"""
        )
        if not inside:
            break
        reached += 1
        if reached > 1:  # the first was focused by the program, not by a key
            assert outlined, page.evaluate("() => document.activeElement.outerHTML")
        page.keyboard.press("Tab")
    assert reached == wanted
    assert not inside


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_nothing_is_found_by_axe_nor_by_ourselves(book, shown, theme):
    book.theme(theme)
    button(shown, "Fail").click()
    shown.locator(".dlc-error").wait_for()
    button(shown, "Code").click()
    shown.locator(".dlc-panel").wait_for()
    book.screenshot(f"demo-{theme.rpartition(' ')[2].lower()}")
    found = axe(book)
    small = shown.evaluate(
        """root => [...root.querySelectorAll("*")].filter(el => el.checkVisibility() && el.innerText
            && parseFloat(getComputedStyle(el).fontSize) < 12).map(el => el.outerHTML.slice(0, 200))"""
    )
    targets = shown.evaluate(
        """root => [...root.querySelectorAll("button, input, select")].filter(el => el.checkVisibility())
            .filter(el => el.type !== "checkbox" && el.getBoundingClientRect().height < 24)
            .map(el => el.outerHTML.slice(0, 200))"""
    )
    bare = shown.evaluate(
        """root => [...root.querySelectorAll("canvas, svg")].filter(el => el.checkVisibility())
            .filter(el => el.getAttribute("role") !== "img" || (el.getAttribute("aria-label") ?? "").length < 8)
            .map(el => el.outerHTML.slice(0, 200))"""
    )
    book.theme("JupyterLab Light")
    assert (found, small, targets, bare) == ([], [], [], [])
    assert shown.locator("[aria-live=polite]").count() == 1


def test_the_live_line_says_where_we_are(shown):
    button(shown, "Step").click()
    until(shown, "root => root.querySelector('[aria-live=polite]').textContent === 'Step 1 at level 0.25.'")


def test_the_theme_changes_the_picture_and_nothing_else(book, shown):
    canvas = shown.locator("canvas")
    light, count = pixels(canvas), kernel(book, "w.engine.count")
    book.theme("JupyterLab Dark")
    until(shown, "root => root.classList.contains('dlc-dark')")
    book.settle()
    dark = pixels(canvas)
    book.theme("JupyterLab Light")
    until(shown, "root => !root.classList.contains('dlc-dark')")
    book.settle()
    assert dark != light
    assert pixels(canvas) == light
    assert kernel(book, "w.engine.count") == count


def test_less_motion_means_stepwise(book, shown):
    book.page.emulate_media(reduced_motion="reduce")
    before = frames(shown)
    play(shown)
    book.page.wait_for_timeout(2000)
    painted = frames(shown) - before
    button(shown, "❚❚ Pause").click()
    assert 2 <= painted <= 5  # without the wish it would be some eighty
    assert shown.locator(".dlc-counter").inner_text() != "step 0"


def test_forced_colours_leave_edges_and_pictures(book, shown):
    before = pixels(shown.locator("canvas"))
    book.page.emulate_media(forced_colors="active")
    play_button = shown.locator(".dlc-play")
    style = play_button.evaluate(
        """el => {
            const style = getComputedStyle(el);
            return [style.borderTopStyle, style.borderTopWidth, style.color, style.backgroundColor];
        }"""
    )
    assert style[:2] == ["solid", "2px"]
    assert style[2] != style[3]
    paint_on_click = frames(shown)
    button(shown, "Step").click()
    until(shown, "(root, before) => root.dataset.frames > before", paint_on_click)
    assert pixels(shown.locator("canvas")) != before
    assert axe(book) == []


@pytest.mark.parametrize("width", [640, 360])
def test_a_narrow_page_wraps(book, shown, width):
    shown.evaluate("(root, width) => { root.parentElement.style.width = `${width}px`; }", width)
    book.settle()
    assert shown.evaluate("root => root.scrollWidth - root.clientWidth") <= 0
    wide = shown.evaluate(
        """root => [...root.querySelectorAll("*")].filter(el => el.checkVisibility())
            .filter(el => el.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(el => el.outerHTML.slice(0, 200))"""
    )
    assert wide == []


# ---- a teacher's wishes


def test_what_a_teacher_hides_is_not_there(book, shown):
    kernel(book, "hide = ['level', 'share', 'square', 'scrub']")
    book.run(OTHER)
    root = book.widget(OTHER)
    until(root, "root => root.dataset.frames >= 1")
    for hidden in ("[data-param=level]", "canvas", ".dlc-scrub"):
        assert root.locator(hidden).count() == 1
        assert not root.locator(hidden).is_visible()
    assert button(root, "Share").count() == 0  # hidden from screen readers too
    assert root.locator("[data-param=rate]").is_visible()
    assert shown.locator("[data-param=level]").is_visible()
    kernel(book, "w.hide = ['rate', 'play']")
    until(shown, "root => !root.querySelector('[data-param=rate]').checkVisibility()")
    assert button(shown, "▶ Play").count() == 0
    kernel(book, "w.hide = []")
    until(shown, "root => root.querySelector('[data-param=rate]').checkVisibility()")


# ---- faults


def test_a_fault_of_the_engine_shows_in_the_widget_and_in_the_log(book, shown):
    kernel(book, "records = []\nlogging.getLogger('dlcourse.widgets').addFilter(lambda r: records.append(r) or True)")
    button(shown, "Fail").click()
    shown.locator(".dlc-error").wait_for()
    assert "this engine failed on purpose" in shown.locator(".dlc-error").inner_text()
    assert shown.locator(".dlc-error").get_attribute("role") == "alert"
    shown.get_by_text("Where it happened").click()
    assert "in fail" in shown.locator(".dlc-error pre").inner_text()
    assert kernel(book, "[r.levelname for r in records]") == "['ERROR']"
    assert kernel(book, "'in fail' in logging.Formatter().format(records[0])") == "True"
    shown.get_by_role("button", name="Close this message").click()
    expect(shown.locator(".dlc-error")).to_be_hidden()
    button(shown, "Step").click()
    until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 1'")


def test_a_fault_while_it_plays_pauses_it(book, shown):
    kernel(book, "def broken(n=1): raise ZeroDivisionError('no such step')\nw.engine.step = broken")
    play(shown)
    shown.locator(".dlc-error").wait_for()
    until(shown, "root => root.querySelector('.dlc-play').ariaPressed === 'false'")
    assert "ZeroDivisionError: no such step" in shown.locator(".dlc-error").inner_text()
    book.page.wait_for_timeout(200)
    assert kernel(book, "w.playing") == "False"
    kernel(book, "del w.engine.step")
    play(shown)
    paint_on(shown, 3)
    expect(shown.locator(".dlc-error")).to_be_hidden()


def test_a_restarted_kernel_leaves_a_readable_message(book, shown):
    play(shown)
    paint_on(shown, 3)
    book.restart_kernel()
    until(shown, "root => /restarted/.test(root.querySelector('.dlc-note').textContent)")
    assert "Run its cell again" in shown.locator(".dlc-note").inner_text()
    book.settle()
    picture = pixels(shown.locator("canvas"))
    for name in ("Step", "Reset", "Fail"):  # nobody answers; nothing breaks
        button(shown, name).click()
    shown.locator(".dlc-play").click()
    shown.locator(".dlc-play").click()
    move(shown, "level", 20)
    book.page.wait_for_timeout(300)
    assert pixels(shown.locator("canvas")) == picture
    assert "Run its cell again" in shown.locator(".dlc-note").inner_text()
    book.run(0)
    book.run(MADE)
    root = book.widget(MADE)
    until(root, "root => root.dataset.frames >= 1")
    button(root, "Step").click()
    until(root, "root => root.querySelector('.dlc-counter').textContent === 'step 1'")


# ---- whose time it takes


def test_a_closed_tab_stops_the_work(book, shown, tmp_path):
    diary = tmp_path / "counts"
    play(shown)
    paint_on(shown, 5)
    book.eval_in_kernel(DIARY.replace("PATH", repr(str(diary))))
    paint_on(shown, 10)
    assert len({line.split()[0] for line in diary.read_text().splitlines()}) > 2, "it works"
    book.save()
    book.page.close()  # the kernel lives on
    time.sleep(0.5)
    closed = diary.read_text().splitlines()[-1]
    time.sleep(1)
    last = diary.read_text().splitlines()[-1]
    assert last == closed
    assert last.endswith("True"), "it was not paused: nobody asked"
    book.open()
    paint_on(book.widget(MADE), 5)  # and now somebody does
    assert int(kernel(book, "w.engine.count")) > int(last.split()[0])


def test_out_of_sight_it_rests(book, shown):
    book.run(TALL)
    play(shown)
    paint_on(shown, 5)
    book.output(OTHER)  # scrolls there, 200 lines further down
    book.page.wait_for_timeout(300)
    rest = kernel(book, "w.engine.count")
    book.page.wait_for_timeout(500)
    assert kernel(book, "w.engine.count") == rest
    book.output(MADE)
    paint_on(shown, 5)
    assert int(kernel(book, "w.engine.count")) > int(rest)


def test_it_pauses_when_nobody_is_there(book, shown):
    kernel(book, "w._idle_limit = 1.5")
    play(shown)
    shown.evaluate(  # for twice as long, but somebody is there
        """async root => {
            for (let i = 0; i < 15; i++) {
                root.querySelector(".dlc-title").dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
                await new Promise(done => setTimeout(done, 200));
            }
        }"""
    )
    assert shown.locator(".dlc-play").get_attribute("aria-pressed") == "true"
    until(shown, "root => /nobody has touched/.test(root.querySelector('.dlc-note').textContent)")
    until(shown, "root => root.querySelector('.dlc-play').ariaPressed === 'false'")
    assert kernel(book, "w.playing") == "False"
    count = kernel(book, "w.engine.count")
    book.page.wait_for_timeout(300)
    assert kernel(book, "w.engine.count") == count
    kernel(book, "w._idle_limit = 600.0")
    play(shown)
    paint_on(shown, 3)
    assert shown.locator(".dlc-note").inner_text() == ""


@pytest.mark.parametrize("touched", [False, True], ids=["", "after a cell has touched it"])
def test_it_answers_while_another_cell_is_busy(book, shown, touched):
    stop = book.lab.home / "dlcourse-work" / STOP
    stop.unlink(missing_ok=True)
    if touched:
        book.run_async(TOUCH)
    book.run_async(WAIT)
    book.page.wait_for_function(
        "index => window.jupyterapp.shell.currentWidget.content.widgets[index].model.executionState === 'running'",
        arg=WAIT,
    )
    try:
        for place in (10, 20, 30):
            move(shown, "level", place)
            until(
                shown, "(root, said) => root.querySelector('canvas').ariaLabel.includes(said)", f"level {place / 100:g}"
            )
        button(shown, "Step").click()
        until(shown, "root => root.querySelector('.dlc-counter').textContent === 'step 1'")
        play(shown)
        paint_on(shown, 5)
        shown.locator(".dlc-play").click()
        assert book.outputs(WAIT) == []  # it is still busy
        assert shown.locator(".dlc-note").inner_text() == ""
    finally:
        stop.touch()
    assert kernel(book, "w.level") == "0.3"
    assert book.outputs(WAIT)[0]["text"] == "told\n"


@pytest.mark.parametrize("playing", [False, True], ids=["still", "playing"])
def test_the_last_value_wins(book, shown, playing):
    seen = "seen = []\nw.observe(lambda change: seen.append(change.new), 'level')"
    kernel(book, seen)
    if playing:
        play(shown)
        paint_on(shown, 3)
    shown.evaluate(
        """async root => {
            const input = root.querySelector("[name=level]");
            for (const value of [...Array(60).keys(), 37]) {
                input.value = value;
                input.dispatchEvent(new Event("input", { bubbles: true }));
                await new Promise(done => setTimeout(done, 5));
            }
        }"""
    )
    until(shown, "root => root.querySelector('canvas').ariaLabel.includes('level 0.37')")
    book.page.wait_for_timeout(200)
    assert kernel(book, "w.level") == "0.37"
    expect(shown.locator("input[name=level]")).to_have_value("37")
    numbers = json.loads(kernel(book, "seen"))
    assert numbers[-1] == 0.37
    assert numbers[:-1] == sorted(numbers[:-1])
    assert len(numbers) >= 3
