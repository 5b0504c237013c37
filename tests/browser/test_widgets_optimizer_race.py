"""The race in a real JupyterLab: starts by mouse and by keyboard, play and back, divergence, a prediction, themes."""

import ast

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

CELLS = [
    "from dlcourse.widgets import OptimizerRace\nrace = OptimizerRace()\nrace",
    "import torch\n"
    "def signs(place, gradient, state, step, lr):\n    return place - lr * gradient.sign(), None\n"
    "own = OptimizerRace(surface=lambda x, y: torch.sin(x) * y + y**2, rule=signs)\nown",
]


@pytest.fixture
def race(book):
    """The widget, as its cell made it."""
    book.eval_in_kernel(
        "race.playing = False; race.set(surface='saddle'); race.set(surface='bowl', lr=0.05, noise=0.0, condition=20, "
        "racers=('sgd', 'momentum', 'rmsprop', 'adam'))"
    )
    root = book.widget(0)
    expect(root.locator("caption")).to_have_text("At step 0")
    expect(root.locator(".or-story")).to_contain_text("20 times as steep")
    book.page.mouse.move(5, 5)
    book.settle(3)
    return root


def on_map(race, x: float, y: float) -> tuple[float, float]:
    box = race.locator(".or-map canvas").bounding_box()
    zoom = box["width"] / 480
    return box["x"] + zoom * (40 + 430 * (x + 5) / 10), box["y"] + zoom * (10 + 322 * (3.75 - y) / 7.5)


def starts(book):
    return ast.literal_eval(book.eval_in_kernel("race.engine.race.starts"))


def test_play_moves_the_racers_until_all_have_arrived(book, race):
    before = pixels(race.locator(".or-map canvas"))
    race.get_by_role("button", name="Play").click()
    expect(race.locator("tbody tr").first).to_contain_text("arrived at step 59", timeout=20_000)
    expect(race.locator("tbody tr").last).to_contain_text("arrived at step", timeout=20_000)
    expect(race.get_by_role("button", name="Play")).to_be_visible()
    assert pixels(race.locator(".or-map canvas")) != before
    race.get_by_role("slider", name="Go to step").focus()
    book.page.keyboard.press("Home")
    expect(race.locator("caption")).to_have_text("At step 0")
    expect(race.locator("tbody tr").first).to_contain_text("racing")


def test_a_click_drops_a_start_and_a_drag_moves_it(book, race):
    book.page.mouse.click(*on_map(race, 2, 2))
    book.until("len(race.engine.race.starts) == 2")
    (_, dropped) = starts(book)
    assert dropped == pytest.approx((2, 2), abs=0.06)
    expect(race.locator("tbody tr")).to_have_count(8)
    book.drag(on_map(race, 2, 2), on_map(race, 3, -1), on_map(race, 4, -3))
    book.until("abs(race.engine.race.starts[1][1] + 3) < 0.06")
    assert starts(book)[1] == pytest.approx((4, -3), abs=0.06)
    assert starts(book)[0] == (-4, 1.5)
    race.get_by_role("button", name="One start").click()
    book.until("len(race.engine.race.starts) == 1")
    expect(race.get_by_role("button", name="One start")).to_be_disabled()


def test_a_start_that_is_dropped_may_be_dragged_on(book, race):
    book.page.mouse.move(*on_map(race, 1, 1))
    book.page.mouse.down()
    book.until("len(race.engine.race.starts) == 2")
    book.page.mouse.move(*on_map(race, 1, 3), steps=6)
    book.page.mouse.up()
    book.until("abs(race.engine.race.starts[1][1] - 3) < 0.06")


def test_the_keyboard_drops_and_takes_away(book, race):
    cross = race.get_by_role("slider", name="Cross for a new start")
    cross.focus()
    x = float(cross.get_attribute("aria-valuenow"))
    y = float(cross.get_attribute("aria-valuetext").split()[-1].replace("\N{MINUS SIGN}", "-"))
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowUp"):
        book.page.keyboard.press(key)
    book.page.keyboard.press("Enter")
    book.until("len(race.engine.race.starts) == 2")
    assert starts(book)[1] == pytest.approx((x + 0.5, y + 0.3), abs=0.02)
    expect(cross).to_be_focused()
    book.page.keyboard.press("Delete")
    book.until("race.engine.race.starts == ((-4, 1.5),)")
    assert len(book.cells()) == len(CELLS)


def test_racers_are_ticked_and_settings_that_do_nothing_for_them_go(book, race):
    expect(race.get_by_role("slider", name="Momentum", exact=True).first).to_be_visible()
    expect(race.get_by_role("slider", name="Weight decay")).to_be_hidden()
    race.get_by_role("checkbox", name="AdamW").check()
    expect(race.locator("tbody tr")).to_have_count(5)
    expect(race.get_by_role("slider", name="Weight decay")).to_be_visible()
    for name in ("momentum", "RMSprop", "Adam", "AdamW"):
        race.get_by_role("checkbox", name=name, exact=True).uncheck()
    book.until("race.racers == ('sgd',)")
    expect(race.locator("tbody tr")).to_have_count(1)
    expect(race.get_by_role("slider", name="Memory of squares")).to_be_hidden()
    race.get_by_role("checkbox", name="gradient descent").click()
    expect(race.get_by_role("checkbox", name="gradient descent")).to_be_checked()  # the last one stays


def test_who_diverges_is_named_with_the_reason(book, race):
    book.eval_in_kernel("race.lr = 0.11")
    race.get_by_role("button", name="Play").click()
    expect(race.locator(".dlc-note")).to_contain_text("2 / curvature = 2 / 20 = 0.1", timeout=20_000)
    expect(race.locator("tbody tr").first).to_contain_text("diverged at step 22")
    book.eval_in_kernel("race.playing = False")
    race.get_by_role("button", name="Reset").click()
    expect(race.locator(".dlc-note")).to_be_empty()


def test_a_prediction(book, race):
    race.get_by_role("button", name="Predict").click()
    question = race.get_by_role("group", name="Which one arrives first")
    expect(question).to_be_visible()
    expect(race.get_by_role("button", name="Play")).to_be_disabled()
    question.get_by_role("button", name="momentum").click()
    expect(race.locator(".or-question")).to_contain_text("RMSprop came in at step 50", timeout=20_000)
    expect(race.locator(".or-question")).to_contain_text("You said momentum")
    expect(race.get_by_role("button", name="Predict")).to_be_visible()


def test_a_surface_is_chosen_and_the_bowls_settings_go(book, race):
    race.get_by_label("Surface", exact=True).select_option("cliff")
    expect(race.locator(".or-story")).to_contain_text("plateau")
    expect(race.get_by_role("slider", name="Condition number")).to_be_hidden()
    assert "own" not in race.get_by_label("Surface", exact=True).inner_text()
    label = race.locator(".or-map canvas").get_attribute("aria-label")
    assert "A plateau" in label
    assert "Step 0" in label


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_both_themes_are_accessible(book, race, theme):
    book.eval_in_kernel("race.lr = 0.11; race.step(30)")
    book.theme(theme)
    race.get_by_text("A factor on the rate").click()
    expect(race.locator("caption")).to_have_text("At step 30")
    book.settle(4)
    book.screenshot(f"optimizer-race-{theme.split()[-1].lower()}")
    assert axe(book) == []
    race.get_by_text("A factor on the rate").click()


def test_it_fits_a_narrow_page(book, race):
    book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    book.page.set_viewport_size({"width": 640, "height": 900})
    book.settle(3)
    wide = race.evaluate("el => [el.scrollWidth, el.clientWidth]")
    assert wide[0] <= wide[1] + 1
    book.screenshot("optimizer-race-narrow")
    book.page.set_viewport_size({"width": 1280, "height": 900})
    book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")


def test_an_own_surface_and_rule(book):
    book.run(1)
    root = book.widget(1)
    expect(root.get_by_role("checkbox", name="signs")).to_be_checked()
    root.get_by_role("button", name="Step", exact=True).click()
    expect(root.locator("caption")).to_have_text("At step 1")
    expect(root.locator("tbody tr")).to_have_count(5)
