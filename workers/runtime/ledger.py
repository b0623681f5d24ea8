"""The occurrence ledger in Python: one thin function per SQL function of schema/functions/ledger.sql."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from psycopg.types.json import Jsonb

from workers.db.session import Connection
from workers.engines.base import Tally

Trigger = Literal["beat", "catch_up", "manual", "share", "backfill"]
Status = Literal["succeeded", "partly", "failed", "cancelled"]

# A run renews its lease with every batch, and a batch takes well under a second; a worker that is silent
# for this long is gone, and the catch-up may take over its slot.
LEASE: Final = timedelta(minutes=5)
# Of a run, or of a slot that nobody began.
RunStatus = Literal["expected", "running", "succeeded", "partly", "failed", "missed", "cancelled"]
RUN_STATUSES: Final = get_args(RunStatus)


@dataclass(frozen=True, slots=True)
class Failure:
    """A tenant whose batch failed; it is recorded and the others go on."""

    tenant: UUID
    error: str


def open_run(
    connection: Connection, engine: str, slot: datetime | None, trigger: Trigger, task_id: str | None
) -> int | None:
    """Claim a slot and return the run's id; None if the slot is taken. Without a slot every message is a run."""
    worker = f"{socket.gethostname()}:{os.getpid()}"
    statement = "SELECT open_run(%s, %s, %s, %s, %s, %s) AS run"
    row = connection.execute(statement, [engine, slot, trigger, task_id, worker, LEASE]).fetchone()
    return row["run"] if row else None


def keep_trace(connection: Connection, run: int, traceparent: str) -> None:
    """Note where a run stands in its trace, for those who carry out what it writes."""
    connection.execute("SELECT keep_trace(%s, %s)", [run, traceparent])


def losses(connection: Connection, run: int) -> dict[UUID, int]:
    """Return how many workers, or their connections, were lost while this run worked for each tenant."""
    return {row["tenant_id"]: row["n"] for row in connection.execute("SELECT * FROM run_losses(%s)", [run])}


def take_in_hand(connection: Connection, run: int, tenant: UUID) -> None:
    """Note for whom a run works next, so that a worker lost over it is known."""
    connection.execute("SELECT take_in_hand(%s, %s)", [run, tenant])


def record_progress(connection: Connection, run: int, tally: Tally, following: UUID | None) -> bool:
    """Add a batch to its run and renew the lease; part of the batch's own transaction, so the counts are exact.

    Args:
        connection: inside that transaction.
        run: the run.
        tally: what the batch did.
        following: for whom the run works next, as `take_in_hand` notes it; None: for whom it does now.

    Returns:
        Whether the run goes on; it does not where a person cancelled it.
    """
    row = connection.execute(
        "SELECT record_progress(%s, %s, %s, %s, %s, %s, '[]') AS goes_on, take_in_hand(%s, %s)",
        [
            run, LEASE, tally.due, tally.acted.total(), tally.actions.total(), Jsonb(dict(tally.skipped)),
            run if following else None, following,
        ],
    ).fetchone()  # fmt: skip
    return row is not None and row["goes_on"] is True


def record_failure(connection: Connection, run: int, failure: Failure) -> None:
    """Note a tenant's error in its run."""
    entry = Jsonb([{"tenant_id": str(failure.tenant), "error": failure.error}])
    connection.execute("SELECT record_progress(%s, %s, 0, 0, 0, '{}', %s)", [run, LEASE, entry])


def close_run(connection: Connection, run: int, status: Status, tenants: int) -> None:
    """End a run; what was not worked whole is tried again, ever less often."""
    connection.execute("SELECT close_run(%s, %s, %s)", [run, status, tenants])


def go_on_soon(connection: Connection, run: int) -> None:
    """Let the catch-up take up a slot's run again after a minute, however often it was tried before."""
    connection.execute("SELECT go_on_soon(%s)", [run])


def close_lost_runs(connection: Connection) -> None:
    """End, as failed, the runs outside the timetable whose worker was lost."""
    connection.execute("SELECT close_lost_runs()")


def cancel_run(connection: Connection, run: int, by: str, why: str) -> str | None:
    """End a run or a slot for good; returns how it stood, or None if there is nothing of it to be ended."""
    row = connection.execute("SELECT cancel_run(%s, %s, %s) AS was", [run, by, why]).fetchone()
    return row["was"] if row else None


def tenants_left(connection: Connection, engine: str) -> dict[UUID, int]:
    """Return how many items are due for an engine now, of each tenant that has any and that it works for."""
    return {row["tenant_id"]: row["n"] for row in connection.execute("SELECT * FROM tenants_left(%s)", [engine])}


def slot_state(connection: Connection, engine: str, slot: datetime) -> str | None:
    """Return worked, partly, failed, running, missed or cancelled; None if nobody is known to have begun the slot."""
    row = connection.execute("SELECT slot_state(%s, %s) AS state", [engine, slot]).fetchone()
    return row["state"] if row else None


def due_tenants(connection: Connection, engine: str) -> list[UUID]:
    """Return the tenants that have due work for an engine which is not off for them."""
    return [row["due_tenants"] for row in connection.execute("SELECT due_tenants(%s)", [engine])]


def prune_records(connection: Connection, days: int, limit: int) -> int:
    """Delete at most `limit` records of each kind that are older than so many days; returns how many went."""
    row = connection.execute("SELECT prune_records(%s, %s) AS n", [days, limit]).fetchone()
    return row["n"] if row else 0


def prune_answers(connection: Connection) -> None:
    """Forget what the API answered longer than a day ago: nobody is given it again."""
    connection.execute("SELECT prune_answers()")
