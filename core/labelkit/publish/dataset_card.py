"""The card of a dataset: splits, features, counts and licence, as the Hub and people read them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelkit.publish.card_sections import table
from labelkit.publish.names import data_name, escape
from labelkit.records import Example, Kind, Schema
from labelkit.records.contents import count_words

#: identifiers of licences that the Hub lists, as far as corpora have them
LICENCES = frozenset({
    *("afl-3.0", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0"),
    *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0"),
    *("cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "gfdl", "gpl-2.0", "gpl-3.0", "lgpl-3.0", "mit", "mpl-2.0", "odbl"),
    *("odc-by", "other", "pddl", "unlicense", "unknown"),
})  # fmt: skip
#: size → how the Hub names it
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFacts:
    """The size and labels of a split.

    :param counts: layer → label, or type of span → how often it occurs.
    :param hashes: layer → content hash, as runs on it record it.
    """

    name: str
    examples: int
    words: int
    counts: Mapping[str, Mapping[str, int]]
    hashes: Mapping[str, str]

    @classmethod
    def of(cls, name: str, examples: Sequence[Example], hashes: Mapping[str, Mapping[str, str]]) -> SplitFacts:
        """Return the facts of a split."""
        counts: dict[str, Counter[str]] = {layer: Counter() for layer in hashes}
        words = 0
        for example in examples:
            words += count_words(example)
            for layer in hashes:
                labels = example.labels[layer]
                counts[layer].update([labels] if isinstance(labels, str) else labels)
        own = {layer: splits[name] for layer, splits in hashes.items()}
        return cls(name=name, examples=len(examples), words=words, counts=counts, hashes=own)


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """What the card of a dataset is made of.

    :param columns: column of labels → their schema.
    :param given: somebody stated the licence as the Hub writes it.
    """

    name: str
    repository: str
    reference: str
    kind: Kind
    columns: Mapping[str, Schema]
    splits: Sequence[SplitFacts]
    licence: str
    language: Sequence[str] = ()
    synthetic: bool = False
    given: bool = False

    def metadata(self) -> dict[str, Any]:
        """Return the metadata that the Hub and ``datasets`` read."""
        from huggingface_hub import DatasetCardData

        licence = self.licence.lower().replace(" ", "-")
        known = self.given or licence in LICENCES
        total = sum(one.examples for one in self.splits)
        files = [{"split": one.name, "path": f"data/{one.name}-*"} for one in self.splits]
        data = DatasetCardData(
            language=list(self.language) or None,
            license=licence if known else "other",
            license_name=None if known else licence[:60],
            task_categories=[f"{self.kind}-classification"],
            size_categories=next((size for limit, size in _SIZES if total < limit), "n>1M"),
            pretty_name=self.name,
            tags=["labelkit"],
            dataset_info={
                "features": [*self._text_features(), *map(_feature, *zip(*self.columns.items(), strict=True))]
            },
            configs=[{"config_name": "default", "data_files": files}],
        )
        found: dict[str, Any] = data.to_dict()  # type: ignore[no-untyped-call]
        return {name: value for name, value in found.items() if value is not None}

    def body(self) -> str:
        """Return the text of the card as Markdown."""
        return "\n".join(self._lines()).strip("\n")

    def _text_features(self) -> list[dict[str, Any]]:
        tokens = [{"name": "tokens", "sequence": "string"}] if self.kind == "token" else []
        return [{"name": "id", "dtype": "string"}, *(tokens or [{"name": "text", "dtype": "string"}])]

    def _lines(self) -> Iterator[str]:
        name = data_name(self.reference).name
        what = "Words with labels" if self.kind == "token" else "Texts with labels"
        yield f"# {escape(self.name)}"
        yield ""
        yield f"{what}, written by labelkit from {escape(name)}. Licence: {escape(self.licence)}."
        if self.synthetic:
            yield "The text is synthetic: a program wrote it."
        yield ""
        yield "## Splits"
        yield ""
        layers = list(self.splits[0].hashes)
        rows = [(one.name, f"{one.examples:,}", f"{one.words:,}", *one.hashes.values()) for one in self.splits]
        hashes = [f"content hash ({layer})" if len(layers) > 1 else "content hash" for layer in layers]
        yield from table(("split", "examples", "words", *hashes), rows)
        yield "## Features"
        yield ""
        for layer, (column, schema) in zip(layers, self.columns.items(), strict=True):
            yield from self._label_lines(layer, column, schema)
        yield "## Use"
        yield ""
        yield "```python"
        yield "from datasets import load_dataset"
        yield ""
        yield f'dataset = load_dataset("{self.repository}")'
        yield "```"
        yield ""
        yield "```bash"
        yield f"labelkit data show hub:{self.repository}"
        yield "```"

    def _label_lines(self, layer: str, column: str, schema: Schema) -> Iterator[str]:
        kind = "numbers" if schema.numeric else f"{len(schema.label_names)} classes"
        scheme = f", tags of spans in {schema.scheme}" if schema.scheme else ""
        yield f"`{column}`: {kind}{scheme}."
        yield ""
        if not schema.numeric:
            rows = [
                (number, label, *(f"{one.counts[layer].get(label, 0):,}" for one in self.splits))
                for number, label in enumerate(schema.label_names)
            ]
            yield from table(("id", "label", *(one.name for one in self.splits)), rows, right=2)


def _feature(column: str, schema: Schema) -> dict[str, Any]:
    if schema.numeric:
        return {"name": column, "dtype": "float64"}
    label = {"class_label": {"names": {str(number): name for number, name in enumerate(schema.label_names)}}}
    several = schema.kind == "token" or schema.multilabel
    return {"name": column, "sequence" if several else "dtype": label}
