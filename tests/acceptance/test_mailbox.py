"""A mailbox of a thousand messages goes in twice: the same rows, nothing lost, the malformed listed."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.crm import NOW, Crm, days
from tests.letters import HAPPY, OURS, UNHAPPY, bounce, letter
from workers.cli import app
from workers.correspondence import Answered, message_id

MESSAGES = 1_000
REPLIES, BOUNCES = 75, 25
DUPLICATES = MESSAGES // 3
MALFORMED = MESSAGES // 50
NEW = MESSAGES - DUPLICATES - MALFORMED
HEAD = f"From: ann@acme.example\nTo: {OURS}\nSubject: Hello\n".encode()
# Each kind of trouble, made different from the next by its number.
TROUBLE = (
    lambda n: b"no mail at all %d" % n,
    lambda n: b"From: ann@acme.example\nTo: care@northwind.example\nX-Number: %d\n\n" % n,  # neither subject nor text
    lambda n: b"To: care@northwind.example\nSubject: %d\n\nnobody wrote this\n" % n,
    lambda n: HEAD + b"X: y\n" * 2_100 + b"\n%d" % n,
    lambda n: HEAD + b"Content-Type: message/rfc822\n\n" * 40 + HEAD + b"\n%d" % n,
    lambda n: HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n%d\n" % n * 1_100,
    lambda n: letter(f"number {n}", to="nobody@elsewhere.example"),
    lambda n: b"\0\xff%d\r\r" % n,
)
TABLES = (
    "inbound_messages", "inbound_rejects", "feedback_requests", "cases", "scheduled_actions", "suppressions", "deals",
    "quote_activities", "contacts",
)  # fmt: skip


def sent_requests(crm: Crm, number: int) -> list[str]:
    """The Message-IDs of feedback requests that were sent."""
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", OURS, tenant)
    found = []
    for position in range(number):
        contact = crm.contact(tenant, crm.client(tenant), email=f"customer{position}@acme.example")
        order = crm.order(tenant, contact_id=contact, delivered_at=NOW - days(8), order_number=f"O-{position}")
        request = crm.one("SELECT id FROM feedback_requests WHERE order_id = %s", order)["id"]
        crm.update("feedback_requests", request, status="sent", sent_at=NOW, contact_id=contact)
        values = {"subject_type": "feedback_request", "subject_id": request, "contact_id": contact, "status": "sent"}
        action = crm.action(tenant, engine="feedback", attempts=1, sent_to=f"customer{position}@acme.example", **values)
        found.append(message_id(Answered(action, tenant), "northwind.example"))
    return found


def fill(folder: Path, requests: list[str]) -> None:
    """Write the mailbox: answers, bounces and other mail, copies among them, and trouble."""
    dice = random.Random(7)  # noqa: S311
    raws = [
        letter(dice.choice([HAPPY, UNHAPPY]), sender=f"customer{n}@acme.example", answers=[ask])
        for n, ask in enumerate(requests[:REPLIES])
    ]
    raws += [bounce(ask, f"customer{REPLIES + n}@acme.example", "5.1.1") for n, ask in enumerate(requests[REPLIES:])]
    raws += [
        letter(f"Hello, this is note {n}.", sender=f"customer{n % 225}@acme.example") for n in range(NEW - len(raws))
    ]
    raws += [dice.choice(raws) for _ in range(DUPLICATES)]
    raws += [TROUBLE[n % len(TROUBLE)](n) for n in range(MALFORMED)]
    dice.shuffle(raws)
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    for number, raw in enumerate(raws):
        (folder / ("cur" if number % 2 else "new") / f"{number:05}.host").write_bytes(raw)


def rows(crm: Crm) -> dict[str, list[dict[str, Any]]]:
    return {table: crm.rows(f"SELECT * FROM {table} AS t ORDER BY t::text") for table in TABLES}  # noqa: S608


def test_a_mailbox_goes_in_twice_and_nothing_is_lost(
    crm: Crm, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    requests = sent_requests(crm, REPLIES + BOUNCES)
    fill(tmp_path / "mail", requests)
    reports = []
    states = []

    for _ in range(2):
        done = CliRunner().invoke(app, ["inbound", str(tmp_path / "mail"), "--json"])
        assert done.exit_code == 1, done.output
        reports.append(json.loads(done.stdout))
        states.append(rows(crm))

    first, again = reports
    assert (first["stored"], first["duplicates"], len(first["set_aside"])) == (NEW, DUPLICATES, MALFORMED)
    assert (again["stored"], again["duplicates"], len(again["set_aside"])) == (0, NEW + DUPLICATES, MALFORMED)
    assert first["set_aside"] == again["set_aside"]
    assert all(problem["reason"] for problem in first["set_aside"])
    assert states[0] == states[1]

    state = states[0]
    kinds = Counter(row["kind"] for row in state["inbound_messages"])
    assert kinds == {"reply": REPLIES, "bounce": BOUNCES, "message": NEW - REPLIES - BOUNCES}
    assert len(state["inbound_rejects"]) == MALFORMED
    assert len(state["suppressions"]) == BOUNCES
    answered = [row for row in state["feedback_requests"] if row["status"] == "responded"]
    unhappy = [row for row in answered if row["sentiment"] == "negative"]
    assert len(answered) == REPLIES
    assert REPLIES / 3 < len(unhappy) < REPLIES * 2 / 3
    assert len(state["cases"]) == len(unhappy)
    assert sum(row["template"] == "service_recovery" for row in state["scheduled_actions"]) == len(unhappy)
