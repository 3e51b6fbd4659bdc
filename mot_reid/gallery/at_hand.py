"""The embedder that a gallery was made with, where this machine has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mot_reid.gallery.fingerprint import weights_fingerprint
from mot_reid.resources import EMBEDDERS, shipped

if TYPE_CHECKING:
    from mot_reid.appearance.base import Embedder
    from mot_reid.gallery.store import GalleryInfo

__all__ = ["embedder_at_hand"]


def embedder_at_hand(weights: str | Path | None, info: GalleryInfo | None) -> Embedder:
    """Loads an embedder for a gallery; whether it is the gallery's own is for the caller to make sure.

    Args:
        weights: those that are wanted; None for those that ship and that the gallery was made with, or else
            the default ones.
        info: the gallery's; None where there is none yet.
    """
    from mot_reid.appearance.embedder import NetworkEmbedder
    from mot_reid.config import EmbedderConfig

    if weights is None and info is not None:
        files = sorted(shipped("weights").glob(f"{EMBEDDERS}*.safetensors"))
        names = (file.name for file in files if weights_fingerprint(file) == info.fingerprint)
        weights = next(names, None)
    return NetworkEmbedder(EmbedderConfig() if weights is None else EmbedderConfig(weights=str(weights)))
