"""Which piece of a long video an idle worker detects in: one that is found when the tracker comes there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mot_reid.cluster.pieces import Piece, Progress

__all__ = ["Lookahead"]

# What is believed before anything was timed: detection's share of a piece, see benchmarks/tables/pipeline.md.
_DETECTION = 0.8
# A piece is begun where it would be found in this many times the time that it takes.
_MARGIN = 1.1


class Lookahead:
    """Chooses the pieces of one video for the workers that have nothing better to do.

    The tracker goes from piece to piece; one that is found takes it a fraction of the time. Chosen is the
    first piece that it reaches later than a worker needs for it: so nobody detects what it has passed, and
    both have something to do until the end, however many workers there are and whatever a detector costs.

    Args:
        pieces: of the video, in order.
        missing: numbers of those in which nobody has detected yet.
    """

    def __init__(self, pieces: Sequence[Piece], missing: Collection[int]) -> None:
        self._pieces = pieces
        self._free, self._failed = set(missing), set[int]()
        self._progress, self._since = Progress(0), float("-inf")
        self._looks, self._seconds = 0, 0.0

    def see(self, progress: Progress | None, now: float) -> None:
        """Takes note of how far the tracker is; asked for every second or so.

        Args:
            progress: what it told last; None if nothing yet.
            now: seconds on a clock that goes on.
        """
        progress = progress or self._progress
        if progress.piece != self._progress.piece or self._since == float("-inf"):
            self._since = now
        self._progress = progress

    def choose(self, now: float) -> Piece | None:
        """The piece that is to be done next, which is then under way; None if it is too late for any."""
        at, own, taken = self._progress.piece, self._progress.own, self._progress.taken
        looking, elapsed = self._seconds / self._looks if self._looks else None, now - self._since
        if own is None and looking is None:  # nothing was timed yet: shares will do
            own, elapsed = 1.0, 0.0
        elif own is None:
            own = (looking or 0.0) / _DETECTION
        own = own or 0.0
        taken = (1 - _DETECTION) * own if taken is None else taken
        looking = max(own - taken, 0.0) if looking is None else looking
        until = max(self._cost(at, own, taken) - elapsed, 0.0)
        for piece in self._pieces[at + 1 :]:
            if piece.number in self._free and until >= _MARGIN * looking:
                self._free.remove(piece.number)
                return piece
            until += self._cost(piece.number, own, taken)
        return None

    def _cost(self, number: int, own: float, taken: float) -> float:
        return own if number in self._free or number in self._failed else taken

    def came(self, seconds: float) -> None:
        """Takes note that detection in a piece has taken so long."""
        self._looks, self._seconds = self._looks + 1, self._seconds + seconds

    def failed(self, piece: Piece) -> None:
        """Leaves a piece to the tracker."""
        self._failed.add(piece.number)
