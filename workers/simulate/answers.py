"""Assumed answers: whether, when and how somebody answers a message, drawn from a seed and the message alone."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from random import Random
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of answer: how many in a hundred are like that, and what they say."""

    name: str
    share: int
    text: str
    by_machine: bool = False


# In hundredths. The words are such as the fleet understands without doubt: what it makes of harder ones is measured
# elsewhere, and no business of a forecast.
KINDS: Final = (
    Kind("question", 35, "Thank you for your message. Could you tell me how long delivery would take?"),
    Kind("other", 15, "Thank you, I have passed this on to my colleague, who is in charge of it."),
    Kind("refusal", 20, "Thank you, but we are not interested."),
    Kind("acceptance", 10, "We accept your offer. Please go ahead."),
    Kind("opt_out", 5, "Please take me off your mailing list."),
    Kind("absence", 15, "I am out of the office. I will answer your message when I am back.", by_machine=True),
)
# A person answers within three days, most of them on the first; a machine at once.
_SLOWEST: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Answer:
    """A mail that somebody is assumed to write.

    Attributes:
        at: when it comes in, to the minute.
        kind: one of KINDS, by its name.
        mail: it, as bytes.
    """

    at: datetime
    kind: str
    mail: bytes


def assumed_answer(message: EmailMessage, sent_at: datetime, *, rate: float, seed: int) -> Answer | None:
    """Return what comes back for a message, or None; nobody answers a forward, which bears no reference of ours.

    Nothing is drawn from the message's number: a simulation that is repeated finds other numbers in its database.

    Args:
        message: as it left.
        sent_at: when it did.
        rate: how likely it is answered, 0..1.
        seed: of the draw.
    """
    drawn = Random(f"{seed} {message['To']} {message['Subject']} {sent_at.isoformat()}")  # noqa: S311  # no secret
    if message["X-Fleet-Reference"] is None or drawn.random() >= rate:
        return None
    (kind,) = drawn.choices(KINDS, [kind.share for kind in KINDS])
    delay = timedelta(minutes=1) if kind.by_machine else _SLOWEST * drawn.random() ** 2
    at = (sent_at + delay).replace(second=0, microsecond=0) + timedelta(minutes=1)
    return Answer(at, kind.name, _mail(message, kind, at))


def _mail(message: EmailMessage, kind: Kind, at: datetime) -> bytes:
    mail = EmailMessage()
    mail["From"] = message["To"]
    mail["To"] = message["Reply-To"] or message["From"]
    mail["Subject"] = f"{'Automatic reply' if kind.by_machine else 'Re'}: {message['Subject']}"
    mail["Date"] = format_datetime(at)
    number = hashlib.sha256(message["Message-ID"].encode()).hexdigest()[:32]
    mail["Message-ID"] = f"<{number}@simulation.invalid>"
    mail["In-Reply-To"] = mail["References"] = message["Message-ID"]
    if kind.by_machine:
        mail["Auto-Submitted"] = "auto-replied"
    mail.set_content(kind.text)
    return mail.as_bytes()
