"""``mot-reid export``: an embedder's checkpoint as ONNX."""

from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.errors import usage_errors

__all__ = ["export"]


def export(
    weights: Annotated[Path, typer.Argument(help="An embedder's .safetensors checkpoint.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write.", show_default="beside it, as .onnx"),
    ] = None,
) -> None:
    """Write an embedder as ONNX, checked against torch; beside its checkpoint it is used on a CPU.

    The network takes (N, 3, height, width) RGB crops, normalised by the mean and deviation in the metadata.

    Example: mot-reid export runs/mgn/best.safetensors
    """
    with usage_errors():
        from mot_reid.appearance.export import export_onnx
        from mot_reid.resources import find_weights

        path = find_weights(weights, (".safetensors",))
        target = output or path.with_suffix(".onnx")
        if target.suffix != ".onnx":
            raise ValueError(f"--output {target}: expected a name that ends in .onnx")
        export_onnx(path, target)
    typer.echo(f"written: {target}")
