"""A contact's own data is never lost to what a mail or a provider says; noise is no conflict."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cost import costs_little
from workers.insight.contact_values import CONTACT_FIELDS, fits, storable
from workers.insight.merge import merge_contact


def test_empty_fields_are_filled_and_known_ones_kept() -> None:
    current = {"first_name": "Ada", "last_name": None, "title": "  ", "email": "ada@example.com"}
    merge = merge_contact(current, {"last_name": " Lovelace ", "title": "CTO", "first_name": "ada"}, "email_signature")
    assert merge.fill == {"last_name": "Lovelace", "title": "CTO"}
    assert merge.conflicts == ()


def test_a_different_value_is_a_conflict_with_its_source() -> None:
    merge = merge_contact({"title": "CTO"}, {"title": "CEO"}, "apollo")
    assert merge.fill == {}
    assert merge.conflicts == ({"field": "title", "current": "CTO", "proposed": "CEO", "source": "apollo"},)


def test_nothing_found_empties_nothing() -> None:
    merge = merge_contact({"title": "CTO"}, {"title": None, "phone": " "}, "apollo")
    assert (merge.fill, merge.conflicts) == ({}, ())


def test_fields_a_contact_does_not_have_are_ignored() -> None:
    assert merge_contact({}, {"tenant_id": "x", "is_primary": "t"}, "apollo").fill == {}


@pytest.mark.parametrize(
    ("field", "known", "found", "region"),
    [
        ("phone", "(415) 555-2671", "+1 415 555 2671", "US"),
        ("phone", "030/901820", "+4930901820", "DE"),
        ("phone", "030/901820", "+4930901820", None),
        ("phone", "030/901820", "+4930901820", "US"),
        ("mobile", "+44 (0)7911 123456", "+447911123456", None),
        ("phone", "ext 4711", "4711", "US"),
        ("company", "ACME GmbH", "Acme", None),
        ("company", "Acme GmbH & Co. KG", "ACME", None),
        ("company", "Acme, Inc.", "acme inc", None),
        ("company", "Acme S.A.", "Acme", None),
        ("company", "Acme B.V.", '"Acme"', None),
        ("company", "Acme Sp. z o.o.", "Acme", None),
        ("company", "Acme Pty Ltd", "Acme Limited", None),
        ("first_name", "ADA", "Ada,", None),
        ("last_name", "von  Neumann", "Von Neumann", None),
        ("title", "Head of  Sales", "head of sales", None),
        ("email", "Ada@Example.COM", "ada@example.com", None),
        ("linkedin_url", "https://www.linkedin.com/in/Ada/", "linkedin.com/in/ada?trk=x", None),
        ("linkedin_url", "http://de.linkedin.com/in/ada#about", "https://linkedin.com/in/ada", None),
    ],
)
def test_the_same_value_written_differently_is_no_conflict(
    field: str, known: str, found: str, region: str | None
) -> None:
    for one, two in ((known, found), (found, known)):
        merge = merge_contact({field: one}, {field: two}, "apollo", region)
        assert (merge.fill, merge.conflicts) == ({}, ())


@pytest.mark.parametrize(
    ("field", "known", "found"),
    [
        ("phone", "+14155552671", "+14155552672"),
        ("phone", "+4930901820", "+43130901820"),
        ("company", "Acme GmbH", "Apex GmbH"),
        ("company", "Limited", "Company"),
        ("email", "ada@example.com", "ada+crm@example.com"),
        ("linkedin_url", "linkedin.com/in/ada", "linkedin.com/in/ada-2"),
        ("last_name", "Meyer", "Meier"),
    ],
)
def test_values_that_differ_are_not_taken_for_equal(field: str, known: str, found: str) -> None:
    merge = merge_contact({field: known}, {field: found}, "apollo", "US")
    assert [conflict["field"] for conflict in merge.conflicts] == [field]


GOOD = {
    "first_name": ["Ada", "Jean-Luc", "D'Arcy", "María José", "José (Pepe)", "Анна", "अनीता", "王小明", "Ø."],
    "last_name": ["Lovelace", "van den Berg", "O’Neill", "Smith, Jr.", "MacDonald-Ross", "De la Cruz y García"],
    "title": ["CTO", "Head of R&D", "Founder & CEO | Board member", "VP, Data: EMEA", "3rd Line Engineer", "部長"],
    "company": ["Acme GmbH & Co. KG", "3M", "booking.com", "H&M", "株式会社東京", "Ernst & Young", "Yahoo!"],
    "phone": ["+44 113 496 0321", "(212) 555-0147", "030/901820", "+49 (0)711 2233-445", "713.555.0182 ext. 12"],
    "mobile": ["+447911123456", "06 12 34 56 78"],
    "email": ["ada@acme.example", "ada.l+crm@mail.acme.co.uk", "o'neil@acme.example"],
    "linkedin_url": [
        "https://www.linkedin.com/in/ada-l",
        "linkedin.com/in/ada%C3%A9",
        "https://de.linkedin.com/in/ada/",
    ],
}
HOSTILE = [
    "javascript:alert(1)",
    "JavaScript :alert(1)",
    "data:text/html,x",
    '=HYPERLINK("https://evil.example","Ada")',
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "＝1",
    "<script>x</script>",
    "<img src=x>",
    "{{ 7 * 7 }}",
    "${jndi:ldap://x}",
    "Ada\x00",
    "Ada\r\nBcc: all@acme.example",
    "Ada\u202egpj",
    "Ada\u200b",
    "\ud800",
    "n/a",
    "NULL",
    "-",
    "?",
    "x" * 400,
    "https://evil.example/in/ada",
]


@pytest.mark.parametrize("field", CONTACT_FIELDS)
def test_real_values_fill_a_contact(field: str) -> None:
    for value in GOOD[field]:
        assert merge_contact({}, {field: value}, "apollo").fill == {field: value}


@pytest.mark.parametrize("field", CONTACT_FIELDS)
@pytest.mark.parametrize("value", HOSTILE)
def test_what_programs_run_or_what_says_nothing_reaches_no_contact_and_no_person(field: str, value: str) -> None:
    for current in ({}, {field: GOOD[field][0]}):
        merge = merge_contact(current, {field: value}, "apollo")
        assert (merge.fill, merge.conflicts) == ({}, ())
        assert merge.refused in {(field,), ()}  # "?" says nothing at all
    assert storable({field: value}) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "call me"),
        ("phone", "4711"),
        ("phone", "+44 113 496 0321 / +44 113 496 0322"),
        ("mobile", "12345678901234567"),
        ("mobile", "03.02.2025 09:01 Uhr"),
        ("title", "+44 113 496 0321"),
        ("title", "ada@acme.example"),
        ("title", "https://acme.example"),
        ("title", "I am out of the office until Monday and will answer your mail as soon as I am back at my desk"),
        ("first_name", "Acme GmbH"),
        ("first_name", "ada@acme.example"),
        ("last_name", "Lovelace 2"),
        ("email", "ada at acme"),
        ("email", "ada@acme"),
        ("email", "Ada <ada@acme.example>"),
        ("email", "ada@acme.example, bo@acme.example"),
        ("linkedin_url", "ada-l"),
        ("linkedin_url", "https://linkedin.com.evil.example/in/ada"),
        ("linkedin_url", "https://evil.example/?linkedin.com/in/ada"),
        ("company", "info@acme.example"),
        ("company", "..."),
    ],
)
def test_a_value_of_another_kind_is_refused(field: str, value: str) -> None:
    merge = merge_contact({}, {field: value}, "apollo")
    assert merge.fill == {}
    assert merge.refused in {(field,), ()}
    assert not fits(field, value)


def test_what_else_a_provider_says_is_kept_unless_a_program_could_run_it() -> None:
    found = {"title": "CTO", "sources": {"title": "https://acme.example/team"}, "seniority": "c_suite", "score": 0.9}
    assert storable(found) == found
    hostile = {"seniority": "=1+1", "sources": {"title": "javascript:x", "phone": "https://acme.example"}, "title": 3}
    assert storable(hostile) == {"sources": {"phone": "https://acme.example"}}


def test_a_doubtful_match_fills_nothing_and_asks_a_person() -> None:
    merge = merge_contact(
        {"title": "", "phone": "+14155552671"}, {"title": "CTO", "phone": "+14155552671"}, "x", certain=False
    )
    assert merge.fill == {}
    assert merge.conflicts == ({"field": "title", "current": "", "proposed": "CTO", "source": "x"},)


texts = st.one_of(
    st.text(max_size=60), st.sampled_from([*HOSTILE, *(value for values in GOOD.values() for value in values)])
)
contacts = st.dictionaries(st.sampled_from(CONTACT_FIELDS), st.one_of(st.none(), texts))


# The first draw builds a table of Unicode, which a busy machine does slowly.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contacts, contacts, st.sampled_from([None, "US", "de", "XX", ""]))
def test_a_merge_never_touches_a_field_that_has_a_value(
    current: dict[str, str | None], proposed: dict[str, str | None], region: str | None
) -> None:
    merge = merge_contact(current, proposed, "manual", region)
    assert all(not (current.get(field) or "").strip() for field in merge.fill)
    assert all(fits(field, value) for field, value in merge.fill.items())
    assert all(fits(conflict["field"], conflict["proposed"]) for conflict in merge.conflicts)
    # Once the fill is written the same data says nothing new: a second run adds nothing.
    again = merge_contact({**current, **merge.fill}, proposed, "manual", region)
    assert again.fill == {}
    assert again.conflicts == merge.conflicts


@pytest.mark.parametrize("field", CONTACT_FIELDS)
@pytest.mark.parametrize("piece", ["1", "+", "(", "&", " ltd", "a.", "%41", "/", " "])
def test_hostile_values_stay_cheap(field: str, piece: str) -> None:
    hostile = piece * (100_000 // len(piece))
    assert costs_little(lambda: merge_contact({field: hostile}, {field: hostile[:-1] + "x"}, "apollo", "US"))
