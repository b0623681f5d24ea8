"""If these fail, an operator cannot tell what ran, when, and for whom it failed."""

import json
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days, stalled_deal
from tests.shell import fleet, one_line


def ledger(crm: Crm, **values: Any) -> int:
    row = {"engine": "deals", "trigger": "beat", "status": "succeeded", "started_at": NOW, "lease_until": NOW} | values
    run: Any = crm.insert("engine_runs", **row)
    return int(run)


def listed(database_url: str, *arguments: str) -> list[int]:
    return [row["run_id"] for row in json.loads(fleet(database_url, "runs", "list", "--json", *arguments).stdout)]


def test_runs_are_listed_by_engine_status_and_time(crm: Crm, database_url: str) -> None:
    early = ledger(crm, slot=NOW - days(2), started_at=NOW - days(2))
    failed = ledger(crm, slot=NOW, status="failed")
    partly = ledger(crm, engine="feedback", status="partly", slot=NOW)
    quotes = ledger(crm, engine="quotes", trigger="manual")
    for arguments, expected in (
        ([], [quotes, partly, failed, early]),
        (["--engine", "deals"], [failed, early]),
        (["--status", "failed"], [failed]),
        (["--status", "partly"], [partly]),
        (["--since", "2026-03-01"], [quotes, partly, failed]),
        (["--until", "2026-03-01"], [early]),
        (["--limit", "1"], [quotes]),
    ):
        assert listed(database_url, *arguments) == expected, arguments
    printed = fleet(database_url, "runs", "list", "--limit", "2", COLUMNS="80").stdout
    assert "2 of 4" in printed
    assert "2026-03-02 09:00" in printed
    assert "no status 'gone'" in one_line(fleet(database_url, "runs", "list", "--status", "gone"))


def test_a_run_shows_how_late_it_was_what_it_left_and_for_whom_it_failed(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant("Northwind")
    run = ledger(
        crm, slot=NOW, started_at=NOW + timedelta(minutes=3), finished_at=NOW + timedelta(minutes=4),
        due=12, acted=9, tenants=2,
        skipped=Jsonb({"contact was asked in the last 30 days": 3}),
        failures=Jsonb([{"tenant_id": str(tenant), "error": "disk on fire"}]),
    )  # fmt: skip
    printed = fleet(database_url, "runs", "show", str(run)).stdout
    for words in (
        "09:00 UTC, 0:03:00 late", "succeeded, 1 tenant failed", "12 due for 2 tenants, 9 acted on",
        "3 contact was asked in the last 30 days", "failed:   Northwind: disk on fire",
    ):  # fmt: skip
        assert words in printed
    shown = json.loads(fleet(database_url, "runs", "show", str(run), "--json").stdout)
    assert shown["late_seconds"] == 180
    assert shown["failures"] == [{"tenant_id": str(tenant), "tenant_name": "Northwind", "error": "disk on fire"}]
    assert "no run 4711" in one_line(fleet(database_url, "runs", "show", "4711"))


def test_a_run_by_hand_has_no_slot(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    crm.run("deals")
    (run,) = listed(database_url)
    printed = fleet(database_url, "runs", "show", str(run)).stdout
    assert "by manual" in printed
    assert "slot:" not in printed
