"""The number of epochs by the size of train: a small corpus is read more often."""

from __future__ import annotations

#: the least and the most epochs, and the words that are read in all between them
LEAST_EPOCHS, MOST_EPOCHS, WORDS_READ = 3, 8, 500_000


def epochs_for(words: int) -> tuple[float, str]:
    """Return the epochs for a train split, and the reason for them.

    >>> epochs_for(62_730), epochs_for(203_621)
    ((8.0, 'train has 62,730 words'), (3.0, 'train has 203,621 words'))

    :param words: in the train split.
    """
    wanted = -(-WORDS_READ // max(words, 1))
    return float(min(max(wanted, LEAST_EPOCHS), MOST_EPOCHS)), f"train has {words:,} words"
