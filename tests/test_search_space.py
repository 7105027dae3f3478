"""The space of a search: what may be searched, what a file says, and the grid of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from labelkit.cli import main
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.search.domains import Choices, Domain, Range, grid, space_from_json, space_to_json
from labelkit.search.recipe_file import toml_value
from labelkit.search.space import parse_space, read_space


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


GOOD = """
model = ["bundled", "tiny:bert"]
preprocess = [[], ["lower"]]
[train]
learning_rate = { low = 1e-5, high = 1e-3, log = true }
num_train_epochs = { low = 1, high = 3 }
batch_tokens = { low = 256, high = 1024, step = 256 }
dropout = { low = 0.0, high = 0.3, step = 0.1 }
lora_rank = [4, 8]
[data]
mark_case = [true, false]
"""


def test_a_file_names_ranges_and_choices(catalog: Catalog) -> None:
    space = parse_space(tomllib.loads(GOOD), catalog)
    assert space["train.learning_rate"] == Range(low=1e-5, high=1e-3, log=True)
    assert space["train.num_train_epochs"] == Range(low=1.0, high=3.0)
    assert space["train.batch_tokens"] == Range(low=256, high=1024, step=256, integer=True)
    assert space["data.mark_case"] == Choices(choices=(True, False))
    assert space_from_json(space_to_json(space)) == space


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it names no setting"),
        ("[train]\nseed = [1, 2]", "train.seed cannot be searched: the best seed is luck"),
        ("[train]\ndata_seed = [1, 2]", "train.data_seed cannot be searched: the best seed is luck"),
        ("[data]\nvalidation_seed = [1, 2]", "data.validation_seed cannot be searched: the best seed"),
        ("[data]\nscheme = ['IOB1']", "data.scheme cannot be searched: trials must be compared on the same data"),
        ("metric = ['f1']", "metric cannot be searched: trials must be compared"),
        ("[train]\nmax_steps = [1, 2]", "train.max_steps cannot be searched"),
        ("[train]\nscore_test = [true]", "train.score_test cannot be searched"),
        ("[train]\noutput_dir = ['x']", "train.output_dir is set by labelkit"),
        ("[train]\ndropout = [1.5]", "invalid train.dropout: 1.5"),
        ("[train]\ndropout = []", "train.dropout has no choices"),
        ("[train]\ndropout = [0.1, 0.1]", "train.dropout has the choice 0.1 twice"),
        ("[train]\ndropout = 0.1", "train.dropout has neither choices nor a range"),
        ("[train]\ndropout = {low = 0.1}", "train.dropout has neither choices nor a range"),
        ("[train]\ndropout = {low = 0.3, high = 0.1}", "train.dropout: low must be less than high"),
        ("[train]\ndropout = {low = 0, high = 0.1, log = true}", "train.dropout: a range on a logarithmic scale"),
        ("[train]\ndropout = {low = 0, high = 0.2, step = 0}", "train.dropout: step must be greater than 0"),
        ("[train]\ndropout = {low = 0, high = 0.2, steps = 1}", "train.dropout: unknown steps of a range"),
        ("[train]\ndropout = {low = '0', high = 0.2}", "train.dropout: low must be a number, not '0'"),
        ("[train]\ndropout = {low = 0, high = 0.2, log = 1}", "train.dropout: log must be true or false"),
        ("[train]\ndropout = {low = 0.1, high = 0.2, log = true, step = 0.1}", "log and step cannot be combined"),
        ("[train]\nbatch_tokens = {low = 1, high = 9, step = 0.5}", "step must be a whole number, not 0.5"),
        ("[train]\nbatch_tokens = {low = 1.5, high = 9}", "invalid train.batch_tokens: 1.5"),
        ("learning_rate = [1e-4]", "unknown setting 'learning_rate'"),
        ("[nosuch]\nx = [1]", "unknown setting 'nosuch.x'"),
        ("[train\n", "is invalid TOML"),
    ],
)
def test_a_bad_space_is_one_line(text: str, message: str, tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(LabelkitError) as caught:
        read_space(path, catalog)
    assert caught.value.message.startswith(f"space {path}")
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_space_is_one_line(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(LabelkitError, match=r"space .*none.toml does not exist"):
        read_space(tmp_path / "none.toml", catalog)


def test_parameters_of_optuna_stand_for_values() -> None:
    lists = Choices(choices=([], ["lower"]))
    assert lists.decode(lists.encode(["lower"])) == ["lower"]
    assert lists.encode(("lower",)) == '["lower"]'
    assert lists.encode(["upper"]) is None
    assert Choices(choices=(True, False)).encode(1) is None
    steps = Range(low=0.0, high=0.3, step=0.1)
    assert (steps.encode(0.1), steps.encode(0.15), steps.encode(0.4), steps.encode(None)) == (0.1, None, None, None)
    assert steps.values() == [0.0, 0.1, 0.2, 0.3]


def test_a_grid_has_each_point_once() -> None:
    space: dict[str, Domain] = {"a": Choices(choices=(1, 2)), "b": Range(low=1, high=3, integer=True)}
    points = grid(space, seed=0)
    assert sorted((point["a"], point["b"]) for point in points) == [(a, b) for a in (1, 2) for b in (1, 2, 3)]
    assert points == grid(space, seed=0) != grid(space, seed=1)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"a": Range(low=0.0, high=1.0)}, "--sampler grid needs a list or a step for a"),
        ({str(i): Choices(choices=tuple(range(100))) for i in range(3)}, "the grid has 1,000,000 points"),
    ],
)
def test_what_is_no_grid_is_one_line(space: dict[str, Domain], message: str) -> None:
    with pytest.raises(LabelkitError, match=message):
        grid(space, seed=0)


def test_values_in_toml_are_read_back() -> None:
    value = {"s": 'q"\\\x7fü\n', "n": [1, 0.5, 1e-05], "b": True, "t": {"x y": 2}}
    assert tomllib.loads(f"v = {toml_value(value)}")["v"] == value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search"], "Missing argument 'TASK'"),
        (["search", "ner", "--seeds", "1"], "1 is not in the range 2<=x<=10"),
        (["search", "ner", "--sampler", "bayes"], "'bayes' is not one of"),
        (["search", "--resume", "x", "--lr", "1"], "--lr cannot be combined with --resume"),
        (["search", "--resume", "x", "--set", "a=1"], "--set cannot be combined with --resume"),
        (["search", "--resume", "x"], "no search 'x' in the registry"),
        (["search", "ner", "--name", "No Name"], "a search cannot be called 'No Name'"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    assert main(arguments) in (1, 2)
    assert message in capsys.readouterr().err
