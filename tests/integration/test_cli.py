"""The command line as an operator meets it: real processes, exit codes, one clear line."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.crm import NOW, Crm, days, wait_until
from workers.db import check
from workers.db.session import Connection, connect

AT = NOW.isoformat()


def fleet(database_url: str | None, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if database_url:
        environment["DATABASE_URL"] = database_url
    return subprocess.run(
        [sys.executable, "-m", "workers", *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False, input=stdin,
    )  # fmt: skip


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """An operator's mistake: exit code 2, one line on stderr, no traceback."""
    assert result.returncode == 2, result
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def stalled_deal(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    crm.deal(tenant, client_id=client, contact_id=crm.contact(tenant, client), last_activity_at=NOW - days(9))


def test_run_prints_what_an_engine_did(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    result = fleet(database_url, "run", "deals", "--now", AT, "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["engine"], report["due"], report["acted"]) == ("deals", 1, {"deal_follow_up": 1})
    assert len(crm.actions()) == 1


def test_a_dry_run_shows_the_message_and_changes_nothing(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    result = fleet(database_url, "run", "deals", "--now", AT, "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    (planned,) = json.loads(result.stdout)["would_write"]
    assert planned["to"] == "ann@acme.example"
    assert "Ten licences" in planned["subject"]
    assert planned["body"].startswith("Hello Ann,")
    assert crm.actions() == []
    assert crm.rows("SELECT FROM engine_runs") == []
    assert crm.rows("SELECT FROM deals WHERE stalled_at IS NOT NULL") == []
    table = fleet(database_url, "run", "deals", "--now", AT, "--dry-run")
    assert "ann@acme.example" in table.stdout


def test_a_dry_run_says_whom_it_would_not_reach(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    (tenant,) = crm.rows("SELECT id FROM tenants")
    crm.execute("INSERT INTO suppressions VALUES (%s, 'ann@acme.example', 'asked us to stop')", tenant["id"])
    result = fleet(database_url, "run", "deals", "--now", AT, "--dry-run", "--json")
    (planned,) = json.loads(result.stdout)["would_write"]
    assert planned["refused"] == "address is suppressed: asked us to stop"


def test_run_for_one_tenant_leaves_the_others_alone(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    stalled_deal(crm)
    first = crm.rows("SELECT id FROM tenants")[0]["id"]
    assert fleet(database_url, "run", "deals", "--now", AT, "--tenant", str(first)).returncode == 0
    assert {action["tenant_id"] for action in crm.actions()} == {first}


def test_a_tenant_is_known_by_its_name_if_no_other_has_it(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    stalled_deal(crm)
    first, second = (row["id"] for row in crm.rows("SELECT id FROM tenants ORDER BY id"))
    crm.execute("UPDATE tenants SET name = 'Twin [x]'")
    assert "2 tenants are called 'Twin [x]'" in one_line(fleet(database_url, "run", "deals", "--tenant", "Twin [x]"))
    crm.execute("UPDATE tenants SET name = 'Only' WHERE id = %s", second)
    crm.execute("INSERT INTO engine_settings VALUES (%s, 'deals', 'review'), (%s, 'quotes', 'automatic')", first, first)
    assert fleet(database_url, "run", "deals", "--now", AT, "--tenant", "Only").returncode == 0
    assert {action["tenant_id"] for action in crm.actions()} == {second}
    assert json.loads(fleet(database_url, "tenants", "--json").stdout) == [
        {"tenant_id": str(second), "name": "Only", "modes": {}},
        {"tenant_id": str(first), "name": "Twin [x]", "modes": {"deals": "review"}},
    ]
    assert "Twin [x]" in fleet(database_url, "tenants").stdout


def test_a_run_that_others_keep_from_its_rows_says_so(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    crm.execute(
        "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'held by another' USING ERRCODE = 'lock_not_available'; END $$"
    )
    crm.execute("CREATE TRIGGER held BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION held()")
    result = fleet(database_url, "run", "deals", "--now", AT)
    assert result.returncode == 1, result.stderr
    assert "unfinished: rows are held by another session, run it again" in result.stdout


def test_a_number_no_action_can_have_is_wrong_usage(database_url: str) -> None:
    result = fleet(database_url, "actions", "retry", str(2**63))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@contextmanager
def up(home: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "workers", "up", "--no-demo"], env=os.environ | {"FLEET_HOME": str(home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


def test_up_without_its_broker_ends_with_one_line(tmp_path: Path, database_url: str) -> None:
    environment = os.environ | {"REDIS_URL": "redis://u:secret@127.0.0.1:1/0", "DATABASE_URL": database_url}
    result = subprocess.run(
        [sys.executable, "-m", "workers", "up"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    line = one_line(result)
    assert "cannot reach the broker redis://u@127.0.0.1:1/0" in line
    assert "secret" not in line


def test_up_stopped_before_all_has_started_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "a home"  # with a space, which PostgreSQL's own starter cannot have in a socket's folder
    with up(home) as process:
        wait_until((home / "postgres" / "postmaster.pid").exists, seconds=30)
        process.terminate()
        process.communicate(timeout=60)
    assert not (home / "postgres" / "postmaster.pid").exists()
    assert not (home / "servers.json").exists()


def test_up_notices_that_a_server_died(tmp_path: Path) -> None:
    with up(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "beat started" in line:
                break
        os.kill(int((tmp_path / "valkey" / "valkey.pid").read_text()), signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the embedded Valkey died: see" in output.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "dealz"], "no engine 'dealz': the engines are feedback, deals, quotes, enrichment, compliance"),
        (["run", "deals", "--tenant", str(uuid4())], "no tenant"),
        (["run", "deals", "--tenant", "Nobody Ltd"], "no tenant 'Nobody Ltd' (`fleet tenants` lists them)"),
        (["run", "deals", "--now", "tomorrow"], "--now 'tomorrow' is no ISO 8601 instant"),
        (["actions", "retry", "4711"], "cannot retry 4711"),
        (["load", "no-such-folder"], "no-such-folder"),
    ],
)
def test_a_mistake_gets_one_clear_line(database_url: str, arguments: list[str], says: str) -> None:
    assert says in one_line(fleet(database_url, *arguments))


def test_a_database_that_is_down_gets_one_clear_line() -> None:
    line = one_line(fleet("postgresql://nobody@127.0.0.1:1/crm", "run", "deals"))
    assert "cannot reach the database crm at 127.0.0.1" in line
    assert "DATABASE_URL" in line


def test_no_database_at_all_says_how_to_get_one() -> None:
    assert "make run" in one_line(fleet(None, "run", "deals"))


def test_a_database_that_is_not_migrated_says_how_to_mend_it(empty_database: str) -> None:
    assert "fleet db migrate" in one_line(fleet(empty_database, "run", "deals"))


def test_a_database_ahead_of_the_code_is_left_alone(connection: Connection, database_url: str) -> None:
    connection.execute("UPDATE fleet_schema_version SET version_num = '9999_future'")
    assert "9999_future" in one_line(fleet(database_url, "run", "deals"))
    assert "9999_future" in one_line(fleet(database_url, "db", "migrate"))


def test_a_failing_tenant_is_named_and_the_others_are_served(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    stalled_deal(crm)
    bad = crm.rows("SELECT id FROM tenants ORDER BY id")[0]["id"]
    crm.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NEW.tenant_id = '{bad}' THEN RAISE 'disk on fire'; END IF; RETURN NEW; END $$"
    )
    crm.execute("CREATE TRIGGER refuse BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION refuse()")
    result = fleet(database_url, "run", "deals", "--now", AT, "--json")
    assert result.returncode == 1
    (failure,) = json.loads(result.stdout)["failures"]
    assert failure["tenant_id"] == str(bad)
    assert "disk on fire" in failure["error"]
    assert len(crm.actions()) == 1
    (run,) = crm.rows("SELECT failures, due FROM engine_runs")
    assert (run["due"], run["failures"][0]["tenant_id"]) == (1, str(bad))


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


def test_suggested_actions_are_seen_and_approved(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    (tenant,) = crm.rows("SELECT id FROM tenants")
    crm.execute("INSERT INTO engine_settings VALUES (%s, 'deals', 'review')", tenant["id"])
    crm.run("deals")
    (action,) = json.loads(fleet(database_url, "actions", "list", "--status", "suggested", "--json").stdout)
    assert "Ten licences" in fleet(database_url, "actions", "list").stdout
    assert fleet(database_url, "actions", "approve", str(action["action_id"])).returncode == 0
    assert crm.actions()[0]["status"] == "scheduled"


def test_migrate_check_and_rollback(empty_database: str) -> None:
    assert fleet(empty_database, "db", "check").returncode == 1
    assert fleet(empty_database, "db", "migrate").returncode == 0
    assert "nothing to do" in fleet(empty_database, "db", "migrate").stdout
    assert fleet(empty_database, "db", "check").returncode == 0
    assert fleet(empty_database, "db", "rollback", stdin="n\n").returncode == 1
    assert fleet(empty_database, "db", "check").returncode == 0
    assert fleet(empty_database, "db", "rollback", "--yes").returncode == 0
    assert "not migrated" in one_line(fleet(empty_database, "run", "deals"))


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        ("DROP INDEX idx_quotes_followup", "index idx_quotes_followup on quotes"),
        ("DROP TABLE quote_outcomes CASCADE", "table quote_outcomes with row-level security"),
        ("ALTER TABLE deals DROP COLUMN stalls_at CASCADE", "column deals.stalls_at"),
        ("DROP TRIGGER order_delivered ON orders", "trigger order_delivered on orders"),
        ("DROP FUNCTION send_quote", "function send_quote(p_quote_id uuid) with its own search_path"),
        ("DROP POLICY fleet_own_tenant ON quotes", "policy fleet_own_tenant on quotes for ALL to authenticated"),
        ("ALTER TABLE quotes DISABLE ROW LEVEL SECURITY", "table quotes with row-level security"),
        ("REVOKE SELECT ON quotes FROM authenticated", "grant select on quotes to authenticated"),
        ("ALTER VIEW quote_win_rates RESET (security_invoker)", "view quote_win_rates with security_invoker"),
        ("ALTER TABLE orders DISABLE TRIGGER order_delivered", "trigger order_delivered on orders"),
    ],
)
def test_check_names_what_is_missing(connection: Connection, database_url: str, damage: str, names: str) -> None:
    connection.execute(damage.encode())
    result = fleet(database_url, "db", "check")
    assert result.returncode == 1
    assert f"missing: {names}" in result.stdout.replace("\n", " ")


def test_migrate_and_check_name_what_of_the_crm_stands_in_the_way(empty_database: str) -> None:
    with connect(empty_database) as connection:
        connection.execute("CREATE TABLE tenants (id bigint PRIMARY KEY)")
        connection.execute("CREATE TABLE deals (id uuid PRIMARY KEY, tenant_id uuid, status text)")
    refused = fleet(empty_database, "db", "migrate")
    assert refused.returncode == 2
    checked = fleet(empty_database, "db", "check")
    assert checked.returncode == 1
    for place in ("deals.stage: no such column; needed: text, varchar or an enum", "tenants.id: bigint; needed: uuid"):
        assert f"  {place}" in refused.stderr
        assert f"unfit: {place}" in checked.stdout


def test_a_fault_in_a_trigger_on_the_crms_tables_is_shown(crm: Crm, database_url: str) -> None:
    crm.execute("ALTER TABLE feedback_requests ADD CONSTRAINT broken CHECK (false)")
    crm.order(crm.tenant(), delivered_at=NOW)
    checked, status = fleet(database_url, "db", "check"), fleet(database_url, "status")
    assert checked.returncode == 1
    for shown in (checked.stdout, status.stdout):
        assert "fault: queue_feedback_request on orders" in shown


def test_the_snapshot_is_what_an_empty_database_is_migrated_to(connection: Connection) -> None:
    snapshot = Path(__file__).parents[2] / "schema" / "snapshot.txt"
    assert check.catalog(connection) == snapshot.read_text().splitlines()


def test_runs_of_the_past_and_the_present_do_not_mix(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    early = (NOW - timedelta(days=8)).isoformat()
    assert json.loads(fleet(database_url, "run", "deals", "--now", early, "--json").stdout)["due"] == 0
    with connect(database_url) as fresh:
        row = fresh.execute("SELECT fleet_now() = now() AS real").fetchone()
    assert row == {"real": True}
