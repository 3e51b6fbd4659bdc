"""Who is who where people have few records, and in cameras that nothing was fitted on.

    python benchmarks/few_records.py market1501/bounding_box_train --pku pku-reid [--cache FILE] [-o FOLDER]

Of the tracklets of `benchmarks/identities.py` one is left of each person and camera, in two or three
cameras; each half of the people is joined with probabilities that were fitted on all tracklets of the other.
PKU-ReID's eight crops of a person in a camera become one to four records, joined with the shipped
probabilities. Nobody is barred there, and no clock is known. "A third in one camera": those have no record
elsewhere to be joined with.

"While sources run": the same records one after the other, in an order drawn at random, each a track of its
own source with four looks, joined as `mot-reid track --gallery G --identify` joins tracks until the end.

In another table each record is asked for, as `mot-reid evaluate-search` does: with its person elsewhere, and
with nobody to be found. "Surer than .7": of the first ten hits those that were said to be likelier, how many
a query has, what was said of them and what came.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from identities import (
    DEFAULT,
    Records,
    Trial,
    filled,
    halves,
    joined,
    market,
    mean_of,
    one_camera_strangers,
    scored,
)
from numpy.typing import NDArray
from rich.console import Console

from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.config import EmbedderConfig
from mot_reid.evaluation.search_run import SearchRun, run_searches
from mot_reid.evaluation.tables import Column, Table
from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.finding import find_calibration
from mot_reid.gallery.fingerprint import embedder_fingerprint
from mot_reid.gallery.folder_store import FolderStore
from mot_reid.gallery.online import OnlineIdentities
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.store import GalleryInfo
from mot_reid.provenance import provenance
from mot_reid.video.pictures import read_picture

_SURE = 0.7

Sets = Iterator[tuple[str, list[tuple[Records, Any]]]]


def thinned(records: Records, cameras: int) -> Records:
    """One record of each person in each of some cameras, drawn at random; nobody's clock is known."""
    random, kept = np.random.default_rng(0), []
    for person in np.unique(records.people).tolist():
        own = np.flatnonzero(records.people == person)
        names = random.permutation(np.unique(records.cameras[own].astype(str)))[:cameras]
        kept += [int(random.choice(own[records.cameras[own] == name])) for name in names]
    return replace(records[np.sort(kept)], clock=False)


def of_market(crops: Path, cache: Path | None) -> Sets:
    """Market-1501's held-out people, a half at a time."""
    parts = list(halves(*market(crops, cache, "")))
    for cameras in (2, 3):
        few = [(thinned(part, cameras), calibration) for part, calibration in parts]
        name = f"Market-1501, {cameras} cameras, 1 record in each"
        yield name, few
        yield f"{name}, a third in one camera", [(one_camera_strangers(part), fitted) for part, fitted in few]


def of_pku(folder: Path) -> Sets:
    """PKU-ReID's people in two cameras."""
    embedder = NetworkEmbedder(EmbedderConfig())
    name, fingerprint = embedder_fingerprint(embedder)
    calibration = find_calibration(fingerprint, name)
    files = sorted(folder.glob("[0-9]*/[0-9]*_[0-9]*.png"))
    pictures = map(read_picture, files)
    boxes = ((picture, [[0, 0, picture.shape[1], picture.shape[0]]]) for picture in pictures)
    looks = np.stack([embedder.embed(one, np.array(box, np.float32))[0] for one, box in boxes])
    who = np.array([f"{file.parent.name} c{int(file.name.split('_')[0])}" for file in files])
    for number in (1, 2, 4):
        groups = [
            part for name in np.unique(who) for part in np.array_split(np.flatnonzero(who == name), number)
        ]
        records = crops_as_records(looks, groups, who)
        name = f"PKU-ReID, 2 cameras, {number} record{'s' * (number > 1)} in each"
        yield name, [(records, calibration)]
        yield f"{name}, a third in one camera", [(one_camera_strangers(records), calibration)]


def crops_as_records(
    looks: NDArray[np.float32], groups: list[NDArray[np.intp]], who: NDArray[np.str_]
) -> Records:
    """Records of groups of crops; ``who`` says the person and the camera of each crop."""
    sums = np.stack([looks[group].sum(axis=0) for group in groups])
    people, cameras = zip(*(str(who[group[0]]).split() for group in groups), strict=True)
    count, sizes = len(groups), np.array([len(group) for group in groups])
    names = np.array([str(row) for row in range(count)], object)
    return Records(
        sums / np.linalg.norm(sums, axis=1, keepdims=True),
        np.array(cameras, object),
        names,
        names,
        np.zeros(count),
        np.zeros(count),
        False,
        sizes,
        sizes.astype(np.float64),
        np.array(people, np.int64),
        filled([np.zeros((0, 2))] * count),
        filled([np.zeros((0, 6), np.float32)] * count),
        np.zeros(count, bool),
    )


def asked_for(records: Records, calibration: Calibration) -> SearchRun:
    """Each record as a query."""
    path = np.zeros((1, 6), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder) / "gallery", GalleryInfo("", "", records.means.shape[1]))
        looks = records.means.astype(np.float32)
        store.append(
            [
                Tracklet(str(camera), str(row), str(row), row + 1, 1, 2, 0.0, 1.0, look, look[None], path)
                for row, (camera, look) in enumerate(zip(records.cameras, looks, strict=True))
            ]
        )
        store.table()
        return run_searches(store, records.people, lambda _: calibration)


def while_running(records: Records, calibration: Calibration) -> tuple[Records, NDArray[np.int64]]:
    """The records, and the identity that each has by the end."""
    online, one, names = OnlineIdentities(calibration), np.array([1]), records.cameras.astype(str)
    for place, row in enumerate(np.random.default_rng(0).permutation(len(names)).tolist()):
        for second in range(4):
            look, time = records.means[row : row + 1].astype(np.float32), 5.0 * place + second
            online.observe(str(row), names[row], time, one, np.zeros(1, np.intp), look, np.ones(1))
        online.finish(str(row), 1)
    return records, np.array([online.identity(str(row), 1) for row in range(len(names))], np.int64)


def search_row(parts: list[tuple[Records, Any]]) -> dict[str, float]:
    """What came of all queries, in the mean over parts."""
    found = []
    for records, calibration in parts:
        run = asked_for(records, calibration)
        said, came, hits = np.array([entry for entry in run.bins if entry[0] > _SURE]).T
        found.append(
            {
                "mAP": 100 * run.scores.mean_average_precision,
                "rank-1": 100 * run.scores.cmc[0],
                "found at 1 % false": 100 * run.open_set[0],
                "difference": run.calibration_error,
                "surer than .7 a query": hits.sum() / run.queries,
                "said": float(np.average(said, weights=hits)),
                "came": float(np.average(came, weights=hits)),
            }
        )
    return {name: float(np.mean([entry[name] for entry in found])) for name in found[0]}


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("crops", type=Path, help="folder of crops named as Market-1501's")
    parser.add_argument("--pku", type=Path, required=True, help="folder of PKU-ReID")
    parser.add_argument("--cache", type=Path, help="file that keeps the embeddings of Market-1501's crops")
    parser.add_argument("-o", "--output", type=Path, help="save the tables there")
    given = parser.parse_args()
    names = ("wrong links", "F", "P", "R", "identities", "people")
    rows, running, searches = [], [], []
    for name, parts in [*of_market(given.crops, given.cache), *of_pku(given.pku)]:
        for rate in (0.01, 0.05):
            trial = Trial("", replace(DEFAULT, false_links=rate))
            found = mean_of([scored(*joined(part, calibration, trial)) for part, calibration in parts])
            rows.append({"records": name, "asked": 100 * rate, **found})
        found = mean_of([scored(*while_running(part, calibration)) for part, calibration in parts])
        running.append({"records": name, **found})
        searches.append({"records": name, **search_row(parts)})
    columns = [Column("records"), Column("asked", 1), *(Column(name, 1) for name in names)]
    tables = {"few-records": Table("Identities of people with few records", columns, rows)}
    title = "Identities of people with few records, while sources run"
    tables["few-records-running"] = Table(title, [columns[0], *columns[2:]], running)
    digits = [1 if name in {"mAP", "rank-1", "found at 1 % false"} else 3 for name in searches[0]]
    columns = [Column(name, places) for name, places in zip(searches[0], digits, strict=True)]
    columns[0] = Column("records")
    tables["few-records-search"] = Table("Searches for people with few records", columns, searches)
    for name, table in tables.items():
        told = replace(table, provenance=provenance())
        told.show(Console(width=200))
        if given.output is not None:
            told.save(given.output, name)


if __name__ == "__main__":
    main()
