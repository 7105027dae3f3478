"""``labelkit serve``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options, operating_point_option
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from labelkit.serve.models import Opener, ServedModels
    from labelkit.serve.operations import Operation


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Listen on this address.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Listen on this port; 0: a free one."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Require the token in FILE; default LABELKIT_SERVE_TOKEN, if set.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="Compute in this precision; auto: bf16 where the hardware is fast in it.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "torch", "onnx", "onnx-int8", "openvino", "openvino-int8"]),
    default="auto",
    show_default=True,
    help="Compute with this engine; auto: OpenVINO or ONNX Runtime where installed and faster, else torch.",
)
@click.option("--verify", is_flag=True, help="Compute the checksums of checkpoints again, changed or not.")
@click.option("--decoder", metavar="NAME", help="Decode scores with this decoder; default that of each run.")
@operating_point_option("Leave out labels scored below the threshold of their type that reaches this on validation.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Answer within this many seconds.",
)
@click.option(
    "--max-body", type=click.IntRange(min=1), default=4 << 20, show_default=True, help="Largest body, in bytes."
)
@click.option(
    "--max-queue",
    type=click.IntRange(min=1),
    default=16 << 20,
    show_default=True,
    help="Characters that may wait for a model before others are refused.",
)
@click.option("--label-studio", is_flag=True, help="Also be a machine-learning backend for Label Studio.")
@click.option(
    "--retrain-after",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train after N annotations in a Label Studio project.",
)
@command_options
def serve(shell: Shell, runs: tuple[str, ...], host: str, port: int, token_file: Path | None, **given: Any) -> None:
    """Serve the labellers of RUNs over HTTP, until SIGTERM or Ctrl-C.

    RUN is as in labelkit label; NAME=RUN serves it under another name. An alias, latest and TASK@best are looked up
    again, and another run is served without a request being lost. /docs describes what is served.

    \b
    labelkit serve ner@best
    labelkit serve ner@prod reviews=./checkpoint --host 0.0.0.0 --token-file token
    """
    require_serve()
    from labelkit.inference.onnx.engine import bound_kernels
    from labelkit.serve.models import Opener, OpenOptions, ServedModels
    from labelkit.serve.server import bind, is_loopback

    token = find_token(shell, token_file)
    if token is None and not is_loopback(host):
        raise LabelkitError(
            f"{host} is reached from other machines, and there is no token",
            hint="give one with --token-file FILE or LABELKIT_SERVE_TOKEN",
        )
    if given["retrain_after"] and not given["label_studio"]:
        raise click.UsageError("--retrain-after is for --label-studio.")
    limits = limits_of(given)
    bound_kernels(os.environ)
    with bind(host, port) as bound:
        options = OpenOptions(
            precision=given["precision"],
            engine=given["engine"],
            decoder=given["decoder"],
            operating_point=given["operating_point"],
            verify=given["verify"],
        )
        opener = Opener(shell.home, shell.catalog, options, limits)
        models = ServedModels.open(runs, opener, shell.say)
        server = RunningServer(shell, models, opener, bound, token)
        if given["label_studio"]:
            server.answer_label_studio(given["retrain_after"])
        else:
            server.answer_requests()


def require_serve() -> None:
    """Raise if the packages of ``labelkit[serve]`` are missing.

    :raises LabelkitError: one is.
    """
    from importlib.util import find_spec

    if missing := [name for name in ("prometheus_client", "starlette", "uvicorn") if find_spec(name) is None]:
        raise LabelkitError(f"{missing[0]} is not installed", hint="pip install 'labelkit[serve]'")


def find_token(shell: Shell, path: Path | None) -> str | None:
    """Return the token of the option or the environment; None if there is none.

    :raises LabelkitError: it is invalid.
    """
    from labelkit.serve.server import check_token, read_token

    if path is not None:
        return read_token(path)
    found = shell.environment.serve_token
    return None if found is None else check_token(found, "LABELKIT_SERVE_TOKEN")


def limits_of(given: dict[str, Any]) -> Any:
    """Return the limits that the options set."""
    from labelkit.serve.limits import ServeLimits

    return ServeLimits(body=given["max_body"], queued=given["max_queue"], seconds=given["timeout"])


@dataclass(frozen=True)
class RunningServer:
    """The models, address and token of a server."""

    shell: Shell
    models: ServedModels
    opener: Opener
    bound: socket.socket
    token: str | None

    @property
    def host(self) -> str:
        """The address that it listens on."""
        found: str = self.bound.getsockname()[0]
        return found

    @property
    def url(self) -> str:
        """The URL that it answers."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.bound.getsockname()[1]}"

    def answer_requests(self, more: Sequence[Operation] = (), lines: Sequence[str] = ()) -> None:
        """Run the server until it is told to end.

        :param more: operations beside those of every server.
        :param lines: to print once requests are answered.
        """
        from labelkit.serve.application import build_application
        from labelkit.serve.health import Health
        from labelkit.serve.server import is_loopback, run_server

        shell, url, limits = self.shell, self.url, self.opener.limits
        health = Health()

        def on_ready() -> None:
            if shell.as_json:
                shell.json({"url": url, "models": {model.name: model.run for model in self.models}})
            for model in self.models:
                shell.say(f"{model.name}: run {model.run}, {model.labeller.engine.name}")
                for note in model.labeller.notes:
                    shell.say(f"note: {note}")
            for line in (*lines, f"serving on {url} (documentation: {url}/docs)"):
                shell.say(line)

        application = build_application(
            self.models, limits, token=self.token, loopback=is_loopback(self.host), health=health, more=more,
            say=shell.say,
        )  # fmt: skip
        run_server(application, self.bound, limits, health, on_ready)
        shell.say("ended: all open requests are answered")

    def answer_label_studio(self, retrain_after: int | None) -> None:
        """Run the server with a backend for Label Studio.

        :param retrain_after: annotations of a project after which a run is trained; None: when asked.
        """
        from labelkit.serve.label_studio.backend import LabelStudioBackend, secret_path
        from labelkit.serve.label_studio.training import TrainingJobs
        from labelkit.serve.operations import Labelling
        from labelkit.serve.server import is_loopback

        shell, home = self.shell, self.opener.home
        folder, prefix, line = home.root / "label-studio", "", f"Label Studio: the backend's URL is {self.url}"
        if not is_loopback(self.host):
            prefix, file = secret_path(folder)
            line += f"/SECRET, with SECRET from {file}"
        jobs = TrainingJobs(home, folder, retrain_after, shell.say)
        backend = LabelStudioBackend(Labelling(self.models, self.opener.limits), jobs, shell.say)
        try:
            self.answer_requests(backend.operations(prefix), [line])
        finally:
            jobs.end()
