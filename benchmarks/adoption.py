"""Time to label a sentence with an adopted model against a run of ours, from the command line, in turn.

The adopted model and the run have an ONNX model beside them, and label without torch. The folder that was not adopted
has none: torch labels with it, and with the run that it is compared with.

Both are the bundled encoder trained on the sample corpus; the adopted one was trained by a plain Trainer script as the
Hugging Face guide has it (``is_split_into_words``, first subword), and saved by ``Trainer.save_model``. Its labels are
compared with those of ``transformers.pipeline`` on 1,000 raw texts.

    python benchmarks/adoption.py [PAIRS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import labelkit
from labelkit.models.references import resolve_bundled
from labelkit.records import Example, LoadContext
from labelkit.sample import sentences

TEXT = "Ada Lovelace was born in London and worked with Charles Babbage."
STEPS, BATCH, TEXTS = 40, 16, 1000


def train(folder: Path) -> None:
    """Fine-tune the bundled encoder as a guide's script does."""
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
    )

    examples = list(sentences(STEPS * BATCH))
    names = sorted({label for one in examples for label in one.labels["ner"]})
    encoder = resolve_bundled("", LoadContext()).folder
    tokenizer = AutoTokenizer.from_pretrained(encoder, model_max_length=512)
    ids = {name: index for index, name in enumerate(names)}
    model = AutoModelForTokenClassification.from_pretrained(encoder, id2label=dict(enumerate(names)), label2id=ids)

    def encode(example: Example) -> dict[str, Any]:
        found = tokenizer(list(example.words or ()), is_split_into_words=True, truncation=True)
        words, before, labels = found.word_ids(), None, []
        for word in words:
            first = word is not None and word != before
            labels.append(ids[example.labels["ner"][word]] if first else -100)
            before = word
        return {**found, "labels": labels}

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"), max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=3e-4,
        save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    collator = DataCollatorForTokenClassification(tokenizer)
    data: Any = [encode(example) for example in examples]
    trainer = Trainer(model, arguments, train_dataset=data, data_collator=collator, processing_class=tokenizer)
    trainer.train()
    trainer.save_model(str(folder / "model"))


def compare(folder: Path) -> tuple[int, int]:
    """Return how many words of raw texts have the pipeline's label, and how many there are."""
    from transformers import pipeline

    labeller, piped = labelkit.load(folder), pipeline("token-classification", str(folder), ignore_labels=[])
    texts = [" ".join(one.words or ()) for one in sentences(TEXTS, split="test")]
    batch = labeller.prepare([Example(id=str(number), text=text) for number, text in enumerate(texts)])
    ids = iter(labeller.compute(batch).scores.values.argmax(axis=-1).tolist())
    same = words = 0
    for example, text in zip(batch.examples, texts, strict=True):
        found: Any = piped(text)
        for start, end in example.offsets or ():
            first = next(one for one in found if one["start"] < end and one["end"] > start)
            same += first["entity"] == labeller.labels[next(ids)]
            words += 1
    return same, words


def seconds(home: Path, reference: str, engine: str) -> float:
    """Return how long ``labelkit label REFERENCE --text`` takes."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "labelkit", "label", reference, "--text", TEXT, "--engine", engine]
    subprocess.run(command, env={**os.environ, "LABELKIT_HOME": str(home)}, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the figures."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as place:
        home, folder = Path(place) / "home", Path(place)
        train(folder)
        same, words = compare(folder / "model")
        print(f"the pipeline's label on {same:,} of {words:,} words in {TEXTS:,} texts")
        labelkit.run("ner", model="bundled", max_steps=20, home=home, name="ours")
        adopt = [sys.executable, "-m", "labelkit", "adopt", str(folder / "model"), "--name", "theirs"]
        subprocess.run(adopt, env={**os.environ, "LABELKIT_HOME": str(home)}, check=True, capture_output=True)
        compared = {
            "run": ("ours", "auto"),
            "adopted": ("theirs", "auto"),
            "run, torch": ("ours", "torch"),
            "folder": (str(folder / "model"), "torch"),
        }
        taken = [{name: seconds(home, *one) for name, one in compared.items()} for _ in range(pairs)]
        for name, base in {"adopted": "run", "folder": "run, torch"}.items():
            own, other = (statistics.median(one[each] for one in taken) for each in (base, name))
            ratio = statistics.median(one[name] / one[base] for one in taken)
            print(f"{name}: median {other:.2f} s; {base}: {own:.2f} s; median ratio of the pairs {ratio:.2f}")


if __name__ == "__main__":
    main()
