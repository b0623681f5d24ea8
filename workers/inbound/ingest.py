"""The one door for mail, whoever brings it: files, IMAP, or a program that calls `ingest`."""

import hashlib
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from workers.correspondence import without_references
from workers.db.session import LOCKED_OUT, REFUSALS, Connection, transaction
from workers.errors import first_line
from workers.inbound.answers import answered_subject, candidates, senders
from workers.inbound.parse import Parsed, SetAside, parse
from workers.insight.addresses import fold_address
from workers.insight.answers import kind_of_answer, outrage
from workers.insight.bounces import Failure
from workers.insight.charsets import clean
from workers.insight.language import NO_LANGUAGE, UNDERSTOOD, detect_language, language_name
from workers.insight.reply import split_reply
from workers.insight.sentiment import score_sentiment

logger = logging.getLogger(__name__)

_ATTEMPTS: Final = 5
_PERSONS: Final = ("reply", "message", "unplaced")  # kinds of mail that somebody wrote
_SUMMARY: Final = 300
_FIRST_LINES, _LONGEST_SHOWN = 12, 1_000  # of an answer, for the person who is asked to read it
_OUTRAGED: Final = -0.8  # the score of who is strongly unhappy in a language of which no more is understood


@dataclass(frozen=True, slots=True)
class Stored:
    """The message is new and everything that follows from it is done.

    Attributes:
        tenant: whose it is.
        message: its id in inbound_messages.
        kind: reply (it answers an action), message, own, unplaced, auto_reply, out_of_office, bounce,
            complaint or bulk.
        action: what it answers, or could not deliver.
    """

    tenant: UUID
    message: UUID
    kind: str
    action: int | None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The tenant has this mail already; nothing was changed."""

    tenant: UUID
    message_id: str


@dataclass(frozen=True, slots=True)
class Aside:
    """The message cannot be taken; it is listed under its fingerprint with the reason."""

    source: str
    reason: str
    fingerprint: str


Outcome = Stored | Duplicate | Aside


def ingest(
    connection: Connection, raw: bytes, source: str, *, tenant: UUID | None = None, mailbox: str | None = None
) -> Outcome:
    """Take one message in, with all that follows from it, in one transaction.

    The same message again, also at the same time in another process, changes nothing.

    Args:
        connection: outside a transaction, or inside one that the caller commits.
        raw: the message as it came.
        source: where it came from, for the list of what was set aside.
        tenant: whose it is; None to find out from what it answers, or from its recipients.
        mailbox: the address of the mailbox it lay in: one more recipient.
    """
    return ingest_batch(connection, [(source, raw)], tenant=tenant, mailbox=mailbox)[0]


def ingest_batch(
    connection: Connection,
    messages: Sequence[tuple[str, bytes]],
    *,
    tenant: UUID | None = None,
    mailbox: str | None = None,
    deadline: float = math.inf,
) -> list[Outcome]:
    """Take several (source, raw) messages in, in one transaction for speed; each outcome stands for itself.

    If the database refuses one of them, or another worker is in the way, each gets a transaction of its own.

    Args:
        connection: as for `ingest`, like the tenant and the mailbox.
        messages: in their order.
        tenant: whose they are.
        mailbox: where they lay.
        deadline: no message but the first is begun after this instant of `time.monotonic`.

    Returns:
        An outcome for each message that was begun.
    """
    read: list[tuple[str, _Read | SetAside]] = []
    for source, raw in messages:
        if read and time.monotonic() > deadline:
            break
        read.append((clean(source), _read(raw, mailbox)))
    try:
        with transaction(connection):
            return [_store(connection, source, message, tenant) for source, message in read]
    except (*REFUSALS, *LOCKED_OUT):
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

    raw: bytes
    parsed: Parsed
    message: Jsonb
    answered: Jsonb
    judgement: Jsonb
    bounce: Jsonb


def _read(raw: bytes, mailbox: str | None) -> _Read | SetAside:
    try:
        parsed = parse(raw)
        return parsed if isinstance(parsed, SetAside) else _told(raw, parsed, mailbox)
    except Exception as problem:
        # One mail must not keep the others from being read; that it was this one is listed.
        logger.exception("a message cannot be read")
        return SetAside(f"broken: {type(problem).__name__}", hashlib.sha256(raw).hexdigest(), None, len(raw))


def _told(raw: bytes, parsed: Parsed, mailbox: str | None) -> _Read:
    judged = parsed.judgement
    addresses = (*([mailbox] if mailbox else []), *parsed.delivered_to, *parsed.to)
    answered = candidates(parsed)
    subject = answered_subject(parsed, answered)
    may_be_a_persons = judged.kind == "reply" or bool(judged.kind == "bulk" and parsed.lists)
    return _Read(
        raw,
        parsed,
        message=Jsonb(
            {
                "message_id": parsed.message_id,
                "in_reply_to": parsed.in_reply_to,
                "reference_ids": parsed.references,
                "senders": [sender._asdict() for sender in senders(parsed)],
                "to_addresses": parsed.to,
                "recipients": list(dict.fromkeys(spelling for one in addresses for spelling in _spellings(one))),
                "lists": parsed.lists,
                "subject": parsed.subject,
                "subject_answered": subject,
                "sent_at": parsed.sent_at and parsed.sent_at.isoformat(),
                "text": parsed.text,
                "html": parsed.html,
                "headers": parsed.headers,
                "raw_size": parsed.raw_size,
                "digest": parsed.digest,
                "away_until": judged.returns_on and judged.returns_on.isoformat(),
                "kind": judged.kind,
            }
        ),
        answered=Jsonb([one._asdict() | {"tenant": one.tenant and str(one.tenant)} for one in answered]),
        judgement=Jsonb(_judgement(parsed) if may_be_a_persons else {}),
        bounce=Jsonb({"failures": [_failure(failure) for failure in judged.failures]}),
    )


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "recipient": failure.recipient,
        "whose": failure.fault.whose,
        "cause": failure.fault.cause,
        "status": failure.status,
        "said": failure.said,
        "delayed": failure.delayed,
    }


def _spellings(address: str) -> tuple[str, ...]:
    """A mailbox may be listed with its plus-tag or without; qmail puts a virtual domain before it once more."""
    local, _, domain = address.lower().rpartition("@")
    own = f"{local.removeprefix(f'{domain}-')}@{domain}"
    return address.lower(), fold_address(address), own, fold_address(own)


def _judgement(parsed: Parsed) -> dict[str, Any]:
    """What the writer wants and feels; what cannot be told is missing, and never taken for fine."""
    try:
        return _judged(parsed)
    except Exception:
        # It answers something, whatever it says: that much still counts, and a person reads the rest.
        logger.exception("an answer cannot be judged: %s", parsed.message_id)
        unread = {"answer": "unreadable", "language": "und", "language_name": language_name("und")}
        return unread | {"sentiment": None, "score": None, "recover": False, "issues": [], "summary": None, "text": ""}


def _judged(parsed: Parsed) -> dict[str, Any]:
    sender = parsed.senders[0]
    shown = f"{sender.name} <{sender.address}>" if sender.name else sender.address
    words = without_references(split_reply(parsed.text, parsed.html, shown).text)
    language = detect_language(words)
    answer = kind_of_answer(words, parsed.subject, language)
    # That somebody wants no more mail is no complaint about what was delivered.
    about_us = _without(words, answer.evidence) if answer.kind == "opt_out" else words
    summary = _shortened(words) or None
    if answer.kind == "unreadable":
        summary = f"Not read ({language_name(language)}): {summary}" if summary else "Not read: there is no text"
    return {
        "answer": answer.kind,
        "language": language,
        "language_name": language_name(language),
        **_mood(about_us, language),
        "summary": summary,
        "text": "\n".join(words.splitlines()[:_FIRST_LINES])[:_LONGEST_SHOWN],
    }


def _without(text: str, sentence: str | None) -> str:
    return " ".join(text.split()).replace(" ".join((sentence or "").split()), "").strip()


def _mood(text: str, language: str) -> dict[str, Any]:
    """How the writer feels, and about what; None where nobody can tell."""
    if text and language in UNDERSTOOD:
        mood = score_sentiment(text)
        if language == NO_LANGUAGE and mood.label == "neutral":
            return {"sentiment": None, "score": None, "recover": False, "issues": []}  # "1", "…": nobody can tell
        return {"sentiment": mood.label, "score": mood.score, "recover": mood.unhappy, "issues": mood.key_issues}
    if outrage(text, language):
        return {"sentiment": "negative", "score": _OUTRAGED, "recover": True, "issues": []}
    return {"sentiment": None, "score": None, "recover": False, "issues": []}


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
            _warn(parsed, row["tenant_id"])
            if row["kind"] in _PERSONS:
                _keep_to_forward(connection, row["inbound_id"], message.raw)
            return Stored(row["tenant_id"], row["inbound_id"], row["kind"], row["action_id"])
        case "duplicate":
            return Duplicate(row["tenant_id"], parsed.message_id)
    return set_aside(connection, source, _refused(parsed, "unknown tenant: no mailbox is listed for its recipients"))


def _keep_to_forward(connection: Connection, inbound: UUID, raw: bytes) -> None:
    """Keep a mail as it came where its tenant wants it forwarded."""
    row = connection.execute("SELECT forward_of(%s) AS action", [inbound]).fetchone()
    if row is not None and row["action"] is not None:
        connection.execute("SELECT keep_raw_mail(%s, %s)", [row["action"], raw])


def _warn(parsed: Parsed, tenant: UUID) -> None:
    """Say what only the operator can mend: a mail server refuses mail for the sender's sake."""
    for failure in parsed.judgement.failures:
        if failure.fault.whose == "sender":
            logger.warning(
                "mail of tenant %s to %s came back for the sender's sake: %s (%s)",
                tenant, failure.recipient, failure.fault.cause, failure.said,
            )  # fmt: skip


def _store_alone(connection: Connection, source: str, message: _Read | SetAside, tenant: UUID | None) -> Outcome:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with transaction(connection):
                return _store(connection, source, message, tenant)
        except LOCKED_OUT:
            if attempt == _ATTEMPTS:
                raise
        except REFUSALS as error:
            if isinstance(message, SetAside) or _is_ours(error):
                raise  # nothing of the message's own is in that row, or the installation is at fault
            reason = f"the database refuses it: {first_line(error)}"
            with transaction(connection):
                return set_aside(connection, source, _refused(message.parsed, reason))
    raise AssertionError("the last attempt returns or raises")


def _is_ours(error: psycopg.Error) -> bool:
    """Whether a function or a right is missing: the statement itself fails, and no trigger of a CRM's in it."""
    denied = isinstance(error, psycopg.errors.InsufficientPrivilege)
    return isinstance(error, psycopg.ProgrammingError) and (denied or error.diag.context is None)


def _refused(parsed: Parsed, reason: str) -> SetAside:
    return SetAside(reason, parsed.fingerprint, parsed.message_id, parsed.raw_size)
