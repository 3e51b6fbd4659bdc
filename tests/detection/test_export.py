"""Exports of detectors: the same boxes, whatever the checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mot_reid.config import DetectorConfig
from mot_reid.detection.yolo import YoloDetector, import_ultralytics
from mot_reid.resources import shipped


def test_the_command(run: Callable[..., Any], tmp_path: Path) -> None:
    weights = tmp_path / "person.pt"
    weights.write_bytes((shipped("weights") / "person_yolo11n.pt").read_bytes())
    with pytest.raises(ValueError, match=r"no export of exactly these weights.*mot-reid export"):
        YoloDetector(DetectorConfig(weights=str(weights), runtime="onnxruntime"))
    result = run("export", weights)
    assert result.code == 0, result.err
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["person.onnx", "person.pt"]
    assert weights.with_suffix(".onnx").stat().st_size < 6_000_000
    assert YoloDetector(DetectorConfig(weights=str(weights))).name == "person.pt (onnxruntime cpu)"


def test_other_tasks_are_no_detectors(run: Callable[..., Any], tmp_path: Path) -> None:
    import_ultralytics()
    from ultralytics.nn.tasks import ClassificationModel

    model = ClassificationModel("yolo11n-cls.yaml", verbose=False)
    torch.save({"model": model, "train_args": {"task": "classify"}}, tmp_path / "kinds.pt")
    result = run("export", tmp_path / "kinds.pt")
    assert result.code == 2
    assert "not a detector (task classify)" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["kinds.pt"]
