"""OpenVINO keeps a bounded number of kernels, however many shapes the batches of a server have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.inference.onnx.engine import KERNELS, bound_kernels

VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
#: prints the megabytes of the process after 100 shapes of batches, and after 200 more
SCRIPT = """
import os, re, sys
from itertools import islice, product
from pathlib import Path
import numpy as np
from labelkit.encode.batches import model_inputs
from labelkit.inference.onnx.engine import bound_kernels
bound_kernels(os.environ)
from labelkit.label.labeller import Labeller
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

engine = Labeller.open("shared", Home.find({}, explicit=sys.argv[1]), Catalog.load(), engine="openvino").engine
shapes = product(range(1, 16), range(4, 84, 4))
for part in (100, 200):
    for windows, length in islice(shapes, part):
        inputs = model_inputs(np.ones((windows, length), np.int32), engine.encoding.special_tokens, 0)
        engine.session.logits(inputs, np.ones((windows, length), np.bool_))
    print(int(re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_new_shapes_of_batches_take_no_more_memory(trained: labelkit.RunResult, home: Path) -> None:
    pytest.importorskip("openvino")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(home)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    before, after = map(float, done.stdout.split())
    assert after - before < 110  # 55 MB; 220 MB without the bounds


def test_a_server_bounds_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    assert main(["serve", "missing", "--port", "0"]) == 1
    assert os.environ[VARIABLE] == str(KERNELS)


def test_the_environment_comes_first() -> None:
    environment = {VARIABLE: "64"}
    bound_kernels(environment)
    assert environment == {VARIABLE: "64"}
