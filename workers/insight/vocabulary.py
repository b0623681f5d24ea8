"""What each word and each pair of words says to the heads that judge mood and signals.

A text is read once for both, and each of its words is looked up once: all that was learned of it stands together.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from operator import mul
from struct import unpack
from typing import Any, Final, NamedTuple

from workers.insight.phrases import load
from workers.insight.polarity import figures, polarity
from workers.insight.tokens import tokenize

__all__ = ["Reading", "known_words", "mood_weights", "read", "signal_weights", "unpacked"]

# The weights of all signals stand in one number, each in bits of its own, so that a text is added up in one go.
_BITS: Final = 32
_HALF: Final = 1 << (_BITS - 1)  # more than all weights of a text together


@cache
def mood_weights() -> Mapping[str, Any]:
    """What ``training/sentiment.py`` has learned, read once."""
    return load("sentiment_weights")  # type: ignore[no-any-return]


@cache
def signal_weights() -> Mapping[str, Any]:
    """What ``training/signals.py`` has learned, read once."""
    return load("signal_weights")  # type: ignore[no-any-return]


class Said:
    """What a word, a denied word or a pair of words says to each head; two of them are never equal.

    Attributes:
        mood: log-odds against neutral: negative in the real part and positive in the imaginary one.
        signals: a weight for each type of signal, see :func:`unpacked`.
    """

    __slots__ = ("mood", "signals")

    def __init__(self, mood: complex, signals: int) -> None:
        self.mood = mood
        self.signals = signals


class Word(NamedTuple):
    """All that was learned of a word.

    Attributes:
        plain: what it says by itself.
        denied: what it says in the reach of a negation.
        before: what it says together with the word behind it.
        polarity: -4..4, see :func:`workers.insight.polarity.polarity`; None if it has none.
    """

    plain: Said
    denied: Said
    before: dict[str, Said]
    polarity: float | None


class Reading(NamedTuple):
    """What the words of a text say, added up.

    Attributes:
        texts: its words and signs, see :class:`workers.insight.tokens.Tokens`.
        mood: what its words and pairs say of the mood, each as often as it occurs and by its weight.
        figures: what :func:`workers.insight.polarity.figures` says.
        signals: what its words and pairs say of the signals, each once, see :func:`unpacked`.
    """

    texts: tuple[str, ...]
    mood: complex
    figures: tuple[float, ...]
    signals: int


_NOTHING: Final = Said(0j, 0)
_UNKNOWN: Final = Word(_NOTHING, _NOTHING, {}, None)


class _Vocabulary(dict[str, Word]):
    """Every known word that was met before; one that is met first is put together from the weights."""

    def __init__(self) -> None:
        super().__init__()
        self._mood: dict[str, str] = mood_weights()["words"]
        self._signals: dict[str, str] = signal_weights()["rows"]
        self._polarity = polarity(mood_weights()["prior"])
        # Pairs by the first word, in the file's spelling.
        self._mood_before: dict[str, str] = mood_weights()["pairs"]
        self._signals_before: dict[str, dict[str, str]] = {}
        for name, row in self._signals.items():
            first, space, second = name.partition(" ")
            if space:
                self._signals_before.setdefault(first, {})[second] = row
        self._known = (
            self._mood.keys()
            | {name.removeprefix("~") for name in self._signals}
            | self._polarity.keys()
            | self._mood_before.keys()
            | self._signals_before.keys()
        )

    def __missing__(self, text: str) -> Word:
        if text not in self._known:
            return _UNKNOWN
        bad, good, denied_bad, denied_good = (int(tenths) / 10 for tenths in self._mood.get(text, "0 0 0 0").split())
        word = self[text] = Word(
            plain=_said(complex(bad, good), self._signals.get(text)),
            denied=_said(complex(denied_bad, denied_good), self._signals.get(f"~{text}")),
            before=self._before(text),
            polarity=self._polarity.get(text),
        )
        return word

    def _before(self, text: str) -> dict[str, Said]:
        listed = iter(self._mood_before.get(text, "").split())
        moods = {
            second: complex(int(bad) / 10, int(good) / 10)
            for second, bad, good in zip(listed, listed, listed, strict=True)
        }
        signals = self._signals_before.get(text, {})
        return {second: _said(moods.get(second, 0j), signals.get(second)) for second in {*moods, *signals}}


def _said(mood: complex, row: str | None) -> Said:
    return Said(mood, _packed(map(int, row.split())) if row else 0) if mood or row else _NOTHING


def _packed(weights: Iterable[int]) -> int:
    """Weights of either sign in one number; the sum of such numbers holds the sums of their weights."""
    return sum(weight << (_BITS * place) for place, weight in enumerate(weights))


@cache
def _halves(count: int) -> int:
    return _packed([_HALF] * count)


def unpacked(total: int, count: int) -> tuple[int, ...]:
    """The weights that stand in one number; what is less than 0 has borrowed from the next one's bits."""
    halves = _halves(count)
    return unpack(f"<{count}i", ((total + halves) ^ halves).to_bytes(count * _BITS // 8, "little"))


@cache
def _vocabulary() -> _Vocabulary:
    return _Vocabulary()


def known_words() -> frozenset[str]:
    """The words of which the head for mood has learned something."""
    return frozenset(mood_weights()["words"])


# A mail's sentences are asked for their mood and for their signals, one after the other.
@lru_cache(maxsize=1_024)
def read(text: str) -> Reading:
    """Read the first :data:`workers.insight.tokens.MAX_CHARS` characters of a text for both heads; never raises."""
    tokens = tokenize(text)
    if not tokens.texts:
        return Reading((), 0j, (), 0)
    vocabulary = _vocabulary()
    plain, denied, before, polarities = zip(*map(vocabulary.__getitem__, tokens.texts), strict=True)
    said: Sequence[Said] = plain
    if True in tokens.negated:
        said = [no if negated else yes for negated, yes, no in zip(tokens.negated, plain, denied, strict=True)]
    pairs = [*filter(None, map(dict.get, (vocabulary["^"].before, *before), tokens.texts))]
    return Reading(
        tokens.texts,
        sum(map(mul, [each.mood for each in said], tokens.weights)) + sum([pair.mood for pair in pairs]),
        figures(tokens, polarities),
        sum([each.signals for each in {*said, *pairs}]),
    )
