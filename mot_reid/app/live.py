"""Live cameras: each tracked in a thread, its newest picture, counts and people kept, and nothing older."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mot_reid.analytics import Analytics, Observations, Scene
from mot_reid.app.frames import encode
from mot_reid.app.live_people import LivePeople
from mot_reid.gallery.sources import source_label
from mot_reid.pipeline.counting import SceneFile, read_scene
from mot_reid.pipeline.event_log import EventLog
from mot_reid.structures import Tracks
from mot_reid.tracker import Tracker
from mot_reid.tracking import track
from mot_reid.typing import Image
from mot_reid.video.files import prepare_output_folder
from mot_reid.video.frames import Frame, Source
from mot_reid.video.overlay import Overlay
from mot_reid.video.sources import open_source
from mot_reid.yaml_text import read_yaml_file

__all__ = ["Camera", "CameraSettings", "LiveFile", "read_cameras"]

_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a camera that is gone is tried again
_EVENTS, _PEOPLE = 200, 300  # kept of each camera, the newest
_LONGEST = 1e9  # seconds, 30 years
_CROP = 96  # pixels, height of a person's picture
_WIDEST = 960  # pixels of the newest picture


@dataclass(frozen=True)
class CameraSettings:
    """One camera of a cameras file.

    Attributes:
        name: of the camera.
        source: a stream's address, a webcam's number, or a file that is played in real time.
        scene: YAML file with lines and zones, or None.
        output: folder for the log of events, from which receivers are told; None for no log.
        loop: begin a file again when it ends.
        keep: seconds after which people that were seen are forgotten; their pictures are in memory only.
    """

    name: str
    source: str
    scene: SceneFile | None = None
    output: Path | None = None
    loop: bool = False
    keep: float = 86400.0


def read_cameras(path: Path) -> list[CameraSettings]:
    """Reads a cameras file: ``cameras:`` and below it ``NAME: {source: ..., scene: ..., output: ...}``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: something in it is wrong; the message names the file and the camera.
    """
    if not path.is_file():
        raise FileNotFoundError(f"cameras file not found: {path}")
    try:
        content = read_yaml_file(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    cameras = content.pop("cameras", None) if isinstance(content, dict) else None
    if not isinstance(cameras, dict) or not cameras:
        raise ValueError(f"{path}: expected cameras: and below it names")
    if content:
        raise ValueError(f"{path}: {next(iter(content))} does not exist; known: cameras")
    return [_camera(path, str(name), entry) for name, entry in cameras.items()]


def _camera(path: Path, name: str, entry: Any) -> CameraSettings:
    entry = {"source": entry} if isinstance(entry, str | int) else entry
    known = ("source", "scene", "output", "loop", "keep")
    if not isinstance(entry, dict) or (not entry.get("source", "") and entry.get("source") != 0):
        raise ValueError(f"{path}: camera {name}: source is missing")
    for key in entry:
        if key not in known:
            raise ValueError(f"{path}: camera {name}: {key} does not exist; known: {', '.join(known)}")
    keep = entry.get("keep", 86400.0)
    if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep <= _LONGEST:
        raise ValueError(
            f"{path}: camera {name}: keep: expected seconds up to {_LONGEST:g}, got {keep!r:.40}"
        )
    scene = entry.get("scene")
    scene = None if scene is None else read_scene(path.parent / str(scene), {"person": 0})
    output = None if entry.get("output") is None else path.parent / str(entry["output"])
    source = str(entry["source"])
    if "://" not in source and not source.isdigit() and (beside := path.parent / source).exists():
        source = str(beside)
    return CameraSettings(name, source, scene, output, bool(entry.get("loop", False)), float(keep))


class LiveFile(Source):
    """A file played in real time, as if it were a camera: who is too slow misses frames.

    Args:
        source: the file, open; it is closed with this.
    """

    def __init__(self, source: Source) -> None:
        self.info = replace(source.info, live=True)
        self._source = source
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic()
        for frame in self._source:
            moment = self.info.time_of(frame)
            ahead = start + moment - time.monotonic()
            if ahead > 0 and self._closed.wait(ahead):
                return
            if self._closed.is_set():
                return
            yield replace(frame, time=moment, wall_clock=time.time())
            del frame

    def close(self) -> None:
        """Ends the iteration and closes the file."""
        self._closed.set()
        self._source.close()


class _Stopped(Exception):
    """The camera was stopped."""


class Camera:
    """Tracks one camera in a thread while it is started; a camera that is gone is tried again.

    Args:
        settings: of the camera.
        make_tracker: makes its tracker, with models that it may share.
        people: remembers who is seen, over all cameras; None for nobody.

    Attributes:
        settings: as above.
        number: of the newest picture, counted since the start; 0 before the first.
    """

    def __init__(
        self,
        settings: CameraSettings,
        make_tracker: Callable[[], Tracker],
        people: LivePeople | None = None,
    ) -> None:
        self.settings = settings
        self.number = 0
        self._make_tracker, self._everybody = make_tracker, people
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._state, self._told = "stopped", ""
        self._picture: bytes | None = None
        self._seen_at, self._rate, self._in_view = 0.0, 0.0, 0
        self._analytics: Analytics | None = None
        self._summary: dict[str, Any] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=_EVENTS)
        self._people: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._offsets = (0, 0, 0.0)  # of ids, frame numbers and times: they go on when the camera comes back
        self._reached = (0, 0, 0.0)

    def start(self) -> None:
        """Starts it, if it is not running; one that is still being stopped begins when it has ended."""
        with self._lock:
            before, name = self._thread, self.settings.name
            if before is not None and before.is_alive() and not self._stop.is_set():
                return
            self._stop = threading.Event()
            self._state, self._told = "starting", ""
            self._thread = threading.Thread(None, self._run, name, (before, self._stop), daemon=True)
            self._thread.start()

    def stop(self, wait: float = 10.0) -> None:
        """Stops it, and waits so many seconds for its thread at most."""
        with self._lock:  # one that is just being started has begun then
            self._stop.set()
            thread = self._thread
        if thread is not None:
            thread.join(wait)

    def picture(self) -> bytes | None:
        """The newest picture with its tracks drawn, as JPEG; None before the first."""
        return self._picture

    def status(self) -> dict[str, Any]:
        """What the page shows of the camera."""
        with self._lock:
            age = None if not self._seen_at else round(time.time() - self._seen_at, 2)
            return {
                "name": self.settings.name,
                "state": self._state,
                "told": self._told,
                "number": self.number,
                "age": age,
                "rate": round(self._rate, 2),
                "in_view": self._in_view,
                "lines": self._summary.get("lines", {}),
                "zones": self._summary.get("zones", {}),
                "events": list(self._events)[-20:],
                "people": len(self._people),
                "keep_hours": round(self.settings.keep / 3600, 2),
            }

    def people(self) -> list[dict[str, Any]]:
        """Who was seen of late: ids, and when, newest first."""
        self._forget_old()
        with self._lock:
            return [
                {"id": track, "first": entry["first"], "last": entry["last"]}
                for track, entry in reversed(self._people.items())
            ]

    def person(self, track: int) -> bytes | None:
        """The best picture of a track so far, as JPEG."""
        with self._lock:
            entry = self._people.get(track)
            return None if entry is None else entry["picture"]

    def forget(self) -> None:
        """Forgets everybody who was seen, and the newest picture."""
        with self._lock:
            self._people.clear()
            self._events.clear()
            self._picture = None

    def _run(self, earlier: threading.Thread | None, stop: threading.Event) -> None:
        if earlier is not None:
            earlier.join()
            self._say("starting", "")
        failures = 0
        tracker: Tracker | None = None
        log = None
        try:
            if self.settings.output is not None:
                receivers = self.settings.scene.receivers()[0] if self.settings.scene else []
                log = EventLog(prepare_output_folder(self.settings.output), receivers)
            while not stop.is_set():
                before = self.number
                try:
                    tracker = tracker or self._make_tracker()
                    self._follow(tracker, log, stop)
                    if not self.settings.loop:
                        self._say("ended", "the source has ended")
                        return
                    failures = 0
                    continue
                except _Stopped:
                    break
                except Exception as error:  # whatever is wrong with one camera, the others go on
                    self._say("gone", " ".join(str(error).split()) or type(error).__name__)
                failures = 0 if self.number > before else failures + 1
                stop.wait(_WAITS[min(failures, len(_WAITS) - 1)])
            self._say("stopped", "")
        except Exception as error:
            self._say("failed", " ".join(str(error).split()) or type(error).__name__)
        finally:
            if log is not None:
                for problem in log.close():
                    self._say(self._state, problem)

    def _follow(self, tracker: Tracker, log: EventLog | None, stop: threading.Event) -> None:
        """Tracks the source to its end."""
        with ExitStack() as stack:
            opened = stack.enter_context(open_source(self.settings.source))
            source = opened if opened.info.live else LiveFile(opened)
            names = tracker.class_names
            overlay = Overlay(True, 30, names)
            self._offsets = self._reached
            recorder = None
            if self._everybody is not None:
                recorder = self._everybody.recorder(
                    self.settings.name, source_label(self.settings.source), tracker
                )
            if recorder is not None:
                stack.callback(recorder.close)
            last = time.monotonic()
            for frame, tracks in track(source, tracker=tracker):
                if stop.is_set():
                    source.close()
                    raise _Stopped
                moved = replace_ids(tracks, self._offsets[0])
                self._count(frame, moved, log)
                self._remember(frame.image, moved)
                if recorder is not None:
                    recorder.update(moved, frame.image, frame.number, self._reached[2] - self._offsets[2])
                drawn = overlay.draw(frame.image, moved)
                self._show(drawn, len(moved), time.monotonic() - last)
                last = time.monotonic()
                del frame, drawn

    def _show(self, drawn: Image, in_view: int, seconds: float) -> None:
        if drawn.shape[1] > _WIDEST:
            size = (_WIDEST, max(1, round(drawn.shape[0] * _WIDEST / drawn.shape[1])))
            drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        data = encode(drawn, 75)
        with self._lock:
            self._picture = data
            self.number += 1
            self._in_view = in_view
            self._seen_at = time.time()
            self._state, self._told = "live", ""
            now = 1 / max(seconds, 1e-3)
            self._rate = now if self.number == 1 else 0.9 * self._rate + 0.1 * now

    def _count(self, frame: Frame, tracks: Tracks, log: EventLog | None) -> None:
        height, width = frame.image.shape[:2]
        if self._analytics is None:
            scene = Scene() if self.settings.scene is None else self.settings.scene.scene
            run = f"{time.time():.3f}"
            self._analytics = Analytics(scene.for_size(width, height), source=self.settings.name, run=run)
        ids, number, seconds = self._offsets
        moment = max(frame.time + seconds, self._reached[2])
        rows = Observations.of_frame(frame.number + number, moment, tracks)
        since = (frame.wall_clock or time.time()) - moment  # some is known for certain only later
        events = self._analytics.update(rows, moment)
        found = [event.to_dict() | {"wall_clock": round(since + event.time, 3)} for event in events]
        for record in found:
            if log is not None:
                log.write(record)
        self._reached = (
            int(max(tracks.ids.max(initial=0), self._reached[0], ids)),
            frame.number + number,
            moment,
        )
        with self._lock:
            self._events.extend(found)
            self._summary = self._analytics.summary()

    def _remember(self, image: Image, tracks: Tracks) -> None:
        height, width = image.shape[:2]
        now = round(time.time(), 2)
        for track_id, box in zip(tracks.ids.tolist(), tracks.xyxy, strict=True):
            x1, y1, x2, y2 = np.clip(np.rint(box), 0, [width, height, width, height]).astype(int).tolist()
            area = (x2 - x1) * (y2 - y1)
            with self._lock:
                entry = self._people.setdefault(track_id, {"first": now, "area": 0, "picture": None})
                entry["last"] = now
                self._people.move_to_end(track_id)
                best = entry["area"]
                while len(self._people) > _PEOPLE:
                    self._people.popitem(last=False)
            if area > 1.2 * best and x2 - x1 > 4 and y2 - y1 > 8:
                across = min(max(1, round((x2 - x1) * _CROP / (y2 - y1))), 3 * _CROP)
                cut = cv2.resize(image[y1:y2, x1:x2], (across, _CROP), interpolation=cv2.INTER_AREA)
                entry["area"], entry["picture"] = area, encode(cut, 75)  # type: ignore[arg-type]
        self._forget_old()

    def _forget_old(self) -> None:
        oldest = time.time() - self.settings.keep
        with self._lock:
            while self._people and next(iter(self._people.values())).get("last", oldest) < oldest:
                self._people.popitem(last=False)

    def _say(self, state: str, told: str) -> None:
        with self._lock:
            self._state, self._told = state, told


def replace_ids(tracks: Tracks, offset: int) -> Tracks:
    """The tracks with their ids moved by an offset: a camera that came back begins no id anew."""
    if not offset:
        return tracks
    rest = (tracks.xyxy, tracks.scores, tracks.classes, tracks.detection_index, tracks.id_confidence)
    return Tracks(tracks.ids + offset, *rest)


def trackers(settings: Sequence[CameraSettings], config: Path | None) -> Callable[[], Tracker]:
    """Makes trackers that share one detector and one embedder, which are loaded at the first."""
    from mot_reid.config import load_config
    from mot_reid.pipeline.sharing import SharedDetector, SharedEmbedder
    from mot_reid.pipeline.steps import network_threads

    read = load_config(config)
    lock = threading.Lock()
    models: list[Any] = []

    def make() -> Tracker:
        with lock:
            if not models:
                first = Tracker(config=read, threads=network_threads(read, live=True, detects=True))
                first.load(detector=True)
                shared = None if first.embedder is None else SharedEmbedder(first.embedder)
                models.extend([SharedDetector(first.detector, len(settings)), shared])
            return Tracker(models[0], models[1], config=read)

    return make
