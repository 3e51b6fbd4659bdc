"""ONNX Runtime sessions that share a machine."""

from pathlib import Path
from typing import Any

__all__ = ["CPU", "CUDA", "open_session"]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


_LONGEST = 400  # letters of its reason: it tells its own functions' signatures as well


def open_session(path: Path, device: str = "cpu", threads: int = 0) -> Any:
    """A session for a file, whose threads leave the cores to others while they wait.

    By default they spin for a while after each pass. With the detector's and the embedder's session in turn
    on two cores, one's spinning takes the cores from the other: twice the processor's time for the same work.

    Args:
        path: the ``.onnx`` file.
        device: such as ``cpu`` or ``cuda:0``; where the ONNX Runtime installed has no CUDA, the CPU it is.
        threads: of one pass on the CPU; 0 for one each core.

    Returns:
        An ``onnxruntime.InferenceSession``; it may be run from several threads at the same time.

    Raises:
        ValueError: ONNX Runtime cannot load the file.
    """
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
