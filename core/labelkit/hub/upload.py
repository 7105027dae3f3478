"""Write to a repository of the Hub: all changes in one commit on the state that was read, or none."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from labelkit.errors import LabelkitError
from labelkit.files.small import read_small
from labelkit.hub.failures import HubError, hub_failure
from labelkit.hub.guard import check_repository, guard_session
from labelkit.hub.repository import DEFAULT_REVISION

Content = Path | bytes
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
_BLOCK = 1 << 20
#: most bytes of a card in a repository, whose text is kept
MAX_TEXT = 1 << 24


@dataclass(frozen=True, slots=True)
class RemoteState:
    """What a branch of a repository holds.

    :param commit: the newest commit; None where there is no repository or no such branch yet.
    :param hashes: path → SHA-256 of a large file, or the id that git gives to a small one.
    :param exists: whether there is the repository.
    :param sizes: path → bytes.
    """

    commit: str | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    exists: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a push does to a file.

    :param size: in bytes; 0 for a file that is deleted.
    """

    path: str
    size: int
    action: Literal["new", "changed", "unchanged", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """The outcome of a push.

    :param commit: the commit that holds the files.
    :param written: whether it was made now; else the repository held all files already.
    :param revision: the branch, or the reference of the pull request.
    :param pull_request: its address.
    """

    commit: str
    written: bool
    revision: str
    pull_request: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A repository to write to.

    :param revision: the branch.
    """

    kind: Literal["model", "dataset"]
    name: str
    revision: str = DEFAULT_REVISION

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or ".." in self.name or "--" in self.name:
            raise HubError(
                f"'{self.name}' is not a valid name of a {self.kind} on the Hub",
                hint="write it as org/name, with letters, digits, '-', '_' and '.'",
            )

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"

    @property
    def address(self) -> str:
        """The address of the repository's page."""
        from huggingface_hub import constants

        return f"{constants.ENDPOINT}/{'datasets/' if self.kind == 'dataset' else ''}{self.name}"

    def read_state(self) -> RemoteState:
        """Return what the branch holds now.

        :raises LabelkitError: the Hub cannot be reached, or refuses.
        """
        from huggingface_hub import HfApi
        from huggingface_hub import errors as hub_errors
        from huggingface_hub.hf_api import RepoFile

        api = HfApi()
        with self._failures():
            try:
                info = api.repo_info(self.name, repo_type=self.kind, revision=self.revision, timeout=30)
            except hub_errors.RevisionNotFoundError:
                return RemoteState(exists=True)
            except hub_errors.GatedRepoError:
                raise
            except hub_errors.RepositoryNotFoundError:
                return RemoteState()
            tree = api.list_repo_tree(self.name, recursive=True, revision=info.sha, repo_type=self.kind)
            files = [one for one in tree if isinstance(one, RepoFile)]
            check_repository(info.sha, [one.path for one in files])
            hashes = {one.path: one.lfs.sha256 if one.lfs else one.blob_id for one in files}
        return RemoteState(info.sha, hashes, exists=True, sizes={one.path: one.size for one in files})

    def read_file(self, path: str, state: RemoteState) -> str | None:
        """Return the text of a file of a state; None where there is none.

        :raises LabelkitError: it is larger than :data:`MAX_TEXT`, or the Hub cannot be reached or refuses.
        """
        from huggingface_hub import hf_hub_download

        if path not in state.hashes:
            return None
        if state.sizes.get(path, 0) > MAX_TEXT:
            raise self._too_large(path)
        with self._failures():
            file = hf_hub_download(self.name, path, repo_type=self.kind, revision=state.commit)
        try:
            content = read_small(Path(file), MAX_TEXT)
        except ValueError:
            raise self._too_large(path) from None
        return content.decode("utf-8", errors="replace")

    def changes(self, files: Mapping[str, Content], state: RemoteState, deleted: Sequence[str] = ()) -> list[Change]:
        """Return what a push of ``files`` onto a state would do, file by file."""
        found = [Change(path=path, size=0, action="deleted") for path in deleted if path in state.hashes]
        for path, content in sorted(files.items()):
            known = state.hashes.get(path)
            action: Literal["new", "changed", "unchanged"] = "new"
            if known is not None:
                action = "unchanged" if known in _hashes(content) else "changed"
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            found.append(Change(path=path, size=size, action=action))
        return found

    def create(self, *, private: bool, state: RemoteState) -> RemoteState:
        """Make the repository and the branch where they are missing, and return what the branch holds then.

        :raises LabelkitError: the Hub cannot be reached, or refuses.
        """
        from huggingface_hub import HfApi

        if state.commit is not None:
            return state
        api = HfApi()
        with self._failures():
            if not state.exists:
                api.create_repo(self.name, repo_type=self.kind, private=private or None, exist_ok=True)
            if self.revision != DEFAULT_REVISION:
                api.create_branch(self.name, branch=self.revision, repo_type=self.kind, exist_ok=True)
        return self.read_state()

    def commit(
        self,
        files: Mapping[str, Content],
        changes: Sequence[Change],
        state: RemoteState,
        *,
        message: str,
        pull_request: bool = False,
    ) -> Pushed:
        """Write all changes in one commit on ``state``; without changes there is none.

        :raises LabelkitError: the Hub cannot be reached or refuses, or the branch has moved since ``state``.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

        operations: list[Any] = [CommitOperationDelete(one.path) for one in changes if one.action == "deleted"]
        for one in changes:
            if one.action in ("new", "changed"):
                content = files[one.path]
                operations.append(CommitOperationAdd(one.path, content))
        if not operations:
            return Pushed(commit=str(state.commit), written=False, revision=self.revision)
        with self._failures(), _quiet():
            done = HfApi().create_commit(
                self.name,
                operations,
                commit_message=message,
                repo_type=self.kind,
                revision=self.revision,
                parent_commit=state.commit,
                create_pr=pull_request,
                num_threads=2,
            )
        revision = str(done.pr_revision) if pull_request else self.revision
        return Pushed(commit=done.oid, written=True, revision=revision, pull_request=done.pr_url)

    def tag(self, tag: str, commit: str) -> None:
        """Put a tag on a commit; one that is there already is left alone.

        :raises LabelkitError: the tag is on another commit, or the Hub refuses.
        """
        from huggingface_hub import HfApi

        api = HfApi()
        with self._failures():
            refs = api.list_repo_refs(self.name, repo_type=self.kind)
            known = {one.name: one.target_commit for one in refs.tags}
            if known.get(tag) == commit:
                return
            if tag in known:
                hint = "choose another --tag; the files are pushed"
                raise HubError(f"{self} has the tag '{tag}' already, on commit {known[tag][:12]}", hint=hint)
            api.create_tag(self.name, tag=tag, revision=commit, repo_type=self.kind)

    def _too_large(self, path: str) -> HubError:
        return HubError(f"{path} of {self} has more than {MAX_TEXT:,} bytes", hint="shorten it there, and push again")

    @contextmanager
    def _failures(self) -> Iterator[None]:
        guard_session()
        try:
            yield
        except LabelkitError:
            raise
        except Exception as error:
            raise hub_failure(error, str(self)) from None


def _hashes(content: Content) -> tuple[str, str]:
    """Return the SHA-256 of a content, and the id that git gives to it."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    large, small = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
        while block := stream.read(_BLOCK):
            large.update(block)
            small.update(block)
    return large.hexdigest(), small.hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep progress bars and warnings of ``huggingface_hub`` from the terminal."""
    import warnings

    from huggingface_hub import utils

    disabled = utils.are_progress_bars_disabled()  # type: ignore[attr-defined]
    utils.disable_progress_bars()  # type: ignore[attr-defined]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if not disabled:
            utils.enable_progress_bars()  # type: ignore[attr-defined]
