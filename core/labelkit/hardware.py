"""What the machine is good at. Automatic choices come from these facts, never from timings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, slots=True)
class Hardware:
    """The device that a run uses.

    :param type: ``"cuda"`` or ``"cpu"``.
    :param count: devices, or threads on a CPU.
    :param driver: of the GPU, where there is one.
    :param native_bf16: whether bf16 products are native, so that they are quicker than fp32.
    """

    type: str
    name: str
    count: int
    driver: str | None
    native_bf16: bool


def detect(*, cpu: bool = False) -> Hardware:
    """Return the device that training would use now.

    :param cpu: the processor, whatever else there is.
    """
    if torch.cuda.is_available() and not cpu:
        name = torch.cuda.get_device_name(0)
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return Hardware("cuda", name, torch.cuda.device_count(), _driver(), native)
    facts = _cpu_facts()
    native = bool({"avx512_bf16", "amx_bf16"} & facts.flags)
    return Hardware("cpu", facts.name, torch.get_num_threads(), None, native)


@dataclass(frozen=True, slots=True)
class _Cpu:
    name: str
    flags: frozenset[str]


def cpu_flags() -> frozenset[str]:
    """Return what the processor can do, in Linux's words; nothing elsewhere."""
    return _cpu_facts().flags


def _cpu_facts() -> _Cpu:
    """Read the processor's name and flags where Linux lists them; elsewhere only torch's word for it is known."""
    fields: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    return _Cpu(
        fields.get("model name", torch.backends.cpu.get_cpu_capability()),
        frozenset(fields.get("flags", "").split()),
    )


def _driver() -> str | None:
    version = Path("/proc/driver/nvidia/version")
    line = version.read_text(encoding="utf-8").splitlines()[0] if version.is_file() else ""
    return line.split(":", 1)[-1].strip() or f"CUDA {torch.version.cuda}"


def peak_memory(device: str) -> int:
    """Return the most memory used so far, in bytes: of the GPU where one is used, else of the process."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        return 0  # it keeps no such figure that Python can read
    import resource

    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def precision_for(wanted: str, hardware: Hardware) -> tuple[str, str]:
    """Return the precision of training and the fact that decided it."""
    if wanted != "auto":
        return wanted, "asked for"
    if hardware.native_bf16:
        return "bf16", f"{hardware.name} computes bf16 natively"
    return "fp32", f"{hardware.name} has no native bf16"


def attention_for(kind: str, hardware: Hardware) -> tuple[str, str]:
    """Return how attention is computed in training and the fact that decided it.

    The processor's fused attention has a slow way back: sentences train quicker without it, texts of hundreds of
    sub-tokens do not.
    """
    if hardware.type == "cpu" and kind == "token":
        return "eager", "sentences on a processor"
    return "default", "texts" if kind == "text" else hardware.name


#: width of the encoder → peak learning rate; the widest that is not exceeded counts
LEARNING_RATES = ((0, 2e-4), (512, 1e-4), (768, 5e-5), (1024, 2e-5))


def learning_rate_for(width: int) -> tuple[float, str]:
    """Return a peak learning rate for an encoder of hidden size ``width`` and the fact that decided it.

    >>> learning_rate_for(384)
    (0.0002, 'the encoder is 384 wide')
    """
    rate = [rate for floor, rate in LEARNING_RATES if width >= floor][-1]
    return rate, f"the encoder is {width} wide"
