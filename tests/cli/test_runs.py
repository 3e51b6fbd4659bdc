"""Several sources at the same time."""

import itertools
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from mot_reid.cli import runs
from mot_reid.detection.base import Detector
from mot_reid.structures import Detections
from mot_reid.tracker import Tracker
from mot_reid.video import live
from mot_reid.video.clock import LiveClock
from mot_reid.video.frames import Frame, Selection, Source, SourceError, SourceInfo
from mot_reid.video.live import LiveSource

FRAMES = 3


class Nobody(Detector):
    """Finds nobody."""

    class_names = {0: "person"}  # noqa: RUF012

    def detect(self, frames: Any) -> list[Detections]:
        return [Detections.empty() for _ in frames]


class Camera(Source):
    """Gives a few frames, says something, and is gone."""

    label, endless = "camera", True

    def __init__(self, name: str) -> None:
        self.info = SourceInfo(name, "stream", 64, 48, 25.0, None, live=True)

    def __iter__(self) -> Iterator[Frame]:
        self.tell("interlaced")
        for number in range(1, FRAMES + 1):
            yield Frame(number, np.zeros((48, 64, 3), np.uint8), number / 25, 1e9 + number / 25)
            time.sleep(0.05)
        raise SourceError("camera: breaks off")

    def close(self) -> None:
        pass


def timed(call: Callable[..., None], taken: list[float]) -> Callable[..., None]:
    """Notes how long each call takes, seconds."""

    def called(*arguments: Any) -> None:
        begin = time.monotonic()
        try:
            call(*arguments)
        finally:
            taken.append(time.monotonic() - begin)

    return called


def gone() -> Source:
    raise SourceError("camera: cannot be opened")


def test_ctrl_c_reaches_cameras_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be waited for, minutes long, before anybody asked whether to go on."""
    real_wait, lost = runs.wait, [threading.Event(), threading.Event()]

    def opened(name: str, *_: object, **__: object) -> LiveSource:
        attempts = itertools.count(1)

        def connect() -> Source:
            if next(attempts) == 5:  # all frames are through by then
                lost[int(name)].set()
            return gone()

        return LiveSource(Camera(f"camera{name}"), LiveClock(), connect, Selection(), 10)

    def interrupted(futures: Any, timeout: float | None = None) -> Any:
        monkeypatch.setattr(runs, "wait", real_wait)
        assert all(event.wait(20) for event in lost)
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "FIRST_WAIT", 0.1)
    monkeypatch.setattr(runs, "open_source", opened)
    monkeypatch.setattr(runs, "wait", interrupted)
    tracker = Tracker(Nobody(), "none", "none")
    tracker.load()
    ended = []
    monkeypatch.setattr(LiveSource, "_again", timed(LiveSource._again, ended))
    with pytest.raises(typer.Exit):
        runs.Runs(tracker, Selection(), quiet=True).side_by_side(
            [(str(number), tmp_path / str(number)) for number in range(2)], 2
        )
    assert max(ended) < 6  # all attempts take more than a minute
    for number in range(2):
        summary = json.loads((tmp_path / str(number) / "summary.json").read_text())
        assert (summary["frames"] > 0, summary["interrupted"], summary["complete"]) == (True, True, True)
        assert "interlaced" in summary["notes"]


def test_a_second_signal_cuts_nothing_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_wait, begun = runs.wait, threading.Barrier(3)

    class Begun(Camera):
        def __iter__(self) -> Iterator[Frame]:
            begun.wait(20)
            yield from super().__iter__()

    def interrupted(futures: Any, timeout: float | None = None) -> Any:
        if timeout is None:  # the runs are told to end
            signal.raise_signal(signal.SIGTERM)
            return real_wait(futures)
        begun.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "open_source", lambda name, *_, **__: Begun(name))
    monkeypatch.setattr(runs, "wait", interrupted)
    tracker = Tracker(Nobody(), "none", "none")
    tracker.load()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises((typer.Exit, KeyboardInterrupt)) as caught:
            runs.Runs(tracker, Selection(), quiet=True).side_by_side(
                [(str(number), tmp_path / str(number)) for number in range(2)], 2
            )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.type is typer.Exit
    assert all((tmp_path / str(number) / "summary.json").exists() for number in range(2))
