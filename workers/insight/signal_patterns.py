"""What each signal sounds like: the customer, speaking of an own need, names what it is about.

The patterns are data (``data/signal_patterns.json``). Every gap in them is bounded and a sentence is short
(see :mod:`workers.insight.signals`), so matching stays cheap.
"""

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
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

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_LONGEST_WORD = 20
_PART = re.compile(r"<([A-Z]+)>")


class Rule(NamedTuple):
    """How one type is found in a sentence.

    Attributes:
        triggers: beginnings of words; one must occur, or one of the words, or the patterns are not tried.
        words: whole words that serve as well.
        patterns: what counts as evidence; each distinct match is one keyword.
        veto: a sentence that matches this says something else.
    """

    triggers: tuple[str, ...]
    words: frozenset[str]
    patterns: re.Pattern[str]
    veto: re.Pattern[str]


@cache
def rules() -> Mapping[SignalType, Rule]:
    """The rule of every type, read and compiled once."""
    source = resources.files("workers.insight").joinpath("data", "signal_patterns.json")
    data = json.loads(source.read_text(encoding="utf-8"))
    parts: dict[str, str] = data["parts"]

    def one_of(patterns: list[str]) -> str:
        joined = "|".join(f"(?:{pattern})" for pattern in patterns)
        return _PART.sub(lambda match: parts[match.group(1)], joined)

    compiled: dict[SignalType, Rule] = {}
    for kind in get_args(SignalType):
        rule = data["signals"][kind]
        compiled[kind] = Rule(
            triggers=tuple(rule["triggers"]),
            words=frozenset(rule["words"]),
            patterns=re.compile(one_of(rule["patterns"]), re.IGNORECASE),
            veto=re.compile(one_of(rule["veto"]), re.IGNORECASE),
        )
    return compiled


@lru_cache(maxsize=20_000)
def _wakes(word: str) -> frozenset[SignalType]:
    """The types that a word makes worth trying."""
    return frozenset(
        kind for kind, rule in rules().items() if word in rule.words or word.startswith(rule.triggers)
    )


def worth_trying(sentence: str) -> list[SignalType]:
    """The types whose patterns a sentence may match, in the usual order; cheap, because most match none."""
    awake: set[SignalType] = set()
    for word in _WORD.findall(sentence.lower()):
        awake |= _wakes(word[:_LONGEST_WORD])
    return [kind for kind in rules() if kind in awake]
