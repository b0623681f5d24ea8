"""`/api/runs…`: which slots of the timetable were worked; to start an engine now, cancel a run, make up for slots."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException

from workers import clock
from workers.engines.registry import all_engines
from workers.runtime import ledger
from workers.runtime.ledger import RunStatus
from workers.runtime.occurrences import slots_not_worked
from workers.web.api.calls import Call
from workers.web.api.pages import Asked, Paged, page, place
from workers.web.by_hand import make_up, work_now

_MOST_ID: Final = 2**63 - 1

RunId = Annotated[int, Path(ge=1, le=_MOST_ID)]


class RunPage(Paged):
    """Which page of which runs."""

    engine: str | None = None
    status: RunStatus | None = None


class TenantFailure(BaseModel):
    """A tenant for whom a run failed."""

    tenant_id: UUID
    tenant_name: str | None = None
    error: str


class Run(BaseModel):
    """A run of an engine, or a slot that nobody began; how much there was of everybody's is told to operators alone."""

    run_id: int
    engine: str
    slot: datetime | None = Field(description="null: outside the timetable")
    trigger: str | None = Field(description="null: nobody began it")
    status: RunStatus
    started_at: datetime | None
    finished_at: datetime | None
    late_seconds: int | None
    attempts: int
    failures: list[TenantFailure]
    cancelled_by: str | None = None
    cancelled_why: str | None = None
    tenants: int | None = None
    due: int | None = None
    acted: int | None = None
    actions: int | None = None
    skipped: dict[str, int] | None = None


class Start(BaseModel):
    """Which engine is started."""

    model_config = ConfigDict(extra="forbid")

    engine: str


class Started(BaseModel):
    """An engine that was started."""

    engine: str


class Cancel(BaseModel):
    """Why a run is cancelled."""

    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]


class Span(Asked):
    """Which slots."""

    engine: str | None = None
    since: AwareDatetime = Field(description="the slots from then on")
    until: AwareDatetime | None = Field(default=None, description="the slots before then; null: until now")


class Missed(BaseModel):
    """A slot that nobody works, and that was not worked whole."""

    engine: str
    slot: datetime
    status: RunStatus


def list_runs(call: Call, asked: Annotated[RunPage, Query()]) -> dict[str, Any]:
    """List runs, the newest first."""
    [before] = place(asked, Annotated[int, Field(ge=1, le=_MOST_ID)])
    rows = call.called("api_runs", asked.engine, asked.status, before, asked.limit + 1)
    return page(rows, asked.limit, lambda row: [row["run_id"]])


def show_run(call: Call, run_id: RunId) -> Any:
    """Show one run."""
    return call.found(call.called("console_runs", run_id, None, None, None, None, 1), "run")


def cancel_run(call: Call, run_id: RunId, cancel: Cancel) -> Any:
    """End a run after the batch in hand, or a slot before anybody begins it or takes it up again."""
    shown = show_run(call, run_id)
    if ledger.cancel_run(call.connection, run_id, call.who, cancel.why.strip()) is None:
        raise HTTPException(409, f"The run is {shown['status']}: nothing is left of it to cancel.")
    call.did("cancels a run", run_id)
    return show_run(call, run_id)


def list_missed(call: Call, asked: Annotated[Span, Query()]) -> dict[str, Any]:
    """List the slots of a span that were missed, cancelled or not worked whole, the oldest first."""
    return {"items": _missed(call, asked)}


def backfill(call: Call, span: Span) -> dict[str, Any]:
    """Work these slots, the oldest first, each with what is due by then for the tenants whose timetable has it.

    Nobody waits for it: `GET /api/runs` shows what it did.
    """
    slots = _missed(call, span)
    if slots:
        call.task = BackgroundTask(make_up, span.engine, span.since, span.until or clock.now())
        call.did("makes up for slots", f"{span.engine or 'all engines'}, {len(slots)} from {span.since.isoformat()}")
    return {"items": slots}


def _missed(call: Call, span: Span) -> list[dict[str, Any]]:
    if span.engine:
        call.found([span.engine] if span.engine in all_engines() else [], "engine")
    return slots_not_worked(call.connection, span.engine, span.since, span.until or clock.now())


def start_run(call: Call, start: Start) -> Any:
    """Start an engine: its latest slot if nobody has worked it, else a run outside the timetable.

    Nobody waits for it: `GET /api/runs` shows what it did.
    """
    call.found([start.engine] if start.engine in all_engines() else [], "engine")
    call.task = BackgroundTask(work_now, start.engine)
    call.did("starts an engine", start.engine)
    return {"engine": start.engine}
