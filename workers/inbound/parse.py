"""From the bytes of a mail to what the fleet keeps of it, or to the reason why it cannot be taken."""

import hashlib
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from typing import Final

from workers.inbound.bodies import Bodies, read_bodies
from workers.inbound.headers import Headers, Mailbox
from workers.inbound.mime import MAX_BYTES, HostileError, read_parts
from workers.insight.bounces import returned_message_ids
from workers.insight.charsets import clean
from workers.insight.machine_mail import Judgement, classify_message

_MOST_REFERENCES: Final = 100
_LONGEST_KEPT: Final = 1_000
_NO_SENDER: Final = Mailbox("<>", None)  # the null reverse-path of RFC 5321, 4.5.5
# What tells a repeated mail from another one under the same Message-ID.
_DIGESTED: Final = 1_000_000
_UNSTEADY: Final = b" \t\n>"  # what mail servers and mailbox files change in a text

_MAIL_FIELDS: Final = ("From", "To", "Subject", "Date", "Message-ID", "Received", "Return-Path", "MIME-Version")
_ENVELOPE: Final = (
    "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "X-Rcpt-To", "X-Real-To",
    "X-Apparently-To", "X-Envelope-Recipient", "X-Original-Recipient", "X-Original-Delivered-To", "X-Gm-Original-To",
    "X-Forwarded-To", "X-Forwarded-For", "Original-Recipient", "X-MS-Exchange-Organization-OriginalEnvelopeRecipients",
)  # fmt: skip
# Each mail server and forwarder has a name of its own for it: X-Resolved-To, X-MDRcpt-To, X-SimpleLogin-Envelope-To.
_RECIPIENT: Final = re.compile(
    r"(?:x-)?(?:[a-z]+-)?(?:envelope|deliver(?:ed)?|resolved|original|intended|mdrcpt|rcpt)-(?:to|recipients?)"
    r"|(?:x-)?(?:receiver|recipient|rcpt)|x-sieve-redirected-from"
)
_ADDRESSED: Final = ("To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Apparently-To")
# A list or group that has its own address in From keeps its writer's in one of these.
_BEHIND_LISTS: Final = ("X-Original-From", "X-Original-Sender", "X-Google-Original-From", "Reply-To", "X-MailFrom")
_KEPT: Final = (
    "Auto-Submitted", "Cc", "Delivered-To", "From", "Importance", "List-Id", "List-Unsubscribe", "Message-ID",
    "Organization", "Precedence", "Reply-To", "Return-Path", "Sender", "User-Agent", "X-Autoreply", "X-Autorespond",
    "X-Auto-Response-Suppress", "X-Failed-Recipients", "X-Mailer", "X-Original-To", "X-Priority", "X-Spam-Flag",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parsed:
    """A readable mail. No text holds NUL or lone surrogates: PostgreSQL takes neither.

    Attributes:
        fingerprint: SHA-256 of the raw bytes, in hexadecimal.
        digest: SHA-256 of the body's first megabyte, the same however the mail came in.
        message_id: With its angle brackets; made from the fingerprint if the mail has no usable one.
        in_reply_to: The Message-ID it answers, or None.
        references: The thread's Message-IDs, the eldest first, at most the last 100.
        answers: Where the headers name what it answers, the likeliest first: In-Reply-To, the thread from its end,
            and what relays keep in headers of their own.
        returned_ids: For a bounce or a complaint, the Message-IDs of the mails that it carries back.
        enclosed: What enclosed mails and reports say, as written.
        senders: The sender, and who else may be the writer if that is a list or group; "<>" for a machine that names
            no address.
        to: The addresses in To, Cc and their relatives.
        delivered_to: Where the mail servers put it.
        lists: The lists or groups that it came through.
        is_forged: Whether the mail server that took it in found that it is not from whom it says (DMARC).
        subject: Decoded, on one line; empty if missing.
        sent_at: The Date header in UTC; None if it is missing or no date.
        text: The plain-text body, attachments and enclosed mails excluded, at most 1,000,000 characters.
        html: The HTML body, or None, likewise.
        headers: Headers of use by their lower-case names, why the mail was judged as it was, for an absence note the
            day of return that it names, and how the mail was decoded if not as labelled.
        raw_size: Bytes.
        judgement: What kind of mail it is.
    """

    fingerprint: str
    digest: str
    message_id: str
    in_reply_to: str | None
    references: tuple[str, ...]
    answers: tuple[str, ...]
    returned_ids: tuple[str, ...]
    enclosed: str
    senders: tuple[Mailbox, ...]
    to: tuple[str, ...]
    delivered_to: tuple[str, ...]
    lists: tuple[str, ...]
    is_forged: bool
    subject: str
    sent_at: datetime | None
    text: str
    html: str | None
    headers: Mapping[str, str]
    raw_size: int
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class SetAside:
    """A mail that cannot be taken, and why."""

    reason: str
    fingerprint: str
    message_id: str | None
    raw_size: int


class _UnreadableError(Exception):
    """The reason to set a message aside."""


def parse(raw: bytes) -> Parsed | SetAside:
    """Read a mail. Never raises, whatever the bytes are."""
    fingerprint = hashlib.sha256(raw).hexdigest()
    message_id = None
    try:
        lines = _lines(raw)
        message = read_parts(lines)
        headers = Headers(message)
        message_id = next(iter(headers.message_ids("Message-ID")), None)
        return _parsed(message, headers, message_id, fingerprint, lines)
    except _UnreadableError as problem:
        reason = str(problem)
    except HostileError as problem:
        reason = f"hostile: {problem}"
    except Exception as problem:  # noqa: BLE001  # whatever else is in a mail, the next one is still read
        reason = f"broken: {type(problem).__name__}"
    return SetAside(reason, fingerprint, message_id, len(raw))


def too_large(size: int) -> str | None:
    """Return why a message of that many bytes is not even read, or None."""
    return f"too large: {size / 1024 / 1024:.1f} MB, the limit is 25 MB" if size > MAX_BYTES else None


def _lines(raw: bytes) -> bytes:
    """The mail with one kind of line end, and without the byte order mark of a text file."""
    if reason := too_large(len(raw)):
        raise _UnreadableError(reason)
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raw = raw.decode("utf-16", "replace").encode()  # a mail that was saved as "Unicode" text
    lines = raw.replace(b"\r\n", b"\n") if b"\n" in raw else raw.replace(b"\r", b"\n")
    if not lines.strip(b"\n"):
        raise _UnreadableError("broken: empty")
    return lines.removeprefix(BOM_UTF8)


def _parsed(message: Message, headers: Headers, message_id: str | None, fingerprint: str, raw: bytes) -> Parsed:
    if not headers.names():
        raise _UnreadableError("broken: no header")
    if not any(name in headers for name in _MAIL_FIELDS):
        raise _UnreadableError("broken: no header of a mail")
    bodies = read_bodies(message)
    subject = headers.text("Subject")
    judgement = _judgement(message, subject, bodies)
    sender = headers.mailbox("From") or headers.mailbox("Sender")
    senders = tuple(dict.fromkeys(filter(None, [sender, *map(headers.mailbox, _BEHIND_LISTS)])))
    if not senders:
        if judgement.kind == "reply":
            raise _UnreadableError("broken: no sender")
        senders = (_NO_SENDER,)
    if bodies.text is None and not subject:
        raise _UnreadableError("broken: no body")
    in_reply_to = headers.message_ids("In-Reply-To")
    references = headers.message_ids("References")[-_MOST_REFERENCES:]
    return Parsed(
        fingerprint=fingerprint,
        digest=_digest(raw),
        message_id=message_id or f"<{fingerprint}@no-message-id.invalid>",
        in_reply_to=next(iter(in_reply_to), None),
        references=tuple(references),
        answers=(*in_reply_to[:_MOST_REFERENCES], *reversed(references), *_kept_by_relays(headers)),
        returned_ids=returned_message_ids(message) if judgement.kind in ("bounce", "complaint") else (),
        enclosed=clean(bodies.enclosed),
        senders=senders,
        to=headers.addresses(*_ADDRESSED),
        delivered_to=_delivered_to(headers),
        lists=headers.lists(),
        # The first is the last server's, which is ours; those below may be anybody's.
        is_forged="dmarc=fail" in headers.first("Authentication-Results").lower(),
        subject=subject,
        sent_at=headers.date("Date"),
        text=bodies.text or "",
        html=bodies.html,
        headers=_kept(headers) | _notes(judgement, bodies),
        raw_size=len(raw),
        judgement=judgement,
    )


def _judgement(message: Message, subject: str, bodies: Bodies) -> Judgement:
    # Its reader takes headers as they stand; an encoded subject would hide an absence note from it.
    del message["Subject"]
    message["Subject"] = subject
    judgement = classify_message(message)
    if bodies.is_calendar_reply and judgement.kind in ("auto_reply", "bulk"):
        return Judgement("reply", "text/calendar METHOD:REPLY")  # a machine wrote it down, a person chose
    return judgement


def _digest(raw: bytes) -> str:
    start = raw.find(b"\n\n")
    return hashlib.sha256(raw[start : start + _DIGESTED].translate(None, _UNSTEADY)).hexdigest()


def _delivered_to(headers: Headers) -> tuple[str, ...]:
    others = [name for name in headers.names() if _RECIPIENT.fullmatch(name)]
    return tuple(dict.fromkeys((*headers.addresses(*_ENVELOPE, *others), *headers.received_for())))


def _kept_by_relays(headers: Headers) -> list[str]:
    """What relays and groups keep of the thread in headers of their own: X-Original-References and the like."""
    names = [name for name in headers.names() if name.startswith("x-")]
    return [clean(value) for value in headers.all(*names) if "action." in value.lower()][:_MOST_REFERENCES]


def _kept(headers: Headers) -> dict[str, str]:
    return {name.lower(): clean(headers.first(name)[:_LONGEST_KEPT]) for name in _KEPT if name in headers}


def _notes(judgement: Judgement, bodies: Bodies) -> dict[str, str]:
    notes = {"judged_by": clean(judgement.reason)}
    if judgement.returns_on:
        notes["returns_on"] = judgement.returns_on.isoformat()
    if bodies.notes:
        notes["decoded"] = "; ".join(bodies.notes)[:_LONGEST_KEPT]
    return notes
