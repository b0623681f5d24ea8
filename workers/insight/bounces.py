"""Bounces: what mail servers could not deliver, whom it was for and whose fault it was.

Reports come as RFC 3464 wants them, with those fields in a plain text, or as a text alone (qmail, Exim, sendmail,
Domino, IMail and many more), with the original enclosed, quoted below or left out.
"""

import re
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from typing import Final

from workers.insight.addresses import addresses_in, fold_address
from workers.insight.bounce_text import command_in, entries, named_in, notice
from workers.insight.delivery_report import Report, reports_in
from workers.insight.failures import Fault, read_codes, whose_fault
from workers.insight.message_parts import content_type, enclosed, header, own_parts, plain_text, text_of
from workers.insight.phrases import load
from workers.insight.ses_notices import Notice, Refusal, read_notice
from workers.insight.wording import Phrases, fold_words

__all__ = ["Failure", "is_daemon", "read_bounce", "returned_message_ids"]

_WORDS: Final = load("bounces")
_DAEMONS: Final = frozenset(_WORDS["daemons"])
_OFFICES: Final = frozenset(_WORDS["offices"])  # behind which a person may sit as well
_DAEMON_NAMES: Final = Phrases(_WORDS["daemon_names"])
_UNDELIVERED: Final = Phrases(_WORDS["undelivered"])
_DELAYED: Final = Phrases(_WORDS["delayed"])
_STATUS_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED_TYPES: Final = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
)
_MESSAGE_ID: Final = re.compile(
    r"^[ \t>]{0,10}message-id[ \t]*:\s{0,10}<?(?P<id>[^<>\s]{3,900})>?", re.IGNORECASE | re.MULTILINE
)
_NO_REPLY: Final = re.compile(r"no[._-]?reply|do[._-]?not[._-]?reply")
_TO: Final = re.compile(r"^[ \t>]{0,10}to[ \t]*:[ \t]*(?P<value>[^\n]{1,400})", re.IGNORECASE | re.MULTILINE)
_BEGINNING: Final = 3_000
_LONGEST_ENTRY: Final = 1_000  # of a text that is looked at for each of several recipients
_MOST_SAID: Final = 300
_MOST_FAILURES: Final = 20
_MOST_IDS: Final = 100
_DELAY: Final = Fault("moment", "delayed, and still being tried")
_PASSED: Final = Fault("moment", "not delivered, and said to pass")
_PROGRAM: Final = Fault("moment", "trouble at the receiver")
_BY_RULE: Final = Fault("message", "refused by a rule of the receiver")
# Where Amazon SES takes mail in it keeps no mailboxes: what it refuses, a receipt rule of the domain's owner refuses,
# and "Mailbox does not exist" is one of the answers to choose from (its developer guide, "Return bounce response").
_RULE_KEEPER: Final = re.compile(r"inbound-smtp\.[\w-]{1,30}\.amazonaws\.com")


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient whom a message did not reach.

    Attributes:
        recipient: The address, folded; None if the report does not say.
        fault: Whose fault it was, and why.
        status: The enhanced status code ("5.1.1"), else the SMTP reply ("550"), or None.
        said: What the server said, at most 300 characters.
        delayed: It is still being tried.
    """

    recipient: str | None
    fault: Fault
    status: str | None
    said: str
    delayed: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a report says, and what it was recognised by; no failures if everything arrived."""

    failures: tuple[Failure, ...]
    reason: str


def read_bounce(message: Message, text: str) -> Bounce | None:
    """Read a mail as the report of a mail server.

    A delivery status makes it one, whoever sent it; so does X-Failed-Recipients. Else a machine has to be the sender
    (a daemon's name, no address at all, an empty return path, a multipart/report), and the text has to say that
    something was not delivered; of a no-reply address, which others have too, the mail has to carry the original or
    a server's reply. What a person encloses is not looked at: who forwards a bounce is a person; but a gateway that
    encloses another's report in its own is read through.

    Args:
        message: The mail, parsed.
        text: What it says itself, as `plain_text` returns it.

    Returns:
        A `Bounce`, or None if it is no such report.
    """
    told = read_notice(text)
    if told is not None:
        refused = told.refusals if told.kind == "bounce" else ()
        return Bounce(tuple(_from_refusal(refusal, told) for refusal in refused), f"notice of Amazon SES: {told.kind}")
    status = _status_of(message)
    failed = header(message, "X-Failed-Recipients")
    from_a_machine = _from_a_machine(message, text)
    if not (status or failed or from_a_machine):
        return None
    if from_a_machine and not status:
        status = "\n\n".join(_status_of(mail) for mail in enclosed(message) if is_daemon(mail)).strip()
    text = notice(text)
    reports = reports_in(status) or reports_in(text)
    if reports:
        failures = _from_reports([report for report in reports if not report.success], message, text)
        return Bounce(tuple(failures[:_MOST_FAILURES]), f"delivery report: {reports[0].action or 'no action'}")
    if not (status or failed or _says_undelivered(message, text)):
        return None
    known_by = "delivery report: no recipient" if status else "X-Failed-Recipients" if failed else ""
    return Bounce(tuple(_from_text(message, text)), known_by or f"From: {header(message, 'From')[:80]}")


def returned_message_ids(message: Message) -> tuple[str, ...]:
    """The Message-IDs of what a report carries back: enclosed, as headers alone, or quoted in its text.

    Returns:
        Each once, in angle brackets, those of enclosed mails before those in texts; at most 100.
    """
    told = read_notice(plain_text(message))
    if told is not None:
        return told.message_ids
    parts = own_parts(message)[1:] or [message]
    parts.sort(key=lambda part: content_type(part) not in _RETURNED_TYPES)
    body = "\n".join(text_of(part) for part in parts)
    return tuple(dict.fromkeys(f"<{match['id']}>" for match in _MESSAGE_ID.finditer(body)))[:_MOST_IDS]


def is_daemon(message: Message) -> bool:
    """Whether a mail server itself is the sender, by its name or by naming no address (RFC 5321, 4.5.5)."""
    sender = header(message, "From")
    local = _local_part(sender)
    return local in _DAEMONS or sender == "<>" or _DAEMON_NAMES.found_in(fold_words(sender.partition("<")[0]))


def _status_of(message: Message) -> str:
    return "\n\n".join(text_of(part) for part in own_parts(message) if content_type(part) in _STATUS_TYPES)


def _from_a_machine(message: Message, text: str) -> bool:
    sender = header(message, "From") or header(message, "Sender")
    path = header(message, "Return-Path").replace(" ", "").casefold()
    null_path = path == "<>" or path.startswith("<mailer-daemon")  # the second is how some servers write the first
    if _NO_REPLY.fullmatch(_local_part(sender)):
        return null_path or bool(enclosed(message)) or read_codes(text)[0] is not None
    return (
        is_daemon(message)
        or null_path
        or "@" not in sender
        or _local_part(sender) in _OFFICES
        or content_type(message) == "multipart/report"
    )


# Asked for several times of each mail.
@lru_cache(256)
def _local_part(sender: str) -> str:
    return fold_address(sender).partition("@")[0].strip("<> \"'")


def _says_undelivered(message: Message, text: str) -> bool:
    if _UNDELIVERED.found_in(_subject_and(text, message)):
        return True
    # In words that are not known: then a server's reply, or the mail that it gives back, has to speak.
    return is_daemon(message) and (read_codes(text) != (None, None) or bool(enclosed(message)))


def _subject_and(text: str, message: Message) -> str:
    return fold_words(f"{header(message, 'Subject')} \n {text[:_BEGINNING]}")


def _from_reports(reports: list[Report], message: Message, text: str) -> list[Failure]:
    if len(reports) == 1:
        # One that names a file or a program instead of an address.
        whom = reports[0].recipient or next(iter(_recipients(message, text, [])), None)
        return [_from_report(reports[0], whom, text)]
    listed, whole = entries(text), text[:_LONGEST_ENTRY]
    return [_from_report(report, report.recipient, listed.get(report.recipient or "", whole)) for report in reports]


def _from_report(report: Report, recipient: str | None, entry: str) -> Failure:
    said = report.diagnostic or entry
    code, enhanced = read_codes(said)
    status = enhanced or report.status
    if report.action == "delayed":
        fault = _DELAY
    elif report.origin == "x-unix":
        fault = _PROGRAM  # its exit code and output: it stumbled, the address had been found
    else:
        fault = _reported_fault(report, entry, code, status)
    return Failure(recipient, fault, status, _shortened(said), delayed=fault is _DELAY)


def _reported_fault(report: Report, entry: str, code: int | None, status: str | None) -> Fault:
    said = report.diagnostic or entry
    command = command_in(entry) or command_in(report.diagnostic)
    if report.action == "failed" and status is not None and status.startswith("4.1."):
        code, status = None, f"5{status[1:]}"  # it was tried for days and is given up: what may pass has not passed
    if code is None and report.origin not in ("", "smtp") and status == "5.0.0":
        status = None  # a server that speaks for itself needs no code, and this is none
    fault = whose_fault(code, status, said, command=command)
    if fault.whose == "address" and _RULE_KEEPER.fullmatch(report.reporter):
        return _BY_RULE
    if fault.known or not report.diagnostic:
        return fault
    # What is told to people is more general than what a server said: it may explain, and gives no address up.
    told = whose_fault(code, status, f"{report.comment} {entry}", command=command)
    return fault if told.whose == "address" else told


def _from_refusal(refusal: Refusal, told: Notice) -> Failure:
    code, enhanced = read_codes(refusal.said)
    status = enhanced or refusal.status or None
    fault = whose_fault(code, status, refusal.said)
    if told.passing and fault.whose == "address":
        fault = _PASSED
    return Failure(refusal.recipient, fault, status, _shortened(refusal.said))


def _from_text(message: Message, text: str) -> list[Failure]:
    listed = entries(text)
    recipients: list[str | None] = [*_recipients(message, text, list(listed))[:_MOST_FAILURES]]
    delayed = _DELAYED.found_in(_subject_and(text, message))
    failures = []
    whole = text[:_LONGEST_ENTRY] if len(recipients) > 1 else text
    for recipient in recipients or [None]:
        entry = listed.get(recipient or "", whole) if len(recipients) > 1 else text
        code, enhanced = read_codes(entry)
        fault = _DELAY if delayed else whose_fault(code, enhanced, entry, command=command_in(entry))
        status = enhanced or (str(code) if code else None)
        said = entry if code else listed.get(recipient or "", whole)
        failures.append(Failure(recipient, fault, status, _shortened(said), delayed))
    return failures


def _recipients(message: Message, text: str, listed: list[str]) -> list[str]:
    """Whom a report without fields is about, by the surest way that it offers."""
    failed = addresses_in(header(message, "X-Failed-Recipients"))
    if failed:
        return failed
    ours = {address for name in ("To", "From", "Delivered-To") for address in addresses_in(header(message, name))}
    named = named_in(text)
    others = [address for address in listed if address not in ours] or [
        address for address in named if address not in ours
    ][:1]
    return others or _addressees(message) or listed or named[:1]


def _addressees(message: Message) -> list[str]:
    """To whom the original was addressed, enclosed or quoted, if to one alone."""
    whole = plain_text(message)
    quoted = whole[len(notice(whole)) :]
    enclosed_ones = [text_of(part) for part in own_parts(message) if content_type(part) in _RETURNED_TYPES]
    for original in [*enclosed_ones, quoted]:
        to = _TO.search(original)
        found = addresses_in(to["value"]) if to else []
        if len(found) == 1:
            return found
    return []


def _shortened(text: str) -> str:
    """The server's words, from its reply on where there is one."""
    line = " ".join(text.split())
    reply = re.search(r"(?<![\w.])[45]\d\d[ -]", line)
    return line[reply.start() if reply else 0 :][:_MOST_SAID]
