"""A contact's own data is never lost to what a mail or a provider says; noise is no conflict."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.insight.merge import CONTACT_FIELDS, merge_contact


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


contacts = st.dictionaries(st.sampled_from(CONTACT_FIELDS), st.one_of(st.none(), st.text(max_size=60)))


# The first draw builds a table of Unicode, which a busy machine does slowly.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contacts, contacts, st.sampled_from([None, "US", "de", "XX", ""]))
def test_a_merge_never_touches_a_field_that_has_a_value(
    current: dict[str, str | None], proposed: dict[str, str | None], region: str | None
) -> None:
    merge = merge_contact(current, proposed, "manual", region)
    assert all(not (current.get(field) or "").strip() for field in merge.fill)
    assert all(value.strip() for value in merge.fill.values())
    # Once the fill is written the same data says nothing new: a second run adds nothing.
    again = merge_contact({**current, **merge.fill}, proposed, "manual", region)
    assert again.fill == {}
    assert again.conflicts == merge.conflicts


@pytest.mark.parametrize("field", CONTACT_FIELDS)
@pytest.mark.parametrize("piece", ["1", "+", "(", "&", " ltd", "a.", "%41", "/", " "])
def test_hostile_values_stay_cheap(field: str, piece: str) -> None:
    hostile = piece * (100_000 // len(piece))
    started = time.process_time()
    merge_contact({field: hostile}, {field: hostile[:-1] + "x"}, "apollo", "US")
    assert time.process_time() - started < 0.05
