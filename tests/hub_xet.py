"""The xet storage of the stand-in Hub: what ``hf_xet`` sends and fetches, in place of large files of git.

Files are cut into chunks by the client, which come packed in xorbs; a shard says which chunks make which file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

_RECORD, _END = 48, b"\xff" * 32
_WITH_VERIFICATION, _WITH_SHA256 = 1 << 31, 1 << 30
_PLAIN, _LZ4, _GROUPED_LZ4 = 0, 1, 2


@dataclass(frozen=True)
class Term:
    """Some consecutive chunks of a xorb."""

    xorb: str
    size: int
    start: int
    end: int


@dataclass
class Xet:
    """What was sent.

    :param xorbs: hash → its chunks as they were sent.
    :param files: hash of a file in xet → what it is made of.
    :param hashes: SHA-256 of a file → its hash in xet.
    """

    xorbs: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, list[Term]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def add_shard(self, shard: bytes) -> list[str]:
        """Note the files of a shard; return their SHA-256s."""
        position, found = _RECORD, []
        while (head := shard[position : position + _RECORD])[:32] != _END:
            flags, count = struct.unpack_from("<II", head, 32)
            position += _RECORD
            terms = []
            for _ in range(count):
                _, size, start, end = struct.unpack_from("<IIII", shard, position + 32)
                terms.append(Term(hex_of(shard[position : position + 32]), size, start, end))
                position += _RECORD
            position += _RECORD * count if flags & _WITH_VERIFICATION else 0
            self.files[hex_of(head[:32])] = terms
            if flags & _WITH_SHA256:
                sha256 = hex_of(shard[position : position + 32])
                self.hashes[sha256] = hex_of(head[:32])
                found.append(sha256)
                position += _RECORD
        return found

    def content(self, sha256: str) -> bytes:
        """Return a file that was sent."""
        terms = self.files[self.hashes[sha256]]
        return b"".join(
            unpack(self.xorbs[term.xorb][start:end])
            for term in terms
            for start, end in list(chunk_places(self.xorbs[term.xorb]))[term.start : term.end]
        )

    def reconstruction(self, file: str, endpoint: str) -> bytes:
        """Return how a file is made of chunks, and where they are."""
        terms: list[dict[str, Any]] = []
        fetch: dict[str, list[dict[str, Any]]] = {}
        for term in self.files[file]:
            places = list(chunk_places(self.xorbs[term.xorb]))[term.start : term.end]
            chunks = {"start": term.start, "end": term.end}
            terms.append({"hash": term.xorb, "unpacked_length": term.size, "range": chunks})
            url_range = {"start": places[0][0], "end": places[-1][1] - 1}
            url = f"{endpoint}/xet/xorbs/{term.xorb}"
            fetch.setdefault(term.xorb, []).append({"range": chunks, "url": url, "url_range": url_range})
        return json.dumps({"offset_into_first_range": 0, "terms": terms, "fetch_info": fetch}).encode()


def hex_of(digest: bytes) -> str:
    """Return a hash as xet writes it: each eight bytes as a number."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


def chunk_places(xorb: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each chunk of a xorb begins and ends."""
    position = 0
    while position < len(xorb) and xorb[position] == 0:
        end = position + 8 + int.from_bytes(xorb[position + 1 : position + 4], "little")
        yield position, end
        position = end


def unpack(chunk: bytes) -> bytes:
    """Return the content of a chunk, which may be compressed after its bytes were grouped by fours."""
    kind, size = chunk[4], int.from_bytes(chunk[5:8], "little")
    if kind == _PLAIN:
        return chunk[8:]
    content = pa.decompress(chunk[8:], size, codec="lz4", asbytes=True)
    if kind == _LZ4:
        return bytes(content)
    assert kind == _GROUPED_LZ4
    ungrouped, position = np.empty(size, np.uint8), 0
    for group in range(4):
        part = ungrouped[group::4]
        part[:] = np.frombuffer(content, np.uint8)[position : position + len(part)]
        position += len(part)
    return ungrouped.tobytes()
