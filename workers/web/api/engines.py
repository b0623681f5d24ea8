"""`/api/engines/…`: what each engine would do next for the caller's tenant, and what a user may ask of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import sql
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from workers import clock
from workers.web.api.calls import Call
from workers.web.api.pages import Wanted

# What may be asked for at all: a request that waits longer is forgotten by everybody.
_FARTHEST: Final = timedelta(days=366)

Read = Callable[..., dict[str, Any]]


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


def due_read(name: str, function: str, said: str) -> Read:
    """Return an operation that lists what a function of an engine finds due for the caller's tenant.

    Args:
        name: of the operation.
        function: takes the tenant and how many rows are wanted.
        said: what the operation does.
    """

    def read(call: Call, page: Wanted) -> dict[str, Any]:
        return _found(call, function, page.limit)

    read.__name__, read.__doc__ = name, said
    return read


def schedule_feedback(call: Call, wish: FeedbackSchedule) -> Any:
    """Move the request of a delivered order to another instant. The next run of feedback after it asks the customer.

    Guards hold as ever: whoever has an open case, or was asked lately, is not asked. 404: the caller's tenant has no
    delivered order of that id. 409: the customer was asked already, or will not be.
    """
    [moved] = call.connection.execute(
        "SELECT * FROM move_feedback_request(%s, %s)", [wish.order_id, wish.scheduled_for]
    ).fetchall()
    call.did("moves a request for feedback", wish.order_id)
    return moved


def quotes_followup(call: Call, page: Wanted, wish: QuoteFollowUp | None = None) -> dict[str, Any]:
    """List quotes whose next follow-up is due, the highest amount first; with a quote's id, let that one be due first.

    The next run of quotes then follows up. This sends nothing itself and moves no follow-up to a later time. With an id
    it needs the role agent. 404: the caller's tenant has no quote of that id. 409: it gets no follow-up, any more or
    yet.
    """
    if wish is not None:
        call.require("agent")
        call.connection.execute("SELECT follow_up_quote_now(%s)", [wish.quote_id])
        call.did("asks for a follow-up", wish.quote_id)
    return _found(call, "get_quotes_needing_followup", page.limit)


def _found(call: Call, function: str, limit: int) -> dict[str, Any]:
    statement = sql.SQL("SELECT * FROM {}(%s, %s)").format(sql.Identifier(function))
    return {"items": call.connection.execute(statement, [call.one_tenant, limit]).fetchall()}
