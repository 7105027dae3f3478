"""The example for Spark, where Spark and Java are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import labelkit
from label_command import SENTENCES

pyspark = pytest.importorskip("pyspark")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("java") is None, reason="Java is not installed (apt-get install default-jre-headless)"
    ),
]
EXAMPLE = Path(__file__).parent.parent / "examples" / "spark_labelling.py"


def test_the_example_labels_several_partitions_and_a_null(
    trained: labelkit.RunResult, home: Path, tmp_path: Path
) -> None:
    texts = [*SENTENCES, None, "", "Ada \U0001f600 ."]
    table = pa.table(
        {"number": range(len(texts)), "text": texts, "sent": [datetime(2026, 1, 2, tzinfo=UTC)] * len(texts)}
    )
    source, target = tmp_path / "mails", tmp_path / "labelled"
    source.mkdir()
    for start in (0, 3):
        pq.write_table(table.slice(start, 3), source / f"{start}.parquet")
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    environment = {
        **os.environ, "LABELKIT_HOME": str(home), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }  # fmt: skip
    paths = (EXAMPLE, trained.checkpoint, source, target)
    command = [str(submit), "--master", "local[2]", *map(str, paths), "--column", "text"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list(target.glob("part-*.parquet"))) == 2
    rows = sorted(pq.read_table(target).drop_columns("sent").to_pylist(), key=lambda row: row["number"])
    labeller = labelkit.BatchLabeller(trained.checkpoint, column="text", home=home)
    parts = [labeller(table.slice(start, 3).drop_columns("sent")) for start in (0, 3)]
    assert rows == pa.concat_tables(parts).to_pylist()
    assert [row["predicted_error"] for row in rows] == [None] * 3 + ["row 1: column 'text' is null"] + [None] * 2
