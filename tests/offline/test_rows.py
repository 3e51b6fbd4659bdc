"""The structure of finished tracks: checks, order, and the ways in and out."""

import numpy as np
import pytest

from mot_reid import Tracks
from mot_reid.offline.rows import TrackRows, track_starts

BOX = [10.0, 20.0, 50.0, 120.0]


def rows(frames: list[int], ids: list[int]) -> TrackRows:
    return TrackRows.from_arrays(np.array(frames), np.array(ids), np.tile(BOX, (len(frames), 1)))


def test_rows_are_sorted_by_id_and_frame() -> None:
    made = rows([3, 1, 2, 1], [1, 2, 1, 1])
    assert made.ids.tolist() == [1, 1, 1, 2]
    assert made.frames.tolist() == [1, 2, 3, 1]
    assert track_starts(made.ids).tolist() == [0, 3]


def test_an_id_is_once_in_a_frame() -> None:
    with pytest.raises(ValueError, match="id 7 is twice in frame 3"):
        rows([3, 1, 3], [7, 7, 7])


def test_boxes_are_checked() -> None:
    with pytest.raises(ValueError, match="row 0 is not finite or has no area"):
        TrackRows.from_arrays(np.array([1]), np.array([1]), np.array([[5.0, 5.0, 5.0, 9.0]]))
    with pytest.raises(ValueError, match=r"ids: expected shape \(2,\)"):
        TrackRows.from_arrays(np.array([1, 2]), np.array([1]), np.tile(BOX, (2, 1)))


def test_from_tracks_and_back() -> None:
    def seen(ids: list[int]) -> Tracks:
        count = len(ids)
        boxes = np.tile(np.array(BOX, np.float32), (count, 1))
        scores = np.linspace(0.5, 0.9, count).astype(np.float32)
        return Tracks(np.array(ids, np.int64), boxes, scores, np.zeros(count, np.int64), np.arange(count))

    tracks = {1: seen([2, 1]), 2: Tracks.empty(), 3: seen([1])}
    made = TrackRows.from_tracks(tracks)
    assert made.ids.tolist() == [1, 1, 2]
    assert made.detection_index.tolist() == [1, 0, 0]
    assert not made.interpolated.any()
    back = made.to_tracks([1, 2, 3])
    assert list(back) == [1, 2, 3]
    assert [len(back[number]) for number in (1, 2, 3)] == [2, 0, 1]
    assert back[1].ids.tolist() == [1, 2]
    assert back[1].detection_index.tolist() == [1, 0]
    np.testing.assert_allclose(back[1].scores, [0.9, 0.5])


def test_nothing() -> None:
    none = TrackRows.empty()
    assert len(none) == 0
    assert none.to_tracks() == {}
    assert len(TrackRows.from_tracks({1: Tracks.empty()})) == 0
    assert track_starts(none.ids).tolist() == []
