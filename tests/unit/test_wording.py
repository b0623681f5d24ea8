"""If these fail, a customer reads a letter in a language, a date or an amount that is not his, or half of each."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from jinja2 import Environment, nodes

from tests.unit.test_render import FULL, NAMES, OPTIONAL, STEPS, TEMPLATES, check
from workers.delivery.texts import PIECES, render
from workers.delivery.wording import (
    LANGUAGES,
    Wording,
    day,
    field_words,
    language_of,
    lapsed,
    locale_of,
    money,
)
from workers.engines.registry import all_engines
from workers.insight.language import detect_language

LETTERS = sorted(
    name for engine in all_engines().values() for name, kind in engine.templates.items() if kind == "email"
)
PARTS = [TEMPLATES / f"{name}.txt.j2" for name in sorted(PIECES)]
GERMAN = Wording("de", "de-DE", "Europe/Berlin", "EUR")
ALL_OF_THE_TENANT: dict[str, Any] = {
    "link": "https://northwind.example/q/7",
    "signature": "Tel. 1\nRoom 2",
    "currency": "EUR",
}


@pytest.mark.parametrize(
    ("name", "language"), [*((name, "en") for name in NAMES), *itertools.product(LETTERS, LANGUAGES[1:])]
)
def test_every_text_is_whole_in_every_language_whatever_is_known(name: str, language: str) -> None:
    asked = [field for field in OPTIONAL if field in _asked_for(TEMPLATES / f"{name}.txt.j2", *PARTS)]
    for step, last, views in itertools.product(STEPS, (1, 7), (0, 2)):
        for wording in (Wording(language), Wording(language, share_deal_titles=True, **ALL_OF_THE_TENANT)):
            for missing in (*([field] for field in asked), OPTIONAL, []):
                known = FULL | {"step": step, "max_steps": last, "view_count": views}
                check(render(name, known | dict.fromkeys(missing), "Northwind", wording))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
@pytest.mark.parametrize("step", STEPS)
def test_a_letter_is_in_its_readers_language(name: str, language: str, step: int) -> None:
    values = FULL | {"step": step, "max_steps": 6, "title": None, "compliance_type": None, "errors": []}
    text = render(name, values, "Northwind", Wording(language))

    assert text.language == language
    assert detect_language(text.body) == language


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_translation_says_all_that_the_english_letter_says(language: str) -> None:
    translated = {path.name.removesuffix(".txt.j2") for path in (TEMPLATES / language).iterdir()}

    assert translated == {*LETTERS, *PIECES} - {"signature"}
    for name in translated:
        english, other = TEMPLATES / f"{name}.txt.j2", TEMPLATES / language / f"{name}.txt.j2"
        assert _asked_for(english) == _asked_for(other)


def _asked_for(*templates: Path) -> set[str]:
    """Every variable and filter that templates use."""
    tree = Environment(autoescape=True).parse("".join(template.read_text() for template in templates))
    own = {str(node.name) for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    used = {str(node.name) for node in tree.find_all(nodes.Name) if node.ctx == "load"} - own
    return used | {node.name for node in tree.find_all(nodes.Filter)}


def test_what_no_one_has_translated_is_in_english_with_english_dates() -> None:
    text = render("quote_handover", FULL | {"valid_until": "2026-03-05"}, "Northwind", GERMAN)

    assert text.language == "en"
    assert "valid until 5 March 2026" in text.body
    assert render("feedback_request", FULL, "Northwind", Wording("it", "it-IT")).language == "en"


def test_a_quote_says_what_it_costs_until_when_it_is_valid_and_where_it_is() -> None:
    values = FULL | {"amount": 1200.5, "valid_until": "2026-03-05"}
    wording = Wording("de", "de-DE", currency="EUR", link="https://northwind.example/q/7")
    body = render("quote_follow_up", values, "Northwind", wording).body

    assert "Betrag: 1.200,50\xa0€\nGültig bis: 5. März 2026\nZum Angebot: https://northwind.example/q/7\n" in body
    assert "£1,200.50" in render("quote_follow_up", values | {"currency": "GBP"}, "Northwind", Wording()).body
    assert "Amount" not in render("quote_follow_up", values, "Northwind").body, "a number without a currency"


def test_a_customer_does_not_read_the_deals_title_unless_the_tenant_lets_him() -> None:
    for step in STEPS:
        values = FULL | {"step": step, "deal": "Squeeze Acme"}
        hidden = render("deal_follow_up", values, "Northwind")
        assert "Squeeze" not in hidden.subject + hidden.body
        shown = render("deal_follow_up", values, "Northwind", Wording(share_deal_titles=True))
        assert '"Squeeze Acme"' in shown.body
    assert "Squeeze Acme" in render("deal_handover", values, "Northwind").subject, "the owner does"


@pytest.mark.parametrize(("language", "words"), [("en", "insurance"), ("de", "Versicherung"), ("nl", "verzekering")])
def test_nobody_is_asked_for_a_column(language: str, words: str) -> None:
    values = FULL | {
        "missing": ["insurance_valid_until", "forkliftLicence_no"],
        "errors": ["iban lapsed on 2026-01-31"],
    }
    body = render("compliance_reminder", values, "Northwind", Wording(language)).body

    assert "_" not in body
    assert words in body
    assert "forklift licence no" in body
    assert "2026-01-31" not in body
    assert "31" in body


@pytest.mark.parametrize("language", LANGUAGES)
def test_whoever_a_check_is_about_does_not_read_his_own_name_as_somebody_elses(language: str) -> None:
    values = FULL | {"entity": "Ada Hoffmann", "entity_type": "contact", "first_name": "Ada"}
    text = render("compliance_reminder", values, "Northwind", Wording(language))

    assert "Hoffmann" not in text.subject + text.body


@pytest.mark.parametrize(
    ("views", "said"), [(0, "was never viewed"), (1, "was viewed once"), (2, "was viewed 2 times"), (None, "never")]
)
def test_a_quote_was_viewed_once_and_not_1_times(views: int | None, said: str) -> None:
    assert said in render("quote_handover", FULL | {"view_count": views}, "Northwind").body


@pytest.mark.parametrize(("sent", "said"), [(0, "nobody was written to"), (1, "1 e-mail without"), (3, "3 e-mails")])
def test_a_handover_counts_what_was_sent(sent: int, said: str) -> None:
    for name in ("deal_handover", "quote_handover"):
        assert said in render(name, FULL | {"sent": sent}, "Northwind").subject


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (["de"], "de"), (["de_AT"], "de-AT"), (["DE-at"], "de-AT"), (["German"], "de"), (["Deutsch", "en"], "de"),
        (["fr_CA.UTF-8"], "fr-CA"), (["it", "de"], "it"), (["n/a", "nl"], "nl"), ([None, "es"], "es"),
        ([None, None], "en"), (["", "?", "xx"], "en"), (["español"], "es"),
    ],
)  # fmt: skip
def test_a_language_is_known_however_a_crm_spells_it(wishes: list[str | None], language: str) -> None:
    assert language_of(*wishes) == language


@pytest.mark.parametrize(
    ("language", "wording", "locale"),
    [
        ("de", Wording("de", "de-CH"), "de_CH"), ("de", Wording("de-AT", "de-CH"), "de_AT"),
        ("en", Wording("en", "de-DE"), "en_DE"), ("en", Wording("en"), "en_001"), ("en", Wording("it"), "en_001"),
        ("fr", Wording("fr", "nonsense"), "fr"), ("nl", Wording("nl", "ja-JP"), "nl"),
    ],
)  # fmt: skip
def test_numbers_look_as_in_the_readers_country_else_the_tenants(language: str, wording: Wording, locale: str) -> None:
    assert str(locale_of(language, wording)) == locale


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-03-05", "5. März 2026"), ("2026-03-05T23:30:00+00:00", "6. März 2026"), (None, None),
        ("5 March 2026", "5. März 2026"), ("5 March", "5. März"), ("29 February", "29. Februar"), ("soon", "soon"),
    ],
)  # fmt: skip
def test_a_day_reads_the_same_in_iso_8601_and_in_the_words_of_the_engines(value: Any, shown: str | None) -> None:
    assert day(value, Locale("de"), "Europe/Berlin") == shown


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        (1200, "EUR", "€1,200.00"), ("1,200.00", "EUR", "€1,200.00"), ("1200.5", "usd", "US$1,200.50"),
        (1200, None, "1,200.00"), (0, "EUR", "€0.00"), (None, "EUR", None), ("on request", "EUR", "on request"),
        (1200, "bitcoin", "1,200.00"),
    ],
)  # fmt: skip
def test_an_amount_has_its_currency_if_there_is_one(value: Any, currency: str | None, shown: str | None) -> None:
    assert money(value, currency, Locale.parse("en_001")) == shown


def test_a_column_is_named_in_words_and_a_lapsed_one_with_its_day() -> None:
    assert field_words("insurance_validUntil") == "insurance valid until"
    assert lapsed("permit lapsed on 2026-01-31") == lapsed({"field": "permit", "on": "2026-01-31"})
    assert lapsed("permit: never seen") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_is_asked_for_several_checks_at_once_reads_them_in_one_letter(language: str) -> None:
    items = [
        {"compliance_type": "Consent", "entity": "Acme", "due_on": "2026-03-20", "missing": ["iban"], "errors": []}
    ]
    values = FULL | {"missing": [], "errors": [], "others": items}
    body = render("compliance_reminder", values, "Northwind", Wording(language)).body

    assert "Consent" in body
    assert "IBAN" in body
    assert "IBAN" not in render("compliance_reminder", values | {"others": []}, "Northwind", Wording(language)).body
    without = {name: value for name, value in values.items() if name != "others"}
    check(render("compliance_reminder", without, "Northwind", Wording(language)))
