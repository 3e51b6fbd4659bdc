"""How long it takes to cut people out of a frame and make an embedder's input of them, ours and as usual.

python benchmarks/crops.py -o benchmarks/tables
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torchvision.transforms import functional

from mot_reid.appearance.crops import crop_batch, normalised
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SIZES = ((192, 96), (256, 128), (384, 128))
_WIDTH, _HEIGHT, _PEOPLE = 1920, 1080, 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--repeats", type=int, default=50, metavar="N", help="of which the median counts [50]"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="save the table there")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    table = crop_table(chosen.repeats)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    table.show(console)
    if chosen.output:
        for path in table.save(chosen.output, "crops"):
            console.print(f"saved {path}", highlight=False)


def crop_table(repeats: int) -> Table:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    heights = rng.uniform(80, 400, _PEOPLE)
    corner = rng.uniform(0, [_WIDTH - 180, _HEIGHT - 400], (_PEOPLE, 2))
    people = np.hstack([corner, corner + np.column_stack([0.4 * heights, heights])]).astype(np.float32)
    rows = []
    for size in _SIZES:
        assert np.abs(ours(frame, people, size) - usual(frame, people, size).numpy()).max() < 1e-4
        times: dict[str, list[float]] = {"ours": [], "usual": []}
        for _ in range(repeats):
            times["ours"].append(processor_time(lambda size=size: ours(frame, people, size)))
            times["usual"].append(processor_time(lambda size=size: usual(frame, people, size)))
        fast, slow = (1000 * float(np.median(times[name])) for name in ("ours", "usual"))
        rows.append({"size": f"{size[0]}x{size[1]}", "ours ms": fast, "crop by crop ms": slow})
        rows[-1]["ratio"] = slow / fast
    return Table(
        title=f"{_PEOPLE} people of a {_WIDTH}x{_HEIGHT} frame as an embedder's input",
        columns=[Column("size"), Column("ours ms", 2), Column("crop by crop ms", 2), Column("ratio", 1)],
        rows=rows,
        provenance=provenance(),
        notes=[
            f"Processor's time on one thread, median of {repeats}, both in turn. Crop by crop: cut, resize, "
            "RGB, to a float tensor, normalise, then stack; the results are the same."
        ],
    )


def ours(frame: NDArray[np.uint8], xyxy: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return normalised(crop_batch(frame, xyxy, size), _MEAN, _STD)


def usual(frame: NDArray[np.uint8], xyxy: NDArray[np.float32], size: tuple[int, int]) -> torch.Tensor:
    crops = []
    for x1, y1, x2, y2 in np.rint(xyxy).astype(int):
        crop = cv2.cvtColor(cv2.resize(frame[y1:y2, x1:x2], size[::-1]), cv2.COLOR_BGR2RGB)
        crops.append(functional.normalize(functional.to_tensor(crop), list(_MEAN), list(_STD)))
    return torch.stack(crops)


def processor_time(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    main()
