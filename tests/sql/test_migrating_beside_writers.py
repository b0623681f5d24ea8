"""If these fail, a CRM stands still while the fleet is installed beside it or brought up to date."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.migration import Writer
from bench.servers import SQL, run_statements
from tests.crm import wait_until
from workers.db import check
from workers.db.migrate import migrate, rollback
from workers.db.session import connect

ROWS = 16_000  # enough for work on each row of a table, done under a lock, to take longer than a write waits
ADOPTED = (
    "SELECT count(*) AS n FROM feedback_requests WHERE delivery_date < now() - interval '1 hour' HAVING count(*) > 0"
)
WAITING = "SELECT pid FROM pg_locks WHERE relation = 'deals'::regclass AND NOT granted"


@pytest.fixture
def busy_crm(empty_database: str) -> Iterator[tuple[str, Writer]]:
    """A CRM with many rows, all orders delivered yesterday, and a session that never stops writing to it."""
    with connect(empty_database) as connection:
        run_statements(connection, (SQL / "crm.sql").read_text().replace("{rows}", str(ROWS)))
        connection.execute("UPDATE orders SET delivered_at = now() - interval '1 day'")
    with Writer(empty_database, ROWS) as writer:
        wait_until(lambda: writer.written >= 12)  # each kind of write twice
        yield empty_database, writer


def test_a_crm_writes_on_while_the_fleet_comes_and_goes(busy_crm: tuple[str, Writer]) -> None:
    url, writer = busy_crm
    migrate(url)
    with connect(url) as connection:
        assert check.missing(connection) == []
        row = connection.execute(
            "SELECT count(*) AS n FROM orders AS o WHERE o.delivered_at IS NOT NULL"
            " AND NOT EXISTS (SELECT FROM feedback_requests AS r WHERE r.order_id = o.id)"
        ).fetchone()
        assert row == {"n": 0}, "every order that was delivered is asked about, whatever became of others meanwhile"
        assert connection.execute("SELECT FROM fleet_faults").fetchall() == []
    rollback(url)
    assert writer.refused == []


def test_nobody_queues_behind_a_migration_that_waits_for_a_long_report(busy_crm: tuple[str, Writer]) -> None:
    url, writer = busy_crm
    with connect(url) as report, connect(url) as watcher, ThreadPoolExecutor() as threads:
        with report.transaction():
            report.execute("LOCK TABLE deals IN ACCESS SHARE MODE")
            migration = threads.submit(migrate, url)
            for _ in range(2):  # it asks for the table again, and everybody has written in between
                wait_until(lambda: watcher.execute(WAITING).fetchone())
                before = writer.written
                wait_until(lambda before=before: writer.written > before + 12)  # type: ignore[misc]
        migration.result()
    assert writer.refused == []


def test_orders_are_adopted_some_at_a_time_so_that_the_crm_waits_for_some_at_most(busy_crm: tuple[str, Writer]) -> None:
    url, _ = busy_crm
    with connect(url) as watcher, ThreadPoolExecutor() as threads:
        migrate(url)
        watcher.execute("TRUNCATE feedback_requests CASCADE")
        again = threads.submit(migrate, url)
        seen = wait_until(lambda: watcher.execute(ADOPTED).fetchone())
        again.result()
    assert seen is not None
    assert seen["n"] < ROWS / 2
