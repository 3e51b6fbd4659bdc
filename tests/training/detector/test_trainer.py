"""Detector training: conversion, scores and the one-class start by hand; the shipped weights on real data."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mot_reid.cli.progress import WorkProgress
from mot_reid.config import DetectorConfig
from mot_reid.detection.yolo import import_ultralytics, load_ultralytics
from mot_reid.resources import shipped
from mot_reid.training.detector import trainer
from mot_reid.training.detector.cutouts import load_cutouts
from mot_reid.training.detector.pictures import MotFrames, convert_mot, convert_yolo, labelled_pictures
from mot_reid.training.detector.scores import PictureResult, evaluate_detector, score_detections
from mot_reid.training.detector.settings import FineTuning
from mot_reid.training.detector.trainer import last_epoch, train_detector
from mot_reid.training.detector.weights import (
    average,
    blend,
    fold_normalisation,
    person_only,
    save_checkpoint,
)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def write_sequence(folder: Path, truth: str, frames: int = 4, size: tuple[int, int] = (100, 200)) -> Path:
    (folder / "gt").mkdir(parents=True)
    (folder / "img1").mkdir()
    (folder / "gt" / "gt.txt").write_text(truth)
    (folder / "seqinfo.ini").write_text("[Sequence]\nname=Made-Up\n")
    for number in range(1, frames + 1):
        cv2.imwrite(str(folder / "img1" / f"{number:06d}.jpg"), np.full((*size, 3), number, np.uint8))
    return folder


def test_mot17_ground_truth_becomes_people_and_ignored_areas(tmp_path: Path) -> None:
    sequence = write_sequence(
        tmp_path / "sequence",
        "1,1,20,10,40,80,1,1,1\n"  # a person
        "1,2,-20,10,40,80,1,1,0.5\n"  # half outside: clipped
        "1,3,60,10,20,40,1,1,0.05\n"  # hidden: ignored
        "1,4,100,10,20,40,0,8,1\n"  # distractor: ignored
        "1,5,140,10,20,40,0,3,1\n"  # car: nothing
        "3,1,24,10,40,80,1,1,1\n",
    )
    assert convert_mot(MotFrames.parse(f"{sequence}:1-4:2"), tmp_path / "out") == 2
    (first, people, ignored), (third, later, none) = labelled_pictures(tmp_path / "out")
    assert [first.stem, third.stem] == ["Made-Up_000001", "Made-Up_000003"]
    sides = np.array([200, 100, 200, 100], np.float32)
    np.testing.assert_allclose(people * sides, boxes((20, 10, 60, 90), (0, 10, 20, 90)), atol=1e-3)
    np.testing.assert_allclose(ignored * sides, boxes((60, 10, 80, 50), (100, 10, 120, 50)), atol=1e-3)
    np.testing.assert_allclose(later * sides, boxes((24, 10, 64, 90)), atol=1e-3)
    assert none.shape == (0, 4)


def test_mot15_ground_truth_has_no_class(tmp_path: Path) -> None:
    truth = "1,1,20,10,40,80,1,-4.1,-7.3,0\n1,2,80,10,40,80,0,8,1,0\n"
    sequence = write_sequence(tmp_path / "sequence", truth)
    convert_mot(MotFrames(sequence, last=1), tmp_path / "out")
    ((_, people, ignored),) = labelled_pictures(tmp_path / "out")
    np.testing.assert_allclose(people, boxes((0.1, 0.1, 0.3, 0.9)), atol=1e-5)
    assert len(ignored) == 0


def test_frames_of_a_video_are_counted_from_one(tmp_path: Path) -> None:
    sequence = write_sequence(tmp_path / "sequence", "2,1,20,10,40,80,1,-1,-1,-1\n", size=(96, 192))
    writer = cv2.VideoWriter(str(sequence / "made.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (192, 96))
    for picture in sorted((sequence / "img1").iterdir()):
        writer.write(cv2.imread(str(picture)) * 50)
        picture.unlink()
    writer.release()
    (sequence / "img1").rmdir()
    assert convert_mot(MotFrames(sequence, first=2, last=3), tmp_path / "out") == 2
    pictures = list(labelled_pictures(tmp_path / "out"))
    assert [len(people) for _, people, _ in pictures] == [1, 0]
    assert [round(cv2.imread(str(path)).mean() / 50) for path, _, _ in pictures] == [2, 3]


def test_a_spec_without_its_parts() -> None:
    assert MotFrames.parse("a/b") == MotFrames(Path("a/b"), 1, None, 1)
    assert MotFrames.parse("a/b:399-:10") == MotFrames(Path("a/b"), 399, None, 10)
    assert MotFrames.parse(r"C:\a:1-30") == MotFrames(Path(r"C:\a"), 1, 30, 1)
    with pytest.raises(ValueError, match="expected FOLDER"):
        MotFrames.parse("")
    for wrong in ("a:1-5:0", "a:0-5", "a:9-5"):
        with pytest.raises(ValueError, match=f"{wrong}: expected FIRST and STEP from 1, and LAST not before"):
            MotFrames.parse(wrong)


def test_ignored_areas_are_painted_except_people(tmp_path: Path) -> None:
    for part in ("images", "labels", "ignore"):
        (tmp_path / "in" / part).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "in" / "images" / "a.png"), np.full((100, 100, 3), 7, np.uint8))
    (tmp_path / "in" / "labels" / "a.txt").write_text("0 0.15 0.5 0.1 0.2\n1 0.8 0.8 0.1 0.1\n")
    (tmp_path / "in" / "ignore" / "a.txt").write_text("0 0.25 0.5 0.3 1.0\n")
    convert_yolo(tmp_path / "in", tmp_path / "out")
    painted = cv2.imread(str(tmp_path / "out" / "images" / "a.png"))[..., 0]
    expected = np.full((100, 100), 7)
    expected[:, 10:40] = 114
    expected[40:60, 10:20] = 7
    np.testing.assert_array_equal(painted, expected)
    assert (tmp_path / "out" / "labels" / "a.txt").read_text() == "0 0.150000 0.500000 0.100000 0.200000\n"
    with pytest.raises(FileExistsError, match="two pictures are called a"):
        convert_yolo(tmp_path / "in", tmp_path / "out")


def test_ap50_by_hand() -> None:
    person, other = (0, 0, 10, 20), (50, 0, 60, 20)
    first = PictureResult(
        people=boxes(person, other),
        ignored=boxes((100, 0, 200, 100)),
        # hit; a second box on the same person: false; lies in the ignored area: does not count
        detections=boxes((0, 0, 10, 19), (0, 0, 10, 18), (120, 10, 130, 30)),
        scores=np.array([0.9, 0.6, 0.95], np.float32),
    )
    second = PictureResult(
        people=boxes(person),
        ignored=boxes(),
        detections=boxes(person, (0, 0, 10, 9)),  # hit; IoU 0.45: false
        scores=np.array([0.05, 0.7], np.float32),
    )
    score = score_detections([first, second], low_score=0.1)
    # By score: 0.9 hit, 0.7 false, 0.6 false, 0.05 hit; precision 1, then 2/4; 3 people.
    assert score.ap50 == pytest.approx((1 + 0.5) / 3)
    assert score.recall == pytest.approx(1 / 3)
    assert (score.people, score.pictures) == (3, 2)


def test_each_person_is_found_once_by_the_surest_box() -> None:
    detections = boxes((0, 0, 10, 10), (1, 0, 11, 10))
    people = boxes((1, 0, 11, 10), (0, 0, 10, 10))
    scores = np.array([0.4, 0.8], np.float32)
    assert score_detections([PictureResult(people, boxes(), detections, scores)]).ap50 == 1
    assert score_detections([PictureResult(people, boxes(), boxes(), np.zeros(0, np.float32))]).ap50 == 0


def coco_like(name: str = "yolo11n.yaml") -> torch.nn.Module:
    """An untrained 80-class model."""
    import_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    return DetectionModel(name, verbose=False).eval()


def few_layers() -> torch.nn.Module:
    """An untrained model of few layers: a tiny training copies and saves most of the time."""
    import_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    convolutions = [[-1, 1, "Conv", [8 * 2**layer, 3, 2]] for layer in range(5)]  # the last three are seen
    nothing = [[-1, 1, "nn.Identity", []]] * 6  # eleven layers are the backbone, as in YOLO11
    layers = {"nc": 80, "backbone": [*convolutions, *nothing], "head": [[[2, 3, 4], 1, "Detect", ["nc"]]]}
    torch.manual_seed(0)
    return DetectionModel(layers, verbose=False).eval()


@pytest.mark.parametrize("name", ["yolo11n.yaml", "yolo26n.yaml"])
def test_person_only_keeps_boxes_and_person_scores(name: str) -> None:
    model = coco_like(name)
    model.model[-1].end2end = False
    cut = person_only(model)
    assert cut.names == {0: "person"}
    assert (cut.model[-1].nc, model.model[-1].nc) == (1, 80)
    assert getattr(cut.model[-1], "one2one_cv2", None) is None
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        expected, found = model(image)[0], cut(image)[0]
    torch.testing.assert_close(found, expected[:, :5])


def test_blend_lies_between() -> None:
    start = person_only(coco_like())
    tuned = person_only(coco_like())
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter += 1
    before = {name: value.clone() for name, value in tuned.state_dict().items()}
    mixed = blend(start, tuned, 0.25).state_dict()
    for name, value in start.named_parameters():
        torch.testing.assert_close(mixed[name], value + 0.25)
    assert all(torch.equal(value, before[name]) for name, value in tuned.state_dict().items())


def test_folded_normalisation_changes_nothing_but_where_it_is() -> None:
    model = coco_like()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            with torch.no_grad():
                for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                    tensor.uniform_(0.5, 1.5)
    image = torch.rand(1, 3, 64, 96)
    folded = deepcopy(model)
    fold_normalisation(folded)
    with torch.inference_mode():
        torch.testing.assert_close(folded(image)[0], model(image)[0], rtol=1e-4, atol=1e-3)
        fused = deepcopy(folded).half().float().fuse(verbose=False)
        same = zip(fused.state_dict().values(), fused.half().float().state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in same), "what is fused is no longer in half precision"


@pytest.mark.parametrize(("bf16", "model"), [(False, coco_like), (True, few_layers)])
def test_training_makes_a_small_one_class_checkpoint(
    tmp_path: Path, bf16: bool, model: Callable[[], torch.nn.Module], torch_threads: int
) -> None:
    """And it computes with the threads it was given."""
    truth = "".join(f"{frame},1,20,10,40,80,1,1,1\n" for frame in range(1, 5))
    sequence = write_sequence(tmp_path / "sequence", truth)
    save_checkpoint(model(), tmp_path / "start.pt", {})
    settings = FineTuning(
        epochs=1, runs=1, pictures=4, image_size=64, image_height=64, batch=2, backbone_rate=0, bf16=bf16
    )
    steps: list[tuple[str, int, int, int]] = []
    out = train_detector(
        tmp_path / "start.pt",
        tmp_path / "out.pt",
        sequences=[MotFrames(sequence)],
        settings=settings,
        on_step=lambda *step: steps.append((*step, torch.get_num_threads())),
    )
    assert steps == [("training", 1, 2, torch_threads), ("training", 2, 2, torch_threads)]
    learnt = load_ultralytics(out)
    assert learnt.names == {0: "person"}
    assert out.stat().st_size <= 6_000_000
    assert str(tmp_path).encode() not in out.read_bytes(), "a path of this machine"
    start = person_only(load_ultralytics(tmp_path / "start.pt").model)
    changed = [
        name
        for (name, value), old in zip(learnt.model.named_parameters(), start.parameters(), strict=True)
        if not torch.equal(value.float(), old.half().float())
    ]
    assert changed
    assert all(int(name.split(".")[1]) >= 11 for name in changed), "the backbone moved"
    assert all(
        torch.equal(value.float(), old.half().float())
        for value, old in zip(learnt.model.buffers(), start.buffers(), strict=True)
    ), "normalisation moved"
    convert_mot(MotFrames(sequence), tmp_path / "test")
    scores = evaluate_detector(out, {"made": tmp_path / "test"}, sizes=[64])
    assert scores["made", 64].people == 4


def test_what_is_interrupted_is_kept_and_resumed(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the command line: Ctrl-C in the second of three epochs, and on from there."""
    truth = "".join(f"{frame},1,20,10,40,80,1,1,1\n" for frame in range(1, 5))
    sequence = write_sequence(tmp_path / "sequence", truth)
    save_checkpoint(few_layers(), tmp_path / "start.pt", {})
    out = tmp_path / "out.pt"
    options = ["--start", tmp_path / "start.pt", "--epochs", 3, "--runs", 1, "--pictures", 4, "--batch", 2]
    options += ["--image-size", 64, "--image-height", 64]
    shown: list[tuple[int, int]] = []

    def progress(bar: WorkProgress, description: str, done: int, total: int) -> None:
        shown.append((done, total))
        if len(shown) == 3:
            raise KeyboardInterrupt

    begun: list[dict[str, torch.Tensor]] = []
    prepare = trainer._prepare

    def prepared(start: Any, settings: Any, running: Any) -> None:
        begun.append({name: value.clone() for name, value in running.model.state_dict().items()})
        prepare(start, settings, running)

    monkeypatch.setattr(trainer, "_prepare", prepared)
    monkeypatch.setattr(WorkProgress, "__call__", progress)
    result = run("train-detector", out, *options, "--mot", sequence)
    assert result.code == 130
    assert result.err.endswith(f"interrupted: what was learnt is kept in {out}; --resume goes on\n")
    kept = out.read_bytes()
    learnt = torch.load(last_epoch(out.with_suffix(".work")), weights_only=False)["ema"].float().state_dict()
    result = run("train-detector", out, "--start", tmp_path / "start.pt", "--resume")
    assert result.code == 0, result.err
    assert any(not torch.equal(value, learnt[name]) for name, value in begun[0].items())
    assert all(torch.equal(value, learnt[name]) for name, value in begun[1].items())
    assert out.read_bytes() != kept
    assert shown == [(1, 6), (2, 6), (3, 6), (3, 6), (4, 6), (5, 6), (6, 6)]


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return {name: value.float() for name, value in load_ultralytics(path).model.state_dict().items()}


def test_runs_are_averaged_and_the_finished_ones_kept(tmp_path: Path) -> None:
    sequence = write_sequence(tmp_path / "sequence", "1,1,20,10,40,80,1,1,1\n")
    start, out = tmp_path / "start.pt", tmp_path / "out.pt"
    save_checkpoint(few_layers(), start, {})
    settings = FineTuning(
        epochs=1, runs=2, pictures=2, image_size=64, image_height=64, batch=2, tuned_share=1
    )
    steps: list[tuple[int, int]] = []

    def interrupt(_: str, done: int, total: int) -> None:
        steps.append((done, total))
        if len(steps) == 2:  # in the second run
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_detector(start, out, sequences=[MotFrames(sequence)], settings=settings, on_step=interrupt)
    kept = weights_of(out)
    train_detector(start, out, resume=True, on_step=interrupt)
    assert steps == [(1, 2), (2, 2), (2, 2)]  # the first run is not made again
    first, second = (
        torch.load(last_epoch(out.with_suffix(".work"), run), weights_only=False)["ema"].float()
        for run in (0, 1)
    )
    learnt = zip(first.parameters(), second.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in learnt), "both runs had the same pictures"
    save_checkpoint(first, tmp_path / "first.pt", {})
    torch.testing.assert_close(kept, weights_of(tmp_path / "first.pt"), rtol=0, atol=0)
    save_checkpoint(average([first, second]), tmp_path / "both.pt", {})
    torch.testing.assert_close(weights_of(out), weights_of(tmp_path / "both.pt"), rtol=0, atol=0)


def test_an_average_weighs_all_alike() -> None:
    models = [torch.nn.Linear(2, 1, bias=False) for _ in range(3)]
    for model, value in zip(models, (1.0, 2.0, 6.0), strict=True):
        torch.nn.init.constant_(model.weight, value)
    torch.testing.assert_close(average(models).weight, torch.full((1, 2), 3.0))
    assert models[0].weight[0, 0].item() == 1


def test_each_run_pastes_people_of_its_own(tmp_path: Path) -> None:
    sequence = write_sequence(tmp_path / "sequence", "1,1,20,10,40,80,1,1,1\n")
    save_checkpoint(few_layers(), tmp_path / "start.pt", {})
    (tmp_path / "people").mkdir()
    noise = np.random.default_rng(0).integers(0, 8, (128, 64, 3), np.uint8)
    for number in range(6):  # so many widths
        person = noise + np.uint8(120)
        cv2.circle(person, (32, 14), 8, (30, 30, 200), -1)
        for left, top, right, bottom in (
            (18 - number, 20, 46 + number, 66),
            (22, 66, 29, 121),
            (35, 66, 42, 121),
        ):
            cv2.rectangle(person, (left, top), (right, bottom), (30, 30, 200), -1)
        cv2.imwrite(str(tmp_path / "people" / f"{number}.png"), person)
    settings = FineTuning(epochs=1, runs=2, pictures=2, image_size=64, image_height=64, batch=2, cutouts=1)
    steps: list[tuple[str, int, int]] = []
    train_detector(
        tmp_path / "start.pt",
        tmp_path / "out.pt",
        sequences=[MotFrames(sequence)],
        people=tmp_path / "people",
        settings=settings,
        on_step=lambda *step: steps.append(step),
    )
    cutting, training = "cutting people out", "training"
    assert steps == [(cutting, 1, 2), (cutting, 2, 2), (training, 1, 2), (training, 2, 2)]
    first, second = (load_cutouts(tmp_path / "out.work" / f"cutouts-{run}.npz") for run in (0, 1))
    assert len(first) == len(second) == 1
    assert first[0].shape != second[0].shape


def test_commands_that_cannot_be_run(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "start.pt").write_bytes(b"no weights")
    train = ["train-detector", tmp_path / "out.pt", "--start", tmp_path / "start.pt"]
    for arguments, message in (
        (train, "nothing to learn from; give --yolo or --mot"),
        ([*train, "--epochs", 0, "--mot", "x"], "epochs: expected a value at least 1, got 0"),
        ([*train, "--resume"], "nothing to resume: no "),
        (
            ["train-detector", tmp_path / "out.onnx", "--start", "x"],
            "expected a name that ends in .safetensors (RTMDet) or .pt",
        ),
        (["evaluate-detector", "x.pt"], "nothing to score on; give --yolo or --mot"),
        (["evaluate-detector", "x.pt", "--sizes", "640;960"], "--sizes '640;960': expected whole numbers"),
        (["evaluate-detector", "x.pt", "--sizes", "100"], "image_size: expected a multiple of 32, got 100"),
        (["evaluate-detector", "x.pt", "--mot", "here"], "--mot here: expected NAME=FOLDER"),
        (["evaluate-detector", "x.pt", "--yolo", tmp_path], "no pictures in "),
    ):
        result = run(*arguments)
        assert result.code == 2, arguments
        assert message in result.err
        assert result.err.count("\n") == 1


def test_detectors_are_compared_in_a_table(run: Callable[..., Any], tmp_path: Path) -> None:
    sequence = write_sequence(tmp_path / "sequence", "1,1,20,10,40,80,1,1,1\n", frames=2)
    weights = DetectorConfig().weights
    result = run(
        "evaluate-detector", weights, "--mot", f"made={sequence}", "--sizes", "64,96", "-o", tmp_path / "out"
    )
    assert result.code == 0, result.err
    rows = json.loads((tmp_path / "out" / "detectors.json").read_text())["rows"]
    assert [(row["weights"], row["size"], row["set"]) for row in rows] == [
        (weights, 64, "made"),
        (weights, 96, "made"),
    ]
    assert {(row["pictures"], row["people"]) for row in rows} == {(2, 1)}


def test_what_was_scored_before_an_error_is_told(run: Callable[..., Any], tmp_path: Path) -> None:
    sequence = write_sequence(tmp_path / "sequence", "1,1,20,10,40,80,1,1,1\n", frames=2)
    (tmp_path / "broken.onnx").write_bytes(b"no weights")
    weights = (DetectorConfig().weights, tmp_path / "broken.onnx")
    options = ("--mot", f"made={sequence}", "--sizes", "64", "-o", tmp_path / "out")
    result = run("evaluate-detector", *weights, *options)
    assert result.code == 2
    assert "broken.onnx: ONNX Runtime cannot load it" in result.err
    rows = json.loads((tmp_path / "out" / "detectors.json").read_text())["rows"]
    assert [row["weights"] for row in rows] == [DetectorConfig().weights]


@pytest.mark.data
@pytest.mark.parametrize("name", ["yolo11n_coco.pt", "yolo26n_coco.pt"])
def test_the_start_finds_people_as_the_coco_model_does(data: Path, tmp_path: Path, name: str) -> None:
    coco = load_ultralytics(data.parent / "weights" / name)
    save_checkpoint(person_only(coco.model), tmp_path / "start.pt", {})
    start = load_ultralytics(tmp_path / "start.pt")
    image = cv2.imread(str(data / "mot17" / "train" / "MOT17-04" / "img1" / "000001.jpg"))
    expected, found = (
        model.predict(image, imgsz=640, conf=0.05, classes=[0], verbose=False)[0].boxes
        for model in (coco, start)
    )
    assert len(expected) > 10
    clear = expected.conf > 0.1  # what half precision does may move others over the threshold
    apart = (found.xyxy[None] - expected.xyxy[clear, None]).abs().amax(dim=2)
    nearest, place = apart.min(dim=1)
    assert nearest.max() < 0.5
    assert (found.conf[place] - expected.conf[clear]).abs().max() < 0.01


@pytest.mark.data
def test_the_shipped_detector_beats_its_start_on_adl(data: Path, tmp_path: Path) -> None:
    ours_path = shipped("weights") / DetectorConfig().weights
    convert_mot(MotFrames(data / "adl-rundle-6", first=264, step=50), tmp_path)
    ours, start = (
        evaluate_detector(weights, {"adl": tmp_path}, sizes=[640])["adl", 640].ap50
        for weights in (ours_path, data.parent / "weights" / "yolo11n_coco.pt")
    )
    assert ours > start
