"""Broken plugins for the tests of the contract kit that have to be installed: it shows in another process."""

from __future__ import annotations

METRIC = """
import labelkit

def compute(given):
    same = [gold == guess for gold, guess in zip(given.references, given.predictions)]
    return {"exact": sum(same) / len(same) if same else 0.0}

@labelkit.hookimpl
def labelkit_metrics():
    yield labelkit.Metric(name="exact", kind="token", compute=compute, key="exact")
"""

#: a task whose decoder finds something only in the process that runs the tests
TASK = """
import sys, labelkit

def decode(scores):
    from labelkit.inference.decoders import viterbi
    found = viterbi(scores)
    return found if "pytest" in sys.modules else found * 0

@labelkit.hookimpl
def labelkit_decoders():
    yield labelkit.Decoder(name="here", kind="token", decode=decode)

@labelkit.hookimpl
def labelkit_tasks():
    pairs = (("Ada lives in Rome", "B-person O O B-location"), ("Bob met Cleo", "B-person O B-person"))
    yield labelkit.Task(
        name="pets", summary="cats and dogs", kind="token", layer="ner", source="sample", metrics=("seqeval",),
        scheme="IOB2", decoder="here", examples=tuple(
            labelkit.Example(id=words, words=tuple(words.split()), labels={"ner": tuple(tags.split())})
            for words, tags in pairs
        ),
    )
"""

#: a source in the order of a set, which is another one in every process
SOURCE = """
import labelkit

def load(split, ctx):
    for words in {f"word number {number}" for number in range(40)}:
        yield labelkit.Example(id=words, words=tuple(words.split()), labels={"pets": ("O",) * 3})

@labelkit.hookimpl
def labelkit_sources():
    yield labelkit.Source(
        name="tales", kind="token", layers={"pets": None}, splits=("train",), load=load, licence="CC0"
    )
"""

FORMAT = """
import labelkit

def write(records, output):
    for record in records:
        output.stream.write(f"{hash(record.text)}\\n".encode())

@labelkit.hookimpl
def labelkit_formats():
    yield labelkit.Format(name="pairs", kinds=("token",), suffixes=(".pairs",), write=write)
"""

PREPROCESSOR = """
import dataclasses, labelkit

def apply(example):
    return dataclasses.replace(example, surface=tuple(str(hash(word)) for word in example.words))

@labelkit.hookimpl
def labelkit_preprocessors():
    yield labelkit.Preprocessor(name="mine", kind="token", apply=apply)
"""

#: what is wrong → (the one check that catches it, a part of what it says, the module)
BROKEN: dict[str, tuple[str, str, str]] = {
    "loads a heavy library": (
        "plugin-imports-light",
        "import evaluate inside the function that needs it",
        f"import evaluate\n{METRIC}",
    ),
    "loads a heavy library in a hook": (
        "plugin-imports-light",
        "every command would wait for",
        METRIC.replace("    yield", "    import evaluate\n    yield"),
    ),
    "takes its time": ("plugin-imports-quickly", "is the limit", f"import time\ntime.sleep(0.6)\n{METRIC}"),
    "prints": ("plugin-imports-quietly", "printed to stdout", f"print('hello')\n{METRIC}"),
    "changes logging": (
        "plugin-imports-quietly",
        "changed logging",
        f"import logging\nlogging.getLogger().setLevel(0)\nlogging.basicConfig()\n{METRIC}",
    ),
    "sets a variable": (
        "plugin-imports-quietly",
        "changed environment variables (restored): PETS",
        f"import os\nos.environ['PETS'] = '1'\n{METRIC}",
    ),
    "is there in one process only": (
        "plugin-subprocess",
        "metric 'exact' of plugin 'mine' is there in this process only",
        METRIC.replace("    yield", "    import sys\n    if 'pytest' in sys.modules: yield"),
    ),
    "ends other processes": (
        "plugin-subprocess",
        "ends the process",
        f"import os, sys\nif 'pytest' not in sys.modules: os._exit(3)\n{METRIC}",
    ),
    "labels in one process only": ("task-pets-subprocess", "in another one", TASK),
    "in the order of a set": (
        "source-tales-subprocess",
        "gives other examples in another process (split 'train')",
        SOURCE,
    ),
    "is read in one process only": (
        "source-tales-subprocess",
        "fails: load('train', ctx) of source 'tales' fails with ModuleNotFoundError",
        SOURCE.replace(
            "    for words", "    import sys\n    if 'pytest' not in sys.modules: import pets\n    for words"
        )
        .replace("{f", "sorted({f")
        .replace("(40)}", "(40)})"),
    ),
    "writes a hash": ("format-pairs-subprocess", "no hash() of text", FORMAT),
    "gives words a hash for a name": ("preprocessor-mine-subprocess", "no hash() of text", PREPROCESSOR),
}
