"""What an engine is to the fleet, and what a batch reports."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg import sql

from workers.db.session import Connection


@dataclass(slots=True)
class Tally:
    """What happened to due items: how many there were, what was done with them, what was refused and why."""

    due: int = 0
    busy: int = 0
    through: bool = False  # nothing is left that was due
    acted: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> "Tally":
        """Read the (measure, label, n) rows of a batch function."""
        tally = cls()
        for row in rows:
            tally.note(row["measure"], row["label"], row["n"])
        return tally

    def note(self, measure: str, label: str, n: int) -> None:
        """Count `n` items under one of the measures due, busy, acted, skipped, action."""
        if n == 0:
            return
        match measure:
            case "due":
                self.due += n
            case "busy":
                self.busy += n
            case "acted":
                self.acted[label] += n
            case "skipped":
                self.skipped[label] += n
            case "action":
                self.actions[label] += n
            case _:
                raise ValueError(f"unknown measure {measure!r}")

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.due += other.due
        self.busy += other.busy
        self.acted += other.acted
        self.skipped += other.skipped
        self.actions += other.actions


# (connection inside a transaction, tenant, most rows to claim, run's id) -> what was done
Batch = Callable[[Connection, UUID, int, int], Tally]
# (connection outside any transaction, tenant, most rows to settle at once) -> what was done
Fetch = Callable[[Connection, UUID, int], Tally]
# How an action is carried out: written to somebody, or filed among the tenant's own tasks or cases.
Kind = Literal["email", "task", "case"]


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine, as its module in this folder (or in FLEET_ENGINES_DIR) declares it under the name ENGINE.

    Celery runs it as workers.NAME.run; its rules are the SQL of schema/engines/NAME.sql.

    Attributes:
        name: in the timetable, the ledger and the registry of the database; the module's own name.
        batch: claims, decides and settles one bounded batch of one tenant in one transaction.
        catch_up: a missed slot younger than this is still worth working; an older one waits for the next.
        subject_type: what its actions are about.
        templates: the texts it writes, each with how it is carried out.
        fetch: comes before each batch and is for what must not happen while locks are held: asking the outside
            world. It opens its own short transactions.
        cron: its line of the timetable, for an engine that beat_schedule.py does not name.
        claims_all: a batch with fewer due rows than it might have claimed has left none.
    """

    name: str
    batch: Batch
    catch_up: timedelta
    subject_type: str
    templates: Mapping[str, Kind]
    fetch: Fetch | None = None
    cron: str | None = None
    claims_all: bool = False


def sql_batch(function: str) -> Batch:
    """Return the batch of an engine that decides by comparing columns: one SQL function, no row leaves the server.

    Args:
        function: its name; it takes tenant, limit and run, and returns rows of (measure, label, n).
    """
    statement = sql.SQL("SELECT * FROM {}(%s, %s, %s)").format(sql.Identifier(function))

    def batch(connection: Connection, tenant: UUID, limit: int, run: int) -> Tally:
        return Tally.from_rows(connection.execute(statement, [tenant, limit, run]))

    return batch
