"""From crops of people with named attributes to a head that reads them, and how well it does on others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mot_reid.appearance.attributes import AttributeHead
from mot_reid.training.reid.across_cameras import read_camera_trial
from mot_reid.training.reid.attribute_head import (
    AttributeScore,
    AttributeTable,
    fit_attributes,
    score_attributes,
)
from mot_reid.training.reid.crops import hold_out
from mot_reid.training.reid.datasets import list_crops, read_crops
from mot_reid.training.reid.evaluation import Embed, embed_crops
from mot_reid.typing import Floats32, Ints

__all__ = ["AttributeReading", "read_attributes_of_people", "tracklet_means"]

Told = Callable[[str, int, int], None]


class AttributeReading(NamedTuple):
    """A fitted head, and what it reads in tracklets of people that it never saw.

    Attributes:
        head: the layer.
        scores: of each attribute, over tracklets of the held-out people; empty where nobody was held out.
        people: how many it learnt from.
        tracklets: how many it was scored on.
    """

    head: AttributeHead
    scores: tuple[AttributeScore, ...]
    people: int
    tracklets: int


def read_attributes_of_people(
    embed: Embed,
    size: tuple[int, int],
    folder: Path,
    table: AttributeTable,
    *,
    held_out: int = 100,
    seed: int = 0,
    origin: str = "",
    told: Told = lambda *_: None,
) -> AttributeReading:
    """Fits a head to an embedder's embeddings of labelled crops, and scores it on tracklets of other people.

    Args:
        embed: the embedder, of RGB crops.
        size: (h, w) of its input, pixels.
        folder: Market-1501's layout, see `mot_reid.training.reid.datasets.list_crops`.
        table: attributes of its people.
        held_out: identities to score on, those that a training of the embedder with the same number and seed
            did not see; 0 for none.
        seed: of that choice.
        origin: SHA-256 of the embedder's checkpoint.
        told: what is being done, how many crops of how many are done.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a crop cannot be read, or too few people have a known value of an attribute.
    """
    files = list_crops(folder)
    if held_out:
        files = files.select(~hold_out(files.identities, held_out, seed))
    trial = read_camera_trial(folder, size, held_out=held_out, seed=seed) if held_out else None
    count = len(files.paths)
    crops = read_crops(files, size, lambda done: told("reading crops", done, count))
    embeddings = embed_crops(embed, crops.images, on_embed=lambda done: told("embedding crops", done, count))
    head = fit_attributes(embeddings, crops.identities, table, origin)
    people = len(np.unique(crops.identities))
    if trial is None:
        return AttributeReading(head, (), people, 0)
    total = len(trial.crops)
    found = embed_crops(embed, trial.crops.images, on_embed=lambda done: told("scoring", done, total))
    means, first = tracklet_means(found, trial.tracklets)
    truth = table.of(trial.crops.identities[first])
    return AttributeReading(head, score_attributes(head.predict(means), head, truth), people, len(means))


def tracklet_means(embeddings: Floats32, tracklets: Ints) -> tuple[Floats32, Ints]:
    """Means ``(T, D)`` of the rows of each tracklet, and the first row ``(T,)`` of each.

    Args:
        embeddings: ``(N, D)``.
        tracklets: ``(N,)`` the tracklet of each row, numbered from 0, none left out.
    """
    _, first = np.unique(tracklets, return_index=True)
    sums = np.zeros((len(first), embeddings.shape[1]), np.float32)
    np.add.at(sums, tracklets, embeddings)
    sums /= np.bincount(tracklets)[:, None]
    return sums, first.astype(np.int64)
