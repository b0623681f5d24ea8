"""If these fail, a customer who answered is asked again, or an unhappy one is missed."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crm import NOW, Crm, days
from tests.inbound import asked, northwind, stored, take, written
from tests.letters import HAPPY, UNHAPPY, letter
from workers import clock
from workers.db.session import Connection, connect
from workers.delivery.channels import MaildirChannel
from workers.delivery.deliver import deliver
from workers.inbound.ingest import Outcome, Stored
from workers.settings import Settings, settings


@pytest.fixture
def second(database_url: str) -> Iterator[Connection]:
    """Another worker's connection."""
    with connect(database_url) as connection:
        yield connection


def test_a_happy_answer_is_scored_and_kept(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)
    quoted = (
        f"{HAPPY}\n\nOn Mon, 2 Mar 2026, Northwind wrote:\n> Was anything late, broken, a terrible disappointment?\n"
    )

    reply = stored(connection, letter(quoted, answers=[ask.message_id]))
    request = crm.row("feedback_requests", ask.subject)
    assert (request["status"], request["sentiment"], request["responded_at"]) == ("responded", "positive", NOW)
    assert request["sentiment_score"] > 0
    assert (request["response_email_id"], request["response_summary"]) == (reply.message, HAPPY)
    assert not request["service_recovery_triggered"]
    assert crm.rows("SELECT * FROM cases") == []


def test_an_unhappy_answer_opens_one_case_and_one_next_action(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    owner = crm.profile(tenant)
    ask = asked(crm, tenant, owner=owner)
    raw = letter(UNHAPPY, answers=[ask.message_id])

    stored(connection, raw)
    take(connection, raw)
    stored(connection, letter(UNHAPPY + " I am still waiting.", answers=[ask.message_id]))
    request = crm.row("feedback_requests", ask.subject)
    [case] = crm.rows("SELECT * FROM cases")
    assert (request["sentiment"], request["service_recovery_triggered"]) == ("negative", True)
    assert request["case_created_id"] == case["id"]
    assert (case["priority"], case["source"], case["category"]) == ("high", "fleet", "service_recovery")
    assert (case["order_id"], case["client_id"]) == (request["order_id"], request["client_id"])
    assert case["contact_id"] == request["contact_id"]
    [action] = crm.actions(template="service_recovery")
    assert (action["kind"], action["status"], action["assigned_to"]) == ("task", "scheduled", owner)
    with clock.at(NOW):
        deliver(connection, MaildirChannel(Path(settings().fleet_home) / "mail"), Settings())
    [task] = crm.rows("SELECT * FROM tasks")
    assert (task["priority"], task["assigned_to"]) == ("high", owner)
    assert task["title"] == "Call Ann: unhappy with order O-1"
    assert "two weeks late" in task["description"]


def test_thanks_do_not_hide_a_complaint(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)
    stored(connection, letter(HAPPY, answers=[ask.message_id]))
    complaint = stored(connection, letter(UNHAPPY, answers=[ask.message_id]))
    stored(connection, letter(HAPPY, answers=[ask.message_id]))

    request = crm.row("feedback_requests", ask.subject)
    assert (request["sentiment"], request["response_email_id"]) == ("negative", complaint.message)
    assert len(crm.rows("SELECT * FROM cases")) == 1


def test_a_late_answer_is_heard_all_the_same(connection: Connection, crm: Crm) -> None:
    ask = asked(crm, status="expired", expires_at=NOW - days(1))

    reply = stored(connection, letter(UNHAPPY, answers=[ask.message_id]))
    request = crm.row("feedback_requests", ask.subject)
    assert (request["status"], request["sentiment"], request["response_email_id"]) == (
        "expired",
        "negative",
        reply.message,
    )
    assert request["case_created_id"] is not None


def test_a_crm_that_refuses_the_case_loses_neither_the_answer_nor_the_next_action(
    connection: Connection, crm: Crm
) -> None:
    ask = asked(crm)
    crm.execute("ALTER TABLE cases ADD CONSTRAINT cases_source CHECK (source = 'phone')")

    stored(connection, letter(UNHAPPY, answers=[ask.message_id]))
    assert crm.row("feedback_requests", ask.subject)["case_created_id"] is None
    [action] = crm.actions(template="service_recovery")
    assert "cases_source" in action["variables"]["case_error"]


def test_two_workers_with_one_message_open_one_case(connection: Connection, second: Connection, crm: Crm) -> None:
    ask = asked(crm)
    raw = letter(UNHAPPY, answers=[ask.message_id])

    outcomes = at_once([connection, second], [raw, raw])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Duplicate", "Stored"]
    assert (len(crm.rows("SELECT * FROM cases")), len(crm.actions(template="service_recovery"))) == (1, 1)


def test_two_workers_with_two_complaints_open_one_case(connection: Connection, second: Connection, crm: Crm) -> None:
    for number in range(10):
        ask = asked(crm, northwind(crm, f"Tenant {number}", f"care@{number}.example"))
        raws = [letter(UNHAPPY, to=f"care@{number}.example", answers=[ask.message_id]) for _ in range(2)]
        assert all(isinstance(outcome, Stored) for outcome in at_once([connection, second], raws))
    assert (len(crm.rows("SELECT * FROM cases")), len(crm.actions(template="service_recovery"))) == (10, 10)


def at_once(connections: list[Connection], raws: list[bytes]) -> list[Outcome]:
    """Take one message in over each connection, all at the same moment."""
    outcomes: list[Outcome] = []
    start = threading.Barrier(len(connections))

    def work(connection: Connection, raw: bytes) -> None:
        start.wait(10)
        outcomes.append(take(connection, raw))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(connections, raws, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def test_an_answer_pauses_the_quotes_series(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    quote = crm.quote(tenant, follow_up_count=1, client_id=crm.client(tenant))
    sent = written(crm, tenant, "quote", quote)

    reply = stored(connection, letter("We will decide on Friday.", answers=[sent.message_id]))
    row = crm.row("quotes", quote)
    assert (row["responded_at"], row["next_follow_up_at"], row["follow_up_ended_at"]) == (NOW, None, NOW)
    assert row["due_at"] is None
    [activity] = crm.rows("SELECT * FROM quote_activities WHERE activity_type = 'response'")
    assert activity["notes"] == "We will decide on Friday."
    assert activity["metadata"]["inbound_message_id"] == str(reply.message)
    assert crm.run("quotes", at=NOW + days(30)).tally.actions.total() == 0


@pytest.mark.parametrize("known", [True, False])
def test_an_answer_takes_the_deal_out_of_its_stall(connection: Connection, crm: Crm, known: bool) -> None:
    tenant = northwind(crm)
    deal = crm.deal(tenant)
    stall = {"stalled_at": NOW - days(3), "follow_up_count": 2, "next_follow_up_at": NOW}
    crm.update("deals", deal, **stall)
    if not known:  # as in a CRM that never wrote it down
        crm.execute("ALTER TABLE deals DISABLE TRIGGER deal_activity_update")
        crm.update("deals", deal, last_activity_at=None)
        crm.execute("ALTER TABLE deals ENABLE TRIGGER deal_activity_update")
    sent = written(crm, tenant, "deal", deal)

    stored(connection, letter("Still interested!", answers=[sent.message_id]))
    row = crm.row("deals", deal)
    assert (row["last_activity_at"], row["stalled_at"], row["follow_up_count"]) == (NOW, None, 0)
    assert row["next_follow_up_at"] is None


@pytest.mark.parametrize(
    ("status", "afterwards"),
    [("pending", "in_progress"), ("awaiting_response", "in_progress"), ("overdue", "in_progress"),
     ("completed", "completed"), ("escalated", "escalated")],
)  # fmt: skip
def test_an_answer_sets_a_compliance_check_to_work(
    connection: Connection, crm: Crm, status: str, afterwards: str
) -> None:
    tenant = northwind(crm)
    check = crm.check(tenant, crm.client(tenant), status=status)
    sent = written(crm, tenant, "compliance_check", check, engine="compliance")

    stored(connection, letter("It is attached.", answers=[sent.message_id]))
    assert crm.row("compliance_checks", check)["status"] == afterwards


def test_an_answer_cancels_what_else_was_planned_about_its_subject(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    deal, other = crm.deal(tenant, stalled_at=NOW), crm.deal(tenant, stalled_at=NOW)
    sent = written(crm, tenant, "deal", deal)
    about: dict[str, Any] = {"subject_type": "deal", "subject_id": deal}
    planned = [crm.action(tenant, **about), crm.action(tenant, **about, status="suggested")]
    left = [crm.action(tenant, **about, status="dead"), crm.action(tenant, subject_type="deal", subject_id=other)]

    stored(connection, letter("Yes!", answers=[sent.message_id]))
    actions = {row["id"]: (row["status"], row["reason"]) for row in crm.actions()}
    assert [actions[id] for id in planned] == [("cancelled", "the customer answered")] * 2  # noqa: A001
    assert [actions[id] for id in left] == [("dead", None), ("scheduled", None)]  # noqa: A001
    assert actions[sent.action] == ("sent", None)
