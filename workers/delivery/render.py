"""From an action's template and variables to the text a person reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Any, Final
from uuid import UUID

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from workers import clock
from workers.correspondence import Answered, message_id
from workers.resources import template_folders

_LINE_END: Final = "\x1e"  # stands for a line end inside a value; no text that people write contains it


class SenderError(ValueError):
    """The address to send from is none: the tenant's setting is at fault, not the message."""


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered action."""

    subject: str
    body: str


def render(template: str, variables: Mapping[str, Any], tenant_name: str) -> Text:
    """Fill a template: its first line is the subject, the rest the text.

    A line break inside a value stays inside what the value was put into: it ends no subject. A blank value
    counts as missing.

    Args:
        template: the name of a file in one of the template folders, without its ending.
        variables: what the engine wrote into the action.
        tenant_name: who the message comes from.

    Raises:
        jinja2.TemplateError: the template does not exist, misses a variable, or cannot use one.
    """
    values = _without_line_ends({**variables, "tenant": tenant_name})
    try:
        filled = _environment().get_template(f"{template}.txt.j2").render(values)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, TemplateError):  # TemplateNotFound is a LookupError as well
            raise
        raise TemplateError(f"{type(error).__name__}: {error}") from error
    subject, _, body = filled.strip("\n").partition("\n")
    return Text(" ".join(subject.split()), body.replace(_LINE_END, "\n").strip() + "\n")


def compose(
    text: Text,
    *,
    action: int,
    tenant: UUID,
    address: str,
    from_name: str | None,
    from_address: str,
    reply_to: str | None = None,
) -> EmailMessage:
    """Build the message of an action.

    Its Message-ID depends on tenant and action alone: a send repeated after a crash carries the same one, and
    an answer can be matched to what it answers.

    Raises:
        SenderError: the sender's address is none.
        ValueError: the recipient's address is none.
    """
    default_name, default_address = parseaddr(from_address)
    name = " ".join((from_name or default_name).split())
    try:
        sender = _address(default_address, name)
    except ValueError as error:
        raise SenderError(f"{from_address!r} is no sender's address ({error})") from error
    message = EmailMessage()
    message["From"] = sender
    message["To"] = _address(address)
    message["Subject"] = " ".join(text.subject.split())
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = message_id(Answered(action, tenant), sender.domain)
    if reply_to:
        message["Reply-To"] = reply_to
    # RFC 3834: other machines must not answer this with an out-of-office note.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text.body)
    return message


def _address(spec: str, name: str = "") -> Address:
    """Return an address that any server understands; a domain with other than ASCII letters becomes its IDNA form.

    Raises:
        ValueError: it is none.
    """
    local, at, domain = spec.rpartition("@")
    if not (local and at and domain):
        raise ValueError("it needs a name, an @ and a domain")
    try:
        address = Address(name, addr_spec=f"{local}@{domain.encode('idna').decode('ascii')}")
    except (HeaderParseError, LookupError, AttributeError) as error:  # what the parser makes of a hopeless one
        raise ValueError(str(error)) from error
    # The parser forgives comments and folding white space, and an SMTP dialogue does not.
    if any(character.isspace() or not character.isprintable() for character in address.addr_spec):
        raise ValueError("it contains white space or control characters")
    return address


def _without_line_ends(value: Any) -> Any:  # JSON's own values, whatever they are
    """Hide the line ends inside a value, and blank texts altogether, until the subject is cut off."""
    match value:
        case str():
            return _LINE_END.join(value.splitlines()) if value.strip() else None
        case Mapping():
            return {key: _without_line_ends(item) for key, item in value.items()}
        case list():
            return [_without_line_ends(item) for item in value]
    return value


@cache
def _environment() -> SandboxedEnvironment:
    """Sandboxed, because templates are edited by people who are trusted with words and not with code."""
    return SandboxedEnvironment(
        loader=FileSystemLoader(template_folders()),
        undefined=StrictUndefined,
        autoescape=False,  # plain text, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
