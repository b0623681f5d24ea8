"""`/api/compliance/…`: what people decide about a check."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from workers.web.api.calls import Call

_LONGEST: Final = 2_000


class CheckState(BaseModel):
    """How a check stands."""

    check_id: UUID
    status: str
    due_at: datetime
    completed_at: datetime | None
    waived_reason: str | None
    notes: str | None


class Waiver(BaseModel):
    """Why a check need not be fulfilled."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=_LONGEST, pattern=r"\S")]


class Proof(BaseModel):
    """What came in for a check."""

    model_config = ConfigDict(extra="forbid")

    notes: Annotated[str, Field(max_length=_LONGEST)] | None = Field(
        default=None, description="takes the place of the check's notes; left out: they stay"
    )


def waive_check(call: Call, check_id: UUID, waiver: Waiver) -> Any:
    """Record that a check need not be fulfilled, and why. 409: it is completed or waived already."""
    call.connection.execute("SELECT waive_compliance_check(%s, %s)", [check_id, waiver.reason])
    return _state(call, check_id, "waives a check")


def complete_check(call: Call, check_id: UUID, proof: Proof | None = None) -> Any:
    """Record that a check is fulfilled, whatever its entity's fields say. 409: it is completed or waived already."""
    call.connection.execute("SELECT complete_compliance_check(%s, %s)", [check_id, proof.notes if proof else None])
    return _state(call, check_id, "completes a check")


def answer_check(call: Call, check_id: UUID, proof: Proof | None = None) -> Any:
    """Record that an answer to a check came in, and somebody works on it: reminders stop, its due dates still count."""
    call.connection.execute("SELECT answer_compliance_check(%s, %s)", [check_id, proof.notes if proof else None])
    return _state(call, check_id, "answers a check")


def _state(call: Call, check: UUID, what: str) -> Any:
    call.did(what, check)
    return call.connection.execute("SELECT *, id AS check_id FROM compliance_checks WHERE id = %s", [check]).fetchone()
