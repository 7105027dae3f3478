"""The hooks of labelkit.

A plugin is a module (or object) behind an entry point of the group ``labelkit``. It implements any of these with
``@labelkit.hookimpl``. Each hook but the last takes no argument and yields named, frozen records. Importing a plugin
must be fast, as every command does it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from labelkit import records

if TYPE_CHECKING:
    from labelkit.events import Event

hookspec = pluggy.HookspecMarker("labelkit")
hookimpl = pluggy.HookimplMarker("labelkit")


@hookspec
def labelkit_tasks() -> Iterable[records.Task]:
    """Yield labelling tasks, each of which names the other records that it is made of.

    ``labelkit run NAME`` trains a task. Its parts may come from any plugin.

    >>> import labelkit
    >>> example = labelkit.Example(id="1", words=("Tom", "purrs"), labels={"pets": ("B-cat", "O")})
    >>> @labelkit.hookimpl
    ... def labelkit_tasks():
    ...     yield labelkit.Task(
    ...         name="pets", summary="cats and dogs", kind="token", layer="pets", source="pet-tales",
    ...         metrics=("seqeval",), scheme="IOB2",
    ...         examples=(example,),
    ...     )
    """
    return ()


@hookspec
def labelkit_sources() -> Iterable[records.Source]:
    """Yield named corpora, which ``--data NAME`` reads.

    ``load(split, ctx)`` yields the examples of a split, in the same order each time. A source may read files, a
    database or a service.

    >>> import labelkit
    >>> def load(split, ctx):
    ...     yield from labelkit.read(ctx.folder("pet-tales") / f"{split}.conll", ctx=ctx)
    >>> @labelkit.hookimpl
    ... def labelkit_sources():
    ...     yield labelkit.Source(
    ...         name="pet-tales", kind="token", layers={"pets": "pets"}, splits=("train", "test"),
    ...         licence="CC0", load=load,
    ...     )
    """
    return ()


@hookspec
def labelkit_formats() -> Iterable[records.Format]:
    """Yield file formats; ``read`` and ``write`` may each be left out.

    A format is recognised by the ending of a file, or chosen by its name: ``--to NAME``, ``data.format=NAME``.

    >>> import labelkit
    >>> def read(path, ctx):
    ...     for number, line in ctx.lines(path):
    ...         label, _, text = line.partition(" ")
    ...         yield labelkit.Example(id=str(number), text=text, labels={"label": label})
    >>> @labelkit.hookimpl
    ... def labelkit_formats():
    ...     yield labelkit.Format(name="label-first", kinds=("text",), suffixes=(".lf",), read=read)
    """
    return ()


@hookspec
def labelkit_schemas() -> Iterable[records.Schema]:
    """Yield label schemas that sources name for their layers.

    A layer without a schema gets the labels of the training split.

    >>> import labelkit
    >>> @labelkit.hookimpl
    ... def labelkit_schemas():
    ...     yield labelkit.Schema.bio("pets", "cat", "dog")
    """
    return ()


@hookspec
def labelkit_preprocessors() -> Iterable[records.Preprocessor]:
    """Yield preprocessors, which change what the tokenizer sees; words, text and offsets stay.

    They run in training and in labelling. Checkpoints record their names and versions.

    >>> import dataclasses, labelkit
    >>> def lower(example):
    ...     words = example.surface or example.words
    ...     return dataclasses.replace(example, surface=tuple(word.lower() for word in words))
    >>> @labelkit.hookimpl
    ... def labelkit_preprocessors():
    ...     yield labelkit.Preprocessor(name="lower", kind="token", apply=lower)
    """
    return ()


@hookspec
def labelkit_metrics() -> Iterable[records.Metric]:
    """Yield metrics, which compute figures from gold and predicted labels.

    The first metric of a task selects the checkpoint, or the one of ``--metric NAME``.

    >>> import labelkit
    >>> def exact_match(p):
    ...     same = [gold == guess for gold, guess in zip(p.references, p.predictions, strict=True)]
    ...     return {"exact_match": sum(same) / len(same) if same else 0.0}
    >>> @labelkit.hookimpl
    ... def labelkit_metrics():
    ...     yield labelkit.Metric(name="exact-match", kind="token", compute=exact_match, key="exact_match")
    """
    return ()


@hookspec
def labelkit_decoders() -> Iterable[records.Decoder]:
    """Yield decoders, which turn scores into labels.

    A decoder may consider a whole sentence, for example to return valid tag sequences only.

    >>> import labelkit
    >>> def greedy(scores):
    ...     return scores.values.argmax(axis=1)
    >>> @labelkit.hookimpl
    ... def labelkit_decoders():
    ...     yield labelkit.Decoder(name="greedy", kind="token", decode=greedy)
    """
    return ()


@hookspec
def labelkit_heads() -> Iterable[records.Head]:
    """Yield heads: what stands on the encoder, and how it learns.

    A task names its head, and ``--set train.head=NAME`` another one. torch is imported inside the functions.

    >>> import labelkit
    >>> def hinge(batch, ctx):
    ...     import torch
    ...     margins = torch.nn.functional.multi_margin_loss
    ...     return margins(batch.outputs, batch.labels, reduction="none")
    >>> @labelkit.hookimpl
    ... def labelkit_heads():
    ...     yield labelkit.Head(name="hinge", kinds=("text",), loss=hinge, summary="hinge loss")
    """
    return ()


@hookspec
def labelkit_encoders() -> Iterable[records.Encoder]:
    """Yield kinds of model reference; ``--model NAME:REST`` calls ``resolve(REST, ctx)``.

    ``resolve`` returns a local Hugging Face folder, which core verifies and loads.

    >>> import labelkit
    >>> from pathlib import Path
    >>> def resolve(rest, ctx):
    ...     return labelkit.ResolvedEncoder(folder=Path("models") / rest, revision="local", sha256="")
    >>> @labelkit.hookimpl
    ... def labelkit_encoders():
    ...     yield labelkit.Encoder(name="house", resolve=resolve)
    """
    return ()


@hookspec
def labelkit_settings() -> Iterable[records.Settings]:
    """Yield settings of the plugin's own, which recipes and ``--set NAME.FIELD=VALUE`` set.

    They are validated and recorded as the settings of labelkit are. ``ctx.settings_of(CLASS)`` returns their values.

    >>> import dataclasses, labelkit
    >>> from typing import Annotated
    >>> @dataclasses.dataclass(frozen=True)
    ... class PetSettings:
    ...     types: Annotated[tuple[str, ...], labelkit.Doc("types of animals to find")] = ("cat", "dog")
    >>> @labelkit.hookimpl
    ... def labelkit_settings():
    ...     yield labelkit.Settings(name="pets", fields=PetSettings)
    """
    return ()


@hookspec
def labelkit_event(event: Event, ctx: records.RunContext) -> None:
    """Observe the events of a run. An observer that raises is reported once and dropped; it cannot stop the run.

    An implementation may leave out ``ctx``.

    :param event: one of the dataclasses of :mod:`labelkit.events`.
    :param ctx: the folder of the run, settings, and whether the events are made up (``ctx.trial``).

    >>> import labelkit
    >>> @labelkit.hookimpl
    ... def labelkit_event(event, ctx):
    ...     if isinstance(event, labelkit.events.RunEnded) and not ctx.trial:
    ...         print("done:", event.status)
    """
