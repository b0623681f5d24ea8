"""If these fail, a customer who answered is asked again, an unhappy one is missed, or a stranger stops our mail."""

import io
import json
import mailbox
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest

from tests.crm import NOW, Crm, days
from tests.letters import HAPPY, OURS, UNHAPPY, bounce, letter
from workers import clock
from workers.correspondence import Answered, message_id, reply_address
from workers.db.session import Connection, connect
from workers.delivery.channels import MaildirChannel
from workers.delivery.deliver import deliver
from workers.errors import UnknownNameError
from workers.inbound.ingest import Aside, Duplicate, Outcome, Stored, ingest, ingest_batch
from workers.inbound.sources import batches, find_messages, read_file, read_stream
from workers.settings import Settings, settings

SECRET = "a secret of the test's own"  # noqa: S105
REPLIES = "reply.northwind.example"


class Asked(NamedTuple):
    """A message of ours that a customer can answer, and what it was about."""

    tenant: UUID
    subject: UUID
    action: int
    message_id: str


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:
    monkeypatch.setenv("FLEET_REPLY_SECRET", SECRET)
    settings.cache_clear()


@pytest.fixture
def second(database_url: str) -> Iterator[Connection]:
    """Another worker's connection."""
    with connect(database_url) as connection:
        yield connection


def northwind(crm: Crm, name: str = "Northwind", address: str = OURS) -> UUID:
    tenant = crm.tenant(name)
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", address, tenant)
    return tenant


def written(crm: Crm, tenant: UUID, kind: str, subject: UUID, **values: Any) -> Asked:
    """Put an e-mail that was sent into the outbox."""
    defaults = {
        "subject_type": kind,
        "subject_id": subject,
        "status": "sent",
        "attempts": 1,
        "sent_to": "ann@acme.example",
    }
    action = crm.action(tenant, **defaults | {"recipient": None} | values)
    return Asked(tenant, subject, action, message_id(Answered(action, tenant), "northwind.example"))


def asked(crm: Crm, tenant: UUID | None = None, *, owner: UUID | None = None, **values: Any) -> Asked:
    """Return a feedback request that was sent to Ann of Acme."""
    tenant = tenant or northwind(crm)
    client = crm.client(tenant, owner_id=owner)
    contact = crm.contact(tenant, client)
    order = crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW - days(8))
    row = crm.one("SELECT id FROM feedback_requests WHERE order_id = %s", order)
    sent = {"status": "sent", "sent_at": NOW - days(1), "expires_at": NOW + days(29)}
    crm.update("feedback_requests", row["id"], **sent | values)
    return written(crm, tenant, "feedback_request", row["id"], client_id=client, contact_id=contact, engine="feedback")


def take(connection: Connection, raw: bytes, tenant: UUID | None = None) -> Outcome:
    with clock.at(NOW):
        return ingest(connection, raw, "test", tenant=tenant)


def stored(connection: Connection, raw: bytes, tenant: UUID | None = None) -> Stored:
    outcome = take(connection, raw, tenant)
    assert isinstance(outcome, Stored), outcome
    return outcome


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


def test_an_answer_is_known_by_its_thread(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)

    for answers in ([ask.message_id], ["<x@acme.example>", ask.message_id, "<y@acme.example>"]):
        reply = stored(connection, letter(HAPPY, answers=answers))
        assert (reply.kind, reply.action) == ("reply", ask.action)


def test_an_answer_whose_mailbox_is_unknown_finds_its_tenant(connection: Connection, crm: Crm) -> None:
    ask = asked(crm, crm.tenant())

    assert stored(connection, letter(HAPPY, to="shared@fleet.example", answers=[ask.message_id])).tenant == ask.tenant


def test_an_answer_is_known_by_its_signed_address(connection: Connection, crm: Crm) -> None:
    ask = asked(crm, crm.tenant())
    address = reply_address(Answered(ask.action, ask.tenant), REPLIES, SECRET)

    reply = stored(connection, letter(HAPPY, to=address.upper()))
    assert (reply.tenant, reply.kind, reply.action) == (ask.tenant, "reply", ask.action)


def test_a_forged_or_altered_address_answers_nothing(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)
    right = reply_address(Answered(ask.action, ask.tenant), REPLIES, SECRET)
    token = right.removeprefix("reply+").partition("@")[0]
    forged = [reply_address(Answered(ask.action, ask.tenant), REPLIES, "another secret of ours")]
    forged += [
        right.replace(token, token[:place] + ("b" if token[place] != "b" else "c") + token[place + 1 :])
        for place in range(len(token))
    ]

    for address in forged:
        reply = stored(connection, letter(UNHAPPY, to=f"{address}, {OURS}"))
        assert (reply.kind, reply.action) == ("message", None), address
    assert crm.row("feedback_requests", ask.subject)["status"] == "sent"


def test_a_subject_alone_answers_nothing(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)

    reply = stored(
        connection, letter(UNHAPPY).replace(b"Subject: A note", b"Subject: Re: How did we do with order O-1?")
    )
    assert reply.kind == "message"
    assert crm.row("feedback_requests", ask.subject)["status"] == "sent"


def test_what_was_never_sent_cannot_be_answered(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    plan = written(crm, tenant, "deal", crm.deal(tenant), status="scheduled", attempts=0)

    assert stored(connection, letter(answers=[plan.message_id])).kind == "message"


def test_another_tenants_message_is_never_answered(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)
    southwind = northwind(crm, "Southwind", "care@southwind.example")
    token = reply_address(Answered(ask.action, ask.tenant), REPLIES, SECRET)
    borrowed = message_id(Answered(ask.action, southwind), "southwind.example")

    for raw in (
        letter(UNHAPPY, to="care@southwind.example", answers=[ask.message_id]),
        letter(UNHAPPY, to="care@southwind.example", answers=[borrowed]),
        letter(UNHAPPY, to=f"care@southwind.example, {token}"),
    ):
        reply = stored(connection, raw)
        assert (reply.tenant, reply.kind, reply.action) == (southwind, "message", None)
    assert isinstance(
        take(connection, letter(to="x@y.example", answers=[f"<action.{ask.action}.{uuid4().hex}@z>"])), Aside
    )
    assert crm.row("feedback_requests", ask.subject)["status"] == "sent"


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
    assert (row["address"], row["reason"]) == ("ann+crm@acme.example", "no such address (5.1.1)")
    actions = {row["id"]: row for row in crm.actions()}
    assert actions[sent.action]["reason"] == "not delivered: no such address (5.1.1)"
    assert crm.one("SELECT verdict FROM action_guards(ARRAY[%s::bigint])", following)["verdict"] == "skipped"


def test_a_delay_changes_nothing(connection: Connection, crm: Crm) -> None:
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


def test_a_message_that_answers_nothing_changes_nothing(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    contact = crm.contact(tenant)
    deal = crm.deal(tenant, contact_id=contact, stalled_at=NOW)
    before = crm.row("deals", deal)

    assert stored(connection, letter("About that deal of ours: yes!")).kind == "message"
    assert crm.row("deals", deal) == before


def test_a_sent_message_can_be_answered_at_the_address_it_gives(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    contact = crm.contact(tenant, crm.client(tenant))
    crm.order(tenant, contact_id=contact, delivered_at=NOW - days(7))
    crm.run("feedback")
    mail = Path(settings().fleet_home) / "mail"
    with clock.at(NOW):
        deliver(connection, MaildirChannel(mail), Settings(fleet_reply_domain=REPLIES))
    (raw,) = [path.read_text() for path in (mail / "new").iterdir()]
    (address,) = [line.removeprefix("Reply-To: ") for line in raw.splitlines() if line.startswith("Reply-To: ")]

    assert address.endswith(f"@{REPLIES}")
    reply = stored(connection, letter(HAPPY, to=address))
    assert (reply.kind, reply.tenant) == ("reply", tenant)


def test_nobody_but_the_workers_sees_what_was_set_aside(connection: Connection, crm: Crm) -> None:
    take(connection, b"junk")
    for table in ("inbound_rejects", "imap_folders"):
        for role in ("anon", "authenticated"):
            allowed = crm.one("SELECT has_table_privilege(%s, %s, 'SELECT') AS yes", role, table)
            assert not allowed["yes"], (role, table)


# Files and pipes


def places(folder: Path) -> dict[str, Path]:
    """The same three messages as a Maildir, an mbox and a folder of .eml files."""
    raws = [letter(f"Hello {n}\n\nFrom here on it is quoted.\n", message_id=f"<{n}@acme.example>") for n in range(3)]
    maildir = mailbox.Maildir(folder / "maildir")
    mbox = mailbox.mbox(folder / "mbox")
    (folder / "eml" / "deep").mkdir(parents=True)
    for number, raw in enumerate(raws):
        maildir.add(raw)
        mbox.add(raw)
        (folder / "eml" / "deep" / f"{number}.eml").write_bytes(raw)
    mbox.close()
    return {"maildir": folder / "maildir", "mbox": folder / "mbox", "eml": folder / "eml"}


@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
def test_every_kind_of_mailbox_holds_the_same_messages(
    connection: Connection, crm: Crm, tmp_path: Path, kind: str
) -> None:
    tenant = northwind(crm)
    path = places(tmp_path)[kind]

    for expected in ("Stored", "Duplicate"):
        messages = [message for file in find_messages(path) for message in read_file(file)]
        outcomes = [o for batch in batches(messages) for o in ingest_batch(connection, batch, tenant=tenant)]
        assert [type(outcome).__name__ for outcome in outcomes] == [expected] * 3
    texts = [row["text"].split() for row in crm.rows("SELECT text FROM inbound_messages ORDER BY message_id")]
    assert texts == [["Hello", str(n), "From", "here", "on", "it", "is", "quoted."] for n in range(3)]


def test_a_pipe_is_one_message_or_an_mbox(tmp_path: Path) -> None:
    single, mbox = letter(), (places(tmp_path)["mbox"]).read_bytes()
    envelope = b"From ann@acme.example Mon Mar  2 10:00:00 2026\n"

    assert list(read_stream(io.BytesIO(single), "-")) == [("-", single)]
    assert list(read_stream(io.BytesIO(envelope + single), "-")) == [("-:1", single)]
    assert len(list(read_stream(io.BytesIO(mbox), "-"))) == 3
    assert list(read_stream(io.BytesIO(b""), "-")) == [("-", b"")]


def test_a_folder_without_mail_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UnknownNameError, match=str(path)):
            find_messages(path)


@pytest.fixture
def fleet(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """The command line, as an operator or an MTA calls it."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: bytes = b"") -> tuple[int, str]:
        command = [sys.executable, "-c", "from workers.cli import main; main()", "inbound", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout.decode()

    return call


def test_the_command_counts_what_went_in_and_names_what_did_not(
    crm: Crm, tmp_path: Path, fleet: Callable[..., tuple[int, str]]
) -> None:
    tenant = northwind(crm)
    folder = places(tmp_path)["eml"]

    assert fleet(str(folder)) == (0, "3 stored, 0 duplicates, 0 set aside\n")
    (folder / "bad.eml").write_bytes(b"junk")
    code, printed = fleet(str(folder))
    assert (code, printed.splitlines()) == (
        1, ["0 stored, 3 duplicates, 1 set aside", f"{folder / 'bad.eml'}: broken: no header"],
    )  # fmt: skip
    code, printed = fleet("-", "--tenant", str(tenant), "--json", stdin=letter(to="who@ever.example"))
    assert (code, json.loads(printed)) == (0, {"stored": 1, "duplicates": 0, "set_aside": []})
    code, printed = fleet("--list-aside", "--json")
    assert (code, [row["reason"] for row in json.loads(printed)]) == (0, ["broken: no header"])
    assert fleet()[0] == 2


def test_a_mail_server_gets_nothing_back_that_it_would_bounce(
    crm: Crm, fleet: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    northwind(crm)
    assert fleet("-", stdin=b"junk")[0] == 0  # set aside, so it is kept
    later = 75  # EX_TEMPFAIL
    assert fleet("-", "--tenant", str(uuid4()), stdin=letter())[0] == later
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert fleet("-", stdin=letter())[0] == later
