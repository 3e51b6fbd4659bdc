"""Weights are known by what is in them: trainers and downloads give them all kinds of names."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mot_reid.appearance.checkpoints import load_checkpoint, save_checkpoint
from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.appearance.osnet import OSNet
from mot_reid.config import DetectorConfig, EmbedderConfig
from mot_reid.detection.yolo import YoloDetector, import_ultralytics
from mot_reid.resources import shipped, weights_kind


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    network = OSNet(0.25)
    torch.save({"state_dict": network.state_dict(), "epoch": 60}, folder / "zip.pth")
    torch.save(network.state_dict(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    save_checkpoint(folder / "ours.safetensors", network, input_size=(256, 128))
    shutil.copy(shipped("weights") / "mgn_osnet_lct_x0_5.onnx", folder / "export.onnx")
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    "name", ["model.pth.tar-60", "OSNET.PTH", "weights", "best.bak", "x.onnx", "x.safetensors"]
)
@pytest.mark.parametrize("kind", ["zip", "legacy", "ours", "export"])
def test_embedders_by_any_name(kind: str, name: str, files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / name
    shutil.copy(files[kind], path)
    expected = {"ours": "safetensors", "export": "onnx"}.get(kind, "pytorch")
    assert weights_kind(path) == expected
    if kind == "export":
        NetworkEmbedder(EmbedderConfig(weights=str(path)))
    else:
        assert load_checkpoint(path).dim == 512


def test_detectors_by_any_name(tmp_path: Path) -> None:
    ours = shipped("weights") / DetectorConfig().weights
    for source, name in ((ours, "best.pth.tar"), (ours.with_suffix(".onnx"), "person")):
        shutil.copy(source, tmp_path / name)
        detector = YoloDetector(DetectorConfig(weights=str(tmp_path / name), image_size=64))
        assert detector.class_names == {0: "person"}
        assert detector.name.startswith(name)


def test_turned_boxes_are_taken_with_the_box_around_them(tmp_path: Path) -> None:
    model = import_ultralytics().YOLO("yolo11n-obb.yaml")
    head = model.model.model[-1]
    for branch in head.cv3:  # an untrained network, certain of its last class
        branch[-1].bias.data.fill_(-20)
        branch[-1].bias.data[-1] = 3
    model.save(tmp_path / "obb.pt")
    config = DetectorConfig(weights=str(tmp_path / "obb.pt"), classes=(), image_size=64, score=0.2)
    (found,) = YoloDetector(config).detect([np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)])
    assert len(found) > 0
    assert set(found.classes.tolist()) == {head.nc - 1}


@pytest.mark.parametrize("kind", ["cls"])
def test_models_without_boxes_are_named_in_one_line(kind: str, tmp_path: Path, run: Any) -> None:
    import_ultralytics().YOLO(f"yolo11n-{kind}.yaml").save(tmp_path / "model.pt")
    (tmp_path / "det.txt").touch()
    outcome = run("track", tmp_path, "-o", tmp_path / "out", "--detector", tmp_path / "model.pt")
    assert outcome.code == 2
    assert "model.pt: not a detector (task classify); known: detect" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_description_of_a_network_is_no_weights(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("activation: __import__('os').system('touch RAN')\nnc: 1\n")
    with pytest.raises(ValueError, match=r"net\.yaml: describes a network, but holds no weights"):
        YoloDetector(DetectorConfig(weights=str(tmp_path / "net.yaml")))
