"""The ``mot-reid`` program: its commands, its exit codes, and errors as one line."""

import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

import typer

from mot_reid import __version__
from mot_reid.cli.batch import batch
from mot_reid.cli.benchmark import benchmark
from mot_reid.cli.config import config
from mot_reid.cli.convert import convert
from mot_reid.cli.count import count
from mot_reid.cli.demo import demo
from mot_reid.cli.draw import draw
from mot_reid.cli.errors import FAILED, INTERRUPTED, USAGE, UsageError, debugging, one_line
from mot_reid.cli.eval import eval_
from mot_reid.cli.evaluate_reid import evaluate_reid
from mot_reid.cli.evaluate_search import evaluate_search
from mot_reid.cli.export import export
from mot_reid.cli.gallery import gallery
from mot_reid.cli.identify import identify
from mot_reid.cli.progress import tell_of_compiling
from mot_reid.cli.report import report
from mot_reid.cli.search import search
from mot_reid.cli.serve import serve
from mot_reid.cli.track import track
from mot_reid.cli.train import train
from mot_reid.cli.train_attributes import train_attributes
from mot_reid.cli.train_detector import evaluate_detector, train_detector

__all__ = ["app", "main"]


class _Program(typer.core.TyperGroup):
    """The commands; where Ctrl-C comes into one that does not say itself what is kept, it is told."""

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


def _help(command: Callable[..., object]) -> str:
    r"""A command's docstring with its paragraphs as one line each; those behind a \b keep their lines."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(
        text.removeprefix("\\b\n") if text.startswith("\\b\n") else " ".join(text.split("\n"))
        for text in paragraphs
    )


_COMMANDS: dict[str, Callable[..., object]] = {
    "track": track,
    "batch": batch,
    "count": count,
    "report": report,
    "serve": serve,
    "demo": demo,
    "eval": eval_,
    "benchmark": benchmark,
    "train": train,
    "train-attributes": train_attributes,
    "evaluate-reid": evaluate_reid,
    "evaluate-search": evaluate_search,
    "train-detector": train_detector,
    "evaluate-detector": evaluate_detector,
    "export": export,
    "convert": convert,
    "draw": draw,
    "gallery": gallery,
    "search": search,
    "identify": identify,
    "config": config,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, help=_help(_command))(_command)


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
    """Runs the command line; exits with 0, 1 for a failed run, 2 for usage, 130 for an interruption."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = app(standalone_mode=False)
    except typer.exceptions.TyperException as error:
        code = _report(error.format_message(), error.exit_code)
    except UsageError as error:
        if debugging():
            traceback.print_exception(error)
        code = _report(one_line(error), USAGE)
    except BrokenPipeError:  # the reader of our output has gone, as in `mot-reid config | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except KeyboardInterrupt:  # before a command or after it
        typer.echo("interrupted", err=True)
        code = INTERRUPTED
    except Exception as error:  # no user shall be shown a traceback that did not ask for one
        if debugging():
            raise
        code = _report(one_line(error), FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _report(message: str, code: int) -> int:
    if message:  # without one, the help was shown
        typer.echo(f"error: {message}", err=True)
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a run as Ctrl-C does: with whole files."""
    raise KeyboardInterrupt
