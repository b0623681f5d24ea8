"""Which slots there are, and whose: every tenant's timetable, and the ledger that must know each of its slots."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from workers.db.session import Connection
from workers.engines.registry import all_engines
from workers.runtime.cron import fires_at, instants_between, next_instant
from workers.runtime.timetable import catch_up_windows, cron_of
from workers.settings import settings

logger = logging.getLogger(__name__)

# Older slots than that are not entered one by one after a long silence: nobody could make up for them.
_FURTHEST_BACK: Final = timedelta(days=31)


class Slot(NamedTuple):
    """An instant at which an engine begins, for those tenants whose timetable has it."""

    at: datetime
    engine: str


class Timetable(NamedTuple):
    """When an engine begins: a cron, by the clocks of a zone."""

    engine: str
    cron: str
    zone: ZoneInfo

    @classmethod
    def of(cls, engine: str, cron: str | None = None, zone: str | None = None) -> "Timetable":
        """Return one by what a tenant has set; None for whatever is the fleet's."""
        return cls(engine, cron or cron_of(engine), ZoneInfo(zone) if zone else settings().time_zone)


def timetables(connection: Connection) -> Mapping[Timetable, int]:
    """Return all timetables, and how many tenants go by each; the fleet's own are there in any case."""
    found = {Timetable.of(engine): 0 for engine in all_engines()}
    for row in connection.execute("SELECT * FROM timetables_in_use()"):
        if row["engine"] in all_engines():
            timetable = Timetable.of(row["engine"], row["cron"], row["time_zone"])
            found[timetable] = found.get(timetable, 0) + row["tenants"]
    return found


def timetables_of(connection: Connection, engine: str, tenants: Collection[UUID]) -> dict[UUID, Timetable]:
    """Return by which timetable an engine begins for each of these tenants; one for whom it is paused has none."""
    rows = connection.execute("SELECT * FROM timetables_of(%s, %s)", [engine, list(tenants)])
    return {row["tenant_id"]: Timetable.of(engine, row["cron"], row["time_zone"]) for row in rows if not row["paused"]}


def timetables_for(connection: Connection, tenant: UUID | None) -> dict[str, Timetable]:
    """Return the timetable of each engine for a tenant, without those that are paused, or (None) the fleet's own."""
    if tenant is None:
        return {engine: Timetable.of(engine) for engine in all_engines()}
    found = {engine: timetables_of(connection, engine, [tenant]).get(tenant) for engine in all_engines()}
    return {engine: their for engine, their in found.items() if their}


def next_begins(connection: Connection, tenant: UUID | None, now: datetime) -> dict[str, datetime]:
    """Return when each engine begins next, for a tenant or (None) for the fleet."""
    their = timetables_for(connection, tenant)
    return {engine: next_instant(one.cron, one.zone, now) for engine, one in their.items()}


def whose(connection: Connection, engine: str, slot: datetime, tenants: Collection[UUID]) -> list[UUID]:
    """Return those of the tenants whose timetable of an engine has a slot, in their order."""
    their = timetables_of(connection, engine, tenants)
    return [one for one in tenants if one in their and fires_at(their[one].cron, their[one].zone, slot)]


def slots_between(some: Iterable[Timetable], after: datetime, until: datetime) -> list[Slot]:
    """Return the slots of these timetables after one instant and up to another, in their order.

    Several at one instant are in the order of the engines.
    """
    found = {
        Slot(at, one.engine) for one in some for at in instants_between(one.cron, one.zone, after, until)
    }  # fmt: skip
    order = list(all_engines())
    return sorted(found, key=lambda slot: (slot.at, order.index(slot.engine)))


def note_slots(connection: Connection, now: datetime) -> None:
    """Enter in the ledger the slots that have come since it was last done; harmless beside another one that does it."""
    row = connection.execute("SELECT slots_noted_until() AS at").fetchone()
    assert row is not None  # noqa: S101  # it always answers
    if row["at"] < now:
        enter(connection, slots_between(timetables(connection), max(row["at"], now - _FURTHEST_BACK), now), now)


def enter(connection: Connection, slots: Collection[Slot], until: datetime) -> None:
    """Enter slots that are expected, and note that all are in the ledger up to an instant."""
    connection.execute(
        "SELECT note_slots(%s, %s, %s)", [[slot.engine for slot in slots], [slot.at for slot in slots], until]
    )


def give_up_slots(connection: Connection) -> None:
    """Give up what is older than the catch-up window of its engine; what nobody began was missed."""
    latest: dict[str, datetime] = {}
    missed = Counter[str]()
    for row in connection.execute("SELECT * FROM give_up_slots(%s)", [_windows()]):
        latest[row["engine"]] = row["slot"].astimezone(UTC)
        missed[row["engine"]] += 1
    for engine, n in missed.items():
        slots = f"{n} slot{'s' if n > 1 else ''}, the last of {latest[engine]:%a %d %b %Y %H:%M} UTC"
        logger.warning("%s missed %s", engine, slots, extra={"engine": engine})


def slots_to_start(connection: Connection, engines: Collection[str] | None = None) -> list[Slot]:
    """Return the slots that somebody should work now, the oldest first; each is returned once in five minutes.

    Args:
        connection: inside a transaction.
        engines: only of these; None for all.
    """
    rows = connection.execute("SELECT * FROM slots_to_start(%s)", [_windows(engines)])
    return [Slot(row["slot"], row["engine"]) for row in rows]


def slots_not_worked(
    connection: Connection, engine: str | None, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Return engine, slot and status of the slots of a span that nobody works or worked whole, the oldest first."""
    return connection.execute("SELECT * FROM slots_not_worked(%s, %s, %s)", [engine, since, until]).fetchall()


def _windows(engines: Collection[str] | None = None) -> Jsonb:
    return Jsonb(
        {
            name: window.total_seconds()
            for name, window in catch_up_windows().items()
            if engines is None or name in engines
        }
    )
