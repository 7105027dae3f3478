"""A stand-in for a Label Studio server: its token, one project, its export and import, as the real one answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "personal-access-token"
CONFIG = """<View><Labels name="label" toName="text"><Label value="Person" predicted_values="PER"/>
<Label value="LOC"/></Labels><Text name="text" value="$text"/></View>"""


@dataclass
class StubLabelStudio:
    """The state of the stand-in.

    :param fault: a status to answer everything but the token with.
    :param delay: seconds before each answer.
    """

    config: str = CONFIG
    tasks: list[dict[str, Any]] = field(default_factory=list)
    imports: list[list[dict[str, Any]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    fault: int = 0
    delay: float = 0.0
    url: str = ""

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        """Return the answer to a request with a valid token."""
        if path == "/api/projects/2/":
            return 200, {"id": 2, "label_config": self.config}
        if path.startswith("/api/projects/2/export"):
            return 200, [one for one in self.tasks if one["annotations"] or "all_tasks" in path]
        if path.startswith("/api/projects/2/import"):
            self.imports.append(body)
            return 201, {"task_count": len(body), "prediction_count": sum(map(_predictions, body))}
        return 404, None


def _predictions(task: Any) -> int:
    return len(task["predictions"])


def annotated_task(number: int, text: str, *labels: tuple[int, int, str], predicted: Any = None) -> dict[str, Any]:
    """Return an annotated task as the server exports it.

    :param predicted: the labels that the annotation began with.
    """

    def results(spans: Any) -> list[dict[str, Any]]:
        return [
            {
                "id": f"r{index}", "from_name": "label", "to_name": "text", "type": "labels",
                "value": {"start": start, "end": end, "text": text[start:end], "labels": [label]},
            }
            for index, (start, end, label) in enumerate(spans)
        ]  # fmt: skip

    prediction = {} if predicted is None else {"model_version": "old-run", "score": 0.5, "result": results(predicted)}
    annotation = {
        "id": 100 + number, "completed_by": {"email": "me@example.com"}, "result": results(labels),
        "was_cancelled": False, "ground_truth": False, "updated_at": f"2026-11-29T05:27:{number % 60:02}.5Z",
        "prediction": prediction,
    }  # fmt: skip
    return {"id": number, "annotations": [annotation], "predictions": [1], "data": {"text": text}, "project": 2}


@contextmanager
def label_studio() -> Iterator[StubLabelStudio]:
    """Run the stand-in on a free port of loopback."""
    state = StubLabelStudio()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            time.sleep(state.delay)
            path = self.path.partition("?")[0]
            state.asked.append(self.path)
            status, found = self._found(path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def _found(self, path: str, body: Any) -> tuple[int, Any]:
            if path == "/api/token/refresh/":
                return (200, {"access": "short"}) if body == {"refresh": TOKEN} else (401, {"detail": "no"})
            if self.headers.get("Authorization") != "Bearer short":
                return 401, None
            return (state.fault, {"detail": "it is\nfull"}) if state.fault else state.answer(self.path, body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
