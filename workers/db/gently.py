"""How a migration works on tables that a CRM writes to at the same moment: nobody waits for long."""

import re
import time
from itertools import cycle
from typing import Any, Final

import psycopg
from psycopg.errors import DeadlockDetected, ForeignKeyViolation, LockNotAvailable
from psycopg.rows import tuple_row

from workers.db.session import Connection
from workers.resources import shipped

_PATIENCE_SECONDS: Final = 10
# Milliseconds, in turns. The last is above PostgreSQL's deadlock_timeout, at which an autovacuum makes room.
_LOCK_WAITS: Final = (300, 600, 1200)
_ORDERS_A_TIME: Final = 500  # the CRM waits for one such transaction at most
_TRIES: Final = 10
_TRIES_AGAINST_DEADLOCKS: Final = 200


def run_patiently(driver: psycopg.Connection[Any], text: str) -> None:
    """Run statements inside the caller's transaction, again and again while a table that they lock is in use.

    Whoever writes to a table queues behind the one who waits to have it alone. So it is waited for briefly; in between,
    all locks are given back and the queue moves on.

    Raises:
        LockNotAvailable: a table was in use for ten seconds.
        DeadlockDetected: the CRM came in between two hundred times.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for tries, wait in enumerate(cycle(_LOCK_WAITS), start=1):
        driver.execute(f"SET LOCAL lock_timeout = {wait}")
        try:
            with driver.transaction():
                driver.execute(text.encode())
        except DeadlockDetected:  # each waits for the other: the CRM goes on, and this step comes again
            if tries >= _TRIES_AGAINST_DEADLOCKS:
                raise
            deadline = time.monotonic() + _PATIENCE_SECONDS
        except LockNotAvailable:
            if time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.1)


def run_one_by_one(driver: psycopg.Connection[Any], text: str) -> None:
    """Send each statement of a file alone, as CREATE INDEX CONCURRENTLY demands."""
    _drop_invalid_indexes(driver, text)
    for statement in re.split(r";\s*\n", text):
        if statement.strip():
            driver.execute(statement.encode())


def _drop_invalid_indexes(driver: psycopg.Connection[Any], text: str) -> None:
    """Drop what an interrupted CONCURRENTLY left: IF NOT EXISTS would take the ruin for the index."""
    names = re.findall(r"IF NOT EXISTS (\w+)", text)
    invalid = (
        driver.cursor(row_factory=tuple_row)
        .execute(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE NOT i.indisvalid AND c.relname = ANY (%s)",
            [names],
        )
        .fetchall()
    )
    for (name,) in invalid:
        driver.execute(f'DROP INDEX CONCURRENTLY "{name}"')


def adopt_orders(connection: Connection) -> None:
    """Ask about what was delivered before, some orders in each transaction: the CRM writes to them meanwhile.

    Raises:
        psycopg.errors.ForeignKeyViolation: ten times in a row something that was found was deleted before it was named.
    """
    text = (shipped("schema") / "functions" / "adopt_orders.sql").read_bytes()
    after = None
    tries = 0
    while True:
        tries += 1
        try:
            row = connection.execute(text, {"after": after, "rows": _ORDERS_A_TIME}).fetchone()
        except ForeignKeyViolation:
            if tries == _TRIES:
                raise
            continue
        if row is None:
            return
        after, tries = row["id"], 0
