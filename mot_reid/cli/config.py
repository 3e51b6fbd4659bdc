"""``mot-reid config``: show all settings."""

from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.errors import usage_errors
from mot_reid.config import dump_config, load_config

__all__ = ["config"]


def config(
    file: Annotated[Path | None, typer.Option("--config", "-c", help="Start from this YAML file.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a setting: NAME=VALUE.")] = None,
) -> None:
    """Print all settings and what they mean, as YAML that --config reads back.

    Example: mot-reid config > my.yaml
    """
    with usage_errors():
        settings = load_config(file, set_ or [])
    typer.echo(dump_config(settings), nl=False)
