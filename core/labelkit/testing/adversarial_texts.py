"""Adversarial texts: whatever labels, writes or preprocesses texts has to cope with all of them."""

from __future__ import annotations

#: texts that users may want to have labelled
TEXTS: tuple[str, ...] = (
    "",
    "   \t ",
    "\r\n\r\n",
    ".",
    "Ada\tLovelace\nwas born\r\nin London\x0b.\x0c",
    "\x00 NUL and \x1b[31mred\x1b[0m and \x7f",
    "[red]markup[/red] <b>&amp;</b> <script>alert('1')</script>",
    "\"quotes\", 'single', `back`, commas, ; and | and \\n",
    "e\u0301 is not \u00e9, \ufb01 is not fi, \u1e9b\u0323",
    "\u200b\u200d\ufeff \u00ad\u2060",
    "\u2028line\u2029paragraph\u0085next",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1ef\U0001f1f5 \U0001f44d\U0001f3fd in Rome",
    "\u202eevil right to left\u202c \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\u6771\u4eac\u90fd\u306b\u4f4f\u3093\u3067\u3044\u307e\u3059 \u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324 zalgo",
    "half a pair \ud83d and \udc4d alone",
    "\uffff \ufffe \ufffd \U0010ffff",
    "-DOCSTART- -X- O O",
    "# not a comment\n1\tnot\tCoNLL-U",
    "https://example.org/a?b=c&d=%20#e someone@example.org @name #tag :-)",
    "a" * 5_000,
    "Ada lived in London . " * 400,
)

#: the same as words that were split by a user, empty ones and white space among them
WORDS: tuple[tuple[str, ...], ...] = (
    *(tuple(text.split()) for text in TEXTS),
    (" ",),
    ("\u200b",),
    ("New York", "is", "one\nword"),
    ("\x00", "\t", "\ud83d", "word"),
    ("", "", ""),
)
