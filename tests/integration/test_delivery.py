"""If these fail, a customer gets a message twice or never, or one tenant's trouble stops the others' mail."""

from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from tests.mail import MailServer, free_port
from tests.outbox import run, write
from workers.correspondence import Answered, message_id
from workers.db.session import Connection, connect, transaction
from workers.settings import Settings


def test_every_message_is_sent_exactly_once_under_its_stable_id(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant("Café Nørd")
    ids = write(crm, tenant, 7)

    assert run(connection, server.url) == {"sent": 7}
    assert run(connection, server.url) == {}

    assert set(server.message_ids()) == {message_id(Answered(number, tenant), "fleet.example") for number in ids}
    for row in crm.actions():
        assert (row["status"], row["attempts"], row["sent_to"], row["sent_at"]) == ("sent", 1, "ann@acme.example", NOW)
        assert (row["lease_owner"], row["lease_until"], row["last_error"]) == (None, None, None)
        assert row["message_id"] in server.message_ids()
    assert {message["From"].addresses[0].display_name for _, message in server.received} == {"Café Nørd"}


def test_a_receiver_that_is_not_ready_is_tried_ever_less_often_and_then_given_up(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    write(crm, crm.tenant())
    server.answer_recipient = lambda _address: "451 greylisted"
    now, waits = NOW, []

    for attempt in range(1, 6):
        assert run(connection, server.url, now, fleet_max_attempts=6) == {"scheduled": 1}
        (row,) = crm.actions()
        assert (row["attempts"], row["last_error"], row["lease_owner"]) == (attempt, "451 greylisted", None)
        assert run(connection, server.url, row["run_at"] - timedelta(seconds=1), fleet_max_attempts=6) == {}
        waits.append(row["run_at"] - now)
        now = row["run_at"]
    assert run(connection, server.url, now, fleet_max_attempts=6) == {"dead": 1}
    assert run(connection, server.url, now + days(30), fleet_max_attempts=6) == {"filed": 1}, "its owner is told"

    for doubled, wait in enumerate(waits):
        assert 0.75 <= wait / timedelta(minutes=1 << doubled) <= 1.25
    (row,) = crm.actions(status="dead")
    assert row["last_error"] == "451 greylisted"


def test_what_an_operator_retries_starts_anew(connection: Connection, crm: Crm, server: MailServer) -> None:
    (number,) = write(crm, crm.tenant(), status="dead", attempts=12)
    crm.execute("SELECT decide_actions(ARRAY[%s]::bigint[], 'retry')", number)

    assert run(connection, server.url) == {"sent": 1}


def test_while_the_channel_is_down_nothing_costs_an_attempt_however_long(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    write(crm, crm.tenant(), 5)
    before = crm.actions()
    nowhere = f"smtp://127.0.0.1:{free_port()}"

    for hour in range(5):
        assert run(connection, nowhere, NOW + timedelta(hours=hour), fleet_max_attempts=2) == {"scheduled": 5}

    changed = {"last_error", "guards"}
    assert [{k: v for k, v in row.items() if k not in changed} for row in crm.actions()] == [
        {k: v for k, v in row.items() if k not in changed} for row in before
    ]
    assert any("refused" in (row["last_error"] or "") for row in crm.actions())
    assert run(connection, server.url) == {"sent": 5}


def test_a_server_that_dies_in_the_middle_loses_and_doubles_nothing(connection: Connection, crm: Crm) -> None:
    write(crm, crm.tenant(), 6)
    server = MailServer()
    server.answer = lambda _address, _message: "421 going down" if len(server.received) == 2 else None
    with server:
        assert run(connection, server.url)["sent"] >= 2
        server.answer = lambda _address, _message: None
        run(connection, server.url, NOW + days(1))

    assert Counter(row["status"] for row in crm.actions()) == {"sent": 6}
    assert len(set(server.message_ids())) == len(server.message_ids()) == 6


def test_an_expired_lease_is_taken_over_and_the_first_sender_is_not_heard_any_more(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    (number,) = write(crm, crm.tenant())
    claim, settle = (
        "SELECT * FROM claim_emails('slow', '10 minutes', 50, 10, NULL)",
        "SELECT settle_emails('slow', %s) AS n",
    )
    assert [row["action_id"] for row in crm.rows(claim)] == [number]
    assert run(connection, server.url) == {}  # the lease is alive

    crm.execute("UPDATE scheduled_actions SET lease_until = clock_timestamp() - interval '1 second'")
    assert run(connection, server.url) == {"sent": 1}
    late = [{"id": number, "status": "failed", "error": "too late", "address": "x", "message_id": "<x>"}]

    assert crm.one(settle, Jsonb(late))["n"] == 0
    (row,) = crm.actions()
    assert (row["status"], row["attempts"], row["message_id"]) == ("sent", 2, server.message_ids()[0])


def test_a_message_whose_senders_are_lost_again_and_again_dies(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    write(crm, crm.tenant(), status="sending", attempts=3, lease_owner="lost", lease_until=NOW - days(400))

    assert run(connection, server.url, fleet_max_attempts=3) == {"filed": 1}
    (row,) = crm.actions(kind="email")
    assert (row["status"], row["lease_owner"]) == ("dead", None)
    assert "lost" in row["last_error"]


@pytest.mark.parametrize(
    "address",
    ["ann", "ann@", "Ann <ann@acme.example>", "a@b.example, c@d.example", "ann@acme.example\nBcc: x@y.example"],
)
def test_a_bad_address_fails_with_a_reason_and_the_next_message_goes_out(
    connection: Connection, crm: Crm, server: MailServer, address: str
) -> None:
    tenant = crm.tenant()
    (bad,) = write(crm, tenant, contact_id=crm.contact(tenant, email=address))
    write(crm, tenant)

    assert run(connection, server.url) == {"failed": 1, "sent": 1}
    (row,) = crm.actions(status="failed")
    assert row["id"] == bad
    assert "is no e-mail address" in row["last_error"]
    assert [to for to, _ in server.received] == ["ann@acme.example"]


def test_a_recipient_the_server_refuses_fails_with_the_servers_words(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    write(crm, crm.tenant())
    server.answer_recipient = lambda _address: "550 no such user"

    assert run(connection, server.url) == {"failed": 1}
    assert crm.actions()[0]["last_error"] == "550 no such user"


def test_a_sender_address_that_is_none_waits_until_it_is_mended(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant()
    write(crm, tenant)
    crm.execute("UPDATE tenant_delivery SET from_address = 'nonsense'")
    assert run(connection, server.url) == {"scheduled": 1}
    assert "sender" in crm.actions()[0]["last_error"]

    crm.execute("UPDATE tenant_delivery SET from_address = 'sales@northwind.example', from_name = 'Sales'")
    assert run(connection, server.url, NOW + days(1)) == {"sent": 1}
    assert str(server.received[0][1]["From"]) == "Sales <sales@northwind.example>"


@pytest.mark.parametrize("template", ["no_such_template", "greeting"])
def test_a_broken_template_is_named_once_tried_again_and_stops_nobody(
    connection: Connection, crm: Crm, server: MailServer, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = crm.tenant()
    write(crm, tenant, 3, template=template, variables=Jsonb({}))
    write(crm, tenant)

    assert run(connection, server.url) == {"scheduled": 3, "sent": 1}
    assert "template" in crm.actions(status="scheduled")[0]["last_error"]
    assert [line for line in caplog.messages if line.startswith(f"3 messages are tried again: template {template}: ")]


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("INSERT INTO suppressions SELECT id, 'ann@acme.example', 'unsubscribed' FROM tenants",
         "skipped: address is suppressed: unsubscribed"),
        ("UPDATE contacts SET email = ' '", "skipped: no address"),
        ("UPDATE deals SET stage = 'won'", "cancelled: the deal is closed"),
        ("UPDATE deals SET last_activity_at = '2026-03-02'", "cancelled: the deal is active again"),
        ("UPDATE deals SET auto_follow_up_enabled = false", "cancelled: follow-ups were switched off"),
        ("DELETE FROM deals", "cancelled: the deal is gone"),
    ],
)  # fmt: skip
def test_what_is_no_longer_wanted_does_not_leave(
    connection: Connection, crm: Crm, server: MailServer, change: str, verdict: str
) -> None:
    write(crm, crm.tenant())
    crm.execute(change)

    run(connection, server.url)
    (row,) = crm.actions(kind="email")
    assert (f"{row['status']}: {row['reason']}", row["attempts"]) == (verdict, 0)
    assert server.received == []


def test_answered_requests_decided_quotes_and_settled_checks_are_left_alone(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    crm.contact(tenant, client)
    quote = crm.quote(tenant, client_id=client)
    crm.order(tenant, client_id=client, delivered_at=NOW - days(8))
    crm.schedule(tenant)
    for engine in ("quotes", "feedback", "compliance"):
        crm.run(engine)
    assert len(crm.actions(kind="email", status="scheduled")) == 3
    crm.execute("SELECT record_quote_outcome(%s, 'won')", quote)
    crm.execute("UPDATE feedback_requests SET status = 'responded'")
    crm.execute("UPDATE compliance_checks SET status = 'completed'")

    assert run(connection, server.url) == {"cancelled": 3}
    assert server.received == []
    assert {row["reason"] for row in crm.actions()} == {
        "the quote has an outcome", "the request is responded", "the check is completed",
    }  # fmt: skip


def test_a_paused_tenant_and_one_outside_its_hours_wait_and_the_others_do_not(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    paused, asleep, open_now = crm.tenant("Paused"), crm.tenant("Asleep"), crm.tenant("Open")
    for tenant in (paused, asleep, open_now):
        write(crm, tenant)
    for tenant, zone in (
        (paused, "UTC"),
        (asleep, "America/New_York"),  # four in the morning there
        (open_now, "Europe/Berlin"),
    ):
        crm.execute(
            "UPDATE tenant_delivery SET paused = %s, time_zone = %s, window_start = '08:00' WHERE tenant_id = %s",
            tenant == paused, zone, tenant,
        )  # fmt: skip

    assert run(connection, server.url) == {"sent": 1}
    assert run(connection, server.url, NOW + timedelta(hours=4)) == {"sent": 1}
    crm.execute("UPDATE tenant_delivery SET paused = false")
    assert run(connection, server.url) == {"sent": 1}

    assert [message["From"].addresses[0].display_name for _, message in server.received] == ["Open", "Asleep", "Paused"]


def test_a_time_zone_that_does_not_exist_is_refused_where_it_is_written(crm: Crm) -> None:
    tenant = crm.tenant()
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="Middle"):
        crm.execute("INSERT INTO tenant_delivery (tenant_id, time_zone) VALUES (%s, 'Middle/Earth')", tenant)


def test_a_tenant_with_thousands_of_mails_does_not_delay_anothers_three(
    connection: Connection, database_url: str, crm: Crm, server: MailServer
) -> None:
    tenants = [crm.tenant(name) for name in ("One", "Two", "Three")]
    loud = min(tenants)  # the first in every scan
    (first,) = write(crm, loud, run_at=NOW - days(9))
    crm.execute(
        "INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,"
        " contact_id, run_at, dedupe_key) SELECT tenant_id, engine, kind, template, variables, subject_type,"
        " subject_id, contact_id, run_at, 'bulk' || n FROM scheduled_actions, generate_series(1, 2999) AS n"
        " WHERE id = %s",
        first,
    )
    for tenant in tenants:
        if tenant != loud:
            write(crm, tenant, 3)
    with connect(database_url) as operator:

        def stop_after_sixty(_address: str, _message: Any) -> None:
            if len(server.received) == 60:
                operator.execute("UPDATE scheduled_actions SET status = 'cancelled' WHERE status = 'scheduled'")

        server.answer = stop_after_sixty
        run(connection, server.url, fleet_smtp_connections=1)

    bulk = {message_id(Answered(row["id"], loud), "fleet.example") for row in crm.actions(tenant_id=loud)}
    of_others = [number for number, sent in enumerate(server.message_ids()) if sent not in bulk]
    assert len(of_others) == 6
    assert max(of_others) < 20 + 6, "they wait for one turn of the loud one"


def test_by_default_messages_become_files_and_reach_nobody(connection: Connection, crm: Crm) -> None:
    write(crm, crm.tenant(), 2)
    settings = Settings()

    assert run(connection, None) == {"sent": 2}
    assert len(list((settings.fleet_home / "mail" / "new").glob("*.eml"))) == 2


def test_delivery_works_with_the_rights_of_the_workers_alone(connection: Connection, crm: Crm) -> None:
    write(crm, crm.tenant())
    with transaction(connection), pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE mine ()")
    with connect(connection.info.dsn) as other:
        assert run(other, None) == {"sent": 1}
