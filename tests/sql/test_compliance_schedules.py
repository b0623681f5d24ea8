"""If these fail, a recurring duty makes the wrong checks, or none: windows, anchors, filters."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.crm import NOW, Crm, days
from tests.sql.test_compliance import at, checks


def test_a_schedule_creates_nothing_before_its_notification_window(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    crm.schedule(tenant, next_due_at=NOW + days(14) + timedelta(minutes=1))
    crm.run("compliance")
    assert checks(crm) == []
    assert crm.due_tenants("compliance") == set()


def test_inside_its_window_a_schedule_creates_one_check_per_entity_and_moves_on(crm: Crm) -> None:
    tenant = crm.tenant()
    clients = {crm.client(tenant, company_name=name) for name in ("Acme", "Bolt")}
    schedule = crm.schedule(tenant, next_due_at=NOW + days(14), frequency="quarterly", required_fields=["country"])
    crm.run("compliance")
    created = checks(crm)
    assert {row["entity_id"] for row in created} == clients
    assert [row["entity_name"] for row in created] == ["Acme", "Bolt"]
    assert {(row["due_at"], row["period_start"].isoformat(), row["period_end"].isoformat()) for row in created} == {
        (NOW + days(14), "2025-12-16", "2026-03-16")
    }
    assert crm.row("compliance_schedule", schedule)["next_due_at"].isoformat() == "2026-06-16T09:00:00+00:00"


def test_creating_the_checks_of_a_period_again_adds_none(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    schedule = crm.schedule(tenant)
    counts = [
        crm.read("create_compliance_checks_from_schedule", schedule)[0]["create_compliance_checks_from_schedule"]
        for _ in range(2)
    ]
    assert counts == [1, 0]


def test_an_inactive_schedule_creates_nothing(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    crm.schedule(tenant, is_active=False)
    crm.run("compliance")
    assert checks(crm) == []


@pytest.mark.parametrize(
    ("frequency", "start", "following"),
    [
        ("monthly", "2026-01-31", ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("monthly", "2028-01-31", ["2028-02-29", "2028-03-31", "2028-04-30"]),
        ("monthly", "2026-12-30", ["2027-01-30", "2027-02-28", "2027-03-30"]),
        ("quarterly", "2025-11-30", ["2026-02-28", "2026-05-30", "2026-08-30"]),
        ("semi_annual", "2025-08-31", ["2026-02-28", "2026-08-31"]),
        ("annual", "2028-02-29", ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
    ],
)
def test_due_dates_keep_the_day_they_are_anchored_on(
    crm: Crm, frequency: str, start: str, following: list[str]
) -> None:
    schedule = crm.schedule(crm.tenant(), frequency=frequency, next_due_at=at(start))
    dates = [crm.read("advance_compliance_schedule", schedule)[0]["advance_compliance_schedule"] for _ in following]
    assert dates == [at(day) for day in following]


def test_a_due_date_set_by_hand_is_the_new_anchor(crm: Crm) -> None:
    schedule = crm.schedule(crm.tenant(), frequency="monthly", next_due_at=at("2026-01-31"))
    crm.update("compliance_schedule", schedule, next_due_at=at("2026-03-15"))
    assert crm.read("advance_compliance_schedule", schedule)[0] == {"advance_compliance_schedule": at("2026-04-15")}


@pytest.mark.parametrize(("behind", "passed"), [(days(60), 2), (days(26 * 365), 311)])
def test_several_periods_behind_only_the_latest_is_checked_and_it_says_so(
    crm: Crm, behind: timedelta, passed: int
) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    schedule = crm.schedule(tenant, frequency="monthly", next_due_at=NOW - behind)
    report = crm.run("compliance")
    assert report.tally.skipped == {"period passed before it was checked, the latest one is": passed}
    assert all(check["due_at"] > NOW - days(31) for check in checks(crm))
    assert 1 <= len(checks(crm)) <= 2  # the next one's notification window may be open already
    assert crm.row("compliance_schedule", schedule)["next_due_at"] > NOW


@pytest.mark.parametrize("due", ["1926-01-01", "-infinity", "infinity", "9999-01-01"])
def test_a_due_date_outside_of_two_centuries_is_a_slip_of_the_pen(crm: Crm, due: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        crm.schedule(crm.tenant(), next_due_at=due)


@pytest.mark.parametrize(
    ("entity", "target_filter", "chosen"),
    [
        ("client", {}, ["Acme", "Bolt", "Cell"]),
        ("client", {"industry": "steel"}, ["Acme", "Bolt"]),
        ("client", {"industry": ["glass", "wood"]}, ["Cell"]),
        ("client", {"industry": "steel", "country": "SE"}, ["Bolt"]),
        ("client", {"industry": "unheard of"}, []),
        ("contact", {"is_primary": True}, ["Ann"]),
        ("vendor", {"category": "parts"}, ["Vend"]),
    ],
    ids=str,
)
def test_a_filter_chooses_the_entities(crm: Crm, entity: str, target_filter: dict[str, Any], chosen: list[str]) -> None:
    tenant = crm.tenant()
    acme = crm.client(tenant, company_name="Acme", industry="steel", country="DE")
    crm.client(tenant, company_name="Bolt", industry="steel", country="SE")
    crm.client(tenant, company_name="Cell", industry="glass")
    crm.contact(tenant, acme)
    crm.contact(tenant, acme, first_name="Bob", is_primary=False)
    crm.insert("vendors", tenant_id=tenant, company_name="Vend", category="parts")
    crm.insert("vendors", tenant_id=tenant, company_name="Zend", category="paper")
    crm.schedule(tenant, target_entity_type=entity, target_filter=target_filter)
    crm.run("compliance")
    assert [row["entity_name"] for row in checks(crm)] == chosen


def test_entities_can_be_named_outright(crm: Crm) -> None:
    tenant = crm.tenant()
    chosen, _ = crm.client(tenant), crm.client(tenant)
    schedule = crm.schedule(tenant)
    crm.one("SELECT create_compliance_checks_from_schedule(%s, %s::jsonb)", schedule, f'[{{"id": "{chosen}"}}]')
    assert [row["entity_id"] for row in checks(crm)] == [chosen]


def test_an_unknown_filter_key_is_the_schedules_error_and_other_schedules_go_on(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    bad = crm.schedule(tenant, target_filter={"colour": "red"}, next_due_at=NOW + days(1))
    crm.schedule(tenant, compliance_type="Audit")
    report = crm.run("compliance")
    assert [row["compliance_type"] for row in checks(crm)] == ["Audit"]
    row = crm.row("compliance_schedule", bad)
    assert 'unknown target filter key "colour"' in row["last_error"]
    assert (row["last_error_at"], row["next_due_at"]) == (NOW, NOW + days(1))
    assert report.tally.skipped == {"schedule refused, see its last_error": 1}


def test_mending_a_schedule_clears_its_error_and_it_is_worked(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    schedule = crm.schedule(tenant, target_filter={"colour": "red"})
    crm.run("compliance")
    crm.update("compliance_schedule", schedule, target_filter={})
    assert crm.row("compliance_schedule", schedule)["last_error"] is None
    crm.run("compliance")
    assert len(checks(crm)) == 1


@pytest.mark.parametrize("target_filter", ["[]", '"client"', "null"])
def test_a_filter_that_is_no_object_is_refused(crm: Crm, target_filter: str) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    schedule = crm.schedule(tenant)
    crm.execute("UPDATE compliance_schedule SET target_filter = %s::jsonb", target_filter)
    crm.run("compliance")
    assert crm.row("compliance_schedule", schedule)["last_error"] == "the target filter must be an object"
    assert checks(crm) == []
