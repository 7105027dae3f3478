"""What a preprocessor promises: it sets what the tokenizer sees, and does the same to the same example every time."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

from labelkit.records import Example, Preprocessor
from labelkit.testing.base import Broken, Question, calling_offline, require, require_none
from labelkit.testing.elsewhere import Repeatable, print_of
from labelkit.testing.hostile import TEXTS, WORDS
from labelkit.testing.kinds import KIND

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


def _keeps(preprocessor: Preprocessor) -> None:
    require_none(
        (fault for example in PLAIN[preprocessor.kind] for fault in _faults(preprocessor, example)),
        "return dataclasses.replace(example, surface=…) and leave everything else as it is",
    )


def _any(preprocessor: Preprocessor) -> None:
    require_none(
        (fault for example in _hostile(preprocessor) for fault in _faults(preprocessor, example)),
        "any text may be labelled: give as many words as there are, none where there are none",
    )


def _pure(preprocessor: Preprocessor) -> None:
    examples = PLAIN[preprocessor.kind]
    first = [_applied(preprocessor, example).surface for example in examples]
    again = [_applied(preprocessor, example).surface for example in reversed(examples)]
    require(
        first == again[::-1],
        f"preprocessor '{preprocessor.name}' makes {first} of some examples and {again[::-1]} the next time",
        "let it depend on the example alone: no counters, no chance, nothing that it saw before",
    )


def _prints(preprocessor: Preprocessor) -> dict[str, str]:
    examples = PLAIN[preprocessor.kind]
    return {f"example {example.id}": print_of(_applied(preprocessor, example).surface) for example in examples}


def _blind(preprocessor: Preprocessor) -> None:
    for example in PLAIN[preprocessor.kind]:
        seen = _applied(preprocessor, example).surface
        bare = _applied(preprocessor, replace(example, labels={})).surface
        require(
            seen == bare,
            f"preprocessor '{preprocessor.name}' makes {seen} of an example and {bare} of the same one without labels",
            "do not look at labels: when it labels there are none",
        )


def _hostile(preprocessor: Preprocessor) -> Iterator[Example]:
    if preprocessor.kind == "text":
        yield from (Example(id=str(number), text=text) for number, text in enumerate(TEXTS, 1))
    else:
        yield from (Example(id=str(number), words=words) for number, words in enumerate(WORDS, 1))


def _faults(preprocessor: Preprocessor, example: Example) -> Iterator[str]:
    before = copy.deepcopy(example)
    after = _applied(preprocessor, example)
    of = f"of preprocessor '{preprocessor.name}', given {_shown(before)},"
    if example != before:
        yield f"apply() {of} changes the example that it is given"
    changed = [name for name in Example.__dataclass_fields__ if getattr(before, name) != getattr(after, name)]
    for name in changed:
        if name != "surface":
            yield f"apply() {of} changes {name}"
    if preprocessor.kind == "token":
        yield _words_fault(of, before, after.surface)
    elif after.surface is not None and not isinstance(after.surface, str):
        yield f"surface {of} is {type(after.surface).__name__}, not one str"


def _words_fault(of: str, before: Example, surface: object) -> str:
    if surface is None:
        return ""
    if not isinstance(surface, tuple | list) or not all(isinstance(word, str) for word in surface):
        return f"surface {of} is {surface!r:.60}, not a tuple of str"
    wanted = len(before.words or ())
    return f"surface {of} has {len(surface)} words in place of {wanted}" if len(surface) != wanted else ""


def _applied(preprocessor: Preprocessor, example: Example) -> Example:
    what = f"apply() of preprocessor '{preprocessor.name}', given {_shown(example)},"
    with calling_offline(what, "handle it: any text may be labelled"):
        found = preprocessor.apply(example)
    if not isinstance(found, Example):
        raise Broken(f"{what} returns {type(found).__name__}", "return dataclasses.replace(example, surface=…)")
    return found


def _shown(example: Example) -> str:
    return f"{example.text if example.words is None else example.words!r:.60}"


#: what another process has to make as well
REPEATABLE = Repeatable(what="surface", prints=_prints, needs=("pure",))
QUESTIONS = (
    KIND,
    Question(
        name="keeps",
        asks="it sets `surface`, with as many words as before, and changes nothing else",
        ask=_keeps,
        needs=("kind",),
    ),
    Question(
        name="pure",
        asks="the same example becomes the same, whatever came before it",
        ask=_pure,
        needs=("keeps",),
    ),
    Question(name="blind", asks="it does not look at labels", ask=_blind, needs=("keeps", "pure")),
    Question(
        name="any-text",
        asks="it copes with any text: empty, endless, of all scripts, with control characters",
        ask=_any,
        needs=("keeps",),
    ),
)
