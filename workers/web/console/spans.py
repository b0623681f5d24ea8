"""The stretch of time that Insight looks at: the last so many days, or from one day to another."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException

from workers import clock
from workers.db.session import Connection
from workers.web.console.door import Visit

LENGTHS: Final = (30, 90, 365)  # days
_USUAL: Final = 90


def begin_of(day: str, zone: str, later: int = 0) -> datetime:
    """Return the first instant of a day in a zone, or of the one so many days later.

    Raises:
        ValueError: it is no day, which the message says.
    """
    try:
        begun = date.fromisoformat(day) + timedelta(days=later)
        return datetime(begun.year, begun.month, begun.day, tzinfo=ZoneInfo(zone))
    except (ValueError, OverflowError):
        raise ValueError(f"{day} is no day such as 2026-03-02") from None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time.

    Attributes:
        since: its first instant.
        until: the one after its last; None: it goes on.
        query: how a page's address names it.
        said: how people call it.
        first: its first day, where it goes from one day to another.
        last: its last.
    """

    since: datetime
    until: datetime | None
    query: str
    said: str
    first: str = ""
    last: str = ""

    @classmethod
    def asked(cls, visit: Visit) -> Self:
        """Return what a visit asks for, the last 90 days if nothing; days are those of the person's zone.

        Raises:
            HTTPException: 404, it is no stretch of time.
        """
        first, last, days = visit.asked("since"), visit.asked("until"), visit.asked("days") or str(_USUAL)
        if not first and not last:
            if days not in map(str, LENGTHS):
                raise HTTPException(404, "There are 30, 90 and 365 days, or any days from one to another.")
            return cls(clock.now() - timedelta(days=int(days)), None, f"days={days}", f"the last {days} days")
        zone = visit.person.time_zone
        try:
            begin, end = begin_of(first, zone), begin_of(last, zone, 1)
        except ValueError:
            raise HTTPException(404, "This needs two days such as 2026-03-02, the first and the last.") from None
        if end <= begin:
            raise HTTPException(404, "The first day comes after the last.")
        return cls(begin, end, urlencode({"since": first, "until": last}), f"{first} to {last}", first, last)

    def hold(self, connection: Connection, timeout: str) -> None:
        """Let the analytics of this transaction look at this stretch, for so long at most."""
        connection.execute(
            "SELECT set_config('fleet.since', %s, true), set_config('fleet.until', %s, true),"
            " set_config('statement_timeout', %s, true)",
            [self.since.isoformat(), self.until.isoformat() if self.until else "", timeout],
        )
