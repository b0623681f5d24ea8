"""Score sentiment on messages written for this project."""

import re
from typing import Any

from bench.insight.scores import Evaluation, read, score
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
    """Compare the fleet, a plain keyword list and VADER on the half that no tuning looked at."""
    cases = read("sentiment")
    truth = [[case["label"]] for case in cases]
    texts = [case["text"] for case in cases]
    judged = [score_sentiment(text) for text in texts]
    rows = score("fleet", truth, [[one.label] for one in judged], CLASSES)
    rows += score("keywords", truth, [[_keywords(text)] for text in texts], CLASSES)
    for domain, fresh in _fresh().items():
        classes = sorted({case["label"] for case in fresh})
        guesses = [[score_sentiment(case["text"]).label] for case in fresh]
        rows += score(f"fleet, fresh {domain}s", [[case["label"]] for case in fresh], guesses, classes)
    notes = [_recall_note(truth, [one.score for one in judged])]
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - a baseline only
    except ImportError:
        notes.append("VADER is not installed; its rows are missing")
    else:
        vader = SentimentIntensityAnalyzer()
        compound = [float(vader.polarity_scores(text)["compound"]) for text in texts]
        rows += score("vader", truth, [[_vader(value)] for value in compound], CLASSES)
        notes.append("VADER: " + _recall_note(truth, compound))
    return {"name": "sentiment", "rows": rows, "notes": notes}


def _fresh() -> dict[str, list[dict[str, Any]]]:
    """Sentences written after the rules and before the last training; nothing was tuned on them."""
    domains: dict[str, list[dict[str, Any]]] = {}
    for case in read("sentiment_fresh", None):
        domains.setdefault(case["domain"], []).append(case)
    return domains


def _keywords(text: str) -> str:
    words = re.findall(r"[a-z]+", text.lower())
    balance = sum(word in _GOOD for word in words) - sum(word in _BAD for word in words)
    return "positive" if balance > 0 else "negative" if balance < 0 else "neutral"


def _vader(compound: float) -> str:
    if compound >= _VADER_NEUTRAL:
        return "positive"
    return "negative" if compound <= -_VADER_NEUTRAL else "neutral"


def _recall_note(truth: list[list[str]], scores: list[float]) -> str:
    """How many unhappy writers are found if 15 of 100 alarms may be false."""
    ranked = sorted(zip(scores, truth, strict=True), key=lambda pair: pair[0])
    unhappy = sum(labels == ["negative"] for labels in truth)
    best = found = 0
    for count, (_, labels) in enumerate(ranked, start=1):
        found += labels == ["negative"]
        if found / count >= 0.85:
            best = found
    return f"recall of negatives at precision .85: {best / max(unhappy, 1):.2f}"
