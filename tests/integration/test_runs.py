"""If these fail, a slot passes for worked while something is left of it, or a worker cannot be stopped."""

import logging
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from kombu.exceptions import OperationalError

from tests.crm import NOW, Crm, days, stalled_deal, wait_until
from tests.fleet import Fleet
from tests.mail import MailServer
from tests.outbox import write
from workers import clock
from workers.db.session import Connection, connect, transaction
from workers.engines.base import Tally
from workers.engines.registry import all_engines, engine_named
from workers.load.demo import load_demo
from workers.runtime import dispatch, ledger
from workers.runtime.cron import latest_instant
from workers.runtime.dispatch import Report, run_engine
from workers.runtime.occurrences import timetables
from workers.runtime.slots import latest_slot
from workers.runtime.status import fleet_status
from workers.runtime.tasks import _catch_up_task, _engine_task
from workers.settings import settings

DEALS = engine_named("deals")
SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$;"
    " CREATE TRIGGER slow BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION slow()"
)


def slot(now: datetime = NOW) -> datetime:
    return latest_slot("deals", now, settings().time_zone)


def run(connection: Connection, task: str = "beat") -> Report:
    with clock.at(NOW):
        report = run_engine(connection, DEALS, trigger="beat", slot=slot(), task_id=task, batch_size=100)
    assert report is not None
    return report


def state(crm: Crm) -> Any:
    return crm.one("SELECT status, acted FROM engine_runs WHERE engine = 'deals' AND slot IS NOT NULL")


def shown(connection: Connection) -> str:
    """What `fleet status` says of the slot."""
    with clock.at(NOW):
        (line,) = (row for row in fleet_status(connection)["engines"] if row["engine"] == "deals")
    text: str = line["slot_state"]
    return text


def many_deals(crm: Crm, number: int, silent_since: datetime) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    for n in range(number):
        contact = crm.contact(tenant, client, email=f"{n}@acme.example")
        crm.deal(tenant, client_id=client, contact_id=contact, last_activity_at=silent_since)


@pytest.mark.parametrize("engine", sorted(all_engines()))
def test_a_slot_that_nothing_disturbs_is_worked_whole(connection: Connection, crm: Crm, engine: str) -> None:
    load_demo(connection, now=NOW)
    with clock.at(NOW):
        with transaction(connection):
            demo = [their for their in timetables(connection) if their.engine == engine]
        slot = max(latest_instant(their.cron, their.zone, NOW) for their in demo)
        report = run_engine(connection, engine_named(engine), trigger="beat", slot=slot, task_id="beat", batch_size=100)
    assert report is not None
    assert report.tally.due > 0
    assert (report.left, report.status) == (0, "succeeded")


def test_a_slot_whose_rows_somebody_holds_is_worked_in_part_and_whole_once_they_are_free(
    connection: Connection, crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    many_deals(crm, 3, NOW - days(30))
    sent: list[str] = []
    catch_up = _catch_up_task(lambda name, **_: sent.append(name))
    with connect(database_url) as other, other.transaction():
        other.execute("SELECT FROM deals LIMIT 1 FOR UPDATE")
        report = run(connection)
    assert (report.tally.due, report.left, report.unfinished) == (2, 1, False)
    assert state(crm) == {"status": "partly", "acted": 2}
    assert shown(connection) == "partly"

    with clock.at(NOW):
        assert "deals" not in catch_up()
        crm.execute("UPDATE engine_runs SET retry_at = clock_timestamp()")
        assert "deals" in catch_up()
    report = run(connection, "the catch-up")
    assert (report.tally.due, report.left) == (1, 0)
    assert state(crm) == {"status": "succeeded", "acted": 3}
    assert shown(connection) == "worked"


def test_a_tenant_that_failed_is_tried_again_before_the_next_day(connection: Connection, crm: Crm) -> None:
    bad, _ = sorted(stalled_deal(crm) for _ in range(2))
    crm.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NEW.tenant_id = '{bad}' THEN RAISE 'disk on fire' USING ERRCODE = 'io_error'; END IF;"
        " RETURN NEW; END $$"
    )
    crm.execute("CREATE TRIGGER refuse BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION refuse()")
    run(connection)
    assert state(crm) == {"status": "partly", "acted": 1}

    crm.execute("DROP TRIGGER refuse ON scheduled_actions")
    run(connection, "the catch-up")
    assert state(crm) == {"status": "succeeded", "acted": 2}
    assert crm.one("SELECT failures FROM engine_runs")["failures"] == []


def test_a_tenant_that_costs_the_connection_comes_last_and_is_left_out_after_three(database_url: str, crm: Crm) -> None:
    costly, *others = sorted(stalled_deal(crm) for _ in range(4))
    crm.execute(
        "CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        f"$$ BEGIN IF NEW.tenant_id = '{costly}' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;"
        " RETURN NEW; END $$"
    )
    crm.execute("CREATE TRIGGER hang_up BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION hang_up()")
    served = []
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError), connect(database_url) as connection:
            run(connection)
        served.append({action["tenant_id"] for action in crm.actions()})
    assert served == [set(), set(others), set(others)]

    with connect(database_url) as connection:
        report = run(connection)
    assert [(failure.tenant, failure.error) for failure in report.failures] == [(costly, "3 workers were lost over it")]
    assert state(crm) == {"status": "failed", "acted": 3}


def test_what_the_crm_refuses_is_set_aside_and_does_not_keep_its_slot_open(connection: Connection, crm: Crm) -> None:
    many_deals(crm, 3, NOW - days(30))
    crm.execute("UPDATE deals SET title = 'forbidden' WHERE id = (SELECT id FROM deals LIMIT 1)")
    crm.execute("ALTER TABLE deals ADD CONSTRAINT frozen CHECK (title <> 'forbidden') NOT VALID")

    report = run(connection)
    assert (report.left, report.status) == (0, "succeeded")
    assert len(crm.actions()) == 2
    assert len(crm.rows("SELECT FROM items_aside")) == 1


@pytest.mark.parametrize(("deals", "turns"), [(3, 1), (50, 2), (60, 2)])  # fifty at a first turn
def test_whoever_has_less_than_a_batch_is_not_asked_a_second_time(
    connection: Connection, crm: Crm, deals: int, turns: int
) -> None:
    many_deals(crm, deals, NOW - days(30))
    asked: list[UUID] = []

    def batch(connection: Connection, tenant: UUID, limit: int, run: int) -> Tally:
        asked.append(tenant)
        return DEALS.batch(connection, tenant, limit, run)

    with clock.at(NOW):
        engine = replace(DEALS, batch=batch)
        report = run_engine(connection, engine, trigger="beat", slot=slot(), task_id="beat", batch_size=100)
    assert report is not None
    assert (report.tally.due, report.left, report.status) == (deals, 0, "succeeded")
    assert len(asked) == turns


def test_a_batch_that_takes_longer_than_the_host_allows_becomes_smaller(connection: Connection, crm: Crm) -> None:
    many_deals(crm, 80, NOW - days(30))
    crm.execute(SLOW.format(seconds=0.01))
    connection.execute("SET statement_timeout = '400ms'")

    report = run(connection)
    assert (report.tally.due, report.failures, report.status) == (80, [], "succeeded")
    assert len(crm.actions()) == 80


def test_a_table_that_somebody_locks_ends_the_run_in_time_and_sends_nobody_after_it(
    connection: Connection, crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_BUSY_SECONDS", 0)
    stalled_deal(crm)
    begun = datetime.now(UTC)
    with connect(database_url) as other, other.transaction():
        other.execute("LOCK TABLE scheduled_actions IN EXCLUSIVE MODE")
        report = run(connection)
    assert (report.unfinished, report.held, report.status) == (True, True, "partly")
    # The lock is waited for five seconds, and nobody takes over a run that waits.
    assert crm.one("SELECT lease_until FROM engine_runs")["lease_until"] > begun + ledger.LEASE + timedelta(seconds=4)


class Message:
    """What a task knows of itself."""

    class request:  # noqa: N801  # Celery's name
        id = "a message"


def test_a_broker_that_is_away_when_a_run_is_done_fails_nothing(
    crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def send(name: str, **_: Any) -> object:
        raise OperationalError(f"no broker for {name}")

    stalled_deal(crm)
    with clock.at(NOW), caplog.at_level(logging.WARNING):
        report = _engine_task(DEALS, send)(Message(), trigger="beat")
    assert report is not None
    assert report["acted"] == {"deal_follow_up": 1}
    assert state(crm)["status"] == "succeeded"
    assert "workers.delivery.run could not be sent, it comes later: no broker" in caplog.text


def test_a_run_whose_worker_is_told_to_stop_ends_within_seconds_and_another_one_goes_on(fleet: Fleet, crm: Crm) -> None:
    many_deals(crm, 600, clock.now() - days(30))
    crm.execute(SLOW.format(seconds=0.02))
    fleet.environment |= {"FLEET_BATCH_SIZE": "20", "FLEET_HELPERS": "0"}
    with fleet.worker("--queues=engines") as worker:
        fleet.send("workers.deals.run", trigger="beat")
        wait_until(crm.actions, "the first batch")
        told = time.monotonic()
        worker.terminate()
        worker.wait(30)
        assert time.monotonic() - told < 10
    first = len(crm.actions())
    assert 0 < first < 600
    assert state(crm)["status"] == "partly"

    crm.execute("DROP TRIGGER slow ON scheduled_actions")
    with fleet.worker("--queues=engines"):
        wait_until(lambda: len(crm.actions()) == 600, "the successor")


def test_a_delivery_whose_worker_is_told_to_stop_ends_within_seconds_and_gives_back_what_it_did_not_try(
    fleet: Fleet, crm: Crm, server: MailServer
) -> None:
    write(crm, crm.tenant(), 40, run_at=clock.now() - days(1))
    fleet.environment["SMTP_URL"] = server.url
    server.answer = lambda _address, _message: time.sleep(0.5)
    with fleet.worker("--queues=delivery") as worker:
        fleet.send("workers.delivery.run", queue="delivery")
        wait_until(lambda: len(server.received) == 2, "the first messages")
        told = time.monotonic()
        worker.terminate()
        worker.wait(30)
        assert time.monotonic() - told < 10
    rows = Counter((row["status"], row["attempts"], row["lease_owner"]) for row in crm.actions())
    assert set(rows) == {("sent", 1, None), ("scheduled", 0, None)}
    assert rows["sent", 1, None] == len(server.received) < 40
