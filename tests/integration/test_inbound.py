"""If these fail, a customer's mail is lost, taken twice, or read by somebody else's fleet."""

import pytest

from tests.crm import NOW, Crm
from tests.inbound import asked, northwind, stored, take, written
from tests.letters import OURS, UNHAPPY, bounce, letter
from workers.db.session import Connection
from workers.inbound.ingest import Aside, Duplicate, Stored, ingest_batch


def test_a_message_is_stored_once_with_its_sender(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    client = crm.client(tenant)
    contact = crm.contact(tenant, client, email="Ann+crm@Acme.example")
    raw = letter("Hello", sender="Ann <ann+x@ACME.example>", message_id="<1@acme.example>")

    first = stored(connection, raw)
    assert (first.tenant, first.kind, first.action) == (tenant, "message", None)
    assert take(connection, raw) == Duplicate(tenant, "<1@acme.example>")
    [row] = crm.rows("SELECT * FROM inbound_messages")
    assert (row["contact_id"], row["client_id"], row["received_at"]) == (contact, client, NOW)
    assert (row["from_address"], row["to_addresses"], row["text"].strip()) == ("ann+x@ACME.example", [OURS], "Hello")
    assert row["processed_at"] is None


def test_of_two_contacts_the_one_who_bears_the_very_address_is_the_sender(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    crm.contact(tenant, email="ann@acme.example")
    other = crm.contact(tenant, email="ann+billing@acme.example", is_primary=False)

    message = stored(connection, letter(sender="ANN+billing@acme.example"))
    assert crm.row("inbound_messages", message.message)["contact_id"] == other


@pytest.mark.parametrize(
    ("listed", "raw"),
    [
        (OURS, letter(to="Care <CARE+quotes@northwind.example>")),
        ("@northwind.example", letter(to="anybody@northwind.example")),
        ("box@host.example", letter(to="list@elsewhere.example", headers=[("Delivered-To", "box@host.example")])),
        ("box+7@host.example", letter(to="x@elsewhere.example", headers=[("X-Original-To", "box+7@host.example")])),
    ],
)
def test_the_mailbox_tells_the_tenant(connection: Connection, crm: Crm, listed: str, raw: bytes) -> None:
    northwind(crm, "Southwind", "care@southwind.example")
    tenant = northwind(crm, address=listed)

    assert stored(connection, raw).tenant == tenant


def test_where_it_was_delivered_counts_more_than_what_its_writer_put_on_it(connection: Connection, crm: Crm) -> None:
    northwind(crm)
    southwind = northwind(crm, "Southwind", "care@southwind.example")
    raw = letter(to=f"{OURS}, care@southwind.example", headers=[("Delivered-To", "care@southwind.example")])

    assert stored(connection, raw).tenant == southwind


def test_mail_for_nobody_is_listed_until_its_mailbox_is(connection: Connection, crm: Crm) -> None:
    raw = letter(to="nobody@northwind.example", message_id="<1@acme.example>")

    assert isinstance(take(connection, raw), Aside)
    assert isinstance(take(connection, raw), Aside)
    [aside] = crm.read("list_set_aside", 10)
    assert aside["reason"].startswith("unknown tenant")
    assert aside["message_id"] == "<1@acme.example>"
    northwind(crm, address="@northwind.example")
    assert isinstance(take(connection, raw), Stored)
    assert crm.read("list_set_aside", 10) == []


def test_one_message_to_two_tenants_is_each_ones_own(connection: Connection, crm: Crm) -> None:
    raw = letter(message_id="<1@acme.example>")
    tenants = [crm.tenant(name) for name in ("Northwind", "Southwind")]

    assert [stored(connection, raw, tenant).tenant for tenant in tenants] == tenants


def test_a_batch_with_a_message_that_the_database_refuses_keeps_the_others(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    crm.execute("ALTER TABLE inbound_messages ADD CHECK (subject <> 'Trouble')")
    bad = letter().replace(b"Subject: A note", b"Subject: Trouble")

    outcomes = ingest_batch(connection, [("1", letter()), ("2", bad), ("3", b"junk"), ("4", letter())], tenant=tenant)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Stored", "Aside", "Aside", "Stored"]
    assert {row["reason"].partition(":")[0] for row in crm.read("list_set_aside", 10)} == {
        "the database refuses it", "broken",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ([("Auto-Submitted", "auto-replied")], "auto_reply"),
        ([("X-Autoreply", "yes")], "auto_reply"),
        ([("Precedence", "bulk")], "bulk"),
        ([("Auto-Submitted", "auto-replied"), ("Subject", "Out of office: away until Monday")], "out_of_office"),
    ],
)
def test_a_machine_does_not_answer(connection: Connection, crm: Crm, headers: list[tuple[str, str]], kind: str) -> None:
    ask = asked(crm)
    raw = letter(UNHAPPY, answers=[ask.message_id], headers=[h for h in headers if h[0] != "Subject"])
    for name, value in headers:
        if name == "Subject":
            raw = raw.replace(b"Subject: Re: your message", f"Subject: {value}".encode())

    message = stored(connection, raw)
    assert (message.kind, message.action) == (kind, ask.action)
    assert crm.row("feedback_requests", ask.subject)["status"] == "sent"
    assert crm.rows("SELECT * FROM cases") == []


def test_a_hard_bounce_ends_mail_to_the_address_and_says_so_on_the_action(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    contact = crm.contact(tenant, email="Ann+crm@acme.example")
    deal = crm.deal(tenant, contact_id=contact, stalled_at=NOW)
    sent = written(crm, tenant, "deal", deal, contact_id=contact, sent_to="Ann+crm@acme.example")
    following = crm.action(tenant, subject_type="deal", subject_id=deal, contact_id=contact, recipient=None)

    message = stored(connection, bounce(sent.message_id, "Ann+crm@acme.example", "5.1.1"))
    assert (message.kind, message.action) == ("bounce", sent.action)
    [row] = crm.rows("SELECT * FROM suppressions")
    assert (row["address"], row["reason"]) == ("ann+crm@acme.example", "hard bounce 5.1.1")
    actions = {row["id"]: row for row in crm.actions()}
    assert actions[sent.action]["reason"] == "hard bounce 5.1.1"
    assert crm.one("SELECT verdict FROM action_guards WHERE action_id = %s", following)["verdict"] == "skipped"


def test_a_soft_bounce_changes_nothing(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)

    assert stored(connection, bounce(ask.message_id, "ann@acme.example", "4.4.1", action="delayed")).kind == "bounce"
    assert crm.rows("SELECT * FROM suppressions") == []
    assert [row["reason"] for row in crm.actions()] == [None]


def test_a_report_about_somebody_we_never_wrote_to_is_not_believed(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    crm.contact(tenant)

    stored(connection, bounce("<1@elsewhere.example>", "stranger@acme.example", "5.1.1"))
    assert crm.rows("SELECT * FROM suppressions") == []
    stored(connection, bounce("<1@elsewhere.example>", "ann@acme.example", "5.1.1"))
    assert [row["address"] for row in crm.rows("SELECT * FROM suppressions")] == ["ann@acme.example"]


def test_nobody_but_the_workers_sees_what_was_set_aside(connection: Connection, crm: Crm) -> None:
    take(connection, b"junk")
    for table in ("inbound_rejects", "imap_folders"):
        for role in ("anon", "authenticated"):
            allowed = crm.one("SELECT has_table_privilege(%s, %s, 'SELECT') AS yes", role, table)
            assert not allowed["yes"], (role, table)
