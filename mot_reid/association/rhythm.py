"""The rhythm of a detector that rests, where the frames between its looks come without detections."""

from mot_reid.rollback import KeepsAttributes

__all__ = ["DetectorRhythm"]

# So many looks in a row, equally far apart, are a rhythm.
_ENOUGH = 3
_EACH_FRAME = (1,) * _ENOUGH


class DetectorRhythm(KeepsAttributes):
    """Tells "not looked" from "nothing there" where nobody says which it is.

    A detector that runs on every n-th frame, with empty detections handed in between, shows in gaps of n
    frames, one after the other, from one frame with detections to the next. From then on an empty frame
    before the n-th counts as one that nobody looked at. A shorter gap ends that.
    """

    def __init__(self) -> None:
        self._gaps: tuple[int, ...] = ()
        self._since = 0  # frames since the last one with detections; 0 before any
        self._every = 1

    def looked(self, count: int) -> bool:
        """Tells whether a frame with ``count`` detections was looked at; takes it in."""
        if not count:
            self._since += self._since > 0
            return not 0 < self._since - 1 < self._every
        if self._since == self._every == 1 and self._gaps == _EACH_FRAME:
            return True
        if self._since:
            self._gaps = (*self._gaps, self._since)[-_ENOUGH:]
            self._every = min(self._every, self._since)
            if len(self._gaps) == _ENOUGH and min(self._gaps) == max(self._gaps):
                self._every = self._since
        self._since = 1
        return True
