"""Mail that is built to hurt its reader: deep, wide, long, broken, mislabelled; each made from a few choices."""

import base64
import gzip
from collections.abc import Callable, Sequence
from typing import Final

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


@st.composite
def hostile_mails(draw: st.DrawFn) -> bytes:
    """A mail, an answer by its look, some of whose headers and all of whose parts are hostile."""
    usual = (
        b"From: ann@acme.example\nTo: care@northwind.example\n"
        b"Subject: Re: your message\nIn-Reply-To: <1@acme.example>\n"
    )
    lines = [_header(draw) for _ in range(draw(st.integers(0, 6)))]
    parts = draw(st.recursive(_leaves(), _nested, max_leaves=6))
    return (b"".join(draw(st.permutations([usual, *lines]))) + parts)[:_MOST]


@st.composite
def _texts(draw: st.DrawFn) -> bytes:
    """A few pieces, each in a row of up to 200,000."""
    rows = draw(st.lists(st.tuples(st.sampled_from(PIECES), NUMBERS), min_size=1, max_size=5))
    text = b"".join(piece * number for piece, number in rows)[:1_000_000]
    return text * draw(st.sampled_from((1, 1, 1, 3))) + draw(st.binary(max_size=20))


def _header(draw: st.DrawFn) -> bytes:
    number = draw(st.sampled_from((1, 1, 1, 30, 2_100)))
    value = draw(_texts())[: draw(st.sampled_from((80, 80, 2_000, 9_000, 400_000)))].replace(b"\n\n", b"\n ")
    line = draw(st.sampled_from(NAMES)).encode() + b": " + value + b"\n"
    return line * min(number, _MOST // len(line) + 1)


@st.composite
def _leaves(draw: st.DrawFn) -> bytes:
    """The headers and the body of a part that has no parts."""
    kind, charset, flags = (draw(st.sampled_from(choices)) for choices in (KINDS, CHARSETS, FLAGS))
    encoding, disposition = (draw(st.sampled_from(choices)) for choices in (ENCODINGS, DISPOSITIONS))
    text = draw(_texts())
    if encoding == "base64" and draw(st.booleans()):
        text = base64.encodebytes(gzip.compress(text) if draw(st.booleans()) else text)
    head = f"Content-Type: {kind}; charset={charset}{flags}\nContent-Transfer-Encoding: {encoding}\n"
    return f"{head}Content-Disposition: {disposition}\n\n".encode() + text


def _nested(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Parts inside of a part: beside each other, many times over, or inside of one another."""

    def beside(parts: Sequence[bytes], number: int) -> bytes:
        body = b"".join(b"--b\n" + part + b"\n" for part in parts)
        head = b"Content-Type: multipart/mixed; boundary=b\n\n"
        return head + body * min(number, _MOST // (len(body) + 1) + 1) + b"--b--\n"

    def enclosed(part: bytes, number: int) -> bytes:
        return b"Content-Type: message/rfc822\n\n" * min(number, 200) + part

    def deep(part: bytes, number: int) -> bytes:
        levels = (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(min(number, 40)))
        return b"".join(levels) + part

    wrappers: tuple[Callable[[bytes, int], bytes], ...] = (enclosed, deep)
    wrapped = st.builds(lambda wrap, part, number: wrap(part, number), st.sampled_from(wrappers), inner, NUMBERS)
    return st.builds(beside, st.lists(inner, min_size=1, max_size=3), NUMBERS) | wrapped
