"""After an uninstall, the record of a run says which package supplied the part that is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from broken_plugins import CORE, GOOD, METRIC, a_catalog
from labelkit.config.environment import Environment
from labelkit.config.plan import make_plan
from labelkit.config.requests import request_of
from labelkit.data.reading import read_raw_corpus
from labelkit.errors import DataError, LabelkitError, PlanError
from labelkit.evaluation.recorded_data import read_run_corpus, run_metrics
from labelkit.models.checkpoint import Supplier
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.suppliers import explain_missing_parts
from labelkit.records import LoadContext
from labelkit.registry import Home, PlanValue, Registry, RunDetails, RunRecord
from labelkit.train.preparation import prepare_resumed
from labelkit.train.reproduction import reproduce

FULL = a_catalog(*GOOD)
BARE = Catalog([CORE])
PIP = "the run had it from plugin 'mine' 1.0 (package mine-dist), which is not installed: pip install mine-dist"


def recorded(home: Home, **settings: object) -> RunDetails:
    """Return a run that failed, with the plan and the suppliers that such a run of the full catalog has."""
    request = request_of("pets", recipe=None, name=None, sets=(), data="tales", model="bundled")
    plan = make_plan(request, FULL)
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(
            RunRecord(
                id="gone",
                task="pets",
                kind="token",
                data="tales",
                model="bundled",
                metric="exact",
                metric_key="exact_match",
                labelkit="0",
                seed=1,
                plan=tuple(PlanValue.of(key, settings.get(key, value)) for key, (value, _) in plan.entries().items()),
                suppliers=plan.suppliers(FULL, ("pairs",)),
            )
        )
        registry.recorder.finish("gone", str(settings.get("status", "failed")), seconds=1.0)  # type: ignore[arg-type]
        return registry.runs.get("gone")


def test_a_run_records_the_supplier_of_each_part(tmp_path: Path) -> None:
    found = {(one.kind, one.name): (one.plugin, one.package) for one in recorded(Home(root=tmp_path)).record.suppliers}
    assert (
        found.items()
        >= {
            ("task", "pets"): ("mine", "mine-dist"),
            ("source", "tales"): ("mine", "mine-dist"),
            ("format", "pairs"): ("mine", "mine-dist"),
            ("metric", "exact"): ("mine", "mine-dist"),
            ("decoder", "likeliest"): ("mine", "mine-dist"),
            ("preprocessor", "upper"): ("mine", "mine-dist"),
            ("encoder", "bundled"): ("core", "labelkit"),
            ("metric", "seqeval"): ("core", "labelkit"),
        }.items()
    )


def test_the_formats_of_files_are_known(tmp_path: Path) -> None:
    (tmp_path / "train.pairs").write_text("a\tO\n", encoding="utf-8")
    (tmp_path / "test.conll").write_text("a O\n", encoding="utf-8")
    raw = read_raw_corpus(str(tmp_path), "token", FULL, LoadContext(layer="pets", cache=tmp_path / "cache"))
    assert raw.formats == ("pairs", "conll")


Call = Callable[[Catalog, Home, RunDetails], object]
CALLS: dict[str, Call] = {
    "resume": lambda catalog, home, run: prepare_resumed(
        "gone", catalog, Environment(), home, on_stage=lambda *stage: None
    ),
    "data": lambda catalog, home, run: read_run_corpus(run, catalog, Environment(), home),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", ["task", "source", "metric", "decoder", "preprocessor"])
def test_a_missing_part_is_told_with_its_package(kind: str, call: Call, tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    run = recorded(home)
    (gone,) = (one for one in run.record.suppliers if one.kind == kind and one.plugin == "mine")
    rest = [record for record in GOOD if record.name != gone.name or type(record).__name__.lower() != kind]
    catalog = a_catalog(*rest) if kind != "task" else BARE
    with pytest.raises(LabelkitError) as error:
        call(catalog, home, run)
    misses = error.value.misses if isinstance(error.value, PlanError) else (error.value,)
    (miss,) = (miss for miss in misses if f"'{gone.name}'" in miss.message)
    expected = PIP if kind == "task" else "the run had it from plugin 'mine' 1.0 (package mine-dist), installed is 1.0"
    assert (miss.hint or "").startswith(expected)


def test_repeat_and_scores_tell_it_too(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    run = recorded(home, status="finished")
    with pytest.raises(PlanError) as several:
        reproduce("gone", BARE, Environment(), home)
    assert {(one.message, one.hint) for one in several.value.misses} == {
        ("unknown task 'pets'", PIP),
        ("unknown metric 'exact'", PIP),
    }
    with pytest.raises(LabelkitError, match="unknown task 'pets'") as error:
        run_metrics("pets", run, BARE)
    assert error.value.hint == PIP
    with pytest.raises(LabelkitError, match="unknown metric 'exact'") as error:
        run_metrics("pets", run, a_catalog(*(record for record in GOOD if record is not METRIC)))
    assert (error.value.hint or "").startswith("the run had it from plugin 'mine' 1.0 (package mine-dist)")


SUPPLIERS = tuple(
    Supplier(kind=kind, name=name, plugin="mine", version="1.0", package="mine-dist")
    for kind, name in (("format", "pairs"), ("metric", "exact"))
)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (DataError("the ending of a.pairs names no format", hint="x"), PIP.replace("it from", "format 'pairs' from")),
        (LabelkitError("unknown metric 'exact'", hint="x"), PIP),
        (PlanError([LabelkitError("unknown metric 'exact'", hint="x"), LabelkitError("unknown y", hint="x")]), None),
    ],
    ids=["ending", "name", "several"],
)
def test_errors_that_do_not_name_the_part_are_explained(error: LabelkitError, hint: str | None) -> None:
    with pytest.raises(type(error)) as raised, explain_missing_parts(BARE, SUPPLIERS):
        raise error
    assert raised.value.hint == hint
    if isinstance(error, PlanError):
        assert [one.hint for one in error.misses] == [PIP, "x"]
    with pytest.raises(LabelkitError) as raised, explain_missing_parts(FULL, SUPPLIERS):
        raise LabelkitError("a.pairs does not exist", hint="check the path")
    assert raised.value.hint == "check the path"
