"""Deals: which are stalled, how they are followed up, and when the fleet stops."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.crm import NOW, Crm, days
from workers import clock
from workers.db.session import Connection, connect, transaction
from workers.engines.base import Tally
from workers.engines.registry import engine_named
from workers.runtime.dispatch import run_engine


@pytest.fixture
def second(database_url: str) -> Iterator[Connection]:
    """Another worker's connection."""
    with connect(database_url) as connection:
        yield connection


def reachable_deal(crm: Crm, tenant: UUID, **values: Any) -> UUID:
    """Return a deal with a contact of its own that has an address of its own."""
    return crm.deal(tenant, **{"contact_id": crm.contact(tenant, email=f"{uuid4()}@acme.example")} | values)


def test_a_deal_is_stalled_after_the_days_of_its_stage(crm: Crm) -> None:
    tenant = crm.tenant()
    limits = {"lead": 3, "qualified": 7, "proposal": 5, "negotiation": 7, "Demo scheduled": 7}
    late, early = set(), set()
    for stage, limit in limits.items():
        late.add(crm.deal(tenant, stage=stage, last_activity_at=NOW - days(limit) - timedelta(minutes=1)))
        early.add(crm.deal(tenant, stage=stage, last_activity_at=NOW - days(limit)))
    assert {row["deal_id"] for row in crm.read("get_stalled_deals", tenant)} == late
    crm.run("deals")
    assert {row["id"] for row in crm.rows("SELECT id FROM deals WHERE stalled_at IS NOT NULL")} == late


@pytest.mark.parametrize(
    "stage",
    [
        "won", "lost", "closed_won", "Closed Won", "CLOSEDWON", "closed-lost", "Closed Lost to Competition", "Gewonnen",
        "abgeschlossen - verloren", "Gagné", "Fermée perdue", "Cerrado ganado", "Chiuso perso", "Gesloten gewonnen",
        "Fechado perdido", "Out-Sold", "Dead", "Cancelled",
    ],
)  # fmt: skip
def test_a_closed_deal_is_never_stalled(crm: Crm, stage: str) -> None:
    tenant = crm.tenant()
    reachable_deal(crm, tenant, stage=stage)
    assert crm.read("get_stalled_deals", tenant) == []
    crm.run("deals")
    assert crm.actions() == []


def test_a_deal_with_follow_ups_switched_off_is_left_alone(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant, auto_follow_up_enabled=False)
    assert crm.read("get_stalled_deals", tenant) == []
    crm.run("deals")
    assert (crm.row("deals", deal)["stalled_at"], crm.actions()) == (None, [])


def test_a_newly_stalled_deal_is_marked_and_followed_up(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    deal = crm.deal(tenant, stage="qualified", contact_id=contact)
    crm.run("deals")
    row = crm.row("deals", deal)
    assert (row["stalled_at"], row["follow_up_hold"]) == (NOW, "its message")
    assert (row["follow_up_count"], row["next_follow_up_at"]) == (0, None), "nothing was sent yet"
    [action] = crm.actions()
    assert (action["kind"], action["template"], action["status"]) == ("email", "deal_follow_up", "scheduled")
    assert (action["subject_id"], action["contact_id"], action["run_at"]) == (deal, contact, NOW)
    assert (action["variables"]["step"], action["variables"]["max_steps"]) == (1, 5)


def test_the_next_follow_up_waits_for_the_stages_interval(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant, stage="lead")
    crm.run("deals")
    crm.send()
    assert (crm.row("deals", deal)["follow_up_count"], crm.row("deals", deal)["next_follow_up_at"]) == (
        1,
        NOW + days(2),
    )
    assert crm.run("deals", at=NOW + timedelta(hours=47)).tally.due == 0
    crm.run("deals", at=NOW + days(2))
    crm.send(at=NOW + days(2) + timedelta(hours=1))
    row = crm.row("deals", deal)
    assert (row["follow_up_count"], row["next_follow_up_at"]) == (2, NOW + days(4) + timedelta(hours=1))
    assert row["stalled_at"] == NOW, "since when it is stalled does not move with the follow-ups"


def test_a_run_that_starts_seconds_earlier_than_the_last_one_still_finds_its_deals(crm: Crm) -> None:
    tenant = crm.tenant()
    reachable_deal(crm, tenant)
    crm.run("deals", at=NOW + timedelta(seconds=9))
    crm.send(at=NOW + timedelta(seconds=9))
    assert crm.run("deals", at=NOW + days(2) + timedelta(seconds=1)).tally.actions == {"deal_follow_up": 1}


@pytest.mark.parametrize(("stage", "series"), [("lead", 5), ("Proposal", 7), ("Demo scheduled", 5)])
def test_after_the_last_follow_up_the_owner_gets_one_task_and_the_customer_nothing_more(
    crm: Crm, stage: str, series: int
) -> None:
    tenant = crm.tenant()
    owner = crm.profile(tenant)
    deal = reachable_deal(crm, tenant, stage=stage, owner_id=owner)
    crm.run_daily("deals", 60)
    assert crm.templates() == {"deal_follow_up": series, "deal_handover": 1}
    steps = [action["variables"]["step"] for action in crm.actions(template="deal_follow_up")]
    assert steps == list(range(1, series + 1))
    [task] = crm.actions(template="deal_handover")
    assert (task["kind"], task["assigned_to"]) == ("task", owner)
    assert crm.row("deals", deal)["follow_up_count"] == series
    assert crm.read("get_stalled_deals", tenant, at=NOW + days(60)) == []


def test_without_an_owner_the_clients_owner_gets_the_task(crm: Crm) -> None:
    tenant = crm.tenant()
    keeper = crm.profile(tenant)
    client = crm.client(tenant, owner_id=keeper)
    crm.deal(tenant, client_id=client)
    crm.run("deals")
    assert [action["assigned_to"] for action in crm.actions()] == [keeper]


def test_without_an_address_the_owner_is_told_once_and_nobody_is_mailed(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = crm.deal(tenant, contact_id=crm.contact(tenant, email="  "))
    crm.run_daily("deals", 30)
    assert crm.templates() == {"deal_no_contact": 1}
    assert crm.row("deals", deal)["follow_up_count"] == 0


def test_the_clients_primary_contact_stands_in(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    crm.contact(tenant, client, is_primary=False, email="second@acme.example")
    primary = crm.contact(tenant, client)
    crm.deal(tenant, client_id=client)
    crm.run("deals")
    assert [action["contact_id"] for action in crm.actions()] == [primary]


def test_our_own_outreach_is_no_activity_of_the_customer(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant)
    before = crm.row("deals", deal)["last_activity_at"]
    crm.run("deals")
    crm.run("deals", at=NOW + days(2))
    row = crm.row("deals", deal)
    assert row["last_activity_at"] == before
    assert row["stalled_at"] is not None


@pytest.mark.parametrize(
    "activity",
    [
        {"stage": "qualified"},
        {"value": 9000},
        {"probability": 80},
        {"expected_close_date": date(2026, 5, 1)},
        {"description": "They called back"},
        {"last_activity_at": NOW + days(1)},  # a reply
    ],
    ids=lambda activity: next(iter(activity)),
)
def test_real_activity_clears_the_stall_and_the_count(crm: Crm, activity: dict[str, Any]) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant)
    crm.run("deals")
    with clock.at(NOW + days(1)):
        crm.update("deals", deal, **activity)
    row = crm.row("deals", deal)
    assert row["last_activity_at"] == NOW + days(1)
    assert (row["stalled_at"], row["next_follow_up_at"], row["follow_up_count"]) == (None, None, 0)
    assert crm.run("deals", at=NOW + days(3)).tally.due == 0


@pytest.mark.parametrize("edit", [{"title": "Eleven licences"}, {"owner_id": None}, {"value": 100}])
def test_an_edit_that_says_nothing_about_the_customer_is_no_activity(crm: Crm, edit: dict[str, Any]) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant, value=100)
    crm.run("deals")
    crm.update("deals", deal, **edit)
    assert crm.row("deals", deal)["stalled_at"] == NOW


def test_a_deal_that_stalls_again_is_followed_up_from_the_start(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant)
    crm.run_daily("deals", 40)
    with clock.at(NOW + days(40)):
        crm.update("deals", deal, description="They asked for a demo")
    crm.run_daily("deals", 40, start=NOW + days(40))
    assert crm.templates() == {"deal_follow_up": 10, "deal_handover": 2}


def test_the_read_shows_the_longest_silent_due_deals_first(crm: Crm) -> None:
    tenant = crm.tenant()
    silent = [crm.deal(tenant, last_activity_at=NOW - days(100 - number)) for number in range(22)]
    waiting = crm.deal(
        tenant, last_activity_at=NOW - days(300), stalled_at=NOW, next_follow_up_at=NOW + timedelta(minutes=1)
    )
    due_again = crm.deal(tenant, last_activity_at=NOW - days(200), stalled_at=NOW - days(9), next_follow_up_at=NOW)
    rows = crm.read("get_stalled_deals", tenant)
    assert [row["deal_id"] for row in rows] == [due_again, *silent[:19]]
    assert waiting not in {row["deal_id"] for row in crm.read("get_stalled_deals", tenant, 100)}
    assert (rows[0]["days_without_activity"], rows[0]["max_follow_ups"]) == (200, 5)


def test_every_due_deal_is_reached_not_the_first_batch_over_and_over(crm: Crm) -> None:
    tenant = crm.tenant()
    stages = ("lead", "qualified", "proposal", "negotiation", "poc")
    for number in range(75):
        reachable_deal(crm, tenant, stage=stages[number % 5])
    assert crm.run("deals", batch_size=20).tally.acted == {"deal_follow_up": 75}
    assert len({action["subject_id"] for action in crm.actions()}) == 75


def test_two_workers_on_one_tenant_share_the_work(crm: Crm, second: Connection) -> None:
    tenant = crm.tenant()
    for _ in range(20):
        reachable_deal(crm, tenant)

    def batch(connection: Connection) -> Tally:
        with clock.at(NOW), transaction(connection):
            rows = connection.execute("SELECT * FROM run_deals_batch(%s, 10, NULL)", [tenant]).fetchall()
        return Tally.from_rows(rows)

    with crm.connection.transaction():
        assert batch(crm.connection).due == 10
        assert batch(second).due == 10
    assert len({action["subject_id"] for action in crm.actions()}) == 20


def test_one_tenants_failure_is_recorded_and_does_not_stop_the_others(crm: Crm) -> None:
    bad, good = crm.tenant("Bad"), crm.tenant("Good")
    for tenant in (bad, good):
        reachable_deal(crm, tenant)
    engine = engine_named("deals")

    def explode(connection: Connection, tenant: UUID, limit: int, run: int) -> Tally:
        if tenant == bad:
            raise ZeroDivisionError("no money")
        return engine.batch(connection, tenant, limit, run)

    with clock.at(NOW):
        run_engine(crm.connection, replace(engine, batch=explode), trigger="manual", batch_size=100)
    assert {action["tenant_id"] for action in crm.actions()} == {good}
    [run] = crm.rows("SELECT failures FROM engine_runs")
    assert run["failures"] == [{"tenant_id": str(bad), "error": "ZeroDivisionError: no money"}]
    assert crm.rows("SELECT FROM deals WHERE tenant_id = %s AND stalled_at IS NOT NULL", bad) == []


def test_the_days_in_a_stage_count_from_the_previous_stage_change(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = crm.deal(tenant, created_at=NOW - days(30))
    crm.update("deals", deal, stage="qualified")
    with clock.at(NOW + days(3)):
        crm.update("deals", deal, description="moves updated_at in a CRM that keeps it", updated_at=NOW + days(3))
    with clock.at(NOW + days(12)):
        crm.update("deals", deal, stage="proposal")
    history = crm.rows("SELECT * FROM deal_stage_history ORDER BY changed_at")
    assert [(row["from_stage"], row["to_stage"], row["days_in_previous_stage"]) for row in history] == [
        ("lead", "qualified", 30),
        ("qualified", "proposal", 12),
    ]


def test_writing_the_same_stage_again_is_no_stage_change(crm: Crm) -> None:
    deal = crm.deal(crm.tenant())
    crm.update("deals", deal, stage="lead")
    assert crm.rows("SELECT * FROM deal_stage_history") == []


def test_another_tenants_history_does_not_count_for_a_deal(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    deal = crm.deal(ours, created_at=NOW - days(30))
    with crm.unchecked():
        crm.insert("deal_stage_history", tenant_id=theirs, deal_id=deal, to_stage="x", changed_at=NOW - days(1))
    crm.update("deals", deal, stage="qualified")
    [row] = crm.rows("SELECT * FROM deal_stage_history WHERE tenant_id = %s", ours)
    assert row["days_in_previous_stage"] == 30


def test_a_new_tenant_gets_the_default_stages_by_itself(crm: Crm) -> None:
    tenant = crm.tenant()
    rows = crm.rows(
        "SELECT stage, max_days_before_stale, follow_up_interval_days, max_follow_ups"
        " FROM deal_stage_config WHERE tenant_id = %s", tenant,
    )  # fmt: skip
    assert {tuple(row.values()) for row in rows} == {
        ("lead", 3, 2, 5), ("qualified", 7, 3, 5), ("proposal", 5, 2, 7), ("negotiation", 7, 3, 5),
    }  # fmt: skip


def test_seeding_again_keeps_what_the_tenant_changed(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("UPDATE deal_stage_config SET max_follow_ups = 1 WHERE stage = 'lead'")
    crm.read("seed_default_deal_stages", tenant)
    assert crm.one("SELECT max_follow_ups FROM deal_stage_config WHERE stage = 'lead'")["max_follow_ups"] == 1


def test_a_shorter_limit_counts_at_once(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant, stage="negotiation", last_activity_at=NOW - days(5))
    assert crm.run("deals").tally.due == 0
    crm.execute("UPDATE deal_stage_config SET max_days_before_stale = 4 WHERE stage = 'negotiation'")
    assert crm.due_tenants("deals") == {tenant}
    crm.run("deals")
    assert crm.row("deals", deal)["stalled_at"] == NOW


def test_a_longer_limit_takes_a_deal_out_of_its_series(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant, last_activity_at=NOW - days(5))
    crm.run("deals")
    crm.execute("UPDATE deal_stage_config SET max_days_before_stale = 60 WHERE stage = 'lead'")
    row = crm.row("deals", deal)
    assert (row["stalled_at"], row["next_follow_up_at"]) == (None, None)
    assert crm.run("deals", at=NOW + days(30)).tally.due == 0


def test_a_limit_set_back_again_goes_on_with_the_series_and_swallows_no_step(crm: Crm) -> None:
    tenant = crm.tenant()
    reachable_deal(crm, tenant, last_activity_at=NOW - days(5))
    crm.open_always(tenant)
    crm.run("deals")
    crm.send()
    for limit in (60, 3):
        crm.execute("UPDATE deal_stage_config SET max_days_before_stale = %s", limit)
    for day in range(1, 40):
        tally = crm.run("deals", at=NOW + days(day)).tally
        assert tally.acted.total() == tally.actions.total()
        crm.send(at=NOW + days(day))
    assert crm.templates() == {"deal_follow_up": 5, "deal_handover": 1}


def test_a_stage_without_configuration_falls_back_to_seven_days(crm: Crm) -> None:
    tenant = crm.tenant()
    reachable_deal(crm, tenant, last_activity_at=NOW - days(5))
    crm.execute("DELETE FROM deal_stage_config WHERE stage = 'lead'")
    assert crm.run("deals").tally.due == 0
    assert crm.run("deals", at=NOW + days(3)).tally.acted == {"deal_follow_up": 1}


def test_new_numbers_of_follow_ups_and_days_between_count_for_a_running_series(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = reachable_deal(crm, tenant)
    crm.run("deals")
    crm.send()
    crm.execute("UPDATE deal_stage_config SET follow_up_interval_days = 10, max_follow_ups = 2")
    crm.run("deals", at=NOW + days(2))
    crm.send(at=NOW + days(2))
    assert crm.row("deals", deal)["next_follow_up_at"] == NOW + days(12)
    crm.run("deals", at=NOW + days(12))
    assert crm.templates() == {"deal_follow_up": 2, "deal_handover": 1}


def test_in_review_the_follow_up_waits_for_a_person(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "deals", "review")
    reachable_deal(crm, tenant)
    crm.run("deals")
    assert [action["status"] for action in crm.actions()] == ["suggested"]


def test_switched_off_nothing_is_written(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "deals", "off")
    deal = reachable_deal(crm, tenant)
    before = crm.row("deals", deal)
    crm.run("deals")
    assert crm.read("run_deals_batch", tenant, 10, None) == []
    assert crm.row("deals", deal) == before
    assert crm.actions() == []


def test_another_tenants_contact_is_not_mailed_and_its_people_and_names_stay_its_own(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    client = crm.client(theirs, company_name="Secret Ltd")
    contact = crm.contact(theirs, client, first_name="Zoe")
    owner = crm.profile(theirs, full_name="Secret Owner")
    crm.deal(ours, contact_id=contact, client_id=client, owner_id=owner)
    crm.run("deals")
    [action] = crm.actions()
    assert (action["template"], action["contact_id"]) == ("deal_no_contact", None)
    assert [action["variables"][name] for name in ("company", "first_name", "owner_name")] == [None] * 3
