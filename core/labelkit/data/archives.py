"""Archives of corpora: their files are read where they were unpacked, and shown as ``ARCHIVE!MEMBER``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from labelkit.data.split_files import is_data
from labelkit.errors import DataError, LabelkitError
from labelkit.files.archives import ExpansionLimits, UnpackedArchive, is_archive, unpack
from labelkit.files.split_names import canonical_split
from labelkit.formats.recognition import readers_of, recognise
from labelkit.records import Example, Format, LoadContext, ReadingPolicy

E = TypeVar("E", bound=LabelkitError)


@dataclass(frozen=True, kw_only=True, slots=True)
class _MemberPolicy(ReadingPolicy):
    """A policy whose assumptions name members of archives."""

    names: ArchiveNames

    def note_assumption(self, line: str) -> None:
        ReadingPolicy.note_assumption(self, self.names.shown(line))


@dataclass(frozen=True, slots=True)
class ArchiveNames:
    """How the files of archives are shown: in errors, assumptions and the places of examples.

    :param archives: those that were unpacked; none where no file is unpacked.
    """

    archives: tuple[UnpackedArchive, ...] = ()

    def shown(self, text: object) -> str:
        """Return ``text``, for example a path, with each unpacked file as ``ARCHIVE!MEMBER``."""
        found = str(text)
        for archive in self.archives:
            found = archive.shown(found)
        return found

    def context(self, ctx: LoadContext) -> LoadContext:
        """Return a context in which errors and assumptions name members of archives."""
        if not self.archives:
            return ctx
        policy = ctx.policy

        def shown_first(handler: Callable[[DataError], object] | None) -> Callable[[DataError], object] | None:
            return handler and (lambda error: handler(self._rename(error)))

        fields = {name: getattr(policy, name) for name in ReadingPolicy.__dataclass_fields__}
        handlers = {name: shown_first(fields[name]) for name in ("on_bad_record", "on_bad_span")}
        return replace(ctx, policy=_MemberPolicy(**{**fields, **handlers}, names=self))

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise errors with the names of members."""
        try:
            yield
        except LabelkitError as error:
            raise self._rename(error) from error.__cause__

    def examples(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Yield examples whose places, and errors, name members of archives."""
        with self.errors():
            for example in examples:
                place = example.place
                if place is None or not self.archives:
                    yield example
                else:
                    yield replace(example, place=replace(place, file=self.shown(place.file)))

    def _rename(self, error: E) -> E:
        error.message = self.shown(error.message)
        error.hint = error.hint and self.shown(error.hint)
        return error


#: for files that are read without unpacking
NO_ARCHIVES = ArchiveNames()


def unpack_archive(path: Path, ctx: LoadContext, formats: Mapping[str, Format]) -> UnpackedArchive | None:
    """Return an archive of files, unpacked; None for any other path, and for one that a format reads as it is.

    :raises DataError: it is broken, unsafe, or holds more than the ``data.`` settings allow.
    """
    if not is_archive(path) or recognise(path, readers_of(formats), option="--set data.format=NAME"):
        return None
    settings = ctx.settings
    limits = ExpansionLimits(size=settings.max_unpacked, ratio=settings.max_ratio, members=settings.max_members)
    archive = unpack(path, ctx.cache, limits)
    if archive.ignored_line:
        ctx.policy.assume(archive.ignored_line, "unpack the archive, and give its folder, to read them")
    return archive


def corpus_path(archive: UnpackedArchive) -> Path:
    """Return what an archive holds: its only file, or the folder of its files, without folders around all of them."""
    folder = archive.folder
    while True:
        inside = sorted(folder.iterdir())
        folders = [path for path in inside if path.is_dir()]
        files = [path for path in inside if path.is_file() and is_data(path)]
        if len(files) == 1 and not folders:
            return files[0]
        if files or len(folders) != 1 or canonical_split(folders[0].name):
            return folder
        folder = folders[0]


def only_file(archive: UnpackedArchive) -> Path:
    """Return the only file of an archive that stands for one split, or the folder that is read as one.

    :raises DataError: it holds several.
    """
    found = corpus_path(archive)
    if found.is_dir() and not (found / "state.json").is_file() and not list(found.glob("*.ann")):
        names = [str(file.relative_to(found)) for file in sorted(found.rglob("*")) if file.is_file()]
        raise DataError(
            f"{archive.path} holds several files, and stands for one split: {', '.join(names[:5])}",
            hint="give the whole archive, --data ARCHIVE, or one with a single file",
        )
    return found
