"""Let a tokenizer that lower-cases everything keep a trace of capitals: names are found by them.

A sign that the tokenizer knows is put after each capitalised word, by a rule inside of ``tokenizer.json``. So a
checkpoint stays a plain folder that tokenizes alike wherever it is opened. After and not before: labels are learned on
the first sub-token of a word, which stays one that the encoder knows what to make of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: put after a capitalised word; a sign of its own for tokenizers that split at punctuation
MARK = "^"
#: the place behind a word that begins with a capital
BEHIND = r"(?<![\p{L}\p{M}])\p{Lu}[\p{L}\p{M}]*+\K"


def marking(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return a tokenizer that marks words which begin with a capital; one that keeps capitals is returned as it is."""
    from tokenizers import Regex, Tokenizer, normalizers
    from transformers import PreTrainedTokenizerFast

    if not applies(tokenizer):
        return tokenizer
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.normalizer = normalizers.Sequence([normalizers.Replace(Regex(BEHIND), MARK), backend.normalizer])
    # the class of a model would build its own normalizer again when the checkpoint is opened, the generic one does not
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def applies(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether capitals are lost, and the mark would be a sub-token of its own."""
    normalizer = json.loads(tokenizer.backend_tokenizer.to_str()).get("normalizer")
    if any(part.get("content") == MARK for part in _parts(normalizer)):
        return False  # it marks already
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
