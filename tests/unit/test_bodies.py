"""If these fail, what a customer wrote is lost in what programs wrapped around it."""

import base64
import quopri

import pytest

from tests.letters import by_hand
from workers.inbound.parse import Parsed, parse
from workers.insight.reply import split_reply

SAID = "Yes, that suits us."
PAGE = f"<html><body><p>{SAID}</p></body></html>"


def read(raw: bytes) -> Parsed:
    parsed = parse(raw)
    assert isinstance(parsed, Parsed), parsed
    return parsed


def multipart(*parts: str, kind: str = "mixed", boundary: str = "b") -> bytes:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts) + f"--{boundary}--\n"
    return by_hand(f"Content-Type: multipart/{kind}; boundary={boundary}", body=body)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ('multipart/alternative; boundary="never-written"', f"{SAID}\n"),
        ("multipart/alternative", f"{SAID}\n"),
        ("multipart/mixed; boundary=", f"{SAID}\n"),
        ("multipart/mixed; boundary=b", f"{SAID}\n--b--\n"),
        ("multipart/mixed; boundary=b", f"{SAID}\n--b--"),
        ("multipart/mixed; boundary=other", f"--b\nContent-Type: text/plain\n\n{SAID}\n--b--\n"),
        ("multipart/mixed", f"--=_x 1\nContent-Type: text/plain\n\n{SAID}\n--=_x 1--\n"),
        ("multipart/mixed; boundary=b", f"--b\nContent-Type: text/plain\n\n{SAID}\n"),  # the end is cut off
        ("multipart/mixed; boundary=b", f"--b\n{SAID}\n--b--\n"),  # no blank line
        ('multipart/mixed; boundary="a;b"', f"preamble\n--a;b\n\n{SAID}\n--a;b--\nepilogue\n"),
        ("multipart/mixed; boundary*0=a; boundary*1=b", f"--ab\n\n{SAID}\n--ab--\n"),
        ("multipart/mixed; boundary*=us-ascii'en'b", f"--b\n\n{SAID}\n--b--\n"),
        ("multipart/mixed; boundary=b", f"--b  \n\n{SAID}\n--bb\n--b--\n"),
        ("MULTIPART/Mixed; Boundary=B", f"--B\nContent-type: TEXT/plain\n\n{SAID}\n--B--\n"),
        ("text", f"{SAID}\n"),
        ('text/plain;;; charset="utf-8', f"{SAID}\n"),
    ],
)  # fmt: skip
def test_a_broken_multipart_still_says_what_it_says(header: str, body: str) -> None:
    assert read(by_hand(f"Content-Type: {header}", body=body)).text.replace("--bb", "").strip() == SAID


@pytest.mark.parametrize("said", [SAID, SAID * 30])
def test_a_footer_that_a_list_puts_below_an_encoded_text_hides_nothing(said: str) -> None:
    footer = "_______________________\nCare mailing list\nhttps://lists.northwind.example/care\n"
    body = base64.encodebytes(said.encode()) + footer.encode()
    text = read(by_hand("Content-Transfer-Encoding: base64", body=body)).text
    assert text.startswith(said)
    assert text.endswith(footer)


def test_a_broken_byte_in_an_encoded_text_costs_no_more_than_its_surroundings() -> None:
    body = base64.encodebytes(SAID.encode() * 30).replace(b"\n", b"!\n", 3)
    assert read(by_hand("Content-Transfer-Encoding: base64", body=body)).text == SAID * 30


@pytest.mark.parametrize("said", ["Ja!", "Yes, that suits us.", "<ok>"])
def test_a_text_that_somebody_forgot_to_encode_is_itself(said: str) -> None:
    assert read(by_hand("Content-Transfer-Encoding: base64", body=f"{said}\n")).text == f"{said}\n"


@pytest.mark.parametrize("header", ["X-Nothing: said", "Content-Transfer-Encoding: 7bit"])
def test_a_text_whose_encoding_nobody_names_is_read(header: str) -> None:
    said = "Ja, das passt uns, schöne Grüße aus Zürich"
    assert read(by_hand(header, body=base64.encodebytes(said.encode()))).text == said
    quoted = quopri.encodestring(f"{said} = {said} = {said}".encode())
    assert read(by_hand(header, body=quoted)).text == f"{said} = {said} = {said}"


@pytest.mark.parametrize(
    "said", ["Approved", "x=C3 and y=2, so x = y", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=", "a" * 40]
)
def test_a_text_that_only_looks_encoded_is_itself(said: str) -> None:
    assert read(by_hand(body=said)).text == said


def test_an_encoding_that_is_spelled_otherwise_is_undone() -> None:
    mail = read(by_hand("Content-Transfer-Encoding: Quoted_Printable", body="Yes, that =\nsuits us=2E\n"))
    assert mail.text == SAID + "\n"


@pytest.mark.parametrize("kind", ["enriched", "richtext"])
def test_enriched_text_is_read_as_a_page(kind: str) -> None:
    assert read(by_hand(f"Content-Type: text/{kind}", body=f"<bold>{SAID}</bold>")).html == f"<bold>{SAID}</bold>"


def test_a_page_in_a_multipart_without_parts_is_a_page() -> None:
    mail = read(by_hand('Content-Type: multipart/related; boundary="never"', body=PAGE))
    assert (mail.text, mail.html) == ("", PAGE)


@pytest.mark.parametrize(
    "enclosed",
    [
        "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=x\n\n--x--",
        "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed",
        "Content-Type: message/rfc822\n\n",
        "Content-Type: message/rfc822\n\n\0\xff no header at all",
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n!!!",
        "Content-Type: message/partial; id=1; number=2\n\nhalf of a mail",
        "Content-Type: multipart/mixed; boundary=b\n\n",
        "Content-Type: text/plain; charset=no-such\nContent-Disposition: attachment\n\n\xff",
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n=====",
    ],
)
def test_a_broken_part_costs_nobody_the_rest(enclosed: str) -> None:
    assert read(multipart(f"\n{SAID}", enclosed)).text.strip() == SAID


@pytest.mark.parametrize(
    "beside",
    [
        "Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\neJ8+IgAA",
        "Content-Type: application/pkcs7-signature; name=smime.p7s\nContent-Transfer-Encoding: base64\n\nMIIB",
        "Content-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n\niQ\n-----END PGP SIGNATURE-----",
        "Content-Type: text/plain\nContent-Disposition: attachment; filename=log.txt\n\nterrible failure",
        "Content-Type: text/plain\nContent-Disposition: inline; filename=log.txt\n\nterrible failure",
        "Content-Type: text/csv\n\nterrible;failure",
    ],
)  # fmt: skip
def test_what_lies_beside_a_text_is_not_in_it(beside: str) -> None:
    for kind in ("mixed", "signed"):
        assert read(multipart(f"Content-Type: text/plain\n\n{SAID}", beside, kind=kind)).text.strip() == SAID


def test_a_text_that_was_signed_in_place_is_read_without_its_signature() -> None:
    body = (
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{SAID}\n\n- -- \nAnn\n\n-----BEGIN PGP SIGNATURE-----\n\n"
        "iQEzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n"
    )
    assert read(by_hand(body=body)).text.strip() == f"{SAID}\n\n-- \nAnn"
    unfinished = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n"
    assert read(by_hand(body=unfinished)).text == unfinished


@pytest.mark.parametrize(
    ("parameters", "body", "text"),
    [
        ("format=flowed", "This goes on \nhere.\nThis does not.\n", "This goes on here.\nThis does not.\n"),
        ("format=flowed; delsp=yes", "This is one wo \nrd.\n", "This is one word.\n"),
        ("Format=Flowed", "> quoted and \n> long\nown \n> other\n", "> quoted and long\nown \n> other\n"),
        ("format=flowed", ">> two \n> one\n", ">> two \n> one\n"),
        ("format=flowed", "Hello \n-- \nAnn \nArcher\n", "Hello \n-- \nAnn Archer\n"),
        ("format=flowed", " From here\n  indented\n >no quote\n", "From here\n indented\n>no quote\n"),
        ("format=fixed", "Hello \nthere\n", "Hello \nthere\n"),
    ],
)  # fmt: skip
def test_a_paragraph_is_put_together_again(parameters: str, body: str, text: str) -> None:
    assert read(by_hand(f"Content-Type: text/plain; {parameters}", body=body)).text == text


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("quoted-printable", b"Gr=C3=BC=\n=C3=9Fe aus Z=C3=BCrich\n"),
        ("quoted-printable", b"Gr=C3=BC=  \n=C3=9Fe aus Z=c3=bcrich\n"),
        ("Quoted-Printable ; x", b"Gr=C3=BC=\n=C3=9Fe aus Z=C3=BCrich\n"),
        ("base64", base64.encodebytes("Grüße aus Zürich\n".encode())),
        ("base64", base64.b64encode("Grüße aus Zürich\n".encode()).rstrip(b"=")),
        ("BASE64", base64.b64encode("Grüße aus Zürich\r\n".encode())),
        ("base64", "Grüße aus Zürich\n".encode()),  # labelled, and not encoded
        ("8bit", "Grüße aus Zürich\n".encode()),
        ("no-such", "Grüße aus Zürich\n".encode()),
    ],
)
def test_a_text_is_unpacked_whatever_its_wrapping(encoding: str, body: bytes) -> None:
    lines = ("Content-Type: text/plain; charset=utf-8", f"Content-Transfer-Encoding: {encoding}")
    assert read(by_hand(*lines, body=body)).text.strip() == "Grüße aus Zürich"


@pytest.mark.parametrize("kind", ["Content-Type: text/plain", "Content-Type: text/plain; format=flowed", "X-Any: 1"])
def test_a_page_that_is_labelled_as_plain_text_is_a_page(kind: str) -> None:
    mail = read(by_hand(kind, body=f"<!DOCTYPE html>\n{PAGE}\n"))
    assert (mail.text, mail.html) == ("", f"<!DOCTYPE html>\n{PAGE}\n")
    assert read(by_hand(kind, body="<table 4> is free\n")).text == "<table 4> is free\n"


@pytest.mark.parametrize(
    "block",
    [
        "begin 644 photo.jpg\nM_]C_X``02D9)1@`!`0$`8`!@``#_X0!:17AI9@``34T`*@````@`!0,!``4`\n`\nend",
        "-----BEGIN PGP MESSAGE-----\n\nhQEMA5vUIl0bTHoPAQf/\n=xyz1\n-----END PGP MESSAGE-----",
    ],
)
def test_what_a_program_wrote_into_the_text_is_nobodys_words(block: str) -> None:
    assert read(by_hand(body=f"{SAID}\n\n{block}\n")).text.strip() == SAID
    assert read(by_hand(body=f"{block}\n")).text.strip() == ""


@pytest.mark.parametrize(
    "stub",
    [
        "This message requires an HTML viewer.", "Your e-mail client does not support HTML.",
        "Diese Nachricht ist im HTML-Format. Ihr Programm kann sie nicht anzeigen.",
        "This is a multi-part message in MIME format.",
    ],
)  # fmt: skip
def test_what_a_program_writes_instead_of_the_text_is_nobodys_words(stub: str) -> None:
    both = multipart(f"Content-Type: text/plain\n\n{stub}", f"Content-Type: text/html\n\n{PAGE}", kind="alternative")
    assert split_reply(read(both).text, read(both).html).text == SAID
    assert read(by_hand(body=stub)).text.strip() == stub
    mine = multipart(f"Content-Type: text/plain\n\n{SAID} In HTML, please.", f"Content-Type: text/html\n\n{PAGE}")
    assert read(mine).text.strip() == f"{SAID} In HTML, please."


def test_a_page_says_its_charset_itself() -> None:
    page = (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=koi8-r"></head><p>Спасибо</p></html>'
    )
    assert read(by_hand("Content-Type: text/html", body=page.encode("koi8-r"))).html == page


INVITED = """\
BEGIN:VCALENDAR
METHOD:{method}
BEGIN:VEVENT
ATTENDEE;CN=Ann;
 PARTSTAT={choice}:mailto:ann@acme.example
SUMMARY;LANGUAGE=en:Demo of the pump\\, part 1
{comment}END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize(
    ("choice", "comment", "said"),
    [
        ("ACCEPTED", "", "Accepted: Demo of the pump, part 1"),
        (
            "DECLINED",
            "COMMENT:Not this week\\, sorry.\n",
            "Not this week, sorry.\n\nDeclined: Demo of the pump, part 1",
        ),
        ("TENTATIVE", "", "Tentative: Demo of the pump, part 1"),
    ],
)
def test_an_answer_to_an_invitation_is_a_persons_answer(choice: str, comment: str, said: str) -> None:
    calendar = INVITED.format(method="REPLY", choice=choice, comment=comment)
    for lines in ((), ("Auto-Submitted: auto-generated",), ("Precedence: bulk",)):
        mail = read(by_hand("Content-Type: text/calendar; method=REPLY", *lines, body=calendar))
        assert (mail.text, mail.judgement.kind) == (said, "reply")


def test_an_answer_with_words_is_those_words_and_an_invitation_is_no_answer() -> None:
    part = "Content-Type: text/calendar; method=REPLY\n\n" + INVITED.format(
        method="REPLY", choice="ACCEPTED", comment=""
    )
    assert read(multipart(f"Content-Type: text/plain\n\n{SAID}", part, kind="alternative")).text.strip() == SAID
    request = INVITED.format(method="REQUEST", choice="NEEDS-ACTION", comment="")
    mail = read(by_hand("Content-Type: text/calendar; method=REQUEST", "Auto-Submitted: auto-generated", body=request))
    assert (mail.text, mail.judgement.kind) == ("", "auto_reply")


def test_what_is_said_with_an_answer_to_an_invitation_is_heard_beside_what_its_program_writes() -> None:
    comment = "Not this week\\, sorry; R&D is on leave."
    said = "Not this week, sorry; R&D is on leave."
    calendar = INVITED.format(method="REPLY", choice="DECLINED", comment=f"COMMENT:{comment}\n")
    part = f"Content-Type: text/calendar; method=REPLY\n\n{calendar}"
    page = "<html><body><p>Ann has declined this invitation.</p></body></html>"
    mail = read(multipart(f"Content-Type: text/html\n\n{page}", part, kind="alternative"))
    assert split_reply(mail.text, mail.html).text == f"{said}\n\nAnn has declined this invitation."
    mail = read(multipart("Content-Type: text/plain\n\nAnn has declined.", part, kind="alternative"))
    assert split_reply(mail.text, mail.html).text == f"{said}\n\nAnn has declined."
    # Outlook writes it into the text too.
    page = "<html><body><p>Not this week,<br> sorry; R&amp;D is on leave.</p></body></html>"
    mail = read(multipart(f"Content-Type: text/html\n\n{page}", part, kind="alternative"))
    assert mail.html == page


def test_how_a_text_was_decoded_is_noted() -> None:
    mail = read(by_hand("Content-Type: text/plain; charset=utf-8", body="Zürich ".encode() + b"\xff"))
    assert mail.headers["decoded"] == "utf-8, characters lost: 1"
    assert "decoded" not in read(by_hand()).headers
