"""The ``mot-reid`` program: its commands, its exit codes, and errors as one line."""

import ast
import inspect
import signal
import sys
import traceback
from collections import UserDict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from mot_reid import __version__
from mot_reid.cli.errors import (
    FAILED,
    INTERRUPTED,
    debugging,
    drop_output,
    exit_code,
    name_output,
    one_line,
)
from mot_reid.cli.progress import tell_of_compiling
from mot_reid.concurrency import ENDINGS
from mot_reid.elsewhere import called_elsewhere

__all__ = ["app", "main"]


_COMMANDS = {
    name: f"mot_reid.cli.{place}"
    for name, place in {
        "track": "track:track",
        "batch": "batch:batch",
        "count": "count:count",
        "report": "report:report",
        "serve": "serve:serve",
        "demo": "demo:demo",
        "eval": "eval:eval_",
        "benchmark": "benchmark:benchmark",
        "train": "train:train",
        "train-attributes": "train_attributes:train_attributes",
        "evaluate-reid": "evaluate_reid:evaluate_reid",
        "evaluate-search": "evaluate_search:evaluate_search",
        "train-detector": "train_detector:train_detector",
        "evaluate-detector": "train_detector:evaluate_detector",
        "export": "export:export",
        "convert": "convert:convert",
        "draw": "draw:draw",
        "gallery": "gallery:gallery",
        "search": "search:search",
        "identify": "identify:identify",
        "config": "config:config",
    }.items()
}
"""Where each command's function is, in the order of the help."""


class _Commands(UserDict[str, Any]):
    """The commands by their names, each loaded when it is asked for: all of them together take a second."""

    def __getitem__(self, name: str) -> Any:
        if isinstance(place := self.data[name], str):
            module, _, function = place.partition(":")
            command = getattr(import_module(module), function)
            alone = typer.Typer(add_completion=False)
            alone.command(name, help=_help(command.__doc__))(command)
            self.data[name] = typer.main.get_command(alone)
        return self.data[name]


class _Program(typer.core.TyperGroup):
    """The commands; where Ctrl-C comes into one that does not say itself what is kept, it is told."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Commands(_COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help, which lists the commands by what they say of themselves; none is loaded."""
        listed: Any = {
            name: typer.core.TyperCommand(name, help=_help(_docstring(name))) for name in _COMMANDS
        }
        commands, self.commands = self.commands, listed
        super().format_help(ctx, formatter)
        self.commands = commands

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; typer alone would end it without a word."""
        with _interruption_told():
            return super().invoke(ctx)

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Reads the arguments."""
        with _interruption_told():
            return super().make_context(*arguments, **options)


@contextmanager
def _interruption_told() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Program,
    name="mot-reid",
    help="Track people in videos and keep their identities: detection, appearance, motion and matching.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _docstring(name: str) -> str | None:
    """A command's docstring, read in the source: to load all commands takes a second."""
    module, _, function = _COMMANDS[name].partition(":")
    spec = find_spec(module)
    assert spec is not None
    source = Path(str(spec.origin)).read_text("utf-8")
    functions = (part for part in ast.parse(source).body if isinstance(part, ast.FunctionDef))
    return next(ast.get_docstring(one) for one in functions if one.name == function)


def _help(docstring: str | None) -> str:
    r"""A command's docstring with its paragraphs as one line each; those behind a \b keep their lines."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(
        text.removeprefix("\\b\n") if text.startswith("\\b\n") else " ".join(text.split("\n"))
        for text in paragraphs
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mot-reid {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Track people in videos and keep their identities."""
    tell_of_compiling()


def main() -> None:
    """Runs the command line; exits with 0, 1 if it failed, 2 if what was asked cannot be, 130 for Ctrl-C."""
    for number in ENDINGS:
        if number != signal.SIGINT and signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _terminate)
    name_output()
    try:
        code = app(standalone_mode=False)
        print(end="", flush=True)  # what cannot be printed shall be known by now
    except typer.exceptions.TyperException as error:
        code = _report(_told(error), error.exit_code)
    except BrokenPipeError as error:  # who reads our output has gone, as in `mot-reid config | head -1`
        drop_output(error)
        code = FAILED
    except KeyboardInterrupt:  # before a command or after it
        typer.echo("interrupted", err=True)
        code = INTERRUPTED
    except Exception as error:  # no user shall be shown a traceback that did not ask for one
        drop_output(error)
        if debugging():
            traceback.print_exception(error)
        code = _report(one_line(error), exit_code(error))
    sys.exit(code if isinstance(code, int) else 0)


def _told(error: typer.exceptions.TyperException) -> str:
    """What was wrong with the arguments; options of other trackers' commands with their names here."""
    context, option = getattr(error, "ctx", None), getattr(error, "option_name", None)
    if context is not None and hasattr(error, "possibilities"):  # there is no such option
        parts = context.command.params
        known = {name for part in parts for name in (*part.opts, part.metavar)}
        return called_elsewhere(str(option), known) or error.format_message()
    return error.format_message()


def _report(message: str, code: int) -> int:
    if message:  # without one, the help was shown
        typer.echo(f"error: {message}", err=True)
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM, or a terminal that is closed, ends a run as Ctrl-C does: with whole files."""
    raise KeyboardInterrupt
