"""Case marks: uncased tokenizers keep a trace of capitals, by which names are found.

A normalizer inside ``tokenizer.json`` puts a known character after each capitalised word, so that a checkpoint stays a
plain folder which tokenizes alike wherever it is loaded. After and not before the word: labels are learned on its
first subword, which thus stays one that was pre-trained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: put after a capitalised word; a subword of its own for tokenizers that split at punctuation
MARK = "^"
#: matches the empty string after a capitalised word
AFTER_CAPITALISED = r"(?<![\p{L}\p{M}])\p{Lu}[\p{L}\p{M}]*+\K"


def add_case_marks(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return a tokenizer with case marks; one that is cased, or cannot have them, is returned unchanged."""
    from tokenizers import Regex, Tokenizer, normalizers
    from transformers import PreTrainedTokenizerFast

    if not supports_case_marks(tokenizer):
        return tokenizer
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.normalizer = normalizers.Sequence([normalizers.Replace(Regex(AFTER_CAPITALISED), MARK), backend.normalizer])
    # a model's own tokenizer class would rebuild its normalizer when the checkpoint is loaded, the generic one does not
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def supports_case_marks(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a tokenizer is uncased, has no case marks, and would make the mark a subword of its own."""
    normalizer = json.loads(tokenizer.backend_tokenizer.to_str()).get("normalizer")
    if any(part.get("content") == MARK for part in _parts(normalizer)):
        return False
    lowers = any(part["type"] == "Lowercase" or part.get("lowercase") for part in _parts(normalizer))
    ids = tokenizer(["a", f"a{MARK}"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    return lowers and len(ids) == 3 and ids[2] != tokenizer.unk_token_id


def _parts(normalizer: Any) -> Iterator[dict[str, Any]]:
    """Yield the parts of a serialised normalizer."""
    if not isinstance(normalizer, dict):
        return
    if normalizer["type"] != "Sequence":
        yield normalizer
    for inner in normalizer.get("normalizers", ()):
        yield from _parts(inner)
