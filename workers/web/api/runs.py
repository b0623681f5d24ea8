"""`/api/runs…`: which slots of the timetable were worked, and the way to start an engine now."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from workers.engines.registry import all_engines
from workers.runtime.ledger import RunStatus
from workers.web.api.calls import Call
from workers.web.api.cron import work_now
from workers.web.api.pages import Paged, page, place

_MOST_ID: Final = 2**63 - 1


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


def list_runs(call: Call, asked: Annotated[RunPage, Query()]) -> dict[str, Any]:
    """List runs, the newest first."""
    [before] = place(asked, Annotated[int, Field(ge=1, le=_MOST_ID)])
    rows = call.called("api_runs", asked.engine, asked.status, before, asked.limit + 1)
    return page(rows, asked.limit, lambda row: [row["run_id"]])


def show_run(call: Call, run_id: Annotated[int, Path(ge=1, le=_MOST_ID)]) -> Any:
    """Show one run."""
    return call.found(call.called("console_runs", run_id, None, None, None, None, 1), "run")


def start_run(call: Call, start: Start) -> Any:
    """Start an engine: its latest slot if nobody has worked it, else a run outside the timetable.

    Nobody waits for it: `GET /api/runs` shows what it did.
    """
    call.found([start.engine] if start.engine in all_engines() else [], "engine")
    call.task = BackgroundTask(work_now, start.engine)
    call.did("starts an engine", start.engine)
    return {"engine": start.engine}
