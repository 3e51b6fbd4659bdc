"""How long association takes: ours and every peer that is installed, on the same made-up scenes.

Detections, 512-d embeddings and camera motion are given; association alone is timed, in one thread. Each
tracker has a process of its own and its own defaults; they run in turn, several times over, and of each frame
the least of the repeats counts: a busy machine only ever adds. The scenes and what each tracker is given are in
``peers/``. IDF1 and MOTA on the scene's truth show that a tracker did its work.

    pip install pyxtrackers trackers ultralytics lap boxmot deep-sort-realtime   # those that you want to see
    pip install --no-deps norfair filterpy                                       # it asks for an old NumPy
    python benchmarks/association_speed.py
    python benchmarks/association_speed.py --long
"""

import argparse
import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mot_reid.evaluation.comparison import Comparison, compare
from mot_reid.evaluation.metrics import evaluate
from mot_reid.evaluation.motchallenge import PEDESTRIAN, BoxRows
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from peers import CONTENDERS, OURS, Contender
from peers import worker as work
from peers.base import Answer
from peers.scene import Scene

WARM_UP = 20
"""Frames at the start that are not counted."""
LONG_PEOPLE = 50
LONG_WARM = 500
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_REST = "between the stages"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--people", type=_count, nargs="+", default=[10, 50, 200, 1000], metavar="N", help="in the scenes")
    add("--frames", type=_count, metavar="N", help="of each scene, or of --long [300, 100 of a crowd; 50,000]")
    add("--repeats", type=_count, default=3, metavar="N", help="of which the fastest counts, frame by frame [3]")
    add("--only", nargs="+", default=[], metavar="TEXT", help="only trackers whose names hold one of these")
    add("--budget", type=float, default=60, metavar="S", help="seconds after which a slow run stops short [60]")
    add("--clock", choices=work.CLOCKS, default="cpu", help="time of the processor or of the wall [cpu]")
    add("--seed", type=int, default=0, help="of the scenes [0]")
    add("--long", action="store_true", help="whether time and memory grow with the length of a run (ours)")
    add("-o", "--output", type=Path, metavar="DIR", help="save the tables there as JSON, CSV and Markdown")
    add("--name", default="association-speed", help="of the files [association-speed]")
    chosen = parser.parse_args()
    if chosen.frames and chosen.frames <= (2 * LONG_WARM if chosen.long else WARM_UP):
        parser.error(f"--frames: expected more than {2 * LONG_WARM if chosen.long else WARM_UP}")
    return chosen


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text}")
    return int(text)


def main() -> None:
    chosen = arguments()
    names = [name for name in CONTENDERS if not chosen.only or any(text in name for text in chosen.only)]
    if chosen.long and not chosen.only:
        names = [name for name in names if CONTENDERS[name].package == OURS]
    if not names:
        sys.exit(f"error: --only: no such tracker; known: {', '.join(CONTENDERS)}")
    for name in _THREADS:
        os.environ[name] = "1"
    os.environ["YOLO_AUTOINSTALL"] = "false"  # Ultralytics would install what it misses
    console = Console()
    with Team(names) as team:
        if not team.ready:
            sys.exit("error: none of these trackers is installed")
        tables = long_tables(team, chosen) if chosen.long else speed_tables(team, chosen)
    for suffix, table in tables.items():
        table.show(console)
        console.print()
        if chosen.output:
            for path in table.save(chosen.output, chosen.name + suffix):
                console.print(f"saved {path}", highlight=False)


class Team:
    """The trackers' processes; one works at a time.

    Attributes:
        ready: versions of those that are installed, by name.
        missing: why the others are not, by name.
        failures: what went wrong later.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.ready: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        self._names = list(names)
        self._pipes: dict[str, Connection] = {}
        self._processes: list[Any] = []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._bar = self._progress.add_task("")

    def __enter__(self) -> "Team":
        self._progress.start()
        self.total("loading", len(self._names))
        for name in self._names:
            self._start(name)
            self._progress.advance(self._bar)
        return self

    def __exit__(self, *error: object) -> None:
        for pipe in self._pipes.values():
            pipe.close()
        for process in self._processes:
            process.terminate()
            process.join()
        self._progress.stop()

    def total(self, description: str, steps: int) -> None:
        """Starts the progress bar anew."""
        self._progress.reset(self._bar, description=description, total=steps)

    def describe(self, description: str) -> None:
        """Says what is being done."""
        self._progress.update(self._bar, description=description)

    def ask(self, name: str, task: work.Task | work.LongTask) -> Any:
        """What the tracker's process answers; None if it failed, now or before."""
        if name in self.failures:
            return None
        pipe = self._pipes[name]
        pipe.send(task)
        answer = self._receive(pipe)
        while isinstance(answer, work.Progress):
            self._progress.update(self._bar, completed=answer.frames)
            answer = self._receive(pipe)
        if isinstance(answer, work.Failed):
            self.failures[name] = answer.reason
            self._progress.console.print(f"{name} failed: {answer.reason}", markup=False, style="red")
            return None
        if isinstance(task, work.Task):
            self._progress.advance(self._bar)
        return answer

    def notes(self) -> list[str]:
        """Who is not in the table, and why."""
        notes = [f"{name} failed: {reason}" for name, reason in self.failures.items()]
        gone = [name for name, reason in self.missing.items()]
        return notes + ([f"Not installed: {', '.join(gone)}."] if gone else [])

    def _start(self, name: str) -> None:
        self.describe(f"loading {name}")
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(target=work.serve, args=(name, theirs), daemon=True)
        process.start()
        theirs.close()
        answer = self._receive(pipe)
        self._processes.append(process)
        self._pipes[name] = pipe
        if isinstance(answer, work.Ready):
            self.ready[name] = answer.version
        elif answer.missing:
            self.missing[name] = answer.reason
        else:
            self.failures[name] = answer.reason

    @staticmethod
    def _receive(pipe: Connection) -> Any:
        try:
            return pipe.recv()
        except (EOFError, ConnectionError):
            return work.Failed("its process ended")


@dataclass
class Record:
    """The repeats of one tracker on one scene."""

    seconds: list[NDArray[np.float64]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def add(self, timing: work.Timing) -> None:
        """One more repeat; the answers are the same each time."""
        self.seconds.append(timing.seconds)
        self.answers = max(self.answers, timing.answers, key=len)

    @property
    def milliseconds(self) -> NDArray[np.float64]:
        """The least of the repeats for each frame after the warm-up that all of them reached."""
        shared = min(map(len, self.seconds))
        least = np.min([seconds[:shared] for seconds in self.seconds], axis=0)
        return 1000 * least[min(WARM_UP, shared - 1) :]


def frames_of(chosen: argparse.Namespace, people: int) -> int:
    return chosen.frames or int(np.clip(60_000 // people, 100, 300))


def speed_tables(team: Team, chosen: argparse.Namespace) -> dict[str, Table]:
    """Times everybody on every scene; tables by what their files' names end in."""
    rows: list[dict[str, Any]] = []
    stages: dict[int, dict[str, float]] = {}
    for people in chosen.people:
        records = time_all(team, chosen, people)
        rows += scene_rows(team, chosen, people, records)
        if OURS in records:
            stages[people] = profile(team, chosen, people)
    tables = {"": speed_table(team, chosen, rows)}
    if stages:
        tables["-stages"] = stage_table(chosen, stages)
    return tables


def time_all(team: Team, chosen: argparse.Namespace, people: int) -> dict[str, Record]:
    task = work.Task(people, frames_of(chosen, people), chosen.seed, chosen.budget, chosen.clock)
    team.total(f"{people} people", chosen.repeats * len(team.ready))
    records: dict[str, Record] = defaultdict(Record)
    for _ in range(chosen.repeats):
        for name in team.ready:
            team.describe(f"{people} people: {name}")
            if (timing := team.ask(name, task)) is not None:
                records[name].add(timing)
    return {name: record for name, record in records.items() if name not in team.failures}


def scene_rows(
    team: Team, chosen: argparse.Namespace, people: int, records: dict[str, Record]
) -> list[dict[str, Any]]:
    truth = list(islice(Scene(people, chosen.seed), frames_of(chosen, people)))
    true = [(frame.true_ids, frame.true_xyxy) for frame in truth]
    ours = np.median(records[OURS].milliseconds) if OURS in records else np.nan
    rows = []
    for name, record in records.items():
        contender, times = CONTENDERS[name], record.milliseconds
        scores = evaluate(comparison(true[: len(record.answers)], record.answers)).values()
        rows.append(
            {
                "people": people,
                "tracker": f"{name} {team.ready[name]}",
                "ms": float(np.median(times)),
                "95%": float(np.percentile(times, 95)),
                "times ours": float(np.median(times) / ours),
                "given": given_to(contender),
                **{metric: scores[metric] for metric in ("IDF1", "MOTA", "IDs", "Tracks")},
                "frames": len(record.answers),
            }
        )
    return sorted(rows, key=lambda row: (not row["tracker"].startswith(OURS), row["ms"]))


def given_to(contender: Contender) -> str:
    extras = [("looks", contender.appearance), ("camera", contender.camera)]
    return " + ".join(["boxes", *(name for name, has in extras if has)])


def comparison(true: Sequence[Answer], answers: Sequence[Answer]) -> Comparison:
    """The scene's truth beside a tracker's answers, frame by frame."""
    return compare(box_rows(true), box_rows(answers), range(1, len(true) + 1), frozenset())


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
            f"ms: median over the frames of the scene but for the first {WARM_UP}, of each frame the least of "
            f"{chosen.repeats} repeats; 95%: 95th percentile. {clock_note(chosen)}",
            "times ours: beside mot_reid with everything on. given: looks are 512-d embeddings, camera is its "
            "motion; who is not given it holds the camera still.",
            *team.notes(),
        ],
    )


def clock_note(chosen: argparse.Namespace) -> str:
    kind = "processor time of the whole process" if chosen.clock == "cpu" else "time of the wall"
    return f"Measured is the {kind}."


def made_by(chosen: argparse.Namespace, team: Team) -> dict[str, Any]:
    packages = {CONTENDERS[name].package: version for name, version in team.ready.items()}
    packages.pop(OURS, None)
    load = [round(value, 1) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None
    options = {name: str(value) for name, value in vars(chosen).items()}
    return provenance() | {"peers": packages, "load_average": load, "configuration": options}


def profile(team: Team, chosen: argparse.Namespace, people: int) -> dict[str, float]:
    """Median milliseconds by stage of ours, the least of the repeats for each frame."""
    task = work.Task(people, frames_of(chosen, people), chosen.seed, chosen.budget, chosen.clock, profile=True)
    team.total(f"{people} people: profile", chosen.repeats)
    timings = [timing for _ in range(chosen.repeats) if (timing := team.ask(OURS, task)) is not None]
    if not timings:
        return {}
    shared = min(len(timing.stages) for timing in timings)
    names = dict.fromkeys(name for timing in timings for frame in timing.stages for name in frame)
    stages = {
        name: np.min([[frame.get(name, 0.0) for frame in each.stages[:shared]] for each in timings], axis=0)
        for name in names
    }
    whole = np.min([timing.seconds[:shared] for timing in timings], axis=0)
    stages |= {_REST: np.maximum(whole - sum(stages.values()), 0), "all": whole}
    return {name: 1000 * float(np.median(values[WARM_UP:])) for name, values in stages.items()}


def stage_table(chosen: argparse.Namespace, stages: dict[int, dict[str, float]]) -> Table:
    names = dict.fromkeys(name for times in stages.values() for name in times if name not in (_REST, "all"))
    headings = {people: f"{people} people" for people in stages}
    return Table(
        title="Association of mot_reid by stage, milliseconds a frame",
        columns=[Column("stage"), *(Column(heading, 3) for heading in headings.values())],
        rows=[
            {"stage": name, **{headings[people]: times.get(name) for people, times in stages.items()}}
            for name in [*names, _REST, "all"]
        ],
        provenance=made_by(chosen, team=Team([])),
        notes=[
            "Everything on. Medians, which do not add up exactly; each stage bears about a microsecond of the "
            f"clock. {clock_note(chosen)}"
        ],
    )


def long_tables(team: Team, chosen: argparse.Namespace) -> dict[str, Table]:
    frames = chosen.frames or 50_000
    rows = []
    for name in team.ready:
        results = []
        for trace in (False, True):
            team.total(f"{name}: {'memory' if trace else 'time'}", frames)
            task = work.LongTask(LONG_PEOPLE, LONG_WARM, frames, chosen.seed, chosen.clock, trace)
            results.append(team.ask(name, task))
        if None not in results:
            rows.append(long_row(name, frames, *results))
    return {"-long": long_table(team, chosen, frames, rows)}


def long_row(name: str, frames: int, timed: work.Endurance, traced: work.Endurance) -> dict[str, Any]:
    return {
        "tracker": name,
        "ms early": 1000 * timed.early,
        "ms late": 1000 * timed.late,
        "late / early": timed.late / timed.early,
        "RSS early": timed.memory[LONG_WARM] / 2**20,
        "RSS late": timed.memory[frames] / 2**20,
        "held early": traced.memory[LONG_WARM] / 2**20,
        "held most": max(traced.memory.values()) / 2**20,
        "held late": traced.memory[frames] / 2**20,
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
            f"ms: median of {LONG_WARM} frames; the tracker at frame {frames} and a fresh one at frame {LONG_WARM} "
            f"take the same frames in turn. {clock_note(chosen)}",
            "MiB: RSS is the whole process; held is what tracemalloc counts, NumPy's arrays too, of another run.",
            *team.notes(),
        ],
    )


if __name__ == "__main__":
    main()
