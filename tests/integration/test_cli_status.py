"""If these fail, an operator is told of trouble that is none, or not told what is due and when."""

import json

import pytest

from tests.crm import NOW, Crm, stalled_deal
from tests.shell import fleet
from workers.load.demo import load_demo


def test_status_tells_of_last_runs_due_counts_and_actions(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    before = json.loads(fleet(database_url, "status", "--json").stdout)
    assert next(row for row in before["engines"] if row["engine"] == "deals")["due"] == 1
    crm.run("deals", at=NOW)
    after = json.loads(fleet(database_url, "status", "--json").stdout)
    deals = next(row for row in after["engines"] if row["engine"] == "deals")
    assert (deals["last_status"], deals["last_acted"]) == ("succeeded", 1)
    assert after["actions"] == {"scheduled": 1}
    assert "deals" in fleet(database_url, "status").stdout


def test_the_first_status_of_a_new_installation_speaks_of_nothing_missed(crm: Crm, database_url: str) -> None:
    crm.execute("UPDATE migration_history SET applied_at = now()")
    engines = json.loads(fleet(database_url, "status", "--json").stdout)["engines"]
    assert "missed" not in {engine["slot_state"] for engine in engines}
    assert "before the installation" in {engine["slot_state"] for engine in engines}
    table = fleet(database_url, "status").stdout
    assert "missed" not in table
    assert "none yet" in table


def test_an_installation_that_stood_still_is_told_what_it_missed(crm: Crm, database_url: str) -> None:
    crm.execute("UPDATE migration_history SET applied_at = now() - interval '30 days'")
    engines = json.loads(fleet(database_url, "status", "--json").stdout)["engines"]
    assert {engine["slot_state"] for engine in engines} <= {"missed", "to be caught up"}
    assert "missed" in fleet(database_url, "status").stdout


def test_a_refused_schedule_is_named_once_with_its_tenants_and_its_type(crm: Crm, database_url: str) -> None:
    for name in ("Northwind", "Southwind"):
        tenant = crm.tenant(name)
        for _ in range(2):
            crm.schedule(tenant, compliance_type="Regional tax form", target_filter={"region": "EMEA"})
    crm.run("compliance")
    output = fleet(database_url, "status").stdout
    (line,) = (line for line in output.splitlines() if "Regional tax form" in line)
    assert "compliance cannot work 'Regional tax form' of Northwind, Southwind: " in line
    assert 'unknown target filter key "region"' in line
    assert not any(str(row["id"]) in output for row in crm.rows("SELECT id FROM compliance_schedule"))


@pytest.mark.parametrize("engine", ["feedback", "deals", "quotes", "compliance"])
def test_a_run_that_finds_nothing_says_when_to_look_again(crm: Crm, database_url: str, engine: str) -> None:
    load_demo(crm.connection, now=NOW)
    crm.run(engine)
    at = ["--now", NOW.isoformat()]
    result = fleet(database_url, "run", engine, "--dry-run", *at)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"nothing is due for {engine} now; of all tenants, the next falls due ")
    command = result.stdout.strip().rpartition("To see it: fleet ")[2].split()

    later = fleet(database_url, *command, "--json")
    assert later.returncode == 0, later.stderr
    assert json.loads(later.stdout)["due"] > 0
    told = json.loads(fleet(database_url, "run", engine, *at, "--json").stdout)
    assert NOW.isoformat() < told["next_due"] <= command[-1]


def test_a_run_without_anything_to_wait_for_says_so(crm: Crm, database_url: str) -> None:
    result = fleet(database_url, "run", "deals", "--dry-run")
    assert result.stdout == "nothing is due for deals now, and nothing waits for a later time\n"
    assert json.loads(fleet(database_url, "run", "deals", "--json").stdout)["next_due"] is None
