"""Whole runs: sources in, results out, stages that overlap, several sources at a time."""
