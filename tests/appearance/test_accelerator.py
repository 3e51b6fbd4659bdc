"""The accelerator's way of embedding, run on the CPU: only its CUDA graphs need a GPU."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mot_reid.appearance import accelerator
from mot_reid.appearance.accelerator import AcceleratedNetwork
from mot_reid.appearance.checkpoints import save_checkpoint
from mot_reid.appearance.crops import crop_batch, pixel_bounds
from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.sampling import sample_crops
from mot_reid.config import EmbedderConfig
from mot_reid.resources import find_weights

RNG = np.random.default_rng(0)
FRAMES = [
    cv2.GaussianBlur(RNG.integers(0, 256, (240, 320, 3), dtype=np.uint8), (0, 0), sigma) for sigma in (2, 4)
]
BOXES = np.array(
    [
        [10, 20, 60, 160],
        [100.5, 30.2, 170.1, 220.7],
        [-20, -20, 70, 130],
        [250, 100, 400, 300],
        [500, 10, 540, 60],
        [5, 5, 5.2, 5.2],
    ],
    np.float32,
)
SIZE = (96, 48)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_checkpoint(path, MGN("osnet_x0_25", reduced_dim=16), input_size=SIZE, half=False)
    return path


def sampled(xyxy: np.ndarray, frame_of: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    bounds = torch.from_numpy(pixel_bounds(xyxy, 320, 240))
    frames = torch.from_numpy(np.stack(FRAMES))
    return sample_crops(frames, bounds, torch.from_numpy(frame_of), size).numpy()


@pytest.mark.parametrize("size", [SIZE, (256, 128), (7, 3)])
def test_samples_are_opencvs_pixels(size: tuple[int, int]) -> None:
    for number, frame in enumerate(FRAMES):
        theirs = crop_batch(frame, BOXES, size).astype(float)
        ours = sampled(BOXES, np.full(len(BOXES), number), size)
        assert np.abs(ours - theirs).max() < 1.5  # OpenCV computes in whole steps


def test_each_box_is_sampled_from_its_own_frame() -> None:
    frame_of = np.array([1, 0, 0, 1, 1, 0])
    ours = sampled(BOXES, frame_of, SIZE)
    for row, number in enumerate(frame_of):
        theirs = crop_batch(FRAMES[number], BOXES[row : row + 1], SIZE)[0]
        assert np.abs(ours[row] - theirs).max() < 1.5


def test_embeddings_equal_those_of_crops(checkpoint: Path) -> None:
    network = AcceleratedNetwork(checkpoint, "cpu", batch_size=4)
    plain = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint), runtime="torch"))
    for frames in (FRAMES, FRAMES[1:]):  # fewer frames than before, and others
        ours = network(frames, [BOXES] * len(frames))
        theirs = np.concatenate([plain.embed(frame, BOXES) for frame in frames])
        assert (ours * theirs).sum(axis=1).min() > 0.99
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_the_shipped_embedder_bears_half_precision() -> None:
    """As on CUDA, but on the CPU; its normalisations and gates must not overflow, of flat crops neither."""
    path = find_weights(EmbedderConfig().weights, (".safetensors",))
    single, half = AcceleratedNetwork(path, "cpu"), AcceleratedNetwork(path, "cpu")
    half._dtype = torch.float16
    half._module.half()
    frames = [*FRAMES, np.zeros_like(FRAMES[0]), np.full_like(FRAMES[0], 255)]
    boxes = [BOXES[:2]] * len(frames)
    alike = (single(frames, boxes) * half(frames, boxes)).sum(axis=1)
    assert alike.min() > 0.999


def test_batches_are_filled_up_to_a_few_sizes(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = AcceleratedNetwork(checkpoint, "cpu", batch_size=24)
    sizes = []
    compute = network.compute

    def counting(frames: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        sizes.append(len(places))
        return compute(frames, places)

    monkeypatch.setattr(network, "compute", counting)
    whole = network([FRAMES[0]], [np.repeat(BOXES, 5, axis=0)])
    parts = np.concatenate([network([FRAMES[0]], [BOXES[row : row + 1]]) for row in range(len(BOXES))])
    assert sizes == [24, 8] + [8] * len(BOXES)
    np.testing.assert_allclose(whole[::5], parts, atol=1e-5)


def test_frames_of_many_sizes_take_room_for_a_few(checkpoint: Path) -> None:
    network = AcceleratedNetwork(checkpoint, "cpu")
    for height in (*range(208, 240, 8), 208):
        ours = network([FRAMES[0][:height]], [BOXES[:1]])
        np.testing.assert_allclose(ours, network([FRAMES[0]], [BOXES[:1]]), atol=1e-5)
        assert len(network._workspaces) <= 4


def test_graphs_that_cannot_be_recorded_cost_nothing_but_speed(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(accelerator, "_Graph", refuse)
    network = AcceleratedNetwork(checkpoint, "cpu")
    expected = network([FRAMES[0]], [BOXES])
    network._graphs_work = True
    np.testing.assert_array_equal(network([FRAMES[0]], [BOXES]), expected)
    network([FRAMES[0]], [BOXES])
    assert [record.getMessage() for record in caplog.records] == [
        "CUDA graphs cannot be used: operation not permitted when stream is capturing"
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_graphs_on_a_gpu(checkpoint: Path) -> None:
    plain = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint), runtime="torch"))
    embedder = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint)), "cuda:0")
    assert embedder.accelerated
    for frame, boxes in zip((*FRAMES, FRAMES[0]), (BOXES, BOXES[::-1].copy(), BOXES[:2]), strict=True):
        ours, theirs = embedder.embed(frame, boxes), plain.embed(frame, boxes)
        assert (ours * theirs).sum(axis=1).min() > 0.99
    assert embedder._network._graphs_work
    assert [list(space.graphs) for space in embedder._network._workspaces.values()] == [[8]]


def test_the_embedder_takes_this_way_on_an_accelerator(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device ``meta`` stands in for one: it is not the CPU. What is loaded is moved to the CPU."""
    monkeypatch.setattr(
        accelerator, "AcceleratedNetwork", lambda path, device, size: AcceleratedNetwork(path, "cpu", size)
    )
    embedder = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint)), "meta")
    plain = NetworkEmbedder(EmbedderConfig(weights=str(checkpoint)))
    assert embedder.accelerated
    assert not plain.accelerated
    boxes = [BOXES, BOXES[:0]]
    for rows, theirs in zip(
        embedder.embed_batch(FRAMES, boxes), plain.embed_batch(FRAMES, boxes), strict=True
    ):
        assert rows.shape == theirs.shape
        assert (rows * theirs).sum(axis=1).min(initial=1) > 0.99
    assert [rows.shape for rows in embedder.embed_batch(FRAMES, [BOXES[:0]] * 2)] == [(0, 0)] * 2


@pytest.mark.filterwarnings("error")
def test_views_and_frames_that_cannot_be_written(checkpoint: Path) -> None:
    network = AcceleratedNetwork(checkpoint, "cpu")
    kept = FRAMES[0].copy()
    kept.flags.writeable = False
    for frame in (FRAMES[0][..., ::-1], FRAMES[0][:, ::-1], FRAMES[0][::2, ::2], kept):
        expected = network([frame.copy()], [BOXES])
        np.testing.assert_array_equal(network([frame], [BOXES]), expected)
