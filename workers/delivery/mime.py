"""How a message is written: headers, and one text in two forms.

Python's own generator takes ten times as long for the same bytes, because it takes each header apart and writes it
anew. Nearly all of ours are ASCII and need that no more than they need encoding; those that do go through it.
"""

import re
import textwrap
from binascii import b2a_qp
from collections.abc import Iterable, Mapping
from email.errors import MessageError
from email.headerregistry import HeaderRegistry
from email.policy import EmailPolicy
from functools import cache, lru_cache
from typing import Final

_PLAIN: Final = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")
_LINE: Final = 78
_POLICY: Final = EmailPolicy(max_line_length=_LINE)
_HEADERS: Final = HeaderRegistry()
# No line of quoted-printable text contains it: there, "=" is followed by two digits or by the line's end.
_BOUNDARY: Final = "=_part"


class UnsendableError(ValueError):
    """The message will never be fit to be sent: its address is none, or a value breaks out of its header."""


def written(fields: Mapping[str, str], plain: str, html: str) -> bytes:
    """Return a message as SMTP carries it.

    Args:
        fields: its headers.
        plain: its text; its lines end with a line feed alone.
        html: the same as a page.

    Raises:
        UnsendableError: it would carry headers that nobody set.
    """
    head = _head({**fields, "MIME-Version": "1.0", "Content-Type": f'multipart/alternative; boundary="{_BOUNDARY}"'})
    begin, end = f"\n--{_BOUNDARY}\n".encode(), f"\n--{_BOUNDARY}--\n".encode()
    message = begin.join([head, _part("plain", plain), _part("html", html)]) + end
    return message.replace(b"\n", b"\r\n")


def _part(form: str, text: str) -> bytes:
    return _part_head(form) + b"\n" + b2a_qp(text.encode())


@cache
def _part_head(form: str) -> bytes:
    return _head({"Content-Type": f'text/{form}; charset="utf-8"', "Content-Transfer-Encoding": "quoted-printable"})


def _head(fields: Mapping[str, str]) -> bytes:
    """Write headers: those that are given, and no others.

    Python before 3.12.5 writes a line end that is hidden in a value as it is (CVE-2024-6923); later ones raise.
    """
    try:
        head = b"".join(_field(name, value) for name, value in fields.items())
    except MessageError as error:
        raise UnsendableError(f"the message cannot be written ({error})") from error
    require_headers(head, fields)
    return head


def require_headers(head: bytes, names: Iterable[str]) -> None:
    """Make sure that written headers are the ones of these names, in their order, and no others.

    Raises:
        UnsendableError: they are not.
    """
    begun = [line for line in head.splitlines() if not line.startswith((b" ", b"\t"))]
    if [line.partition(b":")[0].decode("ascii", "replace") for line in begun] != list(names):
        raise UnsendableError("the message would carry headers of somebody else's making")


def _field(name: str, value: str) -> bytes:
    """Write a header; one of ASCII words is broken between them alone, where Python would lose a name's quotes."""
    if not _PLAIN.fullmatch(value) or "=?" in value:
        return _encoded(name, value)
    field = f"{name}: {value}"
    if len(field) > _LINE and " " in value:
        field = textwrap.fill(
            value,
            _LINE,
            initial_indent=f"{name}: ",
            subsequent_indent=" ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return f"{field}\n".encode("ascii")


@lru_cache(maxsize=1024)  # a tenant's name comes again and again
def _encoded(name: str, value: str) -> bytes:
    return _HEADERS(name, value).fold(policy=_POLICY).encode("ascii")
