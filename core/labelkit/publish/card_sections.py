"""The sections of a model card as Markdown. Pure functions of the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labelkit.metrics.intervals import interval_of
from labelkit.publish.names import data_name, escape, model_name
from labelkit.publish.private_text import is_local_path
from labelkit.registry.metric_rows import MOST_TYPES, PER_TYPE, most_frequent_types

if TYPE_CHECKING:
    from labelkit.publish.model_card import ModelCard

Row = Sequence[object]
#: scores in the order of their tables; the others follow
_WHOLE = (
    "mean", "f1", "precision", "recall", "accuracy", "macro_f1", "weighted_f1", "span_f1", "roc_auc", "mae", "rmse",
    "r2",
)  # fmt: skip
_PER_TYPE = ("precision", "recall", "f1")
_HOW = ("scheme", "mode", "average")
#: kind → what a labeller of it does
_LABELS = {"token": "labels each word of a text", "text": "labels texts"}
#: types with fewer test examples have scores that say little
_FEW = 20
#: settings that the card names; others stand in the record
_SETTINGS = "train."
#: decoders whose labels are those of transformers
_LIKELIEST = ("argmax", "argmax-text")
_PATHS = ("data", "model", "data.path", "data.columns")


def body(card: ModelCard) -> str:
    """Return all sections of a card."""
    sections = (_summary, _scores, _data, _leakage, _training, _calibration, _coverage, _limits, _use, _reproduce)
    return "\n\n".join(text for section in sections if (text := "\n".join(section(card)).strip("\n")))


def table(columns: Row, rows: Sequence[Row], right: int = 1) -> Iterator[str]:
    """Yield the lines of a table; the columns from ``right`` on are aligned to the right."""
    if not rows:
        return
    yield "| " + " | ".join(escape(one) for one in columns) + " |"
    yield "| " + " | ".join("---:" if number >= right else "---" for number in range(len(columns))) + " |"
    for row in rows:
        yield "| " + " | ".join(escape(one) for one in row) + " |"
    yield ""


def _summary(card: ModelCard) -> Iterator[str]:
    record, info = card.details.record, card.info
    encoder, hub = model_name(card.details)
    linked = f"[{escape(encoder)}](https://huggingface.co/{hub})" if hub else escape(encoder)
    kinds = {record.kind} if info is None else {one.kind for one in info.of_tasks.values()}
    what = " and ".join(text for kind, text in _LABELS.items() if kind in kinds)
    yield f"# {escape(card.name)}"
    yield ""
    yield f"This model {what} (task `{record.task}`). It is {linked}, fine-tuned with labelkit {record.labelkit}."
    for task, one in ({} if info is None else info.of_tasks).items():
        if one.schema.numeric:
            continue
        names = one.schema.types or one.schema.labels
        several = " A text may have several labels." if one.schema.multilabel else ""
        yield ""
        listed = ", ".join(escape(name) for name in names[:MOST_TYPES])
        more = f" and {len(names) - MOST_TYPES:,} more" if len(names) > MOST_TYPES else ""
        of_task = f" of `{task}`" if info is not None and info.others else ""
        yield f"Its {'types' if one.schema.types else 'labels'}{of_task}: {listed}{more}.{several}"
    if record.synthetic:
        yield ""
        yield "It was trained on synthetic text: its scores say nothing about real text."


def _scores(card: ModelCard) -> Iterator[str]:
    if not card.scores:
        return
    yield "## Scores"
    yield ""
    yield "Scores of the published checkpoint, with 95% bootstrap confidence intervals where they were computed."
    yield ""
    order = {"test": 0, "validation": 1}
    for split, tasks in sorted(card.scores.items(), key=lambda item: order.get(item[0], 2)):
        for task, figures in tasks.items():
            yield from _split_scores(card, split, task, figures)


def _split_scores(card: ModelCard, split: str, task: str, figures: Mapping[str, Any]) -> Iterator[str]:
    run = card.of_task(task).record
    record = next((one for one in run.splits if one.split == split), None)
    several = f", {escape(task)}" if "+" in card.details.record.task else ""
    yield f"### {split.capitalize()}{several}"
    yield ""
    how = ", ".join(f"{name} {escape(figures[name])}" for name in _HOW if figures.get(name))
    size = f" of {record.examples:,} examples" if record else ""
    unit = "words" if run.kind == "token" else "texts"
    yield f"Scorer: {escape(run.metric)}{f' ({how})' if how else ''}, on all gold {unit}{size}."
    if split == "validation":
        yield "The checkpoint was selected by these scores: they are higher than those of new text tend to be."
    if repaired := figures.get("repaired"):
        yield f"{int(repaired):,} invalid tag transitions were repaired before scoring."
    yield ""
    names = [name for name in _WHOLE if isinstance(figures.get(name), int | float)]
    yield from table(
        ("score", "value", "95% CI"), [(name, _number(figures[name]), _interval(figures, name)) for name in names]
    )
    rows = []
    per_type, left_out = most_frequent_types(figures.get(PER_TYPE) or {})
    for type_, row in per_type.items():
        found = [_number(row.get(name)) for name in _PER_TYPE]
        support = row.get("support")
        rows.append((type_, *found, _interval(figures, "f1", type_), "" if support is None else f"{int(support):,}"))
    yield from table(("type", *_PER_TYPE, "f1 95% CI", "support"), rows)
    if left_out:
        yield f"{left_out:,} rarer types are left out."
        yield ""


def _data(card: ModelCard) -> Iterator[str]:
    splits = card.details.record.splits
    if not splits:
        return
    yield "## Data"
    yield ""
    rows = []
    for one in splits:
        held = " (held out of train)" if one.carved else ""
        name = data_name(one.ref)
        revision = f"@{name.revision[:12]}" if name.revision else ""
        rows.append(
            (one.split, f"{name.name}{revision}{held}", f"{one.examples:,}", f"{one.words:,}", one.content_hash)
        )
    yield from table(("split", "data", "examples", "words", "content hash"), rows, right=2)
    licences = {data_name(one.ref).name: card.data_licences.get(data_name(one.ref).name) for one in splits}
    for source, licence in licences.items():
        yield f"Licence of {escape(source)}: {escape(licence) if licence else 'not recorded'}."
    for assumption in card.details.record.assumptions:
        if not any(map(is_local_path, assumption.text.split())):
            yield f"Assumed: {escape(assumption.text)}"


def _leakage(card: ModelCard) -> Iterator[str]:
    run = card.details
    if card.split("test") is None:
        return
    yield "## Leakage"
    yield ""
    if run.test_seen:
        yield f"The test split has the same content as {' and '.join(run.test_seen)}: its scores are not test scores."
    times = {0: "never", 1: "once"}.get(run.test_scored, f"{run.test_scored:,} times")
    yield f"The test split was scored {times} by the runs of its registry. The checkpoint was selected on validation."
    hashes = {one.content_hash for one in run.record.splits if one.split == "test"}
    measured = [one for one in run.evaluations if one.content_hash in hashes and "test_score" in one.metrics]
    if measured:
        shared = {name: int(measured[-1].metrics.get(f"seen_{name}") or 0) for name in ("train", "validation")}
        found = ", ".join(f"{number:,} are in {name}, too" for name, number in shared.items())
        yield f"Of its {measured[-1].examples:,} examples, {found}."
    else:
        yield "How many of its examples are in train, too, was not measured; `labelkit evaluate` does that."


def _training(card: ModelCard) -> Iterator[str]:
    run = card.details
    record = run.record
    yield "## Training"
    yield ""
    encoder, hub = model_name(run)
    revision = f" at revision {record.model_revision}" if hub and record.model != "bundled" else ""
    weights = f", weights sha256 `{record.model_sha256}`" if record.model_sha256 else ""
    yield f"- Encoder: {escape(encoder)}{revision}{weights}"
    recipe = escape(record.recipe.replace("\\", "/").rpartition("/")[2]) if record.recipe else "none"
    better = "highest" if record.higher_is_better else "lowest"
    yield f"- Recipe {recipe}, seed {record.seed}"
    yield f"- Checkpoint: {better} {record.metric_key} ({escape(record.metric)}) on validation" + (
        f", step {card.info.step:,}, epoch {card.info.epoch:g}" if card.info else ""
    )
    if record.device_type:
        yield f"- Hardware: {record.device_count} × {escape(record.device_name)}, precision {record.precision}"
    if run.seconds is not None:
        yield f"- Duration: {run.seconds:,.0f} s"
    libraries = [f"{one.name} {one.version}" for one in record.versions if one.name in ("torch", "transformers")]
    yield f"- Software: labelkit {record.labelkit}, Python {record.python}, {', '.join(libraries)}"
    yield ""
    rows = [(one.key, one.text, one.origin) for one in record.plan if _shown_setting(one.key, one.text, one.origin)]
    yield from table(
        ("setting", "value", "from"), [(key, text, _origin(origin)) for key, text, origin in rows], right=9
    )


def _calibration(card: ModelCard) -> Iterator[str]:
    infos = {} if card.info is None else card.info.of_tasks
    temperatures = {task: one.temperature for task, one in infos.items() if not one.schema.numeric}
    if not temperatures:
        return
    yield "## Calibration"
    yield ""
    fitted = [
        f"{value:.4f}{f' for `{task}`' if len(infos) > 1 else ''}"
        for task, value in temperatures.items()
        if value != 1.0
    ]
    if fitted:
        yield (
            f"Confidences are calibrated by a temperature of {', '.join(fitted)}, fitted on validation. labelkit "
            "applies it; transformers alone does not."
        )
    else:
        yield "Confidences are those of the model: no temperature is applied."
    errors = [
        (
            f"{split}, {task}" if len(infos) > 1 else split,
            _number(figures["ece"]),
            _number(figures.get("ece_calibrated")),
        )
        for split, tasks in card.scores.items()
        for task, figures in tasks.items()
        if isinstance(figures.get("ece"), float)
    ]
    yield ""
    yield from table(("split", "expected calibration error", "calibrated"), errors)


def _coverage(card: ModelCard) -> Iterator[str]:
    yield "## Coverage"
    yield ""
    if card.details.record.kind == "token":
        yield "labelkit gives exactly one label to each word of any input. Spans are slices of the given text."
    else:
        yield "labelkit labels each text as a whole, however long it is."
    if card.info is not None:
        yield (
            f"Input longer than {card.info.max_length:,} subwords is cut into windows that overlap by "
            f"{card.info.overlap:,}: nothing is truncated. transformers alone truncates, or fails."
        )
    yield "What got a fallback label (words without subwords, blank input) is counted in the output's `coverage`."


def _limits(card: ModelCard) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "- The model knows no labels but those above."
    yield "- On text unlike its training data it is less exact than its scores say."
    if card.details.record.synthetic:
        yield "- Its training text is synthetic. Use it for trials only."
    test = next(iter(card.scores.get("test", {}).values()), {})
    rare = [
        f"{escape(type_)} ({int(row['support'])})"
        for type_, row in (test.get(PER_TYPE) or {}).items()
        if isinstance(row.get("support"), int | float) and row["support"] < _FEW
    ]
    if rare:
        yield f"- Few test examples, so that scores say little: {', '.join(rare)}."
    missed = [
        escape(type_)
        for type_, row in (test.get(PER_TYPE) or {}).items()
        if row.get("recall") == 0 and row.get("support")
    ]
    if missed:
        yield f"- Never found in the test split: {', '.join(missed)}."
    if "test" not in card.scores:
        yield "- It was not scored on a test split."


def _use(card: ModelCard) -> Iterator[str]:
    token = card.details.record.kind == "token"
    folder = card.reference if card.repository else f"./{card.name}"
    reference = f"hub:{card.repository}" if card.repository else folder
    text, second = '"Ada Lovelace lived in London."', '"Ada lived in England."'
    pairs = card.info is not None and card.info.pairs
    given, theirs = text, text
    if pairs:
        given, theirs = f"labelkit.TextPair({text}, {second})", f'{{"text": {text}, "text_pair": {second}}}'
    yield "## Use"
    yield ""
    yield "With labelkit, which keeps words, offsets and confidences as they were scored:"
    yield ""
    yield from _code("bash", f"labelkit label {reference} --text {text}{f' --pair {second}' if pairs else ''}")
    yield from _code(
        "python",
        "import labelkit",
        "",
        f'labeller = labelkit.load("{reference}")',
        f"labeller.label({given})",
    )
    if card.info is not None and card.info.head != "linear":
        yield f"transformers alone applies the linear layer only, not the head `{escape(card.info.head)}`."
        yield ""
    else:
        aggregate = ', aggregation_strategy="simple"' if token else ""
        call = f'label = pipeline("{card.pipeline}", model="{folder}"{aggregate})'
        yield "With transformers:"
        yield ""
        yield from _code("python", "from transformers import pipeline", "", call, f"label({theirs})")
        if card.info is not None and card.info.decoder not in _LIKELIEST:
            yield (
                f"transformers takes each word's likeliest label. labelkit decodes with `{escape(card.info.decoder)}`, "
                "as in the scores above: labels may differ where likeliest labels do not fit the tagging scheme."
            )
            yield ""
    if card.onnx:
        yield f"With ONNX Runtime: {', '.join(f'`{one}`' for one in card.onnx)} give the logits of the model."
        yield ""
        yield from _code(
            "python",
            "import onnxruntime",
            "from transformers import AutoTokenizer",
            "",
            f'tokenizer = AutoTokenizer.from_pretrained("{folder}")',
            f'session = onnxruntime.InferenceSession("{card.onnx[0]}")',
            'encoded = tokenizer("Ada Lovelace lived in London.", return_tensors="np")',
            "inputs = {one.name: encoded[one.name].astype(one.type[7:-1]) for one in session.get_inputs()}",
            'logits = session.run(["logits"], inputs)[0]',
        )


def _reproduce(card: ModelCard) -> Iterator[str]:
    record = card.details.record
    yield "## Reproduce"
    yield ""
    yield f"The run is `{record.id}`. In the registry that recorded it, `labelkit runs repeat {record.id}` trains it"
    yield "again and compares the results. Elsewhere, with the data of the hashes above:"
    yield ""
    given = [one for one in record.plan if one.key.startswith(_SETTINGS) and one.origin.startswith("--")]
    sets = [f"--set {one.key}={one.text}" for one in given if not is_local_path(one.text)]
    parts = [f"labelkit run {record.task}", f"--data '{data_name(record.data).name}'", f"--seed {record.seed}"]
    data = data_name(record.data)
    if data.hub:
        parts[1] = f"--data hub:{data.hub}" + (f"@{data.revision}" if data.revision else "")
    encoder, hub = model_name(card.details)
    model = "bundled" if record.model == "bundled" else hub or encoder
    recipe = [f"--recipe {record.recipe}"] if record.recipe and not {"/", "\\"} & set(record.recipe) else []
    yield from _code("bash", " ".join([*parts, f"--model {model}", *recipe, *sets]))


def _code(language: str, *lines: str) -> Iterator[str]:
    yield f"```{language}"
    yield from lines
    yield "```"
    yield ""


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "–"


def _interval(figures: Mapping[str, Any], name: str, type_: str | None = None) -> str:
    found = interval_of(figures, name, type_)
    return f"{found[0]:.4f} to {found[1]:.4f}" if found else ""


def _shown_setting(key: str, text: str, origin: str) -> bool:
    """Return whether the card lists a setting: those that are not defaults, and name nothing of this machine."""
    return origin != "default" and key not in _PATHS and not any(map(is_local_path, text.split(",")))


def _origin(origin: str) -> str:
    return origin if not any(map(is_local_path, origin.split())) else "recipe"
