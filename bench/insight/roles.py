"""Score roles on titles written for this project."""

import re
from collections.abc import Container
from typing import get_args

from bench.insight.scores import Evaluation, Row, read, score
from workers.insight.roles import Role, infer_role

CLASSES: tuple[str, ...] = get_args(Role)
_KEYWORDS = {
    "decision_maker": (
        "ceo",
        "cfo",
        "cto",
        "coo",
        "chief",
        "president",
        "founder",
        "owner",
        "director",
        "vp",
        "head",
    ),
    "influencer": ("manager", "lead", "senior", "architect", "consultant"),
    "user": ("assistant", "engineer", "analyst", "developer", "coordinator", "specialist", "intern"),
}


def evaluate() -> Evaluation:
    """Compare the fleet with keywords found anywhere in the title and with whole keywords, on both sets."""
    rows: list[Row] = []
    for name, cases in {"own": read("roles"), "second": read("roles_second")}.items():
        truth = [[case["role"]] for case in cases]
        titles = [case["title"].lower() for case in cases]
        words = [set(re.findall(r"\w+", title)) for title in titles]
        rows += score(f"fleet, {name}", truth, [[infer_role(case["title"])] for case in cases], CLASSES)
        rows += score(f"keywords, {name}", truth, [[_keywords(title)] for title in titles], CLASSES)
        rows += score(f"words, {name}", truth, [[_keywords(title)] for title in words], CLASSES)
    return {"name": "roles", "rows": rows, "notes": []}


def _keywords(title: Container[str]) -> str:
    return next((role for role, known in _KEYWORDS.items() if any(word in title for word in known)), "unknown")
