"""Which records show one person: identities over cameras and times; arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mot_reid.gallery.evidence import Evidence
from mot_reid.gallery.linkage import (
    constrained_linkage,
    group_distances,
    group_pairs,
    linked_clusters,
    sparse_linkage,
)
from mot_reid.gallery.settings import IdentifySettings
from mot_reid.typing import Floats, Indices, Mask

__all__ = ["Linked", "identify"]


@dataclass(frozen=True, eq=False)
class Linked:
    """Identities of records.

    Attributes:
        labels: ``(N,)`` identity of each, from 0 in the order of their first records.
        probability: ``(N,)`` that a record belongs to the others of its identity; 1 for one that is alone.
        prior: share of pairs that were expected to be one person.
    """

    labels: Indices
    probability: Floats
    prior: float


def identify(
    evidence: Evidence,
    count: int,
    barred: Indices,
    joined: Indices,
    settings: IdentifySettings,
    weights: Floats | None = None,
    glimpses: Mask | None = None,
    tracks: Indices | None = None,
) -> Linked:
    """Joins records to identities by average linkage of the evidence.

    Links are made from the surest one down, each with the probability that it is right by the mean evidence
    of its pairs: as many as leave the share of wrong ones among all made, as expected, within
    ``false_links``, and none that is likelier wrong than right.

    Args:
        evidence: of pairs.
        count: N.
        barred: ``(P, 2)`` pairs that are two people.
        joined: ``(J, 2)`` pairs that somebody said are one person; they win over ``barred``.
        settings: see there.
        weights: ``(N,)`` how much a record counts in means; 1 by default.
        glimpses: ``(N,)`` records that hardly show anybody: they are joined to the identities of the others
            afterwards, so that none of them keeps two others apart or brings them together.
        tracks: ``(N,)`` number of the track that a record is a part of, where tracks were cut: what nobody
            else takes is likely to be whom the track shows otherwise.
    """
    barred = _without(barred, joined, count)
    said = np.column_stack([joined, np.zeros(len(joined))])
    labels, weights = linked_clusters(said, count, 0.0), np.ones(count) if weights is None else weights
    made = (0, 0.0)
    if glimpses is not None and glimpses.any() and not glimpses.all():
        labels, made = _joined(evidence, labels, barred, settings, weights, ~glimpses, made)
    labels, made = _joined(evidence, labels, barred, settings, weights, np.ones(count, bool), made)
    support = _support(evidence, labels, count, settings.missing)
    if settings.reassign and count > 2:
        tracks = np.arange(count) if tracks is None else tracks
        labels, home = _reassigned(evidence, labels, barred, count, settings, tracks, made)
        support = _support(evidence, labels, count, settings.missing) + home
    probability = np.where(np.isnan(support), 1.0, evidence.chance(support))
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return Linked(rank[inverse], probability, evidence.prior)


def _joined(
    evidence: Evidence,
    labels: Indices,
    barred: Indices,
    settings: IdentifySettings,
    weights: Floats,
    among: Mask,
    made: tuple[int, float],
) -> tuple[Indices, tuple[int, float]]:
    """Joins groups of records that have one `among` them; links count beside those `made` before.

    Returns:
        Labels ``(N,)``, and how many links were made in all, and how many are expected to be wrong.
    """
    least, count = evidence.least(0.5), len(labels)
    groups = int(labels.max(initial=-1)) + 1
    awake = np.bincount(labels, among, groups) > 0
    sizes = np.bincount(labels, weights, groups).astype(np.float64)
    if evidence.complete:
        distances = np.zeros((count, count))
        distances[evidence.rows, evidence.columns] = -evidence.values
        distances += distances.T
        distances[barred[:, 0], barred[:, 1]] = distances[barred[:, 1], barred[:, 0]] = np.inf
        distances = group_distances(distances, weights, labels)
        distances[~awake], distances[:, ~awake] = np.inf, np.inf
        merges = constrained_linkage(distances, sizes)
    else:
        far = -settings.missing
        rows, columns, values = group_pairs(
            evidence.rows, evidence.columns, -evidence.values, weights, labels, far
        )
        seen, bars = awake[rows] & awake[columns], _bars(labels[barred])
        near = rows[seen], columns[seen], values[seen]
        merges = sparse_linkage(*near, groups, -least, far, bars, sizes)
    links, made = _links(merges, evidence, settings.false_links, made)
    return linked_clusters(links, groups, -least)[labels], made


def _links(
    merges: Floats, evidence: Evidence, false_links: float, made: tuple[int, float]
) -> tuple[Floats, tuple[int, float]]:
    """The merges ``(M, 3)`` from the surest one down to where too many are expected to be wrong."""
    ordered = merges[np.argsort(merges[:, 2], kind="stable")]
    ordered = ordered[-ordered[:, 2] >= evidence.least(0.5)]
    wrong = made[1] + np.cumsum(1 - evidence.chance(-ordered[:, 2]))
    within = np.flatnonzero(wrong <= (false_links + 1e-12) * (made[0] + np.arange(1, len(ordered) + 1)))
    if not within.size:
        return ordered[:0], made
    last = int(within[-1])
    return ordered[: last + 1], (made[0] + last + 1, float(wrong[last]))


def _without(pairs: Indices, others: Indices, count: int) -> Indices:
    return pairs[~np.isin(pairs[:, 0] * count + pairs[:, 1], others[:, 0] * count + others[:, 1])]


def _bars(barred: Indices) -> dict[int, set[int]]:
    bars: dict[int, set[int]] = {}
    for first, second in barred[barred[:, 0] != barred[:, 1]].tolist():
        bars.setdefault(first, set()).add(second)
        bars.setdefault(second, set()).add(first)
    return bars


def _support(evidence: Evidence, labels: Indices, count: int, missing: float) -> Floats:
    """Mean evidence ``(N,)`` that a record belongs to the others of its group; NaN for one that is alone."""
    inside = labels[evidence.rows] == labels[evidence.columns]
    rows, columns, values = evidence.rows[inside], evidence.columns[inside], evidence.values[inside]
    sums = (np.bincount(rows, values, count) + np.bincount(columns, values, count)).astype(np.float64)
    known = np.bincount(rows, minlength=count) + np.bincount(columns, minlength=count)
    others = np.bincount(labels, minlength=count)[labels] - 1
    sums += missing * (others - known)
    return np.where(others > 0, sums / np.maximum(others, 1), np.nan)


def _reassigned(
    evidence: Evidence,
    labels: Indices,
    barred: Indices,
    count: int,
    settings: IdentifySettings,
    tracks: Indices,
    made: tuple[int, float],
) -> tuple[Indices, Floats]:
    """Labels in which records that were alone have joined the group that fits clearly best, if one does.

    Their links count beside those `made` before, too: no more of all are expected to be wrong than
    ``false_links``. Only a part that returns to its own track makes none, for the track had linked it.

    Returns:
        Labels ``(N,)``, and by how much more evidence speaks for a record's group, ``(N,)``: the odds of one
        that returned to its own track's.
    """
    sizes = np.bincount(labels, minlength=count)
    alone = sizes[labels] == 1
    first = np.concatenate([evidence.rows, evidence.columns])
    second = np.concatenate([evidence.columns, evidence.rows])
    values = np.concatenate([evidence.values, evidence.values])
    asks = alone[first] & (~alone[second] | (tracks[first] == tracks[second]))
    first, group, values = first[asks], labels[second[asks]], values[asks]
    keys, inverse = np.unique(first * count + group, return_inverse=True)
    sums = np.bincount(inverse, values, len(keys))
    known = np.bincount(inverse, minlength=len(keys))
    record, target = keys // max(count, 1), keys % max(count, 1)
    mean = (sums + settings.missing * (sizes[target] - known)) / sizes[target]
    groups_of = np.unique(tracks * count + labels)  # of each track, the groups that have a part of it
    own = np.isin(tracks[record] * count + target, groups_of)
    gain, home = float(np.log(_ODDS_OF_OWN) / evidence.link[0]), np.zeros(count)
    mean = mean + np.where(own, gain, 0.0)
    bars = _bars(barred)
    members: dict[int, set[int]] = {}
    for row, label in enumerate(labels.tolist()):
        members.setdefault(label, set()).add(row)
    least, (links, wrong) = evidence.least(1 - settings.reassign_false), made
    labels = labels.copy()
    best: dict[int, list[tuple[float, int, bool]]] = {}
    choices = zip(record.tolist(), target.tolist(), mean.tolist(), own.tolist(), strict=True)
    for row, label, value, at_home in choices:
        if bars.get(row, set()).isdisjoint(members[label]):
            best.setdefault(row, []).append((value, label, at_home))
    surest = sorted(((max(found), row, found) for row, found in best.items()), reverse=True)
    for (value, label, at_home), row, found in surest:
        rival = max((other for other, name, _ in found if name != label), default=-np.inf)
        clear = value - rival >= _CLEAR and bars.get(row, set()).isdisjoint(members[label])
        still = len(members[labels[row]]) == 1 and members[label]  # two parts of a track may ask each other
        more = wrong + 1 - float(evidence.chance(value))
        if value < least or not (clear and still):
            continue
        if at_home or more <= settings.false_links * (links + 1):
            links, wrong = (links, wrong) if at_home else (links + 1, more)
            members[labels[row]].discard(row)
            members[label].add(row)
            labels[row], home[row] = label, gain * at_home
    return labels, home


_CLEAR = 2.0
"""By how much, in log-likelihood ratio, a group must fit a left record better than any other."""

_ODDS_OF_OWN = 10.0
"""A part of a cut track that nobody takes is so many times likelier to be of the track's own person."""
