"""What the headers of a mail say: addresses, Message-IDs, dates, text behind encoded words; hostile ones among them."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from workers.insight.charsets import clean, decode

_LONGEST_TEXT: Final = 2_000
_LONGEST_NAME: Final = 500
_LONGEST_DATE: Final = 200
_LONGEST_ID: Final = 900  # bytes; an index entry has room for 2,700
_LONGEST_ADDRESS: Final = 320  # RFC 5321: 64 + 1 + 255
_MOST_VALUES: Final = 100
_MOST_READ: Final = 50_000
_MOST_ADDRESSES: Final = 500

_ADDRESS: Final = re.compile(r"""(?<![^\s<>@",;:()\[\]\\])[^\s<>@",;:()\[\]\\]{1,240}+@[\w.-]{1,255}+""")
_QUOTED_ADDRESS: Final = re.compile(r'"(?:[^"\\]|\\.){1,64}"@[\w.-]{1,255}')
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*+(")?')
_COMMENT: Final = re.compile(r"\(([^()]*+)\)")
_ANGLES: Final = re.compile(r"<([^<>]*+)>")
_REWRITTEN: Final = re.compile(r"([\w.%-]{1,64})=((?:[\w-]{1,63}\.){1,4}[a-z]{2,24})@groups\.io", re.IGNORECASE)
_BARE_ID: Final = re.compile(r"[^\s<>()\",;]{1,900}+")
_RECEIVED_FOR: Final = re.compile(r"\bfor\s{1,3}(<?[^\s<>;]{1,320}+>?)")


class Mailbox(NamedTuple):
    """A sender: the address as written, and the display name, if any."""

    address: str
    name: str | None


class Headers:
    """The headers of one message, by name, whatever its case."""

    def __init__(self, message: Message) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in message.raw_items():
            self._values.setdefault(name.lower(), []).append(str(value))

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def names(self) -> list[str]:
        """The names in lower case, each once, in their order."""
        return list(self._values)

    def all(self, *names: str) -> list[str]:
        """The values of headers as they stand, at most 100 of each name and 50,000 characters of all together.

        Bytes beyond ASCII are read as UTF-8.
        """
        found: list[str] = []
        left = _MOST_READ
        for name in names:
            for value in self._values.get(name.lower(), [])[:_MOST_VALUES]:
                found.append(_utf8(value[:left]))
                left -= len(found[-1])
        return found

    def first(self, name: str) -> str:
        """The first value of a header as it stands; empty if there is none."""
        return _utf8(next(iter(self._values.get(name.lower(), [])), ""))

    def text(self, name: str) -> str:
        """A header for people to read: decoded, on one line, at most 2,000 characters of it."""
        value = next(iter(self._values.get(name.lower(), [])), "")[:_LONGEST_TEXT]
        return decoded_text(value)

    def addresses(self, *names: str) -> tuple[str, ...]:
        """The addresses in headers, each once, in their order; at most 500."""
        found: dict[str, None] = {}
        for value in self.all(*names):
            found.update(dict.fromkeys(_written_in(value)))
        return tuple(found)[:_MOST_ADDRESSES]

    def mailbox(self, name: str) -> Mailbox | None:
        """The first sender that a header names."""
        value = next(iter(self._values.get(name.lower(), [])), "")
        return _mailbox(value) or (_mailbox(decoded_text(value[:_LONGEST_NAME])) if "=?" in value else None)

    def message_ids(self, name: str) -> list[str]:
        """The Message-IDs in a header, with or without angle brackets, folded in their middle or not."""
        return [found for value in self.all(name) for found in _ids_in(value)]

    def date(self, name: str) -> datetime | None:
        """A date in UTC; None if it is none."""
        with suppress(ValueError, TypeError, OverflowError, IndexError):
            date = parsedate_to_datetime(self.first(name)[:_LONGEST_DATE])
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
        return None

    def received_for(self) -> tuple[str, ...]:
        """For whom the mail servers took the mail, the last of them first."""
        found = (_RECEIVED_FOR.search(value) for value in self.all("Received"))
        return tuple(address for match in found if match for address in _written_in(match[1]))

    def lists(self) -> tuple[str, ...]:
        """The addresses of the mailing lists or groups that the mail came through."""
        named = self.addresses("List-Post", "Mailing-List", "X-BeenThere", "X-Mailing-List")
        # RFC 2919: the list's address with a dot for its @.
        ids = (match[1] for value in self.all("List-Id") for match in _ANGLES.finditer(value))
        return (*named, *(address for name in ids for address in _written_in(name.strip().replace(".", "@", 1))))


def _written_in(text: str) -> list[str]:
    """The addresses in a text; what looks like one inside a quoted name is none."""
    found = _ADDRESS.findall(_without_names(text)) or _ADDRESS.findall(_COMMENT.sub(" ", text))
    cleaned = (clean(address).strip("'").rstrip(".-") for address in found)
    return [address for address in cleaned if "@" in address and len(address) <= _LONGEST_ADDRESS]


def decoded_text(value: str) -> str:
    """A header's value with its encoded words decoded, on one line."""
    if not value.isascii():
        value = decode(value.encode("utf-8", "surrogateescape")).text
    if "=?" in value:
        with suppress(HeaderParseError, ValueError):  # then it is shown as it was written
            value = "".join(_piece(piece, charset) for piece, charset in decode_header(value))
    return " ".join(clean(value).split())


def _utf8(value: str) -> str:
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _piece(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    # What stands between the words comes back as bytes that nobody encoded.
    return decode(piece, charset).text if charset else piece.decode("raw-unicode-escape", "replace")


def _without_names(text: str) -> str:
    """The text with quoted names and comments blanked out; a quote that nobody closed is none."""
    masked = _QUOTED.sub(lambda quoted: " " * len(quoted[0]) if quoted[1] else quoted[0], text)
    return _COMMENT.sub(lambda comment: " " * len(comment[0]), masked)


def _mailbox(value: str) -> Mailbox | None:
    angles = _ANGLES.search(_without_names(value))
    comment = _COMMENT.search(value)
    inside = _utf8(value[angles.start(1) : angles.end(1)] if angles else value).strip()
    address = clean(inside) if _QUOTED_ADDRESS.fullmatch(inside) else next(iter(_written_in(inside)), None)
    if address is None:
        return None
    name = value[: angles.start()] if angles else comment[1] if comment else ""
    name = decoded_text(name[:_LONGEST_NAME].strip().strip('"').replace('\\"', '"'))
    return Mailbox(_original(address), name or None)


def _original(address: str) -> str:
    """Whose address a list has put into its own: groups.io makes "ida=acme.example@groups.io" of a member's."""
    found = _REWRITTEN.fullmatch(address)
    return f"{found[1]}@{found[2]}" if found else address


def _ids_in(value: str) -> list[str]:
    if "=?" in value:
        value = decoded_text(value[:_LONGEST_TEXT])
    found = [match[1] for match in _ANGLES.finditer(value) if "@" in match[1] or " " not in match[1].strip()]
    if not found:
        bare = _COMMENT.sub(" ", value)
        # One that was folded in its middle is one all the same.
        one = bare.count("@") == 1 or not bare.strip().count(" ")
        found = [bare] if one else [token for token in _BARE_ID.findall(bare) if "@" in token]
    ids = (clean("".join(inner.split())).strip("<>") for inner in found)
    return [f"<{inner}>" for inner in ids if inner.strip("@.") and len(inner.encode()) <= _LONGEST_ID]
