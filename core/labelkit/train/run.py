"""One run from a prepared plan to a tested, recorded checkpoint."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import labelkit
from labelkit import hardware
from labelkit.catalog import Catalog
from labelkit.checkpoint import CheckpointInfo, write_checkpoint
from labelkit.data.corpus import Corpus
from labelkit.encode import model
from labelkit.encode.align import Encoding
from labelkit.encode.store import Target, WindowStore, cached_windows
from labelkit.encode.tokenizer import load_tokenizer, max_length_of
from labelkit.errors import LabelkitError
from labelkit.evaluate.split import Scoring, score_split
from labelkit.events import RunEnded, RunStarted, Scored, Stage, Status, StepDone, TrainingStarted
from labelkit.label.engine import Engine
from labelkit.plan import Plan
from labelkit.registry import Home, Registry, RegistryObserver, new_run_id
from labelkit.train.arguments import training_arguments
from labelkit.train.emit import Emitter, Listener
from labelkit.train.prepare import Prepared
from labelkit.train.record import run_record
from labelkit.train.selection import Kept, Selection
from labelkit.train.trainer import WordLevelTrainer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: how raw text is split into words for a labeller that was trained on words
SPLITTER = "words"
Metrics = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a finished run gives.

    :param metrics: split → task → figures, ``per_type`` inside; of the chosen checkpoint.
    :param checkpoint: the folder of the chosen checkpoint.
    """

    run: str
    task: str
    status: Status
    metrics: Mapping[str, Mapping[str, Metrics]]
    checkpoint: Path
    seconds: float
    name: str | None = None
    synthetic: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {**asdict(self), "checkpoint": str(self.checkpoint)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A run whose plan is resolved and whose data is encoded."""

    id: str
    plan: Plan
    corpus: Corpus
    encoding: Encoding
    windows: Mapping[str, WindowStore]
    fallback: str
    device: hardware.Hardware


@model.quiet()
def train(
    prepared: Prepared,
    catalog: Catalog,
    home: Home,
    *,
    listeners: Sequence[Listener] = (),
    warn: Callable[[str], object] = lambda line: None,
) -> RunResult:
    """Train, select on validation, score test once, and record everything.

    :param listeners: hear the events of the run.
    :param warn: told of what is odd without stopping the run.
    :raises LabelkitError: what stopped it; the run is recorded as failed, or as interrupted after Ctrl-C.
    """
    started = time.monotonic()
    emit = Emitter(listeners, catalog.observers(), warn)
    plan, device = resolve_automatic(prepared)
    run = new_run_id(plan.task.name)
    with Registry.open(home, create=True) as registry:
        registry.start_run(run_record(run, plan, device, prepared, catalog))
        emit.add_first(RegistryObserver(registry))
        with _ended(run, emit, started), _measured(registry, run, device):
            emit(RunStarted(run=run, task=plan.task.name, plan=plan.as_dict()))
            ready = _encode(run, plan, device, prepared, home, emit)
            kept, metrics = _fit(ready, prepared, home, emit)
    return RunResult(
        run=run,
        task=plan.task.name,
        status="finished",
        metrics={split: {plan.task.name: figures} for split, figures in metrics.items()},
        checkpoint=kept.path,
        seconds=time.monotonic() - started,
        name=plan.name,
        synthetic=prepared.corpus.synthetic,
    )


@contextlib.contextmanager
def _ended(run: str, emit: Emitter, started: float) -> Iterator[None]:
    """Say how the run ended, whichever way that is."""

    def end(status: Status, error: str | None = None, hint: str | None = None) -> None:
        emit(RunEnded(run=run, status=status, seconds=time.monotonic() - started, error=error, hint=hint))

    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(LabelkitError):
            end("interrupted", "interrupted")
        raise
    except BaseException as error:
        hint = error.hint if isinstance(error, LabelkitError) else None
        message = error.message if isinstance(error, LabelkitError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(LabelkitError):  # the registry may be what failed; the first error tells more
            end("failed", message, hint)
        raise
    end("finished")


@contextlib.contextmanager
def _measured(registry: Registry, run: str, device: hardware.Hardware) -> Iterator[None]:
    """Record the peak memory, however the run ends."""
    try:
        yield
    finally:
        with contextlib.suppress(LabelkitError):
            registry.update_run(run, peak_memory=hardware.peak_memory(device.type))


# -- before training ------------------------------------------------------------------------------------------------


@model.quiet()
def resolve_automatic(prepared: Prepared) -> tuple[Plan, hardware.Hardware]:
    """Return the plan with its automatic choices frozen, and the device that decided some of them.

    :raises LabelkitError: the tokenizer or the configuration cannot be used, a window is longer than the encoder or
        holds no word, or the training settings do not go together.
    """
    device = hardware.detect()
    config = model.load_config(prepared.encoder.folder)
    tokenizer = load_tokenizer(prepared.encoder.folder)
    limit = max_length_of(tokenizer, config)
    wanted = prepared.plan["data.max_length"]
    if wanted != "auto" and wanted > limit:
        raise LabelkitError(f"data.max_length {wanted} is more than the {limit} sub-tokens that the encoder reads")
    choices = {
        "data.max_length": (limit, f"the encoder reads {limit} sub-tokens"),
        "train.learning_rate": hardware.learning_rate_for(config.hidden_size),
        "train.precision": hardware.precision_for("auto", device),
    }
    plan = prepared.plan.resolved(choices)
    Encoding.of(tokenizer, plan["data.max_length"], plan["data.overlap"])
    training_arguments(plan, Path("unused"), device.type)
    return plan, device


def _encode(run: str, plan: Plan, device: hardware.Hardware, prepared: Prepared, home: Home, emit: Emitter) -> _Ready:
    corpus = prepared.corpus
    encoding = Encoding.of(load_tokenizer(prepared.encoder.folder), plan["data.max_length"], plan["data.overlap"])
    target = Target(corpus.layer, corpus.schema, plan["data.label_all_tokens"])
    used = [f"{item.name} {item.version}" for item in plan.preprocessors]
    windows = {}
    for name, split in corpus.splits.items():
        emit(Stage(run=run, name="encoding", detail=f"{name}: {len(split.examples):,} examples"))
        windows[name] = cached_windows(
            split.examples, split.content_hash, encoding, target, home.cache, preprocessing=used
        )
    if not windows["train"]:
        raise LabelkitError(
            "nothing of train becomes a sub-token of this encoder, so there is nothing to learn",
            hint="choose another --model",
        )
    return _Ready(
        id=run,
        plan=plan,
        corpus=corpus,
        encoding=encoding,
        windows=windows,
        fallback=_fallback(corpus),
        device=device,
    )


def _fallback(corpus: Corpus) -> str:
    """Return the label of words that no encoder sees: O, or for plain labels the commonest of train."""
    if corpus.schema.scheme:
        return "O"
    labels = (example.labels[corpus.layer] for example in corpus.splits["train"].examples)
    counts = Counter(label for row in labels for label in ([row] if isinstance(row, str) else row))
    return min(counts, key=lambda label: (-counts[label], label))


# -- training, selection, test --------------------------------------------------------------------------------------


def _fit(ready: _Ready, prepared: Prepared, home: Home, emit: Emitter) -> tuple[Kept, dict[str, Metrics]]:
    from transformers import set_seed

    plan = ready.plan
    set_seed(plan["train.seed"])
    network = model.load_classifier(prepared.encoder.folder, ready.corpus.schema)
    metric = plan.metrics[0]
    folder = home.runs / ready.id / "checkpoints"
    selection = Selection(ready.id, folder, higher=metric.higher_is_better, emit=emit)
    best: dict[str, Metrics] = {}

    def after_epoch(step: int, epoch: float, loss: float | None) -> Metrics:
        figures = _score(ready, network, "validation")
        is_best = selection.would_be_best(figures[metric.key])
        if is_best:
            best["validation"] = figures
        emit(_scored(ready, "validation", step, epoch, figures, loss, is_best))
        selection.keep(step, epoch, figures[metric.key], lambda path: _save(ready, network, path, step, epoch, figures))
        return figures

    _train(ready, network, emit, after_epoch)
    kept = selection.best
    if kept is None:
        raise LabelkitError("training ended before anything could be evaluated", hint="raise --epochs or --max-steps")
    if "test" in ready.windows:
        emit(Stage(run=ready.id, name="testing", detail=f"{len(ready.corpus.splits['test'].examples):,} examples"))
        chosen: Any = model.load_classifier(kept.path, ready.corpus.schema, trained=True)
        best["test"] = _score(ready, chosen.to(network.device), "test")
        emit(_scored(ready, "test", kept.step, kept.epoch, best["test"], None, is_best=True))
    return kept, best


def _train(
    ready: _Ready,
    network: PreTrainedModel,
    emit: Emitter,
    after_epoch: Callable[[int, float, float | None], Metrics],
) -> None:
    with tempfile.TemporaryDirectory(prefix="labelkit-") as scratch:
        arguments = training_arguments(ready.plan, Path(scratch), ready.device.type)
        trainer = WordLevelTrainer(
            model=network,
            args=arguments,
            train=ready.windows["train"],
            encoding=ready.encoding,
            kind=ready.plan.task.kind,
            after_epoch=after_epoch,
            on_step=lambda step, epoch: emit(StepDone(run=ready.id, step=step, epoch=epoch)),
        )
        steps = _steps(trainer)
        emit(TrainingStarted(run=ready.id, steps=steps, epochs=float(arguments.num_train_epochs)))
        trainer.train()


def _steps(trainer: WordLevelTrainer) -> int:
    arguments = trainer.args
    if arguments.max_steps > 0:
        return int(arguments.max_steps)
    batches = len(trainer.get_train_dataloader())
    each = max(1, -(-batches // arguments.gradient_accumulation_steps))
    return int(-(-each * arguments.num_train_epochs // 1))


def _score(ready: _Ready, network: PreTrainedModel, split: str) -> Metrics:
    plan = ready.plan
    names = ready.corpus.schema.label_names
    engine = Engine(
        network,
        ready.encoding,
        plan["train.eval_precision"],
        plan["train.eval_tokens"],
        names.index(ready.fallback),
    )
    examples = ready.corpus.splits[split].examples
    scoring = Scoring(ready.corpus.layer, ready.corpus.schema, plan.decoder, plan.metrics)
    return score_split(engine, ready.windows[split], examples, scoring)


def _scored(
    ready: _Ready, split: str, step: int, epoch: float, figures: Metrics, loss: float | None, is_best: bool
) -> Scored:
    return Scored(
        run=ready.id,
        split=split,
        task=ready.plan.task.name,
        step=step,
        epoch=epoch,
        metrics=figures,
        train_loss=loss,
        best=is_best,
    )


def _save(
    ready: _Ready, network: PreTrainedModel, path: Path, step: int, epoch: float, figures: Metrics
) -> dict[str, tuple[int, str]]:
    plan = ready.plan
    info = CheckpointInfo(
        labelkit=labelkit.__version__,
        run=ready.id,
        task=plan.task.name,
        kind=plan.task.kind,
        layer=plan.task.layer,
        schema=ready.corpus.schema,
        decoder=plan.decoder.name,
        preprocessors=tuple((item.name, item.version) for item in plan.preprocessors),
        splitter=SPLITTER,
        fallback=ready.fallback,
        max_length=ready.encoding.max_length,
        overlap=ready.encoding.overlap,
        step=step,
        epoch=epoch,
        synthetic=ready.corpus.synthetic,
        metrics={"validation": figures},
    )
    return write_checkpoint(path, network, ready.encoding.tokenizer, info)
