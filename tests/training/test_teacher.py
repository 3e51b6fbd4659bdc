import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mot_reid.appearance.checkpoints import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.training.reid_data import read_market1501
from mot_reid.training.teacher import open_teacher, teacher_embeddings


def test_missing_and_unreadable_teachers(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such teacher: .*big\.onnx"):
        open_teacher(tmp_path / "big.onnx")
    (tmp_path / "big.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"big\.onnx: onnxruntime cannot read it"):
        open_teacher(tmp_path / "big.onnx")
    with pytest.raises(ValueError, match="no teacher"):
        teacher_embeddings([], lambda size: np.zeros((1, *size, 3), np.uint8))


def export_means(path: Path, size: tuple[int, int]) -> None:
    """A teacher whose embedding is the means of the normalised channels."""
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    torch.onnx.export(model, (torch.zeros(1, 3, *size),), path, dynamo=False)


def test_teachers_stand_beside_each_other(tmp_path: Path) -> None:
    export_means(tmp_path / "a.onnx", (8, 4))
    export_means(tmp_path / "b.onnx", (4, 4))
    asked = []

    def read(size: tuple[int, int]) -> np.ndarray:
        asked.append(size)
        return np.full((2, *size, 3), (255, 0, 0), np.uint8)

    found = teacher_embeddings([tmp_path / "a.onnx", tmp_path / "b.onnx"], read)
    assert asked == [(8, 4), (4, 4)]
    one = (np.array((1, 0, 0)) - IMAGENET_MEAN) / IMAGENET_STD
    one = one / np.linalg.norm(one) / np.sqrt(2)
    assert found == pytest.approx(np.tile(one, (2, 2)), abs=1e-5)


def test_openvino_teachers_take_bgr(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    opset = openvino.opset13
    image = opset.parameter([1, 3, 4, 2], np.float32)
    openvino.save_model(openvino.Model([opset.reduce_mean(image, [2, 3])], [image]), tmp_path / "t.xml")
    teacher = open_teacher(tmp_path / "t.xml")
    assert teacher.size == (4, 2)
    red = np.full((1, 4, 2, 3), (200, 0, 100), np.uint8)
    expected = np.array((100, 0, 200)) / np.linalg.norm((100, 0, 200))
    assert teacher.embed_all(red)[0] == pytest.approx(expected, abs=1e-3)
    (tmp_path / "bad.xml").write_text("<net>")
    with pytest.raises(ValueError, match=r"bad\.xml: openvino cannot read it"):
        open_teacher(tmp_path / "bad.xml")


@pytest.mark.data
def test_a_teacher_tells_people_apart(tmp_path: Path) -> None:
    data = os.environ.get("MOT_REID_DATA")
    if not data:
        pytest.skip("MOT_REID_DATA is not set")
    weights = Path(data).parent / "weights" / "person-reidentification-retail-0267.onnx"
    crops = Path(data) / "market1501" / "bounding_box_train"
    if not weights.exists() or not crops.exists():
        pytest.skip(f"{weights} or {crops} does not exist")
    names = sorted(path.name for path in crops.glob("000[27]_c[12]*.jpg"))
    chosen = [
        next(n for n in names if n.startswith(start))
        for start in ("0002_c1", "0002_c2", "0007_c1", "0007_c2")
    ]
    for name in chosen:
        cv2.imwrite(str(tmp_path / name), cv2.imread(str(crops / name)))
    embeddings = teacher_embeddings([weights], lambda size: read_market1501(tmp_path, size).images)
    assert embeddings.shape == (4, 256)
    assert embeddings.dtype == np.float32
    cosine = embeddings @ embeddings.T
    assert np.diag(cosine) == pytest.approx(np.ones(4), abs=1e-5)
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2:].max(), cosine[1, 2:].max())
