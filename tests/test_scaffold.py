"""``labelkit plugins new``: what it writes installs, passes its own tests and runs at once."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from labelkit import LoadContext
from labelkit.cli import main
from labelkit.cli.plugins import PLUGIN_KINDS
from labelkit.errors import LabelkitError, StorageError
from labelkit.plugins import scaffold
from labelkit.plugins.catalog import Candidate, Catalog, find_candidates
from labelkit.plugins.scaffold import KINDS, TEMPLATES
from plugin_environment import PluginEnvironment, make_environment

pytest_plugins = ("fake_distributions",)

ROOT = Path(__file__).parents[1]
NAMES = {
    "token": "night-animals", "text": "utterances", "metric": "exact", "source": "animals", "format": "slashes",
    "decoder": "eager", "head": "focal", "preprocessor": "no-digits", "encoder": "house", "observer": "told",
}  # fmt: skip


def create(name: str, kind: str, folder: Path) -> Path:
    """Write a package beside what is installed."""
    return scaffold.create(name, kind, folder, Catalog.load())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return kind → the package that is written for it."""
    folder = tmp_path_factory.mktemp("new")
    return {kind: create(name, kind, folder) for kind, name in NAMES.items()}


# -- what is written --------------------------------------------------------------------------------------------------


def test_there_are_ten_kinds_and_the_command_offers_them_all() -> None:
    assert tuple(KINDS) == tuple(NAMES) == PLUGIN_KINDS
    assert len(KINDS) == 10


@pytest.mark.parametrize("kind", NAMES)
def test_a_package_has_its_plugin_its_test_and_what_goes_with_them(kind: str, made: dict[str, Path]) -> None:
    package, name = made[kind], NAMES[kind]
    module = f"labelkit_{name.replace('-', '_')}"
    assert package.name == f"labelkit-{name}"
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    wanted = {
        "pyproject.toml", "README.md", ".gitignore", ".github/workflows/test.yml", "tests/test_contract.py",
        f"{module}/__init__.py",
    }  # fmt: skip
    data = {f"{module}/data/{split}.txt" for split in ("train", "validation", "test")}
    assert files == wanted | (data if kind in ("token", "text", "source") else set())
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["labelkit"] == {name: module}
    assert project["project"]["name"] == package.name
    # nothing of a template is left over
    texts = [path.read_text(encoding="utf-8") for path in package.rglob("*") if path.is_file()]
    assert not [text for text in texts if "$name" in text or "$module" in text or "MODULE" in text]
    assert "${{ matrix.python }}" in (package / ".github/workflows/test.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", NAMES)
def test_its_contract_test_is_three_lines(kind: str, made: dict[str, Path]) -> None:
    text = (made[kind] / "tests" / "test_contract.py").read_text(encoding="utf-8")
    importing, test = ast.parse(text).body
    assert isinstance(importing, ast.ImportFrom)
    assert ast.unparse(test).splitlines() == [f"@contract('{NAMES[kind]}')", "def test_contract(check):", "    check()"]


def module_of(package: Path, kind: str) -> Path:
    return package / f"labelkit_{NAMES[kind].replace('-', '_')}" / "__init__.py"


@pytest.mark.parametrize("command", [["check", "--select", "E,F,I,N,RUF,UP,W"], ["format", "--check"]])
def test_what_is_written_is_tidy(command: list[str], made: dict[str, Path]) -> None:
    ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "120", "--no-cache"]
    done = subprocess.run([*ruff, *map(str, made.values())], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def catalog_with(package: Path, kind: str) -> Catalog:
    """Return core and the plugin of a package that is not installed."""
    path = module_of(package, kind)
    namespace = ModuleType("plugin")
    namespace.__file__ = str(path)
    exec(compile(path.read_bytes(), str(path), "exec"), namespace.__dict__)
    return Catalog([find_candidates()[0], Candidate(NAMES[kind], "0.1.0", package.name, "plugin", lambda: namespace)])


@pytest.mark.parametrize("kind", NAMES)
def test_the_plugin_yields_what_it_says(kind: str, made: dict[str, Path]) -> None:
    catalog = catalog_with(made[kind], kind)
    (info,) = [info for info in catalog.plugins if info.name == NAMES[kind]]
    assert (info.status, info.reason) == ("loaded", "")
    assert {what: record.name for what, record in catalog.supplied_by(info.name)} == dict.fromkeys(
        KINDS[kind].records, NAMES[kind]
    )


@pytest.mark.parametrize("kind", ["token", "text", "source"])
def test_what_the_source_reads_says_where_it_stands(kind: str, made: dict[str, Path]) -> None:
    source = catalog_with(made[kind], kind).sources[NAMES[kind]]
    third = list(source.load("train", LoadContext()))[2]
    file = module_of(made[kind], kind).parent / "data" / "train.txt"
    assert str(third.place) == f"{file}:3"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_sentences_to_begin_with_are_sound_and_those_of_test_are_not_in_train(split: str) -> None:
    for part in ("sentences", "texts"):
        folder = TEMPLATES / part / "MODULE" / "data"
        lines = (folder / f"{split}.txt").read_text(encoding="utf-8").splitlines()
        assert len(lines) >= 10
        assert all(lines)
        if split == "test":
            assert not set(lines) & set((folder / "train.txt").read_text(encoding="utf-8").splitlines()) - {
                "Nothing/O happened/O ./O"
            }


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "a plugin cannot be called ''"),
        ("Pets", "cannot be called 'Pets'"),
        ("my_pets", "cannot be called 'my_pets'"),
        ("-pets", "cannot be called '-pets'"),
        ("pets-", "cannot be called 'pets-'"),
        ("a--b", "cannot be called 'a--b'"),
        ("../pets", "cannot be called '../pets'"),
        ("pets\n", "cannot be called"),
        ("pets cats", "cannot be called 'pets cats'"),
        ("haustiere-ü", "cannot be called"),
        ("x" * 51, "cannot be called"),
        ("best", "'best', which is a reserved word"),
        ("core", "'core', which is a reserved word"),
        ("labelkit", "'labelkit', which is a reserved word"),
        ("labelkit-pets", "will be called 'labelkit-pets' anyway"),
        ("ner", "'ner' is taken by a plugin of labelkit (labelkit_ner)"),
        ("sample", "'sample' is taken by the source of plugin 'core'"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_in_one_line(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(LabelkitError) as error:
        create(name, "token", tmp_path)
    assert message in error.value.message
    assert error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_free_where_only_records_of_another_kind_have_it(tmp_path: Path) -> None:
    assert create("sample", "metric", tmp_path).is_dir()
    with pytest.raises(LabelkitError, match="'conll' is taken by the format of plugin 'core'"):
        create("conll", "format", tmp_path)
    with pytest.raises(LabelkitError, match="'txt' is taken by the file ending of format 'conll'"):
        create("txt", "format", tmp_path)
    with pytest.raises(LabelkitError, match="'gz' is taken by files that are packed with gzip"):
        create("gz", "format", tmp_path)
    assert create("gz", "source", tmp_path).is_dir()


def test_an_unknown_kind_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(LabelkitError, match=r"unknown kind of plugin 'metrics' \(did you mean metric"):
        create("pets", "metrics", tmp_path)


def test_a_plugin_that_is_blocked_is_not_imported_to_find_free_names(
    install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *given: None)  # main() listens for SIGTERM
    install("slow", f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    assert main(["plugins", "new", "pets", "--kind", "metric", "--folder", str(tmp_path), "--no-plugin", "slow"]) == 0
    assert (tmp_path / "labelkit-pets").is_dir()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("what", ["folder", "file", "dangling link"])
def test_what_exists_is_left_as_it_is(what: str, tmp_path: Path) -> None:
    target = tmp_path / "labelkit-pets"
    if what == "folder":
        target.mkdir()
    elif what == "file":
        target.write_text("mine", encoding="utf-8")
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(LabelkitError) as error:
        create("pets", "metric", tmp_path)
    assert error.value.message == f"{target} exists already"
    assert [path.name for path in tmp_path.iterdir()] == ["labelkit-pets"]


def test_the_folder_is_made_where_it_does_not_exist(tmp_path: Path) -> None:
    assert create("pets", "metric", tmp_path / "a" / "b") == tmp_path / "a" / "b" / "labelkit-pets"


def test_a_disk_that_refuses_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError):
        create("pets", "metric", tmp_path / "file")


# -- tried out --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_wheel_holds_the_templates(tmp_path: Path) -> None:
    """Where it is built from the source tree: an editable install would find them anyway."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    inside = {
        name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("labelkit/plugins/scaffold/templates/")
    }
    here = {
        f"labelkit/plugins/scaffold/templates/{path.relative_to(TEMPLATES).as_posix()}"
        for path in TEMPLATES.rglob("*.*")
    }
    assert {name for name in here if not name.endswith("/workflows")} <= inside


@dataclass(frozen=True)
class Installed:
    """A package in an environment of its own, installed by the first line of its README."""

    kind: str
    package: Path
    environment: PluginEnvironment
    #: command → what it last printed on standard error
    stderr: dict[str, str] = field(default_factory=dict)

    @property
    def commands(self) -> list[str]:
        """The commands that its README names, in their order."""
        return (self.package / "README.md").read_text(encoding="utf-8").split("```")[1].strip().splitlines()

    def give(self, line: str) -> str:
        """Give a command in the package's folder, training but for a moment; return what it prints."""
        quick = " --max-steps 2" if line.startswith("labelkit run ") else ""
        if quick and "--model" not in line:
            quick += " --model tiny:bert"
        done = self.environment.shell(f"{line}{quick}", self.package)
        self.stderr[line] = done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=NAMES)
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return a package of each kind; what is installed has to be what the constraints file says."""
    folder = tmp_path_factory.mktemp("fresh")
    package = create(NAMES[request.param], request.param, folder)
    made = Installed(request.param, package, make_environment(folder / "venv", ROOT / "constraints.txt"))
    made.give(made.commands[0])
    return made


@pytest.mark.slow
def test_a_package_that_is_installed_is_listed(installed: Installed) -> None:
    rows = {row["name"]: row for row in json.loads(installed.give("labelkit plugins --json"))}
    row = rows[NAMES[installed.kind]]
    assert (row["status"], row["reason"], row["notes"], row["version"]) == ("loaded", "", [], "0.1.0")


@pytest.mark.slow
def test_a_package_passes_its_own_tests(installed: Installed) -> None:
    assert installed.commands[1] == "pytest"
    assert re.fullmatch(r"=+ \d+ passed in .* =+", installed.give("pytest").strip().splitlines()[-1])


@pytest.mark.slow
def test_what_its_ci_runs_passes(installed: Installed) -> None:
    workflow = (installed.package / ".github/workflows/test.yml").read_text(encoding="utf-8")
    *tested, check = re.findall(r"- run: (.*)", workflow)
    assert tested == installed.commands[:2]
    assert check == f"labelkit plugins check {NAMES[installed.kind]}"
    assert json.loads(installed.give(f"{check} --json"))["ok"]


@pytest.mark.slow
def test_a_package_runs_at_once(installed: Installed) -> None:
    *_, listing, use = installed.commands
    assert NAMES[installed.kind] in installed.give(listing)
    assert use == KINDS[installed.kind].first_use.replace("$name", NAMES[installed.kind])
    installed.give(use)
    if installed.kind in ("token", "text"):
        assert installed.give('labelkit label latest --text "Rex sleeps."').strip()
    if installed.kind == "format":
        assert (installed.package / f"sentences.{NAMES['format']}").read_text(encoding="utf-8").count("\n") > 100
    if installed.kind == "decoder":
        assert installed.give("labelkit evaluate latest --decoder argmax")
    if installed.kind == "observer":
        assert "told: validation at step 2: " in installed.stderr[use]
    if installed.kind in ("decoder", "head", "preprocessor"):
        assert f"plugin {NAMES[installed.kind]}" in installed.give("labelkit runs show latest")
    if installed.kind == "encoder":
        assert "house:first" in installed.give("labelkit runs show latest")
