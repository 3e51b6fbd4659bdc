"""Finished tracks made better with hindsight; never mixed into online results."""
