"""Enrichment: found contact data is merged, never over what is there, and no row stays stuck."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from workers import clock
from workers.db.session import Connection, connect, transaction
from workers.engines.base import Tally
from workers.engines.registry import engine_named


@pytest.fixture
def second(database_url: str) -> Iterator[Connection]:
    """Another worker's connection."""
    with connect(database_url) as connection:
        yield connection


def settled(crm: Crm, queue: UUID) -> dict[str, Any]:
    return crm.row("contact_enrichment_queue", queue)


def batch(connection: Connection, tenant: UUID, limit: int = 100) -> Tally:
    with clock.at(NOW), transaction(connection):
        return engine_named("enrichment").batch(connection, tenant, limit, 0)


def test_an_empty_field_is_filled_and_the_row_says_where(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant, title=" ")
    queue = crm.enrichment(tenant, contact_id=contact, extracted_data={"title": "CTO", "linkedin_url": None})
    crm.run("enrichment")
    assert crm.row("contacts", contact)["title"] == "CTO"
    row = settled(crm, queue)
    assert (row["status"], row["merged_to_contact_id"], row["processed_at"]) == ("completed", contact, NOW)


def test_a_different_value_is_never_overwritten_but_recorded(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant, title="CEO")
    queue = crm.enrichment(tenant, contact_id=contact, source="apollo")
    crm.run("enrichment")
    assert crm.row("contacts", contact)["title"] == "CEO"
    row = settled(crm, queue)
    assert row["status"] == "completed"
    assert row["merge_conflicts"] == [{"field": "title", "current": "CEO", "proposed": "CTO", "source": "apollo"}]


def test_the_contact_is_found_by_address_whatever_its_case(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant, email="Ann@Acme.example")
    queue = crm.enrichment(tenant, email_address=" ann@ACME.example")
    crm.run("enrichment")
    assert settled(crm, queue)["merged_to_contact_id"] == contact


@pytest.mark.parametrize("other", ["ann@acme.example", "Ann+crm@ACME.example"])
def test_what_is_found_by_an_address_of_two_contacts_is_left_to_a_person(crm: Crm, other: str) -> None:
    tenant = crm.tenant()
    eldest, younger = crm.contact(tenant, email="ann@acme.example"), crm.contact(tenant, email=other)
    stranger = crm.contact(crm.tenant(), email="ann@acme.example")
    queue = crm.enrichment(tenant, email_address="ann@acme.example", extracted_data={"title": "CTO"})
    crm.run("enrichment")
    assert [crm.row("contacts", contact)["title"] for contact in (eldest, younger, stranger)] == [None, None, None]
    row = settled(crm, queue)
    assert (row["status"], row["error_message"]) == (
        "completed",
        "several contacts have this address: nothing was filled",
    )
    (conflict,) = crm.rows("SELECT * FROM list_conflicts(%s, 10)", tenant)
    assert (conflict["field"], conflict["current"], conflict["proposed"]) == ("title", "", "CTO")
    assert crm.one("SELECT decide_conflict(%s, 'title', 'accepted', 'eva') AS refusal", queue)["refusal"] is None
    assert sorted(filter(None, (crm.row("contacts", contact)["title"] for contact in (eldest, younger)))) == ["CTO"]


def test_a_contact_that_a_person_named_is_filled_though_another_has_its_address(crm: Crm) -> None:
    tenant = crm.tenant()
    contact, _ = crm.contact(tenant, email="ann@acme.example"), crm.contact(tenant, email="ann@acme.example")
    crm.enrichment(tenant, contact_id=contact, email_address="ann@acme.example", source="manual")
    crm.run("enrichment")
    assert crm.row("contacts", contact)["title"] == "CTO"


def test_a_value_that_is_none_reaches_neither_the_contact_nor_a_person(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant, title=None)
    found = {"title": '=HYPERLINK("https://evil.example")', "linkedin_url": "javascript:alert(1)", "phone": "call me"}
    queue = crm.enrichment(tenant, contact_id=contact, extracted_data={**found, "mobile": "+447911123456"})
    crm.run("enrichment")
    row = crm.row("contacts", contact)
    assert (row["title"], row["linkedin_url"], row["mobile"]) == (None, None, "+447911123456")
    assert settled(crm, queue)["merge_conflicts"] == []
    assert settled(crm, queue)["error_message"] == "not taken over, as it is none: title, phone, linkedin_url"


def test_data_about_nobody_we_know_is_skipped_with_that_reason(crm: Crm) -> None:
    queue = crm.enrichment(crm.tenant())
    crm.run("enrichment")
    row = settled(crm, queue)
    assert (row["status"], row["error_message"]) == ("skipped", "no contact with this address")


@pytest.mark.parametrize("data", [None, "{}", "[]", '"CTO"'])
def test_a_row_that_brought_no_data_is_skipped_with_that_reason(crm: Crm, data: str | None) -> None:
    tenant = crm.tenant()
    queue = crm.enrichment(tenant, contact_id=crm.contact(tenant))
    crm.execute("UPDATE contact_enrichment_queue SET extracted_data = %s::jsonb", data)
    crm.run("enrichment")
    row = settled(crm, queue)
    assert (row["status"], row["error_message"]) == (
        "skipped",
        "nothing to merge: email_signature brought no data",
    )


def test_of_two_finds_about_one_contact_the_older_fills_and_the_newer_conflicts(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    newer = crm.enrichment(tenant, contact_id=contact, extracted_data={"title": "CFO"}, created_at=NOW)
    older = crm.enrichment(tenant, contact_id=contact, created_at=NOW - days(1))
    crm.run("enrichment")
    assert crm.row("contacts", contact)["title"] == "CTO"
    assert settled(crm, older)["merge_conflicts"] == []
    assert [conflict["proposed"] for conflict in settled(crm, newer)["merge_conflicts"]] == ["CFO"]


@pytest.mark.parametrize(("minutes", "status"), [(29, "processing"), (30, "completed")])
def test_a_row_whose_worker_was_lost_comes_back_after_half_an_hour(crm: Crm, minutes: int, status: str) -> None:
    tenant = crm.tenant()
    queue = crm.enrichment(
        tenant,
        contact_id=crm.contact(tenant),
        status="processing",
        claimed_at=NOW - timedelta(minutes=minutes),
    )
    assert crm.due_tenants("enrichment") == ({tenant} if status == "completed" else set())
    crm.run("enrichment")
    assert settled(crm, queue)["status"] == status


def test_lost_rows_come_back_even_while_many_others_wait(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    for _ in range(5):
        crm.enrichment(tenant, contact_id=contact)
    crm.enrichment(tenant, contact_id=contact, status="processing", claimed_at=NOW - days(1), created_at=NOW)
    assert crm.run("enrichment", batch_size=2).tally.due == 6
    assert {row["status"] for row in crm.rows("SELECT status FROM contact_enrichment_queue")} == {"completed"}


def test_every_pending_row_is_reached_not_the_first_batch_over_and_over(crm: Crm) -> None:
    tenant = crm.tenant()
    for number in range(45):
        contact = crm.contact(tenant, email=f"{number}@acme.example")
        crm.enrichment(tenant, contact_id=contact)
    crm.run("enrichment", batch_size=20)
    assert crm.one("SELECT count(*) AS n FROM contacts WHERE title = 'CTO'")["n"] == 45


def test_two_workers_on_one_contact_do_not_both_find_its_field_empty(crm: Crm, second: Connection) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    crm.enrichment(tenant, contact_id=contact, created_at=NOW - days(1))
    newer = crm.enrichment(tenant, contact_id=contact, extracted_data={"title": "CFO"}, created_at=NOW)
    with crm.connection.transaction():
        assert batch(crm.connection, tenant, limit=1).due == 1
        meanwhile = batch(second, tenant, limit=1)
        assert (meanwhile.due, meanwhile.busy) == (0, 1)
    assert settled(crm, newer)["status"] == "pending"
    batch(second, tenant)
    assert crm.row("contacts", contact)["title"] == "CTO"
    assert [conflict["proposed"] for conflict in settled(crm, newer)["merge_conflicts"]] == ["CFO"]


def test_settling_never_overwrites_whatever_the_caller_decided(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant, title="CEO")
    queue = crm.enrichment(tenant, contact_id=contact)
    crm.execute(
        "SELECT settle_enrichment(%s, jsonb_build_array(jsonb_build_object('queue_id', %s::uuid, 'contact_id',"
        " %s::uuid, 'status', 'completed', 'fill', jsonb_build_object('title', 'CTO', 'phone', '+46 8 1'))))",
        tenant, queue, contact,
    )  # fmt: skip
    row = crm.row("contacts", contact)
    assert (row["title"], row["phone"]) == ("CEO", "+46 8 1")


def test_the_pending_read_shows_the_oldest_twenty(crm: Crm) -> None:
    tenant = crm.tenant()
    ids = [crm.enrichment(tenant, created_at=NOW - days(30 - number)) for number in range(22)]
    crm.enrichment(tenant, status="completed", created_at=NOW - days(90))
    assert [row["queue_id"] for row in crm.read("get_pending_enrichment", tenant)] == ids[:20]


def test_switched_off_nothing_is_merged(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "enrichment", "off")
    contact = crm.contact(tenant)
    queue = crm.enrichment(tenant, contact_id=contact)
    crm.run("enrichment")
    batch(crm.connection, tenant)
    assert settled(crm, queue)["status"] == "pending"
    assert crm.row("contacts", contact)["title"] is None


@pytest.mark.parametrize("by_id", [True, False])
def test_another_tenants_contact_is_neither_read_nor_written(crm: Crm, by_id: bool) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    contact = crm.contact(theirs, phone="+46 8 777")
    data = {"title": "CTO", "phone": "+46 8 1"}
    with crm.unchecked():
        queue = crm.enrichment(ours, contact_id=contact if by_id else None, extracted_data=data)
    crm.run("enrichment")
    row = settled(crm, queue)
    assert (row["status"], row["merge_conflicts"]) == ("skipped", [])
    assert crm.row("contacts", contact)["title"] is None


def test_what_the_crm_refuses_fails_alone_with_the_crms_words(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.execute("CREATE UNIQUE INDEX one_address ON contacts (tenant_id, lower(email))")
    crm.contact(tenant, email="taken@acme.example")
    empty, healthy = crm.contact(tenant, email=None), crm.contact(tenant, email="ann@acme.example")
    found = {"tenant_id": tenant, "source": "manual"}
    refused = crm.insert(
        "contact_enrichment_queue", contact_id=empty, extracted_data={"email": "taken@acme.example"}, **found
    )
    merged = crm.insert("contact_enrichment_queue", contact_id=healthy, extracted_data={"title": "Buyer"}, **found)
    crm.run("enrichment")
    assert settled(crm, refused)["status"] == "failed"
    assert "one_address" in settled(crm, refused)["error_message"]
    assert settled(crm, merged)["status"] == "completed"
    assert crm.run("enrichment").tally.due == 0


def test_a_row_stuck_in_processing_comes_back_even_if_nobody_noted_since_when(crm: Crm) -> None:
    tenant = crm.tenant()
    queue = crm.insert(
        "contact_enrichment_queue", tenant_id=tenant, contact_id=crm.contact(tenant), source="manual",
        status="processing", extracted_data={"title": "Buyer"}, created_at=NOW - days(9),
    )  # fmt: skip
    crm.run("enrichment")
    assert settled(crm, queue)["status"] == "completed"
