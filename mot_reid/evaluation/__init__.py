"""Evaluation: MOTChallenge files, metrics, benchmark runs and their tables."""
