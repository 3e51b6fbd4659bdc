"""What a recorder makes of tracks, frame by frame."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mot_reid.gallery.pooling import medoids, spread_choice, view_quality, weighted_mean
from mot_reid.gallery.recorder import RecorderSettings, TrackletRecorder
from mot_reid.gallery.records import Tracklet, parse_track
from mot_reid.gallery.splitting import split_points
from mot_reid.structures import Tracks

from .conftest import D, tracklet, unit

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8)
PERSON, OTHER = unit(np.eye(D)[0] + 0.1), unit(np.eye(D)[1] - 0.1)


def tracks(ids: Sequence[int], confidence: float = 1.0, seen: bool = True) -> Tracks:
    n = len(ids)
    boxes = np.array([[10 + 40 * place, 10, 40 + 40 * place, 100] for place in range(n)], np.float32)
    index = np.arange(n) if seen else np.full(n, -1)
    return Tracks(
        np.array(ids, np.int64),
        boxes.reshape(-1, 4),
        np.full(n, 0.9, np.float32),
        np.zeros(n, np.int64),
        index.astype(np.int64),
        np.full(n, confidence, np.float32),
    )


def looks(*rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(rows)), np.array(rows, np.float32)


def test_one_record_a_track() -> None:
    found: list[Tracklet] = []
    with TrackletRecorder(found.extend, "door", "door.mp4", class_names={0: "person"}) as recorder:
        for frame in range(1, 51):
            recorder.update(tracks([3, 4]), IMAGE, frame, frame / 25, looks(PERSON, OTHER))
    assert recorder.written == 2
    one, other = found
    assert (one.label, other.label) == ("door:3", "door:4")
    assert (one.first_frame, one.last_frame, one.boxes, one.views) == (1, 50, 50, 50)
    assert (one.start, one.end) == (1 / 25, 2.0)
    np.testing.assert_allclose(one.mean, PERSON, atol=1e-6)
    assert len(one.medoids) == 1  # all its looks are the same
    assert one.class_name == "person"
    assert 2 <= len(one.crops) <= 5
    picture = cv2.imdecode(np.frombuffer(one.crops[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (90, 30, 3)
    assert np.abs(picture.astype(int).mean() - IMAGE[10:100, 10:40].mean()) < 5
    assert one.path[0].tolist() == pytest.approx([1, 1 / 25, 10, 10, 40, 100])


def test_names_that_no_gallery_keeps_are_refused_before_the_first_frame() -> None:
    wrong: Any = Path("door.mp4")
    with pytest.raises(TypeError, match=r"source: expected a text, got (Posix|Windows)Path"):
        TrackletRecorder(list.clear, "door", wrong)
    with pytest.raises(ValueError, match=r"camera: 'caf\\udce9' is no text in UTF-8"):
        TrackletRecorder(list.clear, "caf\udce9", "door.mp4")


def test_records_leave_when_their_track_has_ended() -> None:
    found: list[Tracklet] = []
    settings = RecorderSettings(patience=2.0, batch=1)
    recorder = TrackletRecorder(found.extend, "door", "door.mp4", settings=settings)
    recorder.update(tracks([1]), None, 1, 0.0, looks(PERSON))
    for second in range(1, 6):
        recorder.update(tracks([]), None, 1 + second, float(second))
    assert [record.track_id for record in found] == [1]
    recorder.update(tracks([1]), None, 8, 6.0, looks(PERSON))  # back under the same id
    recorder.close()
    recorder.close()
    assert [record.label for record in found] == ["door:1", "door:1.1"]
    with pytest.raises(ValueError, match="closed"):
        recorder.update(tracks([1]), None, 9, 7.0)


def test_a_track_that_never_ends_is_written_in_parts() -> None:
    found: list[Tracklet] = []
    settings = RecorderSettings(longest=10.0, batch=1, most_views=16, path=8)
    with TrackletRecorder(found.extend, "door", "door.mp4", settings=settings) as recorder:
        for second in range(40):
            recorder.update(tracks([1]), None, second + 1, float(second), looks(PERSON))
    assert [record.part for record in found] == [0, 1, 2, 3]
    assert all(earlier.end < later.start for earlier, later in itertools.pairwise(found))
    assert sum(record.boxes for record in found) == 40
    assert max(len(record.path) for record in found) <= 8


def test_parts_of_a_track_are_counted_on_after_many_others() -> None:
    found: list[Tracklet] = []
    settings = RecorderSettings(longest=10.0, batch=1)
    with TrackletRecorder(found.extend, "door", "door.mp4", settings=settings) as recorder:
        for second in range(40):
            if second == 15:  # a part of it is written; then so many others come and go
                recorder._parts |= dict.fromkeys(range(2, 9_999), 1)
            if second == 35:
                recorder._parts |= dict.fromkeys(range(9_999, 10_003), 1)
            recorder.update(tracks([1]), None, second + 1, float(second), looks(PERSON))
    assert [record.part for record in found] == [0, 1, 2, 3]


def test_records_that_were_not_taken_are_handed_over_again() -> None:
    found: list[Tracklet] = []

    def take(records: list[Tracklet]) -> None:
        if recorder.written == 0 and not found and not recorder._closed:
            raise OSError("another process holds the gallery")
        found.extend(records)

    recorder = TrackletRecorder(take, "door", "door.mp4", settings=RecorderSettings(patience=1.0, batch=1))
    recorder.update(tracks([1]), None, 1, 0.0, looks(PERSON))
    with pytest.raises(OSError, match="holds the gallery"):
        recorder.update(tracks([2]), None, 2, 5.0, looks(OTHER))
    recorder.close()
    assert [record.track_id for record in found] == [1, 2]
    assert recorder.written == 2


def test_what_is_embedded_is_kept_where_embedding_fails_at_the_end() -> None:
    def embed(pictures: Sequence[np.ndarray]) -> np.ndarray:
        raise RuntimeError("out of memory")

    found: list[Tracklet] = []
    recorder = TrackletRecorder(
        found.extend, "door", "door.mp4", embed=embed, settings=RecorderSettings(patience=2.0)
    )
    recorder.update(tracks([1]), None, 1, 0.0, looks(PERSON))
    recorder.update(tracks([]), None, 2, 3.0)  # the first has ended; its record waits
    recorder.update(tracks([2, 3]), IMAGE, 3, 4.0, looks(OTHER))
    with pytest.raises(RuntimeError, match="out of memory"):
        recorder.close()
    assert [record.track_id for record in found] == [1, 2]
    assert (recorder.written, recorder.left_out) == (2, 1)


def test_memory_is_bounded() -> None:
    settings = RecorderSettings(most_views=32, path=8)
    recorder = TrackletRecorder(lambda _: None, "door", "door.mp4", settings=settings)
    for frame in range(1000):
        recorder.update(tracks([1]), IMAGE, frame + 1, frame / 25, looks(PERSON, *[OTHER] * 50))
    (track,) = recorder._tracks.values()
    assert all(look.base is None for look in track.embeddings)  # a view would hold the whole frame's
    assert len(track.embeddings) <= 33
    assert len(track.rows) <= 17
    assert len(track.pictures) <= 10


def test_a_track_that_changes_person_is_split() -> None:
    found: list[Tracklet] = []
    random = np.random.default_rng(1)
    with TrackletRecorder(found.extend, "door", "door.mp4") as recorder:
        for frame in range(1, 61):
            person = PERSON if frame <= 40 else OTHER
            look = unit(person + 0.05 * random.normal(size=D))
            sure = 1.0 if frame <= 40 else 0.5
            recorder.update(tracks([1], confidence=sure), IMAGE, frame, frame / 25, looks(look))
    assert [record.label for record in found] == ["door:1", "door:1.1"]
    assert (found[0].last_frame, found[1].first_frame) == (40, 41)
    assert found[0].mean @ PERSON > 0.98
    assert found[1].mean @ OTHER > 0.98
    assert (found[0].confidence, found[1].confidence) == (1.0, 0.5)


def test_views_that_show_somebody_else_do_not_count() -> None:
    found: list[Tracklet] = []
    with TrackletRecorder(found.extend, "door", "door.mp4") as recorder:
        recorder.update(tracks([1]), IMAGE, 1, 0.0, looks(PERSON))
        recorder.update(tracks([1], seen=False), IMAGE, 2, 1.0, looks(OTHER))
    assert found[0].views == 1
    assert len(found[0].crops) == 1


def test_a_box_outside_of_the_picture_shows_nobody() -> None:
    found: list[Tracklet] = []
    with TrackletRecorder(found.extend, "door", "door.mp4") as recorder:
        for frame, left in enumerate((-90, -60, -30, -29), start=1):  # of width 30, it comes in
            coming = replace(tracks([1]), xyxy=np.array([[left, 10, left + 30, 100]], np.float32))
            gone = replace(tracks([2]), xyxy=np.array([[500, 10, 530, 100]], np.float32))
            recorder.update(coming, IMAGE, frame, frame / 25, looks(PERSON if left > -30 else OTHER))
            recorder.update(gone, IMAGE, frame, frame / 25, looks(OTHER))
    assert [(record.track_id, record.views) for record in found] == [(1, 1)]
    np.testing.assert_allclose(found[0].mean, PERSON, atol=1e-6)
    assert recorder.left_out == 1


def test_pictures_are_embedded_where_no_embedding_came() -> None:
    asked: list[int] = []

    def embed(pictures: Sequence[np.ndarray]) -> np.ndarray:
        asked.append(len(pictures))
        return np.array([OTHER] * len(pictures))

    found: list[Tracklet] = []
    with TrackletRecorder(found.extend, "door", "door.mp4", embed=embed) as recorder:
        for frame in range(1, 51):
            recorder.update(tracks([1]), IMAGE, frame, frame / 25)
    assert len(asked) == 1
    np.testing.assert_allclose(found[0].mean, OTHER, atol=1e-6)
    without = TrackletRecorder(found.extend, "door", "door.mp4")
    without.update(tracks([1]), IMAGE, 1, 0.0)
    without.close()
    assert (without.written, without.left_out) == (0, 1)


def test_what_is_no_frame_is_refused() -> None:
    recorder = TrackletRecorder(lambda _: None, "door", "door.mp4")
    with pytest.raises(ValueError, match="frame: expected dtype uint8, got float32"):
        recorder.update(tracks([1]), np.zeros((9, 9, 3), np.float32), 1, 0.0)
    with pytest.raises(TypeError, match="frame: expected a numpy array, got str"):
        recorder.update(tracks([1]), "frame.jpg", 1, 0.0)  # type: ignore[arg-type]


def test_time_goes_forward() -> None:
    recorder = TrackletRecorder(lambda _: None, "door", "door.mp4")
    recorder.update(tracks([1]), None, 1, 1.0)
    with pytest.raises(ValueError, match=r"time: expected at least 1\.000 s"):
        recorder.update(tracks([1]), None, 2, 0.5)


def test_quality() -> None:
    boxes = np.array([[0, 0, 50, 96], [0, 0, 50, 48], [0, 0, 50, 96], [-25, 0, 25, 96]], np.float32)
    ones = np.ones(4, np.float32)
    quality = view_quality(boxes, ones, np.array([0, 0, 0.5, 0]), ones, (200, 200))
    assert quality.tolist() == pytest.approx([1, 0.5, 0.25, 0.25])


def test_pooling_by_hand() -> None:
    rows = unit(np.array([[1, 0], [1, 0], [0, 1.0]]))
    np.testing.assert_allclose(
        weighted_mean(rows, np.array([1.0, 1, 2])), unit(np.array([1, 1.0])), atol=1e-6
    )
    opposite = unit(np.array([[1, 0], [-1, 0.0]]))
    assert weighted_mean(opposite, np.array([1.0, 1.0])).tolist() == [1, 0]
    assert medoids(rows, np.ones(3)).tolist()[0] in (0, 1)
    assert sorted(rows[medoids(rows, np.ones(3))].tolist()) == [[0, 1], [1, 0]]
    assert len(medoids(rows, np.ones(3), most=1)) == 1
    assert spread_choice(np.array([0, 1, 2, 9.0]), np.array([0.1, 0.9, 0.5, 0.2]), 2).tolist() == [1, 3]
    assert spread_choice(np.array([5, 1.0]), np.ones(2), 3).tolist() == [1, 0]


def test_splitting_by_hand() -> None:
    rows = np.array([PERSON] * 6 + [OTHER] * 6)
    none, sure = np.zeros(12, bool), np.ones(12)
    assert split_points(rows, np.ones(12), sure, none).tolist() == [6]
    assert split_points(rows[:8], np.ones(8), sure[:8], none[:8]).tolist() == []  # two views are no evidence
    three = np.concatenate([rows, rows[:6]])
    assert split_points(three, np.ones(18), np.ones(18), np.zeros(18, bool)).tolist() == [6, 12]


def test_a_record_whose_mean_is_not_of_length_1_is_refused() -> None:
    record = tracklet(np.ones(D))
    with pytest.raises(ValueError, match="mean: expected length 1 in record a:1, got 3"):
        replace(record, mean=3 * record.mean)


def test_names_of_tracks() -> None:
    assert parse_track("a:b:17") == ("a:b", 17, None, "")
    assert parse_track("a:17.2") == ("a", 17, 2, "")
    assert parse_track("user@a:17.2@3f") == ("user@a", 17, 2, "3f")
    with pytest.raises(ValueError, match="expected CAMERA:ID"):
        parse_track("a17")
