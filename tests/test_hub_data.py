"""Data sets of the Hub, with the real client against a stand-in server on this machine."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hub_server import Hub, serving, use
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.hub_files import card_class_names, choose_files
from labelkit.data.hub_mirrors import MIRRORS
from labelkit.data.reading import kind_of
from labelkit.data.resolution import resolve_reference
from labelkit.errors import DataError, LabelkitError, NetworkError
from labelkit.plugins.catalog import Catalog
from labelkit.records import DataSettings, Kind, LoadContext, Scheme

CONVERTED = "refs/convert/parquet"
TAGS = ("O", "B-pet", "I-pet", "B-toy", "I-toy")
SIZES = {"train": 6, "validation": 3, "test": 2}
WNUT = ("corporation", "creative-work", "group", "location", "person", "product")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Serve an empty Hub to this process."""
    with serving() as found:
        use(found, monkeypatch, tmp_path / "hf")
        yield found


def parquet(rows: Sequence[Mapping[str, Any]], **features: Any) -> bytes:
    """Return a Parquet file as ``datasets`` writes it, with the features in its metadata."""
    from datasets import Dataset, Features

    dataset = Dataset.from_list(list(rows), features=Features(features) if features else None)
    with io.BytesIO() as buffer:
        dataset.to_parquet(buffer)
        return buffer.getvalue()


def plain_parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a Parquet file without features."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with io.BytesIO() as buffer:
        pq.write_table(pa.Table.from_pylist(list(rows)), buffer)
        return buffer.getvalue()


def without_listings(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make the cache one of an older ``huggingface_hub``, which does not know what else a repository holds."""
    (tmp_path / "hf").rename(tmp_path / "older")
    shutil.rmtree(next((tmp_path / "older").glob("datasets--*/trees")))
    use(hub, monkeypatch, tmp_path / "older")


def tagged(count: int, names: Sequence[str] = TAGS, column: str = "ner_tags", **more: Any) -> bytes:
    """Return sentences whose tags are numbers with ``names``, B- and I- of the first type among them."""
    from datasets import ClassLabel, List, Value

    rows = [{"tokens": ["Tom", "Cat", f"no{n}"], column: [1, 2, 0], **more} for n in range(count)]
    kinds: dict[str, Any] = {"tokens": List(Value("string")), column: List(ClassLabel(names=list(names)))}
    return parquet(rows, **kinds, **{name: Value("string") for name in more})


def splits(sizes: Mapping[str, int] | None = None, names: Sequence[str] = TAGS) -> dict[str, bytes]:
    files = {f"data/{split}-00000-of-00001.parquet": tagged(n, names) for split, n in (sizes or SIZES).items()}
    return {"README.md": b"---\nlicense: mit\n---\nPets.\n", ".gitattributes": b"", **files}


def load(
    reference: str,
    catalog: Catalog,
    tmp_path: Path,
    *,
    layer: str = "ner",
    kind: Kind = "token",
    scheme: Scheme | None = "IOB2",
    **ctx: Any,
) -> Corpus:
    known = LoadContext(cache=tmp_path / "cache", **ctx)
    return load_corpus(reference, layer=layer, kind=kind, scheme=scheme, catalog=catalog, ctx=known)


def load_texts(reference: str, catalog: Catalog, tmp_path: Path, **ctx: Any) -> Corpus:
    return load(reference, catalog, tmp_path, layer="label", kind="text", scheme=None, **ctx)


def failure(*arguments: Any, **how: Any) -> LabelkitError:
    with pytest.raises(LabelkitError) as caught:
        load(*arguments, **how)
    assert "\n" not in str(caught.value)
    return caught.value


# -- hub:ID ---------------------------------------------------------------------------------------------------------


def test_a_data_set_is_read_with_the_names_of_its_tags(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    commit = hub.add("org/pets", splits())
    corpus = load("hub:org/pets", catalog, tmp_path)
    assert {name: len(split.examples) for name, split in corpus.splits.items()} == SIZES
    assert {split.ref for split in corpus.splits.values()} == {f"hub:org/pets@{commit}:{name}" for name in SIZES}
    example = corpus.splits["validation"].examples[1]
    assert (example.id, example.words, example.labels) == (
        "2",
        ("Tom", "Cat", "no1"),
        {"ner": ("B-pet", "I-pet", "O")},
    )
    assert str(example.place) == "hub:org/pets validation:2"
    assert corpus.schema.label_names == ("O", "B-pet", "I-pet")
    assert (corpus.scheme_read, corpus.notes) == ("IOB2", ())


def test_a_revision_is_read_as_it_was(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    old = hub.add("org/pets", splits({"train": 4, "validation": 1}), "v1")
    hub.add("org/pets", splits())
    corpus = load("hub:org/pets@v1", catalog, tmp_path)
    assert corpus.splits["train"].ref == f"hub:org/pets@{old}:train"
    assert {name: len(split.examples) for name, split in corpus.splits.items()} == {"train": 4, "validation": 1}
    assert len(load(f"hub:org/pets@{old}", catalog, tmp_path).splits["train"].examples) == 4
    assert len(load("hub:org/pets", catalog, tmp_path).splits["train"].examples) == 6


def test_what_was_fetched_needs_no_hub_any_more(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    commit = hub.add("org/pets", splits())
    first = load("hub:org/pets", catalog, tmp_path)
    asked = len(hub.asked)
    hub.mode = "fails"
    for reference in ("hub:org/pets", "hub:org/pets@main", f"hub:org/pets@{commit}"):
        for offline in (False, True):
            again = load(reference, catalog, tmp_path / "another home", offline=offline)
            assert again.splits == first.splits
    assert len(hub.asked) == asked


def test_half_a_data_set_is_not_taken_for_the_whole(
    hub: Hub, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.add("org/pets", splits())
    hub.stall = "data/validation-00000-of-00001.parquet"
    error = failure("hub:org/pets", catalog, tmp_path)
    assert isinstance(error, NetworkError)
    assert error.message.startswith("dataset 'org/pets' could not be fetched (")
    hub.mode = "fails"
    for reference in ("hub:org/pets", f"hub:org/pets@{commit}"):
        assert isinstance(failure(reference, catalog, tmp_path), NetworkError)
        assert isinstance(failure(reference, catalog, tmp_path, offline=True), NetworkError)
    without_listings(hub, monkeypatch, tmp_path)
    assert isinstance(failure("hub:org/pets", catalog, tmp_path, offline=True), NetworkError)
    hub.mode, hub.stall = "up", ""
    assert len(load("hub:org/pets", catalog, tmp_path).splits["validation"].examples) == SIZES["validation"]


def test_only_data_files_are_fetched(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add(
        "org/pets", {**splits(), "evil.py": b"1/0", "model.bin": b"\x80", "data/full.zip": b"PK", "notes.pdf": b"%"}
    )
    load("hub:org/pets", catalog, tmp_path)
    assert hub.fetched == {"README.md", *(f"data/{split}-00000-of-00001.parquet" for split in SIZES)}


def test_tags_in_another_scheme_are_found_out(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    from datasets import ClassLabel, List, Value

    rows = [{"tokens": ["a", "b", "c"], "tags": [1, 2, 1]}] * 4
    names = ClassLabel(names=["O", "I-pet", "B-pet"])
    hub.add("org/old", {"train.parquet": parquet(rows, tokens=List(Value("string")), tags=List(names))})
    corpus = load("hub:org/old", catalog, tmp_path)
    assert corpus.scheme_read == "IOB1"
    assert corpus.splits["train"].examples[0].labels["ner"] == ("B-pet", "B-pet", "I-pet")


def test_plain_tags_and_named_columns(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    rows = [{"w": ["a", "b"], "t": ["DET", "NOUN"], "other": 1.5, "doc": f"d{n}"} for n in range(5)]
    hub.add("org/tags", {"train.parquet": plain_parquet(rows), "test.parquet": plain_parquet(rows)})
    columns = {"tokens": "w", "pos": "t", "document": "doc"}
    corpus = load("hub:org/tags", catalog, tmp_path, layer="pos", scheme=None, columns=columns)
    assert corpus.schema.labels == ("DET", "NOUN")
    assert corpus.splits["test"].examples[4].document == "d4"
    assert corpus.splits["validation"].held_out
    assert corpus.splits["validation"].ref == corpus.splits["train"].ref


@pytest.mark.parametrize("column", ["pos", "pos_tags", "tags", "labels"])
def test_the_usual_columns_of_a_layer_are_found(hub: Hub, catalog: Catalog, tmp_path: Path, column: str) -> None:
    hub.add("org/tags", {"train.parquet": tagged(4, ("X", "DET", "NOUN"), column)})
    corpus = load("hub:org/tags", catalog, tmp_path, layer="pos", scheme=None)
    assert corpus.splits["train"].examples[0].labels == {"pos": ("DET", "NOUN", "X")}


def test_texts_with_classes(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    from datasets import ClassLabel, Value

    rows = [{"text": f"film {n}", "label": n % 2} for n in range(8)]
    features = {"text": Value("string"), "label": ClassLabel(names=["bad", "good"])}
    hub.add("films", {"train.parquet": parquet(rows, **features), "dev.parquet": parquet(rows[:2], **features)})
    corpus = load_texts("hub:films", catalog, tmp_path)
    assert corpus.schema.labels == ("bad", "good")
    assert [example.labels["label"] for example in corpus.splits["validation"].examples] == ["bad", "good"]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_numbers_get_their_names_from_the_card(hub: Hub, catalog: Catalog, tmp_path: Path, ending: str) -> None:
    rows = [{"text": f"film {n}", "label": n % 3} for n in range(9)]
    content = {
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "csv": ("text,label\n" + "".join(f"film {n},{n % 3}\n" for n in range(9))).encode(),
        "parquet": plain_parquet(rows),
    }[ending]
    card = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': bad
          '1': '7'
          '2': good
---
"""
    hub.add("org/films", {"README.md": card.encode(), f"train.{ending}": content})
    corpus = load_texts("hub:org/films", catalog, tmp_path)
    assert corpus.schema.labels == ("7", "bad", "good")
    hub.add("org/less", {"README.md": card.replace("'2': good", "").encode(), f"train.{ending}": content})
    with pytest.raises(DataError, match="hub:org/less train:3: label 2 has no name, there are 2"):
        load_texts("hub:org/less", catalog, tmp_path)


def test_names_in_the_file_count_more_than_those_of_the_card(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    from datasets import ClassLabel, Value

    rows = [{"text": f"film {n}", "label": n % 2} for n in range(8)]
    content = parquet(rows, text=Value("string"), label=ClassLabel(names=["1", "0"]))
    card = "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n"
    card += "      class_label:\n        names:\n          '0': '1'\n          '1': '0'\n---\n"
    hub.add("org/films", {"README.md": card.encode(), "train.parquet": content})
    splits = load_texts("hub:org/films", catalog, tmp_path).splits.values()
    assert {example.text: example.labels["label"] for split in splits for example in split.examples}["film 0"] == "1"


def test_shards_are_one_split_in_order(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    files = {f"data/train-0000{n}-of-00003.parquet": tagged(n + 1, source=f"shard {n}") for n in range(3)}
    hub.add("org/pets", {**files, "data/validation-00000-of-00001.parquet": tagged(1)})
    examples = load("hub:org/pets", catalog, tmp_path).splits["train"].examples
    assert [example.extra["source"] for example in examples] == [f"shard {n}" for n in (0, 1, 1, 2, 2, 2)]
    assert [example.id for example in examples] == ["1", "2", "3", "4", "5", "6"]
    assert [str(example.place) for example in examples][-1] == "hub:org/pets train:6"


def test_ids_of_its_own_are_kept(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("org/pets", {"train.parquet": tagged(1, id="a-7"), "validation.parquet": tagged(1, id="b")})
    assert load("hub:org/pets", catalog, tmp_path).splits["train"].examples[0].id == "a-7"


def test_one_of_several_configurations_is_chosen(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    files = {f"{name}/train/0000.parquet": tagged(n, column="tags") for name, n in (("small", 3), ("large", 5))}
    hub.add("org/pets", files)
    error = failure("hub:org/pets", catalog, tmp_path)
    assert error.message == "hub:org/pets: it has the configurations large, small"
    assert "data.config" in str(error.hint)
    corpus = load("hub:org/pets", catalog, tmp_path, settings=DataSettings(config="large"))
    assert len(corpus.splits["train"].examples) + len(corpus.splits["validation"].examples) == 5
    assert hub.fetched == {"large/train/0000.parquet"}
    assert (
        "no configuration 'larg'"
        in failure("hub:org/pets", catalog, tmp_path, settings=DataSettings(config="larg")).message
    )


def test_a_single_split_can_be_opened_and_converted(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("org/pets", splits())
    ctx = LoadContext(cache=tmp_path / "cache", layer="ner")
    assert kind_of("hub:org/pets", catalog, ctx) == "token"
    found = list(resolve_reference("hub:org/pets", "token", catalog, ctx).open("test", ctx))
    assert [example.labels["ner"] for example in found] == [("B-pet", "I-pet", "O")] * 2
    with pytest.raises(DataError, match="'hub:org/pets@main' has no dev split"):
        resolve_reference("hub:org/pets@main", "token", catalog, ctx).open("dev", ctx)


# -- what can be wrong ----------------------------------------------------------------------------------------------


def test_offline_nothing_is_asked(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("org/pets", splits())
    error = failure("hub:org/pets", catalog, tmp_path, offline=True)
    assert isinstance(error, NetworkError)
    assert error.message == "dataset 'org/pets' is not in the local cache and HF_HUB_OFFLINE is set"
    assert "--data PATH" in str(error.hint)
    assert hub.asked == []


@pytest.mark.parametrize("mode", ["hangs", "drips", "fails", "gone"])
def test_a_hub_that_does_not_answer_is_given_up_soon(hub: Hub, catalog: Catalog, tmp_path: Path, mode: str) -> None:
    hub.mode = mode
    if mode == "gone":
        hub.server.shutdown()
        hub.server.server_close()
    started = time.monotonic()
    error = failure("hub:org/pets", catalog, tmp_path)
    assert time.monotonic() - started < 10
    assert isinstance(error, NetworkError)
    assert error.message.startswith("the Hugging Face Hub cannot be reached for dataset 'org/pets' (")
    assert "--data PATH" in str(error.hint)
    assert len([path for path in hub.asked if "org/pets" in path]) <= 1


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("hub:org/nonesuch", "there is no dataset 'org/nonesuch' on the Hub"),
        ("hub:org/pets@v9", "dataset 'org/pets' has no revision 'v9'"),
        ("hub:org/p ts", "'org/p ts' is not a valid name of a dataset on the Hub"),
    ],
)
def test_what_the_hub_does_not_know_is_told(
    hub: Hub, catalog: Catalog, tmp_path: Path, reference: str, message: str
) -> None:
    hub.add("org/pets", splits())
    error = failure(reference, catalog, tmp_path)
    assert isinstance(error, DataError)
    assert error.message == message
    assert error.hint


def test_a_gated_data_set_is_told(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("org/pets", splits())
    hub.gated = True
    error = failure("hub:org/pets", catalog, tmp_path)
    assert isinstance(error, DataError)
    assert error.message == "dataset 'org/pets' is gated on the Hub"
    assert "hf auth login" in str(error.hint)


@pytest.mark.parametrize("converted", [True, False])
def test_a_data_set_that_needs_a_script_is_refused(hub: Hub, catalog: Catalog, tmp_path: Path, converted: bool) -> None:
    hub.add("org/pets", {"README.md": b"", "pets.py": b"1/0", "dummy/train.csv": b"a,b\n"})
    if converted:
        hub.add("org/pets", {"default/train/0000.parquet": tagged(4)}, CONVERTED)
    error = failure("hub:org/pets", catalog, tmp_path)
    assert error.message == "hub:org/pets needs its loading script pets.py, and no code of the Hub is run"
    assert (f"--data hub:org/pets@{CONVERTED}" in str(error.hint)) == converted
    assert not any("pets.py" in path for path in hub.asked)
    if converted:
        corpus = load(f"hub:org/pets@{CONVERTED}", catalog, tmp_path)
        assert len(corpus.splits["train"].examples) + len(corpus.splits["validation"].examples) == 4


def test_a_script_in_the_cache_is_refused_without_asking(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    from huggingface_hub import snapshot_download

    hub.add("org/pets", {**splits(), "pets.py": b"1/0"})
    snapshot_download("org/pets", repo_type="dataset")
    hub.asked.clear()
    assert "needs its loading script pets.py" in failure("hub:org/pets", catalog, tmp_path, offline=True).message
    assert hub.asked == []


def test_a_cache_that_keeps_no_listing_serves_offline(
    hub: Hub, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/pets", splits())
    first = load("hub:org/pets", catalog, tmp_path)
    without_listings(hub, monkeypatch, tmp_path)
    hub.mode = "fails"
    assert load("hub:org/pets", catalog, tmp_path, offline=True).splits == first.splits
    assert isinstance(failure("hub:org/pets", catalog, tmp_path), NetworkError)  # it may be a part: better ask


def test_a_data_set_without_train_is_refused(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("org/pets", splits({"test": 2}))
    assert failure("hub:org/pets", catalog, tmp_path).message == "'hub:org/pets' has no train split"


def test_a_data_set_without_data_files_is_refused(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("org/pets", {"README.md": b"", "images/train.zip": b"PK"})
    error = failure("hub:org/pets", catalog, tmp_path)
    assert error.message.startswith("hub:org/pets has no data files of train, validation or test (it holds README.md,")
    assert ".parquet" in str(error.hint)


def test_a_wrong_column_is_told_with_those_that_there_are(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("org/pets", splits())
    error = failure("hub:org/pets", catalog, tmp_path, columns={"tokens": "tokens", "ner": "nerr"})
    assert "no column 'nerr' for 'ner', the columns are 'tokens', 'ner_tags'" in error.message
    assert error.message.startswith("hub:org/pets train-00000-of-00001.parquet: ")


def test_a_card_that_is_no_yaml_is_left_alone(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("org/pets", {**splits(), "README.md": b"---\na: [b\n---\n"})
    assert len(load("hub:org/pets", catalog, tmp_path).splits["train"].examples) == SIZES["train"]


# -- named corpora --------------------------------------------------------------------------------------------------


def wnut_names() -> list[str]:
    return ["O", *(f"{prefix}-{type_}" for type_ in WNUT for prefix in "BI")]


def a_wnut17(hub: Hub, sizes: Mapping[str, int] = SIZES) -> str:
    files = {f"wnut_17/{split}/0000.parquet": tagged(count, wnut_names()) for split, count in sizes.items()}
    hub.add("leondz/wnut_17", {"wnut_17.py": b"1/0"})
    return hub.add("leondz/wnut_17", files, CONVERTED)


def test_a_source_without_files_comes_from_its_mirror(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    commit = a_wnut17(hub)
    corpus = load("wnut17", catalog, tmp_path)
    assert {name: split.ref for name, split in corpus.splits.items()} == {
        name: f"hub:leondz/wnut_17@{commit}:{name}" for name in SIZES
    }
    assert corpus.schema.types == WNUT
    assert corpus.splits["train"].examples[0].labels["ner"] == ("B-corporation", "I-corporation", "O")
    assert corpus.notes == (
        "wnut17: train has 6 examples, 3,394 were published",
        "wnut17: validation has 3 examples, 1,009 were published",
        "wnut17: test has 2 examples, 1,287 were published",
    )
    hub.mode = "fails"
    assert load("wnut17", catalog, tmp_path, offline=True).splits == corpus.splits


def test_local_files_come_before_the_mirror(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    a_wnut17(hub)
    folder = tmp_path / "data" / "wnut17"
    folder.mkdir(parents=True)
    for split in SIZES:
        (folder / f"{split}.conll").write_text("Rome\tB-location\n\nLima\tB-location\n\n", encoding="utf-8")
    ways: tuple[dict[str, Any], ...] = ({"root": tmp_path / "data"}, {"path": folder})
    for where in ways:
        corpus = load("wnut17", catalog, tmp_path, **where)
        assert corpus.splits["test"].ref == "wnut17:test"
        assert corpus.splits["test"].examples[0].words == ("Rome",)
    assert hub.asked == []


def test_a_folder_that_the_user_names_is_not_replaced_by_the_mirror(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    a_wnut17(hub)
    error = failure("wnut17", catalog, tmp_path, path=tmp_path / "nowhere")
    assert error.message == f"{tmp_path / 'nowhere'} does not exist"
    assert hub.asked == []


def test_a_mirror_stands_in_for_a_folder_that_the_root_lacks(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    a_wnut17(hub)
    assert load("wnut17", catalog, tmp_path, root=tmp_path).splits["train"].ref.startswith("hub:leondz/wnut_17@")


def test_a_mirror_that_is_out_of_reach_is_told(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.mode = "fails"
    error = failure("conll2003", catalog, tmp_path)
    assert isinstance(error, NetworkError)
    assert "'conll2003' needs its files" in error.message
    assert "cannot be reached for dataset 'lhoestq/conll2003'" in error.message
    assert "LABELKIT_DATA" in str(error.hint)
    assert not any("tomaarsen" in path for path in hub.asked)  # one attempt is enough
    asked = len(hub.asked)
    offline = failure("conll2003", catalog, tmp_path, offline=True)
    assert offline.message.startswith("'conll2003' needs its files")
    assert "lhoestq/conll2003" in str(offline.hint)
    assert len(hub.asked) == asked


def conll2003(names: Sequence[str]) -> dict[str, bytes]:
    from datasets import ClassLabel, List, Value

    chunks = ClassLabel(names=["O", "B-NP", "I-NP", "B-UCP"])
    features = {
        "tokens": List(Value("string")),
        "pos_tags": List(ClassLabel(names=["NNP", "."])),
        "chunk_tags": List(chunks),
        "ner_tags": List(ClassLabel(names=list(names))),
    }
    rows = [{"tokens": ["Ada", "L", "."], "pos_tags": [0, 0, 1], "chunk_tags": [1, 2, 0], "ner_tags": [1, 2, 0]}]
    return {f"data/{split}-00000-of-00001.parquet": parquet(rows * 4, **features) for split in SIZES}


def test_the_second_mirror_serves_where_the_first_is_gone(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    commit = hub.add("tomaarsen/conll2003", conll2003(("O", "B-PER", "I-PER")))
    for layer, tags in (("ner", ("B-PER", "I-PER", "O")), ("chunk", ("B-NP", "I-NP", "O"))):
        corpus = load("conll2003", catalog, tmp_path, layer=layer)
        assert corpus.splits["test"].examples[0].labels[layer] == tags
        assert corpus.splits["test"].ref == f"hub:tomaarsen/conll2003@{commit}:test"
    assert load("conll2003", catalog, tmp_path, layer="pos", scheme=None).schema.labels == (".", "NNP")


def test_labels_that_the_schema_lacks_are_refused(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    hub.add("lhoestq/conll2003", conll2003(("O", "B-HUMAN", "I-HUMAN")))
    error = failure("conll2003", catalog, tmp_path)
    assert error.message == (
        "hub:lhoestq/conll2003 train:1: label 'B-HUMAN' of type 'HUMAN' is not in schema 'conll2003-ner'"
    )


def test_a_mirror_without_a_layer_or_split_is_told(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    commit = hub.add("eriktks/conll2000", {"x/train/0.parquet": tagged(2), "x/test/0.parquet": tagged(2)}, CONVERTED)
    error = failure("conll2000", catalog, tmp_path, layer="chunk")
    assert error.message.startswith(
        f"the mirror hub:eriktks/conll2000@{commit[:12]} does not hold conll2000 as published: "
    )
    assert "'pos_tags'" in error.message
    hub.add("lhoestq/conll2003", {path: data for path, data in conll2003(TAGS).items() if "test" not in path})
    assert "it has no test split, only train, validation" in failure("conll2003", catalog, tmp_path).message


def test_imdb_gets_our_labels_and_leaves_the_unlabelled(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    from datasets import ClassLabel, Value

    def texts(*labels: int) -> bytes:
        rows = [{"text": f"film {n}", "label": label} for n, label in enumerate(labels)]
        return parquet(rows, text=Value("string"), label=ClassLabel(names=["neg", "pos"]))

    card = b"""---
configs:
- config_name: plain_text
  data_files:
  - split: train
    path: plain_text/train-*
  - split: test
    path: plain_text/test-*
  - split: unsupervised
    path: plain_text/unsupervised-*
  default: true
---
"""
    files = {"train": texts(0, 1, 0, 1), "test": texts(1, 0), "unsupervised": texts(-1, -1)}
    hub.add(
        "stanfordnlp/imdb",
        {"README.md": card, **{f"plain_text/{split}-00000-of-00001.parquet": data for split, data in files.items()}},
    )
    corpus = load_texts("imdb", catalog, tmp_path)
    assert [example.labels["label"] for example in corpus.splits["test"].examples] == ["POSITIVE", "NEGATIVE"]
    assert not any("unsupervised" in path for path in hub.fetched)
    read = load_texts("hub:stanfordnlp/imdb", catalog, tmp_path)
    assert read.schema.labels == ("neg", "pos")
    assert read.notes == ("hub:stanfordnlp/imdb: splits that are not read: unsupervised",)


def test_every_mirror_is_of_a_source_and_names_its_layers(catalog: Catalog) -> None:
    for name, mirrors in MIRRORS.items():
        source = catalog.sources[name]
        for mirror in mirrors:
            assert mirror.kind == source.kind
            assert set(mirror.columns) == {*source.layers, "tokens" if source.kind == "token" else "text"}


# -- which files are which split ------------------------------------------------------------------------------------

TABLES = (".parquet", ".jsonl", ".csv", ".conll")


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["train.csv", "dev.csv", "test.csv"], {"train": 1, "validation": 1, "test": 1}),
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], {"train": 2}),
        (["c/train/0000.parquet", "c/train/0001.parquet", "c/validation/0000.parquet"], {"train": 2, "validation": 1}),
        (["train.csv", "train.parquet", "test.parquet"], {"train": 1, "test": 1}),
        (["train/a.jsonl.gz", "test/b.jsonl.gz"], {"train": 1, "test": 1}),
        (["everything.jsonl", "dataset_infos.json"], {"train": 1}),
        (["train.csv", "labels.csv"], {"train": 1}),
        (["wnut17train.conll", "emerging.dev.conll"], {"train": 1, "validation": 1}),
        (["words.conll"], {}),
        (["train.py", "train.zip"], {}),
    ],
)
def test_files_are_chosen_by_their_names(files: list[str], chosen: dict[str, int]) -> None:
    found = choose_files(files, {}, TABLES)
    assert {split: len(paths) for split, paths in found.files.items()} == chosen
    assert found.notes == ()


def test_a_lone_split_is_taken_as_train_and_told() -> None:
    chosen = choose_files(["data/full-00000-of-00001.parquet"], {}, TABLES)
    assert list(chosen.files) == ["train"]
    assert chosen.notes == ("its only split, 'full', is taken as train",)


def test_splits_that_are_not_read_are_told() -> None:
    files = ["train.csv", "labels.csv", "extra-00000-of-00001.csv"]
    chosen = choose_files(files, {}, TABLES)
    assert (chosen.files, chosen.notes) == ({"train": ("train.csv",)}, ("splits that are not read: extra",))


@pytest.mark.parametrize("files", [["train.csv", "dev.csv", "valid.csv"], ["a/train.csv", "b/train.csv"]])
def test_a_split_that_exists_twice_is_refused(files: list[str]) -> None:
    with pytest.raises(DataError, match=r"two splits of it|stands in 2 files"):
        choose_files(files, {}, TABLES)


@pytest.mark.parametrize(
    ("data_files", "chosen"),
    [
        ("a/*.csv", {"train": ("a/x.csv", "a/y.csv")}),
        (["a/x.csv", "b/c/*"], {"train": ("a/x.csv", "b/c/z.csv")}),
        ([{"split": "dev", "path": ["a/[x]*", "**/z.csv"]}], {"validation": ("a/x.csv", "b/c/z.csv")}),
        (
            [{"split": "train", "path": "a/y.csv"}, {"split": "dev", "path": "a/[x]*"}],
            {"train": ("a/y.csv",), "validation": ("a/x.csv",)},
        ),
        ({"train": "*/*", "test": "b/?/z.csv"}, {"train": ("a/x.csv", "a/y.csv"), "test": ("b/c/z.csv",)}),
        ("b/*.csv", {}),
    ],
)
def test_a_card_says_which_files_are_which_split(data_files: Any, chosen: dict[str, tuple[str, ...]]) -> None:
    card = {"configs": [{"config_name": "one", "data_files": data_files}]}
    assert choose_files(["a/x.csv", "a/y.csv", "b/c/z.csv"], card, TABLES).files == chosen


def test_the_default_configuration_of_a_card_is_taken() -> None:
    card = {
        "configs": [
            {"config_name": "one", "data_files": "x.csv"},
            {"config_name": "two", "data_files": "y.csv", "default": True},
        ]
    }
    chosen = choose_files(["x.csv", "y.csv"], card, TABLES)
    assert (chosen.files, chosen.config) == ({"train": ("y.csv",)}, "two")
    assert choose_files(["x.csv", "y.csv"], card, TABLES, "one").files == {"train": ("x.csv",)}


def test_class_names_of_lists_and_values_are_read_from_a_card() -> None:
    label = {"class_label": {"names": {"0": "O", "10": "K", "2": "B"}}}
    features = [{"name": "a", "sequence": label}, {"name": "b", "list": label}, {"name": "c", "dtype": "string"}]
    card = {"dataset_info": [{"config_name": "x", "features": []}, {"config_name": "y", "features": features}]}
    assert card_class_names(card, "y") == {"a": ("O", "B", "K"), "b": ("O", "B", "K"), "c": ()}
    assert card_class_names(card, "z") == {}


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_shows_a_data_set_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    hub.add("org/pets", splits())
    known = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LABELKIT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "labelkit", "data", "show", "hub:org/pets", "--json", "--layer", "ner"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
        env={**known, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["labels"] == ["O", "B-pet", "I-pet"]
    assert shown["splits"]["validation"]["examples"] == SIZES["validation"]


# -- what labelkit cannot map -----------------------------------------------------------------------------------------


def web_dataset(count: int) -> bytes:
    """Return a shard of WebDataset, which no format of labelkit reads: a text and a class for each sample."""
    with io.BytesIO() as buffer:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for number in range(count):
                for name, content in ((f"{number}.txt", f"film {number}"), (f"{number}.cls", str(number % 2))):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content.encode()))
        return buffer.getvalue()


@pytest.mark.slow
def test_what_labelkit_cannot_map_is_loaded_by_datasets(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    files = {
        "train-00000.tar": web_dataset(6),
        "validation-00000.tar": web_dataset(2),
        "README.md": b"",
        "run.py": b"x",
    }
    commit = hub.add("org/films", files)
    columns = {"text": "txt", "label": "cls"}
    corpus = load_texts("hub:org/films", catalog, tmp_path, columns=columns)
    assert "run.py" not in hub.fetched
    assert [(one.text, one.labels["label"]) for one in corpus.splits["validation"].examples] == [
        ("film 0", "0"), ("film 1", "1"),
    ]  # fmt: skip
    assert corpus.splits["train"].ref == f"hub:org/films@{commit}:train"
    assert str(corpus.splits["train"].examples[0].place) == "hub:org/films train:1"
    assert any("is loaded by datasets.load_dataset" in line for line in corpus.assumptions)
    hub.mode = "fails"
    again = load_texts("hub:org/films", catalog, tmp_path, columns=columns, offline=True)
    assert again.splits["train"].content_hash == corpus.splits["train"].content_hash
