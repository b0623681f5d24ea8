"""Compliance: checks are created, reminded, overdue, escalated or waived, and none falls out of sight."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.crm import NOW, Crm, days
from workers import clock


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T08:00:00+00:00")


def checks(crm: Crm) -> list[dict[str, Any]]:
    return crm.rows("SELECT * FROM compliance_checks ORDER BY period_end, entity_name")


def client_with_contact(crm: Crm, tenant: UUID, **values: Any) -> UUID:
    client = crm.client(tenant, **values)
    crm.contact(tenant, client)
    return client


def test_missing_fields_are_listed_wherever_the_crm_keeps_them(crm: Crm) -> None:
    tenant = crm.tenant()
    client = client_with_contact(crm, tenant, country="SE", attributes={"tax_number": "X1", "iban": " "})
    crm.check(tenant, client, required_fields=["country", "tax_number", "iban", "insurance"])
    crm.run("compliance")
    [row] = checks(crm)
    assert row["missing_fields"] == ["iban", "insurance"]
    assert row["status"] == "awaiting_response"
    [action] = crm.actions()
    assert (action["template"], action["variables"]["missing"]) == (
        "compliance_reminder",
        ["iban", "insurance"],
    )


def test_a_check_with_nothing_missing_is_completed_without_a_word(crm: Crm) -> None:
    tenant = crm.tenant()
    client = client_with_contact(crm, tenant, country="SE")
    schedule = crm.schedule(tenant, required_fields=["country"])
    crm.run("compliance")
    [row] = checks(crm)
    assert (row["entity_id"], row["status"], row["completed_at"]) == (client, "completed", NOW)
    assert crm.row("compliance_schedule", schedule)["last_completed_at"] == NOW
    assert crm.actions() == []


def test_a_field_handed_in_later_completes_even_an_overdue_check(crm: Crm) -> None:
    tenant = crm.tenant()
    client = client_with_contact(crm, tenant)
    crm.check(tenant, client, required_fields=["country"])
    crm.run("compliance")
    crm.run("compliance", at=NOW + days(11))
    crm.update("clients", client, country="SE")
    crm.run("compliance", at=NOW + days(18))
    assert checks(crm)[0]["status"] == "completed"


def test_a_certificate_that_has_lapsed_is_not_good_enough(crm: Crm) -> None:
    tenant = crm.tenant()
    client = client_with_contact(crm, tenant, attributes={"insurance_valid_until": "2026-03-01"})
    crm.check(tenant, client, required_fields=["insurance_valid_until"])
    crm.run("compliance")
    [row] = checks(crm)
    assert row["status"] == "awaiting_response"
    assert row["validation_errors"] == ["insurance_valid_until lapsed on 2026-03-01"]


def test_reminders_start_in_the_window_and_come_once_a_week(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.check(tenant, client_with_contact(crm, tenant), due_at=NOW + days(20))
    crm.open_always(tenant)
    reminded = []
    for day in range(20):
        if crm.run("compliance", at=NOW + days(day)).tally.actions:
            reminded.append(day)
        crm.send(at=NOW + days(day))
    assert reminded == [6, 13]
    [row] = checks(crm)
    assert (row["status"], row["reminder_count"], row["reminder_sent_at"]) == (
        "awaiting_response", 2, NOW + days(13),
    )  # fmt: skip


def test_a_monday_run_that_starts_seconds_earlier_than_the_last_one_still_reminds(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.check(tenant, client_with_contact(crm, tenant))
    crm.run("compliance", at=NOW + timedelta(seconds=9))
    crm.send(at=NOW + timedelta(seconds=9))
    report = crm.run("compliance", at=NOW + days(7) + timedelta(seconds=1))
    assert report.tally.actions == {"compliance_reminder": 1}


def test_a_check_that_waits_for_an_answer_becomes_overdue_and_is_then_escalated_once(crm: Crm) -> None:
    tenant = crm.tenant()
    boss = crm.profile(tenant, role="compliance")
    crm.profile(tenant, role="sales")
    check = crm.check(tenant, client_with_contact(crm, tenant), due_at=NOW + days(3))
    states = []
    for day in (0, 2, 3, 9, 10, 17, 60):
        crm.run("compliance", at=NOW + days(day))
        states.append((day, crm.row("compliance_checks", check)["status"]))
    assert states == [
        (0, "awaiting_response"), (2, "awaiting_response"), (3, "overdue"), (9, "overdue"), (10, "escalated"),
        (17, "escalated"), (60, "escalated"),
    ]  # fmt: skip
    row = crm.row("compliance_checks", check)
    assert (row["escalated_to"], row["escalation_sent_at"]) == (boss, NOW + days(10))
    [task] = crm.actions(template="compliance_escalation")
    assert (task["kind"], task["assigned_to"]) == ("task", boss)


def test_the_clients_owner_is_the_one_an_escalation_goes_to(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.profile(tenant, role="compliance")
    owner = crm.profile(tenant)
    check = crm.check(tenant, client_with_contact(crm, tenant, owner_id=owner), due_at=NOW - days(8))
    crm.run("compliance")
    assert crm.row("compliance_checks", check)["escalated_to"] == owner


@pytest.mark.parametrize(
    ("status", "next_step"),
    [
        ("pending", "awaiting_response"), ("in_progress", "overdue"), ("awaiting_response", "overdue"),
        ("overdue", "escalated"), ("escalated", None), ("completed", None), ("waived", None),
    ],
)  # fmt: skip
def test_no_open_status_falls_out_of_sight(crm: Crm, status: str, next_step: str | None) -> None:
    tenant = crm.tenant()
    due = {"pending": NOW + days(5), "overdue": NOW - days(8)}.get(status, NOW - days(1))
    check = crm.check(
        tenant, client_with_contact(crm, tenant), status=status, due_at=due, waived_reason="sold",
        reminder_sent_at=NOW - days(3) if status == "awaiting_response" else None,
    )  # fmt: skip
    assert [row["check_id"] for row in crm.read("get_compliance_due", tenant)] == [check] * (next_step is not None)
    assert crm.due_tenants("compliance") == ({tenant} if next_step else set())
    crm.run("compliance")
    assert crm.row("compliance_checks", check)["status"] == (next_step or status)


def test_a_check_whose_schedule_was_deleted_is_still_followed_to_its_end(crm: Crm) -> None:
    tenant = crm.tenant()
    client_with_contact(crm, tenant)
    schedule = crm.schedule(tenant, escalation_days_after=2)
    crm.run("compliance")
    crm.execute("DELETE FROM compliance_schedule WHERE id = %s", schedule)
    crm.run("compliance", at=NOW + days(10))
    assert [row["status"] for row in checks(crm)] == ["overdue"]
    assert len(crm.read("get_compliance_due", tenant, at=NOW + days(12))) == 1
    crm.run("compliance", at=NOW + days(12))
    assert [row["status"] for row in checks(crm)] == ["escalated"]


def test_the_due_read_shows_twenty_and_how_many_days_are_left(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    ids = [crm.check(tenant, client, due_at=NOW + days(2), notification_days_before=30 - n) for n in range(22)]
    rows = crm.read("get_compliance_due", tenant)
    assert [row["check_id"] for row in rows] == ids[:20], "the longest waiting first"
    assert {row["days_until_due"] for row in rows} == {2}


@pytest.mark.parametrize("reason", [None, "", "   "])
def test_a_waiver_without_a_reason_is_refused(crm: Crm, reason: str | None) -> None:
    tenant = crm.tenant()
    check = crm.check(tenant, crm.client(tenant))
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        crm.read("waive_compliance_check", check, reason)
    with pytest.raises(psycopg.errors.CheckViolation):
        crm.update("compliance_checks", check, status="waived", waived_reason=reason)
    assert crm.row("compliance_checks", check)["status"] == "pending"


def test_a_waived_check_is_left_alone(crm: Crm) -> None:
    tenant = crm.tenant()
    check = crm.check(tenant, client_with_contact(crm, tenant))
    crm.read("waive_compliance_check", check, " they closed shop ")
    crm.run("compliance", at=NOW + days(90))
    row = crm.row("compliance_checks", check)
    assert (row["status"], row["waived_reason"]) == ("waived", "they closed shop")
    assert crm.actions() == []
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        crm.read("waive_compliance_check", check, "again")


def test_a_person_who_saw_the_proof_completes_a_check_and_one_who_works_on_it_stops_the_reminders(crm: Crm) -> None:
    tenant = crm.tenant()
    client = client_with_contact(crm, tenant)
    proven, answered = (crm.check(tenant, client, period_start=NOW.date() - days(n)) for n in (1, 2))
    crm.read("complete_compliance_check", proven, "seen: licence 77")
    crm.read("answer_compliance_check", answered, "they will send it")

    crm.run("compliance", at=NOW + days(1))

    found = {row["id"]: (row["status"], row["notes"]) for row in crm.rows("SELECT * FROM compliance_checks")}
    assert found == {proven: ("completed", "seen: licence 77"), answered: ("in_progress", "they will send it")}
    assert crm.actions(kind="email") == []
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        crm.read("answer_compliance_check", proven, None)
    with pytest.raises(psycopg.errors.NoDataFound):
        crm.read("complete_compliance_check", uuid4(), None)


def test_the_check_of_an_entity_that_is_gone_is_waived_with_that_reason(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    check = crm.check(tenant, client, required_fields=["country"])
    crm.execute("DELETE FROM clients WHERE id = %s", client)
    crm.run("compliance")
    row = crm.row("compliance_checks", check)
    assert (row["status"], row["waived_reason"]) == ("waived", "the client no longer exists")


def test_a_vendor_is_reminded_at_its_own_address(crm: Crm) -> None:
    tenant = crm.tenant()
    vendor = crm.insert("vendors", tenant_id=tenant, company_name="Vend", email="v@vend.example")
    crm.check(tenant, vendor, entity_type="vendor")
    crm.run("compliance")
    assert [(action["kind"], action["recipient"]) for action in crm.actions()] == [("email", "v@vend.example")]


def test_without_an_address_the_tenants_own_people_are_told_once(crm: Crm) -> None:
    tenant = crm.tenant()
    boss = crm.profile(tenant, role="admin")
    crm.check(tenant, crm.client(tenant))
    for day in (0, 7):
        crm.run("compliance", at=NOW + days(day))
    assert [(action["kind"], action["template"], action["assigned_to"]) for action in crm.actions()] == [
        ("task", "compliance_unreachable", boss)
    ]
    assert checks(crm)[0]["reminder_count"] == 0


def test_every_due_check_is_reached_not_the_first_batch_over_and_over(crm: Crm) -> None:
    tenant = crm.tenant()
    for _ in range(45):
        crm.check(tenant, crm.client(tenant))
    crm.run("compliance", batch_size=20)
    assert len({action["subject_id"] for action in crm.actions()}) == 45


def test_a_reminder_that_waits_is_not_followed_by_another(crm: Crm) -> None:
    tenant = crm.tenant()
    check = crm.check(tenant, client_with_contact(crm, tenant), due_at=NOW + days(30), notification_days_before=30)
    crm.pause(tenant)
    for week in range(4):
        crm.run("compliance", at=NOW + days(7 * week))
        assert crm.send(at=NOW + days(7 * week)) == 0
    assert (crm.templates(), crm.row("compliance_checks", check)["reminder_count"]) == ({"compliance_reminder": 1}, 0)
    crm.pause(tenant, paused=False)
    assert crm.send(at=NOW + days(22)) == 1
    assert crm.row("compliance_checks", check)["reminder_count"] == 1


def test_one_person_is_asked_for_all_that_is_missing_in_one_letter(crm: Crm) -> None:
    tenant = crm.tenant()
    client = client_with_contact(crm, tenant)
    later = crm.check(tenant, client, compliance_type="Insurance", due_at=NOW + days(9))
    first = crm.check(tenant, client, compliance_type="Licence", due_at=NOW + days(5))
    assert crm.run("compliance").tally.acted == {"reminded": 2}
    [letter] = crm.actions()
    assert letter["subject_id"] == first
    assert [other["compliance_type"] for other in letter["variables"]["others"]] == ["Insurance"]
    added = crm.check(tenant, client, compliance_type="Audit", due_at=NOW + days(6))
    crm.run("compliance")
    [letter] = crm.actions()
    assert [other["compliance_type"] for other in letter["variables"]["others"]] == ["Insurance", "Audit"]
    crm.send()
    assert [crm.row("compliance_checks", check)["reminder_count"] for check in (first, later, added)] == [1, 1, 1]


def test_in_review_the_reminder_waits_for_a_person(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "compliance", "review")
    crm.check(tenant, client_with_contact(crm, tenant))
    crm.run("compliance")
    assert [action["status"] for action in crm.actions()] == ["suggested"]


def test_switched_off_nothing_is_written(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "compliance", "off")
    crm.schedule(tenant)
    crm.check(tenant, client_with_contact(crm, tenant))
    before = checks(crm)
    crm.run("compliance")
    assert crm.read("run_compliance_batch", tenant, 10, None) == []
    assert checks(crm) == before
    assert crm.actions() == []


def test_entities_of_another_tenant_are_neither_checked_nor_reminded(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    foreign = client_with_contact(crm, theirs, company_name="Secret Ltd", country="SE")
    crm.schedule(ours)
    pointing_there = crm.check(ours, foreign, required_fields=["country"])
    crm.run("compliance")
    assert [row["id"] for row in checks(crm)] == [pointing_there]
    row = crm.row("compliance_checks", pointing_there)
    assert (row["status"], row["missing_fields"]) == ("waived", ["country"])
    assert crm.actions() == []


def test_a_check_of_ours_cannot_complete_or_displace_another_tenants_schedule(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    victim = client_with_contact(crm, theirs)
    schedule = crm.schedule(theirs)
    mine = crm.client(ours, country="SE")
    period = (NOW + days(10)).date().replace(year=2025)
    with crm.unchecked():
        crm.check(ours, mine, schedule_id=schedule, required_fields=["country"])
        crm.check(ours, victim, schedule_id=schedule, period_start=period, status="escalated")
    with clock.at(NOW):
        crm.run("compliance")
    assert crm.row("compliance_schedule", schedule)["last_completed_at"] is None
    assert len(crm.rows("SELECT FROM compliance_checks WHERE tenant_id = %s", theirs)) == 1
