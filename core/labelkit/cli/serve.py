"""``labelkit serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    import socket

    from labelkit.serve.models import Opener, ServedModels


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
@click.option("--decoder", metavar="NAME", help="Decode scores with this decoder; default that of each run.")
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
    from labelkit.serve.models import Opener, OpenOptions, ServedModels
    from labelkit.serve.server import bind, is_loopback

    token = find_token(shell, token_file)
    if token is None and not is_loopback(host):
        raise LabelkitError(
            f"{host} is reached from other machines, and there is no token",
            hint="give one with --token-file FILE or LABELKIT_SERVE_TOKEN",
        )
    limits = limits_of(given)
    with bind(host, port) as bound:
        options = OpenOptions(precision=given["precision"], engine=given["engine"], decoder=given["decoder"])
        opener = Opener(shell.home, shell.catalog, options, limits)
        models = ServedModels.open(runs, opener, shell.say)
        answer_requests(shell, models, opener, bound, token)


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


def answer_requests(
    shell: Shell, models: ServedModels, opener: Opener, bound: socket.socket, token: str | None
) -> None:
    """Run the server until it is told to end."""
    from labelkit.serve.application import Health, build_application
    from labelkit.serve.server import is_loopback, run_server

    host, port = bound.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    health = Health()

    def on_ready() -> None:
        if shell.as_json:
            shell.json({"url": url, "models": {model.name: model.run for model in models}})
        for model in models:
            shell.say(f"{model.name}: run {model.run}, {model.labeller.engine.name}")
        shell.say(f"serving on {url} (documentation: {url}/docs)")

    application = build_application(
        models, opener.limits, token=token, loopback=is_loopback(host), health=health, say=shell.say
    )
    run_server(application, bound, opener.limits, health, on_ready)
    shell.say("ended: all open requests are answered")
