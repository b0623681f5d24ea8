"""What happened in a simulation."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """So many of one kind, of one day.

    Attributes:
        day: the tenant's own; of what an engine passed over, the timetable's.
        tenant: its id; None for what an engine passed over, which is counted for all tenants at once.
        engine: its name.
        person: the mailbox that was, or would have been, written to, or whose task or forward it is; empty if none.
        what: message, task, case, forward, answer, refused, put off or passed over.
        detail: the text and its step, the kind of answer, or the reason.
        n: how many.
    """

    day: date
    tenant: UUID | None
    engine: str
    person: str
    what: str
    detail: str
    n: int = 1


@dataclass(slots=True)
class Outcome:
    """What happened, and how things stand at the end.

    Attributes:
        entries: in the order of their days.
        state: rows of tenant_id, about, state and n.
        slots: how many slots each engine had.
        failures: what engines could not do, and how often: (engine, tenant, error).
    """

    entries: list[Entry] = field(default_factory=list)
    state: list[dict[str, Any]] = field(default_factory=list)
    slots: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, UUID, str]] = field(default_factory=Counter)
