"""Keeping house: what is on the disk, whether it is whole, and freeing it."""

from __future__ import annotations

from labelkit.registry.base import Base


class Keeping(Base):
    """Works only on the store that is here."""
