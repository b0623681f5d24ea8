"""What a mail says in words: its texts, decoded, without what programs wrapped around them."""

import re
from collections.abc import Iterator
from email.message import Message
from html import escape
from typing import Any, Final, NamedTuple

from workers.inbound.mime import Parameters, parameters
from workers.insight.charsets import decode
from workers.insight.html_text import html_to_text

# More than that nobody types; the whole of it would only be carried around.
_LONGEST_BODY: Final = 1_000_000
_MOST_TEXTS: Final = 100
_MOST_FLOWED: Final = 10_000
_MOST_ENCLOSED: Final = 60_000
_MOST_PAGE: Final = 200_000  # characters of a page in which a comment is looked for
_HEAD_OF_PAGE: Final = 2_000

# RFC 1896 and what came before it write their tags as HTML does.
_TAGGED: Final = frozenset({"text/html", "text/enriched", "text/richtext"})
_SHOWN: Final = frozenset({"text/plain", "text/markdown", "text/calendar", *_TAGGED})

_HTML: Final = re.compile(r"\s*+<(?:!doctype html|html|head|body|div|p|table)\b", re.IGNORECASE)
# "This message requires an HTML viewer": what some programs put in the place of the text, beside the page.
_SHOWS: Final = r"(?:view|support|requires?|display|client|reader|anzeig|darstell|f\xe4hig|affich|visuali[sz]|weerge)"
_STUB: Final = re.compile(
    rf"\b{_SHOWS}.{{0,80}}\bhtml\b|\bhtml\b.{{0,80}}{_SHOWS}|\bmulti-?part message in mime\b", re.IGNORECASE | re.DOTALL
)
_LONGEST_STUB: Final = 300
_META_CHARSET: Final = re.compile(rb"<meta[^>]{1,200}?charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_ANSWERED: Final = re.compile(r"^METHOD:(?:REPLY|COUNTER)[ \t\r]*+$", re.IGNORECASE | re.MULTILINE)
_CALENDAR: Final = re.compile(r"^(SUMMARY|COMMENT|ATTENDEE)([;:][^\n]*+)$", re.IGNORECASE | re.MULTILINE)
_CHOICE: Final = re.compile(r"PARTSTAT=(ACCEPTED|DECLINED|TENTATIVE|DELEGATED)", re.IGNORECASE)
# A file that an old program wrote into the text, in uuencode.
_WRITTEN_IN: Final = re.compile(r"^begin [0-7]{3,4} [^\n]{1,200}\n(?:[!-`]{1,62}\n)++end[ \t]*$", re.MULTILINE)
_ENCRYPTED: Final = "-----BEGIN PGP MESSAGE-----\n"
_ENCRYPTED_END: Final = "-----END PGP MESSAGE-----"
_SIGNED: Final = "-----BEGIN PGP SIGNED MESSAGE-----\n"
_SIGNATURE: Final = "\n-----BEGIN PGP SIGNATURE-----\n"
_SIGNATURE_END: Final = "-----END PGP SIGNATURE-----"


class _CalendarReply(NamedTuple):
    """What somebody answers to an invitation: his comment, and what he chose for what ("Accepted: Demo")."""

    comment: str
    choice: str


class Bodies(NamedTuple):
    """What was found in a mail's parts.

    Attributes:
        text: The plain text; None if no part of the mail has any content.
        html: The first HTML page that is not blank, or None.
        enclosed: Headers and texts of the mails and reports that are enclosed, as written, at most 60,000 characters.
        is_calendar_reply: Whether a person answers a calendar's invitation with it.
        notes: How texts were decoded, where that was not as their labels say.
    """

    text: str | None
    html: str | None
    enclosed: str
    is_calendar_reply: bool
    notes: tuple[str, ...]


def read_bodies(message: Message) -> Bodies:
    """Read a mail's texts, at most 100 and 1,000,000 characters. What is attached or enclosed is not its own."""
    texts: list[str] = []
    pages: list[str] = []
    replies: list[_CalendarReply | None] = []
    enclosed: list[str] = []
    notes: dict[str, None] = {}
    filled = False
    lines = 0
    for part, inside in _parts(message):
        if inside or part.get_content_type() == "text/rfc822-headers":
            enclosed.append(_as_written(part))
        content = _content(part)
        # A report may have nothing else to say.
        has_fields = part.get_content_maintype() == "message" and part.is_multipart() and bool(part.get_payload())
        filled = filled or has_fields or bool(content.strip())
        kind = parameters(part)
        if inside or not content or not _is_shown(part, kind) or len(texts) + len(pages) + len(replies) >= _MOST_TEXTS:
            continue
        body, note = _body(content, kind, unfold=lines < _MOST_FLOWED)
        lines += body.count("\n")
        if note:
            notes[note] = None
        if kind.value == "text/calendar":
            replies.append(_calendar_reply(body))
        elif kind.value in _TAGGED or (_HTML.match(body) and "</" in body):  # whatever its label says
            pages.append(body)
        else:
            texts.append(body)
    text = "\n".join(body for body in texts if body.strip())
    page = next((page for page in pages if page.strip()), None)
    if page and len(text.strip()) <= _LONGEST_STUB and _STUB.search(text):
        text = ""
    reply = next(filter(None, replies), None)
    if reply:
        text, page = _with_reply(text, page, reply)
    return Bodies(
        text=text[:_LONGEST_BODY] if filled else None,
        html=page[:_LONGEST_BODY] if page else None,
        enclosed="\n".join(enclosed)[:_MOST_ENCLOSED],
        is_calendar_reply=reply is not None,
        notes=tuple(notes),
    )


def _parts(message: Message) -> Iterator[tuple[Message, bool]]:
    """Every part in its order, and whether it belongs to a mail or report that this one encloses."""
    waiting = [(message, False)]
    while waiting:
        part, inside = waiting.pop()
        yield part, inside
        if part.is_multipart():
            inside = inside or part.get_content_maintype() == "message"
            payload: Any = part.get_payload()
            waiting += [(child, inside) for child in reversed(payload)]


def _as_written(part: Message) -> str:
    fields = "".join(f"{name}: {value}\n" for name, value in part.raw_items())
    return fields[:_MOST_ENCLOSED] + "\n" + _content(part)[:_MOST_ENCLOSED].decode("utf-8", "replace")


def _is_shown(part: Message, kind: Parameters) -> bool:
    """Whether a mail program shows the part as what its writer says."""
    if not kind.value.startswith("multipart/") and kind.value not in _SHOWN:
        # "Content-Type: text", or none at all, is plain text.
        return part.get_content_type() == "text/plain" and "/" not in kind.value
    disposition = parameters(part, "Content-Disposition")
    return disposition.value != "attachment" and (kind.value == "text/calendar" or "filename" not in disposition.given)


def _content(part: Message) -> bytes:
    content: Any = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _body(content: bytes, kind: Parameters, *, unfold: bool) -> tuple[str, str | None]:
    """One text, decoded and laid out as its writer saw it; and how it was decoded, if not as labelled."""
    label = kind.given.get("charset")
    if kind.value == "text/html" and not label and (meta := _META_CHARSET.search(content, 0, _HEAD_OF_PAGE)):
        label = meta[1].decode()
    text, note = decode(content, label)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if kind.value.startswith("multipart/") and (boundary := kind.given.get("boundary")):
        for line in (f"\n--{boundary}--\n", f"\n--{boundary}\n"):
            text = f"\n{text}\n".replace(line, "\n")[1:-1]
    if kind.value not in _TAGGED:
        if unfold and kind.given.get("format", "").lower() == "flowed":
            text = _unfold_paragraphs(text, delsp=kind.given.get("delsp", "").lower() == "yes")
        text = _WRITTEN_IN.sub("", _without_signature_block(_without_encrypted_block(text)))
    return text, note


def _unfold_paragraphs(text: str, *, delsp: bool) -> str:
    """Undo format=flowed (RFC 3676): a line that ends with a blank goes on in the next of the same quote depth."""
    lines: list[list[str]] = []
    open_depth = -1
    *head, rest = text.split("\n", _MOST_FLOWED)
    for line in head:
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        is_separator = content == "-- "
        if depth == open_depth and not is_separator:
            lines[-1].append(content)
        else:
            lines.append([">" * depth + " " if depth else "", content])
        open_depth = depth if content.endswith(" ") and not is_separator else -1
        if open_depth >= 0 and delsp:
            lines[-1][-1] = content[:-1]
    return "\n".join([*("".join(pieces) for pieces in lines), rest])


def _without_encrypted_block(text: str) -> str:
    """The text without what is encrypted in it with OpenPGP: nobody here can read that."""
    start = text.find(_ENCRYPTED)
    end = text.find(_ENCRYPTED_END, start)
    return text if -1 in (start, end) else text[:start] + text[end + len(_ENCRYPTED_END) :]


def _without_signature_block(text: str) -> str:
    """The text that somebody signed with OpenPGP, without what the signature wrapped around it."""
    start = text.find(_SIGNED)
    begin = text.find("\n\n", start)
    end = text.find(_SIGNATURE, begin)
    last = text.find(_SIGNATURE_END, end)
    if -1 in (start, begin, end, last):
        return text
    said = re.sub(r"^- ", "", text[begin + 2 : end], flags=re.MULTILINE)
    return text[:start] + said + text[last + len(_SIGNATURE_END) :]


def _with_reply(text: str, page: str | None, reply: _CalendarReply) -> tuple[str, str | None]:
    """The text and the page with what was said with a calendar's answer on top, where they leave it out."""
    if text:
        return (text if _says(text, reply.comment) else f"{reply.comment}\n\n{text}"), page
    if page is None:
        return "\n\n".join(filter(None, reply)), None
    told = _says(html_to_text(page[:_MOST_PAGE]), reply.comment)
    return text, page if told else f"<p>{escape(reply.comment)}</p>\n{page}"


def _says(text: str, comment: str) -> bool:
    """Whether a text holds a comment, however it is laid out."""
    return "".join(comment.split()) in "".join(text.split())


def _calendar_reply(calendar: str) -> _CalendarReply | None:
    """What somebody answers to an invitation; None if it is no answer."""
    calendar = calendar.replace("\n ", "").replace("\n\t", "")
    if not _ANSWERED.search(calendar):
        return None
    fields: dict[str, str] = {}
    for name, value in _CALENDAR.findall(calendar):
        fields.setdefault(name.upper(), value)
    choice = _CHOICE.search(fields.get("ATTENDEE", ""))
    said = [fields.get(name, "").partition(":")[2] for name in ("COMMENT", "SUMMARY")]
    comment, subject = (re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], text) for text in said)
    chosen = choice[1].capitalize() if choice else "Answered"
    return _CalendarReply(comment.strip(), f"{chosen}: {subject.strip() or 'the invitation'}")
