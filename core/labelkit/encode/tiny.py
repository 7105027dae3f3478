"""Tiny encoders with random weights, and tiny tokenizers trained on the sample corpus: for tests, never for work."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.encode.model import quiet
from labelkit.encode.tokenizer import ROBERTA_FAMILY
from labelkit.errors import ModelError, nearest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

#: raise it when what is made changes, so that old caches are not used
VERSION = 1
SENTENCES = 600
VOCABULARY = 800
BYTE_LEVEL = frozenset({"roberta", "gpt2", "modernbert", "bart", "longformer", "deberta"})
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "embedding_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    # DistilBERT's own names for the same things
    "dim": 32,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 64,
}


def make_tiny(architecture: str, cache: Path) -> Path:
    """Return a folder with a tiny random encoder of a transformers ``architecture``, made once per cache.

    :raises ModelError: transformers knows no such architecture, or it cannot be built this small.
    """
    folder = cache / f"{architecture}-{VERSION}"
    if (folder / "config.json").is_file():
        return folder
    _check(architecture)
    cache.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{architecture}-", dir=cache))
    try:
        with quiet():
            _build(architecture, beside)
        _publish(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _publish(beside: Path, folder: Path) -> None:
    try:
        os.rename(beside, folder)
    except OSError:
        if not (folder / "config.json").is_file():  # otherwise another process made the same one meanwhile
            raise


def _check(architecture: str) -> None:
    from transformers import CONFIG_MAPPING

    if architecture not in CONFIG_MAPPING:
        raise ModelError(f"unknown architecture '{architecture}'", hint=nearest(architecture, CONFIG_MAPPING.keys()))


def _build(architecture: str, folder: Path) -> None:
    import torch
    from transformers import CONFIG_MAPPING, AutoModel

    tokenizer = _byte_level() if architecture in BYTE_LEVEL else _word_piece()
    config_class: Any = CONFIG_MAPPING[architecture]
    known = config_class().to_dict().keys() | config_class.attribute_map.keys()
    sizes = {name: value for name, value in SIZES.items() if name in known}
    if architecture in ROBERTA_FAMILY:
        sizes["max_position_embeddings"] += tokenizer.pad_token_id + 1
    special = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": None, "eos_token_id": None}
    config = config_class(vocab_size=len(tokenizer), **sizes, **special)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _sentences() -> list[str]:
    from labelkit.data.sample import sentences

    return [" ".join(example.words or ()) for example in itertools.islice(sentences(SENTENCES, seed=0), SENTENCES)]


def _word_piece() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        _sentences(),
        trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False),
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **names)


def _byte_level() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=alphabet, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(_sentences(), trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **names)
