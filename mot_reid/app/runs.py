"""The runs that are looked at: tracks, corrections, pictures, and what is kept of them."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from mot_reid.analytics import Analytics, Event, Observations, analyse, scene_from_mapping
from mot_reid.app.frames import FrameReader
from mot_reid.files import atomic
from mot_reid.offline.corrections import Corrected, active, apply, checked, next_id, replay
from mot_reid.offline.rows import TrackRows
from mot_reid.pipeline.outputs import OUTPUT_FILES
from mot_reid.pipeline.track_files import TrackFile, read_tracks
from mot_reid.video.formats import FORMATS, SinkInfo, chosen_formats
from mot_reid.video.frames import SourceError
from mot_reid.yaml_text import read_yaml

__all__ = ["CORRECTED", "CORRECTIONS", "SCENE", "Run", "runs_in"]

CORRECTIONS = "corrections.jsonl"
SCENE = "scene.yaml"
CORRECTED = "corrected"
_EXPORTS = tuple(name for name in FORMATS if name != "video")
_MOST_CORRECTIONS = 100_000


class Run:
    """One run's results, read when they are first needed; safe to use from several threads.

    Args:
        key: what the run is called in addresses: letters and digits.
        folder: the run's output folder.
        video: its video or pictures; by default where the run says that they were.

    Attributes:
        key: as above.
        folder: as above.
        name: short name of the source.
    """

    def __init__(self, key: str, folder: Path, video: Path | None = None) -> None:
        self.key, self.folder = key, folder
        self._video = video
        self._lock = threading.RLock()
        self._file: TrackFile | None = None
        self._found = TrackRows.empty()
        self._times: tuple[NDArray[np.int64], NDArray[np.float64]] = (np.zeros(0, np.int64), np.zeros(0))
        self._state = Corrected(TrackRows.empty())
        self._log: list[dict[str, Any]] = []
        self._by_frame: NDArray[np.intp] = np.zeros(0, np.intp)
        self._sorted_frames: NDArray[np.int64] = np.zeros(0, np.int64)
        self._lanes: list[dict[str, Any]] = []
        self._reader: FrameReader | None = None
        self._no_video = ""
        self.name = folder.name

    @property
    def file(self) -> TrackFile:
        """The tracks as they were found."""
        with self._lock:
            if self._file is None:
                self._read()
            assert self._file is not None
            return self._file

    def _read(self) -> None:
        file = read_tracks(self.folder)
        rows = file.rows
        named = rows.ids >= 1
        self._found = TrackRows(
            rows.frames[named],
            rows.ids[named],
            rows.xyxy[named].astype(np.float32),
            file.scores[named],
            rows.classes[named],
            np.where(file.predicted[named], -1, 0),
            file.predicted[named],
        )
        numbers, first = np.unique(rows.frames, return_index=True)
        self._times = numbers, rows.times[first]
        # From here on the rows are those above, of half the size.
        none = Observations.empty()
        self._file = replace(file, rows=none, scores=file.scores[:0], predicted=file.predicted[:0])
        self.name = file.source
        self._log = _read_log(self.folder / CORRECTIONS)
        self._show(replay(self._found, self._log))

    def _show(self, state: Corrected) -> None:
        self._state = state
        self._lanes = lanes(state.rows, self.fps)
        self._by_frame = np.argsort(state.rows.frames, kind="stable")
        self._sorted_frames = state.rows.frames[self._by_frame]

    @property
    def state(self) -> Corrected:
        """The tracks with their corrections."""
        with self._lock:
            _ = self.file
            return self._state

    @property
    def fps(self) -> float:
        """Frames a second of the source."""
        return self.file.fps or 25.0

    def frames(self) -> int:
        """The number of the last frame that is known."""
        summary = self.file.summary
        return max(int(summary.get("last_frame") or 0), int(self._found.frames.max(initial=0)))

    def size(self) -> tuple[int, int]:
        """Width and height of the picture, pixels; those of the tracks where nothing says."""
        if self.file.size is not None:
            return self.file.size
        corner = self._found.xyxy[:, 2:].max(axis=0, initial=1)
        return int(np.ceil(corner[0])), int(np.ceil(corner[1]))

    def summary(self) -> dict[str, Any]:
        """What the page needs to know of the run, first of all."""
        state = self.state
        width, height = self.size()
        held, undone = active(self._log)
        return {
            "key": self.key,
            "name": self.name,
            "frames": self.frames(),
            "fps": self.fps,
            "width": width,
            "height": height,
            "classes": {str(number): name for number, name in self.file.class_names.items()},
            "tracks": self._lanes,
            "names": {str(track): name for track, name in state.names.items()},
            "pictures": self.reader() is not None,
            "no_pictures": self._no_video,
            "drawn": self._reader is not None and self._reader.path.name == FORMATS["video"].file,
            "corrections": [dict(entry) for entry in held[-200:]],
            "held": len(held),
            "can_redo": len(undone),
            "refused": list(state.refused),
            "next_id": next_id(state.rows),
            "run": {key: self.file.summary.get(key) for key in ("complete", "error", "seconds", "models")},
        }

    def rows(self, first: int, last: int) -> bytes:
        """The boxes of frames ``first`` to ``last``, in frames' order, as little-endian numbers.

        First their number as uint32, then columns: frame (int32), id (int32), x1, y1, x2, y2 (float32 each),
        class (int16), predicted (uint8).
        """
        with self._lock:
            rows = self.state.rows
            low, high = np.searchsorted(self._sorted_frames, [first, last + 1])
            chosen = self._by_frame[low:high]
        columns = [rows.frames[chosen].astype("<i4"), rows.ids[chosen].astype("<i4")]
        columns += [rows.xyxy[chosen, axis].astype("<f4") for axis in range(4)]
        columns += [rows.classes[chosen].astype("<i2"), (rows.detection_index[chosen] < 0).astype("u1")]
        return np.uint32(len(chosen)).astype("<u4").tobytes() + b"".join(map(np.ndarray.tobytes, columns))

    def reader(self) -> FrameReader | None:
        """What gives the pictures, or None where they are not there."""
        with self._lock:
            if self._reader is None and not self._no_video:
                location = str((self.file.summary.get("source") or {}).get("location") or "")
                drawn = self.folder / FORMATS["video"].file
                places = [self._video, Path(location) if location else None, drawn]
                for place in places:
                    if place is not None and place.exists():
                        try:
                            self._reader = FrameReader(place)
                            break
                        except SourceError as error:
                            self._no_video = str(error)
                else:
                    self._no_video = (
                        self._no_video or "the video is not where it was; --video says where it is"
                    )
            return self._reader

    def place(self) -> Path | None:
        """Where the run's video or pictures are, or were; None where nobody knows."""
        location = str((self.file.summary.get("source") or {}).get("location") or "")
        place = self._video or (Path(location) if location else None)
        return None if place is None else place.absolute()

    def observations(self) -> Observations:
        """The corrected tracks as analytics take them."""
        rows = self.state.rows
        numbers, times = self._times
        if not len(rows):
            return Observations.empty()
        when = np.interp(rows.frames, numbers, times) if len(numbers) else rows.frames / self.fps
        return Observations.from_arrays(rows.frames, when, rows.ids, rows.xyxy, rows.classes)

    def count(self, scene: Any) -> tuple[Analytics, list[Event]]:
        """Counts at lines and zones, on the corrected tracks.

        Raises:
            ValueError: something in the scene is wrong.
        """
        classes = {name: number for number, name in self.file.class_names.items()}
        wanted = scene_from_mapping(scene, classes).for_size(*self.size())
        return analyse(wanted, self.observations(), source=self.name)

    def scene(self) -> dict[str, Any]:
        """The scene that was drawn for this run."""
        try:
            content = read_yaml((self.folder / SCENE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def keep_scene(self, scene: Any) -> None:
        """Keeps a scene beside the results.

        Raises:
            ValueError: something in it is wrong.
            OSError: it cannot be written.
        """
        classes = {name: number for number, name in self.file.class_names.items()}
        checked_scene = scene_from_mapping(scene, classes)
        with atomic(self.folder / SCENE) as part:
            part.write_text(yaml.safe_dump(checked_scene.to_mapping(), sort_keys=False), encoding="utf-8")

    def correct(self, entry: Any) -> None:
        """Adds a correction to the log.

        Raises:
            ValueError: it is wrong, or does not fit the tracks; the log is as before.
            OSError: it cannot be written.
        """
        clean = checked(entry)
        with self._lock:
            state = self.state
            if len(self._log) >= _MOST_CORRECTIONS:
                raise ValueError(f"there are {_MOST_CORRECTIONS} corrections already")
            held, undone = active(self._log)
            if clean["kind"] == "undo" and not held:
                raise ValueError("there is nothing to undo")
            if clean["kind"] == "redo" and not undone:
                raise ValueError("there is nothing to redo")
            if clean["kind"] == "split":
                clean["new"] = clean.get("new") or next_id(state.rows)
            again = clean["kind"] in ("undo", "redo")
            new = replay(self._found, [*self._log, clean]) if again else apply(state, clean)
            line = json.dumps(clean | {"at": round(time.time(), 3)}, ensure_ascii=False)
            with open(self.folder / CORRECTIONS, "a", encoding="utf-8") as file:
                file.write(line + "\n")
            self._log.append(clean)
            self._show(new)

    def export(self, names: Sequence[str]) -> list[Path]:
        """Writes the corrected tracks into the folder ``corrected``, in these formats.

        Raises:
            ValueError: a format does not exist, or is the video.
            ImportError: a format needs a package that is not installed.
            OSError: a file cannot be written.
        """
        if "video" in names:
            raise ValueError("video: the corrected tracks are not drawn; the page shows them")
        formats = chosen_formats(names or _EXPORTS)
        folder = self.folder / CORRECTED
        folder.mkdir(exist_ok=True)
        width, height = self.size()
        info = SinkInfo(self.fps, self.file.class_names, self.name, width, height)
        numbers, times = self._times
        tracks = self.state.rows.to_tracks(range(1, self.frames() + 1))
        with ExitStack() as stack:
            sinks = [stack.enter_context(entry.open(folder / entry.file, info)) for entry in formats.values()]
            for number, found in tracks.items():
                when = float(np.interp(number, numbers, times)) if len(numbers) else (number - 1) / self.fps
                for sink in sinks:
                    sink.write(number, None, found, when)
        with atomic(folder / "names.json") as part:
            part.write_text(json.dumps({str(k): v for k, v in self.state.names.items()}), encoding="utf-8")
        return [folder / entry.file for entry in formats.values()]

    def kept(self) -> list[dict[str, Any]]:
        """What lies in the run's folder: names, bytes, and days since it was written."""
        now = time.time()
        entries = []
        for name in (*OUTPUT_FILES, CORRECTIONS, SCENE, CORRECTED):
            path = self.folder / name
            if path.exists():
                files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
                size = sum(file.stat().st_size for file in files)
                age = (now - path.stat().st_mtime) / 86400
                entries.append({"name": name, "bytes": size, "days": round(age, 2)})
        return entries

    def delete(self, name: str) -> None:
        """Deletes one of the `kept`.

        Raises:
            ValueError: it is none of them.
            OSError: it cannot be deleted.
        """
        if name not in {entry["name"] for entry in self.kept()}:
            raise ValueError(f"{name}: not one of this run's files")
        path = self.folder / name
        with self._lock:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            if name == CORRECTIONS:
                self._log = []
                self._show(replay(self._found, []))
            if self._reader is not None and self._reader.path == path:
                self._reader.close()
                self._reader, self._no_video = None, "the video was deleted"

    def close(self) -> None:
        """Closes the video."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None


def lanes(rows: TrackRows, fps: float) -> list[dict[str, Any]]:
    """Each track's class and the stretches of frames in which it is seen; short gaps are none."""
    if not len(rows):
        return []
    jump = np.ones(len(rows), bool)
    jump[1:] = (rows.ids[1:] != rows.ids[:-1]) | (np.diff(rows.frames) > max(1.0, fps / 2))
    starts = np.flatnonzero(jump)
    ends = np.append(starts[1:], len(rows)) - 1
    found: dict[int, dict[str, Any]] = {}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        track = int(rows.ids[start])
        lane = found.setdefault(track, {"id": track, "class": int(rows.classes[start]), "spans": []})
        lane["spans"].append([int(rows.frames[start]), int(rows.frames[end])])
    return list(found.values())


def runs_in(folders: Sequence[Path], videos: Mapping[str, Path] | None = None) -> list[Run]:
    """The runs in these folders: the folders themselves, or those below them that hold tracks.

    Args:
        folders: output folders of ``mot-reid track``.
        videos: where the videos are, by the run folder's name.

    Raises:
        FileNotFoundError: a folder holds no tracks.
    """
    from mot_reid.pipeline.track_files import track_file_of

    found: list[Path] = []
    for folder in folders:
        if track_file_of(folder) is not None:
            found.append(folder)
            continue
        below = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        runs = [path for path in below if track_file_of(path) is not None]
        if not runs:
            raise FileNotFoundError(f"{folder}: no tracks in it or in the folders below it")
        found += runs
    places = dict(videos or {})
    return [Run(f"r{number}", path, places.get(path.name)) for number, path in enumerate(found)]


def _read_log(path: Path) -> list[dict[str, Any]]:
    """The corrections of a log; a torn last line is left out, a wrong one names itself.

    Raises:
        ValueError: a line is no correction.
    """
    if not path.is_file():
        return []
    log = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            log.append(checked(json.loads(line)))
        except ValueError as error:
            if number == len(lines) and not line.endswith("}"):
                continue
            raise ValueError(f"{path}:{number}: {error}") from None
    return log
