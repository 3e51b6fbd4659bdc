import pytest
import torch
from torch.nn import functional as F

from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid.head_refine import Heads, install_heads, learn_heads


def lesson(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pooled maps of which the teacher sees a few directions, each head's strip a different share."""
    draws = torch.Generator().manual_seed(1)
    looks = torch.randn(count, 6, generator=draws)
    mix = torch.randn(8, 24, 6, generator=draws)
    pooled = torch.einsum("nf,kcf->nkc", looks, mix) + torch.randn(count, 8, 24, generator=draws) + 3
    return pooled, F.normalize(looks)


def test_heads_learn_the_teachers_cosines() -> None:
    pooled, teacher = lesson(600)
    heads = learn_heads(pooled[:400], teacher[:400], 4, steps=250, rate=1e-2, batch=128)
    embedding = heads.embed(pooled)
    assert embedding.shape == (600, 32)
    assert float(embedding[:400].mean(dim=0).abs().max()) < 1e-3
    found = F.normalize(embedding[400:])
    wanted = teacher[400:] @ teacher[400:].T
    error = float((found @ found.T - wanted).square().mean())
    assert error < 0.1 * float(wanted.square().mean())


def test_installed_heads_embed_alike() -> None:
    torch.manual_seed(0)
    model = MGN("osnet_x0_25", 4, relu=False).eval()
    images = torch.randn(12, 3, 96, 32)
    with torch.no_grad():
        pooled = torch.stack(model.pooled(images), dim=1).flatten(2)
        heads = Heads(torch.randn(8, 4, 128), torch.randn(8, 4))
        install_heads(model, heads, pooled)
        torch.testing.assert_close(model(images), heads.embed(pooled), rtol=1e-3, atol=1e-3)
        # What a training would normalise by is what it is normalised by.
        norm = model.reductions[2][1]
        reduced = pooled[:, 2] @ heads.weight[2].T
        torch.testing.assert_close(norm.running_mean, reduced.mean(dim=0))


def test_heads_of_another_length_are_refused() -> None:
    heads = Heads(torch.zeros(8, 4, 128), torch.zeros(8, 4))
    with pytest.raises(ValueError, match="heads of 4 without ReLU"):
        install_heads(MGN("osnet_x0_25", 8, relu=False), heads, torch.zeros(3, 8, 128))
    with pytest.raises(ValueError, match="heads of 4 without ReLU"):
        install_heads(MGN("osnet_x0_25", 4, relu=True), heads, torch.zeros(3, 8, 128))
