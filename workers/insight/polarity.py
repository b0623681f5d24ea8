"""Sum up what the tokens of a message say, good and bad apart, in the figures that sentiment is judged by.

The trainer and the scorer share this module, so that the weights are used on exactly the figures they were
learned from.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
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
_MARKS: Final = frozenset({"!", "?", "?!"})
# Where the sum of what words tell stands, of denied words, of phrases: the good, and the bad behind it.
_WORD: Final = 0
_DENIED: Final = 2
_PHRASE: Final = 4

_NOWHERE: Final[set[int]] = set()

_Tail = tuple[tuple[str, ...], float]


class Lexicon(NamedTuple):
    """Hand-written polarity, -4..4.

    Attributes:
        words: of single words.
        phrases: of two words or more, by the first and the second: what may follow, the longest first, and its value.
        signs: of each phrase the two neighbours that are longest together, hence rarest: by the first the second.
    """

    words: Mapping[str, float]
    phrases: Mapping[str, Mapping[str, tuple[_Tail, ...]]]
    signs: Mapping[str, set[str]]


@cache
def lexicon() -> Lexicon:
    """The lexicon in ``data/sentiment_lexicon.json``, read once."""
    data = load("sentiment_lexicon")
    words = {word: float(value) for value, group in data["words"].items() for word in group}
    phrases = {tuple(p.split()): float(value) for value, group in data["phrases"].items() for p in group}
    tails: dict[str, dict[str, tuple[_Tail, ...]]] = {}
    signs: dict[str, set[str]] = {}
    for (first, second, *rest), value in sorted(phrases.items(), key=lambda item: -len(item[0])):
        known = tails.setdefault(first, {})
        known[second] = (*known.get(second, ()), (tuple(rest), value))
        before, behind = max(pairwise((first, second, *rest)), key=lambda pair: len("".join(pair)))
        signs.setdefault(before, set()).add(behind)
    return Lexicon(words, tails, signs)


def polarity(prior: Mapping[str, float]) -> dict[str, float]:
    """The polarity of every word that says something, -4..4.

    Args:
        prior: of words that the hand-written lexicon, which goes first, does not know.
    """
    return {word: value for word, value in {**prior, **lexicon().words}.items() if value}


def figures(tokens: Tokens, values: Sequence[float | None], *, phrases: bool = True) -> tuple[float, ...]:
    """Describe the polarity of a message in :data:`FIGURES` numbers, each roughly within -2..2.

    Args:
        tokens: of the message.
        values: the polarity of each of them, None for one that :func:`polarity` does not hold.
        phrases: False only if it is known that they hold the sign of no phrase.
    """
    texts = tokens.texts
    sums, told = _told(tokens, values, phrases=phrases)
    good, bad, denied_good, denied_bad, phrase_good, phrase_bad = sums
    highest, lowest = max(told), min(told)
    if OPENER in texts[:OPENER_REACH]:  # a lone word of praise is meant so, or as irony before a complaint
        if lowest < -_IRONY_VALUE / 2 and highest < -lowest:
            phrase_bad += _IRONY_VALUE
            lowest = min(lowest, -_IRONY_VALUE)
        else:
            good += _OPENER_VALUE
            highest = max(highest, _OPENER_VALUE)
    total = good - bad - _NEGATED_SHARE * (denied_good - denied_bad) + phrase_good - phrase_bad
    whole = 2 * total / (total * total + 15) ** 0.5
    root = max(len(texts), 1) ** 0.5
    calls = asks = 0
    if not _MARKS.isdisjoint(texts):
        calls, asks = min(texts.count("!"), 3), min(texts.count("?") + texts.count("?!"), 2)
    return (
        good / root / 2,
        bad / root / 2,
        denied_good / root,
        denied_bad / root,
        phrase_good / root / 2,
        phrase_bad / root / 2,
        highest / 3,
        lowest / 3,
        told[-1] / 3,
        whole,
        whole * calls / 3,  # an exclamation adds to what is said, good or bad
        asks / 2,
        root / 5,
        float(highest < _WEAK and lowest > -_WEAK),
    )


def _told(tokens: Tokens, values: Sequence[float | None], *, phrases: bool) -> tuple[list[float], list[float]]:
    """What words, denied words and phrases tell: summed up, good and bad of each, and one by one behind a 0."""
    begins, values = _phrases(tokens.texts, values) if phrases else (_NOWHERE, values)
    sums = [0.0] * 6
    told = [0.0]
    for position, value in enumerate(values):
        if value:
            kind = _DENIED if tokens.negated[position] else _WORD
            if position in begins and (value <= 0 or kind == _WORD):
                kind = _PHRASE
            tells = value * tokens.weights[position]
            sums[kind + (tells <= 0)] += abs(tells)
            told.append(-_NEGATED_SHARE * tells if kind == _DENIED else tells)
    return sums, told


def _phrases(texts: tuple[str, ...], values: Sequence[float | None]) -> tuple[set[int], Sequence[float | None]]:
    """Where phrases of the lexicon begin, from left to right without overlaps, and the values with theirs.

    The value of a phrase stands at its first word; the others say nothing more.
    """
    begins: set[int] = set()
    values = [*values]
    after = 0
    for position, (seconds, second) in enumerate(zip(map(lexicon().phrases.get, texts), texts[1:], strict=False)):
        if seconds and second in seconds and position >= after:
            end, value = _phrase_at(texts, position + 2, seconds[second])
            if end:
                begins.add(position)
                values[position:end] = [value, *[None] * (end - position - 1)]
                after = end
    return begins, values


def _phrase_at(texts: tuple[str, ...], position: int, tails: tuple[_Tail, ...]) -> tuple[int, float]:
    """End and polarity of the longest phrase whose first two words stand just before, else (0, 0.0)."""
    for tail, value in tails:
        end = position + len(tail)
        if texts[position:end] == tail:
            return end, value
    return 0, 0.0
