"""`/api/suppressions…`: whom nobody writes to."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from workers.web.api.calls import Call
from workers.web.api.pages import Paged, page, place

_LONGEST: Final = 320

Address = Annotated[str, Field(max_length=_LONGEST, pattern=r"^[^@]*[^@\s][^@]*@.*[^@\s].*$")]


class SuppressionPage(Paged):
    """Which page, of all or of one mailbox."""

    address: str | None = Field(default=None, max_length=_LONGEST, description="in any spelling of its mailbox")


class Suppression(BaseModel):
    """Somebody who is not written to."""

    tenant_id: UUID
    address: str
    engines: list[str] | None = Field(description="null: by no engine")
    reason: str
    added_by: str | None
    created_at: datetime


class AddressAndWhy(BaseModel):
    """A mailbox, and why."""

    model_config = ConfigDict(extra="forbid")

    address: Address
    why: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]


class Added(BaseModel):
    """A spelling of the mailbox that is suppressed now."""

    address: str
    was: str | None = Field(description="why it was suppressed before, which stays")


class Removed(BaseModel):
    """The spellings of a mailbox that may be written to again."""

    addresses: list[str]


def list_suppressions(call: Call, asked: Annotated[SuppressionPage, Query()]) -> dict[str, Any]:
    """List who is not written to, the newest first."""
    after = place(asked, datetime, str, UUID)
    rows = call.called("api_suppressions", asked.address, *after, asked.limit + 1)
    return page(rows, asked.limit, lambda row: [row["created_at"], row["address"], row["tenant_id"]])


def add_suppression(call: Call, wish: AddressAndWhy) -> Any:
    """Let nobody write to a mailbox any more; what waits for it is refused when it would leave."""
    added = call.called_for_one("console_suppress", wish.address, call.who, wish.why)
    call.did("suppress", wish.address)
    return {"items": added}


def remove_suppression(call: Call, wish: AddressAndWhy) -> Any:
    """Let a mailbox be written to again. 404: it is not suppressed."""
    removed = call.called_for_one("console_unsuppress", wish.address, call.who, wish.why)
    call.found(removed, "suppression")
    call.did("let be written to again", wish.address)
    return {"addresses": removed}
