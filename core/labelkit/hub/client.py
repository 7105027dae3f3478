"""The Hugging Face Hub, asked once and briefly: what the references of models and of data sets share.

Left alone, the libraries retry for 24 to 48 seconds before they say that there is no network.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from labelkit.errors import DataError, LabelkitError, ModelError, NetworkError

#: the longest that asking the Hub one question may take, in seconds
PATIENCE = 2.5

Kind = Literal["model", "dataset"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A repository of the Hub at a revision.

    :param revision: a branch, tag or commit.
    """

    kind: Kind
    name: str
    revision: str = "main"

    @property
    def called(self) -> str:
        """What it is called in messages."""
        return f"{'model' if self.kind == 'model' else 'data set'} '{self.name}'"

    @property
    def otherwise(self) -> str:
        """What to do without the Hub."""
        instead = "use --model bundled or a local folder" if self.kind == "model" else "give local files: --data PATH"
        return f"{instead}, or connect and try again"

    def fault(self, message: str, hint: str) -> LabelkitError:
        """Return an error about the repository itself, not about the network."""
        return (ModelError if self.kind == "model" else DataError)(message, hint=hint)

    def gated(self) -> LabelkitError:
        """Return the error for a repository whose terms are not accepted."""
        return self.fault(f"{self.called} is gated on the Hub", "accept its terms there, then: hf auth login")


def about(wanted: Wanted) -> Any:
    """Return what the Hub tells of a repository: ``ModelInfo`` or ``DatasetInfo`` of ``huggingface_hub``.

    :raises NetworkError: the Hub gives no answer.
    :raises LabelkitError: there is no such repository or revision, or it is gated.
    """
    from huggingface_hub import HfApi

    ask = HfApi().model_info if wanted.kind == "model" else HfApi().dataset_info
    return _asked(wanted, lambda: ask(wanted.name, revision=wanted.revision, timeout=PATIENCE))


def has_revision(wanted: Wanted) -> bool:
    """Return whether the Hub has that revision; False also where it cannot be asked."""
    try:
        about(wanted)
    except LabelkitError:
        return False
    return True


def offline(wanted: Wanted) -> NetworkError:
    """Return the error for what is not cached and may not be fetched."""
    return NetworkError(f"{wanted.called} is not in the local cache and HF_HUB_OFFLINE is set", hint=wanted.otherwise)


def fetch(wanted: Wanted, commit: str, patterns: Sequence[str], *, first: bool = False) -> Path:
    """Fetch the files of a commit that match ``patterns`` into the Hub's own cache; return their folder.

    :param commit: what the wanted revision is at now.
    :param first: more will be fetched, so the cache is not told yet that it holds the revision.
    :raises NetworkError: it breaks off.
    :raises LabelkitError: the repository is gated: the Hub tells of such a one freely, and refuses its files.
    """
    from huggingface_hub.errors import GatedRepoError

    try:
        folder = _snapshot(wanted, commit, patterns, quiet=first)
        if wanted.revision != commit and not first:
            # nothing more comes: the cache only notes which commit it is, now that all of it is there
            _snapshot(wanted, wanted.revision, patterns, quiet=True)
    except GatedRepoError:
        raise wanted.gated() from None
    except Exception as error:
        hint = "try again; what came is kept" if isinstance(error, OSError) else wanted.otherwise
        raise NetworkError(f"{wanted.called} could not be fetched ({reason(error)})", hint=hint) from None
    return folder


def cached(wanted: Wanted, patterns: Sequence[str] | None = None) -> Path | None:
    """Return the folder of the cached files of that revision without asking the Hub; None where there is none."""
    try:
        return _snapshot(wanted, wanted.revision, patterns, local_files_only=True)
    except Exception:
        return None


def cached_listing(wanted: Wanted) -> tuple[str, ...] | None:
    """Return every file of that revision, fetched or not, as the cache knows it; None where it does not."""
    try:
        from huggingface_hub import get_cached_repo_tree

        files = get_cached_repo_tree(wanted.name, repo_type=wanted.kind, revision=wanted.revision)
    except Exception:  # not cached, or a huggingface_hub that keeps no listings
        return None
    return tuple(file.path for file in files)


def reason(error: BaseException) -> str:
    """Return why something failed, one short line."""
    text = " ".join(str(error).split())
    return text[:100] if text else type(error).__name__


def within(seconds: float, ask: Callable[[], T]) -> T:
    """Return ``ask()``, giving up after ``seconds`` whatever it is stuck in (a resolver can ignore time-outs)."""
    answer: list[T] = []
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


def _snapshot(
    wanted: Wanted,
    revision: str,
    patterns: Sequence[str] | None,
    *,
    quiet: bool = False,
    local_files_only: bool = False,
) -> Path:
    from huggingface_hub import snapshot_download
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Quiet(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})

    folder = snapshot_download(
        wanted.name,
        repo_type=wanted.kind,
        revision=revision,
        allow_patterns=None if patterns is None else list(patterns),
        local_files_only=local_files_only,
        tqdm_class=Quiet if quiet else None,
    )
    return Path(folder)


def _asked(wanted: Wanted, ask: Callable[[], Any]) -> Any:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    called = wanted.called
    try:
        return within(PATIENCE, ask)
    except GatedRepoError:
        raise wanted.gated() from None
    except RepositoryNotFoundError:
        hint = "check the spelling; private ones need: hf auth login"
        raise wanted.fault(f"there is no {called} on the Hub", hint) from None
    except RevisionNotFoundError:
        message = f"{called} has no revision '{wanted.revision}'"
        raise wanted.fault(message, "give a branch, tag or commit") from None
    except HFValidationError:
        what = "model" if wanted.kind == "model" else "data set"
        raise wanted.fault(f"no {what} of the Hub can be called '{wanted.name}'", "write it as org/name") from None
    except Exception as error:
        message = f"the Hugging Face Hub cannot be reached for {called} ({reason(error)})"
        raise NetworkError(message, hint=wanted.otherwise) from None
