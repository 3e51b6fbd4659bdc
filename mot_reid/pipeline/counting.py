"""Analytics of a run while it goes on: scene files, and the sink that counts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mot_reid.analytics import Analytics, Event, Observations, Scene, scene_from_mapping
from mot_reid.config import Config
from mot_reid.files import atomic
from mot_reid.pipeline.event_log import EventLog, Receiver, make_receivers, standard_output
from mot_reid.video.formats import SinkInfo
from mot_reid.video.frames import SourceError
from mot_reid.video.sinks import Sink, TrackedFrame
from mot_reid.video.sources import is_live, open_source
from mot_reid.yaml_text import read_yaml_file

__all__ = ["ANALYTICS_FILES", "AnalyticsSink", "SceneFile", "check_scene", "read_scene", "write_analytics"]

SUMMARY = "analytics.json"
ANALYTICS_FILES = ("events.jsonl", SUMMARY)
"""The files that analytics write, or replace if an earlier run left them."""


@dataclass(frozen=True)
class SceneFile:
    """What a scene file says.

    Attributes:
        scene: what is looked at.
        events: the part ``events``: who is told.
    """

    scene: Scene
    events: Any = None

    def receivers(self) -> tuple[list[Receiver], bool]:
        """The receivers, and whether events go to standard output; `make_receivers`."""
        return make_receivers(self.events)


def read_scene(path: str | Path, classes: Mapping[str, int] | None = None) -> SceneFile:
    """Reads a scene file.

    Args:
        path: a YAML file, see ``docs/analytics.md``.
        classes: names of classes to their numbers, where entries name classes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, or something in it is wrong; the message names the file and the entry.
    """
    path = Path(path)
    try:
        content = read_yaml_file(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"scene file not found: {path}") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    content = {} if content is None else content
    try:
        if not isinstance(content, dict):
            raise ValueError(f"expected names and values, got {type(content).__name__}")
        events = content.pop("events", None)
        scene = SceneFile(scene_from_mapping(content, classes), events)
        make_receivers(events)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return scene


def check_scene(config: Config, class_names: Mapping[int, str], sources: Iterable[str] = ()) -> None:
    """Reads the scene that runs are to count at, so that what is wrong with it shows before them.

    Args:
        config: of the runs.
        class_names: of their detector.
        sources: what they go through; live ones are not opened for it.

    Raises:
        FileNotFoundError, ValueError: as `read_scene`, or a source's pictures have another shape.
    """
    if not (path := config.output.analytics):
        return
    scene = read_scene(path, {name: number for number, name in class_names.items()}).scene
    if scene.size is None:
        return
    for name in sources:
        with suppress(SourceError):  # which is told when its turn comes
            if not is_live(name):
                with open_source(name) as source:
                    width, height = source.info.width, source.info.height
                try:
                    scene.for_size(width or scene.size[0], height or scene.size[1])
                except ValueError as error:
                    raise ValueError(f"{path}: {error} ({name})") from None


class AnalyticsSink(Sink):
    """Counts while a run goes on: ``events.jsonl`` as they happen, ``analytics.json`` at the end.

    Args:
        path: of the scene file.
        folder: of the run.
        info: what is known of the run.
        live: the source is live: its runs are told apart by when they began.

    Raises:
        ValueError: the scene does not fit the video.
    """

    def __init__(self, path: str | Path, folder: Path, info: SinkInfo, *, live: bool = False) -> None:
        names = {name: number for number, name in info.class_names.items()}
        file = read_scene(path, names)
        self._scene = file.scene
        if info.width and info.height:
            self._scene = self._scene.for_size(info.width, info.height)
        self._folder, self._live, self._source = folder, live, info.source
        self._analytics: Analytics | None = None
        receivers, stdout = file.receivers()
        self._log = EventLog(folder, receivers, standard_output(stdout))
        (folder / SUMMARY).unlink(missing_ok=True)
        self._closed = False
        self._time = 0.0
        self._since: float | None = None  # the wall clock at time 0, by the last frame
        self.problems: list[str] = []

    def put(self, frame: TrackedFrame) -> None:
        """Counts one frame; the image is not used."""
        self._time = seconds = max(self._time, frame.time or 0.0)  # stamps may jump back
        if self._analytics is None:
            run = f"{frame.wall_clock:.3f}" if self._live and frame.wall_clock is not None else ""
            self._analytics = Analytics(self._scene, source=self._source, run=run)
        self._since = None if frame.wall_clock is None else frame.wall_clock - seconds
        seen = Observations.of_frame(frame.number, seconds, frame.tracks)
        for event in self._analytics.update(seen, seconds):
            self._write(event)

    def _write(self, event: Event) -> None:
        record = event.to_dict()
        if self._since is not None:
            record["wall_clock"] = round(self._since + event.time, 3)
        self._log.write(record)

    def close(self) -> None:
        """Ends what goes on, writes the summary, and waits a moment for receivers."""
        if self._closed:
            return
        self._closed = True
        analytics = self._analytics or Analytics(self._scene, source=self._source)
        try:
            for event in analytics.finish():
                self._write(event)
        finally:
            self.problems += self._log.close()
            write_analytics(self._folder / SUMMARY, analytics, self.problems)
            for problem in self.problems:
                print(f"{self._folder}: {problem}", file=sys.stderr)


def write_analytics(path: Path, analytics: Analytics, problems: list[str] | None = None) -> None:
    """Writes everything counted as JSON, with the scene and the heat maps, whole or not at all."""
    content = analytics.summary() | {"scene": analytics.scene.to_mapping()}
    if analytics.heat is not None:
        content["heat"] = {
            "cell": analytics.heat.cell,
            "presence": analytics.heat.presence.tolist(),
            "seconds": analytics.heat.seconds.round(3).tolist(),
        }
    if problems:
        content["problems"] = problems
    with atomic(path) as part:
        part.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
