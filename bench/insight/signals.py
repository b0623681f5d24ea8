"""Score signals on mails written for this project."""

from typing import get_args

from bench.insight.scores import Evaluation, Row, read, score
from workers.insight.signal_patterns import SignalType
from workers.insight.signals import detect_signals

CLASSES: tuple[str, ...] = get_args(SignalType)
_KEYWORDS = {
    "complaint": ("problem", "issue", "complaint", "disappointed", "unhappy", "wrong"),
    "urgency": ("urgent", "asap", "immediately", "today", "deadline"),
    "budget_mention": ("budget", "cost", "price", "spend"),
    "competitor_mention": ("competitor", "alternative", "compare", "switch", "other vendor"),
    "expansion": ("expand", "grow", "additional", "more", "new office"),
    "renewal": ("renew", "extend", "contract", "expire"),
    "upsell": ("upgrade", "premium", "add-on", "feature"),
    "referral": ("recommend", "refer", "colleague", "friend"),
    "churn_risk": ("cancel", "leave", "terminate", "continue"),
}


def evaluate() -> Evaluation:
    """Compare the fleet with keywords found anywhere: on the own set, and on the second.

    The second set was written without sight of patterns and training mails; only margins of the head were chosen on it.
    Complaints are also looked for in the posts to companies of the second set of sentiment, as the unhappy ones.
    """
    rows: list[Row] = []
    notes: list[str] = []
    for name, cases in {"own": read("signals"), "second": read("signals_second")}.items():
        truth = [case["signals"] for case in cases]
        texts = [case["text"] for case in cases]
        ordinary = [index for index, kinds in enumerate(truth) if not kinds]
        for system, judge in {"fleet": _fleet, "keywords": _keywords}.items():
            guesses = [judge(text) for text in texts]
            rows += score(f"{system}, {name}", truth, guesses, CLASSES)
            flagged = sum(bool(guesses[index]) for index in ordinary)
            notes.append(f"{system}, {name}: {flagged} of {len(ordinary)} ordinary mails flagged")
    posts = [case for case in read("sentiment_second") if case["domain"] == "post to a company"]
    unhappy = [["complaint"] if case["label"] == "negative" else [] for case in posts]
    for system, judge in {"fleet": _fleet, "keywords": _keywords}.items():
        rows += score(f"{system}, posts to companies", unhappy, [judge(case["text"]) for case in posts], ["complaint"])[
            :1
        ]
    return {"name": "signals", "rows": rows, "notes": notes}


def _fleet(text: str) -> list[str]:
    return [signal.signal_type for signal in detect_signals(text)]


def _keywords(text: str) -> list[str]:
    folded = text.lower()
    return [kind for kind, words in _KEYWORDS.items() if any(word in folded for word in words)]
