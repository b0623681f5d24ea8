"""What each signal sounds like: the customer, speaking of an own need, names what it is about.

The patterns are data (``data/signal_patterns.json``). Every gap in them is bounded and a sentence is short
(see :mod:`workers.insight.signals`), so matching stays cheap.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple, get_args

SignalType = Literal[
    "complaint",
    "urgency",
    "budget_mention",
    "competitor_mention",
    "expansion",
    "renewal",
    "upsell",
    "referral",
    "churn_risk",
]

_PART = re.compile(r"<([A-Z]+)>")


class Rule(NamedTuple):
    """How one type is found in a sentence.

    Attributes:
        triggers: beginnings of words; one must occur, or the patterns are not tried.
        patterns: what counts as evidence; each distinct match is one keyword.
        veto: a sentence that matches this says something else.
    """

    triggers: re.Pattern[str]
    patterns: re.Pattern[str]
    veto: re.Pattern[str]


@cache
def rules() -> Mapping[SignalType, Rule]:
    """The rule of every type, read and compiled once."""
    source = resources.files("workers.insight").joinpath("data", "signal_patterns.json")
    data = json.loads(source.read_text(encoding="utf-8"))
    parts: dict[str, str] = data["parts"]

    def one_of(patterns: list[str]) -> str:
        return _PART.sub(lambda match: parts[match.group(1)], "|".join(f"(?:{p})" for p in patterns))

    compiled: dict[SignalType, Rule] = {}
    for kind in get_args(SignalType):
        rule = data["signals"][kind]
        compiled[kind] = Rule(
            triggers=re.compile(rf"\b(?:{one_of(rule['triggers'])})", re.IGNORECASE),
            patterns=re.compile(one_of(rule["patterns"]), re.IGNORECASE),
            veto=re.compile(one_of(rule["veto"]), re.IGNORECASE),
        )
    return compiled
