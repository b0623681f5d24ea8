"""Measure every judgement: ``python -m bench.insight [FILE]`` prints one table and writes JSON.

FILE defaults to ``bench/results/insight.json``.
"""

import importlib
import importlib.util
import json
import random
import statistics
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.insight import answers, bounces, reply, roles, sentiment, signals, signature
from bench.insight.scores import Evaluation, read
from workers.insight.reply import split_reply
from workers.insight.sentiment import score_sentiment
from workers.insight.signals import detect_signals
from workers.insight.signature import parse_signature
from workers.insight.tokens import sentences_of

BASELINES = ("mailparser_reply", "quotequail", "vaderSentiment")
RESULTS = Path(__file__).resolve().parents[1] / "results" / "insight.json"
ROUNDS = 5
REMEMBERING = (
    "tokens",
    "vocabulary",
    "mood",
    "reply",
    "mail_headers",
    "footers",
    "signature_features",
    "signature_fields",
    "contact_words",
    "signature_pieces",
    "phone_numbers",
)
SHORTEST = 20  # characters of a sentence that says something
SIGNED = "Best regards,\nJane {surname}\nOperations Manager\nTel: +1 415 555 {number:04}"
SURNAMES = (
    "Miller",
    "Okafor",
    "Lindqvist",
    "Haddad",
    "Moreau",
    "Tanaka",
    "Novak",
    "Castillo",
    "Byrne",
    "Rossi",
    "Kaur",
)
TEXTS_REMEMBERED = 4_096  # caches up to this size hold lines and texts, larger ones single words


def main() -> None:
    """Evaluate, measure the speed, print and write."""
    missing = [name for name in BASELINES if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"bench.insight: {', '.join(missing)} not installed; `make bench-insight` installs what it needs")
    console = Console(width=110)
    evaluations: list[Evaluation] = [
        judgement.evaluate() for judgement in (sentiment, signals, roles, reply, signature, answers, bounces)
    ]
    rates = messages_per_second()
    console.print(_table(evaluations))
    for evaluation in evaluations:
        for note in evaluation["notes"]:
            console.print(f"{evaluation['name']}: {note}", markup=False)
    for kind, rate in rates.items():
        console.print(f"speed: {rate:,.0f} messages a second on one core, everything together ({kind})")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {"evaluations": evaluations, "messages_per_second": {kind: round(rate) for kind, rate in rates.items()}}
    target.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def messages_per_second() -> dict[str, float]:
    """How many messages of each kind one core splits, reads for signature and signals, and scores in a second.

    What is remembered of single words stays, as in a worker that has read mail before; what is remembered of
    lines and texts is forgotten before each round, or the second round would only look things up.
    """
    kinds = {
        "a sentence or two": [(case["text"], None) for case in read("sentiment_second")],
        "mails, quotes and all": [(case["body"], case["sender"]) for case in read("replies_second")],
        "mails with signatures": [(case["text"], case["sender"]) for case in read("signatures_second")],
        "mails with signals": [(case["text"], None) for case in read("signals_second")],
        "dense mails of 300 characters": dense_mails(300),
        "dense mails of 2,000 characters": dense_mails(2_000),
    }
    remembered = [
        found
        for name in REMEMBERING
        for found in vars(importlib.import_module(f"workers.insight.{name}")).values()
        if hasattr(found, "cache_clear") and found.cache_parameters()["maxsize"] in range(1, TEXTS_REMEMBERED + 1)
    ]
    rates: dict[str, float] = {}
    for kind, mails in kinds.items():
        times = []
        for _ in range(ROUNDS + 1):  # the first one reads data files
            for cached in remembered:
                cached.cache_clear()
            start = time.process_time()
            for text, sender in mails:
                written = split_reply(text, sender=sender).text
                parse_signature(text, sender)
                score_sentiment(written)
                detect_signals(written)
            times.append(time.process_time() - start)
        rates[kind] = len(mails) / statistics.median(times[1:])
    return rates


def dense_mails(size: int) -> list[tuple[str, str | None]]:
    """Mails of about so many characters with signatures of their own, of the second sets' sentences, none twice."""
    written = [case["text"] for name in ("sentiment_second", "signals_second") for case in read(name)]
    sentences = list(dict.fromkeys(part for text in written for part in sentences_of(text) if len(part) > SHORTEST))
    random.Random(11).shuffle(sentences)  # the same mails each time
    mails: list[tuple[str, str | None]] = []
    body: list[str] = []
    for sentence in sentences:
        body.append(sentence)
        if sum(map(len, body)) + len(body) >= size - len(SIGNED):
            text = "\n\n".join(" ".join(body[start : start + 4]) for start in range(0, len(body), 4))
            surname = SURNAMES[len(mails) % len(SURNAMES)]
            signed = SIGNED.format(surname=surname, number=len(mails))
            mails.append((f"Hi,\n\n{text}\n\n{signed}", f"Jane {surname} <jane.{surname.lower()}@acme.example>"))
            body = []
    return mails


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
