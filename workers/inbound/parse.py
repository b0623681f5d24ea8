"""From the bytes of a mail to what the fleet keeps of it, or to the reason why it cannot be taken.

Everybody may write to us, so a message is measured before the standard parser sees it: what would keep that
parser busy for minutes, or make it fail, is set aside.
"""

import codecs
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any, Final

from workers.insight.bounces import returned_message_ids
from workers.insight.machine_mail import Judgement, classify_message

MAX_BYTES: Final = 25 * 1024 * 1024
_MOST_HEADERS: Final = 2_000
_MOST_HEADER_BYTES: Final = 1_000_000
_MOST_PARTS: Final = 1_000
_DEEPEST: Final = 30
_MOST_LINES: Final = 1_000_000
# The parser compares every line with the boundary of every part it is inside of.
_MOST_CONTAINERS: Final = 200
_MOST_COMPARISONS: Final = 20_000_000
_MOST_BOUNDARIES: Final = 10_000
_LONGEST_TYPE: Final = 10_000
_LONGEST_HEADER: Final = 10_000
_LONGEST_ID: Final = 900  # bytes; an index entry has room for 2,700
_MOST_REFERENCES: Final = 100
_MOST_ADDRESSES: Final = 500
_LONGEST_ADDRESS: Final = 320  # RFC 5321: 64 + 1 + 255
# More than that nobody types; the whole of it would only be carried around.
_LONGEST_BODY: Final = 1_000_000
_LONGEST_KEPT: Final = 1_000

_CONTAINER: Final = re.compile(rb"^content-type[ \t]*:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
_TYPE: Final = re.compile(
    rb"^content-(?:type|disposition|transfer-encoding)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE
)
_BOUNDARY: Final = re.compile(rb"^--[^\s-]", re.MULTILINE)
_FIELD: Final = re.compile(rb"^[!-9;-~]{1,200}[ \t]*:", re.MULTILINE)
_ID: Final = re.compile(r"<([^<>\s]{1,900})>")
_ADDRESS: Final = re.compile(r"[^\s<>@\",;:()\[\]\\]{1,64}@[^\s<>@\",;:()\[\]\\]{1,255}")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_MAIL_FIELDS: Final = ("From", "To", "Subject", "Date", "Message-ID", "Received", "Return-Path", "MIME-Version")
_KEPT: Final = (
    "Auto-Submitted", "Cc", "Delivered-To", "Importance", "List-Id", "List-Unsubscribe", "Organization", "Precedence",
    "Reply-To", "Return-Path", "Sender", "User-Agent", "X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress",
    "X-Failed-Recipients", "X-Mailer", "X-Original-To", "X-Priority", "X-Spam-Flag",
)  # fmt: skip
_NO_SENDER: Final = "<>"  # the null reverse-path of RFC 5321, 4.5.5
# Codecs that belong to no mail: quadratic, or meant for program text.
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})


@dataclass(frozen=True, slots=True)
class Parsed:
    """A readable mail. No text holds NUL or lone surrogates: PostgreSQL takes neither.

    Attributes:
        fingerprint: SHA-256 of the raw bytes, in hexadecimal.
        message_id: With its angle brackets; made from the fingerprint if the mail has no usable one.
        in_reply_to: The Message-ID it answers, or None.
        references: The thread's Message-IDs, the eldest first, at most the last 100.
        returned_ids: For a bounce or a complaint, the Message-IDs of the mails that it carries back.
        from_address: As written, without the display name; "<>" for a machine that names no address.
        from_name: The display name, or None.
        to: The addresses in To and Cc.
        delivered_to: Where the mail servers put it: Delivered-To and X-Original-To.
        subject: Decoded, on one line; empty if missing.
        sent_at: The Date header in UTC; None if it is missing or no date.
        text: The plain-text body, attachments and enclosed mails excluded, at most 1,000,000 characters.
        html: The HTML body, or None, likewise.
        headers: Headers of use by their lower-case names, why the mail was judged as it was, and for an absence note
            the day of return that it names.
        raw_size: Bytes.
        judgement: What kind of mail it is.
    """

    fingerprint: str
    message_id: str
    in_reply_to: str | None
    references: tuple[str, ...]
    returned_ids: tuple[str, ...]
    from_address: str
    from_name: str | None
    to: tuple[str, ...]
    delivered_to: tuple[str, ...]
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
        _measure(raw)
        # compat32: the newer policies parse addresses as they read them, at length for hostile ones.
        message = BytesParser(policy=policy.compat32).parsebytes(raw)
        headers = _headers(message)
        message_id = _message_id(headers)
        return _parsed(message, headers, message_id, fingerprint, len(raw))
    except _UnreadableError as problem:
        reason = str(problem)
    except RecursionError:
        reason = "hostile: nested too deeply"
    except Exception as problem:  # noqa: BLE001  # the standard parser raises many kinds on hostile input
        reason = f"broken: {type(problem).__name__}"
    return SetAside(reason, fingerprint, message_id, len(raw))


def too_large(size: int) -> str | None:
    """Return why a message of that many bytes is not even read, or None."""
    return f"too large: {size / 1024 / 1024:.1f} MB, the limit is 25 MB" if size > MAX_BYTES else None


def _measure(raw: bytes) -> None:
    """Refuse what is no mail, or more than the parser should be asked to read."""
    if reason := too_large(len(raw)):
        raise _UnreadableError(reason)
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in raw else raw
    text = text.lstrip(b"\n")
    if not text:
        raise _UnreadableError("broken: empty")
    end = text.find(b"\n\n")
    head = text if end < 0 else text[:end]
    fields = sum(1 for _ in _FIELD.finditer(head))
    if fields == 0:
        raise _UnreadableError("broken: no header")
    lines = text.count(b"\n")
    containers = sum(1 for _ in _CONTAINER.finditer(text))
    measured = (
        (fields, _MOST_HEADERS, "headers"),
        (len(head), _MOST_HEADER_BYTES, "bytes of headers"),
        (lines, _MOST_LINES, "lines"),
        (containers, _MOST_CONTAINERS, "multipart and enclosed parts"),
        (lines * containers, _MOST_COMPARISONS, "lines times multipart parts"),
        (sum(1 for _ in _BOUNDARY.finditer(text)) if containers else 0, _MOST_BOUNDARIES, "boundaries"),
        (max((len(match[0]) for match in _TYPE.finditer(text)), default=0), _LONGEST_TYPE, "bytes in a content type"),
    )
    for number, most, what in measured:
        if number > most:
            raise _UnreadableError(f"hostile: more than {most:,} {what}")


def _parsed(
    message: Message, headers: Mapping[str, list[str]], message_id: str | None, fingerprint: str, size: int
) -> Parsed:
    if not any(name.lower() in headers for name in _MAIL_FIELDS):
        raise _UnreadableError("broken: no header of a mail")
    subject = _decoded(_first(headers, "Subject"))
    # Its reader takes headers as they stand; an encoded subject would hide an absence note from it.
    del message["Subject"]
    message["Subject"] = subject
    judgement = classify_message(message)
    from_address, from_name = _sender(headers)
    if from_address is None:
        if judgement.kind == "reply":
            raise _UnreadableError("broken: no sender")
        from_address = _NO_SENDER
    text, html = _bodies(message)
    kept = {name.lower(): _decoded(_first(headers, name))[:_LONGEST_KEPT] for name in _KEPT if name.lower() in headers}
    away = {"returns_on": judgement.returns_on.isoformat()} if judgement.returns_on else {}
    return Parsed(
        fingerprint=fingerprint,
        message_id=message_id or f"<{fingerprint}@no-message-id.invalid>",
        in_reply_to=next(iter(_ids(_first(headers, "In-Reply-To"))), None),
        references=tuple(_ids(" ".join(headers.get("references", [])))[-_MOST_REFERENCES:]),
        returned_ids=returned_message_ids(message) if judgement.kind in ("bounce", "complaint") else (),
        from_address=from_address,
        from_name=from_name,
        to=_addresses(headers, "To", "Cc"),
        delivered_to=_addresses(headers, "Delivered-To", "X-Original-To"),
        subject=subject,
        sent_at=_date(_first(headers, "Date")),
        text=text,
        html=html,
        headers=kept | {"judged_by": judgement.reason} | away,
        raw_size=size,
        judgement=judgement,
    )


def _headers(message: Message) -> dict[str, list[str]]:
    """The top headers by their lower-case names, unfolded; bytes beyond ASCII read as UTF-8, else as Latin-1."""
    headers: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        headers.setdefault(name.lower(), []).append(_readable(str(value)[:_LONGEST_HEADER]))
    return headers


def _first(headers: Mapping[str, list[str]], name: str) -> str:
    return headers.get(name.lower(), [""])[0]


def _message_id(headers: Mapping[str, list[str]]) -> str | None:
    value = _clean("".join(_first(headers, "Message-ID").split()))
    found = _ID.search(value)
    inner = found[1] if found else value.strip("<>")
    usable = inner and inner.strip("@.") and len(inner.encode()) <= _LONGEST_ID and not set("<>") & set(inner)
    return f"<{inner}>" if usable else None


def _ids(value: str) -> list[str]:
    return [f"<{inner}>" for inner in _ID.findall(_clean(value)) if len(inner.encode()) <= _LONGEST_ID]


def _sender(headers: Mapping[str, list[str]]) -> tuple[str | None, str | None]:
    """The first sender's address and display name."""
    value = _first(headers, "From") or _first(headers, "Sender")
    name, address = parseaddr(value)
    if not _ADDRESS.fullmatch(address) and not (address.startswith('"') and "@" in address):
        found = _ADDRESS.search(_QUOTED.sub(" ", value)) or _ADDRESS.search(value)
        name, address = "", found[0] if found else ""
    address = _clean("".join(address.split()))
    if not address or len(address) > _LONGEST_ADDRESS:
        return None, None
    return address, _decoded(name)[:_LONGEST_KEPT] or None


def _addresses(headers: Mapping[str, list[str]], *names: str) -> tuple[str, ...]:
    """The addresses in headers, each once, in their order; what looks like one inside a quoted name is none."""
    found: dict[str, None] = {}
    for name in names:
        for value in headers.get(name.lower(), [])[:_MOST_REFERENCES]:
            found.update(dict.fromkeys(_ADDRESS.findall(_QUOTED.sub(" ", _clean(value)))))
    return tuple(found)[:_MOST_ADDRESSES]


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _bodies(message: Message) -> tuple[str, str | None]:
    """The plain text and the HTML.

    Raises:
        _UnreadableError: it has too many parts, too deep ones, or nothing in any of them.
    """
    texts: list[str] = []
    pages: list[str] = []
    filled = False
    for part, enclosed in _parts(message):
        kind = part.get_content_type()
        if part.is_multipart():
            filled = filled or part.get_content_maintype() == "message"  # a report may have nothing else to say
            continue
        if part.get_content_maintype() == "multipart":
            kind = "text/plain"  # its boundary is missing: what stands in it is read as it is
        content: Any = part.get_payload(decode=True)
        content = content if isinstance(content, bytes) else b""
        filled = filled or bool(content.strip())
        if enclosed or part.get_content_disposition() == "attachment" or kind not in ("text/plain", "text/html"):
            continue
        body = _text(content, _charset(part)).replace("\r\n", "\n")
        (texts if kind == "text/plain" else pages).append(body)
    if not filled:
        raise _UnreadableError("broken: no body")
    text = "\n".join(text for text in texts if text.strip())[:_LONGEST_BODY]
    return text, next((page[:_LONGEST_BODY] for page in pages if page.strip()), None)


def _parts(message: Message) -> Iterator[tuple[Message, bool]]:
    """Every part in its order, and whether it belongs to a mail that this one encloses."""
    waiting = [(message, 0, False)]
    number = 0
    while waiting:
        part, depth, enclosed = waiting.pop()
        number += 1
        if number > _MOST_PARTS:
            raise _UnreadableError(f"hostile: more than {_MOST_PARTS:,} parts")
        if depth > _DEEPEST:
            raise _UnreadableError(f"hostile: nested more than {_DEEPEST} levels deep")
        yield part, enclosed
        if part.is_multipart():
            inside = enclosed or part.get_content_maintype() == "message"
            waiting += [(child, depth + 1, inside) for child in reversed(_children(part))]


def _children(part: Message) -> list[Message]:
    payload: Any = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _charset(part: Message) -> str | None:
    value = part.get_param("charset")
    return str(value[2] if isinstance(value, tuple) else value) if value else None


def _text(content: bytes, charset: str | None) -> str:
    """Bytes as text: in their own charset, else as UTF-8, else as Latin-1, which takes everything."""
    for name in (charset, "utf-8"):
        if not name or "\0" in name:
            continue
        try:
            codec = codecs.lookup(name).name
            if codec not in _NO_CHARSETS:
                return _clean(content.decode(codec))
        except (LookupError, ValueError):  # unknown, no text encoding, or not what it says
            continue
    return _clean(content.decode("latin-1"))


def _decoded(value: str) -> str:
    """A header's value with its encoded words decoded, on one line."""
    if "=?" in value:
        with suppress(HeaderParseError, ValueError):  # then it is shown as it was written
            value = "".join(_piece(piece, charset) for piece, charset in decode_header(value))
    return " ".join(_clean(value).split())


def _piece(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    return _text(piece, charset) if charset else piece.decode("raw-unicode-escape", "replace")


def _readable(value: str) -> str:
    """What the parser smuggles through as surrogates, read as text."""
    return value if value.isascii() else _text(value.encode("utf-8", "surrogateescape"), None)


def _clean(text: str) -> str:
    """Text that PostgreSQL takes: without NUL, lone surrogates replaced."""
    text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
