"""Exports, and which of checkpoint and export is run."""

import errno
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import plain_layouts as plain
import pytest
import torch

from mot_reid import Detections, Tracker
from mot_reid.appearance.backends import OnnxBackend, TorchBackend, load_backend
from mot_reid.appearance.checkpoints import save_checkpoint
from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.appearance.export import export_onnx, export_safetensors
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.osnet import OSNet
from mot_reid.config import EmbedderConfig
from mot_reid.resources import shipped

SIZE = (96, 48)
CROPS = np.random.default_rng(1).integers(0, 256, (7, *SIZE, 3), dtype=np.uint8)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, MGN("mobilenet_v3_small", reduced_dim=16, relu=False), input_size=SIZE)
    return path


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a network with most of the switches, with its checkpoint beside it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("export") / "small.safetensors"
    network = MGN("osnet_x0_25", 16, pooling="gem", bnneck=True, stem_pool="ceil", shared_reduction=True)
    save_checkpoint(path, network, input_size=SIZE, mean=(0.4, 0.5, 0.6))
    export_onnx(path, path.with_suffix(".onnx"))
    assert list(path.parent.glob("*partial*")) == []
    return path.with_suffix(".onnx")


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_an_export_gives_the_same_embeddings_whatever_the_batch(export: Path) -> None:
    ours, theirs = TorchBackend(export.with_suffix(".safetensors"), "cpu"), OnnxBackend(export)
    for count in (1, 2, 7):
        assert cosines(ours(CROPS[:count]), theirs(CROPS[:count])).min() > 1 - 1e-4
    shape = onnxruntime.InferenceSession(export).get_inputs()[0].shape
    assert shape == ["n", 3, *SIZE]


def test_an_export_beside_its_checkpoint_is_used_on_a_cpu(checkpoint: Path, export: Path) -> None:
    assert isinstance(load_backend(checkpoint, "cpu"), TorchBackend)
    with pytest.raises(ValueError, match=r"no export of exactly these weights.*mot-reid export"):
        load_backend(checkpoint, "cpu", "onnxruntime")
    assert isinstance(load_backend(export.with_suffix(".safetensors"), "cpu"), OnnxBackend)
    assert isinstance(load_backend(export.with_suffix(".safetensors"), "cpu", "torch"), TorchBackend)
    with pytest.raises(ValueError, match="torch cannot run an ONNX export"):
        load_backend(export, "cpu", "torch")


def test_an_export_of_other_weights_is_not_taken(tmp_path: Path, export: Path) -> None:
    torch.manual_seed(1)
    save_checkpoint(tmp_path / "a.safetensors", MGN("osnet_x0_25", reduced_dim=8), input_size=SIZE)
    shutil.copy(export, tmp_path / "a.onnx")
    assert isinstance(load_backend(tmp_path / "a.safetensors", "cpu"), TorchBackend)


def test_efficientnet_can_be_exported(tmp_path: Path) -> None:
    torch.manual_seed(2)
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, MGN("efficientnet_lite0", reduced_dim=8, pooling="avg"), input_size=SIZE)
    export_onnx(path, tmp_path / "a.onnx")  # refuses to write what differs
    assert cosines(TorchBackend(path, "cpu")(CROPS), OnnxBackend(tmp_path / "a.onnx")(CROPS)).min() > 1 - 1e-4


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file of LUPerson's fast-reid, with a normalisation of its own, on a small ResNet."""
    torch.manual_seed(5)
    state = plain.state_luperson(plain.trunk("resnet18", "backbone", "b", with_ibn=True), 512, 16)
    torch.save({"model": state}, tmp_path / "luperson_mgn.pth")
    return tmp_path / "luperson_mgn.pth"


def test_foreign_checkpoints_run_as_they_are_and_exported(foreign: Path, run: Callable[..., Any]) -> None:
    frame = cv2.GaussianBlur(
        np.random.default_rng(6).integers(0, 256, (200, 160, 3), dtype=np.uint8), (0, 0), 4
    )
    boxes = np.array([[0, 0, 96, 192], [20, 30, 120, 190]], np.float32)
    tracker = Tracker(detector="none", embedder=foreign, camera_motion="none", device="cpu")
    tracker.update(frame, Detections(boxes[:1], scores=[0.9]))
    assert isinstance(load_backend(foreign, "cpu"), TorchBackend)

    state = {k: v.float() for k, v in torch.load(foreign, weights_only=True)["model"].items()}
    crops = [cv2.resize(frame[y1:y2, x1:x2], SIZE[::-1]) for x1, y1, x2, y2 in boxes.astype(int)]
    with torch.inference_mode():
        images = plain.fastreid_input(state, torch.from_numpy(np.stack(crops)))
        wanted = plain.embed_luperson(state, images).numpy()
    for suffix in (".onnx", ".safetensors"):
        small = foreign.with_name(f"small{suffix}")
        result = run("export", foreign, "--input-size", "96x48", "-o", small)
        assert result.code == 0, result.err
        mine = NetworkEmbedder(EmbedderConfig(weights=str(small))).embed(frame, boxes)
        assert cosines(mine, wanted).min() > 1 - 1e-4
    exported = foreign.with_suffix(".onnx")
    foreign.with_name("small.onnx").rename(exported)
    # It was made for another input size than the checkpoint's own, so that it does not stand in for it.
    assert isinstance(load_backend(foreign, "cpu"), TorchBackend)
    for path in foreign.parent.glob("*.*"):
        path.unlink()


def test_an_export_beside_a_foreign_checkpoint_is_used_on_a_cpu(tmp_path: Path) -> None:
    torch.manual_seed(7)
    torch.save({"state_dict": OSNet(0.25).state_dict()}, tmp_path / "osnet.pth.tar")
    export_onnx(tmp_path / "osnet.pth.tar", tmp_path / "osnet.pth.onnx")
    backend = load_backend(tmp_path / "osnet.pth.tar", "cpu")
    assert isinstance(backend, OnnxBackend)
    crops = np.random.default_rng(8).integers(0, 256, (3, 256, 128, 3), dtype=np.uint8)
    assert cosines(backend(crops), TorchBackend(tmp_path / "osnet.pth.tar", "cpu")(crops)).min() > 1 - 1e-4


def test_what_ships_is_an_export_of_what_ships() -> None:
    embedder = NetworkEmbedder()
    assert embedder.name == "mgn_osnet_lct_x0_5.safetensors (onnxruntime cpu)"
    crops = np.random.default_rng(2).integers(0, 256, (3, 192, 88, 3), dtype=np.uint8)
    folder = shipped("weights")
    ours = TorchBackend(folder / "mgn_osnet_lct_x0_5.safetensors", "cpu")(crops)
    theirs = OnnxBackend(folder / "mgn_osnet_lct_x0_5.onnx")(crops)
    assert cosines(ours, theirs).min() > 1 - 1e-4


def test_a_disk_that_is_full_leaves_what_was_there(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "ours.safetensors"
    out.write_bytes(b"what was there")

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export_safetensors(checkpoint, out)
    assert out.read_bytes() == b"what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours.safetensors", "small.safetensors"]


def test_unknown_runtimes_are_named() -> None:
    with pytest.raises(ValueError, match=r"embedder.runtime 'tensorrt' is not known; known: auto, torch"):
        NetworkEmbedder(EmbedderConfig(runtime="tensorrt"))


def test_files_that_are_no_weights_are_named(run: Callable[..., Any], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pt"
    with zipfile.ZipFile(damaged, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"ultralytics" * 100)
    content = bytearray(damaged.read_bytes())
    content[40:60] = bytes(20)
    damaged.write_bytes(content)
    for path, message in ((damaged, "damaged.pt: not a readable PyTorch file"), (tmp_path, "not a file")):
        result = run("export", path)
        assert result.code == 2
        assert message in result.err
        assert str(path) in result.err


def test_the_extra_that_the_command_needs_is_named_whole(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("onnx", "torch"):  # not one of them after the other
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "mot_reid.appearance.export")  # which is loaded with torch
    result = run("export", "mgn_osnet_lct_x0_5.safetensors")
    assert result.code == 2
    assert "pip install 'mot_reid[train]'" in result.err


def test_the_command(checkpoint: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    result = run("export", checkpoint)
    assert result.code == 0, result.err
    assert checkpoint.with_suffix(".onnx").is_file()
    for arguments, message in (
        ([tmp_path / "none.safetensors"], "weights not found"),
        ([checkpoint, "-o", tmp_path / "x.pt"], "expected a name that ends in .onnx or .safetensors"),
        ([checkpoint, "-o", checkpoint], "that is the checkpoint itself"),
        ([checkpoint, "--input-size", "384"], "expected HEIGHTxWIDTH"),
        ([checkpoint, "--pooling", "median"], "'max', 'avg', 'gem'"),
        ([checkpoint, "--pooling", "max"], "a checkpoint of ours, which tells its pooling"),
        ([checkpoint.with_suffix(".onnx"), "-o", tmp_path / "x.onnx"], "not a readable PyTorch file"),
    ):
        result = run("export", *arguments)
        assert result.code == 2
        assert message in result.err
        assert result.err.count("\n") == 1
