"""From a configuration to its embedder; `mot_reid.appearance.backends` tells the kinds of weights apart."""

from mot_reid.appearance.base import Embedder
from mot_reid.config import Config
from mot_reid.devices import resolve_device

__all__ = ["load_embedder"]


def load_embedder(config: Config) -> Embedder:
    """Loads the embedder that a configuration names.

    Args:
        config: its parts ``embedder`` and ``device``, and ``pipeline.threads``, say what and how.

    Raises:
        FileNotFoundError: there are no such weights.
        ImportError: what they need is not installed.
        ValueError: the file does not fit the network, this machine has no such device, or the runtime cannot
            run it.
    """
    from mot_reid.appearance.embedder import NetworkEmbedder

    return NetworkEmbedder(config.embedder, resolve_device(config.device), config.pipeline.threads)
