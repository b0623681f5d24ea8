"""The message that carries a letter: its headers, its two parts, and the way out of further ones."""

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime
from typing import Final, Self
from urllib.parse import quote
from uuid import UUID

import idna

from workers import clock
from workers.correspondence import Answered, message_id, opt_out_token, reference
from workers.delivery.facts import Facts
from workers.delivery.html_part import html_page
from workers.delivery.mime import UnsendableError, require_headers, written
from workers.delivery.texts import Text, footer, without_control_characters

_LONGEST_ADDRESS: Final = 320  # 64 for the name and 255 for the domain (RFC 5321, 4.5.3.1)
_LONGEST_HEADER_TEXT: Final = 250
# RFC 5322's dot-atom. Quoted names, comments and domain literals are left to those who like them: no customer has
# such an address, and mail programs disagree about where they end.
_NAME: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_DOMAIN: Final = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)
_LINE_END: Final = re.compile(r"\r\n?")
_ANSWERS: Final = "Re: "


class SenderError(ValueError):
    """The address to send from is none: the tenant's setting is at fault, not the message."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail as it goes out, and what of it is kept.

    Attributes:
        message_id: Its Message-ID, with angle brackets.
        sender: The address that it comes from, in ASCII.
        recipient: The address that it goes to, in ASCII.
        subject: Its subject, as people read it.
        text: Its plain text, as people read it.
        raw: The whole of it, with the line ends of SMTP.
    """

    message_id: str
    sender: str
    recipient: str
    subject: str
    text: str
    raw: bytes

    @classmethod
    def of(cls, message: EmailMessage) -> Self:
        """Return a message to one reader as one that goes out.

        Raises:
            UnsendableError: it would carry headers that nobody set.
        """
        raw = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        require_headers(raw.partition(b"\r\n\r\n")[0], message.keys())
        plain = message.get_body(("plain",))
        return cls(
            message_id=message["Message-ID"],
            sender=message["From"].addresses[0].addr_spec,
            recipient=message["To"].addresses[0].addr_spec,
            subject=message["Subject"],
            text=plain.get_content() if plain else "",
            raw=raw,
        )

    def parsed(self) -> EmailMessage:
        """Return it as the standard library reads it."""
        return message_from_bytes(self.raw, policy=policy.default)

    def headers(self) -> EmailMessage:
        """Return it without its parts, in a tenth of the time."""
        return BytesHeaderParser(policy=policy.default).parsebytes(self.raw)


def compose(
    text: Text,
    *,
    action: int,
    tenant: UUID,
    tenant_name: str | None = None,
    address: str,
    from_name: str | None,
    from_address: str,
    reply_to: str | None = None,
    facts: Facts | None = None,
    public_url: str | None = None,
) -> Letter:
    """Build the message of an action, in plain text and in HTML.

    Its Message-ID depends on tenant and action alone: a send repeated after a crash carries the same one, and
    an answer can be matched to what it answers. A short reference below the text and in a header of our own does the
    same where a relay replaces Message-IDs. What follows up an earlier message answers it, under its subject. Below the
    text stands who writes, and how to get no more of it (RFC 8058, where there is a `public_url`).

    Raises:
        SenderError: the sender's address is none.
        UnsendableError: the recipient's address is none, or the message would carry headers that nobody set.
        jinja2.TemplateError: what stands below the text cannot be written.
    """
    known = facts or Facts()
    sender, recipient = parties(from_address, known.sender_name or from_name, address)
    subject = subject_of(text, known)
    fields = {
        "From": str(sender),
        "To": str(recipient),
        "Subject": subject,
        "Date": format_datetime(clock.now()),
        "Message-ID": message_id(Answered(action, tenant), sender.domain),
    }
    if known.thread:
        fields["In-Reply-To"] = fields["References"] = header_text(known.thread.message_id)
    if reply_to:
        fields["Reply-To"] = reply_to
    # RFC 3834: other machines must not answer this with an out-of-office note.
    fields["Auto-Submitted"] = "auto-generated"
    mark = f"Ref: {reference(action)}"
    fields["X-Fleet-Reference"] = mark
    page = f"{public_url}/unsubscribe/{opt_out_token(action)}" if public_url else None
    wish = quote(f"unsubscribe\n\n{mark}")
    letter_to = f"mailto:{reply_to or sender.addr_spec}?subject=unsubscribe&body={wish}"
    fields["List-Unsubscribe"] = ", ".join(f"<{way}>" for way in (page, letter_to) if way)
    if page:
        fields["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    below = (
        footer(
            text.language,
            tenant=tenant_name or from_name or _named_address(from_address)[0],
            postal_address=known.postal_address,
            url=page,
        )
        + mark
    )
    body = without_control_characters(_LINE_END.sub("\n", text.body))
    plain = f"{body}\n{below}\n"
    links = [link for link in (page, known.wording.link) if link]
    html = html_page(subject, body, below, text.language, links)
    return Letter(
        message_id=fields["Message-ID"],
        sender=sender.addr_spec,
        recipient=recipient.addr_spec,
        subject=subject,
        text=plain,
        raw=written(fields, plain, html),
    )


def subject_of(text: Text, facts: Facts) -> str:
    """Return the subject under which a letter goes out: that of its thread, unless it begins one or was edited."""
    if facts.thread is None or text.edited:
        return header_text(text.subject)
    first = header_text(facts.thread.subject)
    return first if first.lower().startswith(_ANSWERS.lower()) else f"{_ANSWERS}{first}"


def header_text(text: str) -> str:
    """Return a text that can be nothing but one line of a header: a reader finds no code in it and no end."""
    # =? begins an encoded word, which Python's own parser decodes wherever it stands, line ends included.
    line = without_control_characters(" ".join(text.split())).replace("=?", "= ?")
    return line if len(line) <= _LONGEST_HEADER_TEXT else f"{line[: _LONGEST_HEADER_TEXT - 1]}…"


def parties(from_address: str, from_name: str | None, address: str) -> tuple[Address, Address]:
    """Return whom a message comes from, by a name that wins over the one in the address, and whom it goes to.

    Raises:
        SenderError: the sender's address is none.
        UnsendableError: the recipient's address is none.
    """
    default_name, sender_address = _named_address(from_address)
    try:
        sender = address_of(sender_address, header_text(from_name or default_name))
    except ValueError as error:
        raise SenderError(f"{header_text(from_address)!r} is no sender's address ({error})") from error
    try:
        return sender, address_of(address)
    except ValueError as error:
        raise UnsendableError(f"{header_text(address)!r} is no e-mail address ({error})") from error


def _named_address(text: str) -> tuple[str, str]:
    """Split `Customer Care <care@example.com>`, or an address alone, into name and address."""
    if not text.endswith(">"):
        return "", text.strip()
    name, _, address = text[:-1].rpartition("<")
    return name.strip().strip('"'), address


def address_of(spec: str, name: str = "") -> Address:
    """Return an address that any server understands; a domain with other than ASCII letters becomes its IDNA form.

    Raises:
        ValueError: it is none.
    """
    if len(spec) > _LONGEST_ADDRESS:
        raise ValueError(f"it has more than {_LONGEST_ADDRESS} characters")
    local, at, domain = spec.rpartition("@")
    if not (local and at and domain):
        raise ValueError("it needs a name, an @ and a domain")
    if not domain.isascii():  # IDNA 2008: the standard library's codec turns groß.example into gross.example
        domain = idna.encode(domain, uts46=True).decode("ascii")
    if not (_NAME.fullmatch(local) and _DOMAIN.fullmatch(domain)) or "=?" in local:
        raise ValueError("it contains what no address has outside quotes")
    return Address(name, username=local, domain=domain)
