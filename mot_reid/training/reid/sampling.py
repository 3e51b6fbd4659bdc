"""Batches of P people times K images (Hermans et al., arXiv:1703.07737)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mot_reid.typing import Ints

__all__ = ["balanced_batches"]


def balanced_batches(identities: Ints, people: int, images: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Rows of one epoch in balanced batches.

    An epoch has as many whole batches as the set has images for. People come in random order, all about
    equally often, nobody twice in a batch; the images of one that has fewer than K repeat.

    Args:
        identities: (N,) labels.
        people: P, people in a batch.
        images: K, images of each.
        rng: decides everything.

    Yields:
        (P * K,) rows, grouped by person.

    Raises:
        ValueError: if there are fewer than P people.
    """
    order = np.argsort(identities, kind="stable")
    rows_of = np.split(order, np.flatnonzero(np.diff(identities[order])) + 1)
    if not 2 <= people <= len(rows_of):
        raise ValueError(f"people in a batch must be 2 to {len(rows_of)}, the identities; got {people}")
    queue: list[int] = []
    for _ in range(max(1, len(identities) // (people * images))):
        if len(queue) < people:
            queue += [int(person) for person in rng.permutation(len(rows_of)) if person not in queue]
        batch, queue = queue[:people], queue[people:]
        yield np.concatenate([_draw(rows_of[person], images, rng) for person in batch])


def _draw(rows: Ints, count: int, rng: np.random.Generator) -> Ints:
    repeated = np.concatenate([rng.permutation(rows) for _ in range(-(-count // len(rows)))])
    return repeated[:count]
