"""How well an embedder finds people again in *other* cameras: pairs across cameras only, no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from mot_reid.training.reid.crops import CropSet, hold_out
from mot_reid.training.reid.datasets import list_crops, list_unlabelled, read_crops, read_pictures
from mot_reid.training.reid.evaluation import Embed, embed_crops
from mot_reid.training.reid.retrieval import score_retrieval
from mot_reid.training.reid.separability import sequence_crops
from mot_reid.typing import Floats32, Ints

__all__ = [
    "FALSE_RATES",
    "AcrossCameras",
    "CameraTrial",
    "assess_across_cameras",
    "group_tracklets",
    "read_camera_trial",
    "score_across_cameras",
    "score_trial",
]

FALSE_RATES = (0.01, 0.001)
"""Shares of false pairs that are let through, at which the share of true pairs found is told."""

TRACKLET_GAP = 250
"""Frames between two crops of one tracklet of Market-1501, at most (10 seconds)."""

_MARKET = re.compile(r"-?\d+_c\d+s(?P<sequence>\d+)_(?P<frame>\d+)_\d+")
_PERSON_FOLDER = re.compile(r"(?P<camera>\d+)_\d+")


class AcrossCameras(NamedTuple):
    """How an embedding tells people apart across cameras.

    Attributes:
        rank1: share of queries whose most similar entry of another camera shows their person.
        mean_average_precision: mAP in 0..1 of the same queries.
        auc: probability that a true pair is more alike than a false one.
        found: share of true pairs that are more alike than all but `FALSE_RATES` of the false ones.
        queries: how many queries had a true match.
        true_pairs: how many pairs of two cameras show one person.
        false_pairs: how many show two.
    """

    rank1: float
    mean_average_precision: float
    auc: float
    found: tuple[float, ...]
    queries: int
    true_pairs: int
    false_pairs: int


class CameraTrial(NamedTuple):
    """Crops of people whose identities hold in all cameras.

    Attributes:
        crops: what to embed.
        tracklets: (N,) the tracklet of each crop, numbered from 0; embeddings of a tracklet are averaged.
        name: what they are, in words.
    """

    crops: CropSet
    tracklets: Ints
    name: str


def score_across_cameras(embeddings: Floats32, identities: Ints, cameras: Ints) -> AcrossCameras:
    """Compare the entries of each camera with those of all the others.

    With two cameras, those of the lower number ask and the others answer ("all of camera 1 against all of
    camera 2"); with more, every entry asks all entries of all other cameras. Entries of the asking camera
    never answer.

    Args:
        embeddings: (N, D), L2-normalised, of crops or tracklets.
        identities: (N,).
        cameras: (N,).

    Raises:
        ValueError: if there are no pairs of both kinds across cameras.
    """
    distinct = np.unique(cameras)
    asks = cameras == distinct[0] if len(distinct) == 2 else np.ones(len(cameras), bool)
    cosine = embeddings[asks] @ embeddings.T
    same = identities[asks][:, None] == identities[None, :]
    across = cameras[asks][:, None] != cameras[None, :]
    once = np.arange(len(cameras)) > np.flatnonzero(asks)[:, None] if asks.all() else across  # not both ways
    true, false = cosine[across & once & same], cosine[across & once & ~same]
    if not len(true) or not len(false):
        raise ValueError("no pairs of both kinds across cameras")
    firsts, averages = [], []
    for camera in np.unique(cameras[asks]):
        rows, others = cameras[asks] == camera, cameras != camera
        labels = (identities[asks][rows], identities[others], cameras[asks][rows], cameras[others])
        if (labels[0][:, None] == labels[1]).any():
            scores = score_retrieval(cosine[rows][:, others], *labels, ranks=1)
            firsts.append((scores.rank1, scores.queries))
            averages.append((scores.mean_average_precision, scores.queries))
    ranks = rankdata(np.concatenate((true, false)))[: len(true)]
    auc = (ranks.mean() - (len(true) + 1) / 2) / len(false)  # the Mann-Whitney statistic
    limits = np.quantile(false, [1 - rate for rate in FALSE_RATES])
    return AcrossCameras(
        rank1=_weighted(firsts),
        mean_average_precision=_weighted(averages),
        auc=float(auc),
        found=tuple(float((true > limit).mean()) for limit in limits),
        queries=sum(count for _, count in firsts),
        true_pairs=len(true),
        false_pairs=len(false),
    )


def _weighted(means: Sequence[tuple[float, int]]) -> float:
    values, counts = zip(*means, strict=True)
    return float(np.average(values, weights=counts))


def group_tracklets(
    identities: Ints, cameras: Ints, sequences: Ints, frames: Ints, gap: int = TRACKLET_GAP
) -> Ints:
    """Group crops into tracklets: one person in one camera and recording, without a longer gap.

    Args:
        identities: (N,).
        cameras: (N,).
        sequences: (N,) recordings, within which frames are numbered.
        frames: (N,) frame numbers.
        gap: the most frames between two crops that follow each other.

    Returns:
        (N,) tracklets, numbered from 0.
    """
    order = np.lexsort((frames, sequences, cameras, identities))
    rows = np.stack((identities, cameras, sequences))[:, order]
    new = (np.diff(rows, axis=1) != 0).any(axis=0) | (np.diff(frames[order]) > gap)
    tracklets = np.empty(len(order), np.int64)
    tracklets[order] = np.concatenate(([0], np.cumsum(new)))[: len(order)]
    return tracklets


def read_camera_trial(
    folder: Path | str,
    size: tuple[int, int],
    *,
    every: float = 0.5,
    hidden: float = 0.4,
    held_out: int = 100,
    seed: int = 0,
    on_read: Callable[[int], None] | None = None,
) -> CameraTrial:
    """Read people whose identities hold in several cameras.

    Understood are, told by what the folder holds: sequences in MOTChallenge's layout that share their ids,
    one for each camera (each crop by itself); Market-1501's layout (tracklets of the training part's held-out
    identities); and one folder for each person with pictures named `CAMERA_NUMBER` (each by itself).

    Args:
        folder: one of those.
        size: (h, w) in pixels to resize every crop to.
        every: seconds between the frames of a sequence.
        hidden: largest share of a sequence's box under a nearer one (see
            `mot_reid.training.reid.separability.sequence_crops`).
        held_out: Market-1501: how many identities; 0 for all.
        seed: of that choice.
        on_read: called with how many crops have been read, now and then.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds none of these, or a file does not fit; it is named.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    if (folder / "bounding_box_train").is_dir():
        return _market(folder, size, held_out, seed, on_read)
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    if sequences := [path for path in inside if (path / "seqinfo.ini").is_file()]:
        return _sequences(sequences, size, every, hidden)
    return _people(folder, size, on_read)


def _market(
    folder: Path,
    size: tuple[int, int],
    held_out: int,
    seed: int,
    on_read: Callable[[int], None] | None,
) -> CameraTrial:
    files = list_crops(folder)
    if held_out:
        files = files.select(hold_out(files.identities, held_out, seed))
    places = []
    for path in files.paths:
        match = _MARKET.fullmatch(path.stem)
        if match is None:
            raise ValueError(f"{path}: its name does not fit {_MARKET.pattern}")
        places.append((int(match["sequence"]), int(match["frame"])))
    recordings, frames = np.array(places, np.int64).T
    tracklets = group_tracklets(files.identities, files.cameras, recordings, frames)
    who = f"{held_out} held-out" if held_out else "all"
    return CameraTrial(read_crops(files, size, on_read), tracklets, f"tracklets of {who} identities")


def _sequences(folders: Sequence[Path], size: tuple[int, int], every: float, hidden: float) -> CameraTrial:
    parts = [sequence_crops(folder, size, every, hidden)[0] for folder in folders]
    crops = CropSet(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.identities for part in parts]),
        np.repeat(np.arange(1, len(parts) + 1), [len(part) for part in parts]),
    )
    return CameraTrial(crops, np.arange(len(crops)), f"crops of {', '.join(path.name for path in folders)}")


def _people(folder: Path, size: tuple[int, int], on_read: Callable[[int], None] | None) -> CameraTrial:
    paths = list_unlabelled(folder)
    people, cameras = [], []
    for path in paths:
        match = _PERSON_FOLDER.fullmatch(path.stem)
        if match is None or path.parent.parent != folder:
            raise ValueError(
                f"{path}: expected PERSON/CAMERA_NUMBER with numbers, such as 001/02_7.png; or give a folder "
                "of MOTChallenge sequences, or Market-1501's"
            )
        people.append(path.parent.name)
        cameras.append(int(match["camera"]))
    identities = np.unique(people, return_inverse=True)[1].astype(np.int64) + 1
    crops = CropSet(read_pictures(paths, size, on_read), identities, np.array(cameras, np.int64))
    return CameraTrial(crops, np.arange(len(crops)), "crops")


def assess_across_cameras(
    embed: Embed, trial: CameraTrial, on_embed: Callable[[int], None] | None = None
) -> AcrossCameras:
    """Embed the crops of a trial, average those of each tracklet, and compare across cameras.

    Args:
        embed: the network.
        trial: with crops of its input size.
        on_embed: called with how many crops are done.
    """
    embeddings = embed_crops(embed, trial.crops.images, on_embed=on_embed)
    return score_trial(embeddings, trial)


def score_trial(embeddings: Floats32, trial: CameraTrial) -> AcrossCameras:
    """Average the embeddings of each tracklet and compare them across cameras.

    Args:
        embeddings: (N, D) of the trial's crops, L2-normalised.
        trial: what they show.
    """
    first = np.unique(trial.tracklets, return_index=True)[1]
    sums = np.zeros((len(first), embeddings.shape[1]), np.float32)
    np.add.at(sums, trial.tracklets, embeddings)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return score_across_cameras(means, trial.crops.identities[first], trial.crops.cameras[first])
