"""Detect the device and choose precision, attention and learning rate from its facts, never from timings.

Importing it loads no torch.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

#: parts of messages of RuntimeError that mean exhausted memory, beside those that accelerate knows
_OUT_OF_MEMORY = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether ``error`` means that the memory of a GPU or of the machine is exhausted."""
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, RuntimeError) or "torch" not in sys.modules:
        return False
    import torch
    from accelerate.utils.memory import should_reduce_batch_size  # type: ignore[import-untyped]

    known = isinstance(error, torch.OutOfMemoryError) or any(part in str(error) for part in _OUT_OF_MEMORY)
    return known or bool(should_reduce_batch_size(error))


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device.

    :param type: ``"cuda"`` or ``"cpu"``.
    :param count: number of GPUs, or of threads on a CPU.
    :param driver: version of the GPU driver; None on a CPU.
    :param native_bf16: whether bf16 products are native, and thus faster than fp32.
    """

    type: str
    name: str
    count: int
    driver: str | None
    native_bf16: bool


def detect(*, cpu: bool = False) -> Hardware:
    """Return the device to use: the GPU where there is one.

    :param cpu: ignore GPUs.
    """
    import torch

    if torch.cuda.is_available() and not cpu:
        name = torch.cuda.get_device_name(0)
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        version = Path("/proc/driver/nvidia/version")
        line = version.read_text(encoding="utf-8").splitlines()[0] if version.is_file() else ""
        driver = line.split(":", 1)[-1].strip() or f"CUDA {torch.version.cuda}"
        return Hardware("cuda", name, torch.cuda.device_count(), driver, native)
    found, flags = _cpu_info()
    name = found or torch.backends.cpu.get_cpu_capability()
    native = bool({"avx512_bf16", "amx_bf16"} & flags)
    return Hardware("cpu", name, torch.get_num_threads(), None, native)


def cpu_flags() -> frozenset[str]:
    """Return the CPU flags that Linux lists; empty on other systems."""
    return _cpu_info()[1]


def _cpu_info() -> tuple[str | None, frozenset[str]]:
    """Return the name and flags of the CPU; None and no flags where Linux does not list them."""
    fields: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    return fields.get("model name"), frozenset(fields.get("flags", "").split())


def peak_memory(device: str) -> int:
    """Return the peak memory in bytes: of the GPU for ``"cuda"``, else of the process."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        return 0  # Python has no way to read it there
    import resource

    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def precision_for(requested: str, hardware: Hardware) -> tuple[str, str]:
    """Return the training precision and the reason for it."""
    if requested != "auto":
        return requested, "requested"
    if hardware.native_bf16:
        return "bf16", f"{hardware.name} computes bf16 natively"
    return "fp32", f"{hardware.name} has no native bf16"


def attention_for(kind: str, hardware: Hardware) -> tuple[str, str]:
    """Return the attention implementation for training and the reason for it.

    The backward pass of fused attention is slow on a CPU: sentences train faster with eager attention, texts of
    hundreds of subwords do not.
    """
    if hardware.type == "cpu" and kind == "token":
        return "eager", "sentences on a CPU"
    return "default", "texts" if kind == "text" else hardware.name


#: (least hidden size, peak learning rate); the last row that applies counts
LEARNING_RATES = ((0, 2e-4), (512, 1e-4), (768, 5e-5), (1024, 2e-5))


def learning_rate_for(hidden_size: int) -> tuple[float, str]:
    """Return the peak learning rate for an encoder of this hidden size and the reason for it.

    >>> learning_rate_for(384)
    (0.0002, 'the hidden size is 384')
    """
    rate = [rate for least, rate in LEARNING_RATES if hidden_size >= least][-1]
    return rate, f"the hidden size is {hidden_size}"
