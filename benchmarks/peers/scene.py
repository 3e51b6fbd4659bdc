"""A made-up scene of walking people: what a detector, an embedder and a camera would say, and who is who.

Everything is drawn from one seed, so every process that asks for a scene gets the same. The sizes shrink as the
people become more: together their boxes always cover the same area, so that a scene of 1,000 people is a crowd
seen from far off and not one heap.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mot_reid.boxes import areas, intersections

__all__ = ["Scene", "SceneFrame"]

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 1920, 1080
"""Of the view, pixels."""

_CROWDING = 0.3  # area of all boxes together, as a share of the view
_ASPECT = 0.41  # width of a standing person for a height of 1
_SPEED = 0.02  # heights a frame: 1.2 m/s at 25 frames a second
_SHARP_TURNS = 0.01  # a frame and person, as are the next two
_DEATHS = 1 / 600  # out of doors; others walk out of the view
_ABSENCES = 1 / 300  # behind something that hides all of a person
_ABSENCE = (15, 75)  # frames
_MISSES = 0.02  # of people in full view
_FALSE_POSITIVES = 0.06  # for each person
_COMMON_LOOK = 0.6  # people look alike: cosine 0.36 between two of them
_LOOK_NOISE = 0.5  # cosine 0.8 between two views of one person
_LEAST_VISIBLE = 0.1  # below, a person is not in the truth


@dataclass(frozen=True)
class SceneFrame:
    """One frame of a scene.

    Attributes:
        xyxy: detections ``(M, 4)`` float32, in no order.
        scores: theirs ``(M,)`` float32; they fall with occlusion.
        embeddings: theirs ``(M, D)`` float32, L2-normalised; views of the occluded resemble who is in front.
        affine: ``(2, 3)`` camera motion, maps pixels of the last frame to this one's.
        true_ids: of the people in view ``(G,)`` int64.
        true_xyxy: their boxes ``(G, 4)`` float64.
    """

    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    affine: Floats
    true_ids: NDArray[np.int64]
    true_xyxy: Floats


class Scene:
    """Frame after frame, without end; a scene can be walked through once.

    Args:
        people: how many there are at any time, some of them hidden.
        seed: the same seed gives the same scene.
        dimension: of the embeddings.
    """

    def __init__(self, people: int, seed: int = 0, dimension: int = 512) -> None:
        if people < 1:
            raise ValueError(f"people: expected at least 1, got {people}")
        self._rng = np.random.default_rng(seed)
        self._stature = np.sqrt(_CROWDING * WIDTH * HEIGHT / people / _ASPECT)  # mean height, pixels
        self._common = _COMMON_LOOK * _unit(self._rng.standard_normal((1, dimension), np.float32))
        self._number = 0
        self._next_id = 1
        self._ids = np.zeros(people, np.int64)
        self._feet = np.zeros((people, 2))
        self._heading = np.zeros(people)
        self._build = np.ones((people, 2))  # of each one's width and height
        self._hidden_for = np.zeros(people, np.int64)
        self._looks = np.zeros((people, dimension), np.float32)
        self._enter(np.ones(people, bool))
        self._feet[:] = self._rng.uniform((0, 0.2 * HEIGHT), (WIDTH, HEIGHT), (people, 2))
        self._heading[:] = self._rng.uniform(0, 2 * np.pi, people)
        self._pose = np.eye(3)

    def __iter__(self) -> Iterator[SceneFrame]:
        return self

    def __next__(self) -> SceneFrame:
        affine = self._move_camera()
        if self._number:
            self._walk()
        self._number += 1
        boxes = self._boxes()
        present = np.flatnonzero(self._hidden_for == 0)
        covered, by = _covered(boxes[present])
        visible = 1 - covered
        seen = self._rng.random(len(present)) < (1 - _MISSES) * np.sqrt(np.clip((visible - 0.05) / 0.5, 0, 1))
        xyxy, scores = self._detect(boxes[present[seen]], visible[seen])
        looks = self._view(present[seen], present[by[seen]], covered[seen])
        wrong_xyxy, wrong_scores, wrong_looks = self._false_positives(boxes[present])
        order = self._rng.permutation(len(xyxy) + len(wrong_xyxy))
        true = visible >= _LEAST_VISIBLE
        return SceneFrame(
            xyxy=np.concatenate([xyxy, wrong_xyxy])[order].astype(np.float32),
            scores=np.concatenate([scores, wrong_scores])[order].astype(np.float32),
            embeddings=np.concatenate([looks, wrong_looks])[order],
            affine=affine,
            true_ids=self._ids[present[true]],
            true_xyxy=boxes[present[true]],
        )

    def _move_camera(self) -> Floats:
        """The camera sways and rolls a little, zooms a little and shakes; always near where it started."""
        t = self._number
        scale = 1 + 0.02 * np.sin(t / 70)
        roll = 0.004 * np.sin(t / 45)
        shift = 30 * np.sin([t / 40, t / 60]) + self._rng.normal(0, 0.5, 2)
        cosine, sine = scale * np.cos(roll), scale * np.sin(roll)
        pose = np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]], [0, 0, 1]])
        affine = (pose @ np.linalg.inv(self._pose))[:2] if t else np.eye(2, 3)
        self._pose = pose
        return affine

    def _heights(self) -> Floats:
        """Who stands further up in the picture is further away."""
        return self._stature * (0.7 + 0.55 * self._feet[:, 1] / HEIGHT) * self._build[:, 1]

    def _walk(self) -> None:
        count = len(self._ids)
        self._heading += self._rng.normal(0, 0.04, count)
        turning = self._rng.random(count) < _SHARP_TURNS
        self._heading[turning] += self._rng.uniform(-np.pi, np.pi, count)[turning]
        stride = _SPEED * self._heights()
        self._feet[:, 0] += stride * np.cos(self._heading)
        self._feet[:, 1] += 0.5 * stride * np.sin(self._heading)  # foreshortened
        outside = (self._feet[:, 0] < 0) | (self._feet[:, 0] > WIDTH)
        outside |= (self._feet[:, 1] < 0.2 * HEIGHT) | (self._feet[:, 1] > HEIGHT + 0.3 * self._heights())
        self._enter(outside | (self._rng.random(count) < _DEATHS))
        self._hidden_for = np.maximum(self._hidden_for - 1, 0)
        hiding = (self._hidden_for == 0) & (self._rng.random(count) < _ABSENCES)
        self._hidden_for[hiding] = self._rng.integers(*_ABSENCE, count)[hiding]

    def _enter(self, replaced: NDArray[np.bool_]) -> None:
        """Somebody new comes in at the left or right for everybody who is replaced."""
        rows = np.flatnonzero(replaced)
        count = len(rows)
        self._ids[rows] = np.arange(self._next_id, self._next_id + count)
        self._next_id += count
        from_right = self._rng.random(count) < 0.5
        self._feet[rows, 0] = np.where(from_right, WIDTH, 0)
        self._feet[rows, 1] = self._rng.uniform(0.2 * HEIGHT, HEIGHT, count)
        self._heading[rows] = np.where(from_right, np.pi, 0) + self._rng.uniform(-0.8, 0.8, count)
        self._build[rows] = self._rng.normal(1, 0.06, (count, 2)).clip(0.8, 1.2)
        self._hidden_for[rows] = 0
        own = _unit(self._rng.standard_normal((count, self._looks.shape[1]), np.float32))
        self._looks[rows] = _unit(self._common + np.sqrt(1 - _COMMON_LOOK**2) * own)

    def _boxes(self) -> Floats:
        """Of all people, as the camera sees them now, ``(N, 4)``."""
        height = self._heights()
        width = _ASPECT * height * self._build[:, 0]
        feet = self._feet @ self._pose[:2, :2].T + self._pose[:2, 2]
        scale = np.sqrt(np.linalg.det(self._pose[:2, :2]))
        half, tall = scale * width / 2, scale * height
        return np.column_stack([feet[:, 0] - half, feet[:, 1] - tall, feet[:, 0] + half, feet[:, 1]])

    def _detect(self, boxes: Floats, visible: Floats) -> tuple[Floats, Floats]:
        """Boxes and scores; both are worse where less of the person is to be seen."""
        sides = boxes[:, 2:] - boxes[:, :2]
        noise = 0.02 * (2 - visible)[:, None] * np.hstack([sides, sides])
        scores = 0.2 + 0.7 * visible + self._rng.normal(0, 0.06, len(boxes))
        return boxes + self._rng.normal(0, 1, boxes.shape) * noise, scores.clip(0.05, 0.99)

    def _view(self, rows: NDArray[np.intp], in_front: NDArray[np.intp], covered: Floats) -> NDArray[np.float32]:
        """Embeddings: a person, some noise, and as much of who stands in front as there is to be seen."""
        share = covered[:, None].astype(np.float32)
        clear = (1 - share) * self._looks[rows] + share * self._looks[in_front]
        noise = _unit(self._rng.standard_normal(clear.shape, np.float32))
        return _unit(clear + _LOOK_NOISE * noise)

    def _false_positives(self, boxes: Floats) -> tuple[Floats, Floats, NDArray[np.float32]]:
        """Boxes where nobody is, and second boxes of somebody: mostly weak, sometimes not."""
        count = self._rng.poisson(_FALSE_POSITIVES * len(self._ids)) if len(boxes) else 0
        models = boxes[self._rng.integers(0, max(len(boxes), 1), count)]
        sides = models[:, 2:] - models[:, :2]
        elsewhere = self._rng.uniform(0, (WIDTH, HEIGHT), (count, 2)) - models[:, :2]
        beside = self._rng.normal(0, 0.3, (count, 2)) * sides
        shift = np.where(self._rng.random((count, 1)) < 0.5, elsewhere, beside)
        own = _unit(self._rng.standard_normal((count, self._looks.shape[1]), np.float32))
        return models + np.hstack([shift, shift]), self._rng.beta(2, 4, count), _unit(self._common + own)


def _covered(boxes: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """The largest share of each box ``(N,)`` that one box in front covers, and which box that is ``(N,)``."""
    if not len(boxes):
        return np.zeros(0), np.zeros(0, np.intp)
    in_front = boxes[None, :, 3] > boxes[:, None, 3]
    shares = np.where(in_front, intersections(boxes, boxes), 0) / areas(boxes)[:, None]
    return shares.max(axis=1), shares.argmax(axis=1)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
