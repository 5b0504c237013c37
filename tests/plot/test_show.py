"""An image with alt text, however odd the text."""

import io
from html.parser import HTMLParser

import pytest
from PIL import Image

from dlcourse import plot
from dlcourse.plot.show import Picture, render

ALT = 'A line rises from 0 to 4; its "slope" is < 2 & constant.'


class Page(HTMLParser):
    """The attributes of each tag, and all text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


@pytest.fixture
def fig():
    fig, ax = plot.figure()
    plot.curves(ax, range(5), {"a": range(5)})
    return fig


def test_the_alt_text_survives_html(fig):
    page = Page(render(fig, alt=ALT, caption="It <rises>.")._repr_html_())
    (image,) = [attributes for tag, attributes in page.tags if tag == "img"]
    assert image["alt"] == ALT
    assert image["src"].startswith("data:image/png;base64,")
    assert page.words == "It <rises>."
    assert [tag for tag, _ in page.tags] == ["figure", "img", "figcaption"]


def test_no_caption_no_element(fig):
    assert "figcaption" not in render(fig, alt=ALT)._repr_html_()


def test_the_plain_text_is_the_alt_text(fig, capsys):
    plot.show(fig, alt="A line rises\n    from zero to four.")
    assert capsys.readouterr().out == "A line rises from zero to four.\n"


@pytest.mark.parametrize("alt", ["", "   ", "a plot", "x" * 19, " " * 40 + "y"])
def test_an_empty_or_short_alt_is_refused(fig, alt):
    with pytest.raises(ValueError, match=r"wants at least 20.*Loss falls"):
        plot.show(fig, alt=alt)


def test_alt_is_required(fig):
    with pytest.raises(TypeError):
        plot.show(fig)


def test_a_pyplot_figure_is_closed():
    import matplotlib.pyplot as plt

    fig = plt.figure()
    plot.show(fig, alt=ALT)
    assert not plt.fignum_exists(fig.number)


def test_the_png_is_light_sharp_and_small(fig):
    picture = render(fig, alt=ALT)
    assert isinstance(picture, Picture)
    image = Image.open(io.BytesIO(picture.png))
    assert image.width == pytest.approx(1.5 * picture.width, abs=2)
    assert min(image.convert("RGB").getpixel((0, 0))) > 240, "an opaque light panel, also in a dark theme"
    assert image.convert("RGBA").getchannel("A").getextrema() == (255, 255)
    assert len(picture.png) < 120_000


def test_the_same_figure_gives_the_same_bytes(fig):
    assert render(fig, alt=ALT).png == render(fig, alt=ALT).png
