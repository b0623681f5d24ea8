"""A small CRM in which every engine has something to do for weeks, and the real fleet going through them."""

import heapq
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

from tests.crm import NOW, Crm, days
from workers import clock
from workers.db.tenant_settings import set_settings
from workers.delivery.deliver import channel_for, deliver
from workers.engines.registry import engine_named
from workers.inbound.ingest import Stored, ingest
from workers.runtime.dispatch import run_engine
from workers.settings import settings
from workers.simulate.agenda import slots_of
from workers.simulate.answers import assumed_answer
from workers.simulate.plan import Plan

SINCE = NOW - timedelta(hours=2)


def two_tenants(crm: Crm) -> list[UUID]:
    """One in Europe with something of every kind; one in Japan, whose mail leaves while Europe sleeps."""
    return [_northwind(crm), _sakura(crm)]


def _northwind(crm: Crm) -> UUID:
    tenant = crm.tenant("Northwind")
    owner = crm.profile(tenant, full_name="Olive Owner", email="olive@northwind.example")

    def somebody(name: str, mailbox: str) -> dict[str, UUID]:
        client = crm.client(tenant, company_name=f"{name} Ltd", owner_id=owner)
        contact = crm.contact(tenant, client, first_name=name, email=f"{mailbox}@{name.lower()}.example")
        return {"client_id": client, "contact_id": contact}

    for n, stage in enumerate(("lead", "qualified", "proposal", "negotiation", "lead", "proposal")):
        # Three of them are about one person: what all want, two of them wait for.
        whom = somebody(f"Acme{n // 3 * n}", "ann")
        crm.deal(tenant, title=f"Deal {n}", stage=stage, owner_id=owner, last_activity_at=NOW - days(4 + 3 * n), **whom)
    for n in range(3):
        until = (NOW + days(4 + n)).date()
        crm.quote(tenant, quote_number=f"Q-2026-000{n}", valid_until=until, **somebody(f"Quill{n}", "quentin"))
        crm.order(tenant, order_number=f"O-{n}", delivered_at=NOW - days(7 - n), **somebody(f"Orr{n}", "oona"))
    set_settings(crm.connection, tenant, {"forward_replies_to": "owner"}, "the test", None)
    crm.schedule(tenant, target_filter={}, required_fields=["phone"])
    crm.deal(tenant, title="Nobody's", last_activity_at=NOW - days(20))
    return tenant


def _sakura(crm: Crm) -> UUID:
    tenant = crm.tenant("Sakura")
    set_settings(crm.connection, tenant, {"time_zone": "Asia/Tokyo", "quotes.mode": "review"}, "the test", None)
    for n in range(3):
        client = crm.client(tenant, company_name=f"Kyaku {n}")
        contact = crm.contact(tenant, client, first_name=f"K{n}", email=f"k{n}@kyaku.example")
        crm.deal(tenant, title=f"Deal {n}", client_id=client, contact_id=contact, last_activity_at=NOW - days(9 + n))
        crm.quote(tenant, quote_number=f"Q-2026-000{n}", client_id=client, contact_id=contact)
    return tenant


def live_through(crm: Crm, plan: Plan) -> list[UUID]:
    """Let engines and delivery do what the timetable says, hour by hour, and people write what the plan assumes.

    Over one session, where the fleet's tasks have one each: to begin it takes longer than most of them.

    Returns:
        The mails that came in.
    """
    connection, chosen = crm.connection, settings()
    slots = slots_of(connection, plan)
    answers: list[tuple[datetime, bytes]] = []
    came_in, seen = [], set[Path]()
    hours = [plan.since + timedelta(hours=n) for n in range(int((plan.until - plan.since) / timedelta(hours=1)))]
    for hour in hours:
        while answers and answers[0][0] < hour + timedelta(hours=1) and answers[0][0] < plan.until:
            at, mail = heapq.heappop(answers)
            with clock.at(max(at, hour)):
                outcome = ingest(connection, mail, "the test")
                assert isinstance(outcome, Stored)
                came_in.append(outcome.message)
        for at, engine in slots:
            if hour <= at < hour + timedelta(hours=1):
                with clock.at(at):
                    report = run_engine(
                        connection, engine_named(engine), trigger="beat", slot=at, batch_size=chosen.fleet_batch_size
                    )
                    assert report is not None
                    if report.tally.actions:
                        deliver(connection, channel_for(chosen), chosen)
                        _people_answer(plan, answers, seen)
        with clock.at(hour):
            deliver(connection, channel_for(chosen), chosen)
            _people_answer(plan, answers, seen)
    return came_in


def _people_answer(plan: Plan, answers: list[tuple[datetime, bytes]], seen: set[Path]) -> None:
    for file in set((settings().fleet_home / "mail" / "new").glob("*.eml")) - seen:
        seen.add(file)
        message = message_from_bytes(file.read_bytes(), EmailMessage, policy=policy.default)
        assert isinstance(message, EmailMessage)
        answer = assumed_answer(message, clock.now(), rate=plan.reply_rate, seed=plan.seed)
        if answer is not None:
            heapq.heappush(answers, (answer.at, answer.mail))
