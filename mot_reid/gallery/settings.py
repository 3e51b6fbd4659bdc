"""What is kept of a track, and how records are joined to identities."""

from __future__ import annotations

from dataclasses import dataclass, field

from mot_reid.gallery.splitting import SplitSettings

__all__ = ["IdentifySettings", "RecorderSettings"]


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


@dataclass(frozen=True)
class IdentifySettings:
    """How records are joined to identities.

    Attributes:
        false_links: largest share of wrong links among those made, as expected.
        normalise: take off what a camera's records share, and bring them to one spread.
        rerank: use k-reciprocal neighbours where there are enough records.
        rerank_from: so many.
        k1: neighbours that may be reciprocal, where people have records enough.
        k2: neighbours over which features are averaged.
        travel: learn how long people take between cameras whose clocks are known.
        views: learn where cameras that run at the same time see one floor.
        reassign: give records that were left alone to the identity that fits clearly best.
        reassign_false: probability of being wrong up to which that is done.
        dense: most records for which all pairs are looked at; beyond, the nearest neighbours of each.
        neighbours: how many.
        missing: log-likelihood ratio that other pairs are taken to have.
    """

    false_links: float = 0.05
    normalise: bool = True
    rerank: bool = True
    rerank_from: int = 50
    k1: int = 10
    k2: int = 3
    travel: bool = True
    views: bool = True
    reassign: bool = True
    reassign_false: float = 0.3
    dense: int = 3000
    neighbours: int = 50
    missing: float = -12.0
