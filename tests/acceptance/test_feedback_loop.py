"""The whole loop over real protocols: delivered, asked by SMTP, answered by IMAP, judged, a case, a next action."""

from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.crm import NOW, Crm, days
from tests.imap import ImapServer
from tests.letters import UNHAPPY, part_of
from tests.mail import MailServer
from workers import clock
from workers.db.session import Connection
from workers.delivery.deliver import channel_for, deliver
from workers.inbound.imap import poll
from workers.settings import settings

MAILBOX = "care@northwind.example"


def answer(question: EmailMessage) -> bytes:
    """What a mail program makes of an answer: threaded, above the quoted question, with a signature."""
    reply = EmailMessage()
    reply["From"] = "Ann Archer <Ann@Acme.example>"
    reply["To"] = question["Reply-To"] or question["From"]
    reply["Subject"] = f"Re: {question['Subject']}"
    reply["Message-ID"] = "<answer@acme.example>"
    reply["In-Reply-To"] = question["Message-ID"]
    reply["References"] = question["Message-ID"]
    quoted = "\n".join(f"> {line}" for line in part_of(question).splitlines())
    reply.set_content(f"Hello,\n\n{UNHAPPY}\n\n-- \nAnn Archer\n\nOn Monday, Northwind wrote:\n{quoted}\n")
    return bytes(reply)


def test_from_a_delivered_order_to_a_call_by_its_owner(
    connection: Connection, crm: Crm, imap_server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", MAILBOX, tenant)
    crm.execute("INSERT INTO tenant_delivery (tenant_id, from_address) VALUES (%s, %s)", tenant, MAILBOX)
    owner = crm.profile(tenant)
    client = crm.client(tenant, owner_id=owner)
    contact = crm.contact(tenant, client)
    with MailServer() as smtp:
        monkeypatch.setenv("SMTP_URL", smtp.url)
        settings.cache_clear()

        order = crm.order(tenant, status="shipped", client_id=client, contact_id=contact)
        crm.update("orders", order, status="delivered", delivered_at=NOW)
        week_later = NOW + days(7)
        crm.run("feedback", at=week_later)
        with clock.at(week_later):
            deliver(connection, channel_for(settings()), settings())
        [(address, question)] = smtp.received
        assert address == "ann@acme.example"

        imap_server.deliver(MAILBOX, answer(question))
        answered = week_later + timedelta(hours=3)
        with clock.at(answered):
            for expected in ({"stored": 1}, {}):
                assert poll(connection, imap_server.url(MAILBOX), budget_seconds=60) == expected
            deliver(connection, channel_for(settings()), settings())
        crm.run("feedback", at=answered)

    [message] = crm.rows("SELECT * FROM inbound_messages")
    assert (message["kind"], message["contact_id"], message["client_id"]) == ("reply", contact, client)
    request = crm.one("SELECT * FROM feedback_requests WHERE order_id = %s", order)
    assert (request["status"], request["responded_at"]) == ("responded", answered)
    assert (request["response_email_id"], request["sentiment"]) == (message["id"], "negative")
    assert request["sentiment_score"] < 0
    assert "two weeks late" in request["response_summary"]
    assert "Ann Archer" not in request["response_summary"]
    [case] = crm.rows("SELECT * FROM cases")
    assert (case["id"], case["order_id"], case["priority"]) == (request["case_created_id"], order, "high")
    [action] = crm.actions(template="service_recovery")
    assert (action["kind"], action["status"]) == ("task", "sent")
    [task] = crm.rows("SELECT * FROM tasks")
    assert (task["assigned_to"], task["priority"]) == (owner, "high")
    assert len(smtp.received) == 1

    # The same mail is a complaint, too; its case and task are there already.
    crm.run("enrichment", at=answered)
    [signal] = crm.rows("SELECT * FROM opportunity_signals WHERE signal_type = 'complaint'")
    assert signal["action_taken"] == "service recovery"
    assert not crm.actions(template="opportunity_signal")
