"""If these fail, a text of a tenant's own holds a process, or what a customer was to read is not sent at all."""

import logging

import pytest
from jinja2 import TemplateError

from tests.cost import costs_little
from tests.unit.test_render import FULL, TEMPLATES
from workers.delivery.own_texts import check_own_text, unknown_names
from workers.delivery.texts import _environment, render
from workers.delivery.wording import LANGUAGES, OwnText, Wording
from workers.engines.registry import all_engines

LETTERS = sorted(
    name for engine in all_engines().values() for name, kind in engine.templates.items() if kind == "email"
)
DOUBLED = "".join(f"{{% set a{n + 1} = a{n} ~ a{n} %}}" for n in range(60))


def refused(source: str) -> str:
    with pytest.raises(TemplateError) as error:
        check_own_text(_environment(), source)
    return str(error.value)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
def test_every_shipped_letter_can_be_taken_as_a_beginning(name: str, language: str) -> None:
    folder = TEMPLATES if language == "en" else TEMPLATES / language
    check_own_text(_environment(language), (folder / f"{name}.txt.j2").read_text())


def test_a_text_of_a_tenants_own_goes_out_instead_of_the_shipped_one() -> None:
    english = 'Your "{{ deal }}"\n{% include "greeting.txt.j2" %}\n\nShall we go on?\n'
    own = {"en": OwnText(english, 3), "de": OwnText("Hallo\nNur so.", 1)}
    text = render("deal_follow_up", FULL, "Northwind", Wording("en", own_texts=own))

    assert (text.subject, text.body) == ('Your "Ten licences"', "Hello Zoë,\n\nShall we go on?\n")
    assert text.version == "own 3"
    assert render("deal_follow_up", FULL, "Northwind", Wording("fr", own_texts=own)).body.startswith("Bonjour")
    assert render("quote_handover", FULL, "Northwind", Wording("de", own_texts=own)).body == "Nur so.\n"


@pytest.mark.parametrize(
    "own",
    [
        "Hello\n{{ nothing_of_that_name }}", "Hello\n{{ deal", "Hello\n{{ deal.__class__ }}", "Hello\n{{ deal + 1 }}",
        "Hello\n{{ range(10) }}", "Hello\n{% for one in missing %}{{ text }}{% endfor %}",
    ],
)  # fmt: skip
def test_where_it_cannot_be_used_the_shipped_one_goes_out_and_somebody_can_read_why(
    own: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = FULL | {"missing": ["x"] * 1000, "text": "long " * 1000}
    with caplog.at_level(logging.WARNING):
        text = render("deal_follow_up", values, "Northwind", Wording(own_texts={"en": OwnText(own, 1)}))

    assert text == render("deal_follow_up", values, "Northwind")
    assert "Northwind's own text deal_follow_up (en) cannot be used" in caplog.text


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for a in missing %}{% for b in missing %}x{% endfor %}{% endfor %}", "a list within a list"),
        ("{% for a in missing recursive %}{{ loop(missing) }}{% endfor %}", "a list within a list"),
        ("{% set a0 = 'x' %}" + DOUBLED, "only one other"),
        ("{% set a = deal %}{% set b = missing | join(a) %}", "handed to a filter"),
        ("{{ deal | replace('a', 'aaaa') }}", "no longer than the first"),
        ("{{ deal | replace('a', deal) }}", "replace takes two texts"),
        ("{{ '%999999999d' % 5 }}", "calculated number"),
        ("{{ deal % 5 }}", "calculated number"),
        ("{{ ['%1000000000d'][0] % step | length }}", "calculated number"),
        ("{{ ('%1000000000d' | trim) % 1 }}", "calculated number"),
        ("{{ ('%1000000000d' if step else '') % step }}", "calculated number"),
        ("{{ ('%1000000000' + 'd') % 1 }}", "calculated number|add cannot"),
        ("{{ 'aaaa' | join('aaaa') | join('aaaa') }}", "joined before"),
        ("{{ 'aaaa' | join('aaaa') | upper | join('aaaa') }}", "joined before"),
        ("{% set a = missing | join('aaaa') %}{% set b = a | join('aaaa') %}", "joined before"),
        ("{{ deal * 100000000 }}", "mul cannot be used"),
        ("{{ 9 ** 9 ** 9 }}", "pow cannot be used"),
        ("{{ range(100000) | list }}", "cannot be used|no filter"),
        ("{{ deal.upper() }}", "call cannot be used"),
        ("{% macro m() %}{{ m() }}{% endmacro %}", "macro cannot be used"),
        ("{% set a %}{{ deal }}{% endset %}", "assignblock cannot be used"),
        ("{{ deal | center(100000000) }}", "no filter 'center'"),
        ("{% extends 'greeting.txt.j2' %}", "extends cannot be used"),
        ("{% include '../../secret' %}", "no piece of text"),
        ("{% include deal %}", "no piece of text"),
        ("{% with a = deal, b = a ~ a %}{{ b }}{% endwith %}", "only one other"),
        ("{{ deal | upper", "expected token|unexpected"),
        ("{{ deal is enormous }}", "enormous"),
    ],
)
def test_what_could_run_long_is_refused_with_its_reason(source: str, reason: str) -> None:
    message = refused(f"Hello\n{source}")

    assert any(part in message.lower() for part in reason.split("|")), message
    assert costs_little(lambda: refused(f"Hello\n{source}"))


def test_a_variable_that_nobody_writes_is_named() -> None:
    source = "Hello\n{{ deel }} {% set mine = deal %}{{ mine }} {{ tenant }} {{ amount | money }}"

    assert unknown_names(_environment(), source, {"deal", "tenant", "amount"}) == ["deel"]
