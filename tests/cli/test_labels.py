"""Names in tables: short, and never the same for two files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.cli.labels import file_stem, short_names

PATHS = st.lists(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map("/".join), unique=True, max_size=6
)


def test_as_few_parts_as_tell_them_apart() -> None:
    assert short_names(["runs/a/e.st", "runs/b/e.st", "x/f.st"]) == ["a/e.st", "b/e.st", "f.st"]
    assert short_names(["/data/pics"], parts=2) == ["data/pics"]
    assert short_names(["/one/pics/check", "/two/pics/check"], parts=2) == [
        "one/pics/check",
        "two/pics/check",
    ]
    assert short_names([]) == []


def test_a_relative_path_and_a_bare_name_have_folders_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert short_names(["e.st", "/other/e.st"]) == [f"{tmp_path.name}/e.st", "other/e.st"]


@given(PATHS)
def test_two_files_have_two_names(paths: list[str]) -> None:
    names = short_names(paths)
    assert len(set(names)) == len(paths)
    assert all(str(Path(path).absolute()).endswith(name) for path, name in zip(paths, names, strict=True))


@pytest.mark.parametrize("name", ["", "a/b", "/a"])
def test_a_name_with_folders_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="--name"):
        file_stem(name)
    assert file_stem("my scores") == "my scores"
