"""Detections and tracks from and to the libraries beside this one; none of them is imported before its turn.

The methods of `Detections` and `Tracks` are the way in: ``Detections.from_ultralytics``,
``Tracks.to_supervision`` and their kin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mot_reid.columns import Invalid, plain_array
from mot_reid.structures import Detections, Tracks

__all__ = [
    "detections_from_rows",
    "detections_from_supervision",
    "detections_from_ultralytics",
    "require_detections",
    "tracks_to_dataframe",
    "tracks_to_dict",
    "tracks_to_supervision",
]


def detections_from_ultralytics(result: Any, invalid: Invalid = "raise") -> Detections:
    """See `Detections.from_ultralytics`."""
    boxes = getattr(result, "obb", None)
    boxes = getattr(result, "boxes", None) if boxes is None else boxes
    if boxes is None or not all(hasattr(boxes, name) for name in ("xyxy", "conf", "cls")):
        raise TypeError(
            "result: expected one of the results of an Ultralytics detection, segmentation, pose or OBB "
            f"model, got {type(result).__name__}"
            + (" (a list: pass one of its entries)" if isinstance(result, list | tuple) else "")
        )
    return Detections(boxes.xyxy, boxes.conf, boxes.cls, invalid=invalid)


def detections_from_supervision(detections: Any, invalid: Invalid = "raise") -> Detections:
    """See `Detections.from_supervision`."""
    if not all(hasattr(detections, name) for name in ("xyxy", "confidence", "class_id")):
        raise TypeError(f"detections: expected supervision's Detections, got {type(detections).__name__}")
    return Detections(detections.xyxy, detections.confidence, detections.class_id, invalid=invalid)


def require_detections(value: object) -> None:
    """Refuses what is not `Detections`, and says what makes them.

    Raises:
        TypeError: it is something else, such as an array of rows.
    """
    if not isinstance(value, Detections):
        name, package = type(value).__name__, type(value).__module__.partition(".")[0]
        makers = "Detections.from_rows, from_ultralytics and from_supervision make them"
        if package in ("supervision", "ultralytics"):  # whose Detections are called so, too
            name, makers = f"{package}'s {name}", f"mot_reid.Detections.from_{package} makes them"
        raise TypeError(f"detections: expected Detections, got {name}; {makers}")


def detections_from_rows(rows: Any, invalid: Invalid = "raise") -> Detections:
    """See `Detections.from_rows`."""
    try:
        table = np.asarray(plain_array(rows, "rows"), np.float32)
    except (TypeError, ValueError):
        raise TypeError("rows: expected numbers in rows of one length") from None
    if not table.size and table.ndim <= 2:
        return Detections.empty()
    if table.ndim != 2 or table.shape[1] not in (5, 6):
        raise ValueError(
            f"rows: expected shape (N, 5) or (N, 6), x1, y1, x2, y2, score, class; got {table.shape}"
        )
    classes = table[:, 5] if table.shape[1] == 6 else None
    return Detections(table[:, :4], table[:, 4], classes, invalid=invalid)


def tracks_to_supervision(tracks: Tracks, class_names: Mapping[int, str] | None) -> Any:
    """See `Tracks.to_supervision`."""
    try:
        import supervision
    except ImportError:
        raise ImportError("to_supervision needs the package supervision: pip install supervision") from None
    data: dict[str, Any] = {"id_confidence": tracks.id_confidence, "detection_index": tracks.detection_index}
    if class_names is not None:
        data["class_name"] = np.array(
            [class_names.get(number, "") for number in tracks.classes.tolist()], np.str_
        )
    return supervision.Detections(
        xyxy=tracks.xyxy, confidence=tracks.scores, class_id=tracks.classes, tracker_id=tracks.ids, data=data
    )


def tracks_to_dataframe(tracks: Tracks, frame: int | None, time: float | None) -> Any:
    """See `Tracks.to_dataframe`."""
    try:
        import pandas
    except ImportError:
        raise ImportError("to_dataframe needs the package pandas: pip install pandas") from None
    given = {"frame": frame, "time": time}
    columns: dict[str, Any] = {
        name: np.full(len(tracks), value) for name, value in given.items() if value is not None
    }
    columns["id"] = tracks.ids
    columns |= {name: tracks.xyxy[:, place] for place, name in enumerate(("x1", "y1", "x2", "y2"))}
    columns |= {"score": tracks.scores, "class_id": tracks.classes, "id_confidence": tracks.id_confidence}
    columns |= {"detection_index": tracks.detection_index, "age": tracks.age}
    columns |= {name: tracks.velocity[:, place] for place, name in enumerate(("velocity_x", "velocity_y"))}
    return pandas.DataFrame(columns)


def tracks_to_dict(tracks: Tracks) -> dict[str, list[Any]]:
    """See `Tracks.to_dict`."""
    columns = {name: getattr(tracks, name) for name in tracks.__dataclass_fields__}
    return {name: _json(values) for name, values in columns.items()}


def _json(values: Any) -> list[Any]:
    """An array as lists; JSON has no number for what is not known."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if np.isnan(row).any() else row.tolist() for row in values]
    rows: list[Any] = values.tolist()
    return rows
