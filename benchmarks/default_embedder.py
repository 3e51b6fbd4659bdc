"""Makes the default embedder: two trainings by ``mot-reid train``, and the mean of what they gave.

    MOT_REID_DATA=DIR python benchmarks/default_embedder.py BEFORE.safetensors
    mot-reid export mgn_osnet_lct_x0_5.safetensors

BEFORE is the embedder shipped until 2026-11-29 (weights/README.md says where it lies and how it was trained).
The first training learns from the teachers alone, the second one goes on from it with Market-1501's
identities and the whole learning rate for the backbone. The second knows Market's cameras better, the first
one those that neither has seen; the mean of their weights is the best of the three on both. About 90 minutes
of one core with AMX, after 5 minutes for the teachers. Needs the extras train and openvino.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch

from mot_reid.appearance.checkpoints import IMAGENET_MEAN, IMAGENET_STD, load_checkpoint, save_checkpoint
from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid.augmentation import normalise
from mot_reid.training.reid.centring import centred
from mot_reid.training.reid.crops import hold_out
from mot_reid.training.reid.datasets import list_crops, read_pictures

COMMON = (
    "--backbone osnet_lct_x0_5 --width 80 --threads 1 --precision bf16 --epochs 6 --learning-rate 1e-3 "
    "--teacher-weight 20 --people 8 --images 4 --set batch.unlabelled=48 --set distillation.fitted=2000 "
    "--set optimiser.weight_decay=2e-5 --set network.frozen=4 --set network.frozen_norms=true "
    "--set augmentation.zoom=0.15 --set augmentation.shift=0.08 --set augmentation.cover=0.4 "
    "--set augmentation.gamma=1.6 --set augmentation.cast=0.15 --set augmentation.contrast=0.25"
)
FIRST = "--softmax 0 --triplet 0 --set optimiser.backbone_rate=0.3"
SECOND = "--softmax 0.2 --triplet 0.2 --set optimiser.backbone_rate=1.0"
TEACHERS = ("person-reidentification-retail-0277.xml", "person-reidentification-retail-0267.onnx")
UNLABELLED = ("persondet/train", "persondet2/train")
CROPS = 1024
"""Whose mean embedding is taken off."""


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("mgn_osnet_lct_x0_5.safetensors"))
    parser.add_argument("--data", type=Path, default=os.environ.get("MOT_REID_DATA"))
    parser.add_argument("--weights", type=Path, help="folder of the teachers; default: DATA/../weights")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the two trainings")
    chosen = parser.parse_args()
    if chosen.data is None:
        parser.error("give --data, or set MOT_REID_DATA")
    folder = chosen.weights or chosen.data / ".." / "weights"
    taught = [part for name in TEACHERS for part in ("--teacher", str(folder / name))]
    taught += [part for name in UNLABELLED for part in ("--unlabelled", str(chosen.data / name))]
    program, start, made = str(Path(sys.executable).with_name("mot-reid")), chosen.before, []
    for name, own in (("first", FIRST), ("second", SECOND)):
        output = chosen.runs / name
        arguments = [str(chosen.data / "market1501"), "-o", str(output), "--initial", str(start)]
        subprocess.run([program, "train", *arguments, *taught, *COMMON.split(), *own.split()], check=True)
        start = output / "embedder.safetensors"
        made.append(start)
    save_mean(made[0], made[1], chosen.data, chosen.output)
    print(f"written: {chosen.output}")


@torch.no_grad()
def save_mean(first: Path, second: Path, data: Path, output: Path) -> None:
    """Writes the mean of two embedders' weights, centred on crops of Market's people who are learnt from."""
    networks = [load_checkpoint(path) for path in (first, second)]
    size = networks[0].input_size
    states = [network.module.state_dict() for network in networks]
    model = MGN("osnet_lct_x0_5", 64, relu=False).eval()
    state = {
        name: (states[0][name] + value) / 2 if value.is_floating_point() else value
        for name, value in states[1].items()
    }
    model.load_state_dict(state)
    files = list_crops(data / "market1501")
    learnt = torch.from_numpy(~hold_out(files.identities, 100, 0)).nonzero().ravel()
    rows = learnt[torch.randperm(len(learnt), generator=torch.Generator().manual_seed(0))[:CROPS]].tolist()
    pictures = read_pictures([files.paths[row] for row in rows], size)
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    batches = [normalise(part, IMAGENET_MEAN, IMAGENET_STD) for part in pixels.split(64)]
    notes = {"made by": "benchmarks/default_embedder.py"}
    save_checkpoint(output, centred(model, batches), input_size=size, notes=notes)


if __name__ == "__main__":
    main()
