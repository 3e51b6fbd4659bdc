"""Boxes in the order of frames: as found, by tracks and back, kept in files and read again."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from mot_reid.app import columns as module
from mot_reid.app.columns import CACHE, Columns, cached_columns
from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app
from mot_reid.app.summaries import summary_of
from mot_reid.offline.rows import TrackRows
from mot_reid.pipeline import finished_tracks
from mot_reid.pipeline.finished_tracks import read_columns, read_finished
from mot_reid.video.sinks import COLUMNS

from .conftest import FRAMES, make_run


@given(st.sets(st.tuples(st.integers(1, 30), st.integers(1, 5)), min_size=1, max_size=60))
def test_by_tracks_and_back(places: set[tuple[int, int]]) -> None:
    frames, ids = np.array(sorted(places)).T
    boxes = np.column_stack([ids, frames, ids + 10, frames + 20]).astype(float)
    rows = TrackRows.from_arrays(frames, ids, boxes)
    columns = Columns.of_rows(rows, None, fps=4.0)
    assert (np.diff(columns.frames) >= 0).all()
    back = columns.to_rows()
    for name in ("frames", "ids", "xyxy", "scores", "classes"):
        np.testing.assert_array_equal(getattr(back, name), getattr(rows, name))
    for first, last in ((1, 30), (7, 7), (31, 40)):
        size = np.frombuffer(columns.packed(first, last)[:4], "<u4")[0]
        assert size == ((frames >= first) & (frames <= last)).sum()
    stretches: dict[int, list[list[int]]] = {}
    for track in set(ids.tolist()):  # gaps up to two frames are none at 4 a second
        mine = frames[ids == track]
        pieces = np.split(mine, np.flatnonzero(np.diff(mine) > 2) + 1)
        stretches[track] = [[int(piece[0]), int(piece[-1])] for piece in pieces]
    assert {lane["id"]: lane["spans"] for lane in columns.lanes()} == stretches


def test_pieces_hold_whole_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 3)
    frames = np.array([1, 1, 2, 2, 2, 2, 5])
    rows = TrackRows.from_arrays(frames, np.array([1, 2, 1, 2, 3, 4, 1]), np.tile([0.0, 0, 5, 9], (7, 1)))
    pieces = list(Columns.of_rows(rows, None, 25.0).observations(25.0))
    assert [piece.frames.tolist() for piece in pieces] == [[1, 1, 2, 2, 2, 2], [5]]
    assert pieces[1].times.tolist() == [4 / 25]


def test_an_id_twice_in_a_frame_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tracks.txt"
    path.write_text("3,7,0,0,5,9,1,-1,-1,-1\n3,7,1,0,5,9,1,-1,-1,-1\n")
    with pytest.raises(ValueError, match=r"tracks\.txt: id 7 is twice in frame 3"):
        Columns.of_file(read_columns(path, 25.0), 25.0)


@pytest.mark.parametrize(("frame", "track"), [(3, 2**32 + 7), (2**40, 7), (3, 2**31)])
def test_numbers_that_are_too_large_are_named_and_not_wrapped(tmp_path: Path, frame: int, track: int) -> None:
    path = tmp_path / "tracks.txt"
    path.write_text(f"1,7,0,0,5,9,1,-1,-1,-1\n{frame},{track},1,0,5,9,1,-1,-1,-1\n")
    with pytest.raises(ValueError, match=r"tracks\.txt: row 2: (id|frame) \d+ is larger than 2147483647"):
        Columns.of_file(read_columns(path, 25.0), 25.0)


def test_frames_before_and_behind_those_with_known_times_have_times_by_fps(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "yard")
    head, *lines = (folder / "tracks.csv").read_text().splitlines(keepends=True)
    (folder / "tracks.csv").write_text(head + "".join(lines[20:60]))  # frames 11 to 30 of 60
    found = runs_in([folder])[0].found
    frames = np.arange(1, FRAMES + 1)
    np.testing.assert_allclose(found.when(frames, 25.0), (frames - 1) / 25)


def test_the_best_picture_is_none_outside_of_the_picture() -> None:
    boxes = np.array([[-400.0, -50, -20, 300], [-30, 20, 1, 200], [20, 20, 40, 70]])
    rows = TrackRows.from_arrays(np.array([1, 2, 3]), np.array([7, 7, 7]), boxes)
    assert Columns.of_rows(rows, None, 25.0).best_rows(7, (320, 240)).frames.tolist() == [3]


def test_long_runs_are_kept_and_read_again_when_their_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WORTH", 10)
    folder = make_run(tmp_path / "yard")
    whole = runs_in([folder])[0].columns.packed(1, FRAMES)
    assert (folder / CACHE).is_dir()
    assert CACHE in {entry["name"] for entry in runs_in([folder])[0].kept()}
    with monkeypatch.context() as patched:
        patched.setattr("mot_reid.app.runs.read_columns", None)  # nobody reads the tracks again
        again = runs_in([folder])[0]
        assert again.columns.packed(1, FRAMES) == whole
        assert summary_of(again)["classes"] == {"0": "person"}
    lines = (folder / "tracks.csv").read_text().splitlines(keepends=True)
    (folder / "tracks.csv").write_text("".join(lines[:-2]))
    assert cached_columns(folder, folder / "tracks.csv") is None
    assert len(runs_in([folder])[0].columns) == 2 * FRAMES - 2
    (folder / CACHE / "ids.npy").write_bytes(b"broken")
    assert len(runs_in([folder])[0].columns) == 2 * FRAMES - 2
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def test_where_nothing_can_be_kept_tracks_are_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WORTH", 10)
    folder = make_run(tmp_path / "yard")
    (folder / CACHE).write_text("in the way")
    assert len(runs_in([folder])[0].columns) == 2 * FRAMES
    assert (folder / CACHE).read_text() == "in the way"
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def test_long_texts_are_read_as_short_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "tracks.txt"
    path.write_text("2,1,10.25,20,30,40,0.9,-1,-1,-1\n1,3,1e1,2,3,4,1,-1,-1,-1\n")
    short = read_finished(path, 25.0)
    monkeypatch.setattr(finished_tracks, "_LONG", 0)
    long = read_finished(path, 25.0)
    np.testing.assert_array_equal(short.rows.xyxy, long.rows.xyxy)
    np.testing.assert_array_equal(short.scores, long.scores)
    path.write_text("2,1,10.25,x,30,40,0.9,-1,-1,-1\n")
    with pytest.raises(ValueError, match=r"tracks\.txt: not MOTChallenge's text"):
        read_finished(path, 25.0)


def test_runs_that_were_not_asked_for_lately_let_go_of_their_tracks(tmp_path: Path) -> None:
    runs = runs_in([make_run(tmp_path / f"run{number}") for number in range(6)])
    client = TestClient(make_app(runs), base_url="http://127.0.0.1")
    for run in runs:
        assert client.get(f"/api/runs/{run.key}").status_code == 200
    assert [run._found is None for run in runs] == [True, True, False, False, False, False]
    assert len(client.get("/api/runs/r0/rows?from=1&to=2").content) == 4 + 4 * 27


def test_long_csv_is_read_as_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "tracks.csv"
    head = ",".join(COLUMNS) + "\n"
    rows = [
        '2,1,10.25,20,30,40,0.9,0,"tall, ""red""",0,1.0,,,\n',
        "1,3,1e1,2,33,44,1,2,,-1,0.5,0.04,,7\n",
    ]
    path.write_text(head + "".join(rows))
    short = read_columns(path, 25.0)
    monkeypatch.setattr(finished_tracks, "_LONG", 0)
    long = read_columns(path, 25.0)
    assert dict(long.class_names) == dict(short.class_names) == {0: 'tall, "red"', 2: ""}
    assert long.columns.keys() == short.columns.keys()
    for name, values in short.columns.items():
        np.testing.assert_array_equal(long.columns[name], values, name)
    for broken in (rows[0].replace("10.25", ""), rows[0].replace("10.25", "x"), "1,2\n"):
        path.write_text(head + broken)
        with pytest.raises(ValueError, match=r"tracks\.csv"):
            read_columns(path, 25.0)
