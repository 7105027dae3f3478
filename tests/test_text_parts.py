"""Texts of several parts: a preprocessor asks for separators, and no text of a user becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelkit
from broken_plugins import a_catalog
from labelkit.config.environment import Environment
from labelkit.config.requests import request_of
from labelkit.data.preprocess import apply_one
from labelkit.encode import cache
from labelkit.encode.alignment import Encoding, encode_texts, texts_of
from labelkit.errors import LabelkitError
from labelkit.label.labeller import Labeller
from labelkit.models.tiny_tokenizers import DECODER, ROBERTA, make
from labelkit.models.tokenizer import load_tokenizer, separator_of
from labelkit.records import Example, LoadContext, Preprocessor, Source, Task
from labelkit.registry import Home
from labelkit.train.preparation import prepare
from labelkit.train.run import train


def pair_up(example: Example) -> Example:
    return replace(example, surface=(example.text or "", str(example.extra.get("hypothesis", ""))))


PAIR = Preprocessor(name="pair", kind="text", apply=pair_up, parts=True)


@pytest.fixture(scope="module")
def encoding(tiny: Path) -> Encoding:
    return Encoding.of(load_tokenizer(tiny), 32, 4)


TEXTS = st.text(max_size=20) | st.sampled_from(["It rains [SEP] .", "[SEP]", "[CLS][PAD]", "", " "])


@given(first=TEXTS, second=TEXTS)
@settings(max_examples=60, deadline=None)
def test_one_separator_stands_between_two_parts(encoding: Encoding, tiny: Path, first: str, second: str) -> None:
    tokenizer = load_tokenizer(tiny)
    windows = encode_texts(replace(encoding, stride=0), [(first, second)]).windows
    inside = [id_ for window in windows for id_ in window.ids[1:-1].tolist()]
    alone = [encoding.content.encode(part).ids for part in (first, second)]
    assert inside == ([*alone[0], tokenizer.sep_token_id, *alone[1]] if any(alone) else [])
    assert tokenizer.sep_token_id not in alone[0] + alone[1]


def test_parts_and_texts_may_be_mixed(encoding: Encoding) -> None:
    mixed = encode_texts(encoding, ["Ada lives", ("Ada", "lives"), ("Ada lives",), ("", ""), "Rome"])
    assert [window.example for window in mixed.windows] == [0, 1, 2, 4]
    ids = [window.ids.tolist() for window in mixed.windows]
    assert ids[0] == ids[2]
    assert len(ids[1]) == len(ids[0]) + 1
    assert [one.no_subtokens for one in mixed.coverage] == [0, 0, 0, 1, 0]


def test_the_separator_is_that_of_a_pair(tmp_path: Path) -> None:
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = make("unigram", ROBERTA)
    end = tokenizer.sep_token
    assert separator_of(tokenizer) == (tokenizer.sep_token_id,) * 2  # as RoBERTa's
    assert end
    pairs = [(end, tokenizer.sep_token_id)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=pairs)
    assert separator_of(tokenizer) == (tokenizer.sep_token_id,)
    decoder = make("bpe", DECODER)
    assert separator_of(decoder) == (decoder.eos_token_id,)
    none = PreTrainedTokenizerFast(tokenizer_object=decoder.backend_tokenizer, pad_token="<pad>")
    assert separator_of(none) == ()
    with pytest.raises(LabelkitError, match="has no separator"):
        encode_texts(Encoding.of(none, 32, 4), [("a", "b")])


@pytest.mark.parametrize(
    ("preprocessor", "said"),
    [
        (replace(PAIR, parts=False), "made 2 parts of a text without parts=True in example 1"),
        (replace(PAIR, apply=lambda one: replace(one, surface=())), "made 0 parts of a text in example 1"),
        (replace(PAIR, apply=lambda one: replace(one, surface=("a", 1))), "set a surface that is no str: ('a', 1)"),
    ],
)
def test_other_surfaces_are_refused(preprocessor: Preprocessor, said: str) -> None:
    with pytest.raises(LabelkitError) as error:
        apply_one(preprocessor, Example(id="1", text="a"))
    assert said in error.value.message


def test_words_are_no_string() -> None:
    joined = Preprocessor(name="joined", kind="token", apply=lambda one: replace(one, surface="ab"))
    with pytest.raises(LabelkitError, match="set a surface that is no tuple of str: 'ab'"):
        apply_one(joined, Example(id="1", words=("a", "b")))


def load(split: str, ctx: LoadContext) -> Iterable[Example]:
    rows = (("It rains .", "It is wet .", "yes"), ("It rains .", "It is dry .", "no")) * 8
    for number, (text, hypothesis, label) in enumerate(rows):
        yield Example(id=str(number), text=text, labels={"label": label}, extra={"hypothesis": hypothesis})


SOURCE = Source(name="pairs", kind="text", layers={"label": None}, splits=("train", "test"), load=load, licence="CC0")
TASK = Task(
    name="entails", summary="", kind="text", layer="label", source="pairs", metrics=("classification",),
    decoder="argmax-text", preprocess=("pair",),
)  # fmt: skip


@pytest.mark.slow
def test_training_and_labelling_see_the_same_parts(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def spy(examples: Sequence[Example]) -> list[Any]:
        seen.extend(found := texts_of(examples))
        return found

    monkeypatch.setattr(cache, "texts_of", spy)
    home, catalog = Home(root=tmp_path / "home"), a_catalog(SOURCE, TASK, PAIR)
    sets = ("train.precision=fp32", "train.num_train_epochs=1")
    request = request_of("entails", recipe=None, name="one", sets=sets, data="pairs", model=str(tiny))
    prepared = prepare(request, catalog, Environment(), home, on_stage=lambda *stage: None)
    done = train(prepared, catalog, home)
    labeller = Labeller.open("one", home, catalog)
    assert labeller.info.parts
    example = Example(id="1", text="It rains .", extra={"hypothesis": "It is wet ."})
    batch = labeller.prepare([example])
    assert texts_of(batch.examples) == [("It rains .", "It is wet .")]
    assert ("It rains .", "It is wet .") in seen
    (record,) = labeller.finish(batch)
    assert record.text == "It rains ."
    assert record.extra["hypothesis"] == "It is wet ."
    gold = [replace(one, surface=None) for one in load("test", LoadContext())]
    scores = labeller.score(gold, prepared.plan.metrics)
    assert scores["accuracy"] == done.metrics["test"]["entails"]["accuracy"]
    with pytest.raises(LabelkitError, match="with parts of texts, which the preprocessors 'pair' no longer make"):
        Labeller.open("one", home, a_catalog(SOURCE, TASK, replace(PAIR, parts=False)))


def test_the_field_is_public() -> None:
    assert labelkit.Preprocessor(name="x", kind="text", apply=pair_up).parts is False
