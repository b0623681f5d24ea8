"""Making up for slots: which of a span were not worked whole, and working them once that was looked at."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers import clock
from workers.engines.registry import all_engines
from workers.runtime.occurrences import slots_not_worked
from workers.web.by_hand import make_up
from workers.web.console.door import Visit
from workers.web.console.spans import begin_of

_LISTED: Final = 200
_USUAL: Final = timedelta(days=1)


def show(visit: Visit) -> Response:
    """Show the slots of a span that would be worked; those of today and yesterday unless others are asked for."""
    zone, engine = visit.person.time_zone, visit.asked("engine")
    today = clock.now().astimezone(ZoneInfo(zone)).date()
    first, last = visit.asked("since") or str(today - _USUAL), visit.asked("until") or str(today)
    _require_engine(engine)
    try:
        since, until = begin_of(first, zone), min(begin_of(last, zone, 1), clock.now())
    except ValueError as error:
        raise HTTPException(404, f"{error}.") from None
    slots = slots_not_worked(visit.connection, engine or None, since, until)
    return visit.show(
        "backfill.html.j2", slots=slots[:_LISTED], total=len(slots), counted=Counter(one["engine"] for one in slots),
        engine=engine, engines=list(all_engines()), first=first, last=last, since=since, until=until,
    )  # fmt: skip


def start(visit: Visit) -> Response:
    """Work the slots of the span that was looked at, those of them that still need it."""
    engine = visit.said("engine")
    _require_engine(engine)
    try:
        since, until = (datetime.fromisoformat(visit.said(name)) for name in ("since", "until"))
        slots = slots_not_worked(visit.connection, engine or None, since, until)
    except ValueError:
        raise HTTPException(400, "This needs two instants, as the page before had them.") from None
    if not slots:
        raise HTTPException(409, "Every slot of that time is worked, or somebody is at it.")
    return visit.go(
        "/console/runs", "backfill", len(slots), what="makes up for slots",
        item=f"{engine or 'all engines'}, {len(slots)} from {since.isoformat()} to {until.isoformat()}",
        task=BackgroundTask(make_up, engine or None, since, until),
    )  # fmt: skip


def _require_engine(name: str) -> None:
    """Make sure that an engine that is named is there.

    Raises:
        HTTPException: 404, it is not.
    """
    if name and name not in all_engines():
        raise HTTPException(404, "There is no such engine.")
