"""Appearance: the MGN network, its checkpoints, crops, and the embedder that joins them."""
