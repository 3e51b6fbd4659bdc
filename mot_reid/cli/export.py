"""``mot-reid export``: an embedder's checkpoint as ONNX, or a foreign one as ours."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mot_reid.cli.errors import usage_errors

__all__ = ["export"]

UNTOLD = "What files of other projects do not tell"


def export(
    weights: Annotated[Path, typer.Argument(help="A checkpoint, ours or of a known project (see below).")],
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
) -> None:
    """Write an embedder as ONNX, checked against torch; beside its checkpoint it is used on a CPU.

    The network takes (N, 3, height, width) RGB crops, normalised by the mean and deviation in the metadata.
    Known projects: seathiefwang/MGN-pytorch and LightMBN's MGN, GNAYUOHZ/ReID-MGN, levyfan/reid-mgn, MGN of
    fast-reid and LUPerson, and torchreid's OSNet. With -o NAME.safetensors such a file becomes one of ours.

    Example: mot-reid export runs/mgn/embedder.safetensors
    """
    with usage_errors():
        from mot_reid.appearance.backends import CHECKPOINTS
        from mot_reid.appearance.export import export_onnx, export_safetensors
        from mot_reid.appearance.layouts import Untold
        from mot_reid.resources import find_weights

        untold = Untold(pooling, stem_pool, _size(input_size))
        path = find_weights(weights, CHECKPOINTS)
        target = output or path.with_suffix(".onnx")
        writers = {".onnx": export_onnx, ".safetensors": export_safetensors}
        if target.suffix not in writers:
            raise ValueError(f"--output {target}: expected a name that ends in .onnx or .safetensors")
        if target.exists() and target.samefile(path):
            raise ValueError(f"--output {target}: that is the checkpoint itself")
        writers[target.suffix](path, target, untold)
    typer.echo(f"written: {target}")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise ValueError(f"--input-size {text!r}: expected HEIGHTxWIDTH, such as 384x128")
    return int(sides[0]), int(sides[1])
