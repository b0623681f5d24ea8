"""If these fail, an owner does not get the mail he is to answer, gets it twice, or a customer gets somebody else's."""

from email import message_from_bytes
from email.policy import default
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from tests.inbound import Asked, asked, followed_up, northwind, stored, written
from tests.letters import OURS, UNHAPPY, by_hand, letter, part_of
from tests.mail import MailServer, free_port
from tests.outbox import run
from tests.shell import fleet
from workers.db.session import Connection
from workers.inbound.ingest import ingest
from workers.settings import settings

OWNER = "olive@northwind.example"


class Scene(NamedTuple):
    """A tenant that has answers forwarded, its owner, and a follow-up that Ann can answer."""

    tenant: UUID
    owner: UUID
    ask: Asked


def scene(crm: Crm, to: str = "owner", **values: Any) -> Scene:
    tenant = northwind(crm)
    crm.open_always(tenant)
    crm.execute("UPDATE tenant_delivery SET forward_replies_to = %s, from_address = %s", to, OURS)
    owner = crm.profile(tenant, email=OWNER, full_name="Olive Owner")
    client = crm.client(tenant, owner_id=owner)
    contact = crm.contact(tenant, client)
    quote = crm.quote(tenant, client_id=client, contact_id=contact, follow_up_count=1)
    about = {"client_id": client, "contact_id": contact, "engine": "quotes", "sent_at": NOW - days(1)}
    about |= {"variables": {"quote_number": "Q-2026-0001"}, "assigned_to": owner}
    return Scene(tenant, owner, written(crm, tenant, "quote", quote, **about | values))


def original(written: bytes) -> bytes:
    """Return what is attached to a message, byte for byte but for the line ends."""
    (part,) = message_from_bytes(written, policy=default).iter_attachments()
    if part.get_content_type() == "message/rfc822":
        lines = written.replace(b"\r\n", b"\n").partition(b'filename="original.eml"\n\n')[2]
        return lines.rpartition(b"\n--")[0]
    content: bytes = part.get_content()
    return content.replace(b"\r\n", b"\n")


def test_an_answer_reaches_its_owner_whole_and_whoever_answers_answers_the_customer(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm)
    raw = letter("Could you deliver in May?", answers=[there.ask.message_id])
    stored(connection, raw)
    assert run(connection, server.url) == {"filed": 1, "sent": 1}
    assert run(connection, server.url, NOW + days(1)) == {}

    [(address, message)] = server.received
    assert address == OWNER
    assert (message["From"], message["To"]) == (f"Northwind <{OURS}>", OWNER)
    assert (message["Reply-To"], message["Auto-Submitted"]) == ("ann@acme.example", "auto-generated")
    assert message["Subject"] == "Ann Archer <ann@acme.example>: Re: your message"
    text = part_of(message)
    assert "answered our e-mail of 1 March 2026 about the quote Q-2026-0001" in text
    assert "Could you deliver in May?" in text
    assert 'the task "Ann Archer <ann@acme.example> asks a question: please answer", for Olive Owner' in text
    assert original(bytes(message)).strip() == raw.strip()
    [action] = crm.actions(kind="forward")
    assert (action["status"], action["sent_to"], action["message_id"]) == ("sent", OWNER, message["Message-ID"])


def test_the_mail_itself_is_kept_no_longer_than_until_it_was_forwarded(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm)
    stored(connection, letter("Yes.", answers=[there.ask.message_id]))
    assert len(crm.rows("SELECT FROM forwarded_mail")) == 1
    run(connection, server.url)
    run(connection, server.url)
    assert crm.rows("SELECT FROM forwarded_mail") == []


def test_an_address_that_the_tenant_names_gets_every_answer(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm, "inbox@helpdesk.example")
    stored(connection, letter("One.", answers=[there.ask.message_id]))
    stored(connection, letter("Two.", answers=[there.ask.message_id]))
    stored(connection, letter("Three, and afresh."))
    run(connection, server.url)
    assert [address for address, _ in server.received] == ["inbox@helpdesk.example"] * 3


def test_the_same_mail_taken_in_twice_is_forwarded_once(connection: Connection, crm: Crm, server: MailServer) -> None:
    there = scene(crm)
    raw = letter("Yes.", answers=[there.ask.message_id])
    stored(connection, raw)
    ingest(connection, raw, "again")
    run(connection, server.url)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "raw",
    [
        by_hand(body=b"Gr\xfc\xdfe, der Preis ist zu hoch.\n"),  # neither ASCII nor marked
        by_hand(body=b"Yes. " + b"x" * 5000 + b"\n"),
        by_hand("Content-Type: multipart/mixed; boundary=none", body=b"no part begins here\n"),
        by_hand("Subject: =?utf-8?q?Zusage_f=C3=BCr_Mai?=", body=b"Ja.\n"),
        by_hand("X-Strange: a" + " b" * 200, body=b"Yes.\r\n.\r\n..\r\n"),
    ],
)
def test_whatever_a_mail_looks_like_every_byte_of_it_arrives(connection: Connection, crm: Crm, raw: bytes) -> None:
    there = scene(crm)
    answer = raw.replace(b"\nMIME-Version", f"\nIn-Reply-To: {there.ask.message_id}\nMIME-Version".encode(), 1)
    stored(connection, answer)
    run(connection, None)
    (path,) = (settings().fleet_home / "mail" / "new").iterdir()
    assert original(path.read_bytes()) == answer.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    "headers",
    [
        [("Auto-Submitted", "auto-replied")],
        [("X-Autoreply", "yes"), ("Precedence", "bulk")],
        [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")],
    ],
)
def test_what_a_machine_answers_is_not_forwarded(
    connection: Connection, crm: Crm, server: MailServer, headers: list[tuple[str, str]]
) -> None:
    there = scene(crm)
    stored(connection, letter("I am away.", answers=[there.ask.message_id], headers=headers))
    assert run(connection, server.url) == {}


def test_what_was_forwarded_and_comes_back_goes_no_further(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm)
    stored(connection, letter("Yes.", answers=[there.ask.message_id]))
    run(connection, server.url)
    [(_, message)] = server.received
    for sender in (message["From"], OWNER, "list@elsewhere.example"):
        message.replace_header("From", sender)
        message.replace_header("Message-ID", f"<{sender[:3]}@elsewhere.example>")
        message.replace_header("To", OURS)
        assert stored(connection, bytes(message)).kind not in ("reply", "message", "unplaced")
    assert run(connection, server.url, NOW + days(1)) == {}


def test_what_an_owner_writes_himself_is_not_forwarded_to_him(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm)
    stored(connection, letter("I called them.", sender=OWNER, answers=[there.ask.message_id]))
    assert run(connection, server.url) == {}


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (OURS, "is a mailbox that the fleet reads or sends from"),
        ("Ann+x@acme.example", "is a customer's address"),
    ],
)
def test_an_address_that_would_bring_the_mail_back_or_to_a_customer_is_refused(
    crm: Crm, database_url: str, to: str, said: str
) -> None:
    tenant = northwind(crm)
    crm.contact(tenant)
    result = fleet(database_url, "settings", "set", "--tenant", "Northwind", f"forward_replies_to={to}")
    assert result.returncode != 0
    assert said in result.stderr
    for address in ("owner", "helpdesk@northwind.example"):
        assert (
            fleet(database_url, "settings", "set", "--tenant", "Northwind", f"forward_replies_to={address}").returncode
            == 0
        )
    assert fleet(database_url, "settings", "set", "--tenant", "Northwind", "forward_replies_to=nobody").returncode != 0


def test_an_address_that_became_a_customers_meanwhile_gets_nobodys_mail(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm, "bo@elsewhere.example")
    stored(connection, letter("Yes.", answers=[there.ask.message_id]))
    crm.contact(there.tenant, email="Bo@elsewhere.example")
    assert run(connection, server.url) == {"filed": 1, "skipped": 1}
    [action] = crm.actions(kind="forward")
    assert (action["code"], action["reason"]) == ("not_forwarded", "bo@elsewhere.example is a customer's address")
    assert server.received == []


def test_it_knows_no_hours_and_no_caps_and_uses_none_up(connection: Connection, crm: Crm, server: MailServer) -> None:
    there = scene(crm)
    crm.execute("UPDATE tenant_delivery SET window_start = '12:00', window_end = '13:00', mails_per_day = 1")
    for number in range(3):
        stored(connection, letter(f"{number}", answers=[there.ask.message_id]))
    assert run(connection, server.url)["sent"] == 3


@pytest.mark.parametrize(
    "stop", ["UPDATE tenant_delivery SET paused = true", "SELECT stop_tenant(id, NULL, 'x', 'us') FROM tenants"]
)
def test_while_a_tenant_is_paused_or_stopped_it_waits(
    connection: Connection, crm: Crm, server: MailServer, stop: str
) -> None:
    there = scene(crm)
    stored(connection, letter("Yes.", answers=[there.ask.message_id]))
    crm.execute(stop)
    assert "sent" not in run(connection, server.url)
    crm.execute("UPDATE tenant_delivery SET paused = false")
    crm.execute("DELETE FROM operator_stops")
    assert run(connection, server.url)["sent"] == 1


def test_a_mail_server_that_is_away_costs_no_attempt_and_no_mail(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm)
    stored(connection, letter("Yes.", answers=[there.ask.message_id]))
    run(connection, f"smtp://127.0.0.1:{free_port()}")
    assert [(a["status"], a["attempts"]) for a in crm.actions(kind="forward")] == [("scheduled", 0)]
    assert run(connection, server.url)["sent"] == 1


def test_a_forward_that_is_refused_is_told_and_can_be_tried_again(
    connection: Connection, crm: Crm, server: MailServer, database_url: str
) -> None:
    there = scene(crm)
    stored(connection, letter("Yes.", answers=[there.ask.message_id]))
    server.answer_recipient = lambda _address: "552 5.3.4 too big"
    assert run(connection, server.url) == {"filed": 1, "failed": 1}
    [action] = crm.actions(kind="forward")
    shown = fleet(database_url, "actions", "show", str(action["id"])).stdout
    assert "552 5.3.4 too big" in shown
    assert OWNER in shown
    server.answer_recipient = lambda _address: None
    assert fleet(database_url, "actions", "retry", str(action["id"]), "--yes").returncode == 0
    assert run(connection, server.url, NOW + days(400))["sent"] == 1


def test_an_answer_that_makes_a_case_is_forwarded_beside_the_call_it_asks_for(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = northwind(crm)
    crm.open_always(tenant)
    crm.execute("UPDATE tenant_delivery SET forward_replies_to = 'owner'")
    owner = crm.profile(tenant, email=OWNER)
    ask = asked(crm, tenant, owner=owner)
    stored(connection, letter(UNHAPPY, answers=[ask.message_id]))
    run(connection, server.url)
    [(address, message)] = server.received
    assert address == OWNER
    assert 'waits the task "Call' in part_of(message)


def test_a_strangers_answer_is_forwarded_once_however_often_he_writes(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm)
    for text in ("One", "Two", "Three"):
        stored(connection, letter(text, sender="zoe@elsewhere.example", answers=[there.ask.message_id]))
    run(connection, server.url)
    assert len(server.received) == 1


def test_who_wants_no_more_mail_is_forwarded_too_and_a_link_that_was_pressed_is_not(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    there = scene(crm)
    stored(connection, letter("Please take me off your list.", answers=[there.ask.message_id]))
    crm.execute("SELECT opt_out_by_link(%s)", there.ask.action)
    run(connection, server.url)
    assert len(server.received) == 1


def test_without_the_setting_nothing_is_forwarded_and_no_mail_is_kept(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    ask = followed_up(crm)
    stored(connection, letter("Yes.", answers=[ask.message_id]))
    assert run(connection, server.url) == {"filed": 1}
    assert crm.rows("SELECT FROM forwarded_mail") == []
