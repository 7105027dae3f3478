"""Every block of ``docs/how-to/write-a-plugin.md``: files are written, commands are given as they stand."""

from __future__ import annotations

import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import labelkit
from documented_plugins import HEADING, catalog_of, install_modules, lay_out, modules, sections, shortened
from labelkit.cli.main import COMMANDS
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.versioning import REQUIREMENTS, incompatibility
from labelkit.testing import check_plugin
from plugin_environment import PluginEnvironment, make_environment

DOCS = Path(__file__).parents[1] / "docs"
PAGE_FILE = DOCS / "how-to" / "write-a-plugin.md"
PAGE = PAGE_FILE.read_text(encoding="utf-8")

#: which folder of the page holds the data of a source
FOLDERS = {"tales": "tales", "urgency": "mail", "tickets": "store"}

SECTIONS = sections(PAGE)
WITH_PLUGINS = [name for name, blocks in SECTIONS.items() if any(block.is_plugin for block in blocks)]
WITH_COMMANDS = [name for name, blocks in SECTIONS.items() if any(block.language == "console" for block in blocks)]


# -- the page as it stands --------------------------------------------------------------------------------------------


def test_the_page_has_what_somebody_who_writes_a_plugin_looks_for() -> None:
    assert list(SECTIONS) == [
        "Ten minutes",
        "By hand",
        "Recipes",
        "My own labels",
        "A private data store",
        "A custom metric",
        "A head and its loss",
        "An in-house format",
        "Settings and contexts",
        "The contract test",
        "What a plugin cannot do",
        "Which labelkit a plugin works with",
        "When something goes wrong",
    ]
    assert [*list(SECTIONS)[:2], *list(SECTIONS)[3:9]] == WITH_COMMANDS


@pytest.mark.parametrize("section", SECTIONS)
def test_every_block_is_a_file_a_program_or_commands(section: str) -> None:
    for block in SECTIONS[section]:
        assert (block.language in ("python", "toml", "text")) if block.file else block.language in ("python", "console")
    fences = [line for line in PAGE.splitlines() if line.startswith("```")]
    assert len(fences) == 2 * sum(len(blocks) for blocks in SECTIONS.values())


def anchors(page: Path) -> set[str]:
    """Return what links can point at in a page: its headings as web sites write them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_link_of_the_page_leads_somewhere() -> None:
    found = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", PAGE)
    assert len(found) >= 3
    for file, anchor in found:
        page = (PAGE_FILE.parent / (file or PAGE_FILE.name)).resolve()
        assert page.exists(), file
        assert not anchor or anchor in anchors(page), anchor


@pytest.mark.parametrize(
    ("section", "plugin", "lines"),
    [
        ("By hand", "pets", 30),
        ("By hand", "tales", 12),
        ("A custom metric", "exact", 12),
        ("An in-house format", "label_first", 21),
    ],
)
def test_a_plugin_is_as_short_as_promised(section: str, plugin: str, lines: int) -> None:
    (block,) = [block for block in SECTIONS[section] if block.file == f"labelkit_{plugin}.py"]
    assert len(block.text.splitlines()) <= lines


def test_the_contract_test_is_three_lines() -> None:
    (block,) = [block for block in SECTIONS["By hand"] if block.file == "test_contract.py"]
    importing, *test = filter(None, block.text.splitlines())
    assert importing == "from labelkit.testing import contract"
    assert len(test) == 2


def test_the_package_by_hand_declares_the_plugin_by_hand() -> None:
    (block,) = [block for block in SECTIONS["By hand"] if block.file == "pyproject.toml"]
    declared = tomllib.loads(block.text)
    plugins = {name: f"labelkit_{name}" for name in modules(SECTIONS["By hand"])}
    assert set(plugins) == {"pets", "tales"}
    assert declared["project"]["entry-points"]["labelkit"] == plugins
    included = declared["tool"]["hatch"]["build"]["targets"]["wheel"]["include"]
    assert [name for name in plugins.values() if not any(fnmatch(f"{name}.py", pattern) for pattern in included)] == []


def test_the_statements_that_the_page_shows_are_true_here() -> None:
    (block,) = SECTIONS["Which labelkit a plugin works with"]
    stated: dict[str, object] = {}
    exec(block.text, {}, stated)
    assert set(stated) == set(REQUIREMENTS)
    assert incompatibility(stated) == ""


@pytest.mark.parametrize("section", WITH_COMMANDS)
def test_every_command_of_labelkit_on_the_page_is_one(section: str) -> None:
    for block in SECTIONS[section]:
        if block.language == "console":
            for line in block.text.splitlines():
                program, *arguments = shlex.split(line)
                assert program != "labelkit" or arguments[0] in COMMANDS


# -- the plugins ------------------------------------------------------------------------------------------------------


def loaded(section: str) -> tuple[Catalog, list[str]]:
    """Return a catalog of core and the plugins of a section, and their names."""
    found = modules(SECTIONS[section])
    return catalog_of(found), list(found)


@pytest.mark.parametrize("section", WITH_PLUGINS)
def test_the_plugins_of_the_page_are_loaded(section: str) -> None:
    catalog, names = loaded(section)
    states = {info.name: (info.status, info.reason, info.notes) for info in catalog.plugins if info.name != "core"}
    assert states == dict.fromkeys(names, ("loaded", "", ()))


@pytest.mark.slow
@pytest.mark.parametrize("section", WITH_PLUGINS)
def test_the_plugins_of_the_page_keep_the_contract(
    section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(SECTIONS[section], tmp_path)
    root = tmp_path / "corpora"
    root.mkdir()
    for name, folder in FOLDERS.items():
        (root / name).symlink_to(tmp_path / folder)
    monkeypatch.setenv("LABELKIT_DATA", str(root))
    monkeypatch.chdir(tmp_path)
    catalog, names = loaded(section)
    for name in names:
        outcomes = check_plugin(name, catalog=catalog)
        assert [outcome for outcome in outcomes if outcome.failed] == []
        assert [outcome.check for outcome in outcomes if outcome.status == "ok"]
        assert not [outcome for outcome in outcomes if "data absent" in outcome.why]


@pytest.mark.parametrize("plugin", ["tickets"])
def test_a_store_that_is_not_there_is_one_line(plugin: str, tmp_path: Path) -> None:
    catalog, _ = loaded("A private data store")
    with pytest.raises(labelkit.LabelkitError, match="there is no store"):
        list(catalog.sources[plugin].load("train", labelkit.LoadContext(path=tmp_path)))


# -- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> PluginEnvironment:
    """Return a fresh environment."""
    return make_environment(tmp_path / "venv")


@pytest.mark.slow
@pytest.mark.parametrize("section", WITH_COMMANDS)
def test_every_command_of_the_page_does_what_it_says(
    section: str, environment: PluginEnvironment, tmp_path: Path
) -> None:
    here = tmp_path / "work"
    here.mkdir()
    lay_out(SECTIONS[section], here)
    install_modules(SECTIONS[section], environment, here)
    for block in SECTIONS[section]:
        if block.language == "console":
            lines = "\n".join(shortened(line) for line in block.text.splitlines())
            environment.run("bash", "-euo", "pipefail", "-c", f"{lines}\npwd > {tmp_path / 'place'}", cwd=here)
            here = Path((tmp_path / "place").read_text(encoding="utf-8").strip())
    if section == "Ten minutes":
        assert [path.name for path in (here / "dist").iterdir()] == ["labelkit_pets-0.1.0-py3-none-any.whl"]
