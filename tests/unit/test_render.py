"""If these fail, a customer reads "None", a template's inside, or what he has read before."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, TemplateError

from workers.delivery import texts
from workers.delivery.texts import PIECES, Text, render
from workers.delivery.wording import LANGUAGES, Wording
from workers.engines.registry import all_engines

TEMPLATES = Path(texts.__file__).parent / "templates"
NAMES = sorted(path.name.removesuffix(".txt.j2") for path in TEMPLATES.glob("*.j2") if path.name[:-7] not in PIECES)
STEPS = range(1, 8)
DEEP: Any = []
for _ in range(5_000):
    DEEP = [DEEP]
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
    "answer_to": "zoe@acme.example", "task": "Zoë wrote: please answer", "assignee": "Olive",
    "others": [
        {"compliance_type": "Consent", "entity": "Zoë Quist", "entity_type": "contact", "due_on": "2026-03-20",
         "missing": ["consent_on"], "errors": ["permit lapsed on 2026-01-31"]},
        {"compliance_type": None, "entity": None, "due_on": "2026-03-21", "missing": [], "errors": []},
    ],
    "more": 2, "sent": 3, "reason": "the address is suppressed",
    "deals": [
        {"deal": "Ten licences", "company": "Acme", "stage": "lead", "days_silent": 400},
        {"deal": None, "company": None, "stage": "proposal", "days_silent": 300},
    ],
    "addresses": ["zoe@acme.example"], "cancelled": 2, "why": "stranger",
    "url": "https://hooks.example/fleet", "endpoint_id": "7", "active": True,
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
    "task",
    "assignee",
]
ABOUT_ANSWERS = [
    "answer_forwarded",
    "answer_received",
    "answer_unplaced",
    "answer_unread",
    "opt_out",
]  # written for any engine by file_answer_task and forward_answer
OF_NO_ENGINE = ["webhook_failing"]  # filed by tell_of_webhook


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
    declared = [name for engine in all_engines().values() for name in engine.templates] + ABOUT_ANSWERS + OF_NO_ENGINE
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
    listed = [{"deal": "Größe № 5", "company": "株式会社", "stage": "lead", "days_silent": 400}]
    text = render(name, FULL | names | {"deals": listed}, "Café Ελλάδα")

    assert any(value in text.subject + text.body for value in [*names.values(), "Café Ελλάδα", "Q-2026-0001"])
    assert "�" not in text.subject + text.body
    check(text)


def test_only_where_a_template_says_so_a_value_has_lines() -> None:
    values = FULL | {"deal": "Ten\n\nKind regards,\nMallory", "summary": "Late.\n\nAgain."}

    assert "Ten Kind regards, Mallory" in render("deal_follow_up", values | {"step": 1}, "Northwind", SHARING).body
    assert "Late.\n\nAgain." in render("service_recovery", values, "Northwind").body


def test_a_line_break_in_a_title_does_not_cut_the_subject() -> None:
    text = render("deal_follow_up", FULL | {"deal": "Ten\r\nlicences"}, "Northwind", SHARING)

    assert text.subject == 'A question about "Ten licences"'
    assert text.body.startswith("Hello Zoë,\n\nWe would like")


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
    monkeypatch.setattr(texts._environment(), "loader", DictLoader({"trick.txt.j2": f"Hello\n{trick}"}))

    with pytest.raises(TemplateError):
        render("trick", FULL, "Northwind")


@pytest.mark.parametrize("variables", [["deal"], "deal", None, {"deal": DEEP}])
def test_variables_that_are_none_are_an_error_of_that_text(variables: Any) -> None:
    with pytest.raises(TemplateError):
        render("deal_handover", variables, "Northwind")


def test_a_value_is_never_read_as_a_template() -> None:
    assert "{{ 7 * 7 }}" in render("deal_follow_up", FULL | {"deal": "{{ 7 * 7 }}"}, "Northwind", SHARING).subject


@pytest.mark.parametrize(("why", "told"), [("stranger", "known as a colleague"), ("several", "one of several")])
def test_a_person_is_told_why_an_answer_is_his_to_place(why: str, told: str) -> None:
    text = render("answer_unplaced", FULL | {"why": why}, "Northwind")

    check(text)
    assert told in text.body
