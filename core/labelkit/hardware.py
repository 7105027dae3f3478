"""Detect the device and choose precision, attention and learning rate from its facts, never from timings.

Importing it loads no torch.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
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
    return Hardware("cpu", name, torch.get_num_threads(), None, bool(NATIVE_BF16 & flags))


#: CPU flags of which each says that bf16 products are native
NATIVE_BF16 = frozenset(("avx512_bf16", "amx_bf16"))


def has_native_bf16() -> bool:
    """Return whether the processor computes bf16 products natively."""
    return bool(NATIVE_BF16 & cpu_flags())


def torch_installed() -> bool:
    """Return whether torch is installed, without importing it."""
    return find_spec("torch") is not None


def may_have_gpu() -> bool:
    """Return whether torch may find a GPU, without importing it; False only where there is none."""
    if not torch_installed():
        return False
    try:
        for_processors_only = version("torch").endswith("+cpu")
    except PackageNotFoundError:
        for_processors_only = False
    drivers = (Path("/proc/driver/nvidia/version"), Path("/dev/kfd"))
    return not for_processors_only and (any(map(Path.exists, drivers)) or shutil.which("nvidia-smi") is not None)


def thread_count(environ: Mapping[str, str] = os.environ) -> int:
    """Return how many threads compute: torch's number where it is loaded, else what it would choose.

    That is ``OMP_NUM_THREADS``, or one for each core that this process may use; two threads of one core count once.
    """
    if "torch" in sys.modules:
        import torch

        return torch.get_num_threads()
    wanted = environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable, _physical_cores() or usable))


def _physical_cores() -> int:
    """Return the number of cores that Linux lists; 0 on other systems."""
    cores, package = set(), ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "physical id":
            package = value
        elif key.strip() == "core id":
            cores.add((package, value))
    return len(cores)


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


#: hidden size from which a head needs a rate of its own, and the peak of it: it is new, and learns too slowly at the
#: rates of wide encoders
WIDE, HEAD_LEARNING_RATE = 768, 1e-3


def head_learning_rate_for(rate: float, hidden_size: int) -> tuple[float, str]:
    """Return the peak learning rate of a head and the reason for it.

    :param rate: that of the encoder, which is the least.

    >>> head_learning_rate_for(5e-5, 768), head_learning_rate_for(2e-4, 384)
    ((0.001, 'the hidden size is 768'), (0.0002, 'the hidden size is 384'))
    """
    return max(rate, HEAD_LEARNING_RATE if hidden_size >= WIDE else 0.0), f"the hidden size is {hidden_size}"
