"""What each word and each pair of words says to the heads that judge mood and signals.

A text is read once for both, and each of its words is looked up once: all that was learned of it stands together.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count, repeat
from struct import Struct
from sys import intern
from typing import Any, Final, NamedTuple

from workers.insight.phrases import load
from workers.insight.polarity import figures, lexicon, polarity
from workers.insight.remembered import Remembered
from workers.insight.signal_patterns import hints
from workers.insight.tokens import (
    MAX_TOKENS,
    OPENER,
    OPENER_REACH,
    OPENERS,
    Marks,
    Tokens,
    chunks_of,
    read_chunk,
    weighed,
)

__all__ = ["Reading", "known_words", "mood_weights", "read", "signal_weights"]

# All that a word says stands in one number, each weight in bits of its own, so that a text is added up in one go: those
# of signals, those of the mood, and whether a pair is the sign of a phrase of the lexicon. Above them stands a number
# of the word's own: no two words say the same.
_BITS: Final = 32
_KINDS: Final = 9
_NEGATIVE, _POSITIVE, _PHRASES, _PLACES = range(_KINDS, _KINDS + 4)
_HALVES: Final = sum(1 << (_BITS * place + _BITS - 1) for place in range(_PLACES))  # each more than any sum of weights
_OWN: Final = 1 << (_BITS * _PLACES)
_BELOW: Final = _OWN - 1
_WEIGHTS: Final = Struct(f"<{_PLACES}i")
_TENTHS: Final = 10
_NO_PAIRS: Final[dict[str, int]] = {}


@cache
def mood_weights() -> Mapping[str, Any]:
    """What ``training/sentiment.py`` has learned, read once."""
    return load("sentiment_weights")  # type: ignore[no-any-return]


@cache
def signal_weights() -> Mapping[str, Any]:
    """What ``training/signals.py`` has learned, read once."""
    return load("signal_weights")  # type: ignore[no-any-return]


class Word(NamedTuple):
    """All that was learned of a word, weights as :func:`_unpacked` reads them.

    Attributes:
        text: as :class:`workers.insight.tokens.Tokens` writes it.
        plain: what it says by itself.
        before: what it says together with the word behind it.
        polarity: -4..4, see :func:`workers.insight.polarity.polarity`; None if it has none.
    """

    text: str
    plain: int
    before: dict[str, int]
    polarity: float | None


class Reading(NamedTuple):
    """What the words of a text say, added up.

    Attributes:
        texts: its words and signs, see :class:`workers.insight.tokens.Tokens`.
        mood: log-odds of an unhappy mood against a neutral one, and as the imaginary part of a happy one: each word and
            pair as often as it occurs and by its weight.
        figures: what :func:`workers.insight.polarity.figures` says.
        signals: a weight for each type of signal: each word and pair once.
        hints: which patterns of signals may match, see :func:`workers.insight.signal_patterns.wake`.
    """

    texts: tuple[str, ...]
    mood: complex
    figures: tuple[float, ...]
    signals: tuple[int, ...]
    hints: int


class _Words(dict[str, Word]):
    """Every known word that was met before; one that is met first is put together from the weights.

    Attributes:
        denied: what each of those words says in the reach of a negation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.denied: dict[str, int] = {}
        self._own = count(_OWN, _OWN)
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
            | lexicon().signs.keys()
            | self._mood_before.keys()
            | self._signals_before.keys()
        )

    def __missing__(self, text: str) -> Word:
        if text not in self._known:
            return Word(text, 0, _NO_PAIRS, None)
        mood = self._mood.get(text, "0 0 0 0").split()
        self.denied[text] = self._packed(self._signals.get(f"~{text}"), mood[2:])
        word = self[text] = Word(
            text=text,
            plain=self._packed(self._signals.get(text), mood[:2]),
            before=self._before(text),
            polarity=self._polarity.get(text),
        )
        return word

    def _before(self, text: str) -> dict[str, int]:
        listed = iter(self._mood_before.get(text, "").split())
        moods = {second: mood for second, *mood in zip(listed, listed, listed, strict=True)}
        signals = self._signals_before.get(text, {})
        signs = lexicon().signs.get(text, set())
        found = {
            second: self._packed(signals.get(second), moods.get(second), sign=second in signs)
            for second in {*moods, *signals, *signs}
        }
        return {intern(second): said for second, said in found.items() if said} or _NO_PAIRS

    def _packed(self, signals: str | None, mood: Sequence[str] | None, *, sign: bool = False) -> int:
        """Weights of either sign in one number; the sum of such numbers holds the sums of their weights."""
        weights = [*map(int, (signals or "0 " * _KINDS).split()), *map(int, mood or (0, 0)), int(sign)]
        said = sum(weight << (_BITS * place) for place, weight in enumerate(weights))
        return said and said + next(self._own)


def _unpacked(total: int) -> tuple[int, ...]:
    """The weights in one number; what is less than 0 has borrowed from the next one's bits."""
    return _WEIGHTS.unpack(((total + _HALVES) & _BELOW ^ _HALVES).to_bytes(_WEIGHTS.size, "little"))


class _Vocabulary:
    """What is known of the words, and of each chunk of a text that was met before.

    Attributes:
        words: by their text.
        chunks: their words, the marks at or before them, whether one of those changes what is said of a word, and what
            they hint at.
    """

    def __init__(self) -> None:
        self.words = _Words()
        self.chunks = Remembered(self._read)
        self._marks: dict[Marks, Marks] = {}

    def _read(self, chunk: str) -> tuple[tuple[Word, ...], Marks, bool, int]:
        texts, marks = read_chunk(chunk)
        words = tuple(self.words[intern(text)] for text in texts)
        # Few chunks are marked in a way of their own: what many share is at hand when it is needed.
        marks = self._marks.setdefault(marks, marks)
        return words, marks, not all(mark.stops for _, mark in marks), hints(chunk)


@cache
def _vocabulary() -> _Vocabulary:
    return _Vocabulary()


def known_words() -> frozenset[str]:
    """The words of which the head for mood has learned something."""
    return frozenset(mood_weights()["words"])


def read(text: str) -> Reading | None:
    """Read the first :data:`workers.insight.tokens.MAX_CHARS` characters of a text for both heads; None if empty."""
    vocabulary = _vocabulary()
    chunks, shouting = chunks_of(text)
    words: list[Word] = []
    marks: list[tuple[int, Marks]] = []
    hinted = 0
    acting = False
    for known, found, acts, hint in map(vocabulary.chunks.__getitem__, chunks):
        if found:
            marks.append((len(words), found))
            acting = acting or acts
        if hint:
            hinted |= hint
        words += known
    if not words:
        return None
    del words[MAX_TOKENS:]
    texts, plain, before, polarities = zip(*words, strict=True)
    tokens = Tokens(texts, (False,) * len(texts), (1.0,) * len(texts))
    if acting or not OPENERS.isdisjoint(texts[:OPENER_REACH]):
        tokens = weighed([*texts], marks, shouting=shouting)
        if OPENER in tokens.texts[:OPENER_REACH]:
            words[tokens.texts.index(OPENER)] = vocabulary.words[OPENER]
            texts, plain, before, polarities = zip(*words, strict=True)
    said = _said(plain, tokens) if True in tokens.negated else plain
    pairs = [*filter(None, map(dict.get, (vocabulary.words["^"].before, *before), texts))]
    sums = _unpacked(sum(said) + sum(pairs))
    once = sums if len({*texts}) == len(texts) else _unpacked(sum({*said, *pairs}))
    mood = complex(sums[_NEGATIVE], sums[_POSITIVE])
    if tokens.weights.count(1.0) < len(texts):
        mood += _emphasised(said, tokens.weights)
    told = figures(tokens, polarities, phrases=sums[_PHRASES] > 0)
    return Reading(texts, mood / _TENTHS, told, once[:_KINDS], hinted)


def _said(plain: Sequence[int], tokens: Tokens) -> Sequence[int]:
    """What each word says by itself, or in the reach of a negation."""
    denied = map(_vocabulary().words.denied.get, tokens.texts, repeat(0))
    return [no if negated else yes for negated, yes, no in zip(tokens.negated, plain, denied, strict=True)]


def _emphasised(said: Sequence[int], weights: Sequence[float]) -> complex:
    """What the words say of the mood beyond what they would say if each weighed 1; negative and positive, in tenths."""
    alike: dict[float, int] = {}
    for weight, each in zip(weights, said, strict=True):
        if weight != 1:
            alike[weight] = alike.get(weight, 0) + each
    sums = [(weight - 1, _unpacked(total)) for weight, total in alike.items()]
    return sum((more * complex(each[_NEGATIVE], each[_POSITIVE]) for more, each in sums), 0j)
