"""If these fail, whoever answers for a tenant's duties sees less than there is, or cannot say what is settled."""

import csv
import io
import json
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from tests.console import signed_in
from tests.crm import Crm, days
from workers import clock
from workers.db.session import Connection

STATES = ("pending", "awaiting_response", "overdue", "completed")


@pytest.fixture
def agent(client: httpx.Client, connection: Connection, crm: Crm, tenant: UUID) -> Iterator[httpx.Client]:
    person = crm.profile(tenant, email="carl@northwind.example", role="compliance")
    with signed_in(client, connection, person) as visitor:
        yield visitor


def test_every_entity_is_on_one_page_of_the_matrix_and_every_check_in_the_file(
    agent: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    for number in range(120):
        entity = crm.client(tenant)
        name = "Acme" if number < 60 else f"acme {number:03}"  # a page ends among those of the same name
        crm.check(
            tenant, entity, entity_name=name, status=STATES[number % 4], completed_at=clock.now(), due_at=clock.now()
        )
    old, new = days(-400), days(5)
    for due, status in ((old, "overdue"), (new, "completed"), (days(-800), "completed")):
        crm.check(tenant, entity, entity_name=name, due_at=clock.now() + due, status=status, completed_at=clock.now())
    for query, expected in (("", 121), ("?status=overdue", 32), ("?name=ACME+100", 21)):
        seen: list[str] = []
        path: str | None = f"/console/compliance{query}"
        while path:
            page = agent.get(path).text
            seen += [part.partition('"')[0] for part in page.split('class="cell" href="/console/compliance/')[1:]]
            link = page.partition('rel="next"')[0].rpartition('<a class="button" href="')[2].partition('"')[0]
            path = link.replace("&amp;", "&") if 'rel="next"' in page else None
        assert len(seen) == len(set(seen)) == expected, query
    assert "Overdue&nbsp;<span" in page
    rows = list(csv.DictReader(io.StringIO(agent.get("/console/compliance.csv").text)))
    assert len(rows) == 123
    assert {row["status"] for row in rows} == set(STATES)
    assert "Nobody is like this." in agent.get("/console/compliance?status=waived").text
    assert agent.get("/console/compliance?status=x").status_code == 404
    assert agent.get("/console/compliance?after=x").status_code == 404


def test_a_check_shows_what_speaks_for_and_against_it_and_a_person_settles_it(
    agent: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    entity = crm.client(tenant)
    crm.execute(
        "UPDATE clients SET attributes = %s WHERE id = %s",
        json.dumps({"tax_id": "DE 1", "insurance_valid_until": "2019-01-31", "permit_date": "soon"}), entity,
    )  # fmt: skip
    fields = ["tax_id", "insurance_valid_until", "permit_date", "iban"]
    first, second = (
        crm.check(tenant, entity, required_fields=fields, compliance_type=name, status="awaiting_response")
        for name in ("Insurance", "Permit")
    )
    page = agent.get(f"/console/compliance/{first}").text
    assert [page.count(f"{word}</span>") for word in ("fine", "lapsed", "cannot be told", "missing")] == [1, 1, 1, 1]
    assert "insurance_valid_until lapsed on 2019-01-31" in page

    refused = agent.post(f"/console/compliance/{first}", data={"decision": "waive", "said": " "})
    assert (refused.status_code, "a waiver needs a reason" in refused.text) == (400, True)
    agent.post(f"/console/compliance/{first}", data={"decision": "answer", "said": "they send it tomorrow"})
    assert "in progress" in agent.get(f"/console/compliance/{first}").text
    agent.post(f"/console/compliance/{first}", data={"decision": "complete", "said": "certificate 17 seen"})
    agent.post(f"/console/compliance/{second}", data={"decision": "waive", "said": "they sold the lorry"})

    rows = crm.rows("SELECT status, waived_reason, notes FROM compliance_checks ORDER BY compliance_type")
    assert [tuple(row.values()) for row in rows] == [
        ("completed", None, "certificate 17 seen"), ("waived", "they sold the lorry", None),
    ]  # fmt: skip
    page = agent.get(f"/console/compliance/{first}").text
    assert "carl@northwind.example completes a check" in page
    assert 'name="decision"' not in page
    assert agent.post(f"/console/compliance/{first}", data={"decision": "waive", "said": "x"}).status_code == 409
    assert agent.post(f"/console/compliance/{second}", data={"decision": "x"}).status_code == 400
    assert agent.get("/console/compliance/x").status_code == 404
