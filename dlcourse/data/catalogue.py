"""Which sets there are and, for those to download, which files they are made of. Facts only: nothing here needs torch.

SHA-256 values are of the decompressed content and were computed from real copies. Where no copy could be had to check
one against, there is none and the set counts as unverified: length and header are still checked, but another set of the
same shape would pass.
"""

import math
import struct
from dataclasses import dataclass

from dlcourse.data import speech
from dlcourse.data.download import File, at_hand, read


@dataclass(frozen=True)
class Source:
    what: str
    origin: str  # one line: who made it and where it is published
    licence: str
    files: tuple[File, ...] = ()  # none: installed together with the course


@dataclass(frozen=True)
class Info:
    """One row of `dlcourse data list`."""

    name: str
    kind: str  # "bundled", "download" or "generator"
    what: str
    size: int  # bytes to download, about; 0 when there is nothing to download
    present: bool  # usable with no network: installed, in the shared folder or in the cache
    licence: str
    verified: bool  # each file has a SHA-256 that was computed from a real copy


def names() -> tuple[str, ...]:
    """The names `load` knows.

    >>> names()[:3]
    ('digits', 'breast_cancer', 'iris')
    """
    return tuple(SOURCES)


def source(name: str) -> Source:
    """The catalogue's entry; raises ValueError, listing the known names, for any other."""
    if name not in SOURCES:
        raise ValueError(f"no data set is called {name!r}; there are {', '.join(SOURCES)}")
    return SOURCES[name]


def fetch(name: str, *, progress: bool = True) -> bool:
    """Brings a set's files to this machine, so that later loads need no network; checks each byte if they are here.

    Returns False for a set that is installed already, which has nothing to fetch. Errors as for `load`.
    """
    files = source(name).files
    for file in files:
        read(file, progress=progress)
    return bool(files)


def info() -> tuple[Info, ...]:
    """What there is: sets by name, then the generators. `present` looks whether files are there, not into them."""
    rows = [
        Info(
            name,
            kind="download" if entry.files else "bundled",
            what=entry.what,
            size=sum(file.download for file in entry.files),
            present=all(at_hand(file) for file in entry.files),
            licence=entry.licence,
            verified=all(file.sha256 for file in entry.files),
        )
        for name, entry in SOURCES.items()
    ]
    rows += [Info(name, "generator", what, 0, True, "MIT", True) for name, what in GENERATORS.items()]
    return tuple(rows)


def idx_header(*shape: int) -> bytes:
    """How an IDX file of unsigned bytes begins: 0, 0, type 8, number of dimensions, then each as a big-endian int32."""
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)


def _idx(path: str, mirrors: tuple[str, ...], shape: tuple[int, ...], download: int, sha256: str | None = None) -> File:
    start = idx_header(*shape)
    urls = tuple(mirror + path.split("/")[-1] for mirror in mirrors)
    return File(path, urls, download, len(start) + math.prod(shape), start, sha256)


_MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
_TRAIN_IMAGES = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
_TRAIN_LABELS = "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
_TEST_IMAGES = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
_TEST_LABELS = "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
_FASHION = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_SHAKESPEARE = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
    "https://cdn.jsdelivr.net/gh/karpathy/char-rnn@master/data/tinyshakespeare/input.txt",
)
_NAMES = (
    "https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",
    "https://cdn.jsdelivr.net/gh/karpathy/makemore@master/names.txt",
)
_SPEECH = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz",
    "https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/tar.gz/refs/tags/v1.0.10",
)

SOURCES = {
    "digits": Source(
        "1,797 handwritten digits, 8 x 8, 10 classes",
        "Alpaydin and Kaynak 1998, UCI Optical Recognition of Handwritten Digits (its test part), in scikit-learn",
        "CC BY 4.0",
    ),
    "breast_cancer": Source(
        "569 tumours, 30 measurements, malignant or benign",
        "Wolberg, Mangasarian, Street and Street 1993, UCI Breast Cancer Wisconsin (Diagnostic), in scikit-learn",
        "CC BY 4.0",
    ),
    "iris": Source(
        "150 flowers, 4 measurements, 3 species",
        "Fisher 1936, UCI Iris, in scikit-learn",
        "CC BY 4.0",
    ),
    "wine": Source(
        "178 wines, 13 measurements, 3 growers",
        "Aeberhard and Forina 1992, UCI Wine, in scikit-learn",
        "CC BY 4.0",
    ),
    "china": Source(
        "one colour photograph of a temple, 427 x 640",
        "danielbuechele on Flickr (photo 6061409035), in scikit-learn",
        "CC BY 2.0",
    ),
    "flower": Source(
        "one colour photograph of a dahlia, 427 x 640",
        "vultilion on Flickr (photo 6056698931), in scikit-learn",
        "CC BY 2.0",
    ),
    "sunspots": Source(
        "309 years of sunspots, 1700 to 2008, a number for each",
        "the international sunspot number (version 1), published by NOAA's National Geophysical Data Center",
        "public domain",
    ),
    "co2": Source(
        "44 years of carbon dioxide in the air over Mauna Loa, 1958 to 2001, a number for each month",
        "Keeling and Whorf 2004, weekly means (CDIAC, Oak Ridge); here means of months, 5 empty ones filled by a line",
        "public domain",
    ),
    "topics": Source(
        "English and code, about 465,000 characters; differs between Python versions",
        "the help topics of Python's language reference (pydoc_data.topics), in Python's standard library",
        "PSF-2.0",
    ),
    "mnist": Source(
        "70,000 handwritten digits, 28 x 28, 10 classes",
        "LeCun, Cortes and Burges 1998, the MNIST database of handwritten digits",
        "CC BY-SA 3.0",
        (
            _idx("mnist/train-images-idx3-ubyte.gz", _MNIST, (60_000, 28, 28), 9_912_422, _TRAIN_IMAGES),
            _idx("mnist/train-labels-idx1-ubyte.gz", _MNIST, (60_000,), 28_881, _TRAIN_LABELS),
            _idx("mnist/t10k-images-idx3-ubyte.gz", _MNIST, (10_000, 28, 28), 1_648_877, _TEST_IMAGES),
            _idx("mnist/t10k-labels-idx1-ubyte.gz", _MNIST, (10_000,), 4_542, _TEST_LABELS),
        ),
    ),
    "fashion_mnist": Source(
        "70,000 pictures of clothes, 28 x 28, 10 classes",
        "Xiao, Rasul and Vollgraf 2017 (arXiv:1708.07747), Zalando Research",
        "MIT",
        (
            _idx("fashion_mnist/train-images-idx3-ubyte.gz", _FASHION, (60_000, 28, 28), 26_421_880),
            _idx("fashion_mnist/train-labels-idx1-ubyte.gz", _FASHION, (60_000,), 29_515),
            _idx("fashion_mnist/t10k-images-idx3-ubyte.gz", _FASHION, (10_000, 28, 28), 4_422_102),
            _idx("fashion_mnist/t10k-labels-idx1-ubyte.gz", _FASHION, (10_000,), 5_148),
        ),
    ),
    "tiny_shakespeare": Source(
        "1,115,394 characters of Shakespeare's plays",
        "Karpathy 2015, char-rnn, tinyshakespeare",
        "public domain, as published in char-rnn",
        (
            File(
                "text/tinyshakespeare.txt",
                _SHAKESPEARE,
                download=1_115_394,
                size=1_115_394,
                sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            ),
        ),
    ),
    "names": Source(
        "32,033 given names",
        "Karpathy 2022, makemore, names.txt, from the United States' Social Security records of 2018",
        "as published in makemore",
        (
            File(
                "text/names.txt",
                _NAMES,
                download=228_145,
                size=228_145,
                sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
            ),
        ),
    ),
    "spoken_digits": Source(
        "3,000 recordings of spoken digits, 6 speakers, 8 kHz",
        "Jackson and others 2018, Free Spoken Digit Dataset, version 1.0.10",
        "CC BY-SA 4.0",
        (
            File(
                "speech/free-spoken-digit-dataset.tar.gz",
                _SPEECH,
                download=15_600_000,
                sha256="e0fb762c9bab2821a71965f6a9ac29ac25698541430c8a8b7c54ea3e49cc7afe",
                digest=speech.digest,
            ),
        ),
    ),
}

GENERATORS = {
    "moons": "two interleaved half circles",
    "circles": "one circle inside another",
    "spirals": "spiral arms, one for each class",
    "blobs": "Gaussian clouds on a ring",
    "eight_gaussians": "eight tight Gaussian clouds on a ring",
    "parity": "bits and whether their number of ones is odd",
    "copy_task": "symbols to repeat after a pause",
    "adding_problem": "long sequences with two marked numbers to add",
    "first_symbol": "long sequences of symbols of which the first has to be remembered",
}
