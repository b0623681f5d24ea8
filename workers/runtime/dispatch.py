"""One run of one engine: round-robin over the tenants with due work, one bounded batch after the other."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from workers import tracing
from workers.db.session import LOCKED_OUT, Connection, transaction
from workers.engines.base import Engine, Tally
from workers.errors import first_line
from workers.runtime import ledger, limits, occurrences
from workers.runtime.ledger import Failure, Status, Trigger
from workers.stopping import stopping

logger = logging.getLogger(__name__)

# How soon, and for how long, tenants whose rows another session holds right now are asked again.
_BUSY_PAUSE_SECONDS: Final = 0.05
_BUSY_SECONDS: Final = 5
# So many workers, or their connections, may be lost over a tenant before a run leaves it out.
_MOST_LOST: Final = 3
# So many rows at most are claimed at a tenant's first turn: whoever has few is done before those with many take theirs.
_FIRST_TURN: Final = 50
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
    spent: bool = False  # what may be worked in a minute, which is why it is unfinished
    cancelled: bool = False  # by a person, which is why it is unfinished
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
        if self.cancelled:
            return "cancelled"
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
    helps: datetime | None = None,
    batch_size: int,
    budget_seconds: float = float("inf"),
    on_backlog: Callable[[], None] | None = None,
    fetch: bool = True,
) -> Report | None:
    """Work an engine until nothing is due, or the budget is used up.

    At a slot it works for the tenants whose timetable has it, else for all.

    Args:
        connection: outside any transaction; each batch opens its own.
        engine: what to run.
        trigger: who started it.
        slot: the timetable's instant, which this run claims; None for a run outside the timetable.
        task_id: the message's id: the same message delivered again goes on with its run.
        tenant: work for this one only.
        helps: the slot that another run has claimed and this one helps with.
        batch_size: most rows one batch claims.
        budget_seconds: after this many seconds the run ends and says that it is unfinished.
        fetch: False asks nobody outside, and knows of no limits and of nobody who holds rows: for a dry run, whose one
            transaction spans everything.
        on_backlog: called once, when the run has lasted a quarter of a second and there is still work.

    Returns:
        The report, or None if the slot was taken.

    Raises:
        psycopg.OperationalError: the connection is lost; the run is left to whoever takes over its lease.
        KeyboardInterrupt, SystemExit: as it came; the run is closed first, unless a transaction was just ending: the
            driver cannot begin another one then, and the run is left to its lease.
    """
    started = time.monotonic()
    with transaction(connection):
        run = ledger.open_run(connection, engine.name, slot, trigger, task_id)
        if run is None:
            return None
        tenants = [tenant] if tenant else ledger.due_tenants(connection, engine.name)
        if instant := slot or helps:
            tenants = occurrences.whose(connection, engine.name, instant, tenants)
        lost = ledger.losses(connection, run)
        if traceparent := tracing.present():
            ledger.keep_trace(connection, run, traceparent)
    report = Report(engine.name, run, slot, trigger)
    engine = engine if fetch else replace(engine, fetch=None)
    course = _Course(connection, engine, report, batch_size, limited=fetch)
    try:
        course.line_up(tenants, lost)
        while course.ring and not report.unfinished:
            course.take_turn()
            elapsed = time.monotonic() - started
            if elapsed > _BACKLOG_SECONDS and course.ring and on_backlog is not None:
                on_backlog()
                on_backlog = None
            report.unfinished |= bool(course.ring) and (report.held or elapsed > budget_seconds or stopping())
        report.unfinished |= report.spent
        with transaction(connection):
            # Rows that somebody holds are passed over without a word, so what is left is asked for.
            report.left = _left(connection, engine.name, slot) if slot and fetch else 0
            ledger.close_run(connection, run, report.status, len(report.tenants))
            if report.spent:
                ledger.go_on_soon(connection, run)
    except (KeyboardInterrupt, SystemExit):
        with transaction(connection):
            ledger.close_run(connection, run, "partly", len(report.tenants))
        raise
    report.seconds = time.monotonic() - started
    logger.info(
        "%s: %d due for %d tenants, %d acted, %d skipped, %d actions, %d failures, %d left in %.2f s",
        engine.name, report.tally.due, len(report.tenants), report.tally.acted.total(),
        report.tally.skipped.total(), report.tally.actions.total(), len(report.failures), report.left, report.seconds,
        extra={"engine": engine.name, "run": run},
    )  # fmt: skip
    return report


def _left(connection: Connection, engine: str, slot: datetime) -> int:
    """Return how many items are due for the tenants whose timetable has a slot.

    They are counted only if there are any: another tenant may have a million.
    """
    due = occurrences.whose(connection, engine, slot, ledger.due_tenants(connection, engine))
    left = ledger.tenants_left(connection, engine) if due else {}
    return sum(left.get(tenant, 0) for tenant in due)


class _Course:
    """The way of one run around its tenants: whose turn it is, and how large a batch may be."""

    def __init__(
        self, connection: Connection, engine: Engine, report: Report, batch_size: int, *, limited: bool
    ) -> None:
        self.ring: deque[UUID] = deque()
        self._connection, self._engine, self._report, self._limited = connection, engine, report, limited
        self._size = self._largest = batch_size
        self._known: set[UUID] = set()  # who had a turn
        self._in_hand: UUID | None = None  # as the run notes it
        self._progress, self._waiting = time.monotonic(), 0

    def line_up(self, tenants: Sequence[UUID], lost: Mapping[UUID, int]) -> None:
        """Let tenants take turns; who costs the connection or the process comes last, and at last not at all."""
        for tenant in sorted(tenants, key=lambda one: lost.get(one, 0)):
            if lost.get(tenant, 0) < _MOST_LOST:
                self.ring.append(tenant)
            else:
                self._fail(tenant, f"{lost[tenant]} workers were lost over it")

    def take_turn(self) -> None:
        """Work one batch of whoever is next, who goes to the end of the ring if there may be more to do."""
        tenant = self.ring.popleft()
        rows = self._size if tenant in self._known else min(self._size, _FIRST_TURN)
        self._known.add(tenant)
        try:
            with tracing.span("batch", engine=self._engine.name, run=self._report.run, tenant=tenant):
                tally = self._batch(tenant, rows)
        except psycopg.errors.QueryCanceled:  # it took longer than the host allows a statement
            self._size = max(rows // 2, 1)
            self.ring.appendleft(tenant)
            self._renew_lease()
            return
        # By small steps: one that fails has cost all of the time that the host allows.
        self._size = min(self._size + 1 + self._largest // 20, self._largest)
        if tally is None:
            return
        if tally.due or tally.busy:
            self._report.tenants.add(tenant)
            if not tally.through:
                self.ring.append(tenant)
        if tally.due:
            self._progress, self._waiting = time.monotonic(), 0
        elif tally.busy:
            self._waiting += 1
            if self._everybody_waits():
                time.sleep(_BUSY_PAUSE_SECONDS)
                self._report.held = time.monotonic() - self._progress > _BUSY_SECONDS

    def _everybody_waits(self) -> bool:
        return self._waiting >= len(self.ring)

    def _batch(self, tenant: UUID, rows: int) -> Tally | None:
        """Run one batch of so many rows at most.

        An error is this tenant's alone, unless it is the connection's or the batch's size.

        Raises:
            psycopg.errors.QueryCanceled: the batch took longer than the host allows, and a smaller one may not.
        """
        connection, engine, run = self._connection, self._engine, self._report.run
        if self._in_hand != tenant:
            with transaction(connection):
                ledger.take_in_hand(connection, run, tenant)
            self._in_hand = tenant
        following = self.ring[0] if self.ring else tenant
        try:
            # Before the transaction and never inside it: no lock is held while the outside world is asked.
            fetched = engine.fetch(connection, tenant, rows) if engine.fetch else Tally()
            with transaction(connection):
                tally = self._within_limits(tenant, rows)
                tally.add(fetched)
                # Who is next is noted with it: a commit of its own would cost as much as a batch.
                goes_on = ledger.record_progress(connection, run, tally, following)
        except LOCKED_OUT:  # nothing is wrong with the tenant
            self._renew_lease()
            return Tally(busy=1)
        except Exception as error:  # whatever one tenant's data provokes must not stop the others
            if connection.closed or isinstance(error, psycopg.errors.AdminShutdown):
                raise
            if isinstance(error, psycopg.errors.QueryCanceled) and rows > 1:
                raise
            about = {"engine": engine.name, "run": run, "tenant": tenant}
            logger.exception("%s failed for tenant %s", engine.name, tenant, extra=about)
            self._fail(tenant, f"{type(error).__name__}: {first_line(error)}")
            return None
        self._in_hand = following
        self._report.tally.add(tally)
        if not goes_on:
            self._report.unfinished = self._report.cancelled = True
        return tally

    def _within_limits(self, tenant: UUID, rows: int) -> Tally:
        """Work what may be worked now: nothing where the minute is over, or others work for the tenant already."""
        connection, engine = self._connection, self._engine
        room = limits.Room(rows)
        if self._limited:
            wait = self._waiting > len(self.ring)  # besides this one, everybody waits
            room = limits.begin_batch(connection, engine.name, tenant, rows, wait=wait)
        if room.rows is None:
            return Tally(busy=1)
        if room.rows == 0:
            self._report.spent = True
            return Tally()
        tally = engine.batch(connection, tenant, room.rows, self._report.run)
        tally.through = engine.claims_all and tally.due < room.rows and not tally.busy
        if room.per_minute and tally.due:
            limits.spend(connection, engine.name, tenant, tally.due, room.per_minute)
        return tally

    def _renew_lease(self) -> None:
        """Show that the run lives though nothing was committed: a batch that commits does so by itself."""
        with transaction(self._connection):
            if not ledger.record_progress(self._connection, self._report.run, Tally(), None):
                self._report.unfinished = self._report.cancelled = True

    def _fail(self, tenant: UUID, error: str) -> None:
        failure = Failure(tenant, error)
        self._report.failures.append(failure)
        with transaction(self._connection):
            ledger.record_failure(self._connection, self._report.run, failure)
