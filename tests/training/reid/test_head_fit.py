import pytest
import torch
from torch.nn import functional as F

from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid.head_fit import fit_heads, fit_projection


def test_fitted_heads_speak_the_teachers_language() -> None:
    torch.manual_seed(0)
    model = MGN("osnet_x0_25", reduced_dim=4, relu=False).eval()
    mixer = torch.randn(128, 6)

    def lesson(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.randn(count, 3, 96, 32)
        with torch.no_grad():
            return images, F.normalize(model.pooled(images)[0].flatten(1) @ mixer)

    lessons = [lesson(64) for _ in range(4)]
    projection = fit_heads(model, lessons)
    assert projection.shape == (6, 32)
    images, teacher = lesson(64)
    with torch.no_grad():
        guess = model(images) @ projection.T
    guess, teacher = guess - guess.mean(dim=0), teacher - teacher.mean(dim=0)
    assert float(F.cosine_similarity(guess, teacher).mean()) > 0.7
    before = [parameter.clone() for parameter in model.parameters()]
    again = fit_projection(model, lessons)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    with torch.no_grad():
        guess = model(images) @ again.T
    assert float(F.cosine_similarity(guess - guess.mean(dim=0), teacher).mean()) > 0.7
    with pytest.raises(ValueError, match="more than 128 samples"):
        fit_heads(model, lessons[:1])
