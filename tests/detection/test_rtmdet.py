"""RTMDet: the network, its weights, its export, and what is read from its maps."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from mot_reid.boxes import iou
from mot_reid.config import DetectorConfig
from mot_reid.detection.onnx_rtmdet import MEAN, STRIDES, rows_of
from mot_reid.detection.onnx_yolo import Suppression
from mot_reid.detection.rtmdet import STD, RtmDet
from mot_reid.detection.rtmdet_export import export_rtmdet
from mot_reid.detection.rtmdet_torch import TorchRtmDet
from mot_reid.detection.rtmdet_weights import from_openmmlab, load_rtmdet, read_notes, save_rtmdet
from mot_reid.detection.yolo import YoloDetector
from mot_reid.sessions import open_session


def a_network(seed: int = 0) -> RtmDet:
    """One with random weights that finds something."""
    torch.manual_seed(seed)
    network = RtmDet().eval()
    with torch.no_grad():
        for head in network.heads:
            head.score.weight.mul_(20)
            head.box.bias.fill_(2.0)
    return network


def a_picture(height: int = 90, width: int = 150) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def assert_alike(a: np.ndarray, b: np.ndarray) -> None:
    """Rows (N, 5) and more, boxes and scores: as many, and each has its like, in any order."""
    assert len(a) == len(b) > 3
    apart = np.abs(a[:, None, :5] - b[None, :, :5]) <= (0.01, 0.01, 0.01, 0.01, 1e-4)
    assert apart.all(axis=2).any(axis=1).all()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with its export beside it."""
    path = tmp_path_factory.mktemp("rtmdet") / "person.safetensors"
    save_rtmdet(a_network(), path, {"epochs": 3})
    export_rtmdet(path, path.with_suffix(".onnx"))
    return path


@pytest.mark.data
def test_openmmlabs_weights_give_what_openmmlabs_export_gives(data: Path) -> None:
    path = data.parent / "weights" / "rtmdet_nano_person.onnx"
    graph = onnx.load(str(path))
    before_suppression = ["onnx::Sigmoid_1402", "onnx::Gather_1404"]  # logits, distances
    for name in before_suppression:
        graph.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString())
    picture = cv2.imread(str(data / "adl-rundle-6" / "img1" / "000001.jpg"))
    pixels = (cv2.resize(picture, (640, 384)) - np.array(MEAN)) / np.array(STD)
    blob = pixels.transpose(2, 0, 1)[None].astype(np.float32)
    logits, distances = session.run(before_suppression, {"input": blob})
    with torch.inference_mode():
        maps = from_openmmlab(path)(torch.from_numpy(blob))
    scores = [1 / (1 + np.exp(-values)) for values in (logits[..., 0], maps.logits[:, 0].numpy())]
    assert scores[0].max() > 0.6
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4)
    np.testing.assert_allclose(maps.distances.transpose(1, 2).numpy(), distances, rtol=1e-4, atol=2e-3)


def test_another_networks_export_is_told_from_openmmlabs(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"])
    arrays = {"w": np.zeros((2, 3, 1, 1), np.float32), "b": np.zeros(2, np.float32)}
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "other",
        [tensor("x", onnx.TensorProto.FLOAT, [1, 3, 4, 4])],
        [tensor("y", onnx.TensorProto.FLOAT, [1, 2, 4, 4])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    path = tmp_path / "other.onnx"
    onnx.save(onnx.helper.make_model(graph), str(path))
    with pytest.raises(ValueError, match=r"other\.onnx: expected 123 convolutions"):
        from_openmmlab(path)
    path.write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"other\.onnx: not an ONNX file"):
        from_openmmlab(path)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    network = a_network()
    save_rtmdet(network, tmp_path / "a.safetensors")
    loaded = load_rtmdet(tmp_path / "a.safetensors")
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=0, atol=0)


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    network = a_network()
    with torch.no_grad():
        network.heads[0].score.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"not finite in heads\.0\.score\.bias"):
        save_rtmdet(network, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_not_loaded(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = tmp_path / "a.safetensors"
    save_rtmdet(a_network(), path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    tensors["heads.0.score.bias"].fill_(float("nan"))
    save_file(tensors, path, metadata)
    with pytest.raises(
        ValueError, match=r"a\.safetensors: values that are not finite in heads\.0\.score\.bias"
    ):
        load_rtmdet(path)


@pytest.mark.parametrize("notes", ['"text"', "3", "[1]", "null"])
def test_notes_that_are_none(tmp_path: Path, notes: str) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "a.safetensors"
    metadata = f'{{"format": 1, "architecture": "rtmdet_nano", "notes": {notes}}}'
    save_file({"a": torch.zeros(1)}, path, {"mot_reid": metadata})
    assert read_notes(path) == {}


def test_files_of_others_are_refused_by_name(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    with pytest.raises(FileNotFoundError, match=r"other\.safetensors"):
        load_rtmdet(path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"other\.safetensors: not a readable safetensors file"):
        load_rtmdet(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"other\.safetensors: its metadata name no detector of ours"):
        load_rtmdet(path)
    save_file({"a": torch.zeros(1)}, path, {"mot_reid": '{"format": 1, "architecture": "rtmdet_nano"}'})
    with pytest.raises(ValueError, match=r"other\.safetensors: its tensors are not those of rtmdet_nano"):
        load_rtmdet(path)


def test_maps_are_read_as_boxes() -> None:
    output = np.zeros((5, 4 * 6 + 2 * 3 + 1 * 2), np.float32)  # of 32 x 48 pixels
    output[4] = -9
    output[:, 7] = [1, 2, 3, 4, 0]  # stride 8, second row, second place: (8, 8)
    output[:, 28] = [10, 10, 5, 5, 2]  # stride 16, second row, second place: (16, 16)
    rows = rows_of(output, (32, 48), 0.4)
    np.testing.assert_allclose(rows[:, :4], [[7, 6, 11, 12], [6, 6, 21, 21]])
    np.testing.assert_allclose(rows[:, 4], [0.5, 1 / (1 + np.exp(-2))], rtol=1e-6)
    assert (rows[:, 5] == 0).all()
    assert len(rows_of(output, (32, 48), 0.6)) == 1
    assert len(rows_of(output, (32, 48), 0.0)) == output.shape[1]
    assert len(rows_of(output, (32, 48), 1.0)) == 0
    assert len(rows_of(output, (32, 48), 0.4, classes=[1])) == 0


def test_the_maps_lie_as_they_are_read() -> None:
    """A network that says 'here' at one place of one map: read back, the box stands at that place."""
    network = RtmDet().eval()
    blank = torch.zeros(1, 3, 64, 96)
    with torch.inference_mode():
        maps = network(blank)
    counts = [64 // stride * (96 // stride) for stride in STRIDES]
    assert maps.logits.shape == (1, 1, sum(counts))
    assert maps.distances.shape == (1, 4, sum(counts))
    from mot_reid.training.detector.assignment import places

    spots = places(64, 96, STRIDES)
    everything = np.concatenate((np.zeros((4, sum(counts))), np.zeros((1, sum(counts)))))
    rows = rows_of(everything.astype(np.float32), (64, 96), 0.1)
    np.testing.assert_array_equal(rows[:, :2], spots[:, :2].numpy())
    assert spots[:, 2].tolist() == [float(s) for s, n in zip(STRIDES, counts, strict=True) for _ in range(n)]


def test_an_export_finds_what_torch_finds(weights: Path) -> None:
    frame = a_picture()
    config = DetectorConfig(str(weights), image_size=96, score=0.2, nms_iou=1.0)
    exported, plain = YoloDetector(config), YoloDetector(replace(config, runtime="torch"))
    assert exported.name == "person.safetensors (onnxruntime cpu)"
    assert plain.name == "person.safetensors (torch cpu)"
    found = [detector.detect([frame])[0] for detector in (exported, plain)]
    assert_alike(*(np.column_stack((each.xyxy, each.scores)) for each in found))


def test_a_batch_gives_what_its_frames_give(weights: Path) -> None:
    frames = [a_picture(), a_picture(80, 150)[::-1].copy(), a_picture(80, 150), a_picture(80, 150)]
    detector = TorchRtmDet(weights, "cpu")
    keep = Suppression(0.2, 1.0, None, 300)
    together, alone = detector(frames, 96, keep), [detector([frame], 96, keep)[0] for frame in frames]
    for a, b in zip(together, alone, strict=True):
        assert_alike(a, b)


def test_without_its_export_torch_runs_it(weights: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(weights.read_bytes())
    assert YoloDetector(DetectorConfig(str(alone))).name == "alone.safetensors (torch cpu)"
    with pytest.raises(ValueError, match="no export of exactly these weights"):
        YoloDetector(DetectorConfig(str(alone), "onnxruntime"))
    (tmp_path / "alone.onnx").write_bytes(weights.with_suffix(".onnx").read_bytes())
    assert YoloDetector(DetectorConfig(str(alone))).name == "alone.safetensors (onnxruntime cpu)"
    save_rtmdet(a_network(1), alone)  # others now: the export is no longer theirs
    assert YoloDetector(DetectorConfig(str(alone))).name == "alone.safetensors (torch cpu)"


def test_an_export_of_other_numbers_is_not_kept(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mot_reid.detection.rtmdet_export import _Lean

    right = _Lean.forward
    monkeypatch.setattr(_Lean, "forward", lambda self, pictures: right(self, pictures) + 0.01)
    with pytest.raises(ValueError, match="the export's scores are"):
        export_rtmdet(weights, tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())


def test_an_export_of_no_numbers_is_not_kept(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mot_reid.detection.rtmdet_export import _Lean

    right = _Lean.forward
    monkeypatch.setattr(_Lean, "forward", lambda self, pictures: right(self, pictures) * float("nan"))
    with pytest.raises(ValueError, match="the export's scores are nan off"):
        export_rtmdet(weights, tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())


def test_the_export_tells_what_it_is(weights: Path) -> None:
    metadata = open_session(weights.with_suffix(".onnx"), threads=1).get_modelmeta().custom_metadata_map
    assert metadata["architecture"] == "rtmdet_nano"
    assert metadata["license"] == "Apache-2.0"


def test_onnx_runtime_alone_is_imported(weights: Path) -> None:
    script = f"""
import sys
import numpy as np
from mot_reid.config import DetectorConfig
from mot_reid.detection.yolo import YoloDetector
for weights in ({str(weights)!r}, {str(weights.with_suffix(".onnx"))!r}):
    YoloDetector(DetectorConfig(weights, image_size=96)).detect([np.zeros((48, 64, 3), np.uint8)])
print([name for name in ("torch", "torchvision", "ultralytics") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_ships_is_an_export_of_what_ships_and_finds_people() -> None:
    from importlib.util import find_spec

    from mot_reid.resources import export_of, shipped

    path = shipped("weights") / "person_rtmdet_nano.safetensors"
    assert export_of(path) == path.with_suffix(".onnx")
    assert read_notes(path)["settings"]["frozen"] == 5
    detector = YoloDetector(DetectorConfig(path.name, score=0.5))
    assert detector.name == "person_rtmdet_nano.safetensors (onnxruntime cpu)"
    package = find_spec("ultralytics")
    assert package is not None
    assert package.origin is not None
    bus = np.asarray(cv2.imread(str(Path(package.origin).parent / "assets" / "bus.jpg")))
    (found,) = detector.detect([bus])
    four = [[48, 398, 246, 904], [221, 406, 346, 860], [669, 390, 810, 880], [0, 550, 64, 875]]
    seen = iou(found.xyxy, np.array(four, np.float32)).max(axis=0) > 0.7
    assert seen.sum() >= 3
    assert len(found) <= 6
