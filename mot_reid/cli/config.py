"""``mot-reid config``: show all settings."""

from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.errors import usage_errors
from mot_reid.config import Config, load_config
from mot_reid.settings import SettingsTree, dump_settings, load_settings
from mot_reid.training.reid.settings import TrainingSettings

__all__ = ["config"]


KINDS: dict[str, type[SettingsTree]] = {"track": Config, "train": TrainingSettings}


def config(
    command: Annotated[
        str, typer.Argument(metavar="[track|train]", help="The command whose settings to print.")
    ] = "track",
    file: Annotated[Path | None, typer.Option("--config", "-c", help="Start from this YAML file.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a setting: NAME=VALUE.")] = None,
) -> None:
    r"""Print all settings and what they mean, as YAML that --config reads back.

    For example

    \b
    mot-reid config > my.yaml
    mot-reid config -c bytetrack > my.yaml
    mot-reid config train > training.yaml
    """
    with usage_errors():
        if command not in KINDS:
            raise ValueError(f"{command!r}: expected one of {', '.join(KINDS)}")
        if command == "track":
            settings: SettingsTree = load_config(file, set_ or [])
        else:
            settings = load_settings(KINDS[command](), file, set_ or [])
    typer.echo(dump_settings(settings), nl=False)
