"""Load fast tokenizers, without truncation and padding, prepared for pre-split words."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labelkit.errors import ModelError, one_line
from labelkit.files.small import unreadable
from labelkit.hub.offline import no_network
from labelkit.models.case_marks import add_case_marks

if TYPE_CHECKING:
    from tokenizers import Encoding as TokenEncoding
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

#: a tokenizer without a limit reports a ``model_max_length`` far above this
UNLIMITED = 1_000_000
#: architectures whose position ids start after the padding id, so that the first positions are unused
FIRST_POSITIONS_UNUSED = frozenset({
    "camembert", "data2vec-text", "esm", "ibert", "layoutlmv3", "lilt", "longformer", "luke", "markuplm", "mpnet",
    "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
})  # fmt: skip
#: architectures whose text classifiers pool the last position, padding or not
LAST_POSITION = frozenset({"xlnet"})
#: names of the number of positions in configurations
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len")
#: special tokens that pad where there is no padding token; padding is masked
PADDING_TOKENS = ("eos_token", "bos_token", "sep_token", "unk_token")
#: pairs of words by which :func:`needs_leading_space` tries a tokenizer
PROBES = (("in", "the"), ("Ada", "lives"), ("a", "b"), ("we", "read"))
#: max length of encoders without a limit
DEFAULT_MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class PairTokens:
    """The ids of the special tokens around two sequences, and the token type ids of such a pair.

    :param prefix: before the first sequence.
    :param middle: between the two; empty where the tokenizer joins them by nothing.
    :param suffix: after the second.
    :param types: token type ids of prefix, first sequence, middle, second sequence and suffix, one for each special
        token; None where the model takes no ``token_type_ids``.
    """

    prefix: tuple[int, ...]
    middle: tuple[int, ...]
    suffix: tuple[int, ...]
    types: tuple[tuple[int, ...], int, tuple[int, ...], int, tuple[int, ...]] | None

    @property
    def size(self) -> int:
        """Return the number of special tokens."""
        return len(self.prefix) + len(self.middle) + len(self.suffix)


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The ids of the special tokens around a sequence.

    :param prefix: before the sequence.
    :param suffix: after it.
    :param types: token type ids of prefix, sequence and suffix; None where the model takes no ``token_type_ids``.
    :param pair: those around a pair of sequences.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    types: tuple[int, int, int] | None
    pair: PairTokens = PairTokens((), (), (), None)

    @property
    def size(self) -> int:
        """Return the number of special tokens."""
        return len(self.prefix) + len(self.suffix)


def load_tokenizer(folder: Path, *, mark_case: bool = False, for_words: bool = True) -> PreTrainedTokenizerBase:
    """Load the fast tokenizer in ``folder``, without the truncation and padding that were saved with it.

    :param mark_case: add case marks to an uncased tokenizer, see :mod:`labelkit.models.case_marks`.
    :param for_words: it gets words one by one, see :func:`prepare_for_words`; otherwise whole texts, as it was saved.
    :raises ModelError: there is none, it is damaged, or the architecture has no fast tokenizer.
    """
    from transformers import AutoTokenizer

    try:
        with no_network():
            tokenizer = AutoTokenizer.from_pretrained(
                str(folder), use_fast=True, local_files_only=True, trust_remote_code=False
            )
    except PermissionError as error:
        raise unreadable(Path(error.filename or folder), error) from error
    except Exception as error:
        reason = one_line(error, 200)
        raise ModelError(
            f"no tokenizer could be loaded from {folder}: {reason}", hint="the folder needs a tokenizer.json"
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"{type(tokenizer).__name__} in {folder} is not a fast tokenizer, so subwords cannot be aligned with words",
            hint="choose an encoder with a tokenizer.json, or convert this one with transformers",
        )
    if not any((folder / name).is_file() for name in tokenizer.vocab_files_names.values()):
        # transformers would make an empty one, with only unknown words
        raise ModelError(f"no tokenizer is in {folder}", hint="the folder needs a tokenizer.json")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    _prepare_for_model(tokenizer, folder)
    if for_words:
        prepare_for_words(tokenizer)
    prepared = add_case_marks(tokenizer) if mark_case else tokenizer
    # saved with the tokenizer, so that other programs do not make special tokens of texts either
    prepared.split_special_tokens = prepared.init_kwargs["split_special_tokens"] = True
    prepared.backend_tokenizer.encode_special_tokens = True
    return prepared


def _prepare_for_model(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Set padding and special tokens as the model in ``folder`` needs them; they are saved with the tokenizer."""
    from transformers import AutoConfig

    from labelkit.models.architectures import is_causal

    if tokenizer.pad_token is None:
        token = next(filter(None, (getattr(tokenizer, name) for name in PADDING_TOKENS)), None)
        if token is None:
            raise ModelError(
                f"{type(tokenizer).__name__} has no padding token and no other special token to pad with",
                hint="set pad_token in its tokenizer_config.json",
            )
        tokenizer.pad_token = str(token)
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError):
        return  # a tokenizer without a model
    if is_causal(config.model_type):
        # padding on the right comes after all that a causal model attends to, and shifts no positions
        tokenizer.padding_side = "right"
    if config.model_type in LAST_POSITION:
        tokenizer.padding_side = "left"


def prepare_for_words(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make a byte-level BPE tokenizer put a space before each pre-split word, as words were in pre-training.

    Only a tokenizer whose first pre-tokenizer is byte-level without ``add_prefix_space`` is changed. Where another one
    splits words before that, each part would get a space; such tokenizers get it by :func:`needs_leading_space`.
    Passing ``add_prefix_space`` to ``from_pretrained`` is not enough: generic tokenizer classes ignore it.
    """
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    first = state.get("pre_tokenizer")
    while first and first.get("type") == "Sequence":
        first = next(iter(first["pretokenizers"]), None)
    if not first or first.get("type") != "ByteLevel" or first["add_prefix_space"]:
        return
    first["add_prefix_space"] = True
    # some tokenizer classes rebuild their pre-tokenizer from the flag, others keep the one of tokenizer.json
    empty = {"type": "WordLevel", "vocab": {"": 0}, "unk_token": ""}  # to build no vocabulary
    state |= {"model": empty, "added_tokens": [], "post_processor": None}
    tokenizer.backend_tokenizer.pre_tokenizer = Tokenizer.from_str(json.dumps(state, allow_nan=False)).pre_tokenizer
    tokenizer.add_prefix_space = True
    tokenizer.init_kwargs["add_prefix_space"] = True


class ContentTokenizer:
    """Tokenizes words and texts of users with the ids of a tokenizer, and never makes special tokens of them.

    A literal ``[SEP]`` or ``</s>`` becomes ordinary subwords. ``encode_special_tokens`` alone does not suffice: Unigram
    finds the pieces of special tokens in its vocabulary, as does WordPiece in a word that is not split at punctuation.
    What comes out with such a piece is tokenized again by a copy that lacks them. The copy is made when it is first
    needed, which is seldom: for a vocabulary of 250,000 pieces that takes 3 seconds.

    :param special: the names of the special tokens.
    :param unknown: the name of the one for unknown words; None where there is none.
    """

    def __init__(self, backend: Tokenizer, special: Iterable[str], unknown: str | None) -> None:
        self.backend = backend
        self.special, self.unknown = frozenset(special), unknown
        self._ids = frozenset(map(backend.token_to_id, self.special - {unknown}))
        self._unknown_id = None if unknown is None else backend.token_to_id(unknown)

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Self:
        """Return that of a tokenizer of transformers."""
        backend: Tokenizer = tokenizer.backend_tokenizer
        added = backend.get_added_tokens_decoder().values()
        special = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
        unknown = tokenizer.unk_token
        return cls(backend, special, None if unknown is None else str(unknown))

    def encode(self, given: str | Sequence[str], *, is_pretokenized: bool = False) -> TokenEncoding:
        """Return the subwords of a text, or of words."""
        return self.encode_batch([given], is_pretokenized=is_pretokenized)[0]

    def encode_batch(self, given: Sequence[Any], *, is_pretokenized: bool) -> list[TokenEncoding]:
        """Return the subwords of each text, or of each sequence of words, without special tokens around them.

        :raises TypeError: a text holds a lone surrogate.
        """
        options: dict[str, Any] = {"is_pretokenized": is_pretokenized, "add_special_tokens": False}
        self.backend.encode_special_tokens = True  # calls of the tokenizer itself may have changed it, and the rest
        if self.backend.truncation or self.backend.padding:
            self.backend.no_truncation()
            self.backend.no_padding()
        found = list(self.backend.encode_batch(given, **options))
        odd = [place for place, one in enumerate(found) if self._has_special(one.ids, given[place])]
        if odd:
            again = self._strict.encode_batch([given[place] for place in odd], **options)
            for place, one in zip(odd, again, strict=True):
                found[place] = one
        return found

    def _has_special(self, ids: Sequence[int], given: str | Sequence[str]) -> bool:
        """Return whether special tokens are among the subwords of ``given``.

        Unknown tokens are, only where their name is in the text: elsewhere they stand for what is unknown.
        """
        if not self._ids.isdisjoint(ids):
            return True
        if self.unknown is None or self._unknown_id not in ids:
            return False
        normalizer, texts = self.backend.normalizer, [given] if isinstance(given, str) else given
        normalized = texts if normalizer is None else map(normalizer.normalize_str, texts)
        return any(self.unknown in text for text in normalized)

    @functools.cached_property
    def _strict(self) -> Tokenizer:
        """A copy with the same ids in which special tokens have names that no text can spell: all words end at a space.

        Merges that would make special tokens are left out.
        """
        from tokenizers import Tokenizer

        state = json.loads(self.backend.to_str())
        names = {token: f" special {token} " for token in self.special}
        for token in state["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        model = state["model"]
        if isinstance(model["vocab"], dict):
            model["vocab"] = {names.get(piece, piece): index for piece, index in model["vocab"].items()}
        else:  # Unigram's, with the score of each piece
            model["vocab"] = [[names.get(piece, piece), score] for piece, score in model["vocab"]]
        if model.get("unk_token"):
            model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
        if "merges" in model:
            model["merges"] = [pair for pair in model["merges"] if self.special.isdisjoint((*pair, "".join(pair)))]
        state["post_processor"] = None  # it would look for the special tokens by their names
        strict = Tokenizer.from_str(json.dumps(state, allow_nan=False))
        strict.encode_special_tokens = True
        return strict


def needs_leading_space(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a pre-split word needs a space before it to give the same subwords as in running text.

    This holds for the tokenizers of Llama 3, Qwen and Gemma; it is found by trying some words.
    """
    encode: Any = tokenizer.backend_tokenizer.encode
    plain = with_space = 0
    for first, second in PROBES:
        running = encode(f"{first} {second}", add_special_tokens=False).ids
        plain += encode([first, second], is_pretokenized=True, add_special_tokens=False).ids == running
        with_space += encode([first, f" {second}"], is_pretokenized=True, add_special_tokens=False).ids == running
    return with_space > plain


def blank_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the ids of subwords that are only the space before a word."""
    backend: Any = tokenizer.backend_tokenizer
    found = (backend.token_to_id(token) for token in ("Ġ", "▁", " "))
    return tuple(found for found in found if found is not None and not backend.decode([found]).strip())


def separator_of(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the ids between two texts of a pair: ``[SEP]``, or ``</s></s>``.

    Where the tokenizer joins them by nothing it is the separator or else the end token; empty without one.
    """
    pair = tokenizer("a", "a")
    texts: list[int | None] = pair.sequence_ids()
    if 1 in texts:
        second = texts.index(1)
        first_end = second - texts[:second][::-1].index(0)
        if between := pair["input_ids"][first_end:second]:
            return tuple(between)
    token = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
    return () if token is None else (token,)


def special_tokens_of(tokenizer: PreTrainedTokenizerBase) -> SpecialTokens:
    """Return the special tokens around a sequence, found by tokenizing one word."""
    with_types = "token_type_ids" in tokenizer.model_input_names
    probe = tokenizer(["a"], is_split_into_words=True, return_token_type_ids=with_types)
    inside = [position for position, word in enumerate(probe.word_ids()) if word is not None]
    ids = probe["input_ids"]
    start, stop = (inside[0], inside[-1] + 1) if inside else (len(ids), len(ids))
    types = probe.get("token_type_ids")
    type_ids = (types[0], types[start], types[-1]) if types and inside else None
    return SpecialTokens(tuple(ids[:start]), tuple(ids[stop:]), type_ids, pair_tokens_of(tokenizer))


def pair_tokens_of(tokenizer: PreTrainedTokenizerBase) -> PairTokens:
    """Return the special tokens around two sequences, found by tokenizing a word and another one."""
    probe = tokenizer("a", "a", return_token_type_ids="token_type_ids" in tokenizer.model_input_names)
    texts: list[int | None] = probe.sequence_ids()
    if not {0, 1} <= set(texts):
        return PairTokens((), (), (), None)
    start, second = texts.index(0), texts.index(1)
    end, stop = second - texts[:second][::-1].index(0), len(texts) - texts[::-1].index(1)
    ids, types = probe["input_ids"], probe.get("token_type_ids")
    parts = slice(start), slice(end, second), slice(stop, None)
    prefix, middle, suffix = (tuple(ids[part]) for part in parts)
    if types is None:
        return PairTokens(prefix, middle, suffix, None)
    around = [tuple(types[part]) for part in parts]
    return PairTokens(prefix, middle, suffix, (around[0], types[start], around[1], types[second], around[2]))


def max_length_of(tokenizer: PreTrainedTokenizerBase, config: Any) -> int:
    """Return how many subwords, special tokens included, the encoder reads at most.

    It is the lesser of the limits of the tokenizer and of the position embeddings, of which RoBERTa's family leaves
    the first ``pad_token_id + 1`` unused.
    """
    return window_limit(tokenizer.model_max_length, config)


def window_limit(tokenizer_limit: int, config: Any) -> int:
    """Return how many subwords, special tokens included, an encoder reads at most.

    :param tokenizer_limit: the ``model_max_length`` of its tokenizer; 0 for none.
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    numbers = (getattr(text, name, None) for name in POSITIONS)
    # some configurations say -1 for no limit
    limits = [int(number) for number in numbers if number and number > 0][:1]
    if limits and text.model_type in FIRST_POSITIONS_UNUSED:
        limits = [limit - (text.pad_token_id or 0) - 1 for limit in limits]
    if 0 < tokenizer_limit < UNLIMITED:
        limits.append(tokenizer_limit)
    return min(limits, default=DEFAULT_MAX_LENGTH)


def fingerprint(backend: Tokenizer, input_names: Sequence[str]) -> str:
    """Return a SHA-256 of all that decides how a tokenizer splits words into subwords.

    :param input_names: the names of the inputs that it makes for the model.
    """
    state = backend.to_str() + json.dumps(list(input_names), allow_nan=False)
    return hashlib.sha256(state.encode()).hexdigest()
