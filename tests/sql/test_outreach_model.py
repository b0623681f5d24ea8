"""If this fails, some order of pauses, answers and outages makes the fleet write too often, or count wrongly."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from workers import clock

# What can happen, and to which of the three deals and three quotes.
HAPPENINGS = (
    "hours", "day", "day", "week", "pause", "resume", "review", "automatic", "approve", "cancel", "outage", "refused",
    "reply", "fresh_mail", "opt_out", "activity", "quote_sent", "won", "case", "case_closed", "limits",
)  # fmt: skip
INTERVALS = {"deal": timedelta(days=2), "quote": timedelta(days=3)}
# A step is due from the full hour of the last one, so that a slot that starts seconds earlier finds it.
SLACK = timedelta(hours=1)


class Street:
    """One tenant whose deals and quotes go to two mailboxes, and all that happens to it."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.now = NOW
        self.tenant = crm.tenant()
        client = self.client = crm.client(self.tenant)
        self.contacts = [crm.contact(self.tenant, client, email=f"{name}@acme.example") for name in ("ann", "ben")]
        self.deals = [crm.deal(self.tenant, client_id=client, contact_id=self.contacts[n % 2]) for n in range(3)]
        self.quotes = [crm.quote(self.tenant, client_id=client, contact_id=self.contacts[n % 2]) for n in range(3)]

    def happen(self, what: str, which: int) -> None:  # noqa: C901  # a list of what can happen
        crm, tenant = self.crm, self.tenant
        deal, quote, contact = self.deals[which], self.quotes[which], self.contacts[which % 2]
        with clock.at(self.now):
            match what:
                case "hours" | "day" | "week":
                    self._pass({"hours": 1, "day": 1, "week": 7}[what], hours=what == "hours")
                case "pause" | "resume":
                    crm.pause(tenant, paused=what == "pause")
                case "review" | "automatic":
                    crm.mode(tenant, ("deals", "quotes")[which % 2], what)
                case "approve" | "cancel":
                    waiting = [a["id"] for a in crm.actions() if a["status"] in {"suggested", "scheduled"}]
                    crm.read("decide_actions", waiting[: which + 1], what, at=self.now)
                case "outage" | "refused":
                    self._fail("scheduled" if what == "outage" else "failed")
                case "reply" | "fresh_mail" | "opt_out":
                    self._hear(what, contact)
                case "activity":
                    crm.update("deals", deal, value=self.now.timestamp())
                case "quote_sent":
                    crm.update("quotes", quote, status="draft", outcome=None)
                    crm.update("quotes", quote, status="sent")
                case "won":
                    crm.update("quotes", quote, status="accepted")
                case "case":
                    crm.insert("cases", tenant_id=tenant, client_id=self.client, title="Broken", status="open")
                case "case_closed":
                    crm.execute("UPDATE cases SET status = 'closed'")
                case "limits":
                    crm.execute("UPDATE deal_stage_config SET max_follow_ups = %s", which * 2)

    def _pass(self, n: int, *, hours: bool) -> None:
        for _ in range(n):
            self.now += timedelta(hours=5) if hours else timedelta(days=1)
            for engine in ("deals", "quotes"):
                self.crm.run(engine, at=self.now)
            self.crm.read("expire_suggestions", at=self.now)
            self.crm.send(at=self.now)

    def _fail(self, status: str) -> None:
        claimed = self.crm.read("claim_emails", "tests", timedelta(minutes=1), 50, 10, None, at=self.now)
        results = [{"id": row["action_id"], "status": status, "error": "no"} for row in claimed if not row["verdict"]]
        self.crm.read("settle_emails", "tests", Jsonb(results), at=self.now)

    def _hear(self, what: str, contact: UUID) -> None:
        sent = self.crm.rows(
            "SELECT id FROM scheduled_actions WHERE contact_id = %s AND kind = 'email' AND status = 'sent'"
            " ORDER BY sent_at DESC LIMIT 1", contact,
        )  # fmt: skip
        address = self.crm.row("contacts", contact)["email"]
        message = {
            "message_id": f"<{uuid4()}@acme.example>", "to_addresses": [], "recipients": [], "lists": [], "raw_size": 1,
            "senders": [{"address": address, "name": None, "folded": address, "is_fleet": False}],
            "reference_ids": [], "headers": {}, "digest": uuid4().hex, "kind": "reply", "text": "…",
        }  # fmt: skip
        answered = (
            [{"action": sent[0]["id"], "tenant": None, "name": None, "genuine": True, "direct": True}]
            if sent and what == "reply"
            else []
        )
        judgement: dict[str, Any] = {
            "answer": "opt_out" if what == "opt_out" else "question", "sentiment": "neutral", "score": 0, "issues": [],
            "summary": "…", "text": "…", "language": "en", "language_name": "English",
        }  # fmt: skip
        self.crm.read(
            "ingest_message", uuid4().hex, self.tenant, Jsonb(message), Jsonb(answered), Jsonb(judgement),
            Jsonb({"failures": []}), at=self.now,
        )  # fmt: skip

    def check(self) -> None:
        """Compare what was sent with what may be, and with what the rows say was."""
        sent = self.crm.actions(kind="email", status="sent")
        of_subject: dict[tuple[str, UUID, int], list[datetime]] = defaultdict(list)
        of_mailbox: dict[str, list[date]] = defaultdict(list)
        for action in sent:
            of_subject[action["subject_type"], action["subject_id"], action["series"]].append(action["sent_at"])
            of_mailbox[action["mailbox"]].append(action["sent_at"].date())
        for (kind, subject, _), moments in of_subject.items():
            moments.sort()
            gaps = [later - earlier for earlier, later in pairwise(moments)]
            assert all(gap > INTERVALS[kind] - SLACK for gap in gaps), (kind, subject, gaps)
        for kind, subjects in (("deal", self.deals), ("quote", self.quotes)):
            for row in (self.crm.row(f"{kind}s", subject) for subject in subjects):
                assert row["follow_up_count"] == len(of_subject.get((kind, row["id"], row["follow_up_series"]), ()))
        for mailbox, dates in of_mailbox.items():
            assert len(dates) == len(set(dates)), f"two mails to {mailbox} on one day"
            assert all(sum(first <= day < first + days(7) for day in dates) <= 2 for first in dates)
        waiting = Counter(
            (action["subject_id"], action["series"])
            for action in self.crm.actions(kind="email")
            if action["status"] in {"suggested", "scheduled", "sending"}
        )
        assert all(n == 1 for n in waiting.values()), waiting
        assert not self.crm.rows("SELECT FROM items_aside"), self.crm.rows("SELECT error FROM items_aside")
        ended = {
            row["address"]: row["created_at"]
            for row in self.crm.rows("SELECT address, created_at FROM suppressions WHERE engines IS NULL")
        }
        assert not [a for a in sent if a["sent_at"] > ended.get(a["mailbox"], a["sent_at"])]


# Each is weeks of a street. Rare by chance: who wants no more mail is due for one.
@pytest.mark.fuzz
@example([("day", 0), ("day", 0), ("opt_out", 0), ("quote_sent", 0), ("week", 0)])
@given(st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 2)), max_size=40))
@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_happens_nobody_is_written_to_too_often_and_counts_equal_what_was_sent(
    crm: Crm, happenings: list[tuple[str, int]]
) -> None:
    crm.execute("TRUNCATE tenants CASCADE")
    street = Street(crm)
    for what, which in happenings:
        street.happen(what, which)
    street.happen("week", 0)
    street.check()
