"""If these fail, a program that waits for what happens hears of it twice, never, or from somebody else."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.crm import NOW, Crm, days, stalled_deal
from tests.inbound import asked, northwind, stored
from tests.letters import UNHAPPY, letter
from tests.mail import free_port
from tests.outbox import run
from tests.provider_server import ProviderServer, Said
from tests.webhooks import certificate, endpoint, receiving, verified
from workers import clock
from workers.db.session import Connection, connect, transaction
from workers.delivery import webhook_call


@pytest.fixture
def pem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate that this machine trusts."""
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


@pytest.fixture
def receiver(pem: Path) -> Iterator[ProviderServer]:
    with receiving(pem) as server:
        yield server


def tell(connection: Connection, at: Any = NOW, **values: Any) -> Counter[str]:
    """One pass of delivery in which endpoints may be on this machine; what became of the events."""
    done = run(connection, None, at, **{"fleet_webhook_allow_private": True} | values)
    return Counter({name: n for name, n in done.items() if name.startswith("events_")})


def deliveries(crm: Crm) -> list[dict[str, Any]]:
    return crm.rows("SELECT * FROM webhook_deliveries ORDER BY id")


def event(crm: Crm, tenant: UUID) -> None:
    """Let something happen that endpoints are told of: an action is sent."""
    crm.update("scheduled_actions", crm.action(tenant, run_at=NOW + days(1)), status="sent", sent_at=NOW)  # type: ignore[arg-type]


def test_what_happens_is_told_signed_and_once(connection: Connection, crm: Crm, receiver: ProviderServer) -> None:
    tenant = stalled_deal(crm)
    crm.open_always(tenant)
    _, secret = endpoint(crm, tenant, f"{receiver.url}/hook?team=7")
    crm.run("deals")

    assert tell(connection) == {"events_delivered": 3}
    assert tell(connection) == {}
    told = {call.payload["type"]: verified(call, secret) for call in receiver.calls}
    assert {call.path for call in receiver.calls} == {"/hook?team=7"}
    assert told.keys() == {"deal.stalled", "action.created", "action.sent"}
    [action] = crm.actions()
    for name in ("action.created", "action.sent"):
        assert told[name]["data"]["action_id"] == action["id"]
        assert told[name]["data"]["tenant_id"] == str(tenant)
        assert told[name]["data"]["template"] == "deal_follow_up"
    assert told["action.sent"]["data"]["sent_at"] is not None
    assert told["deal.stalled"]["data"]["deal_id"] == str(action["subject_id"])
    assert told["deal.stalled"]["timestamp"].startswith(NOW.isoformat()[:19])


def test_no_name_address_or_text_leaves_the_house(connection: Connection, crm: Crm, receiver: ProviderServer) -> None:
    tenant = northwind(crm)
    endpoint(crm, tenant, receiver.url)
    ask = asked(crm, tenant)
    stored(connection, letter(UNHAPPY, answers=[ask.message_id]))

    tell(connection)
    told = {call.payload["type"]: call.payload["data"] for call in receiver.calls}
    assert told.keys() >= {"action.created", "reply.received", "case.opened"}
    for text in ("ann", "acme.example", "two weeks late"):
        assert text not in json.dumps(told).lower()
    [case] = crm.rows("SELECT id FROM cases")
    assert told["case.opened"]["case_id"] == str(case["id"])
    assert (told["reply.received"]["kind"], told["reply.received"]["sentiment"]) == ("reply", "negative")


def test_a_quote_past_its_date_is_told_of_and_what_was_not_asked_for_is_not(
    connection: Connection, crm: Crm, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    endpoint(crm, tenant, receiver.url, "quote.expired")
    quote = crm.quote(tenant, client_id=crm.client(tenant), valid_until=(NOW - days(1)).date())
    crm.action(tenant)
    crm.run("quotes")

    assert tell(connection) == {"events_delivered": 1}
    [call] = receiver.calls
    assert call.payload["data"]["quote_id"] == str(quote)


def test_what_never_happened_is_never_told(connection: Connection, crm: Crm, receiver: ProviderServer) -> None:
    tenant = crm.tenant()
    endpoint(crm, tenant, receiver.url)
    with connection.transaction(force_rollback=True):
        crm.action(tenant)
        assert len(deliveries(crm)) == 1

    assert (tell(connection), receiver.calls) == ({}, [])


def test_an_event_that_was_not_taken_comes_again_as_the_same_one(
    connection: Connection, crm: Crm, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    _, secret = endpoint(crm, tenant, receiver.url, "action.sent")
    event(crm, tenant)
    receiver.script = [Said(500, b"oops")]

    assert tell(connection) == {"events_pending": 1}
    [waiting] = deliveries(crm)
    assert (waiting["attempts"], waiting["last_error"]) == (1, "it answered 500 (Internal Server Error)")
    assert tell(connection, waiting["run_at"] - timedelta(seconds=1)) == {}
    assert tell(connection, waiting["run_at"]) == {"events_delivered": 1}

    first, second = receiver.calls
    assert verified(first, secret) == verified(second, secret)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.headers["webhook-timestamp"] > first.headers["webhook-timestamp"], "each call is signed at its time"


def test_a_sender_that_was_lost_is_followed_by_another_under_the_same_id(
    connection: Connection, crm: Crm, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    endpoint(crm, tenant, receiver.url, "action.sent")
    event(crm, tenant)
    [lost] = crm.read("claim_webhooks", "a process that dies", timedelta(minutes=10), 100, UUID(int=0))

    assert tell(connection, NOW + timedelta(minutes=9)) == {}
    assert tell(connection, NOW + timedelta(minutes=10)) == {"events_delivered": 1}
    [call] = receiver.calls
    assert call.headers["webhook-id"] == lost["webhook_id"]
    late = {"id": lost["delivery_id"], "delivered": False, "error": "late", "run_at": NOW.isoformat()}
    crm.read("settle_webhooks", "a process that dies", psycopg.types.json.Jsonb([late]), psycopg.types.json.Jsonb([]))
    assert [row["status"] for row in deliveries(crm)] == ["delivered"], "who lost the lease is not heard"


def test_two_processes_share_the_events(database_url: str, crm: Crm) -> None:
    tenant = crm.tenant()
    endpoint(crm, tenant, "https://hooks.example/", "action.sent")
    for _ in range(60):
        event(crm, tenant)

    claim = "SELECT delivery_id FROM claim_webhooks('me', '1 minute', 400, '00000000-0000-0000-0000-000000000000')"
    with connect(database_url) as one, connect(database_url) as other, clock.at(NOW), transaction(one):
        ours = {row["delivery_id"] for row in one.execute(claim)}
        with transaction(other):
            theirs = {row["delivery_id"] for row in other.execute(claim)}
    assert (len(ours), len(theirs)) == (50, 10)
    assert not theirs & ours


def test_an_endpoint_that_hangs_costs_one_wait_and_keeps_no_other_waiting(
    connection: Connection, crm: Crm, pem: Path, receiver: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_call, "_ANSWER_SECONDS", 0.3)
    tenant = crm.tenant()
    with receiving(pem) as hanging:
        hanging.script = [Said(seconds=1)]
        stuck, _ = endpoint(crm, tenant, hanging.url, "action.sent")
        endpoint(crm, tenant, receiver.url, "action.sent")
        for _ in range(20):
            event(crm, tenant)

        done = tell(connection)
        assert (done["events_delivered"], len(receiver.calls), len(hanging.calls)) == (20, 20, 1)
        trouble = crm.row("webhook_endpoints", stuck)
        assert trouble["retry_at"] > NOW
        assert {row["last_error"] for row in deliveries(crm) if row["attempts"] and row["status"] == "pending"} == {
            "it did not answer in time"
        }

        assert tell(connection, NOW + timedelta(minutes=2)) == {"events_delivered": 20}
    ids = Counter(call.headers["webhook-id"] for call in hanging.calls)
    assert sorted(ids.values()) == [1] * 19 + [2], "nothing was lost, and only what was under way came twice"


def test_one_event_that_is_refused_does_not_stop_the_others_and_many_do(
    connection: Connection, crm: Crm, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    one, _ = endpoint(crm, tenant, receiver.url, "action.sent")
    for _ in range(9):
        event(crm, tenant)
    receiver.script = [Said(400)]
    assert tell(connection) == {"events_delivered": 8, "events_pending": 1}
    assert crm.row("webhook_endpoints", one)["retry_at"] is None

    receiver.script = [Said(500)] * 50
    for _ in range(20):
        event(crm, tenant)
    calls = len(receiver.calls)
    tell(connection)
    assert len(receiver.calls) - calls == 5
    assert crm.row("webhook_endpoints", one)["retry_at"] is not None


def test_a_redirect_is_a_failure_and_is_not_followed(
    connection: Connection, crm: Crm, pem: Path, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    endpoint(crm, tenant, receiver.url, "action.sent")
    event(crm, tenant)
    with receiving(pem) as elsewhere:
        receiver.script = [Said(307, b"", {"Location": f"{elsewhere.url}/inner"})]
        assert tell(connection) == {"events_pending": 1}
        assert elsewhere.calls == []
    [row] = deliveries(crm)
    assert row["last_error"] == "it answered 307 (Temporary Redirect): redirects are not followed"


def test_an_endpoint_that_is_gone_is_switched_off_and_a_person_is_told(
    connection: Connection, crm: Crm, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    admin = crm.profile(tenant, role="admin")
    gone, _ = endpoint(crm, tenant, receiver.url, "action.sent")
    event(crm, tenant)
    receiver.script = [Said(410)]

    tell(connection)
    assert not crm.row("webhook_endpoints", gone)["active"]
    event(crm, tenant)
    tell(connection)
    assert len(receiver.calls) == 1
    [task] = crm.rows("SELECT * FROM tasks")
    assert task["assigned_to"] == admin
    assert task["title"] == f"Nobody is told at {receiver.url} any more"
    assert "410 (gone)" in task["description"]
    assert str(gone) in task["description"]


def test_what_is_not_taken_for_five_days_is_dead_a_person_is_told_and_can_have_it_tried_again(
    connection: Connection, crm: Crm, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    crm.profile(tenant, role="admin")
    nowhere, _ = endpoint(crm, tenant, f"https://127.0.0.1:{free_port()}/", "action.sent")
    event(crm, tenant)
    [row] = deliveries(crm)
    at, attempts, end = NOW, 0, NOW + days(5) + timedelta(minutes=1)
    while row["status"] == "pending":
        attempts += tell(connection, at).total()
        row = deliveries(crm)[0]
        at = min(end, max(row["run_at"], crm.row("webhook_endpoints", nowhere)["retry_at"] or NOW))

    assert row["status"] == "dead"
    assert NOW + days(4) < row["settled_at"] <= end
    assert attempts < 40
    run(connection, None, at)
    [task] = crm.rows("SELECT * FROM tasks")
    assert "some events were given up" in task["description"]

    crm.execute("UPDATE webhook_endpoints SET url = %s", receiver.url)
    crm.read("retry_webhook", nowhere, at=at)
    tell(connection, at)
    assert deliveries(crm)[0]["status"] == "delivered"


def test_what_waits_behind_an_endpoint_that_is_off_is_given_up_in_the_end_and_forgotten_after_a_month(
    connection: Connection, crm: Crm, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    off, _ = endpoint(crm, tenant, receiver.url, "action.sent")
    event(crm, tenant)
    crm.read("switch_webhook", off, False, "us")

    assert tell(connection) == {}
    tell(connection, NOW + days(6))
    [row] = deliveries(crm)
    assert (row["status"], row["last_error"]) == ("dead", "it was never tried: its endpoint was off")
    tell(connection, NOW + days(36))
    assert deliveries(crm) == []


def test_an_address_of_this_network_is_refused_unless_the_operator_allows_such(
    connection: Connection, crm: Crm, receiver: ProviderServer
) -> None:
    tenant = crm.tenant()
    endpoint(crm, tenant, receiver.url, "action.sent")
    event(crm, tenant)

    assert tell(connection, fleet_webhook_allow_private=False) == {"events_pending": 1}
    assert receiver.calls == []
    [row] = deliveries(crm)
    assert row["last_error"] == "127.0.0.1 is 127.0.0.1, which is not on the public internet"


def test_an_endpoint_hears_of_its_own_tenant_alone_and_a_stopped_one_is_silent(
    connection: Connection, crm: Crm, pem: Path, receiver: ProviderServer
) -> None:
    ours, theirs = crm.tenant("ours"), crm.tenant("theirs")
    with receiving(pem) as other:
        endpoint(crm, ours, receiver.url, "action.sent")
        endpoint(crm, theirs, other.url, "action.sent")
        event(crm, ours)
        event(crm, theirs)
        crm.execute("INSERT INTO operator_stops (tenant_id, reason, stopped_by) VALUES (%s, 'asked', 'us')", theirs)

        assert tell(connection) == {"events_delivered": 1}
        assert [call.payload["data"]["tenant_id"] for call in receiver.calls] == [str(ours)]
        assert other.calls == []


def test_endpoints_of_others_cost_a_tenant_no_row(connection: Connection, crm: Crm) -> None:
    ours, theirs = stalled_deal(crm), crm.tenant("theirs")
    endpoint(crm, theirs, "https://hooks.example/")
    crm.open_always(ours)
    crm.run("deals")

    assert run(connection, None)["sent"] == 1
    assert deliveries(crm) == []
