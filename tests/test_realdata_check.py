"""``labelkit data check`` of the public corpora, which are found by LABELKIT_DATA alone and never copied here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from findings_of_corpora import FINDINGS
from labelkit.cli import main

pytestmark = pytest.mark.realdata


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = os.environ.get("LABELKIT_DATA")
    if not root:
        pytest.skip("LABELKIT_DATA is not set")
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    return Path(root)


@pytest.mark.parametrize("name", FINDINGS)
def test_the_findings_of_a_corpus_are_those_of_the_table(
    name: str, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (corpora / name).is_dir():
        pytest.skip(f"LABELKIT_DATA holds no {name}")

    assert main(["data", "check", name, "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["skipped"] == {}
    assert document["max_length"] == 512
    assert document["notes"] == []
    keys = ("check", "severity", "split", "layer", "against", "count")
    assert [tuple(finding[key] for key in keys) for finding in document["findings"]] == list(FINDINGS[name])


def test_the_scheme_of_the_files_is_told_whatever_the_source_reads_them_into(
    corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (corpora / "conll2003").is_dir():
        pytest.skip("LABELKIT_DATA holds no conll2003")
    skipping = [option for check in ("subtokens", "windows", "near-duplicates") for option in ("--skip", check)]

    assert main(["data", "check", "conll2003", "--json", *skipping]) == 0

    layers = json.loads(capsys.readouterr().out)["layers"]
    assert layers == {"ner": {"scheme": "IOB1"}, "pos": {"scheme": None}, "chunk": {"scheme": "IOB1"}}
