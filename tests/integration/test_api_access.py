"""If these fail, somebody reads or does over the API what is not his business, or is kept from what is."""

import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.actors import SECRET, Things, evidence, things
from tests.console import PROFILES
from tests.crm import Crm
from tests.tokens import bearer
from workers.runtime.roles import RANKS
from workers.runtime.tokens import new_api_token, token_hash
from workers.web.api.calls import Operation
from workers.web.api.routes import OPERATIONS

# An id that stands in the address of an operation, and whose 404 says that there is none.
OWNED = ("{action_id}", "{quote_id}", "{check_id}")


def api_token(crm: Crm, tenant: UUID | None, role: str, *, per_minute: int = 1000, days: int | None = None) -> str:
    """A token of a tenant or, without one, of the operator."""
    token = new_api_token()
    crm.one(
        "SELECT make_token(%s, %s, %s, %s, %s, now() + %s * interval '1 day', NULL, 'Bo', NULL)",
        token_hash(token), tenant, f"{role} program", role, per_minute, days,
    )  # fmt: skip
    return token


def body_of(operation: Operation, some: Things) -> Any:
    """What somebody may send there about these things."""
    return {
        "/engines/feedback/schedule": {"order_id": str(some.order), "scheduled_for": "2026-12-01T09:00:00Z"},
        "/engines/quotes/followup": {"quote_id": str(some.quote)},
        "/quotes/{quote_id}/outcome": {"outcome": "won"},
        "/compliance/{check_id}/waive": {"reason": "a test"},
        "/actions/preview": {"decision": "cancel", "ids": [some.action]},
        "/actions/decide": {"decision": "cancel", "ids": [some.action]},
        "/runs": {"engine": "none"},
        "/runs/backfill": {"engine": "none", "since": "2026-03-02T00:00:00Z"},
        "/runs/{run_id}/cancel": {"why": "a test"},
        "/settings": {"values": {"mails_per_day": "3"}},
        "/words": {"kind": "deal_stage", "word": "pitched", "meaning": "open"},
        "/suppressions": {"address": f"new@{some.tenant}.example", "why": "a test"},
        "/suppressions/remove": {"address": f"no@{some.tenant}.example", "why": "a test"},
        "/actions/{action_id}": {"subject": "Other", "body": "Words"},
        "/templates/{template}": {"source": "Hello\nWords"},
    }.get(operation.path)


def ask(client: httpx.Client, operation: Operation, some: Things, headers: dict[str, str]) -> httpx.Response:
    """Ask for an operation on these things."""
    named = {
        "action_id": some.action, "quote_id": some.quote, "check_id": some.check, "run_id": some.run,
        "template": "deal_follow_up",
    }  # fmt: skip
    asked = {"/explain": {"q": str(some.deal)}, "/runs/missed": {"since": "2026-03-02T00:00:00Z"}}
    return client.request(
        operation.method,
        "/api" + operation.path.format(**named),
        json=body_of(operation, some) if operation.method != "GET" else None,
        params=asked.get(operation.path),
        headers=headers | ({"If-Match": "*"} if operation.path == "/settings" else {}),
    )


@pytest.fixture
def ours(crm: Crm) -> Things:
    return things(crm, "Ours")


@pytest.fixture
def theirs(crm: Crm) -> Things:
    return things(crm, SECRET)


def actor(crm: Crm, who: str, some: Things) -> dict[str, str]:
    """The headers of somebody who calls."""
    kind, _, role = who.partition(" ")
    if kind == "user":
        return bearer(some.people[role])
    tenant = None if role == "operator" else some.tenant
    headers = {"Authorization": f"Bearer {api_token(crm, tenant, role)}"}
    return headers if tenant else headers | {"Fleet-Tenant": str(some.tenant)}


@pytest.mark.parametrize("who", ["user reader", "user agent", "user manager", "program reader", "program operator"])
def test_each_operation_is_open_to_its_role_and_the_higher_ones_alone(
    client: httpx.Client, crm: Crm, ours: Things, who: str
) -> None:
    headers, role = actor(crm, who, ours), who.split()[1]
    before = evidence(crm, ours.tenant)
    for operation in OPERATIONS:
        answer = ask(client, operation, ours, headers)
        said = (operation.method, operation.path, answer.text)
        if RANKS.index(role) < RANKS.index(operation.least) or (
            role == "reader" and operation.path == "/engines/quotes/followup"
        ):
            assert answer.status_code == 403, said
            assert f"This needs the role {operation.least if operation.least != 'reader' else 'agent'}" in answer.text
        elif operation.path in ("/runs", "/runs/backfill") and operation.method == "POST":
            assert answer.status_code == 404, said  # there is no engine of that name
        else:
            # What an operation before has done may stand in the way.
            assert answer.status_code in (operation.status, 409), said
    if role == "reader":
        assert evidence(crm, ours.tenant) == before


def test_strangers_and_tokens_that_are_good_no_more_open_nothing(client: httpx.Client, crm: Crm, ours: Things) -> None:
    ended = api_token(crm, ours.tenant, "manager", days=-1)
    revoked = api_token(crm, ours.tenant, "manager")
    crm.execute("SELECT revoke_token(id, NULL, 'Bo', NULL) FROM api_tokens WHERE ends_at IS NULL")
    before = evidence(crm, ours.tenant)
    refused = {
        "none": ({}, "This needs the header"),
        "expired": (bearer(ours.people["manager"], exp=int(time.time()) - 600), "has expired"),
        "wrong audience": (bearer(ours.people["manager"], aud="another-app"), "meant for somebody else"),
        "ended": ({"Authorization": f"Bearer {ended}"}, "has expired"),
        "revoked": ({"Authorization": f"Bearer {revoked}"}, "was revoked"),
        "unknown": ({"Authorization": f"Bearer {new_api_token()}"}, "none of the fleet's"),
    }
    for headers, words in refused.values():
        for operation in OPERATIONS:
            answer = ask(client, operation, ours, headers)
            assert answer.status_code == 401, (operation.path, answer.text)
            assert words in answer.json()["detail"]
    assert evidence(crm, ours.tenant) == before


@pytest.mark.parametrize("who", ["user agent", "user manager", "program manager"])
def test_nothing_of_another_tenant_is_seen_or_changed_whatever_id_is_asked_for(
    client: httpx.Client, crm: Crm, ours: Things, theirs: Things, who: str
) -> None:
    headers, role = actor(crm, who, ours), who.split()[1]
    before = evidence(crm, theirs.tenant)
    for operation in OPERATIONS:
        if RANKS.index(role) < RANKS.index(operation.least):
            continue
        answer = ask(client, operation, theirs, headers)
        assert SECRET not in answer.text, operation.path
        named = any(name in operation.path for name in OWNED) or operation.path in (
            "/explain", "/engines/feedback/schedule", "/engines/quotes/followup", "/suppressions/remove",
        )  # fmt: skip
        if named:
            assert answer.status_code == 404, (operation.path, answer.text)
        elif operation.path == "/actions/decide":
            assert answer.json() == {"done": [], "left": [theirs.action]}
        answer = ask(client, operation, ours, headers | {"Fleet-Tenant": str(theirs.tenant)})
        assert answer.status_code == 404, operation.path
    for chosen in ({"contact": f"ann@{theirs.tenant}.example"}, {"error": SECRET}, {"subject": str(theirs.deal)}):
        assert client.get("/api/actions", params=chosen, headers=headers).json()["items"] == []
    assert evidence(crm, theirs.tenant) == before


def test_an_operator_sees_every_tenant_or_the_one_that_is_named(
    client: httpx.Client, crm: Crm, ours: Things, theirs: Things
) -> None:
    headers = {"Authorization": f"Bearer {api_token(crm, None, 'operator')}"}
    for path in ("/api/actions", "/api/suppressions"):
        items = client.get(path, headers=headers).json()["items"]
        assert {item["tenant_id"] for item in items} == {str(ours.tenant), str(theirs.tenant)}
        items = client.get(path, headers=headers | {"Fleet-Tenant": str(ours.tenant)}).json()["items"]
        assert {item["tenant_id"] for item in items} == {str(ours.tenant)}
    answer = client.get("/api/settings", headers=headers)
    assert (answer.status_code, "Fleet-Tenant" in answer.json()["detail"]) == (422, True)
    explained = client.get("/api/explain", params={"q": str(theirs.deal)}, headers=headers).json()
    assert [thing["tenant_id"] for thing in explained["found"]] == [str(theirs.tenant)]


def test_what_identifies_a_tenant_to_the_world_is_the_operators_to_set(
    client: httpx.Client, crm: Crm, ours: Things
) -> None:
    change = {"values": {"from_address": "care@bank.example"}}
    for who, status in (("user manager", 403), ("program manager", 403), ("program operator", 200)):
        headers = actor(crm, who, ours) | {"If-Match": "*"}
        assert client.patch("/api/settings", json=change, headers=headers).status_code == status, who
    assert crm.rows("SELECT from_address FROM tenant_delivery") == [{"from_address": "care@bank.example"}]


def test_nobody_becomes_more_by_what_a_crm_says(client: httpx.Client, crm: Crm) -> None:
    tenant = crm.tenant()
    for word in ("operator", "superuser", "service_role", "", None):
        headers = bearer(crm.profile(tenant, role=word))
        answer = client.post("/api/suppressions", json={"address": "a@b.example", "why": "x"}, headers=headers)
        assert answer.status_code == 403
        assert "yours is reader" in answer.json()["detail"]


def test_who_did_what_is_kept_with_the_place_it_came_from(client: httpx.Client, crm: Crm, ours: Things) -> None:
    wish = {"address": "ann@acme.example", "why": "asked us"}
    for who in ("user agent", "program agent", "program operator"):
        client.post("/api/suppressions", json=wish, headers=actor(crm, who, ours))
    client.get("/api/suppressions", headers=actor(crm, "user agent", ours))
    rows = crm.rows("SELECT * FROM console_audit WHERE what <> 'makes a token' ORDER BY id")
    assert [(row["who"], row["what"], row["item"]) for row in rows] == [
        (who, "suppress", "ann@acme.example")
        for who in (f"agent@{ours.tenant}.example", "token agent program", "token operator program")
    ]
    assert {(row["origin"], row["tenant_id"]) for row in rows} == {("127.0.0.1", ours.tenant)}
    assert crm.rows("SELECT decided_by FROM fleet_decisions WHERE about = 'suppression'") == [
        {"decided_by": f"agent@{ours.tenant}.example"}
    ]


def test_a_token_that_is_shown_too_often_waits_for_the_next_minute(client: httpx.Client, crm: Crm) -> None:
    tenant = crm.tenant()
    headers = {"Authorization": f"Bearer {api_token(crm, tenant, 'reader', per_minute=2)}"}
    other = {"Authorization": f"Bearer {api_token(crm, tenant, 'reader', per_minute=2)}"}
    answers = [client.get("/api/words", headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert client.get("/api/words", headers=other).status_code == 200, "each counts by itself"
    crm.execute("UPDATE api_tokens SET counted_at = counted_at - interval '1 minute'")
    assert client.get("/api/words", headers=headers).status_code == 200


def test_the_roles_of_users_are_those_of_the_console() -> None:
    assert list(PROFILES) == list(RANKS[:-1])
