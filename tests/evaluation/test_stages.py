"""What is computed from pixels is computed once, and again when anything it depends on has changed."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid import Config, load_config
from mot_reid.evaluation import fingerprints, stages
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import prepare_inputs
from mot_reid.evaluation.sequences import Sequence as MotSequence

Models = tuple[Any, Any]  # the fixture's detector and embedder

ALL = ("detect", "embed", "camera motion")


@pytest.mark.parametrize(
    ("override", "kept"),
    [
        ("detector.image_size=320", ()),
        ("detector.score=0.2", ()),
        ("detector.nms_iou=0.6", ()),
        ("detector.classes=[person, car]", ()),
        ("detector.max_detections=10", ()),
        ("embedder.batch_size=32", ("detect", "camera motion")),
        ("association.low_score=0.3", ("detect", "camera motion")),  # the weak box gets no embedding
        ("association.low_score=0.11", ALL),  # the same boxes do
        ("camera.width=320", ("detect", "embed")),
        ("camera.corners=50", ("detect", "embed")),
        ("association.confident.score_share=0.7", ALL),
        ("motion.position_std=0.1", ALL),
        ("output.formats=[mot]", ALL),
        ("device=cuda:1", ()),
    ],
)
def test_settings_in_the_key(
    small: MotSequence,
    models: Models,
    config: Config,
    cache: ArrayCache,
    monkeypatch: pytest.MonkeyPatch,
    override: str,
    kept: tuple[str, ...],
) -> None:
    monkeypatch.setattr(stages, "resolve_device", lambda device: device)
    prepare_inputs(small, config, cache)
    changed = load_config(overrides=[override], base=config)
    assert prepare_inputs(small, changed, cache).cached == kept
    assert prepare_inputs(small, config, cache).cached == ALL
    assert prepare_inputs(small, changed, cache).cached == ALL
    assert models[0].calls == (4 if "detect" in kept else 8)
    assert models[1].calls == (4 if "embed" in kept else 8)


def touch(sequence: MotSequence) -> None:
    os.utime(sequence.folder / "img1/000002.jpg", ns=(1, 1))


def grow(sequence: MotSequence) -> None:
    path = sequence.folder / "img1/000002.jpg"
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=times)


def rename(sequence: MotSequence) -> None:
    (sequence.folder / "img1/000002.jpg").rename(sequence.folder / "img1/00000002.jpg")


@pytest.mark.parametrize("change", [touch, grow, rename])
def test_frames_are_in_the_key(
    small: MotSequence,
    models: Models,
    config: Config,
    cache: ArrayCache,
    change: Callable[[MotSequence], None],
) -> None:
    prepare_inputs(small, config, cache)
    change(small)
    assert prepare_inputs(small, config, cache).cached == ()
    assert prepare_inputs(small, config, cache).cached == ALL


def test_sequence_and_range_are_in_the_key(
    small: MotSequence, models: Models, config: Config, cache: ArrayCache
) -> None:
    prepare_inputs(small, config, cache)
    assert prepare_inputs(replace(small, name="OTHER"), config, cache).cached == ()
    assert prepare_inputs(replace(small, half="first"), config, cache).cached == ()
    assert prepare_inputs(replace(small, half="second"), config, cache).cached == ()
    assert prepare_inputs(small, config, cache).cached == ALL
    moved = small.folder.with_name("moved")
    small.folder.rename(moved)
    assert prepare_inputs(replace(small, folder=moved), config, cache).cached == ALL


@pytest.mark.parametrize(
    ("name", "kept"), [("d.pt", ()), ("e.onnx", ("detect", "camera motion")), ("e.onnx.data", None)]
)
def test_weights_are_in_the_key_by_content(
    small: MotSequence,
    models: Models,
    config: Config,
    cache: ArrayCache,
    tmp_path: Path,
    name: str,
    kept: tuple[str, ...] | None,
) -> None:
    kept = ("detect", "camera motion") if kept is None else kept
    prepare_inputs(small, config, cache)
    (tmp_path / name).write_bytes(b"others")
    assert prepare_inputs(small, config, cache).cached == kept
    (tmp_path / name).touch()
    assert prepare_inputs(small, config, cache).cached == ALL


@pytest.mark.parametrize("package", ["torch", "ultralytics", "onnxruntime", "opencv-python", "numpy"])
def test_versions_are_in_the_key(
    small: MotSequence,
    models: Models,
    config: Config,
    cache: ArrayCache,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    prepare_inputs(small, config, cache, detections="frcnn")
    prepare_inputs(small, config, cache)
    original = fingerprints.version
    monkeypatch.setattr(
        fingerprints, "version", lambda name: original(name) + ("+" if name == package else "")
    )
    fingerprints.package_versions.cache_clear()
    try:
        assert prepare_inputs(small, config, cache).cached == ()
        kept = {"ultralytics": ("embed", "camera motion"), "torch": ("camera motion",)}
        kept["onnxruntime"] = kept["torch"]
        assert prepare_inputs(small, config, cache, detections="frcnn").cached == kept.get(package, ())
    finally:
        fingerprints.package_versions.cache_clear()


def test_our_own_code_is_in_the_key(
    small: MotSequence,
    models: Models,
    config: Config,
    cache: ArrayCache,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    copy = tmp_path / "package"
    shutil.copytree(Path(fingerprints.__file__).parents[1], copy, ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(fingerprints, "_PACKAGE", copy)

    def cached_after_change(path: str) -> tuple[str, ...]:
        with (copy / path).open("a") as file:
            file.write("\n")
        fingerprints.code_digest.cache_clear()
        return prepare_inputs(small, config, cache).cached

    try:
        assert cached_after_change("boxes.py") == ()
        assert cached_after_change("association/costs.py") == ALL
        assert cached_after_change("evaluation/inputs.py") == ALL
        assert cached_after_change("motion/camera.py") == ("detect", "embed")
        assert cached_after_change("appearance/crops.py") == ("detect", "camera motion")
        assert cached_after_change("detection/yolo.py") == ()
        assert cached_after_change("video/pictures.py") == ()
    finally:
        fingerprints.code_digest.cache_clear()


def test_boxes_from_files_are_in_the_key(
    small: MotSequence, models: Models, config: Config, cache: ArrayCache
) -> None:
    path, pixel_stages = small.folder / "det/frcnn.txt", ("embed", "camera motion")
    text = path.read_text()
    assert prepare_inputs(small, config, cache, detections="frcnn").cached == ()
    path.write_text(text.replace("0.8", "0.7"))  # other scores are the same boxes
    inputs = prepare_inputs(small, config, cache, detections="frcnn")
    assert inputs.cached == pixel_stages
    assert inputs.detections[0].scores.tolist() == [np.float32(0.7)]
    path.write_text(text.replace("3,-1,3,", "3,-1,3.01,"))
    assert prepare_inputs(small, config, cache, detections="frcnn").cached == ()
    path.write_text(text.replace("3,-1,3,", "2,-1,3,"))  # the same boxes in another frame
    assert prepare_inputs(small, config, cache, detections="frcnn").cached == ()
    assert models[0].calls == 0


def test_damage_is_computed_again(
    small: MotSequence,
    models: Models,
    config: Config,
    cache: ArrayCache,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = prepare_inputs(small, config, cache)
    (path,) = cache.folder.glob("*embed*")
    data = bytearray(path.read_bytes())
    data[data.index(before.detections[1].embeddings.tobytes())] ^= 1  # type: ignore[union-attr]
    path.write_bytes(data)
    after = prepare_inputs(small, config, cache)
    assert after.cached == ("detect", "camera motion")
    assert len(caplog.records) == 1
    for one, other in zip(before.detections, after.detections, strict=True):
        np.testing.assert_array_equal(one.embeddings, other.embeddings)
    assert prepare_inputs(small, config, cache).cached == ALL


def test_models_are_loaded_once_for_all_sequences(
    small: MotSequence,
    models: Models,
    config: Config,
    cache: ArrayCache,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    loaded: list[str] = []

    def load(*arguments: object) -> Any:
        loaded.append("yolo")
        return models[0]

    monkeypatch.undo()  # the stand-in for the function that loads
    monkeypatch.setattr("mot_reid.detection.yolo.YoloDetector", load)
    config = config.replace(
        embedder=replace(config.embedder, weights="none"), camera=replace(config.camera, motion="none")
    )
    for name in ("A", "B", "C"):
        prepare_inputs(replace(small, name=name), config, cache)
    assert loaded == ["yolo"]
    (tmp_path / "d.pt").write_bytes(b"better")
    prepare_inputs(small, config, cache)
    assert loaded == ["yolo", "yolo"]
    stages._load_detector.cache_clear()


def test_weights_that_are_folders(tmp_path: Path) -> None:
    export = tmp_path / "export"
    (export / "inner").mkdir(parents=True)
    (export / "model.xml").write_text("a")
    (export / "inner/model.bin").write_text("b")
    first = fingerprints.weights_digest(export)
    assert fingerprints.weights_digest(export) == first
    (export / "inner/model.bin").write_text("ccc")
    assert fingerprints.weights_digest(export) != first


@pytest.mark.parametrize("name", ["mgn.safetensors", "fastreid.pth"])
def test_an_export_beside_a_checkpoint_counts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"weights")
    alone = fingerprints.weights_digest(tmp_path / name)
    (tmp_path / name).with_suffix(".onnx").write_bytes(b"export")
    assert fingerprints.weights_digest(tmp_path / name) != alone
