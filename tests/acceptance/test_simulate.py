"""If this fails, a simulation foretells what the fleet then does not do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.crm import Crm, days
from tests.quarter import SINCE, live_through, two_tenants
from workers.resources import shipped
from workers.settings import settings
from workers.simulate.course import in_order, simulate
from workers.simulate.outcome import Entry
from workers.simulate.plan import Plan

MINUTE = timedelta(minutes=1)


def test_the_fleet_does_on_each_day_what_the_simulation_foretold(
    crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    plan = Plan(SINCE, SINCE + days(8), two_tenants(crm), reply_rate=0.3, seed=3)

    foretold = simulate(crm.connection, plan)
    came_in = live_through(crm, plan)

    assert [one for one in foretold.entries if one.what not in ("put off", "passed over")] == happened(
        crm, plan, came_in
    )
    afterwards = simulate(crm.connection, replace(plan, since=plan.until + MINUTE, until=plan.until + 2 * MINUTE))
    assert foretold.state == afterwards.state
    written = [one for one in foretold.entries if one.what in ("message", "forward")]
    letters = list((settings().fleet_home / "mail" / "new").glob("*.eml"))
    assert sum(one.n for one in written) == len(letters) > 20
    assert {one.engine for one in written} == {"compliance", "deals", "feedback", "quotes"}
    assert {one.what for one in written} == {"message", "forward"}
    assert came_in


def happened(crm: Crm, plan: Plan, came_in: list[UUID]) -> list[Entry]:
    """What is in the outbox and among the mails, as a simulation reports it."""
    values: dict[str, Any] = {"tenants": list(plan.tenants), "last": 0, "waiting": [], "answers": came_in}
    statement = (shipped("schema") / "simulate" / "entries.sql").read_bytes()
    rows = crm.connection.execute(statement, values | {"since": plan.since, "until": plan.until}).fetchall()
    return sorted((Entry(**row) for row in rows), key=in_order)
