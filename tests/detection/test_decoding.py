"""Decoding by hand, and suppression against torchvision's and a brute-force twin."""

import numpy as np
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid.boxes import iou
from mot_reid.detection.decoding import Rows, candidates, suppress


def by_hand(rows: Rows, most_overlap: float) -> Rows:
    """The textbook: take the best, drop what overlaps it, go on."""
    left = rows[np.argsort(-rows[:, 4], kind="stable")]
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        same = left[:, 5] == best[5]
        left = left[~(same & (iou(best[None, :4], left[:, :4])[0] > most_overlap))]
    return np.array(kept, np.float32).reshape(-1, 6)


def random_rows(seed: int, count: int) -> Rows:
    rng = np.random.default_rng(seed)
    corners, sides = rng.uniform(0, 60, (count, 2)), rng.uniform(5, 60, (count, 2))
    columns = [
        corners,
        corners + sides,
        (1 + rng.permutation(count)) / (count + 1),
        rng.integers(0, 3, count),
    ]
    return np.column_stack(columns).astype(np.float32).reshape(-1, 6)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 40), st.sampled_from([0.1, 0.45, 0.7, 1.0]))
def test_suppression_is_the_textbooks_and_torchvisions(seed: int, count: int, most_overlap: float) -> None:
    rows = random_rows(seed, count)
    kept = suppress(rows, most_overlap, 1000)
    np.testing.assert_array_equal(kept, by_hand(rows, most_overlap))
    boxes, scores, classes = torch.tensor(rows[:, :4]), torch.tensor(rows[:, 4]), torch.tensor(rows[:, 5])
    theirs = torchvision.ops.batched_nms(boxes, scores, classes, most_overlap).numpy()
    np.testing.assert_array_equal(kept, rows[theirs])


def test_only_the_best_are_kept() -> None:
    rows = random_rows(0, 30)
    np.testing.assert_array_equal(suppress(rows, 1.0, 4), rows[np.argsort(-rows[:, 4])][:4])


def test_candidates_by_hand() -> None:
    """Three anchors and two classes: the second class wins the first, the last is too weak."""
    output = np.array(
        [[10, 20, 30], [10, 20, 30], [4, 6, 8], [8, 6, 4], [0.2, 0.6, 0.1], [0.7, 0.3, 0.1]], np.float32
    )
    expected = np.array([[8, 6, 12, 14, 0.7, 1], [17, 17, 23, 23, 0.6, 0]], np.float32)
    np.testing.assert_allclose(candidates(output, 0.1, None), expected)
    np.testing.assert_allclose(candidates(output, 0.1, [0]), expected[1:])
    assert candidates(output, 0.9, None).shape == (0, 6)


def test_a_network_that_suppresses_by_itself() -> None:
    output = np.array([[0, 0, 5, 9, 0.8, 0], [0, 0, 5, 9, 0.3, 2], [1, 1, 6, 9, 0.05, 0]], np.float32)
    np.testing.assert_array_equal(candidates(output, 0.1, None), output[:2])
    np.testing.assert_array_equal(candidates(output, 0.1, [2]), output[1:2])
