"""Judge how a customer feels, and about what.

A small linear head adds up what each word says (weights in ``data/sentiment_weights.json``) and what the
hand-written lexicon and the rules of :mod:`workers.insight.polarity` find: negation, contrast, emphasis,
irony.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

from workers.insight.polarity import MAX_CHARS, Token, figures, tokenize

Label = Literal["positive", "neutral", "negative"]

_LONG = 36  # tokens; a longer message is judged sentence by sentence
_SENTENCES = 60
_NEUTRAL_BIAS = -0.5  # an unhappy customer called neutral costs more than the reverse
_CONTENT = 0.12  # a writer less likely than this to be unhappy raises no issue
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_COURTESY = re.compile(
    r"\W*(?:(?:hi|hello|dear|good (?:morning|day|afternoon|evening)|hey)\b[^.!?]{0,40}"
    r"|(?:many |kind |best |warm )?(?:thanks|thank you|regards|greetings|wishes|cheers|sincerely|yours \w+)"
    r"(?: (?:very much|so much|again|in advance|and|for (?:your|the|getting back|reaching)\b[^.!?]{0,40}))*"
    r"[ ,]*(?:kind |best |warm )?(?:regards|greetings|wishes)?[ ,]*\w{0,20})\W*",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?<=[.!?;])\s+|\n+|,?\s+\b(?:but|however|though|although|yet)\b\s+", re.IGNORECASE)


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
    """Log-odds of negative and of positive against neutral."""

    bias: tuple[float, float]
    figures: tuple[tuple[float, ...], tuple[float, ...]]
    words: Mapping[str, tuple[float, float, float, float]]
    pairs: Mapping[str, tuple[float, float]]
    prior: Mapping[str, float]


class _Chances(NamedTuple):
    negative: float
    neutral: float
    positive: float


@cache
def _head() -> _Head:
    source = resources.files("workers.insight").joinpath("data", "sentiment_weights.json")
    data = json.loads(source.read_text(encoding="utf-8"))
    return _Head(
        bias=tuple(data["bias"]),
        figures=(tuple(data["figures"][0]), tuple(data["figures"][1])),
        words={word: tuple(value / 100 for value in values) for word, values in data["words"].items()},
        pairs={pair: tuple(value / 100 for value in values) for pair, values in data["pairs"].items()},
        prior=data["prior"],
    )


KEY_ISSUES = ("timeliness", "quality", "communication", "pricing", "service", "delivery")
"""Every issue that can be named; the words of each are in ``data/key_issues.json``."""


@cache
def _issue_patterns() -> Mapping[str, re.Pattern[str]]:
    source = resources.files("workers.insight").joinpath("data", "key_issues.json")
    data = json.loads(source.read_text(encoding="utf-8"))
    return {issue: re.compile(rf"\b(?:{'|'.join(data[issue])})\b", re.IGNORECASE) for issue in KEY_ISSUES}


def score_sentiment(text: str) -> Sentiment:
    """Judge the mood of a message.

    The caller passes what the customer wrote: no quoted mail, no signature. English is understood; of other
    languages little more than signs and faces.

    Args:
        text: any text of any length; only the first :data:`workers.insight.polarity.MAX_CHARS` characters
        are read.

    Returns:
        The judgement; an empty text or one without words is neutral with score 0 and no issues. The same text
        always gets the same judgement, and nothing is ever raised.
    """
    text = text[:MAX_CHARS]
    tokens = tokenize(text)
    if not tokens:
        return Sentiment("neutral", 0.0, ())
    chances = _chances(tokens) if len(tokens) <= _LONG else _of_sentences(text, tokens)
    label, score = _decide(chances)
    content = chances.negative < _CONTENT
    return Sentiment(label, score, () if content else _issues(text, label))


def _decide(chances: _Chances) -> tuple[Label, float]:
    score = round(chances.positive - chances.negative, 2)
    if chances.neutral >= max(chances.negative, chances.positive):
        return "neutral", score
    if chances.negative >= chances.positive:
        return "negative", min(score, 0.0)
    return "positive", max(score, 0.0)


def _chances(tokens: list[Token]) -> _Chances:
    """The chances of the three classes for one piece of text."""
    head = _head()
    negative = positive = 0.0
    before = "^"
    for token in tokens:
        text = token.text
        weights = head.words.get(text)
        if weights:
            if token.negated:
                negative += weights[2] * token.weight
                positive += weights[3] * token.weight
            else:
                negative += weights[0] * token.weight
                positive += weights[1] * token.weight
        pair = head.pairs.get(f"{before} {text}")
        if pair:
            negative += pair[0]
            positive += pair[1]
        before = text
    root = len(tokens) ** 0.5
    negative = negative / root + head.bias[0]
    positive = positive / root + head.bias[1]
    for figure, bad, good in zip(figures(tokens, head.prior), *head.figures, strict=True):
        negative += figure * bad
        positive += figure * good
    top = max(negative, positive, _NEUTRAL_BIAS)
    odds = math.exp(negative - top), math.exp(_NEUTRAL_BIAS - top), math.exp(positive - top)
    total = sum(odds)
    return _Chances(odds[0] / total, odds[1] / total, odds[2] / total)


def _of_sentences(text: str, tokens: list[Token]) -> _Chances:
    """Judge a long message: sentences with an opinion count, greetings and thanks at its ends do not."""
    judged = []
    for sentence in _SENTENCE_END.split(text)[:_SENTENCES]:
        if _COURTESY.fullmatch(sentence):
            continue
        part = tokenize(sentence)
        if part:
            judged.append((_chances(part), len(part)))
    if len(judged) < 2:  # noqa: PLR2004 - one sentence is the whole
        return _chances(tokens)
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
    for clause in _CLAUSE.split(text)[:_SENTENCES]:
        tokens = tokenize(clause)
        if not tokens:
            continue
        chances = _chances(tokens)
        if chances.negative > max(chances.positive, 0.4 if label == "negative" else 0.5):
            found.update(issue for issue, pattern in _issue_patterns().items() if pattern.search(clause))
    return tuple(issue for issue in KEY_ISSUES if issue in found)
