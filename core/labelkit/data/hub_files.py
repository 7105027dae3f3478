"""Which files of a Hub repository belong to which split: by its dataset card, or else by their names. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from labelkit.errors import DataError, nearest
from labelkit.files.compression import uncompressed_name
from labelkit.files.split_names import SPLITS, canonical_split

Card = Mapping[str, Any]
"""The metadata of a dataset card."""
SplitFiles = dict[str, list[str]]
"""The repository's own name of a split ("" where it has none) → its files."""

# the first of these formats is read where a repository holds the same data in several
_TABLES = (".parquet", ".arrow", ".jsonl", ".ndjson", ".csv", ".tsv")
_GLOB = re.compile(r"\*\*/|\*\*|\*|\?|\[[^]]+]|[^*?[]+|\[")
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}")
_METADATA = re.compile(r"(^|/)(\.|dataset_infos?\.json|state\.json|dataset_dict\.json)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFiles:
    """The data files of a repository.

    :param files: split → paths in the repository, sorted.
    :param config: the configuration that they belong to, where it has a name.
    :param notes: what was left out.
    """

    files: Mapping[str, tuple[str, ...]]
    config: str | None = None
    notes: tuple[str, ...] = ()


def choose_files(files: Iterable[str], card: Card, suffixes: Collection[str], config: str | None = None) -> HubFiles:
    """Choose the files of the splits.

    :param files: every path in the repository.
    :param suffixes: file endings that can be read, without ``.gz``.
    :param config: the configuration, where there are several.
    :raises DataError: there are several configurations, or two splits with the same name in labelkit.
    """
    data = sorted(file for file in files if _suffix(file) in suffixes and not _METADATA.search(file))
    if configs := card_configs(card):
        defaults = [str(entry.get("config_name")) for entry in card["configs"] if entry.get("default") is True]
        default = next((name for name in defaults if name in configs), None)
        config = choose_config(configs, config, default)
        groups = {split: match_files(data, patterns) for split, patterns in configs[config].items()}
    else:
        groups = {}
        for file in files_of_config(files_of_one_format(data), config):
            groups.setdefault(split_in_path(file), []).append(file)
    return replace(_assign_splits({split: found for split, found in groups.items() if found}), config=config)


def card_class_names(card: Card, config: str | None = None) -> dict[str, tuple[str, ...]]:
    """Return column → class names from the card's features; no names for columns without classes."""
    infos = card.get("dataset_info") or ()
    infos = [infos] if isinstance(infos, Mapping) else infos
    known = [info for info in infos if isinstance(info, Mapping)]
    fitting = [info for info in known if config is None or info.get("config_name", config) == config]
    features = fitting[0].get("features") if fitting else None
    found: dict[str, tuple[str, ...]] = {}
    for feature in features if isinstance(features, list) else ():
        if isinstance(feature, Mapping):
            nested = (feature.get(key) for key in ("dtype", "sequence", "list"))
            inner: Mapping[str, Any] = next((value for value in nested if isinstance(value, Mapping)), {})
            label = inner.get("class_label")
            names = label.get("names") if isinstance(label, Mapping) else None
            if isinstance(names, Mapping):
                names = [names[key] for key in sorted(names, key=lambda key: int(str(key)))]
            found[str(feature["name"])] = tuple(map(str, names)) if isinstance(names, list) else ()
    return found


def card_configs(card: Card) -> dict[str, dict[str, list[str]]]:
    """Return configuration → split → glob patterns of its files, as the card gives them.

    ``data_files`` is a path, paths, ``{split: paths}``, or entries of ``{split, path}``.
    """
    configs: dict[str, dict[str, list[str]]] = {}
    entries = card.get("configs")
    for entry in entries if isinstance(entries, list) else ():
        data_files = entry.get("data_files") if isinstance(entry, Mapping) else None
        if isinstance(data_files, Mapping):
            patterns = {str(split): _as_list(paths) for split, paths in data_files.items()}
        else:
            patterns = {}
            for item in _as_list(data_files or ()):
                described = item if isinstance(item, Mapping) else {"path": str(item)}
                paths = _as_list(described.get("path", ()))
                patterns.setdefault(str(described.get("split", "train")), []).extend(paths)
        if patterns:
            configs[str(entry.get("config_name", "default"))] = patterns
    return configs


def choose_config(configs: Collection[str], wanted: str | None, default: str | None = None) -> str:
    """Return the configuration ``wanted``, or else the default, or the only one.

    :raises DataError: there is no such configuration, or there are several.
    """
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


def match_files(files: Sequence[str], patterns: Iterable[str]) -> list[str]:
    """Return the files that match a glob pattern; ``*`` matches within a folder, ``**`` across folders."""

    def to_regex(part: re.Match[str]) -> str:
        wildcard = {"**/": "(?:.+/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part[0])
        is_set = part[0][0] == "[" and len(part[0]) > 2
        return wildcard or (part[0] if is_set else re.escape(part[0]))

    regexes = [re.compile(_GLOB.sub(to_regex, pattern.removeprefix("./"))) for pattern in patterns]
    return [file for file in files if any(regex.fullmatch(file) for regex in regexes)]


def files_of_one_format(files: Sequence[str]) -> list[str]:
    """Return the files with the first table format that there is, or with another one that names splits."""
    suffixes = {_suffix(file) for file in files}
    for suffix in (*_TABLES, *sorted(suffixes)):
        found = [file for file in files if _suffix(file) == suffix]
        if found and (suffix in _TABLES or any(split_in_path(file) for file in found)):
            return found
    return []


def files_of_config(files: Sequence[str], config: str | None) -> list[str]:
    """Return the files of one configuration where their paths are CONFIG/SPLIT/FILE, as the Hub converts them."""
    configs = {file.split("/")[0] for file in files if file.count("/") == 2 and canonical_split(file.split("/")[1])}
    if config is None and (not configs or any(file.split("/")[0] not in configs for file in files)):
        return list(files)
    name = choose_config(configs, config)
    return [file for file in files if file.startswith(f"{name}/")]


def split_in_path(file: str) -> str:
    """Return the split that a path names, in its own word; an empty string where it names none.

    >>> split_in_path("data/dev-00000-of-00002.parquet")
    'dev'
    """
    path = PurePosixPath(file.lower())
    shard = _SHARD.match(path.name)
    words = [word for word in re.split(r"[^a-z]+", shard[1] if shard else path.name) if canonical_split(word)]
    if len(words) == 1:
        return words[0]
    if shard:
        return shard[1]
    folders = [folder for folder in reversed(path.parent.parts) if canonical_split(folder)]
    return folders[0] if folders and not words else ""


def _assign_splits(groups: SplitFiles) -> HubFiles:
    """Return the files by labelkit's names of the splits; a single split of unknown name becomes train."""
    known = {split: canonical_split(split) for split in groups}
    note = ""
    if not any(known.values()) and len(groups) == 1:
        split = next(iter(groups))
        known = {split: "train"}
        note = f"its only split, '{split}', is taken as train" if split else ""
    elif unread := sorted(split for split, name in known.items() if split and not name):
        note = f"splits that are not read: {', '.join(unread)}"
    found: dict[str, tuple[str, ...]] = {}
    for split, files in groups.items():
        name = known[split]
        if name is None:
            continue
        if name in found:
            raise DataError(f"two splits of it would be {name}, '{split}' is one", hint="give one local file each")
        file_name, count = Counter(file.rpartition("/")[2] for file in files).most_common(1)[0]
        if count > 1:  # two versions of the split, not two parts of it
            raise DataError(
                f"its split '{split}' stands in {count} files called '{file_name}'",
                hint="give local files: --data PATH",
            )
        found[name] = tuple(files)
    ordered = {split: found[split] for split in SPLITS if split in found}
    return HubFiles(files=ordered, notes=(note,) if note else ())


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _suffix(file: str) -> str:
    return PurePosixPath(uncompressed_name(file)).suffix
