"""The sample corpus: synthetic sentences and reviews, made by a program from our own word lists and patterns.

Sentences carry three layers: names (``ner``), parts of speech (``pos``) and chunks (``chunk``); reviews carry a
sentiment. Names and patterns of the test split never occur in train. Scores on it say nothing about real text.

What is a name: persons without their titles, places, organizations (a team named by its city alone, too), products
and events. No names here: days, months, nationalities and languages. A leading "the" stays outside.
"""

from __future__ import annotations

from labelkit.data.sample.corpus import (
    LAYERS,
    REVIEW_SIZES,
    SCHEMAS,
    SIZES,
    load_reviews,
    load_sentences,
    sentences,
)
from labelkit.data.sample.reviews import reviews

__all__ = [
    "LAYERS",
    "REVIEW_SIZES",
    "SCHEMAS",
    "SIZES",
    "load_reviews",
    "load_sentences",
    "reviews",
    "sentences",
]
