"""Tiny encoders with random weights and tokenizers trained on the sample corpus: for tests, never for work."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from labelkit.errors import ModelError, nearest
from labelkit.models.architectures import is_causal, tokenizer_class_of
from labelkit.models.loading import silence_transformers
from labelkit.models.tiny_configs import tiny_config
from labelkit.models.tiny_tokenizers import BERT, DECODER, ROBERTA, TOKENIZERS, SpecialTokenNames, make
from labelkit.models.tokenizer import FIRST_POSITIONS_UNUSED

#: raise it when what is made changes, so that old caches are not used
VERSION = 3
#: which architectures have which tokenizer, by the class that transformers names for them; the others: bpe
WORD_PIECE = frozenset({
    "BertTokenizer", "FunnelTokenizer", "LayoutLMv2Tokenizer", "MPNetTokenizer", "MobileBertTokenizer",
    "RoCBertTokenizer", "RoFormerTokenizer", "TapasTokenizer",
})  # fmt: skip
UNIGRAM = frozenset({
    "AlbertTokenizer", "BigBirdTokenizer", "CamembertTokenizer", "DebertaV2Tokenizer", "FNetTokenizer",
    "GemmaTokenizer", "MBartTokenizer", "PLBartTokenizer", "ReformerTokenizer", "RemBertTokenizer", "T5Tokenizer",
    "XLMRobertaTokenizer", "XLNetTokenizer",
})  # fmt: skip


def make_tiny(reference: str, cache: Path) -> Path:
    """Return a folder with a tiny random encoder, made once per cache.

    :param reference: an architecture of transformers, also with one of our tokenizers: ``bert``, ``bert@unigram``.
    :raises ModelError: there is no such architecture or tokenizer, or it cannot be built this small.
    """
    folder = cache / f"{reference}-{VERSION}"
    if (folder / "config.json").is_file():
        return folder
    architecture, _, tokenizer = reference.partition("@")
    _check(architecture, tokenizer)
    cache.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{architecture}-", dir=cache))
    try:
        with silence_transformers():
            _build(architecture, tokenizer or tokenizer_of(architecture), beside)
        _publish(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def tokenizer_of(architecture: str) -> str:
    """Return which of our tokenizers is most like the one of an architecture."""
    own = tokenizer_class_of(architecture)
    return "wordpiece" if own in WORD_PIECE else "unigram" if own in UNIGRAM else "bpe"


def _publish(beside: Path, folder: Path) -> None:
    try:
        os.rename(beside, folder)
    except OSError:
        if not (folder / "config.json").is_file():  # otherwise another process made the same one meanwhile
            raise


def _check(architecture: str, tokenizer: str) -> None:
    from transformers import CONFIG_MAPPING

    if architecture not in CONFIG_MAPPING:
        raise ModelError(f"unknown architecture '{architecture}'", hint=nearest(architecture, CONFIG_MAPPING.keys()))
    if tokenizer and tokenizer not in TOKENIZERS:
        raise ModelError(f"unknown tiny tokenizer '{tokenizer}'", hint=f"known: {', '.join(TOKENIZERS)}")


def _special(architecture: str, tokenizer: str) -> SpecialTokenNames:
    if is_causal(architecture):
        return DECODER
    # RoBERTa's family counts positions from the padding token's id, and MPNet knows no other than 1
    return BERT if tokenizer == "wordpiece" and architecture not in FIRST_POSITIONS_UNUSED else ROBERTA


def _build(architecture: str, name: str, folder: Path) -> None:
    import torch
    from transformers import AutoModel

    tokenizer = make(name, _special(architecture, name))
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            AutoModel.from_config(tiny_config(architecture, tokenizer)).save_pretrained(folder)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ModelError(
            f"no tiny {architecture} can be built: {reason}", hint="for example --model tiny:bert"
        ) from error
    tokenizer.save_pretrained(folder)
