"""Live sources that are opened again when they break off: streams and webcams."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol, cast

from mot_reid.video.clock import LiveClock
from mot_reid.video.fitting import Fitter
from mot_reid.video.frames import Frame, Selection, Source, SourceError
from mot_reid.wording import counted

__all__ = ["Connection", "LiveSource"]

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds before an attempt; each one waits twice as long as the last

_log = logging.getLogger(__name__)


class Connection(Protocol):
    """One connection to a live source: what `LiveSource` needs beyond a `Source`."""

    label: str
    endless: bool
    """Whether an end without an error is a hang-up: a camera never ends, a recording does."""


class LiveSource(Source):
    """A live source through all of its connections: numbers, times and size go on where they were.

    A connection that breaks off, falls silent or hangs up is made again, after 0.5, 1, 2, 4 and so on up to
    30 seconds. Frames of another size, behind a new connection or within one, are fitted into the first size
    with black borders, so that tracks go on.

    Args:
        first: the first connection; it gives all frames.
        clock: where their times come from, shared by all connections.
        connect: makes another connection like the first.
        selection: which frames are wanted.
        attempts: how often in a row to try; 0 for never.

    Attributes:
        reconnections: how often it was opened again.
    """

    def __init__(
        self,
        first: Source,
        clock: LiveClock,
        connect: Callable[[], Source],
        selection: Selection,
        attempts: int,
    ) -> None:
        self.reconnections = 0
        self._connect, self._selection, self._attempts = connect, selection, attempts
        self._clock = clock
        self._stopped = threading.Event()
        self._source: Source | None = first
        self._about = cast("Connection", first)
        self._label = self._about.label
        self.info = replace(first.info, frame_count=selection.count(selection.stop))
        self._number, self._lost, self._told = 0, 0, 0
        self._fitter = Fitter(first.info.width, first.info.height, self.tell)

    def __iter__(self) -> Iterator[Frame]:
        while (source := self._source) is not None and not self._stopped.is_set():
            failure, before, lost = "", self._number, self._lost
            try:
                for frame in source:
                    self._number, self.damaged = before + frame.number, lost + source.damaged
                    self._take_notes(source)
                    if self._number in self._selection:
                        yield replace(
                            frame, number=self._number, image=self._fitter.fit(self._number, frame.image)
                        )
                    if self._stopped.is_set() or self._selection.is_past(self._number + 1):
                        return
            except SourceError as error:
                failure = _cause(error, self._label)
            self._lost = lost + source.damaged
            self._let_go(source)
            if self._stopped.is_set() or not (failure or self._about.endless):
                return
            self._again(failure or "hung up")

    def stop(self) -> None:
        """Ends the iteration as soon as what is being waited for has come; from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Closes the connection; safe to call at any time, and more than once."""
        self._stopped.set()
        if (source := self._source) is not None:
            self._let_go(source)

    def _let_go(self, source: Source) -> None:
        source.close()
        self._take_notes(source)
        self._source, self._told = None, 0

    def _take_notes(self, source: Source) -> None:
        """Takes over what a connection has told since the last time; it may never come to an end."""
        self.notes += source.notes[self._told :]
        self._told = len(source.notes)

    def _again(self, failure: str) -> None:
        """Makes a new connection.

        Raises:
            SourceError: all attempts failed.
        """
        broken = f"breaks off after frame {self._number}: {failure}"
        last, wait = failure, FIRST_WAIT
        for attempt in range(1, self._attempts + 1):
            if self._stopped.wait(wait):
                return
            self._clock.restart()
            try:
                self._source = source = self._connect()
            except SourceError as error:
                last, wait = _cause(error, self._label), min(2 * wait, LONGEST_WAIT)
                continue
            if self._stopped.is_set():  # closed, perhaps, when there was nothing to close yet
                self._let_go(source)
                return
            self.reconnections += 1
            _log.warning("%s: %s; opened again (attempt %d)", self._label, broken, attempt)
            return
        tried = counted(self._attempts, "attempt")
        again = f"; {tried} to open it again failed: {last}" if self._attempts else ""
        raise SourceError(f"{self._label}: {broken}{again}")


def _cause(error: SourceError, label: str) -> str:
    """Why a connection failed, without the number of a frame, which counts within that connection."""
    text = str(error).removeprefix(f"{label}: ")
    return re.sub(r"^breaks off after frame \d+(?:: )?", "", text) or "hung up"
