"""How settings work: what a setting is, the checks, reading and merging, and printing as YAML.

A setting has one default, one help text and one range, all in its field of a frozen dataclass: those of a run
are in `mot_reid.config`. The command line, the YAML files and Python read them from there.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import reprlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, get_type_hints

import yaml

from mot_reid.elsewhere import SETTINGS
from mot_reid.yaml_text import read_yaml, read_yaml_file

__all__ = [
    "Settings",
    "SettingsTree",
    "Tree",
    "changed_settings",
    "dump_settings",
    "load_settings",
    "setting",
    "with_settings",
]


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    step: int | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A dataclass field with its help text and its range (both ends included) or its choices."""
    limits = {"low": low, "high": high, "step": step, "choices": choices}
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class _Checked:
    """Checks each value's type and range when it is made."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in fields(self):
            value = _checked_type(getattr(self, item.name), hints[item.name], item.name)
            object.__setattr__(self, item.name, value)
            if not isinstance(value, Settings):
                _check_range(value, item)


@dataclass(frozen=True)
class Settings(_Checked):
    """Base of the parts' settings.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value lies outside its range.
    """


def _short(value: Any) -> str:
    """A value for a message, of a file that may hold anything."""
    form = reprlib.Repr()
    form.maxlevel, form.maxstring, form.maxother, form.maxlong = 2, 80, 80, 40
    return form.repr(value)


def _checked_type(value: Any, expected: Any, name: str) -> Any:
    if expected == tuple[float, ...]:
        if isinstance(value, list | tuple):
            return tuple(_checked_type(entry, float, name) for entry in value)
        raise TypeError(f"{name}: expected a list such as [0.5, 0.8], got {_short(value)}")
    if expected == tuple[str, ...]:
        if isinstance(value, list | tuple) and all(isinstance(entry, str | int) for entry in value):
            return tuple(str(entry) for entry in value)
        raise TypeError(f"{name}: expected a list such as [person, 3], got {_short(value)}")
    if expected is float and isinstance(value, int | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            return float(value)  # YAML 1.1 takes 1e-1 for text
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        kind = expected.__name__ if isinstance(expected, type) else str(expected).replace(" | ", " or ")
        # Other packages number their devices.
        here = f"; here it is cuda:{value}" if name == "device" and type(value) is int else ""
        raise TypeError(f"{name}: expected {kind}, got {type(value).__name__} {_short(value)}{here}")
    return value


def _check_range(value: Any, item: dataclasses.Field[Any]) -> None:
    low, high, step = (item.metadata.get(key) for key in ("low", "high", "step"))
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{item.name}: expected a finite number, got {value}")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{item.name}: expected a value {bounds}, got {value}")
    if isinstance(value, int) and abs(value) >= 2**31:
        raise ValueError(f"{item.name}: expected a number below {2**31}, got {value}")
    if step is not None and value % step:
        raise ValueError(f"{item.name}: expected a multiple of {step}, got {value}")
    choices = item.metadata.get("choices")
    if choices is not None and value not in choices:
        raise ValueError(f"{item.name}: expected one of {', '.join(choices)}, got {_short(value)}")


@dataclass(frozen=True)
class SettingsTree(_Checked):
    """Base of whole configurations: parts, and settings of their own.

    Attributes:
        renamed: for each setting that has gone, such as ``association.min_iou``, what to write instead: a
            setting's name, or a sentence that has one.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value lies outside its range.
    """

    renamed: ClassVar[Mapping[str, str]] = {}

    def replace(self, **parts: Any) -> Self:
        """A copy with whole parts replaced, such as ``association=AssociationConfig(...)``."""
        return replace(self, **parts)


Tree = TypeVar("Tree", bound=SettingsTree)


def load_settings(config: Tree, path: str | Path | None = None, overrides: Iterable[str] = ()) -> Tree:
    """A copy of any configuration, changed by a file and then by overrides.

    Args:
        config: what to start from.
        path: a YAML file laid out as what `dump_settings` gives; it may leave settings out.
        overrides: single settings such as ``"association.tentative.min_hits=3"``, applied last.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not YAML, a setting does not exist, or a value is out of range.
        TypeError: a value has the wrong type.
    """
    if isinstance(overrides, str):
        raise TypeError(f"overrides: expected a list such as ['device=cpu'], got {overrides!r}")
    if path is not None:
        config = with_settings(config, _read_yaml(Path(path)), origin=f"{path}: ")
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise ValueError(f"setting {override!r}: expected NAME=VALUE, such as device=cpu")
        config = with_settings(config, _nested(name.strip(), _parse(text)))
    return config


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        content = read_yaml_file(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"configuration file not found: {path}") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected settings such as 'association:', got {type(content).__name__}")
    if "tracker_type" in content:
        raise ValueError(
            f"{path}: settings of a tracker of Ultralytics; --preset (or config=) bytetrack and botsort are "
            "such trackers here, and docs/coming-from.md says what each setting is called"
        )
    return content


def _parse(text: str) -> Any:
    try:
        return read_yaml(text)
    except ValueError:
        return text


def _nested(name: str, value: Any) -> dict[str, Any]:
    part, dot, rest = name.partition(".")
    return {part: _nested(rest, value) if dot else value}


def with_settings(config: Tree, settings: Mapping[str, Any], origin: str = "") -> Tree:
    """A copy of ``config`` with the settings of a nested mapping, such as one read from YAML.

    Args:
        config: what to start from.
        settings: ``{"association": {"low_score": 0.2}, "device": "cpu"}``.
        origin: put before error messages, such as a file's name and a colon.

    Raises:
        ValueError: a setting does not exist, or a value is out of range.
        TypeError: a value has the wrong type.
    """
    changed: Tree = _changed(config, settings, "", origin, config.renamed)
    return changed


def _changed(part: Any, settings: Mapping[str, Any], place: str, origin: str, gone: Mapping[str, str]) -> Any:
    """A copy of a part of a configuration, whose own name and a dot are its ``place``, and of its parts."""
    changes: dict[str, Any] = {}
    for name, value in settings.items():
        _require_current(f"{place}{name}", gone, origin)
        _require_known(name, part, f"{origin}setting", prefix=place)
        below = getattr(part, name)
        if not isinstance(below, Settings):
            changes[name] = value
        elif isinstance(value, Mapping):
            changes[name] = _changed(below, value, f"{place}{name}.", origin, gone)
        else:
            first = fields(below)[0].name
            raise ValueError(f"{origin}{place}{name}: expected settings below it, such as {name}.{first}")
    try:
        return replace(part, **changes)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{origin}{place}{error}") from None


def _require_current(name: str, gone: Mapping[str, str], origin: str) -> None:
    """Names what has become of a setting of earlier versions."""
    if name in gone:
        now = gone[name]
        raise ValueError(f"{origin}setting {name} has gone; {now if ' ' in now else f'it is {now} now'}")


def _require_known(name: Any, part: Any, what: str, prefix: str = "") -> None:
    known = [item.name for item in fields(part)]
    if name not in known:
        name = str(name)[:80]
        here = SETTINGS.get(name, "")
        if here.partition("=")[0] in _flat(part, prefix):
            raise ValueError(f"{what} {prefix}{name} does not exist; here it is {here}")
        deeper = [below for below in _flat(part, "") if below.rpartition(".")[2] == name]
        close = deeper[:3] or difflib.get_close_matches(name, known, n=1)
        hint = (
            f"did you mean {' or '.join(prefix + entry for entry in close)}?"
            if close
            else f"known: {', '.join(known)}"
        )
        raise ValueError(f"{what} {prefix}{name} does not exist; {hint}")


def changed_settings(config: SettingsTree) -> dict[str, Any]:
    """The settings that are not at their default, such as ``{"association.tentative.min_hits": 3}``."""
    defaults = _flat(type(config)(), "")
    return {name: value for name, value in _flat(config, "").items() if value != defaults[name]}


def _flat(part: Any, prefix: str) -> dict[str, Any]:
    """The values of all settings of a part, by names that begin with ``prefix``."""
    found: dict[str, Any] = {}
    for item in fields(part):
        value, name = getattr(part, item.name), f"{prefix}{item.name}"
        found |= _flat(value, f"{name}.") if isinstance(value, Settings) else {name: value}
    return found


def dump_settings(config: SettingsTree) -> str:
    """The configuration as YAML, each setting with its help as a comment; ``load_settings`` reads it back."""
    return "\n".join(_yaml_lines(config, "")) + "\n"


def _yaml_lines(part: Any, indent: str) -> list[str]:
    lines: list[str] = []
    for item in fields(part):
        value = getattr(part, item.name)
        if isinstance(value, Settings):
            lines += [] if indent else [""]
            lines += [f"{indent}{item.name}:", *_yaml_lines(value, f"{indent}  ")]
        else:
            lines.append(_yaml_line(item, value, indent))
    return lines


def _yaml_line(item: dataclasses.Field[Any], value: Any, indent: str) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000).strip().removesuffix("\n...").strip()
    return f"{indent}{item.name}: {text}  # {item.metadata['help']}"
