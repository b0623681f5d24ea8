"""Deals and quotes of a demo tenant: every case their engines know, in turn."""

from datetime import datetime, timedelta
from itertools import cycle, islice, pairwise
from typing import Any, Final
from uuid import UUID

from workers.load.demo import names
from workers.load.demo.people import Tenant

# Days before stale, days between follow-ups, follow-ups: the defaults every new tenant gets.
_STAGES: Final = {"lead": (3, 2, 5), "qualified": (7, 3, 5), "proposal": (5, 2, 7), "negotiation": (7, 3, 5)}
_DEAL_CASES: Final = (
    "fresh", "stalled", "series_due", "series_waits", "won", "last_due", "handover_due", "fresh", "ended", "lost",
    "stalled", "no_contact", "switched_off",
)  # fmt: skip
_QUOTE_CASES: Final = (
    "draft", "waits", "due", "won", "viewed_due", "pending_approval", "last_due", "handover_due", "lost", "ended",
    "no_contact", "past_date", "expired", "no_decision", "countered", "due",
)  # fmt: skip
_QUOTE_FOLLOW_UPS: Final = 5


def add_deals(tenant: Tenant) -> list[UUID]:
    """Add deals; return the contacts of newly stalled ones, whom the next run will write to."""
    written_to = []
    for case in islice(cycle(_DEAL_CASES), max(len(_DEAL_CASES), tenant.profile.clients * 2)):
        contact = _add_deal(tenant, case)
        if case == "stalled" and contact:
            written_to.append(contact)
    return written_to


def _add_deal(tenant: Tenant, case: str) -> UUID | None:
    world = tenant.world
    stage = world.random.choice(tuple(_STAGES))
    stale_days, interval, most = _STAGES[stage]
    done = {
        "series_due": 2,
        "series_waits": 1,
        "last_due": most - 1,
        "handover_due": most,
        "ended": most,
    }.get(case, 0)
    silent = {"fresh": 0.1, "won": 1, "lost": 1}.get(case, stale_days + done * interval + 1)
    active_at = world.ago(silent, silent + {"fresh": 2, "won": 80, "lost": 80}.get(case, 12))
    client, contact = _client_and_contact(tenant, case)
    values: dict[str, Any] = {}
    if done:
        values = {
            "stalled_at": active_at + timedelta(days=stale_days, hours=8),
            "follow_up_count": done,
            "next_follow_up_at": world.ago(-0.4, -1.5) if case == "series_waits" else world.ago(0.05, 1.2),
        }
    if case == "ended":
        values |= {"next_follow_up_at": None, "follow_up_ended_at": world.ago(0.1, 1)}
    path = [*_STAGES][: [*_STAGES].index(stage) + 1]
    if case in ("won", "lost"):
        path.append(case)
    created_at = active_at - timedelta(days=world.random.uniform(8, 60))
    deal = tenant.add(
        "deals",
        client_id=client,
        contact_id=contact,
        owner_id=tenant.owner(),
        title=world.random.choice(tenant.profile.products),
        stage=path[-1],
        value=world.amount(800, 60_000),
        probability={"won": 100, "lost": 0}.get(case, 20 * len(path)),
        expected_close_date=world.ago(-50, 5).date(),
        created_at=created_at,
        last_activity_at=active_at,
        auto_follow_up_enabled=case != "switched_off",
        **values,
    )
    _add_history(tenant, deal, path, created_at, active_at)
    return contact


def _add_history(tenant: Tenant, deal: UUID, path: list[str], begin: datetime, end: datetime) -> None:
    """Add the steps from stage to stage, evenly spread, the last of them at the last activity."""
    changed_at = begin
    for place, (before, after) in enumerate(pairwise(path), start=1):
        previous, changed_at = changed_at, begin + (end - begin) * place / (len(path) - 1)
        tenant.add(
            "deal_stage_history",
            deal_id=deal,
            from_stage=before,
            to_stage=after,
            changed_at=changed_at,
            days_in_previous_stage=(changed_at - previous).days,
        )


def add_quotes(tenant: Tenant) -> None:
    """Add quotes with their activities and outcomes, numbered as the tenant would have numbered them."""
    count = max(len(_QUOTE_CASES), tenant.profile.clients)
    drafts = [_draft_quote(tenant, case) for case in islice(cycle(_QUOTE_CASES), count)]
    last: dict[int, int] = {}
    for case, quote in sorted(drafts, key=lambda draft: draft[1]["created_at"]):
        year = quote["created_at"].year
        last[year] = last.get(year, 0) + 1
        quote["quote_number"] = f"Q-{year}-{last[year]:04}"
        _add_quote(tenant, case, quote)
    for year, number in last.items():
        tenant.world.rows["quote_counters"].append({"tenant_id": tenant.id, "year": year, "last_number": number})


def _draft_quote(tenant: Tenant, case: str) -> tuple[str, dict[str, Any]]:
    world = tenant.world
    client, contact = _client_and_contact(tenant, case)
    done = {"viewed_due": 2, "last_due": _QUOTE_FOLLOW_UPS - 1, "handover_due": _QUOTE_FOLLOW_UPS}.get(case, 0)
    if case == "ended":
        done = _QUOTE_FOLLOW_UPS
    status = {
        "draft": "draft", "pending_approval": "pending_approval", "won": "accepted", "lost": "rejected",
        "expired": "expired", "countered": "countered", "viewed_due": "viewed", "no_decision": "viewed",
    }.get(case, "sent")  # fmt: skip
    is_sent = status not in ("draft", "pending_approval")
    first = {"waits": 0.5, "past_date": 32, "expired": 40}.get(case, 3.5 + 3 * done)
    sent_at = world.ago(first, first + {"waits": 2, "won": 60, "lost": 60, "no_decision": 60}.get(case, 5))
    waits = status in ("sent", "viewed") and case not in ("ended", "no_decision")
    next_at = sent_at + timedelta(days=3) if case == "waits" else world.ago(0.05, 2)
    return case, {
        "client_id": client,
        "contact_id": contact,
        "title": world.random.choice(tenant.profile.products),
        "status": status,
        "total_amount": world.amount(500, 45_000),
        "valid_until": (sent_at + timedelta(days=30 if case in ("past_date", "expired") else 90)).date(),
        "sent_at": sent_at if is_sent else None,
        "viewed_at": sent_at + timedelta(hours=20) if status == "viewed" else None,
        "view_count": world.random.randint(1, 4) if status == "viewed" else 0,
        "follow_up_count": done,
        "last_follow_up_at": next_at - timedelta(days=3) if done else None,
        "next_follow_up_at": next_at if waits else None,
        "follow_up_ended_at": world.ago(0.1, 1) if case == "ended" else None,
        "created_at": sent_at - timedelta(hours=world.random.uniform(2, 60)),
    }


def _add_quote(tenant: Tenant, case: str, quote: dict[str, Any]) -> None:
    world = tenant.world
    outcome: dict[str, Any] = {}
    if case in ("won", "lost", "no_decision"):
        reasons = names.WON_REASONS if case == "won" else names.LOST_REASONS
        responded_at = quote["sent_at"] + (world.now - quote["sent_at"]) * 0.8
        outcome = {
            "outcome": case,
            "outcome_reason": world.random.choice(reasons),
            "outcome_competitor": world.random.choice(names.COMPETITORS) if case == "lost" else None,
            "responded_at": responded_at.replace(microsecond=0),
        }
    quote_id = tenant.add("quotes", **quote, **outcome)

    def log(activity: str, at: datetime, notes: str | None = None) -> None:
        tenant.add("quote_activities", quote_id=quote_id, activity_type=activity, notes=notes, created_at=at)

    if quote["sent_at"]:
        log("sent", quote["sent_at"])
    if quote["viewed_at"]:
        log("viewed", quote["viewed_at"])
    for step in range(1, quote["follow_up_count"] + 1):
        log(
            "follow_up",
            quote["sent_at"] + timedelta(days=3 * step),
            f"follow-up {step} of {_QUOTE_FOLLOW_UPS}",
        )
    if case == "ended":
        log("escalated", quote["follow_up_ended_at"], f"no answer after {_QUOTE_FOLLOW_UPS} follow-ups")
    if case == "expired":
        log("expired", quote["sent_at"] + timedelta(days=31), f"valid until {quote['valid_until']}")
    if outcome:
        log("outcome", outcome["responded_at"], outcome["outcome_reason"])
        tenant.add(
            "quote_outcomes",
            quote_id=quote_id,
            outcome=case,
            primary_reason=outcome["outcome_reason"],
            competitor=outcome["outcome_competitor"],
            our_amount=quote["total_amount"],
            competitor_amount=round(quote["total_amount"] * 0.93, 2) if outcome["outcome_competitor"] else None,
            recorded_at=outcome["responded_at"],
        )


def _client_and_contact(tenant: Tenant, case: str) -> tuple[UUID, UUID | None]:
    if case == "no_contact":
        return tenant.silent_client(), None
    person = tenant.person()
    return person.client, person.contact
