"""``labelkit suggest``: uncertain texts first, nothing annotated, nothing twice, the same ones each time."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import labelkit
from labelkit.active_learning import suggestion
from labelkit.active_learning.candidates import (
    BestCandidates,
    Candidate,
    spread,
    without_near_duplicates,
)
from labelkit.active_learning.clusters import clusters, text_vectors
from labelkit.active_learning.known import KnownTexts, known_texts
from labelkit.active_learning.suggestion import SuggestOptions
from labelkit.active_learning.uncertainty import check_strategy, uncertainty
from labelkit.cli import main
from labelkit.config.environment import Environment
from labelkit.data.fingerprints import content_key
from labelkit.errors import DataError, LabelkitError, UnknownNameError
from labelkit.label.records import FailedRecord
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Labelled, LoadContext
from labelkit.records.labelled import Coverage
from labelkit.registry import Home


def logs(*rows: tuple[float, ...]) -> Any:
    return np.log(np.array(rows, np.float32))


def test_measures_of_uncertainty_follow_their_definitions() -> None:
    values, lengths = logs((0.9, 0.05, 0.05), (0.5, 0.4, 0.1), (1, 1e-9, 1e-9)), np.array([2, 0, 1])
    confidence = uncertainty(values, lengths, "least-confidence", sets=False)
    assert np.exp(-confidence) == pytest.approx([0.45, 1, 1])
    assert uncertainty(values, lengths, "margin", sets=False) == pytest.approx([0.9, 0, 0], abs=1e-6)
    entropy = -sum(p * np.log(p) for p in (0.9, 0.05, 0.05, 0.5, 0.4, 0.1))
    assert uncertainty(values, lengths, "entropy", sets=False) == pytest.approx([entropy, 0, 0], abs=1e-5)
    sets, lengths = logs((0.9, 0.5), (0.99, 0.01)), np.array([1, 1])
    assert np.exp(-uncertainty(sets, lengths, "least-confidence", sets=True)) == pytest.approx([0.45, 0.9801])
    assert uncertainty(sets, lengths, "margin", sets=True) == pytest.approx([1, 0.02], abs=1e-6)
    assert uncertainty(sets, lengths, "entropy", sets=True).argmax() == 0
    assert uncertainty(logs((1,)), np.array([1]), "margin", sets=False) == [0]
    with pytest.raises(UnknownNameError, match="unknown strategy 'margins'"):
        check_strategy("margins")


def example(text: str) -> Example:
    return Example(id="1", text=text)


def candidate(text: str, score: float = 0.0) -> Candidate:
    return Candidate(example(text), content_key(example(text)), score)


def test_content_is_the_same_as_a_text_and_as_words() -> None:
    assert content_key(example("Ada  ran.")) == content_key(Example(id="7", words=("Ada", "ran", ".")))
    assert content_key(example("Ada ran")) != content_key(example("ada ran"))


def test_only_the_best_are_kept_and_each_content_once() -> None:
    best = BestCandidates(3, seed=0)
    texts = [f"text {number}" for number in range(50)]
    for text in [*texts, *texts]:
        best.add(candidate(text, float(text.split()[1]) % 10))
    ranked = [one.example.text for one in best.ranked()]
    assert len(set(ranked)) == 3
    assert {float((text or "").split()[1]) % 10 for text in ranked} == {9.0}
    assert len(best._heap) == len(best._keys) == 3


def test_near_duplicates_of_better_candidates_and_of_annotated_texts_are_left_out() -> None:
    words = [f"word{number}" for number in range(15)]
    text, known = " ".join(words), [" ".join(reversed(words))]
    given = [candidate(each) for each in (text, f"{text} more", f"{known[0]} zero", "another text")]
    found = without_near_duplicates(given, [[example(each) for each in known]])
    assert [one.example.text for one in found] == [text, "another text"]


def test_texts_that_are_alike_share_a_cluster_and_each_cluster_gives_its_best() -> None:
    topics = ("rain in spain", "stock market crash", "football match tonight")
    texts = [f"{topic} {number}".split() for number in range(10) for topic in topics]
    vectors = text_vectors(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(30), abs=1e-5)
    found = clusters(vectors, 6, seed=1)
    assert found.tolist() == clusters(vectors, 6, seed=1).tolist()
    for group in set(found.tolist()):
        assert len({position % 3 for position in np.flatnonzero(found == group)}) == 1
    assert not text_vectors([[]]).any()
    given = [candidate(str(number)) for number in range(6)]
    assert [one.example.text for one in spread(given, [0, 0, 0, 1, 1, 2], 5)] == ["0", "3", "5", "1", "4"]


class StubLabeller:
    """A labeller of texts whose uncertainty is the number in the text."""

    labels = ("a", "b")

    def __init__(self) -> None:
        self.info = SimpleNamespace(
            kind="text", temperature=1.0, run="r", schema=SimpleNamespace(numeric=False, multilabel=False)
        )
        self.asked = 0

    def prepare(self, examples: Any) -> Any:
        return examples

    def compute(self, batch: Any) -> Any:
        self.asked += len(batch)
        unsure = [0.5 * float((one.text or "").split()[-1]) / 1000 for one in batch]
        values = np.log(np.array([[1 - p, p] for p in unsure], np.float32))
        return SimpleNamespace(scores=SimpleNamespace(values=values, lengths=np.ones(len(batch), np.int64)))

    def finish(self, batch: Any, scored: Any = None) -> list[Labelled]:
        return [
            Labelled(id=one.id, text=one.text or "", label="a", coverage=Coverage(words=1, windows=1)) for one in batch
        ]


def pool(count: int = 200) -> list[Example]:
    letters = "abcdefghij"
    return [
        Example(id=str(n), text=f"{letters[n % 10] * 5} {letters[n // 10 % 10] * 4} {n * 3.7 % 1000:.0f}")
        for n in range(1, count)
    ]


def choose(
    strategy: Any, number: int = 10, items: Any = None, known: Any = (), seed: int = 0
) -> suggestion.Suggestions:
    options = SuggestOptions(number=number, strategy=strategy, seed=seed)
    stub: Any = StubLabeller()
    return suggestion.suggest(stub, pool() if items is None else items, options, KnownTexts(tuple(known)))


@pytest.mark.parametrize("strategy", ["least-confidence", "margin", "entropy", "diverse", "random"])
def test_suggestions_do_not_depend_on_the_order_of_the_pool(strategy: str) -> None:
    first = choose(strategy, items=pool())
    again = choose(strategy, items=list(reversed(pool())))
    assert [one.text for one in first.records] == [one.text for one in again.records]
    assert len({one.text for one in first.records}) == 10
    numbers = [float(one.text.split()[-1]) for one in first.records]
    best = sorted((float((one.text or "").split()[-1]) for one in pool()), reverse=True)
    if strategy in ("diverse", "random"):
        assert [one.text for one in choose(strategy, seed=1).records] != [one.text for one in first.records]
    else:
        assert numbers[0] == best[0]
        assert min(numbers) >= best[30]


def test_what_is_annotated_blank_repeated_or_broken_is_counted_and_left_out() -> None:
    items = [*pool(20), *pool(3), example("  "), FailedRecord("line 7 is broken"), example("x y 999")]
    found = choose("entropy", number=100, items=items, known=[[Example(id="k", words=("x", "y", "999"))]])
    assert len(found.records) == 19
    assert (found.read, found.known, found.repeated, found.blank, found.failures) == (24, 1, 2, 1, 1)
    with pytest.raises(DataError, match="of 2 records 1 annotated already, 1 blank"):
        choose("entropy", items=[example(""), example("x 1")], known=[[example("x 1")]])
    with pytest.raises(DataError, match="line 7 is broken"):
        choose("random", items=[FailedRecord("line 7 is broken")])
    with pytest.raises(DataError, match="the pool is empty"):
        choose("random", items=[])


def test_strategies_by_content_label_only_what_they_suggest() -> None:
    stub: Any = StubLabeller()
    suggestion.suggest(stub, pool(), SuggestOptions(number=5, strategy="random"), KnownTexts(()))
    assert stub.asked == 0  # finish computes what was not scored


def test_numbers_have_no_uncertainty() -> None:
    stub: Any = StubLabeller()
    stub.info.schema.numeric = True
    with pytest.raises(LabelkitError, match="--strategy margin"):
        suggestion.suggest(stub, pool(), SuggestOptions(strategy="margin"), KnownTexts(()))
    assert suggestion.suggest(stub, pool(), SuggestOptions(number=3, strategy="diverse"), KnownTexts(())).records


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_writes_predictions_of_new_texts_only(
    trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    lines = ["Nothing happened .", "😀 Zoe lives in Oslo .", "Zoe met Yan in Bern .", "It snowed .", ""]
    (tmp_path / "pool.txt").write_text("\n".join(lines), encoding="utf-8")
    target = tmp_path / "next.json"
    arguments = ["suggest", "shared", str(tmp_path / "pool.txt"), "--n", "2", "-o", str(target), "--to", "label-studio"]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["suggested"], report["left_out"]["annotated_already"]) == (2, 1)
    tasks = json.loads(target.read_text(encoding="utf-8"))
    assert {task["data"]["text"] for task in tasks} <= set(lines[1:4])
    assert {task["predictions"][0]["model_version"] for task in tasks} == {trained.run}
    assert main(arguments) == 1
    assert "next.json exists" in capsys.readouterr().err
    found = labelkit.suggest("shared", lines, n=2, home=home)
    assert [one.text for one in found] == [task["data"]["text"] for task in tasks]
    assert main(["suggest", "shared", "none.txt", "-o", "x.jsonl"]) == 1
    assert "none.txt does not exist" in capsys.readouterr().err


def test_data_of_a_run_that_is_gone_is_an_error_unless_it_is_named(
    trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelkit.active_learning import known

    def gone(*arguments: object) -> None:
        raise DataError("train.conll does not exist")

    monkeypatch.setattr(known, "read_run_corpus", gone)
    catalog, place = Catalog.load(), Home(root=home)
    arguments: Any = (trained.run, catalog, Environment.read(), place)
    with pytest.raises(LabelkitError, match=r"the data of run .* cannot be read: train\.conll"):
        known_texts(*arguments, exclude=(), ctx=LoadContext())
    (tmp_path / "old.conll").write_text("Ada B-PER\nran O\n\n")
    ctx = LoadContext(cache=tmp_path / "cache")
    found = known_texts(*arguments, exclude=[str(tmp_path / "old.conll")], ctx=ctx)
    assert [one.words for split in found.splits for one in split] == [("Ada", "ran")]
    assert "is unknown" in known_texts("no-run", *arguments[1:], exclude=(), ctx=LoadContext()).notes[0]


def test_at_least_one_text_is_suggested() -> None:
    with pytest.raises(LabelkitError, match="n must be a whole number of at least 1, not 0"):
        labelkit.suggest("latest", ["Ada met Bob."], n=0)
