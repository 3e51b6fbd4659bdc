"""Command line options that stand for settings: help, range and default come from the configuration."""

from collections.abc import Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import typer

from mot_reid.config import Config, load_config, with_settings

__all__ = ["build_config", "setting_option"]


def setting_option(setting: str, *names: str, panel: str | None = None) -> Any:
    """An option for a setting such as ``detector.score``; its help and default are the setting's own."""
    item, default = _find(setting)
    shown = ",".join(default) if isinstance(default, tuple) else str(default)
    if isinstance(default, bool):
        shown = "yes" if default else "no"
    text = rf"{item.metadata['help']} \[default: {shown}]"
    return typer.Option(*names, help=text, show_default=False, rich_help_panel=panel)


def _find(setting: str) -> tuple[Field[Any], Any]:
    part: Any = Config()
    *parts, name = setting.split(".")
    for entry in parts:
        part = getattr(part, entry)
    item = next(item for item in fields(part) if item.name == name)
    return item, getattr(part, name)


def build_config(path: Path | None, options: Mapping[str, Any], settings: list[str]) -> Config:
    """The configuration of a run: the file, then the options given, then each ``--set``.

    Args:
        path: a YAML file, or None.
        options: values by setting, such as ``{"detector.score": 0.3}``; None where not given.
        settings: ``NAME=VALUE`` each.

    Raises:
        FileNotFoundError, TypeError, ValueError: as `load_config`.
    """
    config = load_config(path)
    for setting, value in options.items():
        if value is not None:
            part, _, name = setting.partition(".")
            config = with_settings(config, {part: {name: value}} if name else {part: value})
    return load_config(base=config, overrides=settings)
