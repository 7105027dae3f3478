"""``labelkit serve`` as a process: it ends by SIGTERM when its requests are answered, and its log holds no text."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

import labelkit

TOKEN = "a-token-that-nobody-may-see"


@pytest.mark.slow
def test_sigterm_lets_open_requests_finish(trained: labelkit.RunResult, home: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "LABELKIT_HOME": str(home), "LABELKIT_SERVE_TOKEN": TOKEN}
    command = [sys.executable, "-m", "labelkit", "serve", "shared", "--port", "0", "--json", "--engine", "torch"]
    log = tmp_path / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout
    started = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
    assert started["models"] == {"shared": trained.run}
    answers: list[Any] = []

    def ask() -> None:
        body = {"texts": ["Confidential Ada lives in Lima ."] * 3000}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answers.append(httpx.post(started["url"] + "/v1/label", json=body, headers=headers, timeout=60))

    client = threading.Thread(target=ask)
    client.start()
    busy = 0.0
    while not busy:
        metrics = httpx.get(started["url"] + "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
        line = next(one for one in metrics.splitlines() if one.startswith("labelkit_model_waiting_characters{"))
        busy = float(line.split()[-1])
    process.send_signal(signal.SIGTERM)
    client.join()
    assert process.wait(30) == 0
    (answer,) = answers
    assert answer.status_code == 200
    assert len(answer.json()["records"]) == 3000
    said = log.read_text(encoding="utf-8")
    assert said.endswith("ended: all open requests are answered\n")
    assert "Confidential" not in said
    assert TOKEN not in said
