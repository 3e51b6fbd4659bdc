"""Memory is bounded by who is there and who was lost lately, never by the length of the run."""

import gc
import tracemalloc

import numpy as np
import pytest

from mot_reid import Detections
from mot_reid.association.associator import Associator

PEOPLE, LIFE = 12, 40


def frame(number: int) -> tuple[Detections, np.ndarray]:
    """People who walk through the view for 40 frames each; every few frames one leaves and another comes."""
    slots = np.arange(PEOPLE)
    born = (number + slots * LIFE // PEOPLE) // LIFE  # how many stood in this slot before
    age = (number + slots * LIFE // PEOPLE) % LIFE
    left, top = 20.0 * age + 7 * (born % 5), 110.0 * slots
    boxes = np.stack([left, top, left + 40, top + 100], axis=1)
    looks = np.random.default_rng((slots[0], number // LIFE)).normal(size=(PEOPLE, 32))
    return Detections(boxes, np.full(PEOPLE, 0.9), embeddings=looks), born


@pytest.mark.long
def test_memory_does_not_grow_with_the_run() -> None:
    tracker = Associator()
    used, highest = [], []
    try:
        for number in range(1, 2401):
            if number == 1201:  # long before the memory that counts; to trace takes most of the time
                tracemalloc.start()
            detections, _ = frame(number)
            looks = detections.embeddings
            assert looks is not None
            tracks = tracker.step(detections, embed=lambda rows, looks=looks: looks[rows])
            if number % 400 == 0:
                gc.collect()  # also empties Python's own stores of small objects
                used.append(tracemalloc.get_traced_memory()[0])
                highest.append(int(tracks.ids.max()))
    finally:
        tracemalloc.stop()
    assert highest[-1] > 3 * highest[0] > 100  # ids go on and on
    # 400 frames apart; numpy keeps a few small arrays of every size that it has ever seen, most early.
    assert used[-1] < used[-2] + 400 * 8, "a number a frame is kept"
