"""What the process of a command and that which drives the cluster tell each other: lines of JSON with bytes behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

Frame = tuple[dict[str, Any], bytes]


def write_frame(stream: IO[bytes], head: Mapping[str, Any], body: bytes = b"") -> None:
    """Write a line of JSON and the bytes that belong to it, and flush."""
    stream.write(json.dumps({**head, "size": len(body)}, allow_nan=False).encode() + b"\n" + body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Frame | None:
    """Return the next line of JSON and its bytes; None at the end, also where the writer died within one."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    body = stream.read(head["size"])
    return (head, body) if len(body) == head["size"] else None
