"""Mail that is built to hurt its reader: deep, wide, long, broken, mislabelled; each made from a few choices.

What is drawn is small, and becomes a mail of megabytes only by bytes(): hypothesis remembers all that it draws.
"""

import base64
import gzip
from dataclasses import dataclass
from typing import Final, Literal

from hypothesis import strategies as st

# Pieces that readers of mail stumble over, alone and in thousands.
PIECES: Final = (
    # of headers
    b'"', b'\\"', b'"\\"\\', b"(", b")", b"((((", b"<", b">", b"<<", b"@", b",", b";", b":", b"=?", b"?=",
    b"=?utf-8?b?",
    b"=?utf-8?q?=ff=?=", b"=?x?q?a?= ", b"'", b"''", b"a.", b"a@b.example", b"<a@b.example>", b"Re: ", b"[x] ",
    b"action.1.", b"for a@b", b"Ref: ", b"ref:aaaaaaaaaaaaaaaaaaaa",
    # of lines
    b" ", b"\t", b"\n ", b"\n\t", b"\n", b"\n\n", b"\r", b"\r\n", b"a", b"a b ", b"1", b"12/12/12 ", b"From x\n",
    # of parts
    b"-", b"------", b"--b", b"\n--b\n", b"\n--b--\n", b"Status: 5.1.1\n", b"Action: failed\n",
    b"Final-Recipient: rfc822; a@b\n", b"BEGIN:VCALENDAR\nMETHOD:REPLY\n", b"ATTENDEE;PARTSTAT=ACCEPTED:",
    b"-----BEGIN PGP SIGNED MESSAGE-----\n", b"\n-----BEGIN PGP SIGNATURE-----\n", b"begin 644 x\n",
    b"=", b"=3D", b"=\n",
    # of charsets
    b"\0", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b"\x1b$B", b"\x1b(B", b"+AOk-", b"~{", "\u200b\U0001f600".encode(),
    # of what people write
    b"> ", b">>", b"On Mon, 2 Mar 2026, Ann wrote:\n", b"-- \n", b"<div>", b"<p", b"</table>", b"<!--",
    b"&nbsp;", b"&#",
    b"very good, not bad! ", b"not ", b"Acme GmbH,, Berlin\n", b"Tel: +1 2 3\n",
)  # fmt: skip
NAMES: Final = (
    "From", "To", "Cc", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Received",
    "Return-Path", "Delivered-To", "X-Original-To", "List-Id", "Precedence", "Auto-Submitted", "Content-Type",
    "Content-Disposition", "Content-Transfer-Encoding", "X-Failed-Recipients", "X-Original-From", "MIME-Version", "X",
)  # fmt: skip
KINDS: Final = (
    "text/plain", "text/html", "text/calendar; method=REPLY", "text/rfc822-headers", "text", "/", "",
    "application/octet-stream", "application/pkcs7-mime", "application/ms-tnef", "message/delivery-status",
    "message/feedback-report", "message/disposition-notification", "message/rfc822", "message/partial",
    "multipart/mixed", "multipart/report; report-type=delivery-status",
)  # fmt: skip
CHARSETS: Final = (
    "utf-8", "iso-8859-1", "gb2312", "shift_jis", "iso-2022-jp", "ks_c_5601-1987", "big5", "utf-7", "utf-16", "hz",
    "idna", "punycode", "unicode_escape", "base64", "zlib", "no-such", "\0", "x" * 500,
)  # fmt: skip
FLAGS: Final = ("", "; format=flowed", "; boundary=b", "; name*0=x; name*1*=''y", ";" * 10_000, ';x="' * 300)
ENCODINGS: Final = ("", "7bit", "8bit", "base64", "quoted-printable", "x-uuencode", "gzip", "BASE64 ;")
DISPOSITIONS: Final = ("", "attachment", "inline; filename=x", ";" * 3_000)
NUMBERS: Final = st.sampled_from((0, 1, 2, 5, 20, 100, 600, 1_100, 3_000, 20_000, 200_000))
_MOST: Final = 3_000_000


@dataclass(frozen=True)
class Text:
    """A few pieces, each in a row of up to 200,000."""

    rows: tuple[tuple[bytes, int], ...]
    times: int
    end: bytes

    def __bytes__(self) -> bytes:
        return b"".join(piece * number for piece, number in self.rows)[:1_000_000] * self.times + self.end


@dataclass(frozen=True)
class Header:
    """A header, perhaps many times over."""

    name: str
    value: Text
    longest: int
    number: int

    def __bytes__(self) -> bytes:
        line = f"{self.name}: ".encode() + bytes(self.value)[: self.longest].replace(b"\n\n", b"\n ") + b"\n"
        return line * min(self.number, _MOST // len(line) + 1)


@dataclass(frozen=True)
class Leaf:
    """The headers and the body of a part that has no parts."""

    kind: str
    charset: str
    flags: str
    encoding: str
    disposition: str
    text: Text
    packed: Literal["", "base64", "gzip"]

    def __bytes__(self) -> bytes:
        body = bytes(self.text)
        if self.packed:
            body = base64.encodebytes(gzip.compress(body) if self.packed == "gzip" else body)
        head = f"Content-Type: {self.kind}; charset={self.charset}{self.flags}\n"
        head += f"Content-Transfer-Encoding: {self.encoding}\nContent-Disposition: {self.disposition}\n\n"
        return head.encode() + body


@dataclass(frozen=True)
class Parts:
    """Parts inside of a part: beside each other, many times over, or the first of them deep inside of others."""

    how: Literal["beside", "enclosed", "deep"]
    parts: tuple["Leaf | Parts", ...]
    number: int

    def __bytes__(self) -> bytes:
        if self.how == "beside":
            body = b"".join(b"--b\n" + bytes(part) + b"\n" for part in self.parts)
            head = b"Content-Type: multipart/mixed; boundary=b\n\n"
            return head + body * min(self.number, _MOST // (len(body) + 1) + 1) + b"--b--\n"
        level = b"Content-Type: message/rfc822\n\n"
        if self.how == "deep":
            level = b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n'
        depth = range(min(self.number, 200 if self.how == "enclosed" else 40))
        levels = b"".join(level % (n, n) if self.how == "deep" else level for n in depth)
        return levels + bytes(self.parts[0])


@dataclass(frozen=True)
class Mail:
    """A mail, an answer by its look, some of whose headers and all of whose parts are hostile."""

    above: tuple[Header, ...]
    below: tuple[Header, ...]
    parts: Leaf | Parts

    def __bytes__(self) -> bytes:
        usual = (
            b"From: ann@acme.example\nTo: care@northwind.example\n"
            b"Subject: Re: your message\nIn-Reply-To: <1@acme.example>\n"
        )
        return b"".join((*map(bytes, self.above), usual, *map(bytes, self.below), bytes(self.parts)))[:_MOST]


_TEXTS: Final = st.builds(
    Text,
    rows=st.lists(st.tuples(st.sampled_from(PIECES), NUMBERS), min_size=1, max_size=5).map(tuple),
    times=st.sampled_from((1, 1, 1, 3)),
    end=st.binary(max_size=20),
)
_HEADERS: Final = st.builds(
    Header,
    name=st.sampled_from(NAMES),
    value=_TEXTS,
    longest=st.sampled_from((80, 80, 80, 2_000, 9_000, 9_000, 400_000)),
    number=st.sampled_from((1, 1, 1, 1, 1, 1, 30, 30, 2_100)),
)
_LEAVES: Final = st.builds(
    Leaf,
    kind=st.sampled_from(KINDS),
    charset=st.sampled_from(CHARSETS),
    flags=st.sampled_from(FLAGS),
    encoding=st.sampled_from(ENCODINGS),
    disposition=st.sampled_from(DISPOSITIONS),
    text=_TEXTS,
    packed=st.sampled_from(("", "", "base64", "gzip")),
)
MAILS: Final = st.builds(
    Mail,
    above=st.lists(_HEADERS, max_size=3).map(tuple),
    below=st.lists(_HEADERS, max_size=3).map(tuple),
    parts=st.recursive(
        _LEAVES,
        lambda inner: st.builds(
            Parts,
            how=st.sampled_from(("beside", "enclosed", "deep")),
            parts=st.lists(inner, min_size=1, max_size=3).map(tuple),
            number=NUMBERS,
        ),
        max_leaves=6,
    ),
)
