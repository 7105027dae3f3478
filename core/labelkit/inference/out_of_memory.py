"""Out-of-memory recovery of inference: how large a batch the device holds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from labelkit.encode.alignment import Window
from labelkit.errors import LabelkitError


@dataclass(slots=True)
class OutOfMemoryState:
    """Out-of-memory recovery: the batch size that the device has been found to hold.

    :param budget: largest batch to try, in subwords; None while no batch was out of memory.
    :param backoffs: number of batches that were out of memory.
    """

    budget: int | None = None
    backoffs: int = 0

    def back_off(self, batch: Sequence[Window], error: Exception) -> None:
        """Halve the budget to less than ``batch``, which was out of memory.

        :raises LabelkitError: if the batch is a single window.
        """
        longest = max(len(window.ids) for window in batch)
        if len(batch) == 1:
            raise LabelkitError(
                f"out of memory: the device does not hold a single window of {longest} subwords",
                hint="free some memory of the device, or use the processor: CUDA_VISIBLE_DEVICES=",
            ) from error
        self.backoffs += 1
        self.budget = longest * len(batch) // 2
        if "torch" in sys.modules:
            import torch

            if torch.cuda.is_available():
                torch.cuda.empty_cache()
