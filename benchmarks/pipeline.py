"""Whole runs, end to end: ours with ReID off, selective and full, and peers on the same frames and weights.

Every contender has a process of its own that loads its models once. The frames of a sequence are cut into
short pieces; all contenders track each piece in turn, in another order each time, so that what else the
machine does falls on all alike, and ratios are taken piece by piece. Decoding is part of every run, drawing
and encoding only where it says so. Nothing runs in parallel to the run that is timed.

    pip install ultralytics      # in this environment
    pip install boxmot           # in another one, whose Python --boxmot names
    MOT_REID_DATA=DIR python benchmarks/pipeline.py --boxmot PYTHON -o benchmarks/tables
    python benchmarks/pipeline.py --memory -o benchmarks/tables
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from memory import memory_table
from rich.console import Console

from mot_reid.config import DetectorConfig, EmbedderConfig
from mot_reid.evaluation.tables import Column, Table
from mot_reid.pipeline.summary import STAGES
from mot_reid.provenance import provenance
from mot_reid.resources import find_weights
from mot_reid.video.sources import open_source

FOLDER = Path(__file__).parent / "end_to_end"
SEQUENCES = {"PETS09-S2L1": "pets09-s2l1/PETS09-S2L1.avi", "ADL-Rundle-6": "adl-rundle-6"}
FORWARD = "the detector's forward pass alone"
OFF, SELECTIVE, FULL = "mot_reid, ReID off", "mot_reid, ReID selective", "mot_reid, ReID full"
OPENVINO = ("detector.runtime=openvino", "embedder.runtime=openvino")


@dataclass
class Contender:
    """One that can be timed.

    Attributes:
        name: as in the table.
        script: in ``end_to_end``.
        settings: for it.
        python: the interpreter.
        process: while it runs.
        version: of the package.
        answers: for each sequence, of each piece.
        failure: why it is not in the table.
    """

    name: str
    script: str
    settings: dict[str, Any]
    python: str = sys.executable
    process: "subprocess.Popen[str] | None" = None
    version: str = ""
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failure: str = ""

    def start(self, stack: ExitStack) -> None:
        """Starts the process; its models are loaded when it says so."""
        command = [self.python, str(FOLDER / self.script), json.dumps(self.settings)]
        self.process = stack.enter_context(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        )
        stack.callback(self.process.kill)
        answer = self._receive()
        self.version = answer.get("ready", "")

    def track(self, folder: Path, sequence: str | None) -> None:
        """Tracks a piece; it counts if it belongs to a sequence."""
        if self.failure or self.process is None or self.process.stdin is None:
            return
        self.process.stdin.write(json.dumps(str(folder)) + "\n")
        self.process.stdin.flush()
        answer = self._receive()
        if sequence is not None and not self.failure:
            self.answers.setdefault(sequence, []).append(answer)

    def _receive(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"failed": "its process ended"}
        self.failure = answer.get("failed", "")
        return answer


def contenders(chosen: argparse.Namespace) -> list[Contender]:
    weights = str(find_weights(DetectorConfig().weights, (".pt",)))
    embedder = find_weights(EmbedderConfig().weights, (".safetensors",)).with_suffix(".onnx")
    common = {"detector": weights, "image_size": DetectorConfig().image_size, "score": DetectorConfig().score}
    ours = {
        FORWARD: {"set": [], "forward": True},
        OFF: {"set": ["output.formats=[mot]", "embedder.weights=none"]},
        SELECTIVE: {"set": ["output.formats=[mot]"]},
        f"{SELECTIVE}, in OpenVINO": {"set": ["output.formats=[mot]", *OPENVINO]},
        FULL: {"set": ["output.formats=[mot]", "association.embedding.share=1"]},
        f"{SELECTIVE}, video drawn and written": {"set": []},
        f"{SELECTIVE}, video too, stages in turn": {"set": ["pipeline.overlap=no"]},
    }
    found = [Contender(name, "ours.py", settings) for name, settings in ours.items()]
    reid = common | {"embedder": str(embedder)}
    found.append(Contender("Ultralytics model.track, BoT-SORT + ReID", "ultralytics_track.py", reid))
    exported = reid | {"detector": str(Path(weights).with_suffix(".onnx"))}
    found.append(Contender("the same with the detector in ONNX", "ultralytics_track.py", exported))
    if chosen.boxmot:
        osnet = common | {"osnet": chosen.osnet}
        found.append(Contender("BoxMOT BoT-SORT + OSNet x0.25", "boxmot_track.py", osnet, chosen.boxmot))
    wanted = [each for each in found if not chosen.only or any(text in each.name for text in chosen.only)]
    if not wanted:
        sys.exit(f"error: --only: no such contender; known: {'; '.join(each.name for each in found)}")
    return wanted


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, default=os.environ.get("MOT_REID_DATA"), metavar="DIR", help="[MOT_REID_DATA]")
    add("--frames", type=_count, default=40, metavar="N", help="of each piece [40]")
    add("--pieces", type=_count, default=4, metavar="N", help="of each sequence [4]")
    add("--boxmot", metavar="PYTHON", help="an interpreter that has boxmot and ultralytics")
    add("--osnet", metavar="FILE", help="BoxMOT's osnet_x0_25_msmt17.pt; without, an untrained one")
    add("--only", nargs="+", default=[], metavar="TEXT", help="only contenders whose names hold one of these")
    add("--memory", action="store_true", help="a long run instead: whether memory grows with it")
    add("--long-frames", type=_count, default=20_000, metavar="N", help="of the long run [20000]")
    add("-o", "--output", type=Path, metavar="DIR", help="save the tables there as JSON, CSV and Markdown")
    add("--name", default="pipeline", help="of the files [pipeline]")
    chosen = parser.parse_args()
    if not chosen.memory and not chosen.data:
        parser.error("--data: expected the folder of the data sets, or MOT_REID_DATA")
    return chosen


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text}")
    return int(text)


def main() -> None:
    chosen = arguments()
    console = Console() if sys.stdout.isatty() else Console(width=200)
    if chosen.memory:
        tables = {"-memory": memory_table(chosen.long_frames)}
    else:
        tables = speed_tables(chosen, contenders(chosen))
    for suffix, table in tables.items():
        table.show(console)
        console.print()
        if chosen.output:
            for path in table.save(chosen.output, chosen.name + suffix):
                console.print(f"saved {path}", highlight=False)


def speed_tables(chosen: argparse.Namespace, team: list[Contender]) -> dict[str, Table]:
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        for contender in team:
            print(f"loading {contender.name}", file=sys.stderr)
            contender.start(stack)
        turn = 0
        for sequence, source in SEQUENCES.items():
            pieces = cut(chosen.data / source, chosen.frames, chosen.pieces, Path(scratch) / sequence)
            for number, piece in enumerate(pieces):
                print(f"{sequence}: piece {number} of {chosen.pieces}", file=sys.stderr)
                for contender in team[turn:] + team[:turn]:
                    contender.track(piece, sequence if number else None)  # the first one warms up
                turn = (turn + 1) % len(team)
    places = ("data", "boxmot", "osnet", "output")  # of this machine, no part of the result
    settings = {name: str(value) for name, value in vars(chosen).items() if name not in places}
    made = provenance() | {"configuration": settings}
    if chosen.boxmot is not None:
        made["command"] = made["command"].replace(str(chosen.boxmot), "PYTHON")
    made["peers"] = {each.name: each.version for each in team if each.version}
    made["load_average"] = [round(value, 1) for value in os.getloadavg()]
    notes = [f"{each.name} failed: {each.failure}" for each in team if each.failure]
    return {"": speed_table(chosen, team, made, notes), "-stages": stage_table(team, made)}


def cut(source: Path, frames: int, pieces: int, folder: Path) -> Iterator[Path]:
    """Folders of pictures: a short one to warm up, then pieces spread evenly over the sequence.

    A sequence of pictures is linked to; a video's frames become JPEGs, for all contenders alike.
    """
    with open_source(source) as opened:
        total, kind = opened.info.frame_count or 0, opened.info.kind
    starts = np.linspace(1, max(total - frames, 1), pieces).astype(int).tolist()
    for number, (start, count) in enumerate([(1, min(5, frames)), *((start, frames) for start in starts)]):
        piece = folder / str(number)
        piece.mkdir(parents=True)
        if kind == "sequence":
            pictures = sorted((source / "img1").iterdir())[start - 1 : start - 1 + count]
            for picture in pictures:
                (piece / picture.name).symlink_to(picture.resolve())
        else:
            with open_source(source, start, start + count - 1) as opened:
                for frame in opened:
                    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
                    cv2.imwrite(str(piece / f"{frame.number:06d}.jpg"), frame.image, quality)
        yield piece


def speed_table(
    chosen: argparse.Namespace, team: list[Contender], made: dict[str, Any], notes: list[str]
) -> Table:
    by_name = {contender.name: contender for contender in team}
    rows = []
    for sequence in SEQUENCES:
        for contender in team:
            answers = contender.answers.get(sequence, [])
            if len(answers) < chosen.pieces:
                continue
            times, cpu = per_frame(answers, "seconds"), per_frame(answers, "cpu")
            row = {
                "sequence": sequence,
                "contender": f"{contender.name} {contender.version}".strip(),
                "frames/s": float(1000 / np.median(times)),
                "ms": float(np.median(times)),
                "cpu ms": float(np.median(cpu)),
                "boxes": sum(answer["rows"] for answer in answers) / sum(a["frames"] for a in answers),
            }
            for heading, other in (("off", OFF), ("selective", SELECTIVE), ("forward", FORWARD)):
                theirs = by_name[other].answers.get(sequence, []) if other in by_name else []
                if len(theirs) == len(answers):
                    row[f"/ {heading}"] = float(np.median(times / per_frame(theirs, "seconds")))
                    row[f"cpu / {heading}"] = float(np.median(cpu / per_frame(theirs, "cpu")))
            rows.append(row)
    ratios = [
        Column(f"{unit}/ {name}", 2) for name in ("off", "selective", "forward") for unit in ("", "cpu ")
    ]
    return Table(
        title="Whole runs, end to end",
        columns=[
            Column("sequence"),
            Column("contender"),
            *(Column(name, 1) for name in ("frames/s", "ms", "cpu ms")),
            *ratios,
            Column("boxes", 1, brief=False),
        ],
        rows=rows,
        provenance=made,
        notes=[
            f"Medians over {chosen.pieces} pieces of {chosen.frames} frames. ms: time of the wall a frame; "
            "cpu ms: the processor's, of all threads. / off, / selective, / forward: how many times as long "
            "as ours with ReID off, with selective ReID, and as the detector's forward pass alone (as many "
            "passes at a time as in a run). boxes: reported a frame, to show that a tracker did its work.",
            "Everybody decodes the same pictures and detects with the same weights at the same image size; "
            "ours and Ultralytics embed with the same network, BoxMOT with OSNet x0.25 "
            f"({'trained' if chosen.osnet else 'untrained, as fast as a trained one'}).",
            *notes,
        ],
    )


def per_frame(answers: Sequence[dict[str, Any]], clock: str) -> np.ndarray:
    """Milliseconds a frame of each piece."""
    return np.array([1000 * answer[clock] / answer["frames"] for answer in answers])


def stage_table(team: list[Contender], made: dict[str, Any]) -> Table:
    rows = []
    for contender in team:
        for sequence, answers in contender.answers.items():
            if "stages" in answers[0]:
                stages = {name: float(np.median([a["stages"][name] for a in answers])) for name in STAGES}
                rows.append({"sequence": sequence, "contender": contender.name, **stages})
    return Table(
        title="Stages of our runs, milliseconds a frame",
        columns=[Column("sequence"), Column("contender"), *(Column(stage, 2) for stage in STAGES)],
        rows=rows,
        provenance=made,
        notes=[
            "Medians over the pieces. Where stages overlap each one's time holds what it waited for a core, "
            "and several detections run at a time: together they are more than a frame takes. In turn they "
            "add up."
        ],
    )


if __name__ == "__main__":
    main()
