"""If these fail, the fleet asks a provider more often, or spends more of a tenant's credits, than it may."""

import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from tests.apollo import apollo_says, queue, spent, waiting
from tests.crm import NOW, Crm, days
from tests.provider_server import Call, ProviderServer, Said
from workers import clock
from workers.engines.enrichment.lookups import ask_providers
from workers.settings import settings


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("x-minute-requests-left", timedelta(minutes=1)),
        ("x-hourly-requests-left", timedelta(hours=1)),
        ("x-24-hour-requests-left", timedelta(days=1)),
        ("x-daily-requests-left", timedelta(days=1)),
    ],
)
def test_an_empty_window_closes_apollo_for_everybody_until_it_ends(
    crm: Crm, apollo: ProviderServer, header: str, wait: timedelta
) -> None:
    waiting(crm, crm.tenant(), 11)
    other = waiting(crm, crm.tenant(), 1)[0]
    apollo.answer = lambda call: apollo_says(call, {header: "0"})

    crm.run("enrichment")

    assert len(apollo.calls) == 1
    waits = crm.rows("SELECT DISTINCT retry_at, error_message FROM contact_enrichment_queue WHERE status = 'pending'")
    assert [row["retry_at"] for row in waits] == [NOW + wait]
    assert "no calls left" in waits[0]["error_message"]
    apollo.answer = apollo_says
    crm.run("enrichment", at=NOW + wait)
    assert queue(crm, other)["status"] == "completed"


WORKER = """
import sys
from uuid import UUID
from datetime import datetime
from workers import clock
from workers.db.session import connect
from workers.engines.enrichment.lookups import ask_providers
with connect(sys.argv[1]) as connection, clock.at(datetime.fromisoformat(sys.argv[2])):
    for tenant in sys.argv[3:]:
        while ask_providers(connection, UUID(tenant), 100).due:
            pass
"""


def test_processes_share_what_is_left_of_a_window(crm: Crm, apollo: ProviderServer, database_url: str) -> None:
    """Apollo allows six calls a minute; two processes with ten calls' worth of work make six, and get no 429."""
    tenants = [crm.tenant(), crm.tenant()]
    for tenant in tenants:
        waiting(crm, tenant, 50)
    lock, made = threading.Lock(), [0]

    def limited(call: Call) -> Said:
        with lock:
            made[0] += 1
            left = 6 - made[0]
        if left < 0:
            return Said(429, {})
        return apollo_says(call, {"x-minute-requests-left": str(left)})

    apollo.answer = limited
    with clock.at(NOW):  # the first call of the window: from here on everybody knows what is left
        ask_providers(crm.connection, tenants[0], 100)

    command = [sys.executable, "-c", WORKER, database_url, NOW.isoformat()]
    processes = [subprocess.Popen([*command, str(tenant)], stderr=subprocess.PIPE, text=True) for tenant in tenants]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors

    assert made == [6]
    counts = {
        row["status"]: row["n"]
        for row in crm.rows("SELECT status, count(*) AS n FROM contact_enrichment_queue GROUP BY 1")
    }
    assert counts == {"pending": 100}
    assert crm.one("SELECT count(*) AS n FROM contact_enrichment_queue WHERE extracted_data IS NOT NULL")["n"] == 60
    assert sum(spent(crm)) == 60


def test_the_daily_budget_is_kept_and_the_rest_waits_for_tomorrow(
    crm: Crm, apollo: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_APOLLO_DAILY_CREDITS", "15")
    settings.cache_clear()
    tenant, other = crm.tenant(), crm.tenant()
    rows = waiting(crm, tenant, 25)
    theirs = waiting(crm, other, 2)

    crm.run("enrichment")

    states = [queue(crm, row) for row in rows]
    assert sum(state["status"] == "completed" for state in states) == 15
    left = [state for state in states if state["status"] == "pending"]
    assert {state["error_message"] for state in left} == {"apollo waits: the daily budget of 15 credits is used up"}
    assert {state["retry_at"] for state in left} == {NOW.replace(hour=0) + days(1)}
    assert {queue(crm, row)["status"] for row in theirs} == {"completed"}  # a budget is a tenant's own
    assert crm.due_tenants("enrichment") == set()
    crm.run("enrichment", at=NOW.replace(hour=0) + days(1))
    assert {queue(crm, row)["status"] for row in rows} == {"completed"}


def test_people_whom_apollo_does_not_know_cost_nothing(
    crm: Crm, apollo: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_APOLLO_DAILY_CREDITS", "10")
    settings.cache_clear()
    tenant = crm.tenant()
    waiting(crm, tenant, 20, "nowhere.example")
    row = waiting(crm, tenant, 1)[0]
    crm.run("enrichment")
    assert queue(crm, row)["status"] == "completed"
    assert spent(crm) == [1]


def test_a_budget_of_nothing_asks_nothing(crm: Crm, apollo: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_APOLLO_DAILY_CREDITS", "0")
    settings.cache_clear()
    waiting(crm, crm.tenant(), 3)
    assert crm.run("enrichment").tally.due == 3
    assert apollo.calls == []
