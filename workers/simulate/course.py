"""The course of a simulation: what the timetable, the outbox and the answers bring, one instant after the other."""

import heapq
import logging
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, Final, NamedTuple
from uuid import UUID

from workers import clock
from workers.db.session import Connection, transaction, undivided
from workers.db.tenant_settings import set_settings
from workers.delivery.deliver import deliver
from workers.engines.registry import engine_named
from workers.errors import SpoiltError
from workers.inbound.ingest import Stored, ingest
from workers.resources import shipped
from workers.runtime import ledger
from workers.runtime.dispatch import Report, run_engine
from workers.runtime.occurrences import Slot
from workers.settings import settings
from workers.simulate.agenda import slots_of
from workers.simulate.answers import assumed_answer
from workers.simulate.channel import NullChannel
from workers.simulate.giving_way import giving_way
from workers.simulate.outcome import Entry, Outcome
from workers.simulate.plan import Plan

_MINUTE: Final = timedelta(minutes=1)
_BY: Final = "fleet simulate"


def simulate(
    connection: Connection,
    plan: Plan,
    on_progress: Callable[[datetime], None] = lambda _: None,
    *,
    give_way: str | None = None,
) -> Outcome:
    """Let a span of time pass, and take everything back.

    Args:
        connection: outside a transaction; all happens in one, which is rolled back.
        plan: what is simulated.
        on_progress: called with the virtual instant as it goes on.
        give_way: URL of the same server, where somebody else may need the rows; None where nobody does.

    Raises:
        GaveWayError: somebody else needed them.
        UnknownNameError: the plan has a setting that does not exist, or does not take its value.
        psycopg.OperationalError: the connection was lost.
    """
    try:
        return _let_pass(connection, plan, on_progress, give_way, savepoints=False)
    except SpoiltError:  # something was refused: the fleet takes back that much and goes on
        return _let_pass(connection, plan, on_progress, give_way, savepoints=True)


def _let_pass(
    connection: Connection,
    plan: Plan,
    on_progress: Callable[[datetime], None],
    give_way: str | None,
    *,
    savepoints: bool,
) -> Outcome:
    with (
        _apart(plan.seed),
        clock.at(plan.since),
        transaction(connection, force_rollback=True),
        giving_way(connection, give_way) if give_way else nullcontext(),
        nullcontext() if savepoints else undivided(connection),
    ):
        return _Course(connection, plan).run(on_progress, savepoints=savepoints)


@contextmanager
def _apart(seed: int) -> Iterator[None]:
    """Keep what never happened out of the log, and draw the same every time: of when something is tried again, too."""
    level, state = logging.root.manager.disable, random.getstate()
    logging.disable(logging.CRITICAL)
    random.seed(seed)
    try:
        yield
    finally:
        logging.disable(level)
        random.setstate(state)


class _Expected(NamedTuple):
    """A mail that is to come in; their order is that of anything but ids, which are others in every simulation."""

    at: datetime
    writer: str
    subject: str
    mail: bytes


class _Course:
    """One simulation, inside its transaction."""

    def __init__(self, connection: Connection, plan: Plan) -> None:
        self._connection, self._plan = connection, plan
        # One way out, or which of two letters is taken first would be chance. Not by what limits all workers: the real
        # ones would wait for this one.
        self._settings = settings().model_copy(
            update={"fleet_smtp_connections": 1, "fleet_smtp_per_minute": None, "fleet_concurrency": {}}
        )
        self._slots: deque[Slot] = deque()
        self._expected: list[_Expected] = []  # a heap
        self._delivery: datetime | None = plan.since  # the next pass that has something to do
        self._changes, self._planned_after = 0, 0
        self._quiet: dict[str, tuple[int, datetime]] = {}  # after so many changes an engine has nothing due before then
        self._busy: set[str] = set()  # engines that had something to do at their last slot
        self._outcome = Outcome()
        self._answers: list[UUID] = []
        self._put_off: dict[tuple[int, datetime], Entry] = {}

    def run(self, on_progress: Callable[[datetime], None], *, savepoints: bool) -> Outcome:
        """Go from instant to instant until the span is over."""
        self._query("alone", by=_BY, savepoints="yes" if savepoints else "no")
        for tenant in self._plan.tenants if self._plan.settings else ():
            set_settings(self._connection, tenant, self._plan.settings, _BY, None)
        (begun,) = self._query("begun")
        self._slots.extend(slots_of(self._connection, self._plan))
        while (now := self._next_instant()) < self._plan.until:
            with clock.at(now):
                self._take_step(now)
            self._plan_anew()
            on_progress(now)
        with clock.at(self._plan.until):
            self._close(begun)
        return self._outcome

    def _next_instant(self) -> datetime:
        waiting = [self._slots[0].at] if self._slots else []
        waiting += [self._expected[0].at] if self._expected else []
        waiting += [self._delivery] if self._delivery else []
        return min(waiting, default=self._plan.until)

    def _take_step(self, now: datetime) -> None:
        while self._expected and self._expected[0].at == now:
            self._take_in(heapq.heappop(self._expected).mail, now)
        while self._slots and self._slots[0].at == now:
            self._come_to(self._slots.popleft())
        if self._delivery == now:
            channel = NullChannel(self._expect_answer)
            done = deliver(self._connection, channel, self._settings, webhooks=False)
            self._changes += done.total()
            if done["scheduled"]:
                self._note_put_off()
            self._plan_delivery(now + _MINUTE, stuck=not done)

    def _plan_anew(self) -> None:
        """Forget plans that were made for much less: a session keeps them, and may have begun with an empty outbox."""
        if self._changes > 2 * self._planned_after:
            self._planned_after = self._changes
            self._connection.execute("DISCARD PLANS")

    def _take_in(self, mail: bytes, now: datetime) -> None:
        outcome = ingest(self._connection, mail, _BY)
        if isinstance(outcome, Stored):
            self._answers.append(outcome.message)
            self._changes += 1
            self._delivery = now

    def _come_to(self, slot: Slot) -> None:
        self._outcome.slots[slot.engine] += 1
        if self._is_quiet(slot):
            return
        report = run_engine(
            self._connection, engine_named(slot.engine), trigger="beat", slot=slot.at,
            batch_size=self._settings.fleet_batch_size, fetch=False,
        )  # fmt: skip
        if report is None:  # it was worked before
            return
        self._note(report, slot)
        self._changes += report.tally.due
        if report.tally.due:
            self._busy.add(slot.engine)
        else:
            self._busy.discard(slot.engine)
        if report.tally.actions:
            self._delivery = slot.at

    def _is_quiet(self, slot: Slot) -> bool:
        """Say whether a slot would change nothing: such a one is not worked.

        An engine that had something to do at its last slot is not asked whether it has; its run asks.
        """
        if slot.engine in self._busy:
            return False
        changes, until = self._quiet.get(slot.engine, (-1, slot.at))
        if changes == self._changes and slot.at < until:
            return True
        with transaction(self._connection):
            if ledger.due_tenants(self._connection, slot.engine):
                return False
            row = self._connection.execute("SELECT engine_next_due(%s) AS at", [slot.engine]).fetchone()
        self._quiet[slot.engine] = self._changes, (row and row["at"]) or self._plan.until
        return True

    def _note(self, report: Report, slot: Slot) -> None:
        for failure in report.failures:
            self._outcome.failures[report.engine, failure.tenant, failure.error] += 1
        day = slot.at.astimezone(self._settings.time_zone).date()
        self._outcome.entries += [
            Entry(day, None, report.engine, "", "passed over", reason, n) for reason, n in report.tally.skipped.items()
        ]

    def _note_put_off(self) -> None:
        for row in self._query("put_off"):
            mark = row.pop("id"), row.pop("run_at")
            self._put_off.setdefault(mark, Entry(**row, what="put off"))

    def _expect_answer(self, message: EmailMessage) -> None:
        answer = assumed_answer(message, clock.now(), rate=self._plan.reply_rate, seed=self._plan.seed)
        if answer is not None:
            expected = _Expected(answer.at, str(message["To"]), str(message["Subject"]), answer.mail)
            heapq.heappush(self._expected, expected)

    def _plan_delivery(self, earliest: datetime, *, stuck: bool) -> None:
        """Find the first whole minute from an instant on at which a pass has something to do.

        A pass that did nothing may have left what a quota holds back: then it is asked how long.
        """
        with clock.at(earliest):
            (row,) = self._query("next_delivery", stuck=stuck)
        self._delivery = None if row["at"] is None else max(_whole_minute(row["at"]), earliest)

    def _close(self, begun: dict[str, Any]) -> None:
        """Read from the database what became of everything."""
        rows = self._query("entries", **begun, since=self._plan.since, until=self._plan.until, answers=self._answers)
        entries = [*self._outcome.entries, *self._put_off.values(), *(Entry(**row) for row in rows)]
        self._outcome.entries = sorted(entries, key=in_order)
        self._outcome.state = self._query("state")

    def _query(self, name: str, **values: Any) -> list[dict[str, Any]]:
        """Run a query of schema/simulate, about the plan's tenants, and return its rows."""
        statement = (shipped("schema") / "simulate" / f"{name}.sql").read_bytes()
        with transaction(self._connection):
            return self._connection.execute(statement, values | {"tenants": list(self._plan.tenants)}).fetchall()


def _whole_minute(instant: datetime) -> datetime:
    """Return the first whole minute that is not before an instant."""
    whole = instant.astimezone(UTC).replace(second=0, microsecond=0)
    return whole if whole >= instant else whole + _MINUTE


def in_order(entry: Entry) -> tuple[object, ...]:
    """Return what entries are sorted by."""
    return entry.day, str(entry.tenant), entry.engine, entry.what, entry.person, entry.detail
