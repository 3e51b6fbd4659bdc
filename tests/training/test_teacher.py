import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.training.teacher import teacher_embeddings


def test_missing_and_unreadable_teachers(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such teacher: .*big\.onnx"):
        teacher_embeddings(tmp_path / "big.onnx", tmp_path)
    (tmp_path / "big.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"big\.onnx: onnxruntime cannot read it"):
        teacher_embeddings(tmp_path / "big.onnx", tmp_path)


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
    embeddings = teacher_embeddings(weights, tmp_path)
    assert embeddings.shape == (4, 256)
    assert embeddings.dtype == np.float32
    cosine = embeddings @ embeddings.T
    assert np.diag(cosine) == pytest.approx(np.ones(4), abs=1e-5)
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2:].max(), cosine[1, 2:].max())
