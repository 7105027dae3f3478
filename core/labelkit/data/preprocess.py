"""Apply preprocessors and check what they return: as many words as before, and nothing changed but the surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from labelkit.data.views import map_examples
from labelkit.errors import LabelkitError, explanation, package_of
from labelkit.records import Example, Preprocessor


def apply(preprocessors: Sequence[Preprocessor], examples: Sequence[Example]) -> Sequence[Example]:
    """Return the examples with the surfaces that the preprocessors set, one after the other.

    :raises LabelkitError: see :func:`apply_one`; for lazy sequences when the example is accessed.
    """
    for preprocessor in preprocessors:
        examples = map_examples(examples, partial(apply_one, preprocessor))
    return examples


def apply_one(preprocessor: Preprocessor, example: Example) -> Example:
    """Return an example with the surface that a preprocessor sets.

    :raises LabelkitError: the preprocessor failed, or changed more than the surface or the number of words.
    """
    if example.pair is not None:
        return _apply_to_pair(preprocessor, example)
    try:
        changed = preprocessor.apply(example)
    except Exception as error:
        raise LabelkitError(
            f"preprocessor '{preprocessor.name}'{package_of(preprocessor.apply)} failed on example {example.id}: "
            f"{explanation(error)}"
        ) from error
    if not isinstance(changed, Example):
        raise LabelkitError(
            f"preprocessor '{preprocessor.name}' returned {type(changed).__name__} for example {example.id}",
            hint="return dataclasses.replace(example, surface=…)",
        )
    if replace(changed, surface=example.surface) != example:
        raise LabelkitError(f"preprocessor '{preprocessor.name}' changed more than the surface of example {example.id}")
    if fault := surface_fault(preprocessor, changed):
        raise LabelkitError(f"preprocessor '{preprocessor.name}' {fault} in example {example.id}")
    return changed


def _apply_to_pair(preprocessor: Preprocessor, example: Example) -> Example:
    """Return a pair of texts with the surfaces that a preprocessor sets of each, as of a single text.

    :raises LabelkitError: see :func:`apply_one`; or it makes parts of a text.
    """
    before = example.surface or (None, None)
    found: list[str] = []
    for text, surface in zip((example.text or "", example.pair or ""), before, strict=True):
        changed = apply_one(preprocessor, replace(example, text=text, pair=None, surface=surface)).surface
        if isinstance(changed, tuple | list):
            raise LabelkitError(
                f"preprocessor '{preprocessor.name}' makes parts of texts, and example {example.id} is a pair already",
                hint="read single texts, or leave the preprocessor out",
            )
        found.append(text if changed is None else changed)
    return replace(example, surface=tuple(found))


def surface_fault(preprocessor: Preprocessor, changed: Example) -> str:
    """Return what is wrong with the surface that a preprocessor set; empty if nothing is."""
    surface: object = changed.surface
    if surface is None or (preprocessor.kind == "text" and isinstance(surface, str)):
        return ""
    if not isinstance(surface, tuple | list) or not all(isinstance(part, str) for part in surface):
        return f"set a surface that is no {'str' if preprocessor.kind == 'text' else 'tuple of str'}: {surface!r:.60}"
    if preprocessor.kind == "text":
        valid = preprocessor.parts and surface
        return (
            "" if valid else f"made {len(surface)} parts of a text{'' if preprocessor.parts else ' without parts=True'}"
        )
    words = len(changed.words or ())
    return "" if len(surface) == words else f"made {len(surface)} words of {words}"
