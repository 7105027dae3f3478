"""Several processes that train one run, as ``torchrun`` and ``accelerate launch`` start them.

The main process alone evaluates, writes checkpoints and keeps the record; the others follow it step by step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

CONTINUE, STOP, INTERRUPT = range(3)


def world_size(environ: Mapping[str, str] = os.environ) -> int:
    """Return how many processes train together."""
    return int(environ.get("WORLD_SIZE") or 1)


def is_main_process(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process is the first one, or the only one."""
    return world_size(environ) == 1 or int(environ.get("RANK") or 0) == 0


def broadcast(word: int, device: str) -> int:
    """Return what the first process says: all must go on, stop or end together.

    :param device: of the tensors that the processes exchange, ``"cpu"`` or ``"cuda"``.
    """
    if world_size() == 1:
        return word
    import torch
    from torch import distributed

    said = torch.tensor([word], dtype=torch.int32, device=device)
    distributed.broadcast(said, 0)
    return int(said)


def wait_for_everyone() -> None:
    """Wait until all processes are here."""
    if world_size() > 1:
        from torch import distributed

        distributed.barrier()
