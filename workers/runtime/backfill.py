"""Making up for slots that were missed, cancelled or not worked whole."""

from collections.abc import Iterable, Iterator
from typing import Any

from workers.db.session import Connection
from workers.engines.registry import engine_named
from workers.runtime.dispatch import Report, run_engine
from workers.settings import settings
from workers.stopping import stopping


def work_slots(
    connection: Connection, slots: Iterable[dict[str, Any]], *, fetch: bool = True
) -> Iterator[tuple[dict[str, Any], Report]]:
    """Work slots one after the other, each with what is due now for the tenants whose timetable has it.

    Args:
        connection: outside any transaction, but for a dry run.
        slots: as `occurrences.slots_not_worked` returns them.
        fetch: False asks nobody outside, see `run_engine`.

    Yields:
        Each slot with what was done. One that somebody else has meanwhile is passed over, and none is begun once this
        process was told to stop.
    """
    for slot in slots:
        if stopping():
            return
        report = run_engine(
            connection, engine_named(slot["engine"]), trigger="backfill", slot=slot["slot"],
            batch_size=settings().fleet_batch_size, fetch=fetch,
        )  # fmt: skip
        if report is not None:
            yield slot, report
