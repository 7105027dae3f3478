"""The ONNX model kept beside a checkpoint: with it a checkpoint labels without torch and transformers.

The folder ``onnx`` of a checkpoint holds the model in fp32, the tokenizer as words and texts are given to it, and a
``meta.json`` with all that torch's model and transformers' tokenizer would be asked for. The meta file names the
checksums of the files that it was made from: a checkpoint that has changed since is labelled with torch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.encode.alignment import Encoding
from labelkit.errors import ModelError, StorageError, explanation, one_line
from labelkit.files.atomic import new_folder
from labelkit.files.json_text import to_json
from labelkit.files.small import read_json
from labelkit.inference.engine import Engine, Floats, fallback_of
from labelkit.inference.onnx.export import META, MODEL, OnnxModel, find_model, require_runtime, write_model
from labelkit.models.architectures import FP32_ONLY
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.models.checkpoint_files import HEAD_WEIGHTS, INDEX, Checksum, sha256_of, weights_of
from labelkit.models.heads import BoundHead, parameters_of
from labelkit.models.tokenizer import ContentTokenizer, PairTokens, SpecialTokens
from labelkit.records import Context, Head, HeadContext

#: the folder in a checkpoint
FOLDER = "onnx"
TOKENIZER, WEIGHTS = "tokenizer.json", "model.onnx.data"
#: version of the meta file; what a newer labelkit wrote is not used
FORMAT = 1
#: files of a checkpoint beside its weights on which its ONNX model and its encoding depend
SOURCES = (
    INDEX, "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "*.model",
)  # fmt: skip
#: bytes of a tensor from which on it is among the weights; smaller ones are part of the graph
_LEAST_WEIGHTS = 1024
#: packages whose versions are recorded
_PACKAGES = ("torch", "transformers", "tokenizers", "onnxruntime", "openvino")
#: the fields of an encoding that are plain values in the meta file; the special tokens are an object in it
_ENCODING = tuple(
    one.name
    for one in fields_of(Encoding)
    if one.name not in ("content", "special_tokens", "max_length", "stride", "word_cache")
)


@dataclass(frozen=True, slots=True)
class KeptModel:
    """The ONNX model beside a checkpoint, as its meta file describes it.

    :param checkpoint: the folder of the checkpoint.
    :param meta: the content of the meta file.
    """

    checkpoint: Path
    meta: Mapping[str, Any]

    @property
    def onnx(self) -> OnnxModel:
        """The model."""
        return OnnxModel(self.checkpoint / FOLDER, "fp32")

    @property
    def sources(self) -> Mapping[str, str]:
        """Name → SHA-256 of the files of the checkpoint that it was made from."""
        found: Mapping[str, str] = self.meta["made_from"]
        return found

    @property
    def files(self) -> Mapping[str, str]:
        """Name → SHA-256 of the files in its folder, without the meta file."""
        return {name: digest for name, (_, digest) in self.meta["files"].items()}

    @property
    def all_files(self) -> Mapping[str, str]:
        """Name → SHA-256 of all files in its folder."""
        return {META: sha256_of(self.checkpoint / FOLDER / META), **self.files}

    @property
    def fp32_only(self) -> bool:
        """Whether the architecture computes in fp32 only."""
        return self.meta["model_type"] in FP32_ONLY

    def mismatch(self, info: CheckpointInfo, checksum: Checksum = sha256_of) -> str | None:
        """Return why the model must not be used, in one line; None where it may be.

        :param info: of the checkpoint.
        :param checksum: computes the SHA-256 of a file.
        :raises ModelError: the weights of the checkpoint are damaged or missing.
        """
        if self.meta["encoding"].keys() != {*_ENCODING, "special_tokens"}:
            return "was made by another version of labelkit"
        if self.meta["tokenizer_input"] != info.tokenizer_input:
            return "was made for another input of the tokenizer"
        try:
            # a file that came later may take the place of another, as model.safetensors does of the parts of an index
            others = sorted(source_files(self.checkpoint) ^ self.sources.keys())
            if others:
                return f"was made from other files: {others[0]} {self._came_or_went(others[0])}"
            for name, digest in self.sources.items():
                if checksum(self.checkpoint / name) != digest:
                    return f"was made from another {name}"
            for name, (size, digest) in self.meta["files"].items():
                file = self.checkpoint / FOLDER / name
                if file.stat().st_size != size or checksum(file) != digest:
                    return f"is damaged: {name} has changed"
        except OSError as error:
            return f"cannot be read: {one_line(error)}"
        return None

    def _came_or_went(self, name: str) -> str:
        return "is missing" if name in self.sources else "is new"

    def encoding(self, info: CheckpointInfo) -> Encoding:
        """Return how examples become windows, with the max length and the stride of the checkpoint.

        :raises ModelError: the tokenizer is damaged.
        """
        from tokenizers import Tokenizer

        try:
            backend = Tokenizer.from_file(str(self.checkpoint / FOLDER / TOKENIZER))
            content = ContentTokenizer(backend, self.meta["special"], self.meta["unknown"])
            given = {name: _frozen(value) for name, value in self.meta["encoding"].items()}
            special = given.pop("special_tokens")
            tokens = SpecialTokens(**{**special, "pair": PairTokens(**special["pair"])})
            return Encoding(content, tokens, info.max_length, info.overlap, **given)
        except Exception as error:  # tokenizers raises Exception itself
            raise ModelError(f"the tokenizer in {self.checkpoint / FOLDER} is damaged: {explanation(error)}") from error

    def parameters(self) -> dict[str, Floats]:
        """Return the trained parameters of the head's module by name, for the decoder.

        :raises ModelError: their file is damaged.
        """
        names = self.meta["head_parameters"]
        if not names:
            return {}
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            found = load_file(self.checkpoint / HEAD_WEIGHTS)
            return {name: found[name].astype(np.float32) for name in names}
        except (OSError, KeyError, SafetensorError) as error:
            raise ModelError(f"{self.checkpoint / HEAD_WEIGHTS} is damaged: {one_line(error)}") from error

    def engine(self, info: CheckpointInfo, head: Head, ctx: Context) -> Engine:
        """Return an engine without torch, whose session is still missing.

        :param head: the head that the checkpoint was trained with.
        :param ctx: that of the checkpoint, for the functions of the head.
        """
        shared = {field.name: getattr(ctx, field.name) for field in fields_of(Context)}
        bound = BoundHead(head, HeadContext(schema=info.schema, hidden_size=self.meta["hidden_size"], **shared))
        fallback = fallback_of(info.schema, info.fallback)
        return Engine(None, self.encoding(info), "fp32", 0, head=bound, stored_parameters=self.parameters(), **fallback)


def read_kept_model(checkpoint: Path) -> KeptModel | None:
    """Return the ONNX model beside a checkpoint; None where there is none that this labelkit reads."""
    try:
        meta = read_json(checkpoint / FOLDER / META)
        found = KeptModel(checkpoint, meta)
        complete = MODEL in found.files and TOKENIZER in found.files and bool(found.sources)
        complete = complete and all(Path(name).name == name for name in (*found.files, *found.sources))
        complete = complete and meta.keys() >= _KEYS and isinstance(meta["encoding"], dict)
        return found if meta["format"] <= FORMAT and complete else None
    except (OSError, StorageError, ValueError, KeyError, TypeError, AttributeError):
        return None


_KEYS = {"special", "unknown", "tokenizer_input", "model_type", "encoding", "hidden_size", "head_parameters", "unfit"}


def source_files(checkpoint: Path) -> set[str]:
    """Return the names of the files of a checkpoint on which its ONNX model depends.

    :raises ModelError: its weights are damaged or missing.
    """
    found = {*weights_of(checkpoint), *(file for pattern in SOURCES for file in checkpoint.glob(pattern))}
    return {file.name for file in found if file.is_file()}


def _frozen(value: Any) -> Any:
    """Return a value of JSON with tuples in place of lists."""
    if isinstance(value, dict):
        return {name: _frozen(inner) for name, inner in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def keep_model(engine: Engine, checkpoint: Path, info: CheckpointInfo, cache: Path | None = None) -> KeptModel:
    """Write the ONNX model beside a checkpoint, compared with torch, and return it; one that fits is left as it is.

    :param engine: the checkpoint's, on torch, on the processor, in fp32.
    :param cache: folder of ONNX models; one of this checkpoint there is copied.
    :raises LabelkitError: a package is missing, the architecture cannot be exported, or the model differs from torch.
    :raises StorageError: the folder cannot be written.
    """
    require_runtime()
    kept = read_kept_model(checkpoint)
    if kept is not None and kept.mismatch(info) is None:
        return kept
    cached = None if cache is None else find_model(checkpoint, "fp32", cache)
    shutil.rmtree(checkpoint / FOLDER, ignore_errors=True)  # a folder is replaced by an empty one only
    with new_folder(checkpoint / FOLDER) as beside:
        if cached is None:
            facts = write_model(engine, beside)
        else:
            for file in cached.files:
                shutil.copyfile(cached.folder / file, beside / file)
            facts = cached.facts
        move_weights(beside)
        engine.encoding.content.backend.save(str(beside / TOKENIZER))
        files = {file.name: (file.stat().st_size, sha256_of(file)) for file in sorted(beside.iterdir())}
        meta = {"format": FORMAT, "precision": "fp32", "files": files, **facts, **_described(engine, checkpoint, info)}
        (beside / META).write_text(to_json(meta) + "\n", encoding="utf-8")
    return KeptModel(checkpoint, read_json(checkpoint / FOLDER / META))


def move_weights(folder: Path) -> None:
    """Move the weights of the model in a folder to a file of their own, beside the graph.

    A runtime maps such a file into memory in place of reading it, parsing it and copying what it parsed: a third of the
    time to open the model, and less than half of the memory.
    """
    import onnx

    model = onnx.load(folder / MODEL)
    for file in folder.iterdir():  # a large model has files of weights already
        file.unlink()
    onnx.save(model, folder / MODEL, save_as_external_data=True, location=WEIGHTS, size_threshold=_LEAST_WEIGHTS)


def _described(engine: Engine, checkpoint: Path, info: CheckpointInfo) -> dict[str, Any]:
    """Return what the meta file says of a checkpoint."""
    encoding, special = engine.encoding, engine.encoding.special_tokens
    return {
        "made_from": {name: sha256_of(checkpoint / name) for name in sorted(source_files(checkpoint))},
        "tokenizer_input": info.tokenizer_input,
        "model_type": str(engine.torch_model.config.model_type),
        "hidden_size": engine.head.context.hidden_size,
        "head_parameters": sorted(parameters_of(engine.torch_model)),
        "special": sorted(encoding.content.special),
        "unknown": encoding.content.unknown,
        "encoding": {**{name: getattr(encoding, name) for name in _ENCODING}, "special_tokens": asdict(special)},
        "versions": {name: version(name) for name in _PACKAGES if find_spec(name) is not None},
    }
