"""Detections from a pipeline that lets a bad row slip in now and then."""

import numpy as np
import pytest

from mot_reid import Detections, Tracker

GOOD = [10.0, 20.0, 30.0, 60.0]


@pytest.mark.parametrize(
    "box",
    [[5, 5, 5, 9], [5, 5, 9, 5], [9, 5, 5, 9], [np.nan, 0, 1, 1], [0, 0, np.inf, 1], [0, 0, 1e39, 1]],
)
def test_a_box_that_is_none_is_left_out(box: list[float]) -> None:
    with pytest.raises(ValueError, match="xyxy: row 1"):
        Detections([GOOD, box], [0.9, 0.8])
    found = Detections([GOOD, box, GOOD], [0.9, 0.8, 0.7], [1, 2, 3], np.eye(3), invalid="drop")
    assert found.invalid_rows == 1
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert found.classes.tolist() == [1, 3]
    assert found.embeddings is not None
    assert found.embeddings.argmax(axis=1).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("score", "kept"),
    [(1.0000001, 1.0), (1.0009, 1.0), (-1e-7, 0.0), (1.1, None), (-0.5, None), (np.nan, None)],
)
def test_scores_outside(score: float, kept: float | None) -> None:
    with pytest.raises(ValueError, match="scores: row 0"):
        Detections([GOOD], [score * (1 + 1e-6)])
    found = Detections([GOOD], [score], invalid="drop")
    assert found.invalid_rows == 1
    assert found.scores.tolist() == ([] if kept is None else [kept])


def test_embeddings_that_are_none() -> None:
    rows = np.array([[0.0, 0.0], [np.nan, 1.0], [3.0, 4.0]])
    found = Detections([GOOD] * 3, embeddings=rows, invalid="drop")
    assert found.invalid_rows == 2
    assert found.embeddings is not None
    assert found.embeddings.tolist() == [pytest.approx([0.6, 0.8])]


def test_a_frame_without_detections() -> None:
    """As detectors give it: arrays of no rows, which were an error."""
    nothing = np.zeros((0, 4)), np.zeros(0), np.zeros(0), np.zeros((0, 8))
    found = Detections(*nothing, invalid="drop")
    assert (len(found), found.invalid_rows) == (0, 0)


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    boxes = torch.tensor([GOOD, [5, 5, 5, 9]], requires_grad=True)
    found = Detections(boxes, torch.tensor([0.5, 0.5]).bfloat16(), invalid="drop")
    assert (len(found), found.invalid_rows) == (1, 1)


def test_nothing_wrong_and_nothing_left() -> None:
    assert Detections([GOOD], [0.5], invalid="drop").invalid_rows == 0
    assert Detections([GOOD], [0.5]).invalid_rows == 0
    assert Detections([], invalid="drop").invalid_rows == 0
    nothing = Detections([[1, 1, 1, 1]], [2.0], invalid="drop")
    assert (len(nothing), nothing.invalid_rows) == (0, 1)
    assert len(Tracker("none", "none", "none").update(None, nothing)) == 0


def test_wrong_shapes_and_types_stay_errors() -> None:
    with pytest.raises(ValueError, match=r"xyxy: expected shape \(N, 4\)"):
        Detections([[1, 2, 3]], invalid="drop")
    with pytest.raises(ValueError, match=r"scores: expected shape \(1,\)"):
        Detections([GOOD], [0.5, 0.6], invalid="drop")
    with pytest.raises(TypeError, match="scores: expected numbers"):
        Detections([GOOD], ["high"], invalid="drop")
    with pytest.raises(ValueError, match="invalid: expected raise or drop, got 'mend'"):
        Detections([GOOD], invalid="mend")  # type: ignore[arg-type]
