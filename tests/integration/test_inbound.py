"""If these fail, a customer's mail is lost, taken twice, or read by somebody else's fleet."""

import math
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

import workers.inbound.ingest
from tests.crm import NOW, Crm
from tests.inbound import asked, northwind, stored, take
from tests.letters import HAPPY, OURS, UNHAPPY, by_hand, letter
from workers import clock
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


TO_NOBODY = "To: undisclosed-recipients:;"


@pytest.mark.parametrize(
    ("listed", "lines"),
    [
        (OURS, ["To: Care <CARE+quotes@northwind.example>"]),
        ("care+quotes@northwind.example", ["To: Care <CARE+quotes@northwind.example>"]),
        (OURS, ["To: somebody@elsewhere.example", f"Cc: {OURS}"]),
        ("@northwind.example", ["To: anybody@northwind.example"]),
        ("box@host.example", [TO_NOBODY, "Delivered-To: box@host.example"]),
        ("box+7@host.example", [TO_NOBODY, "X-Original-To: box+7@host.example"]),
        (OURS, [TO_NOBODY, f"Envelope-to: {OURS}"]),
        (OURS, [TO_NOBODY, f"X-Envelope-To: <{OURS}> (uid 0)"]),
        (OURS, ["To: sales@northwind.example", f"Delivered-To: {OURS}"]),  # an alias
        (OURS, [TO_NOBODY, f"Delivered-To: northwind.example-{OURS}"]),  # qmail
        (OURS, [TO_NOBODY, f"X-Apparently-To: {OURS}; Mon, 02 Mar 2026 09:00:00 +0000"]),
        (OURS, [TO_NOBODY, f"X-Forwarded-To: {OURS}"]),
        (OURS, [TO_NOBODY, f"Original-Recipient: rfc822;{OURS}"]),
        (OURS, ["To: bob@acme.example", f"Resent-To: Care <{OURS}>"]),
        (OURS, ["To: bob@acme.example", f"Bcc: {OURS}"]),
        (OURS, [TO_NOBODY, f"Received: from mx.acme.example\n by mx.northwind.example with SMTP\n for <{OURS}>; now"]),
        (OURS, [
            TO_NOBODY, "Delivered-To: box7@host.example",
            "Received: by host.example for <box7@host.example>; Mon, 2 Mar 2026 10:00:01 +0100",
            f"Received: by mx.northwind.example for {OURS}; Mon, 2 Mar 2026 10:00:00 +0100",
        ]),
    ],
)  # fmt: skip
def test_the_mailbox_tells_the_tenant(connection: Connection, crm: Crm, listed: str, lines: list[str]) -> None:
    northwind(crm, "Southwind", "care@southwind.example")
    tenant = northwind(crm, address=listed)

    assert stored(connection, by_hand(*lines)).tenant == tenant


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


USED = "Message-ID: <webform@acme.example>"


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["From: cyd@acme.example"], "Website form: please call Bob.\n"),
        (["From: bob@acme.example"], "Website form: we cancel the contract.\n"),
        (["From: bob@acme.example", "Date: Tue, 03 Mar 2026 10:00:00 +0100"], "Website form: please call Bob.\n"),
        (["From: bob@acme.example"], "Website form: please call Bob. We cancel the contract.\n"),
        (["From: bob@acme.example", "Subject: Our contract"], "Website form: please call Bob.\n\n"),
    ],
)  # fmt: skip
def test_another_mail_under_a_used_id_is_kept(connection: Connection, crm: Crm, lines: list[str], body: str) -> None:
    northwind(crm)
    first = by_hand(USED, "From: bob@acme.example", body="Website form: please call Bob.\n")
    second = by_hand(USED, *lines, body=body)

    assert [type(take(connection, raw)) for raw in (first, second, first, second)] == [
        Stored,
        Stored,
        Duplicate,
        Duplicate,
    ]
    texts = [row["text"] for row in crm.rows("SELECT text FROM inbound_messages ORDER BY received_at, id")]
    assert sorted(texts) == sorted(["Website form: please call Bob.\n", body])


def test_another_answer_under_a_used_id_is_heard(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)
    take(connection, by_hand(USED, f"In-Reply-To: {ask.message_id}", body=HAPPY))

    assert stored(connection, by_hand(USED, f"In-Reply-To: {ask.message_id}", body=UNHAPPY)).kind == "reply"
    assert len(crm.rows("SELECT * FROM cases")) == 1


@pytest.mark.parametrize(
    "again",
    [
        lambda raw: b"Received: by mx.northwind.example\nDelivered-To: care@northwind.example\n" + raw,
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.replace(b"\nFrom here", b"\n>From here"),
        lambda raw: b"List-Id: <care.northwind.example>\n" + raw + b"-- \nYou are in the group Care.\n",
        lambda raw: raw.replace(b"Subject: ", b"Subject: [EXTERN] "),
        lambda raw: raw.replace(b"Hello,", b"CAUTION: This mail comes from outside of your organization.\n\nHello,"),
    ],
)
def test_the_same_mail_on_another_way_is_the_same(
    connection: Connection, crm: Crm, again: Callable[[bytes], bytes]
) -> None:
    northwind(crm)
    raw = by_hand(body="Hello,\n\nFrom here on all is well.\n")

    stored(connection, raw)
    assert isinstance(take(connection, again(raw)), Duplicate)
    assert isinstance(take(connection, raw), Duplicate)


def test_what_an_earlier_release_took_in_is_not_taken_in_again(connection: Connection, crm: Crm) -> None:
    northwind(crm)
    raw = by_hand("Content-Type: text/plain; charset=iso-8859-1", body=b"It isn\x92t good.\n")
    stored(connection, raw)
    crm.execute("UPDATE inbound_messages SET digest = NULL, text = E'It isn\\u0092t good.'")

    assert isinstance(take(connection, raw), Duplicate)


def test_one_message_to_two_tenants_is_each_ones_own(connection: Connection, crm: Crm) -> None:
    raw = letter(message_id="<1@acme.example>")
    tenants = [crm.tenant(name) for name in ("Northwind", "Southwind")]

    assert [stored(connection, raw, tenant).tenant for tenant in tenants] == tenants


@pytest.mark.parametrize("part", ["parse", "split_reply", "candidates"])
def test_a_mail_that_trips_us_up_is_named_and_its_neighbours_are_read(
    connection: Connection, crm: Crm, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    ask = asked(crm)
    right = getattr(workers.inbound.ingest, part)

    def trip(mail: Any, *rest: Any) -> Any:
        said = mail if isinstance(mail, (str, bytes)) else mail.text
        if (b"poison" if isinstance(said, bytes) else "poison") in said:
            raise IndexError
        return right(mail, *rest)

    monkeypatch.setattr(workers.inbound.ingest, part, trip)
    mails = [by_hand(f"In-Reply-To: {ask.message_id}", body=body) for body in (HAPPY, "poison", HAPPY)]
    with clock.at(NOW):
        outcomes = ingest_batch(connection, [(f"{n}", raw) for n, raw in enumerate(mails)])
    if part == "split_reply":  # it answered, whatever it says
        assert [getattr(outcome, "kind", None) for outcome in outcomes] == ["reply"] * 3
        assert len(crm.actions(template="answer_unread")) == 1
    else:
        assert [type(outcome) for outcome in outcomes] == [Stored, Aside, Stored]
        assert [(row["source"], row["reason"]) for row in crm.read("list_set_aside", 10)] == [
            ("1", "broken: IndexError")
        ]


def test_a_rule_of_the_crms_own_that_is_broken_stops_one_mail(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    crm.execute(
        "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.subject = 'Trouble' THEN NEW.no_such_column := 1; END IF; RETURN NEW; END $$"
    )
    crm.execute("CREATE TRIGGER trouble BEFORE INSERT ON inbound_messages FOR EACH ROW EXECUTE FUNCTION trouble()")

    mails = [("1", letter()), ("2", letter().replace(b"Subject: A note", b"Subject: Trouble")), ("3", letter())]
    outcomes = ingest_batch(connection, mails, tenant=tenant)
    assert [type(outcome) for outcome in outcomes] == [Stored, Aside, Stored]


def test_a_database_that_is_not_ours_to_write_is_nobodys_message(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    crm.execute("REVOKE EXECUTE ON FUNCTION ingest_message FROM service_role")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ingest_batch(connection, [("1", letter()), ("2", letter())], tenant=tenant)
    assert crm.read("list_set_aside", 10) == []


def test_no_mail_is_begun_after_the_deadline(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)

    outcomes = ingest_batch(connection, [("1", letter()), ("2", letter())], tenant=tenant, deadline=-math.inf)
    assert [type(outcome) for outcome in outcomes] == [Stored]


def test_a_batch_with_a_message_that_the_database_refuses_keeps_the_others(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    crm.execute("ALTER TABLE inbound_messages ADD CHECK (subject <> 'Trouble')")
    bad = letter().replace(b"Subject: A note", b"Subject: Trouble")

    outcomes = ingest_batch(connection, [("1", letter()), ("2", bad), ("3", b"junk"), ("4", letter())], tenant=tenant)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Stored", "Aside", "Aside", "Stored"]
    assert {row["reason"].partition(":")[0] for row in crm.read("list_set_aside", 10)} == {
        "the database refuses it", "broken",
    }  # fmt: skip


def test_nobody_but_the_workers_sees_what_was_set_aside(connection: Connection, crm: Crm) -> None:
    take(connection, b"junk")
    for table in ("inbound_rejects", "imap_folders"):
        for role in ("anon", "authenticated"):
            allowed = crm.one("SELECT has_table_privilege(%s, %s, 'SELECT') AS yes", role, table)
            assert not allowed["yes"], (role, table)
