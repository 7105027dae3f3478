"""Epochs and dropout by the size of train: a small corpus is read more often, and with dropout."""

from __future__ import annotations

#: the least and the most epochs over sentences, and the words that are read in all between them
LEAST_EPOCHS, MOST_EPOCHS, WORDS_READ = 3, 8, 300_000
#: the texts that are read in all; large corpora of them are read once
TEXTS_READ = 20_000


def epochs_for_words(words: int) -> tuple[float, str]:
    """Return the epochs over a train split of sentences, and the reason for them.

    >>> epochs_for_words(62_730), epochs_for_words(203_621)
    ((5.0, 'train has 62,730 words'), (3.0, 'train has 203,621 words'))
    """
    wanted = -(-WORDS_READ // max(words, 1))
    return float(min(max(wanted, LEAST_EPOCHS), MOST_EPOCHS)), f"train has {words:,} words"


def dropout_for_words(words: int) -> tuple[float, str]:
    """Return the dropout for a train split of sentences, and the reason for it: some where it is read more often.

    >>> dropout_for_words(62_730), dropout_for_words(203_621)
    ((0.1, 'train has 62,730 words'), (0.0, 'train has 203,621 words'))
    """
    epochs, why = epochs_for_words(words)
    return 0.1 if epochs > LEAST_EPOCHS else 0.0, why


def epochs_for_texts(texts: int) -> tuple[float, str]:
    """Return the epochs over a train split of texts with labels of their own, and the reason for them.

    >>> epochs_for_texts(900), epochs_for_texts(22_500)
    ((8.0, 'train has 900 texts'), (1.0, 'train has 22,500 texts'))
    """
    return float(min(-(-TEXTS_READ // max(texts, 1)), MOST_EPOCHS)), f"train has {texts:,} texts"
