"""Small plugins for the tests of the contract kit: a good one, and for each check one that breaks just that."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, cast

import numpy as np

import labelkit
from labelkit import (
    Decoder,
    Encoder,
    Example,
    Format,
    Head,
    HeadBatch,
    HeadContext,
    Labelled,
    LoadContext,
    Metric,
    Output,
    Predictions,
    Preprocessor,
    Schema,
    Scores,
    Settings,
    Source,
    Task,
    events,
)
from labelkit.inference.decoders import viterbi
from labelkit.models.heads import MULTILABEL, cross_entropy, log_sigmoid
from labelkit.plugins.catalog import RECORD_HOOKS, Candidate, Catalog, find_candidates
from labelkit.records import Counts, RunContext

CORE = find_candidates()[0]

# -- a good one -------------------------------------------------------------------------------------------------------

EXAMPLES = (
    Example(id="1", words=("Tom", "purrs", "at", "night"), labels={"pets": ("B-cat", "O", "O", "O")}),
    Example(id="2", words=("Rex", "the", "dog"), labels={"pets": ("B-dog", "I-dog", "I-dog")}),
)


def load(split: str, ctx: LoadContext) -> Iterable[Example]:
    return EXAMPLES


def exact_match(given: Predictions) -> Mapping[str, Any]:
    same = [gold == guess for gold, guess in zip(given.references, given.predictions, strict=True)]
    return {"exact_match": sum(same) / len(same) if same else 0.0, "sentences": len(same)}


def exact_counts(given: Predictions) -> Counts:
    same = [gold == guess for gold, guess in zip(given.references, given.predictions, strict=True)]
    rows = np.array([(float(one), 1.0) for one in same]).reshape(len(same), 2)
    return Counts(rows=rows, figures=lambda sums: {"exact_match": sums[..., 0] / np.maximum(sums[..., 1], 1)})


def upper(example: Example) -> Example:
    return replace(example, surface=tuple(word.upper() for word in example.words or ()))


def write_pairs(records: Iterable[Labelled], output: Output) -> None:
    """Write each sentence on a line: word and label in turn, with tabs between them."""
    for record in records:
        fields = [field for pair in zip(record.words or (), record.labels or (), strict=True) for field in pair]
        if any(set(field) & set("\t\r\n") or not field.isprintable() for field in fields):
            raise labelkit.LabelkitError(f"record '{record.id}' holds what a line cannot")
        output.stream.write(("\t".join(fields) + "\n").encode())


def read_pairs(path: Path, ctx: LoadContext) -> Iterable[Example]:
    for number, line in ctx.lines(path):
        fields = line.split("\t")
        yield Example(id=str(number), words=tuple(fields[::2]), labels={"pets": tuple(fields[1::2])})


def nowhere(rest: str, ctx: LoadContext) -> labelkit.ResolvedEncoder:
    raise labelkit.LabelkitError(f"there is no model '{rest}'")


@dataclass(frozen=True)
class PetSettings:
    types: Annotated[tuple[str, ...], labelkit.Doc("types of animals")] = ("cat", "dog")
    store: Annotated[Path | None, labelkit.Doc("where they live")] = None
    share: Annotated[float, labelkit.Doc("how many of them")] = 0.5


SCHEMA = Schema.bio("pets", "cat", "dog")
SOURCE = Source(
    name="tales", kind="token", layers={"pets": "pets"}, splits=("train", "test"), load=load, licence="CC0",
    counts={"train": 2, "test": 2},
)  # fmt: skip
METRIC = Metric(name="exact", kind="token", compute=exact_match, key="exact_match", counts=exact_counts)
DECODER = Decoder(name="likeliest", kind="token", decode=viterbi)
HEAD = Head(name="house", kinds=("token",), loss=cross_entropy, loss_settings=("class_weights",))
PREPROCESSOR = Preprocessor(name="upper", kind="token", apply=upper)
FORMAT = Format(name="pairs", kinds=("token",), suffixes=(".pairs",), read=read_pairs, write=write_pairs)
ENCODER = Encoder(name="house", resolve=nowhere)
TASK = Task(
    name="pets", summary="cats and dogs", kind="token", layer="pets", source="tales", metrics=("exact", "seqeval"),
    scheme="IOB2", examples=EXAMPLES, decoder="likeliest", preprocess=("upper",),
)  # fmt: skip
PARTS = (SCHEMA, SOURCE, METRIC, DECODER, PREPROCESSOR)
SETTINGS = Settings(name="pets", fields=PetSettings)
GOOD = (*PARTS, HEAD, FORMAT, ENCODER, TASK, SETTINGS)


def a_plugin(*records: Any, observer: Callable[..., None] | None = None) -> ModuleType:
    """Return a module that yields ``records`` and watches with ``observer``."""
    plugin = ModuleType("mine")
    for hook, (_, class_) in RECORD_HOOKS.items():
        if found := [record for record in records if isinstance(record, class_)]:
            setattr(plugin, hook, labelkit.hookimpl(_giving(found)))
    if observer is not None:
        setattr(plugin, "labelkit_event", labelkit.hookimpl(observer))  # noqa: B010 - a module has no such attribute
    return plugin


def _giving(records: list[Any]) -> Callable[[], list[Any]]:
    def hook() -> list[Any]:
        return records

    return hook


def a_catalog(*records: Any, beside: Iterable[Any] = (), observer: Callable[..., None] | None = None) -> Catalog:
    """Return a catalog of core, a plugin ``mine``, and a plugin ``other`` that yields what is ``beside``."""
    plugins = {"mine": a_plugin(*records, observer=observer), "other": a_plugin(*beside)}
    return Catalog([CORE, *(_candidate(name, plugin) for name, plugin in plugins.items())])


def _candidate(name: str, plugin: ModuleType) -> Candidate:
    return Candidate(name, "1.0", f"{name}-dist", name, lambda: plugin)


# -- broken ones ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin with one mistake.

    :param check: the one check that catches it.
    :param said: a part of what it says.
    :param records: what the plugin yields.
    :param beside: what another plugin yields, for a mistake in how they go together.
    """

    check: str
    said: str
    records: tuple[Any, ...] = ()
    beside: tuple[Any, ...] = ()
    observer: Callable[..., None] | None = None

    @property
    def catalog(self) -> Catalog:
        return a_catalog(*self.records, beside=self.beside, observer=self.observer)


def task(check: str, said: str, *instead: Any, **changes: Any) -> BrokenPlugin:
    """Return the good task with ``changes``, beside its parts, some of which are others ``instead``."""
    parts = tuple(part for part in PARTS if part.name not in {one.name for one in instead})
    return BrokenPlugin(f"task-pets-{check}", said, (replace(TASK, **changes),), (*parts, *instead))


def source(check: str, said: str, *parts: Any, **changes: Any) -> BrokenPlugin:
    return BrokenPlugin(f"source-tales-{check}", said, (replace(SOURCE, **changes), *(parts or (SCHEMA,))))


def metric(check: str, said: str, compute: Callable[[Predictions], Any] = exact_match, **changes: Any) -> BrokenPlugin:
    record = replace(METRIC, compute=compute, **{"counts": None, **changes})
    return BrokenPlugin(f"metric-exact-{check}", said, (record,))


def reading_mentions(given: Predictions) -> dict[str, float]:
    assert given.train_mentions is not None
    return {**exact_match(given), "known": float(("word0",) in given.train_mentions())}


def share_of_equal_sets(given: Predictions) -> dict[str, float]:
    gold, predicted = given.sets
    return {"exact_match": sum((gold == predicted).all(axis=1).tolist()) / len(gold)}


def unlikely(outputs: Any, ctx: HeadContext) -> Any:
    return log_sigmoid(-outputs, ctx)


def head(check: str, said: str, **changes: Any) -> BrokenPlugin:
    fields = {"name": "mine", "kinds": ("token",), "loss": cross_entropy, **changes}
    return BrokenPlugin(f"head-mine-{check}", said, (Head(**fields),))


def decoder(check: str, said: str, decode: Callable[[Scores], Any], kind: Any = "token") -> BrokenPlugin:
    return BrokenPlugin(f"decoder-mine-{check}", said, (Decoder(name="mine", kind=kind, decode=decode),))


def preprocessor(check: str, said: str, apply: Callable[[Example], Any], kind: Any = "token") -> BrokenPlugin:
    return BrokenPlugin(f"preprocessor-mine-{check}", said, (Preprocessor(name="mine", kind=kind, apply=apply),))


def file_format(check: str, said: str, **changes: Any) -> BrokenPlugin:
    return BrokenPlugin(f"format-pairs-{check}", said, (replace(FORMAT, **changes),))


def giving(*examples: Any) -> Callable[[str, LoadContext], Iterable[Any]]:
    return lambda split, ctx: examples


def odd(**fields: Any) -> Example:
    """Return the first example with fields that hold what they may not."""
    return replace(EXAMPLES[0], **fields)


def tagged(tags: str) -> Example:
    return Example(id="7", words=tuple("w" for _ in tags.split()), labels={"pets": tuple(tags.split())})


def a_word_short(example: Example) -> Example:
    return replace(example, labels={"pets": example.labels["pets"][1:]})


CALLS = count()


def unsteady(split: str, ctx: LoadContext) -> Iterable[Example]:
    return [replace(example, document=str(next(CALLS))) for example in EXAMPLES]


def shuffled(split: str, ctx: LoadContext) -> Iterable[Example]:
    many = [replace(EXAMPLES[0], id=str(number)) for number in range(50)]
    random.shuffle(many)
    return many


def failing_load(split: str, ctx: LoadContext) -> Iterable[Example]:
    raise KeyError(split)


def reaching_out(split: str, ctx: LoadContext) -> Iterable[Example]:
    with contextlib.suppress(OSError):
        socket.create_connection(("corpora.invalid", 443), timeout=1)
    return EXAMPLES


def absent(split: str, ctx: LoadContext) -> Iterable[Example]:
    return read_pairs(ctx.folder("no-such-corpus") / f"{split}.pairs", ctx)


def placed(*offsets: Any, text: str | None = "Tom purrs at night") -> Callable[[str, LoadContext], Iterable[Any]]:
    return giving(replace(EXAMPLES[0], text=text, offsets=offsets), EXAMPLES[1])


# metrics


def of_the_first_sentence(given: Predictions) -> Mapping[str, float]:
    pairs = list(zip(given.references, given.predictions, strict=True))
    share = exact_match(given)["exact_match"]
    return {"exact_match": share + (0.5 if pairs and pairs[0][0] == pairs[0][1] else 0.0)}


def undefined(given: Predictions) -> Mapping[str, float]:
    right = sum(gold == guess for gold, guess in zip(given.references, given.predictions, strict=True))
    return {"exact_match": right / len(given.references)}


def nan_inside(given: Predictions) -> Mapping[str, Any]:
    return {**exact_match(given), "per_type": {"cat": {"f1": float("nan") if not given.references else 1.0}}}


def leaving(given: Predictions) -> Mapping[str, Any]:
    if not given.references:
        raise SystemExit("nothing to do")
    return exact_match(given)


def spoiling(given: Predictions) -> Mapping[str, Any]:
    assert given.scores is not None
    given.scores[:] = 0.0
    return exact_match(given)


def other_counts(given: Predictions) -> Counts:
    counts = exact_counts(given)
    return replace(counts, figures=lambda sums: {"exact_match": sums[..., 0]})


def counts_of_some(given: Predictions) -> Counts:
    counts = exact_counts(given)
    return replace(counts, rows=counts.rows[:-1])


def nameless_counts(given: Predictions) -> Counts:
    return replace(exact_counts(given), figures=lambda sums: {"share": sums[..., 0]})


def without_figures(given: Predictions) -> Counts:
    return replace(exact_counts(given), figures=lambda sums: sums)  # type: ignore[arg-type, return-value]


# heads


def mixing_windows(ctx: HeadContext) -> Any:
    import torch

    class Mixing(torch.nn.Module):
        def forward(self, outputs: Any, mask: Any) -> Any:
            return outputs - outputs.mean(dim=0)

    return Mixing()


def with_spare(ctx: HeadContext) -> Any:
    import torch

    class Spare(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.spare = torch.nn.Parameter(torch.zeros(3))

        def forward(self, outputs: Any, mask: Any) -> Any:
            return outputs

    return Spare()


def forgetful(ctx: HeadContext) -> Any:
    import torch

    class Forgetful(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = 1 + random.random()

        def forward(self, outputs: Any, mask: Any) -> Any:
            return outputs * self.factor

    return Forgetful()


def detached(batch: HeadBatch, ctx: HeadContext) -> Any:
    return cross_entropy(batch, ctx).detach()


def of_padding(batch: HeadBatch, ctx: HeadContext) -> Any:
    return cross_entropy(replace(batch, labels=batch.labels.clamp(min=0)), ctx)


def with_penalty(batch: HeadBatch, ctx: HeadContext) -> Any:
    return cross_entropy(batch, ctx) + 1e-3 * batch.outputs.square().mean()  # of windows without labels, too


def mean_loss(batch: HeadBatch, ctx: HeadContext) -> Any:
    return cross_entropy(batch, ctx).sum() / batch.mask.sum()


def plain_loss(batch: HeadBatch, ctx: HeadContext) -> Any:
    return cross_entropy(batch, replace(ctx, label_smoothing=0.0))


# decoders


def by_name(scores: Scores) -> Any:
    return [scores.schema.label_names[index] for index in scores.values.argmax(axis=1)]


def out_of_range(scores: Scores) -> Any:
    return scores.values.argmax(axis=1) + 1


def of_some_sentence(scores: Scores) -> Any:
    return scores.values.argmax(axis=1) if scores.values.max() < 1 else viterbi(scores)


def in_place(scores: Scores) -> Any:
    found = viterbi(scores)
    scores.values[:] = 0.0
    return found


def never_sure(scores: Scores) -> Any:
    return np.zeros(len(scores.values), np.int64)


def in_company(scores: Scores) -> Any:
    return viterbi(scores) if len(scores.lengths) > 1 else never_sure(scores)


# preprocessors


def split_up(example: Example) -> Example:
    return replace(example, words=tuple(part for word in example.words or () for part in (word, ".")))


def joined(example: Example) -> Example:
    return replace(example, surface=(" ".join(example.words or ()),))


def marking(example: Example) -> Example:
    example.extra.setdefault("seen", []).append("me")  # type: ignore[attr-defined]
    return example


def counting(example: Example) -> Example:
    number = next(CALLS)
    return replace(example, surface=tuple(f"{word}{number}" for word in example.words or ()))


def peeking(example: Example) -> Example:
    labels = next(iter(example.labels.values()), None)
    return replace(example, surface=example.words if labels is None else tuple(labels))


def numbering(example: Example) -> Example:
    surface: Any = tuple(range(len(example.words or ())))
    return replace(example, surface=surface)


def splitting(example: Example) -> Example:
    return replace(example, surface=tuple((example.text or "").split()))


def first_word(example: Example) -> Example:
    return replace(example, surface=(example.text or "").split()[0])


def initials(example: Example) -> Example:
    return replace(example, surface=tuple(word[0] for word in example.words or ()))


def blank(example: Example) -> Example:
    return replace(example, surface=("",) * len(example.words or ()))


# formats


def scores_only(records: Iterable[Labelled], output: Output) -> None:
    for record in records:
        if record.spans is None:
            raise ValueError("no spans")
    write_pairs((), output)


def refusing(*given: Any) -> Any:
    raise labelkit.LabelkitError("not today")


def joining(records: Iterable[Labelled], output: Output) -> None:
    for record in records:
        output.stream.write(f"{record.label}\t{record.text}\n".encode("utf-8", "replace"))


def parting(path: Path, ctx: LoadContext) -> Iterable[Example]:
    for number, line in ctx.lines(path):
        label, _, text = line.partition("\t")
        yield Example(id=str(number), text=text, labels={"label": label})


def numbered(records: Iterable[Labelled], output: Output) -> None:
    write_pairs((replace(record, words=(str(next(CALLS)),), labels=("O",)) for record in records), output)


def escaped(records: Iterable[Labelled], output: Output) -> None:
    """Write what no line can hold as blanks."""
    clean = {**dict.fromkeys(range(32), " "), **dict.fromkeys(range(0xD800, 0xE000), "?")}
    write_pairs(
        (replace(one, words=tuple(w.translate(clean) for w in one.words or ())) for one in records),
        cast(Any, _Any(output)),
    )


class _Any:
    """Takes what is not printable too."""

    def __init__(self, output: Output) -> None:
        self.stream = output.stream


def careless_of_labels(records: Iterable[Labelled], output: Output) -> None:
    for record in records:
        kept = record.labels if record.labels is None else tuple(label.split()[0] for label in record.labels)
        write_pairs((replace(record, labels=kept),), output)


def read_lower(path: Path, ctx: LoadContext) -> Iterator[Example]:
    for example in read_pairs(path, ctx):
        yield replace(example, words=tuple(word.lower() for word in example.words or ()))


def read_but_one(path: Path, ctx: LoadContext) -> Iterable[Example]:
    return list(read_pairs(path, ctx))[:-1]


def careless(records: Iterable[Labelled], output: Output) -> None:
    for record in records:
        pairs = (f"{word}\t{label}" for word, label in zip(record.words or (), record.labels or (), strict=True))
        output.stream.write(("\t".join(pairs) + "\n").encode("utf-8", "replace"))


# parts that do not go together


def without_empty(scores: Scores) -> Any:
    if 0 in scores.lengths:
        raise IndexError("a sentence without words")
    return viterbi(scores)


def of_known_events(event: Any, ctx: RunContext) -> None:
    if not isinstance(event, events.Stage | events.RunStarted | events.RunEnded | events.Scored):
        raise TypeError(f"what is a {type(event).__name__}?")


def always_logging(event: Any, ctx: RunContext) -> None:
    Path("log.txt").write_text(repr(event), encoding="utf-8")


def always_sending(event: Any, ctx: RunContext) -> None:
    with contextlib.suppress(OSError):
        socket.create_connection(("pets", 80), timeout=1)


@dataclass(frozen=True)
class Undescribed:
    size: int = 3


@dataclass(frozen=True)
class WrongDefault:
    size: Annotated[int, labelkit.Doc("how many")] = cast(int, "three")


@dataclass(frozen=True)
class RefusedDefault:
    size: Annotated[int, labelkit.Doc("how many")] = 0

    def __post_init__(self) -> None:
        if not self.size:
            raise ValueError("none are left")


@dataclass(frozen=True)
class Unvalidated:
    size: Annotated[Scores | None, labelkit.Doc("how many")] = None


@dataclass(frozen=True)
class Unrecorded:
    types: Annotated[Any, labelkit.Doc("types of animals")] = ("cat", "dog")


def settings(check: str, said: str, class_: type) -> BrokenPlugin:
    """Return a plugin with settings of ``class_``, which one check of settings catches."""
    return BrokenPlugin(f"settings-pets-{check}", said, (Settings(name="pets", fields=class_),))


def asking_the_network(rest: str, ctx: LoadContext) -> Any:
    with contextlib.suppress(OSError):
        socket.socket().connect(("192.0.2.1", 443))
    return nowhere(rest, ctx)


def not_a_library_error(rest: str, ctx: LoadContext) -> Any:
    raise FileNotFoundError(rest)


TEXT_METRIC = Metric(name="exact", kind="text", compute=exact_match, key="exact_match")
TEXT_SCHEMA = Schema(name="pets", kind="text", labels=("B-cat", "B-dog", "I-dog", "O"))
PLAIN_SCHEMA = Schema(name="pets", kind="token", labels=("O", "B-cat", "B-dog", "I-dog"))
TEXT_TASK: Mapping[str, Any] = {
    "kind": "text", "layer": "label", "source": "sample-reviews", "metrics": ("classification",), "preprocess": (),
    "decoder": "argmax-text", "examples": (Example(id="1", text="Fine.", labels={"label": "positive"}),),
}  # fmt: skip
SPANS_ON_TEXTS = Schema(name="pets", kind="text", types=("cat",), scheme="IOB2")

BROKEN: dict[str, BrokenPlugin] = {
    # the plugin as a whole; those that have to be installed are in broken_packages.py
    "no hook": BrokenPlugin("plugin-loads", "@labelkit.hookimpl"),
    "a name for a tuple": BrokenPlugin("plugin-loads", "a tuple of str", (replace(TASK, metrics=cast(Any, "exact")),)),
    "a record twice": BrokenPlugin("plugin-loads", "it yields the metric 'exact' twice", (METRIC, METRIC)),
    "a name that is taken": BrokenPlugin("plugin-clashes", "'mine' and 'other'", (METRIC,), (METRIC,)),
    "observer of today's events": BrokenPlugin("plugin-observes", "of kinds that come later", observer=of_known_events),
    "observer that keeps made-up events": BrokenPlugin("plugin-observes", "writes log.txt", observer=always_logging),
    "observer that sends made-up events": BrokenPlugin(
        "plugin-observes", "the network (pets)", observer=always_sending
    ),
    # settings
    "settings without a description": settings("described", "labelkit.Doc", Undescribed),
    "default of another type": settings("defaults", "invalid pets.size: 'three'", WrongDefault),
    "default that the class refuses": settings("defaults", "fails with ValueError: none are left", RefusedDefault),
    "type that cannot be validated": settings("defaults", "cannot be validated", Unvalidated),
    "default that JSON cannot hold": settings("recorded", "a tuple in place of a list", Unrecorded),
    # schemas
    "schema of no kind": BrokenPlugin(
        "schema-pets-kind", "'token' or 'text'", (replace(SCHEMA, kind=cast(Any, "tokens")),)
    ),
    "schema of no scheme": BrokenPlugin(
        "schema-pets-scheme", "one of IOB1", (replace(SCHEMA, scheme=cast(Any, "BIO")),)
    ),
    "several labels of a word": BrokenPlugin(
        "schema-pets-scheme", "a word has one label", (replace(PLAIN_SCHEMA, multilabel=True),)
    ),
    "spans on texts": BrokenPlugin("schema-pets-scheme", "write kind='token'", (SPANS_ON_TEXTS,)),
    # metrics
    "metric of no kind": metric("kind", "write 'token' or 'text'", kind="word"),
    "metric without its key": metric("key", "not its key 'f1'", key="f1"),
    "key that is no number": metric("key", "return a number", lambda given: {"exact_match": "1.0"}),
    "a figure alone": metric("key", "return a dict of names and figures", lambda given: 1.0),
    "metric that changes scores": metric("key", "other metrics are given the same", spoiling),
    "always the same": metric("perfect", "is 1 when all is right", lambda given: {"exact_match": 1.0}),
    "wrong direction": metric("perfect", "lower is better", higher_is_better=False),
    "division by zero": metric("finite", "no sentence at all, fails with ZeroDivisionError", undefined),
    "NaN further in": metric("finite", "no finite per_type.cat.f1", nan_inside),
    "metric that ends the program": metric("finite", "SystemExit", leaving),
    "order counts": metric("order", "sum up before dividing", of_the_first_sentence),
    "counts of some": metric("counts", "has 3 rows for 4 examples", counts=counts_of_some),
    "counts without the key": metric("counts", "return what compute() returns", counts=nameless_counts),
    "counts without figures": metric("counts", "return a dict of names and numbers", counts=without_figures),
    "counts of something else": metric("counts", "let counts() and compute() agree", counts=other_counts),
    "mentions that are not declared": metric("mentions", "set uses_train_mentions=True", reading_mentions),
    "decoder of sets that gives ids": BrokenPlugin(
        "decoder-mine-ids",
        "return a bool array of shape",
        (Decoder(name="mine", kind="text", multilabel=True, decode=lambda scores: scores.values.argmax(axis=1)),),
    ),
    "metric of sets that counts texts": BrokenPlugin(
        "metric-exact-finite",
        "no text at all, fails with ZeroDivisionError",
        (replace(METRIC, kind="text", multilabel=True, counts=None, compute=share_of_equal_sets),),
    ),
    "head of sets upside down": BrokenPlugin(
        "head-mine-learns", "highest for the label", (replace(MULTILABEL, name="mine", scores=unlikely),)
    ),
    # heads
    "head of no kind": head("kinds", "name 'token', 'text', or both", kinds=("words",)),
    "obeys what is no setting": head("kinds", "no setting of the loss", loss_settings=("dropout",)),
    "head with an unknown decoder": head("decoder", "unknown decoder 'beam'", decoder="beam"),
    "head with a decoder of texts": head("decoder", "its decoder 'argmax-text' for text", decoder="argmax-text"),
    "config that core sets": head("config", "sets num_labels", config=lambda ctx: {"num_labels": 3}),
    "config that is no JSON": head("config", "is no JSON", config=lambda ctx: {"when": object()}),
    "mixes windows": head("module", "let no window depend on the others", module=mixing_windows),
    "scores that are cut": head("module", "returned shape", scores=lambda outputs, ctx: outputs[:, 1:]),
    "loss without a gradient": head("loss", "has no gradient", loss=detached),
    "parameter that nothing uses": head("loss", "parameter 'spare'", module=with_spare),
    "loss of padding": head("loss", "subwords that have no label", loss=of_padding),
    "mean of losses": head("parts", "no mean", loss=mean_loss),
    "obeys no smoothing": head(
        "settings", "obeys label_smoothing_factor", loss=plain_loss, loss_settings=("label_smoothing_factor",)
    ),
    "forgets": head("saved", "keep everything that it learns", module=forgetful),
    "upside down": head("learns", "highest for the label", scores=lambda outputs, ctx: -outputs),
    # decoders
    "decoder of no kind": decoder("kind", "write 'token' or 'text'", viterbi, "words"),
    "labels in place of ids": decoder("ids", "an int64 array of shape", by_name),
    "ids from 1": decoder("ids", "invalid label ids", out_of_range),
    "decoder that needs a word": decoder("ids", "no sentence at all", of_some_sentence),
    "decoder that changes scores": decoder("ids", "work on a copy", in_place),
    "nothing is likely": decoder("obvious", "prefer likely labels", never_sure),
    "bold in company": decoder("independent", "begin anew with each sentence", in_company),
    "greedy": decoder("valid", "does not fit IOB2", lambda scores: scores.values.argmax(axis=1)),
    # preprocessors
    "preprocessor of no kind": preprocessor("kind", "write 'token' or 'text'", upper, "words"),
    "other words": preprocessor("keeps", "changes words", split_up),
    "fewer words": preprocessor("keeps", "made 1 words of 6", joined),
    "changes what it is given": preprocessor("keeps", "changes the example that it is given", marking),
    "gives back words": preprocessor("keeps", "returns tuple", lambda example: example.words),
    "numbers for words to see": preprocessor("keeps", "set a surface that is no tuple of str", numbering),
    "words in place of a text": preprocessor("keeps", "parts of a text without parts=True", splitting, "text"),
    "no part of a text": BrokenPlugin(
        "preprocessor-mine-keeps",
        "made 0 parts of a text",
        (Preprocessor(name="mine", kind="text", parts=True, apply=lambda one: replace(one, surface=())),),
    ),
    "needs a word": preprocessor("any-text", "any text may be labelled", first_word, "text"),
    "counts its calls": preprocessor("deterministic", "no counters", counting),
    "looks at labels": preprocessor("ignores-labels", "do not look at labels", peeking),
    "needs a letter": preprocessor("any-text", "any text may be labelled", initials),
    # formats
    "format of no kind": file_format("fields", "write ('token',)", kinds=("tokens",)),
    "suffix without its dot": file_format("fields", "write it as '.conll'", suffixes=("pairs",)),
    "suffix of a format of core's": file_format("fields", "choose another ending", suffixes=(".new.csv",)),
    "neither reads nor writes": file_format("fields", "give it read=", read=None, write=None),
    "refuses all": file_format("writes", "refuses plain records: not today", write=refusing),
    "does not read what it writes": file_format("reads-back", "does not read gold records back", read=refusing),
    "joins text and label": file_format("refuses", "escape it, or raise", kinds=("text",), write=joining, read=parting),
    "wants scores": file_format("writes", "fails with ValueError: no spans", write=scores_only),
    "writes the time": file_format("repeats", "no time, no random ids", write=numbered, read=None),
    "reads in lower case": file_format("reads-back", "is read as", read=read_lower),
    "reads what is no example": file_format(
        "reads-back", "yields an invalid example", read=lambda path, ctx: ["Tom"] * 3
    ),
    "loses the last": file_format("reads-back", "not as many examples", read=read_but_one),
    "forgets to escape": file_format("refuses", "escape it, or raise", write=careless),
    "forgets that labels may hold blanks": file_format("refuses", "two words", write=careless_of_labels),
    # encoders
    "any error will do": BrokenPlugin(
        "encoder-house-unknown", "raise labelkit.LabelkitError", (replace(ENCODER, resolve=not_a_library_error),)
    ),
    "no encoder": BrokenPlugin(
        "encoder-house-unknown", "returns str", (replace(ENCODER, resolve=cast(Any, lambda rest, ctx: rest)),)
    ),
    "no encoder, but a network": BrokenPlugin(
        "encoder-house-unknown", "reaches for the network (192.0.2.1)", (replace(ENCODER, resolve=asking_the_network),)
    ),
    # sources
    "source of no kind": source("kind", "write 'token' or 'text'", kind="word"),
    "no splits": source("splits", "declares no splits", splits=(), counts={}),
    "empty split": source("splits", "split 'train'", load=giving(), counts={}),
    "no examples but words": source("splits", "yield labelkit.Example", load=giving("Tom", "Rex")),
    "cannot be read": source("splits", "load('train', ctx) of source 'tales' fails with KeyError", load=failing_load),
    "asks another machine": source("splits", "reaches for the network (corpora.invalid)", load=reaching_out),
    "numbers for ids": source("splits", "id 7 of an example is not a str", load=giving(odd(id=7))),
    "a list for words": source("splits", "a tuple of str", load=giving(odd(words=["Tom"]))),
    "numbers for words": source("splits", "word 1984 is not a str", load=giving(odd(words=(1984,)))),
    "a list for layers": source("splits", "must be dicts", load=giving(odd(labels=("O",)))),
    "offsets without a text": source("splits", "offsets= need the text=", load=placed((0, 3), text=None)),
    "offsets that are too few": source("splits", "one pair for each word", load=placed((0, 3))),
    "offsets that are no pairs": source("splits", "one pair for each word", load=placed(0, 4, 10, 13)),
    "offsets beyond the text": source(
        "splits", "'night' cannot stand at text[13:19]", load=placed((0, 3), (4, 9), (10, 12), (13, 19))
    ),
    "offsets that go back": source(
        "splits", "'at' cannot stand at text[0:3]", load=placed((0, 3), (4, 9), (0, 3), (13, 18))
    ),
    "unsteady examples": source("repeats", "differs when it is read again", load=unsteady),
    "unsteady order": source("repeats", "seed what is random", load=shuffled, counts={}),
    "no layers": source("references", "declares no layers", layers={}),
    "layer that is not there": source("layers", "has no layer 'pos'", layers={"pos": None}),
    "a label short": source("layers", "4 words have 3 labels", load=giving(*map(a_word_short, EXAMPLES))),
    "numbers for labels": source(
        "layers",
        "label 0 of 'pets' is not a str",
        load=giving(EXAMPLES[1], odd(labels={"pets": ("B-cat", 0, 0, 0)})),
    ),
    "a list of labels": source(
        "layers", "give a tuple of str", load=giving(EXAMPLES[1], odd(labels={"pets": ["O"] * 4}))
    ),
    "a number for a schema": source("references", "write 'LAYER': 'SCHEMA'", layers={"pets": 3}),
    "unknown schema": source("references", "did you mean pets", layers={"pets": "pests"}),
    "unknown schema, and its data is absent": source(
        "references", "did you mean pets", layers={"pets": "pests"}, load=absent
    ),
    "schema of another kind": source("references", "make them agree", TEXT_SCHEMA),
    "label out of the schema": source(
        "schemas", "label 'B-cow' (example 7, split 'train')", load=giving(EXAMPLES[0], tagged("O B-cow"))
    ),
    "an id twice": source("ids", "have the id '1'", load=giving(EXAMPLES[0], EXAMPLES[0])),
    "wrong count": source("counts", "has 2 examples, counts= declares 3", counts={"train": 3}),
    "count of no split": source("counts", "which splits= lacks", counts={"dev": 2}),
    # tasks
    "task of no kind": task("kind", "write 'token' or 'text'", kind="tokens"),
    "unknown metric": task("references", "did you mean seqeval", metrics=("exact", "seqevall")),
    "no metric": task("references", "names no metric", metrics=()),
    "unknown decoder": task("references", "unknown decoder 'beam'", decoder="beam"),
    "decoder of another kind": task("references", "is for kind 'text'", decoder="argmax-text"),
    "unknown preprocessor": task("references", "unknown preprocessor 'lower'", preprocess=("lower",)),
    "unknown source": task("references", "did you mean tales", source="tails"),
    "source of another kind": task("references", "is for kind 'text'", source="sample-reviews"),
    "source without the layer": task("references", "source 'wnut17' has: ner", source="wnut17"),
    "source without train": task("references", "has no split 'train'", replace(SOURCE, splits=("test",))),
    "metric of another kind": task("references", "is for kind 'text'", TEXT_METRIC),
    "no recipes": task("recipes", "has no recipe 'quickstart'", recipes=Path("/nowhere")),
    "no example": task("examples", "give it a handful", examples=()),
    "example without words": task("examples", "words=(…)", examples=(Example(id="1", text="Tom"),)),
    "example without the layer": task(
        "examples", "no layer 'pets'", examples=(Example(id="1", words=("Tom",), labels={"pet": ("O",)}),)
    ),
    "example with too few labels": task("examples", "4 words have 3 labels", examples=(a_word_short(EXAMPLES[0]),)),
    "labels that misfit the scheme": task("scheme", "word 2", examples=(tagged("O I-cat"),)),
    "labels that are no tags": task("scheme", "'cat' is not a tag", examples=(tagged("cat"),)),
    "spans on whole texts": task("scheme", "leave scheme= out", **TEXT_TASK),
    "two labels for a text": task(
        "examples",
        "must be one str",
        **{**TEXT_TASK, "examples": (Example(id="1", text="Fine.", labels={"label": ("a", "b")}),), "scheme": None},
    ),
    "words for a text": task("examples", "needs text='…'", **{**TEXT_TASK, "examples": EXAMPLES, "scheme": None}),
    "schema of plain labels": task("schema", "make scheme= of the task and of the schema agree", PLAIN_SCHEMA),
    "example out of the schema": task("schema", "label 'B-cow' of example 7", examples=(tagged("O B-cow"),)),
    "nothing left to read": task("learns", "there is nothing to learn", replace(PREPROCESSOR, apply=blank)),
    "reads the answers": task("saves", "there are none when it labels", replace(PREPROCESSOR, apply=peeking)),
    "loss without labels": task(
        "joins", "a batch without labels of task 'pets' changes", replace(HEAD, loss=with_penalty), head="house"
    ),
    "parts that need a word": task("lossless", "a sentence without words", replace(DECODER, decode=without_empty)),
}
