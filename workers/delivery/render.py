"""From an action's template and variables to the text a person reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from workers import clock


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered action."""

    subject: str
    body: str


def render(template: str, variables: Mapping[str, Any], tenant_name: str) -> Text:
    """Fill a template: its first line is the subject, the rest the text.

    Args:
        template: the name of a file under templates/, without its ending.
        variables: what the engine wrote into the action.
        tenant_name: who the message comes from.

    Raises:
        jinja2.TemplateError: the template does not exist, or misses a variable.
    """
    filled = _environment().get_template(f"{template}.txt.j2").render(**variables, tenant=tenant_name)
    subject, _, body = filled.strip().partition("\n")
    return Text(" ".join(subject.split()), body.strip() + "\n")


def compose(
    text: Text, *, action: int, tenant: UUID, address: str, from_name: str | None, from_address: str
) -> EmailMessage:
    """Build the message of an action.

    Its Message-ID depends on tenant and action alone: a send repeated after a crash carries the same one, and
    an answer can be matched to what it answers.

    Raises:
        ValueError: the address, or the sender's, is none.
    """
    default_name, default_address = parseaddr(from_address)
    sender = Address(from_name or default_name, addr_spec=default_address)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = Address(addr_spec=address)
    message["Subject"] = text.subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<action.{action}.{tenant.hex}@{sender.domain}>"
    # RFC 3834: other machines must not answer this with an out-of-office note.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text.body)
    return message


@cache
def _environment() -> SandboxedEnvironment:
    """Sandboxed, because templates are edited by people who are trusted with words and not with code."""
    return SandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=False,  # plain text, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
