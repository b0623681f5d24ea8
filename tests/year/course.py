"""Days of 2017, lived through by the real engine and the real delivery, which are cut off as often as one likes."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import psycopg

from tests.crm import Crm
from workers import clock
from workers.db.session import Connection, connect, connection_options
from workers.delivery.deliver import deliver
from workers.engines.base import Tally
from workers.engines.registry import engine_named
from workers.load import load_directory
from workers.runtime.dispatch import run_engine
from workers.settings import settings
from workers.simulate.agenda import slots_of
from workers.simulate.channel import NullChannel
from workers.simulate.plan import Plan

LOADED = datetime(2017, 12, 31, tzinfo=UTC)
BEGIN, END = datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)
ENGINE = "deals"
BATCH = 50
# Over one tenant a run may lose two workers; with the third it leaves the tenant to the next slot.
MOST_CUTS = 2
_HISTORY = Path(__file__).with_name("history.sql").read_bytes()
_ACTIONS = Path(__file__).with_name("actions.sql").read_bytes()
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


def prepare(url: str, folder: Path) -> None:
    """Load the set, and let its deals be there only when their days come."""
    with connect(url) as connection:
        with clock.at(LOADED):
            assert not load_directory(connection, folder).problems
        connection.execute(_HISTORY)


class Course:
    """The way of one database through the year."""

    def __init__(self, url: str, cuts: random.Random | None = None) -> None:
        """Take the database, and what cuts are drawn from; None for a course without any."""
        self.letters: Counter[str] = Counter()  # by their Message-ID
        self.cuts = 0
        self._url, self._chance = url, cuts
        self._connection: Connection = psycopg.connect(**connection_options(url))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def pass_days(self, since: datetime, until: datetime, on_day: Callable[[datetime], None] = lambda _: None) -> None:
        """Let days pass: what the set tells happens at midnight; then comes the timetable, and mail after each run."""
        tenants = [row["id"] for row in self._connection.execute("SELECT id FROM tenants")]
        slots = [slot.at for slot in slots_of(self._connection, Plan(since, until, tenants)) if slot.engine == ENGINE]
        for n in range((until - since) // _DAY):
            day = since + n * _DAY
            with clock.at(day):
                Crm(self._connection).execute("SELECT begin_day(%s)", day)
            for slot in slots:
                if day <= slot < day + _DAY:
                    self._until_done(slot, self._work)
                    self._until_done(slot + _MINUTE, self._send)
            on_day(day)

    def outcome(self) -> dict[str, dict[str, Any]]:
        """Return, each under its key, what was written about which deal, when, to whom, and what became of it, and how
        each deal stands.
        """
        actions = self._connection.execute(_ACTIONS).fetchall()
        deals = self._connection.execute("SELECT * FROM deals").fetchall()
        return {row["dedupe_key"]: row for row in actions} | {str(row["id"]): row for row in deals}

    def _until_done(self, at: datetime, work: Callable[[datetime, int | None], None]) -> None:
        """Do a piece of work; cut off somewhere, it is resumed, as the catch-up does once leases are over."""
        for _ in range(MOST_CUTS):
            if self._chance is not None:
                with suppress(psycopg.OperationalError):
                    work(at, self._chance.randint(1, 3))
                self._resume()
        work(at, None)

    def _resume(self) -> None:
        if self._connection.closed:
            self._connection = psycopg.connect(**connection_options(self._url))
        self._connection.execute("UPDATE engine_runs SET lease_until = clock_timestamp() WHERE status = 'running'")
        self._connection.execute(
            "UPDATE scheduled_actions SET lease_until = clock_timestamp() WHERE status = 'sending'"
        )

    def _work(self, slot: datetime, cut_at: int | None) -> None:
        """Run the engine; cut, its session ends inside a batch, when all is written and nothing committed."""
        engine, batches = engine_named(ENGINE), 0

        def batch(connection: Connection, tenant: UUID, limit: int, run: int) -> Tally:
            nonlocal batches
            tally = engine.batch(connection, tenant, limit, run)
            batches += 1
            if batches == cut_at:
                self._cut()
            return tally

        with clock.at(slot):
            run_engine(self._connection, replace(engine, batch=batch), trigger="catch_up", slot=slot, batch_size=BATCH)

    def _send(self, at: datetime, cut_at: int | None) -> None:
        """Send what is due; cut, the session ends when some letters have left and not all of them are recorded."""
        taken = 0

        def take(message: EmailMessage) -> None:
            nonlocal taken
            self.letters[message["Message-ID"]] += 1
            taken += 1
            if taken == cut_at:
                self._cut()

        with clock.at(at):
            deliver(self._connection, NullChannel(take), settings(), webhooks=False)

    def _cut(self) -> None:
        with connect(self._url) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [self._connection.info.backend_pid])
        self.cuts += 1
