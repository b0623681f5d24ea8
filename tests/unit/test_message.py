"""If these fail, a name writes headers of its own, a follow-up lies beside its thread, or nobody can get out."""

import re
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import customer_letters
from tests.letters import as_read, part_of
from tests.unit.test_render import FULL, NAMES, OPTIONAL, SHARING, STEPS
from workers.correspondence import Answered, message_id, read_opt_out_token, reference
from workers.delivery import mime
from workers.delivery.facts import Facts, Thread
from workers.delivery.message import SenderError, compose
from workers.delivery.mime import UnsendableError
from workers.delivery.texts import Text, footer, render
from workers.delivery.wording import LANGUAGES, Wording
from workers.insight.answers import kind_of_answer
from workers.insight.reply import split_reply

TENANT = UUID(int=7)
LONG = "https://" + "a" * 60 + ".northwind.example/fleet"


def letter(**changes: Any) -> EmailMessage:
    """A message as its reader's program understands it."""
    values: dict[str, Any] = {
        "text": Text("Hello", "Hello\n"), "action": 1, "tenant": TENANT, "tenant_name": "Northwind",
        "address": "ann@acme.example", "from_name": "Northwind", "from_address": "Customer Care <care@fleet.example>",
    }  # fmt: skip
    return as_read(compose(**values | changes))


# Titles and names that Python before 3.12.5 turns into headers, and a body, of their own (CVE-2024-6923).
SMUGGLED = [
    "=?utf-8?q?Hello=0AFrom:=20ceo@acme.example?=",
    "=?utf-8?q?Hello=0ABcc:=20all@acme.example=0AContent-Type:=20text/html=0A=0A<h1>Pay</h1>?=",
    "=?utf-8?b?SGVsbG8KRnJvbTogY2VvQGFjbWUuZXhhbXBsZQ==?=",
    "==?utf-8?q?=0AFrom:=20x?=?utf-8?q?=0AFrom:=20x?=",
    "=?utf-7?q?+2AA-?=",
]


@pytest.mark.parametrize("title", SMUGGLED)
def test_a_title_writes_no_header_of_its_own(title: str) -> None:
    message = letter(text=render("deal_follow_up", FULL | {"deal": title}, title, SHARING), from_name=title)

    assert message.keys() == letter().keys()
    assert message["From"].addresses[0].addr_spec == "care@fleet.example"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert title.rpartition("?")[0][2:] in message["Subject"].replace("= ?", "=?") + message["From"]


@pytest.mark.parametrize("hidden", ["\nBcc: all@acme.example", "\rBcc: all@acme.example", "\r\n\r\n<h1>Pay</h1>", "\n"])
def test_a_message_with_headers_that_nobody_set_is_refused(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As older Pythons keep what an encoded word hides; which ones do differs from release to release.
    monkeypatch.setattr(mime, "_encoded", lambda name, _value: f"{name}: Hello{hidden}\n".encode())

    with pytest.raises(UnsendableError):
        letter(text=Text("Grüße", "Hello\n"))


@pytest.mark.fuzz
@given(
    st.text(st.characters(), max_size=200), st.text(st.characters(), max_size=2000),
    st.sampled_from(["", "ü" * 40, "x" * 90]),
)  # fmt: skip
def test_a_message_is_written_as_the_standard_library_reads_and_writes_it(subject: str, body: str, name: str) -> None:
    sent = compose(
        Text(" ".join(subject.split()), body), action=1, tenant=TENANT, tenant_name="Northwind",
        address="ann@acme.example", from_name=name, from_address="care@fleet.example",
    )  # fmt: skip
    read = message_from_bytes(sent.raw, policy=policy.SMTP.clone(refold_source="none"))

    assert read.as_bytes() == sent.raw
    read = as_read(sent)
    assert [part.defects for part in read.walk()] == [[], [], []]
    assert [value.defects for value in read.values()] == [()] * len(read)
    assert (read["Message-ID"], part_of(read)) == (sent.message_id, sent.text)
    assert " ".join(read["Subject"].split()) == " ".join(sent.subject.split())
    assert max(map(len, sent.raw.split(b"\r\n"))) < 998
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", sent.raw)


@pytest.mark.parametrize("address", ["=?utf-8?q?a=0ABcc:=20x?=@acme.example", "=?utf-8?q?a=0Ab?=@acme.example"])
def test_an_address_writes_no_header_of_its_own(address: str) -> None:
    for changes in ({"address": address}, {"from_address": address}, {"from_address": f"Care <{address}>"}):
        with pytest.raises((UnsendableError, SenderError)):
            letter(**changes)


@given(
    st.text(st.characters(), max_size=80), st.text(st.characters(), max_size=80) | st.sampled_from(SMUGGLED),
    st.sampled_from(NAMES), st.sampled_from(STEPS),
)  # fmt: skip
@pytest.mark.fuzz
def test_whatever_a_value_is_the_message_has_its_own_headers_and_lines(
    value: str, name: str, template: str, step: int
) -> None:
    harmless = FULL | dict.fromkeys([*OPTIONAL, "quote_number"], "Ann") | {"step": step, "summary": "Late again."}
    hostile = harmless | dict.fromkeys([*OPTIONAL, "quote_number"], f"A{value}Z") | {"summary": "Late again."}

    text = render(template, hostile, f"A{name}Z")
    message = letter(text=text, from_name=name)

    assert message.keys() == letter().keys()
    assert len(message["From"].addresses) == 1
    assert len(text.body.splitlines()) == len(render(template, harmless, "Northwind").body.splitlines())
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text.subject + text.body)


@given(
    st.text(alphabet='(((""\\<>@,;:[]=? \t\r\n\x00ab.é\ud800', max_size=400) | st.text(st.characters(), max_size=400),
    st.integers(1, 60),
)
@pytest.mark.fuzz
def test_whatever_an_address_is_it_is_used_or_refused(piece: str, times: int) -> None:
    for changes in ({"address": piece * times}, {"address": f"{piece * times}@acme.example"}):
        try:
            message = letter(**changes)
        except UnsendableError:
            continue
        assert message["To"].addresses[0].addr_spec == changes["address"]
    for sender in (piece * times, f"{piece} <{piece * times}>", f"{piece * times} <care@fleet.example>"):
        with suppress(SenderError):
            assert letter(from_address=sender).keys() == letter().keys()


@pytest.mark.fuzz
@given(st.text(max_size=60), st.sampled_from(NAMES), st.sampled_from(STEPS))
def test_no_value_breaks_out_of_the_subject(value: str, name: str, step: int) -> None:
    values = FULL | dict.fromkeys([*OPTIONAL, "quote_number"], f"A{value}\r\nBcc: all@acme.example") | {"step": step}
    text = render(name, values, f"North{value}\nwind")
    message = letter(text=text, from_name=f"North{value}\r\nBcc: all@acme.example")
    assert len(text.subject.splitlines()) == 1
    assert message["Bcc"] is None
    assert sorted(message.keys()) == sorted(letter().keys())
    assert message["To"] == "ann@acme.example"


def test_a_tenants_name_with_a_line_break_is_still_a_sender() -> None:
    message = letter(from_name="North\r\nwind")

    assert message["From"].addresses[0].display_name == "North wind"
    assert message["From"].addresses[0].addr_spec == "care@fleet.example"


def test_a_long_name_with_a_comma_is_still_one_sender() -> None:
    name = "Northwind, Southwind & Partners (International Consulting and Trading) Ltd., Amsterdam"
    message = letter(from_name=name)

    assert [(one.display_name, one.addr_spec) for one in message["From"].addresses] == [(name, "care@fleet.example")]


def test_the_message_id_depends_on_the_action_alone() -> None:
    again = letter(text=Text("Other", "Other\n"), address="bob@acme.example", from_name="Southwind")

    assert letter()["Message-ID"] == again["Message-ID"] == message_id(Answered(1, TENANT), "fleet.example")
    assert letter(action=2)["Message-ID"] != letter()["Message-ID"]


def test_a_message_id_fits_on_one_line_and_its_reference_stands_below_the_text() -> None:
    message = letter(action=412_345_678, from_address="care@northwind.example")

    assert f"\nMessage-ID: {message['Message-ID']}\n" in message.as_string()
    assert part_of(message).endswith(f'answer with "stop".\nRef: {reference(412_345_678)}\n')


@pytest.mark.parametrize(
    "address",
    [
        "ann", "ann@", "@acme.example", "ann@acme..example", "a b@acme.example", "ann@acme.example, bob@acme.example",
        "Ann <ann@acme.example>", "ann@acme.example\r\nBcc: all@acme.example", "ann@acme.example\x00",
        "änn@acme.example", ";", "(" * 3000 + "@acme.example", '"\\"' * 2000 + "@acme.example",
        "a" * 99_999 + "@acme.example",
        f"ann@{'ü' * 200}.example", "ann@[127.0.0.1]", '"ann"@acme.example',
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        letter(address=address)

    assert not isinstance(refusal.value, SenderError)


@pytest.mark.fuzz
@given(st.text(max_size=30), st.text(alphabet='ab.@<>(),;:\\"[] \t\r\n\x00é中-_', max_size=20))
def test_any_text_is_an_address_or_a_value_error(local: str, rest: str) -> None:
    for address in (f"{local}@{rest}", rest, local + rest):
        try:
            message = letter(address=address)
        except ValueError:
            continue
        assert len(message["To"].addresses) == 1


@pytest.mark.parametrize(
    ("domain", "written"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("groß.example", "xn--gro-7ka.example"),  # another domain than gross.example
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("日本語。jp", "xn--wgv71a119e.jp"),
    ],
)
def test_a_domain_of_any_alphabet_is_written_as_every_server_understands_it(domain: str, written: str) -> None:
    assert str(letter(address=f"ann@{domain}")["To"]) == f"ann@{written}"


@pytest.mark.parametrize("sender", ["", "nobody", "care@", "Care <care@@fleet.example>"])
def test_a_sender_without_an_address_is_the_settings_fault(sender: str) -> None:
    with pytest.raises(SenderError):
        letter(from_address=sender)


def test_a_follow_up_answers_the_first_message_under_its_subject() -> None:
    thread = Thread(f"<action.1.abcdefghijklmnop@{'a' * 60}.northwind.example>", "A question about our offer")
    message = letter(text=Text("Who looks after our offer?", "Hello\n"), facts=Facts(thread=thread))

    assert message["Subject"] == "Re: A question about our offer"
    assert message["In-Reply-To"] == message["References"] == thread.message_id
    assert letter()["References"] is None
    again = letter(facts=Facts(thread=Thread("<a@b>", "RE: A question")))
    assert again["Subject"] == "RE: A question"


def test_who_signs_a_letter_sends_it_from_the_tenants_address() -> None:
    message = letter(facts=Facts(sender_name="Łukasz Ørsted"))

    assert message["From"].addresses[0].display_name == "Łukasz Ørsted"
    assert message["From"].addresses[0].addr_spec == "care@fleet.example"


@pytest.mark.parametrize("url", ["https://mail.example", LONG])
def test_a_mail_program_finds_the_way_out_whole_and_with_its_proof(url: str) -> None:
    message = letter(action=412, public_url=url, reply_to=f"reply+{'a' * 55}@reply.northwind.example")
    raw = bytes(message).decode()
    [link, mail] = re.findall(r"<(.*?)>", message["List-Unsubscribe"])

    assert link in raw
    assert "=?utf-8" not in raw.partition("\n\n")[0]
    assert link.startswith(f"{url}/unsubscribe/")
    assert read_opt_out_token(link.rpartition("/")[2]) == 412
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.startswith("mailto:reply+")
    assert link in part_of(message)
    assert f'<a href="{link}">' in part_of(message, "html")


def test_without_a_public_address_a_letter_to_us_is_the_way_out() -> None:
    message = letter(action=412)
    [mail] = re.findall(r"<(.*?)>", message["List-Unsubscribe"])
    asked = parse_qs(urlsplit(mail).query)

    assert urlsplit(mail).path == "care@fleet.example"
    assert asked["subject"] == ["unsubscribe"]
    assert asked["body"] == [f"unsubscribe\n\nRef: {reference(412)}"]
    assert message["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_word_that_a_letter_asks_for_is_understood(language: str) -> None:
    below = footer(language, tenant="Northwind", postal_address="Kai 1\n20457 Hamburg", url=None)
    [word] = re.findall(r"[«„\"]\s?(\w+)\s?[»“\"]", below)

    assert below.startswith("Northwind, Kai 1, 20457 Hamburg\n")
    assert kind_of_answer(word, "Re: our offer", "und").kind == "opt_out"


@pytest.mark.parametrize("url", [None, "https://mail.example"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_whoever_answers_above_our_letter_has_not_asked_for_no_more(language: str, url: str | None) -> None:
    message = letter(text=render("deal_follow_up", FULL, "Northwind", Wording(language)), public_url=url)
    ours = part_of(message)
    quoted = "".join(f"> {line}\n" for line in ours.splitlines())
    header = "From: Northwind <care@fleet.example>\nSent: Monday, March 2, 2026 9:00 AM\nTo: Ann\nSubject: Hello"
    for above in (
        f"On Mon, 2 Mar 2026 at 09:00, Northwind <care@fleet.example> wrote:\n\n{quoted}",
        f"-----Original Message-----\n{header}\n\n{ours}",
    ):
        words = split_reply(f"Yes, please go ahead.\n\n{above}", "", "Ann <ann@acme.example>").text
        assert words == "Yes, please go ahead."


class _Tags(HTMLParser):
    """What a page consists of, and that each tag that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.loads: list[tuple[str, str | None]] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.loads += [pair for pair in attrs if pair[0] in ("src", "href", "background", "srcset")]
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def close(self) -> None:
        super().close()
        assert self._open == []


def test_the_page_says_what_the_text_says_and_loads_nothing() -> None:
    wording = Wording("de", link="https://northwind.example/q/7?a=1&b=2")
    text = render("compliance_reminder", FULL, "Northwind & Söhne", wording)
    message = letter(text=text, facts=Facts(wording=wording), public_url="https://mail.example")
    tags = _Tags()
    tags.feed(part_of(message, "html"))
    tags.close()

    assert tags.seen == {"html", "head", "meta", "title", "body", "div", "p", "br", "ul", "li", "a"}
    assert [name for name, _ in tags.loads] == ["href"]
    assert '<html lang="de">' in part_of(message, "html")
    assert "<li>Steuernummer</li>" in part_of(message, "html")
    assert "Northwind &amp; Söhne" in part_of(message, "html")
    quote = render("quote_follow_up", FULL, "Northwind", wording)
    shown = part_of(letter(text=quote, facts=Facts(wording=wording)), "html")
    assert '<a href="https://northwind.example/q/7?a=1&amp;b=2">' in shown


def test_a_title_is_no_mark_up_and_no_link() -> None:
    title = '<img src=x onerror=alert(1)> </p><a href="https://evil.example">x</a> https://evil.example {title}'
    shown = part_of(letter(text=render("quote_follow_up", FULL | {"title": title}, title)), "html")

    assert "<img" not in shown
    assert "<a" not in shown
    assert "{title}" in shown


def test_the_page_about_what_customers_see_shows_what_they_see() -> None:
    assert customer_letters.PAGE.read_text() == customer_letters.page(), "python -m tests.customer_letters writes it"
