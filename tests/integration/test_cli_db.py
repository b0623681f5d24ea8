"""If these fail, a database is migrated halfway, or a damaged one passes for whole."""

from pathlib import Path

import pytest

from tests.shell import fleet, one_line
from workers.db import check
from workers.db.session import Connection


def test_a_database_that_is_not_migrated_says_how_to_mend_it(empty_database: str) -> None:
    assert "fleet db migrate" in one_line(fleet(empty_database, "run", "deals"))


def test_a_database_ahead_of_the_code_is_left_alone(connection: Connection, database_url: str) -> None:
    connection.execute("UPDATE fleet_schema_version SET version_num = '9999_future'")
    assert "9999_future" in one_line(fleet(database_url, "run", "deals"))
    assert "9999_future" in one_line(fleet(database_url, "db", "migrate"))


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


def test_the_snapshot_is_what_an_empty_database_is_migrated_to(connection: Connection) -> None:
    snapshot = Path(__file__).parents[2] / "schema" / "snapshot.txt"
    assert check.catalog(connection) == snapshot.read_text().splitlines()
