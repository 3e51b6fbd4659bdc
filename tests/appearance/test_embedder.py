"""Embedders on real networks, small ones: an MGN checkpoint in torch, an ONNX export in ONNX Runtime."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from mot_reid.appearance.checkpoints import save_checkpoint
from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.appearance.mgn import MGN
from mot_reid.config import EmbedderConfig

FRAME = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8), (0, 0), 5)
BOXES = np.array([[10, 20, 60, 160], [100.5, 30.2, 170.1, 220.7], [-20, -20, 70, 130]], np.float32)
SIZE = (96, 48)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_checkpoint(path, MGN("osnet_x0_25", reduced_dim=16), input_size=SIZE, half=False)
    return path


def export_mean_colour(path: Path, batch: int | str = "n", **metadata: str) -> Path:
    """An ONNX network whose embedding is the mean of each input channel."""
    pool = helper.make_node("GlobalAveragePool", ["images"], ["pooled"])
    flatten = helper.make_node("Flatten", ["pooled"], ["embeddings"])
    graph = helper.make_graph(
        [pool, flatten],
        "mean_colour",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, *SIZE])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [batch, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, str(path))
    return path


def plain_crops() -> np.ndarray:
    """The textbook way, crop by crop: cut, resize, RGB, scale, normalise. (N, 3, h, w)."""
    crops = []
    for x1, y1, x2, y2 in np.rint(np.clip(BOXES, 0, [320, 240, 320, 240])).astype(int):
        rgb = cv2.cvtColor(cv2.resize(FRAME[y1:y2, x1:x2], SIZE[::-1]), cv2.COLOR_BGR2RGB)
        crops.append(((rgb / 255 - MEAN) / STD).transpose(2, 0, 1))
    return np.array(crops, np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_an_mgn_checkpoint_equals_the_plain_way(checkpoint: Path) -> None:
    torch.manual_seed(0)
    network = MGN("osnet_x0_25", reduced_dim=16).eval()
    with torch.inference_mode():
        expected = unit(network(torch.from_numpy(plain_crops())).numpy())
    embeddings = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint))).embed(FRAME, BOXES)
    assert embeddings.shape == (3, 128)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert (embeddings * expected).sum(axis=1).min() > 0.9999


def test_batches_do_not_change_the_result(checkpoint: Path) -> None:
    boxes = np.tile(BOXES, (3, 1))
    whole = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint))).embed(FRAME, boxes)
    parts = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint), batch_size=2)).embed(FRAME, boxes)
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_an_onnx_export_equals_the_plain_way(tmp_path: Path) -> None:
    path = export_mean_colour(tmp_path / "mean.onnx")
    embedder = NetworkEmbedder(EmbedderConfig(weights=str(path)))
    np.testing.assert_allclose(
        embedder.embed(FRAME, BOXES), unit(plain_crops().mean(axis=(2, 3))), rtol=1e-4, atol=1e-5
    )
    assert embedder.name == "mean.onnx (onnxruntime cpu)"


def test_an_export_can_name_its_own_normalisation(tmp_path: Path) -> None:
    path = export_mean_colour(tmp_path / "mean.onnx", mean="[0, 0, 0]", std="[1, 1, 1]")
    crops = plain_crops() * np.reshape(STD, (3, 1, 1)) + np.reshape(MEAN, (3, 1, 1))
    embeddings = NetworkEmbedder(EmbedderConfig(weights=str(path))).embed(FRAME, BOXES)
    np.testing.assert_allclose(embeddings, unit(crops.mean(axis=(2, 3))), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_broken_weights_are_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(ValueError, match=f"broken{suffix}") as raised:
        NetworkEmbedder(EmbedderConfig(weights=str(path)))
    assert "\n" not in str(raised.value)


def test_an_export_of_one_crop_takes_crops_one_by_one(tmp_path: Path) -> None:
    one, many = (
        NetworkEmbedder(EmbedderConfig(weights=str(path)))
        for path in (
            export_mean_colour(tmp_path / "one.onnx", batch=1),
            export_mean_colour(tmp_path / "n.onnx"),
        )
    )
    np.testing.assert_allclose(one.embed(FRAME, BOXES), many.embed(FRAME, BOXES), atol=1e-6)


def test_an_export_of_another_fixed_batch_is_named(tmp_path: Path) -> None:
    path = export_mean_colour(tmp_path / "four.onnx", batch=4)
    with pytest.raises(ValueError, match=r"four\.onnx: cannot embed two crops"):
        NetworkEmbedder(EmbedderConfig(weights=str(path)))


def test_weights_that_do_not_exist_are_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"weights not found: nowhere\.onnx"):
        NetworkEmbedder(EmbedderConfig(weights="nowhere.onnx"))


def test_a_loaded_network_does_not_hang_on_its_file(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(checkpoint.read_bytes())
    embedder = NetworkEmbedder(EmbedderConfig(weights=str(path)))
    before = embedder.embed(FRAME, BOXES)
    with path.open("r+b") as file:  # another process writes new weights into the same file
        file.seek(path.stat().st_size // 4)
        file.write(b"\xff" * (path.stat().st_size // 2))
    np.testing.assert_array_equal(embedder.embed(FRAME, BOXES), before)


def test_several_frames_in_one_call_equal_frame_after_frame(checkpoint: Path) -> None:
    embedder = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint)))
    frames = [FRAME, FRAME[::-1].copy(), FRAME, FRAME[:, ::-1].copy()]
    boxes = [BOXES, BOXES[:1], BOXES[:0], BOXES[1:]]
    found = embedder.embed_batch(frames, boxes)
    assert [len(rows) for rows in found] == [3, 1, 0, 2]
    for rows, frame, own in zip(found, frames, boxes, strict=True):
        if len(own):
            np.testing.assert_allclose(rows, embedder.embed(frame, own), atol=1e-5)


@pytest.mark.parametrize("std", ["[NaN, 1, 1]", "[0, 1, 1]", "[1, 1]", "{}", "["])
def test_a_normalisation_that_is_none_is_told(tmp_path: Path, std: str) -> None:
    path = export_mean_colour(tmp_path / "mean.onnx", std=std)
    with pytest.raises(ValueError, match=r"mean\.onnx: cannot embed two crops"):
        NetworkEmbedder(EmbedderConfig(weights=str(path)))
