"""Too many boxes on one spot: a bound on the work, and nothing changes below it."""

from pathlib import Path

import numpy as np
import pytest

from mot_reid import Detections, Tracker, kernels
from mot_reid.association import state
from mot_reid.association.crowding import MOST_ON_A_SPOT, best_of_each_spot
from mot_reid.detection.motchallenge import read_detections
from mot_reid.notices import InputWarning


def pile(count: int, spread: float = 5, seed: int = 0) -> Detections:
    """So many boxes of 60 x 150 pixels or so around one place."""
    random = np.random.default_rng(seed)
    centres = random.normal(500, spread, (count, 2))
    half = [30, 75] * np.exp(random.normal(0, 0.05, (count, 1)))
    return Detections(np.hstack([centres - half, centres + half]), random.uniform(0.5, 1, count))


@pytest.mark.parametrize("spread", [0.01, 5, 30])
def test_the_work_on_a_spot_is_bounded(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = []
    assign = kernels.assign_pairs

    def counted(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray, limit: float) -> np.ndarray:
        problems.append(len(rows))
        return assign(rows, columns, costs, limit)

    monkeypatch.setattr(state.kernels, "assign_pairs", counted)
    tracker = Tracker(detector="none", embedder="none", camera_motion="none")
    most = {}
    for count in (1000, 4000):
        tracker.reset()
        problems.clear()
        with pytest.warns(InputWarning, match=f"more than {MOST_ON_A_SPOT} of one class and size on one"):
            tracker.update(None, pile(count, spread))
        for seed in (1, 2):
            tracker.update(None, pile(count, spread, seed))
        most[count] = max(problems)
    assert (
        0 < most[1000] <= 260_000
    )  # a spot at the corner of four squares, in two octaves; of 1,000,000 pairs
    assert most[4000] <= 2 * most[1000]


def test_the_best_of_a_spot_stay_and_so_does_everybody_else() -> None:
    crowd, others = pile(300, 0.01), pile(1)
    apart = others.xyxy + np.array([2000, 0, 2000, 0])
    together = Detections(
        np.vstack([crowd.xyxy, apart, crowd.xyxy]),
        np.concatenate([crowd.scores, [0.3], crowd.scores]),
        np.repeat([0, 1, 1], [300, 1, 300]),
    )
    kept = best_of_each_spot(together)
    assert kept is not None
    assert (np.diff(kept) > 0).all()
    assert 300 in kept
    for start in (0, 301):  # two classes are two spots
        stayed = kept[(kept >= start) & (kept < start + 300)]
        best = start + np.argsort(-crowd.scores)[: MOST_ON_A_SPOT // 2]
        assert len(stayed) < 300
        assert np.isin(best, kept).all()


@pytest.mark.parametrize("classes", [20, 80, 2000])
def test_many_classes_on_a_spot_are_bounded_too(classes: int) -> None:
    crowd = pile(2000, 0.01)
    named = Detections(crowd.xyxy, crowd.scores, np.arange(2000) % classes)
    kept = best_of_each_spot(named)
    assert kept is not None
    assert len(kept) <= 8 * 2 * MOST_ON_A_SPOT  # at the corner of four squares, in two octaves
    assert np.isin(np.argsort(-crowd.scores)[:50], kept).all()


def test_rows_of_detections_stay_those_of_the_input() -> None:
    tracker = Tracker(detector="none", embedder="none", camera_motion="none")
    tracker.notices.warns = False
    given = pile(500, 0.01)
    tracks = tracker.update(None, given)
    assert 0 < len(tracks) < 500
    np.testing.assert_allclose(tracks.xyxy, given.xyxy[tracks.detection_index], atol=1e-3)
    assert given.scores[tracks.detection_index].min() > np.median(given.scores)
    assert len(tracker.notices.texts) == 1
    tracker.reset()
    assert tracker.notices.texts == []


def test_far_coordinates_and_tiny_boxes_have_a_spot_too() -> None:
    boxes = np.array([[1e30, 1e30, 1.1e30, 1.1e30], [0, 0, 1e-30, 1e-30]]).repeat(150, axis=0)
    kept = best_of_each_spot(Detections(boxes))
    assert kept is not None
    assert len(kept) == 2 * MOST_ON_A_SPOT


@pytest.mark.data
def test_real_crowds_are_far_below_the_bound(data: Path) -> None:
    files = sorted(data.glob("mot17/train/*/det/*.txt")) + sorted(data.glob("mot20/train/*/det/*.txt"))
    assert files
    for path in files:
        for found in read_detections(path, logistic=path.stem == "dpm").values():
            assert best_of_each_spot(found, MOST_ON_A_SPOT // 3) is None
