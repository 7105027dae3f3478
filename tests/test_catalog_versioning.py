"""What plugins may rely on: no hook or field disappears unnoticed, and plugins state which labelkit they require."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit import records
from labelkit.plugins.catalog import EVENT_HOOK, RECORD_HOOKS, Catalog, PluginInfo
from labelkit.plugins.versioning import HOOK_API

pytest_plugins = ("fake_distributions",)

Install = Callable[..., None]

GOLDEN = Path(__file__).parent / "golden" / "hook_api.json"
METRIC = (
    "import labelkit\n@labelkit.hookimpl\ndef labelkit_metrics():\n"
    "    yield labelkit.Metric(name='{}', kind='token', key='f1', compute=len{})\n"
)


def named(catalog: Catalog, name: str) -> PluginInfo:
    (found,) = [info for info in catalog.plugins if info.name == name]
    return found


# -- requirements -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("requires_labelkit = '>=99'", f"requires labelkit >=99, this is {labelkit.__version__}"),
        ("requires_labelkit = '<0.1'", f"requires labelkit <0.1, this is {labelkit.__version__}"),
        ("requires_labelkit = 'new'", "invalid requires_labelkit = 'new': expected a version specifier, e.g. '>=0.1'"),
        ("requires_labelkit = 1", "invalid requires_labelkit = 1: expected a version specifier"),
        (f"hook_api = {HOOK_API + 1}", f"requires hook API {HOOK_API + 1}, this labelkit provides {HOOK_API}"),
        ("hook_api = 'one'", "invalid hook_api = 'one': expected an integer"),
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
    assert info.reason.startswith(f"CatalogError: requires labelkit >=99, this is {labelkit.__version__} ({error}: ")


def test_so_does_one_in_a_package(install: Install, tmp_path: Path) -> None:
    package = tmp_path / "kennel" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text(f"hook_api = {HOOK_API + 1}\nimport no_such_module\n", encoding="utf-8")
    install("dogs", "", value="kennel.inner")
    assert f"requires hook API {HOOK_API + 1}, " in named(Catalog.load(), "dogs").reason


def test_what_fails_for_another_reason_keeps_it(install: Install) -> None:
    install("pets", "requires_labelkit = '>=0.0.1'\nimport no_such_module\n")
    assert named(Catalog.load(), "pets").reason == "ModuleNotFoundError: No module named 'no_such_module'"


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
    """What fails here breaks plugins: raise ``HOOK_API``, and name it under "Breaking" in the changelog."""
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


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(surface(), indent=1) + "\n", encoding="utf-8")
