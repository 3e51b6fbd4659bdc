"""What has been seen of one running track."""

from __future__ import annotations

from dataclasses import dataclass, field

from mot_reid.gallery.pictures import Picture
from mot_reid.typing import Embeddings

__all__ = ["TrackMemory"]


@dataclass(eq=False)
class TrackMemory:
    """What has been seen of one track since it began, or since its last part was written."""

    class_id: int
    part: int = 0
    rows: list[tuple[float, ...]] = field(default_factory=list)  # frame, time, box, quality, confidence
    thinned: int = 1
    boxes: int = 0
    crossed: bool = True
    embeddings: list[Embeddings] = field(default_factory=list)
    views: list[tuple[float, float, float, bool]] = field(
        default_factory=list
    )  # time, quality, sure, crossed
    skipped: int = 1
    offered: int = 0
    pictures: list[Picture] = field(default_factory=list)
    first: tuple[int, float] = (0, 0.0)
    last: tuple[int, float] = (0, 0.0)
    confidence: float = 1.0

    def thin(self, most_rows: int, most_views: int) -> None:
        """Keeps memory bounded: drops every second box or embedding and from then on takes half as many."""
        if len(self.rows) > 2 * most_rows:
            self.rows, self.thinned = self.rows[::2], 2 * self.thinned
        if len(self.views) > most_views:
            kept, self.skipped = slice(None, None, 2), 2 * self.skipped
            crossed = [view[3] for view in self.views]
            self.views = [
                (time, quality, sure, gone or (place > 0 and crossed[2 * place - 1]))
                for place, (time, quality, sure, gone) in enumerate(self.views[kept])
            ]
            self.embeddings = self.embeddings[kept]
