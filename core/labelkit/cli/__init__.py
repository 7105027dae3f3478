"""The command line: one module per group of commands, each imported when one of them is called."""

from __future__ import annotations

from labelkit.cli.main import main

__all__ = ["main"]
