"""Complaints: somebody told his provider that a mail of ours is spam (RFC 5965, and what came before it)."""

import re
from email.message import Message
from typing import Final

from workers.insight.addresses import addresses_in
from workers.insight.message_parts import content_type, enclosed, header, own_parts, text_of
from workers.insight.ses_notices import read_notice

__all__ = ["read_complaint"]

_FIELD: Final = re.compile(r"^(?P<name>[A-Za-z-]{3,40})[ \t]*:[ \t]*(?P<value>[^\n]{0,1000})", re.MULTILINE)
# auth-failure (RFC 6591) and dmarc are a server's reports, virus a scanner's; not-spam takes a complaint back.
_NO_COMPLAINTS: Final = frozenset({"auth-failure", "dmarc", "virus", "not-spam"})
_RECIPIENTS: Final = frozenset({"original-rcpt-to", "removal-recipient", "redacted-address"})
_MOST: Final = 100


def read_complaint(message: Message, text: str) -> tuple[str, ...] | None:
    """Whose complaint a mail reports, if it is such a report.

    Args:
        message: The mail, parsed.
        text: What it says itself, as `plain_text` returns it.

    Returns:
        The addresses that complained, folded: as reported, else the one to which the enclosed mail went. Empty if the
        provider hides it: then the enclosed Message-ID has to tell. None if it is no complaint.
    """
    reports = [text_of(part) for part in own_parts(message) if content_type(part) == "message/feedback-report"]
    originals = enclosed(message)
    if not reports:
        return _without_report(text, originals)
    fields = [(match["name"].casefold(), match["value"].strip()) for match in _FIELD.finditer("\n".join(reports))]
    kind = next((value.casefold() for name, value in fields if name == "feedback-type"), "abuse")
    if kind in _NO_COMPLAINTS:
        return None
    told = [found for name, value in fields if name in _RECIPIENTS for found in addresses_in(value)]
    if not told:
        sent_to = [addresses_in(header(mail, "To")) for mail in originals]
        told = [addresses[0] for addresses in sent_to if len(addresses) == 1]
    return tuple(dict.fromkeys(told))[:_MOST]


def _without_report(text: str, originals: list[Message]) -> tuple[str, ...] | None:
    """Outlook.com's Junk Mail Reporting Program encloses the mail, and a header of it names who complained."""
    told = [found for mail in originals for found in addresses_in(header(mail, "X-HmXmrOriginalRecipient"))]
    notice = read_notice(text)
    if notice is not None and notice.kind == "complaint":
        told = [refusal.recipient for refusal in notice.refusals]
    return tuple(told) or None
