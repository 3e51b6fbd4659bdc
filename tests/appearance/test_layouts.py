"""Files in the layouts of other projects, against a plain reading of each (`plain_layouts`)."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import plain_layouts as plain
import pytest
import torch
from safetensors.torch import save_file

from mot_reid.appearance.backends import TorchBackend
from mot_reid.appearance.checkpoints import load_checkpoint
from mot_reid.appearance.layouts import Untold
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.osnet import OSNet

SIZE = (96, 48)
SMALL = Untold(input_size=SIZE)
DIM = 16
CROPS = np.random.default_rng(3).integers(0, 256, (3, *SIZE, 3), dtype=np.uint8)
L_ORDER = [0, 1, 3, 4, 2, 5, 6, 7]


class Case(NamedTuple):
    stem: str
    branch: str
    write: Callable[[plain.State, int, int], plain.State]
    embed: Callable[[plain.State, torch.Tensor], torch.Tensor]
    container: str = ""
    tensors: int = 0  # of the real network: ResNet-50, with IBN for fast-reid


CASES = {
    "S": Case("backone", "p", plain.state_s, plain.embed_s, "", 682),
    "G": Case("backbone", "p", plain.state_g, plain.embed_g, "", 640),
    "L": Case("backbone", "p", plain.state_l, plain.embed_l, "", 682),
    "F1": Case("backbone", "b", plain.state_f1, plain.embed_f1, "model", 770),
    "F2": Case("backbone", "b", plain.state_f2, plain.embed_f2, "model", 730),
    "F3": Case("backbone", "b", plain.state_f3, plain.embed_f2, "model", 728),
    "LUPerson": Case("backbone", "b", plain.state_luperson, plain.embed_luperson, "model", 745),
}


@pytest.fixture(scope="module")
def trunk() -> Callable[[str, str], plain.State]:
    """One random ResNet-18 for all layouts, under the names that a layout gives it."""
    torch.manual_seed(0)
    state = plain.trunk("resnet18", "stem", "branch")

    def rename(stem: str, branch: str) -> plain.State:
        return {
            name.replace("stem.", f"{stem}.", 1).replace("branch", branch, 1): value
            for name, value in state.items()
        }

    return rename


def write(path: Path, state: plain.State, container: str) -> None:
    torch.save({container: state, "iteration": 3} if container else state, path)


def inputs(layout: str, state: plain.State) -> torch.Tensor:
    crops = torch.from_numpy(CROPS)
    return (
        plain.fastreid_input(state, crops)
        if layout[0] in "FL" and layout != "L"
        else plain.imagenet_input(crops)
    )


def expected(layout: str, state: plain.State) -> np.ndarray:
    values = {name: tensor.float() for name, tensor in state.items()}
    with torch.inference_mode():
        features = CASES[layout].embed(values, inputs(layout, values)).numpy()
    if layout == "L":  # the same features, concatenated in another order
        parts = np.split(features, 8, axis=1)
        features = np.concatenate([parts[L_ORDER.index(index)] for index in range(8)], axis=1)
    return features


@pytest.mark.parametrize("layout", CASES)
def test_files_of_each_layout_embed_as_their_project_does(
    layout: str, trunk: Callable[[str, str], plain.State], tmp_path: Path
) -> None:
    case = CASES[layout]
    torch.manual_seed(1)
    state = case.write(trunk(case.stem, case.branch), 512, DIM)
    write(tmp_path / "model.pth", state, case.container)
    network = load_checkpoint(tmp_path / "model.pth", untold=SMALL)
    (tmp_path / "model.pth").unlink()  # 60 MB that pytest would keep
    assert isinstance(network.module, MGN)
    assert (network.module.backbone, network.dim) == ("resnet18", 8 * DIM)
    mine = TorchBackend(network, "cpu")(CROPS)
    wanted = expected(layout, state)
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(mine, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("layout", CASES)
def test_the_layouts_have_as_many_tensors_as_the_real_files(layout: str) -> None:
    case = CASES[layout]
    with torch.device("meta"):
        state = case.write(
            plain.trunk("resnet50", case.stem, case.branch, case.container == "model"), 2048, 256
        )
    assert len(state) == case.tensors


def test_the_real_network_with_instance_normalisation(tmp_path: Path) -> None:
    torch.manual_seed(2)
    state = plain.state_f1(plain.trunk("resnet50", "backbone", "b", with_ibn=True), 2048, DIM)
    write(tmp_path / "market_mgn_R50-ibn.pth", state, "model")
    network = load_checkpoint(tmp_path / "market_mgn_R50-ibn.pth", untold=SMALL)
    (tmp_path / "market_mgn_R50-ibn.pth").unlink()
    assert isinstance(network.module, MGN)
    assert network.module.backbone == "resnet50_ibn"
    wanted = expected("F1", state)
    np.testing.assert_allclose(
        TorchBackend(network, "cpu")(CROPS), wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max()
    )


def small_file(path: Path, change: Callable[[plain.State], object] = lambda state: None) -> Path:
    """A file of layout F2, cheap to make: nearly all of its tensors are the same zeros, spread."""
    with torch.device("meta"):
        shapes = plain.state_f2(plain.trunk("resnet18", "backbone", "b"), 512, DIM)
    state = {
        name: torch.zeros(()).expand(value.shape) if value.ndim > 1 else torch.ones(value.shape)
        for name, value in shapes.items()
    }
    state |= plain.pixels((120.0, 110.0, 100.0), (60.0, 50.0, 40.0))
    change(state)
    write(path, state, "model")
    return path


def test_tensors_that_do_not_fit_are_named_as_in_the_file(tmp_path: Path) -> None:
    def change(state: plain.State) -> None:
        for head in ("b1", "b22"):
            del state[f"{head}_head.bottleneck.0.weight"]
        state["b1_head.bottleneck.0.weight"] = torch.zeros(DIM, 512, 1, 1)
        del state["b33_head.pool_layer.p"]
        state["backbone.NL_2.0.g.weight"] = torch.zeros(1)
        state["b3.1.0.conv1.weight"] = torch.zeros(512, 256, 1, 1)
        state["b2.1.0.bn1.bias"] = torch.full((512,), torch.nan)

    path = small_file(tmp_path / "other.pth", change)
    with pytest.raises(ValueError, match=r"other\.pth: as a file of fast-reid from 1\.0 on: ") as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "missing: b33_head.pool_layer.p, b22_head.bottleneck.0.weight;" in message
    assert "unexpected: backbone.NL_2.0.g.weight;" in message
    assert "misshaped: b3.1.0.conv1.weight (512, 256, 1, 1) for (512, 256, 3, 3)" in message
    assert "not finite: b2.1.0.bn1.bias" in message


def test_batch_counts_of_old_pytorch_may_be_missing(tmp_path: Path) -> None:
    def change(state: plain.State) -> None:
        for name in [name for name in state if name.endswith("num_batches_tracked")]:
            del state[name]

    network = load_checkpoint(small_file(tmp_path / "old.pth", change))
    assert network.input_size == (384, 128)
    assert network.mean == pytest.approx((120 / 255, 110 / 255, 100 / 255))


@pytest.mark.parametrize("value", [torch.zeros(3), torch.ones(1), torch.full((3,), torch.inf)])
def test_a_normalisation_that_cannot_be_used_is_refused(value: torch.Tensor, tmp_path: Path) -> None:
    path = small_file(tmp_path / "model.pth", lambda state: state.update({"pixel_std": value}))
    with pytest.raises(ValueError, match=r"model\.pth: .*normalis"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("size", "message"),
    [((256, 128), "multiple of 96"), ((96, 0), "must be 1 to 4096 pixels"), ((-96, 96), "96")],
)
def test_input_sizes_are_checked(size: tuple[int, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        load_checkpoint(small_file(tmp_path / "model.pth"), untold=Untold(input_size=size))


def osnet_state(width: float = 0.25) -> dict[str, torch.Tensor]:
    torch.manual_seed(4)
    return {
        **OSNet(width).state_dict(),
        "classifier.weight": torch.zeros(9, 512),
        "classifier.bias": torch.zeros(9),
    }


def test_torchreids_osnet(tmp_path: Path) -> None:
    state = osnet_state()
    trained = {
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "epoch": 60,
        "rank1": np.float32(0.9),  # as torchreid stores it
        "optimizer": {"state": {}, "param_groups": [{"lr": np.float64(1e-3)}]},
    }
    torch.save(trained, tmp_path / "model.pth.tar-60.tar")
    network = load_checkpoint(tmp_path / "model.pth.tar-60.tar")
    assert (network.input_size, network.dim, network.mean) == ((256, 128), 512, (0.485, 0.456, 0.406))
    plain_osnet = OSNet(0.25).eval()
    plain_osnet.load_state_dict({k: v for k, v in state.items() if not k.startswith("classifier")})
    crops = np.random.default_rng(0).integers(0, 256, (2, 256, 128, 3), dtype=np.uint8)
    with torch.inference_mode():
        wanted = plain_osnet(plain.imagenet_input(torch.from_numpy(crops))).numpy()
    np.testing.assert_allclose(TorchBackend(network, "cpu")(crops), wanted, rtol=1e-3, atol=1e-4)


def test_an_osnet_has_no_pooling_to_choose(tmp_path: Path) -> None:
    torch.save(osnet_state(), tmp_path / "osnet.pth")
    with pytest.raises(ValueError, match=r"osnet\.pth: .*not for a plain OSNet"):
        load_checkpoint(tmp_path / "osnet.pth", untold=Untold(pooling="max"))


@pytest.mark.data
def test_the_real_osnet_file_tells_people_apart(data: Path) -> None:
    weights = data.parent / "weights" / "osnet_x1_0_msmt17_fp16.pth"
    network = load_checkpoint(weights)
    assert isinstance(network.module, OSNet)
    assert (network.module.width, network.dim) == (1.0, 512)
    files = sorted((data / "market1501").rglob("*_c*.jpg"))
    names = sorted({path.name[:4] for path in files if path.name[0] != "-"})[:6]
    pictures = [path for name in names for path in [p for p in files if p.name.startswith(name)][:4]]
    crops = np.stack([cv2.resize(cv2.imread(str(path)), (128, 256)) for path in pictures])
    people = np.array([path.name[:4] for path in pictures])
    unit = TorchBackend(network, "cpu")(crops)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosines, same = unit @ unit.T, people[:, None] == people[None, :]
    assert cosines[same & ~np.eye(len(people), dtype=bool)].mean() > cosines[~same].mean() + 0.2


def test_what_a_file_does_not_tell_can_be_chosen(
    trunk: Callable[[str, str], plain.State], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    state = plain.state_s(trunk("backone", "p"), 512, DIM)
    path = tmp_path / "model_best.safetensors"
    save_file({f"module.{name}": tensor.contiguous() for name, tensor in state.items()}, path)
    network = load_checkpoint(path, untold=Untold("max", None, SIZE))
    path.unlink()
    values = {name: tensor.float() for name, tensor in state.items()}
    with torch.inference_mode():
        wanted = plain.embed_s_max(values, plain.imagenet_input(torch.from_numpy(CROPS))).numpy()
    np.testing.assert_allclose(TorchBackend(network, "cpu")(CROPS), wanted, rtol=1e-3, atol=1e-3)
