"""Files that cannot be written are told before the work, not after it."""

from pathlib import Path
from typing import Any

import pytest

from mot_reid.appearance import embedder
from mot_reid.resources import shipped


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("no folder")
    return tmp_path / "file"


def test_evaluate_search_says_first_what_it_cannot_write(
    run: Any, blocked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = tmp_path / "crops"
    crops.mkdir()
    (crops / "0001_c1s1_000001_01.jpg").write_bytes(b"")
    (tmp_path / "folder").mkdir()

    def loaded(*_: object) -> None:
        raise AssertionError("it began")

    monkeypatch.setattr(embedder, "NetworkEmbedder", loaded)
    for options, told in (
        (("--calibrate", blocked / "my.calibration.json"), f"{blocked}: cannot write to output folder"),
        (("--calibrate", tmp_path / "folder"), f"{tmp_path / 'folder'}: a folder, expected a file to write"),
        (("-o", blocked / "out"), f"{blocked / 'out'}: cannot write to output folder"),
    ):
        done = run("evaluate-search", "--crops", crops, "--held-out", 0, "-q", *options)
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        assert told in done.err


def test_a_folder_in_place_of_a_file_is_told(run: Any, tmp_path: Path) -> None:
    attributes, start = tmp_path / "attributes.csv", shipped("weights") / "mgn_osnet_lct_x0_5.safetensors"
    attributes.write_text("identity,backpack\n1,yes\n2,no\n")
    for suffix, arguments in (
        ("safetensors", ("train-attributes", tmp_path, start, "--attributes", attributes, "-o")),
        ("onnx", ("export", start, "-o")),
        ("html", ("report", tmp_path, "-o")),
        ("png", ("evaluate-reid", start, "--data", tmp_path, "--figure")),
    ):
        folder = tmp_path / f"folder.{suffix}"
        folder.mkdir()
        done = run(*arguments, folder)
        assert done.code == 2, done.err
        assert done.err == f"error: {folder}: a folder, expected a file to write\n"
    folder = tmp_path / "folder.safetensors"
    done = run("train-detector", folder, "--start", start, "--yolo", tmp_path)
    assert (done.code, done.err) == (2, f"error: {folder}: a folder, expected a file to write\n")
