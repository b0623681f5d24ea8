"""If these fail, a refusal of our own server costs customers, or one tenant's refusal stops the others' mail."""

import logging
import threading
from collections import Counter
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, wait_until
from tests.mail import MailServer
from tests.outbox import run, suppressed, write
from workers.db.session import Connection, connect
from workers.delivery import settlement

LATER = NOW + timedelta(minutes=20)


def written(crm: Crm, tenant: UUID, *addresses: str) -> list[int]:
    """One e-mail to a contact of each address."""
    return [write(crm, tenant, contact_id=crm.contact(tenant, email=address))[0] for address in addresses]


@pytest.mark.parametrize(
    "reply",
    ["550 5.1.1 No such user", "550 <ann@acme.example>: user unknown", "556 5.1.10 Recipient address has null MX"],
)
def test_an_address_that_the_server_does_not_know_is_written_to_no_more(
    connection: Connection, crm: Crm, server: MailServer, reply: str
) -> None:
    tenant = crm.tenant()
    written(crm, tenant, "Ann@acme.example", "bob@acme.example")
    server.answer_recipient = lambda address: reply if address == "Ann@acme.example" else None

    assert run(connection, server.url) == {"failed": 1, "sent": 1}
    assert list(suppressed(crm)) == ["ann@acme.example"]
    [failure] = crm.rows("SELECT * FROM delivery_failures")
    assert (failure["whose"], failure["said"], failure["tenant_id"]) == ("address", reply, tenant)

    written(crm, tenant, "ann@acme.example")
    assert run(connection, server.url)["skipped"] == 1


def test_what_was_claimed_for_a_dead_address_fails_as_well(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant()
    written(crm, tenant, *(f"u{number}@acme.example" for number in range(5)))
    server.answer_recipient = lambda _address: "550 5.1.1 No such user"

    assert run(connection, server.url) == {"failed": 5}
    assert len(suppressed(crm)) == 5


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.4.5 Daily user sending limit exceeded",
        "554 5.7.1 <ann@acme.example>: Relay access denied",
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.blocklist.example",
        "550 5.7.26 Unauthenticated email from northwind.example is not accepted due to its DMARC policy",
    ],
)
def test_what_is_refused_for_our_own_sake_waits_unharmed_and_goes_out_later(
    connection: Connection, crm: Crm, server: MailServer, caplog: pytest.LogCaptureFixture, reply: str
) -> None:
    written(crm, crm.tenant(), *(f"u{number}@acme.example" for number in range(5)))
    server.answer_recipient = lambda _address: reply

    with caplog.at_level(logging.WARNING):
        assert run(connection, server.url) == {"scheduled": 5}
    assert {(row["status"], row["attempts"]) for row in crm.actions()} == {("scheduled", 0)}
    assert reply in caplog.text
    assert suppressed(crm) == {}
    assert crm.rows("SELECT * FROM delivery_failures") == []

    server.answer_recipient = lambda _address: None
    assert run(connection, server.url, LATER) == {"sent": 5}


def test_one_message_that_is_always_refused_as_if_for_our_sake_does_not_hold_the_rest_for_ever(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant()
    written(crm, tenant, "ann@acme.example", "bob@acme.example", "cy@acme.example")
    server.answer = lambda address, _message: "550 5.7.1 Blocked by our policy" if address.startswith("ann") else None

    assert run(connection, server.url) == {"scheduled": 3}
    for number in range(1, 4):
        assert run(connection, server.url, NOW + number * timedelta(minutes=20))["scheduled"] == 1
    assert sorted(address for address, _ in server.received) == ["bob@acme.example", "cy@acme.example"]


def test_a_tenant_that_may_not_send_does_not_stop_the_others(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    blocked, free = sorted(crm.tenant() for _ in range(2))
    written(crm, blocked, *(f"u{number}@acme.example" for number in range(25)))
    written(crm, free, *(f"free{number}@acme.example" for number in range(25)))
    tried: list[str] = []

    def answer(address: str) -> str | None:
        tried.append(address)
        return None if address.startswith("free") else "550 5.7.60 not permitted to send as this sender"

    server.answer_recipient = answer
    assert run(connection, server.url, fleet_smtp_connections=1) == {"scheduled": 25, "sent": 25}
    assert sum(address.startswith("u") for address in tried) == 1


def test_what_two_tenants_are_refused_for_stops_the_pass(connection: Connection, crm: Crm, server: MailServer) -> None:
    for _ in range(3):
        written(crm, crm.tenant(), *(f"u{number}@acme.example" for number in range(3)))
    tried: list[str] = []

    def answer(address: str) -> str:
        tried.append(address)
        return "550 5.7.1 Client host is listed by bl.blocklist.example"

    server.answer_recipient = answer
    assert run(connection, server.url, fleet_smtp_connections=1) == {"scheduled": 9}
    assert len(tried) == 2


def test_a_relay_that_refuses_everybody_costs_no_message_and_is_left_alone(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenants = [crm.tenant() for _ in range(4)]
    for tenant in tenants:
        written(crm, tenant, *(f"u{number}@company{number}.example" for number in range(5)))
    tried: list[str] = []

    def answer(address: str) -> str:
        tried.append(address)
        return "550 not here"  # in words that nobody knows

    server.answer_recipient = answer
    assert run(connection, server.url, fleet_smtp_connections=1) == {"scheduled": 20}
    assert len(tried) == 5
    assert suppressed(crm) == {}
    assert crm.rows("SELECT * FROM delivery_failures") == []

    server.answer_recipient = lambda _address: None
    assert run(connection, server.url, LATER) == {"sent": 20}


def test_a_server_that_hangs_up_on_each_message_is_not_stormed(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    for _ in range(3):
        written(crm, crm.tenant(), *(f"u{number}@acme.example" for number in range(5)))
    server.answer = lambda _address, _message: "421 4.7.0 try again later"

    assert run(connection, server.url, fleet_smtp_connections=1) == {"scheduled": 15}
    assert Counter(row["attempts"] for row in crm.actions()) == {0: 14, 1: 1}  # the one that met it comes later


def test_addresses_that_are_refused_between_others_that_are_not_fail_as_ever(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    written(crm, crm.tenant(), *(f"{word}@company{n}.example" for n in range(4) for word in ("gone", "gone2", "here")))
    server.answer_recipient = lambda address: "550 5.1.1 No such user" if address.startswith("gone") else None

    assert run(connection, server.url) == {"failed": 8, "sent": 4}
    assert len(suppressed(crm)) == 8


def test_what_was_sent_is_recorded_although_somebody_holds_the_outbox_for_a_while(
    connection: Connection, database_url: str, crm: Crm, server: MailServer
) -> None:
    written(crm, crm.tenant(), "ann@acme.example")
    held = threading.Event()

    def hold() -> None:
        with connect(database_url) as other, other.transaction():
            other.execute("LOCK TABLE scheduled_actions IN ACCESS EXCLUSIVE MODE")
            held.set()
            waiting = (
                "SELECT l.waitstart FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
                " WHERE d.datname = current_database() AND l.waitstart IS NOT NULL"
            )
            first = wait_until(lambda: other.execute(waiting).fetchone(), "the record")
            wait_until(lambda: other.execute(waiting).fetchone() not in (None, first), "its second try")

    holder = threading.Thread(target=hold)

    def answer(_address: str, _message: EmailMessage) -> None:
        holder.start()
        held.wait(30)

    server.answer = answer
    assert run(connection, server.url) == {"sent": 1}
    holder.join()
    assert run(connection, server.url) == {}


def test_what_was_sent_is_recorded_once_a_full_disk_has_room_again(
    connection: Connection, crm: Crm, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "_PAUSE_SECONDS", 0)
    written(crm, crm.tenant(), "ann@acme.example")
    crm.execute("CREATE SEQUENCE tries")
    crm.execute(
        "CREATE FUNCTION refuse_to_grow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        " IF nextval('tries') < 3 THEN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END IF;"
        " RETURN NEW; END $$"
    )
    crm.execute(
        "CREATE TRIGGER full_disk BEFORE UPDATE ON scheduled_actions FOR EACH ROW"
        " WHEN (NEW.status = 'sent') EXECUTE FUNCTION refuse_to_grow()"
    )
    assert run(connection, server.url) == {"sent": 1}
    assert run(connection, server.url) == {}
    assert len(server.received) == 1


def test_a_message_that_is_too_large_fails_alone(connection: Connection, crm: Crm, server: MailServer) -> None:
    tenant = crm.tenant()
    written(crm, tenant, "ann@acme.example", "bob@acme.example")
    server.answer = lambda address, _message: "552 5.3.4 Message too big" if address.startswith("ann") else None

    assert run(connection, server.url) == {"failed": 1, "sent": 1}
    assert suppressed(crm) == {}
    assert [row["whose"] for row in crm.rows("SELECT whose FROM delivery_failures")] == ["message"]


def test_a_full_mailbox_is_tried_again_and_noted_once_it_is_given_up(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    written(crm, crm.tenant(), "ann@acme.example")
    server.answer_recipient = lambda _address: "552 5.2.2 Mailbox full"

    assert run(connection, server.url, fleet_max_attempts=2) == {"scheduled": 1}
    assert crm.rows("SELECT * FROM delivery_failures") == []
    assert run(connection, server.url, LATER, fleet_max_attempts=2) == {"dead": 1}
    [failure] = crm.rows("SELECT * FROM delivery_failures")
    assert (failure["whose"], failure["cause"], failure["status"]) == ("moment", "mailbox full", "5.2.2")
    assert suppressed(crm) == {}
