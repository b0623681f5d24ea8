"""Runs: which slots of the timetable were worked, and what each run did, left and failed at."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers import clock
from workers.db.session import Connection, connect, require_current_schema, transaction
from workers.engines.registry import all_engines, engine_named
from workers.runtime.cron import instants_between, next_instants
from workers.runtime.dispatch import run_engine
from workers.runtime.ledger import RUN_STATUSES, slot_state
from workers.runtime.occurrences import Timetable, timetables_of
from workers.runtime.slots import latest_slot
from workers.settings import database_url, settings
from workers.web.api.cron import work_slot
from workers.web.api.users import users
from workers.web.console.door import Visit

_WEEK: Final = timedelta(days=7)
_MOST: Final = 5_000  # runs of a week: engines begin by the clocks of every zone, one of them each half hour
_LISTED: Final = 100
_COMING: Final = 10


def runs(visit: Visit) -> Response:
    """Show a week: its slots, expected and done, and its runs, the newest first."""
    engine, status, zone = visit.asked("engine"), visit.asked("status"), visit.person.time_zone
    if (engine and engine not in all_engines()) or (status and status not in RUN_STATUSES):
        raise HTTPException(404, "There is no such engine, or no such status of a run.")
    until = _until(visit.asked("until"), zone)
    found = visit.called("console_runs", None, engine or None, status or None, until - _WEEK, until, _MOST)
    with users.working() as connection:
        row = connection.execute("SELECT fleet_installed_at() AS at").fetchone()
        timetable = _timetable(connection, visit.person.tenant, [engine] if engine else list(all_engines()))
    installed = row["at"] if row and row["at"] else until
    days = [
        (until - timedelta(hours=12) - timedelta(days=n)).astimezone(ZoneInfo(zone)).date() for n in range(6, -1, -1)
    ]
    strips = {}
    if not status:
        strips = {
            name: _strip(their, found, max(until - _WEEK, installed), until, zone) for name, their in timetable.items()
        }
    return visit.show(
        "runs.html.j2", rows=found[:_LISTED], more=len(found) > _LISTED, strips=strips, days=days,
        chosen={"engine": engine, "status": status}, engines=list(all_engines()), statuses=RUN_STATUSES,
        earlier=days[0] - timedelta(days=1), is_earlier=bool(visit.asked("until")),
        timetable={
            name: list(islice(next_instants(their.cron, their.zone, clock.now()), _COMING)) if their else []
            for name, their in timetable.items()
        },
    )  # fmt: skip


def run(visit: Visit) -> Response:
    """Show one run."""
    rows = visit.called("console_runs", visit.request.path_params["run"], None, None, None, None, 1)
    if not rows:
        raise HTTPException(404, "There is no such run.")
    return visit.show("run.html.j2", row=rows[0])


def start(visit: Visit) -> Response:
    """Start an engine: its latest slot if nobody has worked it, else a run outside the timetable."""
    engine = visit.said("engine")
    if engine not in all_engines():
        raise HTTPException(404, "There is no such engine.")
    return visit.go("/console/runs", "started", what="starts an engine", item=engine, task=BackgroundTask(_run, engine))


def _run(engine: str) -> None:
    """Run an engine through the ledger; nobody waits for this."""
    slot = latest_slot(engine, clock.now(), settings().time_zone)
    with connect(database_url()) as connection:
        require_current_schema(connection)
        with transaction(connection):
            state = slot_state(connection, engine, slot)
        if state == "worked":
            run_engine(connection, engine_named(engine), trigger="manual", batch_size=settings().fleet_batch_size)
            return
    work_slot(engine)


def _until(text: str, zone: str) -> datetime:
    """Return the end of a day that was named; now if none was."""
    if not text:
        return clock.now()
    try:
        day = date.fromisoformat(text) + timedelta(days=1)
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    except (ValueError, OverflowError):
        raise HTTPException(404, f"{text} is no day such as 2026-03-02.") from None


def _timetable(connection: Connection, tenant: UUID | None, engines: list[str]) -> dict[str, Timetable | None]:
    """Return each engine's timetable for a tenant, or (None) for the fleet; None where it is paused."""
    if tenant is None:
        return {name: Timetable.of(name) for name in engines}
    return {name: timetables_of(connection, name, [tenant]).get(tenant) for name in engines}


def _strip(
    timetable: Timetable | None, found: list[dict[str, Any]], since: datetime, until: datetime, zone: str
) -> dict[date, dict[str, int]]:
    """Return for each day how many slots of a timetable there were, and how many of them were worked whole."""
    days: dict[date, dict[str, int]] = defaultdict(lambda: {"slots": 0, "worked": 0})
    if timetable is None:
        return {}
    worked = {run["slot"] for run in found if run["engine"] == timetable.engine and run["status"] == "succeeded"}
    for slot in instants_between(timetable.cron, timetable.zone, since - timedelta(microseconds=1), until):
        day = days[slot.astimezone(ZoneInfo(zone)).date()]
        day["slots"] += 1
        day["worked"] += slot in worked
    return dict(days)
