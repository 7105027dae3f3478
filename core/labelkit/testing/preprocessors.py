"""Contract checks of preprocessors: deterministic changes to what the tokenizer sees, and to nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

from labelkit.data.preprocess import surface_fault
from labelkit.records import Example, Preprocessor
from labelkit.testing.adversarial_texts import TEXTS, WORDS
from labelkit.testing.framework import KIND, Broken, CheckSet, offline_call, require, require_none
from labelkit.testing.subprocess_checks import Reproducible, digest

PLAIN = {
    "token": (
        Example(
            id="1",
            words=("Ada", "Lovelace", "lived", "in", "London", "."),
            text="Ada Lovelace lived in London.",
            offsets=((0, 3), (4, 12), (13, 18), (19, 21), (22, 28), (28, 29)),
            labels={"ner": ("B-PER", "I-PER", "O", "O", "B-LOC", "O")},
            document="d",
            extra={"own": ["field"]},
        ),
        Example(id="2", words=("It", "rained", "."), labels={"ner": ("O", "O", "O")}),
    ),
    "text": (
        Example(id="1", text="A warm, funny film.", labels={"label": "POSITIVE"}, extra={"own": ["field"]}),
        Example(id="2", text="Flat, slow and badly written", labels={"label": "NEGATIVE"}),
    ),
}
ADVERSARIAL = {
    "token": tuple(Example(id=str(number), words=words) for number, words in enumerate(WORDS, 1)),
    "text": tuple(Example(id=str(number), text=text) for number, text in enumerate(TEXTS, 1)),
}

CHECKS = CheckSet(KIND)


@CHECKS.check("keeps", needs=("kind",))
def check_changes_only_surface(preprocessor: Preprocessor) -> None:
    """It sets `surface`, with as many words as before, and changes nothing else."""
    require_none(
        (fault for example in PLAIN[preprocessor.kind] for fault in find_faults(preprocessor, example)),
        "return dataclasses.replace(example, surface=…) and leave everything else as it is",
    )


@CHECKS.check("deterministic", needs=("keeps",))
def check_deterministic(preprocessor: Preprocessor) -> None:
    """The same example becomes the same, whatever came before it."""
    examples = PLAIN[preprocessor.kind]
    first = [apply(preprocessor, example).surface for example in examples]
    again = [apply(preprocessor, example).surface for example in reversed(examples)]
    require(
        first == again[::-1],
        f"preprocessor '{preprocessor.name}' makes {first} of some examples and {again[::-1]} the next time",
        "let it depend on the example alone: no counters, no chance, nothing that it saw before",
    )


@CHECKS.check("ignores-labels", needs=("keeps", "deterministic"))
def check_ignores_labels(preprocessor: Preprocessor) -> None:
    """It does not look at labels."""
    for example in PLAIN[preprocessor.kind]:
        labelled = apply(preprocessor, example).surface
        bare = apply(preprocessor, replace(example, labels={})).surface
        require(
            labelled == bare,
            f"preprocessor '{preprocessor.name}' makes {labelled} of an example and {bare} of the same one without "
            "labels",
            "do not look at labels: when it labels there are none",
        )


@CHECKS.check("any-text", needs=("keeps",))
def check_any_text(preprocessor: Preprocessor) -> None:
    """It copes with any text: empty, endless, of all scripts, with control characters."""
    require_none(
        (fault for example in ADVERSARIAL[preprocessor.kind] for fault in find_faults(preprocessor, example)),
        "any text may be labelled: give as many words as there are, none where there are none",
    )


def surface_digests(preprocessor: Preprocessor) -> dict[str, str]:
    """Return plain example → digest of its surface."""
    examples = PLAIN[preprocessor.kind]
    return {f"example {example.id}": digest(apply(preprocessor, example).surface) for example in examples}


REPRODUCIBLE = Reproducible("surface", surface_digests, needs=("deterministic",))


def find_faults(preprocessor: Preprocessor, example: Example) -> Iterator[str]:
    """Yield what is wrong with what a preprocessor makes of an example."""
    before = copy.deepcopy(example)
    after = apply(preprocessor, example)
    of = f"of preprocessor '{preprocessor.name}', given {shorten(before)},"
    if example != before:
        yield f"apply() {of} changes the example that it is given"
    for name in Example.__dataclass_fields__:
        if name != "surface" and getattr(before, name) != getattr(after, name):
            yield f"apply() {of} changes {name}"
    if fault := surface_fault(preprocessor, after):
        yield f"apply() {of} {fault}"


def apply(preprocessor: Preprocessor, example: Example) -> Example:
    """Return the example that a preprocessor makes of another."""
    what = f"apply() of preprocessor '{preprocessor.name}', given {shorten(example)},"
    with offline_call(what, "handle it: any text may be labelled"):
        found = preprocessor.apply(example)
    if not isinstance(found, Example):
        raise Broken(f"{what} returns {type(found).__name__}", "return dataclasses.replace(example, surface=…)")
    return found


def shorten(example: Example) -> str:
    """Return the beginning of an example's text or words, for messages."""
    return f"{example.text if example.words is None else example.words!r:.60}"
