"""Score kinds of answers and languages on sentences written for this project."""

from typing import Any

from bench.insight.scores import Evaluation, Row, read, score
from workers.insight.answers import kind_of_answer, outrage
from workers.insight.language import detect_language

KINDS = ("opt_out", "refusal", "acceptance", "question", "unhappy")
READ = ("en", "de", "fr", "es", "nl", "it")
_KEYWORDS = {
    "opt_out": ("unsubscribe", "stop", "remove", "abmelden", "désinscri", "baja", "afmelden", "disiscri"),
    "refusal": ("not interested", "no thanks", "decline", "kein interesse", "pas intéress", "no nos interesa"),
    "acceptance": ("accept", "go ahead", "order", "bestellung", "commande", "pedido", "bestelling", "ordine"),
    "question": ("?",),
}


def evaluate() -> Evaluation:
    """Compare the fleet with keywords found anywhere in the text, on both sets."""
    rows: list[Row] = []
    notes: list[str] = []
    for name in ("answers", "answers_second"):
        cases = read(name)
        truth = [_labels(case) for case in cases]
        rows += score(f"fleet, {name}", truth, [_judged(case["text"]) for case in cases], KINDS)
        rows += score(f"keywords, {name}", truth, [_keywords(case["text"].lower()) for case in cases], KINDS)
        told = [(case["language"], detect_language(case["text"])) for case in cases]
        known = [pair for pair in told if pair[0] in READ]
        foreign = [guess for language, guess in told if language != "en"]
        notes.append(
            f"{name}: language right in {_share([a == b for a, b in known])} of six languages, "
            f"{_share([a == b for a, b in told])} of all; "
            f"{foreign.count('en')} of {len(foreign)} foreign taken for English"
        )
    return {"name": "answers", "rows": rows, "notes": notes}


def _labels(case: dict[str, Any]) -> list[str]:
    return ["unhappy"] if case.get("unhappy") else [case["answer"]]


def _judged(text: str) -> list[str]:
    language = detect_language(text)
    kind = kind_of_answer(text, "", language).kind
    return ["unhappy"] if kind == "unreadable" and outrage(text, language) else [kind]


def _keywords(text: str) -> list[str]:
    return [kind for kind, words in _KEYWORDS.items() if any(word in text for word in words)][:1]


def _share(right: list[bool]) -> str:
    return f"{sum(right) / len(right):.2f}"
