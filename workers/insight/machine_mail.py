"""Tell mail that machines send (auto-replies, absence notes, bounces, complaints, bulk) from what a person wrote."""

import re
from dataclasses import dataclass
from datetime import date
from email.message import Message
from typing import Final, Literal

from workers.insight.absence import is_away, returns_on, written_on
from workers.insight.bounces import Failure, is_daemon, read_bounce
from workers.insight.complaints import read_complaint
from workers.insight.failures import Fault
from workers.insight.message_parts import content_type, header, own_parts, plain_text
from workers.insight.phrases import load
from workers.insight.reply import split_reply
from workers.insight.subjects import without_tag
from workers.insight.wording import Phrases, fold_words

__all__ = ["Judgement", "Kind", "classify_message"]

Kind = Literal["reply", "auto_reply", "out_of_office", "bounce", "complaint", "bulk"]

_WORDS: Final = load("machine_mail")
# "Automatic reply: your message", and Notes' "AUTO: Ann Lee is out of the office (returning 03/06/2026)".
_MACHINES_SUBJECT: Final = re.compile(
    rf"(?:{'|'.join(_WORDS['machines_subjects'])})\s?[:\uff1a]|auto: .{{1,100}} out of (?:the )?office"
)
_RECEIPT_SUBJECTS: Final = tuple(_WORDS["receipt_subjects"])
_RECEIPT_BEGINNINGS: Final = tuple(_WORDS["receipt_beginnings"])
_RECEIPT_TEXT: Final = Phrases(_WORDS["receipt_texts"])
_CONFESSION: Final = Phrases(_WORDS["confessions"])
_DESK_WORDS: Final = Phrases(_WORDS["desk_words"])
_RECEIVED: Final = Phrases(_WORDS["desk_received"])
_PROMISES: Final = Phrases(_WORDS["desk_promises"])
# "request 4711", "ticket number is 4711" in folded words, and Jira's "SUP-12" in a subject.
_NUMBERED: Final = re.compile(
    rf"\b(?:{'|'.join((*_WORDS['desk_words'], *_WORDS['numbers']))})(?: \w+){{0,2}} [a-z]{{0,6}}\d{{2,20}}\b"
)
# Zendesk's first line, in any language: "##- Please type your reply above this line -##". What it sends is below.
_ASKING: Final = re.compile(r"\s*##-[^\n]{1,120}-##[ \t]*\n")
_KEY: Final = re.compile(r"\b[A-Z]{2,10}-\d{1,8}\b")
_NO_REPLY: Final = re.compile(r"\b(?:no|do-?not|dont)[-_.]?reply\b")
_COMPLAINED: Final = Fault("address", "reported as spam")
_BEGINNING: Final = 600
_CONFESSED: Final = 2_000
_NO: Final = frozenset({"", "no", "false", "0"})
_FLAGS: Final = (
    "X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-AutoReply-From", "X-Mail-Autoreply",
    "X-Auto-Response", "X-Apple-Action", "X-Vacation", "X-FC-MachineGenerated",
)  # fmt: skip
_BULK_FLAGS: Final = (
    "List-Id", "List-Unsubscribe", "Feedback-ID", "X-Campaign", "X-CampaignID", "X-SG-EID", "X-MC-User",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """What kind of mail it is, and what a machine's mail tells.

    Attributes:
        kind: "reply" for everything that a person may have written.
        reason: What decided, for the history ("Auto-Submitted: auto-replied").
        failures: For a bounce, whom it did not reach and whose fault that was; for a complaint, who complained.
        returns_on: For an absence note, the day it names: back on that day, or away until it; else None.
    """

    kind: Kind
    reason: str
    failures: tuple[Failure, ...] = ()
    returns_on: date | None = None


def classify_message(message: Message) -> Judgement:
    """Judge whether a mail is a person's, or a machine's and which.

    Complaints (RFC 5965) and read receipts (RFC 8098) are told by their reports, bounces as `read_bounce` says,
    automatic answers by RFC 3834 `Auto-Submitted` and its older relatives, or by their own words: "This is an automated
    message" beside a ticket. A subject or a text tells an absence note from other automatic answers, and makes a
    machine's mail of a person's only where nobody would write so. A report of success is an automatic answer.

    Args:
        message: A parsed mail (`email.message.EmailMessage` or the older `Message`), however broken.

    Returns:
        A `Judgement`. Never raises; reads headers up to 2,000 characters, 100 parts, 12 levels and 60,000 characters
        of each text.
    """
    text = plain_text(message)
    complained = read_complaint(message, text)
    if complained is not None:
        failures = tuple(Failure(address, _COMPLAINED, None, "") for address in complained or (None,))
        return Judgement("complaint", "feedback report", failures)
    if _is_receipt(message, text):
        return Judgement("auto_reply", "read receipt")
    bounce = read_bounce(message, text)
    if bounce is not None:
        return Judgement("bounce" if bounce.failures else "auto_reply", bounce.reason, bounce.failures)
    automatic = _automatic(message)
    if automatic:
        return _answer(message, text, automatic)
    if _is_of_a_desk(message, text):
        return _answer(message, text, "it says so itself")
    bulk = _bulk(message)
    return Judgement("bulk", bulk) if bulk else Judgement("reply", "no sign of a machine")


def _is_receipt(message: Message, text: str) -> bool:
    if any(content_type(part) == "message/disposition-notification" for part in own_parts(message)):
        return True
    # Some programs send the sentence alone: "Your message … was read on …".
    if not header(message, "Subject").casefold().startswith(_RECEIPT_SUBJECTS):
        return False
    words = fold_words(text[:_BEGINNING])
    return words.startswith(_RECEIPT_BEGINNINGS) and _RECEIPT_TEXT.found_in(words)


def _is_of_a_desk(message: Message, text: str) -> bool:
    """Whether a mail says in its own words that no person wrote it, and speaks of a request, or takes no answer.

    Or it says what ticket systems say: what came in was received, and somebody will look at it. People say so, too, but
    neither under a number nor with the headers of machines.
    """
    beginning = fold_words(text[:_CONFESSED])
    if not _CONFESSION.found_in(beginning) and not _RECEIVED.found_in(beginning):
        return False
    asking = _ASKING.match(text)
    own = fold_words((text[asking.end() :] if asking else split_reply(text).text)[:_CONFESSED])
    subject = header(message, "Subject")
    spoken = f"{fold_words(subject)} {own}"
    takes_none = _NO_REPLY.search(header(message, "From").casefold()) is not None
    if _RECEIVED.found_in(own) and _PROMISES.found_in(own):
        numbered = _NUMBERED.search(spoken) or _KEY.search(subject)
        if numbered or takes_none or _suspected(message):
            return True
    return _CONFESSION.found_in(own) and (takes_none or _DESK_WORDS.found_in(spoken))


def _answer(message: Message, text: str, reason: str) -> Judgement:
    """An automatic answer, or more exactly an absence note."""
    told = f"{header(message, 'Auto-Submitted')} {header(message, 'X-Apple-Action')}".casefold()
    if "vacation" not in told and not is_away(header(message, "Subject"), text):
        return Judgement("auto_reply", reason)
    sent_on = written_on(message)
    return Judgement("out_of_office", reason, returns_on=returns_on(message, text, sent_on) if sent_on else None)


def _automatic(message: Message) -> str:  # noqa: PLR0911 - a list of headers, each with its answer
    """The header that says a machine answered, or an empty text."""
    submitted = header(message, "Auto-Submitted").partition(";")[0].strip().casefold()
    precedence = _precedence(message)
    if is_daemon(message):
        return f"From: {header(message, 'From')[:40]}"
    if any(content_type(part) == "message/feedback-report" for part in own_parts(message)):
        return "feedback report, and no complaint"
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted[:40]}"
    if flag := next((name for name in _FLAGS if _is_set(message, name)), ""):
        return flag
    if precedence in {"auto_reply", "auto-reply", "autoreply"}:
        return f"Precedence: {precedence}"
    if header(message, "Return-Path").replace(" ", "") == "<>" and not header(message, "List-Id"):
        return "Return-Path: <>"
    if "mailbox rules agent" in header(message, "X-MS-Exchange-Generated-Message-Source").casefold():
        return "X-MS-Exchange-Generated-Message-Source"
    subject = header(message, "Subject")
    if not is_away(subject, ""):
        return ""
    # No person begins a subject so; behind "Re:" it may be what he answers.
    if _MACHINES_SUBJECT.match(without_tag(subject).casefold()):
        return f"Subject: {subject[:40]}"
    return _suspected(message)


def _is_set(message: Message, flag: str) -> bool:
    value = header(message, flag).casefold()
    # Apple notes on everybody's mail what became of it: MOVE_TO_FOLDER/INBOX, FORWARD, JUNK.
    return "vacation" in value if flag == "X-Apple-Action" else value not in _NO


def _precedence(message: Message) -> str:
    return (header(message, "Precedence") or header(message, "X-Precedence")).casefold()


def _suspected(message: Message) -> str:
    """The header that makes an automatic answer of what reads like one."""
    # Exchange sets these on its own notes, but some programs on everything.
    suppress = {word.strip() for word in header(message, "X-Auto-Response-Suppress").casefold().split(",")}
    if suppress & {"all", "oof", "autoreply"}:
        return "X-Auto-Response-Suppress"
    if header(message, "X-MS-Exchange-Inbox-Rules-Loop"):
        return "X-MS-Exchange-Inbox-Rules-Loop"
    precedence = _precedence(message)
    return f"Precedence: {precedence}" if precedence in {"bulk", "junk"} else ""


def _bulk(message: Message) -> str:
    precedence = header(message, "Precedence").casefold()
    if precedence in {"bulk", "junk", "list"}:
        return f"Precedence: {precedence}"
    if header(message, "In-Reply-To"):
        # A person's answer through a mailing list is threaded to what it answers; a newsletter is not.
        return ""
    return next((name for name in _BULK_FLAGS if header(message, name)), "")
