"""Identities while sources run: proposed early, committed when sure, merged by an event, never silently."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.evidence import kind_scales
from mot_reid.gallery.normalisation import camera_statistics, normalised
from mot_reid.typing import Embeddings, Floats, Indices, Ints

__all__ = ["IdentityEvent", "OnlineIdentities", "OnlineSettings"]


_GROWN = 1.1  # times as many tracks as when it was measured how far strangers lie apart: it is measured again
_NO_PAIRS = np.zeros((0, 2), np.intp)


@dataclass(frozen=True)
class OnlineSettings:
    """When an identity is proposed, committed and merged.

    Attributes:
        false_links: largest probability of being wrong at which an identity is committed, or two are merged.
        views: embeddings of a track from which on it can be committed.
        patience: seconds of a track after which it is committed to what is likeliest then.
        tolerance: seconds that two tracks of one source may share and still be one person.
        remembered: tracks that are compared with at the most, the latest.
    """

    false_links: float = 0.05
    views: int = 3
    patience: float = 3.0
    tolerance: float = 0.5
    remembered: int = 4000


@dataclass(frozen=True)
class IdentityEvent:
    """What became known of who somebody is.

    Attributes:
        event: ``proposed``: a track has this identity for now; ``committed``: it keeps it; ``merged``: all
            that had ``identity`` is ``into``.
        identity: its number.
        time: seconds of the source at which it became known.
        camera: whose track it is; of a merge, whose track it showed in.
        id: the track.
        probability: of being right.
        into: of a merge, the number that stays; else None.
    """

    event: Literal["proposed", "committed", "merged"]
    identity: int
    time: float
    camera: str
    id: int
    probability: float
    into: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        values = asdict(self) | {"time": round(self.time, 3), "probability": round(self.probability, 4)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(eq=False)
class _Track:
    """A track of one source, that runs or has ended."""

    source: str
    camera: str
    number: int
    start: float
    end: float
    total: Floats
    views: int = 0
    identity: int = 0
    committed: bool = False
    probability: float = 0.0
    own: int = 0  # the number that was made for it

    @cached_property
    def mean(self) -> Embeddings:
        """The weighted mean embedding ``(D,)`` at length 1."""
        return (self.total / max(float(np.linalg.norm(self.total)), 1e-12)).astype(np.float32)

    def see(self, look: Embeddings, weight: float) -> None:
        """Takes an embedding ``(D,)`` into the mean."""
        self.total += weight * look
        self.views += 1
        vars(self).pop("mean", None)


class OnlineIdentities:
    """Who is who over several sources while they run; safe to use from several threads.

    A track is compared with those that are committed, as `mot_reid.gallery.identities.identify` compares
    records: by cosines of embeddings without what their cameras share, measured by how far strangers lie
    apart here, turned into log-likelihood ratios and averaged over an identity. Before, each identity that
    is not barred (who is in the picture already is somebody else) is as likely as another, and "nobody yet"
    as likely as the tracks so far let expect.

    Args:
        calibration: of the embedder.
        settings: the defaults where None.
        tell: called with each event, in the thread of the source that showed it; it may ask who is who.
        first: number of the first new identity.
    """

    def __init__(
        self,
        calibration: Calibration,
        settings: OnlineSettings | None = None,
        tell: Callable[[IdentityEvent], None] = lambda event: None,
        first: int = 1,
    ) -> None:
        self.settings = settings or OnlineSettings()
        self._calibration, self._tell, self._next = calibration, tell, first
        self._lock = threading.RLock()  # whoever is told may ask
        self._tracks: dict[tuple[str, int], _Track] = {}
        self._running: dict[str, dict[int, _Track]] = {}
        self._into: dict[int, int] = {}
        self._scales, self._measured = np.ones(2), 2  # of cosines, and of how many tracks; two tell nothing

    def remember(
        self, source: str, camera: str, track: int, span: tuple[float, float], mean: Embeddings, identity: int
    ) -> None:
        """Takes in a track of an earlier run, whose identity is known.

        Args:
            source: a name that no source of now has.
            camera: its camera.
            track: its id there.
            span: seconds from and to which it was seen.
            mean: its embedding ``(D,)``.
            identity: its number.
        """
        known = _Track(source, camera, track, *span, mean.astype(np.float64), self.settings.views)
        known.identity, known.committed, known.probability = identity, True, 1.0
        with self._lock:
            self._tracks[source, track] = known
            self._next = max(self._next, identity + 1)

    def observe(
        self,
        source: str,
        camera: str,
        time: float,
        ids: Ints,
        rows: Indices,
        looks: Embeddings,
        weights: Floats,
    ) -> Ints:
        """Takes in one frame of a source.

        Args:
            source: its name; no two sources share one.
            camera: its camera.
            time: seconds of the source, ascending.
            ids: ``(N,)`` of the tracks in the frame.
            rows: ``(K,)`` which of them were embedded.
            looks: ``(K, D)`` unit rows, their embeddings.
            weights: ``(K,)`` positive, how well each shows its person.

        Returns:
            ``(N,)`` the identity of each track as far as it is known; 0 for none.
        """
        with self._lock:
            running = self._running.setdefault(source, {})
            for track_id in ids.tolist():
                track = running.get(track_id)
                if track is not None:
                    track.end = time
            for row, look, weight in zip(rows.tolist(), looks, weights.tolist(), strict=True):
                track_id = int(ids[row])
                track = running.get(track_id)
                if track is None:  # new, or back: a tracker knows its own for longer than ends are waited for
                    track = self._tracks.get((source, track_id))
                    if track is None:
                        track = _Track(source, camera, track_id, time, time, np.zeros(looks.shape[1]))
                    running[track_id] = self._tracks[source, track_id] = track
                    track.end = time
                track.see(look, weight)
                if not track.committed:
                    self._decide(track, time)
            return self._numbers([running.get(track_id) for track_id in ids.tolist()])

    def finish(self, source: str, track_id: int) -> None:
        """A track has ended: what it showed may join two identities."""
        with self._lock:
            track = self._running.get(source, {}).pop(track_id, None)
            if track is None:
                return
            if not track.committed and self._beside_itself(track):
                self._decide(track, track.end)
            if not track.committed:
                self._commit(track, track.end)
            self._merge(track)
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Lets those go that came first, beyond as many as are remembered; who still runs stays."""
        spare = len(self._tracks) - self.settings.remembered
        if spare > 0:
            ended = (key for key in self._tracks if key[1] not in self._running.get(key[0], {}))
            for key in list(itertools.islice(ended, spare)):
                del self._tracks[key]

    def identity(self, source: str, track_id: int) -> int:
        """The identity of a track as it is known now; 0 for none."""
        with self._lock:
            track = self._tracks.get((source, track_id))
            return 0 if track is None else self._number(track)

    def final(self, number: int) -> int:
        """What became of an identity by merging."""
        with self._lock:
            return self._final(number)

    def _numbers(self, tracks: list[_Track | None]) -> Ints:
        """The identities of tracks of one frame; nobody is there twice: who was seen longer keeps his."""
        numbers = [0 if track is None else self._number(track) for track in tracks]
        order = sorted(range(len(tracks)), key=lambda place: -getattr(tracks[place], "views", 0))
        given: set[int] = set()
        for place in order:
            if numbers[place] in given:
                numbers[place] = 0
            given.add(numbers[place])
        return np.array(numbers, np.int64)

    def _number(self, track: _Track) -> int:
        return self._final(track.identity)

    def _final(self, number: int) -> int:
        while number in self._into:
            number = self._into[number]
        return number

    def _evidence(self, tracks: list[_Track], others: list[_Track]) -> Floats:
        """Log-likelihood ratios ``(T, O)``."""
        everybody = [track for track in self._tracks.values() if track.views]
        cameras = np.array([track.camera for track in everybody], object)
        means = np.stack([track.mean for track in everybody])
        statistics = camera_statistics(means, cameras)
        if len(everybody) >= _GROWN * self._measured:
            points = normalised(means, cameras, statistics)
            self._scales = kind_scales(points, cameras, _NO_PAIRS, self._calibration)
            self._measured = len(everybody)

        def placed(chosen: list[_Track]) -> tuple[NDArray[np.object_], Embeddings]:
            names = np.array([track.camera for track in chosen], object)
            return names, normalised(np.stack([track.mean for track in chosen]), names, statistics)

        (some, own), (names, those) = placed(tracks), placed(others)
        within = (some[:, None] == names).astype(np.intp)
        return self._calibration.evidence(self._scales[within] * (own @ those.T))

    def _together(self, first: _Track, second: _Track) -> bool:
        """Whether one picture shows both at a time."""
        shared = min(first.end, second.end) - max(first.start, second.start)
        return first.source == second.source and shared > self.settings.tolerance

    def _beside_itself(self, track: _Track) -> bool:
        """Whether one picture shows a track and another one that is committed to its identity."""
        number, others = self._number(track), (other for other in self._tracks.values() if other is not track)
        return any(
            other.committed and self._number(other) == number and self._together(track, other)
            for other in others
        )

    def _choices(self, track: _Track) -> dict[int, float]:
        """The mean evidence that a track is each of the identities that it can be."""
        others = [other for other in self._tracks.values() if other.identity and other is not track]
        barred = {
            self._number(other)
            for other in others
            if self._together(track, other)
            or (
                other.source == track.source
                and other.end >= track.end
                and (other.committed or other.probability > track.probability)
            )
        }
        others = [other for other in others if other.committed and self._number(other) not in barred]
        if not others:
            return {}
        values = self._evidence([track], others)[0]
        found: dict[int, list[float]] = {}
        for other, value in zip(others, values.tolist(), strict=True):
            found.setdefault(self._number(other), []).append(value)
        return {number: float(np.mean(entries)) for number, entries in found.items()}

    def _nobody_yet(self, choices: int) -> float:
        """Logarithm of how much likelier somebody new is than each of so many identities, before looks.

        The next track is expected to be somebody new as often as those that are committed were, by the rule
        of succession: one more was new, and one was not.
        """
        known = [self._number(track) for track in self._tracks.values() if track.committed]
        new, old = len(set(known)) + 1, len(known) - len(set(known)) + 1
        return float(np.log(new / old * max(choices, 1)))

    def _decide(self, track: _Track, time: float) -> None:
        """Proposes an identity, and commits it if it is sure or time is up."""
        choices = self._choices(track)
        numbers = [0, *choices]
        scores = np.array([self._nobody_yet(len(choices)), *choices.values()])
        share = np.exp(scores - scores.max())
        share /= share.sum()
        best = int(share.argmax())
        number, probability = numbers[best], float(share[best])
        if not number:
            if not track.own:
                track.own, self._next = self._next, self._next + 1
            number = track.own
        changed = number != self._number(track)
        track.identity, track.probability = number, probability
        if changed:
            self._say("proposed", track, time)
        sure = track.views >= self.settings.views and probability >= 1 - self.settings.false_links
        if sure or (time - track.start >= self.settings.patience and track.views > 1):
            self._commit(track, time)

    def _commit(self, track: _Track, time: float) -> None:
        track.committed = True
        self._say("committed", track, time)

    def _say(self, event: Literal["proposed", "committed"], track: _Track, time: float) -> None:
        number = self._number(track)
        self._tell(IdentityEvent(event, number, time, track.camera, track.number, track.probability))

    def _merge(self, track: _Track) -> None:
        """Joins the identity of a track with the one that fits best, if that is sure now."""
        number = self._number(track)
        members: dict[int, list[_Track]] = {}
        for other in self._tracks.values():
            if other.committed:
                members.setdefault(self._number(other), []).append(other)
        own = members.pop(number, [])
        free = {
            name: group
            for name, group in members.items()
            if not any(self._together(one, other) for one in own for other in group)
        }
        if not own or not free:
            return
        values = self._evidence(own, [other for group in free.values() for other in group]).mean(axis=0)
        bounds = np.cumsum([0, *map(len, free.values())])
        means = np.array([values[a:b].mean() for a, b in itertools.pairwise(bounds.tolist())])
        scores = np.array([*means, self._nobody_yet(len(means))])
        share = np.exp(scores - scores.max())
        share = (share / share.sum())[:-1]
        best = int(share.argmax())
        if share[best] < 1 - self.settings.false_links:
            return
        kept, gone = sorted((number, list(free)[best]))
        self._into[gone] = kept
        chance = float(share[best])
        self._tell(IdentityEvent("merged", gone, track.end, track.camera, track.number, chance, kept))
