"""The compiled kernels do what the ones in NumPy say."""

import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid import kernels
from mot_reid.kernels import numpy as plain
from mot_reid.kernels.constants import OUTWARDS

compiling: Any = pytest.importorskip("mot_reid.kernels.numba.compiling", reason="numba is not installed")
loops: Any = pytest.importorskip("mot_reid.kernels.numba", reason="numba is not installed")
numba: Any = pytest.importorskip("numba")

SEEDS = st.integers(0, 2**32 - 1)
# Around the size where the sweep from left to right begins too.
COUNTS = st.sampled_from([0, 1, 2, 7, 30, 150])
BOTH = plain, loops


def boxes(random: np.random.Generator, count: int) -> np.ndarray:
    """Some of them without an area, many with the same edges."""
    corner, sides = random.integers(0, 60, (count, 2)), random.integers(-1, 20, (count, 2))
    return np.hstack([corner, corner + sides]) + random.choice([0, 0.25], (count, 1))


def unit(random: np.random.Generator, count: int, dimension: int = 33) -> np.ndarray:
    rows = random.standard_normal((count, dimension), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def filtered(random: np.random.Generator, count: int) -> np.ndarray:
    """Kalman states, a part of a larger table as the tracklets' are."""
    values = random.normal(0, 30, (5, 4, count + 3))
    values[2:] = np.abs(values[2:]) + 1
    return values[:, :, :count]


def same(kernel: Callable[[Any], Any]) -> None:
    """Calls ``kernel`` with both modules; what it returns must be equal but for rounding."""
    plainly, in_loops = (
        [result] if isinstance(result, np.ndarray) else result for result in map(kernel, BOTH)
    )
    for expected, seen in zip(plainly, in_loops, strict=True):
        single = isinstance(expected, float) or expected.dtype == np.float32
        assert single or seen.dtype == expected.dtype
        np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=4e-6 if single else 1e-9)


def test_there_is_a_loop_for_each_kernel() -> None:
    """Twins have the same file name and name the same kernels."""
    files = sorted(path.stem for path in Path(plain.__file__).parent.glob("[a-z]*.py"))
    assert len(files) > 1
    for file in files:
        ours, theirs = (import_module(f"mot_reid.kernels.{twin}.{file}") for twin in ("numpy", "numba"))
        assert ours.__all__ == theirs.__all__
        for name in ours.__all__:
            assert getattr(kernels, name) is getattr(loops, name) is getattr(theirs, name)
            assert getattr(plain, name) is getattr(ours, name)


@given(SEEDS, COUNTS, st.sampled_from([1.0, 3.0, 0.7, 2.5]))
def test_motion(seed: int, count: int, frames: float) -> None:
    random = np.random.default_rng(seed)
    states, affine = filtered(random, count), random.normal(0, 1, (2, 3))
    measured, scores = random.normal(0, 30, (count, 4)), random.uniform(0, 1, count)
    rows = random.permutation(count)[: count // 2]
    status, ages = random.integers(0, 3, count).astype(np.int8), random.uniform(0, 4, count)

    def one_frame(module: Any) -> np.ndarray:
        values = states.copy()
        module.coast(values, status, ages, 2.0)
        module.predict(values, 0.01, 0.001, frames)
        module.warp(values, affine)
        module.update(values, rows, measured[rows], scores[rows], np.array([0.3, 1, 2, 0.5]), 0.01)
        return values

    same(lambda module: module.velocities(states, rows))

    same(one_frame)


@given(SEEDS, COUNTS, COUNTS)
def test_pairs_of_boxes(seed: int, some: int, others: int) -> None:
    random = np.random.default_rng(seed)
    a, b = boxes(random, some), boxes(random, others)
    classes = random.integers(0, 2, some), random.integers(0, 2, others)
    same(lambda module: module.similar_pairs(a, b))
    same(lambda module: module.covered_in_front(a, b))
    same(lambda module: module.mutual_best(a, b, 0.1))
    some_of_them, others_of_them = np.arange(0, some, 2), np.arange(1, some, 2)
    same(lambda module: module.most_shared(a.astype(np.float32), classes[0], some_of_them, others_of_them))
    same(lambda module: module.corners(a))
    if some:
        whole = (a + np.array([0, 0, 2, 2])) * random.choice([1, 1e-6, 1e9], (some, 1))
        assert loops.fullest_stripe(whole) == plain.fullest_stripe(whole)
    same(lambda module: module.centres(a))
    settings = *classes, np.array([5, 5, 40, np.inf]), 4.0
    same(lambda module: module.within_reach(plain.centres(a), plain.centres(b), *settings))
    measured, predicted, picked = plain.centres(a), plain.centres(b), np.arange(min(some, others))
    same(
        lambda module: module.smoothed(
            measured, picked, predicted, picked[::-1], np.array([0, 0.3, 0.7, 1.5])
        )
    )


@given(SEEDS, COUNTS)
def test_innovations(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    states = filtered(random, count)
    rows = random.permutation(count)[: count // 2]
    measured, again = random.normal(0, 30, (len(rows), 4)), random.random(len(rows)) < 0.5
    before = random.normal(0, 0.1, (count, 4))

    def innovate(module: Any) -> list[np.ndarray]:
        last = before.copy()
        sums, pairs = module.innovate(states[0].T, rows, measured, last, again)
        return [sums, np.array(pairs), last]

    same(innovate)


@given(SEEDS, COUNTS)
def test_what_the_camera_carries(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    values, before = filtered(random, count), random.normal(0, 30, (2, count))
    start, furthest = random.normal(0, 5, (count, 2)), random.uniform(0, 3, count)

    def moved(module: Any) -> tuple[np.ndarray, np.ndarray]:
        drift, carried = start.copy(), furthest.copy()
        module.carry(drift, carried, before, values)
        return drift, carried

    same(moved)


@given(SEEDS, COUNTS, COUNTS.filter(bool), COUNTS.filter(bool))
def test_pairs_that_can_be_made(seed: int, pairs: int, tracks: int, detections: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.integers(0, tracks, pairs), random.integers(0, detections, pairs)
    masks = [random.random(count) < 0.7 for count in (tracks, detections)]
    overlaps, distances = random.random(pairs), random.uniform(0, 2, pairs).astype(np.float32)
    distances[random.random(pairs) < 0.3] = np.nan
    random_ages = random.random(tracks)
    made = np.unique(rows, return_index=True)[1]
    made = made[np.unique(columns[made], return_index=True)[1]]

    def marked(module: Any) -> tuple[np.ndarray, ...]:
        found = np.full(tracks, -1), np.full(detections, -1), np.ones(tracks, bool), np.ones(detections, bool)
        module.mark_matched(rows, columns, made, *found)
        return found

    same(marked)
    status = random.integers(0, 3, tracks).astype(np.int8)
    for least_of_lost in (0.3, 0.5):
        given = rows, columns, overlaps, *masks, 0.3, status, least_of_lost
        same(lambda module, given=given: module.candidates(*given))
    same(lambda module: module.leads(rows, columns, np.round(overlaps, 1)))
    same(lambda module: module.fused_costs(overlaps, distances, 0.7, 0.6))
    same(lambda module: module.lost_costs(random_ages, rows, 0.3, 0.2))
    same(lambda module: module.powers(overlaps))


@given(SEEDS, COUNTS)
def test_who_goes(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    status, ages = random.integers(0, 3, count).astype(np.int8), random.integers(0, 9, count).astype(float)
    known = random.random(count) < 0.5

    def left(module: Any) -> tuple[np.ndarray, np.ndarray]:
        marked = status.copy()
        return module.retire(marked, 9 - ages, known, 9.0, 3.0, 6.0), marked

    same(left)
    hits, last_seen = random.integers(1, 5, count), 9 - ages
    same(lambda module: [module.confirmable(status, last_seen, hits, known, 9.0, (2, 4))])


@given(SEEDS, COUNTS, COUNTS)
def test_looks(seed: int, tracks: int, detections: int) -> None:
    random = np.random.default_rng(seed)
    a, b, usual = unit(random, tracks), unit(random, detections), unit(random, 1)[0] / 2
    pairs = min(tracks, detections)
    rows, columns = random.permutation(tracks)[:pairs], random.permutation(detections)[:pairs]
    rest, random_overlaps = np.float32(usual @ usual), random.random(pairs)
    same(lambda module: module.centred(a @ b.T, a @ usual, b @ usual, rest))
    along = a @ usual, b @ usual, rest
    same(lambda module: module.pair_distances(a, b, rows, columns, *along))
    places, flags = random.permutation(detections), [random.random(n) < 0.7 for n in (tracks, detections)]
    same(lambda module: module.appearance_distances(a, b, rows, columns, places, *flags, *along))
    apart = random.uniform(0, 1, pairs).astype(np.float32)
    same(lambda module: module.strangers(apart, random_overlaps, 0.6, 0.4))
    shares = random.choice(np.array([0, 0.5, 0.9], np.float32), pairs)
    b[::3] = -a[: len(b[::3])] if pairs > len(b) // 3 else b[::3]  # halves of opposites cancel out

    def blended(module: Any) -> np.ndarray:
        table = a.copy()
        module.blend(table, rows, b, columns, shares)
        return table

    same(blended)


@given(SEEDS, COUNTS.filter(lambda count: count > 1), COUNTS.filter(bool))
def test_the_nearest_other(seed: int, tracks: int, views: int) -> None:
    """Both as the definition says it: without a view's own track, less the mean of the others."""
    random = np.random.default_rng(seed)
    a, b = unit(random, tracks), unit(random, views)
    in_view = np.unique([0, 1, *(random.random(tracks) < 0.7).nonzero()[0]])
    own = random.choice(in_view, views)
    given = b, a, in_view, own, a.sum(axis=0), np.float32(tracks + 1)
    same(lambda module: module.nearest_other(*given))
    expected = []
    for view, mine in zip(b.astype(float), own.tolist(), strict=True):
        mean = (a.sum(axis=0) - a[mine]) / (tracks + 1)
        others = [a[n].astype(float) - mean for n in in_view.tolist() if n != mine]
        apart = view - mean
        cosines = [apart @ other / np.sqrt(apart @ apart * (other @ other)) for other in others]
        expected.append(1 - max(cosines, default=-np.inf))
    np.testing.assert_allclose(plain.nearest_other(*given), expected, atol=1e-3)


@given(SEEDS, COUNTS, st.sampled_from([0.0, 0.5, 0.9]))
def test_who_may_return(seed: int, tracks: int, since: float) -> None:
    random = np.random.default_rng(seed)
    status, unembedded = random.integers(0, 3, tracks).astype(np.int8), random.integers(0, 2, tracks)
    known, returned = (random.random(tracks) < share for share in (0.9, 0.1))
    born, before = random.random(tracks), tracks * 2 // 3
    last_seen = np.where(random.random(tracks) < 0.5, 1.0, random.random(tracks))
    columns = status, known, unembedded, returned, born, last_seen
    same(lambda module: module.may_return(columns, before, since, 1.0))
    young, lost = plain.may_return(columns, before, since, 1.0)
    wanted = np.flatnonzero((status[:before] == 2) & known[:before])
    begun = (status == 1) & known & (unembedded == 0) & ~returned & (last_seen == 1) & (born > since)
    if len(wanted):
        begun &= born > last_seen[wanted].min()
    if len(wanted) and begun.any():
        assert (young.tolist(), lost.tolist()) == (np.flatnonzero(begun).tolist(), wanted.tolist())
    else:
        assert len(young) == len(lost) == 0


@given(SEEDS, COUNTS, COUNTS.filter(bool))
def test_who_was_seen(seed: int, tracks: int, detections: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.permutation(tracks)[: min(tracks, detections)]
    chosen = random.permutation(detections)[: len(rows)]
    activating, activated, at_edge, flags = (random.random(n) < 0.5 for n in (detections, tracks) * 2)
    hits, status = random.integers(1, 40, tracks), random.integers(0, 3, tracks).astype(np.int8)
    drift, carried = random.normal(size=(2, tracks)).T, random.random(tracks)
    scores, score = (random.random(n).astype(np.float32) for n in (detections, tracks))

    def marked(module: Any) -> list[np.ndarray]:
        given = activated, hits, status, drift, carried, score, flags, carried, hits
        columns = tuple(column.copy() for column in given)
        module.mark_seen(rows, chosen, activating, scores, at_edge, 4.5, 7, columns)
        return list(columns)

    same(marked)
    classes, class_ids = random.integers(0, 2, detections), random.integers(0, 2, tracks)
    votes = random.integers(0, 2, (4, tracks)).astype(float).T
    for given_votes in (votes, votes * 0):
        given = class_ids, given_votes, rows, classes, chosen
        same(lambda module, given=given: np.array([module.disputed(*given)]))
    track_of = random.integers(-1, tracks, detections) if tracks else np.full(detections, -1)
    same(lambda module: module.reported(track_of, status))
    missed = flags, activated, carried, 0.5, hits, random.random(tracks) < 0.5, 0.02, 0.01
    same(lambda module: [module.missed_lately(*missed)])


@given(SEEDS, COUNTS, COUNTS.filter(bool), st.booleans())
def test_whose_appearance_is_remembered_and_seen_clearly(
    seed: int, tracks: int, detections: int, asked: bool
) -> None:
    random = np.random.default_rng(seed)
    rows = random.permutation(tracks)[: min(tracks, detections)]
    chosen = random.permutation(detections)[: len(rows)]
    covered, embeddable, known = random.random(detections), *(random.random((2, detections)) < 0.6)
    has_embedding, unembedded = random.random(tracks) < 0.5, random.integers(0, 9, tracks)

    def remembered(module: Any) -> tuple[np.ndarray, ...]:
        counts = unembedded.copy()
        views = covered, embeddable, known if asked else None
        return *module.remembered(rows, chosen, views, (has_embedding, counts), 0.5), counts

    same(remembered)
    table, vectors, embedded = unit(random, tracks), unit(random, detections), random.integers(0, 9, tracks)

    def blended(module: Any) -> tuple[np.ndarray, ...]:
        columns = has_embedding.copy(), unembedded.copy(), embedded.copy()
        rows_of, views, places = table.copy(), (covered, embeddable, known), random_places
        momentum = 0.95, 5.0, asked
        went_in = module.remember(rows_of, columns, rows, chosen, views, vectors, places, 0.5, momentum)
        return rows_of, *columns, *went_in

    random_places = random.permutation(detections)
    same(blended)
    free = np.ones(detections, bool)
    free[chosen] = False
    track_of = np.full(detections, -1)
    track_of[chosen] = rows
    given = known, free, embeddable, covered, 0.5, track_of, has_embedding
    if tracks:
        same(lambda module: module.clear_views(*given))


@given(SEEDS, COUNTS.filter(bool))
def test_edges(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    frames = [boxes(random, count) for _ in range(3)]

    def edges(module: Any) -> tuple[np.ndarray, ...]:
        furthest, touches, seen = np.full(4, -np.inf), np.zeros(4, np.int64), OUTWARDS * np.inf
        for xyxy in frames:
            furthest, touches, seen = module.extended(furthest, touches, xyxy)
        return (
            furthest,
            touches,
            seen,
            module.at_edge(seen, frames[-1], 0.1),
            module.cut_off(seen, frames[-1]),
            np.array(module.ends(frames[0])),
        )

    same(edges)


def test_arrays_that_cannot_be_written_are_taken() -> None:
    xyxy = np.array([[0.0, 0, 10, 20], [5, 0, 15, 22]])
    classes = np.zeros(2, np.int64)
    for array in (xyxy, classes):
        array.flags.writeable = False
    same(lambda module: module.similar_pairs(xyxy, xyxy))
    same(lambda module: module.covered_in_front(xyxy[::-1], xyxy))


@pytest.mark.parametrize("method", ["load_overload", "save_overload"])
def test_a_cache_that_is_damaged_or_full_is_done_without(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError("no space left, or rubbish in it")

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("numba.core.caching.Cache." + method, fails)
    number = numba.types.float64
    double = compiling.compiled(number, number)(lambda x: 2 * x)
    assert double(4.0) == 8.0


def test_of_processes_that_start_at_once_each_compiles_what_no_other_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[str] = []
    monkeypatch.setattr(compiling, "import_module", imported.append)
    other = filelock.FileLock(tmp_path / "first.lock")
    with other:
        at_it = threading.Thread(target=compiling.import_in_turn, args=(["first", "second"], tmp_path))
        at_it.start()
        while "second" not in imported:
            time.sleep(0.01)
        assert at_it.is_alive()
        assert imported == ["second"]
    at_it.join()
    assert imported == ["second", "first"]


def test_who_takes_too_long_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_PATIENCE", 0.01)
    with filelock.FileLock(tmp_path / "math.lock"):
        compiling.import_in_turn(["math"], tmp_path)
    (tmp_path / "file").touch()
    compiling.import_in_turn(["math"], tmp_path / "file")


@given(SEEDS, COUNTS, st.sampled_from([0.1, 0.6]))
def test_whether_any_look_alike(seed: int, tracks: int, noise: float) -> None:
    """None that is alike is missed, and who is clearly not alike is not taken for it."""
    random = np.random.default_rng(seed)
    looks = unit(random, 1) + noise * unit(random, tracks)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    mean = looks.sum(axis=0) / np.float32(tracks + 2)
    young, lost = ((random.random(tracks) < 0.3).nonzero()[0] for _ in range(2))
    gates, times = random.uniform(0, 0.85, len(lost)), tuple(random.integers(0, 9, (2, tracks)) / 2)
    apart = looks.astype(float) - mean.astype(float)
    lengths = np.maximum(np.linalg.norm(apart, axis=1), 1e-3)
    distances = (1 - apart @ apart.T / lengths[:, None] / lengths)[np.ix_(young, lost)]
    places, motion = np.asfortranarray(random.uniform(0, 20, (tracks, 4))), (5.0, 0.3)
    reach = np.maximum(places[lost, 3], 1) * (1 + 0.3 * (5 - times[1][lost]))
    away = np.hypot(*(places[young, None, :2] - places[lost, :2]).transpose(2, 0, 1))
    possible = (times[1][lost] < times[0][young][:, None]) & (away <= reach)
    for module in BOTH:
        found = module.look_alike(looks, mean, young, lost, gates, times, places, motion)
        assert found or not (possible & (distances <= gates)).any()
        possible_at_most = (times[1][lost] < times[0][young][:, None]) & (away <= reach * 1.001)
        assert not found or (possible_at_most & (distances <= gates + 1e-3)).any()
