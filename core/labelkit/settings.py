"""The settings of a run: the type, bounds, default and one-line description of each, and nowhere else.

These are plain dataclasses, which import no pydantic. Values that users give are validated against the annotations by
:mod:`labelkit.config.validation`.
"""

# no `from __future__ import annotations`: the annotations are read at run time

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any, Literal, Self, get_args

from annotated_types import Ge, Gt, Interval, Le

AUTO: Literal["auto"] = "auto"
#: characters of a line or record of data: four times the longest novels. JSON may take 30 bytes for each
MAX_RECORD = 20_000_000
Scheme = Literal["IOB1", "IOB2", "BIOES", "BILOU"]
FileScheme = Literal[Scheme, "BMES", "BMEWO", "IO", "IOE1", "IOE2"]
#: scheme of files → the scheme that it is, or is translated into
_TRANSLATED: Mapping[str, Scheme] = {
    "IOB1": "IOB1", "IOB2": "IOB2", "BIOES": "BIOES", "BILOU": "BILOU",
    "BMES": "BIOES", "BMEWO": "BIOES", "IO": "IOB1", "IOE1": "IOB2", "IOE2": "IOB2",
}  # fmt: skip
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Attention = Literal["auto", "default", "eager", "sdpa"]
SplitterName = Literal["words", "whitespace", "characters", "none"]

Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveInt = Annotated[int, Ge(1)]
ClassWeights = Literal["none", "balanced"] | dict[str, Annotated[float, Ge(0)]]
NonNegativeFloat = Annotated[float, Ge(0)]


@dataclass(frozen=True, slots=True)
class Doc:
    """The description of a setting, as metadata of its annotation."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSettings:
    """The ``data.`` settings: how labelled data is read, split and cut into windows."""

    columns: Annotated[str | None, Doc("which column holds what, e.g. tokens=0,ner=3")] = None
    encoding: Annotated[str, Doc("encoding of text files")] = "utf-8"
    format: Annotated[
        str | None, Doc("format of the files, or train=FORMAT,test=FORMAT; None: by suffix and content")
    ] = None
    path: Annotated[str | None, Doc("folder or file of a named source")] = None
    config: Annotated[str | None, Doc("configuration of a Hub dataset that has several")] = None
    scheme: Annotated[FileScheme | Literal["auto"], Doc("tagging scheme of the files")] = AUTO
    default_type: Annotated[str | None, Doc("type of spans whose tags name none, such as B and I; None: ENTITY")] = None
    label_names: Annotated[
        Sequence[str] | str | None,
        Doc("names of labels that are numbers: a list from 0 on, or a JSON file such as label2id.json"),
    ] = None
    comments: Annotated[
        bool | None, Doc("whether lines of column files that begin with # may be comments; None: as the file shows")
    ] = None
    word_prefix: Annotated[
        str | None, Doc("prefix of every word that is no part of it, such as en:; None: as the file shows; empty: none")
    ] = None
    train_scheme: Annotated[Scheme | None, Doc("tagging scheme to train in; None: the task's")] = None
    repair: Annotated[bool, Doc("read tags that are invalid in the scheme as the CoNLL scorer does")] = False
    allow_new_labels: Annotated[bool, Doc("allow labels that are absent from the training split")] = False
    drop_overlaps: Annotated[
        bool, Doc("of overlapping spans on text keep the longer one; the dropped ones are counted")
    ] = False
    align_spans: Annotated[
        Literal["error", "expand", "contract", "drop"],
        Doc("what to do with spans on text that cut words; aligned and dropped ones are counted and listed"),
    ] = "error"
    plain_labels: Annotated[
        bool | None,
        Doc("read spans on text as plain labels of words, not entities; None: as the file or the task says"),
    ] = None
    utf16: Annotated[bool, Doc("offsets of spans on text count UTF-16 units, as in some annotation tools")] = False
    unit: Annotated[Literal["line", "document"], Doc("what is one example of brat's files")] = "line"
    splitter: Annotated[SplitterName, Doc("splitter of raw text: words, whitespace, characters or none")] = "words"
    discontinuous: Annotated[
        Literal["error", "drop", "join", "split"],
        Doc("spans of several parts, in brat: refuse, drop, join with what is between, or split; counted"),
    ] = "error"
    span_offsets: Annotated[
        Literal["auto", "characters", "words", "words-inclusive"],
        Doc("what offsets of spans count; auto: characters, of words without a text whichever fits"),
    ] = AUTO
    predictions_as_gold: Annotated[
        bool, Doc("read labels that a labeller predicted, such as the output of labelkit label, as gold labels")
    ] = False
    quotes: Annotated[
        bool | None, Doc("whether quotes enclose fields of CSV and TSV; None: of CSV, and of TSV that shows it")
    ] = None
    separator: Annotated[
        str | None, Doc("character between the fields of CSV, TSV and column files; None: the one that the file shows")
    ] = None
    header: Annotated[
        bool | None,
        Doc("whether the first row names the columns; false: they are 0, 1, …; None: as the file shows"),
    ] = None
    label_separator: Annotated[
        str | None,
        Doc("character between several labels of one text; none: labels that hold one are classes of their own"),
    ] = None
    unlabelled: Annotated[Literal["error", "skip"], Doc("records without a label: refuse, or leave out and count")] = (
        "error"
    )
    unknown_label: Annotated[
        str | None,
        Doc("label of what is not annotated; None: _, -100 and, but for plain labels of words, ?; empty: none"),
    ] = None
    number_classes: Annotated[bool, Doc("read labels that are fractions, such as 2.5, as names of classes")] = False
    numbers: Annotated[bool, Doc("labels of texts are numbers, as the head regression learns them")] = False
    multilabel: Annotated[
        bool | None,
        Doc("texts have any number of labels, none included; None: where a list of labels holds several"),
    ] = None
    max_labels: Annotated[int, Doc("refuse more distinct labels of texts than this as a wrong column")] = 200
    max_types: Annotated[PositiveInt, Doc("refuse more distinct span types, or labels of words, than this")] = 10_000
    validation_fraction: Annotated[
        float, Interval(ge=0.001, le=0.9), Doc("share of train held out as validation where there is none")
    ] = 0.1
    without_test_of: Annotated[
        str | None,
        Doc("leave out of train and validation what is in test of this run, or of one that it continues from"),
    ] = None
    validation_seed: Annotated[Seed | None, Doc("seed of the held-out validation split; None: train.seed")] = None
    max_record: Annotated[PositiveInt, Doc("refuse lines and records of more characters than this as no data")] = (
        MAX_RECORD
    )
    max_unpacked: Annotated[PositiveInt, Doc("refuse archives that hold more bytes than this")] = 20_000_000_000
    max_ratio: Annotated[
        PositiveInt, Doc("refuse archives that hold more than 100 MB, and more than this many times their own size")
    ] = 200
    max_members: Annotated[PositiveInt, Doc("refuse archives of more files and folders than this")] = 100_000
    max_length: Annotated[
        Annotated[int, Ge(8)] | Literal["auto"], Doc("subwords in a window; auto: the encoder's maximum")
    ] = AUTO
    overlap: Annotated[
        NonNegativeInt, Doc("stride: subwords that neighbouring windows share, at most half a window")
    ] = 128
    label_all_tokens: Annotated[bool, Doc("learn the label on every subword of a word, not only the first")] = False
    mark_case: Annotated[
        bool,
        Doc("mark capitalised words, and those of capitals, with a sign after them, for tokenizers that lower-case"),
    ] = False

    @property
    def file_scheme(self) -> FileScheme | None:
        """The tagging scheme of the files; None where it is to be detected."""
        return None if self.scheme == AUTO else self.scheme

    @property
    def source_scheme(self) -> Scheme | None:
        """The scheme of the files once other notations are translated; None where it is to be detected."""
        return None if self.scheme == AUTO else _TRANSLATED.get(self.scheme)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSettings:
    """The ``train.`` settings.

    :param trainer: other fields of ``transformers.TrainingArguments``, as given.
    """

    seed: Annotated[Seed, Doc("seed of everything random")] = 42
    num_train_epochs: Annotated[
        Annotated[float, Ge(0.001)] | Literal["auto"], Doc("epochs; auto: 1 to 8, the more the smaller train is")
    ] = 3.0
    max_steps: Annotated[
        PositiveInt | Literal[-1], Doc("stop after this many optimizer steps; -1: after the epochs")
    ] = -1
    max_minutes: Annotated[
        NonNegativeFloat | None, Doc("stop after this many minutes of training and choose among the checkpoints so far")
    ] = None
    learning_rate: Annotated[
        NonNegativeFloat | Literal["auto"], Doc("peak learning rate; auto: by the encoder's width")
    ] = AUTO
    head_learning_rate: Annotated[
        NonNegativeFloat | Literal["auto"] | None,
        Doc("peak learning rate of the head; auto: by the encoder's width; None: that of the encoder"),
    ] = None
    lr_scheduler_type: Annotated[str, Doc("learning-rate schedule")] = "linear"
    warmup_steps: Annotated[NonNegativeFloat, Doc("warmup steps; below 1: a share of all steps")] = 0.0
    per_device_train_batch_size: Annotated[PositiveInt, Doc("batch size in windows")] = 16
    batch_tokens: Annotated[
        NonNegativeInt,
        Doc("batch size in subwords, padding included, of windows of similar length; 0: the batch size in windows"),
    ] = 0
    random_window: Annotated[
        Literal[0] | Annotated[int, Ge(16)],
        Doc("of each text an epoch reads one window of so many subwords, at a random place; 0: all windows"),
    ] = 0
    gradient_accumulation_steps: Annotated[PositiveInt, Doc("batches in an optimizer step")] = 1
    weight_decay: Annotated[NonNegativeFloat, Doc("weight decay; none on biases and norms")] = 0.01
    optim: Annotated[str, Doc("optimizer")] = "adamw_torch"
    adam_beta1: Annotated[float, Doc("AdamW's first decay rate")] = 0.9
    adam_beta2: Annotated[float, Doc("AdamW's second decay rate")] = 0.999
    adam_epsilon: Annotated[float, Doc("AdamW's epsilon")] = 1e-8
    max_grad_norm: Annotated[NonNegativeFloat, Doc("gradients are clipped to this norm")] = 1.0
    label_smoothing_factor: Annotated[float, Interval(ge=0, le=1), Doc("label smoothing")] = 0.0
    train_sampling_strategy: Annotated[str, Doc("order of train: random or group_by_length")] = "random"
    dropout: Annotated[
        Annotated[float, Interval(ge=0, le=0.9)] | Literal["auto"] | None,
        Doc("dropout of the encoder; auto: 0.1 where train is small, else 0; None: as in its configuration"),
    ] = None
    ema_decay: Annotated[
        Annotated[float, Interval(ge=0, lt=1)] | None,
        Doc("decay of a moving average (EMA) of the weights, kept where it scores better on validation; None: none"),
    ] = None
    freeze_embeddings: Annotated[bool, Doc("freeze the encoder's subword embeddings")] = False
    lora_rank: Annotated[
        PositiveInt | None, Doc("train LoRA adapters of this rank in place of the encoder's weights; None: the weights")
    ] = None
    lora_alpha: Annotated[
        Annotated[float, Gt(0)] | Literal["auto"], Doc("adapters are scaled by alpha / rank; auto: twice the rank")
    ] = AUTO
    lora_dropout: Annotated[float, Interval(ge=0, le=0.9), Doc("dropout before the adapters")] = 0.0
    lora_targets: Annotated[
        Sequence[str] | Literal["auto"],
        Doc('names of the layers with adapters, e.g. ["query", "value"]; auto: all linear layers of the encoder'),
    ] = AUTO
    attention: Annotated[
        Attention, Doc("implementation of attention in training; default: as transformers chooses")
    ] = AUTO
    precision: Annotated[Precision, Doc("precision of training; auto: bf16 where the hardware is good at it")] = AUTO
    eval_precision: Annotated[Literal["fp32", "bf16"], Doc("precision of evaluation")] = "fp32"
    evaluations_per_epoch: Annotated[PositiveInt, Doc("evaluations on validation in an epoch")] = 1
    eval_tokens: Annotated[PositiveInt, Doc("batch size of evaluation in subwords, padding included")] = 4096
    score_test: Annotated[bool, Doc("evaluate the chosen checkpoint on test; the trials of a search do not")] = True
    save_minutes: Annotated[
        NonNegativeFloat, Doc("minutes of training that a killed run may lose when it is resumed")
    ] = 5.0
    class_weights: Annotated[
        ClassWeights,
        Doc("weights of labels in the loss: none, balanced (by frequency in train), or a table, {B-PER = 2.0}"),
    ] = "none"
    onnx: Annotated[
        bool,
        Doc("keep an ONNX model with the best checkpoint, where labelkit[fast] is installed: labelling starts sooner"),
    ] = True
    teacher: Annotated[
        str | None,
        Doc("learn from the probabilities of this run, of several (RUN,RUN) or of a group of runs, too; None: of none"),
    ] = None
    teacher_weight: Annotated[
        Annotated[float, Gt(0), Le(1)], Doc("share of the teacher's probabilities in the loss, beside the gold labels")
    ] = 0.5
    teacher_text: Annotated[
        str | None,
        Doc("text without gold labels that is learned from the teacher alone, as in --data, or plain text; None: none"),
    ] = None
    head: Annotated[str, Doc("what stands on the encoder and how it learns: a name of labelkit heads")] = "linear"
    select: Annotated[
        str | None, Doc("of several tasks the one whose metric selects the checkpoint; None: the mean of their metrics")
    ] = None
    sampling_smoothing: Annotated[
        float,
        Interval(ge=0, le=1),
        Doc("of several tasks, how often data of each is seen: 1 in proportion to its size, 0 equally often"),
    ] = 1.0
    loss_weight: Annotated[
        dict[str, float] | None, Doc("of several tasks, the weight of each in the loss, e.g. {pos = 0.5}; 1 elsewhere")
    ] = None
    trainer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """All settings of a run. The key of :attr:`reference` is ``data``.

    What has no default here is given by the task.

    :param plugins: settings of plugins by their key, e.g. ``pairs.size``, as plain values for JSON.
    """

    reference: Annotated[str, Doc("data reference: a source, a path, or train=…,validation=…,test=…")]
    model: Annotated[str, Doc("model reference: bundled, a folder, a run, org/name on the Hub")] = "bundled"
    metric: Annotated[str, Doc("the metric that selects the checkpoint")]
    decoder: Annotated[str, Doc("how scores become labels")]
    preprocess: Annotated[Sequence[str], Doc("preprocessors, in order")] = ()
    data: DataSettings = DataSettings()
    train: TrainSettings = field(default_factory=TrainSettings)
    plugins: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings with ``values``, by key; keys that are absent have their defaults."""
        top: dict[str, Any] = {key: value for key, value in values.items() if "." not in key}
        sections: dict[str, dict[str, Any]] = {"data": {}, "train": {}}
        trainer: dict[str, Any] = {}
        plugins: dict[str, Any] = {}
        for key, value in values.items():
            section, dot, name = key.partition(".")
            if key in SETTINGS and dot:
                sections[section][name] = value
            elif section == "train":
                trainer[name] = value
            elif dot:
                plugins[key] = value
        data, train = DataSettings(**sections["data"]), TrainSettings(**sections["train"], trainer=trainer)
        return cls(**{"reference": top.pop("data"), **top}, data=data, train=train, plugins=plugins)

    def values(self) -> dict[str, Any]:
        """Return every setting by its key, in the order in which people read them."""
        found: dict[str, Any] = {}
        for key in SETTINGS:
            section, dot, name = key.partition(".")
            owner = getattr(self, section) if dot else self
            found[key] = getattr(owner, name or _NAMES.get(key, key))
        return {**found, **{f"train.{name}": value for name, value in self.train.trainer.items()}, **self.plugins}


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One setting.

    :param annotation: its type and bounds.
    :param default: its default; None where the task gives it.
    :param help: a one-line description.
    """

    annotation: Any
    default: Any
    help: str

    @property
    def type(self) -> Any:
        """The type, without bounds."""
        return get_args(self.annotation)[0] if hasattr(self.annotation, "__metadata__") else self.annotation


def _infos(settings: type, prefix: str = "") -> Iterator[tuple[str, SettingInfo]]:
    for one in fields(settings):
        for note in getattr(one.type, "__metadata__", ()):
            if isinstance(note, Doc):
                default = None if one.default is MISSING else one.default
                yield prefix + _KEYS.get(one.name, one.name), SettingInfo(one.type, default, note.text)


_KEYS = {"reference": "data"}
_NAMES = {"data": "reference"}
#: key of a setting, e.g. ``data.columns`` → the setting, in the order in which people read them
SETTINGS: Mapping[str, SettingInfo] = dict(
    (*_infos(RunSettings), *_infos(DataSettings, "data."), *_infos(TrainSettings, "train."))
)
#: the settings of a run that belong to no section, e.g. ``model``; ``data`` is the data reference
RUN_KEYS = tuple(key for key in SETTINGS if "." not in key)


def is_plugin_key(key: str) -> bool:
    """Return whether ``key`` is that of a setting of a plugin, known or not: ``NAME.FIELD`` in no section of core's."""
    section, dot, _ = key.partition(".")
    return bool(dot) and section not in ("data", "train")
