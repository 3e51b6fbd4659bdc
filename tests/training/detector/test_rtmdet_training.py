"""``mot-reid train-detector`` for RTMDet, from pictures to a detector that runs."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mot_reid.config import DetectorConfig
from mot_reid.detection.rtmdet import RtmDet
from mot_reid.detection.rtmdet_weights import load_rtmdet, save_rtmdet
from mot_reid.detection.yolo import YoloDetector
from mot_reid.training.detector import examples, learning, rtmdet_training
from mot_reid.training.detector.rtmdet_training import read_start

SMALL = ("--epochs", 2, "--pictures", 4, "--batch", 2, "--crowds", 0, "--reuse", 1, "--quiet")


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "_SIZES", (((64, 96), 1.0),))


@pytest.fixture
def start(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_rtmdet(RtmDet(), tmp_path / "start.safetensors")
    return tmp_path / "start.safetensors"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        cv2.imwrite(
            str(folder / "images" / f"{name}.png"), rng.integers(0, 255, (90, 120, 3), dtype=np.uint8)
        )
        (folder / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.3 0.7\n")
    return folder


@pytest.mark.long
def test_one_command_makes_a_detector_and_its_export_and_goes_on_after_ctrl_c(
    run: Callable, start: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole.safetensors"
    done = run("train-detector", whole, "--start", start, "--yolo", pictures, *SMALL)
    assert done.code == 0, done.err
    assert f"written: {whole}" in done.out
    assert YoloDetector(DetectorConfig(str(whole))).name == "whole.safetensors (onnxruntime cpu)"
    trained, before = load_rtmdet(whole), load_rtmdet(start)
    assert not torch.equal(trained.heads[0].score.weight, before.heads[0].score.weight)
    log = (tmp_path / "whole.work" / "log.csv").read_text().splitlines()
    assert len(log) == 3
    exported = run("export", whole, "-o", tmp_path / "other.onnx")
    assert exported.code == 0, exported.err
    assert run("export", whole, "--pooling", "max").code == 2

    out = tmp_path / "person.safetensors"
    learn = learning.Learner._learn

    def interrupted(self: learning.Learner, batch: object) -> object:
        if self.step == 3:
            raise KeyboardInterrupt
        return learn(self, batch)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(learning.Learner, "_learn", interrupted)
        stopped = run("train-detector", out, "--start", start, "--yolo", pictures, *SMALL)
    assert stopped.code == 130
    assert f"what was learnt is kept in {out}; --resume goes on" in stopped.err
    kept = load_rtmdet(out).heads[0].score.weight
    other = run("train-detector", out, "--start", start, "--resume", *SMALL, "--epochs", 5)
    assert other.code == 2
    assert f"--epochs 5: the training in {tmp_path / 'person.work'} goes on with its own 2" in other.err
    assert run("train-detector", out, "--start", start, "--resume", "--quiet").code == 0
    assert not torch.equal(load_rtmdet(out).heads[0].score.weight, kept)
    assert out.read_bytes() == whole.read_bytes()  # as any other training with these settings
    settings = json.loads((tmp_path / "person.work" / "settings.json").read_text())
    assert settings["epochs"] == 2


@pytest.mark.parametrize("loading", ["_material", "Learner"])
def test_ctrl_c_before_it_trains_does_not_speak_of_an_output_that_is_not_there(
    run: Callable, start: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loading: str
) -> None:
    out, once = tmp_path / "person.safetensors", (*SMALL, "--epochs", 1)
    assert run("train-detector", out, "--start", start, "--yolo", pictures, *once).code == 0
    out.unlink()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rtmdet_training, loading, interrupted)
        stopped = run("train-detector", out, "--start", start, "--resume", "--quiet")
        work = tmp_path / "person.work"
        told = f"interrupted: before anything was learnt; {work} is as it was, and --resume goes on\n"
        assert (stopped.code, stopped.err) == (130, told)
        anew = run("train-detector", out, "--start", start, "--yolo", pictures, *once)
        assert (anew.code, anew.err) == (130, "interrupted: before the end of the first epoch\n")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--image-size", 640), "--image-size: not for RTMDet"),
        (("--people", "."), "--people: RTMDet's crowds"),
        (("--frozen", 3, "--reuse", 2), "reuse: pictures are learnt from once"),
        (("--resume",), "nothing to resume"),
    ],
)
def test_what_does_not_fit_is_told(
    run: Callable, start: Path, pictures: Path, tmp_path: Path, arguments: tuple, told: str
) -> None:
    out = tmp_path / "person.safetensors"
    done = run("train-detector", out, "--start", start, "--yolo", pictures, "--crowds", 0, *arguments)
    assert done.code == 2
    assert told in " ".join(done.err.split())
    assert not out.exists()


def test_a_yolo_has_options_of_its_own(run: Callable, start: Path, pictures: Path, tmp_path: Path) -> None:
    done = run("train-detector", tmp_path / "a.pt", "--start", start, "--yolo", pictures, "--frozen", 3)
    assert done.code == 2
    assert "--frozen: not for a YOLO" in done.err
    assert run("train-detector", tmp_path / "a.zip", "--start", start, "--yolo", pictures).code == 2


def test_crowds_need_somebody_to_cut_out(run: Callable, start: Path, pictures: Path, tmp_path: Path) -> None:
    done = run("train-detector", tmp_path / "a.safetensors", "--start", start, "--yolo", pictures, "--quiet")
    assert done.code == 2
    assert "nobody in the pictures can be cut out; use --crowds 0" in done.err


def test_a_start_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.onnx"):
        read_start(tmp_path / "nothing.onnx")
