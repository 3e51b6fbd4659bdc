"""Embedding crops and scoring how well they are found again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from mot_reid.appearance.backends import Backend
from mot_reid.appearance.checkpoints import EmbeddingNetwork
from mot_reid.training.reid.augmentation import normalise
from mot_reid.training.reid.crops import CropSet, hold_out, split_query
from mot_reid.training.reid.datasets import PARTS, CropFiles, list_crops, list_parts, read_crops
from mot_reid.training.reid.retrieval import Retrieval, score_retrieval
from mot_reid.typing import Crops, Embeddings, Floats32

__all__ = [
    "Embed",
    "Trial",
    "backend_embed",
    "embed_crops",
    "evaluate_network",
    "list_trial",
    "network_embed",
    "read_trial",
]

Embed = Callable[[Crops], Embeddings]
"""Maps crops (N, h, w, 3) uint8 RGB to embeddings (N, D), not normalised."""


class Trial(NamedTuple):
    """Queries and the gallery in which to find their people."""

    query: CropSet
    gallery: CropSet


def network_embed(network: EmbeddingNetwork) -> Embed:
    """Embedding by a torch network in evaluation mode, on its own device."""
    device = next(network.module.parameters()).device

    def embed(images: Crops) -> Embeddings:
        with torch.inference_mode():
            pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2)
            features = network.module(normalise(pixels.float() / 255, network.mean, network.std))
            return np.asarray(features.float().cpu().numpy(), np.float32)

    return embed


def backend_embed(backend: Backend) -> Embed:
    """Embedding by the backend that the tracker uses, which takes BGR."""
    return lambda images: backend(np.ascontiguousarray(images[..., ::-1]))


def embed_crops(
    embed: Embed,
    images: Crops,
    batch_size: int = 64,
    flip: bool = False,
    on_embed: Callable[[int], None] | None = None,
) -> Floats32:
    """Embed crops in batches.

    Args:
        embed: the network.
        images: (N, h, w, 3) uint8, RGB, of its input size.
        batch_size: crops at a time.
        flip: embed mirrored crops too and take the mean.
        on_embed: called with how many are done.

    Returns:
        (N, D) float32, L2-normalised.
    """
    rows = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        found = embed(batch)
        if flip:
            found = found + embed(np.ascontiguousarray(batch[:, :, ::-1]))
        rows.append(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))
        if on_embed is not None:
            on_embed(min(start + batch_size, len(images)))
    return np.concatenate(rows) if rows else np.empty((0, 0), np.float32)


def evaluate_network(network: EmbeddingNetwork, crops: CropSet, ranks: int = 10) -> Retrieval:
    """Query with one crop of every person and camera, find the person's crops of other cameras in the rest.

    Args:
        network: the embedder.
        crops: of its input size.
        ranks: length of the CMC curve.
    """
    query = split_query(crops.identities, crops.cameras)
    embeddings = embed_crops(network_embed(network), crops.images)
    return score_retrieval(
        embeddings[query] @ embeddings[~query].T,
        crops.identities[query],
        crops.identities[~query],
        crops.cameras[query],
        crops.cameras[~query],
        ranks,
    )


def list_trial(
    folder: Path, pattern: str | None = None, held_out: int = 100, seed: int = 0
) -> tuple[CropFiles, CropFiles, str]:
    """Find the queries and the gallery of a data set.

    Where it has a part for queries, those and its gallery. Where it has not, identities of its training part:
    one crop of each person and camera asks, the others are the gallery.

    Args:
        folder: see `mot_reid.training.reid.datasets.list_crops`.
        pattern: likewise.
        held_out: how many identities; those that a training with the same number and seed did not see. 0 for
            all.
        seed: of the choice.

    Returns:
        The queries, the gallery, and in words which they are.

    Raises:
        FileNotFoundError, ValueError: as `list_crops` and `hold_out`.
        ValueError: every crop is a query, and no gallery is left.
    """
    lists = [folder / PARTS["query"][1][0], *folder.glob(f"MSMT17_V*/{PARTS['query'][1][0]}")]
    if (folder / PARTS["query"][0]).is_dir() or any(path.is_file() for path in lists):
        query, gallery = list_parts(folder, ("query", "gallery"), pattern)
        return query, gallery.select(gallery.identities >= 0), "its query and gallery"
    files = list_crops(folder, "train", pattern)
    if held_out:
        files = files.select(hold_out(files.identities, held_out, seed))
    asks = split_query(files.identities, files.cameras)
    if asks.all():
        raise ValueError(f"{folder}: no gallery, as nobody has a second crop in a camera")
    name = f"{held_out} held-out identities" if held_out else "all identities"
    return files.select(asks), files.select(~asks), name


def read_trial(
    query: CropFiles,
    gallery: CropFiles,
    size: tuple[int, int],
    on_read: Callable[[int], None] | None = None,
) -> Trial:
    """Read the crops of a trial, of the network's input size."""
    total = len(query.paths)
    return Trial(
        read_crops(query, size, on_read),
        read_crops(gallery, size, None if on_read is None else lambda done: on_read(total + done)),
    )
