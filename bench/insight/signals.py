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
    """Compare the fleet with keywords found anywhere."""
    cases = read("signals")
    truth = [case["signals"] for case in cases]
    texts = [case["text"] for case in cases]
    systems: dict[str, list[list[str]]] = {
        "fleet": [[signal.signal_type for signal in detect_signals(text)] for text in texts],
        "keywords": [
            [kind for kind, words in _KEYWORDS.items() if any(word in text.lower() for word in words)] for text in texts
        ],
    }
    rows: list[Row] = []
    notes: list[str] = []
    ordinary = [index for index, kinds in enumerate(truth) if not kinds]
    for system, guesses in systems.items():
        rows += score(system, truth, guesses, CLASSES)
        flagged = sum(bool(guesses[index]) for index in ordinary)
        notes.append(f"{system}: {flagged / max(len(ordinary), 1):.0%} of ordinary mails flagged")
    fresh = read("signals_fresh", None)
    guesses = [[signal.signal_type for signal in detect_signals(case["text"])] for case in fresh]
    rows += score("fleet, fresh", [case["signals"] for case in fresh], guesses, CLASSES)
    false = sum(bool(guess) and not case["signals"] for guess, case in zip(guesses, fresh, strict=True))
    notes.append(f"fleet, fresh: {false} of {sum(not case['signals'] for case in fresh)} ordinary mails flagged")
    return {"name": "signals", "rows": rows, "notes": notes}
