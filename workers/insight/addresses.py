"""E-mail addresses: found in a text, and folded for matching a sender to a contact."""

import contextlib
import re
from email.utils import parseaddr
from typing import Final

__all__ = ["ADDRESS", "ADDRESS_ENDS", "addresses_in", "fold_address"]

ADDRESS_ENDS: Final = r"\s<>()\[\]\",;:@\u3000-\u303f\uff00-\uff65"
"""The signs that stand in no address unless they are quoted, those of Chinese and Japanese texts among them."""
# Scripts without spaces around an address: "您发往ann@acme.example的邮件". Theirs is one whose domain is, too.
_UNPARTED: Final = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
ADDRESS: Final = re.compile(
    rf"[^{ADDRESS_ENDS}{_UNPARTED}]{{1,64}}@[^{ADDRESS_ENDS}{_UNPARTED}]{{1,255}}"
    rf"|[^{ADDRESS_ENDS}]{{1,64}}@[{_UNPARTED}][^{ADDRESS_ENDS}]{{0,254}}"
)
_PLAIN: Final = re.compile(r"[^\s<>@\",;:()]+@[^\s<>@\",;:()]+")
_LONGEST: Final = 1_000  # RFC 5321 allows 320 characters; the rest is room for a display name


def fold_address(address: str) -> str:
    """Fold an address so that two spellings of one mailbox are equal: case and plus-tag are dropped.

    Args:
        address: An address, with or without a display name ("Jane <Jane+crm@Example.com>"), the local part
            quoted or not.

    Returns:
        "jane@example.com"; the local part keeps its quotes only where it needs them ('"a b"@example.com').
        A text that is no address comes back trimmed, in lower case. Never raises. Only for matching: mail
        goes to the address as it was written.
    """
    text = address[:_LONGEST].strip("<> \t\n\r")
    if not _PLAIN.fullmatch(text):
        parsed = ""
        with contextlib.suppress(ValueError, IndexError, TypeError, RecursionError):
            parsed = parseaddr(text)[1]
        if not _PLAIN.fullmatch(parsed) and not parsed.startswith('"'):
            return text.casefold()  # a hostile header is no address: it is folded as it stands
        text = parsed
    local, _, domain = text.rpartition("@")
    if not local:
        return text.casefold()
    quoted = local.startswith('"') and local.endswith('"') and len(local) > 1
    if quoted:
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    base = local.partition("+")[0]
    # "+tag@example.com" has nothing before its plus: then the plus is the name.
    local = (base or local).casefold()
    if quoted and not re.fullmatch(r"[\w!#$%&'*/=?^`{|}~.-]+", local):
        escaped = local.replace("\\", "\\\\").replace('"', '\\"')
        local = f'"{escaped}"'
    return f"{local}@{domain.strip().rstrip('.').casefold()}"


def addresses_in(text: str) -> list[str]:
    """The addresses that stand in a text, a header or a field, folded; each once, in their order."""
    return list(dict.fromkeys(fold_address(found.strip("'.")) for found in ADDRESS.findall(text)))
