"""YAML from outside, with bounds."""

import time
from pathlib import Path
from typing import Any

import pytest

from mot_reid.config import load_config
from mot_reid.evaluation.sweep import read_search
from mot_reid.pipeline.counting import read_scene
from mot_reid.yaml_text import read_yaml, read_yaml_file


def laughs(levels: int, width: int = 9) -> str:
    text = "device: [&a0 [" + ",".join(["lol"] * width) + "]"
    for level in range(1, levels):
        text += f", &a{level} [" + ",".join([f"*a{level - 1}"] * width) + "]"
    return text + "]\n"


DEEP = {
    "lists": "[" * 3000 + "]" * 3000,
    "mappings": "".join("  " * level + f"a{level}:\n" for level in range(300)),
    "of aliases": "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 500)),
    "itself": "a: &a [*a]",
    "itself in a mapping": "&a {b: *a}",
}
NOT_USABLE = {
    **DEEP,
    "laughs": laughs(9),
    "many laughs": laughs(300, 2),
    "a date that is none": "a: 2001-99-99",
    "a number of many digits": "a: " + "9" * 5000,
    "a key that is a list": "? [1, 2]\n: 3",
    "a tag": "a: !!python/object/apply:os.system ['touch RAN']",
    "not ended": "a: [1, 2",
    "control characters": "\x00\x01",
    "a tab": "\ta: 1",
}


@pytest.mark.parametrize("text", NOT_USABLE.values(), ids=NOT_USABLE)
def test_what_is_not_usable_is_told_at_once(text: str, tmp_path: Path) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match="YAML"):
        read_yaml(text)
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    for read in (load_config, read_search):
        with pytest.raises(ValueError, match=r"bad\.yaml: ") as raised:
            read(path)
        assert len(str(raised.value)) < 500
    assert time.process_time() - start < 5
    assert not Path("RAN").exists()


@pytest.mark.parametrize(
    "text",
    [
        "device: &a [x, *a]",
        laughs(4),
        "association: {low_score: " + "[" * 10 + "]" * 10 + "}",
        "x" * 9999 + ": 1",
    ],
)
def test_messages_are_short_whatever_the_value(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises((ValueError, TypeError), match=r"bad\.yaml: ") as raised:
        load_config(path)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", None),
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ("base: &b {p: 1}\nother: {<<: *b, q: 2}", {"base": {"p": 1}, "other": {"p": 1, "q": 2}}),
        ("a: 1e-1", {"a": "1e-1"}),
    ],
)
def test_honest_files_are_read(text: str, content: Any) -> None:
    assert read_yaml(text) == content


def test_a_name_that_comes_twice_is_named(tmp_path: Path) -> None:
    """YAML keeps the last one: settings of the first were lost without a word."""
    path = tmp_path / "run.yaml"
    path.write_text("association:\n  low_score: 0.2\ndevice: cpu\nassociation:\n  reentry: new\n")
    with pytest.raises(ValueError, match=r"run\.yaml: .*: association is twice, in line 1 and in line 4"):
        load_config(path)
    with pytest.raises(ValueError, match="a is twice"):
        read_yaml("{a: 1, a: 1}")
    assert read_yaml("a: &a {b: 1}\nc: {<<: *a, d: 2}\ne: {b: 3}\n1: x\n'1': y\n")["c"] == {"b": 1, "d": 2}


def test_a_video_in_place_of_a_file_of_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42\xa8\xff")
    with pytest.raises(ValueError, match="not a YAML file: no text in UTF-8"):
        read_yaml_file(tmp_path / "clip.mp4")
    for read in (load_config, read_search, read_scene):
        with pytest.raises(ValueError, match=r"clip\.mp4: not a YAML file"):
            read(tmp_path / "clip.mp4")
