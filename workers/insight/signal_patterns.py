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

__all__ = ["SignalType", "fold", "hints", "matches", "vetoes", "wake"]

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
# Patterns are written in lower case and tried on a sentence in lower case: ignoring the case takes half as long again.
# Those of which a part asks for capitals are the exception.
_ASKS_FOR_CAPITALS: Final = "(?-i:"
_IGNORECASE: Final = int(re.IGNORECASE)


class _Rules(NamedTuple):
    """All rules.

    Attributes:
        vetoes: of every type, what says something else.
        patterns: every pattern, type by type.
        places: of every type, a bit for each of its patterns.
        needs: without which a pattern cannot match, and the triggers without which it does not count.
    """

    vetoes: Mapping[SignalType, re.Pattern[str]]
    patterns: Sequence[re.Pattern[str]]
    places: Mapping[SignalType, int]
    needs: Needs


@cache
def _rules() -> _Rules:
    data = load("signal_patterns")
    parts: dict[str, str] = data["parts"]
    vetoes: dict[SignalType, re.Pattern[str]] = {}
    patterns: list[re.Pattern[str]] = []
    places: dict[SignalType, int] = {}
    needs: list[list[str]] = []

    def expand(pattern: str) -> str:
        return _PART.sub(lambda match: parts[match.group(1)], pattern)

    for kind in get_args(SignalType):
        rule = data["signals"][kind]
        first = len(patterns)
        triggers = " ".join([f"^{start}" for start in rule["triggers"]] + [f"^{word}$" for word in rule["words"]])
        for entry in rule["patterns"]:
            flags = _IGNORECASE if _ASKS_FOR_CAPITALS in entry["match"] else 0
            patterns.append(re.compile(expand(entry["match"]), flags))
            needs.append(entry["needs"] if entry.get("free") else [*entry["needs"], triggers])
        places[kind] = (1 << len(patterns)) - (1 << first)
        veto = "|".join(f"(?:{expand(pattern)})" for pattern in rule["veto"])
        vetoes[kind] = re.compile(veto)
    return _Rules(vetoes, patterns, places, Needs(needs))


def vetoes() -> Mapping[SignalType, re.Pattern[str]]:
    """Of every type, in the usual order, what a sentence must not match to be one, folded; read and compiled once."""
    return _rules().vetoes


def hints(chunk: str) -> int:
    """Which patterns are worth trying on a sentence because of this part of it; of all its parts, bit by bit."""
    return _rules().needs.met_by(chunk.lower())


def wake(hints: int, kind: SignalType) -> list[re.Pattern[str]]:
    """The patterns of a type worth trying on a sentence; cheap, because mostly there are none.

    Args:
        hints: of the sentence, see :func:`hints`.
        kind: the type.
    """
    rules = _rules()
    return [rules.patterns[place] for place in rules.needs.possible_with(hints, rules.places[kind])]


def matches(sentence: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """What the patterns match, from left to right, without overlaps; the earlier pattern goes first."""
    folded = fold(sentence)
    position = 0
    while patterns:
        found = [
            match
            for pattern in patterns
            if (match := pattern.search(sentence if pattern.flags & _IGNORECASE else folded, position))
        ]
        if not found:
            return
        first = min(found, key=re.Match.start)
        yield sentence[first.start() : first.end()]
        position = max(first.end(), position + 1)
        patterns = [match.re for match in found]


def fold(sentence: str) -> str:
    """A sentence in lower case, letter for letter; one letter's lower case would be two."""
    return sentence.replace("\u0130", "I").lower()
