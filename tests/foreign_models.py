"""Models as other programs leave them: classifiers of transformers without a ``labelkit.json``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelkit.models.loading import silence_transformers

Names = Sequence[str]


def classifier(encoder: Path, folder: Path, names: Names, *, kind: str = "token", seed: int = 1) -> Path:
    """Save a classifier with random weights, whose labels vary from word to word, as ``save_pretrained`` writes it."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

    auto: Any = AutoModelForTokenClassification if kind == "token" else AutoModelForSequenceClassification
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}
    with torch.random.fork_rng(), silence_transformers():
        torch.manual_seed(seed)
        tokenizer = AutoTokenizer.from_pretrained(encoder)
        model = auto.from_pretrained(encoder, num_labels=len(names), pad_token_id=tokenizer.pad_token_id, **labels)
        with torch.no_grad():
            for name, weights in model.named_parameters():
                if weights.ndim > 1 and len(weights) == len(names) and "embedding" not in name:
                    weights.normal_(std=3)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def train_with_a_plain_script(encoder: Path, folder: Path, *, steps: int) -> Path:
    """Train a model of named entities as a short script of transformers does, and save it in ``folder``."""
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
    )

    from labelkit.sample import sentences

    examples = [(list(one.words or ()), one.labels["ner"]) for one in sentences(steps * 8)]
    names = sorted({label for _, labels in examples for label in labels})
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    rows = []
    for words, labels in examples:
        row = tokenizer(words, is_split_into_words=True, truncation=True, max_length=64)
        owners = row.word_ids()
        first = [owner is not None and owner not in owners[:at] for at, owner in enumerate(owners)]
        row["labels"] = [
            names.index(labels[owner]) if begins else -100 for owner, begins in zip(owners, first, strict=True)
        ]
        rows.append(row)
    model: Any = AutoModelForTokenClassification.from_pretrained(
        encoder, num_labels=len(names), id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)}
    )
    arguments = TrainingArguments(
        str(folder / "trainer"), max_steps=steps, learning_rate=5e-4, report_to=[], save_strategy="no", use_cpu=True
    )
    Trainer(model, arguments, DataCollatorForTokenClassification(tokenizer), rows).train()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def foreign_copy(checkpoint: Path, folder: Path, **changes: Any) -> Path:
    """Copy a checkpoint without ``labelkit.json``, with other values in its config.json; None removes one."""
    shutil.copytree(checkpoint, folder)
    (folder / "labelkit.json").unlink()
    change_config(folder, **changes)
    return folder


def change_config(folder: Path, **changes: Any) -> None:
    """Change values in config.json; None removes one."""
    path = folder / "config.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
