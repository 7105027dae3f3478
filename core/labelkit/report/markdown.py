"""Markdown as safe HTML for a page: no HTML of its own, no images, headings below those of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

#: the level of the first heading on the page
_TOP = 3


def render_markdown(text: str) -> Markup:
    """Return Markdown as HTML; HTML in it is shown as text, and links have safe schemes only."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    from labelkit.formats.tools.html import visible

    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = parser.parse(visible(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + _TOP - 1)}"
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - the renderer escapes all text
