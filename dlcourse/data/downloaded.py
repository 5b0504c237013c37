"""Sets to download, from the files' bytes to tensors. What `small` leaves out is left out before it becomes float32."""

import io
import math
import struct
import wave
from collections.abc import Callable

import numpy as np
import torch

from dlcourse.data import parts, speech
from dlcourse.data.catalogue import idx_header, source
from dlcourse.data.download import read
from dlcourse.data.kinds import Dataset, Names, Recordings, Text
from dlcourse.types import Float, Shaped, Tensor

_DIGITS = tuple("0123456789")
_CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
_SMALL = {"train": 1_000, "test": 200}  # images of each class


def idx(content: bytes, *shape: int) -> Shaped[Tensor, "..."]:
    """The array in an IDX file of unsigned bytes; -1 in `shape` takes any extent.

    Raises ValueError for any other file or shape.
    """
    start = 4 + 4 * len(shape)
    magic = idx_header(*[0] * len(shape))[:4]
    if content[:4] != magic or len(content) < start:
        raise ValueError(
            f"not an IDX file of unsigned bytes with {len(shape)} dimensions: "
            f"it begins with {content[:start].hex() or 'nothing'}, wanted {magic.hex()} and {len(shape)} extents"
        )
    found = struct.unpack(f">{len(shape)}I", content[4:start])
    if any(want not in (-1, got) for want, got in zip(shape, found, strict=True)):
        raise ValueError(f"an IDX file of shape {found}, wanted {shape}")
    if len(content) - start != math.prod(found):
        raise ValueError(f"an IDX file of shape {found} with {len(content) - start:,} bytes of data")
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=start).reshape(found).copy())


def images(name: str, classes: tuple[str, ...], split: str, scale: str) -> Dataset:
    entry = source(name)
    pixels, labels = [], []
    for part, (image_file, label_file) in {"train": entry.files[:2], "test": entry.files[2:]}.items():
        if split in (part, "all"):
            x = idx(read(image_file, progress=True), -1, 28, 28)
            y = idx(read(label_file, progress=True), len(x)).long()
            if scale == "small":
                chosen = parts.first_of_each(y, _SMALL[part])
                x, y = x[chosen], y[chosen]
            pixels.append(x)
            labels.append(y)
    return Dataset(
        name=name,
        x=torch.cat(pixels).unsqueeze(1).float().div_(255),
        y=torch.cat(labels),
        classes=classes,
        features=(),
        units="brightness, from 0 (background) to 1",
        source=entry.origin,
        licence=entry.licence,
    )


def tiny_shakespeare(split: str, scale: str) -> Text:
    entry = source("tiny_shakespeare")
    whole = read(entry.files[0], progress=True).decode("ascii")
    pieces = {part: parts.of_text(whole, part) for part in ("train", "test")}
    if scale == "small":
        pieces = {"train": pieces["train"][:200_000], "test": pieces["test"][:50_000]}
    text = "".join(pieces.values()) if split == "all" else pieces[split]
    return Text("tiny_shakespeare", text, entry.origin, entry.licence)


def names(split: str, scale: str) -> Names:
    entry = source("names")
    lines = read(entry.files[0], progress=True).decode("ascii").split()
    return Names("names", parts.of_names(tuple(lines), split), entry.origin, entry.licence)


def spoken_digits(split: str, scale: str) -> Recordings:
    entry = source("spoken_digits")
    train = range(5, 15) if scale == "small" else range(5, 50)  # of each digit by each speaker
    wanted = {"train": train, "test": range(5), "all": [*range(5), *train]}[split]  # 0 to 4 test: the publisher's part
    waves, labels, speakers = [], [], []
    for name, content in speech.recordings(read(entry.files[0], progress=True)).items():
        _, digit, speaker, index = speech.RECORDING.search(f"recordings/{name}").groups()
        if int(index) in wanted:
            waves.append(waveform(content, rate=8_000))
            labels.append(int(digit))
            speakers.append(speaker)
    return Recordings(
        name="spoken_digits",
        waves=tuple(waves),
        y=torch.from_numpy(np.array(labels, dtype=np.int64)),
        speakers=tuple(speakers),
        classes=_DIGITS,
        rate=8_000,
        source=entry.origin,
        licence=entry.licence,
    )


def waveform(content: bytes, *, rate: int) -> Float[Tensor, " time"]:
    """The samples of a mono 16-bit wav file as amplitudes in [-1, 1); ValueError for any other kind of wav file."""
    with wave.open(io.BytesIO(content)) as recording:
        form = (recording.getnchannels(), recording.getsampwidth(), recording.getframerate())
        if form != (1, 2, rate):
            raise ValueError(f"a wav file with (channels, bytes a sample, rate) {form}, wanted {(1, 2, rate)}")
        frames = recording.readframes(recording.getnframes())
    return torch.from_numpy(np.frombuffer(frames, dtype="<i2").astype(np.float32) / 2**15)


LOADERS: dict[str, Callable[[str, str], Dataset | Text | Names | Recordings]] = {
    "mnist": lambda split, scale: images("mnist", _DIGITS, split, scale),
    "fashion_mnist": lambda split, scale: images("fashion_mnist", _CLOTHES, split, scale),
    "tiny_shakespeare": tiny_shakespeare,
    "names": names,
    "spoken_digits": spoken_digits,
}
