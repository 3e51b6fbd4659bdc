"""What MGN costs on each backbone: parameters, multiplications, file size, and time in ONNX Runtime on a CPU.

    python benchmarks/backbones.py [--only TEXT ...] [-o FOLDER]

Weights are random: they do not matter for the cost. Each network is exported as `mot-reid export` does it,
which refuses an export that differs from torch. Timed is the processor time of one thread for batches of 8;
of each network the fastest round counts: a busy machine only ever adds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from mot_reid.appearance.checkpoints import save_checkpoint
from mot_reid.appearance.export import export_onnx
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.osnet import OSNet
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance

BATCH = 8
SMALL = ("osnet_x0_25", "osnet_x0_5", "osnet_x1_0", "mobilenet_v3_small", "mobilenet_v3_large")
SIZE = (192, 96)


class Candidate(NamedTuple):
    """A network to measure, and the height and width of its input."""

    name: str
    build: Callable[[], MGN | OSNet]
    size: tuple[int, int]


CANDIDATES = [
    *(
        Candidate(f"MGN {name}", partial(MGN, name, 64), SIZE)
        for name in (*SMALL, "efficientnet_lite0", "resnet18")
    ),
    Candidate("MGN resnet50", partial(MGN, "resnet50", 256), (384, 128)),
    Candidate("OSNet x0.25, no MGN", partial(OSNet, 0.25), (256, 128)),
    Candidate("OSNet x1.0, no MGN", partial(OSNet, 1.0), (256, 128)),
]

COLUMNS = [
    Column("network"),
    Column("input"),
    Column("embedding"),
    Column("parameters, M", 2),
    Column("GMACs", 3),
    Column("MB, float16", 1),
    Column("ms a crop", 2),
]


def measured(candidate: Candidate, folder: Path) -> tuple[dict[str, Any], onnxruntime.InferenceSession]:
    """The size of a network, and a session that runs it in one thread."""
    torch.manual_seed(0)
    network = candidate.build().eval()
    with torch.no_grad():
        for parameter in network.parameters():  # branches start alike, and the runtime would run them as one
            parameter.mul_(torch.empty_like(parameter).uniform_(0.9, 1.1))
    stored, exported = folder / "network.safetensors", folder / "network.onnx"
    save_checkpoint(stored, network, input_size=candidate.size)
    export_onnx(stored, exported)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(exported, options, ["CPUExecutionProvider"])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, *candidate.size))
    row = {
        "network": candidate.name,
        "input": "{}x{}".format(*candidate.size),
        "embedding": network.dim,
        "parameters, M": sum(parameter.numel() for parameter in network.parameters()) / 1e6,
        "GMACs": counter.get_total_flops() / 2e9,
        "MB, float16": stored.stat().st_size / 1e6,
    }
    return row, session


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="networks whose names hold one of these")
    parser.add_argument("--rounds", type=int, default=20, help="of which the fastest counts [20]")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    chosen = parser.parse_args()
    wanted = [c for c in CANDIDATES if not chosen.only or any(text in c.name for text in chosen.only)]
    with tempfile.TemporaryDirectory() as folder:
        rows, sessions = zip(*(measured(candidate, Path(folder)) for candidate in wanted), strict=True)
    random = np.random.default_rng(0)
    for _ in range(chosen.rounds):
        for candidate, row, session in zip(wanted, rows, sessions, strict=True):
            images = random.normal(size=(BATCH, 3, *candidate.size)).astype(np.float32)
            start = time.process_time()
            session.run(None, {"images": images})
            spent = (time.process_time() - start) / BATCH * 1e3
            row["ms a crop"] = min(spent, row.get("ms a crop", spent))
    title = f"Embedders on one thread in ONNX Runtime, batches of {BATCH}"
    table = Table(title, COLUMNS, rows, provenance())
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, "backbones")


if __name__ == "__main__":
    main()
