"""Reading finished tracks with their times and what is known of their run: its folder, or one of its files.

This is for counting and the browser. Tracks alone, by frame and of any program's format, are read by
`mot_reid.video.track_files`.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics import Observations
from mot_reid.pipeline.summary_file import read_summary
from mot_reid.video.sinks import import_pyarrow

__all__ = ["FinishedTracks", "TrackColumns", "about_tracks", "read_columns", "read_finished", "track_file_of"]

_PREFERRED = ("tracks.parquet", "tracks.csv", "tracks.jsonl", "tracks.txt")
_LARGEST = 2.0**53  # of whole numbers as floats
_NEEDED = ("frame", "id", "x1", "y1", "x2", "y2")
_WANTED = (*_NEEDED, "score", "class_id", "detection_index", "time")
_LONG = 32 << 20  # bytes of text above which pyarrow reads it, where it is installed: ten times as fast


@dataclass(frozen=True)
class FinishedTracks:
    """Finished tracks and what is known of their video.

    Attributes:
        path: of the file that was read.
        rows: all of them.
        scores: ``(N,)`` float32 in the order of the rows; 1 where the file has none.
        predicted: ``(N,)`` bool, rows without a detection behind them, where the file tells.
        class_names: name of each class number.
        source: short name of the video.
        fps: frames a second; None where it is not known and not needed.
        size: width and height of the picture, pixels; None where they are not known.
        summary: the run's summary, empty where there is none.
        end: time of the run's last frame, which may have no row, seconds; None where it is not known.
    """

    path: Path
    rows: Observations
    scores: NDArray[np.float32]
    predicted: NDArray[np.bool_]
    class_names: Mapping[int, str]
    source: str
    fps: float | None
    size: tuple[int, int] | None
    summary: Mapping[str, Any] = field(default_factory=dict)
    end: float | None = None


@dataclass(frozen=True)
class TrackColumns:
    """Finished tracks as they lie in their file, column by column and not sorted.

    Attributes:
        path: of the file that was read.
        columns: ``frame``, ``id``, ``x1``, ``y1``, ``x2``, ``y2``, ``time`` and, where the file has them,
            ``score``, ``class_id`` and ``detection_index``; ``(N,)`` numbers each, of whatever kind the file
            holds. Frames and ids are whole.
        class_names: name of each class number.
        source: short name of the video.
        fps: frames a second; None where it is not known and not needed.
        size: width and height of the picture, pixels; None where they are not known.
        summary: the run's summary, empty where there is none.
        end: time of the run's last frame, which may have no row, seconds; None where it is not known.
    """

    path: Path
    columns: Mapping[str, NDArray[Any]]
    class_names: Mapping[int, str]
    source: str
    fps: float | None
    size: tuple[int, int] | None
    summary: Mapping[str, Any] = field(default_factory=dict)
    end: float | None = None


def track_file_of(folder: Path) -> Path | None:
    """The file of a run's folder that tells most; None if there is none."""
    return next((folder / name for name in _PREFERRED if (folder / name).is_file()), None)


def about_tracks(path: Path, fps: float | None = None) -> TrackColumns:
    """What is known of a file of tracks from the summary beside it, without its rows.

    Raises:
        ValueError: the summary is damaged; the message names it and the entry.
    """
    summary = read_summary(path.with_name("summary.json"))
    source = summary.get("source") or {}
    width, height = source.get("width"), source.get("height")
    return TrackColumns(
        path,
        {},
        {0: "person"},
        str(source.get("name") or path.parent.name or path.stem),
        fps or source.get("fps"),
        (int(width), int(height)) if width and height else None,
        summary,
    )


def read_columns(path: str | Path, fps: float | None = None) -> TrackColumns:
    """Reads finished tracks as columns, without sorting them.

    Args:
        path: a run's folder, or a file: MOTChallenge text, CSV, JSON lines or Parquet.
        fps: frames a second, for files without times; by default the run's own, from its ``summary.json``.

    Raises:
        FileNotFoundError: there is no such file, or no tracks in the folder.
        ImportError: it is Parquet, and pyarrow is not installed.
        ValueError: it is none of these, or times are not known; the message names the file.
    """
    path = Path(path)
    if path.is_dir():
        found = track_file_of(path)
        if found is None:
            raise FileNotFoundError(f"{path}: none of {', '.join(_PREFERRED)} is in it")
        path = found
    if not path.is_file():
        raise FileNotFoundError(f"track file not found: {path}")
    readers = {".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines, ".txt": _mot}
    if path.suffix not in readers:
        raise ValueError(f"{path}: expected one of {', '.join(readers)}")
    about = about_tracks(path, fps)
    try:
        columns, names = readers[path.suffix](path)
        _check_numbers(columns)
    except (ValueError, TypeError, OverflowError, csv.Error) as error:
        text = " ".join(str(error).split())
        raise ValueError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    times, end = columns.get("time"), about.summary.get("last_time")
    if times is None or np.isnan(times).any():
        if about.fps is None and len(columns["frame"]):
            raise ValueError(
                f"{path}: it has no times, and no summary.json beside it says the frames a second, such as "
                '{"source": {"fps": 25}}; `mot-reid count` takes --fps'
            )
        columns["time"] = (columns["frame"] - 1) / (about.fps or 1.0)
        last = about.summary.get("last_frame")
        end = (last - 1) / (about.fps or 1.0) if isinstance(last, int) else None
    if not isinstance(end, int | float) or isinstance(end, bool) or not np.isfinite(end):
        end = None
    elif len(columns["time"]):  # the summary's is rounded
        end = max(float(end), float(columns["time"].max()))
    return replace(about, columns=columns, class_names=names or about.class_names, end=end)


def read_finished(path: str | Path, fps: float | None = None) -> FinishedTracks:
    """Reads finished tracks, sorted by frame and id.

    Args:
        path: a run's folder, or a file: MOTChallenge text, CSV, JSON lines or Parquet.
        fps: frames a second, for files without times; by default the run's own, from its ``summary.json``.

    Raises:
        FileNotFoundError: there is no such file, or no tracks in the folder.
        ImportError: it is Parquet, and pyarrow is not installed.
        ValueError: it is none of these, a row is broken, or times are not known; the message names the file.
    """
    found = read_columns(path, fps)
    columns = found.columns
    n = len(columns["frame"])
    order = np.lexsort((columns["id"], columns["frame"]))
    boxes = np.column_stack([columns[name] for name in _NEEDED[2:]]).reshape(-1, 4)
    wrong = (columns["frame"] < 1) | (boxes[:, :2] > boxes[:, 2:]).any(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        box = ", ".join(f"{value:g}" for value in boxes[row].tolist())
        raise ValueError(
            f"{found.path}: row {row + 1}: expected a frame from 1 on and a box x1, y1, x2, y2, "
            f"got frame {columns['frame'][row]:g}, {box}"
        )
    try:
        rows = Observations.from_arrays(
            columns["frame"][order],
            columns["time"][order],
            columns["id"][order],
            boxes[order],
            columns.get("class_id", np.zeros(n))[order],
        )
    except ValueError as error:
        raise ValueError(f"{found.path}: {error}") from None
    return FinishedTracks(
        found.path,
        rows,
        columns.get("score", np.ones(n))[order].astype(np.float32),
        columns.get("detection_index", np.zeros(n))[order] < 0,
        found.class_names,
        found.source,
        found.fps,
        found.size,
        found.summary,
        found.end,
    )


def _mot(path: Path) -> tuple[dict[str, NDArray[Any]], dict[int, str]]:
    names = ("frame", "id", "x1", "y1", "width", "height", "score")
    try:
        if _is_long(path):
            with open(path, encoding="utf-8") as file:
                rest = len(file.readline().split(",")) - len(names)
            columns = _arrow_columns(path, [*names, *map(str, range(rest))], names)
        else:
            empty = path.stat().st_size < 100 and not path.read_bytes().strip()
            table = (
                np.zeros((0, 7))
                if empty
                else np.loadtxt(
                    path, delimiter=",", ndmin=2, usecols=range(7), comments=None, encoding="utf-8-sig"
                )
            )
            columns = dict(zip(names, table.T, strict=True))
    except ValueError as error:
        raise ValueError(f"{path}: not MOTChallenge's text: {error}") from None
    right, bottom = columns["x1"] + columns.pop("width"), columns["y1"] + columns.pop("height")
    return columns | {"x2": right, "y2": bottom}, {}


def _is_long(path: Path) -> bool:
    """Whether a text is read by pyarrow, which is there and many times as fast."""
    return path.stat().st_size > _LONG and importlib.util.find_spec("pyarrow") is not None


def _arrow_columns(
    path: Path, names: Sequence[str], numbers: Sequence[str], texts: Sequence[str] = (), skip: int = 0
) -> dict[str, NDArray[Any]]:
    """Columns of a comma-separated text; only ``time`` may be blank, and is NaN there.

    Args:
        path: the text.
        names: of all its columns.
        numbers: columns wanted, as float64.
        texts: columns wanted, as texts, each different row of these once.
        skip: lines before the first row.

    Raises:
        ValueError: it is no such text.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    types = dict.fromkeys(numbers, pa.float64()) | dict.fromkeys(texts, pa.string())
    try:
        table = arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(column_names=list(names), skip_rows=skip),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=list(types), null_values=[""]
            ),
        )
    except Exception as error:  # pyarrow has exceptions of its own for each kind of damage
        raise ValueError(str(error)) from None
    if blank := [name for name in numbers if name != "time" and table[name].null_count]:
        raise ValueError(f"{blank[0]} is blank in a row")
    columns: dict[str, NDArray[Any]] = {name: table[name].to_numpy() for name in numbers}
    if texts:
        both = table.select(["class_id", *texts]).group_by(["class_id", *texts]).aggregate([])
        columns["class_names"] = np.array(list(zip(*both.to_pydict().values(), strict=True)), object)
    return columns


def _csv(path: Path) -> tuple[dict[str, NDArray[Any]], dict[int, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file), [])
        _check_columns(path, header)
        wanted = [name for name in header if name in _WANTED]
        has_names = {"class_id", "class_name"} <= set(header)
        if _is_long(path) and len(set(header)) == len(header):
            columns = _arrow_columns(path, header, wanted, ["class_name"] if has_names else (), skip=1)
            pairs = columns.pop("class_names", np.zeros((0, 2)))
            return columns, {int(number): name for number, name in pairs}
        named: dict[int, str] = {}
        if has_names:
            number, name = header.index("class_id"), header.index("class_name")
            named = {int(row[number]): row[name] for row in csv.reader(file) if len(row) == len(header)}
    places = [header.index(name) for name in wanted]
    blank: dict[int | str, Callable[[str], float]] = {}
    if "time" in wanted:
        blank[header.index("time")] = _or_nan
    try:
        try:
            table = _loaded(path, places, {})
        except ValueError:  # times of runs that did not know them are blank
            table = _loaded(path, places, blank)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    table = table.reshape(-1, len(wanted))
    return dict(zip(wanted, table.T, strict=True)), named


def _loaded(
    path: Path, places: list[int], converters: Mapping[int | str, Callable[[str], float]]
) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a run that found nobody has a header and no row
        return np.loadtxt(
            path,
            np.float64,
            comments=None,
            delimiter=",",
            converters=converters or None,
            skiprows=1,
            usecols=places,
            ndmin=2,
            encoding="utf-8",
            quotechar='"',
        )


def _or_nan(text: str) -> float:
    return float(text) if text else np.nan


def _json_lines(path: Path) -> tuple[dict[str, NDArray[Any]], dict[int, str]]:
    named: dict[int, str] = {}
    rows: list[tuple[Any, ...]] = []
    wanted = _WANTED
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                rows.append(tuple(entry.get(name) for name in wanted))
                if name := entry.get("class_name"):
                    named.setdefault(entry.get("class_id") or 0, name)
            except (ValueError, TypeError, AttributeError, RecursionError):
                raise ValueError(f"{path}:{number}: not a line of JSON with {', '.join(_NEEDED)}") from None
    try:
        table = np.array(rows, np.float64).reshape(-1, len(wanted))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    if len(table) and np.isnan(table[:, :6]).any():
        raise ValueError(f"{path}: a line lacks one of {', '.join(_NEEDED)}")
    kept = [place for place in range(len(wanted)) if place < 6 or not np.isnan(table[:, place]).any()]
    return {wanted[place]: table[:, place] for place in kept}, named


def _parquet(path: Path) -> tuple[dict[str, NDArray[Any]], dict[int, str]]:
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names)
            there = [name for name in _WANTED if name in file.schema_arrow.names]
            # One after the other: a long file takes no more than what is kept of it.
            columns = {name: file.read([name])[name].to_numpy() for name in there}
            named: dict[int, str] = {}
            if {"class_id", "class_name"} <= set(file.schema_arrow.names):
                both = ["class_id", "class_name"]
                pairs = file.read(both).group_by(both).aggregate([])
                named = dict(zip(*(pairs[name].to_pylist() for name in both), strict=True))
    except Exception as error:  # pyarrow has exceptions of its own for each kind of damage
        if str(error).startswith(f"{path}: no column"):
            raise
        raise ValueError(f"{path}: not a Parquet file that can be read: {error}") from None
    pa.default_memory_pool().release_unused()
    return {
        name: values if values.dtype.kind in "iuf" else values.astype(np.float64)
        for name, values in columns.items()
    }, named


def _check_numbers(columns: Mapping[str, NDArray[Any]]) -> None:
    for name in ("frame", "id"):
        values = columns[name]
        if values.dtype.kind in "iu":
            continue
        wrong = ~((values == np.rint(values)) & (np.abs(values) < _LARGEST))
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"row {row + 1}: {name}: expected a whole number, got {values[row]:g}")


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise ValueError(f"{path}: no column {missing[0]}; expected {', '.join(_NEEDED)}")
