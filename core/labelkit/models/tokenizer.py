"""Load a tokenizer the way labelkit needs it: fast, untruncated, unpadded, right for words that are split already."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import ModelError
from labelkit.models import case_marks as case

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: what a tokenizer without a limit of its own reports is far above this
UNLIMITED = 1_000_000
#: architectures whose position ids start after the padding id, so that the first positions are never used
FIRST_POSITIONS_UNUSED = frozenset({
    "camembert", "data2vec-text", "esm", "ibert", "layoutlmv3", "lilt", "longformer", "luke", "markuplm", "mpnet",
    "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
})  # fmt: skip
#: architectures whose classifiers of texts look at the last position, whatever stands there
LAST_POSITION = frozenset({"xlnet"})
#: how configurations call the number of positions
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len")
#: what else may fill up a batch where there is no padding token; what is padding is never looked at
PADDING = ("eos_token", "bos_token", "sep_token", "unk_token")
#: words to find out how a tokenizer likes its words: given with a space before them, or without
PROBES = (("in", "the"), ("Ada", "lives"), ("a", "b"), ("we", "read"))
#: windows for encoders without a limit of their own
DEFAULT_LENGTH = 512


@dataclass(frozen=True, slots=True)
class SpecialTokens:
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


def load_tokenizer(folder: Path, *, mark_case: bool = False) -> PreTrainedTokenizerBase:
    """Load the fast tokenizer in ``folder``; truncation and padding that were saved with it are cleared.

    :param mark_case: let one that lower-cases keep a trace of capitals, see :mod:`labelkit.models.case_marks`.
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
    _prepare_for_model(tokenizer, folder)
    return case.marking(prepare_for_words(tokenizer)) if mark_case else prepare_for_words(tokenizer)


def _prepare_for_model(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Give the tokenizer what the model in ``folder`` needs; all of it is saved with the tokenizer."""
    from labelkit.models.architectures import is_causal

    if tokenizer.pad_token is None:
        tokenizer.pad_token = _padding_of(tokenizer)
    config = _config_of(folder)
    if config is None:
        return
    if is_causal(config.model_type):
        # to the right it comes after all that is read, and positions need no correction
        tokenizer.padding_side = "right"
    if config.model_type in LAST_POSITION:
        tokenizer.padding_side = "left"
    if config.is_encoder_decoder:
        # the end of a text must be marked once: what users wrote must not look like that mark
        tokenizer.split_special_tokens = tokenizer.init_kwargs["split_special_tokens"] = True
        tokenizer.backend_tokenizer.encode_special_tokens = True


def _padding_of(tokenizer: PreTrainedTokenizerBase) -> str:
    for name in PADDING:
        if token := getattr(tokenizer, name):
            return str(token)
    raise ModelError(
        f"{type(tokenizer).__name__} has no padding token and no other special one to use for it",
        hint="set pad_token in its tokenizer_config.json",
    )


def _config_of(folder: Path) -> Any:
    """Return the configuration of the model in ``folder``; None where there is none that transformers knows."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError):
        return None


def prepare_for_words(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Make a byte-level BPE tokenizer put a space before each given word, as it saw words in pre-training.

    Only a tokenizer whose pre-tokenizer begins with a byte-level one that glues words together is changed: where words
    are split before that, each part would get a space; such tokenizers are :func:`spaced`. Passing the flag to
    ``from_pretrained`` is not enough: a generic tokenizer class ignores it.
    """
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    first = _first_part(state.get("pre_tokenizer"))
    if first.get("type") != "ByteLevel" or first["add_prefix_space"]:
        return tokenizer
    first["add_prefix_space"] = True
    # the classes of some models rebuild their pre-tokenizer from the flag, others keep what tokenizer.json says
    tokenizer.backend_tokenizer.pre_tokenizer = Tokenizer.from_str(json.dumps(state)).pre_tokenizer
    tokenizer.add_prefix_space = True
    tokenizer.init_kwargs["add_prefix_space"] = True
    return tokenizer


def _first_part(node: dict[str, Any] | None) -> dict[str, Any]:
    """Return the part of a serialised pre-tokenizer that sees the text first."""
    while node and node.get("type") == "Sequence":
        node = next(iter(node["pretokenizers"]), None)
    return node or {}


def spaced(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a word needs a space before it to become the sub-tokens that it is in running text.

    So it is with the tokenizers of Llama 3, Qwen and Gemma. It is found out by trying.
    """
    encode: Any = tokenizer.backend_tokenizer.encode
    plain = with_space = 0
    for first, second in PROBES:
        running = encode(f"{first} {second}", add_special_tokens=False).ids
        plain += encode([first, second], is_pretokenized=True, add_special_tokens=False).ids == running
        with_space += encode([first, f" {second}"], is_pretokenized=True, add_special_tokens=False).ids == running
    return with_space > plain


def blank_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the ids of sub-tokens that are nothing but the space before a word."""
    backend: Any = tokenizer.backend_tokenizer
    found = (backend.token_to_id(token) for token in ("Ġ", "▁", " "))
    return tuple(found for found in found if found is not None and not backend.decode([found]).strip())


def special_tokens_of(tokenizer: PreTrainedTokenizerBase) -> SpecialTokens:
    """Return the special tokens around a sequence, read off one tokenized word."""
    probe = tokenizer(
        ["a"], is_split_into_words=True, return_token_type_ids="token_type_ids" in tokenizer.model_input_names
    )
    inside = [position for position, word in enumerate(probe.word_ids()) if word is not None]
    ids = probe["input_ids"]
    start, stop = (inside[0], inside[-1] + 1) if inside else (len(ids), len(ids))
    types = probe.get("token_type_ids")
    kinds = (types[0], types[start], types[-1]) if types and inside else None
    return SpecialTokens(tuple(ids[:start]), tuple(ids[stop:]), kinds)


def max_length_of(tokenizer: PreTrainedTokenizerBase, config: Any) -> int:
    """Return how many sub-tokens, special ones included, the encoder reads at once.

    The smaller of what the tokenizer and the position embeddings allow; RoBERTa's family spends the first
    ``pad_token_id + 1`` positions on padding.
    """
    declared = tokenizer.model_max_length if 0 < tokenizer.model_max_length < UNLIMITED else None
    known = [limit for limit in (declared, _positions(config)) if limit is not None]
    return min(known, default=DEFAULT_LENGTH)


def _positions(config: Any) -> int | None:
    """Return how many positions there are; None without a limit, for which some configurations say -1."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    found = (getattr(text, name, None) for name in POSITIONS)
    positions = next((int(number) for number in found if number and number > 0), None)
    if positions is None or text.model_type not in FIRST_POSITIONS_UNUSED:
        return positions
    return positions - (text.pad_token_id or 0) - 1


def fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a SHA-256 over everything that decides how words become sub-tokens."""
    state = tokenizer.backend_tokenizer.to_str() + json.dumps(tokenizer.model_input_names)
    return hashlib.sha256(state.encode()).hexdigest()
