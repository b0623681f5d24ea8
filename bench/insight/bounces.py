"""Score bounces on a public set of real ones: which addresses are given up, and what is not even read.

The set is half of sisimai/set-of-emails (BSD 2-Clause) with the labels of that project's own tests; it is not kept
here. `FLEET_BOUNCES_DIR` names the folder: `messages/*.eml`, and in `labels.jsonl` one line a message, its failures
with `hard` for a dead address.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.insight.scores import Evaluation, score
from workers.inbound.parse import Parsed, SetAside, parse

__all__ = ["Case", "cases", "evaluate", "given_up"]

_SHARED = Path(__file__).resolve().parents[3] / "shared"
FOLDER = Path(os.environ.get("FLEET_BOUNCES_DIR") or _SHARED / "data" / "bounces")
# Complaints, absence notes and reports of success: nothing failed.
_NO_FAILURES = frozenset({"feedback", "vacation", "delivered"})


@dataclass(frozen=True, slots=True)
class Case:
    """A message of the set: its name, what becomes of it here, and for each failure whether the address is dead."""

    name: str
    mail: Parsed | SetAside
    dead: tuple[bool, ...]


def cases() -> list[Case]:
    """Read the set; empty if it is not there."""
    labels = FOLDER / "labels.jsonl"
    if not labels.is_file():
        return []
    rows: list[dict[str, Any]] = [json.loads(line) for line in labels.read_text(encoding="utf-8").splitlines()]
    return [
        Case(
            row["file"],
            parse((FOLDER / "messages" / row["file"]).read_bytes()),
            tuple(failure["hard"] for failure in row["failures"] if failure["reason"] not in _NO_FAILURES),
        )
        for row in rows
    ]


def given_up(case: Case) -> tuple[bool, ...]:
    """For each failure of a message whether its address is given up; the labels name no address, so by number."""
    failures = case.mail.judgement.failures if isinstance(case.mail, Parsed) else ()
    number = sum(failure.fault.whose == "address" for failure in failures)
    surest = sorted(range(len(case.dead)), key=lambda position: not case.dead[position])
    return tuple(position in surest[:number] for position in range(len(case.dead)))


def evaluate() -> Evaluation:
    """Score the fleet, and the plain rule "5.x.x is final" over the same texts."""
    found = cases()
    if not found:
        return {"name": "bounces", "rows": [], "notes": [f"No public set: {FOLDER} is missing."]}
    truth = [["dead address"] if dead else [] for case in found for dead in case.dead]
    ours = [["dead address"] if dead else [] for case in found for dead in given_up(case)]
    plain = [["dead address"] if final else [] for case in found for final in [_is_final(case)] * len(case.dead)]
    live = [position for position, labels in enumerate(truth) if not labels]
    wrong = sum(bool(ours[position]) for position in live)
    aside = sum(isinstance(case.mail, SetAside) for case in found)
    people = sum(isinstance(case.mail, Parsed) and case.mail.judgement.kind == "reply" for case in found)
    rows = [score(name, truth, guess, ["dead address"])[0] for name, guess in (("fleet", ours), ("5.x.x", plain))]
    notes = [
        f"live addresses given up: {wrong} of {len(live)}",
        f"of {len(found)} messages {aside} are set aside and {people} taken for a person's",
    ]
    return {"name": "bounces", "rows": rows, "notes": notes}


def _is_final(case: Case) -> bool:
    raw = (FOLDER / "messages" / case.name).read_text(encoding="utf-8", errors="replace")
    status = re.search(r"(?<![\w.])[245]\.\d{1,3}\.\d{1,3}(?![\w.])", raw)
    return status is not None and status[0].startswith("5")
