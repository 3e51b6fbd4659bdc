"""A hundred damaged files of text, YAML and weights; ``benchmarks/fuzz_readers.py`` reads thousands."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")


def test_damaged_text(tmp_path: Path) -> None:
    from fuzz_files import read_text, text_mutant, whole_text
    from fuzz_readers import fuzz

    ends, faults = fuzz(read_text(tmp_path), whole_text(), 100, seed=1, mutate=text_mutant)
    assert faults == []
    assert min(ends["read"], ends["damage counted"], ends["error"]) > 5


def test_damaged_yaml(tmp_path: Path) -> None:
    from fuzz_files import read_yaml_files, whole_yaml, yaml_mutant
    from fuzz_readers import fuzz

    ends, faults = fuzz(read_yaml_files(tmp_path), whole_yaml(), 100, seed=1, mutate=yaml_mutant)
    assert faults == []
    assert min(ends["read"], ends["error"]) > 5


def test_damaged_weights(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from fuzz_files import read_weights, weights_mutant, whole_weights
    from fuzz_readers import fuzz

    (tmp_path / "whole").mkdir()
    whole = whole_weights(tmp_path / "whole")
    ends, faults = fuzz(read_weights(tmp_path), whole, 100, seed=2, mutate=weights_mutant)
    assert faults == []
    assert ends.total() == 100
    assert ends["error"] > 50
    assert capfd.readouterr().out == ""


def test_the_whole_files_are_read(tmp_path: Path) -> None:
    from fuzz_files import read_text, read_yaml_files, whole_text, whole_yaml

    for read, whole in ((read_text, whole_text), (read_yaml_files, whole_yaml)):
        reader = read(tmp_path)
        for name, content in whole().items():
            count, damaged = reader(content, name)
            assert count > 0, name
            assert damaged == 0, name


def test_a_message_without_the_file_is_a_fault(tmp_path: Path) -> None:
    from fuzz_files import FaultError, _ending

    def broken(path: Path) -> tuple[int, int]:
        raise ValueError("invalid literal")

    with pytest.raises(FaultError, match=r"ValueError that does not name x\.txt"):
        _ending(tmp_path / "x.txt", broken)


def test_weights_keep_what_tells_their_kind() -> None:
    from fuzz_files import weights_mutant

    content = bytes(range(256)) * 64
    mutants = [weights_mutant(content, np.random.default_rng(seed)) for seed in range(30)]
    assert all(damaged.startswith(content[:16]) for damaged in mutants)
    assert len(set(mutants) - {content}) > 25
