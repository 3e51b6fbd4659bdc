import numpy as np

from mot_reid.kernels.numpy.association import fused_costs


def test_fused_cost_by_hand() -> None:
    overlaps, distances = np.array([0.8, 0.5, 0.5]), np.array([0.1, 0.8, np.nan], np.float32)
    seen = fused_costs(overlaps, distances, 0.25, 0.4)
    np.testing.assert_allclose(seen, [0.75 * 0.2 + 0.25 * 0.25, 0.75 * 0.5 + 0.25 * 1.0, 0.5], rtol=1e-6)
