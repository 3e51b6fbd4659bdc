"""What flows between the parts: detections in, tracks out, both as structures of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from mot_reid.columns import Invalid, checked_boxes, checked_column, unit_rows, valid_rows
from mot_reid.elsewhere import DETECTIONS, TRACK_ROW, TRACKS, Elsewhere, arguments_told, missing
from mot_reid.typing import Boxes, Embeddings, Floats32, Ints

__all__ = ["Detections", "TrackRow", "Tracks"]


class _Rows(Elsewhere):
    """Length and row selection, shared by the two structures."""

    xyxy: Boxes
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, rows: Any) -> Self:
        """Selects rows by a boolean mask, an index array or a slice."""
        if isinstance(rows, int | np.integer):
            rows = [rows]
        whole = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return self.unchecked(**{name: v if v is None else v[rows] for name, v in whole.items()})

    @classmethod
    def unchecked(cls, **columns: Any) -> Self:
        """Makes one of all its columns, which fit together for sure: some rows of a checked one, say."""
        new = object.__new__(cls)
        vars(new).update(columns)
        return new


@dataclass(frozen=True, eq=False)
class Detections(_Rows):
    """The detections of one frame.

    Attributes:
        xyxy: boxes ``(N, 4)`` float32 in pixels, ``x1 < x2`` and ``y1 < y2``; they may reach over the frame.
        scores: ``(N,)`` float32 in [0, 1]; 1 where not given.
        classes: ``(N,)`` int64 class numbers; 0 where not given.
        embeddings: ``(N, D)`` float32 appearance vectors, L2-normalised here if they are not; or None.
        invalid_rows: how many rows were left out or mended where ``invalid="drop"`` was asked for.
        other_classes: how many boxes of each class that is not wanted the detector found beside these, by
            name; empty where it does not say.

    Args:
        xyxy: boxes.
        scores: of each.
        classes: of each.
        embeddings: of each.
        invalid: ``"raise"``, or ``"drop"`` to leave out rows with a value that is not finite, a box without
            area, a score outside [0, 1] or an embedding of zeros; a score that is outside by rounding only
            (0.001) is cut. Row numbers such as `Tracks.detection_index` count what is left.

    Raises:
        ValueError: a shape does not fit, a value is not finite, a box has no area, a score lies outside
            [0, 1] or an embedding is zero; the message names the argument and the row.
        TypeError: an argument does not hold numbers.
    """

    xyxy: Boxes
    scores: Floats32
    classes: Ints
    embeddings: Embeddings | None
    invalid_rows = 0  # without an annotation: not a column
    _elsewhere = DETECTIONS
    other_classes = MappingProxyType[str, int]({})

    @arguments_told(DETECTIONS)
    def __init__(
        self,
        xyxy: ArrayLike,
        scores: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        embeddings: ArrayLike | None = None,
        *,
        invalid: Invalid = "raise",
    ) -> None:
        wrong = 0
        if invalid == "drop":
            (xyxy, scores, classes, embeddings), wrong = valid_rows(xyxy, scores, classes, embeddings)
        elif invalid != "raise":
            raise ValueError(f"invalid: expected raise or drop, got {invalid!r}")
        object.__setattr__(self, "invalid_rows", wrong)
        boxes = checked_boxes(xyxy, "xyxy")
        n = len(boxes)
        checked_scores = checked_column(np.ones(n) if scores is None else scores, "scores", np.float32, n)
        outside = ~((checked_scores >= 0) & (checked_scores <= 1))  # written so that NaN is outside
        if outside.any():
            row = int(outside.argmax())
            raise ValueError(f"scores: row {row} is {checked_scores[row]}, expected a value in [0, 1]")
        object.__setattr__(self, "xyxy", boxes)
        object.__setattr__(self, "scores", checked_scores)
        labels = np.zeros(n, np.int64) if classes is None else classes
        object.__setattr__(self, "classes", checked_column(labels, "classes", np.int64, n))
        checked_embeddings = None if embeddings is None else unit_rows(embeddings, n)
        object.__setattr__(self, "embeddings", checked_embeddings)

    def beside(self, other_classes: Mapping[str, int]) -> Detections:
        """The same, beside boxes of classes that are not wanted."""
        new = self[:]
        object.__setattr__(new, "other_classes", dict(other_classes))
        return new

    def with_embeddings(self, embeddings: ArrayLike) -> Detections:
        """The same boxes, scores and classes, with embeddings ``(N, D)``.

        Raises:
            ValueError: the shape does not fit, or one is zero or not finite.
            TypeError: they are not numbers.
        """
        new = Detections(self.xyxy, self.scores, self.classes, embeddings) if len(self) else self
        return new.beside(self.other_classes)

    def without_embeddings(self) -> Detections:
        """The same boxes, scores and classes, not copied."""
        return self.unchecked(xyxy=self.xyxy, scores=self.scores, classes=self.classes, embeddings=None)

    @classmethod
    def from_ultralytics(cls, result: Any, *, invalid: Invalid = "raise") -> Detections:
        """The detections of an Ultralytics result, row for row.

        Masks, keypoints and oriented boxes stay in the result: ``result[row]`` of the row in
        `Tracks.detection_index` has those of a track.

        Args:
            result: one of the results that a detection, segmentation, pose or OBB model gives, one a frame.
            invalid: ``"drop"`` leaves out rows as `Detections` does; row numbers count what is left then.

        Raises:
            TypeError: it is no such result; a list of them, say.
            ValueError: a row is wrong, as for `Detections`.
        """
        from mot_reid.exchange import detections_from_ultralytics

        return detections_from_ultralytics(result, invalid)

    @classmethod
    def from_supervision(cls, detections: Any, *, invalid: Invalid = "raise") -> Detections:
        """The detections of a ``supervision.Detections``, row for row.

        Args:
            detections: supervision's.
            invalid: as in `from_ultralytics`.

        Raises:
            TypeError: they are not supervision's.
            ValueError: a row is wrong, as for `Detections`.
        """
        from mot_reid.exchange import detections_from_supervision

        return detections_from_supervision(detections, invalid)

    @classmethod
    def from_rows(cls, rows: Any, *, invalid: Invalid = "raise") -> Detections:
        """Detections from one table, as BoxMOT and many others have them.

        Args:
            rows: ``(N, 5)`` or ``(N, 6)``, an array or a torch tensor: x1, y1, x2, y2, score and perhaps
                class.
            invalid: as in `from_ultralytics`.

        Raises:
            TypeError: they are not numbers.
            ValueError: their shape is another one, or a row is wrong, as for `Detections`.
        """
        from mot_reid.exchange import detections_from_rows

        return detections_from_rows(rows, invalid)

    @classmethod
    def empty(cls) -> Detections:
        """No detection at all."""
        return cls(np.zeros((0, 4)))


class TrackRow(NamedTuple):
    """One row of `Tracks`, in Python's own types; iteration over them gives these."""

    id: int
    xyxy: tuple[float, float, float, float]
    score: float
    class_id: int
    detection_index: int
    id_confidence: float
    velocity: tuple[float, float]
    age: int


def _no_such(row: TrackRow, name: str) -> Any:
    raise missing(row, name, TRACK_ROW)


if not TYPE_CHECKING:  # a named tuple has no other base, and every name would pass for one that is there
    TrackRow.__getattr__ = _no_such


@dataclass(frozen=True, eq=False)
class Tracks(_Rows):
    """The tracks seen in one frame, in the order of the detections behind them, then those hidden just now.

    Iteration gives a `TrackRow` for each; a mask, an index array or a slice in brackets gives `Tracks`.

    Attributes:
        ids: ``(N,)`` int64, from 1, unique within a tracker and never used again.
        xyxy: boxes ``(N, 4)`` float32 in pixels.
        scores: ``(N,)`` float32, the scores of the detections behind the rows, the last ones for the hidden.
        classes: ``(N,)`` int64 class numbers.
        detection_index: ``(N,)`` int64, the row of the detection in this frame's input, or -1 for a
            person hidden behind another one, whose box is predicted.
        id_confidence: ``(N,)`` float32 in [0, 1], how likely the id is still that of the person who got it:
            1 until a track comes back by its looks alone, from then on what that says, times what earlier
            returns said; 1 where not given. Online results only: what is done with hindsight leaves it at 1.
        velocity: ``(N, 2)`` float32, of the box's centre in pixels a frame, as the motion filter has it; NaN
            where not known.
        age: ``(N,)`` int64, frames since the track's first detection; -1 where not known.

    Raises:
        ValueError: a shape does not fit.
    """

    ids: Ints
    xyxy: Boxes
    scores: Floats32
    classes: Ints
    detection_index: Ints
    id_confidence: Floats32
    velocity: Floats32
    age: Ints
    _elsewhere = TRACKS

    def __init__(
        self,
        ids: Ints,
        xyxy: Boxes,
        scores: Floats32,
        classes: Ints,
        detection_index: Ints,
        id_confidence: Floats32 | None = None,
        velocity: Floats32 | None = None,
        age: Ints | None = None,
    ) -> None:
        n = len(ids)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "xyxy", xyxy)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "detection_index", detection_index)
        sure = np.ones(n, np.float32) if id_confidence is None else id_confidence
        object.__setattr__(self, "id_confidence", sure)
        unknown = np.full((n, 2), np.nan, np.float32)
        object.__setattr__(self, "velocity", unknown if velocity is None else velocity)
        object.__setattr__(self, "age", np.full(n, -1) if age is None else age)
        for name in self.__dataclass_fields__:
            expected = {"xyxy": (n, 4), "velocity": (n, 2)}.get(name, (n,))
            shape = getattr(self, name).shape
            if shape != expected:
                raise ValueError(f"{name}: expected shape {expected} to match ids, got {shape}")

    def __iter__(self) -> Iterator[TrackRow]:
        columns = (
            *(self.ids, self.xyxy, self.scores, self.classes, self.detection_index, self.id_confidence),
            *(self.velocity, self.age),
        )
        lists: list[list[Any]] = [column.tolist() for column in columns]
        for track_id, box, score, class_id, index, sure, velocity, age in zip(*lists, strict=True):
            yield TrackRow(track_id, tuple(box), score, class_id, index, sure, tuple(velocity), age)

    @property
    def seen(self) -> Tracks:
        """Those with a detection behind them, so that each `detection_index` is a row of the detections."""
        return self[self.detection_index >= 0]

    def to_supervision(self, class_names: Mapping[int, str] | None = None) -> Any:
        """A ``supervision.Detections`` with ``tracker_id``, for its annotators, LineZone and PolygonZone.

        Args:
            class_names: the name of each class number, for ``data["class_name"]``.

        Raises:
            ImportError: supervision is not installed.
        """
        from mot_reid.exchange import tracks_to_supervision

        return tracks_to_supervision(self, class_names)

    def to_dataframe(self, frame: int | None = None, time: float | None = None) -> Any:
        """A ``pandas.DataFrame``, one row for each track.

        Args:
            frame: the frame's number, for a column of that name; left out where None.
            time: the frame's time in seconds, for another.

        Raises:
            ImportError: pandas is not installed.
        """
        from mot_reid.exchange import tracks_to_dataframe

        return tracks_to_dataframe(self, frame, time)

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns as lists, as JSON can hold them; what is not known is None."""
        from mot_reid.exchange import tracks_to_dict

        return tracks_to_dict(self)

    @classmethod
    def empty(cls) -> Tracks:
        """No track at all."""
        none = np.zeros(0, np.int64)
        return cls(none, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), none, none)
