"""Check the files of a model folder without loading them: safetensors, pickles, checksums."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

from labelkit.errors import ModelError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
#: tensors of a head's module, beside the weights that transformers loads
HEAD_WEIGHTS = "head.safetensors"
#: what labelkit adds to a plain Hugging Face folder
CHECKPOINT_INFO = "labelkit.json"
#: hashes of the mentions of train, for metrics that ask for them
TRAIN_MENTIONS = "train_mentions.npy"
#: suffixes of pickle files, which may execute code when loaded
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5", ".joblib")
CHUNK = 1 << 20


def sha256_of(*files: Path, progress: Callable[[int], object] | None = None) -> str:
    """Return the SHA-256 of a file, or of several files concatenated, in hex.

    :param progress: called with the number of bytes of each chunk that was read.
    """
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                if progress:
                    progress(len(chunk))
    return digest.hexdigest()


def weights_of(folder: Path) -> list[Path]:
    """Return the safetensors files of a model folder and its head, after a check of their headers and sizes.

    :raises ModelError: there are none, only pickles, or one is damaged.
    """
    if (folder / WEIGHTS).is_file():
        files = [folder / WEIGHTS]
    elif (folder / INDEX).is_file():
        files = [folder / name for name in sorted(_shards(folder / INDEX))]
    else:
        if pickles := pickles_in(folder):
            raise ModelError(
                f"{folder} holds only pickled weights ({pickles[0].name}), which labelkit never loads",
                hint="convert them to safetensors on a machine you can spare",
            )
        raise ModelError(f"{folder} holds no {WEIGHTS}", hint="give a Hugging Face model folder with safetensors")
    if (folder / HEAD_WEIGHTS).is_file():
        files.append(folder / HEAD_WEIGHTS)
    for file in files:
        check_safetensors(file)
    return files


def _shards(index: Path) -> set[str]:
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read: {error}", hint="the folder is damaged; fetch it again") from None
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError(f"{index} names weights outside its folder")
    return names


def pickles_in(folder: Path) -> list[Path]:
    """Return the pickle files of ``folder``."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICKLES)


def check_safetensors(file: Path) -> None:
    """Raise if a safetensors file is damaged: its size must be the one that its header states.

    :raises ModelError: it is missing, truncated or not safetensors.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length) if length < size else b"")
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except FileNotFoundError:
        raise ModelError(f"{file} is missing", hint="the folder is incomplete; fetch it again") from None
    except (OSError, ValueError, struct.error, AttributeError, KeyError, TypeError):
        raise ModelError(
            f"{file} is damaged: it is not a safetensors file", hint="fetch it or train it again"
        ) from None
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise ModelError(
            f"{file} is damaged: {size} bytes, its header says {expected}", hint="fetch it or train it again"
        )
