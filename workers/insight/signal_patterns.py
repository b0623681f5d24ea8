"""What each signal sounds like: the customer, speaking of an own need, names what it is about.

The patterns are data (``data/signal_patterns.json``). Every gap in them is bounded and a sentence is short
(see :mod:`workers.insight.signals`), so matching stays cheap.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final, Literal, NamedTuple, get_args

from workers.insight.phrases import load
from workers.insight.remembered import Remembered

__all__ = ["SignalType", "matches", "vetoes", "wake"]

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

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_LONGEST_WORD: Final = 20
_PART: Final = re.compile(r"<([A-Z]+)>")


class _Index(NamedTuple):
    """All rules, and the needs that words meet, as bits.

    Attributes:
        vetoes: of every type, what says something else.
        letters: which needs letters inside a word meet, and the expressions of which this is the rarest need.
        triggers: beginnings of words, or whole words, one of which must occur before any but a type's free
            expressions counts.
        table: every expression with its type, in the usual order.
        needs: of each of them, without which it cannot match.
        always: the expressions without needs of their own.
    """

    vetoes: Mapping[SignalType, re.Pattern[str]]
    letters: Mapping[str, tuple[int, frozenset[int]]]
    triggers: tuple[tuple[int, tuple[str, ...], frozenset[str]], ...]
    table: tuple[tuple[re.Pattern[str], SignalType], ...]
    needs: tuple[int, ...]
    always: frozenset[int]


@cache
def _index() -> _Index:
    data = load("signal_patterns")
    parts: dict[str, str] = data["parts"]
    bits: dict[str, int] = {}
    vetoes: dict[SignalType, re.Pattern[str]] = {}
    triggers: list[tuple[int, tuple[str, ...], frozenset[str]]] = []
    table: list[tuple[re.Pattern[str], SignalType]] = []
    needed: list[int] = []
    keyed: dict[str, set[int]] = {}

    def expand(pattern: str) -> str:
        return _PART.sub(lambda match: parts[match.group(1)], pattern)

    for kind in get_args(SignalType):
        rule = data["signals"][kind]
        trigger = bits.setdefault(f"<{kind}>", 1 << len(bits))
        for entry in rule["patterns"]:
            needs = 0 if entry.get("free") else trigger
            for need in entry["needs"]:
                needs |= bits.setdefault(need, 1 << len(bits))
            rarest = entry["needs"][0] if entry["needs"] else ""
            keyed.setdefault(rarest, set()).add(len(table))
            table.append((re.compile(expand(entry["match"]), re.IGNORECASE), kind))
            needed.append(needs)
        veto = "|".join(f"(?:{expand(pattern)})" for pattern in rule["veto"])
        vetoes[kind] = re.compile(veto, re.IGNORECASE)
        triggers.append((trigger, tuple(rule["triggers"]), frozenset(rule["words"])))
    letters: dict[str, tuple[int, frozenset[int]]] = {}
    for need, bit in bits.items():
        for part in need.split():
            known, expressions_of = letters.get(part, (0, frozenset()))
            letters[part] = known | bit, expressions_of | keyed.get(need, set())
    return _Index(vetoes, letters, tuple(triggers), tuple(table), tuple(needed), frozenset(keyed.get("", ())))


def vetoes() -> Mapping[SignalType, re.Pattern[str]]:
    """Of every type, in the usual order, what a sentence must not match to be one; read and compiled once."""
    return _index().vetoes


def _wakes(chunk: str) -> tuple[int, frozenset[int]] | None:
    """The needs that the words between two spaces meet, as bits, and the expressions that they make worth trying.

    None for the many that meet none.
    """
    index = _index()
    bits = 0
    expressions: set[int] = set()
    for found in _WORD.findall(chunk):
        word = found[:_LONGEST_WORD]
        for start in range(len(word)):
            for end in range(start + 1, len(word) + 1):
                met = index.letters.get(word[start:end])
                if met is not None:
                    bits |= met[0]
                    expressions |= met[1]
        for trigger, starts, words in index.triggers:
            if word in words or word.startswith(starts):
                bits |= trigger
    return (bits, frozenset(expressions)) if bits else None


_WAKES: Final = Remembered(_wakes, 32_768)


def wake(sentence: str) -> Mapping[SignalType, Sequence[re.Pattern[str]]]:
    """The patterns worth trying on a sentence, in the usual order; cheap, because for most there are none."""
    index = _index()
    met = [*filter(None, map(_WAKES.__getitem__, sentence.lower().split()))]
    bits = 0
    for more, _ in met:
        bits |= more
    possible = index.always.union(*[expressions for _, expressions in met])
    needs = index.needs
    patterns: dict[SignalType, list[re.Pattern[str]]] = {}
    for number in sorted([number for number in possible if bits & needs[number] == needs[number]]):
        pattern, kind = index.table[number]
        patterns.setdefault(kind, []).append(pattern)
    return patterns


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
