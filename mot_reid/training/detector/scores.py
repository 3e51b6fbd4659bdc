"""How good a person detector is: AP50 and recall on labelled pictures, and the time of one picture."""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mot_reid.boxes import covered_fraction, iou
from mot_reid.config import DetectorConfig
from mot_reid.detection.yolo import YoloDetector
from mot_reid.training.detector.pictures import labelled_pictures
from mot_reid.typing import Boxes, Floats32, Mask
from mot_reid.video.pictures import read_picture

__all__ = [
    "DetectionScore",
    "PictureResult",
    "evaluate_detector",
    "match",
    "read_results",
    "score_detections",
]

_LEAST_SCORE = 0.001
"""Weaker boxes change no figure that is shown."""


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
    scores: Floats32


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
        hit = match(detections, picture.people)
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


def match(detections: Boxes, people: Boxes) -> Mask:
    """Which detections ``(D, 4)``, surest first, find a person that none before them found: ``(D,)``."""
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
    runtime: str = "auto",
    device: str = "cpu",
    on_picture: Callable[[int, int], None] | None = None,
) -> dict[tuple[str, int], DetectionScore]:
    """Scores of a detector on YOLO-layout folders (see :func:`.labelled_pictures`), at several image sizes.

    The class named person counts, so COCO checkpoints and one-class ones compare directly. MOTChallenge
    frames come in through :func:`mot_reid.training.detector.pictures.convert_mot`.

    Args:
        weights: a checkpoint or export that `YoloDetector` runs.
        sets: a name and a folder for each set of pictures.
        sizes: longer sides, in pixels, to which the pictures are resized.
        low_score: the least score of the detections that count for the recall.
        runtime: as the setting ``detector.runtime``.
        device: such as ``cpu`` or ``cuda:0``.
        on_picture: told how many pictures are done, and of how many.

    Returns:
        A score for each set's name and size.
    """
    total = len(sizes) * sum(len(list(labelled_pictures(folder))) for folder in sets.values())
    done = 0
    results: dict[tuple[str, int], DetectionScore] = {}
    for size in sizes:
        config = DetectorConfig(str(weights), runtime, size, score=_LEAST_SCORE)
        detector = YoloDetector(config, device)
        for name, folder in sets.items():
            seconds: list[float] = []
            pictures = []
            for result in read_results(detector, folder, seconds):
                pictures.append(result)
                done += 1
                if on_picture is not None:
                    on_picture(done, total)
            score = score_detections(pictures, low_score)
            results[name, size] = replace(score, milliseconds=1000 * statistics.median(seconds))
    return results


def read_results(detector: YoloDetector, folder: Path, seconds: list[float]) -> Iterator[PictureResult]:
    """What a detector finds in a YOLO-layout folder's pictures; the time of each goes into ``seconds``."""
    for path, people, ignored in labelled_pictures(folder):
        image = read_picture(path)
        started = time.perf_counter()
        (found,) = detector.detect([image])
        seconds.append(time.perf_counter() - started)
        sides = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
        yield PictureResult(people * sides, ignored * sides, found.xyxy, found.scores)
