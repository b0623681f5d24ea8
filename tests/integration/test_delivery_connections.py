"""If these fail, a slow mail server keeps all mail back, or one connection that breaks takes others' mail along."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.message import EmailMessage

import psycopg
import pytest

from tests.crm import NOW, Crm
from tests.mail import MailServer
from tests.outbox import run, write
from workers import clock, deadline
from workers.db.session import Connection, connect
from workers.delivery import senders
from workers.delivery.deliver import channel_for, deliver
from workers.errors import DatabaseUnavailableError
from workers.settings import Settings


def written(crm: Crm, number: int, tenants: int = 1) -> None:
    """So many e-mails of each tenant, each to a mailbox of its own."""
    for tenant in [crm.tenant() for _ in range(tenants)]:
        for n in range(number):
            write(crm, tenant, contact_id=crm.contact(tenant, email=f"u{n}@company{n}.example"))


def several_at_once(server: MailServer, wanted: int) -> list[int]:
    """Let the server take one message, and the next ones not before so many are on their way at once.

    Returns how many are on their way, noted at each.
    """
    under_way: list[str] = []
    seen: list[int] = []
    enough = asyncio.Event()

    async def answer(address: str, _message: EmailMessage) -> None:
        under_way.append(address)
        seen.append(len(under_way))
        if len(under_way) >= wanted:
            enough.set()
        if len(seen) > 1:
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), 5)
        under_way.remove(address)

    server.answer = answer
    return seen


def test_a_slow_server_is_sent_to_over_as_many_connections_as_it_may_have(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    written(crm, 12)
    seen = several_at_once(server, 3)

    assert run(connection, server.url, fleet_smtp_connections=3) == {"sent": 12}
    assert max(seen) == 3
    assert len(set(server.message_ids())) == len(server.message_ids()) == 12
    assert Counter((row["status"], row["attempts"]) for row in crm.actions()) == {("sent", 1): 12}


def test_a_quick_server_is_sent_to_over_one_connection(connection: Connection, crm: Crm, server: MailServer) -> None:
    written(crm, 12)
    under_way = several_at_once(server, 1)

    assert run(connection, server.url, fleet_smtp_connections=3) == {"sent": 12}
    assert max(under_way) == 1


def test_a_connection_that_breaks_costs_its_own_message_a_try_and_the_others_nothing(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    written(crm, 12)
    several_at_once(server, 3)
    taken = server.answer
    broken: list[str] = []

    async def answer(address: str, message: EmailMessage) -> str | None:
        await taken(address, message)  # type: ignore[misc]  # it is the one above
        if len(server.received) == 9 and not broken:  # each has carried some
            broken.append(address)
            return "421 4.4.2 this connection is closed"
        return None

    server.answer = answer
    assert run(connection, server.url, fleet_smtp_connections=3) == {"sent": 11, "scheduled": 1}
    [row] = crm.actions(status="scheduled")
    assert (row["attempts"], row["last_error"]) == (1, "421 4.4.2 this connection is closed")
    first = row["message_id"]

    assert run(connection, server.url, row["run_at"]) == {"sent": 1}
    assert server.message_ids()[-1] == first
    assert len(set(server.message_ids())) == len(server.message_ids()) == 12


def test_a_server_that_wants_one_connection_only_is_sent_to_over_that_one(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    written(crm, 12)
    server.most_connections = 1

    async def answer(_address: str, _message: EmailMessage) -> None:
        await asyncio.sleep(0.1)  # so slow that another connection is tried

    server.answer = answer
    assert run(connection, server.url, fleet_smtp_connections=3) == {"sent": 12}
    assert {row["attempts"] for row in crm.actions()} == {1}


def test_a_server_that_refuses_everybody_over_several_connections_costs_no_message(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    written(crm, 10, tenants=3)
    seen = several_at_once(server, 3)
    slow = server.answer

    async def answer(address: str, message: EmailMessage) -> str | None:
        await slow(address, message)  # type: ignore[misc]  # it is the one above
        return "550 not here" if server.received else None

    server.answer = answer
    assert run(connection, server.url, fleet_smtp_connections=3) == {"sent": 1, "scheduled": 29}
    assert len(seen) <= 1 + 5 + 2  # what was under way when it became clear


def test_what_is_decided_while_a_slow_server_works_still_counts(
    connection: Connection, database_url: str, crm: Crm, server: MailServer
) -> None:
    written(crm, 100)
    with connect(database_url) as operator:

        async def answer(_address: str, _message: EmailMessage) -> None:
            await asyncio.sleep(0.02)  # a server that takes its time
            if len(server.received) == 40:
                operator.execute("UPDATE deals SET stage = 'won'")

        server.answer = answer
        done = run(connection, server.url, fleet_smtp_connections=1)

    assert done["sent"] + done["cancelled"] == 100
    # No more than was claimed by then: ten, and the two that are left of the ten before, and the one under way.
    assert 41 <= done["sent"] <= 41 + 12


def test_a_worker_that_is_told_to_stop_gives_back_what_it_did_not_try_and_records_what_it_did(
    connection: Connection, crm: Crm, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(crm, 10, tenants=3)
    told = threading.Event()
    monkeypatch.setattr(senders, "stopping", told.is_set)
    monkeypatch.setattr(deadline, "stopping", told.is_set)
    seen = several_at_once(server, 3)
    slow = server.answer

    async def answer(address: str, message: EmailMessage) -> None:
        await slow(address, message)  # type: ignore[misc]  # it is the one above
        if len(seen) > 8:
            told.set()

    server.answer = answer
    begun = time.monotonic()
    done = run(connection, server.url, fleet_smtp_connections=3)

    assert time.monotonic() - begun < 10
    assert 8 <= len(server.received) == done["sent"] <= 8 + 3
    assert done["scheduled"] == 30 - done["sent"]
    assert Counter((row["status"], row["attempts"]) for row in crm.actions()) == {
        ("sent", 1): done["sent"], ("scheduled", 0): done["scheduled"],
    }  # fmt: skip


def test_all_workers_together_send_no_more_in_a_minute_than_they_may_and_tenants_take_turns(
    connection: Connection, crm: Crm, server: MailServer, database_url: str
) -> None:
    written(crm, 40, tenants=3)
    sent = []
    with connect(database_url) as other:
        for worker, seconds in ((connection, 0), (other, 0), (other, 30), (connection, 60), (other, 600)):
            done = run(worker, server.url, NOW + timedelta(seconds=seconds), fleet_smtp_per_minute=20)
            sent.append(done["sent"])
    assert sent == [20, 0, 10, 10, 20], "of a minute in which nobody sent anything, not of ten"
    assert len({action["tenant_id"] for action in crm.actions(status="sent")}) == 3


def test_a_letter_is_dated_by_the_fleets_clock_whichever_thread_writes_it(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    written(crm, 6)
    several_at_once(server, 3)
    run(connection, server.url, fleet_smtp_connections=3)

    assert {message["Date"].datetime for _, message in server.received} == {NOW}


@pytest.mark.parametrize("number", [12, 30], ids=["when all are claimed", "in the middle"])
def test_what_was_sent_when_the_database_went_away_is_recorded_once_it_is_back(
    crm: Crm, server: MailServer, database_url: str, number: int
) -> None:
    written(crm, number)
    with connect(database_url) as doomed:
        pid = doomed.info.backend_pid
        back = threading.Event()

        async def answer(_address: str, _message: EmailMessage) -> None:
            if len(server.received) == 4:
                crm.execute("SELECT pg_terminate_backend(%s)", pid)

        server.answer = answer

        @contextmanager
        def reconnect() -> Iterator[Connection]:
            if not back.is_set():  # it does not answer at once
                back.set()
                raise DatabaseUnavailableError
            with connect(database_url) as fresh:
                yield fresh

        settings = Settings(smtp_url=server.url)
        with clock.at(NOW), pytest.raises(psycopg.OperationalError):
            deliver(doomed, channel_for(settings), settings, reconnect=reconnect)
    statuses = Counter(row["status"] for row in crm.actions())
    assert statuses["sent"] == len(server.received) >= 5
    assert statuses["scheduled"] == number - statuses["sent"]
    assert run(crm.connection, server.url)["sent"] == statuses["scheduled"]
    assert len(set(server.message_ids())) == len(server.message_ids()) == number
