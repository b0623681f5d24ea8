"""What an operator asks first: did everything run, what is due, and what became of the actions."""

from typing import Any

from workers import clock
from workers.db.session import Connection, transaction
from workers.runtime import ledger
from workers.runtime.slots import CATCH_UP_WINDOW, latest_slot
from workers.settings import settings


def fleet_status(connection: Connection) -> dict[str, Any]:
    """Return plain JSON values: per engine its last run, due items and missed slot; actions by status; refusals."""
    now, zone = clock.now(), settings().time_zone
    with transaction(connection):
        rows = {row["engine"]: row for row in connection.execute("SELECT * FROM fleet_engine_status()")}
        actions = connection.execute("SELECT status, n FROM fleet_action_counts()").fetchall()
        refused = connection.execute("SELECT schedule_id, last_error FROM fleet_refused_schedules()").fetchall()
        engines = []
        for name in CATCH_UP_WINDOW:
            slot = latest_slot(name, now, zone)
            state = "worked"
            if not ledger.slot_is_taken(connection, name, slot):
                state = "to be caught up" if now - slot < CATCH_UP_WINDOW[name] else "missed"
            engines.append({**rows[name], "latest_slot": slot, "slot_state": state})
    return {
        "engines": engines,
        "actions": {row["status"]: row["n"] for row in actions},
        "refused_schedules": [{"schedule_id": row["schedule_id"], "error": row["last_error"]} for row in refused],
    }
