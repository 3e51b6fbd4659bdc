"""The command line takes its defaults and ranges from the settings."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import pytest
import typer

from mot_reid import Config, Tracker
from mot_reid.cli.app import _COMMANDS, app
from mot_reid.cli.batch import batch
from mot_reid.cli.benchmark import benchmark
from mot_reid.cli.gallery import _ACTIONS
from mot_reid.cli.options import (
    build_config,
    format_option,
    given_formats,
    given_settings,
    setting_option,
    show_tables,
    takes,
    with_formats,
)
from mot_reid.cli.track import track
from mot_reid.cli.train import train
from mot_reid.evaluation.tables import Column, Table
from mot_reid.resources import shipped
from mot_reid.training.reid.settings import TrainingSettings


def test_python_yaml_and_command_line_agree_on_every_default() -> None:
    nothing_given = build_config(None, {"detector.score": None, "output.trail": None, "device": None}, [])
    assert nothing_given == Config() == Tracker().config
    assert build_config(shipped("configs") / "default.yaml", {}, []) == Config()


def test_no_option_for_a_setting_has_a_default_of_its_own() -> None:
    signature = inspect.signature(track)
    hints = get_type_hints(track, include_extras=True)
    options = {name: get_args(hints[name])[1] for name in signature.parameters}
    for name in ("detector", "embedder", "camera_motion", "device", "classes", "score", "image_size",
                 "video", "jsonl", "csv", "parquet", "labels", "trail"):  # fmt: skip
        assert signature.parameters[name].default is None, name
        assert "[default: " in options[name].help, name


def test_help_shows_the_settings_own_words() -> None:
    assert setting_option("detector.score", "--score").help == (
        r"Lowest score of a detection that reaches the tracker. \[default: 0.1]"
    )
    assert setting_option("output.labels", "--labels/--no-labels").help.endswith(r"\[default: yes]")


@pytest.mark.parametrize(
    ("typed", "left_alone"),
    [
        ("--help", ("mot_reid.tracker", "mot_reid.cli.track", "mot_reid.cli.gallery", "numpy")),
        ("track --help", ("mot_reid.gallery.recorder", "scipy", "cv2", "av", "onnxruntime", "torch")),
    ],
)
def test_help_loads_little(typed: str, left_alone: tuple[str, ...]) -> None:
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules)); "
    code += "from mot_reid.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *typed.split()], capture_output=True, text=True, check=True
    )
    assert set(left_alone) & set(done.stdout.splitlines()[-1].split()) == set()


def test_help_lists_every_command_by_its_own_first_line(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    listed = " ".join(run("--help").out.split())
    for place in _COMMANDS.values():
        module, _, function = place.partition(":")
        docstring = inspect.getdoc(getattr(import_module(module), function))
        assert docstring is not None
        assert " ".join(docstring.split("\n\n")[0].split()) in listed


@pytest.mark.parametrize("command", _COMMANDS)
def test_lines_of_help_are_sentences_that_begin_with_a_capital_or_a_value(command: str) -> None:
    values = {*_ACTIONS, "cpu", "fp32", "mgn", "torch"}
    for option in typer.main.get_command(app).commands[command].params:
        text = option.help.partition(r" \[default: ")[0]
        assert text.endswith("."), (option.name, text)
        assert not text[0].islower() or re.split("[ ,:]", text)[0] in values, (option.name, text)


def test_switches_of_formats_change_the_list() -> None:
    assert (
        format_option("video").help == r"Write tracks.mp4: the video with the tracks drawn. \[default: yes]"
    )
    assert format_option("csv").help.endswith(r"\[default: no]")
    changed = with_formats(Config(), {"csv": True, "video": False, "jsonl": None})
    assert changed.output.formats == ("mot", "csv")


def test_help_names_every_default(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = re.sub(r"\s+", " ", run("track", "--help").out)
    defaults = Config()
    for shown in (defaults.detector.weights, defaults.embedder.weights, defaults.detector.image_size):
        assert f"[default: {shown}]" in text


def test_set_comes_after_options_and_options_after_the_file(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("detector:\n  score: 0.3\n  nms_iou: 0.5\n  image_size: 960\n")
    options = {"detector.score": 0.4, "detector.nms_iou": 0.6}
    detector = build_config(tmp_path / "my.yaml", options, ["detector.score=0.5"]).detector
    assert (detector.score, detector.nms_iou, detector.image_size) == (0.5, 0.6, 960)


@pytest.mark.parametrize("command", [track, train, benchmark, batch])
def test_each_option_for_a_setting_is_stated_once_and_reaches_it(command: Callable[..., object]) -> None:
    names = inspect.signature(command).parameters
    nothing = given_settings(command, dict.fromkeys(names))
    assert nothing
    assert set(nothing.values()) == {None}
    base = TrainingSettings() if command is train else Config()
    for setting in nothing:
        part: Any = base
        for name in setting.split("."):
            part = getattr(part, name)


def test_lists_are_taken_apart_and_switches_of_formats_found() -> None:
    values = dict.fromkeys(inspect.signature(track).parameters)
    values |= {"classes": "person, 3", "formats": "mot,coco", "csv": True, "video": False}
    given = given_settings(track, values)
    assert (given["detector.classes"], given["output.formats"]) == (["person", "3"], ["mot", "coco"])
    assert given_settings(track, {**values, "classes": ""})["detector.classes"] == []
    assert given_settings(track, {**values, "classes": [""]})["detector.classes"] == []
    repeated = given_settings(track, {**values, "classes": ["person", "car, 3"], "formats": []})
    assert repeated["detector.classes"] == ["person", "car", "3"]
    assert repeated["output.formats"] is None
    switches = given_formats(track, values)
    assert switches == {"csv": True, "video": False, "jsonl": None, "parquet": None}
    assert given_settings(train, {**dict.fromkeys(inspect.signature(train).parameters), "teacher": []})[
        "distillation.teachers"
    ] is None  # fmt: skip


def test_a_command_of_a_class_of_options(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Options:
        """Options of a command."""

        source: Annotated[str, typer.Argument(metavar="SOURCE", help="What to read.")]
        score: Annotated[float | None, setting_option("detector.score", "--score", panel="Models")] = None
        fast: Annotated[bool, typer.Option("--fast/--slow", help="Sooner.")] = True

    taken = []

    @takes(Options)
    def command(given: Options) -> None:
        """Do it."""
        taken.append(given)

    app = typer.Typer()
    app.command()(command)
    for arguments, expected in (
        (["a.mp4"], Options("a.mp4")),
        (["a.mp4", "--score", "0.5", "--slow"], Options("a.mp4", 0.5, False)),
    ):
        app(arguments, standalone_mode=False)
        assert taken.pop() == expected
    assert given_settings(Options, vars(expected)) == {"detector.score": 0.5}
    app(["--help"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "Do it." in shown
    assert "Models" in shown
    with pytest.raises(typer.exceptions.TyperException, match="source"):
        app([], standalone_mode=False)


def test_tables_are_saved_where_nobody_reads_them_and_printed_where_they_cannot_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = {stem: Table(stem, [Column("HOTA")], [{"HOTA": 71}]) for stem in ("one", "two")}
    (tmp_path / "full").write_text("")
    with pytest.raises(OSError, match="full"):  # a file in the folder's place, for a full disk
        show_tables(tables, tmp_path / "full")
    assert capsys.readouterr().out.count("71") == 2

    def gone(table: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("mot_reid.cli.options.print_table", gone)
    with pytest.raises(BrokenPipeError):
        show_tables(tables, tmp_path)
    assert {path.name for path in tmp_path.glob("*.md")} == {"one.md", "two.md"}
