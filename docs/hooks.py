"""Pages of the site that the code itself writes: every setting, every command, every dated note."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import click
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    for path, text in {
        "reference/settings.md": settings_page(),
        "reference/commands.md": commands_page(),
        "notes/index.md": notes_page(),
    }.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Names the files that links out of ``docs`` lead to, which the site does not hold; unmarks code."""
    markdown = markdown.replace("```python video\n", "```python\n")  # the mark is for the tests
    return re.sub(
        r"\[([^\]]+)\]\((?:\.\./)+(?!notes|tutorials|reference|how-to)([^)#]+)(#[^)]*)?\)", _named, markdown
    )


def _named(link: re.Match[str]) -> str:
    if (ROOT / "docs" / link[2]).exists():
        return link[0]
    return f"{link[1]} (`{link[2]}`)" if link[1].strip("`") not in link[2] else f"`{link[2]}`"


def settings_page() -> str:
    """Every setting: name, default, range and meaning, from its own field."""
    from mot_reid.config import Config

    lines = [
        "# Settings",
        "",
        "All of them with their defaults: in a YAML file (`mot-reid config > my.yaml`, then "
        "`--config my.yaml`), on the command line (`--set NAME=VALUE`), or in Python "
        "(`load_config(overrides=[...])`).",
    ]
    parts: dict[str, list[str]] = {}
    for name, item, default in walk(Config()):
        part = name.rpartition(".")[0]
        bounds = [
            f"{key} {item.metadata[key]:g}" for key in ("low", "high") if item.metadata.get(key) is not None
        ]
        span = ", ".join(bounds).replace("low", "from").replace("high", "to")
        shown = ", ".join(map(str, default)) or "none" if isinstance(default, tuple) else default
        help_ = str(item.metadata.get("help", "")).replace("|", "\\|")
        parts.setdefault(part, []).append(f"| `{name}` | {shown} | {span} | {help_} |")
    for part, rows in parts.items():
        lines += [
            "",
            f"## {part or 'the run'}",
            "",
            "| setting | default | range | meaning |",
            "| --- | --- | --- | --- |",
        ]
        lines += rows
    return "\n".join(lines) + "\n"


def walk(part: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every setting of a configuration: its full name, its field and its default."""
    for item in fields(part):
        value = getattr(part, item.name)
        if is_dataclass(value):
            yield from walk(value, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", item, value


def commands_page() -> str:
    """Every command with its options, from Typer."""
    from mot_reid.cli.app import app

    group = typer.main.get_command(app)
    lines = ["# Commands", "", "`mot-reid COMMAND --help` says the same on the terminal.", ""]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        lines += [f"## mot-reid {name}", "", *described(command), ""]
    return "\n".join(lines) + "\n"


def described(command: click.Command) -> Iterator[str]:
    """A command's help and its options as a table."""
    text = (command.help or "").replace("\\[", "[")
    for paragraph in text.split("\n\n"):
        if "\n" in paragraph.strip():  # the program's own help joins all other lines
            yield from ["```", paragraph.strip("\n"), "```", ""]
        else:
            yield from [" ".join(paragraph.split()).replace("<", "&lt;"), ""]
    yield from ["| option | meaning |", "| --- | --- |"]
    for option in command.params:
        names = ", ".join(f"`{entry}`" for entry in (*option.opts, *option.secondary_opts))
        if getattr(option, "hidden", False):
            continue
        if isinstance(option, click.Argument) or option.param_type_name == "argument":
            names = f"`{option.metavar or option.name}`"
        meaning = (
            str(getattr(option, "help", "") or "")
            .replace("\\[", "[")
            .replace("|", "\\|")
            .replace("<", "&lt;")
        )
        yield f"| {names} | {' '.join(meaning.split())} |"


def notes_page() -> str:
    """The dated notes, newest first."""
    lines = ["# Notes", "", "What was tried and what came of it, by date. Names are those of the day.", ""]
    for path in sorted((ROOT / "docs" / "notes").glob("20*.md"), reverse=True):
        title = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"- [{path.stem[:10]}: {title}]({path.name})")
    return "\n".join(lines) + "\n"
