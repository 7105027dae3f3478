"""``labelkit annotations``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelkit.cli.common import Command, Shell, command_options
from labelkit.files.targets import check_target

if TYPE_CHECKING:
    from labelkit.records import LoadContext


@click.group()
def annotations() -> None:
    """Exchange tasks and annotations with a Label Studio server."""


def token_option(command: Command) -> Command:
    """Decorate a command with the option of a personal access token."""
    return click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Read the personal access token from FILE; default LABELKIT_LABEL_STUDIO_TOKEN.",
    )(command)


@annotations.command("pull")
@click.argument("project", metavar="URL#PROJECT")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Write to FILE.")
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@token_option
@command_options
def pull(shell: Shell, project: str, output: Path, force: bool, token_file: Path | None) -> None:
    """Write the annotated tasks of a project as Label Studio's JSON, which every command reads.

    Of several annotations of a task the ground truth counts, else the latest. Names and addresses of people are left
    out.

    \b
    labelkit annotations pull http://localhost:8080#2 -o annotated.json
    labelkit run ner --data label-studio:http://localhost:8080#2
    """
    from labelkit.data.label_studio_projects import fetch_snapshot, write_snapshot
    from labelkit.label_studio.references import parse_project

    reference = parse_project(project)
    check_target(output, force=force)
    snapshot = fetch_snapshot(reference, _context(shell, token_file))
    provenance = write_snapshot(snapshot, output, force=force)
    if shell.as_json:
        document = {"project": str(snapshot.reference), "output": str(output), **provenance.to_json()}
        shell.json({**document, "left_out": dict(snapshot.left_out)})
    for line in provenance.notes():
        shell.say(line)
    for what, number in snapshot.left_out.items():
        shell.say(f"note: {what}: {number:,}")
    field = snapshot.controls[0].data_key
    shell.say(f"→ {output}" + (f", to read with --columns text={field}" if field != "text" else ""))


@annotations.command("push")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("project", metavar="URL#PROJECT")
@token_option
@command_options
def push(shell: Shell, file: Path, project: str, token_file: Path | None) -> None:
    """Create a task in a project for each record of FILE, with its labels as a prediction.

    FILE is Label Studio's JSON, as labelkit suggest and labelkit label write it with --to label-studio. Texts that the
    project has are left out, so the command may be repeated. Labels that the project does not know are not sent.

    \b
    labelkit suggest ner@best pool.txt -o next.json --to label-studio
    labelkit annotations push next.json http://localhost:8080#2
    """
    from labelkit.data.label_studio_push import push_tasks
    from labelkit.label_studio.references import parse_project

    found = push_tasks(file, parse_project(project), _context(shell, token_file))
    if shell.as_json:
        shell.json(found.to_json())
    for label, times in found.unknown.items():
        shell.say(f"note: label '{label}' is unknown to the project and not sent ({times:,} times)")
    if found.known:
        shell.say(f"note: {found.known:,} texts are in the project already")
    shell.say(f"{found.created:,} tasks created, {found.predicted:,} with a prediction")


def _context(shell: Shell, token_file: Path | None) -> "LoadContext":
    from labelkit.config.environment import read_token_file
    from labelkit.settings import DataSettings

    environment = shell.environment
    if token_file is not None:
        environment = environment.with_label_studio_token(read_token_file(token_file))
    return environment.load_context(DataSettings(), shell.home.cache)
