"""What each signal sounds like: the customer, speaking of an own need, names what it is about.

The patterns are data (``data/signal_patterns.json``). Every gap in them is bounded and a sentence is short
(see :mod:`workers.insight.signals`), so matching stays cheap.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final, Literal, NamedTuple, get_args

from workers.insight.needs import Needs
from workers.insight.phrases import load

__all__ = ["SignalType", "hints", "matches", "vetoes", "wake"]

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

_PART: Final = re.compile(r"<([A-Z]+)>")


class _Rules(NamedTuple):
    """All rules.

    Attributes:
        vetoes: of every type, what says something else.
        patterns: every pattern with its type, in the usual order.
        needs: without which a pattern cannot match, and the triggers without which it does not count.
    """

    vetoes: Mapping[SignalType, re.Pattern[str]]
    patterns: Sequence[tuple[re.Pattern[str], SignalType]]
    needs: Needs


@cache
def _rules() -> _Rules:
    data = load("signal_patterns")
    parts: dict[str, str] = data["parts"]
    vetoes: dict[SignalType, re.Pattern[str]] = {}
    patterns: list[tuple[re.Pattern[str], SignalType]] = []
    needs: list[list[str]] = []

    def expand(pattern: str) -> str:
        return _PART.sub(lambda match: parts[match.group(1)], pattern)

    for kind in get_args(SignalType):
        rule = data["signals"][kind]
        triggers = " ".join([f"^{start}" for start in rule["triggers"]] + [f"^{word}$" for word in rule["words"]])
        for entry in rule["patterns"]:
            patterns.append((re.compile(expand(entry["match"]), re.IGNORECASE), kind))
            needs.append(entry["needs"] if entry.get("free") else [*entry["needs"], triggers])
        veto = "|".join(f"(?:{expand(pattern)})" for pattern in rule["veto"])
        vetoes[kind] = re.compile(veto, re.IGNORECASE)
    return _Rules(vetoes, patterns, Needs(needs))


def vetoes() -> Mapping[SignalType, re.Pattern[str]]:
    """Of every type, in the usual order, what a sentence must not match to be one; read and compiled once."""
    return _rules().vetoes


def hints(chunk: str) -> int:
    """Which patterns are worth trying on a sentence because of this part of it; of all its parts, bit by bit."""
    return _rules().needs.met_by(chunk.lower())


def wake(hints: int) -> Mapping[SignalType, Sequence[re.Pattern[str]]]:
    """The patterns worth trying on a sentence, in the usual order; cheap, because for most there are none.

    Args:
        hints: of the sentence, see :func:`hints`.
    """
    rules = _rules()
    found: dict[SignalType, list[re.Pattern[str]]] = {}
    for place in rules.needs.possible_with(hints):
        pattern, kind = rules.patterns[place]
        found.setdefault(kind, []).append(pattern)
    return found


def matches(sentence: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """What the patterns match, from left to right, without overlaps; the earlier pattern goes first."""
    position = 0
    while patterns:
        found = [match for pattern in patterns if (match := pattern.search(sentence, position))]
        if not found:
            return
        first = min(found, key=re.Match.start)
        yield first.group()
        position = max(first.end(), position + 1)
        patterns = [match.re for match in found]
