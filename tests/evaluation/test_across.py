"""Scores over cameras with one id space."""

import numpy as np
import pytest

from mot_reid.evaluation.across import Camera, grouping, score_across
from mot_reid.evaluation.motchallenge import BoxRows


def rows(frames: list[int], ids: list[int], left: list[float]) -> BoxRows:
    n = len(frames)
    boxes = np.array([[x, 0, x + 10, 20] for x in left], np.float64).reshape(-1, 4)
    return BoxRows(
        np.array(frames, np.int64), np.array(ids, np.int64), boxes, np.ones(n, bool), np.ones(n, np.int64)
    )


def test_one_id_space_by_hand() -> None:
    """Person 1 walks through both cameras; the results call him 5 in one and 6 in the other."""
    truth = [rows([1, 2], [1, 1], [0, 0]), rows([1, 2], [1, 1], [50, 50])]
    apart = [rows([1, 2], [5, 5], [0, 0]), rows([1, 2], [6, 6], [50, 50])]
    cameras = [Camera(*pair, range(1, 3)) for pair in zip(truth, apart, strict=True)]
    found = score_across(cameras)
    assert found.scores.values()["IDF1"] == pytest.approx(50)
    assert (found.people, found.identities, found.matched_identities) == (1, 2, 2)
    assert found.grouping["pair precision"] == 100
    assert found.grouping["pair recall"] == pytest.approx(100 * 4 / 12)
    assert found.grouping["B3 recall"] == pytest.approx(50)
    one = [rows([1, 2], [5, 5], [0, 0]), rows([1, 2], [5, 5], [50, 50])]
    joined = score_across([Camera(*pair, range(1, 3)) for pair in zip(truth, one, strict=True)])
    assert joined.scores.values()["IDF1"] == pytest.approx(100)
    assert joined.grouping["B3 F"] == pytest.approx(100)
    with pytest.raises(ValueError, match="at least one"):
        score_across([])


def test_frames_of_cameras_do_not_mix() -> None:
    """Boxes at the same place and frame number in two cameras are two things."""
    truth = [rows([1], [1], [0]), rows([1], [2], [0])]
    wrong = [rows([1], [2], [0]), rows([1], [1], [0])]
    found = score_across([Camera(*pair, range(1, 2)) for pair in zip(truth, wrong, strict=True)])
    assert found.scores.values()["IDF1"] == pytest.approx(100)  # names do not matter, groups do


def test_grouping_by_hand() -> None:
    table = np.array([[2, 1], [0, 1]])
    found = grouping(table)
    assert found["pair precision"] == pytest.approx(100 * 2 / 4)
    assert found["pair recall"] == pytest.approx(100 * 2 / 6)
    assert found["B3 precision"] == pytest.approx(100 * (2 * 1 + 1 / 2 + 1 / 2) / 4)
    assert found["B3 recall"] == pytest.approx(100 * (2 * 2 / 3 + 1 / 3 + 1) / 4)


@pytest.mark.parametrize("seed", [0, 1])
def test_hota_as_an_independent_implementation_has_it(seed: int) -> None:
    """NIST's reid-hota with global alignment, on made-up boxes of three cameras."""
    reid_hota = pytest.importorskip("reid_hota")
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(seed)
    cameras, tables = [], ({}, {})
    for camera in range(3):
        frames = np.repeat(np.arange(1, 21), 4)
        people = np.tile(np.arange(1, 5), 20)
        left = 100.0 * people + random.normal(0, 1, 80)
        lost = random.random(80) < 0.1
        ids = np.where(lost, people + 20, people + 10 * ((camera == 2) & (people == 3)))
        keep = random.random(80) < 0.9
        truth = rows(frames.tolist(), people.tolist(), left.tolist())
        seen = rows(
            frames[keep].tolist(), ids[keep].tolist(), (left + random.normal(0, 1, 80))[keep].tolist()
        )
        cameras.append(Camera(truth, seen, range(1, 21)))
        for table, part in zip(tables, (truth, seen), strict=True):
            table[f"c{camera}"] = pandas.DataFrame(
                {
                    "frame": part.frames,
                    "id": part.ids,
                    "x1": part.xyxy[:, 0],
                    "y1": part.xyxy[:, 1],
                    "x2": part.xyxy[:, 2],
                    "y2": part.xyxy[:, 3],
                    "class_id": 1,
                }
            )
    settings = reid_hota.HOTAConfig(
        id_alignment_method="global",
        similarity_metric="iou",
        iou_thresholds=np.arange(0.05, 0.99, 0.05),
        reference_contains_dense_annotations=True,
    )
    evaluator = reid_hota.HOTAReIDEvaluator(n_workers=1, config=settings)
    evaluator.evaluate(*tables)
    theirs = evaluator.get_global_hota_data()
    found = score_across(cameras)
    for name in ("HOTA", "AssA", "DetA"):
        assert found.aligned[name] == pytest.approx(100 * float(np.mean(theirs[name])), abs=1e-6)
    at_half = 100 * float(theirs["IDF1"][9])  # ours counts from an IoU of 0.5
    assert found.scores.values()["IDF1"] == pytest.approx(at_half, abs=1e-6)
