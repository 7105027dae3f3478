"""Every recipe of ``docs/how-to/plugin-recipes.md``: plugins are checked, commands are given as they stand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import labelkit
from documented_plugins import catalog_of, install_modules, lay_out, modules, sections, shortened
from labelkit.plugins.functions import with_context
from labelkit.testing import check_plugin
from plugin_environment import make_environment

PAGE_FILE = Path(__file__).parents[1] / "docs" / "how-to" / "plugin-recipes.md"
PAGE = PAGE_FILE.read_text(encoding="utf-8")
SECTIONS = sections(PAGE)
RECIPES = [name for name, blocks in SECTIONS.items() if blocks]
#: section → checks that may fail, as the page says
EXPECTED = {"One span of a type in a sentence": {"decoder-once-valid": "labelkit repairs it"}}
#: what the table says of trial packages that authors wrote
WANTED = (
    "database",
    "settings",
    "follow runs",
    "morphological",
    "documents",
    "inside spans",
    "ordered",
    "pairs",
    "several",
)


def test_the_table_leads_to_every_recipe() -> None:
    table = PAGE.partition("\n\n## ")[0]
    assert all(word in table for word in WANTED)
    anchors = set(re.findall(r"\(#([\w-]+)\)", table))
    assert anchors == {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in SECTIONS}


@pytest.mark.parametrize("section", RECIPES)
def test_a_recipe_is_loaded(section: str) -> None:
    found = modules(SECTIONS[section])
    catalog = catalog_of(found)
    states = {info.name: (info.status, info.reason, info.notes) for info in catalog.plugins if info.name != "core"}
    assert states == dict.fromkeys(found, ("loaded", "", ()))


@pytest.mark.parametrize("section", ["One span of a type in a sentence", "Scores to a file", "A metric of documents"])
def test_a_recipe_without_a_task_keeps_the_contract(section: str) -> None:
    found = modules(SECTIONS[section])
    for name in found:
        outcomes = check_plugin(name, catalog=catalog_of(found), expected=EXPECTED.get(section))
        assert [outcome for outcome in outcomes if outcome.failed] == []
        assert [outcome.check for outcome in outcomes if outcome.status == "ok"]


def test_the_decoder_of_one_span_keeps_the_most_confident_of_the_types_that_are_set() -> None:
    found = modules(SECTIONS["One span of a type in a sentence"])
    schema = labelkit.Schema.bio("x", "person", "place")
    sure = {"B-person": 0.6, "I-person": 0.9, "B-place": 0.5, "O": 0.8}
    tags = ["B-person", "O", "B-person", "I-person", "B-place", "B-place"]
    values = np.full((len(tags), len(schema.label_names)), 0.01, np.float32)
    for row, tag in enumerate(tags):
        values[row, schema.label_names.index(tag)] = sure[tag]
    scores = labelkit.Scores(values=np.log(values), lengths=np.array([len(tags)]), schema=schema)

    def decoded(*types: str) -> str:
        settings = found["once"].OnceSettings(types=types)
        decoder = catalog_of(found).decoders["once"]
        bound = with_context(decoder, labelkit.Context(plugin_settings=(settings,)))
        return " ".join(schema.label_names[label] for label in bound.decode(scores))

    assert decoded("person") == "O O B-person I-person B-place B-place"
    assert decoded("person", "place") == "O O B-person I-person B-place O"
    assert decoded() == " ".join(tags)


@pytest.mark.slow
@pytest.mark.parametrize("section", RECIPES)
def test_every_command_of_a_recipe_does_what_it_says_and_its_plugin_keeps_the_contract(
    section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "work"
    here.mkdir()
    lay_out(SECTIONS[section], here)
    environment = make_environment(tmp_path / "venv")
    install_modules(SECTIONS[section], environment, here)
    for block in SECTIONS[section]:
        if block.language == "console":
            done = environment.shell("\n".join(map(shortened, block.text.splitlines())), here)
            assert done.stdout.strip()
    if section == "Scores to a file":
        assert {"run", "split", "step", "f1"} <= json.loads(done.stdout.splitlines()[-1]).keys()
    for name in modules(SECTIONS[section]):
        answer = environment.run(str(environment.python), "-c", CHECK, name, json.dumps(EXPECTED.get(section, {})))
        assert json.loads(answer.stdout.splitlines()[-1]) == []


CHECK = """
import json, sys
from labelkit.testing import check_plugin
outcomes = check_plugin(sys.argv[1], expected=json.loads(sys.argv[2]))
print(json.dumps([f"{one.check}: {one.reason}" for one in outcomes if one.failed]))
"""
