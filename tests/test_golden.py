"""One real sequence, tracked as it was before; tests/golden/README.md tells how to make the file anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden" / "mot17-09.txt"


@pytest.mark.data
def test_one_real_sequence_is_tracked_as_before(run: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    result = run(
        *("benchmark", "mot17", "--data", data, "--sequence", "MOT17-09", "--half", "second"),
        *("--detections", "yolox_x_ablation", "--embedder", "none", "--camera-motion", "gmc.txt"),
        *("--save-results", "--name", "golden", "-o", tmp_path),
    )
    assert result.code == 0, result.err
    rows, golden = (
        np.loadtxt(path, delimiter=",") for path in (tmp_path / "golden" / "MOT17-09.txt", GOLDEN)
    )
    assert rows.shape == golden.shape
    assert np.array_equal(rows[:, :2], golden[:, :2])  # frames and ids
    np.testing.assert_allclose(rows[:, 2:7], golden[:, 2:7], atol=0.02)
