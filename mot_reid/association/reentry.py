"""Who leaves and returns: how alike somebody must look to be taken for one who was here before.

How well looks tell people apart differs from place to place and from embedder to embedder. It shows in
distances between people who are surely two, because both are in view: how near the nearest other one comes.
Whoever returns must look nearer than such neighbours do, and the more so the more newcomers there were in the
meantime, for each of them is one more chance to be taken for somebody else. So looks that tell people apart
well bring them back late and from anywhere, and looks that do not bring nobody back.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mot_reid.association.candidates import LEAST_MARGIN, SPEED
from mot_reid.association.state import UNMATCHED, FrameState
from mot_reid.association.tracklets import Status, TrackletTable
from mot_reid.kernels.constants import LEAST_SQUARE, PRIOR_TRACKS
from mot_reid.motion.kalman import KalmanStates
from mot_reid.rollback import KeepsAttributes

__all__ = ["IdChange", "Neighbours", "Returns", "nearest_others", "recognise"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Vectors = NDArray[np.float32]
Mask = NDArray[np.bool_]

# What is believed of the nearest other one's distance before anybody is seen, and how many views that counts.
_PRIOR_MEAN, _PRIOR_STD, _PRIOR_WEIGHT = 0.85, 0.15, 20.0
# In a crowd so many views of a frame tell as much as all of them.
_MOST_VIEWS = 16
# Views further back than about so many are forgotten.
_MEMORY = 2000.0
# The chance that one stranger, nobody else having come, is taken for who has left.
_FALSE_RETURN = 0.2
# So many standard deviations below the mean of neighbours' distances, several views show a neighbour.
_STRANGE = 0.75
# Nobody returns from further away, however far apart those in view lie.
_LARGEST = 0.85
# Strangers are about this far apart or more, see `AppearanceDistances`.
_STRANGERS = 0.9
# Views after which a return is undone, and after which it is believed.
_DOUBTED, _BELIEVED = 3, 10


@dataclass(frozen=True)
class Neighbours:
    """A running distribution of how near in appearance the nearest other one in view comes.

    Attributes:
        weight: of all views so far.
        mean: of the distances.
        variance: likewise.
    """

    weight: float = _PRIOR_WEIGHT
    mean: float = _PRIOR_MEAN
    variance: float = _PRIOR_STD**2

    def after(self, nearest: NDArray[np.floating]) -> "Neighbours":
        """Gives the same once distances ``(K,)`` of views from their nearest others are taken in."""
        if not len(nearest):
            return self
        weight = min(self.weight, _MEMORY) + len(nearest)
        mean = self.mean + float((nearest - self.mean).sum()) / weight
        off = float(((nearest - mean) * (nearest - self.mean)).sum())
        variance = self.variance + (off - len(nearest) * self.variance) / weight
        return replace(self, weight=weight, mean=mean, variance=max(variance, 1e-4))

    def gates(self, newcomers: NDArray[np.integer]) -> Array:
        """The largest distances ``(T,)`` at which tracks return that so many newcomers have followed.

        Args:
            newcomers: since each was last seen.
        """
        below = -ndtri(_FALSE_RETURN / (1.0 + newcomers))
        gates: Array = np.clip(self.mean - below * self.variance**0.5, 0.0, _LARGEST)
        return gates

    @property
    def strange(self) -> float:
        """The mean distance from which on several views show somebody else."""
        return min(self.mean - _STRANGE * self.variance**0.5, _STRANGERS)


@dataclass(frozen=True)
class IdChange:
    """Rows that were reported under one id and belong to another.

    Attributes:
        before: the id that they have.
        now: the id of their track from this frame on.
        frame: number of the first of these rows' frames, counted from 1 at the tracker's first frame.
        time: of that frame, seconds.
        undone: True where a return is taken back, False where somebody was recognised.
    """

    before: int
    now: int
    frame: int
    time: float
    undone: bool


@dataclass
class _Trial:
    """A return that may be wrong: what the track was before, and what it has looked like since."""

    number: int
    time: float
    row: NDArray[np.void]
    state: Array
    embedding: NDArray[np.float32]
    views: int = 0
    distance: float = 0.0
    seen: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


class Returns(KeepsAttributes):
    """Who came back, as far as it is not certain yet; and how alike others look."""

    def __init__(self) -> None:
        self.neighbours = Neighbours()
        self._trials: dict[int, _Trial] = {}

    def begin(self, frame: FrameState, rows: Rows) -> None:
        """Notes what tracks ``(K,)`` were before they came back in this frame."""
        table = frame.tracklets
        for row in rows.tolist():
            self._trials[int(table.rows["id"][row])] = _Trial(
                frame.number,
                frame.time,
                table.rows[row : row + 1].copy(),
                table.states.values[:, :, row : row + 1].copy(),
                table.embeddings[row].copy(),
            )

    def judge(self, frame: FrameState) -> list[IdChange]:
        """Undoes the returns of those who turn out to look like others."""
        if not self._trials or frame.appearance is None:
            return []
        table, undone = frame.tracklets, []
        for name, trial in list(self._trials.items()):
            found = (table.rows["id"] == name).nonzero()[0]
            if not found.size or trial.views >= _BELIEVED:
                del self._trials[name]
                continue
            row = int(found[0])
            column = int(frame.detection_of[row]) if row < len(frame.ages) else UNMATCHED
            if column == UNMATCHED or not frame.appearance.known[column] or frame.at_edge[column]:
                continue
            if frame.covered[column] > frame.settings.embedding.max_occlusion:
                continue
            view = frame.appearance.embeddings(np.array([column]))[0]
            trial.views += 1
            trial.distance += table.distance(trial.embedding, view)
            trial.seen = view if trial.views == 1 else trial.seen + view
            if trial.views >= _DOUBTED and trial.distance / trial.views > self.neighbours.strange:
                del self._trials[name]
                undone.append(_take_back(table, row, trial))
        return undone


def _take_back(table: TrackletTable, row: int, trial: _Trial) -> IdChange:
    """Gives a track an id of its own, and puts back who was lost."""
    before = int(table.rows["id"][row])
    now = table.next_id()
    for name, value in (("id", now), ("first_seen", trial.number), ("born", trial.time)):
        table.rows[name][row] = value
    table.rows["id_confidence"][row] = 1
    table.rows["embedded_views"][row] = trial.views
    table.embeddings[row] = trial.seen / np.linalg.norm(trial.seen)
    (lost,) = table.append(
        KalmanStates(trial.state), trial.row["class_id"], trial.row["score"], trial.number, trial.time
    )
    table.rows[lost] = trial.row[0]
    table.rows["status"][lost] = Status.LOST
    table.embeddings[lost] = trial.embedding
    return IdChange(before, now, trial.number, trial.time, undone=True)


def nearest_others(frame: FrameState) -> NDArray[np.float32]:
    """How near the nearest other track in view comes to each clear view of a track in a frame: ``(K,)``."""
    if frame.appearance is None:
        return np.zeros(0, np.float32)
    rows = frame.tracklets.rows[: len(frame.ages)]  # those that were there before this frame
    columns = (frame.appearance.known & ~frame.free_detections & ~frame.at_edge).nonzero()[0]
    columns = columns[frame.covered[columns] <= frame.settings.embedding.max_occlusion]
    in_view = (~frame.free_tracks & ~frame.tentative & rows["has_embedding"]).nonzero()[0]
    if not columns.size or in_view.size < 2:
        return np.zeros(0, np.float32)
    place = np.full(len(rows), UNMATCHED)
    place[in_view] = np.arange(len(in_view))
    columns = columns[place[frame.track_of[columns]] != UNMATCHED]
    if len(columns) > _MOST_VIEWS:  # other ones in each frame
        step = -(-len(columns) // _MOST_VIEWS)
        columns = columns[frame.number % step :: step]
    own = place[frame.track_of[columns]]
    views = frame.appearance.embeddings(columns)
    embeddings, known = frame.tracklets.embeddings, frame.tracklets.rows["has_embedding"]
    total = known.astype(np.float32) @ embeddings
    distances = _apart_from_own(views, embeddings[in_view], own, total, int(np.count_nonzero(known)))
    distances[np.arange(len(own)), own] = np.inf
    return distances.min(axis=1, initial=np.inf)


def _apart_from_own(views: Vectors, tracks: Vectors, own: Rows, total: Vectors, count: int) -> Vectors:
    """Distances ``(K, J)`` of views from tracks, as if each view's own track were not known.

    Whoever is part of the mean that is taken off is kept apart from the others by it; who returns is not.

    Args:
        views: ``(K, D)``.
        tracks: ``(J, D)``.
        own: ``(K,)`` which of them each view is of.
        total: ``(D,)`` the sum of all known tracks' embeddings.
        count: how many those are.
    """
    rest = np.float32(count - 1 + PRIOR_TRACKS)
    mine = tracks[own]
    products, among, sums = views @ tracks.T, mine @ tracks.T, tracks @ total
    each = np.arange(len(own))
    along_views = (views @ total - products[each, own]) / rest
    along_tracks = (sums - among) / rest
    square = (total @ total - 2 * sums[own] + among[each, own]) / rest**2
    products -= along_views[:, None] + along_tracks - square[:, None]
    products /= np.sqrt(np.maximum(1 + square - 2 * along_views, LEAST_SQUARE))[:, None]
    products /= np.sqrt(np.maximum(1 + square[:, None] - 2 * along_tracks, LEAST_SQUARE))
    return np.subtract(1, products, out=products)


# Seconds after its start for which a track may still be known again for one that was here before.
_YOUNG = 3.0


def recognise(frame: FrameState, returns: Returns) -> list[IdChange]:
    """Gives tracks that have just begun the ids of lost ones, where by now they look like these.

    Who comes in at the edge, or from behind somebody, first shows an arm; what can be told from that is
    little. The id that was given in the meantime is not used again.

    Returns:
        What changed.
    """
    table, rows = frame.tracklets, frame.tracklets.rows
    if frame.gates is None or frame.appearance is None:
        return []
    fresh = rows["has_embedding"] & (rows["unembedded_views"] == 0) & (rows["last_seen"] == frame.time)
    fresh &= (rows["status"] == Status.CONFIRMED) & (rows["born"] > frame.time - _YOUNG) & ~rows["returned"]
    young = fresh.nonzero()[0]
    lost = ((rows["status"] == Status.LOST) & rows["has_embedding"]).nonzero()[0]
    if not young.size or not lost.size:
        return []
    in_view = ((rows["last_seen"] == frame.time) & rows["has_embedding"]).nonzero()[0]
    lost = lost[lost < len(frame.ages)]
    gates = frame.gates[lost]
    distances = table.distances(young, lost)
    possible = (distances <= gates) & (rows["last_seen"][lost] < rows["born"][young][:, None])
    if not possible.any():
        return []
    possible &= _in_time(frame, young, lost)
    if not possible.any():
        return []
    others = table.distances(in_view, lost)
    made: list[IdChange] = []
    for place in np.argsort(np.where(possible, distances, np.inf), axis=None)[: int(possible.sum())]:
        a, b = np.unravel_index(int(place), distances.shape)
        rivals = np.concatenate([np.delete(distances[a], b), others[in_view != young[a], b]])
        taken = rows["status"][lost[b]] != Status.LOST or rows["returned"][young[a]]
        if taken or rivals.min(initial=np.inf) - distances[a, b] < LEAST_MARGIN:
            continue
        made.append(_take_over(frame, returns, int(young[a]), int(lost[b])))
    return made


def _in_time(frame: FrameState, young: Rows, lost: Rows) -> Mask:
    """Which lost tracks ``(L,)`` can have come to where young ones ``(Y,)`` are: ``(Y, L)``."""
    position = frame.tracklets.states.position
    offset = position[young, None, :2] - position[lost, :2]
    reach = np.maximum(position[lost, 3], 1) * (
        1 + SPEED * (frame.time - frame.tracklets.rows["last_seen"][lost])
    )
    ratio = position[young, None, 3] / np.maximum(position[lost, 3], 1)
    near: Mask = np.hypot(offset[..., 0], offset[..., 1]) <= reach
    return near & (ratio <= 4) & (ratio >= 0.25)


def _take_over(frame: FrameState, returns: Returns, young: int, lost: int) -> IdChange:
    """Makes a young track a lost one; the row of the lost one goes with the next frame's end."""
    table, rows = frame.tracklets, frame.tracklets.rows
    returns.begin(frame, np.array([lost]))
    before, now = int(rows["id"][young]), int(rows["id"][lost])
    number, time = int(rows["first_seen"][young]), float(rows["born"][young])
    for name in ("id", "first_seen", "id_confidence"):
        rows[name][young] = rows[name][lost]
    rows["returned"][young] = True
    embedding = table.embeddings[[young]].copy()
    views = int(rows["embedded_views"][young]), int(rows["embedded_views"][lost])
    table.embeddings[young] = table.embeddings[lost]
    old = max(0.3, views[1] / max(sum(views), 1))
    table.blend_embeddings(np.array([young]), embedding, np.array([0]), np.array([old], np.float32))
    rows["embedded_views"][young] += views[1]
    rows["status"][lost], rows["id"][lost] = Status.TENTATIVE, 0  # taken out with those that were missed
    return IdChange(before, now, number, time, undone=False)
