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
    book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    book.page.set_viewport_size({"width": 640, "height": 900})
    try:
        book.settle(5)
        edge = explorer.bounding_box()
        for part in explorer.locator("canvas:visible, button:visible, input:visible, select:visible").all():
            box = part.bounding_box()
            assert box["x"] >= edge["x"]
            assert box["x"] + box["width"] <= edge["x"] + edge["width"] + 1
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
    expect(card(root, "Saliency").locator(".sx-like").last).to_contain_text("on the planted pixels")
    expect(root.locator(".sx-draw")).to_be_hidden()
    expect(root.locator(".sx-partly")).to_be_hidden()
    card(root, "Grad-CAM").get_by_role("button").click()
    expect(root.locator(".sx-faith .sx-note").first).to_contain_text("Does not apply")
    book.settle(3)
    book.screenshot("saliency-explorer-own")
    assert re.search("cat|dog|house", root.locator(".sx-answer").text_content())
    assert pixels(root.locator("canvas").first)
