"""Pruning: tracks of what the detector took for a person now and then, but was never sure of."""

from __future__ import annotations

import numpy as np

from mot_reid.offline.rows import TrackRows, track_starts

__all__ = ["prune_tracks"]


def prune_tracks(rows: TrackRows, least_share: float) -> TrackRows:
    """Takes out whole tracks whose scores were low all along.

    A person is half hidden for a while and seen well for another; a reflection, a statue or a coat on its
    hook scores low as long as it is followed. A track counts for what lies halfway between its mean and its
    best score: the mean alone would take those out who are long hidden, the best alone would fall for a
    single lucky frame. It is compared with what is usual in these tracks, as detectors differ.

    Args:
        rows: tracks; their ``interpolated`` rows do not count.
        least_share: of the usual score, what a track must reach; 0 keeps all.

    Returns:
        The rows of the tracks that stay, unchanged.
    """
    scores = np.where(rows.interpolated, 0, rows.scores).astype(np.float64)
    squares = scores**2
    if not least_share or not squares.any():
        return rows
    # The mean of all scores, each weighted by its square: false ones hardly count.
    usual = (squares @ scores) / squares.sum()
    starts = track_starts(rows.ids)
    seen = np.maximum(np.add.reduceat(~rows.interpolated, starts, dtype=np.int64), 1)
    convincing = (np.add.reduceat(scores, starts) / seen + np.maximum.reduceat(scores, starts)) / 2
    lengths = np.diff(np.append(starts, len(rows)))
    return rows[np.repeat(convincing >= least_share * usual, lengths)]
