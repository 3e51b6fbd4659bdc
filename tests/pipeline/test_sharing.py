"""Several threads, one function that takes batches."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest

from mot_reid import Detections
from mot_reid.pipeline.sharing import Combiner, SharedDetector, SharedEmbedder


class Counting:
    """A detector, and an embedder, that are not made for threads and remember what they were given."""

    class_names: ClassVar = {0: "person"}
    name = "counting"

    def __init__(self, batch_size: int = 4, calls_at_once: int = 1) -> None:
        self.batch_size = self.frames_at_once = batch_size
        self.calls_at_once = calls_at_once
        self.shapes: list[list[tuple[int, ...]]] = []
        self._busy = threading.Lock()

    def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
        assert self._busy.acquire(blocking=False), "two at a time"
        self.shapes.append([frame.shape for frame in frames])
        time.sleep(0.005)
        self._busy.release()
        if any(frame[0, 0, 0] == 13 for frame in frames):
            raise ValueError("an unlucky frame")
        return [Detections([[0, 0, 1 + frame[0, 0, 0], 9]]) for frame in frames]

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        return self.embed_batch([frame], [xyxy])[0]

    def embed_batch(self, frames: Sequence[np.ndarray], xyxy: Sequence[np.ndarray]) -> list[np.ndarray]:
        assert self._busy.acquire(blocking=False), "two at a time"
        self.shapes.append([frame.shape for frame in frames])
        time.sleep(0.005)
        self._busy.release()
        return [boxes[:, :2] + frame[0, 0, 0] for frame, boxes in zip(frames, xyxy, strict=True)]


def frame(value: int, height: int = 8) -> np.ndarray:
    return np.full((height, 8, 3), value, np.uint8)


def test_batches_form_across_runs_and_everyone_gets_its_own() -> None:
    counting = Counting(batch_size=3)
    shared = SharedDetector(counting, runs=6)
    assert (shared.name, shared.batch_size, shared.class_names) == ("counting", 3, {0: "person"})

    def run(number: int) -> list[float]:
        height = 8 + number % 2
        return [shared.detect([frame(10 * number + step, height)])[0].xyxy[0, 2] for step in range(4)]

    with ThreadPoolExecutor(6) as pool:
        widths = list(pool.map(run, (0, 2, 4, 3, 5, 7)))
    assert widths == [[10 * number + step + 1 for step in range(4)] for number in (0, 2, 4, 3, 5, 7)]
    assert sum(map(len, counting.shapes)) == 24
    assert 1 < max(map(len, counting.shapes)) <= 3
    assert all(len(set(batch)) == 1 for batch in counting.shapes)


def test_several_frames_of_one_run_stay_in_order() -> None:
    counting = Counting(batch_size=4)
    found = SharedDetector(counting, runs=1).detect([frame(value) for value in range(6)])
    assert [detections.xyxy[0, 2] for detections in found] == [1, 2, 3, 4, 5, 6]
    assert [len(batch) for batch in counting.shapes] == [4, 2]


def test_numbers_below_one_are_named() -> None:
    with pytest.raises(TypeError, match=r"detector.batch_size: expected a whole number from 1, got 0"):
        SharedDetector(Counting(batch_size=0), runs=2)


def test_a_fault_is_its_owners_alone() -> None:
    counting = Counting(batch_size=4)
    shared = SharedDetector(counting, runs=4)
    gate = threading.Barrier(4)

    def run(value: int) -> str:
        gate.wait()
        try:
            return str(shared.detect([frame(value)])[0].xyxy[0, 2])
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(run, (11, 12, 13, 14)))
    assert said == ["12.0", "13.0", "an unlucky frame", "15.0"]


def test_people_of_several_runs_share_a_batch() -> None:
    counting = Counting(batch_size=8)
    shared = SharedEmbedder(counting)
    boxes = np.array([[1, 2, 5, 9], [3, 4, 6, 9]], np.float32)

    def run(number: int) -> bool:
        many = shared.embed_batch([frame(number)] * 2, [boxes, boxes[:1]])
        one = shared.embed(frame(number), boxes)
        return all(
            np.array_equal(rows, expected + number)
            for rows, expected in zip([*many, one], [boxes[:, :2], boxes[:1, :2], boxes[:, :2]], strict=True)
        )

    with ThreadPoolExecutor(5) as pool:
        assert all(pool.map(run, range(20, 25)))
    assert max(map(len, counting.shapes)) > 2


def test_who_is_made_for_threads_is_called_by_them() -> None:
    meeting = threading.Barrier(3, timeout=20)

    class Free:
        class_names: ClassVar = {0: "person"}
        calls_at_once = 6

        def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
            meeting.wait()
            return [Detections.empty() for _ in frames]

        def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
            meeting.wait()
            return xyxy

    detector, embedder = SharedDetector(Free(), runs=3), SharedEmbedder(Free())
    assert detector.calls_at_once == 2
    with ThreadPoolExecutor(3) as pool:
        assert [len(found) for found in pool.map(lambda _: detector.detect([frame(1)]), range(3))] == [1] * 3
        boxes = np.ones((2, 4), np.float32)
        assert all(len(rows) == 2 for rows in pool.map(lambda _: embedder.embed(frame(1), boxes), range(3)))


def test_a_wrong_number_of_answers_is_an_error() -> None:
    for answers in ([], [1, 2]):
        combiner: Combiner[int, int] = Combiner(lambda requests, said=answers: said, 4, lambda request: 0)
        with pytest.raises(ValueError, match=f"{len(answers)} answers to 1 requests"):
            combiner([1])
