"""What a tenant learns from its own history over the last ninety days."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from psycopg import sql

from tests.crm import NOW, Crm, days


def view(crm: Crm, name: str) -> list[dict[str, Any]]:
    with crm.connection.transaction():
        crm.connection.execute("SELECT set_config('fleet.now', %s, true)", [NOW.isoformat()])
        statement = sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(sql.Identifier(name))
        return crm.connection.execute(statement).fetchall()


def outcome(crm: Crm, tenant: UUID, result: str, amount: int = 100, **values: Any) -> UUID:
    quote = crm.quote(tenant, **values.pop("quote", {}))
    defaults = {"tenant_id": tenant, "quote_id": quote, "outcome": result, "our_amount": amount}
    return crm.insert("quote_outcomes", **defaults | {"recorded_at": NOW} | values)


def test_deal_stage_velocity(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = crm.deal(tenant)
    for in_stage, changed in ((2, 1), (4, 30), (12, 89), (1000, 90)):
        crm.insert(
            "deal_stage_history", tenant_id=tenant, deal_id=deal, to_stage="proposal",
            changed_at=NOW - days(changed), days_in_previous_stage=in_stage,
        )  # fmt: skip
    assert view(crm, "deal_stage_velocity") == [
        {"tenant_id": tenant, "to_stage": "proposal", "transitions": 3, "avg_days": Decimal("6.0"),
         "median_days": Decimal("4.0"), "min_days": 2, "max_days": 12}
    ]  # fmt: skip


def test_stages_are_in_the_order_in_which_deals_go_through_them_though_some_skip_and_some_go_back(crm: Crm) -> None:
    tenant, other = crm.tenant(), crm.tenant()
    for whose, moves in (
        (tenant, {"ad": 3, "da": 1, "dc": 2, "ac": 1, "cb": 2, "bc": 1, "bw": 1, "al": 4, "bl": 1, "cc": 9}),
        (other, {"ba": 1, "ab": 1, "xb": 1}),  # as many forth as back say nothing
    ):
        deal = crm.deal(whose)
        for stages, times in moves.items():
            for _ in range(times):
                crm.insert(
                    "deal_stage_history", tenant_id=whose, deal_id=deal, from_stage=stages[0], to_stage=stages[1],
                    changed_at=NOW - days(1),
                )  # fmt: skip
    places = {row["stage"]: row["place"] for row in crm.read("stage_places", tenant)}
    assert places == {"d": 1, "c": 2, "b": 3, "w": 4, "l": 4}, "a comes before all of them"
    assert [(row["tenant_id"], row["stage"], row["place"]) for row in crm.read("stage_places", other)] == [
        (other, "b", 1)
    ]


def test_quote_win_rates_compare_what_was_won_with_what_was_lost(crm: Crm) -> None:
    tenant, other = crm.tenant(), crm.tenant()
    outcome(crm, tenant, "won", 300)
    outcome(crm, tenant, "lost", 100)
    outcome(crm, tenant, "lost", 200)
    outcome(crm, tenant, "no_decision")
    outcome(crm, tenant, "won", 9999, recorded_at=NOW - days(90))
    outcome(crm, other, "won", 50)
    rows = {row.pop("tenant_id"): row for row in view(crm, "quote_win_rates")}
    assert rows[tenant] == {
        "total_quotes": 4, "won_count": 1, "lost_count": 2, "no_decision_count": 1,
        "win_rate_pct": Decimal("25.0"), "avg_won_amount": Decimal("300.00"), "avg_lost_amount": Decimal("150.00"),
    }  # fmt: skip
    assert rows[other]["win_rate_pct"] == 100


def test_the_win_rate_by_stage_is_of_the_stage_in_which_the_quote_was_decided(crm: Crm) -> None:
    tenant = crm.tenant()
    deal = crm.deal(tenant, stage="won")
    for stage, ago in (("proposal", 9), ("negotiation", 3), ("won", 2)):
        crm.insert("deal_stage_history", tenant_id=tenant, deal_id=deal, to_stage=stage, changed_at=NOW - days(ago))
    outcome(crm, tenant, "won", recorded_at=NOW - days(1), quote={"deal_id": deal})
    outcome(crm, tenant, "lost", recorded_at=NOW - days(5), quote={"deal_id": deal})
    outcome(crm, tenant, "lost", quote={"deal_id": crm.deal(tenant, stage="lead")})
    rows = view(crm, "quote_win_rates_by_stage")
    assert {row["stage"]: (row["total_quotes"], row["win_rate_pct"]) for row in rows} == {
        "lead": (1, 0), "negotiation": (1, 100), "proposal": (1, 0),
    }  # fmt: skip


def test_rows_that_point_to_another_tenant_say_nothing_about_it(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    deal = crm.deal(ours, stage="lead")
    with crm.unchecked():
        crm.insert("deal_stage_history", tenant_id=theirs, deal_id=deal, to_stage="secret", changed_at=NOW - days(9))
    outcome(crm, ours, "won", quote={"deal_id": deal})
    foreign = crm.quote(theirs, sent_at=NOW - days(50), deal_id=crm.deal(theirs, stage="secret too"))
    with crm.unchecked():
        crm.insert("quote_outcomes", tenant_id=ours, quote_id=foreign, outcome="lost", recorded_at=NOW)
    assert [row["stage"] for row in view(crm, "quote_win_rates_by_stage")] == ["lead"]
    assert [row["outcome"] for row in view(crm, "quote_decision_times")] == ["won"]


def test_competitors_and_how_far_we_were_above_them(crm: Crm) -> None:
    tenant = crm.tenant()
    outcome(crm, tenant, "lost", 120, competitor="Rival", competitor_amount=100)
    outcome(crm, tenant, "won", 90, competitor="Rival", competitor_amount=100)
    outcome(crm, tenant, "won")
    [row] = view(crm, "quote_competitors")
    assert (row["competitor"], row["met_count"], row["won_count"], row["lost_count"]) == ("Rival", 2, 1, 1)
    assert (row["win_rate_pct"], row["avg_amount_above_competitor"]) == (50, 5)


def test_time_to_decision(crm: Crm) -> None:
    tenant = crm.tenant()
    for ago in (1, 2, 9):
        outcome(crm, tenant, "won", quote={"sent_at": NOW - days(ago)})
    outcome(crm, tenant, "won", quote={"status": "draft", "sent_at": None})
    [row] = view(crm, "quote_decision_times")
    assert (row["total_quotes"], row["avg_days"], row["median_days"]) == (3, 4, 2)


def test_signal_action_rates(crm: Crm) -> None:
    tenant = crm.tenant()
    for strength, hours, ago in ((0.9, 3, 1), (0.5, 5, 10), (0.7, None, 2), (0.1, None, 90)):
        made = NOW - days(ago)
        crm.insert(
            "opportunity_signals", tenant_id=tenant, source_type="email", source_id=uuid4(), signal_type="renewal",
            signal_strength=strength, created_at=made, actioned=hours is not None,
            actioned_at=made + timedelta(hours=hours) if hours else None,
        )  # fmt: skip
    assert view(crm, "signal_action_rates") == [
        {"tenant_id": tenant, "signal_type": "renewal", "total_signals": 3, "actioned_count": 2,
         "action_rate_pct": Decimal("66.7"), "avg_strength": Decimal("0.70"), "avg_hours_to_action": Decimal("4.0")}
    ]  # fmt: skip


def test_compliance_completion_rates(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    for status, ago in (
        ("completed", 4), ("completed", 2), ("overdue", 1), ("escalated", 1), ("waived", 1), ("pending", 1),
        ("completed", 90),
    ):  # fmt: skip
        crm.check(
            tenant, client, status=status, created_at=NOW - days(ago), waived_reason="sold",
            completed_at=NOW if status == "completed" else None,
        )  # fmt: skip
    assert view(crm, "compliance_completion_rates") == [
        {"tenant_id": tenant, "compliance_type": "Supplier declaration", "total_checks": 6, "completed_count": 2,
         "overdue_count": 2, "waived_count": 1, "completion_rate_pct": Decimal("33.3"),
         "avg_days_to_complete": Decimal("3.0")}
    ]  # fmt: skip


def test_what_came_of_each_step_of_outreach(crm: Crm) -> None:
    tenant = crm.tenant()
    quote = crm.quote(tenant, contact_id=crm.contact(tenant))
    deal = crm.deal(tenant)
    about_quote = {"engine": "quotes", "template": "quote_follow_up", "subject_type": "quote", "subject_id": quote}
    about_deal = {"engine": "deals", "subject_type": "deal", "subject_id": deal}
    sent = {"status": "sent", "sent_at": NOW - days(3)}
    first = crm.action(tenant, **about_quote | sent | {"variables": {"step": 1}})
    second = crm.action(tenant, **about_quote | sent | {"variables": {"step": 2}})
    third = crm.action(tenant, **about_deal | sent | {"variables": {"step": 1}})
    crm.action(tenant, **about_deal | {"variables": {"step": 1}})  # never left
    answer = {"tenant_id": tenant, "kind": "reply", "from_address": "ann@acme.example", "raw_size": 1}
    for number, (action, kind, sentiment) in enumerate(
        [(first, "question", "positive"), (first, "other", "neutral"), (second, "refusal", "positive"),
         (third, "opt_out", "negative")]
    ):  # fmt: skip
        told = {"message_id": f"<{number}>", "action_id": action, "answer": kind, "sentiment": sentiment}
        crm.insert("inbound_messages", **answer | told, received_at=NOW)
    crm.execute(
        "INSERT INTO delivery_failures (tenant_id, address, action_id, whose, cause, failed_at)"
        " VALUES (%s, 'ann@acme.example', %s, 'address', 'no such mailbox', %s)", tenant, third, NOW,
    )  # fmt: skip
    crm.read("record_quote_outcome", quote, "won")
    crm.update("deals", deal, stage="won")
    counted = ("sent_count", "answered_count", "positive_count", "opted_out_count", "bounced_count", "won_after_count")
    assert {
        (row["template"], row["step"]): tuple(row[name] for name in counted) for row in view(crm, "outreach_effect")
    } == {
        ("deal_follow_up", 1): (1, 1, 0, 1, 1, 1),
        ("quote_follow_up", 1): (1, 1, 1, 0, 0, 1),
        ("quote_follow_up", 2): (1, 1, 0, 0, 0, 1),
    }
