"""If this fails, some order of claims, losses and decisions sends an action twice, or leaves it lying for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from tests.machines import try_orders
from workers import clock

MINUTE = timedelta(minutes=1)
LEASE = 4 * MINUTE
MOST_ATTEMPTS = 2
TENANTS = (0, 1)  # in the order of their ids


@dataclass
class Action:
    """What an action ought to be."""

    id: int
    tenant: UUID
    kind: str
    status: str
    run_at: datetime
    written_at: datetime
    attempts: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    suppressed: bool = False

    def is_due(self, kind: str, tenant: UUID, now: datetime) -> bool:
        return (self.status, self.kind, self.tenant) == ("scheduled", kind, tenant) and self.run_at <= now


class Pass(NamedTuple):
    """What a sender believes to hold, for ever: it may have lost it meanwhile."""

    owner: str
    actions: list[int]


class Outbox(RuleBasedStateMachine):
    """Engines write, senders claim, fall silent, settle and settle again, and people decide."""

    crm: Crm
    passes: Bundle[Pass] = Bundle("passes")
    actions: Bundle[int] = Bundle("actions")

    def __init__(self) -> None:
        super().__init__()
        self.crm.execute("DELETE FROM tenants")
        self.now = NOW
        self.tenants = sorted((self.crm.tenant(), self.crm.tenant()), key=str)
        for tenant in self.tenants:
            self.crm.open_always(tenant)
        self.paused: set[UUID] = set()
        self.known: dict[int, Action] = {}
        self.senders = 0

    @rule(
        target=actions, tenant=st.sampled_from(TENANTS), kind=st.sampled_from(["email", "email", "task"]),
        status=st.sampled_from(["scheduled", "scheduled", "suggested"]), minutes=st.sampled_from([-60, 0, 0, 3]),
    )  # fmt: skip
    def an_engine_writes(self, tenant: int, kind: str, status: str, minutes: int) -> int:
        run_at = self.now + minutes * MINUTE
        with clock.at(self.now):
            action = self.crm.action(self.tenants[tenant], kind=kind, status=status, run_at=run_at)
        self.known[action] = Action(action, self.tenants[tenant], kind, status, run_at, self.now)
        return action

    @rule(target=passes, limit=st.integers(1, 4), each=st.integers(1, 3), after=st.sampled_from([None, None, 0]))
    def a_sender_claims(self, limit: int, each: int, after: int | None) -> Pass:
        self.senders += 1
        owner = f"sender {self.senders}"
        behind = None if after is None else self.tenants[after]
        claimed = self.crm.read("claim_emails", owner, LEASE, limit, each, behind, at=self.now)
        expected: list[Action] = []
        for tenant in self.tenants[0 if after is None else after + 1 :]:
            if tenant not in self.paused:
                expected += self._due("email", tenant, min(each, limit - len(expected)))
        assert [row["action_id"] for row in claimed] == [action.id for action in expected]
        for action in expected:
            if action.suppressed:
                action.status = "skipped"
            else:
                action.status, action.owner, action.lease_until = "sending", owner, self.now + LEASE
                action.attempts += 1
        return Pass(owner, [row["action_id"] for row in claimed if row["verdict"] is None])

    @rule(claimed=passes, status=st.sampled_from(["sent", "failed", "dead", "later", "unsent"]))
    def a_sender_settles(self, claimed: Pass, status: str) -> None:
        """Also one that lost its lease, or had settled before: it is not heard."""
        again = self.now + 7 * MINUTE
        becomes = "scheduled" if status in ("later", "unsent") else status
        result = {"status": becomes, "address": "ann@acme.example", "unsent": status == "unsent"}
        result |= {"run_at": again.isoformat()} if status == "later" else {}
        results = Jsonb([result | {"id": action} for action in claimed.actions])
        heard = self.crm.read("settle_emails", claimed.owner, results, at=self.now)[0]["settle_emails"]
        held = [self.known[action] for action in claimed.actions if self.known[action].owner == claimed.owner]
        assert heard == len(held)
        for action in held:
            action.status, action.owner, action.lease_until = becomes, None, None
            action.attempts -= status == "unsent"
            action.run_at = again if status == "later" else action.run_at

    @rule()
    def what_lost_senders_held_comes_back(self) -> None:
        lost = [a for a in self.known.values() if a.lease_until is not None and a.lease_until <= self.now]
        recovered = self.crm.read("recover_actions", MOST_ATTEMPTS, at=self.now)[0]["recover_actions"]
        assert recovered == len(lost)
        for action in lost:
            action.status = "dead" if action.attempts >= MOST_ATTEMPTS else "scheduled"
            action.owner = action.lease_until = None

    @rule(limit=st.integers(1, 4), each=st.integers(1, 3), dies=st.booleans())
    def tasks_are_filed(self, limit: int, each: int, dies: bool) -> None:
        """In one transaction, whose end a process that dies does not see."""
        with self.crm.connection.transaction(force_rollback=dies):
            claimed = self.crm.read("claim_internal", limit, each, at=self.now)
            texts = [{"id": row["action_id"], "title": str(row["action_id"]), "body": ""} for row in claimed]
            self.crm.read("file_internal", Jsonb(texts), at=self.now)
        expected = [action for tenant in self.tenants for action in self._due("task", tenant, each)][:limit]
        assert len(claimed) == len(expected)
        assert {row["action_id"] for row in claimed} <= {a.id for a in self.known.values() if a.kind == "task"}
        for row in claimed:
            if not dies:
                self.known[row["action_id"]].status = "sent"
                self.known[row["action_id"]].attempts += 1
        filed = sorted(int(row["title"]) for row in self.crm.rows("SELECT title FROM tasks"))
        assert filed == [a.id for a in self.known.values() if a.kind == "task" and a.status == "sent"]

    @rule(chosen=st.lists(actions, min_size=1, max_size=3), decision=st.sampled_from(["approve", "cancel", "retry"]))
    def somebody_decides(self, chosen: Sequence[int], decision: str) -> None:
        possible = {
            "approve": ("suggested",), "retry": ("failed", "dead"),
            "cancel": ("suggested", "scheduled", "failed", "dead"),
        }[decision]  # fmt: skip
        expected = sorted({action for action in chosen if self.known[action].status in possible})
        decided = self.crm.read("decide_actions", list(chosen), decision, at=self.now)
        assert [row["decide_actions"] for row in decided] == expected
        for action in map(self.known.__getitem__, expected):
            action.status = "cancelled" if decision == "cancel" else "scheduled"
            action.attempts = 0 if decision == "retry" else action.attempts
            action.run_at = action.run_at if decision == "cancel" else max(action.run_at, self.now)

    @rule(action=actions, minutes=st.integers(-5, 5))
    def somebody_gives_it_another_time(self, action: int, minutes: int) -> None:
        run_at = self.now + minutes * MINUTE
        self.crm.read("edit_actions", [action], None, run_at, "Olive", None, at=self.now)
        if self.known[action].status in ("suggested", "scheduled", "failed", "dead"):
            self.known[action].run_at = run_at

    @rule(action=actions)
    def its_reader_wants_no_more(self, action: int) -> None:
        self.crm.execute(
            "INSERT INTO suppressions (tenant_id, address, reason)"
            " SELECT tenant_id, recipient, 'no' FROM scheduled_actions WHERE id = %s ON CONFLICT DO NOTHING", action,
        )  # fmt: skip
        self.known[action].suppressed = True

    @rule(tenant=st.sampled_from(TENANTS))
    def a_tenant_pauses_or_goes_on(self, tenant: int) -> None:
        self.paused ^= {self.tenants[tenant]}
        self.crm.pause(self.tenants[tenant], paused=self.tenants[tenant] in self.paused)

    @rule(span=st.sampled_from([MINUTE, 5 * MINUTE, days(15)]))
    def time_passes(self, span: timedelta) -> None:
        self.now += span
        self.crm.execute("UPDATE scheduled_actions SET lease_until = lease_until - %s", span)
        self.crm.read("expire_suggestions", at=self.now)
        for action in self.known.values():
            old = self.now - action.written_at > days(14)
            if action.status == "suggested" and action.kind == "email" and old:
                action.status = "cancelled"

    @invariant()
    def the_outbox_is_what_it_ought_to_be(self) -> None:
        rows = self.crm.rows("SELECT id, status, run_at, attempts, lease_owner FROM scheduled_actions ORDER BY id")
        assert [tuple(row.values()) for row in rows] == [
            (a.id, a.status, a.run_at, a.attempts, a.owner) for a in self.known.values()
        ]

    def _due(self, kind: str, tenant: UUID, most: int) -> list[Action]:
        due = [action for action in self.known.values() if action.is_due(kind, tenant, self.now)]
        return sorted(due, key=lambda action: (action.run_at, action.id))[:most]


@pytest.mark.fuzz
def test_whatever_the_order_each_action_has_one_holder_at_a_time_and_one_end(crm: Crm) -> None:
    Outbox.crm = crm
    try_orders(Outbox)
