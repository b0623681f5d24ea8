"""Feedback: who is asked after a delivery, who is left alone, and what becomes of the request."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from workers import clock
from workers.db.migrate import migrate
from workers.db.session import Connection, connect, transaction
from workers.engines.base import Tally


def request_of(crm: Crm, order: UUID) -> dict[str, Any]:
    return crm.one("SELECT * FROM feedback_requests WHERE order_id = %s", order)


def delivered(crm: Crm, tenant: UUID, *, days_ago: float = 7, **values: Any) -> UUID:
    """Return an order that was delivered that many days ago."""
    return crm.order(tenant, delivered_at=NOW - days(days_ago), **values)


def batch(connection: Connection, tenant: UUID, limit: int = 100, at: datetime = NOW) -> Tally:
    with clock.at(at), transaction(connection):
        return Tally.from_rows(
            connection.execute("SELECT * FROM run_feedback_batch(%s, %s, NULL)", [tenant, limit]).fetchall()
        )


@pytest.fixture
def second(database_url: str) -> Iterator[Connection]:
    """Another worker's connection."""
    with connect(database_url) as connection:
        yield connection


def test_a_delivery_queues_one_request_for_seven_days_later(crm: Crm) -> None:
    order = crm.order(crm.tenant(), status="shipped")
    assert crm.rows("SELECT * FROM feedback_requests") == []
    crm.update("orders", order, status="delivered", delivered_at=NOW)
    crm.update("orders", order, status="completed", delivered_at=NOW)
    [request] = crm.rows("SELECT * FROM feedback_requests")
    assert (request["order_id"], request["status"]) == (order, "pending")
    assert (request["delivery_date"], request["scheduled_for"]) == (NOW, NOW + days(7))


def test_a_corrected_delivery_date_moves_a_request_that_was_not_sent_yet(crm: Crm) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, days_ago=6, contact_id=crm.contact(tenant))
    crm.update("orders", order, delivered_at=NOW - days(7))
    assert crm.run("feedback").tally.acted["asked"] == 1
    crm.update("orders", order, delivered_at=NOW)
    assert request_of(crm, order)["scheduled_for"] == NOW


def test_orders_delivered_before_the_fleet_came_are_found(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant()
    crm.execute("ALTER TABLE orders DISABLE TRIGGER order_delivered")
    recent = crm.order(tenant, delivered_at=datetime.now(tz=NOW.tzinfo) - days(20))
    crm.order(tenant, delivered_at=datetime.now(tz=NOW.tzinfo) - days(200))
    crm.execute("ALTER TABLE orders ENABLE TRIGGER order_delivered")
    migrate(database_url)
    assert [row["order_id"] for row in crm.rows("SELECT order_id FROM feedback_requests")] == [recent]


def test_an_order_without_a_tenant_can_still_be_delivered(crm: Crm) -> None:
    crm.execute("ALTER TABLE orders ALTER COLUMN tenant_id DROP NOT NULL")  # as in a CRM that allows it
    order = crm.insert("orders", delivered_at=NOW)
    assert crm.row("orders", order)["delivered_at"] == NOW


def test_the_customer_is_asked_on_the_seventh_day_and_not_before(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    order = delivered(crm, tenant, contact_id=contact, order_number="O-77")
    assert crm.run("feedback", at=NOW - timedelta(minutes=1)).tally.due == 0
    crm.run("feedback")
    request = request_of(crm, order)
    assert (request["status"], request["sent_at"], request["expires_at"]) == ("sent", None, None)
    crm.send(at=NOW + timedelta(hours=1))
    request = request_of(crm, order)
    assert (request["sent_at"], request["expires_at"]) == (
        NOW + timedelta(hours=1),
        NOW + days(30) + timedelta(hours=1),
    ), "it was asked when its message left"
    [action] = crm.actions()
    assert (action["kind"], action["status"], action["contact_id"]) == ("email", "sent", contact)
    assert action["variables"]["order_number"] == "O-77"


def test_asking_twice_is_impossible(crm: Crm) -> None:
    tenant = crm.tenant()
    delivered(crm, tenant, contact_id=crm.contact(tenant))
    for _ in range(3):
        crm.run("feedback")
    assert crm.templates() == {"feedback_request": 1}


@pytest.mark.parametrize(
    ("case_status", "asked"),
    [("open", False), ("in_progress", False), ("closed", True), ("resolved", True), ("cancelled", True)],
)
def test_a_customer_with_an_open_case_on_the_order_is_left_alone(crm: Crm, case_status: str, asked: bool) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.insert("cases", tenant_id=tenant, order_id=order, title="Broken", status=case_status)
    crm.run("feedback")
    request = request_of(crm, order)
    assert request["status"] == ("sent" if asked else "skipped")
    assert request["has_open_case"] is not asked
    assert request["skip_reason"] == (None if asked else "open case on the order")
    assert len(crm.actions()) == asked


def test_a_case_on_another_order_does_not_matter(crm: Crm) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.insert("cases", tenant_id=tenant, order_id=crm.order(tenant), title="Broken", status="open")
    crm.run("feedback")
    assert request_of(crm, order)["status"] == "sent"


@pytest.mark.parametrize("address", [None, "", "  "])
def test_without_an_address_the_clients_primary_contact_is_asked(crm: Crm, address: str | None) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    direct = crm.contact(tenant, client, email=address, is_primary=False)
    crm.contact(tenant, client, email="second@acme.example", is_primary=False)
    primary = crm.contact(tenant, client)
    order = delivered(crm, tenant, client_id=client, contact_id=direct)
    crm.run("feedback")
    assert request_of(crm, order)["contact_id"] == primary
    assert [action["contact_id"] for action in crm.actions()] == [primary]


def test_without_any_address_the_request_is_skipped_and_says_why(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    crm.contact(tenant, client, email=" ")
    order = delivered(crm, tenant, client_id=client)
    report = crm.run("feedback")
    assert report.tally.skipped == {"no contact with an address": 1}
    request = request_of(crm, order)
    assert (request["status"], request["skip_reason"]) == ("skipped", "no contact with an address")


@pytest.mark.parametrize(("days_since", "status"), [(29.9, "skipped"), (30, "sent")])
def test_nobody_is_asked_twice_within_thirty_days(crm: Crm, days_since: float, status: str) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    delivered(crm, tenant, contact_id=contact)
    crm.run("feedback")
    crm.send()
    later = crm.order(tenant, contact_id=contact, delivered_at=NOW + days(days_since - 7))
    crm.run("feedback", at=NOW + days(days_since))
    request = request_of(crm, later)
    assert request["status"] == status
    assert request["skip_reason"] == (None if status == "sent" else "contact was asked in the last 30 days")


def test_two_orders_of_one_contact_in_one_batch_are_one_question(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    later = delivered(crm, tenant, days_ago=8, contact_id=contact)
    first = delivered(crm, tenant, days_ago=9, contact_id=contact)
    crm.run("feedback")
    assert [request_of(crm, order)["status"] for order in (first, later)] == ["sent", "skipped"]
    assert crm.templates() == {"feedback_request": 1}


def test_two_orders_of_one_contact_claimed_by_two_workers_at_once_are_one_question(
    crm: Crm, second: Connection
) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    for days_ago in (8, 9):
        delivered(crm, tenant, days_ago=days_ago, contact_id=contact)
    with crm.connection.transaction():
        assert batch(crm.connection, tenant, limit=1).acted == {"asked": 1}
        meanwhile = batch(second, tenant, limit=1)
        assert (meanwhile.due, meanwhile.busy) == (0, 1)
    assert batch(second, tenant).skipped == {"contact was asked in the last 30 days": 1}
    assert crm.templates() == {"feedback_request": 1}


@pytest.mark.parametrize("change", [{"status": "returned"}, {"status": "cancelled"}, {"delivered_at": None}])
def test_an_order_that_came_back_is_not_asked_about(crm: Crm, change: dict[str, Any]) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.update("orders", order, **change)
    crm.run("feedback")
    assert request_of(crm, order)["skip_reason"] == "order is no longer delivered"
    assert crm.actions() == []


def test_a_delivery_nobody_remembers_is_not_asked_about(crm: Crm) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, days_ago=61, contact_id=crm.contact(tenant))
    crm.run("feedback")
    assert request_of(crm, order)["skip_reason"] == "delivered more than 60 days ago"


@pytest.mark.parametrize(
    ("before", "days_later", "after"),
    [("sent", 29.9, "sent"), ("sent", 30, "expired"), ("responded", 31, "responded")],
)
def test_a_question_expires_unanswered_after_thirty_days(crm: Crm, before: str, days_later: float, after: str) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.run("feedback")
    crm.send()
    crm.update("feedback_requests", request_of(crm, order)["id"], status=before)
    crm.run("feedback", at=NOW + days(days_later))
    assert request_of(crm, order)["status"] == after


def test_every_due_request_is_reached_not_the_first_batch_over_and_over(crm: Crm) -> None:
    tenant = crm.tenant()
    for number in range(45):
        delivered(crm, tenant, contact_id=crm.contact(tenant, email=f"{number}@acme.example"))
    assert crm.run("feedback", batch_size=20).tally.acted == {"asked": 45}
    assert len({action["contact_id"] for action in crm.actions()}) == 45


def test_the_due_read_shows_the_longest_waiting_twenty(crm: Crm) -> None:
    tenant = crm.tenant()
    orders = [delivered(crm, tenant, days_ago=40 - number) for number in range(25)]
    delivered(crm, tenant, days_ago=6)
    rows = crm.read("get_feedback_due", tenant)
    assert [row["order_id"] for row in rows] == orders[:20]
    assert len(crm.read("get_feedback_due", tenant, 100)) == 25


def test_in_review_the_question_waits_for_a_person(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "feedback", "review")
    delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.run("feedback")
    assert [action["status"] for action in crm.actions()] == ["suggested"]


def test_switched_off_nothing_is_asked_and_nothing_changes(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "feedback", "off")
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.run("feedback")
    assert batch(crm.connection, tenant) == Tally()
    assert request_of(crm, order)["status"] == "pending"
    assert crm.actions() == []


def test_another_tenants_contact_is_never_asked(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    client = crm.client(theirs)
    contact = crm.contact(theirs, client)
    order = delivered(crm, ours, client_id=client, contact_id=contact)
    crm.run("feedback")
    assert request_of(crm, order)["skip_reason"] == "no contact with an address"
    assert crm.actions() == []


def test_a_request_that_points_to_another_tenants_order_tells_nothing_about_it(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    order = crm.order(theirs, order_number="SECRET-1", delivered_at=NOW - days(7), status="delivered")
    contact = crm.contact(ours)
    with crm.unchecked():
        request = crm.insert(
            "feedback_requests", tenant_id=ours, order_id=order, contact_id=contact,
            delivery_date=NOW - days(7), scheduled_for=NOW,
        )  # fmt: skip
    crm.run("feedback")
    assert crm.row("feedback_requests", request)["skip_reason"] == "order is no longer delivered"
    assert crm.actions() == []


def test_a_row_of_another_tenant_cannot_mark_our_contact_as_asked(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    contact = crm.contact(ours)
    asked = {"delivery_date": NOW, "scheduled_for": NOW, "status": "sent", "sent_at": NOW}
    with crm.unchecked():
        crm.insert("feedback_requests", tenant_id=theirs, order_id=crm.order(theirs), contact_id=contact, **asked)
    order = delivered(crm, ours, contact_id=contact)
    crm.run("feedback")
    assert request_of(crm, order)["status"] == "sent"


@pytest.mark.parametrize("ended", ["skipped", "failed", "dead", "cancelled"])
def test_whose_message_did_not_get_out_was_not_asked(crm: Crm, ended: str) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    first = delivered(crm, tenant, contact_id=contact)
    crm.run("feedback")
    crm.execute("UPDATE scheduled_actions SET status = %s, reason = 'address is suppressed'", ended)
    request = request_of(crm, first)
    assert (request["status"], request["skip_reason"]) == ("skipped", "address is suppressed")
    assert (request["sent_at"], request["expires_at"]) == (None, None)
    second_order = delivered(crm, tenant, contact_id=contact)
    crm.run("feedback")
    assert request_of(crm, second_order)["status"] == "sent", "nobody asked this contact yet"


def test_a_message_tried_again_waits_for_its_answer_again(crm: Crm) -> None:
    order = delivered(crm, tenant := crm.tenant(), contact_id=crm.contact(tenant))
    crm.run("feedback")
    crm.execute("UPDATE scheduled_actions SET status = 'dead', last_error = 'no route'")
    assert request_of(crm, order)["skip_reason"] == "no route"
    crm.execute("SELECT decide_actions(ARRAY(SELECT id FROM scheduled_actions), 'retry')")
    request = request_of(crm, order)
    assert (request["status"], request["skip_reason"]) == ("sent", None)
    crm.send()
    assert request_of(crm, order)["expires_at"] == NOW + days(30)


def test_an_order_that_was_undone_and_is_delivered_again_is_asked_about(crm: Crm) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.update("orders", order, delivered_at=None)
    crm.run("feedback")
    assert request_of(crm, order)["skip_reason"] == "order is no longer delivered"
    crm.update("orders", order, delivered_at=NOW + days(1))
    assert crm.run("feedback", at=NOW + days(8)).tally.acted == {"asked": 1}


def test_an_order_that_moved_to_another_client_is_asked_about_there(crm: Crm) -> None:
    tenant = crm.tenant()
    before, after = crm.client(tenant), crm.client(tenant)
    crm.contact(tenant, before, email="old@acme.example")
    right = crm.contact(tenant, after, email="new@acme.example")
    order = delivered(crm, tenant, client_id=before)
    crm.update("orders", order, client_id=after)
    crm.run("feedback")
    assert [action["contact_id"] for action in crm.actions()] == [right]
    assert request_of(crm, order)["client_id"] == after


def test_who_waits_for_us_to_close_a_case_is_not_surveyed(crm: Crm) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    order = delivered(crm, tenant, client_id=client, contact_id=crm.contact(tenant, client))
    crm.insert("cases", tenant_id=tenant, client_id=client, title="Broken", status="open")
    crm.run("feedback")
    assert request_of(crm, order)["skip_reason"] == "open case of the client"


def test_a_question_that_waited_out_a_pause_is_not_expired_before_it_was_asked(crm: Crm) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.pause(tenant)
    crm.run("feedback")
    assert crm.send() == 0
    crm.run("feedback", at=NOW + days(40))
    assert request_of(crm, order)["status"] == "sent"
    crm.pause(tenant, paused=False)
    assert crm.send(at=NOW + days(42)) == 1
    assert request_of(crm, order)["expires_at"] == NOW + days(72)
