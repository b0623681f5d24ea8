"""Slots of the timetable: pure calendar arithmetic over Celery's own reading of the crons."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from celery.schedules import crontab

from workers.runtime.timetable import timetable


def latest_slot(engine: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the latest instant at or before `now`, in UTC, at which the engine's cron fires.

    Args:
        engine: a name of the timetable.
        now: timezone-aware.
        zone: the zone in which the cron's hours are read (FLEET_TIMEZONE).
    """
    cron = timetable()[engine]["schedule"]
    assert isinstance(cron, crontab)  # noqa: S101  # for the type checker
    day = now.astimezone(zone).date()
    while True:
        if (
            day.day in cron.day_of_month
            and day.month in cron.month_of_year
            and day.isoweekday() % 7 in cron.day_of_week
        ):
            for hour in sorted(cron.hour, reverse=True):
                for minute in sorted(cron.minute, reverse=True):
                    # As beat does: an hour that the clock repeats in autumn has its slots the first time only.
                    slot = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
                    if slot <= now:
                        return slot
        day -= timedelta(days=1)


def next_slot(engine: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the earliest instant after `now`, in UTC, at which the engine's cron fires; parameters as above."""
    until = now
    while (slot := latest_slot(engine, until, zone)) <= now:
        until += timedelta(days=1)
    while (earlier := latest_slot(engine, slot - timedelta(microseconds=1), zone)) > now:
        slot = earlier
    return slot
