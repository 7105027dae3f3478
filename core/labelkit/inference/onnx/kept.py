"""The ONNX model kept beside a checkpoint: with it a checkpoint labels without torch and transformers.

The folder ``onnx`` of a checkpoint holds the model in fp32, the tokenizer as words and texts are given to it, and a
``meta.json`` with all that torch's model and transformers' tokenizer would be asked for. The meta file names the
checksums of the files that it was made from: a checkpoint that has changed since is labelled with torch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
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
from labelkit.inference.engine import Engine, Floats, HeadOutputs, fallback_of
from labelkit.inference.onnx.export import META, MODEL, OnnxModel, find_model, require_runtime, tasks_of, write_model
from labelkit.models.architectures import FP32_ONLY
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.models.checkpoint_files import HEAD_WEIGHTS, INDEX, JOINT_WEIGHTS, Checksum, sha256_of, weights_of
from labelkit.models.heads import MODULE, BoundHead
from labelkit.models.tokenizer import ContentTokenizer, PairTokens, SpecialTokens
from labelkit.records import Context, Head, HeadContext

#: the folder in a checkpoint
FOLDER = "onnx"
TOKENIZER, WEIGHTS = "tokenizer.json", "model.onnx.data"
#: version of the meta file of a model of one task, and of several; what a newer labelkit wrote is not used
FORMAT, JOINT_FORMAT = 1, 2
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
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose outputs it has; none where it is the model of one task."""
        return tuple(self.meta.get("tasks", ()))

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

    def parameters(self, task: str | None = None) -> dict[str, Floats]:
        """Return the trained parameters of the head's module by name, for the decoder.

        :param task: of several; None for the first, or the only one.
        :raises ModelError: their file is damaged.
        """
        of_others = self.meta.get("parameters_of_others", {})
        names = of_others[task] if task in of_others else self.meta["head_parameters"]
        if not names:
            return {}
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = self.checkpoint / (JOINT_WEIGHTS if task in of_others else HEAD_WEIGHTS)
        prefix = f"{task}.{MODULE}." if task in of_others else ""
        try:
            found = load_file(file)
            return {name: found[prefix + name].astype(np.float32) for name in names}
        except (OSError, KeyError, SafetensorError) as error:
            raise ModelError(f"{file} is damaged: {one_line(error)}") from error

    def head(self, info: CheckpointInfo, head: Head, ctx: Context) -> HeadOutputs:
        """Return the head of a task with its trained parameters; see :meth:`engine`."""
        shared = {field.name: getattr(ctx, field.name) for field in fields_of(Context)}
        bound = BoundHead(head, HeadContext(schema=info.schema, hidden_size=self.meta["hidden_size"], **shared))
        return HeadOutputs(bound, **fallback_of(info.schema, info.fallback), parameters=self.parameters(info.task))

    def engine(self, info: CheckpointInfo, head: Head, ctx: Context) -> Engine:
        """Return an engine without torch, whose session is still missing.

        :param info: of the task.
        :param head: the head that the checkpoint was trained with.
        :param ctx: that of the checkpoint, for the functions of the head.
        """
        found = self.head(info, head, ctx)
        return Engine(
            None,
            self.encoding(info),
            "fp32",
            0,
            found.fallback,
            found.head,
            found.fallback_number,
            stored_parameters=found.parameters,
        )


def read_kept_model(checkpoint: Path) -> KeptModel | None:
    """Return the ONNX model beside a checkpoint; None where there is none that this labelkit reads."""
    try:
        meta = read_json(checkpoint / FOLDER / META)
        found = KeptModel(checkpoint, meta)
        complete = MODEL in found.files and TOKENIZER in found.files and bool(found.sources)
        complete = complete and all(Path(name).name == name for name in (*found.files, *found.sources))
        complete = complete and meta.keys() >= _KEYS and isinstance(meta["encoding"], dict)
        return found if meta["format"] <= JOINT_FORMAT and complete else None
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


def keep_model(
    engine: Engine,
    checkpoint: Path,
    info: CheckpointInfo,
    cache: Path | None = None,
    further: Sequence[Engine] = (),
) -> KeptModel:
    """Write the ONNX model beside a checkpoint, compared with torch, and return it; one that fits is left as it is.

    :param engine: the checkpoint's, on torch, on the processor, in fp32; of several tasks that of the first's group.
    :param cache: folder of ONNX models; one of this checkpoint there is copied.
    :param further: of several tasks the engines of the other groups.
    :raises LabelkitError: a package is missing, the architecture cannot be exported, or the model differs from torch.
    :raises StorageError: the folder cannot be written.
    """
    require_runtime()
    kept = read_kept_model(checkpoint)
    joint = bool(engine.joined)
    if kept is not None and bool(kept.tasks) >= joint and kept.mismatch(info) is None:
        return kept
    cached = None if cache is None else find_model(checkpoint, "fp32", cache, joint=joint)
    shutil.rmtree(checkpoint / FOLDER, ignore_errors=True)  # a folder is replaced by an empty one only
    with new_folder(checkpoint / FOLDER) as beside:
        if cached is None:
            facts = write_model(engine, beside, further)
        else:
            for file in cached.files:
                shutil.copyfile(cached.folder / file, beside / file)
            facts = cached.facts
        move_weights(beside)
        engine.encoding.content.backend.save(str(beside / TOKENIZER))
        files = {file.name: (file.stat().st_size, sha256_of(file)) for file in sorted(beside.iterdir())}
        described = _described([engine, *further], checkpoint, info)
        version_of = {"format": JOINT_FORMAT if joint else FORMAT, "precision": "fp32"}
        meta = {**version_of, "files": files, **facts, **described}
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


def _described(engines: Sequence[Engine], checkpoint: Path, info: CheckpointInfo) -> dict[str, Any]:
    """Return what the meta file says of a checkpoint."""
    engine = engines[0]
    encoding, special = engine.encoding, engine.encoding.special_tokens
    heads = [(task, head) for one in engines for task, head in zip(tasks_of(one), one.joined, strict=True)]
    first = dict(heads)[info.task] if heads else HeadOutputs(engine.head, parameters=engine.parameters)
    others = {task: sorted(head.parameters) for task, head in heads if task != info.task}
    return {
        "made_from": {name: sha256_of(checkpoint / name) for name in sorted(source_files(checkpoint))},
        "tokenizer_input": info.tokenizer_input,
        "model_type": str(engine.torch_model.config.model_type),
        "hidden_size": first.head.context.hidden_size,
        "head_parameters": sorted(first.parameters),
        **({"parameters_of_others": others} if others else {}),
        "special": sorted(encoding.content.special),
        "unknown": encoding.content.unknown,
        "encoding": {**{name: getattr(encoding, name) for name in _ENCODING}, "special_tokens": asdict(special)},
        "versions": {name: version(name) for name in _PACKAGES if find_spec(name) is not None},
    }
