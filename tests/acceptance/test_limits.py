"""If these fail, more workers are at a database or a tenant than its operator allows, or a limit loses work."""

import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID

import pytest

from tests.acceptance.crowd import fill, go, report, start
from tests.crm import NOW, Crm, wait_until
from tests.databases import WAITING_FOR_A_LOCK
from workers import clock
from workers.db.session import connect, transaction
from workers.engines.registry import engine_named
from workers.runtime import limits
from workers.runtime.dispatch import Report, run_engine
from workers.settings import settings

SLOT = NOW - timedelta(hours=1)
# Counts, in the middle of each batch, how many are under way, and how many of them for the same tenant.
COUNTED = """
CREATE TABLE at_work (workers bigint, of_tenant bigint);
CREATE FUNCTION count_workers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    v_tenant constant integer := (SELECT abs(hashtext(c.tenant_id::text)) FROM changed AS c LIMIT 1);
BEGIN
    IF v_tenant IS NOT NULL THEN
        PERFORM pg_advisory_lock_shared(1, 0), pg_advisory_lock_shared(2, v_tenant), pg_sleep(0.02);
        INSERT INTO at_work SELECT count(*) FILTER (WHERE l.classid = 1), count(*) FILTER (WHERE l.objid = v_tenant)
        FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
        WHERE l.locktype = 'advisory' AND l.classid IN (1, 2) AND l.objsubid = 2 AND l.granted;
        PERFORM pg_advisory_unlock_shared(1, 0), pg_advisory_unlock_shared(2, v_tenant);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_workers AFTER UPDATE ON deals REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_workers();
"""


def test_no_more_workers_are_at_an_engine_or_a_tenant_than_may_and_all_is_done_once(
    crm: Crm, database_url: str
) -> None:
    fill(crm, "deals", 3, 60)
    crm.execute(COUNTED)
    crowd = [start(database_url, "deals", 10, FLEET_CONCURRENCY="deals=2 tenant=1") for _ in range(4)]
    try:
        go(crowd)
        acted = sum(sum(report(member)["acted"].values()) for member in crowd)
    finally:
        for member in crowd:
            member.kill()
    assert acted == 180
    assert crm.run("deals").tally.due == 0
    seen = crm.one("SELECT max(workers) AS workers, max(of_tenant) AS of_tenant FROM at_work")
    assert (seen["workers"] <= 2, seen["of_tenant"]) == (True, 1)


def test_as_many_workers_are_at_a_tenant_as_the_operator_allows_it_and_the_next_gets_the_first_place_that_is_free(
    crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_CONCURRENCY", "tenant=1")
    settings.cache_clear()
    big, small = crm.tenant(), crm.tenant()
    crm.execute("INSERT INTO tenant_quotas (tenant_id, workers) VALUES (%s, 2)", big)

    def begin(stack: ExitStack, tenant: UUID) -> int | None:
        connection = stack.enter_context(connect(database_url))
        stack.enter_context(transaction(connection))
        return limits.begin_batch(connection, "deals", tenant, 10, wait=False).rows

    with ExitStack() as others:
        with ExitStack() as first:
            assert [begin(first, big), begin(others, big), begin(others, big)] == [10, 10, None]
            assert [begin(others, small), begin(others, small)] == [10, None]
        assert [begin(others, big), begin(others, big)] == [10, None]


def test_the_place_of_a_killed_worker_is_free_at_once(crm: Crm, database_url: str) -> None:
    fill(crm, "deals", 1, 20)
    crm.execute(
        "CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$;"
        " CREATE TRIGGER gate AFTER UPDATE ON deals FOR EACH STATEMENT EXECUTE FUNCTION wait_at_the_gate()"
    )
    crm.execute("SELECT pg_advisory_lock(7)")
    first, second = (start(database_url, "deals", 10, FLEET_CONCURRENCY="tenant=1") for _ in range(2))
    try:
        go([first])
        wait_until(lambda: len(crm.rows(WAITING_FOR_A_LOCK)) == 1, "that the first is in its batch")
        go([second])
        wait_until(lambda: len(crm.rows(WAITING_FOR_A_LOCK)) == 2, "that the second stands in line for the tenant")
        first.kill()
        crm.execute("SELECT pg_advisory_unlock(7)")
        assert sum(report(second)["acted"].values()) == 20
    finally:
        first.kill()
        second.kill()


def run(crm: Crm, minutes: int = 0) -> Report:
    with clock.at(NOW + timedelta(minutes=minutes)):
        done = run_engine(crm.connection, engine_named("deals"), trigger="catch_up", slot=SLOT, batch_size=5)
    assert done is not None
    return done


def test_an_engine_works_no_more_of_a_tenant_in_a_minute_than_it_may_and_goes_on_in_the_next(
    crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, other = fill(crm, "deals", 2, 16)
    crm.execute("INSERT INTO tenant_quotas (tenant_id, items) VALUES (%s, 3)", other)
    crowd = [start(database_url, "deals", 4, FLEET_PER_MINUTE="deals=10") for _ in range(2)]
    try:
        go(crowd)
        reports = [report(member) for member in crowd]
    finally:
        for member in crowd:
            member.kill()
    assert sum(one["due"] for one in reports) == 10 + 3
    assert all(one["unfinished"] for one in reports)

    monkeypatch.setenv("FLEET_PER_MINUTE", "deals=10")
    settings.cache_clear()
    assert (run(crm).tally.due, run(crm, 1).tally.due) == (0, 6 + 3)
    state = crm.one("SELECT status, retry_at - clock_timestamp() AS pause FROM engine_runs WHERE slot IS NOT NULL")
    assert (state["status"], state["pause"] <= timedelta(minutes=1)) == ("partly", True)
    assert [run(crm, minute).tally.due for minute in (2, 3, 4, 5)] == [3, 3, 3, 1]
    assert crm.one("SELECT status FROM engine_runs WHERE slot IS NOT NULL")["status"] == "succeeded"


def test_a_limit_of_what_is_no_engine_is_named_when_workers_start() -> None:
    for variable, value in (("FLEET_CONCURRENCY", "deals=1 dals=2"), ("FLEET_PER_MINUTE", "tenant=600")):
        environment = os.environ | {variable: value, "REDIS_URL": "redis://localhost:1"}
        start = [sys.executable, "-c", "import workers.app"]
        result = subprocess.run(start, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 2
        assert result.stderr.startswith(f"fleet: {variable}: no engine")
        assert result.stderr.count("\n") == 1
