"""Tell mail that machines send (auto-replies, absence notes, bounces, bulk) from what a person wrote."""

import re
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final, Literal

from workers.insight.addresses import fold_address
from workers.insight.phrases import load

__all__ = ["Judgement", "Kind", "classify_message"]

Kind = Literal["reply", "auto_reply", "out_of_office", "bounce", "bulk"]

_LONGEST_HEADER: Final = 2_000
_MOST_PARTS: Final = 100
_DEEPEST: Final = 12
_REPORT: Final = 60_000
_SUBJECTS: Final = load("machine_subjects")
_AWAY: Final = tuple(_SUBJECTS["away"])
_UNDELIVERED: Final = tuple(_SUBJECTS["undelivered"])
_REPLY_MARK: Final = re.compile(
    r"(?:(?:" + "|".join(_SUBJECTS["reply_marks"]) + r")\s?(?:\[\d{1,3}\])?\s?[:\uff1a]\s{0,5}){1,9}"
)
_STATUS: Final = re.compile(r"^status:[ \t]*(?P<code>[245]\.\d{1,3}\.\d{1,3})", re.IGNORECASE | re.MULTILINE)
_ACTION: Final = re.compile(r"^action:[ \t]*(?P<action>[a-z]{1,20})", re.IGNORECASE | re.MULTILINE)
_RECIPIENT: Final = re.compile(
    r"^(?P<kind>final|original)-recipient:[ \t]*(?:rfc822|utf-8|local)[ \t]*;[ \t]*"
    r"(?P<address>[^\r\n]{1,320})",
    re.IGNORECASE | re.MULTILINE,
)
_DIAGNOSTIC: Final = re.compile(
    r"^diagnostic-code:[ \t]*(?P<text>[^\r\n]{1,400}(?:\r?\n[ \t][^\r\n]{1,400}){0,4})",
    re.IGNORECASE | re.MULTILINE,
)
_SMTP_CODE: Final = re.compile(r"\b(?P<class>[45])\d\d[ -]|\b(?P<enhanced>[45])\.\d{1,3}\.\d{1,3}\b")
_MAILER: Final = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon|mailerdaemon)(?:@|$)", re.IGNORECASE)
_FLAGS: Final = (
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Auto-Reply",
    "X-AutoReply-From",
    "X-Mail-Autoreply",
    "X-Auto-Response",
)
_BULK_FLAGS: Final = (
    "List-Id",
    "List-Unsubscribe",
    "Feedback-ID",
    "X-Campaign",
    "X-CampaignID",
    "X-SG-EID",
    "X-MC-User",
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What kind of mail it is, and for a bounce whom it could not reach.

    Attributes:
        kind: "reply" for everything that a person may have written.
        reason: The header that decided, for the history ("Auto-Submitted: auto-replied").
        hard: For a bounce, True if the failure is final (5.x.x), False if it may pass (4.x.x); else None.
        recipient: For a bounce, the address that failed, folded; None if the report does not say.
        status: The enhanced status code of a bounce ("5.1.1"), or None.
    """

    kind: Kind
    reason: str
    hard: bool | None = None
    recipient: str | None = None
    status: str | None = None


def classify_message(message: Message) -> Judgement:
    """Judge by its headers whether a mail is a person's reply or a machine's.

    RFC 3464 delivery reports are bounces, RFC 3834 `Auto-Submitted` and its older relatives auto-replies. A
    subject tells an absence note from other automatic replies, and never makes a machine's mail of a person's
    on its own. A report of a delay (`Action: delayed`) is a bounce that is not hard; one of success is an
    auto-reply.

    Args:
        message: A parsed mail (`email.message.EmailMessage` or the older `Message`), however broken.

    Returns:
        A `Judgement`. Never raises; reads headers up to 2,000 characters, 100 parts, 12 levels and 60,000
        characters of a report.
    """
    bounce = _bounce(message)
    if bounce is not None:
        return bounce
    automatic = _automatic(message)
    if automatic:
        return Judgement("out_of_office" if _is_away(message) else "auto_reply", automatic)
    bulk = _bulk(message)
    if bulk:
        return Judgement("bulk", bulk)
    return Judgement("reply", "no sign of a machine")


def _bounce(message: Message) -> Judgement | None:
    reports = [part for part in _parts(message) if _type(part) in _REPORT_TYPES]
    is_report = _type(message) == "multipart/report"
    if reports:
        return _from_report("\n".join(_report_text(part) for part in reports)[:_REPORT])
    sender = fold_address(_header(message, "From"))
    subject = _header(message, "Subject").casefold()
    failed = _header(message, "X-Failed-Recipients")
    from_daemon = _MAILER.match(sender) is not None
    if failed or (from_daemon and (is_report or any(phrase in subject for phrase in _UNDELIVERED))):
        text = _first_text(message)
        status = re.search(r"\b[245]\.\d{1,3}\.\d{1,3}\b", text)
        hard = _hard(status[0] if status else None, text)
        recipient = fold_address(failed.split(",")[0]) if failed else None
        return Judgement(
            "bounce",
            "X-Failed-Recipients" if failed else "From: " + sender,
            hard,
            recipient,
            status and status[0],
        )
    return None


_REPORT_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})


def _from_report(text: str) -> Judgement:
    actions = [match["action"].casefold() for match in _ACTION.finditer(text)]
    statuses = [match["code"] for match in _STATUS.finditer(text)]
    recipients = {match["kind"].casefold(): match["address"] for match in reversed(list(_RECIPIENT.finditer(text)))}
    # The original recipient is the address we wrote to; the final one may be where it was forwarded.
    address = recipients.get("original") or recipients.get("final")
    recipient = fold_address(address) if address else None
    status = next((code for code in statuses if code[0] != "2"), statuses[0] if statuses else None)
    if actions and all(action in {"delivered", "relayed", "expanded"} for action in actions):
        return Judgement("auto_reply", "delivery report: " + actions[0], None, recipient, status)
    diagnostic = _DIAGNOSTIC.search(text)
    hard = "failed" in actions or not actions
    hard = hard and _hard(status, diagnostic["text"] if diagnostic else "") is not False
    reason = f"delivery report: {actions[0] if actions else 'no action'}"
    return Judgement("bounce", reason, hard, recipient, status)


def _hard(status: str | None, text: str) -> bool | None:
    """True for a final failure, False for one that may pass, None if nothing says so."""
    if status is not None and status[0] in "45":
        # A full mailbox is reported as 5.2.2 by some servers, and passes nevertheless.
        return status[0] == "5" and status != "5.2.2"
    code = _SMTP_CODE.search(text[:2_000])
    if code is None:
        return None
    return (code["class"] or code["enhanced"]) == "5"


def _automatic(message: Message) -> str:  # noqa: PLR0911 - a list of headers, each with its answer
    """The header that says a machine answered, or an empty text."""
    submitted = _header(message, "Auto-Submitted").partition(";")[0].strip().casefold()
    precedence = _header(message, "Precedence").casefold()
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted[:40]}"
    if flag := next((name for name in _FLAGS if _header(message, name).casefold() not in _NO), ""):
        return flag
    if precedence in {"auto_reply", "auto-reply", "autoreply"}:
        return f"Precedence: {precedence}"
    if _header(message, "Return-Path").replace(" ", "") == "<>" and not _header(message, "List-Id"):
        return "Return-Path: <>"
    if _is_away(message):
        # Exchange sets these on its own notes, but some programs on everything: the subject has to agree.
        suppress = {word.strip() for word in _header(message, "X-Auto-Response-Suppress").casefold().split(",")}
        if suppress & {"all", "oof", "autoreply"}:
            return "X-Auto-Response-Suppress"
        if _header(message, "X-MS-Exchange-Inbox-Rules-Loop"):
            return "X-MS-Exchange-Inbox-Rules-Loop"
        if precedence in {"bulk", "junk"}:
            return f"Precedence: {precedence}"
    return ""


_NO: Final = frozenset({"", "no", "false", "0"})


def _bulk(message: Message) -> str:
    precedence = _header(message, "Precedence").casefold()
    if precedence in {"bulk", "junk", "list"}:
        return f"Precedence: {precedence}"
    if _header(message, "In-Reply-To"):
        # A person's answer through a mailing list is threaded to what it answers; a newsletter is not.
        return ""
    return next((name for name in _BULK_FLAGS if _header(message, name)), "")


def _is_away(message: Message) -> bool:
    subject = _header(message, "Subject").casefold()
    mark = _REPLY_MARK.match(subject)
    return subject[mark.end() if mark else 0 :].strip(" [(*").startswith(_AWAY)


def _header(message: Message, name: str) -> str:
    """A header as text; empty if it is missing or cannot even be parsed."""
    try:
        value: Any = message.get(name)
    except Exception:  # noqa: BLE001 - the standard parser raises many kinds of errors on hostile headers
        return ""
    if value is None:
        return ""
    try:
        return str(value)[:_LONGEST_HEADER].strip()
    except Exception:  # noqa: BLE001 - as above: headers are rendered lazily
        return ""


def _type(part: Message) -> str:
    try:
        return part.get_content_type()
    except Exception:  # noqa: BLE001 - as above
        return ""


def _parts(message: Message) -> list[Message]:
    """The mail and its parts, level by level, at most a hundred of them."""
    found: list[Message] = [message]
    level = [message]
    for _ in range(_DEEPEST):
        below = [part for parent in level for part in _children(parent)][: _MOST_PARTS - len(found)]
        if not below:
            break
        found += below
        # What a bounce carries back is the mail that was sent: its own reports are not this bounce's.
        level = [part for part in below if _type(part) not in {"message/rfc822", *_REPORT_TYPES}]
    return found


def _children(part: Message) -> list[Message]:
    payload = part.get_payload() if part.is_multipart() else None
    return [child for child in payload[:_MOST_PARTS] if isinstance(child, Message)] if isinstance(payload, list) else []


def _report_text(part: Message) -> str:
    """A delivery status as text: the standard parser reads its groups of fields as messages of their own."""
    groups = _children(part)
    if not groups:
        return _body(part)
    return "\n\n".join(
        "\n".join(f"{name}: {_header(group, name)}" for name in _REPORT_FIELDS if _header(group, name))
        for group in groups
    )


_REPORT_FIELDS: Final = ("Original-Recipient", "Final-Recipient", "Action", "Status", "Diagnostic-Code")


def _first_text(message: Message) -> str:
    return next((_body(part) for part in _parts(message) if _type(part) == "text/plain"), "")


def _body(part: Message) -> str:
    try:
        payload: Any = part.get_payload(decode=True)
    except Exception:  # noqa: BLE001 - as above: broken encodings
        return ""
    if not isinstance(payload, bytes):
        return ""
    return payload[:_REPORT].decode("utf-8", "replace")
