"""What reads answer: a model for each SQL function of an engine, and for each view of analytics, with its columns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

Amount = Annotated[Decimal, Field(allow_inf_nan=True)]  # a CRM's numeric may be NaN


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


class StageVelocity(BaseModel):
    """A row of deal_stage_velocity: how long deals were in the stage before, by the stage that they reached."""

    tenant_id: UUID
    to_stage: str
    transitions: int
    avg_days: Amount | None
    median_days: Amount | None
    min_days: int | None
    max_days: int | None


class WinRate(BaseModel):
    """A row of quote_win_rates: how quotes ended, and what they were worth."""

    tenant_id: UUID
    total_quotes: int
    won_count: int
    lost_count: int
    no_decision_count: int
    win_rate_pct: Amount
    avg_won_amount: Amount | None
    avg_lost_amount: Amount | None


class SignalRate(BaseModel):
    """A row of signal_action_rates: how many signals of a type were noticed, and what came of them."""

    tenant_id: UUID
    signal_type: str
    total_signals: int
    actioned_count: int
    action_rate_pct: Amount
    avg_strength: Amount
    avg_hours_to_action: Amount | None


class CompletionRate(BaseModel):
    """A row of compliance_completion_rates: how the checks of a type stand."""

    tenant_id: UUID
    compliance_type: str | None
    total_checks: int
    completed_count: int
    overdue_count: int
    waived_count: int
    completion_rate_pct: Amount
    avg_days_to_complete: Amount | None
