"""Say how much a sentence resembles each signal, in words that no pattern foresaw.

A linear head per type (weights in ``data/signal_weights.json``) adds up what the words, denied words and pairs of a
sentence say; whether it complains also depends on its mood. Their biases ask for a margin, because most business
mail carries no signal.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import repeat
from operator import mul
from struct import unpack
from typing import Final, NamedTuple, cast

from workers.insight.mood import mood_of
from workers.insight.phrases import load
from workers.insight.signal_patterns import SignalType
from workers.insight.tokens import tokenize

# The weights of one row stand in one number, each in bits of its own, so that a sentence is added up in one go.
_BITS: Final = 32
_HALF: Final = 1 << (_BITS - 1)  # more than all weights of a text together


class _Head(NamedTuple):
    kinds: tuple[SignalType, ...]
    scale: float
    bias: tuple[float, ...]
    mood: tuple[float, ...]
    rows: Mapping[str, int]  # by name, or by pair; see _packed


@cache
def _head() -> _Head:
    data = load("signal_weights")
    return _Head(
        kinds=cast("tuple[SignalType, ...]", tuple(data["kinds"])),
        scale=data["scale"],
        bias=tuple(data["bias"]),
        mood=tuple(data["complaint_mood"]),
        rows={name: _packed(map(int, row.split())) for name, row in data["rows"].items()},
    )


def _packed(weights: Iterable[int]) -> int:
    """Weights of either sign in one number; the sum of such numbers holds the sums of their weights."""
    return sum(weight << (_BITS * place) for place, weight in enumerate(weights))


@cache
def _halves(count: int) -> int:
    return _packed(repeat(_HALF, count))


def _unpacked(total: int, count: int) -> list[int]:
    """The weights that :func:`_packed` put into one number; what is less than 0 borrows from the next one's bits."""
    raised = total + _halves(count)
    return [weight - _HALF for weight in unpack(f"<{count}I", raised.to_bytes(count * _BITS // 8, "little"))]


def signal_margins(sentence: str) -> dict[SignalType, float]:
    """How far the head is from calling a sentence each of the types: above 0 it would; never raises.

    Returns:
        A margin (log-odds) for every type; empty for a sentence of which it knows no word.
    """
    head = _head()
    tokens = tokenize(sentence)
    total = sum(map(head.rows.get, {*tokens.names, *tokens.pairs}, repeat(0)))
    mood = mood_of(sentence)
    if not total or not mood:
        return {}
    scale = head.scale * len(tokens.texts) ** 0.5
    sums = [weight / scale + bias for weight, bias in zip(_unpacked(total, len(head.kinds)), head.bias, strict=True)]
    margins = dict(zip(head.kinds, sums, strict=True))
    margins["complaint"] += sum(map(mul, head.mood, mood.evidence))
    return margins
