"""Checkpoints that would run code are refused before any of it runs."""

import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mot_reid.pickles import TRUST, UntrustedError, require_data_only


class Calls:
    """Pickled, it is a call of anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class Own(nn.Module):
    """A layer that torch does not know."""


def run(marker: Path) -> Calls:
    return Calls(os.system, f"touch {marker}")


def layer_with(**state: Any) -> nn.Module:
    layer = nn.Linear(1, 1)
    layer.__dict__.update(state)
    return layer


def _ultralytics_model(marker: Path) -> Any:
    """A layer whose constructor evaluates a text of its configuration."""
    from ultralytics.nn.tasks import DetectionModel

    code = f"__import__('os').system('touch {marker}')"
    return Calls(DetectionModel, {"activation": code, "backbone": [], "head": [], "nc": 1})


EVIL: dict[str, Callable[[Path], Any]] = {
    "at the top": run,
    "below the model": lambda marker: {"model": run(marker)},
    "deep in a layer": lambda marker: {"model": nn.Sequential(layer_with(act=[{"a": (run(marker),)}]))},
    "as a key": lambda marker: {run(marker): 1},
    "eval": lambda marker: Calls(eval, f"__import__('os').system('touch {marker}')"),
    "an attribute of a module": lambda marker: Calls(getattr, Calls(__import__, "os"), "system"),
    "a layer that is called": lambda marker: {"model": _ultralytics_model(marker)},
    "a class kept as a hook": lambda marker: layer_with(_forward_hooks={0: nn.Linear}),
    "a function kept as a value": lambda marker: layer_with(forward=os.system),
    "a layer of somebody's own": lambda marker: {"model": Own()},
    "a download": lambda marker: Calls(torch.hub.load, "somebody/model", "net"),
}


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_would_run_code_is_refused(
    evil: Callable[[Path], Any], protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TRUST, raising=False)
    path, marker = tmp_path / "evil.pt", tmp_path / "RAN"
    torch.save(evil(marker), path, pickle_protocol=protocol)
    with pytest.raises(UntrustedError, match=r"evil\.pt: could run code .*--trust-weights"):
        require_data_only(path)
    assert not marker.exists()


def _archive(path: Path, content: bytes, name: str = "data.pkl") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"evil/{name}", content)
        archive.writestr("evil/version", b"3\n")
        archive.writestr("evil/byteorder", b"little")


def _stack_global(module: str, name: str, argument: str) -> bytes:
    """A call by the fourth protocol, whose names may have dots."""

    def text(word: str) -> bytes:
        return b"\x8c" + bytes([len(word)]) + word.encode()

    return b"\x80\x04" + text(module) + text(name) + b"\x93" + text(argument) + b"\x85R."


@pytest.mark.parametrize(
    "content",
    {
        "text": b"cos\nsystem\n(S'touch RAN'\ntR.",
        "an instance": b"(S'touch RAN'\nios\nsystem\n.",
        "an object": b"(cos\nsystem\nS'touch RAN'\no.",
        "new with arguments": b"\x80\x02ctorch.nn.modules.linear\nLinear\nK\x01K\x01\x86\x81.",
        "a layer called": b"\x80\x02ctorch.nn.modules.linear\nLinear\nK\x01K\x01\x86R.",
        "a path of names": _stack_global("torch.nn.modules.linear", "torch.os.system", "touch RAN"),
        "a module": _stack_global("torch.nn.modules", "module", "touch RAN"),
        "a method": _stack_global("torch.nn.modules.module", "Module.load_state_dict", "touch RAN"),
        "a function of Ultralytics": _stack_global("ultralytics.nn.tasks", "torch_safe_load", "x.pt"),
        "no end": b"\x80\x02}",
        "not a pickle": b"hello",
        "a memo that is not there": b"\x80\x02h\x05.",
        "an extension": b"\x80\x02\x82\x01.",
        "another codec": b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00ax\x03\x00\x00\x00zipt.",
        "a tensor of nothing known": b"\x80\x02X\x01\x00\x00\x00aQ.",
    }.values(),
)
def test_pickles_written_by_hand_are_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TRUST, raising=False)
    monkeypatch.chdir(tmp_path)
    _archive(tmp_path / "evil.pt", content)
    with pytest.raises(UntrustedError):
        require_data_only(tmp_path / "evil.pt")
    assert not (tmp_path / "RAN").exists()


def test_the_pickle_that_torch_reads_is_the_one_that_is_checked(tmp_path: Path) -> None:
    """A zip file can show one content to Python's reader and another one to torch's."""
    harmless, evil = tmp_path / "a.pt", tmp_path / "b.pt"
    _archive(harmless, pickle.dumps({"model": 1}, 2))
    _archive(evil, pickle.dumps(run(tmp_path / "RAN"), 2))
    both = tmp_path / "both.pt"
    for first, second in ((harmless, evil), (evil, harmless)):
        both.write_bytes(first.read_bytes() + second.read_bytes())
        try:
            require_data_only(both)
        except ValueError:
            continue
        assert torch.load(both, weights_only=False) == {"model": 1}
    twice = tmp_path / "twice.pt"
    contents = pickle.dumps(1, 2), pickle.dumps(run(tmp_path / "RAN"), 2)
    for order in (contents, contents[::-1]):
        with zipfile.ZipFile(twice, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are two members of a name
            for content in order:
                archive.writestr("evil/data.pkl", content)
            archive.writestr("evil/version", b"3\n")
        try:
            require_data_only(twice)
        except ValueError:
            continue
        torch.load(twice, weights_only=False)
    assert not (tmp_path / "RAN").exists()


def test_kinds_of_files_that_are_programs_are_refused(tmp_path: Path) -> None:
    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    torch.jit.trace(Net(), torch.zeros(1)).save(str(tmp_path / "script.pt"))
    torch.save({"model": nn.Linear(1, 1)}, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "net.engine").write_bytes(b"ftrt")
    for name in ("script.pt", "legacy.pt", "net.engine"):
        with pytest.raises(UntrustedError, match=f"{name}: could run code.*--trust-weights"):
            require_data_only(tmp_path / name)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(30, 30)}, tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    for name, content in {
        "empty.pt": b"",
        "page.pt": b"<html>not found</html>",
        "cut.pt": whole[: len(whole) // 2],
        "head.pt": whole[:30],
        "other.pt": struct.pack("<IH", 0x04034B50, 20) + bytes(40),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            require_data_only(tmp_path / name)


def test_checkpoints_of_layers_are_data(tmp_path: Path) -> None:
    from mot_reid.detection.yolo import import_ultralytics

    ultralytics = import_ultralytics()
    for name in ("yolo11n-obb", "yolov8n-pose", "yolov10n", "yolo11n-cls"):
        ultralytics.YOLO(f"{name}.yaml").save(tmp_path / f"{name}.pt")
        require_data_only(tmp_path / f"{name}.pt")


def test_whoever_trusts_a_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(run(tmp_path / "RAN"), tmp_path / "evil.pt")
    require_data_only(tmp_path / "evil.pt", trust=True)
    monkeypatch.setenv(TRUST, "1")
    require_data_only(tmp_path / "evil.pt")
    with pytest.raises(UntrustedError):
        require_data_only(tmp_path / "evil.pt", trust=False)


@pytest.mark.parametrize(
    "command",
    [
        ("track", "{clip}", "-o", "{folder}/out", "--detector", "{evil}"),
        ("export", "{evil}"),
        ("evaluate-detector", "{evil}", "--yolo", "{folder}"),
        ("train-detector", "{folder}/new.pt", "--start", "{evil}", "--yolo", "{folder}"),
        ("track", "{clip}", "-o", "{folder}/out", "--embedder", "{evil}"),
        (
            "train",
            "{folder}",
            "-o",
            "{folder}/run",
            "--initial",
            "{evil}",
            "--held-out",
            "0",
            "--people",
            "4",
        ),
    ],
    ids=lambda command: " ".join(command),
)
def test_no_command_runs_a_checkpoints_code(
    command: tuple[str, ...], tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2
    import numpy as np

    monkeypatch.setenv(TRUST, "")
    clip, evil = tmp_path / "pictures", tmp_path / "evil.pt"
    for folder in ("pictures", "images", "labels"):
        (tmp_path / folder).mkdir()
    picture = np.zeros((64, 64, 3), np.uint8)
    for person in range(4):
        cv2.imwrite(str(tmp_path / f"{person:04d}_c1s1_000001_00.jpg"), picture)
    cv2.imwrite(str(clip / "1.png"), picture)
    cv2.imwrite(str(tmp_path / "images" / "1.png"), picture)
    (tmp_path / "labels" / "1.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    code = Calls(os.system, f"touch {tmp_path}/RAN")
    from ultralytics.nn.modules import Conv  # so that export takes it for a detector's

    torch.save({"model": [Conv(1, 1), code]}, evil)
    outcome = run(*(part.format(clip=clip, folder=tmp_path, evil=evil) for part in command))
    assert outcome.code != 0
    assert "evil.pt" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "RAN").exists()


@pytest.mark.parametrize(
    "name", ["evil.onnx", "evil.safetensors", "evil.engine", "evil_openvino_model", "evil"]
)
@pytest.mark.parametrize("kind", ["zip", "old", "pickle"])
def test_a_name_that_promises_data_does_not_help(name: str, kind: str, tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    from mot_reid.config import DetectorConfig
    from mot_reid.detection.yolo import YoloDetector, load_ultralytics

    path, marker = tmp_path / name, tmp_path / "ran"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(run(marker)))
    else:
        torch.save({"model": run(marker)}, path, _use_new_zipfile_serialization=kind == "zip")
    for load in (load_ultralytics, lambda file: YoloDetector(DetectorConfig(weights=str(file)))):
        with pytest.raises(ValueError, match=r"could run code when it is loaded|not a "):
            load(path)
    assert not marker.exists()
