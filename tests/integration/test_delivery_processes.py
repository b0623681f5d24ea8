"""If these fail, two senders send a message twice, or a killed one loses what it had in hand."""

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from tests.crm import NOW, Crm
from tests.mail import MailServer
from tests.outbox import run, write
from workers import clock
from workers.db.session import Connection, connect, transaction
from workers.delivery import deliver as delivering
from workers.delivery.tasks import _task as delivery_task
from workers.runtime import limits
from workers.settings import settings

DELIVERY = """
import sys
from workers.db.session import connect
from workers.delivery.deliver import channel_for, deliver
from workers.settings import database_url, settings
with connect(database_url()) as connection:
    print("ready", flush=True)
    sys.stdin.readline()
    print(deliver(connection, channel_for(settings()), settings())["sent"])
"""


def start_delivery(database_url: str, server: MailServer) -> subprocess.Popen[str]:
    """Start a process that delivers as soon as it is told to, and wait until it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", DELIVERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"DATABASE_URL": database_url, "SMTP_URL": server.url},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_deliveries_at_once_send_each_message_once(database_url: str, crm: Crm, server: MailServer) -> None:
    for name in ("One", "Two", "Three", "Four"):
        write(crm, crm.tenant(name), 60)

    with ExitStack() as stack:
        processes = [stack.enter_context(start_delivery(database_url, server)) for _ in range(2)]
        shares = []
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            output, _ = process.communicate(timeout=60)
            shares.append(int(output))

    assert sum(shares) == 240
    assert min(shares) > 20
    assert len(server.message_ids()) == len(set(server.message_ids())) == 240
    assert Counter((row["status"], row["attempts"]) for row in crm.actions()) == {("sent", 1): 240}


def test_a_delivery_killed_in_the_middle_repeats_only_what_was_in_flight_and_under_the_same_ids(
    connection: Connection, database_url: str, crm: Crm, server: MailServer
) -> None:
    write(crm, crm.tenant(), 95)
    process = start_delivery(database_url, server)

    def kill(address: str, message: Any) -> str | None:
        """Take the ninetieth message, and let its sender die before it can say so."""
        if len(server.received) == 89:
            server.received.append((address, message))
            process.send_signal(signal.SIGKILL)
            process.wait()
            return "451 nobody hears this"
        return None

    server.answer = kill
    with process:
        process.communicate("\n", timeout=60)
    recorded = len(crm.actions(status="sent"))
    assert 90 - 41 <= recorded < 90  # a group that is being recorded, as many that wait to be, and the one in flight

    server.answer = lambda _address, _message: None
    claimed = len(crm.actions(status="sending"))
    assert run(connection, server.url)["sent"] == 95 - recorded - claimed  # the leases of the others are still alive
    crm.execute("UPDATE scheduled_actions SET lease_until = clock_timestamp() WHERE status = 'sending'")
    assert run(connection, server.url)["sent"] == claimed

    assert Counter(Counter(server.message_ids()).values()) == {1: 5 + recorded, 2: 90 - recorded}
    assert Counter(row["status"] for row in crm.actions()) == {"sent": 95}
    assert {row["message_id"] for row in crm.actions()} == set(server.message_ids())


def test_a_pass_with_a_long_way_to_go_calls_another_worker_to_its_help(
    crm: Crm, database_url: str, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SMTP_URL", server.url)
    monkeypatch.setattr(delivering, "_BACKLOG_SECONDS", 0)
    write(crm, crm.tenant(), 25)
    called: list[tuple[str, Any]] = []
    task = delivery_task(lambda name, **options: called.append((name, options["kwargs"])))

    with clock.at(NOW):
        assert task() == {"sent": 25}
        assert called == [("workers.delivery.run", {"helpers": 0})]
        write(crm, crm.tenant(), 25)
        assert task(helpers=0) == {"sent": 25}
    assert len(called) == 1


def test_no_more_deliveries_are_under_way_than_may_and_the_next_pass_takes_what_they_left(
    connection: Connection, database_url: str, crm: Crm, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    write(crm, crm.tenant(), 3)
    with limits.place("delivery", {"delivery": 1}) as taken:
        assert taken
        assert run(connection, server.url, fleet_concurrency="delivery=1") == {}
        with limits.place("delivery", {"delivery": 2}) as another:
            assert another
    assert run(connection, server.url, fleet_concurrency="delivery=1") == {"sent": 3}


def test_a_tenant_for_whom_others_work_is_passed_over_and_keeps_nobody_waiting(
    connection: Connection, database_url: str, crm: Crm, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_CONCURRENCY", "tenant=1")
    settings.cache_clear()
    ours, theirs = crm.tenant(), crm.tenant()
    for tenant in (ours, theirs):
        write(crm, tenant)
        crm.action(tenant, kind="task")
    with connect(database_url) as other, transaction(other):
        assert limits.begin_batch(other, "deals", ours, 10, wait=False).rows == 10
        assert run(connection, server.url) == {"filed": 1, "sent": 1}
    assert {row["tenant_id"] for row in crm.actions(status="scheduled")} == {ours}
    assert run(connection, server.url) == {"filed": 1, "sent": 1}
