"""What a target cannot reproduce of a labeller: it is refused unless the user accepts it by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.models.checkpoint import CheckpointInfo

Target = Literal["transformers", "onnx", "transformers.js"]
TARGETS: tuple[Target, ...] = ("transformers", "onnx", "transformers.js")
#: names of limits, as ``--accept`` takes them
LIMITS = ("decoder", "thresholds", "preprocessors", "head", "running-text", "pairs", "architecture")
#: decoders that choose the likeliest label, as other programs do
_LIKELIEST = ("argmax", "argmax-text")
#: architectures that transformers.js 4.3 classifies texts with, and those of them that it classifies tokens with
_TOKEN_MODELS = frozenset((
    "bert", "camembert", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "esm", "eurobert", "modernbert",
    "mpnet", "neobert", "roberta", "roformer", "xlm", "xlm-roberta",
))  # fmt: skip
_TEXT_MODELS = _TOKEN_MODELS | {"albert", "bart", "mbart", "mobilebert", "squeezebert"}
#: decoders that ``labelkit.js`` knows
_PORTED = (*_LIKELIEST, "viterbi", "number", "thresholds")


@dataclass(frozen=True, slots=True)
class Limit:
    """A part of a labeller that a target does not reproduce.

    :param name: one of :data:`LIMITS`.
    :param reason: what is lost, as a part of a sentence.
    """

    name: str
    reason: str


def limits_of(info: CheckpointInfo, model_type: str, target: Target) -> list[Limit]:
    """Return what ``target`` does not reproduce of a labeller.

    :param model_type: the architecture, as ``config.json`` names it.
    """
    return list(_limits(info, model_type, target))


def _limits(info: CheckpointInfo, model_type: str, target: Target) -> Iterator[Limit]:
    from labelkit.inference.thresholds import DEFAULT
    from labelkit.models.heads import HEADS

    ported = target == "transformers.js"
    if info.preprocessors:
        names = ", ".join(f"'{name}'" for name, _ in info.preprocessors)
        yield Limit("preprocessors", f"its texts are preprocessed by {names}")
    if info.head not in {head.name for head in HEADS}:
        yield Limit("head", f"its scores are made by the head '{info.head}' of a plugin")
    if target == "onnx":
        return  # what runs the model decodes its logits, whatever the decoder is
    if info.decoder == "thresholds":
        if not ported and any(value != DEFAULT for value in info.thresholds.values()):
            yield Limit("thresholds", "its labels have tuned thresholds")
    elif info.decoder not in (_PORTED if ported else (*_LIKELIEST, "number")):
        yield Limit("decoder", f"its labels are decoded by '{info.decoder}'")
    if ported:
        yield from _javascript_limits(info, model_type)


def _javascript_limits(info: CheckpointInfo, model_type: str) -> Iterator[Limit]:
    if model_type not in (_TOKEN_MODELS if info.kind == "token" else _TEXT_MODELS):
        yield Limit("architecture", f"transformers.js 4.3 has no classifier of the architecture '{model_type}'")
    if info.pairs:
        yield Limit("pairs", "it labels pairs of texts, and labelkit.js labels single ones")
    if info.kind == "token" and info.tokenizer_input == "text":
        yield Limit("running-text", "it reads running text, and JavaScript knows no places of subwords")


def check_limits(limits: Sequence[Limit], accepted: Sequence[str], target: Target) -> None:
    """Raise unless the user accepts all that ``target`` does not reproduce.

    :param accepted: names of limits.
    :raises LabelkitError: one is not accepted.
    """
    missing = [limit for limit in limits if limit.name not in accepted]
    if missing:
        raise LabelkitError(
            f"{target} cannot reproduce this labeller: {'; '.join(limit.reason for limit in missing)}",
            hint=f"export it without that: {' '.join(f'--accept {limit.name}' for limit in missing)}",
        )
