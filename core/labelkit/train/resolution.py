"""From a prepared plan to one that is resolved, with its data encoded: all that a fit needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labelkit import hardware
from labelkit.config.plan import Plan
from labelkit.data.corpus import Corpus
from labelkit.encode.alignment import Encoding
from labelkit.encode.cache import LabelTarget, WindowStore, cached_windows
from labelkit.errors import LabelkitError
from labelkit.events import Event, Stage
from labelkit.models import architectures
from labelkit.models import loading as model
from labelkit.models.tokenizer import load_tokenizer, max_length_of
from labelkit.registry import Home
from labelkit.train.arguments import training_arguments
from labelkit.train.preparation import PreparedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRun:
    """A run whose plan is resolved and whose data is encoded.

    :param encoder: the folder of the encoder to start from.
    :param folder: where the run's checkpoints and states go.
    :param fallback: the label of words that no encoder sees.
    """

    id: str
    plan: Plan
    corpus: Corpus
    encoder: Path
    folder: Path
    encoding: Encoding
    windows: Mapping[str, WindowStore]
    fallback: str
    device: hardware.Hardware


@model.silence_transformers()
def resolve_plan(prepared: PreparedRun) -> tuple[Plan, hardware.Hardware]:
    """Return the plan with its automatic choices frozen, and the device that decided some of them.

    :raises LabelkitError: the tokenizer or the configuration cannot be used, a window is longer than the encoder or
        holds no word, or the training settings do not go together.
    """
    device = hardware.detect()
    config = model.load_config(prepared.encoder.folder)
    tokenizer = load_tokenizer(prepared.encoder.folder, mark_case=prepared.plan["data.mark_case"])
    limit = max_length_of(tokenizer, config)
    wanted = prepared.plan["data.max_length"]
    if wanted != "auto" and wanted > limit:
        raise LabelkitError(f"data.max_length {wanted} is more than the {limit} sub-tokens that the encoder reads")
    choices = {
        "data.max_length": architectures.default_max_length(limit),
        "train.learning_rate": hardware.learning_rate_for(architectures.hidden_size_of(config)),
        "train.precision": architectures.precision_for(config, hardware.precision_for("auto", device)),
        "train.attention": hardware.attention_for(prepared.plan.task.kind, device),
    }
    plan = prepared.plan.resolved(choices)
    architectures.check_precision(config, plan["train.precision"], plan["train.eval_precision"])
    Encoding.of(tokenizer, plan["data.max_length"], plan["data.overlap"])
    training_arguments(plan, Path("unused"), device.type)
    return plan, device


def encode_splits(
    run: str,
    plan: Plan,
    device: hardware.Hardware,
    prepared: PreparedRun,
    home: Home,
    emit: Callable[[Event], object],
) -> ResolvedRun:
    """Cut the data into windows, or find them in the cache.

    :raises LabelkitError: nothing of train becomes a sub-token.
    """
    corpus = prepared.corpus
    tokenizer = load_tokenizer(prepared.encoder.folder, mark_case=plan["data.mark_case"])
    encoding = Encoding.of(tokenizer, plan["data.max_length"], plan["data.overlap"])
    target = LabelTarget(corpus.layer, corpus.schema, plan["data.label_all_tokens"])
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
    return ResolvedRun(
        id=run,
        plan=plan,
        corpus=corpus,
        encoder=prepared.encoder.folder,
        folder=home.runs / run,
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
