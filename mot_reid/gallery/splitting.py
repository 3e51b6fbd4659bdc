"""Where a track goes from one person to another; arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mot_reid.typing import Embeddings, Floats, Indices, Mask

__all__ = ["SplitSettings", "split_points"]


@dataclass(frozen=True)
class SplitSettings:
    """When a track is taken for two people.

    Attributes:
        views: least number of embeddings on either side of a change.
        window: most embeddings on either side that are compared.
        alike: cosine of the two sides' means below which they are two people.
        contrast: by how much the two sides' means must be less alike than neighbours within a side are to
            their own side's mean.
        doubted_alike: as ``alike``, where the id's confidence fell or another box crossed at the change.
        confidence: fall of the id's confidence to below this counts as such a doubt.
    """

    views: int = 3
    window: int = 8
    alike: float = 0.35
    contrast: float = 0.2
    doubted_alike: float = 0.55
    confidence: float = 0.8


def split_points(
    embeddings: Embeddings,
    weights: Floats,
    confidence: Floats,
    crossed: Mask,
    settings: SplitSettings | None = None,
) -> Indices:
    """Rows before which a track should be cut, ascending.

    Binary segmentation (Scott and Knott 1974) with windows, so that somebody who is followed for a while
    between two stretches of another one is found too: a stretch is cut where the weighted means of the views
    before and after are least alike for how much each side agrees with itself, if they are less alike than
    one person's are; then each side is looked at again.

    Args:
        embeddings: ``(N, D)`` unit rows in order of time.
        weights: ``(N,)`` positive.
        confidence: ``(N,)`` the id's confidence at each.
        crossed: ``(N,)`` whether between a row and the one before it another box covered this one, or it was
            out of sight.
        settings: the defaults where None.
    """
    chosen = settings or SplitSettings()
    doubted = crossed.copy()
    doubted[1:] |= (confidence[1:] < confidence[:-1]) & (confidence[1:] < chosen.confidence)
    cuts: list[int] = []
    stretches = [(0, len(embeddings))]
    while stretches:
        first, last = stretches.pop()
        cut = _best_cut(embeddings[first:last], weights[first:last], doubted[first:last], chosen)
        if cut is not None:
            cuts.append(first + cut)
            stretches += [(first, first + cut), (first + cut, last)]
    return np.array(sorted(cuts), np.intp)


def _best_cut(embeddings: Embeddings, weights: Floats, doubted: Mask, settings: SplitSettings) -> int | None:
    count, least = len(embeddings), settings.views
    if count < 2 * least:
        return None
    sums = np.zeros((count + 1, embeddings.shape[1]))
    np.cumsum(weights[:, None] * embeddings, axis=0, out=sums[1:])
    mass = np.concatenate([[0.0], np.cumsum(weights)])
    places = np.arange(1, count)
    first, last = np.maximum(places - settings.window, 0), np.minimum(places + settings.window, count)
    before, after = sums[places] - sums[first], sums[last] - sums[places]
    lengths = np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)
    alike = (before * after).sum(axis=1) / np.maximum(lengths[0] * lengths[1], 1e-12)
    within = (lengths[0] + lengths[1]) / (mass[last] - mass[first])  # mean cosine with the own side's mean
    gate = np.where(doubted[places], settings.doubted_alike, settings.alike)
    contrast = within - alike
    allowed = (alike < gate) & (contrast >= settings.contrast)
    # A cut that only comes near the true one, because that leaves too few views on a side, is none.
    allowed &= contrast >= np.maximum(np.append(0.0, contrast[:-1]), np.append(contrast[1:], 0.0))
    allowed &= (places >= least) & (places <= count - least)
    if not allowed.any():
        return None
    return int(places[np.where(allowed, contrast, -np.inf).argmax()])
