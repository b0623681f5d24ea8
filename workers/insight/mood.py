"""How likely the writer of a few words is unhappy, indifferent or happy.

A small linear head adds up what each word and each pair of words says (weights in ``data/sentiment_weights.json``)
and what the hand-written lexicon and the rules of :mod:`workers.insight.polarity` find: negation, contrast,
emphasis, irony.
"""

import math
from collections.abc import Collection
from functools import cache, lru_cache
from operator import mul
from typing import Final, NamedTuple

from workers.insight.polarity import FIGURES
from workers.insight.vocabulary import Reading, mood_weights, read

__all__ = ["EVIDENCE", "Chances", "Mood", "chances", "mood_of"]

EVIDENCE: Final = FIGURES + 2
"""How many numbers :attr:`Mood.evidence` holds."""

# Who is asked how it went and states something seldom means nothing by it, and an unhappy customer called
# neutral costs more than the reverse; a question, a request or a plan is another matter.
_STATEMENT, _MATTER = -0.9, 0.0
_MATTERS = frozenset(["?", "?!", "<user>", "<link>", "please", "rt", "today", "tomorrow", "tonight"])


class Chances(NamedTuple):
    """How likely each class is; they add up to 1."""

    negative: float
    neutral: float
    positive: float


class Mood(NamedTuple):
    """The mood of a text.

    Attributes:
        chances: of the three classes.
        reading: what its words say, of the mood and of all else that was learned of them.
    """

    chances: Chances
    reading: Reading

    @property
    def evidence(self) -> tuple[float, ...]:
        """The figures and the chances of negative and positive, for judgements that build on the mood."""
        return (*self.reading.figures, self.chances.negative, self.chances.positive)


class _Head(NamedTuple):
    """Log-odds of a negative mood against a neutral one, and of a positive one, of any text, and of each figure."""

    bias: complex
    figures: tuple[complex, ...]


@cache
def _head() -> _Head:
    data = mood_weights()
    return _Head(complex(*data["bias"]), tuple(map(complex, *data["figures"])))


# A mail's sentences are asked for their mood and for their signals, one after the other.
@lru_cache(maxsize=1_024)
def mood_of(text: str) -> Mood | None:
    """Judge a piece of text that is said in one breath, a sentence or a short message; None if it holds nothing."""
    reading = read(text)
    if reading is None:
        return None
    head = _head()
    odds = reading.mood / len(reading.texts) ** 0.5 + head.bias + sum(map(mul, reading.figures, head.figures))
    return Mood(chances(odds.real, odds.imag, reading.texts), reading)


def chances(negative: float, positive: float, texts: Collection[str]) -> Chances:
    """The chances that log-odds against neutral stand for, given what kind of text it is.

    Args:
        negative: log-odds.
        positive: log-odds.
        texts: the words and signs of the text.
    """
    neutral = _STATEMENT if _MATTERS.isdisjoint(texts) else _MATTER
    top = max(negative, positive, neutral)
    odds = math.exp(negative - top), math.exp(neutral - top), math.exp(positive - top)
    total = sum(odds)
    return Chances(odds[0] / total, odds[1] / total, odds[2] / total)
