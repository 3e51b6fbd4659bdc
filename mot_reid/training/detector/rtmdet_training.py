"""RTMDet trained to people, from folders of pictures to a checkpoint with its export beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.config import DetectorConfig
from mot_reid.detection.rtmdet import RtmDet
from mot_reid.detection.rtmdet_export import export_rtmdet
from mot_reid.detection.rtmdet_weights import from_openmmlab, load_rtmdet, read_notes, save_rtmdet
from mot_reid.detection.yolo import YoloDetector
from mot_reid.extras import require
from mot_reid.files import atomic, same_file, sole_writer
from mot_reid.training.detector.calibration import Line, calibrated, fit_line, hits
from mot_reid.training.detector.crowds import Scene
from mot_reid.training.detector.cutouts import load_cutouts, save_cutouts
from mot_reid.training.detector.examples import Material, cutouts_of, reduced
from mot_reid.training.detector.learning import STATE, Learner, blended
from mot_reid.training.detector.pictures import MotFrames, convert_mot, convert_yolo, labelled_pictures
from mot_reid.training.detector.scores import PictureResult, read_results
from mot_reid.training.detector.settings import DetectorTraining
from mot_reid.training.detector.work_folder import keep_settings, kept_settings, require_own
from mot_reid.video.pictures import read_picture

__all__ = ["calibrate", "read_start", "train_rtmdet"]

OnStep = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""

_CALIBRATED_AT, _LEAST_CALIBRATED = 640, 0.02
_PICTURES, _CUTOUTS = "pictures", "cutouts.npz"  # in the work folder


def read_start(path: Path) -> RtmDet:
    """The network to start from: OpenMMLab's export ``.onnx``, or a checkpoint of ours ``.safetensors``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no detector weights at {path}")
    return load_rtmdet(path) if path.suffix == ".safetensors" else from_openmmlab(path)


def train_rtmdet(
    start: Path,
    out: Path,
    pictures: Sequence[Path] = (),
    sequences: Sequence[MotFrames] = (),
    settings: DetectorTraining | None = None,
    work: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    on_step: OnStep = lambda *_: None,
    calibration: Sequence[Path] = (),
) -> Path:
    """Trains RTMDet-nano to people; writes a checkpoint and, beside it, the export that a CPU runs.

    Args:
        start: see `read_start`.
        out: the ``.safetensors`` file to write.
        pictures: YOLO-layout folders to learn from; crowds are made of the people in them.
        sequences: MOTChallenge frames to learn from.
        settings: epochs, learning rate and the like; a training that is resumed goes on with its own.
        work: folder for the converted pictures, ``last.pt`` and ``log.csv``; by default ``out`` with the
            suffix ``.work``.
        resume: go on after the last epoch in ``work``, with its pictures and settings.
        device: such as ``cpu`` or ``cuda:0``.
        on_step: told how far it is.
        calibration: YOLO-layout folders of other pictures, on which a score is made to be near the precision
            of the boxes that have it; without any, scores stay what training makes of them.

    Returns:
        The path written.

    Raises:
        FileNotFoundError: there is no start, or nothing to resume.
        OSError: another training is at work in ``work``.
        ImportError: the package ``onnx``, which the export needs, is not installed.
        ValueError: the start is no RTMDet-nano, or would be written over; there is nothing to learn from; or
            ``work`` holds what no training of an RTMDet has put there, or one that began with another start.
        KeyboardInterrupt: as it came; once it trains, the moving average of the last whole epoch is saved
            before.
    """
    settings = settings or DetectorTraining()
    work = work or out.with_suffix(".work")
    require("onnx", f"{out}: to write its export")
    if same_file(start, out) or same_file(start, out.with_suffix(".onnx")):
        raise ValueError(f"{start}: would be written over; choose another output than {out}")
    first = read_start(start)
    if resume and not (work / STATE).is_file():
        raise FileNotFoundError(f"nothing to resume: no {work / STATE}")
    if resume:
        settings = kept_settings(work, DetectorTraining, start)
    else:
        read = (start, *pictures, *(frames.sequence for frames in sequences), *calibration)
        require_own(work, DetectorTraining, read)
    work.mkdir(parents=True, exist_ok=True)
    with sole_writer(work, "training"):
        if not resume:
            _gather(start, pictures, sequences, settings, work, on_step)
        learner = Learner(first, _material(work), settings, work, device, resume)
        notes = {"settings": asdict(settings)}
        try:
            trained = learner.run(lambda done, total: on_step("training", done, total))
            _write(blended(first, trained.cpu(), settings.tuned_share), notes, out)
            if calibration:
                calibrate(out, calibration, on_step)
        except KeyboardInterrupt:
            if (work / STATE).is_file():
                last = Learner(first, Material([]), settings, work, resume=True)
                _write(blended(first, last.average, settings.tuned_share), notes, out)
            raise
    return out


def calibrate(weights: Path, folders: Sequence[Path], on_step: OnStep = lambda *_: None) -> Line:
    """Changes a checkpoint of ours, and its export, so that a score is near its boxes' precision.

    Args:
        weights: the ``.safetensors`` file.
        folders: YOLO-layout folders of pictures that it was not trained on.
        on_step: told how many pictures are done, and of how many.

    Returns:
        What became of the logits.

    Raises:
        ValueError: the pictures do not say enough.
    """
    config = DetectorConfig(str(weights), image_size=_CALIBRATED_AT, score=_LEAST_CALIBRATED)
    detector = YoloDetector(config)
    total = sum(len(list(labelled_pictures(folder))) for folder in folders)
    results: list[PictureResult] = []
    for folder in folders:
        for result in read_results(detector, folder, []):
            results.append(result)
            on_step("calibrating", len(results), total)
    line = fit_line(*hits(results))
    _write(
        calibrated(load_rtmdet(weights), line), {**read_notes(weights), "calibration": list(line)}, weights
    )
    return line


def _write(network: RtmDet, notes: Mapping[str, Any], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    save_rtmdet(network, out, notes)
    export_rtmdet(out, out.with_suffix(".onnx"))


def _gather(
    start: Path,
    pictures: Sequence[Path],
    sequences: Sequence[MotFrames],
    settings: DetectorTraining,
    work: Path,
    on_step: OnStep,
) -> None:
    """Gathers in ``work`` all that is learnt from, and forgets what was there."""
    if not (pictures or sequences):
        raise ValueError("pictures, sequences: nothing to learn from, both are empty")
    for file in (STATE, "log.csv", _CUTOUTS):
        (work / file).unlink(missing_ok=True)
    keep_settings(work, settings, start)
    for part in (_PICTURES, "mot"):
        shutil.rmtree(work / part, ignore_errors=True)
    for folder in pictures:
        convert_yolo(folder, work / _PICTURES)
    for number, frames in enumerate(sequences):
        convert_mot(frames, work / "mot" / str(number))
        convert_yolo(work / "mot" / str(number), work / _PICTURES)
    shutil.rmtree(work / "mot", ignore_errors=True)
    if settings.crowds:
        on_step("cutting people out", 0, 1)
        found = cutouts_of(_scenes(work))
        on_step("cutting people out", 1, 1)
        if not found:
            raise ValueError("crowds: nobody in the pictures can be cut out; use --crowds 0")
        with atomic(work / _CUTOUTS) as part_:
            save_cutouts(found, part_)


def _material(work: Path) -> Material:
    cutouts = work / _CUTOUTS
    return Material(_scenes(work), load_cutouts(cutouts) if cutouts.is_file() else [])


def _scenes(work: Path) -> list[Scene]:
    scenes = []
    for path, people, _ in labelled_pictures(work / _PICTURES):
        picture = read_picture(path)
        sides = np.array([picture.shape[1], picture.shape[0]] * 2, np.float64)
        scenes.append(reduced(Scene(picture, people * sides)))
    return scenes
