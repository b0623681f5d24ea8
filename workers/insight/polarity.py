"""Sum up what the tokens of a message say, good and bad apart, in the figures that sentiment is judged by.

The trainer and the scorer share this module, so that the weights are used on exactly the figures they were
learned from.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from workers.insight.phrases import load
from workers.insight.tokens import OPENER, OPENER_REACH, Tokens

__all__ = ["FIGURES", "figures", "lexicon", "polarity"]

FIGURES: Final = 14
"""How many numbers :func:`figures` returns."""

_OPENER_VALUE: Final = 2.5
_IRONY_VALUE: Final = 1.5
_NEGATED_SHARE: Final = 0.6
_WEAK: Final = 0.5

_Tail = tuple[tuple[str, ...], float]


class Lexicon(NamedTuple):
    """Hand-written polarity, -4..4.

    Attributes:
        words: of single words.
        phrases: of two words or more, by the first and the second: what may follow, the longest first, and its value.
    """

    words: Mapping[str, float]
    phrases: Mapping[str, Mapping[str, tuple[_Tail, ...]]]


@cache
def lexicon() -> Lexicon:
    """The lexicon in ``data/sentiment_lexicon.json``, read once."""
    data = load("sentiment_lexicon")
    words = {word: float(value) for value, group in data["words"].items() for word in group}
    phrases = {tuple(p.split()): float(value) for value, group in data["phrases"].items() for p in group}
    tails: dict[str, dict[str, tuple[_Tail, ...]]] = {}
    for (first, second, *rest), value in sorted(phrases.items(), key=lambda item: -len(item[0])):
        known = tails.setdefault(first, {})
        known[second] = (*known.get(second, ()), (tuple(rest), value))
    return Lexicon(words, tails)


def polarity(prior: Mapping[str, float]) -> dict[str, float]:
    """The polarity of every word that says something, -4..4, and 0 for one that only begins a phrase.

    Args:
        prior: of words that the hand-written lexicon, which goes first, does not know.
    """
    begins = dict.fromkeys(lexicon().phrases, 0.0)
    return begins | {word: value for word, value in {**prior, **lexicon().words}.items() if value}


def figures(tokens: Tokens, values: Sequence[float | None]) -> tuple[float, ...]:
    """Describe the polarity of a message in :data:`FIGURES` numbers, each roughly within -2..2.

    Args:
        tokens: of the message.
        values: the polarity of each of them, None for one that :func:`polarity` does not hold.
    """
    texts, negated, weights = tokens.texts, tokens.negated, tokens.weights
    phrases = lexicon().phrases
    tally = _Tally()
    count, read = len(texts), 0
    for position, value in [(position, value) for position, value in enumerate(values) if value is not None]:
        if position < read:
            continue
        tails = phrases.get(texts[position])
        if tails is not None and position + 1 < count and texts[position + 1] in tails:
            length, whole = _phrase_at(texts, position + 2, tails[texts[position + 1]])
            if length:
                if whole > 0 and negated[position]:
                    tally.word(whole * weights[position], negated=True)
                else:
                    tally.phrase(whole * weights[position])
                read = position + length
                continue
        if value:
            tally.word(value * weights[position], negated[position])
    if OPENER in texts[:OPENER_REACH]:
        tally.opener()
    root = max(count, 1) ** 0.5
    summed = tally.figures(root)
    return (
        *summed,
        summed[-1] * min(texts.count("!"), 3) / 3,  # an exclamation adds to what is said, good or bad
        min(texts.count("?") + texts.count("?!"), 2) / 2,
        root / 5,
        float(tally.highest < _WEAK and tally.lowest > -_WEAK),
    )


def _phrase_at(texts: tuple[str, ...], position: int, tails: tuple[_Tail, ...]) -> tuple[int, float]:
    """Length and polarity of the longest phrase whose first two words stand just before, else (0, 0.0)."""
    for tail, value in tails:
        length = len(tail)
        if texts[position : position + length] == tail:
            return length + 2, value
    return 0, 0.0


class _Tally:
    """Adds up what words and phrases say, good and bad apart."""

    __slots__ = (
        "bad", "denied_bad", "denied_good", "good", "highest", "last", "lowest", "phrase_bad", "phrase_good",
    )  # fmt: skip

    def __init__(self) -> None:
        self.good = self.bad = self.denied_good = self.denied_bad = self.phrase_good = self.phrase_bad = 0.0
        self.highest = self.lowest = self.last = 0.0

    def word(self, value: float, negated: bool) -> None:  # noqa: FBT001 - called for every word
        if negated:
            if value > 0:
                self.denied_good += value
            else:
                self.denied_bad -= value
            value *= -_NEGATED_SHARE
        elif value > 0:
            self.good += value
        else:
            self.bad -= value
        self._peak(value)

    def phrase(self, value: float) -> None:
        if value > 0:
            self.phrase_good += value
        else:
            self.phrase_bad -= value
        self._peak(value)

    def opener(self) -> None:
        """Count a lone word of praise: meant so, or as irony before a complaint."""
        if self.lowest < -_IRONY_VALUE / 2 and self.highest < -self.lowest:
            self.phrase_bad += _IRONY_VALUE
            self.lowest = min(self.lowest, -_IRONY_VALUE)
        else:
            self.good += _OPENER_VALUE
            self.highest = max(self.highest, _OPENER_VALUE)

    def figures(self, root: float) -> tuple[float, ...]:
        denied = self.denied_good - self.denied_bad
        total = self.good - self.bad - _NEGATED_SHARE * denied + self.phrase_good - self.phrase_bad
        return (
            self.good / root / 2,
            self.bad / root / 2,
            self.denied_good / root,
            self.denied_bad / root,
            self.phrase_good / root / 2,
            self.phrase_bad / root / 2,
            self.highest / 3,
            self.lowest / 3,
            self.last / 3,
            2 * total / (total * total + 15) ** 0.5,
        )

    def _peak(self, value: float) -> None:
        if value > self.highest:
            self.highest = value
        elif value < self.lowest:
            self.lowest = value
        self.last = value
