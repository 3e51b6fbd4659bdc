import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import few_layers
import numpy as np
import onnx
import pytest

from mot_reid.files import sole_writer
from mot_reid.resources import find_weights
from mot_reid.settings import load_settings
from mot_reid.training.reid.networks import StripNetwork, save_embedder
from mot_reid.training.reid.settings import TrainingSettings
from mot_reid.training.reid.trainer import Trainer

Run = Callable[..., Any]
TINY = ["--height", 96, "--width", 32, "--reduced-dim", 4, "--people", 4, "--images", 3, "--epochs", 1]
FEW_LAYERS = ["--backbone", few_layers.NAME]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight people of plain colours, before two cameras."""
    folder = tmp_path_factory.mktemp("market") / "bounding_box_train"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for person in range(1, 9):
        colour = rng.integers(0, 256, 3)
        for camera in (1, 2):
            for shot in (1, 2):
                picture = np.clip(colour + rng.normal(0, 20, (64, 32, 3)), 0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / f"{person:04d}_c{camera}s1_{shot:06d}_00.png"), picture)
    return folder.parent


@pytest.mark.long
def test_train_then_evaluate(run: Run, market: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    outcome = run("train", market, "-o", output, *TINY, "--held-out", 2, "--threads", 1, "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert f"written: {output / 'embedder.safetensors'}" in outcome.out
    assert "24 crops of 6 people on cpu" in outcome.err
    assert "epoch 1: loss" in outcome.err
    assert "held out: mAP" in outcome.err
    with (output / "metrics.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2
    outcome = run("train", market, "-o", output, *TINY, "--held-out", 3)
    assert outcome.code == 2
    assert "written with other settings: data.held_out 2, now 3" in outcome.err

    figure = tmp_path / "galleries.png"
    arguments = ("--data", market, "--held-out", 4, "--rerank", "--figure", figure, "-o", tmp_path)
    outcome = run("evaluate-reid", output / "embedder.safetensors", *arguments)
    assert outcome.code == 0, outcome.err
    assert "embedder.safetensors re-ranked" in outcome.out
    assert "4 held-out identities: 8 queries, 8 crops" in outcome.out
    assert cv2.imread(str(figure)) is not None
    assert (tmp_path / "reid.md").exists()

    folder = sequence(tmp_path / "SEQ-01")
    outcome = run(
        "evaluate-reid", output / "embedder.safetensors", "--sequence", folder, "--gap", 1, "--every", 1
    )
    assert outcome.code == 0, outcome.err
    assert "SEQ-01: 6 crops, compared 1 s or more apart" in outcome.out
    assert {"clean", "shift", "cover"} <= set(outcome.out.split())
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("sequence,identity,first,last\nSEQ-01,1,2,2\nSEQ-02,2,1,9\n")
    outcome = run(
        "evaluate-reid", output / "embedder.safetensors", "--sequence", folder, "--without", wrong, "--gap", 1
    )
    assert outcome.code == 0, outcome.err
    assert "SEQ-01: 5 crops" in outcome.out
    assert "1 span of boxes" in outcome.out
    outcome = run("evaluate-reid", output / "embedder.safetensors", "--sequence", folder, "--without", figure)
    assert outcome.code == 2
    assert "galleries.png" in outcome.err


def sequence(folder: Path) -> Path:
    """A red and a blue person in three frames, one a second."""
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    (folder / "seqinfo.ini").write_text("[Sequence]\nname=SEQ-01\nframeRate=1\n")
    frame = np.zeros((100, 200, 3), np.uint8)
    frame[10:50, 20:40, 2] = 255
    frame[10:50, 120:140, 0] = 255
    rows = []
    for number in (1, 2, 3):
        cv2.imwrite(str(folder / "img1" / f"{number:06d}.jpg"), frame)
        rows += [f"{number},{person},{100 * person - 79},11,20,40,1,-1,-1,-1" for person in (1, 2)]
    (folder / "gt" / "gt.txt").write_text("\n".join(rows))
    return folder


def test_exports_that_take_one_crop_are_evaluated_too(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "many.onnx"
    save_embedder(path, StripNetwork("osnet_x0_25", 1, 4).eval(), (96, 48), {})
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "one.onnx")
    folder = sequence(tmp_path / "SEQ-01")
    files = (path, tmp_path / "one.onnx")
    arguments = ("--sequence", folder, "--gap", 1, "--every", 1, "-o", tmp_path / "out")
    outcome = run("evaluate-reid", *files, *arguments)
    assert outcome.code == 0, outcome.err
    rows = json.loads((tmp_path / "out" / "reid-SEQ-01.json").read_text())["rows"]
    scores = [(row["crops"], row["rank-1"], row["AUC"]) for row in rows]
    assert [row["embedder"] for row in rows[::6]] == ["many.onnx", "one.onnx"]
    assert scores[:6] == scores[6:]


def test_what_was_scored_before_an_error_is_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    save_embedder(path, StripNetwork("osnet_x0_25", 1, 4).eval(), (96, 48), {})
    whole, broken = sequence(tmp_path / "SEQ-01"), sequence(tmp_path / "SEQ-02")
    (broken / "gt" / "gt.txt").write_text("1,2\n")
    options = ("--gap", 1, "--every", 1, "-o", tmp_path / "out")
    outcome = run("evaluate-reid", path, "--sequence", whole, "--sequence", broken, *options)
    assert outcome.code != 0
    assert "gt.txt:1: expected 9 or 10 numbers" in outcome.err
    assert "SEQ-01: 6 crops" in outcome.out
    assert (tmp_path / "out" / "reid-SEQ-01.json").is_file()


def test_a_figure_that_cannot_be_written_is_told_first(run: Run, market: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    figure = tmp_path / "file" / "galleries.png"
    outcome = run("evaluate-reid", "mgn_osnet_lct_x0_5.onnx", "--data", market, "--figure", figure)
    assert outcome.code == 2
    assert "file: cannot write to output folder" in outcome.err
    assert "reading crops" not in outcome.err


def test_a_second_training_in_one_folder_is_refused(run: Run, market: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with sole_writer(tmp_path / "out"):
        outcome = run("train", market, "-o", tmp_path / "out", *TINY, "--held-out", 0, "--no-resume")
    assert outcome.code == 1
    assert outcome.err == f"error: output folder {tmp_path / 'out'}: another training is writing there\n"


def test_a_second_training_of_a_detector_is_refused_likewise(run: Run, tmp_path: Path) -> None:
    for folder in ("images", "labels", "person.work"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "1.jpg"), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "labels" / "1.txt").write_text("0 0.5 0.5 0.2 0.5\n", encoding="utf-8")
    start = find_weights("person_rtmdet_nano.safetensors", ())
    with sole_writer(tmp_path / "person.work"):
        outcome = run(
            "train-detector", tmp_path / "person.safetensors", "--start", start, "--yolo", tmp_path, "-q"
        )
    assert outcome.code == 1
    assert (
        outcome.err == f"error: output folder {tmp_path / 'person.work'}: another training is writing there\n"
    )


def test_interruption_says_what_is_kept(
    run: Run, market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)
    outcome = run("train", market, "-o", tmp_path, *TINY, "--held-out", 0)
    assert outcome.code == 130
    assert "interrupted; the same command goes on after the last whole epoch" in outcome.err
    outcome = run("train", market, "-o", tmp_path, *TINY, "--held-out", 0, "--no-resume")
    assert "the same command without --no-resume goes on after the last whole epoch" in outcome.err
    monkeypatch.setattr(Trainer, "_save", interrupted)
    outcome = run("train", market, "-o", tmp_path / "other", *TINY, "--held-out", 0)
    assert (tmp_path / "other" / "embedder.safetensors").is_file()
    assert "interrupted; nothing was learnt yet" in outcome.err


def test_a_folder_that_cannot_be_written_is_told_first(
    run: Run, market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("crops were read before")

    monkeypatch.setattr("mot_reid.training.reid.data.read_training_data", read)
    (tmp_path / "file").touch()
    outcome = run("train", market, "-o", tmp_path / "file" / "run", *TINY, "--held-out", 0)
    assert outcome.code == 2
    assert "cannot write to output folder" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such folder: nowhere"),
        (["."], "no .jpg or .png files"),
        ([".", "--architecture", "vit"], "architecture: expected one of mgn, pcb, plain, aligned, got 'vit'"),
        ([".", "--height", "100"], "height: expected a multiple of 96"),
        ([".", "--set", "losses.tripplet=1"], "did you mean losses.triplet?"),
        ([".", "--device", "tpu"], "device 'tpu' is not known"),
        ([".", "--precision", "int8"], "precision: expected one of auto, fp32, bf16, fp16, got 'int8'"),
    ],
)
def test_wrong_calls_get_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run("train", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mgn_osnet_lct_x0_5.safetensors"], "nothing to do: give --data, --cameras or --sequence"),
        (["a.onnx", "b.onnx", "--data", ".", "--figure", "f.png"], "--figure: needs --data and one embedder"),
        (["a.onnx", "--data", ".", "--figure", "f.gif"], "ends in .png or .jpg"),
        (["a.onnx", "--data", "."], "weights not found: a.onnx"),
        (["mgn_osnet_lct_x0_5.safetensors", "--sequence", "."], "no seqinfo.ini"),
    ],
)
def test_wrong_evaluations_get_one_line(run: Run, arguments: list[str], message: str) -> None:
    outcome = run("evaluate-reid", *arguments)
    assert outcome.code == 2
    assert message in outcome.err


def test_settings_of_a_training_are_printed_and_read_back(run: Run, tmp_path: Path) -> None:
    outcome = run("config", "train", "--set", "losses.contrastive=1")
    assert "contrastive: 1.0  # weight" in outcome.out
    (tmp_path / "training.yaml").write_text(outcome.out)
    settings = load_settings(TrainingSettings(), tmp_path / "training.yaml")
    assert settings.losses.contrastive == 1
    assert settings.replace(losses=TrainingSettings().losses) == TrainingSettings()
    assert "expected one of track, train" in run("config", "cook").err


@pytest.mark.long
def test_two_processes_share_a_training(market: Path, tmp_path: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    command = [sys.executable, *torchrun, sys.executable, few_layers.__file__, "train", market]
    options = ["-o", tmp_path, *TINY, *FEW_LAYERS, "--held-out", 0, "--threads", 1, "--device", "cpu"]
    attributes = tmp_path / "attributes.csv"  # of a hat one process knows at the most
    attributes.write_text(
        "identity,bag,hat\n1,1,1\n" + "".join(f"{name},{name % 2},\n" for name in range(2, 9))
    )
    options += ["--attributes", attributes, "--attribute-weight", 1]
    done = subprocess.run(
        list(map(str, [*command, *options])),
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("written:") == 1
    assert (tmp_path / "embedder.safetensors").exists()
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["loss"]) > 0
