"""If these fail, who said stop is written to again, or an answer that nobody could read is taken for a happy one."""

from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from tests.letters import HAPPY, OURS, UNHAPPY, letter
from tests.outbox import suppressed
from workers import clock
from workers.correspondence import Answered, message_id
from workers.db.session import Connection
from workers.delivery.channels import MaildirChannel
from workers.delivery.deliver import deliver
from workers.inbound.ingest import Stored, ingest
from workers.settings import Settings, settings

STOP = "Please take me off your list and do not write to me any more."
CZECH = "Byli jsme velmi spokojeni, ale jedna krabice chyběla."
GERMAN_COMPLAINT = "Eine Katastrophe: die Hälfte kam kaputt an, und niemand meldet sich."


class Scene(NamedTuple):
    """A tenant, its service person, an owner with a client, and what we sent to the client's Ann."""

    tenant: UUID
    owner: UUID
    client: UUID
    contact: UUID
    subject: UUID
    sent: str


def scene(crm: Crm, about: str = "deal", *, email: str = "ann@acme.example") -> Scene:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", OURS, tenant)
    crm.profile(tenant, role="service", full_name="Sam Service")
    owner = crm.profile(tenant)
    client = crm.client(tenant, owner_id=owner)
    contact = crm.contact(tenant, client, email=email)
    values: dict[str, Any] = {"client_id": client, "contact_id": contact}
    if about == "deal":
        subject, engine = crm.deal(tenant, stalled_at=NOW - days(3), **values), "deals"
    elif about == "quote":
        subject, engine = crm.quote(tenant, **values), "quotes"
    else:
        order = crm.order(tenant, delivered_at=NOW - days(8), **values)
        subject, engine = crm.one("SELECT id FROM feedback_requests WHERE order_id = %s", order)["id"], "feedback"
        crm.update("feedback_requests", subject, status="sent", sent_at=NOW - days(1), expires_at=NOW + days(29))
    action = crm.action(
        tenant, engine=engine, subject_type=about, subject_id=subject, status="sent", attempts=1, sent_to=email,
        sent_at=NOW - days(1), recipient=None, **values,
    )  # fmt: skip
    return Scene(tenant, owner, client, contact, subject, message_id(Answered(action, tenant), "northwind.example"))


def take(connection: Connection, text: str, *, answers: str | None = None, **values: Any) -> Stored:
    with clock.at(NOW):
        outcome = ingest(connection, letter(text, answers=[answers] if answers else [], **values), "test")
    assert isinstance(outcome, Stored), outcome
    return outcome


def tasks(connection: Connection, crm: Crm) -> list[dict[str, Any]]:
    """Deliver, and return the tasks that people have got."""
    with clock.at(NOW):
        deliver(connection, MaildirChannel(Path(settings().fleet_home) / "mail"), Settings())
    return crm.rows("SELECT * FROM tasks ORDER BY title")


@pytest.mark.parametrize("about", ["deal", "quote", "feedback_request"])
def test_who_wants_no_more_mail_gets_none_and_a_person_hears_of_it(
    connection: Connection, crm: Crm, about: str
) -> None:
    there = scene(crm, about)
    planned = crm.action(there.tenant, contact_id=there.contact, recipient=None, status="suggested")
    elsewhere = crm.action(there.tenant, recipient="ANN@acme.example", run_at=NOW + days(1))
    others = crm.action(there.tenant, recipient="bob@acme.example", run_at=NOW + days(1))

    take(connection, STOP, answers=there.sent)
    assert suppressed(crm).keys() == {"ann@acme.example"}
    actions = {row["id"]: row for row in crm.actions()}
    assert [actions[number]["status"] for number in (planned, elsewhere, others)] == [
        "cancelled", "cancelled", "scheduled",
    ]  # fmt: skip
    assert actions[planned]["reason"] == "the customer wants no more mail"
    [task] = tasks(connection, crm)
    assert (task["title"], task["assigned_to"]) == ("Ann Archer <ann@acme.example> wants no more e-mail", there.owner)
    assert STOP in task["description"]
    assert "cancelled 2 e-mails" in task["description"]


def test_stop_covers_the_mailbox_in_every_spelling_and_no_other_tenant(connection: Connection, crm: Crm) -> None:
    there = scene(crm, email="Ann+Sales@acme.example")
    crm.contact(there.tenant, there.client, email="ann@ACME.example", is_primary=False)
    elsewhere = crm.tenant("Southwind")
    kept = crm.action(elsewhere, recipient="ann@acme.example", run_at=NOW + days(1))

    take(connection, STOP, answers=there.sent)
    assert suppressed(crm).keys() == {"ann@acme.example", "ann+sales@acme.example"}
    assert {row["id"]: row["status"] for row in crm.actions()}[kept] == "scheduled"
    assert {row["tenant_id"] for row in crm.rows("SELECT tenant_id FROM suppressions")} == {there.tenant}


def test_a_fresh_unsubscribe_from_a_contact_counts(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "quote")

    assert take(connection, "Unsubscribe").kind == "message"
    assert suppressed(crm).keys() == {"ann@acme.example"}
    [action] = crm.actions(template="opt_out")
    assert (action["engine"], action["assigned_to"], action["client_id"]) == ("quotes", there.owner, there.client)


def test_a_contact_nobody_wrote_to_can_unsubscribe_as_well(connection: Connection, crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", OURS, tenant)
    crm.contact(tenant)

    take(connection, "Unsubscribe")
    assert suppressed(crm).keys() == {"ann@acme.example"}
    assert [task["title"] for task in tasks(connection, crm)] == ["Ann Archer <ann@acme.example> wants no more e-mail"]


def test_a_stranger_unsubscribes_nobody(connection: Connection, crm: Crm) -> None:
    scene(crm)

    take(connection, STOP, sender="Zoe <zoe@elsewhere.example>")
    assert suppressed(crm).keys() == set()
    assert crm.actions(kind="task") == []


def test_who_says_stop_twice_makes_one_task(connection: Connection, crm: Crm) -> None:
    there = scene(crm)

    for text in (STOP, "STOP!"):
        take(connection, text, answers=there.sent)
    assert len(crm.actions(template="opt_out")) == 1


def test_our_own_footer_below_an_answer_is_no_opt_out(connection: Connection, crm: Crm) -> None:
    there = scene(crm)

    take(
        connection,
        "Let us talk on Friday.\n\nOn Mon, 2 Mar 2026, Northwind wrote:\n> Still interested?\n> Unsubscribe\n",
        answers=there.sent,
    )
    assert suppressed(crm).keys() == set()


@pytest.mark.parametrize("about", ["deal", "quote", "feedback_request"])
def test_an_answer_that_cannot_be_read_reaches_a_person(connection: Connection, crm: Crm, about: str) -> None:
    there = scene(crm, about)

    take(connection, CZECH, answers=there.sent)
    [task] = tasks(connection, crm)
    assert task["title"] == "Read what Ann Archer <ann@acme.example> answered in Czech"
    assert (task["assigned_to"], task["priority"]) == (there.owner, "high")
    assert CZECH in task["description"]
    assert about.replace("_", " ") in task["description"]
    assert str(there.subject) in task["description"]
    assert suppressed(crm).keys() == set()


def test_an_answer_that_cannot_be_read_is_neither_happy_nor_neutral(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "feedback_request")

    reply = take(connection, CZECH, answers=there.sent)
    request = crm.row("feedback_requests", there.subject)
    assert (request["status"], request["sentiment"], request["sentiment_score"]) == ("responded", None, None)
    assert (request["response_email_id"], request["response_summary"]) == (
        reply.message, f"Not read (Czech): {CZECH}",
    )  # fmt: skip
    assert crm.rows("SELECT * FROM cases") == []


@pytest.mark.parametrize("text", ["1", "…", "?!", "☆"])
def test_signs_that_tell_nothing_are_neither_happy_nor_neutral(connection: Connection, crm: Crm, text: str) -> None:
    there = scene(crm, "feedback_request")

    take(connection, text, answers=there.sent)
    assert crm.row("feedback_requests", there.subject)["sentiment"] is None
    assert len(tasks(connection, crm)) == 1


def test_an_answer_that_is_read_later_says_more(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "feedback_request")

    take(connection, CZECH, answers=there.sent)
    take(connection, HAPPY, answers=there.sent)
    take(connection, CZECH, answers=there.sent)
    assert crm.row("feedback_requests", there.subject)["sentiment"] == "positive"


def test_an_answer_below_a_long_head_of_html_is_read(connection: Connection, crm: Crm) -> None:
    there = scene(crm)

    styles = "<style>" + "p.MsoNormal { margin: 0; }\n" * 2_000 + "</style>"
    page = f"<html><head>{styles}</head><body><p>{STOP}</p></body></html>"
    take(connection, page, answers=there.sent, html=True)
    assert suppressed(crm).keys() == {"ann@acme.example"}


def test_an_empty_answer_reaches_a_person(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "feedback_request")

    take(connection, "\nOn Mon, 2 Mar 2026, Northwind wrote:\n> Was everything all right?\n", answers=there.sent)
    assert crm.row("feedback_requests", there.subject)["sentiment"] is None
    [task] = tasks(connection, crm)
    assert "it holds no text" in task["description"]


def test_outrage_in_another_language_recovers_the_customer_once(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "feedback_request")

    take(connection, GERMAN_COMPLAINT, answers=there.sent)
    assert crm.row("feedback_requests", there.subject)["sentiment"] == "negative"
    assert len(crm.rows("SELECT * FROM cases")) == 1
    assert [row["template"] for row in crm.actions(kind="task")] == ["service_recovery"]


def test_outrage_about_a_quote_reaches_a_person_too(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "quote")

    take(connection, GERMAN_COMPLAINT, answers=there.sent)
    [task] = tasks(connection, crm)
    assert "It sounds like a complaint." in task["description"]


def test_a_refusal_in_another_language_is_named_to_the_person_who_reads_it(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "quote")

    take(connection, "Wir haben leider kein Interesse.", answers=there.sent)
    [task] = tasks(connection, crm)
    assert "It looks like a refusal." in task["description"]


def test_who_complains_and_says_stop_is_heard_in_both(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "feedback_request")

    take(connection, f"{UNHAPPY}\n{STOP}", answers=there.sent)
    assert sorted(row["template"] for row in crm.actions(kind="task")) == ["opt_out", "service_recovery"]


def test_what_a_customer_writes_about_one_matter_in_a_day_is_one_task(connection: Connection, crm: Crm) -> None:
    there = scene(crm, "quote")

    take(connection, "We will decide on Friday.", answers=there.sent)
    take(connection, "👍", answers=there.sent)
    [task] = crm.actions(kind="task")
    assert (task["template"], task["variables"]["more"]) == ("answer_received", 1)
    assert task["variables"]["text"] == "We will decide on Friday."


@pytest.mark.parametrize("mode", ["review", "off"])
def test_a_customer_who_waits_is_told_of_in_every_mode(connection: Connection, crm: Crm, mode: str) -> None:
    there = scene(crm)
    crm.mode(there.tenant, "deals", mode)

    take(connection, CZECH, answers=there.sent)
    assert [row["status"] for row in crm.actions(template="answer_unread")] == ["scheduled"]


@pytest.mark.parametrize(
    ("text", "signals"),
    [
        ("Yes, we accept the renewal offer, please go ahead.", []),
        ("Our contract is up for renewal in May. Can we talk about the terms?", ["renewal"]),
    ],
)
def test_who_accepts_an_offer_of_renewal_is_not_offered_one_again(
    connection: Connection, crm: Crm, text: str, signals: list[str]
) -> None:
    there = scene(crm, "quote")
    take(connection, text, answers=there.sent)
    crm.run("enrichment", at=NOW + days(1))
    assert [row["signal_type"] for row in crm.rows("SELECT * FROM opportunity_signals")] == signals
