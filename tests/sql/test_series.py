"""If these fail, a customer gets a burst after a pause or is chased by what has ended, or an owner is told lies."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from workers import clock


def deal_of(crm: Crm, tenant: UUID, **values: Any) -> UUID:
    """Return a stalled deal with a client and a contact of its own."""
    client = crm.client(tenant)
    contact = crm.contact(tenant, client, email=f"{uuid4()}@acme.example")
    return crm.deal(tenant, **{"client_id": client, "contact_id": contact} | values)


def fails(crm: Crm, status: str = "failed", error: str = "550 5.1.1 no such user", at: datetime = NOW) -> None:
    """Let what is due be refused by the mail server."""
    claimed = crm.read("claim_emails", "tests", timedelta(minutes=1), 50, 10, None, at=at)
    results = [{"id": row["action_id"], "status": status, "error": error} for row in claimed if row["verdict"] is None]
    crm.read("settle_emails", "tests", Jsonb(results), at=at)


def heard(crm: Crm, tenant: UUID, contact: UUID, client: UUID | None = None, **values: Any) -> UUID:
    """Let a mail of a contact have come in."""
    row = {"tenant_id": tenant, "message_id": f"<{uuid4()}@acme.example>", "kind": "message", "raw_size": 1}
    row |= {"contact_id": contact, "client_id": client, "from_address": "ann@acme.example", "received_at": NOW}
    return crm.insert("inbound_messages", **row | values)


@pytest.mark.parametrize("engine", ["deals", "quotes"])
def test_after_a_pause_of_three_weeks_one_message_leaves_and_the_next_an_interval_later(crm: Crm, engine: str) -> None:
    tenant = crm.tenant()
    crm.open_always(tenant, mails=10)
    if engine == "deals":
        deal_of(crm, tenant)
    else:
        crm.quote(tenant, contact_id=crm.contact(tenant))
    crm.pause(tenant)
    for day in range(21):
        crm.run(engine, at=NOW + days(day))
        assert crm.send(at=NOW + days(day)) == 0
    crm.pause(tenant, paused=False)
    left = {}
    for day in range(21, 30):
        crm.run(engine, at=NOW + days(day))
        left[day] = crm.send(at=NOW + days(day))
    interval = 2 if engine == "deals" else 3
    assert [day for day, n in left.items() if n] == list(range(21, 30, interval))
    assert max(left.values()) == 1


def test_a_backlog_of_suggestions_is_one_suggestion_and_expires(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "deals", "review")
    deal = deal_of(crm, tenant)
    for day in range(15):
        crm.run("deals", at=NOW + days(day))
        crm.read("expire_suggestions", at=NOW + days(day))
    assert [(a["status"], a["code"]) for a in crm.actions()] == [("suggested", None)]
    crm.read("expire_suggestions", at=NOW + days(14.1))
    action, task = crm.actions()
    assert (action["status"], action["code"]) == ("cancelled", "expired")
    assert (task["template"], task["variables"]["reason"]) == ("deal_unreachable", action["reason"])
    assert crm.row("deals", deal)["follow_up_hold"] == "nobody approved its message within 14 days"
    assert crm.run("deals", at=NOW + days(20)).tally.due == 0


def test_a_tenant_says_how_long_a_suggestion_waits(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.open_always(tenant)
    crm.execute("UPDATE tenant_delivery SET suggestion_days = 3")
    action = crm.action(tenant, status="suggested")
    crm.read("expire_suggestions", at=NOW + days(2.9))
    assert crm.actions(id=action)[0]["status"] == "suggested"
    crm.read("expire_suggestions", at=NOW + days(3.1))
    assert crm.actions(id=action)[0]["reason"] == "nobody approved its message within 3 days"


def test_an_address_that_is_suppressed_is_its_owners_business_at_once(crm: Crm) -> None:
    tenant = crm.tenant()
    owner = crm.profile(tenant)
    deal = crm.deal(tenant, contact_id=crm.contact(tenant), owner_id=owner)
    crm.execute("INSERT INTO suppressions VALUES (%s, 'ann@acme.example', 'bounced')", tenant)
    crm.run("deals")
    [task] = crm.actions()
    assert (task["template"], task["assigned_to"]) == ("deal_unreachable", owner)
    assert (task["variables"]["sent"], task["variables"]["reason"]) == (0, "bounced")
    row = crm.row("deals", deal)
    assert (row["follow_up_ended_for"], row["follow_up_count"]) == ("unreachable", 0)


@pytest.mark.parametrize("engine", ["deals", "quotes"])
def test_a_message_that_is_refused_hands_over_with_the_reason_instead_of_counting_silent_steps(
    crm: Crm, engine: str
) -> None:
    tenant = crm.tenant()
    subject = deal_of(crm, tenant) if engine == "deals" else crm.quote(tenant, contact_id=crm.contact(tenant))
    crm.run(engine)
    fails(crm)
    [task] = crm.actions(kind="task")
    assert task["template"] == f"{engine[:-1]}_unreachable"
    assert (task["variables"]["sent"], task["variables"]["reason"]) == (0, "550 5.1.1 no such user")
    row = crm.row(engine, subject)
    assert (row["follow_up_count"], row["follow_up_ended_for"]) == (0, "unreachable")
    assert crm.run(engine, at=NOW + days(9)).tally.due == 0


def test_a_message_that_a_person_cancelled_waits_for_a_person(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = deal_of(crm, tenant)
    crm.run("deals")
    crm.execute("SELECT decide_actions(ARRAY(SELECT id FROM scheduled_actions), 'cancel')")
    assert crm.row("deals", deal)["follow_up_hold"] == "cancelled by an operator"
    assert crm.run("deals", at=NOW + days(9)).tally.due == 0
    crm.update("deals", deal, description="They called", last_activity_at=NOW)
    assert crm.run("deals", at=NOW + days(9)).tally.actions == {"deal_follow_up": 1}
    assert [action["series"] for action in crm.actions()] == [1, 2]


def test_a_message_of_an_earlier_series_never_leaves(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = deal_of(crm, tenant)
    crm.run("deals")
    with clock.at(NOW + timedelta(minutes=1)):
        crm.update("deals", deal, value=9)
        crm.update("deals", deal, last_activity_at=NOW - days(30))
    crm.run("deals", at=NOW + timedelta(minutes=2))
    assert crm.send(at=NOW + timedelta(minutes=3)) == 1
    assert [(a["series"], a["status"], a["reason"]) for a in crm.actions()] == [
        (1, "cancelled", "the deal is active again"),
        (2, "sent", None),
    ]
    assert crm.row("deals", deal)["follow_up_count"] == 1


def test_a_quote_sent_again_begins_a_new_series_and_the_old_one_does_not_leave(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = crm.quote(tenant, contact_id=crm.contact(tenant))
    crm.run("quotes")
    crm.update("quotes", quote, status="countered")
    crm.one("SELECT send_quote(%s)", quote)
    crm.send()
    assert [(a["status"], a["reason"]) for a in crm.actions()] == [("cancelled", "the quote was sent again")]
    assert crm.row("quotes", quote)["next_follow_up_at"] == NOW + days(3)


def test_with_no_follow_ups_wished_the_owner_is_told_and_nobody_written_to(crm: Crm) -> None:
    tenant = crm.tenant()
    deal_of(crm, tenant)
    crm.execute("UPDATE deal_stage_config SET max_follow_ups = 0")
    crm.run_daily("deals", 20)
    [task] = crm.actions()
    assert (task["template"], task["variables"]["sent"], task["variables"]["max_steps"]) == ("deal_handover", 0, 0)


def test_a_limit_lowered_in_mid_series_hands_over_with_what_was_sent(crm: Crm) -> None:
    tenant = crm.tenant()
    deal_of(crm, tenant)
    crm.run_daily("deals", 5)
    crm.execute("UPDATE deal_stage_config SET max_follow_ups = 1")
    crm.run("deals", at=NOW + days(6))
    [task] = crm.actions(kind="task")
    assert (task["template"], task["variables"]["sent"]) == ("deal_handover", 3)


def test_two_spellings_of_a_stage_in_the_configuration_are_one_and_the_newest_counts(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.insert(
        "deal_stage_config", tenant_id=tenant, stage="Lead", max_days_before_stale=20,
        created_at=datetime(2099, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    quiet = deal_of(crm, tenant, last_activity_at=NOW - days(21))
    deal_of(crm, tenant, last_activity_at=NOW - days(19))
    crm.run("deals")
    assert [action["subject_id"] for action in crm.actions()] == [quiet]


def test_what_has_been_silent_for_very_long_is_listed_for_its_owner_and_not_written_to(crm: Crm) -> None:
    tenant = crm.tenant()
    owner = crm.profile(tenant)
    for number in range(3):
        deal_of(crm, tenant, owner_id=owner, title=f"Old {number}", last_activity_at=NOW - days(200))
    crm.run("deals", batch_size=2)
    [digest] = crm.actions()
    assert (digest["kind"], digest["template"], digest["assigned_to"]) == ("task", "deals_long_silent", owner)
    assert sorted(item["deal"] for item in digest["variables"]["deals"]) == ["Old 0", "Old 1", "Old 2"]
    assert crm.run("deals", at=NOW + days(1)).tally.due == 0


def test_a_tenant_may_write_about_what_was_silent_for_longer(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_delivery (tenant_id, deal_max_silence_days) VALUES (%s, 365)", tenant)
    deal_of(crm, tenant, last_activity_at=NOW - days(200))
    crm.run("deals")
    assert crm.templates() == {"deal_follow_up": 1}


def test_a_quote_speaks_for_its_deal(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    deal = crm.deal(tenant, contact_id=contact, last_activity_at=NOW - days(90))
    crm.quote(tenant, contact_id=contact, deal_id=deal, sent_at=NOW - days(30), next_follow_up_at=NOW + days(5))
    report = crm.run("deals")
    assert report.tally.skipped == {"a quote to the same person comes first": 1}
    assert crm.actions() == []


def test_that_a_quote_is_sent_or_looked_at_is_activity_of_its_deal(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = crm.deal(tenant, contact_id=crm.contact(tenant))
    quote = crm.quote(tenant, deal_id=deal, status="draft", sent_at=None, next_follow_up_at=None)
    crm.one("SELECT send_quote(%s)", quote)
    assert crm.row("deals", deal)["last_activity_at"] == NOW
    with clock.at(NOW + days(2)):
        crm.one("SELECT record_quote_view(%s)", quote)
    assert crm.row("deals", deal)["last_activity_at"] == NOW + days(2)


@pytest.mark.parametrize("engine", ["deals", "quotes"])
def test_an_open_case_of_the_client_silences_sales_until_it_is_closed(crm: Crm, engine: str) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    contact = crm.contact(tenant, client)
    if engine == "deals":
        crm.deal(tenant, client_id=client, contact_id=contact)
    else:
        crm.quote(tenant, client_id=client, contact_id=contact)
    case = crm.insert("cases", tenant_id=tenant, client_id=client, title="Broken", status="open")
    assert crm.run(engine).tally.skipped == {"an open case of the client comes first": 1}
    crm.update("cases", case, status="closed")
    crm.run(engine, at=NOW + days(1))
    reopened = crm.insert("cases", tenant_id=tenant, client_id=client, title="Again", status="open")
    assert crm.send(at=NOW + days(1)) == 0
    assert [(a["status"], a["reason"]) for a in crm.actions()] == [("cancelled", "a case of the client is open")]
    crm.update("cases", reopened, status="closed")
    crm.run(engine, at=NOW + days(2))
    assert crm.send(at=NOW + days(2)) == 1


def test_a_contact_who_moved_to_another_client_is_not_written_to_about_the_old_ones_deal(crm: Crm) -> None:
    tenant = crm.tenant()
    before, after = crm.client(tenant), crm.client(tenant)
    contact = crm.contact(tenant, before, is_primary=False)
    deal = crm.deal(tenant, client_id=before, contact_id=contact)
    crm.run("deals")
    crm.update("contacts", contact, client_id=after)
    assert crm.send() == 0
    assert [(a["code"], a["status"]) for a in crm.actions()] == [("contact_moved", "cancelled")]
    crm.run("deals", at=NOW + days(1))
    assert crm.templates() == {"deal_follow_up": 1, "deal_no_contact": 1}
    assert crm.row("deals", deal)["follow_up_ended_for"] == "unreachable"


def test_a_contact_who_was_archived_meanwhile_is_not_written_to(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("ALTER TABLE contacts ADD COLUMN archived_at timestamptz")
    contact = crm.contact(tenant)
    crm.deal(tenant, contact_id=contact)
    crm.run("deals")
    crm.update("contacts", contact, archived_at=NOW)
    assert crm.send() == 0
    assert [a["code"] for a in crm.actions()] == ["contact_gone"]


def test_once_somebody_of_the_client_wrote_what_waits_does_not_leave(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    contact, colleague = crm.contact(tenant, client), crm.contact(tenant, client, email="ben@acme.example")
    deal = crm.deal(tenant, client_id=client, contact_id=contact)
    crm.run("deals")
    heard(crm, tenant, colleague, client, received_at=NOW + timedelta(minutes=1))
    assert crm.send(at=NOW + timedelta(minutes=2)) == 0
    assert [(a["code"], a["status"]) for a in crm.actions()] == [("wrote_since", "cancelled")]
    assert crm.row("deals", deal)["next_follow_up_at"] == NOW + timedelta(minutes=2) + days(2)


@pytest.mark.parametrize(
    ("away_until", "leaves"),
    [("2026-03-12", "2026-03-13"), (None, "2026-03-05")],  # three working days after Monday the second
)
def test_who_is_away_is_written_to_when_he_is_back(crm: Crm, away_until: str | None, leaves: str) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    crm.deal(tenant, contact_id=contact)
    crm.run("deals")
    heard(crm, tenant, contact, kind="out_of_office", away_until=away_until)
    sent = [day for day in range(20) if crm.send(at=NOW + days(day))]
    assert [(NOW + days(day)).date().isoformat() for day in sent] == [leaves]


def test_a_quote_that_the_crm_marks_sent_by_itself_counts_as_sent(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = crm.quote(tenant, status="draft", sent_at=None, next_follow_up_at=None, contact_id=crm.contact(tenant))
    crm.update("quotes", quote, status="sent")
    row = crm.row("quotes", quote)
    assert (row["sent_at"], row["next_follow_up_at"], row["due_at"]) == (NOW, NOW + days(3), NOW + days(3))
    assert {a["activity_type"] for a in crm.rows("SELECT activity_type FROM quote_activities")} == {"created", "sent"}
    assert crm.run("quotes", at=NOW + days(3)).tally.actions == {"quote_follow_up": 1}


@pytest.mark.parametrize(("status", "outcome"), [("accepted", "won"), ("rejected", "lost")])
def test_a_quote_that_the_crm_marks_decided_by_itself_has_its_outcome_and_may_be_sent_again(
    crm: Crm, status: str, outcome: str
) -> None:
    tenant = crm.tenant()
    quote = crm.quote(tenant, contact_id=crm.contact(tenant))
    crm.update("quotes", quote, status=status)
    row = crm.row("quotes", quote)
    assert (row["outcome"], row["responded_at"], row["due_at"]) == (outcome, NOW, None)
    assert [r["outcome"] for r in crm.rows("SELECT outcome FROM quote_outcomes")] == [outcome]
    crm.update("quotes", quote, status="sent")
    row = crm.row("quotes", quote)
    assert (row["outcome"], row["follow_up_series"], row["next_follow_up_at"]) == (None, 2, NOW + days(3))


def test_more_than_a_handful_of_matters_do_not_queue_up_in_one_mailbox(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    for number in range(12):
        crm.deal(tenant, contact_id=contact, title=f"Deal {number}")
    for _ in range(5):
        crm.quote(tenant, contact_id=contact)
    crm.run("deals")
    crm.run("quotes")
    assert len(crm.actions(kind="email")) == 1
    crm.send()
    engines = set()
    for day in range(1, 60):
        for engine in ("deals", "quotes"):
            crm.run(engine, at=NOW + days(day))
        assert crm.send(at=NOW + days(day)) <= 1
        engines |= {action["engine"] for action in crm.actions(status="sent")}
    assert engines == {"deals", "quotes"}, "neither engine crowds the other out"
    sent = [action["sent_at"] for action in crm.actions(status="sent")]
    assert all(sum(first <= moment < first + days(6) for moment in sent) <= 2 for first in sent)
