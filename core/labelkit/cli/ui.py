"""``labelkit ui``."""

from __future__ import annotations

from pathlib import Path

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.serve import find_token, require_serve


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Listen on this address.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Listen on this port; 0: a free one."
)
@click.option("--write", is_flag=True, help="Allow aliases, tags, notes and deletions, with a token.")
@click.option("--label-studio", metavar="URL#PROJECT", help="Let visitors send sentences to this Label Studio project.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Require the token in FILE; default LABELKIT_SERVE_TOKEN, if set.",
)
@command_options
def ui(shell: Shell, host: str, port: int, write: bool, label_studio: str | None, token_file: Path | None) -> None:
    """Show runs, comparisons, errors and a playground in a browser, until SIGTERM or Ctrl-C.

    Pages only read, unless --write is given. With --write, or an address that other machines reach, visitors need a
    token: yours, or one that is made and printed.

    \b
    labelkit ui
    labelkit ui --port 0 --write
    """
    require_serve()
    import secrets

    from labelkit.label_studio.references import parse_project
    from labelkit.serve.health import Health
    from labelkit.serve.limits import ServeLimits
    from labelkit.serve.server import bind, is_loopback, run_server
    from labelkit.ui.application import build_application
    from labelkit.ui.sessions import Sessions
    from labelkit.ui.site import Site

    token = find_token(shell, token_file)
    if token is None and (write or not is_loopback(host)):
        token = secrets.token_urlsafe()
    site = Site(
        shell.home, shell.environment, lambda: shell.catalog, sessions=Sessions(token), write=write,
        label_studio=parse_project(label_studio) if label_studio else None, say=shell.say,
    )  # fmt: skip
    with bind(host, port) as bound:
        address, number = bound.getsockname()[:2]
        url = f"http://{f'[{address}]' if ':' in address else address}:{number}"

        def on_ready() -> None:
            if shell.as_json:
                shell.json({"url": url, "write": write, "token": token})
            shell.say(f"showing {shell.home.root} on {url}")
            if token is not None:
                shell.say(f"token: {token}")
                shell.say(f"open {url}/login?token={token}")

        application = build_application(site, loopback=is_loopback(address))
        run_server(application, bound, ServeLimits(), Health(), on_ready)
        shell.say("ended")
