import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mot_reid.appearance.checkpoints import IMAGENET_MEAN, IMAGENET_STD, load_checkpoint, save_checkpoint
from mot_reid.appearance.layouts import Untold
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.osnet import OSNet


@pytest.fixture(scope="module")
def model() -> MGN:
    torch.manual_seed(0)
    return MGN("osnet_x0_25", reduced_dim=8, num_classes=3, relu=False).eval()


@pytest.fixture
def path(tmp_path: Path, model: MGN) -> Path:
    save_checkpoint(tmp_path / "model.safetensors", model, input_size=(96, 48))
    return tmp_path / "model.safetensors"


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]) -> None:
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["mot_reid"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors, metadata)
    save_file(tensors, path, metadata={"mot_reid": json.dumps(metadata)})


def test_round_trip_in_float32_keeps_everything(tmp_path: Path, model: MGN) -> None:
    path = tmp_path / "model.safetensors"
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    save_checkpoint(path, model, input_size=(192, 64), mean=mean, std=std, half=False)
    network = load_checkpoint(str(path))
    assert (network.input_size, network.mean, network.std, network.dim) == ((192, 64), mean, std, 64)
    assert not network.module.training
    saved = {name: value for name, value in model.state_dict().items() if "classifiers." not in name}
    loaded = network.module.state_dict()
    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[name], value) for name, value in saved.items())
    x = torch.randn(2, 3, 96, 48)
    with torch.no_grad():
        assert torch.allclose(network.module(x), model(x), atol=1e-6)


def test_half_storage_is_smaller_and_close(path: Path, model: MGN, tmp_path: Path) -> None:
    network = load_checkpoint(path)
    assert (network.mean, network.std) == (IMAGENET_MEAN, IMAGENET_STD)
    assert all(p.dtype == torch.float32 for p in network.module.parameters())
    assert not any("classifier" in name for name in network.module.state_dict())
    x = torch.randn(4, 3, 96, 48)
    with torch.no_grad():
        assert torch.cosine_similarity(network.module(x), model(x)).min() > 0.999
    save_checkpoint(tmp_path / "full.safetensors", model, input_size=(96, 48), half=False)
    assert path.stat().st_size < 0.75 * (tmp_path / "full.safetensors").stat().st_size


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.safetensors"):
        load_checkpoint(tmp_path / "nothing.safetensors")


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a file"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 1000, -1])
def test_truncated_file(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"model\.safetensors: not a readable safetensors file"):
        load_checkpoint(path)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_layouts_that_are_not_known_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"other.{suffix}"
    state = {"weight": torch.zeros(2), "bias": torch.zeros(2)}
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    with pytest.raises(
        ValueError, match=rf"other\.{suffix}: tensors of no known layout .*weight.*known: sea"
    ):
        load_checkpoint(path)


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Trap(), "not a readable PyTorch file of tensors"),
        ({"model": {"epoch": 3}}, "no tensors"),
        ([torch.zeros(2)], "holds a list, not a state dict"),
    ],
)
def test_pickles_of_other_things_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, "model.pth")
    with pytest.raises(ValueError, match=rf"model\.pth: {message}") as caught:
        load_checkpoint("model.pth")
    assert "\n" not in str(caught.value)
    assert not Path("trapped").exists()


def test_damaged_pickles_are_refused(tmp_path: Path, model: MGN) -> None:
    path = tmp_path / "model.pth"
    torch.save(model.state_dict(), path)
    whole = path.read_bytes()
    for kept in (0, 100, len(whole) // 2):
        path.write_bytes(whole[:kept])
        with pytest.raises(ValueError, match=r"model\.pth: not a readable PyTorch file of tensors: \w"):
            load_checkpoint(path)


def test_ours_tell_everything_themselves(path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"model\.safetensors: a checkpoint of ours, which tells its pooling"
    ):
        load_checkpoint(path, untold=Untold(input_size=(192, 96)))


def test_switches_travel_with_the_weights_and_defaults_are_left_out(path: Path, tmp_path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        architecture = json.loads(file.metadata()["mot_reid"])["architecture"]
    assert architecture == {"name": "mgn", "backbone": "osnet_x0_25", "reduced_dim": 8, "relu": False}
    torch.manual_seed(1)
    switches: dict[str, Any] = {"pooling": "gem", "bnneck": True, "extra_bn": True, "stem_pool": "ceil"}
    model = MGN("osnet_x0_25", 8, **switches, shared_reduction=True).eval()
    save_checkpoint(tmp_path / "all.safetensors", model, input_size=(96, 48), half=False)
    x = torch.randn(2, 3, 96, 48)
    with torch.no_grad():
        torch.testing.assert_close(load_checkpoint(tmp_path / "all.safetensors").module(x), model(x))


def test_a_plain_osnet_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = OSNet(0.25, feature_dim=32).eval()
    save_checkpoint(tmp_path / "osnet.safetensors", model, input_size=(64, 32), half=False)
    network = load_checkpoint(tmp_path / "osnet.safetensors")
    assert (network.input_size, network.dim) == ((64, 32), 32)
    x = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.module(x), model(x))


def test_tensors_that_do_not_fit_are_named(path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        for index in range(5):
            del tensors[f"reductions.{index}.0.weight"]
        tensors["extra"] = torch.zeros(1)
        tensors["reductions.7.0.weight"] = torch.zeros(1, 2)
        tensors["reductions.7.1.bias"].fill_(torch.nan)

    rewrite(path, change)
    with pytest.raises(ValueError, match=r"model\.safetensors: the tensors do not fit") as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert (
        "missing: reductions.0.0.weight, reductions.1.0.weight, reductions.2.0.weight and 2 more" in message
    )
    assert "unexpected: extra" in message
    assert "misshaped: reductions.7.0.weight (1, 2) for (8, 128, 1, 1)" in message
    assert "not finite: reductions.7.1.bias" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architecture", {"name": "mgn", "backbone": "vgg", "reduced_dim": 8}),
        ("architecture", {"name": "vit"}),
        ("architecture", {"name": "mgn", "depth": 3}),
        ("architecture", {"name": "mgn", "reduced_dim": 10**30}),
        ("architecture", 5),
        ("input_size", [100, 48]),
        ("input_size", [96]),
        ("input_size", [96, 0]),
        ("input_size", [float("inf"), 48]),
        ("input_size", [96 * 10**9, 48]),
        ("mean", [0.5, 0.5]),
        ("mean", ["a", "b", "c"]),
        ("std", [0.0, 0.1, 0.1]),
        ("format", 99),
    ],
)
def test_metadata_that_cannot_be_used(path: Path, key: str, value: object) -> None:
    rewrite(path, lambda _, metadata: metadata.update({key: value}))
    with pytest.raises(
        ValueError, match=r"model\.safetensors: the checkpoint's metadata cannot be used"
    ) as told:
        load_checkpoint(path)
    assert len(str(told.value)) < 500 + len(str(path))


@pytest.mark.parametrize("kind", [torch.int64, torch.bool, torch.complex64])
def test_tensors_of_another_type_are_named(path: Path, kind: torch.dtype) -> None:
    name = "reductions.0.0.weight"
    rewrite(path, lambda tensors, _: tensors.update({name: tensors[name].to(kind)}))
    with pytest.raises(ValueError, match=rf"of another type: {name} {str(kind)[6:]}"):
        load_checkpoint(path)


def test_counts_of_an_average_may_have_decimals(path: Path) -> None:
    def average(tensors: dict[str, torch.Tensor], _: dict[str, Any]) -> None:
        tensors.update({name: t.float() for name, t in tensors.items() if name.endswith("tracked")})

    rewrite(path, average)
    load_checkpoint(path)


def test_metadata_that_lack_a_field(path: Path) -> None:
    rewrite(path, lambda _, metadata: metadata.pop("mean"))
    with pytest.raises(ValueError, match="mean"):
        load_checkpoint(path)


def test_values_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    model = MGN("osnet_x0_25", reduced_dim=8)
    with torch.no_grad():
        model.stem[0].conv.weight[0, 0, 0, 0] = 1e6  # more than float16 holds
    with pytest.raises(ValueError, match=r"not finite in stem\.0\.conv\.weight"):
        save_checkpoint(tmp_path / "model.safetensors", model, input_size=(96, 48))


def test_shipped_weights_load() -> None:
    network = load_checkpoint(Path(__file__).parents[2] / "weights" / "mgn_osnet_lct_x0_5.safetensors")
    assert (network.input_size, network.dim) == ((192, 88), 512)
    with torch.no_grad():
        assert torch.isfinite(network.module(torch.zeros(1, 3, 192, 88))).all()
