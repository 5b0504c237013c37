"""The saliency explorer in a real JupyterLab: maps that are picked, layers drawn anew, the curve, a drawing."""

import re

import pytest
from dlcourse_browser import axe, pixels
from playwright.sync_api import expect

CELLS = [
    """from dlcourse import use_threads
from dlcourse.widgets import SaliencyExplorer

use_threads(1)
w = SaliencyExplorer()
w""",
    """import torch
truth = torch.zeros(12, 12, dtype=torch.bool)
truth[:3, :3] = True
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 3), torch.nn.Tanh(), torch.nn.Linear(3, 3))
one = SaliencyExplorer(net, torch.rand(4, 1, 12, 12), torch.tensor([0, 1, 2, 0]), truth=truth,
                       classes=("cat", "dog", "a whole house"), hide=("partly", "seed"))
one""",
]

USUAL = "picked='integrated_gradients', target='label', baseline='paper', layers=0, seed=0, curve='deletion', gone=0.2"


@pytest.fixture
def explorer(book):
    book.theme("JupyterLab Light")
    book.eval_in_kernel(f"w.forget(); w.set({USUAL}); w.show(0)")
    root = book.widget(0)
    expect(root.locator(".sx-card")).to_have_count(9)
    expect(root.locator(".sx-title")).to_have_text("Integrated gradients")
    root.scroll_into_view_if_needed()
    book.page.mouse.move(5, 5)
    book.settle(3)
    return root


def card(root, title: str):
    return root.locator(".sx-card").filter(has=root.page.get_by_role("button", name=title, exact=True))


def lines(paragraph) -> int:
    return paragraph.evaluate("el => Math.round(el.clientHeight / parseFloat(getComputedStyle(el).lineHeight))")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_both_themes_are_accessible_and_looked_at(book, explorer, theme):
    book.theme(theme)
    try:
        book.eval_in_kernel("w.layers = 1")
        expect(card(explorer, "Saliency").locator(".sx-like").first).to_contain_text("Rank correlation")
        book.settle(4)
        assert axe(book) == []
        for canvas in explorer.locator("canvas").all():
            assert canvas.get_attribute("role") == "img"
            assert len(canvas.get_attribute("aria-label")) > 10
        name = f"saliency-explorer-{theme.split()[-1].lower()}"
        explorer.evaluate("el => el.scrollIntoView()")
        book.screenshot(name)
        explorer.locator(".sx-faith").evaluate("el => el.scrollIntoView({ block: 'end' })")
        book.screenshot(f"{name}-below")
    finally:
        book.theme("JupyterLab Light")


def test_it_fits_a_narrow_page(book, explorer):
    book.eval_in_kernel("w.layers = 1")
    expect(card(explorer, "Saliency").locator(".sx-like").first).to_contain_text("sizes")
    book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    book.page.set_viewport_size({"width": 640, "height": 900})
    try:
        book.settle(5)
        edge = explorer.bounding_box()
        for part in explorer.locator("canvas:visible, button:visible, input:visible, select:visible").all():
            box = part.bounding_box()
            assert box["x"] >= edge["x"]
            assert box["x"] + box["width"] <= edge["x"] + edge["width"] + 1
        assert {lines(like) for like in explorer.locator(".sx-like:visible").all()} <= {1, 2}
        for index, part in enumerate((".sx-top", ".sx-maps", ".sx-faith")):
            explorer.locator(part).evaluate("el => el.scrollIntoView()")
            book.screenshot(f"saliency-explorer-narrow-{index}")
    finally:
        book.page.set_viewport_size({"width": 1280, "height": 900})
        book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")


def test_forced_colours_keep_which_map_is_picked(book, explorer):
    book.page.emulate_media(forced_colors="active")
    try:
        book.settle(3)
        picked, other = (
            card(explorer, title).evaluate("el => getComputedStyle(el).outlineStyle")
            for title in ("Integrated gradients", "Saliency")
        )
        assert picked != other
        assert axe(book) == []
        book.screenshot("saliency-explorer-forced")
    finally:
        book.page.emulate_media(forced_colors="none")


def test_a_network_of_ones_own_with_truth_and_methods_that_do_not_apply(book, explorer):
    book.run(1)
    root = book.widget(1)
    expect(card(root, "Grad-CAM").locator(".sx-why")).to_contain_text("no convolution")
    book.eval_in_kernel("one.layers = 1")
    expect(card(root, "Saliency").locator(".sx-like").first).to_contain_text("signed")
    truth = card(root, "Saliency").locator(".sx-like").last
    expect(truth).to_contain_text("Truth: ")
    assert lines(truth) == 1
    expect(root.locator(".sx-draw")).to_be_hidden()
    expect(root.locator(".sx-partly")).to_be_hidden()
    card(root, "Grad-CAM").get_by_role("button").click()
    expect(root.locator(".sx-faith .sx-note").first).to_contain_text("Does not apply")
    book.settle(3)
    book.screenshot("saliency-explorer-own")
    expect(root.locator(".sx-answer")).to_contain_text(re.compile("cat|dog|house"))


def test_the_layers_slider_a_seed_and_a_click_on_a_map(book, explorer):
    first = [pixels(canvas) for canvas in explorer.locator(".sx-card > div > canvas").all()]
    slider = explorer.get_by_role("slider", name="Layers randomised")
    slider.focus()
    book.page.keyboard.press("ArrowRight")
    book.until("w.layers == 1")
    expect(slider).to_have_attribute("aria-valuetext", "1 of 3: linear")
    like = card(explorer, "Saliency").locator(".sx-like").first
    expect(like).to_have_text(re.compile(r"^Rank correlation \S+\ssigned, \S+\ssizes$"))
    expect(card(explorer, "Grad-CAM").locator(".sx-like").first).to_have_text(re.compile(r"^Rank correlation \S+$"))
    book.settle(3)
    drawn = [pixels(canvas) for canvas in explorer.locator(".sx-card > div > canvas").all()]
    assert all(one != other for one, other in zip(first, drawn, strict=True)), "every map is made anew"
    before = like.text_content()
    explorer.get_by_role("button", name="Draw anew").click()
    book.until("w.seed == 1")
    expect(like).not_to_have_text(before)
    card(explorer, "Occlusion").locator("canvas").first.click()
    book.until("w.picked == 'occlusion'")
    expect(explorer.locator(".sx-title")).to_have_text("Occlusion")
    expect(explorer.get_by_role("button", name="Occlusion", exact=True)).to_have_attribute("aria-pressed", "true")
    explorer.get_by_role("button", name="LRP-gamma", exact=True).press("Enter")
    expect(explorer.locator(".sx-title")).to_have_text("LRP-gamma")
    expect(explorer.locator(".sx-axioms dt")).to_have_count(3)
    for button in explorer.locator(".sx-card > button").all():
        assert button.evaluate("el => el.scrollWidth <= el.clientWidth"), button.text_content()


def test_the_curve_and_the_picture_on_its_way(book, explorer):
    curve, way = explorer.locator(".sx-curve canvas"), explorer.locator(".sx-partly canvas")
    before = pixels(curve), pixels(way)
    explorer.get_by_role("slider", name="Share").focus()
    book.page.keyboard.press("End")
    book.until("w.gone == 1")
    expect(explorer.locator(".sx-partly .sx-note")).to_contain_text("64 of 64 pixels show the baseline")
    book.settle(3)
    assert pixels(curve) != before[0]
    assert pixels(way) != before[1]
    explorer.get_by_role("combobox", name="Curve").select_option("insertion")
    expect(explorer.locator(".sx-curve h4")).to_have_text("Insertion: logit of 5")
    explorer.get_by_role("combobox", name="Target").select_option("3")
    explorer.get_by_role("combobox", name="Baseline").select_option("blurred")
    book.until("w.target == '3' and w.baseline == 'blurred'")
    expect(explorer.locator(".sx-curve h4")).to_have_text("Insertion: logit of 3")
    expect(explorer.locator(".sx-pair figcaption").last).to_have_text("Baseline: blurred")


def test_another_picture_and_a_drawing(book, explorer):
    picture = explorer.locator(".sx-pair canvas").first
    before = pixels(picture)
    explorer.get_by_role("button", name="The next picture").click()
    book.until("w.engine.pictures.index == 1")
    pad = explorer.locator(".dp-pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    book.drag(*[(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in ((0.5, 0.15), (0.5, 0.9))])
    book.until("w.engine.pictures.index is None and w.engine.pictures.pad.drawing.strokes[0].points[-1][1] > 0.88")
    expect(explorer.locator(".sx-images .sx-note")).to_contain_text("Now a drawing")
    first = explorer.get_by_role("combobox", name="Target").locator("option").first
    expect(first).to_contain_text("a drawing has no label")
    book.settle(3)
    assert pixels(picture) != before
    explorer.get_by_role("application", name="Drawing pad").focus()
    book.page.keyboard.press("Space")
    book.until("w.engine.pictures.pad.drawing.cells == {(3, 3)}")


def test_a_prediction(book, explorer):
    explorer.get_by_role("button", name="Predict: which map will change least?").click()
    question = explorer.get_by_role("group", name="Which of these maps changes least")
    expect(question.get_by_role("button")).to_have_count(5)
    expect(question.get_by_role("button").first).to_be_focused()
    question.get_by_role("button", name="Guided backprop").click()
    expect(explorer.locator(".sx-question")).to_contain_text("changes least. Signed rank correlations:")
    expect(explorer.get_by_role("button", name="Predict: which map will change least?")).to_be_focused()
    book.until("w.layers == 1")


def test_code_and_share(book, explorer):
    explorer.get_by_role("button", name="Code").click()
    code = explorer.locator(".dlc-panel textarea")
    expect(code).to_have_value(re.compile(r"attribution\.integrated_gradients\(model, x, target, baseline=baseline"))
    book.eval_in_kernel("w.set(picked='lrp', layers=2)")
    expect(code).to_have_value(re.compile(r"attribution\.lrp\((.|\n)*islice\(steps, 2, None\)"))
    explorer.get_by_role("button", name="Close", exact=True).click()
    text = book.eval_in_kernel(f"print(w.share()); w.set({USUAL})").strip()
    explorer.get_by_role("button", name="Share", exact=True).click()
    box = explorer.locator(".dlc-panel textarea")
    box.fill(text)
    explorer.get_by_role("button", name="Load").click()
    expect(explorer.locator(".sx-title")).to_have_text("LRP-gamma")
    book.until("w.layers == 2")
    explorer.get_by_role("button", name="Close", exact=True).click()
