"""Aliases with their history, tags and notes, and what may be called what."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelkit.errors import LabelkitError, RegistryError
from labelkit.registry import Home, Registry
from labelkit.train.preparation import check_name
from recorded_runs import ended, start

pytest_plugins = ("recorded_home",)


@pytest.fixture
def place(registry_home: Home) -> Home:
    """Return a home that is yet to be made, with its registry on each database in turn."""
    return registry_home


def test_an_alias_is_known_wherever_a_run_is_asked_for(registry: Registry) -> None:
    for run in ("ner-1", "ner-2"):
        ended(registry, run)
    made = registry.aliases.assign("ner-1", "prod")
    assert (made.reference, made.run) == ("ner@prod", "ner-1")
    for reference in ("prod", "ner@prod"):
        assert registry.runs.find(reference).id == "ner-1"
    registry.aliases.assign("ner-2", "prod")
    assert registry.runs.find("prod").id == "ner-2"
    assert registry.runs.get("ner-2").aliases == ("ner@prod",)
    assert registry.runs.get("ner-1").aliases == ()
    assert [(one.reference, one.run) for one in registry.aliases.current()] == [("ner@prod", "ner-2")]


def test_an_alias_stands_for_the_best_checkpoint(registry: Registry) -> None:
    registry.aliases.assign(ended(registry), "prod")
    folder = registry.runs.checkpoint_folder(registry.runs.find("ner@prod").id)
    assert folder.name == "step-000001"


def test_an_alias_of_several_tasks_needs_its_task(registry: Registry) -> None:
    for run, task in (("ner-1", "ner"), ("pos-1", "pos")):
        start(registry, run, task=task)
        registry.aliases.assign(run, "prod")
    with pytest.raises(RegistryError, match="'prod' is ambiguous: ner@prod, pos@prod") as caught:
        registry.runs.find("prod")
    assert caught.value.hint == "write ner@prod"
    assert registry.runs.find("pos@prod").id == "pos-1"
    assert [one.reference for one in registry.aliases.current("pos")] == ["pos@prod"]
    with pytest.raises(RegistryError, match="is ambiguous"):
        registry.aliases.undo("prod")
    with pytest.raises(RegistryError, match="'ner@live' refers to no run") as caught:
        registry.runs.find("ner@live")
    assert caught.value.hint == "after @ comes best or an alias; ner has prod"


def test_an_alias_wins_over_the_beginning_of_an_id(registry: Registry) -> None:
    start(registry, "prod-1")
    start(registry, "ner-1")
    registry.aliases.assign("ner-1", "prod")
    assert registry.runs.find("prod").id == "ner-1"
    assert registry.runs.find("prod-").id == "prod-1"


def test_history_undo_and_taking_away(registry: Registry) -> None:
    for run in ("a", "b"):
        start(registry, run)
        registry.aliases.assign(run, "prod")
    assert registry.aliases.undo("ner@prod").run == "a"
    assert registry.runs.find("prod").id == "a"
    assert registry.aliases.remove("prod").run == "a"
    with pytest.raises(RegistryError, match="no run 'prod' in the registry"):
        registry.runs.find("prod")
    with pytest.raises(RegistryError, match="'ner@prod' refers to no run"):
        registry.aliases.remove("prod")
    assert registry.aliases.undo("prod").run == "a"
    assert registry.aliases.undo("prod").run is None
    assert registry.aliases.current() == []
    with pytest.raises(RegistryError, match="nothing to undo: 'ner@prod'"):
        registry.aliases.undo("prod")
    history = registry.aliases.history("ner@prod")
    assert [(one.run, one.undone is not None) for one in history] == [("a", True), ("b", True), (None, True)]


def test_an_alias_never_set_is_one_clear_line(registry: Registry) -> None:
    registry.aliases.assign(start(registry), "prod")
    for ask in (registry.aliases.undo, registry.aliases.remove, registry.aliases.history):
        with pytest.raises(RegistryError, match="no alias 'prd'") as caught:
            ask("prd")
    with pytest.raises(RegistryError, match="no alias 'ner@prdo'") as caught:
        registry.aliases.undo("ner@prdo")
    assert caught.value.hint == "did you mean ner@prod?"
    with pytest.raises(RegistryError, match="no run 'x' in the registry"):
        registry.aliases.assign("x", "prod")


def test_undoing_to_a_run_that_was_removed_changes_nothing(registry: Registry) -> None:
    for run in ("a", "b"):
        registry.aliases.assign(start(registry, run), "prod")
        registry.recorder.finish(run, "failed", seconds=1.0)
    registry.storage.delete_runs("a")
    with pytest.raises(RegistryError, match="'ner@prod' referred to the run 'a', which was deleted") as caught:
        registry.aliases.undo("prod")
    assert caught.value.hint == "labelkit runs alias RUN prod assigns it to another run"
    assert registry.runs.find("prod").id == "b"


def test_a_name_means_one_thing(registry: Registry, place: Home) -> None:
    start(registry, "ner-1", name="mine")
    for taken in ("mine", "ner-1"):
        with pytest.raises(RegistryError, match=f"there is a run called '{taken}' already: ner-1"):
            registry.aliases.assign("ner-1", taken)
        with pytest.raises(RegistryError, match=f"there is a run called '{taken}' already: ner-1"):
            check_name(taken, place)
    registry.aliases.assign("ner-1", "prod")
    with pytest.raises(RegistryError, match="'prod' is an alias already: ner@prod refers to ner-1"):
        check_name("prod", place)
    registry.aliases.remove("prod")
    check_name("prod", place)
    start(registry, "ner-2", name="prod")
    with pytest.raises(RegistryError, match="there is a run called 'prod' already: ner-2"):
        registry.aliases.undo("ner@prod")
    assert registry.runs.find("prod").id == "ner-2"


def test_a_name_taken_since_it_was_checked_is_refused_when_the_run_starts(registry: Registry, place: Home) -> None:
    for name in ("mine", "prod"):
        check_name(name, place)
    start(registry, "ner-1", name="mine")
    registry.aliases.assign("ner-1", "prod")
    with pytest.raises(RegistryError, match="there is a run called 'mine' already: ner-1") as caught:
        start(registry, "ner-2", name="mine")
    assert caught.value.hint == "choose another name"
    with pytest.raises(RegistryError, match="there is a run called 'ner-1' already"):
        start(registry, "ner-2", name="ner-1")
    with pytest.raises(RegistryError, match="'prod' is an alias already: ner@prod refers to ner-1"):
        start(registry, "ner-2", name="prod")
    assert [run.id for run in registry.runs.search()] == ["ner-1"]
    start(registry, "ner-2")
    start(registry, "ner-3")


def test_of_many_that_take_one_name_at_once_one_gets_it(registry: Registry, place: Home) -> None:
    together = Barrier(6)

    def take(number: int) -> bool:
        with Registry.open(place, create=False) as own:
            together.wait()
            try:
                start(own, f"ner-{number}", name="mine")
            except RegistryError as error:
                return "there is a run called 'mine' already" not in error.message
            return True

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(take, range(6))) == [False] * 5 + [True]
    assert registry.runs.find("mine").name == "mine"


@pytest.mark.parametrize(
    "name", ["best", "latest", "", "Prod", "a b", "a_b", "a@b", "a:b", "a+b", "a/b", "é", "a\n", "-a", "a" * 101]
)
def test_names_follow_one_rule(registry: Registry, place: Home, name: str) -> None:
    start(registry)
    with pytest.raises(LabelkitError, match="an alias cannot be called"):
        registry.aliases.assign("ner-1", name)
    with pytest.raises(LabelkitError, match="a run cannot be called"):
        check_name(name, place)


Action = tuple[str, str]
NUMBERS = itertools.count()
ACTIONS = st.lists(st.tuples(st.sampled_from(["set", "undo", "remove"]), st.sampled_from("abc")), max_size=12)


@pytest.fixture(scope="module")
def abc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Return a registry with the runs a, b and c."""
    with Registry.open(Home(root=tmp_path_factory.mktemp("home")), create=True) as registry:
        for run in "abc":
            start(registry, run)
        yield registry


@settings(max_examples=30, deadline=None)
@given(actions=ACTIONS)
def test_aliases_behave_like_a_pile(abc: Registry, actions: list[Action]) -> None:
    name = f"prod-{next(NUMBERS)}"
    pile: list[str | None] = []
    ever = 0
    for action, run in actions:
        top = pile[-1] if pile else None
        if action == "set":
            abc.aliases.assign(run, name)
            pile.append(run)
        elif action == "remove" and top is not None:
            assert abc.aliases.remove(name).run == top
            pile.append(None)
        elif action == "undo" and pile:
            pile.pop()
            assert abc.aliases.undo(name).run == (pile[-1] if pile else None)
        else:
            with pytest.raises(RegistryError):
                (abc.aliases.remove if action == "remove" else abc.aliases.undo)(name)
            continue
        ever += action != "undo"
        assert [one.run for one in abc.aliases.current() if one.name == name] == [one for one in pile[-1:] if one]
    history = abc.aliases.history(name) if ever else []
    assert len(history) == ever
    assert [one.run for one in history if one.undone is None] == pile


SETTER = """
import sys
from pathlib import Path
from labelkit.registry import Home, Registry
with Registry.open(Home(root=Path(sys.argv[1]), url=sys.argv[2] or None), create=False) as registry:
    for _ in range(10):
        registry.aliases.assign(sys.argv[3], "prod")
"""


@pytest.mark.slow
def test_two_processes_set_one_alias_and_the_last_wins(registry: Registry, place: Home) -> None:
    command = [sys.executable, "-c", SETTER, str(place.root), place.url or ""]
    runs = [start(registry, run) for run in ("a", "b")]
    setters = [subprocess.Popen([*command, run], stderr=subprocess.PIPE, text=True) for run in runs]
    assert [setter.communicate(timeout=60)[1] for setter in setters] == ["", ""]
    history = registry.aliases.history("prod")
    assert sorted(one.run or "" for one in history) == ["a"] * 10 + ["b"] * 10
    assert registry.runs.find("prod").id == history[-1].run


def test_tags_are_kept_once_and_taken_away(registry: Registry) -> None:
    start(registry)
    registry.annotations.add_tags("ner-1", "v1.2", "good", "good")
    registry.annotations.add_tags("ner-1", "good", "more_of-it")
    assert registry.runs.get("ner-1").tags == ("good", "more_of-it", "v1.2")
    with pytest.raises(RegistryError, match="the run 'ner-1' has no tag 'bad'") as caught:
        registry.annotations.remove_tags("ner-1", "good", "bad")
    assert caught.value.hint == "it has good, more_of-it, v1.2"
    registry.annotations.remove_tags("ner-1", "good", "v1.2")
    assert registry.runs.get("ner-1").tags == ("more_of-it",)


@pytest.mark.parametrize("tag", ["", "A", "a b", "a/b", "[red]", "a,b"])
def test_a_malformed_tag_is_refused_with_its_siblings(registry: Registry, tag: str) -> None:
    start(registry)
    with pytest.raises(RegistryError, match="invalid tag"):
        registry.annotations.add_tags("ner-1", "good", tag)
    assert registry.runs.get("ner-1").tags == ()


def test_notes_are_kept_in_order_with_their_time(registry: Registry) -> None:
    start(registry)
    for text in ("first [red]", "second\nline"):
        registry.annotations.add_note("ner-1", text)
    notes = registry.runs.get("ner-1").notes
    assert [note.text for note in notes] == ["first [red]", "second\nline"]
    assert notes[0].created <= notes[1].created
    with pytest.raises(RegistryError, match="the note is empty"):
        registry.annotations.add_note("ner-1", " \n")


def test_nothing_is_said_of_a_run_that_is_not_there(registry: Registry) -> None:
    for say in (
        lambda: registry.annotations.add_tags("x", "a"),
        lambda: registry.annotations.remove_tags("x", "a"),
        lambda: registry.annotations.add_note("x", "a"),
        lambda: registry.aliases.assign("x", "a"),
    ):
        with pytest.raises(RegistryError, match="no run 'x' in the registry"):
            say()


def test_no_registry_is_made_by_asking(tmp_path: Path) -> None:
    with Registry.open(Home(root=tmp_path / "home"), create=False) as registry:
        assert registry.aliases.current() == []
        with pytest.raises(RegistryError, match="there is no registry"):
            registry.aliases.undo("ner@prod")
    assert list(tmp_path.iterdir()) == []
