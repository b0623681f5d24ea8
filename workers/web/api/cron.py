"""`/api/cron/…`: a host's scheduler starts what beat would start. The ledger keeps it to once a slot, whoever calls."""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from workers import clock
from workers.db.session import Connection, connect, require_current_schema, transaction
from workers.delivery.deliver import channel_for, deliver
from workers.engines.registry import engine_named
from workers.inbound.tasks import poll_folders
from workers.runtime import ledger, occurrences
from workers.runtime.dispatch import run_engine
from workers.runtime.slots import latest_slot
from workers.settings import database_url, settings
from workers.web.api.problems import described

JOBS: Final = {
    "feedback-automation": "feedback",
    "deal-stall-detection": "deals",
    "quote-followups": "quotes",
    "contact-enrichment": "enrichment",
    "compliance-reminders": "compliance",
}
# What is left is said in the answer, and worked by the next call.
_BUDGET: Final = timedelta(minutes=15)

_bearer = HTTPBearer(scheme_name="cron", description="CRON_SECRET, as a scheduler sends it", auto_error=False)


class Failure(BaseModel):
    """A tenant whose batch failed; the others went on."""

    tenant_id: UUID
    error: str


class SlotAnswer(BaseModel):
    """What became of an engine's latest slot."""

    engine: str
    slot: datetime = Field(description="the latest instant of the timetable, by now")
    state: Literal["worked", "partly", "failed", "running", "cancelled"] = Field(
        description="of the slot, after this call"
    )
    detail: str = Field(description="what this call did, in one sentence")
    due: int = Field(default=0, description="items that this call found due")
    acted: dict[str, int] = Field(default={}, description="what was done, and how often")
    skipped: dict[str, int] = Field(default={}, description="what was refused, by reason")
    failures: list[Failure] = []
    left: int = Field(default=0, description="items that are due all the same")


class PassAnswer(BaseModel):
    """What one pass did."""

    done: dict[str, int] = Field(description="what became of actions, or of mail, and how often")


def _known_scheduler(credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> None:
    secret = settings().cron_secret
    if secret is None:
        raise HTTPException(503, "CRON_SECRET is not set, so nobody can start anything here.")
    given = credentials.credentials if credentials else ""
    if not hmac.compare_digest(given.encode(), secret.get_secret_value().encode()):
        wanted = "This needs the header Authorization: Bearer CRON_SECRET."
        raise HTTPException(401, wanted, {"WWW-Authenticate": "Bearer"})


router = APIRouter(
    prefix="/api/cron", tags=["cron"], dependencies=[Depends(_known_scheduler)], responses=described(401, 503)
)


def work_slot(engine: str) -> SlotAnswer:
    """Work an engine's latest slot, unless somebody has or does; before it, what waits of tenants' own timetables."""
    chosen = settings()
    slot = latest_slot(engine, clock.now(), chosen.time_zone)
    with connect(database_url()) as connection:
        require_current_schema(connection)
        with transaction(connection):
            occurrences.note_slots(connection, clock.now())
            occurrences.give_up_slots(connection)
            waiting = [one.at for one in occurrences.slots_to_start(connection, [engine]) if one.at != slot]
        for at in (*waiting, slot):
            report = run_engine(
                connection,
                engine_named(engine),
                trigger="beat",
                slot=at,
                batch_size=chosen.fleet_batch_size,
                budget_seconds=_BUDGET.total_seconds(),
            )
        if report is None:
            return _taken(connection, engine, slot)
    whole, left = "This call worked the slot.", "Something is left; the next call goes on with it."
    return SlotAnswer(
        engine=engine,
        slot=slot,
        state="worked" if report.status == "succeeded" else report.status,
        detail=whole if report.status == "succeeded" else left,
        due=report.tally.due,
        acted=report.tally.acted,
        skipped=report.tally.skipped,
        failures=[Failure(tenant_id=one.tenant, error=one.error) for one in report.failures],
        left=report.left,
    )


def _taken(connection: Connection, engine: str, slot: datetime) -> SlotAnswer:
    with transaction(connection):
        state = ledger.slot_state(connection, engine, slot)
    if state == "worked":
        return SlotAnswer(engine=engine, slot=slot, state="worked", detail="The slot was already worked.")
    if state == "cancelled":
        return SlotAnswer(engine=engine, slot=slot, state="cancelled", detail="Somebody has cancelled the slot.")
    return SlotAnswer(engine=engine, slot=slot, state="running", detail="Somebody else is working the slot now.")


def _slot_operation(engine: str) -> Callable[[], SlotAnswer]:
    def operation() -> SlotAnswer:
        return work_slot(engine)

    return operation


for _path, _engine in JOBS.items():
    for _method in ("GET", "POST"):
        router.add_api_route(
            f"/{_path}",
            _slot_operation(_engine),
            methods=[_method],
            operation_id=f"{_method.lower()}_cron_{_engine}",
            summary=f"Work the latest slot of the engine {_engine}",
            description="And what waits of tenants with clocks or crons of their own, for whom it is called every few"
            " minutes. Calling it twice, or beside beat, is harmless: a slot is worked once.",
        )


@router.get("/delivery", operation_id="get_cron_delivery")
@router.post("/delivery", operation_id="post_cron_delivery")
def deliver_now() -> PassAnswer:
    """Carry out every action that is due: one pass, as beat starts it each minute. Two at once share the work."""
    chosen = settings()
    with connect(database_url()) as connection:
        require_current_schema(connection)
        return PassAnswer(done=deliver(connection, channel_for(chosen), chosen))


@router.get("/inbound", operation_id="get_cron_inbound")
@router.post("/inbound", operation_id="post_cron_inbound")
def take_mail_in() -> PassAnswer:
    """Take in what is new in the folders of IMAP_URL: one visit, as beat starts it every two minutes."""
    return PassAnswer(done=poll_folders())
