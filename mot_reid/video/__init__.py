"""Video in and out: sources of frames, sinks for tracks, and the overlay drawn on the picture.

The names are loaded when first asked for: PyAV, OpenCV and pyarrow come in only with what needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mot_reid.video.frames import Frame as Frame
    from mot_reid.video.frames import Source as Source
    from mot_reid.video.frames import SourceError as SourceError
    from mot_reid.video.frames import SourceInfo as SourceInfo
    from mot_reid.video.overlay import Overlay as Overlay
    from mot_reid.video.overlay import id_color as id_color
    from mot_reid.video.sinks import COLUMNS as COLUMNS
    from mot_reid.video.sinks import CsvSink as CsvSink
    from mot_reid.video.sinks import JsonLinesSink as JsonLinesSink
    from mot_reid.video.sinks import MotSink as MotSink
    from mot_reid.video.sinks import ParquetSink as ParquetSink
    from mot_reid.video.sinks import Sink as Sink
    from mot_reid.video.sinks import convert_spool as convert_spool
    from mot_reid.video.sinks import prepare_output_folder as prepare_output_folder
    from mot_reid.video.sinks import track_rows as track_rows
    from mot_reid.video.sources import open_source as open_source
    from mot_reid.video.video_sink import VideoSink as VideoSink

_NAMES_BY_MODULE = {
    "frames": ("Frame", "Source", "SourceError", "SourceInfo"),
    "overlay": ("Overlay", "id_color"),
    "sinks": (
        "COLUMNS",
        "CsvSink",
        "JsonLinesSink",
        "MotSink",
        "ParquetSink",
        "Sink",
        "convert_spool",
        "prepare_output_folder",
        "track_rows",
    ),
    "sources": ("open_source",),
    "video_sink": ("VideoSink",),
}
_HOMES = {name: f"{__name__}.{module}" for module, names in _NAMES_BY_MODULE.items() for name in names}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
