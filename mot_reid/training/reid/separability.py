"""What a tracker needs of an embedder: to recognise the people of one sequence seconds later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from mot_reid.appearance.crops import crop_batch
from mot_reid.boxes import clip, tlwh_to_xyxy
from mot_reid.training.reid.crops import CropSet
from mot_reid.training.reid.evaluation import Embed, embed_crops
from mot_reid.training.reid.exclusions import Exclusion
from mot_reid.training.reid.perturbations import PERTURBATIONS, perturb, shift_boxes
from mot_reid.training.sequences import read_truth, sequence_frames
from mot_reid.typing import Embeddings, Floats, Floats32, Ints, Mask
from mot_reid.video.pictures import read_picture
from mot_reid.video.seqinfo import frame_rate, read_seqinfo
from mot_reid.wording import counted

__all__ = ["PERCENTILES", "Separability", "assess_sequence", "score_separability", "sequence_crops"]

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


class Separability(NamedTuple):
    """How an embedding separates the people of one sequence, over pairs of crops some time apart.

    Attributes:
        rank1: of all choices "which person of that other frame is this one?", the share made rightly.
        auc: probability that a same-person pair is more alike than a different-person pair.
        same: percentiles (`PERCENTILES`) of the cosine of pairs that show one person.
        different: likewise of pairs that show two.
        crops: how many crops were compared.
        doubtful: how many pairs of identities were not compared, as they may be one person.
    """

    rank1: float
    auc: float
    same: Floats
    different: Floats
    crops: int
    doubtful: int


def score_separability(
    embeddings: Embeddings,
    identities: Ints,
    frames: Ints,
    gap: int,
    gallery: Floats32 | None = None,
) -> Separability:
    """Compare the crops of a sequence that lie at least `gap` frames apart.

    Two identities are two people for sure only if one frame has both: MOTChallenge gives a new identity to
    whoever leaves the picture and comes back. (PETS09-S2L1's 19 identities are 10 people; four of them show
    one man.) Pairs of crops whose identities never meet are therefore neither alike nor unlike.

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
    met = _met(identities, frames)
    row = np.unique(identities, return_inverse=True)[1]
    alike, unlike = cosine[pairs & same], cosine[pairs & ~same & met[row[:, None], row[None, :]]]
    if not len(alike) or not len(unlike):
        raise ValueError(f"no pairs of both kinds at least {counted(gap, 'frame')} apart")
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
        int((~met).sum()) // 2,
    )


def _met(identities: Ints, frames: Ints) -> Mask:
    """(P, P) whether one frame shows both of two identities, in the order of their numbers."""
    people, row = np.unique(identities, return_inverse=True)
    moments, column = np.unique(frames, return_inverse=True)
    seen = np.zeros((len(people), len(moments)), np.int64)
    seen[row, column] = 1
    return seen @ seen.T > 0


def sequence_crops(
    folder: Path | str,
    size: tuple[int, int],
    every: float = 0.5,
    hidden: float = 0.4,
    shifted: int | None = None,
    without: Sequence[Exclusion] = (),
) -> tuple[CropSet, float]:
    """Cut the ground-truth boxes out of a MOTChallenge sequence.

    Args:
        folder: with `seqinfo.ini`, `gt/gt.txt`, and `img1/` or one video.
        size: (h, w) in pixels to resize every crop to.
        every: seconds between the frames to use.
        hidden: leave out boxes of which one nearer person's box covers more than this share: they show
            somebody else.
        shifted: seed by which to misplace the boxes (see `shift_boxes`); None leaves them.
        without: boxes to leave out besides.

    Returns:
        The crops, with frame numbers in place of cameras, and the frame rate.

    Raises:
        FileNotFoundError: there is no ground truth, or there are no frames.
        ValueError: a file of it is broken, or shows nobody.
    """
    folder = Path(folder)
    rate = frame_rate(folder, read_seqinfo(folder))
    truth = read_truth(folder)
    truth = truth[truth[:, 6] == 1]
    numbers, people = truth[:, :2].T
    wrong = [(people == who) & (numbers >= first) & (numbers <= last) for who, first, last in without]
    kept = ~np.any(wrong, axis=0) if wrong else np.ones(len(truth), bool)
    step = max(1, round(every * rate))
    rng = np.random.default_rng(shifted)
    images, labels = [], []
    for number, source in sequence_frames(folder, range(1, int(truth[:, 0].max()) + 1, step)):
        frame = read_picture(source) if isinstance(source, Path) else source
        here = numbers == number
        boxes = truth[here]
        boxes = boxes[(_hidden(boxes[:, 2:6]) <= hidden) & kept[here]]
        cut = boxes[:, 2:6] if shifted is None else shift_boxes(boxes[:, 2:6], rng)
        # MOTChallenge counts pixels from 1. Who has none here is left out, shifted or not.
        height, width = frame.shape[:2]
        corners = clip(np.rint(tlwh_to_xyxy(boxes[:, 2:6]) - 1), width, height)
        inside = (corners[:, 2:] > corners[:, :2]).all(axis=1)
        images.append(crop_batch(frame, tlwh_to_xyxy(cut[inside]) - 1, size)[..., ::-1])
        labels += [(int(identity), number) for identity in boxes[inside, 1]]
    if not labels:
        raise ValueError(f"{folder}: no crop of anybody in its frames")
    identities, frames = np.array(labels, np.int64).reshape(-1, 2).T
    return CropSet(np.concatenate(images), identities, frames), rate


def _hidden(boxes: Floats) -> Floats:
    """(N,) share of each (left, top, width, height) box under the nearer box that covers most of it."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sides = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    shares = sides.clip(0).prod(axis=2) / boxes[:, 2:].prod(axis=1)[:, None]
    nearer = high[None, :, 1] > high[:, None, 1]
    return np.where(nearer, shares, 0).max(axis=1, initial=0)


def assess_sequence(
    embed: Embed,
    size: tuple[int, int],
    folder: Path | str,
    gap: float = 2.0,
    every: float = 0.5,
    hidden: float = 0.4,
    without: Sequence[Exclusion] = (),
) -> dict[str, Separability]:
    """Compare the people of a MOTChallenge sequence as they are and perturbed.

    Args:
        embed: the network.
        size: (h, w) of its input.
        folder: see `sequence_crops`.
        gap: seconds between compared crops.
        every: seconds between the frames to use.
        hidden: largest hidden share of a crop.
        without: boxes to leave out besides.

    Returns:
        "clean", each kind of `PERTURBATIONS` and "shift" (boxes that miss); "all" has missing boxes, too.
        Perturbed crops are compared with clean ones.
    """
    crops, rate = sequence_crops(folder, size, every, hidden, without=without)
    missed, _ = sequence_crops(folder, size, every, hidden, shifted=1, without=without)
    views = {kind: perturb((missed if kind == "all" else crops).images, kind, 1) for kind in PERTURBATIONS}
    labels, distance = (crops.identities, crops.cameras), round(gap * rate)
    gallery = embed_crops(embed, crops.images)
    scores = {"clean": score_separability(gallery, *labels, distance)}
    for name, images in {"shift": missed.images, **views}.items():
        scores[name] = score_separability(embed_crops(embed, images), *labels, distance, gallery)
    return scores
