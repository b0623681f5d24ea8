"""The one door for mail, whoever brings it: files, IMAP, or a program that calls `ingest`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from workers.correspondence import Answered, read_message_ids, read_reply_address
from workers.db.session import Connection, transaction
from workers.inbound.parse import Parsed, SetAside, parse
from workers.insight.addresses import fold_address
from workers.insight.reply import split_reply
from workers.insight.sentiment import score_sentiment
from workers.settings import settings

# What one message's content, or a CRM's own rule about it, provokes. Everything else is nobody's message.
_REFUSED: Final = (psycopg.DataError, psycopg.IntegrityError, psycopg.InternalError, psycopg.errors.RaiseException)
# Two workers with the same messages in another order; one of them goes again.
_LOCKED_OUT: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_ATTEMPTS: Final = 5
_SUMMARY: Final = 300


@dataclass(frozen=True, slots=True)
class Stored:
    """The message is new and everything that follows from it is done.

    Attributes:
        tenant: whose it is.
        message: its id in inbound_messages.
        kind: reply (it answers an action), message, auto_reply, out_of_office, bounce or bulk.
        action: what it answers, or could not deliver.
    """

    tenant: UUID
    message: UUID
    kind: str
    action: int | None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The tenant has this Message-ID already; nothing was changed."""

    tenant: UUID
    message_id: str


@dataclass(frozen=True, slots=True)
class Aside:
    """The message cannot be taken; it is listed under its fingerprint with the reason."""

    source: str
    reason: str
    fingerprint: str


Outcome = Stored | Duplicate | Aside


def ingest(connection: Connection, raw: bytes, source: str, *, tenant: UUID | None = None) -> Outcome:
    """Take one message in, with all that follows from it, in one transaction.

    The same message again, also at the same time in another process, changes nothing.

    Args:
        connection: outside a transaction, or inside one that the caller commits.
        raw: the message as it came.
        source: where it came from, for the list of what was set aside.
        tenant: whose mailbox it was; None to find out from the recipient, or from what it answers.
    """
    return ingest_batch(connection, [(source, raw)], tenant=tenant)[0]


def ingest_batch(
    connection: Connection, messages: Sequence[tuple[str, bytes]], *, tenant: UUID | None = None
) -> list[Outcome]:
    """Take several (source, raw) messages in, in one transaction for speed; each outcome stands for itself.

    If the database refuses one of them, or another worker is in the way, each gets a transaction of its own.
    """
    read = [(source, _read(raw)) for source, raw in messages]
    try:
        with transaction(connection):
            return [_store(connection, source, message, tenant) for source, message in read]
    except (*_REFUSED, *_LOCKED_OUT):
        return [_store_alone(connection, source, message, tenant) for source, message in read]


def set_aside(connection: Connection, source: str, message: SetAside) -> Aside:
    """List a message that cannot be taken, inside the caller's transaction."""
    connection.execute(
        "SELECT set_aside_message(%s, %s, %s, %s, %s)",
        [message.fingerprint, source, message.message_id, message.reason, message.raw_size],
    )
    return Aside(source, message.reason, message.fingerprint)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the database is told of a message."""

    parsed: Parsed
    message: Jsonb
    answered: Jsonb
    judgement: Jsonb
    bounce: Jsonb


def _read(raw: bytes) -> _Read | SetAside:
    parsed = parse(raw)
    if isinstance(parsed, SetAside):
        return parsed
    judged = parsed.judgement
    recipients = [spelling for address in (*parsed.delivered_to, *parsed.to) for spelling in _spellings(address)]
    answered = _answered(parsed)
    return _Read(
        parsed,
        message=Jsonb(
            {
                "message_id": parsed.message_id,
                "in_reply_to": parsed.in_reply_to,
                "reference_ids": parsed.references,
                "from_address": parsed.from_address,
                "from_name": parsed.from_name,
                "to_addresses": parsed.to,
                "subject": parsed.subject,
                "sent_at": parsed.sent_at and parsed.sent_at.isoformat(),
                "text": parsed.text,
                "html": parsed.html,
                "headers": parsed.headers,
                "raw_size": parsed.raw_size,
                "kind": judged.kind,
                "folded": fold_address(parsed.from_address),
                "recipients": list(dict.fromkeys(recipients)),
            }
        ),
        answered=Jsonb([{"action": sent.action, "tenant": str(sent.tenant)} for sent in answered]),
        judgement=Jsonb(_judgement(parsed) if answered and judged.kind == "reply" else {}),
        bounce=Jsonb({"hard": judged.hard, "recipient": judged.recipient, "status": judged.status}),
    )


def _spellings(address: str) -> tuple[str, str]:
    """A mailbox may be listed with its plus-tag or without."""
    return address.lower(), fold_address(address)


def _answered(parsed: Parsed) -> list[Answered]:
    """What it may answer: the message it replies to, the thread from its end, then the address it was sent to."""
    threaded = [*([parsed.in_reply_to] if parsed.in_reply_to else []), *reversed(parsed.references)]
    found = read_message_ids([*threaded, *parsed.returned_ids])
    secret = settings().fleet_reply_secret
    if secret:
        tokens = (read_reply_address(address, secret) for address in (*parsed.delivered_to, *parsed.to))
        found += [sent for sent in tokens if sent]
    return list(dict.fromkeys(found))


def _judgement(parsed: Parsed) -> dict[str, Any]:
    sender = f"{parsed.from_name} <{parsed.from_address}>" if parsed.from_name else parsed.from_address
    words = split_reply(parsed.text, parsed.html, sender).text
    mood = score_sentiment(words)
    return {
        "sentiment": mood.label,
        "score": mood.score,
        "recover": mood.unhappy,
        "issues": mood.key_issues,
        "summary": _shortened(words) or None,
    }


def _shortened(text: str) -> str:
    """The beginning of a text, cut between words."""
    line = " ".join(text.split())
    if len(line) <= _SUMMARY:
        return line
    cut = line[: _SUMMARY - 1]
    return (cut.rpartition(" ")[0] or cut) + "…"


def _store(connection: Connection, source: str, message: _Read | SetAside, tenant: UUID | None) -> Outcome:
    if isinstance(message, SetAside):
        return set_aside(connection, source, message)
    parsed = message.parsed
    row = connection.execute(
        "SELECT * FROM ingest_message(%s, %s, %s, %s, %s, %s)",
        [parsed.fingerprint, tenant, message.message, message.answered, message.judgement, message.bounce],
    ).fetchone()
    assert row is not None  # noqa: S101  # the function returns one row
    match row["outcome"]:
        case "stored":
            return Stored(row["tenant_id"], row["inbound_id"], row["kind"], row["action_id"])
        case "duplicate":
            return Duplicate(row["tenant_id"], parsed.message_id)
    return set_aside(connection, source, _refused(parsed, "unknown tenant: no mailbox is listed for its recipients"))


def _store_alone(connection: Connection, source: str, message: _Read | SetAside, tenant: UUID | None) -> Outcome:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with transaction(connection):
                return _store(connection, source, message, tenant)
        except _LOCKED_OUT:
            if attempt == _ATTEMPTS:
                raise
        except _REFUSED as error:
            if isinstance(message, SetAside):
                raise  # nothing of the message's own is in that row
            reason = f"the database refuses it: {str(error).strip().splitlines()[0]}"
            with transaction(connection):
                return set_aside(connection, source, _refused(message.parsed, reason))
    raise AssertionError("the last attempt returns or raises")


def _refused(parsed: Parsed, reason: str) -> SetAside:
    return SetAside(reason, parsed.fingerprint, parsed.message_id, parsed.raw_size)
