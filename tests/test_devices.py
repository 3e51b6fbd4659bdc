import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mot_reid import devices
from mot_reid.devices import resolve_device


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Linux machine without an accelerator; returns what stands for ``/dev``."""

    def no_library(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices.ctypes, "CDLL", no_library)
    monkeypatch.setattr(devices, "Path", lambda path: tmp_path)
    (tmp_path / "tty").touch()
    return tmp_path


def test_auto_is_what_torch_says() -> None:
    best = "mps" if torch.backends.mps.is_available() else "cpu"
    assert resolve_device("auto") == ("cuda:0" if torch.cuda.is_available() else best)


@pytest.mark.parametrize("name", ["nvidiactl", "nvidia0", "dxg", "nvmap", "nvhost-ctrl", "nvgpu", "kfd"])
def test_torch_is_asked_where_there_may_be_an_accelerator(
    no_accelerator: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cpu"  # not asked
    (no_accelerator / name).touch()
    assert resolve_device("auto") == "cuda:0"


def test_torch_is_asked_where_the_driver_is(no_accelerator: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == "cpu"
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: {"libcuda.so.1": None}[name])
    assert resolve_device("auto") == "mps"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_torch_is_always_asked(
    no_accelerator: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(devices.sys, "platform", platform)
    assert resolve_device("auto") == "mps"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_unknown_devices_are_named(device: str) -> None:
    with pytest.raises(ValueError, match=f"device '{device}' is not known; known: auto, cpu, mps, cuda"):
        resolve_device(device)


def test_a_number_is_told_to_be_one_of_cudas() -> None:
    with pytest.raises(ValueError, match=r"device '0' is not known; .*; here it is cuda:0$"):
        resolve_device("0")


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="device 'cuda:99' cannot be used here: "):
        resolve_device("cuda:99")


@pytest.mark.skipif(devices._accelerator_possible(), reason="here torch must be asked")
def test_a_start_on_a_cpu_does_without_torch() -> None:
    code = "import sys; from mot_reid import Tracker; Tracker().load(); print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_torchs_reason_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise NotImplementedError("Could not run it: " + "a backend, " * 200)

    monkeypatch.setattr(torch, "empty", refused)
    with pytest.raises(ValueError, match="device 'mps' cannot be used here: Could not run it") as told:
        resolve_device("mps")
    assert len(str(told.value)) < 300
