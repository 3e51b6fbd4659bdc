"""Frames of a video while it is still read through, and of one that was trimmed by an edit list."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from starlette.testclient import TestClient

from mot_reid.app import video_index
from mot_reid.app.frames import FrameReader
from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app
from mot_reid.app.video_index import StillReading
from mot_reid.structures import Tracks
from mot_reid.video.sources import open_source
from mot_reid.video.video_sink import VideoSink

from .conftest import FRAMES, HEIGHT, WIDTH, make_run
from .pages import Page


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Frame n has the grey n + n."""
    path = tmp_path / "grey.mp4"
    with VideoSink(path, 25.0, 18) as sink:
        for frame in range(1, 121):
            sink.write(frame, np.full((HEIGHT, WIDTH, 3), 2 * frame, np.uint8), Tracks.empty())
    return path


@pytest.fixture
def unindexed(video: Path) -> Path:
    """The same in a file without an index of its frames."""
    path = video.with_suffix(".mkv")
    rewrite(video, path, lambda stamp: stamp)
    return path


def rewrite(video: Path, path: Path, moved: Callable[[int], int], **options: str) -> None:
    """Puts a video's packets into another file, with other time stamps."""
    with av.open(str(video)) as source, av.open(str(path), "w", options=options) as made:
        stream = source.streams.video[0]
        own = made.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.pts is not None and packet.dts is not None:
                packet.stream, packet.pts, packet.dts = own, moved(packet.pts), moved(packet.dts)
                made.mux(packet)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set nobody reads on behind the 40th packet."""
    gate, count = threading.Event(), 0

    def read(*_: object) -> None:
        nonlocal count
        count += 1
        if count > 40:
            gate.wait(60)

    monkeypatch.setattr(video_index, "restamp", read)
    monkeypatch.setattr(video_index, "_EVERY", 0.0)
    yield gate
    gate.set()


def grey(reader: FrameReader, number: int) -> float:
    image = reader.image(number)
    assert image is not None
    return float(image.mean())


def test_what_is_read_is_shown_and_the_rest_is_told(unindexed: Path, far: threading.Event) -> None:
    reader = FrameReader(unindexed)
    told: list[StillReading] = []
    while not told or told[-1].share == 0:
        try:
            assert grey(reader, 30) == pytest.approx(60, abs=1.5)
            reader.image(100)
        except StillReading as error:
            told.append(error)
    assert 0 < told[-1].share < 1
    far.set()
    reader.wait()
    assert grey(reader, 100) == pytest.approx(200, abs=1.5)
    assert reader.image(121) is None
    reader.close()


def test_what_an_edit_list_leaves_out_has_no_number(video: Path, tmp_path: Path) -> None:
    """As phones write it when a video is trimmed."""
    trimmed = tmp_path / "trimmed.mp4"
    with av.open(str(video)) as source:
        stamps = sorted(packet.pts for packet in source.demux(video=0) if packet.pts is not None)
    rewrite(video, trimmed, lambda stamp: stamp - stamps[10], avoid_negative_ts="disabled", use_editlist="1")
    with open_source(trimmed) as frames:
        tracked = {frame.number: float(frame.image.mean()) for frame in frames}
    reader = FrameReader(trimmed)
    reader.wait()
    assert len(tracked) == 110
    assert {number: grey(reader, number) for number in (1, 60, 110)} == {n: tracked[n] for n in (1, 60, 110)}
    assert reader.image(111) is None
    reader.close()


def test_formats_without_key_frames_in_an_index_give_the_frame_that_is_asked_for(
    video: Path, tmp_path: Path
) -> None:
    stream = tmp_path / "grey.ts"
    rewrite(video, stream, lambda stamp: stamp)
    reader = FrameReader(stream)
    reader.wait()
    wanted = (119, 30, 100, 7, 64, 120, 1)
    assert [grey(reader, number) / 2 for number in wanted] == pytest.approx(wanted, abs=0.9)
    reader.close()


def test_frames_of_a_damaged_video_are_found_by_their_times(video: Path) -> None:
    """As if ten were lost behind the 50th: numbers go on, and the 61st picture is the 51st frame."""
    reader = FrameReader(video, lambda number: (number - 1 + 10 * (number > 50)) / 25)
    reader.wait()
    assert {n: round(grey(reader, n) / 2) for n in (1, 50, 51, 110)} == {1: 1, 50: 50, 51: 61, 110: 120}
    assert reader.image(111) is None
    reader.close()


@pytest.mark.parametrize("even", [True, False])
def test_a_file_with_an_index_need_not_be_read_through_where_its_rate_is_one(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, even: bool
) -> None:
    place, read = tmp_path / "other.mp4", 0

    def count(*_: object) -> None:
        nonlocal read
        read += 1

    rewrite(video, place, lambda stamp: stamp if even else stamp + max(stamp - 150_000, 0) // 2)
    monkeypatch.setattr(video_index, "restamp", count)
    reader = FrameReader(place)
    reader.wait()
    assert read == (64 if even else 120)
    assert {n: round(grey(reader, n) / 2) for n in (1, 43, 100, 120)} == {n: n for n in (1, 43, 100, 120)}
    assert reader.image(121) is None
    reader.close()


def test_the_page_goes_on_while_the_video_is_read(
    browser: Any, unindexed: Path, far: threading.Event, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    run = runs_in([make_run(tmp_path / "yard")], {"yard": unindexed})[0]
    run.correct({"kind": "split", "id": 1, "frame": 50})  # the third is seen late only
    app = make_app([run])
    shown = Page(browser, serve(app), 400)
    shown.until(lambda: 0 < shown.pixel(0.99, 0.01)[0] < 8, "the first picture")
    shown.set("#seek", FRAMES, "input")
    shown.until(lambda: "still being read" in shown.text("#message"), "what is read to be told")
    assert shown.boxes == 2
    shown.click("#tab-people")
    shown.until(lambda: "3 of 3" in shown.text("#people-count"), "everybody")
    assert TestClient(app).get("/api/runs/r0/crops/3").status_code == 202
    far.set()
    shown.until(lambda: shown.text("#message") == "", "the video to be read")
    shown.until(lambda: abs(shown.pixel(0.99, 0.01)[0] - 2 * FRAMES) < 4, "the last picture")
    loaded = "return [...document.querySelectorAll('#people-list img')].filter((i) => i.naturalHeight).length"
    shown.until(lambda: shown.js(loaded) == 3, "everybody's picture")
    assert shown.problems() == []
