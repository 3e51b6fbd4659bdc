import numpy as np

from mot_reid import Detections, Tracks
from mot_reid.config import OfflineConfig
from mot_reid.offline.recorder import Recorder

PLAIN = OfflineConfig(grow_score=1, link_time=0, fill_time=1, smooth_time=0)


def seen(left: float) -> Tracks:
    one = np.ones(1, np.int64)
    return Tracks(
        one, np.array([[left, 0, left + 40, 100]], np.float32), np.ones(1, np.float32), one * 0, one * 0
    )


def test_frame_numbers_with_a_stride_come_back() -> None:
    recorder = Recorder()
    for number, tracks in ((3, seen(0)), (6, Tracks.empty()), (9, seen(20))):
        recorder.add(number, tracks, Detections.empty(), None)
    refined = recorder.refined(PLAIN, fps=10)
    assert list(refined) == [3, 6, 9]
    assert refined[6].ids.tolist() == [1]
    assert refined[6].xyxy.tolist() == [[10, 0, 50, 100]]
    assert refined[6].detection_index.tolist() == [-1]


def test_nothing_seen() -> None:
    recorder = Recorder()
    assert recorder.refined(OfflineConfig(), fps=25) == {}
    recorder.add(1, Tracks.empty(), Detections.empty(), None)
    assert len(recorder.refined(OfflineConfig(), fps=25)[1]) == 0


def test_detections_and_camera_motion_count() -> None:
    """Who stands still is followed back and filled in on the ground while the camera jerks twice."""
    recorder, left = Recorder(), 500.0
    for number in range(1, 15):
        jerk = {3: 70.0, 9: -90.0}.get(number, 0.0)
        left += jerk
        box = np.array([[left, 0, left + 40, 100]])
        reported = number > 5 and not 7 <= number <= 10
        found = Detections(box, [0.9 if reported else 0.5]) if reported or number < 6 else Detections.empty()
        recorder.add(
            number,
            seen(left) if reported else Tracks.empty(),
            found,
            np.array([[1.0, 0, jerk], [0, 1, 0]]),
        )
    refined = recorder.refined(OfflineConfig(smooth_time=0), fps=30)
    assert [tracks.ids.tolist() for tracks in refined.values()] == [[1]] * 14
    lefts = [500.0] * 2 + [570] * 6 + [480] * 6
    np.testing.assert_allclose([tracks.xyxy[0, 0] for tracks in refined.values()], lefts, atol=1e-3)
