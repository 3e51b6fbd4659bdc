"""Sessions of ONNX Runtime, and of OpenVINO in their place, that share a machine."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.concurrency import available_cores
from mot_reid.extras import require

__all__ = ["CPU", "CUDA", "OpenVinoSession", "name_of", "open_session"]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


_LONGEST = 400  # letters of its reason: it tells its own functions' signatures as well


def open_session(path: Path, device: str = "cpu", threads: int = 0, openvino: bool = False) -> Any:
    """A session for a file, whose threads leave the cores to others while they wait.

    By default they spin for a while after each pass. With the detector's and the embedder's session in turn
    on two cores, one's spinning takes the cores from the other: twice the processor's time for the same work.

    Args:
        path: the ``.onnx`` file.
        device: such as ``cpu`` or ``cuda:0``; where the ONNX Runtime installed has no CUDA, the CPU it is.
        threads: of one pass on the CPU; 0 for one each core.
        openvino: whether OpenVINO computes, on the CPU; ONNX Runtime reads the file all the same.

    Returns:
        An ``onnxruntime.InferenceSession`` or an `OpenVinoSession`; it may be run from several threads at the
        same time.

    Raises:
        ImportError: OpenVINO is wanted, and not installed.
        ValueError: it cannot be loaded.
    """
    if openvino:
        require("openvino", f"{path}: runtime openvino")
        return OpenVinoSession(open_session(path, threads=1), path, threads)
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # where somebody has imported it before this package
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; they come as exceptions
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [CPU]
    if device.startswith("cuda") and CUDA in onnxruntime.get_available_providers():
        providers.insert(0, (CUDA, {"device_id": int(device.partition(":")[2] or 0)}))
    try:
        # On the CPU there is nothing to fall back to; to try again would only print on standard output.
        fallback = len(providers) > 1
        session = onnxruntime.InferenceSession(path, options, providers, enable_fallback=fallback)
        session.get_modelmeta().custom_metadata_map  # noqa: B018  # text of a damaged file may be none
        [entry.name for entry in (*session.get_inputs(), *session.get_outputs())]
    except Exception as error:  # onnxruntime's own exceptions have no common base that it exports
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: ONNX Runtime cannot load it: {reason[:_LONGEST]}") from None
    return session


class OpenVinoSession:
    """Computes in OpenVINO what a session of ONNX Runtime would, and answers to the same methods.

    On a processor that multiplies bfloat16 it does so, which takes two thirds of the time or half of it, and
    what comes out differs in the third digit; on others it computes in single precision.

    Args:
        session: ONNX Runtime's, of the same file; what it says of the file is kept.
        path: the ``.onnx`` file.
        threads: of one pass; 0 for one each core.

    Raises:
        ValueError: OpenVINO cannot load the file.
    """

    def __init__(self, session: Any, path: Path, threads: int) -> None:
        import openvino

        self._inputs, self._metadata = session.get_inputs(), session.get_modelmeta()
        cores = available_cores()
        passes = max(1, cores // threads) if threads else 1
        options = {"NUM_STREAMS": passes, "INFERENCE_NUM_THREADS": passes * threads or cores}
        try:
            self._model: Any = openvino.Core().compile_model(str(path), "CPU", options)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{path}: OpenVINO cannot load it: {reason[:_LONGEST]}") from None
        self._of_thread = threading.local()

    def run(self, outputs: None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """All outputs for named inputs; a thread's own request computes them."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._model.create_infer_request()
        found = request.infer(dict(inputs))
        return [np.array(found[output]) for output in self._model.outputs]

    def get_inputs(self) -> Any:
        """What ONNX Runtime says of the inputs."""
        return self._inputs

    def get_modelmeta(self) -> Any:
        """What ONNX Runtime says of the file."""
        return self._metadata

    def get_providers(self) -> list[str]:
        """The one that computes, as ONNX Runtime would name it."""
        return ["OpenVINOExecutionProvider"]


def name_of(session: Any, device: str = "cpu") -> str:
    """What computes a session of `open_session` and where, for reports."""
    if isinstance(session, OpenVinoSession):
        return "openvino cpu"
    return f"onnxruntime {device if session.get_providers()[0] == CUDA else 'cpu'}"
