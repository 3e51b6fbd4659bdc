"""How long association takes: ours and every peer that is installed, on the same made-up scenes.

Detections, 512-d embeddings and camera motion are given; association alone is timed, in one thread. Each
tracker has a process of its own and its own defaults; they run in turn, several times over, and of each
frame the least of the repeats counts: a busy machine only ever adds. What counts is the second half of a
run, when as many tracks are lost as there will ever be. The scenes and what each tracker is given are in
``peers/``. IDF1 and MOTA on the scene's truth show that a tracker did its work.

    pip install pyxtrackers trackers ultralytics lap boxmot deep-sort-realtime   # those that you want to see
    pip install --no-deps norfair filterpy                                       # it asks for an old NumPy
    python benchmarks/association_speed.py -o benchmarks/tables
    python benchmarks/association_speed.py --long -o benchmarks/tables
    git worktree add --detach ../before COMMIT && python benchmarks/association_speed.py --against ../before
"""

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import CONTENDERS, OURS, Contender
from peers import worker as work
from peers.against import KERNELS, KINDS, Run, checkouts_in_turn
from peers.base import Answer
from peers.scene import Scene, SceneFrame, save_frames
from peers.team import Team
from rich.console import Console

from mot_reid.evaluation.motchallenge import PEDESTRIAN, BoxRows
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance

FRAMES = 400
LONG_FRAMES = 50_000
LONG_PEOPLE = 50
LONG_WARM = 500
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_REST, _ALL = "between the stages", "all"
_CLOCKS = {"cpu": "processor time of the whole process", "wall": "time of the wall"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--people", type=_count, nargs="+", default=[10, 50, 200, 1000], metavar="N", help="in the scenes")
    add("--frames", type=_count, metavar="N", help=f"of each scene [{FRAMES}], or of --long [{LONG_FRAMES}]")
    add(
        "--repeats",
        type=_count,
        default=3,
        metavar="N",
        help="of which the fastest counts, frame by frame [3]",
    )
    add("--only", nargs="+", default=[], metavar="TEXT", help="only trackers whose names hold one of these")
    add("--budget", type=float, default=30, metavar="S", help="seconds for a tracker on a scene, about [30]")
    add("--clock", choices=work.CLOCKS, default="cpu", help="time of the processor or of the wall [cpu]")
    add("--seed", type=int, default=0, help="of the scenes [0]")
    add(
        "--long",
        action="store_true",
        help="whether time and memory grow with the length of a run (ours, or --only)",
    )
    add(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="ours only, in turn with the one of another checkout of this repository, by NumPy and by numba",
    )
    add("-o", "--output", type=Path, metavar="DIR", help="save the tables there as JSON, CSV and Markdown")
    add("--name", default="association-speed", help="of the files [association-speed]")
    chosen = parser.parse_args()
    chosen.frames = chosen.frames or (LONG_FRAMES if chosen.long else FRAMES)
    if chosen.long and chosen.frames < 2 * LONG_WARM:
        parser.error(f"--frames: expected at least {2 * LONG_WARM} with --long, got {chosen.frames}")
    return chosen


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text}")
    return int(text)


def main() -> None:
    chosen = arguments()
    names = [name for name in CONTENDERS if not chosen.only or any(text in name for text in chosen.only)]
    if chosen.long and not chosen.only:
        names = [OURS]
    if not names:
        sys.exit(f"error: --only: no such tracker; known: {'; '.join(CONTENDERS)}")
    for name in _THREADS:
        os.environ[name] = "1"
    os.environ["YOLO_AUTOINSTALL"] = "false"  # Ultralytics would install what it misses
    console = Console() if sys.stdout.isatty() else Console(width=160)
    if chosen.against:
        tables = against_tables(chosen)
    else:
        with Team(names) as team:
            if not team.ready:
                sys.exit(f"error: no tracker to time. {' '.join(team.notes())}")
            tables = long_tables(team, chosen) if chosen.long else speed_tables(team, chosen)
    for suffix, table in tables.items():
        table.show(console)
        console.print()
        if chosen.output:
            for path in table.save(chosen.output, chosen.name + suffix):
                console.print(f"saved {path}", highlight=False)


@dataclass
class Record:
    """The repeats of one tracker on one scene."""

    seconds: list[NDArray[np.float64]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    elapsed: float = 0.0

    def add(self, timing: work.Timing) -> None:
        """One more repeat; the answers are the same each time."""
        self.seconds.append(timing.seconds)
        self.answers = max(self.answers, timing.answers, key=len)
        self.elapsed += timing.elapsed

    @property
    def milliseconds(self) -> NDArray[np.float64]:
        """The least of the repeats for each frame in the second half of what all of them reached."""
        return 1000 * second_half(least(self.seconds))


def least(repeats: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    shared = min(map(len, repeats))
    return np.min([seconds[:shared] for seconds in repeats], axis=0)


def against_tables(chosen: argparse.Namespace) -> dict[str, Table]:
    """Times ours of two checkouts in turn on every scene."""
    here = Path(__file__).resolve().parents[1]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for people in chosen.people:
            save_frames(list(islice(Scene(people, chosen.seed), chosen.frames)), folder / "scene.npz")
            for kernels in KERNELS:
                before, now = checkouts_in_turn(
                    [chosen.against, here], folder / "scene.npz", folder, chosen.repeats, kernels
                )
                rows += [against_row(people, kernels, kind, before[kind], now[kind]) for kind in KINDS]
    table = Table(
        title="Association beside another commit, milliseconds a frame in one thread",
        columns=[
            *(Column(name) for name in ("people", "given", "kernels")),
            *(Column(name, 3) for name in ("ms before", "ms now")),
            Column("times before", 2),
            Column("frames alike", 1),
        ],
        rows=rows,
        provenance=provenance()
        | {"configuration": {name: str(value) for name, value in vars(chosen).items()}},
        notes=[
            f"ms: processor time, median over the second half of the frames, of each frame the least of "
            f"{chosen.repeats} runs, each in a process of its own, in turn. frames alike: per cent of the "
            "frames with the same ids and boxes (to 0.01 pixels).",
        ],
    )
    return {"": table}


def against_row(people: int, kernels: str, kind: str, before: list[Run], now: list[Run]) -> dict[str, Any]:
    old, new = (
        1000 * np.median(second_half(least([run["seconds"] for run in runs]))) for runs in (before, now)
    )
    alike = [
        np.array_equal(ids, others) and np.allclose(xyxy, boxes, atol=0.01)
        for ids, xyxy, others, boxes in zip(
            *(before[0][column] for column in ("ids", "xyxy")),
            *(now[0][column] for column in ("ids", "xyxy")),
            strict=True,
        )
    ]
    return {
        "people": people,
        "given": kind,
        "kernels": kernels,
        "ms before": float(old),
        "ms now": float(new),
        "times before": float(new / old),
        "frames alike": 100 * float(np.mean(alike)),
    }


def second_half(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    return frames[len(frames) // 2 :]


def speed_tables(team: Team, chosen: argparse.Namespace) -> dict[str, Table]:
    """Times everybody on every scene; tables by what their files' names end in."""
    rows: list[dict[str, Any]] = []
    stages: dict[int, dict[str, float]] = {}
    for people in chosen.people:
        team.total(f"{people} people: making the scene", 1)
        frames = list(islice(Scene(people, chosen.seed), chosen.frames))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scene.npz"
            save_frames(frames, path)
            task = work.Task(path, chosen.budget, chosen.clock)
            records = time_all(team, task, people, chosen.repeats)
            rows += scene_rows(team, people, frames, records)
            if OURS in records:
                stages[people] = profile(team, task, people, chosen.repeats)
    tables = {"": speed_table(team, chosen, rows)}
    if stages:
        tables["-stages"] = stage_table(team, chosen, stages)
    return tables


def time_all(team: Team, task: work.Task, people: int, repeats: int) -> dict[str, Record]:
    """Everybody in turn, again and again; who has used up the budget is not asked again."""
    team.total(f"{people} people", repeats * len(team.ready))
    records: dict[str, Record] = defaultdict(Record)
    for _ in range(repeats):
        for name in team.ready:
            team.describe(f"{people} people: {name}")
            if records[name].elapsed < task.budget and (timing := team.ask(name, task)) is not None:
                records[name].add(timing)
            team.advance()
    return {name: record for name, record in records.items() if name not in team.failures}


def scene_rows(
    team: Team, people: int, frames: list[SceneFrame], records: dict[str, Record]
) -> list[dict[str, Any]]:
    true = [(frame.true_ids, frame.true_xyxy) for frame in frames]
    ours = np.median(records[OURS].milliseconds) if OURS in records else np.nan
    rows = []
    for name, record in records.items():
        times = record.milliseconds
        rows.append(
            {
                "people": people,
                "tracker": f"{name} {team.ready[name]}",
                "ms": float(np.median(times)),
                "95%": float(np.percentile(times, 95)),
                "times ours": float(np.median(times) / ours),
                "given": given_to(CONTENDERS[name]),
                "frames": len(record.answers),
                **quality(true[: len(record.answers)], record.answers),
            }
        )
    return sorted(rows, key=lambda row: (not row["tracker"].startswith(OURS), row["ms"]))


def quality(true: Sequence[Answer], answers: Sequence[Answer]) -> dict[str, Any]:
    """Metrics of a tracker's answers by the scene's truth, frame by frame."""
    # Not above: every worker imports this file, and pandas with these.
    from mot_reid.evaluation.comparison import compare
    from mot_reid.evaluation.metrics import evaluate

    compared = compare(box_rows(true), box_rows(answers), range(1, len(true) + 1), frozenset())
    scores = evaluate(compared).values()
    return {name: scores[name] for name in ("IDF1", "MOTA", "IDs", "Tracks")}


def given_to(contender: Contender) -> str:
    extras = [("looks", contender.appearance), ("camera", contender.camera)]
    return " + ".join(["boxes", *(name for name, has in extras if has)])


def box_rows(answers: Sequence[Answer]) -> BoxRows:
    counts = [len(ids) for ids, _ in answers]
    return BoxRows(
        frames=np.repeat(np.arange(1, len(answers) + 1), counts),
        ids=np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in answers)]),
        xyxy=np.concatenate([np.zeros((0, 4)), *(xyxy for _, xyxy in answers)]),
        counted=np.ones(sum(counts), bool),
        classes=np.full(sum(counts), PEDESTRIAN),
    )


def speed_table(team: Team, chosen: argparse.Namespace, rows: list[dict[str, Any]]) -> Table:
    clock = _CLOCKS[chosen.clock]
    return Table(
        title="Association, milliseconds a frame in one thread",
        columns=[
            Column("tracker"),
            Column("people"),
            Column("ms", 3),
            Column("95%", 3),
            Column("times ours", 2),
            Column("IDF1", 1),
            Column("MOTA", 1),
            Column("IDs", brief=False),
            Column("Tracks", brief=False),
            Column("given", brief=False),
            Column("frames", brief=False),
        ],
        rows=rows,
        provenance=made_by(chosen, team),
        notes=[
            f"ms: median over the second half of the frames, of each frame the least of {chosen.repeats} "
            f"repeats (fewer past the budget of {chosen.budget:g} s); 95%: 95th percentile. Measured is the "
            f"{clock}.",
            "times ours: beside mot_reid with everything on. given: looks are 512-d embeddings, camera is "
            "its motion; who is not given it takes the camera to stand still. IDF1 and the other metrics are "
            "of the frames that were reached, the last column: compare those of equal length.",
            *team.notes(),
        ],
    )


def made_by(chosen: argparse.Namespace, team: Team) -> dict[str, Any]:
    packages = {CONTENDERS[name].package: version for name, version in team.ready.items()}
    packages.pop(OURS, None)
    load = [round(value, 1) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None
    options = {name: str(value) for name, value in vars(chosen).items()}
    return provenance() | {"peers": packages, "load_average": load, "configuration": options}


def profile(team: Team, task: work.Task, people: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of ours by stage, the least of the repeats for each frame."""
    team.total(f"{people} people: profile", repeats)
    task = replace(task, clock="wall", profile=True)  # reading this clock costs next to nothing
    timings = [timing for _ in range(repeats) if (timing := team.ask(OURS, task)) is not None]
    if not timings:
        return {}
    names = dict.fromkeys(name for timing in timings for frame in timing.stages for name in frame)
    stages = {name: least([of_stage(timing, name) for timing in timings]) for name in names}
    whole = least([timing.seconds for timing in timings])
    stages |= {_REST: np.maximum(whole - sum(stages.values()), 0), _ALL: whole}
    return {name: 1000 * float(np.median(second_half(values))) for name, values in stages.items()}


def of_stage(timing: work.Timing, name: str) -> NDArray[np.float64]:
    return np.array([frame.get(name, 0.0) for frame in timing.stages])


def stage_table(team: Team, chosen: argparse.Namespace, stages: dict[int, dict[str, float]]) -> Table:
    names = dict.fromkeys(name for times in stages.values() for name in times if name not in (_REST, _ALL))
    headings = {people: f"{people} people" for people in stages}
    return Table(
        title="Association of mot_reid by stage, milliseconds a frame",
        columns=[Column("stage"), *(Column(heading, 3) for heading in headings.values())],
        rows=[
            {"stage": name, **{headings[people]: times.get(name) for people, times in stages.items()}}
            for name in [*names, _REST, _ALL]
        ],
        provenance=made_by(chosen, team),
        notes=["Everything on, time of the wall. Medians, which do not add up exactly."],
    )


def long_tables(team: Team, chosen: argparse.Namespace) -> dict[str, Table]:
    frames = chosen.frames
    rows = []
    for name in team.ready:
        team.total(name, frames)
        task = work.LongTask(LONG_PEOPLE, LONG_WARM, frames, chosen.seed, chosen.clock)
        if (result := team.ask(name, task)) is not None:
            rows.append(long_row(name, frames, result))
    return {"-long": long_table(team, chosen, frames, rows)}


def long_row(name: str, frames: int, result: work.Endurance) -> dict[str, Any]:
    resident, held = (
        {frame: count / 2**20 for frame, count in bytes_at.items()}
        for bytes_at in (result.resident, result.held)
    )
    return {
        "tracker": name,
        "ms early": 1000 * result.early,
        "ms late": 1000 * result.late,
        "late / early": result.late / result.early,
        "RSS early": resident[LONG_WARM],
        "RSS late": resident[frames],
        "held early": held[LONG_WARM],
        "held most": max(held.values()),
        "held late": held[frames],
    }


def long_table(team: Team, chosen: argparse.Namespace, frames: int, rows: list[dict[str, Any]]) -> Table:
    return Table(
        title=f"{LONG_PEOPLE} people: frame {LONG_WARM} beside frame {frames}",
        columns=[
            Column("tracker"),
            *(Column(name, 3) for name in ("ms early", "ms late", "late / early")),
            *(Column(f"RSS {when}", 1) for when in ("early", "late")),
            *(Column(f"held {when}", 2) for when in ("early", "most", "late")),
        ],
        rows=rows,
        provenance=made_by(chosen, team),
        notes=[
            f"ms: median of {LONG_WARM} frames; the tracker at frame {frames} and a fresh one at frame "
            f"{LONG_WARM} take the same frames in turn. Measured is the {_CLOCKS[chosen.clock]}.",
            "MiB: RSS is the whole process, early and late; held is what tracemalloc counts, NumPy's arrays "
            "and the scene too. The timing comes after, without tracemalloc.",
            *team.notes(),
        ],
    )


if __name__ == "__main__":
    main()
