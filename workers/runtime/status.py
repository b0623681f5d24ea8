"""What an operator asks first: did everything run, what is due, and what became of the actions."""

from typing import Any, Final

from workers import clock
from workers.db.check import faults
from workers.db.session import Connection, transaction
from workers.engines.registry import all_engines
from workers.runtime import ledger
from workers.runtime.slots import latest_slot
from workers.runtime.timetable import catch_up_windows
from workers.settings import settings

# The state of a latest slot that nobody could work: the fleet was not installed yet.
BEFORE_INSTALLATION: Final = "before the installation"


def fleet_status(connection: Connection) -> dict[str, Any]:
    """Return per engine its last run, due items and latest slot; actions by status; what is refused; faults."""
    now, zone = clock.now(), settings().time_zone
    with transaction(connection):
        rows = {row["engine"]: row for row in connection.execute("SELECT * FROM fleet_engine_status()")}
        actions = connection.execute("SELECT status, n FROM fleet_action_counts()").fetchall()
        recent = faults(connection)
        refused = connection.execute("SELECT * FROM fleet_refused()").fetchall()
        installed = connection.execute("SELECT fleet_installed_at() AS at").fetchone()
        engines, windows = [], catch_up_windows()
        for engine in all_engines().values():
            slot = latest_slot(engine.name, now, zone)
            state = ledger.slot_state(connection, engine.name, slot)
            if state is None:
                state = "to be caught up" if now - slot < windows[engine.name] else "missed"
            if state == "missed" and installed is not None and slot < installed["at"]:
                state = BEFORE_INSTALLATION
            engines.append({**rows[engine.name], "latest_slot": slot, "slot_state": state})
    return {
        "engines": engines,
        "actions": {row["status"]: row["n"] for row in actions},
        "refused": refused,
        "faults": recent,
    }
