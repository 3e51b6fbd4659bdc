"""Every tracklet of a gallery asked for in turn, with and without its person in the gallery."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mot_reid.evaluation.person_search import SearchScores, open_set_rates, reliability, score_search
from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.filters import Filter
from mot_reid.gallery.finding import find_person, sampled_statistics
from mot_reid.gallery.presence import not_to_find
from mot_reid.gallery.search import SearchSettings
from mot_reid.gallery.store import Store

__all__ = ["FALSE_RATES", "SearchRun", "run_searches"]

FALSE_RATES = (0.01, 0.001)
_LOOKED_AT = 10  # hits of each query whose probabilities are checked


@dataclass(frozen=True)
class SearchRun:
    """What came of all queries.

    Attributes:
        scores: retrieval.
        open_set: right answers where the person is there, at `FALSE_RATES` of answers where it is not.
        bins: of the reliability diagram of the first ten hits: said, came, how many.
        calibration_error: mean difference of the two.
        milliseconds: a query, median.
        queries: how many were asked.
    """

    scores: SearchScores
    open_set: tuple[float, ...]
    bins: list[tuple[float, float, int]]
    calibration_error: float
    milliseconds: float
    queries: int


def run_searches(
    store: Store,
    people: NDArray[np.int64],
    calibration: Callable[[int], Calibration],
    settings: SearchSettings | None = None,
    across: bool = True,
    on_done: Callable[[], None] = lambda: None,
    every: int = 1,
) -> SearchRun:
    """Asks for every record whose person another one shows, as `Gallery.search` asks for a track.

    Who is seen beside the query is somebody else, and left out.

    Args:
        store: the gallery.
        people: ``(N,)`` who each record of its table is; -1 for nobody known, who is in the gallery but not
            asked for.
        calibration: for the query with a row number, so that it can be one without its person.
        settings: of the search.
        across: leave out what the query's own camera has of its person.
        on_done: called after each query.
        every: ask for every n-th record only.

    Raises:
        ValueError: nobody is there twice.
    """
    table = store.table()
    statistics, vectors = sampled_statistics(store, table), store.means()
    scores, right, allowed = [], [], []
    present, absent, said, came, spent = [], [], [], [], []
    for row in np.flatnonzero(people >= 0)[::every].tolist():
        same = people == people[row]
        without = same & (table.camera == table.camera[row]) if across else np.arange(len(table)) == row
        beside = np.isin(table.record.astype(str), not_to_find(store, table, np.array([row])))
        without |= beside
        if not (same & ~without).any():
            continue
        began = time.perf_counter()

        def ask(gone: NDArray[np.bool_], row: int = row) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
            hits = find_person(
                store,
                vectors[row : row + 1],
                calibration(row),
                camera=str(table.camera[row]),
                top=len(table),
                where=Filter(without=table.record[gone].tolist()),
                settings=settings,
                table=table,
                statistics=statistics,
                track=np.array([row]),
            )
            return np.array([hit.row for hit in hits], np.intp), np.array([hit.probability for hit in hits])

        order, probability = ask(without)
        spent.append(time.perf_counter() - began)
        ranks = np.full(len(table), -np.inf)
        ranks[order] = -np.arange(len(order), dtype=np.float64)
        scores.append(ranks)
        right.append(same)
        allowed.append(~without)
        said.append(probability[:_LOOKED_AT])
        came.append(same[order[:_LOOKED_AT]])
        present.append(probability[0] if same[order[0]] else -np.inf)
        absent.append(max(ask(same | beside)[1], default=-np.inf))
        on_done()
    if not scores:
        raise ValueError("gallery: nobody is in it twice, so that nobody can be asked for")
    bins, error = reliability(np.concatenate(said), np.concatenate(came))
    return SearchRun(
        score_search(np.array(scores), np.array(right), np.array(allowed)),
        tuple(open_set_rates(np.array(present), np.array(absent), FALSE_RATES)),
        bins,
        error,
        1000 * float(np.median(spent)),
        len(scores),
    )
