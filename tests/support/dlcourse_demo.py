"""The smallest widget: the counting square of `dlcourse_demo_engine`, shown. For tests."""

from pathlib import Path

from dlcourse_demo_engine import DemoEngine

from dlcourse import plot
from dlcourse.plot.show import render
from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles


def picture(engine):
    fig, ax = plot.figure(width=2, height=2)
    ax.imshow(engine.snapshot().arrays["field"])
    return render(fig, alt="A square with one place that differs from the others.", caption=engine.describe())


HERE = Path(__file__).parent


class Demo(BaseWidget):
    engine_class = DemoEngine
    picture = picture
    title = "Demo"
    parts = ("square",)
    _esm, _css = bundle(HERE / "dlcourse_demo.js"), styles()
