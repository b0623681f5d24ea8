"""If these fail, a lapsed certificate counts as valid, or a valid one is asked for again."""

from datetime import date
from typing import Any

from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from tests.sql.test_calendar import AUCKLAND, LOS_ANGELES, tenant_in
from tests.sql.test_compliance import checks, client_with_contact

TODAY = date(2026, 3, 2)


def dates(crm: Crm, text: str, locale: str | None = None, zone: str = "UTC") -> list[str]:
    found = crm.one("SELECT possible_dates(%s, %s, %s) AS dates", text, locale, zone)["dates"]
    return [day.isoformat() for day in found]


def judged(crm: Crm, value: Any, field: str = "insurance_valid_until", locale: str | None = None) -> str | None:
    statement = "SELECT fault FROM judge_compliance_value(%s, %s, %s, 'UTC', %s)"
    fault: str | None = crm.one(statement, field, Jsonb(value), TODAY, locale)["fault"]
    return fault


ALL_OF_THEM_31_DECEMBER_2024 = [
    "2024-12-31", "2024/12/31", "2024.12.31", "20241231", "31.12.2024", "31. 12. 2024", "31/12/2024", "12/31/2024",
    "31-12-2024", "31122024", "Dec 31, 2024", "December 31st, 2024", "31 December 2024", "31-Dec-2024", "31-DEC-24",
    "31. Dezember 2024", "31 décembre 2024", "31 de diciembre de 2024", "31 dicembre 2024", "31 december 2024",
    "31 de dezembro de 2024", "2024 Dec 31", "45657", "45657.0", "2024-12-31T00:00:00", "2024-12-31 23:59:59.5",
    "31.12.2024 00:00", "12/31/2024 12:00:00 AM", "31.12.2024, 10:00 Uhr", "2024-12-31T12:00:00Z",
    "2024-12-31T12:00:00.000+01:00", " 31.\u00a012.\u00a02024 ", "bis 31.12.2024", "valid until 31 Dec 2024",
]  # fmt: skip
MONTHS = {
    "März": 3, "Jänner": 1, "mars": 3, "août": 8, "févr.": 2, "juil.": 7, "enero": 1, "ago": 8, "maggio": 5, "lug": 7,
    "maart": 3, "mei": 5, "out": 10, "março": 3, "Mai": 5, "dic.": 12, "giu": 6, "Okt.": 10,
}  # fmt: skip
READINGS = {
    ("02/03/2026", "en-US"): ["2026-02-03"],
    ("02/03/2026", "es_US"): ["2026-02-03"],
    ("02/03/2026", "en-GB"): ["2026-03-02"],
    ("02/03/2026", "de"): ["2026-03-02"],
    ("02/03/2026", None): ["2026-02-03", "2026-03-02"],
    ("02/03/2026", "en"): ["2026-02-03", "2026-03-02"],
    ("02/03/2026", "fr-CA"): ["2026-02-03", "2026-03-02"],
    ("03.02.2026", "en-US"): ["2026-02-03", "2026-03-02"],
    ("02.03.2026", None): ["2026-03-02"],
    ("31/12/2026", "en-US"): ["2026-12-31"],
    ("31-12-24", "de-DE"): ["2024-12-31"],
    ("31-12-24", "ja"): ["2031-12-24"],
    ("31-12-24", None): ["2024-12-31", "2031-12-24"],
    ("24.12.31", "ko-KR"): ["2024-12-31"],
    ("03/2026", None): ["2026-03-01", "2026-03-31"],
    ("2026-02", None): ["2026-02-01", "2026-02-28"],
    ("März 2026", None): ["2026-03-01", "2026-03-31"],
    ("2026", None): ["2026-01-01", "2026-12-31"],
}
NO_DATES = [
    "unbefristet", "unlimited", "soon", "31.02.2026", "2026-02-30", "2026-13-01", "31 December", "12/24", "9999-12-31",
    "0000-00-00", "31/12.2026", "1735603200", "99999", "1.2.3.4", "next year", "Q4 2026", "31 foo 2026",
    "2026-02-30T25:00Z", "from 1 January 2024 to 31 December 2026", "31.12.2024 (expired)",
]  # fmt: skip
# On 2 March 2026; spreadsheets write that day as 46083.
LAST_DAYS: list[tuple[Any, str | None]] = [
    ("2026-03-02", None), ("2026-03-01", "lapsed"), ("02/03/2024", "lapsed"), ("03/04/2027", None),
    ("02/03/2026", "unclear"), ("2025", "lapsed"), ("2026", "unclear"), ("2027", None), ("03/2026", "unclear"),
    (46082, "lapsed"), (46083, None), (46083.5, "unclear"), (["2027-01-01"], None),
    (["2024-01-01", "2027-01-01"], "unclear"), ({"date": "2027-01-01"}, "unclear"), (True, "unclear"),
]  # fmt: skip
SAYING_NOTHING: list[Any] = [
    None, "", "  ", "\u00a0", "-", "—", "?", "n/a", "N/A", "#N/A", "n.a.", "TBD", "tba", "null", "none", "unknown",
    "unbekannt", "keine Angabe", False, [], {}, [""], ["n/a"], [False], [None],
]  # fmt: skip
SAYING_SOMETHING: list[Any] = ["NA", "NO", 0, True, "Unknown Pleasures Ltd", ["a", "b"], {"a": 1}, "Nonesuch"]


def test_a_date_is_read_as_people_write_it(crm: Crm) -> None:
    read = {text: dates(crm, text) for text in ALL_OF_THEM_31_DECEMBER_2024}
    assert {text: found for text, found in read.items() if found != ["2024-12-31"]} == {}


def test_months_are_known_by_name_in_seven_languages(crm: Crm) -> None:
    assert {month: dates(crm, f"7 {month} 2026") for month in MONTHS} == {
        month: [f"2026-{number:02}-07"] for month, number in MONTHS.items()
    }


def test_a_date_that_can_be_read_in_several_ways_is_read_as_the_tenant_writes_or_in_all_of_them(crm: Crm) -> None:
    assert {(text, locale): dates(crm, text, locale) for text, locale in READINGS} == READINGS


def test_what_is_no_date_is_not_taken_for_one(crm: Crm) -> None:
    assert {text: found for text in NO_DATES if (found := dates(crm, text))} == {}
    assert {judged(crm, text) for text in NO_DATES} == {"unclear"}


def test_an_instant_has_its_day_where_the_tenant_is(crm: Crm) -> None:
    assert dates(crm, "2026-03-10T20:00:00Z", zone=AUCKLAND) == ["2026-03-11"]
    assert dates(crm, "2026-03-10T02:00:00+00:00", zone=LOS_ANGELES) == ["2026-03-09"]


def test_a_last_day_is_fine_lapsed_or_for_a_person_to_read(crm: Crm) -> None:
    for field in ("insurance_valid_until", "permitExpires", "licence_expiry_date", "gültig_bis", "Valid To"):
        assert [(value, judged(crm, value, field)) for value, _ in LAST_DAYS] == LAST_DAYS, field


def test_a_word_that_says_nothing_is_as_good_as_nothing(crm: Crm) -> None:
    for field in ("insurance_valid_until", "tax_number", "consent"):
        assert [value for value in SAYING_NOTHING if judged(crm, value, field) != "absent"] == [], field


def test_a_value_that_means_something_is_kept(crm: Crm) -> None:
    assert [value for value in SAYING_SOMETHING if judged(crm, value, "country") is not None] == []


def test_any_date_that_is_asked_for_has_to_be_one(crm: Crm) -> None:
    assert judged(crm, "soon", "last_audit_date") == "unclear"
    assert judged(crm, "2020-01-01", "last_audit_date") is None
    assert judged(crm, "02/03/2020", "signed_on") is None


def test_a_certificate_that_nobody_can_read_is_a_task_and_never_a_letter(crm: Crm) -> None:
    tenant = crm.tenant()
    owner = crm.profile(tenant)
    client = client_with_contact(crm, tenant, owner_id=owner, attributes={"insurance_valid_until": "unlimited"})
    crm.check(tenant, client, required_fields=["insurance_valid_until"])
    for day in (0, 7):
        crm.run("compliance", at=NOW + days(day))
    [task] = crm.actions()
    assert (task["kind"], task["template"], task["assigned_to"]) == ("task", "compliance_unclear", owner)
    assert task["variables"]["errors"] == ['insurance_valid_until: "unlimited" cannot be read as a date']
    [row] = checks(crm)
    assert (row["status"], row["missing_fields"]) == ("awaiting_response", ["insurance_valid_until"])
    assert row["validation_errors"] == task["variables"]["errors"]
    crm.update("clients", client, attributes={"insurance_valid_until": "whenever"})
    crm.run("compliance", at=NOW + days(14))
    assert crm.templates() == {"compliance_unclear": 1}, "past its date it is overdue"


def test_the_customer_is_asked_for_what_is_absent_and_a_person_reads_the_rest(crm: Crm) -> None:
    tenant = tenant_in(crm, "America/New_York")
    values = {"insurance_valid_until": "02/03/2026", "tax_number": "n/a", "permit_expires_on": "1 March 2026"}
    crm.check(tenant, client_with_contact(crm, tenant, attributes=values), required_fields=list(values))
    crm.run("compliance")
    reminder, task = sorted(crm.actions(), key=lambda action: action["kind"])
    assert reminder["variables"]["missing"] == ["tax_number"]
    assert reminder["variables"]["errors"] == ["permit_expires_on lapsed on 2026-03-01"]
    assert task["variables"]["errors"] == ['insurance_valid_until: "02/03/2026" can mean any of 2026-02-03, 2026-03-02']
    assert checks(crm)[0]["validation_errors"] == [
        *task["variables"]["errors"], *reminder["variables"]["errors"], 'tax_number is given as "n/a"',
    ]  # fmt: skip


def test_the_tenants_locale_decides_how_a_date_is_read(crm: Crm) -> None:
    statuses = []
    for locale in ("en-US", "en-GB"):
        tenant = tenant_in(crm, "UTC", locale)
        client = client_with_contact(crm, tenant, attributes={"insurance_valid_until": "02/03/2026"})
        check = crm.check(tenant, client, required_fields=["insurance_valid_until"])
        crm.run("compliance")
        statuses.append(crm.row("compliance_checks", check)["status"])
    assert statuses == ["awaiting_response", "completed"]


def test_a_certificate_is_good_through_its_last_day_where_the_tenant_is(crm: Crm) -> None:
    statuses = []
    for zone in (LOS_ANGELES, AUCKLAND):  # NOW is 1:00 on 2 March here, and 22:00 there
        tenant = tenant_in(crm, zone)
        client = client_with_contact(crm, tenant, attributes={"insurance_valid_until": "2026-03-02"})
        check = crm.check(tenant, client, required_fields=["insurance_valid_until"])
        crm.run("compliance", at=NOW + days(0.5))
        statuses.append(crm.row("compliance_checks", check)["status"])
    assert statuses == ["completed", "awaiting_response"]
