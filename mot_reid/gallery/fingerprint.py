"""Which embedder made some embeddings."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from mot_reid.resources import ONNX_ORIGIN

__all__ = ["embedder_fingerprint", "weights_fingerprint"]


def embedder_fingerprint(embedder: Any) -> tuple[str, str]:
    """Name and fingerprint of an embedder; embeddings of equal fingerprints can be compared.

    Of weights in a file the fingerprint is their SHA-256, of an export of ours the one of its checkpoint, for
    both give the same embeddings. An embedder of the user's own has an attribute ``fingerprint``, or else its
    name or type stands for it.
    """
    name = str(getattr(embedder, "name", type(embedder).__name__))
    own = getattr(embedder, "fingerprint", None)
    if own:
        return name, str(own)
    path = getattr(embedder, "path", None)
    if path is None:
        return name, f"name:{name}"
    return Path(path).stem, weights_fingerprint(Path(path))


def weights_fingerprint(path: Path) -> str:
    """SHA-256 of a weights file, or of the checkpoint that an export was made from."""
    if path.is_dir():
        digests = "".join(weights_fingerprint(file) for file in sorted(path.rglob("*")) if file.is_file())
        return hashlib.sha256(digests.encode()).hexdigest()
    return _digest(path, path.stat().st_size, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, modified: int) -> str:
    content = path.read_bytes()
    if path.suffix == ".onnx":
        # The metadata entry is the key's text, a tag, a length and the digest's 64 hexadecimal digits.
        place = content.find(ONNX_ORIGIN.encode())
        if place >= 0:
            value = content[place + len(ONNX_ORIGIN) :][2:66]
            if len(value) == 64 and all(digit in b"0123456789abcdef" for digit in value):
                return value.decode()
    return hashlib.sha256(content).hexdigest()
