"""The detector's export in static int8: time of a pass, AP50, and a file to track with.

    MOT_REID_DATA=DIR python benchmarks/int8_detector.py [--keep int8.onnx] [-o FOLDER]
    mot-reid benchmark pets09-s2l1 --detector int8.onnx

ONNX Runtime's static quantisation: weights by channel, unsigned activations between the percentiles 0.001
and 99.999 of what pictures of persondet/train and persondet2/train give. The last convolutions and what
decodes boxes behind them stay float32. It takes less time only where the processor multiplies int8 (VNNI).
What came of it: docs/notes/2026-12-02-int8.md. Needs the extra train.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from rich.console import Console

from mot_reid.detection.onnx_yolo import OnnxYolo, Suppression
from mot_reid.evaluation.tables import Column, Table
from mot_reid.files import atomic
from mot_reid.provenance import provenance
from mot_reid.sessions import open_session
from mot_reid.training.detector.pictures import labelled_pictures
from mot_reid.training.detector.scores import evaluate_detector
from mot_reid.video.pictures import read_picture

HEAD = "/model.23/"
"""Where the names of YOLO11n's head begin; of it ``cv2`` and ``cv3`` are convolutions, all else decodes."""
SIZE, ROUNDS = 640, 40
SETS = {"COCO": "persondet/check", "persondet2": "persondet2/check"}


class Listening:
    """A session that keeps what it is given."""

    def __init__(self, path: Path) -> None:
        self.session, self.given = open_session(path, threads=1), []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def run(self, outputs: Any, given: dict[str, np.ndarray]) -> Any:
        """Runs the session."""
        self.given.append({name: value.copy() for name, value in given.items()})
        return self.session.run(outputs, given)


class Inputs(CalibrationDataReader):  # type: ignore[misc]
    """Hands out inputs one by one."""

    def __init__(self, rows: list[dict[str, np.ndarray]]) -> None:
        self.rows: Iterator[dict[str, np.ndarray]] = iter(rows)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next one, or None."""
        return next(self.rows, None)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("--pictures", type=int, default=150, help="to calibrate with [150]")
    parser.add_argument("--keep", type=Path, help="where the int8 file shall lie")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    chosen = parser.parse_args()
    if chosen.data is None:
        sys.exit("error: --data: where the data sets are; or set MOT_REID_DATA")
    plain = Path("weights/person_yolo11n.onnx")
    with tempfile.TemporaryDirectory() as temporary:
        small = chosen.keep or Path(temporary) / "int8.onnx"
        quantise(plain, small, inputs(plain, Path(chosen.data), chosen.pictures), Path(temporary))
        files = {"float32": plain, "int8": small}
        spent = milliseconds(files)
        rows = [
            {"numbers": name, "ms": spent[name], **scores(path, chosen.data)} for name, path in files.items()
        ]
    columns = [Column("numbers"), Column("ms", 1), *(Column(key, 3) for key in rows[0] if " " in key)]
    table = Table("person_yolo11n in int8, 640x384 on one thread", columns, rows, provenance())
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, "int8-detector")


def inputs(path: Path, data: Path, count: int) -> list[dict[str, np.ndarray]]:
    """What the detector makes of training pictures; of them those of the commonest shape."""
    session = Listening(path)
    detector, keep = OnnxYolo(path, threads=1, session=session), Suppression(0.05, 0.7, None, 300)
    files = [
        file
        for name in ("persondet", "persondet2")
        for file, _, _ in labelled_pictures(data / name / "train")
    ]
    for row in np.random.default_rng(0).permutation(len(files))[:count]:
        detector([read_picture(files[row])], SIZE, keep)
    (name,) = session.given[0]
    shape = Counter(given[name].shape for given in session.given).most_common(1)[0][0]
    return [given for given in session.given if given[name].shape == shape]


def quantise(path: Path, target: Path, rows: list[dict[str, np.ndarray]], temporary: Path) -> None:
    """Writes the int8 file."""
    prepared = temporary / "prepared.onnx"
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(prepared).graph
    makers = {output: node for node in graph.node for output in node.output}
    decoding = {
        node.name
        for node in graph.node
        if node.name.startswith(HEAD) and not ("/cv2." in node.name or "/cv3." in node.name)
    }
    last = {
        makers[name].name
        for node in graph.node
        if node.name in decoding
        for name in node.input
        if name in makers and makers[name].op_type == "Conv"
    }
    with atomic(target) as part:
        quantize_static(
            str(prepared),
            str(part),
            Inputs(rows),
            activation_type=QuantType.QUInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.Percentile,
            nodes_to_exclude=sorted(decoding | last),
        )
        model = onnx.load(part)
        del model.metadata_props[:]
        model.metadata_props.extend(onnx.load(path).metadata_props)
        onnx.save(model, part)


def milliseconds(files: dict[str, Path]) -> dict[str, float]:
    """The least process time of a pass of each, in turn."""
    sessions = {name: open_session(path, threads=1) for name, path in files.items()}
    pixels = np.random.default_rng(0).random((1, 3, 384, 640), np.float32)
    least = dict.fromkeys(files, float("inf"))
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            start = time.process_time()
            session.run(None, {session.get_inputs()[0].name: pixels})
            least[name] = min(least[name], 1000 * (time.process_time() - start))
    return least


def scores(path: Path, data: str) -> dict[str, float]:
    """AP50 and recall at 0.1 on both sets of pictures."""
    found = evaluate_detector(path, {name: Path(data) / folder for name, folder in SETS.items()}, (SIZE,))
    return {
        f"{name} {kind}": value
        for (name, _), score in found.items()
        for kind, value in (("AP50", score.ap50), ("recall", score.recall))
    }


if __name__ == "__main__":
    main()
