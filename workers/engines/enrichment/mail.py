"""Enrichment, first step: read what customers wrote; signatures go into the queue, signals beside it."""

import logging
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from workers.db.session import Connection
from workers.engines.base import Tally
from workers.insight.contact_values import storable
from workers.insight.contact_words import sender_tokens
from workers.insight.html_text import html_to_text
from workers.insight.reply import split_reply
from workers.insight.roles import infer_role
from workers.insight.signals import detect_signals
from workers.insight.signature import Field, Signature, parse_signature

logger = logging.getLogger(__name__)

# Less sure than this the reader is guessing, and each wrong guess is a conflict that a person has to reject;
# what it left out it reads again in the sender's next mail.
_LEAST_CONFIDENCE: Final = 0.6


def read_mail(connection: Connection, tenant: UUID, limit: int, region: str | None) -> Tally:
    """Read a batch of unprocessed mail, inside the caller's transaction; the same mail is never read twice."""
    claimed = connection.execute("SELECT * FROM claim_inbound(%s, %s)", [tenant, limit]).fetchall()
    results = [_judged(row, region) for row in claimed]
    return Tally.from_rows(connection.execute("SELECT * FROM settle_inbound(%s, %s)", [tenant, Jsonb(results)]))


def _judged(row: dict[str, Any], region: str | None) -> dict[str, Any]:
    try:
        return _judge(row, region)
    except Exception as error:  # one mail that no reader was made for must not stop all that come behind it
        logger.exception("mail %s cannot be read", row["message_id"])
        return {"message_id": str(row["message_id"]), "signals": [], "error": f"{type(error).__name__}: {error}"}


def _judge(row: dict[str, Any], region: str | None) -> dict[str, Any]:
    body = row["text"] if row["text"].strip() else html_to_text(row["html"] or "")
    # Put together by hand: formataddr encodes what is not ASCII, and raises for such an address.
    sender = f"{row['from_name'] or ''} <{row['from_address'] or ''}>".removesuffix("<>").strip() or None
    signature = parse_signature(body, sender=sender, region=region)
    # A colleague's signature, of a shared mailbox or a forwarded answer, says nothing of this contact.
    fields = [] if _is_somebody_else(signature, row["from_name"]) else _fields(signature)
    said = {field: text for field, text in fields if storable({field: text})}
    role = infer_role(row["title"] or said.get("title") or "")
    context = {"is_decision_maker": role == "decision_maker", "role": role}
    return {
        "message_id": str(row["message_id"]),
        "contact_id": str(row["contact_id"]) if row["contact_id"] else None,
        "client_id": str(row["client_id"]) if row["client_id"] else None,
        "address": row["from_address"],
        "fields": said or None,
        "signals": [
            {
                "type": signal.signal_type,
                "evidence": signal.evidence,
                "context": context | {"keyword_count": signal.keyword_count},
            }
            for signal in detect_signals(split_reply(body, sender=sender).text)
        ],
    }


def _is_somebody_else(signature: Signature, sender: str | None) -> bool:
    """Whether a mail from one person is signed by another: two names of which no part is the same."""
    if signature.name is None or not sender:
        return False
    signed, sent = sender_tokens(signature.name.value), sender_tokens(sender)
    whole = 2  # a first name alone may be a nickname
    return len(signed) >= whole and len(sent) >= whole and signed.isdisjoint(sent)


def _fields(signature: Signature) -> Iterator[tuple[str, str]]:
    """Name what the signature says as contacts do. Its e-mail is left out: the mail itself says where it is from."""
    if name := _sure(signature.name):
        yield from _names(name)
    for field, value in (
        ("title", signature.title),
        ("company", signature.company),
        ("phone", signature.phone),
        ("mobile", signature.mobile),
        ("linkedin_url", signature.linkedin),
        ("website", signature.website),
        ("address", signature.address),
    ):
        if text := _sure(value):
            yield field, text


def _sure(field: Field | None) -> str | None:
    return field.value if field is not None and field.confidence >= _LEAST_CONFIDENCE else None


def _names(name: str) -> Iterator[tuple[str, str]]:
    """Split a name; particles belong to the last name ("van Dyk"), and a single word is either, so neither."""
    words = [word for word in name.split() if not word.endswith(".") or len(word) == 2]  # noqa: PLR2004  # "J."
    if len(words) > 1:
        last = len(words) - 1
        while last > 1 and words[last - 1].islower():
            last -= 1
        yield "first_name", " ".join(words[:last])
        yield "last_name", " ".join(words[last:])
