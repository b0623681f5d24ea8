"""Say how much a sentence resembles each signal, in words that no pattern foresaw.

A linear head per type (weights in ``data/signal_weights.json``) adds up what the words, denied words and pairs of a
sentence say. Its bias asks for a wide margin, because most business mail carries no signal.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple, cast

from workers.insight.signal_patterns import SignalType
from workers.insight.tokens import tokenize

_FEWEST_TOKENS = 7


class _Head(NamedTuple):
    kinds: tuple[SignalType, ...]
    bias: tuple[float, ...]
    words: Mapping[str, tuple[int, ...]]
    pairs: Mapping[tuple[str, str], tuple[int, ...]]


@cache
def _head() -> _Head:
    source = resources.files("workers.insight").joinpath("data", "signal_weights.json")
    data = json.loads(source.read_text(encoding="utf-8"))
    words: dict[str, tuple[int, ...]] = {}
    pairs: dict[tuple[str, str], tuple[int, ...]] = {}
    for name, row in data["rows"].items():
        first, _, second = name.partition(" ")
        if second:
            pairs[first, second] = tuple(map(int, row.split()))
        else:
            words[first] = tuple(map(int, row.split()))
    return _Head(
        kinds=cast("tuple[SignalType, ...]", tuple(data["kinds"])),
        bias=tuple(data["bias"]),
        words=words,
        pairs=pairs,
    )


def signal_margins(sentence: str) -> dict[SignalType, float]:
    """How far the head is from calling a sentence each of the types: above 0 it would; never raises.

    Returns:
        A margin (log-odds) for every type; empty for a sentence that is too short to say.
    """
    head = _head()
    tokens = tokenize(sentence)
    if len(tokens) < _FEWEST_TOKENS:
        return {}
    names = {f"~{text}" if negated else text for text, negated in zip(tokens.texts, tokens.negated, strict=True)}
    pairs = set(zip(("^", *tokens.texts), tokens.texts, strict=False))
    rows = [*filter(None, map(head.words.get, names)), *filter(None, map(head.pairs.get, pairs))]
    if not rows:
        return {}
    scale = 10 * len(tokens) ** 0.5
    columns = zip(*rows, strict=True)
    return {kind: sum(column) / scale + bias for kind, column, bias in zip(head.kinds, columns, head.bias, strict=True)}
