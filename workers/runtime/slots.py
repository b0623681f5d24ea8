"""The slots of the fleet's own timetable: its crons by the clocks of FLEET_TIMEZONE."""

from datetime import datetime
from zoneinfo import ZoneInfo

from workers.runtime.cron import latest_instant
from workers.runtime.timetable import cron_of


def latest_slot(engine: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the latest instant at or before `now`, in UTC, at which the engine's cron fires.

    Args:
        engine: a name of the timetable.
        now: timezone-aware.
        zone: the zone in which the cron's hours are read (FLEET_TIMEZONE).
    """
    return latest_instant(cron_of(engine), zone, now)
