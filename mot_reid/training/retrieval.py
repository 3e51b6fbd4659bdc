"""How well an embedding finds people again: mAP and CMC by the protocol of Market-1501."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mot_reid.appearance.checkpoints import EmbeddingNetwork
from mot_reid.training.reid_data import CropSet, IntArray, normalise, split_query

_JUNK = -1


class Retrieval(NamedTuple):
    """Retrieval metrics.

    Attributes:
        mean_average_precision: mAP in 0..1.
        cmc: (ranks,) share of queries with a true match among the first 1, 2, ... of the gallery.
        queries: how many queries had a true match to find; the others do not count.
    """

    mean_average_precision: float
    cmc: NDArray[np.float64]
    queries: int

    @property
    def rank1(self) -> float:
        """Share of queries whose best match is right."""
        return float(self.cmc[0])


def score_retrieval(
    similarity: NDArray[np.floating],
    query_identities: IntArray,
    gallery_identities: IntArray,
    query_cameras: IntArray,
    gallery_cameras: IntArray,
    ranks: int = 10,
) -> Retrieval:
    """Score a similarity matrix (Zheng et al., "Scalable Person Re-identification", ICCV 2015).

    For each query, gallery rows of the same identity in the same camera are left out, as are all rows of
    identity -1; rows of identity 0 (distractors) stay. The average precision is the mean of the precisions at
    the true matches. Ties rank in the gallery's order.

    Args:
        similarity: (Q, G), higher is more alike.
        query_identities: (Q,).
        gallery_identities: (G,).
        query_cameras: (Q,).
        gallery_cameras: (G,).
        ranks: length of the CMC curve.

    Raises:
        ValueError: if the shapes disagree, or no query has a true match in the gallery.
    """
    expected = (len(query_identities), len(gallery_identities))
    if similarity.shape != expected or (len(query_cameras), len(gallery_cameras)) != expected:
        raise ValueError(f"similarity must be {expected}, as the labels are long; got {similarity.shape}")
    order = np.argsort(-similarity, axis=1, kind="stable")
    found, cameras = gallery_identities[order], gallery_cameras[order]
    same = found == query_identities[:, None]
    valid = (found != _JUNK) & ~(same & (cameras == query_cameras[:, None]))
    hits = same & valid
    answerable = hits.any(axis=1)
    if not answerable.any():
        raise ValueError("no query has a true match in another camera of the gallery")
    hits, position = hits[answerable], valid[answerable].cumsum(axis=1)
    precision = hits.cumsum(axis=1) / np.maximum(position, 1)
    average = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    first = np.take_along_axis(position, hits.argmax(axis=1)[:, None], axis=1)
    cmc = (first <= np.arange(1, ranks + 1)).mean(axis=0)
    return Retrieval(float(average.mean()), cmc, int(answerable.sum()))


def embed_crops(
    network: EmbeddingNetwork, images: NDArray[np.uint8], batch_size: int = 64
) -> NDArray[np.float32]:
    """Embed crops that have the network's input size already.

    Args:
        network: in evaluation mode.
        images: (N, h, w, 3) uint8, RGB.
        batch_size: crops at a time.

    Returns:
        (N, dim) float32, L2-normalised.

    Raises:
        ValueError: if the crops have another size.
    """
    if images.shape[1:] != (*network.input_size, 3):
        raise ValueError(
            f"images must be (N, {network.input_size[0]}, {network.input_size[1]}, 3); got {images.shape}"
        )
    device = next(network.module.parameters()).device
    embeddings = np.empty((len(images), network.dim), np.float32)
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            pixels = torch.from_numpy(images[start : start + batch_size]).to(device).permute(0, 3, 1, 2)
            features = network.module(normalise(pixels.float() / 255, network.mean, network.std))
            embeddings[start : start + batch_size] = torch.nn.functional.normalize(features).cpu().numpy()
    return embeddings


def evaluate_retrieval(network: EmbeddingNetwork, crops: CropSet, ranks: int = 10) -> Retrieval:
    """Score a network on crops of its input size: `evaluate_embeddings` of what it makes of them."""
    return evaluate_embeddings(embed_crops(network, crops.images), crops, ranks)


def evaluate_embeddings(embeddings: NDArray[np.float32], crops: CropSet, ranks: int = 10) -> Retrieval:
    """Query with one crop of every person and camera, find the person's crops of other cameras in the rest.

    Args:
        embeddings: (N, D) of the crops, L2-normalised.
        crops: with their labels.
        ranks: length of the CMC curve.
    """
    query = split_query(crops.identities, crops.cameras)
    return score_retrieval(
        embeddings[query] @ embeddings[~query].T,
        crops.identities[query],
        crops.identities[~query],
        crops.cameras[query],
        crops.cameras[~query],
        ranks,
    )
