"""Say how much a sentence resembles each signal, in words that no pattern foresaw.

A linear head per type (weights in ``data/signal_weights.json``) adds up what the words, denied words and pairs of a
sentence say; whether it complains also depends on its mood. Their biases ask for a margin, because most business
mail carries no signal.
"""

from functools import cache
from operator import mul
from typing import NamedTuple, cast

from workers.insight.mood import Mood
from workers.insight.signal_patterns import SignalType
from workers.insight.vocabulary import signal_weights


class _Head(NamedTuple):
    kinds: tuple[SignalType, ...]
    scale: float
    bias: tuple[float, ...]
    mood: tuple[float, ...]


@cache
def _head() -> _Head:
    data = signal_weights()
    return _Head(
        kinds=cast("tuple[SignalType, ...]", tuple(data["kinds"])),
        scale=data["scale"],
        bias=tuple(data["bias"]),
        mood=tuple(data["complaint_mood"]),
    )


def signal_margins(mood: Mood) -> dict[SignalType, float]:
    """How far the head is from calling a sentence each of the types: above 0 it would; never raises.

    Args:
        mood: of the sentence, with the reading of its words.

    Returns:
        A margin (log-odds) for every type, in the usual order; 0 for each if it knows no word of the sentence.
    """
    head, reading = _head(), mood.reading
    if not any(reading.signals):
        return dict.fromkeys(head.kinds, 0.0)
    scale = head.scale * len(reading.texts) ** 0.5
    rows = zip(head.kinds, reading.signals, head.bias, strict=True)
    margins = {kind: weight / scale + bias for kind, weight, bias in rows}
    margins["complaint"] += sum(map(mul, head.mood, mood.evidence))
    return margins
