"""Detectors from weights: ONNX Runtime for exports on a CPU, torch for RTMDet, Ultralytics for the rest."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mot_reid.config import PRESETS, DetectorConfig
from mot_reid.detection.decoding import Rows
from mot_reid.detection.onnx_rtmdet import ARCHITECTURE, OnnxRtmDet
from mot_reid.detection.onnx_yolo import OnnxYolo, Suppression
from mot_reid.detection.silence import silence_ultralytics
from mot_reid.devices import exclusive
from mot_reid.extras import require
from mot_reid.pickles import require_data_only
from mot_reid.resources import DETECTORS, cache_folder, find_weights, weights_kind
from mot_reid.runtimes import checked_runtime, onnx_file
from mot_reid.sessions import open_session
from mot_reid.structures import Detections
from mot_reid.typing import Image

__all__ = [
    "YoloDetector",
    "find_detector",
    "import_ultralytics",
    "keep_torch_threads",
    "load_ultralytics",
    "resolve_classes",
]

OURS = ".safetensors"
"""Suffix of the checkpoints that `mot-reid train-detector` writes."""

_SUFFIXES = (OURS, ".pt", ".onnx", ".torchscript", ".engine")
_EXPORTS = (".torchscript", ".engine", ".tflite", ".pb", ".mnn", ".mlmodel", ".mlpackage", ".aimodel")
"""In the names of those files of Ultralytics that their first bytes do not tell."""
_TASKS = ("detect", "segment", "pose", "obb")
"""Of Ultralytics' models, those that give boxes; of turned ones the upright box around them is tracked."""
_ACCELERATOR_BATCH = 8
_MOST_OF_ALL_CLASSES = 30_000
"""Boxes of a frame, before the wanted classes are chosen."""
_MAY_FETCH = os.environ.get("YOLO_OFFLINE", "false").lower() not in ("1", "true", "yes", "on")


def import_ultralytics(what: str = "this") -> Any:
    """The ultralytics package, told to stay offline, report and install nothing, and write to our cache only.

    What the user has set in the environment stays.

    Args:
        what: what needs it, for the error.

    Raises:
        ImportError: it is not installed; the message names the extra that brings it.
    """
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault("YOLO_CONFIG_DIR", str(cache_folder()))
    ultralytics = require("ultralytics", what)
    silence_ultralytics()
    return ultralytics


@contextmanager
def keep_torch_threads() -> Iterator[None]:
    """Keeps torch's number of threads, which Ultralytics sets on a CPU to one less than there are cores."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def find_detector(name: str | Path) -> Path:
    """The file that a detector's name means: a path, a shipped file, or one of Ultralytics' own models.

    Those are fetched by Ultralytics, once, into our cache folder; with ``YOLO_OFFLINE`` set they are not.

    Raises:
        FileNotFoundError: there are no such weights, or they cannot be fetched.
    """
    try:
        return find_weights(name, _SUFFIXES, DETECTORS)
    except FileNotFoundError as error:
        if re.fullmatch(r"(yolo|rtdetr)[\w-]*", str(name)):
            raise FileNotFoundError(f"{error}; Ultralytics' own models are named as in {name}.pt") from None
        if Path(name).stem in PRESETS:
            raise FileNotFoundError(f"{error}; {name} is a known method: --preset or config=") from None
        if str(name) != Path(name).name or not str(name).endswith(".pt"):
            raise
        fetched = cache_folder() / name
        if fetched.is_file():
            return fetched
        import_ultralytics(f"{name}: not a shipped file; to fetch and run Ultralytics' own models")
        from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

        if name not in GITHUB_ASSETS_NAMES:
            raise
    shipped = DetectorConfig().weights
    if not _MAY_FETCH:
        raise FileNotFoundError(f"weights not found: {name} (YOLO_OFFLINE is set; shipped: {shipped})")
    try:
        attempt_download_asset(fetched, retry=1)
    except Exception as error:  # of requests, urllib3, sockets, the disk
        reason = " ".join(str(error).split())
        raise FileNotFoundError(
            f"weights not found: {name}, and Ultralytics cannot fetch them ({reason[:100]}); "
            f"{shipped} is shipped and needs no network"
        ) from None
    return fetched


def resolve_classes(wanted: Sequence[str], names: Mapping[int, str]) -> list[int] | None:
    """Class numbers for names or numbers; None, for all, where nothing is wanted in particular.

    Args:
        wanted: such as ``("person", "3")``.
        names: the name of each class number the detector knows.

    Raises:
        ValueError: a class is not known.
    """
    numbers = {name: number for number, name in names.items()}
    chosen = []
    for entry in wanted:
        if entry in numbers:
            chosen.append(numbers[entry])
        elif entry.isdecimal() and int(entry) in names:
            chosen.append(int(entry))
        else:
            close = difflib.get_close_matches(entry, numbers, n=1)
            some = ", ".join(list(numbers)[:10]) + (", ..." if len(numbers) > 10 else "")
            hint = f"did you mean {close[0]}?" if close else f"known: {some}"
            if len(names) == 1 and not close:
                hint += "; more are in other weights, such as --detector yolo11n.pt (extra ultralytics)"
            raise ValueError(f"class {entry!r} is not one of the detector's {len(names)}; {hint}")
    return chosen or None


class _Backend(Protocol):
    """Runs a network on frames; see `OnnxYolo.__call__`."""

    name: str
    class_names: Mapping[int, str]
    calls_at_once: int

    def __call__(self, frames: Sequence[Image], size: int, keep: Suppression) -> list[Rows]: ...


class YoloDetector:
    """Any YOLO weights or export that Ultralytics loads, and RTMDet's weights of `mot-reid train-detector`.

    On a CPU an ``.onnx`` file runs in ONNX Runtime, and so does a checkpoint with its export beside it (see
    `mot_reid.resources.export_of`). Otherwise RTMDet runs in torch, and everything else through Ultralytics.

    Args:
        config: weights, runtime, image size, thresholds and classes.
        device: such as ``cpu`` or ``cuda:0``; half precision on CUDA.
        threads: of one pass through an export on a CPU; 0 for one each core.
        trust: whether weights may run code of their own; None for what the environment says
            (`mot_reid.pickles.TRUST`).

    Attributes:
        config: its settings.
        path: the weights.
        name: the weights, and what runs them where, for reports.
        class_names: the name of each class number.
        batch_size: how many frames it takes best at once.
        calls_at_once: how many threads best call it at the same time.

    Raises:
        FileNotFoundError: there are no such weights.
        mot_reid.pickles.UntrustedError: the file could run code, and is not trusted.
        ValueError: the file cannot be loaded, it is no detector, a class is not known, or the runtime cannot
            run it.
    """

    def __init__(
        self,
        config: DetectorConfig | None = None,
        device: str = "cpu",
        threads: int = 0,
        trust: bool | None = None,
    ) -> None:
        self.config = config or DetectorConfig()
        self.path: Path = find_detector(self.config.weights)
        self._backend = _load_backend(self.path, device, self.config.runtime, threads, trust)
        if isinstance(self._backend, OnnxYolo):
            _require_size(self.config.image_size, self._backend.fixed_size, self.path)
        self.class_names: Mapping[int, str] = self._backend.class_names
        # Exports have a batch of their own, most often of one frame.
        batched = (
            device != "cpu"
            and weights_kind(self.path) in ("pytorch", "safetensors")
            and not isinstance(self._backend, OnnxYolo | OnnxRtmDet)
        )
        self.batch_size = _ACCELERATOR_BATCH if batched else 1
        self.calls_at_once = self._backend.calls_at_once
        self._wanted = resolve_classes(self.config.classes, self.class_names)
        # Boxes of one class suppress none of another: the wanted ones can be chosen afterwards.
        self._keep = Suppression(self.config.score, self.config.nms_iou, None, _MOST_OF_ALL_CLASSES)
        self.name = f"{self.path.name} ({self._backend.name})"
        try:  # many a fault shows only here, and the first frame is slow: it shall not be the user's
            self.detect([np.zeros((64, 64, 3), np.uint8)])
        except Exception as error:
            raise ValueError(f"{self.path}: cannot detect: {' '.join(str(error).split())[:200]}") from None

    def detect(self, frames: Sequence[Image]) -> list[Detections]:
        """See `Detector.detect`. Boxes are cut at the frame's borders; what has no area left is dropped."""
        if not frames:
            return []
        return [self._chosen(rows) for rows in self._backend(frames, self.config.image_size, self._keep)]

    def _chosen(self, rows: Rows) -> Detections:
        """The wanted ones of rows ``(N, 6)``, best first, with the numbers of the others by class."""
        most = self.config.max_detections
        if self._wanted is None:
            return _detections(rows[:most])
        wanted = np.isin(rows[:, 5], self._wanted)
        found = _detections(rows[wanted][:most])
        if wanted.all():
            return found
        numbers, counts = np.unique(rows[~wanted, 5].astype(np.int64), return_counts=True)
        names = (self.class_names.get(number, str(number)) for number in numbers.tolist())
        return found.beside(dict(zip(names, counts.tolist(), strict=True)))


def _load_backend(path: Path, device: str, runtime: str, threads: int, trust: bool | None) -> _Backend:
    setting = "detector.runtime"
    asked = checked_runtime(runtime, setting)
    onnx = onnx_file(path, device, asked, setting)
    on_cpu = device == "cpu" or asked == "onnxruntime"
    # An export of somebody else's runs on an accelerator through Ultralytics.
    if onnx is not None and (on_cpu or _is_ours(onnx)):
        return _open_onnx(onnx, threads, asked == "openvino")
    if weights_kind(path) == "safetensors":
        from mot_reid.detection.rtmdet_torch import TorchRtmDet

        return TorchRtmDet(path, device)
    return _UltralyticsYolo(path, device, trust)


def _require_size(asked: int, fixed: tuple[int, int] | None, path: Path) -> None:
    """Refuses a size of the input that an export of another size would ignore; the default asks for none."""
    if fixed is not None and asked not in (max(fixed), DetectorConfig().image_size):
        height, width = fixed
        raise ValueError(
            f"{path}: detector.image_size is {asked}, but this export takes {width} x {height} pixels only; "
            "leave the size out, or export it again for that size"
        )


def _is_ours(export: Path) -> bool:
    return ARCHITECTURE.encode() in export.read_bytes()  # a metadata string, stored as it is


def _open_onnx(path: Path, threads: int, openvino: bool) -> _Backend:
    session = open_session(path, threads=threads, openvino=openvino)
    if session.get_modelmeta().custom_metadata_map.get("architecture") == ARCHITECTURE:
        return OnnxRtmDet(session, threads)
    return OnnxYolo(path, threads, session)


class _UltralyticsYolo:
    """Runs weights through Ultralytics: all frames in one batch, in half precision on CUDA."""

    calls_at_once = 1

    def __init__(self, path: Path, device: str, trust: bool | None) -> None:
        self.name = f"ultralytics {device}"
        self._model = load_ultralytics(path, trust)
        import torch

        self.class_names: Mapping[int, str] = dict(self._model.names)
        self._turn = exclusive(device)
        self._options = {
            "device": torch.device(device),  # of a name, older ones make the first GPU, whichever it means
            "save": False,
            "verbose": False,
            **(_half_precision() if device.startswith("cuda") else {}),
        }

    def __call__(self, frames: Sequence[Image], size: int, keep: Suppression) -> list[Rows]:
        """See `OnnxYolo.__call__`."""
        if len({frame.shape for frame in frames}) > 1:  # as a batch they would be padded to a common square
            return [rows for frame in frames for rows in self([frame], size, keep)]
        with keep_torch_threads(), self._turn:
            results = self._model.predict(
                list(frames),
                imgsz=size,
                conf=keep.score,
                iou=keep.iou,
                max_det=keep.most,
                classes=keep.classes,
                **self._options,
            )
        return [_rows(result) for result in results]


def _half_precision() -> dict[str, Any]:
    """What asks the installed Ultralytics for half precision; it warns of the old name at each frame."""
    from ultralytics.utils import DEFAULT_CFG_DICT

    return {"quantize": 16} if "quantize" in DEFAULT_CFG_DICT else {"half": True}


def load_ultralytics(path: Path, trust: bool | None = None) -> Any:
    """An ``ultralytics.YOLO`` of a detector on disk.

    Args:
        path: its weights.
        trust: see `YoloDetector`.

    Raises:
        mot_reid.pickles.UntrustedError: the file could run code, and is not trusted.
        ValueError: Ultralytics cannot load it, or it is no detector.
    """
    if path.suffix in (".yaml", ".yml"):
        raise ValueError(f"{path}: describes a network, but holds no weights")
    named = any(part in path.name for part in _EXPORTS)
    if path.is_file() and weights_kind(path) == "other" and not named:
        raise ValueError(
            f"{path}: not a detector; expected {', '.join(_SUFFIXES)} or another Ultralytics export"
        )
    ultralytics = import_ultralytics(f"{path}: no export of it for ONNX Runtime; without one it")
    if not _is_data_only(path):
        require_data_only(path, trust)
    checkpoint = weights_kind(path) == "pytorch"
    try:
        with _named_for_ultralytics(path.absolute(), checkpoint) as file:
            model = ultralytics.YOLO(str(file), task=None if checkpoint else "detect", verbose=False)
            names = model.names
    except Exception as error:  # whatever the loaders of a dozen formats may raise
        reason = " ".join(str(error).replace(str(file), str(path)).split()) or type(error).__name__
        raise ValueError(f"{path}: Ultralytics cannot load these weights: {reason[:300]}") from None
    if not hasattr(names, "items") or model.task not in _TASKS:
        raise ValueError(f"{path}: not a detector (task {model.task}); known: {', '.join(_TASKS)}")
    return model


def _is_data_only(path: Path) -> bool:
    """Whether weights cannot hold code, by content and name both: Ultralytics goes by either."""
    if path.is_dir():
        return path.name.endswith("_openvino_model")
    return path.suffix == ".onnx" and weights_kind(path) == "onnx"


@contextmanager
def _named_for_ultralytics(path: Path, checkpoint: bool) -> Iterator[Path]:
    """The file by a name that Ultralytics takes: one that ends in ``.pt``, with its whole path."""
    if not checkpoint or path.suffix == ".pt":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="mot_reid-") as folder:
        named = Path(folder) / f"{path.name}.pt"
        try:
            named.symlink_to(path)
        except OSError:  # Windows lets few users do that
            shutil.copyfile(path, named)
        yield named


def _rows(result: Any) -> Rows:
    """Boxes, scores and classes ``(N, 6)`` of a result of Ultralytics; of turned boxes what is around them.

    Raises:
        ValueError: it has neither.
    """
    if result.boxes is not None:
        return np.asarray(result.boxes.data.cpu().numpy()[:, :6], np.float32)
    turned = getattr(result, "obb", None)
    if turned is None:
        raise ValueError("the network gives no boxes")
    columns = (turned.xyxy, turned.conf[:, None], turned.cls[:, None])
    return np.concatenate([np.asarray(column.cpu().numpy(), np.float32) for column in columns], axis=1)


def _detections(rows: Rows) -> Detections:
    """From rows ``(N, 6)``: x1, y1, x2, y2, score, class."""
    rows = rows[(rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])]
    return Detections(rows[:, :4], np.clip(rows[:, 4], 0, 1), rows[:, 5].astype(np.int64))
