"""What several test files share: a tiny encoder, a small corpus, and one run trained on it."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import hypothesis
import pytest

import labelkit
from labelkit.events import Event
from labelkit.registry import Home
from postgres_server import NoServer, PostgresServer, postgres_server

# as many processes as cores run the tests, and threads that spin while they wait would take cores from the others
os.environ.setdefault("OMP_NUM_THREADS", "1")
# nohup ignores the signal in all that it starts; what tests start shall get it, and a handler is not inherited
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)
# a busy machine is no failure
hypothesis.settings.register_profile("labelkit", deadline=None)
hypothesis.settings.load_profile("labelkit")

NAMES = ("Ada Lovelace", "Bob", "Cleo", "Marie Curie", "Tim")
TOWNS = ("Rome", "New York", "Lima", "Paris")
PATTERNS = ("{name} lives in {town} .", "{name} met {name} .", "It rained in {town} all day .", "Nothing happened .")
SIZES = {"train": 48, "dev": 12, "test": 12}


def a_sentence(random: Random) -> list[tuple[str, str]]:
    """Return the words of a random sentence with their tags."""
    pairs: list[tuple[str, str]] = []
    for part in random.choice(PATTERNS).split():
        values, type_ = {"{name}": (NAMES, "PER"), "{town}": (TOWNS, "LOC")}.get(part, ((part,), ""))
        words = random.choice(values).split()
        tags = [f"{'I' if index else 'B'}-{type_}" if type_ else "O" for index in range(len(words))]
        pairs.extend(zip(words, tags, strict=True))
    return pairs


def as_conll(sentences: list[list[tuple[str, str]]]) -> str:
    return "".join("".join(f"{word} {tag}\n" for word, tag in sentence) + "\n" for sentence in sentences)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes run the tests: one for each core, but no more than memory is sure to hold."""
    return min(os.cpu_count() or 1, 8)


#: parts of the ids of tests that take more than five seconds and are not functions of their own to be marked
SLOW = (
    *(
        f"test_{task}_plugin.py::test_contract[task-{task}-{check}]"
        for task in ("pos", "chunk")
        for check in (
            "learns",
            "saves",
            "joins",
            "lossless",
            "subprocess",
        )
    ),
    *(f"test_{task}_plugin.py::test_contract[task-{task}-joins]" for task in ("ner", "textcls")),
    "test_each_check_catches_its_broken_plugin_and_no_other_check_does[loss without labels]",
    "test_textcls_plugin.py::test_contract[task-textcls-subprocess]",
    "test_ner_plugin.py::test_contract[task-ner-subprocess]",
    "test_many_texts_that_are_all_alike_do_not_take_forever",
    "test_half_a_data_set_is_not_taken_for_the_whole",
    "test_core_plugin.py::test_contract[format-spacy-subprocess]",
    "test_each_check_of_installed_plugins_catches_its_broken_one[takes its time]",
    "test_nncf_tells_nobody_that_it_is_used",
    "test_every_encoder_is_as_the_table_says",
    "test_int8_leaves_room_where_the_processor_would_overflow",
    "test_hub_data.py::test_a_hub_that_does_not_answer_is_given_up_soon",
    "test_a_run_that_a_limit_of_time_stopped_is_repeated_to_the_same_step",
    "test_int8_divides_large_neurons_and_keeps_the_rest_in_fp32",
    "test_a_batch_that_does_not_fit_is_computed_in_parts_with_the_same_result[3-",
    "test_a_server_that_does_not_answer_is_given_up_on",
    "test_hub.py::test_a_hub_that_does_not_answer_is_given_up_soon",
    "test_long_hostile_texts_take_linear_time",
    "test_a_run_may_be_stopped_and_resumed_often",
    "test_a_run_of_several_seeds_is_repeated_on_the_split_it_had",
    "test_core_plugin.py::test_contract[format-parquet-subprocess]",
    "test_a_thousand_documents_come_back",
    "test_several_first_runs_make_one_registry",
    "test_a_trial_notices_what_is_wrong",
    "test_int8_is_used_only_once_it_was_accepted",
    "test_a_few_processes_from_the_first_run_on",
    "test_each_check_of_installed_plugins_catches_its_broken_one[labels in one process only]",
    "test_a_resumed_run_ends_like_one_that_nothing_stopped[middle of an epoch-state each step]",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark cases of parametrised tests as slow; ner and textcls keep the checks that train in the quick tests."""
    for item in items:
        if any(part in item.nodeid for part in SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server; tests that need it are skipped where there is none to start."""
    try:
        with postgres_server() as server:
            yield server
    except NoServer as error:
        pytest.skip(str(error))


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> Iterator[str]:
    """Return the name of an empty database on the server."""
    with postgres.database() as name:
        yield name


@pytest.fixture(scope="session")
def postgres_registry(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the name of a database with an empty registry, which tests empty again when they end.

    A database for each test would cost a tenth of a second to make, and as much for its first connection.
    """
    from labelkit.registry import Registry

    with postgres.database() as name:
        home = Home(root=tmp_path_factory.mktemp("template") / "home", url=postgres.url(name))
        Registry.open(home, create=True).close()
        postgres.empty(name)
        yield name


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """Return a home whose registry is on each database in turn: whatever a registry promises holds on both."""
    if request.param == "sqlite":
        yield Home(root=tmp_path / "home")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name: str = request.getfixturevalue("postgres_registry")
    try:
        yield Home(root=tmp_path / "home", url=server.url(name))
    finally:
        server.empty(name)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny random BERT that reads 128 subword tokens; torch gets one thread."""
    import torch
    from transformers import Trainer  # noqa: F401

    from labelkit.models.tiny import make_tiny

    torch.set_num_threads(1)
    # Trainer collects garbage twice a run: 0.4 s each time while it walks through all modules and tests, for nothing
    gc.collect()
    gc.freeze()
    return make_tiny("bert", tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session", autouse=True)
def no_kept_models() -> Iterator[None]:
    """Keep no ONNX models with the checkpoints of runs: a second for each, in hundreds of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labelkit.train.disk_space.onnx_installed", lambda: False)
        patch.setattr("labelkit.train.kept_model.onnx_installed", lambda: False)
        patch.setattr("labelkit.label.adoption.onnx_installed", lambda: False)
        yield


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small CoNLL corpus: train, dev and test, types PER and LOC."""
    folder = tmp_path_factory.mktemp("corpus")
    random = Random(0)
    for split, size in SIZES.items():
        sentences = [a_sentence(random) for _ in range(size)]
        (folder / f"{split}.conll").write_text(as_conll(sentences), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the LABELKIT_HOME of :func:`trained`; whoever writes there takes a copy."""
    return tmp_path_factory.mktemp("shared") / "home"


@pytest.fixture(scope="session")
def heard() -> list[Event]:
    """Return the events of :func:`trained`."""
    return []


@pytest.fixture(scope="session")
def trained(tiny: Path, corpus: Path, home: Path, heard: list[Event]) -> labelkit.RunResult:
    """Return a run of six epochs on :func:`corpus`, called ``shared``."""
    return labelkit.run(
        "ner",
        data=str(corpus),
        model=str(tiny),
        recipe=str(Path(__file__).parent / "plain.toml"),
        name="shared",
        epochs=6,
        lr=1e-2,
        settings={"train.precision": "fp32"},
        home=home,
        listeners=[heard.append],
    )
