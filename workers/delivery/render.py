"""From an action's template and variables to the text a person reads, in the reader's language, and to the message."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import idna
from babel import Locale
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, Undefined, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from workers import clock
from workers.correspondence import Answered, message_id, reference
from workers.delivery.wording import ENGLISH, LANGUAGES, Wording, day, field_words, lapsed, locale_of, money
from workers.insight.given_names import greeted_as
from workers.resources import template_folders

_LINE_END: Final = "\x1e"  # stands for a line end inside a value; no text that people write contains it
_LINE_ENDS: Final = re.compile(rf"[ \t]*{_LINE_END}[ \t{_LINE_END}]*")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LOCALE: Final = "_locale"  # what the filters find in a template's context; its own values have no such names
_TIME_ZONE: Final = "_time_zone"
_LONGEST_ADDRESS: Final = 320  # 64 for the name and 255 for the domain (RFC 5321, 4.5.3.1)
_LONGEST_HEADER_TEXT: Final = 250
# RFC 5322's dot-atom. Quoted names, comments and domain literals are left to those who like them: no customer has
# such an address, and mail programs disagree about where they end.
_NAME: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_DOMAIN: Final = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)


class SenderError(ValueError):
    """The address to send from is none: the tenant's setting is at fault, not the message."""


class UnsendableError(ValueError):
    """The message will never be fit to be sent: its address is none, or a value breaks out of its header."""


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered action, and the language that it is in."""

    subject: str
    body: str
    language: str = ENGLISH


def render(template: str, variables: Mapping[str, Any], tenant_name: str, wording: Wording | None = None) -> Text:
    """Fill a template: its first line is the subject, the rest the text.

    A value cannot begin a line of its own: line ends inside it become spaces, unless the template asks for them with
    the filter `lines`. A blank value counts as missing. Where there is no translation the text is in English.

    Args:
        template: the name of a file in one of the template folders, without its ending.
        variables: what the engine wrote into the action.
        tenant_name: who the message comes from.
        wording: how it is worded; None for English without anything of the tenant's own.

    Raises:
        jinja2.TemplateError: the template does not exist, misses a variable, cannot use one, or never ends.
    """
    chosen = wording or Wording()
    language = _language_for(template, chosen)
    values = _tamed({
        "link": chosen.link,
        "signature": chosen.signature,
        "share_deal_titles": chosen.share_deal_titles,
        **variables,
        "currency": variables.get("currency") or chosen.currency,
        "tenant": tenant_name,
    })  # fmt: skip
    values |= {_LOCALE: locale_of(language, chosen), _TIME_ZONE: chosen.time_zone}
    try:
        filled = _environment(language).get_template(f"{template}.txt.j2").render(values)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, TemplateError):  # TemplateNotFound is a LookupError as well
            raise
        raise TemplateError(f"{type(error).__name__}: {error}") from error
    subject, _, body = filled.strip("\n").partition("\n")
    return Text(" ".join(subject.split()), _LINE_ENDS.sub(" ", body).strip() + "\n", language)


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
    an answer can be matched to what it answers. A short reference below the text and in a header of our own does the
    same where a relay replaces Message-IDs.

    Raises:
        SenderError: the sender's address is none.
        UnsendableError: the recipient's address is none, or the message would carry headers that nobody set.
    """
    default_name, sender_address = _named_address(from_address)
    try:
        sender = _address(sender_address, _header_text(from_name or default_name))
    except ValueError as error:
        raise SenderError(f"{_header_text(from_address)!r} is no sender's address ({error})") from error
    try:
        recipient = _address(address)
    except ValueError as error:
        raise UnsendableError(f"{_header_text(address)!r} is no e-mail address ({error})") from error
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = _header_text(text.subject)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = message_id(Answered(action, tenant), sender.domain)
    if reply_to:
        message["Reply-To"] = reply_to
    # RFC 3834: other machines must not answer this with an out-of-office note.
    message["Auto-Submitted"] = "auto-generated"
    mark = f"Ref: {reference(action)}"
    message["X-Fleet-Reference"] = mark
    message.set_content(f"{without_control_characters(text.body)}\n{mark}\n")
    _require_own_headers(message)
    return message


def without_control_characters(text: str) -> str:
    """Return a text in which what no person can read, and no database or message hold, is replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _require_own_headers(message: EmailMessage) -> None:
    """Make sure that what is sent has the headers that were set, and no others.

    Python before 3.12.5 writes a line end that is hidden in a value as it is (CVE-2024-6923); later ones raise.
    """
    try:
        written = BytesHeaderParser().parsebytes(bytes(message)).keys()
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


def _tamed(value: Any) -> Any:  # JSON's own values, whatever they are
    """Hide the line ends inside a value, and blank texts altogether, until the subject is cut off."""
    match value:
        case str():
            return _LINE_END.join(without_control_characters(value).splitlines()) if value.strip() else None
        case Mapping():
            return {key: _tamed(item) for key, item in value.items()}
        case list():
            return [_tamed(item) for item in value]
    return value


def _language_for(template: str, wording: Wording) -> str:
    """The language of the wording if the template is translated into it, else English."""
    language = wording.language.partition("-")[0].lower()
    translated = language in LANGUAGES and any(
        (folder / language / f"{template}.txt.j2").is_file() for folder in template_folders()
    )
    return language if translated else ENGLISH


def _lines(text: str) -> str:
    return text.replace(_LINE_END, "\n")


@pass_context
def _day(context: Context, value: Any) -> str | None:  # JSON's own values, as in _money
    locale: Locale = context[_LOCALE]
    return day(_required(value), locale, context[_TIME_ZONE])


@pass_context
def _money(context: Context, value: Any) -> str | None:
    locale: Locale = context[_LOCALE]
    return money(_required(value), context["currency"], locale)


def _required(value: Any) -> Any:
    return str(value) if isinstance(value, Undefined) else value  # str() says which variable is missing


@cache
def _environment(language: str = ENGLISH) -> SandboxedEnvironment:
    """Sandboxed, because templates are edited by people who are trusted with words and not with code.

    A language has its folder inside each folder of templates; what is not in it is the same in all languages.
    """
    folders = template_folders()
    own = [] if language == ENGLISH else [folder / language for folder in folders]
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([*own, *folders]),
        undefined=StrictUndefined,
        autoescape=False,  # plain text, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "day": _day,
        "field_words": field_words,
        "greeted_as": greeted_as,
        "lapsed": lapsed,
        "lines": _lines,
        "money": _money,
    }
    return environment
