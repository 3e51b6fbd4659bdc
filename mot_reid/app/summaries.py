"""What the page needs to know of a run, first of all."""

from __future__ import annotations

from typing import Any

from mot_reid.app.runs import Run
from mot_reid.app.scoring import truth_of
from mot_reid.offline.corrections import active

__all__ = ["summary_of"]


def summary_of(run: Run, whole: bool = True) -> dict[str, Any]:
    """A run's summary as JSON.

    Args:
        run: which.
        whole: whether to wait until all tracks are read. Otherwise a long run's says what its first frames
            hold, which are then whole up to the frame ``read_to``; 0 there means that all are read.

    Raises:
        ValueError: the tracks are broken; the message names the file. Of a beginning nobody knows yet.
        OSError, ImportError: they cannot be read.
    """
    start = None if whole else run.beginning()
    file, columns = (run.file, run.columns) if start is None else (start.file, start.columns)
    lanes, (width, height) = columns.lanes(), run.size()
    held, undone = ([], []) if start is not None else active(run.log)
    stride = file.summary.get("stride")
    stride = stride if isinstance(stride, int) and stride > 0 else 1
    first = int(columns.frames[0]) if len(columns.frames) else 1
    last = run.frames() if start is None else max(int(file.summary.get("last_frame") or 0), start.frames)
    return {
        "key": run.key,
        "name": file.source,
        "first": first,
        "frames": last,
        "stride": stride,
        "phase": first % stride,
        "read_to": 0 if start is None else int(columns.frames[-1]),
        "fps": file.fps or 25.0,
        "width": width,
        "height": height,
        "classes": {str(number): name for number, name in file.class_names.items()},
        "tracks": lanes,
        "names": {} if start is not None else {str(track): name for track, name in run.names.items()},
        "pictures": run.pictures.place() is not None,
        "no_pictures": run.pictures.missing,
        "drawn": run.pictures.drawn,
        "corrections": [dict(entry) for entry in held[-200:]],
        "held": len(held),
        "logged": 0 if start is not None else len(run.log),
        "can_redo": len(undone),
        "refused": [] if start is not None else run.refused,
        "next_id": 0 if start is not None else run.next_id(),
        "complete": file.summary.get("complete") is not False,
        "error": file.summary.get("error"),
        "written": run.stamp and run.stamp[0][2] / 1e9,
        "truth": truth_of(run) is not None,
    }
