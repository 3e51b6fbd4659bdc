"""How good a person detector is: AP50 and recall on labelled pictures, and the time of one picture."""

import os
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mot_reid.boxes import covered_fraction, iou
from mot_reid.detection.yolo import import_ultralytics
from mot_reid.training.detection_pictures import Boxes, labelled_pictures, read_picture

__all__ = ["DetectionScore", "evaluate_detector", "load_yolo", "score_detections"]


@dataclass(frozen=True)
class DetectionScore:
    """The figures of one detector on one set of pictures.

    Attributes:
        ap50: average precision at IoU 0.5, the area under the precision envelope (all points).
        recall: share of the labelled people found by detections of at least the low score.
        people: number of labelled people.
        pictures: number of pictures.
        milliseconds: median time of one picture, resizing and suppression included.
    """

    ap50: float
    recall: float
    people: int
    pictures: int
    milliseconds: float = float("nan")


class PictureResult(NamedTuple):
    """One picture's labels, ignored areas and detections: boxes ``(N, 4)`` xyxy, pixels; scores ``(D,)``."""

    people: Boxes
    ignored: Boxes
    detections: Boxes
    scores: NDArray[np.float32]


def load_yolo(weights: str | os.PathLike[str]) -> Any:
    """An ``ultralytics.YOLO`` from a checkpoint on disk, with Ultralytics kept off the network.

    Raises:
        FileNotFoundError: there is no such file; Ultralytics would try to fetch it.
    """
    if not Path(weights).is_file():
        raise FileNotFoundError(f"no detector weights at {weights}")
    return import_ultralytics().YOLO(str(weights), task="detect")


def score_detections(pictures: Iterable[PictureResult], low_score: float = 0.1) -> DetectionScore:
    """AP50 and recall of detections pooled over pictures.

    Within a picture each detection, the surest first, takes the free labelled person with which it overlaps
    most, if the IoU is at least 0.5. Detections left over that lie by half in an ignored area do not count.

    Args:
        pictures: the labels and detections of each picture.
        low_score: the least score of the detections that count for the recall.
    """
    scores, hits, people, count = [np.zeros(0, np.float32)], [np.zeros(0, bool)], 0, 0
    for picture in pictures:
        order = np.argsort(-picture.scores, kind="stable")
        detections = picture.detections[order]
        hit = _match(detections, picture.people)
        counts = hit | ~(covered_fraction(detections, picture.ignored) >= 0.5).any(axis=1)
        scores.append(picture.scores[order][counts])
        hits.append(hit[counts])
        people += len(picture.people)
        count += 1
    score, hit = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(hit[order])
    precision = found / np.arange(1, len(found) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    total = max(people, 1)
    return DetectionScore(
        ap50=float(envelope[hit[order]].sum() / total),
        recall=float(hit[score >= low_score].sum() / total),
        people=people,
        pictures=count,
    )


def _match(detections: Boxes, people: Boxes) -> NDArray[np.bool_]:
    """Which detections, given surest first, find a person that none before them found."""
    overlap = iou(detections, people)
    hit = np.zeros(len(detections), bool)
    for row in np.flatnonzero((overlap >= 0.5).any(axis=1)):
        best = overlap[row].argmax()
        if overlap[row, best] >= 0.5:
            hit[row] = True
            overlap[:, best] = 0
    return hit


def evaluate_detector(
    weights: str | os.PathLike[str],
    sets: Mapping[str, Path],
    sizes: Sequence[int] = (640, 960),
    low_score: float = 0.1,
) -> dict[tuple[str, int], DetectionScore]:
    """Scores of a checkpoint on YOLO-layout folders (see :func:`.labelled_pictures`), at several image sizes.

    Class 0 counts as person, so COCO checkpoints and one-class ones compare directly. MOTChallenge frames
    come in through :func:`mot_reid.training.detection_pictures.convert_mot`.

    Args:
        weights: an Ultralytics detection checkpoint on disk.
        sets: a name and a folder for each set of pictures.
        sizes: longer sides, in pixels, to which the pictures are resized.
        low_score: the least score of the detections that count for the recall.

    Returns:
        A score for each set's name and size.
    """
    model = load_yolo(weights)
    results: dict[tuple[str, int], DetectionScore] = {}
    for size in sizes:
        for name, folder in sets.items():
            seconds: list[float] = []
            score = score_detections(_detect(model, folder, size, seconds), low_score)
            results[name, size] = DetectionScore(
                score.ap50, score.recall, score.people, score.pictures, 1000 * statistics.median(seconds)
            )
    return results


def _detect(model: Any, folder: Path, size: int, seconds: list[float]) -> Iterator[PictureResult]:
    for path, people, ignored in labelled_pictures(folder):
        image = read_picture(path)
        started = time.perf_counter()
        found = model.predict(
            image, imgsz=size, conf=0.001, iou=0.7, max_det=300, classes=[0], verbose=False
        )[0].boxes
        seconds.append(time.perf_counter() - started)
        sides = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
        yield PictureResult(
            people * sides, ignored * sides, found.xyxy.cpu().numpy(), found.conf.cpu().numpy()
        )
