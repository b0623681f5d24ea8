"""If these fail, a CRM cannot ask the fleet what is due, or a tenant reads and moves what is another's."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.crm import Crm, days
from tests.tokens import bearer
from workers.web.api import rows
from workers.web.app import service

STALLED, PENDING = "/api/engines/deals/stalled", "/api/engines/enrichment/pending"
SIGNALS, CHECKS = "/api/engines/signals/unactioned", "/api/engines/compliance/due"
READS = (STALLED, PENDING, SIGNALS, CHECKS)
SCHEDULE, FOLLOW_UP = "/api/engines/feedback/schedule", "/api/engines/quotes/followup"
SOON = datetime.now(UTC).replace(microsecond=0) + days(3)


@dataclass(frozen=True)
class Company:
    """A tenant with one thing due for each engine, and the headers of one of its users."""

    tenant: UUID
    headers: dict[str, str]
    order: UUID
    ids: dict[str, UUID]


def company(crm: Crm, name: str) -> Company:
    now = datetime.now(UTC)
    tenant = crm.tenant(name)
    user = crm.profile(tenant, email=f"user@{name}.example")
    client = crm.client(tenant, company_name=name)
    contact = crm.contact(tenant, client)
    quiet = now - days(30)
    ids = {
        STALLED: crm.deal(tenant, client_id=client, value=1234.5, last_activity_at=quiet, created_at=quiet),
        PENDING: crm.enrichment(tenant, contact_id=contact),
        SIGNALS: crm.insert(
            "opportunity_signals", tenant_id=tenant, source_type="email", source_id=uuid4(), signal_type="renewal",
            signal_strength=0.9,
        ),
        CHECKS: crm.check(tenant, client, due_at=now + days(10), period_start=now.date(), period_end=now.date()),
        FOLLOW_UP: crm.quote(tenant, client_id=client, sent_at=quiet, next_follow_up_at=quiet, total_amount=99.9),
    }  # fmt: skip
    order = crm.order(tenant, client_id=client, contact_id=contact, delivered_at=now)
    return Company(tenant, bearer(user), order, ids)


@pytest.fixture
def ours(crm: Crm) -> Company:
    return company(crm, "northwind")


@pytest.fixture
def theirs(crm: Crm) -> Company:
    return company(crm, "contoso")


def found(answer: httpx.Response) -> list[UUID]:
    assert answer.status_code == 200, answer.text
    return [UUID(next(value for name, value in one.items() if name.endswith("_id"))) for one in answer.json()["items"]]


def test_the_six_routes_are_where_a_crm_expects_them() -> None:
    paths = service.openapi()["paths"]
    named = {(method.upper(), path) for path, item in paths.items() for method in item if "/engines/" in path}
    assert named == {("GET", path) for path in READS} | {("POST", SCHEDULE), ("POST", FOLLOW_UP)}


def test_each_tenant_reads_what_is_due_for_it_and_nothing_of_another(
    client: httpx.Client, ours: Company, theirs: Company
) -> None:
    for whose in (ours, theirs):
        for path in READS:
            assert found(client.get(path, headers=whose.headers)) == [whose.ids[path]], path
        assert found(client.post(FOLLOW_UP, headers=whose.headers)) == [whose.ids[FOLLOW_UP]]


def test_amounts_are_exact_and_instants_bear_their_offset(client: httpx.Client, ours: Company) -> None:
    [deal] = client.get(STALLED, headers=ours.headers).json()["items"]
    [quote] = client.post(FOLLOW_UP, headers=ours.headers).json()["items"]

    assert (deal["value"], quote["total_amount"]) == ("1234.50", "99.90")
    assert datetime.fromisoformat(deal["last_activity_at"]).tzinfo is not None


def test_a_value_that_is_no_number_does_not_hide_the_others(client: httpx.Client, crm: Crm, ours: Company) -> None:
    crm.execute("UPDATE deals SET value = 'NaN'")

    assert client.get(STALLED, headers=ours.headers).json()["items"][0]["value"] == "NaN"


@pytest.mark.parametrize(
    ("path", "function", "model"),
    [
        (STALLED, "get_stalled_deals", rows.StalledDeal),
        (PENDING, "get_pending_enrichment", rows.PendingEnrichment),
        (SIGNALS, "get_unactioned_signals", rows.UnactionedSignal),
        (CHECKS, "get_compliance_due", rows.DueCheck),
        (FOLLOW_UP, "get_quotes_needing_followup", rows.DueQuote),
    ],
)
def test_nothing_that_the_database_says_of_a_row_is_left_out(crm: Crm, path: str, function: str, model: Any) -> None:
    columns = crm.one("SELECT proargnames AS n, proargmodes AS m FROM pg_proc WHERE proname = %s", function)
    given = [name for name, mode in zip(columns["n"], columns["m"], strict=True) if mode in ("t", b"t")]
    assert list(model.model_fields) == given, path


def test_a_limit_is_kept(client: httpx.Client, crm: Crm, ours: Company) -> None:
    for _ in range(3):
        crm.enrichment(ours.tenant)

    assert len(found(client.get(PENDING, params={"limit": 2}, headers=ours.headers))) == 2
    assert len(found(client.get(PENDING, params={"limit": 100}, headers=ours.headers))) == 4


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "", "1.5", "99999999999999999999"])
def test_an_impossible_limit_is_refused_with_a_sentence(client: httpx.Client, ours: Company, limit: str) -> None:
    for path in READS:
        answer = client.get(path, params={"limit": limit}, headers=ours.headers)
        said = answer.json()
        assert (answer.status_code, list(said["errors"])) == (422, ["limit"])
        assert said["errors"]["limit"].endswith(".")
        assert said["detail"] == f"limit: {said['errors']['limit']}"


def test_a_misspelled_parameter_is_told(client: httpx.Client, ours: Company) -> None:
    answer = client.get(STALLED, params={"limt": 5}, headers=ours.headers)

    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["limt"])


def test_a_pending_request_is_moved(client: httpx.Client, crm: Crm, ours: Company) -> None:
    answer = client.post(
        SCHEDULE, json={"order_id": str(ours.order), "scheduled_for": SOON.isoformat()}, headers=ours.headers
    )

    assert answer.status_code == 200, answer.text
    [request] = crm.rows("SELECT * FROM feedback_requests")
    assert request["scheduled_for"] == SOON
    said = answer.json()
    assert datetime.fromisoformat(said.pop("scheduled_for")) == SOON
    assert said == {"request_id": str(request["id"]), "order_id": str(ours.order), "status": "pending"}


def test_a_request_that_was_sent_stays_where_it_is(client: httpx.Client, crm: Crm, ours: Company) -> None:
    crm.execute("UPDATE feedback_requests SET status = 'sent', expires_at = now() + interval '30 days'")

    answer = client.post(
        SCHEDULE, json={"order_id": str(ours.order), "scheduled_for": SOON.isoformat()}, headers=ours.headers
    )

    assert answer.status_code == 409
    assert answer.json()["detail"] == "The request is sent: only a pending one can be moved."
    assert crm.one("SELECT scheduled_for FROM feedback_requests")["scheduled_for"] != SOON


def test_a_quote_is_followed_up_at_the_next_run_when_a_user_asks(client: httpx.Client, crm: Crm, ours: Company) -> None:
    quote = ours.ids[FOLLOW_UP]
    crm.update("quotes", quote, next_follow_up_at=SOON)
    assert found(client.post(FOLLOW_UP, headers=ours.headers)) == []

    for _ in range(2):
        answer = client.post(FOLLOW_UP, json={"quote_id": str(quote)}, headers=ours.headers)
        assert found(answer) == [quote]

    crm.run("quotes", at=datetime.now(UTC) + timedelta(minutes=1))
    assert len(crm.actions(subject_id=quote)) == 1


def test_who_asks_for_a_follow_up_that_is_due_already_does_not_put_it_off(
    client: httpx.Client, crm: Crm, ours: Company
) -> None:
    before = crm.row("quotes", ours.ids[FOLLOW_UP])["next_follow_up_at"]

    client.post(FOLLOW_UP, json={"quote_id": str(ours.ids[FOLLOW_UP])}, headers=ours.headers)

    assert crm.row("quotes", ours.ids[FOLLOW_UP])["next_follow_up_at"] == before


@pytest.mark.parametrize(
    "values",
    [
        {"status": "draft"},
        {"status": "accepted", "outcome": "won"},
        {"status": "sent", "follow_up_count": 5},
        {"status": "sent", "follow_up_hold": "its message"},
        {"status": "sent", "valid_until": datetime.now(UTC).date() - days(2)},
    ],
)
def test_a_quote_that_is_not_open_is_not_followed_up(
    client: httpx.Client, crm: Crm, ours: Company, values: dict[str, Any]
) -> None:
    crm.update("quotes", ours.ids[FOLLOW_UP], next_follow_up_at=SOON, **values)

    answer = client.post(FOLLOW_UP, json={"quote_id": str(ours.ids[FOLLOW_UP])}, headers=ours.headers)

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith(f"The quote is {values['status']};")
    assert crm.row("quotes", ours.ids[FOLLOW_UP])["next_follow_up_at"] == SOON


def test_ids_of_another_tenant_do_not_exist(client: httpx.Client, crm: Crm, ours: Company, theirs: Company) -> None:
    before = crm.rows("SELECT id, scheduled_for FROM feedback_requests ORDER BY id")
    for order, quote in ((theirs.order, theirs.ids[FOLLOW_UP]), (uuid4(), uuid4())):
        wishes = {
            SCHEDULE: {"order_id": str(order), "scheduled_for": SOON.isoformat()},
            FOLLOW_UP: {"quote_id": str(quote)},
        }
        for path, wish in wishes.items():
            answer = client.post(path, json=wish, headers=ours.headers)
            assert answer.status_code == 404
            assert answer.json()["detail"].startswith("There is no ")
    assert crm.rows("SELECT id, scheduled_for FROM feedback_requests ORDER BY id") == before
    assert crm.row("quotes", theirs.ids[FOLLOW_UP])["next_follow_up_at"] < datetime.now(UTC) - days(29)


@pytest.mark.parametrize(
    ("wish", "wrong"),
    [
        ({}, ["order_id", "scheduled_for"]),
        ({"order_id": "O-1", "scheduled_for": SOON.isoformat()}, ["order_id"]),
        ({"order_id": str(uuid4()), "scheduled_for": "tomorrow"}, ["scheduled_for"]),
        ({"order_id": str(uuid4()), "scheduled_for": "2026-12-01T09:00:00"}, ["scheduled_for"]),
        ({"order_id": str(uuid4()), "scheduled_for": "0001-01-01T00:00:00+14:00"}, ["scheduled_for"]),
        ({"order_id": str(uuid4()), "scheduled_for": "9999-12-31T23:59:59-12:00"}, ["scheduled_for"]),
        ({"order_id": str(uuid4()), "scheduled_for": SOON.isoformat(), "tenant_id": str(uuid4())}, ["tenant_id"]),
        ([], ["body"]),
        (None, ["body"]),
        ("text", ["body"]),
    ],
)
def test_each_field_that_is_wrong_is_named_with_a_sentence(
    client: httpx.Client, ours: Company, wish: Any, wrong: list[str]
) -> None:
    answer = client.post(SCHEDULE, json=wish, headers=ours.headers)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    errors = answer.json()["errors"]
    assert list(errors) == wrong
    assert all(said[0].isupper() and said.endswith(".") for said in errors.values())


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"", b'{"order_id": NaN}', b"[" * 60_000])
def test_a_body_that_is_no_json_is_refused(client: httpx.Client, ours: Company, body: bytes) -> None:
    headers = ours.headers | {"Content-Type": "application/json"}
    answer = client.post(SCHEDULE, content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
