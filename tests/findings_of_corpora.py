"""What ``labelkit data check`` finds in the public corpora, and nothing else.

Each row: check, severity, split, layer of labels, the split it is compared with, count. The counts were taken a second
time from the files themselves, by other code; near-duplicates by comparing sets of word 5-grams in plain Python. Two of
the 512 sub-tokens of a window are special ones: 3,513 of IMDb's test texts need several windows, 3,488 (13.95%) have
more than 512 sub-tokens of their own.
"""

from __future__ import annotations

Row = tuple[str, str, str, str | None, str | None, int]

FINDINGS: dict[str, tuple[Row, ...]] = {
    "wnut17": (
        ("empty", "warning", "validation", None, None, 4),
        ("empty", "warning", "test", None, None, 3),
        ("characters", "warning", "validation", None, None, 2),
        ("markup", "note", "train", None, None, 248),
        ("markup", "note", "test", None, None, 8),
        ("conflicts", "warning", "train", "ner", None, 13),
        ("conflicts", "warning", "validation", "ner", None, 1),
        ("conflicts", "warning", "test", "ner", None, 1),
        ("duplicates", "note", "train", None, None, 103),
        ("duplicates", "note", "validation", None, None, 3),
        ("duplicates", "note", "test", None, None, 7),
        ("near-duplicates", "note", "train", None, None, 6),
        ("balance", "note", "validation", "ner", "train", 290),
        ("subtokens", "warning", "validation", None, None, 4),
        ("subtokens", "warning", "test", None, None, 3),
    ),
    "conll2003": (
        ("types", "note", "train", "pos", "test", 1),
        ("conflicts", "warning", "train", "ner", None, 2),
        ("conflicts", "warning", "validation", "ner", None, 1),
        ("conflicts", "warning", "test", "ner", None, 14),
        ("duplicates", "note", "train", None, None, 1350),
        ("duplicates", "warning", "validation", None, "train", 193),
        ("duplicates", "warning", "test", None, "train", 126),
        ("duplicates", "note", "validation", None, None, 180),
        ("duplicates", "warning", "test", None, "validation", 50),
        ("duplicates", "note", "test", None, None, 269),
        ("near-duplicates", "note", "train", None, None, 16),
        ("near-duplicates", "warning", "validation", None, "train", 1),
        ("near-duplicates", "warning", "test", None, "train", 1),
        ("near-duplicates", "note", "validation", None, None, 4),
        ("near-duplicates", "warning", "test", None, "validation", 1),
        ("near-duplicates", "note", "test", None, None, 3),
        ("balance", "note", "train", "pos", None, 1),
    ),
    "conll2000": (
        ("types", "note", "train", "chunk", "test", 1),
        ("types", "note", "train", "pos", "test", 1),
        ("conflicts", "warning", "train", "chunk", None, 4),
        ("conflicts", "warning", "test", "chunk", None, 2),
        ("duplicates", "note", "train", None, None, 55),
        ("duplicates", "warning", "test", None, "train", 14),
        ("duplicates", "note", "test", None, None, 1),
        ("near-duplicates", "note", "train", None, None, 1),
        ("balance", "note", "train", "chunk", None, 1),
        ("balance", "note", "train", "pos", None, 1),
    ),
    "ud_ewt": (
        ("encoding", "warning", "train", None, None, 1),
        ("characters", "warning", "train", None, None, 1),
        ("types", "note", "train", "xpos", "test", 1),
        ("conflicts", "warning", "train", "pos", None, 5),
        ("conflicts", "warning", "train", "xpos", None, 7),
        ("duplicates", "note", "train", None, None, 810),
        ("duplicates", "warning", "validation", None, "train", 68),
        ("duplicates", "warning", "test", None, "train", 94),
        ("duplicates", "note", "validation", None, None, 88),
        ("duplicates", "warning", "test", None, "validation", 73),
        ("duplicates", "note", "test", None, None, 106),
        ("near-duplicates", "note", "train", None, None, 9),
    ),
    "imdb": (
        ("encoding", "warning", "train", None, None, 811),
        ("encoding", "warning", "test", None, None, 760),
        ("characters", "warning", "train", None, None, 4),
        ("characters", "warning", "test", None, None, 1),
        ("markup", "note", "train", None, None, 14668),
        ("markup", "note", "test", None, None, 14536),
        ("duplicates", "note", "train", None, None, 96),
        ("duplicates", "warning", "test", None, "train", 123),
        ("duplicates", "note", "test", None, None, 199),
        ("near-duplicates", "note", "train", None, None, 15),
        ("near-duplicates", "note", "test", None, None, 15),
        ("order", "note", "train", "label", None, 1),
        ("windows", "note", "train", None, None, 3701),
        ("windows", "note", "test", None, None, 3513),
    ),
}
