"""The check of HTML markup that was left in texts: tags such as ``<br />``, and entities such as ``&amp;``."""

from __future__ import annotations

import html.entities
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from labelkit.checks.common import Splits
from labelkit.checks.findings import CaseCollector, Finding, excerpt
from labelkit.data.scheme_conversion import place_of
from labelkit.records import Example
from labelkit.records.contents import shown_content

# known names only: in a text about programs, <T> and <int> are no markup
_NAMES = (
    "a|b|big|blockquote|br|center|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|s|small|span|strong|sub|sup|"
    "table|tbody|td|th|thead|tr|u|ul"
)
_MARKUP = re.compile(
    rf"</?(?P<tag>{_NAMES})(?:\s[^<>]{{0,500}})?/?>|&(?P<entity>#\d{{1,7}}|#x[0-9a-f]{{1,6}}|[a-z][a-z0-9]{{1,31}});",
    re.IGNORECASE,
)
#: fewer examples than these, or a smaller share of a split, may well be about HTML, or quote it
_FEWEST = 3
_SHARE = 0.001


def markup(splits: Splits, limit: int) -> Iterator[Finding]:
    """Yield HTML markup in texts, where it is in more than single examples of a split."""
    for split, examples in splits.items():
        cases, counts = CaseCollector(limit), Counter[str]()
        for example in examples:
            content = shown_content(example)
            if "<" not in content and "&" not in content:
                continue
            if found := [match for match in _MARKUP.finditer(content) if _is_markup(match)]:
                counts.update(map(_shown, found))
                cases.add(place_of(example), excerpt(content, *found[0].span()) if cases.has_room else "")
        if cases.count < max(_FEWEST, _SHARE * len(examples)):
            continue
        most = ", ".join(f"{mark} ({times:,})" for mark, times in counts.most_common(5))
        message = f"{_noun(examples)} hold HTML markup: {most}{', …' if len(counts) > 5 else ''}"
        advice = (
            "where it is left over from web pages, remove it, here and from what is to be labelled: html.unescape "
            "replaces entities; offsets of spans change with the text"
        )
        yield from cases.findings("markup", "note", split, message, advice, total=len(examples))


def _is_markup(match: re.Match[str]) -> bool:
    name = match["entity"]
    return name is None or name[0] == "#" or f"{name};" in html.entities.html5


def _shown(match: re.Match[str]) -> str:
    """Return a tag without its attributes, or an entity."""
    return match[0] if match["entity"] else f"<{match['tag'].lower()}>"


def _noun(examples: Sequence[Example]) -> str:
    return "texts" if examples[0].words is None else "examples"
