"""Migrations: into an empty database, beside a CRM, twice, halfway, and back out again."""

import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic import command

from tests.crm import NOW, Crm, supports_nobody, wait_until
from tests.sql.test_rls import acting
from workers.db import check
from workers.db import migrate as module
from workers.db.embedded.postgres import programs_folder
from workers.db.migrate import migrate, rollback
from workers.db.revisions import KNOWN
from workers.db.session import Connection, connect, require_current_schema
from workers.errors import DatabaseUnavailableError, FleetError, SchemaMismatchError
from workers.resources import shipped

PG_DUMP = programs_folder() / "pg_dump"
NORTHWIND = UUID(int=1)
OLIVE = UUID("00000000-0000-0000-0000-000000000011")
P1 = {
    "feedback_requests", "deal_stage_history", "deal_stage_config", "quotes", "quote_activities", "quote_outcomes",
    "contact_enrichment_queue", "opportunity_signals", "compliance_schedule", "compliance_checks",
}  # fmt: skip
CRM = ("tenants", "profiles", "clients", "contacts", "orders", "deals", "cases", "tasks")


def dump(url: str, *options: str) -> list[str]:
    """Return what pg_dump says about a database, without its random marks."""
    done = subprocess.run([PG_DUMP, *options, url], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line and not line.startswith(("--", "\\"))]


def schema(url: str) -> list[str]:
    return dump(url, "--schema-only")


def relations(connection: Connection) -> set[str]:
    rows = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    return {row["relname"] for row in rows}


def row_versions(connection: Connection) -> dict[str, Any]:
    """Return where each CRM table and each of its rows is stored, and which transaction wrote it."""
    found: dict[str, Any] = {}
    for table in CRM:
        rows = connection.execute(f"SELECT ctid::text, xmin::text, id FROM {table} ORDER BY id").fetchall()  # noqa: S608
        file = connection.execute("SELECT pg_relation_filenode(%s) AS file", [table]).fetchone()
        found[table] = (file, rows)
    return found


def test_an_empty_database_gets_everything_and_says_what_was_applied(empty_database: str) -> None:
    done = migrate(empty_database)
    assert done.revisions == list(KNOWN)
    with connect(empty_database) as connection:
        require_current_schema(connection)
        assert {*P1, *CRM} <= relations(connection)
        history = connection.execute("SELECT name FROM fleet_migration_history ORDER BY id").fetchall()
        invalid = connection.execute("SELECT FROM pg_index WHERE NOT indisvalid").fetchall()
    assert [row["name"] for row in history] == [
        *KNOWN,
        *module.function_files(),
    ]
    assert invalid == []


def test_migrating_again_changes_nothing(empty_database: str) -> None:
    migrate(empty_database)
    with connect(empty_database) as connection:
        Crm(connection).tenant()
    before = dump(empty_database)
    again = migrate(empty_database)
    assert (again.revisions, again.functions) == ([], [])
    assert dump(empty_database) == before


def test_functions_written_over_and_over_stay_the_same(database_url: str) -> None:
    before = sorted(schema(database_url))  # grants are listed in the order they were given
    with connect(database_url) as connection:
        connection.execute("DELETE FROM fleet_migration_history WHERE name ~ '^(functions|engines)/'")
    assert migrate(database_url).functions == list(module.function_files())
    assert sorted(schema(database_url)) == before


def test_a_rollback_removes_the_fleet_and_keeps_the_crm(database_url: str) -> None:
    with connect(database_url) as connection:
        crm = Crm(connection)
        tenant = crm.tenant()
        client = crm.client(tenant)
        contact = crm.contact(tenant, client)
        deal = crm.deal(tenant, contact_id=contact, description="as it was")
        crm.quote(tenant, contact_id=contact)
        crm.order(tenant, delivered_at=NOW)
        crm.run("deals")
    started = time.monotonic()
    rollback(database_url)
    assert time.monotonic() - started < 5
    with connect(database_url) as connection:
        left = relations(connection)
        assert not left & P1
        assert {name for name in left if not name.endswith(("_pkey", "_idx"))} == {*CRM, "vendors"}
        [row] = connection.execute("SELECT * FROM deals").fetchall()
        assert (row["id"], row["description"], row["stage"]) == (deal, "as it was", "lead")
        assert not {"last_activity_at", "stalled_at", "next_follow_up_at", "stalls_at"} & row.keys()
        functions = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
        assert {row["proname"] for row in functions} == {"current_tenant_id", "claimed_user"}, "asked by policies"
        with acting(connection, "authenticated", OLIVE):
            assert connection.execute("SELECT * FROM deals").fetchall() == []
        connection.execute("UPDATE deals SET stage = 'won'")
        connection.execute("INSERT INTO tenants (name) VALUES ('still writable')")


def test_after_a_rollback_the_fleet_can_come_back(database_url: str) -> None:
    before = sorted(schema(database_url))
    rollback(database_url)
    migrate(database_url)
    assert sorted(line.rstrip(",") for line in schema(database_url)) == sorted(line.rstrip(",") for line in before)


def test_a_rollback_of_nothing_says_so(empty_database: str) -> None:
    with pytest.raises(SchemaMismatchError, match="nothing to roll back"):
        rollback(empty_database)


def test_migrating_again_undoes_nothing_a_tenant_decided(database_url: str) -> None:
    with connect(database_url) as connection:
        crm = Crm(connection)
        tenant = crm.tenant()
        deal = crm.deal(tenant)
        crm.execute("DELETE FROM deal_stage_config WHERE stage = 'lead'")
        before = crm.row("deals", deal)
        migrate(database_url)
        assert crm.row("deals", deal) == before
        assert crm.rows("SELECT FROM deal_stage_config WHERE stage = 'lead'") == []


@pytest.mark.parametrize(
    "damage",
    [
        "DROP INDEX idx_quotes_followup",
        "DROP FUNCTION get_stalled_deals",
        "DROP TRIGGER order_delivered ON orders",
        "DROP VIEW quote_win_rates",
        "ALTER POLICY fleet_own_tenant ON quotes USING (true)",
        "CREATE OR REPLACE FUNCTION fleet_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
        "REVOKE SELECT ON quotes FROM authenticated",
    ],
)
def test_migrating_repairs_what_can_be_made_again(database_url: str, damage: str) -> None:
    with connect(database_url) as connection:
        connection.execute(damage.encode())
        assert check.missing(connection) != []
        migrate(database_url)
        assert check.missing(connection) == []


def test_an_installation_that_comes_back_gives_no_message_id_a_second_time(database_url: str) -> None:
    def next_action() -> int:
        with connect(database_url) as connection:
            crm = Crm(connection)
            tenant = crm.tenant()
            client = crm.client(tenant)
            crm.deal(tenant, client_id=client, contact_id=crm.contact(tenant, client))
            crm.run("deals")
            return int(crm.actions()[-1]["id"])

    first = next_action()
    rollback(database_url)
    migrate(database_url)
    assert next_action() > first


def upgrade_to(url: str, revision: str) -> None:
    with module._exclusively(url) as connection:
        module._lay_ground(connection)
        with module._alembic(url, []) as config:
            command.upgrade(config, revision)


def test_an_index_left_in_ruins_by_an_interruption_is_built_again(empty_database: str) -> None:
    upgrade_to(empty_database, "0003_fleet")
    with psycopg.connect(empty_database) as long_running:
        # CREATE INDEX CONCURRENTLY waits for every snapshot that is older than it.
        long_running.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        long_running.execute("SELECT count(*) FROM pg_class")
        with pytest.raises(FleetError, match="locked"):
            migrate(empty_database)
        ruins = "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid"
        with connect(empty_database) as connection:
            left = connection.execute(ruins).fetchall()
            assert len(left) == 1
    migrate(empty_database)
    with connect(empty_database) as connection:
        assert connection.execute(ruins).fetchall() == []
        assert left[0]["name"] in relations(connection)
        require_current_schema(connection)


def test_a_locked_table_ends_in_one_line_within_seconds_and_nothing_half_applied(supabase: str) -> None:
    with connect(supabase) as blocker:
        upgrade_to(supabase, "0001_core")
        before = schema(supabase)
        with blocker.transaction():
            blocker.execute("LOCK TABLE deals IN ACCESS SHARE MODE")  # somebody's long report
            started = time.monotonic()
            with pytest.raises(FleetError, match="locked"):
                migrate(supabase)
            assert time.monotonic() - started < 20
    assert schema(supabase) == before
    assert migrate(supabase).revisions == list(KNOWN[1:])


def test_a_server_that_goes_away_is_not_called_a_locked_table(database_url: str) -> None:
    def lose_the_connection() -> None:
        with module._exclusively(database_url) as connection, connect(database_url) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
            connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailableError, match="the database says: terminating connection"):
        lose_the_connection()


def test_a_second_migration_at_the_same_time_waits_and_finds_nothing_left_to_do(empty_database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [future.result(60) for future in [pool.submit(migrate, empty_database) for _ in range(2)]]
    assert sorted(len(run.revisions) for run in runs) == [0, len(KNOWN)]
    with connect(empty_database) as connection:
        rows = connection.execute("SELECT name, count(*) AS n FROM fleet_migration_history GROUP BY name").fetchall()
    assert {row["n"] for row in rows} == {1}


def test_a_migration_waits_while_another_holds_the_lock(database_url: str) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query ~ 'pg_try_advisory_lock'"
    with connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with module._exclusively(database_url):
            second = pool.submit(migrate, database_url)
            wait_until(lambda: len(other.execute(waiting).fetchall()) > 1)
            with pytest.raises(TimeoutError):
                second.result(0.3)
        assert second.result(30).revisions == []


@pytest.mark.parametrize("operation", [migrate, rollback])
def test_a_database_ahead_of_the_code_is_refused(database_url: str, operation: Callable[[str], object]) -> None:
    with connect(database_url) as connection:
        connection.execute("UPDATE fleet_schema_version SET version_num = '9999_tomorrow'")
        before = schema(database_url)
        with pytest.raises(SchemaMismatchError, match="9999_tomorrow"):
            operation(database_url)
    assert schema(database_url) == before


def test_workers_of_the_last_release_go_on_beside_a_newer_schema_that_supports_them(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("UPDATE fleet_schema_version SET version_num = '9999_tomorrow'")
        require_current_schema(connection)
        text = (shipped("schema") / "functions" / "core.sql").read_text()
        [supported] = re.findall(r"FUNCTION supported_from\(\).*?SELECT '(\w+)'", text, re.DOTALL)
        assert supported in KNOWN
        supports_nobody(connection, "9999_tomorrow")
        with pytest.raises(SchemaMismatchError, match="9999_tomorrow"):
            require_current_schema(connection)


def test_a_run_on_a_database_that_is_not_migrated_is_refused(empty_database: str) -> None:
    with connect(empty_database) as connection:
        with pytest.raises(SchemaMismatchError, match="fleet db migrate"):
            require_current_schema(connection)
        upgrade_to(empty_database, "0002_p1")
        with pytest.raises(SchemaMismatchError, match="0002_p1"):
            require_current_schema(connection)
