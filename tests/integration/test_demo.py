"""The demo: whoever starts the fleet for the first time sees every engine do, leave and refuse something."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tests.crm import NOW, Crm
from workers.db.session import Connection, transaction
from workers.load.demo import is_empty, load_demo

TABLES = (
    "tenants", "tenant_delivery", "tenant_letters", "engine_settings", "profiles", "clients", "contacts", "vendors",
    "orders", "feedback_requests", "cases", "deals", "deal_stage_config", "deal_stage_history", "quotes",
    "quote_activities", "quote_outcomes", "quote_counters", "contact_enrichment_queue", "opportunity_signals",
    "compliance_schedule", "compliance_checks", "suppressions",
)  # fmt: skip


@pytest.fixture
def demo(crm: Crm) -> Crm:
    load_demo(crm.connection, now=NOW)
    return crm


def counted(crm: Crm, statement: str) -> dict[str, int]:
    return {row["label"]: row["n"] for row in crm.rows(statement)}


def dump(connection: Connection, seed: int) -> dict[str, list[str]]:
    """Every row of a demo that is loaded and taken back again."""
    with transaction(connection, force_rollback=True):
        load_demo(connection, seed=seed, now=NOW)
        return {
            table: sorted(
                str(row["row"])
                for row in connection.execute(f"SELECT to_jsonb(t) AS row FROM {table} AS t")  # noqa: S608  # constants
            )
            for table in TABLES
        }


def test_it_is_for_an_empty_database(crm: Crm) -> None:
    assert is_empty(crm.connection)
    summary = load_demo(crm.connection, now=NOW)
    assert not is_empty(crm.connection)
    assert summary.rows["tenants"] == 4
    assert 500 < sum(summary.rows.values()) < 10_000
    assert str(summary).startswith("4 tenants, 230 clients, ")


def test_one_seed_and_instant_give_the_same_rows_down_to_the_ids(connection: Connection) -> None:
    first = dump(connection, seed=7)
    assert dump(connection, seed=7) == first
    other = dump(connection, seed=8)
    assert all(other[table] != first[table] for table in TABLES if table != "engine_settings")


def test_no_message_of_it_could_ever_reach_a_person(demo: Crm) -> None:
    addresses = demo.rows(
        "SELECT email FROM profiles UNION ALL SELECT email FROM contacts UNION ALL SELECT email FROM vendors"
        " UNION ALL SELECT email_address FROM contact_enrichment_queue UNION ALL SELECT address FROM suppressions"
        " UNION ALL SELECT from_address FROM tenant_delivery"
    )
    given = [row["email"] for row in addresses if row["email"]]
    assert len(given) > 300
    assert [address for address in given if not address.endswith(".example")] == []


def test_tenants_differ_in_size_zone_mode_and_delivery(demo: Crm) -> None:
    sizes = demo.rows("SELECT count(*) AS n FROM clients GROUP BY tenant_id ORDER BY n")
    assert [row["n"] for row in sizes] == [14, 36, 60, 120]
    assert demo.one("SELECT count(DISTINCT time_zone) AS n FROM tenant_delivery")["n"] == 4
    assert demo.one("SELECT count(*) AS n FROM tenant_delivery WHERE paused")["n"] == 1
    modes = counted(demo, "SELECT mode AS label, count(*) AS n FROM engine_settings GROUP BY 1")
    assert modes == {"automatic": 17, "review": 2, "off": 1}


def test_feedback_asks_waits_expires_and_refuses_for_every_reason(demo: Crm) -> None:
    before = counted(demo, "SELECT status AS label, count(*) AS n FROM feedback_requests GROUP BY 1")
    assert set(before) == {"pending", "sent", "responded", "expired"}
    assert demo.one("SELECT count(*) AS n FROM feedback_requests WHERE service_recovery_triggered")["n"] > 3

    report = demo.run("feedback")
    assert report.tally.acted["asked"] > 30
    assert report.tally.acted["expired"] > 3
    assert set(report.tally.skipped) == {
        "open case on the order",
        "order is no longer delivered",
        "delivered more than 60 days ago",
        "open case of the client",
        "no contact with an address",
        "contact was asked in the last 30 days",
    }
    waiting = demo.one(
        "SELECT count(*) AS n FROM feedback_requests WHERE status = 'pending' AND scheduled_for > %s", NOW
    )
    assert waiting["n"] > 5


def test_deals_are_followed_up_handed_over_and_left_alone(demo: Crm) -> None:
    report = demo.run("deals")
    assert {template: n > 5 for template, n in report.tally.actions.items()} == {
        "deal_follow_up": True,
        "deal_handover": True,
        "deal_no_contact": True,
        "deal_unreachable": True,
    }
    steps = Counter(row["variables"]["step"] for row in demo.actions(template="deal_follow_up"))
    assert set(steps) >= {1, 3, 5}

    left = (
        "SELECT {} AS label, count(*) AS n FROM deals"
        " WHERE id NOT IN (SELECT subject_id FROM scheduled_actions) GROUP BY 1"
    )
    assert set(counted(demo, left.format("stage"))) >= {
        "lead",
        "qualified",
        "proposal",
        "negotiation",
        "won",
        "lost",
    }
    assert set(counted(demo, left.format("auto_follow_up_enabled::text"))) == {"true", "false"}
    assert counted(demo, left.format("(next_follow_up_at > '2026-03-02')::text"))["true"] > 5
    assert counted(demo, left.format("(follow_up_ended_at IS NOT NULL)::text"))["true"] > 5
    assert demo.one("SELECT count(*) AS n FROM deal_stage_velocity")["n"] > 10
    # Some have asked to be left alone: their deals' owners are told so.
    reasons = {action["variables"]["reason"] for action in demo.actions(template="deal_unreachable")}
    assert reasons == {"unsubscribed"}


def test_quotes_are_followed_up_expire_and_come_with_a_history(demo: Crm) -> None:
    statuses = counted(demo, "SELECT status AS label, count(*) AS n FROM quotes GROUP BY 1")
    assert set(statuses) == {
        "draft", "pending_approval", "sent", "viewed", "accepted", "rejected", "expired", "countered",
    }  # fmt: skip
    report = demo.run("quotes")
    assert {"quote_follow_up", "quote_handover", "quote_no_contact"} == set(report.tally.actions)
    assert report.tally.acted["quote_expired"] > 3
    # One tenant wants to see what would be sent before it is.
    assert {row["status"] for row in demo.actions(engine="quotes")} == {"scheduled", "suggested"}

    rates = demo.rows("SELECT won_count, lost_count, no_decision_count FROM quote_win_rates")
    assert all(min(row.values()) > 0 for row in rates)
    waiting = demo.one("SELECT count(*) AS n FROM quotes WHERE next_follow_up_at > %s AND follow_up_count = 0", NOW)
    assert waiting["n"] > 3


def test_a_new_quote_is_numbered_after_those_of_the_demo(demo: Crm) -> None:
    tenant = demo.one("SELECT tenant_id FROM quotes WHERE quote_number = 'Q-2026-0005' LIMIT 1")["tenant_id"]
    last = demo.one("SELECT max(quote_number) AS number FROM quotes WHERE tenant_id = %s", tenant)["number"]
    number = demo.row("quotes", demo.quote(tenant))["quote_number"]
    assert int(number.rpartition("-")[2]) == int(last.rpartition("-")[2]) + 1


def test_enrichment_merges_records_conflicts_and_takes_over_what_is_stuck(demo: Crm) -> None:
    report = demo.run("enrichment")
    assert report.tally.acted["merged"] > 30
    assert set(report.tally.skipped) == {
        "no contact with this address",
        "apollo is off: APOLLO_API_KEY is not set",
    }
    assert demo.one("SELECT count(*) AS n FROM contact_enrichment_queue WHERE merge_conflicts <> '[]'")["n"] > 5
    assert demo.one("SELECT count(*) AS n FROM contacts WHERE mobile IS NOT NULL")["n"] > 20
    left = counted(demo, "SELECT status AS label, count(*) AS n FROM contact_enrichment_queue GROUP BY 1")
    assert set(left) == {"processing", "completed", "skipped", "failed"}
    acted = counted(demo, "SELECT actioned::text AS label, count(*) AS n FROM opportunity_signals GROUP BY 1")
    assert set(acted) == {"true", "false"}


def test_compliance_creates_reminds_escalates_and_refuses_an_unknown_filter(demo: Crm) -> None:
    report = demo.run("compliance")
    assert set(report.tally.acted) >= {
        "schedule", "reminded", "overdue", "escalated", "completed", "unreachable",
    }  # fmt: skip
    assert report.tally.skipped == {"schedule refused, see its last_error": 4}
    assert {row["template"] for row in demo.actions(engine="compliance")} == {
        "compliance_reminder", "compliance_escalation", "compliance_unreachable",
    }  # fmt: skip
    statuses = counted(demo, "SELECT status AS label, count(*) AS n FROM compliance_checks GROUP BY 1")
    assert set(statuses) == {
        "in_progress", "awaiting_response", "completed", "overdue", "escalated", "waived",
    }  # fmt: skip
    targets = demo.rows("SELECT DISTINCT entity_type FROM compliance_checks")
    assert {row["entity_type"] for row in targets} == {"client", "contact", "vendor"}


@pytest.mark.parametrize("engine", ["feedback", "deals", "quotes", "enrichment", "compliance"])
def test_a_second_run_at_once_finds_nothing_and_one_a_week_later_something(demo: Crm, engine: str) -> None:
    demo.run(engine)
    assert demo.run(engine).tally.due == 0
    later: Any = demo.run(engine, at=NOW + timedelta(days=7))
    assert later.tally.due > 0
