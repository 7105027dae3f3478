"""Check the files of a model folder without loading them: safetensors, pickles, checksums."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labelkit.errors import ModelError
from labelkit.files.small import read_json, unreadable

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
#: tensors of a head's module, beside the weights that transformers loads
HEAD_WEIGHTS = "head.safetensors"
#: tensors of the classifiers of all tasks but the first, where several were trained together
JOINT_WEIGHTS = "joint_heads.safetensors"
#: what labelkit adds to a plain Hugging Face folder
CHECKPOINT_INFO = "labelkit.json"
#: hashes of the mentions of train, for metrics that ask for them
TRAIN_MENTIONS = "train_mentions.npy"
#: patterns of all files of weights
WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json")
#: suffixes of pickle files, which may execute code when loaded
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5", ".joblib")
#: suffixes of the files that transformers reads whole, and the most bytes of one; the largest vocabularies have 40 MB
DOCUMENTS = (".json", ".txt", ".jinja", ".model")
LARGEST_DOCUMENT = 1 << 28
#: the longest header that safetensors itself reads
LONGEST_HEADER = 100_000_000
CHUNK = 1 << 20
#: computes the SHA-256 of a file
Checksum = Callable[[Path], str]


def copy_checkpoint(folder: Path, target: Path, *, weights: bool = True) -> None:
    """Copy the files of a checkpoint that programs run it by into the folder ``target``.

    :param weights: copy the weights, too; False where another model replaces them.
    """
    skipped = {file for pattern in (() if weights else WEIGHT_FILES) for file in folder.glob(pattern)}
    for file in sorted(set(folder.iterdir()) - skipped):
        # hidden files are leftovers of a killed command
        if file.is_file() and not file.name.startswith(".") and file.name != TRAIN_MENTIONS:
            shutil.copyfile(file, target / file.name)


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
    """Return the safetensors files of a model folder and its heads, after a check of their headers and sizes.

    :raises ModelError: there are none, only pickles, one is damaged, or a file of the folder is not a regular one.
    :raises StorageError: the system cannot read one.
    """
    _check_regular(folder)
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
    files += [folder / name for name in (HEAD_WEIGHTS, JOINT_WEIGHTS) if (folder / name).is_file()]
    for file in files:
        check_safetensors(file)
    return files


def _shards(index: Path) -> set[str]:
    try:
        names = set(read_json(index)["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read: {error}", hint="the folder is damaged; fetch it again") from None
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError(f"{index} names weights outside its folder")
    return names


def pickles_in(folder: Path) -> list[Path]:
    """Return the pickle files of ``folder``.

    :raises StorageError: the folder cannot be listed.
    """
    return [file for file in _files_in(folder) if file.suffix.lower() in PICKLES]


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from error


def _check_regular(folder: Path) -> None:
    """Raise if the folder holds what reading could hang on, or not come to an end of: devices, pipes, huge documents.

    :raises ModelError: it does.
    """
    for file in _files_in(folder):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue  # a link to nothing
        except OSError as error:
            raise unreadable(file, error) from error
        if stat.S_ISDIR(status.st_mode):
            continue
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{file} is not a regular file", hint="remove it, or fetch the folder again")
        if file.suffix in DOCUMENTS and status.st_size > LARGEST_DOCUMENT:
            raise ModelError(
                f"{file} has {status.st_size:,} bytes, at most {LARGEST_DOCUMENT:,} are read",
                hint="the folder is damaged; fetch it again",
            )


def check_safetensors(file: Path) -> None:
    """Raise if a safetensors file is damaged: its size must be the one that its header states.

    :raises ModelError: it is missing, truncated or not safetensors.
    :raises StorageError: the system cannot read it.
    """
    size = _size_of(file)
    length, offsets = _read_header(file)
    expected = 8 + length + max((end for _, end in offsets.values()), default=0)
    if size != expected:
        raise ModelError(
            f"{file} is damaged: {size} bytes, its header says {expected}", hint="fetch it or train it again"
        )


def tensors_in(folder: Path) -> int:
    """Return the number of tensors in the safetensors files of a model folder.

    :raises ModelError: a file is damaged.
    """
    return sum(len(_read_header(file)[1]) for file in weights_of(folder))


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        raise ModelError(f"{file} is missing", hint="the folder is incomplete; fetch it again") from None
    except OSError as error:
        raise unreadable(file, error) from error


def _read_header(file: Path) -> tuple[int, dict[str, tuple[int, int]]]:
    """Return the length of the header of a safetensors file, and where each tensor begins and ends behind it."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length) if length <= LONGEST_HEADER else b"")
        offsets = {name: _offsets(entry) for name, entry in header.items() if name != "__metadata__"}
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, struct.error, AttributeError, KeyError, TypeError, RecursionError):
        raise ModelError(
            f"{file} is damaged: it is not a safetensors file", hint="fetch it or train it again"
        ) from None
    return length, offsets


def _offsets(entry: Any) -> tuple[int, int]:
    start, end = entry["data_offsets"]
    if type(start) is not int or type(end) is not int or not 0 <= start <= end:
        raise ValueError("invalid offsets")
    return start, end
