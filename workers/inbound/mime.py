"""From the bytes of a mail to the tree of its parts, at a cost that no sender decides.

Everybody may write to us, and the standard parser compares every line with the boundary of every part that it is
inside of, and keeps every attachment twice. So the tree is built here: boundaries are found, headers are cut to size,
and of each part as much is kept as somebody reads. What comes out is the standard library's own `Message`.
"""

import re
from binascii import a2b_base64, a2b_qp
from email.message import Message
from email.policy import compat32
from itertools import islice
from typing import Final, NamedTuple

from workers.insight.charsets import NO_CHARSETS

MAX_BYTES: Final = 25 * 1024 * 1024
# Of one head, and of the heads of all parts together.
_MOST_HEADERS: Final = 2_000
_MOST_HEADERS_IN_ALL: Final = 10_000
_MOST_HEADER_BYTES: Final = 1_000_000
_LONGEST_HEADER: Final = 10_000
_LONGEST_TYPE: Final = 1_000
_MOST_PARAMETERS: Final = 20
_MOST_PARTS: Final = 1_000
_MOST_BOUNDARIES: Final = 10_000
_LONGEST_BOUNDARY: Final = 200  # RFC 2046 allows 70
_DEEPEST: Final = 30
# All that is searched for boundaries: a mail of the largest size, three levels deep.
_MOST_SEARCHED: Final = 3 * MAX_BYTES
# What is kept of all texts together, encoded as they are; of one report, which nobody writes by hand; and of a part
# that is no text, to see that there is something in it.
_MOST_TEXT: Final = 1_500_000
_MOST_REPORT: Final = 60_000
_MOST_REPORT_GROUPS: Final = 50
_TASTE: Final = 76

_ABOVE_HEADERS: Final = re.compile(rb"(?:[ \t]*+\n|>?From [^\n]*+\n)*+")
_FIELD: Final = re.compile(rb"^([!-9;-~]{1,200}+)[ \t]*+:[ \t]*+(.*+(?:\n[ \t].*+)*+)", re.MULTILINE)
_FIELD_HERE: Final = re.compile(rb"[!-9;-~]{1,200}+[ \t]*+:")
_SEMICOLONS: Final = re.compile(r"(?:;\s*+){2,}+")
_PARAMETER: Final = re.compile(r';\s*+([^\s=;"]{1,60}+)\s*+=\s*+("(?:[^"\\]|\\.)*+"?|[^\s;]*+)')
_ESCAPED: Final = re.compile(r"\\(.)")
_TOKEN: Final = re.compile(r"[\w.+-]*+")
_CHARSET: Final = re.compile(r"\bcharset[*0]*+\s*+=\s*+(\"[^\"]*+\"?|[^;]*+)", re.IGNORECASE)
_CHARSET_NAME: Final = re.compile(r"[\w.:+()-]{1,60}+\Z", re.ASCII)
_NOT_BASE64: Final = re.compile(rb"[^\w+/=\s-]|\w[ \t]++\w")
_BLANKS_AT_END: Final = re.compile(rb"(?<![ \t])[ \t]++\n")
_WORDS: Final = re.compile(rb"\w[ \t]++\w|^[^\w\n]", re.MULTILINE)
_SEEN_OF_BASE64: Final = 2_000
_BASE64_LINES: Final = re.compile(rb"(?:[A-Za-z0-9+/=]++[ \t]*+\n)*+")
_LONG_BASE64_LINE: Final = re.compile(rb"^[A-Za-z0-9+/=]{60,}+[ \t]*+$", re.MULTILINE)
_LEAST_BASE64: Final = 24  # no word of that length begins a text
# A text whose Content-Transfer-Encoding was lost on the way: nothing but base64, or UTF-8 in quoted-printable.
_ALL_BASE64: Final = re.compile(rb"\s*+(?:[A-Za-z0-9+/]{40,76}\n)*+[A-Za-z0-9+/]{2,}+={0,2}\s*+")
_QUOTED_UTF8: Final = re.compile(rb"=[C-F][0-9A-F]=[89AB][0-9A-F]")
_BETWEEN_GROUPS: Final = re.compile(rb"\n(?:[ \t]*+\n)++")
# Where the boundary was lost on the way, the line above the first part's headers still shows it.
_LOST_BOUNDARY: Final = re.compile(
    rb"^--([^\s-][^\n]{0,199}+)\n(?=content-[a-z-]{1,40}+:)", re.IGNORECASE | re.MULTILINE
)
_REPORTS: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_ENCODED: Final = frozenset({"base64", "quoted-printable"})


class HostileError(Exception):
    """The mail is built to keep a reader busy; the message says how."""


class Parameters(NamedTuple):
    """A header such as Content-Type: its value in lower case, and its parameters by their lower-case names."""

    value: str
    given: dict[str, str]


def read_parts(raw: bytes) -> Message:
    """Read a mail into a tree of messages, as `email.message_from_bytes` does, but within bounds.

    Headers are unfolded, and cut off after 10,000 characters. All texts together keep 1,500,000 bytes; other leaves
    keep their first 76. A multipart that nothing divides into parts is a leaf.

    Args:
        raw: the mail, its lines ended by LF, at most `MAX_BYTES`.

    Raises:
        HostileError: more headers, parts or levels than any mail has.
    """
    return _Reader(raw).mail(0, len(raw), 0)


def parameters(message: Message, name: str = "Content-Type") -> Parameters:
    """Read a header with parameters; those in pieces (RFC 2231) are put together."""
    header = str(message.get(name, ""))[:_LONGEST_TYPE]
    given: dict[str, str] = {}
    for key, value in (match.groups() for match in islice(_PARAMETER.finditer(header), _MOST_PARAMETERS)):
        plain, star, section = key.lower().partition("*")
        text = _ESCAPED.sub(r"\1", value.strip('"')) if value.startswith('"') else value
        if star and section.strip("*") in ("", "0") and key.endswith("*"):
            text = text.rpartition("'")[2]  # behind the charset and the language
        given[plain] = given.get(plain, "") + text if star else text
    return Parameters(header.partition(";")[0].strip().lower(), given)


class _Reader:
    """Builds the tree of one mail, and keeps count of what it costs."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._parts = 0
        self._headers = 0
        self._header_bytes = 0
        self._boundaries = 0
        self._searched = 0
        self._text_left = _MOST_TEXT

    def mail(self, start: int, end: int, depth: int) -> Message:
        """Read a mail that begins here, whether it came in or is enclosed in another."""
        above = _ABOVE_HEADERS.match(self._raw, start, end)
        return self._part(above.end() if above else start, end, depth)

    def _part(self, start: int, end: int, depth: int, default_type: str = "text/plain") -> Message:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise HostileError(f"more than {_MOST_PARTS:,} parts")
        if depth > _DEEPEST:
            raise HostileError(f"nested more than {_DEEPEST} levels deep")
        message = Message(policy=compat32)
        body = self._read_head(message, start, end)
        message.set_default_type(default_type)
        kind = message.get_content_type()
        if kind.startswith("message/") and message.get("Content-Transfer-Encoding") in _ENCODED:
            self._decode_enclosed(message, body, end, depth)
        elif kind in _REPORTS:
            message.set_payload(_report_groups(self._raw[body : min(end, body + _MOST_REPORT)]))
        elif kind.startswith("message/"):
            message.set_payload([self.mail(body, end, depth + 1)])
        elif kind.startswith("multipart/") and (spans := self._divide(message, body, end)):
            inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            message.set_payload([self._part(*span, depth + 1, inner) for span in spans])
        elif kind.startswith(("text/", "multipart/")):
            attached = parameters(message, "Content-Disposition").value == "attachment"
            self._keep(message, body, end, _TASTE if attached and kind in ("text/plain", "text/html") else _MOST_TEXT)
        else:
            self._keep(message, body, end, _TASTE)
        return message

    def _read_head(self, message: Message, start: int, end: int) -> int:
        """Read the headers that begin here into the message; returns where the body begins."""
        raw = self._raw
        if raw.startswith(b"\n", start, end):
            return start + 1
        if not _FIELD_HERE.match(raw, start, end):
            return start
        blank = raw.find(b"\n\n", start, end)
        stop = blank if blank >= 0 else end
        self._header_bytes += stop - start
        if self._header_bytes > _MOST_HEADER_BYTES:
            raise HostileError(f"more than {_MOST_HEADER_BYTES:,} bytes of headers")
        last = start
        for number, field in enumerate(_FIELD.finditer(raw, start, stop), 1):
            for count, most in ((number, _MOST_HEADERS), (self._headers + number, _MOST_HEADERS_IN_ALL)):
                if count > most:
                    raise HostileError(f"more than {most:,} headers")
            _add_field(message, field)
            last = field.end()
        self._headers += len(message)
        # Without a blank line before the text, the text begins where no header does.
        return min(stop + 2, end) if not raw[last:stop].strip() else last + 1

    def _divide(self, message: Message, start: int, end: int) -> list[tuple[int, int]]:
        """Where the parts of a multipart begin and end; nothing if nothing divides it."""
        boundary = parameters(message).given.get("boundary", "").rstrip()
        spans = self._between(boundary.encode("ascii", "surrogateescape"), start, end)
        if not spans and (lost := _LOST_BOUNDARY.search(self._raw, start, min(end, start + _MOST_REPORT))):
            spans = self._between(lost[1].rstrip(), start, end)
        return spans

    def _between(self, boundary: bytes, start: int, end: int) -> list[tuple[int, int]]:
        if not boundary or len(boundary) > _LONGEST_BOUNDARY:
            return []
        self._searched += end - start
        if self._searched > _MOST_SEARCHED:
            raise HostileError("parts inside of parts, to be read more than three times")
        raw, line = self._raw, b"\n--" + boundary
        spans: list[tuple[int, int]] = []
        begun = -1
        at = start - 1  # the first boundary may be the first line of the body
        while (at := raw.find(line, at, end)) >= 0:
            self._boundaries += 1
            if self._boundaries > _MOST_BOUNDARIES:
                raise HostileError(f"more than {_MOST_BOUNDARIES:,} boundaries")
            after = at + len(line)
            line_end = raw.find(b"\n", after, min(end, after + _LONGEST_BOUNDARY))
            rest = raw[after : line_end if line_end >= 0 else min(end, after + _LONGEST_BOUNDARY)].rstrip()
            if rest in (b"", b"--"):
                if begun >= 0:
                    spans.append((begun, max(begun, at)))
                if rest:
                    return spans
                begun = line_end + 1 if line_end >= 0 else end
            at = after
        if begun >= 0:
            spans.append((begun, end))  # the last boundary was cut off
        return spans

    def _decode_enclosed(self, message: Message, start: int, end: int, depth: int) -> None:
        """An enclosed mail that is encoded; it must not be, and some servers do it."""
        self._keep(message, start, end, _MOST_TEXT)
        decoded = message.get_payload(decode=True)
        enclosed = decoded if isinstance(decoded, bytes) else b""
        outer, self._raw = self._raw, enclosed.replace(b"\r\n", b"\n")
        del message["Content-Transfer-Encoding"]
        if message.get_content_type() in _REPORTS:
            message.set_payload(_report_groups(self._raw[:_MOST_REPORT]))
        else:
            message.set_payload([self.mail(0, len(self._raw), depth + 1)])
        self._raw = outer

    def _keep(self, message: Message, start: int, end: int, most: int) -> None:
        stop = min(end, start + min(most, self._text_left))
        self._text_left -= stop - start
        kept = self._raw[start:stop]
        match message.get("Content-Transfer-Encoding"):
            case "base64" if (plain := _not_encoded(kept)) is not None:
                del message["Content-Transfer-Encoding"]
                kept = plain
            case "x-uuencode" | "uuencode" | "x-uue" | "uue":
                del message["Content-Transfer-Encoding"]  # nobody sends texts so, and they take long to decode
            case None | "" | "7bit" | "8bit" | "binary" if most == _MOST_TEXT:
                kept = _with_lost_encoding(kept)
            case "quoted-printable":
                kept = _BLANKS_AT_END.sub(b"\n", kept)  # some server put them behind a soft line break
        message.set_payload(kept.decode("ascii", "surrogateescape"))


def _not_encoded(content: bytes) -> bytes | None:
    """The content that is called base64 where it is none: somebody forgot to encode it, or a list wrote below it.

    None where it is, but for a broken byte.
    """
    if not _NOT_BASE64.search(content):
        return None
    lines = _BASE64_LINES.match(content)
    encoded = lines[0] if lines else b""
    if len(encoded) < _LEAST_BASE64:
        is_text = len(content.strip()) < _LEAST_BASE64 or _WORDS.search(content, 0, _SEEN_OF_BASE64)
        return content if is_text else None
    rest = content[len(encoded) :]
    if _LONG_BASE64_LINE.search(rest):
        return None
    try:
        return a2b_base64(encoded) + b"\n" + rest
    except ValueError:
        return None


def _with_lost_encoding(content: bytes) -> bytes:
    """The content that no header calls encoded, decoded where it plainly is: to words of UTF-8."""
    if _QUOTED_UTF8.search(content):
        return a2b_qp(content)
    if len(content) >= _LEAST_BASE64 and _ALL_BASE64.fullmatch(content):
        try:
            decoded = a2b_base64(content)
            return decoded if b" " in decoded and "".join(decoded.decode().split()).isprintable() else content
        except ValueError:
            return content
    return content


def _report_groups(text: bytes) -> list[Message | str]:
    """A delivery report: groups of fields with blank lines between them."""
    groups: list[Message | str] = []
    for lines in _BETWEEN_GROUPS.split(text, _MOST_REPORT_GROUPS):
        group = Message(policy=compat32)
        for field in _FIELD.finditer(lines):
            _add_field(group, field)
        if len(group):
            groups.append(group)
    return groups


def _add_field(message: Message, field: re.Match[bytes]) -> None:
    """Add a header on one line, without what would keep its reader busy or mislead him."""
    name = field[1].decode()
    lines = field[2][:_LONGEST_HEADER].split(b"\n")
    value = b" ".join(line.strip() for line in lines).decode("ascii", "surrogateescape")
    match name.lower():
        case "content-type" | "content-disposition":
            value = _CHARSET.sub(_safe_charset, _SEMICOLONS.sub(";", value)[:_LONGEST_TYPE])
        case "content-transfer-encoding":
            found = _TOKEN.match(value.lower())
            value = found[0].replace("_", "-") if found else ""
    message[name] = value


def _safe_charset(parameter: re.Match[str]) -> str:
    """A charset's name in plain form; nothing if it is none."""
    name = parameter[1].strip('" \t').rpartition("'")[2]
    # The standard library would decode with whatever codec a mail names, in any spelling.
    codec = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f'charset="{name}"' if _CHARSET_NAME.match(name) and codec not in NO_CHARSETS else ""
