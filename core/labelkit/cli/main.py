"""The entry point: the table of commands, and how errors are reported."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from labelkit.cli.process import command_process
from labelkit.errors import LabelkitError, PlanError, SeveralRunsError, StorageError, missing_package

#: command → (its module, its line in --help), so that --help imports none of the modules
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("labelkit.cli.run", "Train, select, test and record a labeller."),
    "search": ("labelkit.cli.search", "Search for hyperparameters; every trial is a run."),
    "label": ("labelkit.cli.label", "Label text, files or folders with a trained labeller."),
    "adopt": ("labelkit.cli.adopt", "Record a model that labelkit did not train as a run."),
    "evaluate": ("labelkit.cli.evaluate", "Evaluate a trained labeller on gold data."),
    "errors": ("labelkit.cli.errors", "Show the errors of a labeller, and likely annotation errors."),
    "export": ("labelkit.cli.export", "Export a trained labeller for other programs: transformers, ONNX, JavaScript."),
    "onnx": ("labelkit.cli.onnx", "Export to ONNX: the old name of export --to onnx."),
    "suggest": ("labelkit.cli.suggest", "Choose what to annotate next from a pool of texts."),
    "annotations": ("labelkit.cli.annotations", "Exchange annotations with a Label Studio server."),
    "serve": ("labelkit.cli.serve", "Serve trained labellers over HTTP."),
    "ui": ("labelkit.cli.ui", "Show runs, comparisons, errors and a playground in a browser."),
    "push": ("labelkit.cli.publish", "Push a trained labeller to the Hugging Face Hub."),
    "pull": ("labelkit.cli.publish", "Fetch a labeller from the Hugging Face Hub as a run."),
    "card": ("labelkit.cli.publish", "Show the model card of a run."),
    "login": ("labelkit.cli.account", "Log in to the Hugging Face Hub."),
    "logout": ("labelkit.cli.account", "Log out of the Hugging Face Hub."),
    "whoami": ("labelkit.cli.account", "Show the account on the Hugging Face Hub."),
    "runs": ("labelkit.cli.runs", "List, compare, annotate and delete recorded runs."),
    "data": ("labelkit.cli.data", "Show, check, convert and publish labelled data."),
    "tasks": ("labelkit.cli.listing", "List the labelling tasks."),
    "recipes": ("labelkit.cli.listing", "List the recipes of each task."),
    "formats": ("labelkit.cli.listing", "List the file formats."),
    "metrics": ("labelkit.cli.listing", "List the metrics."),
    "sources": ("labelkit.cli.listing", "List the named corpora."),
    "decoders": ("labelkit.cli.listing", "List the decoders."),
    "heads": ("labelkit.cli.listing", "List the heads: what stands on the encoder and how it learns."),
    "preprocessors": ("labelkit.cli.listing", "List the preprocessors."),
    "encoders": ("labelkit.cli.listing", "List the kinds of encoder reference."),
    "plugins": ("labelkit.cli.plugins", "List, validate and scaffold plugins."),
}
#: what the system says of a path that a user gave
_PATH_ERRORS = (
    errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EACCES, errno.EISDIR, errno.ENOENT, errno.EPERM, errno.EROFS,
    errno.ENXIO,
)  # fmt: skip
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def completing() -> bool:
    """Return whether a shell asks what may stand in a command line; click's variable of the command says so."""
    return "_LABELKIT_COMPLETE" in os.environ


class _LazyCommands(click.Group):
    """A group that imports a command when it is called; listing the commands imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        if completing():
            from labelkit.cli.completion import with_completion

            return with_completion(found)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # the reader of the pipe has closed it: not an error, and nothing more can be written to stdout
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.group(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labelkit", message="%(version)s")
def cli() -> None:
    """Train, compare and use text labellers.

    labelkit run ner trains one on the packaged sample corpus; labelkit label latest --text "…" uses it.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        with command_process():
            result = cli.main(args=given, prog_name="labelkit", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE if isinstance(error, click.UsageError) else EXIT_FAILED
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        return EXIT_INTERRUPTED
    except LabelkitError as error:
        if debug:
            raise
        for line in error_lines(error):
            _say(line)
        return EXIT_FAILED
    except Exception as error:
        if debug:
            raise
        if (known := missing_package(error, _name_of(given)) or _system_error(error)) is not None:
            for line in error_lines(known):
                _say(line)
            return EXIT_FAILED
        _say(f"error: {type(error).__name__}: {' '.join(str(error).split())}")
        _say("  this is a bug in labelkit or a plugin; add --debug to the command for the traceback")
        return EXIT_FAILED


def _name_of(given: Sequence[str]) -> str:
    """Return the name of the command of some arguments."""
    return next((f"labelkit {name}" for name in given if name in COMMANDS), "labelkit")


def _system_error(error: Exception) -> LabelkitError | None:
    """Return the error for what the system refuses: a path from outside that cannot be, memory; None for others."""
    if isinstance(error, MemoryError):
        return LabelkitError("out of memory", hint="read less at once, or allow the process more memory")
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes) and error.errno in _PATH_ERRORS:
        from labelkit.console.text import shorten

        path = shorten(os.fsdecode(error.filename), 80)
        return StorageError(f"{path} cannot be used: {os.strerror(error.errno).lower()}", hint="check the path")
    return None


def error_lines(error: LabelkitError) -> Iterator[str]:
    """Yield an error as it is printed: message, candidates of an ambiguous reference, hint, all errors of a plan."""
    yield f"error: {error.message}"
    if isinstance(error, SeveralRunsError):
        yield from (f"  {line}" for line in (*error.candidates.values(), *["…"] * error.more))
    if error.hint:
        yield f"  {error.hint}"
    if isinstance(error, PlanError) and len(error.misses) > 1:
        yield from (f"  {number}. {miss}" for number, miss in enumerate(error.misses, 1))


def _say(line: str) -> None:
    from labelkit.console.text import literal

    click.echo(literal(line), err=True)
