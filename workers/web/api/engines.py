"""`/api/engines/…`: what each engine would do next for the caller's tenant, and what a user may ask of it."""

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from starlette.exceptions import HTTPException

from workers import clock
from workers.web.api.identity import KnownClaims
from workers.web.api.problems import described
from workers.web.api.rows import (
    DueCheck,
    DueQuote,
    PendingEnrichment,
    Rows,
    ScheduledRequest,
    StalledDeal,
    UnactionedSignal,
)
from workers.web.api.users import Acting, users

# What may be asked for at all: a request that waits longer is forgotten by everybody.
_FARTHEST: Final = timedelta(days=366)


class Page(BaseModel):
    """How much of a list is wanted."""

    model_config = ConfigDict(extra="forbid")  # a misspelled parameter is told, not passed over

    limit: int = Field(default=20, ge=1, le=100, description="how many at most")


Wanted = Annotated[Page, Query()]

router = APIRouter(prefix="/api/engines", tags=["engines"], responses=described(401, 403, 422, 503))


class FeedbackSchedule(BaseModel):
    """When to ask for feedback on an order."""

    model_config = ConfigDict(extra="forbid")

    order_id: UUID
    scheduled_for: AwareDatetime = Field(
        description="with an offset, within a year; a past instant means as soon as possible"
    )

    @field_validator("scheduled_for")
    @classmethod
    def _within_a_year(cls, instant: AwareDatetime) -> AwareDatetime:
        if abs(instant - clock.now()) > _FARTHEST:
            raise ValueError("must be within a year from now")
        return instant


class QuoteFollowUp(BaseModel):
    """A quote whose next follow-up should not wait any longer."""

    model_config = ConfigDict(extra="forbid")

    quote_id: UUID


@router.get("/deals/stalled", operation_id="stalled_deals")
def stalled_deals(claims: KnownClaims, page: Wanted) -> Rows[StalledDeal]:
    """List stalled deals that are due for a follow-up or the hand-over, the longest silent first."""
    with users.acting(claims) as (connection, tenant):
        found = connection.execute("SELECT * FROM get_stalled_deals(%s, %s)", [tenant, page.limit]).fetchall()
    return Rows[StalledDeal].model_validate({"items": found})


@router.get("/enrichment/pending", operation_id="pending_enrichment")
def pending_enrichment(claims: KnownClaims, page: Wanted) -> Rows[PendingEnrichment]:
    """List found contact data that waits for its merge, the oldest first."""
    with users.acting(claims) as (connection, tenant):
        found = connection.execute("SELECT * FROM get_pending_enrichment(%s, %s)", [tenant, page.limit]).fetchall()
    return Rows[PendingEnrichment].model_validate({"items": found})


@router.get("/signals/unactioned", operation_id="unactioned_signals")
def unactioned_signals(claims: KnownClaims, page: Wanted) -> Rows[UnactionedSignal]:
    """List signals that nobody acted on, the strongest first."""
    with users.acting(claims) as (connection, tenant):
        found = connection.execute("SELECT * FROM get_unactioned_signals(%s, %s)", [tenant, page.limit]).fetchall()
    return Rows[UnactionedSignal].model_validate({"items": found})


@router.get("/compliance/due", operation_id="compliance_due")
def compliance_due(claims: KnownClaims, page: Wanted) -> Rows[DueCheck]:
    """List checks that wait for a reminder, becoming overdue or their escalation, the longest waiting first."""
    with users.acting(claims) as (connection, tenant):
        found = connection.execute("SELECT * FROM get_compliance_due(%s, %s)", [tenant, page.limit]).fetchall()
    return Rows[DueCheck].model_validate({"items": found})


@router.post("/feedback/schedule", operation_id="schedule_feedback", responses=described(400, 404, 409, 413))
def schedule_feedback(claims: KnownClaims, wish: FeedbackSchedule) -> ScheduledRequest:
    """Move the request of a delivered order to another instant. The next run of feedback after it asks the customer.

    Guards hold as ever: whoever has an open case, or was asked lately, is not asked. 404: the caller's tenant has no
    delivered order of that id. 409: the customer was asked already, or will not be.
    """
    with users.acting(claims) as (connection, _):
        moved = connection.execute(
            "UPDATE feedback_requests SET scheduled_for = %s WHERE order_id = %s AND status = 'pending'"
            " RETURNING id AS request_id, order_id, status, scheduled_for",
            [wish.scheduled_for, wish.order_id],
        ).fetchone()
        if moved is None:
            statement = "SELECT status FROM feedback_requests WHERE order_id = %s"
            known = connection.execute(statement, [wish.order_id]).fetchone()
            if known is None:
                raise HTTPException(404, "There is no delivered order of that id.")
            raise HTTPException(409, f"The request is {known['status']}: only a pending one can be moved.")
    return ScheduledRequest.model_validate(moved)


@router.post("/quotes/followup", operation_id="quotes_followup", responses=described(400, 404, 409, 413))
def quotes_followup(claims: KnownClaims, page: Wanted, wish: QuoteFollowUp | None = None) -> Rows[DueQuote]:
    """List quotes whose next follow-up is due, the highest amount first; with a quote's id, let that one be due first.

    The next run of quotes then follows up. This sends nothing itself and moves no follow-up to a later time. 404: the
    caller's tenant has no quote of that id. 409: it gets no follow-up, any more or yet.
    """
    with users.acting(claims) as acting:
        if wish is not None:
            _follow_up_now(acting, wish.quote_id)
        found = acting.connection.execute(
            "SELECT * FROM get_quotes_needing_followup(%s, %s)", [acting.tenant, page.limit]
        ).fetchall()
    return Rows[DueQuote].model_validate({"items": found})


def _follow_up_now(acting: Acting, quote: UUID) -> None:
    moved = acting.connection.execute(
        "UPDATE quotes SET next_follow_up_at = least(next_follow_up_at, fleet_now()) WHERE id = %s"
        " AND follow_up_day IS NOT NULL AND follow_up_count < max_follow_ups"
        " AND coalesce(valid_until >= tenant_today(tenant_id), true)",
        [quote],
    ).rowcount
    if moved:
        return
    known = acting.connection.execute("SELECT status FROM quotes WHERE id = %s", [quote]).fetchone()
    if known is None:
        raise HTTPException(404, "There is no quote of that id.")
    wanted = "a follow-up needs one that was sent, is undecided, in date, with follow-ups left and none under way"
    raise HTTPException(409, f"The quote is {known['status']}; {wanted}.")
