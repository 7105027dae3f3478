"""``labelkit.push``: the command as a function, for notebooks and programs."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from labelkit.config.environment import Environment
from labelkit.plugins.catalog import Catalog
from labelkit.publish.push import PushOptions, PushResult, find_run, plan_push, push_run
from labelkit.registry import Home


def push(
    run: str, repository: str, *, home: str | Path | None = None, dry_run: bool = False, **options: Any
) -> PushResult:
    """Push the best checkpoint of a run to the Hugging Face Hub as ``labelkit push`` does.

    :param run: an id, the unique beginning of one, a name, an alias, ``latest``, or ``TASK@best``.
    :param repository: ``org/name``.
    :param home: the folder of runs and registry; default as for the command.
    :param dry_run: send nothing; the result lists the files.
    :param options: ``private``, ``revision``, ``tag``, ``pull_request``, ``onnx``, ``licence``, ``language``,
        ``force``: see :class:`~labelkit.publish.push.PushOptions`.
    :raises LabelkitError: the run or its checkpoint is gone, the token may not write, or the Hub refuses.

    >>> labelkit.push("latest", "me/my-ner", private=True).commit  # doctest: +SKIP
    """
    if unknown := options.keys() - PushOptions.__dataclass_fields__.keys():
        raise TypeError(f"push() takes no argument '{min(unknown)}'")
    chosen = PushOptions(repository=repository, **options)
    catalog = Catalog.load(only=Environment.read().plugins)
    place = Home.find(os.environ, explicit=home)
    details = find_run(run, place)
    if dry_run:
        return plan_push(details, chosen, place, catalog)
    return push_run(details, chosen, place, catalog, lambda line: warnings.warn(line, stacklevel=2))
