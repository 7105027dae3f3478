"""Read the label names of a trained model: spans in a tagging scheme, or plain labels. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from labelkit.errors import DataError, ModelError
from labelkit.labels.schemes import split_tag
from labelkit.labels.tag_styles import TagStyle, detect_style, outside_label
from labelkit.records import Kind, Schema, Scheme
from labelkit.records.examples import SCHEME_PREFIXES
from labelkit.settings import FileScheme

#: in place of an output's number: the model has no output for a label, which is never predicted
NO_OUTPUT = -1
#: the names that transformers gives to labels that nobody named
_UNNAMED = re.compile(r"LABEL_\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLabels:
    """The labels of a trained model.

    :param output_of: for each label of the schema the number of the model's output, or :data:`NO_OUTPUT`; empty where
        labels and outputs are the same in the same order.
    :param assumptions: what was assumed, a sentence each, with the option that says otherwise.
    """

    schema: Schema
    output_of: tuple[int, ...] = ()
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.output_of == tuple(range(len(self.schema.label_names))):
            object.__setattr__(self, "output_of", ())


def read_labels(names: Sequence[str], kind: Kind, scheme: FileScheme | None = None) -> ModelLabels:
    """Return the labels of a model whose outputs have these names.

    :param names: in the order of the outputs.
    :param scheme: of the tags, as the user named it; None to detect it.
    :raises ModelError: names are repeated or empty, or tags of several schemes.
    """
    counts = Counter(names)  # there may be a million
    repeated = next((name for name in names if not name or counts[name] > 1), None)
    if repeated is not None:
        raise ModelError(
            f"the label '{repeated}' stands twice in id2label" if repeated else "a label in id2label has no name",
            hint="correct config.json, or name all labels: labelkit adopt REF --labels A,B,…",
        )
    assumptions: tuple[str, ...] = ()
    if all(_UNNAMED.fullmatch(name) for name in names):
        last = f" to {names[-1]}" if len(names) > 1 else ""
        assumptions = (f"the labels are called {names[0]}{last}, as config.json names none: --labels names them",)
    elif kind == "token" and (found := _read_tags(names, scheme)):
        return found
    elif scheme is not None:
        raise ModelError(f"the labels are not tags: {', '.join(names[:5])}", hint="leave out --scheme")
    return ModelLabels(schema=Schema(name="model", kind=kind, labels=tuple(names)), assumptions=assumptions)


def _read_tags(names: Sequence[str], scheme: FileScheme | None) -> ModelLabels | None:
    """Return labels that are tags; None where they are plain labels."""
    style = detect_style(dict.fromkeys(names, 1), list, scheme=scheme) or TagStyle(tags={})
    if style.mirrored:
        raise ModelError(
            f"the labels are tags of {style.mirrored}, which no labeller predicts", hint="name the scheme: --scheme"
        )
    outside = outside_label(dict.fromkeys(names, 1))
    tags = ["O" if name == outside else style.tags.get(name, name) for name in names]
    parts = _parts_of(tags)
    if not parts:
        return None
    _check_tags(names, tags, parts)
    prefixes: dict[str, set[str]] = {}
    for prefix, type_ in parts.values():
        prefixes.setdefault(type_, set()).add(prefix)
    chosen, assumptions = _scheme_of(prefixes, scheme)
    said = tuple(f"{one.statement}: --scheme says otherwise" for one in style.assumptions)
    output = {tag: index for index, tag in enumerate(tags)}
    schema = Schema(name="model", kind="token", types=tuple(prefixes), scheme=chosen)
    outputs = tuple(output.get(label, NO_OUTPUT) for label in schema.label_names)
    return ModelLabels(schema=schema, output_of=outputs, assumptions=(*said, *(() if said else assumptions)))


def _parts_of(tags: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return prefix and type of each tag but O, in order."""
    found: dict[str, tuple[str, str]] = {}
    for tag in tags:
        try:
            prefix, type_ = split_tag(tag)
        except DataError:
            continue
        if type_:
            found[tag] = (prefix, type_)
    return found


def _check_tags(names: Sequence[str], tags: Sequence[str], parts: Mapping[str, tuple[str, str]]) -> None:
    """Raise if some labels are tags and others are not, or two labels mean the same tag.

    :raises ModelError: they do.
    """
    other = next((name for name, tag in zip(names, tags, strict=True) if tag != "O" and tag not in parts), None)
    if other is not None:
        raise ModelError(
            f"labels of mixed schemes: '{next(iter(parts))}' is a tag of a span, '{other}' is not",
            hint="correct id2label in config.json, or name all labels: labelkit adopt REF --labels A,B,…",
        )
    first: dict[str, str] = {}
    for name, tag in zip(names, tags, strict=True):
        if first.setdefault(tag, name) != name:
            raise ModelError(
                f"labels of mixed schemes: '{first[tag]}' and '{name}' are both read as {tag}",
                hint="correct id2label in config.json, or name all labels: labelkit adopt REF --labels A,B,…",
            )


def _scheme_of(prefixes: Mapping[str, set[str]], wanted: FileScheme | None) -> tuple[Scheme, tuple[str, ...]]:
    """Return the scheme of tags, and what was assumed.

    :param prefixes: type → the prefixes of its tags.
    """
    found = set().union(*prefixes.values())
    fitting = [name for name, known in SCHEME_PREFIXES.items() if found <= set(known)]
    if not fitting:
        listed = ", ".join(f"{prefix}-" for prefix in sorted(found))
        raise ModelError(
            f"labels of mixed schemes: their prefixes are {listed}",
            hint="BIOES has B- I- E- S-, BILOU has B- I- L- U-: correct id2label in config.json",
        )
    named = next((name for name in SCHEME_PREFIXES if name == wanted), None)
    if named is not None and named not in fitting:
        raise ModelError(f"the labels do not fit {named}", hint=f"they fit {' and '.join(fitting)}")
    if named is not None or fitting[0] not in ("IOB1", "IOB2"):
        return named or fitting[0], ()
    if any("B" not in each for each in prefixes.values()):
        return "IOB1", ()  # in IOB2 each span begins with B-
    if "I" not in found:
        return "IOB2", ()
    return "IOB2", ("the tags are IOB2, though they could be IOB1: --scheme IOB1 says otherwise",)


def renamed(found: ModelLabels, name: str) -> ModelLabels:
    """Return labels whose schema is called ``name``."""
    return replace(found, schema=replace(found.schema, name=name))
