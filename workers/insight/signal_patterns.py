"""What each signal sounds like: the customer, speaking of an own need, names what it is about.

The patterns are data (``data/signal_patterns.json``). Every gap in them is bounded and a sentence is short
(see :mod:`workers.insight.signals`), so matching stays cheap.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, reduce
from operator import or_
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
    """All rules. What words meet is one number: a bit for every expression to try, by its place, and for every need.

    Attributes:
        vetoes: of every type, what says something else.
        letters: what letters inside a word meet: needs, and the expressions of which one of these is the rarest need.
        triggers: beginnings of words, or whole words, one of which must occur before any but a type's free
            expressions counts, behind the need that they meet.
        table: every expression with its type, in the usual order.
        needs: of each of them, without which it cannot match.
        always: the expressions without needs of their own.
    """

    vetoes: Mapping[SignalType, re.Pattern[str]]
    letters: Mapping[str, int]
    triggers: tuple[tuple[int, tuple[str, ...], frozenset[str]], ...]
    table: tuple[tuple[re.Pattern[str], SignalType], ...]
    needs: tuple[int, ...]
    always: int


@cache
def _index() -> _Index:
    data = load("signal_patterns")
    parts: dict[str, str] = data["parts"]
    places = sum(len(rule["patterns"]) for rule in data["signals"].values())
    bits: dict[str, int] = {}
    vetoes: dict[SignalType, re.Pattern[str]] = {}
    triggers: list[tuple[int, tuple[str, ...], frozenset[str]]] = []
    table: list[tuple[re.Pattern[str], SignalType]] = []
    needed: list[int] = []
    keyed: defaultdict[str, int] = defaultdict(int)

    def expand(pattern: str) -> str:
        return _PART.sub(lambda match: parts[match.group(1)], pattern)

    def bit_of(need: str) -> int:
        return bits.setdefault(need, 1 << places + len(bits))

    for kind in get_args(SignalType):
        rule = data["signals"][kind]
        trigger = bit_of(f"<{kind}>")
        for entry in rule["patterns"]:
            needs = 0 if entry.get("free") else trigger
            for need in entry["needs"]:
                needs |= bit_of(need)
            rarest = entry["needs"][0] if entry["needs"] else ""
            keyed[rarest] |= 1 << len(table)
            table.append((re.compile(expand(entry["match"]), re.IGNORECASE), kind))
            needed.append(needs)
        veto = "|".join(f"(?:{expand(pattern)})" for pattern in rule["veto"])
        vetoes[kind] = re.compile(veto, re.IGNORECASE)
        triggers.append((trigger, tuple(rule["triggers"]), frozenset(rule["words"])))
    letters: defaultdict[str, int] = defaultdict(int)
    for need, bit in bits.items():
        for part in need.split():
            letters[part] |= bit | keyed.get(need, 0)
    return _Index(vetoes, dict(letters), tuple(triggers), tuple(table), tuple(needed), keyed.get("", 0))


def vetoes() -> Mapping[SignalType, re.Pattern[str]]:
    """Of every type, in the usual order, what a sentence must not match to be one; read and compiled once."""
    return _index().vetoes


def _wakes(chunk: str) -> int:
    """What the words between two spaces meet; nothing for most."""
    index = _index()
    met = 0
    for found in _WORD.findall(chunk):
        word = found[:_LONGEST_WORD]
        for start in range(len(word)):
            for end in range(start + 1, len(word) + 1):
                met |= index.letters.get(word[start:end], 0)
        for trigger, starts, words in index.triggers:
            if word in words or word.startswith(starts):
                met |= trigger
    return met


_WAKES: Final = Remembered(_wakes)


def wake(sentence: str) -> Mapping[SignalType, Sequence[re.Pattern[str]]]:
    """The patterns worth trying on a sentence, in the usual order; cheap, because for most there are none."""
    index = _index()
    met = reduce(or_, map(_WAKES.__getitem__, sentence.lower().split()), index.always)
    possible = met & (1 << len(index.table)) - 1
    patterns: dict[SignalType, list[re.Pattern[str]]] = {}
    while possible:
        number = (possible & -possible).bit_length() - 1  # the lowest bit's
        possible &= possible - 1
        needs = index.needs[number]
        if met & needs == needs:
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
