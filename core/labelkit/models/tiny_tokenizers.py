"""Three tiny tokenizers trained on the sample corpus, each like those of one family of encoders.

All learn their vocabulary as BPE, whose trainer is deterministic: the trainers of WordPiece and Unigram iterate over a
hash table whose order differs between processes.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

SENTENCES = 600
VOCABULARY = 800
#: pre-tokenization before byte-level BPE, as in GPT-4 and most models after it
PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True)
class SpecialTokenNames:
    """The special tokens of a tiny tokenizer.

    :param names: attribute of the tokenizer → token, in the order of the ids.
    :param prefix: the attribute of the token before a sequence.
    :param suffix: the attribute of the token after it, or None.
    :param pair: the template of a pair of sequences; None joins them by nothing.
    """

    names: dict[str, str]
    prefix: str
    suffix: str | None
    pair: str | None = None

    @property
    def tokens(self) -> list[str]:
        """Return the tokens in the order of their ids."""
        return list(self.names.values())


BERT = SpecialTokenNames(
    {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"},
    "cls_token",
    "sep_token",
    "[CLS] $A [SEP] $B:1 [SEP]:1",
)
ROBERTA = SpecialTokenNames(
    {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"},
    "cls_token",
    "sep_token",
    "<s> $A </s> </s> $B </s>",
)
#: decoders have no padding token, and nothing after a text
DECODER = SpecialTokenNames({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, "bos_token", None)


def word_piece(special: SpecialTokenNames) -> Tokenizer:
    """Return an uncased WordPiece tokenizer like BERT's; each piece may begin or continue a word."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    pieces = _counted(_trained(tokenizer, VOCABULARY // 2))
    tokens = [*special.tokens, *pieces, *(f"##{piece}" for piece in pieces)]
    ids = {token: index for index, token in enumerate(tokens)}
    tokenizer.model = models.WordPiece(ids, unk_token=special.names["unk_token"])
    return tokenizer


def byte_level_bpe(special: SpecialTokenNames) -> Tokenizer:
    """Return a byte-level BPE tokenizer like RoBERTa's; for decoders like Llama 3's."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE())
    if special is DECODER:
        split = pre_tokenizers.Split(Regex(PIECES), "isolated")
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _trained(tokenizer, VOCABULARY, special_tokens=special.tokens, initial_alphabet=alphabet)


def unigram(special: SpecialTokenNames) -> Tokenizer:
    """Return a Unigram tokenizer like XLM-RoBERTa's and T5's; the score of a piece is its log frequency."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    pieces = _counted(_trained(tokenizer, VOCABULARY))
    total = sum(pieces.values())
    scores = [(token, 0.0) for token in special.tokens]
    scores += [(piece, math.log(count / total)) for piece, count in pieces.items()]
    tokenizer.model = models.Unigram(scores, unk_id=special.tokens.index(special.names["unk_token"]))
    return tokenizer


TOKENIZERS: dict[str, Callable[[SpecialTokenNames], Tokenizer]] = {
    "wordpiece": word_piece,
    "bpe": byte_level_bpe,
    "unigram": unigram,
}


def make(name: str, special: SpecialTokenNames) -> PreTrainedTokenizerFast:
    """Return one of :data:`TOKENIZERS`, trained, with its special tokens around a sequence."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = TOKENIZERS[name](special)
    tokenizer.add_special_tokens(special.tokens)
    around = [special.names[which] for which in (special.prefix, special.suffix) if which]
    template = " ".join([around[0], "$A", *around[1:]])
    ids = [(token, tokenizer.token_to_id(token)) for token in around]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, pair=special.pair, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special.names)


def _trained(tokenizer: Tokenizer, size: int, **options: Any) -> Tokenizer:
    """Train ``tokenizer`` as BPE, and return it.

    :param size: of the vocabulary.
    """
    from tokenizers import trainers

    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, **options)
    tokenizer.train_from_iterator(_sentences(), trainer)
    return tokenizer


def _counted(tokenizer: Tokenizer) -> dict[str, int]:
    """Return the pieces of ``tokenizer`` by id, and the count of each in the corpus, at least 1."""
    vocabulary = tokenizer.get_vocab()
    used = Counter(piece for one in tokenizer.encode_batch(_sentences()) for piece in one.tokens)
    return {piece: max(1, used[piece]) for piece in sorted(vocabulary, key=vocabulary.__getitem__)}


@functools.cache
def _sentences() -> tuple[str, ...]:
    from labelkit.sample import sentences

    examples = itertools.islice(sentences(SENTENCES, seed=0), SENTENCES)
    return tuple(" ".join(example.words or ()) for example in examples)
