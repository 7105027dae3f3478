"""Apply preprocessors and hold them to their promise: as many words as before, nothing else touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from labelkit.data.views import map_examples
from labelkit.errors import LabelkitError
from labelkit.records import Example, Preprocessor


def apply(preprocessors: Sequence[Preprocessor], examples: Sequence[Example]) -> Sequence[Example]:
    """Return the examples with their surfaces set.

    :raises LabelkitError: a preprocessor failed or changed what it may not; of stored examples, when one is read.
    """
    for preprocessor in preprocessors:
        examples = map_examples(examples, partial(_apply, preprocessor))
    return examples


def _apply(preprocessor: Preprocessor, example: Example) -> Example:
    try:
        changed = preprocessor.apply(example)
    except Exception as error:
        raise LabelkitError(
            f"preprocessor '{preprocessor.name}' failed on example {example.id}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(changed, Example) or replace(changed, surface=example.surface) != example:
        raise LabelkitError(f"preprocessor '{preprocessor.name}' changed more than the surface of example {example.id}")
    if example.words is not None and changed.surface is not None and len(changed.surface) != len(example.words):
        raise LabelkitError(
            f"preprocessor '{preprocessor.name}' made {len(changed.surface)} words of {len(example.words)} "
            f"in example {example.id}"
        )
    return changed
