"""The inputs of a benchmark run: as the tracker would make them, from files or pixels, computed once."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mot_reid import Config, Tracker, Tracks, load_config
from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.association.associator import Associator
from mot_reid.detection.yolo import YoloDetector
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import (
    SequenceInputs,
    detection_file,
    needs_pixels,
    prepare_inputs,
)
from mot_reid.evaluation.sequences import PROTOCOLS
from mot_reid.evaluation.sequences import Sequence as MotSequence
from mot_reid.motion.camera import SparseFlow

REAL = load_config(
    overrides=["device=cpu", "detector.image_size=320", "detector.score=0.05", "association.low_score=0.14"]
)
NO_PIXELS = load_config(overrides=["detector.weights=none", "embedder.weights=none", "camera.motion=none"])
Models = tuple[Any, Any]  # the fixture's detector and embedder
ALL = ("detect", "embed", "camera motion")


def sequence_in(folder: Path, length: int) -> MotSequence:
    return MotSequence(
        folder.name, folder, folder / "gt/gt.txt", length, 30.0, "train", PROTOCOLS["mot17"], "all"
    )


def read_frames(sequence: MotSequence) -> list[np.ndarray]:
    return [cv2.imread(str(sequence.folder / f"img1/{number:06d}.jpg")) for number in sequence.frames]


@pytest.fixture(scope="module")
def street_cache(tmp_path_factory: pytest.TempPathFactory) -> ArrayCache:
    return ArrayCache(tmp_path_factory.mktemp("cache"))


def track(sequence: MotSequence, inputs: SequenceInputs, config: Config) -> list[Tracks]:
    associator, tracks = Associator(config.association, config.motion), []
    assert len(inputs.detections) == len(inputs.affines) == len(sequence.frames)
    for detections, affine in zip(inputs.detections, inputs.affines, strict=True):
        embeddings = detections.embeddings
        embed = None if embeddings is None else embeddings.__getitem__
        tracks.append(associator.step(detections, affine, embed))
    return tracks


def assert_same_tracks(ours: list[Tracks], expected: list[Tracks], index: bool = True) -> None:
    assert max(tracks.ids.max(initial=0) for tracks in expected) > 1
    for a, b in zip(ours, expected, strict=True):
        for name in ("ids", "xyxy", "scores", "classes", *(["detection_index"] if index else [])):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def assert_same_inputs(a: SequenceInputs, b: SequenceInputs) -> None:
    for one, other in zip(a.detections, b.detections, strict=True):
        for name in ("xyxy", "scores", "classes", "embeddings"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
    for one_affine, other_affine in zip(a.affines, b.affines, strict=True):
        assert (one_affine is None) == (other_affine is None)
        if one_affine is not None:
            np.testing.assert_array_equal(one_affine, other_affine)
    assert a.milliseconds == b.milliseconds
    assert a.models == b.models


# The shipped models on a real picture


@pytest.mark.parametrize("half", ["all", "second"])
def test_tracking_the_inputs_equals_the_tracker(
    street: MotSequence, street_cache: ArrayCache, half: str
) -> None:
    sequence = replace(street, half=half)  # type: ignore[arg-type]
    tracker = Tracker(config=REAL)
    expected = [
        tracker.update(image, frame_number=number)
        for number, image in zip(sequence.frames, read_frames(sequence), strict=True)
    ]
    inputs = prepare_inputs(sequence, REAL, street_cache)
    assert inputs.cached == ()
    assert inputs.affines[0] is None
    assert inputs.affines[-1] is not None
    assert min(detections.scores.min() for detections in inputs.detections) >= 0.14
    assert dict(inputs.models) == tracker.model_names()
    assert inputs.milliseconds.keys() == {"decode", "detect", "embed", "camera motion"}
    assert all(0 < value < 10_000 for value in inputs.milliseconds.values())
    # Rows below low_score are left out of the inputs, so the rows behind the tracks have other numbers.
    assert_same_tracks(track(sequence, inputs, REAL), expected, index=False)


def test_what_is_cached_runs_no_model(
    street: MotSequence, street_cache: ArrayCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepare_inputs(street, REAL, street_cache)

    def refuse(*arguments: object) -> None:
        raise AssertionError("a model ran")

    for owner in (YoloDetector, NetworkEmbedder, SparseFlow):
        monkeypatch.setattr(owner, "__init__", refuse)
    monkeypatch.setattr(cv2, "imdecode", refuse)
    after = prepare_inputs(street, REAL, ArrayCache(street_cache.folder))
    assert after.cached == ("detect", "embed", "camera motion")
    assert_same_inputs(after, before)


def test_given_detections_and_camera_motion_equal_the_tracker(
    street: MotSequence, street_cache: ArrayCache, tmp_path: Path
) -> None:
    found = prepare_inputs(street, REAL, street_cache)
    rows, path = [], tmp_path / "STREET-01.txt"
    for number, detections in zip(street.frames, found.detections, strict=True):
        for box, score in zip(detections.xyxy.tolist(), detections.scores.tolist(), strict=True):
            x1, y1, x2, y2 = box
            rows.append(f"{number},-1,{x1},{y1},{x2 - x1},{y2 - y1},{score}\n")
    path.write_text("".join(rows) + "1,-1,5,5,20,50,0.01\n9,-1,5,5,20,50,0.9\n")
    config = REAL.replace(
        embedder=replace(REAL.embedder, weights="none"), camera=replace(REAL.camera, motion="gmc.txt")
    )
    half = replace(street, half="second")
    tracker = Tracker("none", "none", street.folder / "gmc.txt", config)
    by_frame = dict(zip(street.frames, found.detections, strict=True))
    expected = [tracker.update(None, by_frame[number], frame_number=number) for number in half.frames]
    pattern = str(tmp_path / "{sequence}.txt")
    inputs = prepare_inputs(half, config, street_cache, detections=pattern)
    assert inputs.models == {
        "detector": f"{pattern} (file)",
        "embedder": "none",
        "camera motion": "gmc.txt",
    }
    assert inputs.milliseconds.keys() == {"camera motion"}
    assert inputs.cached == ()
    for a, b in zip(track(half, inputs, config), expected, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_allclose(a.xyxy, b.xyxy, rtol=1e-6)  # left + width is rounded once more
        np.testing.assert_array_equal(a.detection_index, b.detection_index)
    whole = prepare_inputs(street, config, street_cache, detections=pattern)
    assert len(whole.detections[0]) == len(found.detections[0]) + 1  # no embedder: nothing is left out


def test_frames_with_nobody_in_them(
    small: MotSequence, models: Models, config: Config, cache: ArrayCache
) -> None:
    (small.folder / "det/few.txt").write_text("2,-1,3,5,20,30,0.8\n3,-1,3,5,20,30,0.01\n")
    (small.folder / "det/none.txt").write_text("")
    for _ in range(2):
        few = prepare_inputs(small, config, cache, detections="few")
        assert [len(frame) for frame in few.detections] == [0, 1, 0, 0]
        assert [frame.embeddings.shape for frame in few.detections] == [(0, 3), (1, 3), (0, 3), (0, 3)]  # type: ignore[union-attr]
        none = prepare_inputs(small, config, cache, detections="none")
        assert [len(frame) for frame in none.detections] == [0] * 4
        assert none.milliseconds["embed"] == 0
    assert models[1].calls == 1
    assert len(track(small, none, config)) == 4


def test_progress_tells_every_frame(
    small: MotSequence, models: Models, config: Config, cache: ArrayCache
) -> None:
    told: list[tuple[str, int, int]] = []
    prepare_inputs(small, config, cache, on_progress=lambda *step: told.append(step))
    assert told == [("detect, embed, camera motion", done, 4) for done in range(1, 5)]
    told.clear()
    prepare_inputs(small, config, cache, on_progress=lambda *step: told.append(step))
    assert told == []


# Which file is meant


def test_names_and_patterns_of_detection_files(small: MotSequence, tmp_path: Path) -> None:
    det = small.folder / "det"
    assert detection_file(small, "frcnn") == det / "frcnn.txt"
    assert detection_file(small, "FRCNN") == det / "frcnn.txt"
    assert detection_file(small, "det/frcnn.txt") == det / "frcnn.txt"
    elsewhere = tmp_path / "yolox" / "TINY-02" / "boxes"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("")
    assert detection_file(small, str(tmp_path / "yolox/{sequence}/boxes")) == elsewhere
    assert detection_file(small, "../../yolox/{sequence}/boxes").resolve() == elsewhere.resolve()
    missing = r"TINY-02: detection file not found: .*sdp\.txt; in .*det there are: dpm\.txt, frcnn\.txt"
    for name in ("sdp", "sdp.txt"):
        with pytest.raises(FileNotFoundError, match=missing):
            detection_file(small, name)
    with pytest.raises(FileNotFoundError, match=r"det\.txt"):
        detection_file(small, "public")


def test_the_official_layout_of_mot17(tmp_path: Path) -> None:
    folder = tmp_path / "MOT17-02-FRCNN"
    (folder / "det").mkdir(parents=True)
    (folder / "det/det.txt").write_text("1,-1,5,5,20,30,0.8\n")
    official = sequence_in(folder, 2)
    for name in ("frcnn", "FRCNN", "public", "det/det.txt"):
        assert detection_file(official, name) == folder / "det/det.txt"
    with pytest.raises(FileNotFoundError, match=r"MOT17-02-FRCNN: .*dpm\.txt; .* there are: det\.txt"):
        detection_file(official, "dpm")


def scores_of(sequence: MotSequence, cache: ArrayCache, detections: str, scores: str = "auto") -> list[float]:
    inputs = prepare_inputs(sequence, NO_PIXELS, cache, detections=detections, scores=scores)  # type: ignore[arg-type]
    return [round(float(score), 4) for frame in inputs.detections for score in frame.scores]


def test_scores_of_dpm_are_mapped(small: MotSequence, cache: ArrayCache) -> None:
    mapped, plain = [0.9526] * 4, [0.8] * 4  # 1 / (1 + exp(-3))
    assert scores_of(small, cache, "dpm") == mapped
    assert scores_of(small, cache, "frcnn") == plain
    assert scores_of(small, cache, "frcnn", "logistic") == [0.832] * 4
    with pytest.raises(ValueError, match=r"dpm\.txt:1: the score must be in \[0, 1\].*--scores logistic"):
        scores_of(small, cache, "dpm", "as-is")
    with pytest.raises(ValueError, match="scores 'log' is not known; known: auto, as-is, logistic"):
        scores_of(small, cache, "dpm", "log")
    folder = small.folder.with_name("MOT17-02-DPM")
    small.folder.rename(folder)
    official = sequence_in(folder, 4)
    shutil.copy(folder / "det/dpm.txt", folder / "det/det.txt")
    shutil.copy(folder / "det/frcnn.txt", folder / "MOT17-02-DPM.txt")
    assert scores_of(official, cache, "public") == mapped
    assert scores_of(official, cache, "{sequence}.txt") == plain  # the sequence is DPM's, the file is not
    shutil.copy(folder / "det/frcnn.txt", folder / "handpm.txt")
    assert scores_of(official, cache, "handpm.txt") == plain


def test_camera_motion_from_a_file(small: MotSequence, cache: ArrayCache) -> None:
    config = load_config(overrides=["camera.motion=../{sequence}/gmc.txt"], base=NO_PIXELS)
    inputs = prepare_inputs(replace(small, half="second"), config, cache, detections="frcnn")
    assert inputs.affines == [None]  # frame 4, the first
    inputs = prepare_inputs(small, config, cache, detections="frcnn")
    assert inputs.affines[0] is None
    assert [affine[0, 2] for affine in inputs.affines[1:]] == [1, 2, 3]  # type: ignore[index]
    config = load_config(overrides=["camera.motion=still"], base=NO_PIXELS)
    for affine in prepare_inputs(small, config, cache, detections="frcnn").affines:
        assert np.array_equal(affine, np.eye(2, 3))  # type: ignore[arg-type]
    config = load_config(overrides=["camera.motion=orb.txt"], base=NO_PIXELS)
    with pytest.raises(FileNotFoundError, match=r"TINY-02: camera motion file not found: .*orb\.txt"):
        prepare_inputs(small, config, cache, detections="frcnn")
    with pytest.raises(ValueError, match=r"detector\.weights is none"):
        prepare_inputs(small, NO_PIXELS, cache)


# Frames that are there, and frames that are not


def test_missing_frames_are_told_before_anything_runs(
    small: MotSequence, models: Models, config: Config, cache: ArrayCache
) -> None:
    (small.folder / "img1/000004.jpg").unlink()
    assert len(prepare_inputs(replace(small, half="first"), config, cache).detections) == 3
    models[0].calls = 0
    with pytest.raises(ValueError, match=r"TINY-02: 3 of 4 frames present \(.*img1\), and ") as caught:
        prepare_inputs(small, config, cache)
    assert str(caught.value).endswith(
        ", and the detector, the embedder and optical flow need them; "
        "use --detections, --embedder none, --camera-motion none or a file"
    )
    flow_only = load_config(overrides=["embedder.weights=none"], base=config)
    with pytest.raises(ValueError, match=r"and optical flow needs them; use --camera-motion none or a file$"):
        prepare_inputs(small, flow_only, cache, detections="frcnn")
    shutil.rmtree(small.folder / "img1")
    with pytest.raises(ValueError, match="TINY-02: none of 4 frames present"):
        prepare_inputs(small, config, cache)
    inputs = prepare_inputs(small, NO_PIXELS, cache, detections="frcnn")
    assert [len(frame) for frame in inputs.detections] == [1] * 4
    assert inputs.affines == [None] * 4
    assert models[0].calls == 0


def test_what_needs_pixels(config: Config) -> None:
    def needs(detections: str | None, *overrides: str) -> bool:
        return needs_pixels(load_config(overrides=overrides, base=NO_PIXELS), detections)

    assert not needs("frcnn")
    assert not needs("frcnn", "camera.motion=gmc.txt")
    assert needs("frcnn", "camera.motion=flow")
    assert needs("frcnn", "embedder.weights=e.onnx")
    assert not needs("frcnn", "embedder.weights=e.onnx", "association.embedding.share=0")
    assert needs(None, "detector.weights=d.pt")


def test_without_pixels_nothing_heavy_is_imported(small: MotSequence) -> None:
    code = f"""
import sys
from pathlib import Path
from mot_reid.config import load_config
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import needs_pixels, prepare_inputs
from mot_reid.evaluation.sequences import PROTOCOLS, Sequence
folder = Path({str(small.folder)!r})
sequence = Sequence("TINY-02", folder, folder / "gt/gt.txt", 4, 30.0, "train", PROTOCOLS["mot17"])
config = load_config(overrides=["embedder.weights=none", "camera.motion=gmc.txt"])
assert not needs_pixels(config, "dpm")
prepare_inputs(sequence, config, ArrayCache(folder / "cache"), detections="dpm")
heavy = {{"torch", "cv2", "ultralytics", "av", "onnxruntime"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not (small.folder / "cache").exists()
