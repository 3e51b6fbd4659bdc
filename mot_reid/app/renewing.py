"""Runs whose results have changed since they were read: one goes on, or was made again."""

from __future__ import annotations

from mot_reid.app.kept_files import stamp_of
from mot_reid.app.runs import Run

__all__ = ["renew"]


def renew(run: Run) -> None:
    """Lets go of what was read of a run if its files are others by now: the next to ask reads them again."""
    stamp = stamp_of(run.folder)
    if stamp != run.stamp:
        run.stamp = stamp
        run.release()
        run.pictures.close()
