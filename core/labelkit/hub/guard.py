"""Guard the answers of the Hub: names from the network stay names, and no answer is endless in size or time.

``huggingface_hub`` makes file names of ETags and commits, reads answers whole, and has no overall time limit.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelkit.errors import NetworkError

#: bytes of an answer about a repository, and of a file whose size is not announced
MAX_ANSWER, MAX_UNANNOUNCED = 1 << 28, 1 << 30
#: seconds until an answer about a repository must be complete
ANSWER_SECONDS = 60.0
#: a file that comes slower than this many bytes a second, after a while, is given up
MIN_SPEED, SLOW_SECONDS = 1024, 60.0
#: headers that become file names
_NAMES = ("etag", "x-linked-etag", "x-repo-commit", "x-xet-hash")
_NAME = re.compile(r"[A-Za-z0-9_+=-][A-Za-z0-9_.+=-]{0,199}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def guard_session() -> None:
    """Guard the answers that ``huggingface_hub`` gets in this process."""
    from huggingface_hub import get_session

    client: Any = get_session()
    hooks = client.event_hooks
    if _guard_response not in hooks["response"]:
        client.event_hooks = {
            "request": [*hooks["request"], _ask_uncompressed],
            "response": [*hooks["response"], _guard_response],
        }


def check_repository(commit: str | None, files: list[str]) -> None:
    """Raise if what the Hub says of a repository could name a place outside of the cache.

    :raises NetworkError: the commit is none, or the path of a file leaves its folder.
    """
    for name in files:
        if name.startswith("/") or "\\" in name or "\0" in name or any(part in ("..", "") for part in name.split("/")):
            raise _refusal("file name", name)
    if not _COMMIT.fullmatch(commit or ""):
        raise _refusal("commit", commit or "")


class GuardedStream:
    """The body of an answer, which raises where it is too long or too slow.

    :param limit: bytes; None for the length that was announced.
    :param seconds: until the end of the body; None for a file, which must keep a minimal speed.
    """

    def __init__(self, stream: Any, limit: int | None, seconds: float | None) -> None:
        self._stream, self._limit, self._seconds = stream, limit, seconds

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body.

        :raises NetworkError: it is too long or too slow.
        """
        started, size = time.monotonic(), 0
        for block in self._stream:
            size += len(block)
            passed = time.monotonic() - started
            if self._limit is not None and size > self._limit:
                raise NetworkError(f"the Hub's answer is longer than {self._limit:,} bytes")
            too_slow = self._seconds is None and passed > SLOW_SECONDS and size < passed * MIN_SPEED
            if too_slow or (self._seconds is not None and passed > self._seconds):
                raise NetworkError(f"the Hub's answer is too slow: {size:,} bytes in {passed:.0f} s")
            yield block

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()


def _ask_uncompressed(request: Any) -> None:
    # a short compressed answer may unpack to an endless one
    request.headers["Accept-Encoding"] = "identity"


def _guard_response(response: Any) -> None:
    """Check the names and sizes in the headers of a response, and limit its body.

    :raises NetworkError: a header could name a place outside of the cache, the body is compressed, or what is announced
        is too large.
    """
    for header in _NAMES:
        value = response.headers.get(header)
        if value is not None and response.request.method == "HEAD":
            name = value.removeprefix("W/").strip('"')
            if not _NAME.fullmatch(name):
                raise _refusal(header, value)
    if response.headers.get("content-encoding", "identity") not in ("identity", ""):
        raise NetworkError("the Hub's answer is compressed, though that was not asked for")
    _check_announced(response)
    if "/api/" in response.request.url.path:
        limit, seconds = MAX_ANSWER, ANSWER_SECONDS
        response.stream = _as_sync_stream(response.stream, GuardedStream(response.stream, limit, seconds))
    else:
        announced = "content-length" in response.headers
        stream = GuardedStream(response.stream, None if announced else MAX_UNANNOUNCED, None)
        response.stream = _as_sync_stream(response.stream, stream)


def _check_announced(response: Any) -> None:
    """Raise if an answer that follows is announced to be too large, or a file larger than what the disk has free.

    The size of a file that hf_xet will fetch, without these guards, is announced by the answer to HEAD.
    """
    whole = response.request.method != "HEAD"
    if not whole and "x-xet-hash" not in response.headers:
        return
    length = response.headers.get("content-length" if whole else "x-linked-size", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise _refusal("length", length)
    size = int(length)
    if "/api/" in response.request.url.path:
        if size > MAX_ANSWER:
            raise NetworkError(f"the Hub announces an answer of {size:,} bytes, more than {MAX_ANSWER:,}")
    elif size > (free := _free_bytes()):
        raise NetworkError(
            f"the Hub announces a file of {size:,} bytes, and {free:,} are free on the disk of its cache",
            hint="free some space, or set HF_HOME to a folder on another disk",
        )


def _free_bytes() -> int:
    """Return how many bytes the disk of the Hub's cache has free."""
    from huggingface_hub import constants

    place = Path(constants.HF_HUB_CACHE).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def _as_sync_stream(stream: Any, guarded: GuardedStream) -> Any:
    """Return ``guarded`` as an instance of the class that the HTTP library expects."""
    base = next(one for one in type(stream).__mro__ if one.__name__ == "SyncByteStream")
    return type("GuardedByteStream", (GuardedStream, base), {})(guarded._stream, guarded._limit, guarded._seconds)


def _refusal(what: str, value: str) -> NetworkError:
    return NetworkError(f"the Hub's answer has an invalid {what}: {value[:60]!r}", hint="check HF_ENDPOINT and proxies")
