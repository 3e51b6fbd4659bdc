import os
import sys
from pathlib import Path

import cv2
import few_layers
import numpy as np
import pytest
import torch

from mot_reid.appearance import backbones
from mot_reid.training.reid.networks import StripNetwork, save_embedder
from mot_reid.training.reid.teachers import cached_embeddings, open_teacher, teacher_embeddings
from mot_reid.training.reid.unlabelled import file_source


@pytest.fixture
def crops(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{row}.png" for row in range(3)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 256, (64, 32, 3), dtype=np.uint8))
    return paths


def test_missing_and_unreadable_teachers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such teacher: .*big\.onnx"):
        open_teacher(tmp_path / "big.onnx")
    (tmp_path / "big.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"big\.onnx: ONNX Runtime cannot load it"):
        open_teacher(tmp_path / "big.onnx")
    (tmp_path / "big.pth").touch()
    with pytest.raises(ValueError, match=r"big\.pth: not a teacher"):
        open_teacher(tmp_path / "big.pth")
    (tmp_path / "big.xml").touch()
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"big\.xml: an OpenVINO teacher needs .*mot_reid\[openvino\]"):
        open_teacher(tmp_path / "big.xml")


def test_a_teacher_brings_its_normalisation(tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "a.onnx"
    save_embedder(path, StripNetwork("osnet_x0_25", 1, 4).eval(), (96, 48), {})
    np.testing.assert_allclose(open_teacher(path).mean.ravel(), [123.675, 116.28, 103.53], rtol=1e-5)
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {"mean": "[0.5, 0.25, 0]", "std": "[1, 0.5, 1]"})
    onnx.save(model, path)
    assert open_teacher(path).mean.ravel().tolist() == [127.5, 63.75, 0]
    assert open_teacher(path).std.ravel().tolist() == [255, 127.5, 255]
    onnx.helper.set_model_props(model, {"mean": "[1]", "std": "[1, 1, 1]"})
    onnx.save(model, path)
    with pytest.raises(ValueError, match=r"a\.onnx: its metadata: mean and std: expected three numbers"):
        open_teacher(path)


def test_what_teachers_said_is_kept(
    tmp_path: Path, crops: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setitem(backbones._BACKBONES, few_layers.NAME, few_layers.PARTS)
    teachers = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path, dim in zip(teachers, (4, 8), strict=True):
        save_embedder(path, StripNetwork(few_layers.NAME, 1, dim).eval(), (96, 48), {})
    told: list[tuple[str, int]] = []
    both = cached_embeddings(
        tmp_path / "cache", teachers, file_source(crops), lambda name, done: told.append((name, done))
    )
    assert both.shape == (3, 12)
    assert told == [("a.onnx", 3), ("b.onnx", 3)]
    single = [teacher_embeddings(path, file_source(crops)) for path in teachers]
    mean = sum(unit @ unit.T for unit in single) / 2
    assert both @ both.T == pytest.approx(mean, abs=1e-5)
    monkeypatch.setattr("mot_reid.training.reid.teachers.teacher_embeddings", lambda *_: 1 / 0)
    assert np.array_equal(cached_embeddings(tmp_path / "cache", teachers, file_source(crops)), both)
    with pytest.raises(ZeroDivisionError):  # other crops are asked about anew
        cached_embeddings(tmp_path / "cache", teachers, file_source(crops[:2]))


def real_teacher(name: str) -> tuple[Path, list[Path]]:
    """A teacher, and two crops each of two people in two cameras."""
    data = os.environ.get("MOT_REID_DATA")
    if not data:
        pytest.skip("MOT_REID_DATA is not set")
    weights = Path(data).parent / "weights" / name
    folder = Path(data) / "market1501" / "bounding_box_train"
    if not weights.exists() or not folder.exists():
        pytest.skip(f"{weights} or {folder} does not exist")
    starts = ("0002_c1", "0002_c2", "0007_c1", "0007_c2")
    return weights, [min(folder.glob(f"{start}*.jpg")) for start in starts]


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["person-reidentification-retail-0267.onnx", "person-reidentification-retail-0277.xml"]
)
def test_real_teachers_tell_people_apart(name: str) -> None:
    if name.endswith(".xml"):
        pytest.importorskip("openvino")
    weights, crops = real_teacher(name)
    embeddings = teacher_embeddings(weights, file_source(crops))
    assert embeddings.shape == (4, 256)
    assert embeddings.dtype == np.float32
    cosine = embeddings @ embeddings.T
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2:].max(), cosine[1, 2:].max())
