"""Export a labeller as a folder of transformers.js, with the module ``labelkit.js`` that labels as labelkit does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from labelkit.errors import ModelError
from labelkit.exports.javascript_settings import case_mark_pattern, javascript_settings
from labelkit.files.atomic import new_folder
from labelkit.files.json_text import to_json_line
from labelkit.files.small import read_json
from labelkit.inference.onnx.export import MODEL, PUBLISHED, OnnxModel, run_once
from labelkit.label.labeller import Labeller
from labelkit.models.checkpoint_files import copy_checkpoint

#: what ``labelkit.js`` reads
SETTINGS = "labelkit-js.json"
#: modules that are copied to the folder
MODULES = ("labelkit.js", "labelkit-tokens.js", "labelkit-words.js")


def export_to_javascript(
    labeller: Labeller,
    folder: Path,
    models: Sequence[OnnxModel],
    check: Callable[[Path], None],
) -> None:
    """Write a labeller as a folder of transformers.js, and run it before the folder appears.

    :param labeller: on torch, in fp32.
    :param folder: new, or empty.
    :param models: its ONNX models, each of another precision.
    :param check: called with the temporary folder; it raises if the folder does not label as the labeller.
    :raises ModelError: a model is larger than one file may be.
    :raises StorageError: the disk is full, or the folder cannot be written.
    """
    with new_folder(folder) as beside:
        copy_checkpoint(labeller.folder, beside, weights=False)
        _adapt_tokenizer(beside, labeller.encoding.max_length)
        for model in models:
            _copy_model(model, beside / PUBLISHED[model.precision])
            run_once(published(beside, model.precision), labeller.encoding)
        settings = javascript_settings(labeller.info, labeller.encoding)
        (beside / SETTINGS).write_text(to_json_line(settings) + "\n", encoding="utf-8")
        for name in MODULES:
            source = files("labelkit.exports").joinpath("javascript", name).read_bytes()
            (beside / name).write_bytes(source)
        check(beside)


def published(folder: Path, precision: str) -> OnnxModel:
    """Return the ONNX model of an exported folder."""
    path = folder / PUBLISHED[precision]
    return OnnxModel(path.parent, precision, path.name)


def _copy_model(model: OnnxModel, target: Path) -> None:
    if any(file.suffix not in (".onnx", ".json") for file in model.folder.iterdir()):
        raise ModelError(
            "the model is larger than 2 GB, which transformers.js cannot load as one file", hint="export it --to onnx"
        )
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(model.folder / MODEL, target)


def _adapt_tokenizer(folder: Path, max_length: int) -> None:
    """Rewrite what JavaScript reads otherwise: the pattern of case marks, and a tokenizer without max length.

    The pipeline of transformers.js truncates texts at that length; without one it fails at long texts.
    """
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    normalizer: Mapping[str, Any] = tokenizer["normalizer"] or {}
    for part in normalizer.get("normalizers", ()):
        if pattern := case_mark_pattern(part):
            part["pattern"] = {"Regex": pattern}
            (folder / "tokenizer.json").write_text(to_json_line(tokenizer), encoding="utf-8")
    config = read_json(folder / "tokenizer_config.json")
    limit = config.get("model_max_length")
    if not isinstance(limit, int | float) or limit > max_length:
        config["model_max_length"] = max_length
        (folder / "tokenizer_config.json").write_text(to_json_line(config), encoding="utf-8")
