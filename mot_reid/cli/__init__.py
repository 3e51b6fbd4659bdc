"""The command line: one module for each command."""

import sys

__all__ = ["main"]


def main() -> None:
    """The ``mot-reid`` program; see `mot_reid.cli.app.main`."""
    try:
        from mot_reid.cli.app import main as run  # takes a moment, in which Ctrl-C may come
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    run()
