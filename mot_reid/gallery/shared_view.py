"""Where one place lies in the pictures of two cameras, learnt from whom looks make sure; arrays only.

Two cameras that see one floor see each point of it at places that a homography relates. Which one is learnt
from people who are in both pictures at once and look like one person; then it says of all others whether they
stand in one place. Nothing is calibrated by hand: cameras that share no floor, or no clock, share no
homography either, and nothing is said of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mot_reid.gallery.ground import homography_of
from mot_reid.gallery.moments import STEP, Moments, Together, together
from mot_reid.typing import Floats, Indices, Mask

__all__ = ["SharedView", "gained", "learned_views", "view_evidence"]


_TOGETHER = 4  # moments that a pair must share to teach anything
_LEAST = 3  # pairs that must agree with what the others teach
_FOLDS = 8
_SPACING = 4.0  # moments after which where two people stand says something new
_MOST = 5.0  # of which so many count
_TAUGHT = 40  # moments of one pair that are fitted, at the most
_ASTRAY = 0.05  # share of one person's moments in which a box shows nothing of where he stands
_ROUNDS = 4
_STARTS = 100  # threes that are tried for each two cameras,
_STARTS_IN_ALL = 5000  # and for all of them together, but ten at the least
_LOOKED_AT = 20_000  # moments by which starts are compared, about
_REWEIGHTED = 6
_TYPICAL = 0.1  # heights of a box by which one person's places differ
_APART = 1.0  # by which logarithms of distances of one person and of two must differ at the least
_MOST_LATE = 20  # moments by which clocks are shifted at the most: each costs as much as the first
_PLACE = 0.4  # heights of a box, about its width: one person's places must mostly lie as near


@dataclass(frozen=True, eq=False)
class SharedView:
    """What is known of two cameras that see one floor.

    Attributes:
        homography: ``(3, 3)`` from the first camera's picture to the second's, pixels.
        same: middle and deviation of the logarithms of distances, in heights of boxes, of one person's
            moments.
        others: of two people's.
        floor: share of two people's moments that are taken to be as one person's are.
        links: pairs that agree with it.
        late: moments by which the second camera's clock is ahead of the first's.
    """

    homography: Floats
    same: tuple[float, float]
    others: tuple[float, float]
    floor: float
    links: float
    late: int = 0

    def ratio(self, away: Floats) -> Floats:
        """How much likelier one person than two makes distances ``(C,)``, logarithms."""
        values = np.log(away)
        one = _normal(values, self.same)
        two = (1 - self.floor) * _normal(values, self.others) + self.floor * one
        return np.asarray(np.log(((1 - _ASTRAY) * one + _ASTRAY * two) / two))

    def mean_ratio(self, away: Floats, common: Together) -> Floats:
        """The same of pairs ``(P,)``: the mean of their moments, times how many of them say something new."""
        number = common.number
        mean = np.bincount(common.pair, self.ratio(away), len(number)) / np.maximum(number, 1)
        return np.asarray(mean * np.minimum(number / _SPACING + 1, _MOST) * (number > 0))


def _normal(values: Floats, shape: tuple[float, float]) -> Floats:
    return np.exp(-0.5 * ((values - shape[0]) / shape[1]) ** 2) / shape[1] + 1e-12


def distances(homography: Floats, common: Together) -> Floats:
    """How far apart two people stand, ``(C,)``, in heights of boxes: the larger one of both pictures."""
    found = []
    for matrix, own, other, heights in (
        (homography, common.feet, common.others, common.other_heights),
        (np.linalg.inv(homography), common.others, common.feet, common.heights),
    ):
        points = np.column_stack([own, np.ones(len(own))]) @ matrix.T
        scale = np.where(np.abs(points[:, 2]) < 1e-12, 1e-12, points[:, 2])
        found.append(np.linalg.norm(points[:, :2] / scale[:, None] - other, axis=1) / heights)
    return np.clip(np.maximum(*found), 0.01, 100.0)


def view_evidence(view: SharedView, moments: Moments, first: Indices, second: Indices) -> Floats:
    """How much likelier one person than two makes where pairs of records stand, ``(P,)``, logarithms.

    Args:
        view: of the cameras of ``first`` and ``second``, in this order.
        moments: of all records.
        first: ``(P,)`` records of the view's first camera.
        second: ``(P,)`` of its second.
    """
    common = together(moments, first, second, view.late)
    return view.mean_ratio(distances(view.homography, common), common)


def learned_views(
    cameras: NDArray[np.object_],
    moments: Moments,
    rows: Indices,
    columns: Indices,
    likely: Floats,
    tolerance: float = 0.0,
) -> tuple[Floats, dict[tuple[str, str], SharedView]]:
    """How much likelier one person than two makes where pairs stand, ``(E,)``, and what that was learnt from.

    Of each two cameras the homography is fitted to the feet of pairs that look more like each other than like
    anybody else: of all of them or of any three, whichever explains best where everybody stands; then to
    those that are one person by looks and places, a few times. A pair does not count for itself: what it says
    comes of a fit without it. Nothing is said of cameras of which fewer than three pairs agree with what the
    others teach, or whose pairs do not lie closer than a box is wide, most of the time.

    Args:
        cameras: ``(N,)`` names.
        moments: of the records, on one clock.
        rows: ``(E,)`` one record of each pair.
        columns: ``(E,)`` the other.
        likely: ``(E,)`` probability that they are one person, in [0, 1].
        tolerance: seconds by which the clocks of two cameras may differ: they are shifted if nothing fits, by
            10 s at the most.

    Returns:
        Logarithms, 0 where nothing is known, and views by the cameras' names, which are in order.
    """
    found = np.zeros(len(rows))
    names, number = np.unique(cameras.astype(str), return_inverse=True)
    turned = number[rows] > number[columns]
    first, second = np.where(turned, columns, rows), np.where(turned, rows, columns)
    usable = np.flatnonzero(number[first] != number[second])
    ways = number[first[usable]] * len(names) + number[second[usable]]
    views: dict[tuple[str, str], SharedView] = {}
    kinds = np.unique(ways).tolist()
    starts = min(_STARTS, max(_STARTS_IN_ALL // max(len(kinds), 1), 10))
    for way in kinds:
        own = usable[ways == way]
        values, view = _two_cameras(
            moments, first[own], second[own], likely[own], min(round(tolerance / STEP), _MOST_LATE), starts
        )
        if view is not None:
            found[own] = values
            views[(str(names[way // len(names)]), str(names[way % len(names)]))] = view
    return found, views


_Learned = tuple[Floats, SharedView | None]


def _two_cameras(
    moments: Moments, first: Indices, second: Indices, likely: Floats, most: int, starts: int
) -> _Learned:
    """What two cameras teach with their clocks as they are or, if that is nothing, shifted as fits best."""

    def learned(late: int) -> _Learned:
        common = together(moments, first, second, late)
        values, view = _learned(common, likely, _nearest(first, second, likely, common.number), starts)
        return values, None if view is None else replace(view, late=late)

    values, view = learned(0)
    for late in sorted(range(-most, most + 1), key=abs)[1:]:
        if view is None:
            values, view = learned(late)
    while view is not None and view.late:  # its neighbours may fit better
        step = view.late + (1 if view.late > 0 else -1)
        further, candidate = learned(step) if abs(step) <= most else (values, None)
        if candidate is None or candidate.same[0] > view.same[0]:
            break
        values, view = further, candidate
    return values, view


def _nearest(first: Indices, second: Indices, likely: Floats, number: Indices) -> Indices:
    """Pairs that are together for long enough of which each looks most like the other one of all such."""
    usable = np.flatnonzero(number >= _TOGETHER)
    found = np.ones(len(usable), bool)
    for side in (first[usable], second[usable]):
        most = np.zeros(int(side.max(initial=0)) + 1)
        np.maximum.at(most, side, likely[usable])
        found &= likely[usable] == most[side]
    return usable[found]


def _learned(common: Together, likely: Floats, nearest: Indices, starts: int) -> _Learned:
    nothing = np.zeros(len(likely)), None
    odds, enough = logit(np.clip(likely, 1e-9, 1 - 1e-9)), common.number >= _TOGETHER
    view = _started(common, odds, nearest, starts)
    if view is None:
        return nothing
    values = view.mean_ratio(distances(view.homography, common), common)
    for _ in range(_ROUNDS):
        chance = expit(odds + values)
        support = np.flatnonzero(enough & (chance > 0.5))
        fitted = _crossed(common, support) if len(support) >= _LEAST else None
        if fitted is None:
            return nothing
        view = _view(*fitted, common, chance, enough)
        values = view.mean_ratio(fitted[1], common)
    apart = view.others[0] - view.same[0]
    agreeing = np.count_nonzero(values[support] > 0)
    one_place = apart > _APART and view.same[0] < np.log(_PLACE)
    return (values, view) if one_place and agreeing >= _LEAST else nothing


def _started(common: Together, odds: Floats, nearest: Indices, starts: int) -> SharedView | None:
    """The likeliest of what all pairs that look most like each other teach, and of what threes of them do."""
    if len(nearest) < _LEAST:
        return None
    chance, enough = expit(odds), common.number >= _TOGETHER
    few = common[np.arange(0, len(common.pair), max(len(common.pair) // _LOOKED_AT, 1))]
    few = replace(few, number=np.bincount(few.pair, minlength=len(odds)))
    generator = np.random.default_rng(0)
    threes = [generator.choice(nearest, _LEAST, replace=False) for _ in range(starts)]
    best, most = None, -np.inf
    for taught in (nearest, *threes):
        fitted = _fitted(few, taught)
        if fitted is None:
            continue
        away = distances(fitted, few)
        view = _view(fitted, away, few, chance, enough & (few.number > 0))
        values = view.mean_ratio(away, few)
        score = float(gained(odds, values)[enough].sum())
        if score > most:
            best, most = view, score
    return best


def gained(odds: Floats, values: Floats) -> Floats:
    """By how much, as logarithms, places make what is seen of pairs ``(P,)`` likelier than looks alone do.

    Args:
        odds: ``(P,)`` logarithms, by looks, that a pair is one person.
        values: ``(P,)`` how much likelier one person than two makes its places, logarithms.
    """
    return np.asarray(np.logaddexp(odds + values, 0) - np.logaddexp(odds, 0))


def _crossed(common: Together, support: Indices) -> tuple[Floats, Floats] | None:
    """The homography of all supporting pairs, and distances by those of which each pair is left out."""
    whole = _fitted(common, support)
    if whole is None:
        return None
    found = distances(whole, common)
    folds = min(_FOLDS, len(support))
    for fold in range(folds):
        out = support[fold::folds]
        part = _fitted(common, np.setdiff1d(support, out))
        mine = np.isin(common.pair, out)
        found[mine] = 100.0 if part is None else distances(part, common[mine])
    return whole, found


def _fitted(common: Together, support: Indices) -> Floats | None:
    """The homography of some pairs' moments: least squares, in which what lies astray counts less."""
    pair = common.pair
    place = np.arange(len(pair)) - (np.cumsum(common.number) - common.number)[pair]
    chosen = np.zeros(len(common.number), bool)
    chosen[support] = True
    taught = common[chosen[pair] & (place % np.maximum(common.number[pair] // _TAUGHT, 1) == 0)]
    weights, found = np.ones(len(taught.pair)), None
    for _ in range(_REWEIGHTED):
        found = homography_of(taught.feet, taught.others, weights)
        if found is None:
            return None
        weights = 1 / (1 + (distances(found, taught) / _TYPICAL) ** 2)
    return found


def _view(homography: Floats, away: Floats, common: Together, chance: Floats, enough: Mask) -> SharedView:
    """What distances say of pairs, one person with a chance ``(P,)``; of those with moments enough."""
    weight = (enough / np.maximum(common.number, 1))[common.pair]
    values, chances = np.log(away), chance[common.pair]
    links, strangers = float(chance[enough].sum()), float((1 - chance)[enough].sum())
    same, others = _shape(values, weight * chances), _shape(values, weight * (1 - chances))
    return SharedView(homography, same, others, 1 / (2 + strangers), links)


def _shape(values: Floats, weights: Floats) -> tuple[float, float]:
    """Weighted median, and deviation as the median distance from it has it."""
    middle = _weighted_median(values, weights)
    return middle, max(1.4826 * _weighted_median(np.abs(values - middle), weights), 0.3)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
