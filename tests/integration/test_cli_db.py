"""If these fail, a database is migrated halfway, or a damaged one passes for whole."""

from pathlib import Path

import pytest

from tests.crm import NOW, Crm, supports_nobody
from tests.shell import fleet, one_line
from workers.db import check
from workers.db.session import Connection, connect


def test_a_database_that_is_not_migrated_says_how_to_mend_it(empty_database: str) -> None:
    assert "fleet db migrate" in one_line(fleet(empty_database, "run", "deals"))


def test_a_database_ahead_of_the_code_is_left_alone(connection: Connection, database_url: str) -> None:
    supports_nobody(connection, "9999_future")
    assert "9999_future" in one_line(fleet(database_url, "run", "deals"))
    assert "9999_future" in one_line(fleet(database_url, "db", "migrate"))


def test_migrate_check_and_rollback(empty_database: str) -> None:
    assert fleet(empty_database, "db", "check").returncode == 1
    assert fleet(empty_database, "db", "migrate").returncode == 0
    assert "nothing to do" in fleet(empty_database, "db", "migrate").stdout
    assert fleet(empty_database, "db", "check").returncode == 0
    assert fleet(empty_database, "db", "rollback", stdin=b"n\n").returncode == 1
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
