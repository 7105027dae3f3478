"""``labelkit login``, ``logout`` and ``whoami``: the account on the Hugging Face Hub."""

from __future__ import annotations

import sys

import click

from labelkit.cli.common import Shell, command_options
from labelkit.console.text import literal


@click.command()
@command_options
def login(shell: Shell) -> None:
    """Log in to the Hugging Face Hub with a token, typed without echo or read from a pipe.

    The token is stored by huggingface_hub, where its other programs find it. It is never printed or recorded.

    \b
    labelkit login
    labelkit login < token.txt
    """
    from labelkit.hub.account import log_in

    typed = sys.stdin.isatty()
    token = click.prompt("Token (not shown)", hide_input=True, err=True) if typed else sys.stdin.readline()
    account = log_in(token.strip())
    if shell.as_json:
        shell.json({"name": account.name, "role": account.role, "token": account.token})
    else:
        shell.print(literal(f"logged in as {account.name}; the token '{account.token}' {_allows(account.role)}"))


@click.command()
@command_options
def logout(shell: Shell) -> None:
    """Delete the tokens of the Hugging Face Hub from this machine."""
    from labelkit.hub.account import log_out

    had = log_out()
    if shell.as_json:
        shell.json({"logged_out": had})
    else:
        shell.print("logged out" if had else "not logged in")


@click.command()
@command_options
def whoami(shell: Shell) -> None:
    """Show the account on the Hugging Face Hub, its organizations, and what the token allows."""
    from labelkit.hub.account import read_account

    account = read_account()
    organizations = {name: role or None for name, role in account.organizations.items()}
    if shell.as_json:
        document = {"name": account.name, "role": account.role, "token": account.token, "endpoint": account.endpoint}
        shell.json({**document, "organizations": organizations})
        return
    shell.print(literal(f"{account.name} on {account.endpoint}: the token '{account.token}' {_allows(account.role)}"))
    for name, role in organizations.items():
        shell.print(literal(f"  {name}" + (f" ({role})" if role else "")))


def _allows(role: str) -> str:
    known = {"read": "may read only", "write": "may read and write", "fineGrained": "is fine-grained"}
    return known.get(role, "is valid")
