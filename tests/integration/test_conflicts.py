"""If these fail, people decide the same conflict twice, or a decision overwrites what has changed since."""

import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner, Result

from tests.crm import NOW, Crm, days
from workers.cli import app
from workers.db.session import connect
from workers.errors import UnknownNameError
from workers.settings import settings


@pytest.fixture(autouse=True)
def _here(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("USER", "olive")
    settings.cache_clear()
    yield
    settings.cache_clear()


def fleet(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["conflicts", *arguments])


def listed(*arguments: str) -> list[dict[str, Any]]:
    result = fleet("list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.output)
    return rows


def conflict(crm: Crm, tenant: UUID | None = None, current: str = "CEO", **data: str) -> tuple[UUID, str]:
    """Let a contact with a title meet found data that says otherwise; returns the contact and the conflict's id."""
    tenant = tenant or crm.tenant()
    contact = crm.contact(tenant, title=current, email=f"{uuid4()}@acme.example")
    found(crm, tenant, contact, **data or {"title": "CTO"})
    return contact, listed()[-1]["id"]


def found(crm: Crm, tenant: UUID, contact: UUID, source: str = "manual", **data: str) -> UUID:
    row = crm.enrichment(tenant, contact_id=contact, source=source, extracted_data=data)
    crm.run("enrichment")
    return row


def recorded(crm: Crm, row: UUID) -> list[Any]:
    conflicts: list[Any] = crm.row("contact_enrichment_queue", row)["merge_conflicts"]
    return conflicts


def decisions(crm: Crm) -> list[tuple[str, str, str, str]]:
    rows = crm.rows("SELECT * FROM merge_decisions ORDER BY id")
    return [(row["field"], row["proposed"], row["decision"], row["decided_by"]) for row in rows]


def test_the_list_says_whose_what_and_from_where(crm: Crm) -> None:
    tenant = crm.tenant("Northwind")
    conflict(crm, tenant)
    (row,) = listed()
    assert {name: row[name] for name in ("tenant_name", "contact", "field", "current", "proposed", "source")} == {
        "tenant_name": "Northwind", "contact": "Ann", "field": "title", "current": "CEO", "proposed": "CTO",
        "source": "manual",
    }  # fmt: skip
    table = fleet("list").output
    assert row["id"] in table
    assert all(word in table for word in ("Northwind", "Ann", "title", "CEO", "CTO", "manual"))


def test_values_are_shown_as_they_are_not_as_markup(crm: Crm) -> None:
    conflict(crm, current="[red]CEO[/red]")
    assert "[red]CEO[/red]" in fleet("list").output


def test_the_list_can_be_one_tenants(crm: Crm) -> None:
    conflict(crm)
    conflict(crm, mine := crm.tenant("Mine"))
    assert [row["tenant_name"] for row in listed("--tenant", str(mine))] == ["Mine"]


def test_accepting_takes_the_value_over_and_keeps_the_decision(crm: Crm) -> None:
    contact, id_ = conflict(crm)
    result = fleet("accept", id_)
    assert (result.exit_code, result.output) == (0, f"accepted: {id_}\n")
    assert crm.row("contacts", contact)["title"] == "CTO"
    assert decisions(crm) == [("title", "CTO", "accepted", "olive")]
    assert listed() == []


def test_rejecting_keeps_the_value_and_the_decision(crm: Crm) -> None:
    contact, id_ = conflict(crm)
    assert fleet("reject", id_, "--by", "Bob").exit_code == 0
    assert crm.row("contacts", contact)["title"] == "CEO"
    assert decisions(crm) == [("title", "CTO", "rejected", "Bob")]
    assert listed() == []


@pytest.mark.parametrize("again", ["CTO", "cto", " C T O "])
def test_what_was_rejected_is_not_asked_again_however_it_is_written(crm: Crm, again: str) -> None:
    contact, id_ = conflict(crm)
    fleet("reject", id_)
    tenant = crm.row("contacts", contact)["tenant_id"]
    assert recorded(crm, found(crm, tenant, contact, title=again)) == []
    assert [one["proposed"] for one in recorded(crm, found(crm, tenant, contact, title="CFO"))] == ["CFO"]
    other, _ = conflict(crm, tenant)
    assert other != contact
    assert sorted(row["proposed"] for row in listed()) == ["CFO", "CTO"]


def test_a_rejected_telephone_is_the_same_in_the_tenants_way_of_writing(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_delivery (tenant_id, phone_region) VALUES (%s, 'DE')", tenant)
    contact = crm.contact(tenant, phone="+49 30 901820")
    found(crm, tenant, contact, phone="030 901821")
    fleet("reject", listed()[0]["id"])
    assert recorded(crm, found(crm, tenant, contact, phone="+4930901821")) == []


def test_a_stale_conflict_is_not_accepted_and_says_why(crm: Crm) -> None:
    contact, id_ = conflict(crm)
    crm.update("contacts", contact, title="Chair")
    result = fleet("accept", id_)
    assert isinstance(result.exception, UnknownNameError)
    assert "title is now 'Chair' and no longer 'CEO'" in str(result.exception)
    assert crm.row("contacts", contact)["title"] == "Chair"
    assert decisions(crm) == []
    assert fleet("reject", id_).exit_code == 0  # it can still be put away


def test_a_value_emptied_since_is_stale_too(crm: Crm) -> None:
    contact, id_ = conflict(crm)
    crm.update("contacts", contact, title=None)
    assert "title is now empty" in str(fleet("accept", id_).exception)


def test_a_decision_is_made_once(crm: Crm) -> None:
    contact, id_ = conflict(crm)
    fleet("reject", id_)
    assert "it was rejected already on" in str(fleet("accept", id_).exception)
    assert crm.row("contacts", contact)["title"] == "CEO"


def test_a_company_is_not_the_contacts_own(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant, crm.client(tenant, company_name="Acme"))
    found(crm, tenant, contact, company="Globex")
    id_ = listed()[0]["id"]
    assert "company is not the contact's own" in str(fleet("accept", id_).exception)
    assert fleet("reject", id_).exit_code == 0


def test_of_several_ids_the_good_ones_are_decided(crm: Crm) -> None:
    _, first = conflict(crm)
    result = fleet("accept", first, f"{uuid4()}:title")
    assert f"accepted: {first}" in result.output
    assert "there is no such conflict" in str(result.exception)


@pytest.mark.parametrize("text", ["7", "", "title:CTO"])
def test_what_is_no_id_is_named(text: str) -> None:
    assert "is no conflict's id" in str(fleet("accept", text).exception)


def test_the_same_proposal_made_twice_is_asked_once(crm: Crm) -> None:
    contact, id_ = conflict(crm)
    found(crm, crm.row("contacts", contact)["tenant_id"], contact, title="CTO")
    assert len(listed()) == 1
    fleet("reject", id_)
    assert listed() == []


def test_what_came_true_by_itself_is_not_asked(crm: Crm) -> None:
    contact, _ = conflict(crm)
    crm.update("contacts", contact, title="CTO")
    assert listed() == []


def test_the_oldest_comes_first(crm: Crm) -> None:
    tenant = crm.tenant()
    for name, at in (("CFO", NOW), ("COO", NOW - days(1))):
        contact = crm.contact(tenant, title="CEO", email=f"{name}@acme.example")
        crm.enrichment(tenant, contact_id=contact, extracted_data={"title": name})
        crm.run("enrichment", at=at)
    assert [row["proposed"] for row in listed()] == ["COO", "CFO"]


def test_two_people_who_decide_at_once_do_not_both(crm: Crm, database_url: str) -> None:
    contact, id_ = conflict(crm)
    queue = id_.partition(":")[0]
    problems: list[str | None] = []

    def decide(decision: str) -> None:
        with connect(database_url) as connection:
            row = connection.execute("SELECT decide_conflict(%s, 'title', %s, NULL) AS p", [queue, decision]).fetchone()
            assert row is not None
            problems.append(row["p"])

    threads = [threading.Thread(target=decide, args=(decision,)) for decision in ("accepted", "rejected")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len([problem for problem in problems if problem is None]) == 1
    assert len(decisions(crm)) == 1
    assert crm.row("contacts", contact)["title"] == ("CTO" if decisions(crm)[0][2] == "accepted" else "CEO")
