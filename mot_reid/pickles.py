"""Which PyTorch checkpoints are data only: a pickle can run any code while it is read.

A whole module, as Ultralytics saves its models, cannot be read with ``weights_only=True``. So its pickle is
read twice: here first, with inert stand-ins for whatever it names, and in earnest only if all that it does is
to put tensors and plain values into the layers that torch and Ultralytics define.
"""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["TRUST", "UntrustedError", "require_data_only", "weights_trusted"]

TRUST = "MOT_REID_TRUST_WEIGHTS"
"""The environment variable that lets weights run code; ``--trust-weights`` sets it for one command."""

_ADVICE = (
    "whoever trusts its maker can load it with --trust-weights, in Python with "
    f"YoloDetector(..., trust=True) or {TRUST}=1 in the environment"
)

# What may be called, with which arguments: makers of tensors and of plain values.
_CALLED = {
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.Size",
    "torch.device",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.dtype",
    "collections.OrderedDict",
    "builtins.set",
    "builtins.frozenset",
    "builtins.complex",
    "builtins.slice",
    "torchvision.transforms.functional.InterpolationMode",
    *(
        f"{module}.{kind}"
        for module in ("pathlib", "pathlib._local")
        for kind in ("PosixPath", "WindowsPath")
    ),
}
# Made without arguments, then filled with what was saved.
_FILLED = {
    "types.SimpleNamespace",
    "argparse.Namespace",
    "ultralytics.utils.IterableSimpleNamespace",
    *(
        f"torchvision.transforms.transforms.{name}"
        for name in ("Compose", "Normalize", "Resize", "CenterCrop", "ToTensor")
    ),
}
# Named as a value: no call.
_NAMED = {"numpy.ndarray", *(f"torch.{kind}" for kind in ("FloatStorage", "HalfStorage", "DoubleStorage"))}
_NAMED |= {f"torch.{kind}Storage" for kind in ("Long", "Int", "Short", "Char", "Byte", "Bool", "BFloat16")}
_NAMED |= {"torch.storage.UntypedStorage", "torch.strided", "torch.channels_last", "torch.contiguous_format"}
_NAMED |= {f"torch.{kind}{bits}" for kind in ("float", "int") for bits in (16, 32, 64)}
_NAMED |= {f"torch.{kind}" for kind in ("bfloat16", "int8", "uint8", "bool")}
# Where the layers lie, and plain classes of losses that a training leaves in its checkpoints.
_LAYERS = ("torch.nn.modules.", "ultralytics.nn.modules.", "ultralytics.nn.tasks.")
_LOSSES = ("ultralytics.utils.loss.", "ultralytics.utils.tal.")
_OLD_NAMES = {
    "__builtin__.": "builtins.",
    "ultralytics.yolo.utils.": "ultralytics.utils.",
    "ultralytics.yolo.v8.": "ultralytics.models.yolo.",
}
_RENAMED = {
    "ultralytics.nn.modules.block.Silence": "torch.nn.modules.linear.Identity",
    "ultralytics.nn.tasks.YOLOv10DetectionModel": "ultralytics.nn.tasks.DetectionModel",
    "ultralytics.utils.loss.v10DetectLoss": "ultralytics.utils.loss.E2EDetectLoss",
}


class UntrustedError(ValueError):
    """A file could run code when it is loaded."""


def weights_trusted() -> bool:
    """Whether the user lets weights run code (`TRUST`)."""
    return os.environ.get(TRUST, "").lower() in ("1", "true", "yes", "on")


def require_data_only(path: Path, trust: bool | None = None) -> None:
    """Makes sure that loading a checkpoint by ``torch.load`` runs no code of the checkpoint's own.

    Args:
        path: a file of ``torch.save``, which may hold whole modules of torch and Ultralytics.
        trust: True for any code; None for what the environment says.

    Raises:
        UntrustedError: it would, or it is of a kind that cannot be looked into; the message names the file
            and the option that trusts it.
        ValueError: it is damaged.
    """
    if weights_trusted() if trust is None else trust:
        return
    try:
        content = _data_pickle(path)
        if content is None:
            raise _Refused("a kind of file that can hold code")
        _check(content)
    except _Refused as reason:
        raise UntrustedError(f"{path}: could run code when it is loaded ({reason}); {_ADVICE}") from None


class _Refused(Exception):
    """Why a pickle is not data only."""


def _data_pickle(path: Path) -> bytes | None:
    """The one pickle that ``torch.load`` reads from a file, got by torch's own reader; None for other kinds.

    Two readers of zip files can see two contents in one file, so it has to be the same reader.
    """
    import torch

    with path.open("rb") as file:
        start = file.read(4)
    if start != b"PK\x03\x04":
        if path.suffix == ".pt" and not start.startswith(b"\x80"):
            raise ValueError(f"{path}: cannot be loaded: not a PyTorch checkpoint")
        return None
    try:
        reader = torch._C.PyTorchFileReader(str(path))
        if "constants.pkl" in reader.get_all_records():
            return None  # TorchScript: a program
        return reader.get_record("data.pkl")
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: not a readable PyTorch checkpoint: {reason}") from None


def _check(content: bytes) -> None:
    try:
        root = _Reader(io.BytesIO(content)).load()
    except _Refused:
        raise
    except Exception as error:  # whatever a pickle can raise that is none, or no honest one
        raise _Refused(f"its pickle cannot be followed: {' '.join(str(error).split())[:100]}") from None
    for value in _values(root):
        if isinstance(value, _Name) and value.name not in _NAMED:
            raise _Refused(f"it keeps {value.name} as a value")


class _Reader(pickle.Unpickler):
    """Reads a pickle with stand-ins: nothing that it names is imported or called."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of what a pickle names."""
        return _named(f"{module}.{name}")

    def persistent_load(self, key: Any) -> Any:
        """A tensor's storage, which is not needed here."""
        if not (isinstance(key, tuple) and len(key) == 5 and key[0] == "storage"):
            raise _Refused("it refers to something that is no tensor")
        if not isinstance(key[1], _Name) or key[1].name not in _NAMED:
            raise _Refused("it refers to a storage of an unknown kind")
        return _Made("storage", (), [])


class _Made:
    """Stands for an object; takes any state."""

    def __init__(self, name: str, arguments: tuple[Any, ...], state: list[Any]) -> None:
        self.name, self.arguments, self.state = name, arguments, state

    def __setstate__(self, state: Any) -> None:
        self.state.append(state)


class _Name(type):
    """Stands for what a pickle names: to call it is one thing, to make an empty object of it another."""

    name: str
    calls: Callable[..., Any] | None
    fills: bool

    def __call__(cls, *arguments: Any) -> Any:
        if cls.calls is None and not (cls.fills and not arguments):
            raise _Refused(f"it calls {cls.name}")
        return _made(cls.name, arguments) if cls.calls is None else cls.calls(*arguments)


def _new(cls: _Name, *arguments: Any) -> _Made:
    if not cls.fills or arguments:
        raise _Refused(f"it makes a {cls.name}")
    return _made(cls.name, ())


def _made(name: str, arguments: tuple[Any, ...]) -> _Made:
    return _Made(name, arguments, [])


def _named(name: str) -> _Name:
    for old, new in _OLD_NAMES.items():
        if name.startswith(old):
            name = new + name.removeprefix(old)
    name = _RENAMED.get(name, name)
    calls: Callable[..., Any] | None = None
    if name in ("builtins.set", "builtins.frozenset", "collections.OrderedDict"):
        calls = {"builtins.set": set, "builtins.frozenset": frozenset}.get(name, OrderedDict)
    elif name == "_codecs.encode":
        calls = _encode
    elif name == "builtins.getattr":
        calls = _method
    elif name in _CALLED:

        def calls(*arguments: Any) -> _Made:
            return _made(name, arguments)

    fills = name in _FILLED or _is_layer(name)
    if calls is None and not fills and name not in _NAMED:
        raise _Refused(f"it names {name}")
    return _Name(
        "stand_in",
        (),
        {"__new__": _new, "name": name, "calls": staticmethod(calls) if calls else None, "fills": fills},
    )


def _is_layer(name: str) -> bool:
    """Whether a name is that of a layer of torch or Ultralytics, or of one of the latter's losses."""
    if not name.startswith(_LAYERS + _LOSSES):
        return False
    from torch import nn

    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    known = isinstance(found, type) and found.__module__.startswith(("torch.nn.", "ultralytics."))
    return known and (issubclass(found, nn.Module) or name.startswith(_LOSSES))


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How the second protocol keeps bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused("it calls _codecs.encode")
    return text.encode("latin1")


def _method(owner: Any, name: Any) -> _Made:
    """Bound and unbound ``forward``, which some of Ultralytics' models keep; values of torchvision's enum."""
    enum = getattr(owner, "name", "") == "torchvision.transforms.functional.InterpolationMode"
    if isinstance(owner, _Name | _Made) and (
        (isinstance(name, str) and enum and not name.startswith("_"))
        or (name in ("forward", "forward_fuse") and _is_layer(owner.name))
    ):
        return _made("method", ())
    raise _Refused(f"it calls getattr for {name!r}")


def _values(root: Any) -> Iterator[Any]:
    """Everything in what a pickle holds, once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        elif isinstance(value, _Made):
            waiting += [*value.arguments, *value.state]
