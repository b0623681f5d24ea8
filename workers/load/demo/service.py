"""Orders with their feedback, found contact data, signals and compliance of a demo tenant."""

from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import Any, Final
from uuid import UUID

from workers.load.demo import names
from workers.load.demo.people import Person, Tenant

_ORDER_CASES: Final = (
    "due", "early", "open_case", "asked_lately", "no_contact", "praised", "due", "too_old", "expiry_due", "open",
    "returned", "complained", "expired", "closed_case", "shrugged", "asked_before",
)  # fmt: skip
_DELIVERED: Final = {  # days ago, from and to
    "early": (1, 6), "too_old": (62, 90), "expiry_due": (38, 41), "expired": (50, 80), "praised": (16, 60),
    "shrugged": (16, 60), "complained": (16, 60),
}  # fmt: skip
_ANSWERS: Final = {
    "praised": (
        "positive",
        0.86,
        "Everything arrived early and well packed, and the fitters were a delight.",
    ),
    "shrugged": ("neutral", 0.05, "It arrived. We have not had the time to try it yet."),
    "complained": ("negative", -0.72, "Two parts were missing and nobody called back for a week."),
}
_QUEUE_CASES: Final = (
    "fills", "conflicts", "unknown_address", "stuck", "no_data", "fills", "being_worked_on", "completed", "failed",
)  # fmt: skip
_SIGNALS: Final = (  # type, strength, what was said, where
    ("expansion", 0.95, "We open two more sites in spring and will need the same again.", "email"),
    ("renewal", 0.9, "Our agreement ends next month, what are the terms for another year?", "email"),
    ("churn_risk", 0.95, "We are looking at other suppliers.", "case"),
    ("budget_mention", 0.85, "There is about 20,000 left in this year's budget.", "call"),
    ("competitor_mention", 0.75, "Novalis Direct quoted us ten per cent less.", "email"),
    ("referral", 1.0, "I told our sister company about you, may I connect you?", "email"),
    ("feature_wish", 0.5, "A smaller size would be nice one day.", "call"),
)
_SIGNAL_CASES: Final = ("new", "new", "acted_on")
_CHECK_CASES: Final = (
    "reminder_due", "second_reminder_due", "waiting", "became_overdue", "overdue", "escalation_due", "escalated",
    "completed", "waived", "in_progress",
)  # fmt: skip


def add_orders(tenant: Tenant) -> None:
    """Add orders; the trigger queues their feedback requests, whose state is settled afterwards."""
    count = max(len(_ORDER_CASES), round(tenant.profile.clients * 1.5))
    for number, case in enumerate(islice(cycle(_ORDER_CASES), count), start=1):
        _add_order(tenant, case, f"O-{10_000 + number}")


def _add_order(tenant: Tenant, case: str, number: str) -> None:
    world = tenant.world
    person = None if case == "no_contact" else tenant.person()
    if case in ("asked_lately", "asked_before"):
        days = 18 if case == "asked_lately" else 45
        earlier = _order(tenant, f"{number}-A", world.ago(days + 8), person)
        _request(tenant, earlier, person, asked=days, status="sent" if case == "asked_lately" else "expired")
    delivered_at = None if case == "open" else world.ago(*_DELIVERED.get(case, (7.2, 14)))
    status = {"open": "in_production", "returned": "returned"}.get(case, "delivered")
    order = _order(tenant, number, delivered_at, person, status)
    if case in ("open_case", "closed_case"):
        _case(tenant, order, person, title="A door does not close", status=case.removesuffix("_case"))
    if case in ("expiry_due", "expired"):
        _request(
            tenant,
            order,
            person,
            asked=31 if case == "expiry_due" else 42,
            status="sent" if case == "expiry_due" else case,
        )
    elif case in _ANSWERS and delivered_at is not None:
        _answered_request(tenant, order, person, case, (world.now - delivered_at).days - 8)
    elif delivered_at is not None:
        _request(tenant, order, person, asked=None, status="pending")


def _order(
    tenant: Tenant,
    number: str,
    delivered_at: datetime | None,
    person: Person | None,
    status: str = "delivered",
) -> UUID:
    return tenant.add(
        "orders",
        client_id=person.client if person else tenant.silent_client(),
        contact_id=person.contact if person else None,
        order_number=number,
        status=status,
        delivered_at=delivered_at,
        created_at=(delivered_at or tenant.world.now) - timedelta(days=20),
    )


def _request(
    tenant: Tenant, order: UUID, person: Person | None, *, asked: float | None, status: str, **values: Any
) -> None:
    """Settle what the trigger queues for the order; `asked` is how many days ago the request was sent."""
    sent_at = tenant.world.ago(asked) if asked is not None else None
    tenant.world.rows["requests"].append(
        {
            "id": tenant.world.new_id(),
            "order_id": order,
            "contact_id": person.contact if person else None,
            "status": status,
            "sent_at": sent_at,
            "expires_at": sent_at + timedelta(days=30) if sent_at else None,
            **values,
        }
    )


def _answered_request(tenant: Tenant, order: UUID, person: Person | None, case: str, asked: int) -> None:
    sentiment, score, summary = _ANSWERS[case]
    recovery = None
    if sentiment == "negative":
        recovery = _case(tenant, order, person, title="Unhappy after delivery", status="open", source="fleet")
    _request(
        tenant,
        order,
        person,
        asked=asked,
        status="responded",
        responded_at=tenant.world.ago(asked - 2),
        sentiment=sentiment,
        sentiment_score=score,
        response_summary=summary,
        case_created_id=recovery,
        service_recovery_triggered=recovery is not None,
    )


def _case(
    tenant: Tenant, order: UUID, person: Person | None, *, title: str, status: str, source: str = "phone"
) -> UUID:
    return tenant.add(
        "cases",
        order_id=order,
        client_id=person.client if person else None,
        contact_id=person.contact if person else None,
        title=title,
        status=status,
        priority="high" if source == "fleet" else "medium",
        source=source,
        created_at=tenant.world.ago(2, 6),
    )


def add_found_data(tenant: Tenant) -> None:
    """Add rows to the enrichment queue, and signals that wait or were acted on."""
    for case in islice(cycle(_QUEUE_CASES), max(len(_QUEUE_CASES), tenant.profile.clients // 2)):
        _add_queue_row(tenant, case)
    signals = cycle(_SIGNALS)
    for case in islice(cycle(_SIGNAL_CASES), max(9, tenant.profile.clients // 3)):
        _add_signal(tenant, case, next(signals))


def _add_queue_row(tenant: Tenant, case: str) -> None:
    world, person = tenant.world, tenant.person()
    found: dict[str, str] | None = {
        "first_name": person.first_name,
        "mobile": f"+49 151 555 {world.random.randrange(10_000, 100_000)}",
        "linkedin_url": f"https://www.linkedin.com/in/{person.first_name}-{person.last_name}".lower(),
    }
    address = person.address
    if case == "conflicts":
        found = {"title": "Interim Manager", "last_name": world.random.choice(names.LAST_NAMES)}
    elif case == "unknown_address":
        address = f"nobody.{world.random.randrange(1000)}@elsewhere.example"
    elif case == "no_data":
        found = None
    values: dict[str, Any] = {"status": "pending"}
    if case in ("stuck", "being_worked_on"):
        values = {"status": "processing", "claimed_at": world.ago(2 / 24 if case == "stuck" else 5 / 1440)}
    elif case == "completed":
        values = {
            "status": "completed",
            "merged_to_contact_id": person.contact,
            "processed_at": world.ago(1, 20),
        }
    elif case == "failed":
        values = {
            "status": "failed",
            "error_message": "the provider refused the key",
            "processed_at": world.ago(1, 20),
        }
    tenant.add(
        "contact_enrichment_queue",
        email_address=address,
        source="apollo" if case in ("no_data", "failed") else "email_signature",
        extracted_data=found,
        created_at=world.ago(0.1, 0.9) if case != "completed" else world.ago(21),
        **values,
    )


def _add_signal(tenant: Tenant, case: str, signal: tuple[str, float, str, str]) -> None:
    kind, strength, text, source = signal
    world, person = tenant.world, tenant.person()
    values: dict[str, Any] = {}
    created_at = world.ago(0.2, 6)
    if case == "acted_on":
        values = {
            "actioned": True,
            "actioned_at": created_at + timedelta(hours=world.random.uniform(1, 30)),
            "action_taken": "task for the owner",
            "action_result": "call arranged",
        }
    tenant.add(
        "opportunity_signals",
        source_type=source,
        source_id=world.new_id(),
        client_id=person.client,
        contact_id=person.contact,
        signal_type=kind,
        signal_strength=strength,
        extracted_text=text,
        created_at=created_at,
        **values,
    )


def add_compliance(tenant: Tenant) -> None:
    """Add schedules (due, not due, paused, one with a filter nobody knows) and checks in every state."""
    insured, consented, taxed = ["insurance_valid_until"], ["consent_given_on"], ["vat_id"]
    cfo = {"title": "Chief Financial Officer", "is_primary": True}
    _schedule(tenant, "Proof of insurance", "vendor", due_in=9, required=insured, chosen={"category": "strategic"})
    _schedule(tenant, "Data processing terms", "client", due_in=6, required=taxed, chosen={"country": ["CH", "NL"]})
    _schedule(tenant, "Consent to be contacted", "contact", due_in=11, required=consented, chosen=cfo)
    _schedule(tenant, "Export licence", "client", due_in=75, required=taxed, chosen={"country": "JP"})
    _schedule(tenant, "Regional tax form", "client", due_in=4, required=taxed, chosen={"region": "EMEA"})
    _schedule(tenant, "Factory visit", "vendor", due_in=3, required=[], chosen={}, is_active=False)
    assessed = ["assessment_valid_until"]
    running = _schedule(tenant, "Supplier self-assessment", "vendor", due_in=80, required=assessed, chosen={})
    for case, (vendor, name) in zip(cycle(_CHECK_CASES), tenant.vendors):
        _add_check(tenant, case, running, vendor, name)


def _schedule(
    tenant: Tenant,
    kind: str,
    target: str,
    *,
    due_in: float,
    required: list[str],
    chosen: dict[str, Any],
    is_active: bool = True,
) -> UUID:
    frequency = "quarterly" if kind == "Supplier self-assessment" else "annual"
    return tenant.add(
        "compliance_schedule",
        compliance_type=kind,
        description=f"{kind} of every {target}, {frequency}",
        frequency=frequency,
        next_due_at=tenant.world.ago(-due_in),
        target_entity_type=target,
        target_filter=chosen,
        required_fields=required,
        is_active=is_active,
        created_at=tenant.world.ago(300),
    )


def _add_check(tenant: Tenant, case: str, schedule: UUID, vendor: UUID, name: str) -> None:
    world = tenant.world
    due_at = world.ago({
        "reminder_due": -10, "second_reminder_due": -4, "waiting": -6, "became_overdue": 1, "overdue": 3,
        "escalation_due": 8, "escalated": 12, "in_progress": -5,
    }.get(case, 6))  # fmt: skip
    status = {
        "reminder_due": "pending", "second_reminder_due": "awaiting_response", "waiting": "awaiting_response",
        "became_overdue": "awaiting_response", "escalation_due": "overdue",
    }.get(case, case)  # fmt: skip
    reminded = {"second_reminder_due": 8, "waiting": 2, "became_overdue": 9, "overdue": 10, "escalation_due": 15,
                "escalated": 20}.get(case)  # fmt: skip
    values: dict[str, Any] = {}
    if reminded is not None:
        values = {"reminder_sent_at": world.ago(reminded), "reminder_count": 1}
    if case == "escalated":
        values |= {"escalation_sent_at": world.ago(5), "escalated_to": tenant.compliance}
    if case in ("completed", "waived"):
        values |= {"completed_at": world.ago(7), "completed_by": tenant.compliance}
    if case == "waived":
        values["waived_reason"] = "The contract with this vendor has ended"
    period_end = due_at.date()
    tenant.add(
        "compliance_checks",
        schedule_id=schedule,
        compliance_type="Supplier self-assessment",
        entity_type="vendor",
        entity_id=vendor,
        entity_name=name,
        period_start=period_end - timedelta(days=91),
        period_end=period_end,
        due_at=due_at,
        status=status,
        required_fields=["assessment_valid_until"],
        missing_fields=[] if case in ("completed", "waived", "reminder_due") else ["assessment_valid_until"],
        created_at=world.ago(25),
        **values,
    )
