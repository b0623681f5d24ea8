"""Which slots the tenants' timetables have in a span of time."""

from datetime import timedelta
from typing import Final

from workers.db.session import Connection, transaction
from workers.engines.registry import all_engines
from workers.runtime.occurrences import Slot, slots_between, timetables_of
from workers.simulate.plan import Plan

_JUST: Final = timedelta(microseconds=1)


def slots_of(connection: Connection, plan: Plan) -> list[Slot]:
    """Return the slots of the plan's tenants in their order; several at one instant in the order of the engines."""
    with transaction(connection):
        their = [one for engine in all_engines() for one in timetables_of(connection, engine, plan.tenants).values()]
    return slots_between(set(their), plan.since - _JUST, plan.until - _JUST)
