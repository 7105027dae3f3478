"""Encoders of every kind, tiny and random: each is trained, saved, opened again, and labels as before."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import labelkit
from labelkit.errors import LabelkitError, ModelError
from labelkit.events import Event, Noted, Scored
from labelkit.label.labeller import Labeller
from labelkit.models import architectures
from labelkit.models.heads import BoundHead
from labelkit.models.loading import load_classifier, load_config
from labelkit.models.tiny import make_tiny, tokenizer_of
from labelkit.models.tokenizer import fingerprint, load_tokenizer
from labelkit.plugins.catalog import Catalog
from labelkit.records import LoadContext, Schema
from labelkit.registry import Home

ROOT = Path(__file__).parents[1]
HOSTILE = "Ada \ufe0f </s> [SEP] <pad> 👩‍👩‍👧 \u200b 1990 don't \x00 " + "x" * 300
SCHEMA = Schema(name="toy", kind="token", labels=("O", "X"))
TEXTS = Schema(name="toy", kind="text", labels=("bad", "good"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    torch.set_num_threads(1)
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def sweep() -> Iterator[ModuleType]:
    """Return benchmarks/encoders.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("encoders")


@pytest.fixture
def trials(sweep: ModuleType) -> ModuleType:
    """Return benchmarks/encoder_trials.py."""
    return sys.modules[sweep.outcome_of.__module__]


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "reference" / "encoders.md").read_text(encoding="utf-8")


# -- each family by the command ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["roberta", "deberta", "mpnet", "llama", "gpt2", "t5", "xlnet", "bert@unigram"])
def test_a_run_leaves_a_labeller(reference: str, cache: Path, corpus: Path, tmp_path: Path) -> None:
    heard: list[Event] = []
    result = labelkit.run(
        "ner",
        data=str(corpus),
        model=str(make_tiny(reference, cache)),
        max_steps=2,
        home=tmp_path / "home",
        listeners=[heard.append],
    )
    assert all(event.train_loss is None or event.train_loss < 10 for event in heard if isinstance(event, Scored))
    said = [event.text for event in heard if isinstance(event, Noted) and "to the left" in event.text]
    assert len(said) == (reference in ("llama", "gpt2"))
    record = labelkit.load(str(result.checkpoint)).label(HOSTILE)
    assert len(record.labels or ()) == len(record.words or ()) > 8
    assert all(span.text == HOSTILE[span.start : span.end] for span in record.spans or ())


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["gpt2", "mbart", "xlnet"])
def test_a_run_on_texts_leaves_a_labeller(reference: str, cache: Path, tmp_path: Path) -> None:
    rows = [{"text": f"a {label} film {number}", "label": label} for number in range(12) for label in ("good", "bad")]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    heard: list[Event] = []
    result = labelkit.run(
        "textcls",
        data=str(tmp_path / "train.jsonl"),
        model=str(make_tiny(reference, cache)),
        max_steps=2,
        home=tmp_path / "home",
        listeners=[heard.append],
    )
    assert not [event for event in heard if isinstance(event, Noted)]
    records = labelkit.load(str(result.checkpoint)).label_all([HOSTILE, "", "a good film"])
    assert {record.label for record in records} <= {"good", "bad"}


def test_every_encoder_is_as_the_table_says(sweep: ModuleType, page: str) -> None:
    """Some of it, quickly; the slow test below tries all."""
    stored = sweep.table(page)
    chosen = ["bert", "llama", "bros"]
    assert list(sweep.rows(chosen)) == [stored[name] for name in chosen]


@pytest.mark.slow
def test_the_table_is_not_stale(sweep: ModuleType, page: str) -> None:
    assert list(sweep.rows([])) == list(sweep.table(page).values())


def test_the_table_has_every_architecture_that_transformers_maps_and_what_of_it(sweep: ModuleType, page: str) -> None:
    from transformers.models.auto import modeling_auto as auto

    mapped = [
        set(auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES),
        set(auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES),
    ]
    stored = sweep.table(page)
    assert list(stored) == sorted(mapped[0] | mapped[1])
    for name, line in stored.items():
        assert [cell != sweep.UNMAPPED for cell in sweep.cells(line)[:2]] == [name in names for names in mapped], line


def test_what_the_table_says_of_tokenizers_and_sides_is_what_labelkit_knows(sweep: ModuleType, page: str) -> None:
    for name, line in sweep.table(page).items():
        words, texts, note = sweep.cells(line)
        assert (sweep.NOT_FAST in note) is not sweep.has_fast_tokenizer(name), line
        assert (sweep.SLOW in (words, texts)) <= (not sweep.has_fast_tokenizer(name)), line
        if {words, texts} & {sweep.WORKS, sweep.SLOW}:
            assert ("reads only to the left" in note) is architectures.is_causal(name), line
            assert ("fp32 only" in note) is (name in architectures.FP32_ONLY), line


def test_the_table_is_summed_up_above_it(sweep: ModuleType, page: str) -> None:
    assert f"\n{sweep.summary(sweep.table(page))}\n" in page


def test_rows_are_replaced_one_by_one_and_the_page_around_them_stays(sweep: ModuleType, page: str) -> None:
    assert sweep.written(page, []) == page
    line = "| `bert` | no | no | a note |"
    changed = sweep.written(page, [line])
    assert sweep.table(changed) == {**sweep.table(page), "bert": line}
    assert (changed[:200], changed[-40:]) == (page[:200], page[-40:])
    assert sweep.summary(sweep.table(changed)) in changed


@pytest.mark.parametrize(
    ("whys", "fast", "cell"),
    [
        ({}, True, "–"),
        ({"bpe": "", "unigram": ""}, True, "works"),
        ({"bpe": "", "unigram": ""}, False, "needs a fast tokenizer"),
        ({"bpe": "a|<b>", "unigram": "a|<b>"}, True, "a\\|&lt;b>"),
        ({"bpe": "", "unigram": "no"}, True, "works; with unigram: no"),
    ],
)
def test_a_cell_says_with_which_tokenizers(
    sweep: ModuleType, trials: ModuleType, whys: dict[str, str], fast: bool, cell: str
) -> None:
    assert sweep.said({name: trials.Outcome(why) for name, why in whys.items()}, fast=fast) == cell


def test_a_trial_notices_what_is_wrong(trials: ModuleType, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def why(name: str = "bert") -> str:
        return str(trials.outcome_of(name, "token", "wordpiece", cache).why)

    assert why() == ""
    monkeypatch.setattr(trials, "FP32_ONLY", frozenset({"bert"}))
    assert why().startswith("bf16: ")
    monkeypatch.undo()
    monkeypatch.setattr(trials, "is_causal", lambda name: True)
    assert [why(name)[:15] for name in ("bert", "xlnet", "longformer")] == ["reads both ways"] * 3
    monkeypatch.undo()
    monkeypatch.setattr(trials, "is_causal", lambda name: False)
    assert why("llama").startswith("reads only to the left")
    monkeypatch.undo()
    monkeypatch.setattr(trials.torch.optim.AdamW, "step", lambda self: None)
    assert why().startswith("does not train: 0 of ")


# -- decoders ---------------------------------------------------------------------------------------------------------


def test_a_decoder_gets_what_it_lacks_and_keeps_it(cache: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = make_tiny("llama", cache)
    raw = AutoTokenizer.from_pretrained(str(folder))
    assert raw.pad_token is None  # or else this test guards nothing
    model = load_classifier(folder, BoundHead.linear(TEXTS))
    tokenizer = load_tokenizer(folder)
    assert (tokenizer.pad_token, tokenizer.padding_side) == ("</s>", "right")
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert model.config.use_cache is False
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    saved = AutoTokenizer.from_pretrained(str(tmp_path))
    assert (saved.pad_token, saved.padding_side) == ("</s>", "right")
    assert load_config(tmp_path).pad_token_id == tokenizer.pad_token_id


def test_a_decoder_whose_own_padding_differs_pools_by_the_tokenizers(cache: Path, tmp_path: Path) -> None:
    folder = changed(make_tiny("llama", cache), tmp_path / "other", pad_token_id=7)
    assert (
        load_classifier(folder, BoundHead.linear(TEXTS)).config.pad_token_id == load_tokenizer(folder).pad_token_id != 7
    )


def test_other_encoders_keep_their_configuration(cache: Path) -> None:
    folder = make_tiny("roberta", cache)
    assert load_classifier(folder, BoundHead.linear(TEXTS)).config.pad_token_id == load_config(folder).pad_token_id == 1


def test_a_tokenizer_without_any_special_token_is_refused(cache: Path, tmp_path: Path) -> None:
    folder = changed(make_tiny("gpt2", cache), tmp_path / "bare")
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({k: v for k, v in config.items() if not k.endswith("_token")}), encoding="utf-8")
    with pytest.raises(ModelError, match="no padding token") as caught:
        load_tokenizer(folder)
    assert caught.value.hint


def changed(folder: Path, to: Path, **config: Any) -> Path:
    """Return a copy of a model folder with another configuration."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    path = to / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **config}), encoding="utf-8")
    return to


@pytest.mark.parametrize(
    ("name", "one_sided"),
    [("gpt2", True), ("llama", True), ("mistral4", True), ("gemma3", True)]
    + [(name, False) for name in ("bert", "xlnet", "eurobert", "bart", "t5", "modernbert", "")],
)
def test_it_is_known_who_reads_only_to_the_left(name: str, one_sided: bool) -> None:
    assert architectures.is_causal(name) is one_sided


# -- precision, length, language, and what is no text -----------------------------------------------------------------


def test_an_encoder_that_cannot_compute_in_bf16_does_not(cache: Path, corpus: Path, tmp_path: Path) -> None:
    model = str(make_tiny("deberta", cache))
    config = load_config(Path(model))
    assert architectures.precision_for(config, ("bf16", "a fact")) == ("fp32", "deberta computes in fp32 only")
    assert architectures.precision_for(config, ("fp32", "a fact")) == ("fp32", "a fact")
    for setting in ("train.precision", "train.eval_precision"):
        with pytest.raises(LabelkitError, match="deberta computes in fp32 only, not in bf16") as caught:
            labelkit.run("ner", data=str(corpus), model=model, home=tmp_path, settings={setting: "bf16"})
        assert caught.value.hint == f"--set {setting}=fp32"
    assert not (tmp_path / "registry.db").exists()


def test_a_labeller_of_such_an_encoder_computes_in_fp32(cache: Path, corpus: Path, tmp_path: Path) -> None:
    model = str(make_tiny("deberta", cache))
    run = labelkit.run("ner", data=str(corpus), model=model, home=tmp_path, max_steps=1)
    labeller = Labeller.open(str(run.checkpoint), Home(root=tmp_path), Catalog.load(), precision="bf16")
    labeller.label("Ada lives in Rome .")
    assert labeller.engine.precision == "fp32"


def test_a_window_is_no_longer_than_is_reasonable() -> None:
    assert architectures.default_max_length(512) == (512, "the encoder reads 512 subwords")
    assert architectures.default_max_length(8192)[0] == 8192
    assert architectures.default_max_length(131_072) == (
        8192,
        "the encoder reads 131072 subwords, of which 8192 are used",
    )


@pytest.mark.parametrize(("name", "width"), [("bert", 32), ("t5", 32), ("gemma3", 32), ("gpt2", 32)])
def test_the_width_is_that_of_the_part_that_reads_text(name: str, width: int, cache: Path) -> None:
    assert architectures.hidden_size_of(load_config(make_tiny(name, cache))) == width


def test_an_encoder_of_many_languages_must_be_told_which(cache: Path, tmp_path: Path) -> None:
    folder = changed(make_tiny("xmod", cache), tmp_path / "xmod", default_language=None)
    with pytest.raises(ModelError, match="must be told which") as caught:
        load_classifier(folder, BoundHead.linear(SCHEMA))
    assert "default_language" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("named", "used"),
    [
        ("kernels-community/flash-attn3", "sdpa"),
        ("someone/kernel@main:function", "sdpa"),
        ("flash_attention_2", "sdpa"),
        ({"": "someone/kernel"}, "sdpa"),
        ("eager", "eager"),
        (None, "sdpa"),
    ],
    ids=str,
)
def test_a_local_folder_cannot_have_an_attention_kernel_fetched(
    named: object, used: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the package ``kernels`` is installed, transformers fetches a kernel that ``config.json`` names."""
    fetched: list[object] = []
    monkeypatch.setattr("transformers.modeling_utils.is_kernels_available", lambda: True)
    monkeypatch.setattr("transformers.modeling_utils.lazy_import_flash_attention", lambda *a, **k: fetched.append(a))
    folder = changed(make_tiny("bert", cache), tmp_path / "named", attn_implementation=named)
    model = load_classifier(folder, BoundHead.linear(SCHEMA))
    assert (model.config._attn_implementation, fetched) == (used, [])


def test_nothing_is_asked_while_a_local_folder_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    from labelkit.hub.offline import no_network

    monkeypatch.setattr("socket.socket.connect", lambda *address: pytest.fail("a connection"))
    with no_network(), pytest.raises(OfflineModeIsEnabled):
        HfApi().model_info("org/name")


def test_what_reads_no_text_is_refused(cache: Path) -> None:
    with pytest.raises(ModelError, match="bros reads where words stand on a page"):
        load_classifier(make_tiny("bros", cache), BoundHead.linear(SCHEMA))


# -- tiny: ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tokenizer"),
    [("bert", "wordpiece"), ("mpnet", "wordpiece"), ("roberta", "bpe"), ("llama", "bpe"), ("t5", "unigram")],
)
def test_an_architecture_has_a_tokenizer_like_its_own(name: str, tokenizer: str) -> None:
    assert tokenizer_of(name) == tokenizer


def test_any_of_the_tokenizers_can_be_asked_for(cache: Path) -> None:
    kinds = {
        name: json.loads((make_tiny(f"bert@{name}", cache) / "tokenizer.json").read_text(encoding="utf-8"))["model"]
        for name in ("wordpiece", "bpe", "unigram")
    }
    assert {name: kind["type"] for name, kind in kinds.items()} == {
        "wordpiece": "WordPiece",
        "bpe": "BPE",
        "unigram": "Unigram",
    }


@pytest.mark.parametrize("name", ["bert", "roberta", "t5"])
def test_it_is_the_same_every_time(name: str, cache: Path, tmp_path: Path) -> None:
    first, second = make_tiny(name, cache), make_tiny(name, tmp_path)
    prints = [fingerprint(one.backend_tokenizer, one.model_input_names) for one in map(load_tokenizer, (first, second))]
    assert prints[0] == prints[1]
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("brt", "unknown architecture 'brt'"),
        ("bert@sentencepiece", "unknown tiny tokenizer 'sentencepiece'"),
        ("layoutlmv2", "no tiny layoutlmv2 can be built: ImportError"),
    ],
)
def test_what_cannot_be_made_is_told(reference: str, said: str, cache: Path) -> None:
    with pytest.raises(ModelError) as caught:
        make_tiny(reference, cache)
    assert caught.value.message.startswith(said)
    assert caught.value.hint
    assert not [path for path in cache.iterdir() if path.name.startswith(".")]


def test_a_reference_names_both(tmp_path: Path) -> None:
    from labelkit.models.references import resolve_tiny

    found = resolve_tiny("bert@bpe", LoadContext(cache=tmp_path))
    assert found.folder.parent == tmp_path / "tiny"
    assert found.folder.name.startswith("bert@bpe")
