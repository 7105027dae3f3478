"""Which files of a Hub repository are which split: by its card, or else by how they are called. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from labelkit.errors import DataError, nearest
from labelkit.files.split_names import SPLITS, canonical_split

Card = Mapping[str, Any]
Groups = dict[str, list[str]]
"""The repository's own name of a split ("" where it has none) → its files."""

# What is tried first where a repository holds the same data in several formats.
_TABLES = (".parquet", ".arrow", ".jsonl", ".ndjson", ".csv", ".tsv")
_GLOB = re.compile(r"\*\*/|\*\*|\*|\?|\[[^]]+]|[^*?[]+|\[")
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}")
_BESIDE = re.compile(r"(^|/)(\.|dataset_infos?\.json|state\.json|dataset_dict\.json)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The data files of a repository.

    :param files: split → paths in the repository, in the order of their names.
    :param config: the configuration that they are of, where it has a name.
    :param notes: what was left out.
    """

    files: Mapping[str, tuple[str, ...]]
    config: str | None = None
    notes: tuple[str, ...] = ()


def choose_files(files: Iterable[str], card: Card, suffixes: Collection[str], config: str | None = None) -> Chosen:
    """Choose the files of the splits.

    :param files: every path in the repository.
    :param card: the metadata of its card.
    :param suffixes: file endings that can be read, without ``.gz``.
    :param config: the configuration, where there are several.
    :raises DataError: there are no data files, several configurations, or two splits for one of ours.
    """
    data = sorted(file for file in files if _ending(file) in suffixes and not _BESIDE.search(file))
    if described := _configs(card):
        config = _pick(described, config, next((name for name in described if _is_default(card, name)), None))
        groups = {split: _matching(data, patterns) for split, patterns in described[config].items()}
    else:
        groups = _by_name(_of_config(_of_one_format(data), config))
    return replace(_mapped({split: found for split, found in groups.items() if found}), config=config)


def class_names(card: Card, config: str | None = None) -> dict[str, tuple[str, ...]]:
    """Return column → names of its numbers, as the card tells of them; every column, those without names too."""
    infos = card.get("dataset_info") or ()
    infos = [infos] if isinstance(infos, Mapping) else infos
    known = [info for info in infos if isinstance(info, Mapping)]
    fitting = [info for info in known if config is None or info.get("config_name", config) == config]
    features = fitting[0].get("features") if fitting else None
    if not isinstance(features, list):
        return {}
    return {str(feature["name"]): _names(feature) for feature in features if isinstance(feature, Mapping)}


def _configs(card: Card) -> dict[str, dict[str, list[str]]]:
    """Return configuration → split → patterns of its files."""
    entries = card.get("configs")
    if not isinstance(entries, list):
        return {}
    found = {str(entry.get("config_name", "default")): entry for entry in entries if isinstance(entry, Mapping)}
    return {name: _patterns(entry["data_files"]) for name, entry in found.items() if entry.get("data_files")}


def _patterns(data_files: Any) -> dict[str, list[str]]:
    """Read ``data_files`` of a card: a path, paths, or ``{split, path}`` each with a path or paths."""
    if isinstance(data_files, Mapping):
        return {str(split): _listed(paths) for split, paths in data_files.items()}
    found: dict[str, list[str]] = {}
    for entry in _listed(data_files):
        if isinstance(entry, Mapping):
            found.setdefault(str(entry.get("split", "train")), []).extend(_listed(entry.get("path", ())))
        else:
            found.setdefault("train", []).append(str(entry))
    return found


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _is_default(card: Card, name: str) -> bool:
    return any(entry.get("default") is True and str(entry.get("config_name")) == name for entry in card["configs"])


def _pick(configs: Collection[str], wanted: str | None, default: str | None = None) -> str:
    name = wanted or default or ("default" if "default" in configs else None)
    if name is None and len(configs) == 1:
        return next(iter(configs))
    if name is None:
        raise DataError(
            f"it has the configurations {', '.join(sorted(configs))}", hint="choose: --set data.config=NAME"
        )
    if name not in configs:
        raise DataError(f"it has no configuration '{name}'", hint=nearest(name, configs))
    return name


def _matching(files: Sequence[str], patterns: Iterable[str]) -> list[str]:
    fits = [re.compile(_GLOB.sub(_translated, pattern.removeprefix("./"))) for pattern in patterns]
    return [file for file in files if any(fit.fullmatch(file) for fit in fits)]


def _translated(part: re.Match[str]) -> str:
    """Return the regular expression of a part of a pattern; only two stars cross folders."""
    wild = {"**/": "(?:.+/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return wild.get(part[0]) or (part[0] if part[0][0] == "[" and len(part[0]) > 2 else re.escape(part[0]))


def _of_one_format(files: Sequence[str]) -> list[str]:
    endings = {_ending(file) for file in files}
    for ending in (*_TABLES, *sorted(endings)):
        found = [file for file in files if _ending(file) == ending]
        if found and (ending in _TABLES or any(_split_of(file) for file in found)):
            return found
    return []


def _of_config(files: Sequence[str], config: str | None) -> list[str]:
    """Keep the files of one configuration where they stand as CONFIG/SPLIT/FILE, as the Hub converts them."""
    configs = {file.split("/")[0] for file in files if file.count("/") == 2 and canonical_split(file.split("/")[1])}
    if config is None and (not configs or any(file.split("/")[0] not in configs for file in files)):
        return list(files)
    name = _pick(configs, config)
    return [file for file in files if file.startswith(f"{name}/")]


def _by_name(files: Sequence[str]) -> Groups:
    groups: Groups = {}
    for file in files:
        groups.setdefault(_split_of(file), []).append(file)
    return groups


def _split_of(file: str) -> str:
    """Return the split that a path tells of, in its own word; an empty text where it tells of none."""
    path = PurePosixPath(file.lower())
    if match := _SHARD.match(path.name):
        words = [word for word in re.split(r"[^a-z]+", match[1]) if canonical_split(word)]
        return words[0] if len(words) == 1 else match[1]
    words = [word for word in re.split(r"[^a-z]+", path.name) if canonical_split(word)]
    folders = [folder for folder in reversed(path.parent.parts) if canonical_split(folder)]
    return words[0] if len(words) == 1 else folders[0] if folders and not words else ""


def _mapped(groups: Groups) -> Chosen:
    """Name the splits as we do."""
    known = {split: canonical_split(split) for split in groups}
    if not any(known.values()) and len(groups) == 1:
        split, files = next(iter(groups.items()))
        note = (f"its only split, '{split}', is taken as train",) if split else ()
        return Chosen(files={"train": _once(split, files)}, notes=note)
    found: dict[str, tuple[str, ...]] = {}
    for split, files in groups.items():
        if ours := known[split]:
            if ours in found:
                raise DataError(f"two splits of it would be {ours}, '{split}' is one", hint="give one local file each")
            found[ours] = _once(split, files)
    left = ", ".join(sorted(split for split, ours in known.items() if split and not ours))
    ordered = {split: found[split] for split in SPLITS if split in found}
    return Chosen(files=ordered, notes=(f"splits that are not read: {left}",) if left else ())


def _once(split: str, files: Sequence[str]) -> tuple[str, ...]:
    """Refuse two files of one name in one split: they are two versions of it, not two parts."""
    name, count = Counter(file.rpartition("/")[2] for file in files).most_common(1)[0]
    if count > 1:
        raise DataError(
            f"its split '{split}' stands in {count} files called '{name}'", hint="give local files: --data PATH"
        )
    return tuple(files)


def _ending(file: str) -> str:
    return PurePosixPath(file.lower().removesuffix(".gz")).suffix


def _names(feature: Mapping[str, Any]) -> tuple[str, ...]:
    inner: Mapping[str, Any] = next(
        (feature[key] for key in ("dtype", "sequence", "list") if isinstance(feature.get(key), Mapping)), {}
    )
    label = inner.get("class_label")
    names = label.get("names") if isinstance(label, Mapping) else None
    if isinstance(names, Mapping):
        return tuple(str(names[key]) for key in sorted(names, key=lambda key: int(str(key))))
    return tuple(map(str, names)) if isinstance(names, list) else ()
