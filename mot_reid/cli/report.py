"""``mot-reid report``: runs as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from mot_reid.app.runs import runs_in
from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.serve import open_gallery, place_of
from mot_reid.files import atomic
from mot_reid.pipeline.counting import read_scene
from mot_reid.video.files import prepare_output_file
from mot_reid.wording import counted

__all__ = ["report"]


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUNS", help="Output folders of `mot-reid track`, or folders of such."),
    ],
    gallery: Annotated[
        str | None,
        typer.Option(help="The gallery of these runs: who is who over all cameras, see `mot-reid identify`."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file.")] = Path("report.html"),
    scene: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with lines and zones to count at.", show_default="each run's scene.yaml, if any"
        ),
    ] = None,
    video: Annotated[
        list[str] | None,
        typer.Option(
            help="RUN=PATH: where a run's video or pictures are, by its folder's name.",
            show_default="where they were tracked from",
        ),
    ] = None,
) -> None:
    r"""Put runs into one HTML file: tracks over time, best pictures, counts, heat maps, times, settings.

    It opens from the disk, holds no script, fetches nothing, and prints well. It holds pictures of people.

    For example

    \b
    mot-reid report out/ -o street.html
    mot-reid report out/ --scene shop.yaml --gallery shop/
    """
    from mot_reid.app.report import report as make_report

    with usage_errors():
        if output.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"--output {output}: expected a name that ends in .html")
        prepare_output_file(output)
        shown = runs_in(runs, dict(place_of("--video", entry) for entry in video or []))
        wanted = None if scene is None else read_scene(scene, None).scene.to_mapping()
        kept = None if gallery is None else open_gallery(gallery)
        text = make_report(shown, wanted, kept)
    with atomic(output) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(f"{output}: {counted(len(shown), 'run')}, {len(text.encode()) / 1e6:.1f} MB")
