"""The labelling configuration of a project: which tags take labels of a text, and what each label is called there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from labelkit.errors import DataError
from labelkit.records import Kind

#: tag of the configuration → the kind of labeller whose labels it takes, and the tags of its labels
_CONTROLS: Mapping[str, tuple[Kind, str]] = {"Labels": ("token", "Label"), "Choices": ("text", "Choice")}
#: types of results that hold labels of a text; each is also the field of their labels
RESULT_TYPES = ("labels", "choices")
_HINT = 'it needs <Labels> or <Choices> with toName of a <Text value="$field">'


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A tag of the configuration that takes labels.

    :param kind: of the labellers that it takes labels from.
    :param data_key: of a task's data that holds the text.
    :param names: label of a labeller, which may be one of its ``predicted_values`` → the project's name of it.
    """

    name: str
    to_name: str
    kind: Kind
    data_key: str
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The name of its tag."""
        return "Labels" if self.kind == "token" else "Choices"

    @property
    def type(self) -> str:
        """The type of its results, which is also the field of their labels."""
        return "labels" if self.kind == "token" else "choices"

    def text(self, data: Mapping[str, object]) -> str | None:
        """Return the text of a task; None if it has none."""
        found = data.get(self.data_key)
        return found if isinstance(found, str) else None

    def label_of(self, name: str, known: Mapping[str, object]) -> str:
        """Return the labeller's label for a name of the project.

        :param known: the labels of the labeller.
        """
        return next((ours for ours, theirs in self.names.items() if theirs == name and ours in known), name)


def parse_label_config(config: str) -> list[Control]:
    """Return the tags of a configuration that take labels of texts, in order.

    :raises DataError: it is invalid XML, or has no such tag.
    """
    if re.search(r"<!(DOCTYPE|ENTITY)", config, re.IGNORECASE):
        raise DataError("the label config declares a document type", hint="remove the declaration")
    try:
        root = ElementTree.fromstring(config)  # noqa: S314 - without entities
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"the label config is invalid XML: {error}", hint=_HINT) from None
    texts = dict(_texts(root))
    found = [control for tag in root.iter() for control in _control(tag, texts)]
    if not found:
        raise DataError("the label config has no labels or choices of a text", hint=_HINT)
    return found


def _texts(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Yield name and field of each text that tasks hold; one that they only link to is not fetched."""
    for tag in root.iter("Text"):
        value = tag.get("value", "")
        if value.startswith("$") and tag.get("valueType", "text") == "text":
            yield tag.get("name", ""), value[1:]


def _control(tag: ElementTree.Element, texts: Mapping[str, str]) -> Iterator[Control]:
    if tag.tag not in _CONTROLS or tag.get("perRegion", "false") == "true":
        return
    kind, label_tag = _CONTROLS[tag.tag]
    to_name = next((name for name in tag.get("toName", "").split(",") if name in texts), None)
    if to_name is not None:
        names = dict(_names(tag, label_tag))
        yield Control(name=tag.get("name", ""), to_name=to_name, kind=kind, data_key=texts[to_name], names=names)


def _names(tag: ElementTree.Element, label_tag: str) -> Iterator[tuple[str, str]]:
    """Yield each name under which a labeller may know a label of a tag, with the name in results; own names last."""
    labels: list[tuple[dict[str, str], str]] = [
        (one.attrib, one.attrib.get("alias") or one.attrib.get("value", "")) for one in tag.iter(label_tag)
    ]
    for one, shown in labels:
        for name in one.get("predicted_values", "").split(","):
            if name.strip():
                yield name.strip(), shown
    for one, shown in labels:
        yield one.get("value", shown), shown
        yield shown, shown
