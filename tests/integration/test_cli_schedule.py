"""If these fail, an operator cannot tell when engines begin, or cannot start, end or make up for a run."""

import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.crm import NOW, Crm, days, stalled_deal, wait_until
from tests.fleet import Fleet
from tests.shell import FLEET, one_line
from tests.shell import fleet as call
from workers import clock
from workers.db.session import transaction
from workers.db.tenant_settings import set_settings
from workers.runtime import occurrences
from workers.runtime.occurrences import Slot

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;"
    " CREATE TRIGGER slow BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION slow()"
)


def expect(crm: Crm, *slots: datetime, engine: str = "deals") -> list[int]:
    """Slots that nobody has begun."""
    with clock.at(NOW), transaction(crm.connection):
        occurrences.enter(crm.connection, [Slot(at, engine) for at in slots], NOW)
    return [row["id"] for row in crm.rows("SELECT id FROM engine_runs ORDER BY id")]


def states(crm: Crm) -> dict[datetime, str]:
    return {row["slot"]: row["status"] for row in crm.rows("SELECT slot, status FROM engine_runs")}


def test_the_timetable_of_a_tenant_is_shown_by_its_own_clocks(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant("Northwind")
    chosen = {"time_zone": "Europe/Berlin", "deals.cron": "30 2 * * *", "quotes.paused": "yes"}
    set_settings(crm.connection, tenant, chosen, "us", None)
    asked = ["schedule", "show", "--tenant", "Northwind", "--next", "2", "--now", "2026-03-28T00:00"]
    printed = call(database_url, *asked).stdout
    for words in (
        "30 2 * * *", "Sat 28 Mar 2026 02:30 CET", "Sun 29 Mar 2026 03:00 CEST", "Sat 28 Mar 2026 09:00 CET",
        "quotes is paused for this tenant",
    ):  # fmt: skip
        assert words in printed
    shown = json.loads(call(database_url, *asked, "--engine", "deals", "--json").stdout)
    assert shown["timetables"] == [
        {
            "engine": "deals", "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "tenants": 1,
            "next": ["2026-03-28T01:30:00+00:00", "2026-03-29T01:00:00+00:00"],
        }
    ]  # fmt: skip


def test_what_is_limited_is_shown_with_the_timetable(
    crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_CONCURRENCY", "deals=2 quotes=1 tenant=1")
    monkeypatch.setenv("FLEET_PER_MINUTE", "deals=1200")
    printed = call(database_url, "schedule", "show").stdout
    for words in (
        "deals has 2 workers at a time and works 1,200 due items of a tenant in a minute at most",
        "quotes has 1 worker at a time at most",
        "a tenant has 1 worker at a time at most",
    ):
        assert words in printed
    tenant = crm.tenant("Northwind")
    crm.execute("INSERT INTO tenant_quotas (tenant_id, workers, items) VALUES (%s, 3, 60)", tenant)
    asked = ["schedule", "show", "--tenant", "Northwind", "--json"]
    assert json.loads(call(database_url, *asked, "--engine", "deals").stdout)["limits"] == [
        {"of": "deals", "workers": 2, "per_minute": 60}
    ]
    assert {"of": "tenant", "workers": 3, "per_minute": None} in json.loads(call(database_url, *asked).stdout)["limits"]


def test_all_timetables_in_use_are_shown_with_how_many_go_by_each(crm: Crm, database_url: str) -> None:
    for zone in ("Asia/Tokyo", "Asia/Tokyo", None):
        tenant = crm.tenant()
        if zone:
            set_settings(crm.connection, tenant, {"time_zone": zone}, "us", None)
    shown = json.loads(call(database_url, "schedule", "show", "--json").stdout)["timetables"]
    deals = {row["time_zone"]: row["tenants"] for row in shown if row["engine"] == "deals"}
    assert deals == {"Asia/Tokyo": 2, "UTC": 1}


def test_a_run_is_started_in_the_workers_now_or_for_a_slot_that_there_is(fleet: Fleet, crm: Crm) -> None:
    redis, url = fleet.environment["REDIS_URL"], fleet.environment["DATABASE_URL"]
    for arguments in ([], ["--slot", "2026-03-02T08:00"]):
        assert "sent for a worker" in call(url, "runs", "start", "deals", *arguments, REDIS_URL=redis).stdout
    assert {message["task"] for message in fleet.queued("engines")} == {"workers.deals.run"}
    kwargs = [message["kwargsrepr"] for message in fleet.queued("engines")]
    assert any("2026-03-02T08:00:00+00:00" in text for text in kwargs)
    refused = call(url, "runs", "start", "deals", "--slot", "2026-03-02T08:30", REDIS_URL=redis)
    assert "deals has no slot at Mon 02 Mar 2026 08:30 UTC" in one_line(refused)
    gone = call(url, "runs", "start", "deals", REDIS_URL="redis://127.0.0.1:1")
    assert "the broker cannot be reached" in one_line(gone)


def test_a_slot_that_is_cancelled_says_who_and_why_and_a_backfill_may_work_it(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    (run,) = expect(crm, MONDAY + timedelta(hours=8))
    printed = call(database_url, "runs", "cancel", str(run), "--by", "ann", "--why", "wrong texts").stdout
    assert printed == f"run {run} was expected, and is cancelled\n"
    assert "by:       ann: wrong texts" in call(database_url, "runs", "show", str(run)).stdout
    again = one_line(call(database_url, "runs", "cancel", str(run), "--why", "x"))
    assert f"run {run} is cancelled: nothing is left of it to cancel" in again
    assert "no run 4711" in one_line(call(database_url, "runs", "cancel", "4711", "--why", "x"))

    call(database_url, "runs", "backfill", "--since", "2026-03-02", "--yes")
    assert states(crm) == {MONDAY + timedelta(hours=8): "succeeded"}


def test_what_was_missed_is_made_up_for_after_a_look(crm: Crm, database_url: str) -> None:
    stalled_deal(crm, last_activity_at=datetime.now(UTC) - days(30))
    eight, two, early = MONDAY + timedelta(hours=8), MONDAY + timedelta(hours=14), MONDAY - days(3)
    expect(crm, eight, two, early)
    crm.execute("UPDATE engine_runs SET status = 'missed'")
    span = ["runs", "backfill", "--since", "2026-03-02", "--until", "2026-03-03"]

    looked = json.loads(call(database_url, *span, "--dry-run", "--json").stdout)
    assert [(row["was"], row["acted"]) for row in looked] == [("missed", {"deal_follow_up": 1}), ("missed", {})]
    assert set(states(crm).values()) == {"missed"}
    assert crm.actions() == []
    assert call(database_url, *span, stdin=b"n\n").returncode == 1
    assert crm.actions() == []

    done = call(database_url, *span, "--yes")
    assert done.returncode == 0, done.stderr
    assert "2 of 2" in done.stdout
    assert states(crm) == {eight: "succeeded", two: "succeeded", early: "missed"}
    assert len(crm.actions()) == 1
    assert {row["trigger"] for row in crm.rows("SELECT trigger FROM engine_runs WHERE slot >= %s", MONDAY)} == {
        "backfill"
    }


def test_missed_slots_stand_in_the_list_and_have_no_start(crm: Crm, database_url: str) -> None:
    (run,) = expect(crm, MONDAY)
    crm.execute("UPDATE engine_runs SET status = 'missed', finished_at = %s", MONDAY + timedelta(hours=5))
    assert "missed" in call(database_url, "runs", "list", "--status", "missed", COLUMNS="80").stdout
    printed = call(database_url, "runs", "show", str(run)).stdout
    assert "slot:     Mon 02 Mar 2026 00:00 UTC, 5:00:00 late" in printed
    assert "started:" not in printed


def test_a_run_that_is_interrupted_is_closed(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    for n in range(400):
        contact = crm.contact(tenant, client, email=f"{n}@acme.example")
        crm.deal(tenant, client_id=client, contact_id=contact, last_activity_at=NOW - days(30))
    crm.execute(SLOW)
    command = [*FLEET, "run", "deals", "--now", NOW.isoformat()]
    environment = os.environ | {"DATABASE_URL": database_url, "FLEET_BATCH_SIZE": "10"}
    for number, told in enumerate((signal.SIGTERM, signal.SIGINT), start=1):
        written = len(crm.actions())
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_until(lambda: len(crm.actions()) > written, "the first batch")  # noqa: B023  # asked at once
            process.send_signal(told)
            process.communicate(timeout=20)
        rows = crm.rows("SELECT status, finished_at IS NOT NULL AS closed, acted FROM engine_runs ORDER BY id")
        assert [(row["status"], row["closed"]) for row in rows] == [("partly", True)] * number
        assert 0 < len(crm.actions()) < 400
    assert sum(row["acted"] for row in rows) == len(crm.actions())


def test_a_run_that_is_cancelled_leaves_off_after_the_batch_in_hand(crm: Crm, database_url: str) -> None:
    for _ in range(2):
        stalled_deal(crm)
    crm.execute(
        "CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$ BEGIN PERFORM cancel_run(NEW.run_id, 'ann', 'enough'); RETURN NEW; END $$"
    )
    crm.execute("CREATE TRIGGER cancel AFTER INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION cancel()")
    result = call(database_url, "run", "deals", "--now", NOW.isoformat())
    assert result.returncode == 1
    assert "deals was cancelled before it was through" in result.stdout
    assert len(crm.actions()) == 1
    row = crm.one("SELECT status, acted, failures FROM engine_runs")
    assert row == {"status": "cancelled", "acted": 1, "failures": []}
