"""If these fail, a duty falls on the wrong day, is asked for too late, misses somebody, or is asked for after all."""

from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.crm import NOW, Crm, days
from tests.sql.test_calendar import AUCKLAND, BERLIN, KATHMANDU, LOS_ANGELES, ZONES, local, tenant_in
from tests.sql.test_compliance import checks, client_with_contact
from workers import clock
from workers.db.session import transaction


def mondays(zone: str, first: str, count: int) -> list[datetime]:
    """Return the slots of the weekly timetable in a zone: Mondays at seven."""
    day = date.fromisoformat(first)
    return [local(zone, f"{day + days(7 * week)}T07:00") for week in range(count)]


def advance(crm: Crm, schedule: UUID) -> datetime:
    due: datetime = crm.read("advance_compliance_schedule", schedule)[0]["advance_compliance_schedule"]
    return due


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", ["00:30", "09:00", "23:30"])
def test_due_dates_keep_their_day_and_their_hour_where_the_tenant_is(crm: Crm, zone: str, hour: str) -> None:
    schedule = crm.schedule(
        tenant_in(crm, zone), frequency="monthly", next_due_at=local(zone, f"2025-12-31T{hour}")
    )  # fmt: skip
    dates = [advance(crm, schedule) for _ in range(11)]
    assert [due.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M") for due in dates] == [
        f"{day} {hour}" for day in (
            "01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_a_period_is_named_by_the_tenants_days_and_a_letter_says_the_tenants_due_day(crm: Crm, zone: str) -> None:
    tenant = tenant_in(crm, zone)
    client_with_contact(crm, tenant)
    crm.schedule(tenant, frequency="quarterly", next_due_at=local(zone, "2026-03-05T00:30"))
    crm.run("compliance")
    [row] = checks(crm)
    assert (row["period_start"].isoformat(), row["period_end"].isoformat()) == ("2025-12-05", "2026-03-05")
    assert [action["variables"]["due_on"] for action in crm.actions()] == ["5 March 2026"]


def test_a_period_begins_on_the_day_the_schedule_is_anchored_on_after_a_shorter_month(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    schedule = crm.schedule(tenant, frequency="monthly", next_due_at=datetime.fromisoformat("2026-01-31T08:00Z"))
    advance(crm, schedule)
    crm.read("create_compliance_checks_from_schedule", schedule)
    assert [(row["period_start"].isoformat(), row["period_end"].isoformat()) for row in checks(crm)] == [
        ("2026-01-31", "2026-02-28")
    ]


def test_a_tenant_that_moves_within_a_period_gets_no_second_check_for_it(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.client(tenant)
    crm.schedule(tenant, next_due_at=datetime.fromisoformat("2026-03-09T23:30Z"))
    crm.run("compliance")
    crm.execute("INSERT INTO tenant_calendar (tenant_id, time_zone) VALUES (%s, %s)", tenant, AUCKLAND)
    crm.run("compliance", at=NOW + days(1))
    assert len(checks(crm)) == 1


@pytest.mark.parametrize(
    ("zone", "due", "escalated"),
    [
        (BERLIN, "2026-03-25T09:00", "2026-04-01T09:00"), (LOS_ANGELES, "2026-10-28T09:00", "2026-11-04T09:00"),
        (AUCKLAND, "2026-04-01T09:00", "2026-04-08T09:00"), (KATHMANDU, "2026-03-25T09:00", "2026-04-01T09:00"),
    ],
)  # fmt: skip
def test_an_escalation_comes_after_days_of_the_tenants_clocks(crm: Crm, zone: str, due: str, escalated: str) -> None:
    tenant = tenant_in(crm, zone)
    check = crm.check(tenant, client_with_contact(crm, tenant), due_at=local(zone, due), status="overdue")
    at = local(zone, escalated)
    assert crm.row("compliance_checks", check)["next_step_at"] == at
    crm.run("compliance", at=at - timedelta(minutes=1))
    assert crm.row("compliance_checks", check)["status"] == "overdue"
    crm.run("compliance", at=at)
    assert crm.row("compliance_checks", check)["status"] == "escalated"


@pytest.mark.parametrize("fleet", ZONES)
@pytest.mark.parametrize("first", ["2026-03-16", "2026-10-12"])
def test_the_weekly_reminder_misses_no_week_when_the_clocks_of_the_timetable_are_changed(
    crm: Crm, fleet: str, first: str
) -> None:
    tenant = tenant_in(crm, KATHMANDU)
    slots = mondays(fleet, first, 5)
    crm.check(tenant, client_with_contact(crm, tenant), due_at=slots[-1] + days(3), notification_days_before=60)
    crm.open_always(tenant)
    for slot in slots:
        assert crm.run("compliance", at=slot).tally.actions, slot
        crm.send(at=slot)


@pytest.mark.parametrize("notice", [0, 3])
@pytest.mark.parametrize("due", ["2026-03-24T00:00", "2026-03-26T12:00", "2026-03-29T23:59", "2026-03-30T06:00"])
@pytest.mark.parametrize("zone", [BERLIN, AUCKLAND])
def test_a_check_with_a_short_notice_is_reminded_by_the_weekly_timetable_before_it_is_due(
    crm: Crm, zone: str, due: str, notice: int
) -> None:
    tenant = tenant_in(crm, zone)
    client_with_contact(crm, tenant)
    at = local(zone, due)
    crm.schedule(tenant, next_due_at=at, notification_days_before=notice)
    for slot in mondays(BERLIN, "2026-03-02", 4):
        crm.run("compliance", at=slot)
    assert len(crm.actions(template="compliance_reminder")) in (1, 2)
    assert all(at - days(9) < action["run_at"] < at for action in crm.actions(template="compliance_reminder"))


def test_who_comes_after_the_checks_of_a_period_were_made_gets_one_until_it_is_due(crm: Crm) -> None:
    tenant = crm.tenant()
    first = crm.client(tenant, company_name="Acme")
    crm.schedule(tenant, next_due_at=NOW + days(12))
    crm.run("compliance")
    second = crm.client(tenant, company_name="Bolt")
    assert crm.due_tenants("compliance", at=NOW + days(7)) == {tenant}
    crm.run("compliance", at=NOW + days(7))
    assert [row["entity_id"] for row in checks(crm)] == [first, second]
    assert {row["due_at"] for row in checks(crm)} == {NOW + days(12)}
    crm.run("compliance", at=NOW + days(8))
    crm.client(tenant, company_name="Cell")
    crm.run("compliance", at=NOW + days(14))
    assert len(checks(crm)) == 2, "that period is over"


def test_an_open_period_is_looked_at_once_a_run_however_many_schedules_there_are(crm: Crm) -> None:
    tenant = crm.tenant()
    for _ in range(45):
        crm.schedule(tenant)
    crm.run("compliance")
    crm.client(tenant)
    crm.run("compliance", at=NOW + days(7))
    assert len(checks(crm)) == 45


def test_a_schedule_that_is_switched_off_stops_its_reminders_and_goes_on_where_it_was(crm: Crm) -> None:
    tenant = crm.tenant()
    client_with_contact(crm, tenant)
    schedule = crm.schedule(tenant)
    crm.run("compliance")
    [waiting] = crm.actions()
    crm.update("compliance_schedule", schedule, is_active=False)
    with clock.at(NOW), transaction(crm.connection):
        refused = crm.connection.execute("SELECT reason FROM compliance_guard(%s)", [[waiting["id"]]]).fetchall()
    assert [row["reason"] for row in refused] == ["the schedule was switched off"]
    for day in (7, 14, 28):
        crm.run("compliance", at=NOW + days(day))
    assert crm.actions() == [waiting]
    assert [row["status"] for row in checks(crm)] == ["awaiting_response"]
    assert crm.due_tenants("compliance", at=NOW + days(28)) == set()
    crm.update("compliance_schedule", schedule, is_active=True)
    crm.run("compliance", at=NOW + days(28))
    assert [row["status"] for row in checks(crm)] == ["escalated"]


def test_an_archived_client_has_no_duties(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("ALTER TABLE clients ADD COLUMN archived_at timestamptz")
    kept, archived = client_with_contact(crm, tenant), client_with_contact(crm, tenant)
    check = crm.check(tenant, archived)
    crm.update("clients", archived, archived_at=NOW)
    crm.schedule(tenant)
    crm.run("compliance")
    assert crm.row("compliance_checks", check)["waived_reason"] == "the client no longer exists"
    assert {row["entity_id"] for row in checks(crm) if row["schedule_id"]} == {kept}
