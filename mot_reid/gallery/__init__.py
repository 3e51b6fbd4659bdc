"""Tracklets remembered beyond their video: what is kept of each, where, and how people are found in it."""
