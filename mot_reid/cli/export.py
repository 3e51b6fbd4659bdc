"""``mot-reid export``: an embedder's or a detector's checkpoint as ONNX."""

from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.errors import usage_errors

__all__ = ["export"]


def export(
    weights: Annotated[
        Path, typer.Argument(help="An embedder's .safetensors checkpoint, or an Ultralytics detector's .pt.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write.", show_default="beside it, as .onnx"),
    ] = None,
) -> None:
    r"""Write an embedder or a detector as ONNX, checked against torch; beside its checkpoint a CPU uses it.

    An embedder's network takes (N, 3, height, width) RGB crops, normalised by the mean and deviation in the
    metadata; a detector's takes RGB pictures in 0..1 whose sides are multiples of 32.

    For example

    \b
    mot-reid export runs/mgn/best.safetensors
    mot-reid export models/yolo11m.pt
    """
    with usage_errors():
        from mot_reid.resources import find_weights

        path = find_weights(weights, (".safetensors", ".pt"))
        target = output or path.with_suffix(".onnx")
        if target.suffix != ".onnx":
            raise ValueError(f"--output {target}: expected a name that ends in .onnx")
        if path.suffix == ".pt":
            from mot_reid.detection.export import export_detector

            export_detector(path, target)
        else:
            from mot_reid.appearance.export import export_onnx

            export_onnx(path, target)
    typer.echo(f"written: {target}")
