"""If these fail, an operator cannot end what goes wrong or make up for what was missed, or a tenant cannot pause."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from psycopg.types.json import Jsonb

from tests.console import signed_in
from tests.crm import Crm, days, stalled_deal, wait_until
from tests.shell import fleet
from workers import clock
from workers.db.session import Connection
from workers.runtime.slots import latest_slot
from workers.settings import settings


@pytest.fixture
def operator(client: httpx.Client, connection: Connection) -> Iterator[httpx.Client]:
    with signed_in(client, connection) as visitor:
        yield visitor


def slot(crm: Crm, status: str, at: datetime, **values: Any) -> int:
    run: Any = crm.insert("engine_runs", engine="deals", slot=at, status=status, **values)
    return int(run)


def test_a_run_or_a_slot_is_cancelled_with_a_reason_and_once(operator: httpx.Client, crm: Crm) -> None:
    now = clock.now()
    running = {"trigger": "beat", "started_at": now, "lease_until": now + days(1)}
    whole = slot(crm, "succeeded", now - days(1), trigger="beat", started_at=now, lease_until=now)
    for run in (slot(crm, "running", now, **running), slot(crm, "expected", now - days(2))):
        path = f"/console/runs/{run}"
        assert "Cancel the slot" in operator.get(path).text
        assert operator.post(f"{path}/cancel", data={"why": " "}).status_code == 400
        done = operator.post(f"{path}/cancel", data={"why": "wrong texts"})
        page = operator.get(done.headers["Location"]).text
        assert "It is cancelled." in page
        assert "by root: wrong texts" in page
        assert "Cancel the slot" not in page
        assert operator.post(f"{path}/cancel", data={"why": "again"}).status_code == 409
    assert operator.post(f"/console/runs/{whole}/cancel", data={"why": "late"}).status_code == 409
    assert operator.post("/console/runs/4711/cancel", data={"why": "none"}).status_code == 404
    assert len(crm.rows("SELECT FROM console_audit WHERE what = 'cancels a run'")) == 2


def test_slots_that_were_missed_are_looked_at_and_then_worked_once(operator: httpx.Client, crm: Crm) -> None:
    stalled_deal(crm, last_activity_at=clock.now() - days(9))
    crm.execute("UPDATE fleet_defaults SET mode = 'automatic'")
    now = clock.now()
    slots = [latest_slot("deals", now - days(n), settings().time_zone) for n in (1, 2, 9)]
    missed = [slot(crm, *one) for one in zip(("missed", "cancelled", "missed"), slots, strict=True)]
    span = {"engine": "deals", "since": f"{now - days(4):%Y-%m-%d}", "until": f"{now:%Y-%m-%d}"}
    page = operator.get("/console/runs/backfill", params=span).text
    assert "2 slots would be worked: 2 of deals" in page
    assert crm.rows("SELECT FROM engine_runs WHERE status = 'succeeded'") == []

    form = dict(re.findall('<input type="hidden" name="(engine|since|until)" value="([^"]*)">', page))
    done = operator.post("/console/runs/backfill", data=form)
    assert "2 slots are being worked" in operator.get(done.headers["Location"]).text
    wait_until(lambda: len(crm.rows("SELECT FROM engine_runs WHERE status = 'succeeded'")) == 2, "the slots")
    rows = crm.rows("SELECT id, trigger, status FROM engine_runs ORDER BY slot DESC")
    assert rows == [
        {"id": missed[0], "trigger": "backfill", "status": "succeeded"},
        {"id": missed[1], "trigger": "backfill", "status": "succeeded"},
        {"id": missed[2], "trigger": None, "status": "missed"},
    ]
    assert len(crm.rows("SELECT FROM scheduled_actions")) == 1
    assert operator.post("/console/runs/backfill", data=form).status_code == 409
    assert "Every slot of these days is worked" in operator.get("/console/runs/backfill", params=span).text
    for wrong, status in (({"engine": "none"}, 404), ({"since": "x"}, 400)):
        assert operator.post("/console/runs/backfill", data=form | wrong).status_code == status, wrong
    assert operator.get("/console/runs/backfill?since=x").status_code == 404


def test_a_tenant_for_whom_a_run_failed_is_tried_again_alone(operator: httpx.Client, crm: Crm) -> None:
    tenant = stalled_deal(crm, last_activity_at=clock.now() - days(9))
    crm.execute("UPDATE fleet_defaults SET mode = 'automatic'")
    failed = slot(
        crm, "partly", clock.now(), trigger="beat", started_at=clock.now(), lease_until=clock.now(),
        failures=Jsonb([{"tenant_id": str(tenant), "error": "disk on fire"}]),
    )  # fmt: skip
    path = f"/console/runs/{failed}"
    assert "Try again" in operator.get(path).text
    other = crm.tenant("Southwind")
    assert operator.post(f"{path}/retry", data={"tenant": str(other)}).status_code == 404
    assert operator.post(f"{path}/retry", data={"tenant": str(tenant)}).status_code == 303
    wait_until(lambda: crm.rows("SELECT FROM engine_runs WHERE trigger = 'manual' AND tenants = 1"), "the run")
    assert [row["tenant_id"] for row in crm.rows("SELECT tenant_id FROM scheduled_actions")] == [tenant]


def test_an_engine_is_paused_for_a_tenant_as_by_command_and_goes_on(
    manager: httpx.Client, operator: httpx.Client, crm: Crm, database_url: str
) -> None:
    done = manager.post("/console/runs/pause", data={"engine": "deals", "paused": "yes", "why": "fair"})
    page = manager.get(done.headers["Location"]).text
    assert "none of its slots comes" in page
    assert "Let it go on: deals" in page
    assert "deals is paused" in fleet(database_url, "schedule", "show", "--tenant", "Northwind").stdout
    assert "olive@northwind.example: fair" in manager.get("/console/settings").text
    manager.post("/console/runs/pause", data={"engine": "deals", "paused": "no"})
    assert "is paused" not in fleet(database_url, "schedule", "show", "--tenant", "Northwind").stdout
    form = {"engine": "deals", "paused": "yes"}
    for wrong, status in (({"engine": "none"}, 404), ({"paused": "perhaps"}, 400)):
        assert manager.post("/console/runs/pause", data=form | wrong).status_code == status
    assert operator.post("/console/runs/pause", data=form).status_code == 400
