"""Several processes that train one run, as ``torchrun`` and ``accelerate launch`` start them.

The first one leads: it alone scores, writes checkpoints and keeps the record. The others follow it step by step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

GO_ON, STOP, INTERRUPTED = range(3)


def count(environ: Mapping[str, str] = os.environ) -> int:
    """Return how many processes train together."""
    return int(environ.get("WORLD_SIZE") or 1)


def leads(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process is the first one, or the only one."""
    return count(environ) == 1 or int(environ.get("RANK") or 0) == 0


def agreed(word: int, device: str) -> int:
    """Return what the first process says: all must go on, stop or end together.

    :param device: of the tensors that the processes exchange, ``"cpu"`` or ``"cuda"``.
    """
    if count() == 1:
        return word
    import torch
    from torch import distributed

    said = torch.tensor([word], dtype=torch.int32, device=device)
    distributed.broadcast(said, 0)
    return int(said)


def wait() -> None:
    """Wait until all processes are here."""
    if count() > 1:
        from torch import distributed

        distributed.barrier()
