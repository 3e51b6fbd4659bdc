"""The driver: what is done, tried again, set aside, taken up again; and whole batches end to end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mot_reid import Tracker
from mot_reid.cluster import batch as module
from mot_reid.cluster.batch import BATCH_FILE, LOGS, Batch, Plan
from mot_reid.cluster.engines import Engine, Report, _call
from mot_reid.cluster.manifest import Video
from mot_reid.cluster.pieces import Piece, cut
from mot_reid.cluster.work import DONE, Job, _workplace
from mot_reid.cluster.work import detect_piece as detect_ahead
from mot_reid.cluster.work import track_whole as track_video
from mot_reid.config import Config, OutputConfig, load_config
from mot_reid.gallery.gallery import Gallery
from mot_reid.pipeline.summary import Summary
from mot_reid.video.frames import SourceInfo

TEXT_ONLY = Config(output=OutputConfig(formats=("mot",)))
LOST = Report(error="the worker process died", lost=True)
MACHINE = Report(error="its machine was lost", lost=True, blameless=True)


class InlineEngine(Engine):
    """Calls at once, in this process; ``losses`` come first, instead of calls."""

    name = "inline"

    def __init__(self, *losses: Report) -> None:
        self.losses = deque(losses)
        self.ended: list[tuple[Any, Report]] = []
        self.calls: list[str] = []

    @property
    def room(self) -> int:
        return 2 - len(self.ended)

    @property
    def busy(self) -> int:
        return len(self.ended)

    def submit(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        self.calls.append(function.__name__)
        report = self.losses.popleft() if self.losses else _call(function, arguments)
        self.ended.append((key, report))

    def reports(self, timeout: float) -> list[tuple[Any, Report]]:
        ended, self.ended = self.ended, []
        return ended

    def close(self) -> None:
        self.ended = []


def publish(place: str, job: Job) -> dict[str, Any]:
    Path(place).mkdir(parents=True, exist_ok=True)
    figures = {"fingerprint": job.fingerprint, "frames": 10, "rows": 5, "tracks": 1, "seconds": 0.1}
    (Path(place) / DONE).write_text(json.dumps(figures))
    return figures


def probe(source: str) -> tuple[int | None, float]:
    if "unreadable" in Path(source).stem:
        raise ValueError(f"{source}: not a video")
    return (3000 if "long" in source else 100), 10.0


def track_whole(job: Job, cores: int, pieces: tuple[Piece, ...] = ()) -> dict[str, Any]:
    if "poison" in Path(job.video.source).stem:
        raise ValueError("a poisonous video")
    return publish(job.place, job)


def detect_piece(job: Job, piece: Piece, cores: int) -> dict[str, Any]:
    if "shorter" in Path(job.video.source).stem and piece.number:
        raise ValueError("has only 50 frames")
    return publish(job.piece_place(piece), job)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Batch]:
    for function in (probe, track_whole, detect_piece):
        monkeypatch.setattr(module, function.__name__, function)

    def run(*names: str, engine: Engine | None = None, **plan: Any) -> Batch:
        videos = []
        for name in names:
            path = tmp_path / f"{name}.mp4"
            if not path.exists() and name != "missing":
                path.write_bytes(b"x")
            videos.append(Video(str(path), name, name))
        batch = Batch(videos, str(tmp_path / "out"), TEXT_ONLY, engine or InlineEngine(), Plan(**plan))
        batch.run()
        return batch

    return run


def statuses(batch: Batch) -> list[str]:
    return [state.status for state in batch.states]


def test_all_done_then_nothing_again(work: Callable[..., Batch], tmp_path: Path) -> None:
    first = work("a", "b")
    assert statuses(first) == ["done", "done"]
    engine = InlineEngine()
    assert statuses(work("a", "b", engine=engine)) == ["already done", "already done"]
    assert engine.calls == []
    (tmp_path / "a.mp4").write_bytes(b"another video")
    assert statuses(work("a", "b")) == ["done", "already done"]


def test_a_video_whose_camera_has_another_name_is_remembered_anew(
    work: Callable[..., Batch], tmp_path: Path
) -> None:
    (video,) = (state.video for state in work("a").states)
    found = []
    for gallery in (str(tmp_path / "g"), None):
        for camera in ("door", "gate"):
            mine = [replace(video, camera=camera)]
            batch = Batch(mine, str(tmp_path / "out"), TEXT_ONLY, InlineEngine(), Plan(), gallery=gallery)
            batch.run()
            found += statuses(batch)
    assert found == ["done", "done", "done", "already done"]


def test_an_output_may_be_the_url_of_a_folder(
    work: Callable[..., Batch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = work("a")
    monkeypatch.chdir(tmp_path)
    videos = [state.video for state in first.states]
    again = Batch(videos, f"file://{tmp_path}/out", TEXT_ONLY, InlineEngine(), Plan())
    again.run()
    assert statuses(again) == ["already done"]
    assert not (tmp_path / "file:").exists()


def test_a_name_may_be_as_long_as_the_disk_takes(tmp_path: Path) -> None:
    job = Job(Video("door.mp4", "x" * 251, "door"), str(tmp_path), TEXT_ONLY, "x")
    with _workplace(job) as folder:
        assert folder.parent.parent == tmp_path


def test_a_poisonous_video_is_tried_and_set_aside(work: Callable[..., Batch], tmp_path: Path) -> None:
    engine = InlineEngine()
    batch = work("poison", "a", "unreadable", "missing", engine=engine, tries=2)
    assert statuses(batch) == ["failed", "done", "failed", "failed"]
    assert engine.calls.count("track_whole") == 3
    assert "poisonous" in (tmp_path / "out" / LOGS / "poison.log").read_text()
    told = json.loads((tmp_path / "out" / BATCH_FILE).read_text())
    assert [entry["status"] for entry in told["results"]] == statuses(batch)
    assert told["results"][0]["error"] == "a poisonous video"
    assert "missing" in told["results"][3]["error"]
    assert (told["done"], told["failed"], told["left"]) == (1, 3, 0)


def test_a_lost_worker_counts_and_a_lost_machine_does_not(work: Callable[..., Batch]) -> None:
    assert statuses(work("a", engine=InlineEngine(*[LOST] * 3))) == ["failed"]
    batch = work("b", engine=InlineEngine(*[MACHINE] * 20, LOST, LOST))
    assert statuses(batch) == ["done"]
    assert (batch.states[0].failures, batch.states[0].losses) == (2, 20)


def test_a_machine_eating_video_ends_too(work: Callable[..., Batch]) -> None:
    assert statuses(work("a", engine=InlineEngine(*[MACHINE] * 200))) == ["failed"]


class Busy(InlineEngine):
    """The worker that tracks ends only when the others have looked at so many pieces."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces, self.tracking = pieces, list[tuple[Hashable, Callable[..., Any], tuple[Any, ...]]]()

    def submit(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        if function.__name__ == "track_whole":
            self.calls.append(function.__name__)
            self.tracking.append((key, function, arguments))
        else:
            super().submit(key, function, *arguments)

    def reports(self, timeout: float) -> list[tuple[Any, Report]]:
        ended = super().reports(timeout)
        if self.calls.count("detect_piece") >= self.pieces:
            ended += [(key, _call(function, arguments)) for key, function, arguments in self.tracking]
            self.tracking = []
        return ended


def test_the_idle_detect_ahead(work: Callable[..., Batch], tmp_path: Path) -> None:
    engine, numbers = Busy(2), list[int]()
    inner = engine.submit

    def submit(key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        if function.__name__ == "detect_piece":
            numbers.append(arguments[1].number)
        inner(key, function, *arguments)

    engine.submit = submit  # type: ignore[method-assign]
    batch = work("long", engine=engine, piece_seconds=100)
    assert engine.calls[:2] == ["probe", "track_whole"]
    assert numbers[:2] == [1, 2]
    assert statuses(batch) == ["done"]
    assert batch.frames == batch.states[0].ahead >= 20  # the whole has 10 here: nothing counts twice
    assert not (tmp_path / "out/.pieces").exists()


def test_who_has_a_video_of_his_own_does_not_detect_ahead(work: Callable[..., Batch]) -> None:
    engine = InlineEngine()
    assert statuses(work("long", "long2", "a", engine=engine, piece_seconds=100)) == ["done"] * 3
    first = engine.calls.index("detect_piece") if "detect_piece" in engine.calls else len(engine.calls)
    assert engine.calls[:first].count("track_whole") == 3


def test_pieces_that_are_there_are_not_looked_at_again(work: Callable[..., Batch]) -> None:
    engine = Busy(9)
    inner = engine.submit

    def until_second_piece(key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        inner(key, function, *arguments)
        if engine.calls.count("detect_piece") == 2:
            raise KeyboardInterrupt

    engine.submit = until_second_piece  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        work("long3", engine=engine, piece_seconds=60)
    engine = Busy(2)
    assert statuses(work("long3", engine=engine, piece_seconds=60)) == ["done"]
    assert engine.calls.count("detect_piece") == 2  # of five, the first of which is the tracker's


def test_a_piece_that_fails_is_left_to_who_tracks(work: Callable[..., Batch]) -> None:
    engine = Busy(2)
    batch = work("long-shorter", engine=engine, piece_seconds=100)
    assert statuses(batch) == ["done"]
    assert batch.states[0].failures == 0
    assert batch.states[0].error is None


def test_two_batches_do_not_share_an_output(work: Callable[..., Batch], tmp_path: Path) -> None:
    class Second(InlineEngine):
        def submit(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
            with pytest.raises(OSError, match="another batch"):
                work("b")
            super().submit(key, function, *arguments)

    assert statuses(work("a", engine=Second())) == ["done"]


PROGRAM = (sys.executable, "-c", "from mot_reid.cli import main; main()")
FAST = ("--set", "detector.image_size=256", "--set", "camera.motion=none")
ENVIRONMENT = os.environ | {"MOT_REID_NUMBA": "0"}  # NumPy is loaded sooner, by each of many processes


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, env=ENVIRONMENT)


@pytest.mark.data
@pytest.mark.long
def test_results_are_those_of_track_whatever_dies(clips: Path, tmp_path: Path) -> None:
    """Workers and then the driver are killed in the middle; the same command goes on, to the same bytes."""
    videos = map(str, sorted(clips.glob("*.mp4")))
    alone = program("track", *videos, "-o", str(tmp_path / "alone"), *FAST, "--no-video", "-q")
    assert alone.returncode == 0, alone.stderr
    out = tmp_path / "out"
    command = [*PROGRAM, "batch", str(clips), "-o", str(out), "-j", "2", *FAST]
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = subprocess.Popen(command, **nowhere, env=ENVIRONMENT)
    try:
        until = time.monotonic() + 200
        while not list(out.glob("clip*")) and time.monotonic() < until:
            time.sleep(0.05)
        for worker in children(driver.pid):
            with suppress(ProcessLookupError):  # it may have ended by itself meanwhile
                os.kill(worker, signal.SIGKILL)
        while len(list(out.glob("clip*"))) < 2 and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        driver.kill()
        driver.wait()
    again = program("batch", str(clips), "-o", str(out), "-j", "2", *FAST)
    assert again.returncode == 0, again.stderr
    assert "already done" in again.stdout
    for number in range(3):
        expected = (tmp_path / "alone" / f"clip{number}" / "tracks.txt").read_bytes()
        assert expected
        assert (out / f"clip{number}" / "tracks.txt").read_bytes() == expected
    assert not list((out / ".partial").glob("*"))  # nor need there be such a folder


def test_table_and_report_count_the_try_that_went_well(
    work: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mot_reid.cli.batch import _tell

    for status, tries in (("done", "1"), ("already done", "0")):
        _tell(work("a"))
        (row,) = [
            line for line in capsys.readouterr().out.splitlines() if f" {status} " in line and "│" in line
        ]
        assert row.split("│")[-2].strip() == tries
        (told,) = json.loads((tmp_path / "out" / BATCH_FILE).read_text())["results"]
        assert told["tries"] == int(tries)
    twice = work("b", engine=InlineEngine(LOST))
    assert twice.report()["results"][0]["tries"] == 2


def children(process: int) -> list[int]:
    """The worker processes of a driver, without Python's resource tracker."""
    found = []
    for child in map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()):
        with suppress(FileNotFoundError, ProcessLookupError):  # gone meanwhile
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


@pytest.mark.data
@pytest.mark.parametrize("every", [1, 2])
def test_what_others_detected_ahead_gives_the_same_bytes(
    clips: Path, tmp_path: Path, run: Callable[..., Any], every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three pieces are there before the video is tracked, the middle one is not."""
    settings = (*FAST, "--set", f"detector.every={every}")
    alone = run("track", clips / "clip0.mp4", "-o", tmp_path / "alone", *settings, "--no-video", "-q")
    assert alone.code == 0, alone.err
    overrides = [text for text in settings if text != "--set"]
    video = Video(str(clips / "clip0.mp4"), "clip0", "clip0")
    job = Job(video, str(tmp_path / "out"), load_config(overrides=[*overrides, "output.formats=[mot]"]), "x")
    pieces = tuple(cut(24, 10, 0.75))
    assert [(piece.first, piece.last) for piece in pieces] == [(1, 8), (9, 16), (17, None)]
    assert [detect_ahead(job, pieces[number], 1)["frames"] for number in (0, 2)] == [8 // every] * 2
    looked, detect = list[Any](), Tracker.detect
    monkeypatch.setattr(Tracker, "detect", lambda *given: (looked.append(given), detect(*given))[1])
    figures = track_video(job, 1, pieces)
    assert (figures["frames"], figures["pieces_ahead"]) == (24, 2)
    assert not list((tmp_path / "out").glob(".pieces/*"))
    expected = (tmp_path / "alone/tracks.txt").read_bytes()
    assert expected
    assert (tmp_path / "out/clip0/tracks.txt").read_bytes() == expected
    assert len(looked) == 8 // every, "the middle piece alone is looked at again"
    assert detect_ahead(job, pieces[1], 1) == {"frames": 0}  # it comes too late


@pytest.mark.parametrize("fails", [False, True])
def test_tracklets_of_an_earlier_try_go_when_others_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    happened: list[str] = []

    def track_source(*given: Any, **rest: Any) -> Summary:
        happened.append("tracked")
        if fails:
            raise OSError("no space left")
        return Summary(SourceInfo("door", "video", 8, 8, 25.0, None))

    monkeypatch.setattr("mot_reid.cluster.work.track_source", track_source)
    embeds = SimpleNamespace(embedder=SimpleNamespace(name="made", embed=print), class_names={})
    monkeypatch.setattr("mot_reid.cluster.work._tracker", lambda *given: embeds)
    monkeypatch.setattr("mot_reid.cluster.work.open_source", lambda path: nullcontext())
    monkeypatch.setattr("mot_reid.gallery.queries.crop_embedder", lambda embedder: embedder)
    monkeypatch.setattr("mot_reid.gallery.sources.records_of", lambda gallery, source: ["earlier"])
    monkeypatch.setattr(Gallery, "forget", lambda gallery, names: happened.extend(names))
    (tmp_path / "door.mp4").write_bytes(b"")
    video = Video(str(tmp_path / "door.mp4"), "door", "door")
    job = Job(video, str(tmp_path / "out"), TEXT_ONLY, "x", gallery=str(tmp_path / "g"))
    with pytest.raises(OSError, match="no space") if fails else nullcontext():
        track_video(job, 1)
    assert happened == (["tracked"] if fails else ["tracked", "earlier"])


@pytest.mark.data
@pytest.mark.long
def test_a_gallery_remembers_each_video_once(clips: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    """Two workers add to one gallery; a video that is done again replaces what it left there."""
    counts = []
    for again in (False, True):
        if again:
            (tmp_path / "out/clip0" / DONE).unlink()
        done = program(
            "batch",
            str(clips),
            "-o",
            str(tmp_path / "out"),
            "-j",
            "2",
            *FAST,
            "--gallery",
            str(tmp_path / "g"),
        )
        assert done.returncode == 0, done.stderr
        table = Gallery(tmp_path / "g").table()
        assert {str(camera) for camera in table.camera} == {"clip0", "clip1", "clip2"}
        counts.append(len(table))
    assert "1 video done, 2 already done" in done.stdout
    assert counts[0] == counts[1] > 0
    refused = run("batch", clips, "-o", tmp_path / "out", *FAST, "--identify")
    assert refused.code == 2
    assert "--identify: needs --gallery" in refused.err
    known = run("batch", clips, "-o", tmp_path / "out", *FAST, "--gallery", tmp_path / "g", "--identify")
    assert known.code == 0, known.err
    assert "3 already done" in known.out
    assert f"of {counts[0]} tracklets" in known.out
    numbers = set()
    for name in ("clip0", "clip1", "clip2"):
        own = (tmp_path / f"out/{name}/tracks.txt").read_text().splitlines()
        everywhere: dict[tuple[str, str], list[str]] = {}
        for line in (tmp_path / f"out/{name}/tracks_global.txt").read_text().splitlines():
            frame, identity, *box = line.split(",")
            assert (frame, identity) not in everywhere, "nobody is in a picture twice"
            everywhere[frame, identity] = box
        assert len(everywhere) >= 0.7 * len(own)  # gaps are filled, glimpses left out
        numbers |= {int(identity) for _, identity in everywhere}
    assert min(numbers) == 1
