"""What a larger input of the detector brings, and what it costs: AP50, tracking and time at several sizes.

    MOT_REID_DATA=DIR python benchmarks/image_size.py [--sizes N ...] [-o FOLDER]

PETS09-S2L1 and ADL-Rundle-6 are tracked on their second halves, which the detector has not been trained on,
with the default settings; of them every tenth frame, and the MOT17 frames that are there, give AP50. Timed is
one frame through ONNX Runtime with resizing and suppression, in processor time of one thread; of each size
and shape the fastest round counts: a busy machine only ever adds.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from mot_reid.config import Config, load_config
from mot_reid.detection.onnx_yolo import OnnxYolo, Suppression
from mot_reid.detection.yolo import find_detector
from mot_reid.evaluation.benchmark import track_inputs
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import prepare_inputs
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequences import Sequence, find_sequences, one_of_each
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder, export_of
from mot_reid.settings import changed_settings, with_settings
from mot_reid.training.detector.pictures import MotFrames, convert_mot, labelled_pictures, read_picture
from mot_reid.training.detector.scores import evaluate_detector

SIZES = (640, 736, 800, 896, 960)
VIDEOS = {"PETS": "pets09-s2l1", "ADL": "adl-rundle-6"}
MOT17 = "MOT17"
METRICS = ("HOTA", "MOTA", "IDF1")
EVERY = 10  # of a video's frames give AP50
COLUMNS = [
    Column("size"),
    *(Column(f"{name} ms", 0) for name in VIDEOS),
    *(Column(f"{name} {metric}", 1) for name in VIDEOS for metric in METRICS),
    *(Column(f"{name} AP50", 3) for name in (*VIDEOS, MOT17)),
]


def tracked(sequence: Sequence, config: Config, cache: ArrayCache) -> dict[str, float]:
    """HOTA, MOTA and IDF1 of a sequence."""
    tracks, _ = track_inputs(sequence, prepare_inputs(sequence, config, cache), config)
    scores = score_rows(sequence, BoxRows.from_tracks(tracks)).values()
    return {metric: scores[metric] for metric in METRICS}


def labelled_sets(videos: Mapping[str, Sequence], data: str, folder: Path) -> dict[str, Path]:
    """Pictures with people's boxes for AP50: a folder for each video and for MOT17."""
    for name, sequence in videos.items():
        frames = sequence.frames
        convert_mot(MotFrames(sequence.folder, frames[0], frames[-1], EVERY), folder / name)
    for sequence in one_of_each(find_sequences("mot17", data), None):
        convert_mot(MotFrames(sequence.folder), folder / MOT17)
    return {name: folder / name for name in (*videos, MOT17)}


def milliseconds(
    frames: Mapping[str, NDArray[np.uint8]], sizes: Rows[int], config: Config, rounds: int
) -> dict[tuple[str, int], float]:
    """The least processor time of each frame at each size; all in turn, so that all see the same machine."""
    path = find_detector(config.detector.weights)
    detector = OnnxYolo(path if path.suffix == ".onnx" else export_of(path) or path, threads=1)
    keep = Suppression(config.detector.score, config.detector.nms_iou, None, config.detector.max_detections)
    least: dict[tuple[str, int], float] = {}
    for _ in range(rounds):
        for size in sizes:
            for name, frame in frames.items():
                start = time.process_time()
                detector([frame], size, keep)
                spent = 1000 * (time.process_time() - start)
                least[name, size] = min(spent, least.get((name, size), spent))
    return least


def draw(rows: Rows[Mapping[str, Any]], path: Path) -> None:
    """HOTA of both videos and AP50 of MOT17 over the detector's time, a point for each size, as a picture."""
    figure, places = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    shown = [*((f"{name} ms", f"{name} HOTA") for name in VIDEOS), ("ADL ms", f"{MOT17} AP50")]
    for (x, y), place in zip(shown, places, strict=True):
        place.plot([row[x] for row in rows], [row[y] for row in rows], marker="o")
        for row in rows:
            place.annotate(str(row["size"]), (row[x], row[y]), (4, 5), textcoords="offset points")
        place.set_xlabel("detector, ms a frame on one thread")
        place.set_title(y, fontsize="medium")
        place.margins(0.15)
        place.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=SIZES, metavar="N", help="longer sides, pixels"
    )
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("--rounds", type=int, default=8, help="of which the fastest counts [8]")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table and the picture")
    chosen = parser.parse_args()
    if chosen.data is None:
        sys.exit("error: --data: where the data sets are; or set MOT_REID_DATA")
    config = load_config(None, [])
    cache = ArrayCache(cache_folder() / "benchmark")
    videos = {name: find_sequences(entry, chosen.data, half="second")[0] for name, entry in VIDEOS.items()}
    with tempfile.TemporaryDirectory() as temporary:
        sets = labelled_sets(videos, chosen.data, Path(temporary))
        frames = {name: read_picture(next(labelled_pictures(sets[name]))[0]) for name in videos}
        found = evaluate_detector(config.detector.weights, sets, chosen.sizes)
    spent = milliseconds(frames, chosen.sizes, config, chosen.rounds)
    rows = []
    for size in chosen.sizes:
        sized = with_settings(config, {"detector": {"image_size": size}})
        row: dict[str, Any] = {"size": size}
        for name, sequence in videos.items():
            row |= {f"{name} {key}": value for key, value in tracked(sequence, sized, cache).items()}
            row[f"{name} ms"] = spent[name, size]
        rows.append(row | {f"{name} AP50": found[name, size].ap50 for name in sets})
    made_by = {**provenance(), "settings": changed_settings(config)}
    table = Table(
        "The detector's image size: time, tracking of second halves (online), AP50", COLUMNS, rows, made_by
    )
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, "image-size")
        draw(rows, chosen.output / "image-size.png")


if __name__ == "__main__":
    main()
