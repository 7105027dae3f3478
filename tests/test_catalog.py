"""The rules of the catalog, each proven with fake installed distributions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import labelkit
from labelkit.errors import CatalogError, UnknownNameError
from labelkit.events import Event, RunEnded, RunStarted
from labelkit.plugins.catalog import Catalog, PluginInfo, find_candidates
from labelkit.train.listeners import Emitter, Listener

pytest_plugins = ("fake_distributions",)

Install = Callable[..., None]

CONTEXT = labelkit.RunContext(folder=Path("run"))
HEAD = "import labelkit\n"
OWN = ("core", "chunk", "ner", "pos", "textcls")


def metric(*names: str) -> str:
    """Return a plugin that yields metrics of these names."""
    lines = [
        f"    yield labelkit.Metric(name={name!r}, kind='token', key='f1', compute=lambda p: {{'from': __name__}})"
        for name in names
    ]
    return "\n".join([HEAD, "@labelkit.hookimpl", "def labelkit_metrics():", *lines, ""])


def statuses(catalog: Catalog) -> dict[str, tuple[str, str]]:
    return {info.name: (info.status, info.reason) for info in catalog.plugins}


def named(catalog: Catalog, name: str) -> PluginInfo:
    (found,) = [info for info in catalog.plugins if info.name == name]
    return found


def supplier(catalog: Catalog, name: str) -> str:
    """Return the module of the metric that is called ``name``."""
    return str(catalog.find("metric", name).compute(None)["from"])


# -- finding ----------------------------------------------------------------------------------------------------------


def test_an_installed_plugin_is_found_and_its_records_are_known_by_name(install: Install) -> None:
    install("good-pets", metric("purr", "bark"), plugin="pets")
    catalog = Catalog.load()
    assert named(catalog, "pets") == PluginInfo(
        "pets", "1.0", "good-pets (good_pets)", ("labelkit_metrics",), "loaded", ""
    )
    assert {"purr", "bark", "seqeval"} <= catalog.metrics.keys()
    assert supplier(catalog, "purr") == "good_pets"
    assert catalog.owner("metric", "bark").name == "pets"
    assert [name for _, name in ((kind, item.name) for kind, item in catalog.supplied_by("pets"))] == ["purr", "bark"]


def test_our_own_distribution_loads_first_and_then_all_others_by_name(install: Install) -> None:
    for name in ("aaa", "zzz", "mmm"):
        install(name, metric(f"metric-of-{name}"))
    assert [info.name for info in Catalog.load().plugins] == [*OWN, "aaa", "mmm", "zzz"]


def test_a_distribution_without_metadata_is_listed_all_the_same(install: Install, tmp_path: Path) -> None:
    install("bare", metric("bare-metric"))
    (tmp_path / "bare-1.0.dist-info" / "METADATA").unlink()
    catalog = Catalog.load(blocked=["other"])
    assert (named(catalog, "bare").status, named(catalog, "bare").origin) == ("loaded", "unknown (bare)")


def test_an_entry_point_may_name_an_object_in_a_module(install: Install) -> None:
    text = (
        f"{HEAD}class Plugin:\n    @labelkit.hookimpl\n    def labelkit_schemas(self):\n"
        "        yield labelkit.Schema.bio('pets', 'cat')\nplugin = Plugin()\n"
    )
    install("pets", text, value="pets:plugin")
    catalog = Catalog.load()
    assert catalog.schemas["pets"].types == ("cat",)
    assert named(catalog, "pets").origin == "pets (pets:plugin)"


def test_one_hook_may_have_two_implementations_in_a_plugin(install: Install) -> None:
    text = metric("one") + (
        "@labelkit.hookimpl(specname='labelkit_metrics')\ndef more():\n"
        "    return [labelkit.Metric(name='two', kind='token', key='f1', compute=len)]\n"
    )
    install("pair", text)
    catalog = Catalog.load()
    assert statuses(catalog)["pair"] == ("loaded", "")
    assert {"one", "two"} <= catalog.metrics.keys()


# -- isolation --------------------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[str, str]] = {
    # what is wrong: (the module, a part of the reason)
    "import error": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "syntax error": ("def", "SyntaxError"),
    "exit on import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "an error that cannot be shown": (
        "class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd",
        "Odd",
    ),
    "a reason on several lines": ("raise RuntimeError('one\\n  two')", "RuntimeError: one two"),
    "bad signature": (
        f"{HEAD}@labelkit.hookimpl\ndef labelkit_metrics(task):\n    return ()",
        "Argument(s) {'task'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "misspelt hook": (
        f"{HEAD}@labelkit.hookimpl\ndef labelkit_metric():\n    return ()",
        "unknown hook 'labelkit_metric' (did you mean labelkit_metrics",
    ),
    "misspelt prefix": (f"{HEAD}@labelkit.hookimpl\ndef labelit_metrics():\n    return ()", "unknown hook"),
    "forgotten decorator": ("def labelkit_metrics():\n    return ()", "lacks the decorator @labelkit.hookimpl"),
    "raises at once": (f"{HEAD}@labelkit.hookimpl\ndef labelkit_tasks():\n    return 1 / 0", "ZeroDivisionError"),
    "raises half-way": (f"{metric('half')}    raise KeyError('half-way')", "KeyError: 'half-way'"),
    "exits half-way": (f"{metric('half')}    raise SystemExit('bye')", "SystemExit: bye"),
    "yields no record": (f"{metric('half')}    yield 'f1'", "must yield labelkit.Metric, it yielded str"),
    "yields a record of another hook": (
        f"{metric('half')}    yield labelkit.Schema.bio('half', 'x')",
        "must yield labelkit.Metric, it yielded Schema",
    ),
    "returns nothing": (f"{HEAD}@labelkit.hookimpl\ndef labelkit_metrics():\n    pass", "it returned None"),
    "returns text": (f"{HEAD}@labelkit.hookimpl\ndef labelkit_metrics():\n    return 'f1'", "it returned str"),
    "returns one record": (
        f"{HEAD}@labelkit.hookimpl\ndef labelkit_schemas():\n    return labelkit.Schema.bio('half', 'x')",
        "labelkit_schemas() must yield records, it returned Schema",
    ),
    "a record that refuses itself": (
        f"{HEAD}@labelkit.hookimpl\ndef labelkit_metrics():\n    yield labelkit.Metric(name='half')",
        "missing 3 required",
    ),
    "a name with blanks": (metric("half", "f one"), "with the name 'f one': names are"),
    "an empty name": (metric("half", ""), "with the name ''"),
    "a reserved name": (metric("half", "best"), "'best', which is a reserved word"),
    "the same name twice": (metric("half", "half"), "it yields the metric 'half' twice"),
    "hookwrapper": (
        f"{HEAD}@labelkit.hookimpl(hookwrapper=True)\ndef labelkit_metrics():\n    yield",
        "is marked hookwrapper: plugins may not wrap or reorder each other",
    ),
    "wrapper": (
        f"{HEAD}@labelkit.hookimpl(wrapper=True)\ndef labelkit_event(event):\n    return (yield)",
        "is marked wrapper",
    ),
    "tryfirst": (f"{HEAD}@labelkit.hookimpl(tryfirst=True)\ndef labelkit_tasks(): return ()", "is marked tryfirst"),
    "trylast": (f"{HEAD}@labelkit.hookimpl(trylast=True)\ndef labelkit_tasks(): return ()", "is marked trylast"),
    "not what the entry point says": ("plugin = 1", "AttributeError"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_becomes_a_line_with_the_reason_and_stops_nobody(what: str, install: Install) -> None:
    text, reason = BROKEN[what]
    install("broken", text, value="broken:absent" if what.startswith("not what") else None)
    install("later", metric("fine"))
    catalog = Catalog.load()
    found = named(catalog, "broken")
    assert found.status == "failed"
    assert reason in found.reason
    assert "\n" not in found.reason
    assert supplier(catalog, "fine") == "later"  # those that load after it are whole
    assert {"ner", "pos"} <= catalog.tasks.keys()
    assert "half" not in catalog.metrics  # all of its records go in or none
    assert "half" not in catalog.schemas
    assert list(catalog.supplied_by("broken")) == []


def test_a_broken_plugin_hears_no_events(install: Install) -> None:
    text = f"{metric('half')}    yield 1\n@labelkit.hookimpl\ndef labelkit_event(event): raise SystemExit\n"
    install("broken", text)
    assert Catalog.load().observers(CONTEXT) == {}


def test_a_wrapper_cannot_touch_what_others_yield(install: Install) -> None:
    text = f"{HEAD}@labelkit.hookimpl(wrapper=True)\ndef labelkit_metrics():\n    yield\n    return []\n"
    install("greedy", text)
    install("later", metric("fine"))
    assert {"seqeval", "fine"} <= Catalog.load().metrics.keys()


def test_ctrl_c_during_an_import_is_not_swallowed(install: Install) -> None:
    install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Catalog.load()


# -- names claimed twice ----------------------------------------------------------------------------------------------


def test_a_name_claimed_twice_belongs_to_nobody_and_the_error_names_both(install: Install) -> None:
    install("alpha", metric("shared", "only-alpha"))
    install("beta", metric("shared", "only-beta"))
    catalog = Catalog.load()
    with pytest.raises(CatalogError) as error:
        catalog.find("metric", "shared")
    assert error.value.message == "metric 'shared' comes from 'alpha' and 'beta'"
    assert error.value.hint == "block one of them: --no-plugin alpha or --no-plugin beta"
    assert "shared" not in catalog.metrics
    assert supplier(catalog, "only-alpha") == "alpha"
    assert statuses(catalog)["beta"] == ("failed", f"{error.value.message}; {error.value.hint}")
    with pytest.raises(CatalogError, match="comes from the plugin 'beta', which is not loaded"):
        catalog.find("metric", "only-beta")


@pytest.mark.parametrize(("blocked", "left"), [("alpha", "beta"), ("beta", "alpha")])
def test_blocking_one_claimant_settles_it(install: Install, blocked: str, left: str) -> None:
    for name in ("alpha", "beta"):
        install(name, metric("shared", f"only-{name}"))
    catalog = Catalog.load(blocked=[blocked])
    assert supplier(catalog, "shared") == left
    assert supplier(catalog, f"only-{left}") == left


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a"), ("b", "a", "c"), ("b", "c", "a")])
def test_who_loads_first_does_not_decide_who_wins(install: Install, order: tuple[str, ...]) -> None:
    """One of three claims a name of each of the others; their entry points are named so that ``order`` is kept."""
    claims = {"a": metric("x"), "b": metric("x", "y"), "c": metric("y")}
    for position, name in enumerate(order):
        install(f"claims-{name}", claims[name], plugin=f"p{position}-{name}")
    catalog = Catalog.load()
    for wanted, claimants in {"x": "ab", "y": "bc"}.items():
        with pytest.raises(CatalogError) as error:
            catalog.find("metric", wanted)
        assert all(f"-{name}'" in error.value.message for name in claimants)
    assert not {"x", "y"} & catalog.metrics.keys()


def test_three_claimants_are_all_named(install: Install) -> None:
    for name in ("alpha", "beta", "gamma"):
        install(name, metric("shared"))
    with pytest.raises(CatalogError) as error:
        Catalog.load().find("metric", "shared")
    assert error.value.message == "metric 'shared' comes from 'alpha' and 'beta' and 'gamma'"
    assert str(error.value.hint).startswith("block all but one: ")


def test_nobody_takes_a_name_of_core_and_core_is_not_offered_for_blocking(install: Install) -> None:
    install("taker", metric("seqeval"))
    with pytest.raises(CatalogError) as error:
        Catalog.load().find("metric", "seqeval")
    assert error.value.message == "metric 'seqeval' comes from 'core' and 'taker'"
    assert error.value.hint == "block one of them: --no-plugin taker"
    assert supplier_of_seqeval(Catalog.load(blocked=["taker"])) == "core"


def supplier_of_seqeval(catalog: Catalog) -> str:
    return catalog.owner("metric", catalog.find("metric", "seqeval").name).name


def test_a_task_claimed_twice_is_an_error_too(install: Install) -> None:
    text = (
        f"{HEAD}@labelkit.hookimpl\ndef labelkit_tasks():\n    yield labelkit.Task(name='ner', summary='', "
        "kind='token', layer='ner', source='sample', metrics=('seqeval',))\n"
    )
    install("other-ner", text)
    with pytest.raises(CatalogError, match="task 'ner' comes from 'ner' and 'other-ner'"):
        Catalog.load().find("task", "ner")


def test_one_name_for_records_of_two_kinds_is_no_clash(install: Install) -> None:
    text = metric("pets") + "@labelkit.hookimpl\ndef labelkit_schemas():\n    yield labelkit.Schema.bio('pets', 'x')\n"
    install("pets", text)
    catalog = Catalog.load()
    assert (catalog.find("metric", "pets").name, catalog.find("schema", "pets").name) == ("pets", "pets")


def test_of_two_distributions_with_one_entry_point_name_the_second_is_refused_by_name(
    install: Install, tmp_path: Path
) -> None:
    install("first-pets", metric("purr"), plugin="pets")
    install("second-pets", f"open({str(tmp_path / 'ran')!r}, 'w')\n{metric('bark')}", plugin="pets")
    catalog = Catalog.load()
    lines = [(info.status, info.reason) for info in catalog.plugins if info.name == "pets"]
    reason = "another plugin is already called 'pets': first-pets (first_pets)"
    assert lines == [("loaded", ""), ("failed", reason)]
    assert not (tmp_path / "ran").exists()
    settled = Catalog.load(blocked=["first-pets"])
    assert "bark" in settled.metrics
    assert "purr" not in settled.metrics


@pytest.mark.parametrize("taken", ["core", "ner"])
def test_nobody_takes_the_place_of_our_own_plugins(install: Install, taken: str) -> None:
    install("aaa-impostor", metric("fake"), plugin=taken)
    catalog = Catalog.load()
    lines = [(info.origin.split()[0], info.status) for info in catalog.plugins if info.name == taken]
    assert lines == [("labelkit", "loaded"), ("aaa-impostor", "failed")]
    assert "fake" not in catalog.metrics


# -- blocking ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def marked(install: Install, tmp_path: Path) -> Path:
    """Install a plugin ``pets`` of the distribution ``Good.Pets``; return the file that appears when it is imported."""
    install("Good.Pets", f"open({str(tmp_path / 'ran')!r}, 'w').close()\n{metric('purr')}", plugin="pets", value="gp")
    (tmp_path / "Good.Pets.py").rename(tmp_path / "gp.py")
    return tmp_path / "ran"


@pytest.mark.parametrize("name", ["pets", "Good.Pets", "good-pets", "good_pets"])
def test_a_blocked_plugin_is_never_imported(marked: Path, name: str) -> None:
    catalog = Catalog.load(blocked=[name])
    assert statuses(catalog)["pets"] == ("blocked", "blocked by --no-plugin")
    assert not marked.exists()
    assert "gp" not in sys.modules
    with pytest.raises(UnknownNameError) as error:
        catalog.find("task", "pets")
    assert error.value.hint == "the plugin 'pets' is not loaded: blocked by --no-plugin"


@pytest.mark.parametrize("only", [[], ["ner"], ["other"]])
def test_a_plugin_that_is_not_named_is_never_imported(marked: Path, only: list[str]) -> None:
    catalog = Catalog.load(only=only)
    assert statuses(catalog)["pets"] == ("blocked", "not named in LABELKIT_PLUGINS")
    assert not marked.exists()
    assert list(catalog.tasks) == only[:1] * (only == ["ner"])
    assert "seqeval" in catalog.metrics  # core is always there


@pytest.mark.parametrize("only", [["pets"], ["good-pets"], None])
def test_a_plugin_that_is_named_is_imported(marked: Path, only: list[str] | None) -> None:
    assert "purr" in Catalog.load(only=only).metrics
    assert marked.exists()


def test_blocking_wins_over_naming(marked: Path) -> None:
    assert "purr" not in Catalog.load(only=["pets"], blocked=["pets"]).metrics
    assert not marked.exists()


def test_core_cannot_be_blocked() -> None:
    catalog = Catalog.load(blocked=["core", "labelkit"])
    assert statuses(catalog)["core"] == ("loaded", "")
    assert catalog.tasks == {}  # our other plugins go with their distribution


# -- lightness, state, trace ------------------------------------------------------------------------------------------


def test_building_the_catalog_with_every_plugin_loads_no_heavy_library() -> None:
    script = (
        "import sys; from labelkit.plugins.catalog import Catalog; catalog = Catalog.load(); "
        "print([info.name for info in catalog.plugins if info.status != 'loaded'], "
        "{'torch', 'transformers', 'datasets', 'evaluate', 'sklearn', 'numpy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[] set()", done.stderr


@pytest.mark.parametrize("candidate", find_candidates(), ids=lambda candidate: candidate.name)
def test_importing_each_of_our_plugins_loads_no_heavy_library(candidate: object) -> None:
    module = str(getattr(candidate, "value")).partition(":")[0]  # noqa: B009
    script = f"import sys, {module}; print({{'torch', 'transformers', 'datasets', 'evaluate'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()", done.stderr


def test_two_catalogs_share_nothing(install: Install) -> None:
    install("alpha", metric("shared", "only-alpha"))
    before = Catalog.load()
    install("beta", metric("shared"))
    after = Catalog.load()
    assert supplier(before, "shared") == "alpha"
    assert "shared" not in after.metrics
    assert [info.name for info in before.plugins] == [*OWN, "alpha"]
    assert "alpha" not in statuses(Catalog([]))
    assert Catalog([]).metrics == {}


def test_the_trace_shows_each_import_and_hook_call_with_its_time(install: Install) -> None:
    install("pets", f"{metric('purr')}@labelkit.hookimpl\ndef labelkit_event(event): pass\n")
    lines: list[str] = []
    catalog = Catalog.load(trace=lines.append)
    catalog.observers(CONTEXT)["pets"](ENDED)
    told = [line.partition(": ") for line in lines if "pets" in line]
    assert [what for what, _, _ in told] == ["import pets", "pets.labelkit_metrics", "pets.labelkit_event(RunEnded)"]
    assert all(float(time.removesuffix(" ms")) >= 0 for _, _, time in told)


def test_the_trace_shows_a_call_that_raises(install: Install) -> None:
    install("broken", f"{metric('half')}    raise KeyError\n")
    lines: list[str] = []
    Catalog.load(trace=lines.append)
    assert [line.partition(":")[0] for line in lines if "broken" in line] == [
        "import broken",
        "broken.labelkit_metrics",
    ]


# -- names that nobody supplies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("task", "nre", "did you mean ner?"),
        ("metric", "seqevall", "did you mean seqeval"),
        ("source", "conll2033", "did you mean conll2003"),
        ("decoder", "qqq", "known: argmax, argmax-text, number, thresholds, viterbi"),
        ("preprocessor", "lower", "none is available"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(kind: str, name: str, hint: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        Catalog.load().find(kind, name)
    assert error.value.message == f"unknown {kind} '{name}'"
    assert str(error.value.hint).startswith(hint)


def test_a_plugin_that_failed_to_load_is_named_beside_an_unknown_name(install: Install) -> None:
    """The name may be one that it would have supplied."""
    install("broken", "raise ImportError('no barks')")
    install("blocked", metric("meow-rate"))
    with pytest.raises(UnknownNameError) as error:
        Catalog.load(blocked=["blocked"]).find("preprocessor", "bark-rate")
    assert error.value.hint == "none is available; not loaded: broken (labelkit plugins says why)"


def test_a_contested_name_is_not_suggested(install: Install) -> None:
    install("alpha", metric("purr-rate"))
    install("beta", metric("purr-rate"))
    with pytest.raises(UnknownNameError) as error:
        Catalog.load().find("metric", "purr-rat")
    assert "purr-rate" not in str(error.value.hint)


# -- observers --------------------------------------------------------------------------------------------------------

STARTED = RunStarted(run="r1", task="ner", plan={})
ENDED = RunEnded(run="r1", status="finished", seconds=1.0)
WATCHER = HEAD + "heard = []\n@labelkit.hookimpl\ndef labelkit_event(event): heard.append(event)\n"


def heard_by(name: str) -> list[Event]:
    found: list[Event] = sys.modules[name].heard
    return found


def test_observers_hear_every_event_alone(install: Install) -> None:
    install("watcher", WATCHER)
    install("quiet", metric("purr"))
    observers = Catalog.load().observers(CONTEXT)
    assert list(observers) == ["watcher"]
    for event in (STARTED, ENDED):
        observers["watcher"](event)
    assert heard_by("watcher") == [STARTED, ENDED]


@pytest.mark.parametrize("fault", ["1 / 0", "raise SystemExit(3)", "raise StopIteration"])
def test_a_raising_observer_is_reported_once_and_dropped_while_the_others_go_on(install: Install, fault: str) -> None:
    install("aaa", WATCHER)
    install("faulty", f"{HEAD}heard = []\n@labelkit.hookimpl\ndef labelkit_event(event):\n"
                      f"    heard.append(event)\n    {fault}\n")  # fmt: skip
    install("zzz", WATCHER)
    warnings: list[str] = []
    core: list[Event] = []
    emit = Emitter([core.append], Catalog.load().observers(CONTEXT), warnings.append)
    for event in (STARTED, ENDED):
        emit(event)
    assert heard_by("aaa") == heard_by("zzz") == core == [STARTED, ENDED]
    assert heard_by("faulty") == [STARTED]
    assert len(warnings) == 1
    assert warnings[0].startswith("the observer of plugin 'faulty' failed and gets no more events: ")


def test_what_an_observer_says_on_several_lines_is_reported_on_one() -> None:
    def observer(event: Event) -> None:
        raise ValueError("one\ntwo")

    warnings: list[str] = []
    observers: Mapping[str, Listener] = {"faulty": observer}
    Emitter([], observers, warnings.append)(ENDED)
    assert warnings == ["the observer of plugin 'faulty' failed and gets no more events: ValueError: one two"]


def test_an_observer_whose_error_cannot_say_what_it_is_does_not_stop_the_run() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not even that")

    def observer(event: Event) -> None:
        raise MuteError

    warnings: list[str] = []
    Emitter([], {"faulty": observer}, warnings.append)(ENDED)
    assert warnings == ["the observer of plugin 'faulty' failed and gets no more events: MuteError"]


def test_an_error_of_cores_own_listeners_stops_the_run_before_observers_hear_of_it(install: Install) -> None:
    install("watcher", WATCHER)

    def registry(event: Event) -> None:
        raise labelkit.LabelkitError("the disk is full")

    emit = Emitter([], Catalog.load().observers(CONTEXT), print)
    emit.add_first(registry)
    with pytest.raises(labelkit.LabelkitError):
        emit(STARTED)
    assert heard_by("watcher") == []


def test_the_registry_hears_first() -> None:
    order: list[str] = []
    emit = Emitter([lambda event: order.append("console")], {"p": lambda event: order.append("plugin")}, print)
    emit.add_first(lambda event: order.append("registry"))
    emit(ENDED)
    assert order == ["registry", "console", "plugin"]
