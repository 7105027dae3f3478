"""The published corpora that core knows by name: in a folder, or else from their mirrors on the Hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from labelkit.data.hub_mirrors import read_mirror
from labelkit.data.scheme_conversion import convert_scheme
from labelkit.data.split_files import find_split_files
from labelkit.errors import DataError
from labelkit.files.split_names import SPLITS
from labelkit.formats import conll, conllu, tables
from labelkit.records import Example, LoadContext, Schema, Source

_WNUT17 = {
    "train": "wnut17train.conll",
    "validation": "emerging.dev.conll",
    "test": "emerging.test.annotated",
}
_CONLL2003 = {"train": "eng.train", "validation": "eng.testa", "test": "eng.testb"}
_CONLL2000 = {"train": "train.txt", "test": "test.txt"}
_UD_EWT = {
    "train": "en_ewt-ud-train.conllu.gz",
    "validation": "en_ewt-ud-dev.conllu.gz",
    "test": "en_ewt-ud-test.conllu.gz",
}
_IMDB = {"train": "train.parquet", "test": "test.parquet"}
_SENTIMENT = ("NEGATIVE", "POSITIVE")


def conll_loader(
    name: str, files: Mapping[str, str], columns: Mapping[str, str], tagged: tuple[str, ...]
) -> Callable[[str, LoadContext], Iterable[Example]]:
    """Return a ``load`` for CoNLL files, which converts the layers ``tagged`` to IOB2.

    With ``ctx.policy.as_written`` tags stay as they are, valid or not.
    """

    def load(split: str, ctx: LoadContext) -> Iterable[Example]:
        examples: Sequence[Example]
        if missing := missing_folder(name, ctx):
            examples = list(read_mirror(name, split, ctx, missing))
        else:
            path = find_file(name, split, files[split], ctx)
            examples = list(conll.read(path, replace(ctx, columns=columns)))
        if ctx.policy.as_written:
            return examples
        try:
            for layer in tagged:
                examples = convert_scheme({split: examples}, layer, "IOB2").splits[split]
        except DataError as error:
            error.hint = f"these are not the published files of {name}; read other files with --data PATH"
            raise
        return examples

    return load


def load_ud_ewt(split: str, ctx: LoadContext) -> Iterable[Example]:
    """Load a split of Universal Dependencies English-EWT."""
    path = find_file("ud_ewt", split, _UD_EWT[split], ctx)
    return conllu.read(path, replace(ctx, columns={"tokens": "form", "pos": "upos", "xpos": "xpos"}))


def load_imdb(split: str, ctx: LoadContext) -> Iterable[Example]:
    """Load a split of IMDb."""
    if missing := missing_folder("imdb", ctx):
        return read_mirror("imdb", split, ctx, missing)
    path = find_file("imdb", split, _IMDB[split], ctx)
    within = replace(ctx, columns={"text": "text", "label": "label"}, kind="text")
    return tables.read_parquet(path, within, {"label": _SENTIMENT})


def missing_folder(name: str, ctx: LoadContext) -> DataError | None:
    """Return why there are no local files; None where there are some, or where the user names their folder."""
    try:
        ctx.folder(name)
    except DataError as error:
        return error if ctx.path is None else None
    return None


def find_file(name: str, split: str, published: str, ctx: LoadContext) -> Path:
    """Return the published file of a split where it exists, or else a file that is named like the split."""
    folder = ctx.folder(name)
    if (folder / published).is_file():
        return folder / published
    files = find_split_files(folder)
    if split not in files:
        raise DataError(f"{folder} has no {split} split of {name}", hint=f"it is published as {published}")
    return files[split]


SCHEMAS = (
    Schema.bio("wnut17", "corporation", "creative-work", "group", "location", "person", "product"),
    Schema.bio("conll2003-ner", "PER", "ORG", "LOC", "MISC"),
    Schema.bio("conll2003-chunk", "ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "VP"),
    Schema.bio("conll2000-chunk", "ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"),
    Schema(name="imdb", kind="text", labels=_SENTIMENT),
)

SOURCES = (
    Source(
        name="wnut17",
        kind="token",
        layers={"ner": "wnut17"},
        splits=SPLITS,
        load=conll_loader("wnut17", _WNUT17, {"tokens": "0", "ner": "1"}, ("ner",)),
        licence="CC BY 4.0",
        summary="WNUT-17: emerging and rare entities in tweets and other noisy text",
        counts={"train": 3394, "validation": 1009, "test": 1287},
    ),
    Source(
        name="conll2003",
        kind="token",
        layers={"ner": "conll2003-ner", "pos": None, "chunk": "conll2003-chunk"},
        splits=SPLITS,
        load=conll_loader(
            "conll2003", _CONLL2003, {"tokens": "0", "pos": "1", "chunk": "2", "ner": "3"}, ("chunk", "ner")
        ),
        licence="research use only (Reuters text)",
        summary="CoNLL-2003: entities, part-of-speech tags and chunks in Reuters news",
        counts={"train": 14041, "validation": 3250, "test": 3453},
    ),
    Source(
        name="conll2000",
        kind="token",
        layers={"chunk": "conll2000-chunk", "pos": None},
        splits=("train", "test"),
        load=conll_loader("conll2000", _CONLL2000, {"tokens": "0", "pos": "1", "chunk": "2"}, ("chunk",)),
        licence="research use only (WSJ text)",
        summary="CoNLL-2000: chunks and part-of-speech tags in the Wall Street Journal",
        counts={"train": 8936, "test": 2012},
    ),
    Source(
        name="ud_ewt",
        kind="token",
        layers={"pos": "upos", "xpos": None},
        splits=SPLITS,
        load=load_ud_ewt,
        licence="CC BY-SA 4.0",
        summary="Universal Dependencies English-EWT: parts of speech (UPOS, Penn tags) in web text",
        counts={"train": 12544, "validation": 2001, "test": 2077},
    ),
    Source(
        name="imdb",
        kind="text",
        layers={"label": "imdb"},
        splits=("train", "test"),
        load=load_imdb,
        licence="research use only",
        summary="IMDb: film reviews, positive or negative",
        counts={"train": 25000, "test": 25000},
    ),
)
