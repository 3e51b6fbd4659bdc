"""The files that a run can write, as a table: a new output is one class and one row.

The class is a `mot_reid.video.sinks.Sink`. What ``output.formats`` and ``--formats`` may name, and what a run
replaces in its folder, come from here; a switch such as ``--csv`` is one more line in `mot_reid.cli.track`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mot_reid.video.annotations import CocoSink, CvatSink, KittiSink, LabelStudioSink, YoloSink
from mot_reid.video.sinks import CsvSink, JsonLinesSink, MotSink, ParquetSink, Sink, import_pyarrow

if TYPE_CHECKING:
    from mot_reid.video.sound import Sound

__all__ = ["FORMATS", "Format", "SinkInfo", "chosen_formats", "files_of"]


@dataclass(frozen=True)
class SinkInfo:
    """What is known of a run before its first frame.

    Attributes:
        fps: frames a second of what is written.
        class_names: the name of each class number.
        source: short name of the source.
        width: of every frame, pixels; 0 where it is not known.
        height: of every frame, pixels; 0 where it is not known.
        crf: quality of videos, H.264's constant rate factor.
        sound: opens what shall be heard in videos; None where there is nothing.
        stride: by how much the numbers of frames ascend.
    """

    fps: float = 30.0
    class_names: Mapping[int, str] = field(default_factory=dict)
    source: str = ""
    width: int = 0
    height: int = 0
    crf: int = 23
    sound: Callable[[], Sound | None] = lambda: None
    stride: int = 1

    @property
    def numbers_a_second(self) -> float:
        """By how much the numbers of frames ascend in a second: the source's own rate."""
        return self.fps * self.stride

    def numbers(self, last: int, seen: Iterable[int]) -> Sequence[int]:
        """The frames that were tracked, ascending: what was passed over is no frame without anybody.

        Args:
            last: the last of them.
            seen: those in which somebody is seen.
        """
        if self.stride == 1:
            return range(1, last + 1)
        return sorted({*range(last, 0, -self.stride), *seen})


@dataclass(frozen=True)
class Format:
    """One row of `FORMATS`.

    Attributes:
        file: the name of the file, or the folder, in the output folder.
        help: what it is, one line.
        open: makes the sink for a path.
        pictures: whether it takes the drawn pictures.
        check: raises an ImportError that says what is not installed.
        also: other files that may lie there while it is written.
        every_frame: whether a frame without tracks shows in it.
    """

    file: str
    help: str
    open: Callable[[Path, SinkInfo], Sink]
    pictures: bool = False
    check: Callable[[], object] = lambda: None
    also: tuple[str, ...] = ()
    every_frame: bool = False


def _video(path: Path, info: SinkInfo) -> Sink:
    from mot_reid.video.video_sink import VideoSink

    return VideoSink(path, info.fps, info.crf, sound=info.sound())


FORMATS: dict[str, Format] = {
    "mot": Format("tracks.txt", "MOTChallenge's text", lambda path, _: MotSink(path)),
    "jsonl": Format("tracks.jsonl", "JSON lines", lambda path, info: JsonLinesSink(path, info.class_names)),
    "csv": Format("tracks.csv", "CSV", lambda path, info: CsvSink(path, info.class_names)),
    "parquet": Format(
        "tracks.parquet",
        "Parquet (needs the extra parquet)",
        lambda path, info: ParquetSink(path, info.class_names),
        check=import_pyarrow,
        also=("tracks.arrows",),
    ),
    "coco": Format("tracks_coco.json", "COCO's JSON", CocoSink, also=("tracks_coco.spool.jsonl",)),
    "cvat": Format("tracks_cvat.xml", "CVAT's XML", CvatSink, also=("tracks_cvat.spool.jsonl",)),
    "labelstudio": Format(
        "tracks_labelstudio.json",
        "a task of Label Studio",
        LabelStudioSink,
        also=("tracks_labelstudio.spool.jsonl",),
    ),
    "yolo": Format("tracks_yolo", "YOLO's text, a file for each frame", YoloSink, every_frame=True),
    "kitti": Format("tracks_kitti.txt", "KITTI's text", lambda path, info: KittiSink(path, info.class_names)),
    "video": Format("tracks.mp4", "the video with the tracks drawn", _video, pictures=True),
}
"""Every format by the name that ``output.formats`` and the command line have for it.

Texts come first: a full disk shall not cost the tracks.
"""


def chosen_formats(names: Iterable[str]) -> dict[str, Format]:
    """The formats of these names, in the table's order.

    Raises:
        ValueError: there is no such format.
        ImportError: a format needs a package that is not installed.
    """
    wanted = set(names)
    if unknown := sorted(wanted - FORMATS.keys()):
        raise ValueError(
            f"output.formats: {unknown[0]!r} is not one of the formats; known: {', '.join(FORMATS)}"
        )
    chosen = {name: entry for name, entry in FORMATS.items() if name in wanted}
    for entry in chosen.values():
        entry.check()
    return chosen


def files_of(formats: Iterable[Format]) -> tuple[str, ...]:
    """The names in the output folder that belong to these formats."""
    return tuple(name for entry in formats for name in (entry.file, *entry.also))
