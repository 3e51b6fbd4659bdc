"""Names out of files are no paths, results do not replace what is read, cells of a CSV are no formulas."""

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid.config import DetectorConfig
from mot_reid.resources import find_weights, shipped
from mot_reid.structures import Tracks
from mot_reid.video.seqinfo import is_plain_name, picture_folder, read_seqinfo, sequence_name
from mot_reid.video.sinks import CsvSink

NO_NAMES = (
    *(
        "../../../victim",
        "/etc/victim",
        "..",
        ".",
        "a/b",
        "a\\b",
        "C:victim",
        "a\nb",
        "x\0y",
        "CON",
        "nul.txt",
    ),
    *("victim ", "a|b", "a*", "x" * 300, "\x7f"),
)


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_plain_name(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", ["MOT17-02-FRCNN", "Straße 7", "a.b", "..a", "市场", "-x"])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)


def _sequence(folder: Path, name: str, pictures: str = "img1") -> Path:
    (folder / "gt").mkdir(parents=True)
    (folder / "det").mkdir()
    rows = "".join(f"{frame},1,10,10,20,40,1,-1,-1,-1\n" for frame in range(1, 21))
    (folder / "gt" / "gt.txt").write_text(rows)
    (folder / "det" / "det.txt").write_text(rows)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={name}\nimDir={pictures}\nframeRate=25\nseqLength=20\nimWidth=160\nimHeight=120\n"
    )
    return folder


@pytest.mark.parametrize("name", ["../../../victim", "{tmp}/victim", "a/../../victim", "..", "a\\b"])
def test_a_sequences_name_leads_nowhere(name: str, tmp_path: Path, run: Any) -> None:
    name = name.format(tmp=tmp_path)
    sequence = _sequence(tmp_path / "a" / "b" / "c" / "sequence", name)
    with pytest.raises(ValueError, match=r"seqinfo\.ini: name: expected a plain name, got"):
        sequence_name(sequence, read_seqinfo(sequence))
    out = tmp_path / "a" / "b" / "out"
    benchmark = (
        *("benchmark", sequence, "--detections", "public", "--embedder", "none", "--camera-motion", "none"),
        *("--save-results", "--no-cache", "-o", out, "-q"),
    )
    results = tmp_path / "victim.txt"
    results.write_text("1,1,10,10,20,40,1,-1,-1,-1\n")
    for command in (benchmark, ("eval", tmp_path / "a" / "b", "--gt", sequence)):
        outcome = run(*command)
        assert (outcome.code, outcome.out) == (2, "")
        assert "seqinfo.ini: name: expected a plain name" in outcome.err
    assert results.read_text().count("\n") == 1
    assert not list(tmp_path.glob("**/victim*.txt")) or list(tmp_path.glob("**/victim*.txt")) == [results]


@pytest.mark.parametrize("folder", ["../other", "/etc", "..", "img1/../../other", "a\\b"])
def test_pictures_lie_in_the_sequences_folder(folder: str, tmp_path: Path, run: Any) -> None:
    (tmp_path / "other").mkdir()
    sequence = _sequence(tmp_path / "sequence", "sequence", folder)
    with pytest.raises(ValueError, match=r"seqinfo\.ini: imDir: expected a folder in the sequence's own"):
        picture_folder(sequence, read_seqinfo(sequence))
    detections = sequence / "det" / "det.txt"
    models = ("--embedder", "none", "--camera-motion", "none", "--detections", detections)
    outcome = run("track", sequence, "-o", tmp_path / "out", *models)
    assert outcome.code == 1
    assert "imDir" in outcome.err


def test_results_do_not_replace_what_is_read(tmp_path: Path, run: Any) -> None:
    import cv2

    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    out.mkdir()
    cv2.imwrite(str(pictures / "1.png"), np.zeros((64, 64, 3), np.uint8))
    detections, config = tmp_path / "det.txt", out / "summary.json"
    detections.write_text("1,-1,1,1,20,40,0.9\n")
    config.write_text("association: {low_score: 0.3}\n")
    models = ("--embedder", "none", "--camera-motion", "none")
    for name, target in (("tracks.txt", detections), ("tracks.mp4", pictures / "1.png")):
        before = target.read_bytes()
        os.link(target, out / name)
        outcome = run("track", pictures, "--detections", detections, "-o", out, *models)
        assert outcome.code == 2, name
        assert f"{target}: would be overwritten by the results" in outcome.err
        assert target.read_bytes() == before
        (out / name).unlink()
    outcome = run("track", pictures, "--detections", detections, "-o", out, *models, "--config", config)
    assert outcome.code == 2
    assert f"{config}: would be overwritten" in outcome.err
    assert config.read_text().startswith("association")
    assert run("track", pictures, "--detections", detections, "-o", tmp_path / "new", *models).code == 0


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(1)", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", " =1", "\uff1d1"]
)
def test_class_names_are_no_formulas(name: str, tmp_path: Path) -> None:
    tracks = Tracks(
        np.array([1]), np.ones((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, int), np.zeros(1, int)
    )
    with CsvSink(tmp_path / "tracks.csv", {0: name}) as sink:
        sink.write(1, None, tracks)
    with (tmp_path / "tracks.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["class_name"] == f"'{name}"


def test_a_bare_name_means_the_shipped_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    name = DetectorConfig().weights
    ours = shipped("weights") / name
    suffixes = (ours.suffix,)
    assert find_weights(name, suffixes) == ours
    assert not caplog.records
    Path(name).write_bytes(b"somebody else's")
    assert find_weights(name, suffixes) == ours
    assert f"./{name} means the file in this folder" in caplog.text
    assert find_weights(f"./{name}", suffixes).read_bytes() == b"somebody else's"
    Path("mine.pt").touch()
    assert find_weights("mine.pt", suffixes) == Path("mine.pt")


def test_a_home_that_nobody_has_is_a_name_that_is_not_found() -> None:
    with pytest.raises(FileNotFoundError, match=r"weights not found: ~nobody-of-this-name/x\.pt"):
        find_weights("~nobody-of-this-name/x.pt", (".pt",))


def test_layers_for_attributes_are_not_listed_as_weights() -> None:
    with pytest.raises(FileNotFoundError) as told:
        find_weights("nowhere.safetensors", (".safetensors",))
    assert "mgn_osnet_lct_x0_5.safetensors" in str(told.value)
    assert "_attributes" not in str(told.value)
