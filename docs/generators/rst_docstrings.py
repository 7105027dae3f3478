"""Turn the reStructuredText of docstrings into the Markdown that mkdocstrings renders."""

from __future__ import annotations

import re
from textwrap import dedent, indent
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?(?:[^`<]*<)?([^`>]+)>?`")
_DOCTEST = re.compile(r"^(?P<margin> *)>>> .*\n?(?:^ *\S.*\n?)*", re.MULTILINE)
_CODE_BLOCK = re.compile(r"^ *\.\. code-block:: (\w+)\n\n((?:^(?:    .*)?\n?)+)", re.MULTILINE)


class RstDocstrings(griffe.Extension):
    """Rewrite the docstring of every object."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite roles, doctests and code blocks."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(text: str) -> str:
    """Return a docstring with roles as code, and doctests and code blocks fenced."""
    text = _ROLE.sub(r"`\1`", text).replace("``", "`")
    text = _CODE_BLOCK.sub(lambda block: f"```{block[1]}\n{dedent(block[2]).rstrip()}\n```\n\n", text)
    return _DOCTEST.sub(_fenced, text)


def _fenced(doctest: re.Match[str]) -> str:
    code = re.sub(r" *# doctest:.*", "", dedent(doctest[0])).rstrip()
    return indent(f"```pycon\n{code}\n```\n", doctest["margin"])
