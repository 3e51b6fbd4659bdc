"""Association: which detection belongs to which track. Arrays only: no image, no model."""
