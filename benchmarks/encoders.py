"""Try every architecture that transformers maps to token or sequence classification; docs/encoders.md has the table.

    python benchmarks/encoders.py [ARCHITECTURE ...]    # show
    python benchmarks/encoders.py --write               # and write the table, which a slow test compares

Each is a tiny random encoder with a tiny tokenizer: one training step, saved, loaded, labelled as before.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import labelkit
from labelkit.checkpoint import CheckpointInfo, write_checkpoint
from labelkit.encode.align import IGNORED, Encoding, encode, encode_texts, labels_of
from labelkit.encode.architectures import FP32_ONLY, is_one_sided, kinds_of, no_text, own_tokenizer
from labelkit.encode.batches import model_inputs, pad_labels
from labelkit.encode.model import load_classifier, load_config, quiet
from labelkit.encode.tiny import make_tiny, tokenizer_of
from labelkit.encode.tokenizer import load_tokenizer, max_length_of
from labelkit.errors import LabelkitError
from labelkit.label.engine import Engine, autocast
from labelkit.records import Kind, Schema

PAGE = Path(__file__).parents[1] / "docs" / "encoders.md"
BEGIN, END = "<!-- table: python benchmarks/encoders.py --write -->\n", "<!-- end of table -->\n"
LABELS = ("O", "NAME", "PLACE")
SENTENCES = (
    "Ada Lovelace lives in New York and reads about the house of 1990 .",
    "It rained .",
    "We don't know whether the unbelievable Mr. Smith of Zürich ever came back to Lima , said Tim 's friend .",
)
#: nothing of this may be lost: a word without sub-tokens, special tokens, half a family, no word at all
HOSTILE = "Ada \ufe0f </s> [SEP] 👩‍👩‍👧 \u200b\u200b <pad> Zoë's 12345678901234567890 \x00 !!! " + "x" * 300
#: what takes tokens, yet not those of a text; whoever has such data can use them all the same
NO_TEXT = {"esm": "reads proteins", "esmc": "reads proteins", "qwen3_asr": "reads sound", "tapas": "reads tables"}
#: what works in part only, and why that is not enough
UNFIT = {"mra": "without its CUDA kernel, which comes from the Hub, a token sees no other"}
#: transformers names its tokenizer only where sentencepiece is installed
SLOW = frozenset({"gpt-sw3"})
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
        engine = Engine(self.model.eval(), self.encoding, "fp32", 4096, 0)
        windows = self.windows(sentences)
        if self.kind == "text":
            return engine.score_texts(windows, len(sentences)).values
        return engine.score(windows, [len(sentence.split()) for sentence in sentences]).values

    def loss(self, sentences: Sequence[str], precision: str) -> torch.Tensor:
        """Return the loss of a batch, each word or text with a label of its own."""
        windows, tokenizer = self.windows(sentences), self.encoding.tokenizer
        left = tokenizer.padding_side == "left"
        rows = [window.ids for window in windows]
        inputs = model_inputs(rows, self.encoding.frame, tokenizer.pad_token_id or 0, left=left)
        with autocast(precision, "cpu"):
            logits = self.model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits
        gold = [labels_of(window, [n % len(LABELS) for n in range(1000)], every=False) for window in windows]
        target = pad_labels(gold, left=left) if self.kind == "token" else np.arange(len(windows)) % len(LABELS)
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, -2), torch.from_numpy(target).flatten(), ignore_index=IGNORED
        )


def schema_of(kind: Kind) -> Schema:
    """Return a schema of plain labels."""
    return Schema(name="trial", kind=kind, labels=LABELS)


@quiet()
def outcome_of(architecture: str, kind: Kind, cache: Path) -> Outcome:
    """Try an architecture."""
    outcome = Outcome()
    try:
        trial = opened(architecture, kind, cache)
        for check in CHECKS:
            if note := check(trial):
                outcome.notes.add(note)
    except LabelkitError as error:
        outcome.why = error.message
    return outcome


def opened(architecture: str, kind: Kind, cache: Path) -> Trial:
    """Return a fresh tiny encoder with a head."""
    check_reads_text(architecture, kind)
    folder = make_tiny(architecture, cache)
    tokenizer = load_tokenizer(folder)
    encoding = Encoding.of(tokenizer, min(LONGEST, max_length_of(tokenizer, load_config(folder))), 16)
    torch.manual_seed(0)
    return Trial(kind, folder, load_classifier(folder, schema_of(kind)), encoding)


def check_reads_text(architecture: str, kind: Kind) -> None:
    """Refuse models that are made for something else."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto import modeling_auto as auto

    if architecture in UNFIT:
        raise TrialError(UNFIT[architecture])
    mapping: Any = {
        "token": auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
        "text": auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    }[kind]
    found = mapping[CONFIG_MAPPING[architecture]]
    for each in found if isinstance(found, tuple | list) else (found,):
        if why := NO_TEXT.get(architecture) or no_text(each):
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
    if one_sided != is_one_sided(trial.model.config.model_type):
        raise TrialError(f"reads {'only to the left' if one_sided else 'both ways'}, which is_one_sided does not know")
    return "reads only to the left" if one_sided else ""


def influence(trial: Trial) -> float:
    """Return how much what is computed at the first token changes with the last one."""
    (window,) = trial.windows(SENTENCES[2:])
    ids = torch.from_numpy(window.ids[None].astype(np.int64))
    base = trial.model.base_model.eval()
    reader = base.get_encoder() if trial.model.config.is_encoder_decoder else base
    seen: list[torch.Tensor] = []
    embeddings = [each for each in reader.modules() if isinstance(each, torch.nn.Embedding)]
    watches = [each.register_forward_hook(lambda module, given, found: seen.append(found)) for each in embeddings]
    states = reader(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
    for watch in watches:
        watch.remove()
    (slope,) = torch.autograd.grad(states[0, 0].square().sum(), seen[:1])
    return float(slope[0, -1].abs().max())


def labels_as_before(trial: Trial) -> str:
    """Check that the checkpoint labels as the model did, that transformers' pipeline opens it, and nothing is lost."""
    scores = trial.scores(SENTENCES)
    before = [LABELS[index] for index in scores.argmax(-1)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        write_checkpoint(path, trial.model, trial.encoding.tokenizer, info_of(trial))
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
        overlap=trial.encoding.overlap,
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


def has_fast_tokenizer(architecture: str) -> bool:
    """Return whether what transformers names as an architecture's tokenizer is a fast one."""
    from transformers.models.auto.tokenization_auto import tokenizer_class_from_name
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

    name = own_tokenizer(architecture)
    found = tokenizer_class_from_name(name) if name else TokenizersBackend
    return architecture not in SLOW and found is not None and issubclass(found, TokenizersBackend)


def row(architecture: str, kinds: Sequence[Kind], cache: Path) -> str:
    """Try an architecture for all that it is mapped to, and return its row of the table."""
    outcomes = {kind: outcome_of(architecture, kind, cache) for kind in kinds}
    fast = has_fast_tokenizer(architecture)
    notes = sorted({note for outcome in outcomes.values() for note in outcome.notes})
    if not fast:
        notes.append("the tokenizer that transformers has for it is not fast")
    cells = (said(outcomes.get(kind), fast=fast) for kind in ("token", "text"))
    return f"| `{architecture}` | {' | '.join(cells)} | {tokenizer_of(architecture)} | {'; '.join(notes)} |"


def said(outcome: Outcome | None, *, fast: bool) -> str:
    """Return the cell of an outcome; None: transformers maps it to none."""
    if outcome is None:
        return "–"
    if outcome.why:
        return outcome.why.replace("|", "\\|").replace("<", "&lt;")
    return "works" if fast else "needs a fast tokenizer"


def rows(architectures: Sequence[str]) -> Iterator[str]:
    """Try some architectures, or all, and yield the rows of the table."""
    kinds = kinds_of()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        for architecture in architectures or kinds:
            yield row(architecture, kinds[architecture], Path(cache))


def write(table: str) -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


HEAD = (
    "| architecture | labels words | labels texts | tried with | of note |",
    "| --- | --- | --- | --- | --- |",
)


def main(arguments: Sequence[str]) -> int:
    """Show the rows of some architectures, or of all; ``--write`` them."""
    lines = list(HEAD)
    for line in rows([name for name in arguments if name != "--write"]):
        print(line, flush=True)
        lines.append(line)
    if "--write" in arguments:
        write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
