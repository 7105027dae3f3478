"""Labelled data: references, reading, schemas, tagging schemes, hashes. ``labelkit.data.load`` is public."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Import the public function of the Python API, of a higher layer, when it is first used."""
    if name != "load":
        raise AttributeError(f"module 'labelkit.data' has no attribute '{name}'")
    from importlib import import_module

    return import_module("labelkit.api.datasets").load
