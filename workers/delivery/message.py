"""The message that carries a letter: its headers, its two parts, and the way out of further ones."""

import re
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy, Policy
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote
from uuid import UUID

import idna

from workers import clock
from workers.correspondence import Answered, message_id, opt_out_token, reference
from workers.delivery.facts import Facts
from workers.delivery.html_part import html_page
from workers.delivery.texts import Text, footer, without_control_characters

_LONGEST_ADDRESS: Final = 320  # 64 for the name and 255 for the domain (RFC 5321, 4.5.3.1)
_LONGEST_HEADER_TEXT: Final = 250
# RFC 5322's dot-atom. Quoted names, comments and domain literals are left to those who like them: no customer has
# such an address, and mail programs disagree about where they end.
_NAME: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_DOMAIN: Final = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)
_ANSWERS: Final = "Re: "


class SenderError(ValueError):
    """The address to send from is none: the tenant's setting is at fault, not the message."""


class UnsendableError(ValueError):
    """The message will never be fit to be sent: its address is none, or a value breaks out of its header."""


class _UnbrokenHeader(UnstructuredHeader):
    """A header of words that no reader puts together again: Python would write long ones as encoded words."""

    name: str  # the registry makes a whole header of this half

    def fold(self, *, policy: Policy) -> str:
        """Break lines between words alone."""
        words = f"{policy.linesep} ".join(str(self).split())
        return f"{self.name}: {words}{policy.linesep}"


class _Headers(HeaderRegistry):
    """Makes the class of a header once, where Python's own makes one for each header of each message."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, type[BaseHeader]] = {}

    def __getitem__(self, name: str) -> type[BaseHeader]:
        known = name.lower()
        if known not in self._made:
            self._made[known] = super().__getitem__(name)
        return self._made[known]


_HEADERS: Final = _Headers()
for _name in ("list-unsubscribe", "references", "in-reply-to"):
    _HEADERS.map_to_type(_name, _UnbrokenHeader)  # type: ignore[arg-type]  # half of a header, see above
_POLICY: Final = EmailPolicy(header_factory=_HEADERS)


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
) -> EmailMessage:
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
    message = EmailMessage(_POLICY)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject_of(text, known)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = message_id(Answered(action, tenant), sender.domain)
    if known.thread:
        message["In-Reply-To"] = message["References"] = header_text(known.thread.message_id)
    if reply_to:
        message["Reply-To"] = reply_to
    # RFC 3834: other machines must not answer this with an out-of-office note.
    message["Auto-Submitted"] = "auto-generated"
    mark = f"Ref: {reference(action)}"
    message["X-Fleet-Reference"] = mark
    page = f"{public_url}/unsubscribe/{opt_out_token(action)}" if public_url else None
    wish = quote(f"unsubscribe\n\n{mark}")
    letter_to = f"mailto:{reply_to or sender.addr_spec}?subject=unsubscribe&body={wish}"
    message["List-Unsubscribe"] = ", ".join(f"<{way}>" for way in (page, letter_to) if way)
    if page:
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    below = (
        footer(
            text.language,
            tenant=tenant_name or from_name or _named_address(from_address)[0],
            postal_address=known.postal_address,
            url=page,
        )
        + mark
    )
    body = without_control_characters(text.body)
    message.set_content(f"{body}\n{below}\n")
    links = [link for link in (page, known.wording.link) if link]
    message.add_alternative(html_page(message["Subject"], body, below, text.language, links), subtype="html")
    _require_own_headers(message)
    return message


def subject_of(text: Text, facts: Facts) -> str:
    """Return the subject under which a letter goes out: that of its thread, unless it begins one or was edited."""
    if facts.thread is None or text.edited:
        return header_text(text.subject)
    first = header_text(facts.thread.subject)
    return first if first.lower().startswith(_ANSWERS.lower()) else f"{_ANSWERS}{first}"


def _require_own_headers(message: EmailMessage) -> None:
    """Make sure that what is sent has the headers that were set, and no others.

    Python before 3.12.5 writes a line end that is hidden in a value as it is (CVE-2024-6923); later ones raise.
    """
    try:
        head = b"".join(message.policy.fold_binary(*header) for header in message.raw_items())
        written = BytesHeaderParser().parsebytes(head).keys()
    except MessageError as error:
        raise UnsendableError(f"the message cannot be written ({error})") from error
    if written != message.keys():
        raise UnsendableError("the message would carry headers of somebody else's making")


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
