"""Pictures of runs whose source is gone or damaged: those of the run's own video."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from mot_reid.app.runs import Run, runs_in
from mot_reid.app.server import make_app
from mot_reid.structures import Tracks
from mot_reid.video.video_sink import VideoSink

from .conftest import FRAMES, HEIGHT, WIDTH, make_run
from .pages import Page


def video(path: Path, greys: range) -> None:
    with VideoSink(path, 25.0, 10) as sink:
        for number, grey in enumerate(greys, 1):
            sink.write(number, np.full((HEIGHT, WIDTH, 3), grey, np.uint8), Tracks.empty())


def tell(folder: Path, **known: Any) -> None:
    """Changes what the run says of itself, and of its source."""
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    summary["source"]["location"] = str(known.pop("location", summary["source"]["location"]))
    path.write_text(json.dumps(summary | known))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of every second frame from the eleventh on, whose own video gets ever brighter."""
    made = make_run(tmp_path / "yard")
    video(made / "tracks.mp4", range(50, 250, 8))
    tell(made, stride=2, frames=25, last_frame=59)
    return made


def garbage(path: Path) -> None:
    path.write_bytes(b"no video" * 1000)


def emptied(path: Path) -> None:
    """A video whose pictures are overwritten: it opens, and nothing in it can be decoded."""
    video(path, range(50, 110))
    data = bytearray(path.read_bytes())
    at = data.find(b"mdat")
    while at >= 0:
        size = int.from_bytes(data[at - 4 : at], "big") - 8
        data[at + 4 : at + 4 + size] = bytes(size)
        at = data.find(b"mdat", at + 4 + size)
    path.write_bytes(data)


def grey(answer: Any) -> int:
    return int(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)[0, 0, 0])


DAMAGES = {
    "gone": lambda path: None,
    "garbage": garbage,
    "emptied": emptied,
    "no pictures": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_runs_own_video_takes_the_place_of_a_damaged_one(
    folder: Path, tmp_path: Path, damage: str
) -> None:
    source = tmp_path / "source.mp4"
    DAMAGES[damage](source)
    tell(folder, location=source)
    client = TestClient(make_app(runs_in([folder])), base_url="http://127.0.0.1")
    for frame, shade in ((11, 50), (13, 58), (14, 58), (59, 242)):  # those left out are the one before
        answer = client.get(f"/api/runs/r0/frames/{frame}")
        assert (answer.status_code, answer.headers["x-drawn"]) == (200, "yes")
        assert abs(grey(answer) - shade) < 4, frame
    assert client.get("/api/runs/r0/frames/9").status_code == 404
    run = client.get("/api/runs/r0").json()
    assert (run["pictures"], run["drawn"], run["no_pictures"]) == (True, True, "")
    (folder / "tracks.mp4").write_bytes(b"damaged, too")
    run = Run("r0", folder)
    assert run.pictures.reader() is None
    assert str(folder / "tracks.mp4" if damage == "gone" else source) in run.pictures.missing


def test_pictures_of_a_source_that_is_there_are_its_own(folder: Path) -> None:
    client = TestClient(make_app(runs_in([folder])), base_url="http://127.0.0.1")
    answer = client.get("/api/runs/r0/frames/11")
    assert (answer.status_code, "x-drawn" in answer.headers) == (200, False)
    assert grey(answer) == 90
    assert not client.get("/api/runs/r0").json()["drawn"]


def test_boxes_are_not_drawn_twice(
    browser: Any, folder: Path, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    garbage(tmp_path / "source.mp4")
    tell(folder, location=tmp_path / "source.mp4")
    make_run(tmp_path / "hall")
    shown = Page(browser, serve(make_app(runs_in([folder, tmp_path / "hall"]))))
    names = "['boxes', 'labels', 'trails', 'scene']"
    ticks = f"return {names}.map((name) => document.getElementById(`show-${{name}}`).checked)"
    told = "the pictures are of the run's own video, its boxes drawn in"
    shown.set("#seek", FRAMES - 1, "input")
    shown.until(lambda: shown.pixel(0.5, 0.02)[0] > 235, "the last picture, bright")
    shown.until(lambda: told in shown.text("#about"), "a word that boxes are drawn in")
    assert shown.js(ticks) == [False, False, False, True]
    shown.shot("own-video")
    shown.set("#run", "r1", "change")
    shown.until(lambda: told not in shown.text("#about"), "the other run")
    assert shown.js(ticks) == [True] * 4
    shown.set("#run", "r0", "change")
    shown.until(lambda: told in shown.text("#about"), "the first run")
    assert shown.js(ticks) == [False, False, False, True]
    shown.click("#tab-correct")
    shown.write("#one", "1")
    shown.click("#do-delete")
    shown.until(lambda: shown.js(ticks) == [True] * 4, "corrections, which are not in the video")
