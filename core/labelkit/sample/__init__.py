"""The sample corpus: synthetic sentences and reviews, made by a program from our own word lists and patterns.

Sentences carry three layers: names (``ner``), parts of speech (``pos``) and chunks (``chunk``); reviews carry
a sentiment. No name and no pattern of the test split is in train. Scores on it say nothing about real text.

Names are persons without their titles, places, organizations (also a team named by its city alone), products
and events. Days, months, nationalities and languages are none. A leading "the" stays outside of a name.
"""

from __future__ import annotations

from labelkit.sample.corpus import (
    LAYERS,
    REVIEW_SIZES,
    SCHEMAS,
    SIZES,
    load_reviews,
    load_sentences,
    sentences,
)
from labelkit.sample.reviews import reviews

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
