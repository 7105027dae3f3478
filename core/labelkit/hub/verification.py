"""Check what was downloaded from the Hub against the hashes by which its cache names files."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from labelkit.errors import NetworkError

_SHA1, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


def check_downloaded(folder: Path) -> None:
    """Raise if a file of a snapshot is not the one whose hash the Hub gave.

    The cache of ``huggingface_hub`` names each file by the hash that the Hub sends for it: the SHA-256 of a large one,
    git's hash of any other. It links the snapshot to that name. What ``hf_xet`` fetched is a link itself, to a file
    whose name is a hash of another kind. Where the cache cannot link files, their hashes are not known. A file that
    differs is deleted.

    :param folder: of a snapshot.
    :raises NetworkError: a file differs.
    """
    for link in sorted(folder.rglob("*")):
        blob = link.parent / os.readlink(link) if link.is_symlink() else link
        if not blob.is_file() or _matches(blob):
            continue
        for place in (blob.resolve(), blob, link):
            place.unlink(missing_ok=True)
        raise NetworkError(f"{link.name} is not the file whose hash the Hub gives", hint="fetch it again")


def _matches(blob: Path) -> bool:
    """Return whether the content of a file has the hash that its name states; True where it states none."""
    if _SHA256.fullmatch(blob.name):
        digest = hashlib.sha256()
    elif _SHA1.fullmatch(blob.name):
        digest = hashlib.sha1(b"blob %d\0" % blob.stat().st_size, usedforsecurity=False)
    else:
        return True
    with blob.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == blob.name
