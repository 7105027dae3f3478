"""The sample corpus: synthetic sentences and reviews, generated from our own word lists and patterns.

Sentences carry three layers: named entities (``ner``), parts of speech (``pos``) and chunks (``chunk``); reviews carry
a sentiment. No name and no pattern of the test split is in train. Scores on it say nothing about real text.

Entities are persons without their titles, places, organizations (also a team named by its city alone), products
and events; days, months, nationalities and languages are not. A leading "the" stays outside of an entity.
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
