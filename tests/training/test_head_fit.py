import pytest
import torch

from mot_reid.appearance.mgn import MGN
from mot_reid.training.head_fit import fit_heads, fit_projection


def lessons(model: MGN, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Random images with a teacher that is linear in the first pooled map."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, 96, 48, generator=generator) * torch.rand(
        count, 3, 1, 1, generator=generator
    )
    with torch.no_grad():
        pooled = model.eval().pooled(images)[0].flatten(1)
    matrix = torch.randn(pooled.shape[1], 4, generator=generator)
    return [(images, torch.nn.functional.normalize((pooled - pooled.mean(0)) @ matrix))]


def test_fitted_heads_embed_as_the_teacher_does() -> None:
    torch.manual_seed(0)
    model = MGN("osnet_x0_25", reduced_dim=4, relu=False)
    samples = lessons(model, 160)
    projection = fit_heads(model, samples, ridge=1e-6)
    images, teacher = samples[0]
    with torch.no_grad():
        embedding = model.eval()(images)
    heads = embedding.view(len(images), 8, 4)
    assert heads.mean(dim=0).abs().max() < 1e-3
    assert heads.square().mean(dim=(0, 2)) == pytest.approx(torch.ones(8), abs=0.02)
    guess = torch.nn.functional.cosine_similarity(embedding @ projection.T, teacher - teacher.mean(0))
    assert guess.mean() > 0.95


def test_a_projection_to_heads_that_stay() -> None:
    torch.manual_seed(0)
    model = MGN("osnet_x0_25", reduced_dim=4, relu=False)
    samples = lessons(model, 160)
    fit_heads(model, samples)
    with torch.no_grad():
        before = model.eval()(samples[0][0])
        projection = fit_projection(model, samples, ridge=1e-6)
        after = model(samples[0][0])
    assert torch.equal(before, after)
    teacher = samples[0][1]
    guess = torch.nn.functional.cosine_similarity(after @ projection.T, teacher - teacher.mean(0))
    assert guess.mean() > 0.95


def test_too_few_samples() -> None:
    model = MGN("osnet_x0_25", reduced_dim=4)
    with pytest.raises(ValueError, match="more than 128 samples of a teacher of at least 4; got 40 of 4"):
        fit_heads(model, lessons(model, 40))
