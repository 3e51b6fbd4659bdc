"""The command line: one module for each command."""

from mot_reid.cli.app import main

__all__ = ["main"]
