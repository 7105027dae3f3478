"""Words and sub-tokens with every family of tokenizer, each tiny and made here."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import labelkit
from labelkit.encode import alignment as align
from labelkit.encode.alignment import NO_WORD, Encoding, Window, align_labels, encode, encode_texts, tokenize
from labelkit.errors import LabelkitError, ModelError
from labelkit.models import tiny_tokenizers
from labelkit.models.tiny_tokenizers import PIECES
from labelkit.models.tokenizer import (
    DEFAULT_MAX_LENGTH,
    ContentTokenizer,
    PairTokens,
    SpecialTokens,
    blank_ids,
    load_tokenizer,
    max_length_of,
    needs_leading_space,
    special_tokens_of,
)

TEXT = ["Ada Lovelace lives in Rome and in New York .", "don't stop unbelievable things , says Tim 's friend"] * 5
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def word_piece(folder: Path) -> Path:
    """Save an uncased WordPiece as BERT's, which drops U+FE0F and control characters."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=BERT, show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), BERT, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    return folder


def _byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=ROBERTA,
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def generic_bpe(folder: Path) -> Path:
    """Save a byte-level BPE under the generic class, which ignores add_prefix_space."""
    from transformers import PreTrainedTokenizerFast

    names = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"), ROBERTA, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=_byte_level(), **names).save_pretrained(folder)
    return folder


def roberta_bpe(folder: Path) -> Path:
    """Save the same as RoBERTa's, a class that rebuilds its pre-tokenizer."""
    generic_bpe(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config.update(tokenizer_class="RobertaTokenizer", add_prefix_space=False, model_max_length=514)
    path.write_text(json.dumps(config), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": "roberta"}), encoding="utf-8")
    return folder


def unigram(folder: Path) -> Path:
    """Save a Unigram as XLM-RoBERTa's."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=80, special_tokens=ROBERTA, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"), ROBERTA, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    return folder


def split_bpe(folder: Path, *parts: Any, tokenizer_class: str | None = None) -> Path:
    """Save a byte-level BPE that takes text apart before bytes are looked at, as those of Llama 3 and Qwen."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    split = parts or (pre_tokenizers.Split(Regex(PIECES), "isolated"),)
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=bool(parts))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, level])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=["<|end|>"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>").save_pretrained(folder)
    if tokenizer_class:
        path = folder / "tokenizer_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**config, "tokenizer_class": tokenizer_class}), encoding="utf-8")
    return folder


def digits_bpe(folder: Path) -> Path:
    """Save one that takes digits apart first, as StarCoder's."""
    return split_bpe(folder, pre_tokenizers.Digits(individual_digits=True))


def qwen_bpe(folder: Path) -> Path:
    """Save one as Qwen's, a class that rebuilds its pre-tokenizer."""
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2"}), encoding="utf-8")
    return split_bpe(folder, tokenizer_class="Qwen2Tokenizer")


def gemma_bpe(folder: Path) -> Path:
    """Save one whose words have the mark of a space only where there is one, as Gemma's."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Replace("▁", " ")
    trainer = trainers.BpeTrainer(vocab_size=150, special_tokens=["<unk>", "<bos>", "<pad>"], show_progress=False)
    words = [f" {word}" for text in TEXT for word in text.split()]
    tokenizer.train_from_iterator([*words, *(word.strip() for word in words)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    names = {"unk_token": "<unk>", "bos_token": "<bos>", "pad_token": "<pad>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    return folder


SPACED = {"llama bpe": split_bpe, "qwen bpe": qwen_bpe, "digits bpe": digits_bpe, "gemma bpe": gemma_bpe}
MAKERS = {"word piece": word_piece, "generic bpe": generic_bpe, "roberta bpe": roberta_bpe, "unigram": unigram}
BYTE_LEVEL = ("generic bpe", "roberta bpe")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(tmp_path_factory.mktemp("tokenizer")) for name, make in MAKERS.items()}


@pytest.fixture(scope="module")
def spacing(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the tokenizers to which a word needs a space before it."""
    return {name: load_tokenizer(make(tmp_path_factory.mktemp("spaced"))) for name, make in SPACED.items()}


@pytest.fixture(scope="module")
def loaded(folders: dict[str, Path]) -> dict[str, Any]:
    return {name: load_tokenizer(folder) for name, folder in folders.items()}


# -- words and sub-tokens ---------------------------------------------------------------------------------------------

WORDS = st.lists(
    st.text(max_size=12)
    | st.sampled_from(["Ada", "\ufe0f", "\u200b", "", " ", "❤️", "👩‍👩‍👧", "[SEP]", "</s>", "New York"]),
    max_size=12,
)


@pytest.mark.parametrize("name", MAKERS)
@given(words=WORDS)
@settings(max_examples=60, deadline=None)
def test_every_sub_token_knows_its_word(loaded: dict[str, Any], name: str, words: list[str]) -> None:
    """What a word becomes does not depend on the words around it, so tokenizing each alone must give the same."""
    content = ContentTokenizer.of(loaded[name])
    (pieces,) = tokenize(content, [words])
    assert pieces.words.tolist() == sorted(pieces.words.tolist())
    for index, word in enumerate(words):
        (alone,) = tokenize(content, [[word]])
        assert pieces.ids[pieces.words == index].tolist() == alone.ids.tolist()


@pytest.mark.parametrize("name", MAKERS)
@given(words=WORDS, seen=WORDS)
@settings(max_examples=30, deadline=None)
def test_words_tokenized_once_are_what_the_sentence_gives(
    loaded: dict[str, Any], name: str, words: list[str], seen: list[str]
) -> None:
    known: dict[str, tuple[int, ...]] = {}
    content = ContentTokenizer.of(loaded[name])
    tokenize(content, [seen, words[::2]], word_cache=known)
    before = dict(known)
    (pieces,) = tokenize(content, [words], word_cache=known)
    whole = content.encode(words, is_pretokenized=True)
    assert pieces.ids.tolist() == whole.ids
    assert pieces.words.tolist() == whole.word_ids
    assert before.items() <= known.items()


def test_what_is_remembered_of_words_is_bounded(loaded: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align, "WORD_CACHE_SIZE", 5)
    encoding = Encoding.of(loaded["word piece"], 64, 8)
    for number in range(20):
        words = ["Ada", f"word{number}", "x" * 5000]
        assert encode(encoding, [words]).coverage[0].words == 3
        assert len(encoding.word_cache) <= 8
        assert max(map(len, encoding.word_cache)) <= align.MAX_CACHED_WORD


def test_a_word_without_sub_tokens_shifts_no_label(loaded: dict[str, Any]) -> None:
    words = ["❤", "\ufe0f", "Ada", "\u200d", "Lovelace", "\x00", "Rome"]
    encoding = Encoding.of(loaded["word piece"], 64, 8)
    encoded = encode(encoding, [words])
    (window,) = encoded.windows
    seen = sorted(set(window.words.tolist()) - {NO_WORD})
    assert seen == [0, 2, 4, 6]
    labels = align_labels(window, [10, 11, 12, 13, 14, 15, 16], label_all_tokens=False)
    assert [label for label in labels.tolist() if label >= 0] == [10, 12, 14, 16]
    (coverage,) = encoded.coverage
    assert (coverage.words, coverage.fallback, coverage.no_subtokens, coverage.too_long) == (7, 3, 3, 0)


@pytest.mark.parametrize("name", MAKERS)
def test_windows_are_what_the_tokenizer_itself_would_make(loaded: dict[str, Any], name: str) -> None:
    words = TEXT[0].split()
    (window,) = encode(Encoding.of(loaded[name], 64, 8), [words]).windows
    theirs = loaded[name](words, is_split_into_words=True)
    assert window.ids.tolist() == theirs["input_ids"]
    blanks = blank_ids(loaded[name])
    pairs = zip(theirs["input_ids"], theirs.word_ids(), strict=True)
    expected = [None if piece in blanks else word for piece, word in pairs]
    assert [None if word == NO_WORD else word for word in window.words.tolist()] == expected


@pytest.mark.parametrize("name", MAKERS)
def test_long_examples_are_cut_and_each_window_has_its_special_tokens(loaded: dict[str, Any], name: str) -> None:
    words = [f"word{number}" for number in range(300)] + ["ecalevol" * 11]
    encoding = Encoding.of(loaded[name], 32, 8)
    encoded = encode(encoding, [words, ["Ada"]])
    assert [window.example for window in encoded.windows] == [0] * (len(encoded.windows) - 1) + [1]
    frame = encoding.special_tokens
    owned = []
    for window in encoded.windows[:-1]:
        assert len(window.ids) <= 32
        assert tuple(window.ids[: len(frame.prefix)]) == frame.prefix
        assert tuple(window.ids[len(window.ids) - len(frame.suffix) :]) == frame.suffix
        owned += window.words[window.first].tolist()
    assert owned == list(range(300))
    assert encoded.coverage[0].too_long == 1


def test_a_window_that_holds_no_word_is_refused(loaded: dict[str, Any]) -> None:
    with pytest.raises(LabelkitError, match="max length 2 leaves no room beside the special tokens") as caught:
        Encoding.of(loaded["word piece"], 2, 0)
    assert caught.value.hint == "use at least 10"
    assert Encoding.of(loaded["word piece"], 3, 0).capacity == 1


# -- byte-level BPE ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BYTE_LEVEL)
def test_byte_level_words_get_a_space_before_them_and_keep_it(
    loaded: dict[str, Any], name: str, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = loaded[name]
    tokenizer.save_pretrained(tmp_path)
    assert isinstance(tokenizer, type(AutoTokenizer.from_pretrained(str(tmp_path))))
    for each in (tokenizer, load_tokenizer(tmp_path), AutoTokenizer.from_pretrained(str(tmp_path))):
        (pieces,) = tokenize(ContentTokenizer.of(each), [["Ada", "lives", "unbelievable"]])
        assert (
            pieces.ids.tolist()
            == tokenize(ContentTokenizer.of(tokenizer), [["Ada", "lives", "unbelievable"]])[0].ids.tolist()
        )
        tokens = each.convert_ids_to_tokens(pieces.ids.tolist())
        firsts = [tokens[pieces.words.tolist().index(word)] for word in range(3)]
        assert all(token.startswith("Ġ") for token in firsts), firsts
        assert sum(token.startswith("Ġ") for token in tokens) == 3
        assert each.add_prefix_space is True


def test_the_classes_are_the_ones_meant(loaded: dict[str, Any]) -> None:
    assert "Roberta" in type(loaded["roberta bpe"]).__name__
    assert "Roberta" not in type(loaded["generic bpe"]).__name__


def test_other_tokenizers_are_left_as_they_are(folders: dict[str, Path], loaded: dict[str, Any]) -> None:
    for name in ("word piece", "unigram"):
        raw = json.loads((folders[name] / "tokenizer.json").read_text(encoding="utf-8"))
        assert json.loads(loaded[name].backend_tokenizer.to_str()) == raw


# -- words that need a space before them ------------------------------------------------------------------------------

ODD = ["Ada", "don't", "1990", "x1y2", "Rome", ".", "'s", "N.Y.", "friend-", "(", "Zürich", "👩‍👩‍👧", "ſ", "…!"]
LETTERS = st.text("abcdefAB0123456789'-.,;()äß中", min_size=1, max_size=8)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACED)
@given(words=st.lists(st.sampled_from(ODD) | LETTERS, min_size=1, max_size=10))
@settings(max_examples=150, deadline=None)
def test_words_become_the_sub_tokens_of_running_text(spacing: dict[str, Any], name: str, words: list[str]) -> None:
    tokenizer = spacing[name]
    assert needs_leading_space(tokenizer)
    text = " ".join(words)
    theirs = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    (window,) = encode(Encoding.of(tokenizer, 512, 8), [words]).windows
    inside = len(special_tokens_of(tokenizer).prefix)
    assert window.ids[inside:].tolist() == theirs.ids
    # each sub-token with a letter of its word answers for it, and the first one carries its label
    starts = [sum(len(word) + 1 for word in words[:index]) for index in range(len(words))]
    for (start, stop), word in zip(theirs.offsets, window.words[inside:].tolist(), strict=True):
        if text[start:stop].strip():
            assert starts[word] <= start + (text[start] == " ") < starts[word] + len(words[word])
        else:
            assert word == NO_WORD


def test_others_need_none(loaded: dict[str, Any]) -> None:
    assert not any(needs_leading_space(tokenizer) for tokenizer in loaded.values())


def test_no_space_is_put_before_parts_of_a_word(spacing: dict[str, Any]) -> None:
    tokenizer = spacing["llama bpe"]
    (window,) = encode(Encoding.of(tokenizer, 64, 8), [["we", "don't", "know"]]).windows
    tokens = tokenizer.convert_ids_to_tokens(window.ids.tolist())
    assert "".join(tokens) == "weĠdon'tĠknow"
    assert tokenizer.backend_tokenizer.decode(window.ids.tolist()) == "we don't know"


def test_blank_words_become_nothing_new(spacing: dict[str, Any]) -> None:
    tokenizer = spacing["llama bpe"]
    (window,) = encode(Encoding.of(tokenizer, 64, 8), [["", "Ada", "", " Rome", "\n", "in"]]).windows
    assert tokenizer.backend_tokenizer.decode(window.ids.tolist()) == "Ada Rome\n in"
    assert sorted(set(window.words.tolist()) - {NO_WORD}) == [1, 3, 4, 5]


def test_a_label_is_not_carried_by_the_space_before_a_word(spacing: dict[str, Any], loaded: dict[str, Any]) -> None:
    for tokenizer in (spacing["llama bpe"], spacing["gemma bpe"], loaded["unigram"]):
        words = ["in", "1990", "7", "Rome"]
        (window,) = encode(Encoding.of(tokenizer, 64, 8), [words]).windows
        for every in (False, True):
            labels = align_labels(window, [1, 2, 3, 4], label_all_tokens=every)
            for piece, label in zip(window.ids.tolist(), labels.tolist(), strict=True):
                text = tokenizer.convert_ids_to_tokens(piece).strip("Ġ▁")
                assert (label != -100) <= bool(text), (piece, label)
        assert [labels[at] for at in window.first] == [1, 2, 3, 4]


def test_a_word_that_is_but_a_space_keeps_what_it_has(loaded: dict[str, Any]) -> None:
    tokenizer = loaded["unigram"]
    (alone,) = tokenize(ContentTokenizer.of(tokenizer), [["▁"]])
    (window,) = encode(Encoding.of(tokenizer, 64, 8), [["Ada", "▁"]]).windows
    assert 1 in window.words.tolist() or not len(alone.ids)


def test_a_window_may_begin_with_a_blank(spacing: dict[str, Any]) -> None:
    encoding = Encoding.of(spacing["llama bpe"], 8, 2)
    encoded = encode(encoding, [["1990"] * 40])
    answered = [word for window in encoded.windows for word in window.words[window.first].tolist()]
    assert answered == list(range(40))
    assert encoded.coverage[0].fallback == 0


def test_spaces_are_as_they_were_once_it_is_saved(spacing: dict[str, Any], tmp_path: Path) -> None:
    for name, tokenizer in spacing.items():
        folder = tmp_path / name
        tokenizer.save_pretrained(folder)
        (before,) = encode(Encoding.of(tokenizer, 64, 8), [["we", "don't", "know", "1990"]]).windows
        (after,) = encode(Encoding.of(load_tokenizer(folder), 64, 8), [["we", "don't", "know", "1990"]]).windows
        assert before.ids.tolist() == after.ids.tolist()


# -- padding ----------------------------------------------------------------------------------------------------------


def test_a_tokenizer_without_padding_pads_with_its_end(spacing: dict[str, Any], tmp_path: Path) -> None:
    tokenizer = spacing["llama bpe"]
    assert tokenizer.pad_token == tokenizer.eos_token == "<|end|>"
    assert spacing["gemma bpe"].pad_token == "<pad>"
    tokenizer.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))["pad_token"] == "<|end|>"


# -- special tokens in texts of users ---------------------------------------------------------------------------------

TINY_TOKENIZERS = {
    "wordpiece": tiny_tokenizers.BERT,
    "bpe": tiny_tokenizers.ROBERTA,
    "unigram": tiny_tokenizers.ROBERTA,
}
LITERALS = [*BERT, *ROBERTA, "<|endoftext|>", "<|end|>", "<extra_id_0>", "[sep]", "</s", "s>"]
PLAIN = st.sampled_from(["Ada", "lives", "in", "Rome", "don't", "1990", "中", "É", "<", "[", "x", "@"])
MIXED = st.lists(PLAIN | st.sampled_from(LITERALS) | st.text(max_size=4), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def tiny_encodings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Encoding, Any]]:
    """Return encoding and tokenizer for each of the tiny ones, and for the decoder's, loaded from their folders."""
    kinds = {**TINY_TOKENIZERS, "bpe decoder": tiny_tokenizers.DECODER}
    made = {}
    for name, special in kinds.items():
        folder = tmp_path_factory.mktemp("tiny")
        tokenizer = tiny_tokenizers.make(name.split()[0], special)
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|endoftext|>", "<extra_id_0>"]})
        tokenizer.save_pretrained(folder)
        loaded = load_tokenizer(folder)
        made[name] = Encoding.of(loaded, 512, 0), loaded
    return made


def assert_ordinary(encoding: Encoding, tokenizer: Any, window: Window, given_: list[str] | str) -> None:
    """Assert that a window has no special tokens inside, but unknown tokens for what is unknown."""
    frame, content = encoding.special_tokens, encoding.content
    inside = window.ids[len(frame.prefix) : len(window.ids) - len(frame.suffix)].tolist()
    assert set(inside) & set(tokenizer.all_special_ids) <= {tokenizer.unk_token_id}
    for text in [given_] if isinstance(given_, str) else given_:
        found = content.encode(text)
        for (start, stop), piece in zip(found.offsets, found.ids, strict=True):
            if piece == tokenizer.unk_token_id:
                alone = [content.encode(character).ids for character in text[start:stop]]
                assert any(piece in ids for ids in alone), (text, found.tokens)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TINY_TOKENIZERS, "bpe decoder"])
@given(parts=MIXED)
@settings(max_examples=150, deadline=None)
def test_texts_never_make_special_tokens(
    tiny_encodings: dict[str, tuple[Encoding, Any]], name: str, parts: list[str]
) -> None:
    encoding, tokenizer = tiny_encodings[name]
    words = [*parts, "".join(parts)]
    for window in encode(encoding, [words]).windows:
        assert_ordinary(encoding, tokenizer, window, words)
    for text in ("".join(parts), " ".join(parts)):
        for window in encode_texts(encoding, [text]).windows:
            assert_ordinary(encoding, tokenizer, window, text)


@pytest.mark.parametrize("name", [*TINY_TOKENIZERS, "bpe decoder"])
@given(words=st.lists(PLAIN | st.text(max_size=6), max_size=8))
@settings(max_examples=60, deadline=None)
def test_texts_without_special_tokens_are_encoded_as_by_the_tokenizer(
    tiny_encodings: dict[str, tuple[Encoding, Any]], name: str, words: list[str]
) -> None:
    encoding, tokenizer = tiny_encodings[name]
    assume(not any(literal in "".join(words) for literal in tokenizer.all_special_tokens))
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    for given_, split in ((words, True), (" ".join(words), False)):
        theirs = backend.encode(given_, is_pretokenized=split, add_special_tokens=False)
        assert encoding.content.encode(given_, is_pretokenized=split).ids == theirs.ids


@pytest.mark.parametrize("name", [*TINY_TOKENIZERS, "bpe decoder"])
def test_the_copy_without_special_tokens_is_made_only_for_texts_that_name_one(
    tiny_encodings: dict[str, tuple[Encoding, Any]], name: str
) -> None:
    _, tokenizer = tiny_encodings[name]
    content = ContentTokenizer.of(tokenizer)
    tokenizer("Ada", truncation=True, max_length=4, padding="max_length", split_special_tokens=False)
    (plain,) = content.encode_batch(["Ada \u2603 lives in \U00012345 Rome and elsewhere"], is_pretokenized=False)
    assert len(plain.ids) > 6
    assert "_strict" not in vars(content)
    for token in {*tokenizer.all_special_tokens} - {tokenizer.unk_token}:
        assert tokenizer.convert_tokens_to_ids(token) not in content.encode(f"a{token}a").ids


@pytest.mark.parametrize("name", TINY_TOKENIZERS)
def test_the_pieces_of_a_special_token_are_those_of_its_characters(
    tiny_encodings: dict[str, tuple[Encoding, Any]], name: str
) -> None:
    encoding, tokenizer = tiny_encodings[name]
    for token in tokenizer.all_special_tokens:
        (window,) = encode_texts(encoding, [token]).windows
        assert len(window.ids) >= encoding.special_tokens.size + 3


@pytest.mark.parametrize("name", TINY_TOKENIZERS)
def test_a_saved_tokenizer_makes_no_special_tokens_of_texts(
    tiny_encodings: dict[str, tuple[Encoding, Any]], name: str, tmp_path: Path
) -> None:
    """Programs that load the checkpoint with transformers split them too, but for Unigram's."""
    from transformers import AutoTokenizer

    encoding, tokenizer = tiny_encodings[name]
    tokenizer.save_pretrained(tmp_path)
    again = Encoding.of(load_tokenizer(tmp_path), 512, 0)
    text = "Ada [SEP] lives</s> in <s><pad> Rome [PAD] <|endoftext|> <mask> [MASK]"
    for words in (text.split(), [text]):
        (window,), (other,) = encode(encoding, [words]).windows, encode(again, [words]).windows
        assert window.ids.tolist() == other.ids.tolist()
    (window,), (other,) = encode_texts(encoding, [text]).windows, encode_texts(again, [text]).windows
    assert window.ids.tolist() == other.ids.tolist()
    theirs = AutoTokenizer.from_pretrained(str(tmp_path))(text)["input_ids"]
    assert (theirs == window.ids.tolist()) is (name != "unigram")


def test_a_word_that_is_a_piece_of_the_vocabulary_is_no_special_token(tmp_path: Path) -> None:
    """A vocabulary of whole words holds the special tokens too."""
    from transformers import PreTrainedTokenizerFast

    names = ["[UNK]", "[CLS]", "[SEP]", "Ada"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    special = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(tmp_path)
    (window,) = encode(Encoding.of(load_tokenizer(tmp_path), 32, 0), [["Ada", "[SEP]", "[CLS]"]]).windows
    assert window.ids.tolist() == [1, 3, 0, 0, 2]


@pytest.mark.parametrize("name", ["roberta bpe", "unigram"])
def test_what_users_write_is_no_end_of_a_text_where_ends_are_counted(
    folders: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """BART's classifiers find the end of a text by its EOS, and refuse a batch whose texts differ in EOS tokens."""
    folder = truncating(folders[name], tmp_path / "model")
    (folder / "config.json").write_text(json.dumps({"model_type": "bart"}), encoding="utf-8")
    tokenizer = load_tokenizer(folder)
    for each in (tokenizer, load_tokenizer(_saved(tokenizer, folder, tmp_path / "saved"))):
        windows = encode_texts(Encoding.of(each, 64, 8), ["Ada </s> lives", "</s>", "</s></s>", "Rome"]).windows
        assert [(window.ids == 2).sum() for window in windows] == [1, 1, 1, 1]


def _saved(tokenizer: Any, model: Path, to: Path) -> Path:
    tokenizer.save_pretrained(to)
    (to / "config.json").write_bytes((model / "config.json").read_bytes())
    return to


# -- what was saved with it -------------------------------------------------------------------------------------------


def truncating(folder: Path, to: Path) -> Path:
    """Save a copy whose tokenizer.json truncates and pads at 8, as the bundled one does at 128."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(to / "tokenizer.json"))
    return to


@pytest.mark.parametrize("name", MAKERS)
def test_saved_truncation_and_padding_are_cleared(folders: dict[str, Path], name: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(truncating(folders[name], tmp_path / "cut"))
    long, short = tokenize(ContentTokenizer.of(tokenizer), [["Ada"] * 50, ["Ada"]])
    assert set(long.words.tolist()) == set(range(50))
    assert set(short.words.tolist()) == {0}
    assert special_tokens_of(tokenizer) == special_tokens_of(load_tokenizer(folders[name]))
    tokenizer.save_pretrained(tmp_path / "saved")
    saved = json.loads((tmp_path / "saved" / "tokenizer.json").read_text(encoding="utf-8"))
    assert (saved["truncation"], saved["padding"]) == (None, None)


@pytest.mark.slow
def test_the_checkpoint_of_a_truncating_encoder_truncates_no_more(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    model = truncating(tiny, tmp_path / "model")
    result = labelkit.run("ner", data=str(corpus), model=str(model), max_steps=1, home=tmp_path / "home")
    saved = json.loads((result.checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
    assert (saved["truncation"], saved["padding"]) == (None, None)
    record = labelkit.load(str(result.checkpoint)).label("Ada lives in Rome . " * 50)
    assert record.coverage.fallback == 0
    assert len(record.labels or ()) == 250


def test_the_bundled_encoder_reads_everything() -> None:
    from labelkit.models.references import resolve_bundled

    folder = resolve_bundled("", labelkit.LoadContext()).folder
    raw = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert raw["truncation"]["max_length"] == 128  # or else this test guards nothing
    long, short = tokenize(ContentTokenizer.of(load_tokenizer(folder)), [["Ada"] * 400, ["Ada"]])
    assert set(long.words.tolist()) == set(range(400))
    assert len(short.ids) < 5


# -- what it puts around, and how much is read ------------------------------------------------------------------------


def test_the_frame_is_read_off_the_tokenizer(loaded: dict[str, Any]) -> None:
    pair = PairTokens((2,), (3,), (3,), None)
    assert special_tokens_of(loaded["word piece"]) == SpecialTokens((2,), (3,), None, pair)
    roberta = special_tokens_of(loaded["roberta bpe"])
    assert (roberta.prefix, roberta.suffix, roberta.size) == ((0,), (2,), 2)
    assert special_tokens_of(loaded["unigram"]).prefix == (0,)
    assert special_tokens_of(loaded["unigram"]).suffix == (2,)


def test_a_frame_may_be_empty_or_one_sided_with_types_of_its_own(folders: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(folders["word piece"])
    backend: Any = tokenizer.backend_tokenizer
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    pair = PairTokens((2,), (3,), (3,), ((0,), 0, (0,), 1, (1,)))
    assert special_tokens_of(tokenizer) == SpecialTokens((2,), (3,), (0, 0, 0), pair)
    backend.post_processor = processors.TemplateProcessing(
        single="$A:1 [SEP]:0 [CLS]:2", pair="$A $B", special_tokens=[("[SEP]", 3), ("[CLS]", 2)]
    )
    pair = PairTokens((), (), (), ((), 0, (), 0, ()))
    assert special_tokens_of(tokenizer) == SpecialTokens((), (3, 2), (1, 1, 2), pair)
    backend.post_processor = processors.ByteLevel()
    assert special_tokens_of(tokenizer).size == 0


@pytest.mark.parametrize(
    ("declared", "config", "length"),
    [
        (512, {"model_type": "bert", "max_position_embeddings": 512}, 512),
        (128, {"model_type": "bert", "max_position_embeddings": 512}, 128),
        (int(1e30), {"model_type": "bert", "max_position_embeddings": 256}, 256),
        (int(1e30), {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        (int(1e30), {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        (int(1e30), {"model_type": "longformer", "max_position_embeddings": 4098, "pad_token_id": 1}, 4096),
        (384, {"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, 384),
        (int(1e30), {"model_type": "xlnet", "max_position_embeddings": None}, DEFAULT_MAX_LENGTH),
        (int(1e30), {"model_type": "deberta-v2", "max_position_embeddings": 512}, 512),
        (int(1e30), {"model_type": "xlnet", "max_position_embeddings": -1}, DEFAULT_MAX_LENGTH),
        (int(1e30), {"model_type": "t5"}, DEFAULT_MAX_LENGTH),
        (int(1e30), {"model_type": "mpt", "max_seq_len": 2048}, 2048),
        (int(1e30), {"model_type": "mistral4", "max_position_embeddings": 1_048_576}, 1_048_576),
        (1024, {"model_type": "bloom"}, 1024),
    ],
)
def test_windows_are_as_long_as_the_encoder_reads(declared: int, config: dict[str, Any], length: int) -> None:
    tokenizer: Any = SimpleNamespace(model_max_length=declared)
    assert max_length_of(tokenizer, SimpleNamespace(**config)) == length


@pytest.mark.parametrize(
    ("name", "length"), [("gemma3", 131_072), ("modernvbert", 8192), ("xlnet", DEFAULT_MAX_LENGTH)]
)
def test_the_part_that_reads_text_says_how_much(name: str, length: int) -> None:
    from transformers import CONFIG_MAPPING

    tokenizer: Any = SimpleNamespace(model_max_length=int(1e30))
    assert max_length_of(tokenizer, CONFIG_MAPPING[name]()) == length


# -- what cannot be used ----------------------------------------------------------------------------------------------


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_tokenizer(folder)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.slow
def test_a_slow_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "canine"}), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CanineTokenizer"}), encoding="utf-8"
    )
    assert refusal(tmp_path).startswith(f"CanineTokenizer in {tmp_path} is not a fast tokenizer")


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    assert refusal(tmp_path).startswith(f"no tokenizer is in {tmp_path}")


def test_a_broken_tokenizer_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    broken = truncating(folders["word piece"], tmp_path / "broken")
    (broken / "tokenizer.json").write_text("{", encoding="utf-8")
    assert refusal(broken).startswith(f"no tokenizer could be loaded from {broken}")
