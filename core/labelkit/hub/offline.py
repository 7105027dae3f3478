"""Keep libraries from the network while they load local folders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def no_network() -> Iterator[None]:
    """Refuse requests to the Hub while a local folder is loaded: some parts of transformers fetch kernels from it."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
