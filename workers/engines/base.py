"""What an engine is to the runtime, and what a batch reports."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from workers.db.session import Connection


@dataclass(slots=True)
class Tally:
    """What happened to due items: how many there were, what was done with them, what was refused and why."""

    due: int = 0
    busy: int = 0
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


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine: its name in the timetable and the ledger, and its batch.

    `fetch` comes before each batch and is for what must not happen while locks are held: asking the outside world.
    It opens its own short transactions.
    """

    name: str
    batch: Batch
    fetch: Fetch | None = None
