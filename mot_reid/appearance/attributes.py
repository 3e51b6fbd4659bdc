"""What a person wears and carries, read from an embedding: one linear layer, no second look at the crop.

Attributes are descriptions for finding a person again ("red top, backpack"). They are guesses from clothing,
learnt in one place and season: not fit to say who or what somebody is, and no ground for any decision about
a person.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mot_reid.files import atomic
from mot_reid.wording import counted

__all__ = ["AttributeHead", "load_attributes", "save_attributes"]

_SEPARATOR = "="


class AttributeHead(NamedTuple):
    """A linear layer behind an embedder, and a softmax over the values of each attribute.

    Attributes:
        names: of the attributes, such as ``upper_colour``.
        values: of each attribute, at least two.
        weight: ``(L, D)`` float32, one row for each value of each attribute, in order.
        bias: ``(L,)`` float32.
        origin: SHA-256 of the checkpoint whose embeddings it reads; embeddings of others mean nothing to it.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    origin: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """What `predict`'s columns mean, such as ``upper_colour=red``."""
        pairs = zip(self.names, self.values, strict=True)
        return tuple(f"{name}{_SEPARATOR}{value}" for name, values in pairs for value in values)

    def predict(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities of all values; those of one attribute add up to 1.

        Of a tracklet, the mean over its crops' rows says more than one crop; its mean embedding does as well.

        Args:
            embeddings: ``(N, D)``, of crops or means of tracklets; their lengths do not matter.

        Returns:
            ``(N, L)`` in the order of `labels`.

        Raises:
            ValueError: the embeddings are of another length than the layer reads.
        """
        embeddings = np.asarray(embeddings, np.float32)
        if embeddings.ndim != 2 or embeddings.shape[1] != self.weight.shape[1]:
            raise ValueError(f"embeddings must be (N, {self.weight.shape[1]}); got {embeddings.shape}")
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        scores = embeddings / np.maximum(norms, 1e-12) @ self.weight.T + self.bias
        parts = np.split(scores, np.cumsum([len(values) for values in self.values])[:-1], axis=1)
        exponents = [np.exp(part - part.max(axis=1, keepdims=True, initial=-np.inf)) for part in parts]
        return np.concatenate([part / part.sum(axis=1, keepdims=True) for part in exponents], axis=1)

    def describe(self, embeddings: NDArray[np.float32]) -> list[dict[str, float]]:
        """The same as a mapping from label to probability for each row, as a gallery keeps it."""
        labels = self.labels
        return [dict(zip(labels, map(float, row), strict=True)) for row in self.predict(embeddings)]


def save_attributes(path: Path | str, head: AttributeHead) -> None:
    """Writes a head as `.safetensors`."""
    from safetensors.numpy import save_file

    metadata = {
        "names": json.dumps(head.names),
        "values": json.dumps(head.values),
        "origin": head.origin,
    }
    tensors = {"weight": head.weight.astype(np.float32), "bias": head.bias.astype(np.float32)}
    with atomic(Path(path)) as part:
        save_file(tensors, str(part), metadata)
        part.chmod(0o644)  # safetensors makes files for their owner alone


def load_attributes(path: Path | str) -> AttributeHead:
    """Reads a head that `save_attributes` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no such head.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such attributes: {path}")
    try:
        with safe_open(str(path), "numpy") as file:
            metadata = file.metadata() or {}
            weight, bias = (np.asarray(file.get_tensor(name), np.float32) for name in ("weight", "bias"))
        names = _texts(json.loads(metadata["names"]))
        values = tuple(map(_texts, json.loads(metadata["values"])))
    except (KeyError, SafetensorError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no head for attributes: {error}") from error
    rows = sum(len(entries) for entries in values)
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError(f"{path}: its layer holds values that are not finite")
    if len(names) != len(values) or weight.ndim != 2 or weight.shape[0] != rows or bias.shape != (rows,):
        raise ValueError(
            f"{path}: {counted(rows, 'value')} of {counted(len(names), 'attribute')}, but a layer "
            f"of {weight.shape}"
        )
    return AttributeHead(names, values, weight, bias, metadata.get("origin", ""))


def _texts(entries: Any) -> tuple[str, ...]:
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError(f"expected a list of texts, got {entries!r:.100}")
    return tuple(entries)
