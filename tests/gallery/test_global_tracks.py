"""Tracks with one number for one person everywhere, as hindsight knows them."""

import json
from pathlib import Path

import numpy as np
import pytest

from mot_reid.cli.identify import write_global_tracks
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.global_tracks import GlobalTracks, carried, global_ids
from mot_reid.gallery.identifying import Identities
from mot_reid.gallery.store import RecordTable
from mot_reid.offline.rows import TrackRows

from .conftest import D, Made, tracklet


def test_ids_of_boxes() -> None:
    frames = np.array([1, 1, 2, 2, 3, 9], np.int64)
    ids = np.array([1, 2, 1, 2, 1, 3], np.int64)
    new = global_ids(
        frames,
        ids,
        track_id=np.array([1, 1, 2]),
        first_frame=np.array([1, 3, 1]),
        last_frame=np.array([2, 3, 2]),
        numbers=np.array([7, 8, 7]),
        boxes=np.array([20, 1, 10]),
    )
    assert new.tolist() == [7, 0, 7, 0, 8, 0]  # track 2 would be person 7 twice; track 3 has no record


def identities(numbers: list[int], sure: list[bool], place: Path) -> Identities:
    """Tracks 1, 2, ... of camera a at 25 frames a second, two seconds each, three apart."""
    gallery = Gallery(place / "shop", Made())
    looks = np.eye(D)
    gallery.add(
        [
            tracklet(looks[row], track_id=row + 1, start=3.0 * row, end=3.0 * row + 2)
            for row in range(len(numbers))
        ]
    )
    table: RecordTable = gallery.table()
    return Identities(table, np.array(numbers), np.ones(len(numbers)), np.array(sure))


def lines(*rows: tuple[int, int, float]) -> str:
    """Frame, id and left edge; all boxes are 20 by 40."""
    return "".join(
        f"{frame},{track},{left:.2f},10.00,20.00,40.00,0.9000,-1,-1,-1\n" for frame, track, left in rows
    )


def table(text: str) -> list[tuple[int, int, float]]:
    rows = [line.split(",") for line in text.splitlines()]
    return [(int(row[0]), int(row[1]), float(row[2])) for row in rows]


def test_gaps_of_one_person_are_filled(tmp_path: Path) -> None:
    """Tracks 1, 2 and 3 are person 7: five frames apart, and two seconds, which is too long."""
    found = identities([7, 7, 7], [True] * 3, tmp_path)
    walk = [(frame, 1, 2.0 * frame) for frame in range(1, 11)]
    walk += [(frame, 2, 2.0 * frame) for frame in range(16, 26)]
    walk += [(frame, 3, 2.0 * frame) for frame in range(76, 86)]
    rows = table(GlobalTracks(found).text(lines(*walk), np.arange(3)))
    assert [frame for frame, _, _ in rows] == [*range(1, 26), *range(76, 86)]
    assert {number for _, number, _ in rows} == {7}
    for frame, _, left in rows:  # who walks on a line still does
        assert left == pytest.approx(2.0 * frame, abs=0.02)


def test_noise_of_boxes_is_smoothed_and_what_was_corrected_stays(tmp_path: Path) -> None:
    found = identities([1], [True], tmp_path)
    walk = [(frame, 1, 2.0 * frame + (-1) ** frame) for frame in range(1, 40)]
    smoothed = table(GlobalTracks(found).text(lines(*walk), np.arange(1)))
    off = [abs(left - 2.0 * frame) for frame, _, left in smoothed]
    assert max(off[5:-5]) < 0.2
    assert GlobalTracks(found).corrected(lines(*walk), np.arange(1)) == lines(*walk)
    assert GlobalTracks(found).text(lines(*walk), np.arange(1), lines(*walk)) == lines(*walk)


def test_who_is_not_sure_to_be_anybody_is_left_out(tmp_path: Path) -> None:
    """Person 2 was a glimpse; track 9 is not remembered, in two sources."""
    found = identities([1, 2], [True, False], tmp_path)
    text = lines((1, 1, 0), (1, 2, 100), (1, 9, 200))
    everybody = GlobalTracks(found)
    assert table(everybody.text(text, np.arange(2))) == [(1, 1, 0.0), (1, 3, 200.0)]
    assert table(everybody.text(lines((1, 9, 200)), np.zeros(0, np.intp))) == [(1, 4, 200.0)]
    with pytest.raises(ValueError, match="lines of frame, id"):
        everybody.text("1,2,a,b,c,d\n", np.arange(2))


def test_boxes_of_hindsight_have_the_numbers_of_those_they_were_made_of() -> None:
    """Hindsight joined tracks 1 and 2, began a frame earlier, filled frames 4 and 5, moved all by a pixel.

    They were two people, 7 and 8; 8 was seen by another track in frame 5 already.
    """
    frames, ids = np.array([2, 3, 6, 7, 5]), np.array([1, 1, 2, 2, 3])
    left = np.array([0, 0, 0, 0, 100.0])
    boxes = np.column_stack([left, left * 0, left + 20, left * 0 + 40])
    rows = TrackRows.from_arrays(frames, ids, boxes)
    numbers = np.where(rows.ids == 1, 7, 8)
    left = np.array([1, 1, 1, 1, 1, 1, 1, 101.0])
    boxes = np.column_stack([left, left * 0, left + 20, left * 0 + 40])
    refined = TrackRows.from_arrays(np.array([1, 2, 3, 4, 5, 6, 7, 5]), np.array([1] * 7 + [3]), boxes)
    assert carried(rows, numbers, refined).tolist() == [7, 7, 7, 7, 0, 8, 8, 8]


@pytest.mark.parametrize(
    ("summary", "number"),
    [
        ({"gallery_run": "tuesday", "source": {"location": ""}}, 5),  # a live camera: one source, two runs
        ({"source": {"location": "/videos/tuesday.mp4"}}, 5),  # a run from before runs were told
        ({"gallery_run": "monday", "source": {"location": "/videos/monday.mp4"}}, 4),
        ({"gallery_run": "gone", "source": {"location": ""}}, 6),  # forgotten: nobody who is known
    ],
)
def test_ids_of_another_run_of_the_camera_do_not_count(
    summary: dict[str, object], number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    for row, run in enumerate(("monday", "tuesday")):
        gallery.add([tracklet(np.eye(D)[row], track_id=1, run=run, source=f"/videos/{run}.mp4")])
    known = Identities(gallery.table(), np.array([4, 5]), np.ones(2), np.ones(2, bool))
    (tmp_path / "tracks.txt").write_text(lines((1, 1, 10.0), (2, 1, 11.0)))
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (written,) = write_global_tracks(known, {"a": tmp_path})
    assert {row[1] for row in table(written.read_text())} == {number}
    assert ("the gallery has none of its tracks" in capsys.readouterr().err) == (number == 6)
