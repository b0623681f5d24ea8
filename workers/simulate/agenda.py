"""Which slots the timetable has in a span of time."""

from datetime import datetime, timedelta
from typing import NamedTuple

from workers.engines.registry import all_engines
from workers.runtime.slots import latest_slot
from workers.settings import settings
from workers.simulate.plan import Plan


class Slot(NamedTuple):
    """An instant at which an engine runs."""

    at: datetime
    engine: str


def slots_of(plan: Plan) -> list[Slot]:
    """Return the slots of all engines in their order; several at one instant in the order of the timetable."""
    zone = settings().time_zone
    found = []
    for name in all_engines():
        slot = plan.until
        while (slot := latest_slot(name, slot - timedelta(microseconds=1), zone)) >= plan.since:
            found.append(Slot(slot, name))
    return sorted(found, key=lambda slot: slot.at)
