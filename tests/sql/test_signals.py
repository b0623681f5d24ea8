"""How strong a signal is, and which ones wait for somebody to act."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days


def strength(crm: Crm, kind: str, context: dict[str, Any] | None = None) -> float:
    value = crm.read("calculate_signal_strength", kind, Jsonb(context or {}))[0]["calculate_signal_strength"]
    return float(value)


def test_every_kind_of_signal_has_its_base(crm: Crm) -> None:
    bases = {
        "complaint": 0.8, "urgency": 0.9, "budget_mention": 0.85, "competitor_mention": 0.75, "expansion": 0.95,
        "renewal": 0.9, "upsell": 0.85, "referral": 0.95, "churn_risk": 0.95, "a kind of tomorrow": 0.5,
    }  # fmt: skip
    assert {kind: strength(crm, kind) for kind in bases} == bases


def test_what_makes_a_signal_stronger(crm: Crm) -> None:
    cases: list[tuple[dict[str, Any], float]] = [
        ({"keyword_count": 2}, 0.75),
        ({"keyword_count": 3}, 0.85),
        ({"is_decision_maker": True}, 0.8),
        ({"is_decision_maker": False, "keyword_count": 0}, 0.75),
        ({"is_decision_maker": True, "keyword_count": 3}, 0.9),
        ({"is_decision_maker": None, "keyword_count": None}, 0.75),
    ]
    assert [strength(crm, "competitor_mention", context) for context, _ in cases] == [want for _, want in cases]


def test_no_signal_is_stronger_than_one(crm: Crm) -> None:
    assert strength(crm, "churn_risk", {"keyword_count": 9, "is_decision_maker": True}) == 1


def test_one_signal_per_source_and_kind(crm: Crm) -> None:
    tenant = crm.tenant()
    signal = {"tenant_id": tenant, "source_type": "email", "source_id": uuid4(), "signal_type": "renewal"}
    crm.insert("opportunity_signals", **signal, signal_strength=0.9)
    with pytest.raises(psycopg.errors.UniqueViolation):
        crm.insert("opportunity_signals", **signal, signal_strength=0.5)


def test_the_strongest_unactioned_signals_come_first_then_the_oldest(crm: Crm) -> None:
    tenant, other = crm.tenant(), crm.tenant()

    def signal(value: float, **values: Any) -> Any:
        defaults = {
            "tenant_id": tenant,
            "source_type": "email",
            "source_id": uuid4(),
            "signal_type": "renewal",
        }
        return crm.insert("opportunity_signals", **defaults | {"signal_strength": value} | values)

    newer = signal(0.9, created_at=NOW)
    older = signal(0.9, created_at=NOW - days(3))
    strongest = signal(1)
    signal(1, actioned=True)
    signal(1, tenant_id=other)
    for _ in range(20):
        signal(0.5)
    rows = crm.read("get_unactioned_signals", tenant)
    assert len(rows) == 20
    assert [row["signal_id"] for row in rows[:3]] == [strongest, older, newer]
    assert len(crm.read("get_unactioned_signals", tenant, 100)) == 23
