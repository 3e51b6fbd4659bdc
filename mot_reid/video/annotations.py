"""Sinks in the formats of annotation tools and data sets: COCO, CVAT, Label Studio, YOLO and KITTI.

COCO, CVAT and Label Studio want a whole document. So each frame goes to a spool beside it, JSON lines, of
which ``close`` makes the document; if the run is killed the spool stays, and ``mot-reid convert`` reads it.
CVAT and Label Studio list boxes track by track: for them the place of each row in the spool, eight bytes, is
in memory while ``close`` writes, and the rows of one track.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from mot_reid.files import atomic
from mot_reid.video.sinks import (
    COLUMNS,
    JsonLinesSink,
    Row,
    Sink,
    TextSink,
    TrackedFrame,
    named_errors,
    track_rows,
)

if TYPE_CHECKING:
    from mot_reid.video.formats import SinkInfo

__all__ = ["CocoSink", "CvatSink", "KittiSink", "LabelStudioSink", "YoloSink"]

_PERSON = {"person": "Pedestrian", "bicycle": "Cyclist"}  # KITTI's names
_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # XML 1.0, 2.2


class _DocumentSink(Sink):
    """A document that is made of a spool when all frames are there."""

    def __init__(self, path: str | Path, info: SinkInfo) -> None:
        self.path, self.info = Path(path), info
        self.spool = self.path.with_suffix(".spool.jsonl")
        self._rows = JsonLinesSink(self.spool, info.class_names)
        self._last_frame = 0
        self._closed = False

    def put(self, frame: TrackedFrame) -> None:
        """Writes the tracks of one frame to the spool; the image is not used."""
        self._last_frame = frame.number
        self._rows.put(frame)

    def close(self) -> None:
        """Makes the document of the spool; if that fails the spool stays.

        Raises:
            OSError: the document cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        self._rows.close()
        with named_errors(self.path), atomic(self.path) as part, part.open("w", encoding="utf-8") as file:
            self._document(file)
        self.spool.unlink()

    def _read(self) -> Iterator[dict[str, Any]]:
        """The rows so far, in the order of frames."""
        with self.spool.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def _tracks(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """The rows of each track, by id."""
        places: dict[int, array[int]] = {}
        with self.spool.open("rb") as file:
            at = 0
            for line in file:
                track_id = int(line.split(b'"id": ', 1)[1].split(b",", 1)[0])  # as our own sink writes it
                places.setdefault(track_id, array("q")).append(at)
                at += len(line)
            for track_id, own in sorted(places.items()):
                rows = []
                for place in own:
                    file.seek(place)
                    rows.append(json.loads(file.readline()))
                yield track_id, rows

    def _name(self, row: Mapping[str, Any]) -> str:
        return row["class_name"] or f"class {row['class_id']}"

    @abstractmethod
    def _document(self, file: IO[str]) -> None:
        """Writes the document."""


class CocoSink(_DocumentSink):
    """COCO's JSON with ``track_id`` and ``score`` in each annotation, as COCO-VID and MMTracking have it.

    Images are the frames in which a track was seen; ``frame_id`` counts from 0, ``file_name`` is the frame's
    number in six digits.
    """

    def _document(self, file: IO[str]) -> None:
        info = self.info
        names = dict(info.class_names)
        frames = array("q")
        file.write('{"videos": ' + json.dumps([{"id": 1, "name": info.source, "fps": info.numbers_a_second}]))
        file.write(', "annotations": [')
        for number, row in enumerate(self._read(), start=1):
            if not frames or frames[-1] != row["frame"]:
                frames.append(row["frame"])
            names.setdefault(row["class_id"], self._name(row))
            wide, tall = round(row["x2"] - row["x1"], 2), round(row["y2"] - row["y1"], 2)
            file.write(",\n" if number > 1 else "\n")
            file.write(
                f'{{"id": {number}, "image_id": {row["frame"]}, "video_id": 1, '
                f'"category_id": {row["class_id"]}, "bbox": [{row["x1"]}, {row["y1"]}, {wide}, {tall}], '
                f'"area": {round(wide * tall, 2)}, "iscrowd": 0, '
                f'"track_id": {row["id"]}, "score": {row["score"]}}}'
            )
        categories = [{"id": number, "name": name} for number, name in sorted(names.items())]
        file.write('], "categories": ' + json.dumps(categories, ensure_ascii=False) + ', "images": [')
        for place, frame in enumerate(frames):
            image = {"id": frame, "video_id": 1, "frame_id": frame - 1, "file_name": f"{frame:06d}.jpg"}
            image |= {"width": info.width, "height": info.height}
            file.write((",\n" if place else "\n") + json.dumps(image))
        file.write("]}\n")


class CvatSink(_DocumentSink):
    """CVAT's XML for videos, version 1.1: a track for each id; frames count from 0.

    A box that is predicted is marked ``occluded``; after a track's last box, and where it was not seen for a
    while, stands one that is ``outside``. Where each n-th frame was tracked, boxes go on in between.
    Characters of a class name that XML cannot hold become U+FFFD.
    """

    def _document(self, file: IO[str]) -> None:
        info = self.info
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        size = f"<original_size><width>{info.width}</width><height>{info.height}</height></original_size>"
        file.write(f"  <meta><task><mode>interpolation</mode>{size}</task></meta>\n")
        for track_id, rows in self._tracks():
            label = quoteattr(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", self._name(rows[-1])))
            file.write(f'  <track id="{track_id}" label={label} source="auto">\n')
            for row, after in _with_next(rows):
                file.write(self._box(row, row["frame"] - 1, outside=False))
                gone = row["frame"] < self._last_frame and after is None
                if gone or (after is not None and after["frame"] > row["frame"] + info.stride):
                    file.write(self._box(row, row["frame"] - 1 + info.stride, outside=True))
            file.write("  </track>\n")
        file.write("</annotations>\n")

    def _box(self, row: Mapping[str, Any], frame: int, *, outside: bool) -> str:
        corners = (("xtl", "x1"), ("ytl", "y1"), ("xbr", "x2"), ("ybr", "y2"))
        place = " ".join(f'{theirs}="{row[ours]:.2f}"' for theirs, ours in corners)
        hidden = int(row["detection_index"] < 0)
        state = f'outside="{int(outside)}" occluded="{hidden}" keyframe="1"'
        return f'    <box frame="{frame}" {state} {place} z_order="0"/>\n'


class LabelStudioSink(_DocumentSink):
    """A task of Label Studio with the tracks as predictions, for its tag ``VideoRectangle``.

    Boxes are in percent of the frame and end at its edges, frames count from 1. The labelling configuration's
    names are expected to be ``box`` and ``video``.

    Raises:
        ValueError: the frames' size is not known.
    """

    def __init__(self, path: str | Path, info: SinkInfo) -> None:
        _require_size(info, "Label Studio")
        super().__init__(path, info)

    def _document(self, file: IO[str]) -> None:
        count = self._last_frame
        source = json.dumps(self.info.source, ensure_ascii=False)
        file.write(
            f'[{{"data": {{"video": {source}}}, "predictions": [{{"model_version": "mot_reid", "result": ['
        )
        for place, (track_id, rows) in enumerate(self._tracks()):
            keys = [
                self._key(row, after is not None and after["frame"] <= row["frame"] + self.info.stride)
                for row, after in _with_next(rows)
            ]
            value: dict[str, Any] = {"labels": [self._name(rows[-1])], "framesCount": count}
            value |= {"duration": round(count / self.info.numbers_a_second, 3), "sequence": keys}
            entry: dict[str, Any] = {
                "id": f"track-{track_id}",
                "type": "videorectangle",
                "from_name": "box",
                "to_name": "video",
            }
            entry["meta"], entry["value"] = {"text": [str(track_id)]}, value
            file.write((",\n" if place else "\n") + json.dumps(entry, ensure_ascii=False))
        file.write("]}]}]\n")

    def _key(self, row: Mapping[str, Any], goes_on: bool) -> dict[str, Any]:
        width, height = self.info.width, self.info.height
        x1, y1, x2, y2 = _inside([row[corner] for corner in ("x1", "y1", "x2", "y2")], self.info)
        seconds = row["time"] if row["time"] is not None else (row["frame"] - 1) / self.info.numbers_a_second
        return {
            "frame": row["frame"],
            "enabled": goes_on,  # whether it is drawn up to the next key frame
            "rotation": 0,
            "x": round(100 * x1 / width, 4),
            "y": round(100 * y1 / height, 4),
            "width": round(100 * (x2 - x1) / width, 4),
            "height": round(100 * (y2 - y1) / height, 4),
            "time": round(seconds, 3),
        }


class KittiSink(TextSink):
    """KITTI's text for tracking: a line for each track, frames from 0, what is three-dimensional unknown.

    Class names are one word there, without the spaces, commas and control characters that they may have.
    """

    def _text(self, rows: list[Row]) -> str:
        lines = []
        for row in rows:
            named = dict(zip(COLUMNS, row, strict=True))
            name = str(named["class_name"])
            kind = _PERSON.get(name, _word(name.title())) or f"Class{named['class_id']}"
            box = " ".join(f"{named[corner]:.2f}" for corner in ("x1", "y1", "x2", "y2"))
            unknown = "-1 -1 -1 -1000 -1000 -1000 -10"
            start = f"{row[0] - 1} {named['id']} {kind} -1 -1 -10"
            lines.append(f"{start} {box} {unknown} {named['score']:.4f}\n")
        return "".join(lines)


class YoloSink(Sink):
    """YOLO's text, a folder with a file for each frame: class, centre, size, score, id; shares of the frame.

    Boxes end at the frame's edges, and those beyond are left out: a label that is none of 0 to 1 is refused.
    The first five columns are those of YOLO's labels; all seven are Ultralytics' with ``save_conf``.

    Raises:
        ValueError: the frames' size is not known.
    """

    def __init__(self, path: str | Path, info: SinkInfo) -> None:
        _require_size(info, "YOLO")
        self.path, self.info = Path(path), info
        self.path.mkdir(parents=True, exist_ok=True)
        for old in self.path.glob("[0-9]*.txt"):  # an earlier run's would pass for this one's
            old.unlink()

    def put(self, frame: TrackedFrame) -> None:
        """Writes the file of one frame, empty where nobody is seen; the image is not used."""
        width, height = self.info.width, self.info.height
        lines = []
        for _, track_id, *corners, score, class_id in (
            row[:8] for row in track_rows(frame.number, frame.tracks, {})
        ):
            x1, y1, x2, y2 = _inside(corners, self.info)
            if x1 == x2 or y1 == y2:
                continue
            centre = f"{(x1 + x2) / 2 / width:.6f} {(y1 + y2) / 2 / height:.6f}"
            size = f"{(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f}"
            lines.append(f"{class_id} {centre} {size} {score:.4f} {track_id}\n")
        path = self.path / f"{frame.number:06d}.txt"
        with named_errors(path):
            path.write_text("".join(lines), encoding="utf-8")

    def close(self) -> None:
        """Does nothing: each frame's file is complete."""


def _word(name: str) -> str:
    """A name without the characters that would end or part it in a line of columns."""
    return "".join(letter for letter in name if letter.isprintable() and letter not in " ,")


def _with_next(rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Each row and the one behind it; None behind the last."""
    return zip_longest(rows, rows[1:])


def _inside(corners: Sequence[float], info: SinkInfo) -> tuple[float, float, float, float]:
    """A box, x1, y1, x2, y2 in pixels, cut at the edges of the frame; without area where it lies beyond."""
    x1, y1, x2, y2 = (max(corner, 0.0) for corner in corners)
    return min(x1, info.width), min(y1, info.height), min(x2, info.width), min(y2, info.height)


def _require_size(info: SinkInfo, what: str) -> None:
    if info.width < 1 or info.height < 1:
        raise ValueError(f"{what}: boxes are shares of the frame, and its size is not known")
