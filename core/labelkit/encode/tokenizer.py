"""Load a tokenizer the way labelkit needs it: fast, untruncated, unpadded, right for words that are split already."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: what a tokenizer without a limit of its own reports is far above this
UNLIMITED = 1_000_000
#: models whose position ids start after the padding id
ROBERTA_FAMILY = frozenset({
    "camembert", "data2vec-text", "ibert", "longformer", "luke", "mpnet", "roberta", "roberta-prelayernorm",
    "xlm-roberta", "xlm-roberta-xl", "xmod",
})  # fmt: skip
#: windows for encoders without a limit of their own
DEFAULT_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Frame:
    """What the tokenizer puts around a sequence.

    :param prefix: special tokens before it.
    :param suffix: special tokens after it.
    :param types: token types of prefix, body and suffix, where the model takes ``token_type_ids``; else None.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    types: tuple[int, int, int] | None

    @property
    def size(self) -> int:
        """Return the number of special tokens."""
        return len(self.prefix) + len(self.suffix)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the fast tokenizer in ``folder``; truncation and padding that were saved with it are cleared.

    :raises ModelError: there is none, it is broken, or the architecture has no fast tokenizer.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder), use_fast=True, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"no tokenizer could be loaded from {folder}: {reason}", hint="the folder needs a tokenizer.json"
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"{type(tokenizer).__name__} in {folder} is not a fast tokenizer, so sub-tokens cannot be matched to words",
            hint="choose an encoder with a tokenizer.json, or convert this one with transformers",
        )
    if not any((folder / name).is_file() for name in tokenizer.vocab_files_names.values()):
        # transformers would make an empty one, to which every word is unknown
        raise ModelError(f"no tokenizer is in {folder}", hint="the folder needs a tokenizer.json")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return prepare_for_words(tokenizer)


def prepare_for_words(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Make a byte-level BPE tokenizer put a space before each given word, as it saw words in pre-training.

    Only a tokenizer whose pre-tokenizer is byte-level and glues words together is changed. Passing the flag to
    ``from_pretrained`` is not enough: a generic tokenizer class ignores it.
    """
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    glued = [part for part in _byte_levels(state.get("pre_tokenizer")) if not part["add_prefix_space"]]
    if not glued:
        return tokenizer
    for part in glued:
        part["add_prefix_space"] = True
    # the classes of some models rebuild their pre-tokenizer from the flag, others keep what tokenizer.json says
    tokenizer.backend_tokenizer.pre_tokenizer = Tokenizer.from_str(json.dumps(state)).pre_tokenizer
    tokenizer.add_prefix_space = True
    tokenizer.init_kwargs["add_prefix_space"] = True
    return tokenizer


def _byte_levels(node: Any) -> list[dict[str, Any]]:
    """Return the byte-level parts of a serialised pre-tokenizer."""
    if not isinstance(node, dict):
        return []
    if node.get("type") == "Sequence":
        return [part for inner in node["pretokenizers"] for part in _byte_levels(inner)]
    return [node] if node.get("type") == "ByteLevel" else []


def frame_of(tokenizer: PreTrainedTokenizerBase) -> Frame:
    """Return the special tokens around a sequence, read off one tokenized word."""
    probe = tokenizer(
        ["a"], is_split_into_words=True, return_token_type_ids="token_type_ids" in tokenizer.model_input_names
    )
    inside = [position for position, word in enumerate(probe.word_ids()) if word is not None]
    ids = probe["input_ids"]
    start, stop = (inside[0], inside[-1] + 1) if inside else (len(ids), len(ids))
    types = probe.get("token_type_ids")
    kinds = (types[0], types[start], types[-1]) if types and inside else None
    return Frame(tuple(ids[:start]), tuple(ids[stop:]), kinds)


def max_length_of(tokenizer: PreTrainedTokenizerBase, config: Any) -> int:
    """Return how many sub-tokens, special ones included, the encoder reads at once.

    The smaller of what the tokenizer and the position embeddings allow; RoBERTa's family spends the first
    ``pad_token_id + 1`` positions on padding.
    """
    positions = getattr(config, "max_position_embeddings", None) or UNLIMITED
    if config.model_type in ROBERTA_FAMILY and positions < UNLIMITED:
        positions -= (config.pad_token_id or 0) + 1
    declared = tokenizer.model_max_length if tokenizer.model_max_length < UNLIMITED else UNLIMITED
    limit = min(positions, declared)
    return DEFAULT_LENGTH if limit >= UNLIMITED else int(limit)


def fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a SHA-256 over everything that decides how words become sub-tokens."""
    state = tokenizer.backend_tokenizer.to_str() + json.dumps(tokenizer.model_input_names)
    return hashlib.sha256(state.encode()).hexdigest()
