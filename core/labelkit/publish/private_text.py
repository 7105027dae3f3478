"""Find what must not be published: tokens and passwords of services, and paths of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from labelkit.errors import LabelkitError
from labelkit.files.small import read_json

#: what kind of secret → its pattern; each is long enough that no vocabulary or tensor has it by chance
SECRETS: Mapping[str, re.Pattern[bytes]] = {
    "a Hugging Face token": re.compile(rb"\b(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    "a GitHub token": re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})"),
    "a GitLab token": re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "an API key": re.compile(rb"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{40,}"),
    "a Google API key": re.compile(rb"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a Slack token": re.compile(rb"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
}
#: files that hold numbers: only their beginning, where metadata stands, is searched
_BINARY, _HEAD = (".safetensors", ".onnx", ".npy", ".parquet"), 1 << 20
#: vocabularies hold whatever the texts of pre-training did, slashes included
_VOCABULARIES = ("tokenizer.json", "vocab.json")
#: entries that hold labels, which may look like paths: /person/artist
_LABELS = ("schema", "id2label", "label2id", "outputs", "fallback", "metrics")


def secret_in(content: bytes) -> str | None:
    """Return what kind of secret a content holds; None if it holds none.

    >>> secret_in(b"nothing"), secret_in(b'{"token": "hf_' + b"a" * 34 + b'"}')
    (None, 'a Hugging Face token')
    """
    return next((name for name, pattern in SECRETS.items() if pattern.search(content)), None)


def check_publishable(files: Mapping[str, Path | bytes]) -> None:
    """Raise if a file holds a secret, or a document a path of this machine, before anything is sent.

    :param files: the path in the repository → the file, or its content.
    :raises LabelkitError: one does, with its name, and never the secret.
    """
    for name, file in files.items():
        if found := secret_in(_searched(file)):
            raise LabelkitError(
                f"{name} seems to hold {found}; nothing was sent",
                hint="remove it from the file, and revoke it if others have seen it",
            )
        if isinstance(file, Path) and name.endswith(".json") and name not in _VOCABULARIES:
            for place, value in _texts(read_json(file)):
                if is_local_path(value) and place.partition(".")[0] not in _LABELS:
                    raise LabelkitError(
                        f"{name} names a path of this machine in '{place}'; nothing was sent",
                        hint="a setting of a plugin should name its files relative to a folder",
                    )


def is_local_path(value: str) -> bool:
    """Return whether a text is an absolute path.

    >>> is_local_path("/srv/data/names.txt"), is_local_path("C:/Users/x/a.txt"), is_local_path("and/or")
    (True, True, False)
    """
    if "\n" in value or len(value) > 1000 or value.startswith("//"):
        return False
    if value.startswith(("/", "~/")):
        return value.count("/") >= 2
    return bool(PureWindowsPath(value).drive) and "\\" in value.replace("/", "\\")


def _searched(file: Path | bytes) -> bytes:
    if isinstance(file, bytes):
        return file
    with file.open("rb") as stream:
        return stream.read(_HEAD if file.suffix in _BINARY else -1)


def _texts(content: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and value of each text in a JSON document."""
    if isinstance(content, str):
        yield place, content
    elif isinstance(content, Mapping):
        for name, value in content.items():
            yield from _texts(value, f"{place}.{name}".lstrip("."))
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value, place)
