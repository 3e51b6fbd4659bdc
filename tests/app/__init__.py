"""Tests of the page, the report and what serves them."""
