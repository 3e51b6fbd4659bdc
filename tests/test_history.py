"""The recent past of tracks: what is kept, and that it stays bounded."""

import numpy as np
import pytest

from mot_reid import History, Tracks


def tracks(*ids: int, left: float = 0) -> Tracks:
    numbers = np.array(ids, np.int64)
    boxes = np.array([[left + track_id, 0, left + track_id + 10, 20] for track_id in ids], np.float32)
    return Tracks(
        numbers, boxes.reshape(-1, 4), np.ones(len(ids), np.float32), 0 * numbers, np.arange(len(ids))
    )


def test_the_last_boxes_of_each_track_with_gaps() -> None:
    history = History(frames=4)
    for number, ids in enumerate(([1], [1, 2], [2], [1, 2], [1])):
        history.add(tracks(*ids, left=100.0 * number))
    assert history.ids.tolist() == [1, 2]
    past = history[1]  # the first frame is forgotten
    assert past.ages.tolist() == [3, 1, 0]
    assert past.xyxy[:, 0].tolist() == [101, 301, 401]
    assert history[2].ages.tolist() == [3, 2, 1]
    history.add(tracks(3))
    assert history[2].ages.tolist() == [3, 2]


def test_who_is_gone_is_forgotten_and_memory_is_bounded() -> None:
    history = History(frames=5)
    for number in range(1000):
        history.add(tracks(number, number + 1))
        assert len(history) <= 6
    assert 0 not in history
    assert 1000 in history
    with pytest.raises(KeyError):
        history[0]
    for _ in range(5):
        history.add(Tracks.empty())
    assert len(history) == 0
    assert history.ids.dtype == np.int64


def test_a_new_video_and_wrong_lengths() -> None:
    history = History()
    history.add(tracks(1))
    history.clear()
    assert 1 not in history
    with pytest.raises(ValueError, match="frames: expected at least 1, got 0"):
        History(0)
