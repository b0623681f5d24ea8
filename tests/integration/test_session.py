"""If these fail, a database that is gone without a word, or a lock of the CRM, holds every process."""

import time

import psycopg
import pytest

from workers.db.session import Connection, connect, transaction


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
