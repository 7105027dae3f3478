"""What a decoder promises: for each word one label of the schema, in sequences that the scheme allows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from labelkit.records import Decoder, Kind, Schema, Scores
from labelkit.testing.base import Question, calling_offline, require, require_none
from labelkit.testing.kinds import KIND

if TYPE_CHECKING:
    import numpy as np
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
#: words of each sentence; of texts there is one each
LENGTHS: dict[Kind, tuple[tuple[int, ...], ...]] = {
    "token": ((), (0,), (1,), (5, 1, 0, 3), (2,) * 40, (300,)),
    "text": ((), (1,), (1,) * 60),
}


def _ids(decoder: Decoder) -> None:
    for schema in SCHEMAS[decoder.kind]:
        for scores in _all_scores(decoder, schema):
            _decoded(decoder, scores)


def _obvious(decoder: Decoder) -> None:
    """Where one labelling that the scheme allows is far likelier than all others, it has to be found."""
    for schema in SCHEMAS[decoder.kind]:
        gold = _a_labelling(schema)
        found = _decoded(decoder, _leaning(gold, schema)).tolist()
        names = schema.label_names
        require(
            found == gold,
            f"decoder '{decoder.name}' gives {_shown(found, names)} where "
            f"{_shown(gold, names)} is by far the likeliest",
            "prefer likely labels: values are log-probabilities, the highest is the best; column i is the i-th of "
            "schema.label_names",
        )


def _alone(decoder: Decoder) -> None:
    for schema in SCHEMAS[decoder.kind]:
        together = _random_scores(schema, (5, 1, 3, 8) if decoder.kind == "token" else (1,) * 8)
        found = _decoded(decoder, together).tolist()
        parts = [int(label) for scores in _sentences(together) for label in _decoded(decoder, scores)]
        require(
            found == parts,
            f"decoder '{decoder.name}' gives {_shown(found, schema.label_names)} to some "
            f"{'sentences' if decoder.kind == 'token' else 'texts'} together and "
            f"{_shown(parts, schema.label_names)} to each alone",
            "begin anew with each sentence, they lie one after the other and scores.lengths says where; keep no state",
        )


def _valid(decoder: Decoder) -> None:
    from labelkit.labels.schemes import violation_error, violations

    for schema in SCHEMAS["token"]:
        if schema.scheme is None:
            continue
        scores = _random_scores(schema, (1,) * 20 + (9,) * 20)
        found, start, faults = _decoded(decoder, scores).tolist(), 0, []
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


def _all_scores(decoder: Decoder, schema: Schema) -> Iterator[Scores]:
    """Yield scores of all shapes; some are those of words that no encoder saw."""
    from labelkit.inference.engine import IMPOSSIBLE

    for lengths in LENGTHS[decoder.kind]:
        yield _random_scores(schema, lengths)
        unseen = _random_scores(schema, lengths)
        unseen.values[:] = IMPOSSIBLE
        unseen.values[:, 0] = 0.0
        yield unseen


def _random_scores(schema: Schema, lengths: Sequence[int]) -> Scores:
    import numpy as np

    values = np.random.default_rng(7).normal(scale=2.0, size=(sum(lengths), len(schema.label_names)))
    values -= np.logaddexp.reduce(values, axis=1, keepdims=True) if len(values) else 0.0
    return Scores(values=values.astype(np.float32), lengths=np.array(lengths, np.int64), schema=schema)


def _a_labelling(schema: Schema) -> list[int]:
    """Return ids that the scheme allows for sentences of 4, 1 and 3 words, or for 8 texts."""
    if schema.scheme is None:
        return [index % len(schema.label_names) for index in range(8)]
    from labelkit.labels.schemes import tags_of

    spans = [[(0, 2, "PER"), (3, 4, "LOC")], [], [(0, 3, "LOC")]]
    tags = [tag for one, length in zip(spans, (4, 1, 3), strict=True) for tag in tags_of(one, length, schema.scheme)]
    return [schema.label_names.index(tag) for tag in tags]


def _leaning(gold: Sequence[int], schema: Schema) -> Scores:
    """Return scores under which ``gold`` is by far the likeliest."""
    import numpy as np

    size = len(schema.label_names)
    values = np.full((len(gold), size), math.log(0.01 / (size - 1)), np.float32)
    values[np.arange(len(gold)), gold] = math.log(0.99)
    lengths = (4, 1, 3) if schema.kind == "token" else (1,) * len(gold)
    return Scores(values=values, lengths=np.array(lengths, np.int64), schema=schema)


def _sentences(scores: Scores) -> Iterator[Scores]:
    start = 0
    for length in scores.lengths.tolist():
        stop = start + length
        yield Scores(values=scores.values[start:stop], lengths=scores.lengths[:1] * 0 + length, schema=scores.schema)
        start = stop


# -- asking a decoder -------------------------------------------------------------------------------------------------


def _decoded(decoder: Decoder, scores: Scores) -> NDArray[np.int64]:
    """Return the ids that a decoder gives, one of the schema's for each word."""
    import numpy as np

    words, labels = scores.values.shape
    what = f"decode() of decoder '{decoder.name}', given {words} words of {len(scores.lengths)} sentences,"
    before = scores.values.copy()
    with calling_offline(what, "handle it: there may be no sentence at all, or one without words"):
        found: NDArray[Any] = np.asarray(decoder.decode(scores))
    advice = f"return an int64 array of shape ({words},) with ids from 0 to {labels - 1}, columns of scores.values"
    require(
        found.shape == (words,) and (not words or found.dtype.kind in "iu"),
        f"{what} returns {found.dtype} of shape {found.shape}",
        advice,
    )
    wrong = sorted({int(label) for label in found if not 0 <= label < labels})
    require(not wrong, f"{what} returns the ids {wrong[:5]}, which are no labels", advice)
    require(
        bool((scores.values == before).all()),
        f"{what} changes scores.values",
        "work on a copy: metrics and calibration read them afterwards",
    )
    return found.astype(np.int64)


def _shown(ids: Sequence[int], names: Sequence[str]) -> str:
    return " ".join(names[label] for label in ids)


def _without_tags(decoder: Decoder) -> str:
    return "" if decoder.kind == "token" else "texts have no sequences of labels"


QUESTIONS = (
    KIND,
    Question(
        name="ids",
        asks="it gives one label id of the schema for each word, also for no words, and leaves the scores alone",
        ask=_ids,
        needs=("kind",),
    ),
    Question(
        name="obvious",
        asks="where one allowed labelling is by far the likeliest, it gives that one",
        ask=_obvious,
        needs=("ids",),
    ),
    Question(name="alone", asks="the sentences around a sentence do not matter", ask=_alone, needs=("ids",)),
    Question(
        name="valid",
        asks="its labels form sequences that the tagging scheme allows, in all four schemes",
        ask=_valid,
        needs=("ids",),
        unless=_without_tags,
    ),
)
