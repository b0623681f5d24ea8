"""One run of one engine: round-robin over the tenants with due work, one bounded batch after the other."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from workers.db.session import LOCKED_OUT, Connection, transaction
from workers.engines.base import Engine, Tally
from workers.errors import first_line
from workers.runtime import ledger
from workers.runtime.ledger import Failure, Status, Trigger
from workers.stopping import stopping

logger = logging.getLogger(__name__)

# How soon, and for how long, tenants whose rows another session holds right now are asked again.
_BUSY_PAUSE_SECONDS: Final = 0.05
_BUSY_SECONDS: Final = 5
# Less than this is done sooner than a second worker could start.
_BACKLOG_SECONDS: Final = 0.25


@dataclass(slots=True)
class Report:
    """What a run did, as it is printed, logged and returned to Celery."""

    engine: str
    run: int
    slot: datetime | None
    trigger: Trigger
    tally: Tally = field(default_factory=Tally)
    tenants: set[UUID] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    unfinished: bool = False
    held: bool = False  # by other sessions, which is why it is unfinished
    left: int = 0  # items that are due all the same, of a slot

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "engine": self.engine,
            "run": self.run,
            "slot": self.slot.isoformat() if self.slot else None,
            "trigger": self.trigger,
            "tenants": len(self.tenants),
            "due": self.tally.due,
            "acted": dict(self.tally.acted),
            "skipped": dict(self.tally.skipped),
            "actions": dict(self.tally.actions),
            "failures": [{"tenant_id": str(f.tenant), "error": f.error} for f in self.failures],
            "seconds": round(self.seconds, 3),
            "unfinished": self.unfinished,
            "left": self.left,
        }

    @property
    def status(self) -> Status:
        """Whether all that was due was worked, some of it, or nothing at all."""
        if self.failures and not self.tally.due:
            return "failed"
        return "partly" if self.failures or self.unfinished or self.left else "succeeded"


def run_engine(
    connection: Connection,
    engine: Engine,
    *,
    trigger: Trigger,
    slot: datetime | None = None,
    task_id: str | None = None,
    tenant: UUID | None = None,
    batch_size: int,
    budget_seconds: float = float("inf"),
    on_backlog: Callable[[], None] | None = None,
    fetch: bool = True,
) -> Report | None:
    """Work an engine until nothing is due, or the budget is used up.

    Args:
        connection: outside any transaction; each batch opens its own.
        engine: what to run.
        trigger: who started it.
        slot: the timetable's instant; None for a run outside the timetable.
        task_id: the message's id: the same message delivered again goes on with its run.
        tenant: work for this one only.
        batch_size: most rows one batch claims.
        budget_seconds: after this many seconds the run ends and says that it is unfinished.
        fetch: False asks nobody outside: for a dry run, whose one transaction spans everything.
        on_backlog: called once, when the run has lasted a quarter of a second and there is still work.

    Returns:
        The report, or None if the slot was taken.

    Raises:
        psycopg.OperationalError: the connection is lost; the run is left to whoever takes over its lease.
    """
    started = time.monotonic()
    with transaction(connection):
        run = ledger.open_run(connection, engine.name, slot, trigger, task_id)
        if run is None:
            return None
        tenants = [tenant] if tenant else ledger.due_tenants(connection, engine.name)
    report = Report(engine.name, run, slot, trigger)

    ring = deque(tenants)
    size = batch_size
    progress, waiting = started, 0
    while ring and not report.unfinished:
        current = ring.popleft()
        try:
            tally = _run_batch(connection, engine if fetch else replace(engine, fetch=None), report, current, size)
        except psycopg.errors.QueryCanceled:  # it took longer than the host allows a statement
            size //= 2
            ring.appendleft(current)
            continue
        size = min(2 * size, batch_size)
        if tally is None:
            continue
        if tally.due or tally.busy:
            ring.append(current)
            report.tenants.add(current)
        if tally.due:
            progress, waiting = time.monotonic(), 0
        elif tally.busy:
            waiting += 1
            time.sleep(_BUSY_PAUSE_SECONDS)
            report.held = waiting >= len(ring) and time.monotonic() - progress > _BUSY_SECONDS
        elapsed = time.monotonic() - started
        if elapsed > _BACKLOG_SECONDS and ring and on_backlog is not None:
            on_backlog()
            on_backlog = None
        report.unfinished = bool(ring) and (report.held or elapsed > budget_seconds or stopping())

    with transaction(connection):
        # Rows that somebody holds are passed over without a word, so what is left is asked for.
        report.left = ledger.items_left(connection, engine.name) if slot else 0
        ledger.close_run(connection, run, report.status, len(report.tenants))
    report.seconds = time.monotonic() - started
    logger.info(
        "%s: %d due for %d tenants, %d acted, %d skipped, %d actions, %d failures, %d left in %.2f s",
        engine.name, report.tally.due, len(report.tenants), report.tally.acted.total(),
        report.tally.skipped.total(), report.tally.actions.total(), len(report.failures), report.left, report.seconds,
        extra={"engine": engine.name, "run": run},
    )  # fmt: skip
    return report


def _run_batch(connection: Connection, engine: Engine, report: Report, tenant: UUID, batch_size: int) -> Tally | None:
    """Run one batch; an error is this tenant's alone, unless it is the connection's or the batch's size.

    Raises:
        psycopg.errors.QueryCanceled: the batch took longer than the host allows, and a smaller one may not.
    """
    try:
        # Before the transaction and never inside it: no lock is held while the outside world is asked.
        fetched = engine.fetch(connection, tenant, batch_size) if engine.fetch else Tally()
        with transaction(connection):
            tally = engine.batch(connection, tenant, batch_size, report.run)
            tally.add(fetched)
            ledger.record_progress(connection, report.run, tally)
    except LOCKED_OUT:  # nothing is wrong with the tenant
        return Tally(busy=1)
    except Exception as error:  # whatever one tenant's data provokes must not stop the others
        if connection.closed or isinstance(error, psycopg.errors.AdminShutdown):
            raise
        if isinstance(error, psycopg.errors.QueryCanceled) and batch_size > 1:
            raise
        failure = Failure(tenant, f"{type(error).__name__}: {first_line(error)}")
        about = {"engine": engine.name, "run": report.run, "tenant": tenant}
        logger.exception("%s failed for tenant %s", engine.name, tenant, extra=about)
        report.failures.append(failure)
        with transaction(connection):
            ledger.record_failure(connection, report.run, failure)
        return None
    report.tally.add(tally)
    return tally
