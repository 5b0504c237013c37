"""The doctor: every fault it can name, played."""

import builtins
import json
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from dlcourse.course import doctor
from dlcourse.course.grading.jail import sandbox as jail
from dlcourse.course.needs import needs


def test_this_machine_is_fit_for_the_course():
    looked_at = doctor.rows()
    assert [row for row in looked_at if row.verdict == "fault"] == []
    assert [row.name for row in looked_at] == [
        *("Python", "torch", "device", "cores", "memory", "disk", "JupyterLab", "widgets", "widgets", "kernel"),
        *("data cache", "sandbox"),
    ]
    assert all(bool(row.advice) == (row.verdict != "ok") for row in looked_at)


def test_one_line_when_all_is_well(monkeypatch, capsys):
    fine = [doctor.Row(name, "ok", name) for name in ("torch", "device", "cores", "memory")]
    monkeypatch.setattr(doctor, "_for_learners", lambda: fine)
    assert doctor.line() is None
    assert capsys.readouterr().out == "All is well: torch on device, cores, memory.\n"
    monkeypatch.setattr(doctor, "_for_learners", lambda: [*fine, doctor.Row("disk", "warning", "0 GB", "Make room")])
    doctor.line()
    assert capsys.readouterr().out == "warning: disk: 0 GB. Make room.\n"


def test_torch_that_cannot_be_imported(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "torch":
            raise OSError("libtorch.so: cannot open shared object file")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    (row,) = doctor._torch()
    assert row.verdict == "fault"
    assert "libtorch.so" in row.found
    assert "--torch-backend=cpu" in row.advice


def test_an_accelerator_build_without_the_accelerator(monkeypatch):
    import torch

    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("meta"))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    row = doctor._torch()[0]
    assert row.verdict == "warning"
    assert "built for meta" in row.found
    assert "conda-forge's pytorch-cpu" in row.advice
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    assert doctor._torch()[0].verdict == "ok"


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setenv("DLCOURSE_DEVICE", "abacus")
    row = doctor._torch()[1]
    assert (row.name, row.verdict) == ("device", "fault")
    assert "abacus" in row.found
    monkeypatch.setenv("DLCOURSE_DEVICE", "cpu")
    assert doctor._torch()[1].found == "cpu, chosen by DLCOURSE_DEVICE"


def test_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr("dlcourse.device.cpu_budget", lambda: 1)
    assert doctor._cores().found == "1 core of the machine's 64 (by affinity or a quota)"
    monkeypatch.setattr("dlcourse.device.cpu_budget", lambda: 64)
    assert doctor._cores().found == "64 cores"


@pytest.mark.parametrize(
    ("total", "free", "limit", "verdict"),
    [
        *((16, 8, None, "ok"), (16, 1, None, "warning"), (0.9, 0.5, None, "fault")),
        *((16, 8, 0.5, "fault"), (16, 8, 4, "ok"), (16, 1.8, 2, "ok"), (16, 0.8, 2, "warning")),
    ],
)
def test_memory(monkeypatch, total, free, limit, verdict):
    monkeypatch.setattr("dlcourse.device.machine_memory", lambda: total * 1e9)
    monkeypatch.setattr("dlcourse.device.memory_limit", lambda: (limit or total) * 1e9)
    monkeypatch.setattr("dlcourse.device.memory_budget", lambda: free * 1e9)
    row = doctor._memory()
    assert row.verdict == verdict
    assert ("a limit" in row.found) == (limit is not None)
    assert row.found.startswith(f"{min(free, limit or total):.1f} of {limit or total:.1f} GB of memory free")
    assert bool(row.advice) == (verdict != "ok")


def test_memory_is_short_when_the_largest_chapter_does_not_fit(monkeypatch):
    largest = max(needs().values())
    for limit, verdict in ((largest - 1e6, "fault"), (largest + 1e6, "ok")):
        monkeypatch.setattr("dlcourse.device.memory_limit", lambda limit=limit: limit)
        assert doctor._memory().verdict == verdict
        assert (f"up to {largest / 1e9:.1f} GB" in doctor._memory().advice) == (verdict == "fault")


@pytest.mark.parametrize(("free", "verdict"), [(5e9, "ok"), (5e8, "warning"), (5e6, "fault")])
def test_disk(monkeypatch, free, verdict):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "free")(free))
    assert doctor._disk().verdict == verdict


def test_jupyterlab_missing_or_old(monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert doctor._jupyterlab().found == "not installed"
    monkeypatch.setattr(metadata, "version", lambda _: "3.6.1")
    assert doctor._jupyterlab().verdict == "fault"


def test_widget_extensions_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(tmp_path)])
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert [row.verdict for row in doctor._extensions()] == ["fault", "fault"]
    package = tmp_path / "anywidget/package.json"
    package.parent.mkdir()
    package.write_text("{}")
    assert [row.verdict for row in doctor._extensions()] == ["fault", "ok"]


def test_a_kernel_of_another_python(monkeypatch, tmp_path):
    def kernel(program):
        spec = tmp_path / "kernels/python3/kernel.json"
        spec.parent.mkdir(parents=True, exist_ok=True)
        spec.write_text(json.dumps({"argv": [program], "display_name": "x", "language": "python"}))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        return doctor._kernel()

    assert kernel(sys.executable).verdict == kernel("python").verdict == "ok"
    (tmp_path / "bin").mkdir()
    for other in (tmp_path / "bin/python", Path("/nowhere/python")):
        row = kernel(str(other))
        assert row.verdict == "warning"
        assert str(other) in row.found


def test_the_data_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("DLCOURSE_DATA", raising=False)
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    assert doctor._cache().verdict == "ok"
    assert not (tmp_path / "cache").exists()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/x").write_bytes(bytes(3_000_000))
    assert doctor._cache().found.startswith("3 MB in")
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path / "nowhere"))
    assert "which is no folder" in doctor._cache().found
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache/x"))
    assert doctor._cache().verdict == "warning"
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "not writable" in doctor._cache().found


def test_a_sandbox_that_holds(monkeypatch):
    held = jail.Sandbox("landlock", (("fork", True, "refused"), ("read_a_file", True, "refused")), 12.3)
    monkeypatch.setattr(jail, "probe", lambda: held)
    row = doctor.rows()[-1]
    assert row == doctor.Row("sandbox", "ok", "landlock: held in 2 trials, costs 12 ms a process")


def test_no_sandbox_is_no_matter_to_learners(monkeypatch, capsys):
    def refuse():
        raise jail.NoSandbox("namespaces: refused\nlandlock: no such call")

    monkeypatch.setattr(jail, "probe", refuse)
    row = doctor.rows()[-1]
    assert (row.name, row.verdict) == ("sandbox", "warning")
    assert row.found == "none holds here: namespaces: refused; landlock: no such call"
    assert "Learners do not need it" in row.advice
    doctor.line()
    assert "sandbox" not in capsys.readouterr().out
