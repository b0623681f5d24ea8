"""Notices of Amazon SES that come by mail: JSON in the text, as its "Amazon SNS notification contents" describe it."""

import json
from dataclasses import dataclass
from typing import Any, Final

from workers.insight.addresses import fold_address

__all__ = ["Notice", "Refusal", "read_notice"]

_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """One recipient of a bounce notice: the address folded, status ("5.1.1" or empty), and what the server said."""

    recipient: str
    status: str
    said: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice.

    Attributes:
        kind: "bounce", "complaint", "delivery" or another in lower case.
        passing: For a bounce, whether SES calls it transient.
        refusals: For a bounce, whom it did not reach; for a complaint, who may have complained.
        message_ids: Those of the mail it is about, in angle brackets.
    """

    kind: str
    passing: bool
    refusals: tuple[Refusal, ...]
    message_ids: tuple[str, ...]


def read_notice(text: str) -> Notice | None:
    """Read a mail's text as such a notice, wrapped in one of Amazon SNS or not; None if it is none. Never raises."""
    told = _object(text)
    if _text(told, "Type") == "Notification":
        told = _object(_text(told, "Message"))
    if not isinstance(told, dict):
        return None
    kind = _text(told, "notificationType") or _text(told, "eventType")
    mail = told.get("mail")
    about = told.get(kind.casefold())
    if not kind or not isinstance(mail, dict):
        return None
    named = (_list(about, "bouncedRecipients") or _list(about, "complainedRecipients"))[:_MOST]
    headers = {_text(item, "name").casefold(): _text(item, "value") for item in _list(mail, "headers")}
    written = (headers.get("message-id", ""), _text(mail.get("commonHeaders"), "messageId"))
    return Notice(
        kind=kind.casefold(),
        passing=_text(about, "bounceType") == "Transient",
        refusals=tuple(
            Refusal(fold_address(_text(item, "emailAddress")), _text(item, "status"), _text(item, "diagnosticCode"))
            for item in named
        ),
        message_ids=tuple(dict.fromkeys(f"<{found.strip('<> ')}>" for found in written if found)),
    )


def _object(text: str) -> Any:
    """What a text begins with in JSON, if it names one of the keys of a notice; else None."""
    start = text.lstrip()
    if not start.startswith("{") or not any(name in start for name in ("notificationType", "eventType")):
        return None
    try:
        return json.JSONDecoder().raw_decode(start)[0]
    except (ValueError, RecursionError):
        return None


def _text(item: Any, name: str) -> str:
    value = item.get(name) if isinstance(item, dict) else None
    return value if isinstance(value, str) else ""


def _list(item: Any, name: str) -> list[Any]:
    value = item.get(name) if isinstance(item, dict) else None
    return value if isinstance(value, list) else []
