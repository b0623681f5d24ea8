"""`/api/inbound`: a mail as it came, posted by a mail provider's webhook; it goes where mail of IMAP goes.

Signed as the fleet signs its own webhooks (Standard Webhooks), by the provider or a small program of one's own.
"""

import hmac
import time
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from workers.db.session import connect, require_current_schema
from workers.delivery.webhook_call import signature
from workers.inbound.ingest import Aside, Outcome, Stored, ingest
from workers.settings import database_url, settings
from workers.web.api.problems import described

PATH: Final = "/api/inbound"
_MEDIA_TYPE: Final = "message/rfc822"
_TOLERANCE_SECONDS: Final = 300
_LONGEST_ID: Final = 255

_signed = APIKeyHeader(
    name="webhook-signature", scheme_name="provider", auto_error=False,
    description="no Authorization, but webhook-signature: v1 and the HMAC of FLEET_INBOUND_SECRET",
)  # fmt: skip


class Taken(BaseModel):
    """What became of a mail."""

    outcome: Literal["stored", "duplicate", "aside"]
    message_id: UUID | None = Field(default=None, description="under which it was stored")
    kind: str | None = Field(default=None, description="reply, message, bounce …")
    reason: str | None = Field(default=None, description="why it was set aside")


async def _signed_mail(
    request: Request,
    given: Annotated[str | None, Security(_signed)],
    webhook_id: Annotated[str, Header(min_length=1, max_length=_LONGEST_ID)] = "",
    webhook_timestamp: Annotated[int, Header(ge=0, description="seconds since 1970")] = 0,
) -> bytes:
    """Return the body of a request that the provider signed.

    Raises:
        HTTPException: 401, it did not, or not within the last five minutes; 415, it is no mail; 503, nobody can be
            known.
    """
    secret = settings().fleet_inbound_secret
    if secret is None:
        raise HTTPException(503, "FLEET_INBOUND_SECRET is not set, so no mail is taken here.")
    if abs(time.time() - webhook_timestamp) > _TOLERANCE_SECONDS:  # before anything is read
        raise HTTPException(401, "webhook-timestamp is missing, or not within five minutes of this clock.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise HTTPException(415, f"A mail is sent as {_MEDIA_TYPE}.")
    body = await request.body()
    ours = signature(secret.get_secret_value(), webhook_id, webhook_timestamp, body)
    # A sender that changes its secret signs with both.
    if not any(hmac.compare_digest(ours.encode(), one.encode()) for one in (given or "").split(" ")):
        raise HTTPException(401, "webhook-signature is not that of FLEET_INBOUND_SECRET.")
    return body


router = APIRouter(tags=["inbound"])


@router.post(
    PATH,
    operation_id="take_mail",
    responses=described(401, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {"required": True, "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def take_mail(body: Annotated[bytes, Depends(_signed_mail)]) -> Taken:
    """Take a mail in, with all that follows from it: once, however often it comes.

    Signed as Standard Webhooks: webhook-id, webhook-timestamp (within five minutes) and webhook-signature, which is v1,
    and in base64 the HMAC-SHA256 of `id.timestamp.body` by the key in FLEET_INBOUND_SECRET. Whose the mail is its
    recipients tell. One that cannot be taken is set aside and listed by `fleet inbound --list-aside`.
    """
    return await run_in_threadpool(_take, body)


def _take(raw: bytes) -> Taken:
    with connect(database_url()) as connection:
        require_current_schema(connection)
        outcome = ingest(connection, raw, PATH)
    return _said(outcome)


def _said(outcome: Outcome) -> Taken:
    if isinstance(outcome, Stored):
        return Taken(outcome="stored", message_id=outcome.message, kind=outcome.kind)
    if isinstance(outcome, Aside):
        return Taken(outcome="aside", reason=outcome.reason)
    return Taken(outcome="duplicate")
