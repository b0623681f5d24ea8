"""If these fail, what a CRM deleted or archived is still worked: people are written to who are not there any more."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from tests.sql.test_feedback import delivered, request_of


@pytest.mark.parametrize(
    ("column", "value", "gone"),
    [
        ("deleted_at timestamptz", "2026-02-01", True), ("archived_at timestamptz", "2026-02-01", True),
        ("is_deleted boolean", True, True), ("is_archived boolean", True, True), ("active boolean", False, True),
        ("deleted smallint", 1, True), ('"deletedAt" timestamptz', "2026-02-01", True), ("deleted text", "Y", True),
        ("is_deleted text", "t", True), ("deleted_on date", "2026-02-01", True), ('"IsDeleted" boolean', True, True),
        ("is_active char(3)", "No", True), ("inactive boolean", True, True), ("removed_at bigint", 1770000000, True),
        ("deleted_at text", "", False), ("deleted_at bigint", 0, False), ("deleted_at timestamptz", "infinity", False),
        ("is_active boolean", None, False), ("deleted text", "N", False), ("archived boolean", False, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("table", ["deals", "clients", "contacts"])
def test_what_a_crm_deleted_or_archived_is_gone_however_it_says_so(
    crm: Crm, table: str, column: str, value: Any, gone: bool
) -> None:
    tenant = crm.tenant()
    crm.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    client = crm.client(tenant)
    ids = {"clients": client, "contacts": crm.contact(tenant, client)}
    ids["deals"] = crm.deal(tenant, client_id=client)
    crm.update(table, ids[table], **{column.split(maxsplit=1)[0].strip('"'): value})
    crm.run("deals")
    assert len(crm.actions(kind="email")) == (not gone)
    assert len(crm.actions(template="deal_no_contact")) == (gone and table == "contacts")
    assert crm.run("deals", at=NOW + days(30)).tally.due == 0


@pytest.mark.parametrize(
    ("column", "value", "over"),
    [
        ("status text", "Won", True), ("status text", "cerrada perdida", True), ("state text", "CLOSED", True),
        ("is_won boolean", True, True), ('"isClosed" boolean', True, True), ("won_at date", "2026-02-01", True),
        ("closed_at date", "2026-02-01", True), ("outcome text", "lost", True),
        ("status text", "open", False), ("status text", "hot", False), ("state text", "TX", False),
        ("is_won boolean", False, False), ("closed_at timestamptz", None, False),
        ("closedate date", "2026-04-01", False),
    ],
)  # fmt: skip
def test_a_deal_that_is_over_is_not_followed_up_although_it_kept_its_stage(
    crm: Crm, column: str, value: Any, over: bool
) -> None:
    tenant = crm.tenant()
    deal = crm.deal(tenant, contact_id=crm.contact(tenant))
    crm.execute(f"ALTER TABLE deals ADD COLUMN {column}")
    crm.update("deals", deal, **{column.split(maxsplit=1)[0].strip('"'): value})
    crm.run("deals")
    assert len(crm.actions(kind="email")) == (not over)


def test_nothing_leaves_about_a_deal_or_its_quote_once_the_crm_notes_that_it_is_over(crm: Crm) -> None:
    tenant = crm.tenant()
    bob = crm.contact(tenant, email="bob@acme.example")
    deal, quoted = (crm.deal(tenant, contact_id=contact) for contact in (crm.contact(tenant), bob))
    crm.quote(tenant, contact_id=bob, deal_id=quoted)
    crm.open_always(tenant)
    for engine in ("deals", "quotes"):
        crm.run(engine)
    assert len(crm.actions(kind="email")) == 2
    crm.execute("ALTER TABLE deals ADD status text")
    for closed in (deal, quoted):
        crm.update("deals", closed, status="won")
    assert crm.send() == 0
    assert {action["reason"] for action in crm.actions(kind="email")} == {"the deal is closed"}
    assert [row["what"] for row in crm.read("deals_explained", tenant, deal) if "beside the stage" in row["what"]]


@pytest.mark.parametrize(
    ("column", "value", "asked"),
    [
        ("cancelled_at timestamptz", "2026-02-27", False), ('"isReturned" boolean', True, False),
        ("financial_status text", "partially_refunded", False), ("financial_status text", "paid", True),
        ("refunded_at timestamptz", None, True),
    ],
)  # fmt: skip
def test_nobody_is_asked_about_an_order_that_the_crm_notes_elsewhere_as_undone(
    crm: Crm, column: str, value: Any, asked: bool
) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.execute(f"ALTER TABLE orders ADD COLUMN {column}")
    crm.update("orders", order, **{column.split(maxsplit=1)[0].strip('"'): value})
    crm.run("feedback")
    assert len(crm.actions(kind="email")) == asked


def test_nothing_is_done_for_a_tenant_that_the_crm_deleted(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.deal(tenant, contact_id=crm.contact(tenant))
    crm.deal(tenant, contact_id=crm.contact(tenant, email="bob@acme.example"))
    crm.open_always(tenant)
    crm.run("deals")
    crm.execute("ALTER TABLE tenants ADD deleted_at timestamptz")
    crm.update("tenants", tenant, deleted_at=NOW)
    assert crm.send() == 0
    assert crm.run("deals", at=NOW + days(1)).tally.due == 0
    crm.update("tenants", tenant, deleted_at=None)
    assert crm.send() == 2


def test_nobody_is_asked_whose_company_was_deleted(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    order = delivered(crm, tenant, client_id=client, contact_id=crm.contact(tenant, client))
    crm.execute("ALTER TABLE clients ADD is_archived boolean")
    crm.update("clients", client, is_archived=True)
    crm.run("feedback")
    assert request_of(crm, order)["skip_reason"] == "the client is gone"


def test_what_belongs_to_a_colleague_who_left_goes_to_whoever_answers_for_it(crm: Crm) -> None:
    tenant = crm.tenant()
    left = crm.profile(tenant, full_name="Olive Owner", role="sales")
    here = crm.profile(tenant, full_name="Peter Present", role="admin")
    client = crm.client(tenant, owner_id=left)
    crm.contact(tenant, client)
    crm.deal(tenant, client_id=client, owner_id=left)
    crm.deal(tenant, title="Nobody to ask", owner_id=left)
    crm.check(tenant, client, due_at=NOW - days(60))
    crm.execute("ALTER TABLE profiles ADD is_active boolean DEFAULT true")
    crm.update("profiles", left, is_active=False)
    crm.run("deals")
    crm.run("compliance")
    assert {action["assigned_to"] for action in crm.actions()} == {here}
    [letter] = crm.actions(template="deal_follow_up")
    assert letter["variables"]["owner_name"] == "Peter Present"


def test_a_task_of_a_colleague_who_left_meanwhile_is_filed_for_whoever_is_there(crm: Crm) -> None:
    tenant = crm.tenant()
    left, here = crm.profile(tenant, role="sales"), crm.profile(tenant, role="admin")
    task = crm.action(tenant, kind="task", template="deal_handover", assigned_to=left)
    crm.execute("ALTER TABLE profiles ADD deleted_at timestamptz")
    crm.update("profiles", left, deleted_at=NOW)
    crm.read("file_internal", Jsonb([{"id": task, "title": "Call Ann", "body": "She waits."}]))
    [filed] = crm.rows("SELECT assigned_to FROM tasks")
    assert filed["assigned_to"] == here


def test_what_is_found_about_a_person_is_filled_into_the_contact_that_was_kept(crm: Crm) -> None:
    tenant = crm.tenant()
    duplicate, kept = crm.contact(tenant), crm.contact(tenant)
    crm.execute("ALTER TABLE contacts ADD is_deleted boolean")
    crm.update("contacts", duplicate, is_deleted=True)
    crm.enrichment(tenant)
    crm.run("enrichment")
    assert (crm.row("contacts", kept)["title"], crm.row("contacts", duplicate)["title"]) == ("CTO", None)
