"""Makes the strong embedder, for galleries: 0277's backbone, and heads that learn its embeddings.

    MOT_REID_DATA=DIR python benchmarks/strong_embedder.py -o mgn_osnet_lct_x1_0.safetensors
    mot-reid export mgn_osnet_lct_x1_0.safetensors

Nothing is trained but the eight heads, on pooled maps that are computed once: about 6 minutes of one core, of
which 4 pass the crops through 0277 and the backbone. The crops are up to five of each of Market-1501's
identities, spread over the cameras, without the 100 held out by seed 0, and all people of 48 pixels and more
in persondet and persondet2. Needs the extras train and openvino.
"""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from mot_reid.appearance.checkpoints import IMAGENET_MEAN, IMAGENET_STD, save_checkpoint
from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid.augmentation import normalise
from mot_reid.training.reid.crops import hold_out
from mot_reid.training.reid.datasets import list_crops, read_pictures
from mot_reid.training.reid.evaluation import embed_crops
from mot_reid.training.reid.head_refine import install_heads, learn_heads
from mot_reid.training.reid.teachers import open_teacher
from mot_reid.training.reid.unlabelled import box_source
from mot_reid.training.reid.warm_start import start_from

TEACHERS = {"person-reidentification-retail-0277.xml": 1.0}
"""Their weights in the cosine that is learnt; the first gives the backbone, too."""
ASKED, SIZE = (256, 128), (288, 128)
"""Height and width of the teachers' crops, and of ours."""
EACH, SMALLEST = 5, 48


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("mgn_osnet_lct_x1_0.safetensors"))
    parser.add_argument("--data", type=Path, default=os.environ.get("MOT_REID_DATA"))
    parser.add_argument("--weights", type=Path, help="folder of the teachers; default: DATA/../weights")
    parser.add_argument("--reduced-dim", type=int, default=64)
    parser.add_argument("--pooling", choices=("avg", "max"), default="avg")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.data is None:
        parser.error("give --data, or set MOT_REID_DATA")
    torch.set_num_threads(chosen.threads)
    folder = chosen.weights or chosen.data / ".." / "weights"
    crops = read_pool(chosen.data)
    said = [embed_crops(open_teacher(folder / name).embed, crops) for name in TEACHERS]
    total = sum(TEACHERS.values())
    shares = [np.sqrt(weight / total) for weight in TEACHERS.values()]
    teacher = np.concatenate([share * part for share, part in zip(shares, said, strict=True)], axis=1)
    targets = torch.from_numpy(teacher.astype(np.float32))
    model = MGN("osnet_lct_x1_0", chosen.reduced_dim, relu=False, pooling=chosen.pooling).eval()
    small = np.stack([cv2.resize(crop, SIZE[::-1], interpolation=cv2.INTER_AREA) for crop in crops])
    start_from(model, folder / next(iter(TEACHERS)), (batch for batch in batches(small[::40])))
    model.eval()
    pooled = pooled_maps(model, small)
    install_heads(model, learn_heads(pooled, targets, chosen.reduced_dim, steps=700), pooled)
    notes = {"made by": "benchmarks/strong_embedder.py", "teachers": TEACHERS, "crops": len(crops)}
    save_checkpoint(chosen.output, model, input_size=SIZE, notes=notes)
    print(f"written: {chosen.output}")


def read_pool(data: Path) -> np.ndarray:
    """(N, 256, 128, 3) uint8 RGB crops, as the teachers take them."""
    files = list_crops(data / "market1501")
    learnt = ~hold_out(files.identities, 100, 0)
    rng = np.random.default_rng(0)
    rows: list[int] = []
    for person in np.unique(files.identities[learnt]):
        own = np.flatnonzero(files.identities == person)
        order = rng.permutation(len(own))
        cameras = files.cameras[own][order]
        turn = [int((cameras[:place] == camera).sum()) for place, camera in enumerate(cameras)]
        rows += own[order[np.argsort(turn, kind="stable")]][:EACH].tolist()
    people = [
        box_source(data / name / "train", smallest=SMALLEST).read(ASKED)
        for name in ("persondet", "persondet2")
    ]
    return np.concatenate((read_pictures([files.paths[row] for row in rows], ASKED), *people))


def batches(crops: np.ndarray, size: int = 32) -> list[Tensor]:
    """Normalised (n, 3, h, w)."""
    parts = np.array_split(crops, max(1, len(crops) // size))
    pixels = (torch.from_numpy(part).permute(0, 3, 1, 2).float() / 255 for part in parts)
    return [normalise(batch, IMAGENET_MEAN, IMAGENET_STD) for batch in pixels]


@torch.no_grad()
def pooled_maps(model: MGN, crops: np.ndarray) -> Tensor:
    """(N, 8, C) pooled maps; the branches are alike as yet, so that one stands for all."""
    parts = []
    for start in range(0, len(crops), 512):
        for batch in batches(crops[start : start + 512]):
            shared = model.b1(model.stem(batch))
            parts.append(torch.stack(model._pooled([shared] * 3), dim=1).flatten(2))
    return torch.cat(parts)


if __name__ == "__main__":
    main()
