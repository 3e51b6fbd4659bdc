"""``mot-reid count``: lines, zones and queues on finished tracks."""

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mot_reid.analytics import Analytics, analyse
from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.pipeline.counting import read_scene, write_analytics
from mot_reid.pipeline.event_log import EventLog
from mot_reid.pipeline.finished_tracks import FinishedTracks, read_finished
from mot_reid.video.files import prepare_output_folder
from mot_reid.wording import counted

__all__ = ["count"]


def count(
    tracks: Annotated[
        Path,
        typer.Argument(
            metavar="TRACKS",
            help="The output folder of `mot-reid track`, or a track file: MOTChallenge text, CSV, JSON lines "
            "or Parquet.",
        ),
    ],
    scene: Annotated[Path, typer.Argument(metavar="SCENE", help="YAML file with lines, zones and queues.")],
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames a second, where the file has no times.", show_default="the run's own", min=0.01
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Of the picture, such as 1920x1080.", show_default="the run's own, or the scene's"),
    ] = None,
    identities: Annotated[
        Path | None,
        typer.Option(help="CSV file with the columns id and identity: tracks that are one person."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for events.jsonl and analytics.json."),
    ] = None,
    events: Annotated[bool, typer.Option(help="Print events as JSON lines instead of the tables.")] = False,
) -> None:
    r"""Count who crosses lines and who stays in zones, on finished tracks.

    With --output, receivers that the scene file names are told of every event, as in a live run.

    For example

    \b
    mot-reid count out/ shop.yaml
    mot-reid count gt.txt shop.yaml --fps 25 --size 1920x1080 -o counts/
    mot-reid count out/ shop.yaml --events | jq .place
    """
    with usage_errors():
        file = read_finished(tracks, fps)
        numbers = {name: number for number, name in file.class_names.items()}
        asked = read_scene(scene, numbers)
        known = _size(size) or file.size
        wanted = asked.scene if known is None else asked.scene.for_size(*known)
        if wanted.relative:
            raise UsageError(f"{scene}: its units are relative; --size says of what")
        same = None if identities is None else _identities(identities)
        if output is not None:
            prepare_output_folder(output)
    analytics, happened = analyse(wanted, file.rows, source=file.source, identities=same, now=file.end)
    if output is not None:
        log = EventLog(output, asked.receivers()[0])
        for event in happened:
            log.write(event.to_dict())
        problems = log.close()
        write_analytics(output / "analytics.json", analytics, problems)
        for problem in problems:
            typer.echo(problem, err=True)
    if events:
        for event in happened:
            print(json.dumps(event.to_dict(), ensure_ascii=False))
        return
    _print(analytics, file)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise UsageError(f"--size: expected WIDTHxHEIGHT, such as 1920x1080, got {text!r}")
    return int(width), int(height)


def _identities(path: Path) -> dict[int, int]:
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.DictReader(file)
        if not {"id", "identity"} <= set(rows.fieldnames or ()):
            raise UsageError(f"{path}: expected the columns id and identity")
        try:
            return {int(row["id"]): int(row["identity"]) for row in rows}
        except (TypeError, ValueError):
            raise UsageError(f"{path}:{rows.line_num}: expected two whole numbers") from None


def _print(analytics: Analytics, file: FinishedTracks) -> None:
    summary = analytics.summary()
    console = Console() if sys.stdout.isatty() else Console(width=200)
    if summary["lines"]:
        table = Table("line", "direction", "crossings", "different objects")
        for name, entry in summary["lines"].items():
            for direction in analytics.scene.lines[name].directions:
                table.add_row(
                    escape(name), escape(direction), str(entry[direction]), str(entry["objects"][direction])
                )
        console.print(table)
    if summary["zones"]:
        table = Table("zone", "visits", "different objects", "mean dwell, s", "longest, s")
        for name, entry in summary["zones"].items():
            cells = (entry[key] for key in ("visits", "objects", "mean_dwell", "longest_dwell"))
            table.add_row(escape(name), *("-" if cell is None else str(cell) for cell in cells))
        console.print(table)
    if summary["queues"]:
        table = Table("queue", "served", "gave up", "mean wait, s", "median, s", "longest, s")
        for name, entry in summary["queues"].items():
            keys = ("served", "given_up", "mean_wait", "median_wait", "longest_wait")
            table.add_row(escape(name), *("-" if entry[key] is None else str(entry[key]) for key in keys))
        console.print(table)
    if not any(summary[key] for key in ("lines", "zones", "queues")):
        typer.echo("the scene has no lines, zones or queues")
    if summary["rows_without_id"]:
        typer.echo(f"left out: {counted(summary['rows_without_id'], 'box')} without an id", err=True)
    if not len(file.rows):
        typer.echo(f"{file.path}: there is no track in it", err=True)
