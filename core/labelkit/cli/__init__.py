"""The command line: one module per group of commands, each imported only when it is asked for."""

from __future__ import annotations

from labelkit.cli.main import main

__all__ = ["main"]
