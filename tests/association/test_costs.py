import numpy as np

from mot_reid.association.costs import fused_costs
from mot_reid.config import AssociationConfig


def test_fused_cost_by_hand() -> None:
    config = AssociationConfig(appearance_weight=0.25, appearance_gate=0.4)
    overlaps, distances = np.array([0.8, 0.5, 0.5]), np.array([0.1, 0.8, 0.8], np.float32)
    seen = fused_costs(overlaps, distances, np.array([True, True, False]), config)
    np.testing.assert_allclose(seen, [0.75 * 0.2 + 0.25 * 0.25, 0.75 * 0.5 + 0.25 * 1.0, 0.5], rtol=1e-6)
