"""``python -m labelkit`` is the command ``labelkit``."""

from labelkit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
