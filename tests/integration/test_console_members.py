"""If these fail, a tenant cannot tell other programs what happens, or somebody stays at the console who must not."""

import re
from uuid import UUID

import httpx
import pytest

from tests.console import signed_in
from tests.crm import Crm
from workers.db.session import Connection
from workers.settings import settings


def test_an_address_is_told_tested_switched_off_and_forgotten_and_its_secret_shown_once(
    client: httpx.Client, connection: Connection, crm: Crm, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_WEBHOOK_ALLOW_PRIVATE", "true")
    settings.cache_clear()
    form = {"url": "https://127.0.0.1:9/told", "events": ["reply.received", "case.opened"]}
    with signed_in(client, connection, crm.profile(tenant, email="olive@northwind.example", role="admin")) as manager:
        for wrong in ({"url": "http://x.example"}, {"url": "https://nowhere.invalid/"}, {"events": "x"}):
            assert manager.post("/console/webhooks", data=form | wrong).status_code == 400, wrong
        page = manager.post("/console/webhooks", data=form).text
        secret = re.search('<code class="secret">(whsec_[^<]+)</code>', page)
        [kept] = crm.rows("SELECT endpoint_id, secret FROM webhook_secrets")
        assert secret is not None
        assert secret[1] == kept["secret"]
        assert kept["secret"] not in manager.get("/console/webhooks").text
        assert manager.post("/console/webhooks", data=form).status_code == 409

        def act(name: str) -> str:
            answer = manager.post("/console/webhooks/changed", data={"endpoint": str(kept["endpoint_id"]), "act": name})
            return manager.get(answer.headers["Location"]).text

        assert 'webhook.test <span class="tag warn">pending' in act("test")
        assert crm.rows("SELECT event FROM webhook_deliveries") == [{"event": "webhook.test"}]
        assert "switched off by olive@northwind.example" in act("off")
        assert 'value="test"' in act("on")
        assert "Nobody is told of anything." in act("remove")
        for wrong in ({"act": "x"}, {"endpoint": "x"}, {"endpoint": str(tenant), "act": "on"}):
            gone = manager.post(
                "/console/webhooks/changed", data={"act": "on", "endpoint": str(kept["endpoint_id"])} | wrong
            )
            assert gone.status_code in (400, 404)


def test_whose_session_is_ended_is_signed_in_no_more(
    client: httpx.Client, connection: Connection, crm: Crm, tenant: UUID
) -> None:
    manager = crm.profile(tenant, email="olive@northwind.example", role="admin")
    agent = crm.profile(tenant, email="sam@northwind.example", full_name="Sam Sales", role="sales")
    with signed_in(client, connection, manager) as visitor, signed_in(client, connection, agent) as other:
        page = visitor.get("/console/people").text
        assert "this one" in page
        [session] = crm.rows("SELECT id FROM console_sessions WHERE profile_id = %s", agent)
        assert f'name="session" value="{session["id"]}"' in page
        assert other.get("/console/").status_code == 200
        assert visitor.post("/console/people", data={"session": str(session["id"])}).status_code == 303
        assert other.get("/console/").headers["Location"] == "/console/sign-in"
        for number in (str(session["id"]), "x", "9" * 30):
            assert visitor.post("/console/people", data={"session": number}).status_code == 404
    with signed_in(client, connection) as operator:
        assert "root" in operator.get("/console/people").text
