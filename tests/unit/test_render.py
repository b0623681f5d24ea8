"""If these fail, a customer reads "None" or a template's inside, or a name writes headers of its own."""

import itertools
import re
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, TemplateError

from workers.correspondence import Answered, message_id, reference
from workers.delivery import render as rendering
from workers.delivery.render import SenderError, Text, UnsendableError, _require_own_headers, compose, render
from workers.delivery.wording import LANGUAGES, Wording
from workers.engines.registry import all_engines

TEMPLATES = Path(rendering.__file__).parent / "templates"
PARTS = {"fields", "greeting", "quote_details", "signature"}
NAMES = sorted(path.name.removesuffix(".txt.j2") for path in TEMPLATES.glob("*.j2") if path.name[:-7] not in PARTS)
STEPS = range(1, 8)
SHARING = Wording(share_deal_titles=True)
# What the engines write, with every value present; those in OPTIONAL may be null in the database.
FULL: dict[str, Any] = {
    "deal": "Ten licences", "stage": "lead", "company": "Acme", "first_name": "Zoë", "owner_name": "Łukasz Ørsted",
    "days_silent": 12, "step": 1, "max_steps": 7, "quote_number": "Q-2026-0001", "title": "Ten licences",
    "amount": "1,200.00", "valid_until": "3 March 2026", "view_count": 2, "order_number": "O-1",
    "delivered_on": "23 February", "compliance_type": "Supplier declaration", "entity": "Acme",
    "entity_type": "client", "due_on": "12 March 2026", "missing": ["tax_number", "iban"], "errors": ["permit lapsed"],
    "customer": "Zoë Ångström", "sentiment": "negative", "issues": ["timeliness"],
    "summary": "Late again.", "case_error": "no such queue",
    "signal": "churn_risk", "evidence": "we will move to another supplier", "origin": "email", "strength": 0.95,
    "person": "Zoë Quist",
    "writer": "Zoë <zoe@acme.example>", "language": "de", "language_name": "German", "answer": "refusal",
    "text": "Nein.", "subject": "Re: Ten licences", "matter": "deal", "matter_id": "7", "sent_on": "1 March 2026",
    "addresses": ["zoe@acme.example"], "cancelled": 2, "why": "stranger",
}  # fmt: skip
OPTIONAL = [
    "deal",
    "company",
    "first_name",
    "owner_name",
    "title",
    "valid_until",
    "order_number",
    "entity",
    "compliance_type",
    "customer",
    "summary",
    "case_error",
    "person",
    "evidence",
    "text",
    "subject",
    "sent_on",
]
ABOUT_ANSWERS = ["answer_unplaced", "answer_unread", "opt_out"]  # filed for any engine by file_answer_task
TENANT = UUID(int=7)


def letter(**changes: Any) -> EmailMessage:
    values: dict[str, Any] = {
        "text": Text("Hello", "Hello\n"), "action": 1, "tenant": TENANT, "address": "ann@acme.example",
        "from_name": "Northwind", "from_address": "Customer Care <care@fleet.example>",
    }  # fmt: skip
    return compose(**values | changes)


def reread(message: EmailMessage) -> EmailMessage:
    return message_from_bytes(bytes(message), policy=policy.default)


def check(text: Text) -> None:
    assert text.subject
    assert "\n" not in text.subject
    assert len(text.subject) < 150
    assert text.body.strip()
    for leftover in ("None", "{{", "}}", "{%", "%}", "{#", "  ", "\x1e", '""', "[]", "Undefined"):
        assert leftover not in text.subject, leftover
        assert leftover not in text.body.replace("\n  - ", "\n- "), leftover
    assert "\n\n\n" not in text.body


def test_every_template_belongs_to_one_engine_or_is_a_piece_of_others() -> None:
    declared = [name for engine in all_engines().values() for name in engine.templates] + ABOUT_ANSWERS
    assert sorted(declared) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_renders_with_everything_known(name: str, step: int) -> None:
    check(render(name, FULL | {"step": step}, "Northwind"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("blank", [None, "", "  "])
def test_every_step_renders_without_what_may_be_missing(name: str, blank: str | None) -> None:
    for step in STEPS:
        for missing in (*([field] for field in OPTIONAL), OPTIONAL):
            values = FULL | {"step": step, "missing": [], "errors": []} | dict.fromkeys(missing, blank)
            check(render(name, values, "Northwind"))


@pytest.mark.parametrize("name", ["deal_follow_up", "quote_follow_up", "compliance_reminder"])
def test_no_step_says_what_another_one_said(name: str) -> None:
    steps = [render(name, FULL | {"step": step}, "Northwind") for step in STEPS]
    distinct = 2 if name == "compliance_reminder" else len(STEPS)

    assert len({text.subject for text in steps}) == distinct
    assert len({text.body for text in steps}) == distinct
    if name != "compliance_reminder":
        assert "our last message" in steps[-1].body


@pytest.mark.parametrize("value", ["N/A", "bo@acme.example", "Sales Team", "Acme", "Mr. Quist"])
def test_a_letter_to_somebody_without_a_name_begins_with_hello_alone(value: str) -> None:
    for name in ("deal_follow_up", "quote_follow_up", "feedback_request", "compliance_reminder"):
        body = render(name, FULL | {"first_name": value, "company": "Acme"}, "Northwind").body
        assert body.splitlines()[0] == "Hello,"
    assert "a personal call, or" in render("deal_handover", FULL | {"first_name": value}, "Northwind").body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["deal_follow_up", "quote_follow_up"])
def test_however_long_a_series_is_no_two_neighbours_are_alike(name: str, language: str) -> None:
    steps = [
        render(name, FULL | {"step": step, "max_steps": 20}, "Northwind", Wording(language)).body
        for step in range(1, 21)
    ]
    assert all(one != other for one, other in itertools.pairwise(steps))


def test_the_only_message_of_a_series_does_not_speak_of_earlier_ones() -> None:
    for name in ("deal_follow_up", "quote_follow_up"):
        text = render(name, FULL | {"step": 1, "max_steps": 1}, "Northwind")
        assert "leave it at this one message" in text.body
        assert "last" not in text.subject + text.body


def test_a_variable_the_engine_did_not_write_is_an_error_and_no_hole_in_a_letter() -> None:
    for template, name in (("deal_handover", "days_silent"), ("feedback_request", "delivered_on")):
        without = {key: value for key, value in FULL.items() if key != name}
        with pytest.raises(TemplateError, match=name):
            render(template, without, "Northwind")
    with pytest.raises(TemplateError):
        render("no_such_template", FULL, "Northwind")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_alphabet_survive(name: str) -> None:
    names = {"first_name": "Zoë", "company": "株式会社", "deal": "Größe № 5", "entity": "Łódź"}
    text = render(name, FULL | names, "Café Ελλάδα")

    assert any(value in text.subject + text.body for value in [*names.values(), "Café Ελλάδα", "Q-2026-0001"])
    assert "�" not in text.subject + text.body
    check(text)


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

    assert reread(message).keys() == letter().keys()
    assert message["From"].addresses[0].addr_spec == "care@fleet.example"
    assert reread(message).get_content_type() == "text/plain"
    assert title.rpartition("?")[0][2:] in reread(message)["Subject"].replace("= ?", "=?") + reread(message)["From"]


def test_a_message_with_headers_that_nobody_set_is_refused() -> None:
    message = letter()
    # As older Pythons keep what an encoded word hides; which ones do differs from release to release.
    message._headers.append(("X-Title", "Hello\nBcc: all@acme.example"))  # type: ignore[attr-defined]

    with pytest.raises(UnsendableError):
        _require_own_headers(message)


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
    message = reread(letter(text=text, from_name=name))

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
            assert reread(letter(from_address=sender)).keys() == letter().keys()


def test_only_where_a_template_says_so_a_value_has_lines() -> None:
    values = FULL | {"deal": "Ten\n\nKind regards,\nMallory", "summary": "Late.\n\nAgain."}

    assert "Ten Kind regards, Mallory" in render("deal_follow_up", values | {"step": 1}, "Northwind", SHARING).body
    assert "Late.\n\nAgain." in render("service_recovery", values, "Northwind").body


@pytest.mark.fuzz
@given(st.text(max_size=60), st.sampled_from(NAMES), st.sampled_from(STEPS))
def test_no_value_breaks_out_of_the_subject(value: str, name: str, step: int) -> None:
    values = FULL | dict.fromkeys([*OPTIONAL, "quote_number"], f"A{value}\r\nBcc: all@acme.example") | {"step": step}
    text = render(name, values, f"North{value}\nwind")
    message = reread(letter(text=text, from_name=f"North{value}\r\nBcc: all@acme.example"))
    assert len(text.subject.splitlines()) == 1
    assert message["Bcc"] is None
    assert sorted(message.keys()) == sorted(letter().keys())
    assert message["To"] == "ann@acme.example"


def test_a_line_break_in_a_title_does_not_cut_the_subject() -> None:
    text = render("deal_follow_up", FULL | {"deal": "Ten\r\nlicences"}, "Northwind", SHARING)

    assert text.subject == 'A question about "Ten licences"'
    assert text.body.startswith("Hello Zoë,\n\nWe would like")


def test_a_tenants_name_with_a_line_break_is_still_a_sender() -> None:
    message = reread(letter(from_name="North\r\nwind"))

    assert message["From"].addresses[0].display_name == "North wind"
    assert message["From"].addresses[0].addr_spec == "care@fleet.example"


@pytest.mark.parametrize(
    "trick",
    [
        "{{ first_name.__class__ }}",
        "{{ first_name.__class__.__mro__[1].__subclasses__() }}",
        "{{ first_name['__class__'] }}",
        "{{ first_name | attr('__class__') | string }}",
        "{{ '{0.__class__}'.format(first_name) }}",
        "{{ ('{0.__cl' ~ 'ass__}').format(first_name) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ range(10 ** 9) | list }}",
        "{{ 1 / 0 }}",
        "{{ first_name + 1 }}",
        "{{ missing[9] }}",
        "{{ first_name.nothing.there }}",
    ],
)
def test_a_template_cannot_reach_into_the_machinery_nor_stop_it(trick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering._environment(), "loader", DictLoader({"trick.txt.j2": f"Hello\n{trick}"}))

    with pytest.raises(TemplateError):
        render("trick", FULL, "Northwind")


def test_a_value_is_never_read_as_a_template() -> None:
    assert "{{ 7 * 7 }}" in render("deal_follow_up", FULL | {"deal": "{{ 7 * 7 }}"}, "Northwind", SHARING).subject


def test_the_message_id_depends_on_the_action_alone() -> None:
    again = letter(text=Text("Other", "Other\n"), address="bob@acme.example", from_name="Southwind")

    assert letter()["Message-ID"] == again["Message-ID"] == message_id(Answered(1, TENANT), "fleet.example")
    assert letter(action=2)["Message-ID"] != letter()["Message-ID"]


def test_a_message_id_fits_on_one_line_and_its_reference_stands_below_the_text() -> None:
    message = letter(action=412_345_678, from_address="care@northwind.example")

    assert f"\nMessage-ID: {message['Message-ID']}\n".encode() in bytes(message)
    assert message.get_content() == f"Hello\n\nRef: {reference(412_345_678)}\n"


@pytest.mark.parametrize(("why", "told"), [("stranger", "known as a colleague"), ("several", "one of several")])
def test_a_person_is_told_why_an_answer_is_his_to_place(why: str, told: str) -> None:
    text = render("answer_unplaced", FULL | {"why": why}, "Northwind")

    check(text)
    assert told in text.body


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
        bytes(message)


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
