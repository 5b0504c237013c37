"""The char sampler in a real JupyterLab: typing, play and back, looking and branching by mouse and by keyboard."""

import itertools
import json
import re

import pytest
from dlcourse_browser import axe
from playwright.sync_api import expect

CELLS = [
    """from dlcourse import data, generator, models
from dlcourse.widgets import CharSampler

sampler = CharSampler(prefix="The ", top_k=20)
sampler""",
    "sampler",
    """letters = data.Vocabulary("ab \\n\\u05e9\\u0301\\u202e\\U0001f600")
network = models.CharRNN(len(letters), hidden=5, generator=generator(0))
ngram = models.NGram.fit(letters.encode("ab \\n" * 20), order=3, classes=len(letters))
beside = CharSampler(network, letters, beside=ngram, prefix="ab \\n")
beside.step(40)
beside""",
]


@pytest.fixture
def sampler(book):
    """One line of ten symbols."""
    book.eval_in_kernel(
        "sampler.playing = False; sampler.set(prefix='The ', temperature=1, top_k=20, top_p=1, seed=0, pace='fast'); "
        "sampler.reset(); sampler.step(10)"
    )
    root = book.widget(0)
    expect(root.locator(".cs-line")).to_have_count(1)
    expect(root.locator(".cs-text")).to_have_attribute("aria-valuemax", "10")
    expect(root.locator(".cs-text")).to_have_attribute("aria-valuenow", "10")
    root.scroll_into_view_if_needed()
    book.settle(3)
    return root


def ask(book, expression: str):
    return json.loads(book.eval_in_kernel(f"import json; print(json.dumps({expression}))"))


def written(line) -> str:
    """The text of a line as it is drawn."""
    return line.locator(".cs-text").evaluate("el => el.textContent").replace("⏎\n", "\n")


def test_play_writes_and_pause_stops(book, sampler):
    sampler.get_by_role("button", name="Play").click()
    book.until("sampler.engine.at > 25", seconds=15)
    sampler.get_by_role("button", name="Pause").click()
    book.until("not sampler.playing")
    at = ask(book, "sampler.engine.at")
    book.page.wait_for_timeout(300)
    assert ask(book, "sampler.engine.at") == at
    expect(sampler.locator(".cs-text")).to_have_attribute("aria-valuenow", str(at))
    assert written(sampler.locator(".cs-line")) == ask(book, "sampler.text")


def test_a_click_on_a_symbol_shows_its_step(book, sampler):
    sampler.locator(".cs-symbol[data-place='4']").click()
    book.until("sampler.engine.at == 4")
    expect(sampler.locator(".cs-here")).to_have_attribute("data-place", "4")
    expect(sampler.locator(".cs-ahead")).to_have_count(6)
    token = ask(book, "sampler.engine.here.token")
    said = ask(book, f"sampler.engine.symbols[{token}].said")
    expect(sampler.locator(".cs-fact")).to_contain_text(f"Drawn: {said}, number")
    expect(sampler.locator(".cs-drawn")).to_have_count(1)
    expect(sampler.locator(".cs-bars h3")).to_contain_text("after “The␣")
    sampler.locator(".cs-symbol[data-place='0']").first.click()
    book.until("sampler.engine.at == 0")
    expect(sampler.locator(".cs-fact")).to_contain_text("Before the first symbol: press Step")
    expect(sampler.locator(".cs-drawn")).to_have_count(0)


def test_a_click_on_a_bar_writes_it_beside_the_old_line(book, sampler):
    sampler.locator(".cs-symbol[data-place='5']").click()
    book.until("sampler.engine.at == 5")
    other = sampler.locator(".cs-choice:not(.cs-drawn)").first
    other.click()
    book.until("len(sampler.engine.lines) == 2 and sampler.engine.here.shaping is None")
    expect(sampler.locator(".cs-line")).to_have_count(2)
    expect(sampler.locator(".cs-current .cs-about")).to_contain_text("from line 1, at 5")
    expect(sampler.locator(".cs-fact")).to_contain_text("Chosen:")
    texts = [written(line) for line in sampler.locator(".cs-line").all()]
    assert texts == list(ask(book, "sampler.lines").values())
    assert texts[0][:8] == texts[1][:8]
    sampler.get_by_role("button", name="Step", exact=True).click()
    book.until("sampler.engine.at == 6")
    sampler.get_by_role("button", name="Line 1", exact=True).click()
    book.until("sampler.engine.line.number == 1")
    sampler.get_by_role("button", name="Remove line 2").click()
    book.until("len(sampler.engine.lines) == 1")
    expect(sampler.locator(".cs-line")).to_have_count(1)


def test_the_keyboard_does_it_too(book, sampler):
    cells = len(book.cells())
    sampler.get_by_role("slider", name="Steps of line 1").focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowRight", "b"):
        book.page.keyboard.press(key)
    book.until("sampler.engine.at == 8")
    book.page.keyboard.press("Home")
    book.until("sampler.engine.at == 0")
    book.page.keyboard.press("End")
    book.until("sampler.engine.at == 10")
    book.page.keyboard.press("PageDown")
    book.until("sampler.engine.at == 0")
    rows = sampler.locator(".cs-choice:visible")
    rows.first.focus()
    book.page.keyboard.press("ArrowDown")
    book.page.keyboard.press("ArrowDown")
    expect(rows.nth(2)).to_be_focused()
    book.page.keyboard.press("Enter")
    book.until("sampler.engine.at == 1 and sampler.engine.here.token == int(sampler.engine.bars()[2, 0])")
    assert len(book.cells()) == cells


def test_a_key_builds_on_the_one_before_even_if_the_screen_lags(book, sampler):
    sampler.get_by_role("slider", name="Steps of line 1").focus()
    book.page.evaluate(
        "() => { const paint = window.requestAnimationFrame;"
        " window.requestAnimationFrame = (then) => setTimeout(() => paint(then), 1500);"
        " window.punctual = () => { window.requestAnimationFrame = paint; }; }"
    )
    try:
        for at in (9, 8, 7):
            book.page.keyboard.press("ArrowLeft")
            book.until(f"sampler.engine.at == {at}")
            book.page.wait_for_timeout(150)  # the answer is in the page; the picture of it is not
    finally:
        book.page.evaluate("() => window.punctual()")
    expect(sampler.locator(".cs-text")).to_have_attribute("aria-valuenow", "7")


def test_the_sliders_change_the_bars_and_not_the_text(book, sampler):
    text = ask(book, "sampler.text")
    sampler.get_by_role("slider", name="temperature").focus()
    for _ in range(12):
        book.page.keyboard.press("ArrowLeft")
    book.until("sampler.temperature == 0.76")
    sampler.get_by_role("slider", name="top-k").focus()
    book.page.keyboard.press("Home")
    for _ in range(3):
        book.page.keyboard.press("ArrowRight")
    book.until("sampler.top_k == 3")
    expect(sampler.locator(".cs-cut")).to_have_count(9)  # of the twelve that are shown
    expect(sampler.locator(".cs-fact")).to_contain_text("It was drawn with other settings: temperature 1, top-k 20")
    expect(sampler.locator(".cs-fact")).to_contain_text("100 of 103 symbols are cut off.")
    assert ask(book, "sampler.text") == text
    sampler.get_by_role("slider", name="Steps of line 1").focus()
    book.page.keyboard.press("Home")
    book.until("sampler.engine.at == 0")
    sampler.get_by_role("button", name="Again").click()
    book.until("sampler.seed == 1 and len(sampler.engine.lines) == 2")
    expect(sampler.locator(".cs-line")).to_have_count(2)


def test_what_is_typed_is_read_and_what_is_not_known_stays_in_the_field(book, sampler):
    field = sampler.get_by_label("prefix")
    field.fill("A line\nand ")
    book.until("sampler.prefix == 'A line\\nand '")
    expect(sampler.locator(".cs-line")).to_have_count(2)
    expect(sampler.locator(".cs-current .cs-newline")).to_have_count(1)
    field.press_sequentially("é日")
    expect(sampler.get_by_role("alert")).to_contain_text("does not know “é” (U+00E9), “日” (U+65E5)")
    expect(field).to_have_attribute("aria-invalid", "true")
    sampler.get_by_role("button", name="Step", exact=True).click()
    book.until("sampler.engine.at == 1")
    book.settle(3)
    expect(field).to_have_value("A line\nand é日")
    assert ask(book, "sampler.text").startswith("A line\nand ")
    field.focus()
    for _ in range(2):
        book.page.keyboard.press("End")
        book.page.keyboard.press("Backspace")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(sampler.get_by_role("alert")).to_be_hidden()
    field.fill("")
    expect(sampler.get_by_role("alert")).to_contain_text("type at least one character")
    sampler.get_by_role("button", name="Line 1", exact=True).click()
    book.until("sampler.prefix == 'The '")
    expect(field).to_have_value("The ")


def test_a_cell_moves_the_view(book, sampler):
    book.eval_in_kernel("sampler.set(temperature=0.3, prefix='Note')")
    expect(sampler.get_by_label("prefix")).to_have_value("Note")
    expect(sampler.get_by_role("slider", name="temperature")).to_have_attribute("aria-valuetext", "0.3")
    book.eval_in_kernel("sampler.step(30)")
    expect(sampler.locator(".cs-current .cs-text")).to_have_attribute("aria-valuemax", "30")
    assert written(sampler.locator(".cs-current")) == ask(book, "sampler.text")


def test_share_and_code(book, sampler):
    text = ask(book, "sampler.share()")
    sampler.get_by_role("button", name="Share").click()
    expect(sampler.get_by_role("textbox", name="Copy this string")).to_have_value(text)
    sampler.get_by_role("button", name="Code").click()
    expect(sampler.get_by_role("textbox", name="The program")).to_have_value(re.compile("sample_steps"))
    sampler.get_by_role("button", name="Close", exact=True).click()


def test_two_views_and_two_themes_and_axe(book, sampler):
    book.run(1)
    second = book.widget(1)
    expect(second.locator(".cs-text")).to_have_attribute("aria-valuenow", "10")
    second.get_by_role("button", name="Back").click()
    expect(sampler.locator(".cs-text")).to_have_attribute("aria-valuenow", "9")
    sampler.locator(".cs-choice:not(.cs-drawn)").first.click()
    book.until("len(sampler.engine.lines) == 2")
    symbol = sampler.locator(".cs-symbol[data-place='1']").first
    book.theme("JupyterLab Light")  # whatever the tests before have left
    book.settle(4)
    light = symbol.evaluate("el => getComputedStyle(el).backgroundColor")
    book.theme("JupyterLab Dark")
    expect(symbol).not_to_have_css("background-color", light)
    assert axe(book) == []
    book.theme("JupyterLab Light")
    expect(symbol).to_have_css("background-color", light)
    assert axe(book) == []


def test_a_network_beside_an_n_gram_on_an_odd_text(book, sampler):
    book.run(2)
    root = book.widget(2)
    expect(root.locator(".cs-about")).to_contain_text(re.compile(r"bits to the CharRNN, .* bits to the 3-gram"))
    expect(root.locator(".cs-choice .cs-of-beside:visible")).to_have_count(8)
    expect(root.locator(".cs-fact")).to_contain_text("to the 3-gram")
    names = set(root.locator(".cs-choice .cs-name").all_inner_texts())
    assert {"␣ space", "⏎ newline", "◌\u0301", "U+202E", "\U0001f600"} <= names
    # Symbols stand in the order in which they were written, whatever their script.
    lefts = root.locator(".cs-symbol").evaluate_all(
        "all => all.map(el => el.getClientRects()[0]).map(({left, top}) => [Math.round(top), left])"
    )
    assert all(b[0] > a[0] - 6 for a, b in itertools.pairwise(lefts))
    assert axe(book) == []


def test_narrow_it_is_one_column(book, sampler):
    book.page.set_viewport_size({"width": 560, "height": 900})
    book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    book.settle(4)
    left, right = sampler.locator(".cs-left").bounding_box(), sampler.locator(".cs-right").bounding_box()
    assert right["y"] >= left["y"] + left["height"]
    assert sampler.evaluate("el => el.scrollWidth <= el.clientWidth + 1")
    assert axe(book) == []
