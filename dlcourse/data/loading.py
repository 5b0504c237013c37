"""`load(name)`: a set by name, its training or test part, small or full.

The parts are fixed and drawn without any random number, so no seed can move an example from one part to the other and
loading disturbs no random state. Where the publishers name a test part, it is used; elsewhere every fifth example of
each class, in the order of the file, is for testing.
"""

import os
from dataclasses import replace

from dlcourse.data import bundled, downloaded, parts
from dlcourse.data.catalogue import source
from dlcourse.data.kinds import Dataset, Names, Recordings, Series, Text

SPLITS = ("train", "test", "all")
SCALES = ("small", "full")


def load(name: str, *, split: str = "train", scale: str | None = None) -> Dataset | Series | Text | Names | Recordings:
    """The set called `name` (`data.names()` lists them), on the CPU.

    split: "train", "test" or "all" (both). MNIST, Fashion-MNIST and the spoken digits come with their publishers' test
        part. Of the tables and of digits every fifth example of each class is for testing, of the names every fifth, of
        a text or a series the last fifth. A photograph has no parts to speak of: ask for "train" or "all".
    scale: None takes DLCOURSE_SCALE, or "small" where that is not set.

        set                   small (train / test)           full (train / test)
        mnist, fashion_mnist  10,000 / 2,000, equal classes  60,000 / 10,000
        tiny_shakespeare      first 200,000 / 50,000         892,315 / 223,079 characters
        spoken_digits         600 / 300                      2,700 / 300
        all others            one size: digits 1,442 / 355, breast_cancer 456 / 113, iris 120 / 30, wine 144 / 34,
                              sunspots 247 / 62, co2 420 / 106

    Images are float32 (batch, channel, height, width) in [0, 1]; tables are float32 (batch, features) in raw units.
    Sets that are not installed are downloaded once, with a progress bar.
    Errors: ValueError for an unknown name, split or scale; DataUnavailable when a download cannot be had or kept.

    >>> x, y = load("digits")
    >>> tuple(x.shape), tuple(y.shape)
    ((1442, 1, 8, 8), (1442,))
    """
    source(name)  # an unknown name is refused first, with the list of those there are
    if split not in SPLITS:
        raise ValueError(f"load({name!r}, split={split!r}): wanted one of {', '.join(SPLITS)}")
    where, chosen = ("scale", scale) if scale else ("DLCOURSE_SCALE", os.environ.get("DLCOURSE_SCALE") or "small")
    if chosen not in SCALES:
        raise ValueError(f"load({name!r}) with {where}={chosen!r}: wanted one of {', '.join(SCALES)}")
    if name in downloaded.LOADERS:
        return downloaded.LOADERS[name](split, chosen)
    whole = bundled.LOADERS[name]()
    if isinstance(whole, Text):
        return replace(whole, text=parts.of_text(whole.text, split))
    if isinstance(whole, Series):
        years, values = (parts.of_series(row, split) for row in whole)
        return replace(whole, years=years, values=values)
    if len(whole.y) == 1 and split == "test":
        raise ValueError(f'load({name!r}, split="test"): one photograph cannot be split; ask for "train" or "all"')
    if split == "all":
        return whole
    chosen_rows = parts.held_out(whole.y) == (split == "test")
    return replace(whole, x=whole.x[chosen_rows], y=whole.y[chosen_rows])
