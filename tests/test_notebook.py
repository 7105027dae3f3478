"""The notebook in examples/ runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "notebook.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_and_shows_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)  # stored without outputs
    client = NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    html, _ = HTMLExporter().from_notebook_node(notebook)
    if target := os.environ.get("LABELKIT_NOTEBOOK_HTML"):  # to look at
        Path(target).write_text(html, encoding="utf-8")
    for part in ("test (ner)", "<mark style=", "B-PER", "most frequent", "predicted"):
        assert part in html
    assert "2 words have 1 labels of" in html
    assert "Traceback" not in html
