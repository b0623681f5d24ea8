"""If these fail, somebody sees or does at the console what is not his business, or is kept from what is."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.actors import SECRET, Things, evidence, things
from tests.console import PROFILES, browser, signed_in
from tests.crm import Crm
from workers.db.session import Connection
from workers.runtime.roles import RANKS
from workers.web.console.routes import ROUTES

# Every address, and the least role that may: what is not written here fails. The word in braces is one of Things.
PUBLIC = {("GET", "/"), ("GET", "/console"), ("GET", "/console/assets/{name}"), ("GET", "/console/sign-in"),
          ("POST", "/console/sign-in"), ("GET", "/console/enter"), ("POST", "/console/enter"),
          ("GET", "/console/oidc"), ("GET", "/console/oidc/back")}  # fmt: skip
LEAST = {
    ("POST", "/console/sign-out"): "reader",
    ("POST", "/console/tenant"): "operator",
    ("GET", "/console/"): "reader",
    ("GET", "/console/actions"): "reader",
    ("POST", "/console/actions/preview"): "agent",
    ("POST", "/console/actions/decide"): "agent",
    ("POST", "/console/actions/snooze"): "agent",
    ("GET", "/console/actions/{action:int}"): "reader",
    ("GET", "/console/actions/{action:int}/letter"): "reader",
    ("GET", "/console/actions/{action:int}/edit"): "agent",
    ("POST", "/console/actions/{action:int}/edit"): "agent",
    ("GET", "/console/find"): "reader",
    ("GET", "/console/timeline/{tenant}/{kind}/{item:path}"): "reader",
    ("POST", "/console/timeline/{tenant}/{kind}/{item:path}"): "agent",
    ("GET", "/console/compliance"): "reader",
    ("GET", "/console/compliance.csv"): "reader",
    ("GET", "/console/compliance/{check}"): "reader",
    ("POST", "/console/compliance/{check}"): "agent",
    ("GET", "/console/conflicts"): "reader",
    ("POST", "/console/conflicts"): "agent",
    ("GET", "/console/runs"): "reader",
    ("POST", "/console/runs"): "operator",
    ("GET", "/console/runs/{run:int}"): "reader",
    ("POST", "/console/runs/pause"): "manager",
    ("GET", "/console/runs/backfill"): "operator",
    ("POST", "/console/runs/backfill"): "operator",
    ("POST", "/console/runs/{run:int}/cancel"): "operator",
    ("POST", "/console/runs/{run:int}/retry"): "operator",
    ("GET", "/console/settings"): "reader",
    ("POST", "/console/settings"): "manager",
    ("POST", "/console/settings/what-if"): "manager",
    ("GET", "/console/words"): "reader",
    ("POST", "/console/words"): "manager",
    ("GET", "/console/suppressions"): "reader",
    ("POST", "/console/suppressions"): "agent",
    ("POST", "/console/suppressions/removed"): "manager",
    ("GET", "/console/templates"): "reader",
    ("GET", "/console/templates/{template}/{language}"): "reader",
    ("POST", "/console/templates/{template}/{language}"): "manager",
    ("POST", "/console/templates/{template}/{language}/preview"): "manager",
    ("POST", "/console/templates/{template}/{language}/shipped"): "manager",
    ("GET", "/console/webhooks"): "reader",
    ("POST", "/console/webhooks"): "manager",
    ("POST", "/console/webhooks/changed"): "manager",
    ("GET", "/console/tokens"): "manager",
    ("POST", "/console/tokens"): "manager",
    ("POST", "/console/tokens/revoked"): "manager",
    ("GET", "/console/trail"): "manager",
    ("GET", "/console/trail.csv"): "manager",
    ("GET", "/console/people"): "manager",
    ("POST", "/console/people"): "manager",
    ("GET", "/console/insight"): "reader",
    ("GET", "/console/insight/{view}.csv"): "reader",
    ("GET", "/console/insight/{view}"): "reader",
    ("GET", "/console/insight/{view}/rows"): "reader",
    ("GET", "/console/insight/{view}/rows.csv"): "reader",
    ("POST", "/console/answers"): "agent",
}
# Pages of the same name for every tenant, each with its own rows.
EVERYBODYS = ("/console/runs", "/console/insight", "/console/templates")
DECIDE = "/console/actions/decide"


@pytest.fixture
def ours(crm: Crm) -> Things:
    return things(crm, "Ours")


@pytest.fixture
def theirs(crm: Crm) -> Things:
    return things(crm, SECRET)


def test_every_address_is_written_down_here() -> None:
    known = {(method, route.path) for route in ROUTES for method in route.methods or () if method != "HEAD"}
    assert known == PUBLIC | LEAST.keys()


@pytest.mark.parametrize("actor", ["none", "expired", *RANKS])
def test_each_address_is_open_to_its_role_and_the_higher_ones_alone(
    client: httpx.Client, connection: Connection, crm: Crm, ours: Things, actor: str
) -> None:
    before = evidence(crm, ours.tenant)
    base = str(client.base_url).rstrip("/")
    entered = browser(base) if actor == "none" else signed_in(client, connection, ours.people.get(actor))
    with entered as visitor:
        if actor == "expired":
            crm.execute("UPDATE console_sessions SET revoked_at = now()")
        for method, template in sorted(LEAST, key=lambda place: place[1] == "/console/sign-out"):  # which ends it
            data = ours.form(template) if method == "POST" else None
            answer = visitor.request(method, ours.path(template), data=data)
            least = LEAST[method, template]
            if actor in ("none", "expired"):
                assert answer.status_code == (303 if method == "GET" else 401), template
                assert answer.headers.get("Location", "/console/sign-in") == "/console/sign-in", template
            elif RANKS.index(actor) < RANKS.index(least):
                assert answer.status_code == 403, (method, template)
                assert f"This needs the role {least}" in answer.text
            elif method == "GET":
                assert answer.status_code in ((200, 303) if template == "/console/find" else (200,)), template
            else:
                assert answer.status_code in (200, 303, 400, 404, 409), (template, answer.text)
    if actor in ("none", "expired", "reader"):
        after = evidence(crm, ours.tenant)
        own: dict[str, Any] = {"console_audit": [], "console_sessions": []}
        assert after | own == before | own


@pytest.mark.parametrize("actor", PROFILES)
def test_nothing_of_another_tenant_is_seen_or_changed_whatever_id_is_asked_for(
    client: httpx.Client, crm: Crm, ours: Things, theirs: Things, actor: str
) -> None:
    before = evidence(crm, theirs.tenant)
    with signed_in(client, crm.connection, ours.people[actor]) as visitor:
        for (method, template), least in LEAST.items():
            if RANKS.index(actor) < RANKS.index(least) or template == "/console/sign-out":
                continue
            data = theirs.form(template) if method == "POST" else None
            answer = visitor.request(method, theirs.path(template), data=data, follow_redirects=False)
            assert SECRET not in answer.text, template
            if method == "GET" and "{" in template and not template.startswith(EVERYBODYS):
                assert answer.status_code == 404, template
        for asked in (theirs.deal, SECRET, f"ann@{theirs.tenant}.example", theirs.action, theirs.answer):
            assert visitor.get("/console/find", params={"q": str(asked)}).status_code == 404, asked
        for chosen in ({"contact": f"ann@{theirs.tenant}.example"}, {"error": SECRET}):
            assert "No action is like this" in visitor.get("/console/actions", params=chosen).text
    assert evidence(crm, theirs.tenant) == before


def test_an_operator_sees_all_tenants_or_the_chosen_one(
    client: httpx.Client, connection: Connection, ours: Things, theirs: Things
) -> None:
    with signed_in(client, connection) as operator:
        assert SECRET in operator.get("/console/actions").text
        operator.post("/console/tenant", data={"tenant": str(ours.tenant), "next": "/console/"})
        for page_of in ("", "actions", "insight", "words", "suppressions", "tokens", "trail"):
            path = f"/console/{page_of}"
            page = operator.get(path).text
            assert page.count(SECRET) == 1, path  # in the list of tenants to choose from
        assert operator.get(f"/console/actions/{theirs.action}").status_code == 404
        assert operator.post("/console/tenant", data={"tenant": str(uuid4())}).status_code == 404
        assert operator.post("/console/tenant", data={"tenant": "x"}).status_code == 404


def test_a_tenants_people_see_of_a_run_what_failed_for_them_and_nothing_of_others(
    client: httpx.Client, connection: Connection, ours: Things, theirs: Things
) -> None:
    with signed_in(client, connection, ours.people["manager"]) as manager:
        page = manager.get(f"/console/runs/{theirs.run}").text
        assert "Nothing failed for you" in page
        assert SECRET not in page
        assert "Ours" in manager.get(f"/console/runs/{ours.run}").text


def test_nobody_becomes_an_operator_by_what_a_crm_says(client: httpx.Client, connection: Connection, crm: Crm) -> None:
    tenant = crm.tenant("Ours")
    for word in ("operator", "superuser", "service_role", "", None):
        person = crm.profile(tenant, role=word)
        with signed_in(client, connection, person) as visitor:
            assert "· reader</span>" in visitor.get("/console/").text, word
            assert visitor.post("/console/runs", data={"engine": "deals"}).status_code == 403


def test_what_identifies_a_tenant_to_the_world_is_the_operators_to_set(
    client: httpx.Client, connection: Connection, crm: Crm, ours: Things
) -> None:
    values = {"from_address": "care@bank.example", "why": "x"}
    with signed_in(client, connection, ours.people["manager"]) as manager:
        manager.post("/console/settings", data=values)
    assert crm.rows("SELECT FROM tenant_delivery WHERE from_address IS NOT NULL") == []
    with signed_in(client, connection) as operator:
        operator.post("/console/tenant", data={"tenant": str(ours.tenant)})
        operator.post("/console/settings", data=values)
    assert crm.rows("SELECT from_address FROM tenant_delivery") == [{"from_address": "care@bank.example"}]


def test_who_did_what_is_kept_with_the_place_it_came_from(
    client: httpx.Client, connection: Connection, crm: Crm, ours: Things
) -> None:
    with signed_in(client, connection, ours.people["agent"]) as agent:
        agent.post(DECIDE, data=ours.form(DECIDE) | {"decision": "approve"})
        agent.post("/console/answers", data=ours.form(DECIDE))
    who = f"agent@{ours.tenant}.example"
    rows = crm.rows("SELECT who, what, item, origin, tenant_id FROM console_audit WHERE who = %s ORDER BY id", who)
    assert [(row["what"], row["item"]) for row in rows] == [
        ("signs in", None), ("approve", str(ours.action)), ("deals with an answer", str(ours.answer)),
    ]  # fmt: skip
    assert {(row["origin"], row["tenant_id"]) for row in rows} == {("127.0.0.1", ours.tenant)}
