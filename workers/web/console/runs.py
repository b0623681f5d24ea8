"""Runs: which slots of the timetable were worked, and what each run did, left and failed at."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers import clock
from workers.engines.registry import all_engines
from workers.runtime import ledger
from workers.runtime.cron import next_instants
from workers.runtime.ledger import RUN_STATUSES
from workers.runtime.occurrences import Slot, Timetable, slots_between, timetables_for
from workers.web.api.users import users
from workers.web.by_hand import work_for, work_now
from workers.web.console.door import Visit
from workers.web.console.spans import begin_of

_WEEK: Final = timedelta(days=7)
_MOST: Final = 5_000  # runs of a week: engines begin by the clocks of every zone, one of them each half hour
_LISTED: Final = 100
_COMING: Final = 10
# What can be cancelled: a run, or a slot that would be begun or taken up again.
_OPEN: Final = ("expected", "running")
_OPEN_SLOTS: Final = ("partly", "failed")


def runs(visit: Visit) -> Response:
    """Show a week: its slots, expected and done, and its runs, the newest first."""
    engine, status, zone = visit.asked("engine"), visit.asked("status"), visit.person.time_zone
    if (engine and engine not in all_engines()) or (status and status not in RUN_STATUSES):
        raise HTTPException(404, "There is no such engine, or no such status of a run.")
    until = _until(visit.asked("until"), zone)
    found = visit.called("console_runs", None, engine or None, status or None, until - _WEEK, until, _MOST)
    with users.working() as connection:
        row = connection.execute("SELECT fleet_installed_at() AS at").fetchone()
        their = timetables_for(connection, visit.person.tenant)
    installed = row["at"] if row and row["at"] else until
    days = [
        (until - timedelta(hours=12) - timedelta(days=n)).astimezone(ZoneInfo(zone)).date() for n in range(6, -1, -1)
    ]
    strips = {}
    if not status:
        since = max(until - _WEEK, installed)
        strips = {
            name: _strip(slots_between([one], since, until), found, zone)
            for name, one in their.items()
            if engine in ("", name)
        }
    return visit.show(
        "runs.html.j2", rows=found[:_LISTED], more=len(found) > _LISTED, strips=strips, days=days,
        chosen={"engine": engine, "status": status}, engines=list(all_engines()), statuses=RUN_STATUSES,
        earlier=days[0] - timedelta(days=1), is_earlier=bool(visit.asked("until")),
        timetable={name: _coming(their.get(name)) for name in all_engines() if engine in ("", name)},
    )  # fmt: skip


def run(visit: Visit) -> Response:
    """Show one run."""
    row = _run(visit)
    is_open = row["status"] in _OPEN or (row["slot"] is not None and row["status"] in _OPEN_SLOTS)
    return visit.show("run.html.j2", row=row, is_open=is_open)


def start(visit: Visit) -> Response:
    """Start an engine: its latest slot if nobody has worked it, else a run outside the timetable."""
    engine = _engine(visit)
    return visit.go(
        "/console/runs", "started", what="starts an engine", item=engine, task=BackgroundTask(work_now, engine)
    )


def pause(visit: Visit) -> Response:
    """Let an engine's slots come no more for the tenant, or again."""
    engine, paused = _engine(visit), visit.said("paused")
    if visit.person.tenant is None:
        raise HTTPException(400, "Please choose a tenant first: for whom is it paused?")
    if paused not in ("yes", "no"):
        raise HTTPException(400, "An engine is paused, or it is not.")
    setting = f"{engine}.paused"
    visit.called("console_set_settings", Jsonb({setting: paused}), visit.person.who, visit.said("why") or None)
    return visit.go("/console/runs", "engine_paused" if paused == "yes" else "engine_on", what="sets", item=setting)


def cancel(visit: Visit) -> Response:
    """End a run after the batch in hand, or a slot before anybody begins it or takes it up again."""
    row, why = _run(visit), visit.said("why")
    if not why:
        raise HTTPException(400, "Please say why it is cancelled: whoever asks later wants to know.")
    if ledger.cancel_run(visit.connection, row["run_id"], visit.person.who, why) is None:
        raise HTTPException(409, "Nothing is left of it to cancel.")
    return visit.go(f"/console/runs/{row['run_id']}", "run_cancelled", what="cancels a run", item=str(row["run_id"]))


def retry(visit: Visit) -> Response:
    """Run an engine anew for a tenant for whom a run of it failed."""
    row, tenant = _run(visit), visit.said("tenant")
    if tenant not in [failure["tenant_id"] for failure in row["failures"]]:
        raise HTTPException(404, "It did not fail for such a tenant.")
    engine = row["engine"]
    return visit.go(
        f"/console/runs?engine={engine}", "retried", what="runs an engine for a tenant", item=f"{engine} {tenant}",
        task=BackgroundTask(work_for, engine, UUID(tenant)),
    )  # fmt: skip


def _engine(visit: Visit) -> str:
    """Return the engine that a form names.

    Raises:
        HTTPException: 404, there is none of that name.
    """
    engine = visit.said("engine")
    if engine not in all_engines():
        raise HTTPException(404, "There is no such engine.")
    return engine


def _run(visit: Visit) -> dict[str, Any]:
    """Return the run that the address names.

    Raises:
        HTTPException: 404, there is none.
    """
    rows = visit.called("console_runs", visit.request.path_params["run"], None, None, None, None, 1)
    if not rows:
        raise HTTPException(404, "There is no such run.")
    row: dict[str, Any] = rows[0]
    return row


def _coming(timetable: Timetable | None) -> list[datetime]:
    """Return the next instants of a timetable; none where the engine is paused."""
    return list(islice(next_instants(timetable.cron, timetable.zone, clock.now()), _COMING)) if timetable else []


def _until(text: str, zone: str) -> datetime:
    """Return the end of a day that was named; now if none was."""
    if not text:
        return clock.now()
    try:
        return begin_of(text, zone, 1)
    except ValueError as error:
        raise HTTPException(404, f"{error}.") from None


def _strip(slots: Sequence[Slot], found: list[dict[str, Any]], zone: str) -> dict[date, dict[str, int]]:
    """Return for each day how many of these slots there were, and how many of them were worked whole."""
    worked = {(run["slot"], run["engine"]) for run in found if run["status"] == "succeeded"}
    days: dict[date, dict[str, int]] = defaultdict(lambda: {"slots": 0, "worked": 0})
    for slot in slots:
        day = days[slot.at.astimezone(ZoneInfo(zone)).date()]
        day["slots"] += 1
        day["worked"] += slot in worked
    return dict(days)
