"""The same association from the last frame to the first."""

import numpy as np
import pytest

from mot_reid import Detections, Tracks
from mot_reid.association.associator import Associator
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.way_back import tracked_backward

FPS = 25.0


def box(left: float, score: float = 0.9) -> Detections:
    return Detections([[left, 100, left + 40, 200]], [score])


def test_it_is_the_way_forward_of_a_film_run_backward() -> None:
    rng = np.random.default_rng(0)
    lefts = np.array([0, 90, 300, 310]) + rng.normal(0, 8, (40, 4)).cumsum(axis=0)
    seen = [Detections([[left, 50, left + 40, 150] for left in row]) for row in lefts]
    backward = tracked_backward(seen, [None] * 40, Associator(fps=FPS))
    associator = Associator(fps=FPS)
    turned = TrackRows.from_tracks({40 - place: associator.step(one) for place, one in enumerate(seen[::-1])})
    turned = turned[~turned.interpolated]
    assert len(backward) > 100
    for name in ("frames", "ids", "detection_index"):
        np.testing.assert_array_equal(getattr(backward, name), getattr(turned, name))


def test_the_camera_is_turned_back() -> None:
    """Somebody stands still while the camera pans by more than his width in every frame."""
    affines = [None, *(np.array([[1.0, 0, -70], [0, 1, 0]]) for _ in range(19))]
    seen = [box(2000 - 70 * place) for place in range(20)]
    rows = tracked_backward(seen, affines, Associator(fps=FPS), first_frame=5)
    assert rows.frames.tolist() == list(range(5, 25))
    assert len(set(rows.ids.tolist())) == 1
    lost = tracked_backward(seen, [np.eye(2, 3)] * 20, Associator(fps=FPS))
    assert len(lost) < 20


def test_where_nobody_looked_nobody_is_missed() -> None:
    seen = [box(4.0 * place) if place % 4 == 0 else None for place in range(41)]
    rows = tracked_backward(seen, [None] * 41, Associator(fps=FPS), first_frame=0)
    assert rows.frames.tolist() == list(range(0, 41, 4))
    assert len(set(rows.ids.tolist())) == 1
    assert rows.detection_index.tolist() == [0] * 11


@pytest.mark.parametrize(("pause", "tracks"), [(0.5, 1), (60.0, 2)])
def test_times_count(pause: float, tracks: int) -> None:
    """Frames were lost between two of those that came: for a moment, or for so long that he is another."""
    times = [place / FPS + (pause if place >= 10 else 0.0) for place in range(20)]
    rows = tracked_backward([box(100.0)] * 20, [None] * 20, Associator(fps=FPS), times)
    assert len(rows) >= 19  # a new one is confirmed in his second frame
    assert len(set(rows.ids.tolist())) == tracks


def test_nothing_at_all() -> None:
    assert len(tracked_backward([], [], Associator())) == 0
    assert len(tracked_backward([Detections.empty(), None], [None, None], Associator())) == 0


def test_many_frames_come_in_parts() -> None:
    rows = tracked_backward([box(100.0)] * 2500, [None] * 2500, Associator(fps=FPS))
    assert rows.frames.tolist() == list(range(1, 2501))
    assert set(rows.ids.tolist()) == {1}
    assert isinstance(rows.to_tracks()[1], Tracks)
