"""Record which annotations a run is trained on, and how people corrected the predictions that they began with."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from labelkit.data.corpus import Corpus
from labelkit.files.atomic import new_file
from labelkit.files.json_text import to_json
from labelkit.formats.json_values import stored_values
from labelkit.label_studio.provenance import AnnotationProvenance, provenance_of
from labelkit.models.checkpoint_files import sha256_of
from labelkit.records import LoadContext, ReadingPolicy
from labelkit.registry import Home, Registry

#: the file of a run with the annotations that it was trained on
ANNOTATIONS = "annotations.json"


def with_provenance(corpus: Corpus, ctx: LoadContext) -> tuple[Corpus, AnnotationProvenance]:
    """Return a corpus with notes on the annotations it is made of, and these; none where it is no Label Studio export.

    :raises DataError: a file cannot be read any more.
    """
    silent = replace(ctx, policy=ReadingPolicy(on_bad_record=lambda error: None))
    files = (stored_values(path, silent, "array") for path in corpus.annotation_files)
    found = provenance_of(task for _, task in chain.from_iterable(files))
    return replace(corpus, notes=(*corpus.notes, *found.notes())), found


def record_annotations(run: str, annotations: AnnotationProvenance, registry: Registry, home: Home) -> None:
    """Write the annotations of a run to a file in its folder, and record the file.

    :raises LabelkitError: the disk or the registry cannot be written.
    """
    if not annotations.annotations:
        return
    path = home.runs / run / ANNOTATIONS
    with new_file(path) as temporary:
        temporary.write_text(to_json(annotations.to_json()) + "\n", encoding="utf-8")
    size, records = path.stat().st_size, len(annotations.annotations)
    registry.recorder.log_output(
        run, path, step=None, kind="annotations", size=size, sha256=sha256_of(path), records=records
    )
