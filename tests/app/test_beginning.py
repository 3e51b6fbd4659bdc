"""The first frames of a long run are shown while the rest is being read."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import mot_reid.app.beginning as module
from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app
from mot_reid.app.summaries import summary_of
from mot_reid.offline.corrections import CORRECTIONS
from mot_reid.pipeline.finished_tracks import read_columns

from .conftest import FRAMES, make_run
from .pages import Page

pq = pytest.importorskip("pyarrow.parquet")
arrow_csv = pytest.importorskip("pyarrow.csv")
NAMES = ("tracks.csv", "tracks.txt", "tracks.parquet")


@pytest.fixture(autouse=True)
def short_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_LONG", 1), ("_LONG_PARQUET", 1), ("_BYTES", 1500), ("_ROWS", 25)):
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, nobody has read all of a run."""
    opened = threading.Event()

    def read(folder: Path) -> Any:
        assert opened.wait(60)
        return read_columns(folder)

    monkeypatch.setattr("mot_reid.app.runs.read_columns", read)
    yield opened
    opened.set()


def make(folder: Path, name: str) -> Path:
    """A run whose tracks lie in this one file."""
    run = make_run(folder)
    table = arrow_csv.read_csv(run / "tracks.csv")
    if name.endswith(".parquet"):
        pq.write_table(table, run / name)
    if name.endswith(".txt"):
        columns = {key: table[key].to_numpy() for key in ("frame", "id", "x1", "y1", "x2", "y2")}
        lines = zip(*(values.tolist() for values in columns.values()), strict=True)
        text = (f"{f},{i},{a},{b},{c - a},{d - b},1,-1,-1,-1\n" for f, i, a, b, c, d in lines)
        (run / name).write_text("".join(text))
    if name != "tracks.csv":
        (run / "tracks.csv").unlink()
    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_beginning_is_that_of_the_whole(tmp_path: Path, name: str) -> None:
    run = runs_in([make(tmp_path / "yard", name)])[0]
    found = module.beginning_of(run.folder / name)
    assert found is not None
    assert found.frames == FRAMES
    last = int(found.columns.frames[-1])
    assert 5 < last < FRAMES / 2
    assert found.columns.packed(1, last) == run.columns.packed(1, last)
    assert found.columns.packed(last + 1, FRAMES) == bytes(4)  # no half of a frame
    np.testing.assert_array_equal(found.columns.times, run.columns.times[: len(found.columns.times)])
    assert (found.file.source, found.file.fps, found.file.size) == ("yard", 25.0, (320, 240))
    assert dict(found.file.class_names) == dict(run.file.class_names)


def test_no_beginning_where_it_would_be_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BYTES", 4000)
    path = make(tmp_path / "yard", "tracks.txt") / "tracks.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(sorted(lines, key=lambda line: int(line.split(",")[1]))))  # by track
    assert module.beginning_of(path) is None
    for broken in ("".join(lines) + "x\n", lines[0], "", "x" * 5000):
        path.write_text(broken)
        assert module.beginning_of(path) is None
    (path.with_name("tracks.parquet")).write_bytes(b"no such thing")
    assert module.beginning_of(path.with_name("tracks.parquet")) is None
    assert module.beginning_of(tmp_path / "missing.txt") is None


def test_the_beginning_is_answered_first(tmp_path: Path, gate: threading.Event) -> None:
    runs = runs_in([make(tmp_path / "yard", "tracks.txt")])
    client = TestClient(make_app(runs), base_url="http://127.0.0.1")
    first = client.get("/api/runs/r0").json()
    assert 5 < first["read_to"] < FRAMES / 2
    assert (first["frames"], first["width"], first["pictures"]) == (FRAMES, 320, True)
    assert [track["spans"] for track in first["tracks"]] == [[[1, first["read_to"]]]] * 2
    assert first["next_id"] == 0  # which ids there are nobody knows yet
    assert client.get("/api/runs/r0/frames/60").status_code in (200, 202)
    rows = client.get(f"/api/runs/r0/rows?from=1&to={first['read_to']}").content
    gate.set()
    whole = client.get("/api/runs/r0?whole").json()
    assert (whole["read_to"], whole["next_id"]) == (0, 3)
    assert [track["spans"] for track in whole["tracks"]] == [[[1, FRAMES]]] * 2
    assert client.get("/api/runs/r0").json() == whole
    assert client.get(f"/api/runs/r0/rows?from=1&to={first['read_to']}").content == rows
    assert len(client.get(f"/api/runs/r0/rows?from=1&to={FRAMES}").content) == 4 + 27 * 2 * FRAMES


def test_what_is_wrong_later_in_the_file_is_told(tmp_path: Path) -> None:
    path = make(tmp_path / "yard", "tracks.txt") / "tracks.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-20], "60,1,nan,2,3,4,1,-1,-1,-1\n", *lines[-20:]]))
    client = TestClient(make_app(runs_in([path.parent])), base_url="http://127.0.0.1")
    assert client.get("/api/runs/r0").json()["read_to"] > 5
    answer = client.get("/api/runs/r0?whole")
    assert answer.status_code == 422
    assert "tracks.txt: a box in frame 60" in answer.json()["error"]


def test_corrected_runs_are_shown_as_corrected(tmp_path: Path) -> None:
    run = make(tmp_path / "yard", "tracks.txt")
    (run / CORRECTIONS).write_text('{"kind": "rename", "id": 1, "name": "Ann"}\n')
    found = runs_in([run])[0]
    assert found.beginning() is None
    assert summary_of(found, whole=False)["names"] == {"1": "Ann"}


@pytest.mark.parametrize("width", [1280, 400])
def test_in_the_browser(
    browser: Any,
    tmp_path: Path,
    serve: Callable[[Any], str],
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    monkeypatch.setattr(module, "_BYTES", 8000)
    run = make(tmp_path / "yard", "tracks.txt")
    lines = (f"{frame},{track},{frame},40,20,60,1,-1,-1,-1\n" for frame in range(1, 400) for track in (1, 2))
    (run / "tracks.txt").write_text("".join(lines))
    page = Page(browser, serve(make_app(runs_in([run]))), width)
    assert page.js("return document.body.dataset.whole") == "no"
    page.until(
        lambda: page.js("return Number(document.getElementById('picture').dataset.boxes)") == 2, "boxes"
    )
    assert "2 tracks so far" in page.text("#about")
    assert "still being read" in page.text("#message")
    page.shot(f"reading-{width}")
    gate.set()
    page.until(lambda: page.js("return document.body.dataset.whole") == "yes", "all tracks")
    assert "2 tracks," in page.text("#about")
    assert "00:00.0 to 00:15.9" in page.text("#track-list")
    assert page.text("#message") == ""


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "street.mp4").write_bytes(b"")
    for name, told in (
        ("nowhere", "no such folder"),
        ("street.mp4", "a file; expected the output folder of a run"),
        ("empty", "no tracks in it or in the folders below it"),
    ):
        with pytest.raises(FileNotFoundError, match=f"{name}: {told}"):
            runs_in([tmp_path / name])


def test_a_run_in_a_folder_of_runs_is_shown_beside_them(tmp_path: Path) -> None:
    """But its corrected tracks are not, and a run that is named twice is shown once."""
    out = make_run(tmp_path / "out", videos=tmp_path)
    for name in ("door", "yard", "corrected"):
        make_run(out / name, videos=tmp_path)
    assert [run.folder for run in runs_in([out, out / "yard"])] == [out, out / "door", out / "yard"]


def test_a_video_of_no_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, video = make_run(tmp_path / "yard"), tmp_path / "street.mp4"
    for named in ((({"yrd": video}, {})), ({}, {"yrd": video})):
        with pytest.raises(ValueError, match=rf"yrd={video}: no such run; there are: yard$"):
            runs_in([folder], *named)
    monkeypatch.chdir(folder)
    assert runs_in([Path()], {}, {"yard": video})[0].truth == video
