"""Contract checks of decoders: one label of the schema for each word, in sequences that the scheme allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labelkit.records import Decoder, Kind, Schema, Scores
from labelkit.testing.framework import KIND, CheckSet, offline_call, require, require_none

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMAS: dict[Kind, tuple[Schema, ...]] = {
    "token": (
        Schema.bio("contract-iob2", "PER", "LOC"),
        Schema(name="contract-iob1", kind="token", types=("PER", "LOC"), scheme="IOB1"),
        Schema(name="contract-bioes", kind="token", types=("PER", "LOC"), scheme="BIOES"),
        Schema(name="contract-bilou", kind="token", types=("PER", "LOC"), scheme="BILOU"),
        Schema(name="contract-plain", kind="token", labels=("DET", "NOUN", "VERB")),
    ),
    "text": (Schema(name="contract-classes", kind="text", labels=("NEGATIVE", "NEUTRAL", "POSITIVE")),),
}
NUMBERS = Schema(name="contract-numbers", kind="text", numeric=True)
SETS = Schema(name="contract-sets", kind="text", labels=("ART", "LAW", "SPORTS"), multilabel=True)
#: words of each sentence; of texts there is one each
LENGTHS: dict[Kind, tuple[tuple[int, ...], ...]] = {
    "token": ((), (0,), (1,), (5, 1, 0, 3), (2,) * 40, (300,)),
    "text": ((), (1,), (1,) * 60),
}


CHECKS = CheckSet(KIND)


def schemas_of(decoder: Decoder) -> tuple[Schema, ...]:
    """Return the schemas that a decoder is checked with."""
    return (NUMBERS,) if decoder.numeric else (SETS,) if decoder.multilabel else SCHEMAS[decoder.kind]


def no_labels(decoder: Decoder) -> str:
    """Return why checks of labels do not apply, or an empty text."""
    return "it predicts numbers" if decoder.numeric else ""


@CHECKS.check("ids", needs=("kind",))
def check_ids(decoder: Decoder) -> None:
    """It gives one label id of the schema (or number) for each word, also for no words, and does not change scores."""
    from labelkit.inference.engine import IMPOSSIBLE

    for schema in schemas_of(decoder):
        for lengths in LENGTHS[decoder.kind]:
            decode(decoder, random_scores(schema, lengths))
            unseen = random_scores(schema, lengths)
            unseen.values[:] = IMPOSSIBLE
            unseen.values[:, 0] = 0.0
            decode(decoder, unseen)


@CHECKS.check("obvious", needs=("ids",), skip_reason=no_labels)
def check_obvious_labelling(decoder: Decoder) -> None:
    """Where one valid labelling is by far the likeliest, it gives that one."""
    import numpy as np

    for schema in schemas_of(decoder):
        gold, names = valid_labelling(schema), schema.label_names
        values = np.full((len(gold), len(names)), math.log(0.01 / (len(names) - 1)), np.float32)
        if schema.multilabel:
            values[np.array(gold)] = math.log(0.99)
        else:
            values[np.arange(len(gold)), gold] = math.log(0.99)
        lengths = np.array((4, 1, 3) if schema.kind == "token" else (1,) * len(gold), np.int64)
        found = decode(decoder, scores_of(values, lengths, schema)).tolist()
        require(
            found == gold,
            f"decoder '{decoder.name}' gives {label_text(found, schema)} where {label_text(gold, schema)} is by far "
            "the likeliest",
            "prefer likely labels: values are log-probabilities, the highest is the best; column i is the i-th of "
            "schema.label_names",
        )


@CHECKS.check("independent", needs=("ids",))
def check_independent_sentences(decoder: Decoder) -> None:
    """The sentences around a sentence do not matter."""
    for schema in schemas_of(decoder):
        batch = random_scores(schema, (5, 1, 3, 8) if decoder.kind == "token" else (1,) * 8)
        together, alone, start = decode(decoder, batch).tolist(), [], 0
        for index, length in enumerate(batch.lengths.tolist()):
            values, lengths = batch.values[start : start + length], batch.lengths[index : index + 1]
            alone += decode(decoder, scores_of(values, lengths, schema)).tolist()
            start += length
        require(
            together == alone,
            f"decoder '{decoder.name}' gives {label_text(together, schema)} to some "
            f"{'sentences' if decoder.kind == 'token' else 'texts'} together and {label_text(alone, schema)} to each "
            "alone",
            "begin anew with each sentence, they lie one after the other and scores.lengths says where; keep no state",
        )


@CHECKS.check(
    "valid",
    needs=("ids",),
    skip_reason=lambda decoder: "" if decoder.kind == "token" else "texts have no sequences of labels",
)
def check_valid_sequences(decoder: Decoder) -> None:
    """Its labels form sequences that the tagging scheme allows, in all four schemes."""
    from labelkit.labels.schemes import violation_error, violations

    for schema in SCHEMAS["token"]:
        if schema.scheme is None:
            continue
        scores = random_scores(schema, (1,) * 20 + (9,) * 20)
        found, start, faults = decode(decoder, scores).tolist(), 0, []
        for length in scores.lengths.tolist():
            tags = [schema.label_names[label] for label in found[start : start + length]]
            faults += [violation_error(tags, index, schema.scheme).message for index in violations(tags, schema.scheme)]
            start += length
        require_none(
            (f"decoder '{decoder.name}': {fault}" for fault in faults[:1]),
            "give only what schema.scheme allows, as core's viterbi does; or expect this failure if labelkit is to "
            "repair what it gives, as it does with argmax",
        )


# -- scores -----------------------------------------------------------------------------------------------------------


def random_scores(schema: Schema, lengths: Sequence[int]) -> Scores:
    """Return random log-probabilities for sentences of these lengths."""
    import numpy as np

    values = np.random.default_rng(7).normal(scale=2.0, size=(sum(lengths), len(schema.label_names) or 1))
    if schema.multilabel:
        values = -np.logaddexp(0.0, -values)
    elif len(values) and not schema.numeric:
        values -= np.logaddexp.reduce(values, axis=1, keepdims=True)
    return scores_of(values, np.array(lengths, np.int64), schema)


def scores_of(values: NDArray[Any], lengths: NDArray[Any], schema: Schema) -> Scores:
    """Return the argument of a decoder; thresholds differ from label to label, where there are any."""
    import numpy as np

    thresholds = np.linspace(0.3, 0.7, len(schema.labels)) if schema.multilabel else None
    return Scores(values=values.astype(np.float32), lengths=lengths, schema=schema, thresholds=thresholds)


def valid_labelling(schema: Schema) -> list[Any]:
    """Return ids that the scheme allows for sentences of 4, 1 and 3 words, or for 8 texts; or 8 sets of labels."""
    if schema.multilabel:
        return [[bool(number >> label & 1) for label in range(len(schema.labels))] for number in range(8)]
    if schema.scheme is None:
        return [index % len(schema.label_names) for index in range(8)]
    from labelkit.labels.schemes import tags_of

    spans = [[(0, 2, "PER"), (3, 4, "LOC")], [], [(0, 3, "LOC")]]
    tags = [tag for one, length in zip(spans, (4, 1, 3), strict=True) for tag in tags_of(one, length, schema.scheme)]
    return [schema.label_names.index(tag) for tag in tags]


def label_text(ids: Sequence[Any], schema: Schema) -> str:
    """Return the labels with these ids as one line."""
    if schema.multilabel:
        sets = ([label for label, has in zip(schema.labels, row, strict=True) if has] for row in ids)
        return " ".join(f"{{{','.join(labels)}}}" for labels in sets)
    return " ".join(f"{label:.4g}" if schema.numeric else schema.label_names[int(label)] for label in ids)


def decode(decoder: Decoder, scores: Scores) -> NDArray[Any]:
    """Return the ids that a decoder gives, int64 of shape (words,), each a label of the schema."""
    import numpy as np

    words, labels = scores.values.shape
    what = f"decode() of decoder '{decoder.name}', given {words} words of {len(scores.lengths)} sentences,"
    before = scores.values.copy()
    with offline_call(what, "handle it: there may be no sentence at all, or one without words"):
        found: NDArray[Any] = np.asarray(decoder.decode(scores))
    advice = f"return an int64 array of shape ({words},) with ids from 0 to {labels - 1}, columns of scores.values"
    shape: tuple[int, ...] = (words,)
    kinds = "iu"
    if scores.schema.numeric:
        advice, kinds = f"return a float array of shape ({words},)", "fiu"
    elif scores.schema.multilabel:
        shape, kinds = (words, labels), "b"
        advice = f"return a bool array of shape {shape}: whether each text has each label"
    require(
        found.shape == shape and (not words or found.dtype.kind in kinds),
        f"{what} returns {found.dtype} of shape {found.shape}",
        advice,
    )
    invalid = [] if kinds != "iu" else sorted({int(label) for label in found if not 0 <= label < labels})
    require(not invalid, f"{what} returns invalid label ids: {invalid[:5]}", advice)
    require(
        bool((scores.values == before).all()),
        f"{what} changes scores.values",
        "work on a copy: metrics and calibration read them afterwards",
    )
    return found if kinds == "b" else found.astype(np.float64 if scores.schema.numeric else np.int64)
