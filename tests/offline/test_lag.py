"""Frames given out later, with what is known by then."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from offline_scenes import assert_same, random_rows, scene, walk

from mot_reid import Detections, LaggedTracker, Tracker, Tracks
from mot_reid.association.reentry import IdChange
from mot_reid.config import OfflineConfig
from mot_reid.offline.interpolation import fill_gaps
from mot_reid.offline.lag import _MOST_TRACKS, Lag, _Scores
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.smoothing import smooth

PLAIN = OfflineConfig(grow_score=1, prune_share=0, smooth_time=0)
RATE = 10


def late(
    rows: TrackRows,
    lag: float,
    config: OfflineConfig = PLAIN,
    told: Mapping[int, list[IdChange]] | None = None,
    found: Mapping[int, Detections] | None = None,
    affines: Mapping[int, np.ndarray] | None = None,
) -> tuple[list[int], TrackRows]:
    """How many frames were out after each that was put in, 10 a second, and what was given out."""
    last = int(rows.frames.max(initial=0))
    tracks = rows.to_tracks(range(1, last + 1))
    keeper, given, counts = Lag[int](lag, config), {}, []
    for number in range(1, last + 1):
        given |= dict(
            keeper.put(
                number,
                tracks[number],
                (found or {}).get(number, Detections.empty()),
                (affines or {}).get(number),
                number / RATE,
                (told or {}).get(number, []),
            )
        )
        counts.append(len(given))
    given |= dict(keeper.rest())
    assert list(given) == list(range(1, last + 1))
    return counts, TrackRows.from_tracks(given)


def seen(rows: TrackRows) -> TrackRows:
    """Rows with a detection each."""
    return replace(rows, detection_index=np.zeros(len(rows), np.int64))


def test_a_frame_comes_so_much_later() -> None:
    rows = seen(scene(walk(1, range(1, 8), 0, 3)))
    assert late(rows, 0)[0] == [1, 2, 3, 4, 5, 6, 7]
    counts, found = late(rows, 0.3)
    assert counts == [0, 0, 0, 1, 2, 3, 4]
    assert_same(found, rows)
    assert found.detection_index.tolist() == [0] * 7


@settings(max_examples=40, deadline=None)
@given(rows=random_rows())
def test_with_a_lag_of_the_whole_video_it_fills_and_smooths_as_hindsight_does(rows: TrackRows) -> None:
    config = replace(PLAIN, fill_time=1.0, smooth_time=0.2)
    found = late(seen(rows), 1000, config)[1]
    assert_same(found, smooth(fill_gaps(seen(rows), RATE), 0.2 * RATE))


def test_a_gap_is_filled_where_its_end_is_known() -> None:
    rows = seen(scene(walk(1, range(1, 6), 0, 3), walk(1, range(9, 12), 0, 3)))
    found = late(rows, 0.4)[1]
    assert found.frames.tolist() == list(range(1, 12))
    assert found.detection_index.tolist() == [0] * 5 + [-1] * 3 + [0] * 3
    np.testing.assert_allclose(found.xyxy[:, 0], 3 * np.arange(1, 12), atol=1e-3)
    assert late(rows, 0.2)[1].frames.tolist() == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert late(rows, 0.4, replace(PLAIN, fill_time=0.2))[1].frames.tolist() == rows.frames.tolist()


def test_a_gap_is_filled_on_the_ground() -> None:
    """Somebody stands still while the camera jerks to the side for one frame."""
    affines = {number: np.array([[1.0, 0, x], [0, 1, 0]]) for number, x in ((3, 90), (4, -90))}
    rows = seen(scene(walk(1, range(1, 3), 0), walk(1, range(4, 6), 0)))
    found = late(rows, 0.3, replace(PLAIN, smooth_time=0.2), affines=affines)[1]
    np.testing.assert_allclose(found.xyxy[:, 0], [0, 0, 90, 0, 0], atol=1e-2)


def test_the_predicted_are_shown_as_long_as_they_are_expected() -> None:
    """Hidden from frame 5 on, predicted for three frames, and not seen again."""
    rows = scene(walk(1, range(1, 8), 0, 3), walk(2, range(1, 12), 300))
    hidden = (rows.ids == 1) & (rows.frames >= 5)
    rows = replace(rows, detection_index=np.where(hidden, -1, rows.ids - 1))
    for lag, frames in ((0, 7), (0.1, 6), (0.2, 5), (0.3, 4)):
        found = late(rows, lag)[1]
        assert found.frames[found.ids == 1].tolist() == list(range(1, frames + 1))


def test_an_id_that_is_put_right_in_time_does_not_show() -> None:
    rows = seen(scene(walk(2, range(1, 4), 0), walk(5, range(6, 9), 0), walk(2, range(9, 13), 0)))
    told = {9: [IdChange(before=5, now=2, frame=6, time=0.6, undone=False)]}
    assert set(late(rows, 0.3, told=told)[1].ids.tolist()) == {2}
    found = late(rows, 0.1, told=told)[1]
    assert found.ids[np.argsort(found.frames)].tolist() == [2, 2, 2, 5, 5, 2, 2, 2, 2, 2]


def test_what_is_told_of_rows_that_are_out_is_told_on() -> None:
    keeper, rows = Lag[int](0.2, PLAIN), seen(scene(walk(5, range(1, 9), 0))).to_tracks()
    change = IdChange(before=5, now=2, frame=4, time=0.4, undone=False)
    for number, tracks in rows.items():
        keeper.put(number, tracks, Detections.empty(), None, number / RATE)
    again = Tracks(np.array([2]), rows[8].xyxy, rows[8].scores, rows[8].classes, rows[8].detection_index)
    ((number, tracks),) = keeper.put(9, again, Detections.empty(), None, 0.9, [change])
    assert (number, tracks.ids.tolist()) == (7, [2])
    assert keeper.id_changes == [change]
    keeper.put(10, again, Detections.empty(), None, 1.0, [replace(change, frame=8)])
    assert keeper.id_changes == []


def test_a_track_begins_where_it_was_first_detected() -> None:
    rows = seen(scene(walk(3, range(7, 12), 0, 3)))
    found = {int(row[0]): Detections(row[None, 2:], [0.5]) for row in walk(3, range(1, 12), 0, 3)}
    grown = late(rows, 0.4, replace(PLAIN, grow_score=0.4), found=found)[1]
    assert grown.frames.tolist() == list(range(3, 12))
    np.testing.assert_allclose(grown.xyxy[:, 0], 3 * np.arange(3, 12), atol=1e-3)
    assert grown.detection_index.tolist() == [0] * 9
    assert late(rows, 0.4, found=found)[1].frames.tolist() == list(range(7, 12))


def test_what_lengthened_a_track_goes_with_it_to_its_other_id() -> None:
    walks = walk(2, range(1, 4), 0, 3), walk(5, range(9, 14), 0, 3), walk(2, range(14, 17), 0, 3)
    rows = seen(scene(*walks))
    found = {int(row[0]): Detections(row[None, 2:], [0.5]) for row in walk(5, range(1, 17), 0, 3)}
    del found[4], found[5], found[6]
    told = {14: [IdChange(before=5, now=2, frame=9, time=0.9, undone=False)]}
    shown = late(rows, 1, replace(PLAIN, grow_score=0.4), told, found)[1]
    assert (set(shown.ids.tolist()), shown.frames.tolist()) == ({2}, list(range(1, 17)))
    assert (shown.detection_index >= 0).tolist() == [number in found for number in range(1, 17)]


def test_what_lengthened_a_track_and_is_out_is_told_of_too() -> None:
    """The first three frames are out, in which the track was found once it had begun in the fourth."""
    keeper, told = Lag[int](0.5, replace(PLAIN, grow_score=0.4)), []
    rows = seen(scene(walk(5, range(9, 14), 0, 3))).to_tracks(range(1, 14))
    for row in walk(5, range(6, 14), 0, 3):
        number, found = int(row[0]), Detections(row[None, 2:], [0.5])
        change = [IdChange(before=5, now=2, frame=4, time=0.9, undone=False)] if number == 13 else []
        keeper.put(number, rows[number], found, None, number / RATE, change)
        told += keeper.id_changes
    assert told == [IdChange(before=5, now=2, frame=1, time=0.6, undone=False)]


def test_who_never_convinces_is_not_shown_and_who_once_did_stays() -> None:
    rows = seen(scene(walk(1, range(1, 20), 0), walk(2, range(1, 20), 200), walk(3, range(1, 20), 400)))
    scores = np.where(rows.ids == 2, 0.4, 0.9)
    scores[(rows.ids == 3) & (rows.frames > 4)] = 0.3
    found = late(replace(rows, scores=scores.astype(np.float32)), 0.2, replace(PLAIN, prune_share=0.82))[1]
    assert np.unique(found.ids, return_counts=True)[1].tolist() == [19, 19]
    assert set(found.ids.tolist()) == {1, 3}


@pytest.mark.parametrize("lag", [-0.1, float("nan")])
def test_what_is_no_lag_is_refused(lag: float) -> None:
    with pytest.raises(ValueError, match="lag: expected seconds from 0 on, got"):
        LaggedTracker(Tracker("none", "none", "none", fps=10), lag)


def test_a_video_without_anybody() -> None:
    keeper = Lag[str](0.1)
    assert keeper.put("a", Tracks.empty(), Detections.empty(), None, 0.0) == []
    ((name, tracks),) = keeper.rest()
    assert (name, len(tracks)) == ("a", 0)


def test_a_tracker_that_answers_late() -> None:
    """Seen, missed for two frames, seen again; the detector is asked once a frame."""

    class Seen:
        class_names = {0: "person"}  # noqa: RUF012
        asked = 0

        def detect(self, frames: list[np.ndarray]) -> list[Detections]:
            self.asked += 1
            gap = self.asked in (6, 7)
            return [Detections.empty() if gap else Detections([[10 + self.asked, 20, 50, 120]], [0.9])]

    detector, image = Seen(), np.zeros((200, 300, 3), np.uint8)
    tracker = LaggedTracker(Tracker(detector, "none", "none", fps=RATE), lag=0.3)
    frames = [image.copy() for _ in range(12)]
    out = [entry for frame in frames for entry in tracker.update(frame)]
    assert len(out) == 9
    out += tracker.finish()
    assert [frame is given for frame, (given, _) in zip(frames, out, strict=True)] == [True] * 12
    assert [tracks.ids.tolist() for _, tracks in out] == [[1]] * 12
    assert detector.asked == 12
    with pytest.raises(ValueError, match="detections"):
        LaggedTracker(Tracker("none", "none", "none"), lag=0.3).update(image, looked=True)


def test_scores_of_as_many_tracks_as_is_said_are_remembered() -> None:
    scores, box = _Scores(0.5), np.array([[0, 0, 10, 20]], np.float32)
    for track in range(1, _MOST_TRACKS + 2):
        assert 1 in scores or track == 1
        nothing = np.zeros(1, np.int64)
        scores.add(Tracks(nothing + track, box, np.ones(1, np.float32), nothing, nothing))
    assert [track in scores for track in (1, 2)] == [False, True]
