"""Mail as customers and their servers write it."""

from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from typing import Final

from workers.delivery.message import Letter

_NUMBER: Final = count(1)
OURS: Final = "care@northwind.example"
CUSTOMER: Final = "Ann Archer <ann@acme.example>"
UNHAPPY: Final = (
    "The delivery was two weeks late, half of the parts were broken, and nobody answered my calls. Very disappointed."
)
HAPPY: Final = "Everything arrived on time and works perfectly. Great service, thank you very much!"


def as_read(letter: Letter) -> EmailMessage:
    """A letter of ours as its reader's program understands it."""
    return message_from_bytes(letter.raw.replace(b"\r\n", b"\n"), policy=policy.default.clone(refold_source="none"))


def letter(
    text: str = "Hello, a short note.",
    *,
    sender: str = CUSTOMER,
    to: str = OURS,
    answers: Sequence[str] = (),
    message_id: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    html: bool = False,
) -> bytes:
    """Return a mail; `answers` are Message-IDs, the last of them the one that it replies to."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = "Re: your message" if answers else "A note"
    message["Date"] = "Mon, 02 Mar 2026 10:00:00 +0100"
    message["Message-ID"] = message_id or f"<{next(_NUMBER)}@acme.example>"
    if answers:
        message["In-Reply-To"] = answers[-1]
        message["References"] = " ".join(answers)
    for name, value in headers:
        message[name] = value
    message.set_content(text, subtype="html" if html else "plain")
    return bytes(message)


def by_hand(*lines: str, body: str | bytes = "Yes, that suits us. Please go ahead.\n") -> bytes:
    """Return a mail of which each header line, and every byte of the body, is as given; what is not given is usual."""
    given = {line.partition(":")[0].lower() for line in lines}
    usual = (
        f"From: {CUSTOMER}", f"To: {OURS}", "Subject: Re: your message", "Date: Mon, 02 Mar 2026 10:00:00 +0100",
        f"Message-ID: <{next(_NUMBER)}@acme.example>", "MIME-Version: 1.0",
    )  # fmt: skip
    head = [*lines, *(line for line in usual if line.partition(":")[0].lower() not in given)]
    text = body.encode() if isinstance(body, str) else body
    return "".join(f"{line}\n" for line in head).encode() + b"\n" + text


def bounce(about: str, address: str, status: str, *, action: str = "failed", said: str = "no such user") -> bytes:
    """Return the report of a mail server about the message with that Message-ID."""
    number = next(_NUMBER)
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.northwind.example
To: {OURS}
Subject: Undelivered Mail Returned to Sender
Date: Mon, 02 Mar 2026 10:00:00 +0100
Message-ID: <{number}@mx.northwind.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b{number}"

--b{number}
Content-Type: text/plain

I could not deliver your message.

--b{number}
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.northwind.example

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {status.replace(".", "")[:1]}50 {status} {said}

--b{number}
Content-Type: message/rfc822

From: {OURS}
To: {address}
Subject: Hello
Message-ID: {about}

Hello
--b{number}--
""".encode()


def part_of(message: EmailMessage, kind: str = "plain") -> str:
    """Return the text, or the HTML page (kind "html"), of a letter of ours."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())
