"""Command line options that several commands share.

Those that stand for settings take help, range and default from the configuration.
"""

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer
from rich.console import Console

from mot_reid.config import PRESETS, Config, load_config
from mot_reid.evaluation.tables import Table
from mot_reid.pickles import TRUST
from mot_reid.settings import SettingsTree, Tree, load_settings, with_settings
from mot_reid.video.formats import FORMATS

__all__ = [
    "ConfigOption",
    "HalfOption",
    "JobsOption",
    "PresetOption",
    "ProtocolOption",
    "QuietOption",
    "SequenceOption",
    "SplitOption",
    "TrustOption",
    "build_config",
    "build_settings",
    "format_option",
    "given_formats",
    "given_settings",
    "help_of",
    "print_table",
    "setting_option",
    "show_tables",
    "takes",
    "with_formats",
]

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Options = TypeVar("Options", bound=DataclassInstance)
else:
    Options = TypeVar("Options")


_VALUES = ("cpu,", "fp32,", "mgn ", "torch,")
"""What begins a setting's line of help that lists its values, which are written small."""


def setting_option(
    setting: str, *names: str, panel: str | None = None, base: SettingsTree | None = None
) -> Any:
    """An option for a setting such as ``detector.score``; its help and default are the setting's own.

    Args:
        setting: its name in the configuration.
        names: of the option.
        panel: of the help in which it stands.
        base: the configuration, the tracker's by default.
    """
    item, default = _find(setting, base or Config())
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    shown = shown or "none"
    if isinstance(default, bool):
        shown = "yes" if default else "no"
    text = help_of(item, shown)
    option: Any = typer.Option(*names, help=text, show_default=False, rich_help_panel=panel)
    option.setting, option.listed = setting, isinstance(default, tuple)
    return option


def help_of(item: Field[Any], default: object) -> str:
    """A setting's line of help, which is a comment in YAML, as the sentence that an option has."""
    line: str = item.metadata["help"]
    if not line.startswith(_VALUES):
        line = line[0].upper() + line[1:]
    return rf"{line}. \[default: {default}]"


def takes(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Makes a command of a function of one argument: its options, as the fields of a dataclass.

    A field is annotated as a parameter of a typer command is, and has the same default. So a command with
    forty options is a class that lists them, and a function that reads as what it does.

    Args:
        options: the dataclass.
    """

    def decorated(command: Callable[[Options], None]) -> Callable[..., None]:
        def called(**values: Any) -> None:
            command(options(**values))

        hints = get_type_hints(options, include_extras=True)
        parameters = [
            inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if item.default is MISSING else item.default,
                annotation=hints[item.name],
            )
            for item in fields(options)
        ]
        called.__name__, called.__doc__, called.__module__ = (
            command.__name__,
            command.__doc__,
            command.__module__,
        )
        called.__annotations__ = hints
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return called

    return decorated


def given_settings(command: Callable[..., object], values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a command's options stand for, by the names that `setting_option` was given.

    Args:
        command: its function, or its class of options (`takes`); they are in its annotations.
        values: of its arguments by name, as ``locals()`` or ``vars`` of its options have them; None where not
            given. Texts for a list are taken apart at their commas.
    """
    given: dict[str, Any] = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        for option in getattr(hint, "__metadata__", ()):
            if hasattr(option, "setting"):
                value = values[name]
                texts = [value] if isinstance(value, str) else value or []
                if option.listed and texts and all(isinstance(text, str) for text in texts):
                    entries = [entry.strip() for text in texts for entry in text.split(",")]
                    value = list(filter(None, entries))
                elif value == []:  # an option that may be repeated, and was not given
                    value = None
                given[option.setting] = value
    return given


def given_formats(command: Callable[..., object], values: Mapping[str, Any]) -> dict[str, bool | None]:
    """The switches of formats among a command's options, for `with_formats`."""
    return {
        option.format: values[name]
        for name, hint in get_type_hints(command, include_extras=True).items()
        for option in getattr(hint, "__metadata__", ())
        if hasattr(option, "format")
    }


def _find(setting: str, base: SettingsTree) -> tuple[Field[Any], Any]:
    part: Any = base
    *parts, name = setting.split(".")
    for entry in parts:
        part = getattr(part, entry)
    item = next(item for item in fields(part) if item.name == name)
    return item, getattr(part, name)


def build_config(
    path: Path | None, options: Mapping[str, Any], settings: list[str], preset: str | None = None
) -> Config:
    """The tracker's configuration of a run; see `build_settings`. The file changes what ``preset`` says."""
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"--preset {preset!r}: expected one of {', '.join(PRESETS)}")
    return build_settings(load_config(path, base=load_config(preset)), None, options, settings)


def build_settings(base: Tree, path: Path | None, options: Mapping[str, Any], settings: list[str]) -> Tree:
    """The settings of a run: the file, then the options given, then each ``--set``.

    Args:
        base: what they change.
        path: a YAML file, or None.
        options: values by setting, such as ``{"detector.score": 0.3}``; None where not given.
        settings: ``NAME=VALUE`` each.

    Raises:
        FileNotFoundError, TypeError, ValueError: as `load_config`.
    """
    config = load_settings(base, path)
    for setting, value in options.items():
        if value is not None:
            part, _, name = setting.partition(".")
            plain = _plain(value)
            config = with_settings(config, {part: {name: plain}} if name else {part: plain})
    return load_settings(config, overrides=settings)


def _plain(value: Any) -> Any:
    """Paths as text, which settings hold."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def format_option(name: str) -> Any:
    """The switch of a format of ``output.formats``, such as ``--csv/--no-csv``."""
    entry, default = FORMATS[name], name in Config().output.formats
    text = rf"Write {entry.file}: {entry.help}. \[default: {'yes' if default else 'no'}]"
    names = f"--{name}/--no-{name}"
    option: Any = typer.Option(names, help=text, show_default=False, rich_help_panel="Outputs")
    option.format = name
    return option


def with_formats(config: Config, switches: Mapping[str, bool | None]) -> Config:
    """The configuration with formats switched on or off; None leaves one as it is."""
    on = dict.fromkeys(config.output.formats)
    for name, switch in switches.items():
        if switch:
            on[name] = None
        elif switch is False:
            on.pop(name, None)
    return with_settings(config, {"output": {"formats": tuple(on)}})


ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML file with settings; `mot-reid config` prints one.")
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="A known method with its published defaults; --config, other options and --set change it.",
        metavar="|".join(PRESETS),
        show_default="our own",
    ),
]
EVALUATED = "What is scored"

HalfOption = Annotated[
    str,
    typer.Option(
        "--half",
        help="Only the first or the second half of each sequence, split as the field does it for MOT17.",
        metavar="all|first|second",
        rich_help_panel=EVALUATED,
    ),
]
SplitOption = Annotated[
    list[str] | None,
    typer.Option("--split", help="Only this split, such as train.", rich_help_panel=EVALUATED),
]
SequenceOption = Annotated[
    list[str] | None,
    typer.Option("--sequence", help="Only this sequence; * stands for anything.", rich_help_panel=EVALUATED),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="How ground truth is read: mot15 has no classes; mot16, mot17 and mot20 have, and distractors.",
        metavar="mot15|mot16|mot17|mot20",
        show_default="by name and columns",
        rich_help_panel=EVALUATED,
    ),
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", help="Most processes side by side; 0 for one a core.", min=0)
]


def _trust(weights: bool) -> bool:
    """Lets weights run code in this program and those it starts, where the user says so."""
    if weights:
        os.environ[TRUST] = "1"
    return weights


TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-weights",
        help="Load a detector's weights that could run code of their maker's; without it they are refused.",
        callback=_trust,
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


def show_tables(tables: Mapping[str, Table], folder: Path | None) -> None:
    """Saves tables by the names of their files, prints them, and says where they are.

    A reader of the output that has gone, as in ``| head``, does not cost the files, nor a full disk what is
    printed.

    Args:
        tables: by the names of their files, without an end.
        folder: for the files; None where nothing is saved.
    """
    saved: list[Path] = []
    try:
        for stem, table in tables.items():
            saved += [] if folder is None else table.save(folder, stem)
    finally:
        for table in tables.values():
            print_table(table)
    for path in saved:
        typer.echo(f"written: {path}", err=True)


def print_table(table: Table) -> None:
    """Prints a table; all of its columns where no terminal limits the width."""
    narrow = sys.stdout.isatty()
    table.show(Console() if narrow else Console(width=400))
