"""Push the checkpoint of a run to the Hugging Face Hub: its files, its card and ONNX models, in one commit."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError
from labelkit.hub.account import read_account
from labelkit.hub.repository import DEFAULT_REVISION
from labelkit.hub.upload import Change, Content, Pushed, RemoteState, Upload
from labelkit.inference.onnx.export import PUBLISHED, find_model
from labelkit.models.checkpoint import CheckpointInfo, read_checkpoint
from labelkit.models.checkpoint_files import CHECKPOINT_INFO, HEAD_WEIGHTS, TRAIN_MENTIONS
from labelkit.publish.model_card import ModelCard
from labelkit.publish.private_text import check_publishable
from labelkit.registry import Home, Publication, Registry, RunDetails

if TYPE_CHECKING:
    from labelkit.plugins.catalog import Catalog

CARD = "README.md"
#: files that a push deletes where the checkpoint no longer has them, in a repository that labelkit wrote
CHECKPOINT_FILES = (
    "config.json", CHECKPOINT_INFO, HEAD_WEIGHTS, TRAIN_MENTIONS, "model*.safetensors", "model.safetensors.index.json",
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model",
    "chat_template.jinja", "onnx/*",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class PushOptions:
    """Where and how to push.

    :param repository: ``org/name``.
    :param revision: the branch; made if it is missing.
    :param tag: the tag to put on the commit.
    :param pull_request: open a pull request in place of a commit on the branch.
    :param onnx: push the accepted ONNX models, too.
    :param licence: of the model, for the card.
    :param language: of its texts, for the card.
    :param force: replace a card that was edited outside of its markers.
    """

    repository: str
    private: bool = False
    revision: str = DEFAULT_REVISION
    tag: str | None = None
    pull_request: bool = False
    onnx: bool = False
    licence: str | None = None
    language: Sequence[str] = ()
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PushResult:
    """The outcome of a push, or of a dry run of one.

    :param run: the id of the run that was pushed; ``data``: the reference to the data that was.
    :param commit: the commit that holds the files; None in a dry run.
    :param written: whether the commit is new.
    :param unchecked: why a dry run does not know what the repository holds.
    """

    repository: str
    address: str
    revision: str
    changes: Sequence[Change]
    run: str | None = None
    data: str | None = None
    commit: str | None = None
    written: bool = False
    tag: str | None = None
    pull_request: str | None = None
    unchecked: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON."""
        files = [{"path": one.path, "size": one.size, "action": one.action} for one in self.changes]
        names = (
            "run",
            "data",
            "repository",
            "address",
            "revision",
            "commit",
            "written",
            "tag",
            "pull_request",
            "unchecked",
        )
        return {**{name: getattr(self, name) for name in names}, "files": files}


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """What a run has to push: its checkpoint's files, and what its card is made of."""

    files: Mapping[str, Content]
    card: ModelCard


def find_run(reference: str, home: Home) -> RunDetails:
    """Return the record of a finished run.

    :raises RegistryError: there is none.
    """
    with Registry.open(home, create=False) as registry:
        return registry.runs.get(registry.runs.find(reference, finished=True).id)


def push_run(
    details: RunDetails, options: PushOptions, home: Home, catalog: Catalog, say: Callable[[str], object]
) -> PushResult:
    """Push the best checkpoint of a run, and record where.

    Who may write is asked before anything else, and files are searched for tokens before anything is sent. The branch
    changes by one commit or not at all; large files that were sent before an interruption are not sent again.

    :raises LabelkitError: the token may not write, the checkpoint is damaged or holds what must not be published, or
        the Hub cannot be reached or refuses.
    """
    upload = Upload("model", options.repository, options.revision)
    read_account().check_may_write(options.repository)
    prepared = _prepare(details, options, home, catalog)
    check_publishable(prepared.files)
    state = upload.read_state()
    card = _card_of(prepared, upload, state, options)
    check_publishable({CARD: card})
    state = upload.create(private=options.private, state=state)
    files = {**prepared.files, CARD: card}
    changes = upload.changes(files, state, _stale(files, state, options))
    message = f"{details.record.name or details.record.id}: checkpoint of labelkit"
    done = upload.commit(files, changes, state, message=message, pull_request=options.pull_request)
    if options.tag:
        upload.tag(options.tag, done.commit)
    _record(details, prepared.card.info, options, done, home, say)
    return PushResult(
        run=details.record.id,
        repository=options.repository,
        address=upload.address,
        revision=done.revision,
        changes=changes,
        commit=done.commit,
        written=done.written,
        tag=options.tag,
        pull_request=done.pull_request,
    )


def plan_push(details: RunDetails, options: PushOptions, home: Home, catalog: Catalog) -> PushResult:
    """Return what a push would do. It writes nothing; without the Hub all files count as new.

    :raises LabelkitError: the checkpoint is damaged, or holds what must not be published.
    """
    upload = Upload("model", options.repository, options.revision)
    prepared = _prepare(details, options, home, catalog)
    state, unchecked = RemoteState(), None
    try:
        read_account().check_may_write(options.repository)
        state = upload.read_state()
        card = _card_of(prepared, upload, state, options)
    except LabelkitError as error:
        unchecked = error.message
        card = prepared.card.text().encode()
    files = {**prepared.files, CARD: card}
    check_publishable(files)
    return PushResult(
        run=details.record.id,
        repository=options.repository,
        address=upload.address,
        revision=options.revision,
        changes=upload.changes(files, state, _stale(files, state, options)),
        tag=options.tag,
        unchecked=unchecked,
    )


def card_of_run(
    details: RunDetails,
    catalog: Catalog,
    *,
    repository: str | None = None,
    licence: str | None = None,
    language: Sequence[str] = (),
    onnx: Sequence[str] = (),
) -> ModelCard:
    """Return the card of a run.

    :param repository: where it is published; None: where it was pushed last, if it was.
    """
    best = details.best
    info = None
    if best is not None and best.folder is not None and best.folder.is_dir():
        info = read_checkpoint(best.folder)
    if repository is None and details.publications:
        repository = details.publications[-1].repository
    return ModelCard(
        details=details,
        info=info,
        repository=repository,
        licence=licence,
        language=tuple(language),
        data_licences={name: source.licence for name, source in catalog.sources.items() if source.licence},
        onnx=tuple(onnx),
    )


def _prepare(details: RunDetails, options: PushOptions, home: Home, catalog: Catalog) -> _Prepared:
    best = details.best
    if best is None or best.folder is None:
        where = f" here: it is {best.place}" if best else ""
        raise LabelkitError(f"the run '{details.record.id}' has no checkpoint{where}", hint="see: labelkit runs list")
    read_checkpoint(best.folder, best.files)
    files: dict[str, Content] = {name: best.folder / name for name in best.files}
    onnx = _onnx_models(best.folder, home.cache, details) if options.onnx else {}
    card = card_of_run(
        details,
        catalog,
        repository=options.repository,
        licence=options.licence,
        language=options.language,
        onnx=tuple(name for name in onnx if name.endswith(".onnx")),
    )
    return _Prepared(files={**files, **onnx}, card=card)


def _onnx_models(folder: Path, cache: Path, details: RunDetails) -> dict[str, Path]:
    """Return the accepted ONNX models of a checkpoint by their paths in the repository.

    :raises LabelkitError: there is none.
    """
    found: dict[str, Path] = {}
    for precision, name in PUBLISHED.items():
        model = find_model(folder, precision, cache)
        if model is None or not (model.check or {}).get("accepted"):
            continue
        for file in sorted(model.folder.iterdir()):
            if file.suffix != ".json":
                found[name if file == model.path else f"onnx/{file.name}"] = file
    if not found:
        run = details.record.name or details.record.id
        raise LabelkitError(
            f"the run '{run}' has no accepted ONNX model", hint=f"make one first: labelkit export {run} --to onnx"
        )
    return found


def _card_of(prepared: _Prepared, upload: Upload, state: RemoteState, options: PushOptions) -> bytes:
    """Return the card, with the own text of the one in the repository."""
    return prepared.card.text(upload.read_file(CARD, state), force=options.force).encode()


def _stale(files: Mapping[str, Content], state: RemoteState, options: PushOptions) -> list[str]:
    """Return the files of an earlier checkpoint in the repository that the new one does not have.

    ONNX models stay if they are of these very weights.
    """
    if CHECKPOINT_INFO not in state.hashes:
        return []  # nothing there is known to be of a checkpoint
    changes = Upload("model", options.repository).changes(files, state)
    same_weights = not any(one.action != "unchanged" and one.path.endswith(".safetensors") for one in changes)
    return [
        path
        for path in state.hashes
        if path not in files
        and any(fnmatch.fnmatchcase(path, pattern) for pattern in CHECKPOINT_FILES)
        and not (same_weights and path.startswith("onnx/"))
    ]


def _record(
    details: RunDetails,
    info: CheckpointInfo | None,
    options: PushOptions,
    done: Pushed,
    home: Home,
    say: Callable[[str], object],
) -> None:
    """Record a push with its run; one that cannot be recorded is only said, since it is done."""
    from huggingface_hub import constants

    known = [
        one for one in details.publications if (one.repository, one.commit_id) == (options.repository, done.commit)
    ]
    if known and not done.written and (options.tag is None or options.tag in {one.tag for one in known}):
        return
    publication = Publication(
        run=details.record.id,
        step=info.step if info else None,
        endpoint=constants.ENDPOINT,
        repository=options.repository,
        revision=done.revision,
        commit_id=done.commit,
        tag=options.tag,
        pull_request=done.pull_request,
    )
    try:
        with Registry.open(home, create=False) as registry:
            registry.recorder.log_publication(publication)
    except LabelkitError as error:
        say(f"note: not recorded: {error.message}")
