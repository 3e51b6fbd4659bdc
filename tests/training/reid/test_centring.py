"""The mean embedding is taken off where a network can do without it, and nowhere else."""

import pytest
import torch
from torch import nn

from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid.centring import centred


def crops(seed: int, count: int) -> torch.Tensor:
    return torch.randn(count, 3, 96, 32, generator=torch.Generator().manual_seed(seed))


def network(**switches: bool) -> MGN:
    torch.manual_seed(0)
    model = MGN("osnet_x0_25", reduced_dim=8, **{"relu": False} | switches).eval()  # type: ignore[arg-type]
    for module in model.reductions.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)
    return model


@pytest.mark.parametrize("switches", [{}, {"bnneck": True}, {"relu": True, "bnneck": True}])
def test_the_mean_becomes_zero_and_all_differences_stay(switches: dict[str, bool]) -> None:
    model = network(**switches)
    seen, others = crops(1, 12), crops(2, 5)
    with torch.inference_mode():
        before = model.embed(torch.cat((seen, others)))
    result = centred(model, seen.split(5))  # batches of different sizes
    assert isinstance(result, MGN)
    with torch.inference_mode():
        after = result.embed(torch.cat((seen, others)))
        assert torch.equal(model.embed(torch.cat((seen, others))), before), "the model itself changed"
    torch.testing.assert_close(after[:12].mean(dim=0), torch.zeros(64), rtol=0, atol=1e-5)
    torch.testing.assert_close(after, before - before[:12].mean(dim=0), rtol=1e-4, atol=1e-5)
    assert result.architecture() == model.architecture()


@pytest.mark.parametrize("switches", [{"relu": True}, {"shared_reduction": True}])
def test_others_stay_as_they_are(switches: dict[str, bool]) -> None:
    model = network(**switches)
    assert centred(model, [crops(1, 2)]) is model
    plain = nn.Linear(3, 2)
    assert centred(plain, []) is plain
