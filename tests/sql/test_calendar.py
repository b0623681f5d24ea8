"""If these fail, a tenant far from Greenwich lives in the wrong day: quotes, numbers, letters, days of silence."""

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.crm import NOW, Crm, days
from workers import clock
from workers.db.migrate import migrate
from workers.db.session import transaction

AUCKLAND, LOS_ANGELES, BERLIN, KATHMANDU = (
    "Pacific/Auckland", "America/Los_Angeles", "Europe/Berlin", "Asia/Kathmandu",
)  # fmt: skip
ZONES = [AUCKLAND, LOS_ANGELES, BERLIN, KATHMANDU]


def local(zone: str, text: str) -> datetime:
    """Return the instant at which the clocks of a zone show this."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def tenant_in(crm: Crm, zone: str, locale: str | None = None) -> UUID:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_calendar (tenant_id, time_zone, locale) VALUES (%s, %s, %s)", tenant, zone, locale)
    return tenant


def quote_until(crm: Crm, tenant: UUID, last_day: str) -> UUID:
    """Return a quote in the middle of its follow-ups, of which none is due soon."""
    return crm.quote(tenant, contact_id=crm.contact(tenant), valid_until=last_day, next_follow_up_at=NOW + days(500))


@pytest.mark.parametrize("zone", ZONES)
def test_a_quote_lives_through_its_last_day_where_the_tenant_is_and_not_a_minute_longer(crm: Crm, zone: str) -> None:
    tenant = tenant_in(crm, zone)
    # A day like any other, those on which somewhere the clocks are changed, and the last of a year.
    for last_day in ("2026-03-08", "2026-03-10", "2026-03-29", "2026-09-27", "2026-10-25", "2026-12-31"):
        quote = quote_until(crm, tenant, last_day)
        before = local(zone, f"{last_day}T23:59")
        after = local(zone, (date.fromisoformat(last_day) + days(1)).isoformat())
        assert crm.due_tenants("quotes", at=before) == set()
        crm.run("quotes", at=before)
        assert crm.row("quotes", quote)["status"] == "sent"
        assert crm.due_tenants("quotes", at=after) == {tenant}
        crm.run("quotes", at=after)
        assert crm.row("quotes", quote)["status"] == "expired"
    assert crm.actions() == []


def test_a_quote_that_ended_yesterday_in_auckland_is_not_followed_up_though_greenwich_has_hours_left(crm: Crm) -> None:
    tenant = tenant_in(crm, AUCKLAND)
    crm.quote(tenant, contact_id=crm.contact(tenant), valid_until="2026-03-10")
    morning = local(AUCKLAND, "2026-03-11T10:00")
    assert crm.read("get_quotes_needing_followup", tenant, at=morning) == []
    crm.run("quotes", at=morning)
    assert crm.actions() == []


def test_a_quote_is_still_followed_up_on_its_last_evening_in_los_angeles(crm: Crm) -> None:
    tenant = tenant_in(crm, LOS_ANGELES)
    crm.quote(tenant, contact_id=crm.contact(tenant), valid_until="2026-03-10")
    evening = local(LOS_ANGELES, "2026-03-10T18:00")
    assert len(crm.read("get_quotes_needing_followup", tenant, at=evening)) == 1
    crm.run("quotes", at=evening)
    assert [action["template"] for action in crm.actions()] == ["quote_follow_up"]


def test_a_quote_can_be_sent_on_its_last_day_by_the_tenants_calendar_and_not_after(crm: Crm) -> None:
    tenant = tenant_in(crm, KATHMANDU)
    late, on_time = (
        crm.quote(tenant, status="draft", sent_at=None, next_follow_up_at=None, valid_until="2026-03-10")
        for _ in range(2)
    )
    crm.read("send_quote", on_time, at=local(KATHMANDU, "2026-03-10T23:59"))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        crm.read("send_quote", late, at=local(KATHMANDU, "2026-03-11T00:00"))


def test_a_follow_up_that_waited_beyond_the_last_day_does_not_leave(crm: Crm) -> None:
    tenant = tenant_in(crm, AUCKLAND)
    crm.quote(tenant, contact_id=crm.contact(tenant), valid_until="2026-03-10")
    crm.run("quotes", at=local(AUCKLAND, "2026-03-10T18:00"))
    [action] = crm.actions()
    with clock.at(local(AUCKLAND, "2026-03-11T08:00")), transaction(crm.connection):
        refused = crm.connection.execute("SELECT reason FROM quotes_guard(%s)", [[action["id"]]]).fetchall()
    assert [row["reason"] for row in refused] == ["the quote is no longer valid"]


@pytest.mark.parametrize(
    ("zone", "instant", "number"),
    [
        (AUCKLAND, "2025-12-31T11:00Z", "Q-2026-0001"), (AUCKLAND, "2025-12-31T10:59Z", "Q-2025-0001"),
        (LOS_ANGELES, "2026-01-01T07:59Z", "Q-2025-0001"), (LOS_ANGELES, "2026-01-01T08:00Z", "Q-2026-0001"),
        (BERLIN, "2025-12-31T23:00Z", "Q-2026-0001"), (KATHMANDU, "2025-12-31T18:14Z", "Q-2025-0001"),
        (KATHMANDU, "2025-12-31T18:15Z", "Q-2026-0001"),
    ],
)  # fmt: skip
def test_the_year_of_a_quote_number_begins_where_the_tenant_is(crm: Crm, zone: str, instant: str, number: str) -> None:
    tenant = tenant_in(crm, zone)
    [row] = crm.read("generate_quote_number", tenant, at=datetime.fromisoformat(instant))
    assert row["generate_quote_number"] == number


@pytest.mark.parametrize(
    ("zone", "delivered", "said"),
    [
        (LOS_ANGELES, "2026-02-20T18:00-08:00", "20 February"), (AUCKLAND, "2026-02-20T00:30+13:00", "20 February"),
        (KATHMANDU, "2026-02-19T18:30+00:00", "20 February"), (BERLIN, "2026-02-19T23:30+00:00", "20 February"),
    ],
)  # fmt: skip
def test_a_letter_names_the_day_on_which_the_customer_got_the_order(
    crm: Crm, zone: str, delivered: str, said: str
) -> None:
    tenant = tenant_in(crm, zone)
    crm.order(tenant, contact_id=crm.contact(tenant), delivered_at=delivered)
    crm.run("feedback")
    assert [action["variables"]["delivered_on"] for action in crm.actions()] == [said]


@pytest.mark.parametrize("zone", ZONES)
def test_days_without_activity_are_counted_by_the_tenants_midnights(crm: Crm, zone: str) -> None:
    tenant = tenant_in(crm, zone)
    crm.deal(
        tenant, contact_id=crm.contact(tenant), last_activity_at=local(zone, "2026-02-20T23:30"),
        stalled_at=NOW, next_follow_up_at=NOW - days(1),
    )  # fmt: skip
    morning = local(zone, "2026-03-02T08:00")
    assert [row["days_without_activity"] for row in crm.read("get_stalled_deals", tenant, at=morning + days(2))] == [12]
    crm.run("deals", at=morning + days(2))
    assert [action["variables"]["days_silent"] for action in crm.actions()] == [12]


@pytest.mark.parametrize(
    ("zone", "start", "following"),
    [
        (BERLIN, "2026-03-27T10:00", "2026-03-30T10:00"), (BERLIN, "2026-10-23T10:00", "2026-10-26T10:00"),
        (LOS_ANGELES, "2026-03-06T10:00", "2026-03-09T10:00"), (LOS_ANGELES, "2026-10-30T10:00", "2026-11-02T10:00"),
        (AUCKLAND, "2026-04-03T10:00", "2026-04-06T10:00"), (AUCKLAND, "2026-09-25T10:00", "2026-09-28T10:00"),
    ],
)  # fmt: skip
def test_the_next_follow_up_keeps_its_hour_when_the_clocks_are_changed(
    crm: Crm, zone: str, start: str, following: str
) -> None:
    tenant = tenant_in(crm, zone)
    crm.open_always(tenant, mails=2)
    quote = crm.quote(tenant, contact_id=crm.contact(tenant), sent_at=local(zone, start) - days(9))
    deal = crm.deal(
        tenant, contact_id=crm.contact(tenant), last_activity_at=local(zone, start) - days(9), stage="qualified"
    )
    for engine in ("quotes", "deals"):
        crm.run(engine, at=local(zone, start))
    crm.send(at=local(zone, start))
    assert crm.row("quotes", quote)["next_follow_up_at"] == local(zone, following)
    assert crm.row("deals", deal)["next_follow_up_at"] == local(zone, following)


@pytest.mark.parametrize(
    ("zone", "active", "stalls"),
    [(BERLIN, "2026-03-27T18:00", "2026-03-30T18:00"), (AUCKLAND, "2026-09-25T18:00", "2026-09-28T18:00")],
)
def test_a_deal_stalls_after_days_of_the_tenants_clocks(crm: Crm, zone: str, active: str, stalls: str) -> None:
    deal = crm.deal(tenant_in(crm, zone), stage="lead", last_activity_at=local(zone, active))
    assert crm.row("deals", deal)["stalls_at"] == local(zone, stalls)


def test_a_tenant_that_moves_takes_its_open_quotes_along(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = quote_until(crm, tenant, "2026-03-10")
    assert crm.row("quotes", quote)["due_at"] == local("UTC", "2026-03-11T00:00")
    crm.execute("INSERT INTO tenant_calendar (tenant_id, time_zone) VALUES (%s, %s)", tenant, AUCKLAND)
    assert crm.row("quotes", quote)["due_at"] == local(AUCKLAND, "2026-03-11T00:00")
    crm.execute("UPDATE tenant_calendar SET time_zone = %s", LOS_ANGELES)
    assert crm.row("quotes", quote)["due_at"] == local(LOS_ANGELES, "2026-03-11T00:00")


def test_a_zone_written_for_the_delivery_is_the_tenants_and_the_other_way_round(crm: Crm) -> None:
    tenant = crm.tenant()

    def zones() -> tuple[str, str]:
        row = crm.one("SELECT d.time_zone AS delivery, tenant_zone(d.tenant_id) AS tenant FROM tenant_delivery AS d")
        return row["delivery"], row["tenant"]

    crm.execute("INSERT INTO tenant_calendar (tenant_id, time_zone) VALUES (%s, %s)", tenant, BERLIN)
    crm.execute("INSERT INTO tenant_delivery (tenant_id, paused) VALUES (%s, true)", tenant)
    assert zones() == (BERLIN, BERLIN)
    crm.execute("UPDATE tenant_delivery SET time_zone = %s", AUCKLAND)
    assert zones() == (AUCKLAND, AUCKLAND)
    crm.execute("UPDATE tenant_calendar SET time_zone = %s, locale = 'en-NZ'", KATHMANDU)
    assert zones() == (KATHMANDU, KATHMANDU)


def test_a_zone_or_locale_that_does_not_exist_is_refused_where_it_is_written(crm: Crm) -> None:
    insert = "INSERT INTO tenant_calendar (tenant_id, time_zone, locale) VALUES (%s, %s, %s)"
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        crm.execute(insert, crm.tenant(), "Middle/Earth", None)
    with pytest.raises(psycopg.errors.CheckViolation):
        crm.execute(insert, crm.tenant(), BERLIN, "as we do here")


def test_what_an_earlier_release_planned_in_greenwich_is_planned_anew_and_nothing_the_second_time(
    crm: Crm, database_url: str
) -> None:
    tenant = crm.tenant()
    quote = quote_until(crm, tenant, "2026-03-10")
    check = crm.check(tenant, crm.client(tenant), notification_days_before=2)
    with crm.unchecked():
        crm.execute("INSERT INTO tenant_delivery (tenant_id, time_zone) VALUES (%s, %s)", tenant, AUCKLAND)
        crm.update("quotes", quote, due_at=NOW + days(300))
        crm.update("compliance_checks", check, next_step_at=None)
    migrate(database_url)
    assert crm.row("quotes", quote)["due_at"] == local(AUCKLAND, "2026-03-11T00:00")
    assert crm.row("compliance_checks", check)["next_step_at"] == NOW + days(2)
    versions = "SELECT (SELECT xmin::text FROM quotes) AS quote, (SELECT xmin::text FROM compliance_checks) AS check"
    before = crm.one(versions)
    migrate(database_url)
    assert crm.one(versions) == before
