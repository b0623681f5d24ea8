"""Say how much a sentence resembles each signal, in words that no pattern foresaw.

A linear head per type (weights in ``data/signal_weights.json``) adds up what the words, denied words and pairs of a
sentence say; whether it complains also depends on its mood. Their biases ask for a margin, because most business
mail carries no signal.
"""

from collections.abc import Mapping
from functools import cache
from operator import mul
from typing import NamedTuple, cast

from workers.insight.mood import mood_of
from workers.insight.phrases import load
from workers.insight.signal_patterns import SignalType
from workers.insight.tokens import tokenize


class _Head(NamedTuple):
    kinds: tuple[SignalType, ...]
    scale: float
    bias: tuple[float, ...]
    mood: tuple[float, ...]
    rows: Mapping[object, tuple[int, ...]]  # by name, or by pair


@cache
def _head() -> _Head:
    data = load("signal_weights")
    rows: dict[object, tuple[int, ...]] = {}
    for name, row in data["rows"].items():
        rows[tuple(name.split()) if " " in name else name] = tuple(map(int, row.split()))
    return _Head(
        kinds=cast("tuple[SignalType, ...]", tuple(data["kinds"])),
        scale=data["scale"],
        bias=tuple(data["bias"]),
        mood=tuple(data["complaint_mood"]),
        rows=rows,
    )


def signal_margins(sentence: str) -> dict[SignalType, float]:
    """How far the head is from calling a sentence each of the types: above 0 it would; never raises.

    Returns:
        A margin (log-odds) for every type; empty for a sentence of which it knows no word.
    """
    head = _head()
    tokens = tokenize(sentence)
    rows = [*filter(None, map(head.rows.get, {*tokens.names, *tokens.pairs}))]
    mood = mood_of(sentence)
    if not rows or not mood:
        return {}
    scale = head.scale * len(tokens) ** 0.5
    sums = map(sum, zip(*rows, strict=True))
    margins = {kind: total / scale + bias for kind, total, bias in zip(head.kinds, sums, head.bias, strict=True)}
    margins["complaint"] += sum(map(mul, head.mood, mood.evidence))
    return margins
