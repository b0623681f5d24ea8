"""Headers, parts and texts of a parsed mail that may be broken in any way: nothing here raises."""

import re
from email.message import Message
from typing import Any, Final

from workers.insight.charsets import clean, decode
from workers.insight.html_text import html_to_text

__all__ = ["content_type", "enclosed", "header", "own_parts", "plain_text", "text_of"]

_LONGEST_HEADER: Final = 2_000
_LONGEST_TEXT: Final = 60_000
_LONGEST_PAGE: Final = 200_000
_MOST_PARTS: Final = 100
_MOST_FIELDS: Final = 200
_DEEPEST: Final = 12
_MIME_LINES: Final = re.compile(
    r"^(?:--\S[^\n]{0,200}|content-[a-z-]{2,30}:[^\n]*(?:\n(?:[ \t]|boundary=|charset=)[^\n]*)*)$",
    re.IGNORECASE | re.MULTILINE,
)


def header(message: Message, name: str) -> str:
    """A header as text, at most 2,000 characters; empty if it is missing or cannot even be parsed."""
    try:
        return _clean(str(message.get(name) or "")[:_LONGEST_HEADER]).strip()
    except Exception:  # noqa: BLE001 - the standard parser raises many kinds of errors on hostile headers
        return ""


def content_type(part: Message) -> str:
    """The MIME type in lower case; empty if it cannot be parsed."""
    try:
        return part.get_content_type()
    except Exception:  # noqa: BLE001 - as above
        return ""


def own_parts(message: Message) -> list[Message]:
    """The mail and its parts, level by level, at most 100 and 12 levels deep.

    What it encloses (message/rfc822, a delivery status) is one part: the parts in it are another mail's.
    """
    found: list[Message] = [message]
    level = [message]
    for _ in range(_DEEPEST):
        below = [part for parent in level for part in _children(parent)][: _MOST_PARTS - len(found)]
        if not below:
            break
        found += below
        level = [part for part in below if not content_type(part).startswith("message/")]
    return found


def enclosed(message: Message) -> list[Message]:
    """The mails that this one carries as parts of its own."""
    return [
        mail for part in own_parts(message)[1:] if content_type(part) == "message/rfc822" for mail in _children(part)
    ]


def plain_text(message: Message) -> str:
    """What the mail itself says: its text parts, or else its HTML as text; attachments are left out."""
    own = [
        part
        for part in own_parts(message)
        if not header(part, "Content-Disposition").casefold().startswith("attachment")
    ]
    texts = [_without_mime(part) for part in own if _kind(part) == "text/plain"]
    text = "\n".join(text for text in texts if text.strip())
    if text:
        return text[:_LONGEST_TEXT]
    pages = [html_to_text(text_of(part)[:_LONGEST_PAGE]) for part in own if _kind(part) == "text/html"]
    return "\n".join(page for page in pages if page.strip())[:_LONGEST_TEXT]


def text_of(part: Message, depth: int = 0) -> str:
    """The text of a part, at most 60,000 characters; of a delivery status or an enclosed mail its fields too.

    Args:
        part: The part.
        depth: How many levels it lies below the one that was asked for; the twelfth is not read.
    """
    children = _children(part) if depth < _DEEPEST else []
    if children:
        blocks = ["\n".join(_fields(child)) + "\n\n" + text_of(child, depth + 1) for child in children]
        return "\n\n".join(blocks)[:_LONGEST_TEXT]
    try:
        content: Any = part.get_payload(decode=True)
        charset = str(part.get_content_charset() or "")
    except Exception:  # noqa: BLE001 - as above: broken encodings
        return ""
    if not isinstance(content, bytes):
        return ""
    return decode(content[: 4 * _LONGEST_TEXT], charset).text[:_LONGEST_TEXT].replace("\r\n", "\n")


def _without_mime(part: Message) -> str:
    """The text of a part; of a multipart that has no parts what stands in it, less its MIME lines."""
    text = text_of(part)
    return text if content_type(part) == "text/plain" else _MIME_LINES.sub("", text)


def _kind(part: Message) -> str:
    """A multipart that has no parts is the text that stands in it."""
    kind = content_type(part)
    return "text/plain" if kind.startswith("multipart/") and not part.is_multipart() else kind


def _fields(part: Message) -> list[str]:
    try:
        return [_clean(f"{name}: {str(value)[:_LONGEST_HEADER]}") for name, value in part.items()[:_MOST_FIELDS]]
    except Exception:  # noqa: BLE001 - as above
        return []


def _children(part: Message) -> list[Message]:
    payload = part.get_payload() if part.is_multipart() else None
    return [child for child in payload[:_MOST_PARTS] if isinstance(child, Message)] if isinstance(payload, list) else []


def _clean(text: str) -> str:
    """Text that PostgreSQL takes; Japanese in a header that nobody labelled is read."""
    return decode(text.encode("utf-8", "replace")).text if "\x1b$" in text else clean(text)
