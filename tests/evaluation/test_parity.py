"""Our numbers against TrackEval's own classes, run on the same files.

IDF1, HOTA and its parts must agree to 1e-6 points. MOTA differs by design, because CLEAR is motmetrics' here
(see mot_reid/evaluation/clear_identity.py): a person keeps the track of the last match over a gap, where
TrackEval prefers pairs of the frame before only; and the most matches come before the largest overlap.
On the files that the tests carry or make it is within 0.02 points; in crowds of MOT17 a few matches differ:
up to 0.06 points a sequence. That nothing else is behind it is tested too: TrackEval's CLEAR, given what our
reader and preprocessing make of the files, must find exactly what it finds in the files.
"""

import contextlib
import io
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import motmetrics
import numpy as np
import pytest
from trackeval import Evaluator
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

from mot_reid.evaluation.comparison import compare
from mot_reid.evaluation.hota import trackeval_data
from mot_reid.evaluation.metrics import combine
from mot_reid.evaluation.motchallenge import read_ground_truth, read_results
from mot_reid.evaluation.scoring import score_files
from mot_reid.evaluation.sequences import find_sequences

Values = dict[str, dict[str, float]]
EXACT = ("HOTA", "DetA", "AssA", "LocA", "IDF1", "IDP", "IDR")
COUNTS = ("GT", "Boxes", "People", "Tracks")
CLEAR_NAMES = {
    "IDs": "IDSW",
    "FP": "CLR_FP",
    "FN": "CLR_FN",
    "MT": "MT",
    "PT": "PT",
    "ML": "ML",
    "Frag": "Frag",
}
QUIET = {"PRINT_CONFIG": False}


@dataclass
class Files:
    """A data set and results in TrackEval's layout, which ours reads as well."""

    root: Path
    benchmark: str

    @property
    def split(self) -> Path:
        return self.root / "gt" / f"{self.benchmark}-train"

    @property
    def results(self) -> Path:
        return self.root / "trackers" / f"{self.benchmark}-train" / "some" / "data"

    def add(self, name: str, length: int, truth: str | Path, results: str | Path) -> None:
        (self.split / name / "gt").mkdir(parents=True)
        self.results.mkdir(parents=True, exist_ok=True)
        (self.split / name / "seqinfo.ini").write_text(
            f"[Sequence]\nname={name}\nframeRate=25\nseqLength={length}\n"
        )
        for source, to in (
            (truth, self.split / name / "gt" / "gt.txt"),
            (results, self.results / f"{name}.txt"),
        ):
            if isinstance(source, Path):
                shutil.copy(source, to)
            else:
                to.write_text(source)

    def theirs(self) -> Values:
        """By TrackEval, as its scripts/run_mot_challenge.py does it."""
        maps = self.root / "gt" / "seqmaps" / f"{self.benchmark}-train.txt"
        maps.parent.mkdir(exist_ok=True)
        names = sorted(entry.name for entry in self.split.iterdir())
        maps.write_text("\n".join(["name", *names, ""]))
        folders = {"GT_FOLDER": str(self.root / "gt"), "TRACKERS_FOLDER": str(self.root / "trackers")}
        outputs = ("PRINT_RESULTS", "TIME_PROGRESS", "OUTPUT_SUMMARY", "OUTPUT_DETAILED", "PLOT_CURVES")
        with contextlib.redirect_stdout(io.StringIO()):
            dataset = MotChallenge2DBox({"BENCHMARK": self.benchmark, **folders, **QUIET})
            evaluator = Evaluator({**dict.fromkeys(outputs, False), "LOG_ON_ERROR": None, **QUIET})
            results, _ = evaluator.evaluate([dataset], [HOTA(), CLEAR(QUIET), Identity(QUIET)])
        found = {}
        for name, entry in results["MotChallenge2DBox"]["some"].items():
            scores = entry["pedestrian"]
            percents = {**scores["HOTA"], **scores["CLEAR"], **scores["Identity"]}
            wanted = (*EXACT, "MOTA", "MOTP")
            found["combined" if name == "COMBINED_SEQ" else name] = {
                **{key: 100 * float(np.mean(percents[key])) for key in wanted},
                "GT": scores["Count"]["GT_Dets"],
                "Boxes": scores["Count"]["Dets"],
                "People": scores["Count"]["GT_IDs"],
                "Tracks": scores["Count"]["IDs"],
                **{key: int(percents[source]) for key, source in CLEAR_NAMES.items()},
            }
        return found

    def ours(self) -> Values:
        sequences = find_sequences(self.split, protocol=self.benchmark.lower())
        scored = score_files([(entry, self.results / f"{entry.name}.txt") for entry in sequences])
        values: Values = {entry.sequence.name: entry.scores.values() for entry in scored}
        return values | {"combined": combine([entry.scores for entry in scored]).values()}

    def their_clear_on_our_comparisons(self) -> Values:
        metric = CLEAR(QUIET)
        results = {}
        for entry in find_sequences(self.split, protocol=self.benchmark.lower()):
            has_classes, distractors = entry.protocol.has_classes, entry.protocol.distractors
            truth = read_ground_truth(entry.ground_truth, entry.length, has_classes=has_classes)
            rows = read_results(self.results / f"{entry.name}.txt", entry.length)
            comparison = compare(truth, rows, entry.frames, distractors)
            results[entry.name] = metric.eval_sequence(trackeval_data(comparison))
        results["combined"] = metric.combine_sequences(results)
        return {
            name: {
                **{key: 100 * float(values[key]) for key in ("MOTA", "MOTP")},
                **{key: int(values[source]) for key, source in CLEAR_NAMES.items()},
            }
            for name, values in results.items()
        }


def assert_parity(files: Files, mota: float = 0.02) -> dict[str, float]:
    """Holds ours to theirs; returns the largest differences."""
    ours, theirs = files.ours(), files.theirs()
    assert list(ours) == list(theirs)
    largest: dict[str, float] = {}
    for sequence, values in theirs.items():
        for name, value in values.items():
            difference = abs(ours[sequence][name] - value)
            largest[name] = max(largest.get(name, 0), difference)
            allowed = {**dict.fromkeys(EXACT, 1e-6), **dict.fromkeys(COUNTS, 0), "MOTA": mota}
            assert difference <= allowed.get(name, np.inf), (sequence, name, ours[sequence][name], value)
    for sequence, values in files.their_clear_on_our_comparisons().items():
        for name, value in values.items():
            assert value == pytest.approx(theirs[sequence][name], abs=1e-9), (sequence, name)
    print(files.benchmark, {name: float(f"{value:.2g}") for name, value in largest.items()})
    return largest


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], Files]:
    return lambda benchmark: Files(tmp_path / benchmark, benchmark)


def test_tud_campus_and_stadtmitte(files: Callable[[str], Files]) -> None:
    carried = Path(motmetrics.__file__).parent / "data"
    tud = files("MOT15")
    for name, length in (("TUD-Campus", 71), ("TUD-Stadtmitte", 179)):
        assert b"\r\n" in (carried / name / "gt.txt").read_bytes()  # ground truth may; results may not
        tud.add(
            name, length, carried / name / "gt.txt", (carried / name / "test.txt").read_text()
        )  # read_text turns CR LF into LF
    largest = assert_parity(tud)
    assert largest["MOTA"] < 1e-9
    campus = tud.ours()["TUD-Campus"]  # the figures that motmetrics' README shows for it
    assert (campus["FP"], campus["FN"], campus["IDs"], campus["Frag"]) == (13, 150, 7, 7)
    assert round(campus["IDF1"], 1) == 55.8
    assert round(campus["MOTA"], 1) == 52.6


DISTRACTORS = (2, 6, 7, 8, 12)
OTHERS = (3, 4, 5, 9, 10, 11, 13)
SIZE = np.array([40.0, 100.0])


def row(*values: Any) -> str:
    return ",".join(f"{value:.2f}" if isinstance(value, float) else f"{value}" for value in values) + "\n"


def generated(seed: int, classes: bool) -> tuple[int, str, str]:
    """The length, ground truth and results of a scene: people and all else that ground truth knows.

    In it: distractors of every class, other classes, pedestrians that do not count, gaps; tracks that are
    shifted, that stop, start anew, or go on with somebody else; wrong boxes; frames without any.
    """
    rng = np.random.default_rng(seed)
    length = int(rng.integers(60, 100))
    kinds = [1] * 9 + ([*DISTRACTORS, *OTHERS, *DISTRACTORS] if classes else [])
    start = rng.uniform((0, 0), (700, 300), (len(kinds), 2))
    speed = rng.uniform(-4, 4, (len(kinds), 2))
    begins = rng.integers(1, length // 3, len(kinds))
    ends = rng.integers(length // 2, length + 1, len(kinds))
    zero_marked = (rng.random(len(kinds)) < 0.2) & (np.array(kinds) == 1)
    followed = rng.random(len(kinds)) < 0.8
    track = np.arange(len(kinds)) * 3 + 5  # ids of tracks are others than those of people, with gaps
    following, truth, results = track.max() + 1, [], []
    empty_truth, empty_results = rng.choice(np.arange(20, 50), 3), rng.choice(np.arange(20, 50), 3)
    for frame in range(1, length + 1):
        swap = np.flatnonzero(followed)
        if rng.random() < 0.15:
            first, second = rng.choice(swap, 2, replace=False)
            track[[first, second]] = track[[second, first]]
        if rng.random() < 0.15:
            track[rng.choice(swap)] = following
            following += 1
        for item, kind in enumerate(kinds):
            if not begins[item] <= frame <= ends[item]:
                continue
            corner = start[item] + frame * speed[item]
            if frame not in empty_truth and rng.random() < 0.97:
                counts = 0 if zero_marked[item] or (kind != 1 and rng.random() < 0.7) else 1
                extra = (kind, 0.5) if classes else (-1, -1, -1)
                truth.append(row(frame, item + 1, *corner, *SIZE, counts, *extra))
            if followed[item] and frame not in empty_results and rng.random() < 0.85:
                seen = corner + rng.normal(0, 6, 2)
                box = (*seen, *(SIZE * rng.uniform(0.9, 1.15, 2)))
                results.append(row(frame, track[item], *box, 0.9, -1, -1, -1))
        if frame not in empty_results and rng.random() < 0.3:
            box = (*rng.uniform((0, 0), (700, 300), 2), *SIZE)
            results.append(row(frame, following, *box, 0.5, -1, -1, -1))
            following += rng.random() < 0.5
    return length, "".join(rng.permutation(truth)), "".join(rng.permutation(results))


@pytest.mark.parametrize("benchmark", ["MOT15", "MOT16", "MOT17", "MOT20"])
def test_generated_scenes(files: Callable[[str], Files], benchmark: str) -> None:
    made = files(benchmark)
    for seed in range(4):
        made.add(f"{benchmark}-0{seed}", *generated(seed, classes=benchmark != "MOT15"))
    assert_parity(made)


def test_protocols_differ_where_they_should(files: Callable[[str], Files]) -> None:
    sets = [files("MOT17"), files("MOT20")]
    for made in sets:
        made.add("A-01", *generated(5, classes=True))
    boxes = [made.ours()["A-01"]["Boxes"] for made in sets]
    assert boxes[0] > boxes[1]  # class 6 is a distractor in MOT20 only
    assert [made.theirs()["A-01"]["Boxes"] for made in sets] == boxes


def test_nothing_at_all(files: Callable[[str], Files]) -> None:
    made = files("MOT17")
    length, truth, results = generated(3, classes=True)
    made.add("A-01", length, truth, "")
    made.add("A-02", length, truth, results)
    made.add("A-03", length, "1,1,1,1,9,9,0,1,1\n", results)
    ours, theirs = made.ours(), made.theirs()
    for name in ("HOTA", "DetA", "AssA", "IDF1", *COUNTS):
        assert ours["combined"][name] == pytest.approx(theirs["combined"][name], abs=1e-6)
        for sequence in ours:
            if np.isfinite(ours[sequence][name]):  # ours says NaN where there is nothing to divide by
                assert ours[sequence][name] == pytest.approx(theirs[sequence][name], abs=1e-6)


def perturbed(truth: Iterable[str], seed: int) -> str:
    """Ground truth as a middling tracker might report it."""
    rng = np.random.default_rng(seed)
    table = np.array([line.split(",") for line in truth], float)
    table = table[np.isin(table[:, 7], [1, 2, 7, 8, 12]) & (table[:, 8] > 0.25)]
    table = table[rng.random(len(table)) < 0.9]
    table[:, 1] = table[:, 1] * 100 + (table[:, 0] + 7 * table[:, 1]) // 90  # a new id every 90 frames
    table[:, 2:6] += rng.normal(0, 0.04, (len(table), 4)) * table[:, [4, 5, 4, 5]]
    return "".join(row(int(r[0]), int(r[1]), *map(float, r[2:6]), 1.0, -1, -1, -1) for r in table)


@pytest.mark.data
def test_real_mot17(data: Path, files: Callable[[str], Files]) -> None:
    made = files("MOT17")
    for name, length in (("MOT17-05", 837), ("MOT17-09", 525)):
        truth = data / "mot17" / "train" / name / "gt" / "gt.txt"
        made.add(name, length, truth, perturbed(truth.read_text().splitlines(), length))
    assert_parity(made, mota=0.1)
