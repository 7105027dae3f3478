"""Check the texts that programs give a labeller, and number them as examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.records import Example, Kind, TextPair

if TYPE_CHECKING:
    from labelkit.models.checkpoint import CheckpointInfo

TextInput = str | Sequence[str] | TextPair | Example


def numbered_examples(texts: Iterable[TextInput], kind: Kind) -> Iterator[Example]:
    """Yield an example of each text, pair of texts, or words of a sentence, with its number from 1 as id.

    :param kind: of the labeller.
    :raises LabelkitError: one is neither; names its position, and not its content.
    """
    if isinstance(texts, str):
        raise LabelkitError("several texts are needed, this is one", hint="labeller.label(text), or label_all([text])")
    for number, text in enumerate(texts, 1):
        if isinstance(text, Example):
            yield text
        elif isinstance(text, TextPair):
            yield _of_pair(number, text)
        elif isinstance(text, str):
            yield Example(id=str(number), text=text)
        else:
            yield _of_words(number, text, kind)


def check_pair(example: Example, info: CheckpointInfo) -> None:
    """Raise if a labeller of pairs of texts gets a single one, or the other way round.

    :raises LabelkitError: it does; names no file.
    """
    if example.pair is not None and not info.takes_pairs:
        what = "words" if info.kind == "token" else "single texts"
        hint = "--columns text=NAME labels one text of each record"
        raise LabelkitError(f"this is a pair of texts, and the labeller is one of {what}", hint=hint)
    if example.pair is None and info.pairs:
        hint = "name both texts: --columns text=…,pair=…, --text A --pair B, or labelkit.TextPair(A, B) in Python"
        raise LabelkitError("this is a single text, and the labeller is one of pairs of texts", hint=hint)


def _of_pair(number: int, given: TextPair) -> Example:
    """Return the example of a pair of texts.

    :raises LabelkitError: one of them is no text.
    """
    texts: tuple[object, object] = given.text, given.pair
    for which, text in zip(("first", "second"), texts, strict=True):
        if not isinstance(text, str):
            what = f"the {which} text of pair {number} is of type {type(text).__name__}"
            raise LabelkitError(f"{what}, a str is needed", hint="convert it before")
    return Example(id=str(number), text=given.text, pair=given.pair)


def _of_words(number: int, words: object, kind: Kind) -> Example:
    """Return the example of a sentence that is split into words.

    :raises LabelkitError: it is no list of words, or the labeller is one of texts.
    """
    where = f"text {number}"
    if words is None:
        raise LabelkitError(f"{where} is None, not a text", hint="leave it out, or give ''")
    if not isinstance(words, Sequence) or isinstance(words, bytes):
        needed = "a str" if kind == "text" else "a str or a list of words"
        raise LabelkitError(f"{where} is of type {type(words).__name__}, {needed} is needed", hint="convert it before")
    if kind == "text":
        raise LabelkitError(
            f"{where} is a {type(words).__name__} of {len(words):,}, a labeller of texts takes one str",
            hint="labeller.label_all([…]) labels several texts, labelkit.TextPair(A, B) is a pair of texts",
        )
    for position, word in enumerate(words, 1):
        if not isinstance(word, str):
            raise LabelkitError(
                f"word {position} of {where} is of type {type(word).__name__}, a str is needed",
                hint="convert it before",
            )
    return Example(id=str(number), words=tuple(words))
