"""How well an embedder tells people apart, runnable: `python -m mot_reid.training.assess --help`.

Two views: retrieval across the cameras of a ReID set (held-out identities), and what a tracker needs, to
recognise people of one sequence seconds later.
"""

from __future__ import annotations

import argparse
import configparser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from mot_reid.appearance.backbones import OSNet
from mot_reid.appearance.checkpoints import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EmbeddingNetwork,
    load_checkpoint,
)
from mot_reid.training.perturbations import PERTURBATIONS, perturb, shift_boxes
from mot_reid.training.reid_data import CropSet, IntArray, hold_out, read_market1501
from mot_reid.training.retrieval import embed_crops, evaluate_embeddings
from mot_reid.training.teacher import open_teacher
from mot_reid.training.warm_start import plain_state

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


class Separability(NamedTuple):
    """How an embedding separates the people of one sequence, over pairs of crops some time apart.

    Attributes:
        rank1: of all choices "which person of that other frame is this one?", the share made rightly.
        auc: probability that a same-person pair is more alike than a different-person pair.
        same: percentiles (`PERCENTILES`) of the cosine of pairs that show one person.
        different: likewise of pairs that show two.
        crops: how many crops were compared.
    """

    rank1: float
    auc: float
    same: NDArray[np.float64]
    different: NDArray[np.float64]
    crops: int


def score_separability(
    embeddings: NDArray[np.float32],
    identities: IntArray,
    frames: IntArray,
    gap: int,
    gallery: NDArray[np.float32] | None = None,
) -> Separability:
    """Compare the crops of a sequence that lie at least `gap` frames apart.

    Args:
        embeddings: (N, D), L2-normalised.
        identities: (N,).
        frames: (N,) frame numbers.
        gap: smallest difference of frame numbers of a pair.
        gallery: (N, D) of the same crops, L2-normalised, that each is compared with; by default `embeddings`.
            With the embeddings of perturbed crops in `embeddings`, it says what survives the perturbation.

    Raises:
        ValueError: if no pair, or only one kind of pair, is left.
    """
    cosine = embeddings @ (embeddings if gallery is None else gallery).T
    same = identities[:, None] == identities[None, :]
    apart = np.abs(frames[:, None] - frames[None, :]) >= gap
    pairs = np.triu(apart) if gallery is None else apart
    alike, unlike = cosine[pairs & same], cosine[pairs & ~same]
    if not len(alike) or not len(unlike):
        raise ValueError(f"no pairs of both kinds at least {gap} frames apart")
    ranks = rankdata(np.concatenate((alike, unlike)))[: len(alike)]
    # The Mann-Whitney statistic is the area under the ROC curve.
    auc = (ranks.mean() - (len(alike) + 1) / 2) / len(unlike)
    right, choices = 0, 0
    for frame in np.unique(frames):
        column = np.flatnonzero(frames == frame)
        asked = apart[:, column[0]] & same[:, column].any(axis=1)
        best = identities[column[cosine[:, column].argmax(axis=1)]]
        right += int((best == identities)[asked].sum())
        choices += int(asked.sum())
    return Separability(
        right / choices,
        float(auc),
        np.percentile(alike, PERCENTILES),
        np.percentile(unlike, PERCENTILES),
        len(identities),
    )


def sequence_crops(
    folder: Path | str,
    size: tuple[int, int],
    every: float = 0.5,
    hidden: float = 0.4,
    shifted: int | None = None,
) -> tuple[CropSet, float]:
    """Cut the ground-truth boxes out of a MOTChallenge sequence.

    Args:
        folder: with `seqinfo.ini`, `gt/gt.txt`, and `img1/` or one `.avi` video.
        size: (h, w) in pixels to resize every crop to.
        every: seconds between the frames to use.
        hidden: leave out boxes of which one nearer person's box covers more than this share: they show
            somebody else.
        shifted: seed by which to misplace the boxes (see `shift_boxes`); None leaves them.

    Returns:
        The crops, with frame numbers in place of cameras, and the frame rate.
    """
    import cv2

    folder = Path(folder)
    info = configparser.ConfigParser()
    info.read_string((folder / "seqinfo.ini").read_text())
    rate = info.getfloat("Sequence", "frameRate")
    truth = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",", ndmin=2)
    truth = truth[truth[:, 6] == 1]
    step = max(1, round(every * rate))
    rng = np.random.default_rng(shifted)
    images, labels = [], []
    for number, frame in _frames(folder):
        if (number - 1) % step:
            continue
        boxes = truth[truth[:, 0] == number]
        boxes = boxes[_hidden(boxes[:, 2:6]) <= hidden]
        cut = boxes[:, 2:6] if shifted is None else shift_boxes(boxes[:, 2:6], rng)
        for identity, box in zip(boxes[:, 1], cut, strict=True):
            left, top = np.maximum(box[:2], 1) - 1  # MOTChallenge counts pixels from 1
            right, bottom = box[:2] + box[2:] - 1
            crop = frame[round(top) : round(bottom), round(left) : round(right)]
            if crop.size:
                resized = cv2.resize(crop, size[::-1], interpolation=cv2.INTER_LINEAR)
                images.append(resized[..., ::-1])
                labels.append((int(identity), number))
    identities, frames = np.array(labels, np.int64).reshape(-1, 2).T
    return CropSet(np.array(images, np.uint8), identities, frames), rate


def _hidden(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) share of each (left, top, width, height) box under the nearer box that covers most of it."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sides = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    shares = sides.clip(0).prod(axis=2) / boxes[:, 2:].prod(axis=1)[:, None]
    nearer = high[None, :, 1] > high[:, None, 1]
    return np.where(nearer, shares, 0).max(axis=1, initial=0)


def _frames(folder: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Frames (BGR) with their numbers, from 1."""
    import cv2

    pictures = sorted((folder / "img1").glob("*.jpg"))
    if pictures:
        for path in pictures:
            yield int(path.stem), np.asarray(cv2.imread(str(path)), np.uint8)
        return
    video = cv2.VideoCapture(str(next(folder.glob("*.avi"))))
    number = 0
    while (read := video.read())[0]:
        number += 1
        yield number, np.asarray(read[1], np.uint8)


class Embedder(NamedTuple):
    """What is assessed.

    Attributes:
        size: (h, w) of its input.
        embed: (N, h, w, 3) uint8 RGB to (N, D) L2-normalised.
    """

    size: tuple[int, int]
    embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def open_embedder(path: Path | str, size: tuple[int, int] | None = None) -> Embedder:
    """Open a checkpoint of ours, or, to compare with, another embedder.

    Args:
        path: a `.safetensors` of ours; a `.pth` with the state dict of torchreid's OSNet x1.0; or what
            `mot_reid.training.teacher.open_teacher` opens.
        size: (h, w) of the input, if not the file's own; not for teachers' files.
    """
    path = Path(path)
    if path.suffix in (".onnx", ".xml"):
        teacher = open_teacher(path)
        return Embedder(teacher.size, teacher.embed_all)
    network = load_checkpoint(path) if path.suffix == ".safetensors" else _osnet(path)
    network = replace(network, input_size=size or network.input_size)
    return Embedder(network.input_size, partial(embed_crops, network))


def _osnet(path: Path) -> EmbeddingNetwork:
    network = OSNet(1.0)
    network.load_state_dict(plain_state(path))
    return EmbeddingNetwork(network.eval(), (256, 128), IMAGENET_MEAN, IMAGENET_STD, 512)


def assess_sequence(
    embedder: Embedder, folder: Path | str, gap: float = 2.0, every: float = 0.5, hidden: float = 0.4
) -> dict[str, Separability]:
    """Compare the people of a MOTChallenge sequence as they are and perturbed.

    Args:
        embedder: what embeds them.
        folder: see `sequence_crops`.
        gap: seconds between compared crops.
        every: seconds between the frames to use.
        hidden: largest hidden share of a crop.

    Returns:
        "clean", each kind of `PERTURBATIONS` and "shift" (boxes that miss); "all" has missing boxes, too.
        Perturbed crops are compared with clean ones.
    """
    crops, rate = sequence_crops(folder, embedder.size, every, hidden)
    missed, _ = sequence_crops(folder, embedder.size, every, hidden, shifted=1)
    views = {kind: perturb((missed if kind == "all" else crops).images, kind, 1) for kind in PERTURBATIONS}
    labels, distance = (crops.identities, crops.cameras), round(gap * rate)
    gallery = embedder.embed(crops.images)
    scores = {"clean": score_separability(gallery, *labels, distance)}
    for name, images in {"shift": missed.images, **views}.items():
        scores[name] = score_separability(embedder.embed(images), *labels, distance, gallery)
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of one embedder."""
    parser = argparse.ArgumentParser(prog="python -m mot_reid.training.assess", description=__doc__)
    parser.add_argument("weights", type=Path, help=".safetensors of ours, OSNet x1.0's .pth, .onnx or .xml")
    parser.add_argument("--size", type=int, nargs=2, help="input height and width, if not the weights' own")
    parser.add_argument("--market", type=Path, help="folder of crops: retrieval on its held-out identities")
    parser.add_argument("--held-out", type=int, default=100, help="identities (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the split (default 0)")
    parser.add_argument("--sequences", type=Path, nargs="*", default=[], help="MOTChallenge folders")
    parser.add_argument("--gap", type=float, default=2.0, help="seconds between compared crops (default 2)")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between frames (default 0.5)")
    parser.add_argument(
        "--hidden", type=float, default=0.4, help="largest hidden share of a crop (default 0.4)"
    )
    parser.add_argument("--threads", type=int, help="of torch; its own choice by default")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    embedder = open_embedder(options.weights, tuple(options.size) if options.size else None)
    if options.market:
        crops = read_market1501(options.market, embedder.size)
        rows = hold_out(crops.identities, options.held_out, options.seed)
        held_out = CropSet(crops.images[rows], crops.identities[rows], crops.cameras[rows])
        found = evaluate_embeddings(embedder.embed(held_out.images), held_out)
        print(
            f"{options.market.name}: mAP {found.mean_average_precision:.4f} rank-1 {found.rank1:.4f} "
            f"rank-5 {found.cmc[4]:.4f} ({found.queries} queries, {len(held_out)} crops)"
        )
    for folder in options.sequences:
        scores = assess_sequence(embedder, folder, options.gap, options.every, options.hidden)
        for name, score in scores.items():
            print(f"{folder.name} {name}: rank-1 {score.rank1:.4f} AUC {score.auc:.4f} ({score.crops} crops)")
        print("  percentile " + " ".join(f"{p:6d}" for p in PERCENTILES))
        for name, values in (("same", scores["clean"].same), ("different", scores["clean"].different)):
            print(f"  {name:10s} " + " ".join(f"{value:6.3f}" for value in values))


if __name__ == "__main__":
    main()
