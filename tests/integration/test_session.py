"""If these fail, a database that is gone without a word, or a lock of the CRM, holds every process."""

import time
from contextlib import suppress

import psycopg
import pytest

from tests.crm import NOW, days
from workers import clock
from workers.db.session import Connection, connect, transaction, undivided
from workers.errors import SpoiltError


def test_a_database_that_is_gone_without_a_word_is_noticed_within_half_a_minute(database_url: str) -> None:
    with connect(database_url) as connection:
        used = connection.info.get_parameters()
    idle, interval, count = (int(used[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert idle + interval * count <= 30
    assert int(used["tcp_user_timeout"]) <= 30_000


def test_what_the_url_says_of_a_dead_connection_goes_before(database_url: str) -> None:
    with connect(f"{database_url}&keepalives_idle=77&connect_timeout=3") as connection:
        used = connection.info.get_parameters()
    assert (used["keepalives_idle"], used["connect_timeout"]) == ("77", "3")


def test_nobody_waits_long_for_a_table_that_somebody_else_holds(connection: Connection, database_url: str) -> None:
    begun = time.monotonic()
    with connect(database_url) as other, other.transaction():
        other.execute("LOCK TABLE deals IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable), transaction(connection):
            connection.execute("SELECT FROM deals")
    assert time.monotonic() - begun < 20
    assert connection.execute("SHOW lock_timeout").fetchone() == {"lock_timeout": "0"}


def test_the_parts_of_an_undivided_transaction_go_with_the_clock_and_make_no_savepoints(connection: Connection) -> None:
    found = []
    with transaction(connection, force_rollback=True), undivided(connection):
        for number in range(3):
            with clock.at(NOW + days(number)), transaction(connection):
                found += connection.execute(
                    "INSERT INTO tenants (name) VALUES ('Acme') RETURNING xmin::text AS xact, fleet_now() AS now"
                ).fetchall()
    assert [row["now"] for row in found] == [NOW + days(number) for number in range(3)]
    assert len({row["xact"] for row in found}) == 1


def test_an_undivided_transaction_of_which_a_part_failed_passes_for_nothing_whole(connection: Connection) -> None:
    def go_on_after_a_failure() -> None:
        with transaction(connection), undivided(connection):
            with transaction(connection):
                connection.execute("INSERT INTO tenants (name) VALUES ('Acme')")
            with suppress(ValueError), transaction(connection):
                raise ValueError

    with pytest.raises(SpoiltError):
        go_on_after_a_failure()
    assert connection.execute("SELECT FROM tenants").fetchall() == []
