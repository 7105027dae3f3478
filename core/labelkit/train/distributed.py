"""Train one run in several processes, as ``torchrun`` and ``accelerate launch`` start them.

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
    """Return whether this is the main process, or the only one."""
    return world_size(environ) == 1 or int(environ.get("RANK") or 0) == 0


def broadcast(decision: int, device: str) -> int:
    """Return the decision of the main process: all processes must continue, stop or be interrupted together.

    :param decision: of this process: :data:`CONTINUE`, :data:`STOP` or :data:`INTERRUPT`.
    :param device: of the exchanged tensor, ``"cpu"`` or ``"cuda"``.
    """
    if world_size() == 1:
        return decision
    import torch
    from torch import distributed

    tensor = torch.tensor([decision], dtype=torch.int32, device=device)
    distributed.broadcast(tensor, 0)
    return int(tensor)


def wait_for_everyone() -> None:
    """Wait until all processes have arrived."""
    if world_size() > 1:
        from torch import distributed

        distributed.barrier()
