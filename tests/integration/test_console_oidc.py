"""If these fail, an organisation's people cannot sign in as they do everywhere, or somebody else signs in as them."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.console import browser
from tests.crm import Crm
from tests.oidc import CLIENT, SECRET, Provider, running_provider
from tests.web import served
from workers.settings import settings

VOUCHED = {"email": "Olive@Northwind.example", "email_verified": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def visitor(provider: Provider, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FLEET_OIDC_ISSUER", provider.issuer)
    monkeypatch.setenv("FLEET_OIDC_CLIENT_ID", CLIENT)
    monkeypatch.setenv("FLEET_OIDC_CLIENT_SECRET", SECRET)
    settings.cache_clear()
    with served() as client, browser(str(client.base_url).rstrip("/")) as visitor:
        yield visitor


def signs_in(visitor: httpx.Client) -> httpx.Response:
    """Go the way of a browser: to the provider, and back with what it says."""
    with httpx.Client() as outside:
        there = outside.get(visitor.get("/console/oidc").headers["Location"])
    return visitor.get(there.headers["Location"])


def test_whom_the_provider_vouches_for_is_signed_in_as_the_crms_person(
    visitor: httpx.Client, provider: Provider, crm: Crm
) -> None:
    crm.profile(crm.tenant("Northwind"), email="olive@northwind.example", role="sales")
    assert 'href="/console/oidc"' in visitor.get("/console/sign-in").text
    provider.claims = VOUCHED
    back = signs_in(visitor)
    assert (back.status_code, back.headers["Location"]) == (303, "/console/")
    assert "· agent</span>" in visitor.get("/console/").text
    assert [row["what"] for row in crm.rows("SELECT what FROM console_audit")] == ["signs in"]


def test_who_works_for_several_tenants_chooses_one(visitor: httpx.Client, provider: Provider, crm: Crm) -> None:
    for name in ("Northwind", "Southwind"):
        crm.profile(crm.tenant(name), email="olive@northwind.example", role="sales")
    provider.claims = VOUCHED
    page = signs_in(visitor).text
    [token] = re.findall(r'name="token" value="([^"]+)"><p><button type="submit">Southwind', page)
    assert visitor.post("/console/enter", data={"token": token}).status_code == 303
    assert "Today at Southwind" in visitor.get("/console/").text


def test_nobody_is_signed_in_whom_the_provider_does_not_vouch_for_here_and_now(
    visitor: httpx.Client, provider: Provider, crm: Crm
) -> None:
    crm.profile(crm.tenant("Northwind"), email="olive@northwind.example", role="sales")
    wrongs = {
        403: ({"email_verified": False}, {"email_verified": None}, {"email": None}, {"email": "eve@x.example"},
              {"nonce": "another"}),
        503: ({"aud": "another"}, {"iss": "https://evil.example"}, {"exp": int(time.time()) - 3600}),
    }  # fmt: skip
    for status, claims in wrongs.items():
        for wrong in claims:
            provider.claims = VOUCHED | wrong
            assert signs_in(visitor).status_code == status, wrong
    provider.claims = VOUCHED
    location = visitor.get("/console/oidc").headers["Location"]
    with httpx.Client() as outside:
        back = outside.get(location).headers["Location"]
    with browser(str(visitor.base_url).rstrip("/")) as other:
        assert other.get(back).status_code == 400, "the browser that began it goes on, no other"
    assert visitor.get(back.replace("code=", "code=x")).status_code == 503
    assert visitor.get(back.partition("?")[0]).status_code == 400
    assert crm.rows("SELECT FROM console_sessions") == []
    assert visitor.get("/console/").headers["Location"] == "/console/sign-in"


def test_a_provider_that_is_away_leaves_the_mailed_link(visitor: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_OIDC_ISSUER", "http://127.0.0.1:9")
    settings.cache_clear()
    assert "A link by mail signs in too" in visitor.get("/console/oidc").text
    monkeypatch.delenv("FLEET_OIDC_ISSUER")
    monkeypatch.delenv("FLEET_OIDC_CLIENT_ID")
    settings.cache_clear()
    assert visitor.get("/console/oidc").status_code == 404
    assert "/console/oidc" not in visitor.get("/console/sign-in").text
