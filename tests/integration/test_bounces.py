"""If these fail, mail goes on to people who complained or left, or stops to those whose mailbox was full once."""

import logging
from datetime import datetime
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from tests.inbound import Asked, northwind, stored, written
from tests.letters import OURS, bounce, letter
from tests.outbox import run, suppressed
from workers import clock
from workers.db.session import Connection
from workers.inbound.ingest import Stored, ingest


@pytest.fixture
def tenant(crm: Crm) -> UUID:
    return northwind(crm)


def sent(crm: Crm, tenant: UUID, address: str = "ann@acme.example") -> Asked:
    """An e-mail of ours that was sent to a contact about a deal."""
    contact = crm.contact(tenant, email=address)
    deal = crm.deal(tenant, contact_id=contact, stalled_at=NOW)
    return written(crm, tenant, "deal", deal, contact_id=contact, sent_to=address)


def daemon(text: str) -> bytes:
    return f"From: MAILER-DAEMON <>\nTo: {OURS}\nSubject: Mail delivery failed\nMessage-ID: <d@mx>\n\n{text}".encode()


def complaint(about: str, recipient: str = "Original-Rcpt-To: <ann@acme.example>\n") -> bytes:
    return f"""\
From: feedback@provider.example
To: {OURS}
Subject: FW: your message
Message-ID: <complaint@provider.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="f"

--f
Content-Type: text/plain

An abuse report.
--f
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1
{recipient}
--f
Content-Type: message/rfc822

From: {OURS}
To: undisclosed-recipients:;
Message-ID: {about}

Hello
--f--
""".encode()


def test_a_report_without_a_sender_or_any_field_stops_mail_to_the_address(
    connection: Connection, crm: Crm, tenant: UUID
) -> None:
    ask = sent(crm, tenant)

    report = f"""\
There was an error delivering your mail to <ann@acme.example>.

mx.acme.example did not like our RCPT TO:
550 5.1.1 user unknown

Message headers follow.

To: ann@acme.example
Message-ID: {ask.message_id}
"""
    message = stored(connection, daemon(report))

    assert (message.kind, message.action) == ("bounce", ask.action)
    assert suppressed(crm) == {"ann@acme.example": "no such address (5.1.1)"}
    assert crm.one("SELECT from_address FROM inbound_messages")["from_address"] == "<>"


def test_headers_alone_with_a_part_that_has_none_say_which_message_it_was(
    connection: Connection, crm: Crm, tenant: UUID
) -> None:
    ask = sent(crm, tenant)
    raw = bounce(ask.message_id, "ann@acme.example", "5.1.1").replace(
        b"\nHello\n--b", b'MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="relay"\n\n--b'
    )

    assert stored(connection, raw).action == ask.action
    assert list(suppressed(crm)) == ["ann@acme.example"]


@pytest.mark.parametrize(
    ("status", "said", "cause"),
    [
        (
            "5.7.1",
            "Service unavailable; client [192.0.2.10] is listed by bl.blocklist.example",
            "server listed or blocked",
        ),
        ("5.3.4", "Message size exceeds fixed limit", "message too large"),
        ("5.2.2", "Mailbox full", "mailbox full"),
    ],
)
def test_a_bounce_for_another_reason_is_explained_and_costs_no_address(
    connection: Connection, crm: Crm, status: str, said: str, cause: str
) -> None:
    ask = sent(crm, northwind(crm))

    assert stored(connection, bounce(ask.message_id, "ann@acme.example", status, said=said)).kind == "bounce"
    assert suppressed(crm) == {}
    assert [row["reason"] for row in crm.actions()] == [f"not delivered: {cause} ({status})"]


def test_what_only_the_operator_can_mend_is_said_to_him(
    connection: Connection, crm: Crm, tenant: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    ask = sent(crm, tenant)

    with caplog.at_level(logging.WARNING):
        stored(connection, bounce(ask.message_id, "ann@acme.example", "5.7.26", said="fails the DMARC policy"))
    assert "sender not authenticated" in caplog.text


@pytest.mark.parametrize(
    "recipient", ["Original-Rcpt-To: <ann@acme.example>\n", "Original-Rcpt-To: hidden@x.example\n", ""]
)
def test_who_reports_our_mail_as_spam_gets_no_more(
    connection: Connection, crm: Crm, tenant: UUID, recipient: str
) -> None:
    ask = sent(crm, tenant)

    message = stored(connection, complaint(ask.message_id, recipient))

    assert (message.kind, message.action) == ("complaint", ask.action)
    assert suppressed(crm) == {"ann@acme.example": "reported as spam"}
    assert [row["reason"] for row in crm.actions(id=ask.action)] == ["reported as spam"]


def test_a_complaint_ends_what_is_being_written_to_that_mailbox_at_once_and_a_person_hears_of_it(
    connection: Connection, crm: Crm, tenant: UUID
) -> None:
    crm.profile(tenant)
    ask = sent(crm, tenant)
    contact = crm.row("deals", ask.subject)["contact_id"]
    quote = crm.quote(tenant, contact_id=contact)
    others = crm.quote(tenant, contact_id=crm.contact(tenant, email="ben@acme.example"))
    waiting = crm.action(tenant, contact_id=contact, recipient=None, run_at=NOW + days(1))
    stored(connection, complaint(ask.message_id))
    for table, subject in (("deals", ask.subject), ("quotes", quote)):
        assert crm.row(table, subject)["follow_up_ended_for"] == "opted out"
    assert crm.row("quotes", others)["follow_up_ended_for"] is None
    assert crm.actions(id=waiting)[0]["status"] == "cancelled"
    stored(connection, complaint(ask.message_id).replace(b"<complaint@", b"<again@"))
    assert run(connection, None) == {"filed": 1}
    [task] = crm.rows("SELECT * FROM tasks")
    assert task["title"] == "ann@acme.example wants no more e-mail"
    assert "reported our e-mail as spam" in task["description"]


def test_a_complaint_about_a_mail_that_is_not_ours_is_believed_of_our_contacts_alone(
    connection: Connection, crm: Crm, tenant: UUID
) -> None:
    crm.contact(tenant)

    stored(connection, complaint("<1@elsewhere.example>"))
    assert list(suppressed(crm)) == ["ann@acme.example"]


def test_of_a_list_that_we_wrote_to_one_dead_member_stops_nothing(
    connection: Connection, crm: Crm, tenant: UUID
) -> None:
    ask = sent(crm, tenant, "team@acme.example")
    full = b"\nFinal-Recipient: rfc822; bob@acme.example\nAction: failed\nStatus: 5.2.2\n"
    raw = bounce(ask.message_id, "left@acme.example", "5.1.1").replace(b"no such user\n", b"no such user\n" + full)

    assert stored(connection, raw).action == ask.action
    assert suppressed(crm) == {}


def fails(
    connection: Connection, ask: Asked, at: datetime, *, status: str = "5.2.2", said: str = "Mailbox full"
) -> None:
    with clock.at(at):
        outcome = ingest(connection, bounce(ask.message_id, "ann@acme.example", status, said=said), "test")
    assert isinstance(outcome, Stored)


def three_messages(crm: Crm, tenant: UUID) -> list[Asked]:
    first = sent(crm, tenant)
    contact = crm.one("SELECT id FROM contacts")["id"]
    values = {"contact_id": contact, "sent_to": "ann@acme.example"}
    return [first, *(written(crm, tenant, "deal", first.subject, **values) for _ in range(2))]


def test_who_cannot_be_reached_three_times_within_weeks_is_not_written_to_any_more(
    connection: Connection, crm: Crm, tenant: UUID
) -> None:
    first, second, third = three_messages(crm, tenant)

    fails(connection, first, NOW)
    fails(connection, second, NOW + days(7), status="4.4.1", said="timed out")
    assert suppressed(crm) == {}
    fails(connection, third, NOW + days(14))
    assert suppressed(crm) == {"ann@acme.example": "undeliverable for weeks: mailbox full"}


def test_three_failures_of_one_week_may_pass(connection: Connection, crm: Crm, tenant: UUID) -> None:
    for number, ask in enumerate(three_messages(crm, tenant)):
        fails(connection, ask, NOW + days(3 * number))
    assert suppressed(crm) == {}


def test_several_reports_of_one_message_are_one_failure(connection: Connection, crm: Crm, tenant: UUID) -> None:
    first, second, _ = three_messages(crm, tenant)
    for ask, day in ((first, 0), (first, 5), (second, 14), (second, 20)):
        fails(connection, ask, NOW + days(day))
    assert suppressed(crm) == {}


def test_who_wrote_meanwhile_can_be_reached(connection: Connection, crm: Crm, tenant: UUID) -> None:
    first, second, third = three_messages(crm, tenant)
    fails(connection, first, NOW)
    fails(connection, second, NOW + days(7))
    with clock.at(NOW + days(8)):
        ingest(connection, letter("My mailbox was full, write again."), "test")
    fails(connection, third, NOW + days(14))
    assert suppressed(crm) == {}


def test_what_our_own_server_is_refused_for_adds_up_to_nothing(connection: Connection, crm: Crm, tenant: UUID) -> None:
    for number, ask in enumerate(three_messages(crm, tenant)):
        fails(connection, ask, NOW + days(10 * number), status="5.7.1", said="blocked using bl.blocklist.example")
    assert len(crm.rows("SELECT * FROM delivery_failures")) == 3
    assert suppressed(crm) == {}


def test_an_absence_note_keeps_the_day_of_return_and_answers_nothing(
    connection: Connection, crm: Crm, tenant: UUID
) -> None:
    ask = sent(crm, tenant)
    note = letter(
        "I am hiking until Friday and read no mail.", answers=[ask.message_id], headers=[("X-Apple-Action", "vacation")]
    )

    assert stored(connection, note).kind == "out_of_office"
    [row] = crm.rows("SELECT headers FROM inbound_messages")
    assert row["headers"]["returns_on"] == "2026-03-06"
    assert crm.row("deals", ask.subject)["stalled_at"] is not None
