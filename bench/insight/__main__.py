"""Measure every judgement: ``python -m bench.insight [FILE]`` prints one table and writes JSON.

FILE defaults to ``bench/results/insight.json``. A judgement whose module is missing is reported as such.
"""

import importlib
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from bench.insight.scores import Evaluation, read
from workers.insight.sentiment import score_sentiment
from workers.insight.signals import detect_signals

if TYPE_CHECKING:
    from collections.abc import Callable

JUDGEMENTS = ("sentiment", "signals", "roles", "reply", "signature")
BASELINES = ("mailparser_reply", "quotequail", "vaderSentiment")
RESULTS = Path(__file__).resolve().parents[1] / "results" / "insight.json"
ROUNDS = 3


def main() -> None:
    """Evaluate, measure the speed, print and write."""
    missing = [name for name in BASELINES if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"bench.insight: {', '.join(missing)} not installed; `make bench-insight` installs what it needs")
    console = Console(width=110)
    evaluations: list[Evaluation] = []
    for name in JUDGEMENTS:
        if importlib.util.find_spec(f"bench.insight.{name}") is None:
            console.print(f"{name}: no evaluation")
            continue
        evaluations.append(importlib.import_module(f"bench.insight.{name}").evaluate())
    rate = messages_per_second()
    console.print(_table(evaluations))
    for evaluation in evaluations:
        for note in evaluation["notes"]:
            console.print(f"{evaluation['name']}: {note}", markup=False)
    console.print(f"speed: {rate:,.0f} messages a second on one core, everything together")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {"evaluations": evaluations, "messages_per_second": round(rate)}
    target.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def messages_per_second() -> float:
    """How many messages one core splits, reads for signature and signals, and scores in a second."""
    messages = [case["text"] for name in ("sentiment", "signals") for case in read(name, None)]
    steps: list[Callable[[str], Any]] = [score_sentiment, detect_signals]
    for module, function in (("reply", "split_reply"), ("signature", "parse_signature")):
        if importlib.util.find_spec(f"workers.insight.{module}") is not None:
            steps.append(getattr(importlib.import_module(f"workers.insight.{module}"), function))
    for step in steps:
        step(messages[0])  # reads its data files
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for message in messages:
            for step in steps:
                step(message)
        best = min(best, time.process_time() - start)
    return len(messages) / best


def _table(evaluations: list[Evaluation]) -> Table:
    table = Table(title="Judgement")
    for column in ("judgement", "system", "class"):
        table.add_column(column)
    for column in ("precision", "recall", "F1", "n"):
        table.add_column(column, justify="right")
    for evaluation in evaluations:
        for row in evaluation["rows"]:
            table.add_row(
                evaluation["name"],
                row["system"],
                row["class"],
                f"{row['precision']:.3f}",
                f"{row['recall']:.3f}",
                f"{row['f1']:.3f}",
                str(row["n"]),
            )
        table.add_section()
    return table


if __name__ == "__main__":
    main()
