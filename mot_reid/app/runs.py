"""The runs that are looked at: tracks, corrections, pictures, and what is kept of them."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.analytics import Analytics, Event, Observations, scene_from_mapping
from mot_reid.app.beginning import Beginning, beginning_of
from mot_reid.app.columns import CACHE, Columns, cached_columns, keep
from mot_reid.app.correction_log import CorrectionLog
from mot_reid.app.crops import crops
from mot_reid.app.exporting import CORRECTED, Export
from mot_reid.app.frames import size_of
from mot_reid.app.kept_files import listed, read_run_scene, stamp_of, write_run_scene
from mot_reid.app.pictures import Pictures
from mot_reid.gallery.global_tracks import GLOBAL_FILE
from mot_reid.offline.corrections import CORRECTIONS, Corrected, active, checked, replay
from mot_reid.pipeline.finished_tracks import TrackColumns, read_columns, track_file_of
from mot_reid.pipeline.outputs import OUTPUT_FILES

__all__ = ["CORRECTIONS", "SCENE", "Run", "folder_names", "runs_in"]

SCENE = "scene.yaml"
_MOST_CROPS = 4000  # kept in memory, of a few KB each
_FIRST = np.zeros(1, np.intp)


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
        truth: ground truth that was given for it, or None.
        export: what was exported last, or is being exported.
        exporting: held while an export begins.
        pictures: where they come from.
        stamp: of its files before they were read, see `mot_reid.app.renewing.renew`.
    """

    def __init__(self, key: str, folder: Path, video: Path | None = None) -> None:
        self.key, self.folder = key, folder
        self.pictures = Pictures(folder, video, lambda: self.about.summary, self._second)
        self._lock, self._starting = threading.RLock(), threading.Lock()
        self._start: Beginning | None = None
        self._begun = False
        self._file: TrackColumns | None = None
        self._found: Columns | None = None
        self._shown: Columns | None = None
        self._state: Corrected | None = None
        self._log = CorrectionLog(folder / CORRECTIONS)
        self._crops: dict[tuple[int, int], bytes | None] = {}
        self.export: Export | None = None
        self.exporting = threading.Lock()
        self.truth: Path | None = None
        self.name, self.stamp = folder.name, stamp_of(folder)

    @property
    def file(self) -> TrackColumns:
        """What is known of the tracks' file; its rows are in `columns`."""
        with self._lock:
            if self._file is None:
                self._read()
            elif self._log.is_stale():  # by another server, say
                self._replay()
            assert self._file is not None
            return self._file

    def _read(self) -> None:
        path = track_file_of(self.folder)
        kept = None if path is None else cached_columns(self.folder, path)
        if path is not None and kept is not None:
            self._found, file = kept
        else:
            read = read_columns(self.folder)
            file = replace(read, columns={})
            self._found = keep(Columns.of_file(read, file.fps or 25.0), self.folder, file)
        self._file, self.name = file, file.source
        self._replay()
        self._start = None

    def _replay(self) -> None:
        """Reads the corrections and shows the tracks with them."""
        assert self._found is not None
        log = self._log.read()
        self._crops.clear()  # which are known by the length of the log
        self._show(replay(self._found.to_rows(), log) if log else None)

    def beginning(self) -> Beginning | None:
        """A long run's first frames, while all of its tracks are being read, which this begins.

        None where all are there or will be soon, or were corrected, so that the file's are not what is shown.
        """
        with self._starting:
            if self._shown is not None:
                return None
            if not self._begun:
                self._begun = True
                path = track_file_of(self.folder)
                corrected = (self.folder / CORRECTIONS).exists()
                if path is not None and not corrected and cached_columns(self.folder, path) is None:
                    self._start = beginning_of(path)
                if self._start is not None:
                    threading.Thread(target=self.prepare, daemon=True).start()
            return self._start

    @property
    def about(self) -> TrackColumns:
        """What is known of the tracks' file, also while its rows are still being read."""
        start = self.beginning()
        return self.file if start is None else start.file

    def prepare(self) -> None:
        """Reads the tracks, if they are not in memory; what is wrong with them is told whoever asks later."""
        with suppress(ValueError, OSError, ImportError):
            _ = self.file

    def problem(self) -> str | None:
        """What keeps the tracks from being read, if anything does: a run that goes on has no summary yet."""
        try:
            _ = self.file
        except (ValueError, OSError, ImportError) as error:
            return str(error)
        return None

    def release(self) -> None:
        """Lets go of the tracks; they are read again when they are needed."""
        with self._lock:
            self._file = self._found = self._shown = self._state = None
            self._crops.clear()
            self._start, self._begun = None, False

    def _show(self, state: Corrected | None) -> None:
        """Shows the tracks as they are after corrections; None where there are none."""
        assert self._found is not None
        self._state = state
        self._shown = self._found if state is None else Columns.of_rows(state.rows, self._found, self.fps)

    @property
    def found(self) -> Columns:
        """The boxes as they were found, in the order of frames."""
        with self._lock:
            _ = self.file
            assert self._found is not None
            return self._found

    @property
    def columns(self) -> Columns:
        """The boxes with their corrections, in the order of frames."""
        with self._lock:
            _ = self.file
            assert self._shown is not None
            return self._shown

    @property
    def state(self) -> Corrected:
        """The tracks with their corrections, by tracks; made anew at every call where there are none."""
        with self._lock:
            columns = self.columns
            return Corrected(columns.to_rows()) if self._state is None else self._state

    @property
    def applied(self) -> int:
        """How many corrections hold."""
        with self._lock:
            _ = self.file
            return 0 if self._state is None else self._state.applied

    @property
    def log(self) -> list[dict[str, Any]]:
        """The corrections' log, with what was undone."""
        with self._lock:
            _ = self.file
            return list(self._log.entries)

    @property
    def refused(self) -> list[str]:
        """Corrections that do not fit the tracks, and why."""
        with self._lock:
            _ = self.file
            return [] if self._state is None else list(self._state.refused)

    @property
    def names(self) -> Mapping[int, str]:
        """Names that tracks were given."""
        with self._lock:
            _ = self.file
            return {} if self._state is None else self._state.names

    def next_id(self) -> int:
        """An id that no track has, nor had before corrections."""
        ids = (int(columns.spans[:, 0].max(initial=0)) for columns in (self.found, self.columns))
        return 1 + max(*ids, self._log.largest_id())

    @property
    def fps(self) -> float:
        """Frames a second of the source."""
        return self.file.fps or 25.0

    def frames(self) -> int:
        """The number of the last frame that is known."""
        summary = self.file.summary
        return max(int(summary.get("last_frame") or 0), *map(int, self.found.frames[-1:]), 0)

    def size(self) -> tuple[int, int]:
        """Width and height of the picture, pixels; those of the tracks where nothing says.

        All tracks need not be read for it.
        """
        start = self.beginning()
        boxes = self.found if start is None else start.columns
        return self.about.size or size_of(self.pictures.reader()) or boxes.corner()

    def _second(self, number: int) -> float:
        return float(self.found.when(np.array([number]), self.fps)[0])

    def count(self, scene: Any) -> tuple[Analytics, list[Event]]:
        """Counts at lines and zones up to the run's end, on the corrected tracks.

        Raises:
            ValueError: something in the scene is wrong.
        """
        wanted = scene_from_mapping(scene, _numbers(self.file)).for_size(*self.size())
        analytics, events, end = Analytics(wanted, source=self.name), [], self.file.end
        for rows in self.columns.observations(self.fps):
            events += analytics.update(rows)
            end = None if end is None else max(end, float(rows.times[-1]))
        if end is not None:
            events += analytics.update(Observations.empty(), end)
        events += analytics.finish()
        return analytics, sorted(events, key=lambda event: (event.time, event.kind, event.place, event.track))

    def scene(self) -> dict[str, Any]:
        """The scene that was drawn for this run, in its pixels.

        Raises:
            ValueError: something in its file is wrong; the message names it.
        """
        path = self.folder / SCENE
        if not path.is_file():
            return {}
        try:  # a long run's first frames may not know all classes
            return read_run_scene(path, _numbers(self.about), self.about.size or self.size())
        except ValueError:
            return read_run_scene(path, _numbers(self.file), self.size())

    def keep_scene(self, scene: Any) -> None:
        """Keeps a scene beside the results.

        Raises:
            ValueError: something in it is wrong.
            OSError: it cannot be written.
        """
        write_run_scene(self.folder / SCENE, scene, _numbers(self.file))

    def correct(self, entry: Any, seen: int | None = None) -> None:
        """Adds a correction to the log.

        Args:
            entry: the correction.
            seen: how long the log was as it was seen by who corrects; None if that does not matter.

        Raises:
            OutdatedError: somebody else has corrected since; the log is as before.
            ValueError: it is wrong, or does not fit the tracks; the log is as before.
            OSError: it cannot be written.
        """
        clean = checked(entry)
        with self._lock:
            state = self.state
            if seen is not None:
                self._log.check_seen(seen)
            clean, new = self._log.applied(clean, state, self.found.to_rows, self.next_id())
            self._log.add(clean)
            if not active(self._log.entries)[0]:
                self._show(None)
            elif new.rows is state.rows:  # a name: the boxes are those that are shown
                self._state = new
            else:
                self._show(new)

    def crop(self, track: int) -> bytes | None:
        """The best picture of a track as JPEG; None where there is none."""
        key = track, len(self.log)
        columns, reader = self.columns, self.pictures.reader()
        with self._lock:
            if key in self._crops:
                return self._crops[key]
        rows = columns.best_rows(track, self.size())
        found = None if reader is None or not len(rows) else next(crops(reader, rows, _FIRST), None)
        data = None if found is None else found[1]
        with self._lock:
            self._crops[key] = data
            while len(self._crops) > _MOST_CROPS:
                self._crops.pop(next(iter(self._crops)))
        return data

    def kept(self) -> list[dict[str, Any]]:
        """What lies in the run's folder: names, bytes, and days since it was written."""
        return listed(self.folder, (*OUTPUT_FILES, GLOBAL_FILE, CORRECTIONS, SCENE, CORRECTED, CACHE))

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
            if name == CORRECTIONS and self._found is not None:
                self._replay()
        if self.pictures.place() == path:
            self.pictures.close("the video was deleted")


def _numbers(file: TrackColumns) -> dict[str, int]:
    return {name: number for number, name in file.class_names.items()}


def runs_in(
    folders: Sequence[Path],
    videos: Mapping[str, Path] | None = None,
    truths: Mapping[str, Path] | None = None,
) -> list[Run]:
    """The runs in these folders: those of the folders themselves and below them that hold tracks.

    Args:
        folders: output folders of ``mot-reid track``.
        videos: where the videos are, by the run folder's name.
        truths: ground truth likewise.

    Raises:
        FileNotFoundError: there is no such folder, or it holds no tracks.
        ValueError: a video or ground truth is named for no run of these.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            told = "a file; expected the output folder of a run" if folder.exists() else "no such folder"
            raise FileNotFoundError(f"{folder}: {told}")
        below = sorted(path for path in folder.iterdir() if path.is_dir())
        if track_file_of(folder) is not None:  # its exports are no run of their own
            below = [folder, *(path for path in below if path.name != CORRECTED)]
        runs = [path for path in below if track_file_of(path) is not None]
        if not runs:
            raise FileNotFoundError(f"{folder}: no tracks in it or in the folders below it")
        found += [run for run in runs if run not in found]
    places, known = dict(videos or {}), dict(truths or {})
    names = [path.absolute().name for path in found]
    if strange := next((name for name in (*places, *known) if name not in names), None):
        raise ValueError(f"{strange}={(places | known)[strange]}: no such run; there are: {', '.join(names)}")
    made = [Run(f"r{number}", path, places.get(names[number])) for number, path in enumerate(found)]
    for run, name in zip(made, names, strict=True):
        run.truth = known.get(name)
    return made


def folder_names(runs: Sequence[Run]) -> list[str]:
    """The names of runs' folders, with the one above where several are called alike."""
    folders = [run.folder.absolute() for run in runs]
    called = Counter(folder.name for folder in folders)
    return [
        f"{folder.parent.name}/{folder.name}" if called[folder.name] > 1 else folder.name
        for folder in folders
    ]
