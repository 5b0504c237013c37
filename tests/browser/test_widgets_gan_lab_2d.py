"""The GAN lab in a real JupyterLab: moves, play, drawing by mouse and by keyboard, presets, questions, themes."""

import json
import re

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

CELLS = [
    """from dlcourse.widgets import GANLab2D

lab = GANLab2D(width=16, batch_size=32)
lab""",
    "lab",
    """import torch
own = GANLab2D(X=[[100, 5], [140, 5], [120, 9]], width=8, latent=1, hide=("presets", "moves"))
own""",
]


@pytest.fixture
def lab(book):
    """Four rounds into the default game, small."""
    book.eval_in_kernel(
        "lab.playing = False; lab.hide = []; lab.engine.preset('healthy'); lab.set(width=16, batch_size=32); "
        "lab.unfork(); lab.engine.asked_count = 0; lab.step(8)"
    )
    root = book.widget(0)
    expect(root.locator(".gl-next")).to_have_text("Next: D (0 of 1 done). So far D 4, G 4")
    root.scroll_into_view_if_needed()
    book.settle(3)
    return root


def ask(book, expression: str):
    return json.loads(book.eval_in_kernel(f"import json; print(json.dumps({expression}))"))


def button(root, name: str):
    return root.get_by_role("button", name=name, exact=True)


def test_play_changes_the_picture_and_pause_stops(book, lab):
    canvas = lab.locator(".gl-arena")
    before = pixels(canvas)
    lab.get_by_role("button", name="Play").click()
    book.until("lab.engine.run.at > 60", seconds=20)
    lab.get_by_role("button", name="Pause").click()
    book.until("not lab.playing")
    at = ask(book, "lab.engine.run.at")
    book.page.wait_for_timeout(300)
    assert ask(book, "lab.engine.run.at") == at
    expect(lab.locator(".dlc-counter")).to_have_text(f"step {at}")
    assert pixels(canvas) != before


def test_each_network_moves_alone(book, lab):
    following = lab.locator(".gl-next")
    button(lab, "Step D").click()
    expect(following).to_have_text("Next: G. So far D 5, G 4")
    button(lab, "Step D").click()
    expect(following).to_have_text("Next: G. So far D 6, G 4")
    button(lab, "Step G").click()
    expect(following).to_have_text("Next: D (0 of 1 done). So far D 6, G 5")
    button(lab, "Round").click()
    expect(following).to_have_text("Next: D (0 of 1 done). So far D 7, G 6")
    button(lab, "Back").click()
    expect(following).to_have_text("Next: G. So far D 7, G 5")
    assert ask(book, "lab.engine.run.counts") == [7, 5]


def test_back_in_time_the_same_picture(book, lab):
    canvas = lab.locator(".gl-arena")
    before = pixels(canvas)
    button(lab, "Round").click()
    expect(lab.locator(".dlc-counter")).to_have_text("step 10")
    book.settle(3)
    assert pixels(canvas) != before
    lab.get_by_role("slider", name="Go to step").focus()
    book.page.keyboard.press("ArrowLeft")
    book.page.keyboard.press("ArrowLeft")
    expect(lab.locator(".dlc-counter")).to_have_text("step 8")
    book.settle(3)
    assert pixels(canvas) == before


def test_drawing_begins_a_game_about_the_drawing(book, lab):
    canvas = lab.locator(".gl-arena")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y, side = box["x"], box["y"], box["width"]
    book.drag((x + 0.3 * side, y + 0.3 * side), (x + 0.7 * side, y + 0.3 * side))
    assert ask(book, "lab.data") == "eight_gaussians", "without the pen nothing is drawn"
    button(lab, "Pen").click()
    book.drag((x + 0.3 * side, y + 0.3 * side), (x + 0.7 * side, y + 0.3 * side))
    book.until("lab.data == 'drawn'")
    places = ask(book, "lab.engine.run.target.places.tolist()")
    assert 4 < len(places) < 60
    assert min(a for a, _ in places) < -1 < 1 < max(a for a, _ in places)
    assert all(abs(b - 1.2) < 0.1 for _, b in places)
    expect(lab.get_by_role("combobox", name="Target")).to_have_value("drawn")
    book.drag((x + 0.5 * side, y + 0.6 * side), (x + 0.5 * side, y + 0.8 * side))
    book.until("len(lab.engine.run.drawn) == 2")
    button(lab, "Undo").click()
    book.until("len(lab.engine.run.drawn) == 1")
    button(lab, "Clear").click()
    expect(lab.locator(".dlc-note")).to_contain_text("no real point yet")
    expect(button(lab, "Step D")).to_be_disabled()
    cells = len(book.cells())
    canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", " "):
        book.page.keyboard.press(key)
    book.until("len(lab.engine.run.drawn) == 1")
    (place,) = ask(book, "lab.engine.run.target.places.tolist()")
    assert place == pytest.approx([0.4, 0.2])
    expect(button(lab, "Step D")).to_be_enabled()
    assert len(book.cells()) == cells
    button(lab, "Pen").click()
    expect(button(lab, "Pen")).to_have_attribute("aria-pressed", "false")


def test_controls_and_cells_move_one_another(book, lab):
    lab.get_by_role("combobox", name="Loss").select_option("Wasserstein")
    book.until("lab.loss == 'wasserstein'")
    strength = lab.get_by_role("slider", name="Strength")
    expect(strength).to_be_visible()
    lab.get_by_role("combobox", name="Penalty").select_option("None")
    expect(strength).to_be_hidden()
    lab.get_by_role("slider", name="Updates of D per G").focus()
    book.page.keyboard.press("ArrowRight")
    book.page.keyboard.press("ArrowRight")
    book.until("lab.d_steps == 3")
    expect(lab.locator(".gl-next")).to_contain_text("of 3 done")
    book.eval_in_kernel("lab.set(d_lr=0.004, penalty='R1')")
    expect(lab.locator(".gl-left")).to_contain_text("D's rate is 4 times G's")
    expect(strength).to_be_visible()
    assert ask(book, "lab.engine.run.at") == 8, "the game goes on"


def test_layers_of_the_picture_come_and_go(book, lab):
    canvas, seen = lab.locator(".gl-arena"), set()
    for name in ("D's field", "Real points", "Generated points", "G's manifold", "Pushes"):
        seen.add(pixels(canvas))
        lab.get_by_role("checkbox", name=name, exact=True).uncheck()
        book.settle(3)
    lab.get_by_role("checkbox", name="Path of the mean").check()
    book.settle(3)
    seen.add(pixels(canvas))
    assert len(seen) == 6
    for name in ("D's field", "Real points", "Generated points", "G's manifold", "Pushes"):
        lab.get_by_role("checkbox", name=name, exact=True).check()
    lab.get_by_role("checkbox", name="Path of the mean").uncheck()


def test_a_preset_tells_its_story_and_recovers(book, lab):
    button(lab, "D wins").click()
    book.until("lab.engine.chosen == 'd_wins' and lab.loss == 'minimax'")
    expect(button(lab, "D wins")).to_have_attribute("aria-pressed", "true")
    story = lab.locator(".gl-story")
    expect(story).to_contain_text("another seed may go otherwise")
    button(lab, "Recover").click()
    book.until("lab.loss == 'non_saturating'")
    expect(story).to_contain_text("Now mended")
    expect(button(lab, "Recover")).to_be_disabled()


def test_predict_then_see(book, lab):
    lab.get_by_role("combobox", name="the next").select_option("200 updates")
    button(lab, "Predict").click()
    expect(lab.get_by_text("After 200 more updates, how much of the 8 modes")).to_be_visible()
    expect(button(lab, "Keep this run as A")).to_be_disabled()
    button(lab, "All of them").click()
    expect(lab.get_by_text("So far")).to_be_visible(timeout=30_000)
    book.until("lab.engine.run.at == 208 and not lab.playing")
    expect(lab.get_by_text(re.compile(r"At step 208, \d of 8 modes are covered"))).to_be_visible()


def test_keep_a_run_and_compare(book, lab):
    button(lab, "Keep this run as A").click()
    expect(lab.get_by_role("columnheader", name="Run A")).to_be_visible()
    expect(lab.locator(".gl-right")).to_contain_text("A, at step 8: non-saturating loss, R1 0.1")
    lab.get_by_role("combobox", name="Loss").select_option("Hinge")
    button(lab, "Round").click()
    expect(lab.locator(".dlc-counter")).to_have_text("step 10")
    expect(lab.locator(".gl-right")).to_contain_text("A, at step 10")
    button(lab, "Drop A").click()
    expect(lab.get_by_role("columnheader", name="Run A")).to_be_hidden()


def test_share_and_code(book, lab):
    text = ask(book, "lab.share()")
    button(lab, "Share").click()
    expect(lab.get_by_role("textbox", name="Copy this string")).to_have_value(text)
    button(lab, "Code").click()
    expect(lab.get_by_role("textbox", name="The program")).to_have_value(re.compile("gan_steps"))
    button(lab, "Close").click()


def test_two_views_and_two_themes_and_axe(book, lab):
    book.run(1)
    second = book.widget(1)
    expect(second.locator(".dlc-counter")).to_have_text("step 8")
    button(second, "Step D").click()
    expect(lab.locator(".gl-next")).to_contain_text("So far D 5, G 4")
    button(lab, "Collapse").click()
    book.until("lab.engine.chosen == 'collapse'")
    canvas = lab.locator(".gl-arena")
    book.theme("JupyterLab Light")  # whatever the tests before have left
    book.settle(4)
    light = pixels(canvas)
    assert axe(book) == []
    book.screenshot("gan-lab-light")
    book.theme("JupyterLab Dark")
    expect(lab).to_have_class(re.compile("dlc-dark"))
    book.settle(4)
    assert pixels(canvas) != light
    assert axe(book) == []
    book.screenshot("gan-lab-dark")
    book.theme("JupyterLab Light")
    expect(lab).not_to_have_class(re.compile("dlc-dark"))


def test_every_canvas_says_what_it_shows(book, lab):
    labels = lab.locator("canvas").evaluate_all("all => all.map(el => el.getAttribute('aria-label'))")
    assert len(labels) == 4
    assert "Step 8: 4 updates of D, 4 of G" in labels[0]
    assert all("At step 8: " in label for label in labels[1:])


def test_less_motion_and_forced_colours(book, lab):
    book.page.emulate_media(reduced_motion="reduce", forced_colors="active")
    try:
        lab.get_by_role("button", name="Play").click()
        book.until("lab.engine.run.at > 8", seconds=10)
        lab.get_by_role("button", name="Pause").click()
        book.until("not lab.playing")
        assert lab.locator(".gl-arena").evaluate("el => getComputedStyle(el).forcedColorAdjust") == "none"
    finally:
        book.page.emulate_media(reduced_motion="null", forced_colors="null")


def test_own_points_in_a_picture_of_their_size(book, lab):
    book.run(2)
    root = book.widget(2)
    expect(root.get_by_role("combobox", name="Target")).to_be_hidden()
    expect(button(root, "Pen")).to_be_disabled()
    expect(button(root, "Step D")).to_be_hidden()
    button(root, "Step").click()
    book.until("own.engine.run.at == 1")
    assert axe(book) == []


def test_narrow_it_is_one_column(book, lab):
    book.page.set_viewport_size({"width": 560, "height": 900})
    book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    book.settle(4)
    middle, left = lab.locator(".gl-middle").bounding_box(), lab.locator(".gl-left").bounding_box()
    assert left["y"] >= middle["y"] + middle["height"]
    assert lab.evaluate("el => el.scrollWidth <= el.clientWidth + 1")
    assert axe(book) == []
    book.screenshot("gan-lab-narrow")
