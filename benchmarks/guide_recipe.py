"""The Hugging Face guides' recipe as a plain script: the yardstick of training.

    LABELKIT_DATA=FOLDER python benchmarks/guide_recipe.py ner wnut17 [--epochs 2] [--lr 2e-5] [--model bundled]

``Trainer`` with its defaults: fp32, batches of 16 in random order padded to their longest, AdamW at 2e-5, inputs cut
off at the encoder's length. It differs from the guides where labelkit's figures could not be compared otherwise:
validation is scored after each epoch and not test, and scores are those of all gold words (what was cut off counts as
O). Only the reading of the corpora is labelkit's. Prints a line of JSON for each epoch and one for test, with seconds
since the process began.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelkit import Example, LoadContext
from labelkit.models.references import resolve
from labelkit.plugins.catalog import Catalog


def began() -> float:
    """Return how many seconds ago this process began, where the system says so."""
    try:
        fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


STARTED = time.perf_counter() - began()


def say(event: str, **figures: Any) -> None:
    """Print what happened and when."""
    line = json.dumps({"event": event, "at": round(time.perf_counter() - STARTED, 2), **figures})
    print(line, file=sys.__stdout__, flush=True)  # whoever redirects stdout does not mean these


class Rows:
    """Examples as the model takes them: ids, and a label on the first sub-token of each word or one for a text."""

    def __init__(self, examples: Sequence[Example], layer: str, names: Sequence[str], tokenizer: Any) -> None:
        index = {name: position for position, name in enumerate(names)}
        self.words: list[list[int | None]] = []
        self.rows: list[dict[str, Any]] = []
        for one in examples:
            gold = one.labels[layer]
            if isinstance(gold, str):
                self.rows.append({**tokenizer(one.text, truncation=True), "labels": index[gold]})
                continue
            encoded = tokenizer(list(one.words or ()), is_split_into_words=True, truncation=True)
            ids, labels, before = encoded.word_ids(), [], None
            for word in ids:
                labels.append(-100 if word is None or word == before else index[gold[word]])
                before = word
            self.words.append(ids)
            self.rows.append({**encoded, "labels": labels})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self.rows[position]


def word_labels(rows: Rows, logits: Any, gold: Sequence[Sequence[str]], names: Sequence[str]) -> list[list[str]]:
    """Return a label for each gold word: that of its first sub-token, O where it was cut off."""
    found = [["O"] * len(labels) for labels in gold]
    for row, scores, ids in zip(found, logits, rows.words, strict=True):
        before = None
        for position, word in enumerate(ids):
            if word is not None and word != before:
                row[word] = names[int(scores[position].argmax())]
            before = word
    return found


def score(rows: Rows, logits: Any, gold: Sequence[Any], names: Sequence[str]) -> dict[str, float]:
    """Return F1 where labels are entities or chunks, else accuracy."""
    if isinstance(gold[0], str):
        return {
            "accuracy": sum(names[int(row.argmax())] == label for row, label in zip(logits, gold, strict=True))
            / len(gold)
        }
    found = word_labels(rows, logits, gold, names)
    pairs = [pair for one, other in zip(found, gold, strict=True) for pair in zip(one, other, strict=True)]
    figures = {"accuracy": sum(one == other for one, other in pairs) / len(pairs)}
    if any(name.startswith("B-") for name in names):
        from seqeval.metrics import f1_score

        figures["f1"] = float(f1_score([list(labels) for labels in gold], found))
    return figures


def main() -> None:
    """Train, score validation after each epoch and test at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("ner", "pos", "chunk", "textcls"))
    parser.add_argument("data", help="a source of labelkit")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--lr", type=float, default=2e-5)
    parser.add_argument("--max-steps", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=42)
    asked = parser.parse_args()

    catalog = Catalog.load()
    ctx = LoadContext(root=Path(os.environ["LABELKIT_DATA"]))
    source, layer = catalog.find("source", asked.data), catalog.find("task", asked.task).layer
    splits = {name: list(source.load(name, ctx)) for name in source.splits if name in ("train", "validation", "test")}
    if "validation" not in splits:  # as labelkit does where there is none: a tenth of train
        import random

        random.Random(asked.seed).shuffle(splits["train"])
        tenth = len(splits["train"]) // 10
        splits["validation"], splits["train"] = splits["train"][:tenth], splits["train"][tenth:]
    say("read", **{name: len(examples) for name, examples in splits.items()})

    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    set_seed(asked.seed)
    folder = str(resolve(asked.model, catalog.encoders, ctx).folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    if tokenizer.backend_tokenizer.truncation:  # some folders cut at 128 and pad everything to it
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    learned = [example.labels[layer] for example in splits["train"]]
    labels = {label for row in learned for label in ([row] if isinstance(row, str) else row)}
    names = sorted(labels, key=lambda label: (label != "O", label[2:], label))
    token = splits["train"][0].words is not None
    head: Any = AutoModelForTokenClassification if token else AutoModelForSequenceClassification
    model = head.from_pretrained(folder, num_labels=len(names), id2label=dict(enumerate(names)))
    tokenizer.model_max_length = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    rows = {name: Rows(examples, layer, names, tokenizer) for name, examples in splits.items()}
    gold = {name: [example.labels[layer] for example in examples] for name, examples in splits.items()}
    subtokens = sum(len(row["input_ids"]) for row in rows["train"].rows)

    class Epochs(TrainerCallback):
        """Scores validation after each epoch and says how much was trained in how long."""

        spent = 0.0

        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            self.begun = time.perf_counter()

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.spent += time.perf_counter() - self.begun
            figures = score(
                rows["validation"], trainer.predict(rows["validation"]).predictions, gold["validation"], names
            )
            say("epoch", epoch=state.epoch, subtokens_per_second=subtokens * state.epoch / self.spent, **figures)

    with tempfile.TemporaryDirectory() as scratch:
        trainer: Any = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                learning_rate=asked.lr,
                per_device_train_batch_size=16,
                per_device_eval_batch_size=16,
                num_train_epochs=asked.epochs,
                max_steps=asked.max_steps,
                weight_decay=0.01,
                seed=asked.seed,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),
            ),
            train_dataset=rows["train"],
            data_collator=(DataCollatorForTokenClassification if token else DataCollatorWithPadding)(tokenizer),
            callbacks=[Epochs()],
        )
        trainer.train()
        if "test" in splits:
            say("test", **score(rows["test"], trainer.predict(rows["test"]).predictions, gold["test"], names))


if __name__ == "__main__":
    main()
