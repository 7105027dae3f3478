"""What plugins may rely on: nothing goes without a release of warning, and a plugin says what it was written for."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

import labelkit
from labelkit import events, hookspecs, records
from labelkit.cli import main
from labelkit.plugins import versioning
from labelkit.plugins.catalog import EVENT_HOOK, RECORD_HOOKS, Catalog, PluginInfo
from labelkit.plugins.versioning import HOOK_API, Deprecation, PluginDeprecationWarning, deprecate

pytest_plugins = ("fake_distributions",)

Install = Callable[..., None]

GOLDEN = Path(__file__).parent / "golden" / "hook_api.json"
METRIC = (
    "import labelkit\n@labelkit.hookimpl\ndef labelkit_metrics():\n"
    "    yield labelkit.Metric(name='{}', kind='token', key='f1', compute=len{})\n"
)
GOES = Deprecation(since="0.2", until="0.3", instead="use Metric.about")
TOLD = "plugin 'pets' uses Metric.summary, which is deprecated since labelkit 0.2 and goes in 0.3: use Metric.about"


def named(catalog: Catalog, name: str) -> PluginInfo:
    (found,) = [info for info in catalog.plugins if info.name == name]
    return found


# -- what a plugin states ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("requires_labelkit = '>=99'", f"needs labelkit >=99, this is {labelkit.__version__}"),
        ("requires_labelkit = '<0.1'", f"needs labelkit <0.1, this is {labelkit.__version__}"),
        ("requires_labelkit = 'new'", "requires_labelkit = 'new' is no range of versions, e.g. '>=0.1'"),
        ("requires_labelkit = 1", "requires_labelkit = 1 is no range of versions"),
        (f"hook_api = {HOOK_API + 1}", f"written for version {HOOK_API + 1} of the hooks, this labelkit has"),
        ("hook_api = 'one'", "hook_api = 'one' is no version of the hooks"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["module", "object"])
def test_a_plugin_for_another_labelkit_is_refused_before_any_of_its_hooks_is_called(
    statement: str, reason: str, form: str, install: Install, tmp_path: Path
) -> None:
    ran = f"    open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    if form == "module":
        text = METRIC.format("purr", "").replace("    yield", f"{ran}    yield")
    else:
        text = (
            f"import labelkit\nclass Plugin:\n    @labelkit.hookimpl\n    def labelkit_metrics(self):\n    {ran}"
            "        return ()\nplugin = Plugin()\n"
        )
    install("pets", f"{statement}\n{text}", value="pets" if form == "module" else "pets:plugin")
    info = named(Catalog.load(), "pets")
    assert info.status == "failed"
    assert reason in info.reason
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "",
        f"hook_api = {HOOK_API}",
        f"hook_api = {HOOK_API - 1}",
        "requires_labelkit = '>=0.0.1'",
        "requires_labelkit = ''",
    ],
)
def test_a_plugin_for_this_labelkit_or_an_older_one_is_loaded(statement: str, install: Install) -> None:
    install("pets", f"{statement}\n{METRIC.format('purr', '')}")
    info = named(Catalog.load(), "pets")
    assert (info.status, info.reason, info.notes) == ("loaded", "", ())


@pytest.mark.parametrize("value", ["pets", "pets:plugin"])
@pytest.mark.parametrize("statement", ["requires_labelkit = '>=99'", "requires_labelkit: str = '>=99'"])
@pytest.mark.parametrize(
    ("failure", "error"), [("from labelkit import NewRecord", "ImportError"), ("raise SystemExit('no')", "SystemExit")]
)
def test_a_plugin_that_fails_to_import_because_it_is_for_a_newer_labelkit_says_so(
    value: str, statement: str, failure: str, error: str, install: Install
) -> None:
    install("pets", f"'''Doc.'''\nhook_api: int\n{statement}\n{failure}\n", value=value)
    info = named(Catalog.load(), "pets")
    assert info.reason.startswith(f"CatalogError: needs labelkit >=99, this is {labelkit.__version__} ({error}: ")


def test_so_does_one_in_a_package(install: Install, tmp_path: Path) -> None:
    package = tmp_path / "kennel" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text(f"hook_api = {HOOK_API + 1}\nimport no_such_module\n", encoding="utf-8")
    install("dogs", "", value="kennel.inner")
    assert f"was written for version {HOOK_API + 1} of the hooks" in named(Catalog.load(), "dogs").reason


def test_what_fails_for_another_reason_keeps_it(install: Install) -> None:
    install("pets", "requires_labelkit = '>=0.0.1'\nimport no_such_module\n")
    assert named(Catalog.load(), "pets").reason == "ModuleNotFoundError: No module named 'no_such_module'"


# -- a field that goes ------------------------------------------------------------------------------------------------


@pytest.fixture
def summary_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the summary of metrics be deprecated."""
    monkeypatch.setattr(records.Metric, "summary", records.Metric.__dict__["summary"])  # put back afterwards
    deprecate(records.Metric, "summary", GOES)
    versioning._who.cache_clear()


@pytest.mark.usefixtures("summary_goes")
def test_giving_a_field_that_goes_is_a_warning_that_names_the_plugin(install: Install, tmp_path: Path) -> None:
    install("pets", METRIC.format("purr", ", summary='how loud'"))
    with pytest.warns(PluginDeprecationWarning) as told:
        catalog = Catalog.load()
    assert [str(one.message) for one in told] == [TOLD]
    assert (told[0].filename, told[0].lineno) == (str(tmp_path / "pets.py"), 4)
    info = named(catalog, "pets")
    assert (info.status, info.notes) == ("loaded", (TOLD,))
    with pytest.warns(PluginDeprecationWarning):
        assert catalog.metrics["purr"].summary == "how loud"  # for one more release it works as before


@pytest.mark.usefixtures("summary_goes")
def test_whoever_leaves_the_field_alone_hears_nothing(install: Install) -> None:
    install("pets", METRIC.format("purr", ""))
    install("dogs", METRIC.format("bark", ", summary=''"))  # the default
    with warnings.catch_warnings():
        warnings.simplefilter("error", PluginDeprecationWarning)
        catalog = Catalog.load()
        assert named(catalog, "pets").status == named(catalog, "dogs").status == "loaded"
        main(["formats", "--json"])


@pytest.mark.usefixtures("summary_goes")
def test_reading_a_field_that_goes_is_a_warning_too_and_core_may_read_it() -> None:
    metric = labelkit.Metric(name="purr", kind="token", key="f1", compute=len)  # type: ignore[arg-type]
    with pytest.warns(PluginDeprecationWarning, match=r"^module 'test_catalog_versioning' uses Metric\.summary"):
        assert metric.summary == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PluginDeprecationWarning)
        copy = dataclasses.replace(metric, key="f2")
        assert copy != metric
        assert "purr" in repr(copy)


@pytest.mark.usefixtures("summary_goes")
def test_a_plugins_function_that_reads_it_later_is_named_as_well(install: Install) -> None:
    install("pets", METRIC.format("purr", "") + "def read(metric):\n    return metric.summary\n")
    catalog = Catalog.load()
    pets = sys.modules["pets"]
    with pytest.warns(PluginDeprecationWarning, match=r"^plugin 'pets' uses Metric\.summary"):
        pets.read(catalog.metrics["purr"])


@pytest.mark.parametrize("default", [dataclasses.MISSING, "factory"])
def test_fields_without_a_plain_default_can_go_too(default: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record, field = (records.Example, "extra") if default == "factory" else (records.Metric, "key")
    monkeypatch.setattr(record, field, record.__dict__[field])
    deprecate(record, field, GOES)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        records.Example(id="1")
        records.Metric(name="m", kind="token", key="f1", compute=len)  # type: ignore[arg-type]
        records.Example(id="1", extra={"a": 1})
    assert len(told) == 1


def test_the_declared_fields_are_deprecated_on_import() -> None:
    """In a process of its own: records that are imported anew are other classes."""
    script = (
        "import importlib; from labelkit import events, records, versioning\n"
        "goes = versioning.Deprecation(since='0.2', until='0.3', instead='')\n"
        "versioning.DEPRECATED_FIELDS.update({'Metric.summary': goes, 'RunEnded.hint': goes})\n"
        "for module in (records, events): importlib.reload(module)\n"
        "print(*(type(one).__name__ for one in (records.Metric.summary, events.RunEnded.hint, events.Stage.name)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["property", "property", "member_descriptor"], done.stderr


def test_fields_of_events_can_go_as_well(monkeypatch: pytest.MonkeyPatch, install: Install) -> None:
    monkeypatch.setattr(events.RunEnded, "hint", events.RunEnded.__dict__["hint"])
    monkeypatch.setitem(versioning.DEPRECATED_FIELDS, "RunEnded.hint", GOES)
    versioning.deprecate_fields(vars(events))
    versioning.deprecate_fields(vars(records))  # which has no such record
    versioning._who.cache_clear()
    install("pets", "import labelkit\n@labelkit.hookimpl\ndef labelkit_event(event): event.hint\n")
    with pytest.warns(PluginDeprecationWarning, match=r"^plugin 'pets' uses RunEnded\.hint"):
        Catalog.load().observers()["pets"](events.RunEnded(run="r", status="finished", seconds=1.0))


# -- a hook that goes -------------------------------------------------------------------------------------------------


def test_implementing_a_hook_that_goes_is_a_warning_that_names_the_plugin(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes = Deprecation(since="0.2", until="0.3", instead="yield scores from labelkit_scores")
    monkeypatch.setitem(versioning.DEPRECATED_HOOKS, "labelkit_metrics", goes)
    install("pets", METRIC.format("purr", ""))
    with pytest.warns(PluginDeprecationWarning) as told:
        catalog = Catalog.load(only=["pets"])
    line = (
        "plugin 'pets' uses labelkit_metrics, which is deprecated since labelkit 0.2 and goes in 0.3: yield scores "
        "from labelkit_scores"
    )
    assert line in [str(one.message) for one in told]
    assert named(catalog, "pets").notes == (line,)
    assert "purr" in catalog.metrics


@pytest.mark.usefixtures("summary_goes")
def test_the_warning_shows_on_stderr_and_in_the_list_of_plugins(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("pets", METRIC.format("purr", ", summary='how loud'"))
    with pytest.warns(PluginDeprecationWarning):
        assert main(["plugins", "--json"]) == 0
    rows = {row["name"]: row["notes"] for row in json.loads(capsys.readouterr().out)}
    assert rows["pets"] == [TOLD]


# -- nothing goes by mistake ------------------------------------------------------------------------------------------


def surface() -> dict[str, Any]:
    """Return every hook and every field of a record that plugins may rely on."""
    found = {name: class_ for name, class_ in vars(records).items() if dataclasses.is_dataclass(class_)}
    return {
        "hook_api": HOOK_API,
        "hooks": sorted([*RECORD_HOOKS, EVENT_HOOK]),
        "records": {
            name: {field.name: _needed(field) for field in dataclasses.fields(class_)}
            for name, class_ in sorted(found.items())
        },
        "events": {
            name: [field.name for field in dataclasses.fields(class_)]
            for name, class_ in sorted(vars(labelkit.events).items())
            if dataclasses.is_dataclass(class_)
        },
    }


def _needed(field: dataclasses.Field[Any]) -> str:
    without = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return "required" if without else "optional"


def test_no_hook_or_field_that_plugins_rely_on_has_gone_or_become_required() -> None:
    """What fails here has to be deprecated for a release first, see ``labelkit/versioning.py``."""
    before, now = json.loads(GOLDEN.read_text(encoding="utf-8")), surface()
    assert set(before["hooks"]) <= set(now["hooks"])
    for what in ("records", "events"):
        for name, fields in before[what].items():
            assert set(fields) <= set(now[what][name]), f"{name} has lost a field"
    for name, fields in before["records"].items():
        newly = {field for field, need in now["records"][name].items() if need == "required"} - {
            field for field, need in fields.items() if need == "required"
        }
        assert not newly, f"{name}: plugins written before do not give {newly}"


def test_what_is_new_is_written_down() -> None:
    """Write it down with ``python tests/test_catalog_versioning.py``, and raise HOOK_API once per release."""
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == surface()


def test_what_is_deprecated_exists_and_is_gone_in_time() -> None:
    now = Version(labelkit.__version__)
    for name in versioning.DEPRECATED_HOOKS:
        assert hasattr(hookspecs, name)
    for name in versioning.DEPRECATED_FIELDS:
        record, _, field = name.partition(".")
        assert field in vars(getattr(records, record, None) or getattr(events, record))["__dataclass_fields__"]
    for deprecation in (*versioning.DEPRECATED_HOOKS.values(), *versioning.DEPRECATED_FIELDS.values()):
        assert Version(deprecation.since) <= now < Version(deprecation.until)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(surface(), indent=1) + "\n", encoding="utf-8")
