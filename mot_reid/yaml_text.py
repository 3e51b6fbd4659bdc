"""YAML from outside, with bounds: a few hundred bytes of nested aliases can stand for billions of values."""

from pathlib import Path
from typing import Any

import yaml

__all__ = ["read_yaml", "read_yaml_file"]

_DEEPEST = 20
_MOST_VALUES = 100_000
_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(text: str) -> Any:
    """What a YAML text says; plain values only.

    Raises:
        ValueError: it is not YAML, is nested deeper than 20 levels, stands for more than 100,000 values, or a
            name is twice in one place: the first would be lost.
    """
    try:
        depth = 0
        for event in yaml.parse(text, yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise ValueError(_deep(event))
        node = yaml.compose(text, yaml.SafeLoader)
        if node is not None:
            _measured(node, {})
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not a YAML file: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError, OverflowError) as error:  # of dates and numbers that are none
        raise ValueError(f"not a usable YAML file: {' '.join(str(error).split())[:200]}") from None


def read_yaml_file(path: Path) -> Any:
    """What a YAML file in UTF-8 says; plain values only.

    Raises:
        OSError: it cannot be read.
        ValueError: as `read_yaml`, or it is no text, such as a video that was given in its place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not a YAML file: no text in UTF-8 ({error.reason})") from None
    return read_yaml(text)


def _deep(place: Any) -> str:
    return f"nested deeper than {_DEEPEST} levels in line {place.start_mark.line + 1}"


def _require_different(node: yaml.MappingNode) -> None:
    """Refuses a name that comes twice, of which YAML keeps the last alone."""
    known: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in known:
                raise ValueError(f"{key.value[:80]} is twice, in line {known[name]} and in line {line}")
            known[name] = line


def _measured(node: yaml.Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values a node stands for and how deep they go, aliases written out.

    An alias comes after what it stands for, which is measured by then: the recursion is no deeper than the
    text.
    """
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = (_MOST_VALUES + 1, 0)  # what holds itself has no end
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
        _require_different(node)
    sizes = [_measured(part, known) for part in parts]
    count = 1 + sum(size for size, _ in sizes)
    depth = 1 + max((deep for _, deep in sizes), default=0)
    if count > _MOST_VALUES:
        raise ValueError(
            f"its aliases stand for more than {_MOST_VALUES} values in line {node.start_mark.line + 1}"
        )
    if depth > _DEEPEST + 1:
        raise ValueError(_deep(node))
    known[id(node)] = (count, depth)
    return count, depth
