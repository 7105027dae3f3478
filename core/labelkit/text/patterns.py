"""The regular expressions of the splitters: Unicode word boundaries (UAX #29), and what is never split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import regex

# White space as str.isspace() defines it; regex's own \s lacks the separators U+001C to U+001F.
_BLANK = r"\s\x1c-\x1f"
_VISIBLE = rf"[^{_BLANK}]"
_QUOTED = '"“”„«»'

# Abbreviations that keep their full stop; single letters and dotted letters (U.S.) need no list.
_ABBREVIATIONS = """
    Mr Mrs Ms Mme Mlle Messrs Dr Prof Rev Hon St Jr Sr Ph.D Gov Sen Sens Rep Reps Gen Col Lt Capt Sgt Maj Cpl Adm
    Inc Corp Ltd Co Cos Bros Bhd Dept Univ vs vol approx etc cf al ca
    Jan Feb Aug Sep Sept Oct Nov Dec Ave Blvd Rd Mt Ft
    Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky La Mass Md Mich Minn Mo Mont Neb Nev Okla Ore Pa Tenn Tex
    Va Vt Wash Wis Wyo
"""
_ABBREVIATED = "|".join(map(regex.escape, (_ABBREVIATIONS + _ABBREVIATIONS.upper()).split()))

_CLITIC = r"(?:[nN]['’][tT]|['’](?i:s|re|ve|ll|d|m))(?!\w)"
_ABBREVIATION = rf"""(?:(?<!\w)(?:
    {_ABBREVIATED}
  | \p{{L}}\.\p{{L}}(?:\.\p{{L}})*+    # U.S., e.g.
  | \p{{Lu}}(?!\.\s*\Z)                # an initial, except at the very end: vitamin C.
  | [Nn]o(?=\.\s*\d)
)\.(?!\w))"""
# From one word boundary of UAX #29 to the next, or to a clitic: "don" of "don't" ends before "n't".
_UNIT = rf"(?:\w(?:(?!{_CLITIC}){_VISIBLE})*?(?:\b|(?={_CLITIC})))"
_PART = rf"(?:{_ABBREVIATION}|{_UNIT})"
_LINK = r"(?:(?:https?|ftp)://|www\.)"

# Flags: \X and \b count all regional indicators before a place, which takes quadratic time in a long run of them.
# \X is the last alternative, and its group is named for the test that counts how often it is tried.
_FLAG = r"(?:\p{RI}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*+)"

_WORD = rf"""
    [A-Za-z]++(?=[{_BLANK},;!?)"”]|\Z)                               # most words, fast: the rules below agree
  | {_LINK}[^{_BLANK}<>{_QUOTED}]*[\w/=\#&%~+$-]                    # links, without the punctuation behind
  | (?<![\w@])[\w.+-]{{1,64}}+@\w[\w-]*+(?:\.\w[\w-]*+)+              # mail addresses
  | (?<!\w)(?:
        [:;=]['’]?[-~^o]?[()\[\]DPpOo/\\|*3]{{1,9}}+ | [(\[][-^]?[:;=] | 8-[)(D] | <3 | \^_*\^ | -_+- | [TtOo]_+[TtOo]
    )(?!\w)                                                          # emoticons
  | &\#?\w+;                                                         # entities of HTML
  | ([._=~+\#<>'`-])\1+ | [!?]{{2,}} | (?<!\w)\*++(?!\w)             # runs: ... -- !!
  | (?<=\w){_CLITIC} | (?<!{_VISIBLE})['’](?i:s|re|ve|ll|d|m)(?!\w)  # 's
  | (?<!\w)['’]\d\ds?(?!\w)                                          # '90s
  | (?<!\w)[@\#](?:(?!{_CLITIC})\w)+                                 # @user, #tag
  | (?m:^)\d+\.(?=[ \t])                                             # the number of an item in a list
  | \p{{Lu}}{{1,3}}\p{{Sc}}                                          # US$
  | (?<!\w)(?:[-+−]?[.]?|\*+){_PART}                                 # words and numbers; 14-6, AT&T, 7:30
    (?:(?!{_CLITIC})(?:[-‐‑/&+=_@.'’]|\*+|\\/|(?<=\d):(?=\d))(?=\w){_PART})*+
    (?:(?:[-+=/]|(?<=\d)--|[-=]{{3,}})(?!{_VISIBLE})|[-+](?![-+\w])|\*+(?!\w))?
  | {_UNIT}
  | {_FLAG} | \p{{GCB=Prepend}} | (?={_VISIBLE})(?P<cluster>\X)      # anything else, a grapheme cluster each
"""
_CHARACTER = rf"{_FLAG} | \p{{GCB=Prepend}}+(?=[{_BLANK}]|\Z) | (?={_VISIBLE})(?P<cluster>\X)"
_ALONE = r"""(?<!\S)(?:[.,;:!?()\[\]{}"“”'’]|``|''|[nN]['’][tT]|['’](?i:s|re|ve|ll|d|m))(?!\S)"""
_ATTACHED = r"""(?:\w[,;:!?]|[\w.!?,][”"“)\]}]|\w[.!?,;:]{2,})(?!\S)|(?<!\S)["“(\[{]\w"""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Compiled patterns.

    :param word: one word of raw text.
    :param character: one grapheme cluster.
    :param alone: a punctuation mark or clitic between white space.
    :param attached: a punctuation mark next to a word.
    :param full_stop: a full stop next to a word that is not an abbreviation, nor numbers as in "the 3.40s.".
    :param comma: a comma next to a word.
    :param link: a text that is one link.
    """

    word: regex.Pattern[str]
    character: regex.Pattern[str]
    alone: regex.Pattern[str]
    attached: regex.Pattern[str]
    full_stop: regex.Pattern[str]
    comma: regex.Pattern[str]
    link: regex.Pattern[str]

    @classmethod
    def compile(cls) -> Self:
        """Compile the patterns; the flag WORD makes ``\\b`` a word boundary of UAX #29."""
        flags = regex.VERBOSE | regex.WORD | regex.V1
        return cls(
            word=regex.compile(_WORD, flags),
            character=regex.compile(_CHARACTER, flags),
            alone=regex.compile(_ALONE, regex.V1),
            attached=regex.compile(_ATTACHED, regex.V1),
            full_stop=regex.compile(rf"\w(?<!\d[sS])\.(?!\S)(?<!{_ABBREVIATION})", flags),
            comma=regex.compile(r"\w,(?!\S)", regex.V1),
            link=regex.compile(rf"\s*{_LINK}\S+\s*", regex.V1),
        )
