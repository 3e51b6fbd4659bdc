"""Re-entry: how alike somebody must look to get the id of one who left the picture or was lost long ago.

How well appearance tells people apart differs from place to place and from embedder to embedder. It shows in
the distances of people who are surely two, because both are in view: how near the nearest other one comes.
Whoever returns must be nearer to what he looked like than such neighbours are to each other, and the nearer
the more newcomers there were in the meantime, for each of them is one more chance to mistake somebody. So
where appearance tells people apart well they come back late and from anywhere, and where it does not nobody
does.
"""

from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.association.candidates import LARGEST_GATE, LEAST_MARGIN, SPEED
from mot_reid.association.state import UNMATCHED, FrameState
from mot_reid.association.tracklets import Columns, Status, TrackletTable
from mot_reid.kernels.constants import PRIOR_TRACKS
from mot_reid.motion.kalman import KalmanStates
from mot_reid.rollback import KeepsAttributes
from mot_reid.typing import Floats, Floats32, Indices, Mask

__all__ = ["YOUNG", "IdChange", "Neighbours", "Returns", "nearest_others", "recognise"]


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
        distances: list[float] = nearest.tolist()
        mean = self.mean + sum(distance - self.mean for distance in distances) / weight
        off = sum((distance - mean) * (distance - self.mean) for distance in distances)
        variance = self.variance + (off - len(nearest) * self.variance) / weight
        return Neighbours(weight, mean, max(variance, 1e-4))

    def gates(self, newcomers: NDArray[np.integer]) -> Floats:
        """The largest distances ``(T,)`` at which tracks return that so many newcomers have followed.

        Args:
            newcomers: since each was last seen.
        """
        below = _far_below(int(newcomers.max(initial=0)).bit_length())[newcomers]
        gates: Floats = self.mean - below * self.variance**0.5
        return np.minimum(np.maximum(gates, 0.0), LARGEST_GATE)

    @property
    def strange(self) -> float:
        """The mean distance from which on several views show somebody else."""
        return min(self.mean - _STRANGE * self.variance**0.5, _STRANGERS)


@cache
def _far_below(bits: int) -> Floats:
    """How many standard deviations below the mean who returns must be, by the number of newcomers.

    Args:
        bits: of the largest number that there is an answer for.
    """
    normal = NormalDist()
    return np.array([-normal.inv_cdf(_FALSE_RETURN / (1 + number)) for number in range(1 << bits)])


@dataclass(frozen=True)
class IdChange:
    """Indices that were reported under one id and belong to another.

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
    """A return that may be wrong: what the track was before, and what it has looked like since.

    ``place`` is the row where the track was found last.
    """

    number: int
    time: float
    place: int
    row: Columns
    state: Floats
    embedding: Floats32
    views: int = 0
    distance: float = 0.0
    seen: Floats32 = field(default_factory=lambda: np.zeros(0, np.float32))


class Returns(KeepsAttributes):
    """Who came back, as far as it is not certain yet; and how alike others look."""

    def __init__(self) -> None:
        self.neighbours = Neighbours()
        self._trials: dict[int, _Trial] = {}

    def corrected(self, frame: FrameState) -> list[IdChange]:
        """Takes in one matched frame and gives the ids that it shows to be wrong, which it corrects.

        First it learns how near neighbours come (`Neighbours`), then takes back returns that turn out to be
        none (`judge`), and lets tracks that have just begun return (`recognise`).
        """
        self.neighbours = self.neighbours.after(nearest_others(frame))
        return self.judge(frame) + recognise(frame, self)

    def begin(self, frame: FrameState, rows: Indices, since: tuple[int, float] | None = None) -> None:
        """Notes what tracks ``(K,)`` were before they came back.

        Args:
            frame: the one in which that is known.
            rows: ``(K,)`` which.
            since: number and time of the frame from which on they are there; None for this one.
        """
        table, (number, time) = frame.tracklets, since or (frame.number, frame.time)
        for row in rows.tolist():
            self._trials[int(table.rows["id"][row])] = _Trial(
                number,
                time,
                row,
                table.row(row),
                table.states.values[:, :, row : row + 1].copy(),
                table.embeddings[row].copy(),
            )

    def judge(self, frame: FrameState) -> list[IdChange]:
        """Undoes the returns of those who turn out to look like others."""
        if not self._trials or frame.appearance is None:
            return []
        undone: list[IdChange] = []
        seen = self._clearly_seen(frame)
        if not seen:
            return undone
        views = frame.appearance.embeddings(np.array([column for *_, column in seen], np.intp))
        before = np.array([trial.embedding for _, trial, *_ in seen])
        distances = _distances(before, views, frame.appearance.mean).tolist()
        for (name, trial, row, _), view, distance in zip(seen, views, distances, strict=True):
            trial.views += 1
            trial.distance += distance
            trial.seen = view if trial.views == 1 else trial.seen + view
            if trial.views >= _DOUBTED and trial.distance / trial.views > self.neighbours.strange:
                del self._trials[name]
                undone.append(_take_back(frame.tracklets, row, trial))
        return undone

    def _clearly_seen(self, frame: FrameState) -> list[tuple[int, "_Trial", int, int]]:
        """Each trial with a clear view in a frame (id, trial, row, detection); drops those that are over."""
        assert frame.appearance is not None
        seen, ids = [], frame.tracklets.rows["id"]
        for name, trial in list(self._trials.items()):
            row = trial.place
            if row >= len(ids) or ids[row] != name:  # rows before it went, or all of it did
                found = (ids == name).nonzero()[0]
                row = trial.place = int(found[0]) if found.size else UNMATCHED
            if row == UNMATCHED or trial.views >= _BELIEVED:
                del self._trials[name]
                continue
            column = int(frame.detection_of[row]) if row < len(frame.ages) else UNMATCHED
            if column == UNMATCHED or not frame.appearance.known[column] or frame.at_edge[column]:
                continue
            if frame.covered[column] <= frame.settings.embedding.max_occlusion:
                seen.append((name, trial, row, column))
        return seen


def _distances(some: Floats32, others: Floats32, mean: Floats32) -> Floats32:
    """Distances ``(K,)`` of embeddings ``(K, D)`` pair by pair, see `AppearanceDistances`."""
    pairs = np.arange(len(some))
    given = some, others, pairs, pairs, some @ mean, others @ mean, float(mean @ mean)
    return kernels.pair_distances(*given)


def _take_back(table: TrackletTable, row: int, trial: _Trial) -> IdChange:
    """Gives a track an id of its own, and puts back who was lost."""
    before = int(table.rows["id"][row])
    now = table.next_id()
    for name, value in (("id", now), ("first_seen", trial.number), ("born", trial.time)):
        table.rows[name][row] = value
    table.rows["id_confidence"][row] = 1
    table.rows["embedded_views"][row] = trial.views
    table.put_embedding(row, trial.seen / np.linalg.norm(trial.seen))
    class_ids, scores = (trial.row[name][None] for name in ("class_id", "score"))
    (lost,) = table.append(KalmanStates(trial.state), class_ids, scores, trial.number, trial.time)
    table.put_row(lost, trial.row)
    table.rows["status"][lost] = Status.LOST
    table.put_embedding(lost, trial.embedding)
    return IdChange(before, now, trial.number, trial.time, undone=True)


def nearest_others(frame: FrameState) -> Floats32:
    """How near the nearest other track in view comes to each clear view of a track in a frame: ``(K,)``."""
    none, appearance = np.zeros(0, np.float32), frame.appearance
    if appearance is None:
        return none
    known, before = frame.tracklets.rows["has_embedding"], len(frame.ages)
    in_view = known[:before] & ~(frame.free_tracks | frame.tentative)
    clear = frame.covered, frame.settings.embedding.max_occlusion, frame.track_of, in_view
    columns, own = kernels.clear_views(appearance.known, frame.free_detections, frame.at_edge, *clear)
    others = in_view.nonzero()[0]
    if not len(own) or len(others) < 2:
        return none
    if len(own) > _MOST_VIEWS:  # other ones in each frame
        step = -(-len(own) // _MOST_VIEWS)
        columns, own = columns[frame.number % step :: step], own[frame.number % step :: step]
    rest = np.count_nonzero(known) - 1 + PRIOR_TRACKS
    total = frame.tracklets.mean_embedding() * np.float32(rest + 1)
    views, table = appearance.embeddings(columns), frame.tracklets.embeddings
    return kernels.nearest_other(views, table, others, own, total, float(rest))


# Seconds after its start for which a track may still be known again for one that was here before: where few
# boxes are embedded, it takes some until its looks are known well.
YOUNG = 8.0
# Columns as `mot_reid.kernels.may_return` takes them.
_RETURN = itemgetter("status", "has_embedding", "unembedded_views", "returned", "born", "last_seen")


def recognise(frame: FrameState, returns: Returns) -> list[IdChange]:
    """Gives tracks that have just begun the ids of lost ones, where by now they look like these.

    Who comes in at the edge, or from behind somebody, first shows an arm; what can be told from that is
    little. The id that was given in the meantime is not used again.

    Returns:
        What changed.
    """
    table, rows = frame.tracklets, frame.tracklets.rows
    if frame.gates_after is None or frame.appearance is None:
        return []
    young, lost = kernels.may_return(_RETURN(rows), len(frame.ages), frame.time - YOUNG, frame.time)
    if not young.size:
        return []
    gates, times = frame.gates(lost), (rows["born"], rows["last_seen"])
    looks, places = (table.embeddings, table.mean_embedding()), table.states.position
    if not kernels.look_alike(*looks, young, lost, gates, times, places, (frame.time, SPEED)):
        return []
    distances = table.distances(young, lost)
    possible = (distances <= gates) & (rows["last_seen"][lost] < rows["born"][young][:, None])
    columns = np.nonzero(possible.any(axis=0))[0]
    if not columns.size:
        return []
    possible = possible[:, columns]
    possible &= _in_time(frame, young, lost[columns])
    if not possible.any():
        return []
    in_view = ((rows["last_seen"] == frame.time) & rows["has_embedding"]).nonzero()[0]
    others = table.distances(lost[columns], in_view)
    made: list[IdChange] = []
    near = np.where(possible, distances[:, columns], np.inf)
    for place in np.argsort(near, axis=None)[: int(possible.sum())]:
        a, b = (int(index) for index in np.unravel_index(int(place), near.shape))
        row = int(lost[columns[b]])
        rivals = np.concatenate([np.delete(distances[a], columns[b]), others[b, in_view != young[a]]])
        taken = rows["status"][row] != Status.LOST or rows["returned"][young[a]]
        if taken or rivals.min(initial=np.inf) - near[a, b] < LEAST_MARGIN:
            continue
        made.append(_take_over(frame, returns, int(young[a]), row))
    return made


def _in_time(frame: FrameState, young: Indices, lost: Indices) -> Mask:
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
    before, now = int(rows["id"][young]), int(rows["id"][lost])
    number, time = int(rows["first_seen"][young]), float(rows["born"][young])
    returns.begin(frame, np.array([lost]), (number, time))
    for name in ("id", "first_seen", "id_confidence"):
        rows[name][young] = rows[name][lost]
    rows["returned"][young] = True
    embedding = table.embeddings[[young]].copy()
    views = int(rows["embedded_views"][young]), int(rows["embedded_views"][lost])
    table.put_embedding(young, table.embeddings[lost])
    old = max(0.3, views[1] / max(sum(views), 1))
    table.blend_embeddings(np.array([young]), embedding, np.array([0]), np.array([old], np.float32))
    rows["embedded_views"][young] += views[1]
    rows["status"][lost], rows["id"][lost] = Status.TENTATIVE, 0  # taken out with those that were missed
    frame.settled[lost] = False  # or it could be reported as hidden
    return IdChange(before, now, number, time, undone=False)
