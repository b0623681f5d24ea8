"""When a cron fires by the clocks of a zone: pure arithmetic.

cronsim reads the cron and walks over the clock's face, as if no clock were ever changed; what becomes of that where
clocks are changed is decided here. A time that does not exist is the next minute that does, one that comes twice is the
first of the two.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


def instants_between(cron: str, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield, in UTC and in their order, the instants after one and up to another at which a cron fires.

    Args:
        cron: five fields: minute, hour, day of the month, month, weekday (0 or 7 is Sunday).
        zone: whose clocks are meant.
        after: timezone-aware; not itself one of them.
        until: the latest that may be one.

    Raises:
        CronSimError: the cron cannot be read.
    """
    face, last = after.astimezone(zone).replace(tzinfo=None), until.astimezone(zone).date()
    day = face.date()
    while day <= last:
        times = _times_of_day(cron, day)
        for wall in times[bisect_right(times, face) :]:
            instant = _instant(wall, zone)
            if instant > until:
                return
            if instant > after:  # neither of an hour that comes again, nor twice for two times that do not exist
                yield instant
                after = instant
        day += _DAY


def latest_instant(cron: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Return, in UTC, the latest instant at or before now at which a cron fires; parameters as above."""
    local = now.astimezone(zone)
    # In an hour that comes again, all of it has been there once.
    repeated = (local.replace(fold=0).utcoffset() or timedelta()) - (local.utcoffset() or timedelta())
    face = local.replace(tzinfo=None, microsecond=0, fold=0) + repeated + _SECOND
    return next(instant for wall in CronSim(cron, face, reverse=True) if (instant := _instant(wall, zone)) <= now)


def next_instant(cron: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Return, in UTC, the first instant after now at which a cron fires; parameters as above."""
    return next(next_instants(cron, zone, now))


def next_instants(cron: str, zone: ZoneInfo, now: datetime) -> Iterator[datetime]:
    """Yield, in UTC, the instants after now at which a cron fires, without end; parameters as above."""
    for wall in CronSim(cron, now.astimezone(zone).replace(tzinfo=None)):
        instant = _instant(wall, zone)
        if instant > now:
            yield instant
            now = instant


@lru_cache(maxsize=4096)
def fires_at(cron: str, zone: ZoneInfo, instant: datetime) -> bool:
    """Say whether a cron fires at this very instant; parameters as above."""
    return any(instants_between(cron, zone, instant - _SECOND, instant))


@lru_cache(maxsize=4096)
def _times_of_day(cron: str, day: date) -> tuple[datetime, ...]:
    """Return the times of a day, by a clock that is never changed: the same in every zone."""
    midnight = datetime.combine(day, time())
    return tuple(takewhile(lambda wall: wall < midnight + _DAY, CronSim(cron, midnight - _SECOND)))


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant at which the clocks of a zone show a time, or the first one after that."""
    while (instant := wall.replace(tzinfo=zone).astimezone(UTC)).astimezone(zone).replace(tzinfo=None) != wall:
        wall += _MINUTE
    return instant
