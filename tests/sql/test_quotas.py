"""If these fail, one tenant can flood its customers, its people or the engines, or a quota loses what waits."""

from datetime import datetime

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from tests.sql.test_rls import acting
from workers import clock
from workers.db.session import Connection
from workers.inbound.ingest import Stored, ingest


def test_over_its_quota_a_tenants_mail_and_tasks_wait_and_nothing_is_lost(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_quotas (tenant_id, messages, tasks) VALUES (%s, 3, 1)", tenant)
    for hours in (30, 2):
        crm.action(tenant, status="sent", sent_at=NOW - days(hours / 24))
    mails = [crm.action(tenant) for _ in range(4)]
    tasks = [crm.action(tenant, kind="task") for _ in range(2)]

    assert len(crm.read("claim_emails", "one", "1 minute", 50, 10, None)) == 2
    assert crm.read("claim_emails", "two", "1 minute", 50, 10, None) == []  # while those are on their way
    assert len(crm.read("claim_internal", 50, 50)) == 1
    crm.execute("UPDATE scheduled_actions SET status = 'sent', sent_at = %s WHERE status = 'sending'", NOW)
    assert crm.read("claim_emails", "one", "1 minute", 50, 10, None) == []
    later = crm.read("claim_emails", "one", "1 minute", 50, 10, None, at=NOW + days(1))
    assert sorted(row["action_id"] for row in later) == mails[2:]
    assert {row["status"] for row in crm.actions() if row["id"] in tasks} == {"scheduled"}


def test_beyond_the_quota_of_new_recipients_old_ones_are_still_written_to_and_strangers_wait_an_hour(crm: Crm) -> None:
    tenant, other = crm.tenant(), crm.tenant()
    crm.execute("INSERT INTO tenant_quotas (tenant_id, recipients) VALUES (%s, 2)", tenant)
    crm.action(
        tenant, status="sent", sent_at=NOW - days(40), recipient="Known@acme.example", sent_to="Known@acme.example"
    )
    strangers = [crm.action(tenant, recipient=f"{n}@acme.example") for n in range(3)]
    known = crm.action(tenant, recipient="known@acme.example")
    crm.action(other, recipient="0@acme.example")

    claimed = {row["action_id"]: row["verdict"] for row in crm.read("claim_emails", "one", "1 minute", 50, 10, None)}

    assert [claimed[action] for action in (*strangers, known)] == [None, None, "scheduled", None]
    waiting = crm.actions(id=strangers[2])[0]
    assert (waiting["status"], waiting["attempts"], waiting["run_at"]) == ("scheduled", 0, NOW + days(1 / 24))
    assert waiting["reason"] == "the day's quota of new recipients is used up"
    sent = [{"id": n, "status": "sent", "address": f"{i}@acme.example"} for i, n in enumerate(strangers[:2])]
    crm.read("settle_emails", "one", Jsonb(sent))
    assert [row["new_recipient"] for row in crm.actions() if row["id"] in strangers[:2]] == [True, True]
    [again] = crm.read("claim_emails", "one", "1 minute", 50, 10, None, at=NOW + days(0.1))
    assert again["verdict"] == "scheduled"
    [later] = crm.read("claim_emails", "one", "1 minute", 50, 10, None, at=NOW + days(1.2))
    assert later["verdict"] is None


def test_users_cannot_flood_the_queues_and_are_told_so(crm: Crm) -> None:
    tenant = crm.tenant()
    user = crm.profile(tenant)
    crm.execute("INSERT INTO tenant_quotas (tenant_id, rows) VALUES (%s, 5)", tenant)
    insert = (
        "INSERT INTO contact_enrichment_queue (tenant_id, email_address, source)"
        " SELECT %s, n || '@acme.example', 'apollo' FROM generate_series(1, %s) AS n"
    )
    with acting(crm.connection, "authenticated", user):
        crm.connection.execute(insert, [tenant, 5])
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="more than 5 rows for contact_enrichment_queue"):
            crm.connection.execute(insert, [tenant, 1])
    crm.execute(insert, tenant, 50)  # the workers' own


def test_who_floods_a_tenant_is_kept_and_starts_nothing_more_that_day(crm: Crm, connection: Connection) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_mailboxes VALUES ('care@northwind.example', %s)", tenant)
    crm.execute("INSERT INTO tenant_quotas (tenant_id, mails) VALUES (%s, 3)", tenant)

    def kind(number: int, sender: str = "ann@acme.example", at: datetime = NOW) -> str:
        raw = (
            f"From: {sender}\nTo: care@northwind.example\nMessage-ID: <{number}@acme.example>\nSubject: Hello\n\n"
            f"This is mail {number}.\n"
        )
        with clock.at(at):
            outcome = ingest(connection, raw.encode(), "a test")
        assert isinstance(outcome, Stored)
        return outcome.kind

    assert [kind(number) for number in range(4)] == ["message", "message", "message", "bulk"]
    assert kind(7, "ben@acme.example") == "message"
    assert kind(8, at=NOW + days(1.1)) == "message"
