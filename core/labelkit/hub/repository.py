"""Models and datasets on the Hugging Face Hub: one request with a short time-out, and downloads into the Hub's cache.

On their own, the Hub's libraries retry for 24 to 48 seconds before they report that there is no network.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from labelkit.errors import DataError, LabelkitError, ModelError, NetworkError, one_line
from labelkit.hub.guard import check_repository, guard_session

#: time-out of one request to the Hub, in seconds
TIMEOUT = 2.5

T = TypeVar("T")


DEFAULT_REVISION = "main"


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A model or dataset on the Hub at a revision.

    :param revision: a branch, tag or commit.
    """

    kind: Literal["model", "dataset"]
    name: str
    revision: str = DEFAULT_REVISION

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"

    @property
    def offline_hint(self) -> str:
        """How to go on without the Hub."""
        instead = "use --model bundled or a local folder" if self.kind == "model" else "give local files: --data PATH"
        return f"{instead}, or connect and try again"

    def info(self) -> Any:
        """Return what the Hub says of the repository: ``ModelInfo`` or ``DatasetInfo`` of ``huggingface_hub``.

        :raises NetworkError: the Hub does not answer in time.
        :raises LabelkitError: the repository or revision does not exist, or is gated.
        """
        from huggingface_hub import HfApi
        from huggingface_hub import errors as hub_errors

        request = HfApi().model_info if self.kind == "model" else HfApi().dataset_info
        guard_session()
        try:
            found = call_with_timeout(TIMEOUT, lambda: request(self.name, revision=self.revision, timeout=TIMEOUT))
            check_repository(found.sha, [file.rfilename for file in found.siblings or ()])
            return found
        except NetworkError as error:
            raise NetworkError(f"{self}: {error.message}", hint=error.hint or self.offline_hint) from None
        except hub_errors.GatedRepoError:
            raise self.gated_error() from None
        except hub_errors.RepositoryNotFoundError:
            hint = "check the spelling; private ones need: hf auth login"
            raise self.error(f"there is no {self} on the Hub", hint) from None
        except hub_errors.RevisionNotFoundError:
            raise self.error(f"{self} has no revision '{self.revision}'", "give a branch, tag or commit") from None
        except hub_errors.HFValidationError:
            message = f"'{self.name}' is not a valid name of a {self.kind} on the Hub"
            raise self.error(message, "write it as org/name") from None
        except Exception as error:
            message = f"the Hugging Face Hub cannot be reached for {self} ({short_reason(error)})"
            raise NetworkError(message, hint=self.offline_hint) from None

    def exists(self) -> bool:
        """Return whether the Hub has the repository at this revision; False also if the Hub cannot be reached."""
        try:
            self.info()
        except LabelkitError:
            return False
        return True

    def download(self, commit: str, patterns: Sequence[str], *, more_follows: bool = False) -> Path:
        """Download the files of a commit that match ``patterns`` into the Hub's cache; return their folder.

        :param commit: the commit that the revision points at.
        :param more_follows: another download completes this one, so the cache does not record the revision yet.
        :raises NetworkError: the download failed.
        :raises LabelkitError: the repository is gated: the Hub lists such a one freely, but refuses its files.
        """
        from huggingface_hub.errors import GatedRepoError

        try:
            folder = self._snapshot(commit, patterns, quiet=more_follows)
            if self.revision != commit and not more_follows:
                # downloads nothing more: the cache only records which commit the revision is
                self._snapshot(self.revision, patterns, quiet=True)
        except GatedRepoError:
            raise self.gated_error() from None
        except NetworkError as error:
            raise NetworkError(f"{self}: {error.message}", hint=error.hint or self.offline_hint) from None
        except Exception as error:
            hint = "try again; what was downloaded is kept" if isinstance(error, OSError) else self.offline_hint
            raise NetworkError(f"{self} could not be fetched ({short_reason(error)})", hint=hint) from None
        return folder

    def cached_folder(self, patterns: Sequence[str] | None = None) -> Path | None:
        """Return the folder of the cached files of this revision, without a request; None if nothing is cached."""
        try:
            return self._snapshot(self.revision, patterns, local_files_only=True)
        except Exception:
            return None

    def cached_file_names(self) -> tuple[str, ...] | None:
        """Return all files of this revision, downloaded or not, as the cache lists them; None if it has no list."""
        try:
            from huggingface_hub import get_cached_repo_tree

            files = get_cached_repo_tree(self.name, repo_type=self.kind, revision=self.revision)
        except Exception:  # not cached, or a huggingface_hub that keeps no lists
            return None
        return tuple(file.path for file in files)

    def offline_error(self) -> NetworkError:
        """Return the error for a repository that is not cached and may not be downloaded."""
        return NetworkError(f"{self} is not in the local cache and HF_HUB_OFFLINE is set", hint=self.offline_hint)

    def gated_error(self) -> LabelkitError:
        """Return the error for a repository whose terms are not accepted."""
        return self.error(f"{self} is gated on the Hub", "accept its terms there, then: hf auth login")

    def error(self, message: str, hint: str) -> LabelkitError:
        """Return an error about the repository itself, not about the network."""
        return (ModelError if self.kind == "model" else DataError)(message, hint=hint)

    def _snapshot(
        self, revision: str, patterns: Sequence[str] | None, *, quiet: bool = False, local_files_only: bool = False
    ) -> Path:
        from huggingface_hub import snapshot_download
        from tqdm.auto import tqdm

        class Quiet(tqdm):  # type: ignore[misc]
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **{**options, "disable": True})

        if not local_files_only:
            guard_session()
        folder = snapshot_download(
            self.name,
            repo_type=self.kind,
            revision=revision,
            allow_patterns=None if patterns is None else list(patterns),
            local_files_only=local_files_only,
            tqdm_class=Quiet if quiet else None,
        )
        return Path(folder)


def short_reason(error: BaseException) -> str:
    """Return the message of ``error`` on one short line."""
    return one_line(error, 100) or type(error).__name__


def call_with_timeout(seconds: float, call: Callable[[], T]) -> T:
    """Return ``call()``; give up after ``seconds`` even if it hangs, as a name resolver ignores time-outs.

    :raises TimeoutError: there is no result by then.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return results[0]
