"""What a training of a detector may take away in its folder."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from mot_reid.detection.rtmdet import RtmDet
from mot_reid.detection.rtmdet_weights import save_rtmdet
from mot_reid.files import sole_writer
from mot_reid.training.detector import trainer
from mot_reid.training.detector.rtmdet_training import train_rtmdet
from mot_reid.training.detector.settings import DetectorTraining, FineTuning
from mot_reid.training.detector.trainer import train_detector
from mot_reid.training.detector.work_folder import keep_settings, kept_settings, require_own

SMALL = ("--epochs", 1, "--pictures", 1, "--batch", 1, "--crowds", 0, "--reuse", 1, "--quiet")


@pytest.fixture
def start(tmp_path: Path) -> Path:
    save_rtmdet(RtmDet(), tmp_path / "start.safetensors")
    return tmp_path / "start.safetensors"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Somebody's pictures, in the folder that a training's copies would be called."""
    folder = tmp_path / "pictures" / "train"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    cv2.imwrite(str(folder / "images" / "a.png"), np.zeros((90, 120, 3), np.uint8))
    (folder / "labels" / "a.txt").write_text("0 0.5 0.5 0.3 0.7\n")
    return folder


def test_pictures_to_learn_from_are_not_removed(
    run: Callable, start: Path, own: Path, tmp_path: Path
) -> None:
    options = ("--start", start, "--yolo", own, "--work", tmp_path)
    done = run("train-detector", tmp_path / "person.safetensors", *options, *SMALL)
    assert done.code == 2
    assert f"lies in {tmp_path / 'pictures'}, which a training replaces" in done.err
    with pytest.raises(ValueError, match="which a training replaces"):
        require_own(tmp_path, FineTuning, [own])
    assert (own / "images" / "a.png").is_file()


@pytest.mark.parametrize("name", ["pictures/mine/a.png", "last.pt", "run-1/notes.txt", "data.yaml"])
def test_files_of_somebody_else_are_left_alone(
    run: Callable, start: Path, own: Path, tmp_path: Path, name: str
) -> None:
    work = tmp_path / "work"
    (work / name).parent.mkdir(parents=True)
    (work / name).write_text("mine")
    options = ("--start", start, "--yolo", own, "--work", work)
    done = run("train-detector", tmp_path / "a.safetensors", *options, *SMALL)
    assert done.code == 2
    assert "not of a training (no settings.json beside it); choose another --work" in done.err
    assert (work / name).read_text() == "mine"


def test_a_folder_belongs_to_one_kind_of_detector(start: Path, tmp_path: Path) -> None:
    keep_settings(tmp_path, FineTuning(runs=3), start)
    (tmp_path / "pictures").mkdir()
    require_own(tmp_path, FineTuning, [])
    assert kept_settings(tmp_path, FineTuning, start) == FineTuning(runs=3)
    for look in (
        lambda: require_own(tmp_path, DetectorTraining, []),
        lambda: kept_settings(tmp_path, DetectorTraining, start),
    ):
        with pytest.raises(ValueError, match=r"settings\.json: not the settings of such a training"):
            look()
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ValueError, match=r"settings\.json: not the settings of a training: "):
        kept_settings(tmp_path, FineTuning, start)


def test_settings_of_before_there_was_one_more_are_read(start: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"epochs": 3, "learning_rate": 0.1}')
    assert kept_settings(tmp_path, DetectorTraining, start) == DetectorTraining(epochs=3, learning_rate=0.1)


@pytest.mark.parametrize("name", ["person.safetensors", "person.onnx"])
def test_a_start_is_not_written_over(start: Path, own: Path, tmp_path: Path, name: str) -> None:
    shutil.copyfile(start, tmp_path / name)
    with pytest.raises(ValueError, match=f"{name}: would be written over"):
        train_rtmdet(tmp_path / name, tmp_path / "person.safetensors", [own])
    assert (tmp_path / name).read_bytes() == start.read_bytes()


def test_a_yolos_start_is_not_written_over(own: Path, tmp_path: Path) -> None:
    (tmp_path / "yolo.pt").write_text("weights")
    with pytest.raises(ValueError, match=r"yolo\.pt: would be written over"):
        train_detector(tmp_path / "yolo.pt", tmp_path / "yolo.pt", [own])


def test_a_training_goes_on_with_its_own_start(start: Path, tmp_path: Path) -> None:
    settings = DetectorTraining(epochs=3)
    keep_settings(tmp_path / "work", settings, start)
    shutil.copyfile(start, tmp_path / "copy.safetensors")
    assert kept_settings(tmp_path / "work", DetectorTraining, tmp_path / "copy.safetensors") == settings
    (tmp_path / "other.safetensors").write_bytes(b"other weights")
    with pytest.raises(ValueError, match=r"other\.safetensors: not what the training in .*work started from"):
        kept_settings(tmp_path / "work", DetectorTraining, tmp_path / "other.safetensors")


def test_another_start_is_refused_before_the_result_is_touched(start: Path, tmp_path: Path) -> None:
    other, work, out = tmp_path / "other.safetensors", tmp_path / "out.work", tmp_path / "out.safetensors"
    save_rtmdet(RtmDet(), other)
    keep_settings(work, DetectorTraining(), start)
    (work / "last.pt").touch()
    out.write_bytes(b"what was learnt")
    with pytest.raises(ValueError, match=r"other\.safetensors: not what the training in"):
        train_rtmdet(other, out, resume=True)
    assert out.read_bytes() == b"what was learnt"


@pytest.mark.parametrize("kind", [DetectorTraining, FineTuning])
def test_a_second_training_leaves_what_the_first_is_at(
    start: Path, own: Path, tmp_path: Path, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "load_ultralytics", lambda _: SimpleNamespace(model=None))
    monkeypatch.setattr(trainer, "person_only", lambda model: model)
    train = train_rtmdet if kind is DetectorTraining else train_detector
    work = tmp_path / "work"
    keep_settings(work, kind(), start)
    last = work / ("last.pt" if kind is DetectorTraining else "run-0/weights/last.pt")
    last.parent.mkdir(parents=True, exist_ok=True)
    last.write_bytes(b"what was learnt")
    for resume in (False, True):
        with (
            sole_writer(work),
            pytest.raises(OSError, match="work: another training is writing there"),
        ):
            train(start, tmp_path / "person.safetensors", [own], work=work, resume=resume)
    assert last.read_bytes() == b"what was learnt"
