"""Judge how a customer feels, and about what.

A small linear head adds up what each word says (weights in ``data/sentiment_weights.json``) and what the
hand-written lexicon and the rules of :mod:`workers.insight.polarity` find: negation, contrast, emphasis,
irony.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Literal, NamedTuple

from workers.insight.phrases import load
from workers.insight.polarity import figures, lexicon
from workers.insight.tokens import MAX_CHARS, Tokens, sentences_of, tokenize

__all__ = ["KEY_ISSUES", "Label", "Sentiment", "score_sentiment"]

Label = Literal["positive", "neutral", "negative"]

_LONG = 36  # tokens; a longer message is judged sentence by sentence
_SURELY_SHORT = 37  # characters hold no more tokens than that
_SENTENCES = 60
_FEW = 2  # one sentence is the whole
_UNHAPPY, _SURELY_UNHAPPY = 0.4, 0.5  # how likely the writer of a clause that raises an issue is unhappy
_LONGEST_WORD = 20
_LONGEST_RATING = 40
_LETTERS = re.compile(r"(?:[a-z](?!\?))*")
# Who is asked how it went and states something seldom means nothing by it, and an unhappy customer called
# neutral costs more than the reverse; a question, a request or a plan is another matter.
_STATEMENT, _MATTER = -0.9, 0.0
_MATTERS = frozenset(["?", "?!", "<user>", "<link>", "please", "rt", "today", "tomorrow", "tonight"])
_CONTENT = 0.12  # a writer less likely than this to be unhappy raises no issue
_COURTESY = re.compile(
    r"\W*(?:(?:hi|hello|dear|good (?:morning|day|afternoon|evening)|hey)\b[^.!?]{0,40}"
    r"|(?:many |kind |best |warm )?(?:thanks|thank you|regards|greetings|wishes|cheers|sincerely|yours \w+)"
    r"(?: (?:very much|so much|again|in advance|and|for (?:your|the|getting back|reaching)\b[^.!?]{0,40}))*"
    r"[ ,]*(?:kind |best |warm )?(?:regards|greetings|wishes)?[ ,]*\w{0,20})\W*",
    re.IGNORECASE,
)
# What writers beg pardon for is their own: "Sorry for the late reply."
_OWN_APOLOGY = re.compile(
    r"\b(?:(?:i'?m |i am |we'?re |we are )?(?:very |so |really )?sorry|(?:my |our )?apolog(?:ies|i[sz]e)|excuse me)"
    r" (?:for|about) (?:(?:the|my|our|this) )?(?:very )?"
    r"(?:late|delayed|slow|belated|tardy|short|delay in|fuss|silence|not (?:replying|answering|writing|responding))"
    r"(?: (?:in )?(?:reply\w*|answer\w*|respon\w+|feedback|getting back|note))?",
    re.IGNORECASE,
)
# "9/10", "4 out of 5", "3 stars": what people answer who are asked how it was
_RATING = re.compile(
    r"\W*(?:(?:i'?d |i would )?(?:say|give (?:it|you))\W+)?(?:a )?"
    r"(?:(?P<points>\d{1,2})(?:[.,]5)? ?(?:/|out of|of) ?(?P<most>5|10)|(?P<stars>[1-5]) ?(?:\*|stars?))"
    r"(?: (?:from me|for you|stars))?\W*",
    re.IGNORECASE,
)
_GOOD_RATING, _BAD_RATING = 0.7, 0.4
_CLAUSE = re.compile(r"(?<=;)\s+|,?\s+\b(?:but|however|though|although|yet)\b\s+", re.IGNORECASE)


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


class _Head(NamedTuple):
    """Log-odds of negative and of positive against neutral; ``pairs`` by their first word."""

    bias: tuple[float, ...]
    figures: tuple[tuple[float, ...], tuple[float, ...]]
    words: Mapping[str, tuple[float, ...]]
    pairs: Mapping[str, Mapping[str, tuple[float, ...]]]
    values: Mapping[str, float]


class _Chances(NamedTuple):
    negative: float
    neutral: float
    positive: float


@cache
def _head() -> _Head:
    data = load("sentiment_weights")
    pairs: dict[str, dict[str, tuple[float, ...]]] = {}
    for pair, values in data["pairs"].items():
        first, _, second = pair.partition(" ")
        pairs.setdefault(first, {})[second] = tuple(value / 10 for value in values)
    return _Head(
        bias=tuple(data["bias"]),
        figures=(tuple(data["figures"][0]), tuple(data["figures"][1])),
        words={word: tuple(value / 10 for value in values) for word, values in data["words"].items()},
        pairs=pairs,
        values={word: value for word, value in {**data["prior"], **lexicon().words}.items() if value},
    )


KEY_ISSUES: Final = ("timeliness", "quality", "communication", "pricing", "service", "delivery")
"""Every issue that can be named; the words of each are in ``data/key_issues.json``."""


class _Issue(NamedTuple):
    """How an issue is named: by one word, or by several of which the first begins with known letters."""

    word: re.Pattern[str]
    starts: tuple[str, ...]
    phrases: re.Pattern[str]


@cache
def _issue_words() -> Mapping[str, _Issue]:
    data = load("key_issues")
    found: dict[str, _Issue] = {}
    for issue in KEY_ISSUES:
        several = [each for each in data[issue] if re.search("[ .-]", each)]
        one = [each for each in data[issue] if each not in several]
        found[issue] = _Issue(
            word=re.compile("|".join(one)),
            starts=tuple(_LETTERS.findall(each)[0] for each in several),
            phrases=re.compile(rf"\b(?:{'|'.join(several)})\b", re.IGNORECASE),
        )
    return found


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
    rated = _RATING.fullmatch(text) if len(text) <= _LONGEST_RATING else None
    if rated:
        return _of_rating(rated)
    text = _OWN_APOLOGY.sub(" ", text)
    chances = _judge(text)
    if chances is None:
        return Sentiment("neutral", 0.0, ())
    label, score = _decide(chances)
    content = chances.negative < _CONTENT
    return Sentiment(label, score, () if content else _issues(text, label))


def _of_rating(rated: re.Match[str]) -> Sentiment:
    """What points or stars say."""
    share = int(rated["points"]) / int(rated["most"]) if rated["points"] else int(rated["stars"]) / 5
    label: Label = "positive" if share >= _GOOD_RATING else "negative" if share <= _BAD_RATING else "neutral"
    return Sentiment(label, round(min(2 * share - 1, 1.0), 2) if label != "neutral" else 0.0, ())


def _decide(chances: _Chances) -> tuple[Label, float]:
    score = round(chances.positive - chances.negative, 2)
    if chances.neutral >= max(chances.negative, chances.positive):
        return "neutral", score
    if chances.negative >= chances.positive:
        return "negative", min(score, 0.0)
    return "positive", max(score, 0.0)


def _judge(text: str) -> _Chances | None:
    """The chances of a message; None if it holds nothing that could be judged."""
    if len(text) > _SURELY_SHORT:
        sentences = sentences_of(text)[:_SENTENCES]
        if sum(len(tokenize(sentence)) for sentence in sentences) > _LONG:
            return _of_sentences(sentences)
    return _chances_of(text)


@lru_cache(maxsize=1_024)
def _chances_of(text: str) -> _Chances | None:
    tokens = tokenize(text)
    return _chances(tokens) if tokens else None


def _chances(tokens: Tokens) -> _Chances:
    """The chances of the three classes for one piece of text."""
    head = _head()
    words, pairs = head.words, head.pairs
    negative = positive = 0.0
    after = pairs.get("^")
    for text, negated, weight in zip(tokens.texts, tokens.negated, tokens.weights, strict=True):
        weights = words.get(text)
        if weights is not None:
            if negated:
                negative += weights[2] * weight
                positive += weights[3] * weight
            else:
                negative += weights[0] * weight
                positive += weights[1] * weight
        if after is not None and text in after:
            pair = after[text]
            negative += pair[0]
            positive += pair[1]
        after = pairs.get(text)
    root = len(tokens) ** 0.5
    negative = negative / root + head.bias[0]
    positive = positive / root + head.bias[1]
    for figure, bad, good in zip(figures(tokens, head.values), *head.figures, strict=True):
        negative += figure * bad
        positive += figure * good
    neutral = _STATEMENT if _MATTERS.isdisjoint(tokens.texts) else _MATTER
    top = max(negative, positive, neutral)
    odds = math.exp(negative - top), math.exp(neutral - top), math.exp(positive - top)
    total = sum(odds)
    return _Chances(odds[0] / total, odds[1] / total, odds[2] / total)


def _of_sentences(sentences: Sequence[str]) -> _Chances | None:
    """Judge a long message: sentences with an opinion count, greetings and thanks at its ends do not."""
    judged = []
    for sentence in sentences:
        chances = _chances_of(sentence)
        if chances and not _COURTESY.fullmatch(sentence):
            judged.append((chances, len(tokenize(sentence))))
    if len(judged) < _FEW:
        return _chances_of("\n".join(sentences))
    negative = neutral = positive = 0.0
    for chances, length in judged:
        share = (1.05 - chances.neutral) * min(length, 12)
        negative += share * chances.negative
        neutral += share * chances.neutral
        positive += share * chances.positive
    total = negative + neutral + positive
    return _Chances(negative / total, neutral / total, positive / total)


def _issues(text: str, label: Label) -> tuple[str, ...]:
    """Name what the unhappy clauses are about."""
    found: set[str] = set()
    least = _UNHAPPY if label == "negative" else _SURELY_UNHAPPY
    for sentence in sentences_of(text)[:_SENTENCES]:
        if not _named(sentence) - found:
            continue
        for clause in _CLAUSE.split(sentence):
            named = _named(clause) - found
            if not named:
                continue
            chances = _chances_of(clause)
            if chances and chances.negative > max(chances.positive, least):
                found |= named
    return tuple(issue for issue in KEY_ISSUES if issue in found)


def _named(clause: str) -> set[str]:
    """The issues that a clause names."""
    named: set[str] = set()
    hinted: set[str] = set()
    for issues in filter(None, map(_issues_of, tokenize(clause).texts)):
        named |= issues.sure
        hinted |= issues.hinted
    return named | {issue for issue in hinted - named if _issue_words()[issue].phrases.search(clause)}


class _Named(NamedTuple):
    """The issues that a word names, and those it may name together with others."""

    sure: frozenset[str]
    hinted: frozenset[str]


@lru_cache(maxsize=16_384)
def _issues_of(word: str) -> _Named | None:
    """What a word says of the issues; None for most."""
    word = word[:_LONGEST_WORD]
    issues = _issue_words().items()
    sure = frozenset(name for name, issue in issues if issue.word.fullmatch(word))
    hinted = frozenset(name for name, issue in issues if word.startswith(issue.starts))
    return _Named(sure, hinted) if sure or hinted else None
