"""Score sentiment on messages written for this project."""

import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bench.insight.scores import Evaluation, Row, read, score
from workers.insight.sentiment import score_sentiment

CLASSES = ("negative", "neutral", "positive")
_GOOD = frozenset(
    [
        "good",
        "great",
        "excellent",
        "happy",
        "love",
        "perfect",
        "thanks",
        "thank",
        "amazing",
        "best",
        "recommend",
    ]
)
_BAD = frozenset(
    [
        "bad",
        "terrible",
        "awful",
        "poor",
        "disappointed",
        "unhappy",
        "worst",
        "hate",
        "late",
        "broken",
        "problem",
    ]
)
_VADER_NEUTRAL = 0.05


def evaluate() -> Evaluation:
    """Compare the fleet, a plain keyword list and VADER: on the own set, and on the second.

    The second set was written without sight of rules, lexicon and training sentences, and nothing was tuned on it.
    """
    sets = {"own": read("sentiment")}
    for case in read("sentiment_second"):
        sets.setdefault(f"second, {case['domain']}", []).append(case)
    rows: list[Row] = []
    notes: list[str] = []
    for system, judge in _systems(notes).items():
        for name, cases in sets.items():
            truth = [[case["label"]] for case in cases]
            judged = [judge(case["text"]) for case in cases]
            classes = [label for label in CLASSES if [label] in truth]
            scored = score(f"{system}, {name}", truth, [[label] for label, _ in judged], classes)
            rows += scored if name == "own" else [row for row in scored if row["class"] == "macro"]
            found = recall_at_85(truth, [value for _, value in judged])
            notes.append(f"{system}, {name}: recall of negatives at precision .85: {found:.2f}")
    return {"name": "sentiment", "rows": rows, "notes": notes}


def _systems(notes: list[str]) -> dict[str, Callable[[str], tuple[str, float]]]:
    """What each system says of a text: a label, and a score of which the lowest is the unhappiest."""
    systems: dict[str, Callable[[str], tuple[str, float]]] = {"fleet": _fleet, "keywords": _keywords}
    if find_spec("vaderSentiment"):
        analyzer: Any = import_module("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer()
        systems["vader"] = lambda text: _vader(analyzer.polarity_scores(text)["compound"])
    else:
        notes.append("VADER is not installed; its rows are missing")
    return systems


def _fleet(text: str) -> tuple[str, float]:
    judged = score_sentiment(text)
    return judged.label, judged.score


def _keywords(text: str) -> tuple[str, float]:
    words = re.findall(r"[a-z]+", text.lower())
    balance = sum(word in _GOOD for word in words) - sum(word in _BAD for word in words)
    return "positive" if balance > 0 else "negative" if balance < 0 else "neutral", balance


def _vader(compound: float) -> tuple[str, float]:
    if compound >= _VADER_NEUTRAL:
        return "positive", compound
    return "negative" if compound <= -_VADER_NEUTRAL else "neutral", compound


def recall_at_85(truth: list[list[str]], scores: list[float]) -> float:
    """The share of unhappy writers that is found if 15 of 100 alarms may be false."""
    ranked = sorted(zip(scores, truth, strict=True), key=lambda pair: pair[0])
    unhappy = sum(labels == ["negative"] for labels in truth)
    best = found = 0
    for count, (value, labels) in enumerate(ranked, start=1):
        found += labels == ["negative"]
        tied = count < len(ranked) and ranked[count][0] == value  # an alarm level takes in all of a score
        if not tied and found / count >= 0.85:
            best = found
    return best / max(unhappy, 1)
