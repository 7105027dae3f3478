"""What plugins may rely on: no hook or field disappears unnoticed, and plugins state which labelkit they require."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_origin

import pytest

import labelkit
import labelkit.testing
from labelkit import hookspecs, records
from labelkit.plugins.catalog import EVENT_HOOK, RECORD_HOOKS, Catalog, PluginInfo
from labelkit.plugins.functions import PARAMETERS
from labelkit.plugins.versioning import HOOK_API, OLDEST_HOOK_API

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
        ("hook_api = True", "invalid hook_api = True: expected an integer"),
        (f"hook_api = {OLDEST_HOOK_API - 1}", f"written for hook API {OLDEST_HOOK_API - 1}, this labelkit provides "),
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
        f"hook_api = {OLDEST_HOOK_API}",
        "requires_labelkit = '>=0.0.1'",
        "requires_labelkit = ''",
    ],
)
def test_a_plugin_for_this_labelkit_or_a_compatible_one_is_loaded(statement: str, install: Install) -> None:
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
    """Return all that plugins may rely on: hooks, records with their fields and methods, and how core calls them."""
    found = {name: class_ for name, class_ in vars(records).items() if dataclasses.is_dataclass(class_)}
    return {
        "hook_api": HOOK_API,
        "hooks": {
            name: str(inspect.signature(getattr(hookspecs, name))) for name in sorted((*RECORD_HOOKS, EVENT_HOOK))
        },
        "records": {name: _fields(class_) for name, class_ in sorted(found.items())},
        "methods": {name: _methods(class_) for name, class_ in sorted(found.items())},
        "functions": {
            class_.__name__: {name: f"({', '.join(given)})" for name, given in functions.items()}
            for class_, functions in PARAMETERS.items()
        },
        "events": {
            name: _fields(class_)
            for name, class_ in sorted(vars(labelkit.events).items())
            if dataclasses.is_dataclass(class_)
        },
        "names": {"labelkit": sorted(labelkit.__all__), "labelkit.testing": sorted(labelkit.testing.__all__)},
    }


def _fields(class_: Any) -> dict[str, str]:
    """Return field → whether it is required, and its type."""
    return {field.name: f"{_needed(field)} {_undocumented(field.type)}" for field in dataclasses.fields(class_)}


def _undocumented(type_: Any) -> str:
    """Return a type as text, without its :class:`labelkit.Doc`: better words for a setting break no plugin."""
    if get_origin(type_) is Annotated:
        kept = tuple(each for each in type_.__metadata__ if not isinstance(each, labelkit.Doc))
        type_ = Annotated[(type_.__origin__, *kept)] if kept else type_.__origin__
    return type_ if isinstance(type_, str) else inspect.formatannotation(type_)


def _methods(class_: Any) -> dict[str, str]:
    """Return public method → signature, and property → nothing."""
    public = {
        name: each for name, each in vars(class_).items() if not name.startswith("_") and name not in _fields(class_)
    }
    plain = {
        name: each.__func__ if isinstance(each, classmethod | staticmethod) else each for name, each in public.items()
    }
    return {name: str(inspect.signature(each)) if callable(each) else "" for name, each in sorted(plain.items())}


def _needed(field: dataclasses.Field[Any]) -> str:
    without = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return "required" if without else "optional"


def losses(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what plugins that were written before can no longer rely on."""
    found = [f"hook {name}" for name, how in before["hooks"].items() if now["hooks"].get(name) != how]
    for what in ("records", "methods", "functions", "events"):
        for owner, members in before[what].items():
            there = now[what].get(owner, {})
            found += [f"{owner}.{name}" for name, how in members.items() if there.get(name) != how]
            if what == "records":
                new = [name for name, how in there.items() if name not in members and how.startswith("required")]
                found += [f"{owner}.{name}, which is required" for name in new]
    for module, names in before["names"].items():
        found += [f"{module}.{name}" for name in names if name not in now["names"][module]]
    return found


def test_nothing_that_plugins_rely_on_has_gone_or_changed() -> None:
    """What fails here breaks plugins: raise both versions of the hook API, and name it under "Breaking".

    Only a type that allows more, of a field that plugins give, breaks none: write it down as what is new.
    """
    assert losses(json.loads(GOLDEN.read_text(encoding="utf-8")), surface()) == []


def test_what_is_new_is_written_down() -> None:
    """Write it down with ``python tests/test_catalog_versioning.py``, and raise HOOK_API once per release."""
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == surface()


def test_each_kind_of_loss_is_found() -> None:
    before, now = surface(), surface()
    del now["hooks"]["labelkit_heads"]
    now["records"]["Metric"] |= {"key": "optional str", "unit": "required str"}
    del now["methods"]["Context"]["settings_of"]
    now["functions"]["Decoder"]["decode"] = "(scores, lengths)"
    del now["events"]["Scored"]["best"]
    now["names"]["labelkit"].remove("read")
    assert losses(before, now) == [
        "hook labelkit_heads",
        "Metric.key",
        "Metric.unit, which is required",
        "Context.settings_of",
        "Decoder.decode",
        "Scored.best",
        "labelkit.read",
    ]
    assert losses(before, {**surface(), "records": {**before["records"], "New": {"size": "required int"}}}) == []


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(surface(), indent=1) + "\n", encoding="utf-8")
