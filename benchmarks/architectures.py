"""Architectures and losses on one frozen backbone, and what is left of them on covered and cut-off crops.

    MOT_REID_DATA=DIR python benchmarks/architectures.py [--steps 1200] [-o FOLDER]

The maps of OSNet x0.25 (MSMT17's weights, 192x96) of Market-1501's crops without 100 held-out people, as they
are and once each covered or cut off, are what the heads of each method learn from, with the modules and
losses of `mot-reid train`; the backbone stays, so that nothing but pooling, heads and losses differs. Each
crop of the held-out people asks those of other cameras: as it is, with 25 to 40 % of it covered, and with 25
to 45 % of it cut off; those that answer stay as they are. PKU-ReID: camera 1 asks camera 2. Means over the
seeds.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn

from mot_reid.appearance.crops import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.appearance.mgn import MGN, MGNOutput
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.training.reid.across_cameras import read_camera_trial
from mot_reid.training.reid.crops import CropSet, hold_out
from mot_reid.training.reid.datasets import list_crops, read_crops
from mot_reid.training.reid.losses import batch_hard_triplet, contrastive, mean_over_heads, softmax_loss
from mot_reid.training.reid.networks import Network, StripNetwork, build_network, whole_body_features
from mot_reid.training.reid.perturbations import cut_off, perturb
from mot_reid.training.reid.retrieval import score_retrieval
from mot_reid.training.reid.sampling import balanced_batches
from mot_reid.training.reid.settings import LossSettings, NetworkSettings
from mot_reid.training.reid.warm_start import start_from

SIZE = (192, 96)
BACKBONE = "osnet_x0_25"


@dataclass(frozen=True)
class Method:
    """A row of the table: an architecture whose embedding has about 512 numbers, and its losses."""

    name: str
    architecture: str
    numbers: int
    losses: LossSettings


METHODS = (
    Method("softmax", "plain", 512, LossSettings(softmax=1, triplet=0)),
    Method("contrastive", "plain", 512, LossSettings(softmax=0, triplet=0, contrastive=1)),
    Method("triplet", "plain", 512, LossSettings(softmax=0, triplet=1)),
    Method("softmax and triplet", "plain", 512, LossSettings(softmax=1, triplet=1)),
    Method("PCB", "pcb", 85, LossSettings(softmax=1, triplet=0)),
    Method("MGN", "mgn", 64, LossSettings(softmax=1, triplet=1)),
    Method("aligned", "aligned", 73, LossSettings(softmax=1, triplet=1)),
)
VIEWS = ("plain", "covered", "cut off")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    arguments = parser.parse_args()
    data = Path(os.environ["MOT_REID_DATA"])
    trunk = StripNetwork(BACKBONE, 1, 8).eval()
    start_from(trunk, data.parent / "weights" / "osnet_x0_25_msmt17.onnx")
    files = list_crops(data / "market1501")
    crops = read_crops(files, SIZE)
    held = hold_out(crops.identities, 100, 0)
    learnt = CropSet(crops.images[~held], crops.identities[~held], crops.cameras[~held])
    half = np.random.default_rng(0).random(len(learnt)) < 0.5
    spoilt = np.where(
        half[:, None, None, None], perturb(learnt.images, "cover", 2), cut_off(learnt.images, 2)
    )
    maps = torch.cat([map_of(trunk, learnt.images), map_of(trunk, spoilt)])
    classes = np.tile(np.unique(learnt.identities, return_inverse=True)[1], 2)
    asked = read_camera_trial(data / "market1501", SIZE).crops
    pku = read_camera_trial(data / "pku-reid", SIZE).crops
    views = {
        "plain": map_of(trunk, asked.images),
        "covered": map_of(trunk, perturb(asked.images, "cover", 1)),
        "cut off": map_of(trunk, cut_off(asked.images, 1)),
    }
    elsewhere = map_of(trunk, pku.images)
    rows = []
    for method in METHODS:
        runs = []
        for seed in range(arguments.seeds):
            network = trained(method, maps, classes, arguments.steps, seed)
            embedded = {name: embed(network, view) for name, view in views.items()}
            found: dict[str, float] = {"numbers": embedded["plain"].shape[1]}
            for name in VIEWS:
                rank1, precision = scores(embedded[name], embedded["plain"], asked)
                found |= {f"rank-1 {name}": rank1, f"mAP {name}": precision}
            there = embed(network, elsewhere)
            found["PKU rank-1"], found["PKU mAP"] = scores(
                there, there, pku, pku.cameras == pku.cameras.min()
            )
            runs.append(found)
        rows.append(
            {"method": method.name} | {name: float(np.mean([r[name] for r in runs])) for name in runs[0]}
        )
        print(rows[-1], file=sys.stderr, flush=True)
    columns = [Column("method"), Column("numbers", 0)]
    columns += [Column(f"{what} {view}", 1) for what in ("rank-1", "mAP") for view in VIEWS]
    columns += [Column("PKU rank-1", 1), Column("PKU mAP", 1)]
    notes = [
        f"{len(maps)} maps of {len(np.unique(classes))} people, {arguments.steps} steps of 64, mean of "
        f"{arguments.seeds} seeds; percent. numbers: length of an embedding."
    ]
    table = Table("Architectures and losses on one frozen backbone", columns, rows, provenance(), notes)
    table.show(Console(width=200))
    if arguments.output is not None:
        table.save(arguments.output, "architectures")


@torch.no_grad()
def map_of(trunk: StripNetwork, images: np.ndarray) -> Tensor:
    """The backbone's maps (N, C, h, w) of crops (N, H, W, 3) uint8 RGB, in half precision."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    parts = []
    for start in range(0, len(images), 64):
        pixels = torch.from_numpy(images[start : start + 64]).permute(0, 3, 1, 2) / 255
        parts.append(trunk.branch(trunk.stem((pixels - mean) / std)).half())
    return torch.cat(parts)


def trained(method: Method, maps: Tensor, classes: np.ndarray, steps: int, seed: int) -> Network:
    """The heads of a method, learnt on maps."""
    torch.manual_seed(seed)
    settings = NetworkSettings(
        architecture=method.architecture, backbone=BACKBONE, reduced_dim=method.numbers, pooling="avg"
    )
    network = build_network(settings, int(classes.max()) + 1).train()
    if isinstance(network, StripNetwork):
        network.stem, network.branch = nn.Sequential(), nn.Sequential()  # maps come in as they are
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps, pct_start=0.1)
    losses = method.losses
    for rows in batches(classes, steps, seed):
        output = heads(network, maps[rows].float())
        targets = torch.from_numpy(classes[rows])
        whole = whole_body_features(network, output)
        total = torch.zeros(())
        if losses.softmax:
            total = total + softmax_loss(output.logits, targets, losses.smoothing)
        if losses.triplet:
            total = total + mean_over_heads([batch_hard_triplet(x, targets, losses.margin) for x in whole])
        if losses.contrastive:
            pairs = [contrastive(x, targets, losses.contrastive_margin) for x in whole]
            total = total + mean_over_heads(pairs)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def heads(network: Network, maps: Tensor) -> MGNOutput:
    """Features and class scores of maps (N, C, h, w), in training mode."""
    if isinstance(network, MGN):
        features = network.embed_maps((maps, maps, maps)).split(network.reduced_dim, dim=1)
    else:
        features = network.features(maps)
    scores = zip(network.classifiers, features, strict=True)
    return MGNOutput(features, tuple(classifier(one) for classifier, one in scores))


def embedding(network: Network, maps: Tensor) -> Tensor:
    """The embedding (N, D) of maps, not normalised."""
    return network.embed_maps((maps, maps, maps)) if isinstance(network, MGN) else network.embed(maps)


def batches(classes: np.ndarray, steps: int, seed: int) -> Iterator[np.ndarray]:
    """So many batches of 16 people, 4 maps of each."""
    rng, given = np.random.default_rng(seed), 0
    while True:
        for rows in balanced_batches(classes, 16, 4, rng):
            if given == steps:
                return
            given += 1
            yield rows


@torch.no_grad()
def embed(network: Network, maps: Tensor) -> np.ndarray:
    """Unit embeddings (N, D) of maps."""
    found = torch.cat([embedding(network, maps[at : at + 256].float()) for at in range(0, len(maps), 256)])
    return np.asarray(nn.functional.normalize(found, dim=1).numpy())


def scores(
    queries: np.ndarray, gallery: np.ndarray, crops: CropSet, asks: np.ndarray | None = None
) -> tuple[float, float]:
    """Rank-1 and mAP, percent, of the crops that ask; those of their own camera do not answer."""
    people, cameras = crops.identities, crops.cameras
    firsts, averages, counts = [], [], []
    for camera in np.unique(cameras if asks is None else cameras[asks]):
        own, others = cameras == camera, cameras != camera
        labels = (people[own], people[others], cameras[own], cameras[others])
        found = score_retrieval(queries[own] @ gallery[others].T, *labels, ranks=1)
        firsts.append(found.rank1)
        averages.append(found.mean_average_precision)
        counts.append(found.queries)
    return 100 * float(np.average(firsts, weights=counts)), 100 * float(np.average(averages, weights=counts))


if __name__ == "__main__":
    main()
