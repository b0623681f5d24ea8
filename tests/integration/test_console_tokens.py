"""If these fail, a secret is shown to somebody it is not for, or a manager cannot let a program in or keep it out."""

import re
from uuid import UUID, uuid4

import httpx
import pytest

from tests.console import signed_in
from tests.crm import Crm
from tests.shell import fleet
from workers.db.session import Connection
from workers.runtime.tokens import token_hash

WISH = {"name": "crm-sync", "role": "agent", "days": "90", "per_minute": "600"}


def key_of(page: str) -> str:
    """The key of the form that makes a token."""
    found = re.search('name="key" value="([^"]+)"', page)
    assert found
    return found[1]


def secret_of(page: str) -> str | None:
    """The secret that a page shows, if it does."""
    found = re.search('class="secret" value="([^"]+)"', page)
    return found and found[1]


def test_a_token_is_shown_once_opens_the_api_as_its_role_and_nothing_once_it_is_revoked(
    client: httpx.Client, manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    form = WISH | {"key": key_of(manager.get("/console/tokens").text)}
    made = manager.post("/console/tokens", data=form)
    secret = secret_of(made.text)
    assert secret is not None
    [kept] = crm.rows("SELECT * FROM api_tokens")
    assert (kept["token_hash"], kept["tenant_id"], kept["role"]) == (token_hash(secret), tenant, "agent")
    assert kept["made_by"] == "olive@northwind.example"
    assert (kept["ends_at"] - kept["made_at"]).total_seconds() == pytest.approx(90 * 86_400, abs=60)
    page = manager.get("/console/tokens").text
    assert secret not in page
    assert '<span class="quiet">never</span>' in page

    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/actions", headers=headers).status_code == 200
    assert client.patch("/api/settings", json={"values": {}}, headers=headers).status_code == 403
    assert '<span class="quiet">never</span>' not in manager.get("/console/tokens").text
    assert "crm-sync" in fleet(database_url, "tokens", "list", "--tenant", "Northwind").stdout

    done = manager.post("/console/tokens/revoked", data={"token": str(kept["id"])})
    assert "good for nothing any more" in manager.get(done.headers["Location"]).text
    assert client.get("/api/actions", headers=headers).status_code == 401
    for token in (str(kept["id"]), str(uuid4()), "x"):
        assert manager.post("/console/tokens/revoked", data={"token": token}).status_code == 404
    rows = crm.rows("SELECT * FROM console_audit WHERE what LIKE '%% a token' ORDER BY id")
    assert [row["what"] for row in rows] == ["makes a token", "revokes a token"]
    assert {(row["who"], row["tenant_id"], row["origin"], row["item"]) for row in rows} == {
        ("olive@northwind.example", tenant, "127.0.0.1", f"crm-sync ({kept['id']})")
    }
    assert None not in {row["session_id"] for row in rows}


def test_a_form_that_is_sent_twice_makes_one_token_and_its_secret_is_not_shown_later(
    client: httpx.Client, connection: Connection, manager: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    form = WISH | {"key": key_of(manager.get("/console/tokens").text)}
    first, second = (secret_of(manager.post("/console/tokens", data=form).text) for _ in range(2))
    assert first is not None
    assert first == second
    assert len(crm.rows("SELECT FROM api_tokens")) == 1
    assert len(crm.rows("SELECT FROM console_audit WHERE what = 'makes a token'")) == 1

    with signed_in(client, connection, crm.profile(tenant, role="admin")) as other:
        theirs = secret_of(other.post("/console/tokens", data=form).text)
    assert theirs not in (None, first), "who saw a form without its session knows nothing"

    crm.execute("UPDATE api_tokens SET made_at = made_at - interval '2 minutes'")
    late = manager.post("/console/tokens", data=form)
    assert (late.status_code, secret_of(late.text)) == (409, None)
    assert "its secret was shown then" in late.text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"role": "operator"}, "for one tenant, or for all of them"),
        ({"role": "king"}, "no role king"),
        ({"name": " "}, "needs a name"),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"per_minute": "0"}, "from 1 to 100,000 times"),
        ({"per_minute": "many"}, "a number of calls"),
        ({"days": "7"}, "one of the times that there are"),
    ],
)
def test_what_makes_no_sense_of_a_token_is_said_and_makes_none(
    manager: httpx.Client, crm: Crm, wrong: dict[str, str], said: str
) -> None:
    answer = manager.post("/console/tokens", data=WISH | {"key": "x"} | wrong)
    assert (answer.status_code, said in answer.text) == (400, True)
    assert crm.rows("SELECT FROM api_tokens") == []


def test_an_operator_makes_tokens_for_all_tenants_or_for_the_one_that_was_chosen(
    client: httpx.Client, connection: Connection, crm: Crm, tenant: UUID
) -> None:
    with signed_in(client, connection) as operator:
        assert secret_of(operator.post("/console/tokens", data=WISH | {"role": "operator", "key": "a"}).text)
        assert operator.post("/console/tokens", data=WISH | {"key": "b"}).status_code == 400
        operator.post("/console/tenant", data={"tenant": str(tenant)})
        assert secret_of(operator.post("/console/tokens", data=WISH | {"key": "c"}).text)
        [everybodys, ours] = crm.rows("SELECT * FROM api_tokens ORDER BY made_at")
        assert (everybodys["tenant_id"], everybodys["role"], ours["tenant_id"]) == (None, "operator", tenant)
        assert str(everybodys["id"]) not in operator.get("/console/tokens").text
        assert operator.post("/console/tokens/revoked", data={"token": str(everybodys["id"])}).status_code == 404
        operator.post("/console/tenant", data={"tenant": ""})
        assert operator.post("/console/tokens/revoked", data={"token": str(everybodys["id"])}).status_code == 303
