"""Quotes: numbers, what a CRM calls, and the follow-ups until somebody decides."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.crm import NOW, Crm, days
from workers import clock
from workers.db.session import connect


def activities(crm: Crm, quote: UUID) -> list[str]:
    rows = crm.rows("SELECT activity_type FROM quote_activities WHERE quote_id = %s ORDER BY created_at", quote)
    return [row["activity_type"] for row in rows if row["activity_type"] != "created"]


def reachable_quote(crm: Crm, tenant: UUID, **values: Any) -> UUID:
    """Return a due quote with a contact of its own that has an address of its own."""
    return crm.quote(tenant, **{"contact_id": crm.contact(tenant, email=f"{uuid4()}@acme.example")} | values)


def draft(crm: Crm, tenant: UUID, **values: Any) -> UUID:
    return crm.quote(tenant, **{"status": "draft", "sent_at": None, "next_follow_up_at": None} | values)


def test_fifty_sessions_at_once_draw_fifty_numbers_without_gap_or_clash(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant()
    together = Barrier(50)

    def draw() -> str:
        with connect(database_url) as connection:
            together.wait(30)
            row = connection.execute(
                "INSERT INTO quotes (tenant_id, quote_number) VALUES (%s, NULL) RETURNING quote_number",
                [tenant],
            ).fetchone()
        assert row is not None
        number: str = row["quote_number"]
        return number

    with ThreadPoolExecutor(50) as pool:
        numbers = sorted(future.result() for future in [pool.submit(draw) for _ in range(50)])
    year = date.today().year  # noqa: DTZ011  # the sessions ran on the real clock
    assert numbers == [f"Q-{year}-{number:04}" for number in range(1, 51)]


def test_a_number_that_was_not_used_after_all_is_given_to_the_next(crm: Crm) -> None:
    tenant = crm.tenant()
    with crm.connection.transaction(force_rollback=True):
        crm.read("generate_quote_number", tenant)
    assert crm.row("quotes", draft(crm, tenant))["quote_number"] == "Q-2026-0001"


def test_every_tenant_and_every_year_counts_from_one(crm: Crm) -> None:
    first, second = crm.tenant(), crm.tenant()
    numbers = [crm.row("quotes", draft(crm, tenant))["quote_number"] for tenant in (first, first, second)]
    with clock.at(datetime.fromisoformat("2027-01-01T00:00:00+00:00")):
        numbers.append(crm.row("quotes", draft(crm, first))["quote_number"])
    assert numbers == ["Q-2026-0001", "Q-2026-0002", "Q-2026-0001", "Q-2027-0001"]


def test_a_number_an_imported_quote_already_bears_is_passed_over(crm: Crm) -> None:
    tenant = crm.tenant()
    draft(crm, tenant, quote_number="Q-2026-0001")
    assert crm.row("quotes", draft(crm, tenant))["quote_number"] == "Q-2026-0002"


def test_numbers_go_on_after_9999(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO quote_counters VALUES (%s, 2026, 9999)", tenant)
    assert crm.row("quotes", draft(crm, tenant))["quote_number"] == "Q-2026-10000"


def test_sending_plans_the_first_follow_up_three_days_later(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = draft(crm, tenant)
    crm.read("send_quote", quote)
    row = crm.row("quotes", quote)
    assert (row["status"], row["sent_at"], row["next_follow_up_at"]) == ("sent", NOW, NOW + days(3))
    assert activities(crm, quote) == ["sent"]


@pytest.mark.parametrize(
    "state",
    [
        {"status": "sent"},
        {"status": "accepted"},
        {"status": "expired"},
        {"valid_until": NOW.date() - days(1)},
    ],
    ids=str,
)
def test_what_is_no_valid_draft_cannot_be_sent(crm: Crm, state: dict[str, Any]) -> None:
    quote = draft(crm, crm.tenant(), **state)
    before = crm.row("quotes", quote)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        crm.read("send_quote", quote)
    assert crm.row("quotes", quote) == before
    assert activities(crm, quote) == []


def test_a_view_is_counted_and_turns_sent_into_viewed(crm: Crm) -> None:
    quote = crm.quote(crm.tenant())
    assert crm.read("record_quote_view", quote)[0]["record_quote_view"] == 1
    with clock.at(NOW + days(1)):
        crm.one("SELECT record_quote_view(%s)", quote)
    row = crm.row("quotes", quote)
    assert (row["status"], row["view_count"], row["viewed_at"]) == ("viewed", 2, NOW)
    assert activities(crm, quote) == ["viewed", "viewed"]


def test_a_view_of_a_decided_quote_does_not_open_it_again(crm: Crm) -> None:
    quote = crm.quote(crm.tenant())
    crm.read("record_quote_outcome", quote, "won")
    crm.read("record_quote_view", quote)
    assert crm.row("quotes", quote)["status"] == "accepted"


def test_a_draft_cannot_be_viewed(crm: Crm) -> None:
    quote = draft(crm, crm.tenant())
    with pytest.raises(psycopg.errors.NoDataFound):
        crm.read("record_quote_view", quote)


@pytest.mark.parametrize(("outcome", "status"), [("won", "accepted"), ("lost", "rejected"), ("no_decision", "sent")])
def test_an_outcome_is_recorded_everywhere_and_ends_the_follow_ups(crm: Crm, outcome: str, status: str) -> None:
    tenant = crm.tenant()
    quote = reachable_quote(crm, tenant, total_amount=1200)
    crm.one(
        "SELECT record_quote_outcome(%s, %s, 'price', '{timing}', 'Rival', 900, 'they were kind')",
        quote,
        outcome,
    )
    row = crm.row("quotes", quote)
    assert (row["outcome"], row["status"], row["responded_at"]) == (outcome, status, NOW)
    assert (row["outcome_reason"], row["outcome_competitor"], row["outcome_notes"]) == (
        "price", "Rival", "they were kind",
    )  # fmt: skip
    [recorded] = crm.rows("SELECT * FROM quote_outcomes")
    assert (recorded["tenant_id"], recorded["outcome"], recorded["recorded_at"]) == (tenant, outcome, NOW)
    assert (recorded["our_amount"], recorded["competitor_amount"]) == (1200, 900)
    assert recorded["secondary_reasons"] == ["timing"]
    assert activities(crm, quote) == ["outcome"]
    assert crm.read("get_quotes_needing_followup", tenant) == []
    crm.run_daily("quotes", 30)
    assert crm.actions() == []


@pytest.mark.parametrize("outcome", ["maybe", None])
def test_an_unknown_outcome_is_refused_and_leaves_no_trace(crm: Crm, outcome: str | None) -> None:
    quote = crm.quote(crm.tenant())
    before = crm.row("quotes", quote)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        crm.read("record_quote_outcome", quote, outcome)
    assert crm.row("quotes", quote) == before
    assert crm.rows("SELECT * FROM quote_outcomes") == []


def test_an_outcome_that_cannot_be_logged_is_not_recorded_at_all(crm: Crm) -> None:
    quote = crm.quote(crm.tenant())
    crm.execute("ALTER TABLE quote_activities ADD CHECK (activity_type <> 'outcome')")
    with pytest.raises(psycopg.errors.CheckViolation):
        crm.read("record_quote_outcome", quote, "won")
    assert crm.row("quotes", quote)["outcome"] is None
    assert crm.rows("SELECT * FROM quote_outcomes") == []


def test_a_second_outcome_corrects_the_first(crm: Crm) -> None:
    quote = crm.quote(crm.tenant())
    crm.read("record_quote_outcome", quote, "won", "price")
    crm.read("record_quote_outcome", quote, "lost", "they changed their mind")
    assert [row["outcome"] for row in crm.rows("SELECT outcome FROM quote_outcomes")] == ["lost"]
    row = crm.row("quotes", quote)
    assert (row["outcome"], row["status"]) == ("lost", "rejected")


def test_another_tenants_row_cannot_take_a_quotes_outcome(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    quote = crm.quote(ours, total_amount=4711)
    with crm.unchecked():
        crm.insert("quote_outcomes", tenant_id=theirs, quote_id=quote, outcome="lost")
    crm.read("record_quote_outcome", quote, "won")
    rows = crm.rows("SELECT tenant_id, our_amount FROM quote_outcomes ORDER BY our_amount")
    assert [(row["tenant_id"], row["our_amount"]) for row in rows] == [(ours, 4711), (theirs, None)]


def test_which_quotes_are_due(crm: Crm) -> None:
    tenant = crm.tenant()
    due = {
        crm.quote(tenant),
        crm.quote(tenant, status="viewed"),
        crm.quote(tenant, next_follow_up_at=None),
        crm.quote(tenant, next_follow_up_at=NOW),
        crm.quote(tenant, valid_until=NOW.date()),
        crm.quote(tenant, follow_up_count=4),
    }
    for not_due in (
        {"status": "draft"}, {"status": "pending_approval"}, {"status": "accepted"}, {"status": "countered"},
        {"outcome": "no_decision"}, {"next_follow_up_at": NOW + timedelta(minutes=1)},
        {"valid_until": NOW.date() - days(1)}, {"follow_up_count": 5}, {"max_follow_ups": 0},
    ):  # fmt: skip
        crm.quote(tenant, **not_due)
    assert {row["quote_id"] for row in crm.read("get_quotes_needing_followup", tenant)} == due


def test_the_highest_amount_comes_first_then_the_oldest(crm: Crm) -> None:
    tenant = crm.tenant()
    older = crm.quote(tenant, total_amount=500, created_at=NOW - days(9), next_follow_up_at=NOW)
    newer = crm.quote(tenant, total_amount=500, created_at=NOW - days(8), next_follow_up_at=NOW - days(8))
    highest = crm.quote(tenant, total_amount=501, next_follow_up_at=NOW - days(1))
    for _ in range(20):
        crm.quote(tenant, total_amount=1)
    rows = crm.read("get_quotes_needing_followup", tenant)
    assert len(rows) == 20
    assert [row["quote_id"] for row in rows[:3]] == [highest, older, newer]


def test_a_follow_up_counts_up_plans_the_next_and_leaves_an_activity(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = reachable_quote(crm, tenant)
    crm.run("quotes")
    row = crm.row("quotes", quote)
    assert (row["follow_up_count"], row["follow_up_hold"], row["due_at"]) == (0, "its message", None), (
        "nothing was sent yet"
    )
    crm.send()
    row = crm.row("quotes", quote)
    assert (row["follow_up_count"], row["last_follow_up_at"], row["next_follow_up_at"]) == (1, NOW, NOW + days(3))
    assert row["status"] == "sent"
    assert activities(crm, quote) == ["follow_up"]
    [action] = crm.actions()
    assert (action["kind"], action["template"], action["subject_id"]) == ("email", "quote_follow_up", quote)
    assert crm.run("quotes", at=NOW + days(2)).tally.due == 0


def test_a_run_that_starts_seconds_earlier_than_the_last_one_still_finds_its_quotes(crm: Crm) -> None:
    reachable_quote(crm, crm.tenant())
    crm.run("quotes", at=NOW + timedelta(seconds=9))
    crm.send(at=NOW + timedelta(seconds=9))
    assert crm.run("quotes", at=NOW + days(3) + timedelta(seconds=1)).tally.actions == {"quote_follow_up": 1}


def test_after_the_last_follow_up_the_owner_gets_one_task(crm: Crm) -> None:
    tenant = crm.tenant()
    owner = crm.profile(tenant)
    client = crm.client(tenant, owner_id=owner)
    quote = reachable_quote(crm, tenant, client_id=client, max_follow_ups=2)
    crm.run_daily("quotes", 40)
    assert crm.templates() == {"quote_follow_up": 2, "quote_handover": 1}
    assert [action["assigned_to"] for action in crm.actions(kind="task")] == [owner]
    assert crm.row("quotes", quote)["status"] == "sent"


def test_a_quote_past_its_date_expires_and_nobody_is_bothered(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = reachable_quote(crm, tenant, valid_until=NOW.date(), next_follow_up_at=NOW + days(5))
    crm.run("quotes")
    assert crm.row("quotes", quote)["status"] == "sent", "the last day still counts"
    crm.run("quotes", at=NOW + days(1))
    assert crm.row("quotes", quote)["status"] == "expired"
    assert activities(crm, quote) == ["expired"]
    assert crm.actions() == []


def test_a_quote_expires_even_after_its_follow_ups_have_ended(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = reachable_quote(crm, tenant, max_follow_ups=0, valid_until=(NOW + days(20)).date())
    crm.run_daily("quotes", 22)
    assert crm.row("quotes", quote)["status"] == "expired"
    assert activities(crm, quote) == ["escalated", "expired"]


def test_without_an_address_the_owner_is_told_once(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.quote(tenant, contact_id=crm.contact(tenant, email=None))
    crm.run_daily("quotes", 10)
    assert crm.templates() == {"quote_no_contact": 1}


def test_a_quote_sent_again_after_a_counter_offer_is_followed_up_anew(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = reachable_quote(crm, tenant, max_follow_ups=1)
    crm.run_daily("quotes", 10)
    crm.update("quotes", quote, status="countered")
    crm.one("SELECT send_quote(%s)", quote)
    crm.run_daily("quotes", 20)
    assert crm.templates() == {"quote_follow_up": 2, "quote_handover": 2}


def test_every_due_quote_is_reached_not_the_first_batch_over_and_over(crm: Crm) -> None:
    tenant = crm.tenant()
    for number in range(45):
        reachable_quote(crm, tenant, total_amount=number)
    crm.run("quotes", batch_size=20)
    assert len({action["subject_id"] for action in crm.actions()}) == 45


def test_in_review_the_follow_up_waits_for_a_person(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "quotes", "review")
    reachable_quote(crm, tenant)
    crm.run("quotes")
    assert [action["status"] for action in crm.actions()] == ["suggested"]


def test_switched_off_nothing_is_written(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "quotes", "off")
    quote = reachable_quote(crm, tenant, valid_until=NOW.date() - days(1))
    before = crm.row("quotes", quote)
    crm.run("quotes")
    assert crm.read("run_quotes_batch", tenant, 10, None) == []
    assert crm.row("quotes", quote) == before
    assert crm.actions() == []


def test_another_tenants_contact_is_not_mailed_and_its_people_and_names_stay_its_own(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    owner = crm.profile(theirs, full_name="Secret Owner")
    client = crm.client(theirs, company_name="Secret Ltd", owner_id=owner)
    contact = crm.contact(theirs, client, first_name="Zoe")
    deal = crm.deal(theirs, client_id=client, owner_id=owner)
    with crm.unchecked():
        crm.quote(ours, contact_id=contact, client_id=client, deal_id=deal, quote_number="Q-1", due_at=NOW)
    crm.run("quotes")
    [action] = crm.actions()
    assert (action["template"], action["contact_id"], action["assigned_to"]) == (
        "quote_no_contact",
        None,
        None,
    )
    assert [action["variables"][name] for name in ("company", "first_name", "owner_name")] == [
        None,
        None,
        None,
    ]


def test_a_corrected_outcome_leaves_no_contradiction(crm: Crm) -> None:
    tenant = crm.tenant()
    seen, unseen = reachable_quote(crm, tenant, status="viewed", view_count=2), reachable_quote(crm, tenant)
    for quote, before in ((seen, "viewed"), (unseen, "sent")):
        for outcome, status in (("won", "accepted"), ("no_decision", before), ("lost", "rejected")):
            crm.execute("SELECT record_quote_outcome(%s, %s)", quote, outcome)
            row = crm.row("quotes", quote)
            assert (row["outcome"], row["status"]) == (outcome, status)


def test_the_highest_amount_is_written_to_first(crm: Crm) -> None:
    tenant = crm.tenant()
    for amount, waits in ((10, 9), (99_000, 2), (500, 5)):
        reachable_quote(crm, tenant, total_amount=amount, next_follow_up_at=NOW - days(waits))
    crm.run("quotes")
    assert [action["variables"]["amount"] for action in crm.actions()] == ["99,000.00", "500.00", "10.00"]
