"""Precision, recall and F1, and the shape in which every evaluation reports them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict

DATA = Path(__file__).resolve().parent / "data"


# Functional form, because "class" is a keyword. ``n`` counts the cases of that class.
Row = TypedDict("Row", {"system": str, "class": str, "precision": float, "recall": float, "f1": float, "n": int})


class Evaluation(TypedDict):
    """The figures of one judgement."""

    name: str
    rows: list[Row]
    notes: list[str]


def read(name: str) -> list[dict[str, Any]]:
    """The labelled cases of ``data/NAME.jsonl``."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def score(
    system: str, truth: Sequence[Iterable[str]], guess: Sequence[Iterable[str]], classes: Sequence[str]
) -> list[Row]:
    """Per class, then ``macro`` (their mean F1) and ``micro``; a case may have any number of classes."""
    true_sets = [frozenset(labels) for labels in truth]
    guess_sets = [frozenset(labels) for labels in guess]
    rows: list[Row] = []
    hits = found = there = 0
    for name in classes:
        hit = sum(name in t and name in g for t, g in zip(true_sets, guess_sets, strict=True))
        guessed = sum(name in g for g in guess_sets)
        real = sum(name in t for t in true_sets)
        hits, found, there = hits + hit, found + guessed, there + real
        rows.append(_row(system, name, hit, guessed, real))
    count = max(len(rows), 1)
    macro: Row = {
        "system": system,
        "class": "macro",
        "precision": round(sum(row["precision"] for row in rows) / count, 3),
        "recall": round(sum(row["recall"] for row in rows) / count, 3),
        "f1": round(sum(row["f1"] for row in rows) / count, 3),
        "n": len(true_sets),
    }
    return [*rows, macro, _row(system, "micro", hits, found, there)]


def _row(system: str, name: str, hits: int, found: int, there: int) -> Row:
    precision = hits / found if found else 0.0
    recall = hits / there if there else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return {
        "system": system,
        "class": name,
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "f1": round(f1, 3),
        "n": there,
    }
