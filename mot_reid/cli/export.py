"""``mot-reid export``: an embedder's or a detector's checkpoint as ONNX, or a foreign embedder as ours."""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.options import TrustOption
from mot_reid.extras import installed, require

if TYPE_CHECKING:
    from mot_reid.appearance.layouts import Untold

__all__ = ["export"]

UNTOLD = "What files of other projects do not tell"


def export(
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="WEIGHTS",
            help="An embedder, ours or of a known project (see above), or a detector, ours or a YOLO's .pt.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write, .onnx or .safetensors.",
            show_default="beside it, .onnx",
        ),
    ] = None,
    pooling: Annotated[
        Literal["max", "avg", "gem"] | None,
        typer.Option(
            help="How an MGN pools its maps.",
            show_default="by project",
            rich_help_panel=UNTOLD,
        ),
    ] = None,
    stem_pool: Annotated[
        Literal["pad", "ceil"] | None,
        typer.Option(
            help="Whether the stem's max pooling pads on all sides or reaches over its end.",
            show_default="by project",
            rich_help_panel=UNTOLD,
        ),
    ] = None,
    input_size: Annotated[
        str | None,
        typer.Option(
            help="Height and width of the crops, pixels.",
            metavar="HEIGHTxWIDTH",
            show_default="384x128 for MGN, 256x128 for OSNet",
            rich_help_panel=UNTOLD,
        ),
    ] = None,
    trust_weights: TrustOption = False,
) -> None:
    r"""Write an embedder or a detector as ONNX, checked against torch; beside its checkpoint a CPU uses it.

    An embedder's network takes (N, 3, height, width) RGB crops, normalised by the mean and deviation in the
    metadata; a YOLO's takes RGB pictures in 0..1, RTMDet's BGR less their mean, sides multiples of 32.
    Embedders of other projects: seathiefwang/MGN-pytorch and LightMBN's MGN, GNAYUOHZ/ReID-MGN,
    levyfan/reid-mgn, MGN of fast-reid and LUPerson, and torchreid's OSNet. With -o NAME.safetensors such a
    file becomes one of ours.

    For example

    \b
    mot-reid export runs/reid/embedder.safetensors
    mot-reid export models/yolo11m.pt
    """
    with usage_errors():
        _require_extras(weights, output)
        from mot_reid.appearance.backends import CHECKPOINTS
        from mot_reid.appearance.layouts import Untold
        from mot_reid.resources import find_weights
        from mot_reid.video.files import prepare_output_file

        untold = Untold(pooling, stem_pool, _size(input_size))
        path = find_weights(weights, CHECKPOINTS)
        if not path.is_file():
            raise ValueError(f"{path}: not a file")
        target = output or path.with_suffix(".onnx")
        writers = _writers(path, untold)
        if target.suffix not in writers:
            raise ValueError(f"--output {target}: expected a name that ends in {' or '.join(writers)}")
        if target.exists() and target.samefile(path):
            raise ValueError(f"--output {target}: that is the checkpoint itself")
        prepare_output_file(target)
        writers[target.suffix](path, target)
    typer.echo(f"written: {target}")


def _require_extras(path: Path, output: Path | None) -> None:
    if _of_ultralytics(path) and not (installed("ultralytics") and installed("onnx")):
        raise UsageError(f"{path}: exporting a YOLO needs pip install 'mot_reid[ultralytics,train]'")
    if output is None or output.suffix != ".safetensors":
        require("onnx", "export")  # its extra brings torch, too


def _writers(path: Path, untold: "Untold") -> dict[str, Callable[[Path, Path], None]]:
    """What writes which kind of file from a checkpoint."""
    from mot_reid.appearance.export import export_onnx, export_safetensors
    from mot_reid.detection.export import export_detector

    ours = _of_rtmdet(path)
    if ours or _of_ultralytics(path):
        if any(untold):
            raise ValueError(f"{path}: a detector; --pooling, --stem-pool and --input-size are for embedders")
        if ours:
            from mot_reid.detection.rtmdet_export import export_rtmdet

            return {".onnx": export_rtmdet}
        return {".onnx": export_detector}
    return {
        ".onnx": partial(export_onnx, untold=untold),
        ".safetensors": partial(export_safetensors, untold=untold),
    }


def _of_rtmdet(checkpoint: Path) -> bool:
    """Whether a checkpoint's header, all of which comes first, names our detector's architecture."""
    from mot_reid.detection.onnx_rtmdet import ARCHITECTURE

    with checkpoint.open("rb") as file:
        return checkpoint.suffix == ".safetensors" and ARCHITECTURE.encode() in file.read(1 << 16)


def _of_ultralytics(checkpoint: Path) -> bool:
    """Whether a checkpoint's pickle, which is not unpickled here, names Ultralytics' classes."""
    try:
        if not zipfile.is_zipfile(checkpoint):
            return False
        with zipfile.ZipFile(checkpoint) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
            return any(b"ultralytics" in archive.read(name) for name in pickles)
    except Exception:  # whatever a damaged zip raises: who loads it says what is wrong
        return False


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise ValueError(f"--input-size {text!r}: expected HEIGHTxWIDTH, such as 384x128")
    return int(sides[0]), int(sides[1])
