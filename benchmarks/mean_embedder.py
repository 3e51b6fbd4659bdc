r"""Makes the default embedder: the mean of two trainings, a fifth of the way back to what they began from.

    git show 447bbf3:weights/mgn_osnet_lct_x0_5.safetensors > first.safetensors
    MOT_REID_DATA=DIR python benchmarks/mean_embedder.py first.safetensors:0.3 \
        benchmarks/candidates/mgn_osnet_lct_x0_5_made_up_192x88.safetensors:0.7
    mot-reid export mgn_osnet_lct_x0_5.safetensors

All backbones began as 0267's, so that the means of their weights are networks as good as they are; 0267's own
is better where everybody is dressed alike, the trained ones on cameras nobody has seen. Nothing is
trained: the mean of the weights is taken, then the mean embedding off that 512 crops each of Market-1501,
of persondet with persondet2, and of made-up people have. About two minutes. Needs the extra train.
What was tried: docs/notes/2026-12-02-backbones-drawn-back.md.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from made_up_people import EACH, HEIGHT, inputs, made_up_blocks, mean, read_crops, shrunk
from torch import Tensor

from mot_reid.appearance.checkpoints import load_checkpoint, save_checkpoint
from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid.centring import centred
from mot_reid.training.reid.warm_start import start_from

ORIGIN = "person-reidentification-retail-0267.onnx"
BRANCHES = ("stem", "b1", "b2", "b3")
"""What of the network the origin has as well: all but the heads."""
SEED = 2
"""Of the made-up people whose mean embedding is taken off."""


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="+", metavar="FILE:SHARE", help="checkpoints and their shares")
    parser.add_argument("-o", "--output", type=Path, default=Path("mgn_osnet_lct_x0_5.safetensors"))
    parser.add_argument("--origin", type=float, default=0.2, help="share of the origin in the backbone")
    parser.add_argument("--width", type=int, default=88, help="of the crops")
    parser.add_argument("--data", type=Path, default=os.environ.get("MOT_REID_DATA"))
    parser.add_argument("--weights", type=Path, help="folder of the origin; default: DATA/../weights")
    chosen = parser.parse_args()
    if chosen.data is None:
        parser.error("give --data, or set MOT_REID_DATA")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    named = [text.rsplit(":", 1) for text in chosen.parts]
    model = mean(
        [load_checkpoint(path).module.state_dict() for path, _ in named], [float(s) for _, s in named]
    )
    origin = MGN("osnet_lct_x0_5", 64, relu=False)
    start_from(origin, (chosen.weights or chosen.data / ".." / "weights") / ORIGIN)
    draw_to(model, origin.state_dict(), chosen.origin)
    with torch.no_grad():
        embedder = centred(model, inputs(shrunk(pool(chosen.data), chosen.width)))
    notes = {"made by": "benchmarks/mean_embedder.py", "origin": chosen.origin, "width": chosen.width}
    save_checkpoint(chosen.output, embedder, input_size=(HEIGHT, chosen.width), notes=notes)
    print(f"written: {chosen.output}")


def draw_to(model: MGN, origin: Mapping[str, Tensor], share: float) -> None:
    """Gives the origin a share of a network's backbone."""
    state = model.state_dict()
    for name, value in state.items():
        if value.is_floating_point() and name.split(".")[0] in BRANCHES:
            state[name] = (1 - share) * value + share * origin[name]
    model.load_state_dict(state)


def pool(data: Path) -> np.ndarray:
    """Crops of each kind, (N, 256, 128, 3)."""
    market, _, people = read_crops(data)
    rng = np.random.default_rng(0)
    real = [kind[rng.permutation(len(kind))[:EACH]] for kind in (market, people)]
    return np.concatenate((*real, *made_up_blocks(people, market, SEED, EACH)))


if __name__ == "__main__":
    main()
