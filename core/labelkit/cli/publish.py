"""``labelkit push``, ``labelkit pull`` and ``labelkit card``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Command, Shell, command_options
from labelkit.console.text import literal

if TYPE_CHECKING:
    from labelkit.hub.upload import Change
    from labelkit.publish.push import PushResult


def card_options(command: Command) -> Command:
    """Decorate a command with the options that the metadata of a card takes."""
    licence = click.option(
        "--license", "licence", metavar="ID", help="State this licence in the card, e.g. apache-2.0, cc-by-4.0."
    )
    language = click.option(
        "--language", multiple=True, metavar="CODE", help="State this language, e.g. en (repeatable)."
    )
    return licence(language(command))


@click.command()
@click.argument("run")
@click.argument("repository", metavar="ORG/NAME")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--revision", default="main", show_default=True, metavar="BRANCH", help="Push to this branch.")
@click.option("--tag", metavar="TAG", help="Put this tag on the commit.")
@click.option("--pr", "pull_request", is_flag=True, help="Open a pull request.")
@click.option("--onnx", is_flag=True, help="Push the ONNX models that labelkit export accepted.")
@card_options
@click.option("--dry-run", is_flag=True, help="List the files and their sizes; send nothing.")
@click.option("--force", is_flag=True, help="Replace a card that was edited outside of its markers.")
@command_options
def push(shell: Shell, run: str, dry_run: bool, **given: Any) -> None:
    """Push the best checkpoint of RUN to the Hugging Face Hub, with its model card, in one commit.

    A push without changes makes no commit. One that was interrupted leaves the repository as it was; run again, it does
    not send again what is there.

    \b
    labelkit push ner@best me/my-ner --private
    labelkit push latest my-org/my-ner --tag v1 --license apache-2.0 --onnx
    """
    from labelkit.publish.push import PushOptions, find_run, plan_push, push_run

    options = PushOptions(**given)
    details = find_run(run, shell.home)
    if dry_run:
        result = plan_push(details, options, shell.home, shell.catalog)
    else:
        result = push_run(details, options, shell.home, shell.catalog, shell.say)
    if shell.as_json:
        shell.json(result.to_json())
    else:
        for line in push_lines(result):
            shell.print(literal(line))


@click.command()
@click.argument("run")
@click.option("--repo", "repository", metavar="ORG/NAME", help="Name this repository; default that of the last push.")
@card_options
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE; own text stays.")
@click.option("--force", is_flag=True, help="Replace FILE if it was edited outside of its markers.")
@command_options
def card(
    shell: Shell,
    run: str,
    repository: str | None,
    licence: str | None,
    language: tuple[str, ...],
    output: Path | None,
    force: bool,
) -> None:
    """Show the model card of RUN; in a pipe as Markdown with its metadata.

    \b
    labelkit card latest
    labelkit card latest -o README.md
    """
    from labelkit.files.atomic import new_file
    from labelkit.files.targets import is_stdout
    from labelkit.hub.upload import Upload
    from labelkit.publish.card_text import without_comments
    from labelkit.publish.push import card_of_run, find_run

    details = find_run(run, shell.home)
    if repository:
        Upload("model", repository)  # an invalid name is an error
    found = card_of_run(details, shell.catalog, repository=repository, licence=licence, language=language)
    if output is not None and not is_stdout(output):
        existing = output.read_text(encoding="utf-8") if output.exists() else None
        text = found.text(existing, force=force)
        with new_file(output) as beside:
            beside.write_text(text, encoding="utf-8")
        if not shell.as_json:
            shell.say(f"{output}: card of {details.record.id}")
    else:
        text = found.text()
    if shell.as_json:
        shell.json({"run": details.record.id, "metadata": found.metadata(), "card": text})
    elif output is None and shell.out.is_terminal:
        from rich.markdown import Markdown

        shell.out.print(Markdown(literal(without_comments(text))))
    elif output is None or is_stdout(output):
        shell.print(text.rstrip("\n"))


@click.command()
@click.argument("repository", metavar="ORG/NAME[@REVISION]")
@click.option("--name", metavar="S", help="Name the run.")
@command_options
def pull(shell: Shell, repository: str, name: str | None) -> None:
    """Fetch a labeller from the Hugging Face Hub, and record it as a run that all commands take.

    What labelkit pushed keeps its schema, splitter and calibration. Other models are adopted, as labelkit adopt does.

    \b
    labelkit pull me/my-ner --name mine
    labelkit label mine notes.txt -o notes.jsonl
    """
    from labelkit.cli.adopt import print_adopted
    from labelkit.label.adoption import adopt
    from labelkit.models.references import HUB_PREFIX

    reference = f"{HUB_PREFIX}{repository.removeprefix(HUB_PREFIX)}"
    print_adopted(shell, adopt(reference, shell.home, shell.catalog, name=name, warn=shell.say))


def push_lines(result: PushResult) -> list[str]:
    """Return what a push did, or would do, for people."""
    from labelkit.console.text import shorten

    lines = [_change_line(one) for one in result.changes]
    sent = [one for one in result.changes if one.action in ("new", "changed")]
    total = f"{len(sent)} files, {sum(one.size for one in sent) / 1e6:,.1f} MB"
    if result.commit is None:
        lines.append(f"would push {total} to {result.repository} ({result.revision}); nothing was sent")
        if result.unchecked:
            lines.append(f"the Hub was not asked: {shorten(result.unchecked, 200)}")
    elif result.written:
        lines.append(f"pushed {total} to {result.address} ({result.revision}), commit {result.commit}")
    else:
        lines.append(f"{result.address} holds all of it already, commit {result.commit}")
    if result.tag and result.commit:
        lines.append(f"tag {result.tag}")
    if result.pull_request:
        lines.append(f"pull request: {result.pull_request}")
    return lines


def _change_line(one: Change) -> str:
    return f"{one.action:<10} {one.size:>14,}  {one.path}"
