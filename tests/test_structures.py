import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mot_reid import Detections, Tracks

BOX = [[10, 20, 30, 60]]


def test_detections_fill_in_what_is_left_out() -> None:
    detections = Detections(BOX)
    assert detections.xyxy.dtype == np.float32
    assert detections.scores.tolist() == [1.0]
    assert detections.classes.tolist() == [0]
    assert detections.embeddings is None
    assert len(Detections.empty()) == 0
    assert len(Detections([])) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"xyxy": [1, 2, 3, 4]}, r"xyxy: expected shape \(N, 4\), got \(4,\)"),
        ({"xyxy": [[1, 2, 3, 4, 5]]}, r"xyxy: expected shape \(N, 4\), got \(1, 5\)"),
        ({"xyxy": [[0, 0, 1, 1], [1, 2, np.nan, 4]]}, "xyxy: row 1 is not finite"),
        ({"xyxy": [[0, 0, np.inf, 1]]}, "xyxy: row 0 is not finite"),
        ({"xyxy": [[30, 20, 10, 60]]}, "xyxy: row 0 has no area"),
        ({"xyxy": [[10, 20, 10, 60]]}, "xyxy: row 0 has no area"),
        ({"xyxy": BOX, "scores": [0.5, 0.5]}, r"scores: expected shape \(1,\)"),
        ({"xyxy": BOX, "scores": [1.5]}, r"scores: row 0 is 1.5, expected a value in \[0, 1\]"),
        ({"xyxy": BOX, "scores": [np.nan]}, "scores: row 0 is nan"),
        ({"xyxy": BOX, "classes": [0.5]}, "classes: expected whole numbers"),
        ({"xyxy": BOX, "classes": [1e30]}, "classes: expected 64-bit integers"),
        ({"xyxy": BOX, "classes": [np.inf]}, "classes: expected 64-bit integers"),
        ({"xyxy": [[1, 2, 3], [4, 5]]}, "xyxy: expected rows of one length"),
        ({"xyxy": [[0, 0, 1e300, 9]]}, "xyxy: row 0 is not finite"),
        ({"xyxy": BOX, "embeddings": np.ones((2, 8))}, r"embeddings: expected shape \(1, D\)"),
        ({"xyxy": BOX, "embeddings": np.zeros((1, 8))}, "embeddings: row 0 is zero"),
        ({"xyxy": BOX, "embeddings": np.full((1, 8), np.nan)}, "embeddings: row 0 is zero or not finite"),
    ],
)
def test_wrong_values_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(**arguments)


@pytest.mark.parametrize("bad", [[["a", "b", "c", "d"]], [[object()] * 4]])
def test_wrong_types_are_named(bad: list) -> None:
    with pytest.raises(TypeError, match="xyxy: expected numbers"):
        Detections(bad)


@pytest.mark.parametrize("nothing", [[], np.array([]), np.zeros((0, 8))])
def test_nobody_has_no_embeddings(nothing: object) -> None:
    """What a loop over people collects in a frame without any."""
    nobody = Detections([], [], embeddings=nothing)
    assert len(nobody) == 0
    assert nobody.embeddings is not None
    assert len(nobody.embeddings) == 0


def test_embeddings_are_normalised() -> None:
    rows = Detections(BOX, embeddings=[[3.0, 4.0]]).embeddings
    assert rows is not None
    np.testing.assert_allclose(rows, [[0.6, 0.8]], rtol=1e-6)
    assert rows.dtype == np.float32


@given(arrays(bool, st.integers(0, 12)))
def test_selecting_rows_keeps_the_columns_together(mask: np.ndarray) -> None:
    n = len(mask)
    xyxy = np.arange(n)[:, None] + np.array([0, 0, 10, 20])
    chosen = Detections(xyxy, np.linspace(0, 1, n), np.arange(n), np.eye(n, n + 1) + 0.1)[mask]
    assert len(chosen) == mask.sum()
    np.testing.assert_array_equal(chosen.classes, np.flatnonzero(mask))
    np.testing.assert_array_equal(chosen.xyxy[:, 0], np.flatnonzero(mask))
    assert chosen.embeddings is not None
    assert chosen.embeddings.argmax(axis=1).tolist() == np.flatnonzero(mask).tolist()


def test_one_row_by_number() -> None:
    detections = Detections([[0, 0, 1, 1], [5, 5, 9, 9]])
    assert detections[1].xyxy.tolist() == [[5, 5, 9, 9]]


def test_tracks_check_their_shapes() -> None:
    two = np.array([1, 2])
    with pytest.raises(ValueError, match=r"scores: expected shape \(2,\) to match ids, got \(1,\)"):
        Tracks(two, np.zeros((2, 4), np.float32), np.zeros(1, np.float32), two, two)
    with pytest.raises(ValueError, match=r"id_confidence: expected shape \(2,\) to match ids, got \(1,\)"):
        Tracks(two, np.zeros((2, 4), np.float32), two, two, two, np.ones(1, np.float32))
    assert len(Tracks.empty()) == 0


def test_ids_are_sure_where_nothing_else_is_said() -> None:
    two = np.array([1, 2])
    tracks = Tracks(two, np.zeros((2, 4), np.float32), np.ones(2, np.float32), two, two)
    assert tracks.id_confidence.tolist() == [1, 1]
    assert tracks.id_confidence.dtype == np.float32


def test_a_negative_score_is_named() -> None:
    with pytest.raises(ValueError, match=r"scores: row 1 is -0.5, expected a value in \[0, 1\]"):
        Detections(BOX * 2, scores=[0.5, -0.5])


def test_short_embeddings_are_normalised_too_and_each_of_them() -> None:
    rows = Detections(BOX * 3, embeddings=[[0.6, 0.8], [0.3, 0.4], [3, 4]]).embeddings
    np.testing.assert_allclose(rows, [[0.6, 0.8]] * 3, rtol=1e-6)
