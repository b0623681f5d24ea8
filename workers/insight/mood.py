"""How likely the writer of a few words is unhappy, indifferent or happy.

A small linear head adds up what each word and each pair of words says (weights in ``data/sentiment_weights.json``)
and what the hand-written lexicon and the rules of :mod:`workers.insight.polarity` find: negation, contrast,
emphasis, irony.
"""

import math
from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import repeat
from operator import mul
from typing import Final, NamedTuple

from workers.insight.phrases import load
from workers.insight.polarity import FIGURES, figures, polarity
from workers.insight.tokens import Tokens, tokenize

__all__ = ["EVIDENCE", "Chances", "chances", "known_words", "mood_of"]

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
        figures: what :func:`workers.insight.polarity.figures` says.
    """

    chances: Chances
    figures: tuple[float, ...]

    @property
    def evidence(self) -> tuple[float, ...]:
        """The figures and the chances of negative and positive, for judgements that build on the mood."""
        return (*self.figures, self.chances.negative, self.chances.positive)


class _Head(NamedTuple):
    """Log-odds against neutral: negative in the real part and positive in the imaginary one, to add up both at once.

    Attributes:
        bias: of any text.
        figures: of each figure.
        said: of a name or a pair.
        values: polarity of single words.
    """

    bias: complex
    figures: tuple[complex, ...]
    said: Mapping[str, complex]
    values: Mapping[str, float]


@cache
def _head() -> _Head:
    data = load("sentiment_weights")
    said: dict[str, complex] = {}
    for word, written in data["words"].items():
        bad, good, denied_bad, denied_good = (int(value) / 10 for value in written.split())
        said[word] = complex(bad, good)
        said[f"~{word}"] = complex(denied_bad, denied_good)
    for first, written in data["pairs"].items():
        listed = iter(written.split())
        for second, bad, good in zip(listed, listed, listed, strict=True):
            said[f"{first} {second}"] = complex(int(bad) / 10, int(good) / 10)
    return _Head(
        bias=complex(*data["bias"]),
        figures=tuple(map(complex, *data["figures"])),
        said=said,
        values=polarity(data["prior"]),
    )


@cache
def known_words() -> frozenset[str]:
    """The words that the head has learned something of, each as it is and not as a denied one."""
    return frozenset(name for name in _head().said if " " not in name and not name.startswith("~"))


@lru_cache(maxsize=1_024)
def mood_of(text: str) -> Mood | None:
    """Judge a piece of text that is said in one breath, a sentence or a short message; None if it holds nothing."""
    tokens = tokenize(text)
    if not tokens.texts:
        return None
    head = _head()
    of = head.said.get
    total = sum(map(mul, map(of, tokens.names, repeat(0)), tokens.weights)) + sum(map(of, tokens.pairs, repeat(0)))
    seen = figures(tokens, head.values)
    total = total / len(tokens.texts) ** 0.5 + head.bias + sum(map(mul, seen, head.figures))
    return Mood(chances(total.real, total.imag, tokens), seen)


def chances(negative: float, positive: float, tokens: Tokens) -> Chances:
    """The chances that log-odds against neutral stand for, given what kind of text it is."""
    neutral = _STATEMENT if _MATTERS.isdisjoint(tokens.texts) else _MATTER
    top = max(negative, positive, neutral)
    odds = math.exp(negative - top), math.exp(neutral - top), math.exp(positive - top)
    total = sum(odds)
    return Chances(odds[0] / total, odds[1] / total, odds[2] / total)
