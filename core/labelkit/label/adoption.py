"""Put a model that labelkit did not train, or that another registry holds, into the registry as an adopted run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.config.environment import Environment
from labelkit.errors import LabelkitError, explanation
from labelkit.files.atomic import new_folder
from labelkit.files.json_text import to_json
from labelkit.inference.onnx.export import onnx_installed
from labelkit.inference.onnx.kept import keep_model
from labelkit.label.labeller import Labeller
from labelkit.models.adoption import AdoptionOptions
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.models.checkpoint_files import (
    CHECKPOINT_INFO,
    INDEX,
    TRAIN_MENTIONS,
    sha256_of,
    weights_of,
)
from labelkit.models.references import HUB_PREFIX
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.suppliers import find_part
from labelkit.records import Metric, TextPair
from labelkit.registry import AssumptionRecord, Home, Registry, RunRecord, new_run_id
from labelkit.registry.checkpoint_folders import Reference, ResolvedCheckpoint, reference_text, resolve_checkpoint
from labelkit.registry.home import CHECKPOINTS
from labelkit.registry.names import check_name

if TYPE_CHECKING:
    from collections.abc import Mapping

#: files beside the weights that a classifier and its tokenizer are loaded from
PATTERNS = (
    "config.json", INDEX, TRAIN_MENTIONS, "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "*.model", "bpe.codes", "chat_template.jinja",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedRun:
    """A run of status ``adopted``.

    :param model: the reference that was adopted; that of a Hub repository names the commit.
    """

    run: str
    name: str | None
    model: str
    checkpoint: Path
    info: CheckpointInfo


def adopt(
    reference: Reference,
    home: Home,
    catalog: Catalog,
    *,
    name: str | None = None,
    options: AdoptionOptions | None = None,
    warn: Callable[[str], object] = lambda line: None,
) -> AdoptedRun:
    """Copy a model into the home, with a ``labelkit.json``, and record it as a run of status ``adopted``.

    :param reference: a folder written with a separator, or ``hub:org/name[@REVISION]``.
    :param name: of the run; it must be unused.
    :param options: what the user says of the model.
    :param warn: called with warnings, for example that it cannot be uploaded to the shared store.
    :raises LabelkitError: it is no model that can label, or the name is in use; nothing is left behind.
    """
    if name is not None:
        check_name(name, "a run")
    offline = Environment.read().offline
    found = resolve_checkpoint(reference, home, catalog.tasks, offline=offline, options=options)
    if found.recorded:
        raise LabelkitError(
            f"{reference_text(reference)} is a run of this registry already", hint="labelkit runs alias names it"
        )
    run = new_run_id(found.info.task)
    with Registry.open(home, create=True) as registry:
        checkpoint = home.runs / run / CHECKPOINTS / "step-000000"
        info = replace(found.info, run=run, adopted=_origin(found), labelkit=found.info.labelkit or _version())
        record = _record(found, info, catalog, name)
        try:
            files = _copy(found, info, checkpoint, home, catalog, warn)
            registry.recorder.adopt(record, checkpoint, files=files)
        except BaseException:
            shutil.rmtree(checkpoint.parent.parent, ignore_errors=True)
            raise
        registry.storage.share(run, warn)
    return AdoptedRun(run=run, name=name, model=found.reference, checkpoint=checkpoint, info=info)


def _version() -> str:
    import labelkit

    return labelkit.__version__


def _origin(found: ResolvedCheckpoint) -> str:
    """Return what the checkpoint says of its origin: no path of this machine, as it may be published."""
    return found.reference if found.reference.startswith(HUB_PREFIX) else f"./{found.folder.resolve().name}"


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files that a checkpoint consists of; what else lies beside them stays there."""
    yield from weights_of(folder)
    for pattern in PATTERNS:
        yield from (file for file in folder.glob(pattern) if file.is_file())


def _copy(
    found: ResolvedCheckpoint,
    info: CheckpointInfo,
    checkpoint: Path,
    home: Home,
    catalog: Catalog,
    warn: Callable[[str], object],
) -> Mapping[str, tuple[int, str]]:
    """Copy the files of a checkpoint, try whether it labels, and return size and SHA-256 of each by name."""
    with new_folder(checkpoint) as beside:
        for file in _files(found.folder):
            shutil.copyfile(file, beside / file.name)
        (beside / CHECKPOINT_INFO).write_text(to_json(info.to_json()) + "\n", encoding="utf-8")
        labeller = Labeller.open(beside, home, catalog, engine="torch", device="cpu")
        trial = TextPair("a text", "another one") if info.pairs else "a text"
        labeller.label(["a", "word"] if info.kind == "token" else trial)
        files = {file.name: (file.stat().st_size, sha256_of(file)) for file in sorted(beside.iterdir())}
        _keep_onnx_model(labeller, beside, warn)
        return files


def _keep_onnx_model(labeller: Labeller, checkpoint: Path, warn: Callable[[str], object]) -> None:
    """Write the ONNX model beside the checkpoint, as training does, where ``labelkit[fast]`` is installed.

    The model is adopted all the same where this fails: torch labels then.
    """
    if not onnx_installed():
        return
    try:
        keep_model(labeller.engine, checkpoint, labeller.info)
    except Exception as error:
        why = error.message if isinstance(error, LabelkitError) else explanation(error)
        warn(f"no ONNX model is kept with the checkpoint: {why}")


def _record(found: ResolvedCheckpoint, info: CheckpointInfo, catalog: Catalog, name: str | None) -> RunRecord:
    hub = found.reference.startswith(HUB_PREFIX)
    metric = _metric(info, catalog)
    return RunRecord(
        id=info.run,
        name=name,
        task=info.task,
        kind=info.kind,
        data="",
        model=found.reference if hub else str(found.folder.resolve()),
        model_revision=found.revision if hub else "local",
        model_sha256=sha256_of(*weights_of(found.folder)),
        metric=metric.name,
        metric_key=metric.key,
        higher_is_better=metric.higher_is_better,
        labelkit=_version(),
        seed=0,
        synthetic=info.synthetic,
        schema=asdict(info.schema),
        suppliers=info.suppliers,
        assumptions=tuple(
            AssumptionRecord(number=number, text=text) for number, text in enumerate(info.assumptions, start=1)
        ),
    )


def _metric(info: CheckpointInfo, catalog: Catalog) -> Metric:
    """Return the metric that ranks runs of the checkpoint's task."""
    head = catalog.heads.get(info.head)
    names = (head.metrics if head else ()) or find_part(catalog, "task", info.task, info.suppliers).metrics
    found: Metric = find_part(catalog, "metric", names[0], info.suppliers)
    return found
