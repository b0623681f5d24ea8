"""What the engines' reads answer: a model for each SQL function, with its columns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

Row = TypeVar("Row", bound=BaseModel)
Amount = Annotated[Decimal, Field(allow_inf_nan=True)]  # a CRM's numeric may be NaN


class Rows(BaseModel, Generic[Row]):
    """What was found, in the order in which the fleet would work it."""

    items: list[Row]


class StalledDeal(BaseModel):
    """A row of get_stalled_deals: a deal that is due for a step."""

    deal_id: UUID
    title: str | None
    stage: str | None
    value: Amount | None
    client_id: UUID | None
    contact_id: UUID | None
    owner_id: UUID | None
    last_activity_at: datetime | None
    days_without_activity: int | None
    follow_up_count: int | None
    max_follow_ups: int | None
    next_follow_up_at: datetime | None


class DueQuote(BaseModel):
    """A row of get_quotes_needing_followup: an open quote whose next follow-up is due."""

    quote_id: UUID
    quote_number: str
    title: str | None
    status: str
    total_amount: Amount
    client_id: UUID | None
    contact_id: UUID | None
    deal_id: UUID | None
    sent_at: datetime | None
    valid_until: date | None
    view_count: int
    follow_up_count: int
    max_follow_ups: int
    next_follow_up_at: datetime | None


class PendingEnrichment(BaseModel):
    """A row of get_pending_enrichment: found contact data that waits for its merge."""

    queue_id: UUID
    contact_id: UUID | None
    email_address: str | None
    source: str
    source_id: str | None
    extracted_data: dict[str, Any] | None
    created_at: datetime


class UnactionedSignal(BaseModel):
    """A row of get_unactioned_signals: an opportunity, or a risk, that nobody acted on."""

    signal_id: UUID
    source_type: str
    source_id: UUID | None
    client_id: UUID | None
    contact_id: UUID | None
    signal_type: str
    signal_strength: float = Field(ge=0, le=1)
    extracted_text: str | None
    created_at: datetime


class DueCheck(BaseModel):
    """A row of get_compliance_due: a check that waits for a reminder, becoming overdue, or its escalation."""

    check_id: UUID
    schedule_id: UUID | None
    compliance_type: str
    entity_type: str
    entity_id: UUID
    entity_name: str | None
    status: str
    due_at: datetime
    days_until_due: int
    reminder_count: int
    missing_fields: list[str] | None


class ScheduledRequest(BaseModel):
    """When an order's customer will be asked for feedback."""

    request_id: UUID
    order_id: UUID
    status: str
    scheduled_for: datetime
