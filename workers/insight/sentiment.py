"""Judge how a customer feels, and about what.

A message is read as a whole, or sentence by sentence if it is long (see :mod:`workers.insight.mood`); points and
stars are taken as such.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, NamedTuple

from workers.insight.mood import Chances, Mood, mood_of
from workers.insight.phrases import load
from workers.insight.remembered import Remembered
from workers.insight.tokens import MAX_CHARS, sentences_of

__all__ = ["KEY_ISSUES", "UNHAPPY_AT", "Label", "Sentiment", "score_sentiment"]

Label = Literal["positive", "neutral", "negative"]

_LONG = 32  # words; a longer message is judged sentence by sentence
_SENTENCES = 60
_FEW = 2  # one sentence is the whole
_WHOLE = 12  # tokens of a sentence that counts in full
_UNHAPPY, _SURELY_UNHAPPY = 0.4, 0.5  # how likely the writer of a clause that raises an issue is unhappy
_LONGEST_WORD = 20
_LONGEST_RATING = 40
_NOT_ALWAYS = re.compile(r"\([^()]*\)|\\\w|.[?*]")  # parts of a pattern that match in more than one way
_LETTERS = re.compile("[a-z]+")
_CONTENT = 0.12  # a writer less likely than this to be unhappy raises no issue
_COURTESY = re.compile(
    r"\W*(?:(?:hi|hello|dear|good (?:morning|day|afternoon|evening)|hey)\b[^.!?]{0,40}"
    r"|(?:many |kind |best |warm )?(?:thanks|thank you|regards|greetings|wishes|cheers|sincerely|yours \w+)"
    # "for the" may be read as its own end or as part of what was thanked for, so only a few are tried.
    r"(?: (?:very much|so much|again|in advance|and|for (?:your|the|getting back|reaching)\b[^.!?]{0,40})){0,4}"
    r"[ ,]*+(?:kind |best |warm )?(?:regards|greetings|wishes)?[ ,]*+\w{0,20})\W*",
    re.IGNORECASE,
)
# What writers beg pardon for is their own: "Sorry for the late reply."
_APOLOGY_HINTS = ("sorry", "apolog", "excuse me")
_OWN_APOLOGY = re.compile(
    r"\b(?:(?:i'?m |i am |we'?re |we are )?(?:very |so |really )?sorry|(?:my |our )?apolog(?:ies|i[sz]e)|excuse me)"
    r" (?:for|about) (?:(?:the|my|our|this) )?(?:very )?"
    r"(?:late|delayed|slow|belated|tardy|short|delay in|fuss|silence|not (?:replying|answering|writing|responding))"
    r"(?: (?:in )?(?:reply\w*|answer\w*|respon\w+|feedback|getting back|note))?",
    re.IGNORECASE,
)
# "9/10", "4 out of 5", "3 stars", "★★☆☆☆": what people answer who are asked how it was
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER = rf"\d{{1,2}}|{'|'.join(_NUMBERS)}"
_RATING = re.compile(
    r"\W*?(?:(?:i'?d |i would |i )?(?:say|(?:give|rate) (?:it|you|this|them))\W+"
    r"|(?:my |our )?(?:rating|score|vote)\W+(?:is )?)?(?:(?:just|only) )?(?:a )?"
    rf"(?:(?P<points>{_NUMBER})(?P<half>[.,]5)? ?(?:/|out of|of) ?(?P<most>5|10|five|ten)"
    rf"|(?P<stars>[0-5]|no|{'|'.join(_NUMBERS[:6])})[ -]?(?:\*|stars?|[★⭐🌟]\uFE0F?)"
    rf"|(?P<glyphs>[★⭐🌟☆][★⭐🌟☆\uFE0F ]{{0,20}})|(?P<bare>{_NUMBER}))"
    r"(?: (?:from me|for you|stars))?\W*",
    re.IGNORECASE,
)
_GOOD_RATING, _BAD_RATING = 0.7, 0.4
_UNTOLD = 0.5  # of a number without "out of", or of hollow stars alone, nobody can tell what they mean
_RATED = 0.9  # how likely it is that somebody means the points given
_CONTRASTS = frozenset(["but", "however", "though", "although", "yet"])
_CLAUSE = re.compile(rf"(?<=;)\s+|,?\s+\b(?:{'|'.join(sorted(_CONTRASTS))})\b\s+", re.IGNORECASE)


UNHAPPY_AT: Final = -0.05
"""The score at and below which somebody should look after the writer, whatever the label says.

Chosen on every second of 14,638 real posts to airlines: the highest at which 85 of 100 alarms are right. On the other
posts 84 of 100 of the unhappy are found, and 85 of 100 alarms are right.
"""


@dataclass(frozen=True, slots=True)
class Sentiment:
    """What a message says about its writer's mood.

    Attributes:
        label: the class of the whole message.
        score: from -1 (surely unhappy) to 1 (surely happy), rounded to two decimals; its sign agrees with the
            label, except that a neutral message may lean a little to either side.
        key_issues: what the writer is unhappy about, in the order of :data:`KEY_ISSUES`, each at most once.
            Praise raises no issue, so a plainly positive message has none.
    """

    label: Label
    score: float
    key_issues: tuple[str, ...]

    @property
    def unhappy(self) -> bool:
        """Whether somebody should look after the writer: the score is at most :data:`UNHAPPY_AT`."""
        return self.score <= UNHAPPY_AT


KEY_ISSUES: Final = ("timeliness", "quality", "communication", "pricing", "service", "delivery")
"""Every issue that can be named; the words of each are in ``data/key_issues.json``."""


class _Issue(NamedTuple):
    """How an issue is named: by one word, or by phrases, each with letters that one of its words holds."""

    word: re.Pattern[str]
    phrases: tuple[tuple[str, re.Pattern[str]], ...]


@cache
def _issue_words() -> Mapping[str, _Issue]:
    data = load("key_issues")
    found: dict[str, _Issue] = {}
    for issue in KEY_ISSUES:
        several = [each for each in data[issue] if re.search("[ .-]", each)]
        one = [each for each in data[issue] if each not in several]
        found[issue] = _Issue(
            word=re.compile("|".join(one)),
            phrases=tuple((_letters(each), re.compile(rf"\b(?:{each})\b", re.IGNORECASE)) for each in several),
        )
    return found


def _letters(pattern: str) -> str:
    """The longest letters that each match of a pattern holds."""
    letters: list[str] = _LETTERS.findall(_NOT_ALWAYS.sub(" ", pattern))
    return max(letters, key=len)


def score_sentiment(text: str) -> Sentiment:
    """Judge the mood of a message.

    The caller passes what the customer wrote: no quoted mail, no signature, and nothing in another language than
    English (see :mod:`workers.insight.language`).

    Args:
        text: any text of any length; only the first :data:`workers.insight.tokens.MAX_CHARS` characters
            are read.

    Returns:
        The judgement; an empty text or one without words is neutral with score 0 and no issues. The same text
        always gets the same judgement, and nothing is ever raised.
    """
    text = text[:MAX_CHARS]
    rated = _rating(text)
    if rated is not None:
        return _of_rating(rated)
    folded = text.lower()
    if any(hint in folded for hint in _APOLOGY_HINTS):
        text = _OWN_APOLOGY.sub(" ", text)
    sentences = sentences_of(text)[:_SENTENCES]
    chances = _judge(text, sentences)
    if chances is None:
        return Sentiment("neutral", 0.0, ())
    label, score = _decide(chances)
    content = chances.negative < _CONTENT
    return Sentiment(label, score, () if content else _issues(sentences, label))


def _rating(text: str) -> float | None:
    """The share of the points or stars that a text gives; None if it says something else."""
    rated = _RATING.fullmatch(text) if len(text) <= _LONGEST_RATING else None
    if rated is None:
        return None
    if rated["points"]:
        return (_number(rated["points"]) + bool(rated["half"]) / 2) / _number(rated["most"])
    if rated["stars"]:
        return _number(rated["stars"]) / 5
    filled = sum(sign in "★⭐🌟" for sign in rated["glyphs"] or "")
    return filled / 5 if filled else _UNTOLD


def _number(written: str) -> int:
    if written.isdigit():
        return int(written)
    return 0 if written.lower() == "no" else _NUMBERS.index(written.lower())


def _of_rating(share: float) -> Sentiment:
    """What points or stars say."""
    label: Label = "positive" if share >= _GOOD_RATING else "negative" if share <= _BAD_RATING else "neutral"
    return Sentiment(label, round(min(2 * share - 1, 1.0), 2) if label != "neutral" else 0.0, ())


def _decide(chances: Chances) -> tuple[Label, float]:
    score = round(chances.positive - chances.negative, 2)
    if chances.neutral >= max(chances.negative, chances.positive):
        return "neutral", score
    if chances.negative >= chances.positive:
        return "negative", min(score, 0.0)
    return "positive", max(score, 0.0)


def _judge(text: str, sentences: Sequence[str]) -> Chances | None:
    """The chances of a message; None if it holds nothing that could be judged."""
    if len(text.split(maxsplit=_LONG)) > _LONG or (len(sentences) > 1 and any(map(_rates, sentences))):
        return _of_sentences(sentences)
    mood = mood_of(text)
    return mood.chances if mood else None


def _rates(sentence: str) -> bool:
    return _rating(sentence) is not None


def _of_sentences(sentences: Sequence[str]) -> Chances | None:
    """Judge a long message: sentences with an opinion count, greetings and thanks at its ends do not."""
    judged = []
    for sentence, mood in zip(sentences, [*map(mood_of, sentences)], strict=True):
        share = _rating(sentence)
        if share is not None:
            judged.append((_of_points(share), _WHOLE))
        elif mood and not _COURTESY.fullmatch(sentence):
            judged.append((mood.chances, min(len(mood.reading.texts), _WHOLE)))
    if len(judged) < _FEW:
        mood = mood_of("\n".join(sentences))
        return mood.chances if mood else None
    negative = neutral = positive = 0.0
    for chances, length in judged:
        share = (1.05 - chances.neutral) * length
        negative += share * chances.negative
        neutral += share * chances.neutral
        positive += share * chances.positive
    total = negative + neutral + positive
    return Chances(negative / total, neutral / total, positive / total)


def _of_points(share: float) -> Chances:
    rest = (1 - _RATED) / 2
    if share >= _GOOD_RATING:
        return Chances(rest, rest, _RATED)
    return Chances(_RATED, rest, rest) if share <= _BAD_RATING else Chances(rest, _RATED, rest)


def _issues(sentences: Sequence[str], label: Label) -> tuple[str, ...]:
    """Name what the unhappy clauses are about."""
    found: set[str] = set()
    least = _UNHAPPY if label == "negative" else _SURELY_UNHAPPY
    for sentence in sentences:
        mood = mood_of(sentence)
        if mood is None or mood.chances.negative < _CONTENT:
            continue
        words = mood.reading.texts
        if ";" not in sentence and _CONTRASTS.isdisjoint(words):
            if _is_unhappy(mood, least):
                found |= _named(sentence, words)
        elif not _named(sentence, words) <= found:  # else none of its clauses names anything new
            for clause in _CLAUSE.split(sentence):
                mood = mood_of(clause)
                if mood and _is_unhappy(mood, least):
                    found |= _named(clause, mood.reading.texts)
    return tuple(issue for issue in KEY_ISSUES if issue in found)


def _is_unhappy(mood: Mood, least: float) -> bool:
    """Whether the writer is likelier unhappy than happy, and at least so likely."""
    return mood.chances.negative > max(mood.chances.positive, least)


def _named(clause: str, words: Iterable[str]) -> set[str]:
    """The issues that a clause names, which holds these words."""
    named: set[str] = set()
    hinted: set[tuple[str, re.Pattern[str]]] = set()
    for issues in filter(None, map(_ISSUES.__getitem__, words)):
        named |= issues.sure
        hinted |= issues.hinted
    return named | {issue for issue, phrase in hinted if issue not in named and phrase.search(clause)}


class _Named(NamedTuple):
    """The issues that a word names, and those that a phrase with this word may name."""

    sure: frozenset[str]
    hinted: frozenset[tuple[str, re.Pattern[str]]]


def _issues_of(word: str) -> _Named | None:
    """What a word says of the issues; None for most."""
    word = word[:_LONGEST_WORD]
    issues = _issue_words().items()
    sure = frozenset(name for name, issue in issues if issue.word.fullmatch(word))
    hinted = frozenset((name, phrase) for name, issue in issues for letters, phrase in issue.phrases if letters in word)
    return _Named(sure, hinted) if sure or hinted else None


_ISSUES: Final = Remembered(_issues_of)
