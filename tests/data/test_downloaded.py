"""Sets to download: their formats on small files made here, then the real files where there are any."""

import gzip
import io
import struct
import tarfile
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse import data
from dlcourse.data import catalogue, download, downloaded, speech
from dlcourse.data.catalogue import SOURCES, idx_header
from dlcourse.data.download import Damaged

DOWNLOADS = [name for name, source in SOURCES.items() if source.files]


def test_the_sources_are_complete():
    assert DOWNLOADS == ["mnist", "fashion_mnist", "tiny_shakespeare", "names", "spoken_digits"]
    files = [file for source in SOURCES.values() for file in source.files]
    assert len({file.path for file in files}) == len(files)
    for file in files:
        assert len(file.urls) >= 2
        assert all(url.startswith(("https://", "http://fashion-mnist.s3-website")) for url in file.urls)
        assert (file.sha256 is None) == file.path.startswith("fashion_mnist/")
        assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16))
        assert file.size or file.digest is speech.digest


# IDX


def test_an_idx_header_is_what_the_format_says():
    assert idx_header(60_000, 28, 28) == bytes.fromhex("00000803 0000ea60 0000001c 0000001c")


def test_idx_gives_the_array_in_order():
    content = idx_header(2, 3) + bytes([1, 2, 3, 4, 5, 255])
    for shape in [(2, 3), (-1, 3), (-1, -1)]:
        array = downloaded.idx(content, *shape)
        assert array.dtype == torch.uint8
        assert array.tolist() == [[1, 2, 3], [4, 5, 255]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an IDX file"),
        (b"<html>", "not an IDX file"),
        (idx_header(6) + bytes(6), "with 2 dimensions: it begins with 0000080100000006.*, wanted 00000802"),
        (struct.pack(">HBBII", 0, 0x0D, 2, 2, 3) + bytes(24), "not an IDX file of unsigned bytes"),
        (idx_header(2, 3)[:-1], "not an IDX file"),
        (idx_header(3, 2) + bytes(6), r"of shape \(3, 2\), wanted \(2, 3\)"),
        (idx_header(2, 3) + bytes(5), "with 5 bytes of data"),
        (idx_header(2, 3) + bytes(7), "with 7 bytes of data"),
    ],
)
def test_idx_refuses_anything_else(content, reason):
    with pytest.raises(ValueError, match=reason):
        downloaded.idx(content, 2, 3)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLCOURSE_DATA_MIRROR", (tmp_path / "mirror").as_uri())
    return tmp_path / "mirror"


def put(mirror: Path, path: str, content: bytes) -> None:
    (mirror / path).parent.mkdir(parents=True, exist_ok=True)
    (mirror / path).write_bytes(gzip.compress(content, compresslevel=1))


def test_fashion_mnist_from_files_of_its_form(mirror):
    for part, n in (("train", 60_000), ("t10k", 10_000)):
        labels = (np.arange(n) % 10).astype(np.uint8)  # 0 to 9 in turn
        pixels = np.repeat((np.arange(n) % 251).astype(np.uint8), 28 * 28)  # each image is filled with its number
        put(mirror, f"fashion_mnist/{part}-labels-idx1-ubyte.gz", idx_header(n) + labels.tobytes())
        put(mirror, f"fashion_mnist/{part}-images-idx3-ubyte.gz", idx_header(n, 28, 28) + pixels.tobytes())
    train = data.load("fashion_mnist")
    assert train.x.shape == (10_000, 1, 28, 28)
    assert train.y.bincount().tolist() == [1_000] * 10
    assert (train.x.dtype, train.x.max().item()) == (torch.float32, pytest.approx(250 / 255))
    assert torch.equal(train.x[:, 0, 27, 0].mul(255).round().long(), torch.arange(10_000, device="cpu") % 251)
    assert torch.equal(train.y, torch.arange(10_000, device="cpu") % 10)
    assert train.classes[9] == "ankle boot"
    assert data.load("fashion_mnist", split="test").x.shape == (2_000, 1, 28, 28)
    assert data.load("fashion_mnist", split="test", scale="full").x.shape == (10_000, 1, 28, 28)


@pytest.mark.parametrize("damage", ["labels for images", "too short", "another header"])
def test_fashion_mnist_without_hashes_still_has_its_form_checked(damage):
    first = SOURCES["fashion_mnist"].files[0]
    content = {
        "labels for images": idx_header(60_000) + bytes(60_000),
        "too short": idx_header(60_000, 28, 28) + bytes(784 * 59_999),
        "another header": idx_header(60_000, 14, 56) + bytes(784 * 60_000),
    }[damage]
    with pytest.raises(Damaged, match=r"wrong length|begins with"):
        download.unpack(first, gzip.compress(content, compresslevel=1))


# Wav and the archive


def wav(samples: list[int], *, channels: int = 1, width: int = 2, rate: int = 8_000) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(np.array(samples, dtype="<i2").tobytes())
    return buffer.getvalue()


def test_a_waveform_is_amplitudes_between_minus_1_and_1():
    signal = downloaded.waveform(wav([0, 16_384, -32_768, 32_767]), rate=8_000)
    assert signal.dtype == torch.float32
    assert signal.tolist() == [0.0, 0.5, -1.0, 32_767 / 32_768]


@pytest.mark.parametrize("form", [{"channels": 2}, {"width": 1}, {"rate": 16_000}])
def test_a_wav_of_another_form_is_refused(form):
    with pytest.raises(ValueError, match=r"a wav file with .* wanted \(1, 2, 8000\)"):
        downloaded.waveform(wav([0, 0], **form), rate=8_000)


def archive(members: dict[str, bytes], *, mtime: int = 0) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), mtime
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


MEMBERS = {
    f"digits-1.0/recordings/{d}_{s}_{i}.wav": wav([d, i]) for d in (0, 7) for s in ("ann", "bo") for i in range(7)
}


def test_the_archive_s_hash_is_of_the_recordings_only():
    known = speech.digest(archive(MEMBERS))
    packed_again = {"other/README.md": b"hello"} | {
        name.replace("digits-1.0", "other"): content for name, content in reversed(MEMBERS.items())
    }
    assert speech.digest(archive(packed_again, mtime=9)) == known
    first, second, *rest = MEMBERS.items()
    changed = [
        dict([(first[0], second[1]), (second[0], first[1]), *rest]),  # two recordings swapped
        dict([second, *rest]),  # one missing
        dict([(first[0], first[1][:-1] + b"\x01"), second, *rest]),
    ]
    assert known not in [speech.digest(archive(members)) for members in changed]


def test_nothing_in_an_archive_reaches_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = {"../recordings/0_ann_0.wav": b"up", str(tmp_path / "recordings/1_ann_0.wav"): b"absolute"}
    assert list(speech.recordings(archive(hostile))) == ["0_ann_0.wav", "1_ann_0.wav"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_archive_is_damaged():
    with pytest.raises(Damaged, match="not a sound tar archive"):
        speech.digest(b"no tar" * 1_000)


def test_spoken_digits_from_an_archive_of_their_form(mirror, monkeypatch):
    content = archive(MEMBERS)
    known = catalogue.File("speech/small.tar.gz", (), 1, sha256=speech.digest(content), digest=speech.digest)
    entry = catalogue.Source("a few", "made here", "none", (known,))
    monkeypatch.setitem(SOURCES, "spoken_digits", entry)
    put(mirror, "speech/small.tar.gz", content)
    train, test, everything = (data.load("spoken_digits", split=split) for split in ("train", "test", "all"))
    assert [len(part.waves) for part in (train, test, everything)] == [8, 20, 28]
    assert train.y.tolist() == [0, 0, 0, 0, 7, 7, 7, 7]
    assert train.speakers == ("ann", "ann", "bo", "bo") * 2
    assert [round(signal[1].item() * 2**15) for signal in train.waves] == [5, 6] * 4


def test_an_archive_that_lacks_a_recording_is_refused():
    wanted = catalogue.File("small.tar.gz", (), 1, sha256=speech.digest(archive(MEMBERS)), digest=speech.digest)
    lacking = archive(dict(list(MEMBERS.items())[1:]))
    with pytest.raises(Damaged, match="wrong content"):
        download.unpack(wanted, gzip.compress(lacking))


# The real files


@pytest.fixture
def real(real_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLCOURSE_DATA_MIRROR", real_files.as_uri())
    return real_files


def test_real_files_arrive_in_the_cache_with_the_right_hashes(real, cache):
    for name in ("mnist", "tiny_shakespeare", "names", "spoken_digits"):
        assert data.fetch(name, progress=False)
        assert next(row for row in data.info() if row.name == name).present
        for file in SOURCES[name].files:
            assert (cache / file.path).read_bytes() == (real / file.path).read_bytes()


def test_real_files_serve_as_the_shared_folder(real_files, cache, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", str(real_files))
    assert len(data.load("names", split="all").names) == 32_033
    assert not cache.exists()


def test_real_mnist(real):
    train, test = data.load("mnist"), data.load("mnist", split="test")
    assert (train.x.shape, test.x.shape) == ((10_000, 1, 28, 28), (2_000, 1, 28, 28))
    assert train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]  # as everybody's MNIST begins
    assert (train.x.min(), train.x.max()) == (0, 1)
    centres = torch.stack([train.x[train.y == label].mean(dim=0).flatten() for label in range(10)])
    nearest = torch.cdist(test.x.flatten(1), centres).argmin(dim=1)
    assert (nearest == test.y).float().mean() > 0.75


def test_real_mnist_in_full(real, monkeypatch):
    monkeypatch.setenv("DLCOURSE_SCALE", "full")
    everything = data.load("mnist", split="all")
    assert everything.x.shape == (70_000, 1, 28, 28)
    # Counts by class as published with the set, training and test part together.
    assert everything.y.bincount().tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]


def test_real_texts(real):
    small, full = data.load("tiny_shakespeare"), data.load("tiny_shakespeare", scale="full")
    assert small.text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.")
    assert (len(small.text), len(full.text)) == (200_000, 892_315)
    assert full.text.startswith(small.text)
    test = data.load("tiny_shakespeare", split="test", scale="full")
    assert len(data.load("tiny_shakespeare", split="test").text) == 50_000
    everything = data.load("tiny_shakespeare", split="all", scale="full")
    assert everything.text == full.text + test.text
    assert len(set(everything.text)) == 65


def test_real_names(real):
    train, test = data.load("names"), data.load("names", split="test")
    assert train.names[:3] == ("emma", "olivia", "ava")
    assert not set(train.names) & set(test.names)
    assert len(train.names) + len(test.names) == 32_033
    assert 0.18 < len(test.names) / 32_033 < 0.22


def test_real_spoken_digits(real):
    train, test = data.load("spoken_digits"), data.load("spoken_digits", split="test")
    assert train.y.bincount().tolist() == [60] * 10
    assert test.y.bincount().tolist() == [30] * 10
    assert len(set(train.speakers)) == 6
    lengths = torch.tensor([len(signal) for signal in train.waves]) / train.rate
    assert 0.2 < lengths.median() < 0.6  # seconds
    assert all(signal.abs().max() <= 1 for signal in train.waves)


@pytest.mark.network
@pytest.mark.parametrize("name", DOWNLOADS)
def test_the_public_mirrors_still_serve_each_file(name):
    for file in SOURCES[name].files:
        for url in file.urls:
            download.unpack(file, download.download(url, file, progress=False))


@pytest.mark.network
def test_public_fashion_mnist_looks_like_clothes():
    clothes = data.load("fashion_mnist", split="all", scale="full")
    assert clothes.y.bincount().tolist() == [7_000] * 10
    trousers, bags = (clothes.x[clothes.y == clothes.classes.index(name)].mean(dim=0) for name in ("trouser", "bag"))
    assert bags.mean() > trousers.mean()  # MNIST in its place would fail on the counts
