"""What is kept of a track."""

from __future__ import annotations

from dataclasses import dataclass, field

from mot_reid.gallery.splitting import SplitSettings

__all__ = ["RecorderSettings"]


@dataclass(frozen=True)
class RecorderSettings:
    """What is kept of a track.

    Attributes:
        medoids: most embeddings that differ.
        apart: least cosine distance between two of them.
        crops: most pictures; 0 for none.
        crop_height: of a picture at the most, pixels.
        views: a track with fewer embeddings has its best crops embedded at its end.
        most_views: embeddings of one track held in memory; beyond, every second one goes.
        patience: seconds out of sight after which a track has ended.
        longest: seconds after which a track that goes on is written, as a part of its own.
        batch: finished records that are handed over at once, unless `wait` is over before.
        wait: seconds of wall time for which a finished record waits at the most.
        path: most boxes of a record's path.
        split: when a track is taken for two people; None for never.
    """

    medoids: int = 5
    apart: float = 0.15
    crops: int = 5
    crop_height: int = 192
    views: int = 5
    most_views: int = 256
    patience: float = 21.0
    longest: float = 600.0
    batch: int = 64
    wait: float = 30.0
    path: int = 64
    split: SplitSettings | None = field(default_factory=SplitSettings)
