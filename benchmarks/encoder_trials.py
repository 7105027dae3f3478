"""A tiny encoder of any architecture tried out: one training step, saved, opened, labelled as before.

What :mod:`encoders` asks of each architecture that transformers maps to token or sequence classification.
"""

from __future__ import annotations

import contextlib
import copy
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import labelkit
from labelkit.encode.alignment import Encoding, align_labels, encode, encode_texts
from labelkit.encode.batches import model_inputs, pad_labels
from labelkit.errors import LabelkitError
from labelkit.inference.engine import Engine, autocast
from labelkit.models.architectures import FP32_ONLY, is_causal, required_inputs
from labelkit.models.checkpoint import CheckpointInfo, write_checkpoint
from labelkit.models.heads import BoundHead
from labelkit.models.loading import load_classifier, load_config, silence_transformers
from labelkit.models.tiny import make_tiny
from labelkit.models.tokenizer import load_tokenizer, max_length_of
from labelkit.records import Kind, Schema
from labelkit.records.heads import IGNORE_INDEX

LABELS = ("O", "NAME", "PLACE")
SENTENCES = (
    "Ada Lovelace lives in New York and reads about the house of 1990 .",
    "It rained .",
    "We don't know whether the unbelievable Mr. Smith of Zürich ever came back to Lima , said Tim 's friend .",
)
#: nothing of this may be lost: a word without subword tokens, special tokens, half a family, no word at all
HOSTILE = "Ada \ufe0f </s> [SEP] 👩‍👩‍👧 \u200b\u200b <pad> Zoë's 12345678901234567890 \x00 !!! " + "x" * 300
#: what takes tokens, yet not those of a text; whoever has such data can use them all the same
NO_TEXT = {"esm": "reads proteins", "esmc": "reads proteins", "qwen3_asr": "reads sound", "tapas": "reads tables"}
#: what fails in a trial, and why it cannot be otherwise
UNFIT = {
    "mra": "without its CUDA kernel, which comes from the Hub, a token sees no other",
    "reformer": "in training each text must have as many subword tokens as there are positions, half a million",
}
#: the longest window that is tried
LONGEST = 160
TOLERANCE = 5e-5


@dataclass(slots=True)
class Outcome:
    """How a trial ended.

    :param why: the first thing that went wrong, in a few words; empty: nothing did.
    :param notes: what is worth knowing of an encoder that works.
    """

    why: str = ""
    notes: set[str] = field(default_factory=set)


class TrialError(LabelkitError):
    """A trial went wrong."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A tiny encoder with a head, and what it reads."""

    kind: Kind
    folder: Path
    model: Any
    encoding: Encoding

    @property
    def schema(self) -> Schema:
        """Return the labels."""
        return schema_of(self.kind)

    def windows(self, sentences: Sequence[str]) -> list[Any]:
        """Return the windows of some sentences."""
        if self.kind == "text":
            return encode_texts(self.encoding, sentences).windows
        return encode(self.encoding, [sentence.split() for sentence in sentences]).windows

    def scores(self, sentences: Sequence[str]) -> Any:
        """Return a score for each label of each word, or of each text."""
        engine = Engine(self.model.eval(), self.encoding, "fp32", 4096, 0, BoundHead.linear(schema_of(self.kind)))
        windows = self.windows(sentences)
        if self.kind == "text":
            return engine.score_texts(windows, len(sentences)).values
        return engine.score(windows, [len(sentence.split()) for sentence in sentences]).values

    def loss(self, sentences: Sequence[str], precision: str) -> torch.Tensor:
        """Return the loss of a batch, each word or text with a label of its own."""
        windows, left = self.windows(sentences), self.encoding.pad_left
        rows = [window.ids for window in windows]
        inputs = model_inputs(rows, self.encoding.special_tokens, self.encoding.pad_id, left=left)
        with autocast(precision, "cpu"):
            logits = self.model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits
        gold = [
            align_labels(window, [n % len(LABELS) for n in range(1000)], label_all_tokens=False) for window in windows
        ]
        target = pad_labels(gold, left=left) if self.kind == "token" else np.arange(len(windows)) % len(LABELS)
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, -2), torch.from_numpy(target).flatten(), ignore_index=IGNORE_INDEX
        )


def schema_of(kind: Kind) -> Schema:
    """Return a schema of plain labels."""
    return Schema(name="trial", kind=kind, labels=LABELS)


@silence_transformers()
def outcome_of(architecture: str, kind: Kind, tokenizer: str, cache: Path) -> Outcome:
    """Try an architecture with one of our tokenizers."""
    outcome = Outcome()
    try:
        trial = opened(architecture, kind, tokenizer, cache)
        for check in CHECKS:
            if note := check(trial):
                outcome.notes.add(note)
    except LabelkitError as error:
        outcome.why = UNFIT.get(architecture, error.message)
    return outcome


def opened(architecture: str, kind: Kind, tokenizer: str, cache: Path) -> Trial:
    """Return a fresh tiny encoder with a head."""
    check_reads_text(architecture, kind)
    folder = make_tiny(f"{architecture}@{tokenizer}", cache)
    loaded = load_tokenizer(folder)
    kept = json.loads(loaded.backend_tokenizer.to_str())["model"]["type"]
    if kept.lower() != tokenizer:
        raise TrialError(f"{type(loaded).__name__} makes a {kept} of it")
    encoding = Encoding.of(loaded, min(LONGEST, max_length_of(loaded, load_config(folder))), 16)
    torch.manual_seed(0)
    return Trial(kind, folder, load_classifier(folder, BoundHead.linear(schema_of(kind))), encoding)


def check_reads_text(architecture: str, kind: Kind) -> None:
    """Refuse models that are made for something else."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto import modeling_auto as auto

    mapping: Any = {
        "token": auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
        "text": auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    }[kind]
    found = mapping[CONFIG_MAPPING[architecture]]
    for each in found if isinstance(found, tuple | list) else (found,):
        if why := NO_TEXT.get(architecture) or required_inputs(each):
            raise TrialError(f"not text: {why}")


def trains(trial: Trial) -> str:
    """Check that a step of training moves the weights, those of the encoder as well."""
    before = {name: value.detach().clone() for name, value in trial.model.named_parameters()}
    trial.model.train()
    optimizer = torch.optim.AdamW(trial.model.parameters(), lr=1e-3)
    loss = attempt("does not train", lambda: stepped(trial, optimizer))
    if not np.isfinite(loss):
        raise TrialError(f"does not train: the loss is {loss}")
    moved = {name for name, value in trial.model.named_parameters() if not torch.equal(value, before[name])}
    body = f"{trial.model.base_model_prefix}."
    if not any(name.startswith(body) for name in moved) or all(name.startswith(body) for name in moved):
        raise TrialError(f"does not train: {len(moved)} of {len(before)} weights move")
    return ""


def stepped(trial: Trial, optimizer: torch.optim.Optimizer) -> float:
    """Do a step of training and return its loss."""
    loss = trial.loss(SENTENCES, "fp32")
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def computes_in_bf16(trial: Trial) -> str:
    """Note whether bf16 does; labelkit must know of those with which it does not."""
    spare = Trial(trial.kind, trial.folder, copy.deepcopy(trial.model), trial.encoding)
    spare.model.train().zero_grad()
    try:
        loss = spare.loss(SENTENCES, "bf16")
        loss.backward()
        why = "" if bool(torch.isfinite(loss)) else "the loss is not finite"
    except Exception as error:
        why = one_line(error)
    if bool(why) != (trial.model.config.model_type in FP32_ONLY):
        raise TrialError(f"bf16: {why or 'does, yet FP32_ONLY says it does not'}")
    return "computes in fp32 only" if why else ""


def does_not_see_padding(trial: Trial) -> str:
    """Note whether a text scores otherwise in company."""
    together = attempt("does not label", lambda: trial.scores(SENTENCES))
    apart = np.concatenate([attempt("does not label", partial(trial.scores, [s])) for s in SENTENCES])
    return "" if np.allclose(together, apart, atol=TOLERANCE) else "scores depend on what else is in the batch"


def reads_full_windows(trial: Trial) -> str:
    """Check that a window may be as long as labelkit thinks."""
    attempt("does not read a full window", lambda: trial.scores([" ".join(SENTENCES * 20)]))
    return ""


def looks_where_it_is_said(trial: Trial) -> str:
    """Check whether the first token knows the last one, and that labelkit knows that."""
    one_sided = not attempt("does not show where it looks", lambda: influence(trial))
    if one_sided != is_causal(trial.model.config.model_type):
        raise TrialError(f"reads {'only to the left' if one_sided else 'both ways'}, which is_causal does not know")
    return "reads only to the left" if one_sided else ""


def influence(trial: Trial) -> float:
    """Return how much what is computed at the first token changes with the last one."""
    (window,) = trial.windows(SENTENCES[2:])
    ids = torch.from_numpy(window.ids[None].astype(np.int64))
    base = trial.model.base_model.eval()
    reader = base.get_encoder() if trial.model.config.is_encoder_decoder else base
    seen: list[Any] = []
    watches = [
        each.register_forward_hook(lambda module, given, found: seen.append(found)) for each in embeddings(reader)
    ]
    states = reader(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
    for watch in watches:
        watch.remove()
    embedded = seen[0] if isinstance(seen[0], torch.Tensor) else seen[0][0]
    (slope,) = torch.autograd.grad(states[0, 0].square().sum(), embedded)
    rows = slope if len(slope) == 1 else slope.transpose(0, 1)  # XLNet has the positions first
    return float(rows[0, ids.shape[1] - 1].abs().max())  # behind it is what Longformer fills a window up with


def embeddings(reader: Any) -> set[torch.nn.Module]:
    """Return what may be the first to make vectors of ids; its own word for it is not always right, or is none."""
    found: set[torch.nn.Module] = {each for each in reader.modules() if isinstance(each, torch.nn.Embedding)}
    with contextlib.suppress(NotImplementedError):
        found.add(reader.get_input_embeddings())
    return found


def labels_as_before(trial: Trial) -> str:
    """Check that the checkpoint labels as the model did, that transformers' pipeline opens it, and nothing is lost."""
    scores = trial.scores(SENTENCES)
    before = [LABELS[index] for index in scores.argmax(-1)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        write_checkpoint(path, trial.model, load_tokenizer(trial.folder), info_of(trial))
        labeller = attempt("its checkpoint does not open", lambda: labelkit.load(str(path)))
        given = SENTENCES if trial.kind == "text" else [sentence.split() for sentence in SENTENCES]
        records = labeller.label_all(given)
        after = [label for record in records for label in (record.labels or (record.label,))]
        if after != before:
            raise TrialError("its checkpoint labels otherwise")
        hostile = attempt("does not label odd text", lambda: labeller.label_all([HOSTILE, SENTENCES[0]])[0])
        if trial.kind == "token" and len(hostile.labels) != len(hostile.words):
            raise TrialError("loses words")
        same = attempt("no pipeline opens it", lambda: piped(trial.kind, path)) == piped_like(labeller, trial.kind)
        if not same:
            raise TrialError("transformers' pipeline labels otherwise")
    return ""


def piped(kind: Kind, path: Path) -> list[tuple[int, str]]:
    """Return what transformers' pipeline says of each sentence, or of each word by where it starts."""
    from transformers import pipeline

    if kind == "text":
        pipe: Any = pipeline("text-classification", model=str(path), device="cpu")
        return [(0, pipe(sentence)[0]["label"]) for sentence in SENTENCES]
    pipe = pipeline("token-classification", model=str(path), device="cpu", ignore_labels=[])
    found = []
    for sentence in SENTENCES:
        first: dict[int, str] = {}
        for entity in pipe(sentence):
            start = entity["start"] + (sentence[entity["start"]] == " ")
            if entity["end"] > start:
                first.setdefault(start, entity["entity"])
        found += [(start, first.get(start, "?")) for start in starts_of(sentence)]
    return found


def piped_like(labeller: Any, kind: Kind) -> list[tuple[int, str]]:
    """Return what labelkit says in the same manner."""
    if kind == "text":
        return [(0, labeller.label(sentence).label) for sentence in SENTENCES]
    return [
        pair
        for sentence in SENTENCES
        for pair in zip(starts_of(sentence), labeller.label(sentence.split()).labels, strict=True)
    ]


def starts_of(sentence: str) -> list[int]:
    """Return where the words of a sentence start."""
    words = sentence.split()
    return [sum(len(word) + 1 for word in words[:index]) for index in range(len(words))]


def info_of(trial: Trial) -> CheckpointInfo:
    """Return what a checkpoint of a trial says of itself."""
    return CheckpointInfo(
        labelkit=labelkit.__version__,
        run="trial",
        task="trial",
        kind=trial.kind,
        layer="trial",
        schema=trial.schema,
        decoder="argmax" if trial.kind == "token" else "argmax-text",
        preprocessors=(),
        splitter="whitespace",
        fallback="O",
        max_length=trial.encoding.max_length,
        overlap=trial.encoding.stride,
        step=1,
        epoch=1.0,
    )


CHECKS: tuple[Callable[[Trial], str], ...] = (
    trains,
    computes_in_bf16,
    does_not_see_padding,
    reads_full_windows,
    looks_where_it_is_said,
    labels_as_before,
)


def attempt(what: str, do: Callable[[], Any]) -> Any:
    """Return what ``do`` gives.

    :raises TrialError: it raised.
    """
    try:
        return do()
    except TrialError:
        raise
    except Exception as error:
        raise TrialError(f"{what}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """Return an error in one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]
