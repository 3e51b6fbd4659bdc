"""How search and identities grow with a gallery: time, memory, recall; tracklets made up around real ones.

    python benchmarks/gallery_scale.py search 10000 100000 1000000 --real tracklets.npz --store lance
    python benchmarks/gallery_scale.py identify 1000 10000 100000 --real tracklets.npz -o FOLDER

``tracklets.npz`` holds ``means`` ``(T, D)``, embeddings of real tracklets, and ``people`` ``(T,)``, who each
is (``benchmarks/identities.py --save`` writes it). A made-up person lies between two real ones, and his
tracklets lie around him as a real person's do. Of those that are identified half were lost for a while, a
tenth are glimpses. Each size runs in a process of its own, whose largest memory is told. Times are processor
times: on a machine that has nothing else to do, the wall clock shows that over the cores at work. A search
takes a short list of 300 and ranks it: recall is the share of the ten nearest on it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from mot_reid.evaluation.tables import Column, Table
from mot_reid.gallery.finding import find_calibration, find_person, sampled_statistics
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.opening import open_store
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.search import SearchSettings
from mot_reid.gallery.store import GalleryInfo
from mot_reid.provenance import provenance

PER_PERSON, QUERIES, BATCH = 4, 50, 20_000
IN_VIEW, LASTS, RECORDS_OF_CAMERA, FPS = 5, 20.0, 1000, 25
LOST, GLIMPSES = 0.5, 0.1


def made_up(
    means: NDArray[np.float32], people: NDArray[np.int64], count: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings ``(count, D)`` around real ones, and who each is."""
    known = np.unique(people)
    centres = np.stack([means[people == person].mean(axis=0) for person in known])
    residuals = means - centres[np.searchsorted(known, people)]
    who = np.arange(count) // PER_PERSON
    pairs = random.integers(0, len(known), (who[-1] + 1, 2))
    share = random.uniform(0.2, 0.8, len(pairs))[:, None]
    between = share * centres[pairs[:, 0]] + (1 - share) * centres[pairs[:, 1]]
    # Two real people are a plane; noise of their own spread keeps made-up ones from crowding on it.
    between += random.normal(size=between.shape) * centres.std(axis=0)
    between *= np.linalg.norm(centres, axis=1).mean() / np.linalg.norm(between, axis=1, keepdims=True)
    rows = np.empty((count, means.shape[1]), np.float32)
    for first in range(0, count, BATCH):
        own = slice(first, first + BATCH)
        rows[own] = between[who[own]] + residuals[random.integers(0, len(means), len(who[own]))]
        rows[own] /= np.linalg.norm(rows[own], axis=1, keepdims=True)
    return rows, who


def fill(
    store: Any,
    rows: NDArray[np.float32],
    who: NDArray[np.int64],
    random: np.random.Generator,
    lost: float = 0.0,
    glimpses: float = 0.0,
) -> None:
    """Puts records into a store, each camera with some in view at any time.

    A share is `lost` for a third of the time and found again, another share are `glimpses`, hardly seen.
    """
    cameras = max(2, len(rows) // RECORDS_OF_CAMERA)
    camera = random.integers(0, cameras, len(rows))
    start = random.uniform(0, RECORDS_OF_CAMERA * LASTS / IN_VIEW, len(rows))
    gone, hardly = random.random((2, len(rows))) < np.array([[lost], [glimpses]])
    frames = int(LASTS * FPS)
    for first in range(0, len(rows), BATCH):
        store.append(
            [
                Tracklet(
                    camera=f"c{camera[row]}",
                    source=f"c{camera[row]}",
                    run=f"c{camera[row]}",
                    track_id=row + 1,
                    first_frame=1,
                    last_frame=frames + 1,
                    start=float(start[row]),
                    end=float(start[row] + LASTS),
                    epoch=1e9,
                    mean=rows[row],
                    medoids=rows[row : row + 1],
                    path=path(float(start[row]), bool(gone[row])),
                    boxes=frames + 1 - (frames // 3 if gone[row] else 0),
                    quality=0.4 / LASTS if hardly[row] else 0.5,
                )
                for row in range(first, min(first + BATCH, len(rows)))
            ]
        )


def path(start: float, lost: bool) -> NDArray[np.float32]:
    """Times of boxes: two, or 64 with a third of the time left out in the middle."""
    times = np.array([0.0, LASTS])
    if lost:
        times = np.linspace(0, LASTS * 2 / 3, 64)
        times += np.where(times > LASTS / 3, LASTS / 3, 0)
    found = np.zeros((len(times), 6), np.float32)
    found[:, 1] = start + times
    return found


def run_search(place: str, kind: Any, real: Any, count: int) -> dict[str, Any]:
    """Fills a store and asks it for real people, some of whose neighbours are in it."""
    random = np.random.default_rng(0)
    rows, who = made_up(real["means"], real["people"], count, random)
    began = time.process_time()
    store = open_store(place, GalleryInfo("made up", "made up", rows.shape[1]), kind)
    fill(store, rows, who, random)
    filled, began = time.process_time() - began, time.process_time()
    if kind == "lance":
        store.make_index()  # type: ignore[attr-defined]
    indexed, began = time.process_time() - began, time.process_time()
    table = store.table()
    opened = time.process_time() - began
    chosen = random.integers(0, count, QUERIES)
    queries = rows[chosen] + 0.02 * random.normal(size=(QUERIES, rows.shape[1])).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    truth = np.argsort(-(queries @ rows.T), axis=1)[:, :10]
    del rows
    place_of = np.argsort(table.track_id)  # a row of the store by the row that was made
    began, wall = time.process_time(), time.perf_counter()
    found = [store.nearest(query[None], SearchSettings.shortlist)[0][0] for query in queries]
    spent, waited = time.process_time() - began, time.perf_counter() - wall
    recall = np.mean([np.isin(place_of[own], ten).mean() for own, ten in zip(truth, found, strict=True)])
    calibration, statistics = find_calibration("", ""), sampled_statistics(store, table)
    began = time.process_time()
    for query in queries[:10]:
        find_person(store, query[None], calibration, table=table, statistics=statistics)
    whole = (time.process_time() - began) / 10
    return {
        "filled, s": filled,
        "index, s": indexed,
        "opened, s": opened,
        "short list, ms": 1000 * spent / QUERIES,
        "by the clock, ms": 1000 * waited / QUERIES,
        "a whole search, ms": 1000 * whole,
        "of the ten nearest in it, %": 100 * float(recall),
        "on disk, GB": sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file()) / 1e9,
    }


def run_identify(place: str, kind: Any, real: Any, count: int) -> dict[str, Any]:
    """Fills a gallery and joins all of it to identities."""
    random = np.random.default_rng(0)
    rows, who = made_up(real["means"], real["people"], count, random)
    store = open_store(place, GalleryInfo("made up", "made up", rows.shape[1]), kind)
    fill(store, rows, who, random, LOST, GLIMPSES)
    del rows, store
    gallery = Gallery(place)
    began, wall = time.process_time(), time.perf_counter()
    found = gallery.identify()
    spent, waited = time.process_time() - began, time.perf_counter() - wall
    people = who[found.table.track_id - 1]
    pairs = np.unique(np.column_stack([people, found.numbers]), axis=0, return_counts=True)[1]
    true, said = np.bincount(people), np.bincount(found.numbers)
    groups = int((said > 0).sum())
    together = float((pairs * (pairs - 1)).sum())
    return {
        "identities": len(found),
        "people": int(people.max()) + 1,
        "processor, s": spent,
        "by the clock, s": waited,
        "wrong links, %": 100 * (len(pairs) - groups) / max(len(people) - groups, 1),
        "pairs' precision": 100 * together / max(1.0, float((said * (said - 1)).sum())),
        "pairs' recall": 100 * together / float((true * (true - 1)).sum()),
    }


def main() -> None:
    """Runs every size in a process of its own, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["search", "identify"])
    parser.add_argument("counts", type=int, nargs="+", help="tracklets")
    parser.add_argument("--real", type=Path, required=True, help="embeddings of real tracklets")
    parser.add_argument("--store", choices=["folder", "lance"], default="folder")
    parser.add_argument("-o", "--output", type=Path, help="save the table there")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        real = np.load(given.real, allow_pickle=False)
        with tempfile.TemporaryDirectory(prefix="mot_reid-") as place:
            run = run_search if given.what == "search" else run_identify
            values = run(place, given.store, real, given.counts[0])
        values["memory, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps(values))
        return
    lines = []
    for count in given.counts:
        command = [sys.executable, __file__, given.what, str(count), "--one"]
        command += ["--real", str(given.real), "--store", given.store]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        lines.append({"tracklets": count, **json.loads(done.stdout.splitlines()[-1])})
        print(lines[-1], file=sys.stderr, flush=True)
    whole = {"tracklets", "identities", "people"}
    columns = [Column(name, None if name in whole else 1) for name in lines[0]]
    title = f"{given.what}, made-up tracklets, {given.store}"
    table = Table(title, columns, lines, provenance=provenance())
    table.show(Console(width=400))
    if given.output is not None:
        table.save(given.output, f"gallery-{given.what}-{given.store}")


if __name__ == "__main__":
    main()
