"""Runs over a source: stages that overlap give what stages in turn give, whatever happens on the way."""

import gc
import json
import signal
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mot_reid import Detections, Tracker, load_config
from mot_reid.association.cascade import CASCADE, with_terms
from mot_reid.association.state import FrameState, Pairs
from mot_reid.gallery.recorder import TrackletRecorder
from mot_reid.gallery.records import Tracklet
from mot_reid.pipeline.finished_tracks import TrackColumns, read_columns
from mot_reid.pipeline.id_changes import IdChangesFile
from mot_reid.pipeline.run import track_source
from mot_reid.pipeline.summary import Summary
from mot_reid.video.frames import Frame, Source, SourceInfo


class Walk(Source):
    """Two people who pass each other, drawn as they are asked for; counts the pictures that are held."""

    def __init__(self, frames: int = 40, live: bool = False, pause: float = 0.0) -> None:
        self.info = SourceInfo("walk", "webcam" if live else "video", 160, 120, 25.0, None, live)
        self._frames, self._pause = frames, pause
        self.alive: weakref.WeakSet[Any] = weakref.WeakSet()
        self.most_alive = 0

    def __iter__(self) -> Iterator[Frame]:
        for number in range(1, self._frames + 1):
            time.sleep(self._pause)
            frame = Frame(number, walkers(number))
            self.alive.add(frame)
            self.most_alive = max(self.most_alive, len(self.alive))
            yield frame
            del frame

    def close(self) -> None:
        pass


def walkers(number: int) -> np.ndarray:
    image = np.random.default_rng(number % 7).integers(90, 110, (120, 160, 3), dtype=np.uint8)
    for x, y, colour in ((2 * number % 140, 20, (0, 0, 255)), (140 - 2 * number % 140, 60, (255, 0, 0))):
        image[y : y + 40, x : x + 16] = colour
    image[0, 0] = number
    return image


class ByColour:
    """A detector of red and blue boxes that takes its time, now more, now less."""

    class_names: ClassVar = {0: "person"}

    def __init__(self, calls_at_once: int = 1, batch_size: int = 1, fails_at: int = 0) -> None:
        self.calls_at_once, self.batch_size = calls_at_once, batch_size
        self.batches: list[int] = []
        self._fails_at = fails_at
        self._pauses = np.random.default_rng(0)

    def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
        self.batches.append(len(frames))
        if any(frame[0, 0, 0] == self._fails_at for frame in frames):
            raise RuntimeError("no detections today")
        time.sleep(self._pauses.uniform(0, 0.003))
        return [self._one(frame) for frame in frames]

    def _one(self, frame: np.ndarray) -> Detections:
        boxes = []
        for channel in (0, 2):
            x, y, width, height = cv2.boundingRect((frame[..., channel] > 200).astype(np.uint8))
            if width:
                boxes.append([x, y, x + width, y + height])
        return Detections(np.array(boxes, float).reshape(-1, 4))


class MeanColour:
    """An embedder: the mean colour of each box, off grey."""

    def __init__(self, frames_at_once: int = 1, fails_at: int = 0) -> None:
        self.frames_at_once, self._fails_at = frames_at_once, fails_at
        self.batches: list[int] = []

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        if frame[0, 0, 0] == self._fails_at:
            raise RuntimeError("no looks today")
        means = [frame[int(y1) : int(y2), int(x1) : int(x2)].mean(axis=(0, 1)) for x1, y1, x2, y2 in xyxy]
        return np.array(means, np.float32).reshape(-1, 3) - 100

    def embed_batch(self, frames: Sequence[np.ndarray], xyxy: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.batches.append(len(frames))
        return [self.embed(frame, boxes) for frame, boxes in zip(frames, xyxy, strict=True)]


def run(folder: Path, source: Source | None = None, *settings: str, **models: Any) -> Any:
    config = load_config(None, ["output.formats=[mot,csv,video]", "association.embedding.share=1", *settings])
    models = {"detector": ByColour(), "embedder": MeanColour()} | models
    return track_source(source or Walk(), Tracker(config=config, **models), folder)


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "summary.json"}


def test_overlapping_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path / "in turn", None, "pipeline.overlap=no")
    expected = written(tmp_path / "in turn")
    assert sorted(expected) == ["tracks.csv", "tracks.mp4", "tracks.txt"]
    assert expected["tracks.txt"].count(b"\n") > 70
    variants: dict[str, tuple[list[str], dict[str, Any]]] = {
        "threads": ([], {}),
        "side by side": (["pipeline.queue=1"], {"detector": ByColour(calls_at_once=3)}),
        "in batches": (
            ["pipeline.queue=5"],
            {"detector": ByColour(batch_size=7), "embedder": MeanColour(frames_at_once=7)},
        ),
    }
    for name, (settings, models) in variants.items():
        run(tmp_path / name, None, *settings, **models)
        assert written(tmp_path / name) == expected, name
    assert models["detector"].batches == models["embedder"].batches == [7] * 5 + [5]


def test_a_detector_that_rests_does_so_in_every_kind_of_run(tmp_path: Path) -> None:
    every = "detector.every=3"
    summary = run(tmp_path / "in turn", None, "pipeline.overlap=no", every)
    expected = written(tmp_path / "in turn")
    rows = np.loadtxt(tmp_path / "in turn" / "tracks.txt", delimiter=",")
    assert (summary.frames, summary.looked) == (40, 14)
    assert set(rows[:, 0]) == set(range(1, 41))
    variants: dict[str, dict[str, Any]] = {
        "side by side": {"detector": ByColour(calls_at_once=3)},
        "in batches": {"detector": ByColour(batch_size=2), "embedder": MeanColour(frames_at_once=2)},
    }
    for name, models in variants.items():
        run(tmp_path / name, None, every, **models)
        assert written(tmp_path / name) == expected, name
    assert sum(models["detector"].batches) == 14


def test_auto_holds_a_live_sources_rate(tmp_path: Path) -> None:
    class Slow(ByColour):
        def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
            time.sleep(0.04)
            return super().detect(frames)

    options = ("detector.every=auto", "output.formats=[mot]", "camera.motion=none")
    live = run(
        tmp_path / "live", Walk(100, live=True, pause=0.01), *options, detector=Slow(), embedder="none"
    )
    assert (live.frames, live.dropped) == (100, 0)
    assert 10 <= live.looked <= 60
    rows = np.loadtxt(tmp_path / "live" / "tracks.txt", delimiter=",")
    assert len(set(rows[:, 0])) > 90
    told = json.loads((tmp_path / "live" / "summary.json").read_text())
    assert told["frames_looked_at"] == live.looked
    file = run(tmp_path / "file", Walk(10), *options, embedder="none")
    assert file.looked == 10


def test_selective_embedding_asks_frame_by_frame(tmp_path: Path) -> None:
    share = "association.embedding.share=0.3"
    run(tmp_path / "in turn", None, "pipeline.overlap=no", share)
    embedder = MeanColour(frames_at_once=7)
    run(tmp_path / "threads", None, share, detector=ByColour(calls_at_once=2), embedder=embedder)
    assert written(tmp_path / "threads") == written(tmp_path / "in turn")
    assert embedder.batches == []


def test_the_summary_tells_how_many_were_embedded(tmp_path: Path) -> None:
    summary = run(tmp_path, None, "association.embedding.share=0.3")
    told = json.loads((tmp_path / "summary.json").read_text())["embeddings"]
    assert told == {"made": summary.embedded, "possible": summary.embeddable}
    assert 0 < told["made"] < 0.6 * told["possible"]
    run(tmp_path, None, embedder="none")
    told = json.loads((tmp_path / "summary.json").read_text())["embeddings"]
    assert told == {"made": 0, "possible": 0}


def test_embeddings_that_are_given_are_not_made_again(tmp_path: Path) -> None:
    images = [walkers(number) for number in range(1, 41)]
    plain = ByColour().detect(images)
    given = {
        number: Detections(found.xyxy, embeddings=MeanColour().embed(image, found.xyxy))
        for number, (image, found) in enumerate(zip(images, plain, strict=True), start=1)
        if number != 20
    } | {20: plain[19]}
    embedder = MeanColour(frames_at_once=4)
    config = load_config(None, ["association.embedding.share=1"])
    tracker = Tracker(detector="none", embedder=embedder, config=config)
    track_source(Walk(), tracker, tmp_path, detections=given)
    assert sum(embedder.batches) == 1


def test_a_run_that_goes_on_can_be_read(tmp_path: Path) -> None:
    """With the formats by default, whose text has no times: they come of what is known of the source."""
    read: list[TrackColumns] = []

    def look(summary: Summary) -> None:
        if summary.frames == 20:
            assert not (tmp_path / "summary.json").exists()
            read.append(read_columns(tmp_path))

    (tmp_path / "summary.json").write_text("of an earlier run")
    tracker = Tracker(detector=ByColour(), embedder="none", config=load_config(None, []))
    track_source(Walk(), tracker, tmp_path, stride=2, on_frame=look)
    (found,) = read
    assert (found.fps, found.size, found.source) == (25.0, (160, 120), "walk")
    assert (found.summary["complete"], found.summary["stride"]) == (False, 2)
    assert found.columns["time"].tolist() == ((found.columns["frame"] - 1) / 25).tolist()
    assert found.columns["frame"].max() > 15
    assert not (tmp_path / "begun.json").exists()


def test_an_error_without_a_message_is_told_by_its_kind(tmp_path: Path) -> None:
    class Wordless(ByColour):
        def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
            raise MemoryError

    with pytest.raises(MemoryError):
        run(tmp_path, None, detector=Wordless())
    assert json.loads((tmp_path / "summary.json").read_text())["error"] == "MemoryError"


@pytest.mark.parametrize("overlap", ["yes", "no"])
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("part", ["detector", "embedder"])
def test_an_error_costs_nothing_that_came_before(overlap: str, size: int, part: str, tmp_path: Path) -> None:
    fails_at = {"detector": 0, "embedder": 0} | {part: 24}
    models = {
        "detector": ByColour(batch_size=size, fails_at=fails_at["detector"]),
        "embedder": MeanColour(frames_at_once=size, fails_at=fails_at["embedder"]),
    }
    reason = {"detector": "no detections today", "embedder": "no looks today"}[part]
    with pytest.raises(RuntimeError, match=reason):
        run(tmp_path, None, f"pipeline.overlap={overlap}", **models)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["frames"], summary["error"]) == (23, reason)
    rows = (tmp_path / "tracks.txt").read_text().splitlines()
    assert rows[-1].startswith("23,")


def test_few_frames_are_held(tmp_path: Path) -> None:
    """Whatever is slow: five stages with two frames each, and those in the workers' hands."""
    for name, pause in (("fast source", 0.0), ("slow source", 0.003)):
        source = Walk(60, pause=pause)
        detector = ByColour(calls_at_once=2)
        run(tmp_path / name, source, "pipeline.queue=2", detector=detector)
        gc.collect()
        assert source.most_alive <= 5 * 2 + 2 + 1 + 1, name
        assert not source.alive


def test_a_live_source_is_answered_with_its_newest_frame(tmp_path: Path) -> None:
    source = Walk(150, live=True, pause=0.002)

    class Slow(ByColour):
        def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
            time.sleep(0.02)
            return super().detect(frames)

    summary = run(tmp_path, source, detector=Slow(calls_at_once=4))
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["frames_dropped"] == summary.dropped > 50
    assert summary.frames + summary.dropped == 150
    assert summary.last_frame == 150
    numbers = np.loadtxt(tmp_path / "tracks.txt", delimiter=",")[:, 0]
    assert (np.diff(numbers) >= 0).all()
    assert source.most_alive <= 8


@pytest.mark.parametrize("live", [False, True])
def test_a_run_in_a_thread_can_be_cancelled(tmp_path: Path, live: bool) -> None:
    """A live source has no other end: its run is complete then."""
    stop = threading.Event()
    tracker = Tracker(detector=ByColour(), embedder="none", camera_motion="none")
    caught = []

    def work() -> None:
        try:
            track_source(
                Walk(100_000, live=live, pause=0.001 * live), tracker, tmp_path, cancelled=stop.is_set
            )
        except KeyboardInterrupt as interrupt:
            caught.append(interrupt)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 30
    tracks = tmp_path / "tracks.txt"
    while not (tracks.exists() and tracks.stat().st_size > 300) and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join(timeout=30)
    assert len(caught) == 1
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["error"], summary["complete"]) == ((None, True) if live else ("interrupted", False))
    assert summary["interrupted"] is True
    assert np.loadtxt(tracks, delimiter=",")[-1, 0] == summary["last_frame"]
    assert summary["frames"] + summary["frames_dropped"] >= summary["last_frame"] - 2


@pytest.mark.parametrize("first", [True, False])
def test_signals_while_a_run_ends_cut_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """A second Ctrl-C, or the only one, in the moment in which each file is closed."""
    closed: list[str] = []

    def close(_: IdChangesFile) -> None:
        signal.raise_signal(signal.SIGINT)
        closed.append("id changes")

    class Memory(TrackletRecorder):
        def close(self) -> None:
            signal.raise_signal(signal.SIGINT)
            super().close()
            closed.append("memory")

    def interrupt(seen: Summary) -> None:
        if first and seen.frames == 30:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(IdChangesFile, "close", close)
    kept: list[Tracklet] = []
    memory = Memory(kept.extend, "door", "walk", embed=lambda crops: np.ones((len(crops), 1), np.float32))
    tracker = Tracker(detector=ByColour(), embedder="none", camera_motion="none")
    with pytest.raises(KeyboardInterrupt):
        track_source(Walk(), tracker, tmp_path, memory=memory, on_frame=interrupt)
    assert closed == ["id changes", "memory"]
    assert len(kept) == 2
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["frames"], summary["complete"]) == ((30, False) if first else (40, True))
    assert summary["tracklets_remembered"] == 2
    assert read_columns(tmp_path / "tracks.txt").columns["frame"].max() == summary["frames"]


def test_the_summary_has_what_is_remembered_where_that_fails_at_the_end(tmp_path: Path) -> None:
    class Memory(TrackletRecorder):
        def close(self) -> None:
            super().close()
            raise RuntimeError("embedding the others failed")

    memory = Memory(lambda _: None, "door", "walk", embed=lambda crops: np.ones((len(crops), 1), np.float32))
    tracker = Tracker(detector=ByColour(), embedder="none", camera_motion="none")
    with pytest.raises(RuntimeError, match="embedding the others failed"):
        track_source(Walk(), tracker, tmp_path, memory=memory)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["tracklets_remembered"], summary["gallery_run"]) == (2, memory.run)
    assert summary["error"] == "embedding the others failed"


def test_the_camera_of_each_frame_reaches_the_tracks_and_hindsight(tmp_path: Path) -> None:
    """Of every third frame; a motion file knows them by their own numbers, and one jerk is out of sight."""
    jerks = {10: 60.0, 25: -60.0}
    lines = [f"{number - 1} 1 0 {jerks.get(number, 0)} 0 1 0\n" for number in range(1, 41)]
    (tmp_path / "gmc.txt").write_text("".join(lines))

    class Every(Walk):
        def __iter__(self) -> Iterator[Frame]:
            return (frame for frame in super().__iter__() if frame.number % 3 == 1)

    given, left = {}, 40.0
    for number in range(1, 41):
        left += jerks.get(number, 0)
        if not 22 <= number <= 28:
            given[number] = Detections([[left, 20, left + 16, 60]])
    settings = (f"camera.motion={tmp_path / 'gmc.txt'}", "output.offline=yes", "output.formats=[mot]")
    settings += ("offline.smooth_time=0",)
    tracker = Tracker(detector="none", embedder="none", config=load_config(None, settings))
    track_source(Every(), tracker, tmp_path / "out", stride=3, detections=given)
    online, offline = (
        np.loadtxt(tmp_path / "out" / name, delimiter=",") for name in ("tracks.txt", "tracks_offline.txt")
    )
    assert set(online[:, 1]) == {1}
    assert offline[:, :2].tolist() == [[number, 1] for number in range(1, 41, 3)]
    expected = [40 if number < 10 or number >= 25 else 100 for number in range(1, 41, 3)]
    np.testing.assert_allclose(offline[:, 2], expected, atol=1e-2)


def test_with_a_lag_results_are_better_and_hindsight_is_the_same(tmp_path: Path) -> None:
    """Somebody is not detected for three frames of the stride."""
    given = {}
    for number in range(1, 41):
        seen = [[60.0 + number, 20, 76 + number, 60]] if not 18 <= number <= 24 else np.zeros((0, 4))
        given[number] = Detections(seen)
    for name, settings in (("now", ()), ("late", ("output.lag=0.3",))):
        config = load_config(None, ["output.offline=yes", "output.formats=[mot,video]", *settings])
        tracker = Tracker(detector="none", embedder="none", config=config)
        summary = track_source(Walk(), tracker, tmp_path / name, detections=given)
        assert summary.frames == 40
        assert not (tmp_path / name / "id_changes.jsonl").exists()
    now, late = (np.loadtxt(tmp_path / name / "tracks.txt", delimiter=",") for name in ("now", "late"))
    assert len(now) < 40
    assert late[:, :2].tolist() == [[number, 1] for number in range(1, 41)]
    np.testing.assert_allclose(late[:, 2], 60 + np.arange(1, 41), atol=0.5)
    assert len({(tmp_path / name / "tracks_offline.txt").read_bytes() for name in ("now", "late")}) == 1


def test_what_is_held_back_is_written_where_a_run_breaks_off(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no detections today"):
        run(tmp_path, None, "output.lag=0.4", detector=ByColour(fails_at=31))
    assert np.loadtxt(tmp_path / "tracks.txt", delimiter=",")[-1, 0] == 30


def test_a_stride_slows_the_frame_rate_down(tmp_path: Path) -> None:
    """25 frames/s, every fifth taken: seconds stay what they were, and the video has 5 frames/s."""

    class Fifth(Walk):
        def __iter__(self) -> Iterator[Frame]:
            return (frame for frame in super().__iter__() if frame.number % 5 == 1)

    tracker = Tracker(detector=ByColour(), embedder="none", camera_motion="none")
    track_source(Fifth(50), tracker, tmp_path, stride=5)
    assert tracker.time == pytest.approx(45 / 25)
    video = cv2.VideoCapture(str(tmp_path / "tracks.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(5)


def test_a_live_source_is_never_made_to_wait_for_a_batch(tmp_path: Path) -> None:
    detector, embedder = ByColour(batch_size=4), MeanColour(frames_at_once=4)
    summary = run(tmp_path, Walk(30, live=True, pause=0.004), detector=detector, embedder=embedder)
    assert detector.batches == [1] * summary.frames
    assert embedder.batches == []


def test_a_cascade_of_the_callers_own_sees_each_frame_once_and_in_order(tmp_path: Path) -> None:
    """It may keep something from frame to frame, so hindsight does not lead it back from the end."""
    given = {number: Detections([[60.0 + number, 20, 76 + number, 60]]) for number in range(1, 41)}
    called: list[int] = []

    def notes(frame: FrameState, pairs: Pairs) -> NDArray[np.bool_]:
        called.append(frame.number)
        return np.ones(len(pairs), bool)

    runs = {}
    for name, cascade in (("own", with_terms(CASCADE, "confident", gates=[notes])), ("default", None)):
        config = load_config(None, ["output.offline=yes", "output.formats=[mot]"])
        tracker = Tracker(detector="none", embedder="none", config=config, cascade=cascade)
        track_source(Walk(), tracker, tmp_path / name, detections=given)
        runs[name] = np.loadtxt(tmp_path / name / "tracks_offline.txt", delimiter=",")
    assert called == sorted(set(called))
    assert max(called) == 40
    np.testing.assert_allclose(runs["own"][:, :6], runs["default"][:, :6], atol=0.5)
