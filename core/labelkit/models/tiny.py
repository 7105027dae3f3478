"""Tiny encoders with random weights and tokenizers trained on the sample corpus: for tests only."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from labelkit.errors import ModelError, nearest
from labelkit.models.architectures import is_causal, tokenizer_class_of
from labelkit.models.loading import silence_transformers
from labelkit.models.tiny_configs import tiny_config
from labelkit.models.tiny_tokenizers import BERT, DECODER, ROBERTA, TOKENIZERS, make
from labelkit.models.tokenizer import FIRST_POSITIONS_UNUSED

#: part of the name in the cache: raise it when the encoders change
VERSION = 3
#: tokenizer classes of transformers whose architectures get WordPiece, or Unigram; the others get BPE
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
    from transformers import CONFIG_MAPPING

    if architecture not in CONFIG_MAPPING:
        raise ModelError(f"unknown architecture '{architecture}'", hint=nearest(architecture, CONFIG_MAPPING.keys()))
    if tokenizer and tokenizer not in TOKENIZERS:
        raise ModelError(f"unknown tiny tokenizer '{tokenizer}'", hint=f"known: {', '.join(TOKENIZERS)}")
    cache.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{architecture}-", dir=cache))
    try:
        with silence_transformers():
            build_tiny(architecture, tokenizer or tokenizer_of(architecture), beside)
        os.rename(beside, folder)
    except OSError:
        if not (folder / "config.json").is_file():  # otherwise another process was faster
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def tokenizer_of(architecture: str) -> str:
    """Return which of our tokenizers is most like the one of an architecture."""
    name = tokenizer_class_of(architecture)
    return "wordpiece" if name in WORD_PIECE else "unigram" if name in UNIGRAM else "bpe"


def build_tiny(architecture: str, name: str, folder: Path) -> None:
    """Save a tiny encoder and tokenizer in ``folder``.

    :param name: of a tokenizer in :data:`TOKENIZERS`.
    :raises ModelError: the architecture cannot be built this small.
    """
    import torch
    from transformers import AutoModel

    # RoBERTa's family counts positions from the id of the padding token, and MPNet requires that to be 1
    encoder = BERT if name == "wordpiece" and architecture not in FIRST_POSITIONS_UNUSED else ROBERTA
    tokenizer = make(name, DECODER if is_causal(architecture) else encoder)
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
