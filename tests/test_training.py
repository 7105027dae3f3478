"""Training end to end with a tiny encoder: what is learned from, chosen, scored, kept and recorded."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import resource
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import labelkit
from failing_runs import stop_by
from labelkit.encode.cache import cached_windows
from labelkit.errors import LabelkitError, StorageError
from labelkit.events import (
    CheckpointRemoved,
    CheckpointSaved,
    Event,
    RunEnded,
    RunStarted,
    Scored,
    StepDone,
    TrainingStarted,
)
from labelkit.inference import prediction as scoring
from labelkit.models import checkpoint
from labelkit.models.checkpoint_files import sha256_of
from labelkit.plugins import catalog
from labelkit.plugins.catalog import Candidate
from labelkit.registry import Home, Registry, RunDetails
from labelkit.train import scoring as task_scoring
from labelkit.train.checkpoint_selection import CheckpointSelection

Train = Callable[..., labelkit.RunResult]
PLAIN = Path(__file__).parent / "plain.toml"
EPOCH = 3  # steps: 48 sentences in batches of 16


@pytest.fixture
def train(tiny: Path, corpus: Path, tmp_path: Path) -> Train:
    """Return ``labelkit.run("ner")`` with the tiny encoder, the small corpus and a home in ``tmp_path``."""
    given: dict[str, Any] = {"data": str(corpus), "model": str(tiny), "recipe": str(PLAIN), "epochs": 1, "lr": 5e-3}
    return partial(labelkit.run, "ner", **given, home=tmp_path / "home")


def recorded(home: Path, run: str = "latest") -> RunDetails:
    with Registry.open(Home(root=home), create=False) as registry:
        return registry.runs.get(registry.runs.find(run).id)


def install(monkeypatch: pytest.MonkeyPatch, **hooks: Callable[..., Any]) -> None:
    """Add a plugin called ``extra`` with these hooks."""
    plugin = ModuleType("extra")
    for name, hook in hooks.items():
        setattr(plugin, name, labelkit.hookimpl(hook))
    found = catalog.find_candidates()
    extra = Candidate("extra", "1.0", "extra-dist", "extra", lambda: plugin)
    monkeypatch.setattr(catalog, "find_candidates", lambda: [*found, extra])


def of_kind(events: Sequence[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def folders(home: Path) -> list[str]:
    """Return everything in the folders of checkpoints, hidden or not."""
    return sorted(path.name for path in home.glob("runs/*/checkpoints/*"))


# -- what is recorded -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("read", "epochs", "dropout"), [(300_000, "8.0", "0.1"), (1, "3.0", "0.0")])
def test_the_recipe_of_ner_reads_a_small_train_more_often_and_with_dropout(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: int, epochs: str, dropout: str
) -> None:
    monkeypatch.setattr("labelkit.train.epochs.WORDS_READ", read)
    done = labelkit.run("ner", data=str(corpus), model=str(tiny), recipe="best", max_steps=1, home=tmp_path)
    plan = {item.key: (item.text, item.origin) for item in recorded(tmp_path, done.run).record.plan}
    (why,) = {plan[f"train.{key}"][1] for key in ("num_train_epochs", "dropout")}
    assert re.fullmatch(r"automatic: train has \d+ words", why)
    assert (plan["train.num_train_epochs"][0], plan["train.dropout"][0]) == (epochs, dropout)
    config = json.loads((done.checkpoint / "config.json").read_text(encoding="utf-8"))
    assert config["hidden_dropout_prob"] == float(dropout)


def test_a_run_is_recorded_with_plan_splits_versions_and_device(
    trained: labelkit.RunResult, home: Path, tiny: Path, corpus: Path
) -> None:
    details = recorded(home, trained.run)
    record = details.record
    found = (details.status, details.error, record.name, record.task, record.recipe)
    assert found == ("finished", None, "shared", "ner", "plain")
    plan = {item.key: (item.text, item.origin) for item in record.plan}
    assert plan["train.num_train_epochs"] == ("6.0", "--epochs")
    assert plan["train.learning_rate"][1] == "--lr"
    assert plan["data.max_length"] == ("128", "automatic: the encoder reads 128 subwords")
    unused = {"data.scheme", "data.span_offsets", "train.lora_alpha", "train.lora_targets"}  # by file; of no adapters
    assert "auto" not in [text for key, (text, _) in plan.items() if key not in unused]
    splits = {split.split: split for split in record.splits}
    assert {name: split.examples for name, split in splits.items()} == {"train": 48, "validation": 12, "test": 12}
    assert splits["validation"].ref == str(corpus / "dev.conll")
    assert all(len(split.content_hash) == 64 and not split.carved for split in splits.values())
    versions = {(version.kind, version.name): version.version for version in record.versions}
    assert {("plugin", "ner"), ("plugin", "core"), ("library", "torch")} <= versions.keys()
    assert record.model_sha256 == sha256_of(tiny / "model.safetensors")
    assert (record.device_type, record.precision, record.seed) == (record.device_type, "fp32", 42)
    assert record.device_name
    assert record.peak_memory
    assert record.schema
    assert tuple(record.schema["types"]) == ("LOC", "PER")


def test_every_epoch_has_its_metrics_with_both_losses(
    trained: labelkit.RunResult, home: Path, heard: list[Event]
) -> None:
    scored = [event for event in of_kind(heard, Scored) if event.split == "validation"]
    assert [(event.step, event.epoch) for event in scored] == [(EPOCH * epoch, epoch) for epoch in range(1, 7)]
    losses = [(event.train_loss, event.metrics["loss"]) for event in scored]
    assert all(isinstance(value, float) and value > 0 for pair in losses for value in pair)
    assert losses[0][0] > losses[-1][0]
    assert len({loss for loss, _ in losses}) == 6
    figures = {
        (one.split, one.name, one.step): one.value for one in recorded(home, trained.run).metrics if not one.type
    }
    for event in scored:
        assert figures["train", "loss", event.step] == event.train_loss
        for name in ("loss", "precision", "recall", "f1", "accuracy", "support"):
            assert figures["validation", name, event.step] == event.metrics[name]


def test_the_result_holds_overall_and_per_type_scores_as_seqeval_gives_them(trained: labelkit.RunResult) -> None:
    assert trained.status == "finished"
    assert trained.seconds > 0
    for split in ("validation", "test"):
        figures = trained.metrics[split]["ner"]
        assert set(figures["per_type"]) == {"LOC", "PER"}
        assert {"precision", "recall", "f1", "support"} == set(figures["per_type"]["PER"])
        assert sum(row["support"] for row in figures["per_type"].values()) == figures["support"]
        assert (figures["scheme"], figures["mode"]) == ("IOB2", "default")


def test_checkpoints_are_recorded_with_the_hashes_of_their_files(trained: labelkit.RunResult, home: Path) -> None:
    details = recorded(home, trained.run)
    kept = [one for one in details.checkpoints if not one.removed]
    assert details.best
    assert details.best.folder == trained.checkpoint
    for one in kept:
        assert one.folder
        files = {
            path.name: (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in one.folder.iterdir()
        }
        assert dict(one.files) == files
    assert folders(home) == sorted(one.folder.name for one in kept if one.folder)


def test_the_run_starts_before_and_ends_after_all_else(heard: list[Event], trained: labelkit.RunResult) -> None:
    kinds = [type(event) for event in heard]
    started, ended = of_kind(heard, RunStarted), of_kind(heard, RunEnded)
    assert [event.status for event in ended] == ["finished"]
    assert kinds[-1] is RunEnded
    assert kinds.index(RunStarted) < kinds.index(StepDone)
    assert started[0].plan["train.learning_rate"]["value"] == 1e-2
    assert {event.run for event in heard} == {trained.run}
    (training_started,) = of_kind(heard, TrainingStarted)
    assert (training_started.steps, len(of_kind(heard, StepDone))) == (6 * EPOCH, 6 * EPOCH)


# -- selection and test -----------------------------------------------------------------------------------------------


def scripted(monkeypatch: pytest.MonkeyPatch, figures: Sequence[float], *, higher: bool = True) -> None:
    """Supply a metric ``scripted`` that gives these figures one after the other."""
    coming = iter([0.0, *figures])  # the first is of the trial before training

    def compute(predictions: labelkit.Predictions) -> Mapping[str, float]:
        return {"points": next(coming)}

    metric = labelkit.Metric(name="scripted", kind="token", compute=compute, key="points", higher_is_better=higher)
    install(monkeypatch, labelkit_metrics=lambda: [metric])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figures", "higher", "best"),
    [
        ((0.1, 0.9, 0.5, 0.4), True, 2),
        ((0.1, 0.9, 0.05, 0.4), False, 3),
        ((0.2, 0.2, 0.1, 0.1), True, 1),
        ((float("nan"), 0.1, float("nan"), 0.05), True, 2),
    ],
    ids=["higher", "lower", "first of equals", "not a number"],
)
def test_the_best_validation_epoch_is_chosen_and_two_folders_are_kept(
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: Sequence[float],
    higher: bool,
    best: int,
) -> None:
    scripted(monkeypatch, [*figures, 0.33], higher=higher)
    most, events = [], list[Event]()

    def listen(event: Event) -> None:
        events.append(event)
        most.append(len(folders(tmp_path / "home")))

    result = train(metric="scripted", epochs=4, listeners=[listen])
    chosen, last = f"step-{best * EPOCH:06d}", f"step-{4 * EPOCH:06d}"
    assert result.checkpoint.name == chosen
    assert result.metrics["validation"]["ner"]["points"] == figures[best - 1]
    assert folders(tmp_path / "home") == [chosen, last]
    assert max(most) <= 3  # the new one is there before an old one goes
    details = recorded(tmp_path / "home")
    assert (details.best and details.best.folder, details.last and details.last.step) == (result.checkpoint, 4 * EPOCH)
    saved, removed = of_kind(events, CheckpointSaved), of_kind(events, CheckpointRemoved)
    assert {one.path for one in saved} - {one.path for one in removed} == {
        result.checkpoint,
        result.checkpoint.with_name(last),
    }
    (tested,) = [event for event in of_kind(events, Scored) if event.split == "test"]
    assert (tested.step, tested.epoch, tested.metrics["points"]) == (best * EPOCH, best, 0.33)
    flags = [event.best for event in of_kind(events, Scored) if event.split == "validation"]
    assert flags == [event.best for event in saved]


def test_test_is_scored_once_after_training_and_by_the_chosen_weights(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    scripted(monkeypatch, [0.9, 0.1, 0.5])
    scored: list[tuple[int, Any]] = []
    score_split = scoring.score_split

    def spy(engine: Any, windows: Any, examples: Any, *rest: Any) -> Any:
        weights = {name: value.detach().clone() for name, value in engine.torch_model.state_dict().items()}
        scored.append((id(windows), weights))
        return score_split(engine, windows, examples, *rest)

    monkeypatch.setattr(task_scoring, "score_split", spy)
    result = train(metric="scripted", epochs=2)
    assert result.checkpoint.name == f"step-{EPOCH:06d}"
    assert [Counter(split for split, _ in scored)[split] for split, _ in scored] == [2, 2, 1]
    chosen = load_file(result.checkpoint / "model.safetensors")
    weights = scored[-1][1]
    assert all((weights[name].cpu() == value).all() for name, value in chosen.items())
    assert not all((scored[1][1][name].cpu() == value).all() for name, value in chosen.items())


def test_the_recorded_test_score_is_that_of_the_labeller(trained: labelkit.RunResult, home: Path, corpus: Path) -> None:
    from labelkit.metrics.entities import entity_scores

    sentences = [
        [line.split() for line in part.splitlines()]
        for part in (corpus / "test.conll").read_text(encoding="utf-8").strip().split("\n\n")
    ]
    labeller = labelkit.load(trained.run, home=home)
    found = labeller.label_all([tuple(word for word, _ in sentence) for sentence in sentences])
    gold = [tuple(tag for _, tag in sentence) for sentence in sentences]
    scores = entity_scores(gold, [one.labels or () for one in found])
    figures = trained.metrics["test"]["ner"]
    of_tags = {"accuracy", "repaired"}  # of the decoder's tags; the labeller writes them so that they fit the scheme
    assert {name: figures[name] for name in scores.keys() - of_tags} == {
        name: value for name, value in scores.items() if name not in of_tags
    }
    assert figures["repaired"] == sum(one.coverage.repaired for one in found)
    assert figures["f1"] > 0


@pytest.mark.slow
def test_validation_is_scored_in_fp32_also_while_training_is_in_bf16(
    train: Train, corpus: Path, tmp_path: Path
) -> None:
    same = shutil.copy(corpus / "dev.conll", tmp_path / "same.conll")
    data = f"train={corpus / 'train.conll'},validation={corpus / 'dev.conll'},test={same}"
    metrics = train(data=data, settings={"train.precision": "bf16"}).metrics
    assert metrics["validation"]["ner"] == metrics["test"]["ner"]


@pytest.mark.parametrize("higher", [True, False])
def test_selection_keeps_best_and_last_only(tmp_path: Path, higher: bool) -> None:
    selection = CheckpointSelection("ner-1", tmp_path, higher=higher, emit=lambda event: None)

    def save(path: Path) -> dict[str, tuple[int, str]]:
        path.mkdir()
        return {}

    for step, figure in enumerate([3.0, 5.0, 4.0, 1.0, 2.0], 1):
        selection.save(step, step, figure, save)
        assert selection.best
        assert selection.last
        assert {path.name for path in tmp_path.iterdir()} == {selection.best.path.name, selection.last.path.name}
        steps = (selection.best.step, selection.last.step)
    assert steps == (2 if higher else 4, 5)


# -- what is learned from ---------------------------------------------------------------------------------------------


class Batches:
    """Listens to the collator: sub-token ids and labels of every window, epoch by epoch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from labelkit.train.trainer import Collator

        self.rows: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        collate = Collator.__call__

        def spy(collator: Any, items: Any) -> Any:
            self.rows += [(tuple(item["input_ids"].tolist()), tuple(item["labels"].tolist())) for item in items]
            return collate(collator, items)

        monkeypatch.setattr(Collator, "__call__", spy)

    @property
    def ids(self) -> list[tuple[int, ...]]:
        return [ids for ids, _ in self.rows]

    @property
    def learned(self) -> int:
        """Return how many sub-tokens have a label."""
        return sum(label != -100 for _, labels in self.rows for label in labels)


def unequal(folder: Path, count: int) -> Path:
    """Write a train split of sentences of very different lengths, no two the same, and a validation split."""
    sentences = [
        f"Ada B-PER\n{'rained O' + chr(10)}{'in O' + chr(10)}" * (1 + n % 7) + "Rome B-LOC\n" * n for n in range(count)
    ]
    folder.mkdir()
    (folder / "train.conll").write_text("\n".join(sentences), encoding="utf-8")
    (folder / "dev.conll").write_text(sentences[3], encoding="utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_every_example_is_seen_once_an_epoch(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    batches, events = Batches(monkeypatch), list[Event]()
    settings = {"train.train_sampling_strategy": strategy, "train.per_device_train_batch_size": 4}
    data = str(unequal(tmp_path / "unequal", 30))
    train(data=data, epochs=3, settings=settings, listeners=[events.append])
    assert len(batches.ids) == 90
    epochs = [batches.ids[start : start + 30] for start in (0, 30, 60)]
    assert [len(set(epoch)) for epoch in epochs] == [30, 30, 30]
    assert epochs[0] != epochs[1]
    assert len(of_kind(events, StepDone)) == of_kind(events, TrainingStarted)[0].steps == 24


@pytest.mark.slow
def test_batches_are_padded_only_to_their_longest_window(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelkit.train.trainer import Collator

    collate = Collator.__call__
    seen = []

    def spy(collator: Any, items: Any) -> Any:
        batch = collate(collator, items)
        seen.append((batch["input_ids"].shape[1], max(len(item["input_ids"]) for item in items)))
        assert batch["attention_mask"].sum() == sum(len(item["input_ids"]) for item in items)
        assert (batch["labels"][batch["attention_mask"] == 0] == -100).all()
        return batch

    monkeypatch.setattr(Collator, "__call__", spy)
    train()
    assert seen
    assert all(width == longest for width, longest in seen)


def a_long_corpus(folder: Path) -> Path:
    """Write sentences of up to 400 words, of which the encoder reads 126 sub-tokens at once."""
    folder.mkdir()
    long = "Ada B-PER\nLovelace I-PER\nlives O\nin O\nRome B-LOC\n" * 80
    for split in ("train", "dev", "test"):
        (folder / f"{split}.conll").write_text(f"{long}\nBob B-PER\nrained O\n\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_long_examples_are_learned_and_scored_whole(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = Batches(monkeypatch)
    result = train(data=str(a_long_corpus(tmp_path / "long")))
    assert batches.learned == 402
    assert max(len(ids) for ids in batches.ids) <= 128
    assert len(batches.ids) > 4
    for split in ("validation", "test"):
        figures = result.metrics[split]["ner"]
        assert figures["support"] == 161
        assert figures["per_type"]["LOC"]["support"] == 80


@pytest.mark.slow
@pytest.mark.parametrize("every", [False, True])
def test_labels_stand_on_the_first_or_on_all_sub_tokens(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: bool
) -> None:
    batches = Batches(monkeypatch)
    data = str(a_long_corpus(tmp_path / "long"))
    result = train(data=data, settings={"data.label_all_tokens": every, "data.overlap": 0})
    sub_tokens = sum(len(ids) - 2 for ids in batches.ids)
    assert sub_tokens > 402
    assert batches.learned == (sub_tokens if every else 402)
    assert result.metrics["test"]["ner"]["support"] == 161  # words are scored, whatever was learned


# -- repeatable -------------------------------------------------------------------------------------------------------


def weights_of(result: labelkit.RunResult) -> str:
    return sha256_of(result.checkpoint / "model.safetensors")


@pytest.mark.slow
def test_one_seed_gives_equal_weights_and_another_does_not(train: Train) -> None:
    settings = {"train.train_sampling_strategy": "random"}
    first, again, other = (weights_of(train(seed=seed, settings=settings)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


@pytest.mark.slow
def test_the_seed_decides_the_order_of_train_too(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = []
    for seed in (7, 7, 8):
        with monkeypatch.context() as patch:
            batches = Batches(patch)
            train(seed=seed, max_steps=1)
            orders.append(batches.ids[:16])
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


# -- how long, and on what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, EPOCH, EPOCH + 1])
def test_max_steps_ends_training_and_what_was_learned_is_scored(train: Train, tmp_path: Path, steps: int) -> None:
    events = list[Event]()
    result = train(max_steps=steps, listeners=[events.append])
    assert [event.step for event in of_kind(events, StepDone)] == list(range(1, steps + 1))
    assert of_kind(events, TrainingStarted)[0].steps == steps
    last = recorded(tmp_path / "home").last
    assert last
    assert last.step == steps
    assert "f1" in result.metrics["test"]["ner"]
    assert all(event.train_loss for event in of_kind(events, Scored) if event.split == "validation")


def test_without_validation_one_is_carved_and_without_test_none_is_scored(
    train: Train, corpus: Path, tmp_path: Path
) -> None:
    events = list[Event]()
    result = train(
        data=f"train={corpus / 'train.conll'}", settings={"data.validation_fraction": 0.25}, listeners=[events.append]
    )
    splits = {split.split: split for split in recorded(tmp_path / "home").record.splits}
    assert {name: (split.examples, split.carved) for name, split in splits.items()} == {
        "train": (36, False),
        "validation": (12, True),
    }
    assert set(result.metrics) == {"validation"}
    assert {event.split for event in of_kind(events, Scored)} == {"validation"}


# -- when it goes wrong -----------------------------------------------------------------------------------------------


def raising(error: BaseException, at: Callable[[Event], bool]) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if at(event):
            raise error

    return listen


def test_an_interrupted_run_is_recorded_and_keeps_its_whole_checkpoints(train: Train, tmp_path: Path) -> None:
    stop = raising(KeyboardInterrupt(), lambda event: isinstance(event, StepDone) and event.step == EPOCH + 1)
    with pytest.raises(KeyboardInterrupt):
        train(epochs=3, listeners=[stop])
    details = recorded(tmp_path / "home")
    assert details.status == "interrupted"
    assert details.seconds
    assert folders(tmp_path / "home") == [f"step-{EPOCH:06d}"]
    assert details.best
    labelkit.load(str(details.best.folder)).label("Ada")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "interrupted"), (RuntimeError("driver gone"), "failed")]
)
def test_the_end_is_recorded_though_measuring_memory_fails(
    error: BaseException, status: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(device: str) -> int:
        raise error

    monkeypatch.setattr("labelkit.train.run.peak_memory", fail)
    heard: list[Event] = []
    with pytest.raises(type(error)):
        train(epochs=1, listeners=[heard.append])
    assert recorded(tmp_path / "home").status == status
    assert [event.status for event in of_kind(heard, RunEnded)] == [status]


@pytest.mark.slow
def test_an_interrupt_while_a_checkpoint_is_written_leaves_no_half_of_it(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*files: Path) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "sha256_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train()
    assert recorded(tmp_path / "home").status == "interrupted"
    assert folders(tmp_path / "home") == []


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (RuntimeError("out of luck"), "RuntimeError: out of luck", None),
        (LabelkitError("no luck", hint="try again"), "no luck", "try again"),
    ],
)
def test_a_failed_run_is_recorded_with_its_reason(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, hint: str | None
) -> None:
    events = list[Event]()
    stop_by(monkeypatch, raising(error, lambda event: isinstance(event, StepDone)))
    with pytest.raises(type(error)):
        train(listeners=[events.append])
    details = recorded(tmp_path / "home")
    assert (details.status, details.error, details.hint) == ("failed", said, hint)
    assert [(event.status, event.error) for event in of_kind(events, RunEnded)] == [("failed", said)]
    assert folders(tmp_path / "home") == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", [CheckpointSaved, Scored, RunEnded])
def test_a_listener_that_fails_never_keeps_the_registry_from_the_event(
    train: Train, tmp_path: Path, kind: type[Event]
) -> None:
    with pytest.warns(UserWarning, match="listen failed and gets no more events: RuntimeError: mine"):
        train(listeners=[raising(RuntimeError("mine"), lambda event: isinstance(event, kind))])
    details = recorded(tmp_path / "home")
    assert details.status == "finished"
    assert [one.step for one in details.checkpoints] == [EPOCH]
    assert {one.step for one in details.metrics} == {EPOCH}


def test_a_failing_observer_of_a_plugin_is_reported_once_and_dropped(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def observe(event: Event) -> None:
        calls.append(event)
        if isinstance(event, StepDone):
            raise ValueError("cannot count")

    install(monkeypatch, labelkit_event=observe)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = train(epochs=2)
    said = [str(one.message) for one in caught if "observer" in str(one.message)]
    assert said == ["the observer of plugin 'extra' failed and gets no more events: ValueError: cannot count"]
    assert [type(event) for event in calls if isinstance(event, StepDone)] == [StepDone]
    assert isinstance(calls[-1], StepDone)
    assert result.status == "finished"


def test_an_observer_hears_the_whole_run(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, told = list[Event](), list[Event]()
    install(monkeypatch, labelkit_event=lambda event: heard.append(event))
    train(listeners=[told.append])
    assert heard == told
    assert isinstance(heard[-1], RunEnded)


def test_train_without_any_sub_token_is_refused(train: Train, tmp_path: Path) -> None:
    data = tmp_path / "blank.conll"
    data.write_text("\ufe0f B-PER\n\n" * 10, encoding="utf-8")
    with pytest.raises(LabelkitError, match="there is nothing to learn") as caught:
        train(data=str(data))
    assert caught.value.hint


# -- a full disk ------------------------------------------------------------------------------------------------------


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Have the system refuse to write any file beyond ``size`` bytes, as a full disk refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def wide(tiny: Path, tmp_path: Path) -> Path:
    """Return an encoder whose weights are larger than everything else that a run writes."""
    from transformers import BertConfig, BertModel

    folder = Path(shutil.copytree(tiny, tmp_path / "wide"))
    config = BertConfig.from_pretrained(folder)
    for name, value in {"hidden_size": 512, "num_hidden_layers": 1, "intermediate_size": 512}.items():
        setattr(config, name, value)
    BertModel(config).save_pretrained(folder)
    assert (folder / "model.safetensors").stat().st_size > 4_000_000
    return folder


@pytest.mark.slow
def test_a_checkpoint_that_the_disk_cannot_hold_is_not_half_written(train: Train, wide: Path, tmp_path: Path) -> None:
    with no_file_above(2_000_000), pytest.raises(StorageError) as caught:
        train(model=str(wide), max_steps=1)
    assert "the disk is full" in caught.value.message
    assert caught.value.hint
    details = recorded(tmp_path / "home")
    assert (details.status, details.error) == ("failed", caught.value.message)
    assert folders(tmp_path / "home") == []
    assert list((tmp_path / "home").rglob("*.safetensors")) == []


def test_windows_that_the_disk_cannot_hold_leave_no_half_a_cache(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = cached_windows

    def on_a_full_disk(*arguments: Any, **options: Any) -> Any:
        with no_file_above(2_000):
            return encode(*arguments, **options)

    monkeypatch.setattr("labelkit.train.resolution.cached_windows", on_a_full_disk)
    with pytest.raises(StorageError, match="the disk is full") as caught:
        train()
    details = recorded(tmp_path / "home")
    assert (details.status, details.error) == ("failed", caught.value.message)
    assert list((tmp_path / "home" / "cache").rglob("*.arrow*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_the_second_checkpoint_may_fail_and_the_first_one_stays(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    hashes = iter(range(6))  # a checkpoint has five files

    def sha256(file: Path) -> str:
        if next(hashes, None) is None:
            raise OSError(number, "refused")
        return sha256_of(file)

    monkeypatch.setattr(checkpoint, "sha256_of", sha256)
    with pytest.raises(StorageError) as caught:
        train(epochs=2)
    assert "\n" not in caught.value.message
    details = recorded(tmp_path / "home")
    assert (details.status, details.error) == ("failed", caught.value.message)
    assert folders(tmp_path / "home") == [f"step-{EPOCH:06d}"]
    assert details.best
    labelkit.load(str(details.best.folder)).label("Ada")
