import copy
import math
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import motmetrics as mm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trackeval.metrics import CLEAR, HOTA, Identity

from mot_reid.evaluation.clear_identity import clear_identity
from mot_reid.evaluation.comparison import Comparison
from mot_reid.evaluation.events import events
from mot_reid.evaluation.hota import trackeval_data
from mot_reid.evaluation.metrics import METRICS, Scores, combine, evaluate

Frame = tuple[list[int], list[int], Any]
QUIET = {"PRINT_CONFIG": False}
LEVELS = np.array([0, 0.2, 0.45, 0.5, 0.5, 0.55, 0.7, 0.75, 0.9, 1])


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def scene(*frames: Frame) -> Comparison:
    return Comparison(
        [np.array(gt, np.int64) for gt, _, _ in frames],
        [np.array(tracks, np.int64) for _, tracks, _ in frames],
        [np.array(iou, float).reshape(len(gt), len(tracks)) for gt, tracks, iou in frames],
    )


def random_comparison(seed: int, ambiguous: bool = True, ties: bool = False) -> Comparison:
    """People and tracks that come and go; tracks that change person; wrong boxes; frames without any."""
    rng = np.random.default_rng(seed)
    num_people, num_tracks = rng.integers(1, 9, 2)
    holds = rng.integers(0, num_people, num_tracks)  # the person under each track
    gt_ids, track_ids, similarity = [], [], []
    for _ in range(rng.integers(1, 40)):
        move = rng.random(num_tracks) < 0.1
        holds[move] = rng.integers(0, num_people, move.sum())
        people = rng.permutation(np.flatnonzero(rng.random(num_people) < rng.choice([0.0, 0.7, 1.0])))
        tracks = rng.permutation(np.flatnonzero(rng.random(num_tracks) < rng.choice([0.0, 0.8, 1.0])))
        true = holds[tracks] == people[:, None]
        iou = np.where(true, rng.uniform(0.4, 1, true.shape), rng.uniform(-0.5, 0.7, true.shape).clip(0))
        if not ambiguous:  # at most one partner for each, at 0.5 or more
            iou *= (iou == iou.max(0, initial=0)) & (iou == iou.max(1, initial=0, keepdims=True))
        if ties:
            iou = LEVELS[(iou * (len(LEVELS) - 1)).round().astype(int)]
        gt_ids.append(people)
        track_ids.append(tracks)
        similarity.append(iou)
    return Comparison(without_gaps(gt_ids), without_gaps(track_ids), similarity)


def without_gaps(ids: list[np.ndarray]) -> list[np.ndarray]:
    seen = np.unique(np.concatenate(ids))
    return [np.searchsorted(seen, frame) for frame in ids]


def accumulator(comparison: Comparison) -> mm.MOTAccumulator:
    result = mm.MOTAccumulator()
    rows = zip(comparison.gt_ids, comparison.track_ids, comparison.similarity, strict=True)
    for frame, (gt, tracks, similarity) in enumerate(rows):
        result.update(gt, tracks, np.where(similarity >= 0.5, 1 - similarity, np.nan), frameid=frame)
    return result


NAMES = [name for name in clear_identity(scene()) if name != "num_unique_predictions"]


def plain_motmetrics(comparison: Comparison) -> dict[str, float]:
    with mm.lap.set_default_solver("scipy"):
        values = mm.metrics.create().compute(accumulator(comparison), metrics=NAMES, return_dataframe=False)
    return dict(values)


def assert_equal(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-9, atol=1e-9, err_msg=name)


comparisons = st.builds(random_comparison, st.integers(0, 2**32 - 1), st.booleans(), st.booleans())


@given(comparisons)
@settings(max_examples=60, deadline=None)
def test_equal_to_plain_motmetrics(comparison: Comparison) -> None:
    with mm.lap.set_default_solver("scipy"):
        theirs = accumulator(comparison).events
    theirs = theirs[~theirs.Type.isin(["TRANSFER", "ASCEND", "MIGRATE"])]

    def rows(frame: Any) -> list[tuple[Any, ...]]:
        columns = (
            frame.index.get_level_values(0),
            frame.Type,
            *(frame[c].fillna(-1) for c in ("OId", "HId", "D")),
        )
        return sorted(zip(*columns, strict=True))

    assert rows(events(comparison)) == rows(theirs)
    assert_equal(clear_identity(comparison), plain_motmetrics(comparison))


@given(comparisons)
@settings(max_examples=60, deadline=None)
def test_equal_to_plain_trackeval(comparison: Comparison) -> None:
    data = trackeval_data(comparison)
    ours = evaluate(comparison)
    assert_equal(dict(ours.hota), HOTA().eval_sequence(data))
    identity = Identity(QUIET).eval_sequence(data)
    for name in ("IDTP", "IDFN", "IDFP"):
        assert ours.clear_identity[name.lower()] == identity[name]
    if comparison.num_gt and comparison.num_tracks:
        assert_equal(ours.values(), {name: 100 * identity[name] for name in ("IDF1", "IDR", "IDP")})


@given(st.builds(random_comparison, st.integers(0, 2**32 - 1), st.just(False)))
@settings(max_examples=40, deadline=None)
def test_equal_to_trackevals_clear_where_every_match_is_clear(comparison: Comparison) -> None:
    theirs = CLEAR(QUIET).eval_sequence(trackeval_data(comparison))
    ours = evaluate(comparison).values()
    for name, field in {"FP": "CLR_FP", "FN": "CLR_FN", "IDs": "IDSW"}.items():
        assert ours[name] == theirs[field]
    if theirs["CLR_TP"]:
        assert_equal(ours, {name: 100 * theirs[name] for name in ("MOTA", "MOTP")})


def both(comparison: Comparison) -> tuple[dict[str, Any], dict[str, Any]]:
    return evaluate(comparison).values(), CLEAR(QUIET).eval_sequence(trackeval_data(comparison))


def test_an_old_pair_holds_over_a_gap_but_not_in_trackevals_clear() -> None:
    ours, theirs = both(scene(([0], [0], [0.9]), ([0], [0], [0.1]), ([0], [0, 1], [0.6, 0.9])))
    assert (ours["IDs"], theirs["IDSW"]) == (0, 1)


def test_more_pairs_come_before_better_ones_but_not_in_trackevals_clear() -> None:
    better = [[0.55, 0.99, 0], [0, 0.55, 0.99], [0, 0, 0.55]]
    ours, theirs = both(scene(([0, 1, 2], [0, 1, 2], better)))
    assert (ours["FN"], theirs["CLR_FN"]) == (0, 1)


def test_mostly_tracked_begins_at_80_percent_but_not_in_trackevals_clear() -> None:
    found, missed = ([0], [0], [0.9]), ([0], [0], [0.1])
    ours, theirs = both(scene(found, found, found, found, missed))
    assert (ours["MT"], ours["PT"], theirs["MT"], theirs["PT"]) == (1, 0, 0, 1)


def test_absence_is_no_fragmentation_but_it_is_in_trackevals_clear() -> None:
    here = ([0, 1], [0, 1], np.eye(2))
    ours, theirs = both(scene(here, ([1], [1], [1]), here))
    assert (ours["Frag"], theirs["Frag"]) == (0, 1)


def test_one_switch_by_hand() -> None:
    values = evaluate(scene(([0], [0], [0.8]), ([0], [0], [0.8]), ([0], [1], [0.9]))).values()
    assert_equal(values, {"IDs": 1, "Frag": 0, "FP": 0, "FN": 0, "MT": 1, "GT": 3, "Boxes": 3})
    assert_equal(values, {"People": 1, "Tracks": 2, "MOTA": 200 / 3, "MOTP": 250 / 3, "Recall": 100})
    assert_equal(values, {"IDF1": 200 / 3, "IDP": 200 / 3, "IDR": 200 / 3, "Precision": 100})
    # At the 16 thresholds up to 0.8 all three match, at 0.85 and 0.9 the last one, at 0.95 none.
    assert_equal(
        values, {"DetA": 100 * (16 + 2 * 1 / 5) / 19, "LocA": 100 * (16 * 2.5 / 3 + 2 * 0.9 + 1) / 19}
    )
    assert_equal(values, {"AssA": 100 * (16 * (2 * 2 / 3 + 1 * 1 / 3) / 3 + 2 * 1 / 3) / 19})


def test_one_fragmentation_by_hand() -> None:
    values = evaluate(scene(([0], [0], [0.9]), ([0], [0], [0.3]), ([0], [0], [0.9]))).values()
    assert_equal(values, {"IDs": 0, "Frag": 1, "FP": 1, "FN": 1, "MT": 0, "PT": 1, "MOTA": 100 / 3})
    assert_equal(values, {"MOTP": 90, "IDF1": 200 / 3})


def test_of_two_people_with_the_same_last_track_the_first_has_it() -> None:
    both_claim = ([1, 0], [0, 1], [[0.6, 0.7], [0.9, 0.6]])
    comparison = scene(([0], [0], [0.9]), ([1], [0], [0.9]), both_claim)
    assert evaluate(comparison).values()["IDs"] == 1  # person 0 takes track 1
    assert_equal(clear_identity(comparison), plain_motmetrics(comparison))


def test_a_similarity_within_rounding_of_a_threshold_passes_it() -> None:
    thresholds = HOTA().array_labels
    comparison = scene(*(([0], [0], [x - np.finfo(float).eps]) for x in thresholds))
    assert_equal(dict(evaluate(comparison).hota), HOTA().eval_sequence(trackeval_data(comparison)))
    assert evaluate(comparison).hota["HOTA_TP"].tolist() == list(range(19, 0, -1))


NOTHING: Frame = ([], [], [])
ONLY_PEOPLE: Frame = ([0, 1], [], [])
ONLY_TRACKS: Frame = ([], [0, 1], [])


@pytest.mark.parametrize("frames", [(), (NOTHING,), (NOTHING, NOTHING)])
def test_nothing_at_all(frames: tuple[Frame, ...]) -> None:
    values = evaluate(scene(*frames)).values()
    assert all(values[metric.name] == 0 for metric in METRICS if metric.kind == "count")
    assert all(
        math.isnan(values[name]) for name in ("MOTA", "MOTP", "IDF1", "IDP", "IDR", "Recall", "Precision")
    )
    assert (values["HOTA"], values["LocA"]) == (0, 100)


def test_no_tracks() -> None:
    values = evaluate(scene(ONLY_PEOPLE, NOTHING, ONLY_PEOPLE)).values()
    assert_equal(values, {"MOTA": 0, "IDF1": 0, "IDR": 0, "Recall": 0, "HOTA": 0, "FN": 4, "FP": 0, "ML": 2})
    assert all(math.isnan(values[name]) for name in ("MOTP", "IDP", "Precision"))


def test_no_ground_truth() -> None:
    values = evaluate(scene(ONLY_TRACKS, NOTHING, ONLY_TRACKS)).values()
    assert_equal(values, {"IDF1": 0, "IDP": 0, "Precision": 0, "HOTA": 0, "FN": 0, "FP": 4, "Tracks": 2})
    assert all(math.isnan(values[name]) for name in ("MOTA", "MOTP", "IDR", "Recall"))


def test_people_and_tracks_that_never_meet() -> None:
    values = evaluate(scene(ONLY_PEOPLE, ONLY_TRACKS, NOTHING)).values()
    assert_equal(values, {"MOTA": -100, "IDF1": 0, "HOTA": 0, "FN": 2, "FP": 2, "IDs": 0, "Frag": 0})


def test_a_perfect_result() -> None:
    frame = ([0, 1], [1, 0], [[0, 1], [1, 0]])
    values = evaluate(scene(frame, NOTHING, frame)).values()
    assert all(values[m.name] == 100 for m in METRICS if m.kind == "percent")
    assert_equal(values, {"MT": 2, "PT": 0, "ML": 0, "FP": 0, "FN": 0, "IDs": 0, "Frag": 0})


@given(st.lists(comparisons, min_size=1, max_size=4))
@settings(max_examples=12, deadline=None)
def test_combined_as_the_packages_combine(sequences: list[Comparison]) -> None:
    scores = [evaluate(comparison) for comparison in sequences]
    ours = combine(scores)
    parts = [plain_motmetrics(comparison) for comparison in sequences]
    theirs = mm.metrics.create().compute_overall(parts, metrics=NAMES, return_dataframe=False)
    if any(not part["num_detections"] for part in parts):
        del theirs["motp"]  # NaN, where ours is the mean over the matches there are
    assert_equal(dict(ours.clear_identity), theirs)
    plain = {str(i): HOTA().eval_sequence(trackeval_data(c)) for i, c in enumerate(sequences)}
    assert_equal(dict(ours.hota), HOTA().combine_sequences(plain))
    # What is combined can be combined further.
    again = combine([combine(scores[:1]), *([combine(scores[1:])] if scores[1:] else [])])
    assert_equal(again.values(), ours.values())


def test_a_sequence_without_matches_does_not_spoil_the_mean() -> None:
    scores = [evaluate(scene(([0], [0], [0.8]))), evaluate(scene(ONLY_PEOPLE, ONLY_TRACKS))]
    assert_equal(
        combine(scores).values(), {"MOTP": 80, "FN": 2, "FP": 2, "MOTA": -100 / 3, "GT": 3, "Tracks": 3}
    )


def test_combining_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        combine([])


def test_values_are_complete_and_of_their_kind() -> None:
    values = combine([evaluate(random_comparison(seed)) for seed in range(3)]).values()
    assert list(values) == [metric.name for metric in METRICS]
    assert all(type(values[m.name]) is (int if m.kind == "count" else float) for m in METRICS)


def test_scores_travel_light() -> None:
    scores = evaluate(random_comparison(7))
    packed = pickle.dumps(scores)
    assert len(packed) < 10_000
    unpacked = pickle.loads(packed)
    assert isinstance(unpacked, Scores)
    np.testing.assert_equal(unpacked.values(), scores.values())


def test_the_input_is_left_as_it_was() -> None:
    comparison = random_comparison(11)
    before = copy.deepcopy(comparison)
    evaluate(comparison)
    for name in ("gt_ids", "track_ids", "similarity"):
        for now, then in zip(getattr(comparison, name), getattr(before, name), strict=True):
            np.testing.assert_array_equal(now, then)


def test_import_is_silent_and_the_library_does_without() -> None:
    code = "import sys, mot_reid; assert 'pandas' not in sys.modules; import mot_reid.evaluation.metrics"
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
