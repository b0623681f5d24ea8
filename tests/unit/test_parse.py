"""If these fail, one strange message stops a mailbox, or a customer's mail is taken for something else."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.letters import bounce, letter
from workers.inbound.mime import MAX_BYTES
from workers.inbound.parse import Parsed, SetAside, parse

SENT = b"From: ann@acme.example\nTo: care@northwind.example\n"
HEAD = SENT + b"Subject: Hello\n"
ENCLOSED = b"Content-Type: message/rfc822\n\n"
PARTS = b"Content-Type: multipart/mixed; boundary=b\n\n"
DEEP = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"


def read(raw: bytes) -> Parsed:
    parsed = parse(raw)
    assert isinstance(parsed, Parsed), parsed
    return parsed


def refused(raw: bytes) -> str:
    aside = parse(raw)
    assert isinstance(aside, SetAside), aside
    return aside.reason


def storable(text: str) -> bool:
    return "\0" not in text and text.encode("utf-8").decode() == text


def test_a_plain_mail_is_read_whole() -> None:
    mail = read(
        letter(
            "Hello\nthere",
            sender="Zoë <Zoe+crm@Acme.example>",
            to='"care@other.example" <care@northwind.example>, Bob <bob@northwind.example>',
            answers=["<1@x.example>", "<2@x.example>"],
            message_id="<a@acme.example>",
            headers=[("Delivered-To", "box@host.example"), ("X-Mailer", "Pine"), ("Cc", "eve@acme.example")],
        )
    )

    assert (mail.message_id, mail.in_reply_to) == ("<a@acme.example>", "<2@x.example>")
    assert mail.references == ("<1@x.example>", "<2@x.example>")
    assert (mail.senders[0].address, mail.senders[0].name) == ("Zoe+crm@Acme.example", "Zoë")
    assert mail.to == ("care@northwind.example", "bob@northwind.example", "eve@acme.example")
    assert mail.delivered_to == ("box@host.example",)
    assert (mail.subject, mail.text.strip()) == ("Re: your message", "Hello\nthere")
    assert mail.sent_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert mail.headers["x-mailer"] == "Pine"
    assert mail.judgement.kind == "reply"


def test_text_and_html_are_told_apart_from_what_is_attached() -> None:
    mail = read(
        HEAD
        + b"Content-Type: multipart/mixed; boundary=m\n\n"
        + b"--m\nContent-Type: multipart/alternative; boundary=a\n\n"
        + b"--a\nContent-Type: text/plain; charset=utf-8\n\nGr\xc3\xbc\xc3\x9fe\n"
        + b"--a\nContent-Type: text/html\n\n<p>Hello</p>\n--a--\n"
        + b"--m\nContent-Type: text/plain\nContent-Disposition: attachment; filename=log.txt\n\nattached\n"
        + b"--m\nContent-Type: message/rfc822\n\nFrom: x@y.example\nMessage-ID: <inner@y.example>\n\nforwarded\n--m--\n"
    )

    assert mail.text.strip() == "Grüße"
    assert mail.html is not None
    assert mail.html.strip() == "<p>Hello</p>"
    assert "inner@y.example" in mail.enclosed


def test_encoded_and_raw_headers_are_decoded() -> None:
    mail = read(
        b"From: =?utf-8?q?Zo=C3=AB?= <zoe@acme.example>\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\n =?x?q?_you?=\n\nHi\n"
    )
    assert (mail.senders[0].name, mail.subject) == ("Zoë", "Grüße you")
    assert read("From: ann@acme.example\nSubject: Grüße\n\nHi\n".encode()).subject == "Grüße"
    assert read(b"From: ann@acme.example\nSubject: Gr\xfc\xdfe =?utf-8?q?=ff=\n\nHi\n").subject.startswith("Grüße")


def test_an_encoded_absence_note_is_recognised() -> None:
    note = letter(headers=[("X-Auto-Response-Suppress", "All")]).replace(
        b"Subject: A note", b"Subject: =?utf-8?q?Abwesenheitsnotiz:_Urlaub?="
    )
    assert read(note).judgement.kind == "out_of_office"


@pytest.mark.parametrize(
    "header", [b"", b"Message-ID:\n", b"Message-ID: <>\n", b"Message-ID: <" + b"x" * 5000 + b">\n"]
)
def test_a_mail_without_an_id_gets_the_same_one_each_time(header: bytes) -> None:
    mail = read(HEAD + header + b"\nHello")

    assert mail.message_id == f"<{mail.fingerprint}@no-message-id.invalid>"
    assert read(HEAD + header + b"\nHello") == mail
    assert read(HEAD + header + b"\nHello!").message_id != mail.message_id


def test_an_id_may_lack_its_brackets_or_be_folded() -> None:
    assert read(HEAD + b"Message-ID: a@b.example\n\nHello").message_id == "<a@b.example>"
    assert read(HEAD + b"Message-ID:\n <a@b.\n example>\n\nHello").message_id == "<a@b.example>"


@pytest.mark.parametrize(
    ("value", "address", "name"),
    [
        ('"boss@other.example" <ann@acme.example>', "ann@acme.example", "boss@other.example"),
        ("ann@acme.example (Ann Archer)", "ann@acme.example", "Ann Archer"),
        ("Ann (Sales) <ann@acme.example>", "ann@acme.example", "Ann (Sales)"),
        ("=?utf-8?q?Zo=C3=AB?= =?utf-8?b?IEzDqXJ5?= <zoe@acme.example>", "zoe@acme.example", "Zoë Léry"),
        ("=?utf-8?q?Zo=C3=AB_=3Czoe=40acme=2Eexample=3E?=", "zoe@acme.example", "Zoë"),
        ('"Ann \\"the\\" Archer" <ann@acme.example>', "ann@acme.example", 'Ann "the" Archer'),
        ('"Ann <ann@acme.example>', "ann@acme.example", "Ann"),
        ('"a b"@acme.example', '"a b"@acme.example', None),
        ("<@relay.example:ann@acme.example>", "ann@acme.example", None),
        ("'ann@acme.example'", "ann@acme.example", None),
        ("ann@grüße.example", "ann@grüße.example", None),
        ("ann@acme.example, bob@acme.example", "ann@acme.example", None),
        ("Ann via groups.io <ann=acme.example@groups.io>", "ann@acme.example", "Ann via groups.io"),
    ],
)
def test_a_sender_is_read_however_he_is_written(value: str, address: str, name: str | None) -> None:
    assert read(f"From: {value}\nSubject: Hello\n\nHello\n".encode()).senders[0] == (address, name)


def test_the_writer_behind_a_list_is_known_by_what_the_list_keeps_of_him() -> None:
    listed = (
        b"From: Ann via Buyers <buyers@lists.acme.example>\nX-MailFrom: ann@acme.example\nSubject: Hello\n\nHello\n"
    )
    assert [sender.address for sender in read(listed).senders] == ["buyers@lists.acme.example", "ann@acme.example"]


def test_a_mailbox_that_forwards_to_another_is_a_recipient() -> None:
    forwarded = b"X-Forwarded-For: care@northwind.example team@northwind.example\n\nHello"
    assert read(HEAD + forwarded).delivered_to == ("care@northwind.example", "team@northwind.example")


@pytest.mark.parametrize(
    "name",
    [
        "Envelope-To", "X-Resolved-To", "X-MDRcpt-To", "X-MDaemon-Deliver-To", "X-SimpleLogin-Envelope-To",
        "X-Receiver", "X-Envelope-Recipients", "X-Sieve-Redirected-From", "Envelope-Recipient", "X-Rcpt-To",
    ],
)  # fmt: skip
def test_whom_a_mail_was_delivered_to_is_known_from_any_servers_header(name: str) -> None:
    mail = read(HEAD + f"{name}: <care@northwind.example>\n\nHello".encode())
    assert mail.delivered_to == ("care@northwind.example",)


@pytest.mark.parametrize("name", ["Reply-To", "Return-Receipt-To", "In-Reply-To", "X-Failed-Recipients", "Errors-To"])
def test_who_is_named_in_other_headers_was_not_delivered_to(name: str) -> None:
    assert read(HEAD + f"{name}: <care@northwind.example>\n\nHello".encode()).delivered_to == ()


def test_an_address_inside_a_quoted_name_is_no_recipient() -> None:
    mail = read(b'From: ann@acme.example\nTo: "a@b.example" <c@d.example>, x@y.example (z@z.example)\n\nHello')
    assert mail.to == ("c@d.example", "x@y.example")


@pytest.mark.parametrize("sender", ["MAILER-DAEMON <>", "MAILER-DAEMON", "<>"])
def test_a_report_without_a_sender_is_a_report(sender: str) -> None:
    report = bounce("<1@x.example>", "ann@acme.example", "5.1.1")
    mail = read(report.replace(b"From: MAILER-DAEMON@mx.northwind.example", f"From: {sender}".encode()))
    assert (mail.senders[0].address, mail.judgement.kind) == ("<>", "bounce")


@pytest.mark.parametrize(
    "above", [b"\n\n", b"From ann@acme.example Mon Mar  2 10:00:00 2026\n", b">From x\n", b"\xef\xbb\xbf", b"\r\n"]
)
def test_what_stands_above_the_headers_is_passed_over(above: bytes) -> None:
    assert read(above + HEAD + b"\nHello\n").text == "Hello\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_may_end_in_any_way(end: bytes) -> None:
    mail = read((HEAD + b"X-Mailer: Pine\n 4\n\nHello\nthere\n").replace(b"\n", end))
    assert (mail.subject, mail.headers["x-mailer"], mail.text) == ("Hello", "Pine 4", "Hello\nthere\n")


def test_a_text_that_no_blank_line_parts_from_the_headers_is_the_text() -> None:
    assert read(HEAD + b"Hello there\n").text == "Hello there\n"
    assert read(HEAD + b"a line that is no header\nX-Mailer: Pine\n\nHello\n").text == "Hello\n"


def test_a_mail_that_was_saved_as_unicode_text_is_read() -> None:
    assert read((HEAD + b"\nHello\n").decode().encode("utf-16")).text == "Hello\n"


@pytest.mark.parametrize("body", [b"", b"\n", b"\n  \n"])
def test_a_mail_that_says_all_in_its_subject_is_read(body: bytes) -> None:
    mail = read(HEAD + body)
    assert (mail.subject, mail.text.strip()) == ("Hello", "")


def test_a_bounce_names_the_message_that_it_carries_back() -> None:
    mail = read(bounce("<action.1@x.example>", "ann@acme.example", "5.1.1"))

    assert "Message-ID: <action.1@x.example>" in mail.enclosed
    [failure] = mail.judgement.failures
    assert (mail.judgement.kind, failure.recipient, failure.fault.whose) == ("bounce", "ann@acme.example", "address")


@pytest.mark.parametrize(
    "date", [b"", b"yesterday", b"Mon, 99 Mar 2026 10:00:00 +0100", b"Mon, 2 Mar 99999999999 10:00:00 +99999999", b"1"]
)
def test_a_mail_with_an_impossible_date_is_still_a_mail(date: bytes) -> None:
    assert read(HEAD + b"Date: " + date + b"\n\nHello").sent_at is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "broken: empty"),
        (b"\0" * 100, "broken: no header"),
        (b"Hello,\nthis is no mail\n", "broken: no header"),
        (b"note: this is a text\n\nand no mail\n", "broken: no header of a mail"),
        (b"To: care@northwind.example\nSubject: Hello\n\nHello\n", "broken: no sender"),
        (SENT, "broken: no body"),
        (SENT + b"\n\n  \n", "broken: no body"),
        (SENT + b"\n" + b"\n" * 1_100_000, "broken: no body"),
        (HEAD + b"\n" + b"x" * MAX_BYTES, "too large: 25.0 MB, the limit is 25 MB"),
        (HEAD + b"X: y\n" * 10_000 + b"\nHello\n", "hostile: more than 2,000 headers"),
        (HEAD + b"X: " + b"y" * 1_100_000 + b"\n\nHello\n", "hostile: more than 1,000,000 bytes of headers"),
        (HEAD + ENCLOSED * 50 + HEAD + b"\nHello", "hostile: nested more than 30 levels deep"),
        (HEAD + PARTS + b"--b\n\nHello\n" * 2_000, "hostile: more than 1,000 parts"),
        (HEAD + PARTS + b"--b\n\nHello\n" * 20_000, "hostile: more than 10,000 boundaries"),
        (HEAD + PARTS + (b"--b\n" + b"a:\n" * 20 + b"\n") * 900, "hostile: more than 10,000 headers"),
        (
            HEAD + b"".join(DEEP % (n, n) for n in range(20)) + b"x\n" * 5_000_000,
            "hostile: parts inside of parts, to be read more than three times",
        ),
    ],
)
def test_what_cannot_be_taken_is_set_aside_with_its_reason(raw: bytes, reason: str) -> None:
    assert refused(raw) == reason


FRAGMENTS = st.sampled_from(
    [
        b"From: ",
        b"To: ",
        b"Subject: ",
        b"Message-ID: ",
        b"Date: ",
        b"References: ",
        b"In-Reply-To: ",
        b"ann@acme.example",
        b"<a@b>",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r",
        b"Content-Type: multipart/mixed; boundary=b",
        b"--b",
        b"--b--",
        b";",
        b'"',
        b"Content-Type: message/rfc822",
        b"Content-Type: text/plain; charset=",
        b"utf-16",
        b"hz",
        b"idna",
        b"utf-7",
        b"(",
        b"Content-Type: message/delivery-status",
        b"Content-Transfer-Encoding: base64",
        b"x-uuencode",
        b"begin 644 x",
        b"=?utf-8?b?",
        b"=?x?q?",
        b"?=",
        b"=ff",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b",",
        b" ",
        b":",
        b"From MAILER-DAEMON",
        b"charset*0=x; charset*1*=''y",
        b"Content-Disposition: ",
        b"Status: 5.1.1",
        b"Mon, 2 Mar 2026 10:00:00 +9999",
    ]
)


@pytest.mark.fuzz
@given(st.one_of(st.binary(max_size=400), st.lists(FRAGMENTS | st.binary(max_size=8), max_size=60).map(b"".join)))
def test_no_bytes_raise_and_no_text_hurts_the_database(raw: bytes) -> None:
    for whole in (raw, HEAD + raw, HEAD + b"\n" + raw):
        match parse(whole):
            case Parsed() as mail:
                texts = [mail.message_id, mail.in_reply_to or "", *mail.references, *mail.answers, mail.enclosed]
                texts += [text or "" for sender in mail.senders for text in sender]
                texts += [*mail.to, *mail.delivered_to, *mail.lists, mail.subject, mail.text, mail.html or ""]
                failures = mail.judgement.failures
                texts += [text or "" for one in failures for text in (one.recipient, one.status, one.said)]
                texts += mail.headers.values()
                assert all(map(storable, texts))
            case SetAside() as aside:
                assert aside.reason
                assert storable(aside.message_id or "")
