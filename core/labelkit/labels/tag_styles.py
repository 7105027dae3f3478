"""Notations of tags beside IOB1, IOB2, BIOES and BILOU, and their translation into these: pure functions.

People write ``B_PER``, ``b-per``, ``PER-B``, a bare ``B``, ``M-PER`` (BMES), ``W-PER`` (BMEWO), ``E-PER`` without
``B-PER`` (IOE1, IOE2) and ``PER`` alone (IO).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from labelkit.labels import schemes
from labelkit.records import Assumption, Scheme
from labelkit.settings import FileScheme

_SCHEME = "--set data.scheme=… says otherwise"
#: the type of spans whose tags name none, unless ``data.default_type`` names it
DEFAULT_TYPE = "ENTITY"
Form = Literal["hyphen", "loose", "suffix", "bare"]
Sequences = Callable[[], Iterable[Sequence[str]]]

_LETTERS = "BIESLUMW"
#: what people and word processors write between prefix and type
_MARKS = "[-_:.|/=\u2010-\u2015\u2212]"
_FORMS: Mapping[Form, re.Pattern[str]] = {
    "hyphen": re.compile(rf"(?P<prefix>[{_LETTERS}])-(?P<type>.+)", re.DOTALL),
    "loose": re.compile(rf"(?P<prefix>[{_LETTERS}{_LETTERS.lower()}]){_MARKS}(?P<type>.+)", re.DOTALL),
    "suffix": re.compile(rf"(?P<type>.+){_MARKS}(?P<prefix>[{_LETTERS}{_LETTERS.lower()}])", re.DOTALL),
    "bare": re.compile(rf"(?P<prefix>[{_LETTERS}{_LETTERS.lower()}])(?P<type>)"),
}
#: labels of words outside of spans where there is no ``O``
_OUTSIDE = ("o", "0")
#: several tags of one word, as of nested spans
_JOINED = re.compile(r"[BIESLU]-[^|,;+&/]+[|,;+&/]\s*[BIESLU]-.+", re.DOTALL)
#: the share of labels, O aside, by which a form is recognised; the others are then mistakes
_SURE, _LIKELY = 0.9, 0.5
#: more types without prefix than this are no types of spans
_MOST_TYPES = 200
#: prefixes of BMES and BMEWO that have other names in BIOES
_RENAMED = {"M": "I", "W": "S"}
_MIRRORED: Mapping[FileScheme, Scheme] = {"IOE1": "IOB1", "IOE2": "IOB2"}


@dataclass(frozen=True, kw_only=True, slots=True)
class TagStyle:
    """A notation of tags and its translation.

    :param tags: label → tag of one of the four schemes; labels that are absent stay as they are.
    :param mirrored: IOE1 or IOE2, whose sequences are translated as a whole.
    :param assumptions: what was assumed, with how to say otherwise.
    """

    tags: Mapping[str, str]
    mirrored: FileScheme | None = None
    assumptions: tuple[Assumption, ...] = ()

    def translate(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return tags of one of the four schemes for the labels of a sentence."""
        found = tuple([self.tags.get(label, label) for label in labels])
        if self.mirrored is None or mirrored_violations(found, self.mirrored):
            return found
        return schemes.tags_of(schemes.lenient_spans(found), len(found), "IOB2")

    def first_violation(self, labels: Sequence[str]) -> int | None:
        """Return the index of the first tag that violates IOE1 or IOE2; None for the other notations."""
        found = [self.tags.get(label, label) for label in labels]
        wrong = mirrored_violations(found, self.mirrored) if self.mirrored else []
        return min(wrong, default=None)


def detect_style(
    counts: Mapping[str, int],
    sequences: Sequences,
    *,
    scheme: FileScheme | None = None,
    default_type: str | None = None,
    spans: bool | None = True,
) -> TagStyle | None:
    """Return the notation of labels of words; None for tags of the four schemes, and for plain labels.

    :param counts: label → how often, in all of the data.
    :param sequences: gives the labels of each sentence; called only where they decide.
    :param scheme: as the user named it; None to detect it.
    :param default_type: the type of spans whose tags name none.
    :param spans: the labels stand for spans; None where it is not known.
    """
    found = outside_label(counts)
    outside = (*(() if found is None else (found,)), *_outside_tags(counts))
    marked = Counter({label: times for label, times in counts.items() if label not in ("O", *outside)})
    form = None if scheme == "IO" else find_form(marked)
    if form is not None and spans is None and form in ("suffix", "bare") and not (outside or "O" in counts):
        return None
    if form is not None:
        return _style_of_form(form, marked, outside, sequences, scheme, default_type)
    if scheme == "IO" or (scheme is None and _is_io(counts, marked, spans=spans)):
        return _io_style(marked, outside, stated=scheme == "IO")
    return None


def outside_label(counts: Mapping[str, int]) -> str | None:
    """Return the label that stands for O where O never occurs; None if O occurs or no label stands for it.

    Where all labels but the most frequent one are tags, that one does.

    >>> outside_label({"B-PER": 1, "I-PER": 2, "OUT": 5})
    'OUT'
    """
    if "O" in counts:
        return None
    if found := next((label for label in _OUTSIDE if label in counts), None):
        return found
    most = max(counts, key=counts.__getitem__, default="")
    matches = [_FORMS["hyphen"].fullmatch(label) for label in counts if label != most]
    if not most.strip() or any(form.fullmatch(most) for form in _FORMS.values()) or not all(matches):
        return None
    types = {match["type"] for match in matches if match}
    return most if most not in types and _names_begin(dict.fromkeys(counts, 1), _FORMS["hyphen"]) else None


def joined_tag(labels: Iterable[str]) -> str | None:
    """Return a label that is several tags of one word, if there is one.

    >>> joined_tag(["B-PER", "B-LOC|I-ORG"])
    'B-LOC|I-ORG'
    """
    return next((label for label in labels if _JOINED.fullmatch(label)), None)


def find_form(marked: Mapping[str, int]) -> Form | None:
    """Return how most labels other than O are written as tags; None if they are not tags.

    >>> find_form({"PER-B": 3, "PER-I": 2})
    'suffix'
    """
    total = sum(marked.values())
    shares = {
        form: sum(times for label, times in marked.items() if pattern.fullmatch(label)) / total
        for form, pattern in _FORMS.items()
        if total and _names_begin(marked, pattern)
    }
    sure = next((form for form, share in shares.items() if share >= _SURE), None)
    likely = max(shares, key=shares.__getitem__, default=None)
    return sure or (likely if likely is not None and shares[likely] >= _LIKELY else None)


def mirrored_violations(tags: Sequence[str], scheme: FileScheme) -> list[int]:
    """Return the indices of the tags that violate IOE1 or IOE2, which are IOB1 and IOB2 read from the end.

    >>> mirrored_violations(("I-PER", "E-PER", "O", "I-LOC"), "IOE2")
    [3]
    """
    turned = ["B" + tag[1:] if tag[:2] == "E-" else "?" if tag[:2] == "B-" else tag for tag in reversed(tags)]
    return sorted(len(tags) - 1 - index for index in schemes.violations(turned, _MIRRORED[scheme]))


def invalid_tag_hint(label: str, counts: Mapping[str, int]) -> str:
    """Return what to do about a label that is invalid as a tag, by the other labels of the data."""
    marked = {name: times for name, times in counts.items() if name != "O"}
    if all(re.fullmatch(r"-?\d+", name) for name in counts):
        return "numbers of labels need names: --set data.label_names=label2id.json, or a list in the order of numbers"
    if find_form(marked) is not None:
        return _likely_tag(label, counts)
    if "O" in counts:
        return "labels without a prefix are read as spans, of neighbouring words, with --set data.scheme=IO"
    return (
        "the labels of spans are tags: choose their column with --columns; --set data.scheme=IO reads neighbouring "
        "words of one label as a span"
    )


def _likely_tag(label: str, counts: Mapping[str, int]) -> str:
    """Return a hint that names the tag that was probably meant."""
    if label in _OUTSIDE:
        return "write O"
    if (match := _FORMS["bare"].fullmatch(label)) and label.upper() in "BIESLU":
        return f"write {match['prefix'].upper()}-TYPE, or name the type: --set data.default_type=TYPE"
    for form in ("loose", "suffix"):
        if match := _FORMS[form].fullmatch(label):
            prefix = match["prefix"].upper()
            return f"write {_tag(_RENAMED.get(prefix, prefix), match['type'])}"
    known = [name for name in counts if name[:2] == "B-" and name[2:] == label]
    return f"write B-{label} or I-{label}" if known else "correct the tag: O, or a prefix and a type such as B-PER"


def _outside_tags(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the tags of the type O, as some programs write O, where O never occurs."""
    return () if "O" in counts else tuple(label for label in counts if re.fullmatch(r"[BIESLU]-[Oo]", label))


def _said_of_outside(outside: Sequence[str]) -> Assumption:
    shown = " and ".join(f"'{label}'" for label in outside)
    verb = "is" if len(outside) == 1 else "are"
    return Assumption(
        f"{shown} {verb} read as O: there is no O", f"--set data.unknown_label={outside[0]} reads it as unknown"
    )


def _tag(prefix: str, type_: str) -> str:
    return f"{prefix.upper()}-{type_}"


def _names_begin(marked: Mapping[str, int], pattern: re.Pattern[str]) -> bool:
    """Return whether labels of a form have a prefix by which spans begin or go on."""
    found = {match["prefix"].upper() for label in marked if (match := pattern.fullmatch(label))}
    return bool(found & set("BIESU")) or "W" in found


def _style_of_form(
    form: Form,
    marked: Mapping[str, int],
    outside: Sequence[str],
    sequences: Sequences,
    scheme: FileScheme | None,
    default_type: str | None,
) -> TagStyle | None:
    """Return the translation of tags of one form; None if they are tags of the four schemes already."""
    matches = {label: match for label in marked if (match := _FORMS[form].fullmatch(label))}
    if form == "hyphen" and default_type:
        matches.update((label, match) for label in marked if (match := _FORMS["bare"].fullmatch(label)))
    prefixes = {match["prefix"].upper() for match in matches.values()}
    renamed = _renamed_prefixes(prefixes, scheme)
    type_without = default_type or DEFAULT_TYPE
    tags = {
        label: _tag(renamed.get(prefix := match["prefix"].upper(), prefix), match["type"] or type_without)
        for label, match in matches.items()
    }
    mirrored = _mirrored_scheme(prefixes, tags, outside, sequences, scheme)
    assumptions = []
    if form != "hyphen" and (label := next((label for label in matches if tags[label][1:2] == "-"), None)):
        said = f"tags such as '{label}' are read as '{tags[label]}'"
        if form == "bare":
            names = ", ".join(sorted(matches))
            said = f"the tags {names} name no type, their spans are of type '{type_without}'"
        otherwise = "data.default_type=NAME names it" if form == "bare" else "data.scheme=IO reads labels as types"
        assumptions.append(Assumption(said, f"--set {otherwise}"))
    if renamed and scheme is None:
        letters = " and ".join(f"{old} read as {new}" for old, new in renamed.items())
        assumptions.append(Assumption(f"the tags are {_name(renamed)}, with {letters}", _SCHEME))
    if mirrored and scheme is None:
        assumptions.append(Assumption(f"the tags are {mirrored}, where E- ends a span", _SCHEME))
    if outside:
        tags.update(dict.fromkeys(outside, "O"))
        assumptions.append(_said_of_outside(outside))
    changed = {label: tag for label, tag in tags.items() if label != tag}
    if not changed and not mirrored:
        return None
    if form == "bare" and default_type:
        assumptions = [one for one in assumptions if "name no type" not in one.statement]
    return TagStyle(tags=changed, mirrored=mirrored, assumptions=tuple(assumptions))


def _renamed_prefixes(prefixes: set[str], scheme: FileScheme | None) -> dict[str, str]:
    """Return M → I and W → S as far as these prefixes occur and their counterparts do not."""
    if scheme not in (None, "BMES", "BMEWO"):
        return {}
    return {old: new for old, new in _RENAMED.items() if old in prefixes and new not in prefixes}


def _name(renamed: Mapping[str, str]) -> str:
    return "BMEWO" if "W" in renamed else "BMES"


def _mirrored_scheme(
    prefixes: set[str],
    tags: Mapping[str, str],
    outside: Sequence[str],
    sequences: Sequences,
    scheme: FileScheme | None,
) -> FileScheme | None:
    """Return IOE1 or IOE2 where the user named it, or where it alone fits the tags."""
    if scheme in _MIRRORED:
        return scheme
    if scheme is not None or "E" not in prefixes or prefixes - {"I", "E"}:
        return None
    names = {**tags, **dict.fromkeys(outside, "O")}
    wrong = Counter(dict.fromkeys(_MIRRORED, 0))
    for labels in sequences():
        found = [names.get(label, label) for label in labels]
        for known in _MIRRORED:
            wrong[known] += len(mirrored_violations(found, known))
    best: FileScheme = "IOE1" if wrong["IOE1"] < wrong["IOE2"] else "IOE2"
    return best


def _is_io(counts: Mapping[str, int], marked: Mapping[str, int], *, spans: bool | None) -> bool:
    """Return whether labels without prefix are types of spans: O occurs, and if no task says so, most of all."""
    numbers = all(re.fullmatch(r"-?\d+", label) for label in marked)
    if spans is False or not marked or "O" not in counts or numbers or len(marked) > _MOST_TYPES:
        return False
    return spans is True or counts["O"] >= max(counts.values())


def _io_style(marked: Mapping[str, int], outside: Sequence[str], *, stated: bool) -> TagStyle:
    """Return the translation of types without prefix into IOB1, where only I- is needed."""
    tags = {label: f"I-{label}" for label in marked if label}
    said: list[Assumption] = []
    if not stated:
        shown = ", ".join(f"'{label}'" for label in sorted(marked, key=lambda label: (-marked[label], label))[:3])
        said.append(
            Assumption(
                f"labels such as {shown} have no prefix (IO): neighbouring words of one type are one span", _SCHEME
            )
        )
    if outside:
        tags.update(dict.fromkeys(outside, "O"))
        said.append(_said_of_outside(outside))
    return TagStyle(tags=tags, assumptions=tuple(said))
