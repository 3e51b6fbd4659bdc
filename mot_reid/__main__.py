"""``python -m mot_reid`` is ``mot-reid``."""

from mot_reid.cli import main

if __name__ == "__main__":
    main()
