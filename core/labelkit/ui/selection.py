"""Sentences that a visitor selected among the errors of a run: as a file, or as tasks of a Label Studio project."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.ui.errors_page import Choice, chosen_examples, work_key
from labelkit.ui.run_page import find_run
from labelkit.ui.site import PageAnswer, PageRequest, Site

if TYPE_CHECKING:
    from labelkit.evaluation.inspection import Inspection
    from labelkit.plugins.catalog import Catalog
    from labelkit.records import Labelled
    from labelkit.ui.background import Work

#: format → the ending of its files, where no ending names the format
SUFFIXES = {"label-studio": ".json", "webanno-tsv": ".tsv", "terminal": ".txt"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Some examples that were inspected.

    :param numbers: the positions of the examples.
    """

    found: Inspection
    choice: Choice
    numbers: Sequence[int]

    @classmethod
    def of(cls, site: Site, request: PageRequest) -> Selection:
        """Return the sentences that a form selects, or all of its list.

        :raises LabelkitError: there are none, or their labels are no longer in memory.
        """
        with site.registry() as registry:
            details = find_run(registry, request)
        choice = Choice.of(request)
        work: Work[Inspection] | None = site.background.find(work_key(details, choice.split))
        if work is None or not work.done or work.error:
            raise LabelkitError("the errors are no longer in memory", hint="show them again")
        found = work.result
        known = range(len(found.gold.examples))
        selected = [int(one) for one in request.words("example") if one.isdecimal() and int(one) in known]
        numbers = chosen_examples(found, choice) if request.word("all") else selected
        if not numbers:
            raise LabelkitError("no sentence is selected", hint="select some, or take all")
        return cls(found, choice, numbers)

    def write(self, folder: Path, name: str, catalog: Catalog) -> Path:
        """Write the examples as they are annotated, and return the main file.

        :param name: of the format.
        """
        from labelkit.evaluation.evaluation import write_records
        from labelkit.formats.recognition import writer_for

        writer = writer_for(Path(), catalog.formats, name, kind=self.found.schema.kind)
        suffix = next(iter(writer.suffixes), SUFFIXES.get(name, ".jsonl"))
        path = folder / f"{self.choice.split}-{self.choice.view}{suffix}"
        write_records(path, writer, self.records, force=True)
        return path

    def records(self) -> Iterator[Labelled]:
        """Yield the examples as records; likely annotation mistakes are listed in a field of their own."""
        from labelkit.data.convert import to_labelled
        from labelkit.evaluation.label_review import review_records

        found = self.found
        if self.choice.view == "annotation":
            wanted = set(self.numbers)
            errors = [one for one in found.label_errors if one.example in wanted]
            yield from review_records(errors, found.gold.examples, found.layer)
            return
        for number in self.numbers:
            example = found.gold.examples[number]
            yield to_labelled(replace(example, labels={found.layer: example.labels[found.layer]}))


def download_examples(site: Site, request: PageRequest) -> PageAnswer:
    """Return the selected sentences in a format; where it needs several files, as a ZIP archive.

    :raises LabelkitError: nothing is selected, or the format cannot hold an example.
    """
    selection = Selection.of(site, request)
    with tempfile.TemporaryDirectory(prefix="labelkit-ui-") as folder:
        path = selection.write(Path(folder), request.word("format"), site.catalog)
        written = sorted(one for one in Path(folder).rglob("*") if one.is_file())
        if len(written) == 1:
            name, content = written[0].name, written[0].read_bytes()
        else:
            name, content = f"{path.stem}.zip", zipped(Path(folder), written)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return PageAnswer(content, media_type="application/octet-stream", headers=headers)


def send_examples(site: Site, request: PageRequest) -> PageAnswer:
    """Create a task with the annotated labels for each selected sentence in the project of the server.

    The project is named when the server is started: a visitor could send the token of Label Studio anywhere else.

    :raises LabelkitError: no project is named, nothing is selected, or Label Studio refuses.
    """
    from labelkit.data.label_studio_push import push_tasks
    from labelkit.settings import DataSettings

    if site.label_studio is None:
        raise LabelkitError("no project is named", hint="labelkit ui --label-studio URL#PROJECT names one")
    selection = Selection.of(site, request)
    ctx = site.environment.load_context(DataSettings(), site.home.cache)
    with tempfile.TemporaryDirectory(prefix="labelkit-ui-") as folder:
        path = selection.write(Path(folder), "label-studio", site.catalog)
        result = push_tasks(path, site.label_studio, ctx)
    return site.page("sent.html", request, result=result, project=str(site.label_studio))


def zipped(folder: Path, files: Sequence[Path]) -> bytes:
    """Return files as a ZIP archive with their paths in a folder."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(folder))
    return stream.getvalue()
