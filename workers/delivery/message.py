"""The message that carries a letter: its headers, its two parts, and the way out of further ones."""

import re
from contextlib import suppress
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
_LONGEST_LINE: Final = 998  # that mail may have (RFC 5322, 2.1.1)
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
    default_name, sender_address = _named_address(from_address)
    try:
        sender = _address(sender_address, _header_text(known.sender_name or from_name or default_name))
    except ValueError as error:
        raise SenderError(f"{_header_text(from_address)!r} is no sender's address ({error})") from error
    try:
        recipient = _address(address)
    except ValueError as error:
        raise UnsendableError(f"{_header_text(address)!r} is no e-mail address ({error})") from error
    message = EmailMessage(_POLICY)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject_of(text, known)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = message_id(Answered(action, tenant), sender.domain)
    if known.thread:
        message["In-Reply-To"] = message["References"] = _header_text(known.thread.message_id)
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
            tenant=tenant_name or from_name or default_name,
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


def compose_forward(
    text: Text,
    original: bytes,
    *,
    action: int,
    tenant: UUID,
    tenant_name: str,
    address: str,
    from_name: str | None,
    from_address: str,
    answer_to: str,
) -> EmailMessage:
    """Build the message that hands somebody's mail on to the tenant's own people, whole and as an attachment.

    Whoever answers it answers the writer, and no machine answers it at all.

    Raises:
        SenderError: the sender's address is none.
        UnsendableError: the recipient's address is none.
    """
    default_name, sender_address = _named_address(from_address)
    try:
        sender = _address(sender_address, _header_text(from_name or default_name or tenant_name))
    except ValueError as error:
        raise SenderError(f"{_header_text(from_address)!r} is no sender's address ({error})") from error
    message = EmailMessage(_POLICY)
    message["From"] = sender
    try:
        message["To"] = _address(address)
    except ValueError as error:
        raise UnsendableError(f"{_header_text(address)!r} is no e-mail address ({error})") from error
    message["Subject"] = _header_text(text.subject)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = message_id(Answered(action, tenant), sender.domain)
    with suppress(ValueError):  # somebody at no address is answered some other way
        message["Reply-To"] = _address(answer_to)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    message.set_content(without_control_characters(text.body))
    _attach(message, original)
    _require_own_headers(message)
    return message


def _attach(message: EmailMessage, original: bytes) -> None:
    """Attach a mail with every byte of it: as a message where that can be written so, else as a file of one."""
    lines = original.splitlines()
    if original.isascii() and b"\0" not in original and max(map(len, lines), default=0) <= _LONGEST_LINE:
        # As it came: taken apart and written anew, some would be another one.
        part = EmailMessage(_POLICY)
        part["Content-Type"] = "message/rfc822"
        part["Content-Disposition"] = 'attachment; filename="original.eml"'
        part.set_payload("\r\n".join(line.decode("ascii") for line in lines) + "\r\n")
        message.make_mixed()
        message.attach(part)
    else:
        message.add_attachment(original, "application", "octet-stream", filename="original.eml")


def subject_of(text: Text, facts: Facts) -> str:
    """Return the subject under which a letter goes out: that of its thread, unless it begins one or was edited."""
    if facts.thread is None or text.edited:
        return _header_text(text.subject)
    first = _header_text(facts.thread.subject)
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


def _header_text(text: str) -> str:
    """Return a text that can be nothing but one line of a header: a reader finds no code in it and no end."""
    # =? begins an encoded word, which Python's own parser decodes wherever it stands, line ends included.
    line = without_control_characters(" ".join(text.split())).replace("=?", "= ?")
    return line if len(line) <= _LONGEST_HEADER_TEXT else f"{line[: _LONGEST_HEADER_TEXT - 1]}…"


def _named_address(text: str) -> tuple[str, str]:
    """Split `Customer Care <care@example.com>`, or an address alone, into name and address."""
    if not text.endswith(">"):
        return "", text.strip()
    name, _, address = text[:-1].rpartition("<")
    return name.strip().strip('"'), address


def _address(spec: str, name: str = "") -> Address:
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
