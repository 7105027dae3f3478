"""The registry as the rest of labelkit uses it."""

from __future__ import annotations

import secrets
import string
from datetime import datetime

from labelkit.registry.asking import Asking
from labelkit.registry.curating import Curating
from labelkit.registry.keeping import Keeping
from labelkit.registry.life import now
from labelkit.registry.lineage import Lineage
from labelkit.registry.recording import Recording


def new_run_id(task: str, started: datetime | None = None) -> str:
    """Return an id for a run of ``task``: UTC time and a random end, as ``ner-20261121-153012-a1b2c3``."""
    letters = string.ascii_lowercase + string.digits
    end = "".join(secrets.choice(letters) for _ in range(6))
    return f"{task}-{started or now():%Y%m%d-%H%M%S}-{end}"


class Registry(Recording, Asking, Curating, Lineage, Keeping):
    """What is known of all runs. What a method records is on the disk when it returns.

    Each raises :class:`RegistryError` or :class:`StorageError` when the database refuses, with what to do.
    """
