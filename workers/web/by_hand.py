"""What people start by hand and nobody waits for: an engine, the slots it missed, an engine for one tenant."""

from datetime import datetime
from uuid import UUID

from workers import clock
from workers.db.session import connect, require_current_schema, transaction
from workers.engines.registry import engine_named
from workers.runtime import ledger, occurrences
from workers.runtime.backfill import work_slots
from workers.runtime.dispatch import run_engine
from workers.runtime.slots import latest_slot
from workers.settings import database_url, settings
from workers.web.api.cron import work_slot


def work_now(engine: str) -> None:
    """Work an engine's latest slot if nobody has; else run the engine outside the timetable."""
    slot = latest_slot(engine, clock.now(), settings().time_zone)
    with connect(database_url()) as connection:
        require_current_schema(connection)
        with transaction(connection):
            state = ledger.slot_state(connection, engine, slot)
        if state == "worked":
            run_engine(connection, engine_named(engine), trigger="manual", batch_size=settings().fleet_batch_size)
            return
    work_slot(engine)


def make_up(engine: str | None, since: datetime, until: datetime) -> None:
    """Work the slots of a span that nobody worked whole; None: of all engines."""
    with connect(database_url()) as connection:
        require_current_schema(connection)
        with transaction(connection):
            slots = occurrences.slots_not_worked(connection, engine, since, until)
        for _ in work_slots(connection, slots):
            pass


def work_for(engine: str, tenant: UUID) -> None:
    """Run an engine outside the timetable, for one tenant alone."""
    with connect(database_url()) as connection:
        require_current_schema(connection)
        run_engine(
            connection, engine_named(engine), trigger="manual", tenant=tenant, batch_size=settings().fleet_batch_size
        )
