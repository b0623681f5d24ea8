"""`/api/quotes/…`: what happens to a quote outside the fleet, told by the CRM or by whoever sends it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from workers.web.api.calls import Call

_LONGEST: Final = 2_000  # characters of what people write

Text = Annotated[str, Field(max_length=_LONGEST)]


class QuoteState(BaseModel):
    """How a quote stands."""

    quote_id: UUID
    quote_number: str
    status: str
    outcome: str | None
    sent_at: datetime | None
    viewed_at: datetime | None
    view_count: int
    next_follow_up_at: datetime | None


class QuoteView(BaseModel):
    """That the customer looked at a quote."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, JsonValue] = Field(
        default={}, max_length=50, description="what is kept with it, such as which page"
    )


class QuoteOutcome(BaseModel):
    """How a quote ended."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["won", "lost", "no_decision"]
    primary_reason: Text | None = None
    secondary_reasons: list[Text] = Field(default=[], max_length=20)
    competitor: Text | None = None
    competitor_amount: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)] | None = None
    notes: Text | None = None
    learnings: dict[str, JsonValue] = Field(default={}, max_length=50)


def send_quote(call: Call, quote_id: UUID) -> Any:
    """Mark a draft, or a quote after a counter-offer, as sent; its first follow-up comes three days later.

    One whose follow-ups wait for a person, or are over without an outcome, is sent again by it. The fleet mails no
    quote: whoever sent it says so here. 409: it was sent already, is decided, or its last day is over.
    """
    call.connection.execute("SELECT send_quote(%s)", [quote_id])
    return _state(call, quote_id, "sends a quote")


def view_quote(call: Call, quote_id: UUID, view: QuoteView | None = None) -> Any:
    """Count that the customer looked at a quote; the first time turns sent into viewed.

    For whatever shows the quote, and so knows that a person did. 404: there is none of that id that was sent.
    """
    metadata = view.metadata if view else {}
    call.connection.execute("SELECT record_quote_view(%s, %s)", [quote_id, Jsonb(metadata)])
    return _state(call, quote_id, "sees a quote viewed")


def end_quote(call: Call, quote_id: UUID, end: QuoteOutcome) -> Any:
    """Record how a quote ended; its follow-ups, and those of its deal, stop. A second time corrects the first."""
    call.connection.execute(
        "SELECT record_quote_outcome(%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            quote_id, end.outcome, end.primary_reason, end.secondary_reasons, end.competitor, end.competitor_amount,
            end.notes, Jsonb(end.learnings),
        ],
    )  # fmt: skip
    return _state(call, quote_id, f"ends a quote: {end.outcome}")


def _state(call: Call, quote: UUID, what: str) -> Any:
    call.did(what, quote)
    return call.connection.execute("SELECT *, id AS quote_id FROM quotes WHERE id = %s", [quote]).fetchone()
