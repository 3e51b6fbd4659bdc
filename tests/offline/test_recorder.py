import numpy as np

from mot_reid import Detections, Tracks
from mot_reid.association.associator import Associator
from mot_reid.config import OfflineConfig
from mot_reid.offline.recorder import OfflineRecorder

PLAIN = OfflineConfig(grow_score=1, link_time=0, fill_time=1, smooth_time=0)


def seen(left: float) -> Tracks:
    one = np.ones(1, np.int64)
    return Tracks(
        one, np.array([[left, 0, left + 40, 100]], np.float32), np.ones(1, np.float32), one * 0, one * 0
    )


def test_frame_numbers_with_a_stride_come_back() -> None:
    recorder = OfflineRecorder()
    for number, tracks in ((3, seen(0)), (6, Tracks.empty()), (9, seen(20))):
        recorder.add(number, tracks, Detections.empty(), None)
    refined = recorder.refined(PLAIN, fps=10)
    assert list(refined) == [3, 6, 9]
    assert refined[6].ids.tolist() == [1]
    assert refined[6].xyxy.tolist() == [[10, 0, 50, 100]]
    assert refined[6].detection_index.tolist() == [-1]


def test_seconds_are_those_of_the_frames_where_most_of_a_live_source_are_dropped() -> None:
    """Five of 25 a second are left, and somebody is out of sight for 0.8 and for 2 s."""
    recorder = OfflineRecorder()
    for number in range(20):
        tracks = Tracks.empty() if 2 <= number <= 4 or 7 <= number <= 15 else seen(number)
        recorder.add(5 * number + 1, tracks, Detections.empty(), None, time=0.2 * number)
    there = [bool(len(tracks)) for tracks in recorder.refined(PLAIN, fps=25).values()]
    assert there == [not 7 <= number <= 15 for number in range(20)]


def test_nothing_seen() -> None:
    recorder = OfflineRecorder()
    assert recorder.refined(OfflineConfig(), fps=25) == {}
    recorder.add(1, Tracks.empty(), Detections.empty(), None)
    assert len(recorder.refined(OfflineConfig(), fps=25)[1]) == 0


def test_detections_and_camera_motion_count() -> None:
    """Who stands still is followed back and filled in on the ground while the camera jerks twice."""
    recorder, left = OfflineRecorder(), 500.0
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


def swapped(associator: Associator | None, lost: int = 0) -> dict[int, set[int]]:
    """The detections in each track of two who pass each other, whom the tracker mixed up when they met.

    ``lost`` frames are lost in the middle; in every fifth frame nobody looked.
    """
    recorder = OfflineRecorder()
    for number in range(1, 61):
        if 20 < number <= 20 + lost:
            continue
        left, right = 6.0 * number, 400 - 6.0 * number
        found = Detections([[left, 100, left + 40, 200], [right, 104, right + 40, 206]], [0.9, 0.85])
        ids = np.array([1, 2] if number < 33 else [2, 1])
        looked = number % 5 != 0
        tracks = Tracks(ids, found.xyxy, found.scores, found.classes, np.arange(2))
        recorder.add(
            number, tracks if looked else Tracks.empty(), found if looked else None, None, time=number / 25
        )
    refined = recorder.refined(OfflineConfig(), 25, associator)
    rows = [
        (int(track), int(index))
        for tracks in refined.values()
        for track, index in zip(tracks.ids, tracks.detection_index, strict=True)
        if index >= 0
    ]
    return {track: {index for other, index in rows if other == track} for track, _ in rows}


def test_the_way_back_puts_right_who_was_mixed_up() -> None:
    assert swapped(None) == {1: {0, 1}, 2: {0, 1}}
    assert sorted(map(tuple, swapped(Associator(fps=25)).values())) == [(0,), (1,)]
    assert sorted(map(tuple, swapped(Associator(fps=25), lost=5).values())) == [(0,), (1,)]


def test_with_a_way_back_frames_and_nothing_at_all_are_as_ever() -> None:
    recorder = OfflineRecorder()
    assert recorder.refined(OfflineConfig(), 25, Associator(fps=25)) == {}
    recorder.add(3, Tracks.empty(), None, None, time=0.1)
    recorder.add(7, Tracks.empty(), Detections.empty(), None, time=0.2)
    assert list(recorder.refined(OfflineConfig(), 25, Associator(fps=25))) == [3, 7]
