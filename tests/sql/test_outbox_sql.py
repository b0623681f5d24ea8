"""The outbox in SQL: what may leave, when, who settles it, and what an operator can do."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from tests.outbox import write
from workers import clock

MINUTE = timedelta(minutes=1)


def claim(
    crm: Crm, *, owner: str = "one", lease: timedelta = MINUTE, limit: int = 50, each: int = 10,
    after: UUID | None = None, at: datetime = NOW,
) -> list[dict[str, Any]]:  # fmt: skip
    return crm.read("claim_emails", owner, lease, limit, each, after, at=at)


def settle(crm: Crm, owner: str, *results: dict[str, Any]) -> int:
    count: int = crm.read("settle_emails", owner, Jsonb(list(results)))[0]["settle_emails"]
    return count


def action(crm: Crm, id: int) -> dict[str, Any]:  # noqa: A002
    return crm.one("SELECT * FROM scheduled_actions WHERE id = %s", id)


def verdict(crm: Crm, id: int) -> tuple[str | None, str | None]:  # noqa: A002
    row = crm.one("SELECT verdict, reason FROM action_guards(ARRAY[%s::bigint])", id)
    return row["verdict"], row["reason"]


DEAL = {"stalled_at": NOW}
REQUEST = {"delivery_date": NOW, "scheduled_for": NOW, "status": "sent", "sent_at": NOW}


WANTED: list[tuple[str, dict[str, Any] | None, str | None]] = [
    ("deal", DEAL, None),
    ("deal", {"stalled_at": None}, "the deal is active again"),
    ("deal", DEAL | {"stage": "won"}, "the deal is closed"),
    ("deal", DEAL | {"auto_follow_up_enabled": False}, "follow-ups were switched off"),
    ("deal", None, "the deal is gone"),
    ("quote", {}, None),
    ("quote", {"status": "viewed"}, None),
    ("quote", {"outcome": "no_decision"}, "the quote has an outcome"),
    ("quote", {"status": "expired"}, "the quote is expired"),
    ("quote", None, "the quote is gone"),
    ("feedback_request", REQUEST, None),
    ("feedback_request", REQUEST | {"status": "responded"}, "the request is responded"),
    ("feedback_request", None, "the request is gone"),
    ("compliance_check", {}, None),
    ("compliance_check", {"status": "overdue"}, None),
    ("compliance_check", {"status": "completed"}, "the check is completed"),
    ("compliance_check", {"status": "waived", "waived_reason": "sold"}, "the check is waived"),
    ("compliance_check", None, "the check is gone"),
]


def test_what_is_no_longer_wanted_does_not_leave(crm: Crm) -> None:
    tenant = crm.tenant()
    expected = {}
    for subject, values, reason in WANTED:
        if values is None:
            row = uuid4()
        elif subject == "deal":
            row = crm.deal(tenant, **values)
        elif subject == "quote":
            row = crm.quote(tenant, **values)
        elif subject == "feedback_request":
            order = crm.order(tenant, delivered_at=NOW)
            row = crm.one("SELECT id FROM feedback_requests WHERE order_id = %s", order)["id"]
            crm.update("feedback_requests", row, **values)
        else:
            row = crm.check(tenant, crm.client(tenant), **values)
        mail = crm.action(tenant, subject_type=subject, subject_id=row)
        expected[mail] = ("cancelled" if reason else None, reason)
    assert {mail: verdict(crm, mail) for mail in expected} == expected
    claimed = claim(crm, each=50)
    assert {row["action_id"]: row["verdict"] for row in claimed} == {
        mail: refusal for mail, (refusal, _) in expected.items()
    }
    for mail, (refusal, reason) in expected.items():
        settled = action(crm, mail)
        assert (settled["status"], settled["reason"]) == (refusal or "sending", reason)


def test_without_an_address_nothing_is_sent_and_the_reason_is_kept(crm: Crm) -> None:
    tenant = crm.tenant()
    mails = [crm.action(tenant, recipient=address) for address in (None, "", "  ")]
    assert [verdict(crm, mail) for mail in mails] == [("skipped", "no address")] * 3


def test_the_contacts_present_address_counts_not_the_one_it_had_then(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    mail = crm.action(tenant, contact_id=contact, recipient=None)
    crm.update("contacts", contact, email=" ann@new.example ")
    assert [(row["action_id"], row["address"]) for row in claim(crm)] == [(mail, "ann@new.example")]


def test_a_suppressed_address_gets_nothing_from_this_tenant(crm: Crm) -> None:
    ours, other = crm.tenant(), crm.tenant()
    mail, elsewhere = (crm.action(tenant, recipient="Ann@Acme.example") for tenant in (ours, other))
    crm.execute("INSERT INTO suppressions VALUES (%s, 'ann@acme.example', 'asked not to be written to')", ours)
    assert verdict(crm, mail) == ("skipped", "address is suppressed: asked not to be written to")
    assert verdict(crm, elsewhere) == (None, None)
    claim(crm)
    assert (action(crm, mail)["status"], action(crm, mail)["attempts"]) == ("skipped", 0)


def test_a_suppressed_address_does_not_silence_the_owners_task(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO suppressions VALUES (%s, 'ann@acme.example', 'no')", tenant)
    assert verdict(crm, crm.action(tenant, kind="task")) == (None, None)


def test_another_tenants_contact_is_never_mailed(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    mail = crm.action(ours, contact_id=crm.contact(theirs), recipient=None)
    assert [(row["address"], row["verdict"]) for row in claim(crm)] == [(None, "skipped")]
    assert action(crm, mail)["reason"] == "no address"


def test_another_tenants_deal_does_not_decide_about_ours(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    mail = crm.action(ours, subject_type="deal", subject_id=crm.deal(theirs, stalled_at=NOW))
    assert verdict(crm, mail) == ("cancelled", "the deal is gone")


def test_nothing_leaves_before_its_time(crm: Crm) -> None:
    tenant = crm.tenant()
    later = crm.action(tenant, run_at=NOW + MINUTE)
    assert claim(crm) == []
    assert [row["action_id"] for row in claim(crm, at=NOW + MINUTE)] == [later]


def test_a_suggestion_never_leaves_by_itself(crm: Crm) -> None:
    crm.action(crm.tenant(), status="suggested")
    assert claim(crm, at=NOW + days(100)) == []


def test_a_paused_tenant_waits_and_loses_nothing(crm: Crm) -> None:
    tenant = crm.tenant()
    mail = crm.action(tenant)
    crm.execute("INSERT INTO tenant_delivery (tenant_id, paused) VALUES (%s, true)", tenant)
    assert claim(crm) == []
    assert action(crm, mail)["status"] == "scheduled"
    crm.execute("UPDATE tenant_delivery SET paused = false")
    assert len(claim(crm)) == 1


def test_mail_leaves_inside_the_window_of_the_tenants_own_time_zone(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.action(tenant, run_at=NOW - days(9))
    crm.execute("INSERT INTO tenant_delivery VALUES (%s, false, 'UTC', '09:00', '17:00')", tenant)
    for zone, utc, leaves in (
        ("UTC", "08:59", False), ("UTC", "09:00", True), ("UTC", "16:59", True), ("UTC", "17:00", False),
        ("America/New_York", "13:59", False), ("America/New_York", "14:00", True),
        ("America/New_York", "21:59", True), ("Asia/Tokyo", "00:00", True), ("Asia/Tokyo", "09:00", False),
    ):  # fmt: skip
        crm.execute("UPDATE tenant_delivery SET time_zone = %s", zone)
        crm.execute("UPDATE scheduled_actions SET status = 'scheduled'")
        at = datetime.fromisoformat(f"2026-03-03T{utc}:00+00:00")
        assert len(claim(crm, at=at)) == leaves, (zone, utc)


def test_a_time_zone_that_does_not_exist_is_refused_before_it_stops_every_tenants_mail(crm: Crm) -> None:
    tenant = crm.tenant()
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        crm.execute("INSERT INTO tenant_delivery (tenant_id, time_zone) VALUES (%s, 'Nowhere/Land')", tenant)


def test_every_tenant_gets_its_turn_however_much_another_has_waiting(crm: Crm) -> None:
    tenants = sorted((crm.tenant(), crm.tenant(), crm.tenant()), key=str)
    for tenant, number in zip(tenants, (30, 30, 2), strict=True):
        for _ in range(number):
            crm.action(tenant)
    served: list[list[int]] = []
    after = None
    while claimed := claim(crm, limit=15, after=after):
        served.append([sum(row["tenant_id"] == tenant for row in claimed) for tenant in tenants])
        after = claimed[-1]["tenant_id"]
    assert served == [[10, 5, 0], [0, 0, 2]]
    assert [row["tenant_id"] for row in claim(crm, limit=15)] == [tenants[0]] * 10 + [tenants[1]] * 5


def test_the_longest_waiting_of_a_tenant_goes_first(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.action(tenant, run_at=NOW)
    oldest = crm.action(tenant, run_at=NOW - days(2))
    assert [row["action_id"] for row in claim(crm, each=1)] == [oldest]


def test_two_senders_never_hold_the_same_action(crm: Crm) -> None:
    tenant = crm.tenant()
    for _ in range(4):
        crm.action(tenant)
    first, second = claim(crm, each=2), claim(crm, owner="two")
    assert len(first) == len(second) == 2
    assert not {row["action_id"] for row in first} & {row["action_id"] for row in second}
    assert claim(crm, owner="three") == []


def test_a_live_lease_is_left_alone_and_an_expired_one_comes_back(crm: Crm) -> None:
    tenant = crm.tenant()
    alive, lost, spent = crm.action(tenant), crm.action(tenant), crm.action(tenant, attempts=4)
    claim(crm)
    crm.execute("UPDATE scheduled_actions SET lease_until = clock_timestamp() - interval '1 s' WHERE id <> %s", alive)
    assert crm.read("recover_actions", 5)[0]["recover_actions"] == 2
    assert [action(crm, mail)["status"] for mail in (alive, lost, spent)] == ["sending", "scheduled", "dead"]
    assert action(crm, lost)["last_error"] == "the sender was lost before it reported back"
    assert [row["action_id"] for row in claim(crm, owner="two")] == [lost]


def test_only_the_holder_of_the_lease_settles(crm: Crm) -> None:
    mail = crm.action(crm.tenant())
    claim(crm, owner="one", lease=timedelta(0))
    crm.read("recover_actions", 5)
    claim(crm, owner="two")
    assert settle(crm, "one", {"id": mail, "status": "failed", "error": "too late"}) == 0
    assert action(crm, mail)["status"] == "sending"
    assert settle(crm, "two", {"id": mail, "status": "sent", "address": "a@b.example", "message_id": "<1>"}) == 1
    row = action(crm, mail)
    assert (row["status"], row["sent_at"], row["sent_to"], row["message_id"]) == (
        "sent",
        NOW,
        "a@b.example",
        "<1>",
    )
    assert (row["lease_owner"], row["lease_until"], row["attempts"]) == (None, None, 2)


def test_what_was_sent_is_not_settled_again(crm: Crm) -> None:
    mail = crm.action(crm.tenant())
    claim(crm)
    settle(crm, "one", {"id": mail, "status": "sent"})
    assert settle(crm, "one", {"id": mail, "status": "dead"}) == 0
    assert action(crm, mail)["status"] == "sent"


def test_a_send_to_be_tried_again_waits_until_then(crm: Crm) -> None:
    mail = crm.action(crm.tenant())
    claim(crm)
    again = NOW + timedelta(minutes=7)
    settle(crm, "one", {"id": mail, "status": "scheduled", "error": "busy", "run_at": again.isoformat()})
    assert claim(crm, at=again - MINUTE) == []
    assert [row["attempts"] for row in claim(crm, at=again)] == [2]
    assert action(crm, mail)["last_error"] == "busy"


def test_what_was_claimed_but_never_tried_costs_no_attempt(crm: Crm) -> None:
    mail = crm.action(crm.tenant())
    claim(crm)
    settle(crm, "one", {"id": mail, "status": "scheduled", "unsent": True})
    row = action(crm, mail)
    assert (row["status"], row["attempts"], row["run_at"]) == ("scheduled", 0, NOW)


def test_an_approved_suggestion_leaves(crm: Crm) -> None:
    mail = crm.action(crm.tenant(), status="suggested", run_at=NOW - days(5))
    assert [row["decide_actions"] for row in crm.read("decide_actions", [mail], "approve")] == [mail]
    assert action(crm, mail)["run_at"] == NOW
    assert [row["action_id"] for row in claim(crm)] == [mail]


@pytest.mark.parametrize(
    ("decision", "changes"),
    [
        ("approve", {"suggested": "scheduled"}),
        ("cancel", dict.fromkeys(("suggested", "scheduled", "failed", "dead"), "cancelled")),
        ("retry", {"failed": "scheduled", "dead": "scheduled"}),
    ],
)
def test_what_an_operator_can_decide_about_which_action(crm: Crm, decision: str, changes: dict[str, str]) -> None:
    tenant = crm.tenant()
    statuses = ("suggested", "scheduled", "sending", "sent", "failed", "dead", "cancelled", "skipped")
    ids = {status: crm.action(tenant, status=status, attempts=8) for status in statuses}
    changed = {row["decide_actions"] for row in crm.read("decide_actions", list(ids.values()), decision)}
    assert changed == {ids[status] for status in changes}
    after = {status: action(crm, mail) for status, mail in ids.items()}
    assert {status: row["status"] for status, row in after.items()} == {s: s for s in statuses} | changes
    attempts = 0 if decision == "retry" else 8
    assert {after[status]["attempts"] for status in changes} == {attempts}
    reason = "cancelled by an operator" if decision == "cancel" else None
    assert {after[status]["reason"] for status in changes} == {reason}


def test_an_unknown_decision_is_refused(crm: Crm) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        crm.read("decide_actions", [1], "burn")


def test_the_same_step_is_never_written_twice(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.action(tenant, dedupe_key="deal:1:2")
    crm.action(crm.tenant(), dedupe_key="deal:1:2")
    with pytest.raises(psycopg.errors.UniqueViolation):
        crm.action(tenant, dedupe_key="deal:1:2")


def test_internal_actions_become_tasks_and_cases_of_their_own_tenant_once(crm: Crm) -> None:
    tenant, other = crm.tenant(), crm.tenant()
    owner, stranger = crm.profile(tenant), crm.profile(other)
    order = crm.order(tenant)
    task = crm.action(tenant, kind="task", assigned_to=owner)
    strange = crm.action(tenant, kind="task", assigned_to=stranger)
    case = crm.action(tenant, kind="case", priority="high", variables={"order_id": str(order)})
    odd = crm.action(tenant, kind="case", priority="low", variables={"order_id": "17"})
    unwanted = crm.action(tenant, kind="task", subject_type="deal", subject_id=crm.deal(tenant, stage="won"))
    for _ in range(2):
        with clock.at(NOW), crm.connection.transaction():
            claimed = crm.read("claim_internal", 100, 100)
            texts = [{"id": row["action_id"], "title": "T", "body": "B"} for row in claimed if not row["verdict"]]
            crm.read("file_internal", Jsonb(texts))
    tasks = crm.rows("SELECT tenant_id, assigned_to, title, status FROM tasks ORDER BY assigned_to NULLS LAST")
    assert tasks == [
        {"tenant_id": tenant, "assigned_to": assignee, "title": "T", "status": "open"} for assignee in (owner, owner)
    ]
    assert crm.rows("SELECT tenant_id, order_id, priority FROM cases ORDER BY priority") == [
        {"tenant_id": tenant, "order_id": order, "priority": "high"},
        {"tenant_id": tenant, "order_id": None, "priority": "low"},
    ]
    assert [action(crm, one)["status"] for one in (task, strange, case, odd, unwanted)] == ["sent"] * 4 + ["cancelled"]


def test_what_a_message_costs_does_not_grow_with_the_number_of_tenants(crm: Crm) -> None:
    crm.execute(
        "INSERT INTO tenants (id, name) SELECT gen_random_uuid(), 'Tenant ' || n FROM generate_series(1, 500) AS n"
    )
    crm.execute("ANALYZE deal_stage_config")
    [action] = write(crm, crm.tenant(), status="sent", sent_at=NOW)

    with crm.connection.transaction():
        crm.execute("SELECT deals_settled(ARRAY[%s]::bigint[])", action)
        read = crm.one(
            "SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_xact_user_tables WHERE relname = 'deal_stage_config'"
        )
    assert read["n"] < 20  # of 2,000 stages in all
