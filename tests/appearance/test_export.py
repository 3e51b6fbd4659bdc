"""Exports, and which of checkpoint and export is run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from mot_reid.appearance.backends import OnnxBackend, TorchBackend, load_backend
from mot_reid.appearance.checkpoints import save_checkpoint
from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.appearance.export import export_onnx
from mot_reid.appearance.mgn import MGN
from mot_reid.config import EmbedderConfig
from mot_reid.resources import shipped

SIZE = (96, 48)
CROPS = np.random.default_rng(1).integers(0, 256, (7, *SIZE, 3), dtype=np.uint8)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, MGN("osnet_x0_25", reduced_dim=16), input_size=SIZE, mean=(0.4, 0.5, 0.6))
    return path


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_an_export_gives_the_same_embeddings_whatever_the_batch(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.onnx"
    export_onnx(checkpoint, path)
    ours, theirs = TorchBackend(checkpoint, "cpu"), OnnxBackend(path)
    for count in (1, 2, 7):
        assert cosines(ours(CROPS[:count]), theirs(CROPS[:count])).min() > 1 - 1e-4
    assert list(tmp_path.glob("*partial*")) == []
    shape = onnxruntime.InferenceSession(path).get_inputs()[0].shape
    assert shape == ["n", 3, *SIZE]


def test_an_export_beside_its_checkpoint_is_used_on_a_cpu(checkpoint: Path) -> None:
    assert isinstance(load_backend(checkpoint, "cpu"), TorchBackend)
    with pytest.raises(ValueError, match=r"no export of exactly this checkpoint.*mot-reid export"):
        load_backend(checkpoint, "cpu", "onnxruntime")
    export_onnx(checkpoint, checkpoint.with_suffix(".onnx"))
    assert isinstance(load_backend(checkpoint, "cpu"), OnnxBackend)
    assert isinstance(load_backend(checkpoint, "cpu", "torch"), TorchBackend)
    with pytest.raises(ValueError, match="torch cannot run an ONNX export"):
        load_backend(checkpoint.with_suffix(".onnx"), "cpu", "torch")


def test_an_export_of_other_weights_is_not_taken(checkpoint: Path) -> None:
    export_onnx(checkpoint, checkpoint.with_suffix(".onnx"))
    torch.manual_seed(1)
    save_checkpoint(checkpoint, MGN("osnet_x0_25", reduced_dim=16), input_size=SIZE)
    assert isinstance(load_backend(checkpoint, "cpu"), TorchBackend)


def test_what_ships_is_an_export_of_what_ships() -> None:
    embedder = NetworkEmbedder()
    assert embedder.name == "mgn_osnet_lct_x0_5.safetensors (onnxruntime cpu)"
    crops = np.random.default_rng(2).integers(0, 256, (3, 192, 80, 3), dtype=np.uint8)
    folder = shipped("weights")
    ours = TorchBackend(folder / "mgn_osnet_lct_x0_5.safetensors", "cpu")(crops)
    theirs = OnnxBackend(folder / "mgn_osnet_lct_x0_5.onnx")(crops)
    assert cosines(ours, theirs).min() > 1 - 1e-4


def test_unknown_runtimes_are_named() -> None:
    with pytest.raises(ValueError, match=r"embedder.runtime 'tensorrt' is not known; known: auto, torch"):
        NetworkEmbedder(EmbedderConfig(runtime="tensorrt"))


def test_the_command(checkpoint: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    result = run("export", checkpoint)
    assert result.code == 0, result.err
    assert checkpoint.with_suffix(".onnx").is_file()
    for arguments, message in (
        ([tmp_path / "none.safetensors"], "weights not found"),
        ([checkpoint, "-o", tmp_path / "x.pt"], "expected a name that ends in .onnx"),
        ([checkpoint.with_suffix(".onnx")], "safetensors"),
    ):
        result = run("export", *arguments)
        assert result.code == 2
        assert message in result.err
        assert result.err.count("\n") == 1
