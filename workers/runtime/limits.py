"""How much is done at a time and in a minute, over all workers: schema/functions/limits.sql by the settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from workers.db.session import PLAIN_SETTINGS, Connection, connect
from workers.settings import database_url, settings

# What FLEET_CONCURRENCY may name beside engines.
TENANT: Final = "tenant"
DELIVERY: Final = "delivery"
# What a host may end a silent transaction by.
_NO_LIMIT: Final = ["transaction_timeout", "idle_in_transaction_session_timeout"]


@dataclass(frozen=True, slots=True)
class Room:
    """What a batch may do now.

    Attributes:
        rows: so many rows at most; None: others are at work for the tenant, as many as may be at a time.
        per_minute: how many due items of the engine are worked for the tenant in a minute; None: any number.
    """

    rows: int | None
    per_minute: int | None = None


def limits_of(engine: str) -> tuple[int | None, int | None]:
    """Return how many workers an engine has at a time, and how many due items of a tenant it works in a minute.

    None: any number.
    """
    return settings().fleet_concurrency.get(engine), settings().fleet_per_minute.get(engine)


def helpers_for(what: str, helpers: int) -> int:
    """Return how many helpers are worth calling: none beyond those that may work at a time."""
    return min(helpers, settings().fleet_concurrency.get(what, helpers + 1) - 1)


def begin_batch(connection: Connection, engine: str, tenant: UUID, rows: int, *, wait: bool) -> Room:
    """Take the places of a batch, which are free again when its transaction ends, and say what it may do.

    Args:
        connection: inside the batch's transaction, which has done nothing yet.
        engine: whose batch it is.
        tenant: for whom.
        rows: how many rows it wants to claim.
        wait: stand in line for the tenant, too, as there is nothing else to do; for the engine it always does.

    Raises:
        psycopg.errors.LockNotAvailable: it stood in line for five seconds.
    """
    heed_tenant_places(connection)
    workers, per_minute = limits_of(engine)
    row = connection.execute(
        "SELECT * FROM begin_batch(%s, %s, %s, %s, %s, %s)", [engine, tenant, rows, wait, workers, per_minute]
    ).fetchone()
    assert row is not None  # noqa: S101  # it always answers
    return Room(row["n"], row["per_minute"])


def spend(connection: Connection, engine: str, tenant: UUID, items: int, per_minute: int) -> None:
    """Note what a batch worked, in its transaction, where a minute is limited."""
    connection.execute("SELECT spend_minute(%s, %s, %s, %s)", [engine, tenant, items, per_minute])


def heed_tenant_places(connection: Connection) -> None:
    """Let a transaction know how many workers there may be for a tenant for whom the operator set no number."""
    if workers := settings().fleet_concurrency.get(TENANT):
        connection.execute("SELECT set_config('fleet.tenant_workers', %s, true)", [str(workers)])


@contextmanager
def place(what: str, concurrency: Mapping[str, int]) -> Iterator[bool]:
    """Hold a place for what takes many transactions, and say whether there was one.

    It is held by a transaction of a connection of its own, so it is free the moment this process is gone, and through
    a transaction pooler, too.

    Args:
        what: what the places are for.
        concurrency: how many there are, as FLEET_CONCURRENCY says; where it does not, any number.
    """
    places = concurrency.get(what)
    if places is None:
        yield True
        return
    with connect(database_url()) as connection:
        connection.execute("BEGIN")
        try:
            connection.execute(f"SELECT set_config('role', 'service_role', true), {PLAIN_SETTINGS}")
            connection.execute("SELECT set_config(name, '0', true) FROM pg_settings WHERE name = ANY (%s)", [_NO_LIMIT])
            row = connection.execute("SELECT take_place(%s, %s, false) AS taken", [what, places]).fetchone()
            yield row is not None and row["taken"]
        finally:
            connection.close()  # there is nothing to commit, and the server may be gone by now
