"""Properties of characters for ``labelkit.js``, as the packages have them that labelkit itself uses.

Programs differ in their versions of Unicode: a tokenizer may drop an emoji that the next one keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: first and last surrogate, which no text of a tokenizer holds
_SURROGATES = range(0xD800, 0xE000)
_LAST = 0x110000
#: Word_Break and Grapheme_Cluster_Break of UAX #29
WORD_BREAKS = (
    "ALetter", "Hebrew_Letter", "Numeric", "Katakana", "ExtendNumLet", "MidLetter", "MidNum", "MidNumLet",
    "Single_Quote", "Double_Quote", "Extend", "Format", "ZWJ", "Regional_Indicator", "WSegSpace", "CR", "LF", "Newline",
)  # fmt: skip
CLUSTER_BREAKS = (
    "CR", "LF", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark", "L", "V", "T", "LV", "LVT",
)  # fmt: skip


def splitter_characters() -> dict[str, list[int]]:
    """Return the ranges of the properties that the splitters look at, see :func:`gaps`."""
    characters = "".join(map(chr, range(_LAST)))

    def find(name: str) -> list[int]:
        found = regex.finditer(rf"\p{{{name}}}+", characters, regex.V1)
        return gaps(border for match in found for border in match.span())

    return {
        **{f"wb:{name}": find(f"WB={name}") for name in WORD_BREAKS},
        **{f"gcb:{name}": find(f"GCB={name}") for name in CLUSTER_BREAKS},
        "pictographic": find("ExtPict"),
    }


def bert_characters(backend: Tokenizer) -> dict[str, list[int]]:
    """Return the ranges of the characters that a tokenizer of BERT drops, and of those that are punctuation to it."""
    codes = [code for code in range(_LAST) if code not in _SURROGATES and code != ord("0")]
    # no character but the digit itself is normalised to a digit
    normalised = backend.normalizer.normalize_str("0".join(map(chr, codes))).split("0")
    removed = [code for code, found in zip(codes, normalised, strict=True) if not found]
    pieces = backend.pre_tokenizer.pre_tokenize_str("0".join(map(chr, codes)))
    punctuation = sorted({ord(piece) for piece, _ in pieces if len(piece) == 1 and piece != "0"})
    return {"removed": gaps(borders(removed)), "punctuation": gaps(borders(punctuation))}


def borders(codes: Iterable[int]) -> list[int]:
    """Return the borders of the ranges of ascending code points, ends exclusive.

    >>> borders([3, 4, 5, 9])
    [3, 6, 9, 10]
    """
    found: list[int] = []
    for code in codes:
        if found and found[-1] == code:
            found[-1] = code + 1
        else:
            found += (code, code + 1)
    return found


def gaps(ascending: Iterable[int]) -> list[int]:
    """Return the differences between ascending numbers, the first from 0: they are shorter.

    >>> gaps([65, 91, 97, 123])
    [65, 26, 6, 26]
    """
    found, before = [], 0
    for number in ascending:
        found.append(number - before)
        before = number
    return found
